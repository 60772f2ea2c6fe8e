//! `ssh_sftp_server`: a directory, or what the program makes up, offered over SFTP.

use std::ffi::{c_char, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::connection::ChannelRequest;
use crate::driver::sync::Mutex;
use crate::driver::{Channel, Event, Question};
use crate::error::Error;
use crate::sftp::server::{
    Backend, Directory, DirectoryOptions, Session, Taken, VirtualBackend, VirtualOptions,
    VirtualPath,
};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::memory;
use super::request::ssh_request;
use super::sftp_operation_object::{OperationCalls, Program, ServedChannel};
use super::status::{ssh_status, SSH_OK};
use super::transport_object::TransportObject;

/// What clients see over SFTP: a directory of this machine and nothing else of it, or files that the program makes up.
/// One may serve any number of channels; each takes the options as they are when it starts.
///
/// Neither "..", nor symbolic links, nor directories that are moved meanwhile lead out of a directory, which clients
/// see as "/".
#[allow(non_camel_case_types)]
pub struct ssh_sftp_server {
    _opaque: [u8; 0],
}

impl Handle for ssh_sftp_server {
    type Object = SftpServerObject;
    const TAG: u8 = 13;
    const NOUN: &'static str = "ssh_sftp_server";
}

/// Most channels of one transport that are served at once: each may hold replies of 765 KiB for a client that does not read.
const MAX_CHANNELS: usize = 32;

pub(crate) struct SftpServerObject {
    files: Files,
    options: Mutex<Options>,
}

/// What is served.
enum Files {
    Directory(Directory),
    Virtual(Mutex<OperationCalls>),
}

/// How; each kind of server takes what concerns it.
#[derive(Clone, Default)]
struct Options {
    directory: DirectoryOptions,
    /// Only what a directory does not have, too.
    max_operations: Option<usize>,
}

impl SftpServerObject {
    /// The callbacks of one that has some.
    pub(crate) fn calls(&self) -> Outcome<&Mutex<OperationCalls>> {
        match &self.files {
            Files::Virtual(calls) => Ok(calls),
            Files::Directory(_) => Err(Failure::state("the server serves a directory")),
        }
    }

    /// Serves a channel from now on, which takes the place among those of its transport until its end.
    fn start(
        &self,
        driver: Channel,
        transport: &Arc<TransportObject>,
        place: Taken,
    ) -> Outcome<()> {
        let mut options = self.options.lock().clone();
        options.directory.open = Some(Arc::clone(&transport.sftp_files));
        let ended = Box::new(|_| drop(place));
        match &self.files {
            Files::Directory(directory) => {
                let backend = directory.backend(options.directory);
                Session::start(driver, |_| Box::new(backend), ended)?;
            }
            Files::Virtual(calls) => {
                let calls = calls.lock().clone();
                let channel = ServedChannel::new(driver.clone(), transport);
                let program = Arc::new(Program { calls, channel });
                let options = options.for_virtual_files();
                let backend = |event: &Event| -> Box<dyn Backend> {
                    Box::new(VirtualBackend::new(program, options, event))
                };
                Session::start(driver, backend, ended)?;
            }
        }
        Ok(())
    }
}

impl Options {
    fn for_virtual_files(self) -> VirtualOptions {
        let usual = VirtualOptions::default();
        VirtualOptions {
            read_only: self.directory.read_only,
            max_handles: self.directory.max_handles,
            max_operations: self.max_operations.unwrap_or(usual.max_operations),
            home: self.directory.home,
        }
    }
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
            files: Files::Directory(directory),
            options: Mutex::default(),
        }))
    })
}

/// Makes a server of files that the program makes up: what clients want done comes as ssh_sftp_operation to the
/// callbacks of ssh_sftp_server_set_callback(). ssh_request_accept_sftp() serves a channel with it.
///
/// @param error  receives the detail, or NULL
/// @return a server without callbacks, which refuses everything, freed with ssh_sftp_server_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_server_new_virtual(
    error: *mut *mut ssh_error,
) -> *mut ssh_sftp_server {
    guard::value_with(std::ptr::null_mut(), error, || {
        handle::insert(Arc::new(SftpServerObject {
            files: Files::Virtual(Mutex::default()),
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
        handle::get(server)?.options.lock().directory.read_only = read_only;
        Ok(SSH_OK)
    })
}

/// Sets mode bits that new files and directories do not get, beside those of the process's umask. For directories; files
/// that the program makes up have the modes it gives them.
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
        object.options.lock().directory.umask = umask;
        Ok(SSH_OK)
    })
}

/// Sets how many files and directories one client may have open: of a directory on all channels of its transport together, of
/// files that the program makes up on each. Those of a directory take half of the process's descriptors at most, of all clients
/// together.
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
        object.options.lock().directory.max_handles = usize::try_from(handles).unwrap_or(1);
        Ok(SSH_OK)
    })
}

/// Sets how many operations of one channel may wait for their answers, on a server of ssh_sftp_server_new_virtual(). Then
/// the channel is not read from until there is one.
///
/// @param server      the server
/// @param operations  1 to 1,024; 64 at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE for a server of a directory, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_sftp_server_set_max_operations(
    server: *mut ssh_sftp_server,
    operations: u32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(server)?;
        object.calls()?;
        if !(1..=1024).contains(&operations) {
            return Err(Failure::invalid("1 to 1024 operations"));
        }
        object.options.lock().max_operations = usize::try_from(operations).ok();
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
        object.options.lock().directory.home = home;
        Ok(SSH_OK)
    })
}

/// Accepts a SSH_REQUEST_SUBSYSTEM, whatever name it has, and serves SFTP on its channel. The library does the
/// work on threads of its own; an idle session has none. When the client is done, the channel is closed. It is the
/// session's: it does not come out of ssh_transport_accept(), and nobody else may read from it or write to it. A program
/// that has a handle of it, from ssh_request_accept_channel() or ssh_request_channel(), frees that some time; before
/// ssh_channel_is_closed() that ends the session.
///
/// @param request  the request, answered by this call
/// @param server   what to serve
/// @param error    receives the detail, or NULL: SSH_ERR_STATE for other kinds and answered requests, SSH_ERR_LIMIT where 32
///                 channels of the transport are served already and the request was refused, SSH_ERR_CLOSED,
///                 SSH_ERR_BAD_HANDLE
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
        if request.driver.is_answered() {
            return Err(Failure::state("the request was answered before"));
        }
        let channel = request.driver.channel()?;
        let transport = request
            .transport()
            .ok_or_else(|| Failure::from(Error::Closed))?;
        let Some(place) = transport.sftp_channels.take(MAX_CHANNELS) else {
            let _ = request.driver.refuse();
            return Err(Error::Limit("SFTP channels of one transport").into());
        };
        // The answer first, and then what the subsystem has to say.
        request.driver.accept()?;
        // Nobody else needs to take it, or it would count as open for ever.
        channel.claim();
        server.start(channel, &transport, place)?;
        Ok(SSH_OK)
    })
}
