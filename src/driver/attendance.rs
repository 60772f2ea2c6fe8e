//! Who waits at a transport's socket: its I/O thread, or a caller who would only sleep until that has news.
//!
//! Each hand-over between two threads costs more than opening a packet. So a caller that is blocked in the library on a
//! transport of which nobody else waits for news goes to the socket itself: it polls, reads, opens and hands out what
//! comes, for all channels, and its own data are in its core's cache already. When it leaves it will probably be back
//! in a moment, so the poller is not told: the I/O thread looks after the transport a few milliseconds later, and takes
//! it back if nobody has come. Meanwhile everything works, later by no more than that.
//!
//! Where two callers wait on one transport the I/O thread does it, for one caller could only serve the other late.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::condition::Condition;
use super::engine::{Engine, Ready, Worker};
use super::event::Event;
use super::inside;
use super::low_water::{Look, Marks, MOMENT};
use super::seats;
use super::serving::Phase;
use super::shared::Shared;
use super::sync::atomic::Ordering;
use super::sync::MutexGuard;
use super::sys::clock;
use super::wait::{Deadline, Timeout};
use super::wakefulness::{Vigil, Wakefulness, SETUPS};
use crate::error::Error;
use crate::messages::{MessageNumber, Role};

/// Waits that are left to the I/O thread after two callers have met.
const SHY_WAITS: u32 = 64;
/// A read of this many bytes will probably be followed by more, which need not be polled for. Who writes as many waits for no
/// answer to them.
const MUCH: usize = if cfg!(model) { 16 } else { 16 * 1024 };
/// The I/O thread looks often enough for deadlines that are as far away as this.
const FAR_AWAY: Duration = Duration::from_millis(100);
/// How soon a transport that does not read is looked at again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Who waits at the socket.
#[derive(Default)]
enum Watcher {
    /// The I/O thread, with its poller.
    #[default]
    Worker,
    /// A caller. Setting its event ends its poll.
    Caller(Event),
    /// Nobody: a caller has left, and the I/O thread will look whether it came back.
    Nobody,
}

/// What the poller knows of the socket.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// Nothing: callers have been there from the beginning.
    #[default]
    NotYet,
    /// What is waited for.
    Told,
    /// It was told to say nothing.
    Off,
}

/// What is waited for at the socket, and by whom; a leaf lock, but for the poller, the commands of its thread and the pool of
/// events.
#[derive(Default)]
pub(crate) struct Interest {
    /// Nothing is read, for the peer does not take our answers.
    pub(crate) paused: bool,
    /// Sealed bytes wait for the socket.
    pub(crate) writing: bool,
    watcher: Watcher,
    /// The caller is in its poll.
    polling: bool,
    /// The last caller read so much that there is probably more.
    eager: bool,
    /// Whether callers stay awake for the peer's answers.
    wakefulness: Wakefulness,
    /// Until somebody is in, what was learnt by other connections stands for that. Not for a server: who may be anybody has it
    /// awake only once they are in.
    learns_from_others: bool,
    /// How much of a stream is waited for.
    marks: Marks,
    /// Callers that sleep while somebody else waits at the socket.
    sleepers: usize,
    /// Waits until a caller may go to the socket again.
    shy: u32,
    /// Visits of callers, and how many there were when the I/O thread looked last.
    visits: u64,
    visits_seen: u64,
    /// The I/O thread will look.
    looked_after: bool,
    /// The transport has ended: the I/O thread does the rest.
    over: bool,
    /// When the I/O thread is going to attend to the time.
    timer: Option<Instant>,
    /// Why the system does not tell of the socket any more.
    pub(crate) deaf: Option<Error>,
    /// What the poller knows.
    watch: Watch,
    /// It is wanted earlier, but not so soon that it must be told at once.
    wants_turn: bool,
    /// The caller has left something unsaid that has time.
    unsaid: bool,
}

impl Interest {
    /// Whether the poller is to tell when the socket is readable, and when it is writable.
    fn wanted(&self) -> (bool, bool) {
        let polled = matches!(self.watcher, Watcher::Worker);
        (polled && !self.paused, polled && self.writing)
    }

