//! The directory that is served, and how paths are looked up in it.
//!
//! Every lookup of more than one name goes through `cap-std`, which the kernel (openat2, RESOLVE_BENEATH) or,
//! where that is missing, a walk name by name keeps below the root: neither "..", nor a symbolic link, nor a
//! directory that is moved meanwhile leads out. What is then done to the last name is done by one system call
//! relative to the open directory, which does not follow links.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{self, AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::sftp::server::failure::Failure;
use crate::sftp::server::path::VirtualPath;

/// An open directory that nothing leads out of.
#[derive(Debug)]
pub struct Tree {
    root: Dir,
}

/// A name in an open directory.
pub struct Entry {
    /// The directory.
    pub parent: Dir,
    /// The name, without a slash.
    pub name: Vec<u8>,
    /// The path of the directory as it was asked for.
    pub parent_path: VirtualPath,
}

impl Entry {
    /// The name for system calls.
    pub fn name(&self) -> &Path {
        as_path(&self.name)
    }
}

impl Tree {
    /// Opens a directory of this machine.
    pub fn open(path: &Path) -> io::Result<Self> {
        Dir::open_ambient_dir(path, ambient_authority()).map(|root| Tree { root })
    }

    /// The top itself.
    pub fn root(&self) -> &Dir {
        &self.root
    }

    /// The directory that holds the last name of a path.
    ///
    /// # Errors
    /// For the top, which has no name.
    pub fn entry(&self, path: &VirtualPath) -> Result<Entry, Failure> {
        let Some((parent_path, name)) = path.split() else {
            return Err(Failure::denied("the top directory stays as it is"));
        };
        Ok(Entry {
            parent: self.root.open_dir(as_path(parent_path.relative()))?,
            name: name.to_vec(),
            parent_path,
        })
    }

    /// A descriptor that names what a path leads to, links followed, and opens nothing: special files are not
    /// touched by it.
    pub fn locate(&self, path: &VirtualPath) -> Result<OwnedFd, Failure> {
        let mut options = OpenOptions::new();
        options.read(true);
        options.custom_flags(flag_bits(OFlags::PATH));
        let file = self.root.open_with(as_path(path.relative()), &options)?;
        Ok(OwnedFd::from(file))
    }

    /// What a path leads to, links followed.
    pub fn stat(&self, path: &VirtualPath) -> Result<Stat, Failure> {
        Ok(fs::fstat(self.locate(path)?)?)
    }

    /// What a path names, the last link not followed.
    pub fn lstat(&self, path: &VirtualPath) -> Result<Stat, Failure> {
        if path.is_root() {
            return Ok(fs::fstat(&self.root)?);
        }
        let entry = self.entry(path)?;
        Ok(fs::statat(
            &entry.parent,
            entry.name(),
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    /// Opens a directory to list it.
    pub fn open_dir(&self, path: &VirtualPath) -> Result<OwnedFd, Failure> {
        let dir = self.root.open_dir(as_path(path.relative()))?;
        // What was opened is there to look things up in; "." of it is the same directory, to be read.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(fs::openat(&dir, ".", flags, Mode::empty())?)
    }

    /// The path without links. The last name need not exist.
    pub fn real_path(&self, path: &VirtualPath) -> Result<VirtualPath, Failure> {
        let canonical = |path: &VirtualPath| -> Result<VirtualPath, Failure> {
            let real = self.root.canonicalize(as_path(path.relative()))?;
            VirtualPath::new(&VirtualPath::root(), &real.into_os_string().into_vec())
        };
        let missing = match self.locate(path) {
            Ok(_) => return canonical(path),
            Err(failure) => failure,
        };
        let Some((parent, name)) = path.split() else {
            return Err(missing);
        };
        // Only "it is not there" may be said of the last name; a link that leads nowhere is there.
        match self.lstat(path) {
            Err(failure) if failure == Failure::from(Errno::NOENT) => {
                VirtualPath::new(&canonical(&parent)?, name)
            }
            Ok(_) | Err(_) => Err(missing),
        }
    }

    /// Whether two descriptors are the same file.
    pub fn is_same(a: impl AsFd, b: impl AsFd) -> Result<bool, Failure> {
        let (a, b) = (fs::fstat(a)?, fs::fstat(b)?);
        Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
    }
}

/// Bytes as a path of this system.
pub fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Flags as `custom_flags` wants them.
pub fn flag_bits(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).unwrap_or(0)
}
