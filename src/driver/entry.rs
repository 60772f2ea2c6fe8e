//! What the driver keeps for each channel: who waits for what, and whom to tell.

use std::collections::HashMap;
use std::sync::Arc;

use super::condition::Condition;
use super::engine::Engine;
use super::event::{Event, Setter};
use super::serving::After;
use super::stream::Waker;
use super::sync::atomic::{AtomicBool, Ordering};
use super::sys::lent::LentSlot;
use crate::connection::{ChannelId, DataSink, RequestId, Stream, BLOCK_BYTES};
use crate::error::Error;

/// Condition variables of one channel. They go with the serving lock.
#[derive(Default)]
pub(crate) struct ChannelWaits {
    pub(crate) readable: Condition,
    pub(crate) writable: Condition,
    /// Opened, replies, exit, closed.
    pub(crate) changed: Condition,
    /// A transport runs over the channel; nobody else may touch its data.
    pub(crate) carries: AtomicBool,
}

impl ChannelWaits {
    pub(crate) fn notify_all(&self) {
        self.readable.notify_all();
        self.writable.notify_all();
        self.changed.notify_all();
    }
}

/// Which changes of a channel set an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChannelInterest {
    /// Data or end of file can be read.
    pub readable: bool,
    /// Data can be written.
    pub writable: bool,
    /// The peer will send no more data.
    pub eof: bool,
    /// The channel is closed, or its transport is.
    pub closed: bool,
    /// Waiting calls are cancelled: see [`Transport::cancel`](super::Transport::cancel).
    pub cancelled: bool,
}

impl ChannelInterest {
    pub(super) const READABLE: Self = Self::of(true, false, false, false);
    pub(super) const WRITABLE: Self = Self::of(false, true, false, false);
    /// End of file is something to be read.
    pub(super) const EOF: Self = Self::of(true, false, true, false);
    pub(super) const ALL: Self = Self::of(true, true, true, true);
    pub(crate) const CANCELLED: Self = Self {
        cancelled: true,
        ..Self::of(false, false, false, false)
    };

    const fn of(readable: bool, writable: bool, eof: bool, closed: bool) -> Self {
        ChannelInterest {
            readable,
            writable,
            eof,
            closed,
            cancelled: false,
        }
    }

    pub(super) fn meets(self, change: Self) -> bool {
        (self.readable && change.readable)
            || (self.writable && change.writable)
            || (self.eof && change.eof)
            || (self.closed && change.closed)
            || (self.cancelled && change.cancelled)
    }
}

/// What the driver keeps per channel, beside the connection layer's own state.
pub(crate) struct ChannelEntry {
    pub(crate) waits: Arc<ChannelWaits>,
    pub(crate) lent: [LentSlot; 2],
    pub(crate) opened: Option<Result<(), Error>>,
    /// Handles of the application.
    pub(crate) handles: usize,
    /// In the accept queue, or about to be.
    pub(crate) unclaimed: bool,
    pub(crate) watchers: Vec<(Setter, ChannelInterest)>,
    /// Told of changes because a transport runs over the channel.
    pub(crate) above: Option<Arc<Waker>>,
    /// Set when the answer to our open is there.
    pub(crate) open_event: Option<Event>,
    /// Requests whose answers nobody waits for, with the events that are set when they are there.
    pub(crate) begun: Vec<(RequestId, Option<Event>)>,
}

impl ChannelEntry {
    pub(crate) fn new() -> Self {
        ChannelEntry {
            waits: Arc::default(),
            lent: [LentSlot::default(), LentSlot::default()],
            opened: None,
            handles: 0,
            unclaimed: false,
            watchers: Vec::new(),
            above: None,
            open_event: None,
            begun: Vec::new(),
        }
    }

    /// Of a channel whose data are not for the application.
    pub(crate) fn carrying(above: Arc<Waker>) -> Self {
        let entry = Self::new();
        entry.waits.carries.store(true, Ordering::Release);
        ChannelEntry {
            above: Some(above),
            ..entry
        }
    }

    pub(crate) fn slot(&mut self, stream: Stream) -> &mut LentSlot {
        let [data, stderr] = &mut self.lent;
        match stream {
            Stream::Data => data,
            Stream::Stderr => stderr,
        }
    }

    pub(crate) fn changed(&self, change: ChannelInterest) {
        let mut told = change;
        if let Some(above) = &self.above {
            if change.readable {
                above.readable();
            }
            if change.writable {
                above.writable();
            }
            // The application can neither read nor write.
            told.readable = false;
            told.writable = false;
        }
        for (setter, interest) in &self.watchers {
            if interest.meets(told) {
                setter.set();
            }
        }
    }

    /// The answer to a request of ours is there.
    pub(super) fn replied(&mut self, number: RequestId) {
        for (begun, event) in &mut self.begun {
            if *begun == number {
                if let Some(event) = event.take() {
                    event.set();
                }
            }
        }
    }

    /// Everything about this channel has ended.
    pub(crate) fn ended(&mut self) {
        self.waits.notify_all();
        self.changed(ChannelInterest::ALL);
        let begun = self.begun.iter_mut().filter_map(|(_, event)| event.take());
        for event in begun.chain(self.open_event.take()) {
            event.set();
        }
    }
}

/// Puts data straight into the buffers of blocked readers.
pub(crate) struct LentSink<'a> {
    pub(crate) channels: &'a mut HashMap<ChannelId, ChannelEntry>,
    /// Readers are told when the serving lock is free: it is what they take first.
    pub(crate) after: &'a mut Vec<After>,
}

impl DataSink for LentSink<'_> {
    fn deliver(&mut self, id: ChannelId, stream: Stream, data: &[u8]) -> usize {
        let Some(entry) = self.channels.get_mut(&id) else {
            return 0;
        };
        let taken = entry.slot(stream).fill(data);
        let told = |waits: &Arc<ChannelWaits>| Arc::ptr_eq(waits, &entry.waits);
        if taken > 0 && !matches!(self.after.last(), Some(After::Readable(waits)) if told(waits)) {
            self.after.push(After::Readable(Arc::clone(&entry.waits)));
        }
        taken
    }

    fn block(&mut self) -> Vec<u8> {
        let mut block = Engine::get().map_or_else(|_| Vec::new(), |engine| engine.blocks().take());
        block.clear();
        block.reserve_exact(BLOCK_BYTES);
        block
    }
}
