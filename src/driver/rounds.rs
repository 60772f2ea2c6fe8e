//! The rounds of an I/O thread: what it does each time something can be said of its tasks, and when it is to look again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::{Command, Next, Ready, Task, Worker};
use super::sys::clock;
use super::sys::poller::Found;

/// Time between two looks at the tasks that callers have left. A caller that stays away for two of them is not coming back soon.
pub(super) const LOOK_AFTER: Duration = Duration::from_millis(2);
/// The part of a wait by which it may be too long, so that tasks whose time is about the same share one waking.
const SLACK: u32 = 32;
/// Most that this makes.
const MAX_SLACK: Duration = Duration::from_secs(1);
/// Least that is worth it.
const MIN_SLACK: Duration = Duration::from_millis(32);
/// A timer that is so much too early is set again.
const FAR: Duration = Duration::from_secs(2);
/// Looks at nothing before they stop.
const QUIET_LOOKS: u32 = 8;

/// A moment not before `at` that other deadlines have been given too, and later by no more than a small part of the wait.
/// The keepalives of thousands of idle connections would otherwise wake the thread once for each.
fn shared_moment(began: Instant, now: Instant, at: Instant) -> Instant {
    let slack = (at.saturating_duration_since(now) / SLACK).min(MAX_SLACK);
    if slack < MIN_SLACK {
        return at;
    }
    // A power of two, so that the moments of long waits are among those of shorter ones.
    let bits = slack.as_millis().checked_ilog2().unwrap_or(0);
    let step = 1_u128 << bits;
    let since = at.saturating_duration_since(began).as_millis();
    let shared = since
        .checked_div(step)
        .and_then(|steps| steps.checked_add(1)?.checked_mul(step))
        .and_then(|millis| u64::try_from(millis).ok())
        .and_then(|millis| began.checked_add(Duration::from_millis(millis)));
    shared.unwrap_or(at)
}

/// When a task is attended to next.
#[derive(Clone, Copy)]
struct Timer {
    wanted: Instant,
    /// Not before that, and shared with others.
    at: Instant,
}

/// The moment for which a timer takes the place of one that is set. One that is earlier than needed is harmless, and to leave it saves
/// work for every packet. Where it is earlier by far (a session has been set up, and only its keepalive is left), it would cost a
/// turn that finds nothing, with a connection's memory that nothing has touched for a while.
fn worth_setting(old: Option<Timer>, new: Option<Instant>) -> Option<Instant> {
    new.filter(|new| {
        old.is_none_or(|old| {
            let is_earlier = *new < old.at && *new != old.wanted;
            is_earlier || new.saturating_duration_since(old.at) >= FAR
        })
    })
}

/// What an I/O thread knows of its tasks. Only whoever is at its helm sees it.
pub(super) struct Rounds {
    tasks: HashMap<u64, Entry>,
    timers: BTreeSet<(Instant, u64)>,
    /// Tasks that were forgotten, for who made the round to drop: the application may be told of that.
    gone: Vec<Arc<dyn Task>>,
    /// What shared moments are counted from.
    began: Instant,
    /// When to look at the tasks that callers have left.
    next_look: Option<Instant>,
    /// Looks in a row that found none.
    quiet_looks: u32,
    is_stopped: bool,
}

struct Entry {
    task: Arc<dyn Task>,
    timer: Option<Timer>,
}

impl Rounds {
    pub(super) fn new() -> Self {
        Rounds {
            tasks: HashMap::new(),
            timers: BTreeSet::new(),
            gone: Vec::new(),
            began: clock::now(),
            next_look: None,
            quiet_looks: 0,
            is_stopped: false,
        }
    }

    /// No more rounds are wanted.
    pub(super) fn are_over(&self) -> bool {
        self.is_stopped
    }

    /// What is to be dropped when nothing is locked: tasks that were forgotten, or all when no more rounds are wanted.
    pub(super) fn forgotten(&mut self) -> Vec<Arc<dyn Task>> {
        let mut gone = std::mem::take(&mut self.gone);
        if self.is_stopped {
            gone.extend(self.tasks.drain().map(|(_, entry)| entry.task));
        }
        gone
    }

