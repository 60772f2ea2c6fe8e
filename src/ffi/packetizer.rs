//! `ssh_packetizer`: the packet layer by itself.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::crypto::algorithms::{self, CipherAlgorithm, CompressionKind, MacAlgorithm};
use crate::crypto::cipher::{self, DirectionKeys};
use crate::driver::{IdleCallback, Packetizer, Sent, Timeout};
use crate::packet::{OpenKeys, RekeyLimits, SealKeys};

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::log::{self, ssh_log_callback};
use super::memory;
use super::message::{self, ssh_message};
use super::status::{ssh_status, SSH_AGAIN, SSH_EOF, SSH_OK};
use super::stream::{
    self, ssh_stream_close_callback, ssh_stream_read_callback, ssh_stream_write_callback,
};
use super::time;
use super::transport::invalid_if_misuse;

/// The packet layer of SSH over a stream, for programs that speak the protocol packet by packet: scanners, test
/// tools, key exchanges of one's own. It frames, seals and opens packets exactly as an ssh_transport does, for it is
/// the same code, and decides nothing: which messages go over it is the program's business.
///
/// It has no thread. Calls read and write the stream themselves, one reading and one writing at a time; a second one
/// waits for the first, within its timeout. SSH_TIMEOUT_DEFAULT is SSH_TIMEOUT_FOREVER here.
#[allow(non_camel_case_types)]
pub struct ssh_packetizer {
    _opaque: [u8; 0],
}

impl Handle for ssh_packetizer {
    type Object = Packetizer;
    const TAG: u8 = 14;
    const NOUN: &'static str = "ssh_packetizer";
}

/// Is called when nothing was read or written for the interval.
///
/// Called on the thread that waits in a call on the packetizer, with no lock held. It may call any function of the
/// library but those that read from the packetizer, or write to it where the waiting call writes: these fail with
/// SSH_ERR_WOULD_DEADLOCK. It must not unwind or longjmp.
///
/// @param userdata  as set
#[allow(non_camel_case_types)]
pub type ssh_packetizer_keepalive_callback = Option<unsafe extern "C" fn(userdata: *mut c_void)>;

/// Makes a packetizer over a connected stream socket.
///
/// @param fd     the socket, which belongs to the packetizer from now on and is made non-blocking; on failure it stays
///               the caller's
/// @param error  receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_IO
/// @return a packetizer, freed with ssh_packetizer_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_new(
    fd: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_packetizer {
    guard::value_with(std::ptr::null_mut(), error, || {
        let driver = Packetizer::from_socket(fd).map_err(invalid_if_misuse)?;
        handle::insert(Arc::new(driver))
    })
}

/// Makes a packetizer over functions of the program's. They are called on the threads that call the packetizer, and
/// asked to wait a second at most each time; otherwise as for ssh_transport_new_stream().
///
/// @param read      reads
/// @param write     writes
/// @param close     ends the stream, called by ssh_packetizer_close() or ssh_packetizer_free(); or NULL
/// @param userdata  passed to all of them
/// @param destroy   ends userdata's life, or NULL
/// @param error     receives the detail, or NULL: SSH_ERR_INVALID_ARG
/// @return a packetizer, freed with ssh_packetizer_free(), or NULL; then none of the functions is ever called.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_new_stream(
    read: ssh_stream_read_callback,
    write: ssh_stream_write_callback,
    close: ssh_stream_close_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
    error: *mut *mut ssh_error,
) -> *mut ssh_packetizer {
    guard::value_with(std::ptr::null_mut(), error, || {
        let stream = stream::of_program(read, write, close, userdata, destroy)?;
        handle::insert(Arc::new(Packetizer::from_stream(stream)))
    })
}

/// Frees a packetizer and closes its stream. Calls that wait on it return with SSH_ERR_CLOSED.
///
/// @param packetizer  the packetizer; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_free(packetizer: *mut ssh_packetizer) {
    guard::value((), || {
        handle::take(packetizer)?.release();
        Ok(())
    });
}

/// Ends the stream in both directions. Calls that wait return with SSH_ERR_CLOSED, as do all later ones.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_close(packetizer: *mut ssh_packetizer) -> ssh_status {
    guard::status(|| {
        handle::get(packetizer)?.close();
        Ok(SSH_OK)
    })
}

