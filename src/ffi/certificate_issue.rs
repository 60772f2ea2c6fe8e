//! Making certificates: drafts, and the signature that turns one into a certificate.

use std::ffi::c_char;
use std::sync::Arc;

use crate::crypto::random::SystemRandom;
use crate::driver::sync::Mutex;
use crate::error::Error;
use crate::keys::certificate::CertificateDraft;

use super::certificate::{kind_of, new_signed, ssh_certificate, CertificateObject};
use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::key::{self, ssh_key};
use super::memory;
use super::status::{ssh_status, SSH_OK};

/// Begins a certificate. At first it names nobody, so that it would not count for anybody, holds without limit of time, and
/// permits nothing: a user's shell wants ssh_certificate_set_extension() with "permit-pty".
///
/// @param kind  SSH_CERTIFICATE_USER or SSH_CERTIFICATE_HOST
/// @param key   the key it is about; its public half is enough
/// @return a draft, freed with ssh_certificate_free(), or NULL. Any thread. Since 0.1.
///
///   ssh_certificate *draft = ssh_certificate_new(SSH_CERTIFICATE_USER, key);
///   ssh_certificate_set_key_id(draft, "alice, laptop");
///   ssh_certificate_add_principal(draft, "alice");
///   ssh_certificate_set_validity(draft, now - 60, now + 8 * 3600);
///   ssh_certificate_set_extension(draft, "permit-pty", NULL);
///   ssh_certificate *certificate = ssh_certificate_sign(draft, authority, NULL, &error);
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_new(
    kind: i32,
    key: *const ssh_key,
) -> *mut ssh_certificate {
    guard::value(std::ptr::null_mut(), || {
        let key = handle::get(key)?.public().clone();
        let draft = CertificateDraft::new(kind_of(kind)?, key);
        handle::insert(Arc::new(CertificateObject::Draft(Mutex::new(draft))))
    })
}

/// Sets the number of a draft, by which the certificate can be revoked; 0 at first.
///
/// @param certificate  a draft
/// @param serial       the number, best one that this authority gives only once
/// @return SSH_OK, SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_set_serial(
    certificate: *mut ssh_certificate,
    serial: u64,
) -> ssh_status {
    change(certificate, |draft| {
        draft.set_serial(serial);
        Ok(())
    })
}

/// Sets what a draft is called in logs; empty at first.
///
/// @param certificate  a draft
/// @param key_id       at most 4096 bytes
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_set_key_id(
    certificate: *mut ssh_certificate,
    key_id: *const c_char,
) -> ssh_status {
    change(certificate, |draft| {
        let key_id = memory::text(key_id, "the key id")?;
        argument(draft.set_key_id(key_id))
    })
}

/// Adds a user or host that a draft shall hold for.
///
/// @param certificate  a draft
/// @param principal    a name without commas and control characters; for hosts it may be a pattern with * and ?
/// @return SSH_OK, SSH_ERR_INVALID_ARG, also for the 257th; SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_add_principal(
    certificate: *mut ssh_certificate,
    principal: *const c_char,
) -> ssh_status {
    change(certificate, |draft| {
        let principal = memory::text(principal, "the principal")?;
        argument(draft.add_principal(principal))
    })
}

/// Sets when a draft shall hold.
///
/// @param certificate   a draft
/// @param valid_after   the first second, since 1970; 0 at first
/// @param valid_before  the second from which it holds no more; UINT64_MAX for never, as at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG for no time at all, SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_set_validity(
    certificate: *mut ssh_certificate,
    valid_after: u64,
    valid_before: u64,
) -> ssh_status {
    change(certificate, |draft| {
        argument(draft.set_validity(valid_after, valid_before))
    })
}

/// Sets an option that who reads the certificate must understand: "force-command" with the command, "source-address" with
/// networks such as "192.0.2.0/24,2001:db8::/32", "verify-required" without text. One of the same name is replaced.
///
/// @param certificate  a draft
/// @param name         the name
/// @param value        the text, or NULL for an option without one
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_set_critical_option(
    certificate: *mut ssh_certificate,
    name: *const c_char,
    value: *const c_char,
) -> ssh_status {
    change(certificate, |draft| {
        let name = memory::text(name, "the name")?;
        argument(draft.set_critical_option(name, memory::optional_text(value)?))
    })
}

/// Sets an option that may be passed over: "permit-pty", "permit-port-forwarding", "permit-agent-forwarding",
/// "permit-X11-forwarding", "permit-user-rc", "no-touch-required", or one of one's own with an @. One of the same name is
/// replaced.
///
/// @param certificate  a draft
/// @param name         the name
/// @param value        the text, or NULL for an option without one, as all of the above are
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_set_extension(
    certificate: *mut ssh_certificate,
    name: *const c_char,
    value: *const c_char,
) -> ssh_status {
    change(certificate, |draft| {
        let name = memory::text(name, "the name")?;
        argument(draft.set_extension(name, memory::optional_text(value)?))
    })
}

/// Signs a draft, which stays as it is and may be changed and signed again.
///
/// @param draft      the draft
/// @param authority  the private key of the authority
/// @param algorithm  the signature algorithm, or NULL for the key's strongest
/// @param error      receives the detail, or NULL: SSH_ERR_KEY_UNSUPPORTED, SSH_ERR_SIGNATURE, SSH_ERR_STATE for what is
///                   signed already, SSH_ERR_INVALID_ARG for a public key
/// @return a certificate, freed with ssh_certificate_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_sign(
    draft: *const ssh_certificate,
    authority: *const ssh_key,
    algorithm: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_certificate {
    guard::value_with(std::ptr::null_mut(), error, || {
        let draft = with_draft(draft, |draft| Ok(draft.clone()))?;
        let authority = key::private_key(authority)?;
        let algorithm = memory::optional_text(algorithm)?;
        let certificate = draft.sign(&authority, algorithm, &mut SystemRandom)?;
        new_signed(certificate, authority.comment().to_owned())
    })
}

fn with_draft<T>(
    certificate: *const ssh_certificate,
    then: impl FnOnce(&mut CertificateDraft) -> Outcome<T>,
) -> Outcome<T> {
    match &*handle::get(certificate)? {
        CertificateObject::Draft(draft) => then(&mut draft.lock()),
        CertificateObject::Signed(..) => {
            Err(Failure::state("a signed certificate does not change"))
        }
    }
}

fn change(
    certificate: *mut ssh_certificate,
    then: impl FnOnce(&mut CertificateDraft) -> Outcome<()>,
) -> ssh_status {
    guard::status(|| with_draft(certificate, then).map(|()| SSH_OK))
}

/// What a draft does not take is a wrong argument here.
fn argument(taken: Result<(), Error>) -> Outcome<()> {
    taken.map_err(|error| match error {
        Error::ApiMisuse(text) => Failure::invalid(text),
        other => other.into(),
    })
}
