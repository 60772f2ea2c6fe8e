//! Dialogues of a client and a server in memory, and each of them against scripted bytes.

mod certificates;
mod client_attacks;
mod dialogues;
mod hostbound;
mod publickey_attacks;
mod server_attacks;

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::{
    AuthDecision, AuthOutcome, AuthQuestionKind, ClientAuth, ClientAuthEvent, ClientMethod, Prompt,
    Prompts, ServerAuth, ServerAuthConfig, ServerAuthEvent,
};
use crate::codec::Writer;
use crate::crypto::random::Random;
use crate::error::{Error, PeerMisbehaved};
use crate::keys::{KeyKind, Permissions, PrivateKey};
use crate::messages::userauth::{MethodFields, UserauthFailure, UserauthRequest};
use crate::messages::MessageNumber;
use crate::packet::PayloadQueue;

const ED25519: &str = "ssh-ed25519";
const SESSION_ID: &[u8] = b"the session identifier";
const SIG_ALGS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

struct TestRandom;
impl Random for TestRandom {
    fn fill(&mut self, out: &mut [u8]) {
        getrandom::fill(out).unwrap();
    }
}

fn new_key(kind: KeyKind) -> PrivateKey {
    let bits = if kind == KeyKind::Rsa { 2048 } else { 0 };
    PrivateKey::generate(kind, bits, &mut TestRandom).unwrap()
}

fn key_a() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| new_key(KeyKind::Ed25519)).clone()
}

fn key_b() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| new_key(KeyKind::Ed25519)).clone()
}

fn key_rsa() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| new_key(KeyKind::Rsa)).clone()
}

fn config() -> ServerAuthConfig {
    ServerAuthConfig {
        methods: ["publickey", "password", "keyboard-interactive"]
            .map(String::from)
            .to_vec(),
        ..ServerAuthConfig::default()
    }
}

