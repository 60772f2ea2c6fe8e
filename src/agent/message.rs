//! The messages of the agent protocol. What is decoded here comes from a program that may be anything.

use zeroize::Zeroizing;

use super::frame;
use crate::codec::{DecodeError, Reader, Writer};
use crate::error::{AgentFault, Error};
use crate::keys::signature::MAX_SIGNATURE_BLOB;
use crate::keys::{formats, KeyKind, PrivateKey};

/// Most identities that an agent may list.
pub const MAX_IDENTITIES: usize = 2048;
/// Longest passphrase that an agent is locked with.
pub const MAX_PASSPHRASE: usize = 4096;
/// Flag of a request to sign: RSA with SHA-256.
pub const SIGN_RSA_SHA2_256: u32 = 2;
/// Flag of a request to sign: RSA with SHA-512.
pub const SIGN_RSA_SHA2_512: u32 = 4;

/// Longest blob of a key or certificate that is kept.
const MAX_BLOB: usize = 64 * 1024;
/// Where a comment is cut.
const MAX_COMMENT: usize = 1024;
/// Room for the private numbers of any key that is sent, and for what stands between them.
const SECRET_ROOM: usize = 16 * 1024;
/// What all names of certificates end with (OpenSSH, PROTOCOL.certkeys).
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// Numbers of messages.
mod number {
    pub(super) const FAILURE: u8 = 5;
    pub(super) const SUCCESS: u8 = 6;
    pub(super) const REQUEST_IDENTITIES: u8 = 11;
    pub(super) const IDENTITIES_ANSWER: u8 = 12;
    pub(super) const SIGN_REQUEST: u8 = 13;
    pub(super) const SIGN_RESPONSE: u8 = 14;
    pub(super) const ADD_IDENTITY: u8 = 17;
    pub(super) const REMOVE_IDENTITY: u8 = 18;
    pub(super) const REMOVE_ALL_IDENTITIES: u8 = 19;
    pub(super) const LOCK: u8 = 22;
    pub(super) const UNLOCK: u8 = 23;
    pub(super) const ADD_ID_CONSTRAINED: u8 = 25;
    pub(super) const EXTENSION: u8 = 27;
    pub(super) const EXTENSION_FAILURE: u8 = 28;
}

/// Constraint: the key goes after so many seconds.
const CONSTRAIN_LIFETIME: u8 = 1;
/// Constraint: a person confirms each use.
const CONSTRAIN_CONFIRM: u8 = 2;

/// A key that an agent has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The blob of the public key or certificate.
    pub blob: Vec<u8>,
    /// The name in front of it, such as `ssh-ed25519`.
    pub key_type: String,
    /// The agent's text for it, capped but not cleaned for a terminal.
    pub comment: String,
}

impl Identity {
    /// Whether it is a certificate.
    pub fn is_certificate(&self) -> bool {
        self.key_type.ends_with(CERTIFICATE)
    }
}

/// What an agent is to keep to with a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Constraints {
    /// It goes after so many seconds; 0 for never.
    pub lifetime_s: u32,
    /// A person confirms each use.
    pub confirm: bool,
}

/// What an agent is asked for.
pub enum Request<'a> {
    /// Which keys it has.
    Identities,
    /// A signature.
    Sign {
        /// The key or certificate.
        blob: &'a [u8],
        /// What is signed.
        data: &'a [u8],
        /// [`SIGN_RSA_SHA2_256`], [`SIGN_RSA_SHA2_512`], or 0.
        flags: u32,
    },
    /// To keep a key.
    Add {
        /// The key.
        key: &'a PrivateKey,
        /// A certificate of it, which is then what is kept.
        certificate: Option<&'a [u8]>,
        /// For how long, and how.
        constraints: Constraints,
    },
    /// To forget a key.
    Remove {
        /// The key or certificate.
        blob: &'a [u8],
    },
    /// To forget all keys.
    RemoveAll,
    /// To do nothing until it is unlocked.
    Lock(&'a [u8]),
    /// To go on.
    Unlock(&'a [u8]),
    /// Something that not every agent knows.
    Extension {
        /// Its name.
        name: &'a str,
        /// Its fields.
        data: &'a [u8],
    },
}

impl Request<'_> {
    /// The frame.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] for what is too long, and whatever keeps a private key from being written.
    pub(super) fn frame(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        frame::outgoing(self.room(), |w| self.write(w))
    }

    /// At least as many bytes as the payload has.
    fn room(&self) -> usize {
        match self {
            Request::Identities | Request::RemoveAll => 1,
            Request::Sign { blob, data, .. } => blob.len().saturating_add(data.len()) + 16,
            Request::Add {
                key, certificate, ..
            } => {
                let certificate = certificate.map_or(0, <[u8]>::len);
                SECRET_ROOM
                    .saturating_add(certificate)
                    .saturating_add(key.comment().len())
            }
            Request::Remove { blob } => blob.len() + 8,
            Request::Lock(passphrase) | Request::Unlock(passphrase) => passphrase.len() + 8,
            Request::Extension { name, data } => name.len().saturating_add(data.len()) + 8,
        }
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), Error> {
        match self {
            Request::Identities => w.u8(number::REQUEST_IDENTITIES),
            Request::Sign { blob, data, flags } => w
                .u8(number::SIGN_REQUEST)
                .string(blob)
                .string(data)
                .u32(*flags),
            Request::Add {
                key,
                certificate,
                constraints,
            } => return write_add(w, key, *certificate, *constraints),
            Request::Remove { blob } => w.u8(number::REMOVE_IDENTITY).string(blob),
            Request::RemoveAll => w.u8(number::REMOVE_ALL_IDENTITIES),
            Request::Lock(passphrase) => w.u8(number::LOCK).string(passphrase),
            Request::Unlock(passphrase) => w.u8(number::UNLOCK).string(passphrase),
            Request::Extension { name, data } => w.u8(number::EXTENSION).string(name).raw(data),
        };
        Ok(())
    }
}

