//! OpenSSH's extended requests, as its PROTOCOL document (section 4) has them, and `copy-data`
//! (draft-ietf-secsh-filexfer-extensions-00 §7).

use super::attributes::Attributes;
use crate::codec::{DecodeError, Reader, Writer};

/// Names of extensions.
pub mod extension {
    /// `posix-rename@openssh.com`
    pub const POSIX_RENAME: &str = "posix-rename@openssh.com";
    /// `statvfs@openssh.com`
    pub const STATVFS: &str = "statvfs@openssh.com";
    /// `fstatvfs@openssh.com`
    pub const FSTATVFS: &str = "fstatvfs@openssh.com";
    /// `hardlink@openssh.com`
    pub const HARDLINK: &str = "hardlink@openssh.com";
    /// `fsync@openssh.com`
    pub const FSYNC: &str = "fsync@openssh.com";
    /// `lsetstat@openssh.com`
    pub const LSETSTAT: &str = "lsetstat@openssh.com";
    /// `limits@openssh.com`
    pub const LIMITS: &str = "limits@openssh.com";
    /// `expand-path@openssh.com`
    pub const EXPAND_PATH: &str = "expand-path@openssh.com";
    /// `copy-data`
    pub const COPY_DATA: &str = "copy-data";
    /// `home-directory`
    pub const HOME_DIRECTORY: &str = "home-directory";
    /// `users-groups-by-id@openssh.com`
    pub const USERS_GROUPS_BY_ID: &str = "users-groups-by-id@openssh.com";
}

/// The fields of SSH_FXP_EXTENDED behind the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtendedRequest<'a> {
    /// Renames as POSIX does: an existing file is replaced. Answer: STATUS.
    PosixRename {
        /// The name it has.
        old: &'a [u8],
        /// The name it gets.
        new: &'a [u8],
    },
    /// Answer: EXTENDED_REPLY with [`StatVfs`].
    StatVfs {
        /// A path on the file system.
        path: &'a [u8],
    },
    /// Answer: EXTENDED_REPLY with [`StatVfs`].
    FStatVfs {
        /// An open file.
        handle: &'a [u8],
    },
    /// Answer: STATUS.
    Hardlink {
        /// The existing file.
        old: &'a [u8],
        /// Its further name.
        new: &'a [u8],
    },
    /// Answer: STATUS.
    Fsync {
        /// An open file.
        handle: &'a [u8],
    },
    /// SETSTAT that does not follow a symbolic link. Answer: STATUS.
    Lsetstat {
        /// The file.
        path: &'a [u8],
        /// What to set.
        attributes: Attributes,
    },
    /// Answer: EXTENDED_REPLY with [`Limits`].
    Limits,
    /// REALPATH that knows `~` and `~user`. Answer: NAME.
    ExpandPath {
        /// The path.
        path: &'a [u8],
    },
    /// Copies on the server. Answer: STATUS.
    CopyData {
        /// The file to read.
        from_handle: &'a [u8],
        /// Where to read.
        from_offset: u64,
        /// How many bytes; 0 is to the end of the file.
        length: u64,
        /// The file to write.
        to_handle: &'a [u8],
        /// Where to write.
        to_offset: u64,
    },
    /// Answer: NAME.
    HomeDirectory {
        /// The user, empty for the one who is logged in.
        user: &'a [u8],
    },
    /// Answer: EXTENDED_REPLY with [`UsersGroups`].
    UsersGroupsById {
        /// Numbers of users.
        users: Vec<u32>,
        /// Numbers of groups.
        groups: Vec<u32>,
    },
    /// Any other extension. A server answers OP_UNSUPPORTED.
    Other {
        /// The extension's name.
        name: &'a [u8],
        /// Its fields.
        data: &'a [u8],
    },
}

