//! One turn of the I/O thread for a transport: reading, time, and what the transport layer wants done.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

use super::attendance::LOOK_AGAIN;
use super::engine::{Engine, Next, Ready, Task};
use super::keepalive::{Due, KEEPALIVE_REQUEST};
use super::low_water::Look;
use super::serving::{After, Serving};
use super::shared::{Receiving, Shared};
use super::sys::clock;
use crate::endpoint::Outbound;
use crate::error::Error;
use crate::messages::Role;
use crate::transport::TransportAction;

/// Most reads for one transport before the others have their turn.
pub(super) const READS_PER_TURN: usize = 4;
/// Sealed bytes and replies that wait before reading from the peer stops.
const PAUSE_READING_BYTES: usize = 576 * 1024;

impl Task for Shared {
    fn key(&self) -> u64 {
        self.key
    }

    fn turn(self: Arc<Self>, ready: Ready, scratch: &mut Vec<u8>) -> Next {
        self.attend(ready, scratch)
    }

    fn look_after(&self) -> bool {
        self.look_after_caller()
    }

    fn broken(self: Arc<Self>) {
        self.end(Error::Bug("panic in the protocol"));
    }
}

impl Shared {
    /// One turn of the I/O thread for this transport.
    pub(crate) fn attend(self: &Arc<Self>, ready: Ready, scratch: &mut Vec<u8>) -> Next {
        let (ready, look) = self.readiness(ready);
        if self.has_ended.load(Ordering::Acquire) {
            return self.linger(ready, scratch);
        }
        if let Some(error) = self.begin_turn() {
            self.end(error);
            return self.linger(Ready::default(), scratch);
        }
        let broken = self.sent.is_broken();
        let looked = self.look_after_writers();
        match looked.and_then(|()| self.work(ready, scratch, broken, READS_PER_TURN)) {
            Ok((received, deadline)) => {
                let more = self.wait_for_more(received, look);
                let waits = self.flush_unless_answer_comes();
                if self.has_ended.load(Ordering::Acquire) {
                    return self.linger(Ready::default(), scratch);
                }
                if !waits {
                    self.acknowledge();
                }
                let paused = self.pause_or_resume();
                let again = if broken {
                    // Something came, and nothing says that more will: only another look finds the end of it.
                    Some(clock::now())
                } else if paused {
                    Some(clock::now() + LOOK_AGAIN)
                } else {
                    // The others have their turn first.
                    self.stream.has_more().then(clock::now)
                };
                let next = [deadline, again, more].into_iter().flatten().min();
                self.set_timer(next);
                Next::At(next)
            }
            Err(error) => {
                self.end(error);
                self.linger(Ready::default(), scratch)
            }
        }
    }

    /// Sends our identification line. The peer's is often there before, and then KEXINIT goes with ours; or it comes while
    /// ours leaves, so that a server, whose clients begin by themselves, finds it when it looks once more. Who guesses has
    /// said more than a line already, and waits for nothing.
    pub(crate) fn say_hello(self: &Arc<Self>, role: Role, guesses: bool) -> Result<(), Error> {
        let came = if guesses { 0 } else { self.look()? };
        self.flush();
        if role == Role::Server && came == 0 && self.look()? > 0 {
            self.flush();
        }
        Ok(())
    }

    /// Deals with what is there before anybody waits for it, and says how many bytes that was.
    fn look(self: &Arc<Self>) -> Result<usize, Error> {
        if !self.stream.has_socket() || self.has_ended.load(Ordering::Acquire) {
            return Ok(0);
        }
        let buffers = Engine::get()?.buffers();
        let mut scratch = buffers.take();
        let outcome = self.receive(&mut scratch, false, 1);
        buffers.give(scratch);
        Ok(outcome.unwrap_or_else(|error| {
            self.end(error);
            0
        }))
    }

    /// Writes, reads and lets time pass, as far as that goes without waiting; says how many bytes came and when to do so
    /// again at the latest. What there is to say after it the caller flushes.
    pub(crate) fn work(
        self: &Arc<Self>,
        ready: Ready,
        scratch: &mut Vec<u8>,
        broken: bool,
        reads: usize,
    ) -> Result<(usize, Option<Instant>), Error> {
        if ready.writable {
            self.send_rest()?;
        }
        let received = if ready.readable || broken {
            self.receive(scratch, broken, reads)?
        } else {
            0
        };
        Ok((received, self.let_time_pass()?))
    }

    /// What the poller found out, and what a stream that it does not know has told.
    fn readiness(&self, polled: Ready) -> (Ready, Look) {
        let told = self.stream.ready();
        let paused = self.interest.lock().paused;
        let misses = !polled.readable && self.misses_much();
        let ready = Ready {
            readable: polled.readable || (told.readable && !paused) || misses,
            writable: polled.writable || told.writable,
        };
        (ready, if misses { Look::Missed } else { Look::Woken })
    }

    /// Stops reading from a peer that does not read our answers, and starts again when it does. During a key
    /// exchange reading goes on, for it cannot end otherwise; then the bound on replies holds.
    ///
    /// Says whether reading is stopped: then another look is wanted soon, for what was found here may be stale
    /// by the time it is acted upon.
    pub(crate) fn pause_or_resume(self: &Arc<Self>) -> bool {
        let waiting = self
            .serving
            .lock()
            .services
            .as_ref()
            .map_or(0, |services| services.out.len_bytes());
        let much = self.sent.pending_bytes().saturating_add(waiting) > PAUSE_READING_BYTES;
        // Lets go through `with_sending`: somebody may leave a flush to us meanwhile.
        let is_held = || {
            self.with_sending(|sending| sending.outbound.as_ref().is_some_and(Outbound::is_held))
        };
        let paused = much && !is_held();
        self.set_interest(|interest| interest.paused = paused);
        paused
    }

