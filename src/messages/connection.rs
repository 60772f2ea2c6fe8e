//! The channel messages of RFC 4254 §5, 90 to 100.

use crate::codec::{DecodeError, Reader, Writer};
use crate::error::Error;
use crate::messages::MessageNumber;

/// Longest name of a channel type, a request or a signal that is looked at (RFC 4251 §6).
pub const MAX_NAME_BYTES: usize = 64;

/// Reads a whole message: the number, the fields, and nothing after them.
pub(crate) fn decode_whole<'a, T>(
    number: MessageNumber,
    payload: &'a [u8],
    fields: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, Error> {
    let read = || {
        let mut reader = Reader::new(payload);
        if reader.u8()? != number.0 {
            return Err(DecodeError::BadValue);
        }
        let message = fields(&mut reader)?;
        reader.finish()?;
        Ok(message)
    };
    read().map_err(Error::invalid(number))
}

/// Takes everything that is left, for the fields that RFC 4254 leaves to the channel or request type.
pub(crate) fn rest<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let length = reader.remaining().len();
    reader.take(length)
}

/// A name as RFC 4251 §6 allows it: printable ASCII without comma, 1 to 64 bytes.
pub(crate) fn valid_name(bytes: &[u8]) -> Option<&str> {
    let fits = !bytes.is_empty() && bytes.len() <= MAX_NAME_BYTES;
    let printable = bytes
        .iter()
        .all(|byte| byte.is_ascii_graphic() && *byte != b',');
    if fits && printable {
        std::str::from_utf8(bytes).ok()
    } else {
        None
    }
}

/// SSH_MSG_CHANNEL_OPEN (RFC 4254 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelOpen<'a> {
    /// The channel type, unchecked.
    pub kind: &'a [u8],
    /// The sender's number for the channel.
    pub sender: u32,
    /// Bytes that the receiver of this message may send at first.
    pub window_bytes: u32,
    /// Most data bytes in one message to the sender.
    pub max_packet_bytes: u32,
    /// The fields that the channel type defines; see [`OpenKind`](super::open_kind::OpenKind).
    pub specific: &'a [u8],
}

impl<'a> ChannelOpen<'a> {
    /// Reads the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode_whole(MessageNumber::CHANNEL_OPEN, payload, |r| {
            Ok(ChannelOpen {
                kind: r.string()?,
                sender: r.u32()?,
                window_bytes: r.u32()?,
                max_packet_bytes: r.u32()?,
                specific: rest(r)?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::CHANNEL_OPEN.0)
            .string(self.kind)
            .u32(self.sender)
            .u32(self.window_bytes)
            .u32(self.max_packet_bytes)
            .raw(self.specific);
    }
}

/// SSH_MSG_CHANNEL_OPEN_CONFIRMATION (RFC 4254 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelOpenConfirmation<'a> {
    /// The number of the side that asked.
    pub recipient: u32,
    /// The number of the side that answers.
    pub sender: u32,
    /// Bytes that the side that asked may send at first.
    pub window_bytes: u32,
    /// Most data bytes in one message to the side that answers.
    pub max_packet_bytes: u32,
    /// The fields that the channel type defines; none of the types of RFC 4254 has any.
    pub specific: &'a [u8],
}

impl<'a> ChannelOpenConfirmation<'a> {
    /// Reads the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode_whole(MessageNumber::CHANNEL_OPEN_CONFIRMATION, payload, |r| {
            Ok(ChannelOpenConfirmation {
                recipient: r.u32()?,
                sender: r.u32()?,
                window_bytes: r.u32()?,
                max_packet_bytes: r.u32()?,
                specific: rest(r)?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::CHANNEL_OPEN_CONFIRMATION.0)
            .u32(self.recipient)
            .u32(self.sender)
            .u32(self.window_bytes)
            .u32(self.max_packet_bytes)
            .raw(self.specific);
    }
}

/// SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelOpenFailure<'a> {
    /// The number of the side that asked.
    pub recipient: u32,
    /// See [`OpenRefusalReason`].
    pub reason: u32,
    /// Text for a person, unchecked.
    pub description: &'a [u8],
    /// The language of the text.
    pub language: &'a [u8],
}

