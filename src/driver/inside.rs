//! Knowing what thread a call comes from: whether it runs a callback of a transport, whether it is the one of before, and what it
//! has just received.

use std::cell::Cell;
use std::time::Instant;

use super::sync::thread_local;
use crate::error::Error;

thread_local! {
    static INSIDE: Cell<u64> = const { Cell::new(0) };
    static RECEIVED: Cell<Option<(u64, Instant)>> = const { Cell::new(None) };
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

/// This thread has received much from the transport's peer until now.
pub(crate) fn has_received(key: u64, now: Instant) {
    RECEIVED.with(|received| received.set(Some((key, now))));
}

/// Until when this thread has received much, if it was from this transport's peer.
pub(crate) fn last_received(key: u64) -> Option<Instant> {
    let (of, at) = RECEIVED.with(Cell::get)?;
    (of == key).then_some(at)
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    #[test]
    fn of_one_transport_and_one_thread() {
        let now = Instant::now();
        has_received(7, now);
        assert_eq!(last_received(7), Some(now));
        assert_eq!(last_received(8), None);
        std::thread::spawn(|| assert_eq!(last_received(7), None))
            .join()
            .unwrap();
    }
}
