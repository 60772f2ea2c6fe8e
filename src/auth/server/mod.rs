//! The server's side of user authentication.
//!
//! One request at a time: each becomes a question, and no reply is sent before the question is answered.
//! Limits count for the whole connection; what was achieved counts for one user name only.

mod questions;
mod requests;

use std::collections::VecDeque;
use std::time::Instant;

use zeroize::Zeroizing;

pub use questions::{
    AuthDecision, AuthQuestion, AuthQuestionKind, KeyJudge, ServerAuthConfig, ServerAuthEvent,
    VerifyJob,
};

use super::methods::keyboard_interactive;
use super::SERVICE_USERAUTH;
use crate::codec::printable;
use crate::error::{Error, PeerMisbehaved};
use crate::keys::{Attendance, Permissions, ShownKey};
use crate::messages::service::{ServiceAccept, ServiceRequest};
use crate::messages::userauth::{
    UserauthBanner, UserauthFailure, UserauthPkOk, UserauthSuccess, METHOD_KEYBOARD_INTERACTIVE,
    METHOD_NONE, METHOD_PASSWORD, METHOD_PUBLICKEY,
};
use crate::messages::MessageNumber;
use crate::packet::PayloadQueue;

/// Most requests that wait while one is being answered. RFC 4252 §5 lets clients send ahead; hardly any does.
const MAX_WAITING: usize = 8;
/// Most bytes of requests that wait.
const MAX_WAITING_BYTES: usize = 64 * 1024;
/// How much of a name of the peer gets into an error.
const MAX_NAME_SHOWN: usize = 64;

/// The server's side of user authentication.
pub struct ServerAuth {
    config: ServerAuthConfig,
    session_id: Vec<u8>,
    /// The host key that we have proven to own, for requests that are bound to it.
    host_key: Option<Vec<u8>>,
    deadline: Option<Instant>,
    state: State,
    progress: Progress,
    counts: Counts,
    next_id: u64,
    /// Requests that came while another one was being answered. They may hold passwords.
    waiting: VecDeque<Zeroizing<Vec<u8>>>,
}

/// What is awaited.
enum State {
    /// SERVICE_REQUEST for `ssh-userauth`.
    ExpectServiceRequest,
    /// USERAUTH_REQUEST.
    ExpectRequest,
    /// The application's answer.
    ExpectDecision { id: u64, asked: Asked },
    /// The result of a signature's verification.
    ExpectVerified { id: u64, proof: Box<Proof> },
    /// INFO_RESPONSE to so many prompts, or another request in its place.
    ExpectInfoResponse { prompts: usize },
    /// Nothing more.
    Authenticated,
}

/// What the application was asked, and what its answer needs.
enum Asked {
    /// The request of the user in question, which is looked at once the methods are known.
    Methods(Zeroizing<Vec<u8>>),
    None,
    Password,
    Query {
        algorithm: String,
        blob: Vec<u8>,
    },
    Proof {
        blob: Vec<u8>,
        permissions: Option<Permissions>,
        /// The key came in a certificate that nobody has looked at.
        is_unjudged: bool,
    },
    Interactive,
}

/// A key whose signature is being verified.
struct Proof {
    shown: ShownKey,
    algorithm: &'static str,
    permissions: Option<Permissions>,
    attendance: Option<Attendance>,
}

/// What one user name has achieved. Another name starts from nothing (RFC 4252 §5).
#[derive(Default)]
struct Progress {
    user: Option<String>,
    /// The methods of this user, where they are not those of the server.
    methods: Option<Vec<String>>,
    /// The methods that may follow a partial success; `None` before the first.
    follow: Option<Vec<String>>,
    /// How many there were.
    partial_successes: u32,
    /// Blobs of the keys that had a part in them: none counts twice.
    used_keys: Vec<Vec<u8>>,
    /// What the certificates among them permit.
    permissions: Option<Permissions>,
}

/// What the limits count.
#[derive(Default)]
struct Counts {
    failures: u32,
    key_queries: u32,
    requests: u32,
    service_requests: u32,
    none_requests: u32,
}

/// Where replies and events go: the arguments that all steps share.
struct Sink<'a> {
    out: &'a mut PayloadQueue,
    events: &'a mut VecDeque<ServerAuthEvent>,
}

