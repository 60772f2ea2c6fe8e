//! Which keys are offered to a server, and in which order: that of ssh.

use std::collections::HashSet;
use std::sync::Arc;

use super::identity::{shown, Identity, Secret};
use super::sealed::Sealed;
use crate::agent::Held;
use crate::error::Error;
use crate::keys::{Certificate, Credential, ExternalSigner, PrivateKey, PublicKey};

/// What there is to log in with.
#[derive(Default)]
pub(super) struct Material {
    /// Those that CertificateFile names, by the names of their files.
    pub(super) certificates: Vec<(String, Certificate)>,
    /// Those that IdentityFile names.
    pub(super) identities: Vec<Identity>,
    /// Those of the agent.
    pub(super) held: Vec<Held>,
    /// Whether only those count that files are named for.
    pub(super) identities_only: bool,
    /// Which of them may be shown.
    pub(super) accepted: Accepted,
}

/// What a key must be to be shown.
#[derive(Clone, Default)]
pub(super) struct Accepted {
    /// The names of algorithms that it may be shown under, the best first.
    pub(super) algorithms: Vec<&'static str>,
    /// The bits that one of RSA has at least.
    pub(super) min_rsa_bits: u32,
}

impl Accepted {
    /// The key as it may be shown.
    ///
    /// # Errors
    /// Why it is not used.
    pub(super) fn limit(&self, key: &Credential, label: &str) -> Result<Credential, String> {
        let least = self.min_rsa_bits;
        if let Some(bits) = key.rsa_bits().filter(|bits| *bits < least) {
            return Err(format!(
                "{label} is not used: it has {bits} bits, {least} is the least (RequiredRSASize)"
            ));
        }
        key.limited(&self.algorithms).ok_or_else(|| {
            format!("{label} is not used: PubkeyAcceptedAlgorithms leaves none of its algorithms")
        })
    }
}

/// A key to be offered.
pub(super) struct Offer {
    /// Which it is, in words.
    pub(super) label: String,
    pub(super) key: Offered,
    /// The private half, where that is a file's and no agent has it.
    pub(super) file: Option<OfFile>,
}

/// The private half of a key, from a file.
pub(super) enum OfFile {
    Open(PrivateKey),
    Sealed(Arc<Sealed>),
}

pub(super) enum Offered {
    Known(Credential),
    /// Nobody knows its public half before the passphrase is there.
    Hidden,
}

/// Signs for a certificate with the key that it is about.
struct SignsWith(Credential);

impl ExternalSigner for SignsWith {
    fn sign(&self, algorithm: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(algorithm, data)
    }
}

impl Material {
    /// The keys to offer, each once, and what is to be said about those that are not.
    ///
    /// First certificates that are named; then what the agent has, those that files are named for before the others; then
    /// what is in files, a key before the certificate beside it.
    pub(super) fn into_offers(self) -> (Vec<Offer>, Vec<String>) {
        let mut list = List {
            accepted: self.accepted.clone(),
            ..List::default()
        };
        for (path, certificate) in &self.certificates {
            match self.certified(certificate, None) {
                Some(offer) => list.push(offer.labelled(path)),
                None => list.note(format!(
                    "{} is not used: neither the agent nor an IdentityFile has its key",
                    shown(path)
                )),
            }
        }
        let (named, others): (Vec<_>, Vec<_>) =
            self.held.iter().partition(|held| self.is_named(held));
        let others = others.into_iter().filter(|_| !self.identities_only);
        for held in named.into_iter().chain(others) {
            list.push(of_agent(held.credential.clone()).labelled(&of_comment(&held.comment)));
        }
        for identity in &self.identities {
            self.push_file(identity, &mut list);
        }
        (list.offers, list.notes)
    }

