//! A directory of this machine, served to a client that sees nothing else of it.

mod attributes;
mod files;
mod links;
mod listing;
#[cfg(test)]
mod tests;
mod tree;

use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs;

use self::attributes::{from_stat, new_mode};
use self::files::{Copying, OpenFile};
use self::listing::OpenDir;
use self::tree::Tree;
use super::accounts::AccountNames;
use super::dialogue::{Backend, MAX_READ_BYTES};
use super::failure::Failure;
use super::handles::Handles;
use super::path::VirtualPath;
use super::replies::Replies;
use super::tally::{Taken, Tally};
use crate::sftp::{
    extension, ExtendedRequest, OpenFlags, Request, StatVfs, StatusCode, UsersGroups,
};

/// How a directory is served.
#[derive(Debug, Clone)]
pub struct DirectoryOptions {
    /// Whether everything that changes something is refused.
    pub read_only: bool,
    /// Mode bits that new files and directories do not get, beside those of the process's own umask.
    pub umask: u32,
    /// Most files and directories that one session may have open.
    pub max_handles: usize,
    /// Counts those of all sessions of the client, where there are several, and has the last word.
    pub open: Option<Arc<Tally>>,
    /// Where relative paths begin.
    pub home: VirtualPath,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        DirectoryOptions {
            read_only: false,
            umask: 0,
            max_handles: 256,
            open: None,
            home: VirtualPath::root(),
        }
    }
}

/// An open directory to be served. Clones share it.
#[derive(Debug, Clone)]
pub struct Directory {
    tree: Arc<Tree>,
}

impl Directory {
    /// Opens a directory. It stays the same one when it is renamed.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Directory {
            tree: Arc::new(Tree::open(path)?),
        })
    }

    /// What serves one session.
    pub fn backend(&self, options: DirectoryOptions) -> DirectoryBackend {
        DirectoryBackend {
            tree: Arc::clone(&self.tree),
            handles: Handles::new(options.max_handles),
            options,
            copying: None,
            accounts: AccountNames::default(),
        }
    }
}

/// What a handle leads to.
#[derive(Debug)]
enum Open {
    File(OpenFile),
    Dir(OpenDir),
}

impl Open {
    fn file(&self) -> Result<&OpenFile, Failure> {
        match self {
            Open::File(file) => Ok(file),
            Open::Dir(_) => Err(Failure::other("the handle is one of a directory")),
        }
    }

    fn dir(&mut self) -> Result<&mut OpenDir, Failure> {
        match self {
            Open::Dir(dir) => Ok(dir),
            Open::File(_) => Err(Failure::other("the handle is one of a file")),
        }
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, Failure> {
        match self {
            Open::File(file) => Ok(file.file.as_fd()),
            Open::Dir(dir) => dir.fd(),
        }
    }

    fn is_writable(&self) -> bool {
        matches!(self, Open::File(file) if file.writable)
    }
}

/// What a handle leads to, and the places that it takes.
#[derive(Debug)]
struct Counted {
    open: Open,
    _places: Vec<Taken>,
}

impl Deref for Counted {
    type Target = Open;

    fn deref(&self) -> &Open {
        &self.open
    }
}

impl DerefMut for Counted {
    fn deref_mut(&mut self) -> &mut Open {
        &mut self.open
    }
}

/// Serves a directory to one client.
#[derive(Debug)]
pub struct DirectoryBackend {
    tree: Arc<Tree>,
    options: DirectoryOptions,
    handles: Handles<Counted>,
    copying: Option<Copying>,
    accounts: AccountNames,
}

impl Backend for DirectoryBackend {
    fn extensions(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            (extension::POSIX_RENAME, "1"),
            (extension::STATVFS, "2"),
            (extension::FSTATVFS, "2"),
            (extension::HARDLINK, "1"),
            (extension::FSYNC, "1"),
            (extension::LSETSTAT, "1"),
            (extension::EXPAND_PATH, "1"),
            (extension::COPY_DATA, "1"),
            (extension::HOME_DIRECTORY, "1"),
            (extension::USERS_GROUPS_BY_ID, "1"),
        ]
    }

    fn max_handles(&self) -> u64 {
        u64::try_from(self.options.max_handles).unwrap_or(u64::MAX)
    }

    fn is_ready(&self) -> bool {
        self.copying.is_none()
    }

    fn outstanding(&self) -> usize {
        usize::from(self.copying.is_some())
    }

    fn advance(&mut self, replies: &mut Replies) -> bool {
        let Some(copying) = &mut self.copying else {
            return false;
        };
        if let Some(outcome) = copying.step() {
            replies.status(copying.id, outcome);
            self.copying = None;
        }
        true
    }

