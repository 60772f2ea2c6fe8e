//! `ssh_request`: a question of the library's to the program; what it asks.

use std::ffi::{c_char, c_void, CString};
use std::sync::Arc;
use std::time::Instant;

use crate::driver::{Question, Timeout};

use super::callbacks::ssh_destroy_callback;
use super::channel::ssh_channel;
use super::dispatch;
use super::error::ssh_error;
use super::event::{self, ssh_event};
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::key::{self, ssh_key};
use super::memory::{self, LentBytes};
use super::request_object::{Lent, RequestObject};
use super::status::{ssh_status, SSH_OK};
use super::time;
use super::transport::ssh_transport;
use super::transport_object;

/// A question to the program: is this host key good, may this user in, may this command run?
///
/// Whoever receives a request, as argument of a callback or from ssh_transport_next_request(), owns it: it is
/// answered once, with ssh_request_accept(), ssh_request_refuse() or another answer that fits its kind, and
/// freed with ssh_request_free(). Both may happen inside the callback or later, on any thread. A request that
/// is freed without an answer, or that nobody is set up to receive, is refused. Strings and bytes asked of
/// a request belong to it, end in a NUL byte, and live until it is freed.
#[allow(non_camel_case_types)]
pub struct ssh_request {
    _opaque: [u8; 0],
}

/// All kinds at once, where a kind is set up.
pub const SSH_REQUEST_ANY: i32 = 0;

/// Client: is this the server's host key? ssh_request_key().
pub const SSH_REQUEST_HOST_KEY: i32 = 1;

/// Client: the server's prompts for keyboard-interactive. With ssh_connect_config() also whether to add a key to the agent,
/// where AddKeysToAgent is `ask`; then ssh_request_name() is the key. ssh_request_title(), ssh_request_instructions(),
/// ssh_request_prompt(); answer with ssh_request_answer_prompts().
pub const SSH_REQUEST_PROMPTS: i32 = 2;

/// Client: the user's password at a server, which ssh_connect_config() needs. One hidden prompt, as for
/// SSH_REQUEST_PROMPTS; ssh_request_name() is the user and the host.
pub const SSH_REQUEST_PASSWORD: i32 = 3;

/// Client: the passphrase of a key file, which ssh_connect_config() needs. One hidden prompt, as for
/// SSH_REQUEST_PROMPTS; ssh_request_name() is the file.
pub const SSH_REQUEST_PASSPHRASE: i32 = 4;

/// Client: the server has other host keys than are known of it; keep them? Asked once, after a user is in, when the server
/// tells of its keys ("hostkeys-00@openssh.com") and its list differs from what the transport's known hosts say
/// (ssh_transport_set_known_hosts()). ssh_request_host_key() gives those that are new, for which the server has proven by
/// signatures that it has them, and those that it has no longer. Accepting writes them into the known hosts: new keys into
/// the first file, and the lines of old ones out of all of the user's. Refusing leaves all as it is, and so does nobody to
/// ask.
///
/// Not asked, as by ssh: when another file than the user's, a certificate, or a name without the port has vouched for the
/// server; where the host's lines are patterns, lists of more than two names, or have a marker; and where a key of the host
/// is known under another name too. Without known hosts, but with an expected key or one that the program has accepted, all
/// keys but that one count as new, and accepting writes nothing: the program may keep them where it likes, or have
/// ssh_known_hosts_update() do it.
pub const SSH_REQUEST_HOST_KEYS: i32 = 5;

/// Server: has this user, whom the client names for the first time, authentication methods of their own? Answer with
/// ssh_request_accept_methods(), or else those of the server hold: ssh_server_set_auth_methods(). The moment for a text
/// for this user, too: ssh_request_send_banner(). Asked if there is a callback for it when the transport starts, or with
/// ssh_server_pull_requests() if no question of authentication has a callback. ssh_request_username().
pub const SSH_REQUEST_AUTH_METHODS: i32 = 9;

/// Server: may this user in without credentials? ssh_request_username().
pub const SSH_REQUEST_AUTH_NONE: i32 = 10;

/// Server: may this user in with this password? ssh_request_username(), ssh_request_password().
pub const SSH_REQUEST_AUTH_PASSWORD: i32 = 11;

