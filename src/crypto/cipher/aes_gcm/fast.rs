//! The fast provider: aws-lc-rs, or what is faster on the processor at hand.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_128_GCM, AES_256_GCM};

#[cfg(target_arch = "x86_64")]
use super::vaes;
use super::{CryptoError, Depth, Direction, Gcm, OpenPacket, SealPacket, NONCE_LEN, TAG_LEN};

/// The outgoing half; the length of the key says which AES.
pub(in crate::crypto::cipher) fn sealer(
    key: &[u8],
    iv: &[u8],
) -> Result<Box<dyn SealPacket>, CryptoError> {
    #[cfg(target_arch = "x86_64")]
    if vaes::is_faster() {
        return Ok(Box::new(Direction::<vaes::Wiped>::new(key, iv)?));
    }
    Ok(Box::new(Direction::<LessSafeKey>::new(key, iv)?))
}

/// The incoming half; the length of the key says which AES.
pub(in crate::crypto::cipher) fn opener(
    key: &[u8],
    iv: &[u8],
) -> Result<Box<dyn OpenPacket>, CryptoError> {
    #[cfg(target_arch = "x86_64")]
    if vaes::is_faster() {
        return Ok(Box::new(Direction::<vaes::Wiped>::new(key, iv)?));
    }
    Ok(Box::new(Direction::<LessSafeKey>::new(key, iv)?))
}

impl Gcm for LessSafeKey {
    const DEPTH: Depth = Depth::Shallow;

    fn new(key: &[u8]) -> Result<Self, CryptoError> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            _ => &AES_256_GCM,
        };
        let key = UnboundKey::new(algorithm, key).map_err(|_| CryptoError)?;
        Ok(LessSafeKey::new(key))
    }

    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8; 4],
        body: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.seal_in_place_scatter(nonce, Aad::from(aad), body, &[], tag)
            .map_err(|_| CryptoError)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8; 4],
        body: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.open_in_place_separate_tag(nonce, Aad::from(aad), tag, body)
            .map_err(|_| CryptoError)?;
        Ok(())
    }
}
