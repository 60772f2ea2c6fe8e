//! The packetizer (RFC 4253 §6): identification line, framing, sealing and opening, sequence numbers,
//! limits, compression.

mod compression;
mod habits;
mod ident;
mod limits;
mod opener;
mod queue;
mod sealer;
mod sequence;
#[cfg(test)]
mod tests;

pub use habits::PeerHabits;
pub use ident::{Ident, IdentProgress, IdentReader};
pub use limits::RekeyLimits;
pub use opener::{OpenKeys, OpenedPacket, Opener, PayloadPlace};
pub use queue::PayloadQueue;
pub use sealer::{SealKeys, Sealer};
pub use sequence::Counters;

/// The largest packet_length that is accepted or sent. RFC 4253 §6.1 asks for 35000 at least.
pub const MAX_PACKET_LENGTH: usize = 256 * 1024;