/// Server: would this user be let in with this key? The client has not proven that it holds the key, and
/// accepting lets nobody in. ssh_request_username(), ssh_request_key(). Without a callback of its own,
/// the question is put as SSH_REQUEST_AUTH_KEY_PROVEN only, once the proof is there.
pub const SSH_REQUEST_AUTH_KEY_ASKED: i32 = 12;

/// Server: may this user in with this key? The client has proven that it holds it. ssh_request_username(),
/// ssh_request_key(), ssh_request_algorithm().
pub const SSH_REQUEST_AUTH_KEY_PROVEN: i32 = 13;

/// Server: the user wants keyboard-interactive; answer with ssh_request_ask() or refuse.
/// ssh_request_username(), ssh_request_submethods().
pub const SSH_REQUEST_AUTH_INTERACTIVE: i32 = 14;

/// Server: the user's answers to ssh_request_ask(); accept, refuse, or ask again. ssh_request_username(),
/// ssh_request_answer_count(), ssh_request_answer().
pub const SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS: i32 = 15;

/// May the peer open this channel? ssh_request_channel_kind(), ssh_request_data(). Once accepted it comes out
/// of ssh_transport_accept(), or of ssh_request_accept_channel(). Channels that connect the client to a target are
/// SSH_REQUEST_CONNECT. Forwarded channels that come from where a client has asked the server to listen are no question.
pub const SSH_REQUEST_CHANNEL_OPEN: i32 = 20;

/// Server: a terminal for this channel? ssh_request_channel(), ssh_request_term(),
/// ssh_request_terminal_size(), ssh_request_terminal_modes().
pub const SSH_REQUEST_PTY: i32 = 21;

/// Server: start the user's shell? ssh_request_channel().
pub const SSH_REQUEST_SHELL: i32 = 22;

/// Server: run a command? ssh_request_channel(), ssh_request_command().
pub const SSH_REQUEST_EXEC: i32 = 23;

/// Server: start a subsystem? ssh_request_channel(), ssh_request_name(). For "sftp" answer with ssh_request_accept_sftp().
pub const SSH_REQUEST_SUBSYSTEM: i32 = 24;

/// Server: set an environment variable? ssh_request_channel(), ssh_request_name(), ssh_request_value().
pub const SSH_REQUEST_ENV: i32 = 25;

/// Server: the client's terminal has another size. ssh_request_channel(), ssh_request_terminal_size().
pub const SSH_REQUEST_WINDOW_CHANGE: i32 = 26;

/// Server: a signal for the command. ssh_request_channel(), ssh_request_name() such as "TERM".
pub const SSH_REQUEST_SIGNAL: i32 = 27;

/// Server: a break for the command (RFC 4335). ssh_request_channel(), ssh_request_break_length_ms().
pub const SSH_REQUEST_BREAK: i32 = 28;

/// Any other request on a channel. ssh_request_channel(), ssh_request_name(), ssh_request_data().
pub const SSH_REQUEST_CHANNEL_REQUEST: i32 = 29;

/// Any global request the library does not know. ssh_request_name(), ssh_request_data().
pub const SSH_REQUEST_GLOBAL_REQUEST: i32 = 30;

/// Server: connect the client to a target ("direct-tcpip", "direct-streamlocal@openssh.com")?
/// ssh_request_channel_kind(), ssh_request_destination(), ssh_request_origin(). Answered as
/// SSH_REQUEST_CHANNEL_OPEN, or with ssh_request_serve(): then the library connects and carries the data.
pub const SSH_REQUEST_CONNECT: i32 = 31;

/// Server: listen for the client, and open a channel to it for each connection
/// (ssh_transport_open_forwarded_tcpip_channel())? ssh_request_destination() is the address, an empty one for all, or
/// the path of a UNIX socket. Where port 0 is asked for, answer with ssh_request_accept_port(). Or answer with
/// ssh_request_serve(): then the library listens and does the rest, SSH_REQUEST_CANCEL_LISTEN included.
pub const SSH_REQUEST_LISTEN: i32 = 32;

/// Server: listen there no longer. ssh_request_destination() as it was granted. Asked only for what was granted by the
/// program, not for what the library serves.
pub const SSH_REQUEST_CANCEL_LISTEN: i32 = 33;

