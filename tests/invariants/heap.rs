//! An allocator that counts what the library's own threads hold, and how much that was at most.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

/// Of all threads: what one allocates another may free.
static ALL: AtomicI64 = AtomicI64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

thread_local! {
    /// Of the tests: what they allocate is the peer's, or nobody's.
    static APART: Cell<bool> = const { Cell::new(false) };
}

pub struct Counting;

fn count(bytes: usize, sign: i64) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    ALL.fetch_add(sign * bytes, Ordering::Relaxed);
    if APART.try_with(Cell::get).unwrap_or(true) {
        return;
    }
    let live = LIVE.fetch_add(sign * bytes, Ordering::Relaxed) + sign * bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: every call is passed on to the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What this thread allocates does not count any more.
pub fn stand_apart() {
    APART.with(|apart| apart.set(true));
}

/// What the process holds, the tests' threads included.
pub fn live_in_all() -> i64 {
    ALL.load(Ordering::Relaxed)
}

/// How much more than now the library's threads hold at most while `work` runs.
pub fn growth(work: impl FnOnce()) -> i64 {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}
