//! What a client proves itself with: a key or certificate, and whoever signs for it.

use std::sync::Arc;

use super::PrivateKey;
use crate::codec::Reader;
use crate::crypto::sign::rsa;
use crate::error::{Error, KeyFault};

/// Signs with a private key that is somewhere else: an agent, a hardware token, another machine. It may take its time,
/// and may be asked by several threads at once.
pub trait ExternalSigner: Send + Sync {
    /// A signature blob (RFC 4253 §6.6) over `data` by the signature algorithm, which is one of the key's.
    fn sign(&self, algorithm: &str, data: &[u8]) -> Result<Vec<u8>, Error>;
}

/// An algorithm as a request for authentication names it, and as the signature does. They differ for certificates
/// (OpenSSH, PROTOCOL.certkeys; RFC 8332 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm {
    /// The name in the request.
    pub name: &'static str,
    /// The name in the signature.
    pub signature: &'static str,
}

const fn plain(name: &'static str) -> Algorithm {
    Algorithm {
        name,
        signature: name,
    }
}

const fn certified(name: &'static str, signature: &'static str) -> Algorithm {
    Algorithm { name, signature }
}

/// Types of keys and certificates that a client may use, each with its algorithms, strongest first.
const TYPES: [(&str, &[Algorithm]); 14] = [
    ("ssh-ed25519", &[plain("ssh-ed25519")]),
    ("ecdsa-sha2-nistp256", &[plain("ecdsa-sha2-nistp256")]),
    ("ecdsa-sha2-nistp384", &[plain("ecdsa-sha2-nistp384")]),
    ("ecdsa-sha2-nistp521", &[plain("ecdsa-sha2-nistp521")]),
    (
        "ssh-rsa",
        &[
            plain("rsa-sha2-512"),
            plain("rsa-sha2-256"),
            plain("ssh-rsa"),
        ],
    ),
    (
        "sk-ssh-ed25519@openssh.com",
        &[plain("sk-ssh-ed25519@openssh.com")],
    ),
    (
        "sk-ecdsa-sha2-nistp256@openssh.com",
        &[plain("sk-ecdsa-sha2-nistp256@openssh.com")],
    ),
    (
        "ssh-ed25519-cert-v01@openssh.com",
        &[certified("ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519")],
    ),
    (
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        &[certified(
            "ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "ecdsa-sha2-nistp256",
        )],
    ),
    (
        "ecdsa-sha2-nistp384-cert-v01@openssh.com",
        &[certified(
            "ecdsa-sha2-nistp384-cert-v01@openssh.com",
            "ecdsa-sha2-nistp384",
        )],
    ),
    (
        "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        &[certified(
            "ecdsa-sha2-nistp521-cert-v01@openssh.com",
            "ecdsa-sha2-nistp521",
        )],
    ),
    (
        "ssh-rsa-cert-v01@openssh.com",
        &[
            certified("rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-512"),
            certified("rsa-sha2-256-cert-v01@openssh.com", "rsa-sha2-256"),
            certified("ssh-rsa-cert-v01@openssh.com", "ssh-rsa"),
        ],
    ),
    (
        "sk-ssh-ed25519-cert-v01@openssh.com",
        &[certified(
            "sk-ssh-ed25519-cert-v01@openssh.com",
            "sk-ssh-ed25519@openssh.com",
        )],
    ),
    (
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        &[certified(
            "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "sk-ecdsa-sha2-nistp256@openssh.com",
        )],
    ),
];

/// Longest blob that is taken: of certificates, whose principals and options add to the key.
const MAX_BLOB: usize = 64 * 1024;

/// A key or certificate with whoever signs for it. Cheap to clone.
#[derive(Clone)]
pub struct Credential {
    inner: Arc<Inner>,
}

struct Inner {
    blob: Vec<u8>,
    algorithms: Vec<Algorithm>,
    /// Whether the algorithms are those that the caller chose.
    chosen: bool,
    is_rsa: bool,
    holder: Holder,
}

#[derive(Clone)]
enum Holder {
    Here(PrivateKey),
    Elsewhere(Arc<dyn ExternalSigner>),
}

