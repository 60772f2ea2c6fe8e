//! Two connection layers wired in memory, and one layer against a hostile peer.

mod forward;
mod hostile;
mod hostile_requests;
mod pair;
mod random;
mod windows;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::codec::Writer;
use crate::connection::{
    data_header, ChannelId, ConnectionEvent, ConnectionLayer, ConnectionLimits, DataSink, NoSink,
    OpenKind, ReadOutcome, Stream,
};
use crate::error::Error;
use crate::messages::Role;
use crate::packet::PayloadQueue;

/// One side: a layer with its queues.
pub(super) struct Side {
    pub(super) layer: ConnectionLayer,
    pub(super) out: PayloadQueue,
    pub(super) events: VecDeque<ConnectionEvent>,
    pub(super) now: Instant,
}

impl Side {
    pub(super) fn new(role: Role) -> Self {
        Self::with(role, ConnectionLimits::default())
    }

    pub(super) fn with(role: Role, limits: ConnectionLimits) -> Self {
        Side {
            layer: ConnectionLayer::new(role, limits),
            out: PayloadQueue::new(),
            events: VecDeque::new(),
            now: Instant::now(),
        }
    }

    pub(super) fn receive(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.receive_into(payload, &mut NoSink)
    }

    pub(super) fn receive_into(
        &mut self,
        payload: &[u8],
        sink: &mut dyn DataSink,
    ) -> Result<(), Error> {
        self.layer
            .handle(payload, self.now, &mut self.out, &mut self.events, sink)
    }

    /// A hostile peer's message.
    pub(super) fn gets(&mut self, fill: impl FnOnce(&mut Writer<'_>)) -> Result<(), Error> {
        self.receive(&Writer::collect(fill))
    }

    /// Sends what the window allows and returns how much that was.
    pub(super) fn write(
        &mut self,
        id: ChannelId,
        stream: Stream,
        data: &[u8],
    ) -> Result<usize, Error> {
        let leave = self.layer.reserve(id, stream, data.len())?;
        for piece in data[..leave.bytes].chunks(leave.max_packet) {
            self.out.push(|w| {
                data_header(w, stream, leave.recipient, piece.len() as u32);
                w.raw(piece);
            });
        }
        Ok(leave.bytes)
    }

    pub(super) fn read(
        &mut self,
        id: ChannelId,
        stream: Stream,
        most: usize,
    ) -> Result<Vec<u8>, ReadOutcome> {
        let mut buf = vec![0; most];
        match self
            .layer
            .read(id, stream, &mut buf, self.now, &mut self.out)
            .unwrap()
        {
            ReadOutcome::Data(count) => {
                buf.truncate(count);
                Ok(buf)
            }
            other => Err(other),
        }
    }

    pub(super) fn event(&mut self) -> ConnectionEvent {
        self.events.pop_front().expect("an event")
    }

    /// The payloads to send.
    pub(super) fn sent(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.out.pop()).collect()
    }
}

/// Two sides.
pub(super) struct Pair {
    pub(super) client: Side,
    pub(super) server: Side,
}

impl Pair {
    pub(super) fn new() -> Self {
        Pair {
            client: Side::new(Role::Client),
            server: Side::new(Role::Server),
        }
    }

    /// Carries messages until none are left.
    pub(super) fn run(&mut self) {
        while self.step(Role::Client) | self.step(Role::Server) {}
    }

    /// Carries one message of `from`.
    pub(super) fn step(&mut self, from: Role) -> bool {
        let (from, to) = match from {
            Role::Client => (&mut self.client, &mut self.server),
            Role::Server => (&mut self.server, &mut self.client),
        };
        let Some(payload) = from.out.pop() else {
            return false;
        };
        to.receive(&payload).unwrap();
        true
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.client.now += by;
        self.server.now += by;
    }

    /// An open session: the client's and the server's number.
    pub(super) fn session(&mut self) -> (ChannelId, ChannelId) {
        let ours = self
            .client
            .layer
            .open(OpenKind::Session, &mut self.client.out)
            .unwrap();
        self.run();
        let theirs = match self.server.event() {
            ConnectionEvent::OpenQuestion {
                id,
                kind: OpenKind::Session,
            } => id,
            other => panic!("{other:?}"),
        };
        self.server
            .layer
            .answer_open(theirs, Ok(()), &mut self.server.out)
            .unwrap();
        self.run();
        assert_eq!(self.client.event(), ConnectionEvent::Opened(ours));
        (ours, theirs)
    }
}
