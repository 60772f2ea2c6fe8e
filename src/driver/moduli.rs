//! The groups that servers of this process give to clients that ask for group exchange (RFC 4419).

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::Error;
use crate::kex::Moduli;

/// Where systems keep the file.
const USUAL_PLACES: [&str; 2] = ["/etc/ssh/moduli", "/usr/local/etc/moduli"];
/// The file that systems come with has about 0.5 MiB.
const MAX_BYTES: u64 = 16 << 20;

/// A leaf lock. What a transport got at its start it keeps.
static LOADED: Mutex<Option<Arc<Moduli>>> = Mutex::new(None);

/// Reads a file in the format of moduli(5) for every server that starts later; without a path the first of the
/// usual places that can be used.
///
/// # Errors
/// The file cannot be read, or holds no group that may be used. What was loaded before stays.
pub fn load_moduli(path: Option<&Path>) -> Result<(), Error> {
    let table = match path {
        Some(path) => read(path)?,
        None => {
            let [first, second] = USUAL_PLACES;
            read(Path::new(first)).or_else(|_| read(Path::new(second)))?
        }
    };
    *LOADED.lock() = Some(Arc::new(table));
    Ok(())
}

/// What was loaded last.
pub(super) fn loaded() -> Option<Arc<Moduli>> {
    LOADED.lock().clone()
}

fn read(path: &Path) -> Result<Moduli, Error> {
    // A FIFO must not block, and a terminal must not become ours.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(failed("open moduli file"))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed("read moduli file"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(too_large());
    }
    // A comment in another encoding is no reason to do without the groups.
    let table = Moduli::parse(&String::from_utf8_lossy(&bytes)).usable();
    if table.is_empty() {
        return Err(Error::ApiMisuse(
            "a moduli file without a group of 2048 to 8192 bits",
        ));
    }
    Ok(table)
}

fn failed(operation: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Io {
        operation,
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    }
}

fn too_large() -> Error {
    Error::Io {
        operation: "read moduli file",
        errno: libc::EFBIG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(text: &[u8]) -> std::path::PathBuf {
        let name = format!("sshwire-moduli-{}-{}", std::process::id(), text.len());
        let path = std::env::temp_dir().join(name);
        std::fs::File::create(&path)
            .and_then(|mut file| file.write_all(text))
            .unwrap();
        path
    }

    #[test]
    fn files_without_a_usable_group_are_refused() {
        let digits = "F".repeat(256);
        let small = format!("20240101000000 2 6 100 1023 2 {digits}\n");
        for text in [&b""[..], b"# nothing\n", b"\xff\xfe", small.as_bytes()] {
            let path = file(text);
            assert!(read(&path).is_err(), "{text:?}");
            std::fs::remove_file(path).unwrap();
        }
        assert!(matches!(
            read(Path::new("/nonexistent")),
            Err(Error::Io {
                errno: libc::ENOENT,
                ..
            })
        ));
        assert!(read(Path::new("/dev/zero")).is_err(), "endless");
        assert!(read(Path::new("/tmp")).is_err(), "a folder");
    }

    #[test]
    fn good_groups_are_kept_beside_odd_lines() {
        let digits = "F".repeat(512);
        let text = [
            b"# caf\xe9\n".to_vec(),
            format!("20240101000000 2 6 100 2047 2 {digits}\n").into_bytes(),
        ]
        .concat();
        let path = file(&text);
        assert_eq!(read(&path).unwrap().len(), 1);
        std::fs::remove_file(path).unwrap();
    }
}
