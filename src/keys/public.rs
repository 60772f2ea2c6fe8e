//! Public keys: blobs (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4) and what is done with them.

use std::fmt;
use std::sync::Arc;

use base64ct::{Base64Unpadded, Encoding};
use sha2::{Digest, Sha256};

use super::formats::public_line;
use super::signature::{ecdsa_from_wire, SignatureBlob};
use super::{curve_name, KeyKind};
use crate::codec::{DecodeError, Reader, Writer};
use crate::crypto::sign::{ecdsa, ed25519, rsa};
use crate::error::{Error, KeyFault};

/// Longest blob looked at: an RSA key of 16384 bits fits.
pub const MAX_PUBLIC_BLOB: usize = 4096;

/// A public key: its blob and the parsed key that verifies with it.
///
/// Two keys are equal when their blobs are. Blobs that write the same key in another way than ours are
/// refused, so that equality of blobs is equality of keys.
#[derive(Clone)]
pub struct PublicKey {
    inner: Arc<PublicInner>,
}

struct PublicInner {
    blob: Vec<u8>,
    kind: KeyKind,
    bits: u32,
    verifier: Verifier,
}

enum Verifier {
    Ed25519(ed25519::Public),
    Ecdsa(ecdsa::Curve, ecdsa::Public),
    Rsa(rsa::Public),
}

fn malformed(fault: DecodeError) -> KeyFault {
    KeyFault::Malformed(match fault {
        DecodeError::Truncated => "public key blob is truncated",
        DecodeError::TrailingBytes => "trailing bytes after the public key",
        DecodeError::BadMpint => "bad number in the public key",
        _ => "public key blob",
    })
}

impl PublicKey {
    /// Parses a public key blob (RFC 4253 §6.6), refusing trailing bytes and weak or absurd keys.
    pub fn from_blob(blob: &[u8]) -> Result<Self, Error> {
        if blob.len() > MAX_PUBLIC_BLOB {
            return Err(KeyFault::Malformed("public key blob is too long").into());
        }
        let mut reader = Reader::new(blob);
        let name = reader.text().map_err(malformed)?;
        let kind = KeyKind::from_key_type(name).ok_or_else(|| {
            KeyFault::Unsupported(format!(
                "key type {}",
                crate::codec::printable(name.as_bytes(), 64)
            ))
        })?;
        let key = match kind.curve() {
            Some(curve) => Self::read_ecdsa(curve, &mut reader),
            None if kind == KeyKind::Rsa => Self::read_rsa(&mut reader),
            None => Self::read_ed25519(&mut reader),
        }?;
        reader.finish().map_err(malformed)?;
        if key.blob() != blob {
            return Err(KeyFault::Malformed(
                "number in the public key is not in its shortest form",
            )
            .into());
        }
        Ok(key)
    }

    fn read_ed25519(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let bytes = reader.string().map_err(malformed)?;
        let bytes = bytes
            .try_into()
            .map_err(|_| KeyFault::Malformed("Ed25519 key is not of 32 bytes"))?;
        Self::ed25519(bytes)
    }

    fn read_ecdsa(curve: ecdsa::Curve, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let name = reader.string().map_err(malformed)?;
        if name != curve_name(curve).as_bytes() {
            return Err(KeyFault::Malformed("curve does not fit the key type").into());
        }
        let point = reader.string().map_err(malformed)?;
        Self::ecdsa(curve, point)
    }

    fn read_rsa(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let e = reader.mpint().map_err(malformed)?;
        let n = reader.mpint().map_err(malformed)?;
        Self::rsa(n, e)
    }

    /// The key of an Ed25519 point.
    pub(crate) fn ed25519(point: &[u8; ed25519::PUBLIC_LEN]) -> Result<Self, Error> {
        let verifier = ed25519::Public::new(point)
            .map_err(|_| KeyFault::Malformed("not a good Ed25519 point"))?;
        Ok(Self::assemble(
            KeyKind::Ed25519,
            256,
            Verifier::Ed25519(verifier),
            |w| {
                w.string(point);
            },
        ))
    }

