//! The keys of a `ssh_request` about changed host keys.

use crate::driver::{HostKeyChange, Question};
use crate::keys::PublicKey;

use super::guard::{self, Failure, Outcome};
use super::handle;
use super::key::{self, ssh_key};
use super::request::ssh_request;

/// Keys that the server has, as it has proven, and that were not known.
pub const SSH_HOST_KEYS_NEW: i32 = 1;

/// Keys that the server has, by its own account, and that were known.
pub const SSH_HOST_KEYS_KNOWN: i32 = 2;

/// Keys that were known, and that the server has no longer.
pub const SSH_HOST_KEYS_GONE: i32 = 3;

/// How many keys of a sort there are, for SSH_REQUEST_HOST_KEYS.
///
/// @param request  the request
/// @param sort     SSH_HOST_KEYS_NEW, ...
/// @return the number, 0 for other kinds of request and unknown sorts. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_host_key_count(
    request: *const ssh_request,
    sort: i32,
) -> usize {
    guard::value(0, || {
        let object = handle::get(request)?;
        let Question::HostKeys(change) = object.driver.question() else {
            return Ok(0);
        };
        Ok(sorted(change, sort)?.len())
    })
}

/// One of the keys, for SSH_REQUEST_HOST_KEYS.
///
/// @param request  the request
/// @param sort     SSH_HOST_KEYS_NEW, ...
/// @param index    which one, from 0
/// @return a public key, freed with ssh_key_free(), or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_host_key(
    request: *const ssh_request,
    sort: i32,
    index: usize,
) -> *mut ssh_key {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(request)?;
        let Question::HostKeys(change) = object.driver.question() else {
            return Ok(std::ptr::null_mut());
        };
        match sorted(change, sort)?.get(index) {
            Some(found) => key::new_public(found.clone(), String::new()),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

fn sorted(change: &HostKeyChange, sort: i32) -> Outcome<&[PublicKey]> {
    match sort {
        SSH_HOST_KEYS_NEW => Ok(&change.added),
        SSH_HOST_KEYS_KNOWN => Ok(&change.known),
        SSH_HOST_KEYS_GONE => Ok(&change.gone),
        _ => Err(Failure::invalid("an unknown sort of host keys")),
    }
}
