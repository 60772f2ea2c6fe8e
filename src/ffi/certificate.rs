//! `ssh_certificate`: reading certificates, looking at them, and whether they count.

use std::ffi::{c_char, c_void};
use std::net::IpAddr;
use std::sync::Arc;

use crate::codec::printable;
use crate::driver::sync::Mutex;
use crate::error::Error;
use crate::keys::certificate::{
    Authorities, CertificateCheck, CertificateDraft, CertificateKind, CertificateOption,
};
use crate::keys::Certificate;

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::key::{self, ssh_key};
use super::key_file::{self, Access};
use super::memory;
use super::status::{ssh_status, SSH_OK};

/// A certificate: the signature of an authority over a key, the names it holds for, and what it permits (OpenSSH,
/// PROTOCOL.certkeys). Reading one checks its form and nothing else; whether it counts is for ssh_certificate_check() to
/// say, and for a server that was given authorities.
///
/// Certificates that were read or signed do not change. One of ssh_certificate_new() is a draft until it is signed.
#[allow(non_camel_case_types)]
pub struct ssh_certificate {
    _opaque: [u8; 0],
}

/// Kind of certificate: for a user, who logs in with the key.
pub const SSH_CERTIFICATE_USER: i32 = 1;

/// Kind of certificate: for a host, which proves itself with the key.
pub const SSH_CERTIFICATE_HOST: i32 = 2;

/// Reads a certificate from memory.
///
/// @param data    a line `type base64 [comment]` as in a -cert.pub file; empty lines and comments may stand around it
/// @param length  its length in bytes
/// @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
/// @return a certificate, freed with ssh_certificate_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_load(
    data: *const c_void,
    length: usize,
    error: *mut *mut ssh_error,
) -> *mut ssh_certificate {
    guard::value_with(std::ptr::null_mut(), error, || {
        let data = key::bounded(memory::bytes(data, length)?)?;
        let (certificate, comment) = Certificate::load(data)?;
        new_signed(certificate, comment)
    })
}

/// Reads a certificate from a file, as ssh_certificate_load() does from memory.
///
/// @param path   the file, often that of the key with "-cert.pub" behind it; a regular one of at most 1 MiB
/// @param error  receives the detail, or NULL: as for ssh_certificate_load(), and SSH_ERR_IO
/// @return a certificate, freed with ssh_certificate_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_load_file(
    path: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_certificate {
    guard::value_with(std::ptr::null_mut(), error, || {
        let data = key_file::read(key::path_of(path)?, Access::Any)?;
        let (certificate, comment) = Certificate::load(&data)?;
        new_signed(certificate, comment)
    })
}

/// Reads a certificate from its blob, the form it has on the wire.
///
/// @param blob    the bytes
/// @param length  how many, at most 64 KiB
/// @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
/// @return a certificate, freed with ssh_certificate_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_from_blob(
    blob: *const c_void,
    length: usize,
    error: *mut *mut ssh_error,
) -> *mut ssh_certificate {
    guard::value_with(std::ptr::null_mut(), error, || {
        let blob = key::bounded(memory::bytes(blob, length)?)?;
        new_signed(Certificate::from_blob(blob)?, String::new())
    })
}

/// Frees a certificate.
///
/// @param certificate  the certificate; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_free(certificate: *mut ssh_certificate) {
    guard::value((), || handle::take(certificate).map(drop));
}

/// Whether a certificate counts now, for somebody, from somewhere: it is of the kind, one of the authorities has signed
/// it, it names the principal, its time has come and not gone, and it has no critical option that is unknown or not met.
/// ("source-address" is checked here; "force-command" and "verify-required" are for the caller to obey.)
///
/// @param certificate      a signed certificate
/// @param kind             SSH_CERTIFICATE_USER or SSH_CERTIFICATE_HOST
/// @param authorities      the keys of those who may sign
/// @param authority_count  how many; with 0 nothing counts
/// @param principal        the user or host it must name. In host certificates names may be patterns with * and ?
/// @param address          where the user comes from, such as "192.0.2.7", or NULL where that is unknown: certificates
///                         that are bound to addresses do not count then. Not looked at for hosts
/// @param now              seconds since 1970, or 0 for the time of the system
/// @param error            receives the reason, or NULL: SSH_ERR_CERTIFICATE
/// @return SSH_OK, SSH_ERR_CERTIFICATE, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_check(
    certificate: *const ssh_certificate,
    kind: i32,
    authorities: *const *const ssh_key,
    authority_count: usize,
    principal: *const c_char,
    address: *const c_char,
    now: u64,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let certificate = signed(certificate)?;
        let mut trusted = Authorities::default();
        for authority in memory::array_of(authorities, authority_count, 4096)? {
            trusted.add(handle::get(*authority)?.public().clone());
        }
        let principal = memory::text(principal, "the principal")?;
        let address = memory::optional_text(address)?
            .map(str::parse::<IpAddr>)
            .transpose()
            .map_err(|_| Failure::invalid("no address"))?;
        let wanted = CertificateCheck {
            kind: kind_of(kind)?,
            principals: &[principal],
            now: if now == 0 {
                crate::driver::unix_time()
            } else {
                now
            },
            address,
        };
        trusted.check(&certificate, &wanted).map_err(Error::from)?;
        Ok(SSH_OK)
    })
}

