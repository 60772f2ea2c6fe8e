//! SHA-1 and SHA-2 for exchange hashes, key derivation and signatures.

use std::ops::Deref;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::residue;

/// The longest digest of the SSH documents, that of SHA-512.
const MAX_DIGEST_LEN: usize = 64;

/// A hash function of the SSH documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// SHA-1, for legacy methods only.
    Sha1,
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

impl HashAlgorithm {
    /// Bytes of a digest.
    pub const fn output_len(self) -> usize {
        match self {
            HashAlgorithm::Sha1 => 20,
            HashAlgorithm::Sha256 => 32,
            HashAlgorithm::Sha384 => 48,
            HashAlgorithm::Sha512 => 64,
        }
    }

    /// Hashes the parts as if they were one string.
    pub fn digest(self, parts: &[&[u8]]) -> Digest {
        residue::after_hash(|| self.compute(parts))
    }

    fn compute(self, parts: &[&[u8]]) -> Digest {
        match self {
            HashAlgorithm::Sha1 => hash::<sha1::Sha1>(parts),
            HashAlgorithm::Sha256 => hash::<sha2::Sha256>(parts),
            HashAlgorithm::Sha384 => hash::<sha2::Sha384>(parts),
            HashAlgorithm::Sha512 => hash::<sha2::Sha512>(parts),
        }
    }
}

fn hash<H: sha2::digest::Digest>(parts: &[&[u8]]) -> Digest {
    let mut state = H::new();
    for part in parts {
        state.update(part);
    }
    let mut output = state.finalize();
    let digest = Digest::copy_of(&output);
    output.as_mut_slice().zeroize();
    digest
}

/// The output of a hash function. Wiped when dropped, for digests over the shared secret are keys
/// (RFC 4253 §7.2).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Digest {
    bytes: [u8; MAX_DIGEST_LEN],
    len: usize,
}

impl Digest {
    fn copy_of(source: &[u8]) -> Self {
        let mut bytes = [0; MAX_DIGEST_LEN];
        let mut len = 0;
        for (to, from) in bytes.iter_mut().zip(source) {
            *to = *from;
            len += 1;
        }
        Digest { bytes, len }
    }
}

impl Deref for Digest {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::residue::tests::{depth_of, wiped_after_hash};
    use crate::crypto::test_util::hex;

    #[test]
    fn none_goes_deeper_than_is_wiped_after_a_hash() {
        let text = [7; 1000];
        for algorithm in [
            HashAlgorithm::Sha1,
            HashAlgorithm::Sha256,
            HashAlgorithm::Sha384,
            HashAlgorithm::Sha512,
        ] {
            // What is asked of the processor at the first time goes its own way down.
            algorithm.compute(&[&text]);
            let (digest, depth) = depth_of(|| algorithm.compute(&[&text, &text]));
            assert_eq!(digest.len(), algorithm.output_len());
            assert!(depth <= wiped_after_hash(), "{algorithm:?}: {depth}");
        }
    }

    /// FIPS 180-4 examples: "abc".
    #[test]
    fn digests_of_abc() {
        let cases = [
            (
                HashAlgorithm::Sha1,
                "a9993e364706816aba3e25717850c26c9cd0d89d",
            ),
            (
                HashAlgorithm::Sha256,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                HashAlgorithm::Sha384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
                 8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                HashAlgorithm::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ];
        for (algorithm, expected) in cases {
            assert_eq!(&*algorithm.digest(&[b"abc"]), &hex(expected)[..]);
            assert_eq!(&*algorithm.digest(&[b"a", b"", b"bc"]), &hex(expected)[..]);
            assert_eq!(algorithm.digest(&[]).len(), algorithm.output_len());
        }
    }
}
