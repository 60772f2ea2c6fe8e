//! Authentication and connection: what runs inside the encrypted session.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use zeroize::Zeroizing;

use crate::auth::{
    AuthDecision, AuthOutcome, ClientAuth, ClientAuthEvent, ClientMethod, ServerAuth,
    ServerAuthConfig, ServerAuthEvent,
};
use crate::connection::{ConnectionEvent, ConnectionLayer, ConnectionLimits, DataSink};
use crate::crypto::algorithms::Names;
use crate::error::{Error, PeerMisbehaved};
use crate::messages::transport::Unimplemented;
use crate::messages::{MessageNumber, Role};
use crate::packet::{PayloadQueue, PeerHabits};
use crate::transport::phases::{allowed, Phase, Verdict};
use crate::transport::{TransportEvent, TransportLayer};

/// Most bytes of replies that wait to be sealed. Reading from the peer stops far below; during a key
/// exchange, when reading must go on, more ends the session.
const MAX_REPLIES_BYTES: usize = 1024 * 1024;

/// What the services need to know before they start.
#[derive(Clone, Default)]
pub struct ServiceConfig {
    /// Server: limits and texts of authentication.
    pub server_auth: ServerAuthConfig,
    /// Client: signature algorithms it may use, in order of preference.
    pub signature_algorithms: Names,
    /// Limits of channels and windows.
    pub connection: ConnectionLimits,
}

/// Something happened that the owner of the endpoint must know or answer.
pub enum Event {
    /// In the transport layer.
    Transport(TransportEvent),
    /// In our authentication as a client.
    ClientAuth(ClientAuthEvent),
    /// In the peer's authentication.
    ServerAuth(ServerAuthEvent),
    /// In the connection layer.
    Connection(ConnectionEvent),
}

enum Authentication {
    /// The first key exchange is not finished.
    NotKeyed,
    Client(Box<ClientAuth>),
    Server(Box<ServerAuth>),
}

/// Authentication and connection layer of one side, with the payloads they want to send.
pub struct Services {
    role: Role,
    config: ServiceConfig,
    authentication: Authentication,
    /// Who is in.
    user: Option<String>,
    /// The user of the attempt under way (client).
    attempt_user: String,
    /// Channels and global requests. Commands to it are valid once a user is in.
    pub connection: ConnectionLayer,
    /// Payloads that wait to be sealed.
    pub out: PayloadQueue,
    events: VecDeque<Event>,
    client_events: VecDeque<ClientAuthEvent>,
    server_events: VecDeque<ServerAuthEvent>,
    connection_events: VecDeque<ConnectionEvent>,
    /// The queues have grown for what comes once, at the beginning: when they are empty, their memory goes back.
    grown: bool,
}

impl Services {
    /// Before the first key exchange.
    pub fn new(role: Role, config: ServiceConfig) -> Self {
        Services {
            role,
            connection: ConnectionLayer::new(role, config.connection.clone()),
            config,
            authentication: Authentication::NotKeyed,
            user: None,
            attempt_user: String::new(),
            out: PayloadQueue::new(),
            events: VecDeque::new(),
            client_events: VecDeque::new(),
            server_events: VecDeque::new(),
            connection_events: VecDeque::new(),
            grown: false,
        }
    }

    /// Whether a user is in.
    pub fn is_authenticated(&self) -> bool {
        self.user.is_some()
    }

    /// Server: whether an attempt to log in has failed.
    pub fn has_failures(&self) -> bool {
        matches!(&self.authentication, Authentication::Server(auth) if auth.has_failures())
    }

    /// Server: whether all there is to say can leave with the application's answer to an open question. SERVICE_ACCEPT can: its client
    /// has asked the next thing without waiting for it.
    pub fn says_all_with_answer(&self) -> bool {
        let accepts = |payload: &[u8]| payload.first() == Some(&MessageNumber::SERVICE_ACCEPT.0);
        matches!(&self.authentication, Authentication::Server(auth) if auth.is_asking())
            && !self.out.is_empty()
            && self.out.all(accepts)
    }