fn secret(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

fn password(text: &str) -> ClientMethod {
    ClientMethod::Password {
        password: secret(text),
        fallback: false,
    }
}

fn publickey(key: PrivateKey, probe: bool) -> ClientMethod {
    let key = key.into();
    ClientMethod::PublicKey { key, probe }
}

fn interactive() -> ClientMethod {
    ClientMethod::KeyboardInteractive {
        submethods: String::new(),
    }
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn partial(list: &[&str]) -> AuthDecision {
    AuthDecision::Partial {
        methods: names(list),
    }
}

fn prompts(list: &[(&str, bool)]) -> Prompts {
    let prompt = |(text, echo): &(&str, bool)| Prompt {
        text: (*text).to_owned(),
        echo: *echo,
    };
    Prompts {
        name: "title".into(),
        instruction: "do".into(),
        prompts: list.iter().map(prompt).collect(),
    }
}

/// A question as a line that a test can compare.
fn describe(user: &str, kind: &AuthQuestionKind) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match kind {
        AuthQuestionKind::Methods => format!("{user}: methods"),
        AuthQuestionKind::None => format!("{user}: none"),
        AuthQuestionKind::Password(password) => format!("{user}: password {}", text(password)),
        AuthQuestionKind::KeyAsked { key, algorithm, .. } => {
            format!("{user}: asked {algorithm} {}", key.fingerprint())
        }
        AuthQuestionKind::KeyProven { key, algorithm, .. } => {
            format!("{user}: proven {algorithm} {}", key.fingerprint())
        }
        AuthQuestionKind::InteractiveStart { submethods } => {
            format!("{user}: interactive [{submethods}]")
        }
        AuthQuestionKind::InteractiveAnswers { answers } => {
            let answers: Vec<String> = answers.iter().map(|answer| text(answer)).collect();
            format!("{user}: answers [{}]", answers.join(","))
        }
    }
}

/// A server on its own, fed by hand.
struct Server {
    auth: ServerAuth,
    now: Instant,
    out: PayloadQueue,
    events: VecDeque<ServerAuthEvent>,
}

impl Server {
    fn fresh(config: ServerAuthConfig) -> Self {
        let now = Instant::now();
        Server {
            auth: ServerAuth::new(config, SESSION_ID, now),
            now,
            out: PayloadQueue::new(),
            events: VecDeque::new(),
        }
    }

    /// A server whose service was asked for.
    fn with(config: ServerAuthConfig) -> Self {
        let mut server = Server::fresh(config);
        server.handle(&service_request("ssh-userauth")).unwrap();
        assert_eq!(
            server.out.pop().unwrap(),
            b"\x06\0\0\0\x0cssh-userauth".to_vec()
        );
        server
    }

    fn new() -> Self {
        Server::with(config())
    }

    fn handle(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.auth
            .handle(payload, self.now, &mut self.out, &mut self.events)
    }

    fn answer(&mut self, id: u64, decision: AuthDecision) -> Result<(), Error> {
        self.auth
            .answer(id, decision, self.now, &mut self.out, &mut self.events)
    }

    /// Does the verification that is waited for.
    fn verify(&mut self) -> Result<(), Error> {
        let Some(ServerAuthEvent::Verify(job)) = self.events.pop_front() else {
            panic!("no signature to verify");
        };
        let good = job.is_good();
        self.auth
            .verified(job.id, good, self.now, &mut self.out, &mut self.events)
    }

    /// The next event, which must be a question: its number and description.
    fn question(&mut self) -> (u64, String) {
        match self.events.pop_front() {
            Some(ServerAuthEvent::Question(question)) => {
                (question.id, describe(&question.user, &question.kind))
            }
            _ => panic!("no question"),
        }
    }

    /// Feeds a request, answers the question that must come of it, and takes the one reply.
    fn ask(&mut self, payload: &[u8], decision: AuthDecision) -> Vec<u8> {
        self.handle(payload).unwrap();
        let (id, _) = self.question();
        self.answer(id, decision).unwrap();
        self.reply()
    }

    /// The next reply.
    fn reply(&mut self) -> Vec<u8> {
        self.out.pop().expect("a reply")
    }

    /// Nothing else was said or asked, and nobody was let in.
    fn assert_quiet(&self) {
        assert!(self.out.is_empty(), "unexpected reply");
        assert!(self.events.is_empty(), "unexpected event");
        assert!(!self.auth.is_authenticated());
    }

    /// The only reply is a FAILURE without partial success, and nothing was asked.
    fn assert_refused(&mut self) {
        let reply = self.reply();
        let failure = UserauthFailure::decode(&reply).expect("FAILURE");
        assert!(!failure.partial_success);
        self.assert_quiet();
    }
}

/// A client and a server that talk until both wait.
struct Pair {
    client: ClientAuth,
    client_out: PayloadQueue,
    client_events: VecDeque<ClientAuthEvent>,
    server: Server,
    /// Questions that the server asked.
    asked: Vec<String>,
    /// What to decide, in order; refuse when there is nothing left.
    decisions: VecDeque<AuthDecision>,
    /// What to answer to prompts, in order.
    answers: VecDeque<Vec<&'static str>>,
    /// Prompts that the client showed.
    shown: Vec<Prompts>,
    banners: Vec<String>,
    /// Message numbers of the client and, marked, of the server.
    wire: Vec<String>,
    let_in: Vec<String>,
    /// What the one who was let in may do.
    permissions: Option<Permissions>,
}

impl Pair {
    fn with(config: ServerAuthConfig) -> Self {
        Pair {
            client: ClientAuth::new(SESSION_ID, SIG_ALGS.into()),
            client_out: PayloadQueue::new(),
            client_events: VecDeque::new(),
            server: Server::fresh(config),
            asked: Vec::new(),
            decisions: VecDeque::new(),
            answers: VecDeque::new(),
            shown: Vec::new(),
            banners: Vec::new(),
            wire: Vec::new(),
            let_in: Vec::new(),
            permissions: None,
        }
    }

    fn new(decisions: impl IntoIterator<Item = AuthDecision>) -> Self {
        let mut pair = Pair::with(config());
        pair.decisions.extend(decisions);
        pair
    }

    fn start(&mut self, user: &str, method: ClientMethod) -> Result<(), Error> {
        self.client
            .start(user, method, &mut self.client_out, &mut self.client_events)
    }

    /// Makes one attempt and gives its outcome.
    fn attempt(&mut self, user: &str, method: ClientMethod) -> Result<AuthOutcome, Error> {
        self.start(user, method)?;
        self.run()?.expect("an outcome")
    }

    /// Carries messages until nothing moves.
    fn run(&mut self) -> Result<Option<Result<AuthOutcome, Error>>, Error> {
        let mut outcome = None;
        loop {
            if let Some(payload) = self.client_out.pop() {
                self.wire.push(format!("{}", payload[0]));
                self.server.handle(&payload)?;
            } else if let Some(payload) = self.server.out.pop() {
                self.wire.push(format!("<{}", payload[0]));
                self.client
                    .handle(&payload, &mut self.client_out, &mut self.client_events)?;
            } else if let Some(event) = self.client_events.pop_front() {
                if let Some(ended) = self.client_event(event) {
                    assert!(outcome.is_none(), "two outcomes");
                    outcome = Some(ended);
                }
            } else if let Some(event) = self.server.events.pop_front() {
                self.server_event(event)?;
            } else {
                return Ok(outcome);
            }
        }
    }

    fn client_event(&mut self, event: ClientAuthEvent) -> Option<Result<AuthOutcome, Error>> {
        match event {
            ClientAuthEvent::Banner { message, .. } => self.banners.push(message),
            ClientAuthEvent::Prompts(asked) => {
                self.shown.push(asked);
                if let Some(answers) = self.answers.pop_front() {
                    let answers = answers.into_iter().map(secret).collect();
                    self.client
                        .answer_prompts(answers, &mut self.client_out)
                        .unwrap();
                }
            }
            ClientAuthEvent::Sign(job) => {
                let signature = job.key.sign(job.algorithm, &job.data);
                let (out, events) = (&mut self.client_out, &mut self.client_events);
                self.client
                    .provide_signature(job.id, signature, out, events)
                    .unwrap();
            }
            ClientAuthEvent::Outcome(outcome) => return Some(outcome),
        }
        None
    }

    fn server_event(&mut self, event: ServerAuthEvent) -> Result<(), Error> {
        match event {
            ServerAuthEvent::Question(question) => {
                self.asked.push(describe(&question.user, &question.kind));
                let decision = self.decisions.pop_front().unwrap_or(AuthDecision::Refuse);
                self.server.answer(question.id, decision)
            }
            ServerAuthEvent::Verify(job) => {
                self.server.events.push_front(ServerAuthEvent::Verify(job));
                self.server.verify()
            }
            ServerAuthEvent::KeyRefused { .. } => Ok(()),
            ServerAuthEvent::Authenticated {
                user,
                method,
                permissions,
            } => {
                self.permissions = permissions;
                self.let_in.push(format!("{user} by {method}"));
                Ok(())
            }
        }
    }
}

fn service_request(name: &str) -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(5).string(name);
    })
}

