//! The sending path: sealing what the services say, giving it to the socket, and telling who waits.

use std::sync::Arc;
use std::time::Instant;

use zeroize::Zeroize;

use super::gathering::{Gathering, GATHER_BYTES, PACKET_BYTES};
use super::inside;
use super::shared::{Sending, Shared};
use super::stream::Progress;
use super::sync::atomic::{fence, AtomicBool, AtomicU64, AtomicUsize, Ordering};
use super::sync::MutexGuard;
use super::sys::clock;
use crate::endpoint::Outbound;
use crate::error::Error;
use crate::messages::MessageNumber;
use crate::packet::Counters;

/// Sealed bytes that wait for the socket before a writer has to wait.
pub(crate) const MAX_PENDING_BYTES: usize = 320 * 1024;
// A writer must not be held up by what nobody has tried to send.
const _: () = assert!(GATHER_BYTES <= MAX_PENDING_BYTES);
/// Most that waits for the end of a callback.
const MOST_OF_A_CALLBACK: usize = 16 * 1024;
/// In the place of a thread's number: several.
const SEVERAL: usize = usize::MAX;

/// What is asked about the sending side by those who must not wait for its lock: a writer has it while the kernel takes
/// what it sends. Written with the lock held, but for the wish for new keys, which is taken down under the receiving lock, as are
/// the counters and the keys themselves.
#[derive(Default)]
pub(crate) struct Sent {
    /// The socket takes no more bytes, ever.
    broken: AtomicBool,
    /// Sealed bytes that wait for the socket.
    pending_bytes: AtomicUsize,
    /// The I/O thread has been told that the keys are used up.
    rekey_wanted: AtomicBool,
    /// What was sealed with the keys of now.
    packets: AtomicU64,
    bytes: AtomicU64,
    /// The thread that has left sealed bytes for later, 0 if there are none; [`SEVERAL`].
    gatherer: AtomicUsize,
    /// The I/O thread will look whether they are still there, and whether others wait for the baton.
    looked_after: AtomicBool,
    /// What was written last was part of a stream.
    streams: AtomicBool,
}

impl Sent {
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(crate) fn set_broken(&self) {
        self.broken.store(true, Ordering::Release);
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes.load(Ordering::Acquire)
    }

    pub(crate) fn is_rekey_wanted(&self) -> bool {
        self.rekey_wanted.load(Ordering::SeqCst)
    }

    /// Whether this thread has left sealed bytes for later, perhaps as one of several.
    pub(crate) fn is_left_by_me(&self) -> bool {
        match self.gatherer.load(Ordering::Relaxed) {
            0 => false,
            SEVERAL => true,
            one => one == inside::this_thread(),
        }
    }

    /// Whether what was written last, by whomever, was part of a stream.
    pub(crate) fn streams(&self) -> bool {
        self.streams.load(Ordering::Relaxed)
    }

    /// Something was written, and is part of a stream or not.
    pub(crate) fn note_stream(&self, gathering: &Gathering) {
        self.streams.store(gathering.is_stream(), Ordering::Relaxed);
    }

    /// Everything is a stream.
    #[cfg(test)]
    pub(crate) fn trust(&self) {
        self.streams.store(true, Ordering::Relaxed);
    }

    fn leave(&self, pending: usize) {
        let me = inside::this_thread();
        let gatherers = match self.gatherer.load(Ordering::Relaxed) {
            0 => me,
            one if one == me => me,
            _ => SEVERAL,
        };
        self.gatherer.store(gatherers, Ordering::Relaxed);
        self.pending_bytes.store(pending, Ordering::Release);
    }

    /// Takes down what was sealed, or that new keys have come.
    pub(crate) fn count(&self, outbound: &Outbound) {
        let Counters { packets, bytes } = outbound.counters();
        self.packets.store(packets, Ordering::SeqCst);
        self.bytes.store(bytes, Ordering::SeqCst);
    }

    /// Who counts later than this says once more that the keys are used up.
    pub(crate) fn take_counters(&self) -> Counters {
        self.rekey_wanted.store(false, Ordering::SeqCst);
        Counters {
            packets: self.packets.load(Ordering::SeqCst),
            bytes: self.bytes.load(Ordering::SeqCst),
        }
    }
}

impl Shared {
    /// Runs with the sending lock, and afterwards sends what others left to be sent meanwhile.
    pub(crate) fn with_sending<R>(self: &Arc<Self>, run: impl FnOnce(&mut Sending) -> R) -> R {
        let mut sending = self.sending.lock();
        let result = run(&mut sending);
        self.release(sending);
        fence(Ordering::SeqCst);
        self.flush_if_wanted();
        result
    }

    /// Gives back the memory that is kept for sending, unless somebody sends.
    pub(crate) fn give_sending_back(self: &Arc<Self>) {
        let Some(mut sending) = self.sending.try_lock() else {
            return;
        };
        let is_busy = sending.gathered > 0 || sending.gathering.is_stream();
        if let (false, Some(outbound)) = (is_busy, &mut sending.outbound) {
            outbound.end_stream();
        }
        self.release(sending);
        fence(Ordering::SeqCst);
        self.flush_if_wanted();
    }