impl ServerAuth {
    /// A server that waits for SERVICE_REQUEST. The login grace time runs from `now`.
    pub fn new(config: ServerAuthConfig, session_id: &[u8], now: Instant) -> Self {
        let deadline = config.login_grace.and_then(|grace| now.checked_add(grace));
        ServerAuth {
            config,
            session_id: session_id.to_vec(),
            host_key: None,
            deadline,
            state: State::ExpectServiceRequest,
            progress: Progress::default(),
            counts: Counts::default(),
            next_id: 0,
            waiting: VecDeque::new(),
        }
    }

    /// The host key that was used in the first key exchange. Without it requests that are bound to one are refused.
    pub fn set_host_key(&mut self, blob: Option<Vec<u8>>) {
        self.host_key = blob;
    }

    /// Whether SUCCESS was sent.
    pub fn is_authenticated(&self) -> bool {
        matches!(self.state, State::Authenticated)
    }

    /// Whether an attempt has failed. To ask which methods there are is none.
    pub fn has_failures(&self) -> bool {
        self.counts.failures > 0
    }

    /// Whether the application is being asked.
    pub fn is_asking(&self) -> bool {
        matches!(self.state, State::ExpectDecision { .. })
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_authenticated() {
            None
        } else {
            self.deadline
        }
    }

