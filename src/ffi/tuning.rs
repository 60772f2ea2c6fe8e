//! The knobs of a transport: timeouts, limits, rekeying, keepalive, compression.

use std::ffi::c_void;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::{set_io_threads, KeepaliveCallback, Timeout};
use crate::packet::RekeyLimits;

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::guard::{self, Failure};
use super::handle;
use super::security_object::List;
use super::status::{ssh_status, SSH_OK};
use super::time;
use super::transport::{invalid_if_misuse, ssh_transport, SSH_TIMEOUT_FOREVER};
use super::transport_object::{self, TransportObject};

/// Which timeout: from the start to the end of the first key exchange; 15,000 ms at first. Before the start only.
pub const SSH_TIMEOUT_KIND_HANDSHAKE: i32 = 1;

/// Which timeout: the peer's part in later key exchanges; 60,000 ms at first. Before the start only.
pub const SSH_TIMEOUT_KIND_REKEY: i32 = 2;

/// Which timeout: each authentication call of a client; 30,000 ms at first.
pub const SSH_TIMEOUT_KIND_AUTH: i32 = 3;

/// Which timeout: opening a channel, and requests on channels that wait for an answer; 60,000 ms at first.
pub const SSH_TIMEOUT_KIND_CHANNEL: i32 = 4;

/// Reports one round of keepalive.
///
/// Called on a thread of the library with no lock held, one at a time. It may call any function of the
/// library, and must not unwind or longjmp.
///
/// @param transport      the handle the program made; NULL once it is freed
/// @param round_trip_us  microseconds until the peer answered, or -1 when it has not
/// @param missed         how many in a row it has not answered
/// @param userdata       as set
#[allow(non_camel_case_types)]
pub type ssh_keepalive_callback = Option<
    unsafe extern "C" fn(
        transport: *mut ssh_transport,
        round_trip_us: i64,
        missed: u32,
        userdata: *mut c_void,
    ),
>;

/// Sets one of the timeouts that calls with SSH_TIMEOUT_DEFAULT and the session itself use.
///
/// @param transport   the transport
/// @param kind        SSH_TIMEOUT_KIND_HANDSHAKE, ...
/// @param timeout_ms  milliseconds, above 0; SSH_TIMEOUT_FOREVER for none
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_timeout(
    transport: *mut ssh_transport,
    kind: i32,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(transport)?;
        if timeout_ms <= 0 && timeout_ms != SSH_TIMEOUT_FOREVER {
            return Err(Failure::invalid(
                "a timeout is above 0, or SSH_TIMEOUT_FOREVER",
            ));
        }
        let limit = time::limit(time::timeout(timeout_ms, Timeout::Forever)?);
        match kind {
            SSH_TIMEOUT_KIND_HANDSHAKE => {
                object
                    .driver
                    .configure(|options| options.handshake_timeout = limit)?;
            }
            SSH_TIMEOUT_KIND_REKEY => {
                object
                    .driver
                    .configure(|options| options.kex_timeout = limit)?;
            }
            SSH_TIMEOUT_KIND_AUTH => object.auth_ms.store(timeout_ms, Ordering::Relaxed),
            SSH_TIMEOUT_KIND_CHANNEL => object.channel_ms.store(timeout_ms, Ordering::Relaxed),
            _ => return Err(Failure::invalid("an unknown kind of timeout")),
        }
        Ok(SSH_OK)
    })
}

/// Asks the peer now and then whether it is still there, and ends the session with SSH_ERR_TIMEOUT when it is
/// not. Any answer counts, also a refusal.
///
/// @param transport    the transport
/// @param interval_ms  milliseconds of silence after which to ask, and between questions; 0 turns it off
/// @param max_missed   how many unanswered questions end the session; 0 asks and never ends it
/// @param callback     hears of every answer and every missing one, or NULL
/// @param userdata     passed to the callback
/// @param destroy      ends userdata's life once it is replaced or the transport is gone, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE, or what ended the session; on failure destroy is not called.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_keepalive(
    transport: *mut ssh_transport,
    interval_ms: i32,
    max_missed: u32,
    callback: ssh_keepalive_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            let interval =
                u64::try_from(interval_ms).map_err(|_| Failure::invalid("a negative interval"))?;
            // Without a function the userdata has no use, and ends with this call.
            let userdata = Userdata::new(userdata, destroy);
            let told =
                callback.map(|function| keepalive_callback(object, function, userdata.clone()));
            let interval = Duration::from_millis(interval);
            object
                .driver
                .set_keepalive(interval, max_missed, told.clone())
                .inspect_err(|_| userdata.give_back())?;
            let before = std::mem::replace(&mut *object.keepalive.lock(), told);
            drop(before);
            Ok(SSH_OK)
        })
    })
}