    /// Lets go of the sending lock under which something may have been sent, and tells who waits for room.
    pub(crate) fn release(&self, mut sending: MutexGuard<'_, Sending>) {
        let room_came = std::mem::take(&mut sending.room_came);
        drop(sending);
        if room_came {
            self.tell_room();
        }
    }

    /// Sends what the services have to say, unless another thread is sending: then that one does it. Where they have nothing to
    /// say, what a writer gathers is left to it.
    pub(crate) fn flush(self: &Arc<Self>) {
        // Before the queue is looked at: what a callback says after this it has to see to anew.
        self.left_by_callback.store(false, Ordering::SeqCst);
        self.wants_flush.store(true, Ordering::SeqCst);
        self.flush_if_wanted();
    }

    /// [`flush`](Self::flush) after the application has said something. What it says in a callback leaves when that returns, or sleeps on the transport,
    /// or has taken so long that the I/O thread looks: mostly it says several things, an answer, an exit status and the end. Where it is
    /// much it leaves at once.
    pub(crate) fn flush_for_application(self: &Arc<Self>) {
        let waits = inside::is_inside(self.key)
            && self.stream.has_socket()
            && self.is_registered()
            && self.unsealed_bytes() <= MOST_OF_A_CALLBACK;
        if waits {
            self.left_by_callback.store(true, Ordering::SeqCst);
            self.attend_later();
        } else {
            self.flush();
        }
    }

    /// Whether the callback that this thread runs has said something that nobody has sent. Not in a child that it has forked: the
    /// parent says it.
    pub(crate) fn is_left_by_callback(&self) -> bool {
        inside::is_inside(self.key)
            && self.left_by_callback.load(Ordering::SeqCst)
            && self.check_process().is_ok()
    }

    /// Sends what a callback has said.
    pub(crate) fn flush_after_callback(self: &Arc<Self>) {
        if self.is_left_by_callback() {
            self.guarded(|| self.flush());
        }
    }

    /// Bytes that the services have to say.
    fn unsealed_bytes(&self) -> usize {
        let serving = self.serving.lock();
        let services = serving.services.as_ref();
        services.map_or(0, |services| services.out.len_bytes())
    }

    /// Whether nothing that is sealed has still to be given to the socket.
    pub(crate) fn has_sent_all_sealed(self: &Arc<Self>) -> bool {
        let looked = self.sending.try_lock().map(|sending| sending.is_all_sent());
        // Who found the lock taken has left a flush.
        fence(Ordering::SeqCst);
        self.flush_if_wanted();
        looked == Some(true)
    }

    /// [`flush`](Self::flush), but what the application's answer can take along is left to it: an answer flushes, whatever it is. Says
    /// whether something is.
    pub(crate) fn flush_unless_answer_comes(self: &Arc<Self>) -> bool {
        let says_all = {
            let serving = self.serving.lock();
            let services = serving.services.as_ref();
            services.is_some_and(|services| services.says_all_with_answer())
        };
        // A key exchange waits for no answer.
        let waits = says_all && self.has_sent_all_sealed();
        if !waits {
            self.flush_for_application();
        }
        waits
    }

    pub(crate) fn flush_if_wanted(self: &Arc<Self>) {
        while self.wants_flush.load(Ordering::SeqCst) {
            // Whoever holds the lock looks at the flag again after it has let go.
            fence(Ordering::SeqCst);
            let Some(mut sending) = self.sending.try_lock() else {
                return;
            };
            self.wants_flush.store(false, Ordering::SeqCst);
            let outcome = self.seal_replies(&mut sending).and_then(|()| {
                if sending.is_all_gathered() {
                    return Ok(());
                }
                self.send(&mut sending)
            });
            self.release(sending);
            if let Err(error) = outcome {
                self.end(error);
            }
        }
    }

    /// The socket takes more. Waits for whoever is sending: asked again, the poller would say the same at once.
    pub(crate) fn send_rest(self: &Arc<Self>) -> Result<(), Error> {
        self.with_sending(|sending| {
            self.seal_replies(sending)?;
            self.send(sending)
        })
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
        while let Some(mut payload) = queue.pop_if(|payload| outbound.takes(payload)) {
            self.dump("OUT", &payload);
            let sealed = outbound.seal_service(&payload);
            if holds_secrets(&payload) {
                payload.zeroize();
            }
            sealed?;
        }
        if !queue.is_empty() {
            if let Some(services) = &mut self.serving.lock().services {
                services.out.put_back(queue);
            }
        }
        Ok(())
    }

    /// Gives sealed bytes to the socket, as many as it takes. The lock is to be let go through [`release`](Self::release).
    pub(crate) fn send(&self, sending: &mut Sending) -> Result<(), Error> {
        self.send_but(sending, 0)
    }

