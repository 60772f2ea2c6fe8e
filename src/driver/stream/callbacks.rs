//! A stream that is functions of the application's, which may block.
//!
//! Two threads belong to it: one that reads and one that writes, for neither may hold up the other, nor an I/O
//! thread. Between them and the transport are two bounded buffers behind one lock, a leaf but for the commands of the I/O
//! thread. Both threads call the application with no lock held, and a call that never returns holds up nobody but
//! itself: closing tells the application to end it and does not wait for that.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Progress, Waker};
use crate::driver::engine::{Engine, Worker};
use crate::driver::sync::{Condvar, Mutex, MutexGuard, Rank};
use crate::driver::sys::thread;
use crate::error::Error;

/// Most bytes in each of the two buffers.
const BUFFER_BYTES: usize = 256 * 1024;
/// Most bytes of one call.
const CALL_BYTES: usize = 64 * 1024;
/// How long one call is asked to wait: a function that keeps to it notices the end by itself.
const CALL_TIME: Duration = Duration::from_secs(1);
/// The longest pause before a function is called again that had nothing and did not wait.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Why a call of the application's moved nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFault {
    /// Nothing could be moved in the time given; call again.
    NotYet,
    /// It failed, with a status of the application's choice, which is negative.
    Failed(i32),
    /// It said that it moved more than it was given.
    Nonsense,
}

/// A stream of the application's. [`read`](Self::read) and [`write`](Self::write) are called by one thread each,
/// [`close`](Self::close) by a third one, once.
pub trait ByteStream: Send + Sync {
    /// Moves at least one byte into `buffer`, which is not empty, waiting for it at most `time`. 0 is the end.
    fn read(&self, buffer: &mut [u8], time: Duration) -> Result<usize, StreamFault>;
    /// Takes at least one of `bytes`, which are not empty, waiting at most `time`. 0 says that the stream is closed.
    fn write(&self, bytes: &[u8], time: Duration) -> Result<usize, StreamFault>;
    /// Ends the stream, and calls of the other two that are under way.
    fn close(&self);
}

/// The transport's side of a stream of the application's.
pub(crate) struct CallbackStream {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    /// The reading thread waits for room.
    room: Condvar,
    /// The writing thread waits for bytes.
    bytes: Condvar,
    waker: Arc<Waker>,
}

struct State {
    /// Until it is closed.
    stream: Option<Arc<dyn ByteStream>>,
    received: Vec<u8>,
    /// What ended reading; 0 bytes are `Ok`.
    end: Option<Result<(), Error>>,
    to_send: Vec<u8>,
    /// What ended writing.
    broken: bool,
    /// The transport was told that there is no room.
    wants_room: bool,
}

impl CallbackStream {
    pub(crate) fn new(stream: Arc<dyn ByteStream>) -> Self {
        let state = State {
            stream: Some(stream),
            received: Vec::new(),
            end: None,
            to_send: Vec::new(),
            broken: false,
            wants_room: false,
        };
        CallbackStream {
            inner: Arc::new(Inner {
                state: Mutex::ranked(state, Rank::BEFORE_LEAVES),
                room: Condvar::new(),
                bytes: Condvar::new(),
                waker: Waker::new(),
            }),
        }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.inner.waker
    }

    pub(crate) fn is_open(&self) -> bool {
        self.inner.state.lock().stream.is_some()
    }

    /// Starts the two threads.
    pub(crate) fn attach(&self, worker: &Arc<Worker>, key: u64) -> Result<(), Error> {
        self.inner.waker.attach(worker, key);
        let (reading, writing) = (Arc::clone(&self.inner), Arc::clone(&self.inner));
        thread::spawn("sshwire-read", move || reading.read_on())
            .and_then(|()| thread::spawn("sshwire-write", move || writing.write_on()))
            .map_err(|_| Error::Resource("a thread of a stream could not be started"))
    }

    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Progress, Error> {
        let mut state = self.inner.state.lock();
        self.inner.waker.begin_reading();
        if state.received.is_empty() {
            return match &state.end {
                None => Ok(Progress::WouldBlock),
                Some(end) => {
                    self.inner.waker.leave_rest();
                    end.clone().map(|()| Progress::Moved(0))
                }
            };
        }
        let count = buffer.len().min(state.received.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), state.received.get(..count)) {
            to.copy_from_slice(from);
        }
        state.received.drain(..count);
        if state.received.is_empty() {
            // An idle stream has no buffer.
            state.received = Vec::new();
        }
        if !state.received.is_empty() || state.end.is_some() {
            self.inner.waker.leave_rest();
        }
        self.inner.room.notify_one();
        Ok(Progress::Moved(count))
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> Result<Progress, Error> {
        let mut state = self.inner.state.lock();
        if state.broken || state.stream.is_none() {
            return Err(Error::ConnectionLost);
        }
        let room = BUFFER_BYTES.saturating_sub(state.to_send.len());
        let part = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        if part.is_empty() {
            state.wants_room = true;
            return Ok(Progress::WouldBlock);
        }
        state.to_send.extend_from_slice(part);
        self.inner.bytes.notify_one();
        Ok(Progress::Moved(part.len()))
    }

