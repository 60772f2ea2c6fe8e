//! `ssh_config`: the user's ssh_config files and options.

use std::ffi::{c_char, c_void, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::config::{Config, ThisMachine};
use crate::driver::sync::Mutex;
use crate::error::Error;

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::config_connect::ProxyCall;
use super::config_host::{self, ssh_config_host};
use super::dispatch::Callbacks;
use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::memory;
use super::status::{ssh_status, SSH_OK};

/// Configuration in the form of `ssh`'s files: options first, then files in the order in which they were loaded. What it
/// says about a host, ssh_config_resolve() finds out.
///
/// Everything that OpenSSH reads is read: Host and Match with patterns and negation, Include, quotation marks, tokens such
/// as %h, variables such as ${HOME}, lists with + - and ^. What makes no sense is an error that names the file, the line
/// and what to do. What is understood and has no effect here, and what is unknown, is listed:
/// ssh_config_host_unsupported(). `Match` knows no `localnetwork`, `version` and `command`; host names are not made
/// canonical.
#[allow(non_camel_case_types)]
pub struct ssh_config {
    _opaque: [u8; 0],
}

/// Runs a command of `Match exec`, usually with the user's shell.
///
/// Called inside ssh_config_resolve(), on its thread, with no lock held. It may call any function of the library, and must
/// not unwind or longjmp.
///
/// @param command   the command, with its tokens replaced; lives during the call
/// @param userdata  as set
/// @return the exit status of the command, 0 for success; a negative number when it could not be run, which fails the call
///         with SSH_ERR_CONFIG
#[allow(non_camel_case_types)]
pub type ssh_config_exec_callback =
    Option<unsafe extern "C" fn(command: *const c_char, userdata: *mut c_void) -> i32>;

/// Makes a configuration without anything in it.
///
/// @return a configuration, freed with ssh_config_free(), or NULL when memory is short. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_config_new() -> *mut ssh_config {
    guard::value(std::ptr::null_mut(), || {
        handle::insert(Arc::new(ConfigObject::default()))
    })
}

/// Frees the handle. What was resolved stays.
///
/// @param config  the configuration; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_free(config: *mut ssh_config) {
    guard::value((), || handle::take(config).map(drop));
}

/// Reads a file as `ssh -F` does, behind those that were read before. It counts as the user's: files that it includes by
/// relative names are looked for in `.ssh` in the home of the account. Included files are read when a host is resolved.
///
/// @param config  the configuration
/// @param path    the file
/// @param error   receives the detail, or NULL: SSH_ERR_IO when it is not there, cannot be read or has more than 4 MiB
/// @return SSH_OK or a failure. Any thread; reads the file. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_load_file(
    config: *mut ssh_config,
    path: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(config)?;
        match memory::optional_c_bytes(path) {
            Some([]) | None => return Err(Failure::invalid("no path")),
            // Paths are bytes to the system, whatever their encoding.
            Some(path) => object.change(|config, machine| {
                config.load_file(Path::new(OsStr::from_bytes(path)), machine)
            })?,
        }
        Ok(SSH_OK)
    })
}

/// Reads the files that ssh reads without -F: `.ssh/config` in the home of the account, which must belong to the user or to
/// root and be writable by nobody else, and then `/etc/ssh/ssh_config`. Either may be absent.
///
/// @param config  the configuration
/// @param error   receives the detail, or NULL: SSH_ERR_IO when one cannot be read, SSH_ERR_CONFIG when others may write
///                the user's, SSH_ERR_RESOURCE when the account has no entry
/// @return SSH_OK or a failure. Any thread; reads the files. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_load_defaults(
    config: *mut ssh_config,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        handle::get(config)?.change(|config, machine| config.load_defaults(machine))?;
        Ok(SSH_OK)
    })
}

/// Adds an option as `ssh -o` takes it. Options go before all files, and the first of two that say different things holds.
///
/// @param config  the configuration
/// @param option  such as "Port=2222" or "Port 2222"; copied. What is wrong with it, ssh_config_resolve() tells.
/// @param error   receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_LIMIT for more than 4096 of them
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_add_option(
    config: *mut ssh_config,
    option: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(config)?;
        let option = memory::text(option, "the option")?;
        object.change(|config, _| config.add_option(option))?;
        Ok(SSH_OK)
    })
}