    pub(crate) fn let_time_pass(self: &Arc<Self>) -> Result<Option<Instant>, Error> {
        let now = clock::now();
        let mut receiving = self.receiving.lock();
        let receiving = &mut *receiving;
        let mut inbound_deadline = None;
        if let Some(inbound) = &mut receiving.inbound {
            inbound.handle_timeout(now, &mut receiving.actions)?;
            inbound.check_limits(self.sent.take_counters(), now, &mut receiving.actions)?;
            inbound_deadline = inbound.poll_timeout();
        }
        self.apply_unsent(receiving, now)?;
        let mut after = Vec::new();
        let serving_deadline = {
            let mut serving = self.serving.lock();
            self.serving_timeouts(&mut serving, now, &mut after)?;
            serving.next_deadline()
        };
        self.after(after);
        Ok([inbound_deadline, serving_deadline]
            .into_iter()
            .flatten()
            .min())
    }

    pub(crate) fn serving_timeouts(
        self: &Arc<Self>,
        serving: &mut Serving,
        now: Instant,
        after: &mut Vec<After>,
    ) -> Result<(), Error> {
        if let Some((_, what)) = serving.setup_deadline.filter(|(at, _)| *at <= now) {
            return Err(Error::Expired(what));
        }
        if serving.attempt.deadline.is_some_and(|at| at <= now) {
            self.abandon_attempt(serving);
        }
        if let Some(services) = &mut serving.services {
            services.handle_timeout(now)?;
        }
        match serving.keepalive.due(now) {
            Due::Nothing => {}
            Due::Dead(told) => {
                if let Some(told) = told {
                    serving.push_job(self, told);
                }
                return Err(Error::Expired("keepalive: the peer does not answer"));
            }
            Due::Send(told) => {
                if let Some(told) = told {
                    serving.push_job(self, told);
                }
                after.push(After::Shrink);
                if let Ok(services) = serving.open_services() {
                    services.shrink();
                    let id = services.connection.global_request(
                        KEEPALIVE_REQUEST,
                        &[],
                        true,
                        &mut services.out,
                    );
                    // Without room for one more, enough unanswered ones are out already, and they count.
                    if let Ok(Some(id)) = id {
                        serving.keepalive.sent(id, now);
                    }
                }
            }
        }
        serving.settle(self, after);
        Ok(())
    }

    /// Gives up on an attempt whose time is over.
    pub(crate) fn abandon_attempt(&self, serving: &mut Serving) {
        if let Some(services) = &mut serving.services {
            services.abandon_attempt();
        }
        if serving.attempt.running {
            serving.exception = Some(Error::Timeout("authentication"));
            serving.finish_attempt(Err(Error::Timeout("authentication")));
            self.progress.notify_all();
        }
    }

    /// Applies what the transport layer wants done.
    pub(crate) fn apply(
        self: &Arc<Self>,
        receiving: &mut Receiving,
        now: Instant,
    ) -> Result<(), Error> {
        self.apply_unsent(receiving, now)?;
        self.flush();
        Ok(())
    }

    /// The same, but what is to be sent is only sealed: more may follow, and leave with it.
    pub(crate) fn apply_unsent(
        self: &Arc<Self>,
        receiving: &mut Receiving,
        now: Instant,
    ) -> Result<(), Error> {
        if receiving.actions.is_empty() {
            return Ok(());
        }
        let actions = std::mem::take(&mut receiving.actions);
        let mut rest = Vec::new();
        let released = self.with_sending(|sending| {
            let Some(outbound) = &mut sending.outbound else {
                return Err(Error::Bug("actions before the start"));
            };
            let was_held = outbound.is_held();
            for action in actions {
                if let TransportAction::Send(payload) = &action {
                    self.dump("OUT", payload);
                }
                if let Some(other) = outbound.apply(action)? {
                    rest.push(other);
                }
            }
            // Before anybody compares what was sealed with the old keys to the limits of the new ones.
            self.sent.count(outbound);
            Ok(was_held && !outbound.is_held())
        })?;
        if released {
            self.tell_room();
        }
        if !rest.is_empty() {
            self.serve_actions(receiving, rest, now)?;
        }
        Ok(())
    }

    pub(crate) fn serve_actions(
        self: &Arc<Self>,
        receiving: &Receiving,
        actions: Vec<TransportAction>,
        now: Instant,
    ) -> Result<(), Error> {
        let Some(inbound) = &receiving.inbound else {
            return Err(Error::Bug("actions before the start"));
        };
        let mut after = Vec::new();
        {
            let mut serving = self.serving.lock();
            for action in actions {
                let services = serving.services()?;
                match action {
                    TransportAction::Reply(payload) => services.reply(payload)?,
                    TransportAction::Sign(job) => after.push(After::SignHash(job)),
                    TransportAction::Event(event) => {
                        services.transport_event(event, inbound.transport(), now);
                    }
                    _ => return Err(Error::Bug("an action was not routed")),
                }
            }
            serving.settle(self, &mut after);
        }
        self.after(after);
        Ok(())
    }
}
