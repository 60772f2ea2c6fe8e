//! What the files say about a key that a host shows.

use super::document::Document;
use super::{Entry, Host, Marker};
use crate::crypto::algorithms;
use crate::error::{HostKeyFault, KnownHostsFault, KnownKeys};
use crate::keys::{fingerprint, FingerprintHash, PublicKey};

/// What is known about a host and a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The host is known to have this key.
    Match,
    /// Nothing is known about the host.
    Unknown,
    /// The host is known to have keys, none of them of this type.
    OtherTypeKnown,
    /// The host is known to have another key of this type.
    Changed,
    /// The key is known to be in the wrong hands.
    Revoked,
}

/// A verdict and the line that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The line; `None` for [`Verdict::Unknown`].
    pub entry: Option<Entry>,
}

impl Judgement {
    const UNKNOWN: Self = Judgement {
        verdict: Verdict::Unknown,
        entry: None,
    };

    fn by(verdict: Verdict, entry: Entry) -> Self {
        Judgement {
            verdict,
            entry: Some(entry),
        }
    }

    /// What a person is told who is not let on, or may decide, with fingerprints by this hash.
    pub fn fault(&self, host: &Host, key: &PublicKey, hash: FingerprintHash) -> HostKeyFault {
        let expected = self.entry.as_ref().and_then(|entry| entry.key.usable());
        let known = match self.verdict {
            Verdict::Match | Verdict::Unknown => KnownKeys::None,
            Verdict::OtherTypeKnown => KnownKeys::OfOtherTypes,
            Verdict::Changed => KnownKeys::Another,
            Verdict::Revoked => KnownKeys::Revoked,
        };
        HostKeyFault::Known(Box::new(KnownHostsFault {
            known,
            host: host.name().to_owned(),
            key_type: key.key_type(),
            place: self.entry.as_ref().map_or_else(String::new, Entry::place),
            expected: expected.map_or_else(String::new, |key| fingerprint(key.blob(), hash)),
            found: fingerprint(key.blob(), hash),
        }))
    }
}

/// Judges a plain key. A revoked key is revoked whatever other lines say; then any line that has the key is enough.
pub(super) fn judge(documents: &[Document], host: &Host, key: &PublicKey) -> Judgement {
    let first = judge_name(documents, host.name(), key);
    let Some(bare) = &host.bare else {
        return first;
    };
    // As for OpenSSH, a host known under its bare name has the same key on every port. Another key on another port
    // is nothing to be alarmed at, though.
    let second = judge_name(documents, bare, key);
    match (first.verdict, second.verdict) {
        (_, Verdict::Revoked) => second,
        (Verdict::Unknown, Verdict::Match) => second,
        _ => first,
    }
}

fn judge_name(documents: &[Document], name: &str, key: &PublicKey) -> Judgement {
    let mut best = Judgement::UNKNOWN;
    for entry in entries(documents, name) {
        let same = entry.key.is(key);
        let verdict = match (entry.marker, same) {
            (Marker::Revoked, true) => return Judgement::by(Verdict::Revoked, entry),
            (Marker::None, true) => Verdict::Match,
            (Marker::None, false) if entry.key.key_type() == key.key_type() => Verdict::Changed,
            (Marker::None, false) => Verdict::OtherTypeKnown,
            (Marker::Revoked | Marker::Authority, _) => continue,
        };
        if weight(verdict) > weight(best.verdict) {
            best = Judgement::by(verdict, entry);
        }
    }
    best
}

fn weight(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Unknown => 0,
        Verdict::OtherTypeKnown => 1,
        Verdict::Changed => 2,
        Verdict::Match => 3,
        Verdict::Revoked => 4,
    }
}

/// Judges the key that signed a certificate of the host: [`Verdict::Match`] when it may, [`Verdict::Revoked`], or
/// [`Verdict::Unknown`].
pub(super) fn judge_authority(documents: &[Document], host: &Host, key: &PublicKey) -> Judgement {
    let mut best = Judgement::UNKNOWN;
    let names = std::iter::once(host.name()).chain(host.bare.as_deref());
    for entry in names.flat_map(|name| entries(documents, name)) {
        match (entry.marker, entry.key.is(key)) {
            (Marker::Revoked, true) => return Judgement::by(Verdict::Revoked, entry),
            (Marker::Authority, true) if best.entry.is_none() => {
                best = Judgement::by(Verdict::Match, entry);
            }
            _ => {}
        }
    }
    best
}

/// The names of host key algorithms, those first that lead to a key the host is known to have. Otherwise the order
/// stays. Where an authority is known, certificates come first.
pub(super) fn order<'a>(documents: &[Document], host: &Host, offered: &[&'a str]) -> Vec<&'a str> {
    let under = |name: &str| -> Vec<Entry> {
        entries(documents, name)
            .filter(|entry| entry.marker != Marker::Revoked)
            .collect()
    };
    let mut known = under(host.name());
    if let (true, Some(bare)) = (known.is_empty(), &host.bare) {
        known = under(bare);
    }
    // An authority says more than a key that somebody once saw.
    let rank = |name: &&str| {
        let leads = |entry: &&Entry| match entry.marker {
            Marker::Authority => name.ends_with("-cert-v01@openssh.com"),
            _ => key_type_of(name) == entry.key.key_type(),
        };
        let leading = known.iter().filter(leads);
        leading
            .map(|entry| u8::from(entry.marker != Marker::Authority))
            .min()
            .unwrap_or(2)
    };
    let mut ordered = offered.to_vec();
    ordered.sort_by_key(rank);
    ordered
}

/// The type of the keys that sign with an algorithm.
fn key_type_of(algorithm: &str) -> &str {
    algorithms::signature(algorithm).map_or(algorithm, |entry| entry.key_type)
}

