//! What an `ssh_sftp` does with paths: attributes, names, links, directories.

use std::ffi::{c_char, c_void};

use crate::driver::Timeout;
use crate::error::Error;
use crate::sftp::client::Sftp;
use crate::sftp::{Attributes, StatVfs};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::sftp::ssh_sftp;
use super::sftp_attributes::{self, ssh_sftp_attributes};
use super::sftp_object::{path, timeout};
use super::status::{ssh_status, SSH_OK};

/// Place among the values of ssh_sftp_statvfs(): block size in bytes.
pub const SSH_SFTP_VFS_BLOCK_BYTES: usize = 0;

/// Place among the values of ssh_sftp_statvfs(): size in bytes of the blocks that are counted.
pub const SSH_SFTP_VFS_FRAGMENT_BYTES: usize = 1;

/// Place among the values of ssh_sftp_statvfs(): blocks in all.
pub const SSH_SFTP_VFS_BLOCKS: usize = 2;

/// Place among the values of ssh_sftp_statvfs(): free blocks.
pub const SSH_SFTP_VFS_BLOCKS_FREE: usize = 3;

/// Place among the values of ssh_sftp_statvfs(): free blocks for users without privileges.
pub const SSH_SFTP_VFS_BLOCKS_AVAILABLE: usize = 4;

/// Place among the values of ssh_sftp_statvfs(): inodes in all.
pub const SSH_SFTP_VFS_FILES: usize = 5;

/// Place among the values of ssh_sftp_statvfs(): free inodes.
pub const SSH_SFTP_VFS_FILES_FREE: usize = 6;

/// Place among the values of ssh_sftp_statvfs(): free inodes for users without privileges.
pub const SSH_SFTP_VFS_FILES_AVAILABLE: usize = 7;

/// Place among the values of ssh_sftp_statvfs(): number of the file system.
pub const SSH_SFTP_VFS_ID: usize = 8;

/// Place among the values of ssh_sftp_statvfs(): 1 is read-only, 2 is without set-user-ID.
pub const SSH_SFTP_VFS_FLAGS: usize = 9;

/// Place among the values of ssh_sftp_statvfs(): longest name in bytes.
pub const SSH_SFTP_VFS_NAME_MAX: usize = 10;

/// How many values ssh_sftp_statvfs() gives.
pub const SSH_SFTP_VFS_COUNT: usize = 11;

/// Removes a file or symbolic link.
///
/// @param sftp        the session
/// @param file        its path
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_remove(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        driver.remove(path(file)?, time).map_err(Failure::from)
    })
}

/// Makes a directory.
///
/// @param sftp        the session
/// @param directory   its path
/// @param permissions  its mode bits, such as 0755, of which the server may take some away
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_mkdir(
    sftp: *mut ssh_sftp,
    directory: *const c_char,
    permissions: u32,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        let attributes = Attributes {
            permissions: Some(permissions),
            ..Attributes::new()
        };
        Ok(driver.mkdir(path(directory)?, &attributes, time)?)
    })
}

/// Removes an empty directory.
///
/// @param sftp        the session
/// @param directory   its path
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_rmdir(
    sftp: *mut ssh_sftp,
    directory: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        Ok(driver.rmdir(path(directory)?, time)?)
    })
}

/// Renames a file or directory. Fails, with most servers, where the new name exists.
///
/// @param sftp        the session
/// @param from        the path it has
/// @param to          the path it gets
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_rename(
    sftp: *mut ssh_sftp,
    from: *const c_char,
    to: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        Ok(driver.rename(path(from)?, path(to)?, time)?)
    })
}

/// Renames a file or directory and replaces what has the new name, at once. Needs posix-rename@openssh.com.
///
/// @param sftp        the session
/// @param from        the path it has
/// @param to          the path it gets
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_posix_rename(
    sftp: *mut ssh_sftp,
    from: *const c_char,
    to: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        Ok(driver.posix_rename(path(from)?, path(to)?, time)?)
    })
}

/// Gives a file a further name. Needs hardlink@openssh.com.
///
/// @param sftp        the session
/// @param from        the path it has
/// @param to          its further path
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_hardlink(
    sftp: *mut ssh_sftp,
    from: *const c_char,
    to: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        Ok(driver.hardlink(path(from)?, path(to)?, time)?)
    })
}

/// Makes a symbolic link.
///
/// @param sftp        the session
/// @param target      what the link says; need not exist
/// @param link        the path of the link
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_symlink(
    sftp: *mut ssh_sftp,
    target: *const c_char,
    link: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        Ok(driver.symlink(path(target)?, path(link)?, time)?)
    })
}

