//! Forwarding as the protocol has it: a client that has the server listen, a server that opens the channels.

use std::ffi::{c_char, c_void};
use std::sync::{Arc, Weak};

use crate::connection::{ForwardPoint, OpenKind};
use crate::driver::{ForwardHandler, Request};
use crate::messages::open_kind::{address, socket_path};

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::channel::ssh_channel;
use super::connection::{open, open_kind};
use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::status::{ssh_status, SSH_OK};
use super::transport::ssh_transport;
use super::transport_object::{self, TransportObject};

/// Gets a connection that came in where the server was asked to listen.
///
/// Called on a thread of the library's pool with no lock held, once the channel is open. Callbacks of one transport
/// run one after another, so it hands the channel on and does not wait for what comes on it. It must not unwind or
/// longjmp.
///
/// @param channel      the channel, which is the callback's from now on: ssh_channel_free()
/// @param origin       the address that the connection came from; NULL for a UNIX socket. It lives during the call
/// @param origin_port  its port
/// @param address      the address that was listened on, as the server tells it, or the path of the UNIX socket
/// @param port         its port, 0 for a UNIX socket
/// @param userdata     as set
#[allow(non_camel_case_types)]
pub type ssh_forward_callback = Option<
    unsafe extern "C" fn(
        channel: *mut ssh_channel,
        origin: *const c_char,
        origin_port: u16,
        address: *const c_char,
        port: u16,
        userdata: *mut c_void,
    ),
>;

/// Asks the server to listen on a port, and to open a channel to this side for each connection that comes in there.
/// To copy between such channels and sockets see ssh_forward_remote(), which does it by itself.
///
/// An address that begins with "/" is the path of a UNIX socket on the server, whose port is 0. This holds for all
/// functions that forward.
///
/// @param transport   a client transport that is authenticated
/// @param address     the address to listen on: "" for all, "localhost", an address of the server, or a path
/// @param port        the port; 0 has the server choose one
/// @param callback    gets the channels, or NULL: then they come out of ssh_transport_accept()
/// @param userdata    passed to the callback
/// @param destroy     ends userdata's life once the forward is cancelled or the session is over. Here, and in no other
///                    function, also when this call fails, whatever the reason: the server may have granted it and the
///                    callback may run until the very moment. Or NULL
/// @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout. A forward that is
///                    granted later than that is cancelled
/// @param bound_port  receives the port that the server listens on; or NULL
/// @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_STATE also when the address is forwarded
///                    already, SSH_ERR_LIMIT, SSH_ERR_TIMEOUT, SSH_ERR_HOSTKEY (see ssh_connect_config()), what ended the
///                    session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_request_port_forward(
    transport: *mut ssh_transport,
    address: *const c_char,
    port: u16,
    callback: ssh_forward_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
    timeout_ms: i32,
    bound_port: *mut u16,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        // First of all, so that it ends in any case: the call can fail while a pool thread is in the callback, and only
        // we know when that has left it, so that the program could not end it safely.
        let userdata = Userdata::new(userdata, destroy);
        memory::write(bound_port, 0);
        transport_object::with(transport, |object| {
            let point = point(address, port)?;
            let timeout = object.channel_timeout(timeout_ms)?;
            let handler = ForwardCall::bind(callback, userdata, object);
            let bound = object.driver.request_forward(point, handler, timeout)?;
            if let ForwardPoint::Tcp { port, .. } = bound {
                memory::write(bound_port, port);
            }
            Ok(SSH_OK)
        })
    })
}

/// Asks the server to listen there no longer. From the call on, connections that come in there are refused; channels
/// that are open stay.
///
/// @param transport   the transport
/// @param address     as it was asked for
/// @param port        the port that the server listens on
/// @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL: SSH_ERR_STATE when nothing is forwarded from there,
///                    SSH_ERR_DENIED, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_cancel_port_forward(
    transport: *mut ssh_transport,
    address: *const c_char,
    port: u16,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let point = point(address, port)?;
            let timeout = object.channel_timeout(timeout_ms)?;
            object.driver.cancel_forward(&point, timeout)?;
            Ok(SSH_OK)
        })
    })
}

