//! Transports that the exit of the process waits for. The others, which is all of them at first, end with it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::shared::Shared;
use super::sync::Mutex;
use super::sys::{exit, fork::PerProcess};
use super::transport::Transport;
use super::wait::Timeout;
use crate::error::Error;

/// A forked child has none: its parent's transports are not its own.
static WAITED_FOR: PerProcess<Mutex<Vec<Weak<Shared>>>> = PerProcess::new();

fn waited_for() -> Result<&'static Mutex<Vec<Weak<Shared>>>, Error> {
    WAITED_FOR.get_or_try_init(|| Ok(Mutex::default()))
}

impl Transport {
    /// Whether the process may exit while the transport is alive.
    pub fn is_daemon(&self) -> bool {
        self.shared.daemon.load(Ordering::Relaxed)
    }

    /// Sets that.
    pub fn set_daemon(&self, daemon: bool) -> Result<(), Error> {
        self.shared.check_process()?;
        let mut waited_for = waited_for()?.lock();
        waited_for.retain(|known| {
            known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), &*self.shared)
        });
        if !daemon {
            if !exit::before_exit(wait_for_all) {
                return Err(Error::Io {
                    operation: "atexit",
                    errno: libc::ENOMEM,
                });
            }
            waited_for.push(Arc::downgrade(&self.shared));
        }
        self.shared.daemon.store(daemon, Ordering::Relaxed);
        Ok(())
    }
}

/// Waits until none of them is alive. New ones may come meanwhile.
fn wait_for_all() {
    while let Some(shared) = waited_for().ok().and_then(next) {
        // Fails only in another process, which has no such transports.
        let _ = Transport::of(shared).join(Timeout::Forever);
    }
}

fn next(waited_for: &Mutex<Vec<Weak<Shared>>>) -> Option<Arc<Shared>> {
    let mut waited_for = waited_for.lock();
    loop {
        if let Some(shared) = waited_for.pop()?.upgrade() {
            return Some(shared);
        }
    }
}
