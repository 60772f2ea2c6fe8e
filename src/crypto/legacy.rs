//! Algorithms that only old gear needs. They are found by name like all others and stand in no default list,
//! no pattern and no announcement: somebody has to name them, or to choose the legacy preset.
//!
//! What is wrong with them: SHA-1 signatures can be forged with much effort, 1024-bit groups can be broken by states,
//! CBC with the MAC over the plain packet has a history of oracles, 64-bit blocks repeat.

use super::algorithms::name::SSH_RSA_CERT;
use super::algorithms::{
    name, CipherAlgorithm, DhGroupId, KexAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm,
};
use super::hash::HashAlgorithm;

/// Key exchange methods, the least weak first.
pub static KEXES: &[KexAlgorithm] = &[
    kex(
        name::DH_GROUP14_SHA1,
        KexMethod::DhGroup(DhGroupId::Group14),
    ),
    kex(name::DH_GEX_SHA1, KexMethod::DhGex),
    kex(name::DH_GROUP1_SHA1, KexMethod::DhGroup(DhGroupId::Group1)),
];

/// Ciphers, the least weak first.
pub static CIPHERS: &[CipherAlgorithm] = &[
    cipher(name::AES128_CBC, 16, 16),
    cipher(name::AES192_CBC, 24, 16),
    cipher(name::AES256_CBC, 32, 16),
    cipher(name::TRIPLE_DES_CBC, 24, 8),
];

/// MACs, the least weak first.
pub static MACS: &[MacAlgorithm] = &[mac(name::HMAC_SHA1_ETM, true), mac(name::HMAC_SHA1, false)];

/// Host key and signature algorithms.
pub static SIGNATURES: &[SignatureAlgorithm] = &[SignatureAlgorithm {
    name: name::SSH_RSA,
    key_type: name::SSH_RSA,
    signs_as: name::SSH_RSA,
}];

/// Whether the name, of whatever list, is one of those above.
pub fn is_legacy(name: &str) -> bool {
    KEXES.iter().any(|entry| entry.name == name)
        || CIPHERS.iter().any(|entry| entry.name == name)
        || MACS.iter().any(|entry| entry.name == name)
        || SIGNATURES.iter().any(|entry| entry.name == name)
        || name == SSH_RSA_CERT
}

const fn kex(name: &'static str, method: KexMethod) -> KexAlgorithm {
    KexAlgorithm {
        name,
        hash: HashAlgorithm::Sha1,
        method,
    }
}

/// The IV of CBC is as long as a block.
const fn cipher(name: &'static str, key_len: usize, block_len: usize) -> CipherAlgorithm {
    CipherAlgorithm {
        name,
        key_len,
        iv_len: block_len,
        block_len,
        aead: false,
    }
}

const fn mac(name: &'static str, etm: bool) -> MacAlgorithm {
    MacAlgorithm {
        name,
        hash: HashAlgorithm::Sha1,
        key_len: HashAlgorithm::Sha1.output_len(),
        tag_len: HashAlgorithm::Sha1.output_len(),
        etm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::algorithms;

    #[test]
    fn found_by_name_and_in_no_modern_table() {
        for entry in KEXES {
            assert_eq!(algorithms::kex(entry.name), Some(entry));
            assert!(!algorithms::KEXES.contains(entry));
        }
        for entry in CIPHERS {
            assert_eq!(algorithms::cipher(entry.name), Some(entry));
            assert!(!algorithms::CIPHERS.contains(entry));
        }
        for entry in MACS {
            assert_eq!(algorithms::mac(entry.name), Some(entry));
            assert!(!algorithms::MACS.contains(entry));
        }
        for entry in SIGNATURES {
            assert_eq!(algorithms::signature(entry.name), Some(entry));
            assert!(!algorithms::SIGNATURES.contains(entry));
        }
        assert!(is_legacy("ssh-rsa") && !is_legacy("rsa-sha2-512"));
    }
}
