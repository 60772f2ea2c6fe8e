//! Signatures over files and messages, as `ssh-keygen -Y` makes and checks them (OpenSSH, PROTOCOL.sshsig).
//!
//! What is signed begins with a magic word that no message of the protocol has, and with a namespace, so that a signature
//! made for one purpose is good for no other.

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256, Sha512};

use super::formats::base64_lines;
use super::{KeyKind, PrivateKey, PublicKey};
use crate::codec::{DecodeError, Reader, Writer};
use crate::error::{Error, KeyFault};

const MAGIC: &[u8; 6] = b"SSHSIG";
const VERSION: u32 = 1;
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// Letters of base64 in a line, as ssh-keygen has them.
const LINE: usize = 70;
/// Longest file that is looked at: key and signature of 16384 bits each fit several times.
const MAX_FILE: usize = 64 * 1024;
/// Longest namespace: an address or a word.
pub const MAX_NAMESPACE: usize = 1024;

/// The hash that stands for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// The one that ssh-keygen takes unless told otherwise.
    Sha512,
    /// The other one that there is.
    Sha256,
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Hash::Sha512 => "sha512",
            Hash::Sha256 => "sha256",
        }
    }

    fn named(name: &[u8]) -> Option<Self> {
        let all = [Hash::Sha512, Hash::Sha256];
        all.into_iter().find(|hash| hash.name().as_bytes() == name)
    }

    fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha512 => Sha512::digest(message).to_vec(),
            Hash::Sha256 => Sha256::digest(message).to_vec(),
        }
    }
}

/// What the key signs.
fn signed_data(namespace: &[u8], hash: Hash, message: &[u8]) -> Vec<u8> {
    Writer::collect(|w| {
        w.raw(MAGIC)
            .string(namespace)
            .string("")
            .string(hash.name())
            .string(hash.of(message));
    })
}

/// Signs a message; the result is the text of a `.sig` file.
pub fn sign(
    key: &PrivateKey,
    namespace: &str,
    hash: Hash,
    message: &[u8],
) -> Result<String, Error> {
    if namespace.is_empty() || namespace.len() > MAX_NAMESPACE {
        return Err(Error::ApiMisuse("a namespace has 1 to 1024 bytes"));
    }
    // The strongest; never SHA-1 with RSA.
    let algorithms = key.public().signature_algorithms();
    let algorithm = algorithms.first().ok_or(KeyFault::Signing)?;
    let data = signed_data(namespace.as_bytes(), hash, message);
    let signature = key.sign_and_verify(algorithm, &data)?;
    let blob = Writer::collect(|w| {
        w.raw(MAGIC)
            .u32(VERSION)
            .string(key.public().blob())
            .string(namespace)
            .string("")
            .string(hash.name())
            .string(&signature);
    });
    Ok(armour(&blob))
}

fn armour(blob: &[u8]) -> String {
    format!("{BEGIN}\n{}{END}\n", base64_lines(blob, LINE))
}

/// A signature as it was read. That it is good is for [`verify`](Self::verify) to say.
#[derive(Debug, Clone)]
pub struct Signature {
    key: PublicKey,
    namespace: Vec<u8>,
    hash: Hash,
    signature: Vec<u8>,
}

const MALFORMED: KeyFault = KeyFault::BadSignature("not an SSH signature");

fn malformed(_: DecodeError) -> KeyFault {
    MALFORMED
}

impl Signature {
    /// Reads the text of a `.sig` file.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let blob = unarmour(text).ok_or(MALFORMED)?;
        let mut reader = Reader::new(&blob);
        if reader.take(MAGIC.len()).map_err(malformed)? != MAGIC {
            return Err(MALFORMED.into());
        }
        if reader.u32().map_err(malformed)? != VERSION {
            return Err(KeyFault::BadSignature("of a version that is not known").into());
        }
        let key = PublicKey::from_blob(reader.string().map_err(malformed)?)?;
        let namespace = reader.string().map_err(malformed)?.to_vec();
        // Reserved, and to be ignored: what was signed has nothing there.
        reader.string().map_err(malformed)?;
        let hash = Hash::named(reader.string().map_err(malformed)?)
            .ok_or(KeyFault::BadSignature("over a hash that is not known"))?;
        let signature = reader.string().map_err(malformed)?.to_vec();
        reader.finish().map_err(malformed)?;
        if namespace.is_empty() || namespace.len() > MAX_NAMESPACE {
            return Err(MALFORMED.into());
        }
        Ok(Signature {
            key,
            namespace,
            hash,
            signature,
        })
    }

    /// The key that claims to have signed.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whether the key did sign this message for this purpose. That the key is somebody's is another question.
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<(), Error> {
        if self.namespace != namespace.as_bytes() {
            return Err(KeyFault::BadSignature("it was made for another namespace").into());
        }
        let data = signed_data(&self.namespace, self.hash, message);
        let algorithms = self.key.signature_algorithms();
        // RSA with SHA-1 is no signature here.
        let strong = algorithms
            .iter()
            .filter(|name| self.key.kind() != KeyKind::Rsa || **name != KeyKind::Rsa.key_type());
        let mut good = strong.map(|name| self.key.verify(name, &data, &self.signature));
        match good.any(|good| good) {
            true => Ok(()),
            false => Err(KeyFault::BadSignature(
                "the message is not the one that was signed, or was signed with another key",
            )
            .into()),
        }
    }
}

