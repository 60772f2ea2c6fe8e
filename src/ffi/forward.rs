//! `ssh_forward`: a forwarding with its listener and copying, in one call.

use std::ffi::{c_char, CString};
use std::sync::Arc;

use crate::config::Permitted;
use crate::connection::ForwardPoint;
use crate::driver::Transport;
use crate::forward::{self, Forward};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::memory;
use super::port_forward::point;
use super::request::ssh_request;
use super::status::{ssh_status, SSH_OK};
use super::transport::ssh_transport;
use super::transport_object;

/// A forwarding: a place that is listened on, on this side or on the server, and the connections that came in there.
/// The library accepts, connects and copies on its own threads; the number of connections costs no thread. The end of
/// one direction is passed on while the other goes on, a connection that is reset on one side is reset on the other,
/// and one that stands still holds up no other.
///
/// It ends with ssh_forward_free(), or with its session. The transport may be freed before, which ends the session.
#[allow(non_camel_case_types)]
pub struct ssh_forward {
    _opaque: [u8; 0],
}

/// Listens on this side; for each connection the server connects to the destination.
///
/// Addresses that begin with "/" are paths of UNIX sockets, as for ssh_transport_request_port_forward(). The file of
/// the socket can be used by its owner only, must not exist before, and is removed with the forwarding.
///
/// @param transport         a client transport that is authenticated
/// @param address           where to listen: an IP address, "localhost", "" for all, or a path. Names are not looked up
/// @param port              the port; 0 has the system choose one
/// @param destination       the host to connect to, as the server knows it, or a path there
/// @param destination_port  its port, 0 with a path
/// @param error             receives the detail, or NULL: SSH_ERR_IO when the address is taken, SSH_ERR_INVALID_ARG,
///                          SSH_ERR_STATE, SSH_ERR_HOSTKEY (see ssh_connect_config()), what ended the session
/// @return a forwarding, freed with ssh_forward_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_local(
    transport: *mut ssh_transport,
    address: *const c_char,
    port: u16,
    destination: *const c_char,
    destination_port: u16,
    error: *mut *mut ssh_error,
) -> *mut ssh_forward {
    guard::value_with(std::ptr::null_mut(), error, || {
        make(transport, |driver| {
            let listen = listening(address, port)?;
            let target = target(destination, destination_port)?;
            Ok(Forward::local(driver, &listen, target)?)
        })
    })
}

/// Has the server listen; for each connection this side connects to the destination, and the channel opens only when
/// that works.
///
/// @param transport         a client transport that is authenticated
/// @param address           where the server listens: "" for all its addresses, "localhost", one of its addresses, or a
///                          path there
/// @param port              the port; 0 has the server choose one: ssh_forward_port()
/// @param destination       the host to connect to, as this side knows it, or a path
/// @param destination_port  its port, 0 with a path
/// @param timeout_ms        milliseconds to wait for the server's answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error             receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_INVALID_ARG, SSH_ERR_STATE,
///                          SSH_ERR_TIMEOUT, SSH_ERR_HOSTKEY (see ssh_connect_config()), what ended the session
/// @return a forwarding, freed with ssh_forward_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_remote(
    transport: *mut ssh_transport,
    address: *const c_char,
    port: u16,
    destination: *const c_char,
    destination_port: u16,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_forward {
    guard::value_with(std::ptr::null_mut(), error, || {
        let timeout =
            transport_object::with(transport, |object| object.channel_timeout(timeout_ms))?;
        make(transport, |driver| {
            let listen = point(address, port)?;
            let target = target(destination, destination_port)?;
            Ok(Forward::remote(driver, listen, target, timeout)?)
        })
    })
}

/// Listens on this side for programs that speak SOCKS 4, 4a or 5 and say where the server is to connect to. Nobody has
/// to log in there, so think before you listen on more than "localhost".
///
/// @param transport  a client transport that is authenticated
/// @param address    where to listen, as for ssh_forward_local()
/// @param port       the port; 0 has the system choose one
/// @param error      receives the detail, or NULL, as for ssh_forward_local()
/// @return a forwarding, freed with ssh_forward_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_dynamic(
    transport: *mut ssh_transport,
    address: *const c_char,
    port: u16,
    error: *mut *mut ssh_error,
) -> *mut ssh_forward {
    guard::value_with(std::ptr::null_mut(), error, || {
        make(transport, |driver| {
            Ok(Forward::dynamic(driver, &listening(address, port)?)?)
        })
    })
}

/// Has the server listen for programs that speak SOCKS 4, 4a or 5, there and wherever they are let in; this side connects to
/// where they say, as far as that is permitted, and answers what came of it. Names are looked up on this side. So the
/// server, and whoever can connect to that port, gets at what this machine gets at: permit no more than is wanted.
///
/// @param transport   a client transport that is authenticated
/// @param address     where the server listens, as for ssh_forward_remote()
/// @param port        the port; 0 has the server choose one: ssh_forward_port()
/// @param permitted   where connections may be made to: `host:port` and `[address]:port` with white space between them, as
///                    PermitRemoteOpen of ssh_config has it, with `*` for any host or any port; or `any`, or `none`. Names
///                    are compared as the program writes them
/// @param timeout_ms  milliseconds to wait for the server's answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL, as for ssh_forward_remote(); SSH_ERR_INVALID_ARG also when `permitted`
///                    is no such list
/// @return a forwarding, freed with ssh_forward_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_remote_dynamic(
    transport: *mut ssh_transport,
    address: *const c_char,
    port: u16,
    permitted: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_forward {
    guard::value_with(std::ptr::null_mut(), error, || {
        let timeout =
            transport_object::with(transport, |object| object.channel_timeout(timeout_ms))?;
        make(transport, |driver| {
            let listen = point(address, port)?;
            let permitted = memory::text(permitted, "what is permitted")?;
            let permitted = Permitted::read(permitted, &number).map_err(Failure::invalid)?;
            Ok(Forward::remote_dynamic(driver, listen, permitted, timeout)?)
        })
    })
}

