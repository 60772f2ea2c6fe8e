//! The packet types of draft-ietf-secsh-filexfer-02 §3.

use std::fmt;

/// The first byte of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PacketType(pub u8);

macro_rules! packet_types {
    ($($name:ident = $value:literal,)*) => {
        impl PacketType {
            $(
                #[doc = concat!("SSH_FXP_", stringify!($name))]
                pub const $name: PacketType = PacketType($value);
            )*

            /// The name in the draft, without SSH_FXP_.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(PacketType::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

packet_types! {
    INIT = 1,
    VERSION = 2,
    OPEN = 3,
    CLOSE = 4,
    READ = 5,
    WRITE = 6,
    LSTAT = 7,
    FSTAT = 8,
    SETSTAT = 9,
    FSETSTAT = 10,
    OPENDIR = 11,
    READDIR = 12,
    REMOVE = 13,
    MKDIR = 14,
    RMDIR = 15,
    REALPATH = 16,
    STAT = 17,
    RENAME = 18,
    READLINK = 19,
    SYMLINK = 20,
    STATUS = 101,
    HANDLE = 102,
    DATA = 103,
    NAME = 104,
    ATTRS = 105,
    EXTENDED = 200,
    EXTENDED_REPLY = 201,
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "SSH_FXP_{name}"),
            None => write!(f, "SFTP packet type {}", self.0),
        }
    }
}

impl fmt::Debug for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_names() {
        assert_eq!(
            PacketType::EXTENDED_REPLY.to_string(),
            "SSH_FXP_EXTENDED_REPLY"
        );
        assert_eq!(PacketType(99).to_string(), "SFTP packet type 99");
    }
}
