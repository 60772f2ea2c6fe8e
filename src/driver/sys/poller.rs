//! What an I/O thread waits on: the descriptors that it was given, and a call to wake up.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{epoll, eventfd, poll, EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Most events taken from the kernel at a time.
const EVENTS_AT_A_TIME: usize = 64;
/// Key of the wake-up descriptor, which nobody else has.
pub const WAKE_KEY: u64 = 0;

/// A descriptor of which something can be said: its key, and whether it is readable and writable. What is broken is both.
pub type Found = (u64, (bool, bool));

/// An epoll instance, with an eventfd that ends its wait.
pub struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
}

fn flags((read, write): (bool, bool)) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN | epoll::EventFlags::RDHUP, read);
    flags.set(epoll::EventFlags::OUT, write);
    flags
}

impl Poller {
    /// One that watches nothing; fails with the name of the system call.
    pub fn new() -> Result<Self, (&'static str, Errno)> {
        let in_epoll = |errno| ("epoll", errno);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(in_epoll)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| ("eventfd", errno))?;
        let data = epoll::EventData::new_u64(WAKE_KEY);
        epoll::add(&epoll, &wake, data, epoll::EventFlags::IN).map_err(in_epoll)?;
        Ok(Poller { epoll, wake })
    }

    /// Ends the wait that is under way, or else the next one.
    pub fn wake(&self) {
        // The counter is far from overflowing: it is read whenever it is not zero.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// Watches a descriptor for being readable, writable or both, whatever it was watched for before.
    pub fn watch(
        &self,
        descriptor: BorrowedFd<'_>,
        key: u64,
        wanted: (bool, bool),
    ) -> Result<(), Errno> {
        match self.add(descriptor, key, wanted) {
            Err(Errno::EXIST) => self.watch_again(descriptor, key, wanted),
            outcome => outcome,
        }
    }

    /// Changes what a descriptor is watched for; where the system does not change it, it is told anew.
    pub fn watch_again(
        &self,
        descriptor: BorrowedFd<'_>,
        key: u64,
        wanted: (bool, bool),
    ) -> Result<(), Errno> {
        let data = epoll::EventData::new_u64(key);
        match epoll::modify(&self.epoll, descriptor, data, flags(wanted)) {
            // It is not waited for, or not any more.
            Err(Errno::NOENT) => Ok(()),
            Err(_) => {
                self.unwatch(descriptor);
                self.add(descriptor, key, wanted)
            }
            Ok(()) => Ok(()),
        }
    }

    fn add(&self, descriptor: BorrowedFd<'_>, key: u64, wanted: (bool, bool)) -> Result<(), Errno> {
        let data = epoll::EventData::new_u64(key);
        epoll::add(&self.epoll, descriptor, data, flags(wanted))
    }

    /// Stops watching a descriptor.
    pub fn unwatch(&self, descriptor: BorrowedFd<'_>) {
        // Fails only when it is not waited for.
        let _ = epoll::delete(&self.epoll, descriptor);
    }

    /// Waits until something can be said, somebody wakes it, or time is over, and puts what it is into `found`.
    pub fn wait(&self, found: &mut Vec<Found>, time: Option<Duration>) {
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_AT_A_TIME);
        let spare = rustix::buffer::spare_capacity(&mut events);
        // EINTR is an empty round. Nothing else can fail here but for want of kernel memory, which passes.
        if let Err(errno) = epoll::wait(&self.epoll, spare, time.as_ref()) {
            if errno != Errno::INTR {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        for event in &events {
            let key = event.data.u64();
            if key == WAKE_KEY {
                let _ = rustix::io::read(&self.wake, &mut [0; 8]);
                continue;
            }
            let flags = event.flags;
            let broken = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
            let readable = flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::RDHUP);
            let writable = flags.intersects(epoll::EventFlags::OUT);
            found.push((key, (broken || readable, broken || writable)));
        }
    }
}

/// Waits until one of the pollers would find something, `signal` is up, or time is over. Takes nothing from them; says of each
/// whether it does.
pub fn wait_for_any<'a>(
    pollers: impl Iterator<Item = &'a Poller>,
    signal: BorrowedFd<'_>,
    time: Option<Duration>,
) -> Vec<bool> {
    let time = time.and_then(|time| Timespec::try_from(time).ok());
    let mut polled: Vec<_> = std::iter::once(signal)
        .chain(pollers.map(|poller| poller.epoll.as_fd()))
        .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
        .collect();
    // Where it fails, the caller looks at all of them.
    let failed = poll(&mut polled, time.as_ref()).is_err();
    let others = polled.iter().skip(1);
    others
        .map(|polled| failed || !polled.revents().is_empty())
        .collect()
}
