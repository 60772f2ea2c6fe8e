//! Private keys: making them, signing with them, and the numbers that the formats store.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::formats;
use super::public::rsa_hash;
use super::signature::{ecdsa_to_wire, SignatureBlob};
use super::{Certificate, ExternalSigner, KeyKind, PublicKey, ShownKey};
use crate::crypto::random::Random;
use crate::crypto::residue;
use crate::crypto::sign::{ecdsa, ed25519, rsa};
use crate::error::{Error, KeyFault};

/// Why a key cannot be written.
pub(super) const ELSEWHERE: &str = "its private numbers are where its signatures are made";
/// RSA bits where the caller has no wish.
const DEFAULT_RSA_BITS: u32 = 3072;

/// A private key.
#[derive(Clone)]
pub struct PrivateKey {
    inner: Arc<PrivateInner>,
    comment: Arc<str>,
    certificate: Option<Certificate>,
    #[cfg(test)]
    faulty: bool,
}

struct PrivateInner {
    public: PublicKey,
    secret: Secret,
    signer: Signer,
}

/// What the formats store.
pub(super) enum Secret {
    /// The seed of RFC 8032
    Ed25519(Zeroizing<[u8; ed25519::SEED_LEN]>),
    /// The scalar, as long as the curve's order
    Ecdsa(ecdsa::Curve, Zeroizing<Vec<u8>>),
    /// The numbers of RFC 8017
    Rsa(Box<rsa::Components>),
    /// Nothing: the numbers are where the signatures are made
    Elsewhere,
}

enum Signer {
    Ed25519(ed25519::Twins),
    Ecdsa(ecdsa::Curve, ecdsa::Private),
    Rsa(rsa::Private),
    Elsewhere(Arc<dyn ExternalSigner>),
}

impl PrivateKey {
    /// Makes a new key. `bits` matters for RSA only (2048 to 16384; 0 means 3072). In the fast build RSA keys
    /// are limited to 8192 bits, as [`load`](Self::load) says.
    pub fn generate(kind: KeyKind, bits: u32, random: &mut dyn Random) -> Result<Self, Error> {
        if kind.is_security_key() {
            return Err(
                KeyFault::Unsupported(format!("making a key of type {}", kind.key_type())).into(),
            );
        }
        residue::after_keys(|| Self::generate_kind(kind, bits, random))
    }

    fn generate_kind(kind: KeyKind, bits: u32, random: &mut dyn Random) -> Result<Self, Error> {
        match kind.curve() {
            Some(curve) => Self::generate_ecdsa(curve, random),
            None if kind == KeyKind::Rsa => {
                let bits = if bits == 0 { DEFAULT_RSA_BITS } else { bits };
                if !(rsa::MIN_BITS..=rsa::MAX_PRIVATE_BITS).contains(&bits) {
                    return Err(KeyFault::Unsupported(format!("RSA key of {bits} bits")).into());
                }
                let components = rsa::Components::generate(bits, random)
                    .map_err(|_| Error::Resource("RSA key generation failed"))?;
                Self::from_rsa(components)
            }
            None => {
                let mut seed = Zeroizing::new([0; ed25519::SEED_LEN]);
                random.fill(seed.as_mut_slice());
                Self::from_ed25519(seed)
            }
        }
    }

    fn generate_ecdsa(curve: ecdsa::Curve, random: &mut dyn Random) -> Result<Self, Error> {
        let mut scalar = Zeroizing::new(vec![0; curve.scalar_len()]);
        // FIPS 186-5 §A.2.2, rejection sampling. A draw fails less than once in 2^32 for these curves, once
        // the unused bits of P-521 are cleared.
        for _ in 0..16 {
            random.fill(&mut scalar);
            if curve == ecdsa::Curve::P521 {
                if let Some(first) = scalar.first_mut() {
                    *first &= 1;
                }
            }
            if let Ok(key) = Self::from_ecdsa(curve, scalar.clone()) {
                return Ok(key);
            }
        }
        Err(Error::Resource("the random generator does not work"))
    }

    /// The key of an Ed25519 seed.
    pub(super) fn from_ed25519(seed: Zeroizing<[u8; ed25519::SEED_LEN]>) -> Result<Self, Error> {
        let signer = ed25519::Twins::from_seed(&seed)
            .map_err(|_| KeyFault::Malformed("bad Ed25519 seed"))?;
        let public = PublicKey::ed25519(&signer.public())?;
        Ok(Self::assemble(
            public,
            Secret::Ed25519(seed),
            Signer::Ed25519(signer),
        ))
    }

