//! ML-KEM-768 (FIPS 203), the post-quantum half of `mlkem768x25519-sha256`.

use super::SharedSecret;
use crate::crypto::random::Random;
use crate::crypto::CryptoError;

#[cfg(feature = "fast-crypto")]
use fast as chosen;
#[cfg(not(feature = "fast-crypto"))]
use portable as chosen;

/// Bytes of an encapsulation key.
pub const ENCAPSULATION_KEY_LEN: usize = 1184;
/// Bytes of a ciphertext.
pub const CIPHERTEXT_LEN: usize = 1088;
/// Bytes of the shared secret.
pub const SHARED_SECRET_LEN: usize = 32;

/// The private key of the side that begins.
pub struct DecapsulationKey {
    key: chosen::Key,
    public: Vec<u8>,
}

impl DecapsulationKey {
    /// Makes a key pair.
    ///
    /// The fast provider draws from a generator of its own, seeded by the operating system, and does
    /// not use `random`.
    pub fn generate(random: &mut dyn Random) -> Result<Self, CryptoError> {
        let key = chosen::Key::generate(random)?;
        let public = key.encapsulation_key()?;
        Ok(DecapsulationKey { key, public })
    }

    /// The encapsulation key for the peer.
    pub fn encapsulation_key(&self) -> &[u8] {
        &self.public
    }

    /// The secret in a ciphertext. Fails only when the length is wrong: a ciphertext that was
    /// tampered with gives another secret (FIPS 203 §6.3, implicit rejection).
    pub fn decapsulate(self, ciphertext: &[u8]) -> Result<SharedSecret, CryptoError> {
        if ciphertext.len() != CIPHERTEXT_LEN {
            return Err(CryptoError);
        }
        self.key.decapsulate(ciphertext)
    }
}

/// Makes a secret and the ciphertext that carries it to the holder of the encapsulation key. Fails when
/// the key's length is wrong or one of its coefficients is not reduced (FIPS 203 §7.2).
///
/// The fast provider does not use `random`, as in [`DecapsulationKey::generate`].
pub fn encapsulate(
    encapsulation_key: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, SharedSecret), CryptoError> {
    if encapsulation_key.len() != ENCAPSULATION_KEY_LEN {
        return Err(CryptoError);
    }
    chosen::encapsulate(encapsulation_key, random)
}

/// The portable provider: `ml-kem`.
#[cfg_attr(feature = "fast-crypto", allow(dead_code))]
mod portable {
    use ml_kem::kem::{Decapsulate, Encapsulate, KeyExport};
    use ml_kem::ml_kem_768;
    use zeroize::Zeroizing;

    use super::{CryptoError, Random, SharedSecret};
    use crate::crypto::random::AsRng;

    pub(super) struct Key(Box<ml_kem_768::DecapsulationKey>);

    impl Key {
        pub(super) fn generate(random: &mut dyn Random) -> Result<Self, CryptoError> {
            let mut seed = Zeroizing::new([0; 64]);
            random.fill(&mut *seed);
            let key = ml_kem_768::DecapsulationKey::from_seed((*seed).into());
            Ok(Key(Box::new(key)))
        }

        pub(super) fn encapsulation_key(&self) -> Result<Vec<u8>, CryptoError> {
            Ok(self.0.encapsulation_key().to_bytes().to_vec())
        }

        pub(super) fn decapsulate(self, ciphertext: &[u8]) -> Result<SharedSecret, CryptoError> {
            let shared = self
                .0
                .decapsulate_slice(ciphertext)
                .map_err(|_| CryptoError)?;
            Ok(SharedSecret::copy_of(&Zeroizing::new(shared)[..]))
        }
    }

    pub(super) fn encapsulate(
        encapsulation_key: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, SharedSecret), CryptoError> {
        let key = encapsulation_key.try_into().map_err(|_| CryptoError)?;
        let key = ml_kem_768::EncapsulationKey::new(key).map_err(|_| CryptoError)?;
        let (ciphertext, shared) = key.encapsulate_with_rng(&mut AsRng(random));
        let shared = SharedSecret::copy_of(&Zeroizing::new(shared)[..]);
        Ok((ciphertext.to_vec(), shared))
    }
}

/// The fast provider: aws-lc-rs.
#[cfg(feature = "fast-crypto")]
mod fast {
    use aws_lc_rs::kem::{self, ML_KEM_768};

    use super::{CryptoError, Random, SharedSecret};

    pub(super) struct Key(kem::DecapsulationKey);

    impl Key {
        pub(super) fn generate(_random: &mut dyn Random) -> Result<Self, CryptoError> {
            let key = kem::DecapsulationKey::generate(&ML_KEM_768).map_err(|_| CryptoError)?;
            Ok(Key(key))
        }