/// Server: let programs of this session show windows on the client's display? ssh_request_channel(),
/// ssh_request_name() is the authentication protocol, ssh_request_value() the cookie in hexadecimal,
/// ssh_request_x11_screen(). Answer with ssh_request_serve_x11(), or accept and open channels with
/// ssh_transport_open_x11_channel().
pub const SSH_REQUEST_X11: i32 = 34;

/// Server: let programs of this session use the client's agent? ssh_request_channel(). Answer with
/// ssh_request_serve_agent(), or accept and open channels of the kind "auth-agent@openssh.com".
pub const SSH_REQUEST_AGENT_FORWARD: i32 = 35;

/// Receives questions.
///
/// Called on a thread of the library's pool with no lock held; questions of one transport come one at a time
/// and in order. It may call any function of the library, also ssh_transport_free(). A call that
/// could only be ended by a further callback of the same transport fails with SSH_ERR_WOULD_DEADLOCK; rather
/// answer later, from another thread. What it says to the peer leaves when it returns, at the latest some milliseconds
/// after it was said: before that the process must not exit, unless it closes the transport. It must not unwind or longjmp.
///
/// @param request   the question; now the callback's, to answer and to free with ssh_request_free()
/// @param userdata  as set
#[allow(non_camel_case_types)]
pub type ssh_request_callback =
    Option<unsafe extern "C" fn(request: *mut ssh_request, userdata: *mut c_void)>;

/// Sets who receives the questions of one kind.
///
/// @param transport  the transport; for the server's kinds see also ssh_server_set_callback()
/// @param kind       SSH_REQUEST_HOST_KEY, ...; SSH_REQUEST_ANY for every kind without a callback of its own
/// @param callback   receives the requests, or NULL: then they are refused
/// @param userdata   passed to the callback
/// @param destroy    ends userdata's life once it is replaced or the transport is gone, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_callback(
    transport: *mut ssh_transport,
    kind: i32,
    callback: ssh_request_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            let call = dispatch::call(kind, callback, userdata, destroy)?;
            let before = object.callbacks.lock().set(kind, call);
            object.install_callbacks();
            drop(before);
            Ok(SSH_OK)
        })
    })
}

/// Has questions without a callback wait for ssh_transport_next_request(), instead of being refused.
///
/// @param transport  the transport
/// @param enabled    whether they wait
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_pull_requests(
    transport: *mut ssh_transport,
    enabled: bool,
) -> ssh_status {
    guard::status(|| {
        transport_object::with(transport, |object| {
            object.callbacks.lock().pull = enabled;
            object.driver.set_pull(enabled);
            Ok(SSH_OK)
        })
    })
}

/// Takes the next question that waits because of ssh_transport_pull_requests() or ssh_server_pull_requests().
///
/// @param transport   the transport
/// @param timeout_ms  milliseconds to wait at most; 0 looks and does not wait, SSH_TIMEOUT_DEFAULT is
///                    SSH_TIMEOUT_FOREVER
/// @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, what ended the session;
///                    set to NULL when timeout_ms is 0 and there is no question
/// @return a request, freed with ssh_request_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_next_request(
    transport: *mut ssh_transport,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_request {
    guard::value_with(std::ptr::null_mut(), error, || {
        transport_object::with(transport, |object| {
            let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
            let started_at = Instant::now();
            loop {
                let left = match timeout {
                    Timeout::Forever => Timeout::Forever,
                    Timeout::After(time) => {
                        Timeout::After(time.saturating_sub(started_at.elapsed()))
                    }
                };
                let request = match object.driver.next_request(left) {
                    Ok(request) => request,
                    Err(error) if time::is_again(timeout, &error) => {
                        return Ok(std::ptr::null_mut());
                    }
                    Err(error) => return Err(error.into()),
                };
                // What cannot be shown to C is refused by being dropped, and the next one is looked at.
                if let Some(shown) = RequestObject::new(request, Arc::downgrade(object)) {
                    return handle::insert(Arc::new(shown));
                }
            }
        })
    })
}

