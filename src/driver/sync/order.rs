//! The order in which locks are taken (`docs/internals/threads.md`), watched in builds with debug assertions: each thread
//! knows which locks it holds, and taking one that stands before one of them, or beside it, is a panic. So every test
//! checks the order, whether or not two threads meet. In other builds there is nothing of it.

/// Where a lock stands: whoever holds one takes only later ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    #[cfg(debug_assertions)]
    place: u32,
}

/// The three locks of a transport, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    Receiving,
    Sending,
    Serving,
}

impl Rank {
    /// Held by who makes the rounds of an I/O thread, in which all others are taken.
    pub(crate) const HELM: Rank = Rank::at(0);
    /// Held while those of the next rank are taken.
    pub(crate) const OUTERMOST: Rank = Rank::at(1);
    /// Held by those who use transports while they use them.
    pub(crate) const OUTER: Rank = Rank::at(FIRST_OF_TRANSPORTS - 1);
    /// What a writer waits for who found no room.
    pub(crate) const ROOM: Rank = Rank::at(LAST_OF_TRANSPORTS + 1);
    /// Held while leaves are taken: what is waited for at a socket, and log lines.
    pub(crate) const BEFORE_LEAVES: Rank = Rank::at(LAST_OF_TRANSPORTS + 2);
    /// Nothing is taken while one of these is held. What has no rank of its own is one.
    pub(crate) const LEAF: Rank = Rank::at(LAST_OF_TRANSPORTS + 3);
    /// What the system is made of in models.
    #[cfg(model)]
    pub(crate) const SYSTEM: Rank = Rank::at(u32::MAX);

    /// A lock of a transport that so many others carry: those above come before those below.
    pub(crate) fn of_transport(below: u16, lock: Lock) -> Rank {
        let height = HIGHEST - u32::from(below);
        let lock = match lock {
            Lock::Receiving => 0,
            Lock::Sending => 1,
            Lock::Serving => 2,
        };
        Rank::at(FIRST_OF_TRANSPORTS + height * LOCKS + lock)
    }

    const fn at(place: u32) -> Rank {
        #[cfg(not(debug_assertions))]
        let _ = place;
        Rank {
            #[cfg(debug_assertions)]
            place,
        }
    }
}

#[cfg(not(debug_assertions))]
impl std::fmt::Debug for Rank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rank")
    }
}

#[cfg(debug_assertions)]
impl std::fmt::Debug for Rank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.place < FIRST_OF_TRANSPORTS {
            return f.write_str("of those who use transports");
        }
        if self.place > LAST_OF_TRANSPORTS {
            return write!(f, "place {}", self.place - LAST_OF_TRANSPORTS);
        }
        let place = self.place - FIRST_OF_TRANSPORTS;
        let below = HIGHEST - place / LOCKS;
        let lock = match place % LOCKS {
            0 => Lock::Receiving,
            1 => Lock::Sending,
            _ => Lock::Serving,
        };
        write!(f, "{lock:?}, {below} below")
    }
}

const LOCKS: u32 = 3;
/// As many transports as a `u16` counts.
const HIGHEST: u32 = 0xffff;
const FIRST_OF_TRANSPORTS: u32 = 3;
const LAST_OF_TRANSPORTS: u32 = FIRST_OF_TRANSPORTS + (HIGHEST + 1) * LOCKS - 1;

pub(super) use watch::Held;

#[cfg(not(debug_assertions))]
mod watch {
    use super::Rank;

    /// That a thread holds a lock.
    pub(crate) struct Held;

    impl Held {
        pub(crate) fn about_to_wait(_: Rank) {}

        pub(crate) fn new(_: Rank) -> Self {
            Held
        }

        pub(crate) fn about_to_sleep(&self) {}
    }
}

#[cfg(debug_assertions)]
mod watch {
    use std::cell::RefCell;
    use std::panic::Location;

    use super::super::primitives::thread_local;
    use super::Rank;

    #[derive(Debug, Clone, Copy)]
    struct Entry {
        number: u64,
        rank: Rank,
        taken_at: &'static Location<'static>,
    }

    #[derive(Default)]
    struct Locks {
        held: Vec<Entry>,
        taken: u64,
    }

    thread_local! {
        static LOCKS: RefCell<Locks> = RefCell::new(Locks::default());
    }

    /// What the thread's locks are asked; nothing once the thread is ending.
    fn with<R>(ask: impl FnOnce(&mut Locks) -> R) -> Option<R> {
        LOCKS
            .try_with(|locks| locks.try_borrow_mut().ok().map(|mut locks| ask(&mut locks)))
            .ok()
            .flatten()
    }

