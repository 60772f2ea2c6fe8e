//! Whole files and directories over an `ssh_sftp`.

use std::ffi::{c_char, c_void, OsStr};
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::driver::Timeout;
use crate::error::Error;
use crate::sftp::client::{Progress, Sink, Source, TransferOptions};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory::{self, LentBytes};
use super::sftp::ssh_sftp;
use super::sftp_object::path;
use super::status::{ssh_status, SSH_OK};
use super::time;

/// Transfer: go on behind what the destination has, which is taken for the beginning of the source.
pub const SSH_SFTP_RESUME: u32 = 1;

/// Transfer: carry permissions (without set-user-ID and such) and times over.
pub const SSH_SFTP_PRESERVE: u32 = 2;

/// Transfer: the path is a directory, and all below it is meant.
pub const SSH_SFTP_RECURSIVE: u32 = 4;

/// Transfer: in directories, follow symbolic links, which are left out otherwise.
pub const SSH_SFTP_FOLLOW_SYMLINKS: u32 = 8;

/// Is told how far a transfer has come, after each piece of at most 256 KiB.
///
/// Of the small files of a directory, which are under way side by side, it is told when each is done: its beginning, then
/// its end, so that no other file comes in between.
///
/// It runs in the thread that called, with no lock held, and may call any function of the library. The path lives
/// until it returns; it is of any bytes, so make it safe before a terminal gets it. It must not unwind or longjmp.
///
/// @param userdata  the pointer given with the callback
/// @param file      the remote path of the file under way
/// @param done      bytes of it that are transferred, those of an earlier try included
/// @param total     its size as far as it is known, else UINT64_MAX; a file may grow or shrink meanwhile
/// @param files     files finished before
/// @param skipped   entries left out: symbolic links, and what is neither file nor directory
/// @return true to go on; false ends the transfer with SSH_ERR_CANCELLED
#[allow(non_camel_case_types)]
pub type ssh_sftp_progress_callback = Option<
    unsafe extern "C" fn(
        userdata: *mut c_void,
        file: *const c_char,
        done: u64,
        total: u64,
        files: u64,
        skipped: u64,
    ) -> bool,
>;

/// Takes the next bytes of a download, all of them.
///
/// It runs in the thread that called, with no lock held, and may call any function of the library. The data live until
/// it returns. It must not unwind or longjmp.
///
/// @param userdata  the pointer given with the callback
/// @param data      the bytes
/// @param length    how many, at least 1
/// @return true when they were taken; false ends the transfer with SSH_ERR_CALLBACK
#[allow(non_camel_case_types)]
pub type ssh_sftp_sink_callback =
    Option<unsafe extern "C" fn(userdata: *mut c_void, data: *const c_void, length: usize) -> bool>;

/// Gives the next bytes of an upload.
///
/// It runs in the thread that called, with no lock held, and may call any function of the library. It must not unwind
/// or longjmp.
///
/// @param userdata  the pointer given with the callback
/// @param buffer    where to put them
/// @param capacity  how many there is room for
/// @param length    receives how many were put there; 0 is the end
/// @return true on success; false ends the transfer with SSH_ERR_CALLBACK
#[allow(non_camel_case_types)]
pub type ssh_sftp_source_callback = Option<
    unsafe extern "C" fn(
        userdata: *mut c_void,
        buffer: *mut c_void,
        capacity: usize,
        length: *mut usize,
    ) -> bool,
>;

/// Downloads a file, or a directory.
///
/// The local file is written in place from its beginning: after a failure it holds the first part of the remote one, without
/// holes, and SSH_SFTP_RESUME goes on from there. To replace a file at once, download to another name and rename. A file
/// that grows or shrinks meanwhile is copied as far as reading it goes. Of a directory nothing is written outside the
/// local one, whatever names the server sends: names that are no file names end the transfer, and local symbolic links
/// below it are not followed. Up to 64 of its files of at most 32 KiB are under way at once, fewer where the server cannot
/// have so many open; after a failure those are empty, begun or whole.
///
/// @param sftp        the session
/// @param remote      what to download
/// @param local       the local path to write: the file itself, or the directory, which is made if need be
/// @param flags       SSH_SFTP_RESUME and the others, or'ed
/// @param progress    is told how far it has come, or NULL
/// @param userdata    passed to the callbacks
/// @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_IO for the local side,
///                    SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_get(
    sftp: *mut ssh_sftp,
    remote: *const c_char,
    local: *const c_char,
    flags: u32,
    progress: ssh_sftp_progress_callback,
    userdata: *mut c_void,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(sftp)?;
        let timeout = transfer_timeout(timeout_ms)?;
        let (remote, local) = (path(remote)?, local_path(local)?);
        let tell = teller(progress, userdata);
        let mut options = options(flags, ALL_FLAGS, tell)?;
        if flags & SSH_SFTP_RECURSIVE != 0 {
            object.get_tree(remote, local, &mut options, timeout)?;
        } else {
            object.get(remote, local, &mut options, timeout)?;
        }
        Ok(SSH_OK)
    })
}

