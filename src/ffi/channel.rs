//! `ssh_channel`: the two byte streams and their ends.

use std::ffi::c_void;
use std::sync::atomic::Ordering;

use crate::connection::Stream;
use crate::driver::{ChannelInterest, Read};

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::channel_object;
use super::event::{self, ssh_event};
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::status::{ssh_status, SSH_EOF, SSH_OK};
use super::time;
use super::transport::{ssh_transport, SSH_TIMEOUT_FOREVER};

/// One stream in each direction, and a second one (stderr) beside it, within a transport. Reading and writing
/// may go on at once in two threads; two readers, or two writers, take turns. A channel keeps what it needs of
/// its transport, so the two may be freed in any order.
#[allow(non_camel_case_types)]
pub struct ssh_channel {
    _opaque: [u8; 0],
}

/// Condition of a channel: reading would return data or SSH_EOF at once.
pub const SSH_CHANNEL_READABLE: u32 = 1;

/// Condition of a channel: reading from stderr would return data or SSH_EOF at once.
pub const SSH_CHANNEL_STDERR_READABLE: u32 = 2;

/// Condition of a channel: writing would take at least one byte, or fail, at once.
pub const SSH_CHANNEL_WRITABLE: u32 = 4;

/// Condition of a channel: the peer has sent EOF; there may be data left to read.
pub const SSH_CHANNEL_EOF: u32 = 8;

/// Condition of a channel: it is closed; there may be data left to read.
pub const SSH_CHANNEL_CLOSED: u32 = 16;

/// Reads what has come, waiting for at least one byte.
///
/// @param channel     the channel
/// @param buffer      where to put it
/// @param capacity    the size of the buffer in bytes; 0 is fine and reads nothing
/// @param done        receives how many bytes were read; 0 whenever the result is not SSH_OK
/// @param timeout_ms  milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
/// @return SSH_OK, SSH_EOF when the peer has sent all, SSH_AGAIN when timeout_ms is 0 and nothing is there,
///         SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, or what ended the session. Data that came before the end are
///         returned first. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_read(
    channel: *mut ssh_channel,
    buffer: *mut c_void,
    capacity: usize,
    done: *mut usize,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| read(channel, Stream::Data, buffer, capacity, done, timeout_ms))
}

/// Reads from stderr, otherwise as ssh_channel_read(). Both streams share one window: one that is not read
/// ends up stopping the other. So either read both in turn, with timeout 0, and wait for
/// whichever has something with ssh_channel_set_event(); or have a thread for each; or put both into one with
/// ssh_channel_set_combine_stderr().
///
/// @param channel     the channel
/// @param buffer      where to put it
/// @param capacity    the size of the buffer in bytes
/// @param done        receives how many bytes were read; 0 whenever the result is not SSH_OK
/// @param timeout_ms  milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
/// @return as ssh_channel_read(). Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_read_stderr(
    channel: *mut ssh_channel,
    buffer: *mut c_void,
    capacity: usize,
    done: *mut usize,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| read(channel, Stream::Stderr, buffer, capacity, done, timeout_ms))
}

/// Writes as much as fits, waiting until at least one byte does.
///
/// What is taken leaves at once. Only in a stream, of half a megabyte and more without a pause of 0.1 ms, do writes wait for
/// each other, so that the socket gets some 128 KiB at a time; what so waits leaves as soon as the thread waits for
/// anything of the session, when anything else is sent, or else within some milliseconds. Calls with timeout_ms 0 leave
/// nothing waiting. End a session with ssh_transport_close() or ssh_transport_free(), not with the process.
///
/// @param channel     the channel
/// @param data        what to write, copied or sent before the call returns
/// @param length      how many bytes; 0 is fine and writes nothing
/// @param done        receives how many bytes were taken, from 1 to length; 0 whenever the result is not SSH_OK
/// @param timeout_ms  milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
/// @return SSH_OK, SSH_AGAIN when timeout_ms is 0 and nothing fits, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED after
///         ssh_channel_send_eof() or when the channel is closed, or what ended the session.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_write(
    channel: *mut ssh_channel,
    data: *const c_void,
    length: usize,
    done: *mut usize,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| write(channel, Stream::Data, data, length, done, timeout_ms))
}

