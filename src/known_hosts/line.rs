//! One line of a known_hosts file: `[@marker] names type base64 [comment]`.

use base64ct::{Base64, Encoding};

use super::Marker;
use crate::codec::Reader;
use crate::crypto::algorithms::name;
use crate::keys::{Certificate, PublicKey};

/// Longest line that is looked at; the rest of a longer one is never taken for a line of its own.
pub const MAX_LINE: usize = 16 * 1024;

/// A key as it stands in a file: possibly of a type that this library does not use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    key_type: &'static str,
    blob: Vec<u8>,
}

/// The types that OpenSSH knows, with the number of fields behind the name in their blobs.
const TYPES: [(&str, usize); 8] = [
    (name::SSH_ED25519, 1),
    ("ecdsa-sha2-nistp256", 2),
    ("ecdsa-sha2-nistp384", 2),
    ("ecdsa-sha2-nistp521", 2),
    ("ssh-rsa", 2),
    ("ssh-dss", 4),
    ("sk-ssh-ed25519@openssh.com", 2),
    ("sk-ecdsa-sha2-nistp256@openssh.com", 3),
];

impl KnownKey {
    /// The type, such as `ssh-rsa`.
    pub fn key_type(&self) -> &'static str {
        self.key_type
    }

    /// The blob as on the wire.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The key, unless it is one that this library does not use, such as `ssh-dss` or short RSA.
    pub fn usable(&self) -> Option<PublicKey> {
        PublicKey::from_blob(&self.blob).ok()
    }

    pub(super) fn is(&self, key: &PublicKey) -> bool {
        self.blob == key.blob()
    }

    /// The key that a certificate is about. Whoever revokes a certificate revokes that, as for OpenSSH; in no other place
    /// does a certificate stand for its key.
    fn certified(encoded: &[u8]) -> Option<Self> {
        let encoded = std::str::from_utf8(encoded).ok()?;
        let certificate = Certificate::from_blob(&Base64::decode_vec(encoded).ok()?).ok()?;
        let blob = certificate.key().blob().to_vec();
        let (key_type, _) = TYPES
            .iter()
            .find(|(known, _)| Some(known.as_bytes()) == Reader::new(&blob).string().ok())?;
        Some(KnownKey { key_type, blob })
    }

    /// Reads `type base64`. The type must be one that is known, and be the one inside the blob.
    fn read(key_type: &[u8], encoded: &[u8]) -> Result<Self, &'static str> {
        let (key_type, fields) = TYPES
            .iter()
            .find(|(known, _)| known.as_bytes() == key_type)
            .ok_or("no type of key that is known here")?;
        let bad = "no key of the type that stands before it";
        let encoded = std::str::from_utf8(encoded).map_err(|_| "bad base64")?;
        let blob = Base64::decode_vec(encoded).map_err(|_| "bad base64")?;
        let mut reader = Reader::new(&blob);
        if reader.string().ok() != Some(key_type.as_bytes()) {
            return Err(bad);
        }
        for _ in 0..*fields {
            reader.string().map_err(|_| bad)?;
        }
        reader.finish().map_err(|_| bad)?;
        // Points are looked at; short RSA keys are keys, though of no use here.
        if key_type.starts_with("ecdsa-") || *key_type == name::SSH_ED25519 {
            PublicKey::from_blob(&blob).map_err(|_| bad)?;
        }
        Ok(KnownKey { key_type, blob })
    }
}

/// What a line is.
pub(super) enum Line<'a> {
    /// Empty or a comment.
    Blank,
    /// Markers and names are good; the key is looked at only when the names fit.
    Entry(RawEntry<'a>),
    /// Passed over.
    Malformed(&'static str),
}

/// A line cut into its parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawEntry<'a> {
    pub(super) marker: Marker,
    pub(super) names: &'a [u8],
    /// Type, base64 and comment.
    pub(super) key: &'a [u8],
}

impl<'a> Line<'a> {
    /// Cuts a line, with or without its end.
    pub(super) fn parse(line: &'a [u8]) -> Self {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > MAX_LINE {
            return Line::Malformed("longer than 16 KiB");
        }
        if line.contains(&0) {
            return Line::Malformed("a NUL byte");
        }
        Self::cut(line)
    }

    /// As [`parse`](Self::parse), but nobody takes a revocation back by what stands behind the key: such a line counts
    /// however long it is, and up to a NUL byte. Only for judging; a change leaves it alone like any that is passed over.
    pub(super) fn judged(line: &'a [u8]) -> Self {
        let parsed = Self::parse(line);
        if !matches!(parsed, Line::Malformed(_)) {
            return parsed;
        }
        let text = line.split(|byte| *byte == 0).next().unwrap_or_default();
        match Self::cut(text.trim_ascii_end()) {
            Line::Entry(raw) if raw.marker == Marker::Revoked => Line::Entry(raw),
            _ => parsed,
        }
    }

    /// Cuts a line without its end.
    fn cut(line: &'a [u8]) -> Self {
        let mut rest = skip_blanks(line);
        if matches!(rest.first(), None | Some(b'#')) {
            return Line::Blank;
        }
        let mut marker = Marker::None;
        if rest.first() == Some(&b'@') {
            let (word, after) = word(rest);
            marker = match word {
                b"@cert-authority" => Marker::Authority,
                b"@revoked" => Marker::Revoked,
                _ => return Line::Malformed("an unknown marker"),
            };
            rest = after;
            if rest.first() == Some(&b'@') {
                return Line::Malformed("two markers");
            }
        }
        let (names, key) = word(rest);
        if matches!(key.first(), None | Some(b'#')) {
            return Line::Malformed("no key");
        }
        Line::Entry(RawEntry { marker, names, key })
    }
}

