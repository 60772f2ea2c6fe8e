//! `ssh_message`: the payload of a packet, written and read field by field (RFC 4251 §5).

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::driver::sync::Mutex;
use zeroize::Zeroizing;

use crate::codec::{DecodeError, Reader, Writer};
use crate::error::Error;
use crate::messages::MessageNumber;

use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::memory;
use super::status::{ssh_status, SSH_OK};

/// The payload of a packet: a message number and fields. Fields are added at the end and read from a position that
/// starts at the first byte and moves on with each one read.
///
/// A getter fails with SSH_ERR_PROTOCOL when the bytes at the position are no such field, and leaves the position
/// where it is: nothing is made up. The content is wiped when the message is freed.
#[allow(non_camel_case_types)]
pub struct ssh_message {
    _opaque: [u8; 0],
}

/// What a message handle leads to. Its lock is a leaf.
pub(crate) struct MessageObject {
    state: Mutex<State>,
    /// The sequence number of the packet it came in; 0 for one that was made here.
    sequence: u32,
}

struct State {
    bytes: Zeroizing<Vec<u8>>,
    position: usize,
}

impl Handle for ssh_message {
    type Object = MessageObject;
    const TAG: u8 = 15;
    const NOUN: &'static str = "ssh_message";
}

/// Makes an empty message.
///
/// @return a message, freed with ssh_message_free(), or NULL when memory is short.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_message_new() -> *mut ssh_message {
    guard::value(std::ptr::null_mut(), || new_handle(Zeroizing::default(), 0))
}

/// Makes a message of bytes that are there already.
///
/// @param data    the bytes, copied
/// @param length  how many; at most 262144
/// @return a message, freed with ssh_message_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_new_bytes(
    data: *const c_void,
    length: usize,
) -> *mut ssh_message {
    guard::value(std::ptr::null_mut(), || {
        check_room(0, length)?;
        new_handle(Zeroizing::new(memory::bytes(data, length)?.to_vec()), 0)
    })
}

/// Frees a message and wipes it.
///
/// @param message  the message; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_free(message: *mut ssh_message) {
    guard::value((), || handle::take(message).map(drop));
}

/// The message number: the first byte.
///
/// @return 1 to 255; 0 when the message is empty or none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_number(message: *const ssh_message) -> u8 {
    guard::value(0, || {
        let object = handle::get(message)?;
        let state = object.state.lock();
        Ok(state.bytes.first().copied().unwrap_or(0))
    })
}

/// The sequence number of the packet in which the message came; what SSH_MSG_UNIMPLEMENTED has to name.
///
/// @return the number; 0 for a message that was made here, or none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_sequence(message: *const ssh_message) -> u32 {
    guard::value(0, || Ok(handle::get(message)?.sequence))
}

/// Copies all bytes out.
///
/// @param message  the message
/// @param data     receives the bytes, freed with ssh_memory_free(); may be NULL
/// @param length   receives how many
/// @return SSH_OK, SSH_ERR_RESOURCE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_bytes(
    message: *const ssh_message,
    data: *mut *mut c_void,
    length: *mut usize,
) -> ssh_status {
    read(message, (data, length), |state| state.bytes.to_vec())
}

/// Copies out the bytes before the position.
///
/// @param message  the message
/// @param data     receives the bytes, freed with ssh_memory_free(); may be NULL
/// @param length   receives how many
/// @return SSH_OK, SSH_ERR_RESOURCE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_so_far(
    message: *const ssh_message,
    data: *mut *mut c_void,
    length: *mut usize,
) -> ssh_status {
    read(message, (data, length), |state| {
        let before = state.bytes.get(..state.position);
        before.unwrap_or_default().to_vec()
    })
}

/// Copies out the bytes from the position on, which stays where it is.
///
/// @param message  the message
/// @param data     receives the bytes, freed with ssh_memory_free(); may be NULL
/// @param length   receives how many
/// @return SSH_OK, SSH_ERR_RESOURCE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_remainder(
    message: *const ssh_message,
    data: *mut *mut c_void,
    length: *mut usize,
) -> ssh_status {
    read(message, (data, length), |state| {
        let rest = state.bytes.get(state.position..);
        rest.unwrap_or_default().to_vec()
    })
}

/// Takes the position back to the first byte.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_rewind(message: *mut ssh_message) -> ssh_status {
    guard::status(|| {
        handle::get(message)?.state.lock().position = 0;
        Ok(SSH_OK)
    })
}

// --- adding ---------------------------------------------------------------------------------------

/// Adds one byte, such as the message number.
///
/// @param message  the message
/// @param value    the byte
/// @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_add_byte(message: *mut ssh_message, value: u8) -> ssh_status {
    add(message, 1, |w| {
        w.u8(value);
    })
}

/// Adds bytes as they are, without a length.
///
/// @param message  the message
/// @param data     the bytes, copied
/// @param length   how many
/// @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_add_bytes(
    message: *mut ssh_message,
    data: *const c_void,
    length: usize,
) -> ssh_status {
    add_bytes(message, data, length, |w, bytes| {
        w.raw(bytes);
    })
}

