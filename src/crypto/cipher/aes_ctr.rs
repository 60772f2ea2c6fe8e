//! AES in CTR (RFC 4344 §4). The same crates serve both providers: the other one cannot work in place here.

use ::aes::{Aes128, Aes192, Aes256};
use ctr::cipher::{KeyIvInit, StreamCipher};
use ctr::Ctr128BE;

use super::with_mac::Transform;
use super::DirectionKeys;
use crate::crypto::algorithms::CipherAlgorithm;
use crate::crypto::CryptoError;

const BLOCK_LEN: usize = 16;

/// The key stream of one direction, which runs on from packet to packet.
pub(super) enum KeyStream {
    Aes128(Ctr128BE<Aes128>),
    Aes192(Ctr128BE<Aes192>),
    Aes256(Ctr128BE<Aes256>),
}

impl KeyStream {
    pub(super) fn new(cipher: &CipherAlgorithm, keys: &DirectionKeys) -> Result<Self, CryptoError> {
        if keys.key.len() != cipher.key_len {
            return Err(CryptoError);
        }
        match cipher.key_len {
            16 => Ok(KeyStream::Aes128(keyed(keys)?)),
            24 => Ok(KeyStream::Aes192(keyed(keys)?)),
            32 => Ok(KeyStream::Aes256(keyed(keys)?)),
            _ => Err(CryptoError),
        }
    }
}

impl Transform for KeyStream {
    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn length_is_secret(&self) -> bool {
        // A bit flipped in a packet flips the same bit of the plain text: what the length check says about it
        // was known before.
        false
    }

    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            KeyStream::Aes128(stream) => stream.try_apply_keystream(bytes),
            KeyStream::Aes192(stream) => stream.try_apply_keystream(bytes),
            KeyStream::Aes256(stream) => stream.try_apply_keystream(bytes),
        }
        .map_err(|_| CryptoError)
    }
}

fn keyed<S: KeyIvInit>(keys: &DirectionKeys) -> Result<S, CryptoError> {
    S::new_from_slices(&keys.key, &keys.iv).map_err(|_| CryptoError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::algorithms;
    use crate::crypto::test_util::hex;
    use zeroize::Zeroizing;

    /// NIST SP 800-38A §F.5: CTR-AES128, CTR-AES192 and CTR-AES256, encrypted in uneven pieces.
    #[test]
    fn sp_800_38a_f5() {
        let plain = hex(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        );
        for (name, key, expected) in [
            (
                "aes128-ctr",
                "2b7e151628aed2a6abf7158809cf4f3c",
                "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff\
                 5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
            ),
            (
                "aes192-ctr",
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94\
                 1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050",
            ),
            (
                "aes256-ctr",
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5\
                 2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
            ),
        ] {
            let keys = DirectionKeys {
                iv: Zeroizing::new(hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")),
                key: Zeroizing::new(hex(key)),
                mac_key: Zeroizing::new(Vec::new()),
            };
            let mut stream = KeyStream::new(algorithms::cipher(name).unwrap(), &keys).unwrap();
            let mut bytes = plain.clone();
            let (first, second) = bytes.split_at_mut(20);
            stream.apply(first).unwrap();
            stream.apply(second).unwrap();
            assert_eq!(bytes, hex(expected), "{name}");
        }
    }
}
