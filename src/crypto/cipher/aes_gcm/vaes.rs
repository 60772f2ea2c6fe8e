//! ring, for processors that do AES on vectors of 256 bits and have none of 512: AMD's before Zen 4, Intel's for desktops and
//! laptops. aws-lc has GCM for the widest vectors only, and takes single blocks there, at half the speed.

use std::arch::is_x86_feature_detected;
use std::mem::MaybeUninit;

use ring::aead::{Aad, LessSafeKey, Nonce, Tag, UnboundKey, AES_128_GCM, AES_256_GCM};
use zeroize::Zeroize;

use super::{CryptoError, Gcm, NONCE_LEN, TAG_LEN};

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

/// A key of ring's, which does not wipe what it holds by itself. It holds nothing that has to be dropped.
pub(super) struct Wiped(MaybeUninit<LessSafeKey>);

impl Wiped {
    fn key(&self) -> &LessSafeKey {
        // SAFETY: `new` has put a key there, and nothing takes it away before `drop`.
        unsafe { self.0.assume_init_ref() }
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Gcm for Wiped {
    fn new(key: &[u8]) -> Result<Self, CryptoError> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            _ => &AES_256_GCM,
        };
        let key = UnboundKey::new(algorithm, key).map_err(|_| CryptoError)?;
        Ok(Wiped(MaybeUninit::new(LessSafeKey::new(key))))
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
            .key()
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
        self.key()
            .open_in_place_separate_tag(nonce, Aad::from(aad), Tag::from(*tag), body, 0..)
            .map_err(|_| CryptoError)?;
        Ok(())
    }
}

const _: () = assert!(!std::mem::needs_drop::<LessSafeKey>());
