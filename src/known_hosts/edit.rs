//! New content of a file from the old one. Lines that are not meant stay as they are, byte for byte.

use base64ct::{Base64, Encoding};

use super::document::lines;
use super::line::{Line, RawEntry};
use super::{names, Host, Marker, MAX_FILE, MAX_LINE};
use crate::crypto::random::Random;
use crate::error::Error;
use crate::keys::PublicKey;

/// A line to write.
#[derive(Debug, Clone)]
pub struct NewLine<'a> {
    /// The marker in front.
    pub marker: Marker,
    /// The names: of one host, or, with a marker, any list of patterns.
    pub names: &'a str,
    /// The key.
    pub key: &'a PublicKey,
    /// What stands behind the key.
    pub comment: &'a str,
    /// Whether the name is hashed.
    pub hashed: bool,
}

impl NewLine<'_> {
    /// Whether it can be written.
    ///
    /// # Errors
    /// `ApiMisuse` for names or a comment that would make another line of it, or one too long to be read.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |c: char| c.is_control() || c.is_whitespace() || "#@".contains(c);
        if self.names.is_empty() || self.names.contains(bad) {
            return Err(Error::ApiMisuse(
                "names are separated by commas, not blanks",
            ));
        }
        if self.comment.contains(char::is_control) {
            return Err(Error::ApiMisuse("a comment is one line"));
        }
        // A hashed name has 61 bytes.
        let parts = [
            self.names.len().max(64),
            self.comment.len(),
            self.key.blob().len(),
        ];
        if parts
            .iter()
            .fold(64, |sum: usize, part| sum.saturating_add(*part))
            > MAX_LINE / 2
        {
            return Err(Error::ApiMisuse(
                "the line would be too long to be read again",
            ));
        }
        Ok(())
    }

    /// The text with its newline.
    pub(super) fn text(&self, random: &mut dyn Random) -> Result<String, Error> {
        self.check()?;
        let names = match self.hashed {
            true => names::hash(self.names, random),
            false => self.names.to_owned(),
        };
        let encoded = Base64::encode_string(self.key.blob());
        let words = [
            self.marker.word(),
            &names,
            self.key.key_type(),
            &encoded,
            self.comment,
        ];
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        Ok(words.join(" ") + "\n")
    }

    /// Whether the line is there already, in some form.
    fn is_in(&self, bytes: &[u8]) -> bool {
        lines(bytes).any(|line| {
            let Line::Entry(raw) = Line::parse(line) else {
                return false;
            };
            let named = match self.marker {
                // Hashed names fit too, patterns do not: they may go for other reasons.
                Marker::None => names_literally(&raw, self.names),
                _ => raw.names == self.names.as_bytes(),
            };
            raw.marker == self.marker
                && named
                && raw.read_key().is_ok_and(|(key, _)| key.is(self.key))
        })
    }
}

/// Adds a line at the end; `None` when it is there.
pub(super) fn add(
    bytes: &[u8],
    line: &NewLine<'_>,
    random: &mut dyn Random,
) -> Result<Option<Vec<u8>>, Error> {
    let text = line.text(random)?;
    if line.is_in(bytes) {
        return Ok(None);
    }
    let mut new = bytes.to_vec();
    append(&mut new, &text);
    Ok(Some(new))
}

/// Puts a line in place of those that give the host another key of its type. Patterns stay, and so do other hosts in
/// the same line.
pub(super) fn replace(
    bytes: &[u8],
    line: &NewLine<'_>,
    random: &mut dyn Random,
) -> Result<Option<Vec<u8>>, Error> {
    let text = line.text(random)?;
    let mut new = Vec::with_capacity(bytes.len().saturating_add(text.len()));
    let mut placed = line.is_in(bytes);
    let mut changed = !placed;
    for old in lines(bytes) {
        match stale(old, line) {
            None => new.extend_from_slice(old),
            Some(rest) => {
                changed = true;
                if !placed {
                    placed = true;
                    append(&mut new, &text);
                }
                new.extend_from_slice(&rest);
            }
        }
    }
    if !placed {
        append(&mut new, &text);
    }
    Ok(changed.then_some(new))
}

/// What is left of a line that gives the host another key of the type; `None` when it does not.
fn stale(old: &[u8], line: &NewLine<'_>) -> Option<Vec<u8>> {
    let Line::Entry(raw) = Line::parse(old) else {
        return None;
    };
    if raw.marker != Marker::None || !names_literally(&raw, line.names) {
        return None;
    }
    let (key, _) = raw.read_key().ok()?;
    if key.is(line.key) || key.key_type() != line.key.key_type() {
        return None;
    }
    if !names::are_literal(raw.names) {
        return Some(Vec::new());
    }
    let others: Vec<_> = raw
        .names
        .split(|byte| *byte == b',')
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(line.names.as_bytes()))
        .collect();
    if others.is_empty() {
        return Some(Vec::new());
    }
    let end = match old {
        [.., b'\r', b'\n'] => &b"\r\n"[..],
        [.., b'\n'] => b"\n",
        _ => b"",
    };
    Some([&others.join(&b',')[..], b" ", raw.key, end].concat())
}

