//! `ssh_sftp_file`: reading and writing an open file.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::driver::Timeout;
use crate::sftp::client::{File, SeekFrom};
use crate::sftp::{Attributes, OpenFlags};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::sftp::ssh_sftp;
use super::sftp_attributes::{self, ssh_sftp_attributes};
use super::sftp_object::{path, timeout};
use super::sftp_path::{give_values, values_out};
use super::status::{ssh_status, SSH_EOF, SSH_OK};

/// An open file of the server's, with a position. Any thread may use it; calls on one file take turns.
///
/// Reading in a row is served from read-ahead and writing is confirmed in the background, so that small calls, too,
/// fill a slow link. A write that fails is told by a later call, at the latest by ssh_sftp_file_fsync(),
/// ssh_sftp_file_flush() or ssh_sftp_file_close(); the position is then where the first bytes are missing, and no hole
/// is left behind it.
#[allow(non_camel_case_types)]
pub struct ssh_sftp_file {
    _opaque: [u8; 0],
}

/// Open for reading.
pub const SSH_SFTP_READ: u32 = 1;

/// Open for writing.
pub const SSH_SFTP_WRITE: u32 = 2;

/// Write always to the end of the file. One write is under way at a time.
pub const SSH_SFTP_APPEND: u32 = 4;

/// Make the file if it does not exist.
pub const SSH_SFTP_CREATE: u32 = 8;

/// Empty the file.
pub const SSH_SFTP_TRUNCATE: u32 = 16;

/// With SSH_SFTP_CREATE: fail if the file exists.
pub const SSH_SFTP_EXCLUSIVE: u32 = 32;

/// Seek from the beginning of the file.
pub const SSH_SFTP_SEEK_START: i32 = 0;

/// Seek from the position.
pub const SSH_SFTP_SEEK_CURRENT: i32 = 1;

/// Seek from the end of the file.
pub const SSH_SFTP_SEEK_END: i32 = 2;

/// Opens a file.
///
/// @param sftp        the session
/// @param file        its path
/// @param flags       SSH_SFTP_READ and the others, or'ed
/// @param attributes  for a new file, such as its permissions; NULL for none
/// @param timeout_ms  milliseconds to wait for the answer
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return a file, closed with ssh_sftp_file_close() and freed with ssh_sftp_file_free(), or NULL. Any thread.
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_open(
    sftp: *mut ssh_sftp,
    file: *const c_char,
    flags: u32,
    attributes: *const ssh_sftp_attributes,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_sftp_file {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(sftp)?;
        let access = SSH_SFTP_READ | SSH_SFTP_WRITE;
        if flags & !OpenFlags::ALL.0 != 0 || flags & access == 0 {
            return Err(Failure::invalid(
                "flags that are none, or neither read nor write",
            ));
        }
        let attributes = sftp_attributes::optional(attributes)?;
        let (file, timeout) = (path(file)?, timeout(timeout_ms)?);
        let opened = object.open_file(file, OpenFlags(flags), &attributes, timeout)?;
        handle::insert(Arc::new(opened))
    })
}

/// Reads at the position.
///
/// @param file        the file
/// @param buffer      where to put it
/// @param capacity    the size of the buffer in bytes; 0 is fine and reads nothing
/// @param done        receives how many bytes were read; 0 whenever the result is not SSH_OK
/// @param timeout_ms  milliseconds to wait for the first byte
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK, SSH_EOF at the end of the file, or a failure, after which the call may be made again. Any thread.
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_read(
    file: *mut ssh_sftp_file,
    buffer: *mut c_void,
    capacity: usize,
    done: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    read(
        file,
        buffer,
        capacity,
        done,
        timeout_ms,
        error,
        |file, buffer, time| Ok(file.read(buffer, time)?),
    )
}

/// Reads at a place of its own; the position stays. Reads all that is asked for unless the file ends before.
///
/// @param file        the file
/// @param offset      where, in bytes from the beginning
/// @param buffer      where to put it
/// @param capacity    the size of the buffer in bytes
/// @param done        receives how many bytes were read; 0 whenever the result is not SSH_OK
/// @param timeout_ms  milliseconds for all of it; what came in time is given out
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK, SSH_EOF when the file ends before `offset`, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_pread(
    file: *mut ssh_sftp_file,
    offset: u64,
    buffer: *mut c_void,
    capacity: usize,
    done: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    read(
        file,
        buffer,
        capacity,
        done,
        timeout_ms,
        error,
        |file, buffer, time| Ok(file.read_at(buffer, offset, time)?),
    )
}

