//! Questions to the application: one noun for all of them.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::channel::Channel;
use super::person::Reply;
use super::rotation::HostKeyChange;
use super::shared::Shared;
use super::sync::atomic::{AtomicBool, Ordering};
use super::transport::Transport;
use crate::auth::{AuthDecision, AuthQuestionKind, Prompts};
use crate::connection::{
    ChannelId, ChannelRequest, ForwardRequest, GlobalRequestId, OpenKind, OpenRefusal, RequestId,
};
use crate::error::{Error, HostKeyFault};
use crate::keys::{Permissions, ShownKey};

/// What kind of question a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// Client: is this host key good?
    HostKey,
    /// Client: the server has other host keys than those that are known; keep them?
    HostKeys,
    /// Client: answer these prompts of keyboard-interactive.
    Prompts,
    /// Client: the user's password at the server.
    Password,
    /// Client: the passphrase of a key file.
    Passphrase,
    /// Server: has this user, named for the first time, authentication methods of their own?
    AuthMethods,
    /// Server: may this user in without credentials?
    AuthNone,
    /// Server: may this user in with this password?
    AuthPassword,
    /// Server: would this key be looked at? Accepting grants nothing.
    AuthKeyAsked,
    /// Server: may this user in with this key, whose possession was proven?
    AuthKeyProven,
    /// Server: which prompts shall this user answer?
    AuthInteractive,
    /// Server: are these answers good?
    AuthInteractiveAnswers,
    /// May this channel be opened?
    ChannelOpen,
    /// Server: connect the client to a target (`direct-tcpip` and its twin)?
    Connect,
    /// Server: listen on a port or a socket for the client?
    Listen,
    /// Server: listen there no longer.
    CancelListen,
    /// Server: a terminal for this session?
    Pty,
    /// Server: start a shell?
    Shell,
    /// Server: run this command?
    Exec,
    /// Server: start this subsystem?
    Subsystem,
    /// Server: set this environment variable?
    Env,
    /// Server: the terminal has a new size.
    WindowChange,
    /// Server: deliver this signal.
    Signal,
    /// Server: send a break.
    Break,
    /// Server: let programs of this session show windows on the client's display?
    X11,
    /// Server: let programs of this session use the client's agent?
    AgentForward,
    /// Another channel request.
    ChannelRequest,
    /// A global request.
    GlobalRequest,
}

impl RequestKind {
    /// Whether it is answered with one text for each prompt.
    pub fn has_prompts(self) -> bool {
        matches!(
            self,
            RequestKind::Prompts | RequestKind::Password | RequestKind::Passphrase
        )
    }
}

/// The content of a question.
pub enum Question {
    /// See [`RequestKind::HostKey`].
    HostKey {
        /// What the server has shown.
        shown: ShownKey,
        /// The host that it was looked for under in known hosts, where that was done.
        host: Option<String>,
    },
    /// See [`RequestKind::HostKeys`]. What is new is proven.
    HostKeys(Box<HostKeyChange>),
    /// See [`RequestKind::Prompts`].
    Prompts(Prompts),
    /// See [`RequestKind::Password`] and [`RequestKind::Passphrase`]: a question of this side's own.
    Secret {
        /// Which of the two.
        kind: RequestKind,
        /// The key file, or the user and the host.
        about: String,
        /// What a person is shown.
        prompts: Prompts,
        /// Where the answer goes.
        reply: Arc<Reply>,
    },
    /// A question of authentication, with the name the user claims.
    Auth {
        /// Number for the answer.
        id: u64,
        /// Claimed user name.
        user: String,
        /// How many partial successes count for this user.
        partial_successes: u32,
        /// Which credentials.
        kind: AuthQuestionKind,
    },
    /// See [`RequestKind::ChannelOpen`].
    ChannelOpen {
        /// Our number for it.
        id: ChannelId,
        /// Type and its fields.
        kind: OpenKind,
    },
    /// A request on a channel.
    Channel {
        /// The channel.
        id: ChannelId,
        /// Number for the answer.
        request_id: RequestId,
        /// What is asked.
        request: ChannelRequest,
        /// Whether the peer waits for the answer.
        want_reply: bool,
        /// What the peer asked for, where a certificate forces something else: command, subsystem, or nothing.
        wanted: Option<Vec<u8>>,
    },
    /// See [`RequestKind::Listen`] and [`RequestKind::CancelListen`].
    Forward {
        /// Number for the answer.
        id: GlobalRequestId,
        /// What is asked.
        request: ForwardRequest,
        /// Whether the peer waits for the answer.
        want_reply: bool,
    },
    /// See [`RequestKind::GlobalRequest`].
    Global {
        /// Number for the answer.
        id: GlobalRequestId,
        /// Name of the request.
        name: String,
        /// What follows the name.
        data: Vec<u8>,
        /// Whether the peer waits for the answer.
        want_reply: bool,
    },
}

