//! Certificates at work: with the key that they are about, on a server, and in questions.

use std::ffi::c_char;

use super::certificate::{self, ssh_certificate};
use super::error::ssh_error;
use super::guard::{self, Failure};
use super::handle;
use super::key::{self, ssh_key, KeyObject};
use super::memory;
use super::request::ssh_request;
use super::server::ssh_server;
use super::status::{ssh_status, SSH_OK};

/// The same private key, shown in a certificate from now on: to a server when it logs a user in
/// (ssh_transport_auth_publickey()), to clients where it is a server's (ssh_server_add_key(),
/// ssh_transport_add_server_key(); there it is shown alone, too, to clients that do not want certificates).
///
/// @param key          a private key
/// @param certificate  a signed certificate about it
/// @param error        receives the detail, or NULL: SSH_ERR_INVALID_ARG for a public key, SSH_ERR_STATE for a draft, or
///                     when the certificate is about another key
/// @return a key, freed with ssh_key_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_with_certificate(
    key: *const ssh_key,
    certificate: *const ssh_certificate,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let key = key::private_key(key)?;
        let certificate = certificate::signed(certificate)?;
        key::new_private(key.with_certificate(certificate)?)
    })
}

/// The certificate that a key is shown in.
///
/// @return a certificate, freed with ssh_certificate_free(), or NULL where there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_certificate(key: *const ssh_key) -> *mut ssh_certificate {
    guard::value(std::ptr::null_mut(), || match &*handle::get(key)? {
        KeyObject::Private(key) => match key.certificate() {
            Some(found) => certificate::new_signed(found.clone(), key.comment().to_owned()),
            None => Ok(std::ptr::null_mut()),
        },
        KeyObject::Public { .. } => Ok(std::ptr::null_mut()),
    })
}

/// The certificate that a key was shown in: for SSH_REQUEST_AUTH_KEY_ASKED and SSH_REQUEST_AUTH_KEY_PROVEN one that was
/// found to hold for the user, signed by an authority of ssh_server_add_user_authority(), unless
/// ssh_server_set_ask_certificates() lets others get here too. For SSH_REQUEST_HOST_KEY nobody has looked at it.
///
/// @return a certificate, freed with ssh_certificate_free(), or NULL where there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_certificate(
    request: *const ssh_request,
) -> *mut ssh_certificate {
    guard::value(std::ptr::null_mut(), || {
        match &handle::get(request)?.lent.certificate {
            Some(found) => certificate::new_signed(found.clone(), String::new()),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

/// Bit of ssh_request_security_key_flags(): somebody has touched the security key.
pub const SSH_SECURITY_KEY_PRESENT: u32 = 1;

/// Bit of ssh_request_security_key_flags(): the security key has made sure who it was, by a PIN or a finger.
pub const SSH_SECURITY_KEY_VERIFIED: u32 = 4;

/// What a security key attests about its signature, for SSH_REQUEST_AUTH_KEY_PROVEN.
///
/// @return SSH_SECURITY_KEY_PRESENT, SSH_SECURITY_KEY_VERIFIED; 0 for other keys and requests. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_security_key_flags(request: *const ssh_request) -> u32 {
    guard::value(0, || {
        let seen = handle::get(request)?.lent.attendance;
        Ok(seen.map_or(0, |seen| u32::from(seen.flags)))
    })
}

/// What the client asked for, where a certificate forces a command: the command, the name of the subsystem, or nothing
/// for a shell. Programs know it as SSH_ORIGINAL_COMMAND.
///
/// @param request  a request of kind SSH_REQUEST_EXEC or SSH_REQUEST_SUBSYSTEM
/// @param length   receives the length in bytes, or NULL
/// @return bytes of the request's with a NUL behind them, or NULL where nothing is forced. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_original_command(
    request: *const ssh_request,
    length: *mut usize,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        super::request::lend_bytes(request, length, |lent| lent.original_command.as_ref())
    })
}

/// Has a server trust an authority: certificates that it has signed let the users in that they name, at the time and from
/// the places that they name. Which user a certificate is for is checked here; whether there is such a user is for
/// SSH_REQUEST_AUTH_KEY_PROVEN to say, as for plain keys. What a certificate does not permit ("permit-pty" and the others) is
/// refused without asking, and a command that it forces takes the place of whatever the user asked for. Certificates that do
/// not count are refused, and the reason is logged.
///
/// @param server     the server
/// @param authority  the key of the authority; its public half is enough
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_add_user_authority(
    server: *mut ssh_server,
    authority: *const ssh_key,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        let key = handle::get(authority)?.public().clone();
        object
            .settings
            .lock()
            .change_user_keys(|settings| settings.authorities.add(key));
        Ok(SSH_OK)
    })
}

/// Sets of which names a certificate must have one to let a user in. At first that is the name of the user.
///
/// @param server      the server
/// @param user        the user
/// @param principals  the names; none at all lets no certificate in
/// @param count       how many, at most 4096
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_user_principals(
    server: *mut ssh_server,
    user: *const c_char,
    principals: *const *const c_char,
    count: usize,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        let user = memory::text(user, "the user")?.to_owned();
        let principals: Vec<String> = memory::strings(principals, count)?
            .into_iter()
            .map(str::to_owned)
            .collect();
        if principals.iter().any(String::is_empty) {
            return Err(Failure::invalid("a principal is not empty"));
        }
        object.settings.lock().change_user_keys(|settings| {
            settings.principals.insert(user, principals);
        });
        Ok(SSH_OK)
    })
}

/// Sets whether certificates of authorities that the server does not know are put to the program, in the requests
/// SSH_REQUEST_AUTH_KEY_ASKED and SSH_REQUEST_AUTH_KEY_PROVEN: then nobody has looked at them, and
/// ssh_authorized_keys_answer() is to, for lines with "cert-authority". At first they let nobody in, without asking.
///
/// Nothing else lets such a certificate in: ssh_request_accept() and ssh_request_accept_partial() are taken for a refusal,
/// because nobody would enforce then what it forbids.
///
/// @param server   the server
/// @param enabled  whether they are, from now on, by transports that start
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_ask_certificates(
    server: *mut ssh_server,
    enabled: bool,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        object
            .settings
            .lock()
            .change_user_keys(|settings| settings.asks_about_others = enabled);
        Ok(SSH_OK)
    })
}

/// Sets whether security keys must attest that somebody has touched them, as they must at first. Without it, who answers
/// SSH_REQUEST_AUTH_KEY_PROVEN looks at ssh_request_security_key_flags().
///
/// @param server    the server
/// @param required  whether they must
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_touch_required(
    server: *mut ssh_server,
    required: bool,
) -> ssh_status {
    guard::status(|| {
        handle::get(server)?.settings.lock().touch_required = required;
        Ok(SSH_OK)
    })
}
