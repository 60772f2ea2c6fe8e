//! Logging: one callback for the process, or one for a transport.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::driver::{LogLevel, LogSink, PROCESS_LOG};

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::status::{ssh_status, SSH_OK};
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
/// Called on a thread of the library with no lock held; lines of one transport come one at a time and in order,
/// except for the dumps of packets. It may call any function of the library, and must not unwind
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
/// @return SSH_OK, SSH_ERR_INVALID_ARG, and then destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_set_log_callback(
    callback: ssh_log_callback,
    level: i32,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let (level, sink) = sink(callback, level, userdata, destroy)?;
        PROCESS_LOG.set(level, sink);
        Ok(SSH_OK)
    })
}

/// Sets where the log of one transport goes.
///
/// @param transport  the transport
/// @param callback   receives the lines, or NULL to go back to the process's callback
/// @param level      the most detailed level to pass on, SSH_LOG_NONE to SSH_LOG_DEBUG
/// @param userdata   passed to the callback
/// @param destroy    ends userdata's life once it is replaced or the transport is gone, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_log_callback(
    transport: *mut ssh_transport,
    callback: ssh_log_callback,
    level: i32,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(transport)?;
        let (level, sink) = sink(callback, level, userdata, destroy)?;
        object.driver.set_log(level, sink);
        Ok(SSH_OK)
    })
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
    guard::status(|| {
        let object = handle::get(transport)?;
        object
            .driver
            .set_log_channel(memory::text(name, "the name")?);
        Ok(SSH_OK)
    })
}

/// The name of the log channel.
///
/// @return a string, freed with ssh_memory_free(), or NULL when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_log_channel(
    transport: *const ssh_transport,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        memory::string_out(&handle::get(transport)?.driver.log_channel())
    })
}

/// Logs every packet in hexadecimal at SSH_LOG_DEBUG. Messages that carry passwords or answers show their
/// number and length only.
///
/// @param transport  the transport
/// @param enabled    whether packets are logged
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_hexdump(
    transport: *mut ssh_transport,
    enabled: bool,
) -> ssh_status {
    guard::status(|| {
        handle::get(transport)?.driver.set_hexdump(enabled);
        Ok(SSH_OK)
    })
}

/// Whether packets are logged in hexadecimal.
///
/// @return false also when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_hexdump(transport: *const ssh_transport) -> bool {
    guard::value(false, || Ok(handle::get(transport)?.driver.hexdump()))
}

// --- behind the functions -------------------------------------------------------------------------

/// The driver's form of a log callback. SSH_LOG_NONE is the same as no callback.
pub(crate) fn sink(
    callback: ssh_log_callback,
    level: i32,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> Outcome<(LogLevel, Option<LogSink>)> {
    let driver_level = match level {
        SSH_LOG_NONE | SSH_LOG_ERROR => LogLevel::Error,
        SSH_LOG_WARNING => LogLevel::Warning,
        SSH_LOG_INFO => LogLevel::Info,
        SSH_LOG_DEBUG => LogLevel::Debug,
        _ => return Err(Failure::invalid("an unknown log level")),
    };
    let userdata = Userdata::new(userdata, destroy);
    let Some(function) = callback.filter(|_| level != SSH_LOG_NONE) else {
        return Ok((driver_level, None));
    };
    let sink: LogSink = Arc::new(move |level, channel, message| {
        let level = match level {
            LogLevel::Error => SSH_LOG_ERROR,
            LogLevel::Warning => SSH_LOG_WARNING,
            LogLevel::Info => SSH_LOG_INFO,
            LogLevel::Debug => SSH_LOG_DEBUG,
        };
        let (channel, message) = (memory::c_string(channel), memory::c_string(message));
        // SAFETY: the program says that the function may be called with this userdata from any thread
        // until destroy is called, which the closure prevents; both strings live during the call.
        unsafe {
            function(
                level,
                channel.as_ptr(),
                message.as_ptr(),
                userdata.pointer(),
            )
        }
    });
    Ok((driver_level, Some(sink)))
}
