//! What event loops call in place of the functions that wait: opening channels, requests, new keys, accepting.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::connection::{ChannelRequest, OpenKind};

use super::channel::ssh_channel;
use super::channel_object::{self, ChannelObject};
use super::channel_request;
use super::connection::open_kind;
use super::error::ssh_error;
use super::event::{self, ssh_event};
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::status::{ssh_status, SSH_AGAIN, SSH_OK};
use super::text;
use super::transport::ssh_transport;
use super::transport_object::{self, TransportObject};

/// Begins to open a session channel, and does not wait for the server's answer.
///
/// @param transport  a client transport that is authenticated
/// @param event      set when the answer is there: ssh_channel_open_status(); or NULL
/// @param error      receives the detail, or NULL: SSH_ERR_STATE, SSH_ERR_LIMIT, what ended the session
/// @return a channel that is open only once ssh_channel_open_status() says so, freed with ssh_channel_free(); or
///         NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_begin_session(
    transport: *mut ssh_transport,
    event: *mut ssh_event,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    guard::value_with(std::ptr::null_mut(), error, || {
        transport_object::with(transport, |object| {
            begin_open(object, OpenKind::Session, event)
        })
    })
}

/// Begins to open a channel of any kind, and does not wait for the peer's answer.
///
/// @param transport         a transport that is authenticated
/// @param kind              as for ssh_transport_open_channel()
/// @param destination       as for ssh_transport_open_channel()
/// @param destination_port  its port
/// @param source            as for ssh_transport_open_channel()
/// @param source_port       its port
/// @param event             set when the answer is there: ssh_channel_open_status(); or NULL
/// @param error             receives the detail, or NULL
/// @return as ssh_transport_begin_session(). Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_begin_channel(
    transport: *mut ssh_transport,
    kind: *const c_char,
    destination: *const c_char,
    destination_port: u16,
    source: *const c_char,
    source_port: u16,
    event: *mut ssh_event,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    guard::value_with(std::ptr::null_mut(), error, || {
        transport_object::with(transport, |object| {
            let kind = text::protocol_name(kind, "the kind")?;
            let destination = (memory::optional_text(destination)?, destination_port);
            let source = (memory::optional_text(source)?, source_port);
            begin_open(object, open_kind(kind, destination, source)?, event)
        })
    })
}

/// How the opening of a channel went.
///
/// @param channel  the channel
/// @param error    receives the detail, or NULL: SSH_ERR_CHANNEL with the peer's reason, what ended the session
/// @return SSH_OK once the channel is open, SSH_AGAIN while the peer has not answered, or the failure.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_open_status(
    channel: *const ssh_channel,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| match object.driver.open_outcome() {
            None => Ok(SSH_AGAIN),
            Some(outcome) => Ok(outcome.map(|()| SSH_OK)?),
        })
    })
}

/// Asks for a terminal, and does not wait for the answer.
///
/// @param channel        as for ssh_channel_request_pty()
/// @param term           the terminal's type; NULL for "vt100"
/// @param columns        width in characters
/// @param rows           height in characters
/// @param width_pixels   width in pixels, or 0
/// @param height_pixels  height in pixels, or 0
/// @param modes          terminal modes in the encoding of RFC 4254 section 8, or NULL for none
/// @param modes_length   their length in bytes
/// @param event          set when the answer is there: ssh_channel_request_status(); or NULL
/// @param error          receives the detail, or NULL
/// @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_begin_pty(
    channel: *mut ssh_channel,
    term: *const c_char,
    columns: u32,
    rows: u32,
    width_pixels: u32,
    height_pixels: u32,
    modes: *const c_void,
    modes_length: usize,
    event: *mut ssh_event,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let size = [columns, rows, width_pixels, height_pixels];
            let modes = memory::bytes(modes, modes_length)?;
            let request = channel_request::pty(memory::optional_text(term)?, size, modes)?;
            begin(object, &request, event)
        })
    })
}

