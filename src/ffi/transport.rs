//! `ssh_transport`: making, starting and ending a connection.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::auth::ClientMethod;
use crate::driver::{Event, Timeout, Transport};
use crate::error::Error;
use crate::messages::Role;

use super::auth;
use super::callbacks::{ssh_destroy_callback, Userdata};
use super::error::{self as error_handle, ssh_error};
use super::event::{self, ssh_event};
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::key::{self, ssh_key};
use super::memory;
use super::security::{self, ssh_security_options};
use super::server::ssh_server;
use super::server_object::ServerSettings;
use super::status::{ssh_status, SSH_ERR_TIMEOUT, SSH_OK};
use super::time;
use super::transport_object::{self, TransportObject};

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
/// @param error  receives the detail, or NULL: SSH_ERR_IO when the system refuses it, SSH_ERR_INVALID_ARG when it is
///               no connected stream socket
/// @return a transport, freed with ssh_transport_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_new(
    fd: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_transport {
    guard::value_with(std::ptr::null_mut(), error, || {
        let driver = Transport::from_socket(fd).map_err(invalid_if_misuse)?;
        TransportObject::new_handle(driver)
    })
}

/// Makes a transport over a new TCP connection. All addresses of the host are tried, IPv6 and IPv4.
///
/// @param address     "host", "host:port", `[v6]:port` or a bare address; the port is 22 if not given
/// @param timeout_ms  milliseconds for resolving and connecting together; SSH_TIMEOUT_FOREVER leaves it to
///                    the system, SSH_TIMEOUT_DEFAULT is 30 s
/// @param error       receives the detail, or NULL: SSH_ERR_RESOLVE, SSH_ERR_IO, SSH_ERR_TIMEOUT, SSH_ERR_INVALID_ARG
/// @return a transport, freed with ssh_transport_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_new_address(
    address: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_transport {
    guard::value_with(std::ptr::null_mut(), error, || {
        let address = memory::text(address, "the address")?;
        let timeout = time::timeout(timeout_ms, Timeout::from_ms(DEFAULT_CONNECT_MS))?;
        let driver = Transport::from_address(address, timeout).map_err(invalid_if_misuse)?;
        TransportObject::new_handle_to(driver, Some(address))
    })
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
    guard::value((), || {
        handle::take(transport)?.freed();
        Ok(())
    })
}

/// Begins the session as client: exchanges identifications and keys. The server's host key is then known
/// (ssh_transport_get_remote_server_key()) and has proven itself; whether it is the right one is decided by
/// the expected key, the known hosts (ssh_transport_set_known_hosts()), the SSH_REQUEST_HOST_KEY callback,
/// ssh_transport_accept_host_key() or ssh_transport_set_insecure_accept_any_host_key(). Nobody can authenticate before that.
///
/// An OpenSSH, Dropbear or libsshwire server that this process has been connected to over TCP before is told everything at once, if it
/// preferred what the client does, which saves a round trip (RFC 4253 section 7).
///
/// @param transport   the transport
/// @param event       NULL to wait until it is done; otherwise the call returns at once and the event is set
///                    when it is done: then see ssh_transport_is_active() and ssh_transport_get_exception()
/// @param timeout_ms  milliseconds until it must be done; SSH_TIMEOUT_DEFAULT is the handshake timeout
/// @param error       receives the detail, or NULL: SSH_ERR_NEGOTIATION, SSH_ERR_KEX, SSH_ERR_HOSTKEY,
///                    SSH_ERR_VERSION, SSH_ERR_TIMEOUT, ...
/// @return SSH_OK or a failure; the transport is closed after a failure other than SSH_ERR_CANCELLED and
///         SSH_ERR_STATE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_start_client(
    transport: *mut ssh_transport,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let event = event::optional(event)?;
            start(object, Role::Client, event.as_ref(), timeout_ms)
        })
    })
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
/// @return SSH_OK or a failure; the transport is closed after a failure other than SSH_ERR_CANCELLED and
///         SSH_ERR_STATE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_start_server(
    transport: *mut ssh_transport,
    server: *mut ssh_server,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let event = event::optional(event)?;
            let settings = match handle::get_optional(server)? {
                Some(server) => server.settings.lock().clone(),
                None => ServerSettings::default(),
            };
            if object.security.lock().is_untouched() {
                object.security.lock().replace(&settings.security)?;
            }
            let own = object.callbacks.lock().clone();
            object
                .driver
                .configure(|options| settings.apply(&own, options))?;
            for (name, call) in &settings.subsystems {
                object
                    .driver
                    .set_subsystem(name, Some(call.clone().bind(object)), false);
            }
            if settings.callbacks.pull {
                object.driver.set_pull(true);
            }
            let before =
                std::mem::replace(&mut *object.server_callbacks.lock(), settings.callbacks);
            drop(before);
            start(object, Role::Server, event.as_ref(), timeout_ms)
        })
    })
}