    /// Ends the connection when the login grace time is over, whatever is under way.
    ///
    /// # Errors
    /// [`Error::AuthLimit`], fatal.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        match self.poll_timeout() {
            Some(deadline) if now >= deadline => Err(Error::AuthLimit("login grace time")),
            _ => Ok(()),
        }
    }

    /// Takes a message of the client.
    ///
    /// # Errors
    /// All are fatal for the connection. What is in `out` is to be sent before the disconnect: it may end
    /// with the FAILURE that reached a limit.
    pub fn handle(
        &mut self,
        payload: &[u8],
        now: Instant,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ServerAuthEvent>,
    ) -> Result<(), Error> {
        self.handle_timeout(now)?;
        let number = MessageNumber(*payload.first().ok_or(PeerMisbehaved::EmptyPayload)?);
        let sink = &mut Sink { out, events };
        match (&self.state, number) {
            // RFC 4252 §5.3: requests after success are silently ignored.
            (State::Authenticated, MessageNumber::USERAUTH_REQUEST) => Ok(()),
            (State::Authenticated, _) => Err(unexpected(number)),
            (_, MessageNumber::SERVICE_REQUEST) => self.service_request(payload, sink),
            (State::ExpectServiceRequest, _) => Err(unexpected(number)),
            (_, MessageNumber::USERAUTH_REQUEST) => self.next_request(payload, sink),
            (State::ExpectInfoResponse { prompts }, MessageNumber::USERAUTH_INFO_RESPONSE) => {
                let prompts = *prompts;
                self.info_response(payload, prompts, sink)
            }
            // Everything else is a message of the other role, of no method that is used here, or a response
            // that nobody asked for.
            _ => Err(unexpected(number)),
        }
    }

    /// Answers a question.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] for a question that is not open (the client has gone on) and for prompts where
    /// none may be; nothing else happens then, and an open question stays open. All others are fatal.
    pub fn answer(
        &mut self,
        question: u64,
        decision: AuthDecision,
        now: Instant,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ServerAuthEvent>,
    ) -> Result<(), Error> {
        match &self.state {
            State::ExpectDecision { id, asked } if *id == question => {
                check_decision(asked, &decision)?;
            }
            _ => return Err(Error::ApiMisuse("this question is not open")),
        }
        self.handle_timeout(now)?;
        let sink = &mut Sink { out, events };
        if let State::ExpectDecision { mut asked, .. } = self.take_state() {
            let decision = asked.restrict(decision);
            match decision {
                _ if matches!(asked, Asked::Methods(_)) => {
                    self.begin_user(asked, decision, sink)?
                }
                // Seen by `check_decision`.
                AuthDecision::Methods { .. } => {}
                AuthDecision::Refuse => self.refuse(&asked, sink)?,
                AuthDecision::RefuseWith { methods } => {
                    self.progress.follow = Some(methods);
                    self.refuse(&asked, sink)?;
                }
                AuthDecision::Prompts(prompts) => {
                    sink.out
                        .push_vec(keyboard_interactive::write_prompts(&prompts));
                    self.state = State::ExpectInfoResponse {
                        prompts: prompts.prompts.len(),
                    };
                }
                AuthDecision::Accept | AuthDecision::Partial { .. }
                    if !self.progress.take_over(&asked) =>
                {
                    self.refuse(&asked, sink)?;
                }
                // Turned into one of the others above.
                AuthDecision::AcceptRestricted(_) => {}
                AuthDecision::Accept => self.accept(asked, sink),
                AuthDecision::Partial { methods } => self.accept_partly(asked, methods, sink),
            }
        }
        self.go_on(sink)
    }

    /// Shows the user a text (RFC 4252 §5.4) while a question about them is open.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] for a question that is not open; nothing else happens then.
    pub fn send_banner(
        &self,
        question: u64,
        text: &str,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        match &self.state {
            State::ExpectDecision { id, .. } if *id == question => {
                push_banner(text, "", out);
                Ok(())
            }
            _ => Err(Error::ApiMisuse("this question is not open")),
        }
    }

    /// Hands in the result of a [`VerifyJob`].
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] for a job that is not waited for; nothing else happens then. All others are fatal.
    pub fn verified(
        &mut self,
        job: u64,
        good: bool,
        now: Instant,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ServerAuthEvent>,
    ) -> Result<(), Error> {
        if !matches!(&self.state, State::ExpectVerified { id, .. } if *id == job) {
            return Err(Error::ApiMisuse("this verification is not waited for"));
        }
        self.handle_timeout(now)?;
        let sink = &mut Sink { out, events };
        if let State::ExpectVerified { proof, .. } = self.take_state() {
            if good {
                // Only here may a key be called proven: its own signature, under its own algorithm.
                let asked = Asked::Proof {
                    blob: proof.shown.key.blob().to_vec(),
                    is_unjudged: proof.shown.certificate.is_some() && proof.permissions.is_none(),
                    permissions: proof.permissions,
                };
                let kind = AuthQuestionKind::KeyProven {
                    key: proof.shown.key,
                    algorithm: proof.algorithm.to_owned(),
                    certificate: proof.shown.certificate,
                    attendance: proof.attendance,
                };
                self.ask(asked, kind, sink);
            } else {
                self.fail(sink)?;
            }
        }
        self.go_on(sink)
    }

    /// Takes the state out; what is left behind is right whenever a request was answered.
    fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::ExpectRequest)
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The name in question, which may be empty.
    fn user(&self) -> &str {
        self.progress.user.as_deref().unwrap_or_default()
    }

    /// The methods to offer.
    fn offered(&self) -> &[String] {
        self.progress
            .follow
            .as_ref()
            .or(self.progress.methods.as_ref())
            .unwrap_or(&self.config.methods)
    }

    fn ask(&mut self, asked: Asked, kind: AuthQuestionKind, sink: &mut Sink<'_>) {
        let id = self.new_id();
        self.state = State::ExpectDecision { id, asked };
        let question = AuthQuestion {
            id,
            user: self.user().to_owned(),
            partial_successes: self.progress.partial_successes,
            kind,
        };
        sink.events.push_back(ServerAuthEvent::Question(question));
    }

    /// FAILURE that is held against nobody.
    fn fail_uncounted(&mut self, sink: &mut Sink<'_>) {
        self.state = State::ExpectRequest;
        let methods = self.offered();
        sink.out
            .push(|w| UserauthFailure::encode(w, methods, false));
    }

    /// FAILURE that counts.
    fn fail(&mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        self.fail_uncounted(sink);
        self.count_failure()
    }

    fn count_failure(&mut self) -> Result<(), Error> {
        self.counts.failures = self.counts.failures.saturating_add(1);
        if self.counts.failures >= self.config.max_failures {
            return Err(Error::AuthLimit("failed attempts"));
        }
        Ok(())
    }

    /// SERVICE_REQUEST. Some clients send one before every attempt, which does no harm.
    fn service_request(&mut self, payload: &[u8], sink: &mut Sink<'_>) -> Result<(), Error> {
        let request = ServiceRequest::decode(payload)
            .map_err(Error::invalid(MessageNumber::SERVICE_REQUEST))?;
        if request.service != SERVICE_USERAUTH {
            return Err(service_not_available(request.service));
        }
        count(
            &mut self.counts.service_requests,
            self.config.max_requests,
            "service requests",
        )?;
        sink.out.push(|w| {
            ServiceAccept {
                service: SERVICE_USERAUTH,
            }
            .encode(w)
        });
        if let State::ExpectServiceRequest = self.state {
            self.state = State::ExpectRequest;
            if let Some((message, language)) = &self.config.banner {
                push_banner(message, language, sink.out);
            }
        }
        Ok(())
    }

    /// A request that is handled now, or kept until the one before it is answered.
    fn next_request(&mut self, payload: &[u8], sink: &mut Sink<'_>) -> Result<(), Error> {
        match &self.state {
            State::ExpectDecision {
                asked: Asked::Interactive,
                ..
            }
            | State::ExpectInfoResponse { .. } => {
                // RFC 4252 §5.1: the new request ends the dialogue, without a reply to the old one. It counts
                // as failed, or guesses would be free.
                self.state = State::ExpectRequest;
                self.count_failure()?;
            }
            State::ExpectDecision { .. } | State::ExpectVerified { .. } => {
                let bytes: usize = self.waiting.iter().map(|request| request.len()).sum();
                if self.waiting.len() >= MAX_WAITING || bytes + payload.len() > MAX_WAITING_BYTES {
                    return Err(Error::Limit("authentication requests sent ahead"));
                }
                self.waiting.push_back(Zeroizing::new(payload.to_vec()));
                return Ok(());
            }
            _ => {}
        }
        self.request(payload, sink)?;
        self.go_on(sink)
    }

    /// Handles what has waited, until one request needs an answer again.
    fn go_on(&mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        loop {
            match self.state {
                State::ExpectRequest => {}
                State::Authenticated => {
                    self.waiting.clear();
                    return Ok(());
                }
                // The next request came before the dialogue even began, and ends it all the same.
                State::ExpectDecision {
                    asked: Asked::Interactive,
                    ..
                } if !self.waiting.is_empty() => {
                    self.state = State::ExpectRequest;
                    self.count_failure()?;
                }
                _ => return Ok(()),
            }
            match self.waiting.pop_front() {
                Some(payload) => self.request(&payload, sink)?,
                None => return Ok(()),
            }
        }
    }

    /// The methods of a user are known; now for what the user wants.
    fn begin_user(
        &mut self,
        asked: Asked,
        decision: AuthDecision,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        let Asked::Methods(request) = asked else {
            return Ok(());
        };
        if let AuthDecision::Methods { methods } = decision {
            self.progress.methods = Some(methods);
        }
        self.attempt(&request, sink)
    }

    fn refuse(&mut self, asked: &Asked, sink: &mut Sink<'_>) -> Result<(), Error> {
        match asked {
            Asked::Query { .. } => {
                self.fail_uncounted(sink);
                Ok(())
            }
            Asked::None if self.counts.none_requests <= 1 => {
                self.fail_uncounted(sink);
                Ok(())
            }
            _ => self.fail(sink),
        }
    }

    fn accept(&mut self, asked: Asked, sink: &mut Sink<'_>) {
        if let Asked::Query { algorithm, blob } = asked {
            return key_would_do(&algorithm, &blob, sink);
        }
        sink.out.push(|w| UserauthSuccess.encode(w));
        self.state = State::Authenticated;
        sink.events.push_back(ServerAuthEvent::Authenticated {
            user: self.progress.user.take().unwrap_or_default(),
            method: asked.method().to_owned(),
            permissions: self.progress.permissions.take(),
        });
    }

    fn accept_partly(&mut self, asked: Asked, methods: Vec<String>, sink: &mut Sink<'_>) {
        match asked {
            Asked::Query { algorithm, blob } => return key_would_do(&algorithm, &blob, sink),
            Asked::Proof { blob, .. } => self.progress.used_keys.push(blob),
            Asked::Methods(_) | Asked::None | Asked::Password | Asked::Interactive => {}
        }
        let count = &mut self.progress.partial_successes;
        *count = count.saturating_add(1);
        sink.out
            .push(|w| UserauthFailure::encode(w, &methods, true));
        self.progress.follow = Some(methods);
    }
}

