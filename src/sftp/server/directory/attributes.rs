//! Between the system's `stat` and the protocol's attributes, and setting them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cap_std::fs::{Permissions, PermissionsExt};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::tree::{as_path, Tree};
use crate::sftp::server::failure::Failure;
use crate::sftp::server::path::VirtualPath;
use crate::sftp::{Attributes, StatusCode};

/// Bits that let a program run as the file's owner or group.
const SET_ID_BITS: u32 = 0o6000;
/// Bits of a mode that clients may set.
const MODE_BITS: u32 = 0o7777;

/// The attributes of a file.
pub fn from_stat(stat: &Stat) -> Attributes {
    Attributes {
        size: u64::try_from(stat.st_size).ok(),
        owner: Some((stat.st_uid, stat.st_gid)),
        permissions: Some(stat.st_mode),
        times: Some((seconds(stat.st_atime), seconds(stat.st_mtime))),
        extended: Vec::new(),
    }
}

/// Seconds as the protocol has them: none before 1970 and none after 2106.
fn seconds(time: impl TryInto<i64>) -> u32 {
    let time = time.try_into().unwrap_or(0).max(0);
    u32::try_from(time).unwrap_or(u32::MAX)
}

/// The mode of something new: what the client asks for less the bits it may not have.
pub fn new_mode(attributes: &Attributes, otherwise: u32, umask: u32) -> u32 {
    attributes.permissions.unwrap_or(otherwise) & MODE_BITS & !SET_ID_BITS & !umask
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Whether a file may be opened, cut and changed: nothing else than these is touched.
pub fn is_regular(stat: &Stat) -> bool {
    kind(stat) == FileType::RegularFile
}

/// Whether it is a directory.
pub fn is_directory(stat: &Stat) -> bool {
    kind(stat) == FileType::Directory
}

/// Refuses modes that would let a program run as the server's user.
fn checked_mode(permissions: u32, stat: &Stat) -> Result<Mode, Failure> {
    let bits = permissions & MODE_BITS;
    if bits & SET_ID_BITS != 0 && !is_directory(stat) {
        return Err(Failure::denied(
            "set-user-ID and set-group-ID bits are not given",
        ));
    }
    Ok(Mode::from_raw_mode(bits))
}

fn times((accessed, modified): (u32, u32)) -> Timestamps {
    let at = |seconds: u32| Timespec {
        tv_sec: i64::from(seconds),
        tv_nsec: 0,
    };
    Timestamps {
        last_access: at(accessed),
        last_modification: at(modified),
    }
}

/// Numbers of user and group; all bits set leave one as it is.
fn owner((user, group): (u32, u32)) -> (Option<Uid>, Option<Gid>) {
    let given = |number: u32| (number != u32::MAX).then_some(number);
    (
        given(user).map(Uid::from_raw),
        given(group).map(Gid::from_raw),
    )
}

/// Why a file keeps its owner. "Operation not permitted" alone does not say which of the attributes it was about.
fn not_given(errno: Errno) -> Failure {
    match errno {
        Errno::PERM => Failure::denied("the server may not change the owner or group"),
        errno => errno.into(),
    }
}

/// FSETSTAT.
pub fn set_open(fd: BorrowedFd<'_>, wanted: &Attributes, writable: bool) -> Result<(), Failure> {
    if let Some(size) = wanted.size {
        if !writable {
            return Err(Failure::denied("the file is not open for writing"));
        }
        fs::ftruncate(fd, checked_size(size)?)?;
    }
    if let Some(numbers) = wanted.owner {
        let (user, group) = owner(numbers);
        fs::fchown(fd, user, group).map_err(not_given)?;
    }
    if let Some(permissions) = wanted.permissions {
        fs::fchmod(fd, checked_mode(permissions, &fs::fstat(fd)?)?)?;
    }
    if let Some(seconds) = wanted.times {
        fs::futimens(fd, &times(seconds))?;
    }
    Ok(())
}

/// SETSTAT.
pub fn set(tree: &Tree, path: &VirtualPath, wanted: &Attributes) -> Result<(), Failure> {
    let located = tree.locate(path)?;
    let stat = fs::fstat(&located)?;
    if !is_regular(&stat) && !is_directory(&stat) {
        return Err(Failure::other("neither a file nor a directory"));
    }
    if let Some(size) = wanted.size {
        if !is_regular(&stat) {
            return Err(Failure::other("only files have a size to set"));
        }
        let file = super::files::open_regular(tree, path, |options| _ = options.write(true))?;
        fs::ftruncate(&file, checked_size(size)?)?;
    }
    if let Some(numbers) = wanted.owner {
        let (user, group) = owner(numbers);
        fs::chownat(&located, "", user, group, AtFlags::EMPTY_PATH).map_err(not_given)?;
    }
    if let Some(permissions) = wanted.permissions {
        set_mode(tree, path, &located, checked_mode(permissions, &stat)?)?;
    }
    if let Some(seconds) = wanted.times {
        fs::utimensat(located.as_fd(), "", &times(seconds), AtFlags::EMPTY_PATH)?;
    }
    Ok(())
}

/// `lsetstat@openssh.com`: SETSTAT that does not follow a link in the last name.
pub fn set_link(tree: &Tree, path: &VirtualPath, wanted: &Attributes) -> Result<(), Failure> {
    let stat = tree.lstat(path)?;
    if path.is_root() || is_directory(&stat) || is_regular(&stat) {
        // Should it become a link meanwhile, that one leads nowhere else than any path may.
        return set(tree, path, wanted);
    }
    if kind(&stat) != FileType::Symlink {
        return Err(Failure::other("neither a file, a directory nor a link"));
    }
    if wanted.size.is_some() || wanted.permissions.is_some() {
        return Err(Failure::new(
            StatusCode::OP_UNSUPPORTED,
            "links have no size or mode to set",
        ));
    }
    let entry = tree.entry(path)?;
    if let Some(numbers) = wanted.owner {
        let (user, group) = owner(numbers);
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        fs::chownat(&entry.parent, entry.name(), user, group, flags).map_err(not_given)?;
    }
    if let Some(seconds) = wanted.times {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        fs::utimensat(&entry.parent, entry.name(), &times(seconds), flags)?;
    }
    Ok(())
}

/// Sets a mode that was checked against `located`. The path may name something else by now, which is fine for modes
/// that anything may have. Set-ID bits are for directories, so they go to the one that was looked at and never to
/// a file that has taken its place.
fn set_mode(tree: &Tree, path: &VirtualPath, located: &OwnedFd, mode: Mode) -> Result<(), Failure> {
    if mode.as_raw_mode() & SET_ID_BITS != 0 {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = fs::openat(located, ".", flags, Mode::empty())?;
        return Ok(fs::fchmod(&directory, mode)?);
    }
    let permissions = Permissions::from_mode(mode.as_raw_mode());
    Ok(tree
        .root()
        .set_permissions(as_path(path.relative()), permissions)?)
}

/// A size the system can have.
fn checked_size(size: u64) -> Result<u64, Failure> {
    if i64::try_from(size).is_err() {
        return Err(Failure::other("the size is too large"));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{symlink, MetadataExt};

    #[test]
    fn a_file_that_takes_the_place_of_a_directory_gets_no_set_id_bits() {
        let top = std::env::temp_dir().join(format!("sshwire-set-id-{}", std::process::id()));
        std::fs::create_dir_all(top.join("dir")).unwrap();
        std::fs::write(top.join("program"), "").unwrap();
        let tree = Tree::open(&top).unwrap();
        let path = VirtualPath::new(&VirtualPath::root(), b"/link").unwrap();
        symlink("dir", top.join("link")).unwrap();
        let located = tree.locate(&path).unwrap();
        let mode = checked_mode(0o4755, &fs::fstat(&located).unwrap()).unwrap();
        // What another session of the same client does between the check and the change.
        symlink("program", top.join("next")).unwrap();
        std::fs::rename(top.join("next"), top.join("link")).unwrap();
        let outcome = set_mode(&tree, &path, &located, mode);
        let mode_of = |name: &str| std::fs::metadata(top.join(name)).unwrap().mode() & MODE_BITS;
        let (program, directory) = (mode_of("program"), mode_of("dir"));
        std::fs::remove_dir_all(&top).unwrap();
        assert_eq!(outcome, Ok(()));
        assert_eq!(program & SET_ID_BITS, 0, "{program:o}");
        assert_eq!(directory, 0o4755);
    }
}