/// Begins the session as client and authenticates, in one call: ssh_transport_start_client(), the check of
/// the host key, and then publickey if a private key is given, or else password, or else nothing.
///
/// @param transport          the transport
/// @param expected_host_key  the key the server must have, or NULL for what was set up before the call
/// @param username           whom to authenticate as; NULL only when neither password nor key is given
/// @param password           a C string of any bytes, or NULL; one with a NUL in it goes with
///                           ssh_transport_auth_password()
/// @param private_key        a private key, or NULL
/// @param timeout_ms         milliseconds for all of it; SSH_TIMEOUT_DEFAULT gives each step its own timeout
/// @param error              receives the detail, or NULL: those of the calls named
/// @return SSH_OK, which without password and key says only that the host key is good, and nobody is logged in yet;
///         SSH_PARTIAL when the server wants more (ssh_transport_auth_methods()); or a failure. After
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
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let expected = handle::get_optional(expected_host_key)?;
            let username = memory::optional_text(username)?;
            let password = memory::optional_c_bytes(password);
            let private_key = match private_key.is_null() {
                true => None,
                false => Some(key::private_key(private_key)?),
            };
            let wants_auth = password.is_some() || private_key.is_some();
            if wants_auth && username.is_none() {
                return Err(Failure::invalid("the user name is NULL"));
            }
            let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
            if let Some(expected) = expected {
                let key = expected.public().clone();
                object
                    .driver
                    .configure(|options| options.expected_host_key = Some(key))?;
            }
            let started_at = Instant::now();
            start(object, Role::Client, None, timeout_ms)?;
            let method = match (private_key, password) {
                (Some(key), _) => ClientMethod::PublicKey {
                    key: key.into(),
                    probe: false,
                },
                (None, Some(password)) => ClientMethod::Password {
                    password: Zeroizing::new(password.to_vec()),
                    fallback: true,
                },
                (None, None) => return Ok(SSH_OK),
            };
            let left = match (timeout, timeout_ms) {
                (_, SSH_TIMEOUT_DEFAULT) => auth::Patience::Default,
                (Timeout::Forever, _) => auth::Patience::Limit(Duration::MAX),
                (Timeout::After(time), _) => {
                    auth::Patience::Limit(time.saturating_sub(started_at.elapsed()))
                }
            };
            auth::authenticate(object, username.unwrap_or_default(), method, None, left)
        })
    })
}

/// Closes the session: says goodbye to the peer, closes all channels and the stream. Does nothing when it is
/// closed. Waits no longer than one second for the goodbye to leave.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread, also inside callbacks. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_close(transport: *mut ssh_transport) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            object.driver.close();
            Ok(SSH_OK)
        })
    })
}

/// Ends the transport's work in the background: like ssh_transport_close(), but does not wait for the goodbye to
/// leave.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_stop_thread(transport: *mut ssh_transport) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            object.driver.release();
            Ok(SSH_OK)
        })
    })
}

/// Wakes every call that is blocked on the transport or one of its channels now, with SSH_ERR_CANCELLED. The
/// session goes on; later calls are not touched.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread; not in signal handlers. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_cancel(transport: *mut ssh_transport) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            object.driver.cancel();
            Ok(SSH_OK)
        })
    })
}

