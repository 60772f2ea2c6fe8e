//! StrictHostKeyChecking: what is made of what known hosts say.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use super::update_host_keys;
use crate::config::Resolved;
use crate::crypto::algorithms::{self, apply};
use crate::crypto::sign::rsa;
use crate::driver::{HostKeyChange, HostKeyJudge, Judged, KeyUpdates, TransportOptions};
use crate::error::Error;
use crate::keys::{FingerprintHash, PublicKey, ShownKey};
use crate::known_hosts::{Attached, Hashing, Host, KnownHosts, Marker, NewLine, Verdict};

/// How strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// Nothing new, nothing changed.
    Yes,
    /// The application says what becomes of a new key.
    Ask,
    /// A new key is kept.
    AcceptNew,
    /// That, and a changed one is let pass, but nothing secret is sent.
    No,
}

/// How people are told of keys: FingerprintHash.
pub(super) fn hash_of(resolved: &Resolved) -> FingerprintHash {
    match resolved.text("FingerprintHash") {
        Some("md5") => FingerprintHash::Md5,
        _ => FingerprintHash::Sha256,
    }
}

/// The bits that RSA keys of hosts and of the user have at least: RequiredRSASize, which can ask for more than is wanted in
/// any case, and not for less.
pub(super) fn min_rsa_bits(resolved: &Resolved) -> u32 {
    let required = resolved.number("RequiredRSASize").unwrap_or(0);
    u32::try_from(required)
        .unwrap_or(u32::MAX)
        .max(rsa::MIN_BITS)
}

/// What authorities may have signed certificates of hosts with: CASignatureAlgorithms.
fn authority_algorithms(resolved: &Resolved) -> Result<Vec<&'static str>, Error> {
    let usual = algorithms::user_signatures();
    let values = resolved.values("CASignatureAlgorithms");
    let Some(value) = values.and_then(<[_]>::first) else {
        return Ok(usual.to_vec());
    };
    apply(&usual, &usual, &value.text).map_err(|unknown| value.fault(unknown.to_string()))
}

/// The judge of one transport's host key.
pub(super) struct Policy(Option<Arc<Judge>>);

struct Judge {
    attached: Arc<Attached>,
    known: Arc<KnownHosts>,
    host: Host,
    strictness: Strictness,
    /// Whether new keys are written, and with a hashed name.
    keeps: bool,
    hashes: bool,
    /// Who decides about the server's other keys.
    updates: KeyUpdates,
    /// Whether a key was let pass that is not the known one.
    is_doubtful: AtomicBool,
}

impl Policy {
    /// `is_local` says that the connection goes straight to this machine.
    pub(super) fn new(resolved: &Resolved, is_local: bool) -> Result<Self, Error> {
        if is_local
            && resolved.is_yes("NoHostAuthenticationForLocalhost")
            && resolved.text("HostKeyAlias").is_none()
        {
            return Ok(Policy(None));
        }
        let known = Arc::new(KnownHosts::default());
        for file in resolved.texts("UserKnownHostsFile") {
            known.add_file(Path::new(file))?;
        }
        for file in resolved.texts("GlobalKnownHostsFile") {
            known.add_system_file(Path::new(file))?;
        }
        let host = match resolved.text("HostKeyAlias") {
            Some(alias) => Host::new(alias, 0),
            None => Host::new(resolved.host_name(), resolved.port()),
        }?;
        let strictness = match resolved.text("StrictHostKeyChecking") {
            Some("no") => Strictness::No,
            Some("accept-new") => Strictness::AcceptNew,
            Some("ask") if !resolved.is_yes("BatchMode") => Strictness::Ask,
            _ => Strictness::Yes,
        };
        Ok(Policy(Some(Arc::new(Judge {
            attached: Arc::new(
                Attached::new(Arc::clone(&known), host.clone())
                    .with_hash(hash_of(resolved))
                    .with_authority_algorithms(authority_algorithms(resolved)?),
            ),
            known,
            host,
            strictness,
            // What the system knows is not for users to add to.
            keeps: resolved.texts("UserKnownHostsFile").next().is_some(),
            hashes: resolved.is_yes("HashKnownHosts"),
            updates: update_host_keys::of(resolved),
            is_doubtful: AtomicBool::new(false),
        }))))
    }

