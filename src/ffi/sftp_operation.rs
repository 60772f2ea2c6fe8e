//! `ssh_sftp_operation`: what a client wants done with files that the program makes up; what it asks.

use std::ffi::{c_char, c_void};

use crate::sftp::server::{Operation, OperationKind};

use super::callbacks::ssh_destroy_callback;
use super::channel::ssh_channel;
use super::guard;
use super::handle;
use super::memory::{self, LentBytes};
use super::sftp_attributes::{self, ssh_sftp_attributes};
use super::sftp_operation_object::{self, OperationObject};
use super::sftp_server::ssh_sftp_server;
use super::status::{ssh_status, SSH_OK};

/// An operation on files that the program makes up: open this file, read from it, list this directory.
///
/// Whoever receives an operation owns it: it is answered once, with the ssh_sftp_operation_accept...() that fits its kind
/// or with ssh_sftp_operation_refuse(), and freed with ssh_sftp_operation_free(). Both may happen inside the callback
/// or later, on any thread; replies go to the client in the order of the answers. One that is freed without an answer
/// has failed. Strings and bytes asked of an operation belong to it and live until it is freed.
///
/// Operations of one client come in its order, and the next one may come while others wait for their answers. It has to be
/// carried out as if those had been done: what a WRITE without an answer writes, a READ after it reads. The library sees to
/// it that a file is closed once, after all else that is under way with it was answered; also when the client goes away
/// without closing it.
///
/// A file system that can only be looked at needs SSH_SFTP_OP_STAT, OPENDIR, READDIR, OPEN, READ and CLOSE:
///
///   static void read_only(ssh_sftp_operation *operation, void *userdata)
///   {
///       switch (ssh_sftp_operation_kind(operation)) {
///       case SSH_SFTP_OP_OPEN: // find ssh_sftp_operation_path(), then
///           ssh_sftp_operation_accept_file(operation, file);
///           break;
///       case SSH_SFTP_OP_READ: // of `file`, which ssh_sftp_operation_file() gives back
///           ssh_sftp_operation_accept_data(operation, data + offset, length);
///           break;
///       ...
///       }
///       ssh_sftp_operation_free(operation); // what has no answer now has failed
///   }
///   ...
///   ssh_sftp_server_set_callback(files, SSH_SFTP_OP_ANY, read_only, NULL, NULL);
///   ssh_sftp_server_set_read_only(files, true); // what would change something does not even come
///
/// Paths are absolute, without "." and ".." and double slashes; they may hold any byte but NUL.
#[allow(non_camel_case_types)]
pub struct ssh_sftp_operation {
    _opaque: [u8; 0],
}

/// All kinds of operations at once, except SSH_SFTP_OP_REALPATH. Clients are then told of all extensions; what a program does
/// not do, it refuses with SSH_SFTP_STATUS_OP_UNSUPPORTED.
pub const SSH_SFTP_OP_ANY: i32 = 0;

/// Open a file. ssh_sftp_operation_path(), ssh_sftp_operation_flags(), ssh_sftp_operation_attributes() for a new one.
/// Answer: ssh_sftp_operation_accept_file().
pub const SSH_SFTP_OP_OPEN: i32 = 1;

/// A file or directory is not needed any more: free what ssh_sftp_operation_file() leads to. It is gone whatever the
/// answer is, which can still say that what was written is lost. Without a callback it is answered with yes.
pub const SSH_SFTP_OP_CLOSE: i32 = 2;

/// Read. ssh_sftp_operation_file(), ssh_sftp_operation_offset(), ssh_sftp_operation_length().
/// Answer: ssh_sftp_operation_accept_data(), or ssh_sftp_operation_buffer() and ssh_sftp_operation_accept_buffer().
pub const SSH_SFTP_OP_READ: i32 = 3;

/// Write all of ssh_sftp_operation_data() at ssh_sftp_operation_offset() of ssh_sftp_operation_file().
pub const SSH_SFTP_OP_WRITE: i32 = 4;

