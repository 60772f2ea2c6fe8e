//! Who makes the rounds of an I/O thread: the thread itself, or a caller who waits for an event that those rounds set all the time.
//!
//! A program with a loop around one event and many connections has little to do for each packet, and neither has the I/O thread: most
//! of the time of both would go into waking each other. So a loop whose event is set again and again in no time goes to the helm
//! of the I/O threads: it waits where they would, and makes their rounds until its event is set. What it then does for its
//! connections takes moments, and it is back; meanwhile nobody is there. The I/O thread looks every few milliseconds, and takes
//! its helm back when nobody has come since it looked last.
//!
//! Where nothing comes for a while, or mostly for others, the loop leaves the helm to the thread and sleeps as ever.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::{Engine, Worker};
use super::event::Event;
use super::rounds::LOOK_AFTER;
use super::seats;
use super::sync::{thread_local, Condvar, Mutex};
use super::sys::clock;
use super::sys::poller::{self, Found};
use super::wait::Deadline;

/// How long a caller stays at the helm for its event.
/// In models, where time is no help, longer than they have.
const PATIENCE: Duration = Duration::from_millis(if cfg!(model) { 1000 } else { 2 });
/// Waits that are no longer than this bring callers to the helm, if they are no longer away than that in between.
const SOON: Duration = Duration::from_millis(1);
/// How long a caller waits at the helm that it has while it asks for another one.
const MOMENT: Duration = Duration::from_micros(200);
/// So many more tasks of others than half of its own a caller takes care of.
const FEW_OTHERS: u64 = 8;
/// A wait that is no longer than this was none.
const AT_ONCE: Duration = Duration::from_micros(10);
/// How many short waits in a row bring a caller to the helm at first.
const FEW: u32 = 4;
/// The same after many visits in vain.
const MANY: u32 = 4096;
/// After so many visits that were of use it takes fewer again.
const LONG: u32 = 256;
/// A caller that need not wait so many times in a row has too much to do.
const BUSY: u32 = 64;

/// A caller that would have a helm.
struct Wish {
    at: Instant,
    /// Where it sleeps meanwhile: for which event, and how often that had been set.
    asleep: Option<(Event, u64)>,
}

impl Wish {
    /// Who wished it a while ago has something else to do by now.
    fn is_fresh(&self) -> bool {
        clock::now().saturating_duration_since(self.at) <= SOON
    }

    /// Who sleeps must have been woken first: it could not come.
    fn is_to_be_granted(&self) -> bool {
        let awake = |(event, sets): &(Event, u64)| event.sets() != *sets;
        self.asleep.as_ref().is_none_or(awake)
    }
}

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
    /// A caller would have it.
    asked_for: Option<Wish>,
    /// How often callers came and left.
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
        let wish = self.state.lock().asked_for.take();
        let wish = wish.filter(Wish::is_fresh);
        let is_granted = wish.as_ref().is_some_and(Wish::is_to_be_granted);
        let mut state = self.state.lock();
        if is_granted {
            state.who = Who::Nobody;
        } else if state.asked_for.is_none() {
            // Perhaps after the next round.
            state.asked_for = wish;
        }
        while state.who != Who::Thread {
            let (visits, at) = (state.visits, clock::now() + LOOK_AFTER);
            let was_told = self.left.wait_until(&mut state, at);
            if !was_told && state.who == Who::Nobody && state.visits == visits {
                state.who = Who::Thread;
            }
        }
    }

    /// For a caller: has it, or asks for it. Where it would have to sleep, it says so.
    fn take(&self, asleep: Option<(Event, u64)>) -> bool {
        let mut state = self.state.lock();
        match state.who {
            Who::Thread => {
                let at = clock::now();
                state.asked_for = Some(Wish { at, asleep });
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
            state.visits = state.visits.wrapping_add(1);
        } else {
            state.who = Who::Thread;
            drop(state);
            self.left.notify_one();
        }
    }
}

