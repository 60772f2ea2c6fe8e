//! The panic guard: every exported function runs its body in here, so that no panic reaches C.

use std::borrow::Cow;
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::error::Error;

use super::error::{self, ssh_error};
use super::status::{
    self, ssh_status, SSH_ERR_BAD_HANDLE, SSH_ERR_CLOSED, SSH_ERR_FORKED, SSH_ERR_INTERNAL,
    SSH_ERR_INVALID_ARG, SSH_ERR_STATE,
};

/// Why an exported function failed: the status for the caller and the words for a person.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: ssh_status,
    pub(crate) cause: Cause,
}

/// Where the words and details of a failure come from.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    /// Found here, at the boundary.
    Boundary(Cow<'static, str>),
    /// Came from a layer below.
    Below(Error),
}

/// What the body of an exported function comes to.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    fn boundary(status: ssh_status, message: impl Into<Cow<'static, str>>) -> Self {
        Failure {
            status,
            cause: Cause::Boundary(message.into()),
        }
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::boundary(SSH_ERR_INVALID_ARG, message)
    }

    pub(crate) fn bad_handle(noun: &'static str) -> Self {
        // The allocation happens on the way to an error only.
        Self::boundary(SSH_ERR_BAD_HANDLE, format!("not a live {noun} handle"))
    }

    pub(crate) fn forked() -> Self {
        Self::boundary(
            SSH_ERR_FORKED,
            "the handle belongs to the parent process of this fork",
        )
    }

    pub(crate) fn callback(message: &'static str) -> Self {
        Self::boundary(status::SSH_ERR_CALLBACK, message)
    }

    pub(crate) fn closed(message: &'static str) -> Self {
        Self::boundary(SSH_ERR_CLOSED, message)
    }

    pub(crate) fn refused(message: String) -> Self {
        Self::boundary(status::SSH_ERR_AUTH, message)
    }

    pub(crate) fn state(message: &'static str) -> Self {
        Self::boundary(SSH_ERR_STATE, message)
    }

    pub(crate) fn internal(message: &'static str) -> Self {
        Self::boundary(SSH_ERR_INTERNAL, message)
    }

    pub(crate) fn message(&self) -> String {
        match &self.cause {
            Cause::Boundary(text) => text.clone().into_owned(),
            Cause::Below(error) => error.to_string(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            status: status::of(&error),
            cause: Cause::Below(error),
        }
    }
}

fn run<T>(body: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    // A panic leaves no broken state behind that later calls could trust: objects live behind locks
    // of their own, and the transport that panicked is closed by the driver.
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(Failure::internal("a panic inside the library was caught")))
}

/// Runs a body that returns a status.
pub(crate) fn status(body: impl FnOnce() -> Outcome<ssh_status>) -> ssh_status {
    run(body).unwrap_or_else(|failure| failure.status)
}

/// Runs a body that returns a status, and hands out the detail of a failure.
pub(crate) fn status_with(
    out: *mut *mut ssh_error,
    body: impl FnOnce() -> Outcome<ssh_status>,
) -> ssh_status {
    error::clear(out);
    run(body).unwrap_or_else(|failure| {
        let status = failure.status;
        error::give(out, failure);
        status
    })
}

/// Runs a body that returns a plain value, which is `otherwise` on any failure.
pub(crate) fn value<T>(otherwise: T, body: impl FnOnce() -> Outcome<T>) -> T {
    run(body).unwrap_or(otherwise)
}

/// Runs a body that returns a plain value, and hands out the detail of a failure.
pub(crate) fn value_with<T>(
    otherwise: T,
    out: *mut *mut ssh_error,
    body: impl FnOnce() -> Outcome<T>,
) -> T {
    error::clear(out);
    run(body).unwrap_or_else(|failure| {
        error::give(out, failure);
        otherwise
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::status::SSH_OK;

    #[test]
    fn panics_become_a_status() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let result = status(|| panic!("inside"));
        let plain = value(7, || panic!("inside"));
        std::panic::set_hook(hook);
        assert_eq!(result, SSH_ERR_INTERNAL);
        assert_eq!(plain, 7);
        assert_eq!(status(|| Ok(SSH_OK)), SSH_OK);
    }

    #[test]
    fn errors_of_lower_layers_keep_their_words() {
        let failure = Failure::from(Error::ConnectionLost);
        assert_eq!(failure.message(), "connection lost");
        assert_eq!(failure.status, status::SSH_ERR_CONN_LOST);
    }
}