impl<'a> ChannelOpenFailure<'a> {
    /// Reads the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode_whole(MessageNumber::CHANNEL_OPEN_FAILURE, payload, |r| {
            Ok(ChannelOpenFailure {
                recipient: r.u32()?,
                reason: r.u32()?,
                description: r.string()?,
                language: r.string()?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::CHANNEL_OPEN_FAILURE.0)
            .u32(self.recipient)
            .u32(self.reason)
            .string(self.description)
            .string(self.language);
    }
}

/// The reason codes of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRefusalReason(pub u32);

impl OpenRefusalReason {
    /// SSH_OPEN_ADMINISTRATIVELY_PROHIBITED
    pub const ADMINISTRATIVELY_PROHIBITED: Self = Self(1);
    /// SSH_OPEN_CONNECT_FAILED
    pub const CONNECT_FAILED: Self = Self(2);
    /// SSH_OPEN_UNKNOWN_CHANNEL_TYPE
    pub const UNKNOWN_CHANNEL_TYPE: Self = Self(3);
    /// SSH_OPEN_RESOURCE_SHORTAGE
    pub const RESOURCE_SHORTAGE: Self = Self(4);
}

/// SSH_MSG_CHANNEL_WINDOW_ADJUST (RFC 4254 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelWindowAdjust {
    /// The receiver's number for the channel.
    pub recipient: u32,
    /// Bytes that may be sent in addition.
    pub bytes: u32,
}

