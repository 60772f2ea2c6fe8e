//! The status codes of draft-ietf-secsh-filexfer-02 §7.

use std::fmt;

/// Most bytes of a status text that are kept.
pub const MAX_STATUS_TEXT_BYTES: usize = 1024;

/// What a server says about a request. Unknown codes survive: later versions of the draft have more.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusCode(pub u32);

macro_rules! status_codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl StatusCode {
            $($(#[$doc])* pub const $name: StatusCode = StatusCode($value);)*

            /// The name in the draft, without SSH_FX_.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(StatusCode::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// What it means, for a person.
            pub fn text(self) -> &'static str {
                match self {
                    $(StatusCode::$name => $text,)*
                    _ => "unknown status",
                }
            }
        }
    };
}

status_codes! {
    /// Done.
    OK = 0, "success";
    /// No more data, or no more names.
    EOF = 1, "end of file";
    /// The file does not exist.
    NO_SUCH_FILE = 2, "no such file";
    /// The user may not.
    PERMISSION_DENIED = 3, "permission denied";
    /// Anything that has no code of its own; version 3 has few.
    FAILURE = 4, "failure";
    /// The packet was malformed.
    BAD_MESSAGE = 5, "bad message";
    /// Never on the wire: there is no connection.
    NO_CONNECTION = 6, "no connection";
    /// Never on the wire: the connection was lost.
    CONNECTION_LOST = 7, "connection lost";
    /// The server does not do this.
    OP_UNSUPPORTED = 8, "operation unsupported";
    /// From version 4 on, sent by some servers all the same.
    INVALID_HANDLE = 9, "invalid handle";
    /// From version 4 on.
    NO_SUCH_PATH = 10, "no such path";
    /// From version 4 on.
    FILE_ALREADY_EXISTS = 11, "file already exists";
    /// From version 4 on.
    WRITE_PROTECT = 12, "write protected";
    /// From version 4 on.
    NO_MEDIA = 13, "no media";
    /// From version 5 on.
    NO_SPACE_ON_FILESYSTEM = 14, "no space on file system";
    /// From version 5 on.
    QUOTA_EXCEEDED = 15, "quota exceeded";
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(_) => f.write_str(self.text()),
            None => write!(f, "status {}", self.0),
        }
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "SSH_FX_{name}"),
            None => write!(f, "SSH_FX({})", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_codes_survive() {
        assert_eq!(StatusCode::NO_SUCH_FILE.to_string(), "no such file");
        assert_eq!(StatusCode(77).to_string(), "status 77");
        assert_eq!(format!("{:?}", StatusCode(4)), "SSH_FX_FAILURE");
    }
}
