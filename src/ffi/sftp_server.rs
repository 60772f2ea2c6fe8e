//! `ssh_sftp_server`: a directory offered over SFTP.

use std::ffi::{c_char, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::driver::sync::Mutex;

use crate::connection::ChannelRequest;
use crate::driver::Question;
use crate::error::Error;
use crate::sftp::server::{Directory, DirectoryOptions, Session, VirtualPath};

use super::error::ssh_error;
use super::guard::{self, Failure};
use super::handle::{self, Handle};
use super::memory;
use super::request::ssh_request;
use super::status::{ssh_status, SSH_OK};

/// What clients see over SFTP: a directory of this machine and nothing else of it. One may serve any number of
/// channels; each takes the options as they are when it starts. Neither "..", nor symbolic links, nor
/// directories that are moved meanwhile lead out of the directory, which clients see as "/".
#[allow(non_camel_case_types)]
pub struct ssh_sftp_server {
    _opaque: [u8; 0],
}

impl Handle for ssh_sftp_server {
    type Object = SftpServerObject;
    const TAG: u8 = 13;
    const NOUN: &'static str = "ssh_sftp_server";
}

pub(crate) struct SftpServerObject {
    directory: Directory,
    options: Mutex<DirectoryOptions>,
}

/// Opens a directory to be served. It stays the same one when it is renamed.
///
/// @param path   the directory, in any encoding
/// @param error  receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_IO
/// @return a server, freed with ssh_sftp_server_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_server_new_directory(
    path: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_sftp_server {
    guard::value_with(std::ptr::null_mut(), error, || {
        let path =
            memory::optional_c_bytes(path).ok_or_else(|| Failure::invalid("path is NULL"))?;
        let directory = Directory::open(Path::new(OsStr::from_bytes(path))).map_err(|cause| {
            Failure::from(Error::Io {
                operation: "open the directory to serve",
                errno: cause.raw_os_error().unwrap_or(libc::EIO),
            })
        })?;
        handle::insert(Arc::new(SftpServerObject {
            directory,
            options: Mutex::default(),
        }))
    })
}

/// Frees the handle. Channels that are served go on.
///
/// @param server  the server; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_server_free(server: *mut ssh_sftp_server) {
    guard::value((), || handle::take(server).map(drop));
}

/// Whether everything that would change something is refused. It is not at first.
///
/// @param server     the server
/// @param read_only  whether to refuse
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_server_set_read_only(
    server: *mut ssh_sftp_server,
    read_only: bool,
) -> ssh_status {
    guard::status(|| {
        handle::get(server)?.options.lock().read_only = read_only;
        Ok(SSH_OK)
    })
}

/// Sets mode bits that new files and directories do not get, beside those of the process's umask.
///
/// @param server  the server
/// @param umask   0 to 0777; 0 at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_server_set_umask(
    server: *mut ssh_sftp_server,
    umask: u32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        if umask > 0o777 {
            return Err(Failure::invalid("a umask is 0 to 0777"));
        }
        object.options.lock().umask = umask;
        Ok(SSH_OK)
    })
}

/// Sets how many files and directories one channel may have open.
///
/// @param server   the server
/// @param handles  1 to 65,536; 256 at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_server_set_max_handles(
    server: *mut ssh_sftp_server,
    handles: u32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        if !(1..=65_536).contains(&handles) {
            return Err(Failure::invalid("1 to 65536 handles"));
        }
        object.options.lock().max_handles = usize::try_from(handles).unwrap_or(1);
        Ok(SSH_OK)
    })
}

/// Sets where clients begin, as they see it.
///
/// @param server  the server
/// @param path    a path below the directory, such as "/incoming"; "/" at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_server_set_home(
    server: *mut ssh_sftp_server,
    path: *const c_char,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        let path =
            memory::optional_c_bytes(path).ok_or_else(|| Failure::invalid("path is NULL"))?;
        let home = VirtualPath::new(&VirtualPath::root(), path)
            .map_err(|_| Failure::invalid("the path is too long"))?;
        object.options.lock().home = home;
        Ok(SSH_OK)
    })
}

/// Accepts a SSH_REQUEST_SUBSYSTEM, whatever name it has, and serves SFTP on its channel. The library does the
/// work on threads of its own; an idle session has none. When the client is done, the channel is closed. Its
/// handle stays the program's, to be freed once ssh_channel_is_closed(); freeing it earlier ends the session.
/// Nobody else may read from or write to the channel.
///
/// @param request  the request, answered by this call
/// @param server   what to serve
/// @param error    receives the detail, or NULL: SSH_ERR_STATE for other kinds and answered requests,
///                 SSH_ERR_CLOSED, SSH_ERR_BAD_HANDLE
/// @return SSH_OK, or as `error` says. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_accept_sftp(
    request: *mut ssh_request,
    server: *mut ssh_sftp_server,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let request = handle::get(request)?;
        let server = handle::get(server)?;
        let asked = request.driver.question();
        if !matches!(
            asked,
            Question::Channel {
                request: ChannelRequest::Subsystem(_),
                ..
            }
        ) {
            return Err(Failure::state("the request starts no subsystem"));
        }
        let channel = request.driver.channel()?;
        // The answer first, and then what the subsystem has to say.
        request.driver.accept()?;
        let options = server.options.lock().clone();
        let backend = server.directory.backend(options);
        Session::start(channel, |_| Box::new(backend), Box::new(|_| ()))?;
        Ok(SSH_OK)
    })
}
