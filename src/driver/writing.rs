//! What an application writes to a channel: whole calls, how often they have the sending lock, and the pieces in between.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::attendance::For;
use super::baton::{Taken, LEAST_BYTES};
use super::channel::Channel;
use super::gathering::PACKET_BYTES;
use super::inside;
use super::sending::MAX_PENDING_BYTES;
use super::shared::Sending;
use super::sys::clock;
use super::wait::{Deadline, Timeout};
use crate::connection::Stream;
use crate::error::Error;

/// Bytes sealed at a time, and sent, where they do not wait for more: small enough to stay in the cache between the two. Sealed they fit
/// into one packet of loopback's: of a little more the kernel makes a large packet and a tiny one, and a stream of those takes
/// twice the time (`profiles.md`, "What a send is for the kernel").
const WRITE_BYTES: usize = 56 * 1024;
// What is sealed is longer, by some bytes for each of its packets.
const _: () = assert!(cfg!(model) || WRITE_BYTES + 4096 <= PACKET_BYTES);
/// Bytes written before the sending lock is free for others: less often than after each piece, for who meets another one there
/// sleeps and has to be woken.
pub(super) const LOCK_BYTES: usize = 256 * 1024;

/// When what is written leaves.
#[derive(Clone, Copy)]
pub(super) enum Leave {
    AtOnce,
    /// With what may be written next, by a caller who has time and began at this moment.
    Gathered(Instant),
}

/// How far a write came in one go.
pub(super) enum Step {
    Wrote(usize),
    /// The socket or a key exchange holds it up.
    NoRoom(u64),
    /// The peer's window is used up.
    NoWindow,
}

/// What the pieces of one go have in common.
#[derive(Clone, Copy)]
struct Go {
    stream: Stream,
    leave: Leave,
    /// What is waited for where there is no room.
    mark: u64,
}

impl Channel {
    /// Writes `data`, all of it unless time runs out or the channel ends first; returns how much was written.
    /// An error is returned only when nothing was.
    pub fn write(&self, stream: Stream, data: &[u8], timeout: Timeout) -> Result<usize, Error> {
        match self.write_all(stream, data, timeout) {
            (0, Err(error)) => Err(error),
            (written, _) => Ok(written),
        }
    }

    /// Writes as much of `data` as there is room for now, and waits only for room for the first byte.
    pub fn write_some(
        &self,
        stream: Stream,
        data: &[u8],
        timeout: Timeout,
    ) -> Result<usize, Error> {
        match self.write_until(stream, data, timeout, false) {
            (0, Err(error)) => Err(error),
            (written, _) => Ok(written),
        }
    }

    /// Writes `data`; returns how much of it was written, and what kept the rest from it.
    pub fn write_all(
        &self,
        stream: Stream,
        data: &[u8],
        timeout: Timeout,
    ) -> (usize, Result<(), Error>) {
        self.write_until(stream, data, timeout, true)
    }

