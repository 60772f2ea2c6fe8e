//! Whole directories up and down.
//!
//! What is written locally stays below the directory that was named: names come from the server, so each must be a
//! single name, and each is opened relative to the directory above it without following links that lie there.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, CWD};
use rustix::io::Errno;

use super::directory::Directory;
use super::operations::Sftp;
use super::small_files::SmallFiles;
use super::transfer::{local, local_attributes, preserve_locally, Meter, TransferOptions};
use crate::driver::Timeout;
use crate::error::Error;
use crate::sftp::{Attributes, Name, OpenFlags, StatusCode};

/// How deep directories may lie in each other: below it links that were followed lead in circles.
const MAX_DEPTH: usize = 64;
const TOO_DEEP: Error = Error::Limit("directories nested too deeply");

/// A remote directory being downloaded.
struct GetLevel {
    directory: Directory,
    path: Vec<u8>,
    to: Rc<OwnedFd>,
    attributes: Attributes,
}

/// A local directory being uploaded.
struct PutLevel {
    directory: Dir,
    from: OwnedFd,
    path: Vec<u8>,
    attributes: Attributes,
}

impl Sftp {
    /// Downloads a directory and all below it into the local directory `to`, which is made if it does not exist.
    pub fn get_tree(
        &self,
        remote: &[u8],
        to: &Path,
        options: &mut TransferOptions<'_>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let mut meter = Meter::new(self, options, timeout);
        let attributes = self.stat(remote, meter.left())?;
        // The one path that the caller has chosen: links in it are the caller's.
        make_directory(CWD, to)?;
        let fd = rustix::fs::openat(CWD, to, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(system("open"))?;
        let mut levels = vec![GetLevel {
            directory: self.open_directory(remote, meter.left())?,
            path: remote.to_vec(),
            to: Rc::new(fd),
            attributes,
        }];
        let mut small = SmallFiles::new(self);
        while let Some(level) = levels.last() {
            meter.check()?;
            let Some(name) = level.directory.next(meter.left())? else {
                if meter.options.preserve {
                    // What is made in a directory changes its time.
                    small.finish(&mut meter)?;
                    preserve_locally(&level.to, &level.attributes)?;
                }
                levels.pop();
                continue;
            };
            if name.file_name == b"." || name.file_name == b".." {
                continue;
            }
            if let Some(below) = self.get_entry(level, name, &mut small, &mut meter)? {
                if levels.len() == MAX_DEPTH {
                    return Err(TOO_DEEP);
                }
                levels.push(below);
            }
        }
        small.finish(&mut meter)
    }

    /// Downloads a file, or begins a directory.
    fn get_entry(
        &self,
        level: &GetLevel,
        name: Name,
        small: &mut SmallFiles<'_>,
        meter: &mut Meter<'_, '_>,
    ) -> Result<Option<GetLevel>, Error> {
        if !is_single_name(&name.file_name) {
            return Err(Error::Sftp("a name from the server that is no file name"));
        }
        let path = join(&level.path, &name.file_name);
        let mut attributes = name.attributes;
        if attributes.file_type().is_none() {
            attributes = self.lstat(&path, meter.left())?;
        }
        if attributes.is_symlink() && meter.options.follow_symlinks {
            attributes = match self.stat(&path, meter.left()) {
                Err(Error::SftpStatus(_)) => attributes,
                other => other?,
            };
        }
        let local_name = name.file_name.as_slice();
        if attributes.is_directory() {
            make_directory(&level.to, local_name)?;
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let to = rustix::fs::openat(&level.to, local_name, flags, Mode::empty())
                .map_err(system("open"))?;
            small.make_room(meter)?;
            return Ok(Some(GetLevel {
                directory: self.open_directory(&path, meter.left())?,
                path,
                to: Rc::new(to),
                attributes,
            }));
        }
        if !attributes.is_regular() {
            meter.skipped += 1;
            return Ok(None);
        }
        if small.get(&path, &attributes, (&level.to, local_name), meter)? {
            return Ok(None);
        }
        small.make_room(meter)?;
        let file = self.open_file(&path, OpenFlags::READ, &Attributes::new(), meter.left())?;
        let mut to = create_file(&level.to, local_name, meter.options.resume)?;
        self.get_open(&file, &path, &attributes, &mut to, meter)?;
        meter.files += 1;
        Ok(None)
    }

    /// Uploads a local directory and all below it into the remote directory `remote`, which is made if it does not
    /// exist.
    pub fn put_tree(
        &self,
        from: &Path,
        remote: &[u8],
        options: &mut TransferOptions<'_>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let mut meter = Meter::new(self, options, timeout);
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, from, flags, Mode::empty()).map_err(system("open"))?;
        let mut small = SmallFiles::new(self);
        let mut levels = vec![self.begin_put(fd, remote.to_vec(), &meter)?];
        while let Some(level) = levels.last_mut() {
            meter.check()?;
            let Some(entry) = level.directory.read() else {
                if meter.options.preserve {
                    small.finish(&mut meter)?;
                    self.setstat(&level.path, &level.attributes, meter.left())?;
                }
                levels.pop();
                continue;
            };
            let entry = entry.map_err(system("readdir"))?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let known = (name, entry.file_type());
            if let Some(below) = self.put_entry(level, known, &mut small, &mut meter)? {
                if levels.len() == MAX_DEPTH {
                    return Err(TOO_DEEP);
                }
                levels.push(below);
            }
        }
        small.finish(&mut meter)
    }