/// An event that is set while questions wait for ssh_transport_next_request(), and once the session has ended,
/// for poll loops: when ssh_event_fd() is readable, take questions with timeout 0 until there is none.
///
/// @param transport  the transport
/// @return a handle of the transport's event, freed with ssh_event_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_request_event(
    transport: *mut ssh_transport,
) -> *mut ssh_event {
    guard::value(std::ptr::null_mut(), || {
        event::new_handle(handle::get(transport)?.driver.request_event())
    })
}

/// Frees a request. One without an answer is refused.
///
/// @param request  the request; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_free(request: *mut ssh_request) {
    guard::value((), || handle::take(request).map(drop));
}

/// The kind of the question: SSH_REQUEST_HOST_KEY, ...
///
/// @return the kind, or 0 when `request` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_kind(request: *const ssh_request) -> i32 {
    guard::value(0, || {
        Ok(dispatch::number(handle::get(request)?.driver.kind()))
    })
}

/// The transport that asks.
///
/// @return the handle the program made; it stays the program's. NULL once that is freed. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_transport(request: *const ssh_request) -> *mut ssh_transport {
    guard::value(std::ptr::null_mut(), || {
        let transport = handle::get(request)?.transport();
        Ok(transport.map_or(std::ptr::null_mut(), |transport| transport.handle()))
    })
}

/// The channel the request is about.
///
/// @return the channel's one handle: the same for all its requests, and the same that ssh_transport_accept()
///         returns. It belongs to whoever takes it there, or from ssh_request_accept_channel(). A program that takes
///         none, and does all in callbacks, frees it when it is done: until then it counts among the channels that may be
///         open. NULL for kinds without a channel, for SSH_REQUEST_CHANNEL_OPEN, and once it is freed. Any thread.
///         Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_channel(request: *const ssh_request) -> *mut ssh_channel {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(request)?;
        let (Question::Channel { .. }, Some(transport)) =
            (object.driver.question(), object.transport())
        else {
            return Ok(std::ptr::null_mut());
        };
        transport.channel_handle(object.driver.channel()?, false)
    })
}

/// The user who wants in, for the SSH_REQUEST_AUTH_... kinds.
///
/// @return a string of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_username(request: *const ssh_request) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend(request, |lent| lent.username.as_ref())
    })
}

/// How many partial successes (ssh_request_accept_partial()) count for this user, for the SSH_REQUEST_AUTH_... kinds: how
/// many of the credentials that a program wants one after the other are behind the user. Each change of the user name
/// takes the number back to 0, also a change back to a name that was given before: keys may be shown again then, and
/// what their certificates restrict holds no more.
///
/// @return the number, 0 for other kinds and when `request` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_partial_successes(request: *const ssh_request) -> u32 {
    guard::value(0, || Ok(handle::get(request)?.lent.partial_successes))
}

/// The password, for SSH_REQUEST_AUTH_PASSWORD. It is wiped when the request is freed.
///
/// @param request  the request
/// @param length   receives its length; it may hold any bytes, so compare with memcmp() and not with strcmp(). Or NULL
/// @return bytes of the request's, followed by a NUL that does not count, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_password(
    request: *const ssh_request,
    length: *mut usize,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend_bytes(request, length, |lent| lent.password.as_ref())
    })
}

/// The key in question, for SSH_REQUEST_HOST_KEY and the SSH_REQUEST_AUTH_KEY_... kinds.
///
/// @return a public key, freed with ssh_key_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_key(request: *const ssh_request) -> *mut ssh_key {
    guard::value(std::ptr::null_mut(), || {
        match &handle::get(request)?.lent.key {
            Some(key) => key::new_public(key.clone(), String::new()),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

/// The signature algorithm the key was used with, or would be, for the kinds that have a key.
///
/// @return a string of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_algorithm(request: *const ssh_request) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend(request, |lent| lent.algorithm.as_ref())
    })
}

/// The submethods the client hinted at, for SSH_REQUEST_AUTH_INTERACTIVE.
///
/// @return a string of the request's, possibly empty, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_submethods(request: *const ssh_request) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend(request, |lent| lent.submethods.as_ref())
    })
}

/// The title to show above the prompts, for SSH_REQUEST_PROMPTS. Control characters are escaped.
///
/// @return a string of the request's, possibly empty, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_title(request: *const ssh_request) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend(request, |lent| lent.title.as_ref())
    })
}

