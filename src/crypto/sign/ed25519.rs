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

/// A private key twice, each in memory of its own, so that a faulty computation gives nothing away.
///
/// Two signatures of one message that differ tell the key, for the nonce is the same in both; one with a wrong nonce may. The second
/// key makes the signature again, from its own copy of the numbers: what came of a fault in a computation, or in one of the two
/// keys for good, is not the same. To verify with the public key would take four times as long, and passes a signature with a
/// wrong nonce. What this does not notice: `docs/internals/keys.md`, "Before a signature leaves".
pub struct Twins {
    first: Private,
    second: Private,
}

impl Twins {
    /// The key of a seed, read twice.
    pub fn from_seed(seed: &[u8; SEED_LEN]) -> Result<Self, CryptoError> {
        Self::of(Private::from_seed(seed)?, Private::from_seed(seed)?)
    }

    fn of(first: Private, second: Private) -> Result<Self, CryptoError> {
        if first.public() != second.public() {
            return Err(CryptoError);
        }
        Ok(Twins { first, second })
    }

    /// The public key that belongs to them.
    pub fn public(&self) -> [u8; PUBLIC_LEN] {
        self.first.public()
    }

    /// Signs with the first. Nobody may see it before it is [confirmed](Self::confirm).
    pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_LEN], CryptoError> {
        self.first.sign(message)
    }

    /// Whether the second makes the same signature.
    pub fn confirm(&self, message: &[u8], signature: &[u8]) -> bool {
        self.second
            .sign(message)
            .is_ok_and(|again| again == signature)
    }
}

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
    use super::{CryptoError, PUBLIC_LEN, SEED_LEN, SIGNATURE_LEN};
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, ParsedPublicKey, ED25519};

    /// y of the points of small order, little endian: 0, 1 and -1, again 0 and 1 with p = 2^255 - 19 added (more than that
    /// does not fit beside the sign of x), and the two of order 8.
    const SMALL_ORDER: [[u8; PUBLIC_LEN]; 7] = [
        filled(0, 0, 0),
        filled(1, 0, 0),
        filled(0xec, 0xff, 0x7f),
        filled(0xed, 0xff, 0x7f),
        filled(0xee, 0xff, 0x7f),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];

    const fn filled(first: u8, middle: u8, last: u8) -> [u8; PUBLIC_LEN] {
        let mut bytes = [middle; PUBLIC_LEN];
        let [lowest, .., highest] = &mut bytes;
        *lowest = first;
        *highest = last;
        bytes
    }

    fn is_of_small_order(bytes: &[u8; PUBLIC_LEN]) -> bool {
        let mut y = *bytes;
        let [.., highest] = &mut y;
        *highest &= 0x7f;
        SMALL_ORDER.contains(&y)
    }

    /// A public key that is not of small order.
    #[derive(Clone)]
    pub struct Public {
        key: ParsedPublicKey,
    }

    impl Public {
        /// Keys of small order are refused, as [`portable`](super::portable::Public::new) does, but by their names: to decode the point
        /// takes 5 µs, a part of each handshake. Whether it is one at all aws-lc finds out when it verifies.
        pub fn new(bytes: &[u8; PUBLIC_LEN]) -> Result<Self, CryptoError> {
            if is_of_small_order(bytes) {
                return Err(CryptoError);
            }
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
    use curve25519_dalek::edwards::CompressedEdwardsY;
    use curve25519_dalek::scalar::Scalar;

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
    fn twins_confirm_what_both_sign() {
        let twins = Twins::from_seed(&[7; SEED_LEN]).unwrap();
        let signature = twins.sign(b"message").unwrap();
        assert!(twins.confirm(b"message", &signature));
        assert!(!twins.confirm(b"massage", &signature));
        assert!(!twins.confirm(b"message", &signature[..63]));
        assert!(!twins.confirm(b"message", &[]));
        for bit in 0..8 * SIGNATURE_LEN {
            let mut faulty = signature;
            faulty[bit / 8] ^= 1 << (bit % 8);
            assert!(!twins.confirm(b"message", &faulty), "bit {bit}");
        }
    }

    #[test]
    fn twins_that_differ_confirm_nothing() {
        let key = |byte| Private::from_seed(&[byte; SEED_LEN]).unwrap();
        assert!(Twins::of(key(7), key(8)).is_err());
        // A fault that came after they were made, in either.
        for (first, second) in [(7, 8), (8, 7)] {
            let (first, second) = (key(first), key(second));
            let twins = Twins { first, second };
            let signature = twins.sign(b"message").unwrap();
            assert!(!twins.confirm(b"message", &signature));
        }
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

    /// All points of small order: multiples of one of order 8, whose x has either sign.
    fn points_of_small_order() -> Vec<[u8; PUBLIC_LEN]> {
        let generator: [u8; 32] =
            hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
        let generator = CompressedEdwardsY(generator).decompress().unwrap();
        (0..8_u8)
            .map(|n| (generator * Scalar::from(n)).compress().to_bytes())
            .collect()
    }

    #[test]
    fn points_of_small_order_are_refused() {
        let points = points_of_small_order();
        let mut different = points.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), 8);
        // -1 with a sign, and 0 and 1 in another way.
        let mut others = Vec::new();
        for first in [0xec, 0xed, 0xee] {
            for last in [0x7f, 0xff] {
                let mut bytes = [0xff; PUBLIC_LEN];
                bytes[0] = first;
                bytes[31] = last;
                others.push(bytes);
            }
        }
        let mut one = [0; PUBLIC_LEN];
        one[0] = 1;
        one[31] = 0x80;
        others.push(one);
        for bytes in points.into_iter().chain(others) {
            assert!(Public::new(&bytes).is_err(), "{bytes:x?}");
            assert!(portable::Public::new(&bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_no_point_verifies_nothing() {
        let mut bytes = [0; PUBLIC_LEN];
        bytes[0] = 2;
        assert!(CompressedEdwardsY(bytes).decompress().is_none());
        assert!(portable::Public::new(&bytes).is_err());
        let read = Public::new(&bytes);
        assert_eq!(read.is_ok(), cfg!(feature = "fast-crypto"));
        // Good for a key that is taken for the neutral element: S = 0 and R that element.
        let mut neutral = [0; SIGNATURE_LEN];
        neutral[0] = 1;
        let other = Private::from_seed(&[7; SEED_LEN]).unwrap();
        for signature in [neutral, other.sign(b"message").unwrap()] {
            let verifies = |key: &Public| key.verify(b"message", &signature);
            assert!(!read.as_ref().is_ok_and(verifies));
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
