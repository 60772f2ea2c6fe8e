//! A transport as its threads share it: three locks and the paths between them.
//!
//! | lock | guards | held for long by |
//! |---|---|---|
//! | `receiving` | opener, transport layer, bytes not opened yet | the I/O thread: opening, key exchange |
//! | `sending` | sealer, sealed bytes the socket has not taken | whoever writes: sealing, the write call |
//! | `serving` | authentication, channels, who waits for what | nobody: bookkeeping and copies only |
//!
//! They are taken in this order, any of them may be skipped, and none is held while a callback runs or a
//! thread sleeps (a condition variable of `serving` releases it).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;
use parking_lot::{Condvar, Mutex};
use zeroize::Zeroize;

use super::channel::Channel;
use super::engine::{Engine, Next, Ready, Worker};
use super::event::Event;
use super::keepalive::{Due, KEEPALIVE_REQUEST};
use super::log::{hexdump, LogLevel, LogTarget, PROCESS_LOG};
use super::options::TransportOptions;
use super::pool::Job;
use super::serving::{After, HostKeyState, Serving};
use super::sys::fork;
use super::sys::stream::{Progress, Stream};
use super::wait::Deadline;
use crate::auth::AuthDecision;
use crate::connection::{ChannelId, OpenRefusal};
use crate::endpoint::{Inbound, Outbound, Services};
use crate::error::{Error, HostKeyFault};
use crate::messages::{DisconnectReason, MessageNumber};
use crate::packet::RekeyLimits;
use crate::transport::TransportAction;

/// Sealed bytes that wait for the socket before a writer has to wait.
pub(crate) const MAX_PENDING_BYTES: usize = 256 * 1024;
/// Sealed bytes and replies that wait before reading from the peer stops.
const PAUSE_READING_BYTES: usize = 512 * 1024;
/// Most log lines that wait for the sink; more are dropped.
const MAX_LOG_LINES: usize = 4096;
/// How long goodbye may take.
pub(crate) const LINGER: Duration = Duration::from_millis(800);

/// Guarded by the receiving lock.
pub(crate) struct Receiving {
    /// Made at the start.
    pub(crate) inbound: Option<Inbound>,
    /// The beginning of a packet whose rest has not come.
    pub(crate) unopened: Vec<u8>,
    pub(crate) actions: Vec<TransportAction>,
}

/// Guarded by the sending lock.
pub(crate) struct Sending {
    /// Made at the start.
    pub(crate) outbound: Option<Outbound>,
    /// The socket takes no more bytes, ever.
    pub(crate) broken: bool,
    pub(crate) rekey: RekeyLimits,
    /// The I/O thread has been told that the keys are used up.
    pub(crate) rekey_wanted: bool,
}

/// What the poller waits for; a leaf lock.
#[derive(Default)]
struct Interest {
    paused: bool,
    writing: bool,
}

/// Log lines on their way to the sink, in order; a leaf lock.
#[derive(Default)]
struct LogLines {
    lines: VecDeque<Job>,
    running: bool,
}

/// How the end goes on after the cause is known.
enum Ending {
    No,
    /// Bytes may still be on their way out, until this moment.
    Lingering(Instant),
    Closed,
}

pub(crate) struct Shared {
    pub(crate) key: u64,
    pub(crate) stream: Stream,
    pub(crate) receiving: Mutex<Receiving>,
    pub(crate) sending: Mutex<Sending>,
    pub(crate) serving: Mutex<Serving>,
    /// With `serving`: anything of the transport itself has changed.
    pub(crate) progress: Condvar,
    /// Raised when sealed bytes have left or a key exchange is over; with `room_changed`.
    room: Mutex<u64>,
    room_changed: Condvar,
    /// Somebody was told that there is no room and did not wait for it: events must say when there is.
    room_missed: AtomicBool,
    wants_flush: AtomicBool,
    is_authenticated: AtomicBool,
    pub(crate) has_ended: AtomicBool,
    /// Raised by each cancel; waiting calls compare.
    cancels: AtomicU64,
    pending_bytes: AtomicUsize,
    interest: Mutex<Interest>,
    ending: Mutex<Ending>,
    worker: OnceCell<Arc<Worker>>,
    generation: u32,
    started_at: OnceCell<Instant>,
    login_grace: OnceCell<Duration>,
    request_event: OnceCell<Event>,
    pub(crate) log: LogTarget,
    log_lines: Mutex<LogLines>,
    pub(crate) hexdump: AtomicBool,
    pub(crate) names: Mutex<Names>,
}

