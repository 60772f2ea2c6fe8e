//! What a server answers (draft-ietf-secsh-filexfer-02 §7 and §8).

use super::handle;
use crate::codec::{printable, DecodeError, Reader, Writer};
use crate::sftp::attributes::Attributes;
use crate::sftp::number::PacketType;
use crate::sftp::status::{StatusCode, MAX_STATUS_TEXT_BYTES};

/// Most names in one reply. A name takes at least 12 bytes, so that a packet could hold more; servers send
/// about a hundred.
pub const MAX_NAMES: usize = 4096;

/// A file in SSH_FXP_NAME.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Its name, in a directory without the directory.
    pub file_name: Vec<u8>,
    /// A line for a person, as of `ls -l`.
    pub long_name: Vec<u8>,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A reply, without its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'a> {
    /// How it went.
    Status {
        /// The code.
        code: StatusCode,
        /// Text for a person. Read from a peer it is capped and escaped.
        text: String,
        /// The language of the text.
        language: String,
    },
    /// A file or directory has been opened.
    Handle(&'a [u8]),
    /// Bytes of a file, at least one.
    Data(&'a [u8]),
    /// Files.
    Name(Vec<Name>),
    /// Attributes of a file.
    Attrs(Attributes),
    /// The answer to an extended request.
    Extended(&'a [u8]),
}

impl<'a> Reply<'a> {
    /// A status with the text that belongs to its code.
    pub fn status(code: StatusCode) -> Self {
        Reply::Status {
            code,
            text: code.text().to_owned(),
            language: String::from("en"),
        }
    }

    /// The type on the wire.
    pub fn packet_type(&self) -> PacketType {
        match self {
            Reply::Status { .. } => PacketType::STATUS,
            Reply::Handle(_) => PacketType::HANDLE,
            Reply::Data(_) => PacketType::DATA,
            Reply::Name(_) => PacketType::NAME,
            Reply::Attrs(_) => PacketType::ATTRS,
            Reply::Extended(_) => PacketType::EXTENDED_REPLY,
        }
    }

    /// Reads a whole packet: the id and the reply.
    ///
    /// # Errors
    /// `Truncated`, `TrailingBytes` and `TooLong` for fields, `BadValue` for a type that is no reply.
    pub fn decode(packet: &'a [u8]) -> Result<(u32, Self), DecodeError> {
        let mut r = Reader::new(packet);
        let kind = PacketType(r.u8()?);
        let id = r.u32()?;
        let reply = match kind {
            PacketType::STATUS => decode_status(&mut r)?,
            PacketType::HANDLE => Reply::Handle(handle(&mut r)?),
            PacketType::DATA => Reply::Data(r.string()?),
            PacketType::NAME => Reply::Name(decode_names(&mut r)?),
            PacketType::ATTRS => Reply::Attrs(Attributes::decode(&mut r)?),
            PacketType::EXTENDED_REPLY => {
                let length = r.remaining().len();
                Reply::Extended(r.take(length)?)
            }
            _ => return Err(DecodeError::BadValue),
        };
        r.finish()?;
        Ok((id, reply))
    }

    /// Writes a whole packet.
    pub fn encode(&self, id: u32, w: &mut Writer<'_>) {
        w.u8(self.packet_type().0).u32(id);
        match self {
            Reply::Status {
                code,
                text,
                language,
            } => {
                w.u32(code.0).string(text).string(language);
            }
            Reply::Handle(bytes) | Reply::Data(bytes) => {
                w.string(bytes);
            }
            Reply::Name(names) => {
                w.u32(u32::try_from(names.len()).unwrap_or(u32::MAX));
                for name in names {
                    w.string(&name.file_name).string(&name.long_name);
                    name.attributes.encode(w);
                }
            }
            Reply::Attrs(attributes) => attributes.encode(w),
            Reply::Extended(data) => {
                w.raw(data);
            }
        }
    }
}

/// Servers of the versions before 3 send no text, and some of version 3 neither.
fn decode_status<'a>(r: &mut Reader<'_>) -> Result<Reply<'a>, DecodeError> {
    let code = StatusCode(r.u32()?);
    let mut texts = [String::new(), String::new()];
    for text in &mut texts {
        if !r.is_empty() {
            *text = printable(r.string()?, MAX_STATUS_TEXT_BYTES);
        }
    }
    let [text, language] = texts;
    Ok(Reply::Status {
        code,
        text,
        language,
    })
}

fn decode_names(r: &mut Reader<'_>) -> Result<Vec<Name>, DecodeError> {
    let count = usize::try_from(r.u32()?).map_err(|_| DecodeError::TooLong)?;
    if count > MAX_NAMES {
        return Err(DecodeError::TooLong);
    }
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(Name {
            file_name: r.string()?.to_vec(),
            long_name: r.string()?.to_vec(),
            attributes: Attributes::decode(r)?,
        });
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Reply<'static>> {
        vec![
            Reply::status(StatusCode::NO_SUCH_FILE),
            Reply::Handle(b"\0\x01"),
            Reply::Data(b"data"),
            Reply::Name(vec![Name {
                file_name: b"\xff".to_vec(),
                long_name: b"-rw".to_vec(),
                attributes: Attributes {
                    size: Some(1),
                    ..Attributes::new()
                },
            }]),
            Reply::Attrs(Attributes::new()),
            Reply::Extended(b"anything"),
        ]
    }

    #[test]
    fn replies_round_trip_and_are_strict() {
        for reply in all() {
            let mut bytes = Writer::collect(|w| reply.encode(5, w));
            assert_eq!(Reply::decode(&bytes), Ok((5, reply.clone())));
            if matches!(reply, Reply::Extended(_)) {
                continue;
            }
            bytes.push(0);
            assert!(Reply::decode(&bytes).is_err());
        }
    }

    #[test]
    fn a_status_may_be_short() {
        let code_only = [101, 0, 0, 0, 1, 0, 0, 0, 4];
        let Ok((1, Reply::Status { code, text, .. })) = Reply::decode(&code_only) else {
            panic!()
        };
        assert_eq!((code, text.as_str()), (StatusCode::FAILURE, ""));
    }

    #[test]
    fn the_text_of_a_status_is_made_safe() {
        let bytes = Writer::collect(|w| {
            w.u8(101).u32(1).u32(4).string("\x1b[2J").string("");
        });
        let Ok((_, Reply::Status { text, .. })) = Reply::decode(&bytes) else {
            panic!()
        };
        assert_eq!(text, "\\u{1b}[2J");
    }

    #[test]
    fn hostile_counts_and_handles_are_refused() {
        let names = [104, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Reply::decode(&names), Err(DecodeError::TooLong));
        let long = vec![0; 64 * 1024];
        let bytes = Writer::collect(|w| Reply::Handle(&long).encode(1, w));
        assert_eq!(Reply::decode(&bytes), Err(DecodeError::TooLong));
        assert_eq!(Reply::decode(&[3, 0, 0, 0, 1]), Err(DecodeError::BadValue));
    }
}
