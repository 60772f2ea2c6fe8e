//! A flag in the kernel, for poll loops.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{eventfd, EventfdFlags};
use rustix::io::Errno;

/// An eventfd that is readable while the flag is up. Whoever uses it knows whether it is.
pub struct Signal(OwnedFd);

impl Signal {
    /// A new flag.
    pub fn new(up: bool) -> Result<Self, Errno> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        eventfd(u32::from(up), flags).map(Signal)
    }

    /// Puts it up, when it is down.
    pub fn raise(&self) {
        // The counter cannot overflow: it goes from 0 to 1 and back.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Takes it down, when it is up.
    pub fn lower(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }

    /// The number.
    pub fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
