//! What all fuzz targets share: an allocator that counts, and the run of one input.
//!
//! The targets themselves are in `src/fuzzing` of the library, where tests run them too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use sshwire::fuzzing::{Target, PER_BYTE};

/// Inputs that are run before memory is counted: what is made once and kept is not theirs.
const WARM_UP: usize = 64;

/// The system's allocator, and how much it has given out.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static RUNS: AtomicUsize = AtomicUsize::new(0);

fn taken(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
}

fn given_back(bytes: usize) {
    LIVE.fetch_sub(bytes, Relaxed);
}

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        given_back(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        taken(size);
        given_back(layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs a target over one input, and ends the process where that took more memory than it may.
pub fn run(target: &Target, data: &[u8]) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    (target.run)(data);
    let used = PEAK.load(Relaxed).saturating_sub(before);
    let allowed = target.memory + PER_BYTE * data.len();
    if RUNS.fetch_add(1, Relaxed) >= WARM_UP && used > allowed {
        panic!(
            "{}: {used} bytes of memory for an input of {}, and {allowed} are allowed",
            target.name,
            data.len()
        );
    }
}

/// The program of the target of this name.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            static TARGET: std::sync::OnceLock<&sshwire::fuzzing::Target> =
                std::sync::OnceLock::new();
            let find = || sshwire::fuzzing::find($name).expect("a target of this name");
            $crate::run(TARGET.get_or_init(find), data);
        });
    };
}