/// Sets the attributes that are given, symbolic links followed.
///
/// @param sftp        the session
/// @param file        the path
/// @param attributes  what to set
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_setstat(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    attributes: *const ssh_sftp_attributes,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        let attributes = sftp_attributes::given(attributes)?;
        Ok(driver.setstat(path(file)?, &attributes, time)?)
    })
}

/// Sets the attributes that are given, of a symbolic link itself. Needs lsetstat@openssh.com.
///
/// @param sftp        the session
/// @param file        the path
/// @param attributes  what to set
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_lsetstat(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    attributes: *const ssh_sftp_attributes,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        let attributes = sftp_attributes::given(attributes)?;
        Ok(driver.lsetstat(path(file)?, &attributes, time)?)
    })
}

/// Sets the mode bits of a file.
///
/// @param sftp        the session
/// @param file        the path
/// @param permissions  the bits
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_chmod(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    permissions: u32,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        let attributes = Attributes {
            permissions: Some(permissions),
            ..Attributes::new()
        };
        Ok(driver.setstat(path(file)?, &attributes, time)?)
    })
}

/// Sets user and group of a file.
///
/// @param sftp        the session
/// @param file        the path
/// @param user        the user's number
/// @param group       the group's number
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_chown(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    user: u32,
    group: u32,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        let attributes = Attributes {
            owner: Some((user, group)),
            ..Attributes::new()
        };
        Ok(driver.setstat(path(file)?, &attributes, time)?)
    })
}

/// Sets the times of the last reading and writing of a file.
///
/// @param sftp        the session
/// @param file        the path
/// @param accessed    seconds since 1970
/// @param modified    seconds since 1970
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_utime(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    accessed: u32,
    modified: u32,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        let attributes = Attributes {
            times: Some((accessed, modified)),
            ..Attributes::new()
        };
        Ok(driver.setstat(path(file)?, &attributes, time)?)
    })
}

/// Cuts a file, or lengthens it with zeros.
///
/// @param sftp        the session
/// @param file        the path
/// @param size        its new size in bytes
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_truncate(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    size: u64,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    order(sftp, timeout_ms, error, |driver, time| {
        let attributes = Attributes {
            size: Some(size),
            ..Attributes::new()
        };
        Ok(driver.setstat(path(file)?, &attributes, time)?)
    })
}

/// Attributes of a file, symbolic links followed.
///
/// @param sftp        the session
/// @param file        the path
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return attributes, freed with ssh_sftp_attributes_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_stat(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_sftp_attributes {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(sftp)?;
        sftp_attributes::attributes_out(object.stat(path(file)?, timeout(timeout_ms)?)?)
    })
}

/// Attributes of a file, of a symbolic link itself.
///
/// @param sftp        the session
/// @param file        the path
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return attributes, freed with ssh_sftp_attributes_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_lstat(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_sftp_attributes {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(sftp)?;
        sftp_attributes::attributes_out(object.lstat(path(file)?, timeout(timeout_ms)?)?)
    })
}

/// What a symbolic link says.
///
/// @param sftp        the session
/// @param link        the path of the link
/// @param result      receives the path, any bytes with a NUL behind them, freed with ssh_memory_free()
/// @param length      receives its length in bytes, or NULL
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_readlink(
    sftp: *mut ssh_sftp,
    link: *const c_char,
    result: *mut *mut c_void,
    length: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    name(sftp, (result, length), timeout_ms, error, |driver, time| {
        Ok(driver.readlink(path(link)?, time)?)
    })
}

/// The absolute path of a path, without symbolic links; of "." the directory that relative paths begin in.
///
/// @param sftp        the session
/// @param file        the path
/// @param result      receives the path, any bytes with a NUL behind them, freed with ssh_memory_free()
/// @param length      receives its length in bytes, or NULL
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_realpath(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    result: *mut *mut c_void,
    length: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    name(sftp, (result, length), timeout_ms, error, |driver, time| {
        Ok(driver.realpath(path(file)?, time)?)
    })
}

/// As ssh_sftp_realpath(), and "~" and "~user" are known. Needs expand-path@openssh.com.
///
/// @param sftp        the session
/// @param file        the path
/// @param result      receives the path, any bytes with a NUL behind them, freed with ssh_memory_free()
/// @param length      receives its length in bytes, or NULL
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_expand_path(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    result: *mut *mut c_void,
    length: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    name(sftp, (result, length), timeout_ms, error, |driver, time| {
        Ok(driver.expand_path(path(file)?, time)?)
    })
}

