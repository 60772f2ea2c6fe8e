//! known_hosts files: which keys a host is known to have, and what follows for the one it shows.
//!
//! Parsing, judging and editing work on bytes (`line`, `names`, `document`, `judge`, `edit`, `rotation`); [`KnownHosts`] keeps the
//! files in use, and `file` reads them and puts new content in their place.

mod attached;
mod document;
mod edit;
mod file;
#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used)]
pub(crate) mod fuzzing;
mod judge;
mod line;
mod names;
mod rotation;
mod store;

pub use attached::Attached;
pub use edit::NewLine;
#[cfg(test)]
pub(crate) use file::tests::Folder;
pub use file::MAX_FILE;
pub use judge::{Judgement, Verdict};
pub use line::{KnownKey, MAX_LINE};
pub use rotation::Hashing;
pub use store::KnownHosts;

use std::path::PathBuf;

use crate::error::Error;

/// The port that names are written without.
pub const DEFAULT_PORT: u16 = 22;
/// Longest host name that is looked at.
const MAX_HOST: usize = 1025;

/// What a line says about its key, beside that the hosts have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// The hosts have it.
    None,
    /// `@cert-authority`: it signs certificates of the hosts.
    Authority,
    /// `@revoked`: the hosts must not show it, nor certificates signed with it.
    Revoked,
}

impl Marker {
    /// The word in front of the line.
    pub fn word(self) -> &'static str {
        match self {
            Marker::None => "",
            Marker::Authority => "@cert-authority",
            Marker::Revoked => "@revoked",
        }
    }
}

/// A line of a file, with the key in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file; `None` for lines given as text.
    pub file: Option<PathBuf>,
    /// The number of the line, from 1.
    pub line: u64,
    /// The marker.
    pub marker: Marker,
    /// The names as they stand there.
    pub names: Vec<u8>,
    /// The key.
    pub key: KnownKey,
    /// What stands behind the key.
    pub comment: Vec<u8>,
}

impl Entry {
    /// `file:line`, safe to show.
    pub fn place(&self) -> String {
        let file = self.file.as_deref().map_or_else(
            || String::from("the lines given"),
            |path| crate::codec::printable(path.as_os_str().as_encoded_bytes(), 4096),
        );
        format!("{file}:{}", self.line)
    }
}

/// The host that is looked up: in lower case, with the port where it is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// As it is looked for, `name` or `[name]:port`.
    name: String,
    /// The name without the port, where there is one.
    bare: Option<String>,
}

impl Host {
    /// A host and its port. With port 0 the name is taken as it stands, brackets included.
    ///
    /// # Errors
    /// `ApiMisuse` for what cannot be the name of a host.
    pub fn new(name: &str, port: u16) -> Result<Self, Error> {
        // What would be a pattern, a list, a marker, a hash or a comment in a file is no name.
        let bad = |c: char| c.is_control() || c.is_whitespace() || "*?!,|#@\"".contains(c);
        if name.is_empty() || name.len() > MAX_HOST || name.contains(bad) {
            return Err(Error::ApiMisuse("that is not the name of a host"));
        }
        let name = name.to_ascii_lowercase();
        Ok(match port {
            0 | DEFAULT_PORT => Host { name, bare: None },
            port => Host {
                name: format!("[{name}]:{port}"),
                bare: Some(name),
            },
        })
    }

    /// The name without the port.
    pub fn bare_name(&self) -> &str {
        self.bare.as_deref().unwrap_or(&self.name)
    }

    /// The name as files have it: `name` or `[name]:port`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_files_have_them() {
        let name = |name, port| Host::new(name, port).unwrap().name().to_owned();
        assert_eq!(name("Host", 22), "host");
        assert_eq!(name("host", 2222), "[host]:2222");
        assert_eq!(name("::1", 22), "::1");
        assert_eq!(name("::1", 2222), "[::1]:2222");
        assert_eq!(name("[host]:2222", 0), "[host]:2222");
        for bad in [
            "", "a b", "a,b", "*", "h?", "!h", "#h", "@h", "|1|a|b", "a\n", "a\0",
        ] {
            assert!(Host::new(bad, 22).is_err(), "{bad}");
        }
        assert!(Host::new(&"x".repeat(1026), 22).is_err());
    }
}
