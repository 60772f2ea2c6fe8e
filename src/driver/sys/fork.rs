//! Noticing `fork`: the child's copy of the library must not touch what belongs to the parent.

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::Once;

/// How many forks lie between the process that loaded the library and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static REGISTER: Once = Once::new();

/// A number that changes in a forked child. Objects remember it when they are made; an object with
/// another number belongs to an ancestor. Cheap: one relaxed load.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    // Only what is safe after fork in a process with threads: atomics.
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Makes [`generation`] change in forked children from now on. Call it before the first object is made.
pub fn watch() {
    REGISTER.call_once(|| {
        // SAFETY: `in_child` is async-signal-safe and lives as long as the process; the result only says
        // that memory ran out, in which case forks go unnoticed as with any library without a handler.
        let _ = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

/// What is per process is made anew, as in a child: each execution of a model is one.
#[cfg(model)]
pub fn begin_anew() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// One value per process, made at first use and made anew in a forked child, where the parent's value
/// is left alone: its threads do not exist there and its locks may be held for ever.
pub struct PerProcess<T: 'static> {
    current: AtomicPtr<Slot<T>>,
}

struct Slot<T> {
    generation: u32,
    value: once_cell::sync::OnceCell<T>,
}

impl<T: Sync + 'static> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Sync + 'static> PerProcess<T> {
    /// Nothing made yet.
    pub const fn new() -> Self {
        PerProcess {
            current: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// The value of this process, if it has been made.
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: slots are leaked on purpose, so a pointer that was ever stored stays valid.
        let slot = unsafe { self.current.load(Ordering::Acquire).as_ref() };
        slot.filter(|slot| slot.generation == generation())?
            .value
            .get()
    }

    /// The value of this process, made by `make` if there is none.
    pub fn get_or_try_init<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&'static T, E> {
        watch();
        loop {
            let current = self.current.load(Ordering::Acquire);
            // SAFETY: slots are leaked on purpose, so a pointer that was ever stored stays valid.
            if let Some(slot) = unsafe { current.as_ref() } {
                if slot.generation == generation() {
                    return slot.value.get_or_try_init(make);
                }
            }
            let fresh = Box::into_raw(Box::new(Slot {
                generation: generation(),
                value: once_cell::sync::OnceCell::new(),
            }));
            let swapped =
                self.current
                    .compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire);
            if swapped.is_err() {
                // SAFETY: another thread was faster; `fresh` was never shared.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once() {
        static VALUE: PerProcess<u32> = PerProcess::new();
        assert_eq!(VALUE.get(), None);
        assert_eq!(VALUE.get_or_try_init(|| Ok::<_, ()>(1)), Ok(&1));
        assert_eq!(VALUE.get(), Some(&1));
        assert_eq!(VALUE.get_or_try_init(|| Ok::<_, ()>(2)), Ok(&1));
    }
}
