//! Callbacks of the calling program with the pointer they carry and its destroy function.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// Ends the life of a callback's `userdata`. Called exactly once, when the callback was replaced or its
/// object is gone, and never while the callback runs. Not called where the call that it was given to fails,
/// but for ssh_transport_request_port_forward().
///
/// The thread is any; no lock of the library is held; it may call any function of the library and must
/// not unwind or longjmp.
#[allow(non_camel_case_types)]
pub type ssh_destroy_callback = Option<unsafe extern "C" fn(userdata: *mut c_void)>;

/// A pointer of the program's with its destroy function, called when the last clone goes.
#[derive(Clone)]
pub(crate) struct Userdata(Arc<Owned>);

struct Owned {
    pointer: *mut c_void,
    destroy: ssh_destroy_callback,
    given_back: AtomicBool,
}

// SAFETY: the library never looks behind the pointer. The header says that callbacks run on the
// library's threads, so the program hands in what may be used there.
unsafe impl Send for Owned {}
// SAFETY: as above; the pointer is only read, and the flag is an atomic.
unsafe impl Sync for Owned {}

impl Userdata {
    pub(crate) fn new(pointer: *mut c_void, destroy: ssh_destroy_callback) -> Self {
        Userdata(Arc::new(Owned {
            pointer,
            destroy,
            given_back: AtomicBool::new(false),
        }))
    }

    /// Leaves the pointer to the program, because the call that it came with fails and no callback was called with it:
    /// destroy is not called.
    pub(crate) fn give_back(&self) {
        self.0.given_back.store(true, Ordering::Relaxed);
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.0.pointer
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy.filter(|_| !*self.given_back.get_mut()) {
            // SAFETY: the program promised this function for this pointer, and this is the only call.
            unsafe { destroy(self.pointer) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    unsafe extern "C" fn count(userdata: *mut c_void) {
        // SAFETY: the test passes a pointer to a live counter.
        let counter = unsafe { &*userdata.cast::<AtomicU32>() };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn destroy_runs_once_after_the_last_clone() {
        let counter = AtomicU32::new(0);
        let pointer = std::ptr::from_ref(&counter).cast_mut().cast();
        let one = Userdata::new(pointer, Some(count));
        let two = one.clone();
        drop(one);
        assert_eq!(counter.load(Ordering::Relaxed), 0);
        assert_eq!(two.pointer(), pointer);
        drop(two);
        assert_eq!(counter.load(Ordering::Relaxed), 1);
        drop(Userdata::new(std::ptr::null_mut(), None));
    }

    #[test]
    fn destroy_does_not_run_for_what_was_given_back() {
        let counter = AtomicU32::new(0);
        let pointer = std::ptr::from_ref(&counter).cast_mut().cast();
        let one = Userdata::new(pointer, Some(count));
        let two = one.clone();
        two.give_back();
        drop((one, two));
        assert_eq!(counter.load(Ordering::Relaxed), 0);
    }
}