    /// Uploads a file, or begins a directory. The directory may have said what it is.
    fn put_entry(
        &self,
        level: &PutLevel,
        (name, kind): (&[u8], FileType),
        small: &mut SmallFiles<'_>,
        meter: &mut Meter<'_, '_>,
    ) -> Result<Option<PutLevel>, Error> {
        let path = join(&level.path, name);
        let follow = meter.options.follow_symlinks;
        let (look, nofollow) = if follow {
            (AtFlags::empty(), OFlags::empty())
        } else {
            (AtFlags::SYMLINK_NOFOLLOW, OFlags::NOFOLLOW)
        };
        let kind = match kind {
            FileType::RegularFile | FileType::Directory => kind,
            _ => match rustix::fs::statat(&level.from, name, look) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                // A link to nothing.
                Err(Errno::NOENT) if follow => FileType::Symlink,
                Err(errno) => return Err(system("stat")(errno)),
            },
        };
        let flags = nofollow | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let open = |flags| {
            rustix::fs::openat(&level.from, name, flags, Mode::empty()).map_err(system("open"))
        };
        match kind {
            FileType::Directory => {
                let fd = open(flags | OFlags::DIRECTORY)?;
                self.begin_put(fd, path, meter).map(Some)
            }
            FileType::RegularFile => {
                let mut from = fs::File::from(open(flags)?);
                let metadata = from.metadata().map_err(local("local stat"))?;
                // What was said to be a file may have become something else.
                if metadata.is_file()
                    && small.put(&path, &local_attributes(&metadata), &mut from, meter)?
                {
                    return Ok(None);
                }
                small.make_room(meter)?;
                self.put_open(&mut from, &path, meter)?;
                meter.files += 1;
                Ok(None)
            }
            _ => {
                meter.skipped += 1;
                Ok(None)
            }
        }
    }

    /// Makes the remote directory unless it is there.
    fn begin_put(
        &self,
        from: OwnedFd,
        path: Vec<u8>,
        meter: &Meter<'_, '_>,
    ) -> Result<PutLevel, Error> {
        let stat = rustix::fs::fstat(&from).map_err(system("stat"))?;
        let permissions = Some(stat.st_mode & 0o777);
        // Until its files are there, it must be possible to write into it.
        let initial = Attributes {
            permissions: permissions.map(|bits| bits | 0o700),
            ..Attributes::new()
        };
        if let Err(error) = self.mkdir(&path, &initial, meter.left()) {
            let there = match &error {
                // Version 3 has no status for "exists".
                Error::SftpStatus(status) if status.code != StatusCode::PERMISSION_DENIED.0 => self
                    .stat(&path, meter.left())
                    .is_ok_and(|attributes| attributes.is_directory()),
                _ => false,
            };
            if !there {
                return Err(error);
            }
        }
        let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
        Ok(PutLevel {
            directory: Dir::read_from(&from).map_err(system("opendir"))?,
            from,
            path,
            attributes: Attributes {
                permissions,
                times: Some((seconds(stat.st_atime), seconds(stat.st_mtime))),
                ..Attributes::new()
            },
        })
    }
}

/// A name that leads nowhere but into its directory, and that a terminal can be shown.
fn is_single_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name != b"."
        && name != b".."
        && name.len() <= 255
        && !name
            .iter()
            .any(|byte| *byte == b'/' || byte.is_ascii_control())
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = directory.to_vec();
    if !path.is_empty() && !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

fn make_directory(at: impl AsFd, name: impl rustix::path::Arg) -> Result<(), Error> {
    match rustix::fs::mkdirat(at, name, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(system("mkdir")(errno)),
    }
}

/// A file to write: a new one, or a regular one that lies there itself.
pub(super) fn create_file(at: impl AsFd, name: &[u8], resume: bool) -> Result<fs::File, Error> {
    let flags = OFlags::WRONLY
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::CLOEXEC
        // Whoever put a pipe there must not stop us.
        | OFlags::NONBLOCK;
    let mode = Mode::from_raw_mode(0o666);
    let file = rustix::fs::openat(at, name, flags, mode).map_err(system("open"))?;
    let stat = rustix::fs::fstat(&file).map_err(system("stat"))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(system("open")(Errno::EXIST));
    }
    if !resume && stat.st_size != 0 {
        rustix::fs::ftruncate(&file, 0).map_err(system("truncate"))?;
    }
    Ok(fs::File::from(file))
}

fn system(operation: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| local(operation)(errno.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for good in [&b"a"[..], b"...", b"a..b", b"\xff", "ü".as_bytes(), b" "] {
            assert!(is_single_name(good), "{good:?}");
        }
        for bad in [
            &b""[..],
            b".",
            b"..",
            b"/",
            b"a/b",
            b"../a",
            b"a\0",
            b"\x1b[2J",
            &[b'a'; 256],
        ] {
            assert!(!is_single_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn paths_are_joined_with_one_slash() {
        assert_eq!(join(b"/a", b"b"), b"/a/b");
        assert_eq!(join(b"/", b"b"), b"/b");
        assert_eq!(join(b"", b"b"), b"b");
    }

    #[test]
    fn local_links_are_not_written_through() {
        let root = std::env::temp_dir().join(format!("sshwire-tree-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let victim = root.join("victim");
        fs::write(&victim, "safe").unwrap();
        let link = root.join("link");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        let at = fs::File::open(&root).unwrap();
        assert!(create_file(&at, b"link", false).is_err());
        assert_eq!(fs::read(&victim).unwrap(), b"safe");
        assert!(create_file(&at, b"new", false).is_ok());
        fs::remove_dir_all(&root).unwrap();
    }
}
