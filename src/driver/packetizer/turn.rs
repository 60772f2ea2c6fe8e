//! A thing that one call at a time has to itself, for as long as it waits for the stream.
//!
//! The lock is held only while the thing changes hands. Who waits for its turn does so within its deadline, and who
//! would wait for itself - a callback that makes the call it was called from - is told.

use std::thread::{self, ThreadId};

use crate::driver::sync::{Condvar, Mutex};

use crate::driver::wait::Deadline;
use crate::error::Error;

pub(super) struct Turn<T> {
    slot: Mutex<Slot<T>>,
    free: Condvar,
}

struct Slot<T> {
    /// `None` while a call has it.
    value: Option<T>,
    holder: Option<ThreadId>,
}

impl<T> Turn<T> {
    pub(super) fn new(value: T) -> Self {
        Turn {
            slot: Mutex::new(Slot {
                value: Some(value),
                holder: None,
            }),
            free: Condvar::new(),
        }
    }

    /// Runs `use_it` once it is this call's turn.
    pub(super) fn with<R>(
        &self,
        deadline: Deadline,
        what: &'static str,
        use_it: impl FnOnce(&mut T) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut held = self.take(deadline, what)?;
        match &mut held.value {
            Some(value) => use_it(value),
            None => Err(Error::Bug("a turn without its thing")),
        }
    }

    fn take(&self, deadline: Deadline, what: &'static str) -> Result<Held<'_, T>, Error> {
        let mut slot = self.slot.lock();
        loop {
            if let Some(value) = slot.value.take() {
                slot.holder = Some(thread::current().id());
                return Ok(Held {
                    turn: self,
                    value: Some(value),
                });
            }
            if slot.holder == Some(thread::current().id()) {
                return Err(Error::WouldDeadlock(what));
            }
            if !deadline.wait(&self.free, &mut slot) {
                return Err(Error::Timeout(what));
            }
        }
    }
}

/// Gives the thing back when dropped, also by a panic.
struct Held<'a, T> {
    turn: &'a Turn<T>,
    value: Option<T>,
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        let mut slot = self.turn.slot.lock();
        slot.value = self.value.take();
        slot.holder = None;
        self.turn.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Timeout;

    #[test]
    fn one_at_a_time_and_never_for_oneself() {
        let turn = Turn::new(0);
        let now = Timeout::NOW.deadline();
        let forever = Timeout::Forever.deadline();
        turn.with(now, "test", |_| {
            assert_eq!(
                turn.with(forever, "test", |_| Ok(())),
                Err(Error::WouldDeadlock("test"))
            );
            thread::scope(|scope| {
                let other = scope.spawn(|| turn.with(now, "test", |_| Ok(())));
                assert_eq!(other.join().unwrap(), Err(Error::Timeout("test")));
            });
            Ok(())
        })
        .unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        turn.with(forever, "test", |count| {
                            *count += 1;
                            Ok(())
                        })
                        .unwrap();
                    }
                });
            }
        });
        assert_eq!(turn.with(now, "test", |count| Ok(*count)), Ok(4000));
    }

    #[test]
    fn a_panic_gives_it_back() {
        let turn = Turn::new(5);
        let now = Timeout::NOW.deadline();
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            turn.with(now, "test", |_| -> Result<(), Error> { panic!("inside") })
        }));
        std::panic::set_hook(hook);
        assert!(caught.is_err());
        assert_eq!(turn.with(now, "test", |value| Ok(*value)), Ok(5));
    }
}
