//! `ssh_sftp_attributes`: what is known, or to be set, of a file.

use std::ffi::c_char;
use std::sync::Arc;

use crate::driver::sync::Mutex;

use crate::sftp::{Attributes, Name};

use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::memory::{self, LentBytes};
use super::status::{ssh_status, SSH_EOF, SSH_OK};

/// Attributes of a file: size, owner, permissions, times. Each may be missing. Those of a directory's entry carry its
/// name, too. Any thread may read them; setters take turns with readers.
#[allow(non_camel_case_types)]
pub struct ssh_sftp_attributes {
    _opaque: [u8; 0],
}

pub(crate) struct AttributesObject {
    pub(crate) attributes: Mutex<Attributes>,
    names: Option<(LentBytes, LentBytes)>,
}

impl Handle for ssh_sftp_attributes {
    type Object = AttributesObject;
    const TAG: u8 = 19;
    const NOUN: &'static str = "ssh_sftp_attributes";
    const SURVIVES_FORK: bool = true;
}

/// Type of a file: unknown.
pub const SSH_SFTP_TYPE_UNKNOWN: i32 = 0;

/// Type of a file: regular.
pub const SSH_SFTP_TYPE_REGULAR: i32 = 1;

/// Type of a file: directory.
pub const SSH_SFTP_TYPE_DIRECTORY: i32 = 2;

/// Type of a file: symbolic link.
pub const SSH_SFTP_TYPE_SYMLINK: i32 = 3;

/// Type of a file: something else, such as a device or a pipe.
pub const SSH_SFTP_TYPE_SPECIAL: i32 = 4;

/// Attributes with nothing in them, to be filled with setters.
///
/// @return attributes, freed with ssh_sftp_attributes_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_new() -> *mut ssh_sftp_attributes {
    guard::value(std::ptr::null_mut(), || attributes_out(Attributes::new()))
}

/// Frees attributes and the strings asked of them.
///
/// @param attributes  the attributes; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_free(attributes: *mut ssh_sftp_attributes) {
    guard::value((), || handle::take(attributes).map(drop));
}

/// The name of a directory's entry, any bytes, ended by a NUL that does not count.
///
/// @param attributes  the attributes
/// @param length      receives the length in bytes, or NULL
/// @return a string of the attributes', or NULL when they are not of an entry. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_name(
    attributes: *const ssh_sftp_attributes,
    length: *mut usize,
) -> *const c_char {
    memory::write(length, 0);
    guard::value(std::ptr::null(), || {
        let object = handle::get(attributes)?;
        let names = object.names.as_ref();
        Ok(names.map_or(std::ptr::null(), |(name, _)| name.lend(length)))
    })
}

/// The line that the server has made of a directory's entry for a person, like those of `ls -l`. Any bytes: make them
/// safe before a terminal gets them.
///
/// @param attributes  the attributes
/// @param length      receives the length in bytes, or NULL
/// @return a string of the attributes', or NULL when they are not of an entry. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_long_name(
    attributes: *const ssh_sftp_attributes,
    length: *mut usize,
) -> *const c_char {
    memory::write(length, 0);
    guard::value(std::ptr::null(), || {
        let object = handle::get(attributes)?;
        let names = object.names.as_ref();
        Ok(names.map_or(std::ptr::null(), |(_, line)| line.lend(length)))
    })
}

/// The type, which is part of the permissions.
///
/// @return SSH_SFTP_TYPE_REGULAR or another; SSH_SFTP_TYPE_UNKNOWN also when `attributes` are none. Any thread.
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_type(attributes: *const ssh_sftp_attributes) -> i32 {
    guard::value(SSH_SFTP_TYPE_UNKNOWN, || {
        let object = handle::get(attributes)?;
        let kind = object.attributes.lock().file_type();
        Ok(match kind {
            None => SSH_SFTP_TYPE_UNKNOWN,
            Some(Attributes::REGULAR) => SSH_SFTP_TYPE_REGULAR,
            Some(Attributes::DIRECTORY) => SSH_SFTP_TYPE_DIRECTORY,
            Some(Attributes::SYMLINK) => SSH_SFTP_TYPE_SYMLINK,
            Some(_) => SSH_SFTP_TYPE_SPECIAL,
        })
    })
}

