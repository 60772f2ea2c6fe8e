//! `ssh_error`: what went wrong, for a program and for a person.

use std::ffi::{c_char, CString};
use std::sync::Arc;

use crate::error::{AgentFault, Error, HostKeyFault};

use super::guard::{self, Cause, Failure, Outcome};
use super::handle::{self, Handle};
use super::memory::{c_string, write};
use super::status::{
    self, ssh_status, SSH_ERR_BAD_HANDLE, SSH_ERR_CONN_LOST, SSH_ERR_RESOLVE, SSH_ERR_RESOURCE,
    SSH_ERR_TIMEOUT,
};

/// What went wrong with one call: a code, words for a person, and the details that go with the code.
///
/// Functions with several causes of failure take an `ssh_error **` as their last argument. It may be
/// NULL. Otherwise it is set to NULL on success, and on failure to an error of the caller's, freed with
/// ssh_error_free(). The strings asked of an error belong to it and live until it is freed. An error
/// does not change, so any number of threads may read it.
#[allow(non_camel_case_types)]
pub struct ssh_error {
    _opaque: [u8; 0],
}

/// The object behind an [`ssh_error`], with every string ready to be lent out.
pub(crate) struct ErrorObject {
    failure: Failure,
    message: CString,
    details: Details,
}

#[derive(Default)]
struct Details {
    errno: i32,
    disconnect_reason: u32,
    channel_reason: u32,
    sftp_status: u32,
    peer_text: Option<CString>,
    list: Option<CString>,
    local_algorithms: Option<CString>,
    peer_algorithms: Option<CString>,
    auth_methods: Option<CString>,
    expected: Option<CString>,
    found: Option<CString>,
}

impl Handle for ssh_error {
    type Object = ErrorObject;
    const TAG: u8 = 1;
    const NOUN: &'static str = "ssh_error";
    const SURVIVES_FORK: bool = true;
}

impl ErrorObject {
    pub(crate) fn new(failure: Failure) -> Self {
        let details = match &failure.cause {
            Cause::Below(error) => details(error),
            Cause::Boundary(_) => Details::default(),
        };
        ErrorObject {
            message: c_string(&failure.message()),
            details,
            failure,
        }
    }
}

fn details(error: &Error) -> Details {
    let mut d = Details::default();
    match error {
        Error::Below(cause) | Error::At { cause, .. } => return details(cause),
        Error::Io { errno, .. }
        | Error::File { errno, .. }
        | Error::Agent(AgentFault::Unreachable { errno, .. }) => d.errno = *errno,
        Error::Disconnected {
            reason,
            description,
        } => {
            d.disconnect_reason = reason.0;
            d.peer_text = Some(c_string(description));
        }
        Error::ChannelOpenRefused {
            reason,
            description,
        } => {
            d.channel_reason = *reason;
            d.peer_text = Some(c_string(description));
        }
        Error::SftpStatus(status) => {
            d.sftp_status = status.code;
            d.peer_text = Some(c_string(&status.text));
        }
        Error::NoCommonAlgorithm(lists) => {
            d.list = Some(c_string(lists.list));
            d.local_algorithms = Some(c_string(&lists.local.join(",")));
            d.peer_algorithms = Some(c_string(&lists.peer.join(",")));
        }
        Error::AuthFailed { methods } => d.auth_methods = Some(c_string(&methods.join(","))),
        Error::Login(fault) => d.auth_methods = Some(c_string(&fault.methods.join(","))),
        Error::HostKey(HostKeyFault::Mismatch { expected, found }) => {
            d.expected = Some(c_string(expected));
            d.found = Some(c_string(found));
        }
        Error::HostKey(HostKeyFault::Revoked { found, .. }) => {
            d.expected = Some(c_string(found));
            d.found = Some(c_string(found));
        }
        Error::HostKey(HostKeyFault::TooShort { found, .. }) => d.found = Some(c_string(found)),
        Error::HostKey(HostKeyFault::Known(fault)) => {
            d.expected = (!fault.expected.is_empty()).then(|| c_string(&fault.expected));
            d.found = Some(c_string(&fault.found));
        }
        _ => {}
    }
    d
}

