//! Knowing what thread a call comes from: whether it runs a callback of a transport, and whether it is the one of before.

use std::cell::Cell;

use super::sync::thread_local;
use crate::error::Error;

thread_local! {
    static INSIDE: Cell<u64> = const { Cell::new(0) };
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