fn write_add(
    w: &mut Writer<'_>,
    key: &PrivateKey,
    certificate: Option<&[u8]>,
    constraints: Constraints,
) -> Result<(), Error> {
    let constrained = constraints != Constraints::default();
    w.u8(if constrained {
        number::ADD_ID_CONSTRAINED
    } else {
        number::ADD_IDENTITY
    });
    match certificate {
        Some(certificate) => {
            let name =
                type_of(certificate).ok_or(Error::ApiMisuse("the certificate is malformed"))?;
            if !name.ends_with(CERTIFICATE) || plain_algorithm(name) != key.public().key_type() {
                return Err(Error::ApiMisuse("the certificate is of no such key"));
            }
            w.string(name).string(certificate);
            formats::openssh::write_private_numbers(key, w)?;
        }
        None => {
            w.string(key.public().key_type());
            formats::openssh::write_private_fields(key, w)?;
        }
    }
    w.string(key.comment());
    if constraints.lifetime_s > 0 {
        w.u8(CONSTRAIN_LIFETIME).u32(constraints.lifetime_s);
    }
    if constraints.confirm {
        w.u8(CONSTRAIN_CONFIRM);
    }
    Ok(())
}

/// The name in front of a blob.
pub(super) fn type_of(blob: &[u8]) -> Option<&str> {
    let name = Reader::new(blob).text().ok()?;
    let sound = !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_graphic());
    sound.then_some(name)
}

/// The name of a key type or algorithm without that of a certificate around it: what a signature is labelled with.
pub fn plain_algorithm(name: &str) -> String {
    match name.strip_suffix(CERTIFICATE) {
        // The names of FIDO keys are the only ones whose plain form has a domain, too.
        Some(plain) if plain.starts_with("sk-") => format!("{plain}@openssh.com"),
        Some(plain) => plain.to_owned(),
        None => name.to_owned(),
    }
}

/// The strongest algorithm that a key of this type signs by.
pub(super) fn strongest_algorithm(key_type: &str) -> String {
    let plain = plain_algorithm(key_type);
    let known = KeyKind::from_key_type(&plain).map(KeyKind::signature_algorithms);
    match known.and_then(|names| names.first()) {
        Some(name) => (*name).to_owned(),
        None => plain,
    }
}

/// The flags with which a key of this type signs by the algorithm; `None` where it cannot.
pub(super) fn flags_for(key_type: &str, algorithm: &str) -> Option<u32> {
    let plain = plain_algorithm(key_type);
    match (plain.as_str(), algorithm) {
        ("ssh-rsa", "rsa-sha2-512") => Some(SIGN_RSA_SHA2_512),
        ("ssh-rsa", "rsa-sha2-256") => Some(SIGN_RSA_SHA2_256),
        (plain, algorithm) => (plain == algorithm).then_some(0),
    }
}

fn malformed(what: &'static str) -> impl Fn(DecodeError) -> AgentFault {
    move |_| AgentFault::Malformed(what)
}