    /// The same, but without so many at the end.
    fn send_but(&self, sending: &mut Sending, rest: usize) -> Result<(), Error> {
        let Some(outbound) = &mut sending.outbound else {
            return Ok(());
        };
        let mut outcome = Ok(());
        let mut moved = false;
        if self.sent.is_broken() {
            outbound.discard();
        }
        while let Some(part) = but_the_last(outbound.pending(), rest) {
            match self.stream.send(part) {
                Ok(Progress::Moved(count)) => {
                    outbound.taken(count);
                    self.unacknowledged.store(false, Ordering::Relaxed);
                    moved = true;
                }
                Ok(Progress::WouldBlock) => break,
                Err(error) => {
                    // What the peer said last may still be unread: the receiving side ends the transport.
                    self.sent.set_broken();
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
        sending.gathered = 0;
        sending.gathering.go();
        self.sent.gatherer.store(0, Ordering::Relaxed);
        self.sent.pending_bytes.store(pending, Ordering::Release);
        self.sent.count(outbound);
        self.set_interest(|interest| interest.writing = pending > rest);
        sending.room_came = (sending.room_came || moved) && pending < MAX_PENDING_BYTES;
        outcome
    }

    /// Leaves data that have been sealed for later, if they are part of a stream and fill no packets yet; else gives them to the
    /// socket. Nothing but gathered data may wait in front of them.
    pub(crate) fn send_or_gather(&self, sending: &mut Sending) -> Result<(), Error> {
        if !sending.gathering.is_stream() {
            return self.send(sending);
        }
        let pending = sending.pending_bytes();
        if pending >= GATHER_BYTES {
            let rest = pending % PACKET_BYTES;
            self.send_but(sending, rest)?;
            if rest == 0 || sending.pending_bytes() != rest {
                return Ok(());
            }
        }
        // Not the beginning of the call: a long one takes its time to seal so much, where it is compressed above all.
        let now = clock::now();
        if sending.gathering.is_old(now) {
            return self.send(sending);
        }
        self.gather(sending, now);
        Ok(())
    }

    /// Leaves what is sealed for later.
    fn gather(&self, sending: &mut Sending, now: Instant) {
        let Some(outbound) = &mut sending.outbound else {
            return;
        };
        let pending = outbound.pending().len();
        sending.gathering.wait(now);
        outbound.begin_stream();
        sending.gathered = pending;
        self.sent.leave(pending);
        self.sent.count(outbound);
        self.have_writers_looked_after();
    }

    /// Sends what is left for later: whoever wrote it waits for something now.
    pub(crate) fn send_gathered(self: &Arc<Self>) {
        self.guarded(|| {
            if let Err(error) = self.with_sending(|sending| self.send(sending)) {
                self.end(error);
            }
        });
    }

    /// Has the I/O thread look after those who write, once there is something to look at.
    pub(crate) fn have_writers_looked_after(&self) {
        if !self.sent.looked_after.swap(true, Ordering::SeqCst) {
            self.attend_later();
        }
    }

    /// The I/O thread looks whether a writer stays away for whom others wait, or who has left something for later: that is sent
    /// then.
    pub(crate) fn look_after_writers(self: &Arc<Self>) -> Result<(), Error> {
        // Whoever has something to look at after this says so.
        if !self.sent.looked_after.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        // Who waits for the baton writes next: what has been left has not waited in vain.
        let has_next = self.baton.is_waited_for();
        if self.baton.look_after(clock::now()) {
            self.have_writers_looked_after();
        }
        let Some(mut sending) = self.sending.try_lock() else {
            // Somebody writes.
            self.have_writers_looked_after();
            return Ok(());
        };
        let now = clock::now();
        let is_late = sending.gathering.is_late(now);
        if is_late && sending.is_all_gathered() && !has_next {
            sending.gathering.was_late();
        }
        let mut outcome = Ok(());
        if is_late || sending.gathering.is_old(now) {
            outcome = self.send(&mut sending);
        }
        let goes_on = !is_late && (sending.gathered > 0 || sending.gathering.is_stream());
        if !goes_on {
            if let Some(outbound) = &mut sending.outbound {
                outbound.end_stream();
            }
        }
        // Who finds the lock taken leaves a flush, and the turn ends with one.
        self.release(sending);
        if goes_on {
            self.have_writers_looked_after();
        }
        outcome
    }

    /// Has the I/O thread start a key exchange when the sealing keys are used up.
    pub(crate) fn note_used_keys(&self, sending: &Sending) {
        let Some(outbound) = &sending.outbound else {
            return;
        };
        let used_up = !outbound.is_held() && sending.rekey.reached(outbound.counters());
        if used_up && !self.sent.rekey_wanted.swap(true, Ordering::SeqCst) {
            self.attend_soon();
        }
    }
}

/// What comes before so many bytes, if anything does.
fn but_the_last(bytes: &[u8], rest: usize) -> Option<&[u8]> {
    let end = bytes.len().checked_sub(rest)?;
    bytes.get(..end).filter(|part| !part.is_empty())
}

/// Whether a payload may hold a password or an answer, so that its buffer is wiped after use.
pub(crate) fn holds_secrets(payload: &[u8]) -> bool {
    matches!(
        payload.first().copied().map(MessageNumber),
        Some(MessageNumber::USERAUTH_REQUEST | MessageNumber::USERAUTH_INFO_RESPONSE)
    )
}
