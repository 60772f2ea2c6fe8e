//! Requests on a channel, from either side, and how a command ended.

use std::ffi::{c_char, c_void};

use crate::connection::{ChannelRequest, ExitOutcome, PtyModes};
use crate::driver::Timeout;

use super::channel::ssh_channel;
use super::channel_object::{self, ChannelObject};
use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::status::{ssh_status, SSH_OK};
use super::text;
use super::time;

/// How a command ended: not known, because it runs, or because the server did not say.
pub const SSH_EXIT_NONE: i32 = 0;

/// How a command ended: by itself, with a status.
pub const SSH_EXIT_STATUS: i32 = 1;

/// How a command ended: by a signal, see ssh_channel_exit_signal().
pub const SSH_EXIT_SIGNAL: i32 = 2;

/// Asks for a terminal, before a shell or command is started.
///
/// @param channel        a session channel
/// @param term           the terminal's type such as "xterm-256color"; NULL for "vt100"
/// @param columns        width in characters
/// @param rows           height in characters
/// @param width_pixels   width in pixels, or 0
/// @param height_pixels  height in pixels, or 0
/// @param modes          terminal modes in the encoding of RFC 4254 section 8, or NULL for none
/// @param modes_length   their length in bytes
/// @param timeout_ms     milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error          receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_request_pty(
    channel: *mut ssh_channel,
    term: *const c_char,
    columns: u32,
    rows: u32,
    width_pixels: u32,
    height_pixels: u32,
    modes: *const c_void,
    modes_length: usize,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let size = [columns, rows, width_pixels, height_pixels];
            let modes = memory::bytes(modes, modes_length)?;
            let request = pty(memory::optional_text(term)?, size, modes)?;
            ask(object, &request, timeout_ms)
        })
    })
}

/// Starts the user's shell.
///
/// @param channel     a session channel on which nothing was started
/// @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_request_shell(
    channel: *mut ssh_channel,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let request = ChannelRequest::Shell;
            ask(object, &request, timeout_ms)
        })
    })
}

/// Runs a command. Its output comes from ssh_channel_read() and ssh_channel_read_stderr(), its end from
/// ssh_channel_wait_exit().
///
/// @param channel     a session channel on which nothing was started
/// @param command     the command line for the user's shell, a C string of any bytes: it goes out as it is
/// @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_request_exec(
    channel: *mut ssh_channel,
    command: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let command = memory::optional_c_bytes(command)
                .ok_or_else(|| Failure::invalid("the command is NULL"))?;
            let request = ChannelRequest::Exec(command.to_vec());
            ask(object, &request, timeout_ms)
        })
    })
}

/// Starts a subsystem such as "sftp".
///
/// @param channel     a session channel on which nothing was started
/// @param name        the subsystem
/// @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_request_subsystem(
    channel: *mut ssh_channel,
    name: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let name = memory::text(name, "the name")?.to_owned();
            let request = ChannelRequest::Subsystem(name);
            ask(object, &request, timeout_ms)
        })
    })
}

/// Sets an environment variable for what is started afterwards. Servers refuse most names, and no answer is
/// asked for.
///
/// @param channel  a session channel on which nothing was started
/// @param name     the variable
/// @param value    its value
/// @return SSH_OK once it is on its way, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_request_env(
    channel: *mut ssh_channel,
    name: *const c_char,
    value: *const c_char,
) -> ssh_status {
    guard::status(|| {
        channel_object::with(channel, |object| {
            let wanted = || Failure::invalid("the variable or its value is NULL");
            let name = memory::optional_c_bytes(name).ok_or_else(wanted)?.to_vec();
            let value = memory::optional_c_bytes(value).ok_or_else(wanted)?.to_vec();
            let request = ChannelRequest::Env { name, value };
            tell(object, &request)
        })
    })
}

