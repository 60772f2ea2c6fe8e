//! known_hosts as a transport's judge of its server's key.

use std::sync::Arc;

use super::{Hashing, Host, Judgement, KnownHosts, Verdict};
use crate::crypto::algorithms;
use crate::driver::sync::Mutex;
use crate::driver::{unix_time, HostKeyChange, HostKeyJudge, Judged, KeyUpdates};
use crate::error::{Error, HostKeyFault};
use crate::keys::certificate::{CertificateCheck, CertificateKind};
use crate::keys::{FingerprintHash, PublicKey, ShownKey};

/// Known hosts, and the one that a transport leads to.
pub struct Attached {
    known: Arc<KnownHosts>,
    host: Host,
    /// That of fingerprints in faults.
    hash: FingerprintHash,
    /// Those that authorities may have signed with.
    algorithms: Vec<&'static str>,
    /// A leaf.
    judgement: Mutex<Option<Judgement>>,
}

impl Attached {
    /// For a transport to `host`.
    pub fn new(known: Arc<KnownHosts>, host: Host) -> Self {
        Attached {
            known,
            host,
            hash: FingerprintHash::Sha256,
            algorithms: algorithms::user_signatures().to_vec(),
            judgement: Mutex::new(None),
        }
    }

    /// The same, whose faults have fingerprints by this hash.
    pub fn with_hash(self, hash: FingerprintHash) -> Self {
        Attached { hash, ..self }
    }

    /// The same, for which certificates count that were signed with one of these algorithms, of those that count at all.
    pub fn with_authority_algorithms(self, algorithms: Vec<&'static str>) -> Self {
        Attached { algorithms, ..self }
    }

    /// What follows from the certificate alone; `None` where its authority is unknown, so that the key must do.
    fn judge_certificate(&self, shown: &ShownKey) -> Result<Option<Judged>, Error> {
        let Some(certificate) = &shown.certificate else {
            return Ok(None);
        };
        let authority = certificate.authority();
        let judgement = self.known.judge_authority(&self.host, authority)?;
        let judged = match judgement.verdict {
            Verdict::Match => {
                let wanted = CertificateCheck {
                    kind: CertificateKind::Host,
                    principals: &[self.host.bare_name()],
                    now: unix_time(),
                    address: None,
                };
                let checked = certificate.check_algorithm(&self.algorithms);
                // Whoever is known to be the authority of a host has the last word on its keys.
                match checked.and_then(|()| certificate.check(&wanted)) {
                    Ok(_) => Judged::Accept,
                    Err(fault) => Judged::Refuse(HostKeyFault::Certificate {
                        host: self.host.name().to_owned(),
                        fault: Box::new(fault),
                    }),
                }
            }
            Verdict::Revoked => Judged::Refuse(judgement.fault(&self.host, authority, self.hash)),
            Verdict::Unknown | Verdict::OtherTypeKnown | Verdict::Changed => return Ok(None),
        };
        *self.judgement.lock() = Some(judgement);
        Ok(Some(judged))
    }

    /// What came out, once the server has shown its key.
    pub fn judgement(&self) -> Option<Judgement> {
        self.judgement.lock().clone()
    }
}

