//! ECDSA over the NIST curves, the signatures of `ecdsa-sha2-nistp*` (RFC 5656).
//!
//! A signature is `r || s`, each as long as the curve's order: [`Curve::scalar_len`].

use crate::crypto::CryptoError;
use zeroize::Zeroizing;

/// The three curves that RFC 5656 §10.1 requires, each with its hash (§6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256 with SHA-256
    P256,
    /// NIST P-384 with SHA-384
    P384,
    /// NIST P-521 with SHA-512
    P521,
}

impl Curve {
    /// Bytes of a private scalar and of each half of a signature.
    pub fn scalar_len(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    /// Bytes of an uncompressed point (SEC 1 §2.3.3).
    pub fn point_len(self) -> usize {
        1 + 2 * self.scalar_len()
    }

    /// Bits of the field.
    pub fn bits(self) -> u32 {
        match self {
            Curve::P256 => 256,
            Curve::P384 => 384,
            Curve::P521 => 521,
        }
    }
}

#[cfg(feature = "fast-crypto")]
pub use fast::{Private, Public};
#[cfg(not(feature = "fast-crypto"))]
pub use portable::{Private, Public};

/// RFC 5656 §3.1 allows compressed points, and no implementation sends them: only the uncompressed form is
/// taken, so that one key has one blob.
fn check_point(curve: Curve, point: &[u8]) -> Result<(), CryptoError> {
    if point.len() == curve.point_len() && point.first() == Some(&4) {
        Ok(())
    } else {
        Err(CryptoError)
    }
}

/// Pure Rust.
pub mod portable {
    use super::{check_point, CryptoError, Curve, Zeroizing};
    use p256::ecdsa::signature::{Signer, Verifier};

    /// A public key that is a point of its curve.
    #[derive(Clone)]
    pub struct Public {
        key: PublicKey,
    }

    #[derive(Clone)]
    enum PublicKey {
        P256(p256::ecdsa::VerifyingKey),
        P384(p384::ecdsa::VerifyingKey),
        P521(p521::ecdsa::VerifyingKey),
    }

    impl Public {
        /// Decodes an uncompressed point; the point at infinity and points off the curve are refused.
        pub fn new(curve: Curve, point: &[u8]) -> Result<Self, CryptoError> {
            check_point(curve, point)?;
            let key = match curve {
                Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                    .ok()
                    .map(PublicKey::P256),
                Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
                    .ok()
                    .map(PublicKey::P384),
                Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point)
                    .ok()
                    .map(PublicKey::P521),
            };
            Ok(Public {
                key: key.ok_or(CryptoError)?,
            })
        }

        /// Whether `r || s` is a good signature; zero and anything at or above the order are refused.
        pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
            match &self.key {
                PublicKey::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
                PublicKey::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
                PublicKey::P521(key) => p521::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            }
        }
    }

    /// A private key. Wiped when dropped.
    pub struct Private {
        key: PrivateKey,
    }

    enum PrivateKey {
        P256(p256::ecdsa::SigningKey),
        P384(p384::ecdsa::SigningKey),
        P521(p521::ecdsa::SigningKey),
    }

    impl Private {
        /// The key of a scalar of exactly [`Curve::scalar_len`] bytes, from 1 to the order less one.
        pub fn from_scalar(curve: Curve, scalar: &[u8]) -> Result<Self, CryptoError> {
            let key = match curve {
                Curve::P256 => p256::ecdsa::SigningKey::from_slice(scalar)
                    .ok()
                    .map(PrivateKey::P256),
                Curve::P384 => p384::ecdsa::SigningKey::from_slice(scalar)
                    .ok()
                    .map(PrivateKey::P384),
                Curve::P521 => p521::ecdsa::SigningKey::from_slice(scalar)
                    .ok()
                    .map(PrivateKey::P521),
            };
            Ok(Private {
                key: key.ok_or(CryptoError)?,
            })
        }

        /// The public point, uncompressed.
        pub fn public(&self) -> Vec<u8> {
            match &self.key {
                PrivateKey::P256(key) => {
                    key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
                }
                PrivateKey::P384(key) => {
                    key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
                }
                PrivateKey::P521(key) => {
                    key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
                }
            }
        }

        /// Signs; the result is `r || s`. The nonce is the deterministic one of RFC 6979.
        pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            match &self.key {
                PrivateKey::P256(key) => {
                    let signature: Result<p256::ecdsa::Signature, _> = key.try_sign(message);
                    signature.map(|signature| signature.to_bytes().to_vec())
                }
                PrivateKey::P384(key) => {
                    let signature: Result<p384::ecdsa::Signature, _> = key.try_sign(message);
                    signature.map(|signature| signature.to_bytes().to_vec())
                }
                PrivateKey::P521(key) => {
                    let signature: Result<p521::ecdsa::Signature, _> = key.try_sign(message);
                    signature.map(|signature| signature.to_bytes().to_vec())
                }
            }
            .map_err(|_| CryptoError)
        }
    }

    /// A scalar padded on the left to the length of the curve's order.
    pub fn pad_scalar(curve: Curve, magnitude: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let zeros = curve
            .scalar_len()
            .checked_sub(magnitude.len())
            .ok_or(CryptoError)?;
        let mut scalar = Zeroizing::new(Vec::with_capacity(curve.scalar_len()));
        scalar.resize(zeros, 0);
        scalar.extend_from_slice(magnitude);
        Ok(scalar)
    }
}