fn service_accept() -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(6).string("ssh-userauth");
    })
}

fn failure(methods: &[&str], partial: bool) -> Vec<u8> {
    Writer::collect(|w| UserauthFailure::encode(w, methods, partial))
}

fn request(user: &str, service: &str, method: &str, fields: &MethodFields<'_>) -> Vec<u8> {
    let fields = Writer::collect(|w| fields.encode(w));
    let request = UserauthRequest {
        user,
        service,
        method,
        fields: &fields,
    };
    Writer::collect(|w| request.encode(w))
}

fn none_request(user: &str) -> Vec<u8> {
    request(user, "ssh-connection", "none", &MethodFields::None)
}

fn password_request(user: &str, password: &[u8]) -> Vec<u8> {
    let fields = MethodFields::Password {
        password,
        new_password: None,
    };
    request(user, "ssh-connection", "password", &fields)
}

fn interactive_request(user: &str) -> Vec<u8> {
    let fields = MethodFields::KeyboardInteractive {
        language: b"",
        submethods: "",
    };
    request(user, "ssh-connection", "keyboard-interactive", &fields)
}

fn key_request(user: &str, algorithm: &str, blob: &[u8], signature: Option<&[u8]>) -> Vec<u8> {
    let fields = MethodFields::PublicKey {
        algorithm,
        blob,
        host_key: None,
        signature,
    };
    request(user, "ssh-connection", "publickey", &fields)
}

fn signed_data(session: &[u8], user: &str, service: &str, algorithm: &str, blob: &[u8]) -> Vec<u8> {
    Writer::collect(|w| {
        w.string(session).u8(50).string(user).string(service);
        w.string("publickey")
            .bool(true)
            .string(algorithm)
            .string(blob);
    })
}

/// A good signed request.
fn signed_request(user: &str, key: &PrivateKey, algorithm: &str) -> Vec<u8> {
    let blob = key.public().blob();
    let data = signed_data(SESSION_ID, user, "ssh-connection", algorithm, blob);
    let signature = key.sign(algorithm, &data).unwrap();
    key_request(user, algorithm, blob, Some(&signature))
}

fn is_unexpected(result: &Result<(), Error>) -> bool {
    matches!(
        result,
        Err(Error::PeerMisbehaved(PeerMisbehaved::UnexpectedMessage(_)))
    )
}

fn after(now: Instant, seconds: u64) -> Instant {
    now + Duration::from_secs(seconds)
}

fn number(payload: &[u8]) -> MessageNumber {
    MessageNumber(payload[0])
}
