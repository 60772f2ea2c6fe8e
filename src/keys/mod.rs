//! Public and private keys, signatures over SSH data, and the formats they are stored in.
//!
//! A key is a value: cheap to clone, safe to share, wiped when the last clone goes.

pub mod formats;

use crate::crypto::random::Random;
use crate::error::{Error, KeyFault};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The kinds of key this library can make and use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `ssh-ed25519` (RFC 8709)
    Ed25519,
    /// `ecdsa-sha2-nistp256` (RFC 5656)
    EcdsaP256,
    /// `ecdsa-sha2-nistp384`
    EcdsaP384,
    /// `ecdsa-sha2-nistp521`
    EcdsaP521,
    /// `ssh-rsa` blobs, signed with `rsa-sha2-256/512` (RFC 8332)
    Rsa,
}

/// A public key: its blob and the parsed key that verifies with it.
#[derive(Clone)]
pub struct PublicKey {
    inner: Arc<PublicInner>,
}
struct PublicInner {}

/// A private key.
#[derive(Clone)]
pub struct PrivateKey {
    inner: Arc<PrivateInner>,
}
struct PrivateInner {}

impl PublicKey {
    /// Parses a public key blob (RFC 4253 §6.6), refusing trailing bytes and weak or absurd keys.
    pub fn from_blob(blob: &[u8]) -> Result<Self, Error> {
        let _ = blob;
        todo!()
    }
    /// The blob as on the wire.
    pub fn blob(&self) -> &[u8] {
        todo!()
    }
    /// The kind.
    pub fn kind(&self) -> KeyKind {
        todo!()
    }
    /// The key type name inside the blob, e.g. `ssh-rsa`.
    pub fn key_type(&self) -> &'static str {
        todo!()
    }
    /// The size in bits, as ssh-keygen shows it.
    pub fn bits(&self) -> u32 {
        todo!()
    }
    /// Names of signature algorithms this key can make, strongest first (`rsa-sha2-512`, `rsa-sha2-256` for RSA).
    pub fn signature_algorithms(&self) -> &'static [&'static str] {
        todo!()
    }
    /// Verifies a signature blob (`string algorithm || string signature`) made with exactly `algorithm`.
    /// False for everything that is not a good signature; never panics.
    pub fn verify(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let _ = (algorithm, message, signature);
        todo!()
    }
    /// `SHA256:` and the unpadded base64 of the blob's hash.
    pub fn fingerprint(&self) -> String {
        todo!()
    }
    /// `type base64 comment`, without a newline.
    pub fn to_line(&self, comment: &str) -> String {
        let _ = comment;
        todo!()
    }
    /// Parses `type base64 [comment]`.
    pub fn from_line(line: &str) -> Result<(Self, String), Error> {
        let _ = line;
        todo!()
    }
}

impl PrivateKey {
    /// Makes a new key. `bits` matters for RSA only (2048 to 16384; 0 means 3072).
    pub fn generate(kind: KeyKind, bits: u32, random: &mut dyn Random) -> Result<Self, Error> {
        let _ = (kind, bits, random);
        todo!()
    }
    /// Reads a private key, detecting OpenSSH, PKCS#1, SEC1 and PKCS#8, encrypted or not.
    pub fn load(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<Self, Error> {
        let _ = (bytes, passphrase);
        Err(KeyFault::Malformed("").into())
    }
    /// Writes the OpenSSH format, encrypted (aes256-ctr, bcrypt) when a passphrase is given.
    pub fn to_openssh(
        &self,
        passphrase: Option<&[u8]>,
        random: &mut dyn Random,
    ) -> Result<Zeroizing<String>, Error> {
        let _ = (passphrase, random);
        todo!()
    }
    /// Writes unencrypted or encrypted PKCS#8 PEM.
    pub fn to_pkcs8(
        &self,
        passphrase: Option<&[u8]>,
        random: &mut dyn Random,
    ) -> Result<Zeroizing<String>, Error> {
        let _ = (passphrase, random);
        todo!()
    }
    /// The public half.
    pub fn public(&self) -> &PublicKey {
        todo!()
    }
    /// The comment stored with the key, may be empty.
    pub fn comment(&self) -> &str {
        todo!()
    }
    /// The same key with another comment.
    pub fn with_comment(&self, comment: &str) -> Self {
        let _ = comment;
        todo!()
    }
    /// Signs `message` with the named signature algorithm; the result is a signature blob. RSA signatures are
    /// verified before they are returned, so that a faulty computation leaks nothing.
    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
        let _ = (algorithm, message);
        todo!()
    }
}
