//! The packet layer by itself, for programs that speak SSH packet by packet.
//!
//! The packets are made and taken apart by the [`Sealer`] and the [`Opener`] that transports use; here are only the
//! stream, the waiting, and the seed's handshake timer, keepalive and rekey flag. No thread belongs to it: whoever
//! calls reads and writes the stream. Reading and writing have a turn each (`turn`), and no lock is held while a
//! call waits or a callback runs. `state` is a leaf.

mod turn;
mod wire;

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::driver::sync::Mutex;
use zeroize::{Zeroize, Zeroizing};

use self::turn::Turn;
use self::wire::Wire;
use super::log::{hexdump, LogLevel, LogSink, LogTarget, PROCESS_LOG};
use super::sending::holds_secrets;
use super::stream::{ByteStream, Socket};
use super::wait::{Deadline, Timeout};
use crate::error::Error;
use crate::packet::{
    Counters, OpenKeys, Opener, PayloadPlace, RekeyLimits, SealKeys, Sealer, MAX_PACKET_LENGTH,
};

/// Is called when nothing was read or written for the interval.
pub type IdleCallback = Arc<dyn Fn() + Send + Sync>;

/// A packet of the peer.
pub struct Received {
    /// Its sequence number.
    pub sequence: u32,
    /// Its payload: one byte at least.
    pub payload: Zeroizing<Vec<u8>>,
}

/// What became of a packet that was given to [`Packetizer::send_message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The stream has taken all of it.
    Whole,
    /// It is sealed, and its rest leaves before anything else.
    Begun,
}

/// The packet layer over a stream.
pub struct Packetizer {
    wire: Wire,
    receiving: Turn<Receiving>,
    sending: Turn<Sending>,
    state: Mutex<State>,
    log: LogTarget,
}

struct Receiving {
    opener: Opener,
    /// What was read from the stream and not used yet.
    unread: Vec<u8>,
    /// The opener has seen the front of `unread`, which may be decrypted in part.
    begun: bool,
}

struct Sending {
    sealer: Sealer,
    /// Sealed bytes that the stream has not taken yet: one packet at most.
    pending: Vec<u8>,
}

struct State {
    limits: RekeyLimits,
    /// A limit was reached and not both directions have new keys since.
    rekey: Option<Rekey>,
    handshake: Option<Instant>,
    keepalive: Option<(Duration, IdleCallback)>,
    /// When bytes last went over the stream, or the callback ran.
    busy: Instant,
}

#[derive(Default)]
struct Rekey {
    told: bool,
    sending_replaced: bool,
    receiving_replaced: bool,
}

impl Packetizer {
    /// Takes over the number of a connected stream socket that the caller owns and gives up on success.
    pub fn from_socket(descriptor: RawFd) -> Result<Self, Error> {
        Ok(Self::over(Wire::over_socket(Socket::from_raw(descriptor)?)))
    }

    /// Over functions of the application's.
    pub fn from_stream(stream: Arc<dyn ByteStream>) -> Self {
        Self::over(Wire::over_callbacks(stream))
    }

    fn over(wire: Wire) -> Self {
        Packetizer {
            wire,
            receiving: Turn::new(Receiving {
                opener: Opener::new(),
                unread: Vec::new(),
                begun: false,
            }),
            sending: Turn::new(Sending {
                sealer: Sealer::new(),
                pending: Vec::new(),
            }),
            state: Mutex::new(State {
                limits: RekeyLimits::default(),
                rekey: None,
                handshake: None,
                keepalive: None,
                busy: Instant::now(),
            }),
            log: LogTarget::off(),
        }
    }

    // ---- reading --------------------------------------------------------------------------------------

    /// Reads `buffer` full; how much of it was read, and what kept the rest from it. Fewer bytes without an error
    /// say that the stream has ended.
    pub fn read_all(
        &self,
        buffer: &mut [u8],
        check_rekey: bool,
        timeout: Timeout,
    ) -> (usize, Result<(), Error>) {
        let deadline = timeout.deadline();
        let mut count = 0;
        let outcome = self.receiving.with(deadline, READ, |receiving| {
            receiving.check_raw()?;
            self.check_handshake()?;
            while count < buffer.len() {
                if receiving.unread.is_empty() {
                    let more = if count == 0 && check_rekey {
                        self.fill_or_tell(receiving, deadline)?
                    } else {
                        self.fill(receiving, deadline)?
                    };
                    if !more {
                        break;
                    }
                }
                let rest = buffer.get_mut(count..).unwrap_or_default();
                count += receiving.take(rest);
            }
            Ok(())
        });
        (count, outcome)
    }