// --- reading and writing --------------------------------------------------------------------------

/// Reads bytes as they are, before packets begin, until the buffer is full or the stream ends.
///
/// @param packetizer   the packetizer
/// @param buffer       where to put them
/// @param length       how many
/// @param check_rekey  whether to fail with SSH_ERR_NEED_REKEY, as ssh_packetizer_read_message() does, when nothing was
///                     read yet
/// @param timeout_ms   milliseconds for all of them
/// @param count        receives how many bytes are in the buffer now, also when the call fails
/// @param error        receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_STATE when a packet has begun to arrive,
///                     SSH_ERR_CONN_LOST, SSH_ERR_CLOSED
/// @return SSH_OK when the buffer is full, SSH_EOF when the stream has ended before, or a failure. Any thread.
///         Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_read_all(
    packetizer: *mut ssh_packetizer,
    buffer: *mut c_void,
    length: usize,
    check_rekey: bool,
    timeout_ms: i32,
    count: *mut usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(count, 0);
        let object = handle::get(packetizer)?;
        let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
        let buffer = memory::bytes_mut(buffer, length)?;
        let (read, outcome) = object.read_all(buffer, check_rekey, timeout);
        memory::write(count, read);
        outcome?;
        Ok(if read == length { SSH_OK } else { SSH_EOF })
    })
}

/// Reads a line, before packets begin. What comes behind it is kept for the next call.
///
/// @param packetizer  the packetizer
/// @param timeout_ms  milliseconds for the whole line
/// @param line        receives the line without its CR LF or LF, freed with ssh_memory_free(); it may hold any byte
/// @param length      receives how many bytes
/// @param error       receives the detail, or NULL: SSH_ERR_LIMIT past 8192 bytes, SSH_ERR_TIMEOUT, SSH_ERR_STATE
///                    when a packet has begun to arrive, SSH_ERR_CONN_LOST in the middle of a line, SSH_ERR_CLOSED
/// @return SSH_OK, SSH_EOF when the stream has ended, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_readline(
    packetizer: *mut ssh_packetizer,
    timeout_ms: i32,
    line: *mut *mut c_void,
    length: *mut usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::clear_bytes(line, length);
        let object = handle::get(packetizer)?;
        let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
        match object.readline(timeout)? {
            Some(bytes) => {
                memory::bytes_out(&bytes, line, length)?;
                Ok(SSH_OK)
            }
            None => Ok(SSH_EOF),
        }
    })
}

/// Writes bytes as they are, such as the identification line with its CR LF.
///
/// @param packetizer  the packetizer
/// @param data        the bytes
/// @param length      how many
/// @param timeout_ms  milliseconds for all of them
/// @param count       receives how many were written, also when the call fails; or NULL
/// @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_CONN_LOST, SSH_ERR_CLOSED
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_write_all(
    packetizer: *mut ssh_packetizer,
    data: *const c_void,
    length: usize,
    timeout_ms: i32,
    count: *mut usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(count, 0);
        let object = handle::get(packetizer)?;
        let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
        let (written, outcome) = object.write_all(memory::bytes(data, length)?, timeout);
        memory::write(count, written);
        outcome?;
        Ok(SSH_OK)
    })
}

/// Reads a packet, checks it and hands out its payload.
///
/// When a limit was reached and no packet has begun to arrive, the call fails with SSH_ERR_NEED_REKEY, once: send a
/// KEXINIT and go on reading. A packet that fails a check (SSH_ERR_MAC, SSH_ERR_PROTOCOL) ends reading for good. A
/// packet that has come in part when the time is over is read on by the next call.
///
/// @param packetizer  the packetizer
/// @param timeout_ms  milliseconds for the whole packet
/// @param received    receives the payload, freed with ssh_message_free()
/// @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_NEED_REKEY, SSH_ERR_MAC,
///                    SSH_ERR_PROTOCOL, SSH_ERR_CONN_LOST in the middle of a packet, SSH_ERR_CLOSED
/// @return SSH_OK, SSH_EOF when the stream has ended, or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_read_message(
    packetizer: *mut ssh_packetizer,
    timeout_ms: i32,
    received: *mut *mut ssh_message,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(received, std::ptr::null_mut());
        let object = handle::get(packetizer)?;
        let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
        if received.is_null() {
            return Err(Failure::invalid("nowhere to put the message"));
        }
        match object.read_message(timeout)? {
            Some(packet) => {
                memory::write(
                    received,
                    message::new_handle(packet.payload, packet.sequence)?,
                );
                Ok(SSH_OK)
            }
            None => Ok(SSH_EOF),
        }
    })
}