/// Names of a transport; a leaf lock.
pub(crate) struct Names {
    pub(crate) name: String,
    pub(crate) log_channel: String,
}

impl Shared {
    pub(crate) fn new(stream: Stream, options: TransportOptions) -> Arc<Self> {
        fork::watch();
        let key = Engine::new_key();
        Arc::new(Shared {
            key,
            stream,
            receiving: Mutex::new(Receiving {
                inbound: None,
                unopened: Vec::new(),
                actions: Vec::new(),
            }),
            sending: Mutex::new(Sending {
                outbound: None,
                broken: false,
                rekey: options.rekey,
                rekey_wanted: false,
            }),
            serving: Mutex::new(Serving::new(options)),
            progress: Condvar::new(),
            room: Mutex::new(0),
            room_changed: Condvar::new(),
            room_missed: AtomicBool::new(false),
            wants_flush: AtomicBool::new(false),
            is_authenticated: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            cancels: AtomicU64::new(0),
            pending_bytes: AtomicUsize::new(0),
            interest: Mutex::default(),
            ending: Mutex::new(Ending::No),
            worker: OnceCell::new(),
            generation: fork::generation(),
            started_at: OnceCell::new(),
            login_grace: OnceCell::new(),
            request_event: OnceCell::new(),
            log: LogTarget::off(),
            log_lines: Mutex::default(),
            hexdump: AtomicBool::new(false),
            names: Mutex::new(Names {
                name: format!("ssh-transport-{key}"),
                log_channel: String::from("sshwire.transport"),
            }),
        })
    }

