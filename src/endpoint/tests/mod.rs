//! Client and server endpoints wired together in memory, with a clock and randomness that repeat: every run
//! of the same plan puts the same number of bytes on the wire.

mod guess;
mod hostile;
mod malformed;
mod noise;
mod plan;
mod rekeying;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use plan::Plan;

use super::{Endpoint, Event, ServiceConfig, Services};
use crate::auth::{
    AuthDecision, AuthOutcome, AuthQuestionKind, ClientAuthEvent, ClientMethod, ServerAuthEvent,
};
use crate::connection::{
    ChannelId, ChannelRequest, ConnectionEvent, ExitOutcome, OpenKind, ReadOutcome, Stream,
};
use crate::crypto::algorithms;
use crate::crypto::random::SeededRandom;
use crate::error::Error;
use crate::messages::Role;
use crate::transport::TransportEvent;

/// What has come of a channel.
#[derive(Default)]
struct Progress {
    index: usize,
    /// The program was asked for and agreed to, so data may flow.
    ready: bool,
    sent: usize,
    eof_sent: bool,
    received: Vec<u8>,
    eof: bool,
    closed: bool,
}

/// The data that a side sends on its channel of this index.
fn pattern(role: Role, index: usize, length: usize) -> Vec<u8> {
    let start = index * 7 + usize::from(role == Role::Server) * 101;
    (start..start + length)
        .map(|byte| (byte % 251) as u8)
        .collect()
}

/// An endpoint and an application that does the plan.
struct Side {
    endpoint: Endpoint,
    role: Role,
    plan: Plan,
    /// Taken out once both sides have closed.
    channels: BTreeMap<ChannelId, Progress>,
    /// Channels whose data have come whole and that both sides have closed.
    finished: usize,
    opened: usize,
    keyed: usize,
    host_keys: usize,
    exits: usize,
    debugs: Vec<String>,
    pongs: usize,
    /// Attempts and requests of ours that the peer refused.
    refused: usize,
    authenticated: bool,
    error: Option<Error>,
}

impl Side {
    fn new(role: Role, plan: &Plan) -> Self {
        let (transport, seed) = match role {
            Role::Client => (&plan.client, 11),
            Role::Server => (&plan.server, 12),
        };
        let mut services = ServiceConfig {
            signature_algorithms: algorithms::user_signatures(),
            ..ServiceConfig::default()
        };
        services.server_auth.methods = vec!["password".to_owned()];
        Side {
            endpoint: Endpoint::new(
                Arc::new(transport.clone()),
                services,
                Box::new(SeededRandom::new(seed)),
            ),
            role,
            plan: plan.clone(),
            channels: BTreeMap::new(),
            finished: 0,
            opened: 0,
            keyed: 0,
            host_keys: 0,
            exits: 0,
            debugs: Vec::new(),
            pongs: 0,
            refused: 0,
            authenticated: false,
            error: None,
        }
    }

