//! Authentication of a client.

use std::ffi::c_char;

use super::error::ssh_error;
use super::event::ssh_event;
use super::key::ssh_key;
use super::status::{ssh_status, SSH_ERR_INTERNAL};
use super::transport::ssh_transport;

/// Authenticates with no credentials. Servers that want some refuse, and say which methods they allow: the
/// usual way to find out.
///
/// @param transport   a client transport that was started
/// @param username    whom to authenticate as
/// @param event       NULL to wait for the outcome; otherwise the call returns SSH_OK at once and the event is
///                    set when there is an outcome: ssh_transport_auth_status()
/// @param timeout_ms  milliseconds until the outcome; SSH_TIMEOUT_DEFAULT is the auth timeout
/// @param error       receives the detail, or NULL
/// @return SSH_OK when authenticated, SSH_PARTIAL, SSH_ERR_AUTH with the methods allowed, SSH_ERR_HOSTKEY when
///         nobody has accepted the host key, or another failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_auth_none(
    transport: *mut ssh_transport,
    username: *const c_char,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    pending!(
        SSH_ERR_INTERNAL,
        transport,
        username,
        event,
        timeout_ms,
        error
    )
}

/// Authenticates with a password.
///
/// @param transport        a client transport that was started
/// @param username         whom to authenticate as
/// @param password         the password, UTF-8 by the standard, but any bytes are sent as they are
/// @param password_length  its length in bytes
/// @param fallback         whether to answer a single hidden prompt with the password when the server allows
///                         keyboard-interactive and not password
/// @param event            NULL to wait, as for ssh_transport_auth_none()
/// @param timeout_ms       milliseconds until the outcome; SSH_TIMEOUT_DEFAULT is the auth timeout
/// @param error            receives the detail, or NULL
/// @return SSH_OK when authenticated, SSH_PARTIAL when more is wanted, SSH_ERR_AUTH with the methods allowed,
///         SSH_ERR_HOSTKEY when nobody has accepted the host key, or another failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_auth_password(
    transport: *mut ssh_transport,
    username: *const c_char,
    password: *const c_char,
    password_length: usize,
    fallback: bool,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    pending!(
        SSH_ERR_INTERNAL,
        transport,
        username,
        password,
        password_length,
        fallback,
        event,
        timeout_ms,
        error
    )
}

/// Authenticates with a private key.
///
/// @param transport   a client transport that was started
/// @param username    whom to authenticate as
/// @param key         a private key
/// @param event       NULL to wait, as for ssh_transport_auth_none()
/// @param timeout_ms  milliseconds until the outcome; SSH_TIMEOUT_DEFAULT is the auth timeout
/// @param error       receives the detail, or NULL
/// @return SSH_OK when authenticated, SSH_PARTIAL when more is wanted, SSH_ERR_AUTH with the methods allowed,
///         SSH_ERR_HOSTKEY when nobody has accepted the host key, or another failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_auth_publickey(
    transport: *mut ssh_transport,
    username: *const c_char,
    key: *const ssh_key,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    pending!(
        SSH_ERR_INTERNAL,
        transport,
        username,
        key,
        event,
        timeout_ms,
        error
    )
}

/// Authenticates by answering the server's prompts (keyboard-interactive, RFC 4256). The prompts come as
/// requests of kind SSH_REQUEST_PROMPTS, any number of rounds, to the callback set for them or to
/// ssh_transport_next_request().
///
/// @param transport   a client transport that was started
/// @param username    whom to authenticate as
/// @param submethods  hints for the server separated by commas, or NULL for none
/// @param event       NULL to wait, as for ssh_transport_auth_none()
/// @param timeout_ms  milliseconds until the outcome, which includes the person at the keyboard
/// @param error       receives the detail, or NULL
/// @return SSH_OK when authenticated, SSH_PARTIAL when more is wanted, SSH_ERR_AUTH with the methods allowed,
///         SSH_ERR_HOSTKEY when nobody has accepted the host key, or another failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_auth_interactive(
    transport: *mut ssh_transport,
    username: *const c_char,
    submethods: *const c_char,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    pending!(
        SSH_ERR_INTERNAL,
        transport,
        username,
        submethods,
        event,
        timeout_ms,
        error
    )
}

/// How the last authentication call ended: what it returned, or would have returned without its event.
///
/// @param transport  the transport
/// @param error      receives the detail, or NULL
/// @return SSH_OK, SSH_PARTIAL, SSH_ERR_AUTH or another failure; SSH_AGAIN while it runs or before the first.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_auth_status(
    transport: *const ssh_transport,
    error: *mut *mut ssh_error,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, transport, error)
}

/// The methods that the server said may continue, after SSH_PARTIAL or SSH_ERR_AUTH.
///
/// @return names separated by commas, freed with ssh_memory_free(), or NULL when nothing was said.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_auth_methods(
    transport: *const ssh_transport,
) -> *mut c_char {
    pending!(std::ptr::null_mut(), transport)
}

/// The banner that the server wants shown before authentication. Control characters except newlines and tabs
/// are escaped.
///
/// @return a string, freed with ssh_memory_free(), or NULL when there was none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_auth_banner(transport: *const ssh_transport) -> *mut c_char {
    pending!(std::ptr::null_mut(), transport)
}