/// The instructions to show above the prompts, for SSH_REQUEST_PROMPTS. Control characters except newlines are
/// escaped.
///
/// @return a string of the request's, possibly empty, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_instructions(request: *const ssh_request) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend(request, |lent| lent.instructions.as_ref())
    })
}

/// How many prompts there are, for SSH_REQUEST_PROMPTS. May be 0: then show the title and instructions.
///
/// @return the number. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_prompt_count(request: *const ssh_request) -> usize {
    guard::value(0, || Ok(handle::get(request)?.lent.prompts.len()))
}

/// One prompt, for SSH_REQUEST_PROMPTS. Control characters are escaped.
///
/// @param request  the request
/// @param index    which one, from 0
/// @param echo     receives whether what is typed may be seen; or NULL
/// @return a string of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_prompt(
    request: *const ssh_request,
    index: usize,
    echo: *mut bool,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        memory::write(echo, false);
        let object = handle::get(request)?;
        let Some((text, shown)) = object.lent.prompts.get(index) else {
            return Ok(std::ptr::null());
        };
        memory::write(echo, *shown);
        Ok(text.as_ptr())
    })
}

/// How many answers there are, for SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS: as many as there were prompts.
///
/// @return the number. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_answer_count(request: *const ssh_request) -> usize {
    guard::value(0, || Ok(handle::get(request)?.lent.answers.len()))
}

/// One answer of the user's, for SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS. Wiped when the request is freed.
///
/// @param request  the request
/// @param index    which one, from 0
/// @param length   receives its length; it may hold any bytes. Or NULL
/// @return bytes of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_answer(
    request: *const ssh_request,
    index: usize,
    length: *mut usize,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend_bytes(request, length, |lent| lent.answers.get(index))
    })
}

/// The kind of channel the peer wants, such as "session" or "direct-tcpip", for SSH_REQUEST_CHANNEL_OPEN and
/// SSH_REQUEST_CONNECT.
///
/// @return a string of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_channel_kind(request: *const ssh_request) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend(request, |lent| lent.channel_kind.as_ref())
    })
}

/// Where to connect to, for SSH_REQUEST_CONNECT; where to listen, for SSH_REQUEST_LISTEN and
/// SSH_REQUEST_CANCEL_LISTEN. For UNIX sockets the path, with port 0. The path is what the client said: it need not be
/// absolute, nor lead to where you would like it to.
///
/// @param request  the request
/// @param port     receives the port; or NULL
/// @return a string of the request's, or NULL for other kinds. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_destination(
    request: *const ssh_request,
    port: *mut u16,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        memory::write(port, 0);
        let object = handle::get(request)?;
        let Some((host, number)) = &object.lent.destination else {
            return Ok(std::ptr::null());
        };
        memory::write(port, *number);
        Ok(host.as_ptr())
    })
}

/// Where the connection that a channel carries came from, as the peer tells it, for SSH_REQUEST_CONNECT with TCP.
///
/// @param request  the request
/// @param port     receives the port; or NULL
/// @return a string of the request's, or NULL for other kinds of channel. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_origin(
    request: *const ssh_request,
    port: *mut u16,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        memory::write(port, 0);
        let object = handle::get(request)?;
        let Some((host, number)) = &object.lent.origin else {
            return Ok(std::ptr::null());
        };
        memory::write(port, *number);
        Ok(host.as_ptr())
    })
}

/// The command to run, for SSH_REQUEST_EXEC.
///
/// @param request  the request
/// @param length   receives its length; it may hold any bytes. Or NULL
/// @return bytes of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_command(
    request: *const ssh_request,
    length: *mut usize,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend_bytes(request, length, |lent| lent.command.as_ref())
    })
}

/// The name in question: of the subsystem, the environment variable, the signal (without SIG), the key file, the host as
/// known hosts have it (SSH_REQUEST_HOST_KEY, where those were asked), or of the request itself for
/// SSH_REQUEST_CHANNEL_REQUEST, SSH_REQUEST_GLOBAL_REQUEST and the SSH_REQUEST_..._LISTEN kinds.
///
/// @return a string of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_name(request: *const ssh_request) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend(request, |lent| lent.name.as_ref())
    })
}

