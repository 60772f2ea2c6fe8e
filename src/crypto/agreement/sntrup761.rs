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