    /// What is to be said of keys that others may read, even where another key lets the user in. One that an agent has is
    /// not looked for in its file.
    pub(super) fn exposed(&self) -> impl Iterator<Item = &str> {
        let others = self
            .identities
            .iter()
            .filter(|identity| !self.holds(identity));
        others.filter_map(|identity| match &identity.secret {
            Secret::Exposed(why) => Some(why.as_str()),
            _ => None,
        })
    }

    /// Whether the agent has the key.
    fn holds(&self, identity: &Identity) -> bool {
        let public = identity.public.as_ref();
        public.is_some_and(|key| self.held(key.blob()).is_some())
    }

    fn push_file(&self, identity: &Identity, list: &mut List) {
        match &identity.secret {
            _ if self.holds(identity) => {}
            Secret::Here(key) => list.push(of_key(key.clone()).labelled(&identity.path)),
            Secret::Sealed(sealed) => list.push(of_sealed(sealed).labelled(&identity.path)),
            Secret::Absent(why) => why.iter().for_each(|why| list.note(why.clone())),
            Secret::Exposed(why) => list.note(why.clone()),
        }
        let Some(certificate) = &identity.certificate else {
            return;
        };
        if let Some(offer) = self.certified(certificate, Some(identity)) {
            list.push(offer.labelled(&format!("{}-cert.pub", identity.path)));
        }
    }

    fn held(&self, blob: &[u8]) -> Option<&Credential> {
        let mut all = self.held.iter().map(|held| &held.credential);
        all.find(|credential| credential.blob() == blob)
    }

    fn is_named(&self, held: &Held) -> bool {
        let blob = held.credential.blob();
        self.identities.iter().any(|identity| {
            let key = identity.public.as_ref().map(PublicKey::blob);
            let certificate = identity.certificate.as_ref().map(Certificate::blob);
            key == Some(blob) || certificate == Some(blob)
        })
    }

    /// A certificate with whoever signs for it: the agent where it has the certificate or the key, or else the file, that
    /// beside it or any other.
    fn certified(&self, certificate: &Certificate, beside: Option<&Identity>) -> Option<Offer> {
        if let Some(held) = self.held(certificate.blob()) {
            return Some(of_agent(held.clone()));
        }
        if let Some(held) = self.held(certificate.key().blob()) {
            return of_signer(certificate, Arc::new(SignsWith(held.clone())), None);
        }
        let is_it = |identity: &&Identity| identity.public.as_ref() == Some(certificate.key());
        let hidden = || beside.filter(|identity| identity.public.is_none());
        let identity = self.identities.iter().find(is_it).or_else(hidden)?;
        match &identity.secret {
            Secret::Here(key) => Some(of_key(key.with_certificate(certificate.clone()).ok()?)),
            Secret::Sealed(sealed) => {
                let signer: Arc<dyn ExternalSigner> = sealed.clone();
                of_signer(certificate, signer, Some(sealed))
            }
            Secret::Absent(_) | Secret::Exposed(_) => None,
        }
    }
}

fn of_agent(credential: Credential) -> Offer {
    Offer {
        label: String::new(),
        key: Offered::Known(credential),
        file: None,
    }
}

fn of_key(key: PrivateKey) -> Offer {
    Offer {
        file: Some(OfFile::Open(key.clone())),
        ..of_agent(key.into())
    }
}

fn of_sealed(sealed: &Arc<Sealed>) -> Offer {
    let signer: Arc<dyn ExternalSigner> = sealed.clone();
    let known = sealed
        .public()
        .and_then(|public| Credential::new(public.blob(), signer).ok());
    Offer {
        label: String::new(),
        key: known.map_or(Offered::Hidden, Offered::Known),
        file: Some(OfFile::Sealed(Arc::clone(sealed))),
    }
}

fn of_signer(
    certificate: &Certificate,
    signer: Arc<dyn ExternalSigner>,
    sealed: Option<&Arc<Sealed>>,
) -> Option<Offer> {
    let credential = Credential::new(certificate.blob(), signer).ok()?;
    Some(Offer {
        file: sealed.cloned().map(OfFile::Sealed),
        ..of_agent(credential)
    })
}

