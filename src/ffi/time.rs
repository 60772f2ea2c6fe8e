//! `timeout_ms` as the header has it.

use std::time::Duration;

use crate::driver::Timeout;
use crate::error::Error;

use super::guard::{Failure, Outcome};
use super::status::{ssh_status, SSH_AGAIN, SSH_OK};
use super::transport::{SSH_TIMEOUT_DEFAULT, SSH_TIMEOUT_FOREVER};

/// The driver's form of `timeout_ms`, with `default` for SSH_TIMEOUT_DEFAULT.
pub(crate) fn timeout(timeout_ms: i32, default: Timeout) -> Outcome<Timeout> {
    match timeout_ms {
        SSH_TIMEOUT_FOREVER => Ok(Timeout::Forever),
        SSH_TIMEOUT_DEFAULT => Ok(default),
        negative if negative < 0 => Err(Failure::invalid("a negative timeout")),
        ms => Ok(Timeout::from_ms(ms)),
    }
}

/// A limit of the driver's own that counts from the start: longer than any process lives for "forever".
pub(crate) fn limit(timeout: Timeout) -> Duration {
    match timeout {
        Timeout::Forever => Duration::MAX,
        Timeout::After(time) => time,
    }
}

/// Whether a call failed only because it was asked not to wait. A session whose own time was over has ended for good.
pub(crate) fn is_again(timeout: Timeout, error: &Error) -> bool {
    timeout == Timeout::NOW && matches!(error, Error::Timeout(_))
}

/// The status of a call for which "not yet" is an ordinary outcome.
pub(crate) fn status_or_again<T>(
    timeout: Timeout,
    result: Result<T, Error>,
    success: impl FnOnce(T) -> ssh_status,
) -> Outcome<ssh_status> {
    match result {
        Ok(value) => Ok(success(value)),
        Err(error) if is_again(timeout, &error) => Ok(SSH_AGAIN),
        Err(error) => Err(error.into()),
    }
}

/// For calls that have nothing to hand out.
pub(crate) fn ok<T>(_: T) -> ssh_status {
    SSH_OK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_values() {
        let default = Timeout::from_ms(7);
        assert_eq!(timeout(-1, default).unwrap(), Timeout::Forever);
        assert_eq!(timeout(-2, default).unwrap(), default);
        assert_eq!(timeout(0, default).unwrap(), Timeout::NOW);
        assert!(timeout(-3, default).is_err());
        assert_eq!(limit(Timeout::Forever), Duration::MAX);
    }

    #[test]
    fn only_a_call_that_may_not_wait_says_again() {
        let late = || Err::<(), _>(Error::Timeout("read"));
        assert_eq!(
            status_or_again(Timeout::NOW, late(), ok).unwrap(),
            SSH_AGAIN
        );
        assert!(status_or_again(Timeout::Forever, late(), ok).is_err());
        assert!(status_or_again(Timeout::NOW, Err::<(), _>(Error::Closed), ok).is_err());
    }
}