/// Empties an error output at the start of a call.
pub(crate) fn clear(out: *mut *mut ssh_error) {
    write(out, std::ptr::null_mut());
}

/// Hands a failure out as an error, if the caller wants one.
pub(crate) fn give(out: *mut *mut ssh_error, failure: Failure) {
    if !out.is_null() {
        write(out, make(failure).unwrap_or(std::ptr::null_mut()));
    }
}

/// A new error handle.
pub(crate) fn make(failure: Failure) -> Outcome<*mut ssh_error> {
    handle::insert(Arc::new(ErrorObject::new(failure)))
}

/// Frees an error and the strings asked of it.
///
/// @param error  the error; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_free(error: *mut ssh_error) {
    guard::value((), || handle::take(error).map(drop));
}

/// The status the failed call returned, or would have returned if it returns a handle.
///
/// @return the status; SSH_ERR_BAD_HANDLE when `error` is no error. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_code(error: *const ssh_error) -> ssh_status {
    guard::value(SSH_ERR_BAD_HANDLE, || {
        Ok(handle::get(error)?.failure.status)
    })
}

/// The class of the code: SSH_CLASS_USAGE, SSH_CLASS_SYSTEM, ...
///
/// @return the class; 0 when `error` is no error. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_class(error: *const ssh_error) -> i32 {
    guard::value(0, || Ok(status::class(handle::get(error)?.failure.status)))
}

/// One line in English that says what went wrong. Text of the peer's in it has its control characters
/// escaped, so it may be shown on a terminal.
///
/// @return a string of the error's, never NULL; "no error" when `error` is no error.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_message(error: *const ssh_error) -> *const c_char {
    guard::value(c"no error".as_ptr(), || {
        Ok(handle::get(error)?.message.as_ptr())
    })
}

/// Whether trying again in a while, with nothing changed, may succeed: after a timeout, a lost
/// connection, or a shortage.
///
/// @return false also when `error` is no error. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_is_retryable(error: *const ssh_error) -> bool {
    guard::value(false, || {
        let object = handle::get(error)?;
        let busy = [
            libc::ECONNREFUSED,
            libc::ECONNRESET,
            libc::ECONNABORTED,
            libc::EHOSTUNREACH,
            libc::ENETUNREACH,
            libc::ETIMEDOUT,
            libc::EAGAIN,
            libc::EMFILE,
            libc::ENFILE,
            libc::EPIPE,
        ];
        Ok(matches!(
            object.failure.status,
            SSH_ERR_RESOLVE | SSH_ERR_RESOURCE | SSH_ERR_TIMEOUT | SSH_ERR_CONN_LOST
        ) || busy.contains(&object.details.errno))
    })
}

/// The system's error number, for SSH_ERR_IO, and for SSH_ERR_AGENT when there is no agent where it should be.
///
/// @return an errno value, or 0. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_errno(error: *const ssh_error) -> i32 {
    guard::value(0, || Ok(handle::get(error)?.details.errno))
}

/// The reason number the peer disconnected with (RFC 4253 section 11.1), for SSH_ERR_DISCONNECTED.
///
/// @return the number as sent, or 0. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_disconnect_reason(error: *const ssh_error) -> u32 {
    guard::value(0, || Ok(handle::get(error)?.details.disconnect_reason))
}

/// The reason number the peer refused a channel with (RFC 4254 section 5.1), for SSH_ERR_CHANNEL.
///
/// @return the number as sent, or 0. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_channel_reason(error: *const ssh_error) -> u32 {
    guard::value(0, || Ok(handle::get(error)?.details.channel_reason))
}

/// The status code the SFTP server refused with, for SSH_ERR_SFTP: SSH_SFTP_STATUS_NO_SUCH_FILE and the others. The
/// server's text is ssh_error_peer_text().
///
/// @return the code as sent, or 0 when the server sent none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_sftp_status(error: *const ssh_error) -> u32 {
    guard::value(0, || Ok(handle::get(error)?.details.sftp_status))
}

