//! Events with a descriptor, by which callers at a socket are called away.

use super::engine::Engine;
use super::event::Event;
use super::sync::atomic::{AtomicUsize, Ordering};
use super::sync::Mutex;

/// Events with a descriptor, one for each caller at a socket. They are few, so that they do not use up the descriptors that
/// the application may open: who gets none sleeps.
pub(crate) struct Seats {
    free: Mutex<Vec<Event>>,
    left: AtomicUsize,
}

impl Seats {
    /// One of so many descriptors that the process may have.
    const SHARE: u64 = 8;
    const MOST: usize = 4096;

    pub(crate) fn new() -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let share = limit.and_then(|limit| usize::try_from(limit / Self::SHARE).ok());
        Self::with_at_most(share.unwrap_or(Self::MOST).min(Self::MOST))
    }

    pub(super) fn with_at_most(count: usize) -> Self {
        Seats {
            free: Mutex::default(),
            left: AtomicUsize::new(count),
        }
    }

    pub(super) fn take(&self) -> Option<Event> {
        self.take_with(|seat| seat.descriptor().is_ok())
    }

    /// `equip` says whether a new one could be given its descriptor.
    pub(super) fn take_with(&self, equip: impl FnOnce(&Event) -> bool) -> Option<Event> {
        let free = self.free.lock().pop();
        if let Some(seat) = free {
            // Who called the one before away may have been late.
            seat.reset();
            return Some(seat);
        }
        let one_less = |left: usize| left.checked_sub(1);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .ok()?;
        let seat = Event::new();
        if equip(&seat) {
            return Some(seat);
        }
        // There may be descriptors again the next time.
        self.left.fetch_add(1, Ordering::Relaxed);
        None
    }

    pub(super) fn give(&self, seat: Event) {
        self.free.lock().push(seat);
    }
}

/// A seat of the process's, to be [given](give) back.
pub(super) fn take() -> Option<Event> {
    Engine::get().ok()?.seats().take()
}

pub(super) fn give(seat: Event) {
    if let Ok(engine) = Engine::get() {
        engine.seats().give(seat);
    }
}