    fn keep<R>(&mut self, result: Result<R, Error>) -> Option<R> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        if self.error.is_none() {
            let result = self.endpoint.receive(bytes, now);
            self.keep(result);
            self.drive(now);
        }
    }

    fn command<R>(
        &mut self,
        now: Instant,
        run: impl FnOnce(&mut Services) -> Result<R, Error>,
    ) -> Option<R> {
        if self.error.is_some() {
            return None;
        }
        let result = self.endpoint.command(now, run);
        self.keep(result)
    }

    /// Seals a payload with the right keys, whatever the state allows.
    fn inject(&mut self, payload: &[u8]) {
        self.endpoint.inject(payload).unwrap();
    }

    fn wait(&mut self, now: Instant) {
        let result = self.endpoint.handle_timeout(now);
        self.keep(result);
        self.drive(now);
    }

    /// Does what events ask for, reads and writes, until there is nothing to do.
    fn drive(&mut self, now: Instant) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Transport(event) => self.transport_event(event, now),
                Event::ClientAuth(event) => self.client_event(event, now),
                Event::ServerAuth(event) => self.server_event(event, now),
                Event::Connection(event) => self.connection_event(event, now),
            }
        }
        if self.keyed > 0 && !self.authenticated {
            for payload in self.plan.meanwhile.clone() {
                self.command(now, |services| {
                    services.out.push_vec(payload);
                    Ok(())
                });
            }
        }
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        for id in ids {
            self.read(id, now);
            self.write(id, now);
            self.finish(id, now);
        }
    }

    fn transport_event(&mut self, event: TransportEvent, now: Instant) {
        match event {
            TransportEvent::HostKey(_) => self.host_keys += 1,
            TransportEvent::Keyed { first, .. } => {
                assert_eq!(first, self.keyed == 0);
                self.keyed += 1;
                if first && self.role == Role::Client {
                    let password = Zeroizing::new(b"secret".to_vec());
                    let method = ClientMethod::Password {
                        password,
                        fallback: false,
                    };
                    self.command(now, |services| services.authenticate("user", method));
                }
            }
            TransportEvent::Debug { message, .. } => self.debugs.push(message),
            TransportEvent::Pong(_) => self.pongs += 1,
            TransportEvent::BannerLine(_) | TransportEvent::Extensions => {}
        }
    }

    fn client_event(&mut self, event: ClientAuthEvent, now: Instant) {
        let ClientAuthEvent::Outcome(outcome) = event else {
            panic!("only a password was given");
        };
        if outcome != Ok(AuthOutcome::Success) {
            self.refused += 1;
            return;
        }
        self.authenticated = true;
        for index in 0..self.plan.channels {
            let id = self.command(now, |services| {
                services
                    .connection
                    .open(OpenKind::Session, &mut services.out)
            });
            self.add(id, index);
        }
    }

    fn add(&mut self, id: Option<ChannelId>, index: usize) {
        if let Some(id) = id {
            self.channels.insert(
                id,
                Progress {
                    index,
                    ..Progress::default()
                },
            );
        }
    }

    fn server_event(&mut self, event: ServerAuthEvent, now: Instant) {
        match event {
            ServerAuthEvent::Question(question) => {
                let good = matches!(&question.kind, AuthQuestionKind::Password(password)
                    if question.user == "user" && password.as_slice() == b"secret");
                let decision = if good {
                    AuthDecision::Accept
                } else {
                    AuthDecision::Refuse
                };
                self.command(now, |services| {
                    services.answer_auth(question.id, decision, now)
                });
            }
            ServerAuthEvent::Authenticated { .. } => self.authenticated = true,
            _ => {}
        }
    }

    fn connection_event(&mut self, event: ConnectionEvent, now: Instant) {
        match event {
            ConnectionEvent::OpenQuestion { id, .. } => {
                self.command(now, |services| {
                    services
                        .connection
                        .answer_open(id, Ok(()), &mut services.out)
                });
                self.add(Some(id), self.opened);
                self.opened += 1;
            }
            ConnectionEvent::Opened(id) => {
                self.opened += 1;
                if self.plan.rekey && self.opened == self.plan.channels {
                    let result = self.endpoint.rekey(now);
                    self.keep(result);
                }
                let request = ChannelRequest::Exec(b"go".to_vec());
                self.command(now, |services| {
                    services
                        .connection
                        .request(id, &request, true, &mut services.out)
                });
            }
            ConnectionEvent::OpenFailed { id, .. } => {
                self.channels.remove(&id);
                self.refused += 1;
            }
            ConnectionEvent::RequestQuestion { id, request_id, .. } => {
                self.command(now, |services| {
                    services
                        .connection
                        .answer_request(id, request_id, true, &mut services.out)
                });
                if let Some(progress) = self.channels.get_mut(&id) {
                    progress.ready = true;
                }
            }
            ConnectionEvent::RequestReply { id, ok, .. } => {
                self.refused += usize::from(!ok);
                if let Some(progress) = self.channels.get_mut(&id) {
                    progress.ready = ok;
                }
            }
            ConnectionEvent::GlobalQuestion { id, .. } => {
                self.command(now, |services| {
                    services
                        .connection
                        .answer_global(id, Err(()), &mut services.out)
                });
            }
            ConnectionEvent::Exit(id) => {
                let expected = ExitOutcome::Status(7);
                let status = self.endpoint.services.connection.status(id).unwrap();
                self.exits += usize::from(status.exit == Some(&expected));
            }
            ConnectionEvent::Closed(id) => {
                if let Some(progress) = self.channels.get_mut(&id) {
                    progress.closed = true;
                }
            }
            _ => {}
        }
    }

    /// Reads what has come, if the plan reads.
    fn read(&mut self, id: ChannelId, now: Instant) {
        if self.plan.read {
            self.read_all(id, now);
        }
    }

    /// Reads what has come; works after an error too.
    fn read_all(&mut self, id: ChannelId, now: Instant) {
        let Side {
            endpoint, channels, ..
        } = self;
        let progress = channels.get_mut(&id).unwrap();
        let mut buffer = [0; 5000];
        loop {
            let services = &mut endpoint.services;
            let outcome =
                services
                    .connection
                    .read(id, Stream::Data, &mut buffer, now, &mut services.out);
            match outcome.unwrap() {
                ReadOutcome::Data(count) => progress.received.extend(&buffer[..count]),
                ReadOutcome::WouldBlock => break,
                ReadOutcome::Eof => {
                    progress.eof = true;
                    break;
                }
            }
        }
        self.command(now, |_| Ok(()));
    }

    fn write(&mut self, id: ChannelId, now: Instant) {
        let progress = self.channels.get_mut(&id).unwrap();
        let may = progress.ready && !progress.eof_sent && !progress.closed;
        if !may || self.plan.idle || self.error.is_some() {
            return;
        }
        let data = pattern(self.role, progress.index, self.plan.bytes);
        // By and by, so that channels take turns and key exchanges come in between.
        let most = (data.len() / 64).max(1500);
        let end = data.len().min(progress.sent + most);
        match self
            .endpoint
            .write(id, Stream::Data, &data[progress.sent..end])
        {
            Ok(count) => progress.sent += count,
            // The peer has closed: the event that says so follows.
            Err(_) => return,
        }
        let whole = progress.sent == data.len();
        self.command(now, |_| Ok(()));
        if !whole {
            return;
        }
        let progress = self.channels.get_mut(&id).unwrap();
        progress.eof_sent = true;
        let role = self.role;
        self.command(now, |services| {
            if role == Role::Server {
                let status = ChannelRequest::ExitStatus(7);
                services
                    .connection
                    .request(id, &status, false, &mut services.out)?;
            }
            services.connection.eof(id, &mut services.out)
        });
    }

    fn finish(&mut self, id: ChannelId, now: Instant) {
        let progress = &self.channels[&id];
        if progress.eof && progress.eof_sent {
            let closed = progress.closed;
            let whole =
                progress.received == pattern(self.role.peer(), progress.index, self.plan.bytes);
            self.command(now, |services| {
                services.connection.close(id, &mut services.out)
            });
            if closed && self.error.is_none() {
                self.channels.remove(&id);
                self.finished += usize::from(whole);
                self.command(now, |services| {
                    services.connection.release(id, &mut services.out);
                    Ok(())
                });
            }
        }
    }

    fn is_done(&self) -> bool {
        self.error.is_none()
            && self.finished == self.plan.channels
            && self.endpoint.services.connection.channel_count() == 0
    }

    fn only_id(&self) -> ChannelId {
        *self.channels.keys().next().unwrap()
    }

    fn only_channel(&self) -> &Progress {
        self.channels.values().next().unwrap()
    }

    /// Bytes that wait for the stream.
    fn sent(&self) -> usize {
        self.endpoint.outbound.pending().len()
    }
}