/// Writes at the position. Returns once the bytes are taken; they are sent and confirmed in the background.
///
/// @param file        the file
/// @param data        what to write, copied
/// @param length      how many bytes
/// @param done        receives how many bytes were taken, which is all unless time ran out; 0 whenever the result is
///                    not SSH_OK. Or NULL
/// @param timeout_ms  milliseconds to wait for room
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, also for an earlier write, then nothing of `data`
///                    was taken and ssh_sftp_file_tell() says where the file ends well; SSH_ERR_TIMEOUT, what ended
///                    the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_write(
    file: *mut ssh_sftp_file,
    data: *const c_void,
    length: usize,
    done: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    write(
        file,
        data,
        length,
        done,
        timeout_ms,
        error,
        |file, data, time| Ok(file.write(data, time)?),
    )
}

/// Writes at a place of its own and waits until the server has confirmed it; the position stays.
///
/// @param file        the file
/// @param offset      where, in bytes from the beginning
/// @param data        what to write
/// @param length      how many bytes
/// @param done        receives how many bytes are in the file, from the first on without a gap; less than `length`
///                    when the server refused the rest, for whose cause ask again with it. Or NULL
/// @param timeout_ms  milliseconds for all of it
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_pwrite(
    file: *mut ssh_sftp_file,
    offset: u64,
    data: *const c_void,
    length: usize,
    done: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    write(
        file,
        data,
        length,
        done,
        timeout_ms,
        error,
        |file, data, time| Ok(file.write_at(data, offset, time)?),
    )
}

/// Moves the position. Reading ahead begins anew there; beyond the end of the file is fine.
///
/// @param file        the file
/// @param distance    how far in bytes, may be negative
/// @param origin      SSH_SFTP_SEEK_START, SSH_SFTP_SEEK_CURRENT or SSH_SFTP_SEEK_END
/// @param position    receives the new position, or NULL
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_seek(
    file: *mut ssh_sftp_file,
    distance: i64,
    origin: i32,
    position: *mut u64,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(position, 0);
        let object = handle::get(file)?;
        let to = match origin {
            SSH_SFTP_SEEK_START => SeekFrom::Start(
                u64::try_from(distance)
                    .map_err(|_| Failure::invalid("a position before the beginning"))?,
            ),
            SSH_SFTP_SEEK_CURRENT => SeekFrom::Current(distance),
            SSH_SFTP_SEEK_END => SeekFrom::End(distance),
            _ => return Err(Failure::invalid("an unknown origin")),
        };
        memory::write(position, object.seek(to, timeout(timeout_ms)?)?);
        Ok(SSH_OK)
    })
}

/// The position.
///
/// @param file        the file
/// @param position    receives it, in bytes from the beginning
/// @param timeout_ms  milliseconds to wait for other calls on the file
/// @param error       receives the detail, or NULL
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_tell(
    file: *mut ssh_sftp_file,
    position: *mut u64,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(position, 0);
        let object = handle::get(file)?;
        memory::write(position, object.tell(timeout(timeout_ms)?)?);
        Ok(SSH_OK)
    })
}