impl Question {
    /// The kind of this question.
    pub fn kind(&self) -> RequestKind {
        match self {
            Question::HostKey { .. } => RequestKind::HostKey,
            Question::HostKeys(_) => RequestKind::HostKeys,
            Question::Prompts(_) => RequestKind::Prompts,
            Question::Secret { kind, .. } => *kind,
            Question::Auth { kind, .. } => match kind {
                AuthQuestionKind::Methods => RequestKind::AuthMethods,
                AuthQuestionKind::None => RequestKind::AuthNone,
                AuthQuestionKind::Password(_) => RequestKind::AuthPassword,
                AuthQuestionKind::KeyAsked { .. } => RequestKind::AuthKeyAsked,
                AuthQuestionKind::KeyProven { .. } => RequestKind::AuthKeyProven,
                AuthQuestionKind::InteractiveStart { .. } => RequestKind::AuthInteractive,
                AuthQuestionKind::InteractiveAnswers { .. } => RequestKind::AuthInteractiveAnswers,
            },
            Question::ChannelOpen { kind, .. } => match kind {
                OpenKind::DirectTcpip { .. } | OpenKind::DirectStreamlocal { .. } => {
                    RequestKind::Connect
                }
                _ => RequestKind::ChannelOpen,
            },
            Question::Forward { request, .. } => match request {
                ForwardRequest::Listen(_) => RequestKind::Listen,
                ForwardRequest::Cancel(_) => RequestKind::CancelListen,
            },
            Question::Channel { request, .. } => match request {
                ChannelRequest::Pty { .. } => RequestKind::Pty,
                ChannelRequest::Shell => RequestKind::Shell,
                ChannelRequest::Exec(_) => RequestKind::Exec,
                ChannelRequest::Subsystem(_) => RequestKind::Subsystem,
                ChannelRequest::Env { .. } => RequestKind::Env,
                ChannelRequest::WindowChange { .. } => RequestKind::WindowChange,
                ChannelRequest::Signal(_) => RequestKind::Signal,
                ChannelRequest::Break { .. } => RequestKind::Break,
                ChannelRequest::X11(_) => RequestKind::X11,
                ChannelRequest::AgentForward => RequestKind::AgentForward,
                _ => RequestKind::ChannelRequest,
            },
            Question::Global { .. } => RequestKind::GlobalRequest,
        }
    }
}

/// An answer, in the words of the question's kind.
enum Answer {
    Accept,
    Refuse,
    RefuseWith(Vec<String>),
    AcceptRestricted(Box<Permissions>),
    Methods(Vec<String>),
    Partial(Vec<String>),
    Ask(Prompts),
    Answers(Vec<Zeroizing<Vec<u8>>>),
    Data(Vec<u8>),
    Port(u16),
}

/// A question that waits for its answer. Clones are the same question; the first answer counts, and the
/// last clone dropped unanswered means no.
#[derive(Clone)]
pub struct Request {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    question: Question,
    answered: AtomicBool,
}

impl Request {
    pub(crate) fn new(shared: Arc<Shared>, question: Question) -> Self {
        Request {
            inner: Arc::new(Inner {
                shared,
                question,
                answered: AtomicBool::new(false),
            }),
        }
    }

    /// What is asked.
    pub fn question(&self) -> &Question {
        &self.inner.question
    }

    /// The kind of question.
    pub fn kind(&self) -> RequestKind {
        self.inner.question.kind()
    }

    /// Yes. For [`RequestKind::Prompts`] and [`RequestKind::AuthInteractive`] use the fitting call instead.
    pub fn accept(&self) -> Result<(), Error> {
        self.inner.answer(Answer::Accept)
    }

