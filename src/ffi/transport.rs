//! `ssh_transport`: making, starting and ending a connection.

use std::ffi::{c_char, c_void};

use super::callbacks::ssh_destroy_callback;
use super::error::ssh_error;
use super::event::ssh_event;
use super::key::ssh_key;
use super::security::ssh_security_options;
use super::server::ssh_server;
use super::status::{ssh_status, SSH_ERR_INTERNAL};

/// One SSH connection over one stream, as client or as server: it negotiates, authenticates, and carries any
/// number of channels. Every function may be called from any thread, also several at once.
#[allow(non_camel_case_types)]
pub struct ssh_transport {
    _opaque: [u8; 0],
}

/// As timeout_ms: wait as long as it takes.
pub const SSH_TIMEOUT_FOREVER: i32 = -1;

/// As timeout_ms: the timeout set on the channel with ssh_channel_set_timeout(), or on the transport with
/// ssh_transport_set_timeout(), for this kind of call.
pub const SSH_TIMEOUT_DEFAULT: i32 = -2;

/// Makes a transport over a connected stream socket. Nothing is sent before ssh_transport_start_client() or
/// ssh_transport_start_server().
///
/// @param fd     a connected stream socket, blocking or not. On success it belongs to the transport, which
///               makes it non-blocking and closes it; on failure it stays the caller's.
/// @param error  receives the detail, or NULL: SSH_ERR_INVALID_ARG when it is no connected stream socket
/// @return a transport, freed with ssh_transport_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_new(
    fd: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_transport {
    pending!(std::ptr::null_mut(), fd, error)
}

/// Makes a transport over a new TCP connection. All addresses of the host are tried, IPv6 and IPv4.
///
/// @param address     "host", "host:port", "[v6]:port" or a bare address; the port is 22 if not given
/// @param timeout_ms  milliseconds for resolving and connecting together; SSH_TIMEOUT_FOREVER leaves it to
///                    the system, SSH_TIMEOUT_DEFAULT is 30 s
/// @param error       receives the detail, or NULL: SSH_ERR_RESOLVE, SSH_ERR_IO, SSH_ERR_TIMEOUT
/// @return a transport, freed with ssh_transport_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_new_address(
    address: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_transport {
    pending!(std::ptr::null_mut(), address, timeout_ms, error)
}

/// Ends the transport: closes it if it is not closed, without waiting for the network, and frees the handle.
/// Calls that are blocked on it in other threads return with SSH_ERR_CLOSED. Channels, requests and events
/// keep what they need and are freed by their owners, before or after.
///
/// @param transport  the transport; NULL is fine
///
/// Any thread, also inside its own callbacks. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_free(transport: *mut ssh_transport) {
    pending!((), transport)
}

/// Begins the session as client: exchanges identifications and keys. The server's host key is then known
/// (ssh_transport_get_remote_server_key()) and has proven itself; whether it is the right one is decided by
/// the expected key, the SSH_REQUEST_HOST_KEY callback, ssh_transport_accept_host_key() or
/// ssh_transport_set_insecure_accept_any_host_key(). Nobody can authenticate before that.
///
/// @param transport   the transport
/// @param event       NULL to wait until it is done; otherwise the call returns at once and the event is set
///                    when it is done: then see ssh_transport_is_active() and ssh_transport_get_exception()
/// @param timeout_ms  milliseconds until it must be done; SSH_TIMEOUT_DEFAULT is the handshake timeout
/// @param error       receives the detail, or NULL: SSH_ERR_NEGOTIATION, SSH_ERR_KEX, SSH_ERR_HOSTKEY,
///                    SSH_ERR_VERSION, SSH_ERR_TIMEOUT, ...
/// @return SSH_OK or a failure; after a failure the transport is closed. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_start_client(
    transport: *mut ssh_transport,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, event, timeout_ms, error)
}

