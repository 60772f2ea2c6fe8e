//! Threads that run the application's callbacks: as many as are busy, none when there is nothing to do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sync::{Condvar, Mutex};
use super::sys::thread;

/// Something to run once.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// How long a thread without work stays.
const IDLE_TIME: Duration = Duration::from_secs(10);
/// Most threads; more work than that waits.
const MAX_THREADS: usize = 256;

/// An elastic pool. Its lock is a leaf.
pub(crate) struct Pool {
    name: &'static str,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Pool {
    /// A pool without threads. Those it makes have this name.
    pub(crate) fn new(name: &'static str) -> Self {
        Pool {
            name,
            inner: Arc::default(),
        }
    }

    /// Runs `job` on some thread of the pool, soon.
    pub(crate) fn spawn(&self, job: Job) {
        let mut state = self.inner.state.lock();
        state.jobs.push_back(job);
        if state.jobs.len() <= state.idle {
            self.inner.work.notify_one();
        } else if state.threads < MAX_THREADS {
            let inner = Arc::clone(&self.inner);
            if thread::spawn(self.name, move || inner.run()).is_ok() {
                state.threads += 1;
            }
            // Where no thread can be made, the ones that exist come to the job in time; the very first
            // failing leaves it queued until the next one that can be made.
        }
    }
}

impl Inner {
    fn run(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // A callback that panics is a bug in Rust code of ours or of the application; the thread and
                // the other transports go on.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                state = self.state.lock();
                continue;
            }
            state.idle += 1;
            let until = Instant::now() + IDLE_TIME;
            let mut timed_out = false;
            while state.jobs.is_empty() && !timed_out {
                timed_out = !self.work.wait_until(&mut state, until);
            }
            state.idle -= 1;
            if state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn blocked_jobs_do_not_stop_others_and_panics_are_survived() {
        let pool = Pool::new("test");
        let (tell, told) = mpsc::channel();
        let (release, wait) = mpsc::channel::<()>();
        pool.spawn(Box::new(move || wait.recv().unwrap()));
        pool.spawn(Box::new(|| panic!("on purpose")));
        let tell_again = tell.clone();
        pool.spawn(Box::new(move || tell.send(1).unwrap()));
        assert_eq!(told.recv().unwrap(), 1);
        release.send(()).unwrap();
        pool.spawn(Box::new(move || tell_again.send(2).unwrap()));
        assert_eq!(told.recv().unwrap(), 2);
    }
}