/// Opens a channel to the client for a connection that came in where it has asked the server to listen
/// (SSH_REQUEST_LISTEN).
///
/// @param transport         a server transport that is authenticated
/// @param source            the address that the connection came from
/// @param source_port       its port
/// @param destination       the address that was listened on, as the client asked for it, or the path of the socket
/// @param destination_port  the port that was listened on, 0 with a path
/// @param timeout_ms        milliseconds until it must be open; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error             receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_TIMEOUT, what ended the session
/// @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_open_forwarded_tcpip_channel(
    transport: *mut ssh_transport,
    source: *const c_char,
    source_port: u16,
    destination: *const c_char,
    destination_port: u16,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    guard::value_with(std::ptr::null_mut(), error, || {
        transport_object::with(transport, |object| {
            let kind = match point(destination, destination_port)? {
                ForwardPoint::Unix { path } => OpenKind::ForwardedStreamlocal { path },
                ForwardPoint::Tcp { host, port } => {
                    let source = (memory::optional_text(source)?, source_port);
                    open_kind("forwarded-tcpip", (Some(&host), port), source)?
                }
            };
            open(object, kind, timeout_ms)
        })
    })
}

// --- behind the functions -------------------------------------------------------------------------

/// An address and port, or the path of a UNIX socket.
pub(crate) fn point(host: *const c_char, port: u16) -> Outcome<ForwardPoint> {
    let host = memory::text(host, "the address")?;
    if !host.starts_with('/') {
        let host = address(host.as_bytes())
            .map_err(|_| Failure::invalid("an address has at most 255 printable characters"))?;
        return Ok(ForwardPoint::Tcp { host, port });
    }
    if port != 0 {
        return Err(Failure::invalid("the port of a UNIX socket is 0"));
    }
    let path = socket_path(host.as_bytes())
        .map_err(|_| Failure::invalid("a path has at most 107 printable characters"))?;
    Ok(ForwardPoint::Unix { path })
}

/// A callback with its userdata.
struct ForwardCall {
    function:
        unsafe extern "C" fn(*mut ssh_channel, *const c_char, u16, *const c_char, u16, *mut c_void),
    userdata: Userdata,
}

impl ForwardCall {
    /// What the driver calls for a transport.
    fn bind(
        callback: ssh_forward_callback,
        userdata: Userdata,
        object: &Arc<TransportObject>,
    ) -> Option<ForwardHandler> {
        // Without a function the userdata has no use, and ends here.
        let call = callback.map(|function| ForwardCall { function, userdata })?;
        let transport = Arc::downgrade(object);
        Some(Arc::new(move |request: Request| {
            // What cannot be handed over is refused or closed, by being dropped.
            let _ = call.deliver(&transport, &request);
        }))
    }

    fn deliver(&self, transport: &Weak<TransportObject>, request: &Request) -> Outcome<()> {
        let Some(transport) = transport.upgrade() else {
            return Err(Failure::closed("the transport was freed"));
        };
        let channel = transport.channel_handle(request.accept_channel()?, true)?;
        let object = handle::get(channel)?;
        let lend = |place: Option<&(std::ffi::CString, u16)>| {
            place.map_or((std::ptr::null(), 0), |(host, port)| (host.as_ptr(), *port))
        };
        let purpose = object.purpose.as_ref();
        let (origin, origin_port) = lend(purpose.and_then(|purpose| purpose.origin.as_ref()));
        let (address, port) = lend(purpose.and_then(|purpose| purpose.destination.as_ref()));
        // SAFETY: the program says that the function may be called with this userdata from any thread until destroy
        // is called, which the clone held by our caller prevents; the strings live as long as the pinned channel.
        unsafe {
            (self.function)(
                channel,
                origin,
                origin_port,
                address,
                port,
                self.userdata.pointer(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_makes_it_a_path() {
        let of = |host: &std::ffi::CStr, port| point(host.as_ptr(), port);
        assert!(matches!(
            of(c"/run/s", 0),
            Ok(ForwardPoint::Unix { path }) if path == "/run/s"
        ));
        assert!(matches!(of(c"", 0), Ok(ForwardPoint::Tcp { .. })));
        assert!(of(c"/run/s", 1).is_err());
        assert!(of(c"a\x1b", 1).is_err());
        let long = std::ffi::CString::new(vec![b'/'; 108]).unwrap();
        assert!(of(&long, 0).is_err());
        assert!(point(std::ptr::null(), 0).is_err());
    }
}