thread_local! {
    /// This thread makes rounds.
    static IS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// That this thread makes rounds, until dropped.
pub(super) struct Here(());

/// From now on this thread makes rounds; `None` where it does already. What is called in the middle of one may wait for an event, too.
pub(super) fn enter() -> Option<Here> {
    let was_here = IS_HERE.with(|here| here.replace(true));
    // Made only where it counts, for to drop it says that nobody is here.
    (!was_here).then(|| Here(()))
}

impl Drop for Here {
    fn drop(&mut self) {
        IS_HERE.with(|here| here.set(false));
    }
}

/// A caller at the helm of some of the I/O threads.
struct Visit {
    all: &'static [Arc<Worker>],
    workers: Vec<&'static Arc<Worker>>,
    seat: Event,
    found: Vec<Found>,
    scratch: Vec<u8>,
    comes_back: bool,
    _here: Here,
}

impl Visit {
    /// Where there is a helm to be had.
    fn begin(engine: &'static Engine, event: &Event, seat: Event, here: Here) -> Option<Self> {
        let mut visit = Visit {
            all: engine.workers(),
            workers: Vec::new(),
            seat,
            found: Vec::new(),
            scratch: Vec::new(),
            comes_back: false,
            _here: here,
        };
        let sets = event.sets();
        for worker in visit.all {
            // As long as it has none, it would have to sleep.
            let asleep = visit.workers.is_empty().then(|| (event.clone(), sets));
            if worker.helm().take(asleep) {
                visit.workers.push(worker);
            }
        }
        if visit.workers.is_empty() {
            return None;
        }
        visit.scratch = engine.buffers().take();
        Some(visit)
    }

    /// Takes what others have left, and asks for the rest.
    fn take_more(&mut self) {
        for worker in self.all {
            let has =
                |worker: &Arc<Worker>| self.workers.iter().any(|has| Arc::ptr_eq(has, worker));
            if !has(worker) && worker.helm().take(None) {
                self.workers.push(worker);
            }
        }
    }

    /// Makes rounds until the event is set.
    fn make_rounds(&mut self, event: &Event, deadline: Deadline) -> Steered {
        let mut now = clock::now();
        let until = now + PATIENCE;
        let sets = event.sets();
        let mut steered = Steered::default();
        loop {
            let mut most = until.saturating_duration_since(now);
            if self.workers.len() < self.all.len() {
                self.take_more();
                most = most.min(MOMENT);
            }
            let finds = self.wait(event, most, deadline);
            steered.has_waited |= clock::now().saturating_duration_since(now) > AT_ONCE;
            for (worker, finds) in self.workers.iter().zip(finds) {
                self.found.clear();
                if finds {
                    worker.poller().wait(&mut self.found, Some(Duration::ZERO));
                }
                let told = u64::try_from(self.found.len()).unwrap_or(u64::MAX);
                steered.told = steered.told.saturating_add(told);
                worker.make_round(&self.found, &mut self.scratch);
            }
            now = clock::now();
            steered.own = event.sets().wrapping_sub(sets);
            steered.is_set = event.is_set();
            if steered.is_set || now >= until || deadline.has_passed() {
                return steered;
            }
        }
    }

    /// Waits for what the I/O threads would wait for, and for the event; says whose pollers find something.
    fn wait(&self, event: &Event, most: Duration, deadline: Deadline) -> Vec<bool> {
        let times = self.workers.iter().map(|worker| worker.pause());
        let time = times
            .chain([Some(most), deadline.remaining()])
            .flatten()
            .min();
        let pollers = self.workers.iter().map(|worker| worker.poller());
        match self.seat.descriptor_made() {
            Some(signal) if event.enter(&self.seat) => {
                let finds = poller::wait_for_any(pollers, signal, time);
                event.leave();
                self.seat.reset();
                finds
            }
            _ => vec![true; self.workers.len()],
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.helm().leave(self.comes_back);
        }
        let engine = Engine::started().filter(|_| !self.workers.is_empty());
        if let Some(engine) = engine {
            engine.buffers().give(std::mem::take(&mut self.scratch));
        }
        seats::give(self.seat.clone());
    }
}

/// What came of a visit at the helm.
#[derive(Debug, Clone, Copy, Default)]
struct Steered {
    /// The event was set.
    is_set: bool,
    /// There was time to wait for that.
    has_waited: bool,
    /// Tasks that the pollers have told of.
    told: u64,
    /// How often the event was set meanwhile.
    own: u64,
}

/// Makes the rounds of the I/O threads until the event is set, or for a moment, as far as they can be had. Says what is learnt
/// from that.
pub(super) fn steer(event: &Event, deadline: Deadline, steering: Steering) -> Option<Steering> {
    let engine = Engine::started()?;
    let here = enter()?;
    let Some(seat) = engine.seats().take() else {
        return Some(steering.in_vain());
    };
    let mut visit = Visit::begin(engine, event, seat, here)?;
    let learnt = steering.after(visit.make_rounds(event, deadline));
    visit.comes_back = learnt.is_worth_it();
    Some(learnt)
}

/// What was learnt from the waits for one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steering {
    /// Waits in a row that were short.
    short: u32,
    /// How many it takes.
    wanted: u32,
    /// Visits in a row that were of use.
    visits: u32,
    /// Visits in a row in which there was no time to wait.
    busy: u32,
    /// Twice the tasks of others, less its own.
    for_others: u64,
}

