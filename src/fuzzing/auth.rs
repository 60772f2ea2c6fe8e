//! User authentication, client and server, without the layers below it.

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::time::Instant;

use arbitrary::Unstructured;
use zeroize::Zeroizing;

use super::{number, piece};
use crate::auth::{
    AuthDecision, AuthQuestionKind, ClientAuth, ClientAuthEvent, ClientMethod, Prompt, Prompts,
    ServerAuth, ServerAuthConfig, ServerAuthEvent,
};
use crate::crypto::algorithms;
use crate::crypto::random::SeededRandom;
use crate::keys::{KeyKind, Permissions, PrivateKey};
use crate::messages::MessageNumber;
use crate::packet::PayloadQueue;

pub(super) const SESSION_ID: &[u8] = b"the session identifier";
pub(super) const HOST_KEY: &[u8] = b"a host key";
/// What must not leave before the service is accepted, unless the server has told its extensions.
const PASSWORD: &[u8] = b"correct horse battery staple";
/// Most steps of one run.
const MAX_STEPS: usize = 256;
/// Most bytes that one step may have us say, beside what the peer said.
const MAX_SAID: usize = 8 * 1024;

/// The user's key.
pub(super) fn user_key() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        PrivateKey::generate(KeyKind::Ed25519, 0, &mut SeededRandom::new(8)).unwrap()
    })
    .clone()
}

fn names(choice: u8) -> Vec<String> {
    const METHODS: [&str; 3] = ["publickey", "password", "keyboard-interactive"];
    let chosen = METHODS.iter().enumerate();
    chosen
        .filter(|(index, _)| choice & (1 << index) != 0)
        .map(|(_, name)| (*name).to_owned())
        .collect()
}

/// What the application says to a question.
pub(super) fn decision(choice: u8) -> AuthDecision {
    match choice % 8 {
        0 | 1 => AuthDecision::Accept,
        2 => AuthDecision::AcceptRestricted(Box::new(Permissions::NONE)),
        3 => AuthDecision::Partial {
            methods: names(choice >> 3),
        },
        4 => AuthDecision::RefuseWith {
            methods: names(choice >> 3),
        },
        5 => AuthDecision::Methods {
            methods: names(choice >> 3),
        },
        6 => AuthDecision::Prompts(Prompts {
            name: "name".into(),
            instruction: String::new(),
            prompts: (0..choice >> 6)
                .map(|_| Prompt {
                    text: "?".into(),
                    echo: false,
                })
                .collect(),
        }),
        _ => AuthDecision::Refuse,
    }
}

/// A server that is spoken to. The first byte has its settings; then steps: a message, a decision, or time that passes.
pub(super) fn server(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let settings: u8 = number(&mut input);
    let config = ServerAuthConfig {
        methods: names(7),
        ask_methods: settings & 1 != 0,
        touch_required: settings & 2 != 0,
        banner: (settings & 4 != 0).then(|| ("hello".into(), String::new())),
        ..ServerAuthConfig::default()
    };
    let start = Instant::now();
    let mut server = Server {
        auth: ServerAuth::new(config, SESSION_ID, start),
        out: PayloadQueue::new(),
        events: VecDeque::new(),
        questions: VecDeque::new(),
        accepted: false,
        now: start,
    };
    server.auth.set_host_key(Some(HOST_KEY.to_vec()));
    for _ in 0..MAX_STEPS {
        if input.is_empty() || server.step(&mut input).is_err() {
            return;
        }
    }
}

struct Server {
    auth: ServerAuth,
    out: PayloadQueue,
    events: VecDeque<ServerAuthEvent>,
    questions: VecDeque<u64>,
    /// The application has accepted something.
    accepted: bool,
    now: Instant,
}

impl Server {
    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<(), crate::Error> {
        let before = self.out.len_bytes();
        let mut heard = 0;
        let outcome = match number::<u8>(input) % 8 {
            0 => {
                self.now += std::time::Duration::from_secs(number::<u8>(input).into());
                self.auth.handle_timeout(self.now)
            }
            1 => self.decide(number(input)),
            2 => self.banner(),
            _ => {
                let message = piece(input);
                heard = message.len();
                self.auth
                    .handle(message, self.now, &mut self.out, &mut self.events)
            }
        };
        self.look();
        assert!(self.out.len_bytes() <= before + heard + MAX_SAID);
        while self.out.pop().is_some() {}
        match outcome {
            // What the application did wrong leaves everything as it was.
            Err(crate::Error::ApiMisuse(_)) => Ok(()),
            outcome => outcome,
        }
    }

    fn banner(&mut self) -> Result<(), crate::Error> {
        let question = self.questions.front().copied().unwrap_or(0);
        self.auth.send_banner(question, "text", &mut self.out)
    }

    fn decide(&mut self, choice: u8) -> Result<(), crate::Error> {
        let Some(question) = self.questions.pop_front() else {
            return Ok(());
        };
        let decision = decision(choice);
        self.accepted |= matches!(
            decision,
            AuthDecision::Accept | AuthDecision::AcceptRestricted(_)
        );
        let outcome = self.auth.answer(
            question,
            decision,
            self.now,
            &mut self.out,
            &mut self.events,
        );
        if matches!(outcome, Err(crate::Error::ApiMisuse(_))) {
            // It does not fit the question, which stays.
            self.questions.push_back(question);
        }
        outcome
    }

