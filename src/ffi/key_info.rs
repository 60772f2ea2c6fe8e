//! `ssh_key_info`: what a key file holds, as far as it can be told without a passphrase.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::keys::{KeyFormat, KeyInfo};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::key::{
    self, ssh_key, SSH_KEY_FORMAT_LINE, SSH_KEY_FORMAT_OPENSSH, SSH_KEY_FORMAT_PKCS1,
    SSH_KEY_FORMAT_PKCS8, SSH_KEY_FORMAT_PPK2, SSH_KEY_FORMAT_PPK3, SSH_KEY_FORMAT_RFC4716,
    SSH_KEY_FORMAT_SEC1,
};
use super::key_file::{self, Access};
use super::memory;

/// What a key file holds, as far as it can be told without a passphrase: format, type, public half, comment, whether and
/// how it is encrypted. It does not change, so any number of threads may use it.
#[allow(non_camel_case_types)]
pub struct ssh_key_info {
    _opaque: [u8; 0],
}

/// Looks at a key in memory: a private key in any format that ssh_key_load() reads, or a public key in any that
/// ssh_key_load_public() does. No passphrase is wanted, and no time spent on key derivation.
///
/// @param data    the content of the key file
/// @param length  its length in bytes, at most 1 MiB
/// @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
/// @return what is known, freed with ssh_key_info_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_inspect(
    data: *const c_void,
    length: usize,
    error: *mut *mut ssh_error,
) -> *mut ssh_key_info {
    guard::value_with(std::ptr::null_mut(), error, || {
        let info = KeyInfo::of(key::bounded(memory::bytes(data, length)?)?)?;
        handle::insert(Arc::new(info))
    })
}

/// Looks at a key in a file, as ssh_key_inspect() does in memory.
///
/// @param path   the file, which must be a regular one of at most 1 MiB
/// @param error  receives the detail, or NULL: as for ssh_key_inspect(), and SSH_ERR_IO
/// @return what is known, freed with ssh_key_info_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_inspect_file(
    path: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_key_info {
    guard::value_with(std::ptr::null_mut(), error, || {
        let path = key::path_of(path)?;
        let bytes = key_file::read(path, Access::Any)?;
        let info = key_file::name_file(path, KeyInfo::of(&bytes))?;
        handle::insert(Arc::new(info))
    })
}

/// Frees what is known of a key.
///
/// @param info  the handle; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_info_free(info: *mut ssh_key_info) {
    guard::value((), || handle::take(info).map(drop));
}

/// The format: SSH_KEY_FORMAT_OPENSSH, ...
///
/// @return the format, or 0 when `info` is no handle of this kind. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_info_format(info: *const ssh_key_info) -> i32 {
    guard::value(0, || Ok(number_of_format(handle::get(info)?.format)))
}

/// Whether the file holds a private key.
///
/// @return false also when `info` is no handle of this kind. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_info_is_private(info: *const ssh_key_info) -> bool {
    guard::value(false, || Ok(handle::get(info)?.is_private))
}

/// Whether a passphrase is needed to load the private key.
///
/// @return false also when `info` is no handle of this kind. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_info_is_encrypted(info: *const ssh_key_info) -> bool {
    guard::value(false, || Ok(handle::get(info)?.encryption.is_some()))
}

/// How the private key is encrypted, in words: "aes256-ctr, bcrypt with 24 rounds". For people; the words may change.
///
/// @return a string, freed with ssh_memory_free(), or NULL when it is not encrypted. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_info_encryption(info: *const ssh_key_info) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        match &handle::get(info)?.encryption {
            Some(words) => memory::string_out(words),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

/// The type of the key, such as "ssh-ed25519", also one that this library does not support.
///
/// @return a string, freed with ssh_memory_free(), or NULL when the encryption hides it. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_info_type(info: *const ssh_key_info) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        match &handle::get(info)?.key_type {
            Some(name) => memory::string_out(name),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

/// The size in bits as ssh-keygen shows it.
///
/// @return bits, or 0 when the public half is not readable or not supported. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_info_bits(info: *const ssh_key_info) -> u32 {
    guard::value(0, || {
        let public = handle::get(info)?.public.as_ref().map(|key| key.bits());
        Ok(public.unwrap_or(0))
    })
}

/// The comment. OpenSSH's format hides it when it encrypts the key.
///
/// @return a string, possibly empty, freed with ssh_memory_free(), or NULL when `info` is no handle of this kind.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_info_comment(info: *const ssh_key_info) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        memory::string_out(&handle::get(info)?.comment)
    })
}

/// The public half, with the comment. Of an encrypted key nothing vouches for it before the key is loaded: good to ask a
/// server or an agent about, not to decide by.
///
/// @return a key, freed with ssh_key_free(), or NULL when the encryption hides it or its type is not supported.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_info_public(info: *const ssh_key_info) -> *mut ssh_key {
    guard::value(std::ptr::null_mut(), || {
        let info = handle::get(info)?;
        match &info.public {
            Some(public) => key::new_public(public.clone(), info.comment.clone()),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

impl Handle for ssh_key_info {
    type Object = KeyInfo;
    const TAG: u8 = 9;
    const NOUN: &'static str = "ssh_key_info";
    const SURVIVES_FORK: bool = true;
}

const FORMATS: [(i32, KeyFormat); 8] = [
    (SSH_KEY_FORMAT_OPENSSH, KeyFormat::OpenSsh),
    (SSH_KEY_FORMAT_PKCS8, KeyFormat::Pkcs8),
    (SSH_KEY_FORMAT_PKCS1, KeyFormat::Pkcs1),
    (SSH_KEY_FORMAT_SEC1, KeyFormat::Sec1),
    (SSH_KEY_FORMAT_PPK2, KeyFormat::Ppk2),
    (SSH_KEY_FORMAT_PPK3, KeyFormat::Ppk3),
    (SSH_KEY_FORMAT_LINE, KeyFormat::Line),
    (SSH_KEY_FORMAT_RFC4716, KeyFormat::Rfc4716),
];

/// The format of a number.
pub(crate) fn format_of(number: i32) -> Outcome<KeyFormat> {
    FORMATS
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, format)| *format)
        .ok_or_else(|| Failure::invalid("an unknown key format"))
}

/// The number of a format.
fn number_of_format(format: KeyFormat) -> i32 {
    FORMATS
        .iter()
        .find(|(_, known)| *known == format)
        .map_or(0, |(number, _)| *number)
}