fn of_comment(comment: &str) -> String {
    format!("the agent's key {comment}")
}

impl Offer {
    /// The file that its signature needs the passphrase of.
    pub(super) fn sealed(&self) -> Option<&Sealed> {
        match &self.file {
            Some(OfFile::Sealed(sealed)) => Some(sealed),
            Some(OfFile::Open(_)) | None => None,
        }
    }

    /// The private half, if it is a file's and has been opened.
    pub(super) fn opened(&self) -> Option<PrivateKey> {
        match &self.file {
            Some(OfFile::Open(key)) => Some(key.clone()),
            Some(OfFile::Sealed(sealed)) => sealed.opened(),
            None => None,
        }
    }

    fn labelled(mut self, label: &str) -> Self {
        self.label = shown(label);
        self
    }
}

/// What was made so far.
#[derive(Default)]
struct List {
    accepted: Accepted,
    offers: Vec<Offer>,
    notes: Vec<String>,
    seen: HashSet<Vec<u8>>,
}

impl List {
    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Takes a key in, unless it was there before or may not be shown.
    fn push(&mut self, mut offer: Offer) {
        if let Offered::Known(credential) = offer.key {
            if !self.seen.insert(credential.blob().to_vec()) {
                return;
            }
            match self.accepted.limit(&credential, &offer.label) {
                Ok(credential) => offer.key = Offered::Known(credential),
                Err(note) => return self.note(note),
            }
        }
        self.offers.push(offer);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sealed::tests::Told;
    use super::*;
    use crate::crypto::preferences::default_user_key;
    use crate::keys::certificate::{CertificateDraft, CertificateKind};
    use crate::keys::test_support::{fixture, TestRandom};
    use crate::keys::KeyKind;
    use zeroize::Zeroizing;

    fn key() -> PrivateKey {
        PrivateKey::generate(KeyKind::Ed25519, 0, &mut TestRandom).unwrap()
    }

    fn certificate(key: &PublicKey) -> Certificate {
        let mut draft = CertificateDraft::new(CertificateKind::User, key.clone());
        draft.add_principal("user").unwrap();
        draft.sign(&self::key(), None, &mut TestRandom).unwrap()
    }

    /// The agent, which signs with the key itself.
    fn held(blob: &[u8], key: &PrivateKey, comment: &str) -> Held {
        let signer = Arc::new(SignsWith(key.clone().into()));
        Held {
            credential: Credential::new(blob, signer).unwrap(),
            comment: comment.to_owned(),
        }
    }

    fn holds(key: &PrivateKey, comment: &str) -> Held {
        held(key.public().blob(), key, comment)
    }

    fn file(path: &str, key: &PrivateKey) -> Identity {
        Identity {
            path: path.to_owned(),
            public: Some(key.public().clone()),
            secret: Secret::Here(key.clone()),
            certificate: None,
        }
    }

    fn absent(path: &str, key: &PrivateKey) -> Identity {
        Identity {
            secret: Secret::Absent(Some(format!("{path} is absent"))),
            ..file(path, key)
        }
    }

    fn with_certificate(mut identity: Identity) -> Identity {
        identity.certificate = identity.public.as_ref().map(certificate);
        identity
    }

    fn sealed(path: &str, told: &Told, public: Option<PublicKey>) -> Identity {
        let bytes = Zeroizing::new(fixture("ed25519.openssh.aes256-ctr"));
        let sealed = Sealed::new(path, bytes, public.clone(), Box::new(told.clone()));
        Identity {
            path: path.to_owned(),
            public,
            secret: Secret::Sealed(Arc::new(sealed)),
            certificate: None,
        }
    }

    fn all() -> Material {
        Material {
            accepted: accepted(default_user_key()),
            ..Material::default()
        }
    }

    fn accepted(algorithms: Vec<&'static str>) -> Accepted {
        Accepted {
            algorithms,
            min_rsa_bits: 2048,
        }
    }

    fn labels(offers: &[Offer]) -> Vec<&str> {
        offers.iter().map(|offer| offer.label.as_str()).collect()
    }

    fn known(offer: &Offer) -> &Credential {
        match &offer.key {
            Offered::Known(credential) => credential,
            Offered::Hidden => panic!("hidden"),
        }
    }

    /// The lists that `ssh -v` shows for the same material.
    #[test]
    fn the_order_is_that_of_ssh() {
        let keys: Vec<_> = (0..4).map(|_| key()).collect();
        let [a, b, c, d] = &keys[..] else {
            panic!("four")
        };
        let material = |identities_only| Material {
            identities: vec![
                file("c", c),
                with_certificate(file("b", b)),
                with_certificate(file("d", d)),
            ],
            held: vec![holds(a, "1"), holds(b, "2"), holds(c, "3")],
            identities_only,
            ..all()
        };
        let agents = |number: u8| format!("the agent's key {number}");
        let (two, three, one) = (agents(2), agents(3), agents(1));
        let (offers, notes) = material(false).into_offers();
        let files = ["b-cert.pub", "d", "d-cert.pub"];
        assert_eq!(
            labels(&offers),
            [&[two.as_str(), &three, &one], &files[..]].concat()
        );
        assert_eq!(notes, [""; 0]);
        let (offers, _) = material(true).into_offers();
        assert_eq!(
            labels(&offers),
            [&[two.as_str(), &three], &files[..]].concat()
        );
        // Certificates that are named come before everything.
        let mut material = material(false);
        material.certificates = vec![("named".to_owned(), certificate(d.public()))];
        material.identities.truncate(1);
        material.identities.push(file("d", d));
        let (offers, _) = material.into_offers();
        assert_eq!(labels(&offers), ["named", &three, &one, &two, "d"]);
    }

    #[test]
    fn certificates_are_signed_for_by_whoever_has_the_key() {
        let (in_agent, in_file, nowhere) = (key(), key(), key());
        let certified = certificate(in_agent.public());
        for (identities, held) in [
            (vec![], vec![holds(&in_agent, "key")]),
            (
                vec![],
                vec![held(certified.blob(), &in_agent, "certificate")],
            ),
            (vec![file("file", &in_agent)], vec![]),
        ] {
            let material = Material {
                certificates: vec![("certificate".to_owned(), certified.clone())],
                identities,
                held,
                // The certificate is named, so its key may be the agent's.
                identities_only: true,
                ..all()
            };
            let (offers, notes) = material.into_offers();
            assert_eq!((offers[0].label.as_str(), notes.len()), ("certificate", 0));
            let credential = known(&offers[0]);
            assert_eq!(credential.blob(), certified.blob());
            let name = credential.algorithms()[0].name;
            let signature = credential.sign(name, b"data").unwrap();
            assert!(in_agent.public().verify("ssh-ed25519", b"data", &signature));
        }
        let material = Material {
            certificates: vec![("lost".to_owned(), certificate(nowhere.public()))],
            identities: vec![file("file", &in_file)],
            ..all()
        };
        let (offers, notes) = material.into_offers();
        assert_eq!(labels(&offers), ["file"]);
        assert!(notes[0].starts_with("lost is not used"), "{notes:?}");
    }

    #[test]
    fn a_public_file_is_a_key_of_the_agent_or_none() {
        let (has, lacks) = (key(), key());
        let material = Material {
            identities: vec![absent("has.pub", &has), absent("lacks.pub", &lacks)],
            held: vec![holds(&has, "it")],
            identities_only: true,
            ..all()
        };
        let (offers, notes) = material.into_offers();
        assert_eq!(labels(&offers), ["the agent's key it"]);
        assert_eq!(notes, ["lacks.pub is absent"]);
    }

    #[test]
    fn each_key_is_offered_once() {
        let key = key();
        let twice = || vec![file("first", &key), file("second", &key)];
        let material = Material {
            identities: twice(),
            ..all()
        };
        assert_eq!(labels(&material.into_offers().0), ["first"]);
        let material = Material {
            identities: twice(),
            held: vec![holds(&key, "a"), holds(&key, "b")],
            ..all()
        };
        assert_eq!(labels(&material.into_offers().0), ["the agent's key a"]);
    }

    #[test]
    fn nothing_is_asked_before_a_signature_is_wanted() {
        let told = Told::new(&["correct horse"]);
        let (public, _) = PublicKey::load(&fixture("ed25519.pub")).unwrap();
        let material = Material {
            identities: vec![
                with_certificate(sealed("open", &told, Some(public.clone()))),
                sealed("hidden", &told, None),
            ],
            ..all()
        };
        let (offers, _) = material.into_offers();
        assert_eq!(labels(&offers), ["open", "open-cert.pub", "hidden"]);
        assert!(matches!(offers[2].key, Offered::Hidden));
        assert_eq!(told.asked(), 0);
        for offer in &offers[..2] {
            assert!(known(offer).signs_elsewhere() && offer.sealed().is_some());
            let name = known(offer).algorithms()[0].name;
            let signature = known(offer).sign(name, b"data").unwrap();
            assert!(public.verify("ssh-ed25519", b"data", &signature));
        }
        assert_eq!(told.asked(), 1);
    }

    #[test]
    fn algorithms_that_are_not_accepted_leave_keys_out() {
        let rsa = PrivateKey::load(&fixture("rsa.openssh"), None).unwrap();
        let material = Material {
            identities: vec![file("a", &key()), file("b", &rsa)],
            accepted: accepted(vec!["rsa-sha2-256", "rsa-sha2-512"]),
            ..all()
        };
        let (offers, notes) = material.into_offers();
        assert_eq!(labels(&offers), ["b"]);
        let names: Vec<_> = known(&offers[0])
            .algorithms()
            .iter()
            .map(|own| own.name)
            .collect();
        assert_eq!(names, ["rsa-sha2-256", "rsa-sha2-512"]);
        assert!(notes[0].contains("PubkeyAcceptedAlgorithms"), "{notes:?}");
    }

    #[test]
    fn rsa_keys_that_are_too_short_are_left_out() {
        let rsa = PrivateKey::load(&fixture("rsa.openssh"), None).unwrap();
        let bits = rsa.public().bits();
        let other = key();
        let certified = certificate(rsa.public());
        let offers = |min_rsa_bits| {
            let material = Material {
                certificates: vec![("certificate".to_owned(), certified.clone())],
                identities: vec![file("other", &other), file("rsa", &rsa)],
                accepted: Accepted {
                    min_rsa_bits,
                    ..accepted(default_user_key())
                },
                ..all()
            };
            material.into_offers()
        };
        let (all, notes) = offers(bits);
        assert_eq!(labels(&all), ["certificate", "other", "rsa"]);
        assert_eq!(notes, [""; 0]);
        let (left, notes) = offers(bits + 1);
        assert_eq!(labels(&left), ["other"]);
        for (note, label) in notes.iter().zip(["certificate", "rsa"]) {
            let why = format!("{label} is not used: it has {bits} bits, ");
            assert!(note.starts_with(&why), "{note}");
        }
        assert_eq!(notes.len(), 2);
        // An agent may have shorter ones than could be read from a file.
        let blob = crate::codec::Writer::collect(|w| {
            w.string("ssh-rsa").mpint(&[3]).mpint(&[0xff; 128]);
        });
        let material = Material {
            held: vec![held(&blob, &rsa, "short")],
            ..self::all()
        };
        let (offers, notes) = material.into_offers();
        assert!(offers.is_empty() && notes[0].contains("it has 1024 bits"));
    }
}