/// Removes the lines without a marker that name the host, as `ssh-keygen -R` does: patterns too, and whoever else is
/// named there. The new content and how many lines have gone.
pub(super) fn remove(bytes: &[u8], host: &Host) -> (Option<Vec<u8>>, usize) {
    let mut new = Vec::with_capacity(bytes.len());
    let mut removed = 0_usize;
    for line in lines(bytes) {
        match Line::parse(line) {
            Line::Entry(raw)
                if raw.marker == Marker::None
                    && names::matches(raw.names, host.name()).unwrap_or(false) =>
            {
                removed = removed.saturating_add(1);
            }
            _ => new.extend_from_slice(line),
        }
    }
    ((removed > 0).then_some(new), removed)
}

/// Hashes all names that are no patterns, one line for each name, as `ssh-keygen -H` does. The new content and how
/// many lines were hashed. A line of many names becomes many lines with a key each; what is longer than a file may be is
/// given up there and then, and not written.
pub(super) fn hash(bytes: &[u8], random: &mut dyn Random) -> (Option<Vec<u8>>, usize) {
    let mut new = Vec::with_capacity(bytes.len());
    let mut hashed = 0_usize;
    for line in lines(bytes) {
        let Some((names, key)) = plain_names(line) else {
            new.extend_from_slice(line);
            continue;
        };
        hashed = hashed.saturating_add(1);
        for name in names.split(',').filter(|name| !name.is_empty()) {
            if new.len() > MAX_FILE {
                return (Some(new), hashed);
            }
            let name = names::hash(&name.to_ascii_lowercase(), random);
            new.extend_from_slice(&[name.as_bytes(), b" ", key, b"\n"].concat());
        }
    }
    ((hashed > 0).then_some(new), hashed)
}

/// Names and key of a line whose names can be hashed.
fn plain_names(line: &[u8]) -> Option<(&str, &[u8])> {
    let Line::Entry(raw) = Line::parse(line) else {
        return None;
    };
    let plain = raw.marker == Marker::None && names::are_literal(raw.names);
    let names = std::str::from_utf8(raw.names).ok()?;
    (plain && raw.read_key().is_ok()).then_some((names, raw.key))
}

/// Whether the host is named as itself, or hashed.
fn names_literally(raw: &RawEntry<'_>, host: &str) -> bool {
    let names = raw.names;
    match names::are_literal(names) || names.first() == Some(&b'|') {
        true => names::matches(names, host).unwrap_or(false),
        false => false,
    }
}

