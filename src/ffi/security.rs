//! `ssh_security_options`: which algorithms may be used, in which order.

use std::ffi::c_char;
use std::sync::Arc;

use crate::codec::join_names;
use crate::driver::sync::Mutex;

use super::error::ssh_error;
use super::guard::{self, Outcome};
use super::handle;
use super::memory;
use super::security_object::{Edits, List, SecurityObject};
use super::status::{ssh_status, SSH_OK};

/// The algorithms a transport may use, in order of preference: a list of its own, or the list of one
/// transport (ssh_transport_security_options()), which may be changed until that transport is started.
///
/// Setters take names separated by commas, in one of OpenSSH's forms: `a,b` is the whole list; `+a,b`
/// appends to the list as it is; `-a,b*` removes names and patterns; `^a,b` puts names at the front.
/// What only old gear needs (SHA-1, CBC, small groups) must be named in full or come with SSH_PRESET_LEGACY; no
/// pattern adds it. Unknown names are refused with SSH_ERR_INVALID_ARG, and the list stays as it was. Getters return the
/// list in the same form. Before the start they show it as it is for a client; a server's defaults leave out
/// the NIST curves, but for host keys where it has no others.
#[allow(non_camel_case_types)]
pub struct ssh_security_options {
    _opaque: [u8; 0],
}

/// Preset: nothing that ssh-audit fails or warns of. For both ends under your control.
pub const SSH_PRESET_MODERN: i32 = 1;

/// Preset: the default. Safe, and understood by all peers of the last ten years.
pub const SSH_PRESET_COMPATIBLE: i32 = 2;

/// Preset: the default, and behind it SHA-1, CBC and small groups for old network gear.
pub const SSH_PRESET_LEGACY: i32 = 3;

/// Makes a set of options with the defaults.
///
/// @return options, freed with ssh_security_options_free(), or NULL when memory is short.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_security_options_new() -> *mut ssh_security_options {
    guard::value(std::ptr::null_mut(), || new_handle(Arc::default()))
}

/// Frees the handle. A transport whose options these are keeps them.
///
/// @param options  the options; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_free(options: *mut ssh_security_options) {
    guard::value((), || handle::take(options).map(drop));
}

/// Sets all lists to those of a preset.
///
/// @param options  the options
/// @param preset   SSH_PRESET_MODERN, SSH_PRESET_COMPATIBLE or SSH_PRESET_LEGACY
/// @param error    receives the detail, or NULL: SSH_ERR_STATE once the transport is started,
///                 SSH_ERR_INVALID_ARG for an unknown preset
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_set_preset(
    options: *mut ssh_security_options,
    preset: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        handle::get(options)?.edits.lock().preset(preset)?;
        Ok(SSH_OK)
    })
}

/// Sets the key exchange methods.
///
/// @param options  the options
/// @param names    names such as "curve25519-sha256", or one of the forms above
/// @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG with the unknown name, SSH_ERR_STATE once
///                 the transport is started
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_set_kex(
    options: *mut ssh_security_options,
    names: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || set(options, List::Kex, names))
}

/// The key exchange methods in order of preference.
///
/// @return names separated by commas, freed with ssh_memory_free(), or NULL when `options` are none.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_kex(
    options: *const ssh_security_options,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || get(options, List::Kex))
}

/// Sets the host key algorithms. Naming "ssh-rsa", which means SHA-1, allows it for user authentication too.
///
/// @param options  the options
/// @param names    names such as "ssh-ed25519,rsa-sha2-512", or one of the forms above
/// @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG with the unknown name, SSH_ERR_STATE once
///                 the transport is started
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_set_key_types(
    options: *mut ssh_security_options,
    names: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || set(options, List::HostKey, names))
}

/// The host key algorithms in order of preference.
///
/// @return names separated by commas, freed with ssh_memory_free(), or NULL when `options` are none.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_key_types(
    options: *const ssh_security_options,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || get(options, List::HostKey))
}

/// Sets the ciphers, for both directions.
///
/// @param options  the options
/// @param names    names such as "aes256-gcm@openssh.com", or one of the forms above
/// @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG with the unknown name, SSH_ERR_STATE once
///                 the transport is started
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_set_ciphers(
    options: *mut ssh_security_options,
    names: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || set(options, List::Cipher, names))
}

/// The ciphers, for both directions in order of preference.
///
/// @return names separated by commas, freed with ssh_memory_free(), or NULL when `options` are none.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_ciphers(
    options: *const ssh_security_options,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || get(options, List::Cipher))
}

/// Sets the message authentication codes, for both directions.
///
/// @param options  the options
/// @param names    names such as "hmac-sha2-256-etm@openssh.com", or one of the forms above
/// @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG with the unknown name, SSH_ERR_STATE once
///                 the transport is started
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_set_digests(
    options: *mut ssh_security_options,
    names: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || set(options, List::Mac, names))
}

/// The message authentication codes, for both directions in order of preference.
///
/// @return names separated by commas, freed with ssh_memory_free(), or NULL when `options` are none.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_digests(
    options: *const ssh_security_options,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || get(options, List::Mac))
}

/// Sets the compression methods, for both directions.
///
/// @param options  the options
/// @param names    names such as "zlib@openssh.com,none", or one of the forms above
/// @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG with the unknown name, SSH_ERR_STATE once
///                 the transport is started
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_set_compression(
    options: *mut ssh_security_options,
    names: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || set(options, List::Compression, names))
}

/// The compression methods, for both directions in order of preference.
///
/// @return names separated by commas, freed with ssh_memory_free(), or NULL when `options` are none.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_security_options_compression(
    options: *const ssh_security_options,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || get(options, List::Compression))
}

// --- behind the handle ----------------------------------------------------------------------------

/// A handle of options that others may share.
pub(crate) fn new_handle(edits: Arc<Mutex<Edits>>) -> Outcome<*mut ssh_security_options> {
    handle::insert(Arc::new(SecurityObject { edits }))
}

fn set(
    options: *mut ssh_security_options,
    list: List,
    names: *const c_char,
) -> Outcome<ssh_status> {
    let object = handle::get(options)?;
    let names = memory::text(names, "the list of names")?;
    object.edits.lock().change(list, names)?;
    Ok(SSH_OK)
}

fn get(options: *const ssh_security_options, list: List) -> Outcome<*mut c_char> {
    let object = handle::get(options)?;
    let shown = object.edits.lock().shown()?;
    memory::string_out(&join_names(list.of(&shown)))
}
