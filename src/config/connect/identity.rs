//! Keys in the files that IdentityFile names.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::unistd::Uid;
use zeroize::Zeroizing;

use crate::codec::printable;

/// No key of any kind comes near this.
const MAX_KEY: u64 = 1 << 20;

/// Reads a file of a private key; `None` where there is none.
///
/// # Errors
/// Why it is not used, and what to do.
pub(super) fn read(path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let failed = |error: &io::Error| {
        let error = io::Error::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO));
        format!("{}: {error}", shown(path))
    };
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(Path::new(path));
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let about = file.metadata().map_err(|error| failed(&error))?;
    if !about.is_file() || about.len() > MAX_KEY {
        return Err(format!("{} is no key file", shown(path)));
    }
    // A key that others may have read is not one's own any more; ssh does not use it either.
    if about.uid() == Uid::current().as_raw() && about.mode() & 0o077 != 0 {
        return Err(format!(
            "{} may be read by others and is not used; run chmod 600 on it",
            shown(path)
        ));
    }
    // Room for all of it at once: growing would leave copies of the secret behind.
    let room = usize::try_from(about.len()).unwrap_or(0).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(about.len())
        .read_to_end(&mut bytes)
        .map_err(|error| failed(&error))?;
    Ok(Some(bytes))
}

/// A path as it may be shown.
pub(super) fn shown(path: &str) -> String {
    printable(path.as_bytes(), 4096)
}
