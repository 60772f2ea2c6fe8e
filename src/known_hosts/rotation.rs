//! A host that changes its keys: what its own list of them means for the files, and new content for them.
//!
//! As OpenSSH does it, a file is left alone wherever the change would concern more than this host, or what a person wrote by
//! hand: patterns, markers, lines of several hosts, and keys that are known under other names too.

use super::document::{lines, Document};
use super::edit::{append, NewLine};
use super::line::Line;
use super::{names, Host, Marker};
use crate::crypto::random::Random;
use crate::error::Error;
use crate::keys::PublicKey;

/// What a list of keys changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// The files may be changed so.
    Change(Keys),
    /// They are left alone, because of this.
    LeaveAlone(&'static str),
}

/// Keys of the host by what becomes of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) known: Vec<PublicKey>,
    pub(super) added: Vec<PublicKey>,
    pub(super) gone: Vec<PublicKey>,
}

/// Compares a host's own list with the user's files. Keys of the host that are of no use here count for nothing, and stay.
pub(super) fn compare(documents: &[Document], host: &Host, offered: &[PublicKey]) -> Comparison {
    let mut keys = Keys::default();
    let mut elsewhere: Vec<PublicKey> = Vec::new();
    for line in documents.iter().flat_map(|document| lines(&document.bytes)) {
        let Line::Entry(raw) = Line::judged(line) else {
            continue;
        };
        let Some(key) = raw.read_key().ok().and_then(|(key, _)| key.usable()) else {
            continue;
        };
        if !names::matches(raw.names, host.name()).unwrap_or(false) {
            elsewhere.push(key);
        } else if raw.marker != Marker::None {
            return Comparison::LeaveAlone("an authority or a revoked key stands for the host");
        } else if names::are_elaborate(raw.names) {
            return Comparison::LeaveAlone("a pattern or a list of names stands for the host");
        } else if offered.contains(&key) {
            push_once(&mut keys.known, key);
        } else {
            push_once(&mut keys.gone, key);
        }
    }
    if elsewhere
        .iter()
        .any(|key| offered.contains(key) || keys.gone.contains(key))
    {
        return Comparison::LeaveAlone("a key of the host is known under another name too");
    }
    let is_new = |key: &&PublicKey| !keys.known.contains(key);
    keys.added = offered.iter().filter(is_new).cloned().collect();
    Comparison::Change(keys)
}

fn push_once(keys: &mut Vec<PublicKey>, key: PublicKey) {
    if !keys.contains(&key) {
        keys.push(key);
    }
}

/// How new lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashing {
    /// With the name as it is.
    Plain,
    /// With the name hashed.
    Hashed,
    /// As the host's lines in the file are.
    AsThere,
}

