//! The side that is judged: an endpoint, with an application that does this and that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use zeroize::Zeroizing;

use super::dice::Dice;
use super::peer::{victims_config, Setting};
use crate::auth::{
    AuthDecision, AuthQuestionKind, ClientAuthEvent, ClientMethod, Prompt, Prompts, ServerAuthEvent,
};
use crate::connection::{
    ChannelId, ChannelRequest, ConnectionEvent, ConnectionLimits, GlobalRequestId, OpenKind,
    OpenRefusal, OpenRefusalReason, ReadOutcome, RequestId, Stream,
};
use crate::crypto::algorithms;
use crate::crypto::random::SeededRandom;
use crate::endpoint::{Endpoint, Event, ServiceConfig, Services};
use crate::error::Error;
use crate::keys::{KeyKind, PrivateKey};
use crate::messages::Role;

const METHODS: [&str; 3] = ["password", "publickey", "keyboard-interactive"];

fn user_key() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        PrivateKey::generate(KeyKind::Ed25519, 0, &mut SeededRandom::new(2)).unwrap()
    })
    .clone()
}

/// What a question is about, as far as it decides what may be answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Query,
    Dialogue,
    Other,
}

pub(super) struct Victim {
    pub(super) endpoint: Endpoint,
    role: Role,
    record: Arc<Mutex<Vec<Vec<u8>>>>,
    /// How much of the record was looked at.
    looked_at: usize,
    questions: Vec<(u64, Asked)>,
    opens: Vec<ChannelId>,
    requests: Vec<(ChannelId, RequestId)>,
    globals: Vec<GlobalRequestId>,
    prompts: Option<usize>,
    /// Channels that were opened.
    channels: Vec<ChannelId>,
    /// Bytes that the application has read.
    pub(super) read: BTreeMap<u32, usize>,
    /// Channels that the application has closed.
    pub(super) closed: BTreeSet<u32>,
    /// The application has let the user in.
    pub(super) decided: bool,
    /// An answer about a user has ended the connection.
    pub(super) ended: Option<Error>,
}

impl Victim {
    pub(super) fn new(setting: &Setting, now: Instant) -> Self {
        let mut services = ServiceConfig {
            signature_algorithms: algorithms::user_signatures(),
            connection: ConnectionLimits {
                window_initial: 3000,
                window_max: 20_000,
                max_packet: 1000,
                ..ConnectionLimits::default()
            },
            ..ServiceConfig::default()
        };
        let auth = &mut services.server_auth;
        auth.methods = METHODS.map(str::to_owned).to_vec();
        // No RFC bounds them but by SHOULD and MAY, and sequences are short.
        (auth.max_failures, auth.max_key_queries, auth.max_requests) = (1000, 1000, 1000);
        let transport = Arc::new(victims_config(setting));
        let random = Box::new(SeededRandom::new(11));
        let mut endpoint = Endpoint::new(transport, services, random);
        let record = endpoint.record_sent();
        endpoint.start(now).unwrap();
        Victim {
            endpoint,
            role: setting.victim,
            record,
            looked_at: 0,
            questions: Vec::new(),
            opens: Vec::new(),
            requests: Vec::new(),
            globals: Vec::new(),
            prompts: None,
            channels: Vec::new(),
            read: BTreeMap::new(),
            closed: BTreeSet::new(),
            decided: false,
            ended: None,
        }
    }

    /// What it has said since the last call.
    pub(super) fn said(&mut self) -> Vec<Vec<u8>> {
        let record = self.record.lock().unwrap();
        let new = record[self.looked_at..].to_vec();
        self.looked_at = record.len();
        new
    }

