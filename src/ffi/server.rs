//! `ssh_server`: what a server answers and offers, shared by its transports.

use std::ffi::{c_char, c_void};

use super::callbacks::ssh_destroy_callback;
use super::key::ssh_key;
use super::request::ssh_request_callback;
use super::security::ssh_security_options;
use super::status::{ssh_status, SSH_ERR_INTERNAL};

/// The callbacks and options of a server. One may serve any number of transports
/// (ssh_transport_start_server()); each takes the options as they are when it starts, and asks the callbacks
/// as they are when it asks. Everything that has no callback is refused.
#[allow(non_camel_case_types)]
pub struct ssh_server {
    _opaque: [u8; 0],
}

/// Makes a server that refuses everything.
///
/// @return a server, freed with ssh_server_free(), or NULL when memory is short. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_server_new() -> *mut ssh_server {
    pending!(std::ptr::null_mut())
}

/// Frees the handle. Transports that were started with the server keep what they need of it.
///
/// @param server  the server; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_free(server: *mut ssh_server) {
    pending!((), server)
}

/// Sets who receives the questions of one kind, for all transports of the server. A callback set on the
/// transport itself goes first.
///
/// @param server    the server
/// @param kind      SSH_REQUEST_AUTH_PASSWORD, ...; SSH_REQUEST_ANY for every kind without a callback of its own
/// @param callback  receives the requests, or NULL: then they are refused
/// @param userdata  passed to the callback, from the threads of all its transports, also at once
/// @param destroy   ends userdata's life once it is replaced or the server and its transports are gone, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_callback(
    server: *mut ssh_server,
    kind: i32,
    callback: ssh_request_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, server, kind, callback, userdata, destroy)
}

/// Has the questions of one kind wait for ssh_transport_next_request(), instead of a callback.
///
/// @param server  the server
/// @param kind    SSH_REQUEST_AUTH_PASSWORD, ...; SSH_REQUEST_ANY for every kind without a callback of its own
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_pull_requests(
    server: *mut ssh_server,
    kind: i32,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, server, kind)
}

/// Adds a host key for every transport started from now on. One key of each kind is used; the last added wins.
///
/// @param server  the server
/// @param key     a private key
/// @return SSH_OK, SSH_ERR_INVALID_ARG for a public key, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_add_key(
    server: *mut ssh_server,
    key: *const ssh_key,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, server, key)
}

/// Sets the methods that clients are told they may try. Without this, those whose kinds have a callback:
/// "publickey", "password", "keyboard-interactive".
///
/// @param server   the server
/// @param methods  names separated by commas, or NULL to go back to that
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_auth_methods(
    server: *mut ssh_server,
    methods: *const c_char,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, server, methods)
}

/// Sets a text that is shown to users before they authenticate.
///
/// @param server  the server
/// @param text    the text with its newlines, or NULL for none
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_banner(
    server: *mut ssh_server,
    text: *const c_char,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, server, text)
}

/// Sets how much a client may try before it is disconnected.
///
/// @param server          the server
/// @param max_failures    failed attempts, 1 to 100; 6 at first
/// @param login_grace_ms  milliseconds from the start until the user is in; 120,000 at first, 0 for no limit
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_auth_limits(
    server: *mut ssh_server,
    max_failures: u32,
    login_grace_ms: u32,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, server, max_failures, login_grace_ms)
}

/// Copies algorithms into the server, for transports started from now on whose own options were not touched.
///
/// @param server   the server
/// @param options  the options, copied
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_security_options(
    server: *mut ssh_server,
    options: *const ssh_security_options,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, server, options)
}