/// Tells the server the terminal's new size.
///
/// @param channel        a session channel with a terminal
/// @param columns        width in characters
/// @param rows           height in characters
/// @param width_pixels   width in pixels, or 0
/// @param height_pixels  height in pixels, or 0
/// @return SSH_OK once it is on its way, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_window_change(
    channel: *mut ssh_channel,
    columns: u32,
    rows: u32,
    width_pixels: u32,
    height_pixels: u32,
) -> ssh_status {
    guard::status(|| {
        channel_object::with(channel, |object| {
            let request = ChannelRequest::WindowChange {
                columns,
                rows,
                width_px: width_pixels,
                height_px: height_pixels,
            };
            tell(object, &request)
        })
    })
}

/// Sends the command a signal.
///
/// @param channel  a session channel on which something runs
/// @param name     the signal without SIG: "TERM", "INT", "HUP", ...
/// @return SSH_OK once it is on its way, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_signal(
    channel: *mut ssh_channel,
    name: *const c_char,
) -> ssh_status {
    guard::status(|| {
        channel_object::with(channel, |object| {
            let request = ChannelRequest::Signal(signal_name(name)?);
            tell(object, &request)
        })
    })
}

/// Sends a break (RFC 4335), for consoles behind serial lines.
///
/// @param channel     a session channel on which something runs
/// @param length_ms   how long the break shall last; 0 for the usual
/// @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_break(
    channel: *mut ssh_channel,
    length_ms: u32,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let request = ChannelRequest::Break { length_ms };
            ask(object, &request, timeout_ms)
        })
    })
}

/// Sends a channel request of any name.
///
/// @param channel     the channel
/// @param name        the request's name
/// @param data        what follows `want reply` in the message, or NULL
/// @param length      how many bytes
/// @param want_reply  whether to ask for an answer and wait for it
/// @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_request(
    channel: *mut ssh_channel,
    name: *const c_char,
    data: *const c_void,
    length: usize,
    want_reply: bool,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let name = text::protocol_name(name, "the name")?.to_owned();
            let data = memory::bytes(data, length)?.to_vec();
            let request = ChannelRequest::Other { name, data };
            if want_reply {
                ask(object, &request, timeout_ms)
            } else {
                tell(object, &request)
            }
        })
    })
}

/// Server: tells the client the command's exit status. Close the channel afterwards.
///
/// @param channel  a session channel
/// @param status   the status
/// @return SSH_OK once it is on its way, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_send_exit_status(
    channel: *mut ssh_channel,
    status: u32,
) -> ssh_status {
    guard::status(|| {
        channel_object::with(channel, |object| {
            let request = ChannelRequest::ExitStatus(status);
            tell(object, &request)
        })
    })
}

/// Server: tells the client that a signal ended the command. Close the channel afterwards.
///
/// @param channel      a session channel
/// @param name         the signal without SIG: "KILL", "SEGV", ...
/// @param core_dumped  whether a core was dumped
/// @param message      a text for the user, or NULL
/// @return SSH_OK once it is on its way, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_send_exit_signal(
    channel: *mut ssh_channel,
    name: *const c_char,
    core_dumped: bool,
    message: *const c_char,
) -> ssh_status {
    guard::status(|| {
        channel_object::with(channel, |object| {
            let request = ChannelRequest::ExitSignal {
                signal: signal_name(name)?,
                core_dumped,
                message: memory::optional_text(message)?
                    .unwrap_or_default()
                    .to_owned(),
                language: String::new(),
            };
            tell(object, &request)
        })
    })
}

