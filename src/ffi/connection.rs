//! What a transport does once the session is open: channels, global requests, new keys.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::connection::OpenKind;
use crate::crypto::random::{Random, SystemRandom};
use crate::driver::Timeout;

use super::channel::ssh_channel;
use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::memory;
use super::status::{ssh_status, SSH_OK};
use super::text;
use super::time;
use super::transport::ssh_transport;
use super::transport_object::{self, TransportObject};

/// Opens a session channel, to run a command, a shell or a subsystem.
///
/// @param transport   a client transport that is authenticated
/// @param timeout_ms  milliseconds until it must be open; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_TIMEOUT, what ended the session
/// @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_open_session(
    transport: *mut ssh_transport,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    guard::value_with(std::ptr::null_mut(), error, || {
        transport_object::with(transport, |object| {
            open(object, OpenKind::Session, timeout_ms)
        })
    })
}

/// Opens a channel of any kind.
///
/// @param transport    a transport that is authenticated
/// @param kind         "session", "direct-tcpip", "forwarded-tcpip", "x11", "direct-streamlocal@openssh.com",
///                     "forwarded-streamlocal@openssh.com", "auth-agent@openssh.com", or a name of your own
/// @param destination  for the direct kinds where to connect to, for the forwarded kinds where the connection came in:
///                     a host or address, or for the streamlocal kinds the path of a UNIX socket; else NULL
/// @param destination_port  its port
/// @param source       for direct-tcpip, forwarded-tcpip and x11 where the connection comes from; else NULL
/// @param source_port  its port
/// @param timeout_ms   milliseconds until it must be open; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error        receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_INVALID_ARG when the kind wants
///                     addresses that are missing, SSH_ERR_TIMEOUT, what ended the session
/// @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_open_channel(
    transport: *mut ssh_transport,
    kind: *const c_char,
    destination: *const c_char,
    destination_port: u16,
    source: *const c_char,
    source_port: u16,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    guard::value_with(std::ptr::null_mut(), error, || {
        transport_object::with(transport, |object| {
            let kind = text::protocol_name(kind, "the kind")?;
            let destination = (memory::optional_text(destination)?, destination_port);
            let source = (memory::optional_text(source)?, source_port);
            open(object, open_kind(kind, destination, source)?, timeout_ms)
        })
    })
}

/// Takes the next channel that the peer has opened, in the order of opening. Which ones may open is decided by
/// SSH_REQUEST_CHANNEL_OPEN and SSH_REQUEST_CONNECT, and on a client by ssh_transport_request_port_forward().
/// ssh_channel_kind() tells what it is for. Those that nobody takes count among the channels that may be open, also once
/// the peer has closed them, until ssh_channel_free() or the end of the transport.
///
/// @param transport   the transport
/// @param timeout_ms  milliseconds to wait at most; 0 looks and does not wait, SSH_TIMEOUT_DEFAULT is
///                    SSH_TIMEOUT_FOREVER
/// @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, what ended the session;
///                    set to NULL when timeout_ms is 0 and there is no channel
/// @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_accept(
    transport: *mut ssh_transport,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    guard::value_with(std::ptr::null_mut(), error, || {
        transport_object::with(transport, |object| {
            let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
            match object.driver.accept(timeout) {
                Ok(found) => object.channel_handle(found, true),
                Err(error) if time::is_again(timeout, &error) => Ok(std::ptr::null_mut()),
                Err(error) => Err(error.into()),
            }
        })
    })
}

/// Sends a global request (RFC 4254 section 4). Any number may be under way; each caller gets its own reply.
///
/// @param transport     a transport that is authenticated
/// @param name          the request's name
/// @param data          what follows `want reply` in the message, or NULL
/// @param length        how many bytes
/// @param want_reply    whether to ask for a reply and wait for it
/// @param timeout_ms    milliseconds to wait for the reply; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param reply         receives the data in the reply, freed with ssh_memory_free(); or NULL
/// @param reply_length  receives how many bytes; or NULL
/// @param error         receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_global_request(
    transport: *mut ssh_transport,
    name: *const c_char,
    data: *const c_void,
    length: usize,
    want_reply: bool,
    timeout_ms: i32,
    reply: *mut *mut c_void,
    reply_length: *mut usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::clear_bytes(reply, reply_length);
        transport_object::with(transport, |object| {
            let name = text::protocol_name(name, "the name")?;
            let data = memory::bytes(data, length)?;
            let timeout = object.channel_timeout(timeout_ms)?;
            let answer = object
                .driver
                .global_request(name, data, want_reply, timeout)?;
            memory::bytes_out(&answer, reply, reply_length)?;
            Ok(SSH_OK)
        })
    })
}

