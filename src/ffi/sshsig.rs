//! Signatures over files and messages, as `ssh-keygen -Y` makes and checks them.

use std::ffi::{c_char, c_void};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::keys::allowed_signers::{AllowedSigners, Calendar};
use crate::keys::sshsig::{self, Hash, Signature};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::key::{self, ssh_key};
use super::key_fingerprint::{SSH_HASH_SHA256, SSH_HASH_SHA512};
use super::memory;
use super::status::{ssh_status, SSH_OK};

/// Signs a message, such as the content of a file or of a git commit, as `ssh-keygen -Y sign` does.
///
/// The namespace says what the signature is for, so that it can be used for nothing else: "file" for files, "git" for git,
/// or a name of your own such as "invoice@example.org".
///
/// @param key         a private key
/// @param name_space  what the signature is for; not empty, at most 1024 bytes
/// @param hash        SSH_HASH_SHA512, or SSH_HASH_SHA256
/// @param data        the message
/// @param length      how many bytes
/// @param error       receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_SIGNATURE
/// @return the text of a .sig file, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sshsig_sign(
    key: *const ssh_key,
    name_space: *const c_char,
    hash: i32,
    data: *const c_void,
    length: usize,
    error: *mut *mut ssh_error,
) -> *mut c_char {
    guard::value_with(std::ptr::null_mut(), error, || {
        let key = key::private_key(key)?;
        let name_space = checked(memory::text(name_space, "the namespace")?)?;
        let hash = match hash {
            SSH_HASH_SHA512 => Hash::Sha512,
            SSH_HASH_SHA256 => Hash::Sha256,
            _ => return Err(Failure::invalid("signatures have SHA-512 or SHA-256")),
        };
        let message = memory::bytes(data, length)?;
        memory::string_out(&sshsig::sign(&key, name_space, hash, message)?)
    })
}

/// Checks a signature over a message, as `ssh-keygen -Y check-novalidate` does, and tells which key made it. Whose key that
/// is, and whether it may sign such things, is for the program to decide: compare it with ssh_key_equals().
///
/// @param signature         the text of the .sig file
/// @param signature_length  its length
/// @param name_space        what the signature must be for
/// @param data              the message
/// @param length            how many bytes
/// @param error             receives the detail, or NULL: SSH_ERR_SIGNATURE when the signature is not good, and for a key
///                          in it that is of no use SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
/// @return the public key that signed, freed with ssh_key_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sshsig_verify(
    signature: *const c_void,
    signature_length: usize,
    name_space: *const c_char,
    data: *const c_void,
    length: usize,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let signature = memory::bytes(signature, signature_length)?;
        let name_space = checked(memory::text(name_space, "the namespace")?)?;
        let message = memory::bytes(data, length)?;
        let signature = Signature::parse(signature)?;
        signature.verify(name_space, message)?;
        key::new_public(signature.key().clone(), String::new())
    })
}

/// Whether a key may sign, by a file of allowed signers as `ssh-keygen -Y verify` reads it: lines of principals, options
/// (namespaces, valid-after, valid-before) and a key. Lines for certificates (cert-authority) let nobody sign here.
///
/// @param signer          the key, as ssh_sshsig_verify() returned it
/// @param signers         the content of the file
/// @param signers_length  its length in bytes, at most 16 MiB
/// @param principal       in whose name, such as "me@example.org"
/// @param name_space      what for
/// @param when            the moment in seconds since 1970; 0 is now
/// @param error           receives the detail, or NULL: SSH_ERR_SIGNATURE when it may not, SSH_ERR_KEY_MALFORMED when it may
///                        not and there is a line that makes no sense, which the message tells
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sshsig_check_signer(
    signer: *const ssh_key,
    signers: *const c_void,
    signers_length: usize,
    principal: *const c_char,
    name_space: *const c_char,
    when: u64,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let key = handle::get(signer)?;
        let signers = memory::bytes(signers, signers_length)?;
        let principal = memory::text(principal, "the principal")?;
        let name_space = checked(memory::text(name_space, "the namespace")?)?;
        let signers = AllowedSigners::new(signers, moment(when), &local);
        signers.check(key.public(), principal, name_space)?;
        Ok(SSH_OK)
    })
}

/// The principals of a key: those of the first line of a file of allowed signers that has it and is valid, whatever for.
///
/// @param signer          the key, as ssh_sshsig_verify() returned it
/// @param signers         the content of the file
/// @param signers_length  its length in bytes, at most 16 MiB
/// @param when            the moment in seconds since 1970; 0 is now
/// @param error           receives the detail, or NULL: as for ssh_sshsig_check_signer()
/// @return patterns separated by commas, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sshsig_find_principals(
    signer: *const ssh_key,
    signers: *const c_void,
    signers_length: usize,
    when: u64,
    error: *mut *mut ssh_error,
) -> *mut c_char {
    guard::value_with(std::ptr::null_mut(), error, || {
        let key = handle::get(signer)?;
        let signers = memory::bytes(signers, signers_length)?;
        let signers = AllowedSigners::new(signers, moment(when), &local);
        memory::string_out(&signers.principals(key.public())?)
    })
}

fn moment(when: u64) -> u64 {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    match when {
        // A clock before 1970 is before everything.
        0 => now().map_or(0, |since| since.as_secs()),
        given => given,
    }
}

/// What the machine's time zone makes of a moment.
fn local(calendar: Calendar) -> Option<u64> {
    let number = |value: u32| libc::c_int::try_from(value).ok();
    let [hours, minutes, seconds] = calendar.time;
    // SAFETY: all bytes zero are a good tm.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    parts.tm_year = number(calendar.year)?.checked_sub(1900)?;
    parts.tm_mon = number(calendar.month)?.checked_sub(1)?;
    parts.tm_mday = number(calendar.day)?;
    parts.tm_hour = number(hours)?;
    parts.tm_min = number(minutes)?;
    parts.tm_sec = number(seconds)?;
    // Whether there is daylight saving is for the system to know.
    parts.tm_isdst = -1;
    // SAFETY: the structure is ours, and all its fields are filled.
    u64::try_from(unsafe { libc::mktime(&raw mut parts) }).ok()
}

fn checked(name_space: &str) -> Outcome<&str> {
    match name_space.len() {
        1..=sshsig::MAX_NAMESPACE => Ok(name_space),
        _ => Err(Failure::invalid("a namespace has 1 to 1024 bytes")),
    }
}