/// Waits until the server has said how the command ended, or closed the channel without saying. It goes on
/// being known after the channel is closed. Read the output first, or in another thread: a command that cannot
/// write does not end.
///
/// @param channel      a session channel
/// @param timeout_ms   milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
/// @param kind         receives SSH_EXIT_NONE, SSH_EXIT_STATUS or SSH_EXIT_SIGNAL; not NULL (SSH_ERR_INVALID_ARG)
/// @param exit_status  receives the status for SSH_EXIT_STATUS; or NULL. 0 otherwise, also where the call fails: look at the
///                     result and at `kind` first
/// @return SSH_OK, also with SSH_EXIT_NONE when the channel was closed without it; SSH_AGAIN, SSH_ERR_TIMEOUT,
///         or what ended the session. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_wait_exit(
    channel: *mut ssh_channel,
    timeout_ms: i32,
    kind: *mut i32,
    exit_status: *mut u32,
) -> ssh_status {
    guard::status(|| {
        memory::write(kind, SSH_EXIT_NONE);
        memory::write(exit_status, 0);
        channel_object::with(channel, |object| {
            if kind.is_null() {
                return Err(Failure::invalid("nowhere to put the kind"));
            }
            let timeout = object.data_timeout(timeout_ms)?;
            let outcome = object.driver.wait_exit(timeout);
            match &outcome {
                Ok(Some(ExitOutcome::Status(status))) => {
                    memory::write(kind, SSH_EXIT_STATUS);
                    memory::write(exit_status, *status);
                }
                Ok(Some(ExitOutcome::Signal { .. })) => memory::write(kind, SSH_EXIT_SIGNAL),
                Ok(None) | Err(_) => {}
            }
            if matches!(outcome, Ok(Some(_))) {
                return Ok(SSH_OK);
            }
            object.unless_freed(time::status_or_again(timeout, outcome, time::ok))
        })
    })
}

/// The signal that ended the command, without SIG.
///
/// @return a string, freed with ssh_memory_free(), or NULL when none did. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_exit_signal(channel: *const ssh_channel) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        match handle::get(channel)?.exit() {
            Some(ExitOutcome::Signal { signal, .. }) => memory::string_out(&signal),
            _ => Ok(std::ptr::null_mut()),
        }
    })
}

/// The text that came with the signal. Control characters are escaped.
///
/// @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_exit_message(channel: *const ssh_channel) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        match handle::get(channel)?.exit() {
            Some(ExitOutcome::Signal { message, .. }) => memory::string_out(&message),
            _ => Ok(std::ptr::null_mut()),
        }
    })
}

/// Whether the signal left a core dump.
///
/// @return false also when no signal did. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_exit_core_dumped(channel: *const ssh_channel) -> bool {
    guard::value(false, || {
        let exit = handle::get(channel)?.exit();
        Ok(matches!(
            exit,
            Some(ExitOutcome::Signal {
                core_dumped: true,
                ..
            })
        ))
    })
}

// --- behind the functions -------------------------------------------------------------------------

/// The request for a terminal of so many columns and rows, and so wide and high in pixels.
pub(crate) fn pty(term: Option<&str>, size: [u32; 4], modes: &[u8]) -> Outcome<ChannelRequest> {
    let [columns, rows, width_px, height_px] = size;
    Ok(ChannelRequest::Pty {
        term: term.unwrap_or("vt100").to_owned(),
        columns,
        rows,
        width_px,
        height_px,
        modes: PtyModes::decode(modes)
            .map_err(|_| Failure::invalid("terminal modes that are cut off"))?,
    })
}

/// Sends a request and waits for its answer.
fn ask(object: &ChannelObject, request: &ChannelRequest, timeout_ms: i32) -> Outcome<ssh_status> {
    let timeout = object.request_timeout(timeout_ms)?;
    let outcome = object
        .driver
        .request(request, true, timeout)
        .map_err(Failure::from);
    object.unless_freed(outcome)?;
    Ok(SSH_OK)
}

/// Sends a request that nobody answers.
fn tell(object: &ChannelObject, request: &ChannelRequest) -> Outcome<ssh_status> {
    object.driver.request(request, false, Timeout::NOW)?;
    Ok(SSH_OK)
}

/// A signal's name as RFC 4254 §6.9 has it: "TERM", or "name@domain" for others than its own.
fn signal_name(name: *const c_char) -> Outcome<String> {
    let name = memory::text(name, "the signal")?;
    let fits = !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_graphic());
    if !fits || name.starts_with("SIG") {
        return Err(Failure::invalid("a signal is named without SIG"));
    }
    Ok(name.to_owned())
}
