//! A server and a client in one process, with all their threads, and calls on both in any order. What the threads do
//! meanwhile is not the same each time, so a finding may take several runs to come again.

use std::ffi::c_void;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use arbitrary::Unstructured;

use super::{Handles, Noun};
use crate::ffi::answer::{ssh_request_accept, ssh_request_accept_channel, ssh_request_refuse};
use crate::ffi::auth::*;
use crate::ffi::channel::*;
use crate::ffi::channel_purpose::ssh_channel_kind;
use crate::ffi::channel_request::*;
use crate::ffi::connection::*;
use crate::ffi::event::*;
use crate::ffi::key::*;
use crate::ffi::memory::ssh_memory_free;
use crate::ffi::request::*;
use crate::ffi::server::*;
use crate::ffi::transport::*;
use crate::ffi::tuning::*;

const MAX_CALLS: usize = 64;
/// How long a call may wait that is to come to something.
const PATIENT_MS: i32 = 20_000;

/// The host's key, made once.
fn host_key() -> *mut ssh_key {
    static KEY: OnceLock<usize> = OnceLock::new();
    let made = KEY.get_or_init(|| {
        // SAFETY: a good text, and no place for an error.
        let key = unsafe { ssh_key_generate(SSH_KEY_ED25519, 0, c"host".as_ptr(), null_mut()) };
        key.expose_provenance()
    });
    std::ptr::with_exposed_provenance_mut(*made)
}

unsafe extern "C" fn accept(request: *mut ssh_request, _: *mut c_void) {
    // SAFETY: the request is this function's.
    unsafe {
        ssh_request_accept(request);
        ssh_request_free(request);
    }
}

/// A client, a server, and an event; each transport freed with the rest.
fn make(handles: &mut Handles, pulled: bool) -> *mut ssh_server {
    let (ours, theirs) = UnixStream::pair().unwrap();
    // SAFETY: descriptors that are given away, handles that are live.
    unsafe {
        let server = ssh_server_new();
        ssh_server_add_key(server, host_key());
        ssh_server_set_auth_methods(server, c"password".as_ptr());
        if pulled {
            ssh_server_pull_requests(server, true);
        } else {
            ssh_server_set_callback(server, SSH_REQUEST_ANY, Some(accept), null_mut(), None);
        }
        let client = ssh_transport_new(ours.into_raw_fd(), null_mut());
        handles.keep(Noun::Transport, client);
        let serving = ssh_transport_new(theirs.into_raw_fd(), null_mut());
        handles.keep(Noun::Transport, serving);
        handles.keep(Noun::Event, ssh_event_new());
        ssh_transport_set_expected_host_key(client, host_key());
        server
    }
}

/// How far both get before the first random call: started, logged in, with a channel on both sides.
fn advance(handles: &mut Handles, server: *mut ssh_server, stage: u8) {
    let [client, serving, event] = [0, 1, 2].map(|index| handles.all[index].1);
    // SAFETY: live handles, good texts.
    unsafe {
        if stage == 0 {
            return;
        }
        let event: *mut ssh_event = event.cast();
        ssh_transport_start_server(serving.cast(), server, event, PATIENT_MS, null_mut());
        ssh_transport_start_client(client.cast(), null_mut(), PATIENT_MS, null_mut());
        if stage == 1 {
            return;
        }
        let (user, password) = (c"user".as_ptr(), c"secret".as_ptr());
        let error = null_mut();
        ssh_transport_auth_password(
            client.cast(),
            user,
            password,
            6,
            false,
            null_mut(),
            PATIENT_MS,
            error,
        );
        if stage == 2 {
            return;
        }
        let channel = ssh_transport_open_session(client.cast(), PATIENT_MS, null_mut());
        handles.keep(Noun::Channel, channel);
        ssh_channel_request_exec(channel, c"work".as_ptr(), PATIENT_MS, null_mut());
        let accepted = ssh_transport_accept(serving.cast(), PATIENT_MS, null_mut());
        handles.keep(Noun::Channel, accepted);
    }
}