/// Writes to stderr, otherwise as ssh_channel_write(). Only servers have reason to.
///
/// @param channel     the channel
/// @param data        what to write
/// @param length      how many bytes
/// @param done        receives how many bytes were taken
/// @param timeout_ms  milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
/// @return as ssh_channel_write(). Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_write_stderr(
    channel: *mut ssh_channel,
    data: *const c_void,
    length: usize,
    done: *mut usize,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| write(channel, Stream::Stderr, data, length, done, timeout_ms))
}

/// Writes everything.
///
/// @param channel     the channel
/// @param data        what to write
/// @param length      how many bytes
/// @param done        receives how many bytes were taken, also on failure; or NULL
/// @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is the channel's timeout
/// @return SSH_OK when all were taken, or as ssh_channel_write(). Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_write_all(
    channel: *mut ssh_channel,
    data: *const c_void,
    length: usize,
    done: *mut usize,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| write_all(channel, Stream::Data, data, length, done, timeout_ms))
}

/// Writes everything to stderr, otherwise as ssh_channel_write_all().
///
/// @param channel     the channel
/// @param data        what to write
/// @param length      how many bytes
/// @param done        receives how many bytes were taken, also on failure; or NULL
/// @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is the channel's timeout
/// @return SSH_OK when all were taken, or as ssh_channel_write(). Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_write_all_stderr(
    channel: *mut ssh_channel,
    data: *const c_void,
    length: usize,
    done: *mut usize,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| write_all(channel, Stream::Stderr, data, length, done, timeout_ms))
}

/// Sets the timeout that reads and writes with SSH_TIMEOUT_DEFAULT use. At first SSH_TIMEOUT_FOREVER.
///
/// @param channel     the channel
/// @param timeout_ms  milliseconds, 0 or SSH_TIMEOUT_FOREVER
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_set_timeout(
    channel: *mut ssh_channel,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(channel)?;
        if timeout_ms < SSH_TIMEOUT_FOREVER {
            return Err(Failure::invalid("a negative timeout"));
        }
        object.timeout_ms.store(timeout_ms, Ordering::Relaxed);
        Ok(SSH_OK)
    })
}

/// The timeout set with ssh_channel_set_timeout().
///
/// @return milliseconds, or SSH_TIMEOUT_FOREVER. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_get_timeout(channel: *const ssh_channel) -> i32 {
    guard::value(SSH_TIMEOUT_FOREVER, || {
        Ok(handle::get(channel)?.timeout_ms.load(Ordering::Relaxed))
    })
}

/// Puts what comes on stderr into the main stream, in the order of arrival; what waits on stderr already goes
/// first.
///
/// @param channel  the channel
/// @param combine  whether to
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_set_combine_stderr(
    channel: *mut ssh_channel,
    combine: bool,
) -> ssh_status {
    guard::status(|| {
        channel_object::with(channel, |object| {
            object.driver.set_combine_stderr(combine)?;
            Ok(SSH_OK)
        })
    })
}

/// Whether ssh_channel_read() would return data or SSH_EOF at once.
///
/// @return false also when `channel` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_read_ready(channel: *const ssh_channel) -> bool {
    guard::value(false, || {
        Ok(handle::get(channel)?.conditions() & SSH_CHANNEL_READABLE != 0)
    })
}

/// Whether ssh_channel_read_stderr() would return data or SSH_EOF at once.
///
/// @return false also when `channel` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_read_stderr_ready(channel: *const ssh_channel) -> bool {
    guard::value(false, || {
        Ok(handle::get(channel)?.conditions() & SSH_CHANNEL_STDERR_READABLE != 0)
    })
}

/// Whether ssh_channel_write() would take a byte, or fail, at once.
///
/// @return false also when `channel` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_write_ready(channel: *const ssh_channel) -> bool {
    guard::value(false, || {
        Ok(handle::get(channel)?.conditions() & SSH_CHANNEL_WRITABLE != 0)
    })
}

/// Which conditions hold now.
///
/// @return SSH_CHANNEL_READABLE and the others, or'ed; 0 when `channel` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_conditions(channel: *const ssh_channel) -> u32 {
    guard::value(0, || Ok(handle::get(channel)?.conditions()))
}

