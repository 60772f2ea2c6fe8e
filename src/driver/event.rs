//! A flag that threads and poll loops can wait for: the seeds' `event`.

use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::sync::{Arc, Weak};

use once_cell::sync::OnceCell;

use super::sync::{Condvar, Mutex};
use super::sys::signal::Signal;
use super::wait::Timeout;
use crate::error::Error;

/// A flag that stays set until it is reset. Clones are the same flag.
///
/// Its lock is a leaf: nothing else is locked while it is held.
#[derive(Clone, Default)]
pub struct Event {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    set: Mutex<bool>,
    changed: Condvar,
    /// Made at the first question for it; readable exactly while the flag is set.
    descriptor: OnceCell<Signal>,
    /// Called each time the flag goes from clear to set.
    hook: Option<Box<dyn Fn() + Send + Sync>>,
}

/// A flag as long as somebody else keeps it.
pub(crate) struct WeakEvent(Weak<Inner>);

impl WeakEvent {
    pub(crate) fn get(&self) -> Option<Event> {
        self.0.upgrade().map(|inner| Event { inner })
    }
}

impl Event {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that calls `hook` each time it goes from clear to set: work can wait for it without a thread.
    /// The hook runs on the thread that sets the flag, which may hold the locks of a transport; so it only hands
    /// work on.
    pub(crate) fn with_hook(hook: impl Fn() + Send + Sync + 'static) -> Self {
        Event {
            inner: Arc::new(Inner {
                hook: Some(Box::new(hook)),
                ..Inner::default()
            }),
        }
    }

    /// The same flag, without keeping it: what a hook keeps alive may know its event so.
    pub(crate) fn downgrade(&self) -> WeakEvent {
        WeakEvent(Arc::downgrade(&self.inner))
    }

    /// Sets the flag and wakes who waits.
    pub fn set(&self) {
        let mut set = self.inner.set.lock();
        let was_set = *set;
        if !was_set {
            *set = true;
            if let Some(descriptor) = self.inner.descriptor.get() {
                descriptor.raise();
            }
            self.inner.changed.notify_all();
        }
        drop(set);
        if let Some(hook) = self.inner.hook.as_ref().filter(|_| !was_set) {
            hook();
        }
    }

    /// Clears the flag.
    pub fn reset(&self) {
        let mut set = self.inner.set.lock();
        if *set {
            *set = false;
            if let Some(descriptor) = self.inner.descriptor.get() {
                descriptor.lower();
            }
        }
    }

    /// Whether both are the same flag.
    pub fn is_same(&self, other: &Event) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        *self.inner.set.lock()
    }

    /// Waits until the flag is set; false when the time ran out first.
    pub fn wait(&self, timeout: Timeout) -> bool {
        let deadline = timeout.deadline();
        let mut set = self.inner.set.lock();
        while !*set {
            if !deadline.wait(&self.inner.changed, &mut set) {
                return false;
            }
        }
        true
    }

    /// The descriptor, if it was asked for before.
    pub(crate) fn descriptor_made(&self) -> Option<BorrowedFd<'_>> {
        self.inner.descriptor.get().map(AsFd::as_fd)
    }

    /// A descriptor for a poll loop: readable while the flag is set. It belongs to the event; only poll it.
    pub fn descriptor(&self) -> Result<RawFd, Error> {
        let set = self.inner.set.lock();
        let made = self.inner.descriptor.get_or_try_init(|| Signal::new(*set));
        made.map(Signal::number).map_err(|errno| Error::Io {
            operation: "eventfd",
            errno: errno.raw_os_error(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn set_wakes_and_reset_clears() {
        let event = Event::new();
        assert!(!event.wait(Timeout::After(Duration::from_millis(1))));
        let other = event.clone();
        let thread = std::thread::spawn(move || other.wait(Timeout::Forever));
        event.set();
        assert!(thread.join().unwrap());
        event.reset();
        assert!(!event.is_set());
    }

    #[test]
    fn a_hook_is_called_once_for_each_setting() {
        let calls = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let event = Event::with_hook(move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        event.set();
        event.set();
        event.reset();
        event.set();
        assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 2);
    }

    #[test]
    fn the_descriptor_is_readable_while_set() {
        let event = Event::new();
        event.set();
        let fd = event.descriptor().unwrap();
        assert!(fd >= 0);
        let readable = |event: &Event| {
            let owned = event.inner.descriptor.get().unwrap();
            let mut polled = [rustix::event::PollFd::new(
                owned,
                rustix::event::PollFlags::IN,
            )];
            rustix::event::poll(&mut polled, Some(&rustix::event::Timespec::default())).unwrap()
                == 1
        };
        assert!(readable(&event));
        event.reset();
        assert!(!readable(&event));
        event.set();
        assert!(readable(&event));
    }
}
