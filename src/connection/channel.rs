//! The state of one channel.

use std::time::Instant;

use crate::connection::inbound::Inbound;
use crate::connection::questions::{Charge, QuestionBudget, Questions};
use crate::connection::requests::OwnRequests;
use crate::connection::types::{ChannelStatus, ConnectionLimits, ExitOutcome};
use crate::connection::window::{LocalWindow, RemoteWindow};
use crate::error::Error;
use crate::messages::open_kind::OpenKind;
use crate::messages::Role;

/// How far the two sides have agreed on the channel.
#[derive(Debug)]
pub(super) enum Phase {
    /// We have asked; the peer has not answered.
    Opening {
        /// When we asked, if the time was known.
        since: Option<Instant>,
        /// The application does not want the channel any more.
        abandoned: bool,
    },
    /// The peer has asked; the application has not answered.
    Asked {
        /// The question's room.
        charge: Charge,
    },
    /// Both agreed.
    Agreed,
}

/// What one side has said about its end of the channel (RFC 4254 §5.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) eof: bool,
    pub(super) close: bool,
}

/// A request of which only one may succeed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Once {
    /// Not requested, or refused.
    #[default]
    Free,
    /// The application was asked, or has said yes.
    Taken,
}

/// What a question means for the channel if the answer is no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// Nothing.
    Plain,
    /// Another program may be requested (RFC 4254 §6.5: only one of the requests can succeed).
    Program,
    /// Another pty may be requested.
    Pty,
}

/// What the client has set up on a session channel of ours.
#[derive(Debug, Default)]
pub(super) struct Setup {
    pub(super) program: Once,
    pub(super) pty: Once,
    pub(super) env_count: usize,
    pub(super) env_bytes: usize,
}

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) kind: OpenKind,
    pub(super) phase: Phase,
    /// When we agreed to the peer's open, until its first message; to measure the round trip.
    pub(super) agreed_at: Option<Instant>,
    /// The peer's number, once known.
    pub(super) peer_number: u32,
    pub(super) inbound: Inbound,
    pub(super) remote: RemoteWindow,
    pub(super) sent: Ending,
    pub(super) received: Ending,
    pub(super) peer_stopped_reading: bool,
    /// The connection is gone.
    pub(super) lost: bool,
    /// The application's handle is gone: no events any more, freed when the peer has sent CLOSE.
    pub(super) released: bool,
    pub(super) exit: Option<ExitOutcome>,
    pub(super) setup: Setup,
    pub(super) questions: Questions<Tag, bool>,
    pub(super) own: OwnRequests,
}

impl Channel {
    /// A channel that we ask for.
    pub(super) fn opening(
        kind: OpenKind,
        role: Role,
        window: u32,
        since: Option<Instant>,
        limits: &ConnectionLimits,
    ) -> Self {
        let phase = Phase::Opening {
            since,
            abandoned: false,
        };
        Self::new(
            kind,
            phase,
            0,
            role,
            (LocalWindow::new(window), RemoteWindow::closed()),
            limits,
        )
    }

    /// A channel that the peer asks for.
    pub(super) fn asked(
        kind: OpenKind,
        role: Role,
        peer_number: u32,
        windows: (LocalWindow, RemoteWindow),
        charge: Charge,
        limits: &ConnectionLimits,
    ) -> Self {
        Self::new(
            kind,
            Phase::Asked { charge },
            peer_number,
            role,
            windows,
            limits,
        )
    }

    fn new(
        kind: OpenKind,
        phase: Phase,
        peer_number: u32,
        role: Role,
        (local, remote): (LocalWindow, RemoteWindow),
        limits: &ConnectionLimits,
    ) -> Self {
        // RFC 4254 §5.2: type 1 is the standard error of an interactive session, which only a client can
        // receive. Channel types that we do not know may use it as they like.
        let stderr_expected = match kind {
            OpenKind::Session => role == Role::Client,
            OpenKind::Other { .. } => true,
            _ => false,
        };
        Channel {
            kind,
            phase,
            agreed_at: None,
            peer_number,
            inbound: Inbound::new(local, stderr_expected),
            remote,
            sent: Ending::default(),
            received: Ending::default(),
            peer_stopped_reading: false,
            lost: false,
            released: false,
            exit: None,
            setup: Setup::default(),
            questions: Questions::new(limits.max_pending_requests),
            own: OwnRequests::new(limits.max_pending_requests),
        }
    }

    /// Whether both sides agreed on the channel.
    pub(super) fn is_agreed(&self) -> bool {
        matches!(self.phase, Phase::Agreed)
    }

    /// Whether the application gave the channel up before the peer agreed to it.
    fn is_abandoned(&self) -> bool {
        matches!(
            self.phase,
            Phase::Opening {
                abandoned: true,
                ..
            }
        )
    }

    /// Whether one side has closed the channel.
    pub(super) fn is_closed(&self) -> bool {
        self.sent.close || self.received.close || self.lost || self.is_abandoned()
    }

    /// Whether requests and CLOSE may be sent.
    pub(super) fn check_sending(&self) -> Result<(), Error> {
        if self.is_closed() {
            Err(Error::Closed)
        } else if self.is_agreed() {
            Ok(())
        } else {
            Err(Error::ApiMisuse("the channel is not open yet"))
        }
    }

    /// Whether data may be sent.
    pub(super) fn check_writing(&self) -> Result<(), Error> {
        if self.sent.eof || self.peer_stopped_reading {
            return Err(Error::Closed);
        }
        self.check_sending()
    }

    /// Whether the peer can still use window: not after its EOF, and not when we may send nothing.
    pub(super) fn may_adjust(&self) -> bool {
        !self.is_closed() && !self.received.eof && self.is_agreed()
    }

    /// Whether nothing will be queued any more.
    pub(super) fn is_at_end(&self) -> bool {
        self.received.eof || self.is_closed() || self.inbound.is_shut()
    }

    /// Whether the number may be used again.
    pub(super) fn is_done(&self) -> bool {
        self.released && (self.lost || (self.sent.close && self.received.close))
    }

    /// Nothing will be asked or answered on this channel any more.
    pub(super) fn drop_requests(&mut self, budget: &mut QuestionBudget) {
        self.questions.clear(budget);
        self.own.clear();
        if let Phase::Asked { charge } = std::mem::replace(&mut self.phase, Phase::Agreed) {
            budget.give_back(charge);
        }
    }

    /// A look at the channel.
    pub(super) fn status(&self) -> ChannelStatus<'_> {
        ChannelStatus {
            kind: &self.kind,
            open: self.is_agreed() && !self.is_closed(),
            eof_received: self.received.eof || self.received.close || self.lost,
            peer_finished: self.received.eof || self.received.close,
            peer_closed: self.received.close,
            eof_sent: self.sent.eof || self.sent.close,
            closed: self.is_closed(),
            peer_stopped_reading: self.peer_stopped_reading,
            exit: self.exit.as_ref(),
            remote_window: self.remote.bytes(),
            remote_max_packet: self.remote.max_packet(),
            local_window: self.inbound.window.size(),
            recipient: self.peer_number,
        }
    }
}
