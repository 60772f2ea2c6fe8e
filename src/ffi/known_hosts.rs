//! `ssh_known_hosts`: which keys hosts are known to have.

use std::ffi::{c_char, c_void, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::driver::HostKeyJudge;
use crate::known_hosts::{Attached, Host, Judgement, KnownHosts, Verdict};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::key::ssh_key;
use super::known_hosts_entry::{self, ssh_known_hosts_entry};
use super::memory;
use super::status::{ssh_status, SSH_OK};
use super::text;
use super::transport::{invalid_if_misuse, ssh_transport};
use super::transport_object;

/// The files in which hosts are listed with their keys, in OpenSSH's format: plain and hashed names, `[host]:port`,
/// patterns, `@cert-authority` and `@revoked`.
///
/// Files are looked at for each question, and read again when they have changed. One that does not exist is an empty
/// one; one that cannot be read makes the call fail, and nothing is taken for known. Lines that make no sense, or are
/// longer than 16 KiB, are passed over: ssh_known_hosts_warnings(). A file may have 16 MiB.
///
/// Hosts are given as name and port. A port other than 22 is part of the name in files, as `[host]:port`; a host that is
/// not listed so, but without the port, is known by that. With port 0 the name is taken as it stands.
#[allow(non_camel_case_types)]
pub struct ssh_known_hosts {
    _opaque: [u8; 0],
}

/// Verdict: the host is known to have this key.
pub const SSH_KNOWN_HOSTS_MATCH: i32 = 1;

/// Verdict: nothing is known about the host.
pub const SSH_KNOWN_HOSTS_UNKNOWN: i32 = 2;

/// Verdict: the host is known to have keys, but none of this type. Where the known ones were offered first, as
/// ssh_known_hosts_order() has them, this is as bad as SSH_KNOWN_HOSTS_CHANGED, and ssh makes no difference.
pub const SSH_KNOWN_HOSTS_OTHER_TYPE: i32 = 3;

/// Verdict: the host is known to have another key of this type.
pub const SSH_KNOWN_HOSTS_CHANGED: i32 = 4;

/// Verdict: the key is marked `@revoked`, whatever else is known.
pub const SSH_KNOWN_HOSTS_REVOKED: i32 = 5;

/// Makes known hosts without any.
///
/// @return known hosts, freed with ssh_known_hosts_free(), or NULL when memory is short. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_known_hosts_new() -> *mut ssh_known_hosts {
    guard::value(std::ptr::null_mut(), || new_handle(KnownHosts::default()))
}

/// Makes known hosts of the files that ssh uses by default: `.ssh/known_hosts` and `.ssh/known_hosts2` in the home of the
/// account that runs the program, and the system's `/etc/ssh/ssh_known_hosts` and `/etc/ssh/ssh_known_hosts2`.
///
/// @param error  receives the detail, or NULL: SSH_ERR_IO when one of them is there and cannot be read, SSH_ERR_STATE
///               when the account has no home
/// @return known hosts, freed with ssh_known_hosts_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_new_default(
    error: *mut *mut ssh_error,
) -> *mut ssh_known_hosts {
    guard::value_with(std::ptr::null_mut(), error, || {
        let known = KnownHosts::default();
        let home = home()?.join(".ssh");
        for name in ["known_hosts", "known_hosts2"] {
            known.add_file(&home.join(name))?;
        }
        for name in ["ssh_known_hosts", "ssh_known_hosts2"] {
            known.add_system_file(&Path::new("/etc/ssh").join(name))?;
        }
        new_handle(known)
    })
}

/// Frees the handle. Transports that use the known hosts keep them.
///
/// @param known_hosts  the known hosts; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_free(known_hosts: *mut ssh_known_hosts) {
    guard::value((), || handle::take(known_hosts).map(drop));
}

/// Adds a file behind those there are. The first one is where changes go; all of them are asked.
///
/// @param known_hosts  the known hosts
/// @param path         the file; it need not exist yet
/// @param error        receives the detail, or NULL: SSH_ERR_IO when it is there and cannot be read
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_add_file(
    known_hosts: *mut ssh_known_hosts,
    path: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(known_hosts)?;
        match memory::optional_c_bytes(path) {
            Some([]) | None => return Err(Failure::invalid("no path")),
            // Paths are bytes to the system, whatever their encoding.
            Some(path) => object.add_file(Path::new(OsStr::from_bytes(path)))?,
        }
        Ok(SSH_OK)
    })
}

/// Adds lines that stand in no file, for programs that keep them elsewhere.
///
/// @param known_hosts  the known hosts
/// @param text         lines as in a file; copied
/// @param length       how many bytes
/// @param error        receives the detail, or NULL: SSH_ERR_INVALID_ARG for more than 16 MiB
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_add_lines(
    known_hosts: *mut ssh_known_hosts,
    text: *const c_void,
    length: usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(known_hosts)?;
        let text = memory::bytes(text, length)?;
        object.add_text(text).map_err(invalid_if_misuse)?;
        Ok(SSH_OK)
    })
}

