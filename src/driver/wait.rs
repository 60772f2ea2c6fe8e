//! How long a caller is willing to wait, and the cancelling of waits.

use super::sync::{Condvar, MutexGuard};
use super::sys::clock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds since 1970 by the system's clock; 0 where that is set to a time before.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// As long as the transport lives.
    Forever,
    /// At most so long; zero means "only what can be done at once".
    After(Duration),
}

impl Timeout {
    /// Only what can be done at once.
    pub const NOW: Timeout = Timeout::After(Duration::ZERO);

    /// The C convention: -1 (any negative number) is forever, otherwise milliseconds.
    pub fn from_ms(timeout_ms: i32) -> Self {
        match u64::try_from(timeout_ms) {
            Ok(ms) => Timeout::After(Duration::from_millis(ms)),
            Err(_) => Timeout::Forever,
        }
    }

    /// The moment it runs out, counted from now.
    pub(crate) fn deadline(self) -> Deadline {
        match self {
            Timeout::Forever => Deadline(None),
            // A time too far away to be written down is forever.
            Timeout::After(time) => Deadline(clock::now().checked_add(time)),
        }
    }
}

/// The absolute end of a wait; one deadline serves all steps of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(pub(crate) Option<Instant>);

impl Deadline {
    pub(crate) fn has_passed(self) -> bool {
        self.0.is_some_and(|at| at <= clock::now())
    }

    /// What is left, `None` for forever.
    pub(crate) fn remaining(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(clock::now()))
    }

    /// Waits on a condition variable; false when the deadline has passed.
    pub(crate) fn wait<T>(self, condition: &Condvar, guard: &mut MutexGuard<'_, T>) -> bool {
        match self.0 {
            None => {
                condition.wait(guard);
                true
            }
            Some(at) => {
                if at <= clock::now() {
                    return false;
                }
                // A time-out is found out by the next round, after one more look at the state.
                let _ = condition.wait_until(guard, at);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_is_forever_and_zero_is_now() {
        assert_eq!(Timeout::from_ms(-1), Timeout::Forever);
        assert_eq!(Timeout::from_ms(0), Timeout::NOW);
        assert!(Timeout::NOW.deadline().has_passed());
        assert!(!Timeout::Forever.deadline().has_passed());
    }
}
