//! Handlers of subsystems: a server's way to have a request served by a function on a thread of its own.

use std::collections::HashMap;
use std::ffi::{c_char, c_void, CString};
use std::sync::{Arc, Weak};

use crate::driver::SubsystemHandler;

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::channel::ssh_channel;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::server::ssh_server;
use super::status::{ssh_status, SSH_OK};
use super::transport::ssh_transport;
use super::transport_object::{self, TransportObject};

/// Serves one request for a subsystem, from its beginning to its end.
///
/// Called on a thread of its own, once the client has been told that the request is granted, with no lock held. It
/// may block for as long as it likes and call any function of the library. When it returns, the channel is closed. It
/// must not unwind or longjmp. All signals are blocked on its thread.
///
/// @param channel   the channel; it lives during the call and no longer, and is not to be freed, unless the program
///                  itself has got it from ssh_transport_accept() or ssh_request_accept_channel()
/// @param name      the subsystem's name, a string that lives during the call
/// @param userdata  as set
/// @return the exit status that the client is told, or a negative number to tell none
#[allow(non_camel_case_types)]
pub type ssh_subsystem_callback = Option<
    unsafe extern "C" fn(
        channel: *mut ssh_channel,
        name: *const c_char,
        userdata: *mut c_void,
    ) -> i32,
>;

/// Sets who serves a subsystem, for every transport started with the server from now on. A handler set on the
/// transport itself goes first.
///
/// With a handler, requests for the subsystem are granted; a callback for SSH_REQUEST_SUBSYSTEM is asked before, if
/// there is one, and the handler runs when it accepts. At most 64 handlers run at once for one transport, and 1,024
/// in the process: further requests are refused, and ssh_request_accept() then returns SSH_ERR_LIMIT. A channel that
/// a handler serves does not come out of ssh_transport_accept() any more.
///
/// @param server    the server
/// @param name      the subsystem's name, 1 to 256 bytes
/// @param handler   serves it, or NULL: then the callback for SSH_REQUEST_SUBSYSTEM alone decides
/// @param userdata  passed to the handler, from several threads at once
/// @param destroy   ends userdata's life once it is replaced or the server and its transports are gone, and no
///                  handler runs; or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_server_set_subsystem_handler(
    server: *mut ssh_server,
    name: *const c_char,
    handler: ssh_subsystem_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        let name = subsystem_name(name)?;
        let call = SubsystemCall::new(handler, userdata, destroy);
        let mut settings = object.settings.lock();
        let before = match call {
            Some(call) => settings.subsystems.insert(name, call),
            None => settings.subsystems.remove(&name),
        };
        drop(settings);
        drop(before);
        Ok(SSH_OK)
    })
}

/// Sets who serves a subsystem on one transport, before or after its start; see ssh_server_set_subsystem_handler().
///
/// @param transport  a server transport
/// @param name       the subsystem's name, 1 to 256 bytes
/// @param handler    serves it, or NULL: then the callback for SSH_REQUEST_SUBSYSTEM alone decides
/// @param userdata   passed to the handler, from several threads at once
/// @param destroy    ends userdata's life once it is replaced or the transport is gone, and no handler runs; or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_subsystem_handler(
    transport: *mut ssh_transport,
    name: *const c_char,
    handler: ssh_subsystem_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            let name = subsystem_name(name)?;
            let call = SubsystemCall::new(handler, userdata, destroy);
            let handler = call.map(|call| call.bind(object));
            object.driver.set_subsystem(&name, handler, true);
            Ok(SSH_OK)
        })
    })
}

// --- behind the functions -------------------------------------------------------------------------

const MAX_NAME: usize = 256;

/// Handlers by the name of their subsystem.
pub(crate) type Subsystems = HashMap<String, SubsystemCall>;

/// A handler with its userdata.
#[derive(Clone)]
pub(crate) struct SubsystemCall {
    function: unsafe extern "C" fn(*mut ssh_channel, *const c_char, *mut c_void) -> i32,
    userdata: Userdata,
}

impl SubsystemCall {
    fn new(
        handler: ssh_subsystem_callback,
        userdata: *mut c_void,
        destroy: ssh_destroy_callback,
    ) -> Option<Self> {
        // Without a function the userdata has no use, and ends here.
        let userdata = Userdata::new(userdata, destroy);
        handler.map(|function| SubsystemCall { function, userdata })
    }

    /// What the driver calls for a transport.
    pub(crate) fn bind(self, object: &Arc<TransportObject>) -> SubsystemHandler {
        let transport = Arc::downgrade(object);
        Arc::new(move |channel, name| self.run(&transport, channel.clone(), name))
    }

    fn run(
        &self,
        transport: &Weak<TransportObject>,
        channel: crate::driver::Channel,
        name: &str,
    ) -> Option<u32> {
        let transport = transport.upgrade()?;
        let name = CString::new(name).ok()?;
        let handle = transport.channel_handle(channel, false).ok()?;
        let id = handle::get(handle).ok()?.driver.id();
        // SAFETY: the program says that the function may be called with this userdata from any thread until destroy
        // is called, which the clone held here prevents; the name lives during the call.
        let status = unsafe { (self.function)(handle, name.as_ptr(), self.userdata.pointer()) };
        transport.take_back(id, handle);
        u32::try_from(status).ok()
    }
}

fn subsystem_name(name: *const c_char) -> Outcome<String> {
    let name = memory::text(name, "the name")?;
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Failure::invalid("a name of 1 to 256 bytes is wanted"));
    }
    Ok(name.to_owned())
}