    fn write_until(
        &self,
        stream: Stream,
        data: &[u8],
        timeout: Timeout,
        all: bool,
    ) -> (usize, Result<(), Error>) {
        let usable = self.shared().check_process();
        if let Err(error) = usable.and_then(|()| self.refuse_if_carrying()) {
            return (0, Err(error));
        }
        let deadline = timeout.deadline();
        let cancels = self.shared().cancels();
        // Who must not wait will not be seen waiting either, and has an event loop that is nothing to us.
        let leave = match timeout {
            Timeout::NOW => Leave::AtOnce,
            _ => Leave::Gathered(clock::now()),
        };
        let mut written = 0;
        let mut woken = false;
        loop {
            let rest = data.get(written..).unwrap_or_default();
            // Who has written something and need not write all does not wait for others.
            let patience = match written {
                1.. if !all => Timeout::NOW.deadline(),
                _ => deadline,
            };
            let turn = self.take_turn(data.len(), leave, patience, cancels);
            if matches!(turn, Taken::Dismissed) && self.shared().cancels() != cancels {
                if woken {
                    self.shared().pass_room_on();
                }
                return (written, Err(Error::Cancelled));
            }
            let mark = woken.then(|| self.shared().room_mark());
            let step = self.write_step(stream, rest, leave);
            if let (Taken::Turn(turn), Ok(Step::Wrote(count))) = (turn, &step) {
                if self.shared().sent.streams() {
                    turn.keep(*count, clock::now());
                }
            }
            if std::mem::take(&mut woken) {
                // Where all that was written waits for more, nobody is going to hear that it has left.
                let is_told = mark.is_some_and(|mark| self.shared().room_mark() != mark);
                let used = match step {
                    Ok(Step::Wrote(count)) => {
                        count > 0 && (is_told || !self.shared().sent.is_left_by_me())
                    }
                    Ok(Step::NoRoom(_)) => true,
                    _ => false,
                };
                if !used {
                    // The room that we were told of is left to another one.
                    self.shared().pass_room_on();
                }
            }
            let outcome = match step {
                Ok(Step::Wrote(count)) => {
                    written += count;
                    self.shared().note_written(count);
                    if written >= data.len() {
                        return (written, Ok(()));
                    }
                    Ok(())
                }
                Ok(_) if written > 0 && !all => return (written, Ok(())),
                Ok(Step::NoRoom(mark)) => {
                    woken = true;
                    self.wait_for_room(mark, deadline, cancels)
                }
                Ok(Step::NoWindow) => self.wait_for_window(deadline, cancels),
                Err(error) => Err(error),
            };
            if outcome.is_err() {
                if woken {
                    self.shared().pass_room_on();
                }
                return (written, outcome);
            }
        }
    }

    pub(super) fn write_step(
        &self,
        stream: Stream,
        data: &[u8],
        leave: Leave,
    ) -> Result<Step, Error> {
        let shared = self.shared();
        let go = Go {
            stream,
            leave,
            mark: shared.room_mark(),
        };
        let mut failed = None;
        let step = shared.with_sending(|sending| {
            if let Leave::Gathered(began) = leave {
                let received = inside::last_received(shared.key);
                sending
                    .gathering
                    .begin(began, received, || shared.baton.is_on_its_way());
            }
            let step = self.write_go(sending, go, data, &mut failed);
            if let (Leave::Gathered(_), Ok(Step::Wrote(1..))) = (leave, &step) {
                sending.gathering.end(clock::now());
                shared.sent.note_stream(&sending.gathering);
            }
            step
        });
        if let Some(error @ (Error::Bug(_) | Error::Io { .. })) = failed {
            shared.end(error);
        }
        step
    }