pub use portable::pad_scalar;

/// Through aws-lc-rs.
#[cfg(feature = "fast-crypto")]
pub mod fast {
    use super::{check_point, CryptoError, Curve};
    use aws_lc_rs::agreement;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair, ParsedPublicKey, VerificationAlgorithm,
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
        ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING,
    };

    fn verification(curve: Curve) -> &'static dyn VerificationAlgorithm {
        match curve {
            Curve::P256 => &ECDSA_P256_SHA256_FIXED,
            Curve::P384 => &ECDSA_P384_SHA384_FIXED,
            Curve::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }

    fn signing(curve: Curve) -> &'static EcdsaSigningAlgorithm {
        match curve {
            Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            Curve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }

    fn point(curve: Curve) -> &'static agreement::Algorithm {
        match curve {
            Curve::P256 => &agreement::ECDH_P256,
            Curve::P384 => &agreement::ECDH_P384,
            Curve::P521 => &agreement::ECDH_P521,
        }
    }

    /// A public key that is a point of its curve.
    #[derive(Clone)]
    pub struct Public {
        curve: Curve,
        key: ParsedPublicKey,
    }

    impl Public {
        /// Decodes an uncompressed point; the point at infinity and points off the curve are refused.
        pub fn new(curve: Curve, point: &[u8]) -> Result<Self, CryptoError> {
            check_point(curve, point)?;
            let key = ParsedPublicKey::new(verification(curve), point).map_err(|_| CryptoError)?;
            Ok(Public { curve, key })
        }

        /// Whether `r || s` is a good signature; zero and anything at or above the order are refused.
        pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
            signature.len() == 2 * self.curve.scalar_len()
                && self.key.verify_sig(message, signature).is_ok()
        }
    }

    /// A private key. aws-lc wipes what it frees.
    pub struct Private {
        key: EcdsaKeyPair,
    }

    impl Private {
        /// The key of a scalar of exactly [`Curve::scalar_len`] bytes, from 1 to the order less one.
        pub fn from_scalar(curve: Curve, scalar: &[u8]) -> Result<Self, CryptoError> {
            // A key for signing is only made from both halves, one for agreement computes the point. The portable
            // curves, which could do it as well, would be half a megabyte in the library for this alone.
            let public = agreement::PrivateKey::from_private_key(point(curve), scalar)
                .map_err(|_| CryptoError)?
                .compute_public_key()
                .map_err(|_| CryptoError)?;
            let key = EcdsaKeyPair::from_private_key_and_public_key(
                signing(curve),
                scalar,
                public.as_ref(),
            )
            .map_err(|_| CryptoError)?;
            Ok(Private { key })
        }

        /// The public point, uncompressed.
        pub fn public(&self) -> Vec<u8> {
            self.key.public_key().as_ref().to_vec()
        }

        /// Signs; the result is `r || s`.
        pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            let signature = self
                .key
                .sign(&SystemRandom::new(), message)
                .map_err(|_| CryptoError)?;
            Ok(signature.as_ref().to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVES: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

    fn scalar(curve: Curve, fill: u8) -> Vec<u8> {
        let mut scalar = vec![fill; curve.scalar_len()];
        scalar[0] = 0;
        scalar
    }

    fn order(curve: Curve) -> Vec<u8> {
        // The order of each curve, FIPS 186-4 appendix D.1.2.
        let text = match curve {
            Curve::P256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
            Curve::P384 => {
                "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf\
                 581a0db248b0a77aecec196accc52973"
            }
            Curve::P521 => {
                "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa\
                 51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
            }
        };
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn sign_and_verify() {
        for curve in CURVES {
            let key = Private::from_scalar(curve, &scalar(curve, 0x5a)).unwrap();
            let public = Public::new(curve, &key.public()).unwrap();
            let signature = key.sign(b"message").unwrap();
            assert_eq!(signature.len(), 2 * curve.scalar_len());
            assert!(public.verify(b"message", &signature));
            assert!(!public.verify(b"massage", &signature));
        }
    }

    #[test]
    fn r_and_s_of_zero_or_at_the_order_are_refused() {
        for curve in CURVES {
            let key = Private::from_scalar(curve, &scalar(curve, 0x11)).unwrap();
            let good = key.sign(b"message").unwrap();
            let length = curve.scalar_len();
            let publics = (
                Public::new(curve, &key.public()).unwrap(),
                portable::Public::new(curve, &key.public()).unwrap(),
            );
            for replacement in [vec![0; length], order(curve), vec![0xff; length]] {
                for half in [0, length] {
                    let mut bad = good.clone();
                    bad[half..half + length].copy_from_slice(&replacement);
                    assert!(!publics.0.verify(b"message", &bad));
                    assert!(!publics.1.verify(b"message", &bad));
                }
            }
            for bad in [&good[1..], &good[..0]] {
                assert!(!publics.0.verify(b"message", bad));
                assert!(!publics.1.verify(b"message", bad));
            }
        }
    }

    #[test]
    fn bad_points_and_scalars_are_refused() {
        for curve in CURVES {
            let good = Private::from_scalar(curve, &scalar(curve, 3))
                .unwrap()
                .public();
            let mut off_curve = good.clone();
            *off_curve.last_mut().unwrap() ^= 1;
            let mut compressed = good[..1 + curve.scalar_len()].to_vec();
            compressed[0] = 2;
            let mut hybrid = good.clone();
            hybrid[0] = 6;
            for bad in [&off_curve[..], &compressed, &hybrid, &[0], &[], &good[1..]] {
                assert!(Public::new(curve, bad).is_err());
                assert!(portable::Public::new(curve, bad).is_err());
            }
            for bad in [vec![0; curve.scalar_len()], order(curve), vec![1]] {
                assert!(Private::from_scalar(curve, &bad).is_err());
                assert!(portable::Private::from_scalar(curve, &bad).is_err());
            }
        }
    }

    #[test]
    fn scalars_are_padded_and_never_cut() {
        assert_eq!(pad_scalar(Curve::P256, &[1]).unwrap().len(), 32);
        assert!(pad_scalar(Curve::P256, &[1; 33]).is_err());
    }

    #[cfg(feature = "fast-crypto")]
    #[test]
    fn the_providers_agree() {
        for curve in CURVES {
            for fill in [1, 0x7f, 0xee] {
                let slow = portable::Private::from_scalar(curve, &scalar(curve, fill)).unwrap();
                let quick = fast::Private::from_scalar(curve, &scalar(curve, fill)).unwrap();
                assert_eq!(slow.public(), quick.public());
                let slow_public = portable::Public::new(curve, &slow.public()).unwrap();
                let quick_public = fast::Public::new(curve, &slow.public()).unwrap();
                for signature in [slow.sign(b"m").unwrap(), quick.sign(b"m").unwrap()] {
                    assert!(slow_public.verify(b"m", &signature));
                    assert!(quick_public.verify(b"m", &signature));
                    let mut bad = signature.clone();
                    *bad.last_mut().unwrap() ^= 1;
                    assert!(!slow_public.verify(b"m", &bad));
                    assert!(!quick_public.verify(b"m", &bad));
                }
            }
        }
    }
}
