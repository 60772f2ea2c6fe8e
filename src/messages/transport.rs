//! The messages of the transport layer that are not key exchange: RFC 4253 §11, and OpenSSH's ping.

use super::kex::decode;
use super::{DisconnectReason, MessageNumber};
use crate::codec::{printable, Reader, Writer};
use crate::error::Error;

/// The most of a peer's text that is kept.
const MAX_TEXT_BYTES: usize = 1024;

/// SSH_MSG_DISCONNECT (RFC 4253 §11.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// The reason code.
    pub reason: DisconnectReason,
    /// The description, capped and printable.
    pub description: String,
}

impl Disconnect {
    /// Reads the message. It never fails: after it the connection is over whatever its fields hold, and an
    /// error would make us answer. What is missing is read as 0 and as nothing.
    pub fn decode(payload: &[u8]) -> Self {
        let mut reader = Reader::new(payload.get(1..).unwrap_or_default());
        let reason = reader.u32().unwrap_or_default();
        let description = reader.string().unwrap_or_default();
        Disconnect {
            reason: DisconnectReason(reason),
            description: printable(description, MAX_TEXT_BYTES),
        }
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(MessageNumber::DISCONNECT.0).u32(self.reason.0);
            w.string(&self.description).string("");
        })
    }
}

/// SSH_MSG_IGNORE (RFC 4253 §11.2). It is never decoded: RFC 4253 asks to ignore it, and deployed peers
/// send data that are no string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ignore<'a> {
    /// Anything.
    pub data: &'a [u8],
}

impl Ignore<'_> {
    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(MessageNumber::IGNORE.0).string(self.data);
        })
    }
}

/// SSH_MSG_UNIMPLEMENTED (RFC 4253 §11.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unimplemented {
    /// The sequence number of the packet that was not understood.
    pub sequence: u32,
}

impl Unimplemented {
    /// Reads the message.
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        decode(payload, MessageNumber::UNIMPLEMENTED, |reader| {
            Ok(Unimplemented {
                sequence: reader.u32()?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(MessageNumber::UNIMPLEMENTED.0).u32(self.sequence);
        })
    }
}

/// SSH_MSG_DEBUG (RFC 4253 §11.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debug {
    /// Whether a person should see it.
    pub always_display: bool,
    /// The text, capped and printable.
    pub message: String,
}

impl Debug {
    /// Reads the message.
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        decode(payload, MessageNumber::DEBUG, |reader| {
            let always_display = reader.bool()?;
            let message = printable(reader.string()?, MAX_TEXT_BYTES);
            // The language tag.
            reader.string()?;
            Ok(Debug {
                always_display,
                message,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(MessageNumber::DEBUG.0).bool(self.always_display);
            w.string(&self.message).string("");
        })
    }
}

/// SSH2_MSG_PING and SSH2_MSG_PONG (`ping@openssh.com`), which differ only in their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping<'a> {
    /// Comes back as it was sent.
    pub data: &'a [u8],
}

impl<'a> Ping<'a> {
    /// Reads PING or PONG.
    pub fn decode(payload: &'a [u8], number: MessageNumber) -> Result<Self, Error> {
        decode(payload, number, |reader| {
            Ok(Ping {
                data: reader.string()?,
            })
        })
    }

    /// Writes PING or PONG.
    pub fn encode(&self, number: MessageNumber) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(number.0).string(self.data);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_disconnect_never_fails_and_is_capped() {
        let sent = Disconnect {
            reason: DisconnectReason(0xffff_ffff),
            description: "bye".into(),
        };
        assert_eq!(Disconnect::decode(&sent.encode()), sent);
        assert_eq!(Disconnect::decode(&[1, 0, 0]).reason, DisconnectReason(0));
        let long = Writer::collect(|w| {
            w.u8(1).u32(255).string(vec![b'\x1b'; 200 << 10]).string("");
        });
        let read = Disconnect::decode(&long);
        assert_eq!(read.reason, DisconnectReason(255));
        assert!(read.description.len() <= MAX_TEXT_BYTES + 16);
        assert!(!read.description.contains('\x1b'));
    }

    #[test]
    fn p8_lengths_and_trailing_bytes() {
        let ping = Ping { data: b"x" }.encode(MessageNumber::PING);
        let number = MessageNumber::PING;
        assert_eq!(Ping::decode(&ping, number), Ok(Ping { data: b"x" }));
        assert!(Ping::decode(&ping[..5], number).is_err());
        assert!(Ping::decode(&[&ping[..], b"y"].concat(), number).is_err());
        assert!(Ping::decode(&[192, 0xff, 0xff, 0xff, 0xff], number).is_err());
        let debug = Debug {
            always_display: true,
            message: "hi".into(),
        };
        assert_eq!(Debug::decode(&debug.encode()), Ok(debug.clone()));
        let payload = debug.encode();
        for end in 1..payload.len() {
            assert!(Debug::decode(&payload[..end]).is_err());
        }
        let unimplemented = Unimplemented { sequence: 9 };
        assert_eq!(
            Unimplemented::decode(&unimplemented.encode()),
            Ok(unimplemented)
        );
        assert!(Unimplemented::decode(&[3, 0, 0, 0, 9, 9]).is_err());
    }
}