/// Drops this process's copy of a transport after a fork(), and frees the handle: closes its copy of the
/// descriptor, without a word to the peer. The other process's session goes on undisturbed. Usually the child
/// calls it for the transports it has inherited; the parent may, to leave a transport to the child that has
/// not been started. In a child, destroy functions are not called.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_atfork(transport: *mut ssh_transport) -> ssh_status {
    guard::status(|| {
        if handle::is_inherited(transport)? {
            let object = handle::take_inherited(transport)?;
            object.driver.forget_in_child();
            // Everything else in it may be locked by a thread that only the parent has, and the program's
            // destroy functions belong to the parent's copy.
            std::mem::forget(object);
        } else {
            let object = handle::take(transport)?;
            object.driver.abandon();
            object.freed();
        }
        Ok(SSH_OK)
    })
}

/// Waits until the transport has ended and its descriptor is closed.
///
/// @param transport   the transport
/// @param timeout_ms  milliseconds to wait at most; SSH_TIMEOUT_DEFAULT is SSH_TIMEOUT_FOREVER
/// @return SSH_OK when it has ended, SSH_AGAIN when timeout_ms is 0 and it has not, SSH_ERR_TIMEOUT,
///         SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_join(
    transport: *mut ssh_transport,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
            time::status_or_again(timeout, object.driver.join(timeout), time::ok)
        })
    })
}

/// Whether a thread of the library takes care of the transport: from the start until its descriptor is closed.
///
/// @return false also when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_is_alive(transport: *const ssh_transport) -> bool {
    guard::value(false, || Ok(handle::get(transport)?.driver.is_alive()))
}

/// Whether the session is open: it was started and nothing has ended it.
///
/// @return false also when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_is_active(transport: *const ssh_transport) -> bool {
    guard::value(false, || Ok(handle::get(transport)?.driver.is_active()))
}

/// Whether the session is open and authenticated.
///
/// @return false also when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_is_authenticated(transport: *const ssh_transport) -> bool {
    guard::value(false, || {
        Ok(handle::get(transport)?.driver.is_authenticated())
    })
}

/// The name of the user that is authenticated, in either role.
///
/// @return a string, freed with ssh_memory_free(), or NULL when nobody is. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_username(
    transport: *const ssh_transport,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        optional_out(handle::get(transport)?.driver.username())
    })
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
    guard::value(std::ptr::null_mut(), || {
        memory::write(port, 0);
        let peer = handle::get(transport)?.driver.peer_address();
        let (host, number) = peer.unwrap_or_else(|| (String::from("unknown"), 0));
        let out = memory::string_out(&host)?;
        memory::write(port, number);
        Ok(out)
    })
}

/// One line about the transport for logs and debuggers: role, state, algorithms in use, channels.
///
/// @return a string, freed with ssh_memory_free(), or NULL when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_describe(transport: *const ssh_transport) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        memory::string_out(&handle::get(transport)?.driver.describe())
    })
}

/// Hands out the last saved error and forgets it: the failure of an operation that was given an event, or
/// what ended the session.
///
/// @return an error, freed with ssh_error_free(), or NULL when none is saved. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_exception(
    transport: *mut ssh_transport,
) -> *mut ssh_error {
    guard::value(std::ptr::null_mut(), || {
        error_out(handle::get(transport)?.driver.take_exception())
    })
}

/// What ended the session. It is kept: every call returns it anew.
///
/// @return an error, freed with ssh_error_free(), or NULL while the session has not ended.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_error(transport: *const ssh_transport) -> *mut ssh_error {
    guard::value(std::ptr::null_mut(), || {
        error_out(handle::get(transport)?.driver.cause())
    })
}

/// Gives the transport a name, for logs. At first "ssh-transport-" and a number.
///
/// @param transport  the transport
/// @param name       the name, copied
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_name(
    transport: *mut ssh_transport,
    name: *const c_char,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(transport)?;
        object.driver.set_name(memory::text(name, "the name")?);
        Ok(SSH_OK)
    })
}

/// The name of the transport.
///
/// @return a string, freed with ssh_memory_free(), or NULL when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_name(transport: *const ssh_transport) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        memory::string_out(&handle::get(transport)?.driver.name())
    })
}