    /// The key of an uncompressed point of a NIST curve.
    pub(crate) fn ecdsa(curve: ecdsa::Curve, point: &[u8]) -> Result<Self, Error> {
        let verifier = ecdsa::Public::new(curve, point)
            .map_err(|_| KeyFault::Malformed("not an uncompressed point of the curve"))?;
        Ok(Self::assemble(
            KeyKind::of_curve(curve),
            curve.bits(),
            Verifier::Ecdsa(curve, verifier),
            |w| {
                w.string(curve_name(curve)).string(point);
            },
        ))
    }

    /// The key of an RSA modulus and exponent.
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, Error> {
        let verifier = rsa::Public::new(n, e).map_err(|_| {
            KeyFault::Malformed("RSA modulus or exponent out of bounds (2048 to 16384 bits, odd)")
        })?;
        Ok(Self::assemble(
            KeyKind::Rsa,
            rsa::bit_len(n),
            Verifier::Rsa(verifier),
            |w| {
                w.mpint(e).mpint(n);
            },
        ))
    }

    fn assemble(
        kind: KeyKind,
        bits: u32,
        verifier: Verifier,
        fields: impl FnOnce(&mut Writer<'_>),
    ) -> Self {
        let blob = Writer::collect(|w| {
            w.string(kind.key_type());
            fields(w);
        });
        PublicKey {
            inner: Arc::new(PublicInner {
                blob,
                kind,
                bits,
                verifier,
            }),
        }
    }

    /// The blob as on the wire.
    pub fn blob(&self) -> &[u8] {
        &self.inner.blob
    }

    /// The kind.
    pub fn kind(&self) -> KeyKind {
        self.inner.kind
    }

    /// The key type name inside the blob, e.g. `ssh-rsa`.
    pub fn key_type(&self) -> &'static str {
        self.inner.kind.key_type()
    }

    /// The size in bits, as ssh-keygen shows it.
    pub fn bits(&self) -> u32 {
        self.inner.bits
    }

    /// Names of signature algorithms this key can make, strongest first (`rsa-sha2-512`, `rsa-sha2-256` for RSA).
    pub fn signature_algorithms(&self) -> &'static [&'static str] {
        self.inner.kind.signature_algorithms()
    }

    /// Verifies a signature blob (`string algorithm || string signature`) made with exactly `algorithm`.
    /// False for everything that is not a good signature; never panics.
    pub fn verify(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        if !self.signature_algorithms().contains(&algorithm) {
            return false;
        }
        let Ok(blob) = SignatureBlob::decode(signature) else {
            return false;
        };
        if blob.algorithm != algorithm {
            return false;
        }
        match &self.inner.verifier {
            Verifier::Ed25519(key) => blob
                .signature
                .try_into()
                .is_ok_and(|signature| key.verify(message, signature)),
            Verifier::Ecdsa(curve, key) => ecdsa_from_wire(*curve, blob.signature)
                .is_some_and(|signature| key.verify(message, &signature)),
            Verifier::Rsa(key) => {
                rsa_hash(algorithm).is_some_and(|hash| key.verify(hash, message, blob.signature))
            }
        }
    }

    /// `SHA256:` and the unpadded base64 of the blob's hash.
    pub fn fingerprint(&self) -> String {
        let hash = Sha256::digest(self.blob());
        format!("SHA256:{}", Base64Unpadded::encode_string(&hash))
    }

    /// `type base64 comment`, without a newline. Line breaks and NUL in the comment become spaces.
    pub fn to_line(&self, comment: &str) -> String {
        public_line::write(self, comment)
    }

    /// Parses `type base64 [comment]`.
    pub fn from_line(line: &str) -> Result<(Self, String), Error> {
        public_line::read(line)
    }

    /// Reads the content of a public key file: one line as [`from_line`](Self::from_line) takes it, and
    /// around it nothing but empty lines and lines that begin with `#`.
    pub fn load(bytes: &[u8]) -> Result<(Self, String), Error> {
        public_line::load(bytes)
    }
}

/// The hash that a signature algorithm of RSA keys names (RFC 8332 §3).
pub(super) fn rsa_hash(algorithm: &str) -> Option<rsa::Hash> {
    match algorithm {
        "rsa-sha2-256" => Some(rsa::Hash::Sha256),
        "rsa-sha2-512" => Some(rsa::Hash::Sha512),
        _ => None,
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.blob() == other.blob()
    }
}

impl Eq for PublicKey {}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.blob().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.key_type(), self.fingerprint())
    }
}
