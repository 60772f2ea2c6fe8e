//! The descriptor of a stream socket: non-blocking reads and writes without SIGPIPE.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, SocketType};

use crate::error::Error;

/// A connected stream socket that belongs to a transport, or to a connection that is forwarded.
///
/// The descriptor may be used by the holder of the receiving or the sending lock, or of the one for what the poller is told
/// of; it is closed by a holder of them all, so that no call ever meets a number that was closed and given out again. A
/// forwarded connection has one lock for all of it.
pub struct Socket {
    descriptor: AtomicI32,
    peer: Option<(String, u16)>,
}

/// What became of a read or write.
pub enum Progress {
    /// So many bytes moved; zero means the end when reading.
    Moved(usize),
    /// Not now.
    WouldBlock,
}

fn io(operation: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::Io {
        operation,
        errno: errno.raw_os_error(),
    }
}

impl Socket {
    /// Takes over a connected stream socket. On failure it is handed back untouched but for its flags.
    pub fn new(descriptor: OwnedFd) -> Result<Self, (Error, OwnedFd)> {
        match Self::prepare(&descriptor) {
            Ok(peer) => Ok(Socket {
                descriptor: AtomicI32::new(descriptor.into_raw_fd()),
                peer,
            }),
            Err(error) => Err((error, descriptor)),
        }
    }

    /// Takes over the number of a descriptor that the caller owns and gives up on success.
    pub fn from_raw(descriptor: RawFd) -> Result<Self, Error> {
        if descriptor < 0 {
            return Err(io("use of the descriptor")(Errno::BADF));
        }
        // SAFETY: whether the number is open is checked by the first system call on it; the caller's promise
        // to own it is the documented contract of `ssh_transport_new`.
        let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Self::new(owned).map_err(|(error, owned)| {
            // The caller keeps it.
            let _ = owned.into_raw_fd();
            error
        })
    }