    /// That a thread holds a lock.
    pub(crate) struct Held {
        number: u64,
    }

    impl Held {
        /// To be called before a lock is waited for.
        #[track_caller]
        pub(crate) fn about_to_wait(rank: Rank) {
            let before = with(|locks| locks.held.iter().find(|held| held.rank >= rank).copied());
            if let Some(held) = before.flatten() {
                // The message of a panic on top of a panic would only hide the first.
                assert!(
                    std::thread::panicking(),
                    "a lock ({rank:?}) is waited for with another ({:?}) held since {}",
                    held.rank,
                    held.taken_at
                );
            }
        }

        #[track_caller]
        pub(crate) fn new(rank: Rank) -> Self {
            let taken_at = Location::caller();
            let number = with(|locks| {
                locks.taken += 1;
                let number = locks.taken;
                locks.held.push(Entry {
                    number,
                    rank,
                    taken_at,
                });
                number
            });
            Held {
                number: number.unwrap_or(0),
            }
        }

        /// To be called before a thread sleeps that lets go of this lock meanwhile: it may hold no other.
        #[track_caller]
        pub(crate) fn about_to_sleep(&self) {
            let other = with(|locks| {
                let mut held = locks.held.iter();
                held.find(|held| held.number != self.number).copied()
            });
            if let Some(held) = other.flatten() {
                assert!(
                    std::thread::panicking(),
                    "a thread sleeps with a lock ({:?}) held since {}",
                    held.rank,
                    held.taken_at
                );
            }
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            with(|locks| locks.held.retain(|held| held.number != self.number));
        }
    }
}

#[cfg(all(test, debug_assertions, not(model)))]
mod tests {
    use super::super::{Condvar, Mutex};
    use super::*;
    use std::panic::{catch_unwind, AssertUnwindSafe};

    fn panics(run: impl FnOnce()) -> bool {
        catch_unwind(AssertUnwindSafe(run)).is_err()
    }

    fn lock(below: u16, lock: Lock) -> Mutex<()> {
        Mutex::ranked((), Rank::of_transport(below, lock))
    }

    #[test]
    fn locks_in_their_order_are_taken() {
        let locks = [
            Mutex::ranked((), Rank::OUTERMOST),
            Mutex::ranked((), Rank::OUTER),
            lock(1, Lock::Receiving),
            lock(1, Lock::Sending),
            lock(0, Lock::Receiving),
            lock(0, Lock::Serving),
            Mutex::ranked((), Rank::ROOM),
            Mutex::ranked((), Rank::BEFORE_LEAVES),
            Mutex::new(()),
        ];
        let guards: Vec<_> = locks.iter().map(Mutex::lock).collect();
        assert_eq!(guards.len(), 9);
    }

    #[test]
    fn locks_out_of_order_are_a_panic() {
        let wrong = [
            (lock(0, Lock::Sending), lock(0, Lock::Receiving)),
            (lock(0, Lock::Serving), lock(0, Lock::Sending)),
            (lock(0, Lock::Serving), lock(0, Lock::Serving)),
            (lock(0, Lock::Receiving), lock(1, Lock::Serving)),
            (Mutex::new(()), lock(0, Lock::Receiving)),
            (Mutex::new(()), Mutex::new(())),
        ];
        for (first, second) in wrong {
            let guard = first.lock();
            assert!(panics(|| drop(second.lock())));
            drop(guard);
            // Nothing is left behind by that.
            drop(second.lock());
        }
    }

    #[test]
    fn who_lets_go_for_a_while_holds_nothing_meanwhile() {
        let (late, early) = (lock(0, Lock::Serving), lock(0, Lock::Receiving));
        let mut guard = late.lock();
        guard.unlocked(|| drop(early.lock()));
        assert!(panics(|| drop(early.lock())));
    }

    #[test]
    fn a_lock_that_is_only_tried_need_not_be_in_order_but_counts() {
        let (late, early) = (lock(0, Lock::Serving), lock(0, Lock::Sending));
        let leaf = Mutex::new(());
        let _late = late.lock();
        let tried = early.try_lock();
        assert!(tried.is_some());
        drop(leaf.lock());
        assert!(panics(|| drop(late.lock())));
    }

    #[test]
    fn nobody_sleeps_with_another_lock_held() {
        let (first, second) = (lock(0, Lock::Receiving), lock(0, Lock::Serving));
        let condition = Condvar::new();
        let _first = first.lock();
        let mut guard = second.lock();
        assert!(panics(|| condition.wait(&mut guard)));
    }
}
