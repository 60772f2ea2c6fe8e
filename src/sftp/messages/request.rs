//! What a client asks (draft-ietf-secsh-filexfer-02 §6 and §8). Fields are in wire order.

use super::{handle, path};
use crate::codec::{DecodeError, Reader, Writer};
use crate::sftp::attributes::Attributes;
use crate::sftp::extended::ExtendedRequest;
use crate::sftp::number::PacketType;

/// How SSH_FXP_OPEN opens (§6.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenFlags(pub u32);

impl OpenFlags {
    /// Open for reading.
    pub const READ: OpenFlags = OpenFlags(0x01);
    /// Open for writing.
    pub const WRITE: OpenFlags = OpenFlags(0x02);
    /// Every write goes to the end.
    pub const APPEND: OpenFlags = OpenFlags(0x04);
    /// Make the file if it does not exist.
    pub const CREATE: OpenFlags = OpenFlags(0x08);
    /// Cut it to nothing. With CREATE.
    pub const TRUNCATE: OpenFlags = OpenFlags(0x10);
    /// Fail if it exists. With CREATE.
    pub const EXCLUSIVE: OpenFlags = OpenFlags(0x20);
    /// All that version 3 defines.
    pub const ALL: OpenFlags = OpenFlags(0x3f);

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: OpenFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for OpenFlags {
    type Output = OpenFlags;

    fn bitor(self, other: OpenFlags) -> OpenFlags {
        OpenFlags(self.0 | other.0)
    }
}

/// A request, without its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// Answer: HANDLE.
    Open {
        /// The file.
        path: &'a [u8],
        /// How.
        flags: OpenFlags,
        /// For a new file.
        attributes: Attributes,
    },
    /// Answer: STATUS.
    Close {
        /// File or directory.
        handle: &'a [u8],
    },
    /// Answer: DATA.
    Read {
        /// The file.
        handle: &'a [u8],
        /// Where.
        offset: u64,
        /// At most so many bytes.
        length: u32,
    },
    /// Answer: STATUS.
    Write {
        /// The file.
        handle: &'a [u8],
        /// Where.
        offset: u64,
        /// What.
        data: &'a [u8],
    },
    /// Attributes of a path, symbolic links not followed. Answer: ATTRS.
    Lstat {
        /// The path.
        path: &'a [u8],
    },
    /// Answer: ATTRS.
    Fstat {
        /// The file.
        handle: &'a [u8],
    },
    /// Answer: STATUS.
    Setstat {
        /// The path.
        path: &'a [u8],
        /// What to set.
        attributes: Attributes,
    },
    /// Answer: STATUS.
    Fsetstat {
        /// The file.
        handle: &'a [u8],
        /// What to set.
        attributes: Attributes,
    },
    /// Answer: HANDLE.
    Opendir {
        /// The directory.
        path: &'a [u8],
    },
    /// Answer: NAME, STATUS with EOF at the end.
    Readdir {
        /// The directory.
        handle: &'a [u8],
    },
    /// Answer: STATUS.
    Remove {
        /// The file.
        path: &'a [u8],
    },
    /// Answer: STATUS.
    Mkdir {
        /// The directory.
        path: &'a [u8],
        /// For the new directory.
        attributes: Attributes,
    },
    /// Answer: STATUS.
    Rmdir {
        /// The directory.
        path: &'a [u8],
    },
    /// Answer: NAME with one name.
    Realpath {
        /// The path.
        path: &'a [u8],
    },
    /// Answer: ATTRS.
    Stat {
        /// The path.
        path: &'a [u8],
    },
    /// Fails where the new name exists. Answer: STATUS.
    Rename {
        /// The name it has.
        old: &'a [u8],
        /// The name it gets.
        new: &'a [u8],
    },
    /// Answer: NAME with one name.
    Readlink {
        /// The link.
        path: &'a [u8],
    },
    /// OpenSSH has the two fields in this order, against the draft, and everybody follows OpenSSH.
    /// Answer: STATUS.
    Symlink {
        /// What the link says.
        target: &'a [u8],
        /// The link to be made.
        link: &'a [u8],
    },
    /// A request beyond version 3.
    Extended(ExtendedRequest<'a>),
}

impl<'a> Request<'a> {
    /// The type on the wire.
    pub fn packet_type(&self) -> PacketType {
        match self {
            Request::Open { .. } => PacketType::OPEN,
            Request::Close { .. } => PacketType::CLOSE,
            Request::Read { .. } => PacketType::READ,
            Request::Write { .. } => PacketType::WRITE,
            Request::Lstat { .. } => PacketType::LSTAT,
            Request::Fstat { .. } => PacketType::FSTAT,
            Request::Setstat { .. } => PacketType::SETSTAT,
            Request::Fsetstat { .. } => PacketType::FSETSTAT,
            Request::Opendir { .. } => PacketType::OPENDIR,
            Request::Readdir { .. } => PacketType::READDIR,
            Request::Remove { .. } => PacketType::REMOVE,
            Request::Mkdir { .. } => PacketType::MKDIR,
            Request::Rmdir { .. } => PacketType::RMDIR,
            Request::Realpath { .. } => PacketType::REALPATH,
            Request::Stat { .. } => PacketType::STAT,
            Request::Rename { .. } => PacketType::RENAME,
            Request::Readlink { .. } => PacketType::READLINK,
            Request::Symlink { .. } => PacketType::SYMLINK,
            Request::Extended(_) => PacketType::EXTENDED,
        }
    }