impl<'a> ExtendedRequest<'a> {
    /// The name on the wire.
    pub fn name(&self) -> &'a [u8] {
        let name = match self {
            ExtendedRequest::PosixRename { .. } => extension::POSIX_RENAME,
            ExtendedRequest::StatVfs { .. } => extension::STATVFS,
            ExtendedRequest::FStatVfs { .. } => extension::FSTATVFS,
            ExtendedRequest::Hardlink { .. } => extension::HARDLINK,
            ExtendedRequest::Fsync { .. } => extension::FSYNC,
            ExtendedRequest::Lsetstat { .. } => extension::LSETSTAT,
            ExtendedRequest::Limits => extension::LIMITS,
            ExtendedRequest::ExpandPath { .. } => extension::EXPAND_PATH,
            ExtendedRequest::CopyData { .. } => extension::COPY_DATA,
            ExtendedRequest::HomeDirectory { .. } => extension::HOME_DIRECTORY,
            ExtendedRequest::UsersGroupsById { .. } => extension::USERS_GROUPS_BY_ID,
            ExtendedRequest::Other { name, .. } => return name,
        };
        name.as_bytes()
    }

    /// Reads the name and the fields, to the end of the packet.
    ///
    /// # Errors
    /// `Truncated` and `TrailingBytes` for fields that are not those of the extension.
    pub fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let name = r.string()?;
        let request = match std::str::from_utf8(name).unwrap_or_default() {
            extension::POSIX_RENAME => ExtendedRequest::PosixRename {
                old: r.string()?,
                new: r.string()?,
            },
            extension::STATVFS => ExtendedRequest::StatVfs { path: r.string()? },
            extension::FSTATVFS => ExtendedRequest::FStatVfs {
                handle: r.string()?,
            },
            extension::HARDLINK => ExtendedRequest::Hardlink {
                old: r.string()?,
                new: r.string()?,
            },
            extension::FSYNC => ExtendedRequest::Fsync {
                handle: r.string()?,
            },
            extension::LSETSTAT => ExtendedRequest::Lsetstat {
                path: r.string()?,
                attributes: Attributes::decode(r)?,
            },
            extension::LIMITS => ExtendedRequest::Limits,
            extension::EXPAND_PATH => ExtendedRequest::ExpandPath { path: r.string()? },
            extension::COPY_DATA => ExtendedRequest::CopyData {
                from_handle: r.string()?,
                from_offset: r.u64()?,
                length: r.u64()?,
                to_handle: r.string()?,
                to_offset: r.u64()?,
            },
            extension::HOME_DIRECTORY => ExtendedRequest::HomeDirectory { user: r.string()? },
            extension::USERS_GROUPS_BY_ID => ExtendedRequest::UsersGroupsById {
                users: decode_numbers(r.string()?)?,
                groups: decode_numbers(r.string()?)?,
            },
            _ => {
                let length = r.remaining().len();
                ExtendedRequest::Other {
                    name,
                    data: r.take(length)?,
                }
            }
        };
        Ok(request)
    }

    /// Writes the name and the fields.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.string(self.name());
        match self {
            ExtendedRequest::PosixRename { old, new } | ExtendedRequest::Hardlink { old, new } => {
                w.string(old).string(new);
            }
            ExtendedRequest::StatVfs { path: one }
            | ExtendedRequest::ExpandPath { path: one }
            | ExtendedRequest::FStatVfs { handle: one }
            | ExtendedRequest::Fsync { handle: one }
            | ExtendedRequest::HomeDirectory { user: one } => {
                w.string(one);
            }
            ExtendedRequest::Lsetstat { path, attributes } => {
                w.string(path);
                attributes.encode(w);
            }
            ExtendedRequest::Limits => {}
            ExtendedRequest::CopyData {
                from_handle,
                from_offset,
                length,
                to_handle,
                to_offset,
            } => {
                w.string(from_handle)
                    .u64(*from_offset)
                    .u64(*length)
                    .string(to_handle)
                    .u64(*to_offset);
            }
            ExtendedRequest::UsersGroupsById { users, groups } => {
                w.string_with(|w| encode_numbers(w, users));
                w.string_with(|w| encode_numbers(w, groups));
            }
            ExtendedRequest::Other { data, .. } => {
                w.raw(data);
            }
        }
    }
}

/// Numbers packed into a string. They take at most what the packet took, for it holds them all.
fn decode_numbers(bytes: &[u8]) -> Result<Vec<u32>, DecodeError> {
    let mut r = Reader::new(bytes);
    let mut numbers = Vec::new();
    while !r.is_empty() {
        numbers.push(r.u32()?);
    }
    Ok(numbers)
}

