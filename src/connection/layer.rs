//! The object that holds all of the connection protocol's state.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::connection::channel::Channel;
use crate::connection::forward::Forwards;
use crate::connection::global::Global;
use crate::connection::questions::QuestionBudget;
use crate::connection::table::ChannelTable;
use crate::connection::types::{ChannelId, ConnectionEvent, ConnectionLimits, DataSink};
use crate::connection::window::WindowBudget;
use crate::error::{Error, PeerMisbehaved};
use crate::messages::{MessageNumber, Role};
use crate::packet::{PayloadQueue, PeerHabits};

/// The connection protocol of one connection, either role. See the [module](super) for how to use it.
#[derive(Debug)]
pub struct ConnectionLayer {
    pub(super) role: Role,
    pub(super) limits: ConnectionLimits,
    pub(super) table: ChannelTable,
    pub(super) windows: WindowBudget,
    pub(super) question_budget: QuestionBudget,
    pub(super) global: Global,
    /// Channel types that the peer may open although its role alone does not allow it.
    pub(super) allowed_opens: HashSet<String>,
    /// Where the server listens for us (client).
    pub(super) forwards: Forwards,
    pub(super) next_request: u64,
    /// The time of the latest call that told it; only to measure round trips.
    pub(super) latest: Option<Instant>,
    /// What the peer is known to do beside the protocol.
    pub(super) habits: PeerHabits,
    pub(super) lost: bool,
}

/// What handling a message needs beside the layer.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) out: &'a mut PayloadQueue,
    pub(super) events: &'a mut VecDeque<ConnectionEvent>,
}

impl ConnectionLayer {
    /// A connection without channels.
    pub fn new(role: Role, limits: ConnectionLimits) -> Self {
        ConnectionLayer {
            role,
            table: ChannelTable::new(limits.max_channels),
            windows: WindowBudget::new(&limits),
            question_budget: QuestionBudget::new(limits.max_pending_bytes),
            global: Global::new(limits.max_pending_requests),
            allowed_opens: HashSet::new(),
            forwards: Forwards::new(limits.max_forwards),
            next_request: 0,
            latest: None,
            habits: PeerHabits::default(),
            lost: false,
            limits,
        }
    }

    /// Says what the peer is known to do beside the protocol.
    pub fn set_habits(&mut self, habits: PeerHabits) {
        self.habits = habits;
    }

    /// Handles a payload of the peer: the message number first, 80 to 100.
    ///
    /// # Errors
    /// The peer broke the protocol or a bound; the connection must end.
    pub fn handle(
        &mut self,
        payload: &[u8],
        now: Instant,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ConnectionEvent>,
        sink: &mut dyn DataSink,
    ) -> Result<(), Error> {
        if self.lost {
            return Ok(());
        }
        self.latest = Some(now);
        let number = payload
            .first()
            .copied()
            .ok_or(PeerMisbehaved::EmptyPayload)?;
        let context = Context { now, out, events };
        match MessageNumber(number) {
            MessageNumber::CHANNEL_DATA => self.on_data(payload, context, sink),
            MessageNumber::CHANNEL_EXTENDED_DATA => self.on_extended_data(payload, context, sink),
            MessageNumber::CHANNEL_WINDOW_ADJUST => self.on_window_adjust(payload, context),
            MessageNumber::CHANNEL_EOF => self.on_eof(payload, context),
            MessageNumber::CHANNEL_CLOSE => self.on_close(payload, context),
            MessageNumber::CHANNEL_REQUEST => self.on_channel_request(payload, context),
            MessageNumber::CHANNEL_SUCCESS => self.on_channel_reply(payload, true, context),
            MessageNumber::CHANNEL_FAILURE => self.on_channel_reply(payload, false, context),
            MessageNumber::CHANNEL_OPEN => self.on_open(payload, context),
            MessageNumber::CHANNEL_OPEN_CONFIRMATION => self.on_confirmation(payload, context),
            MessageNumber::CHANNEL_OPEN_FAILURE => self.on_open_failure(payload, context),
            MessageNumber::GLOBAL_REQUEST => self.on_global_request(payload, context),
            MessageNumber::REQUEST_SUCCESS => self.on_global_success(payload, context),
            MessageNumber::REQUEST_FAILURE => self.on_global_failure(payload, context),
            other => Err(PeerMisbehaved::UnexpectedMessage(other).into()),
        }
    }

    /// Tells a round trip that was measured elsewhere, as in a key exchange. Windows grow with the shortest.
    pub fn observe_round_trip(&mut self, sample: Duration) {
        self.windows.observe_round_trip(sample);
    }

    /// Tells the time before a command that has no `now` of its own. Optional: with it, round trips of opens and
    /// requests are measured more exactly.
    pub fn advance(&mut self, now: Instant) {
        self.latest = Some(now);
    }

    /// Allows or forbids the peer to open channels of a type that its role alone does not allow: `x11`,
    /// `auth-agent@openssh.com` and `forwarded-tcpip` towards a client that has asked for them.
    pub fn allow_open(&mut self, kind: &str, allowed: bool) {
        if allowed {
            self.allowed_opens.insert(kind.to_owned());
        } else {
            self.allowed_opens.remove(kind);
        }
    }

    /// The connection is gone: every channel is closed, nothing is sent, and what was queued can still be read.
    pub fn connection_lost(&mut self) {
        self.lost = true;
        self.global.clear(&mut self.question_budget);
        for channel in self.table.iter_mut() {
            channel.lost = true;
            channel.drop_requests(&mut self.question_budget);
        }
        let windows = &mut self.windows;
        self.table.remove_all(Channel::is_done, |channel| {
            windows.give_back(channel.inbound.window.size());
        });
    }

    /// How many channel numbers are taken.
    pub fn channel_count(&self) -> usize {
        self.table.len()
    }

    /// Frees a number and everything that its channel holds.
    pub(super) fn forget(&mut self, id: ChannelId) {
        if let Some(mut channel) = self.table.remove(id) {
            channel.drop_requests(&mut self.question_budget);
            self.windows.give_back(channel.inbound.window.size());
        }
    }

    /// A number for a request, never used again.
    pub(super) fn next_request_number(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }
}
