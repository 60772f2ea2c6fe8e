//! Ed25519 (RFC 8032), the signatures of `ssh-ed25519` (RFC 8709).

use crate::crypto::CryptoError;

/// Bytes of a public key.
pub const PUBLIC_LEN: usize = 32;
/// Bytes of a seed, which is the private key as stored.
pub const SEED_LEN: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

#[cfg(feature = "fast-crypto")]
pub use fast::{Private, Public};
#[cfg(not(feature = "fast-crypto"))]
pub use portable::{Private, Public};

/// Pure Rust.
pub mod portable {
    use super::{CryptoError, PUBLIC_LEN, SEED_LEN, SIGNATURE_LEN};
    use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

    /// A public key that is a point of the curve and not of small order.
    #[derive(Clone)]
    pub struct Public {
        key: VerifyingKey,
    }

    impl Public {
        /// Decodes the point. Keys of small order are refused: with them one signature fits many messages.
        pub fn new(bytes: &[u8; PUBLIC_LEN]) -> Result<Self, CryptoError> {
            let key = VerifyingKey::from_bytes(bytes).map_err(|_| CryptoError)?;
            if key.is_weak() {
                return Err(CryptoError);
            }
            Ok(Public { key })
        }

        /// Whether the signature is good. S must be below the group order (RFC 8032 §5.1.7), so that a
        /// signature cannot be changed into another good one.
        pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
            self.key
                .verify_strict(message, &Signature::from_bytes(signature))
                .is_ok()
        }
    }

    /// A private key. Wiped when dropped.
    pub struct Private {
        key: SigningKey,
    }

    impl Private {
        /// The key of a seed.
        pub fn from_seed(seed: &[u8; SEED_LEN]) -> Result<Self, CryptoError> {
            Ok(Private {
                key: SigningKey::from_bytes(seed),
            })
        }

        /// The public key that belongs to it.
        pub fn public(&self) -> [u8; PUBLIC_LEN] {
            self.key.verifying_key().to_bytes()
        }

        /// Signs.
        pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_LEN], CryptoError> {
            let signature = self.key.try_sign(message).map_err(|_| CryptoError)?;
            Ok(signature.to_bytes())
        }
    }
}

/// Through aws-lc-rs.
#[cfg(feature = "fast-crypto")]
pub mod fast {
    use super::{portable, CryptoError, PUBLIC_LEN, SEED_LEN, SIGNATURE_LEN};
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, ParsedPublicKey, ED25519};

    /// A public key that is a point of the curve and not of small order.
    #[derive(Clone)]
    pub struct Public {
        key: ParsedPublicKey,
    }

    impl Public {
        /// As [`portable::Public::new`]: aws-lc does not look at the order of the point.
        pub fn new(bytes: &[u8; PUBLIC_LEN]) -> Result<Self, CryptoError> {
            portable::Public::new(bytes)?;
            let key = ParsedPublicKey::new(&ED25519, bytes).map_err(|_| CryptoError)?;
            Ok(Public { key })
        }

        /// Whether the signature is good. aws-lc refuses S at or above the group order.
        pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
            self.key.verify_sig(message, signature).is_ok()
        }
    }

    /// A private key. aws-lc wipes what it frees.
    pub struct Private {
        key: Ed25519KeyPair,
    }

    impl Private {
        /// The key of a seed.
        pub fn from_seed(seed: &[u8; SEED_LEN]) -> Result<Self, CryptoError> {
            let key = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| CryptoError)?;
            Ok(Private { key })
        }

        /// The public key that belongs to it.
        pub fn public(&self) -> [u8; PUBLIC_LEN] {
            let mut bytes = [0; PUBLIC_LEN];
            for (to, from) in bytes.iter_mut().zip(self.key.public_key().as_ref()) {
                *to = *from;
            }
            bytes
        }

        /// Signs.
        pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_LEN], CryptoError> {
            let signature = self.key.try_sign(message).map_err(|_| CryptoError)?;
            signature.as_ref().try_into().map_err(|_| CryptoError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The group order L, little endian.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let mut out = [0; N];
        for (i, byte) in out.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap();
        }
        out
    }

    #[test]
    fn vector_of_rfc_8032() {
        // RFC 8032 §7.1, TEST 2.
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature: [u8; 64] = hex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        let key = Private::from_seed(&seed).unwrap();
        assert_eq!(key.public(), public);
        assert_eq!(key.sign(&[0x72]).unwrap(), signature);
        assert!(Public::new(&public).unwrap().verify(&[0x72], &signature));
        let key = portable::Private::from_seed(&seed).unwrap();
        assert_eq!(key.public(), public);
        assert_eq!(key.sign(&[0x72]).unwrap(), signature);
        assert!(portable::Public::new(&public)
            .unwrap()
            .verify(&[0x72], &signature));
    }

    #[test]
    fn s_at_or_above_the_order_is_refused() {
        let key = Private::from_seed(&[7; 32]).unwrap();
        let mut signature = key.sign(b"message").unwrap();
        let mut carry = 0;
        for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        assert!(!Public::new(&key.public())
            .unwrap()
            .verify(b"message", &signature));
        assert!(!portable::Public::new(&key.public())
            .unwrap()
            .verify(b"message", &signature));
    }

    #[test]
    fn small_order_and_invalid_points_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        let mut not_a_point = [0; 32];
        not_a_point[0] = 2;
        for bytes in [[0; 32], identity, minus_one, not_a_point] {
            assert!(Public::new(&bytes).is_err());
            assert!(portable::Public::new(&bytes).is_err());
        }
    }

    #[cfg(feature = "fast-crypto")]
    #[test]
    fn the_providers_agree() {
        for i in 0..32u8 {
            let seed = [i; 32];
            let message = vec![i; usize::from(i) * 7];
            let slow = portable::Private::from_seed(&seed).unwrap();
            let quick = fast::Private::from_seed(&seed).unwrap();
            assert_eq!(slow.public(), quick.public());
            let signature = slow.sign(&message).unwrap();
            assert_eq!(signature, quick.sign(&message).unwrap());
            let slow = portable::Public::new(&slow.public()).unwrap();
            let quick = fast::Public::new(&quick.public()).unwrap();
            assert!(slow.verify(&message, &signature));
            assert!(quick.verify(&message, &signature));
            let mut bad = signature;
            bad[usize::from(i)] ^= 1;
            assert!(!slow.verify(&message, &bad));
            assert!(!quick.verify(&message, &bad));
        }
    }
}
