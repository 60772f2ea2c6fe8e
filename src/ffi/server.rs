//! `ssh_server`: what a server answers and offers, shared by its transports.

use std::ffi::{c_char, c_void, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::callbacks::ssh_destroy_callback;
use super::dispatch;
use super::error::ssh_error;
use super::guard::{self, Failure};
use super::handle;
use super::key::{self, ssh_key};
use super::memory;
use super::moduli_file;
use super::request::ssh_request_callback;
use super::security::ssh_security_options;
use super::server_object::ServerObject;
use super::status::{ssh_status, SSH_OK};
use super::text;

/// The callbacks and options of a server. One may serve any number of transports
/// (ssh_transport_start_server()); each takes them as they are when it starts, and changes hold for those that
/// start afterwards. Everything that has no callback is refused.
#[allow(non_camel_case_types)]
pub struct ssh_server {
    _opaque: [u8; 0],
}

/// Makes a server that refuses everything.
///
/// @return a server, freed with ssh_server_free(), or NULL when memory is short. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_server_new() -> *mut ssh_server {
    guard::value(std::ptr::null_mut(), || {
        handle::insert(Arc::new(ServerObject::default()))
    })
}

/// Frees the handle. Transports that were started with the server keep what they need of it.
///
/// @param server  the server; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_free(server: *mut ssh_server) {
    guard::value((), || handle::take(server).map(drop));
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
    guard::status(|| {
        let object = handle::get(server)?;
        let call = dispatch::call(kind, callback, userdata, destroy)?;
        let before = object.settings.lock().callbacks.set(kind, call);
        drop(before);
        Ok(SSH_OK)
    })
}

/// Has questions without a callback wait for ssh_transport_next_request(), instead of being refused.
///
/// @param server   the server
/// @param enabled  whether they wait
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_pull_requests(
    server: *mut ssh_server,
    enabled: bool,
) -> ssh_status {
    guard::status(|| {
        handle::get(server)?.settings.lock().callbacks.pull = enabled;
        Ok(SSH_OK)
    })
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
    guard::status(|| {
        let object = handle::get(server)?;
        let key = key::private_key(key)?;
        object.settings.lock().add_key(key);
        Ok(SSH_OK)
    })
}

/// Adds a key that clients are told of beside the host keys, for every transport started from now on, and that is used for
/// nothing else: the host key to come. Clients that keep what they are told (ssh with UpdateHostKeys, this library with
/// SSH_REQUEST_HOST_KEYS) know it by the day on which it becomes a host key, and forget the old one the first time that
/// they are told no longer of that.
///
/// @param server  the server
/// @param key     a private key; up to 32 of them
/// @return SSH_OK, SSH_ERR_INVALID_ARG for a public key or one too many, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_add_next_key(
    server: *mut ssh_server,
    key: *const ssh_key,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        let key = key::private_key(key)?;
        let mut settings = object.settings.lock();
        if settings.next_keys.len() >= MAX_NEXT_KEYS {
            return Err(Failure::invalid("at most 32 host keys to come"));
        }
        settings.next_keys.push(key);
        Ok(SSH_OK)
    })
}

/// Sets whether clients are told of all host keys once their user is in ("hostkeys-00@openssh.com"), as sshd does. They
/// are, unless it is turned off here. Certificates are not told of.
///
/// @param server   the server
/// @param enabled  whether they are, from now on, by transports that start
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_tell_host_keys(
    server: *mut ssh_server,
    enabled: bool,
) -> ssh_status {
    guard::status(|| {
        handle::get(server)?.settings.lock().tells_host_keys = enabled;
        Ok(SSH_OK)
    })
}

/// Loads groups for Diffie-Hellman group exchange (RFC 4419), for every transport started from now on. Without a file
/// the groups of RFC 3526 are used. Groups below 2,048 bits, and what is no tested safe prime, are passed over.
///
/// @param server  the server
/// @param path    a file in the format of moduli(5), at most 4 MiB; NULL for /etc/ssh/moduli, then
///                /usr/local/etc/moduli
/// @param error   receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG when there is no usable group in it
/// @return SSH_OK, or as `error` says; then everything stays as it was. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_load_moduli(
    server: *mut ssh_server,
    path: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(server)?;
        let moduli = match memory::optional_c_bytes(path) {
            Some(path) => moduli_file::read(Path::new(OsStr::from_bytes(path)))?,
            None => moduli_file::read_usual()?,
        };
        object.settings.lock().moduli = Some(Arc::new(moduli));
        Ok(SSH_OK)
    })
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
    guard::status(|| {
        let object = handle::get(server)?;
        let methods = memory::optional_text(methods)?
            .map(text::names)
            .transpose()?;
        object.settings.lock().methods = methods;
        Ok(SSH_OK)
    })
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
    guard::status(|| {
        let object = handle::get(server)?;
        let text = memory::optional_text(text)?.map(str::to_owned);
        if text.as_ref().is_some_and(|text| text.len() > MAX_BANNER) {
            return Err(Failure::invalid("at most 32768 bytes of banner"));
        }
        object.settings.lock().banner = text;
        Ok(SSH_OK)
    })
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
    guard::status(|| {
        let object = handle::get(server)?;
        if !(1..=100).contains(&max_failures) {
            return Err(Failure::invalid("1 to 100 failures"));
        }
        let mut settings = object.settings.lock();
        settings.max_failures = max_failures;
        settings.login_grace_ms = login_grace_ms;
        Ok(SSH_OK)
    })
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
    guard::status(|| {
        let object = handle::get(server)?;
        let edits = handle::get(options)?.edits.lock().clone();
        object.settings.lock().security.replace(&edits)?;
        Ok(SSH_OK)
    })
}

pub(crate) const MAX_BANNER: usize = 32_768;
/// With the host keys themselves no more than a client looks at.
const MAX_NEXT_KEYS: usize = 32;
