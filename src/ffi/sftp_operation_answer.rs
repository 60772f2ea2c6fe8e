//! Answers to an `ssh_sftp_operation`.

use std::ffi::{c_char, c_void};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;

use crate::sftp::server::{long_name, Answer, Failure as Refusal, Operation, OperationKind, Shown};
use crate::sftp::{Name, StatVfs, StatusCode};

use super::guard::{self, Failure};
use super::handle;
use super::memory;
use super::sftp_attributes::{self, ssh_sftp_attributes};
use super::sftp_operation::ssh_sftp_operation;
use super::sftp_operation_object::OperationObject;
use super::sftp_path::SSH_SFTP_VFS_COUNT;
use super::status::{ssh_status, SSH_AGAIN, SSH_OK};

/// Says that it is done, for the kinds whose answer is nothing else, and for SSH_SFTP_OP_READDIR after
/// ssh_sftp_operation_add_name().
///
/// @param operation  an operation that has no answer yet
/// @return SSH_OK, SSH_ERR_STATE when it has its answer or its kind wants another one, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_accept(
    operation: *mut ssh_sftp_operation,
) -> ssh_status {
    answer(operation, |object| {
        Ok(match object.request.operation().kind() {
            OperationKind::Readdir => Answer::Names(std::mem::take(&mut object.notes.lock().names)),
            _ => Answer::Done,
        })
    })
}

/// Says that the file or directory is open, for SSH_SFTP_OP_OPEN and SSH_SFTP_OP_OPENDIR.
///
/// @param operation  an operation that has no answer yet
/// @param file       what leads the program to it; comes back in each operation with it, the last of which is
///                   SSH_SFTP_OP_CLOSE
/// @return as ssh_sftp_operation_accept(); on failure no SSH_SFTP_OP_CLOSE comes. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_accept_file(
    operation: *mut ssh_sftp_operation,
    file: *mut c_void,
) -> ssh_status {
    answer(operation, |_| Ok(Answer::File(file.expose_provenance())))
}

/// Gives what was read, for SSH_SFTP_OP_READ.
///
/// @param operation  an operation that has no answer yet
/// @param data       the bytes, copied
/// @param length     how many, at most ssh_sftp_operation_length(); fewer are fine, 0 is the end of the file
/// @return as ssh_sftp_operation_accept(), and SSH_ERR_INVALID_ARG. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_accept_data(
    operation: *mut ssh_sftp_operation,
    data: *const c_void,
    length: usize,
) -> ssh_status {
    answer(operation, |object| {
        if length > asked_length(object) {
            return Err(Failure::invalid("more bytes than were asked for"));
        }
        Ok(Answer::Data(memory::bytes(data, length)?.to_vec()))
    })
}

/// Room to read into, for SSH_SFTP_OP_READ: saves a copy. Then ssh_sftp_operation_accept_buffer().
///
/// @param operation  an operation that has no answer yet
/// @return ssh_sftp_operation_length() bytes of the operation's, the same each time, which nobody else touches until it is
///         answered or freed; or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_buffer(
    operation: *mut ssh_sftp_operation,
) -> *mut c_void {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(operation)?;
        let length = asked_length(&object);
        if length == 0 || object.request.is_answered() {
            return Ok(std::ptr::null_mut());
        }
        let mut notes = object.notes.lock();
        if notes.buffer.is_empty() {
            notes.buffer = vec![0; length];
        }
        Ok(notes.buffer.as_mut_ptr().cast())
    })
}

/// Gives what was read into ssh_sftp_operation_buffer().
///
/// @param operation  an operation that has no answer yet
/// @param length     how many bytes of the buffer, from its beginning; 0 is the end of the file
/// @return as ssh_sftp_operation_accept_data(). Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_accept_buffer(
    operation: *mut ssh_sftp_operation,
    length: usize,
) -> ssh_status {
    answer(operation, |object| {
        let mut notes = object.notes.lock();
        if length > notes.buffer.len() {
            return Err(Failure::invalid("more bytes than the buffer has"));
        }
        let mut data = std::mem::take(&mut notes.buffer);
        data.truncate(length);
        Ok(Answer::Data(data))
    })
}

/// Gives what is known, for SSH_SFTP_OP_STAT, SSH_SFTP_OP_LSTAT and SSH_SFTP_OP_FSTAT. Clients go by the type among the
/// permissions, as in 0100644 for a file and 040755 for a directory.
///
/// @param operation   an operation that has no answer yet
/// @param attributes  the attributes, copied
/// @return as ssh_sftp_operation_accept(). Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_accept_attributes(
    operation: *mut ssh_sftp_operation,
    attributes: *const ssh_sftp_attributes,
) -> ssh_status {
    answer(operation, |_| {
        Ok(Answer::Attributes(sftp_attributes::given(attributes)?))
    })
}

/// Gives a path, for SSH_SFTP_OP_REALPATH and SSH_SFTP_OP_READLINK.
///
/// @param operation  an operation that has no answer yet
/// @param path       any bytes, copied
/// @param length     how many, at most 4,096
/// @return as ssh_sftp_operation_accept(), and SSH_ERR_INVALID_ARG. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_accept_path(
    operation: *mut ssh_sftp_operation,
    path: *const c_char,
    length: usize,
) -> ssh_status {
    answer(operation, |_| {
        if length > MAX_PATH_BYTES {
            return Err(Failure::invalid("at most 4096 bytes of path"));
        }
        Ok(Answer::Path(memory::bytes(path.cast(), length)?.to_vec()))
    })
}