    /// Reads a line that ends with LF or CR LF, and returns it without them; `None` when the stream has ended before
    /// it began.
    ///
    /// # Errors
    /// A line of more than 8192 bytes is refused.
    pub fn readline(&self, timeout: Timeout) -> Result<Option<Vec<u8>>, Error> {
        let deadline = timeout.deadline();
        self.receiving.with(deadline, READ, |receiving| {
            receiving.check_raw()?;
            self.check_handshake()?;
            loop {
                let within = receiving.unread.iter().take(MAX_LINE);
                if let Some(end) = within.into_iter().position(|byte| *byte == b'\n') {
                    let mut line: Vec<u8> = receiving.unread.drain(..=end).collect();
                    line.pop();
                    if line.last() == Some(&b'\r') {
                        line.pop();
                    }
                    return Ok(Some(line));
                }
                if receiving.unread.len() >= MAX_LINE {
                    return Err(Error::Limit("a line of more than 8192 bytes"));
                }
                if !self.fill(receiving, deadline)? {
                    return receiving.end().map(|()| None);
                }
            }
        })
    }

    /// Reads a packet; `None` when the stream has ended before one began.
    ///
    /// # Errors
    /// [`Error::RekeyNeeded`] once when a limit was reached and no packet has begun to arrive. A packet that fails a
    /// check ends reading: every later call fails the same way.
    pub fn read_message(&self, timeout: Timeout) -> Result<Option<Received>, Error> {
        let deadline = timeout.deadline();
        self.receiving.with(deadline, READ, |receiving| loop {
            // A peer that always has something to say is no exception.
            self.check_handshake()?;
            if let Some(received) = receiving.open()? {
                self.note(receiving.opener.counters());
                self.dump("received", &received.payload);
                return Ok(Some(received));
            }
            if !self.fill_or_tell(receiving, deadline)? {
                return receiving.end().map(|()| None);
            }
        })
    }

    /// As [`fill`](Self::fill), but says that new keys are needed before it waits for the first byte of something.
    fn fill_or_tell(&self, receiving: &mut Receiving, deadline: Deadline) -> Result<bool, Error> {
        if receiving.unread.is_empty() && self.is_rekey_untold() {
            match self.fill(receiving, Timeout::NOW.deadline()) {
                Err(Error::Timeout(what)) if what == READ => self.tell_rekey()?,
                other => return other,
            }
        }
        self.fill(receiving, deadline)
    }

    /// Reads at least one byte; false when the stream has ended.
    fn fill(&self, receiving: &mut Receiving, deadline: Deadline) -> Result<bool, Error> {
        let start = receiving.unread.len();
        loop {
            self.check_handshake()?;
            let time = self.time_to_wait(deadline);
            receiving.unread.resize(start + READ_BYTES, 0);
            let room = receiving.unread.get_mut(start..).unwrap_or_default();
            let outcome = self.wire.read(room, time);
            let count = outcome.as_ref().ok().copied().flatten().unwrap_or(0);
            receiving.unread.truncate(start + count);
            match outcome? {
                Some(count) => {
                    self.state.lock().busy = Instant::now();
                    return Ok(count > 0);
                }
                None => self.time_has_passed(deadline, READ)?,
            }
        }
    }

    // ---- writing --------------------------------------------------------------------------------------

    /// Writes bytes as they are; how many, and what kept the rest from it.
    pub fn write_all(&self, bytes: &[u8], timeout: Timeout) -> (usize, Result<(), Error>) {
        let deadline = timeout.deadline();
        let mut count = 0;
        let outcome = self.sending.with(deadline, WRITE, |sending| {
            self.push(sending, deadline)?;
            while count < bytes.len() {
                let rest = bytes.get(count..).unwrap_or_default();
                count += self.write_some(rest, deadline)?;
            }
            Ok(())
        });
        (count, outcome)
    }

    /// Sends a packet with this payload.
    ///
    /// # Errors
    /// On every error, a passed deadline included, nothing of it was taken.
    pub fn send_message(&self, payload: &[u8], timeout: Timeout) -> Result<Sent, Error> {
        if payload.is_empty() || payload.len() > MAX_PAYLOAD {
            return Err(Error::ApiMisuse("a payload has from 1 byte to 255 KiB"));
        }
        let deadline = timeout.deadline();
        self.sending.with(deadline, WRITE, |sending| {
            self.push(sending, deadline)?;
            self.check_handshake()?;
            self.wire.check_open()?;
            sending.sealer.seal(&[payload], &mut sending.pending)?;
            self.note(sending.sealer.counters());
            self.dump("sent", payload);
            match self.push(sending, deadline) {
                Ok(()) => Ok(Sent::Whole),
                Err(Error::Timeout(_) | Error::Expired(_)) => Ok(Sent::Begun),
                Err(error) => Err(error),
            }
        })
    }

