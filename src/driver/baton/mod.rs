//! Who of several that stream over one transport writes now.
//!
//! Writers that meet at the sending lock get it one after another, for a piece each, and each of them has to be woken for its
//! piece: that costs more than to seal it. So whoever streams has the baton and writes on for a while, and the others sleep until it
//! is their turn, in the order of their coming (`threads.md`, "Sending").
//!
//! The baton is no lock. Whoever waits for it in vain (its time is over, the session is cancelled or ends) writes without it, and whoever
//! is called and does not come is passed over. While its holder does something else between two writes, or is on its way, nobody
//! writes; where that adds up, all write without the baton for a while, and for twice as long each time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::driver::inside;
use crate::driver::sync::atomic::{AtomicUsize, Ordering};
use crate::driver::sync::{Condvar, Mutex};
use crate::driver::sys::clock;
use crate::driver::wait::Deadline;

/// Who writes less at a time does not wait for others.
pub(super) const LEAST_BYTES: usize = if cfg!(model) { 8 } else { 16 * 1024 };
/// Bytes of a turn.
const TURN_BYTES: usize = if cfg!(model) { 32 } else { 1024 * 1024 };
/// A turn is over after this time, too, with the write that is under way then.
const TURN_TIME: Duration = Duration::from_millis(1);
/// A turn is over when the holder comes back for its next write later than this.
const SOON: Duration = Duration::from_micros(20);
/// A holder that has not been back for so long, or has not come when it was called, is not waited for any more by who comes or
/// looks then.
const LATE: Duration = Duration::from_micros(250);
/// So much time has to be lost before it is said to be in vain.
const LOST: Duration = model_or(Duration::ZERO, Duration::from_millis(1));
/// It is in vain where others wait for holders that do not write for more than this part of the time in which they do.
const PART: u32 = 4;
/// What is older than so much time of writing counts half.
const MEMORY: Duration = Duration::from_millis(200);
/// For how long all write without the baton after it was in vain.
const REST: Duration = model_or(Duration::ZERO, Duration::from_millis(64));
/// For how long after many times; and after so much time of writing with it what was before is forgotten.
const LONG_REST: Duration = model_or(Duration::ZERO, Duration::from_secs(1));

/// In models time passes only when nobody has anything else to do.
const fn model_or(in_models: Duration, else_: Duration) -> Duration {
    if cfg!(model) {
        in_models
    } else {
        else_
    }
}

/// The baton of a transport.
#[derive(Default)]
pub(crate) struct Baton {
    /// A leaf.
    state: Mutex<State>,
    /// The thread that has it, 0 if nobody has. Written with the lock held.
    holder: AtomicUsize,
    /// The thread that wrote last. While nobody has the baton, one that is alone does without.
    last: AtomicUsize,
}

/// What the holder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// There is none.
    Nothing,
    /// It writes, since then.
    Writes(Instant),
    /// Something else, since then.
    Away(Instant),
    /// It has been called, at that moment, and has not come.
    Called(Instant),
}

struct State {
    /// What the holder does.
    doing: Doing,
    /// Bytes of this turn.
    bytes: usize,
    /// When its first write began.
    began: Option<Instant>,
    waiting: VecDeque<Arc<Waiter>>,
    /// How long holders wrote, and were waited for by others, of late.
    wrote: Duration,
    lost: Duration,
    /// Until when all write without it.
    rests_until: Option<Instant>,
    /// For how long they do so the next time.
    rest: Duration,
    /// For how long holders wrote since the last time.
    of_use: Duration,
    /// The session has ended.
    is_put_away: bool,
}

/// A thread that waits for its turn.
struct Waiter {
    thread: usize,
    called: Condvar,
}

/// The right to write now. Unless the holder keeps it for its next write, the next one is called when it is dropped.
#[must_use = "others wait for it"]
pub(super) struct Turn<'a> {
    baton: &'a Baton,
    is_kept: bool,
}

/// How somebody came to write.
#[must_use = "others wait for it"]
pub(super) enum Taken<'a> {
    /// It is the turn of this thread.
    Turn(Turn<'a>),
    /// There is nothing to wait for, or there was and its time is over.
    Without,
    /// The thread has waited, and was sent away.
    Dismissed,
}

