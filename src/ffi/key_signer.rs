//! Keys whose signatures are made by the program or by an agent.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::agent::Agent;
use crate::driver::Timeout;
use crate::error::{Error, KeyFault};
use crate::keys::signature::MAX_SIGNATURE_BLOB;
use crate::keys::{ExternalSigner, PrivateKey};

use super::agent::{ssh_agent, PATIENT_MS};
use super::callbacks::{ssh_destroy_callback, Userdata};
use super::error::ssh_error;
use super::guard::{self, Failure};
use super::handle;
use super::key::{self, ssh_key};
use super::memory::c_string;
use super::status::{ssh_status, SSH_OK};
use super::time;

/// Makes a signature with a private key that the library does not have.
///
/// Called with no lock held, on the thread that calls ssh_key_sign(), or on one of the library's pool when a session needs
/// the signature; several may be wanted at once. It may take its time, up to the timeouts of the login or the key
/// exchange that waits for it, and holds up nothing else. It may call any function of the library, and must not unwind or
/// longjmp.
///
/// @param algorithm  the signature algorithm, such as "rsa-sha2-512"; lives during the call
/// @param data       what to sign: not a hash, the hash is part of the algorithm
/// @param length     how many bytes
/// @param signature  where to put the signature blob (RFC 4253 section 6.6): the algorithm and the signature, each as a string
///                   with its length in front
/// @param capacity   how many bytes fit; at least 4096
/// @param signature_length  receives how many there are
/// @param userdata   as given
/// @return SSH_OK, or a negative number for a failure: an SSH_ERR_... becomes the status of what needed the signature
#[allow(non_camel_case_types)]
pub type ssh_sign_callback = Option<
    unsafe extern "C" fn(
        algorithm: *const c_char,
        data: *const c_void,
        length: usize,
        signature: *mut c_void,
        capacity: usize,
        signature_length: *mut usize,
        userdata: *mut c_void,
    ) -> ssh_status,
>;

/// Makes a private key whose signatures the program makes: with a hardware token, a key management service, another
/// process. It goes wherever a private key goes, for users (ssh_transport_auth_publickey()) and hosts
/// (ssh_server_add_key()), but cannot be written or given to an agent. Each signature is checked before it is used.
///
/// @param public_key  the key whose signatures are made; its public half counts
/// @param sign        makes them
/// @param userdata    passed to it
/// @param destroy     ends userdata's life once nothing uses the key any more, or NULL
/// @param error       receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE
/// @return a key, freed with ssh_key_free(), or NULL; then destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_new_signer(
    public_key: *const ssh_key,
    sign: ssh_sign_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(public_key)?;
        let function = sign.ok_or_else(|| Failure::invalid("the sign function is NULL"))?;
        let signer = ProgramSigner {
            function,
            userdata: Userdata::new(userdata, destroy),
        };
        let made = PrivateKey::external(object.public().clone(), Arc::new(signer));
        key::new_private(made.with_comment(object.comment()))
    })
}

/// Makes a private key whose signatures an agent makes.
///
/// @param agent       an agent; once it is freed, the key cannot sign any more (SSH_ERR_CLOSED)
/// @param public_key  a key that the agent has, such as ssh_agent_identities_key() returns
/// @param timeout_ms  milliseconds that each signature may take; SSH_TIMEOUT_DEFAULT is 60 s
/// @param error       receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE
/// @return a key, freed with ssh_key_free(), or NULL. Any thread; does not ask the agent. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_new_agent(
    agent: *mut ssh_agent,
    public_key: *const ssh_key,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let timeout = time::timeout(timeout_ms, Timeout::from_ms(PATIENT_MS))?;
        let object = handle::get(public_key)?;
        let agent = Agent::clone(&*handle::get(agent)?);
        let public = object.public().clone();
        let signer = agent.signer(public.blob(), timeout);
        let made = PrivateKey::external(public, Arc::new(signer));
        key::new_private(made.with_comment(object.comment()))
    })
}

// --- behind the functions -------------------------------------------------------------------------

struct ProgramSigner {
    function: unsafe extern "C" fn(
        *const c_char,
        *const c_void,
        usize,
        *mut c_void,
        usize,
        *mut usize,
        *mut c_void,
    ) -> ssh_status,
    userdata: Userdata,
}

impl ExternalSigner for ProgramSigner {
    fn sign(&self, algorithm: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        let name = c_string(algorithm);
        let mut signature = vec![0; MAX_SIGNATURE_BLOB];
        let mut length = 0;
        // SAFETY: name, data and room live during the call, and the room is ours to be written. The program says that
        // the function may be called with this userdata from any thread until destroy is called, which the share held
        // here prevents.
        let status = unsafe {
            (self.function)(
                name.as_ptr(),
                data.as_ptr().cast(),
                data.len(),
                signature.as_mut_ptr().cast(),
                signature.len(),
                &raw mut length,
                self.userdata.pointer(),
            )
        };
        if status != SSH_OK {
            return Err(KeyFault::Signer(status).into());
        }
        if length == 0 || length > signature.len() {
            return Err(Error::Callback(
                "the sign function returned a length that cannot be",
            ));
        }
        signature.truncate(length);
        Ok(signature)
    }
}
