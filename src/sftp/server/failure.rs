//! Why a request was not carried out, in the words of the protocol.

use std::borrow::Cow;
use std::io;

use rustix::io::Errno;

use crate::error::reason;
use crate::sftp::StatusCode;

/// A status other than OK with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The code.
    pub code: StatusCode,
    /// Text for the peer's user.
    pub text: Cow<'static, str>,
}

impl Failure {
    /// A failure with a text of its own.
    pub fn new(code: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Failure {
            code,
            text: text.into(),
        }
    }

    /// A failure with the text of its code.
    pub fn code(code: StatusCode) -> Self {
        Failure::new(code, code.text())
    }

    /// SSH_FX_FAILURE, which stands for everything that version 3 has no code for.
    pub fn other(text: &'static str) -> Self {
        Failure::new(StatusCode::FAILURE, text)
    }

    /// SSH_FX_PERMISSION_DENIED.
    pub fn denied(text: &'static str) -> Self {
        Failure::new(StatusCode::PERMISSION_DENIED, text)
    }

    /// SSH_FX_EOF.
    pub fn eof() -> Self {
        Failure::code(StatusCode::EOF)
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        let code = match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP => StatusCode::NO_SUCH_FILE,
            Errno::PERM | Errno::ACCESS | Errno::ROFS => StatusCode::PERMISSION_DENIED,
            Errno::NOSYS | Errno::OPNOTSUPP => StatusCode::OP_UNSUPPORTED,
            _ => StatusCode::FAILURE,
        };
        // The number means something on this machine only.
        Failure::new(code, reason(errno.raw_os_error()))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None if error.kind() == io::ErrorKind::PermissionDenied => {
                Failure::denied("the path leads out of the directory that is served")
            }
            None => Failure::code(StatusCode::FAILURE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_have_their_codes() {
        for (errno, code) in [
            (Errno::NOENT, StatusCode::NO_SUCH_FILE),
            (Errno::NOTDIR, StatusCode::NO_SUCH_FILE),
            (Errno::ACCESS, StatusCode::PERMISSION_DENIED),
            (Errno::ROFS, StatusCode::PERMISSION_DENIED),
            (Errno::NOSPC, StatusCode::FAILURE),
            (Errno::OPNOTSUPP, StatusCode::OP_UNSUPPORTED),
        ] {
            assert_eq!(Failure::from(errno).code, code);
        }
        assert_eq!(Failure::from(Errno::NOSPC).text, "No space left on device");
    }
}