macro_rules! lend {
    ($error:expr, $field:ident) => {
        guard::value(std::ptr::null(), || {
            Ok(handle::get($error)?
                .details
                .$field
                .as_ref()
                .map_or(std::ptr::null(), |text| text.as_ptr()))
        })
    };
}

/// The text the peer sent with its disconnect, refusal or SFTP status, shortened and with control characters
/// escaped.
///
/// @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_peer_text(error: *const ssh_error) -> *const c_char {
    lend!(error, peer_text)
}

/// Which list had no algorithm in common, in words such as "key exchange", for SSH_ERR_NEGOTIATION.
///
/// @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_algorithm_list(error: *const ssh_error) -> *const c_char {
    lend!(error, list)
}

/// Our names on that list, separated by commas, in order of preference.
///
/// @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_local_algorithms(error: *const ssh_error) -> *const c_char {
    lend!(error, local_algorithms)
}

/// The peer's names on that list, separated by commas, in order of preference.
///
/// @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_peer_algorithms(error: *const ssh_error) -> *const c_char {
    lend!(error, peer_algorithms)
}

/// The authentication methods that the server says may be tried, separated by commas, for SSH_ERR_AUTH.
///
/// @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_auth_methods(error: *const ssh_error) -> *const c_char {
    lend!(error, auth_methods)
}

/// The fingerprint of the host key that was expected, for SSH_ERR_HOSTKEY. One that is revoked is the very key that was
/// found.
///
/// @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_expected_fingerprint(error: *const ssh_error) -> *const c_char {
    lend!(error, expected)
}

/// The fingerprint of the host key that the server showed instead, for SSH_ERR_HOSTKEY.
///
/// @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_error_found_fingerprint(error: *const ssh_error) -> *const c_char {
    lend!(error, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::NoCommonAlgorithm;
    use crate::ffi::status::{SSH_ERR_IO, SSH_ERR_NEGOTIATION};
    use std::ffi::CStr;

    fn text(pointer: *const c_char) -> Option<String> {
        if pointer.is_null() {
            return None;
        }
        // SAFETY: borrowed from an error that lives in the test.
        Some(
            unsafe { CStr::from_ptr(pointer) }
                .to_str()
                .unwrap()
                .to_owned(),
        )
    }

    #[test]
    fn carries_both_lists() {
        let error = make(Failure::from(Error::NoCommonAlgorithm(Box::new(
            NoCommonAlgorithm {
                list: "key exchange",
                local: vec!["a".into(), "b".into()],
                peer: vec!["c".into()],
            },
        ))))
        .unwrap();
        // SAFETY: the functions check their handle.
        unsafe {
            assert_eq!(ssh_error_code(error), SSH_ERR_NEGOTIATION);
            assert_eq!(ssh_error_class(error), 5);
            assert_eq!(
                text(ssh_error_algorithm_list(error)).unwrap(),
                "key exchange"
            );
            assert_eq!(text(ssh_error_local_algorithms(error)).unwrap(), "a,b");
            assert_eq!(text(ssh_error_peer_algorithms(error)).unwrap(), "c");
            assert_eq!(text(ssh_error_auth_methods(error)), None);
            ssh_error_free(error);
            ssh_error_free(error);
            assert_eq!(ssh_error_code(error), SSH_ERR_BAD_HANDLE);
            assert_eq!(text(ssh_error_message(error)).unwrap(), "no error");
        }
    }

    #[test]
    fn refused_connections_may_be_tried_again() {
        let error = make(Failure::from(Error::Io {
            operation: "connect",
            errno: libc::ECONNREFUSED,
        }))
        .unwrap();
        // SAFETY: the functions check their handle.
        unsafe {
            assert_eq!(ssh_error_code(error), SSH_ERR_IO);
            assert_eq!(ssh_error_errno(error), libc::ECONNREFUSED);
            assert!(ssh_error_is_retryable(error));
            ssh_error_free(error);
        }
    }
}
