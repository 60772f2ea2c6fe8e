//! `ssh_sftp`: a session with an SFTP server.

use std::ffi::c_char;

use crate::sftp::client::Sftp;

use super::channel::ssh_channel;
use super::channel_object;
use super::error::ssh_error;
use super::guard;
use super::handle;
use super::memory;
use super::sftp_object;
use super::status::{ssh_status, SSH_OK};
use super::transport::ssh_transport;
use super::transport_object;

/// A session with the server's file system (SFTP version 3, with OpenSSH's extensions).
///
/// Any number of threads may use one session; their requests are under way side by side. Paths are C strings of any
/// bytes, for the protocol gives names no encoding; relative ones begin where the server put the user, which is mostly
/// the home directory. A refusal of the server's is SSH_ERR_SFTP with its code (ssh_error_sftp_status()) and text
/// (ssh_error_peer_text()). SSH_TIMEOUT_DEFAULT is one minute; a request whose time ran out may still be carried out.
///
/// What a session has opened keeps it alive, so all may be freed in any order.
#[allow(non_camel_case_types)]
pub struct ssh_sftp {
    _opaque: [u8; 0],
}

/// SFTP status: the end of the file or list.
pub const SSH_SFTP_STATUS_EOF: u32 = 1;

/// SFTP status: the file does not exist.
pub const SSH_SFTP_STATUS_NO_SUCH_FILE: u32 = 2;

/// SFTP status: the user may not.
pub const SSH_SFTP_STATUS_PERMISSION_DENIED: u32 = 3;

/// SFTP status: failed for a reason without a code of its own, such as a full disk or a name that exists.
pub const SSH_SFTP_STATUS_FAILURE: u32 = 4;

/// SFTP status: the server found the request malformed.
pub const SSH_SFTP_STATUS_BAD_MESSAGE: u32 = 5;

/// SFTP status: the server does not do this.
pub const SSH_SFTP_STATUS_OP_UNSUPPORTED: u32 = 8;

/// Starts SFTP on a session channel of its own.
///
/// @param transport   a client transport that is authenticated
/// @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is one minute
/// @param error       receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_DENIED when the server has no SFTP,
///                    SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return a session, freed with ssh_sftp_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_open_sftp_client(
    transport: *mut ssh_transport,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_sftp {
    guard::value_with(std::ptr::null_mut(), error, || {
        transport_object::with(transport, |object| {
            let timeout = sftp_object::timeout(timeout_ms)?;
            sftp_object::sftp_handle(Sftp::open(&object.driver, timeout)?)
        })
    })
}

/// Starts SFTP on a channel at whose other end an SFTP server runs already, for example by
/// ssh_channel_request_subsystem() or ssh_channel_request_exec().
///
/// @param channel     the channel. The session reads and writes it from now on; the program must not, but may free
///                    the handle
/// @param timeout_ms  milliseconds until the version must be agreed on
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return a session, freed with ssh_sftp_free(), or NULL; then the channel is closed. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_new_channel(
    channel: *mut ssh_channel,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_sftp {
    guard::value_with(std::ptr::null_mut(), error, || {
        channel_object::with(channel, |object| {
            let timeout = sftp_object::timeout(timeout_ms)?;
            let sftp = Sftp::over(object.driver.clone(), timeout)?;
            object.set_serves_sftp();
            sftp_object::sftp_handle(sftp)
        })
    })
}

/// Ends the session and closes its channel. Calls under way, also on its files and directories, return with
/// SSH_ERR_CLOSED. Does not wait for the network.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_close(sftp: *mut ssh_sftp) -> ssh_status {
    guard::status(|| {
        handle::get(sftp)?.close();
        Ok(SSH_OK)
    })
}

/// Frees the handle. Calls under way on it return with SSH_ERR_CLOSED. The session ends when its files and
/// directories are freed, too.
///
/// @param sftp  the session; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_free(sftp: *mut ssh_sftp) {
    guard::value((), || {
        handle::take(sftp)?.release();
        Ok(())
    })
}

/// Whether the server has announced an extension, such as "posix-rename@openssh.com".
///
/// @param sftp  the session
/// @param name  the extension's name
/// @return false also when `sftp` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_has_extension(
    sftp: *const ssh_sftp,
    name: *const c_char,
) -> bool {
    guard::value(false, || {
        let object = handle::get(sftp)?;
        Ok(object.has_extension(memory::text(name, "the name")?))
    })
}

/// The limits that the server has told (`limits@openssh.com`). The library keeps to them by itself.
///
/// @param sftp          the session
/// @param packet_bytes  receives the longest packet in bytes, or NULL; each is 0 where the server told none
/// @param read_bytes    receives the longest read, or NULL
/// @param write_bytes   receives the longest write, or NULL
/// @param open_handles  receives how many files and directories may be open, or NULL
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_limits(
    sftp: *const ssh_sftp,
    packet_bytes: *mut u64,
    read_bytes: *mut u64,
    write_bytes: *mut u64,
    open_handles: *mut u64,
) -> ssh_status {
    guard::status(|| {
        for out in [packet_bytes, read_bytes, write_bytes, open_handles] {
            memory::write(out, 0);
        }
        let limits = handle::get(sftp)?.limits();
        memory::write(packet_bytes, limits.packet_bytes);
        memory::write(read_bytes, limits.read_bytes);
        memory::write(write_bytes, limits.write_bytes);
        memory::write(open_handles, limits.open_handles);
        Ok(SSH_OK)
    })
}

/// Sets how many bytes may be asked for ahead of a reader, or written and not confirmed by the server, for each file
/// opened from now on. Less is used until the link turns out to need it: what is written and not confirmed grows only while the
/// server confirms as quickly as the link lets it. At first 16 MiB, which keeps a link of 1 Gbit/s and 100 ms busy.
///
/// @param sftp   the session
/// @param bytes  at least 1
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_set_window(sftp: *mut ssh_sftp, bytes: u64) -> ssh_status {
    guard::status(|| {
        handle::get(sftp)?.set_window(bytes);
        Ok(SSH_OK)
    })
}