    pub(super) fn attached(&self) -> Option<Arc<Attached>> {
        self.0.as_ref().map(|judge| Arc::clone(&judge.attached))
    }

    pub(super) fn install(&self, options: &mut TransportOptions) {
        match &self.0 {
            Some(judge) => {
                let judge: Arc<dyn HostKeyJudge> = judge.clone();
                options.host_key_judge = Some(judge);
            }
            // What was asked for by NoHostAuthenticationForLocalhost.
            None => options.insecure_accept_any_host_key = true,
        }
    }

    /// Whether whoever it is must not be sent a secret.
    pub(super) fn is_doubtful(&self) -> bool {
        self.0.as_ref().is_some_and(|judge| judge.is_doubtful())
    }

    /// The application has accepted the key: from now on the host is known. A note when it cannot be written down.
    pub(super) fn accepted(&self, key: Option<PublicKey>) -> Option<String> {
        let judge = self
            .0
            .as_ref()
            .filter(|judge| judge.strictness == Strictness::Ask)?;
        let unknown = judge
            .attached
            .judgement()
            .is_some_and(|found| found.verdict == Verdict::Unknown);
        judge.keep(&key.filter(|_| unknown)?)
    }
}

impl Judge {
    fn keep(&self, key: &PublicKey) -> Option<String> {
        let line = NewLine {
            marker: Marker::None,
            names: self.host.name(),
            key,
            comment: "",
            hashed: self.hashes,
        };
        let written = self.keeps.then(|| self.known.add_line(&line))?;
        written
            .err()
            .map(|error| format!("the host key is not kept: {error}"))
    }
}