    /// A user's key: yes, and what the user may do is limited.
    pub fn accept_restricted(&self, permissions: Permissions) -> Result<(), Error> {
        self.inner
            .answer(Answer::AcceptRestricted(Box::new(permissions)))
    }

    /// No.
    pub fn refuse(&self) -> Result<(), Error> {
        self.inner.answer(Answer::Refuse)
    }

    /// Authentication: no, and these methods may be tried by this user.
    pub fn refuse_with(&self, methods: Vec<String>) -> Result<(), Error> {
        self.inner.answer(Answer::RefuseWith(methods))
    }

    /// [`RequestKind::AuthMethods`]: this user may try these.
    pub fn accept_methods(&self, methods: Vec<String>) -> Result<(), Error> {
        self.inner.answer(Answer::Methods(methods))
    }

    /// Authentication: shows the user a text, before the answer.
    pub fn send_banner(&self, text: &str) -> Result<(), Error> {
        let Question::Auth { id, .. } = &self.inner.question else {
            return Err(Error::ApiMisuse("the request is not about a user"));
        };
        self.inner
            .shared
            .serve(|services| services.send_banner(*id, text))
    }

    /// Authentication: right, but more is needed; `methods` may follow.
    pub fn accept_partial(&self, methods: Vec<String>) -> Result<(), Error> {
        self.inner.answer(Answer::Partial(methods))
    }

    /// Keyboard-interactive, server: ask the user this.
    pub fn ask(&self, prompts: Prompts) -> Result<(), Error> {
        self.inner.answer(Answer::Ask(prompts))
    }

    /// Keyboard-interactive, client: the answers, one for each prompt.
    pub fn answer_prompts(&self, answers: Vec<Zeroizing<Vec<u8>>>) -> Result<(), Error> {
        self.inner.answer(Answer::Answers(answers))
    }

    /// Global request: yes, with reply data.
    pub fn accept_with(&self, data: Vec<u8>) -> Result<(), Error> {
        self.inner.answer(Answer::Data(data))
    }

    /// Listen: yes, on this port, which is the one asked for unless that is 0.
    pub fn accept_port(&self, port: u16) -> Result<(), Error> {
        self.inner.answer(Answer::Port(port))
    }

    /// Channel open: yes, and the channel is taken here instead of from the accept queue.
    pub fn accept_channel(&self) -> Result<Channel, Error> {
        let Question::ChannelOpen { id, .. } = &self.inner.question else {
            return Err(Error::ApiMisuse("the request opens no channel"));
        };
        self.inner.take()?;
        self.inner.shared.answer_open(*id, Ok(()), false)?;
        self.inner.shared.channel(*id)
    }

    /// Channel open: no, with a reason of RFC 4254 §5.1 and a text for the peer's user.
    pub fn refuse_channel(&self, reason: u32, description: String) -> Result<(), Error> {
        let Question::ChannelOpen { id, .. } = &self.inner.question else {
            return Err(Error::ApiMisuse("the request opens no channel"));
        };
        self.inner.take()?;
        self.inner.shared.answer_open(
            *id,
            Err(OpenRefusal {
                reason,
                description,
            }),
            true,
        )
    }

    /// The channel that the question is about; for an open, once it was accepted.
    pub fn channel(&self) -> Result<Channel, Error> {
        match &self.inner.question {
            Question::ChannelOpen { id, .. } | Question::Channel { id, .. } => {
                self.inner.shared.channel(*id)
            }
            _ => Err(Error::ApiMisuse("the request is not about a channel")),
        }
    }

    /// The transport that asks.
    pub fn transport(&self) -> Transport {
        Transport::of(Arc::clone(&self.inner.shared))
    }

    /// Whether it has been answered.
    pub fn is_answered(&self) -> bool {
        self.inner.answered.load(Ordering::Acquire)
    }
}

impl Answer {
    /// What the user-authentication service is told.
    fn into_decision(self) -> AuthDecision {
        match self {
            Answer::Accept => AuthDecision::Accept,
            Answer::AcceptRestricted(permissions) => AuthDecision::AcceptRestricted(permissions),
            Answer::Partial(methods) => AuthDecision::Partial { methods },
            Answer::RefuseWith(methods) => AuthDecision::RefuseWith { methods },
            Answer::Methods(methods) => AuthDecision::Methods { methods },
            Answer::Ask(prompts) => AuthDecision::Prompts(prompts),
            _ => AuthDecision::Refuse,
        }
    }
}

