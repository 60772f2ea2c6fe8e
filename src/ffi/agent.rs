//! `ssh_agent`: a program that keeps keys and signs with them.

use std::ffi::{c_char, c_void, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::agent::{Agent, Constraints};
use crate::driver::Timeout;

use super::agent_identities::{self, ssh_agent_identities};
use super::callbacks::ssh_destroy_callback;
use super::channel::ssh_channel;
use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::key::{self, ssh_key};
use super::memory;
use super::status::{ssh_status, SSH_OK};
use super::stream::{
    self, ssh_stream_close_callback, ssh_stream_read_callback, ssh_stream_write_callback,
};
use super::time;
use super::transport::invalid_if_misuse;

/// A program that keeps private keys and signs with them, such as ssh-agent, gpg-agent or the one of a password manager.
///
/// Any thread may ask; one question is asked at a time, and the others wait for their turn. An agent that does not answer
/// in time, or that breaks its protocol, loses its connection; one to a socket is made anew with the next call, so that
/// an agent that was started again is found again.
///
/// Calls that wait take `timeout_ms`, for which SSH_TIMEOUT_DEFAULT is 5 s; for signatures it is 60 s, because a person
/// may have to say yes or to touch something. They fail with SSH_ERR_AGENT when there is no agent or it breaks its
/// protocol, with SSH_ERR_DENIED when it says no, and with SSH_ERR_TIMEOUT, SSH_ERR_CANCELLED and SSH_ERR_CLOSED.
#[allow(non_camel_case_types)]
pub struct ssh_agent {
    _opaque: [u8; 0],
}

/// Connects to an agent that listens at a UNIX socket.
///
/// @param socket      the path of the socket; NULL for the user's agent, which the variable SSH_AUTH_SOCK names
/// @param timeout_ms  milliseconds until it must be connected; SSH_TIMEOUT_DEFAULT is 5 s
/// @param error       receives the detail, or NULL: SSH_ERR_AGENT, SSH_ERR_TIMEOUT, SSH_ERR_INVALID_ARG
/// @return an agent, freed with ssh_agent_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_new(
    socket: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_agent {
    guard::value_with(std::ptr::null_mut(), error, || {
        let timeout = quick(timeout_ms)?;
        let agent = match memory::optional_c_bytes(socket) {
            None => Agent::connect_default(timeout)?,
            Some([]) => return Err(Failure::invalid("the path of the socket is empty")),
            // Paths are bytes to the system, whatever their encoding.
            Some(path) => Agent::connect(Path::new(OsStr::from_bytes(path)), timeout)?,
        };
        new_handle(agent)
    })
}

/// Talks to the agent at the other end of a channel. On a server whose client forwards its agent, open the channel with
/// ssh_transport_open_channel("auth-agent@openssh.com", ...): the keys of the client's user can then be used there.
///
/// @param channel  an open channel. The handle stays the caller's and may be freed at any time; nobody else should read
///                 or write the channel
/// @param error    receives the detail, or NULL: SSH_ERR_BAD_HANDLE
/// @return an agent, freed with ssh_agent_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_new_channel(
    channel: *mut ssh_channel,
    error: *mut *mut ssh_error,
) -> *mut ssh_agent {
    guard::value_with(std::ptr::null_mut(), error, || {
        let channel = handle::get(channel)?.driver.clone();
        new_handle(Agent::over_channel(channel))
    })
}

/// Talks to an agent over functions of the program's. They are called on the threads that ask the agent, with no lock
/// held, and should keep to their timeouts: one that does not holds up the call, whose own timeout then comes late.
///
/// @param read      reads, as for ssh_transport_new_stream()
/// @param write     writes
/// @param close     ends the stream, and calls of the others; or NULL when both keep to their timeouts
/// @param userdata  passed to all of them
/// @param destroy   ends userdata's life, or NULL
/// @param error     receives the detail, or NULL: SSH_ERR_INVALID_ARG
/// @return an agent, freed with ssh_agent_free(), or NULL; then none of the functions is ever called.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_new_stream(
    read: ssh_stream_read_callback,
    write: ssh_stream_write_callback,
    close: ssh_stream_close_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
    error: *mut *mut ssh_error,
) -> *mut ssh_agent {
    guard::value_with(std::ptr::null_mut(), error, || {
        let stream = stream::of_program(read, write, close, userdata, destroy)?;
        new_handle(Agent::over_stream(stream))
    })
}

/// Ends the connection and frees the handle. Calls that wait for the agent in other threads return with SSH_ERR_CLOSED.
///
/// @param agent  the agent; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_free(agent: *mut ssh_agent) {
    guard::value((), || {
        handle::take(agent)?.close();
        Ok(())
    })
}

/// Has every call that waits for the agent return with SSH_ERR_CANCELLED.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread; does not wait. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_cancel(agent: *mut ssh_agent) -> ssh_status {
    guard::status(|| {
        handle::get(agent)?.cancel();
        Ok(SSH_OK)
    })
}

/// The keys and certificates that the agent has.
///
/// @param agent       the agent
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL
/// @return a list, freed with ssh_agent_identities_free(), or NULL. It is empty when the agent has no keys, or is locked.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_list(
    agent: *mut ssh_agent,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_agent_identities {
    guard::value_with(std::ptr::null_mut(), error, || {
        let found = handle::get(agent)?.identities(quick(timeout_ms)?)?;
        agent_identities::new_handle(found)
    })
}

