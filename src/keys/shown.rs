//! A public key as a peer shows it.

use std::fmt;

use super::{Certificate, PublicKey};
use crate::crypto::algorithms::SignatureAlgorithm;

/// A public key that was shown: alone, or in a certificate, which is then for somebody to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownKey {
    /// The key, which signs.
    pub key: PublicKey,
    /// The certificate that it was shown in.
    pub certificate: Option<Certificate>,
}

impl ShownKey {
    /// Reads what was shown under an algorithm. `None` where it is not what the algorithm's name says, or not good.
    pub fn read(algorithm: &SignatureAlgorithm, blob: &[u8]) -> Option<Self> {
        let shown = if algorithm.is_certificate() {
            let certificate = Certificate::from_blob(blob).ok()?;
            ShownKey {
                key: certificate.key().clone(),
                certificate: Some(certificate),
            }
        } else {
            PublicKey::from_blob(blob).ok()?.into()
        };
        // What was signed holds the blob as it came. A parser that normalised it would let one key go by several names.
        let fits = shown.key_type() == algorithm.key_type
            && shown
                .key
                .signature_algorithms()
                .contains(&algorithm.signs_as)
            && shown.blob() == blob;
        fits.then_some(shown)
    }

    /// The blob as it was shown.
    pub fn blob(&self) -> &[u8] {
        match &self.certificate {
            Some(certificate) => certificate.blob(),
            None => self.key.blob(),
        }
    }

    /// The type name inside the blob.
    pub fn key_type(&self) -> &'static str {
        match &self.certificate {
            Some(certificate) => certificate.type_name(),
            None => self.key.key_type(),
        }
    }
}

/// For logs.
impl fmt::Display for ShownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.certificate {
            Some(certificate) => fmt::Display::fmt(certificate, f),
            None => write!(f, "key {} {}", self.key_type(), self.key.fingerprint()),
        }
    }
}

impl From<PublicKey> for ShownKey {
    fn from(key: PublicKey) -> Self {
        ShownKey {
            key,
            certificate: None,
        }
    }
}