/// The rest of an answer of this number. FAILURE says no to `what`.
fn answer<'a>(
    payload: &'a [u8],
    expected: u8,
    what: &'static str,
) -> Result<Reader<'a>, AgentFault> {
    let mut reader = Reader::new(payload);
    match reader.u8().map_err(malformed("an empty answer"))? {
        number if number == expected => Ok(reader),
        // An agent says no in one byte; what else there may be means nothing.
        number::FAILURE | number::EXTENSION_FAILURE => Err(AgentFault::Refused(what)),
        _ => Err(AgentFault::Malformed("an answer to something else")),
    }
}

/// Reads the answer to a request that brings nothing but a yes.
pub(super) fn done(payload: &[u8], what: &'static str) -> Result<(), AgentFault> {
    answer(payload, number::SUCCESS, what)?
        .finish()
        .map_err(malformed("bytes after the answer"))
}

/// Reads the keys that an agent has.
pub(super) fn identities(payload: &[u8]) -> Result<Vec<Identity>, AgentFault> {
    let mut reader = answer(payload, number::IDENTITIES_ANSWER, "to list its keys")?;
    let count = reader.u32().map_err(malformed("a list of keys"))?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > MAX_IDENTITIES {
        return Err(AgentFault::Malformed("more keys than an agent may have"));
    }
    let mut found = Vec::new();
    for _ in 0..count {
        let blob = reader
            .string_capped(MAX_BLOB)
            .map_err(malformed("a key in its list"))?;
        let comment = reader
            .string()
            .map_err(malformed("a comment in its list"))?;
        // One key that makes no sense hides none of the others.
        if let Some(key_type) = type_of(blob) {
            let comment = comment.get(..MAX_COMMENT).unwrap_or(comment);
            found.push(Identity {
                blob: blob.to_vec(),
                key_type: key_type.to_owned(),
                comment: String::from_utf8_lossy(comment).into_owned(),
            });
        }
    }
    reader
        .finish()
        .map_err(malformed("bytes after the list of keys"))?;
    Ok(found)
}