/// Starts the user's shell, and does not wait for the answer.
///
/// @param channel  as for ssh_channel_request_shell()
/// @param event    set when the answer is there: ssh_channel_request_status(); or NULL
/// @param error    receives the detail, or NULL
/// @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_begin_shell(
    channel: *mut ssh_channel,
    event: *mut ssh_event,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            begin(object, &ChannelRequest::Shell, event)
        })
    })
}

/// Runs a command, and does not wait for the answer.
///
/// @param channel  as for ssh_channel_request_exec()
/// @param command  the command line for the user's shell, a C string of any bytes: it goes out as it is
/// @param event    set when the answer is there: ssh_channel_request_status(); or NULL
/// @param error    receives the detail, or NULL
/// @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_begin_exec(
    channel: *mut ssh_channel,
    command: *const c_char,
    event: *mut ssh_event,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let command = memory::optional_c_bytes(command)
                .ok_or_else(|| Failure::invalid("the command is NULL"))?;
            begin(object, &ChannelRequest::Exec(command.to_vec()), event)
        })
    })
}

/// Starts a subsystem, and does not wait for the answer.
///
/// @param channel  as for ssh_channel_request_subsystem()
/// @param name     the subsystem, such as "sftp"
/// @param event    set when the answer is there: ssh_channel_request_status(); or NULL
/// @param error    receives the detail, or NULL
/// @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_begin_subsystem(
    channel: *mut ssh_channel,
    name: *const c_char,
    event: *mut ssh_event,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let name = memory::text(name, "the name")?.to_owned();
            begin(object, &ChannelRequest::Subsystem(name), event)
        })
    })
}

/// Sends any request that wants a reply, and does not wait for it.
///
/// @param channel  the channel
/// @param name     the request's name
/// @param data     what follows `want reply` in the message, or NULL
/// @param length   how many bytes
/// @param event    set when the answer is there: ssh_channel_request_status(); or NULL
/// @param error    receives the detail, or NULL
/// @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_begin_request(
    channel: *mut ssh_channel,
    name: *const c_char,
    data: *const c_void,
    length: usize,
    event: *mut ssh_event,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let request = ChannelRequest::Other {
                name: text::protocol_name(name, "the name")?.to_owned(),
                data: memory::bytes(data, length)?.to_vec(),
            };
            begin(object, &request, event)
        })
    })
}

/// The answer to the oldest request begun on the channel that has not been told yet. Answers come in the order of the
/// requests, and each is told once.
///
/// @param channel  the channel
/// @param error    receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_CLOSED, what ended the session
/// @return SSH_OK when it was granted, SSH_AGAIN while it is not answered, SSH_ERR_STATE when none was begun, or the
///         failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_request_status(
    channel: *mut ssh_channel,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let mut begun = object.begun.lock();
            let Some(number) = begun.front().copied() else {
                return Err(Failure::state("no request was begun"));
            };
            let Some(outcome) = object.driver.request_outcome(number) else {
                return Ok(SSH_AGAIN);
            };
            begun.pop_front();
            Ok(outcome.map(|()| SSH_OK)?)
        })
    })
}

/// Sends a global request that wants a reply, and does not wait for it.
///
/// @param transport  a transport that is authenticated
/// @param name       the request's name
/// @param data       what follows `want reply` in the message, or NULL
/// @param length     how many bytes
/// @param event      set when the reply is there: ssh_transport_global_request_status(); or NULL
/// @param error      receives the detail, or NULL: SSH_ERR_STATE, SSH_ERR_LIMIT, what ended the session
/// @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_begin_global_request(
    transport: *mut ssh_transport,
    name: *const c_char,
    data: *const c_void,
    length: usize,
    event: *mut ssh_event,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let name = text::protocol_name(name, "the name")?;
            let data = memory::bytes(data, length)?;
            let event = event::optional(event)?;
            // Held across the call, so that the order here is that of the wire.
            let mut begun = object.begun.lock();
            let number = object
                .driver
                .begin_global_request(name, data, event.as_ref())?;
            begun.global.push_back(number);
            Ok(SSH_OK)
        })
    })
}

