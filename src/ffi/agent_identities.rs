//! `ssh_agent_identities`: what an agent has.

use std::ffi::{c_char, c_void, CString};
use std::sync::Arc;

use crate::agent::Identity;
use crate::codec::printable;
use crate::keys::{self, FingerprintHash, PublicKey};

use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::key::{self, ssh_key};
use super::memory::{self, c_string};

/// The keys and certificates that an agent had when it was asked, in its order. A list does not change; what is asked of
/// it belongs to it and lives until it is freed.
#[allow(non_camel_case_types)]
pub struct ssh_agent_identities {
    _opaque: [u8; 0],
}

/// Frees a list and what was asked of it.
///
/// @param list  the list; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_identities_free(list: *mut ssh_agent_identities) {
    guard::value((), || handle::take(list).map(drop));
}

/// How many there are.
///
/// @return the number; 0 also when `list` is no list. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_identities_count(list: *const ssh_agent_identities) -> usize {
    guard::value(0, || Ok(handle::get(list)?.entries.len()))
}

/// The type of one: "ssh-ed25519", "ssh-rsa-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com" and others.
///
/// @param list   the list
/// @param index  which one, from 0
/// @return a string of the list's, or NULL when there is none such. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_identities_type(
    list: *const ssh_agent_identities,
    index: usize,
) -> *const c_char {
    lend(list, index, |entry| &entry.key_type)
}

/// The comment of one: often the file that it came from. What is not printable is escaped.
///
/// @param list   the list
/// @param index  which one, from 0
/// @return a string of the list's, or NULL when there is none such. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_identities_comment(
    list: *const ssh_agent_identities,
    index: usize,
) -> *const c_char {
    lend(list, index, |entry| &entry.comment)
}

/// The fingerprint of the blob of one: "SHA256:" and 43 characters. For a key it is what ssh-add -l shows.
///
/// @param list   the list
/// @param index  which one, from 0
/// @return a string of the list's, or NULL when there is none such. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_identities_fingerprint(
    list: *const ssh_agent_identities,
    index: usize,
) -> *const c_char {
    lend(list, index, |entry| &entry.fingerprint)
}

/// The blob of one, by which the agent knows it.
///
/// @param list    the list
/// @param index   which one, from 0
/// @param length  receives the length, or NULL
/// @return bytes of the list's, or NULL when there is none such. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_identities_blob(
    list: *const ssh_agent_identities,
    index: usize,
    length: *mut usize,
) -> *const c_void {
    guard::value(std::ptr::null(), || {
        memory::write(length, 0);
        let object = handle::get(list)?;
        let entry = object.entries.get(index).ok_or_else(none)?;
        memory::write(length, entry.blob.len());
        Ok(entry.blob.as_ptr().cast())
    })
}

/// The key of one, without what is secret.
///
/// @param list   the list
/// @param index  which one, from 0
/// @return a public key, freed with ssh_key_free(); NULL when there is none such, or it is of a type that ssh_key does not
///         know: its blob can be used all the same. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_identities_key(
    list: *const ssh_agent_identities,
    index: usize,
) -> *mut ssh_key {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(list)?;
        let entry = object.entries.get(index).ok_or_else(none)?;
        let public = PublicKey::from_blob(&entry.blob)?;
        let comment = entry.comment.to_string_lossy().into_owned();
        key::new_public(public, comment)
    })
}

// --- behind the handle ----------------------------------------------------------------------------

/// Identities, with their strings ready to be lent out.
pub(crate) struct List {
    entries: Vec<Entry>,
}

struct Entry {
    blob: Vec<u8>,
    key_type: CString,
    comment: CString,
    fingerprint: CString,
}

impl Handle for ssh_agent_identities {
    type Object = List;
    const TAG: u8 = 11;
    const NOUN: &'static str = "ssh_agent_identities";
    const SURVIVES_FORK: bool = true;
}

pub(crate) fn new_handle(found: Vec<Identity>) -> Outcome<*mut ssh_agent_identities> {
    let entries = found
        .into_iter()
        .map(|identity| Entry {
            key_type: c_string(&identity.key_type),
            comment: c_string(&printable(identity.comment.as_bytes(), MAX_COMMENT_SHOWN)),
            fingerprint: c_string(&keys::fingerprint(&identity.blob, FingerprintHash::Sha256)),
            blob: identity.blob,
        })
        .collect();
    handle::insert(Arc::new(List { entries }))
}

/// Where a comment is cut.
const MAX_COMMENT_SHOWN: usize = 1024;

fn lend(
    list: *const ssh_agent_identities,
    index: usize,
    text: impl FnOnce(&Entry) -> &CString,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        let object = handle::get(list)?;
        let entry = object.entries.get(index).ok_or_else(none)?;
        Ok(text(entry).as_ptr())
    })
}

fn none() -> Failure {
    Failure::invalid("there are fewer keys in the list")
}
