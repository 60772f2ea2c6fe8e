//! X25519 (RFC 7748) as RFC 8731 uses it.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::SharedSecret;
use crate::crypto::random::Random;
use crate::crypto::CryptoError;

#[cfg(feature = "fast-crypto")]
use fast as chosen;
#[cfg(not(feature = "fast-crypto"))]
use portable as chosen;

/// Bytes of a public key and of the shared secret.
pub const KEY_LEN: usize = 32;

/// A private key for one agreement.
pub struct EphemeralSecret {
    secret: chosen::Secret,
    public: [u8; KEY_LEN],
}

impl EphemeralSecret {
    /// Makes a key pair.
    pub fn generate(random: &mut dyn Random) -> Result<Self, CryptoError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        random.fill(&mut *bytes);
        let secret = chosen::Secret::new(&bytes)?;
        let public = secret.public_key()?;
        Ok(EphemeralSecret { secret, public })
    }

    /// The public key for the peer.
    pub fn public_key(&self) -> [u8; KEY_LEN] {
        self.public
    }

    /// Agrees with the peer's public key. Fails when its length is wrong, and when the result is zero,
    /// as it is for points of small order (RFC 7748 §6.1, RFC 8731 §3).
    pub fn agree(self, peer: &[u8]) -> Result<SharedSecret, CryptoError> {
        let peer: &[u8; KEY_LEN] = peer.try_into().map_err(|_| CryptoError)?;
        let shared = self.secret.agree(peer)?;
        if bool::from(shared.as_bytes().ct_eq(&[0; KEY_LEN])) {
            return Err(CryptoError);
        }
        Ok(shared)
    }
}

/// The portable provider: `x25519-dalek`.
#[cfg_attr(feature = "fast-crypto", allow(dead_code))]
mod portable {
    use x25519_dalek::{PublicKey, StaticSecret};

    use super::{CryptoError, SharedSecret, KEY_LEN};

    /// Boxed, for a move would leave a copy behind.
    pub(super) struct Secret(Box<StaticSecret>);

    impl Secret {
        pub(super) fn new(bytes: &[u8; KEY_LEN]) -> Result<Self, CryptoError> {
            Ok(Secret(Box::new(StaticSecret::from(*bytes))))
        }

        pub(super) fn public_key(&self) -> Result<[u8; KEY_LEN], CryptoError> {
            Ok(PublicKey::from(&*self.0).to_bytes())
        }

        pub(super) fn agree(self, peer: &[u8; KEY_LEN]) -> Result<SharedSecret, CryptoError> {
            let shared = self.0.diffie_hellman(&PublicKey::from(*peer));
            Ok(SharedSecret::copy_of(shared.as_bytes()))
        }
    }
}

/// The fast provider: aws-lc-rs.
#[cfg(feature = "fast-crypto")]
mod fast {
    use aws_lc_rs::agreement::{agree, PrivateKey, UnparsedPublicKey, X25519};

    use super::{CryptoError, SharedSecret, KEY_LEN};

    pub(super) struct Secret(PrivateKey);

    impl Secret {
        pub(super) fn new(bytes: &[u8; KEY_LEN]) -> Result<Self, CryptoError> {
            let key = PrivateKey::from_private_key(&X25519, bytes).map_err(|_| CryptoError)?;
            Ok(Secret(key))
        }

        pub(super) fn public_key(&self) -> Result<[u8; KEY_LEN], CryptoError> {
            let public = self.0.compute_public_key().map_err(|_| CryptoError)?;
            public.as_ref().try_into().map_err(|_| CryptoError)
        }

        pub(super) fn agree(self, peer: &[u8; KEY_LEN]) -> Result<SharedSecret, CryptoError> {
            let peer = UnparsedPublicKey::new(&X25519, peer);
            agree(&self.0, peer, CryptoError, |shared| {
                Ok(SharedSecret::copy_of(shared))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRandom;
    use crate::crypto::test_util::{hex, FixedRandom};

    fn key(digits: &str) -> [u8; KEY_LEN] {
        hex(digits).try_into().unwrap()
    }

    /// Public key and shared secret with each provider.
    fn each_provider(secret: &[u8; KEY_LEN], peer: &[u8; KEY_LEN]) -> Vec<([u8; 32], Vec<u8>)> {
        let mut results = Vec::new();
        let portable = portable::Secret::new(secret).unwrap();
        let public = portable.public_key().unwrap();
        let shared = portable.agree(peer).unwrap();
        results.push((public, shared.as_bytes().to_vec()));
        #[cfg(feature = "fast-crypto")]
        {
            let fast = fast::Secret::new(secret).unwrap();
            let public = fast.public_key().unwrap();
            let shared = fast.agree(peer).unwrap();
            results.push((public, shared.as_bytes().to_vec()));
        }
        results
    }

    /// RFC 7748 §6.1.
    #[test]
    fn rfc_7748_6_1() {
        let alice = key("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let alice_public = key("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let bob = key("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let bob_public = key("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        for (public, agreed) in each_provider(&alice, &bob_public) {
            assert_eq!((public, &agreed), (alice_public, &shared));
        }
        for (public, agreed) in each_provider(&bob, &alice_public) {
            assert_eq!((public, &agreed), (bob_public, &shared));
        }
    }

    /// The points whose multiples by a clamped scalar are zero, in canonical and other encodings.
    #[test]
    fn points_of_small_order() {
        let points = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        for point in points {
            for high_bit in [0, 0x80] {
                let mut peer = key(point);
                peer[31] |= high_bit;
                let secret = EphemeralSecret::generate(&mut SeededRandom::new(1)).unwrap();
                assert!(secret.agree(&peer).is_err(), "{point}");
                // What the check above relies on, whichever provider is chosen.
                let shared = portable::Secret::new(&[7; 32]).unwrap().agree(&peer);
                assert_eq!(shared.unwrap().as_bytes(), [0; 32]);
            }
        }
    }

    /// The high bit is ignored and values from p on are reduced (RFC 7748 §5).
    #[test]
    fn other_encodings_of_good_points() {
        let nine = key("0900000000000000000000000000000000000000000000000000000000000000");
        let mut high = nine;
        high[31] |= 0x80;
        // p + 9 = 2^255 - 10
        let unreduced = key("f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
        let expected = each_provider(&[5; 32], &nine);
        assert_eq!(each_provider(&[5; 32], &high), expected);
        assert_eq!(each_provider(&[5; 32], &unreduced), expected);
    }

    #[test]
    fn wrong_lengths() {
        for len in [0, 31, 33, 64] {
            let secret = EphemeralSecret::generate(&mut SeededRandom::new(1)).unwrap();
            assert!(secret.agree(&vec![9; len]).is_err());
        }
    }

    #[test]
    fn both_sides_and_both_providers_agree() {
        let mut random = SeededRandom::new(2);
        for _ in 0..50 {
            let mut bytes = [0; 64];
            random.fill(&mut bytes);
            let a: [u8; 32] = bytes[..32].try_into().unwrap();
            let b_secret = EphemeralSecret::generate(&mut FixedRandom(bytes[32..].to_vec()));
            let b_secret = b_secret.unwrap();
            let results = each_provider(&a, &b_secret.public_key());
            let from_b = b_secret.agree(&results[0].0).unwrap();
            for (public, shared) in &results {
                assert_eq!(public, &results[0].0);
                assert_eq!(shared, from_b.as_bytes());
            }
        }
    }
}