/// The reply to the oldest global request begun on the transport that has not been told yet. Replies come in the order
/// of the requests, and each is told once.
///
/// @param transport     the transport
/// @param reply         receives the data in the reply, freed with ssh_memory_free(); or NULL
/// @param reply_length  receives how many bytes; or NULL
/// @param error         receives the detail, or NULL: SSH_ERR_DENIED, what ended the session
/// @return SSH_OK when it was granted, SSH_AGAIN while it is not answered, SSH_ERR_STATE when none was begun, or the
///         failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_global_request_status(
    transport: *mut ssh_transport,
    reply: *mut *mut c_void,
    reply_length: *mut usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::clear_bytes(reply, reply_length);
        transport_object::with(transport, |object| {
            let mut begun = object.begun.lock();
            let Some(number) = begun.global.front().copied() else {
                return Err(Failure::state("no request was begun"));
            };
            let Some(outcome) = object.driver.global_outcome(number) else {
                return Ok(SSH_AGAIN);
            };
            begun.global.pop_front();
            memory::bytes_out(&outcome?, reply, reply_length)?;
            Ok(SSH_OK)
        })
    })
}

/// Begins to negotiate new keys, and does not wait for them. Data in both directions go on before and after.
///
/// @param transport  a transport that is active
/// @param event      set when both directions use the new keys: ssh_transport_renegotiate_status(); or NULL
/// @param error      receives the detail, or NULL: SSH_ERR_STATE, what ended the session
/// @return SSH_OK, or a failure, which is also the end of the session unless it is SSH_ERR_STATE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_begin_renegotiate_keys(
    transport: *mut ssh_transport,
    event: *mut ssh_event,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let event = event::optional(event)?;
            let number = object.driver.begin_rekey(event.as_ref())?;
            object.begun.lock().keys = Some(number);
            Ok(SSH_OK)
        })
    })
}

/// How the key exchange went that ssh_transport_begin_renegotiate_keys() began last.
///
/// @param transport  the transport
/// @param error      receives the detail, or NULL: what ended the session
/// @return SSH_OK once both directions use the new keys, SSH_AGAIN before, SSH_ERR_STATE when none was begun, or the
///         failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_renegotiate_status(
    transport: *const ssh_transport,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let number = object.begun.lock().keys;
            let number = number.ok_or_else(|| Failure::state("no key exchange was begun"))?;
            match object.driver.rekey_outcome(number) {
                None => Ok(SSH_AGAIN),
                Some(outcome) => Ok(outcome.map(|()| SSH_OK)?),
            }
        })
    })
}

/// An event that is set while channels wait for ssh_transport_accept(), and once the session has ended, for poll
/// loops: when ssh_event_fd() is readable, accept with timeout 0 until there is none.
///
/// @param transport  the transport
/// @return a handle of the transport's event, freed with ssh_event_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_accept_event(
    transport: *mut ssh_transport,
) -> *mut ssh_event {
    guard::value(std::ptr::null_mut(), || {
        event::new_handle(handle::get(transport)?.driver.accept_event())
    })
}

// --- behind the functions -------------------------------------------------------------------------

fn begin_open(
    object: &Arc<TransportObject>,
    kind: OpenKind,
    event: *const ssh_event,
) -> Outcome<*mut ssh_channel> {
    let event = event::optional(event)?;
    let channel = object.driver.begin_channel(kind, event.as_ref())?;
    object.channel_handle(channel, true)
}

fn begin(
    object: &ChannelObject,
    request: &ChannelRequest,
    event: *const ssh_event,
) -> Outcome<ssh_status> {
    let event = event::optional(event)?;
    // Held across the call, so that the order here is that of the wire.
    let mut begun = object.begun.lock();
    let number = object.driver.begin_request(request, event.as_ref())?;
    begun.push_back(number);
    Ok(SSH_OK)
}