impl<'a> RawEntry<'a> {
    /// The key and the comment.
    pub(super) fn read_key(&self) -> Result<(KnownKey, &'a [u8]), &'static str> {
        let (key_type, rest) = word(self.key);
        let (encoded, comment) = word(rest);
        if encoded.is_empty() {
            return Err("no key");
        }
        let comment = comment.trim_ascii_end();
        let read = KnownKey::read(key_type, encoded);
        let key = match self.marker {
            Marker::Revoked => read.or_else(|why| KnownKey::certified(encoded).ok_or(why))?,
            Marker::None | Marker::Authority => read?,
        };
        Ok((key, comment))
    }
}

/// The first word and what follows the blanks after it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    match end.and_then(|end| text.split_at_checked(end)) {
        Some((word, rest)) => (word, skip_blanks(rest)),
        None => (text, &[]),
    }
}

fn skip_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::keys::test_support::text;

    /// A line of the tests' key of a kind.
    pub(in crate::known_hosts) fn line_of(names: &str, kind: &str) -> String {
        format!("{names} {}", text(&format!("{kind}.pub")))
    }

    fn entry(line: &str) -> Option<(Marker, String)> {
        match Line::parse(line.as_bytes()) {
            Line::Entry(raw) => Some((raw.marker, String::from_utf8(raw.names.into()).unwrap())),
            _ => None,
        }
    }

    #[test]
    fn markers_names_blanks_and_line_ends() {
        let line = line_of("a,b", "ed25519");
        let key = line.trim_end();
        assert_eq!(entry(key), Some((Marker::None, "a,b".into())));
        for form in [
            format!("  \t{key}\r\n"),
            key.replacen(' ', " \t  ", 1),
            format!("{key}\n"),
        ] {
            let Line::Entry(raw) = Line::parse(form.as_bytes()) else {
                panic!("{form:?}");
            };
            let (key, comment) = raw.read_key().unwrap();
            assert_eq!(key.key_type(), "ssh-ed25519");
            assert_eq!(comment, b"ed25519 test");
            assert!(key.usable().is_some());
        }
        let marked = format!("@revoked  * {}", text("rsa.pub"));
        assert_eq!(entry(&marked), Some((Marker::Revoked, "*".into())));
        let marked = format!("@cert-authority\th {}", text("rsa.pub"));
        assert_eq!(entry(&marked), Some((Marker::Authority, "h".into())));
        for blank in ["", "\n", "  \r\n", "# host ssh-rsa AAAA", " #"] {
            assert!(matches!(Line::parse(blank.as_bytes()), Line::Blank));
        }
    }

    #[test]
    fn h1_h3_broken_lines_are_malformed() {
        let line = line_of("host", "ed25519");
        let line = line.trim_end();
        let long = format!("host {}{line}", "x".repeat(MAX_LINE));
        for bad in [
            format!("@revoked @cert-authority {line}"),
            format!("@Revoked {line}"),
            format!("@trusted {line}"),
            format!("@ {line}"),
            "@revoked".into(),
            "host".into(),
            "host ".into(),
            "host #ssh-rsa AAAA".into(),
            format!("{line}\0"),
            long,
        ] {
            assert!(
                matches!(Line::parse(bad.as_bytes()), Line::Malformed(_)),
                "{bad}"
            );
        }
    }

    #[test]
    fn keys_must_be_what_they_are_called() {
        let line = line_of("host", "ed25519");
        let rsa = line_of("host", "rsa");
        for bad in [
            line.replacen("ssh-ed25519", "ssh-rsa", 1),
            line.replacen("ssh-ed25519", "ssh-new", 1),
            rsa.replacen("ssh-rsa", "rsa-sha2-256", 1),
            "host ssh-ed25519".into(),
            "host ssh-ed25519 AAAA".into(),
            "host ssh-ed25519 !!!!".into(),
            line.replacen("AAAAC3", "AAAAC", 1),
            "host 2048 65537 1234567890123".into(),
        ] {
            let Line::Entry(raw) = Line::parse(bad.as_bytes()) else {
                panic!("{bad}");
            };
            assert!(raw.read_key().is_err(), "{bad}");
        }
    }
}