    pub(crate) fn close(&self) {
        let stream = self.inner.state.lock().stream.take();
        self.inner.room.notify_all();
        self.inner.bytes.notify_all();
        let Some(stream) = stream else { return };
        // On a thread where the application may block, and where no lock is held.
        if let Ok(engine) = Engine::get() {
            engine.pool().spawn(Box::new(move || stream.close()));
        }
    }
}

impl Drop for CallbackStream {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    /// Waits until `ready` holds; `None` when the stream was closed meanwhile.
    fn wait(
        &self,
        condition: &Condvar,
        ready: impl Fn(&State) -> bool,
    ) -> Option<(MutexGuard<'_, State>, Arc<dyn ByteStream>)> {
        let mut state = self.state.lock();
        loop {
            let stream = state.stream.clone()?;
            if ready(&state) {
                return Some((state, stream));
            }
            condition.wait(&mut state);
        }
    }

    fn read_on(&self) {
        let mut buffer = vec![0; CALL_BYTES];
        let mut pause = Pause::default();
        while let Some((state, stream)) =
            self.wait(&self.room, |state| state.received.len() < BUFFER_BYTES)
        {
            drop(state);
            let called = Instant::now();
            let outcome = guarded(|| stream.read(&mut buffer, CALL_TIME), CALL_BYTES);
            // The application's last reference may go here, and with it what it wants destroyed.
            drop(stream);
            let end = match outcome {
                Ok(0) => Ok(()),
                Ok(count) => {
                    pause.reset();
                    let read = buffer.get(..count).unwrap_or_default();
                    self.state.lock().received.extend_from_slice(read);
                    self.waker.readable();
                    continue;
                }
                Err(StreamFault::NotYet) => {
                    pause.after(called);
                    continue;
                }
                Err(fault) => Err(fault.error("read")),
            };
            self.state.lock().end = Some(end);
            self.waker.readable();
            return;
        }
    }

    fn write_on(&self) {
        let mut pause = Pause::default();
        while let Some((mut state, stream)) =
            self.wait(&self.bytes, |state| !state.to_send.is_empty())
        {
            let mut bytes = std::mem::take(&mut state.to_send);
            if std::mem::take(&mut state.wants_room) {
                self.waker.writable();
            }
            drop(state);
            while !bytes.is_empty() {
                let called = Instant::now();
                let part = bytes.get(..CALL_BYTES).unwrap_or(&bytes);
                match guarded(|| stream.write(part, CALL_TIME), part.len()) {
                    Ok(count) if count > 0 => {
                        pause.reset();
                        bytes.drain(..count);
                    }
                    Err(StreamFault::NotYet) if self.state.lock().stream.is_some() => {
                        pause.after(called);
                    }
                    outcome => return self.stop_writing(outcome),
                }
            }
        }
    }

    /// Nothing can be written any more, and that is the end also of reading, after what has been read.
    fn stop_writing(&self, outcome: Result<usize, StreamFault>) {
        let mut state = self.state.lock();
        state.broken = true;
        state.to_send = Vec::new();
        let end = outcome.map(drop).map_err(|fault| fault.error("write"));
        state.end.get_or_insert(end);
        drop(state);
        // Has the transport find out.
        self.waker.writable();
        self.waker.readable();
    }
}

impl StreamFault {
    pub(crate) fn error(self, operation: &'static str) -> Error {
        match self {
            StreamFault::Failed(status) => Error::Stream { operation, status },
            StreamFault::NotYet | StreamFault::Nonsense => Error::StreamNonsense(operation),
        }
    }
}

/// Calls the application; a panic is a failure, and so is a count that cannot be.
pub(crate) fn guarded(
    call: impl FnOnce() -> Result<usize, StreamFault>,
    most: usize,
) -> Result<usize, StreamFault> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(count)) if count > most => Err(StreamFault::Nonsense),
        Ok(outcome) => outcome,
        Err(_) => Err(StreamFault::Nonsense),
    }
}

/// Keeps a function from being called in circles.
#[derive(Default)]
struct Pause(Duration);

impl Pause {
    fn reset(&mut self) {
        self.0 = Duration::ZERO;
    }

    /// Waits before the next call if the one at `called` did not wait itself.
    fn after(&mut self, called: Instant) {
        if called.elapsed() >= CALL_TIME / 2 {
            return self.reset();
        }
        self.0 = (self.0 * 2).clamp(Duration::from_millis(1), LONGEST_PAUSE);
        std::thread::sleep(self.0);
    }
}