/// Downloads a file to an open descriptor, from its position on. With SSH_SFTP_RESUME, goes on at the end of what is there.
///
/// @param sftp        the session
/// @param remote      what to download
/// @param fd          where to write; it stays open and is the program's
/// @param flags       SSH_SFTP_RESUME, SSH_SFTP_PRESERVE
/// @param progress    is told how far it has come, or NULL
/// @param userdata    passed to the callbacks
/// @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_IO for the local side,
///                    SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_get_fd(
    sftp: *mut ssh_sftp,
    remote: *const c_char,
    fd: i32,
    flags: u32,
    progress: ssh_sftp_progress_callback,
    userdata: *mut c_void,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(sftp)?;
        let timeout = transfer_timeout(timeout_ms)?;
        let remote = path(remote)?;
        let mut to = duplicate(fd)?;
        let tell = teller(progress, userdata);
        let mut options = options(flags, FILE_FLAGS, tell)?;
        object.get_to_file(remote, &mut to, &mut options, timeout)?;
        Ok(SSH_OK)
    })
}

/// Downloads a file to a callback.
///
/// @param sftp        the session
/// @param remote      what to download
/// @param offset      where to begin, in bytes from the beginning
/// @param sink        takes the bytes, in order
/// @param flags       0
/// @param progress    is told how far it has come, or NULL
/// @param userdata    passed to the callbacks
/// @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_CALLBACK when the sink
///                    failed, SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_get_callback(
    sftp: *mut ssh_sftp,
    remote: *const c_char,
    offset: u64,
    sink: ssh_sftp_sink_callback,
    flags: u32,
    progress: ssh_sftp_progress_callback,
    userdata: *mut c_void,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(sftp)?;
        let timeout = transfer_timeout(timeout_ms)?;
        let remote = path(remote)?;
        let callback = sink.ok_or_else(|| Failure::invalid("the sink is NULL"))?;
        let mut sink = CallbackSink {
            callback,
            userdata,
            failed: false,
        };
        let tell = teller(progress, userdata);
        let mut options = options(flags, 0, tell)?;
        let outcome = object.get_to_sink(remote, offset, &mut sink, &mut options, timeout);
        if sink.failed {
            return Err(Failure::callback("the sink failed"));
        }
        outcome?;
        Ok(SSH_OK)
    })
}

/// Uploads a file, or a directory.
///
/// The remote file is written in place from its beginning: after a failure it holds the first part of the local one, without
/// holes, and SSH_SFTP_RESUME goes on from there. To replace a file at once, upload to another name and use
/// ssh_sftp_posix_rename(). A file that grows or shrinks meanwhile is copied as far as reading it goes. Of a directory's
/// files of at most 32 KiB up to 64 are under way at once, as for ssh_sftp_get().
///
/// @param sftp        the session
/// @param local       the local path of what to upload
/// @param remote      the path to write: the file itself, or the directory, which is made if need be
/// @param flags       SSH_SFTP_RESUME and the others, or'ed
/// @param progress    is told how far it has come, or NULL
/// @param userdata    passed to the callbacks
/// @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_IO for the local side,
///                    SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_put(
    sftp: *mut ssh_sftp,
    local: *const c_char,
    remote: *const c_char,
    flags: u32,
    progress: ssh_sftp_progress_callback,
    userdata: *mut c_void,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(sftp)?;
        let timeout = transfer_timeout(timeout_ms)?;
        let (local, remote) = (local_path(local)?, path(remote)?);
        let tell = teller(progress, userdata);
        let mut options = options(flags, ALL_FLAGS, tell)?;
        if flags & SSH_SFTP_RECURSIVE != 0 {
            object.put_tree(local, remote, &mut options, timeout)?;
        } else {
            object.put(local, remote, &mut options, timeout)?;
        }
        Ok(SSH_OK)
    })
}

/// Uploads from an open descriptor, from its position on. With SSH_SFTP_RESUME, from where the remote file ends.
///
/// @param sftp        the session
/// @param fd          what to read; it stays open and is the program's
/// @param remote      the path to write
/// @param flags       SSH_SFTP_RESUME, SSH_SFTP_PRESERVE
/// @param progress    is told how far it has come, or NULL
/// @param userdata    passed to the callbacks
/// @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_IO for the local side,
///                    SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_put_fd(
    sftp: *mut ssh_sftp,
    fd: i32,
    remote: *const c_char,
    flags: u32,
    progress: ssh_sftp_progress_callback,
    userdata: *mut c_void,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(sftp)?;
        let timeout = transfer_timeout(timeout_ms)?;
        let remote = path(remote)?;
        let mut from = duplicate(fd)?;
        let tell = teller(progress, userdata);
        let mut options = options(flags, FILE_FLAGS, tell)?;
        object.put_from_file(&mut from, remote, &mut options, timeout)?;
        Ok(SSH_OK)
    })
}

