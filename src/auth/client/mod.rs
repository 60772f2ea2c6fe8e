//! The client's side of user authentication.
//!
//! One attempt at a time: [`ClientAuth::start`], then messages, until an outcome is reported. The states are
//! named for what is awaited.

mod events;
mod replies;

use std::collections::VecDeque;

use zeroize::Zeroizing;

pub use events::{ClientAuthEvent, ClientMethod, SignJob};

use super::methods::{keyboard_interactive, none, password, publickey};
use super::{AuthOutcome, SERVICE_USERAUTH};
use crate::crypto::algorithms::Names;
use crate::error::{Error, PeerMisbehaved};
use crate::keys::Credential;
use crate::messages::service::ServiceRequest;
use crate::messages::userauth::{UserauthFailure, UserauthSuccess};
use crate::messages::MessageNumber;
use crate::packet::PayloadQueue;

/// The client's side of user authentication.
pub struct ClientAuth {
    session_id: Vec<u8>,
    sig_algs_allowed: Names,
    server_sig_algs: Option<Vec<String>>,
    /// The server's host key, where its signatures are to be bound to it.
    hostbound: Option<Vec<u8>>,
    refuse_trivial: bool,
    /// Whether a password, a signature or an answer was ever sent.
    credential_shown: bool,
    service: Service,
    state: State,
    /// What the last FAILURE listed.
    methods: Vec<String>,
    next_job: u64,
    banners: u32,
}

/// The service that all attempts belong to (RFC 4253 §10).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    NotRequested,
    Requested,
    Accepted,
}

/// What is awaited.
enum State {
    /// The first call of `start`.
    Fresh,
    /// SERVICE_ACCEPT, and then the attempt is made; `None` where it was abandoned meanwhile.
    ExpectServiceAccept(Option<Pending>),
    /// The next call of `start`.
    Idle {
        /// Whether the server may believe that a dialogue is still open, whose FAILURE could yet come.
        dialogue_left_open: bool,
    },
    /// The server's reply.
    ExpectReply(Attempt),
    /// The caller's signature.
    ExpectSignature {
        user: String,
        key: Credential,
        algorithm: &'static str,
        job: u64,
    },
    /// The caller's answers to so many prompts.
    ExpectAnswers {
        user: String,
        dialogue: Dialogue,
        prompts: usize,
    },
    /// The reply to an abandoned attempt. A new attempt waits for it, because replies bear no mark of the
    /// request that they answer.
    ExpectLateReply {
        user: String,
        expected: MethodReply,
        next: Option<Pending>,
    },
    /// Nothing more.
    Authenticated,
}

/// An attempt that was not sent yet.
struct Pending {
    user: String,
    method: ClientMethod,
}

/// An attempt that was sent.
struct Attempt {
    user: String,
    step: Step,
}

enum Step {
    None,
    Password {
        password: Zeroizing<Vec<u8>>,
        fallback: bool,
    },
    Query {
        key: Credential,
        algorithm: &'static str,
    },
    Signed,
    Interactive(Dialogue),
}

/// A keyboard-interactive dialogue.
struct Dialogue {
    rounds: u32,
    fallback: Option<Fallback>,
}

/// A dialogue that stands in for the password method.
struct Fallback {
    password: Zeroizing<Vec<u8>>,
    /// What the server listed when it refused the password method, which is what the caller is told in the end.
    methods: Vec<String>,
}

/// Which message number 60 may stand for, beside SUCCESS and FAILURE.
#[derive(Clone, Copy)]
enum MethodReply {
    Nothing,
    PasswdChangereq,
    PkOk,
    InfoRequest,
}

impl Step {
    fn method_reply(&self) -> MethodReply {
        match self {
            Step::None | Step::Signed => MethodReply::Nothing,
            Step::Password { .. } => MethodReply::PasswdChangereq,
            Step::Query { .. } => MethodReply::PkOk,
            Step::Interactive(_) => MethodReply::InfoRequest,
        }
    }
}

impl ClientAuth {
    /// A client that has not asked for anything. `sig_algs_allowed` are the signature algorithms it may use.
    pub fn new(session_id: &[u8], sig_algs_allowed: Names) -> Self {
        ClientAuth {
            session_id: session_id.to_vec(),
            sig_algs_allowed,
            server_sig_algs: None,
            hostbound: None,
            refuse_trivial: false,
            credential_shown: false,
            service: Service::NotRequested,
            state: State::Fresh,
            methods: Vec::new(),
            next_job: 0,
            banners: 0,
        }
    }

    /// The list of `server-sig-algs` (RFC 8308 §3.1), when EXT_INFO brought one.
    pub fn set_server_sig_algs(&mut self, names: Option<Vec<String>>) {
        self.server_sig_algs = names;
    }

    /// Binds signatures to this host key, which the server has proven to own: it has announced that it takes them
    /// (OpenSSH, PROTOCOL §3.1). What is signed then proves to an agent, and to the server, which connection it is for.
    pub fn set_hostbound(&mut self, host_key: Option<Vec<u8>>) {
        self.hostbound = host_key;
    }