/// Begins the session as server. Authentication and channels then go through the questions of `server`
/// (ssh_server_set_callback()), and channels arrive at ssh_transport_accept().
///
/// @param transport   the transport, with at least one key (ssh_transport_add_server_key() or
///                    ssh_server_add_key())
/// @param server      the callbacks and options, kept as long as the transport needs them; NULL refuses every
///                    question
/// @param event       NULL to wait until the keys are exchanged; otherwise as for ssh_transport_start_client()
/// @param timeout_ms  milliseconds until it must be done; SSH_TIMEOUT_DEFAULT is the handshake timeout
/// @param error       receives the detail, or NULL: SSH_ERR_STATE without a key, SSH_ERR_NEGOTIATION, ...
/// @return SSH_OK or a failure; after a failure the transport is closed. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_start_server(
    transport: *mut ssh_transport,
    server: *mut ssh_server,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    pending!(
        SSH_ERR_INTERNAL,
        transport,
        server,
        event,
        timeout_ms,
        error
    )
}

/// Begins the session as client and authenticates, in one call: ssh_transport_start_client(), the check of
/// the host key, and then publickey if a private key is given, or else password, or else nothing.
///
/// @param transport          the transport
/// @param expected_host_key  the key the server must have, or NULL for what was set up before the call
/// @param username           whom to authenticate as; NULL only when neither password nor key is given
/// @param password           a C string, or NULL
/// @param private_key        a private key, or NULL
/// @param timeout_ms         milliseconds for all of it; SSH_TIMEOUT_DEFAULT gives each step its own timeout
/// @param error              receives the detail, or NULL: those of the calls named
/// @return SSH_OK, SSH_PARTIAL when the server wants more (ssh_transport_auth_methods()), or a failure. After
///         SSH_ERR_AUTH the transport lives and another ssh_transport_auth_...() may be tried.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_connect(
    transport: *mut ssh_transport,
    expected_host_key: *const ssh_key,
    username: *const c_char,
    password: *const c_char,
    private_key: *const ssh_key,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    pending!(
        SSH_ERR_INTERNAL,
        transport,
        expected_host_key,
        username,
        password,
        private_key,
        timeout_ms,
        error
    )
}

/// Closes the session: says goodbye to the peer, closes all channels and the stream. Does nothing when it is
/// closed. Waits no longer than one second for the goodbye to leave.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread, also inside callbacks. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_close(transport: *mut ssh_transport) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport)
}

/// Ends the transport's work in the background at once: like ssh_transport_close(), without the goodbye.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_stop_thread(transport: *mut ssh_transport) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport)
}

/// Wakes every call that is blocked on the transport or one of its channels now, with SSH_ERR_CANCELLED. The
/// session goes on; later calls are not touched.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread; not in signal handlers. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_cancel(transport: *mut ssh_transport) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport)
}

/// In a forked child: drops the child's copy of an inherited transport, closing its copy of the descriptor,
/// and frees the handle. The parent's session goes on undisturbed. In the process that made the transport it
/// does the same: the session ends for us without a word to the peer.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_atfork(transport: *mut ssh_transport) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport)
}

/// Waits until the transport has ended and nothing of it runs any more.
///
/// @param transport   the transport
/// @param timeout_ms  milliseconds to wait at most
/// @return SSH_OK when it has ended, SSH_AGAIN or SSH_ERR_TIMEOUT when not, SSH_ERR_WOULD_DEADLOCK inside its
///         own callback. Any other thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_join(
    transport: *mut ssh_transport,
    timeout_ms: i32,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, timeout_ms)
}

/// Whether the transport was started and has not ended.
///
/// @return false also when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_is_alive(transport: *const ssh_transport) -> bool {
    pending!(false, transport)
}

/// Whether the session is open: keys were exchanged and nothing has ended it.
///
/// @return false also when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_is_active(transport: *const ssh_transport) -> bool {
    pending!(false, transport)
}

/// Whether the session is open and authenticated.
///
/// @return false also when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_is_authenticated(transport: *const ssh_transport) -> bool {
    pending!(false, transport)
}

/// The name of the user that is authenticated, in either role.
///
/// @return a string, freed with ssh_memory_free(), or NULL when nobody is. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_username(
    transport: *const ssh_transport,
) -> *mut c_char {
    pending!(std::ptr::null_mut(), transport)
}

/// The address of the other side.
///
/// @param transport  the transport
/// @param port       receives the port, 0 when there is none; or NULL
/// @return the address as text, "unknown" when the stream has none; freed with ssh_memory_free(). NULL when
///         `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_getpeername(
    transport: *const ssh_transport,
    port: *mut u16,
) -> *mut c_char {
    pending!(std::ptr::null_mut(), transport, port)
}

