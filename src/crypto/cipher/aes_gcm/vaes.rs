//! ring, for processors that do AES on vectors of 256 bits and have none of 512: AMD's Zen 3, Intel's for desktops and laptops
//! since Alder Lake. aws-lc has GCM for the widest vectors only, and takes single blocks there, at half the speed.

use std::arch::is_x86_feature_detected;

use ring::aead::{Aad, LessSafeKey, Nonce, Tag, UnboundKey, AES_128_GCM, AES_256_GCM};

use super::{CryptoError, Depth, Gcm, NONCE_LEN, TAG_LEN};

/// Bytes of the key of AES-256.
const LONGEST_KEY: usize = 32;

/// Whether the processor is one of those.
pub(super) fn is_faster() -> bool {
    let widest = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq");
    !widest
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("vaes")
        && is_x86_feature_detected!("vpclmulqdq")
}

/// A key of ring's, which does not wipe what it holds by itself.
pub(super) struct Wiped(LessSafeKey);

impl Wiped {
    /// Puts a key of zeros into its place. One of the same algorithm takes all of it.
    fn wipe(&mut self) {
        let algorithm = self.0.algorithm();
        let zeros = [0; LONGEST_KEY];
        let zeros = zeros.get(..algorithm.key_len()).unwrap_or_default();
        if let Ok(key) = UnboundKey::new(algorithm, zeros) {
            self.0 = LessSafeKey::new(key);
        }
        // Somebody might look at it, so it is written.
        std::hint::black_box(&self.0);
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl Gcm for Wiped {
    const DEPTH: Depth = Depth::Shallow;

    fn new(key: &[u8]) -> Result<Self, CryptoError> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            _ => &AES_256_GCM,
        };
        let key = UnboundKey::new(algorithm, key).map_err(|_| CryptoError)?;
        Ok(Wiped(LessSafeKey::new(key)))
    }

    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8; 4],
        body: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let computed = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), body)
            .map_err(|_| CryptoError)?;
        tag.copy_from_slice(computed.as_ref());
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8; 4],
        body: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0
            .open_in_place_separate_tag(nonce, Aad::from(aad), Tag::from(*tag), body, 0..)
            .map_err(|_| CryptoError)?;
        Ok(())
    }
}

/// Both halves, whatever the processor has.
#[cfg(test)]
pub(in crate::crypto::cipher) fn pair(
    key: &[u8],
    iv: &[u8],
) -> (Box<dyn super::SealPacket>, Box<dyn super::OpenPacket>) {
    let half = || super::Direction::<Wiped>::new(key, iv).unwrap();
    (Box::new(half()), Box::new(half()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag_of_nothing(key: &Wiped) -> [u8; TAG_LEN] {
        let mut tag = [0; TAG_LEN];
        key.seal(&[0; NONCE_LEN], &[0; 4], &mut [], &mut tag)
            .unwrap();
        tag
    }

    #[test]
    fn a_key_is_wiped_with_all_that_was_made_of_it() {
        for length in [16, 32] {
            let mut key = Wiped::new(&vec![7; length]).unwrap();
            let zeros = Wiped::new(&vec![0; length]).unwrap();
            assert_ne!(tag_of_nothing(&key), tag_of_nothing(&zeros));
            key.wipe();
            assert_eq!(tag_of_nothing(&key), tag_of_nothing(&zeros));
        }
    }
}
