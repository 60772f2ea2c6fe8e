//! Open files: reading, writing, copying on the server.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use cap_std::fs::{OpenOptions, OpenOptionsExt};
use rustix::fs::{self, OFlags};
use rustix::io::Errno;

use super::attributes::{is_directory, is_regular, new_mode};
use super::tree::{as_path, flag_bits, Tree};
use crate::driver::sys::file::append_at;
use crate::sftp::server::failure::Failure;
use crate::sftp::server::path::VirtualPath;
use crate::sftp::{Attributes, OpenFlags, StatusCode};

/// Bytes copied before the session is looked at again.
const COPY_STEP_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes moved at a time where the system does not copy by itself.
const COPY_BUFFER_BYTES: usize = 256 * 1024;

/// A file that a client has open.
#[derive(Debug, Clone)]
pub struct OpenFile {
    /// A regular file.
    pub file: Arc<File>,
    /// Whether the client may read.
    pub readable: bool,
    /// Whether it may write.
    pub writable: bool,
}

/// Opens a regular file and nothing else: a pipe or a device could block the server, or do things when opened.
pub fn open_regular(
    tree: &Tree,
    path: &VirtualPath,
    how: impl FnOnce(&mut OpenOptions),
) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    how(&mut options);
    // It may have become another kind of file since it was looked at.
    options.custom_flags(flag_bits(OFlags::NONBLOCK | OFlags::NOCTTY));
    let file = tree
        .root()
        .open_with(as_path(path.relative()), &options)?
        .into_std();
    if !is_regular(&fs::fstat(&file)?) {
        return Err(Failure::other("not a regular file"));
    }
    Ok(file)
}

impl OpenFile {
    /// OPEN.
    pub fn open(
        tree: &Tree,
        path: &VirtualPath,
        flags: OpenFlags,
        attributes: &Attributes,
        umask: u32,
    ) -> Result<Self, Failure> {
        let has = |flag| flags.contains(flag);
        let append = has(OpenFlags::APPEND);
        let writable = has(OpenFlags::WRITE) || append;
        let readable = has(OpenFlags::READ);
        if !readable && !writable {
            return Err(Failure::other("open for reading or for writing"));
        }
        let create = has(OpenFlags::CREATE);
        let cut = has(OpenFlags::TRUNCATE);
        if cut && !writable {
            return Err(Failure::denied("a file open for reading is not cut"));
        }
        let mode = new_mode(attributes, 0o666, umask);
        let opened = |file| OpenFile {
            file: Arc::new(file),
            readable,
            writable,
        };
        let how = |options: &mut OpenOptions| {
            // The system makes files only when they are opened for writing.
            options.read(readable).write(writable || create);
            options.append(append);
            options.mode(mode);
        };
        if create {
            // What this makes is regular and empty and need not be looked at. It fails where there is anything.
            let mut options = OpenOptions::new();
            how(&mut options);
            options.create_new(true);
            if let Ok(file) = tree.root().open_with(as_path(path.relative()), &options) {
                return Ok(opened(file.into_std()));
            }
        }
        match tree.stat(path) {
            Ok(stat) if is_directory(&stat) => return Err(Failure::other("is a directory")),
            Ok(stat) if !is_regular(&stat) => return Err(Failure::other("not a regular file")),
            Ok(_) => {}
            // A new file, or the reason that opening will give.
            Err(_) => {}
        }
        let file = open_regular(tree, path, |options| {
            how(options);
            options.create(create);
            options.create_new(create && has(OpenFlags::EXCLUSIVE));
        })?;
        if cut {
            fs::ftruncate(&file, 0)?;
        }
        Ok(opened(file))
    }

    /// READ: appends at most `length` bytes. 0 is the end of the file.
    pub fn read(&self, offset: u64, length: usize, bytes: &mut Vec<u8>) -> Result<usize, Failure> {
        self.check_readable()?;
        if i64::try_from(offset).is_err() {
            return Ok(0);
        }
        Ok(append_at(&*self.file, offset, length, bytes)?)
    }

