//! What runs when the process exits.

/// Has `run` called once when the process exits in the ordinary way, on the thread that exits. It must not panic.
pub fn at_exit(run: extern "C" fn()) -> bool {
    // SAFETY: the function takes nothing and does not unwind, and the library is linked with -z nodelete, so that it
    // stays where it is.
    unsafe { libc::atexit(run) == 0 }
}
