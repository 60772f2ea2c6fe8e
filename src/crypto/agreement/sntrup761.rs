//! Streamlined NTRU Prime 761, the post-quantum half of `sntrup761x25519-sha512`. One crate serves both
//! providers.

use sntrup761::{Ciphertext, EncapsulationKey, CIPHERTEXT_SIZE, PUBLIC_KEY_SIZE};

use super::SharedSecret;
use crate::crypto::random::{AsRng, Random};
use crate::crypto::CryptoError;

/// Bytes of an encapsulation key.
pub const ENCAPSULATION_KEY_LEN: usize = PUBLIC_KEY_SIZE;
/// Bytes of a ciphertext.
pub const CIPHERTEXT_LEN: usize = CIPHERTEXT_SIZE;
/// Bytes of the shared secret.
pub const SHARED_SECRET_LEN: usize = 32;

/// The private key of the side that begins.
pub struct DecapsulationKey {
    key: Box<sntrup761::DecapsulationKey>,
    public: EncapsulationKey,
}

impl DecapsulationKey {
    /// Makes a key pair.
    pub fn generate(random: &mut dyn Random) -> Result<Self, CryptoError> {
        let (public, key) = sntrup761::generate_key(AsRng(random));
        Ok(DecapsulationKey {
            key: Box::new(key),
            public,
        })
    }

    /// The encapsulation key for the peer.
    pub fn encapsulation_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    /// The secret in a ciphertext. Fails only when the length is wrong: a ciphertext that was
    /// tampered with gives another secret (implicit rejection).
    pub fn decapsulate(self, ciphertext: &[u8]) -> Result<SharedSecret, CryptoError> {
        let ciphertext = Ciphertext::try_from(ciphertext).map_err(|_| CryptoError)?;
        let shared = self.key.decapsulate(&ciphertext);
        Ok(SharedSecret::copy_of(shared.as_ref()))
    }
}

/// Makes a secret and the ciphertext that carries it to the holder of the encapsulation key. Fails when
/// the key's length is wrong.
pub fn encapsulate(
    encapsulation_key: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, SharedSecret), CryptoError> {
    let key = EncapsulationKey::try_from(encapsulation_key).map_err(|_| CryptoError)?;
    let (ciphertext, shared) = key.encapsulate(AsRng(random));
    Ok((
        ciphertext.as_ref().to_vec(),
        SharedSecret::copy_of(shared.as_ref()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRandom;

    #[test]
    fn both_sides_agree() {
        let mut random = SeededRandom::new(10);
        for _ in 0..5 {
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

    #[test]
    fn any_bytes_of_the_right_length_are_taken_without_panic() {
        let mut random = SeededRandom::new(15);
        for fill in [0, 0x7f, 0xff] {
            let key = [fill; ENCAPSULATION_KEY_LEN];
            assert!(encapsulate(&key, &mut random).is_ok());
            let secret = DecapsulationKey::generate(&mut random).unwrap();
            assert!(secret.decapsulate(&[fill; CIPHERTEXT_LEN]).is_ok());
        }
    }
}
