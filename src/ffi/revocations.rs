//! `ssh_revocations`: lists of keys and certificates that must not be trusted any more.

use std::ffi::{c_char, c_void};
use std::path::Path;
use std::sync::Arc;

use crate::driver::sys::file::read_regular;
use crate::error::{CertificateFault, Error, KeyFault};
use crate::keys::revocation::MAX_REVOCATIONS;
use crate::keys::{RevocationList, ShownKey};

use super::certificate::{self, ssh_certificate};
use super::error::ssh_error;
use super::guard::{self, Outcome};
use super::handle::{self, Handle};
use super::key::{self, ssh_key};
use super::memory;
use super::server::ssh_server;
use super::status::{ssh_status, SSH_ERR_REVOKED, SSH_OK};
use super::transport::ssh_transport;

/// A list of what is revoked: one of OpenSSH's key revocation lists (KRL, as ssh-keygen -k makes them), or a plain file with
/// one public key a line. It does not change; a new file is loaded as a new list.
#[allow(non_camel_case_types)]
pub struct ssh_revocations {
    _opaque: [u8; 0],
}

/// Reads a list from memory. One that is not understood in full is refused, for what is not understood may be what is
/// revoked. Signatures of lists are passed over.
///
/// @param data    the bytes
/// @param length  how many, at most 64 MiB
/// @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
/// @return a list, freed with ssh_revocations_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_revocations_load(
    data: *const c_void,
    length: usize,
    error: *mut *mut ssh_error,
) -> *mut ssh_revocations {
    guard::value_with(std::ptr::null_mut(), error, || {
        new_list(RevocationList::load(memory::bytes(data, length)?)?)
    })
}

/// Reads a list from a file, as ssh_revocations_load() does from memory.
///
/// @param path   the file, a regular one of at most 64 MiB
/// @param error  receives the detail, or NULL: as for ssh_revocations_load(), and SSH_ERR_IO
/// @return a list, freed with ssh_revocations_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_revocations_load_file(
    path: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_revocations {
    guard::value_with(std::ptr::null_mut(), error, || {
        new_list(RevocationList::load(&read(key::path_of(path)?)?)?)
    })
}

/// Frees a list. Servers that use it keep it.
///
/// @param revocations  the list; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_revocations_free(revocations: *mut ssh_revocations) {
    guard::value((), || handle::take(revocations).map(drop));
}

/// The number that whoever made the list gave it; 0 for plain files, and for what is no list.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_revocations_version(revocations: *const ssh_revocations) -> u64 {
    guard::value(0, || Ok(handle::get(revocations)?.version()))
}

/// What whoever made the list calls it, safe to show.
///
/// @return a string, possibly empty, freed with ssh_memory_free(), or NULL for what is no list. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_revocations_comment(
    revocations: *const ssh_revocations,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        memory::string_out(handle::get(revocations)?.comment())
    })
}

/// Whether a key is revoked.
///
/// @param revocations  the list
/// @param key          the key; its public half is enough
/// @return SSH_OK when it is not, SSH_ERR_REVOKED when it is, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_revocations_check_key(
    revocations: *const ssh_revocations,
    key: *const ssh_key,
) -> ssh_status {
    guard::status(|| {
        let shown = handle::get(key)?.public().clone().into();
        Ok(judge(handle::get(revocations)?.check(&shown)))
    })
}

/// Whether a certificate is revoked: it, the key that it is about, or that of its authority.
///
/// @param revocations  the list
/// @param certificate  a signed certificate
/// @return SSH_OK when it is not, SSH_ERR_REVOKED when it is, SSH_ERR_STATE for a draft, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_revocations_check_certificate(
    revocations: *const ssh_revocations,
    certificate: *const ssh_certificate,
) -> ssh_status {
    guard::status(|| {
        let certificate = certificate::signed(certificate)?;
        let shown = ShownKey {
            key: certificate.key().clone(),
            certificate: Some(certificate),
        };
        Ok(judge(handle::get(revocations)?.check(&shown)))
    })
}

/// Has a server refuse keys and certificates that are revoked, without asking, and log it. Transports take the list as it
/// is when they start.
///
/// @param server       the server
/// @param revocations  the list, or NULL for none: look at what ssh_revocations_load() gave you first, or a file that cannot
///                     be read revokes nothing
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_revocations(
    server: *mut ssh_server,
    revocations: *const ssh_revocations,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        let list = handle::get_optional(revocations)?.map(|list| list.share());
        object
            .settings
            .lock()
            .change_user_keys(|settings| settings.revocations = list);
        Ok(SSH_OK)
    })
}

/// Has a client refuse host keys and certificates that are revoked, before anything or anybody else is asked about them, an
/// expected key and ssh_transport_set_insecure_accept_any_host_key() included: the session ends with SSH_ERR_HOSTKEY. Such
/// keys are not learnt either when the server tells of them (SSH_REQUEST_HOST_KEYS). This is RevokedHostKeys of ssh_config.
///
/// @param transport    a transport that is not started
/// @param revocations  the list, or NULL for none: look at what ssh_revocations_load() gave you first, or a file that cannot
///                     be read revokes nothing
/// @return SSH_OK, SSH_ERR_STATE once it is started, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_revoked_host_keys(
    transport: *mut ssh_transport,
    revocations: *const ssh_revocations,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(transport)?;
        let list = handle::get_optional(revocations)?.map(|list| list.share());
        object
            .driver
            .configure(|options| options.revoked_host_keys = list.into_iter().collect())?;
        Ok(SSH_OK)
    })
}

// --- behind the handle ----------------------------------------------------------------------------

impl Handle for ssh_revocations {
    type Object = RevocationList;
    const TAG: u8 = 22;
    const NOUN: &'static str = "ssh_revocations";
    const SURVIVES_FORK: bool = true;
}

fn new_list(list: RevocationList) -> Outcome<*mut ssh_revocations> {
    handle::insert(Arc::new(list))
}

fn judge(found: Result<(), CertificateFault>) -> ssh_status {
    match found {
        Ok(()) => SSH_OK,
        Err(_) => SSH_ERR_REVOKED,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| Error::Io {
        operation: "read revocation list",
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    };
    read_regular(path, MAX_REVOCATIONS)
        .map_err(failed)?
        .ok_or_else(|| KeyFault::Malformed("not a regular file").into())
}