    /// Who makes them is about to wait at the poller, and for so long at most: whoever wants something from now on wakes it.
    pub(super) fn pause(&mut self, worker: &Worker) -> Option<Duration> {
        let is_wanted = worker.lies_down();
        if self.next_look.is_none() && worker.looks() {
            self.next_look = Some(clock::now() + LOOK_AFTER);
        }
        if is_wanted || self.is_stopped {
            return Some(Duration::ZERO);
        }
        [self.timers.first().map(|(at, _)| *at), self.next_look]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.saturating_duration_since(clock::now()))
    }

    /// One round: does what there is to do, and what the poller has found.
    pub(super) fn make_one(&mut self, worker: &Worker, found: &[Found], scratch: &mut Vec<u8>) {
        // Before the commands: whatever is in the list was registered earlier.
        let left = self
            .next_look
            .filter(|at| *at <= clock::now())
            .map(|_| std::mem::take(&mut *worker.left()));
        for command in worker.gets_up() {
            match command {
                Command::Register(task) => {
                    let key = task.key();
                    self.tasks.insert(key, Entry { task, timer: None });
                    self.attend(key, Ready::default(), scratch);
                }
                Command::Attend(key) => self.attend(key, Ready::default(), scratch),
                Command::Stop => self.is_stopped = true,
            }
        }
        for &(key, (readable, writable)) in found {
            self.attend(key, Ready { readable, writable }, scratch);
        }
        let now = clock::now();
        while let Some((at, key)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.remove(&(at, key));
            if let Some(entry) = self.tasks.get_mut(&key) {
                entry.timer = None;
            }
            self.attend(key, Ready::default(), scratch);
        }
        if let Some(keys) = left {
            self.look_after(worker, keys, now);
        }
    }

    /// Looks at the tasks that callers have left, and whether to do so again.
    fn look_after(&mut self, worker: &Worker, mut keys: Vec<u64>, now: Instant) {
        keys.retain(|key| {
            let entry = self.tasks.get(key);
            entry.is_some_and(|entry| entry.task.look_after())
        });
        let mut left = worker.left();
        left.append(&mut keys);
        self.quiet_looks = if left.is_empty() {
            self.quiet_looks + 1
        } else {
            0
        };
        if self.quiet_looks < QUIET_LOOKS {
            self.next_look = Some(now + LOOK_AFTER);
        } else {
            // With the lock held: who adds a task after this finds that nobody looks.
            worker.stop_looking();
            self.next_look = None;
            self.quiet_looks = 0;
        }
    }

    fn attend(&mut self, key: u64, ready: Ready, scratch: &mut Vec<u8>) {
        let Some(entry) = self.tasks.get_mut(&key) else {
            return;
        };
        let task = Arc::clone(&entry.task);
        let attended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Arc::clone(&task).turn(ready, scratch)
        }));
        let next = attended.unwrap_or_else(|_| {
            task.broken();
            Next::At(Some(clock::now()))
        });
        let timer = match next {
            Next::At(timer) => timer,
            Next::Gone => {
                if let Some(timer) = entry.timer {
                    self.timers.remove(&(timer.at, key));
                }
                let entry = self.tasks.remove(&key);
                self.gone.extend(entry.map(|entry| entry.task));
                return;
            }
        };
        if let Some(wanted) = worth_setting(entry.timer, timer) {
            let at = shared_moment(self.began, clock::now(), wanted);
            if let Some(old) = entry.timer.replace(Timer { wanted, at }) {
                self.timers.remove(&(old.at, key));
            }
            self.timers.insert((at, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_set_again_for_an_earlier_moment_and_for_one_that_is_far_later() {
        let now = Instant::now();
        let second = |count| now + Duration::from_secs(count);
        let set_for = |wanted| Timer {
            wanted,
            at: shared_moment(now, now, wanted),
        };
        assert_eq!(worth_setting(None, None), None);
        assert_eq!(worth_setting(None, Some(second(15))), Some(second(15)));
        let old = set_for(second(15));
        assert!(old.at > old.wanted);
        assert_eq!(worth_setting(Some(old), None), None);
        for (new, is_set) in [
            (second(14), true),
            // It is what the timer was set for.
            (second(15), false),
            // It would come late.
            (old.at - Duration::from_millis(1), true),
            (second(16), false),
            (second(60), true),
        ] {
            let expected = is_set.then_some(new);
            assert_eq!(worth_setting(Some(old), Some(new)), expected, "{new:?}");
        }
    }

    #[test]
    fn deadlines_that_are_far_share_moments_and_are_never_early() {
        let began = Instant::now();
        let now = began + Duration::from_millis(12_345);
        let mut moments = BTreeSet::new();
        for each in 0..1000_u64 {
            let at = now + Duration::from_secs(60) + Duration::from_micros(each * 10_007);
            let moment = shared_moment(began, now, at);
            assert!(moment >= at);
            assert!(moment <= at + MAX_SLACK);
            moments.insert(moment);
        }
        // They are ten seconds in all; a step is at most one, and half of one at least.
        assert!((10..=21).contains(&moments.len()), "{}", moments.len());
    }

    #[test]
    fn a_wait_becomes_longer_by_a_small_part_at_most() {
        let began = Instant::now();
        let now = began + Duration::from_millis(777);
        for millis in [1, 50, 500, 1_023, 1_024, 5_000, 31_999, 32_000, 3_600_000] {
            let wait = Duration::from_millis(millis);
            let moment = shared_moment(began, now, now + wait);
            assert!(moment >= now + wait, "{millis}");
            assert!(moment <= now + wait + wait / SLACK, "{millis}");
        }
        let short = now + Duration::from_millis(900);
        assert_eq!(shared_moment(began, now, short), short);
    }

    #[test]
    fn a_deadline_that_is_over_or_out_of_reach_stays() {
        let began = Instant::now();
        let now = began + Duration::from_secs(5);
        assert_eq!(shared_moment(began, now, began), began);
        let far = now + Duration::from_secs(1 << 40);
        let moment = shared_moment(began, now, far);
        assert!(moment >= far && moment <= far + MAX_SLACK);
    }
}