impl Credential {
    /// The key or certificate of this blob, for which somebody else signs. What is in the blob is for the server to
    /// judge; here its type alone matters.
    ///
    /// # Errors
    /// [`KeyFault`] for a type that is not known, and a blob that is too long.
    pub fn new(blob: &[u8], signer: Arc<dyn ExternalSigner>) -> Result<Self, Error> {
        if blob.len() > MAX_BLOB {
            return Err(KeyFault::Malformed("public key blob is too long").into());
        }
        let name = Reader::new(blob)
            .text()
            .map_err(|_| KeyFault::Malformed("public key blob"))?;
        let (_, algorithms) = TYPES
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| {
                let name = crate::codec::printable(name.as_bytes(), 64);
                KeyFault::Unsupported(format!("key type {name}"))
            })?;
        Ok(Self::assemble(
            blob.to_vec(),
            algorithms,
            Holder::Elsewhere(signer),
        ))
    }

    fn assemble(blob: Vec<u8>, algorithms: &[Algorithm], holder: Holder) -> Self {
        Credential {
            inner: Arc::new(Inner {
                blob,
                algorithms: algorithms.to_vec(),
                chosen: false,
                is_rsa: algorithms.len() > 1,
                holder,
            }),
        }
    }

    /// The same with those of its algorithms alone that are in `names`, which are names of requests, in their order. They
    /// then hold whatever else is allowed. `None` where nothing is left.
    pub fn limited(&self, names: &[&str]) -> Option<Self> {
        let of_name = |name: &&str| self.algorithms().iter().find(|own| own.name == *name);
        let algorithms: Vec<_> = names.iter().filter_map(of_name).copied().collect();
        let inner = Inner {
            blob: self.inner.blob.clone(),
            chosen: true,
            is_rsa: self.inner.is_rsa,
            holder: self.inner.holder.clone(),
            algorithms,
        };
        (!inner.algorithms.is_empty()).then(|| Credential {
            inner: Arc::new(inner),
        })
    }

    /// What is named in requests.
    pub fn blob(&self) -> &[u8] {
        &self.inner.blob
    }

    /// By which algorithms, the best first.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.inner.algorithms
    }

    /// Whether they are those of [`limited`](Self::limited).
    pub fn is_limited(&self) -> bool {
        self.inner.chosen
    }

    /// Whether the choice among several algorithms is to be made, which RSA alone has.
    pub fn is_rsa(&self) -> bool {
        self.inner.is_rsa
    }

    /// The bits of the modulus, for RSA alone, which may be fewer than this library signs with itself; 0 where there is
    /// none to be read.
    pub fn rsa_bits(&self) -> Option<u32> {
        self.is_rsa()
            .then(|| rsa_modulus(self.blob()).map_or(0, rsa::bit_len))
    }

    /// Whether a signature may take long, and must not be made where others would wait.
    pub fn signs_elsewhere(&self) -> bool {
        match &self.inner.holder {
            Holder::Here(key) => key.signs_elsewhere(),
            Holder::Elsewhere(_) => true,
        }
    }

    /// A signature blob over `data`; `algorithm` is a name of a request.
    pub fn sign(&self, algorithm: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        let known = self
            .algorithms()
            .iter()
            .find(|known| known.name == algorithm);
        let name = known
            .ok_or(Error::Bug("an algorithm that the key does not have"))?
            .signature;
        match &self.inner.holder {
            Holder::Here(key) => key.sign(name, data),
            Holder::Elsewhere(signer) => {
                let made = signer.sign(name, data)?;
                // A signer that does something else than it was asked for must not be heard by the server.
                if Reader::new(&made).string() != Ok(name.as_bytes()) {
                    return Err(KeyFault::Signing.into());
                }
                Ok(made)
            }
        }
    }
}

/// The modulus in the blob of an RSA key (RFC 4253 §6.6), or of a certificate, which has a nonce before it (OpenSSH,
/// PROTOCOL.certkeys).
fn rsa_modulus(blob: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(blob);
    if reader.text().ok()? != "ssh-rsa" {
        reader.string().ok()?;
    }
    reader.mpint().ok()?;
    reader.mpint().ok()
}