    /// The poller, or what stands in its place, knows the stream.
    pub(crate) fn watch_is_told(&mut self) {
        self.watch = Watch::Told;
    }
}

/// What a caller waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Room for more data, by the peer's leave or the socket's.
    Room,
    /// What the peer says.
    Answer,
}

impl Shared {
    /// Waits for a change: sleeps, or goes to the socket and makes it come. The mutex of `guard` is free meanwhile.
    /// False when the deadline has passed; otherwise the caller looks again, for it may have been woken for nothing.
    pub(crate) fn sleep<T>(
        self: &Arc<Self>,
        condition: &Condition,
        guard: &mut MutexGuard<'_, T>,
        deadline: Deadline,
        what: For,
    ) -> bool {
        if deadline.has_passed() {
            return false;
        }
        self.baton.pass_on();
        if self.sent.is_left_by_me() {
            guard.unlocked(|| self.send_gathered());
            return true;
        }
        if self.is_left_by_callback() {
            guard.unlocked(|| self.flush_after_callback());
            return true;
        }
        match self.take_seat() {
            Some(seat) => {
                condition.enter(&seat);
                guard.unlocked(|| self.visit(&seat, condition, deadline, what));
            }
            None => {
                deadline.wait(condition.sleepers(), guard);
                self.interest.lock().sleepers -= 1;
            }
        }
        true
    }

    /// Waits until `event` is set, or at the socket for what will set it; `condition` is told when it is. May return for
    /// nothing.
    pub(crate) fn sleep_until(
        self: &Arc<Self>,
        event: &Event,
        condition: &Condition,
        deadline: Deadline,
    ) {
        self.baton.pass_on();
        if self.sent.is_left_by_me() {
            self.send_gathered();
        }
        self.flush_after_callback();
        match self.take_seat() {
            Some(seat) => {
                condition.enter(&seat);
                if event.is_set() {
                    // By somebody who may not have found the seat.
                    seat.set();
                }
                self.visit(&seat, condition, deadline, For::Answer);
            }
            None => {
                let rest = deadline.remaining();
                event.wait(rest.map_or(Timeout::Forever, Timeout::After));
                self.interest.lock().sleepers -= 1;
            }
        }
    }

