//! Reading of files.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The content of a file, of one that is longer than `limit` one byte more, so that it is found out and not cut; `None`
/// for what is no regular file. Never blocks on a FIFO, or reads on for ever from a device.
pub fn read_regular(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Appends at most `length` bytes of `file`, from `offset` on, and says how many; 0 at the end of the file.
///
/// What a caller of `read_at` has to fill with zeros first is left as it is here.
pub fn append_at(
    file: impl AsFd,
    offset: u64,
    length: usize,
    bytes: &mut Vec<u8>,
) -> io::Result<usize> {
    bytes.reserve(length);
    let before = bytes.len();
    let room = bytes.spare_capacity_mut();
    let room = room.get_mut(..length).unwrap_or_default();
    let (read, _) = rustix::io::pread(file, room, offset)?;
    let count = read.len();
    // SAFETY: the `count` bytes behind the first `before` lie within the capacity and were written by `pread`.
    unsafe { bytes.set_len(before + count) };
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn y2_regular_files_only_and_no_more_than_the_limit() {
        let path = std::env::temp_dir().join(format!("sshwire-regular-{}", std::process::id()));
        std::fs::write(&path, b"0123456789").unwrap();
        let read = |limit| read_regular(&path, limit).unwrap().unwrap();
        assert_eq!(read(10), b"0123456789");
        assert_eq!(read(4), b"01234");
        std::fs::remove_file(&path).unwrap();
        assert!(read_regular(&path, 10).is_err());
        for other in ["/dev/zero", "/"] {
            assert!(matches!(read_regular(Path::new(other), 10), Ok(None)));
        }
    }

    #[test]
    fn bytes_are_appended_and_never_more_than_wanted() {
        let path = std::env::temp_dir().join(format!("sshwire-append-{}", std::process::id()));
        std::fs::write(&path, b"0123456789").unwrap();
        let file = std::fs::File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut bytes = Vec::with_capacity(1000);
        bytes.extend_from_slice(b"x");
        assert_eq!(append_at(&file, 2, 3, &mut bytes).unwrap(), 3);
        assert_eq!(append_at(&file, 8, 100, &mut bytes).unwrap(), 2);
        assert_eq!(append_at(&file, 10, 100, &mut bytes).unwrap(), 0);
        assert_eq!(append_at(&file, 0, 0, &mut bytes).unwrap(), 0);
        assert!(append_at(&file, u64::MAX, 1, &mut bytes).is_err());
        assert_eq!(bytes, b"x23489");
    }
}
