//! The files themselves: read within bounds, changed so that no reader ever sees half of one and no writer undoes
//! another's change.
//!
//! A writer locks the file (`flock`), makes the new content in a file beside it and renames that into place, with the
//! mode and owner of the old one. Who waited for the lock then finds another file under the name and begins again.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{fchown, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::codec::printable;
use crate::crypto::random::{Random, SystemRandom};
use crate::error::Error;

/// Longest file that is looked at.
pub const MAX_FILE: usize = 16 << 20;
/// How long a change waits for others to be through.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// By which a file is known to be the one that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    length: u64,
    times: [i64; 4],
}

impl Stamp {
    fn of(about: &fs::Metadata) -> Self {
        Stamp {
            file: (about.dev(), about.ino()),
            length: about.len(),
            times: [
                about.mtime(),
                about.mtime_nsec(),
                about.ctime(),
                about.ctime_nsec(),
            ],
        }
    }
}

/// What a file holds, and by which it is known again; an absent one has nothing of the kind.
pub(super) type Content = (Vec<u8>, Option<Stamp>);

fn failed(operation: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = printable(path.as_os_str().as_encoded_bytes(), 4096);
    move |error| Error::File {
        operation,
        path: path.clone(),
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    }
}

fn invalid(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

/// Whether nothing is ever in the file, by intention: `/dev/null` stands for no file at all.
fn is_null(about: &fs::Metadata) -> bool {
    about.file_type().is_char_device()
        && fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == about.rdev())
}

/// Reads a file, unless it is the one that was read before. A file that is not there is an empty one.
pub(super) fn read(path: &Path, before: Option<&Stamp>) -> Result<Option<Content>, Error> {
    let failed = failed("read", path);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Some((Vec::new(), None)));
        }
        Err(error) => return Err(failed(error)),
    };
    let about = file.metadata().map_err(&failed)?;
    if is_null(&about) {
        return Ok(Some((Vec::new(), None)));
    }
    let stamp = Stamp::of(&about);
    if before == Some(&stamp) {
        return Ok(None);
    }
    let bytes = content(&file, &about).map_err(failed)?;
    Ok(Some((bytes, Some(stamp))))
}

/// Never blocks on a FIFO or reads on for ever from a device.
fn content(file: &File, about: &fs::Metadata) -> io::Result<Vec<u8>> {
    if about.is_dir() {
        return Err(invalid(libc::EISDIR));
    }
    if !about.is_file() {
        return Err(invalid(libc::EINVAL));
    }
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE {
        return Err(invalid(libc::EFBIG));
    }
    Ok(bytes)
}

/// Whether a change may make the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Create,
    LeaveOut,
}