/// Has the agent sign.
///
/// @param agent             the agent
/// @param blob              the blob of the key or certificate to sign with, as ssh_agent_identities_blob() has it
/// @param blob_length       its length
/// @param algorithm         the signature algorithm, such as "rsa-sha2-512", which what comes back must have; NULL for the
///                          strongest of the key. The name that a certificate has for it means the same
/// @param data              what to sign
/// @param length            how many bytes
/// @param signature         receives the signature blob (RFC 4253 section 6.6), freed with ssh_memory_free()
/// @param signature_length  receives its length
/// @param timeout_ms        milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is 60 s
/// @param error             receives the detail, or NULL: SSH_ERR_DENIED when the agent does not have the key, is locked
///                          or a person said no; SSH_ERR_KEY_UNSUPPORTED for an algorithm that is not of the key
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_sign(
    agent: *mut ssh_agent,
    blob: *const c_void,
    blob_length: usize,
    algorithm: *const c_char,
    data: *const c_void,
    length: usize,
    signature: *mut *mut c_void,
    signature_length: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::clear_bytes(signature, signature_length);
        let object = handle::get(agent)?;
        let blob = memory::bytes(blob, blob_length)?;
        let data = memory::bytes(data, length)?;
        let algorithm = memory::optional_text(algorithm)?;
        let timeout = patient(timeout_ms)?;
        let made = object
            .sign(blob, algorithm, data, timeout)
            .map_err(invalid_if_misuse)?;
        memory::bytes_out(&made, signature, signature_length)?;
        Ok(SSH_OK)
    })
}

/// Has the agent keep a key, with its comment.
///
/// @param agent               the agent
/// @param key                 a private key
/// @param certificate         the blob of a certificate of the key, which is then what the agent has; or NULL. ssh-add adds
///                            both, the key and then the certificate
/// @param certificate_length  its length
/// @param lifetime_s          seconds after which the agent forgets it; 0 for never
/// @param confirm             whether a person has to say yes to each use
/// @param timeout_ms          milliseconds to wait for the answer
/// @param error               receives the detail, or NULL: SSH_ERR_DENIED, also when the agent does not know such keys or
///                            limits; SSH_ERR_INVALID_ARG for a public key or a certificate of another key
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_add(
    agent: *mut ssh_agent,
    key: *const ssh_key,
    certificate: *const c_void,
    certificate_length: usize,
    lifetime_s: u32,
    confirm: bool,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(agent)?;
        let key = key::private_key(key)?;
        let certificate = memory::bytes(certificate, certificate_length)?;
        let certificate = Some(certificate).filter(|blob| !blob.is_empty());
        let constraints = Constraints {
            lifetime_s,
            confirm,
        };
        object
            .add(&key, certificate, constraints, quick(timeout_ms)?)
            .map_err(invalid_if_misuse)?;
        Ok(SSH_OK)
    })
}

/// Has the agent forget a key or certificate.
///
/// @param agent       the agent
/// @param blob        the blob of the key or certificate
/// @param length      its length
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_DENIED when the agent does not have it
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_remove(
    agent: *mut ssh_agent,
    blob: *const c_void,
    length: usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(agent)?;
        let blob = memory::bytes(blob, length)?;
        object
            .remove(blob, quick(timeout_ms)?)
            .map_err(invalid_if_misuse)?;
        Ok(SSH_OK)
    })
}

/// Has the agent forget all its keys.
///
/// @param agent       the agent
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_remove_all(
    agent: *mut ssh_agent,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        handle::get(agent)?.remove_all(quick(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// Locks the agent: until it is unlocked with the same passphrase it lists no keys and does not sign.
///
/// @param agent              the agent
/// @param passphrase         any bytes
/// @param passphrase_length  how many, at most 4096
/// @param timeout_ms         milliseconds to wait for the answer
/// @param error              receives the detail, or NULL: SSH_ERR_DENIED when it is locked already
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_lock(
    agent: *mut ssh_agent,
    passphrase: *const c_char,
    passphrase_length: usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(agent)?;
        let passphrase = memory::bytes(passphrase.cast(), passphrase_length)?;
        object
            .lock(passphrase, quick(timeout_ms)?)
            .map_err(invalid_if_misuse)?;
        Ok(SSH_OK)
    })
}

/// Unlocks the agent. Agents make those wait who try wrong passphrases.
///
/// @param agent              the agent
/// @param passphrase         the passphrase that it was locked with
/// @param passphrase_length  its length
/// @param timeout_ms         milliseconds to wait for the answer
/// @param error              receives the detail, or NULL: SSH_ERR_DENIED for another passphrase, or when it is not locked
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_agent_unlock(
    agent: *mut ssh_agent,
    passphrase: *const c_char,
    passphrase_length: usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(agent)?;
        let passphrase = memory::bytes(passphrase.cast(), passphrase_length)?;
        object
            .unlock(passphrase, quick(timeout_ms)?)
            .map_err(invalid_if_misuse)?;
        Ok(SSH_OK)
    })
}

// --- behind the handle ----------------------------------------------------------------------------

/// How long an agent is waited for that has nobody to ask.
pub(crate) const QUICK_MS: i32 = 5_000;
/// How long a signature is waited for.
pub(crate) const PATIENT_MS: i32 = 60_000;

impl Handle for ssh_agent {
    type Object = Agent;
    const TAG: u8 = 10;
    const NOUN: &'static str = "ssh_agent";
}

fn new_handle(agent: Agent) -> Outcome<*mut ssh_agent> {
    handle::insert(Arc::new(agent))
}

fn quick(timeout_ms: i32) -> Outcome<Timeout> {
    time::timeout(timeout_ms, Timeout::from_ms(QUICK_MS))
}

fn patient(timeout_ms: i32) -> Outcome<Timeout> {
    time::timeout(timeout_ms, Timeout::from_ms(PATIENT_MS))
}