/// What is known about a host and a key that it shows.
///
/// @param known_hosts  the known hosts
/// @param host         the name or address, as the user gave it
/// @param port         the port
/// @param key          the key that the host has shown
/// @param verdict      receives SSH_KNOWN_HOSTS_MATCH, ...; 0 on failure, which means that nothing is known for sure
/// @param entry        receives the line that decided, freed with ssh_known_hosts_entry_free(), or NULL for
///                     SSH_KNOWN_HOSTS_UNKNOWN; may be NULL
/// @param error        receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG for what is no host's name
/// @return SSH_OK or a failure. Any thread; reads files. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_check(
    known_hosts: *const ssh_known_hosts,
    host: *const c_char,
    port: u16,
    key: *const ssh_key,
    verdict: *mut i32,
    entry: *mut *mut ssh_known_hosts_entry,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        clear(verdict, entry);
        let (object, host) = (handle::get(known_hosts)?, host_of(host, port)?);
        let judgement = object.judge(&host, handle::get(key)?.public())?;
        give(judgement, verdict, entry)
    })
}

/// What is known about the key that has signed a host's certificate: SSH_KNOWN_HOSTS_MATCH when a line with
/// `@cert-authority` names host and key, SSH_KNOWN_HOSTS_REVOKED, or SSH_KNOWN_HOSTS_UNKNOWN. Whether the certificate is a
/// good one is another question.
///
/// @param known_hosts  as for ssh_known_hosts_check()
/// @param host         as for ssh_known_hosts_check()
/// @param port         as for ssh_known_hosts_check()
/// @param key          the key that signed the certificate
/// @param verdict      as for ssh_known_hosts_check()
/// @param entry        as for ssh_known_hosts_check()
/// @param error        as for ssh_known_hosts_check()
/// @return SSH_OK or a failure. Any thread; reads files. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_check_authority(
    known_hosts: *const ssh_known_hosts,
    host: *const c_char,
    port: u16,
    key: *const ssh_key,
    verdict: *mut i32,
    entry: *mut *mut ssh_known_hosts_entry,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        clear(verdict, entry);
        let (object, host) = (handle::get(known_hosts)?, host_of(host, port)?);
        let judgement = object.judge_authority(&host, handle::get(key)?.public())?;
        give(judgement, verdict, entry)
    })
}

/// Puts host key algorithms in the order in which they should be offered to a host: those first that lead to a key that it
/// is known to have. ssh_transport_set_known_hosts() does this by itself; programs that decide otherwise give the result
/// to ssh_security_options_set_key_types().
///
/// @param known_hosts  the known hosts
/// @param host         the host
/// @param port         the port
/// @param algorithms   names separated by commas, such as ssh_security_options_key_types() returns
/// @param error        receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG
/// @return the same names, freed with ssh_memory_free(), or NULL. Any thread; reads files. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_order(
    known_hosts: *const ssh_known_hosts,
    host: *const c_char,
    port: u16,
    algorithms: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut c_char {
    guard::value_with(std::ptr::null_mut(), error, || {
        let (object, host) = (handle::get(known_hosts)?, host_of(host, port)?);
        let names = text::names(memory::text(algorithms, "the list of names")?)?;
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        memory::string_out(&object.order(&host, &names)?.join(","))
    })
}