    /// The type and id of a packet, which a server needs to answer even what it cannot read.
    pub fn decode_head(packet: &[u8]) -> Result<(PacketType, u32), DecodeError> {
        let mut r = Reader::new(packet);
        Ok((PacketType(r.u8()?), r.u32()?))
    }

    /// Reads a whole packet: the id and the request.
    ///
    /// # Errors
    /// `Truncated`, `TrailingBytes` (but for WRITE) and `TooLong` for fields, `BadValue` for a type that is no request.
    pub fn decode(packet: &'a [u8]) -> Result<(u32, Self), DecodeError> {
        let mut r = Reader::new(packet);
        let kind = PacketType(r.u8()?);
        let id = r.u32()?;
        let request = match kind {
            PacketType::READ => Request::Read {
                handle: handle(&mut r)?,
                offset: r.u64()?,
                length: r.u32()?,
            },
            PacketType::WRITE => {
                let request = Request::Write {
                    handle: handle(&mut r)?,
                    offset: r.u64()?,
                    data: r.string()?,
                };
                // No more than the data count: old versions of rclone's library send the rest of their buffer, too.
                return Ok((id, request));
            }
            PacketType::CLOSE => Request::Close {
                handle: handle(&mut r)?,
            },
            PacketType::FSTAT => Request::Fstat {
                handle: handle(&mut r)?,
            },
            PacketType::FSETSTAT => Request::Fsetstat {
                handle: handle(&mut r)?,
                attributes: Attributes::decode(&mut r)?,
            },
            PacketType::READDIR => Request::Readdir {
                handle: handle(&mut r)?,
            },
            PacketType::EXTENDED => Request::Extended(ExtendedRequest::decode(&mut r)?),
            _ => Self::decode_path(kind, &mut r)?,
        };
        r.finish()?;
        Ok((id, request))
    }

    /// The requests that begin with a path.
    fn decode_path(kind: PacketType, r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match kind {
            PacketType::OPEN => Request::Open {
                path: path(r)?,
                flags: OpenFlags(r.u32()?),
                attributes: Attributes::decode(r)?,
            },
            PacketType::LSTAT => Request::Lstat { path: path(r)? },
            PacketType::SETSTAT => Request::Setstat {
                path: path(r)?,
                attributes: Attributes::decode(r)?,
            },
            PacketType::OPENDIR => Request::Opendir { path: path(r)? },
            PacketType::REMOVE => Request::Remove { path: path(r)? },
            PacketType::MKDIR => Request::Mkdir {
                path: path(r)?,
                attributes: Attributes::decode(r)?,
            },
            PacketType::RMDIR => Request::Rmdir { path: path(r)? },
            PacketType::REALPATH => Request::Realpath { path: path(r)? },
            PacketType::STAT => Request::Stat { path: path(r)? },
            PacketType::RENAME => Request::Rename {
                old: path(r)?,
                new: path(r)?,
            },
            PacketType::READLINK => Request::Readlink { path: path(r)? },
            PacketType::SYMLINK => Request::Symlink {
                target: path(r)?,
                link: path(r)?,
            },
            _ => return Err(DecodeError::BadValue),
        })
    }

