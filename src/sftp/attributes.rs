//! File attributes (draft-ietf-secsh-filexfer-02 §5).

use crate::codec::{DecodeError, Reader, Writer};

/// Most extended attributes of one file that are read.
pub const MAX_EXTENDED_ATTRIBUTES: usize = 64;

const SIZE: u32 = 0x0000_0001;
const UIDGID: u32 = 0x0000_0002;
const PERMISSIONS: u32 = 0x0000_0004;
const ACMODTIME: u32 = 0x0000_0008;
const EXTENDED: u32 = 0x8000_0000;

/// What is known, or to be set, of a file. Each field may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Size in bytes.
    pub size: Option<u64>,
    /// Numbers of user and group.
    pub owner: Option<(u32, u32)>,
    /// Type and mode bits, as in POSIX's `st_mode`.
    pub permissions: Option<u32>,
    /// Seconds since 1970 of the last access and the last modification.
    pub times: Option<(u32, u32)>,
    /// Pairs of type and value that a vendor has defined.
    pub extended: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Attributes {
    /// Bits of the type in `permissions`.
    pub const TYPE_MASK: u32 = 0o170_000;
    /// A directory.
    pub const DIRECTORY: u32 = 0o040_000;
    /// A regular file.
    pub const REGULAR: u32 = 0o100_000;
    /// A symbolic link.
    pub const SYMLINK: u32 = 0o120_000;

    /// None known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The type bits of the permissions; `None` where the server says none.
    pub fn file_type(&self) -> Option<u32> {
        self.permissions
            .map(|bits| bits & Self::TYPE_MASK)
            .filter(|bits| *bits != 0)
    }

    /// Whether it is known to be a directory.
    pub fn is_directory(&self) -> bool {
        self.file_type() == Some(Self::DIRECTORY)
    }

    /// Whether it is known to be a regular file.
    pub fn is_regular(&self) -> bool {
        self.file_type() == Some(Self::REGULAR)
    }

    /// Whether it is known to be a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.file_type() == Some(Self::SYMLINK)
    }

    /// Reads attributes. Bits that version 3 does not define are skipped, as OpenSSH does; fields behind
    /// them make the packet end wrongly, and it is refused for that.
    ///
    /// # Errors
    /// `Truncated`, or `TooLong` for more than [`MAX_EXTENDED_ATTRIBUTES`].
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = r.u32()?;
        let mut attributes = Attributes::new();
        if flags & SIZE != 0 {
            attributes.size = Some(r.u64()?);
        }
        if flags & UIDGID != 0 {
            attributes.owner = Some((r.u32()?, r.u32()?));
        }
        if flags & PERMISSIONS != 0 {
            attributes.permissions = Some(r.u32()?);
        }
        if flags & ACMODTIME != 0 {
            attributes.times = Some((r.u32()?, r.u32()?));
        }
        if flags & EXTENDED != 0 {
            let count = usize::try_from(r.u32()?).map_err(|_| DecodeError::TooLong)?;
            if count > MAX_EXTENDED_ATTRIBUTES {
                return Err(DecodeError::TooLong);
            }
            for _ in 0..count {
                attributes
                    .extended
                    .push((r.string()?.to_vec(), r.string()?.to_vec()));
            }
        }
        Ok(attributes)
    }

    /// Writes attributes.
    pub fn encode(&self, w: &mut Writer<'_>) {
        let flag = |present: bool, bit: u32| if present { bit } else { 0 };
        w.u32(
            flag(self.size.is_some(), SIZE)
                | flag(self.owner.is_some(), UIDGID)
                | flag(self.permissions.is_some(), PERMISSIONS)
                | flag(self.times.is_some(), ACMODTIME)
                | flag(!self.extended.is_empty(), EXTENDED),
        );
        if let Some(size) = self.size {
            w.u64(size);
        }
        if let Some((user, group)) = self.owner {
            w.u32(user).u32(group);
        }
        if let Some(permissions) = self.permissions {
            w.u32(permissions);
        }
        if let Some((accessed, modified)) = self.times {
            w.u32(accessed).u32(modified);
        }
        if !self.extended.is_empty() {
            w.u32(u32::try_from(self.extended.len()).unwrap_or(u32::MAX));
            for (kind, value) in &self.extended {
                w.string(kind).string(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Attributes {
        Attributes {
            size: Some(1 << 40),
            owner: Some((1000, 100)),
            permissions: Some(0o100_644),
            times: Some((1, 2)),
            extended: vec![(b"a@b".to_vec(), b"\xff".to_vec())],
        }
    }

    fn encoded(attributes: &Attributes) -> Vec<u8> {
        Writer::collect(|w| attributes.encode(w))
    }

    #[test]
    fn every_subset_round_trips() {
        for mask in 0..32 {
            let mut some = full();
            if mask & 1 == 0 {
                some.size = None;
            }
            if mask & 2 == 0 {
                some.owner = None;
            }
            if mask & 4 == 0 {
                some.permissions = None;
            }
            if mask & 8 == 0 {
                some.times = None;
            }
            if mask & 16 == 0 {
                some.extended.clear();
            }
            let bytes = encoded(&some);
            let mut r = Reader::new(&bytes);
            assert_eq!(Attributes::decode(&mut r).unwrap(), some);
            r.finish().unwrap();
        }
    }

    #[test]
    fn cut_attributes_are_refused() {
        let bytes = encoded(&full());
        for length in 0..bytes.len() {
            assert_eq!(
                Attributes::decode(&mut Reader::new(&bytes[..length])),
                Err(DecodeError::Truncated)
            );
        }
    }

    #[test]
    fn a_count_of_the_peer_allocates_nothing() {
        let bytes = [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            Attributes::decode(&mut Reader::new(&bytes)),
            Err(DecodeError::TooLong)
        );
    }

    #[test]
    fn types() {
        assert!(full().is_regular() && !full().is_directory() && !full().is_symlink());
        let unknown = Attributes {
            permissions: Some(0o644),
            ..Attributes::new()
        };
        assert_eq!(unknown.file_type(), None);
    }
}