    /// Writes what is left of the last packet.
    pub fn flush(&self, timeout: Timeout) -> Result<(), Error> {
        let deadline = timeout.deadline();
        self.sending
            .with(deadline, WRITE, |sending| self.push(sending, deadline))
    }

    fn push(&self, sending: &mut Sending, deadline: Deadline) -> Result<(), Error> {
        while !sending.pending.is_empty() {
            let count = self.write_some(&sending.pending, deadline)?;
            sending.pending.drain(..count.min(sending.pending.len()));
        }
        Ok(())
    }

    fn write_some(&self, bytes: &[u8], deadline: Deadline) -> Result<usize, Error> {
        loop {
            self.check_handshake()?;
            let time = self.time_to_wait(deadline);
            if let Some(count) = self.wire.write(bytes, time)? {
                self.state.lock().busy = Instant::now();
                return Ok(count);
            }
            self.time_has_passed(deadline, WRITE)?;
        }
    }

    // ---- keys -----------------------------------------------------------------------------------------

    /// Opens every packet after the last one read with these keys.
    ///
    /// # Errors
    /// `ApiMisuse` while a call reads, and when a packet under the old keys has begun to arrive.
    pub fn set_inbound_cipher(&self, keys: OpenKeys) -> Result<(), Error> {
        self.receiving
            .with(Timeout::NOW.deadline(), READ, |receiving| {
                if receiving.begun {
                    return Err(Error::ApiMisuse(
                        "a packet under the old keys has begun to arrive",
                    ));
                }
                receiving.opener.install(keys);
                self.replaced(|rekey| rekey.receiving_replaced = true);
                Ok(())
            })
            .map_err(busy)
    }

    /// Seals every packet from the next one on with these keys.
    ///
    /// # Errors
    /// `ApiMisuse` while a call writes.
    pub fn set_outbound_cipher(&self, keys: SealKeys) -> Result<(), Error> {
        self.sending
            .with(Timeout::NOW.deadline(), WRITE, |sending| {
                sending.sealer.install(keys);
                self.replaced(|rekey| rekey.sending_replaced = true);
                Ok(())
            })
            .map_err(busy)
    }

    /// Whether a limit was reached and not both directions have got new keys since.
    pub fn need_rekey(&self) -> bool {
        self.state.lock().rekey.is_some()
    }

    /// Sets after how much new keys are needed, in either direction. Only packets and bytes count here.
    pub fn set_rekey_limits(&self, limits: RekeyLimits) {
        self.state.lock().limits = limits;
    }

    fn note(&self, counters: Counters) {
        let mut state = self.state.lock();
        if state.limits.reached(counters) {
            state.rekey.get_or_insert_default();
        }
    }

    fn replaced(&self, mark: impl FnOnce(&mut Rekey)) {
        let mut state = self.state.lock();
        if let Some(rekey) = &mut state.rekey {
            mark(rekey);
            if rekey.sending_replaced && rekey.receiving_replaced {
                state.rekey = None;
            }
        }
    }

    fn is_rekey_untold(&self) -> bool {
        let state = self.state.lock();
        state.rekey.as_ref().is_some_and(|rekey| !rekey.told)
    }

    /// Says once that new keys are needed: who was told goes on reading to get them.
    fn tell_rekey(&self) -> Result<(), Error> {
        match &mut self.state.lock().rekey {
            Some(rekey) if !rekey.told => {
                rekey.told = true;
                Err(Error::RekeyNeeded)
            }
            _ => Ok(()),
        }
    }

    // ---- time -----------------------------------------------------------------------------------------

    /// From now on reading and writing fail once `limit` has passed. Calls that wait already hear of it within a second.
    pub fn start_handshake(&self, limit: Duration) {
        // A time too far away to be written down never comes.
        self.state.lock().handshake = Instant::now().checked_add(limit);
    }

    /// Whether the handshake has begun, has not been completed, and has taken too long.
    pub fn handshake_timed_out(&self) -> bool {
        Deadline(self.state.lock().handshake).has_passed()
    }

    /// The handshake is over; its time does not count any more.
    pub fn complete_handshake(&self) {
        self.state.lock().handshake = None;
    }

    /// Has `callback` called by a call that waits, when nothing was read or written for `interval`; zero turns it
    /// off.
    pub fn set_keepalive(&self, interval: Duration, callback: Option<IdleCallback>) {
        let keepalive = callback
            .filter(|_| !interval.is_zero())
            .map(|callback| (interval, callback));
        let before = {
            let mut state = self.state.lock();
            state.busy = Instant::now();
            std::mem::replace(&mut state.keepalive, keepalive)
        };
        // The application's destroy hook may run here, without the lock.
        drop(before);
    }

