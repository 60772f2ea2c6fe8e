//! Algorithm names as the RFCs spell them, and the tables that lead from a name to what it needs.

use super::hash::HashAlgorithm;

/// What a cipher name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CipherAlgorithm {
    /// The name in KEXINIT.
    pub name: &'static str,
    /// Key bytes.
    pub key_len: usize,
    /// IV bytes (0 for chacha20-poly1305).
    pub iv_len: usize,
    /// Block bytes for padding.
    pub block_len: usize,
    /// Whether the cipher authenticates by itself, so that no MAC is negotiated.
    pub aead: bool,
}

/// What a MAC name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacAlgorithm {
    /// The name in KEXINIT.
    pub name: &'static str,
    /// The hash inside HMAC.
    pub hash: HashAlgorithm,
    /// Key bytes.
    pub key_len: usize,
    /// Tag bytes on the wire.
    pub tag_len: usize,
    /// Encrypt-then-MAC (the `-etm@openssh.com` names).
    pub etm: bool,
}
