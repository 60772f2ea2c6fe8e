//! Public keys: blobs (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4) and what is done with them.

use std::fmt;
use std::sync::Arc;

use super::fingerprint::{fingerprint, FingerprintHash};
use super::formats::{public_line, public_pem, rfc4716};
use super::security_key::{self, SecurityKey};
use super::signature::{ecdsa_from_wire, SignatureBlob};
use super::{curve_name, KeyFormat, KeyInfo, KeyKind};
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
    SecurityKey(SecurityKey),
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
        let key = match (kind, kind.curve()) {
            (_, Some(curve)) => Self::read_ecdsa(curve, &mut reader),
            (KeyKind::Rsa, None) => Self::read_rsa(&mut reader),
            (KeyKind::SkEd25519, None) => Self::read_sk_ed25519(&mut reader),
            (KeyKind::SkEcdsaP256, None) => Self::read_sk_ecdsa(&mut reader),
            (_, None) => Self::read_ed25519(&mut reader),
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

    /// OpenSSH, PROTOCOL.u2f: an Ed25519 key and the application that the authenticator made it for.
    fn read_sk_ed25519(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let point = reader.string().map_err(malformed)?;
        let application = reader.string().map_err(malformed)?;
        let key = SecurityKey::ed25519(point, application)
            .ok_or(KeyFault::Malformed("not a usable Ed25519 key"))?;
        let verifier = Verifier::SecurityKey(key);
        Ok(Self::assemble(KeyKind::SkEd25519, 256, verifier, |w| {
            w.string(point).string(application);
        }))
    }

    /// OpenSSH, PROTOCOL.u2f: a key over P-256 and its application.
    fn read_sk_ecdsa(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let name = reader.string().map_err(malformed)?;
        if name != curve_name(ecdsa::Curve::P256).as_bytes() {
            return Err(KeyFault::Malformed("curve does not fit the key type").into());
        }
        let point = reader.string().map_err(malformed)?;
        let application = reader.string().map_err(malformed)?;
        let key = SecurityKey::ecdsa(point, application).ok_or(KeyFault::Malformed(
            "not an uncompressed point of the curve",
        ))?;
        let verifier = Verifier::SecurityKey(key);
        Ok(Self::assemble(KeyKind::SkEcdsaP256, 256, verifier, |w| {
            w.string(name).string(point).string(application);
        }))
    }

    /// The key of an Ed25519 point.
    pub(crate) fn ed25519(point: &[u8; ed25519::PUBLIC_LEN]) -> Result<Self, Error> {
        let verifier = ed25519::Public::new(point)
            .map_err(|_| KeyFault::Malformed("not a usable Ed25519 key"))?;
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

    /// Names of signature algorithms this key can make, strongest first (`rsa-sha2-512`, `rsa-sha2-256`, `ssh-rsa`
    /// for RSA).
    pub fn signature_algorithms(&self) -> &'static [&'static str] {
        self.inner.kind.signature_algorithms()
    }

    /// Verifies a signature blob (`string algorithm || string signature`) made with exactly `algorithm`.
    /// False for everything that is not a good signature; never panics.
    ///
    /// A security key must attest that somebody has touched it.
    pub fn verify(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let attended = security_key::attendance(signature).is_some_and(|seen| seen.is_present());
        (attended || !self.kind().is_security_key())
            && self.verify_unattended(algorithm, message, signature)
    }

    /// As [`verify`](Self::verify), but a security key may have signed with nobody there. What it attests is
    /// [`Attendance::of`](super::Attendance::of) the signature.
    pub fn verify_unattended(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        if !self.signature_algorithms().contains(&algorithm) {
            return false;
        }
        if let Verifier::SecurityKey(key) = &self.inner.verifier {
            return key.verify(algorithm, message, signature);
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
            // Their signatures have another form, and were verified above.
            Verifier::SecurityKey(_) => false,
        }
    }

    /// `SHA256:` and the unpadded base64 of the blob's hash.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.blob(), FingerprintHash::Sha256)
    }

    /// `type base64 comment`, without a newline. Line breaks and NUL in the comment become spaces.
    pub fn to_line(&self, comment: &str) -> String {
        public_line::write(self, comment)
    }

    /// Parses `type base64 [comment]`.
    pub fn from_line(line: &str) -> Result<(Self, String), Error> {
        public_line::read(line)
    }

    /// Reads the public half of whatever key a file holds: a public key in any format, a private one in the clear, or one
    /// whose encryption leaves the public half readable.
    pub fn load_any(bytes: &[u8]) -> Result<(Self, String), Error> {
        KeyInfo::of(bytes)?.into_public()
    }

    /// Writes a public key file in one of the formats for them: the line, RFC 4716, PKCS#8 (`PUBLIC KEY`) or, for RSA,
    /// PKCS#1 (`RSA PUBLIC KEY`).
    pub fn to_text(&self, format: KeyFormat, comment: &str) -> Result<String, Error> {
        match format {
            KeyFormat::Line => Ok(self.to_line(comment) + "\n"),
            KeyFormat::Rfc4716 => Ok(rfc4716::write(self, comment)),
            KeyFormat::Pkcs8 => public_pem::write(self, public_pem::Form::Spki),
            KeyFormat::Pkcs1 => public_pem::write(self, public_pem::Form::Pkcs1),
            _ => Err(KeyFault::Unsupported("a format of private keys".into()).into()),
        }
    }

    /// Reads the content of a public key file: one line as [`from_line`](Self::from_line) takes it, and
    /// around it nothing but empty lines and lines that begin with `#`.
    pub fn load(bytes: &[u8]) -> Result<(Self, String), Error> {
        public_line::load(bytes)
    }
}