        pub(super) fn encapsulation_key(&self) -> Result<Vec<u8>, CryptoError> {
            let key = self.0.encapsulation_key().map_err(|_| CryptoError)?;
            let bytes = key.key_bytes().map_err(|_| CryptoError)?;
            Ok(bytes.as_ref().to_vec())
        }

        pub(super) fn decapsulate(self, ciphertext: &[u8]) -> Result<SharedSecret, CryptoError> {
            let shared = self
                .0
                .decapsulate(ciphertext.into())
                .map_err(|_| CryptoError)?;
            Ok(SharedSecret::copy_of(shared.as_ref()))
        }
    }

    pub(super) fn encapsulate(
        encapsulation_key: &[u8],
        _random: &mut dyn Random,
    ) -> Result<(Vec<u8>, SharedSecret), CryptoError> {
        let key =
            kem::EncapsulationKey::new(&ML_KEM_768, encapsulation_key).map_err(|_| CryptoError)?;
        let (ciphertext, shared) = key.encapsulate().map_err(|_| CryptoError)?;
        Ok((
            ciphertext.as_ref().to_vec(),
            SharedSecret::copy_of(shared.as_ref()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRandom;

    #[test]
    fn both_sides_agree() {
        let mut random = SeededRandom::new(10);
        for _ in 0..20 {
            let key = DecapsulationKey::generate(&mut random).unwrap();
            assert_eq!(key.encapsulation_key().len(), ENCAPSULATION_KEY_LEN);
            let (ciphertext, sent) = encapsulate(key.encapsulation_key(), &mut random).unwrap();
            assert_eq!(ciphertext.len(), CIPHERTEXT_LEN);
            assert_eq!(sent.as_bytes().len(), SHARED_SECRET_LEN);
            let received = key.decapsulate(&ciphertext).unwrap();
            assert_eq!(sent.as_bytes(), received.as_bytes());
        }
    }

    #[test]
    fn flipped_bits_give_another_secret() {
        let mut random = SeededRandom::new(11);
        for position in [0, 100, CIPHERTEXT_LEN - 1] {
            let key = DecapsulationKey::generate(&mut random).unwrap();
            let (mut ciphertext, sent) = encapsulate(key.encapsulation_key(), &mut random).unwrap();
            ciphertext[position] ^= 1;
            let received = key.decapsulate(&ciphertext).unwrap();
            assert_ne!(sent.as_bytes(), received.as_bytes());
        }
    }

    #[test]
    fn wrong_lengths() {
        let mut random = SeededRandom::new(12);
        for len in [0, 1, CIPHERTEXT_LEN - 1, CIPHERTEXT_LEN + 1] {
            let key = DecapsulationKey::generate(&mut random).unwrap();
            assert!(key.decapsulate(&vec![0; len]).is_err());
        }
        for len in [0, 1, ENCAPSULATION_KEY_LEN - 1, ENCAPSULATION_KEY_LEN + 1] {
            assert!(encapsulate(&vec![0; len], &mut random).is_err());
        }
    }

    /// FIPS 203 §7.2: a coefficient of q or more fails the modulus check. The first coefficient is the
    /// first 12 bits, little endian; q is 3329.
    #[test]
    fn unreduced_coefficients() {
        let mut random = SeededRandom::new(13);
        let key = DecapsulationKey::generate(&mut random).unwrap();
        for (value, fits) in [(0u16, true), (3328, true), (3329, false), (4095, false)] {
            for at in [0, 3, 1149] {
                let mut bytes = key.encapsulation_key().to_vec();
                let [low, high] = value.to_le_bytes();
                bytes[at] = low;
                bytes[at + 1] = (bytes[at + 1] & 0xf0) | high;
                let chosen = encapsulate(&bytes, &mut random);
                assert_eq!(chosen.is_ok(), fits, "{value} {at}");
                let portable = portable::encapsulate(&bytes, &mut random);
                assert_eq!(portable.is_ok(), fits, "{value} {at}");
            }
        }
    }

    #[cfg(feature = "fast-crypto")]
    #[test]
    fn providers_understand_each_other() {
        let mut random = SeededRandom::new(14);
        for _ in 0..20 {
            let key = fast::Key::generate(&mut random).unwrap();
            let public = key.encapsulation_key().unwrap();
            let (ciphertext, sent) = portable::encapsulate(&public, &mut random).unwrap();
            let received = key.decapsulate(&ciphertext).unwrap();
            assert_eq!(sent.as_bytes(), received.as_bytes());

            let key = portable::Key::generate(&mut random).unwrap();
            let public = key.encapsulation_key().unwrap();
            let (ciphertext, sent) = fast::encapsulate(&public, &mut random).unwrap();
            let received = key.decapsulate(&ciphertext).unwrap();
            assert_eq!(sent.as_bytes(), received.as_bytes());
        }
    }
}