/// The home directory of a user. Needs home-directory.
///
/// @param sftp        the session
/// @param user        the user's name, "" for the one who is logged in; OpenSSH 9.2 has none for ""
/// @param result      receives the path, any bytes with a NUL behind them, freed with ssh_memory_free()
/// @param length      receives its length in bytes, or NULL
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_home_directory(
    sftp: *mut ssh_sftp,
    user: *const c_char,
    result: *mut *mut c_void,
    length: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    name(sftp, (result, length), timeout_ms, error, |driver, time| {
        Ok(driver.home_directory(path(user)?, time)?)
    })
}

/// The state of the file system that holds a path. Needs statvfs@openssh.com.
///
/// @param sftp        the session
/// @param file        the path
/// @param values      receives the values, in the order of SSH_SFTP_VFS_BLOCK_BYTES and the others
/// @param count       how many there is room for; SSH_SFTP_VFS_COUNT for all
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_statvfs(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    values: *mut u64,
    count: usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let out = values_out(values, count)?;
        let object = handle::get(sftp)?;
        let state = object.statvfs(path(file)?, timeout(timeout_ms)?)?;
        give_values(out, &state);
        Ok(SSH_OK)
    })
}

/// Names of users and groups by their numbers. Needs users-groups-by-id@openssh.com.
///
/// @param sftp        the session
/// @param users       numbers of users
/// @param user_count  how many, at most 4,096
/// @param groups      numbers of groups
/// @param group_count  how many, at most 4,096
/// @param names       receives the names, first of the users, then of the groups, each ended by a NUL and empty where there is none; freed with ssh_memory_free()
/// @param length      receives the bytes in `names`, or NULL
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_users_groups_by_id(
    sftp: *mut ssh_sftp,
    users: *const u32,
    user_count: usize,
    groups: *const u32,
    group_count: usize,
    names: *mut *mut c_void,
    length: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::clear_bytes(names, length);
        let object = handle::get(sftp)?;
        let users = memory::array_of(users, user_count, MAX_IDS)?;
        let groups = memory::array_of(groups, group_count, MAX_IDS)?;
        let found = object.users_groups_by_id(users, groups, timeout(timeout_ms)?)?;
        let mut all = Vec::new();
        for name in found.users.iter().chain(&found.groups) {
            // A NUL inside would shift all that follow.
            let end = name.iter().position(|byte| *byte == 0);
            all.extend_from_slice(name.get(..end.unwrap_or(name.len())).unwrap_or_default());
            all.push(0);
        }
        memory::bytes_out(&all, names, length)?;
        Ok(SSH_OK)
    })
}

// --- behind the functions -------------------------------------------------------------------------

const MAX_IDS: usize = 4096;

fn order(
    sftp: *mut ssh_sftp,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
    body: impl FnOnce(&Sftp, Timeout) -> Outcome<()>,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(sftp)?;
        body(&object, timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

fn name(
    sftp: *mut ssh_sftp,
    (result, length): (*mut *mut c_void, *mut usize),
    timeout_ms: i32,
    error: *mut *mut ssh_error,
    body: impl FnOnce(&Sftp, Timeout) -> Outcome<Vec<u8>>,
) -> ssh_status {
    guard::status_with(error, || {
        memory::clear_bytes(result, length);
        let object = handle::get(sftp)?;
        let name = body(&object, timeout(timeout_ms)?)?;
        if name.contains(&0) {
            return Err(Error::Sftp("a name with a NUL in it").into());
        }
        memory::bytes_out(&name, result, length)?;
        Ok(SSH_OK)
    })
}

/// The caller's room for values, zeroed.
pub(crate) fn values_out<'a>(values: *mut u64, count: usize) -> Outcome<&'a mut [u64]> {
    let out = memory::values_mut(values, count.min(SSH_SFTP_VFS_COUNT))?;
    out.fill(0);
    Ok(out)
}

pub(crate) fn give_values(out: &mut [u64], state: &StatVfs) {
    let all: [u64; SSH_SFTP_VFS_COUNT] = [
        state.block_bytes,
        state.fragment_bytes,
        state.blocks,
        state.blocks_free,
        state.blocks_available,
        state.files,
        state.files_free,
        state.files_available,
        state.file_system_id,
        state.flags,
        state.name_max,
    ];
    for (place, value) in out.iter_mut().zip(all) {
        *place = value;
    }
}