/// One of the lines that name a host, whatever marker they have, or of all lines that make sense.
///
/// @param known_hosts  the known hosts
/// @param host         the host, or NULL for all lines; a port is looked for as given, and not without it
/// @param port         the port
/// @param index        which of the lines, from 0
/// @param error        receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG
/// @return the line, freed with ssh_known_hosts_entry_free(); NULL when there are no more of them (then `error` is NULL
///         too) or on failure. Any thread; reads files. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_find(
    known_hosts: *const ssh_known_hosts,
    host: *const c_char,
    port: u16,
    index: usize,
    error: *mut *mut ssh_error,
) -> *mut ssh_known_hosts_entry {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(known_hosts)?;
        let host = match host.is_null() {
            true => None,
            false => Some(host_of(host, port)?),
        };
        match object.find(host.as_ref(), index)? {
            Some(entry) => known_hosts_entry::new_handle(entry),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

/// The lines that are passed over because they make no sense, the first hundred: `file:line: why`, each with a newline.
///
/// @param known_hosts  the known hosts
/// @param error        receives the detail, or NULL: SSH_ERR_IO
/// @return text, empty when all is well, freed with ssh_memory_free(), or NULL. Any thread; reads files. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_known_hosts_warnings(
    known_hosts: *const ssh_known_hosts,
    error: *mut *mut ssh_error,
) -> *mut c_char {
    guard::value_with(std::ptr::null_mut(), error, || {
        let faults = handle::get(known_hosts)?.faults()?;
        let lines: Vec<_> = faults.iter().map(|fault| format!("{fault}\n")).collect();
        memory::string_out(&lines.concat())
    })
}

/// Has known hosts decide about the key of a transport's server. Before the start: the algorithms are then offered in the
/// order that suits what is known. A key that matches is accepted; one that is changed, of another type than is known, or
/// revoked ends the session with SSH_ERR_HOSTKEY, and ssh_error_message() says what to do. Where nothing is known of the
/// host, the question is the program's: SSH_REQUEST_HOST_KEY where it is set up, or else ssh_transport_accept_host_key()
/// after the start; without either nobody can log in. Nothing is written: see ssh_known_hosts_add(). An expected key
/// (ssh_transport_set_expected_host_key()) goes before.
///
/// @param transport    the transport
/// @param known_hosts  the known hosts, kept as long as the transport needs them; NULL for none
/// @param host         the host that the user wants, or NULL for the one of ssh_transport_new_address()
/// @param port         its port, 0 where the host is an alias to be taken as it stands; not looked at when the host is NULL
/// @param error        receives the detail, or NULL: SSH_ERR_STATE once the transport is started, or when it was not made
///                     from an address and no host is given, SSH_ERR_INVALID_ARG
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_known_hosts(
    transport: *mut ssh_transport,
    known_hosts: *const ssh_known_hosts,
    host: *const c_char,
    port: u16,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let attached = match handle::get_optional(known_hosts)? {
                None => None,
                Some(known) => {
                    let host = match (host.is_null(), &object.address) {
                        (false, _) => host_of(host, port)?,
                        (true, Some((host, port))) => {
                            Host::new(host, *port).map_err(invalid_if_misuse)?
                        }
                        (true, None) => {
                            return Err(Failure::state(
                                "the transport was not made from an address: name the host",
                            ));
                        }
                    };
                    Some(Arc::new(Attached::new(known.share(), host)))
                }
            };
            let judge = attached
                .clone()
                .map(|judge| -> Arc<dyn HostKeyJudge> { judge });
            object
                .driver
                .configure(|options| options.host_key_judge = judge)?;
            *object.known_hosts.lock() = attached;
            Ok(SSH_OK)
        })
    })
}

/// What the known hosts of a transport said about its server's key, also while SSH_REQUEST_HOST_KEY asks about it.
///
/// @param transport  the transport
/// @param verdict    receives SSH_KNOWN_HOSTS_MATCH, ...; 0 while there is no verdict
/// @param entry      receives the line that decided, freed with ssh_known_hosts_entry_free(), or NULL; may be NULL
/// @return SSH_OK, SSH_ERR_STATE while there is no verdict, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_known_hosts_verdict(
    transport: *const ssh_transport,
    verdict: *mut i32,
    entry: *mut *mut ssh_known_hosts_entry,
) -> ssh_status {
    guard::status(|| {
        clear(verdict, entry);
        transport_object::with(transport, |object| {
            let attached = object.known_hosts.lock().clone();
            let judgement = attached
                .and_then(|attached| attached.judgement())
                .ok_or_else(|| Failure::state("the known hosts were not asked"))?;
            give(judgement, verdict, entry)
        })
    })
}

// --- behind the handle ----------------------------------------------------------------------------

impl Handle for ssh_known_hosts {
    type Object = KnownHosts;
    const TAG: u8 = 26;
    const NOUN: &'static str = "ssh_known_hosts";
}

fn new_handle(known: KnownHosts) -> Outcome<*mut ssh_known_hosts> {
    handle::insert(Arc::new(known))
}

/// The host that the caller means.
pub(crate) fn host_of(host: *const c_char, port: u16) -> Outcome<Host> {
    Host::new(memory::text(host, "the host")?, port).map_err(invalid_if_misuse)
}

fn clear(verdict: *mut i32, entry: *mut *mut ssh_known_hosts_entry) {
    memory::write(verdict, 0);
    memory::write(entry, std::ptr::null_mut());
}

fn give(
    judgement: Judgement,
    verdict: *mut i32,
    entry: *mut *mut ssh_known_hosts_entry,
) -> Outcome<ssh_status> {
    if let (Some(found), false) = (judgement.entry, entry.is_null()) {
        memory::write(entry, known_hosts_entry::new_handle(found)?);
    }
    memory::write(
        verdict,
        match judgement.verdict {
            Verdict::Match => SSH_KNOWN_HOSTS_MATCH,
            Verdict::Unknown => SSH_KNOWN_HOSTS_UNKNOWN,
            Verdict::OtherTypeKnown => SSH_KNOWN_HOSTS_OTHER_TYPE,
            Verdict::Changed => SSH_KNOWN_HOSTS_CHANGED,
            Verdict::Revoked => SSH_KNOWN_HOSTS_REVOKED,
        },
    );
    Ok(SSH_OK)
}

/// The home in the account's entry, which is where ssh looks, whatever HOME says.
fn home() -> Outcome<PathBuf> {
    nix::unistd::User::from_uid(nix::unistd::Uid::current())
        .ok()
        .flatten()
        .map(|account| account.dir)
        .ok_or_else(|| Failure::state("the account of this process has no home"))
}
