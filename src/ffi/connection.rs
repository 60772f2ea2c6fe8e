//! What a transport does once the session is open: channels, global requests, new keys.

use std::ffi::{c_char, c_void};

use super::channel::ssh_channel;
use super::error::ssh_error;
use super::event::ssh_event;
use super::status::{ssh_status, SSH_ERR_INTERNAL};
use super::transport::ssh_transport;

/// Opens a session channel, to run a command, a shell or a subsystem.
///
/// @param transport   a client transport that is authenticated
/// @param timeout_ms  milliseconds until it must be open; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_TIMEOUT, what ended the session
/// @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_open_session(
    transport: *mut ssh_transport,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    pending!(std::ptr::null_mut(), transport, timeout_ms, error)
}

/// Opens a channel of any kind.
///
/// @param transport    a transport that is authenticated
/// @param kind         "session", "direct-tcpip", "forwarded-tcpip", "x11", or a name of your own
/// @param destination  for direct-tcpip the host to connect to, for forwarded-tcpip the address listened on;
///                     else NULL
/// @param destination_port  its port
/// @param source       for direct-tcpip, forwarded-tcpip and x11 where the connection comes from; else NULL
/// @param source_port  its port
/// @param timeout_ms   milliseconds until it must be open; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error        receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_INVALID_ARG when the kind wants
///                     addresses that are missing, SSH_ERR_TIMEOUT, what ended the session
/// @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_open_channel(
    transport: *mut ssh_transport,
    kind: *const c_char,
    destination: *const c_char,
    destination_port: u16,
    source: *const c_char,
    source_port: u16,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    pending!(
        std::ptr::null_mut(),
        transport,
        kind,
        destination,
        destination_port,
        source,
        source_port,
        timeout_ms,
        error
    )
}

/// Takes the next channel that the peer has opened, in the order of opening. Which ones may open is decided by
/// SSH_REQUEST_CHANNEL_OPEN.
///
/// @param transport   the transport
/// @param timeout_ms  milliseconds to wait at most; 0 looks and does not wait
/// @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, what ended the session;
///                    set to NULL when timeout_ms is 0 and there is no channel
/// @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_accept(
    transport: *mut ssh_transport,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    pending!(std::ptr::null_mut(), transport, timeout_ms, error)
}

/// Sends a global request (RFC 4254 section 4). Any number may be under way; each caller gets its own reply.
///
/// @param transport     a transport that is authenticated
/// @param name          the request's name
/// @param data          what follows `want reply` in the message, or NULL
/// @param length        how many bytes
/// @param want_reply    whether to ask for a reply and wait for it
/// @param timeout_ms    milliseconds to wait for the reply; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param reply         receives the data in the reply, freed with ssh_memory_free(); or NULL
/// @param reply_length  receives how many bytes; or NULL
/// @param error         receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_global_request(
    transport: *mut ssh_transport,
    name: *const c_char,
    data: *const c_void,
    length: usize,
    want_reply: bool,
    timeout_ms: i32,
    reply: *mut *mut c_void,
    reply_length: *mut usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    pending!(
        SSH_ERR_INTERNAL,
        transport,
        name,
        data,
        length,
        want_reply,
        timeout_ms,
        reply,
        reply_length,
        error
    )
}

/// Sends a packet that the peer ignores, to hide the pattern of the traffic.
///
/// @param transport  a transport that is active
/// @param length     how many random bytes, at most 32,768; 0 for a random number of them
/// @return SSH_OK, SSH_ERR_INVALID_ARG, or what ended the session. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_send_ignore(
    transport: *mut ssh_transport,
    length: usize,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, length)
}

/// Negotiates new keys now. Data in both directions go on before and after.
///
/// @param transport   a transport that is active
/// @param event       NULL to wait until both directions use the new keys; otherwise the call returns at once
///                    and the event is set then
/// @param timeout_ms  milliseconds to wait; SSH_TIMEOUT_DEFAULT is the handshake timeout
/// @param error       receives the detail, or NULL
/// @return SSH_OK or a failure, which is also the end of the session unless it is SSH_ERR_TIMEOUT or
///         SSH_ERR_CANCELLED. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_renegotiate_keys(
    transport: *mut ssh_transport,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, event, timeout_ms, error)
}
