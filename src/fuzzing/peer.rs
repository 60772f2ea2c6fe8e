//! An endpoint with an application that does as it is asked, for the targets that run whole sessions in memory.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arbitrary::Unstructured;
use zeroize::Zeroizing;

use super::auth::user_key;
use super::connection::{limits, Asked};
use super::number;
use crate::auth::{AuthDecision, AuthQuestionKind, ClientAuthEvent, ClientMethod, ServerAuthEvent};
use crate::connection::{ChannelId, ChannelRequest, OpenKind, Stream};
use crate::crypto::algorithms::{self, name};
use crate::crypto::random::SeededRandom;
use crate::endpoint::{Endpoint, Event, ServiceConfig};
use crate::error::Error;
use crate::keys::{KeyKind, PrivateKey};
use crate::messages::Role;
use crate::packet::RekeyLimits;
use crate::transport::{TransportConfig, TransportEvent};

fn host_key() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        PrivateKey::generate(KeyKind::Ed25519, 0, &mut SeededRandom::new(1)).unwrap()
    })
    .clone()
}

/// The same on every machine, so that recorded sessions are too.
fn config(role: Role, compressed: bool) -> TransportConfig {
    let mut config = TransportConfig::new(role);
    config.software = "fuzzed".into();
    config.preferences.kex = vec![name::CURVE25519_SHA256, name::ECDH_SHA2_NISTP256];
    config.preferences.host_key = vec![name::SSH_ED25519];
    config.preferences.cipher = vec![name::AES128_GCM, name::AES128_CTR];
    config.preferences.mac = vec![name::HMAC_SHA2_256_ETM];
    config.preferences.compression = match compressed {
        true => vec![name::ZLIB_OPENSSH],
        false => vec![name::NONE],
    };
    config.rekey = RekeyLimits {
        packets: 200,
        ..RekeyLimits::default()
    };
    if role == Role::Server {
        config.host_keys = vec![host_key()];
    }
    config
}

/// One side.
pub(super) struct Peer {
    pub(super) endpoint: Endpoint,
    pub(super) role: Role,
    pub(super) asked: Asked,
    pub(super) keyed: bool,
    pub(super) authenticated: bool,
    pub(super) failed: Option<Error>,
    questions: Vec<(u64, AuthDecision)>,
    /// How far a client has got by [`serve`](Self::serve).
    stage: u8,
}

impl Peer {
    /// A side that has said its identification line.
    pub(super) fn new(role: Role, compressed: bool, now: Instant) -> Self {
        let seed = match role {
            Role::Client => 11,
            Role::Server => 12,
        };
        let mut services = ServiceConfig {
            signature_algorithms: algorithms::user_signatures(),
            connection: limits(),
            ..ServiceConfig::default()
        };
        services.server_auth.methods = vec!["password".to_owned(), "publickey".to_owned()];
        let transport = Arc::new(config(role, compressed));
        let mut peer = Peer {
            endpoint: Endpoint::new(transport, services, Box::new(SeededRandom::new(seed))),
            role,
            asked: Asked::default(),
            keyed: false,
            authenticated: false,
            failed: None,
            questions: Vec::new(),
            stage: 0,
        };
        let started = peer.endpoint.start(now);
        peer.keep(started);
        peer
    }

    /// Remembers what ended the connection.
    pub(super) fn keep(&mut self, outcome: Result<(), Error>) {
        if let (Err(error), None) = (outcome, &self.failed) {
            self.failed = Some(error);
        }
    }