/// The size in bytes.
///
/// @param attributes  the attributes
/// @param size        receives the size
/// @return SSH_OK, SSH_EOF when it is not among them, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_size(
    attributes: *const ssh_sftp_attributes,
    size: *mut u64,
) -> ssh_status {
    memory::write(size, 0);
    field(
        attributes,
        |known| known.size,
        |value| memory::write(size, value),
    )
}

/// Type and mode bits, as in POSIX's st_mode.
///
/// @param attributes   the attributes
/// @param permissions  receives the bits
/// @return SSH_OK, SSH_EOF when they are not among them, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_permissions(
    attributes: *const ssh_sftp_attributes,
    permissions: *mut u32,
) -> ssh_status {
    memory::write(permissions, 0);
    field(
        attributes,
        |known| known.permissions,
        |value| memory::write(permissions, value),
    )
}

/// The numbers of user and group.
///
/// @param attributes  the attributes
/// @param user        receives the user's number, or NULL
/// @param group       receives the group's number, or NULL
/// @return SSH_OK, SSH_EOF when they are not among them, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_owner(
    attributes: *const ssh_sftp_attributes,
    user: *mut u32,
    group: *mut u32,
) -> ssh_status {
    pair(attributes, |known| known.owner, user, group)
}

/// When the file was last read and last written, in seconds since 1970.
///
/// @param attributes  the attributes
/// @param accessed    receives the time of the last reading, or NULL
/// @param modified    receives the time of the last writing, or NULL
/// @return SSH_OK, SSH_EOF when they are not among them, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_times(
    attributes: *const ssh_sftp_attributes,
    accessed: *mut u32,
    modified: *mut u32,
) -> ssh_status {
    pair(attributes, |known| known.times, accessed, modified)
}

/// Puts a size among the attributes. When a client sets it, the file is cut or lengthened.
///
/// @param attributes  the attributes
/// @param size        bytes
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_set_size(
    attributes: *mut ssh_sftp_attributes,
    size: u64,
) -> ssh_status {
    set(attributes, |known| known.size = Some(size))
}

/// Puts type and mode bits among the attributes, as in POSIX's st_mode: what is set on a file is the mode, what a server
/// tells of one includes the type, such as 0100644 or 040755.
///
/// @param attributes   the attributes
/// @param permissions  type and mode
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_set_permissions(
    attributes: *mut ssh_sftp_attributes,
    permissions: u32,
) -> ssh_status {
    set(attributes, |known| known.permissions = Some(permissions))
}

/// Puts the numbers of user and group among the attributes.
///
/// @param attributes  the attributes
/// @param user        the number of the user
/// @param group       that of the group
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_set_owner(
    attributes: *mut ssh_sftp_attributes,
    user: u32,
    group: u32,
) -> ssh_status {
    set(attributes, |known| known.owner = Some((user, group)))
}

/// Puts the times of the last reading and writing among the attributes, in seconds since 1970.
///
/// @param attributes  the attributes
/// @param accessed    when it was read
/// @param modified    when it was written
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_attributes_set_times(
    attributes: *mut ssh_sftp_attributes,
    accessed: u32,
    modified: u32,
) -> ssh_status {
    set(attributes, |known| known.times = Some((accessed, modified)))
}

// --- behind the functions -------------------------------------------------------------------------

/// New attributes for the caller.
pub(crate) fn attributes_out(attributes: Attributes) -> Outcome<*mut ssh_sftp_attributes> {
    handle::insert(Arc::new(AttributesObject {
        attributes: Mutex::new(attributes),
        names: None,
    }))
}

/// A directory's entry for the caller.
pub(crate) fn name_out(name: Name) -> Outcome<*mut ssh_sftp_attributes> {
    handle::insert(Arc::new(AttributesObject {
        attributes: Mutex::new(name.attributes),
        names: Some((
            LentBytes::new(&name.file_name),
            LentBytes::new(&name.long_name),
        )),
    }))
}

