//! The knobs of a transport: timeouts, limits, rekeying, keepalive, compression.

use std::ffi::c_void;

use super::callbacks::ssh_destroy_callback;
use super::status::{ssh_status, SSH_ERR_INTERNAL};
use super::transport::ssh_transport;

/// Which timeout: until the peer's identification has come; 15,000 ms at first.
pub const SSH_TIMEOUT_KIND_BANNER: i32 = 1;

/// Which timeout: from the peer's identification to the end of the first key exchange; 15,000 ms at first.
pub const SSH_TIMEOUT_KIND_HANDSHAKE: i32 = 2;

/// Which timeout: each authentication call of a client; 30,000 ms at first.
pub const SSH_TIMEOUT_KIND_AUTH: i32 = 3;

/// Which timeout: opening a channel, and requests on channels that wait for an answer; 60,000 ms at first.
pub const SSH_TIMEOUT_KIND_CHANNEL: i32 = 4;

/// Reports one round of keepalive.
///
/// Called on a thread of the library with no lock held, one at a time. It may call any function of the
/// library, and must not unwind or longjmp.
///
/// @param transport      the transport; lives during the call, do not free it here for the library
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
/// @param kind        SSH_TIMEOUT_KIND_BANNER, ...
/// @param timeout_ms  milliseconds, above 0; SSH_TIMEOUT_FOREVER for none
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_timeout(
    transport: *mut ssh_transport,
    kind: i32,
    timeout_ms: i32,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, kind, timeout_ms)
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
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_keepalive(
    transport: *mut ssh_transport,
    interval_ms: i32,
    max_missed: u32,
    callback: ssh_keepalive_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    pending!(
        SSH_ERR_INTERNAL,
        transport,
        interval_ms,
        max_missed,
        callback,
        userdata,
        destroy
    )
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
    pending!(SSH_ERR_INTERNAL, transport, enabled)
}

/// Sets when new keys are negotiated, in either direction, besides what the cipher itself demands.
///
/// @param transport   the transport
/// @param bytes       after so many bytes; 0 keeps the default of 1 GiB
/// @param packets     after so many packets; 0 keeps the default of 2^31
/// @param seconds     after so many seconds; 0 keeps the default of 3600
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_rekey_limits(
    transport: *mut ssh_transport,
    bytes: u64,
    packets: u64,
    seconds: u32,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, bytes, packets, seconds)
}

/// Sets how far the receive window of one channel may grow, which bounds the memory of a channel that is not
/// read.
///
/// @param transport  the transport
/// @param bytes      at least 32,768; 64 MiB at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_window_cap(
    transport: *mut ssh_transport,
    bytes: u32,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, bytes)
}

/// Sets how many channels may be open at once.
///
/// @param transport  the transport
/// @param channels   at least 1; 1,000 at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_channel_limit(
    transport: *mut ssh_transport,
    channels: u32,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, channels)
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
    pending!(SSH_ERR_INTERNAL, transport, required)
}

/// Sets how many threads wait on the sockets of all transports of the process. Without it there is one for
/// each core, at most 4.
///
/// @param threads  1 to 64
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE once the first transport was made. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_set_io_threads(threads: u32) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, threads)
}