/// What is known about ssh_sftp_operation_path(), which may be a symbolic link. Answer:
/// ssh_sftp_operation_accept_attributes(). With a callback for one of this and SSH_SFTP_OP_STAT it gets both.
pub const SSH_SFTP_OP_LSTAT: i32 = 5;

/// The same, after symbolic links were followed.
pub const SSH_SFTP_OP_STAT: i32 = 6;

/// The same of ssh_sftp_operation_file().
pub const SSH_SFTP_OP_FSTAT: i32 = 7;

/// Set those of ssh_sftp_operation_attributes() that are there, of ssh_sftp_operation_path().
pub const SSH_SFTP_OP_SETSTAT: i32 = 8;

/// The same for ssh_sftp_operation_file().
pub const SSH_SFTP_OP_FSETSTAT: i32 = 9;

/// The same as SSH_SFTP_OP_SETSTAT, of a symbolic link itself ("lsetstat@openssh.com").
pub const SSH_SFTP_OP_LSETSTAT: i32 = 10;

/// Open the directory ssh_sftp_operation_path(). Answer: ssh_sftp_operation_accept_file().
pub const SSH_SFTP_OP_OPENDIR: i32 = 11;

/// Tell some further entries of ssh_sftp_operation_file(): ssh_sftp_operation_add_name() for each, then
/// ssh_sftp_operation_accept(); without any it is the end of the directory.
pub const SSH_SFTP_OP_READDIR: i32 = 12;

/// Remove the file ssh_sftp_operation_path().
pub const SSH_SFTP_OP_REMOVE: i32 = 13;

/// Make the directory ssh_sftp_operation_path() with ssh_sftp_operation_attributes().
pub const SSH_SFTP_OP_MKDIR: i32 = 14;

/// Remove the directory ssh_sftp_operation_path(), if it is empty.
pub const SSH_SFTP_OP_RMDIR: i32 = 15;

/// Give ssh_sftp_operation_path() with its links followed. Answer: ssh_sftp_operation_accept_path(). Without a callback
/// of its own it is answered with the path itself.
pub const SSH_SFTP_OP_REALPATH: i32 = 16;

/// Call ssh_sftp_operation_path() ssh_sftp_operation_new_path(), which must not exist.
pub const SSH_SFTP_OP_RENAME: i32 = 17;

/// The same; what is called so already is replaced ("posix-rename@openssh.com").
pub const SSH_SFTP_OP_POSIX_RENAME: i32 = 18;

/// Tell what the symbolic link ssh_sftp_operation_path() says. Answer: ssh_sftp_operation_accept_path().
pub const SSH_SFTP_OP_READLINK: i32 = 19;

/// Make the symbolic link ssh_sftp_operation_path(), which says ssh_sftp_operation_target().
pub const SSH_SFTP_OP_SYMLINK: i32 = 20;

/// Call ssh_sftp_operation_path() ssh_sftp_operation_new_path(), too ("hardlink@openssh.com").
pub const SSH_SFTP_OP_HARDLINK: i32 = 21;

/// Answer once everything written to ssh_sftp_operation_file() is safe ("fsync@openssh.com").
pub const SSH_SFTP_OP_FSYNC: i32 = 22;

/// The state of the file system of ssh_sftp_operation_path() ("statvfs@openssh.com"). Answer:
/// ssh_sftp_operation_accept_statvfs().
pub const SSH_SFTP_OP_STATVFS: i32 = 23;

/// The same of ssh_sftp_operation_file() ("fstatvfs@openssh.com").
pub const SSH_SFTP_OP_FSTATVFS: i32 = 24;

