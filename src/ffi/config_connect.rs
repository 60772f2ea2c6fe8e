//! `ssh_connect_config`: from a destination to a transport with a user, as ssh gets there.

use std::ffi::{c_char, c_void, CString};
use std::os::fd::RawFd;
use std::sync::Arc;

use crate::config::connect::{self, Program};
use crate::config::ThisMachine;
use crate::driver::sync::Mutex;
use crate::driver::{Timeout, Transport};
use crate::error::Error;
use crate::known_hosts::Attached;
use crate::messages::Role;

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::channel::ssh_channel;
use super::channel_object;
use super::config::ssh_config;
use super::config_host::ssh_config_host;
use super::dispatch::{self, Callbacks};
use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::request::ssh_request_callback;
use super::status::{ssh_status, SSH_OK};
use super::time;
use super::transport::ssh_transport;
use super::transport_object::{Lower, TransportObject};

/// Makes the connection that ProxyCommand leads to, in place of a command run by the library.
///
/// Called inside ssh_connect_config(), on its thread, with no lock held. It may call any function of the library, and must
/// not unwind or longjmp.
///
/// @param command   the command, with its tokens replaced; lives during the call
/// @param userdata  as set
/// @return a connected stream socket, which belongs to the transport as for ssh_transport_new(), or a negative number, which
///         fails the call with SSH_ERR_CALLBACK
#[allow(non_camel_case_types)]
pub type ssh_config_proxy_callback =
    Option<unsafe extern "C" fn(command: *const c_char, userdata: *mut c_void) -> i32>;

/// Sets who answers the questions of transports that ssh_connect_config() makes, jump hosts included: SSH_REQUEST_HOST_KEY
/// for the key of a host that is not known, when StrictHostKeyChecking is `ask`; SSH_REQUEST_PASSPHRASE,
/// SSH_REQUEST_PASSWORD and SSH_REQUEST_PROMPTS. One function may do for all of the last three, for all of them have
/// prompts. With BatchMode nobody is asked, and without a callback the answer is no. The callbacks stay with the transports.
///
/// @param config    the configuration
/// @param kind      which kind, or SSH_REQUEST_ANY for all that have none of their own
/// @param callback  answers, as for ssh_transport_set_callback(), or NULL for nobody
/// @param userdata  passed to the callback
/// @param destroy   ends userdata's life once it is replaced and configuration and transports are gone, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE, and then destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_set_callback(
    config: *mut ssh_config,
    kind: i32,
    callback: ssh_request_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(config)?;
        let call = dispatch::call(kind, callback, userdata, destroy)?;
        let before = object.callbacks.lock().set(kind, call);
        drop(before);
        Ok(SSH_OK)
    })
}

/// Sets who makes the connections that ProxyCommand leads to. Without anybody ssh_connect_config() runs the command with
/// the shell that the environment variable SHELL names, as ssh does, its complaints on the program's standard error.
///
/// @param config    the configuration
/// @param callback  makes a connection, or NULL for nobody
/// @param userdata  passed to the callback
/// @param destroy   ends userdata's life once it is replaced or the configuration is gone, or NULL
/// @return SSH_OK, SSH_ERR_BAD_HANDLE, and then destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_set_proxy_callback(
    config: *mut ssh_config,
    callback: ssh_config_proxy_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(config)?;
        let userdata = Userdata::new(userdata, destroy);
        let call = callback.map(|function| ProxyCall { function, userdata });
        let before = std::mem::replace(&mut *object.proxy.lock(), call);
        drop(before);
        Ok(SSH_OK)
    })
}

