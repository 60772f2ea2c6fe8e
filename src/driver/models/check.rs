//! Running a model under the checker.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, MaxSteps, Runner};

use super::time;
use crate::driver::engine::{set_io_threads, Engine};
use crate::driver::sys::{fork, model as system};

/// Models take turns: what is static may be used by the threads of one of them at a time.
static TURN: Mutex<()> = Mutex::new(());
/// Names the number of schedules, in place of each model's own.
const SCHEDULES: &str = "SSHWIRE_MODEL_SCHEDULES";
/// The thread that makes time go on is the first after the model's own.
const CLOCK: usize = 1;
/// One of so many steps makes time go on although somebody has something to do.
const HASTE: u64 = 64;
/// Choices at which a thread of the highest priority is put behind all others.
const CHANGES: usize = 3;

thread_local! {
    /// Nobody but the clock has anything to do.
    static ALONE: Cell<bool> = const { Cell::new(false) };
    /// The longest time that anybody may have to wait for; `None` once the model is over.
    static PATIENCE: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// A model.
#[derive(Clone, Copy)]
pub(crate) struct Model {
    /// Schedules to be tried at random, and as many again by priorities.
    pub(crate) schedules: usize,
    /// Who waits for longer than this is stuck. What ends by itself in this time is not found.
    pub(crate) patience: Duration,
    /// I/O threads; 0 for models that have no use for the engine.
    pub(crate) io_threads: usize,
}

impl Model {
    /// Runs `body` under many schedules. Panics where an assertion fails or threads are stuck, and says which schedule it was.
    pub(crate) fn check(self, body: impl Fn() + Send + Sync + Copy + 'static) {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let schedules = self.wanted();
        self.run(RandomScheduler::new(schedules), body);
        if schedules > 1 {
            self.run(PctScheduler::new(CHANGES, schedules), body);
        }
    }

    /// How many schedules are tried.
    fn wanted(self) -> usize {
        match std::env::var(SCHEDULES).ok().as_deref() {
            None | Some("") => self.schedules,
            Some(wanted) => wanted.parse().unwrap(),
        }
    }

    /// Whether only one is.
    pub(crate) fn is_one(self) -> bool {
        self.wanted() == 1
    }

    fn run(
        self,
        scheduler: impl Scheduler + 'static,
        body: impl Fn() + Send + Sync + Copy + 'static,
    ) {
        let mut config = Config::new();
        // The key exchange is no small matter.
        config.stack_size = 512 * 1024;
        config.max_steps = MaxSteps::FailAfter(1_000_000);
        config.silence_warnings = true;
        Runner::new(WithClock::new(scheduler), config).run(move || self.execute(body));
    }

    fn execute(self, body: impl Fn()) {
        // As in a forked child: what the execution before has left behind is none of this one's.
        fork::begin_anew();
        time::begin();
        system::begin();
        PATIENCE.set(Some(self.patience));
        shuttle::thread::spawn(keep_time);
        if self.io_threads > 0 {
            set_io_threads(self.io_threads).unwrap();
            Engine::get().unwrap();
        }
        body();
        PATIENCE.set(None);
        if self.io_threads > 0 {
            Engine::get().unwrap().stop();
        }
    }
}

/// Makes time go on. Ends when nobody waits for a time any more: whoever is not at an end then never will be.
fn keep_time() {
    loop {
        let alone = ALONE.get();
        let most = match PATIENCE.get() {
            Some(patience) => patience,
            None => Duration::from_secs(3600),
        };
        if !time::go_on(most) && alone {
            return;
        }
        shuttle::thread::yield_now();
    }
}

/// A scheduler beside which time is: it mostly goes on when nobody has anything to do.
struct WithClock<S> {
    scheduler: S,
    /// Whom it has chosen last.
    last: Option<TaskId>,
}

impl<S> WithClock<S> {
    fn new(scheduler: S) -> Self {
        WithClock {
            scheduler,
            last: None,
        }
    }
}

impl<S: Scheduler> Scheduler for WithClock<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.last = None;
        self.scheduler.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let is_clock = |id: TaskId| usize::from(id) == CLOCK;
        let (clock, others): (Vec<&Task>, Vec<&Task>) =
            runnable.iter().partition(|task| is_clock(task.id()));
        let clock = clock.first().map(|task| task.id());
        ALONE.set(others.is_empty());
        if others.is_empty() {
            return clock;
        }
        if clock.is_some() && self.scheduler.next_u64().is_multiple_of(HASTE) {
            return clock;
        }
        let yields = is_yielding && current == self.last;
        self.last = self.scheduler.next_task(&others, self.last, yields);
        self.last
    }

    fn next_u64(&mut self) -> u64 {
        self.scheduler.next_u64()
    }
}