/// Attaches a pointer of the program's to the transport.
///
/// @param transport  the transport
/// @param userdata   the pointer
/// @param destroy    ends its life once it is replaced or the transport is gone, or NULL
/// @return SSH_OK, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_userdata(
    transport: *mut ssh_transport,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(transport)?;
        let new = Some(Userdata::new(userdata, destroy));
        let before = std::mem::replace(&mut *object.userdata.lock(), new);
        drop(before);
        Ok(SSH_OK)
    })
}

/// The pointer attached with ssh_transport_set_userdata().
///
/// @return the pointer, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_userdata(
    transport: *const ssh_transport,
) -> *mut c_void {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(transport)?;
        let userdata = object.userdata.lock();
        Ok(userdata
            .as_ref()
            .map_or(std::ptr::null_mut(), Userdata::pointer))
    })
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
    guard::status(|| {
        let object = handle::get(transport)?;
        object.driver.add_server_key(key::private_key(key)?)?;
        Ok(SSH_OK)
    })
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
    guard::value(std::ptr::null_mut(), || {
        match handle::get(transport)?.driver.local_host_key() {
            Some(key) => key::new_public(key, String::new()),
            None => Ok(std::ptr::null_mut()),
        }
    })
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
    guard::value_with(std::ptr::null_mut(), error, || {
        match handle::get(transport)?.driver.remote_host_key() {
            Some(key) => key::new_public(key, String::new()),
            None => Err(Failure::state("no keys were exchanged yet")),
        }
    })
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
    guard::status(|| {
        let object = handle::get(transport)?;
        let key = handle::get_optional(key)?.map(|key| key.public().clone());
        object
            .driver
            .configure(|options| options.expected_host_key = key)?;
        Ok(SSH_OK)
    })
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
    guard::status(|| {
        let object = handle::get(transport)?;
        if object.driver.remote_host_key().is_none() {
            return Err(Failure::state("no keys were exchanged yet"));
        }
        object.driver.accept_host_key()?;
        Ok(SSH_OK)
    })
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
    guard::status(|| {
        let object = handle::get(transport)?;
        object
            .driver
            .configure(|options| options.insecure_accept_any_host_key = true)?;
        Ok(SSH_OK)
    })
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
    guard::value(std::ptr::null_mut(), || {
        security::new_handle(Arc::clone(&handle::get(transport)?.security))
    })
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
    guard::status(|| {
        let object = handle::get(transport)?;
        let edits = handle::get(options)?.edits.lock().clone();
        object.security.lock().replace(&edits)?;
        Ok(SSH_OK)
    })
}

// --- behind the functions -------------------------------------------------------------------------

pub(crate) const DEFAULT_CONNECT_MS: i32 = 30_000;

/// Where the driver's complaint is about an argument and not about a state.
pub(crate) fn invalid_if_misuse(error: Error) -> Failure {
    match error {
        Error::ApiMisuse(what) => Failure::invalid(what),
        other => other.into(),
    }
}

fn start(
    object: &Arc<TransportObject>,
    role: Role,
    event: Option<&Event>,
    timeout_ms: i32,
) -> Outcome<ssh_status> {
    object.prepare(role, timeout_ms)?;
    let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
    let outcome = match role {
        Role::Client => object.driver.start_client(event, timeout),
        Role::Server => object.driver.start_server(event, timeout),
    };
    let outcome = outcome.map_err(Failure::from);
    if matches!(&outcome, Err(failure) if failure.status == SSH_ERR_TIMEOUT) {
        // Half a handshake is of no use to anybody.
        object.driver.give_up();
    }
    outcome.map(|()| SSH_OK)
}

fn optional_out(text: Option<String>) -> Outcome<*mut c_char> {
    match text {
        Some(text) => memory::string_out(&text),
        None => Ok(std::ptr::null_mut()),
    }
}

fn error_out(error: Option<Error>) -> Outcome<*mut ssh_error> {
    match error {
        Some(error) => error_handle::make(error.into()),
        None => Ok(std::ptr::null_mut()),
    }
}