/// Connects to a destination and logs in, as ssh does with the same configuration: through the jump hosts of ProxyJump, each
/// a session within the one before, or through ProxyCommand; with its algorithms, Compression, RekeyLimit, ServerAlive...,
/// AddressFamily, BindAddress, ConnectTimeout and ConnectionAttempts; with its known hosts and StrictHostKeyChecking, where
/// a new key is written to the first file of UserKnownHostsFile once it is accepted, and where a changed one is let pass no
/// password is sent and nothing forwarded (the calls for that fail with SSH_ERR_HOSTKEY); and with keys, prompts and passwords, in
/// the order of PreferredAuthentications. What is to be done on the connection (RemoteCommand, LocalForward, SendEnv, ...)
/// is the program's matter: ssh_config_resolve() tells, and ssh_config_host_request_agent_forward() does what ForwardAgent
/// says.
///
/// Keys are tried as by ssh, each once, under the names that PubkeyAcceptedAlgorithms leaves: certificates of
/// CertificateFile; the keys of the agent (IdentityAgent, or SSH_AUTH_SOCK), those that IdentityFile names before the others,
/// and those alone with IdentitiesOnly; then the keys of files, each followed by the certificate beside it. A file with a
/// public key names one of the agent's. The passphrase of a file is asked for when the server accepts its key, where the key
/// can be shown without; AddKeysToAgent then gives it to the agent, and with `ask` the program is asked before by a request
/// of kind SSH_REQUEST_PROMPTS, which the answer "yes" agrees to.
///
/// @param config       the configuration
/// @param destination  as for ssh_config_resolve()
/// @param timeout_ms   milliseconds for all of it, questions to a person included; SSH_TIMEOUT_DEFAULT gives each step its
///                     own timeout and a person all the time they need
/// @param error        receives the detail, or NULL: SSH_ERR_CONFIG, SSH_ERR_RESOLVE, SSH_ERR_IO, SSH_ERR_TIMEOUT,
///                     SSH_ERR_HOSTKEY, SSH_ERR_AUTH with what was tried and what was not and why, SSH_ERR_CHANNEL when a
///                     jump host cannot reach the next, SSH_ERR_LIMIT for more than 16 jump hosts, ...
/// @return a transport with a user, freed with ssh_transport_free(), which ends those below it too, or NULL. Any thread, but
///         not inside a callback of a transport that it goes through. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_connect_config(
    config: *const ssh_config,
    destination: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_transport {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(config)?;
        let destination = memory::text(destination, "the destination")?;
        let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
        let (files, machine) = object.parts();
        let callbacks = object.callbacks.lock().clone();
        let proxy = object.proxy.lock().clone();
        let caller = Caller {
            callbacks,
            proxy,
            made: Mutex::default(),
        };
        connect::connect(&files, destination, &machine, &caller, timeout).map_err(|error| {
            match error {
                Error::ApiMisuse(text) => Failure::invalid(text),
                error => error.into(),
            }
        })?;
        caller.finish()
    })
}

/// Does for a session what ForwardAgent says: asks the server to let its programs use the user's agent, as
/// ssh_channel_request_agent_forward() does. Like ssh, it asks nothing and succeeds where nothing is to be lent: ForwardAgent
/// is `no`, no agent answers at the socket, or a changed host key was let pass because StrictHostKeyChecking is `no`.
///
/// @param host        what was resolved for the destination
/// @param channel     a session channel of the transport, before its shell or command is started
/// @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL: SSH_ERR_DENIED when the server refuses, after which the session can be
///                    used all the same, SSH_ERR_TIMEOUT, ...
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_host_request_agent_forward(
    host: *const ssh_config_host,
    channel: *mut ssh_channel,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let host = handle::get(host)?;
        channel_object::with(channel, |object| {
            let timeout = object.request_timeout(timeout_ms)?;
            let machine = ThisMachine::default();
            connect::place::forward_agent(&host.resolved, &machine, &object.driver, timeout)?;
            Ok(SSH_OK)
        })
    })
}

// --- behind the functions -------------------------------------------------------------------------

/// The program's function for ProxyCommand.
#[derive(Clone)]
pub(crate) struct ProxyCall {
    function: unsafe extern "C" fn(*const c_char, *mut c_void) -> i32,
    userdata: Userdata,
}

/// The program that connects. Handles that are left when it goes are freed.
struct Caller {
    callbacks: Callbacks,
    proxy: Option<ProxyCall>,
    /// The transports of the way, the first one first.
    made: Mutex<Vec<Lower>>,
}

impl Caller {
    /// Hands out the last transport, which frees the others.
    fn finish(self) -> Outcome<*mut ssh_transport> {
        let mut made = std::mem::take(&mut *self.made.lock());
        let last = made
            .pop()
            .ok_or_else(|| Failure::internal("a connection without a transport"))?;
        let handle = last.keep();
        handle::get(handle)?.set_below(made);
        Ok(handle)
    }
}

impl Program for Caller {
    fn made(&self, transport: &Transport, known_hosts: Option<Arc<Attached>>) -> Result<(), Error> {
        let set_up = || -> Outcome<()> {
            let handle = TransportObject::new_handle(transport.clone())?;
            self.made.lock().push(Lower::new(handle));
            let object = handle::get(handle)?.share();
            *object.callbacks.lock() = self.callbacks.clone();
            *object.known_hosts.lock() = known_hosts;
            object.security.lock().started = Some(Role::Client);
            object.install_callbacks();
            Ok(())
        };
        set_up().map_err(|_| Error::Resource("handles"))
    }

    fn proxy(&self, command: &str) -> Option<Result<RawFd, Error>> {
        let call = self.proxy.as_ref()?;
        let Ok(command) = CString::new(command) else {
            return Some(Err(Error::ApiMisuse("ProxyCommand has a NUL byte in it")));
        };
        // SAFETY: the program says that the function may be called with this userdata from any thread until destroy is
        // called, which the clone held here prevents; the string lives during the call.
        let descriptor = unsafe { (call.function)(command.as_ptr(), call.userdata.pointer()) };
        if descriptor < 0 {
            return Some(Err(Error::StreamNonsense("ProxyCommand")));
        }
        Some(Ok(descriptor))
    }
}
