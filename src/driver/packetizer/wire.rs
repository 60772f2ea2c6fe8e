//! A stream that the calling thread itself reads and writes, waiting a bounded time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{shutdown, Shutdown};

use crate::driver::stream::{guarded, ByteStream, Progress, Socket, StreamFault};
use crate::error::Error;

pub(super) struct Wire {
    stream: Stream,
    closed: AtomicBool,
}

enum Stream {
    Socket(Socket),
    Callbacks(Arc<dyn ByteStream>),
}

impl Wire {
    pub(super) fn over_socket(socket: Socket) -> Self {
        Self::new(Stream::Socket(socket))
    }

    pub(super) fn over_callbacks(stream: Arc<dyn ByteStream>) -> Self {
        Self::new(Stream::Callbacks(stream))
    }

    fn new(stream: Stream) -> Self {
        Wire {
            stream,
            closed: AtomicBool::new(false),
        }
    }

    /// Reads what has come, waiting for it at most `time`. `None` is "not yet", 0 the end.
    pub(super) fn read(&self, buffer: &mut [u8], time: Duration) -> Result<Option<usize>, Error> {
        self.check_open()?;
        let outcome = match &self.stream {
            Stream::Socket(socket) => {
                let now = moved(socket.receive(buffer));
                self.or_after_waiting(socket, PollFlags::IN, time, now, || {
                    moved(socket.receive(buffer))
                })
            }
            Stream::Callbacks(stream) => {
                let most = buffer.len();
                call("read", time, |time| {
                    guarded(|| stream.read(buffer, time), most)
                })
            }
        };
        // What the end of the stream looks like after close() is no concern of the caller's.
        self.check_open()?;
        outcome
    }

    /// Writes what is taken, waiting for room at most `time`. `None` is "not yet".
    pub(super) fn write(&self, bytes: &[u8], time: Duration) -> Result<Option<usize>, Error> {
        self.check_open()?;
        let outcome = match &self.stream {
            Stream::Socket(socket) => {
                let now = moved(socket.send(bytes));
                self.or_after_waiting(socket, PollFlags::OUT, time, now, || {
                    moved(socket.send(bytes))
                })
            }
            Stream::Callbacks(stream) => call("write", time, |time| {
                guarded(|| stream.write(bytes, time), bytes.len())
            }),
        };
        self.check_open()?;
        match outcome {
            Ok(Some(0)) if !bytes.is_empty() => Err(Error::ConnectionLost),
            other => other,
        }
    }

    fn or_after_waiting(
        &self,
        socket: &Socket,
        flags: PollFlags,
        time: Duration,
        now: Result<Option<usize>, Error>,
        again: impl FnOnce() -> Result<Option<usize>, Error>,
    ) -> Result<Option<usize>, Error> {
        match now {
            Ok(None) if !time.is_zero() => {
                wait(socket, flags, time)?;
                self.check_open()?;
                again()
            }
            other => other,
        }
    }

    /// Ends it for both sides and wakes calls that wait. The descriptor goes with the last of them.
    pub(super) fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        match &self.stream {
            Stream::Socket(socket) => {
                let _ = socket.with_descriptor(|descriptor| shutdown(descriptor, Shutdown::Both));
            }
            Stream::Callbacks(stream) => stream.close(),
        }
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        Ok(())
    }
}

/// Waits until the socket may be ready; also when it is broken, which the next call finds out.
fn wait(socket: &Socket, flags: PollFlags, time: Duration) -> Result<(), Error> {
    let time = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    socket
        .with_descriptor(|descriptor| {
            let mut ready = [PollFd::from_borrowed_fd(descriptor, flags)];
            match poll(&mut ready, Some(&time)) {
                // A signal of the program's ends the wait early; its deadline stays what it was.
                Err(Errno::INTR) => Ok(0),
                other => other,
            }
        })
        .map(drop)
}

fn moved(progress: Result<Progress, Error>) -> Result<Option<usize>, Error> {
    Ok(match progress? {
        Progress::Moved(count) => Some(count),
        Progress::WouldBlock => None,
    })
}

/// Calls a function of the program's. One that has nothing and does not wait is not called in circles.
fn call(
    operation: &'static str,
    time: Duration,
    run: impl FnOnce(Duration) -> Result<usize, StreamFault>,
) -> Result<Option<usize>, Error> {
    let time = time.min(CALL_TIME);
    let called = Instant::now();
    match run(time) {
        Ok(count) => Ok(Some(count)),
        Err(StreamFault::NotYet) => {
            thread::sleep(time.saturating_sub(called.elapsed()).min(PAUSE));
            Ok(None)
        }
        Err(fault) => Err(fault.error(operation)),
    }
}

/// How long one call is asked to wait, so that closing is noticed.
const CALL_TIME: Duration = Duration::from_secs(1);
/// Between calls of a function that does not wait.
const PAUSE: Duration = Duration::from_millis(5);