impl Progress {
    /// Takes over what a proven certificate permits; false where it cannot go together with another one.
    fn take_over(&mut self, asked: &Asked) -> bool {
        let Asked::Proof {
            permissions: Some(more),
            ..
        } = asked
        else {
            return true;
        };
        let both = match &self.permissions {
            Some(before) => before.and(more),
            None => Some(more.clone()),
        };
        let fits = both.is_some();
        self.permissions = both.or(self.permissions.take());
        fits
    }
}

impl Asked {
    /// Notes what a decision permits beside what a certificate does; the decision that is left. Where nothing is left that
    /// both allow, that is no; and so it is where nobody has said what a certificate permits.
    fn restrict(&mut self, decision: AuthDecision) -> AuthDecision {
        let AuthDecision::AcceptRestricted(more) = decision else {
            return match (&self, &decision) {
                (
                    Asked::Proof {
                        is_unjudged: true, ..
                    },
                    AuthDecision::Accept | AuthDecision::Partial { .. },
                ) => AuthDecision::Refuse,
                _ => decision,
            };
        };
        if let Asked::Proof { permissions, .. } = self {
            let both = match permissions.as_ref() {
                Some(before) => before.and(&more),
                None => Some(*more),
            };
            if both.is_none() {
                return AuthDecision::Refuse;
            }
            *permissions = both;
        }
        AuthDecision::Accept
    }

