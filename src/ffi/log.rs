//! Logging: one callback for the process, or one for a transport.

use std::ffi::{c_char, c_void};

use super::callbacks::ssh_destroy_callback;
use super::status::{ssh_status, SSH_ERR_INTERNAL};
use super::transport::ssh_transport;

/// Log level: nothing.
pub const SSH_LOG_NONE: i32 = 0;

/// Log level: what ends a connection.
pub const SSH_LOG_ERROR: i32 = 1;

/// Log level: what is odd and does not end it.
pub const SSH_LOG_WARNING: i32 = 2;

/// Log level: what a connection does, a few lines each.
pub const SSH_LOG_INFO: i32 = 3;

/// Log level: what helps to find a fault; with ssh_transport_set_hexdump() all packets.
pub const SSH_LOG_DEBUG: i32 = 4;

/// Receives one line of log. No secret and no control character of the peer's is in it.
///
/// Called on a thread of the library, or of the program inside a call, with no lock held; lines of one
/// transport come one at a time and in order. It may call any function of the library, and must not unwind
/// or longjmp.
///
/// @param level     SSH_LOG_ERROR to SSH_LOG_DEBUG
/// @param channel   the log channel's name, see ssh_transport_set_log_channel(); lives during the call
/// @param message   the line without a newline, UTF-8; lives during the call
/// @param userdata  as set
#[allow(non_camel_case_types)]
pub type ssh_log_callback = Option<
    unsafe extern "C" fn(
        level: i32,
        channel: *const c_char,
        message: *const c_char,
        userdata: *mut c_void,
    ),
>;

/// Sets where the log of all transports goes that have no log callback of their own. There is none at first.
///
/// @param callback  receives the lines, or NULL for nobody
/// @param level     the most detailed level to pass on, SSH_LOG_NONE to SSH_LOG_DEBUG
/// @param userdata  passed to the callback
/// @param destroy   ends userdata's life once it is replaced, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_set_log_callback(
    callback: ssh_log_callback,
    level: i32,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, callback, level, userdata, destroy)
}

/// Sets where the log of one transport goes.
///
/// @param transport  the transport
/// @param callback   receives the lines, or NULL to go back to the process's callback
/// @param level      the most detailed level to pass on, SSH_LOG_NONE to SSH_LOG_DEBUG
/// @param userdata   passed to the callback
/// @param destroy    ends userdata's life once it is replaced or the transport is gone, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_log_callback(
    transport: *mut ssh_transport,
    callback: ssh_log_callback,
    level: i32,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    pending!(
        SSH_ERR_INTERNAL,
        transport,
        callback,
        level,
        userdata,
        destroy
    )
}

/// Names the log channel of a transport. The name comes with every line. At first "sshwire.transport".
///
/// @param transport  the transport
/// @param name       the name, copied
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_log_channel(
    transport: *mut ssh_transport,
    name: *const c_char,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, name)
}

/// The name of the log channel.
///
/// @return a string, freed with ssh_memory_free(), or NULL when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_log_channel(
    transport: *const ssh_transport,
) -> *mut c_char {
    pending!(std::ptr::null_mut(), transport)
}

/// Logs every packet in hexadecimal at SSH_LOG_DEBUG. Messages that carry passwords or answers show their
/// number and length only.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_hexdump(
    transport: *mut ssh_transport,
    enabled: bool,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, enabled)
}

/// Whether packets are logged in hexadecimal.
///
/// @return false also when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_hexdump(transport: *const ssh_transport) -> bool {
    pending!(false, transport)
}
