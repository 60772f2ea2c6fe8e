//! How many there are of something that is bounded, counted across sessions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use rustix::process::{getrlimit, Resource};

/// The share of the process's descriptors that files and directories of all clients may take: one in so many. The rest is the
/// listener's and the application's, so that clients with many open files keep nobody out.
const SHARE: u64 = 2;

/// Most files and directories that all clients of the process may have open.
static MOST_OF_PROCESS: LazyLock<usize> = LazyLock::new(|| {
    let limit = getrlimit(Resource::Nofile).current;
    let most = limit.and_then(|limit| usize::try_from(limit / SHARE).ok());
    most.unwrap_or(usize::MAX)
});

/// How many they have.
static OF_PROCESS: LazyLock<Arc<Tally>> = LazyLock::new(Arc::default);

/// A count.
#[derive(Debug, Default)]
pub struct Tally(AtomicUsize);

/// One of those that a [`Tally`] counts, until it is dropped.
#[derive(Debug)]
pub struct Taken(Arc<Tally>);

impl Tally {
    /// One more, if there are fewer than `most`.
    pub fn take(self: &Arc<Self>, most: usize) -> Option<Taken> {
        let more = |taken: usize| (taken < most).then(|| taken.saturating_add(1));
        let Tally(taken) = &**self;
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
            .map(|_| Taken(Arc::clone(self)))
    }

    /// One more file or directory that is open in this process, if there may be one.
    pub fn take_of_process() -> Option<Taken> {
        OF_PROCESS.take(*MOST_OF_PROCESS)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0 .0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_there_again() {
        let tally = Arc::new(Tally::default());
        let first = tally.take(2);
        let second = tally.take(2);
        assert!(first.is_some() && second.is_some());
        assert!(tally.take(2).is_none());
        drop(first);
        assert!(tally.take(2).is_some());
    }
}