/// Sends a message as a packet, sealed with the present cipher.
///
/// @param packetizer  the packetizer
/// @param payload     the message, which stays the caller's; of 1 byte to 255 KiB
/// @param timeout_ms  milliseconds for what is left of the packet before and for this one
/// @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, and then nothing of the message was taken;
///                    SSH_ERR_INVALID_ARG, SSH_ERR_CONN_LOST, SSH_ERR_CLOSED
/// @return SSH_OK; SSH_AGAIN when the message was taken but has not left in full, which the next call or
///         ssh_packetizer_flush() sees to; or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_send_message(
    packetizer: *mut ssh_packetizer,
    payload: *const ssh_message,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(packetizer)?;
        let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
        let payload = message::content(payload)?;
        let sent = object.send_message(&payload, timeout);
        Ok(match sent.map_err(invalid_if_misuse)? {
            Sent::Whole => SSH_OK,
            Sent::Begun => SSH_AGAIN,
        })
    })
}

/// Writes what is left of the last packet.
///
/// @param packetizer  the packetizer
/// @param timeout_ms  milliseconds until it must have left
/// @return SSH_OK, SSH_AGAIN when it has not and timeout_ms is 0, SSH_ERR_TIMEOUT, SSH_ERR_CONN_LOST, SSH_ERR_CLOSED,
///         SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_flush(
    packetizer: *mut ssh_packetizer,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(packetizer)?;
        let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
        time::status_or_again(timeout, object.flush(timeout), time::ok)
    })
}

// --- keys -----------------------------------------------------------------------------------------

/// How many bytes of key material a cipher and a MAC take, each to be derived as in RFC 4253 section 7.2.
///
/// @param cipher   the cipher's name in KEXINIT
/// @param mac      the MAC's name, encrypt-then-MAC included; NULL or "" for a cipher that brings its own
/// @param iv       receives the bytes of the initial IV; 0 for chacha20-poly1305@openssh.com
/// @param key      receives the bytes of the encryption key
/// @param mac_key  receives the bytes of the integrity key; 0 where there is no MAC
/// @return SSH_OK, SSH_ERR_INVALID_ARG for an unknown name or two that do not belong together. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_key_lengths(
    cipher: *const c_char,
    mac: *const c_char,
    iv: *mut usize,
    key: *mut usize,
    mac_key: *mut usize,
) -> ssh_status {
    guard::status(|| {
        for out in [iv, key, mac_key] {
            memory::write(out, 0);
        }
        let suite = suite(cipher, mac)?;
        memory::write(iv, suite.cipher.iv_len);
        memory::write(key, suite.cipher.key_len);
        memory::write(mac_key, suite.mac.map_or(0, |mac| mac.key_len));
        Ok(SSH_OK)
    })
}

/// Opens every packet after the last one read with these keys. To be called after SSH_MSG_NEWKEYS was read.
///
/// Block size, MAC length and the order of encryption and MAC follow from the names. All lengths must be those of
/// ssh_packetizer_key_lengths().
///
/// @param packetizer      the packetizer
/// @param cipher          the cipher's name in KEXINIT, those for old gear included
/// @param key             the encryption key
/// @param key_length      its bytes
/// @param iv              the initial IV; NULL where there is none
/// @param iv_length       its bytes
/// @param mac             the MAC's name; NULL or "" for a cipher that brings its own
/// @param mac_key         the integrity key; NULL where there is none
/// @param mac_key_length  its bytes
/// @param reset_sequence  whether the sequence number starts again at 0, as in strict key exchange
/// @param error           receives the detail, or NULL: SSH_ERR_INVALID_ARG; SSH_ERR_STATE while another call reads,
///                        or when a packet under the old keys has begun to arrive
/// @return SSH_OK or a failure, after which the old keys hold. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_set_inbound_cipher(
    packetizer: *mut ssh_packetizer,
    cipher: *const c_char,
    key: *const c_void,
    key_length: usize,
    iv: *const c_void,
    iv_length: usize,
    mac: *const c_char,
    mac_key: *const c_void,
    mac_key_length: usize,
    reset_sequence: bool,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(packetizer)?;
        let suite = suite(cipher, mac)?;
        let keys = suite.keys(
            memory::bytes(iv, iv_length)?,
            memory::bytes(key, key_length)?,
            memory::bytes(mac_key, mac_key_length)?,
        )?;
        let packet = cipher::opener(suite.cipher, suite.mac, &keys).map_err(|_| unfit())?;
        object.set_inbound_cipher(OpenKeys {
            packet,
            compression: CompressionKind::None,
            reset_sequence,
        })?;
        Ok(SSH_OK)
    })
}

