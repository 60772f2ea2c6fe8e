//! Threads that run the application's callbacks: as many as are busy, none when there is nothing to do.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::engine::{Engine, Next, Ready, Task, Worker};
use super::sync::{Condvar, Mutex};
use super::sys::clock;
use super::sys::thread;
use crate::error::Error;

/// Something to run once.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Who makes threads.
pub(super) type Maker = fn(&str, Job) -> io::Result<()>;

/// How long a thread without work stays.
const IDLE_TIME: Duration = Duration::from_secs(10);
/// Most threads; more work than that waits.
pub(super) const MAX_THREADS: usize = 256;
/// Time between two tries to make a thread where none could be had.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// An elastic pool. Its lock is a leaf.
pub(crate) struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    make: Maker,
    /// The I/O thread that tries again where no thread could be made, and under which number: it is the one thread that is
    /// sure to be there.
    worker: Arc<Worker>,
    key: u64,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// Threads that could not be made. While there are any, the I/O thread tries.
    missing: usize,
}

/// Who comes to a job.
enum Staffed {
    /// A thread that sleeps.
    ByOneToCall,
    /// One that is new, or busy now.
    ByOthers,
}

impl Pool {
    /// A pool without threads. Those it makes have this name.
    pub(crate) fn new(name: &'static str, worker: &Arc<Worker>) -> Self {
        Pool::with_maker(name, worker, thread::spawn)
    }

    pub(super) fn with_maker(name: &'static str, worker: &Arc<Worker>, make: Maker) -> Self {
        Pool {
            inner: Arc::new(Inner {
                name,
                make,
                worker: Arc::clone(worker),
                key: Engine::new_key(),
                state: Mutex::default(),
                work: Condvar::new(),
            }),
        }
    }

    /// Runs `job` on some thread of the pool, soon. Where the system gives no thread, as soon as it does: for what was
    /// promised to the application or the peer, and has nobody any more to whom an error could be told.
    pub(crate) fn spawn(&self, job: Job) {
        let (staffed, first) = {
            let mut state = self.inner.state.lock();
            state.jobs.push_back(job);
            match self.inner.staff(&mut state) {
                Ok(staffed) => (staffed, false),
                Err(_) => (Staffed::ByOthers, self.inner.miss(&mut state)),
            }
        };
        self.inner.call(staffed);
        if first {
            self.inner.try_later();
        }
    }

    /// The same for those who can say that it does not work.
    ///
    /// # Errors
    /// [`Error::Resource`] where there is no thread, nor can one be had.
    pub(crate) fn try_spawn(&self, job: Job) -> Result<(), Error> {
        let (staffed, first, refused) = {
            let mut state = self.inner.state.lock();
            state.jobs.push_back(job);
            match self.inner.staff(&mut state) {
                Ok(staffed) => (staffed, false, None),
                Err(_) if state.threads == 0 => (Staffed::ByOthers, false, state.jobs.pop_back()),
                Err(_) => (Staffed::ByOthers, self.inner.miss(&mut state), None),
            }
        };
        self.inner.call(staffed);
        if first {
            self.inner.try_later();
        }
        match refused {
            // Dropped without the lock: it may hold what is the application's.
            Some(_) => Err(Error::Resource("a thread could not be started")),
            None => Ok(()),
        }
    }
}

impl Inner {
    /// Sees to it that a thread comes to the job that was queued last.
    fn staff(self: &Arc<Self>, state: &mut State) -> io::Result<Staffed> {
        if state.jobs.len() <= state.idle {
            return Ok(Staffed::ByOneToCall);
        }
        if state.threads < MAX_THREADS {
            self.add_thread(state)?;
        }
        Ok(Staffed::ByOthers)
    }

    /// Calls an idle thread, which takes the lock first: so not with it held.
    fn call(&self, staffed: Staffed) {
        if matches!(staffed, Staffed::ByOneToCall) {
            self.work.notify_one();
        }
    }

    fn add_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let inner = Arc::clone(self);
        (self.make)(self.name, Box::new(move || inner.run()))?;
        state.threads += 1;
        Ok(())
    }

    /// Notes that a thread is missing; says whether it is the first one.
    fn miss(&self, state: &mut State) -> bool {
        state.missing += 1;
        state.missing == 1
    }

    fn try_later(self: &Arc<Self>) {
        let task: Arc<Self> = Arc::clone(self);
        self.worker.register(task);
    }

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
            let until = clock::now() + IDLE_TIME;
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

impl Task for Inner {
    fn key(&self) -> u64 {
        self.key
    }

    fn turn(self: Arc<Self>, _: Ready, _: &mut Vec<u8>) -> Next {
        let mut state = self.state.lock();
        while state.missing > 0 {
            // Those that are there may have come to all of it meanwhile.
            if state.jobs.len() <= state.idle || state.threads >= MAX_THREADS {
                state.missing = 0;
            } else if self.add_thread(&mut state).is_ok() {
                state.missing -= 1;
            } else {
                return Next::At(Some(clock::now() + TRY_AGAIN));
            }
        }
        Next::Gone
    }

    fn broken(self: Arc<Self>) {
        self.state.lock().missing = 0;
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    fn worker() -> Arc<Worker> {
        Engine::get().unwrap().assign().unwrap()
    }

    #[test]
    fn blocked_jobs_do_not_stop_others_and_panics_are_survived() {
        let pool = Pool::new("test", &worker());
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

    #[test]
    fn what_finds_no_thread_runs_when_there_is_one() {
        static REFUSALS: AtomicUsize = AtomicUsize::new(3);
        let pool = Pool::with_maker("test", &worker(), |name, run| {
            let left = REFUSALS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
            match left {
                Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
                Err(_) => thread::spawn(name, run),
            }
        });
        let (tell, told) = mpsc::channel();
        for number in 0..2 {
            let tell = tell.clone();
            pool.spawn(Box::new(move || tell.send(number).unwrap()));
        }
        let mut numbers = [told.recv().unwrap(), told.recv().unwrap()];
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1]);
        assert_eq!(REFUSALS.load(Ordering::SeqCst), 0);
        assert_eq!(pool.inner.state.lock().missing, 0);
    }

    #[test]
    fn who_can_be_told_is_told_that_there_is_no_thread() {
        static REFUSES: AtomicUsize = AtomicUsize::new(0);
        let pool = Pool::with_maker("test", &worker(), |name, run| {
            match REFUSES.load(Ordering::SeqCst) {
                0 => thread::spawn(name, run),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        REFUSES.store(1, Ordering::SeqCst);
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let refused = pool.try_spawn(Box::new(move || drop(holds)));
        assert!(matches!(refused, Err(Error::Resource(_))));
        assert_eq!(Arc::strong_count(&held), 1, "the job is gone");
        assert_eq!(pool.inner.state.lock().jobs.len(), 0);
        // With a thread that is there, but busy, it is not lost either.
        REFUSES.store(0, Ordering::SeqCst);
        let (tell, told) = mpsc::channel();
        let (release, wait) = mpsc::channel::<()>();
        pool.try_spawn(Box::new(move || wait.recv().unwrap()))
            .unwrap();
        REFUSES.store(1, Ordering::SeqCst);
        pool.try_spawn(Box::new(move || tell.send(()).unwrap()))
            .unwrap();
        assert_eq!(pool.inner.state.lock().missing, 1);
        release.send(()).unwrap();
        told.recv().unwrap();
    }
}
