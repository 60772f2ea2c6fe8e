//! Who makes the rounds of an I/O thread: the thread itself, or a caller who waits for an event that those rounds set all the time.
//!
//! A program with a loop around one event and many connections has little to do for each packet, and neither has the I/O thread: most
//! of the time of both would go into waking each other. So a loop whose event is set again and again in no time goes to the helm
//! of the I/O threads: it waits where they would, and makes their rounds until its event is set. What it then does for its
//! connections takes moments, and it is back; meanwhile nobody is there. The I/O thread looks every few milliseconds, and takes
//! its helm back when nobody has come since it looked last.
//!
//! Where nothing comes for a while, or mostly for others, the loop leaves the helm to the thread and sleeps as ever.

use std::sync::Arc;
use std::time::Duration;

use super::engine::{Engine, Worker};
use super::event::Event;
use super::rounds::LOOK_AFTER;
use super::seats;
use super::sync::{Condvar, Mutex};
use super::sys::clock;
use super::sys::poller::{self, Found};
use super::wait::Deadline;
use super::wakefulness::Wakefulness;

/// How long a caller stays at the helm for its event.
const PATIENCE: Duration = Duration::from_millis(2);
/// Waits that are no longer than this bring callers to the helm.
const SOON: Duration = Duration::from_millis(1);
/// So many tasks of others it takes care of in any case.
const FEW_OTHERS: u64 = 8;
/// A caller that need not wait so many times in a row has too much to do.
const BUSY: u32 = 64;

/// Who is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Who {
    /// The I/O thread.
    #[default]
    Thread,
    /// A caller.
    Caller,
    /// A caller has left, and will probably be back.
    Nobody,
}

#[derive(Default)]
struct State {
    who: Who,
    /// A caller would come.
    is_asked_for: bool,
    /// How often callers came.
    visits: u64,
}

/// The right to make the rounds of an I/O thread.
#[derive(Default)]
pub(super) struct Helm {
    state: Mutex<State>,
    /// A caller has left it to the thread.
    left: Condvar,
}

impl Helm {
    /// Lets callers have it who have asked for it; returns when it is the I/O thread's.
    pub(super) fn wait_for_turn(&self) {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.is_asked_for) {
            state.who = Who::Nobody;
        }
        while state.who != Who::Thread {
            let (visits, at) = (state.visits, clock::now() + LOOK_AFTER);
            let was_told = self.left.wait_until(&mut state, at);
            if !was_told && state.who == Who::Nobody && state.visits == visits {
                state.who = Who::Thread;
            }
        }
    }

    /// For a caller: has it, or asks for it.
    fn take(&self) -> bool {
        let mut state = self.state.lock();
        match state.who {
            Who::Thread => {
                state.is_asked_for = true;
                false
            }
            Who::Nobody => {
                state.who = Who::Caller;
                state.visits = state.visits.wrapping_add(1);
                true
            }
            Who::Caller => false,
        }
    }

    /// The caller leaves, perhaps for a moment.
    fn leave(&self, for_a_moment: bool) {
        let mut state = self.state.lock();
        if for_a_moment {
            state.who = Who::Nobody;
        } else {
            state.who = Who::Thread;
            drop(state);
            self.left.notify_one();
        }
    }
}

/// A caller at the helm of some of the I/O threads.
struct Visit {
    workers: Vec<&'static Arc<Worker>>,
    seat: Event,
    found: Vec<Found>,
    scratch: Vec<u8>,
    comes_back: bool,
}

impl Visit {
    /// Where there is a helm to be had.
    fn begin(engine: &'static Engine) -> Option<Self> {
        let free = engine
            .workers()
            .iter()
            .filter(|worker| worker.helm().take());
        let mut visit = Visit {
            workers: free.collect(),
            seat: Event::new(),
            found: Vec::new(),
            scratch: Vec::new(),
            comes_back: false,
        };
        if visit.workers.is_empty() {
            return None;
        }
        visit.seat = seats::take()?;
        visit.scratch = engine.buffers().take();
        Some(visit)
    }