/// Changes a file: `edit` gives the new content, or `None` to leave it. Called again when others changed the file
/// meanwhile.
pub(super) fn change(
    path: &Path,
    missing: Missing,
    mut edit: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, Error>,
) -> Result<(), Error> {
    let until = Instant::now().checked_add(PATIENCE);
    let late = || until.is_some_and(|until| Instant::now() >= until);
    loop {
        let Some(file) = open(path, missing)? else {
            return Ok(());
        };
        match file.try_lock() {
            Ok(()) => {
                if attempt(path, &file, &mut edit)? {
                    return Ok(());
                }
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(failed("lock", path)(error)),
        }
        if late() {
            return Err(Error::Timeout("the lock of the known_hosts file"));
        }
    }
}

/// The file as it is to be locked; `None` when there is nothing to change.
fn open(path: &Path, missing: Missing) -> Result<Option<File>, Error> {
    let create = missing == Missing::Create;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .mode(0o600)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    match opened {
        Ok(file) => {
            let about = file.metadata().map_err(failed("look at", path))?;
            Ok((!is_null(&about)).then_some(file))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !create => Ok(None),
        Err(error) => Err(failed("write", path)(error)),
    }
}

/// One attempt with the lock held; false when the file is not what it was, and all begins again.
fn attempt(
    path: &Path,
    file: &File,
    edit: &mut impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, Error>,
) -> Result<bool, Error> {
    // The file that the name leads to, through links, which stay.
    let real = path.canonicalize().map_err(failed("find", path))?;
    let about = file.metadata().map_err(failed("look at", path))?;
    let stamp = Stamp::of(&about);
    if !is_still(&real, &stamp) {
        return Ok(false);
    }
    let bytes = content(file, &about).map_err(failed("read", path))?;
    let Some(new) = edit(&bytes)? else {
        return Ok(true);
    };
    if new.len() > MAX_FILE {
        return Err(failed("write", path)(invalid(libc::EFBIG)));
    }
    let temporary = temporary_beside(&real);
    let replaced = write_beside(&temporary, &about, &new).and_then(|()| {
        // Somebody who does not lock may have written meanwhile, ssh itself for one.
        let still = is_still(&real, &stamp);
        if still {
            fs::rename(&temporary, &real)?;
        }
        Ok(still)
    });
    if !matches!(replaced, Ok(true)) {
        let _ = fs::remove_file(&temporary);
    }
    match replaced {
        Ok(true) => sync_directory(&real),
        Ok(false) => return Ok(false),
        // The folder takes no other file, or the file is a mount point.
        Err(error) if is_for_the_place(&error) => {
            write_in_place(file, &new).map_err(failed("write", path))?;
        }
        Err(error) => return Err(failed("write", path)(error)),
    }
    Ok(true)
}

fn is_still(path: &Path, stamp: &Stamp) -> bool {
    fs::metadata(path).is_ok_and(|about| Stamp::of(&about) == *stamp)
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}.tmp", u64::from_ne_bytes(bytes)));
    PathBuf::from(name)
}

/// With the mode and the owner that the file had.
fn write_beside(path: &Path, about: &fs::Metadata, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (about.uid(), about.gid()) {
        fchown(&file, Some(about.uid()), Some(about.gid()))?;
    }
    file.set_permissions(about.permissions())?;
    file.sync_all()
}

fn is_for_the_place(error: &io::Error) -> bool {
    let errno = error.raw_os_error().unwrap_or(0);
    [
        libc::EACCES,
        libc::EPERM,
        libc::EROFS,
        libc::EBUSY,
        libc::EXDEV,
    ]
    .contains(&errno)
}

fn write_in_place(file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, 0)?;
    file.set_len(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
    file.sync_all()
}

fn sync_directory(path: &Path) {
    // The file is whole in any case; a crash may only bring the old one back.
    if let Some(Ok(directory)) = path.parent().map(File::open) {
        let _ = directory.sync_all();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::os::unix::fs::{symlink, PermissionsExt};

    pub(crate) struct Folder(pub(crate) PathBuf);
    impl Folder {
        pub(crate) fn new() -> Self {
            let path = temporary_beside(&std::env::temp_dir().join("sshwire-known"));
            fs::create_dir(&path).unwrap();
            Folder(path)
        }

        fn names(&self) -> usize {
            self.0.read_dir().unwrap().count()
        }
    }
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn append(path: &Path, text: &str) -> Result<(), Error> {
        change(path, Missing::Create, |bytes| {
            Ok(Some([bytes, text.as_bytes()].concat()))
        })
    }

    fn errno<T>(result: Result<T, Error>) -> i32 {
        match result {
            Err(Error::File { errno, .. }) => errno,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it worked"),
        }
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
        let folder = Folder::new();
        let path = folder.0.join("known");
        change(&path, Missing::LeaveOut, |_| panic!("there is nothing")).unwrap();
        append(&path, "a").unwrap();
        assert_eq!(
            path.metadata().unwrap().permissions().mode() & 0o7777,
            0o600
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        append(&path, "b").unwrap();
        assert_eq!(
            path.metadata().unwrap().permissions().mode() & 0o7777,
            0o640
        );
        assert_eq!(fs::read(&path).unwrap(), b"ab");
        change(&path, Missing::Create, |_| Ok(None)).unwrap();
        assert_eq!(folder.names(), 1);
    }

    #[test]
    fn links_are_followed_and_stay() {
        let folder = Folder::new();
        let (link, real) = (folder.0.join("link"), folder.0.join("real"));
        symlink("real", &link).unwrap();
        append(&link, "a").unwrap();
        append(&link, "b").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"ab");
        assert_eq!(folder.names(), 2);
    }

    #[test]
    fn nothing_is_lost_between_many_writers() {
        let folder = Folder::new();
        let path = folder.0.join("known");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for line in 0..10 {
                        append(path, &format!("{writer} {line}\n")).unwrap();
                    }
                });
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 80);
        assert_eq!(folder.names(), 1);
    }

    #[test]
    fn who_does_not_lock_is_not_overwritten() {
        let folder = Folder::new();
        let path = folder.0.join("known");
        append(&path, "a\n").unwrap();
        let mut first = true;
        change(&path, Missing::Create, |bytes| {
            if std::mem::take(&mut first) {
                let mut file = OpenOptions::new().append(true).open(&path).unwrap();
                file.write_all(b"ssh\n").unwrap();
            }
            Ok(Some([bytes, b"ours\n"].concat()))
        })
        .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a\nssh\nours\n");
    }

    #[test]
    fn h3_only_regular_files_of_some_size_are_read() {
        let folder = Folder::new();
        assert_eq!(errno(read(&folder.0, None)), libc::EISDIR);
        assert_eq!(errno(read(Path::new("/dev/zero"), None)), libc::EINVAL);
        let large = folder.0.join("large");
        File::create(&large).unwrap().set_len(1 << 30).unwrap();
        assert_eq!(errno(read(&large, None)), libc::EFBIG);
        assert_eq!(errno(append(&large, "a")), libc::EFBIG);
        let loops = folder.0.join("loop");
        symlink("loop", &loops).unwrap();
        assert_eq!(errno(read(&loops, None)), libc::ELOOP);
        assert!(read(&folder.0.join("none"), None).unwrap().is_some());
        // No file at all, for those who want none.
        let null = Path::new("/dev/null");
        assert!(read(null, None).unwrap().unwrap().0.is_empty());
        append(null, "a").unwrap();
        let error = read(&large, None).unwrap_err().to_string();
        assert!(error.contains("large: "), "{error}");
    }

    #[test]
    fn what_was_read_is_not_read_again() {
        let folder = Folder::new();
        let path = folder.0.join("known");
        append(&path, "a").unwrap();
        let (_, stamp) = read(&path, None).unwrap().unwrap();
        assert!(read(&path, stamp.as_ref()).unwrap().is_none());
        append(&path, "b").unwrap();
        assert!(read(&path, stamp.as_ref()).unwrap().is_some());
    }

    #[test]
    fn where_no_file_can_be_put_beside_it_it_is_written_in_place() {
        let folder = Folder::new();
        let path = folder.0.join("known");
        append(&path, "a longer text").unwrap();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        write_in_place(&file, b"short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert!(is_for_the_place(&invalid(libc::EBUSY)));
        assert!(!is_for_the_place(&invalid(libc::ENOSPC)));
    }
}