/// The kind of a certificate.
///
/// @return SSH_CERTIFICATE_USER, SSH_CERTIFICATE_HOST, or 0 for what is no signed certificate. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_kind(certificate: *const ssh_certificate) -> i32 {
    guard::value(0, || Ok(number_of(signed(certificate)?.kind())))
}

/// The type name in a certificate, such as "ssh-ed25519-cert-v01@openssh.com".
///
/// @return a string, freed with ssh_memory_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_type(certificate: *const ssh_certificate) -> *mut c_char {
    text_of(certificate, |certificate| {
        Some(certificate.type_name().to_owned())
    })
}

/// The number that the authority gave the certificate; 0 where it numbers none, and for what is no signed certificate.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_serial(certificate: *const ssh_certificate) -> u64 {
    guard::value(0, || Ok(signed(certificate)?.serial()))
}

/// What the authority calls the certificate, safe to show and to log.
///
/// @return a string, freed with ssh_memory_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_key_id(
    certificate: *const ssh_certificate,
) -> *mut c_char {
    text_of(certificate, |certificate| {
        Some(printable(certificate.key_id().as_bytes(), usize::MAX))
    })
}

/// How many principals a certificate names. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_principal_count(
    certificate: *const ssh_certificate,
) -> usize {
    guard::value(0, || Ok(signed(certificate)?.principals().len()))
}

/// A principal: a user or host that the certificate holds for. The bytes are the authority's, not made safe to show.
///
/// @param certificate  a signed certificate
/// @param index        from 0
/// @return a string, freed with ssh_memory_free(), or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_principal(
    certificate: *const ssh_certificate,
    index: usize,
) -> *mut c_char {
    text_of(certificate, |certificate| {
        certificate.principals().get(index).cloned()
    })
}

/// From when a certificate holds, in seconds since 1970. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_valid_after(certificate: *const ssh_certificate) -> u64 {
    guard::value(0, || Ok(signed(certificate)?.valid_after()))
}

/// From when a certificate holds no more, in seconds since 1970; UINT64_MAX for never. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_valid_before(certificate: *const ssh_certificate) -> u64 {
    guard::value(0, || Ok(signed(certificate)?.valid_before()))
}

/// How many critical options a certificate has. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_critical_option_count(
    certificate: *const ssh_certificate,
) -> usize {
    guard::value(0, || Ok(signed(certificate)?.critical_options().len()))
}

/// The name of a critical option, such as "force-command".
///
/// @param certificate  a signed certificate
/// @param index        from 0
/// @return a string, freed with ssh_memory_free(), or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_critical_option_name(
    certificate: *const ssh_certificate,
    index: usize,
) -> *mut c_char {
    text_of(certificate, |certificate| {
        name_of(certificate.critical_options(), index)
    })
}

/// The text of a critical option.
///
/// @param certificate  a signed certificate
/// @param name         the option, such as "force-command"
/// @return a string, freed with ssh_memory_free(); NULL when there is no such option, and for one without text.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_critical_option(
    certificate: *const ssh_certificate,
    name: *const c_char,
) -> *mut c_char {
    text_of(certificate, |certificate| {
        value_of(certificate.critical_options(), name)
    })
}

/// How many extensions a certificate has. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_extension_count(
    certificate: *const ssh_certificate,
) -> usize {
    guard::value(0, || Ok(signed(certificate)?.extensions().len()))
}

/// The name of an extension, such as "permit-pty".
///
/// @param certificate  a signed certificate
/// @param index        from 0
/// @return a string, freed with ssh_memory_free(), or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_extension_name(
    certificate: *const ssh_certificate,
    index: usize,
) -> *mut c_char {
    text_of(certificate, |certificate| {
        name_of(certificate.extensions(), index)
    })
}

/// The text of an extension.
///
/// @param certificate  a signed certificate
/// @param name         the extension
/// @return a string, freed with ssh_memory_free(); NULL when there is no such extension, and for one without text.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_extension(
    certificate: *const ssh_certificate,
    name: *const c_char,
) -> *mut c_char {
    text_of(certificate, |certificate| {
        value_of(certificate.extensions(), name)
    })
}

