//! Requests on a channel, from either side, and how a command ended.

use std::ffi::{c_char, c_void};

use super::channel::ssh_channel;
use super::error::ssh_error;
use super::status::{ssh_status, SSH_ERR_INTERNAL};

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
    pending!(
        SSH_ERR_INTERNAL,
        channel,
        term,
        columns,
        rows,
        width_pixels,
        height_pixels,
        modes,
        modes_length,
        timeout_ms,
        error
    )
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
    pending!(SSH_ERR_INTERNAL, channel, timeout_ms, error)
}

/// Runs a command. Its output comes from ssh_channel_read() and ssh_channel_read_stderr(), its end from
/// ssh_channel_wait_exit().
///
/// @param channel     a session channel on which nothing was started
/// @param command     the command line, for the user's shell
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
    pending!(SSH_ERR_INTERNAL, channel, command, timeout_ms, error)
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
    pending!(SSH_ERR_INTERNAL, channel, name, timeout_ms, error)
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
    pending!(SSH_ERR_INTERNAL, channel, name, value)
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
    pending!(
        SSH_ERR_INTERNAL,
        channel,
        columns,
        rows,
        width_pixels,
        height_pixels
    )
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
    pending!(SSH_ERR_INTERNAL, channel, name)
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
    pending!(SSH_ERR_INTERNAL, channel, length_ms, timeout_ms, error)
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
    pending!(
        SSH_ERR_INTERNAL,
        channel,
        name,
        data,
        length,
        want_reply,
        timeout_ms,
        error
    )
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
    pending!(SSH_ERR_INTERNAL, channel, status)
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
    pending!(SSH_ERR_INTERNAL, channel, name, core_dumped, message)
}

/// Waits until the server has said how the command ended, or closed the channel without saying. It goes on
/// being known after the channel is closed. Read the output first, or in another thread: a command that cannot
/// write does not end.
///
/// @param channel      a session channel
/// @param timeout_ms   milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
/// @param kind         receives SSH_EXIT_NONE, SSH_EXIT_STATUS or SSH_EXIT_SIGNAL
/// @param exit_status  receives the status for SSH_EXIT_STATUS, otherwise 0; or NULL
/// @return SSH_OK, also with SSH_EXIT_NONE when the channel was closed without it; SSH_AGAIN, SSH_ERR_TIMEOUT,
///         or what ended the session. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_wait_exit(
    channel: *mut ssh_channel,
    timeout_ms: i32,
    kind: *mut i32,
    exit_status: *mut u32,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, channel, timeout_ms, kind, exit_status)
}

/// The signal that ended the command, without SIG.
///
/// @return a string, freed with ssh_memory_free(), or NULL when none did. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_exit_signal(channel: *const ssh_channel) -> *mut c_char {
    pending!(std::ptr::null_mut(), channel)
}

/// The text that came with the signal. Control characters are escaped.
///
/// @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_exit_message(channel: *const ssh_channel) -> *mut c_char {
    pending!(std::ptr::null_mut(), channel)
}

/// Whether the signal left a core dump.
///
/// @return false also when no signal did. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_exit_core_dumped(channel: *const ssh_channel) -> bool {
    pending!(false, channel)
}