    /// Waits for the turn of this thread among those that stream, to write what is left of so many bytes.
    fn take_turn(&self, bytes: usize, leave: Leave, deadline: Deadline, cancels: u64) -> Taken<'_> {
        let shared = self.shared();
        match leave {
            Leave::Gathered(_) if bytes >= LEAST_BYTES && shared.sent.streams() => {
                let is_cancelled = || shared.cancels() != cancels;
                let look_after = || shared.have_writers_looked_after();
                shared
                    .baton
                    .take(clock::now(), deadline, is_cancelled, look_after)
            }
            _ => Taken::Without,
        }
    }

    /// Writes pieces until another writer should have the lock.
    fn write_go(
        &self,
        sending: &mut Sending,
        go: Go,
        data: &[u8],
        failed: &mut Option<Error>,
    ) -> Result<Step, Error> {
        let mut written = 0;
        loop {
            let rest = data.get(written..).unwrap_or_default();
            match self.write_piece(sending, go, rest) {
                Ok(Step::Wrote(count)) => written += count,
                Err(error) => {
                    *failed = Some(error.clone());
                    return if written > 0 {
                        Ok(Step::Wrote(written))
                    } else {
                        Err(error)
                    };
                }
                // What is missing the next step finds out.
                Ok(_) if written > 0 => return Ok(Step::Wrote(written)),
                nothing => return nothing,
            }
            // What the socket has not taken, and keys that are used up, are for others to see to first.
            let is_free = sending.is_all_sent() || sending.is_all_gathered();
            let goes_on = is_free && !self.shared().sent.is_rekey_wanted();
            if !goes_on || written >= data.len().min(LOCK_BYTES) {
                return Ok(Step::Wrote(written));
            }
        }
    }

    /// Seals and sends what stays in the cache in between.
    fn write_piece(&self, sending: &mut Sending, go: Go, data: &[u8]) -> Result<Step, Error> {
        let Go {
            stream,
            leave,
            mark,
        } = go;
        let shared = self.shared();
        let Some(outbound) = &sending.outbound else {
            return Err(Error::ApiMisuse("the transport has not been started"));
        };
        if outbound.is_held() || outbound.pending().len() >= MAX_PENDING_BYTES {
            {
                let mut serving = shared.serving.lock();
                serving.alive()?;
                // A writer must hear at once that its channel is closed.
                let connection = &mut serving.services()?.connection;
                connection.reserve(self.handle.id, stream, 0)?;
            }
            shared.miss_room();
            return Ok(Step::NoRoom(mark));
        }
        // What was queued before this write leaves before it.
        shared.seal_replies(sending)?;
        // Neither a reply may wait, nor what the socket has not taken, of which nobody knows when it takes it.
        let may_wait = sending.is_all_sent() || sending.is_all_gathered();
        let reservation = {
            let mut serving = shared.serving.lock();
            serving.alive()?;
            let wanted = data.len().min(WRITE_BYTES);
            serving
                .services()?
                .connection
                .reserve(self.handle.id, stream, wanted)?
        };
        let part = data.get(..reservation.bytes).unwrap_or_default();
        if part.is_empty() {
            shared.send(sending)?;
            return Ok(if data.is_empty() {
                Step::Wrote(0)
            } else {
                Step::NoWindow
            });
        }
        if let Some(outbound) = &mut sending.outbound {
            outbound.seal_data(reservation.recipient, stream, part, reservation.max_packet)?;
        }
        if let Leave::Gathered(_) = leave {
            sending.gathering.sealed(part.len());
        }
        match leave {
            Leave::Gathered(_) if may_wait => shared.send_or_gather(sending)?,
            Leave::Gathered(_) | Leave::AtOnce => shared.send(sending)?,
        }
        shared.note_used_keys(sending);
        Ok(Step::Wrote(part.len()))
    }

    fn wait_for_room(&self, mark: u64, deadline: Deadline, cancels: u64) -> Result<(), Error> {
        let in_time = self.shared().wait_for_room(mark, deadline, cancels);
        if self.shared().cancels() != cancels {
            return Err(Error::Cancelled);
        }
        self.shared().serving.lock().alive()?;
        if in_time {
            Ok(())
        } else {
            Err(Error::Timeout("write"))
        }
    }

    fn wait_for_window(&self, deadline: Deadline, cancels: u64) -> Result<(), Error> {
        let shared = self.shared();
        shared.window_stalls.fetch_add(1, Ordering::Relaxed);
        let mut serving = shared.serving.lock();
        loop {
            serving.alive()?;
            let status = serving.services()?.connection.status(self.handle.id);
            match status {
                Some(status) if status.is_writable() && status.remote_window == 0 => {}
                // Window, or the end: the next step finds out which.
                _ => return Ok(()),
            }
            if shared.cancels() != cancels {
                return Err(Error::Cancelled);
            }
            let writable = &self.handle.waits.writable;
            if !shared.sleep(writable, &mut serving, deadline, For::Room) {
                return Err(Error::Timeout("write: the peer's window is used up"));
            }
        }
    }
}