    /// Makes rounds until the event is set.
    fn make_rounds(&mut self, event: &Event, deadline: Deadline) -> Steered {
        let until = clock::now() + PATIENCE;
        let sets = event.sets();
        let mut told = 0_u64;
        let mut waited = false;
        loop {
            let mut found = 0;
            for worker in &self.workers {
                worker.pause();
                worker.make_round(Some(Duration::ZERO), &mut self.found, &mut self.scratch);
                found += self.found.len();
            }
            told = told.saturating_add(u64::try_from(found).unwrap_or(u64::MAX));
            let own = event.sets().wrapping_sub(sets);
            let for_others = told.saturating_sub(own);
            if for_others > own / 2 + FEW_OTHERS {
                return Steered::InVain;
            }
            if event.is_set() {
                return if waited {
                    Steered::InTime
                } else {
                    Steered::AtOnce
                };
            }
            let now = clock::now();
            if now >= until || deadline.has_passed() {
                return Steered::InVain;
            }
            if found == 0 {
                waited = true;
                self.wait(event, until.saturating_duration_since(now), deadline);
            }
        }
    }

    /// Waits for what the I/O threads would wait for, and for the event.
    fn wait(&self, event: &Event, most: Duration, deadline: Deadline) {
        let times = self.workers.iter().map(|worker| worker.pause());
        let time = times
            .chain([Some(most), deadline.remaining()])
            .flatten()
            .min();
        if event.enter(&self.seat) {
            if let Some(signal) = self.seat.descriptor_made() {
                let pollers = self.workers.iter().map(|worker| worker.poller());
                poller::wait_for_any(pollers, signal, time);
            }
            event.leave();
            self.seat.reset();
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.helm().leave(self.comes_back);
        }
        if let Some(engine) = Engine::started() {
            engine.buffers().give(std::mem::take(&mut self.scratch));
        }
        if self.seat.descriptor_made().is_some() {
            seats::give(self.seat.clone());
        }
    }
}

/// What came of a visit at the helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steered {
    /// The first round has set the event.
    AtOnce,
    /// The event was set after a while.
    InTime,
    /// Nothing set it, or most of the work was for others.
    InVain,
}

/// Makes the rounds of the I/O threads until the event is set, or for a moment, as far as they can be had.
pub(super) fn steer(event: &Event, deadline: Deadline, steering: Steering) -> Option<Steered> {
    let mut visit = Visit::begin(Engine::started()?)?;
    let outcome = visit.make_rounds(event, deadline);
    visit.comes_back = steering.after(outcome).is_worth_it();
    Some(outcome)
}

/// What was learnt from the waits for one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steering {
    waits: Wakefulness,
    /// Visits in a row in which there was no time to wait.
    busy: u32,
}

impl Default for Steering {
    fn default() -> Self {
        Steering {
            waits: Wakefulness::for_answers_within(SOON),
            busy: 0,
        }
    }
}

impl Steering {
    /// Whether who waits next goes to the helm.
    pub(super) fn is_worth_it(&self) -> bool {
        self.waits.worth().is_some()
    }

    /// A caller has slept, and the event was set after so long, if it was.
    pub(super) fn slept(&mut self, after: Option<Duration>) {
        let came_soon = after.is_some_and(|after| after <= SOON);
        // Who would have gone to the helm and did not get it has learnt something only if nothing came.
        if !self.is_worth_it() || !came_soon {
            self.waits.waited(after, true);
        }
    }

