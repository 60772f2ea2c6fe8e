//! Transports for whose end the exit of the process waits.

use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::shared::Shared;
use super::sys::exit;
use super::transport::Transport;
use super::wait::Timeout;
use crate::error::Error;

/// A leaf lock.
static AWAITED: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());
static HANDLER: OnceLock<bool> = OnceLock::new();

impl Transport {
    /// Whether the process may exit without waiting for this transport, which is so unless it was changed.
    pub fn is_daemon(&self) -> bool {
        let awaited = AWAITED.lock();
        !awaited.iter().any(|other| self.is(other))
    }

    /// Says whether the process may exit without waiting for this transport.
    pub fn set_daemon(&self, daemon: bool) -> Result<(), Error> {
        self.shared.check_process()?;
        if !daemon && !*HANDLER.get_or_init(|| exit::at_exit(wait_for_all)) {
            return Err(Error::Resource("the exit of the process cannot be watched"));
        }
        let mut awaited = AWAITED.lock();
        awaited.retain(|other| other.strong_count() > 0 && !self.is(other));
        if !daemon {
            awaited.push(Arc::downgrade(&self.shared));
        }
        Ok(())
    }

    fn is(&self, other: &Weak<Shared>) -> bool {
        std::ptr::eq(other.as_ptr(), Arc::as_ptr(&self.shared))
    }
}

/// Waits until they have ended. One of a parent process is none of ours: joining it fails at once.
extern "C" fn wait_for_all() {
    loop {
        let next = AWAITED.lock().pop();
        match next {
            None => return,
            Some(transport) => {
                if let Some(shared) = transport.upgrade() {
                    let _ = Transport::of(shared).join(Timeout::Forever);
                }
            }
        }
    }
}