impl Default for Steering {
    fn default() -> Self {
        Self::wanting(FEW)
    }
}

impl Steering {
    /// At the beginning, and after a visit in vain.
    fn wanting(wanted: u32) -> Self {
        Steering {
            short: 0,
            wanted,
            visits: 0,
            busy: 0,
            for_others: 0,
        }
    }

    /// Whether who waits next goes to the helm.
    pub(super) fn is_worth_it(&self) -> bool {
        self.short >= self.wanted
    }

    /// A caller has slept, and the event was set after so long, if it was.
    pub(super) fn slept(&mut self, after: Option<Duration>) {
        self.short = match after.is_some_and(|after| after <= SOON) {
            true => self.short.saturating_add(1),
            false => 0,
        };
    }

    /// A caller comes who has been away for so long.
    pub(super) fn came_back(&mut self, after: Duration) {
        if after > SOON {
            *self = match self.is_worth_it() {
                true => self.in_vain(),
                false => Self::wanting(self.wanted),
            };
        }
    }

    /// What it is when to be at the helm was of no use.
    fn in_vain(self) -> Self {
        Self::wanting(self.wanted.saturating_mul(2).min(MANY))
    }

    /// What it is after a visit.
    ///
    /// A loop that has no time to wait is better off if the I/O threads do their part beside it, on other processors; and so are
    /// several loops, of which each would do the work of all.
    fn after(self, visit: Steered) -> Self {
        let busy = match visit.has_waited {
            false => self.busy.saturating_add(1),
            true => 0,
        };
        let others = visit.told.saturating_sub(visit.own);
        let for_others = self.for_others.saturating_add(others.saturating_mul(2));
        let for_others = for_others.saturating_sub(visit.own);
        if !visit.is_set || busy >= BUSY || for_others > 2 * FEW_OTHERS {
            return self.in_vain();
        }
        let visits = self.visits.saturating_add(1);
        let (visits, wanted) = match visits < LONG {
            true => (visits, self.wanted),
            false => (0, (self.wanted / 2).max(FEW)),
        };
        Steering {
            wanted,
            visits,
            busy,
            for_others,
            ..self
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    /// Has each I/O thread make a round, if it is at its helm.
    pub(crate) fn call_all() {
        let workers = Engine::started().map_or(&[][..], Engine::workers);
        workers.iter().for_each(|worker| worker.attend(0));
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

    const IN_TIME: Steered = Steered {
        is_set: true,
        has_waited: true,
        told: 1,
        own: 1,
    };
    const NO_WAIT: Steered = Steered {
        has_waited: false,
        ..IN_TIME
    };
    const IN_VAIN: Steered = Steered {
        is_set: false,
        own: 0,
        ..IN_TIME
    };

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
            let after = steering.after(IN_VAIN);
            assert!(!after.is_worth_it());
            assert_eq!(waits_until_worth_it(after), expected);
            steering = after;
            while !steering.is_worth_it() {
                steering.slept(Some(SOON));
            }
        }
        for expected in [64, 32, 16, 8, 8] {
            for _ in 0..LONG {
                steering = steering.after(IN_TIME);
                assert!(steering.is_worth_it());
            }
            assert_eq!(waits_until_worth_it(steering.after(IN_VAIN)), expected);
        }
    }

    #[test]
    fn who_has_no_time_to_wait_leaves_the_helm() {
        let mut steering = Steering::eager();
        for _ in 0..3 {
            for _ in 1..BUSY {
                steering = steering.after(NO_WAIT);
                assert!(steering.is_worth_it());
            }
            steering = steering.after(IN_TIME);
        }
        for _ in 1..BUSY {
            steering = steering.after(NO_WAIT);
        }
        assert!(steering.is_worth_it());
        steering = steering.after(NO_WAIT);
        assert_eq!(waits_until_worth_it(steering), 8);
    }

    #[test]
    fn who_stays_away_does_not_come_to_the_helm() {
        let mut steering = Steering::eager();
        steering.came_back(SOON);
        assert!(steering.is_worth_it());
        steering.came_back(SOON * 2);
        assert_eq!(waits_until_worth_it(steering), 8);
        for _ in 0..7 {
            steering.slept(Some(SOON));
        }
        steering.came_back(SOON * 2);
        assert_eq!(waits_until_worth_it(steering), 8);
    }

    #[test]
    fn who_is_there_does_not_come_again() {
        let here = enter();
        assert!(here.is_some() && enter().is_none() && enter().is_none());
        drop(here);
        assert!(enter().is_some() && enter().is_some());
    }

    #[test]
    fn a_wish_is_granted_while_it_is_fresh_to_who_can_come() {
        let granted = |at: Option<Instant>, asleep: Option<(Event, u64)>| {
            let wish = Wish {
                at: at.unwrap_or_else(clock::now),
                asleep,
            };
            wish.is_fresh() && wish.is_to_be_granted()
        };
        assert!(granted(None, None));
        assert!(!granted(clock::now().checked_sub(SOON * 2), None));
        let event = Event::new();
        let asleep = || Some((event.clone(), 0));
        assert!(!granted(None, asleep()), "nothing has woken it");
        event.set();
        event.reset();
        assert!(granted(None, asleep()));
    }

    #[test]
    fn a_wish_that_is_not_granted_may_be_after_the_next_round() {
        let (helm, event) = (Helm::default(), Event::new());
        assert!(!helm.take(Some((event.clone(), 0))));
        helm.wait_for_turn();
        assert!(helm.state.lock().asked_for.is_some());
        assert_eq!(helm.state.lock().who, Who::Thread);
    }

    #[test]
    fn who_works_mostly_for_others_leaves_the_helm() {
        let half = Steered {
            told: 3,
            own: 2,
            ..IN_TIME
        };
        let most = Steered {
            told: 4,
            own: 2,
            ..IN_TIME
        };
        let mut steering = Steering::eager();
        for _ in 0..100 {
            steering = steering.after(half);
            assert!(steering.is_worth_it());
        }
        for _ in 0..FEW_OTHERS {
            steering = steering.after(most);
            assert!(steering.is_worth_it());
        }
        assert_eq!(waits_until_worth_it(steering.after(most)), 8);
        // What is seldom is made up for.
        let mut steering = Steering::eager();
        for _ in 0..100 {
            steering = steering.after(Steered { told: 2, ..IN_TIME });
            steering = steering.after(IN_TIME);
            assert!(steering.is_worth_it());
        }
    }

    #[test]
    fn the_thread_gives_its_helm_away_and_takes_it_back() {
        let shared = Arc::new((Helm::default(), AtomicU32::new(0), AtomicBool::new(false)));
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let (helm, rounds, is_over) = &*shared;
                while !is_over.load(Ordering::SeqCst) {
                    helm.wait_for_turn();
                    rounds.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        let (helm, rounds, is_over) = &*shared;
        for comes_back in [true, false, true, false] {
            while !helm.take(None) {
                std::thread::yield_now();
            }
            assert!(!helm.take(None), "one at a time");
            let before = rounds.load(Ordering::SeqCst);
            std::thread::sleep(3 * LOOK_AFTER);
            assert_eq!(rounds.load(Ordering::SeqCst), before, "a caller is there");
            helm.leave(comes_back);
            while rounds.load(Ordering::SeqCst) == before {
                std::thread::yield_now();
            }
        }
        is_over.store(true, Ordering::SeqCst);
        thread.join().unwrap();
    }
}
