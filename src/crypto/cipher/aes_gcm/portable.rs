//! The portable provider: `aes-gcm`.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};

use super::{CryptoError, Depth, Direction, Gcm, OpenPacket, SealPacket, NONCE_LEN, TAG_LEN};

/// The outgoing half; the length of the key says which AES.
pub(in crate::crypto::cipher) fn sealer(
    key: &[u8],
    iv: &[u8],
) -> Result<Box<dyn SealPacket>, CryptoError> {
    Ok(match key.len() {
        16 => Box::new(Direction::<Aes128Gcm>::new(key, iv)?),
        _ => Box::new(Direction::<Aes256Gcm>::new(key, iv)?),
    })
}

/// The incoming half; the length of the key says which AES.
pub(in crate::crypto::cipher) fn opener(
    key: &[u8],
    iv: &[u8],
) -> Result<Box<dyn OpenPacket>, CryptoError> {
    Ok(match key.len() {
        16 => Box::new(Direction::<Aes128Gcm>::new(key, iv)?),
        _ => Box::new(Direction::<Aes256Gcm>::new(key, iv)?),
    })
}

macro_rules! gcm {
    ($cipher:ty) => {
        impl Gcm for $cipher {
            const DEPTH: Depth = Depth::Deep;

            fn new(key: &[u8]) -> Result<Self, CryptoError> {
                <Self as KeyInit>::new_from_slice(key).map_err(|_| CryptoError)
            }

            fn seal(
                &self,
                nonce: &[u8; NONCE_LEN],
                aad: &[u8; 4],
                body: &mut [u8],
                tag: &mut [u8; TAG_LEN],
            ) -> Result<(), CryptoError> {
                let computed = self
                    .encrypt_inout_detached(&(*nonce).into(), aad, body.into())
                    .map_err(|_| CryptoError)?;
                *tag = computed.into();
                Ok(())
            }

            fn open(
                &self,
                nonce: &[u8; NONCE_LEN],
                aad: &[u8; 4],
                body: &mut [u8],
                tag: &[u8; TAG_LEN],
            ) -> Result<(), CryptoError> {
                self.decrypt_inout_detached(&(*nonce).into(), aad, body.into(), &(*tag).into())
                    .map_err(|_| CryptoError)
            }
        }
    };
}
gcm!(Aes128Gcm);
gcm!(Aes256Gcm);
