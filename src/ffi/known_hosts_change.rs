//! Changing known_hosts files.

use std::ffi::c_char;

use crate::driver::Question;
use crate::known_hosts::{Hashing, Host, Marker, NewLine};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::key::ssh_key;
use super::known_hosts::{host_of, ssh_known_hosts};
use super::known_hosts_entry::{
    SSH_KNOWN_HOSTS_MARKER_AUTHORITY, SSH_KNOWN_HOSTS_MARKER_NONE, SSH_KNOWN_HOSTS_MARKER_REVOKED,
};
use super::memory;
use super::request::ssh_request;
use super::status::{ssh_status, SSH_OK};
use super::transport::invalid_if_misuse;

/// Adds a line to the first file, unless it is there already; the file is made (mode 0600) where there is none.
///
/// This and the other changes leave every other line as it is, byte for byte. They are safe against other writers: the
/// file is locked, the new content is written beside it, and takes its place at once, with its mode and owner; links are
/// followed. They wait for the lock for 10 seconds at most.
///
/// @param known_hosts  known hosts with a file
/// @param marker       SSH_KNOWN_HOSTS_MARKER_NONE, or another one; then `host` may be a list of patterns
/// @param host         the host
/// @param port         its port
/// @param key          its key
/// @param comment      what to write behind the key, or NULL for nothing
/// @param hashed       whether to hash the name, so that the file does not tell it; not with a marker
/// @param error        receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_TIMEOUT, SSH_ERR_STATE without a file,
///                     SSH_ERR_INVALID_ARG
/// @return SSH_OK or a failure. Any thread; writes a file. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_add(
    known_hosts: *mut ssh_known_hosts,
    marker: i32,
    host: *const c_char,
    port: u16,
    key: *const ssh_key,
    comment: *const c_char,
    hashed: bool,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let marker = marker_of(marker)?;
        let names = names_of(marker, host, port)?;
        if marker != Marker::None && hashed {
            return Err(Failure::invalid("names with a marker are not hashed"));
        }
        let object = handle::get(known_hosts)?;
        let key = handle::get(key)?;
        let line = NewLine {
            marker,
            names: &names,
            key: key.public(),
            comment: memory::optional_text(comment)?.unwrap_or_default(),
            hashed,
        };
        line.check().map_err(invalid_if_misuse)?;
        object.add_line(&line)?;
        Ok(SSH_OK)
    })
}

/// Gives a host a new key in the first file: in place of the first line that gives it another key of the same type, while
/// further such lines are taken away. Other hosts in those lines keep their key, and so do patterns. Without such a line
/// the new one is added at the end.
///
/// @param known_hosts  known hosts with a file
/// @param host         the host
/// @param port         its port
/// @param key          its key from now on
/// @param comment      what to write behind the key, or NULL for nothing
/// @param hashed       whether to hash the name
/// @param error        as for ssh_known_hosts_add()
/// @return SSH_OK or a failure. Any thread; writes a file. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_replace(
    known_hosts: *mut ssh_known_hosts,
    host: *const c_char,
    port: u16,
    key: *const ssh_key,
    comment: *const c_char,
    hashed: bool,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let names = names_of(Marker::None, host, port)?;
        let object = handle::get(known_hosts)?;
        let key = handle::get(key)?;
        let line = NewLine {
            marker: Marker::None,
            names: &names,
            key: key.public(),
            comment: memory::optional_text(comment)?.unwrap_or_default(),
            hashed,
        };
        line.check().map_err(invalid_if_misuse)?;
        object.replace_line(&line)?;
        Ok(SSH_OK)
    })
}

/// Removes from the first file every line without a marker that names the host, as `ssh-keygen -R` does: whole lines,
/// patterns and other names in them included.
///
/// @param known_hosts  known hosts with a file
/// @param host         the host
/// @param port         its port
/// @param count        receives how many lines were removed; may be NULL
/// @param error        as for ssh_known_hosts_add()
/// @return SSH_OK, also when there was none, or a failure. Any thread; writes a file. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_remove(
    known_hosts: *mut ssh_known_hosts,
    host: *const c_char,
    port: u16,
    count: *mut usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(count, 0);
        let host = host_of(host, port)?;
        memory::write(count, handle::get(known_hosts)?.remove(&host)?);
        Ok(SSH_OK)
    })
}

/// Writes down what a SSH_REQUEST_HOST_KEYS tells: the keys that are new go into the first file, and the lines in which the
/// host has a key that it has no longer out of all files but the system's. Lines with a marker or with patterns stay. This
/// is for known hosts that are not the transport's, or to say whether names are hashed; otherwise ssh_request_accept() does
/// it.
///
/// @param known_hosts  known hosts with a file
/// @param request      the request, answered or not
/// @param host         the host, or NULL for the one of the transport's known hosts
/// @param port         its port; not looked at when the host is NULL
/// @param hashed       whether to hash the name in new lines
/// @param error        as for ssh_known_hosts_add(); SSH_ERR_STATE also for a request of another kind, and when the transport
///                     has no known hosts and no host is given
/// @return SSH_OK or a failure. Any thread; writes files. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_update(
    known_hosts: *mut ssh_known_hosts,
    request: *const ssh_request,
    host: *const c_char,
    port: u16,
    hashed: bool,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(known_hosts)?;
        let request = handle::get(request)?;
        let Question::HostKeys(change) = request.driver.question() else {
            return Err(Failure::state("the request is about no host keys"));
        };
        let host = match (host.is_null(), &change.host) {
            (false, _) => host_of(host, port)?,
            (true, Some(name)) => Host::new(name, 0).map_err(invalid_if_misuse)?,
            (true, None) => {
                return Err(Failure::state(
                    "the transport has no known hosts: name the host",
                ));
            }
        };
        let hashing = match hashed {
            true => Hashing::Hashed,
            false => Hashing::Plain,
        };
        object.change_keys(&host, change, hashing)?;
        Ok(SSH_OK)
    })
}

/// Hashes the names in the first file, as `ssh-keygen -H` does: a line of its own for each name. Patterns and lines with
/// a marker stay as they are. What was there is not kept: unlike ssh-keygen this leaves no file with the old content.
///
/// @param known_hosts  known hosts with a file
/// @param count        receives how many lines were hashed; may be NULL
/// @param error        as for ssh_known_hosts_add()
/// @return SSH_OK, also when there was none, or a failure. Any thread; writes a file. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_hash(
    known_hosts: *mut ssh_known_hosts,
    count: *mut usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(count, 0);
        memory::write(count, handle::get(known_hosts)?.hash()?);
        Ok(SSH_OK)
    })
}

// --- behind the functions -------------------------------------------------------------------------

fn marker_of(number: i32) -> Outcome<Marker> {
    match number {
        SSH_KNOWN_HOSTS_MARKER_NONE => Ok(Marker::None),
        SSH_KNOWN_HOSTS_MARKER_AUTHORITY => Ok(Marker::Authority),
        SSH_KNOWN_HOSTS_MARKER_REVOKED => Ok(Marker::Revoked),
        _ => Err(Failure::invalid("an unknown marker")),
    }
}

/// The names as the line has them. Patterns, which only lines with a marker may have, are taken as they stand.
fn names_of(marker: Marker, host: *const c_char, port: u16) -> Outcome<String> {
    match marker {
        Marker::None => Ok(host_of(host, port)?.name().to_owned()),
        _ => {
            let names = memory::text(host, "the host")?;
            Ok(match port {
                0 | crate::known_hosts::DEFAULT_PORT => names.to_owned(),
                port => format!("[{names}]:{port}"),
            })
        }
    }
}