/// The first byte is the stage and how questions are answered, then come calls.
pub(crate) fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let settings: u8 = input.arbitrary().unwrap_or_default();
    let pulled = settings & 4 != 0;
    let mut handles = Handles::default();
    let server = make(&mut handles, pulled);
    // Nobody answers what is pulled while this thread waits.
    let stage = if pulled { settings & 1 } else { settings & 3 };
    advance(&mut handles, server, stage);
    for _ in 0..MAX_CALLS {
        if input.is_empty() {
            break;
        }
        match input.arbitrary::<u8>().unwrap_or_default() % 8 {
            0..=2 => transport_call(&mut handles, server, &mut input),
            3..=5 => channel_call(&mut handles, &mut input),
            6 => request_call(&mut handles, &mut input),
            _ => looked_at(&handles, &mut input),
        }
    }
    handles.error();
    // SAFETY: handles; those that are freed already are no more.
    unsafe {
        for (noun, handle, _) in std::mem::take(&mut handles.all) {
            match noun {
                Noun::Transport => ssh_transport_free(handle.cast()),
                Noun::Channel => ssh_channel_free(handle.cast()),
                Noun::Event => ssh_event_free(handle.cast()),
                _ => ssh_request_free(handle.cast()),
            }
        }
        ssh_server_free(server);
    }
}

/// How long a call waits: mostly not at all.
fn patience(choice: u8) -> i32 {
    if choice & 0x80 != 0 {
        2
    } else {
        0
    }
}

fn transport_call(handles: &mut Handles, server: *mut ssh_server, input: &mut Unstructured<'_>) {
    let transport: *mut ssh_transport = handles.pick(Noun::Transport, input);
    let event: *mut ssh_event = handles.pick(Noun::Event, input);
    let choice: u8 = input.arbitrary().unwrap_or_default();
    let time = patience(choice);
    let error = handles.error();
    // SAFETY: handles that may be anything, good texts and places.
    let status = unsafe {
        match choice % 20 {
            0 => ssh_transport_start_client(transport, event, time, error),
            1 => ssh_transport_start_server(transport, server, event, time, error),
            2 => {
                let (user, password) = (c"user".as_ptr(), c"secret".as_ptr());
                ssh_transport_auth_password(transport, user, password, 6, true, event, time, error)
            }
            3 => ssh_transport_auth_none(transport, c"user".as_ptr(), event, time, error),
            4 | 5 => {
                let channel = ssh_transport_open_session(transport, time, error);
                handles.keep(Noun::Channel, channel);
                return;
            }
            6 | 7 => {
                let channel = ssh_transport_accept(transport, time, error);
                handles.keep(Noun::Channel, channel);
                return;
            }
            8 | 9 => {
                let request = ssh_transport_next_request(transport, time, error);
                handles.keep(Noun::Request, request);
                return;
            }
            10 => ssh_transport_renegotiate_keys(transport, time, error),
            11 => ssh_transport_send_ignore(transport, usize::from(choice)),
            12 => global_request(transport, time, error),
            13 => ssh_transport_set_rekey_limits(transport, 0, u64::from(choice), 0),
            14 => ssh_transport_use_compression(transport, choice & 0x40 != 0),
            15 => ssh_transport_pull_requests(transport, choice & 0x40 != 0),
            16 => ssh_transport_set_expected_host_key(transport, host_key()),
            17 => ssh_transport_cancel(transport),
            18 => ssh_transport_close(transport),
            _ => {
                ssh_transport_free(transport);
                handles.freed(Noun::Transport, transport);
                return;
            }
        }
    };
    handles.check_on(Noun::Transport, transport, status);
}

unsafe fn global_request(
    transport: *mut ssh_transport,
    time: i32,
    error: *mut *mut super::ssh_error,
) -> i32 {
    let (mut reply, mut length) = (null_mut(), 0);
    let name = c"what@example.org".as_ptr();
    let places = (&raw mut reply, &raw mut length);
    // SAFETY: as in `transport_call`.
    unsafe {
        let status = ssh_transport_global_request(
            transport,
            name,
            null(),
            0,
            true,
            time,
            places.0,
            places.1,
            error,
        );
        ssh_memory_free(reply);
        status
    }
}