/// The caller's attributes; none of them for NULL.
pub(crate) fn optional(attributes: *const ssh_sftp_attributes) -> Outcome<Attributes> {
    Ok(handle::get_optional(attributes)?
        .map(|object| object.attributes.lock().clone())
        .unwrap_or_default())
}

/// The caller's attributes, which must be there.
pub(crate) fn given(attributes: *const ssh_sftp_attributes) -> Outcome<Attributes> {
    Ok(handle::get(attributes)?.attributes.lock().clone())
}

fn field<T>(
    attributes: *const ssh_sftp_attributes,
    look: impl FnOnce(&Attributes) -> Option<T>,
    give: impl FnOnce(T),
) -> ssh_status {
    guard::status(|| {
        let found = look(&handle::get(attributes)?.attributes.lock());
        match found {
            Some(value) => {
                give(value);
                Ok(SSH_OK)
            }
            None => Ok(SSH_EOF),
        }
    })
}

fn pair(
    attributes: *const ssh_sftp_attributes,
    look: impl FnOnce(&Attributes) -> Option<(u32, u32)>,
    first: *mut u32,
    second: *mut u32,
) -> ssh_status {
    memory::write(first, 0);
    memory::write(second, 0);
    field(attributes, look, |(one, two)| {
        memory::write(first, one);
        memory::write(second, two);
    })
}

fn set(attributes: *mut ssh_sftp_attributes, change: impl FnOnce(&mut Attributes)) -> ssh_status {
    guard::status(|| {
        let object = handle::get(attributes)?;
        if object.names.is_some() {
            return Err(Failure::invalid("the attributes of a directory's entry"));
        }
        change(&mut object.attributes.lock());
        Ok(SSH_OK)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::status::SSH_ERR_BAD_HANDLE;

    #[test]
    fn fields_come_back_and_missing_ones_say_so() {
        // SAFETY: the functions check their handle; the outputs are live.
        unsafe {
            let attributes = ssh_sftp_attributes_new();
            let (mut size, mut one, mut two) = (7, 7, 7);
            assert_eq!(ssh_sftp_attributes_size(attributes, &mut size), SSH_EOF);
            assert_eq!(size, 0);
            assert_eq!(ssh_sftp_attributes_set_size(attributes, 1 << 40), SSH_OK);
            assert_eq!(ssh_sftp_attributes_size(attributes, &mut size), SSH_OK);
            assert_eq!(size, 1 << 40);
            assert_eq!(
                ssh_sftp_attributes_set_permissions(attributes, 0o040_755),
                SSH_OK
            );
            assert_eq!(
                ssh_sftp_attributes_type(attributes),
                SSH_SFTP_TYPE_DIRECTORY
            );
            ssh_sftp_attributes_set_owner(attributes, 1, 2);
            assert_eq!(
                ssh_sftp_attributes_owner(attributes, &mut one, &mut two),
                SSH_OK
            );
            assert_eq!((one, two), (1, 2));
            assert!(ssh_sftp_attributes_name(attributes, std::ptr::null_mut()).is_null());
            ssh_sftp_attributes_free(attributes);
            assert_eq!(
                ssh_sftp_attributes_size(attributes, &mut size),
                SSH_ERR_BAD_HANDLE
            );
        }
    }

    #[test]
    fn entries_have_names_of_any_bytes() {
        let entry = name_out(Name {
            file_name: b"\xffx".to_vec(),
            long_name: Vec::new(),
            attributes: Attributes::new(),
        })
        .unwrap();
        let mut length = 0;
        // SAFETY: as above.
        unsafe {
            let name = ssh_sftp_attributes_name(entry, &mut length);
            assert_eq!(std::ffi::CStr::from_ptr(name).to_bytes(), b"\xffx");
            assert_eq!(length, 2);
            ssh_sftp_attributes_free(entry);
        }
    }
}
