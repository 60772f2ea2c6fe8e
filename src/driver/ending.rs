//! The end of a transport: the cause, the goodbye, the closing of the descriptor.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use super::attending::READS_PER_TURN;
use super::engine::{Next, Ready};
use super::log::LogLevel;
use super::shared::{Ending, Shared};
use super::stream::Progress;
use super::sys::clock;
use super::wait::Deadline;
use crate::endpoint::Services;
use crate::error::Error;
use crate::messages::DisconnectReason;

/// How long goodbye may take.
const LINGER: Duration = Duration::from_millis(800);

/// How long a caller that was sent away from the socket may take to leave before another look is worth while.
const VISITOR_LEAVES: Duration = Duration::from_millis(20);

/// Whoever ends a transport, from the storing of the cause until the I/O thread has been told how it goes on. Should that fail
/// halfway, by a panic in what is the application's, the I/O thread closes at once.
struct Undertaker<'a>(&'a Arc<Shared>);

impl Undertaker<'_> {
    fn has_done_it(self, ending: Ending) {
        *self.0.ending.lock() = ending;
    }
}

impl Drop for Undertaker<'_> {
    fn drop(&mut self) {
        {
            let mut ending = self.0.ending.lock();
            if matches!(*ending, Ending::No) {
                *ending = Ending::Lingering(clock::now());
            }
        }
        self.0.has_ended.store(true, Ordering::Release);
        if std::thread::panicking() {
            self.0.end_visits(false);
            self.0.attend_soon();
        }
    }
}

impl Shared {
    /// Ends the transport for a cause, which every waiter is given. Only the first call counts. The caller
    /// holds neither the sending nor the serving lock.
    pub(crate) fn end(self: &Arc<Self>, cause: Error) {
        // "Not yet" is nothing that a session ends with.
        let cause = match cause {
            Error::Timeout(what) => Error::Expired(what),
            other => other,
        };
        let undertaker;
        let refused = {
            let mut serving = self.serving.lock();
            // The handing out of events, and what was to come after it, may have come to a sudden end.
            serving.settling = false;
            if std::mem::take(&mut serving.jobs_wait) {
                self.run_jobs();
            }
            if serving.ended.is_some() {
                return;
            }
            serving.exception = Some(cause.clone());
            serving.ended = Some(cause.clone());
            undertaker = Undertaker(self);
            if let Some(admission) = serving.admission.take() {
                let tried = serving
                    .services
                    .as_ref()
                    .is_some_and(Services::has_failures);
                admission.ended(&cause, tried);
            }
            serving.setup_deadline = None;
            serving.learn(false);
            let told = serving.keepalive.set(Duration::ZERO, 0, None, clock::now());
            if let Some(told) = told {
                serving.push_job(self, Box::new(move || drop(told)));
            }
            if let Some(services) = &mut serving.services {
                services.connection.connection_lost();
            }
            serving.started();
            if serving.attempt.running {
                serving.finish_attempt(Err(cause.clone()));
            }
            for entry in serving.channels.values_mut() {
                entry.ended();
            }
            serving.begun.ended();
            serving.drop_forwards(self);
            self.wake_all(&serving);
            self.baton.put_away();
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
        undertaker.has_done_it(match cause {
            Error::ConnectionLost
            | Error::Below(_)
            | Error::Stream { .. }
            | Error::StreamNonsense(_)
            | Error::Io { .. }
            | Error::Disconnected { .. }
            | Error::Forked => Ending::Lingering(clock::now()),
            _ => Ending::Lingering(clock::now() + LINGER),
        });
        let said = self.has_said_goodbye();
        if self.end_visits(said) && said {
            // The I/O thread comes along, or the peer's end of stream wakes it.
            self.attend_later();
        } else {
            self.attend_soon();
        }
    }

    /// Whether all that was to be said has left, so that the peer's end of stream is all that is waited for.
    fn has_said_goodbye(&self) -> bool {
        let lingers =
            matches!(&*self.ending.lock(), Ending::Lingering(until) if *until > clock::now());
        let all_sent = self.sent.pending_bytes() == 0 && !self.sent.is_broken();
        lingers && all_sent && self.stream.has_socket() && self.is_registered()
    }

    pub(crate) fn say_goodbye(self: &Arc<Self>, reason: Option<DisconnectReason>) {
        let mut sending = self.sending.lock();
        // Payloads that were queued before the cause belong before the goodbye.
        let _ = self.seal_replies(&mut sending);
        if let (Some(outbound), Some(reason)) = (&mut sending.outbound, reason) {
            let _ = outbound.seal_disconnect(reason);
        }
        let _ = self.send(&mut sending);
        self.release(sending);
    }

    /// Waits until the goodbye has left or its time is over.
    pub(crate) fn wait_for_goodbye(self: &Arc<Self>) {
        let deadline = Deadline(clock::now().checked_add(LINGER));
        loop {
            let mark = self.room_mark();
            let sent = self.sent.pending_bytes() == 0;
            if sent || self.sent.is_broken() || self.worker.get().is_none() {
                return;
            }
            if !self.wait_for_room(mark, deadline, self.cancels()) {
                return;
            }
        }
    }

    /// The I/O thread's turns after the end: let the goodbye leave, wait for the peer's end of stream so that
    /// what we sent last is not lost to a reset, close.
    pub(crate) fn linger(self: &Arc<Self>, ready: Ready, scratch: &mut Vec<u8>) -> Next {
        let ending = *self.ending.lock();
        let until = match ending {
            Ending::No => {
                // Another thread is at it, and tells this one when it has said goodbye.
                self.unwatch();
                return Next::At(None);
            }
            Ending::Lingering(until) => until,
            Ending::Closed => return Next::Gone,
        };
        if ready.writable {
            let mut sending = self.sending.lock();
            let _ = self.send(&mut sending);
            self.release(sending);
        }
        let mut over = clock::now() >= until;
        let mut more = false;
        if !over {
            // Nobody closes the descriptor meanwhile.
            let _receiving = self.receiving.lock();
            self.set_interest(|interest| interest.paused = false);
            scratch.resize(scratch.len().max(4096), 0);
            for _ in 0..READS_PER_TURN {
                let received = self.stream.receive(scratch);
                over = matches!(received, Ok(Progress::Moved(0)) | Err(_));
                more = !over && matches!(received, Ok(Progress::Moved(_)));
                if !more {
                    break;
                }
            }
            // Where the peer has closed by now, closing says it too.
            if !over && self.sent.pending_bytes() == 0 {
                self.stream.finish_writing();
            }
            over |= clock::now() >= until;
        }
        if !over {
            self.watch_again();
            return Next::At(Some(if more { clock::now() } else { until }));
        }
        if self.refuse_visits() {
            self.unwatch();
            // It has been sent away, and has us look again when it has left.
            return Next::At(Some(clock::now() + VISITOR_LEAVES));
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
            if let Some(outbound) = &mut sending.outbound {
                outbound.discard();
            }
            self.sent.set_broken();
            self.close_socket();
            self.stream.close();
        }
        *self.ending.lock() = Ending::Closed;
        let serving = self.serving.lock();
        self.wake_all(&serving);
        // Nobody looks any more.
        self.baton.put_away();
    }
}