impl Default for State {
    fn default() -> Self {
        State {
            doing: Doing::Nothing,
            bytes: 0,
            began: None,
            waiting: VecDeque::new(),
            wrote: Duration::ZERO,
            lost: Duration::ZERO,
            rests_until: None,
            rest: REST,
            of_use: Duration::ZERO,
            is_put_away: false,
        }
    }
}

impl Baton {
    /// Waits until it is the turn of this thread, or `is_cancelled`, which is so before those who wait are
    /// [dismissed](Self::dismiss). Before it sleeps, `look_after` has the I/O thread look now and then
    /// ([`look_after`](Self::look_after)).
    pub(super) fn take(
        &self,
        now: Instant,
        deadline: Deadline,
        is_cancelled: impl Fn() -> bool,
        look_after: impl FnOnce(),
    ) -> Taken<'_> {
        let me = inside::this_thread();
        let is_alone = self.last.load(Ordering::Relaxed) == me;
        if is_alone && self.holder() == 0 {
            return Taken::Without;
        }
        self.last.store(me, Ordering::Relaxed);
        let mut state = self.state.lock();
        let next = self.settle(&mut state, me, now);
        if state.is_put_away || state.rests(now) {
            drop(state);
            call(next);
            return Taken::Without;
        }
        if self.holder() == 0 {
            self.hand_to(&mut state, me);
        }
        let mut began = now;
        if self.holder() != me {
            let waiter = Arc::new(Waiter {
                thread: me,
                called: Condvar::new(),
            });
            state.waiting.push_back(Arc::clone(&waiter));
            drop(state);
            call(next);
            look_after();
            state = self.state.lock();
            let mut in_time = true;
            while in_time && state.waits(&waiter) && !is_cancelled() {
                in_time = deadline.wait(&waiter.called, &mut state);
            }
            state.waiting.retain(|other| !Arc::ptr_eq(other, &waiter));
            if self.holder() != me {
                return if in_time {
                    Taken::Dismissed
                } else {
                    Taken::Without
                };
            }
            began = clock::now();
            if let Doing::Called(since) = state.doing {
                state.lose(since, began);
            }
        }
        state.doing = Doing::Writes(began);
        state.began.get_or_insert(began);
        drop(state);
        Taken::Turn(Turn {
            baton: self,
            is_kept: false,
        })
    }

    /// This thread is about to sleep: if it has the baton, the next one gets it. A leaf.
    pub(super) fn pass_on(&self) {
        let me = inside::this_thread();
        if self.holder() != me {
            return;
        }
        let next = {
            let mut state = self.state.lock();
            (self.holder() == me).then(|| self.next(&mut state))
        };
        call(next.flatten());
    }

    /// Has those who wait now write without it. A leaf.
    pub(super) fn dismiss(&self) {
        self.state.lock().dismiss();
    }

    /// Nobody waits for it any more, ever. A leaf.
    pub(super) fn put_away(&self) {
        let mut state = self.state.lock();
        state.is_put_away = true;
        state.dismiss();
    }

    /// Looks whether the holder stays away while others wait, or has not come when it was called: then the next one is called. Says
    /// whether to look again.
    pub(super) fn look_after(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        let is_waited_for = !state.waiting.is_empty();
        let next = is_waited_for
            .then(|| self.pass_over(&mut state, now))
            .flatten();
        let others_wait = !state.waiting.is_empty();
        drop(state);
        call(next);
        others_wait
    }

    /// Whether nobody writes only because whose turn it is has not come yet. A leaf.
    pub(super) fn is_on_its_way(&self) -> bool {
        self.holder() != 0 && {
            let state = self.state.lock();
            matches!(state.doing, Doing::Called(_)) || !state.waiting.is_empty()
        }
    }

    /// Whether somebody waits for its turn. A leaf.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.state.lock().waiting.is_empty()
    }

    #[cfg(test)]
    pub(super) fn is_mine(&self) -> bool {
        self.holder() == inside::this_thread()
    }

    #[cfg(test)]
    pub(super) fn is_free(&self) -> bool {
        self.holder() == 0
    }

    #[cfg(test)]
    pub(super) fn bytes_of_turn(&self) -> usize {
        self.state.lock().bytes
    }

    fn holder(&self) -> usize {
        self.holder.load(Ordering::Relaxed)
    }

    /// Somebody has come: looks what has become of the holder. Its turn is over if it was away and is not back soon.
    fn settle(&self, state: &mut State, me: usize, now: Instant) -> Option<Arc<Waiter>> {
        match state.doing {
            Doing::Away(since) if self.holder() == me && !state.waiting.is_empty() => {
                state.lose(since, now);
                let is_over = now.saturating_duration_since(since) > SOON;
                is_over.then(|| self.next(state)).flatten()
            }
            _ => self.pass_over(state, now),
        }
    }

    /// A holder that has not come for long is waited for no longer.
    fn pass_over(&self, state: &mut State, now: Instant) -> Option<Arc<Waiter>> {
        let (Doing::Away(since) | Doing::Called(since)) = state.doing else {
            return None;
        };
        if now.saturating_duration_since(since) <= LATE {
            return None;
        }
        if !state.waiting.is_empty() {
            state.lose(since, now);
        }
        self.next(state)
    }

    fn hand_to(&self, state: &mut State, thread: usize) {
        self.holder.store(thread, Ordering::Relaxed);
        state.doing = match thread {
            0 => Doing::Nothing,
            _ => Doing::Called(clock::now()),
        };
        state.bytes = 0;
        state.began = None;
    }

    /// A turn is over. Hands it to whoever has waited longest, who is to be called when the lock is free; to nobody where it was in vain
    /// too often.
    fn next(&self, state: &mut State) -> Option<Arc<Waiter>> {
        if state.is_in_vain() {
            state.leave();
        }
        let next = state.waiting.pop_front();
        self.hand_to(state, next.as_ref().map_or(0, |next| next.thread));
        next
    }
}