fn encode_numbers(w: &mut Writer<'_>, numbers: &[u32]) {
    for number in numbers {
        w.u32(*number);
    }
}

/// The fields of `struct statvfs`, in the reply to `statvfs` and `fstatvfs`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatVfs {
    /// Block size in bytes.
    pub block_bytes: u64,
    /// Fundamental block size in bytes; the counts of blocks are in it.
    pub fragment_bytes: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Free blocks for users without privileges.
    pub blocks_available: u64,
    /// Inodes in all.
    pub files: u64,
    /// Free inodes.
    pub files_free: u64,
    /// Free inodes for users without privileges.
    pub files_available: u64,
    /// Number of the file system.
    pub file_system_id: u64,
    /// 1: read-only; 2: set-user-ID bits are ignored.
    pub flags: u64,
    /// Longest name in bytes.
    pub name_max: u64,
}

impl From<[u64; 11]> for StatVfs {
    /// The fields in their order.
    fn from(values: [u64; 11]) -> Self {
        let [block_bytes, fragment_bytes, blocks, blocks_free, blocks_available, files, files_free, files_available, file_system_id, flags, name_max] =
            values;
        StatVfs {
            block_bytes,
            fragment_bytes,
            blocks,
            blocks_free,
            blocks_available,
            files,
            files_free,
            files_available,
            file_system_id,
            flags,
            name_max,
        }
    }
}

impl StatVfs {
    /// Mounted read-only.
    pub const READ_ONLY: u64 = 1;
    /// Set-user-ID and set-group-ID bits are ignored.
    pub const NO_SETUID: u64 = 2;

    /// Reads the fields of an EXTENDED_REPLY.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(data);
        let reply = StatVfs {
            block_bytes: r.u64()?,
            fragment_bytes: r.u64()?,
            blocks: r.u64()?,
            blocks_free: r.u64()?,
            blocks_available: r.u64()?,
            files: r.u64()?,
            files_free: r.u64()?,
            files_available: r.u64()?,
            file_system_id: r.u64()?,
            flags: r.u64()?,
            name_max: r.u64()?,
        };
        r.finish()?;
        Ok(reply)
    }

    /// Writes the fields of an EXTENDED_REPLY.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u64(self.block_bytes)
            .u64(self.fragment_bytes)
            .u64(self.blocks)
            .u64(self.blocks_free)
            .u64(self.blocks_available)
            .u64(self.files)
            .u64(self.files_free)
            .u64(self.files_available)
            .u64(self.file_system_id)
            .u64(self.flags)
            .u64(self.name_max);
    }
}

/// The reply to `limits`. 0 is "no limit known".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Longest packet.
    pub packet_bytes: u64,
    /// Longest READ.
    pub read_bytes: u64,
    /// Longest WRITE.
    pub write_bytes: u64,
    /// Most handles open at once.
    pub open_handles: u64,
}

impl Limits {
    /// Reads the fields of an EXTENDED_REPLY.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(data);
        let reply = Limits {
            packet_bytes: r.u64()?,
            read_bytes: r.u64()?,
            write_bytes: r.u64()?,
            open_handles: r.u64()?,
        };
        r.finish()?;
        Ok(reply)
    }

    /// Writes the fields of an EXTENDED_REPLY.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u64(self.packet_bytes)
            .u64(self.read_bytes)
            .u64(self.write_bytes)
            .u64(self.open_handles);
    }
}

/// The reply to `users-groups-by-id`: a name for each number asked, empty where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsersGroups {
    /// Names of users.
    pub users: Vec<Vec<u8>>,
    /// Names of groups.
    pub groups: Vec<Vec<u8>>,
}

impl UsersGroups {
    /// Reads the fields of an EXTENDED_REPLY to a request for so many users and groups.
    ///
    /// # Errors
    /// Besides malformed fields, `BadValue` for another number of names than was asked for.
    pub fn decode(data: &[u8], users: usize, groups: usize) -> Result<Self, DecodeError> {
        let mut r = Reader::new(data);
        let reply = UsersGroups {
            users: decode_strings(r.string()?, users)?,
            groups: decode_strings(r.string()?, groups)?,
        };
        r.finish()?;
        Ok(reply)
    }