    fn serve(&mut self, id: u32, request: Request<'_>, replies: &mut Replies) {
        if self.options.read_only && changes(&request) {
            replies.status(
                id,
                Err(Failure::denied("the directory is served read-only")),
            );
            return;
        }
        match request {
            Request::Read {
                handle,
                offset,
                length,
            } => {
                let length = usize::try_from(length.min(MAX_READ_BYTES)).unwrap_or(0);
                match self.handles.get(handle).and_then(|open| open.file()) {
                    Ok(file) => replies.data(id, length, |bytes| file.read(offset, length, bytes)),
                    Err(failure) => replies.status(id, Err(failure)),
                }
            }
            Request::Open { .. } | Request::Opendir { .. } => {
                let outcome = self.open(request);
                replies.handle(id, outcome);
            }
            Request::Readdir { handle } => {
                let outcome = match self.handles.get(handle).and_then(|open| open.dir()) {
                    Ok(dir) => dir.read(&mut self.accounts),
                    Err(failure) => Err(failure),
                };
                replies.names(id, outcome);
            }
            Request::Stat { .. } | Request::Lstat { .. } | Request::Fstat { .. } => {
                let outcome = self.stat(&request);
                replies.attributes(id, outcome.map(|stat| from_stat(&stat)));
            }
            Request::Realpath { path } => {
                let outcome = self.real_path(path);
                replies.path(id, outcome);
            }
            Request::Readlink { path } => {
                let outcome = self
                    .path(path)
                    .and_then(|path| links::read(&self.tree, &path));
                replies.path(id, outcome);
            }
            Request::Extended(request) => self.serve_extended(id, request, replies),
            request => {
                let outcome = self.change(request);
                replies.status(id, outcome);
            }
        }
    }
}

/// Whether a request would change something.
fn changes(request: &Request<'_>) -> bool {
    match request {
        Request::Open { flags, .. } => flags.0 & !OpenFlags::READ.0 & OpenFlags::ALL.0 != 0,
        Request::Write { .. }
        | Request::Setstat { .. }
        | Request::Fsetstat { .. }
        | Request::Remove { .. }
        | Request::Mkdir { .. }
        | Request::Rmdir { .. }
        | Request::Rename { .. }
        | Request::Symlink { .. } => true,
        Request::Extended(request) => matches!(
            request,
            ExtendedRequest::PosixRename { .. }
                | ExtendedRequest::Hardlink { .. }
                | ExtendedRequest::Lsetstat { .. }
                | ExtendedRequest::CopyData { .. }
        ),
        _ => false,
    }
}

impl DirectoryBackend {
    fn path(&self, path: &[u8]) -> Result<VirtualPath, Failure> {
        VirtualPath::new(&self.options.home, path)
    }

    fn real_path(&self, path: &[u8]) -> Result<Vec<u8>, Failure> {
        let real = self.tree.real_path(&self.path(path)?)?;
        Ok(real.as_bytes().to_vec())
    }

    /// The places of one more open file among those of the client and of the process.
    fn places(&self) -> Result<Vec<Taken>, Failure> {
        let of_client = self.options.open.iter();
        let places: Option<_> = of_client
            .map(|tally| tally.take(self.options.max_handles))
            .chain([Tally::take_of_process()])
            .collect();
        places.ok_or_else(|| Failure::other("too many open files"))
    }

    fn open(&mut self, request: Request<'_>) -> Result<u32, Failure> {
        self.handles.check_room()?;
        let places = self.places()?;
        let open = match request {
            Request::Open {
                path,
                flags,
                attributes,
            } => {
                let path = self.path(path)?;
                let umask = self.options.umask;
                Open::File(OpenFile::open(
                    &self.tree,
                    &path,
                    flags,
                    &attributes,
                    umask,
                )?)
            }
            Request::Opendir { path } => Open::Dir(OpenDir::open(&self.tree, &self.path(path)?)?),
            _ => return Err(Failure::code(StatusCode::OP_UNSUPPORTED)),
        };
        self.handles.insert(Counted {
            open,
            _places: places,
        })
    }

    fn stat(&mut self, request: &Request<'_>) -> Result<fs::Stat, Failure> {
        match request {
            Request::Stat { path } => self.tree.stat(&self.path(path)?),
            Request::Lstat { path } => self.tree.lstat(&self.path(path)?),
            Request::Fstat { handle } => Ok(fs::fstat(self.handles.get(handle)?.fd()?)?),
            _ => Err(Failure::code(StatusCode::OP_UNSUPPORTED)),
        }
    }

    /// The requests that are answered by a status.
    fn change(&mut self, request: Request<'_>) -> Result<(), Failure> {
        let tree = Arc::clone(&self.tree);
        match request {
            Request::Close { handle } => self.handles.remove(handle).map(drop),
            Request::Write {
                handle,
                offset,
                data,
            } => self.handles.get(handle)?.file()?.write(offset, data),
            Request::Setstat { path, attributes } => {
                attributes::set(&tree, &self.path(path)?, &attributes)
            }
            Request::Fsetstat { handle, attributes } => {
                let open = self.handles.get(handle)?;
                attributes::set_open(open.fd()?, &attributes, open.is_writable())
            }
            Request::Remove { path } => links::remove(&tree, &self.path(path)?, false),
            Request::Rmdir { path } => links::remove(&tree, &self.path(path)?, true),
            Request::Mkdir { path, attributes } => {
                let mode = new_mode(&attributes, 0o777, self.options.umask);
                links::make_dir(&tree, &self.path(path)?, mode)
            }
            Request::Rename { old, new } => {
                links::rename_new(&tree, &self.path(old)?, &self.path(new)?)
            }
            Request::Symlink { target, link } => links::symlink(&tree, target, &self.path(link)?),
            _ => Err(Failure::code(StatusCode::OP_UNSUPPORTED)),
        }
    }