/// The hash that a signature algorithm of RSA keys names (RFC 8332 §3, RFC 4253 §6.6).
pub(super) fn rsa_hash(algorithm: &str) -> Option<rsa::Hash> {
    match algorithm {
        "ssh-rsa" => Some(rsa::Hash::Sha1),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::{fixture, text};
    use base64ct::{Base64, Encoding};
    use der::Decode;
    use sha2::Digest;

    const KINDS: [&str; 5] = ["ed25519", "p256", "p384", "p521", "rsa"];

    fn public(kind: &str) -> PublicKey {
        PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
    }

    fn blob_of(algorithm: &str, signature: &[u8]) -> Vec<u8> {
        SignatureBlob {
            algorithm,
            signature,
        }
        .encode()
    }

    /// An ECDSA signature of openssl, which is DER, as RFC 5656 writes it.
    fn from_der(der: &[u8]) -> Vec<u8> {
        let numbers = Vec::<der::asn1::Uint>::from_der(der).unwrap();
        Writer::collect(|w| {
            w.mpint(numbers[0].as_bytes()).mpint(numbers[1].as_bytes());
        })
    }

    #[test]
    fn lines_and_fingerprints_as_ssh_keygen_shows_them() {
        for kind in KINDS {
            let line = text(&format!("{kind}.pub"));
            let (key, comment) = PublicKey::load(line.as_bytes()).unwrap();
            assert_eq!(comment, format!("{kind} test"));
            assert_eq!(key.to_line(&comment), line.trim_end());
            let shown = text(&format!("{kind}.fp"));
            let mut words = shown.split(' ');
            assert_eq!(words.next().unwrap(), key.bits().to_string());
            assert_eq!(words.next().unwrap(), key.fingerprint());
            assert_eq!(PublicKey::from_blob(key.blob()).unwrap(), key);
        }
        assert_eq!(public("rsa9216").bits(), 9216);
    }

    #[test]
    fn signatures_made_by_openssl() {
        let message = fixture("message");
        let point = fixture("ed25519b.point");
        let key = PublicKey::ed25519(&point.try_into().unwrap()).unwrap();
        let signature = blob_of("ssh-ed25519", &fixture("ed25519b.sig"));
        assert!(key.verify("ssh-ed25519", &message, &signature));
        assert!(!key.verify("ssh-ed25519", b"other", &signature));
        for kind in ["p256", "p384", "p521"] {
            let key = public(kind);
            let name = key.key_type();
            let signature = blob_of(name, &from_der(&fixture(&format!("{kind}.sig"))));
            assert!(key.verify(name, &message, &signature));
            assert!(!key.verify(name, b"other", &signature));
        }
        for (name, file) in [
            ("ssh-rsa", "rsa.sig.sha1"),
            ("rsa-sha2-256", "rsa.sig.sha256"),
            ("rsa-sha2-512", "rsa.sig.sha512"),
        ] {
            let signature = blob_of(name, &fixture(file));
            assert!(public("rsa").verify(name, &message, &signature));
            assert!(!public("rsa").verify(name, b"other", &signature));
        }
        let signature = blob_of("rsa-sha2-512", &fixture("rsa9216.sig.sha512"));
        assert!(public("rsa9216").verify("rsa-sha2-512", &message, &signature));
        assert!(!public("rsa9216").verify("rsa-sha2-512", b"other", &signature));
    }

    #[test]
    fn signatures_made_by_ssh_keygen() {
        for kind in KINDS {
            let armour = text(&format!("{kind}.sshsig"));
            let body: String = armour
                .lines()
                .filter(|line| !line.starts_with('-'))
                .collect();
            let bytes = Base64::decode_vec(&body).unwrap();
            // OpenSSH, PROTOCOL.sshsig.
            let mut reader = Reader::new(bytes.strip_prefix(b"SSHSIG\0\0\0\x01").unwrap());
            let key = PublicKey::from_blob(reader.string().unwrap()).unwrap();
            assert_eq!(key, public(kind));
            let (namespace, reserved) = (reader.string().unwrap(), reader.string().unwrap());
            assert_eq!(reader.string().unwrap(), b"sha512");
            let signature = reader.string().unwrap();
            reader.finish().unwrap();
            let message = Writer::collect(|w| {
                w.raw(b"SSHSIG")
                    .string(namespace)
                    .string(reserved)
                    .string("sha512")
                    .string(sha2::Sha512::digest(fixture("message")));
            });
            let algorithm = key.signature_algorithms()[0];
            assert!(key.verify(algorithm, &message, signature), "{kind}");
        }
    }

    #[test]
    fn a7_label_blob_and_signature_must_agree() {
        let message = fixture("message");
        let rsa = public("rsa");
        let sha1 = fixture("rsa.sig.sha1");
        for label in ["ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"] {
            for name in ["ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"] {
                // The signature is SHA-1: good under that name alone, and only with that label.
                let good = name == "ssh-rsa" && label == "ssh-rsa";
                assert_eq!(rsa.verify(name, &message, &blob_of(label, &sha1)), good);
            }
        }
        let good = fixture("rsa.sig.sha256");
        assert!(!rsa.verify("rsa-sha2-512", &message, &blob_of("rsa-sha2-256", &good)));
        assert!(!rsa.verify("rsa-sha2-256", &message, &blob_of("rsa-sha2-512", &good)));
        assert!(!rsa.verify("ssh-rsa", &message, &blob_of("rsa-sha2-256", &good)));
        let mut trailing = blob_of("rsa-sha2-256", &good);
        trailing.push(0);
        assert!(!rsa.verify("rsa-sha2-256", &message, &trailing));

        let signature = from_der(&fixture("p384.sig"));
        let label = "ecdsa-sha2-nistp256";
        assert!(!public("p384").verify(label, &message, &blob_of(label, &signature)));
        assert!(!public("p256").verify(label, &message, &blob_of(label, &signature)));
        let certificate = "ssh-ed25519-cert-v01@openssh.com";
        assert!(!public("ed25519").verify(certificate, &message, &blob_of(certificate, &[0; 64])));
    }

    #[test]
    fn broken_signature_blobs_are_no_signatures() {
        let message = fixture("message");
        let point = fixture("ed25519b.point");
        let key = PublicKey::ed25519(&point.try_into().unwrap()).unwrap();
        let good = blob_of("ssh-ed25519", &fixture("ed25519b.sig"));
        for length in 0..good.len() {
            assert!(!key.verify("ssh-ed25519", &message, &good[..length]));
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            assert!(!key.verify("ssh-ed25519", &message, &bad));
        }
    }

    #[test]
    fn blobs_are_read_strictly() {
        for kind in KINDS {
            let blob = public(kind).blob().to_vec();
            for length in 0..blob.len() {
                assert!(PublicKey::from_blob(&blob[..length]).is_err());
            }
            let mut trailing = blob.clone();
            trailing.push(0);
            assert_eq!(
                PublicKey::from_blob(&trailing).unwrap_err(),
                KeyFault::Malformed("trailing bytes after the public key").into()
            );
        }
        for name in ["ssh-dss", "rsa-sha2-256", "none"] {
            let blob = Writer::collect(|w| {
                w.string(name);
            });
            assert!(matches!(
                PublicKey::from_blob(&blob),
                Err(Error::Key(KeyFault::Unsupported(_)))
            ));
        }
    }

    #[test]
    fn one_key_has_one_blob() {
        let key = public("rsa");
        let mut reader = Reader::new(key.blob());
        let (name, e, n) = (
            reader.string().unwrap(),
            reader.string().unwrap(),
            reader.string().unwrap(),
        );
        let padded = Writer::collect(|w| {
            w.string(name).string([&[0], e].concat()).string(n);
        });
        assert!(PublicKey::from_blob(&padded).is_err());
        let padded = Writer::collect(|w| {
            w.string(name).string(e).string([&[0], n].concat());
        });
        assert!(PublicKey::from_blob(&padded).is_err());
        let negative = Writer::collect(|w| {
            w.string(name).string(e).string(&n[1..]);
        });
        assert!(PublicKey::from_blob(&negative).is_err());
    }

    #[test]
    fn curve_name_and_type_must_agree() {
        let key = public("p256");
        let point = &key.blob()[key.blob().len() - 65..];
        let blob = |name: &str, curve: &str| {
            Writer::collect(|w| {
                w.string(name).string(curve).string(point);
            })
        };
        assert!(PublicKey::from_blob(&blob("ecdsa-sha2-nistp256", "nistp256")).is_ok());
        assert!(PublicKey::from_blob(&blob("ecdsa-sha2-nistp256", "nistp384")).is_err());
        assert!(PublicKey::from_blob(&blob("ecdsa-sha2-nistp384", "nistp256")).is_err());
        assert!(PublicKey::from_blob(&blob("ecdsa-sha2-nistp384", "nistp384")).is_err());
    }

    #[test]
    fn a8_absurd_keys_are_refused() {
        let rsa = |n: &[u8], e: &[u8]| {
            Writer::collect(|w| {
                w.string("ssh-rsa").mpint(e).mpint(n);
            })
        };
        let mut identity = [0; 32];
        identity[0] = 1;
        let small_order = Writer::collect(|w| {
            w.string("ssh-ed25519").string(identity);
        });
        for blob in [
            rsa(&[0xff; 127], &[1, 0, 1]),
            rsa(&[[1].as_slice(), &[0xff; 2048]].concat(), &[1, 0, 1]),
            rsa(&[0xff; 125_000], &[1, 0, 1]),
            rsa(&[0xfe; 384], &[1, 0, 1]),
            rsa(&[0xff; 384], &[]),
            rsa(&[0xff; 384], &[1]),
            rsa(&[0xff; 384], &[2]),
            rsa(&[0xff; 384], &[0xff; 512]),
            small_order,
        ] {
            let result = PublicKey::from_blob(&blob);
            assert!(matches!(result, Err(Error::Key(KeyFault::Malformed(_)))));
        }
    }
}
