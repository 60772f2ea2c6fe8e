//! Locks that survive `fork`.
//!
//! The standard library's mutex and condition variable are words of memory that the kernel waits on, and nothing
//! else. Other locks keep the sleeping threads in a table of the process; a child inherits that table with threads
//! in it that it does not have, perhaps in the middle of a change, and may hang on locks it made itself. New
//! transports must work in a child, so the driver and the C face use these.
//!
//! A panic with a lock held is caught at the C boundary or in the I/O thread and ends the transport; the lock stays
//! usable, for the others must still hear of the end.

mod order;
mod primitives;

use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};
use std::time::Instant;

use self::atomic::{AtomicUsize, Ordering};
use self::order::Held;
use super::sys::clock;

pub(crate) use self::order::{Lock, Rank};
pub(crate) use self::primitives::{atomic, thread_local};

/// Guards a value.
#[derive(Debug)]
pub struct Mutex<T> {
    inner: primitives::Mutex<T>,
    rank: Rank,
}

/// The right to the value of a [`Mutex`], until dropped.
pub struct MutexGuard<'a, T> {
    lock: &'a Mutex<T>,
    /// Absent only while its thread sleeps.
    inner: Option<primitives::MutexGuard<'a, T>>,
    /// After the lock itself, for whoever waits for it may have it first.
    held: Option<Held>,
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Mutex<T> {
    /// An open lock around `value`, with which no other is taken.
    pub const fn new(value: T) -> Self {
        Self::ranked(value, Rank::LEAF)
    }

    /// The same with a place in the order of locks.
    pub(crate) const fn ranked(value: T, rank: Rank) -> Self {
        Mutex {
            inner: primitives::Mutex::new(value),
            rank,
        }
    }

    /// Waits for the lock.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        Held::about_to_wait(self.rank);
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        MutexGuard {
            lock: self,
            inner: Some(inner),
            held: Some(Held::new(self.rank)),
        }
    }

    /// The lock if nobody has it. It may come out of order, for nobody waits for it.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(MutexGuard {
            lock: self,
            inner: Some(inner),
            held: Some(Held::new(self.rank)),
        })
    }
}

impl<T> MutexGuard<'_, T> {
    /// Lets go of the lock while `run` runs, and takes it again.
    #[track_caller]
    pub fn unlocked<R>(&mut self, run: impl FnOnce() -> R) -> R {
        self.inner = None;
        self.held = None;
        let result = run();
        *self = self.lock.lock();
        result
    }

    #[track_caller]
    fn about_to_sleep(&self) {
        if let Some(held) = &self.held {
            held.about_to_sleep();
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("a guard is used while its thread sleeps"),
        }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.inner {
            Some(inner) => inner,
            None => unreachable!("a guard is used while its thread sleeps"),
        }
    }
}

/// Where threads sleep until the value of a [`Mutex`] has changed.
///
/// The standard library's asks the kernel to wake whoever sleeps each time, also when nobody does, which would be a
/// system call for each packet received. This one knows how many sleep. They are counted with the lock held, so
/// who has changed the value under the lock and then finds nobody counted knows that nobody can have missed it.
#[derive(Debug, Default)]
pub struct Condvar {
    inner: primitives::Condvar,
    /// A child of `fork` inherits the number without the threads; then it is woken for nothing, as without it.
    sleepers: AtomicUsize,
}

impl Condvar {
    /// Nobody sleeps yet.
    pub const fn new() -> Self {
        Condvar {
            inner: primitives::Condvar::new(),
            sleepers: AtomicUsize::new(0),
        }
    }

    /// Lets go of the lock, sleeps until woken, takes the lock again. May wake without a reason.
    #[track_caller]
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        guard.about_to_sleep();
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        guard.inner = guard.inner.take().map(|inner| {
            self.inner
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner)
        });
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// As [`wait`](Self::wait), no longer than until `at`; false when that moment came.
    #[track_caller]
    pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, at: Instant) -> bool {
        guard.about_to_sleep();
        let time = at.saturating_duration_since(clock::now());
        let mut in_time = true;
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        guard.inner = guard.inner.take().map(|inner| {
            let (inner, outcome) = self
                .inner
                .wait_timeout(inner, time)
                .unwrap_or_else(PoisonError::into_inner);
            in_time = !outcome.timed_out();
            inner
        });
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        in_time
    }

    /// Wakes one of those who sleep.
    pub fn notify_one(&self) {
        if self.has_sleepers() {
            self.inner.notify_one();
        }
    }

    /// Wakes all who sleep.
    pub fn notify_all(&self) {
        if self.has_sleepers() {
            self.inner.notify_all();
        }
    }

    fn has_sleepers(&self) -> bool {
        self.sleepers.load(Ordering::SeqCst) > 0
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;
    use std::panic::{catch_unwind, AssertUnwindSafe};
    use std::time::Duration;

    #[test]
    fn a_panic_leaves_the_lock_usable() {
        let lock = Mutex::new(1);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut guard = lock.lock();
            *guard = 2;
            panic!("on purpose");
        }));
        assert!(outcome.is_err());
        assert_eq!(*lock.lock(), 2);
        assert_eq!(lock.try_lock().as_deref(), Some(&2));
    }

    #[test]
    fn try_lock_finds_the_lock_taken() {
        let lock = Mutex::new(());
        let guard = lock.lock();
        assert!(lock.try_lock().is_none());
        drop(guard);
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn a_guard_can_let_go_for_a_while() {
        let lock = Mutex::new(1);
        let mut guard = lock.lock();
        guard.unlocked(|| *lock.lock() = 2);
        assert_eq!(*guard, 2);
        assert!(lock.try_lock().is_none());
    }

    #[test]
    fn sleepers_are_woken_and_time_runs_out() {
        let (lock, changed) = (Mutex::new(false), Condvar::new());
        assert!(!changed.wait_until(&mut lock.lock(), Instant::now() + Duration::from_millis(1)));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut done = lock.lock();
                while !*done {
                    changed.wait(&mut done);
                }
            });
            *lock.lock() = true;
            changed.notify_all();
        });
        assert!(*lock.lock());
        assert!(!changed.has_sleepers());
    }

    /// Each waits for the other a great many times: one lost waking, and both sleep for ever.
    #[test]
    fn no_waking_is_lost() {
        const TURNS: u32 = 20_000;
        let (lock, changed) = (Mutex::new(0_u32), Condvar::new());
        std::thread::scope(|scope| {
            for mine in 0..2 {
                let (lock, changed) = (&lock, &changed);
                scope.spawn(move || {
                    for _ in 0..TURNS {
                        let mut turn = lock.lock();
                        while *turn % 2 != mine {
                            changed.wait(&mut turn);
                        }
                        *turn += 1;
                        // With the lock held and without, as the callers do.
                        if *turn % 3 == 0 {
                            drop(turn);
                        }
                        changed.notify_one();
                    }
                });
            }
        });
        assert_eq!(*lock.lock(), 2 * TURNS);
        assert!(!changed.has_sleepers());
    }
}
