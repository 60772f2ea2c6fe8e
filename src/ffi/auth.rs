//! Authentication of a client.

use std::ffi::{c_char, c_void, CString};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::auth::{AuthOutcome, ClientMethod};
use crate::codec::join_names;
use crate::driver::{BannerCallback, Event, Timeout};
use crate::error::Error;

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::error::ssh_error;
use super::event::{self, ssh_event};
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::key::{self, ssh_key};
use super::memory;
use super::status::{ssh_status, SSH_AGAIN, SSH_OK, SSH_PARTIAL};
use super::text::for_terminal;
use super::time;
use super::transport::{ssh_transport, SSH_TIMEOUT_DEFAULT};
use super::transport_object::{self, TransportObject};

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
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let username = memory::text(username, "the user name")?;
            let method = ClientMethod::None;
            let event = event::optional(event)?;
            let patience = Patience::of(timeout_ms)?;
            authenticate(object, username, method, event.as_ref(), patience)
        })
    })
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
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let username = memory::text(username, "the user name")?;
            let password = memory::bytes(password.cast(), password_length)?;
            let method = ClientMethod::Password {
                password: Zeroizing::new(password.to_vec()),
                fallback,
            };
            let event = event::optional(event)?;
            let patience = Patience::of(timeout_ms)?;
            authenticate(object, username, method, event.as_ref(), patience)
        })
    })
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
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let username = memory::text(username, "the user name")?;
            let method = ClientMethod::PublicKey {
                key: key::private_key(key)?.into(),
                probe: false,
            };
            let event = event::optional(event)?;
            let patience = Patience::of(timeout_ms)?;
            authenticate(object, username, method, event.as_ref(), patience)
        })
    })
}

/// Authenticates by answering the server's prompts (keyboard-interactive, RFC 4256). The prompts come as
/// requests of kind SSH_REQUEST_PROMPTS, any number of rounds, to the callback set for them or to
/// ssh_transport_next_request().
///
/// @param transport   a client transport that was started
/// @param username    whom to authenticate as
/// @param submethods  hints for the server separated by commas, or NULL for none
/// @param event       NULL to wait, as for ssh_transport_auth_none()
/// @param timeout_ms  milliseconds until the outcome, which includes the person at the keyboard; SSH_TIMEOUT_DEFAULT is
///                    no limit
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
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let username = memory::text(username, "the user name")?;
            let submethods = memory::optional_text(submethods)?
                .unwrap_or_default()
                .to_owned();
            let method = ClientMethod::KeyboardInteractive { submethods };
            let event = event::optional(event)?;
            let patience = Patience::of(timeout_ms)?;
            authenticate(object, username, method, event.as_ref(), patience)
        })
    })
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
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            if let Some(outcome) = object.driver.auth_outcome() {
                *object.auth.lock() = judge(outcome);
            }
            let known = object.auth.lock();
            known.clone()
        })
    })
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
    guard::value(std::ptr::null_mut(), || {
        let methods = handle::get(transport)?.driver.auth_methods();
        if methods.is_empty() {
            return Ok(std::ptr::null_mut());
        }
        memory::string_out(&join_names(&methods))
    })
}

/// The banner that the server wants shown before authentication. Control characters except newlines and tabs
/// are escaped.
///
/// @return a string, freed with ssh_memory_free(), or NULL when there was none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_auth_banner(transport: *const ssh_transport) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        match handle::get(transport)?.driver.banner() {
            Some(text) => memory::string_out(&for_terminal(&text, true)),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

/// Receives a text that the server wants shown before authentication.
///
/// Called on a thread of the library's pool with no lock held. It may call any function of the library, and must
/// not unwind or longjmp.
///
/// @param transport  the handle the program made; NULL once it is freed
/// @param text       the text; control characters except newlines and tabs are escaped; lives during the call
/// @param userdata   as set
#[allow(non_camel_case_types)]
pub type ssh_banner_callback = Option<
    unsafe extern "C" fn(transport: *mut ssh_transport, text: *const c_char, userdata: *mut c_void),