/// Sends everything written and waits until the server has confirmed it.
///
/// @param file        the file
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_flush(
    file: *mut ssh_sftp_file,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(file)?;
        object.flush(timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// As ssh_sftp_file_flush(), and has the server put the file on disk. Needs fsync@openssh.com.
///
/// @param file        the file
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_fsync(
    file: *mut ssh_sftp_file,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(file)?;
        object.fsync(timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// The attributes of an open file.
///
/// @param file        the file
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return attributes, freed with ssh_sftp_attributes_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_stat(
    file: *mut ssh_sftp_file,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_sftp_attributes {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(file)?;
        sftp_attributes::attributes_out(object.stat(timeout(timeout_ms)?)?)
    })
}

/// Sets the attributes that are given.
///
/// @param file        the file
/// @param attributes  what to set
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_setstat(
    file: *mut ssh_sftp_file,
    attributes: *const ssh_sftp_attributes,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(file)?;
        object.setstat(&sftp_attributes::given(attributes)?, timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// Cuts the file, or lengthens it with zeros.
///
/// @param file        the file
/// @param size        its new size in bytes
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_truncate(
    file: *mut ssh_sftp_file,
    size: u64,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(file)?;
        let attributes = Attributes {
            size: Some(size),
            ..Attributes::new()
        };
        object.setstat(&attributes, timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// Sets the mode bits of the file.
///
/// @param file        the file
/// @param permissions  the bits
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_chmod(
    file: *mut ssh_sftp_file,
    permissions: u32,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(file)?;
        let attributes = Attributes {
            permissions: Some(permissions),
            ..Attributes::new()
        };
        object.setstat(&attributes, timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// Sets user and group of the file.
///
/// @param file        the file
/// @param user        the user's number
/// @param group       the group's number
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_chown(
    file: *mut ssh_sftp_file,
    user: u32,
    group: u32,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(file)?;
        let attributes = Attributes {
            owner: Some((user, group)),
            ..Attributes::new()
        };
        object.setstat(&attributes, timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// Sets the times of the last reading and writing of the file.
///
/// @param file        the file
/// @param accessed    seconds since 1970
/// @param modified    seconds since 1970
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_utime(
    file: *mut ssh_sftp_file,
    accessed: u32,
    modified: u32,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(file)?;
        let attributes = Attributes {
            times: Some((accessed, modified)),
            ..Attributes::new()
        };
        object.setstat(&attributes, timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// The state of the file system that holds the file. Needs fstatvfs@openssh.com.
///
/// @param file        the file
/// @param values      receives the values, as in ssh_sftp_statvfs()
/// @param count       how many there is room for
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_statvfs(
    file: *mut ssh_sftp_file,
    values: *mut u64,
    count: usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(file)?;
        let out = values_out(values, count)?;
        give_values(out, &object.statvfs(timeout(timeout_ms)?)?);
        Ok(SSH_OK)
    })
}

/// Has the server copy bytes from another file into this one. The positions stay. Needs copy-data.
///
/// @param file        the file
/// @param offset      where to put them, in bytes from the beginning
/// @param from        the file to read, of the same session
/// @param from_offset  where to read
/// @param length      how many bytes; 0 for all up to the end
/// @param timeout_ms  milliseconds to wait
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_copy_data(
    file: *mut ssh_sftp_file,
    offset: u64,
    from: *mut ssh_sftp_file,
    from_offset: u64,
    length: u64,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(file)?;
        let from = handle::get(from)?;
        object.copy_from(&from, from_offset, length, offset, timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// Sends what was written, waits until it is confirmed, and closes the file; the handle stays, to be freed. Does
/// nothing when it is closed.
///
/// @param file        the file
/// @param timeout_ms  milliseconds for all of it
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, also for an earlier write; SSH_ERR_TIMEOUT, what ended
///                    the session
/// @return SSH_OK when everything written is in the file, or a failure; the file is closed in any case, unless another
///         call on it did not end in time. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_close(
    file: *mut ssh_sftp_file,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        handle::get(file)?.close(timeout(timeout_ms)?)?;
        Ok(SSH_OK)
    })
}

/// Frees the handle, and closes the file if it is not closed, without waiting: whether the last writes went well is
/// then not known. Calls under way on it return with SSH_ERR_CLOSED.
///
/// @param file  the file; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_file_free(file: *mut ssh_sftp_file) {
    guard::value((), || {
        handle::take(file)?.release();
        Ok(())
    })
}

// --- behind the functions -------------------------------------------------------------------------

fn read(
    file: *mut ssh_sftp_file,
    buffer: *mut c_void,
    capacity: usize,
    done: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
    body: impl FnOnce(&File, &mut [u8], Timeout) -> Outcome<usize>,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(done, 0);
        if done.is_null() {
            return Err(Failure::invalid("nowhere to put the count"));
        }
        let object = handle::get(file)?;
        let buffer = memory::bytes_mut(buffer, capacity)?;
        let count = body(&object, buffer, timeout(timeout_ms)?)?;
        memory::write(done, count);
        Ok(if count == 0 && capacity > 0 {
            SSH_EOF
        } else {
            SSH_OK
        })
    })
}

fn write(
    file: *mut ssh_sftp_file,
    data: *const c_void,
    length: usize,
    done: *mut usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
    body: impl FnOnce(&File, &[u8], Timeout) -> Outcome<usize>,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(done, 0);
        let object = handle::get(file)?;
        let data = memory::bytes(data, length)?;
        memory::write(done, body(&object, data, timeout(timeout_ms)?)?);
        Ok(SSH_OK)
    })
}