    /// WRITE, all of it.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), Failure> {
        self.check_writable()?;
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if i64::try_from(offset.saturating_add(length)).is_err() {
            return Err(Failure::other("the file would be too large"));
        }
        Ok(self.file.write_all_at(data, offset)?)
    }

    /// `fsync@openssh.com`.
    pub fn sync(&self) -> Result<(), Failure> {
        Ok(self.file.sync_all()?)
    }

    fn check_readable(&self) -> Result<(), Failure> {
        if self.readable {
            Ok(())
        } else {
            Err(Failure::denied("the file is not open for reading"))
        }
    }

    fn check_writable(&self) -> Result<(), Failure> {
        if self.writable {
            Ok(())
        } else {
            Err(Failure::denied("the file is not open for writing"))
        }
    }
}

/// `copy-data`, which goes on in steps.
#[derive(Debug)]
pub struct Copying {
    /// The request to answer.
    pub id: u32,
    from: OpenFile,
    from_offset: u64,
    to: OpenFile,
    to_offset: u64,
    left: u64,
    /// To the end of the file, so that reaching it is success.
    to_end: bool,
    /// More was asked for than the file had at the beginning.
    is_cut: bool,
    by_hand: bool,
}

impl Copying {
    /// Checks a request. The end of the file is where it is now, so that no copy goes on for ever, not even one to the end of
    /// the same file, or of two files to the end of each other.
    pub fn new(
        id: u32,
        (from, from_offset): (OpenFile, u64),
        (to, to_offset): (OpenFile, u64),
        length: u64,
    ) -> Result<Self, Failure> {
        from.check_readable()?;
        to.check_writable()?;
        let size = u64::try_from(fs::fstat(&*from.file)?.st_size).unwrap_or(0);
        let there = size.saturating_sub(from_offset);
        let asked = if length == 0 { there } else { length };
        let end = from_offset.checked_add(asked);
        let to_end = to_offset.checked_add(asked);
        let (Some(end), Some(last)) = (end, to_end) else {
            return Err(Failure::other("the range is too large"));
        };
        if i64::try_from(end).is_err() || i64::try_from(last).is_err() {
            return Err(Failure::other("the range is too large"));
        }
        let overlaps = from_offset < last && to_offset < end;
        if overlaps && Tree::is_same(&*from.file, &*to.file)? {
            return Err(Failure::other("a file is not copied onto itself"));
        }
        Ok(Copying {
            id,
            from,
            from_offset,
            to,
            to_offset,
            left: asked.min(there),
            to_end: length == 0,
            is_cut: asked > there,
            by_hand: false,
        })
    }

    /// One step. `None` when there is more to do.
    pub fn step(&mut self) -> Option<Result<(), Failure>> {
        let mut step = COPY_STEP_BYTES;
        while self.left > 0 && step > 0 {
            let count = match self.copy(self.left.min(step)) {
                Ok(count) => count,
                Err(failure) => return Some(Err(failure)),
            };
            if count == 0 {
                return Some(if self.to_end {
                    Ok(())
                } else {
                    Err(Failure::eof())
                });
            }
            self.from_offset = self.from_offset.saturating_add(count);
            self.to_offset = self.to_offset.saturating_add(count);
            self.left = self.left.saturating_sub(count);
            step = step.saturating_sub(count);
        }
        (self.left == 0).then(|| {
            if self.is_cut {
                Err(Failure::eof())
            } else {
                Ok(())
            }
        })
    }

    fn copy(&mut self, most: u64) -> Result<u64, Failure> {
        if !self.by_hand {
            let (mut from, mut to) = (self.from_offset, self.to_offset);
            let most = usize::try_from(most).unwrap_or(COPY_BUFFER_BYTES);
            let copied = fs::copy_file_range(
                &*self.from.file,
                Some(&mut from),
                &*self.to.file,
                Some(&mut to),
                most,
            );
            match copied {
                // 0 is the end of the file, and also what some file systems say that cannot do it.
                Ok(0) => {}
                Ok(count) => return Ok(u64::try_from(count).unwrap_or(0)),
                Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::IO) => {
                    return Err(
                        copied.map_or_else(Failure::from, |_| Failure::code(StatusCode::FAILURE))
                    )
                }
                Err(_) => {}
            }
            self.by_hand = true;
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut data = Vec::new();
        let most = most.min(COPY_BUFFER_BYTES);
        let count = self.from.read(self.from_offset, most, &mut data)?;
        self.to.write(self.to_offset, &data)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
