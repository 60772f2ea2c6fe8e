//! The packets themselves: INIT and VERSION, requests, replies.

mod init;
mod reply;
mod request;

pub use init::{Extension, Init, Version, MAX_EXTENSIONS};
pub use reply::{Name, Reply, MAX_NAMES};
pub use request::{OpenFlags, Request};

use crate::codec::{DecodeError, Reader};

/// Longest handle (draft-ietf-secsh-filexfer-02 §6.2).
pub const MAX_HANDLE_BYTES: usize = 256;
/// Longest path that is taken: far above what file systems allow.
pub const MAX_PATH_BYTES: usize = 32 * 1024;

fn handle<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    r.string_capped(MAX_HANDLE_BYTES)
}

fn path<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    r.string_capped(MAX_PATH_BYTES)
}
