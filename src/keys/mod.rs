//! Public and private keys, certificates, signatures over SSH data, and the formats they are stored in.
//!
//! A key is a value: cheap to clone, safe to share, wiped when the last clone goes.

pub mod allowed_signers;
pub mod certificate;
mod credential;
mod fingerprint;
pub mod formats;
mod info;
mod permissions;
mod private;
mod public;
pub mod revocation;
mod security_key;
mod shown;
pub mod signature;
pub mod sshsig;

pub use certificate::Certificate;
pub use credential::{Algorithm, Credential, ExternalSigner};
pub use fingerprint::{fingerprint, is_sshfp_of, randomart, sshfp, FingerprintHash, SshfpHash};
pub use info::{KeyFormat, KeyInfo};
pub use permissions::{Permissions, Place};
pub use private::PrivateKey;
pub use public::PublicKey;
pub use revocation::RevocationList;
#[cfg(test)]
pub(crate) use security_key::test_support::Authenticator;
pub use security_key::Attendance;
pub use shown::ShownKey;

use crate::crypto::algorithms::name;
use crate::crypto::sign::ecdsa::Curve;

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
    /// `ssh-rsa` blobs, signed with `rsa-sha2-256/512` (RFC 8332), and with `ssh-rsa` for old gear
    Rsa,
    /// `sk-ssh-ed25519@openssh.com`: in a security key, so that signatures are verified here and made elsewhere
    SkEd25519,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`, likewise
    SkEcdsaP256,
}

impl KeyKind {
    /// Every kind that a private key can be of.
    pub const ALL: [KeyKind; 5] = [
        KeyKind::Ed25519,
        KeyKind::EcdsaP256,
        KeyKind::EcdsaP384,
        KeyKind::EcdsaP521,
        KeyKind::Rsa,
    ];

    /// The kinds of keys in FIDO authenticators, of which only the public halves are seen here.
    pub const SECURITY_KEYS: [KeyKind; 2] = [KeyKind::SkEd25519, KeyKind::SkEcdsaP256];

    /// Every kind that a public key can be of.
    pub fn every() -> impl Iterator<Item = KeyKind> {
        Self::ALL.into_iter().chain(Self::SECURITY_KEYS)
    }

    /// The key type name inside the blob.
    pub fn key_type(self) -> &'static str {
        match self {
            KeyKind::Ed25519 => "ssh-ed25519",
            KeyKind::EcdsaP256 => "ecdsa-sha2-nistp256",
            KeyKind::EcdsaP384 => "ecdsa-sha2-nistp384",
            KeyKind::EcdsaP521 => "ecdsa-sha2-nistp521",
            KeyKind::Rsa => "ssh-rsa",
            KeyKind::SkEd25519 => name::SK_SSH_ED25519,
            KeyKind::SkEcdsaP256 => name::SK_ECDSA_SHA2_NISTP256,
        }
    }

    /// The key type name inside the blob of a certificate for a key of this kind (OpenSSH, PROTOCOL.certkeys).
    pub fn certificate_type(self) -> &'static str {
        match self {
            KeyKind::Ed25519 => name::SSH_ED25519_CERT,
            KeyKind::EcdsaP256 => name::ECDSA_SHA2_NISTP256_CERT,
            KeyKind::EcdsaP384 => name::ECDSA_SHA2_NISTP384_CERT,
            KeyKind::EcdsaP521 => name::ECDSA_SHA2_NISTP521_CERT,
            KeyKind::Rsa => name::SSH_RSA_CERT,
            KeyKind::SkEd25519 => name::SK_SSH_ED25519_CERT,
            KeyKind::SkEcdsaP256 => name::SK_ECDSA_SHA2_NISTP256_CERT,
        }
    }

    /// How many strings stand behind the name in the blob; an mpint is framed like a string.
    fn blob_fields(self) -> usize {
        match self {
            KeyKind::Ed25519 => 1,
            KeyKind::EcdsaP256
            | KeyKind::EcdsaP384
            | KeyKind::EcdsaP521
            | KeyKind::Rsa
            | KeyKind::SkEd25519 => 2,
            KeyKind::SkEcdsaP256 => 3,
        }
    }

    /// Whether the private half is in a FIDO authenticator.
    pub fn is_security_key(self) -> bool {
        Self::SECURITY_KEYS.contains(&self)
    }

    /// The kind of a key type name. `rsa-sha2-*` are names of signatures, not of keys (RFC 8332 §3).
    pub fn from_key_type(name: &str) -> Option<Self> {
        Self::every().find(|kind| kind.key_type() == name)
    }

    /// The kind whose keys make signatures of this name.
    pub fn from_signature_algorithm(name: &str) -> Option<Self> {
        Self::every().find(|kind| kind.signature_algorithms().contains(&name))
    }

    /// Names of the signature algorithms of this kind, strongest first. Whether the weakest, `ssh-rsa`
    /// with SHA-1, may be used is for the lists of algorithms to say, which hold it only when it was asked for.
    pub fn signature_algorithms(self) -> &'static [&'static str] {
        match self {
            KeyKind::Ed25519 => &["ssh-ed25519"],
            KeyKind::EcdsaP256 => &["ecdsa-sha2-nistp256"],
            KeyKind::EcdsaP384 => &["ecdsa-sha2-nistp384"],
            KeyKind::EcdsaP521 => &["ecdsa-sha2-nistp521"],
            KeyKind::Rsa => &["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"],
            KeyKind::SkEd25519 => &[name::SK_SSH_ED25519],
            KeyKind::SkEcdsaP256 => &[name::SK_ECDSA_SHA2_NISTP256],
        }
    }

    /// The curve of an ECDSA kind.
    pub(crate) fn curve(self) -> Option<Curve> {
        match self {
            KeyKind::EcdsaP256 => Some(Curve::P256),
            KeyKind::EcdsaP384 => Some(Curve::P384),
            KeyKind::EcdsaP521 => Some(Curve::P521),
            KeyKind::Ed25519 | KeyKind::Rsa | KeyKind::SkEd25519 | KeyKind::SkEcdsaP256 => None,
        }
    }

    /// The kind of the ECDSA keys over a curve.
    pub(crate) fn of_curve(curve: Curve) -> Self {
        match curve {
            Curve::P256 => KeyKind::EcdsaP256,
            Curve::P384 => KeyKind::EcdsaP384,
            Curve::P521 => KeyKind::EcdsaP521,
        }
    }
}

/// The curve's name in blobs, RFC 5656 §6.1.
pub(crate) fn curve_name(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "nistp256",
        Curve::P384 => "nistp384",
        Curve::P521 => "nistp521",
    }
}

/// What the tests of this module share.
#[cfg(test)]
pub(crate) mod test_support {
    use crate::crypto::random::Random;

    /// The passphrase of the encrypted fixtures.
    pub(crate) const PASSPHRASE: &[u8] = b"correct horse";

    /// The system's generator.
    pub(crate) struct TestRandom;
    impl Random for TestRandom {
        fn fill(&mut self, out: &mut [u8]) {
            getrandom::fill(out).unwrap();
        }
    }

    /// A file of `tests/fixtures/keys`.
    pub(crate) fn fixture(name: &str) -> Vec<u8> {
        let path = format!("{}/tests/fixtures/keys/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A fixture that is text.
    pub(crate) fn text(name: &str) -> String {
        String::from_utf8(fixture(name)).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_kinds_and_back() {
        for kind in KeyKind::every() {
            assert_eq!(KeyKind::from_key_type(kind.key_type()), Some(kind));
            for name in kind.signature_algorithms() {
                assert_eq!(KeyKind::from_signature_algorithm(name), Some(kind));
            }
        }
        assert_eq!(KeyKind::from_key_type("rsa-sha2-256"), None);
        assert_eq!(KeyKind::from_key_type("ssh-dss"), None);
    }
}
