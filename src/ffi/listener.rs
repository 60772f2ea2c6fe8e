//! `ssh_listener`: where a server is listened for, and who may come in.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use crate::connection::ForwardPoint;
use crate::driver::{Timeout, Transport};
use crate::listener::{self, AcceptCallback, Listener};

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::error::ssh_error;
use super::event::{self, ssh_event};
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::memory;
use super::port_forward::point;
use super::status::{ssh_status, SSH_OK};
use super::time;
use super::transport::{invalid_if_misuse, ssh_transport};
use super::transport_object::TransportObject;

/// Accepts the connections of a server, on the library's threads, and turns away those that are too many before they cost
/// anything: in all, of one source, and of sources whose connections have come to nothing again and again. A connection
/// counts from the moment it is accepted until its user is in or it has ended. When descriptors or memory are short, it
/// waits for a moment and goes on.
///
/// What is let in comes out of ssh_listener_accept() or goes to the callback as a transport that is not started:
/// ssh_transport_start_server(). The limits have defaults, all of which docs/limits.md lists, and may be changed at any time.
/// They know a source by its address; connections of UNIX sockets, and what ssh_listener_add_exempt() names, count in all
/// only.
#[allow(non_camel_case_types)]
pub struct ssh_listener {
    _opaque: [u8; 0],
}

/// Gets a connection that was let in.
///
/// Called on a thread of the library's pool with no lock held. Callbacks of one listener run one after another, so it
/// starts the transport with an event and does not wait: connections that come meanwhile wait, and count. It may call any
/// function of the library, ssh_listener_free() included, and must not unwind or longjmp.
///
/// @param listener   the handle the program made; NULL once it is freed
/// @param transport  a transport that is not started, which is the callback's from now on: ssh_transport_free()
/// @param userdata   as set
#[allow(non_camel_case_types)]
pub type ssh_listener_callback = Option<
    unsafe extern "C" fn(
        listener: *mut ssh_listener,
        transport: *mut ssh_transport,
        userdata: *mut c_void,
    ),
>;

/// Makes a listener that listens nowhere yet.
///
/// @return a listener, freed with ssh_listener_free(), or NULL when memory is short. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_listener_new() -> *mut ssh_listener {
    guard::value(std::ptr::null_mut(), || {
        let object = Arc::new(ListenerObject {
            driver: Listener::new(),
            handle: AtomicUsize::new(0),
        });
        let handle = handle::insert::<ssh_listener>(Arc::clone(&object))?;
        object.handle.store(handle.addr(), Ordering::Release);
        Ok(handle)
    })
}

/// Listens at an address, or at one more, and takes connections from then on. Set limits before.
///
/// @param listener    the listener
/// @param address     an IP address, "localhost", "" for all, or the path of a UNIX socket, which begins with "/". Names are
///                    not looked up. The file of a socket can be used by its owner only, must not exist before, and is
///                    removed in the end
/// @param port        the port, 0 for a UNIX socket; 0 has the system choose one
/// @param bound_port  receives the port that is listened on; or NULL
/// @param error       receives the detail, or NULL: SSH_ERR_IO when the address is taken, SSH_ERR_INVALID_ARG also for
///                    more than 64 places, SSH_ERR_CLOSED when it was stopped
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_bind(
    listener: *mut ssh_listener,
    address: *const c_char,
    port: u16,
    bound_port: *mut u16,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(bound_port, 0);
        let object = handle::get(listener)?;
        let point = point(address, port)?;
        listener::check(&point).map_err(|error| Failure::invalid(error.to_string()))?;
        let bound = object.driver.bind(&point).map_err(invalid_if_misuse)?;
        if let ForwardPoint::Tcp { port, .. } = bound {
            memory::write(bound_port, port);
        }
        Ok(SSH_OK)
    })
}

/// Takes the connections of a socket that listens already, as a supervisor of services hands it over.
///
/// @param listener  the listener
/// @param fd        a stream socket that listens. On success it belongs to the listener, which makes it non-blocking and
///                  closes it; on failure it stays the caller's
/// @param error     receives the detail, or NULL: SSH_ERR_INVALID_ARG when it is no such socket or one place too many,
///                  SSH_ERR_IO, SSH_ERR_CLOSED when the listener was stopped
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_add_fd(
    listener: *mut ssh_listener,
    fd: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(listener)?;
        object
            .driver
            .add_descriptor(fd)
            .map_err(invalid_if_misuse)?;
        Ok(SSH_OK)
    })
}