    /// Who is in.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Takes note of what happened below and passes it on.
    pub fn transport_event(
        &mut self,
        event: TransportEvent,
        transport: &TransportLayer,
        now: Instant,
    ) {
        match &event {
            TransportEvent::Keyed { first: true, .. } => self.keyed(transport, now),
            TransportEvent::Extensions => self.extensions(transport),
            _ => {}
        }
        self.events.push_back(Event::Transport(event));
    }

    fn keyed(&mut self, transport: &TransportLayer, now: Instant) {
        let habits = transport.peer_ident().map(PeerHabits::of);
        self.connection.set_habits(habits.unwrap_or_default());
        let session_id = transport.session_id().unwrap_or_default();
        self.authentication = match self.role {
            Role::Client => Authentication::Client(Box::new(ClientAuth::new(
                session_id,
                Arc::clone(&self.config.signature_algorithms),
            ))),
            Role::Server => {
                let config = self.config.server_auth.clone();
                let mut auth = ServerAuth::new(config, session_id, now);
                auth.set_host_key(transport.host_key_blob().map(<[u8]>::to_vec));
                Authentication::Server(Box::new(auth))
            }
        };
        self.extensions(transport);
    }

    fn extensions(&mut self, transport: &TransportLayer) {
        if let (Authentication::Client(auth), Some(peer)) =
            (&mut self.authentication, transport.peer_extensions())
        {
            auth.set_server_sig_algs(peer.server_sig_algs.clone());
            let host_key = transport.host_key_blob();
            let host_key = host_key.filter(|_| peer.publickey_hostbound);
            auth.set_hostbound(host_key.map(<[u8]>::to_vec));
        }
    }

    /// Takes a payload that the transport layer let through, from the packet of this sequence number.
    pub fn handle(
        &mut self,
        payload: &[u8],
        sequence: u32,
        now: Instant,
        sink: &mut dyn DataSink,
    ) -> Result<(), Error> {
        let number = MessageNumber(payload.first().copied().unwrap_or_default());
        let phase = if self.is_authenticated() {
            Phase::Connection
        } else {
            Phase::Auth
        };
        match allowed(self.role, phase, number) {
            Verdict::Allowed => {}
            Verdict::Unexpected => return Err(PeerMisbehaved::UnexpectedMessage(number).into()),
            Verdict::Unimplemented => return self.reply(Unimplemented { sequence }.encode()),
        }
        if number >= MessageNumber::GLOBAL_REQUEST {
            let events = &mut self.connection_events;
            let outcome = self
                .connection
                .handle(payload, now, &mut self.out, events, sink);
            self.collect();
            return outcome;
        }
        let outcome = match &mut self.authentication {
            Authentication::NotKeyed => Err(PeerMisbehaved::UnexpectedMessage(number).into()),
            Authentication::Client(auth) => {
                auth.handle(payload, &mut self.out, &mut self.client_events)
            }
            Authentication::Server(auth) => {
                auth.handle(payload, now, &mut self.out, &mut self.server_events)
            }
        };
        self.collect();
        outcome
    }

    /// Moves the events of the layers into one queue, and sees who got in.
    fn collect(&mut self) {
        while let Some(event) = self.client_events.pop_front() {
            if matches!(event, ClientAuthEvent::Outcome(Ok(AuthOutcome::Success))) {
                self.user = Some(self.attempt_user.clone());
                self.grown = true;
            }
            self.events.push_back(Event::ClientAuth(event));
        }
        while let Some(event) = self.server_events.pop_front() {
            if let ServerAuthEvent::Authenticated { user, .. } = &event {
                self.user = Some(user.clone());
                self.grown = true;
            }
            self.events.push_back(Event::ServerAuth(event));
        }
        for event in self.connection_events.drain(..) {
            self.grown |= matches!(event, ConnectionEvent::HostKeys { .. });
            self.events.push_back(Event::Connection(event));
        }
    }

    /// Queues a reply of the transport layer behind what waits already.
    pub fn reply(&mut self, payload: Vec<u8>) -> Result<(), Error> {
        if self.out.len_bytes().saturating_add(payload.len()) > MAX_REPLIES_BYTES {
            return Err(Error::Limit("replies waiting to be sent"));
        }
        self.out.push_vec(payload);
        Ok(())
    }

