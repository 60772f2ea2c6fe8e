//! What is to be done before the process exits.

use std::sync::OnceLock;

static TASK: OnceLock<fn()> = OnceLock::new();
static REGISTERED: OnceLock<bool> = OnceLock::new();

extern "C" fn at_exit() {
    if let Some(task) = TASK.get() {
        // A panic must not reach the C library.
        let _ = std::panic::catch_unwind(task);
    }
}

/// Has `task` run when the process calls `exit`, or the library is unloaded. There is one for the process, the first.
/// False when the C library has no room for it.
pub fn before_exit(task: fn()) -> bool {
    TASK.get_or_init(|| task);
    // SAFETY: `at_exit` does not unwind, and lives as long as the library, whose unloading calls it.
    *REGISTERED.get_or_init(|| unsafe { libc::atexit(at_exit) } == 0)
}