/// How one direction carries bytes.
#[derive(Default)]
struct Wire {
    carried: usize,
    /// What is cut in two at this offset.
    split: Option<usize>,
    /// Where the stream breaks.
    cut: Option<usize>,
    /// Every byte by itself.
    bytewise: bool,
}

impl Wire {
    /// The pieces in which `bytes` arrive.
    fn pieces<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let start = self.carried;
        self.carried += bytes.len();
        if self.bytewise {
            return bytes.chunks(1).collect();
        }
        let inside = |at: Option<usize>| {
            at.and_then(|at| at.checked_sub(start))
                .filter(|at| *at < bytes.len())
        };
        if let Some(at) = inside(self.cut) {
            return vec![&bytes[..at]];
        }
        match inside(self.split) {
            Some(at) => vec![&bytes[..at], &bytes[at..]],
            None => vec![bytes],
        }
    }

    fn is_cut(&self) -> bool {
        self.cut.is_some_and(|at| at <= self.carried)
    }
}

/// Both sides and what is between them.
struct Pair {
    client: Side,
    server: Side,
    to_server: Wire,
    to_client: Wire,
    now: Instant,
}

impl Pair {
    fn new(plan: &Plan) -> Self {
        Pair {
            client: Side::new(Role::Client, plan),
            server: Side::new(Role::Server, plan),
            to_server: Wire::default(),
            to_client: Wire::default(),
            now: Instant::now(),
        }
    }