    /// Writes a whole packet.
    pub fn encode(&self, id: u32, w: &mut Writer<'_>) {
        w.u8(self.packet_type().0).u32(id);
        match self {
            Request::Open {
                path,
                flags,
                attributes,
            } => {
                w.string(path).u32(flags.0);
                attributes.encode(w);
            }
            Request::Close { handle: one }
            | Request::Fstat { handle: one }
            | Request::Readdir { handle: one }
            | Request::Lstat { path: one }
            | Request::Opendir { path: one }
            | Request::Remove { path: one }
            | Request::Rmdir { path: one }
            | Request::Realpath { path: one }
            | Request::Stat { path: one }
            | Request::Readlink { path: one } => {
                w.string(one);
            }
            Request::Read {
                handle,
                offset,
                length,
            } => {
                w.string(handle).u64(*offset).u32(*length);
            }
            Request::Write {
                handle,
                offset,
                data,
            } => {
                w.string(handle).u64(*offset).string(data);
            }
            Request::Setstat {
                path: one,
                attributes,
            }
            | Request::Mkdir {
                path: one,
                attributes,
            }
            | Request::Fsetstat {
                handle: one,
                attributes,
            } => {
                w.string(one);
                attributes.encode(w);
            }
            Request::Rename {
                old: first,
                new: second,
            }
            | Request::Symlink {
                target: first,
                link: second,
            } => {
                w.string(first).string(second);
            }
            Request::Extended(request) => request.encode(w),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Request<'static>> {
        let attributes = Attributes {
            permissions: Some(0o644),
            ..Attributes::new()
        };
        vec![
            Request::Open {
                path: b"/a\xff",
                flags: OpenFlags::READ | OpenFlags::CREATE,
                attributes: attributes.clone(),
            },
            Request::Close { handle: b"h" },
            Request::Read {
                handle: b"h",
                offset: u64::MAX,
                length: u32::MAX,
            },
            Request::Write {
                handle: b"h",
                offset: 1,
                data: b"data",
            },
            Request::Lstat { path: b"p" },
            Request::Fstat { handle: b"h" },
            Request::Setstat {
                path: b"p",
                attributes: attributes.clone(),
            },
            Request::Fsetstat {
                handle: b"h",
                attributes: attributes.clone(),
            },
            Request::Opendir { path: b"p" },
            Request::Readdir { handle: b"h" },
            Request::Remove { path: b"p" },
            Request::Mkdir {
                path: b"p",
                attributes,
            },
            Request::Rmdir { path: b"p" },
            Request::Realpath { path: b"" },
            Request::Stat { path: b"p" },
            Request::Rename {
                old: b"a",
                new: b"b",
            },
            Request::Readlink { path: b"p" },
            Request::Symlink {
                target: b"t",
                link: b"l",
            },
            Request::Extended(ExtendedRequest::Limits),
        ]
    }

    #[test]
    fn requests_round_trip_and_are_strict() {
        for request in all() {
            let mut bytes = Writer::collect(|w| request.encode(9, w));
            assert_eq!(Request::decode(&bytes), Ok((9, request.clone())));
            for length in 0..bytes.len() {
                assert!(Request::decode(&bytes[..length]).is_err(), "{request:?}");
            }
            bytes.push(0);
            let longer = match request {
                Request::Write { .. } => Ok((9, request.clone())),
                _ => Err(DecodeError::TrailingBytes),
            };
            assert_eq!(Request::decode(&bytes), longer, "{request:?}");
        }
    }

    #[test]
    fn long_handles_and_strange_types_are_refused() {
        let long = [b'h'; MAX_HANDLE + 1];
        let bytes = Writer::collect(|w| Request::Close { handle: &long }.encode(1, w));
        assert_eq!(Request::decode(&bytes), Err(DecodeError::TooLong));
        assert_eq!(
            Request::decode(&[103, 0, 0, 0, 1]),
            Err(DecodeError::BadValue)
        );
        assert_eq!(
            Request::decode_head(&[77, 0, 0, 0, 1, 5]),
            Ok((PacketType(77), 1))
        );
    }

    const MAX_HANDLE: usize = super::super::MAX_HANDLE_BYTES;
}
