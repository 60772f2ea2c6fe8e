//! A channel as the application sees it: blocking calls with deadlines, usable from any thread.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

use super::attendance::For;
use super::engine::Engine;
use super::entry::{ChannelInterest, ChannelWaits};
use super::event::Event;
use super::sending::MAX_PENDING_BYTES;
use super::serving::Serving;
use super::shared::{Sending, Shared};
use super::sys::clock;
use super::sys::lent;
use super::transport::Transport;
use super::wait::{Deadline, Timeout};
use crate::connection::{
    ChannelId, ChannelRequest, ChannelStatus, ExitOutcome, ReadOutcome, RequestId, Stream,
    WholeBlocks,
};
use crate::error::Error;

/// Bytes sealed and written at a time: small enough to stay in the cache between the two.
const WRITE_BYTES: usize = 64 * 1024;
/// Bytes written before the next writer has its turn: less often than after each piece, for who meets another one at the
/// sending lock sleeps and has to be woken.
const TURN_BYTES: usize = 256 * 1024;

/// Keeps a block of a queue for the next one that fills.
fn keep_block(block: Vec<u8>) {
    if let Ok(engine) = Engine::get() {
        engine.blocks().give(block);
    }
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes, at least one unless the buffer was empty.
    Data(usize),
    /// The peer sends no more, and everything it sent was read.
    Eof,
}

/// A handle of a channel. Clones are the same handle; when the last one goes, the channel is closed.
#[derive(Clone)]
pub struct Channel {
    pub(super) handle: Arc<Handle>,
}

pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
    pub(super) id: ChannelId,
    pub(super) waits: Arc<ChannelWaits>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.shared.check_process().is_err() {
            return;
        }
        {
            let mut serving = self.shared.serving.lock();
            let serving = &mut *serving;
            let last = match serving.channels.get_mut(&self.id) {
                Some(entry) => {
                    entry.handles = entry.handles.saturating_sub(1);
                    entry.handles == 0 && !entry.unclaimed
                }
                None => false,
            };
            if !last {
                return;
            }
            if let Some(entry) = serving.channels.remove(&self.id) {
                for (number, _) in entry.begun {
                    serving.request_replies.remove(&number);
                }
            }
            if let Some(services) = &mut serving.services {
                services.connection.release(self.id, &mut services.out);
            }
            // No event names the channel any more.
            serving.end_forwards_of(&self.shared, self.id);
        }
        self.shared.flush();
    }
}

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

