//! Open directories and their listing.

use std::os::fd::BorrowedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{self, AtFlags, Dir};

use super::attributes::from_stat;
use super::tree::{as_path, Tree};
use crate::sftp::server::accounts::AccountNames;
use crate::sftp::server::failure::Failure;
use crate::sftp::server::long_name::{long_name, Shown};
use crate::sftp::server::path::VirtualPath;
use crate::sftp::Name;

/// Bytes of names after which a reply is full: clients take at least 34,000 (draft §3).
const REPLY_BYTES: usize = 28 * 1024;
/// What a name takes beside its own bytes, twice, at most: attributes and the rest of the line.
const NAME_BYTES: usize = 128;

/// A directory that a client has open.
#[derive(Debug)]
pub struct OpenDir {
    entries: Dir,
    is_root: bool,
}

impl OpenDir {
    /// OPENDIR.
    pub fn open(tree: &Tree, path: &VirtualPath) -> Result<Self, Failure> {
        let fd = tree.open_dir(path)?;
        Ok(OpenDir {
            is_root: Tree::is_same(&fd, tree.root())?,
            entries: Dir::new(fd)?,
        })
    }

    /// The directory, for its attributes and those of its files.
    pub fn fd(&self) -> Result<BorrowedFd<'_>, Failure> {
        Ok(self.entries.fd()?)
    }

    /// READDIR: some names, none at the end.
    pub fn read(&mut self, accounts: &mut AccountNames) -> Result<Vec<Name>, Failure> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let mut names = Vec::new();
        let mut bytes = 0;
        while bytes < REPLY_BYTES {
            let entry = match self.entries.read() {
                None => break,
                Some(Ok(entry)) => entry,
                // What was found so far is told first; the next READDIR fails, or goes on.
                Some(Err(_)) if !names.is_empty() => break,
                Some(Err(errno)) => return Err(errno.into()),
            };
            let file_name = entry.file_name().to_bytes();
            // What is above the top is nobody's business.
            let looked_up: &[u8] = match file_name {
                b".." if self.is_root => b".",
                name => name,
            };
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            // Gone since it was listed, or not to be looked at: no reason to keep the others from the client.
            let Ok(stat) = fs::statat(self.fd()?, as_path(looked_up), flags) else {
                continue;
            };
            let attributes = from_stat(&stat);
            let shown = Shown {
                name: file_name,
                links: stat.st_nlink,
                user: accounts.users.name(stat.st_uid),
                group: accounts.groups.name(stat.st_gid),
                now,
            };
            let long_name = long_name(shown, &attributes);
            bytes += 2 * file_name.len() + NAME_BYTES;
            names.push(Name {
                file_name: file_name.to_vec(),
                long_name,
                attributes,
            });
        }
        Ok(names)
    }
}
