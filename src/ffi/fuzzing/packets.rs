//! Two packetizers that talk through memory, on one thread: every call is over at once.

use std::collections::VecDeque;
use std::ffi::{c_char, c_void, CStr};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex};

use arbitrary::Unstructured;

use super::{Handles, Noun};
use crate::ffi::memory::ssh_memory_free;
use crate::ffi::message::*;
use crate::ffi::packetizer::*;
use crate::ffi::status::{SSH_ERR_TIMEOUT, SSH_OK};

const MAX_CALLS: usize = 256;
/// Most messages at once; more are freed.
const MAX_HANDLES: usize = 64;
/// How much a pipe holds.
const PIPE_BYTES: usize = 64 * 1024;

type Pipe = Arc<Mutex<VecDeque<u8>>>;

/// One end: what it reads, what it writes.
struct End {
    incoming: Pipe,
    outgoing: Pipe,
}

unsafe extern "C" fn read(
    buffer: *mut c_void,
    capacity: usize,
    _: i32,
    userdata: *mut c_void,
) -> i32 {
    // SAFETY: as `make` gave it.
    let end = unsafe { &*userdata.cast::<End>() };
    let mut pipe = end.incoming.lock().unwrap();
    let count = capacity.min(pipe.len());
    if count == 0 {
        return SSH_ERR_TIMEOUT;
    }
    let bytes: Vec<u8> = pipe.drain(..count).collect();
    // SAFETY: the buffer has that room.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast(), count) };
    i32::try_from(count).unwrap()
}

unsafe extern "C" fn write(
    data: *const c_void,
    length: usize,
    _: i32,
    userdata: *mut c_void,
) -> i32 {
    // SAFETY: as `make` gave it.
    let end = unsafe { &*userdata.cast::<End>() };
    let mut pipe = end.outgoing.lock().unwrap();
    let count = length.min(PIPE_BYTES - pipe.len());
    if count == 0 {
        return SSH_ERR_TIMEOUT;
    }
    // SAFETY: the data are that long.
    pipe.extend(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), count) });
    i32::try_from(count).unwrap()
}

unsafe extern "C" fn destroy(userdata: *mut c_void) {
    // SAFETY: called once for what `make` gave.
    drop(unsafe { Box::from_raw(userdata.cast::<End>()) });
}

fn make(handles: &mut Handles, incoming: &Pipe, outgoing: &Pipe) {
    let end = Box::new(End {
        incoming: Arc::clone(incoming),
        outgoing: Arc::clone(outgoing),
    });
    let error = handles.error();
    // SAFETY: the functions fit the userdata.
    let made = unsafe {
        ssh_packetizer_new_stream(
            Some(read),
            Some(write),
            None,
            Box::into_raw(end).cast(),
            Some(destroy),
            error,
        )
    };
    handles.keep(Noun::Packetizer, made);
}

/// Runs the calls that the input chooses.
pub(crate) fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut handles = Handles::default();
    let pipes = [Pipe::default(), Pipe::default()];
    make(&mut handles, &pipes[0], &pipes[1]);
    make(&mut handles, &pipes[1], &pipes[0]);
    for _ in 0..MAX_CALLS {
        if input.is_empty() {
            break;
        }
        match input.arbitrary::<u8>().unwrap_or_default() % 8 {
            0..=2 => packetizer_call(&mut handles, &mut input),
            3 | 4 => message_made(&mut handles, &mut input),
            5 => message_written(&handles, &mut input),
            6 => message_read(&handles, &mut input),
            _ => {
                let bytes = bytes(&mut input);
                let mut pipe = pipes[0].lock().unwrap();
                let room = PIPE_BYTES - pipe.len();
                pipe.extend(bytes.iter().take(room));
            }
        }
    }
    handles.error();
    for (noun, handle, _) in std::mem::take(&mut handles.all) {
        // SAFETY: handles; those that are freed already are no more.
        match noun {
            Noun::Packetizer => unsafe { ssh_packetizer_free(handle.cast()) },
            _ => unsafe { ssh_message_free(handle.cast()) },
        }
    }
}

/// Bytes with their length in front.
pub(super) fn bytes<'a>(input: &mut Unstructured<'a>) -> &'a [u8] {
    let length: u8 = input.arbitrary().unwrap_or_default();
    let length = usize::from(length).min(input.len());
    input.bytes(length).unwrap_or_default()
}