/// The content with new keys behind the rest, and without the lines of those that are gone; `None` when nothing changes.
pub(super) fn change(
    bytes: &[u8],
    host: &Host,
    (added, gone): (&[PublicKey], &[PublicKey]),
    hashing: Hashing,
    random: &mut dyn Random,
) -> Result<Option<Vec<u8>>, Error> {
    let mut new = Vec::with_capacity(bytes.len());
    let mut is_hashed = hashing == Hashing::Hashed;
    let mut there = Vec::new();
    for line in lines(bytes) {
        if let Line::Entry(raw) = Line::parse(line) {
            let named = raw.marker == Marker::None
                && names::matches(raw.names, host.name()).unwrap_or(false);
            let key = raw.read_key().ok().and_then(|(key, _)| key.usable());
            if let Some(key) = key.filter(|_| named) {
                is_hashed |= hashing == Hashing::AsThere && raw.names.first() == Some(&b'|');
                // What a person wrote since it was looked at stays.
                if gone.contains(&key) && !names::are_elaborate(raw.names) {
                    continue;
                }
                there.push(key);
            }
        }
        new.extend_from_slice(line);
    }
    for key in added.iter().filter(|key| !there.contains(key)) {
        let line = NewLine {
            marker: Marker::None,
            names: host.name(),
            key,
            comment: "",
            hashed: is_hashed,
        };
        append(&mut new, &line.text(random)?);
    }
    Ok((new != bytes).then_some(new))
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::line_of;
    use super::*;
    use crate::crypto::random::SeededRandom;
    use crate::keys::test_support::fixture;

    fn keys(kinds: &[&str]) -> Vec<PublicKey> {
        let key = |kind: &&str| PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0;
        kinds.iter().map(key).collect()
    }

    fn compared(text: &str, offered: &[&str]) -> Comparison {
        let host = Host::new("host", 22).unwrap();
        compare(&[Document::of(text)], &host, &keys(offered))
    }

    fn hashed(name: &str, kind: &str) -> String {
        line_of(&names::hash(name, &mut SeededRandom::new(7)), kind)
    }

    #[test]
    fn known_new_and_gone() {
        let text = [
            line_of("host", "ed25519"),
            hashed("host", "p256"),
            line_of("other", "p521"),
            line_of("host", "p384"),
            line_of("host,10.0.0.1", "p384"),
            "host ssh-new AAAA\n".into(),
        ]
        .concat();
        let change = |known: &[&str], added: &[&str], gone: &[&str]| {
            Comparison::Change(Keys {
                known: keys(known),
                added: keys(added),
                gone: keys(gone),
            })
        };
        assert_eq!(
            compared(&text, &["ed25519", "rsa"]),
            change(&["ed25519"], &["rsa"], &["p256", "p384"])
        );
        assert_eq!(
            compared(&text, &["p384", "p256", "ed25519"]),
            change(&["ed25519", "p256", "p384"], &[], &[])
        );
        assert_eq!(compared("", &["rsa"]), change(&[], &["rsa"], &[]));
    }

    #[test]
    fn g3_files_are_left_alone_where_more_than_the_host_is_concerned() {
        let own = line_of("host", "ed25519");
        for (other, offered) in [
            (
                format!("@cert-authority {}", line_of("host", "rsa")),
                "p256",
            ),
            (format!("@revoked {}", line_of("*", "rsa")), "p256"),
            (line_of("h*", "rsa"), "p256"),
            (line_of("hos?", "rsa"), "p256"),
            (line_of("host,one,two", "rsa"), "p256"),
            // A key that the host has, under another name.
            (line_of("another", "p256"), "p256"),
            (hashed("another", "p256"), "p256"),
            (format!("@revoked {}", line_of("another", "p256")), "p256"),
            // A key that the host has no longer, under another name.
            (line_of("host", "rsa") + &line_of("another", "rsa"), "p256"),
        ] {
            let text = own.clone() + &other;
            let found = compared(&text, &["ed25519", offered]);
            assert!(matches!(found, Comparison::LeaveAlone(_)), "{text}");
        }
    }

    #[test]
    fn new_content() {
        let mut random = SeededRandom::new(3);
        let host = Host::new("host", 2222).unwrap();
        let name = host.name();
        let mut changed = |text: &str, added: &[&str], gone: &[&str], hashing| {
            let (added, gone) = (keys(added), keys(gone));
            change(
                text.as_bytes(),
                &host,
                (&added, &gone),
                hashing,
                &mut random,
            )
            .unwrap()
            .map(|new| String::from_utf8(new).unwrap())
        };
        let others = format!(
            "# text\r\n{}{}@revoked {}{}",
            line_of("host", "rsa"),
            line_of("[*]:2222", "rsa"),
            line_of(name, "rsa"),
            line_of(name, "ed25519"),
        );
        let text = others.clone() + line_of(name, "rsa").trim_end();
        let plain = changed(&text, &["p256", "ed25519"], &["rsa"], Hashing::AsThere).unwrap();
        let rest = plain.strip_prefix(&others).unwrap();
        assert!(
            rest.starts_with("[host]:2222 ecdsa-sha2-nistp256 "),
            "{rest}"
        );
        assert_eq!(rest.lines().count(), 1);
        assert_eq!(changed(&plain, &["p256"], &["rsa"], Hashing::AsThere), None);

        let text = hashed(name, "ed25519");
        let more = changed(&text, &["p256"], &[], Hashing::AsThere).unwrap();
        assert!(more.lines().all(|line| line.starts_with("|1|")), "{more}");
        let more = changed(&text, &["p256"], &["ed25519"], Hashing::Plain).unwrap();
        assert!(more.starts_with("[host]:2222 "), "{more}");
        let more = changed("", &["p256"], &[], Hashing::Hashed).unwrap();
        assert!(more.starts_with("|1|"), "{more}");
    }
}
