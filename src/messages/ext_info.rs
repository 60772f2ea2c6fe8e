//! SSH_MSG_EXT_INFO (RFC 8308 §2.3).

use std::collections::BTreeSet;

use super::kex::decode;
use super::MessageNumber;
use crate::codec::{DecodeError, Writer};
use crate::error::Error;

/// The extensions that are taken at most.
const MAX_EXTENSIONS: u32 = 1024;

/// SSH_MSG_EXT_INFO: names and values, each name once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtInfo<'a> {
    /// Extension names and their values, in the order sent.
    pub extensions: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> ExtInfo<'a> {
    /// Reads the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode(payload, MessageNumber::EXT_INFO, |reader| {
            let count = reader.u32()?;
            if count > MAX_EXTENSIONS {
                return Err(DecodeError::TooLong);
            }
            let mut names = BTreeSet::new();
            let mut extensions = Vec::new();
            for _ in 0..count {
                let (name, value) = (reader.string()?, reader.string()?);
                if !names.insert(name) {
                    return Err(DecodeError::BadValue);
                }
                extensions.push((name, value));
            }
            Ok(ExtInfo { extensions })
        })
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(MessageNumber::EXT_INFO.0);
            w.u32(u32::try_from(self.extensions.len()).unwrap_or(MAX_EXTENSIONS));
            for (name, value) in &self.extensions {
                w.string(name).string(value);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let info = ExtInfo {
            extensions: vec![(b"server-sig-algs", b"a,b"), (b"unknown", b"\0\0")],
        };
        assert_eq!(ExtInfo::decode(&info.encode()), Ok(info));
    }

    #[test]
    fn e1_hostile_counts_and_names() {
        let count = |count: u32, entries: usize| {
            Writer::collect(|w| {
                w.u8(7).u32(count);
                for index in 0..entries {
                    w.string(index.to_string()).string("");
                }
            })
        };
        assert!(ExtInfo::decode(&count(0, 0)).is_ok());
        assert!(ExtInfo::decode(&count(1024, 1024)).is_ok());
        assert!(ExtInfo::decode(&count(u32::MAX, 0)).is_err());
        assert!(ExtInfo::decode(&count(3, 2)).is_err());
        assert!(ExtInfo::decode(&count(2, 3)).is_err());
        assert!(ExtInfo::decode(&count(1025, 1025)).is_err());
        let twice = ExtInfo {
            extensions: vec![(b"a", b""), (b"a", b"")],
        };
        assert!(ExtInfo::decode(&twice.encode()).is_err());
    }
}