    /// Refuses to go on when the peer makes us hold more replies than the bound.
    pub fn check_bound(&self) -> Result<(), Error> {
        if self.out.len_bytes() > MAX_REPLIES_BYTES {
            return Err(Error::Limit("replies waiting to be sent"));
        }
        Ok(())
    }

    /// Client: begins an attempt.
    pub fn authenticate(&mut self, user: &str, method: ClientMethod) -> Result<(), Error> {
        if self.is_authenticated() {
            return Err(Error::ApiMisuse("already authenticated"));
        }
        self.with_client(|auth, out, events| auth.start(user, method, out, events))?;
        user.clone_into(&mut self.attempt_user);
        Ok(())
    }

    /// Client: answers the prompts of keyboard-interactive; `None` declines.
    pub fn answer_prompts(
        &mut self,
        answers: Option<Vec<Zeroizing<Vec<u8>>>>,
    ) -> Result<(), Error> {
        self.with_client(|auth, out, events| match answers {
            Some(answers) => auth.answer_prompts(answers, out),
            None => auth.refuse_prompts(events),
        })
    }

    /// Client: hands in the signature of a job, or why there is none.
    pub fn provide_signature(
        &mut self,
        job: u64,
        signature: Result<Vec<u8>, Error>,
    ) -> Result<(), Error> {
        self.with_client(|auth, out, events| auth.provide_signature(job, signature, out, events))
    }

    /// Client: the caller no longer waits; late answers to its attempt are swallowed.
    pub fn abandon_attempt(&mut self) {
        if let Authentication::Client(auth) = &mut self.authentication {
            auth.abandon();
        }
    }

    /// Server: answers a question of authentication.
    pub fn answer_auth(
        &mut self,
        question: u64,
        decision: AuthDecision,
        now: Instant,
    ) -> Result<(), Error> {
        self.with_server(|auth, out, events| auth.answer(question, decision, now, out, events))
    }

    /// Server: shows the user whom an open question is about a text.
    pub fn send_banner(&mut self, question: u64, text: &str) -> Result<(), Error> {
        self.with_server(|auth, out, _| auth.send_banner(question, text, out))
    }

    /// Server: hands in whether a signature was good.
    pub fn verified(&mut self, job: u64, good: bool, now: Instant) -> Result<(), Error> {
        self.with_server(|auth, out, events| auth.verified(job, good, now, out, events))
    }

    fn with_client<R>(
        &mut self,
        run: impl FnOnce(
            &mut ClientAuth,
            &mut PayloadQueue,
            &mut VecDeque<ClientAuthEvent>,
        ) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let result = match &mut self.authentication {
            Authentication::Client(auth) => run(auth, &mut self.out, &mut self.client_events),
            Authentication::Server(_) => Err(Error::ApiMisuse("not a client")),
            Authentication::NotKeyed => Err(Error::ApiMisuse("key exchange is not finished")),
        };
        self.collect();
        result
    }

    fn with_server<R>(
        &mut self,
        run: impl FnOnce(
            &mut ServerAuth,
            &mut PayloadQueue,
            &mut VecDeque<ServerAuthEvent>,
        ) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let result = match &mut self.authentication {
            Authentication::Server(auth) => run(auth, &mut self.out, &mut self.server_events),
            Authentication::Client(_) => Err(Error::ApiMisuse("not a server")),
            Authentication::NotKeyed => Err(Error::ApiMisuse("key exchange is not finished")),
        };
        self.collect();
        result
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.authentication {
            Authentication::Server(auth) if self.user.is_none() => auth.poll_timeout(),
            _ => None,
        }
    }

    /// Lets time pass: login grace.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        match &mut self.authentication {
            Authentication::Server(auth) if self.user.is_none() => auth.handle_timeout(now),
            _ => Ok(()),
        }
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if event.is_none() && self.grown {
            self.shrink();
        }
        event
    }

    /// How many events there is room for.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.events.capacity()
            + self.client_events.capacity()
            + self.server_events.capacity()
            + self.connection_events.capacity()
    }

    /// Gives back the memory that the queues keep for more events.
    pub fn shrink(&mut self) {
        self.grown = false;
        self.events.shrink_to_fit();
        self.client_events.shrink_to_fit();
        self.server_events.shrink_to_fit();
        self.connection_events.shrink_to_fit();
    }
}