/// Receives operations.
///
/// Called on a thread of the library with no lock held; operations of one channel come one at a time and in order. It may
/// call any function of the library, and may wait, which holds up this channel's files only; but the process has 256
/// such threads for all channels, so what takes long is better answered later. It must not unwind or longjmp.
///
/// @param operation  the operation; now the callback's, to answer and to free with ssh_sftp_operation_free()
/// @param userdata   as set
#[allow(non_camel_case_types)]
pub type ssh_sftp_callback =
    Option<unsafe extern "C" fn(operation: *mut ssh_sftp_operation, userdata: *mut c_void)>;

/// Sets who carries out the operations of one kind, for channels that are served from now on. Kinds without a callback are
/// refused as not supported, and extensions among them are not announced.
///
/// @param server    a server of ssh_sftp_server_new_virtual()
/// @param kind      SSH_SFTP_OP_OPEN, ...; SSH_SFTP_OP_ANY for kinds without a callback of their own
/// @param callback  receives the operations, or NULL
/// @param userdata  passed to the callback, from the threads of all channels, also at once
/// @param destroy   ends userdata's life once it is replaced or the server and its channels are gone, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE for a server of a directory, SSH_ERR_BAD_HANDLE; on failure destroy is
///         not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_server_set_callback(
    server: *mut ssh_sftp_server,
    kind: i32,
    callback: ssh_sftp_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        let calls = object.calls()?;
        let call = sftp_operation_object::call(kind, callback, userdata, destroy)?;
        let before = sftp_operation_object::replace(calls, kind, call);
        // The program's destroy function may run here, without the lock.
        drop(before);
        Ok(SSH_OK)
    })
}

/// Frees an operation. One without an answer has failed.
///
/// @param operation  the operation; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_free(operation: *mut ssh_sftp_operation) {
    guard::value((), || handle::take(operation).map(drop));
}

/// What kind of operation it is.
///
/// @return SSH_SFTP_OP_OPEN or another; 0 when `operation` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_kind(operation: *const ssh_sftp_operation) -> i32 {
    guard::value(SSH_SFTP_OP_ANY, || {
        let kind = handle::get(operation)?.request.operation().kind();
        Ok(sftp_operation_object::number(kind))
    })
}

/// The channel it came on.
///
/// @return the channel's one handle, as of ssh_request_channel(); freeing it ends the session. NULL once the transport is
///         freed. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_channel(
    operation: *const ssh_sftp_operation,
) -> *mut ssh_channel {
    guard::value(std::ptr::null_mut(), || {
        handle::get(operation)?.channel.handle()
    })
}

/// The path it is about, for the kinds with one.
///
/// @param operation  the operation
/// @param length     receives its length in bytes; or NULL
/// @return bytes of the operation's, ended by a NUL that does not count, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_path(
    operation: *const ssh_sftp_operation,
    length: *mut usize,
) -> *const c_char {
    lend(operation, length, |object| object.path.as_ref())
}

/// The further path, for SSH_SFTP_OP_RENAME, SSH_SFTP_OP_POSIX_RENAME and SSH_SFTP_OP_HARDLINK.
///
/// @param operation  the operation
/// @param length     receives its length in bytes; or NULL
/// @return bytes of the operation's, ended by a NUL that does not count, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_new_path(
    operation: *const ssh_sftp_operation,
    length: *mut usize,
) -> *const c_char {
    lend(operation, length, |object| object.new_path.as_ref())
}

/// What the link shall say, for SSH_SFTP_OP_SYMLINK: any bytes, as the client sent them.
///
/// @param operation  the operation
/// @param length     receives their number; or NULL
/// @return bytes of the operation's, ended by a NUL that does not count, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_target(
    operation: *const ssh_sftp_operation,
    length: *mut usize,
) -> *const c_char {
    lend(operation, length, |object| object.target.as_ref())
}

