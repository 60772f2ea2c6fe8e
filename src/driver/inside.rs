//! Knowing what thread a call comes from: whether it runs a callback of a transport, whether it is the one of before, and what it
//! has just received.

use std::cell::Cell;
use std::time::Instant;

use super::gathering::Received;
use super::sync::thread_local;
use crate::error::Error;

thread_local! {
    static INSIDE: Cell<u64> = const { Cell::new(0) };
    static RECEIVED: Cell<Option<(u64, Received)>> = const { Cell::new(None) };
}

/// Ends the knowledge when dropped.
pub(crate) struct Inside(u64);

/// This thread runs callbacks of the transport with this key from now on.
pub(crate) fn enter(key: u64) -> Inside {
    Inside(INSIDE.with(|inside| inside.replace(key)))
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set(self.0));
    }
}

/// What tells this thread from all others that there are now; never 0.
pub(crate) fn this_thread() -> usize {
    INSIDE.with(|inside| std::ptr::from_ref(inside).addr())
}

/// Whether this thread runs a callback of the transport.
pub(crate) fn is_inside(key: u64) -> bool {
    INSIDE.with(Cell::get) == key
}

/// Refuses a call that waits for a callback of the transport while one is running: callbacks of a transport
/// run one after another, so that one would never come.
pub(crate) fn refuse(key: u64, what: &'static str) -> Result<(), Error> {
    if is_inside(key) {
        Err(Error::WouldDeadlock(what))
    } else {
        Ok(())
    }
}

/// This thread has received part of a stream from the transport's peer, from one moment to the other.
pub(crate) fn has_received(key: u64, began: Instant, ended: Instant) {
    RECEIVED.with(|received| {
        let before = received.get().filter(|(of, _)| *of == key);
        let all = Received::after(before.map(|(_, before)| before), began, ended);
        received.set(Some((key, all)));
    });
}

/// What this thread has received last, if it was from this transport's peer.
pub(crate) fn last_received(key: u64) -> Option<Received> {
    let (of, received) = RECEIVED.with(Cell::get)?;
    (of == key).then_some(received)
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    #[test]
    fn of_one_transport_and_one_thread() {
        let now = Instant::now();
        has_received(7, now, now);
        assert!(last_received(7).is_some());
        assert!(last_received(8).is_none());
        std::thread::spawn(|| assert!(last_received(7).is_none()))
            .join()
            .unwrap();
    }
}