/// The value of the environment variable, for SSH_REQUEST_ENV; the cookie in hexadecimal, an even number of
/// digits, for SSH_REQUEST_X11.
///
/// @param request  the request
/// @param length   receives its length; it may hold any bytes. Or NULL
/// @return bytes of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_value(
    request: *const ssh_request,
    length: *mut usize,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend_bytes(request, length, |lent| lent.value.as_ref())
    })
}

/// The rest of the message as it came, for SSH_REQUEST_CHANNEL_OPEN, SSH_REQUEST_CHANNEL_REQUEST and
/// SSH_REQUEST_GLOBAL_REQUEST.
///
/// @param request  the request
/// @param length   receives its length; or NULL
/// @return bytes of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_data(
    request: *const ssh_request,
    length: *mut usize,
) -> *const c_void {
    guard::value(std::ptr::null(), || {
        lend_bytes(request, length, |lent| lent.data.as_ref()).map(<*const c_char>::cast)
    })
}

/// Whether the peer waits for an answer, for requests on channels and global requests. Answer in any case.
///
/// @return false also when `request` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_wants_reply(request: *const ssh_request) -> bool {
    guard::value(false, || Ok(handle::get(request)?.lent.wants_reply))
}

/// The terminal's type, such as "xterm-256color", for SSH_REQUEST_PTY.
///
/// @return a string of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_term(request: *const ssh_request) -> *const c_char {
    guard::value(std::ptr::null(), || {
        lend(request, |lent| lent.term.as_ref())
    })
}

/// The terminal's size, for SSH_REQUEST_PTY and SSH_REQUEST_WINDOW_CHANGE. The numbers are the peer's and may
/// be absurd. Each output may be NULL.
///
/// @param request       the request
/// @param columns       receives the width in characters
/// @param rows          receives the height in characters
/// @param width_pixels  receives the width in pixels, 0 when not known
/// @param height_pixels receives the height in pixels, 0 when not known
/// @return SSH_OK, SSH_ERR_STATE for other kinds, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_terminal_size(
    request: *const ssh_request,
    columns: *mut u32,
    rows: *mut u32,
    width_pixels: *mut u32,
    height_pixels: *mut u32,
) -> ssh_status {
    guard::status(|| {
        for out in [columns, rows, width_pixels, height_pixels] {
            memory::write(out, 0);
        }
        let Some(size) = handle::get(request)?.lent.size else {
            return Err(Failure::state("the request is about no terminal"));
        };
        for (out, value) in [columns, rows, width_pixels, height_pixels]
            .into_iter()
            .zip(size)
        {
            memory::write(out, value);
        }
        Ok(SSH_OK)
    })
}

/// The terminal's modes in the encoding of RFC 4254 section 8, for SSH_REQUEST_PTY.
///
/// @param request  the request
/// @param length   receives its length; or NULL
/// @return bytes of the request's, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_terminal_modes(
    request: *const ssh_request,
    length: *mut usize,
) -> *const c_void {
    guard::value(std::ptr::null(), || {
        lend_bytes(request, length, |lent| lent.modes.as_ref()).map(<*const c_char>::cast)
    })
}

/// How long the break shall last, for SSH_REQUEST_BREAK.
///
/// @return milliseconds, 0 for the usual. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_break_length_ms(request: *const ssh_request) -> u32 {
    guard::value(0, || Ok(handle::get(request)?.lent.break_length_ms))
}

// --- behind the functions -------------------------------------------------------------------------

/// Lends a string of the request's; the table keeps the request until it is freed.
fn lend(
    request: *const ssh_request,
    part: impl FnOnce(&Lent) -> Option<&CString>,
) -> Outcome<*const c_char> {
    let object = handle::get(request)?;
    Ok(part(&object.lent).map_or(std::ptr::null(), |text| text.as_ptr()))
}

pub(super) fn lend_bytes(
    request: *const ssh_request,
    length: *mut usize,
    part: impl FnOnce(&Lent) -> Option<&LentBytes>,
) -> Outcome<*const c_char> {
    memory::write(length, 0);
    let object = handle::get(request)?;
    Ok(part(&object.lent).map_or(std::ptr::null(), |bytes| bytes.lend(length)))
}
