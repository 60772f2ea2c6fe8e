//! `ssh_config_host`: what configuration says about one destination.

use std::collections::BTreeMap;
use std::ffi::{c_char, CString};
use std::sync::Arc;

use crate::config::{End, Forward, ForwardKind, Hop, Resolved};

use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::memory::{self, c_string};
use super::status::{ssh_status, SSH_EOF, SSH_OK};

/// What holds for one destination: a value for every option that has one, set or by default. It does not change; the
/// strings asked of it belong to it and live until it is freed.
#[allow(non_camel_case_types)]
pub struct ssh_config_host {
    _opaque: [u8; 0],
}

/// LocalForward.
pub const SSH_CONFIG_FORWARD_LOCAL: i32 = 0;

/// RemoteForward.
pub const SSH_CONFIG_FORWARD_REMOTE: i32 = 1;

/// DynamicForward.
pub const SSH_CONFIG_FORWARD_DYNAMIC: i32 = 2;

/// Frees what was resolved, and the strings asked of it.
///
/// @param host  what was resolved; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_free(host: *mut ssh_config_host) {
    guard::value((), || handle::take(host).map(drop));
}

/// A value of an option, in the form of the manual of ssh_config: words as it writes them (`yes` also for `true`), times in
/// seconds, sizes in bytes, with tokens, variables and `~` replaced. RekeyLimit is bytes and seconds, a forwarding is
/// `[address]:port [host]:port`, ProxyJump `user@host:port,...`. Lists of algorithms are as they were written, without the
/// names that are not supported; ssh_security_options_set_ciphers() and its kin take them. Options without a value and
/// without a default, and those set to `none`, have none.
///
/// @param host     what was resolved
/// @param keyword  the option, in any case
/// @param index    which of its values, from 0; most have one
/// @return a string of the host's, or NULL when there are no more. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_get(
    host: *const ssh_config_host,
    keyword: *const c_char,
    index: usize,
) -> *const c_char {
    value(host, keyword, index, |value| Some(&value.text))
}

/// The same value as it was written.
///
/// @param host     what was resolved
/// @param keyword  the option, in any case
/// @param index    which of its values, from 0
/// @return a string of the host's, or NULL when there are no more. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_get_written(
    host: *const ssh_config_host,
    keyword: *const c_char,
    index: usize,
) -> *const c_char {
    value(host, keyword, index, |value| Some(&value.written))
}

/// Where the value is set, for messages: `file:line`, `the option "Port 22"` or "the destination".
///
/// @param host     what was resolved
/// @param keyword  the option, in any case
/// @param index    which of its values, from 0
/// @return a string of the host's, or NULL for a default and when there are no more. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_get_place(
    host: *const ssh_config_host,
    keyword: *const c_char,
    index: usize,
) -> *const c_char {
    value(host, keyword, index, |value| value.place.as_ref())
}

/// The options that have a value, one after the other, in the order of their names.
///
/// @param host   what was resolved
/// @param index  which of them, from 0
/// @return a string of the host's, such as "HostName", or NULL when there are no more. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_keyword(
    host: *const ssh_config_host,
    index: usize,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        let object = handle::get(host)?;
        let keyword = object.keywords.get(index);
        Ok(keyword.map_or(std::ptr::null(), |keyword| keyword.as_ptr()))
    })
}

/// The name or address to connect to: HostName or, without it, the host that was given.
///
/// @return a string of the host's, or NULL when `host` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_name(host: *const ssh_config_host) -> *const c_char {
    guard::value(std::ptr::null(), || Ok(handle::get(host)?.name.as_ptr()))
}

/// The port to connect to.
///
/// @return the port, or 0 when `host` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_port(host: *const ssh_config_host) -> u16 {
    guard::value(0, || Ok(handle::get(host)?.resolved.port()))
}

/// Whom to log in as: User or, without it, the name of the account that runs the program.
///
/// @return a string of the host's, or NULL when `host` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_user(host: *const ssh_config_host) -> *const c_char {
    guard::value(std::ptr::null(), || Ok(handle::get(host)?.user.as_ptr()))
}