impl Channel {
    pub(crate) fn new(shared: Arc<Shared>, id: ChannelId, waits: Arc<ChannelWaits>) -> Self {
        Channel {
            handle: Arc::new(Handle { shared, id, waits }),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Our number for the channel.
    pub fn id(&self) -> u32 {
        self.handle.id.0
    }

    /// The transport that carries the channel.
    pub fn transport(&self) -> Transport {
        Transport::of(Arc::clone(self.shared()))
    }

    /// How many transports carry the one that carries the channel.
    pub(crate) fn transports_below(&self) -> u16 {
        self.shared().below
    }

    /// Raised by each [`Transport::cancel`]: what waits on the channel by an event compares it.
    pub(crate) fn cancels(&self) -> u64 {
        self.shared().cancels()
    }

    /// Refuses a channel of a parent process.
    pub(crate) fn check_process(&self) -> Result<(), Error> {
        self.shared().check_process()
    }

    /// Reads into `buffer`. Data that had arrived can be read after the channel and the transport have ended.
    pub fn read(&self, stream: Stream, buffer: &mut [u8], timeout: Timeout) -> Result<Read, Error> {
        self.refuse_if_carrying()?;
        self.read_all_the_same(stream, buffer, timeout)
    }

    /// Reads what there is for the transport above. Never waits.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> Result<Read, Error> {
        self.read_all_the_same(Stream::Data, buffer, Timeout::NOW)
    }

    fn read_all_the_same(
        &self,
        stream: Stream,
        buffer: &mut [u8],
        timeout: Timeout,
    ) -> Result<Read, Error> {
        self.shared().check_process()?;
        if buffer.is_empty() {
            return Ok(Read::Data(0));
        }
        let deadline = timeout.deadline();
        let outcome = self.read_blocking(stream, buffer, deadline);
        if matches!(outcome, Ok(Read::Data(_))) {
            self.send_adjustment();
        }
        outcome
    }

    /// Reading may have queued a WINDOW_ADJUST.
    fn send_adjustment(&self) {
        let queued = {
            let serving = self.shared().serving.lock();
            serving
                .services
                .as_ref()
                .is_some_and(|services| !services.out.is_empty())
        };
        if queued {
            self.shared().flush();
        }
    }

    fn read_blocking(
        &self,
        stream: Stream,
        buffer: &mut [u8],
        deadline: Deadline,
    ) -> Result<Read, Error> {
        let id = self.handle.id;
        let cancels = self.shared().cancels();
        let mut serving = self.shared().serving.lock();
        loop {
            let services = serving.services()?;
            let mut whole = WholeBlocks::default();
            match services.connection.read_later(
                id,
                stream,
                buffer,
                &mut whole,
                clock::now(),
                &mut services.out,
            )? {
                ReadOutcome::Data(count) => {
                    drop(serving);
                    whole.copy_to(buffer, keep_block);
                    return Ok(Read::Data(count));
                }
                ReadOutcome::Eof => {
                    // End of file and end of transport are told apart: a lost connection may have lost data.
                    return match serving.ended.clone() {
                        Some(cause) if !self.peer_finished(&mut serving) => Err(cause),
                        _ => Ok(Read::Eof),
                    };
                }
                ReadOutcome::WouldBlock => {}
            }
            serving.alive()?;
            if self.shared().cancels() != cancels {
                return Err(Error::Cancelled);
            }
            if deadline.has_passed() {
                return Err(Error::Timeout("read"));
            }
            let condition = &self.handle.waits.readable;
            let filled = lent::lend(
                &mut serving,
                buffer,
                |serving: &mut Serving| {
                    serving
                        .channels
                        .get_mut(&id)
                        .map(|entry| entry.slot(stream))
                },
                |serving| {
                    self.shared()
                        .sleep(condition, serving, deadline, For::Answer);
                },
            );
            if filled > 0 {
                let services = serving.services()?;
                services
                    .connection
                    .consumed(id, filled, clock::now(), &mut services.out);
                return Ok(Read::Data(filled));
            }
        }
    }

    fn peer_finished(&self, serving: &mut Serving) -> bool {
        serving
            .services
            .as_ref()
            .and_then(|services| services.connection.status(self.handle.id))
            .is_some_and(|status| status.peer_finished)
    }

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
            let step = self.write_step(stream, rest, leave);
            if std::mem::take(&mut woken) {
                // Where what was written waits for more, nobody is going to hear that it has left.
                let used = match step {
                    Ok(Step::Wrote(count)) => count > 0 && !self.shared().sent.is_left_by_me(),
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

    /// Whether a transport runs over the channel. Then only that may read and write it.
    pub fn carries(&self) -> bool {
        self.handle.waits.carries.load(Ordering::Acquire)
    }

    fn refuse_if_carrying(&self) -> Result<(), Error> {
        if self.carries() {
            return Err(Error::ApiMisuse("a transport runs over the channel"));
        }
        Ok(())
    }

    pub(super) fn write_step(
        &self,
        stream: Stream,
        data: &[u8],
        leave: Leave,
    ) -> Result<Step, Error> {
        let shared = self.shared();
        let mark = shared.room_mark();
        let mut failed = None;
        let step = shared.with_sending(|sending| {
            if let Leave::Gathered(began) = leave {
                sending.gathering.begin(began);
            }
            let step = self.write_turn(sending, stream, data, mark, leave, &mut failed);
            if let (Leave::Gathered(_), Ok(Step::Wrote(1..))) = (leave, &step) {
                sending.gathering.end(clock::now());
            }
            step
        });
        if let Some(error @ (Error::Bug(_) | Error::Io { .. })) = failed {
            shared.end(error);
        }
        step
    }

    /// Writes pieces until another writer should have its turn.
    fn write_turn(
        &self,
        sending: &mut Sending,
        stream: Stream,
        data: &[u8],
        mark: u64,
        leave: Leave,
        failed: &mut Option<Error>,
    ) -> Result<Step, Error> {
        let mut written = 0;
        loop {
            let rest = data.get(written..).unwrap_or_default();
            match self.write_piece(sending, stream, rest, mark, leave) {
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
            if !goes_on || written >= data.len().min(TURN_BYTES) {
                return Ok(Step::Wrote(written));
            }
        }
    }

    /// Seals and sends what stays in the cache in between.
    fn write_piece(
        &self,
        sending: &mut Sending,
        stream: Stream,
        data: &[u8],
        mark: u64,
        leave: Leave,
    ) -> Result<Step, Error> {
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
        match leave {
            Leave::Gathered(_) if may_wait => {
                sending.gathering.sealed(part.len());
                shared.send_or_gather(sending)?;
            }
            Leave::Gathered(_) => {
                sending.gathering.sealed(part.len());
                shared.send(sending)?;
            }
            Leave::AtOnce => shared.send(sending)?,
        }
        shared.note_used_keys(sending);
        Ok(Step::Wrote(part.len()))
    }

    fn wait_for_room(&self, mark: u64, deadline: Deadline, cancels: u64) -> Result<(), Error> {
        let in_time = self.shared().wait_for_room(mark, deadline);
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

    /// Sends a channel request; with `want_reply` waits for the answer, and a refusal is
    /// [`Error::RequestDenied`].
    pub fn request(
        &self,
        request: &ChannelRequest,
        want_reply: bool,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let shared = self.shared();
        let deadline = timeout.deadline();
        let number = self.send_request(request, want_reply, |_, number| number)?;
        if !want_reply {
            return Ok(());
        }
        let mut serving = shared.serving.lock();
        let changed = &self.handle.waits.changed;
        let outcome = shared.wait_for(
            &mut serving,
            changed,
            deadline,
            "channel request",
            |serving| self.reply(serving, number),
        );
        if serving.request_replies.remove(&number) == Some(None) {
            if let Some(services) = &mut serving.services {
                services.connection.abandon(number);
            }
        }
        outcome
    }

    /// Sends a request, after `note` has taken its number down where the answer will be looked for.
    pub(super) fn send_request<R>(
        &self,
        request: &ChannelRequest,
        want_reply: bool,
        note: impl FnOnce(&mut Serving, RequestId) -> R,
    ) -> Result<R, Error> {
        let shared = self.shared();
        shared.check_process()?;
        let noted = {
            let mut serving = shared.serving.lock();
            let services = serving.open_services()?;
            services.connection.advance(clock::now());
            let number = services.connection.request(
                self.handle.id,
                request,
                want_reply,
                &mut services.out,
            )?;
            if want_reply {
                serving.request_replies.insert(number, None);
            }
            note(&mut serving, number)
        };
        shared.flush();
        Ok(noted)
    }

    /// The answer to a request, as far as the channel knows.
    pub(super) fn reply(&self, serving: &Serving, number: RequestId) -> Option<Result<(), Error>> {
        if let Some(Some(ok)) = serving.request_replies.get(&number) {
            return Some(if *ok {
                Ok(())
            } else {
                Err(Error::RequestDenied)
            });
        }
        let closed = serving
            .services
            .as_ref()
            .and_then(|services| services.connection.status(self.handle.id))
            .is_none_or(|status| status.peer_closed || status.closed);
        (closed && serving.ended.is_none()).then_some(Err(Error::Closed))
    }

    fn serve(
        &self,
        run: impl FnOnce(&mut crate::endpoint::Services, ChannelId) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.shared().check_process()?;
        let id = self.handle.id;
        self.shared().serve(|services| run(services, id))
    }

    /// Says that we will send no more data. Idempotent.
    pub fn send_eof(&self) -> Result<(), Error> {
        self.refuse_if_carrying()?;
        self.finish_writing()
    }

    /// The same for the transport above.
    pub(crate) fn finish_writing(&self) -> Result<(), Error> {
        self.serve(|services, id| services.connection.eof(id, &mut services.out))
    }

    /// Reads return end of file from now on; what still comes is thrown away.
    pub fn shutdown_read(&self) -> Result<(), Error> {
        self.refuse_if_carrying()?;
        self.serve(|services, id| {
            services
                .connection
                .shutdown_read(id, clock::now(), &mut services.out)
        })?;
        self.handle.waits.readable.notify_all();
        Ok(())
    }

    /// Closes the channel in both directions. Data that arrived can still be read. Idempotent.
    pub fn close(&self) -> Result<(), Error> {
        self.shared().check_process()?;
        let id = self.handle.id;
        {
            let mut serving = self.shared().serving.lock();
            if serving.ended.is_some() {
                return Ok(());
            }
            let services = serving.services()?;
            services.connection.close(id, &mut services.out)?;
            if let Some(entry) = serving.channels.get_mut(&id) {
                entry.ended();
            }
            // The peer may take its time to close the channel, too.
            serving.end_forwards_of(self.shared(), id);
        }
        self.shared().raise_room();
        self.shared().flush();
        Ok(())
    }

    /// Moves standard error into the data stream, or stops doing so; returns the old setting.
    pub fn set_combine_stderr(&self, combine: bool) -> Result<bool, Error> {
        self.refuse_if_carrying()?;
        let mut serving = self.shared().serving.lock();
        let id = self.handle.id;
        let before = serving
            .services()?
            .connection
            .set_combine_stderr(id, combine)?;
        self.handle.waits.readable.notify_all();
        Ok(before)
    }

    /// Waits for the end of the remote program; `None` when the channel closed without saying how it ended.
    pub fn wait_exit(&self, timeout: Timeout) -> Result<Option<ExitOutcome>, Error> {
        let shared = self.shared();
        shared.check_process()?;
        let deadline = timeout.deadline();
        let id = self.handle.id;
        let mut serving = shared.serving.lock();
        let changed = &self.handle.waits.changed;
        shared.wait_for(&mut serving, changed, deadline, "exit status", |serving| {
            let services = serving.services.as_ref()?;
            match services.connection.status(id) {
                None => Some(Ok(None)),
                Some(status) if status.exit.is_some() => Some(Ok(status.exit.cloned())),
                Some(status)
                    if status.peer_closed || (status.closed && serving.ended.is_none()) =>
                {
                    Some(Ok(None))
                }
                Some(_) => None,
            }
        })
    }

    /// Waits until the peer has closed the channel.
    pub fn wait_closed(&self, timeout: Timeout) -> Result<(), Error> {
        let shared = self.shared();
        let deadline = timeout.deadline();
        let id = self.handle.id;
        let mut serving = shared.serving.lock();
        let changed = &self.handle.waits.changed;
        shared.wait_for(
            &mut serving,
            changed,
            deadline,
            "channel close",
            |serving| {
                let services = serving.services.as_ref()?;
                match services.connection.status(id) {
                    Some(status) if !status.peer_closed => None,
                    _ => Some(Ok(())),
                }
            },
        )
    }

    /// Looks at the state of the channel now; `None` when the connection layer has forgotten it.
    pub fn status<R>(&self, look: impl FnOnce(&ChannelStatus<'_>) -> R) -> Option<R> {
        let serving = self.shared().serving.lock();
        let status = serving
            .services
            .as_ref()?
            .connection
            .status(self.handle.id)?;
        Some(look(&status))
    }

    /// Bytes that can be read at once.
    pub fn buffered(&self, stream: Stream) -> usize {
        let serving = self.shared().serving.lock();
        serving.services.as_ref().map_or(0, |services| {
            services.connection.buffered(self.handle.id, stream)
        })
    }

    /// Has `event` set at the changes in `interest`, and at once if one of them holds already. An empty
    /// interest takes the event away.
    pub fn set_event(&self, event: &Event, interest: ChannelInterest) -> Result<(), Error> {
        let shared = self.shared();
        shared.check_process()?;
        let mut serving = shared.serving.lock();
        let id = self.handle.id;
        let status = serving
            .services
            .as_ref()
            .and_then(|s| s.connection.status(id));
        let eof = status.as_ref().is_none_or(|status| status.eof_received);
        let closed = serving.ended.is_some() || status.as_ref().is_none_or(|s| s.closed);
        let window = status
            .as_ref()
            .is_some_and(|s| s.is_writable() && s.remote_window > 0);
        let buffered = serving.services.as_ref().map_or(0, |services| {
            services.connection.buffered(id, Stream::Data)
                + services.connection.buffered(id, Stream::Stderr)
        });
        let entry = serving.channels.get_mut(&id).ok_or(Error::Closed)?;
        entry.watchers.retain(|(known, _)| !known.is_same(event));
        if interest == ChannelInterest::default() {
            return Ok(());
        }
        entry.watchers.push((event.clone(), interest));
        if (interest.readable && (buffered > 0 || eof || closed))
            || (interest.writable && (window || closed))
            || (interest.eof && eof)
            || (interest.closed && closed)
        {
            event.set();
        }
        Ok(())
    }
}