/// The key that a certificate is about, as a key of its own.
///
/// @return a public key, freed with ssh_key_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_key(certificate: *const ssh_certificate) -> *mut ssh_key {
    guard::value(std::ptr::null_mut(), || {
        key::new_public(signed(certificate)?.key().clone(), String::new())
    })
}

/// The key of the authority that has signed a certificate.
///
/// @return a public key, freed with ssh_key_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_authority(
    certificate: *const ssh_certificate,
) -> *mut ssh_key {
    guard::value(std::ptr::null_mut(), || {
        key::new_public(signed(certificate)?.authority().clone(), String::new())
    })
}

/// The fingerprint of the key that a certificate is about, as ssh-keygen -l shows it.
///
/// @return a string, freed with ssh_memory_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_fingerprint(
    certificate: *const ssh_certificate,
) -> *mut c_char {
    text_of(certificate, |certificate| {
        Some(certificate.key().fingerprint())
    })
}

/// The algorithm that the authority has signed with, such as "rsa-sha2-512".
///
/// @return a string, freed with ssh_memory_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_signature_algorithm(
    certificate: *const ssh_certificate,
) -> *mut c_char {
    text_of(certificate, |certificate| {
        Some(printable(certificate.signature_algorithm().as_bytes(), 64))
    })
}

/// A certificate as one line, `type base64 comment` without a newline, as in -cert.pub files.
///
/// @param certificate  a signed certificate
/// @param comment      the comment to put there, or NULL for the one it was read with
/// @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_line(
    certificate: *const ssh_certificate,
    comment: *const c_char,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(certificate)?;
        let CertificateObject::Signed(certificate, own) = &*object else {
            return Err(unsigned());
        };
        let comment = memory::optional_text(comment)?.unwrap_or(own);
        memory::string_out(&certificate.to_line(comment))
    })
}

/// The blob of a certificate, the form it has on the wire.
///
/// @param certificate  a signed certificate
/// @param blob         receives the bytes, freed with ssh_memory_free()
/// @param length       receives how many
/// @return SSH_OK, SSH_ERR_STATE for a draft, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_certificate_blob(
    certificate: *const ssh_certificate,
    blob: *mut *mut c_void,
    length: *mut usize,
) -> ssh_status {
    guard::status(|| {
        memory::clear_bytes(blob, length);
        memory::bytes_out(signed(certificate)?.blob(), blob, length)?;
        Ok(SSH_OK)
    })
}

// --- behind the handle ----------------------------------------------------------------------------

/// What a certificate handle leads to.
pub(crate) enum CertificateObject {
    Signed(Certificate, String),
    Draft(Mutex<CertificateDraft>),
}

impl Handle for ssh_certificate {
    type Object = CertificateObject;
    const TAG: u8 = 12;
    const NOUN: &'static str = "ssh_certificate";
}

/// A handle of a signed certificate.
pub(crate) fn new_signed(
    certificate: Certificate,
    comment: String,
) -> Outcome<*mut ssh_certificate> {
    handle::insert(Arc::new(CertificateObject::Signed(certificate, comment)))
}

/// The signed certificate behind a handle.
pub(crate) fn signed(certificate: *const ssh_certificate) -> Outcome<Certificate> {
    match &*handle::get(certificate)? {
        CertificateObject::Signed(certificate, _) => Ok(certificate.clone()),
        CertificateObject::Draft(_) => Err(unsigned()),
    }
}

pub(super) fn unsigned() -> Failure {
    Failure::state("the certificate is a draft that was not signed")
}

pub(super) fn kind_of(number: i32) -> Outcome<CertificateKind> {
    u32::try_from(number)
        .ok()
        .and_then(CertificateKind::from_number)
        .ok_or_else(|| Failure::invalid("an unknown kind of certificate"))
}

fn number_of(kind: CertificateKind) -> i32 {
    match kind {
        CertificateKind::User => SSH_CERTIFICATE_USER,
        CertificateKind::Host => SSH_CERTIFICATE_HOST,
    }
}

fn text_of(
    certificate: *const ssh_certificate,
    text: impl FnOnce(&Certificate) -> Option<String>,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || match text(&signed(certificate)?) {
        Some(text) => memory::string_out(&text),
        None => Ok(std::ptr::null_mut()),
    })
}

fn name_of(options: &[CertificateOption], index: usize) -> Option<String> {
    options.get(index).map(|option| option.name.clone())
}

fn value_of(options: &[CertificateOption], name: *const c_char) -> Option<String> {
    let name = memory::optional_text(name).ok().flatten()?;
    let option = options.iter().find(|option| option.name == name)?;
    option.value().map(str::to_owned)
}