    /// Takes note of what happened.
    pub(super) fn listen(&mut self, now: Instant) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Transport(_) => {}
                Event::ClientAuth(event) => self.client_event(event),
                Event::ServerAuth(event) => self.server_event(event, now),
                Event::Connection(event) => self.connection_event(event),
            }
        }
    }

    fn client_event(&mut self, event: ClientAuthEvent) {
        match event {
            ClientAuthEvent::Sign(job) => {
                let signature = job.key.sign(job.algorithm, &job.data);
                let services = self.endpoint.services();
                // Somebody may have given the attempt up.
                let _ = services.provide_signature(job.id, signature);
            }
            ClientAuthEvent::Prompts(prompts) => self.prompts = Some(prompts.prompts.len()),
            _ => {}
        }
    }

    fn server_event(&mut self, event: ServerAuthEvent, now: Instant) {
        match event {
            ServerAuthEvent::Question(question) => {
                let asked = match question.kind {
                    AuthQuestionKind::KeyAsked { .. } => Asked::Query,
                    AuthQuestionKind::InteractiveStart { .. }
                    | AuthQuestionKind::InteractiveAnswers { .. } => Asked::Dialogue,
                    _ => Asked::Other,
                };
                self.questions.push((question.id, asked));
            }
            ServerAuthEvent::Verify(job) => {
                let good = job.is_good();
                let outcome = self.endpoint.services().verified(job.id, good, now);
                self.keep(outcome);
            }
            ServerAuthEvent::Authenticated { .. } => self.decided = true,
            ServerAuthEvent::KeyRefused { .. } => {}
        }
    }

    fn connection_event(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::OpenQuestion { id, .. } => self.opens.push(id),
            ConnectionEvent::Opened(id) => self.channels.push(id),
            ConnectionEvent::RequestQuestion { id, request_id, .. } => {
                self.requests.push((id, request_id));
            }
            ConnectionEvent::GlobalQuestion { id, .. }
            | ConnectionEvent::ForwardQuestion { id, .. }
            | ConnectionEvent::ProveHostKeys { id, .. } => self.globals.push(id),
            _ => {}
        }
    }

    /// Gives a command. What is wrong with it concerns the command alone.
    fn command<R>(
        &mut self,
        now: Instant,
        run: impl FnOnce(&mut Services) -> Result<R, Error>,
    ) -> Option<R> {
        self.endpoint.command(now, run).ok()
    }

    /// Errors of authentication end the connection, apart from those of misuse.
    fn keep(&mut self, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) | Err(Error::ApiMisuse(_)) => {}
            Err(error) => self.ended = Some(error),
        }
    }

    /// Does something that an application of its role may do. Tells what.
    pub(super) fn act(&mut self, dice: &mut Dice, now: Instant) -> &'static str {
        if dice.roll(12) == 0 {
            // An error shows itself at the next call.
            let _ = self.endpoint.rekey(now);
            return "begins a key exchange";
        }
        match (self.endpoint.services().is_authenticated(), self.role) {
            (false, Role::Client) => self.log_in(dice, now),
            (false, Role::Server) => {
                self.decide(dice, now);
                "decides about a user"
            }
            (true, _) => match dice.roll(8) {
                0 | 1 => self.answer(dice, now),
                2 if self.role == Role::Client => {
                    self.command(now, |services| {
                        services
                            .connection
                            .open(OpenKind::Session, &mut services.out)
                    });
                    "opens a session"
                }
                3 => {
                    let want_reply = dice.roll(3) > 0;
                    self.command(now, |services| {
                        services.connection.global_request(
                            "x@example.com",
                            b"",
                            want_reply,
                            &mut services.out,
                        )
                    });
                    "makes a global request"
                }
                _ => self.use_channel(dice, now),
            },
        }
    }

    fn log_in(&mut self, dice: &mut Dice, now: Instant) -> &'static str {
        if let Some(prompts) = self.prompts.take() {
            let answers = vec![Zeroizing::new(b"secret".to_vec()); prompts];
            let answers = (dice.roll(4) > 0).then_some(answers);
            self.command(now, |services| services.answer_prompts(answers));
            return "answers prompts, or does not";
        }
        if dice.roll(10) == 0 {
            self.endpoint.services().abandon_attempt();
            return "gives an attempt up";
        }
        let method = match dice.roll(5) {
            0 => ClientMethod::None,
            1 => ClientMethod::Password {
                password: Zeroizing::new(b"secret".to_vec()),
                fallback: dice.roll(2) == 0,
            },
            2 | 3 => ClientMethod::PublicKey {
                key: user_key().into(),
                probe: dice.roll(3) > 0,
            },
            _ => ClientMethod::KeyboardInteractive {
                submethods: String::new(),
            },
        };
        self.command(now, |services| services.authenticate("user", method));
        "logs in"
    }

    /// Answers the oldest question about a user.
    fn decide(&mut self, dice: &mut Dice, now: Instant) {
        if self.questions.is_empty() {
            return;
        }
        let (id, asked) = self.questions.remove(0);
        let prompts = Prompts {
            prompts: vec![
                Prompt {
                    text: "Password: ".to_owned(),
                    echo: false,
                };
                dice.roll(3)
            ],
            ..Prompts::default()
        };
        let methods = METHODS.map(str::to_owned).to_vec();
        let decision = match dice.roll(6) {
            0 => AuthDecision::Refuse,
            1 => AuthDecision::Partial { methods },
            2 | 3 if asked == Asked::Dialogue => AuthDecision::Prompts(prompts),
            _ => AuthDecision::Accept,
        };
        let outcome = self
            .endpoint
            .command(now, |services| services.answer_auth(id, decision, now));
        self.keep(outcome);
    }

    /// Answers one thing that the peer wants.
    fn answer(&mut self, dice: &mut Dice, now: Instant) -> &'static str {
        let yes = dice.roll(4) > 0;
        if let Some(id) = take(&mut self.opens, dice) {
            let refusal = OpenRefusal::new(OpenRefusalReason::CONNECT_FAILED, "no");
            let decision = if yes { Ok(()) } else { Err(refusal) };
            self.channels.push(id);
            self.command(now, |services| {
                services
                    .connection
                    .answer_open(id, decision, &mut services.out)
            });
            return "answers an open";
        }
        if let Some((id, request)) = take(&mut self.requests, dice) {
            self.command(now, |services| {
                services
                    .connection
                    .answer_request(id, request, yes, &mut services.out)
            });
            return "answers a request";
        }
        if let Some(id) = take(&mut self.globals, dice) {
            let answer = if yes {
                Ok(b"\0\0\x08\xae".to_vec())
            } else {
                Err(())
            };
            self.command(now, |services| {
                services
                    .connection
                    .answer_global(id, answer, &mut services.out)
            });
            return "answers a global request";
        }
        "has nothing to answer"
    }

    fn use_channel(&mut self, dice: &mut Dice, now: Instant) -> &'static str {
        let id = match self.channels.as_slice() {
            [_, ..] if dice.roll(10) > 0 => *dice.pick(&self.channels),
            _ => ChannelId(dice.roll(4) as u32),
        };
        match dice.roll(8) {
            0 | 1 => {
                self.read(id, now);
                "reads"
            }
            2 | 3 => {
                let data = vec![7; dice.roll(3000)];
                // A client has no stderr to write.
                let stderr = self.role == Role::Server && dice.roll(3) == 0;
                let stream = if stderr { Stream::Stderr } else { Stream::Data };
                let _ = self.endpoint.write(id, stream, &data);
                "writes"
            }
            4 | 5 => {
                let want_reply = dice.roll(3) > 0;
                self.command(now, |services| {
                    services.connection.request(
                        id,
                        &ChannelRequest::Exec(b"x".to_vec()),
                        want_reply,
                        &mut services.out,
                    )
                });
                "makes a request"
            }
            6 => {
                self.command(now, |services| {
                    services.connection.eof(id, &mut services.out)
                });
                "says EOF"
            }
            _ => {
                self.closed.insert(id.0);
                let release = dice.roll(2) == 0;
                self.command(now, |services| {
                    let (connection, out) = (&mut services.connection, &mut services.out);
                    if release {
                        connection.release(id, out);
                        return Ok(());
                    }
                    connection.close(id, out)
                });
                "closes"
            }
        }
    }

    /// Reads all that is there.
    pub(super) fn read(&mut self, id: ChannelId, now: Instant) {
        for stream in [Stream::Data, Stream::Stderr] {
            let mut buffer = [0; 4000];
            loop {
                let services = self.endpoint.services();
                let (connection, out) = (&mut services.connection, &mut services.out);
                match connection.read(id, stream, &mut buffer, now, out) {
                    Ok(ReadOutcome::Data(count)) => {
                        *self.read.entry(id.0).or_default() += count;
                    }
                    _ => break,
                }
            }
        }
        self.command(now, |_| Ok(()));
    }

    /// Answers all that is asked.
    pub(super) fn answer_all(&mut self, dice: &mut Dice, now: Instant) {
        for _ in 0..1000 {
            self.listen(now);
            let before = (self.opens.len(), self.requests.len(), self.globals.len());
            if before == (0, 0, 0) && self.questions.is_empty() {
                return;
            }
            self.decide(dice, now);
            self.answer(dice, now);
        }
    }
}

fn take<T>(from: &mut Vec<T>, dice: &mut Dice) -> Option<T> {
    let at = dice.roll(from.len());
    (!from.is_empty()).then(|| from.swap_remove(at))
}