    fn method(&self) -> &'static str {
        match self {
            Asked::Methods(_) | Asked::None => METHOD_NONE,
            Asked::Password => METHOD_PASSWORD,
            Asked::Query { .. } | Asked::Proof { .. } => METHOD_PUBLICKEY,
            Asked::Interactive => METHOD_KEYBOARD_INTERACTIVE,
        }
    }
}

fn push_banner(message: &str, language: &str, out: &mut PayloadQueue) {
    let (message, language) = (message.as_bytes(), language.as_bytes());
    out.push(|w| UserauthBanner { message, language }.encode(w));
}

/// PK_OK. It echoes the query and grants nothing (RFC 4252 §7).
fn key_would_do(algorithm: &str, blob: &[u8], sink: &mut Sink<'_>) {
    sink.out.push(|w| {
        UserauthPkOk {
            algorithm: algorithm.as_bytes(),
            blob,
        }
        .encode(w)
    });
}

/// Whether a decision can be given to what was asked.
fn check_decision(asked: &Asked, decision: &AuthDecision) -> Result<(), Error> {
    match (asked, decision) {
        (Asked::Interactive, AuthDecision::Prompts(prompts)) => {
            if prompts.may_be_sent() {
                Ok(())
            } else {
                Err(Error::ApiMisuse("too many prompts or too much text"))
            }
        }
        (_, AuthDecision::Prompts(_)) => Err(Error::ApiMisuse(
            "prompts belong to keyboard-interactive only",
        )),
        (
            Asked::Methods(_),
            AuthDecision::Accept | AuthDecision::Refuse | AuthDecision::Methods { .. },
        ) => Ok(()),
        (Asked::Query { .. } | Asked::Proof { .. }, AuthDecision::AcceptRestricted(_)) => Ok(()),
        (_, AuthDecision::AcceptRestricted(_)) => {
            Err(Error::ApiMisuse("restrictions belong to keys only"))
        }
        (Asked::Methods(_), _) | (_, AuthDecision::Methods { .. }) => Err(Error::ApiMisuse(
            "methods are the answer to the question for them only",
        )),
        _ => Ok(()),
    }
}

/// Counts one more; past `limit` the connection ends.
fn count(counter: &mut u32, limit: u32, what: &'static str) -> Result<(), Error> {
    *counter = counter.saturating_add(1);
    if *counter > limit {
        return Err(Error::AuthLimit(what));
    }
    Ok(())
}

fn service_not_available(name: &str) -> Error {
    Error::ServiceNotAvailable(printable(name.as_bytes(), MAX_NAME_SHOWN))
}

fn unexpected(number: MessageNumber) -> Error {
    PeerMisbehaved::UnexpectedMessage(number).into()
}