impl ChannelWindowAdjust {
    /// Reads the message.
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        decode_whole(MessageNumber::CHANNEL_WINDOW_ADJUST, payload, |r| {
            Ok(ChannelWindowAdjust {
                recipient: r.u32()?,
                bytes: r.u32()?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::CHANNEL_WINDOW_ADJUST.0)
            .u32(self.recipient)
            .u32(self.bytes);
    }
}

/// SSH_MSG_CHANNEL_DATA (RFC 4254 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// The receiver's number for the channel.
    pub recipient: u32,
    /// The data.
    pub data: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Reads the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode_whole(MessageNumber::CHANNEL_DATA, payload, |r| {
            Ok(ChannelData {
                recipient: r.u32()?,
                data: r.string()?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::CHANNEL_DATA.0)
            .u32(self.recipient)
            .string(self.data);
    }
}

/// SSH_MSG_CHANNEL_EXTENDED_DATA (RFC 4254 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelExtendedData<'a> {
    /// The receiver's number for the channel.
    pub recipient: u32,
    /// [`ChannelExtendedData::STDERR`] is the only type that RFC 4254 defines.
    pub data_type: u32,
    /// The data.
    pub data: &'a [u8],
}

impl<'a> ChannelExtendedData<'a> {
    /// SSH_EXTENDED_DATA_STDERR
    pub const STDERR: u32 = 1;

    /// Reads the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode_whole(MessageNumber::CHANNEL_EXTENDED_DATA, payload, |r| {
            Ok(ChannelExtendedData {
                recipient: r.u32()?,
                data_type: r.u32()?,
                data: r.string()?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::CHANNEL_EXTENDED_DATA.0)
            .u32(self.recipient)
            .u32(self.data_type)
            .string(self.data);
    }
}

macro_rules! recipient_only {
    ($($(#[$doc:meta])* $name:ident = $number:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $name {
                /// The receiver's number for the channel.
                pub recipient: u32,
            }

            impl $name {
                /// Reads the message.
                pub fn decode(payload: &[u8]) -> Result<Self, Error> {
                    decode_whole(MessageNumber::$number, payload, |r| {
                        Ok($name { recipient: r.u32()? })
                    })
                }

                /// Writes the message.
                pub fn encode(&self, w: &mut Writer<'_>) {
                    w.u8(MessageNumber::$number.0).u32(self.recipient);
                }
            }
        )*
    };
}

recipient_only! {
    /// SSH_MSG_CHANNEL_EOF (RFC 4254 §5.3).
    ChannelEof = CHANNEL_EOF;
    /// SSH_MSG_CHANNEL_CLOSE (RFC 4254 §5.3).
    ChannelClose = CHANNEL_CLOSE;
    /// SSH_MSG_CHANNEL_SUCCESS (RFC 4254 §5.4).
    ChannelSuccess = CHANNEL_SUCCESS;
    /// SSH_MSG_CHANNEL_FAILURE (RFC 4254 §5.4).
    ChannelFailure = CHANNEL_FAILURE;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole messages decode; every cut and every extra byte is refused.
    fn strict<T: std::fmt::Debug>(payload: &[u8], decode: impl Fn(&[u8]) -> Result<T, Error>) {
        decode(payload).unwrap();
        for end in 0..payload.len() {
            assert!(decode(&payload[..end]).is_err(), "cut at {end}");
        }
        let mut longer = payload.to_vec();
        longer.push(0);
        assert!(decode(&longer).is_err(), "trailing byte");
        let mut other = payload.to_vec();
        other[0] ^= 0x40;
        assert!(decode(&other).is_err(), "other number");
    }

    #[test]
    fn fixed_messages_are_read_strictly() {
        let adjust = ChannelWindowAdjust {
            recipient: 7,
            bytes: u32::MAX,
        };
        let payload = Writer::collect(|w| adjust.encode(w));
        assert_eq!(payload, [93, 0, 0, 0, 7, 255, 255, 255, 255]);
        assert_eq!(ChannelWindowAdjust::decode(&payload).unwrap(), adjust);
        strict(&payload, |p| ChannelWindowAdjust::decode(p).map(drop));

        let failure = ChannelOpenFailure {
            recipient: 1,
            reason: 4,
            description: b"full",
            language: b"en",
        };
        let payload = Writer::collect(|w| failure.encode(w));
        assert_eq!(ChannelOpenFailure::decode(&payload).unwrap(), failure);
        strict(&payload, |p| ChannelOpenFailure::decode(p).map(drop));

        let data = ChannelData {
            recipient: 9,
            data: b"hello",
        };
        let payload = Writer::collect(|w| data.encode(w));
        assert_eq!(ChannelData::decode(&payload).unwrap(), data);
        strict(&payload, |p| ChannelData::decode(p).map(drop));

        let data = ChannelExtendedData {
            recipient: 9,
            data_type: 1,
            data: b"hello",
        };
        let payload = Writer::collect(|w| data.encode(w));
        assert_eq!(ChannelExtendedData::decode(&payload).unwrap(), data);
        strict(&payload, |p| ChannelExtendedData::decode(p).map(drop));

        let payload = Writer::collect(|w| ChannelEof { recipient: 3 }.encode(w));
        assert_eq!(payload, [96, 0, 0, 0, 3]);
        strict(&payload, ChannelEof::decode);
        let payload = Writer::collect(|w| ChannelClose { recipient: 3 }.encode(w));
        strict(&payload, ChannelClose::decode);
        let payload = Writer::collect(|w| ChannelSuccess { recipient: 3 }.encode(w));
        strict(&payload, ChannelSuccess::decode);
        let payload = Writer::collect(|w| ChannelFailure { recipient: 3 }.encode(w));
        strict(&payload, ChannelFailure::decode);
    }

    #[test]
    fn messages_with_type_specific_tails_are_cut_in_the_fixed_part_only() {
        let open = ChannelOpen {
            kind: b"session",
            sender: 1,
            window_bytes: 2,
            max_packet_bytes: 3,
            specific: b"tail",
        };
        let payload = Writer::collect(|w| open.encode(w));
        assert_eq!(ChannelOpen::decode(&payload).unwrap(), open);
        for end in 0..payload.len() - 4 {
            assert!(ChannelOpen::decode(&payload[..end]).is_err());
        }
        let confirmation = ChannelOpenConfirmation {
            recipient: 1,
            sender: 2,
            window_bytes: 3,
            max_packet_bytes: 4,
            specific: b"",
        };
        let payload = Writer::collect(|w| confirmation.encode(w));
        assert_eq!(
            ChannelOpenConfirmation::decode(&payload).unwrap(),
            confirmation
        );
        for end in 0..payload.len() {
            assert!(ChannelOpenConfirmation::decode(&payload[..end]).is_err());
        }
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(valid_name(b"a@b"), Some("a@b"));
        for bad in [&b""[..], b"a,b", b"a b", b"a\0", b"\xff", &[b'a'; 65]] {
            assert_eq!(valid_name(bad), None);
        }
    }
}