impl HostKeyJudge for Attached {
    fn order(&self, offered: &[&'static str]) -> Result<Vec<&'static str>, Error> {
        self.known.order(&self.host, offered)
    }

    fn judge(&self, shown: &ShownKey) -> Result<Judged, Error> {
        let key = &shown.key;
        let judgement = self.known.judge(&self.host, key)?;
        if judgement.verdict != Verdict::Revoked {
            if let Some(judged) = self.judge_certificate(shown)? {
                return Ok(judged);
            }
        }
        let fault = judgement.fault(&self.host, key, self.hash);
        let judged = match judgement.verdict {
            Verdict::Match => Judged::Accept,
            Verdict::Unknown => Judged::Ask(fault),
            // What is known was offered first, so a server that shows another type has lost the key that it had, or is
            // another one. OpenSSH draws no line between this and a changed key.
            Verdict::OtherTypeKnown | Verdict::Changed | Verdict::Revoked => Judged::Refuse(fault),
        };
        *self.judgement.lock() = Some(judgement);
        Ok(judged)
    }

    fn updates(&self) -> KeyUpdates {
        KeyUpdates::Ask
    }

    fn compare(&self, offered: &[PublicKey]) -> Result<Option<HostKeyChange>, Error> {
        match self.judgement() {
            Some(judgement) => self.known.compare(&self.host, &judgement, offered),
            // Something else has decided about the server's key.
            None => Ok(None),
        }
    }

    fn keep(&self, change: &HostKeyChange) -> Result<(), Error> {
        self.known.change_keys(&self.host, change, Hashing::AsThere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::error::{CertificateFault, KnownKeys};
    use crate::keys::certificate::CertificateDraft;
    use crate::keys::{Certificate, KeyKind, PrivateKey};

    fn key() -> PrivateKey {
        PrivateKey::generate(KeyKind::Ed25519, 0, &mut SystemRandom).unwrap()
    }

    fn line(names: &str, key: &PrivateKey) -> String {
        format!("{names} {}\n", key.public().to_line(""))
    }

    /// A certificate of `key` by `authority`, for "host", with changes.
    fn certify(
        key: &PrivateKey,
        authority: &PrivateKey,
        change: impl FnOnce(&mut CertificateDraft),
    ) -> Certificate {
        let mut draft = CertificateDraft::new(CertificateKind::Host, key.public().clone());
        draft.add_principal("host").unwrap();
        change(&mut draft);
        draft.sign(authority, None, &mut SystemRandom).unwrap()
    }

    fn judged(known_hosts: &str, key: &PrivateKey, certificate: Certificate) -> Judged {
        let known = KnownHosts::default();
        known.add_text(known_hosts.as_bytes()).unwrap();
        let attached = Attached::new(Arc::new(known), Host::new("host", 2222).unwrap());
        let shown = ShownKey {
            key: key.public().clone(),
            certificate: Some(certificate),
        };
        attached.judge(&shown).unwrap()
    }

    /// An authority that is known for the host has the last word: the plain key helps nothing, even if it is known.
    #[test]
    fn a15_bad_certificates_of_a_known_authority_are_refused() {
        let (host, authority) = (key(), key());
        let known = format!(
            "@cert-authority {}{}",
            line("host", &authority),
            line("[host]:2222", &host)
        );
        let good = certify(&host, &authority, |_| {});
        assert!(matches!(judged(&known, &host, good), Judged::Accept));
        let draft = |kind| CertificateDraft::new(kind, host.public().clone());
        type Change<'a> = Box<dyn FnOnce(&mut CertificateDraft) + 'a>;
        let changes: Vec<(&str, Change<'_>)> = vec![
            (
                "expired",
                Box::new(|draft| draft.set_validity(0, 1).unwrap()),
            ),
            (
                "not valid before",
                Box::new(|draft| draft.set_validity(u64::MAX - 1, u64::MAX).unwrap()),
            ),
            (
                "it is for a user",
                Box::new(|changed| *changed = draft(CertificateKind::User)),
            ),
            (
                "unknown critical option",
                Box::new(|draft| draft.set_critical_option("new@example.org", None).unwrap()),
            ),
        ];
        for (what, change) in changes {
            let bad = certify(&host, &authority, change);
            let Judged::Refuse(HostKeyFault::Certificate { fault, .. }) =
                judged(&known, &host, bad)
            else {
                panic!("{what}")
            };
            assert!(fault.to_string().contains(what), "{what}: {fault}");
        }
        for names in [&[][..], &["other"], &["hos"], &["[host]:2222"]] {
            let mut draft = draft(CertificateKind::Host);
            for name in names {
                draft.add_principal(name).unwrap();
            }
            let bad = draft.sign(&authority, None, &mut SystemRandom).unwrap();
            let judged = judged(&known, &host, bad);
            assert!(matches!(judged, Judged::Refuse(_)), "{names:?}");
        }
    }

    #[test]
    fn authorities_sign_with_what_is_accepted() {
        let (host, authority) = (key(), key());
        let known = Arc::new(KnownHosts::default());
        let lines = format!(
            "@cert-authority {}{}",
            line("host", &authority),
            line("host", &host)
        );
        known.add_text(lines.as_bytes()).unwrap();
        let shown = ShownKey {
            key: host.public().clone(),
            certificate: Some(certify(&host, &authority, |_| {})),
        };
        for (algorithms, accepted) in [
            (vec!["rsa-sha2-512", "ssh-ed25519"], true),
            (vec!["rsa-sha2-512"], false),
            (vec![], false),
        ] {
            let attached = Attached::new(Arc::clone(&known), Host::new("host", 22).unwrap())
                .with_authority_algorithms(algorithms);
            let fault = match attached.judge(&shown).unwrap() {
                Judged::Accept => None,
                Judged::Refuse(HostKeyFault::Certificate { fault, .. }) => Some(*fault),
                _ => panic!("neither accepted nor refused"),
            };
            let expected = CertificateFault::Algorithm("ssh-ed25519".to_owned());
            assert_eq!(fault, (!accepted).then_some(expected));
        }
    }

    #[test]
    fn a15_revoked_and_unknown_authorities_of_a_host() {
        let (host, authority) = (key(), key());
        let trusted = format!("@cert-authority {}", line("*", &authority));
        let shown = certify(&host, &authority, |_| {});
        let itself = shown.to_line("");
        for revoked in [
            line("host", &authority),
            line("*", &host),
            format!("* {itself}\n"),
        ] {
            let known = format!("{trusted}@revoked {revoked}");
            let judged = judged(&known, &host, shown.clone());
            let Judged::Refuse(HostKeyFault::Known(fault)) = judged else {
                panic!("{revoked}")
            };
            assert_eq!(fault.known, KnownKeys::Revoked);
        }
        // Where the authority is not known, the key must be.
        for (known, accepted) in [
            (line("host", &host), true),
            (String::new(), false),
            (
                format!("@cert-authority {}", line("other", &authority)),
                false,
            ),
            (format!("@cert-authority {}", line("*", &host)), false),
        ] {
            let judged = judged(&known, &host, certify(&host, &authority, |_| {}));
            assert_eq!(matches!(judged, Judged::Accept), accepted, "{known}");
            assert!(accepted || matches!(judged, Judged::Ask(_)), "{known}");
        }
    }
}