/// Adds a boolean.
///
/// @param message  the message
/// @param value    the boolean
/// @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_add_boolean(
    message: *mut ssh_message,
    value: bool,
) -> ssh_status {
    add(message, 1, |w| {
        w.bool(value);
    })
}

/// Adds a uint32.
///
/// @param message  the message
/// @param value    the number
/// @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_add_int(message: *mut ssh_message, value: u32) -> ssh_status {
    add(message, 4, |w| {
        w.u32(value);
    })
}

/// Adds a uint64.
///
/// @param message  the message
/// @param value    the number
/// @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_add_int64(
    message: *mut ssh_message,
    value: u64,
) -> ssh_status {
    add(message, 8, |w| {
        w.u64(value);
    })
}

/// Adds an mpint that is not negative.
///
/// @param message    the message
/// @param magnitude  its bytes, most significant first; leading zero bytes do not count
/// @param length     how many
/// @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_add_mpint(
    message: *mut ssh_message,
    magnitude: *const c_void,
    length: usize,
) -> ssh_status {
    add_bytes(message, magnitude, length, |w, bytes| {
        w.mpint(bytes);
    })
}

/// Adds a string: its length and its bytes.
///
/// @param message  the message
/// @param data     the bytes, copied
/// @param length   how many
/// @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_add_string(
    message: *mut ssh_message,
    data: *const c_void,
    length: usize,
) -> ssh_status {
    add_bytes(message, data, length, |w, bytes| {
        w.string(bytes);
    })
}

/// Adds a name-list.
///
/// @param message  the message
/// @param names    names separated by commas; "" is the empty list
/// @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_INVALID_ARG for an empty name or one that is not printable
///         ASCII, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_add_list(
    message: *mut ssh_message,
    names: *const c_char,
) -> ssh_status {
    guard::status(|| {
        let names = memory::text(names, "the list of names")?;
        let bytes = Writer::collect(|w| {
            w.string(names);
        });
        if Reader::new(&bytes).name_list().is_err() {
            return Err(Failure::invalid("not a list of names"));
        }
        extend(message, bytes.len(), |w| {
            w.raw(&bytes);
        })
    })
}

// --- getting --------------------------------------------------------------------------------------

/// Reads one byte.
///
/// @param message  the message
/// @param value    receives it
/// @return SSH_OK, SSH_ERR_PROTOCOL, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_byte(
    message: *mut ssh_message,
    value: *mut u8,
) -> ssh_status {
    get(message, value, 0, |reader| reader.u8())
}

/// Reads bytes as they are, without a length.
///
/// @param message  the message
/// @param data     where to put them
/// @param length   how many
/// @return SSH_OK, SSH_ERR_PROTOCOL when there are fewer, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread.
///         Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_bytes(
    message: *mut ssh_message,
    data: *mut c_void,
    length: usize,
) -> ssh_status {
    guard::status(|| {
        let buffer = memory::bytes_mut(data, length)?;
        step(message, |reader| {
            buffer.copy_from_slice(reader.take(length)?);
            Ok(())
        })?;
        Ok(SSH_OK)
    })
}

/// Reads a boolean; any byte but 0 is true.
///
/// @param message  the message
/// @param value    receives it
/// @return SSH_OK, SSH_ERR_PROTOCOL, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_boolean(
    message: *mut ssh_message,
    value: *mut bool,
) -> ssh_status {
    get(message, value, false, |reader| reader.bool())
}

/// Reads a uint32.
///
/// @param message  the message
/// @param value    receives it
/// @return SSH_OK, SSH_ERR_PROTOCOL, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_int(
    message: *mut ssh_message,
    value: *mut u32,
) -> ssh_status {
    get(message, value, 0, |reader| reader.u32())
}

/// Reads a uint64.
///
/// @param message  the message
/// @param value    receives it
/// @return SSH_OK, SSH_ERR_PROTOCOL, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_int64(
    message: *mut ssh_message,
    value: *mut u64,
) -> ssh_status {
    get(message, value, 0, |reader| reader.u64())
}

/// Reads an mpint that is not negative.
///
/// @param message    the message
/// @param magnitude  receives its bytes, most significant first, without leading zero bytes; freed with
///                   ssh_memory_free(); may be NULL
/// @param length     receives how many; 0 for the number 0
/// @return SSH_OK, SSH_ERR_PROTOCOL also for a negative number, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_mpint(
    message: *mut ssh_message,
    magnitude: *mut *mut c_void,
    length: *mut usize,
) -> ssh_status {
    get_bytes(message, magnitude, length, |reader| reader.mpint())
}

/// Reads a string of any bytes.
///
/// @param message  the message
/// @param data     receives its bytes with a NUL behind them that does not count, freed with ssh_memory_free(); may be
///                 NULL
/// @param length   receives how many
/// @return SSH_OK, SSH_ERR_PROTOCOL, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_string(
    message: *mut ssh_message,
    data: *mut *mut c_void,
    length: *mut usize,
) -> ssh_status {
    get_bytes(message, data, length, |reader| reader.string())
}

