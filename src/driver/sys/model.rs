//! The system in models: sockets, pollers and flags in memory, whose state is behind a lock of the checker's. It is the
//! only thing that models put in the place of what runs otherwise.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use crate::driver::sync::{Condvar, Mutex, MutexGuard, Rank};
use crate::driver::wait::{Deadline, Timeout};

thread_local! {
    // All threads of a model run on one thread of the system.
    static SYSTEM: RefCell<Arc<System>> = RefCell::default();
}

/// Numbers that are no descriptors of the real system.
const FIRST_NUMBER: RawFd = 1 << 20;
/// What a socket holds that has not been read.
const DEFAULT_CAPACITY: usize = 64 * 1024;

struct System {
    state: Mutex<State>,
    changed: Condvar,
}

impl Default for System {
    fn default() -> Self {
        System {
            state: Mutex::ranked(State::default(), Rank::SYSTEM),
            changed: Condvar::new(),
        }
    }
}

#[derive(Default)]
struct State {
    made: RawFd,
    capacity: Option<usize>,
    sockets: BTreeMap<RawFd, End>,
    signals: BTreeMap<RawFd, bool>,
    pollers: BTreeMap<RawFd, Polled>,
}

/// One end of a connection.
#[derive(Default)]
struct End {
    peer: RawFd,
    unread: VecDeque<u8>,
    /// The peer sends no more.
    finished: bool,
    /// How many bytes make it readable; 0 is one.
    low_water: usize,
}

#[derive(Default)]
struct Polled {
    woken: bool,
    watched: BTreeMap<RawFd, (u64, (bool, bool))>,
}

impl State {
    fn number(&mut self) -> RawFd {
        self.made += 1;
        FIRST_NUMBER + self.made
    }

    fn room(&self, number: RawFd) -> Option<usize> {
        let peer = self.sockets.get(&self.sockets.get(&number)?.peer)?;
        let capacity = self.capacity.unwrap_or(DEFAULT_CAPACITY);
        Some(capacity.saturating_sub(peer.unread.len()))
    }

    /// What a poller finds now.
    fn found(&self, poller: RawFd) -> Vec<poller::Found> {
        let watched = self.pollers.get(&poller).map(|polled| &polled.watched);
        let each = watched.into_iter().flatten();
        each.filter_map(|(number, (key, (read, write)))| {
            let (readable, writable, broken) = self.readiness(*number);
            let ready = (
                readable && (*read || broken),
                writable && (*write || broken),
            );
            (ready.0 || ready.1).then_some((*key, ready))
        })
        .collect()
    }

    /// Readable, writable, and whether that must be said even where nobody wants to know.
    fn readiness(&self, number: RawFd) -> (bool, bool, bool) {
        let Some(end) = self.sockets.get(&number) else {
            return (false, false, false);
        };
        // As the kernel has it, the end makes it readable, and so does it when no more would come.
        let most = self.capacity.unwrap_or(DEFAULT_CAPACITY);
        let much = end.low_water.min(most).max(1);
        let readable = end.unread.len() >= much || end.finished;
        let room = self.room(number);
        (readable, room != Some(0), room.is_none())
    }
}

/// The system of the execution.
fn system() -> Arc<System> {
    SYSTEM.with_borrow(Arc::clone)
}

/// A new system for a new execution.
pub(crate) fn begin() {
    SYSTEM.replace(Arc::default());
}

/// How many bytes a socket holds that have not been read.
pub(crate) fn set_capacity(bytes: usize) {
    system().state.lock().capacity = Some(bytes);
}

/// Two sockets that are connected.
pub(crate) fn socket_pair() -> (RawFd, RawFd) {
    let system = system();
    let mut state = system.state.lock();
    let (one, other) = (state.number(), state.number());
    for (number, peer) in [(one, other), (other, one)] {
        let end = End {
            peer,
            ..End::default()
        };
        state.sockets.insert(number, end);
    }
    (one, other)
}

impl System {
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.state.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `look` finds something, or time is over.
    fn wait<R>(
        &self,
        time: Option<Duration>,
        mut look: impl FnMut(&mut MutexGuard<'_, State>) -> Option<R>,
    ) -> Option<R> {
        let deadline = time.map_or(Deadline(None), |time| Timeout::After(time).deadline());
        let mut state = self.state.lock();
        loop {
            let found = look(&mut state);
            if found.is_some() {
                return found;
            }
            if !deadline.wait(&self.changed, &mut state) {
                return None;
            }
        }
    }
}

/// In the place of `sys::signal`.
pub mod signal {
    use super::*;
    use std::os::fd::AsFd;

    /// A flag that can be polled for.
    pub struct Signal(RawFd);

