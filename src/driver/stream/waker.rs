//! Readiness of streams that no poller knows.

use std::sync::Arc;

use once_cell::sync::OnceCell;

use crate::driver::engine::{Ready, Worker};
use crate::driver::sync::atomic::{AtomicBool, Ordering};

/// Remembers that a stream can be read or written, and has its transport's I/O thread look. A leaf: it may be used
/// with any lock held.
///
/// The thread is told when a flag goes up, not while it is up: whoever finds it up either takes it down by using
/// the stream, or comes again.
pub(crate) struct Waker {
    readable: AtomicBool,
    writable: AtomicBool,
    thread: OnceCell<(Arc<Worker>, u64)>,
}

impl Waker {
    /// For a stream that may hold something already.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Waker {
            readable: AtomicBool::new(true),
            writable: AtomicBool::new(false),
            thread: OnceCell::new(),
        })
    }

    /// Names the transport to be looked at, and has it looked at: its first turn may be over, and not have seen what came
    /// after it and before this.
    pub(crate) fn attach(&self, worker: &Arc<Worker>, key: u64) {
        let _ = self.thread.set((Arc::clone(worker), key));
        self.wake();
    }

    /// There is something to read, the end and failures included.
    pub(crate) fn readable(&self) {
        if !self.readable.swap(true, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// There is room to write.
    pub(crate) fn writable(&self) {
        if !self.writable.swap(true, Ordering::SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some((worker, key)) = self.thread.get() {
            worker.attend(*key);
        }
    }

    /// To be called before reading: what comes from now on is told.
    pub(crate) fn begin_reading(&self) {
        self.readable.store(false, Ordering::SeqCst);
    }

    /// Reading has left something over.
    pub(crate) fn leave_rest(&self) {
        self.readable.store(true, Ordering::SeqCst);
    }

    /// What was told. Room is told once, for whoever asks will write.
    pub(crate) fn ready(&self) -> Ready {
        Ready {
            readable: self.readable.load(Ordering::SeqCst),
            writable: self.writable.swap(false, Ordering::SeqCst),
        }
    }

    /// Whether there is something to read.
    pub(crate) fn is_readable(&self) -> bool {
        self.readable.load(Ordering::SeqCst)
    }
}