    /// Whether a SUCCESS is an error that came without any credential having been shown: to `none`, or to a
    /// dialogue in which nothing was asked. A server that lets everybody in may do so to have the user act on
    /// what it then shows.
    pub fn set_refuse_trivial(&mut self, refuse: bool) {
        self.refuse_trivial = refuse;
    }

    /// Whether the server has sent SUCCESS.
    pub fn is_authenticated(&self) -> bool {
        matches!(self.state, State::Authenticated)
    }

    /// Begins an attempt; the outcome comes as an event. The first attempt also asks for the service.
    ///
    /// A server that has told its extensions with its keys (RFC 8308) is sent both at once, which saves a round trip: nothing
    /// that it will say before SERVICE_ACCEPT can change the attempt. From others the answer is waited for, because EXT_INFO may
    /// come with it, and because old ones have never seen the two together.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] while another attempt is under way or after success, and
    /// [`Error::NoCommonAlgorithm`] when neither side allows a signature the key can make. Both leave
    /// everything as it was.
    pub fn start(
        &mut self,
        user: &str,
        method: ClientMethod,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let pending = Pending {
            user: user.to_owned(),
            method,
        };
        match &mut self.state {
            State::Fresh => {
                out.push(|w| {
                    ServiceRequest {
                        service: SERVICE_USERAUTH,
                    }
                    .encode(w)
                });
                self.service = Service::Requested;
                if self.server_sig_algs.is_none() {
                    self.state = State::ExpectServiceAccept(Some(pending));
                    return Ok(());
                }
                self.state = State::Idle {
                    dialogue_left_open: false,
                };
                self.begin_deferred(Some(pending), out, events);
            }
            State::ExpectServiceAccept(slot @ None)
            | State::ExpectLateReply {
                next: slot @ None, ..
            } => *slot = Some(pending),
            State::Idle { .. } => self.begin(pending, out, events)?,
            State::Authenticated => return Err(Error::ApiMisuse("already authenticated")),
            _ => return Err(Error::ApiMisuse("an authentication attempt is under way")),
        }
        Ok(())
    }

    /// Takes a message of the server.
    ///
    /// # Errors
    /// All are fatal for the connection.
    pub fn handle(
        &mut self,
        payload: &[u8],
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let number = MessageNumber(*payload.first().ok_or(PeerMisbehaved::EmptyPayload)?);
        match number {
            MessageNumber::SERVICE_ACCEPT => self.service_accept(payload, out, events),
            MessageNumber::USERAUTH_BANNER => self.banner(payload, events),
            _ if self.service != Service::Accepted => Err(unexpected(number)),
            MessageNumber::USERAUTH_FAILURE => {
                let failure = UserauthFailure::decode(payload).map_err(Error::invalid(number))?;
                self.methods = failure.methods.to_vec();
                self.failure(failure.partial_success, out, events)
            }
            MessageNumber::USERAUTH_SUCCESS => {
                UserauthSuccess::decode(payload).map_err(Error::invalid(number))?;
                self.success(events)
            }
            MessageNumber::USERAUTH_60 => self.method_reply(payload, out, events),
            // Everything else is a message of the other role, or of no method that is used here.
            _ => Err(unexpected(number)),
        }
    }

