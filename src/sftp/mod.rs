//! SFTP version 3 (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions.
//!
//! The codec serves both roles and does no I/O: [`FrameReader`] cuts the byte stream into packets,
//! [`Request`] and [`Reply`] are their contents. Names are bytes, for the protocol gives them no encoding.
//! Nothing here allocates by a number of the peer.

mod attributes;
pub mod client;
mod extended;
mod frame;
mod messages;
mod number;
pub mod server;
mod status;

pub use attributes::{Attributes, MAX_EXTENDED_ATTRIBUTES};
pub use extended::{extension, ExtendedRequest, Limits, StatVfs, UsersGroups};
pub use frame::{FrameError, FrameReader, FrameWriter, MAX_PACKET_BYTES};
pub use messages::{
    Extension, Init, Name, OpenFlags, Reply, Request, Version, MAX_EXTENSIONS, MAX_HANDLE_BYTES,
    MAX_NAMES, MAX_PATH_BYTES,
};
pub use number::PacketType;
pub use status::{StatusCode, MAX_STATUS_TEXT_BYTES};

/// The version that is spoken. OpenSSH, and with it the world, never went further.
pub const VERSION: u32 = 3;
