//! Ciphers, MACs, hashes, key agreement and signatures, and the tables that find them by name.
//!
//! There is one seam, the provider. The *portable* provider is pure Rust and complete; the *fast* one
//! (feature `fast-crypto`, on by default) puts aws-lc-rs in the places where it wins and where a private
//! RSA key is used. Nothing above this module knows which is in use.

pub mod agreement;
pub mod algorithms;
pub mod cipher;
pub mod hash;
pub mod legacy;
pub mod preferences;
pub mod random;
pub(crate) mod residue;
pub mod sign;

#[cfg(test)]
pub(crate) mod test_util;

/// A primitive refused its input. Deliberately without detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cryptographic operation failed")]
pub struct CryptoError;
