//! From a question of the driver's to a callback of the program's.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Weak};

use crate::driver::{Request, RequestKind};

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::guard::{Failure, Outcome};
use super::handle;
use super::request::{self, ssh_request, ssh_request_callback};
use super::request_object::RequestObject;
use super::transport_object::TransportObject;

/// The numbers of the kinds.
pub(crate) const KINDS: &[(i32, RequestKind)] = &[
    (request::SSH_REQUEST_HOST_KEY, RequestKind::HostKey),
    (request::SSH_REQUEST_HOST_KEYS, RequestKind::HostKeys),
    (request::SSH_REQUEST_PROMPTS, RequestKind::Prompts),
    (request::SSH_REQUEST_PASSWORD, RequestKind::Password),
    (request::SSH_REQUEST_PASSPHRASE, RequestKind::Passphrase),
    (request::SSH_REQUEST_AUTH_METHODS, RequestKind::AuthMethods),
    (request::SSH_REQUEST_AUTH_NONE, RequestKind::AuthNone),
    (
        request::SSH_REQUEST_AUTH_PASSWORD,
        RequestKind::AuthPassword,
    ),
    (
        request::SSH_REQUEST_AUTH_KEY_ASKED,
        RequestKind::AuthKeyAsked,
    ),
    (
        request::SSH_REQUEST_AUTH_KEY_PROVEN,
        RequestKind::AuthKeyProven,
    ),
    (
        request::SSH_REQUEST_AUTH_INTERACTIVE,
        RequestKind::AuthInteractive,
    ),
    (
        request::SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS,
        RequestKind::AuthInteractiveAnswers,
    ),
    (request::SSH_REQUEST_CHANNEL_OPEN, RequestKind::ChannelOpen),
    (request::SSH_REQUEST_PTY, RequestKind::Pty),
    (request::SSH_REQUEST_SHELL, RequestKind::Shell),
    (request::SSH_REQUEST_EXEC, RequestKind::Exec),
    (request::SSH_REQUEST_SUBSYSTEM, RequestKind::Subsystem),
    (request::SSH_REQUEST_ENV, RequestKind::Env),
    (
        request::SSH_REQUEST_WINDOW_CHANGE,
        RequestKind::WindowChange,
    ),
    (request::SSH_REQUEST_SIGNAL, RequestKind::Signal),
    (request::SSH_REQUEST_BREAK, RequestKind::Break),
    (
        request::SSH_REQUEST_CHANNEL_REQUEST,
        RequestKind::ChannelRequest,
    ),
    (
        request::SSH_REQUEST_GLOBAL_REQUEST,
        RequestKind::GlobalRequest,
    ),
    (request::SSH_REQUEST_X11, RequestKind::X11),
    (
        request::SSH_REQUEST_AGENT_FORWARD,
        RequestKind::AgentForward,
    ),
    (request::SSH_REQUEST_CONNECT, RequestKind::Connect),
    (request::SSH_REQUEST_LISTEN, RequestKind::Listen),
    (
        request::SSH_REQUEST_CANCEL_LISTEN,
        RequestKind::CancelListen,
    ),
];

/// The number of a kind.
pub(crate) fn number(kind: RequestKind) -> i32 {
    KINDS
        .iter()
        .find(|(_, known)| *known == kind)
        .map_or(0, |(number, _)| *number)
}

/// A callback with its userdata.
#[derive(Clone)]
pub(crate) struct RequestCall {
    function: unsafe extern "C" fn(*mut ssh_request, *mut c_void),
    userdata: Userdata,
}

/// Callbacks by kind.
#[derive(Default, Clone)]
pub(crate) struct Callbacks {
    calls: HashMap<i32, RequestCall>,
    /// Whether questions without a callback wait to be pulled.
    pub(crate) pull: bool,
}

impl Callbacks {
    /// The callback of this kind, or of any.
    pub(crate) fn find(&self, kind: i32) -> Option<RequestCall> {
        self.calls
            .get(&kind)
            .or_else(|| self.calls.get(&request::SSH_REQUEST_ANY))
            .cloned()
    }

    /// Whether questions of this kind have somebody to answer them.
    pub(crate) fn answers(&self, kind: i32) -> bool {
        self.pull || self.find(kind).is_some()
    }

    /// Sets or removes a callback; what was there is returned, to be dropped without a lock.
    pub(crate) fn set(&mut self, kind: i32, call: Option<RequestCall>) -> Option<RequestCall> {
        match call {
            Some(call) => self.calls.insert(kind, call),
            None => self.calls.remove(&kind),
        }
    }
}

/// Checks the arguments of a setter and makes the callback.
pub(crate) fn call(
    kind: i32,
    callback: ssh_request_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> Outcome<Option<RequestCall>> {
    let known = kind == request::SSH_REQUEST_ANY || KINDS.iter().any(|(number, _)| *number == kind);
    if !known {
        return Err(Failure::invalid("an unknown kind of request"));
    }
    let userdata = Userdata::new(userdata, destroy);
    // Without a function the userdata has no use, and ends here.
    Ok(callback.map(|function| RequestCall { function, userdata }))
}

/// Hands a question to a callback. What cannot be handed over is refused, by being dropped.
pub(crate) fn deliver(transport: &Weak<TransportObject>, call: &RequestCall, request: Request) {
    let Some(object) = RequestObject::new(request, transport.clone()) else {
        return;
    };
    let Ok(handle) = handle::insert::<ssh_request>(Arc::new(object)) else {
        return;
    };
    // SAFETY: the program says that the function may be called with this userdata from any thread until
    // destroy is called, which the clone held here prevents; the handle is new and now the callback's.
    unsafe { (call.function)(handle, call.userdata.pointer()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn nothing(_: *mut ssh_request, _: *mut c_void) {}

    #[test]
    fn kinds_are_distinct() {
        for (index, (a, kind)) in KINDS.iter().enumerate() {
            assert!(KINDS
                .iter()
                .skip(index + 1)
                .all(|(b, other)| a != b && kind != other));
            assert_eq!(number(*kind), *a);
        }
    }

    #[test]
    fn any_stands_in_for_kinds_without_a_callback() {
        let mut callbacks = Callbacks::default();
        assert!(!callbacks.answers(request::SSH_REQUEST_EXEC));
        let call = call(
            request::SSH_REQUEST_ANY,
            Some(nothing),
            std::ptr::null_mut(),
            None,
        )
        .unwrap();
        callbacks.set(request::SSH_REQUEST_ANY, call);
        assert!(callbacks.answers(request::SSH_REQUEST_EXEC));
        assert!(super::call(99, Some(nothing), std::ptr::null_mut(), None).is_err());
    }
}