fn free_bytes(memory: *mut c_void) {
    // SAFETY: memory of the library's, or NULL.
    unsafe { ssh_memory_free(memory) };
}

fn packetizer_call(handles: &mut Handles, input: &mut Unstructured<'_>) {
    let packetizer: *mut ssh_packetizer = handles.pick(Noun::Packetizer, input);
    let choice: u8 = input.arbitrary().unwrap_or_default();
    let error = handles.error();
    let mut buffer = [0_u8; 64];
    let mut count = 0;
    // SAFETY: handles that may be anything, pointers that are good.
    let status = unsafe {
        match choice % 12 {
            0 | 1 => return receive(handles, packetizer),
            2 | 3 => {
                let message: *mut ssh_message = handles.pick(Noun::Message, input);
                handles.check(ssh_packetizer_send_message(packetizer, message, 0, error));
                return;
            }
            4 => {
                let at = buffer.as_mut_ptr().cast();
                let length = usize::from(choice / 12);
                ssh_packetizer_read_all(packetizer, at, length, true, 0, &raw mut count, error)
            }
            5 => {
                let (mut line, mut length) = (null_mut(), 0);
                let status =
                    ssh_packetizer_readline(packetizer, 0, &raw mut line, &raw mut length, error);
                free_bytes(line);
                status
            }
            6 => {
                let data = bytes(input);
                let at = data.as_ptr().cast();
                ssh_packetizer_write_all(packetizer, at, data.len(), 0, &raw mut count, error)
            }
            7 => ssh_packetizer_flush(packetizer, 0),
            8 | 9 => set_cipher(packetizer, input, choice % 12 == 8, error),
            10 => ssh_packetizer_set_rekey_limits(packetizer, u64::from(choice), 4),
            _ => return rare(handles, packetizer, choice / 12),
        }
    };
    handles.check_on(Noun::Packetizer, packetizer, status);
}

fn rare(handles: &mut Handles, packetizer: *mut ssh_packetizer, choice: u8) {
    // SAFETY: a handle that may be anything.
    let status = unsafe {
        match choice % 6 {
            0 => {
                ssh_packetizer_free(packetizer);
                handles.freed(Noun::Packetizer, packetizer);
                return;
            }
            1 => ssh_packetizer_close(packetizer),
            2 => ssh_packetizer_start_handshake(packetizer, 60_000),
            3 => ssh_packetizer_complete_handshake(packetizer),
            _ => {
                ssh_packetizer_need_rekey(packetizer);
                ssh_packetizer_handshake_timed_out(packetizer);
                return;
            }
        }
    };
    handles.check_on(Noun::Packetizer, packetizer, status);
}

fn receive(handles: &mut Handles, packetizer: *mut ssh_packetizer) {
    let mut received = null_mut();
    let error = handles.error();
    // SAFETY: as above.
    let status = unsafe { ssh_packetizer_read_message(packetizer, 0, &raw mut received, error) };
    handles.check_on(Noun::Packetizer, packetizer, status);
    assert_eq!(status == SSH_OK, !received.is_null());
    handles.keep(Noun::Message, received);
}

/// Keys of the right length, or not.
unsafe fn set_cipher(
    packetizer: *mut ssh_packetizer,
    input: &mut Unstructured<'_>,
    inbound: bool,
    error: *mut *mut super::ssh_error,
) -> i32 {
    const SUITES: [(&CStr, Option<&CStr>); 5] = [
        (c"aes128-gcm@openssh.com", None),
        (c"chacha20-poly1305@openssh.com", None),
        (c"aes128-ctr", Some(c"hmac-sha2-256-etm@openssh.com")),
        (c"aes128-cbc", Some(c"hmac-sha2-256")),
        (c"none", None),
    ];
    let (cipher, mac) = *input.choose(&SUITES).unwrap_or(&SUITES[0]);
    let mac = mac.map_or(std::ptr::null(), CStr::as_ptr);
    let (mut iv, mut key, mut mac_key) = (0, 0, 0);
    // SAFETY: names and places are good.
    unsafe {
        ssh_packetizer_key_lengths(
            cipher.as_ptr(),
            mac,
            &raw mut iv,
            &raw mut key,
            &raw mut mac_key,
        );
    }
    let wrong: u8 = input.arbitrary().unwrap_or_default();
    let material = [7_u8; 256];
    let at = material.as_ptr().cast();
    let key = if wrong == 1 { key + 1 } else { key };
    type Set = unsafe extern "C" fn(
        *mut ssh_packetizer,
        *const c_char,
        *const c_void,
        usize,
        *const c_void,
        usize,
        *const c_char,
        *const c_void,
        usize,
        bool,
        *mut *mut super::ssh_error,
    ) -> i32;
    let set: Set = if inbound {
        ssh_packetizer_set_inbound_cipher
    } else {
        ssh_packetizer_set_outbound_cipher
    };
    // SAFETY: the material is longer than any key.
    unsafe {
        set(
            packetizer,
            cipher.as_ptr(),
            at,
            key,
            at,
            iv,
            mac,
            at,
            mac_key,
            wrong & 2 != 0,
            error,
        )
    }
}

