//! The files in use, in their order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::Document;
use super::edit::{self, NewLine};
use super::file::{self, Missing, Stamp, MAX_FILE};
use super::judge::{self, Judgement, Verdict};
use super::rotation::{self, Comparison, Hashing};
use super::{names, Entry, Host, Marker};
use crate::crypto::random::SystemRandom;
use crate::driver::sync::Mutex;
use crate::driver::HostKeyChange;
use crate::error::Error;
use crate::keys::PublicKey;

/// More files than anybody has.
const MAX_SOURCES: usize = 64;

/// known_hosts files, and lines that are in no file. Files are looked at again for each question and read when they
/// have changed; one that is not there is an empty one, and one that cannot be read fails the question.
///
/// Locks: each is a leaf, and none is held while a file is read.
#[derive(Default)]
pub struct KnownHosts {
    sources: Mutex<Vec<Arc<Source>>>,
}

/// One file, as it was when it was last read, or given lines, which stay.
struct Source {
    path: Option<PathBuf>,
    /// Whether it is the user's, and may be changed when a host changes its keys.
    is_users: bool,
    read: Mutex<(Option<Stamp>, Document)>,
}

impl Source {
    fn document(&self) -> Result<Document, Error> {
        let (stamp, document) = self.read.lock().clone();
        let Some(path) = &self.path else {
            return Ok(document);
        };
        let Some((bytes, stamp)) = file::read(path, stamp.as_ref())? else {
            return Ok(document);
        };
        let document = Document {
            path: Some(path.clone()),
            bytes: Arc::new(bytes),
        };
        *self.read.lock() = (stamp, document.clone());
        Ok(document)
    }
}

impl KnownHosts {
    /// Adds a file behind those there are. The first one is where changes go.
    ///
    /// # Errors
    /// Those of reading it, unless it does not exist.
    pub fn add_file(&self, path: &Path) -> Result<(), Error> {
        self.add_file_of(path, true)
    }

    /// The same for a file that is the system's: what it knows of a host is not changed when the host changes its keys.
    ///
    /// # Errors
    /// As [`add_file`](Self::add_file).
    pub fn add_system_file(&self, path: &Path) -> Result<(), Error> {
        self.add_file_of(path, false)
    }

    fn add_file_of(&self, path: &Path, is_users: bool) -> Result<(), Error> {
        let source = Source {
            path: Some(path.to_owned()),
            is_users,
            read: Mutex::default(),
        };
        source.document()?;
        self.add(source)
    }

    /// Adds lines that are in no file.
    ///
    /// # Errors
    /// `ApiMisuse` when they are too long.
    pub fn add_text(&self, text: &[u8]) -> Result<(), Error> {
        if text.len() > MAX_FILE {
            return Err(Error::ApiMisuse("more than 16 MiB of known hosts"));
        }
        let document = Document {
            path: None,
            bytes: Arc::new(text.to_vec()),
        };
        self.add(Source {
            path: None,
            is_users: false,
            read: Mutex::new((None, document)),
        })
    }

    fn add(&self, source: Source) -> Result<(), Error> {
        let mut sources = self.sources.lock();
        if sources.len() >= MAX_SOURCES {
            return Err(Error::ApiMisuse("too many known_hosts files"));
        }
        sources.push(Arc::new(source));
        Ok(())
    }

    fn documents(&self) -> Result<Vec<Document>, Error> {
        let sources = self.sources.lock().clone();
        sources.iter().map(|source| source.document()).collect()
    }

    fn users(&self) -> Vec<Arc<Source>> {
        let sources = self.sources.lock();
        let users = sources.iter().filter(|source| source.is_users);
        users.cloned().collect()
    }

    // ---- questions ------------------------------------------------------------------------------------

    /// What is known about a host and the key it shows.
    ///
    /// # Errors
    /// Those of reading the files.
    pub fn judge(&self, host: &Host, key: &PublicKey) -> Result<Judgement, Error> {
        Ok(judge::judge(&self.documents()?, host, key))
    }

    /// The same for the key that signed the certificate it shows.
    ///
    /// # Errors
    /// Those of reading the files.
    pub fn judge_authority(&self, host: &Host, key: &PublicKey) -> Result<Judgement, Error> {
        Ok(judge::judge_authority(&self.documents()?, host, key))
    }