/// Whether an option is `yes`.
///
/// @param host     what was resolved
/// @param keyword  the option, in any case
/// @return false also for what is no option. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_is_yes(
    host: *const ssh_config_host,
    keyword: *const c_char,
) -> bool {
    guard::value(false, || {
        let object = handle::get(host)?;
        Ok(object
            .resolved
            .is_yes(memory::text(keyword, "the keyword")?))
    })
}

/// An option that is a number, or a time in seconds.
///
/// @param host       what was resolved
/// @param keyword    the option, in any case
/// @param otherwise  returned when it is not set, or no number
/// @return the number. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_number(
    host: *const ssh_config_host,
    keyword: *const c_char,
    otherwise: u64,
) -> u64 {
    guard::value(otherwise, || {
        let object = handle::get(host)?;
        let number = object
            .resolved
            .number(memory::text(keyword, "the keyword")?);
        Ok(number.unwrap_or(otherwise))
    })
}

/// A host of ProxyJump, the first one to connect to first. It is a destination itself: an alias may be set up in the same
/// configuration.
///
/// @param host   what was resolved
/// @param index  which of the hosts, from 0
/// @param user   receives a string of the host's, or NULL where no user is named; may be NULL
/// @param name   receives a string of the host's; may be NULL
/// @param port   receives the port, 0 where none is named; may be NULL
/// @return SSH_OK, SSH_EOF when there are no more, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_jump(
    host: *const ssh_config_host,
    index: usize,
    user: *mut *const c_char,
    name: *mut *const c_char,
    port: *mut u16,
) -> ssh_status {
    guard::status(|| {
        memory::write(user, std::ptr::null());
        memory::write(name, std::ptr::null());
        memory::write(port, 0);
        let object = handle::get(host)?;
        let Some(jump) = object.jumps.get(index) else {
            return Ok(SSH_EOF);
        };
        memory::write(user, pointer(jump.user.as_ref()));
        memory::write(name, jump.host.as_ptr());
        memory::write(port, jump.port);
        Ok(SSH_OK)
    })
}

/// A forwarding. Each end is a host and a port or, with port 0 and a host that begins with `/`, a UNIX socket.
///
/// @param host          what was resolved
/// @param kind          SSH_CONFIG_FORWARD_LOCAL, ...
/// @param index         which of them, from 0
/// @param listen_host   receives where to listen, a string of the host's; NULL where GatewayPorts decides; "" and "*" are all
///                      interfaces; may be NULL
/// @param listen_port   receives the port to listen on, 0 for a remote one that is given a port; may be NULL
/// @param connect_host  receives where to connect to, a string of the host's, or NULL where SOCKS tells; may be NULL
/// @param connect_port  receives the port to connect to; may be NULL
/// @return SSH_OK, SSH_EOF when there are no more, SSH_ERR_BAD_HANDLE, SSH_ERR_INVALID_ARG for another kind. Any thread.
///         Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_forward(
    host: *const ssh_config_host,
    kind: i32,
    index: usize,
    listen_host: *mut *const c_char,
    listen_port: *mut u16,
    connect_host: *mut *const c_char,
    connect_port: *mut u16,
) -> ssh_status {
    guard::status(|| {
        for host in [listen_host, connect_host] {
            memory::write(host, std::ptr::null());
        }
        for port in [listen_port, connect_port] {
            memory::write(port, 0);
        }
        let object = handle::get(host)?;
        let forwards = match kind {
            SSH_CONFIG_FORWARD_LOCAL => &object.local,
            SSH_CONFIG_FORWARD_REMOTE => &object.remote,
            SSH_CONFIG_FORWARD_DYNAMIC => &object.dynamic,
            _ => return Err(Failure::invalid("an unknown kind of forwarding")),
        };
        let Some((listen, connect)) = forwards.get(index) else {
            return Ok(SSH_EOF);
        };
        memory::write(listen_host, pointer(listen.host.as_ref()));
        memory::write(listen_port, listen.port);
        if let Some(connect) = connect {
            memory::write(connect_host, pointer(connect.host.as_ref()));
            memory::write(connect_port, connect.port);
        }
        Ok(SSH_OK)
    })
}