/// Has an event set whenever one of some conditions begins to hold, and at once if one holds now. For poll
/// loops: when ssh_event_fd() is readable, reset the event, then read and write with timeout 0 until SSH_AGAIN.
/// Of many channels with one event, ssh_event_take_channel() tells which to look at. Of a channel that a transport runs over
/// (ssh_transport_new_channel()) only SSH_CHANNEL_EOF and SSH_CHANNEL_CLOSED set it.
///
/// @param channel  the channel
/// @param event    the event, which may serve many channels; NULL for none
/// @param mask     SSH_CHANNEL_READABLE and the others, or'ed
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_set_event(
    channel: *mut ssh_channel,
    event: *mut ssh_event,
    mask: u32,
) -> ssh_status {
    guard::status(|| {
        channel_object::with(channel, |object| {
            if mask & !ALL_CONDITIONS != 0 {
                return Err(Failure::invalid("an unknown condition"));
            }
            let new = event::optional(event)?.filter(|_| mask != 0);
            let before = std::mem::replace(&mut *object.event.lock(), new.clone());
            if let Some(before) = before {
                object
                    .driver
                    .set_event(&before, ChannelInterest::default())?;
            }
            if let Some(new) = new {
                let readable = SSH_CHANNEL_READABLE | SSH_CHANNEL_STDERR_READABLE;
                let interest = ChannelInterest {
                    readable: mask & readable != 0,
                    writable: mask & SSH_CHANNEL_WRITABLE != 0,
                    eof: mask & SSH_CHANNEL_EOF != 0,
                    closed: mask & SSH_CHANNEL_CLOSED != 0,
                    cancelled: false,
                };
                let name = handle::number(channel);
                object.driver.set_event_as(&new, interest, Some(name))?;
            }
            Ok(SSH_OK)
        })
    })
}

/// Tells the peer that nothing more will be written. Reading goes on.
///
/// @return SSH_OK, also when it was told before; SSH_ERR_CLOSED, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_send_eof(channel: *mut ssh_channel) -> ssh_status {
    guard::status(|| {
        channel_object::with(channel, |object| {
            object.driver.send_eof()?;
            Ok(SSH_OK)
        })
    })
}

/// Ends one or both directions, as shutdown(2) does.
///
/// @param channel  the channel
/// @param read     whether to end reading: data that come are thrown away, and reads return SSH_EOF
/// @param write    whether to end writing: as ssh_channel_send_eof()
/// @return SSH_OK, SSH_ERR_CLOSED, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_shutdown(
    channel: *mut ssh_channel,
    read: bool,
    write: bool,
) -> ssh_status {
    guard::status(|| {
        channel_object::with(channel, |object| {
            if read {
                object.driver.shutdown_read()?;
            }
            if write {
                object.driver.send_eof()?;
            }
            Ok(SSH_OK)
        })
    })
}

/// Closes the channel. Calls blocked on it return, writes with SSH_ERR_CLOSED, reads once the data that have
/// come are read. Does not wait for the network. Does nothing when it is closed.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_close(channel: *mut ssh_channel) -> ssh_status {
    guard::status(|| {
        channel_object::with(channel, |object| {
            object.driver.close()?;
            Ok(SSH_OK)
        })
    })
}

/// Closes the channel if it is not closed, and frees the handle. Calls blocked on it in other threads return
/// with SSH_ERR_CLOSED. One that the peer has opened and nobody has taken does not come out of
/// ssh_transport_accept() any more.
///
/// @param channel  the channel; NULL is fine
///
/// Any thread, also inside callbacks. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_free(channel: *mut ssh_channel) {
    guard::value((), || {
        let object = handle::take(channel)?;
        object.set_freed();
        // Or it would count as open for as long as nobody asks for it.
        object.driver.claim();
        // Fails only where it is closed already. Wakes the calls that other threads have under way.
        // A transport or an SFTP session that runs over the channel keeps it.
        if !object.is_carrying() {
            let _ = object.driver.close();
        }
        let userdata = object.userdata.lock().take();
        if let Some(transport) = object.transport.upgrade() {
            transport.forget_channel(object.driver.id(), &object);
        }
        drop(object);
        drop(userdata);
        Ok(())
    })
}

/// Whether the channel is closed.
///
/// @return true also when `channel` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_is_closed(channel: *const ssh_channel) -> bool {
    guard::value(true, || {
        Ok(handle::get(channel)?.conditions() & SSH_CHANNEL_CLOSED != 0)
    })
}