    /// Takes note of questions, and does what verifying is asked for.
    fn look(&mut self) {
        assert!(self.events.len() <= 16);
        while let Some(event) = self.events.pop_front() {
            match event {
                ServerAuthEvent::Question(question) => {
                    if let AuthQuestionKind::KeyProven { algorithm, .. } = &question.kind {
                        assert!(!algorithm.is_empty());
                    }
                    self.questions.push_back(question.id);
                }
                ServerAuthEvent::Verify(job) => {
                    let good = job.is_good();
                    // What comes of it is looked at in the next round.
                    let _ =
                        self.auth
                            .verified(job.id, good, self.now, &mut self.out, &mut self.events);
                }
                ServerAuthEvent::Authenticated { .. } => {
                    assert!(self.accepted, "nobody has let anybody in");
                    assert!(self.auth.is_authenticated());
                }
                ServerAuthEvent::KeyRefused { .. } => {}
            }
        }
        assert!(!self.auth.is_authenticated() || self.accepted);
    }
}

/// A client that is spoken to: messages, and what its user does.
pub(super) fn client(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let settings: u8 = number(&mut input);
    let mut client = Client {
        auth: ClientAuth::new(SESSION_ID, algorithms::user_signatures()),
        out: PayloadQueue::new(),
        events: VecDeque::new(),
        jobs: VecDeque::new(),
        prompts: 0,
        heard: [false; 256],
        told: settings & 2 != 0,
    };
    client.auth.set_refuse_trivial(settings & 1 != 0);
    if client.told {
        let names = ["ssh-ed25519", "rsa-sha2-512"].map(str::to_owned);
        client.auth.set_server_sig_algs(Some(names.to_vec()));
    }
    if settings & 4 != 0 {
        client.auth.set_hostbound(Some(HOST_KEY.to_vec()));
    }
    for _ in 0..MAX_STEPS {
        if input.is_empty() || client.step(&mut input).is_err() {
            return;
        }
    }
}

struct Client {
    auth: ClientAuth,
    out: PayloadQueue,
    events: VecDeque<ClientAuthEvent>,
    jobs: VecDeque<crate::auth::SignJob>,
    prompts: usize,
    /// The numbers of messages that were taken.
    heard: [bool; 256],
    /// The server has told its extensions.
    told: bool,
}

impl Client {
    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<(), crate::Error> {
        let outcome = match number::<u8>(input) % 12 {
            kind @ 0..=3 => self.start(kind, number(input)),
            4 => self.answer(number(input)),
            5 => self.auth.refuse_prompts(&mut self.events),
            6 => self.sign(number(input)),
            7 => {
                self.auth.abandon();
                Ok(())
            }
            _ => {
                let message = piece(input);
                let outcome = self.auth.handle(message, &mut self.out, &mut self.events);
                if let (Ok(()), Some(number)) = (&outcome, message.first()) {
                    self.heard[usize::from(*number)] = true;
                }
                outcome
            }
        };
        self.look();
        match outcome {
            Err(crate::Error::ApiMisuse(_) | crate::Error::NoCommonAlgorithm(_)) => Ok(()),
            outcome => outcome,
        }
    }

    fn start(&mut self, kind: u8, choice: u8) -> Result<(), crate::Error> {
        let method = match kind {
            0 => ClientMethod::None,
            1 => ClientMethod::Password {
                password: Zeroizing::new(PASSWORD.to_vec()),
                fallback: choice & 1 != 0,
            },
            2 => ClientMethod::PublicKey {
                key: user_key().into(),
                probe: choice & 1 != 0,
            },
            _ => ClientMethod::KeyboardInteractive {
                submethods: String::new(),
            },
        };
        self.auth
            .start("user", method, &mut self.out, &mut self.events)
    }

    fn answer(&mut self, choice: u8) -> Result<(), crate::Error> {
        let count = if choice & 1 == 0 {
            self.prompts
        } else {
            usize::from(choice >> 1)
        };
        let answers = vec![Zeroizing::new(b"answer".to_vec()); count];
        self.auth.answer_prompts(answers, &mut self.out)
    }

    fn sign(&mut self, choice: u8) -> Result<(), crate::Error> {
        let Some(job) = self.jobs.pop_front() else {
            return Ok(());
        };
        let signature = match choice & 1 {
            0 => job.key.sign(job.algorithm, &job.data),
            _ => Err(crate::Error::Cancelled),
        };
        self.auth
            .provide_signature(job.id, signature, &mut self.out, &mut self.events)
    }

    fn look(&mut self) {
        assert!(self.events.len() <= 4);
        while let Some(event) = self.events.pop_front() {
            match event {
                ClientAuthEvent::Banner { message, .. } => assert!(message.len() <= 64 * 1024),
                ClientAuthEvent::Prompts(prompts) => {
                    assert!(prompts.prompts.len() <= 256);
                    self.prompts = prompts.prompts.len();
                }
                ClientAuthEvent::Sign(job) => self.jobs.push_back(job),
                ClientAuthEvent::Outcome(_) => {}
            }
        }
        while let Some(payload) = self.out.pop() {
            let secret = payload
                .windows(PASSWORD.len())
                .any(|window| window == PASSWORD);
            let accepted = self.heard[usize::from(MessageNumber::SERVICE_ACCEPT.0)];
            assert!(accepted || self.told || !secret, "a password for nobody");
        }
        let success = self.heard[usize::from(MessageNumber::USERAUTH_SUCCESS.0)];
        assert!(success || !self.auth.is_authenticated());
    }
}