/// Seals every packet from the next one on with these keys. To be called after SSH_MSG_NEWKEYS was sent.
///
/// @param packetizer      the packetizer
/// @param cipher          the cipher's name in KEXINIT, those for old gear included
/// @param key             the encryption key
/// @param key_length      its bytes
/// @param iv              the initial IV; NULL where there is none
/// @param iv_length       its bytes
/// @param mac             the MAC's name; NULL or "" for a cipher that brings its own
/// @param mac_key         the integrity key; NULL where there is none
/// @param mac_key_length  its bytes
/// @param reset_sequence  whether the sequence number starts again at 0, as in strict key exchange
/// @param error           receives the detail, or NULL: SSH_ERR_INVALID_ARG; SSH_ERR_STATE while another call writes
/// @return SSH_OK or a failure, after which the old keys hold. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_set_outbound_cipher(
    packetizer: *mut ssh_packetizer,
    cipher: *const c_char,
    key: *const c_void,
    key_length: usize,
    iv: *const c_void,
    iv_length: usize,
    mac: *const c_char,
    mac_key: *const c_void,
    mac_key_length: usize,
    reset_sequence: bool,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(packetizer)?;
        let suite = suite(cipher, mac)?;
        let keys = suite.keys(
            memory::bytes(iv, iv_length)?,
            memory::bytes(key, key_length)?,
            memory::bytes(mac_key, mac_key_length)?,
        )?;
        let packet = cipher::sealer(suite.cipher, suite.mac, &keys).map_err(|_| unfit())?;
        object.set_outbound_cipher(SealKeys {
            packet,
            compression: CompressionKind::None,
            reset_sequence,
        })?;
        Ok(SSH_OK)
    })
}

/// Whether new keys should be negotiated: a limit was reached in either direction, and not both have got new keys
/// since.
///
/// @return false also when `packetizer` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_need_rekey(packetizer: *const ssh_packetizer) -> bool {
    guard::value(false, || Ok(handle::get(packetizer)?.need_rekey()))
}

/// Sets after how much under one set of keys new ones are needed, in either direction.
///
/// @param packetizer  the packetizer
/// @param bytes       so many bytes; 0 for the default of 1 GiB
/// @param packets     so many packets; 0 for the default of 2^31. After 2^32 nothing is sealed or opened any more
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_set_rekey_limits(
    packetizer: *mut ssh_packetizer,
    bytes: u64,
    packets: u64,
) -> ssh_status {
    guard::status(|| {
        let mut limits = RekeyLimits::default();
        if bytes > 0 {
            limits.bytes = bytes;
        }
        if packets > 0 {
            limits.packets = packets;
        }
        handle::get(packetizer)?.set_rekey_limits(limits);
        Ok(SSH_OK)
    })
}

// --- time and log ---------------------------------------------------------------------------------

/// Starts the timer of the handshake. Once it has run out, calls that read or write fail with SSH_ERR_TIMEOUT; those that
/// wait already when it is started hear of it within a second.
///
/// @param packetizer  the packetizer
/// @param timeout_ms  milliseconds, or SSH_TIMEOUT_FOREVER
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_start_handshake(
    packetizer: *mut ssh_packetizer,
    timeout_ms: i32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(packetizer)?;
        object.start_handshake(time::limit(time::timeout(timeout_ms, Timeout::Forever)?));
        Ok(SSH_OK)
    })
}