/// Adds an entry of the directory to the answer to SSH_SFTP_OP_READDIR. "." and ".." may be among them.
///
/// @param operation   an operation that has no answer yet
/// @param name        the name without the directory, any bytes but NUL and "/", copied
/// @param length      how many bytes, 1 to 4,096
/// @param attributes  what is known about it, copied; without the type among the permissions (0100644, 040755) clients show
///                    it oddly and leave it out when they copy directories. Or NULL
/// @return SSH_OK; SSH_AGAIN when the answer is full: give this entry in that to the next SSH_SFTP_OP_READDIR;
///         SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_add_name(
    operation: *mut ssh_sftp_operation,
    name: *const c_char,
    length: usize,
    attributes: *const ssh_sftp_attributes,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(operation)?;
        if object.request.operation().kind() != OperationKind::Readdir
            || object.request.is_answered()
        {
            return Err(Failure::state("no directory that wants an entry"));
        }
        let name = memory::bytes(name.cast(), length)?;
        let fits =
            (1..=MAX_PATH_BYTES).contains(&length) && !name.iter().any(|b| matches!(b, 0 | b'/'));
        if !fits {
            return Err(Failure::invalid(
                "a name has 1 to 4096 bytes, and neither NUL nor slash",
            ));
        }
        let attributes = sftp_attributes::optional(attributes)?;
        let mut notes = object.notes.lock();
        if notes.name_bytes >= READDIR_BYTES {
            return Ok(SSH_AGAIN);
        }
        let shown = Shown {
            name,
            links: 1,
            user: None,
            group: None,
            now: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| time.as_secs()),
        };
        let entry = Name {
            file_name: name.to_vec(),
            long_name: long_name(shown, &attributes),
            attributes,
        };
        notes.name_bytes = notes
            .name_bytes
            .saturating_add(entry.file_name.len())
            .saturating_add(entry.long_name.len())
            .saturating_add(64);
        notes.names.push(entry);
        Ok(SSH_OK)
    })
}

/// Gives the state of a file system, for SSH_SFTP_OP_STATVFS and SSH_SFTP_OP_FSTATVFS.
///
/// @param operation  an operation that has no answer yet
/// @param values     the values, in the order of SSH_SFTP_VFS_BLOCK_BYTES and the others
/// @param count      SSH_SFTP_VFS_COUNT
/// @return as ssh_sftp_operation_accept(), and SSH_ERR_INVALID_ARG. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_accept_statvfs(
    operation: *mut ssh_sftp_operation,
    values: *const u64,
    count: usize,
) -> ssh_status {
    answer(operation, |_| {
        let values = memory::array_of(values, count, SSH_SFTP_VFS_COUNT)?;
        let all: [u64; SSH_SFTP_VFS_COUNT] = values
            .try_into()
            .map_err(|_| Failure::invalid("SSH_SFTP_VFS_COUNT values are wanted"))?;
        Ok(Answer::StatVfs(StatVfs::from(all)))
    })
}

/// Says that it was not done.
///
/// @param operation  an operation that has no answer yet
/// @param status     why: SSH_SFTP_STATUS_NO_SUCH_FILE, SSH_SFTP_STATUS_PERMISSION_DENIED, SSH_SFTP_STATUS_FAILURE, ...
/// @param text       the same for a person, at most 1,024 bytes; NULL for the usual words
/// @return SSH_OK, SSH_ERR_INVALID_ARG for a status that is no failure, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_refuse(
    operation: *mut ssh_sftp_operation,
    status: u32,
    text: *const c_char,
) -> ssh_status {
    answer(operation, |_| {
        let code = StatusCode(status);
        if code == StatusCode::OK || status > MAX_STATUS {
            return Err(Failure::invalid("a status from 1 to 8 is wanted"));
        }
        let text = memory::optional_text(text)?;
        if text.is_some_and(|text| text.len() > MAX_TEXT_BYTES) {
            return Err(Failure::invalid("at most 1024 bytes of text"));
        }
        Ok(Answer::Failed(match text {
            Some(text) => Refusal::new(code, text.to_owned()),
            None => Refusal::code(code),
        }))
    })
}

/// The same, in the words of the operating system.
///
/// @param operation  an operation that has no answer yet
/// @param number     a value of errno, such as ENOENT
/// @return SSH_OK, SSH_ERR_INVALID_ARG for a number that is none, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_refuse_errno(
    operation: *mut ssh_sftp_operation,
    number: i32,
) -> ssh_status {
    answer(operation, |_| {
        if !(1..4096).contains(&number) {
            return Err(Failure::invalid("not a value of errno"));
        }
        Ok(Answer::Failed(Errno::from_raw_os_error(number).into()))
    })
}

// --- behind the functions -------------------------------------------------------------------------

const MAX_PATH_BYTES: usize = 4096;
const MAX_TEXT_BYTES: usize = 1024;
/// SSH_FX_OP_UNSUPPORTED, the last one of version 3.
const MAX_STATUS: u32 = 8;
/// Bytes of entries after which an answer is full: clients take packets of 34,000 bytes, and the last entry may be long.
const READDIR_BYTES: usize = 24 * 1024;

fn asked_length(object: &OperationObject) -> usize {
    match object.request.operation() {
        Operation::Read { length, .. } => *length,
        _ => 0,
    }
}

fn answer(
    operation: *mut ssh_sftp_operation,
    make: impl FnOnce(&OperationObject) -> Result<Answer, Failure>,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(operation)?;
        if object.request.is_answered() {
            return Err(Failure::state("the operation was answered before"));
        }
        let answer = make(&object)?;
        object.request.answer(answer)?;
        Ok(SSH_OK)
    })
}