/// Appends a line behind a last one that may lack its end.
pub(super) fn append(bytes: &mut Vec<u8>, line: &str) {
    if !bytes.is_empty() && bytes.last() != Some(&b'\n') {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::super::line::tests::line_of;
    use super::*;
    use crate::crypto::random::SeededRandom;
    use crate::keys::test_support::fixture;

    fn key(kind: &str) -> PublicKey {
        PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
    }

    fn line<'a>(names: &'a str, key: &'a PublicKey) -> NewLine<'a> {
        NewLine {
            marker: Marker::None,
            names,
            key,
            comment: "",
            hashed: false,
        }
    }

    fn changed(result: Result<Option<Vec<u8>>, Error>) -> Option<String> {
        result.unwrap().map(|new| String::from_utf8(new).unwrap())
    }

    fn bare(names: &str, kind: &str) -> String {
        let line = line_of("", kind);
        let words: Vec<_> = line.split_whitespace().take(2).collect();
        format!("{names} {}\n", words.join(" "))
    }

    #[test]
    fn h3_adding_needs_no_final_newline() {
        let mut random = SeededRandom::new(1);
        let key = key("ed25519");
        let new = line("host", &key);
        let expected = bare("host", "ed25519");
        let odd = &b"# text\r\n\n  odd \xff line"[..];
        for before in [&b""[..], b"# no end", odd, b"a\n"] {
            let after = add(before, &new, &mut random).unwrap().unwrap();
            let rest = after.strip_prefix(before).unwrap();
            let rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            assert_eq!(rest, expected.as_bytes());
            // What is there is not added twice.
            assert!(add(&after, &new, &mut random).unwrap().is_none());
        }
        let pattern = bare("h*", "ed25519");
        assert!(add(pattern.as_bytes(), &new, &mut random)
            .unwrap()
            .is_some());
        let shared = bare("a,HOST", "ed25519");
        assert!(add(shared.as_bytes(), &new, &mut random).unwrap().is_none());
    }

    #[test]
    fn hashed_and_marked_lines() {
        let mut random = SeededRandom::new(2);
        let key = key("rsa");
        let hashed = NewLine {
            hashed: true,
            comment: "a comment",
            ..line("[host]:22", &key)
        };
        let text = changed(add(b"", &hashed, &mut random)).unwrap();
        assert!(
            text.starts_with("|1|") && text.ends_with(" a comment\n") && !text.contains("host")
        );
        assert!(add(text.as_bytes(), &hashed, &mut random)
            .unwrap()
            .is_none());
        let marked = NewLine {
            marker: Marker::Authority,
            ..line("*.org,!bad.org", &key)
        };
        let text = changed(add(b"", &marked, &mut random)).unwrap();
        assert_eq!(text, bare("@cert-authority *.org,!bad.org", "rsa"));
        assert!(add(text.as_bytes(), &marked, &mut random)
            .unwrap()
            .is_none());
        for names in ["", "a b", "a\n", "@a", "#a"] {
            assert!(
                add(b"", &line(names, &key), &mut random).is_err(),
                "{names}"
            );
        }
        let commented = NewLine {
            comment: "x\nevil ssh-rsa",
            ..line("a", &key)
        };
        assert!(add(b"", &commented, &mut random).is_err());
    }

    #[test]
    fn replacing_touches_the_host_alone() {
        let mut random = SeededRandom::new(3);
        let (old, new) = (key("rsa"), key("rsa9216"));
        let hashed = changed(add(
            b"",
            &NewLine {
                hashed: true,
                ..line("host", &old)
            },
            &mut random,
        ))
        .unwrap();
        let keep = [
            "# comment\r\n".into(),
            bare("host", "ed25519"),
            bare("ho*", "rsa"),
            bare("@revoked host", "rsa"),
        ];
        let before = [
            keep[0].clone(),
            bare("host", "rsa"),
            keep[1].clone(),
            bare("a,host,b", "rsa"),
            hashed,
            keep[2].clone(),
            keep[3].clone(),
        ]
        .concat();
        let after = changed(replace(before.as_bytes(), &line("host", &new), &mut random)).unwrap();
        let expected = [
            keep[0].clone(),
            bare("host", "rsa9216"),
            keep[1].clone(),
            bare("a,b", "rsa"),
            keep[2].clone(),
            keep[3].clone(),
        ]
        .concat();
        assert_eq!(after, expected);
        assert!(replace(after.as_bytes(), &line("host", &new), &mut random)
            .unwrap()
            .is_none());
        let added = changed(replace(b"x", &line("host", &new), &mut random)).unwrap();
        assert_eq!(added, format!("x\n{}", bare("host", "rsa9216")));
    }

    #[test]
    fn removing_takes_whole_lines() {
        let host = Host::new("host", 22).unwrap();
        let keep = "#a\r\nodd\n".to_owned() + &bare("other", "rsa") + &bare("@revoked host", "rsa");
        let before = bare("host,x", "rsa") + &keep + &bare("h*", "p256");
        let (after, count) = remove(before.as_bytes(), &host);
        assert_eq!((after.unwrap(), count), (keep.clone().into_bytes(), 2));
        assert_eq!(remove(keep.as_bytes(), &host), (None, 0));
    }

    /// What a file of 16 MiB would have become before it was refused has gigabytes.
    #[test]
    fn hashing_stops_at_the_longest_file() {
        let names = vec!["a"; 8000].join(",");
        let text = bare(&names, "ed25519").repeat(20);
        assert!(text.len() < 1 << 19);
        let (new, _) = hash(text.as_bytes(), &mut SeededRandom::new(1));
        let new = new.unwrap();
        assert!(new.len() > MAX_FILE && new.len() < MAX_FILE + MAX_LINE);
    }

    #[test]
    fn hashing_keeps_what_has_no_name() {
        let mut random = SeededRandom::new(4);
        let keep = "#a\r\n\nbad line\n".to_owned()
            + &bare("h*", "rsa")
            + &bare("@cert-authority host", "rsa");
        let before = keep.clone() + line_of("One,two", "rsa").trim_end();
        let (after, count) = hash(before.as_bytes(), &mut random);
        assert_eq!(count, 1);
        let after = String::from_utf8(after.unwrap()).unwrap();
        let document = Document::of(&after);
        assert!(after.starts_with(&keep) && after.ends_with("rsa test\n"));
        assert!(!after.to_lowercase().contains("one"));
        for host in ["one", "two"] {
            assert_eq!(document.entries(Some(host)).count(), 1);
        }
        assert_eq!(hash(after.as_bytes(), &mut random), (None, 0));
    }
}
