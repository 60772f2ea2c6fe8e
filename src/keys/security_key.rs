//! Keys in FIDO authenticators (OpenSSH, PROTOCOL.u2f): what their signatures look like, and what they attest.
//!
//! The authenticator signs not the message but its hash, between the hash of the application that the key belongs to
//! and what the authenticator says about the moment of signing.

use sha2::{Digest, Sha256};

use super::signature::{ecdsa_from_wire, MAX_SIGNATURE_BLOB};
use crate::codec::{DecodeError, Reader, Writer};
use crate::crypto::sign::{ecdsa, ed25519};

/// The person in front of the authenticator has touched it.
const USER_PRESENT: u8 = 0x01;
/// The authenticator knows who it was, by a PIN or a finger.
const USER_VERIFIED: u8 = 0x04;

/// What an authenticator says about the moment of signing. It is true when the signature is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attendance {
    /// The flags of the FIDO standards, bit 0 for presence and bit 2 for verification.
    pub flags: u8,
    /// How often the authenticator has signed; some do not count.
    pub counter: u32,
}

impl Attendance {
    /// What a signature blob of a security key attests; `None` for other signatures.
    pub fn of(signature: &[u8]) -> Option<Self> {
        attendance(signature)
    }

    /// Whether somebody has touched the authenticator.
    pub fn is_present(self) -> bool {
        self.flags & USER_PRESENT != 0
    }

    /// Whether the authenticator has made sure who it was.
    pub fn is_verified(self) -> bool {
        self.flags & USER_VERIFIED != 0
    }
}

/// See [`Attendance::of`].
pub(super) fn attendance(signature: &[u8]) -> Option<Attendance> {
    SecuritySignature::decode(signature)
        .ok()
        .map(|blob| blob.attendance)
}

/// The public half of a key in an authenticator.
pub(super) struct SecurityKey {
    application: [u8; 32],
    verifier: Verifier,
}

enum Verifier {
    Ed25519(ed25519::Public),
    Ecdsa(ecdsa::Public),
}

impl SecurityKey {
    pub(super) fn ed25519(point: &[u8], application: &[u8]) -> Option<Self> {
        let verifier = ed25519::Public::new(point.try_into().ok()?).ok()?;
        Some(SecurityKey {
            application: Sha256::digest(application).into(),
            verifier: Verifier::Ed25519(verifier),
        })
    }

    pub(super) fn ecdsa(point: &[u8], application: &[u8]) -> Option<Self> {
        let verifier = ecdsa::Public::new(ecdsa::Curve::P256, point).ok()?;
        Some(SecurityKey {
            application: Sha256::digest(application).into(),
            verifier: Verifier::Ecdsa(verifier),
        })
    }

    /// Whether the signature is good, with or without anybody there.
    pub(super) fn verify(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let Ok(blob) = SecuritySignature::decode(signature) else {
            return false;
        };
        if blob.algorithm != algorithm {
            return false;
        }
        let signed = signed_data(&self.application, blob.attendance, message);
        match &self.verifier {
            Verifier::Ed25519(key) => blob
                .signature
                .try_into()
                .is_ok_and(|signature| key.verify(&signed, signature)),
            Verifier::Ecdsa(key) => ecdsa_from_wire(ecdsa::Curve::P256, blob.signature)
                .is_some_and(|signature| key.verify(&signed, &signature)),
        }
    }
}

/// What the authenticator signs.
fn signed_data(application: &[u8; 32], attendance: Attendance, message: &[u8]) -> Vec<u8> {
    Writer::collect(|w| {
        w.raw(application)
            .u8(attendance.flags)
            .u32(attendance.counter)
            .raw(&Sha256::digest(message));
    })
}

/// A signature blob of a security key: that of a plain key, and behind it flags and counter.
struct SecuritySignature<'a> {
    algorithm: &'a str,
    signature: &'a [u8],
    attendance: Attendance,
}

impl<'a> SecuritySignature<'a> {
    fn decode(blob: &'a [u8]) -> Result<Self, DecodeError> {
        if blob.len() > MAX_SIGNATURE_BLOB {
            return Err(DecodeError::TooLong);
        }
        let mut reader = Reader::new(blob);
        let decoded = SecuritySignature {
            algorithm: reader.text()?,
            signature: reader.string()?,
            attendance: Attendance {
                flags: reader.u8()?,
                counter: reader.u32()?,
            },
        };
        reader.finish()?;
        Ok(decoded)
    }
}

