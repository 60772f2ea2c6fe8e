//! Files with groups for Diffie-Hellman group exchange.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::guard::{Failure, Outcome};
use crate::error::Error;
use crate::kex::Moduli;

/// Where distributions keep it.
const USUAL: [&str; 2] = ["/etc/ssh/moduli", "/usr/local/etc/moduli"];
/// Several times as much as the largest in use.
const MAX_BYTES: u64 = 4 << 20;

/// Reads the first of the usual files that there is.
pub(crate) fn read_usual() -> Outcome<Moduli> {
    let mut outcome = Err(Failure::invalid("no usual place"));
    for path in USUAL {
        outcome = read(Path::new(path));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// Reads a file. Never blocks on a FIFO or reads on for ever from a device.
pub(crate) fn read(path: &Path) -> Outcome<Moduli> {
    let failed = |error: io::Error| Error::Io {
        operation: "read moduli",
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() || about.len() > MAX_BYTES {
        return Err(Failure::invalid("no regular file of at most 4 MiB"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let moduli = Moduli::parse(&String::from_utf8_lossy(&bytes));
    if moduli.is_empty() {
        return Err(Failure::invalid("there is no usable group in the file"));
    }
    Ok(moduli)
}