impl From<PrivateKey> for Credential {
    fn from(key: PrivateKey) -> Self {
        let shown = key.shown();
        let name = shown.key_type();
        let known = TYPES.iter().find(|(known, _)| *known == name);
        debug_assert!(known.is_some(), "{name} is not in the table");
        let blob = shown.blob().to_vec();
        let algorithms = known.map_or(&[][..], |(_, algorithms)| algorithms);
        Credential::assemble(blob, algorithms, Holder::Here(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Writer;
    use crate::keys::test_support::TestRandom;
    use crate::keys::KeyKind;

    #[test]
    fn the_table_holds_every_kind_as_it_is_known_elsewhere() {
        for kind in KeyKind::ALL {
            let (_, algorithms) = TYPES
                .iter()
                .find(|(name, _)| *name == kind.key_type())
                .unwrap();
            let names: Vec<_> = algorithms.iter().map(|known| known.name).collect();
            assert_eq!(names, kind.signature_algorithms());
        }
    }

    #[test]
    fn algorithms_are_those_that_were_chosen_in_that_order() {
        let key = PrivateKey::generate(KeyKind::Rsa, 2048, &mut TestRandom).unwrap();
        let credential = Credential::from(key);
        assert!(!credential.is_limited());
        let names = ["ssh-ed25519", "rsa-sha2-256", "rsa-sha2-512"];
        let limited = credential.limited(&names).unwrap();
        let left: Vec<_> = limited.algorithms().iter().map(|own| own.name).collect();
        assert_eq!(left, ["rsa-sha2-256", "rsa-sha2-512"]);
        assert!(limited.is_limited() && limited.is_rsa());
        // One that is left has no choice, and still is of an RSA key.
        assert!(credential.limited(&["rsa-sha2-256"]).unwrap().is_rsa());
        assert!(limited.sign("rsa-sha2-256", b"data").is_ok());
        assert!(credential.limited(&["ssh-ed25519"]).is_none());
    }

    #[test]
    fn rsa_keys_tell_how_long_they_are() {
        struct Nobody;
        impl ExternalSigner for Nobody {
            fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, Error> {
                Err(KeyFault::Signing.into())
            }
        }
        let bits = |blob: &[u8]| Credential::new(blob, Arc::new(Nobody)).unwrap().rsa_bits();
        let numbers = |modulus: &[u8]| {
            Writer::collect(|w| {
                w.string("ssh-rsa").mpint(&[3]).mpint(modulus);
            })
        };
        assert_eq!(bits(&numbers(&[0xff; 128])), Some(1024));
        assert_eq!(bits(&numbers(&[1; 128])), Some(1017));
        assert_eq!(bits(&numbers(&[0xff; 128])[..40]), Some(0));
        let certificate = Writer::collect(|w| {
            w.string("ssh-rsa-cert-v01@openssh.com").string("nonce");
            w.mpint(&[3]).mpint(&[0xff; 384]).string("and so on");
        });
        assert_eq!(bits(&certificate), Some(3072));
        let rsa = PrivateKey::generate(KeyKind::Rsa, 2048, &mut TestRandom).unwrap();
        assert_eq!(Credential::from(rsa).rsa_bits(), Some(2048));
        let other = PrivateKey::generate(KeyKind::Ed25519, 0, &mut TestRandom).unwrap();
        assert_eq!(Credential::from(other).rsa_bits(), None);
    }

    #[test]
    fn a_signer_is_held_to_the_algorithm() {
        struct Liar;
        impl ExternalSigner for Liar {
            fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, Error> {
                Ok(Writer::collect(|w| {
                    w.string("ssh-rsa").string("signature");
                }))
            }
        }
        let key = PrivateKey::generate(KeyKind::Rsa, 2048, &mut TestRandom).unwrap();
        let credential = Credential::new(key.public().blob(), Arc::new(Liar)).unwrap();
        assert!(credential.signs_elsewhere() && credential.is_rsa());
        assert!(credential.sign("ssh-rsa", b"data").is_ok());
        assert_eq!(
            credential.sign("rsa-sha2-256", b"data"),
            Err(KeyFault::Signing.into())
        );
    }
}