    /// Answers the prompts of the last [`ClientAuthEvent::Prompts`].
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] when nothing was asked, or not so many answers were asked for; the prompts still wait.
    pub fn answer_prompts(
        &mut self,
        answers: Vec<Zeroizing<Vec<u8>>>,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        match &self.state {
            State::ExpectAnswers { prompts, .. } if *prompts == answers.len() => {}
            State::ExpectAnswers { .. } => {
                return Err(Error::ApiMisuse("one answer is needed for each prompt"));
            }
            _ => return Err(Error::ApiMisuse("no prompts wait for answers")),
        }
        if let State::ExpectAnswers { user, dialogue, .. } = self.take_state() {
            let answers: Vec<&[u8]> = answers.iter().map(|answer| answer.as_slice()).collect();
            out.push_vec(keyboard_interactive::write_answers(&answers));
            self.credential_shown = true;
            let step = Step::Interactive(dialogue);
            self.state = State::ExpectReply(Attempt { user, step });
        }
        Ok(())
    }

    /// The user does not want to answer: the attempt ends as a failure.
    ///
    /// Nothing is sent, for a response with too few answers ends the connection on deployed servers, and
    /// one with empty answers counts as a wrong password. The next request ends the dialogue (RFC 4252 §5.1).
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] when nothing was asked.
    pub fn refuse_prompts(&mut self, events: &mut VecDeque<ClientAuthEvent>) -> Result<(), Error> {
        if !matches!(self.state, State::ExpectAnswers { .. }) {
            return Err(Error::ApiMisuse("no prompts wait for answers"));
        }
        self.state = State::Idle {
            dialogue_left_open: true,
        };
        let methods = self.methods.clone();
        finish(events, AuthOutcome::Failure { methods });
        Ok(())
    }

    /// Hands in the signature blob of a [`SignJob`], or the reason why there is none, which becomes the outcome.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] when that job is not waited for (any more); nothing else happens.
    pub fn provide_signature(
        &mut self,
        job: u64,
        signature: Result<Vec<u8>, Error>,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        if !matches!(&self.state, State::ExpectSignature { job: expected, .. } if *expected == job)
        {
            return Err(Error::ApiMisuse("this signature is not waited for"));
        }
        if let State::ExpectSignature {
            user,
            key,
            algorithm,
            ..
        } = self.take_state()
        {
            match signature {
                Ok(signature) => {
                    out.push_vec(self.key_request(&user, &key, algorithm, Some(&signature)));
                    self.credential_shown = true;
                    self.state = State::ExpectReply(Attempt {
                        user,
                        step: Step::Signed,
                    });
                }
                Err(error) => events.push_back(ClientAuthEvent::Outcome(Err(error))),
            }
        }
        Ok(())
    }

    /// Gives up the attempt under way, e.g. because the caller's deadline has passed. It reports no outcome,
    /// replies that still come for it are swallowed, and an attempt that is started meanwhile waits for them.
    ///
    /// A SUCCESS is still reported when it comes late, for it changes what the connection is.
    pub fn abandon(&mut self) {
        self.state = match self.take_state() {
            State::ExpectServiceAccept(_) => State::ExpectServiceAccept(None),
            State::ExpectReply(Attempt { user, step }) => State::ExpectLateReply {
                user,
                expected: step.method_reply(),
                next: None,
            },
            State::ExpectLateReply { user, expected, .. } => State::ExpectLateReply {
                user,
                expected,
                next: None,
            },
            State::ExpectAnswers { .. } => State::Idle {
                dialogue_left_open: true,
            },
            State::ExpectSignature { .. } => State::Idle {
                dialogue_left_open: false,
            },
            state @ (State::Fresh | State::Idle { .. } | State::Authenticated) => state,
        };
    }

    /// Takes the state out; what is left behind is right whenever an attempt ends.
    fn take_state(&mut self) -> State {
        std::mem::replace(
            &mut self.state,
            State::Idle {
                dialogue_left_open: false,
            },
        )
    }

    /// Sends the first message of an attempt. On an error nothing was sent and the state is as before.
    fn begin(
        &mut self,
        pending: Pending,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let Pending { user, method } = pending;
        let step = match method {
            ClientMethod::None => {
                out.push_vec(none::request(&user));
                Step::None
            }
            ClientMethod::Password { password, fallback } => {
                out.push_vec(password::request(&user, &password));
                self.credential_shown = true;
                Step::Password { password, fallback }
            }
            ClientMethod::PublicKey { key, probe } => {
                let list = self.server_sig_algs.as_deref();
                let algorithm = publickey::choose_algorithm(&key, &self.sig_algs_allowed, list)?;
                if !probe {
                    self.sign(user, key, algorithm, events);
                    return Ok(());
                }
                out.push_vec(self.key_request(&user, &key, algorithm, None));
                Step::Query { key, algorithm }
            }
            ClientMethod::KeyboardInteractive { submethods } => {
                out.push_vec(keyboard_interactive::request(&user, &submethods));
                Step::Interactive(Dialogue {
                    rounds: 0,
                    fallback: None,
                })
            }
        };
        self.state = State::ExpectReply(Attempt { user, step });
        Ok(())
    }

    /// Begins the attempt that had to wait for a message of the server, if there is one.
    fn begin_deferred(
        &mut self,
        pending: Option<Pending>,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) {
        if let Some(pending) = pending {
            if let Err(error) = self.begin(pending, out, events) {
                events.push_back(ClientAuthEvent::Outcome(Err(error)));
            }
        }
    }

    fn key_request(
        &self,
        user: &str,
        key: &Credential,
        algorithm: &str,
        signature: Option<&[u8]>,
    ) -> Vec<u8> {
        let subject = publickey::Subject {
            user,
            algorithm,
            blob: key.blob(),
            host_key: self.hostbound.as_deref(),
        };
        subject.request(signature)
    }

    fn sign(
        &mut self,
        user: String,
        key: Credential,
        algorithm: &'static str,
        events: &mut VecDeque<ClientAuthEvent>,
    ) {
        let job = self.next_job;
        self.next_job += 1;
        let subject = publickey::Subject {
            user: &user,
            algorithm,
            blob: key.blob(),
            host_key: self.hostbound.as_deref(),
        };
        let data = subject.signed_data(&self.session_id);
        events.push_back(ClientAuthEvent::Sign(SignJob {
            id: job,
            key: key.clone(),
            algorithm,
            data,
        }));
        self.state = State::ExpectSignature {
            user,
            key,
            algorithm,
            job,
        };
    }
}

fn unexpected(number: MessageNumber) -> Error {
    PeerMisbehaved::UnexpectedMessage(number).into()
}

fn finish(events: &mut VecDeque<ClientAuthEvent>, outcome: AuthOutcome) {
    events.push_back(ClientAuthEvent::Outcome(Ok(outcome)));
}