/// The file or directory it is about, for the kinds with an open one.
///
/// @return what was given to ssh_sftp_operation_accept_file(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_file(
    operation: *const ssh_sftp_operation,
) -> *mut c_void {
    guard::value(std::ptr::null_mut(), || {
        let tag = match handle::get(operation)?.request.operation() {
            Operation::Close(file)
            | Operation::Read { file, .. }
            | Operation::Write { file, .. }
            | Operation::File { file, .. } => *file,
            _ => 0,
        };
        // A number that was a pointer of the program's, and goes back to it.
        Ok(std::ptr::with_exposed_provenance_mut(tag))
    })
}

/// How to open, for SSH_SFTP_OP_OPEN.
///
/// @return SSH_SFTP_READ, SSH_SFTP_WRITE and so on, added up; other bits are the client's. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_flags(operation: *const ssh_sftp_operation) -> u32 {
    guard::value(0, || match handle::get(operation)?.request.operation() {
        Operation::Open { flags, .. } => Ok(flags.0),
        _ => Ok(0),
    })
}

/// Where in the file, for SSH_SFTP_OP_READ and SSH_SFTP_OP_WRITE. It is the client's number, up to 2^64 - 1.
///
/// @return the offset in bytes. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_offset(operation: *const ssh_sftp_operation) -> u64 {
    guard::value(0, || match handle::get(operation)?.request.operation() {
        Operation::Read { offset, .. } | Operation::Write { offset, .. } => Ok(*offset),
        _ => Ok(0),
    })
}

/// How many bytes, for SSH_SFTP_OP_READ and SSH_SFTP_OP_WRITE.
///
/// @return bytes, 1 to 261,120 for SSH_SFTP_OP_READ. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_length(operation: *const ssh_sftp_operation) -> usize {
    guard::value(0, || match handle::get(operation)?.request.operation() {
        Operation::Read { length, .. } => Ok(*length),
        Operation::Write { data, .. } => Ok(data.len()),
        _ => Ok(0),
    })
}

/// What to write, for SSH_SFTP_OP_WRITE.
///
/// @param operation  the operation
/// @param length     receives how many bytes; or NULL
/// @return bytes of the operation's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_data(
    operation: *const ssh_sftp_operation,
    length: *mut usize,
) -> *const c_void {
    memory::write(length, 0);
    guard::value(std::ptr::null(), || {
        match handle::get(operation)?.request.operation() {
            Operation::Write { data, .. } => {
                memory::write(length, data.len());
                Ok(data.as_ptr().cast())
            }
            _ => Ok(std::ptr::null()),
        }
    })
}

/// What to set, or to give a new file or directory, for SSH_SFTP_OP_OPEN, SSH_SFTP_OP_MKDIR and the
/// SSH_SFTP_OP_...SETSTAT kinds.
///
/// @return attributes, of which any may be missing, freed with ssh_sftp_attributes_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_operation_attributes(
    operation: *const ssh_sftp_operation,
) -> *mut ssh_sftp_attributes {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(operation)?;
        let attributes = match object.request.operation() {
            Operation::Open { attributes, .. } => attributes,
            Operation::Path {
                kind, attributes, ..
            }
            | Operation::File {
                kind, attributes, ..
            } if sets(*kind) => attributes,
            _ => return Ok(std::ptr::null_mut()),
        };
        sftp_attributes::attributes_out(attributes.clone())
    })
}

// --- behind the functions -------------------------------------------------------------------------

fn sets(kind: OperationKind) -> bool {
    matches!(
        kind,
        OperationKind::Mkdir
            | OperationKind::Setstat
            | OperationKind::Fsetstat
            | OperationKind::Lsetstat
    )
}

fn lend(
    operation: *const ssh_sftp_operation,
    length: *mut usize,
    part: impl FnOnce(&OperationObject) -> Option<&LentBytes>,
) -> *const c_char {
    memory::write(length, 0);
    guard::value(std::ptr::null(), || {
        let object = handle::get(operation)?;
        Ok(part(&object).map_or(std::ptr::null(), |bytes| bytes.lend(length)))
    })
}