/// What the files say and has no effect here: unknown keywords, options that nothing does anything about, algorithms that
/// are not supported. Programs show it when they are asked to be talkative.
///
/// @param host   what was resolved
/// @param index  which of them, from 0
/// @return `file:line: keyword: why`, a string of the host's, or NULL when there are no more. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_unsupported(
    host: *const ssh_config_host,
    index: usize,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        let object = handle::get(host)?;
        Ok(pointer(object.remarks.get(index)))
    })
}

// --- behind the handle ----------------------------------------------------------------------------

impl Handle for ssh_config_host {
    type Object = HostObject;
    const TAG: u8 = 25;
    const NOUN: &'static str = "ssh_config_host";
    const SURVIVES_FORK: bool = true;
}

/// What was resolved, with every string ready to be lent out.
pub(crate) struct HostObject {
    pub(crate) resolved: Resolved,
    values: BTreeMap<String, Vec<LentValue>>,
    keywords: Vec<CString>,
    name: CString,
    user: CString,
    jumps: Vec<LentHop>,
    local: Vec<LentForward>,
    remote: Vec<LentForward>,
    dynamic: Vec<LentForward>,
    remarks: Vec<CString>,
}

struct LentValue {
    text: CString,
    written: CString,
    place: Option<CString>,
}

struct LentHop {
    user: Option<CString>,
    host: CString,
    port: u16,
}

struct LentEnd {
    host: Option<CString>,
    port: u16,
}

type LentForward = (LentEnd, Option<LentEnd>);

pub(crate) fn new_handle(resolved: Resolved) -> Outcome<*mut ssh_config_host> {
    handle::insert(Arc::new(HostObject::new(resolved)))
}

impl HostObject {
    fn new(resolved: Resolved) -> Self {
        let lent = |value: &crate::config::Value| LentValue {
            text: c_string(&value.text),
            written: c_string(&value.written),
            place: value
                .place
                .as_ref()
                .map(|place| c_string(&place.to_string())),
        };
        let forwards = |kind| resolved.forwards(kind).iter().map(lend_forward).collect();
        HostObject {
            values: resolved
                .all()
                .map(|(name, values)| {
                    (name.to_ascii_lowercase(), values.iter().map(lent).collect())
                })
                .collect(),
            keywords: resolved
                .all()
                .filter(|(_, values)| !values.is_empty())
                .map(|(name, _)| c_string(name))
                .collect(),
            name: c_string(resolved.host_name()),
            user: c_string(resolved.user()),
            jumps: resolved.jumps().iter().map(lend_hop).collect(),
            local: forwards(ForwardKind::Local),
            remote: forwards(ForwardKind::Remote),
            dynamic: forwards(ForwardKind::Dynamic),
            remarks: resolved
                .remarks()
                .iter()
                .map(|remark| c_string(&remark.to_string()))
                .collect(),
            resolved,
        }
    }
}

fn lend_hop(hop: &Hop) -> LentHop {
    LentHop {
        user: hop.user.as_deref().map(c_string),
        host: c_string(&hop.host),
        port: hop.port.unwrap_or(0),
    }
}

fn lend_forward(forward: &Forward) -> LentForward {
    let end = |end: &End| match end {
        End::Port { host, port } => LentEnd {
            host: host.as_deref().map(c_string),
            port: *port,
        },
        End::Path(path) => LentEnd {
            host: Some(c_string(path)),
            port: 0,
        },
    };
    (end(&forward.listen), forward.connect.as_ref().map(end))
}

fn pointer(string: Option<&CString>) -> *const c_char {
    string.map_or(std::ptr::null(), |string| string.as_ptr())
}

fn value(
    host: *const ssh_config_host,
    keyword: *const c_char,
    index: usize,
    part: impl FnOnce(&LentValue) -> Option<&CString>,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        let object = handle::get(host)?;
        let keyword = memory::text(keyword, "the keyword")?;
        // Other names of an option lead to the same values.
        let name = Resolved::keyword(keyword).map(str::to_ascii_lowercase);
        let values = name.and_then(|name| object.values.get(&name));
        Ok(pointer(
            values.and_then(|values| values.get(index)).and_then(part),
        ))
    })
}
