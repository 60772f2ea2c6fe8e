//! Why a host key was refused, and what is known in its place.

use std::fmt;

use super::{CertificateFault, Error};

/// Why a host key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyFault {
    /// The key is not the expected one. Fingerprints of both.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// Fingerprint of the key that was expected.
        expected: String,
        /// Fingerprint of the key that the server showed.
        found: String,
    },
    /// The application refused it.
    #[error("refused by the application")]
    Refused,
    /// The known_hosts files do not have it, and nobody has accepted it.
    #[error("{0}")]
    Known(Box<KnownHostsFault>),
    /// Nobody was there to accept it.
    #[error("not verified: set an expected key or a host key callback")]
    NotVerified,
    /// The blob's or the signature's algorithm is not the negotiated one, or the blob is malformed.
    #[error("key or signature is not of the negotiated algorithm")]
    WrongAlgorithm,
    /// An authority that is known for the host has signed it, and it is not good all the same.
    #[error("the certificate of {host}: {fault}")]
    Certificate {
        /// The host, as files have it.
        host: String,
        /// What is wrong.
        fault: Box<CertificateFault>,
    },
    /// A revocation list has it, or its certificate.
    #[error("{fault}: whoever has {found} must not be trusted")]
    Revoked {
        /// Fingerprint of the key.
        found: String,
        /// What is revoked.
        fault: Box<CertificateFault>,
    },
    /// It is an RSA key that is too short.
    #[error("the RSA key {found} has {bits} bits, {least} is the least (RequiredRSASize)")]
    TooShort {
        /// Fingerprint of the key.
        found: String,
        /// How long it is.
        bits: u32,
        /// How long it would have to be.
        least: u32,
    },
    /// It was let pass although another one is known, and that does not go for what was asked.
    #[error(
        "it is not the known one. StrictHostKeyChecking=no lets it pass for commands and files, not to forward a port, \
         an agent or a display"
    )]
    Doubtful,
    /// The signature over the exchange hash is wrong.
    #[error("bad signature")]
    BadSignature,
    /// Another key than in the first key exchange.
    #[error("the host key changed during the session")]
    Changed,
}

/// What is known instead of the host key that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownKeys {
    /// No key of the host.
    None,
    /// Keys of other types only.
    OfOtherTypes,
    /// Another key of this type.
    Another,
    /// That the key is revoked.
    Revoked,
}

/// What known_hosts files say about a host key that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHostsFault {
    /// What they know.
    pub known: KnownKeys,
    /// The host, as files have it.
    pub host: String,
    /// The type of the key that was shown.
    pub key_type: &'static str,
    /// `file:line` of the line that decided; empty without one.
    pub place: String,
    /// Fingerprint of the key in that line; empty without one.
    pub expected: String,
    /// Fingerprint of the key that was shown.
    pub found: String,
}

impl KnownHostsFault {
    /// The command that removes the host's keys from the file; empty where they stand in none.
    fn removal(&self) -> String {
        match self.place.rsplit_once(':') {
            Some((file, _)) if file.starts_with('/') => {
                format!(": ssh-keygen -f \"{file}\" -R \"{}\"", self.host)
            }
            _ => String::new(),
        }
    }
}

impl fmt::Display for KnownHostsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KnownHostsFault {
            host,
            key_type,
            place,
            expected,
            found,
            ..
        } = self;
        match self.known {
            KnownKeys::None => write!(
                f,
                "no key of {host} is known; it showed {key_type} {found}, which nobody has accepted"
            ),
            KnownKeys::OfOtherTypes => write!(
                f,
                "{host} is known by a key of another type ({place}), and did not show that one but {key_type} {found}; \
                 somebody may be in between. If the host was given a new key, remove the old one there{}",
                self.removal()
            ),
            KnownKeys::Another => write!(
                f,
                "the key of {host} has changed: {place} has {expected}, it showed {key_type} {found}; somebody may be \
                 in between. If the host was given a new key, remove the old one there{}",
                self.removal()
            ),
            KnownKeys::Revoked => write!(
                f,
                "the key {found} of {host} is revoked in {place}: whoever has it must not be trusted"
            ),
        }
    }
}

impl From<HostKeyFault> for Error {
    fn from(fault: HostKeyFault) -> Self {
        Error::HostKey(fault)
    }
}
