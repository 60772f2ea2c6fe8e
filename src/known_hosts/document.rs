//! The content of one file: lines, and those that name a host.

use std::path::PathBuf;
use std::sync::Arc;

use super::line::{Line, RawEntry};
use super::{names, Entry};

/// What a file holds, or lines that were given as text.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    pub(super) path: Option<PathBuf>,
    pub(super) bytes: Arc<Vec<u8>>,
}

impl Document {
    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Document {
            path: None,
            bytes: Arc::new(text.as_bytes().to_vec()),
        }
    }

    /// The good lines that name `host`, or all good lines, and what is revoked in a line that is otherwise passed over.
    pub(super) fn entries<'a>(&'a self, host: Option<&'a str>) -> impl Iterator<Item = Entry> + 'a {
        (1..)
            .zip(lines(&self.bytes))
            .filter_map(move |(number, line)| {
                let Line::Entry(raw) = Line::judged(line) else {
                    return None;
                };
                names_host(&raw, host)
                    .then(|| self.entry(number, &raw).ok())
                    .flatten()
            })
    }

    fn entry(&self, line: u64, raw: &RawEntry<'_>) -> Result<Entry, &'static str> {
        let (key, comment) = raw.read_key()?;
        Ok(Entry {
            file: self.path.clone(),
            line,
            marker: raw.marker,
            names: raw.names.to_vec(),
            key,
            comment: comment.to_vec(),
        })
    }

    /// The lines that are passed over, and why.
    pub(super) fn faults(&self) -> impl Iterator<Item = (u64, &'static str)> + '_ {
        (1..).zip(lines(&self.bytes)).filter_map(|(number, line)| {
            let fault = match Line::parse(line) {
                Line::Blank => None,
                Line::Malformed(fault) => Some(fault),
                Line::Entry(raw) => names::check(raw.names)
                    .and_then(|()| raw.read_key().map(drop))
                    .err(),
            };
            fault.map(|fault| (number, fault))
        })
    }
}

fn names_host(raw: &RawEntry<'_>, host: Option<&str>) -> bool {
    match host {
        Some(host) => names::matches(raw.names, host).unwrap_or(false),
        None => names::check(raw.names).is_ok(),
    }
}

/// The lines with their ends; the last one may have none.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::line_of;
    use super::super::MAX_LINE;
    use super::*;

    #[test]
    fn lines_are_found_by_name_and_faults_are_told() {
        let text = [
            "# nothing\n".into(),
            line_of("one,two", "ed25519"),
            "@what one ssh-rsa AAAA\n".into(),
            line_of("two", "rsa"),
            "one ssh-rsa AAAA\n".into(),
            line_of("|1|x|y", "rsa"),
            line_of("o*", "p256"),
        ]
        .concat();
        let document = Document::of(text.trim_end());
        let found: Vec<_> = document.entries(Some("one")).map(|e| e.line).collect();
        assert_eq!(found, [2, 7]);
        let found: Vec<_> = document.entries(None).map(|e| e.line).collect();
        assert_eq!(found, [2, 4, 7]);
        let faults: Vec<_> = document.faults().map(|(line, _)| line).collect();
        assert_eq!(faults, [3, 5, 6]);
    }

    #[test]
    fn h1_what_is_revoked_is_so_whatever_stands_behind_the_key() {
        let line = line_of("host", "ed25519");
        let line = line.trim_end();
        for end in ["\0", " x\0y", &format!(" {}", "c".repeat(MAX_LINE))] {
            for (marker, found) in [("@revoked ", 1), ("", 0), ("@cert-authority ", 0)] {
                let document = Document::of(&format!("{marker}{line}{end}\n"));
                assert_eq!(document.entries(Some("host")).count(), found, "{marker}");
                assert_eq!(document.faults().count(), 1);
            }
        }
    }

    #[test]
    fn h3_the_rest_of_a_long_line_is_no_line() {
        let good = line_of("evil", "ed25519");
        let text = format!("x {}{good}{}", " ".repeat(MAX_LINE), line_of("good", "rsa"));
        let document = Document::of(&text);
        assert_eq!(document.entries(Some("evil")).count(), 0);
        assert_eq!(document.entries(Some("good")).count(), 1);
        assert_eq!(document.faults().count(), 1);
    }
}