/// Whether the handshake was started and not completed in time.
///
/// @return false when it was never started or is complete, and when `packetizer` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_handshake_timed_out(
    packetizer: *const ssh_packetizer,
) -> bool {
    guard::value(false, || Ok(handle::get(packetizer)?.handshake_timed_out()))
}

/// The handshake is over: its timer stops.
///
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_complete_handshake(
    packetizer: *mut ssh_packetizer,
) -> ssh_status {
    guard::status(|| {
        handle::get(packetizer)?.complete_handshake();
        Ok(SSH_OK)
    })
}

/// Has a function called each time nothing was read or written for the interval. As there is no thread, that happens
/// while a call waits.
///
/// @param packetizer   the packetizer
/// @param interval_ms  milliseconds; 0 turns it off
/// @param callback     is called, or NULL to turn it off
/// @param userdata     passed to the callback
/// @param destroy      ends userdata's life once it is replaced or the packetizer is gone, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_set_keepalive(
    packetizer: *mut ssh_packetizer,
    interval_ms: i32,
    callback: ssh_packetizer_keepalive_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(packetizer)?;
        let interval =
            u64::try_from(interval_ms).map_err(|_| Failure::invalid("a negative interval"))?;
        let userdata = Userdata::new(userdata, destroy);
        let callback = callback.map(|function| -> IdleCallback {
            // SAFETY: the program says that the function may be called with this userdata until destroy is called,
            // which the closure prevents.
            Arc::new(move || unsafe { function(userdata.pointer()) })
        });
        object.set_keepalive(Duration::from_millis(interval), callback);
        Ok(SSH_OK)
    })
}

/// Sets where the log goes: at SSH_LOG_DEBUG a line for each packet, in hexadecimal and without what may hold a
/// password. Lines come on the thread that sends or reads the packet.
///
/// @param packetizer  the packetizer
/// @param callback    receives the lines, or NULL to go back to the process's callback
/// @param level       the most detailed level to pass on, SSH_LOG_NONE to SSH_LOG_DEBUG
/// @param userdata    passed to the callback
/// @param destroy     ends userdata's life once it is replaced or the packetizer is gone, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_packetizer_set_log(
    packetizer: *mut ssh_packetizer,
    callback: ssh_log_callback,
    level: i32,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(packetizer)?;
        let (level, sink) = log::sink(callback, level, userdata, destroy)?;
        object.set_log(level, sink);
        Ok(SSH_OK)
    })
}

// --- behind the handle ----------------------------------------------------------------------------

/// A cipher and the MAC that goes with it.
struct Suite {
    cipher: &'static CipherAlgorithm,
    mac: Option<&'static MacAlgorithm>,
}

impl Suite {
    fn keys(&self, iv: &[u8], key: &[u8], mac_key: &[u8]) -> Outcome<DirectionKeys> {
        let lengths = [iv.len(), key.len(), mac_key.len()];
        let mac_key_len = self.mac.map_or(0, |mac| mac.key_len);
        let needed = [self.cipher.iv_len, self.cipher.key_len, mac_key_len];
        if lengths != needed {
            let [iv, key, mac_key] = needed;
            return Err(Failure::invalid(format!(
                "{} takes {key} bytes of key, {iv} of IV and {mac_key} of MAC key",
                self.cipher.name
            )));
        }
        Ok(DirectionKeys {
            iv: Zeroizing::new(iv.to_vec()),
            key: Zeroizing::new(key.to_vec()),
            mac_key: Zeroizing::new(mac_key.to_vec()),
        })
    }
}

fn suite(cipher: *const c_char, mac: *const c_char) -> Outcome<Suite> {
    let name = memory::text(cipher, "the cipher")?;
    let cipher = algorithms::cipher(name).ok_or_else(|| Failure::invalid("an unknown cipher"))?;
    let mac = match memory::optional_text(mac)? {
        None | Some("") => None,
        Some(name) => {
            Some(algorithms::mac(name).ok_or_else(|| Failure::invalid("an unknown MAC"))?)
        }
    };
    match (cipher.aead, mac.is_some()) {
        (true, true) => Err(Failure::invalid(
            "a cipher that brings its own MAC takes none",
        )),
        (false, false) => Err(Failure::invalid("the cipher needs a MAC")),
        _ => Ok(Suite { cipher, mac }),
    }
}

fn unfit() -> Failure {
    Failure::internal("keys of the right lengths were refused")
}
