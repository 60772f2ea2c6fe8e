//! Transports over other streams than sockets: functions of the program's, channels, addresses in the background.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use crate::driver::{ByteStream, Event, StreamFault, Timeout, Transport};

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::channel::ssh_channel;
use super::error::ssh_error;
use super::event::{self, ssh_event};
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::status::{ssh_status, SSH_AGAIN, SSH_ERR_TIMEOUT, SSH_OK};
use super::time;
use super::transport::{invalid_if_misuse, ssh_transport, DEFAULT_CONNECT_MS};
use super::transport_object::{self, TransportObject};

/// Reads from a stream of the program's, as recv() does from a blocking socket.
///
/// Called on a thread of the library's that belongs to the transport, with no lock held, never twice at once, and
/// not after it has returned 0 or a failure. It may block. It may call any function of the library, and must not
/// unwind or longjmp.
///
/// @param buffer      where to put the bytes
/// @param capacity    how many fit; at least 1
/// @param timeout_ms  milliseconds after which it should return SSH_ERR_TIMEOUT if nothing has come. One that keeps
///                    to it is done soon after the end; one that does not is ended by the close callback
/// @param userdata    as given
/// @return how many bytes, from 1 to capacity; 0 when the stream has ended; SSH_ERR_TIMEOUT to be called again; any
///         other negative number is a failure, which ends the session: an SSH_ERR_... becomes its cause as it is,
///         what is none becomes SSH_ERR_IO. Do not return SSH_AGAIN: it is positive and would be a count.
#[allow(non_camel_case_types)]
pub type ssh_stream_read_callback = Option<
    unsafe extern "C" fn(
        buffer: *mut c_void,
        capacity: usize,
        timeout_ms: i32,
        userdata: *mut c_void,
    ) -> i32,
>;

/// Writes to a stream of the program's, as send() does to a blocking socket.
///
/// Called on a second thread of the library's that belongs to the transport, so that it may block while reading goes
/// on; otherwise as ssh_stream_read_callback.
///
/// @param data        the bytes
/// @param length      how many; at least 1
/// @param timeout_ms  milliseconds after which it should return SSH_ERR_TIMEOUT if none was taken
/// @param userdata    as given
/// @return how many bytes were taken, from 1 to length; 0 when the stream is closed; negative numbers as for
///         ssh_stream_read_callback
#[allow(non_camel_case_types)]
pub type ssh_stream_write_callback = Option<
    unsafe extern "C" fn(
        data: *const c_void,
        length: usize,
        timeout_ms: i32,
        userdata: *mut c_void,
    ) -> i32,
>;

/// Closes a stream of the program's. Calls of the two others that are blocked must then return, whatever they return.
///
/// Called once, on a thread of the library's pool with no lock held, while the others may be running. It may call
/// any function of the library, and must not unwind or longjmp.
///
/// @param userdata  as given
#[allow(non_camel_case_types)]
pub type ssh_stream_close_callback = Option<unsafe extern "C" fn(userdata: *mut c_void)>;

/// Makes a transport over functions of the program's: over pipes, TLS, a serial line, another library's connection.
///
/// What the peer sends is read ahead up to 256 KiB, and as much is taken for writing, so the functions never hold up
/// another transport, nor calls on this one longer than their timeouts. The transport does not wait for them: when it
/// ends, it calls `close` and is done, also when a `read` never returns. `destroy` is called once `close` and every
/// other call have returned; if one never does, it is not called.
///
/// @param read      reads
/// @param write     writes
/// @param close     ends the stream, or NULL when both others keep to their timeouts
/// @param userdata  passed to all of them
/// @param destroy   ends userdata's life, or NULL
/// @param error     receives the detail, or NULL: SSH_ERR_INVALID_ARG
/// @return a transport, freed with ssh_transport_free(), or NULL; then none of the functions is ever called.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_new_stream(
    read: ssh_stream_read_callback,
    write: ssh_stream_write_callback,
    close: ssh_stream_close_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
    error: *mut *mut ssh_error,
) -> *mut ssh_transport {
    guard::value_with(std::ptr::null_mut(), error, || {
        let stream = of_program(read, write, close, userdata, destroy)?;
        TransportObject::new_handle(Transport::from_stream(stream))
    })
}