    impl Signal {
        /// A new flag.
        pub fn new(up: bool) -> Result<Self, Errno> {
            let number = system().change(|state| {
                let number = state.number();
                state.signals.insert(number, up);
                number
            });
            Ok(Signal(number))
        }

        /// Puts it up.
        pub fn raise(&self) {
            system().change(|state| state.signals.insert(self.0, true));
        }

        /// Takes it down.
        pub fn lower(&self) {
            system().change(|state| state.signals.insert(self.0, false));
        }

        /// The number.
        pub fn number(&self) -> RawFd {
            self.0
        }
    }

    impl AsFd for Signal {
        fn as_fd(&self) -> BorrowedFd<'_> {
            // SAFETY: a number that is not -1 and that nothing but this module looks at.
            unsafe { BorrowedFd::borrow_raw(self.0) }
        }
    }
}

/// In the place of `sys::poller`.
pub mod poller {
    use super::*;

    /// Key of nobody.
    pub const WAKE_KEY: u64 = 0;
    /// A descriptor of which something can be said.
    pub type Found = (u64, (bool, bool));

    /// What an I/O thread waits on.
    pub struct Poller(RawFd);

    impl Poller {
        /// One that watches nothing.
        pub fn new() -> Result<Self, (&'static str, Errno)> {
            let number = system().change(|state| {
                let number = state.number();
                state.pollers.insert(number, Polled::default());
                number
            });
            Ok(Poller(number))
        }

        fn change<R>(&self, change: impl FnOnce(&mut Polled) -> R) -> R {
            system().change(|state| change(state.pollers.entry(self.0).or_default()))
        }

        /// What is told of a descriptor, which has another owner once it was closed.
        fn tell<R>(&self, of: RawFd, change: impl FnOnce(&mut Polled) -> R) -> R {
            system().change(|state| {
                let is_open = state.sockets.contains_key(&of) || state.signals.contains_key(&of);
                assert!(is_open, "a closed descriptor is told of");
                change(state.pollers.entry(self.0).or_default())
            })
        }

        /// Ends the wait that is under way, or else the next one.
        pub fn wake(&self) {
            self.change(|polled| polled.woken = true);
        }

        /// Watches a descriptor.
        pub fn watch(
            &self,
            descriptor: BorrowedFd<'_>,
            key: u64,
            wanted: (bool, bool),
        ) -> Result<(), Errno> {
            let number = descriptor.as_raw_fd();
            self.tell(number, |polled| {
                polled.watched.insert(number, (key, wanted));
            });
            Ok(())
        }

        /// Changes what a descriptor is watched for.
        pub fn watch_again(
            &self,
            descriptor: BorrowedFd<'_>,
            _: u64,
            wanted: (bool, bool),
        ) -> Result<(), Errno> {
            self.tell(descriptor.as_raw_fd(), |polled| {
                if let Some((_, watched)) = polled.watched.get_mut(&descriptor.as_raw_fd()) {
                    *watched = wanted;
                }
            });
            Ok(())
        }

        /// Stops watching a descriptor.
        pub fn unwatch(&self, descriptor: BorrowedFd<'_>) {
            let number = descriptor.as_raw_fd();
            self.tell(number, |polled| polled.watched.remove(&number));
        }

        /// Waits until something can be said, somebody wakes it, or time is over.
        pub fn wait(&self, found: &mut Vec<Found>, time: Option<Duration>) {
            let look = |state: &mut MutexGuard<'_, State>| {
                *found = state.found(self.0);
                let polled = state.pollers.get_mut(&self.0)?;
                let woken = std::mem::take(&mut polled.woken);
                (woken || !found.is_empty()).then_some(())
            };
            system().wait(time, look);
        }
    }

    /// Waits until one of the pollers would find something, the signal is up, or time is over.
    pub fn wait_for_any<'a>(
        pollers: impl Iterator<Item = &'a Poller>,
        signal: BorrowedFd<'_>,
        time: Option<Duration>,
    ) -> Vec<bool> {
        let numbers: Vec<_> = pollers.map(|poller| poller.0).collect();
        let look = |state: &mut MutexGuard<'_, State>| {
            let up = state.signals.get(&signal.as_raw_fd()) == Some(&true);
            let finds = numbers.iter().map(|number| {
                let polled = state.pollers.get(number);
                polled.is_some_and(|polled| polled.woken) || !state.found(*number).is_empty()
            });
            let finds: Vec<_> = finds.collect();
            (up || finds.contains(&true)).then_some(finds)
        };
        let found = system().wait(time, look);
        found.unwrap_or_else(|| vec![false; numbers.len()])
    }
}

/// In the place of `sys::socket`.
pub mod socket {
    use super::*;
    use crate::error::Error;
    use std::os::fd::OwnedFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A connected stream socket.
    #[derive(Debug)]
    pub struct Socket {
        number: RawFd,
        open: AtomicBool,
    }

