//! SHA-1 and SHA-2 for exchange hashes, key derivation and signatures.

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