/// Makes a transport over a channel of another transport: a session within a session, as a jump host needs it. Open
/// the channel with ssh_transport_open_channel("direct-tcpip", ...), or with a command that connects. There may be
/// any number of transports over one another.
///
/// Only the new transport reads and writes the channel from now on; ssh_channel_read() and its like fail with
/// SSH_ERR_STATE. What comes on stderr is thrown away. Flow control reaches through: what is not read above is not
/// fetched below. When the transport below ends, this one ends with SSH_ERR_CONN_LOST, and the error tells the cause;
/// when this one ends, the channel is closed and the transport below goes on.
///
/// @param channel  an open channel. The handle stays the caller's and may be freed at any time, which does not close
///                 the channel while the transport needs it; ssh_channel_close() does
/// @param error    receives the detail, or NULL: SSH_ERR_CLOSED, SSH_ERR_STATE when a transport runs over it already
///                 or it is not open yet, or what ended the transport below
/// @return a transport, freed with ssh_transport_free() before or after the one below, or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_new_channel(
    channel: *mut ssh_channel,
    error: *mut *mut ssh_error,
) -> *mut ssh_transport {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(channel)?;
        let driver = Transport::from_channel(object.driver.clone())?;
        TransportObject::new_handle(driver)
    })
}

/// Makes a transport over a new TCP connection and does not wait for it: ssh_transport_new_address() for event loops.
/// The transport may be started at once, with an event of its own; the handshake timeout then counts the connecting
/// too.
///
/// @param address     as for ssh_transport_new_address()
/// @param event       set when the connection is made, or cannot be: ssh_transport_connect_status(); NULL if nobody
///                    cares, as when the transport is started at once
/// @param timeout_ms  milliseconds for resolving and connecting together; SSH_TIMEOUT_DEFAULT is 30 s
/// @param error       receives the detail, or NULL: SSH_ERR_INVALID_ARG
/// @return a transport, freed with ssh_transport_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_begin_address(
    address: *const c_char,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_transport {
    guard::value_with(std::ptr::null_mut(), error, || {
        let address = memory::text(address, "the address")?;
        let event = event::optional(event)?.unwrap_or_else(Event::new);
        let timeout = time::timeout(timeout_ms, Timeout::from_ms(DEFAULT_CONNECT_MS))?;
        let driver = Transport::from_address_in_background(address, timeout, event)
            .map_err(invalid_if_misuse)?;
        TransportObject::new_handle_to(driver, Some(address))
    })
}

/// How the making of the connection went, for ssh_transport_begin_address().
///
/// @param transport  the transport
/// @param error      receives the detail, or NULL: SSH_ERR_RESOLVE, SSH_ERR_IO, SSH_ERR_TIMEOUT
/// @return SSH_OK when it is made, and for every other kind of transport; SSH_AGAIN while it is made; or the failure.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_connect_status(
    transport: *const ssh_transport,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        transport_object::with(transport, |object| match object.driver.connected() {
            None => Ok(SSH_AGAIN),
            Some(outcome) => Ok(outcome.map(|()| SSH_OK)?),
        })
    })
}

// --- behind the functions -------------------------------------------------------------------------

/// The driver's form of functions of the program's.
pub(crate) fn of_program(
    read: ssh_stream_read_callback,
    write: ssh_stream_write_callback,
    close: ssh_stream_close_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> Outcome<Arc<dyn ByteStream>> {
    let (Some(read), Some(write)) = (read, write) else {
        return Err(Failure::invalid("the read or write function is NULL"));
    };
    Ok(Arc::new(ProgramStream {
        read,
        write,
        close,
        userdata: Userdata::new(userdata, destroy),
    }))
}

/// The program's functions with what they share.
struct ProgramStream {
    read: unsafe extern "C" fn(*mut c_void, usize, i32, *mut c_void) -> i32,
    write: unsafe extern "C" fn(*const c_void, usize, i32, *mut c_void) -> i32,
    close: ssh_stream_close_callback,
    userdata: Userdata,
}

impl ByteStream for ProgramStream {
    fn read(&self, buffer: &mut [u8], time: Duration) -> Result<usize, StreamFault> {
        let (at, capacity) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: the buffer is ours to be written during the call. The program says that the function may be called
        // with this userdata from any thread until destroy is called, which the share held here prevents.
        let moved =
            unsafe { (self.read)(at, capacity, milliseconds(time), self.userdata.pointer()) };
        count(moved)
    }

    fn write(&self, bytes: &[u8], time: Duration) -> Result<usize, StreamFault> {
        let (at, length) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: the bytes live during the call; the rest as above.
        let moved =
            unsafe { (self.write)(at, length, milliseconds(time), self.userdata.pointer()) };
        count(moved)
    }

    fn close(&self) {
        if let Some(close) = self.close {
            // SAFETY: as above.
            unsafe { close(self.userdata.pointer()) }
        }
    }
}

fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

fn count(moved: i32) -> Result<usize, StreamFault> {
    match usize::try_from(moved) {
        Ok(count) => Ok(count),
        Err(_) if moved == SSH_ERR_TIMEOUT => Err(StreamFault::NotYet),
        Err(_) => Err(StreamFault::Failed(moved)),
    }
}