/// Whether to compress: true puts zlib@openssh.com and zlib before none in the list, false leaves none alone.
///
/// @param transport  a transport that is not started
/// @param enabled    whether to compress
/// @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_use_compression(
    transport: *mut ssh_transport,
    enabled: bool,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(transport)?;
        let names = if enabled {
            "zlib@openssh.com,zlib,none"
        } else {
            "none"
        };
        object.security.lock().change(List::Compression, names)?;
        Ok(SSH_OK)
    })
}

/// Sets when new keys are negotiated, in either direction, besides what the cipher itself demands.
///
/// @param transport   a transport that is not started
/// @param bytes       after so many bytes; 0 keeps the default of 1 GiB
/// @param packets     after so many packets; 0 keeps the default of 2^31
/// @param seconds     after so many seconds; 0 keeps the default of 3600
/// @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_rekey_limits(
    transport: *mut ssh_transport,
    bytes: u64,
    packets: u64,
    seconds: u32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(transport)?;
        let mut limits = RekeyLimits::default();
        if bytes > 0 {
            limits.bytes = bytes;
        }
        if packets > 0 {
            limits.packets = packets;
        }
        if seconds > 0 {
            limits.time = Duration::from_secs(u64::from(seconds));
        }
        object.driver.set_rekey_limits(limits)?;
        Ok(SSH_OK)
    })
}

/// Sets how far the receive window of one channel may grow, which bounds the memory of a channel that is not
/// read.
///
/// @param transport  a transport that is not started
/// @param bytes      at least 32,768; 64 MiB at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_window_cap(
    transport: *mut ssh_transport,
    bytes: u32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(transport)?;
        if bytes < MIN_WINDOW {
            return Err(Failure::invalid("a window has at least 32768 bytes"));
        }
        object.driver.configure(|options| {
            options.connection.window_max = bytes;
            options.connection.window_initial = options.connection.window_initial.min(bytes);
        })?;
        Ok(SSH_OK)
    })
}

/// Sets how many channels may be open at once.
///
/// @param transport  a transport that is not started
/// @param channels   at least 1; 1,000 at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_channel_limit(
    transport: *mut ssh_transport,
    channels: u32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(transport)?;
        let most = usize::try_from(channels).unwrap_or(usize::MAX);
        if most == 0 {
            return Err(Failure::invalid("at least one channel"));
        }
        object
            .driver
            .configure(|options| options.connection.max_channels = most)?;
        Ok(SSH_OK)
    })
}

/// Refuses peers that do not know strict key exchange, the remedy against CVE-2023-48795 (Terrapin). Without
/// this it is used with every peer that knows it.
///
/// @param transport  a transport that is not started
/// @param required   whether to refuse
/// @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_require_strict_kex(
    transport: *mut ssh_transport,
    required: bool,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(transport)?;
        object
            .driver
            .configure(|options| options.require_strict_kex = required)?;
        Ok(SSH_OK)
    })
}

/// Sets how many threads wait on the sockets of all transports of the process. Without it there is one for
/// each core, at most 4.
///
/// @param threads  1 to 64
/// @return SSH_OK, SSH_ERR_INVALID_ARG. Without effect once the first transport was started. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_set_io_threads(threads: u32) -> ssh_status {
    guard::status(|| {
        let threads = usize::try_from(threads).unwrap_or(usize::MAX);
        set_io_threads(threads).map_err(invalid_if_misuse)?;
        Ok(SSH_OK)
    })
}

// --- behind the functions -------------------------------------------------------------------------

const MIN_WINDOW: u32 = 32_768;

fn keepalive_callback(
    object: &Arc<TransportObject>,
    function: unsafe extern "C" fn(*mut ssh_transport, i64, u32, *mut c_void),
    userdata: Userdata,
) -> KeepaliveCallback {
    let transport = Arc::downgrade(object);
    Arc::new(move |round_trip, missed| {
        let handle = transport
            .upgrade()
            .map_or(std::ptr::null_mut(), |transport| transport.handle());
        let micros = round_trip.map_or(-1, |time| {
            i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
        });
        // SAFETY: the program says that the function may be called with this userdata from any thread
        // until destroy is called, which the closure prevents.
        unsafe { function(handle, micros, missed, userdata.pointer()) }
    })
}