    /// Refuses objects of a parent process.
    pub(crate) fn check_process(&self) -> Result<(), Error> {
        if self.generation == fork::generation() {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }

    pub(crate) fn set_started(&self, now: Instant, login_grace: Option<Duration>) {
        let _ = self.started_at.set(now);
        if let Some(grace) = login_grace {
            let _ = self.login_grace.set(grace);
        }
    }

    pub(crate) fn login_deadline(&self) -> Option<Instant> {
        self.started_at.get()?.checked_add(*self.login_grace.get()?)
    }

    /// The event that tells of questions to pull.
    pub(crate) fn request_event(&self) -> Option<&Event> {
        self.request_event.get()
    }

    pub(crate) fn set_request_event(&self, event: Event) {
        let _ = self.request_event.set(event);
    }

    pub(crate) fn authenticated(&self) {
        self.is_authenticated.store(true, Ordering::Release);
    }

    pub(crate) fn register(self: &Arc<Self>) -> Result<(), Error> {
        let worker = Engine::get()?.assign()?;
        let worker = self.worker.get_or_init(|| worker);
        worker.register(self)
    }

    pub(crate) fn attend_now(&self) {
        self.attend_soon();
    }

    fn attend_soon(&self) {
        if let Some(worker) = self.worker.get() {
            worker.attend(self.key);
        }
    }

    // ---- waiting -------------------------------------------------------------------------------------

    pub(crate) fn cancels(&self) -> u64 {
        self.cancels.load(Ordering::Acquire)
    }

    /// Wakes every call that is blocked on this transport.
    pub(crate) fn cancel(&self) {
        self.cancels.fetch_add(1, Ordering::AcqRel);
        self.wake_all(&self.serving.lock());
    }

    fn wake_all(&self, serving: &Serving) {
        self.progress.notify_all();
        for entry in serving.channels.values() {
            entry.waits.notify_all();
        }
        *self.room.lock() += 1;
        self.room_changed.notify_all();
    }

    /// Waits under the serving lock until `look` finds what the caller wants, the transport ends, the call is
    /// cancelled, or time runs out.
    pub(crate) fn wait_for<R>(
        &self,
        serving: &mut parking_lot::MutexGuard<'_, Serving>,
        condition: &Condvar,
        deadline: Deadline,
        what: &'static str,
        mut look: impl FnMut(&mut Serving) -> Option<Result<R, Error>>,
    ) -> Result<R, Error> {
        let cancels = self.cancels();
        loop {
            if let Some(found) = look(serving) {
                return found;
            }
            serving.alive()?;
            if self.cancels() != cancels {
                return Err(Error::Cancelled);
            }
            if !deadline.wait(condition, serving) {
                return Err(Error::Timeout(what));
            }
        }
    }

    pub(crate) fn room_mark(&self) -> u64 {
        *self.room.lock()
    }

    /// Waits until there may be room to send since `mark` was taken; false when time ran out.
    pub(crate) fn wait_for_room(&self, mark: u64, deadline: Deadline) -> bool {
        let mut room = self.room.lock();
        while *room == mark {
            if !deadline.wait(&self.room_changed, &mut room) {
                return false;
            }
        }
        true
    }

    /// Has the events of channels set once there is room again. To be called with the sending lock held, under
    /// which the lack of room was seen, so that its end cannot be missed.
    pub(crate) fn miss_room(&self) {
        self.room_missed.store(true, Ordering::SeqCst);
    }

    /// Not to be called with the serving lock held.
    fn tell_room(&self) {
        *self.room.lock() += 1;
        self.room_changed.notify_all();
        if self.room_missed.swap(false, Ordering::SeqCst) {
            self.serving.lock().room_came();
        }
    }

    // ---- sending -------------------------------------------------------------------------------------

    /// Runs with the sending lock, and afterwards sends what others left to be sent meanwhile.
    pub(crate) fn with_sending<R>(self: &Arc<Self>, run: impl FnOnce(&mut Sending) -> R) -> R {
        let result = run(&mut self.sending.lock());
        self.flush_if_wanted();
        result
    }

    /// Sends what the services have to say, unless another thread is sending: then that one does it.
    pub(crate) fn flush(self: &Arc<Self>) {
        self.wants_flush.store(true, Ordering::SeqCst);
        self.flush_if_wanted();
    }

    fn flush_if_wanted(self: &Arc<Self>) {
        while self.wants_flush.load(Ordering::SeqCst) {
            // Whoever holds the lock looks at the flag again after it has let go.
            let Some(mut sending) = self.sending.try_lock() else {
                return;
            };
            self.wants_flush.store(false, Ordering::SeqCst);
            let outcome = self
                .seal_replies(&mut sending)
                .and_then(|()| self.send(&mut sending));
            drop(sending);
            if let Err(error) = outcome {
                self.end(error);
            }
        }
    }

    /// Seals the payloads that the services have queued, in their order.
    pub(crate) fn seal_replies(self: &Arc<Self>, sending: &mut Sending) -> Result<(), Error> {
        let Some(outbound) = &mut sending.outbound else {
            return Ok(());
        };
        if outbound.is_held() {
            return Ok(());
        }
        let mut queue = {
            let mut serving = self.serving.lock();
            match &mut serving.services {
                Some(services) if !services.out.is_empty() => std::mem::take(&mut services.out),
                _ => return Ok(()),
            }
        };
        while let Some(mut payload) = queue.pop() {
            self.dump("OUT", &payload);
            outbound.seal_service(&payload)?;
            if holds_secrets(&payload) {
                payload.zeroize();
            }
        }
        Ok(())
    }

    /// Gives sealed bytes to the socket, as many as it takes.
    pub(crate) fn send(&self, sending: &mut Sending) -> Result<(), Error> {
        let Some(outbound) = &mut sending.outbound else {
            return Ok(());
        };
        let mut outcome = Ok(());
        let mut moved = false;
        if sending.broken {
            outbound.discard();
        }
        while !outbound.pending().is_empty() {
            match self.stream.send(outbound.pending()) {
                Ok(Progress::Moved(count)) => {
                    outbound.taken(count);
                    moved = true;
                }
                Ok(Progress::WouldBlock) => break,
                Err(error) => {
                    // What the peer said last may still be unread: the receiving side ends the transport.
                    sending.broken = true;
                    outbound.discard();
                    self.attend_soon();
                    outcome = match error {
                        Error::ConnectionLost => Ok(()),
                        other => Err(other),
                    };
                    break;
                }
            }
        }
        let pending = outbound.pending().len();
        self.pending_bytes.store(pending, Ordering::Release);
        self.set_interest(|interest| interest.writing = pending > 0);
        if moved && pending < MAX_PENDING_BYTES {
            self.tell_room();
        }
        outcome
    }

    fn set_interest(&self, change: impl FnOnce(&mut Interest)) {
        let mut interest = self.interest.lock();
        let before = (interest.paused, interest.writing);
        change(&mut interest);
        if before != (interest.paused, interest.writing) {
            if let Some(worker) = self.worker.get() {
                // Fails only when the descriptor is gone, and then nothing is waited for.
                let _ = worker.interest(self, !interest.paused, interest.writing);
            }
        }
    }

    /// Has the I/O thread start a key exchange when the sealing keys are used up.
    pub(crate) fn note_used_keys(&self, sending: &mut Sending) {
        let Some(outbound) = &sending.outbound else {
            return;
        };
        if sending.rekey_wanted || outbound.is_held() {
            return;
        }
        if sending.rekey.reached(outbound.counters()) {
            sending.rekey_wanted = true;
            self.attend_soon();
        }
    }

    // ---- receiving: the I/O thread --------------------------------------------------------------------

    /// One turn of the I/O thread for this transport.
    pub(crate) fn attend(self: &Arc<Self>, ready: Ready, scratch: &mut Vec<u8>) -> Next {
        if self.has_ended.load(Ordering::Acquire) {
            return self.linger(ready, scratch);
        }
        let broken = self.sending.lock().broken;
        if ready.writable {
            self.flush();
        }
        if ready.readable || broken {
            if let Err(error) = self.receive(scratch, broken) {
                self.end(error);
                return self.linger(Ready::default(), scratch);
            }
        }
        match self.let_time_pass() {
            Ok(deadline) => {
                if self.has_ended.load(Ordering::Acquire) {
                    return self.linger(Ready::default(), scratch);
                }
                self.pause_or_resume();
                Next::At(deadline)
            }
            Err(error) => {
                self.end(error);
                self.linger(Ready::default(), scratch)
            }
        }
    }

    /// Stops reading from a peer that does not read our answers, and starts again when it does. During a key
    /// exchange reading goes on, for it cannot end otherwise; then the bound on replies holds.
    fn pause_or_resume(&self) {
        let held = self
            .sending
            .lock()
            .outbound
            .as_ref()
            .is_some_and(Outbound::is_held);
        let waiting = self
            .serving
            .lock()
            .services
            .as_ref()
            .map_or(0, |services| services.out.len_bytes());
        let much = self
            .pending_bytes
            .load(Ordering::Acquire)
            .saturating_add(waiting)
            > PAUSE_READING_BYTES;
        self.set_interest(|interest| interest.paused = much && !held);
    }

    fn let_time_pass(self: &Arc<Self>) -> Result<Option<Instant>, Error> {
        let now = Instant::now();
        let mut receiving = self.receiving.lock();
        let receiving = &mut *receiving;
        let mut inbound_deadline = None;
        if let Some(inbound) = &mut receiving.inbound {
            inbound.handle_timeout(now, &mut receiving.actions)?;
            let sealed = {
                let mut sending = self.sending.lock();
                sending.rekey_wanted = false;
                sending
                    .outbound
                    .as_ref()
                    .map(Outbound::counters)
                    .unwrap_or_default()
            };
            inbound.check_limits(sealed, now, &mut receiving.actions)?;
            inbound_deadline = inbound.poll_timeout();
        }
        self.apply(receiving, now)?;
        let mut after = Vec::new();
        let serving_deadline = {
            let mut serving = self.serving.lock();
            self.serving_timeouts(&mut serving, now, &mut after)?;
            serving.next_deadline()
        };
        self.after(after);
        self.flush();
        Ok([inbound_deadline, serving_deadline]
            .into_iter()
            .flatten()
            .min())
    }

    fn serving_timeouts(
        self: &Arc<Self>,
        serving: &mut Serving,
        now: Instant,
        after: &mut Vec<After>,
    ) -> Result<(), Error> {
        if let Some((_, what)) = serving.setup_deadline.filter(|(at, _)| *at <= now) {
            return Err(Error::Timeout(what));
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
                return Err(Error::Timeout("keepalive: the peer does not answer"));
            }
            Due::Send(told) => {
                if let Some(told) = told {
                    serving.push_job(self, told);
                }
                if let Ok(services) = serving.open_services() {
                    let id = services.connection.global_request(
                        KEEPALIVE_REQUEST,
                        &[],
                        true,
                        &mut services.out,
                    )?;
                    if let Some(id) = id {
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
            let released = was_held && !outbound.is_held();
            self.send(sending)?;
            Ok(released)
        })?;
        if released {
            self.tell_room();
        }
        if !rest.is_empty() {
            self.serve_actions(receiving, rest, now)?;
        }
        self.flush();
        Ok(())
    }

    fn serve_actions(
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

    /// Does what must be done without locks: signatures. Then the services learn the result.
    pub(crate) fn after(self: &Arc<Self>, work: Vec<After>) {
        for item in work {
            let outcome = match item {
                After::Sign(job) => {
                    let signature = job.key.sign(job.algorithm, &job.data);
                    self.serve(|services| services.provide_signature(job.id, signature))
                }
                After::Verify(job) => {
                    let good = job.key.verify(&job.algorithm, &job.data, &job.signature);
                    self.serve(|services| services.verified(job.id, good, Instant::now()))
                }
            };
            if let Err(error) = outcome {
                self.end(error);
            }
        }
    }

    /// Gives a command to the services, then settles and sends what it caused.
    pub(crate) fn serve<R>(
        self: &Arc<Self>,
        run: impl FnOnce(&mut Services) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut after = Vec::new();
        let result = {
            let mut serving = self.serving.lock();
            serving.alive()?;
            let result = run(serving.services()?);
            serving.settle(self, &mut after);
            result
        };
        self.after(after);
        self.flush();
        result
    }

    pub(crate) fn answer_auth(
        self: &Arc<Self>,
        question: u64,
        decision: AuthDecision,
    ) -> Result<(), Error> {
        let outcome =
            self.serve(|services| services.answer_auth(question, decision, Instant::now()));
        if let Err(error @ Error::AuthLimit(_)) = outcome {
            // The last FAILURE is on its way; now goodbye.
            self.end(error);
            return Ok(());
        }
        outcome
    }

    /// The application's word on the host key.
    pub(crate) fn host_key_answered(self: &Arc<Self>, verdict: Result<(), HostKeyFault>) {
        let mut serving = self.serving.lock();
        match verdict {
            Ok(()) => {
                // A question was asked, so there is a key.
                let _ = serving.accept_host_key();
                if serving.phase == super::serving::Phase::Keyed {
                    serving.started();
                }
                self.progress.notify_all();
            }
            Err(fault) => {
                if !matches!(serving.host_key, HostKeyState::Accepted(_)) {
                    drop(serving);
                    self.end(fault.into());
                }
            }
        }
    }

    /// The application's word on a channel that the peer wants to open.
    pub(crate) fn answer_open(
        self: &Arc<Self>,
        id: ChannelId,
        decision: Result<(), OpenRefusal>,
        queue: bool,
    ) -> Result<(), Error> {
        let accepted = decision.is_ok();
        {
            let mut serving = self.serving.lock();
            serving.alive()?;
            let services = serving.services()?;
            services.connection.advance(Instant::now());
            services
                .connection
                .answer_open(id, decision, &mut services.out)?;
            if !accepted {
                serving.channels.remove(&id);
            } else if let Some(entry) = serving.channels.get_mut(&id) {
                entry.opened = Some(Ok(()));
                entry.unclaimed = queue;
                if queue {
                    serving.accepted.push_back(id);
                    self.progress.notify_all();
                }
            }
        }
        self.flush();
        Ok(())
    }

    /// A handle for a channel that the driver knows.
    pub(crate) fn channel(self: &Arc<Self>, id: ChannelId) -> Result<Channel, Error> {
        let mut serving = self.serving.lock();
        let entry = serving.channels.get_mut(&id).ok_or(Error::Closed)?;
        entry.handles += 1;
        Ok(Channel::new(Arc::clone(self), id, Arc::clone(&entry.waits)))
    }

    // ---- callbacks ------------------------------------------------------------------------------------

    /// Starts running the queued callbacks on the pool.
    pub(crate) fn run_jobs(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        if let Ok(engine) = Engine::get() {
            engine.pool().spawn(Box::new(move || {
                let _inside = super::inside::enter(shared.key);
                loop {
                    let job = {
                        let mut serving = shared.serving.lock();
                        match serving.jobs.pop_front() {
                            Some(job) => job,
                            None => {
                                serving.jobs_running = false;
                                break;
                            }
                        }
                    };
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                }
            }));
        }
    }

    /// Queues a log line for the transport's sink or the process's.
    pub(crate) fn log(self: &Arc<Self>, level: LogLevel, text: impl FnOnce() -> String) {
        let sink = self.log.sink(level).or_else(|| PROCESS_LOG.sink(level));
        let Some(sink) = sink else { return };
        let name = self.names.lock().log_channel.clone();
        let text = text();
        let mut log = self.log_lines.lock();
        if log.lines.len() >= MAX_LOG_LINES {
            return;
        }
        log.lines
            .push_back(Box::new(move || sink(level, &name, &text)));
        if !log.running {
            if let Ok(engine) = Engine::get() {
                log.running = true;
                let shared = Arc::clone(self);
                engine.pool().spawn(Box::new(move || shared.write_log()));
            }
        }
    }

    fn write_log(&self) {
        loop {
            let line = {
                let mut log = self.log_lines.lock();
                let Some(line) = log.lines.pop_front() else {
                    log.running = false;
                    return;
                };
                line
            };
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(line));
        }
    }

    /// Logs a payload in hex when that is switched on.
    pub(crate) fn dump(self: &Arc<Self>, direction: &str, payload: &[u8]) {
        if self.hexdump.load(Ordering::Relaxed) {
            self.log(LogLevel::Debug, || hexdump(direction, payload));
        }
    }

    // ---- the end --------------------------------------------------------------------------------------

    /// Ends the transport for a cause, which every waiter is given. Only the first call counts. The caller
    /// holds neither the sending nor the serving lock.
    pub(crate) fn end(self: &Arc<Self>, cause: Error) {
        let refused = {
            let mut serving = self.serving.lock();
            if serving.ended.is_some() {
                return;
            }
            serving.exception = Some(cause.clone());
            serving.ended = Some(cause.clone());
            serving.setup_deadline = None;
            serving
                .keepalive
                .set(Duration::ZERO, 0, None, Instant::now());
            if let Some(services) = &mut serving.services {
                services.connection.connection_lost();
            }
            serving.started();
            if serving.attempt.running {
                serving.finish_attempt(Err(cause.clone()));
            }
            for entry in serving.channels.values() {
                entry.ended();
            }
            self.wake_all(&serving);
            self.log(LogLevel::Info, || {
                format!("ended: {}", super::log::quoted(&cause.to_string()))
            });
            std::mem::take(&mut serving.pulled)
        };
        if let Some(event) = self.request_event() {
            event.set();
        }
        // Dropped without the lock: unanswered questions answer themselves.
        drop(refused);
        self.say_goodbye(cause.disconnect_reason());
        *self.ending.lock() = match cause {
            Error::ConnectionLost
            | Error::Io { .. }
            | Error::Disconnected { .. }
            | Error::Forked => Ending::Lingering(Instant::now()),
            _ => Ending::Lingering(Instant::now() + LINGER),
        };
        self.has_ended.store(true, Ordering::Release);
        self.attend_soon();
    }

    fn say_goodbye(self: &Arc<Self>, reason: Option<DisconnectReason>) {
        let mut sending = self.sending.lock();
        // Payloads that were queued before the cause belong before the goodbye.
        let _ = self.seal_replies(&mut sending);
        if let (Some(outbound), Some(reason)) = (&mut sending.outbound, reason) {
            let _ = outbound.seal_disconnect(reason);
        }
        let _ = self.send(&mut sending);
    }

    /// Waits until the goodbye has left or its time is over.
    pub(crate) fn wait_for_goodbye(&self) {
        let deadline = Deadline(Instant::now().checked_add(LINGER));
        loop {
            let mark = self.room_mark();
            let sent = self.pending_bytes.load(Ordering::Acquire) == 0;
            if sent || self.sending.lock().broken || self.worker.get().is_none() {
                return;
            }
            if !self.wait_for_room(mark, deadline) {
                return;
            }
        }
    }

    /// The I/O thread's turns after the end: let the goodbye leave, wait for the peer's end of stream so that
    /// what we sent last is not lost to a reset, close.
    fn linger(self: &Arc<Self>, ready: Ready, scratch: &mut Vec<u8>) -> Next {
        let until = match &*self.ending.lock() {
            Ending::No => return Next::At(Some(Instant::now())),
            Ending::Lingering(until) => *until,
            Ending::Closed => return Next::Gone,
        };
        if ready.writable {
            let mut sending = self.sending.lock();
            let _ = self.send(&mut sending);
        }
        let mut over = Instant::now() >= until;
        if !over {
            if self.pending_bytes.load(Ordering::Acquire) == 0 {
                self.stream.finish_writing();
            }
            self.set_interest(|interest| interest.paused = false);
            scratch.resize(scratch.len().max(4096), 0);
            loop {
                match self.stream.receive(scratch) {
                    Ok(Progress::Moved(0)) | Err(_) => {
                        over = true;
                        break;
                    }
                    Ok(Progress::Moved(_)) => {
                        if Instant::now() >= until {
                            over = true;
                            break;
                        }
                    }
                    Ok(Progress::WouldBlock) => break,
                }
            }
        }
        if !over {
            return Next::At(Some(until));
        }
        self.close_stream();
        Next::Gone
    }

    /// Closes the descriptor and tells who waits for that.
    pub(crate) fn close_stream(&self) {
        {
            let mut receiving = self.receiving.lock();
            let mut sending = self.sending.lock();
            receiving.unopened = Vec::new();
            sending.broken = true;
            self.stream.close();
        }
        *self.ending.lock() = Ending::Closed;
        let serving = self.serving.lock();
        self.wake_all(&serving);
    }

    /// Whether the descriptor has been closed.
    pub(crate) fn is_finished(&self) -> bool {
        !self.stream.is_open()
    }

    /// Whether an I/O thread takes care of it.
    pub(crate) fn is_registered(&self) -> bool {
        self.worker.get().is_some()
    }

    pub(crate) fn is_authenticated_now(&self) -> bool {
        self.is_authenticated.load(Ordering::Acquire)
    }
}

/// Whether a payload may hold a password or an answer, so that its buffer is wiped after use.
pub(crate) fn holds_secrets(payload: &[u8]) -> bool {
    matches!(
        payload.first().copied().map(MessageNumber),
        Some(MessageNumber::USERAUTH_REQUEST | MessageNumber::USERAUTH_INFO_RESPONSE)
    )
}
