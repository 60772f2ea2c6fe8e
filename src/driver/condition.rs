//! What callers wait for, asleep or at the socket.

use super::event::Event;
use super::sync::atomic::{AtomicBool, Ordering};
use super::sync::{Condvar, Mutex};

/// Where callers sleep until something of a transport has changed: on a condition variable, or at the socket. It goes
/// with one mutex, as a condition variable does, or with an event (`sleep_until`).
#[derive(Default)]
pub(crate) struct Condition {
    sleepers: Condvar,
    /// Somebody waits at the socket for this, too: whoever changes the state sets the event.
    has_visitor: AtomicBool,
    visitor: Mutex<Option<Event>>,
}

impl Condition {
    /// Wakes all who wait for it. What they wait for was changed under the mutex.
    pub(crate) fn notify_all(&self) {
        self.sleepers.notify_all();
        self.notify_visitor();
    }

    /// Wakes one of those who sleep, and who is at the socket.
    pub(crate) fn notify_one(&self) {
        self.sleepers.notify_one();
        self.notify_visitor();
    }

    /// Wakes who is at the socket.
    pub(crate) fn notify_visitor(&self) {
        if self.has_visitor.swap(false, Ordering::SeqCst) {
            let visitor = self.visitor.lock().clone();
            if let Some(seat) = visitor {
                seat.set();
            }
        }
    }

    /// The condition variable alone, for those who wait for nothing that comes through the socket.
    pub(crate) fn sleepers(&self) -> &Condvar {
        &self.sleepers
    }

    /// To be called with the mutex held, or before it is seen whether there is anything to wait for.
    pub(super) fn enter(&self, seat: &Event) {
        *self.visitor.lock() = Some(seat.clone());
        self.has_visitor.store(true, Ordering::SeqCst);
    }

    pub(super) fn leave(&self) {
        self.has_visitor.store(false, Ordering::SeqCst);
    }
}