impl Inner {
    fn take(&self) -> Result<(), Error> {
        if self.answered.swap(true, Ordering::AcqRel) {
            return Err(Error::ApiMisuse("the request was answered before"));
        }
        Ok(())
    }

    fn answer(&self, answer: Answer) -> Result<(), Error> {
        self.fits(&answer)?;
        self.take()?;
        let shared = &self.shared;
        match &self.question {
            Question::HostKey { .. } => shared.host_key_answered(match answer {
                Answer::Accept => Ok(()),
                _ => Err(HostKeyFault::Refused),
            }),
            Question::HostKeys(change) => {
                let outcome = match answer {
                    Answer::Accept => shared.keep_host_keys(change),
                    _ => Ok(()),
                };
                shared.host_keys_settled();
                outcome
            }
            Question::Prompts(_) => {
                let answers = match answer {
                    Answer::Answers(answers) => Some(answers),
                    _ => None,
                };
                shared.serve(|services| services.answer_prompts(answers))
            }
            Question::Secret { reply, .. } => {
                reply.give(match answer {
                    Answer::Answers(answers) => Some(answers),
                    _ => None,
                });
                shared.tell_reply();
                Ok(())
            }
            Question::Auth { id, .. } => shared.answer_auth(*id, answer.into_decision()),
            Question::ChannelOpen { id, .. } => {
                let decision = match answer {
                    Answer::Accept => Ok(()),
                    _ => Err(OpenRefusal {
                        // SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254 §5.1)
                        reason: 1,
                        description: String::from("refused"),
                    }),
                };
                shared.answer_open(*id, decision, true)
            }
            Question::Channel {
                id,
                request_id,
                request,
                ..
            } => match (answer, request) {
                (Answer::Accept, ChannelRequest::Subsystem(name)) => {
                    shared.accept_subsystem(*id, *request_id, name)
                }
                (answer, _) => {
                    let ok = matches!(answer, Answer::Accept);
                    shared.answer_request(*id, *request_id, ok)
                }
            },
            Question::Forward { id, request, .. } => {
                let reply = match answer {
                    Answer::Accept => Ok(Vec::new()),
                    Answer::Port(port) => Ok(request.granted(port)),
                    _ => Err(()),
                };
                shared.answer_global(*id, reply)
            }
            Question::Global { id, .. } => {
                let reply = match answer {
                    Answer::Accept => Ok(Vec::new()),
                    Answer::Data(data) => Ok(data),
                    _ => Err(()),
                };
                shared.answer_global(*id, reply)
            }
        }
    }

    /// Refuses answers that do not fit the kind of question before anything is decided.
    fn fits(&self, answer: &Answer) -> Result<(), Error> {
        let kind = self.question.kind();
        let credentials =
            matches!(self.question, Question::Auth { .. }) && kind != RequestKind::AuthMethods;
        let proving = matches!(
            kind,
            RequestKind::AuthInteractive | RequestKind::AuthInteractiveAnswers
        );
        let fits = match answer {
            Answer::Refuse => true,
            Answer::Accept => match &self.question {
                Question::Prompts(_) | Question::Secret { .. } => false,
                Question::Forward { request, .. } => !request.wants_port(),
                _ => true,
            },
            Answer::Port(port) => match &self.question {
                Question::Forward { request, .. } => request.fits_port(*port),
                _ => false,
            },
            Answer::Partial(_) => credentials && kind != RequestKind::AuthKeyAsked,
            Answer::AcceptRestricted(_) => {
                matches!(kind, RequestKind::AuthKeyAsked | RequestKind::AuthKeyProven)
            }
            Answer::RefuseWith(_) => credentials,
            Answer::Methods(_) => kind == RequestKind::AuthMethods,
            Answer::Ask(_) => proving,
            Answer::Answers(answers) => matches!(
                &self.question,
                Question::Prompts(asked) | Question::Secret { prompts: asked, .. }
                    if asked.prompts.len() == answers.len()
            ),
            Answer::Data(_) => matches!(self.question, Question::Global { .. }),
        };
        if fits {
            Ok(())
        } else {
            Err(Error::ApiMisuse("the answer does not fit the request"))
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !*self.answered.get_mut() {
            // Unanswered means no; on a dead transport there is nobody to tell.
            let _ = self.answer(Answer::Refuse);
        }
    }
}