/// Where it is listened on: the address as it was given, or the path.
///
/// @return a string of the forwarding's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_address(forward: *const ssh_forward) -> *const c_char {
    guard::value(std::ptr::null(), || {
        Ok(handle::get(forward)?.address.as_ptr())
    })
}

/// The port that is listened on.
///
/// @return the port, also where it was chosen; 0 for a UNIX socket. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_port(forward: *const ssh_forward) -> u16 {
    guard::value(0, || {
        Ok(match handle::get(forward)?.driver.bound() {
            ForwardPoint::Tcp { port, .. } => *port,
            ForwardPoint::Unix { .. } => 0,
        })
    })
}

/// What has happened so far. Each output may be NULL.
///
/// @param forward      the forwarding
/// @param connections  receives how many connections were carried, those under way included
/// @param active       receives how many there are now, those that are being made included
/// @param failed       receives how many could not be made
/// @param sent         receives how many bytes went from this side to the server
/// @param received     receives how many came from there
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_counters(
    forward: *const ssh_forward,
    connections: *mut u64,
    active: *mut u64,
    failed: *mut u64,
    sent: *mut u64,
    received: *mut u64,
) -> ssh_status {
    guard::status(|| {
        let outputs = [connections, active, failed, sent, received];
        for out in outputs {
            memory::write(out, 0);
        }
        let counts = handle::get(forward)?.driver.counts();
        let values = [
            counts.connections,
            counts.active,
            counts.failed,
            counts.sent,
            counts.received,
        ];
        for (out, value) in outputs.into_iter().zip(values) {
            memory::write(out, value);
        }
        Ok(SSH_OK)
    })
}

/// Bounds the number of connections at once; 256 at first. Where this side listens, further ones wait until one ends;
/// where the server does, they are refused.
///
/// @param forward  the forwarding
/// @param max      the bound, at least 1. A transport carries no more channels than
///                 ssh_transport_set_channel_limit() lets it, 1000 at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_set_max_connections(
    forward: *mut ssh_forward,
    max: usize,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(forward)?;
        if max == 0 {
            return Err(Failure::invalid("at least one connection"));
        }
        object.driver.set_max_connections(max);
        Ok(SSH_OK)
    })
}

/// Takes no new connections any more; those that there are go on. Does not wait for the network.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_stop(forward: *mut ssh_forward) -> ssh_status {
    guard::status(|| {
        handle::get(forward)?.driver.stop();
        Ok(SSH_OK)
    })
}

/// Whether new connections are taken: until ssh_forward_stop() or the end of the session.
///
/// @return false also when `forward` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_is_listening(forward: *const ssh_forward) -> bool {
    guard::value(false, || Ok(handle::get(forward)?.driver.is_listening()))
}

/// Ends a forwarding and its connections, and frees the handle. Does not wait for the network.
///
/// @param forward  the forwarding; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_forward_free(forward: *mut ssh_forward) {
    guard::value((), || {
        handle::take(forward)?.driver.close();
        Ok(())
    })
}

/// Says yes to SSH_REQUEST_CONNECT or SSH_REQUEST_LISTEN, and has the library do what is asked: connect and copy, or
/// listen, open channels and copy, until the client wants it ended or the session is over. Where it cannot be done the
/// request is refused; of a target that cannot be reached the client alone is told. Whether the address may be used at
/// all is for the program to decide before: ssh_request_destination().
///
/// @param request  a request that has no answer yet
/// @param error    receives the detail, or NULL: SSH_ERR_IO when the address cannot be listened on, SSH_ERR_STATE when
///                 the request is of another kind or has its answer
/// @return SSH_OK or a failure. Any thread, also inside callbacks; does not wait. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_serve(
    request: *mut ssh_request,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        forward::serve(handle::get(request)?.driver.clone())?;
        Ok(SSH_OK)
    })
}

// --- behind the functions -------------------------------------------------------------------------

impl Handle for ssh_forward {
    type Object = ForwardObject;
    const TAG: u8 = 20;
    const NOUN: &'static str = "ssh_forward";
}

/// What a forwarding's handle leads to.
pub(crate) struct ForwardObject {
    driver: Forward,
    address: CString,
}

/// Where this side listens.
fn listening(address: *const c_char, port: u16) -> Outcome<ForwardPoint> {
    let listen = point(address, port)?;
    forward::check_listen(&listen).map_err(|error| Failure::invalid(error.to_string()))?;
    Ok(listen)
}

fn target(host: *const c_char, port: u16) -> Outcome<ForwardPoint> {
    let target = point(host, port)?;
    forward::check_target(&target).map_err(|error| Failure::invalid(error.to_string()))?;
    Ok(target)
}

/// A port in digits: the names of services are for files.
fn number(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn make(
    transport: *mut ssh_transport,
    begin: impl FnOnce(&Transport) -> Outcome<Forward>,
) -> Outcome<*mut ssh_forward> {
    transport_object::with(transport, |object| {
        let driver = begin(&object.driver)?;
        let address = match driver.bound() {
            ForwardPoint::Tcp { host, .. } => memory::c_string(host),
            ForwardPoint::Unix { path } => memory::c_string(path),
        };
        handle::insert(Arc::new(ForwardObject { driver, address }))
    })
}