    /// Work of the protocol in a caller's thread, whose buffer may be lent meanwhile: a panic ends the transport, not the process.
    pub(crate) fn guarded(self: &Arc<Self>, work: impl FnOnce()) {
        let _here = super::helm::enter();
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            self.end(Error::Bug("panic in the protocol"));
        }
    }

    /// The right to wait at the socket, or a place among those who sleep.
    fn take_seat(&self) -> Option<Event> {
        let possible = self.stream.has_socket() && self.is_registered();
        let mut interest = self.interest.lock();
        let free = match interest.watcher {
            Watcher::Caller(_) => false,
            Watcher::Nobody => true,
            Watcher::Worker if interest.shy > 0 => {
                interest.shy -= 1;
                false
            }
            Watcher::Worker => interest.sleepers == 0,
        };
        let seat = (possible && free && !interest.over)
            .then(seats::take)
            .flatten();
        match &seat {
            Some(seat) => {
                let was_polled = matches!(interest.watcher, Watcher::Worker);
                interest.watcher = Watcher::Caller(seat.clone());
                if was_polled {
                    self.tell_poller(&mut interest);
                }
            }
            None => interest.sleepers += 1,
        }
        seat
    }

    /// One visit at the socket.
    fn visit(self: &Arc<Self>, seat: &Event, condition: &Condition, deadline: Deadline, what: For) {
        let (paused, writing, eager, mark) = {
            let mut interest = self.interest.lock();
            if std::mem::take(&mut interest.unsaid) {
                drop(interest);
                self.guarded(|| self.flush());
                interest = self.interest.lock();
            }
            interest.polling = true;
            let mark = interest
                .marks
                .of_callers
                .mark()
                .filter(|_| what == For::Answer && !interest.paused);
            let mark = interest.marks.set(&self.stream, mark);
            let is_behind = interest.marks.of_callers.is_behind();
            let eager = interest.eager && (mark.is_none() || is_behind);
            (interest.paused, interest.writing, eager, mark)
        };
        let (ready, look) = if eager && !paused {
            // What waits for the socket is tried afterwards: nobody has said that it takes more.
            let ready = Ready {
                readable: true,
                writable: false,
            };
            (ready, Look::AtOnce)
        } else {
            let again = paused.then_some(LOOK_AGAIN);
            let time = [deadline.remaining(), again].into_iter().flatten().min();
            self.acknowledge();
            let wanted = (!paused, writing);
            match (what, mark) {
                (For::Answer, Some(_)) => self.wait_for_much(seat, wanted, time),
                (For::Answer, None) => (self.wait_for_answer(seat, wanted, time), Look::Woken),
                (For::Room, _) => (self.stream.wait(seat, wanted, time), Look::Woken),
            }
        };
        self.interest.lock().polling = false;
        condition.leave();
        seat.reset();
        if ready.readable || ready.writable || paused {
            self.guarded(|| self.attend_here(ready, look));
        }
        self.leave_seat(seat);
    }

    /// Waits at the socket until much is there, or for a moment: then less is taken.
    fn wait_for_much(
        &self,
        seat: &Event,
        wanted: (bool, bool),
        time: Option<Duration>,
    ) -> (Ready, Look) {
        let began = clock::now();
        let moment = time.unwrap_or(MOMENT).min(MOMENT);
        let mut ready = self.stream.wait(seat, wanted, Some(moment));
        if ready.readable || ready.writable || seat.is_set() {
            return (ready, Look::Woken);
        }
        ready.readable = wanted.0;
        // A signal may have been earlier, or the caller's deadline.
        let is_over = clock::now().saturating_duration_since(began) >= MOMENT;
        (ready, if is_over { Look::Missed } else { Look::Woken })
    }

    /// Waits at the socket, awake at first if that was of use with the answers before this one.
    fn wait_for_answer(&self, seat: &Event, wanted: (bool, bool), time: Option<Duration>) -> Ready {
        let began = clock::now();
        let is_in = self.is_authenticated_now();
        let worth = {
            let interest = self.interest.lock();
            match is_in {
                true => interest.wakefulness.worth(),
                false if interest.learns_from_others => SETUPS.worth(),
                false => None,
            }
        };
        let vigil = worth.and_then(|_| Vigil::begin());
        let awake = vigil.is_some();
        let until = began + worth.unwrap_or_default().min(time.unwrap_or(Duration::MAX));
        let mut ready = Ready::default();
        let mut found = false;
        while awake && !found && clock::now() < until {
            ready = self.stream.wait(seat, wanted, Some(Duration::ZERO));
            found = ready.readable || ready.writable || seat.is_set();
            if !found {
                std::thread::yield_now();
            }
        }
        drop(vigil);
        if !found {
            let rest =
                time.map(|time| time.saturating_sub(clock::now().saturating_duration_since(began)));
            ready = self.stream.wait(seat, wanted, rest);
        }
        // Who had no right to try has learnt nothing.
        if awake || worth.is_none() {
            let after = clock::now().saturating_duration_since(began);
            let answer = ready.readable.then_some(after);
            let mut interest = self.interest.lock();
            if is_in {
                interest.wakefulness.waited(answer, !found);
            } else if interest.learns_from_others {
                SETUPS.waited(answer, !found);
            }
        }
        ready
    }

    #[cfg(test)]
    pub(super) fn wakefulness<R>(&self, look: impl FnOnce(&mut Wakefulness) -> R) -> R {
        look(&mut self.interest.lock().wakefulness)
    }

    #[cfg(test)]
    pub(super) fn marks<R>(&self, look: impl FnOnce(&mut Marks) -> R) -> R {
        look(&mut self.interest.lock().marks)
    }

    /// So many bytes were written for the application.
    pub(crate) fn note_written(&self, count: usize) {
        if count >= MUCH {
            self.interest.lock().wakefulness.streams();
        }
    }

    /// What the I/O thread would do, done by a caller. The end is left to the I/O thread.
    fn attend_here(self: &Arc<Self>, ready: Ready, look: Look) {
        let Ok(engine) = Engine::get() else { return };
        if self.has_ended.load(Ordering::Acquire) {
            return;
        }
        let (mut scratch, began) = (engine.buffers().take(), clock::now());
        // Once: what comes fits into the buffer that the caller has lent, and the rest would only wait in a queue.
        let outcome = self.work(ready, &mut scratch, false, 1);
        engine.buffers().give(scratch);
        let outcome = outcome.inspect(|_| {
            self.pause_or_resume();
        });
        match outcome {
            Ok((received, deadline)) => {
                let has_time = self.has_only_patient_replies();
                let urgent = {
                    let mut interest = self.interest.lock();
                    interest.eager = received >= MUCH;
                    if received > 0 || look == Look::Missed {
                        let now = clock::now();
                        let few = !interest.eager;
                        interest.marks.of_callers.came(received, few, look, now);
                        if interest.marks.of_callers.streams() {
                            inside::has_received(self.key, began, now);
                        }
                    }
                    if interest.eager {
                        interest.wakefulness.streams();
                    }
                    interest.unsaid = has_time;
                    let earlier =
                        deadline.filter(|new| interest.timer.is_none_or(|old| *new < old));
                    interest.wants_turn |= earlier.is_some();
                    earlier.is_some_and(|at| at < clock::now() + FAR_AWAY)
                };
                if !has_time {
                    self.flush();
                }
                if urgent {
                    self.attend_soon();
                }
            }
            Err(error) => self.end(error),
        }
    }

    /// Whether what is to be said can leave with what the caller says next, or when the I/O thread looks: that channels are
    /// closed which the peer has closed, a client's NEWKEYS, which its first request follows, or a server's SERVICE_ACCEPT.
    fn has_only_patient_replies(self: &Arc<Self>) -> bool {
        if self.sent.pending_bytes() > 0 {
            return false;
        }
        let is_close = |payload: &[u8]| payload.first() == Some(&MessageNumber::CHANNEL_CLOSE.0);
        let says_all_with_answer = {
            let serving = self.serving.lock();
            let Some(services) = &serving.services else {
                return false;
            };
            if services.out.is_empty() {
                return serving.role == Role::Client
                    && serving.phase == Phase::Keyed
                    && serving.key_exchanges == 1
                    && !serving.attempt.running
                    && !services.is_authenticated();
            }
            if services.out.all(is_close) {
                return true;
            }
            services.says_all_with_answer()
        };
        says_all_with_answer && self.has_sent_all_sealed()
    }

    /// Sends what there is to say, or leaves it to what is said next, or to the I/O thread's look, where that is soon enough.
    pub(crate) fn flush_in_time(self: &Arc<Self>) {
        let can_wait = self.stream.has_socket() && self.is_registered();
        if can_wait && self.has_only_patient_replies() {
            self.attend_later();
        } else {
            self.flush_for_application();
        }
    }

    fn leave_seat(&self, seat: &Event) {
        let (look_after, attend) = {
            let mut interest = self.interest.lock();
            interest.visits = interest.visits.wrapping_add(1);
            if interest.over || interest.sleepers > 0 {
                interest.shy = SHY_WAITS;
                interest.watcher = Watcher::Worker;
                self.tell_poller(&mut interest);
                // What the caller has left undone is the I/O thread's now, and closing may have waited for this.
                let undone = interest.unsaid || interest.wants_turn || interest.paused;
                (false, interest.over || undone)
            } else {
                interest.watcher = Watcher::Nobody;
                (!std::mem::replace(&mut interest.looked_after, true), false)
            }
        };
        seats::give(seat.clone());
        if let Some(worker) = self.worker.get() {
            if look_after {
                worker.look_after(self.key);
            }
            if attend {
                worker.attend(self.key);
            }
        }
    }

    /// The I/O thread looks whether the caller who has left is coming again; false once it need not look any more.
    pub(crate) fn look_after_caller(&self) -> bool {
        let mut interest = self.interest.lock();
        if std::mem::take(&mut interest.wants_turn) {
            self.attend_soon();
        }
        let is_back = interest.visits != interest.visits_seen;
        interest.visits_seen = interest.visits;
        interest.looked_after = match interest.watcher {
            Watcher::Nobody if is_back => true,
            Watcher::Nobody => {
                interest.watcher = Watcher::Worker;
                self.tell_poller(&mut interest);
                // The caller may have left something undone: reading may be paused.
                self.attend_soon();
                false
            }
            Watcher::Caller(_) | Watcher::Worker => false,
        };
        interest.looked_after
    }

    /// Before the poller knows the socket: a caller who connects is on its way there.
    pub(crate) fn await_caller(&self) {
        let mut interest = self.interest.lock();
        interest.watcher = Watcher::Nobody;
        interest.learns_from_others = true;
    }

    /// The I/O thread has been given the transport, and attends to it in a few milliseconds. Whoever wanted that before it was given
    /// may have been too early.
    pub(crate) fn attend_first(&self, worker: &Worker) {
        {
            let mut interest = self.interest.lock();
            interest.wants_turn = true;
            interest.looked_after = true;
        }
        worker.look_after(self.key);
    }

    /// Has the I/O thread attend to the time in a few milliseconds, which costs less than waking it.
    pub(crate) fn attend_later(&self) {
        let first = {
            let mut interest = self.interest.lock();
            interest.wants_turn = true;
            !std::mem::replace(&mut interest.looked_after, true)
        };
        if let Some(worker) = self.worker.get().filter(|_| first) {
            worker.look_after(self.key);
        }
    }

    /// Remembers when the I/O thread is going to attend to the time.
    pub(crate) fn set_timer(&self, timer: Option<Instant>) {
        self.interest.lock().timer = timer;
    }

    /// Before the I/O thread does what it was wanted for: who wants it from now on may have come too late for that. Says why the
    /// system does not tell of the socket any more, where it does not.
    pub(crate) fn begin_turn(&self) -> Option<Error> {
        let mut interest = self.interest.lock();
        interest.wants_turn = false;
        // A deadline that a caller finds meanwhile is news to the turn, which may end with a later one.
        interest.timer = None;
        interest.deaf.take()
    }

    /// From now on no caller waits at the socket; one that is there is sent away. Says whether the I/O thread waits there now
    /// for what the peer says, or will soon; where goodbye has been `said` that need not be at once.
    pub(crate) fn end_visits(&self, said: bool) -> bool {
        let (visitor, reads) = {
            let mut interest = self.interest.lock();
            interest.over = true;
            match &interest.watcher {
                Watcher::Caller(seat) => (Some(seat.clone()), false),
                // The I/O thread looks in a moment, and mostly finds that the peer has closed.
                Watcher::Nobody if said => (None, true),
                Watcher::Nobody => {
                    interest.watcher = Watcher::Worker;
                    self.tell_poller(&mut interest);
                    (None, !interest.paused)
                }
                Watcher::Worker => {
                    interest.marks.set(&self.stream, None);
                    (None, !interest.paused)
                }
            }
        };
        if let Some(seat) = visitor {
            seat.set();
        }
        reads
    }

    /// From now on no caller waits at the socket. Says whether one is there: its descriptor must not be closed.
    pub(crate) fn refuse_visits(&self) -> bool {
        let mut interest = self.interest.lock();
        interest.over = true;
        matches!(interest.watcher, Watcher::Caller(_))
    }

    /// Has the poller told of the stream, unless it is closed.
    pub(crate) fn attach(&self, worker: &Arc<Worker>) -> Result<(), Error> {
        let mut interest = self.interest.lock();
        let (read, _) = interest.wanted();
        if !read && self.stream.can_be_attached_later() {
            return Ok(());
        }
        interest.watch = Watch::Told;
        let attached = self.stream.attach(worker, self.key, read);
        // One that has ended may be without a descriptor, which is no want of anything; why it ended is told to all who wait.
        if self.has_ended.load(Ordering::Acquire) {
            return Ok(());
        }
        attached
    }

    /// Closes the descriptor, under the lock of those who tell the poller of it: they would tell it of whatever has the number
    /// next.
    pub(crate) fn close_socket(&self) {
        let mut interest = self.interest.lock();
        if let Some(worker) = self.worker.get().filter(|_| interest.watch == Watch::Told) {
            self.stream.detach(worker);
        }
        // The program may have a duplicate of the descriptor.
        interest.marks.set(&self.stream, None);
        if self.stream.has_socket() {
            self.stream.close();
        }
    }

    #[cfg(test)]
    pub(super) fn has_visitor(&self) -> bool {
        matches!(self.interest.lock().watcher, Watcher::Caller(_))
    }

    #[cfg(test)]
    pub(super) fn is_polled_by_caller(&self) -> bool {
        self.interest.lock().polling
    }

    /// Changes what is waited for.
    pub(crate) fn set_interest(&self, change: impl FnOnce(&mut Interest)) {
        let seat = {
            let mut interest = self.interest.lock();
            let before = (interest.paused, interest.writing);
            change(&mut interest);
            if before == (interest.paused, interest.writing) {
                return;
            }
            match &interest.watcher {
                Watcher::Worker => {
                    self.tell_poller(&mut interest);
                    None
                }
                Watcher::Caller(seat) => interest.polling.then(|| seat.clone()),
                Watcher::Nobody => None,
            }
        };
        if let Some(seat) = seat {
            seat.set();
        }
    }

    /// Has the system say nothing of the socket: the I/O thread has found the end there, of which it would hear without pause,
    /// and waits for another thread of ours.
    pub(crate) fn unwatch(&self) {
        let mut interest = self.interest.lock();
        let told = std::mem::replace(&mut interest.watch, Watch::Off) == Watch::Told;
        if let Some(worker) = self.worker.get().filter(|_| told) {
            self.stream.detach(worker);
        }
    }

    /// Undoes that.
    pub(crate) fn watch_again(&self) {
        let mut interest = self.interest.lock();
        if let Some(worker) = self.worker.get().filter(|_| interest.watch == Watch::Off) {
            interest.watch = Watch::Told;
            // Where that fails, the end comes when its time is over.
            let _ = self
                .stream
                .attach_again(worker, self.key, interest.wanted());
        }
    }

    /// Whether the I/O thread has waited for much for long enough, and takes less now.
    pub(crate) fn misses_much(&self) -> bool {
        self.interest.lock().marks.is_over(clock::now())
    }

    /// The I/O thread has received so many bytes. Says until when it waits for many more, where it does.
    pub(crate) fn wait_for_more(&self, received: usize, look: Look) -> Option<Instant> {
        let mut interest = self.interest.lock();
        if received > 0 || look == Look::Missed {
            let now = clock::now();
            interest
                .marks
                .io_thread_received(received, received < MUCH, look, now);
            if matches!(interest.watcher, Watcher::Worker) && !interest.over {
                let reads = !interest.paused;
                interest.marks.wait_for_more(&self.stream, reads, now);
            }
        }
        interest.marks.ends()
    }

    fn tell_poller(&self, interest: &mut Interest) {
        if matches!(interest.watcher, Watcher::Worker) {
            interest.marks.set(&self.stream, None);
        }
        if let Some(worker) = self.worker.get() {
            let wanted = interest.wanted();
            let told = match interest.watch {
                Watch::NotYet if matches!(interest.watcher, Watcher::Worker) => {
                    interest.watch = Watch::Told;
                    self.stream.attach_again(worker, self.key, wanted)
                }
                Watch::Told => self.stream.set_interest(worker, self.key, wanted),
                Watch::NotYet | Watch::Off => Ok(()),
            };
            if let Err(error) = told {
                // Of a descriptor that is gone nothing is waited for. Of another one nothing would be heard any more.
                if self.stream.is_open() {
                    interest.deaf = Some(error);
                    worker.attend(self.key);
                }
            }
        }
    }
}
