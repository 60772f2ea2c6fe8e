//! Private keys in files: read within bounds, written so that nobody else sees them and nothing is lost.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::crypto::random::{Random, SystemRandom};
use crate::error::{Error, KeyFault};

/// No key of any kind comes near this.
pub(crate) const MAX_BYTES: usize = 1 << 20;

fn failed(operation: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Io {
        operation,
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    }
}

/// Reads a key file. Never blocks on a FIFO or reads on for ever from a device.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(failed("open key file"))?;
    let about = file.metadata().map_err(failed("look at key file"))?;
    if !about.is_file() {
        return Err(KeyFault::Malformed("not a regular file").into());
    }
    if about.len() > u64::try_from(MAX_BYTES).unwrap_or(u64::MAX) {
        return Err(KeyFault::Malformed("larger than 1 MiB").into());
    }
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
        .map_err(failed("read key file"))?;
    Ok(bytes)
}

/// Writes a new file, mode 0600, whole or not at all; one that exists stays as it is (EEXIST).
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if path.symlink_metadata().is_ok() {
        return Err(Error::Io {
            operation: "write key file",
            errno: libc::EEXIST,
        });
    }
    let temporary = temporary_beside(path);
    let written = write_to(&temporary, bytes).and_then(|()| publish(&temporary, path));
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

fn write_to(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    // The mode holds from the first moment (CVE-2022-24302 was a mode set afterwards).
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed("create key file"))?;
    file.write_all(bytes).map_err(failed("write key file"))?;
    file.sync_all().map_err(failed("sync key file"))
}

/// A hard link fails where the name is taken, which a rename does not.
fn publish(temporary: &Path, path: &Path) -> Result<(), Error> {
    match std::fs::hard_link(temporary, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(failed("write key file")(error))
        }
        Err(_) => {
            // A file system without hard links: take the name first, then put the file there.
            let claimed = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path);
            claimed.map_err(failed("create key file"))?;
            std::fs::rename(temporary, path).map_err(failed("write key file"))
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

    #[test]
    fn is_private_and_never_overwrites() {
        let folder = Folder::new();
        let path = folder.0.join("key");
        write_new(&path, b"one").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let again = write_new(&path, b"two");
        assert!(matches!(
            again,
            Err(Error::Io {
                errno: libc::EEXIST,
                ..
            })
        ));
        assert_eq!(read(&path).unwrap().as_slice(), b"one");
        assert_eq!(folder.0.read_dir().unwrap().count(), 1);
    }

    #[test]
    fn y2_only_small_regular_files_are_read() {
        let folder = Folder::new();
        for path in [folder.0.as_path(), Path::new("/dev/zero")] {
            assert!(read(path).is_err());
        }
        let large = folder.0.join("large");
        File::create(&large).unwrap().set_len(1 << 30).unwrap();
        assert!(matches!(read(&large), Err(Error::Key(_))));
        let fifo = folder.0.join("fifo");
        let name = std::ffi::CString::new(fifo.to_str().unwrap()).unwrap();
        // SAFETY: a NUL-terminated path of the test's own.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert!(matches!(read(&fifo), Err(Error::Key(_))));
    }
}