fn unarmour(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > MAX_FILE {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?.trim();
    let body = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let encoded: String = body.split_ascii_whitespace().collect();
    Base64::decode_vec(&encoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::{fixture, text, TestRandom};

    const KINDS: [&str; 5] = ["ed25519", "p256", "p384", "p521", "rsa"];

    fn is_bad(outcome: Result<(), Error>) -> bool {
        matches!(outcome, Err(Error::Key(KeyFault::BadSignature(_))))
    }

    #[test]
    fn signatures_made_by_ssh_keygen() {
        let message = fixture("message");
        for kind in KINDS {
            let signature = Signature::parse(&fixture(&format!("{kind}.sshsig"))).unwrap();
            let public = PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0;
            assert!(*signature.key() == public);
            assert_eq!(signature.verify("test", &message), Ok(()), "{kind}");
            assert!(is_bad(signature.verify("test", b"another message")));
            assert!(is_bad(signature.verify("file", &message)));
            assert!(is_bad(signature.verify("", &message)));
        }
    }

    #[test]
    fn what_is_signed_is_verified() {
        for kind in KeyKind::ALL {
            let key = PrivateKey::generate(kind, 2048, &mut TestRandom).unwrap();
            for hash in [Hash::Sha512, Hash::Sha256] {
                let text = sign(&key, "git", hash, b"message").unwrap();
                assert!(text.lines().all(|line| line.len() <= LINE));
                let signature = Signature::parse(text.as_bytes()).unwrap();
                assert!(signature.key() == key.public());
                assert_eq!(signature.verify("git", b"message"), Ok(()));
                assert!(is_bad(signature.verify("git", b"massage")));
                let again = Signature::parse(text.replace('\n', "\r\n").as_bytes()).unwrap();
                assert_eq!(again.verify("git", b"message"), Ok(()));
            }
            assert!(sign(&key, "", Hash::Sha512, b"message").is_err());
            assert!(sign(&key, &"x".repeat(1025), Hash::Sha512, b"message").is_err());
        }
    }

    #[test]
    fn sha1_with_rsa_is_no_signature() {
        let key = PrivateKey::generate(KeyKind::Rsa, 2048, &mut TestRandom).unwrap();
        let data = signed_data(b"file", Hash::Sha512, b"message");
        for (algorithm, good) in [("ssh-rsa", false), ("rsa-sha2-256", true)] {
            let signature = Signature {
                key: key.public().clone(),
                namespace: b"file".to_vec(),
                hash: Hash::Sha512,
                signature: key.sign(algorithm, &data).unwrap(),
            };
            assert_eq!(signature.verify("file", b"message").is_ok(), good);
        }
    }

    #[test]
    fn damaged_signatures_are_bad() {
        let message = fixture("message");
        let good = text("ed25519.sshsig");
        let blob = unarmour(good.as_bytes()).unwrap();
        let verdict = |blob: &[u8]| {
            Signature::parse(armour(blob).as_bytes())
                .and_then(|signature| signature.verify("test", &message))
        };
        assert_eq!(verdict(&blob), Ok(()));
        for at in 0..blob.len() {
            assert!(verdict(&blob[..at]).is_err(), "{at}");
            let mut damaged = blob.clone();
            damaged[at] ^= 1;
            assert!(verdict(&damaged).is_err(), "{at}");
        }
        let mut longer = blob.clone();
        longer.push(0);
        assert!(verdict(&longer).is_err());
        for text in [
            String::new(),
            good.replace("BEGIN", "BEGUN"),
            good.replace(END, ""),
            good.replace('U', "!"),
            format!("{good}more"),
            format!("{BEGIN}\n{}{END}", "AAAA".repeat(MAX_FILE)),
        ] {
            assert!(
                is_bad(Signature::parse(text.as_bytes()).map(drop)),
                "{text}"
            );
        }
    }
}