fn entries<'a>(documents: &'a [Document], name: &'a str) -> impl Iterator<Item = Entry> + 'a {
    documents
        .iter()
        .flat_map(move |document| document.entries(Some(name)))
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::line_of;
    use super::*;
    use crate::keys::test_support::fixture;

    fn key(kind: &str) -> PublicKey {
        PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
    }

    fn verdict(text: &str, host: &str, port: u16, kind: &str) -> (Verdict, Option<u64>) {
        let host = Host::new(host, port).unwrap();
        let found = judge(&[Document::of(text)], &host, &key(kind));
        (found.verdict, found.entry.map(|entry| entry.line))
    }

    #[test]
    fn h2_five_verdicts_and_the_line_that_decided() {
        let text = [
            line_of("a", "p256"),
            line_of("a", "rsa"),
            line_of("a", "ed25519"),
            line_of("b", "rsa"),
            line_of("@revoked *", "p521"),
        ]
        .concat();
        for (host, kind, expected) in [
            ("a", "ed25519", (Verdict::Match, Some(3))),
            ("a", "rsa", (Verdict::Match, Some(2))),
            ("A", "rsa", (Verdict::Match, Some(2))),
            ("a", "rsa9216", (Verdict::Changed, Some(2))),
            ("a", "p384", (Verdict::OtherTypeKnown, Some(1))),
            ("b", "ed25519", (Verdict::OtherTypeKnown, Some(4))),
            ("c", "ed25519", (Verdict::Unknown, None)),
            ("c", "p521", (Verdict::Revoked, Some(5))),
        ] {
            assert_eq!(verdict(&text, host, 22, kind), expected, "{host} {kind}");
        }
    }

    #[test]
    fn h1_revoked_wins_wherever_it_stands() {
        let good = line_of("a", "ed25519");
        let revoked = line_of("@revoked a", "ed25519");
        for text in [[good.clone(), revoked.clone()], [revoked, good]] {
            let found = verdict(&text.concat(), "a", 22, "ed25519").0;
            assert_eq!(found, Verdict::Revoked);
        }
        let elsewhere = line_of("@revoked b", "ed25519") + &line_of("a", "ed25519");
        assert_eq!(verdict(&elsewhere, "a", 22, "ed25519").0, Verdict::Match);
        // An authority's key is no key of the host's.
        let authority = line_of("@cert-authority *", "ed25519");
        assert_eq!(verdict(&authority, "a", 22, "ed25519").0, Verdict::Unknown);
    }

    #[test]
    fn ports() {
        let bare = line_of("a", "ed25519");
        assert_eq!(verdict(&bare, "a", 2222, "ed25519").0, Verdict::Match);
        assert_eq!(verdict(&bare, "a", 2222, "rsa").0, Verdict::Unknown);
        let ported = line_of("[a]:2222", "rsa") + &bare;
        assert_eq!(verdict(&ported, "a", 2222, "rsa").1, Some(1));
        // Something is known under the full name, so that the bare one does not count.
        assert_eq!(
            verdict(&ported, "a", 2222, "ed25519"),
            (Verdict::OtherTypeKnown, Some(1))
        );
        assert_eq!(verdict(&ported, "a", 2222, "rsa9216").0, Verdict::Changed);
        assert_eq!(verdict(&ported, "a", 22, "rsa").0, Verdict::OtherTypeKnown);
        assert_eq!(verdict(&ported, "a", 2223, "p256").0, Verdict::Unknown);
        let revoked = line_of("@revoked a", "rsa");
        assert_eq!(verdict(&revoked, "a", 2222, "rsa").0, Verdict::Revoked);
    }

    #[test]
    fn authorities() {
        let text = line_of("@cert-authority *.org", "rsa") + &line_of("@revoked *", "p256");
        let found = |host: &str, kind: &str| {
            let host = Host::new(host, 22).unwrap();
            judge_authority(&[Document::of(&text)], &host, &key(kind)).verdict
        };
        assert_eq!(found("a.org", "rsa"), Verdict::Match);
        assert_eq!(found("a.com", "rsa"), Verdict::Unknown);
        assert_eq!(found("a.org", "ed25519"), Verdict::Unknown);
        assert_eq!(found("a.org", "p256"), Verdict::Revoked);
    }

    #[test]
    fn h2_known_types_come_first() {
        let offered = [
            "ssh-ed25519",
            "ecdsa-sha2-nistp256",
            "rsa-sha2-512",
            "rsa-sha2-256",
            "x-cert-v01@openssh.com",
        ];
        let ordered = |text: &str, port| {
            let host = Host::new("a", port).unwrap();
            order(&[Document::of(text)], &host, &offered)
        };
        assert_eq!(ordered("", 22), offered);
        let rsa = line_of("a", "rsa");
        let expected = [
            "rsa-sha2-512",
            "rsa-sha2-256",
            "ssh-ed25519",
            "ecdsa-sha2-nistp256",
            "x-cert-v01@openssh.com",
        ];
        assert_eq!(ordered(&rsa, 22), expected);
        assert_eq!(ordered(&rsa, 2222), expected);
        let other = rsa + &line_of("[a]:2222", "p256");
        assert_eq!(ordered(&other, 2222)[0], "ecdsa-sha2-nistp256");
        let authority = line_of("@cert-authority a", "rsa");
        assert_eq!(ordered(&authority, 22)[0], "x-cert-v01@openssh.com");
        let both = ordered(&(authority + &line_of("a", "ed25519")), 22);
        assert_eq!(both[..2], ["x-cert-v01@openssh.com", "ssh-ed25519"]);
        let revoked = line_of("@revoked a", "rsa");
        assert_eq!(ordered(&revoked, 22), offered);
    }
}
