//! The pool: jobs that come while its threads leave, and where no thread can be had.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use super::check::Model;
use crate::driver::engine::Engine;
use crate::driver::event::Event;
use crate::driver::pool::Pool;
use crate::driver::sys::thread;
use crate::driver::wait::Timeout;

const MODEL: Model = Model {
    schedules: 1000,
    // Longer than a thread without work stays.
    patience: Duration::from_secs(11),
    io_threads: 1,
};

/// Jobs that are counted, and an event that is set when all of them have run.
#[derive(Clone)]
struct Jobs {
    left: Arc<AtomicUsize>,
    done: Event,
}

impl Jobs {
    fn new(count: usize) -> Self {
        Jobs {
            left: Arc::new(AtomicUsize::new(count)),
            done: Event::new(),
        }
    }

    fn one(&self) -> Box<dyn FnOnce() + Send> {
        let jobs = self.clone();
        Box::new(move || {
            if jobs.left.fetch_sub(1, Ordering::SeqCst) == 1 {
                jobs.done.set();
            }
        })
    }
}

#[test]
fn every_job_runs_whoever_is_leaving() {
    MODEL.check(|| {
        let worker = Engine::get().unwrap().assign().unwrap();
        let pool = Arc::new(Pool::new("model", &worker));
        let jobs = Jobs::new(6);
        for _ in 0..2 {
            let (pool, jobs) = (Arc::clone(&pool), jobs.clone());
            shuttle::thread::spawn(move || {
                for _ in 0..3 {
                    pool.spawn(jobs.one());
                    shuttle::thread::yield_now();
                }
            });
        }
        assert!(jobs.done.wait(Timeout::Forever));
    });
}

#[test]
fn every_job_runs_where_threads_are_refused_for_a_while() {
    static REFUSALS: AtomicUsize = AtomicUsize::new(0);
    fn make(name: &str, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let left = REFUSALS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
        match left {
            Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
            Err(_) => thread::spawn(name, run),
        }
    }
    MODEL.check(|| {
        // More than there are jobs: only who tries again gets a thread.
        REFUSALS.store(4, Ordering::SeqCst);
        let worker = Engine::get().unwrap().assign().unwrap();
        let pool = Arc::new(Pool::with_maker("model", &worker, make));
        let jobs = Jobs::new(3);
        for _ in 0..3 {
            let (pool, jobs) = (Arc::clone(&pool), jobs.clone());
            shuttle::thread::spawn(move || pool.spawn(jobs.one()));
        }
        assert!(jobs.done.wait(Timeout::Forever));
    });
}
