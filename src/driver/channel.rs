//! A channel as the application sees it: blocking calls with deadlines, usable from any thread.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use super::attendance::For;
use super::condition::Condition;
use super::engine::Engine;
use super::entry::{ChannelInterest, ChannelWaits};
use super::event::{Event, Setter};
use super::serving::Serving;
use super::shared::Shared;
use super::sys::clock;
use super::sys::lent;
use super::transport::Transport;
use super::wait::{Deadline, Timeout};
use crate::connection::{
    ChannelId, ChannelRequest, ChannelStatus, ExitOutcome, ReadOutcome, RequestId, Stream,
    WholeBlocks,
};
use crate::error::Error;

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
        let peer_closed = {
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
            let mut peer_closed = false;
            if let Some(services) = &mut serving.services {
                let status = services.connection.status(self.id);
                peer_closed = status.is_some_and(|status| status.peer_closed);
                services.connection.release(self.id, &mut services.out);
            }
            // No event names the channel any more.
            serving.end_forwards_of(&self.shared, self.id);
            peer_closed
        };
        if peer_closed {
            self.shared.flush_in_time();
        } else {
            self.shared.flush_for_application();
        }
    }
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

    /// Whether a transport runs over the channel. Then only that may read and write it.
    pub fn carries(&self) -> bool {
        self.handle.waits.carries.load(Ordering::Acquire)
    }

    pub(super) fn refuse_if_carrying(&self) -> Result<(), Error> {
        if self.carries() {
            return Err(Error::ApiMisuse("a transport runs over the channel"));
        }
        Ok(())
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
        shared.flush_for_application();
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
        self.shared().flush_for_application();
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

    /// Waits until `event` is set, which this channel sets, among others, and which tells `condition`. May return for nothing.
    pub(crate) fn sleep_until(&self, event: &Event, condition: &Condition, deadline: Deadline) {
        self.shared().sleep_until(event, condition, deadline);
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
        self.set_event_as(event, interest, None)
    }

    /// The same by a name, which the event then tells: [`Event::take_setter`].
    pub(crate) fn set_event_as(
        &self,
        event: &Event,
        interest: ChannelInterest,
        name: Option<u64>,
    ) -> Result<(), Error> {
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
        // Who can write no more hears of it at once, too.
        let writable = status
            .as_ref()
            .is_none_or(|s| !s.is_writable() || s.remote_window > 0);
        let buffered = serving.services.as_ref().map_or(0, |services| {
            services.connection.buffered(id, Stream::Data)
                + services.connection.buffered(id, Stream::Stderr)
        });
        let entry = serving.channels.get_mut(&id).ok_or(Error::Closed)?;
        entry.watchers.retain(|(setter, _)| !setter.is_of(event));
        if interest == ChannelInterest::default() {
            return Ok(());
        }
        let setter = Setter::new(event, name);
        let holds = ChannelInterest {
            readable: buffered > 0 || eof || closed,
            writable: writable || closed,
            eof: eof || closed,
            closed,
            cancelled: false,
        };
        if interest.meets(holds) {
            setter.set();
        }
        entry.watchers.push((setter, interest));
        Ok(())
    }
}