    /// Takes bytes, and does what they ask for.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) {
        if self.failed.is_none() {
            let outcome = self.endpoint.receive(bytes, now);
            self.keep(outcome);
        }
        self.drive(now);
    }

    /// Looks at what happened, as an application does that lets its friends in.
    pub(super) fn drive(&mut self, now: Instant) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Transport(TransportEvent::Keyed { .. }) => self.keyed = true,
                Event::Transport(TransportEvent::BannerLine(line)) => assert!(line.len() < 65536),
                Event::Transport(TransportEvent::Debug { message, .. }) => {
                    assert!(message.len() < 8192);
                }
                Event::Transport(_) => {}
                Event::ClientAuth(event) => self.client_event(event),
                Event::ServerAuth(event) => self.server_event(event, now),
                Event::Connection(event) => self.asked.hear(event),
            }
        }
        let questions = std::mem::take(&mut self.questions);
        if questions.is_empty() {
            return self.check();
        }
        for (id, decision) in questions {
            let outcome = self
                .endpoint
                .command(now, |services| services.answer_auth(id, decision, now));
            self.settle(outcome);
        }
        // What comes of the answers.
        self.drive(now);
    }

    /// An error of a command is the application's, unless the endpoint is dead by it.
    fn settle(&mut self, outcome: Result<(), Error>) {
        if !matches!(outcome, Err(Error::ApiMisuse(_))) {
            self.keep(outcome);
        }
    }

    fn check(&mut self) {
        let user = self.endpoint.services().is_authenticated();
        assert!(!user || self.keyed, "somebody is in before there are keys");
        assert!(
            !user || self.authenticated,
            "somebody is in whom nobody let in"
        );
    }

    fn client_event(&mut self, event: ClientAuthEvent) {
        match event {
            ClientAuthEvent::Sign(job) => {
                let signature = job.key.sign(job.algorithm, &job.data);
                let services = self.endpoint.services();
                let _ = services.provide_signature(job.id, signature);
            }
            ClientAuthEvent::Prompts(_) => {
                let _ = self.endpoint.services().answer_prompts(None);
            }
            ClientAuthEvent::Outcome(Ok(crate::auth::AuthOutcome::Success)) => {
                self.authenticated = true;
            }
            _ => {}
        }
    }

    fn server_event(&mut self, event: ServerAuthEvent, now: Instant) {
        match event {
            ServerAuthEvent::Question(question) => {
                let good = match &question.kind {
                    AuthQuestionKind::Password(password) => password.as_slice() == b"secret",
                    AuthQuestionKind::KeyAsked { key, .. }
                    | AuthQuestionKind::KeyProven { key, .. } => key == user_key().public(),
                    _ => false,
                };
                let decision = match good {
                    true => AuthDecision::Accept,
                    false => AuthDecision::Refuse,
                };
                self.questions.push((question.id, decision));
            }
            ServerAuthEvent::Verify(job) => {
                let good = job.is_good();
                let outcome = self
                    .endpoint
                    .command(now, |services| services.verified(job.id, good, now));
                self.settle(outcome);
            }
            ServerAuthEvent::Authenticated { .. } => self.authenticated = true,
            ServerAuthEvent::KeyRefused { .. } => {}
        }
    }

    /// What the application does when left alone: a client logs in and has a command run, a server agrees to all.
    pub(super) fn serve(&mut self, now: Instant) {
        self.drive(now);
        if self.failed.is_some() {
            return;
        }
        if self.role == Role::Client && self.keyed && self.stage == 0 {
            self.stage = 1;
            self.log_in(3, now);
        }
        let (asked, stage) = (&mut self.asked, &mut self.stage);
        let role = self.role;
        let outcome = self.endpoint.command(now, |services| {
            if !services.is_authenticated() {
                return Ok(());
            }
            let (connection, out) = (&mut services.connection, &mut services.out);
            if role == Role::Client && *stage == 1 {
                *stage = 2;
                connection.open(OpenKind::Session, out)?;
            }
            let opened = connection
                .status(ChannelId(0))
                .is_some_and(|status| status.open);
            if role == Role::Client && *stage == 2 && opened {
                *stage = 3;
                let command = ChannelRequest::Exec(b"work".to_vec());
                connection.request(ChannelId(0), &command, true, out)?;
            }
            // Whether it is still there when it is answered is for the layer to say.
            while let Some(id) = asked.opens.pop_front() {
                let _ = connection.answer_open(id, Ok(()), out);
            }
            while let Some((id, request)) = asked.requests.pop_front() {
                let _ = connection.answer_request(id, request, true, out);
            }
            while let Some(id) = asked.globals.pop_front() {
                let _ = connection.answer_global(id, Err(()), out);
            }
            Ok(())
        });
        self.settle(outcome);
        self.drive(now);
    }

    /// Something that the application wants: to log in, a command of the connection, to write, new keys.
    pub(super) fn act(&mut self, input: &mut Unstructured<'_>, now: Instant) {
        if self.failed.is_some() {
            return;
        }
        match number::<u8>(input) % 6 {
            0 => self.log_in(number(input), now),
            1 => {
                let outcome = self.endpoint.rekey(now);
                self.keep(outcome);
            }
            2 => {
                let data = vec![7; usize::from(number::<u16>(input)) % 8192];
                let id = ChannelId(u32::from(number::<u8>(input)) % 4);
                // A channel that is not there, or closed.
                let _ = self.endpoint.write(id, Stream::Data, &data);
                let outcome = self.endpoint.command(now, |_| Ok(()));
                self.keep(outcome);
            }
            _ => {
                let asked = &mut self.asked;
                let outcome = self.endpoint.command(now, |services| {
                    if services.is_authenticated() {
                        // Misuse is refused; the rest is for the endpoint to see.
                        let _ =
                            asked.command(input, &mut services.connection, &mut services.out, now);
                    }
                    Ok(())
                });
                self.keep(outcome);
            }
        }
        self.drive(now);
    }

    /// Client: begins to log in.
    pub(super) fn log_in(&mut self, choice: u8, now: Instant) {
        let method = match choice % 4 {
            0 => ClientMethod::None,
            1 => ClientMethod::PublicKey {
                key: user_key().into(),
                probe: choice & 4 != 0,
            },
            2 => ClientMethod::KeyboardInteractive {
                submethods: String::new(),
            },
            _ => ClientMethod::Password {
                password: Zeroizing::new(b"secret".to_vec()),
                fallback: choice & 4 != 0,
            },
        };
        // A server can't, and a client can't twice.
        let _ = self
            .endpoint
            .command(now, |services| services.authenticate("user", method));
        self.drive(now);
    }
}