    /// What became of a read or write.
    pub enum Progress {
        /// So many bytes moved; zero means the end when reading.
        Moved(usize),
        /// Not now.
        WouldBlock,
    }

    impl Socket {
        /// There are no real ones here.
        pub fn new(descriptor: OwnedFd) -> Result<Self, (Error, OwnedFd)> {
            Err((Error::Bug("a real socket in a model"), descriptor))
        }

        /// One of [`socket_pair`].
        pub fn from_raw(number: RawFd) -> Result<Self, Error> {
            Ok(Socket {
                number,
                open: AtomicBool::new(true),
            })
        }

        /// It has no address.
        pub fn peer(&self) -> Option<(&str, u16)> {
            None
        }

        /// Whether it is open.
        pub fn is_open(&self) -> bool {
            self.open.load(Ordering::Relaxed)
        }

        /// The number, for a person.
        pub fn number(&self) -> RawFd {
            self.number
        }

        fn check(&self) -> Result<(), Error> {
            self.is_open().then_some(()).ok_or(Error::ConnectionLost)
        }

        /// Reads what there is.
        pub fn receive(&self, buffer: &mut [u8]) -> Result<Progress, Error> {
            self.check()?;
            system().change(|state| {
                let end = state.sockets.get_mut(&self.number);
                let end = end.expect("a closed descriptor is read");
                if end.unread.is_empty() && !end.finished {
                    return Ok(Progress::WouldBlock);
                }
                let count = buffer.len().min(end.unread.len());
                for (to, from) in buffer.iter_mut().zip(end.unread.drain(..count)) {
                    *to = from;
                }
                Ok(Progress::Moved(count))
            })
        }

        /// With how many bytes it is readable.
        pub fn wake_at(&self, bytes: usize) -> bool {
            system().change(|state| {
                if let Some(end) = state.sockets.get_mut(&self.number) {
                    end.low_water = bytes;
                }
            });
            true
        }

        /// There is nothing to acknowledge.
        pub fn acknowledge_now(&self) {}

        /// Writes what the socket takes.
        pub fn send(&self, bytes: &[u8]) -> Result<Progress, Error> {
            self.check()?;
            system().change(|state| {
                let room = state.room(self.number).ok_or(Error::ConnectionLost)?;
                let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
                if taken.is_empty() {
                    return Ok(Progress::WouldBlock);
                }
                let peer = state.sockets.get(&self.number).map(|end| end.peer);
                if let Some(end) = peer.and_then(|peer| state.sockets.get_mut(&peer)) {
                    end.unread.extend(taken);
                }
                Ok(Progress::Moved(taken.len()))
            })
        }

        /// Sleeps until the socket may be readable or writable, as wanted, `wake` is up, or time is over.
        pub fn wait(
            &self,
            wake: BorrowedFd<'_>,
            (read, write): (bool, bool),
            time: Option<Duration>,
        ) -> (bool, bool) {
            let look = |state: &mut MutexGuard<'_, State>| {
                assert!(self.is_open(), "a closed descriptor is polled");
                let (readable, writable, broken) = state.readiness(self.number);
                let (readable, writable) =
                    (readable && (read || broken), writable && (write || broken));
                let woken = state.signals.get(&wake.as_raw_fd()) == Some(&true);
                (readable || writable || woken).then_some((readable, writable))
            };
            system().wait(time, look).unwrap_or_default()
        }

        /// No more will be written.
        pub fn finish_writing(&self) {
            if self.is_open() {
                system().change(|state| {
                    let peer = state.sockets.get(&self.number).map(|end| end.peer);
                    if let Some(end) = peer.and_then(|peer| state.sockets.get_mut(&peer)) {
                        end.finished = true;
                    }
                });
            }
        }

        /// There is no reset.
        pub fn reset_when_closed(&self) {}

        /// Runs `use_it` with the descriptor.
        pub fn with_descriptor<R>(
            &self,
            use_it: impl Fn(BorrowedFd<'_>) -> Result<R, Errno>,
        ) -> Result<R, Error> {
            self.check()?;
            // SAFETY: a number that is not -1 and that nothing but this module looks at.
            let descriptor = unsafe { BorrowedFd::borrow_raw(self.number) };
            use_it(descriptor).map_err(|_| Error::Resource("poll registration"))
        }

        /// Closes it.
        pub fn close(&self) {
            self.finish_writing();
            if self.open.swap(false, Ordering::Relaxed) {
                system().change(|state| state.sockets.remove(&self.number));
            }
        }
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            self.close();
        }
    }
}

/// In the place of `sys::thread`.
pub mod thread {
    use std::io;

    /// Starts a thread of the checker's.
    pub fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let builder = shuttle::thread::Builder::new().name(name.to_owned());
        builder.spawn(run).map(drop)
    }
}