/// Sets who runs the commands of `Match exec`. Without anybody a block with such a criterion does not apply, and
/// ssh_config_host_unsupported() says so.
///
/// @param config    the configuration
/// @param callback  runs a command, or NULL for nobody
/// @param userdata  passed to the callback
/// @param destroy   ends userdata's life once it is replaced or the configuration is gone, or NULL
/// @return SSH_OK, SSH_ERR_BAD_HANDLE, and then destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_set_exec_callback(
    config: *mut ssh_config,
    callback: ssh_config_exec_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(config)?;
        let userdata = Userdata::new(userdata, destroy);
        let machine = callback.map_or_else(ThisMachine::default, |callback| {
            ThisMachine::with_commands(Arc::new(move |command| run(callback, &userdata, command)))
        });
        let before = std::mem::replace(&mut *object.machine.lock(), machine);
        drop(before);
        Ok(SSH_OK)
    })
}

/// Finds out what holds for a destination.
///
/// @param config       the configuration
/// @param destination  `[user@]host` or `ssh://[user@]host[:port]`, where host is a name, an address or an alias. A user
///                     and a port given here go before all files, and behind the options. The user is meant as it is
///                     written: `%` and `$` in it stand for nothing else, as for ssh.
/// @param error        receives the detail, or NULL: SSH_ERR_CONFIG with file, line and what to do, SSH_ERR_IO,
///                     SSH_ERR_INVALID_ARG for what is no destination
/// @return what holds, freed with ssh_config_host_free(), or NULL. Any thread; reads the files that are included, and the
///         user database. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_config_resolve(
    config: *const ssh_config,
    destination: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_config_host {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(config)?;
        let destination = memory::text(destination, "the destination")?;
        config_host::new_handle(object.resolve(destination)?)
    })
}

// --- behind the handle ----------------------------------------------------------------------------

impl Handle for ssh_config {
    type Object = ConfigObject;
    const TAG: u8 = 24;
    const NOUN: &'static str = "ssh_config";
}

/// A configuration and the machine that it is read on.
#[derive(Default)]
pub(crate) struct ConfigObject {
    /// Both are leaves, and held for no longer than copying takes; files are read without them.
    config: Mutex<Config>,
    machine: Mutex<ThisMachine>,
    /// Who answers the questions of transports that are made with it, and who makes their connections. Leaves too.
    pub(crate) callbacks: Mutex<Callbacks>,
    pub(crate) proxy: Mutex<Option<ProxyCall>>,
}

impl ConfigObject {
    fn change(
        &self,
        change: impl FnOnce(&mut Config, &ThisMachine) -> Result<(), Error>,
    ) -> Outcome<()> {
        let machine = self.machine.lock().clone();
        let mut more = Config::default();
        change(&mut more, &machine)?;
        Ok(self.config.lock().append(more)?)
    }

    /// Copies of what connecting needs.
    pub(crate) fn parts(&self) -> (Config, ThisMachine) {
        let config = self.config.lock().clone();
        (config, self.machine.lock().clone())
    }

    pub(crate) fn resolve(&self, destination: &str) -> Outcome<crate::config::Resolved> {
        let (config, machine) = self.parts();
        config
            .resolve(destination, &machine)
            .map_err(|error| match error {
                Error::ApiMisuse(text) => Failure::invalid(text),
                error => error.into(),
            })
    }
}

fn run(
    callback: unsafe extern "C" fn(*const c_char, *mut c_void) -> i32,
    userdata: &Userdata,
    command: &str,
) -> Result<bool, String> {
    let command = CString::new(command).map_err(|_| "the command has a NUL byte in it")?;
    // SAFETY: the program says that the function may be called with this userdata from any thread until destroy is
    // called, which the closure that holds it prevents; the string lives during the call.
    let status = unsafe { callback(command.as_ptr(), userdata.pointer()) };
    match status {
        0.. => Ok(status == 0),
        _ => Err(format!(
            "the program could not run the command of Match exec: {status}"
        )),
    }
}