    /// Writes the fields of an EXTENDED_REPLY.
    pub fn encode(&self, w: &mut Writer<'_>) {
        for names in [&self.users, &self.groups] {
            w.string_with(|w| {
                for name in names {
                    w.string(name);
                }
            });
        }
    }
}

fn decode_strings(bytes: &[u8], expected: usize) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut r = Reader::new(bytes);
    let mut strings = Vec::new();
    while !r.is_empty() {
        if strings.len() == expected {
            return Err(DecodeError::BadValue);
        }
        strings.push(r.string()?.to_vec());
    }
    if strings.len() == expected {
        Ok(strings)
    } else {
        Err(DecodeError::BadValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<ExtendedRequest<'static>> {
        vec![
            ExtendedRequest::PosixRename {
                old: b"a",
                new: b"\xff",
            },
            ExtendedRequest::StatVfs { path: b"/" },
            ExtendedRequest::FStatVfs { handle: b"h" },
            ExtendedRequest::Hardlink {
                old: b"a",
                new: b"b",
            },
            ExtendedRequest::Fsync { handle: b"h" },
            ExtendedRequest::Lsetstat {
                path: b"l",
                attributes: Attributes {
                    times: Some((1, 2)),
                    ..Attributes::new()
                },
            },
            ExtendedRequest::Limits,
            ExtendedRequest::ExpandPath { path: b"~" },
            ExtendedRequest::CopyData {
                from_handle: b"1",
                from_offset: 2,
                length: 3,
                to_handle: b"4",
                to_offset: 5,
            },
            ExtendedRequest::HomeDirectory { user: b"u" },
            ExtendedRequest::UsersGroupsById {
                users: vec![0, 1000],
                groups: vec![7],
            },
            ExtendedRequest::Other {
                name: b"x@y",
                data: b"z",
            },
        ]
    }

    #[test]
    fn requests_round_trip_and_are_strict() {
        for request in all() {
            let bytes = Writer::collect(|w| request.encode(w));
            let mut r = Reader::new(&bytes);
            assert_eq!(ExtendedRequest::decode(&mut r).unwrap(), request);
            r.finish().unwrap();
            if matches!(request, ExtendedRequest::Other { .. }) {
                continue;
            }
            for length in 0..bytes.len() {
                assert!(ExtendedRequest::decode(&mut Reader::new(&bytes[..length])).is_err());
            }
        }
    }

    #[test]
    fn replies_round_trip_and_are_strict() {
        let limits = Limits {
            packet_bytes: 1,
            read_bytes: 2,
            write_bytes: 3,
            open_handles: u64::MAX,
        };
        let mut bytes = Writer::collect(|w| limits.encode(w));
        assert_eq!(Limits::decode(&bytes), Ok(limits));
        bytes.push(0);
        assert_eq!(Limits::decode(&bytes), Err(DecodeError::TrailingBytes));

        let file_system = StatVfs {
            block_bytes: 4096,
            name_max: 255,
            ..StatVfs::default()
        };
        let bytes = Writer::collect(|w| file_system.encode(w));
        assert_eq!(bytes.len(), 88);
        assert_eq!(StatVfs::decode(&bytes), Ok(file_system));
        assert_eq!(StatVfs::decode(&bytes[1..]), Err(DecodeError::Truncated));
    }

    #[test]
    fn names_of_users_must_be_as_many_as_asked() {
        let names = UsersGroups {
            users: vec![b"root".to_vec(), Vec::new()],
            groups: vec![b"staff".to_vec()],
        };
        let bytes = Writer::collect(|w| names.encode(w));
        assert_eq!(UsersGroups::decode(&bytes, 2, 1), Ok(names));
        assert_eq!(
            UsersGroups::decode(&bytes, 1, 1),
            Err(DecodeError::BadValue)
        );
        assert_eq!(
            UsersGroups::decode(&bytes, 3, 1),
            Err(DecodeError::BadValue)
        );
    }
}
