//! Keys in files: read within bounds, written so that nobody else sees private ones and nothing is lost.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::codec::printable;
use crate::crypto::random::{Random, SystemRandom};
use crate::error::{Error, KeyFault};

/// No key of any kind comes near this.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// Who may have access to the file of a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody: the program knows why.
    Any,
    /// Where the file is of the user's own, nobody else, as ssh has it.
    OwnerOnly,
}

/// A path as messages have it.
fn shown(path: &Path) -> String {
    printable(path.as_os_str().as_encoded_bytes(), 4096)
}

fn failed(operation: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = shown(path);
    move |error| Error::File {
        operation,
        path: path.clone(),
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    }
}

/// Says of which file a fault is.
pub(crate) fn name_file<T>(path: &Path, outcome: Result<T, Error>) -> Result<T, Error> {
    outcome.map_err(|error| match error {
        Error::Key(fault) => Error::KeyFile {
            path: shown(path),
            fault,
        },
        other => other,
    })
}

/// Reads a key file. Never blocks on a FIFO or reads on for ever from a device.
pub(crate) fn read(path: &Path, access: Access) -> Result<Zeroizing<Vec<u8>>, Error> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(failed("cannot open key file", path))?;
    let about = file
        .metadata()
        .map_err(failed("cannot look at key file", path))?;
    name_file(path, check(&about, access).map_err(Error::Key))?;
    // Room for all of it at once: growing would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        MAX_BYTES.min(
            usize::try_from(about.len())
                .unwrap_or(MAX_BYTES)
                .saturating_add(1),
        ),
    ));
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(failed("cannot read key file", path))?;
    Ok(bytes)
}

fn check(about: &Metadata, access: Access) -> Result<(), KeyFault> {
    if !about.is_file() {
        return Err(KeyFault::Malformed("not a regular file"));
    }
    if about.len() > u64::try_from(MAX_BYTES).unwrap_or(u64::MAX) {
        return Err(KeyFault::Malformed("larger than 1 MiB"));
    }
    let mode = about.mode() & 0o7777;
    // A file of somebody else's may be open to a group on purpose, and its reader could not change that.
    let own = about.uid() == rustix::process::getuid().as_raw();
    if access == Access::OwnerOnly && own && mode & 0o077 != 0 {
        return Err(KeyFault::Exposed { mode });
    }
    Ok(())
}

/// Mode of the file of a private key.
pub(crate) const PRIVATE: u32 = 0o600;
/// Mode of the file of a public key, as far as the process's mask leaves it.
pub(crate) const PUBLIC: u32 = 0o644;

/// Writes a new file, whole or not at all; one that exists stays as it is (EEXIST).
pub(crate) fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Error> {
    if path.symlink_metadata().is_ok() {
        let taken = io::Error::from_raw_os_error(libc::EEXIST);
        return Err(failed("cannot write key file", path)(taken));
    }
    let temporary = temporary_beside(path);
    let written =
        write_to(&temporary, path, mode, bytes).and_then(|()| publish(&temporary, path, mode));
    // It has two names now, or is of no use.
    let _ = std::fs::remove_file(&temporary);
    written?;
    sync_directory(path);
    Ok(())
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}.tmp", u64::from_ne_bytes(bytes)));
    PathBuf::from(name)
}

fn write_to(temporary: &Path, path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Error> {
    let failed = || failed("cannot write key file", path);
    // The mode holds from the first moment (CVE-2022-24302 was a mode set afterwards).
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(temporary)
        .map_err(failed())?;
    file.write_all(bytes).map_err(failed())?;
    file.sync_all().map_err(failed())
}

/// A hard link fails where the name is taken, which a rename does not.
fn publish(temporary: &Path, path: &Path, mode: u32) -> Result<(), Error> {
    let failed = || failed("cannot write key file", path);
    match std::fs::hard_link(temporary, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(failed()(error)),
        Err(_) => {
            // A file system without hard links: take the name first, then put the file there.
            let claimed = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(path);
            claimed.map_err(failed())?;
            std::fs::rename(temporary, path).map_err(failed())
        }
    }
}

fn sync_directory(path: &Path) {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // The file is whole in any case; a crash may only take it away again.
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Folder(PathBuf);
    impl Folder {
        fn new() -> Self {
            let path = temporary_beside(&std::env::temp_dir().join("sshwire-test"));
            std::fs::create_dir(&path).unwrap();
            Folder(path)
        }
    }
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn is_private_and_never_overwrites() {
        let folder = Folder::new();
        let path = folder.0.join("key");
        write_new(&path, PRIVATE, b"one").unwrap();
        assert_eq!(mode(&path), 0o600);
        let again = write_new(&path, PUBLIC, b"two").unwrap_err();
        assert_eq!(
            again,
            Error::File {
                operation: "cannot write key file",
                path: shown(&path),
                errno: libc::EEXIST,
            }
        );
        assert_eq!(read(&path, Access::OwnerOnly).unwrap().as_slice(), b"one");
        assert_eq!(folder.0.read_dir().unwrap().count(), 1);
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn y2_only_small_regular_files_are_read() {
        let folder = Folder::new();
        for path in [folder.0.as_path(), Path::new("/dev/zero")] {
            assert!(read(path, Access::Any).is_err());
        }
        let large = folder.0.join("large");
        File::create(&large).unwrap().set_len(1 << 30).unwrap();
        let fifo = folder.0.join("fifo");
        let name = std::ffi::CString::new(fifo.to_str().unwrap()).unwrap();
        // SAFETY: a NUL-terminated path of the test's own.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        for path in [large, fifo] {
            let fault = read(&path, Access::Any).unwrap_err();
            assert!(matches!(fault, Error::KeyFile { .. }));
        }
    }

    #[test]
    fn open_doors_are_found() {
        let folder = Folder::new();
        let path = folder.0.join("key");
        write_new(&path, PRIVATE, b"one").unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o644, false), (0o620, false)] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, permissions).unwrap();
            assert!(read(&path, Access::Any).is_ok());
            let found = read(&path, Access::OwnerOnly);
            assert_eq!(found.is_ok(), good);
            if let Err(fault) = found {
                let words = fault.to_string();
                assert!(words.starts_with(path.to_str().unwrap()), "{words}");
                assert!(words.contains(&format!("{mode:04o}")) && words.contains("chmod"));
            }
        }
    }

    #[test]
    fn faults_say_of_which_file() {
        let path = Path::new("/no/such\u{1b}place");
        let words = read(path, Access::Any).unwrap_err().to_string();
        assert!(words.starts_with("cannot open key file /no/such\\u{1b}place: No such file"));
    }
}
