//! Key agreement primitives, one file per primitive.
//!
//! Every value of the peer is checked here, before it is used: length, range, and being on the curve.
//! An error where the peer's value was an argument means that the value is bad.

pub mod dh;
pub mod ecdh;
pub mod mlkem768;
mod modp_groups;
pub mod sntrup761;
pub mod x25519;

use zeroize::Zeroizing;

/// What both sides know in the end. Wiped when dropped; has no `Debug`.
///
/// Where the protocol takes it as an integer, these are its big-endian bytes, perhaps with leading
/// zeros.
#[derive(Clone)]
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn copy_of(bytes: &[u8]) -> Self {
        SharedSecret(Zeroizing::new(bytes.to_vec()))
    }
}

impl AsRef<[u8]> for SharedSecret {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}