/// Uploads what a callback gives.
///
/// @param sftp        the session
/// @param source      gives the bytes, in order
/// @param total       how many are to be expected, for the progress; UINT64_MAX when it is not known
/// @param remote      the path to write
/// @param flags       SSH_SFTP_RESUME, when the source begins where the remote file ends; else 0
/// @param progress    is told how far it has come, or NULL
/// @param userdata    passed to the callbacks
/// @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
/// @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_CALLBACK when the source
///                    failed, SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_put_callback(
    sftp: *mut ssh_sftp,
    source: ssh_sftp_source_callback,
    total: u64,
    remote: *const c_char,
    flags: u32,
    progress: ssh_sftp_progress_callback,
    userdata: *mut c_void,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(sftp)?;
        let timeout = transfer_timeout(timeout_ms)?;
        let remote = path(remote)?;
        let callback = source.ok_or_else(|| Failure::invalid("the source is NULL"))?;
        let mut source = CallbackSource {
            callback,
            userdata,
            failed: false,
        };
        let total = (total != u64::MAX).then_some(total);
        let tell = teller(progress, userdata);
        let mut options = options(flags, SSH_SFTP_RESUME, tell)?;
        let outcome = object.put_from_source(&mut source, total, remote, &mut options, timeout);
        if source.failed {
            return Err(Failure::callback("the source failed"));
        }
        outcome?;
        Ok(SSH_OK)
    })
}

// --- behind the functions -------------------------------------------------------------------------

const FILE_FLAGS: u32 = SSH_SFTP_RESUME | SSH_SFTP_PRESERVE;
const ALL_FLAGS: u32 = FILE_FLAGS | SSH_SFTP_RECURSIVE | SSH_SFTP_FOLLOW_SYMLINKS;

type Teller<'a> = Box<dyn FnMut(&Progress<'_>) -> bool + 'a>;

fn transfer_timeout(timeout_ms: i32) -> Outcome<Timeout> {
    time::timeout(timeout_ms, Timeout::Forever)
}

fn local_path<'a>(local: *const c_char) -> Outcome<&'a Path> {
    let bytes = memory::optional_c_bytes(local)
        .ok_or_else(|| Failure::invalid("the local path is NULL"))?;
    Ok(Path::new(OsStr::from_bytes(bytes)))
}

/// A descriptor of our own for the caller's, so that closing one does not concern the other.
fn duplicate(fd: i32) -> Outcome<fs::File> {
    if fd < 0 {
        return Err(Failure::invalid("no descriptor"));
    }
    // SAFETY: the program says that the descriptor is open during the call.
    let given = unsafe { BorrowedFd::borrow_raw(fd) };
    let own = given.try_clone_to_owned().map_err(|error| Error::Io {
        operation: "dup",
        errno: error.raw_os_error().unwrap_or(libc::EBADF),
    })?;
    Ok(fs::File::from(own))
}

fn options<'a>(
    flags: u32,
    allowed: u32,
    progress: Option<Teller<'a>>,
) -> Outcome<TransferOptions<'a>> {
    if flags & !allowed != 0 {
        return Err(Failure::invalid("a flag that this function does not take"));
    }
    Ok(TransferOptions {
        resume: flags & SSH_SFTP_RESUME != 0,
        preserve: flags & SSH_SFTP_PRESERVE != 0,
        follow_symlinks: flags & SSH_SFTP_FOLLOW_SYMLINKS != 0,
        progress,
    })
}

fn teller<'a>(callback: ssh_sftp_progress_callback, userdata: *mut c_void) -> Option<Teller<'a>> {
    let callback = callback?;
    // The path's copy for C is made once for each file.
    let mut shown: Option<(Vec<u8>, LentBytes)> = None;
    Some(Box::new(move |progress| {
        if shown.as_ref().is_none_or(|(path, _)| path != progress.path) {
            shown = Some((progress.path.to_vec(), LentBytes::new(progress.path)));
        }
        let file = shown.as_ref().map_or(std::ptr::null(), |(_, lent)| {
            lent.lend(std::ptr::null_mut())
        });
        let total = progress.total.unwrap_or(u64::MAX);
        // SAFETY: the program promised this function for this pointer; the path lives until it returns.
        unsafe {
            callback(
                userdata,
                file,
                progress.done,
                total,
                progress.files,
                progress.skipped,
            )
        }
    }))
}

struct CallbackSink {
    callback: unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> bool,
    userdata: *mut c_void,
    failed: bool,
}

impl Sink for CallbackSink {
    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        // SAFETY: the program promised this function for this pointer; the data live until it returns.
        let taken = unsafe { (self.callback)(self.userdata, data.as_ptr().cast(), data.len()) };
        self.failed = !taken;
        if taken {
            Ok(())
        } else {
            Err(Error::Cancelled)
        }
    }
}

struct CallbackSource {
    callback: unsafe extern "C" fn(*mut c_void, *mut c_void, usize, *mut usize) -> bool,
    userdata: *mut c_void,
    failed: bool,
}

impl Source for CallbackSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut length = 0;
        // SAFETY: the program promised this function for this pointer; it gets room of ours to write into.
        let given = unsafe {
            (self.callback)(
                self.userdata,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                &mut length,
            )
        };
        self.failed = !given || length > buffer.len();
        if self.failed {
            return Err(Error::Cancelled);
        }
        Ok(length)
    }
}