fn channel_call(handles: &mut Handles, input: &mut Unstructured<'_>) {
    let channel: *mut ssh_channel = handles.pick(Noun::Channel, input);
    let choice: u8 = input.arbitrary().unwrap_or_default();
    let time = patience(choice);
    let mut buffer = [7_u8; 4096];
    let (at, length) = (
        buffer.as_mut_ptr().cast::<c_void>(),
        usize::from(choice) * 16,
    );
    let mut done = 0;
    let event: *mut ssh_event = handles.pick(Noun::Event, input);
    let error = handles.error();
    // SAFETY: handles that may be anything, a buffer that is long enough.
    let status = unsafe {
        match choice % 18 {
            0 | 1 => ssh_channel_read(channel, at, length, &raw mut done, time),
            2 => ssh_channel_read_stderr(channel, at, length, &raw mut done, time),
            3 | 4 => ssh_channel_write(channel, at, length, &raw mut done, time),
            5 => ssh_channel_write_all_stderr(channel, at, length, &raw mut done, time),
            6 => ssh_channel_send_eof(channel),
            7 => ssh_channel_close(channel),
            8 => ssh_channel_shutdown(channel, choice & 0x40 != 0, choice & 0x20 != 0),
            9 => ssh_channel_request_exec(channel, c"work".as_ptr(), time, error),
            10 => ssh_channel_request_shell(channel, time, error),
            11 => ssh_channel_request_env(channel, c"NAME".as_ptr(), c"value".as_ptr()),
            12 => ssh_channel_send_exit_status(channel, u32::from(choice)),
            13 => ssh_channel_signal(channel, c"TERM".as_ptr()),
            14 => ssh_channel_set_event(channel, event, u32::from(choice)),
            15 => ssh_channel_set_combine_stderr(channel, choice & 0x40 != 0),
            16 => {
                let (mut kind, mut exit) = (0, 0);
                ssh_channel_wait_exit(channel, time, &raw mut kind, &raw mut exit)
            }
            _ => {
                ssh_channel_free(channel);
                handles.freed(Noun::Channel, channel);
                return;
            }
        }
    };
    assert!(done <= length);
    handles.check(status);
}

fn request_call(handles: &mut Handles, input: &mut Unstructured<'_>) {
    let request: *mut ssh_request = handles.pick(Noun::Request, input);
    let choice: u8 = input.arbitrary().unwrap_or_default();
    let error = handles.error();
    // SAFETY: a handle that may be anything.
    unsafe {
        match choice % 8 {
            0..=2 => {
                handles.check(ssh_request_accept(request));
            }
            3 => {
                handles.check(ssh_request_refuse(request));
            }
            4 => {
                let channel = ssh_request_accept_channel(request, error);
                handles.keep(Noun::Channel, channel);
            }
            5 => {
                ssh_request_kind(request);
                ssh_request_username(request);
            }
            _ => {
                ssh_request_free(request);
                handles.freed(Noun::Request, request);
            }
        }
    }
}

/// What changes nothing.
fn looked_at(handles: &Handles, input: &mut Unstructured<'_>) {
    let transport: *mut ssh_transport = handles.pick(Noun::Transport, input);
    let channel: *mut ssh_channel = handles.pick(Noun::Channel, input);
    let event: *mut ssh_event = handles.pick(Noun::Event, input);
    // SAFETY: handles that may be anything.
    unsafe {
        ssh_transport_is_active(transport);
        ssh_transport_is_authenticated(transport);
        ssh_memory_free(ssh_transport_describe(transport).cast());
        ssh_memory_free(ssh_transport_get_username(transport).cast());
        super::ssh_error_free(ssh_transport_get_exception(transport));
        ssh_channel_conditions(channel);
        ssh_channel_is_closed(channel);
        ssh_channel_kind(channel);
        ssh_event_is_set(event);
        handles.check(ssh_event_reset(event));
        let taken = ssh_event_take_channel(event);
        assert!(taken.is_null() || handles.is_live(Noun::Channel, taken));
    }
}