    /// The host key algorithms in the order that suits what is known.
    ///
    /// # Errors
    /// Those of reading the files.
    pub fn order<'a>(&self, host: &Host, offered: &[&'a str]) -> Result<Vec<&'a str>, Error> {
        Ok(judge::order(&self.documents()?, host, offered))
    }

    /// The line with this number, from 0, among those that name the host, or among all.
    ///
    /// # Errors
    /// Those of reading the files.
    pub fn find(&self, host: Option<&Host>, index: usize) -> Result<Option<Entry>, Error> {
        let documents = self.documents()?;
        let mut entries = documents
            .iter()
            .flat_map(|document| document.entries(host.map(Host::name)));
        Ok(entries.nth(index))
    }

    /// Lines that are passed over, `file:line: why`, the first hundred.
    ///
    /// # Errors
    /// Those of reading the files.
    pub fn faults(&self) -> Result<Vec<String>, Error> {
        let mut told = Vec::new();
        for document in self.documents()? {
            let name = document.path.as_deref().map_or_else(
                || String::from("the lines given"),
                |path| crate::codec::printable(path.as_os_str().as_encoded_bytes(), 4096),
            );
            let faults = document.faults().take(100_usize.saturating_sub(told.len()));
            told.extend(faults.map(|(line, fault)| format!("{name}:{line}: {fault}")));
        }
        Ok(told)
    }

    // ---- changes, all of the first file ------------------------------------------------------------------

    fn own_file(&self) -> Result<PathBuf, Error> {
        let sources = self.sources.lock();
        let first = sources.iter().find_map(|source| source.path.clone());
        first.ok_or(Error::ApiMisuse("there is no file to write to"))
    }

    /// Adds a line, unless it is there.
    ///
    /// # Errors
    /// Those of the file, and `ApiMisuse` for what is no line.
    pub fn add_line(&self, line: &NewLine<'_>) -> Result<(), Error> {
        file::change(&self.own_file()?, Missing::Create, |bytes| {
            edit::add(bytes, line, &mut SystemRandom)
        })
    }

    /// Puts a line in place of those that give the host another key of its type.
    ///
    /// # Errors
    /// As [`add_line`](Self::add_line).
    pub fn replace_line(&self, line: &NewLine<'_>) -> Result<(), Error> {
        file::change(&self.own_file()?, Missing::Create, |bytes| {
            edit::replace(bytes, line, &mut SystemRandom)
        })
    }

    /// Removes the lines without a marker that name the host, and says how many.
    ///
    /// # Errors
    /// Those of the file.
    pub fn remove(&self, host: &Host) -> Result<usize, Error> {
        let mut count = 0;
        file::change(&self.own_file()?, Missing::LeaveOut, |bytes| {
            let (new, removed) = edit::remove(bytes, host);
            count = removed;
            Ok(new)
        })?;
        Ok(count)
    }

    /// What a host's own list of its keys means for the user's files; `None` where they are to be left alone, or where it
    /// is not one of them that has vouched for the host by `judgement`.
    ///
    /// # Errors
    /// Those of reading the files.
    pub fn compare(
        &self,
        host: &Host,
        judgement: &Judgement,
        offered: &[PublicKey],
    ) -> Result<Option<HostKeyChange>, Error> {
        let users = self.users();
        if users.is_empty() || !is_by_name(&users, host, judgement) {
            return Ok(None);
        }
        let documents: Result<Vec<_>, _> = users.iter().map(|source| source.document()).collect();
        Ok(match rotation::compare(&documents?, host, offered) {
            Comparison::LeaveAlone(_) => None,
            Comparison::Change(keys) => Some(HostKeyChange {
                host: Some(host.name().to_owned()),
                known: keys.known,
                added: keys.added,
                gone: keys.gone,
            }),
        })
    }

    /// Writes down what a host has changed: new keys in the first file, and those that are gone out of all of the user's.
    ///
    /// # Errors
    /// Those of the files.
    pub fn change_keys(
        &self,
        host: &Host,
        change: &HostKeyChange,
        hashing: Hashing,
    ) -> Result<(), Error> {
        let (own, mut added) = (self.own_file()?, change.added.as_slice());
        let others = self
            .users()
            .into_iter()
            .filter_map(|source| source.path.clone());
        let others = others
            .filter(|path| *path != own)
            .map(|path| (path, Missing::LeaveOut));
        let create = if added.is_empty() {
            Missing::LeaveOut
        } else {
            Missing::Create
        };
        for (path, missing) in std::iter::once((own.clone(), create)).chain(others) {
            let keys = (std::mem::take(&mut added), change.gone.as_slice());
            file::change(&path, missing, |bytes| {
                rotation::change(bytes, host, keys, hashing, &mut SystemRandom)
            })?;
        }
        Ok(())
    }

    /// Hashes the names, and says in how many lines.
    ///
    /// # Errors
    /// Those of the file.
    pub fn hash(&self) -> Result<usize, Error> {
        let mut count = 0;
        file::change(&self.own_file()?, Missing::LeaveOut, |bytes| {
            let (new, hashed) = edit::hash(bytes, &mut SystemRandom);
            count = hashed;
            Ok(new)
        })?;
        Ok(count)
    }
}

