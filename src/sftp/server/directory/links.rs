//! Names in directories: making, removing, renaming and linking them.

use std::os::unix::ffi::OsStrExt;

use rustix::fs::{self, AtFlags, Mode, RenameFlags};
use rustix::io::Errno;

use super::tree::{as_path, Entry, Tree};
use crate::sftp::server::failure::Failure;
use crate::sftp::server::path::VirtualPath;

/// MKDIR.
pub fn make_dir(tree: &Tree, path: &VirtualPath, mode: u32) -> Result<(), Failure> {
    if path.is_root() {
        return Err(Errno::EXIST.into());
    }
    let entry = tree.entry(path)?;
    let mode = Mode::from_raw_mode(mode);
    Ok(fs::mkdirat(&entry.parent, entry.name(), mode)?)
}

/// REMOVE and RMDIR.
pub fn remove(tree: &Tree, path: &VirtualPath, directory: bool) -> Result<(), Failure> {
    let entry = tree.entry(path)?;
    let flags = if directory {
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    Ok(fs::unlinkat(&entry.parent, entry.name(), flags)?)
}

/// `posix-rename@openssh.com`: what has the new name is replaced.
pub fn rename(tree: &Tree, old: &VirtualPath, new: &VirtualPath) -> Result<(), Failure> {
    let (old, new) = (tree.entry(old)?, tree.entry(new)?);
    Ok(fs::renameat(
        &old.parent,
        old.name(),
        &new.parent,
        new.name(),
    )?)
}

/// RENAME: fails when something has the new name.
pub fn rename_new(tree: &Tree, old: &VirtualPath, new: &VirtualPath) -> Result<(), Failure> {
    let (old, new) = (tree.entry(old)?, tree.entry(new)?);
    let flags = RenameFlags::NOREPLACE;
    match fs::renameat_with(&old.parent, old.name(), &new.parent, new.name(), flags) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => rename_checked(&old, &new),
        outcome => Ok(outcome?),
    }
}

/// For file systems that cannot rename without replacing: who makes the new name at this very moment
/// loses it. INVAL may also mean a directory that would be put into itself, and that is said again here.
fn rename_checked(old: &Entry, new: &Entry) -> Result<(), Failure> {
    match fs::statat(&new.parent, new.name(), AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(fs::renameat(
            &old.parent,
            old.name(),
            &new.parent,
            new.name(),
        )?),
        Ok(_) => Err(Errno::EXIST.into()),
        Err(errno) => Err(errno.into()),
    }
}

/// `hardlink@openssh.com`. A link of a symbolic link is one to the same symbolic link.
pub fn hard_link(tree: &Tree, old: &VirtualPath, new: &VirtualPath) -> Result<(), Failure> {
    let (old, new) = (tree.entry(old)?, tree.entry(new)?);
    let flags = AtFlags::empty();
    Ok(fs::linkat(
        &old.parent,
        old.name(),
        &new.parent,
        new.name(),
        flags,
    )?)
}

/// READLINK. Where an absolute link leads is a path of this machine, which is not shown.
pub fn read(tree: &Tree, path: &VirtualPath) -> Result<Vec<u8>, Failure> {
    if path.is_root() {
        return Err(Failure::other("not a symbolic link"));
    }
    let entry = tree.entry(path)?;
    let target = match fs::readlinkat(&entry.parent, entry.name(), Vec::new()) {
        Err(Errno::INVAL) => return Err(Failure::other("not a symbolic link")),
        outcome => outcome?.into_bytes(),
    };
    if target.first() == Some(&b'/') {
        return Err(Failure::denied(
            "the link leads out of the directory that is served",
        ));
    }
    Ok(target)
}

/// SYMLINK. What the link says must be right for other programs of this machine, too, which see more than this
/// directory: an absolute target is made relative to where the link is, and one that leads out is refused.
pub fn symlink(tree: &Tree, target: &[u8], link: &VirtualPath) -> Result<(), Failure> {
    let entry = tree.entry(link)?;
    let depth = tree.real_path(&entry.parent_path)?.depth();
    let target = match target {
        b"" => return Err(Errno::NOENT.into()),
        [b'/', ..] => {
            let wanted = VirtualPath::new(&VirtualPath::root(), target)?;
            let mut relative = b"../".repeat(depth);
            relative.extend_from_slice(wanted.relative());
            relative
        }
        relative if stays_inside(relative, depth) => relative.to_vec(),
        _ => {
            return Err(Failure::denied(
                "the link would lead out of the directory that is served",
            ))
        }
    };
    if target.contains(&0) {
        return Err(Failure::other("no name has a NUL byte"));
    }
    let target = as_path(&target).as_os_str().as_bytes();
    Ok(fs::symlinkat(target, &entry.parent, entry.name())?)
}

/// Whether a relative target stays below the top when it is followed from a directory `depth` names below it.
/// ".." after a name depends on what that name is by then, so it is taken only in front.
fn stays_inside(target: &[u8], depth: usize) -> bool {
    let mut ups = 0;
    let mut names = false;
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if names => return false,
            b".." => ups += 1,
            _ => names = true,
        }
    }
    ups <= depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (target, depth, inside) in [
            ("a/b", 0, true),
            ("..", 0, false),
            ("../x", 1, true),
            ("../../x", 1, false),
            ("a/../b", 5, false),
            ("./.././/../a", 2, true),
        ] {
            assert_eq!(stays_inside(target.as_bytes(), depth), inside, "{target}");
        }
    }
}
