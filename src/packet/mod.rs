//! The packetizer (RFC 4253 §6): identification line, framing, sealing and opening, sequence numbers,
//! limits, compression.

mod queue;

pub use queue::PayloadQueue;