    /// The key of a scalar, big endian, at most as long as the curve's order.
    pub(super) fn from_ecdsa(
        curve: ecdsa::Curve,
        magnitude: Zeroizing<Vec<u8>>,
    ) -> Result<Self, Error> {
        const FAULT: KeyFault = KeyFault::Malformed("ECDSA scalar out of bounds");
        let scalar = ecdsa::pad_scalar(curve, &magnitude).map_err(|_| FAULT)?;
        let signer = ecdsa::Private::from_scalar(curve, &scalar).map_err(|_| FAULT)?;
        let public = PublicKey::ecdsa(curve, &signer.public())?;
        Ok(Self::assemble(
            public,
            Secret::Ecdsa(curve, scalar),
            Signer::Ecdsa(curve, signer),
        ))
    }

    /// The key of numbers from a file. The CRT values are computed anew, for wrong ones would make wrong
    /// signatures.
    pub(super) fn from_rsa_numbers(
        n: &[u8],
        e: &[u8],
        d: &[u8],
        p: &[u8],
        q: &[u8],
    ) -> Result<Self, Error> {
        // Bounds first: arithmetic on absurd numbers takes long.
        PublicKey::rsa(n, e)?;
        let bits = rsa::bit_len(n);
        if bits > rsa::MAX_PRIVATE_BITS {
            return Err(KeyFault::Unsupported(format!("RSA private key of {bits} bits")).into());
        }
        let components = rsa::Components::new(n, e, d, p, q)
            .map_err(|_| KeyFault::Malformed("RSA numbers do not fit together"))?;
        Self::from_rsa(components)
    }

    fn from_rsa(components: rsa::Components) -> Result<Self, Error> {
        let public = PublicKey::rsa(&components.n, &components.e)?;
        let signer = rsa::Private::new(&components)
            .map_err(|_| KeyFault::Malformed("RSA numbers do not fit together"))?;
        Ok(Self::assemble(
            public,
            Secret::Rsa(Box::new(components)),
            Signer::Rsa(signer),
        ))
    }

    /// A key whose numbers are somewhere else, where its signatures are made. It is used like any other, but cannot be
    /// written.
    pub fn external(public: PublicKey, signer: Arc<dyn ExternalSigner>) -> Self {
        Self::assemble(public, Secret::Elsewhere, Signer::Elsewhere(signer))
    }

    /// Whether a signature may take long, and must not be made where others would wait.
    pub fn signs_elsewhere(&self) -> bool {
        matches!(self.inner.signer, Signer::Elsewhere(_))
    }

    fn assemble(public: PublicKey, secret: Secret, signer: Signer) -> Self {
        PrivateKey {
            inner: Arc::new(PrivateInner {
                public,
                secret,
                signer,
            }),
            comment: "".into(),
            certificate: None,
            #[cfg(test)]
            faulty: false,
        }
    }