    fn start(&mut self) {
        self.client.endpoint.start(self.now).unwrap();
        self.server.endpoint.start(self.now).unwrap();
    }

    /// Carries bytes in both directions until there are none, or the stream is cut.
    fn pump(&mut self) {
        for round in 0.. {
            assert!(round < 100_000, "the sides never come to rest");
            self.now += Duration::from_millis(1);
            self.client.drive(self.now);
            self.server.drive(self.now);
            let up = self.client.endpoint.poll_transmit();
            let down = self.server.endpoint.poll_transmit();
            if up.is_empty() && down.is_empty() {
                return;
            }
            for piece in self.to_server.pieces(&up) {
                self.server.receive(piece, self.now);
            }
            for piece in self.to_client.pieces(&down) {
                self.client.receive(piece, self.now);
            }
            if self.to_server.is_cut() || self.to_client.is_cut() {
                return;
            }
        }
    }

    /// A whole session.
    fn run(plan: &Plan) -> Self {
        let mut pair = Pair::new(plan);
        pair.start();
        pair.pump();
        pair
    }

    /// A session that stands right after the first key exchange: nobody has authenticated.
    fn keyed() -> Self {
        Pair::keyed_with(&Plan::small())
    }

    fn keyed_with(plan: &Plan) -> Self {
        let mut pair = Pair::new(plan);
        pair.start();
        for _ in 0..6 {
            let up = pair.client.endpoint.poll_transmit();
            let down = pair.server.endpoint.poll_transmit();
            // No events are looked at, so nobody asks for anything.
            pair.server.endpoint.receive(&up, pair.now).unwrap();
            pair.client.endpoint.receive(&down, pair.now).unwrap();
        }
        for side in [&mut pair.client, &mut pair.server] {
            while side.endpoint.poll_event().is_some() {}
        }
        assert_eq!(pair.client.sent() + pair.server.sent(), 0);
        assert!(pair.client.endpoint.inbound.transport().is_keyed());
        assert!(pair.server.endpoint.inbound.transport().is_keyed());
        pair
    }

    /// A session with one channel that stays open.
    fn open() -> Self {
        let mut plan = Plan::small();
        plan.idle = true;
        let pair = Pair::run(&plan);
        assert!(pair.client.authenticated && pair.server.authenticated);
        assert!(pair.client.only_channel().ready && pair.server.only_channel().ready);
        pair
    }

    fn side(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// The error by which the victim ended the connection, having given the peer this reason.
    #[track_caller]
    fn ended_by(&self, victim: Role, expected: u32) -> Error {
        let (victim, peer) = match victim {
            Role::Client => (&self.client, &self.server),
            Role::Server => (&self.server, &self.client),
        };
        match &peer.error {
            Some(Error::Disconnected { reason, .. }) => {
                assert_eq!(reason.0, expected, "{:?}", victim.error);
            }
            other => panic!("no reason was given: {other:?}, {:?}", victim.error),
        }
        victim.error.clone().unwrap()
    }

    #[track_caller]
    fn assert_done(&self) {
        assert_eq!((&self.client.error, &self.server.error), (&None, &None));
        assert!(self.client.is_done() && self.server.is_done());
        assert_eq!(self.client.host_keys, 1);
        assert_eq!(self.client.exits, self.client.plan.channels);
    }
}

#[test]
fn a_session_from_start_to_end() {
    let pair = Pair::run(&Plan::small());
    pair.assert_done();
    assert_eq!((pair.client.keyed, pair.server.keyed), (1, 1));
    let again = Pair::run(&Plan::small());
    assert_eq!(again.to_server.carried, pair.to_server.carried);
    assert_eq!(again.to_client.carried, pair.to_client.carried);
}