/// An authenticator made of software.
#[cfg(test)]
pub(crate) mod test_support {
    use super::*;
    use crate::keys::{KeyKind, PrivateKey, PublicKey};

    /// A key in an authenticator that does as it is told.
    pub(crate) struct Authenticator {
        key: PrivateKey,
        application: &'static str,
    }

    impl Authenticator {
        /// One whose key is of the kind that `key` is of.
        pub(crate) fn new(key: PrivateKey, application: &'static str) -> Self {
            Authenticator { key, application }
        }

        /// The public half.
        pub(crate) fn public(&self) -> PublicKey {
            let mut reader = Reader::new(self.key.public().blob());
            reader.string().unwrap();
            let kind = match self.key.kind() {
                KeyKind::Ed25519 => KeyKind::SkEd25519,
                KeyKind::EcdsaP256 => KeyKind::SkEcdsaP256,
                other => panic!("{other:?}"),
            };
            let blob = Writer::collect(|w| {
                w.string(kind.key_type())
                    .raw(reader.remaining())
                    .string(self.application);
            });
            PublicKey::from_blob(&blob).unwrap()
        }

        /// A signature blob.
        pub(crate) fn sign(&self, message: &[u8], flags: u8, counter: u32) -> Vec<u8> {
            let application = Sha256::digest(self.application).into();
            let data = signed_data(&application, Attendance { flags, counter }, message);
            let plain = self.key.sign(self.key.public().key_type(), &data).unwrap();
            let mut reader = Reader::new(&plain);
            reader.string().unwrap();
            Writer::collect(|w| {
                w.string(self.public().key_type())
                    .raw(reader.remaining())
                    .u8(flags)
                    .u32(counter);
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::test_support::Authenticator;
    use super::*;
    use crate::keys::test_support::TestRandom;
    use crate::keys::{KeyKind, PrivateKey, PublicKey};

    fn each() -> impl Iterator<Item = Authenticator> {
        [KeyKind::Ed25519, KeyKind::EcdsaP256]
            .into_iter()
            .map(|kind| {
                let key = PrivateKey::generate(kind, 0, &mut TestRandom).unwrap();
                Authenticator::new(key, "ssh:")
            })
    }

    #[test]
    fn a7_security_keys_attest_presence() {
        for authenticator in each() {
            let key = authenticator.public();
            let name = key.key_type();
            for (flags, present, verified) in [(0, false, false), (1, true, false), (5, true, true)]
            {
                let signature = authenticator.sign(b"message", flags, 7);
                assert_eq!(key.verify(name, b"message", &signature), present);
                assert!(key.verify_unattended(name, b"message", &signature));
                assert!(!key.verify_unattended(name, b"massage", &signature));
                let seen = Attendance::of(&signature).unwrap();
                assert_eq!((seen.is_present(), seen.is_verified()), (present, verified));
                assert_eq!(seen.counter, 7);
            }
        }
    }

    #[test]
    fn every_bit_of_a_signature_counts() {
        for authenticator in each() {
            let key = authenticator.public();
            let good = authenticator.sign(b"message", 1, 7);
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 0x02;
                assert!(
                    !key.verify_unattended(key.key_type(), b"message", &bad),
                    "{at}"
                );
                assert!(!key.verify(key.key_type(), b"message", &good[..at]));
            }
            let longer = [good.as_slice(), &[0]].concat();
            assert!(!key.verify(key.key_type(), b"message", &longer));
            // A plain key's signature is none of a security key.
            assert_eq!(Attendance::of(&good[..good.len() - 5]), None);
        }
    }

    #[test]
    fn the_application_is_part_of_the_key() {
        let key = PrivateKey::generate(KeyKind::Ed25519, 0, &mut TestRandom).unwrap();
        let one = Authenticator::new(key.clone(), "ssh:");
        let other = Authenticator::new(key, "ssh:elsewhere");
        assert!(one.public() != other.public());
        let signature = other.sign(b"message", 1, 0);
        assert!(!one
            .public()
            .verify(one.public().key_type(), b"message", &signature));
    }

    #[test]
    fn malformed_blobs_are_refused() {
        for authenticator in each() {
            let blob = authenticator.public().blob().to_vec();
            assert!(PublicKey::from_blob(&blob).is_ok());
            for length in 0..blob.len() {
                assert!(PublicKey::from_blob(&blob[..length]).is_err());
            }
            assert!(PublicKey::from_blob(&[blob.as_slice(), &[0]].concat()).is_err());
        }
    }
}