    /// Reads a private key, detecting OpenSSH, PKCS#1, SEC1, PKCS#8 and PuTTY's formats, encrypted or not.
    ///
    /// An empty passphrase counts as none. In the fast build, where private RSA keys are used through
    /// aws-lc-rs alone, those above 8192 bits are unsupported.
    pub fn load(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<Self, Error> {
        residue::after_keys(|| formats::load(bytes, passphrase))
    }

    /// Reads a private key as [`load`](Self::load) does, and asks for its passphrase when it has one: at most three
    /// times, with the number of the try. Nothing, or an empty passphrase, means that there is none to be had.
    pub fn load_asking(
        bytes: &[u8],
        ask: &mut dyn FnMut(u32) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Self, Error> {
        residue::after_keys(|| formats::load_asking(bytes, ask))
    }

    /// Writes the OpenSSH format, encrypted (aes256-ctr, bcrypt) when a passphrase is given.
    pub fn to_openssh(
        &self,
        passphrase: Option<&[u8]>,
        random: &mut dyn Random,
    ) -> Result<Zeroizing<String>, Error> {
        residue::after_keys(|| formats::openssh::write(self, passphrase, random))
    }

    /// Writes unencrypted or encrypted PKCS#8 PEM.
    pub fn to_pkcs8(
        &self,
        passphrase: Option<&[u8]>,
        random: &mut dyn Random,
    ) -> Result<Zeroizing<String>, Error> {
        residue::after_keys(|| formats::pkcs8::write(self, passphrase, random))
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.inner.public
    }

    /// The kind.
    pub fn kind(&self) -> KeyKind {
        self.inner.public.kind()
    }

    /// The comment stored with the key, may be empty.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// The same key with another comment.
    pub fn with_comment(&self, comment: &str) -> Self {
        PrivateKey {
            comment: comment.into(),
            ..self.clone()
        }
    }

    /// The certificate that the key is shown in, where there is one.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// The same key, shown in a certificate from now on.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] when the certificate is about another key.
    pub fn with_certificate(&self, certificate: Certificate) -> Result<Self, Error> {
        if certificate.key() != self.public() {
            return Err(Error::ApiMisuse("the certificate is about another key"));
        }
        Ok(PrivateKey {
            certificate: Some(certificate),
            ..self.clone()
        })
    }

    /// The public half as peers are shown it.
    pub fn shown(&self) -> ShownKey {
        ShownKey {
            key: self.public().clone(),
            certificate: self.certificate.clone(),
        }
    }

    /// The numbers, for the formats.
    pub(super) fn secret(&self) -> &Secret {
        &self.inner.secret
    }

    /// The same key, but each signature it makes has one bit flipped before it is checked, as a faulty
    /// processor would do.
    #[cfg(test)]
    pub(crate) fn with_fault(&self) -> Self {
        PrivateKey {
            faulty: true,
            ..self.clone()
        }
    }

    /// Signs `message` with the named signature algorithm; the result is a signature blob.
    ///
    /// Each signature is checked before it is returned, so that a faulty computation leaks nothing: one bad
    /// RSA signature made by CRT gives the primes away, and a deterministic Ed25519 or ECDSA nonce under a
    /// fault gives the key away. Those of RSA, ECDSA and [external](Self::external) keys are verified; those of Ed25519
    /// are made again by a [second copy](ed25519::Twins) of the key.
    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
        let blob = self.make(algorithm, message)?;
        match &self.inner.signer {
            Signer::Ed25519(_) => Ok(blob),
            _ => self.verified(algorithm, message, blob),
        }
    }

    /// Signs what may be signed again, elsewhere: the signature is verified, too, whatever the kind of key.
    pub fn sign_and_verify(&self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
        let blob = self.make(algorithm, message)?;
        self.verified(algorithm, message, blob)
    }

    /// A signature blob that nobody has verified.
    fn make(&self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
        if !self.public().signature_algorithms().contains(&algorithm) {
            return Err(KeyFault::Unsupported(format!(
                "signature algorithm {} with a key of type {}",
                crate::codec::printable(algorithm.as_bytes(), 64),
                self.public().key_type()
            ))
            .into());
        }
        if let Signer::Elsewhere(signer) = &self.inner.signer {
            return signer.sign(algorithm, message);
        }
        let signature = residue::after_keys(|| self.sign_raw(algorithm, message));
        let signature = signature.ok_or(KeyFault::Signing)?;
        let blob = SignatureBlob {
            algorithm,
            signature: &signature,
        };
        Ok(blob.encode())
    }

    fn verified(&self, algorithm: &str, message: &[u8], blob: Vec<u8>) -> Result<Vec<u8>, Error> {
        if !self.public().verify(algorithm, message, &blob) {
            return Err(KeyFault::Signing.into());
        }
        Ok(blob)
    }

    /// The signature itself; nothing where that does not work, or a second copy of the key makes another one.
    fn sign_raw(&self, algorithm: &str, message: &[u8]) -> Option<Vec<u8>> {
        let signature = match &self.inner.signer {
            Signer::Ed25519(twins) => twins.sign(message).ok()?.to_vec(),
            Signer::Ecdsa(curve, key) => ecdsa_to_wire(*curve, &key.sign(message).ok()?)?,
            Signer::Rsa(key) => key.sign(rsa_hash(algorithm)?, message).ok()?,
            Signer::Elsewhere(_) => return None,
        };
        // Before it is confirmed, for what comes of a fault there must be noticed.
        #[cfg(test)]
        let signature = self.flip(signature);
        match &self.inner.signer {
            Signer::Ed25519(twins) if !twins.confirm(message, &signature) => None,
            _ => Some(signature),
        }
    }

    #[cfg(test)]
    fn flip(&self, mut signature: Vec<u8>) -> Vec<u8> {
        if let Some(byte) = signature.last_mut().filter(|_| self.faulty) {
            *byte ^= 1;
        }
        signature
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::TestRandom;

    fn each_kind() -> impl Iterator<Item = PrivateKey> {
        KeyKind::ALL
            .into_iter()
            .map(|kind| PrivateKey::generate(kind, 2048, &mut TestRandom).unwrap())
    }

    #[test]
    fn generated_keys_sign() {
        for key in each_kind() {
            for algorithm in key.public().signature_algorithms() {
                let signature = key.sign(algorithm, b"message").unwrap();
                assert!(key.public().verify(algorithm, b"message", &signature));
                assert!(!key.public().verify(algorithm, b"massage", &signature));
                let parts = SignatureBlob::decode(&signature).unwrap();
                assert_eq!(parts.algorithm, *algorithm);
            }
        }
    }

    #[test]
    fn k15_a_faulty_signature_is_not_returned() {
        for key in each_kind() {
            let faulty = key.with_fault();
            for algorithm in key.public().signature_algorithms() {
                assert_eq!(
                    faulty.sign(algorithm, b"message"),
                    Err(KeyFault::Signing.into())
                );
                assert!(key.sign(algorithm, b"message").is_ok());
            }
        }
    }

    #[test]
    fn what_may_be_signed_again_is_verified_whatever_the_key() {
        let seed = |byte| Zeroizing::new([byte; ed25519::SEED_LEN]);
        // Both copies compute alike, and not what the public key says.
        let key = PrivateKey::assemble(
            PrivateKey::from_ed25519(seed(1)).unwrap().public().clone(),
            Secret::Ed25519(seed(1)),
            Signer::Ed25519(ed25519::Twins::from_seed(&seed(2)).unwrap()),
        );
        assert!(key.sign("ssh-ed25519", b"message").is_ok());
        assert_eq!(
            key.sign_and_verify("ssh-ed25519", b"message"),
            Err(KeyFault::Signing.into())
        );
        assert!(crate::keys::sshsig::sign(
            &key,
            "file",
            crate::keys::sshsig::Hash::Sha512,
            b"message"
        )
        .is_err());
        for key in each_kind() {
            let algorithm = key.public().signature_algorithms()[0];
            assert!(key.sign_and_verify(algorithm, b"message").is_ok());
            let faulty = key.with_fault().sign_and_verify(algorithm, b"message");
            assert_eq!(faulty, Err(KeyFault::Signing.into()));
        }
    }

    #[test]
    fn only_algorithms_of_the_kind_are_signed_with() {
        for key in each_kind() {
            for algorithm in ["ssh-dss", "ssh-dss", "", "SSH-ED25519"] {
                assert!(matches!(
                    key.sign(algorithm, b"message"),
                    Err(Error::Key(KeyFault::Unsupported(_)))
                ));
            }
        }
    }

    #[test]
    fn sizes_of_generated_rsa_keys() {
        let make = |bits| PrivateKey::generate(KeyKind::Rsa, bits, &mut TestRandom);
        assert_eq!(make(0).unwrap().public().bits(), 3072);
        assert_eq!(make(2056).unwrap().public().bits(), 2056);
        for bits in [1, 1024, 2047, 16385, u32::MAX] {
            assert!(matches!(
                make(bits),
                Err(Error::Key(KeyFault::Unsupported(_)))
            ));
        }
    }

    #[test]
    fn a_broken_generator_ends_with_an_error() {
        struct Zeros;
        impl Random for Zeros {
            fn fill(&mut self, out: &mut [u8]) {
                out.fill(0);
            }
        }
        assert!(matches!(
            PrivateKey::generate(KeyKind::EcdsaP256, 0, &mut Zeros),
            Err(Error::Resource(_))
        ));
    }

    #[test]
    fn keys_may_be_shared_between_threads() {
        fn shared<T: Send + Sync + Clone + 'static>() {}
        shared::<PrivateKey>();
        shared::<PublicKey>();
    }

    #[test]
    fn clones_share_the_key_and_not_the_comment() {
        let key = PrivateKey::generate(KeyKind::Ed25519, 0, &mut TestRandom).unwrap();
        assert_eq!(key.comment(), "");
        let named = key.with_comment("name");
        assert_eq!(named.comment(), "name");
        assert_eq!(key.comment(), "");
        assert_eq!(named.public(), key.public());
        assert!(Arc::ptr_eq(&named.inner, &key.inner));
    }
}
