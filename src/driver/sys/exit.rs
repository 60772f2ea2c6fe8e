//! What is to be done before the process exits.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Once;

static REGISTER: Once = Once::new();
static TASK: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

extern "C" fn at_exit() {
    let task = TASK.load(Ordering::Acquire);
    if task.is_null() {
        return;
    }
    // SAFETY: `before_exit` has put a `fn()` there, and nothing else ever does.
    let task: fn() = unsafe { std::mem::transmute(task) };
    // A panic must not reach the C library.
    let _ = std::panic::catch_unwind(task);
}

/// Has `task` run when the process calls `exit`, or the library is unloaded. One for the process; false when the C
/// library has no room for it.
pub fn before_exit(task: fn()) -> bool {
    let mut registered = true;
    TASK.store(task as *mut (), Ordering::Release);
    REGISTER.call_once(|| {
        // SAFETY: `at_exit` does not unwind, and lives as long as the library, whose unloading calls it.
        registered = unsafe { libc::atexit(at_exit) } == 0;
    });
    registered
}
