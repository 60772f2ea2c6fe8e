//! Turns, who gets them, and how they end.

use super::*;
use crate::driver::wait::Timeout;
use std::sync::mpsc;

const NEVER: Deadline = Deadline(None);
const ENOUGH: Duration = Duration::from_secs(20);

fn take(baton: &Baton, now: Instant) -> Option<Turn<'_>> {
    match baton.take(now, NEVER, || false, || {}) {
        Taken::Turn(turn) => Some(turn),
        Taken::Without | Taken::Dismissed => None,
    }
}

/// What a thread does with its turn.
type Use = Box<dyn FnOnce(Turn<'_>) + Send>;

/// A thread of its own that takes the baton, says whether it has it, and what was asked of it next does with its turn.
struct Other {
    asked: mpsc::Sender<Use>,
    told: mpsc::Receiver<bool>,
}

fn other(baton: &Arc<Baton>, now: Instant) -> Other {
    let (asked, asks) = mpsc::channel::<Use>();
    let (tell, told) = mpsc::channel();
    let baton = Arc::clone(baton);
    std::thread::spawn(move || {
        let turn = take(&baton, now);
        tell.send(turn.is_some()).unwrap();
        if let (Some(turn), Ok(what)) = (turn, asks.recv()) {
            what(turn);
            // And is something else, in case it has kept it.
            tell.send(true).unwrap();
            let _ = asks.recv();
        }
    });
    Other { asked, told }
}

impl Other {
    /// Whether it has its turn, or goes on without.
    fn has_turn(&self) -> bool {
        self.told.recv_timeout(ENOUGH).unwrap()
    }

    fn waits(&self) -> bool {
        self.told.try_recv().is_err()
    }

    fn lets(&self, what: impl FnOnce(Turn<'_>) + Send + 'static) {
        self.asked.send(Box::new(what)).unwrap();
        self.told.recv_timeout(ENOUGH).unwrap();
    }
}

/// Others that wait, each after the one before.
fn waiting(baton: &Arc<Baton>, count: usize, now: Instant) -> Vec<Other> {
    let end = Instant::now() + ENOUGH;
    let there = || baton.state.lock().waiting.len();
    let before = there();
    let come = |number| {
        let other = other(baton, now);
        while there() <= before + number {
            assert!(Instant::now() < end && other.waits(), "it does not wait");
            std::thread::yield_now();
        }
        other
    };
    (0..count).map(come).collect()
}

/// One that does not come when it is called.
fn no_processor() -> Arc<Waiter> {
    let called = Condvar::new();
    let thread = usize::MAX;
    Arc::new(Waiter { thread, called })
}

/// One that has been of use for so long that nothing is in vain.
fn proved() -> Arc<Baton> {
    let baton = Baton::default();
    baton.state.lock().wrote = Duration::from_secs(3600);
    Arc::new(baton)
}

#[test]
fn turns_come_in_the_order_of_coming() {
    let (baton, now) = (proved(), Instant::now());
    let mine = take(&baton, now).unwrap();
    let others = waiting(&baton, 4, now);
    drop(mine);
    for (number, other) in others.iter().enumerate() {
        assert!(other.has_turn());
        assert!(others[number + 1..].iter().all(Other::waits));
        other.lets(|turn| drop(turn));
    }
    assert_eq!(baton.holder(), 0);
}

#[test]
fn a_stream_keeps_it_for_a_turn() {
    let (baton, now) = (proved(), Instant::now());
    let first = take(&baton, now).unwrap();
    let others = waiting(&baton, 1, now);
    first.keep(TURN_BYTES / 4, now);
    for _ in 0..2 {
        take(&baton, now).unwrap().keep(TURN_BYTES / 4, now);
    }
    assert!(others[0].waits(), "the turn is not over");
    take(&baton, now).unwrap().keep(TURN_BYTES / 4, now);
    assert!(others[0].has_turn());
}

#[test]
fn a_turn_of_little_is_over_after_a_while() {
    let (baton, now) = (proved(), Instant::now());
    let first = take(&baton, now).unwrap();
    let others = waiting(&baton, 1, now);
    first.keep(1, now + TURN_TIME / 2);
    assert!(others[0].waits());
    let second = take(&baton, now + TURN_TIME / 2).unwrap();
    second.keep(1, now + TURN_TIME);
    assert!(others[0].has_turn());
}

#[test]
fn who_is_alone_does_without() {
    let (baton, now) = (proved(), Instant::now());
    take(&baton, now).unwrap().keep(TURN_BYTES, now);
    assert!(take(&baton, now).is_none());
    // Until somebody else has been there.
    let other = other(&baton, now);
    assert!(other.has_turn());
    other.lets(move |turn| turn.keep(TURN_BYTES, now));
    take(&baton, now).unwrap().keep(1, now);
    assert!(take(&baton, now).is_some(), "it has the baton");
}

#[test]
fn who_goes_to_sleep_passes_it_on() {
    let (baton, now) = (proved(), Instant::now());
    let mine = take(&baton, now).unwrap();
    let others = waiting(&baton, 1, now);
    mine.keep(1, now);
    baton.pass_on();
    assert!(others[0].has_turn());
    // Not what others have.
    let holder = baton.holder();
    baton.pass_on();
    assert_eq!(baton.holder(), holder);
}

#[test]
fn nobody_waits_longer_than_it_has_time() {
    let (baton, now) = (proved(), Instant::now());
    let _mine = take(&baton, now).unwrap();
    let theirs = Arc::clone(&baton);
    let waited = std::thread::spawn(move || {
        let soon = Timeout::from_ms(1).deadline();
        matches!(theirs.take(now, soon, || false, || {}), Taken::Without)
    });
    assert!(waited.join().unwrap());
    assert!(baton.state.lock().waiting.is_empty());
}

#[test]
fn who_has_no_time_goes_on_with_what_it_has() {
    let (baton, now) = (proved(), Instant::now());
    let no_time = Timeout::NOW.deadline();
    let taken = move |baton: &Baton| {
        let taken = baton.take(now, no_time, || false, || {});
        let Taken::Turn(turn) = taken else {
            return false;
        };
        turn.keep(1, now);
        true
    };
    assert!(taken(&baton));
    assert!(taken(&baton));
    let theirs = Arc::clone(&baton);
    let others = std::thread::spawn(move || taken(&theirs));
    assert!(!others.join().unwrap());
}

#[test]
fn a_pause_is_whose_turn_it_is_as_long_as_others_wait() {
    let (baton, now) = (proved(), Instant::now());
    assert!(!baton.is_on_its_way());
    let mine = take(&baton, now).unwrap();
    let others = waiting(&baton, 1, now);
    mine.keep(1, now);
    assert!(baton.is_on_its_way());
    baton.pass_on();
    assert!(others[0].has_turn());
    others[0].lets(move |turn| turn.keep(1, now));
    assert!(!baton.is_on_its_way(), "nobody waits");
    baton.state.lock().waiting.push_back(no_processor());
    baton.look_after(now + LATE + SOON);
    assert!(baton.is_on_its_way(), "it is called");
}

#[test]
fn all_go_on_without_it_when_told_to() {
    let (baton, now) = (proved(), Instant::now());
    let _mine = take(&baton, now).unwrap();
    let others = waiting(&baton, 3, now);
    baton.dismiss();
    assert!(!others.iter().any(Other::has_turn));
    let others = waiting(&baton, 2, now);
    baton.put_away();
    assert!(!others.iter().any(Other::has_turn));
    assert!(!other(&baton, now).has_turn(), "the session has ended");
}

/// Between the cancel and the word to go on.
#[test]
fn who_is_cancelled_does_not_begin_to_wait() {
    let (baton, now) = (proved(), Instant::now());
    let _mine = take(&baton, now).unwrap();
    let (tell, told) = mpsc::channel();
    let theirs = Arc::clone(&baton);
    std::thread::spawn(move || {
        let taken = theirs.take(now, NEVER, || true, || {});
        tell.send(matches!(taken, Taken::Dismissed))
    });
    assert_eq!(told.recv_timeout(ENOUGH), Ok(true));
}

#[test]
fn a_turn_ends_while_its_holder_does_something_else() {
    let (baton, now) = (proved(), Instant::now());
    let mine = take(&baton, now).unwrap();
    let others = waiting(&baton, 2, now);
    mine.keep(1, now);
    assert!(baton.look_after(now + LATE), "it may still come");
    assert!(others[0].waits());
    assert!(baton.look_after(now + LATE + SOON));
    assert!(others[0].has_turn());
    assert!(others[1].waits());
}

#[test]
fn who_comes_back_late_waits_behind_the_others() {
    let (baton, now) = (proved(), Instant::now());
    let mine = take(&baton, now).unwrap();
    let others = waiting(&baton, 1, now);
    mine.keep(1, now);
    take(&baton, now + SOON).unwrap().keep(1, now + SOON);
    assert!(others[0].waits(), "that was soon");
    let (late, theirs) = (now + 3 * SOON, Arc::clone(&baton));
    std::thread::spawn(move || {
        assert!(others[0].has_turn());
        while theirs.state.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        others[0].lets(|turn| drop(turn));
    });
    drop(take(&baton, late).unwrap());
    assert_eq!(baton.holder(), 0);
}

#[test]
fn who_is_called_and_does_not_come_is_passed_over() {
    let (baton, now) = (proved(), Instant::now());
    let mine = take(&baton, now).unwrap();
    baton.state.lock().waiting.push_back(no_processor());
    let others = waiting(&baton, 1, now);
    drop(mine);
    assert_eq!(baton.holder(), usize::MAX);
    let later = Instant::now() + 2 * LATE;
    baton.look_after(later);
    assert!(others[0].has_turn());
    assert!(baton.state.lock().lost > LATE, "nobody has written");
}

#[test]
fn who_comes_looks_for_those_who_stay_away() {
    let (baton, now) = (proved(), Instant::now());
    let mine = take(&baton, now).unwrap();
    let others = waiting(&baton, 1, now);
    mine.keep(1, now);
    let third = other(&baton, now + LATE + SOON);
    assert!(others[0].has_turn());
    assert!(third.waits());
    others[0].lets(|turn| drop(turn));
    assert!(third.has_turn());
}

#[test]
fn the_way_of_who_is_called_counts() {
    let (baton, now) = (proved(), Instant::now());
    let mine = take(&baton, now).unwrap();
    let others = waiting(&baton, 1, now);
    drop(mine);
    assert!(others[0].has_turn());
    assert!(baton.state.lock().lost > Duration::ZERO);
}

#[test]
fn pauses_that_are_short_add_up() {
    let baton = Arc::new(Baton::default());
    let mut now = Instant::now();
    let mut turn = take(&baton, now).unwrap();
    let others = waiting(&baton, 1, now);
    for _ in 0..LOST.as_micros() / SOON.as_micros() {
        now += SOON / 4;
        turn.keep(1, now);
        now += SOON;
        turn = take(&baton, now).unwrap();
        // Turns end meanwhile.
        baton.state.lock().began = Some(now);
    }
    now += SOON / 4;
    turn.keep(1, now);
    take(&baton, now + SOON)
        .unwrap()
        .keep(TURN_BYTES, now + SOON);
    assert!(!others[0].has_turn(), "it is left alone");
    assert!(baton.state.lock().rests_until.is_some());
}

#[test]
fn it_is_left_alone_where_it_costs_time() {
    let mut now = Instant::now();
    let baton = Arc::new(Baton::default());
    let mut rest = REST;
    for _ in 0..6 {
        let mine = take(&baton, now).unwrap();
        let others = waiting(&baton, 1, now);
        mine.keep(1, now);
        now += 2 * LOST;
        let before = Instant::now();
        assert!(!baton.look_after(now));
        assert!(!others[0].has_turn());
        // For longer each time.
        let until = baton.state.lock().rests_until.unwrap();
        assert!(until >= before + rest && until <= Instant::now() + rest);
        assert!(!other(&baton, until - SOON).has_turn());
        rest = (rest * 2).min(LONG_REST);
        now = until;
    }
    assert_eq!(rest, LONG_REST);
    // Until it has been of use for long.
    let turn = take(&baton, now).unwrap();
    baton.state.lock().doing = Doing::Writes(now);
    turn.keep(1, now + LONG_REST);
    assert_eq!(baton.state.lock().rest, REST);
}

#[test]
fn what_was_left_alone_is_free() {
    let (baton, now) = (Arc::new(Baton::default()), Instant::now());
    let holder = other(&baton, now);
    assert!(holder.has_turn());
    holder.lets(move |turn| turn.keep(1, now));
    assert!(take(&baton, now + LATE + SOON).is_some());
}
