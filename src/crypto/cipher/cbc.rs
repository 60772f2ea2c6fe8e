//! Block ciphers in CBC (RFC 4253 §6.3), for old gear that has nothing else. The same crates serve both providers:
//! the other one chains no packets in place.
//!
//! A peer without the keys can put any block of the stream to the front of a packet and watch what the
//! receiver makes of the length that comes out (Albrecht, Paterson and Watson, 2009). So these say that their
//! length is secret, and the opener treats a wrong length like a wrong MAC.

use ::aes::{Aes128, Aes192, Aes256};
use ::cbc::{Decryptor, Encryptor};
use ::cipher::array::Array;
use ::cipher::{BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser, KeyIvInit};
use des::TdesEde3;

use super::with_mac::Transform;
use super::DirectionKeys;
use crate::crypto::algorithms::CipherAlgorithm;
use crate::crypto::CryptoError;

/// A cipher with the block before, which each direction of a connection has one of.
pub(super) enum Chain<A128, A192, A256, Des> {
    Aes128(A128),
    Aes192(A192),
    Aes256(A256),
    TripleDes(Des),
}

/// The encrypting direction.
pub(super) type Encrypting =
    Chain<Encryptor<Aes128>, Encryptor<Aes192>, Encryptor<Aes256>, Encryptor<TdesEde3>>;
/// The decrypting direction.
pub(super) type Decrypting =
    Chain<Decryptor<Aes128>, Decryptor<Aes192>, Decryptor<Aes256>, Decryptor<TdesEde3>>;

impl<A128: KeyIvInit, A192: KeyIvInit, A256: KeyIvInit, Des: KeyIvInit>
    Chain<A128, A192, A256, Des>
{
    pub(super) fn new(cipher: &CipherAlgorithm, keys: &DirectionKeys) -> Result<Self, CryptoError> {
        match (cipher.block_len, cipher.key_len) {
            (16, 16) => keyed(keys).map(Chain::Aes128),
            (16, 24) => keyed(keys).map(Chain::Aes192),
            (16, 32) => keyed(keys).map(Chain::Aes256),
            (8, 24) => keyed(keys).map(Chain::TripleDes),
            _ => Err(CryptoError),
        }
    }
}

impl<A128, A192, A256, Des> Chain<A128, A192, A256, Des> {
    fn block(&self) -> usize {
        match self {
            Chain::Aes128(_) | Chain::Aes192(_) | Chain::Aes256(_) => 16,
            Chain::TripleDes(_) => 8,
        }
    }
}

fn keyed<C: KeyIvInit>(keys: &DirectionKeys) -> Result<C, CryptoError> {
    C::new_from_slices(&keys.key, &keys.iv).map_err(|_| CryptoError)
}

/// The bytes as whole blocks.
fn blocks<C: BlockSizeUser>(
    bytes: &mut [u8],
) -> Result<&mut [Array<u8, C::BlockSize>], CryptoError> {
    let (blocks, rest) = Array::slice_as_chunks_mut(bytes);
    if rest.is_empty() {
        Ok(blocks)
    } else {
        Err(CryptoError)
    }
}

fn encrypt<C: BlockModeEncrypt>(chain: &mut C, bytes: &mut [u8]) -> Result<(), CryptoError> {
    chain.encrypt_blocks(blocks::<C>(bytes)?);
    Ok(())
}

fn decrypt<C: BlockModeDecrypt>(chain: &mut C, bytes: &mut [u8]) -> Result<(), CryptoError> {
    chain.decrypt_blocks(blocks::<C>(bytes)?);
    Ok(())
}

impl Transform for Encrypting {
    fn block_len(&self) -> usize {
        self.block()
    }

    fn length_is_secret(&self) -> bool {
        true
    }

    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Chain::Aes128(chain) => encrypt(chain, bytes),
            Chain::Aes192(chain) => encrypt(chain, bytes),
            Chain::Aes256(chain) => encrypt(chain, bytes),
            Chain::TripleDes(chain) => encrypt(chain, bytes),
        }
    }
}

impl Transform for Decrypting {
    fn block_len(&self) -> usize {
        self.block()
    }

    fn length_is_secret(&self) -> bool {
        true
    }

    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Chain::Aes128(chain) => decrypt(chain, bytes),
            Chain::Aes192(chain) => decrypt(chain, bytes),
            Chain::Aes256(chain) => decrypt(chain, bytes),
            Chain::TripleDes(chain) => decrypt(chain, bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::algorithms;
    use crate::crypto::test_util::hex;
    use zeroize::Zeroizing;

    fn keys(key: &str, iv: &str) -> DirectionKeys {
        DirectionKeys {
            iv: Zeroizing::new(hex(iv)),
            key: Zeroizing::new(hex(key)),
            mac_key: Zeroizing::new(Vec::new()),
        }
    }

    fn check(name: &str, keys: &DirectionKeys, plain: &[u8], expected: &[u8]) {
        let cipher = algorithms::cipher(name).unwrap();
        let mut bytes = plain.to_vec();
        let cut = cipher.block_len * (plain.len() / cipher.block_len / 2);
        let (first, second) = bytes.split_at_mut(cut);
        let mut chain = Encrypting::new(cipher, keys).unwrap();
        chain.apply(first).unwrap();
        chain.apply(second).unwrap();
        assert_eq!(bytes, expected, "{name}");
        let (first, second) = bytes.split_at_mut(cipher.block_len);
        let mut chain = Decrypting::new(cipher, keys).unwrap();
        chain.apply(first).unwrap();
        chain.apply(second).unwrap();
        assert_eq!(bytes, plain, "{name}");
        assert!(chain.apply(&mut bytes[1..]).is_err());
    }

    /// NIST SP 800-38A §F.2: CBC-AES128, CBC-AES192 and CBC-AES256, in pieces as packets are.
    #[test]
    fn sp_800_38a_f2() {
        let plain = hex(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        );
        for (name, key, expected) in [
            (
                "aes128-cbc",
                "2b7e151628aed2a6abf7158809cf4f3c",
                "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
                 73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
            ),
            (
                "aes192-cbc",
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a\
                 571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd",
            ),
            (
                "aes256-cbc",
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
                 39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
            ),
        ] {
            let keys = keys(key, "000102030405060708090a0b0c0d0e0f");
            check(name, &keys, &plain, &hex(expected));
        }
    }

    /// Three keys, three blocks: made with openssl enc -des-ede3-cbc -nopad.
    #[test]
    fn triple_des() {
        let keys = keys(
            "0123456789abcdef23456789abcdef01456789abcdef0123",
            "f69f2445df4f9b17",
        );
        let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c");
        let expected = hex("2079c3d53aa763e193b79e2569ab5262516570481f25b50f");
        check("3des-cbc", &keys, &plain, &expected);
    }
}