/// Reads a signature, which must be labelled with the algorithm that was asked for.
pub(super) fn signature(payload: &[u8], algorithm: &str) -> Result<Vec<u8>, AgentFault> {
    let mut reader = answer(
        payload,
        number::SIGN_RESPONSE,
        "to sign: it does not have the key, is locked, or somebody said no",
    )?;
    let blob = reader
        .string_capped(MAX_SIGNATURE_BLOB)
        .map_err(malformed("a signature"))?;
    reader
        .finish()
        .map_err(malformed("bytes after the signature"))?;
    let label = Reader::new(blob).string();
    if label != Ok(algorithm.as_bytes()) {
        return Err(AgentFault::Malformed(
            "a signature of another algorithm than was asked for",
        ));
    }
    Ok(blob.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::{fixture, TestRandom};

    fn listed(keys: &[(&[u8], &str)]) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(12).u32(u32::try_from(keys.len()).unwrap());
            for (blob, comment) in keys {
                w.string(blob).string(comment);
            }
        })
    }

    fn blob(name: &str) -> Vec<u8> {
        Writer::collect(|w| {
            w.string(name).string("rest");
        })
    }

    #[test]
    fn identities_are_read_with_their_comments() {
        let (one, two) = (blob("ssh-ed25519"), blob("ssh-rsa-cert-v01@openssh.com"));
        let found = identities(&listed(&[(&one, "me@here"), (&two, "")])).unwrap();
        assert_eq!(found[0].blob, one);
        assert_eq!(found[0].comment, "me@here");
        assert!(!found[0].is_certificate() && found[1].is_certificate());
        // A key that makes no sense is passed over.
        let found = identities(&listed(&[(b"\0\0\0\x09x", "bad"), (&one, "good")])).unwrap();
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn n1_identity_counts_and_truncated_lists() {
        let one = blob("ssh-ed25519");
        let good = listed(&[(&one, "comment")]);
        for length in 0..good.len() {
            assert!(identities(&good[..length]).is_err(), "cut at {length}");
        }
        let longer = [good.as_slice(), &[0]].concat();
        assert!(identities(&longer).is_err());
        for count in [2_u32, 2049, u32::MAX] {
            let mut lies = good.clone();
            lies[1..5].copy_from_slice(&count.to_be_bytes());
            assert!(identities(&lies).is_err(), "{count}");
        }
        let many: Vec<_> = (0..MAX_IDENTITIES).map(|_| (one.as_slice(), "")).collect();
        assert_eq!(identities(&listed(&many)).unwrap().len(), MAX_IDENTITIES);
    }

    #[test]
    fn n1_answers_of_another_type() {
        for number in [0, 1, 6, 11, 13, 29, 255] {
            assert!(matches!(
                identities(&[number]),
                Err(AgentFault::Malformed(_))
            ));
        }
        assert!(matches!(done(&[12], "x"), Err(AgentFault::Malformed(_))));
        assert!(matches!(done(&[], "x"), Err(AgentFault::Malformed(_))));
        assert!(matches!(done(&[6, 0], "x"), Err(AgentFault::Malformed(_))));
        assert_eq!(done(&[5], "x"), Err(AgentFault::Refused("x")));
        assert_eq!(done(&[28], "x"), Err(AgentFault::Refused("x")));
        assert_eq!(done(&[6], "x"), Ok(()));
    }

    #[test]
    fn n1_signatures_of_another_algorithm() {
        let answer = |label: &str| {
            Writer::collect(|w| {
                w.u8(14).string_with(|w| {
                    w.string(label).string("signature");
                });
            })
        };
        assert!(signature(&answer("rsa-sha2-256"), "rsa-sha2-256").is_ok());
        for label in ["ssh-rsa", "rsa-sha2-512", "ssh-ed25519", ""] {
            assert!(matches!(
                signature(&answer(label), "rsa-sha2-256"),
                Err(AgentFault::Malformed(_))
            ));
        }
        let good = answer("ssh-ed25519");
        for length in 0..good.len() {
            assert!(signature(&good[..length], "ssh-ed25519").is_err());
        }
        let longer = [good.as_slice(), &[0]].concat();
        assert!(signature(&longer, "ssh-ed25519").is_err());
    }

    #[test]
    fn rsa_flags() {
        assert_eq!(flags_for("ssh-rsa", "rsa-sha2-512"), Some(4));
        assert_eq!(flags_for("ssh-rsa", "rsa-sha2-256"), Some(2));
        assert_eq!(flags_for("ssh-rsa", "ssh-rsa"), Some(0));
        assert_eq!(
            flags_for("ssh-rsa-cert-v01@openssh.com", "rsa-sha2-256"),
            Some(2)
        );
        assert_eq!(flags_for("ssh-ed25519", "rsa-sha2-256"), None);
        assert_eq!(
            strongest_algorithm("ssh-rsa-cert-v01@openssh.com"),
            "rsa-sha2-512"
        );
        assert_eq!(strongest_algorithm("ssh-ed25519"), "ssh-ed25519");
        assert_eq!(
            flags_for(
                "sk-ssh-ed25519-cert-v01@openssh.com",
                "sk-ssh-ed25519@openssh.com"
            ),
            Some(0)
        );
    }

    #[test]
    fn keys_are_added_with_constraints() {
        let key = PrivateKey::load(&fixture("ed25519.openssh"), None).unwrap();
        let bytes = |constraints| {
            let request = Request::Add {
                key: &key,
                certificate: None,
                constraints,
            };
            request.frame().unwrap()[4..].to_vec()
        };
        let plain = bytes(Constraints::default());
        let mut reader = Reader::new(&plain);
        assert_eq!(reader.u8(), Ok(17));
        assert_eq!(reader.text(), Ok("ssh-ed25519"));
        let point = reader.string().unwrap();
        let pair = reader.string().unwrap();
        assert_eq!((point.len(), pair.len()), (32, 64));
        assert_eq!(&pair[32..], point);
        assert_eq!(reader.text(), Ok(key.comment()));
        reader.finish().unwrap();
        let constrained = bytes(Constraints {
            lifetime_s: 7,
            confirm: true,
        });
        assert_eq!(constrained[0], 25);
        assert_eq!(&constrained[1..plain.len()], &plain[1..]);
        assert_eq!(&constrained[plain.len()..], [1, 0, 0, 0, 7, 2]);
    }

    #[test]
    fn a_request_with_a_key_never_outgrows_its_buffer() {
        for kind in KeyKind::ALL {
            let key = PrivateKey::generate(kind, 4096, &mut TestRandom);
            let key = key.or_else(|_| PrivateKey::generate(kind, 0, &mut TestRandom));
            let key = key.unwrap().with_comment(&"c".repeat(500));
            let request = Request::Add {
                key: &key,
                certificate: None,
                constraints: Constraints::default(),
            };
            assert!(request.frame().unwrap().len() <= request.room() + 4);
        }
    }

    #[test]
    fn certificates_must_fit_their_key() {
        let key = PrivateKey::load(&fixture("ed25519.openssh"), None).unwrap();
        for name in ["ssh-ed25519", "ssh-rsa-cert-v01@openssh.com", ""] {
            let certificate = blob(name);
            let request = Request::Add {
                key: &key,
                certificate: Some(&certificate),
                constraints: Constraints::default(),
            };
            assert!(
                matches!(request.frame(), Err(Error::ApiMisuse(_))),
                "{name}"
            );
        }
    }
}