impl HostKeyJudge for Judge {
    fn order(&self, offered: &[&'static str]) -> Result<Vec<&'static str>, Error> {
        self.attached.order(offered)
    }

    fn judge(&self, shown: &ShownKey) -> Result<Judged, Error> {
        let judged = self.attached.judge(shown)?;
        let verdict = self.attached.judgement().map(|judgement| judgement.verdict);
        Ok(match (judged, self.strictness) {
            (Judged::Ask(fault), Strictness::Yes) => Judged::Refuse(fault),
            (Judged::Ask(_), Strictness::AcceptNew | Strictness::No) => {
                // A file that cannot be written is no reason not to connect, for ssh neither.
                let _ = self.keep(&shown.key);
                Judged::Accept
            }
            // Another key than the known one, and nothing worse: neither a revoked one nor a bad certificate.
            (Judged::Refuse(_), Strictness::No)
                if matches!(verdict, Some(Verdict::Changed | Verdict::OtherTypeKnown)) =>
            {
                self.is_doubtful.store(true, Ordering::Relaxed);
                Judged::Accept
            }
            (judged, _) => judged,
        })
    }

    fn is_doubtful(&self) -> bool {
        self.is_doubtful.load(Ordering::Relaxed)
    }

    fn updates(&self) -> KeyUpdates {
        self.updates
    }

    fn compare(&self, offered: &[PublicKey]) -> Result<Option<HostKeyChange>, Error> {
        // As for ssh: a key that was taken without asking anybody vouches for no others.
        let verdict = self.attached.judgement().map(|judgement| judgement.verdict);
        let is_confirmed = verdict == Some(Verdict::Match) || self.strictness == Strictness::Ask;
        match is_confirmed {
            true => self.attached.compare(offered),
            false => Ok(None),
        }
    }

    fn keep(&self, change: &HostKeyChange) -> Result<(), Error> {
        let hashing = match self.hashes {
            true => Hashing::Hashed,
            false => Hashing::Plain,
        };
        self.known.change_keys(&self.host, change, hashing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::keys::certificate::{CertificateDraft, CertificateKind};
    use crate::keys::{KeyKind, PrivateKey};
    use crate::known_hosts::Folder;

    fn key(kind: KeyKind) -> PrivateKey {
        PrivateKey::generate(kind, 0, &mut SystemRandom).unwrap()
    }

    fn judge(known_hosts: &str, strictness: Strictness) -> Judge {
        let known = Arc::new(KnownHosts::default());
        known.add_text(known_hosts.as_bytes()).unwrap();
        let host = Host::new("host", 22).unwrap();
        Judge {
            attached: Arc::new(Attached::new(Arc::clone(&known), host.clone())),
            known,
            host,
            strictness,
            keeps: false,
            hashes: false,
            updates: KeyUpdates::Always,
            is_doubtful: AtomicBool::new(false),
        }
    }

    fn bare(key: &PrivateKey) -> ShownKey {
        ShownKey {
            key: key.public().clone(),
            certificate: None,
        }
    }

    /// A certificate for another host.
    fn misused(key: &PrivateKey, authority: &PrivateKey) -> ShownKey {
        let mut draft = CertificateDraft::new(CertificateKind::Host, key.public().clone());
        draft.add_principal("another").unwrap();
        let certificate = draft.sign(authority, None, &mut SystemRandom).unwrap();
        ShownKey {
            key: key.public().clone(),
            certificate: Some(certificate),
        }
    }

    #[test]
    fn keys_that_nobody_confirmed_vouch_for_no_others() {
        let (known, other) = (key(KeyKind::Ed25519), key(KeyKind::EcdsaP256));
        let folder = Folder::new();
        let file = folder.0.join("known_hosts");
        let line = format!("host {}\n", known.public().to_line(""));
        let offered = [known.public().clone(), other.public().clone()];
        for (text, strictness, changes) in [
            (line.as_str(), Strictness::Yes, true),
            (line.as_str(), Strictness::AcceptNew, true),
            (line.as_str(), Strictness::No, true),
            ("", Strictness::Ask, true),
            ("", Strictness::AcceptNew, false),
            ("", Strictness::No, false),
        ] {
            std::fs::write(&file, text).unwrap();
            let judge = judge("", strictness);
            judge.known.add_file(&file).unwrap();
            judge.judge(&bare(&known)).unwrap();
            let change = judge.compare(&offered).unwrap();
            assert_eq!(change.is_some(), changes, "{strictness:?} {text}");
        }
    }

    #[test]
    fn not_strict_is_no_licence() {
        let (known, shown, other) = (
            key(KeyKind::Ed25519),
            key(KeyKind::Ed25519),
            key(KeyKind::EcdsaP256),
        );
        let line = known.public().to_line("");
        let host = format!("host {line}\n");
        // (what is known, what is shown, whether it passes, whether nothing secret is sent then)
        for (text, shown, passes, doubtful) in [
            (host.clone(), bare(&known), true, false),
            (String::new(), bare(&shown), true, false),
            (host.clone(), bare(&shown), true, true),
            (host, bare(&other), true, true),
            (
                format!("@revoked host {line}\n"),
                bare(&known),
                false,
                false,
            ),
            (
                format!("@cert-authority host {line}\n"),
                misused(&shown, &known),
                false,
                false,
            ),
        ] {
            let judge = judge(&text, Strictness::No);
            let judged = judge.judge(&shown).unwrap();
            assert_eq!(matches!(judged, Judged::Accept), passes, "{text}");
            assert!(passes || matches!(judged, Judged::Refuse(_)), "{text}");
            assert_eq!(
                judge.is_doubtful.load(Ordering::Relaxed),
                doubtful,
                "{text}"
            );
        }
    }
}
