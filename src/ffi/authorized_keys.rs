//! `ssh_authorized_keys`: which keys let a user in, and with which restrictions.

use std::ffi::{c_char, c_void, OsStr};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::authorized_keys::{AuthorizedKey, AuthorizedKeys, Candidate, MAX_FILE};
use crate::driver::sys::clock;
use crate::driver::sys::file::read_regular;
use crate::error::{Error, KeyFault};
use crate::keys::{Permissions, ShownKey};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::key::{self, ssh_key};
use super::memory;
use super::request::ssh_request;
use super::status::{ssh_status, SSH_OK};

/// The lines of an authorized_keys file, as sshd(8) describes them: keys with options in front. A line of which anything is
/// not understood, an unknown option above all, lets nobody in: ssh_authorized_keys_warnings(). It does not change; a new
/// file is loaded anew, best at each login.
#[allow(non_camel_case_types)]
pub struct ssh_authorized_keys {
    _opaque: [u8; 0],
}

/// Reads authorized keys from memory.
///
/// @param data    the text
/// @param length  its length in bytes, at most 4 MiB
/// @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED when it is too long
/// @return authorized keys, freed with ssh_authorized_keys_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_load(
    data: *const c_void,
    length: usize,
    error: *mut *mut ssh_error,
) -> *mut ssh_authorized_keys {
    guard::value_with(std::ptr::null_mut(), error, || {
        new_keys(AuthorizedKeys::load(memory::bytes(data, length)?)?)
    })
}

/// Reads authorized keys from a file. Whose file it is and who may write it is for the program to see to, as
/// sshd's StrictModes does.
///
/// @param path   the file, a regular one of at most 4 MiB
/// @param error  receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_KEY_MALFORMED
/// @return authorized keys, freed with ssh_authorized_keys_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_load_file(
    path: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_authorized_keys {
    guard::value_with(std::ptr::null_mut(), error, || {
        let path = match memory::optional_c_bytes(path) {
            Some([]) | None => return Err(Failure::invalid("no path")),
            Some(bytes) => Path::new(OsStr::from_bytes(bytes)),
        };
        new_keys(AuthorizedKeys::load(&read(path)?)?)
    })
}

/// Frees authorized keys.
///
/// @param keys  the authorized keys; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_free(keys: *mut ssh_authorized_keys) {
    guard::value((), || handle::take(keys).map(drop));
}

/// What was passed over, and why: "line 3: an unknown option", one a line.
///
/// @return a string, possibly empty, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_warnings(
    keys: *const ssh_authorized_keys,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        memory::string_out(&handle::get(keys)?.warnings().join("\n"))
    })
}

/// How many lines are understood. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_count(keys: *const ssh_authorized_keys) -> usize {
    guard::value(0, || Ok(handle::get(keys)?.keys().len()))
}

/// Lets a user in by the first line that has the key and whose options do not keep them from it, or refuses. For
/// SSH_REQUEST_AUTH_KEY_ASKED and SSH_REQUEST_AUTH_KEY_PROVEN. A key that is shown in a certificate is let in by a line with
/// "cert-authority" whose key has signed it, and for which it is good: its kind, its time, its principals (one of
/// "principals", or else the user's name), its addresses. Such certificates get here only with
/// ssh_server_set_ask_certificates(), or where the authority is one of ssh_server_add_user_authority() too; then the
/// server has checked them already, against its own principals, and the line is a further restriction.
///
/// Enforced here are "from" and "expiry-time", "principals" and "cert-authority", "no-touch-required" and
/// "verify-required" (with a plain key nobody is verified, and the line does not count). Enforced while the user is in: a
/// forced "command" takes the place of whatever is asked for; terminals, agents, displays and forwarding are refused without
/// asking where the line says so, by "restrict", the "no-" options, "permitopen" and "permitlisten". "environment",
/// "tunnel" and "user-rc" are for the program: ask for them with the index.
///
/// @param keys       the authorized keys
/// @param request    the request, which is answered; it is still to be freed
/// @param host_name  the name that belongs to the client's address, for "from", or NULL. Best one that was looked up both ways
/// @param index      receives the index of the line, or NULL
/// @param error      receives why nobody was let in, or NULL: SSH_ERR_AUTH
/// @return SSH_OK, SSH_ERR_AUTH when the answer was no, SSH_ERR_INVALID_ARG for another kind of request, SSH_ERR_STATE for one
///         that was answered, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_answer(
    keys: *const ssh_authorized_keys,
    request: *mut ssh_request,
    host_name: *const c_char,
    index: *mut usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(index, 0);
        let keys = handle::get(keys)?;
        let request = handle::get(request)?;
        let name = memory::optional_text(host_name)?;
        let lent = &request.lent;
        let (Some(key), Some(user)) = (&lent.key, &lent.username) else {
            return Err(Failure::invalid("the request is not about a user's key"));
        };
        let shown = ShownKey {
            key: key.clone(),
            certificate: lent.certificate.clone(),
        };
        let peer = request.driver.transport().peer_address();
        let found = keys.judge(&Candidate {
            user: user.to_str().unwrap_or(""),
            shown: &shown,
            attendance: lent.attendance,
            is_proven: request.driver.kind() == crate::driver::RequestKind::AuthKeyProven,
            address: peer.and_then(|(address, _)| address_of(&address)),
            name,
            now: crate::driver::unix_time(),
            unix_time: &|time| clock::unix_time(time.fields, time.utc),
        });
        match found {
            Ok((at, permissions)) => {
                request.driver.accept_restricted(permissions)?;
                memory::write(index, at);
                Ok(SSH_OK)
            }
            Err(reason) => {
                request.driver.refuse()?;
                Err(Failure::refused(reason))
            }
        }
    })
}