/// One line about the transport for logs and debuggers: role, state, algorithms in use, channels.
///
/// @return a string, freed with ssh_memory_free(), or NULL when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_describe(transport: *const ssh_transport) -> *mut c_char {
    pending!(std::ptr::null_mut(), transport)
}

/// Hands out the last saved error and forgets it: the failure of an operation that was given an event, or
/// what ended the session.
///
/// @return an error, freed with ssh_error_free(), or NULL when none is saved. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_exception(
    transport: *mut ssh_transport,
) -> *mut ssh_error {
    pending!(std::ptr::null_mut(), transport)
}

/// What ended the session. It is kept: every call returns it anew.
///
/// @return an error, freed with ssh_error_free(), or NULL while the session has not ended.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_error(transport: *const ssh_transport) -> *mut ssh_error {
    pending!(std::ptr::null_mut(), transport)
}

/// Gives the transport a name, for logs. At first "Transport-" and a number.
///
/// @param transport  the transport
/// @param name       the name, copied
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_name(
    transport: *mut ssh_transport,
    name: *const c_char,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, name)
}

/// The name of the transport.
///
/// @return a string, freed with ssh_memory_free(), or NULL when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_name(transport: *const ssh_transport) -> *mut c_char {
    pending!(std::ptr::null_mut(), transport)
}

/// Attaches a pointer of the program's to the transport.
///
/// @param transport  the transport
/// @param userdata   the pointer
/// @param destroy    ends its life once it is replaced or the transport is gone, or NULL
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_userdata(
    transport: *mut ssh_transport,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, userdata, destroy)
}

/// The pointer attached with ssh_transport_set_userdata().
///
/// @return the pointer, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_userdata(
    transport: *const ssh_transport,
) -> *mut c_void {
    pending!(std::ptr::null_mut(), transport)
}

/// Adds a host key for the server role. One key of each kind is used; the last one added wins.
///
/// @param transport  a transport that is not started
/// @param key        a private key
/// @return SSH_OK, SSH_ERR_INVALID_ARG for a public key, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_add_server_key(
    transport: *mut ssh_transport,
    key: *const ssh_key,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, key)
}

/// In the server role: the host key that was negotiated.
///
/// @return its public half, freed with ssh_key_free(), or NULL before keys were exchanged.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_server_key(
    transport: *const ssh_transport,
) -> *mut ssh_key {
    pending!(std::ptr::null_mut(), transport)
}

/// In the client role: the host key of the server, which has proven that it holds the private half.
///
/// @param transport  the transport
/// @param error      receives the detail, or NULL: SSH_ERR_STATE before keys were exchanged
/// @return a public key, freed with ssh_key_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_remote_server_key(
    transport: *const ssh_transport,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    pending!(std::ptr::null_mut(), transport, error)
}

/// Says which host key the server must have. Another key ends the session with SSH_ERR_HOSTKEY, which shows
/// both fingerprints. Host key algorithms that do not fit the key are no longer offered.
///
/// @param transport  a transport that is not started
/// @param key        the key; NULL takes the expectation back
/// @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_expected_host_key(
    transport: *mut ssh_transport,
    key: *const ssh_key,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, key)
}

/// Accepts the host key that the server showed, after the program has checked it by its own means:
/// ssh_transport_start_client(), ssh_transport_get_remote_server_key(), the check, and then this call.
///
/// @param transport  a client transport whose keys were exchanged
/// @return SSH_OK, SSH_ERR_STATE before keys were exchanged, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_accept_host_key(
    transport: *mut ssh_transport,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport)
}

/// Accepts every host key without looking. INSECURE: whoever sits between the two sides can read and change
/// everything. For tests, and for networks that are secured otherwise.
///
/// @param transport  a transport that is not started
/// @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_insecure_accept_any_host_key(
    transport: *mut ssh_transport,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport)
}

/// The algorithms of this transport, to be read and, until it is started, changed.
///
/// @return options, freed with ssh_security_options_free(), or NULL when `transport` is none.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_security_options(
    transport: *mut ssh_transport,
) -> *mut ssh_security_options {
    pending!(std::ptr::null_mut(), transport)
}

/// Copies algorithms into the transport.
///
/// @param transport  a transport that is not started
/// @param options    the options, copied
/// @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_security_options(
    transport: *mut ssh_transport,
    options: *const ssh_security_options,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, options)
}