    /// What it is after a visit.
    ///
    /// A loop that has no time to wait is better off if the I/O thread does its part beside it, on another processor.
    pub(super) fn after(mut self, outcome: Steered) -> Self {
        self.busy = match outcome {
            Steered::AtOnce => self.busy.saturating_add(1),
            Steered::InTime | Steered::InVain => 0,
        };
        let was_of_use = outcome != Steered::InVain && self.busy < BUSY;
        self.waits.waited(Some(Duration::ZERO), !was_of_use);
        if !was_of_use {
            self.busy = 0;
        }
        self
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// How often callers have been at the helm of any I/O thread of this process.
    pub(crate) fn visits() -> u64 {
        let workers = Engine::started().map_or(&[][..], Engine::workers);
        let visits = workers
            .iter()
            .map(|worker| worker.helm().state.lock().visits);
        visits.sum()
    }

    impl Steering {
        /// One that sends the next caller to the helm.
        pub(crate) fn eager() -> Self {
            let mut steering = Steering::default();
            while !steering.is_worth_it() {
                steering.slept(Some(Duration::ZERO));
            }
            steering
        }
    }

    #[test]
    fn waits_that_are_short_bring_a_caller_to_the_helm() {
        let mut steering = Steering::default();
        for _ in 0..20 {
            for after in [Some(SOON), Some(SOON), Some(SOON), Some(SOON * 2)] {
                assert!(!steering.is_worth_it());
                steering.slept(after);
            }
            steering.slept(None);
        }
        for _ in 0..4 {
            assert!(!steering.is_worth_it());
            steering.slept(Some(SOON));
        }
        assert!(steering.is_worth_it());
        // The helm was not to be had, which says nothing.
        steering.slept(Some(SOON));
        assert!(steering.is_worth_it());
        steering.slept(None);
        assert!(!steering.is_worth_it());
    }

    /// How many short waits bring a caller to the helm again.
    fn waits_until_worth_it(mut steering: Steering) -> u32 {
        let mut waits = 0;
        while !steering.is_worth_it() {
            steering.slept(Some(SOON));
            waits += 1;
        }
        waits
    }

    #[test]
    fn each_visit_in_vain_makes_the_next_one_rarer() {
        let mut steering = Steering::eager();
        for expected in [8, 16, 32, 64] {
            let after = steering.after(Steered::InVain);
            assert!(!after.is_worth_it());
            assert_eq!(waits_until_worth_it(after), expected);
            steering = after;
            while !steering.is_worth_it() {
                steering.slept(Some(SOON));
            }
        }
        for _ in 0..5 {
            steering = steering.after(Steered::InTime);
            assert!(steering.is_worth_it());
        }
        assert_eq!(waits_until_worth_it(steering.after(Steered::InVain)), 8);
    }

    #[test]
    fn who_has_no_time_to_wait_leaves_the_helm() {
        let mut steering = Steering::eager();
        for _ in 0..3 {
            for _ in 1..BUSY {
                steering = steering.after(Steered::AtOnce);
                assert!(steering.is_worth_it());
            }
            steering = steering.after(Steered::InTime);
        }
        for _ in 1..BUSY {
            steering = steering.after(Steered::AtOnce);
        }
        assert!(steering.is_worth_it());
        steering = steering.after(Steered::AtOnce);
        assert_eq!(waits_until_worth_it(steering), 8);
    }

    #[test]
    fn the_thread_gives_its_helm_away_and_takes_it_back() {
        let helm = Arc::new(Helm::default());
        let in_thread = |helm: &Arc<Helm>| {
            let helm = Arc::clone(helm);
            std::thread::spawn(move || helm.wait_for_turn())
        };
        // Nobody has asked.
        helm.wait_for_turn();
        assert!(!helm.take(), "the thread does not know yet");
        let thread = in_thread(&helm);
        while !helm.take() {
            std::thread::yield_now();
        }
        assert!(!helm.take(), "one at a time");
        std::thread::sleep(3 * LOOK_AFTER);
        assert!(!thread.is_finished(), "a caller is there");
        // Who comes back has it, unless that took too long.
        helm.leave(true);
        if helm.take() {
            helm.leave(true);
        }
        thread.join().unwrap();
        // Left for good.
        let thread = in_thread(&helm);
        thread.join().unwrap();
        assert!(!helm.take());
        let thread = in_thread(&helm);
        while !helm.take() {
            std::thread::yield_now();
        }
        helm.leave(false);
        thread.join().unwrap();
        assert_eq!(helm.state.lock().who, Who::Thread);
    }
}