    fn serve_extended(&mut self, id: u32, request: ExtendedRequest<'_>, replies: &mut Replies) {
        match request {
            ExtendedRequest::StatVfs { path } => {
                let outcome = self
                    .path(path)
                    .and_then(|path| self.tree.locate(&path))
                    .and_then(|fd| self.stat_vfs(fd.as_fd()));
                reply_stat_vfs(id, outcome, replies);
            }
            ExtendedRequest::FStatVfs { handle } => {
                let read_only = self.options.read_only;
                let outcome = self
                    .handles
                    .get(handle)
                    .and_then(|open| stat_vfs(open.fd()?, read_only));
                reply_stat_vfs(id, outcome, replies);
            }
            ExtendedRequest::ExpandPath { path } => {
                let outcome = self.expand(path);
                replies.path(id, outcome);
            }
            // Whoever is logged in: all have the same directory.
            ExtendedRequest::HomeDirectory { .. } => {
                replies.path(id, Ok(self.options.home.as_bytes().to_vec()));
            }
            ExtendedRequest::UsersGroupsById { users, groups } => {
                let names = UsersGroups {
                    users: self.accounts.users.all(&users),
                    groups: self.accounts.groups.all(&groups),
                };
                replies.extended(id, Ok(()), |w| names.encode(w));
            }
            ExtendedRequest::CopyData { .. } => {
                match self.copy(id, &request) {
                    // Answered when it is done.
                    Ok(copying) => self.copying = Some(copying),
                    Err(failure) => replies.status(id, Err(failure)),
                }
            }
            request => {
                let outcome = self.change_extended(request);
                replies.status(id, outcome);
            }
        }
    }

    fn change_extended(&mut self, request: ExtendedRequest<'_>) -> Result<(), Failure> {
        match request {
            ExtendedRequest::PosixRename { old, new } => {
                links::rename(&self.tree, &self.path(old)?, &self.path(new)?)
            }
            ExtendedRequest::Hardlink { old, new } => {
                links::hard_link(&self.tree, &self.path(old)?, &self.path(new)?)
            }
            ExtendedRequest::Fsync { handle } => self.handles.get(handle)?.file()?.sync(),
            ExtendedRequest::Lsetstat { path, attributes } => {
                attributes::set_link(&self.tree, &self.path(path)?, &attributes)
            }
            _ => Err(Failure::code(StatusCode::OP_UNSUPPORTED)),
        }
    }

    fn copy(&mut self, id: u32, request: &ExtendedRequest<'_>) -> Result<Copying, Failure> {
        let ExtendedRequest::CopyData {
            from_handle,
            from_offset,
            length,
            to_handle,
            to_offset,
        } = request
        else {
            return Err(Failure::code(StatusCode::OP_UNSUPPORTED));
        };
        let from = self.handles.get(from_handle)?.file()?.clone();
        let to = self.handles.get(to_handle)?.file()?.clone();
        Copying::new(id, (from, *from_offset), (to, *to_offset), *length)
    }

    /// "~" is where relative paths begin. Other users have no directory here.
    fn expand(&self, path: &[u8]) -> Result<Vec<u8>, Failure> {
        match path {
            b"~" => self.real_path(b"."),
            [b'~', b'/', rest @ ..] => {
                let relative = [b"./", rest].concat();
                self.real_path(&relative)
            }
            [b'~', ..] => Err(Failure::new(StatusCode::NO_SUCH_FILE, "no such user")),
            path => self.real_path(path),
        }
    }

    fn stat_vfs(&self, fd: BorrowedFd<'_>) -> Result<StatVfs, Failure> {
        stat_vfs(fd, self.options.read_only)
    }
}

fn reply_stat_vfs(id: u32, outcome: Result<StatVfs, Failure>, replies: &mut Replies) {
    replies.outcome(id, outcome, |replies, found| {
        replies.extended(id, Ok(()), |w| found.encode(w));
    });
}

fn stat_vfs(fd: BorrowedFd<'_>, read_only: bool) -> Result<StatVfs, Failure> {
    let found = fs::fstatvfs(fd)?;
    let mut flags = 0;
    if read_only || found.f_flag.contains(fs::StatVfsMountFlags::RDONLY) {
        flags |= StatVfs::READ_ONLY;
    }
    if found.f_flag.contains(fs::StatVfsMountFlags::NOSUID) {
        flags |= StatVfs::NO_SETUID;
    }
    Ok(StatVfs {
        block_bytes: found.f_bsize,
        fragment_bytes: found.f_frsize,
        blocks: found.f_blocks,
        blocks_free: found.f_bfree,
        blocks_available: found.f_bavail,
        files: found.f_files,
        files_free: found.f_ffree,
        files_available: found.f_favail,
        file_system_id: found.f_fsid,
        flags,
        name_max: found.f_namemax,
    })
}
