//! `ssh_channel`: what it is for, and between which places it carries data.

use std::ffi::{c_char, CString};

use super::channel::ssh_channel;
use super::channel_object::Purpose;
use super::guard::{self, Outcome};
use super::handle;
use super::memory;

/// What the channel is for, such as "session" or "forwarded-tcpip".
///
/// @return a string of the channel's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_kind(channel: *const ssh_channel) -> *const c_char {
    guard::value(std::ptr::null(), || {
        let object = handle::get(channel)?;
        let purpose = object.purpose.as_ref();
        Ok(purpose.map_or(std::ptr::null(), |purpose| purpose.kind.as_ptr()))
    })
}

/// Where a "direct-tcpip" channel leads to, or where the connection of a "forwarded-tcpip" one came in: the address as
/// it was asked for. For the kinds with UNIX sockets it is the path.
///
/// @param channel  the channel
/// @param port     receives the port, 0 with a path; or NULL
/// @return a string of the channel's, or NULL for other kinds. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_destination(
    channel: *const ssh_channel,
    port: *mut u16,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend(channel, port, |purpose| purpose.destination.as_ref())
    })
}

/// Where the connection that a "direct-tcpip", "forwarded-tcpip" or "x11" channel carries came from, as the side that
/// opened the channel tells it.
///
/// @param channel  the channel
/// @param port     receives the port; or NULL
/// @return a string of the channel's, or NULL for other kinds. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_origin(
    channel: *const ssh_channel,
    port: *mut u16,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend(channel, port, |purpose| purpose.origin.as_ref())
    })
}

// --- behind the functions -------------------------------------------------------------------------

/// Lends a string of the channel's; the table keeps the channel until it is freed.
fn lend(
    channel: *const ssh_channel,
    port: *mut u16,
    part: impl FnOnce(&Purpose) -> Option<&(CString, u16)>,
) -> Outcome<*const c_char> {
    memory::write(port, 0);
    let object = handle::get(channel)?;
    let Some((host, number)) = object.purpose.as_ref().and_then(part) else {
        return Ok(std::ptr::null());
    };
    memory::write(port, *number);
    Ok(host.as_ptr())
}
