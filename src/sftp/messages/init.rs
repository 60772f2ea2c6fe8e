//! SSH_FXP_INIT and SSH_FXP_VERSION (draft-ietf-secsh-filexfer-02 §4).

use crate::codec::{DecodeError, Reader, Writer};
use crate::sftp::number::PacketType;

/// Most extensions that are remembered.
pub const MAX_EXTENSIONS: usize = 256;
/// Longest name or data of an extension that is remembered.
const MAX_EXTENSION_BYTES: usize = 4096;

/// An extension that one side announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: Vec<u8>,
    /// Mostly a version in digits.
    pub data: Vec<u8>,
}

/// SSH_FXP_INIT: the client's first packet. It has no id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// The highest version the client speaks.
    pub version: u32,
    /// What it can do beyond.
    pub extensions: Vec<Extension>,
}

impl Init {
    /// Reads the packet.
    pub fn decode(packet: &[u8]) -> Result<Self, DecodeError> {
        let (version, extensions) = decode(PacketType::INIT, packet)?;
        Ok(Init {
            version,
            extensions,
        })
    }

    /// Writes the packet.
    pub fn encode(&self, w: &mut Writer<'_>) {
        encode(PacketType::INIT, self.version, &self.extensions, w);
    }
}

/// SSH_FXP_VERSION: the server's answer to INIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version that is spoken from now on.
    pub version: u32,
    /// What the server can do beyond.
    pub extensions: Vec<Extension>,
}

impl Version {
    /// Reads the packet.
    pub fn decode(packet: &[u8]) -> Result<Self, DecodeError> {
        let (version, extensions) = decode(PacketType::VERSION, packet)?;
        Ok(Version {
            version,
            extensions,
        })
    }

    /// Writes the packet.
    pub fn encode(&self, w: &mut Writer<'_>) {
        encode(PacketType::VERSION, self.version, &self.extensions, w);
    }
}

fn decode(kind: PacketType, packet: &[u8]) -> Result<(u32, Vec<Extension>), DecodeError> {
    let mut r = Reader::new(packet);
    if r.u8()? != kind.0 {
        return Err(DecodeError::BadValue);
    }
    let version = r.u32()?;
    let mut extensions = Vec::new();
    while !r.is_empty() {
        if extensions.len() == MAX_EXTENSIONS {
            return Err(DecodeError::TooLong);
        }
        extensions.push(Extension {
            name: r.string_capped(MAX_EXTENSION_BYTES)?.to_vec(),
            data: r.string_capped(MAX_EXTENSION_BYTES)?.to_vec(),
        });
    }
    Ok((version, extensions))
}

fn encode(kind: PacketType, version: u32, extensions: &[Extension], w: &mut Writer<'_>) {
    w.u8(kind.0).u32(version);
    for extension in extensions {
        w.string(&extension.name).string(&extension.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_round_trip_and_are_not_mixed_up() {
        let init = Init {
            version: 3,
            extensions: Vec::new(),
        };
        let bytes = Writer::collect(|w| init.encode(w));
        assert_eq!(bytes, [1, 0, 0, 0, 3]);
        assert_eq!(Init::decode(&bytes), Ok(init));
        assert_eq!(Version::decode(&bytes), Err(DecodeError::BadValue));

        let version = Version {
            version: 3,
            extensions: vec![Extension {
                name: b"fsync@openssh.com".to_vec(),
                data: b"1".to_vec(),
            }],
        };
        let bytes = Writer::collect(|w| version.encode(w));
        assert_eq!(Version::decode(&bytes), Ok(version));
        assert_eq!(
            Version::decode(&bytes[..bytes.len() - 1]),
            Err(DecodeError::Truncated)
        );
    }

    #[test]
    fn too_many_extensions_are_refused() {
        let many = Version {
            version: 3,
            extensions: vec![
                Extension {
                    name: Vec::new(),
                    data: Vec::new()
                };
                MAX_EXTENSIONS + 1
            ],
        };
        let bytes = Writer::collect(|w| many.encode(w));
        assert_eq!(Version::decode(&bytes), Err(DecodeError::TooLong));
    }
}
