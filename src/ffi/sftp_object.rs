//! What the handles of SFTP lead to, and the arguments that its functions share.

use std::ffi::c_char;
use std::sync::Arc;

use crate::driver::Timeout;
use crate::sftp::client::{Directory, File, Sftp};

use super::guard::{Failure, Outcome};
use super::handle::{self, Handle};
use super::memory;
use super::sftp::ssh_sftp;
use super::sftp_dir::ssh_sftp_dir;
use super::sftp_file::ssh_sftp_file;
use super::time;
use super::transport_object::DEFAULT_CHANNEL_MS;

impl Handle for ssh_sftp {
    type Object = Sftp;
    const TAG: u8 = 16;
    const NOUN: &'static str = "ssh_sftp";
}

impl Handle for ssh_sftp_file {
    type Object = File;
    const TAG: u8 = 17;
    const NOUN: &'static str = "ssh_sftp_file";
}

impl Handle for ssh_sftp_dir {
    type Object = Directory;
    const TAG: u8 = 18;
    const NOUN: &'static str = "ssh_sftp_dir";
}

/// SSH_TIMEOUT_DEFAULT is that of channel requests.
pub(crate) fn timeout(timeout_ms: i32) -> Outcome<Timeout> {
    time::timeout(timeout_ms, Timeout::from_ms(DEFAULT_CHANNEL_MS))
}

/// A path: any bytes but NUL.
pub(crate) fn path<'a>(path: *const c_char) -> Outcome<&'a [u8]> {
    memory::optional_c_bytes(path).ok_or_else(|| Failure::invalid("the path is NULL"))
}

/// A new handle of a session.
pub(crate) fn sftp_handle(driver: Sftp) -> Outcome<*mut ssh_sftp> {
    handle::insert(Arc::new(driver))
}