>;

/// Sets who receives the server's banners as they come, and the lines before its identification.
///
/// @param transport  the transport
/// @param callback   receives the texts, or NULL for nobody
/// @param userdata   passed to the callback
/// @param destroy    ends userdata's life once it is replaced or the transport is gone, or NULL
/// @return SSH_OK, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_banner_callback(
    transport: *mut ssh_transport,
    callback: ssh_banner_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            let userdata = Userdata::new(userdata, destroy);
            let callback = callback.map(|function| banner_callback(object, function, userdata));
            object.driver.set_banner_callback(callback);
            Ok(SSH_OK)
        })
    })
}

// --- behind the functions -------------------------------------------------------------------------

/// How long an attempt may take.
pub(crate) enum Patience {
    /// What is set on the transport; for a dialogue with a person, no limit.
    Default,
    Limit(Duration),
}

impl Patience {
    pub(crate) fn of(timeout_ms: i32) -> Outcome<Self> {
        if timeout_ms == SSH_TIMEOUT_DEFAULT {
            return Ok(Patience::Default);
        }
        Ok(Patience::Limit(time::limit(time::timeout(
            timeout_ms,
            Timeout::Forever,
        )?)))
    }

    pub(crate) fn timeout(&self, object: &TransportObject, method: &ClientMethod) -> Timeout {
        match (self, method) {
            (Patience::Limit(limit), _) => Timeout::After(*limit),
            (Patience::Default, ClientMethod::KeyboardInteractive { .. }) => Timeout::Forever,
            (Patience::Default, _) => {
                let set = Timeout::from_ms(object.auth_ms.load(Ordering::Relaxed));
                Timeout::After(time::limit(set))
            }
        }
    }
}

/// One attempt, whose outcome is kept for ssh_transport_auth_status().
pub(crate) fn authenticate(
    object: &Arc<TransportObject>,
    username: &str,
    method: ClientMethod,
    event: Option<&Event>,
    patience: Patience,
) -> Outcome<ssh_status> {
    let timeout = patience.timeout(object, &method);
    let begun = object.driver.authenticate(username, method, event, timeout);
    let outcome = match begun {
        Ok(None) => {
            *object.auth.lock() = Ok(SSH_AGAIN);
            return Ok(SSH_OK);
        }
        Ok(Some(outcome)) => judge(Ok(outcome)),
        Err(error @ (Error::ApiMisuse(_) | Error::WouldDeadlock(_) | Error::HostKey(_))) => {
            // No attempt was made.
            return Err(error.into());
        }
        Err(error) => judge(Err(error)),
    };
    object.auth.lock().clone_from(&outcome);
    outcome
}

/// What a call that authenticates returns.
pub(crate) fn judge(outcome: Result<AuthOutcome, Error>) -> Outcome<ssh_status> {
    match outcome? {
        AuthOutcome::Success => Ok(SSH_OK),
        AuthOutcome::Partial { .. } => Ok(SSH_PARTIAL),
        AuthOutcome::Failure { methods } => Err(Failure::from(Error::AuthFailed { methods })),
    }
}

fn banner_callback(
    object: &Arc<TransportObject>,
    function: unsafe extern "C" fn(*mut ssh_transport, *const c_char, *mut c_void),
    userdata: Userdata,
) -> BannerCallback {
    let transport = Arc::downgrade(object);
    Arc::new(move |text| {
        let handle = transport
            .upgrade()
            .map_or(std::ptr::null_mut(), |transport| transport.handle());
        let text = CString::new(for_terminal(text, true)).unwrap_or_default();
        // SAFETY: the program says that the function may be called with this userdata from any thread
        // until destroy is called, which the closure prevents; the text lives during the call.
        unsafe { function(handle, text.as_ptr(), userdata.pointer()) }
    })
}