/// The number by which this side knows the channel, for logs.
///
/// @return the number; 0 also when `channel` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_id(channel: *const ssh_channel) -> u32 {
    guard::value(0, || Ok(handle::get(channel)?.driver.id()))
}

/// The transport of the channel.
///
/// @return the handle the program made; it stays the program's. NULL once that is freed. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_transport(channel: *const ssh_channel) -> *mut ssh_transport {
    guard::value(std::ptr::null_mut(), || {
        let transport = handle::get(channel)?.transport.upgrade();
        Ok(transport.map_or(std::ptr::null_mut(), |transport| transport.handle()))
    })
}

/// Attaches a pointer of the program's to the channel, such as the state of a session that its requests
/// (ssh_request_channel()) then find.
///
/// @param channel   the channel
/// @param userdata  the pointer
/// @param destroy   ends its life once it is replaced or the channel is gone, or NULL
/// @return SSH_OK, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_set_userdata(
    channel: *mut ssh_channel,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(channel)?;
        let new = Some(Userdata::new(userdata, destroy));
        let before = std::mem::replace(&mut *object.userdata.lock(), new);
        drop(before);
        Ok(SSH_OK)
    })
}

/// The pointer attached with ssh_channel_set_userdata().
///
/// @return the pointer, or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_get_userdata(channel: *const ssh_channel) -> *mut c_void {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(channel)?;
        let userdata = object.userdata.lock();
        Ok(userdata
            .as_ref()
            .map_or(std::ptr::null_mut(), Userdata::pointer))
    })
}

// --- behind the functions -------------------------------------------------------------------------

const ALL_CONDITIONS: u32 = SSH_CHANNEL_READABLE
    | SSH_CHANNEL_STDERR_READABLE
    | SSH_CHANNEL_WRITABLE
    | SSH_CHANNEL_EOF
    | SSH_CHANNEL_CLOSED;

fn read(
    channel: *mut ssh_channel,
    stream: Stream,
    buffer: *mut c_void,
    capacity: usize,
    done: *mut usize,
    timeout_ms: i32,
) -> Outcome<ssh_status> {
    memory::write(done, 0);
    channel_object::with(channel, |object| {
        if done.is_null() {
            return Err(Failure::invalid("nowhere to put the count"));
        }
        let buffer = memory::bytes_mut(buffer, capacity)?;
        let timeout = object.data_timeout(timeout_ms)?;
        let outcome = object.driver.read(stream, buffer, timeout);
        if let Ok(Read::Data(count)) = outcome {
            memory::write(done, count);
            return Ok(SSH_OK);
        }
        object.unless_freed(time::status_or_again(timeout, outcome, |_| SSH_EOF))
    })
}

fn write(
    channel: *mut ssh_channel,
    stream: Stream,
    data: *const c_void,
    length: usize,
    done: *mut usize,
    timeout_ms: i32,
) -> Outcome<ssh_status> {
    memory::write(done, 0);
    channel_object::with(channel, |object| {
        if done.is_null() {
            return Err(Failure::invalid("nowhere to put the count"));
        }
        let data = memory::bytes(data, length)?;
        let timeout = object.data_timeout(timeout_ms)?;
        let outcome = object.driver.write_some(stream, data, timeout);
        if let Ok(count) = outcome {
            memory::write(done, count);
            return Ok(SSH_OK);
        }
        object.unless_freed(time::status_or_again(timeout, outcome, |_| SSH_OK))
    })
}

fn write_all(
    channel: *mut ssh_channel,
    stream: Stream,
    data: *const c_void,
    length: usize,
    done: *mut usize,
    timeout_ms: i32,
) -> Outcome<ssh_status> {
    memory::write(done, 0);
    channel_object::with(channel, |object| {
        let data = memory::bytes(data, length)?;
        let timeout = object.data_timeout(timeout_ms)?;
        let (written, outcome) = object.driver.write_all(stream, data, timeout);
        memory::write(done, written);
        if outcome.is_ok() {
            return Ok(SSH_OK);
        }
        // Only a call that was to wait for nothing has SSH_AGAIN as an ordinary outcome.
        object.unless_freed(time::status_or_again(timeout, outcome, |()| SSH_OK))
    })
}
