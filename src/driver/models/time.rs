//! Time in models: it stands still while anybody has something to do, unless the checker chooses that it does not, and
//! then goes on to the next moment that somebody waits for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, LockResult, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use shuttle::sync::MutexGuard;

thread_local! {
    // All threads of a model run on one thread of the system.
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
    static SLEEPERS: RefCell<Sleepers> = RefCell::new(Sleepers::default());
}

#[derive(Default)]
struct Sleepers {
    next: u64,
    /// Until when they sleep, and what wakes them.
    until: BTreeMap<(Instant, u64), Arc<shuttle::sync::Condvar>>,
}

/// The time of the model. It is later each time, as a clock's is: what is to be done "now" comes after what was.
pub(crate) fn now() -> Instant {
    let now = NOW.get().unwrap_or_else(Instant::now);
    NOW.set(Some(now + Duration::from_nanos(1)));
    now
}

/// Time begins.
pub(super) fn begin() {
    NOW.set(Some(Instant::now()));
    SLEEPERS.take();
}

/// Time goes on to the next moment that a thread waits for, if that is not further away than `most`; false where
/// there is none.
pub(super) fn go_on(most: Duration) -> bool {
    let woken: Vec<_> = SLEEPERS.with_borrow(|sleepers| {
        let next = sleepers.until.first_key_value();
        let Some(at) = next
            .map(|((at, _), _)| *at)
            .filter(|at| *at <= now() + most)
        else {
            return Vec::new();
        };
        NOW.set(Some(at.max(now())));
        let due = sleepers
            .until
            .iter()
            .take_while(|((until, _), _)| *until <= now());
        due.map(|(_, condition)| Arc::clone(condition)).collect()
    });
    for condition in &woken {
        condition.notify_all();
    }
    !woken.is_empty()
}

/// A condition variable whose waits end in time.
#[derive(Debug, Default)]
pub(crate) struct Condvar {
    inner: OnceLock<Arc<shuttle::sync::Condvar>>,
}

/// Whether a wait ended because its time was over.
pub(crate) struct Waited(bool);

impl Waited {
    pub(crate) fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) const fn new() -> Self {
        Condvar {
            inner: OnceLock::new(),
        }
    }

    fn inner(&self) -> &Arc<shuttle::sync::Condvar> {
        self.inner
            .get_or_init(|| Arc::new(shuttle::sync::Condvar::new()))
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.inner().wait(guard)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, Waited)> {
        let Some(until) = now().checked_add(time) else {
            return with(self.wait(guard), Waited(false));
        };
        let key = SLEEPERS.with_borrow_mut(|sleepers| {
            sleepers.next += 1;
            let key = (until, sleepers.next);
            sleepers.until.insert(key, Arc::clone(self.inner()));
            key
        });
        let outcome = self.wait(guard);
        SLEEPERS.with_borrow_mut(|sleepers| sleepers.until.remove(&key));
        with(outcome, Waited(now() >= until))
    }

    pub(crate) fn notify_one(&self) {
        self.inner().notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.inner().notify_all();
    }
}

fn with<'a, T>(
    outcome: LockResult<MutexGuard<'a, T>>,
    waited: Waited,
) -> LockResult<(MutexGuard<'a, T>, Waited)> {
    match outcome {
        Ok(guard) => Ok((guard, waited)),
        Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), waited))),
    }
}