/// Whether a line of one of these files gives the host its key, under its name with the port. What the application has
/// accepted where nothing was known is as good.
fn is_by_name(users: &[Arc<Source>], host: &Host, judgement: &Judgement) -> bool {
    match (judgement.verdict, &judgement.entry) {
        (Verdict::Unknown, _) => true,
        (Verdict::Match, Some(entry)) => {
            entry.marker == Marker::None
                && users.iter().any(|source| source.path == entry.file)
                && names::matches(&entry.names, host.name()).unwrap_or(false)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::Folder;
    use super::super::line::tests::line_of;
    use super::super::{Marker, Verdict};
    use super::*;
    use crate::keys::test_support::fixture;

    fn key(kind: &str) -> PublicKey {
        PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
    }

    #[test]
    fn several_files_and_lines() {
        let folder = Folder::new();
        let (user, system) = (folder.0.join("user"), folder.0.join("system"));
        std::fs::write(&system, line_of("host", "rsa")).unwrap();
        let known = KnownHosts::default();
        let host = Host::new("host", 22).unwrap();
        assert!(known.remove(&host).is_err());
        known.add_text(line_of("text", "rsa").as_bytes()).unwrap();
        known.add_file(&user).unwrap();
        known.add_file(&system).unwrap();
        let found = known.judge(&host, &key("rsa")).unwrap();
        assert_eq!(found.verdict, Verdict::Match);
        assert_eq!(
            found.entry.unwrap().place(),
            format!("{}:1", system.display())
        );
        let ed25519 = key("ed25519");
        let found = known.judge(&host, &ed25519).unwrap().verdict;
        assert_eq!(found, Verdict::OtherTypeKnown);

        let line = NewLine {
            marker: Marker::None,
            names: host.name(),
            key: &ed25519,
            comment: "",
            hashed: true,
        };
        known.add_line(&line).unwrap();
        let entry = known.judge(&host, &ed25519).unwrap().entry.unwrap();
        assert_eq!(entry.file.as_deref(), Some(user.as_path()));
        assert_eq!(known.find(Some(&host), 1).unwrap().unwrap().line, 1);
        assert!(known.find(Some(&host), 2).unwrap().is_none());
        assert_eq!(
            known.find(None, 0).unwrap().unwrap().place(),
            "the lines given:1"
        );
        assert_eq!(known.remove(&host).unwrap(), 1);
        assert_eq!(known.hash().unwrap(), 0);
        let found = known.judge(&host, &ed25519).unwrap().verdict;
        assert_eq!(found, Verdict::OtherTypeKnown);
    }

    #[test]
    fn h3_a_file_that_cannot_be_read_gives_no_verdict() {
        let folder = Folder::new();
        let path = folder.0.join("known");
        std::fs::write(&path, line_of("host", "rsa")).unwrap();
        let known = KnownHosts::default();
        known.add_file(&path).unwrap();
        let host = Host::new("host", 22).unwrap();
        assert_eq!(
            known.judge(&host, &key("rsa")).unwrap().verdict,
            Verdict::Match
        );
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            known.judge(&host, &key("rsa")).unwrap().verdict,
            Verdict::Unknown
        );
        std::fs::create_dir(&path).unwrap();
        assert!(known.judge(&host, &key("rsa")).is_err());
        assert!(known.order(&host, &["ssh-ed25519"]).is_err());
        assert!(known.add_file(&folder.0).is_err());
        assert!(known.add_text(&vec![b'a'; MAX_FILE + 1]).is_err());
    }
}