    fn prepare(descriptor: &OwnedFd) -> Result<Option<(String, u16)>, Error> {
        let kind = match rustix::net::sockopt::socket_type(descriptor) {
            Err(Errno::NOTSOCK) => return Err(Error::ApiMisuse("the descriptor is not a socket")),
            kind => kind.map_err(io("socket check"))?,
        };
        if kind != SocketType::STREAM {
            return Err(Error::ApiMisuse("the descriptor is not a stream socket"));
        }
        if rustix::net::sockopt::socket_acceptconn(descriptor).map_err(io("socket check"))? {
            return Err(Error::ApiMisuse("the descriptor is a listening socket"));
        }
        let peer = rustix::net::getpeername(descriptor).map_err(io("getpeername"))?;
        rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC).map_err(io("fcntl"))?;
        let flags = rustix::fs::fcntl_getfl(descriptor).map_err(io("fcntl"))?;
        rustix::fs::fcntl_setfl(descriptor, flags | rustix::fs::OFlags::NONBLOCK)
            .map_err(io("fcntl"))?;
        let peer = peer.and_then(|address| std::net::SocketAddr::try_from(address).ok());
        if peer.is_some() {
            // Small messages must not wait for acknowledgements. Where it cannot be set, the stream still works.
            let _ = rustix::net::sockopt::set_tcp_nodelay(descriptor, true);
        }
        Ok(peer.map(|address| (address.ip().to_string(), address.port())))
    }

    /// Address and port of the peer, for TCP.
    pub fn peer(&self) -> Option<(&str, u16)> {
        self.peer
            .as_ref()
            .map(|(host, port)| (host.as_str(), *port))
    }

    /// Whether the descriptor is still open.
    pub fn is_open(&self) -> bool {
        self.descriptor.load(Ordering::Relaxed) >= 0
    }

    /// The number, for a person.
    pub fn number(&self) -> RawFd {
        self.descriptor.load(Ordering::Relaxed)
    }

    fn with<R>(
        &self,
        operation: &'static str,
        run: impl Fn(BorrowedFd<'_>) -> Result<R, Errno>,
    ) -> Result<Option<R>, Error> {
        loop {
            let number = self.descriptor.load(Ordering::Relaxed);
            if number < 0 {
                return Err(Error::ConnectionLost);
            }
            // SAFETY: the number is open: it is closed only by `close`, whose caller holds all the locks of which
            // our caller holds one (or, in `wait`, is known to the closer), or by `forget`, after which this process
            // has only one thread.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            return match run(descriptor) {
                Ok(result) => Ok(Some(result)),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Ok(None),
                Err(Errno::CONNRESET | Errno::PIPE | Errno::NOTCONN) => Err(Error::ConnectionLost),
                // ENOBUFS and ENOMEM pass: the kernel is short of memory now.
                Err(Errno::NOBUFS | Errno::NOMEM) => Ok(None),
                Err(errno) => Err(io(operation)(errno)),
            };
        }
    }

    /// Reads what there is.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Progress, Error> {
        let cell = std::cell::RefCell::new(buffer);
        let moved = self.with("receive", |descriptor| {
            rustix::net::recv(descriptor, &mut **cell.borrow_mut(), RecvFlags::empty())
                .map(|(count, _)| count)
        })?;
        Ok(moved.map_or(Progress::WouldBlock, Progress::Moved))
    }

    /// Has the kernel acknowledge what was just read, instead of waiting for bytes to go with the acknowledgement.
    pub fn acknowledge_now(&self) {
        if self.peer.is_some() {
            let _ = self.with("acknowledge", |descriptor| {
                rustix::net::sockopt::set_tcp_quickack(descriptor, true)
            });
        }
    }

    /// Has [`wait`](Self::wait) and pollers find it readable when so many bytes are there, or the end, or when no more would
    /// come; false where that cannot be. Other sockets than those of TCP know no such thing. Linux makes room for twice as much in the
    /// receive buffer, and leaves it so.
    pub fn wake_at(&self, bytes: usize) -> bool {
        if self.peer.is_none() {
            return false;
        }
        let count = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        let length = libc::socklen_t::try_from(size_of_val(&count)).unwrap_or(0);
        let set = self.with("low water", |descriptor| {
            // SAFETY: the option's value is a number of this length.
            let outcome = unsafe {
                libc::setsockopt(
                    descriptor.as_raw_fd(),
                    libc::SOL_SOCKET,
                    libc::SO_RCVLOWAT,
                    (&raw const count).cast(),
                    length,
                )
            };
            if outcome == 0 {
                Ok(())
            } else {
                Err(Errno::INVAL)
            }
        });
        set.is_ok()
    }

    /// Writes what the socket takes.
    pub fn send(&self, bytes: &[u8]) -> Result<Progress, Error> {
        let moved = self.with("send", |descriptor| {
            rustix::net::send(descriptor, bytes, SendFlags::NOSIGNAL)
        })?;
        Ok(moved.map_or(Progress::WouldBlock, Progress::Moved))
    }

    /// Sleeps until the socket may be readable or writable, as wanted, or broken, `wake` is readable, or `time` is over; says
    /// which of the first two. May return early.
    ///
    /// It needs none of the locks, so whoever closes the descriptor sees to it that nobody is here.
    pub fn wait(
        &self,
        wake: BorrowedFd<'_>,
        (read, write): (bool, bool),
        time: Option<Duration>,
    ) -> (bool, bool) {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN | PollFlags::RDHUP, read);
        wanted.set(PollFlags::OUT, write);
        // A time that cannot be written down is for ever.
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let waited = self.with("poll", |descriptor| {
            let mut polled = [
                PollFd::from_borrowed_fd(descriptor, wanted),
                PollFd::from_borrowed_fd(wake, PollFlags::IN),
            ];
            match poll(&mut polled, time.as_ref()) {
                Ok(_) => Ok(polled[0].revents()),
                // A signal of the program's: the caller looks at its deadline.
                Err(Errno::INTR) => Ok(PollFlags::empty()),
                Err(errno) => Err(errno),
            }
        });
        match waited {
            Ok(flags) => {
                let flags = flags.unwrap_or_else(PollFlags::empty);
                let broken = flags.intersects(PollFlags::ERR | PollFlags::HUP);
                (
                    broken || flags.intersects(PollFlags::IN | PollFlags::RDHUP),
                    broken || flags.contains(PollFlags::OUT),
                )
            }
            // Reading finds out what is wrong.
            Err(_) => (true, false),
        }
    }

    /// No more will be written: the peer sees the end after what it has been sent.
    pub fn finish_writing(&self) {
        let _ = self.with("shutdown", |descriptor| {
            rustix::net::shutdown(descriptor, Shutdown::Write)
        });
    }

    /// Has closing say that something is missing: the peer sees a reset instead of an end.
    pub fn reset_when_closed(&self) {
        if self.peer.is_some() {
            let _ = self.with("linger", |descriptor| {
                rustix::net::sockopt::set_socket_linger(descriptor, Some(std::time::Duration::ZERO))
            });
        }
    }

    /// Runs `use_it` with the descriptor, for registration with the poller. Fails when it is closed.
    pub fn with_descriptor<R>(
        &self,
        use_it: impl Fn(BorrowedFd<'_>) -> Result<R, Errno>,
    ) -> Result<R, Error> {
        self.with("poll registration", use_it)?
            .ok_or(Error::Resource("poll registration"))
    }

    /// Closes the descriptor. The caller holds all the locks under which it is used.
    pub fn close(&self) {
        let number = self.descriptor.swap(-1, Ordering::Relaxed);
        if number >= 0 {
            // SAFETY: the swap made us the only one who closes it.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "fd {}", self.number())
    }
}