/// Reads a string that is text.
///
/// @param message  the message
/// @return the text, UTF-8, freed with ssh_memory_free(); NULL when there is no string here, or one that is not UTF-8
///         or holds a NUL, and when `message` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_text(message: *mut ssh_message) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let text = step(message, |reader| {
            let text = reader.text()?;
            if text.contains('\0') {
                return Err(DecodeError::BadValue);
            }
            Ok(Zeroizing::new(text.to_owned()))
        })?;
        memory::string_out(&text)
    })
}

/// Reads a name-list.
///
/// @param message  the message
/// @return names separated by commas, "" for the empty list, freed with ssh_memory_free(); NULL when there is no
///         name-list here, and when `message` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_message_get_list(message: *mut ssh_message) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let names = step(message, |reader| {
            let mut content = *reader;
            reader.name_list()?;
            content.text().map(str::to_owned)
        })?;
        memory::string_out(&names)
    })
}

// --- behind the handle ----------------------------------------------------------------------------

/// What a packet can carry, and a bit more.
const MAX_BYTES: usize = 256 * 1024;

pub(crate) fn new_handle(bytes: Zeroizing<Vec<u8>>, sequence: u32) -> Outcome<*mut ssh_message> {
    handle::insert(Arc::new(MessageObject {
        state: Mutex::new(State { bytes, position: 0 }),
        sequence,
    }))
}

/// A copy of the whole content.
pub(crate) fn content(message: *const ssh_message) -> Outcome<Zeroizing<Vec<u8>>> {
    Ok(handle::get(message)?.state.lock().bytes.clone())
}

fn check_room(present: usize, more: usize) -> Outcome<()> {
    if present.saturating_add(more) > MAX_BYTES {
        return Err(Error::Limit("a message of more than 256 KiB").into());
    }
    Ok(())
}

fn add(message: *mut ssh_message, most: usize, fill: impl FnOnce(&mut Writer<'_>)) -> ssh_status {
    guard::status(|| extend(message, most, fill))
}

fn add_bytes(
    message: *mut ssh_message,
    data: *const c_void,
    length: usize,
    fill: impl FnOnce(&mut Writer<'_>, &[u8]),
) -> ssh_status {
    guard::status(|| {
        let bytes = memory::bytes(data, length)?;
        // A length, and the zero byte before an mpint.
        extend(message, length.saturating_add(5), |w| fill(w, bytes))
    })
}

/// Appends what `fill` writes, `most` bytes at most.
fn extend(
    message: *mut ssh_message,
    most: usize,
    fill: impl FnOnce(&mut Writer<'_>),
) -> Outcome<ssh_status> {
    let object = handle::get(message)?;
    let mut state = object.state.lock();
    check_room(state.bytes.len(), most)?;
    if state.bytes.capacity() - state.bytes.len() < most {
        // Growing in place would leave an unwiped copy behind.
        let mut grown = Vec::with_capacity((state.bytes.len() + most).max(64) * 2);
        grown.extend_from_slice(&state.bytes);
        state.bytes = Zeroizing::new(grown);
    }
    fill(&mut Writer::new(&mut state.bytes));
    Ok(SSH_OK)
}

/// Reads one field; the position moves only when it is one.
fn step<T>(
    message: *const ssh_message,
    field: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Outcome<T> {
    let object = handle::get(message)?;
    let mut state = object.state.lock();
    let number = MessageNumber(state.bytes.first().copied().unwrap_or(0));
    let rest = state.bytes.get(state.position..).unwrap_or_default();
    let mut reader = Reader::new(rest);
    let value = field(&mut reader).map_err(Error::invalid(number))?;
    let left = reader.remaining().len();
    state.position = state.bytes.len().saturating_sub(left);
    Ok(value)
}

fn get<T: Copy>(
    message: *const ssh_message,
    out: *mut T,
    nothing: T,
    field: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> ssh_status {
    guard::status(|| {
        memory::write(out, nothing);
        memory::write(out, step(message, field)?);
        Ok(SSH_OK)
    })
}

fn get_bytes(
    message: *const ssh_message,
    data: *mut *mut c_void,
    length: *mut usize,
    field: for<'a> fn(&mut Reader<'a>) -> Result<&'a [u8], DecodeError>,
) -> ssh_status {
    guard::status(|| {
        memory::clear_bytes(data, length);
        let bytes = step(message, |reader| {
            field(reader).map(|bytes| Zeroizing::new(bytes.to_vec()))
        })?;
        memory::bytes_out(&bytes, data, length)?;
        Ok(SSH_OK)
    })
}

/// Copies out what `part` takes of the content.
fn read(
    message: *const ssh_message,
    (data, length): (*mut *mut c_void, *mut usize),
    part: impl FnOnce(&State) -> Vec<u8>,
) -> ssh_status {
    guard::status(|| {
        memory::clear_bytes(data, length);
        let bytes = Zeroizing::new(part(&handle::get(message)?.state.lock()));
        memory::bytes_out(&bytes, data, length)?;
        Ok(SSH_OK)
    })
}