/// Takes the next connection that was let in. Those that nobody takes count as unauthenticated.
///
/// @param listener    the listener
/// @param timeout_ms  milliseconds to wait at most; 0 looks and does not wait, SSH_TIMEOUT_DEFAULT is
///                    SSH_TIMEOUT_FOREVER
/// @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_CLOSED when it was stopped and there are no
///                    more, SSH_ERR_CANCELLED; set to NULL when timeout_ms is 0 and there is none
/// @return a transport that is not started, freed with ssh_transport_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_accept(
    listener: *mut ssh_listener,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_transport {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(listener)?;
        let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
        match object.driver.accept(timeout) {
            Ok(transport) => TransportObject::new_handle(transport),
            Err(error) if time::is_again(timeout, &error) => Ok(std::ptr::null_mut()),
            Err(error) => Err(error.into()),
        }
    })
}

/// An event that is set while connections wait for ssh_listener_accept(), and once the listener was stopped, for poll
/// loops: when ssh_event_fd() is readable, accept with timeout 0 until there is none.
///
/// @param listener  the listener
/// @return a handle of the listener's event, freed with ssh_event_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_accept_event(listener: *mut ssh_listener) -> *mut ssh_event {
    guard::value(std::ptr::null_mut(), || {
        event::new_handle(handle::get(listener)?.driver.accept_event())
    })
}

/// Sets who gets the connections that are let in, those that wait already first.
///
/// @param listener  the listener
/// @param callback  gets the transports, or NULL: then they come out of ssh_listener_accept()
/// @param userdata  passed to the callback
/// @param destroy   ends userdata's life once it is replaced or the listener is freed, or NULL
/// @return SSH_OK, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_set_callback(
    listener: *mut ssh_listener,
    callback: ssh_listener_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(listener)?.share();
        let userdata = Userdata::new(userdata, destroy);
        object.driver.set_callback(callback.map(|function| {
            let call = AcceptCall { function, userdata };
            call.bind(&object)
        }));
        Ok(SSH_OK)
    })
}

/// Wakes the calls of ssh_listener_accept() that wait now, with SSH_ERR_CANCELLED. Later calls are not touched.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_cancel(listener: *mut ssh_listener) -> ssh_status {
    guard::status(|| {
        handle::get(listener)?.driver.cancel();
        Ok(SSH_OK)
    })
}

/// Listens nowhere any more. Connections that were let in before may still be taken, and transports go on.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_stop(listener: *mut ssh_listener) -> ssh_status {
    guard::status(|| {
        handle::get(listener)?.driver.stop();
        Ok(SSH_OK)
    })
}

/// Whether connections are taken: from the first address or socket on until ssh_listener_stop().
///
/// @return false also when `listener` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_is_listening(listener: *const ssh_listener) -> bool {
    guard::value(false, || Ok(handle::get(listener)?.driver.is_listening()))
}

/// Stops, closes the connections that nobody has taken, and frees the handle. Calls of ssh_listener_accept() in other
/// threads return with SSH_ERR_CLOSED. Transports that were taken go on.
///
/// @param listener  the listener; NULL is fine
///
/// Any thread, also inside its callback; does not wait. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_free(listener: *mut ssh_listener) {
    guard::value((), || {
        let object = handle::take(listener)?;
        object.handle.store(0, Ordering::Release);
        object.driver.close();
        Ok(())
    })
}

// --- behind the functions -------------------------------------------------------------------------

impl Handle for ssh_listener {
    type Object = ListenerObject;
    const TAG: u8 = 28;
    const NOUN: &'static str = "ssh_listener";
}

/// What a listener's handle leads to.
pub(crate) struct ListenerObject {
    pub(crate) driver: Listener,
    /// The one handle, as a number; 0 once it is freed.
    handle: AtomicUsize,
}

/// A callback with its userdata.
struct AcceptCall {
    function: unsafe extern "C" fn(*mut ssh_listener, *mut ssh_transport, *mut c_void),
    userdata: Userdata,
}

impl AcceptCall {
    /// What the driver calls.
    fn bind(self, object: &Arc<ListenerObject>) -> AcceptCallback {
        let listener = Arc::downgrade(object);
        Arc::new(move |transport: Transport| {
            let listener = listener.upgrade();
            let handle = listener.map_or(0, |object| object.handle.load(Ordering::Acquire));
            // What cannot be handed over ends, by being dropped.
            let _ = self.deliver(std::ptr::without_provenance_mut(handle), transport);
        })
    }

    fn deliver(&self, listener: *mut ssh_listener, transport: Transport) -> Outcome<()> {
        let transport = TransportObject::new_handle(transport)?;
        // SAFETY: the program says that the function may be called with this userdata from any thread until destroy
        // is called, which the clone held by our caller prevents.
        unsafe { (self.function)(listener, transport, self.userdata.pointer()) };
        Ok(())
    }
}