/// Sends a packet that the peer ignores, to hide the pattern of the traffic.
///
/// @param transport  a transport that is active
/// @param length     how many random bytes, at most 32,768; 0 for a random number of them
/// @return SSH_OK, SSH_ERR_INVALID_ARG, or what ended the session. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_send_ignore(
    transport: *mut ssh_transport,
    length: usize,
) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            if length > MAX_IGNORE {
                return Err(Failure::invalid("at most 32768 bytes"));
            }
            let count = match length {
                0 => {
                    let mut random = [0];
                    SystemRandom.fill(&mut random);
                    usize::from(random.first().copied().unwrap_or_default() % 32).saturating_add(10)
                }
                given => given,
            };
            object.driver.send_ignore(count)?;
            Ok(SSH_OK)
        })
    })
}

/// Negotiates new keys now. Data in both directions go on before and after.
///
/// @param transport   a transport that is active
/// @param timeout_ms  milliseconds to wait until both directions use the new keys; SSH_TIMEOUT_DEFAULT is as long
///                    as the peer is given
/// @param error       receives the detail, or NULL
/// @return SSH_OK or a failure, which is also the end of the session unless it is SSH_ERR_TIMEOUT or
///         SSH_ERR_CANCELLED. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_renegotiate_keys(
    transport: *mut ssh_transport,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            // The driver gives the peer a time of its own and ends the session when that is over.
            let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
            object.driver.renegotiate_keys(timeout)?;
            Ok(SSH_OK)
        })
    })
}

// --- behind the functions -------------------------------------------------------------------------

const MAX_IGNORE: usize = 32_768;

pub(crate) fn open(
    object: &Arc<TransportObject>,
    kind: OpenKind,
    timeout_ms: i32,
) -> Outcome<*mut ssh_channel> {
    let timeout = object.channel_timeout(timeout_ms)?;
    let channel = object.driver.open_channel(kind, timeout)?;
    object.channel_handle(channel, true)
}

type Address<'a> = (Option<&'a str>, u16);

pub(crate) fn open_kind(
    kind: &str,
    destination: Address<'_>,
    source: Address<'_>,
) -> Outcome<OpenKind> {
    let wanted = |host: Option<&str>, what: &'static str| {
        host.map(str::to_owned)
            .ok_or_else(|| Failure::invalid(what))
    };
    let target = || wanted(destination.0, "this kind of channel wants a destination");
    let origin = || wanted(source.0, "this kind of channel wants a source");
    let (port, originator_port) = (u32::from(destination.1), u32::from(source.1));
    Ok(match kind {
        "session" => OpenKind::Session,
        "direct-tcpip" => OpenKind::DirectTcpip {
            host: target()?,
            port,
            originator: origin()?,
            originator_port,
        },
        "forwarded-tcpip" => OpenKind::ForwardedTcpip {
            host: target()?,
            port,
            originator: origin()?,
            originator_port,
        },
        "x11" => OpenKind::X11 {
            originator: origin()?,
            originator_port,
        },
        "direct-streamlocal@openssh.com" => OpenKind::DirectStreamlocal { path: target()? },
        "forwarded-streamlocal@openssh.com" => OpenKind::ForwardedStreamlocal { path: target()? },
        "auth-agent@openssh.com" => OpenKind::AuthAgent,
        other => OpenKind::Other {
            kind: other.to_owned(),
            data: Vec::new(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_with_addresses_want_them() {
        assert!(matches!(
            open_kind("session", (None, 0), (None, 0)),
            Ok(OpenKind::Session)
        ));
        assert!(open_kind("direct-tcpip", (Some("h"), 1), (None, 0)).is_err());
        assert!(open_kind("x11", (None, 0), (Some("h"), 1)).is_ok());
    }
}