/// The number of a line in its file, from 1; 0 where there is none. Any thread. Since 0.1.
///
/// @param keys   the authorized keys
/// @param index  which line, from 0
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_line(
    keys: *const ssh_authorized_keys,
    index: usize,
) -> u64 {
    guard::value(0, || {
        Ok(handle::get(keys)?
            .keys()
            .get(index)
            .map_or(0, |key| key.line))
    })
}

/// The key of a line.
///
/// @param keys   the authorized keys
/// @param index  which line, from 0
/// @return a public key with the comment of the line, freed with ssh_key_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_key(
    keys: *const ssh_authorized_keys,
    index: usize,
) -> *mut ssh_key {
    guard::value(std::ptr::null_mut(), || {
        match handle::get(keys)?.keys().get(index) {
            Some(line) => key::new_public(line.key.clone(), line.comment.clone()),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

/// What a line may do: terminals.
pub const SSH_PERMIT_PTY: u32 = 1;

/// What a line may do: forwarding of connections, to the places of its "permitopen" and "permitlisten".
pub const SSH_PERMIT_PORT_FORWARDING: u32 = 2;

/// What a line may do: forwarding of the agent.
pub const SSH_PERMIT_AGENT_FORWARDING: u32 = 4;

/// What a line may do: forwarding of X11.
pub const SSH_PERMIT_X11_FORWARDING: u32 = 8;

/// What a line may do: have the user's rc file run.
pub const SSH_PERMIT_USER_RC: u32 = 16;

/// What a line is: the key of an authority ("cert-authority").
pub const SSH_PERMIT_CERTIFICATES: u32 = 32;

/// What the options of a line leave: SSH_PERMIT_PTY, ...
///
/// @param keys   the authorized keys
/// @param index  which line, from 0
/// @return bits, 0 where there is no such line. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_permits(
    keys: *const ssh_authorized_keys,
    index: usize,
) -> u32 {
    guard::value(0, || {
        let keys = handle::get(keys)?;
        Ok(keys.keys().get(index).map_or(0, permits))
    })
}

/// Whether a line has any options.
///
/// @param keys   the authorized keys
/// @param index  which line, from 0
/// @return false also where there is no such line. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_has_options(
    keys: *const ssh_authorized_keys,
    index: usize,
) -> bool {
    guard::value(false, || {
        let keys = handle::get(keys)?;
        let line = keys.keys().get(index);
        Ok(line.is_some_and(|line| !line.options.is_empty()))
    })
}

/// The text of an option of a line: "command", "from", "principals" or "tunnel".
///
/// @param keys   the authorized keys
/// @param index  which line, from 0
/// @param name   the option
/// @return a string, freed with ssh_memory_free(), or NULL where the line does not have it. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_option(
    keys: *const ssh_authorized_keys,
    index: usize,
    name: *const c_char,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let keys = handle::get(keys)?;
        let name = memory::text(name, "the name")?;
        let value = keys.keys().get(index).and_then(|line| option(line, name));
        optional_string(value)
    })
}

/// A variable that a line sets in the environment of what runs ("environment"). Whether users may set any is for the program
/// to decide.
///
/// @param keys      the authorized keys
/// @param index     which line, from 0
/// @param variable  which variable, from 0
/// @return NAME=value, freed with ssh_memory_free(), or NULL where there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_authorized_keys_environment(
    keys: *const ssh_authorized_keys,
    index: usize,
    variable: usize,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let keys = handle::get(keys)?;
        let line = keys.keys().get(index);
        let found = line.and_then(|line| line.options.permissions.environment.get(variable));
        optional_string(found.map(|(name, value)| format!("{name}={value}")))
    })
}

// --- behind the handle ----------------------------------------------------------------------------

impl Handle for ssh_authorized_keys {
    type Object = AuthorizedKeys;
    const TAG: u8 = 23;
    const NOUN: &'static str = "ssh_authorized_keys";
    const SURVIVES_FORK: bool = true;
}

fn new_keys(keys: AuthorizedKeys) -> Outcome<*mut ssh_authorized_keys> {
    handle::insert(Arc::new(keys))
}

fn optional_string(text: Option<String>) -> Outcome<*mut c_char> {
    match text {
        Some(text) => memory::string_out(&text),
        None => Ok(std::ptr::null_mut()),
    }
}

fn permits(line: &AuthorizedKey) -> u32 {
    let Permissions {
        pty,
        port_forwarding,
        agent_forwarding,
        x11_forwarding,
        user_rc,
        ..
    } = line.options.permissions;
    [
        (pty, SSH_PERMIT_PTY),
        (port_forwarding, SSH_PERMIT_PORT_FORWARDING),
        (agent_forwarding, SSH_PERMIT_AGENT_FORWARDING),
        (x11_forwarding, SSH_PERMIT_X11_FORWARDING),
        (user_rc, SSH_PERMIT_USER_RC),
        (line.options.is_authority, SSH_PERMIT_CERTIFICATES),
    ]
    .into_iter()
    .filter(|(may, _)| *may)
    .fold(0, |bits, (_, bit)| bits | bit)
}

fn option(line: &AuthorizedKey, name: &str) -> Option<String> {
    let options = &line.options;
    match name {
        "command" => options.permissions.forced_command.clone(),
        "from" => options.from.clone(),
        "principals" => options.principals.as_ref().map(|names| names.join(",")),
        "tunnel" => options.tunnel.clone(),
        _ => None,
    }
}

/// Of an address with a zone the part that patterns know.
fn address_of(peer: &str) -> Option<IpAddr> {
    peer.split('%').next()?.parse().ok()
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| Error::Io {
        operation: "read authorized keys",
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    };
    read_regular(path, MAX_FILE)
        .map_err(failed)?
        .ok_or_else(|| KeyFault::Malformed("not a regular file").into())
}