    /// How long a call may wait before somebody must look at the time.
    fn time_to_wait(&self, deadline: Deadline) -> Duration {
        let state = self.state.lock();
        let idle = state
            .keepalive
            .as_ref()
            .and_then(|(interval, _)| state.busy.checked_add(*interval));
        [deadline, Deadline(state.handshake), Deadline(idle)]
            .into_iter()
            .filter_map(Deadline::remaining)
            .fold(LONGEST_WAIT, Duration::min)
    }

    fn time_has_passed(&self, deadline: Deadline, what: &'static str) -> Result<(), Error> {
        self.check_handshake()?;
        if deadline.has_passed() {
            return Err(Error::Timeout(what));
        }
        let callback = {
            let mut state = self.state.lock();
            let now = Instant::now();
            match &state.keepalive {
                Some((interval, callback)) if now.duration_since(state.busy) >= *interval => {
                    let callback = Arc::clone(callback);
                    state.busy = now;
                    Some(callback)
                }
                _ => None,
            }
        };
        if let Some(callback) = callback {
            callback();
        }
        Ok(())
    }

    fn check_handshake(&self) -> Result<(), Error> {
        if self.handshake_timed_out() {
            return Err(Error::Expired("handshake"));
        }
        Ok(())
    }

    // ---- the rest -------------------------------------------------------------------------------------

    /// Sets where the log goes; without a sink to that of the process.
    pub fn set_log(&self, level: LogLevel, sink: Option<LogSink>) {
        self.log.set(level, sink);
    }

    fn dump(&self, direction: &str, payload: &[u8]) {
        let sink = self.log.sink(LogLevel::Debug);
        if let Some(sink) = sink.or_else(|| PROCESS_LOG.sink(LogLevel::Debug)) {
            sink(
                LogLevel::Debug,
                "sshwire.packetizer",
                &hexdump(direction, payload),
            );
        }
    }

    /// Ends the stream. Calls that wait return with [`Error::Closed`].
    pub fn close(&self) {
        self.wire.close();
    }

    /// Ends the stream and lets go of everything of the application's.
    pub fn release(&self) {
        self.close();
        self.set_keepalive(Duration::ZERO, None);
        self.log.set(LogLevel::Error, None);
    }
}

impl Receiving {
    /// Opens the packet at the front, if it is all there.
    fn open(&mut self) -> Result<Option<Received>, Error> {
        self.begun = !self.unread.is_empty();
        let Some(opened) = self.opener.open(&mut self.unread)? else {
            return Ok(None);
        };
        // What is left behind is not there for ever: it may hold a password.
        let payload = match opened.payload {
            PayloadPlace::InPlace(range) => {
                let place = self.unread.get_mut(range).unwrap_or_default();
                let payload = Zeroizing::new(place.to_vec());
                if holds_secrets(&payload) {
                    place.zeroize();
                }
                payload
            }
            PayloadPlace::Inflated => {
                let payload = Zeroizing::new(self.opener.inflated().to_vec());
                if holds_secrets(&payload) {
                    self.opener.wipe_inflated();
                }
                payload
            }
        };
        self.unread.drain(..opened.consumed.min(self.unread.len()));
        self.begun = false;
        Ok(Some(Received {
            sequence: opened.sequence,
            payload,
        }))
    }

    /// Moves bytes that were read ahead into `buffer`.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.unread.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), self.unread.get(..count)) {
            to.copy_from_slice(from);
        }
        self.unread.drain(..count);
        count
    }

    fn check_raw(&self) -> Result<(), Error> {
        if self.begun {
            return Err(Error::ApiMisuse("a packet has begun to arrive"));
        }
        Ok(())
    }

    /// The stream has ended: well if nothing is left.
    fn end(&self) -> Result<(), Error> {
        if self.unread.is_empty() {
            Ok(())
        } else {
            Err(Error::ConnectionLost)
        }
    }
}

/// A turn that could not be had at once.
fn busy(error: Error) -> Error {
    match error {
        Error::Timeout(_) | Error::WouldDeadlock(_) => {
            Error::ApiMisuse("keys cannot change while a call reads or writes")
        }
        other => other,
    }
}

const READ: &str = "read";
const WRITE: &str = "write";
/// How much is read at once.
const READ_BYTES: usize = 32 * 1024;
/// Longest line, its end included.
const MAX_LINE: usize = 8192;
/// Leaves room for padding, whatever the cipher.
const MAX_PAYLOAD: usize = MAX_PACKET_LENGTH - 1024;
/// So that who waits already hears of a time that another thread has set.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
