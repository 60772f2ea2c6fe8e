//! What an agent is talked to over: a UNIX socket, a channel, or functions of the application's.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType,
};

use crate::codec::printable;
use crate::connection::Stream as Part;
use crate::driver::{guarded, ByteStream, Channel, Deadline, Read, StreamFault, Timeout};
use crate::error::{AgentFault, Error};

/// How soon a busy agent is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(10);
/// How much of a path is shown.
const MAX_PATH_SHOWN: usize = 200;

/// Bytes to and from an agent. One thread reads and writes, another may close.
pub(super) trait AgentStream: Send + Sync {
    /// Moves at least one byte into `buffer`, waiting at most `time`: `None` when none came. 0 is the end.
    fn read(&self, buffer: &mut [u8], time: Duration) -> Result<Option<usize>, Error>;
    /// Takes at least one of `bytes`, waiting at most `time`: `None` when none was taken.
    fn write(&self, bytes: &[u8], time: Duration) -> Result<Option<usize>, Error>;
    /// Ends the stream, and a call of the other two that is under way.
    fn close(&self);
}

/// A connection to the socket of an agent.
pub(super) struct UnixSocket(OwnedFd);

impl UnixSocket {
    /// Connects. An agent whose queue is full is waited for.
    pub(super) fn connect(path: &Path, deadline: Deadline) -> Result<Self, Error> {
        loop {
            match Self::try_connect(path) {
                Ok(socket) => return Ok(socket),
                Err(Errno::AGAIN | Errno::INTR) => {
                    if deadline.has_passed() {
                        return Err(Error::Timeout("connecting to the agent"));
                    }
                    // The kernel has no way to wait for room in the queue of a UNIX socket that does not block.
                    let left = deadline.remaining().unwrap_or(TRY_AGAIN);
                    thread::sleep(left.min(TRY_AGAIN));
                }
                Err(errno) => {
                    return Err(AgentFault::Unreachable {
                        path: printable(path.as_os_str().as_encoded_bytes(), MAX_PATH_SHOWN),
                        errno: errno.raw_os_error(),
                    }
                    .into())
                }
            }
        }
    }

    /// The descriptor, which does not block.
    pub(super) fn into_descriptor(self) -> OwnedFd {
        self.0
    }

    fn try_connect(path: &Path) -> Result<Self, Errno> {
        let address = SocketAddrUnix::new(path)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &address)?;
        Ok(UnixSocket(socket))
    }

    /// Whether it became ready in the time.
    fn wait(&self, flags: PollFlags, time: Duration) -> Result<bool, Error> {
        let mut polled = [PollFd::new(&self.0, flags)];
        let time = Timespec::try_from(time).ok();
        match poll(&mut polled, time.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(gone(errno)),
        }
    }
}

/// Any error on the socket means that nobody is there any more.
fn gone(_: Errno) -> Error {
    AgentFault::Gone.into()
}

impl AgentStream for UnixSocket {
    fn read(&self, buffer: &mut [u8], time: Duration) -> Result<Option<usize>, Error> {
        for waited in [false, true] {
            match rustix::net::recv(&self.0, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((count, _)) => return Ok(Some(count)),
                Err(Errno::AGAIN | Errno::INTR) if !waited => {
                    if !self.wait(PollFlags::IN, time)? {
                        return Ok(None);
                    }
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(gone(errno)),
            }
        }
        Ok(None)
    }

    fn write(&self, bytes: &[u8], time: Duration) -> Result<Option<usize>, Error> {
        for waited in [false, true] {
            match rustix::net::send(&self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => return Ok(Some(count)),
                Err(Errno::AGAIN | Errno::INTR) if !waited => {
                    if !self.wait(PollFlags::OUT, time)? {
                        return Ok(None);
                    }
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(gone(errno)),
            }
        }
        Ok(None)
    }

    fn close(&self) {
        // Wakes who polls it. The number goes with the last user, so that it cannot be somebody else's meanwhile.
        let _ = rustix::net::shutdown(&self.0, Shutdown::Both);
    }
}

impl AgentStream for Channel {
    fn read(&self, buffer: &mut [u8], time: Duration) -> Result<Option<usize>, Error> {
        match Channel::read(self, Part::Data, buffer, Timeout::After(time)) {
            Ok(Read::Data(count)) => Ok(Some(count)),
            Ok(Read::Eof) => Ok(Some(0)),
            Err(Error::Timeout(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, bytes: &[u8], time: Duration) -> Result<Option<usize>, Error> {
        match self.write_some(Part::Data, bytes, Timeout::After(time)) {
            Ok(count) => Ok(Some(count)),
            Err(Error::Timeout(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn close(&self) {
        // Fails only when there is nothing left to close.
        let _ = Channel::close(self);
    }
}

/// Functions of the application's, which are called on the threads that ask the agent.
pub(super) struct Functions {
    stream: Arc<dyn ByteStream>,
    closed: AtomicBool,
}

impl Functions {
    pub(super) fn new(stream: Arc<dyn ByteStream>) -> Self {
        Functions {
            stream,
            closed: AtomicBool::new(false),
        }
    }

    fn call(
        most: usize,
        time: Duration,
        operation: &'static str,
        call: impl FnOnce() -> Result<usize, StreamFault>,
    ) -> Result<Option<usize>, Error> {
        let called = Instant::now();
        match guarded(call, most) {
            Ok(count) => Ok(Some(count)),
            Err(StreamFault::NotYet) => {
                // One that does not wait must not be called in circles.
                if called.elapsed() < time / 2 {
                    thread::sleep(time.min(TRY_AGAIN));
                }
                Ok(None)
            }
            Err(fault) => Err(fault.error(operation)),
        }
    }
}

impl AgentStream for Functions {
    fn read(&self, buffer: &mut [u8], time: Duration) -> Result<Option<usize>, Error> {
        let most = buffer.len();
        Self::call(most, time, "read", || self.stream.read(buffer, time))
    }

    fn write(&self, bytes: &[u8], time: Duration) -> Result<Option<usize>, Error> {
        Self::call(bytes.len(), time, "write", || {
            self.stream.write(bytes, time)
        })
    }

    fn close(&self) {
        // The application is told once.
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.stream.close();
        }
    }
}
