//! `ssh_sftp_dir`: listing a directory.

use std::ffi::c_char;
use std::sync::Arc;

use super::error::ssh_error;
use super::guard::{self, Failure};
use super::handle;
use super::memory;
use super::sftp::ssh_sftp;
use super::sftp_attributes::{self, ssh_sftp_attributes};
use super::sftp_object::{path, timeout};
use super::status::{ssh_status, SSH_EOF, SSH_OK};

/// An open directory of the server's. Its entries are asked for as they are read, so that a directory of any size
/// costs little memory. Any thread may read the next entry.
#[allow(non_camel_case_types)]
pub struct ssh_sftp_dir {
    _opaque: [u8; 0],
}

/// Opens a directory to list it.
///
/// @param sftp        the session
/// @param directory   its path
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return a directory, freed with ssh_sftp_dir_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_opendir(
    sftp: *mut ssh_sftp,
    directory: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_sftp_dir {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(sftp)?;
        let opened = object.open_directory(path(directory)?, timeout(timeout_ms)?)?;
        handle::insert(Arc::new(opened))
    })
}

/// Reads the next entry. "." and ".." come as the server sends them, the order is the server's.
///
/// @param dir         the directory
/// @param entry       receives the entry's attributes and name, freed with ssh_sftp_attributes_free(); NULL whenever
///                    the result is not SSH_OK. The name is the server's: before it is used as a local path it must
///                    be checked for "/", "." and ".."
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK, SSH_EOF after the last one, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_dir_read(
    dir: *mut ssh_sftp_dir,
    entry: *mut *mut ssh_sftp_attributes,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(entry, std::ptr::null_mut());
        if entry.is_null() {
            return Err(Failure::invalid("nowhere to put the entry"));
        }
        let object = handle::get(dir)?;
        match object.next(timeout(timeout_ms)?)? {
            Some(name) => {
                memory::write(entry, sftp_attributes::name_out(name)?);
                Ok(SSH_OK)
            }
            None => Ok(SSH_EOF),
        }
    })
}

/// Closes the directory; the handle stays, to be freed. Does nothing when it is closed.
///
/// @param dir         the directory
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_dir_close(
    dir: *mut ssh_sftp_dir,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        handle::get(dir)?.close(timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// Frees the handle, and closes the directory if it is not closed, without waiting for the answer.
///
/// @param dir  the directory; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_dir_free(dir: *mut ssh_sftp_dir) {
    guard::value((), || {
        handle::take(dir)?.release();
        Ok(())
    })
}