fn message_made(handles: &mut Handles, input: &mut Unstructured<'_>) {
    if handles.all.len() > MAX_HANDLES || input.arbitrary::<u8>().unwrap_or_default() & 7 == 0 {
        let message: *mut ssh_message = handles.pick(Noun::Message, input);
        // SAFETY: a handle that may be anything.
        unsafe { ssh_message_free(message) };
        handles.freed(Noun::Message, message);
        let messages = |entry: &(Noun, *mut c_void, bool)| entry.2 || entry.0 != Noun::Message;
        if handles.all.len() > MAX_HANDLES {
            handles.all.retain(messages);
        }
        return;
    }
    let data = bytes(input);
    // SAFETY: the data are that long.
    let made = unsafe { ssh_message_new_bytes(data.as_ptr().cast(), data.len()) };
    handles.keep(Noun::Message, made);
}

fn message_written(handles: &Handles, input: &mut Unstructured<'_>) {
    let message: *mut ssh_message = handles.pick(Noun::Message, input);
    let choice: u8 = input.arbitrary().unwrap_or_default();
    let data = bytes(input);
    let at = data.as_ptr().cast();
    // SAFETY: a handle that may be anything, data that are that long.
    let status = unsafe {
        match choice % 8 {
            0 => ssh_message_add_byte(message, choice),
            1 => ssh_message_add_bytes(message, at, data.len()),
            2 => ssh_message_add_boolean(message, choice > 127),
            3 => ssh_message_add_int(message, u32::from(choice)),
            4 => ssh_message_add_int64(message, u64::MAX),
            5 => ssh_message_add_mpint(message, at, data.len()),
            6 => ssh_message_add_string(message, at, data.len()),
            _ => ssh_message_add_list(message, c"a,b,c".as_ptr()),
        }
    };
    handles.check(status);
}

fn message_read(handles: &Handles, input: &mut Unstructured<'_>) {
    let message: *mut ssh_message = handles.pick(Noun::Message, input);
    let choice: u8 = input.arbitrary().unwrap_or_default();
    let (mut found, mut length) = (null_mut(), 0);
    let (out, out_length) = (&raw mut found, &raw mut length);
    let mut byte = [0_u8; 16];
    let (mut int, mut int64, mut boolean) = (0, 0, false);
    // SAFETY: a handle that may be anything, places that are good.
    let status = unsafe {
        match choice % 12 {
            0 => ssh_message_get_byte(message, byte.as_mut_ptr()),
            1 => ssh_message_get_bytes(message, byte.as_mut_ptr().cast(), usize::from(choice >> 4)),
            2 => ssh_message_get_boolean(message, &raw mut boolean),
            3 => ssh_message_get_int(message, &raw mut int),
            4 => ssh_message_get_int64(message, &raw mut int64),
            5 => ssh_message_get_mpint(message, out, out_length),
            6 => ssh_message_get_string(message, out, out_length),
            7 => ssh_message_get_so_far(message, out, out_length),
            8 => ssh_message_get_remainder(message, out, out_length),
            9 => ssh_message_rewind(message),
            10 => {
                free_bytes(ssh_message_get_text(message).cast());
                SSH_OK
            }
            _ => {
                free_bytes(ssh_message_get_list(message).cast());
                SSH_OK
            }
        }
    };
    free_bytes(found);
    handles.check(status);
}
