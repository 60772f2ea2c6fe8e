//! The keys of a `ssh_request` about changed host keys, and waiting until that is done with.

use crate::driver::{HostKeyChange, Question, Timeout};
use crate::keys::PublicKey;

use super::guard::{self, Failure, Outcome};
use super::handle;
use super::key::{self, ssh_key};
use super::request::ssh_request;
use super::status::ssh_status;
use super::transport::ssh_transport;
use super::{time, transport_object};

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

/// Client: waits until nothing more is to come of the host keys that the server has told of so far
/// (SSH_REQUEST_HOST_KEYS): they are compared with the known ones, the new ones are proven, and the question about them has
/// its answer. Returns at once where it has told of none. For a program that wants to have asked before it goes on, such as
/// one that is about to give the terminal to a session.
///
/// OpenSSH's server tells of its keys right behind the word that the user is in, so they have been told by the time that it
/// has answered anything, such as ssh_transport_global_request() or the opening of a channel.
///
/// @param transport   the transport, not from a callback of its own, on whose end this would wait
/// @param timeout_ms  milliseconds to wait at most; SSH_TIMEOUT_DEFAULT is forever
/// @return SSH_OK, SSH_AGAIN when timeout_ms is 0 and there is something to come, SSH_ERR_TIMEOUT, SSH_ERR_CANCELLED, what
///         ended the session, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_wait_host_keys(
    transport: *mut ssh_transport,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
            time::status_or_again(timeout, object.driver.wait_host_keys(timeout), time::ok)
        })
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
