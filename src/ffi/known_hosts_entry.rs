//! `ssh_known_hosts_entry`: one line of a known_hosts file.

use std::ffi::{c_char, CString};
use std::sync::Arc;

use crate::codec::printable;
use crate::keys::{fingerprint, FingerprintHash};
use crate::known_hosts::{Entry, Marker, MAX_LINE};

use super::guard::{self, Outcome};
use super::handle::{self, Handle};
use super::key::{self, ssh_key};
use super::memory::c_string;

/// A line of a known_hosts file as it was when it was read. It does not change; the strings asked of it belong to it and
/// live until it is freed.
#[allow(non_camel_case_types)]
pub struct ssh_known_hosts_entry {
    _opaque: [u8; 0],
}

/// No marker: the hosts have the key.
pub const SSH_KNOWN_HOSTS_MARKER_NONE: i32 = 0;

/// `@cert-authority`: the key signs certificates of the hosts.
pub const SSH_KNOWN_HOSTS_MARKER_AUTHORITY: i32 = 1;

/// `@revoked`: the key must not be trusted, nor certificates that it has signed.
pub const SSH_KNOWN_HOSTS_MARKER_REVOKED: i32 = 2;

/// Frees an entry and the strings asked of it.
///
/// @param entry  the entry; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_entry_free(entry: *mut ssh_known_hosts_entry) {
    guard::value((), || handle::take(entry).map(drop));
}

/// The file in which the line stands.
///
/// @return a string of the entry's, or NULL for a line that stands in no file. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_entry_file(
    entry: *const ssh_known_hosts_entry,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        let object = handle::get(entry)?;
        let file = object.file.as_ref();
        Ok(file.map_or(std::ptr::null(), |file| file.as_ptr()))
    })
}

/// The number of the line in its file, from 1.
///
/// @return the number, or 0 when `entry` is no entry. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_entry_line(entry: *const ssh_known_hosts_entry) -> u64 {
    guard::value(0, || Ok(handle::get(entry)?.entry.line))
}

/// The marker: SSH_KNOWN_HOSTS_MARKER_NONE, ...
///
/// @return the marker, or 0 also when `entry` is no entry. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_entry_marker(entry: *const ssh_known_hosts_entry) -> i32 {
    guard::value(0, || {
        Ok(match handle::get(entry)?.entry.marker {
            Marker::None => SSH_KNOWN_HOSTS_MARKER_NONE,
            Marker::Authority => SSH_KNOWN_HOSTS_MARKER_AUTHORITY,
            Marker::Revoked => SSH_KNOWN_HOSTS_MARKER_REVOKED,
        })
    })
}

/// The names as they stand in the line: names and patterns separated by commas, or one hashed name. What is not printable
/// is escaped.
///
/// @return a string of the entry's, or NULL when `entry` is no entry. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_entry_names(
    entry: *const ssh_known_hosts_entry,
) -> *const c_char {
    guard::value(std::ptr::null(), || Ok(handle::get(entry)?.names.as_ptr()))
}

/// The type of the key, such as "ssh-ed25519" or "ssh-dss".
///
/// @return a string of the entry's, or NULL when `entry` is no entry. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_entry_key_type(
    entry: *const ssh_known_hosts_entry,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        Ok(handle::get(entry)?.key_type.as_ptr())
    })
}

/// The key.
///
/// @return a key, freed with ssh_key_free(), or NULL for one that this library does not use, such as ssh-dss or a short RSA
///         key. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_entry_key(
    entry: *const ssh_known_hosts_entry,
) -> *mut ssh_key {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(entry)?;
        let comment = String::from_utf8_lossy(&object.entry.comment).into_owned();
        match object.entry.key.usable() {
            Some(public) => key::new_public(public, comment),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

/// The fingerprint of the key, also of one that this library does not use: "SHA256:" and 43 characters.
///
/// @return a string of the entry's, or NULL when `entry` is no entry. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_entry_fingerprint(
    entry: *const ssh_known_hosts_entry,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        Ok(handle::get(entry)?.fingerprint.as_ptr())
    })
}

/// What stands behind the key. What is not printable is escaped.
///
/// @return a string of the entry's, possibly empty, or NULL when `entry` is no entry. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_entry_comment(
    entry: *const ssh_known_hosts_entry,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        Ok(handle::get(entry)?.comment.as_ptr())
    })
}

// --- behind the handle ----------------------------------------------------------------------------

/// An entry, with its strings ready to be lent out.
pub(crate) struct EntryObject {
    entry: Entry,
    file: Option<CString>,
    names: CString,
    key_type: CString,
    fingerprint: CString,
    comment: CString,
}

impl Handle for ssh_known_hosts_entry {
    type Object = EntryObject;
    const TAG: u8 = 27;
    const NOUN: &'static str = "ssh_known_hosts_entry";
    const SURVIVES_FORK: bool = true;
}

pub(crate) fn new_handle(entry: Entry) -> Outcome<*mut ssh_known_hosts_entry> {
    let path = entry.file.as_ref();
    handle::insert(Arc::new(EntryObject {
        file: path.and_then(|path| CString::new(path.as_os_str().as_encoded_bytes()).ok()),
        names: c_string(&printable(&entry.names, MAX_LINE)),
        key_type: c_string(entry.key.key_type()),
        fingerprint: c_string(&fingerprint(entry.key.blob(), FingerprintHash::Sha256)),
        comment: c_string(&printable(&entry.comment, MAX_LINE)),
        entry,
    }))
}