fn call(waiter: Option<Arc<Waiter>>) {
    if let Some(waiter) = waiter {
        waiter.called.notify_all();
    }
}

impl State {
    fn waits(&self, waiter: &Arc<Waiter>) -> bool {
        self.waiting.iter().any(|other| Arc::ptr_eq(other, waiter))
    }

    fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }

    /// Since then others have waited for nothing.
    fn lose(&mut self, since: Instant, now: Instant) {
        let lost = now.saturating_duration_since(since);
        self.lost = self.lost.saturating_add(lost);
    }

    /// A holder has written since then.
    fn gain(&mut self, since: Instant, now: Instant) {
        let took = now.saturating_duration_since(since);
        self.wrote = self.wrote.saturating_add(took);
        if self.wrote > MEMORY {
            self.wrote /= 2;
            self.lost /= 2;
        }
        self.of_use = self.of_use.saturating_add(took);
        if self.of_use >= LONG_REST {
            self.rest = REST;
        }
    }

    /// Whether so much time was lost that it would be better without.
    fn is_in_vain(&self) -> bool {
        self.lost > LOST && self.lost.saturating_mul(PART) > self.wrote
    }

    /// All write without it for a while.
    fn leave(&mut self) {
        self.wrote = Duration::ZERO;
        self.lost = Duration::ZERO;
        self.of_use = Duration::ZERO;
        self.rests_until = clock::now().checked_add(self.rest);
        self.rest = self.rest.saturating_mul(2).min(LONG_REST);
        self.dismiss();
    }

    fn dismiss(&mut self) {
        for waiter in self.waiting.drain(..) {
            waiter.called.notify_all();
        }
    }
}

impl Turn<'_> {
    /// So many bytes of a stream were written, until `now`. If the turn is not over, the thread has the baton for its next write. If it
    /// is and nobody waits, nobody has it.
    pub(super) fn keep(mut self, bytes: usize, now: Instant) {
        let mut state = self.baton.state.lock();
        if let Doing::Writes(since) = state.doing {
            state.gain(since, now);
        }
        state.bytes = state.bytes.saturating_add(bytes);
        let began = state.began.unwrap_or(now);
        let is_over =
            state.bytes >= TURN_BYTES || now.saturating_duration_since(began) >= TURN_TIME;
        if !is_over {
            state.doing = Doing::Away(now);
            self.is_kept = true;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.baton.pass_on();
        }
    }
}

#[cfg(all(test, not(model)))]
mod tests;
