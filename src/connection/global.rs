//! Global requests (RFC 4254 §4), ours and the peer's.

use std::collections::VecDeque;

use crate::codec::DecodeError;
use crate::connection::forward::Answered;
use crate::connection::layer::{ConnectionLayer, Context};
use crate::connection::questions::{QuestionBudget, Questions, Reply};
use crate::connection::requests::OwnRequests;
use crate::connection::types::{ConnectionEvent, GlobalRequestId};
use crate::error::Error;
use crate::messages::connection::valid_name;
use crate::messages::forward::{decode_bound_port, ForwardPoint, ForwardRequest};
use crate::messages::global_request::{GlobalRequest, RequestFailure, RequestSuccess};
use crate::messages::host_keys::{self, HOST_KEYS, HOST_KEYS_PROVE};
use crate::messages::{MessageNumber, Role};
use crate::packet::PayloadQueue;

/// How often a client gets proof of host keys. Once is enough.
const MAX_PROOFS: u32 = 4;

/// The state of global requests.
#[derive(Debug)]
pub(super) struct Global {
    questions: Questions<Option<ForwardRequest>, Result<Vec<u8>, ()>>,
    /// Where we listen for the client (server).
    granted: Vec<ForwardPoint>,
    own: OwnRequests,
    /// The client has said that it opens no more sessions.
    pub(super) no_more_sessions: bool,
    /// The server has told its host keys (client).
    host_keys_told: bool,
    /// How often the client wanted proof of host keys (server).
    proofs: u32,
}

impl Global {
    pub(super) fn new(max: usize) -> Self {
        Global {
            questions: Questions::new(max),
            granted: Vec::new(),
            own: OwnRequests::new(max),
            no_more_sessions: false,
            host_keys_told: false,
            proofs: 0,
        }
    }

    /// Nothing will be asked or answered any more.
    pub(super) fn clear(&mut self, budget: &mut QuestionBudget) {
        self.questions.clear(budget);
        self.own.clear();
    }

    /// Sends the replies whose turn has come.
    fn send_replies(&mut self, budget: &mut QuestionBudget, out: &mut PayloadQueue) {
        while let Some(reply) = self.questions.next_reply(budget) {
            match reply {
                Reply::Answer(Ok(data)) => out.push(|w| RequestSuccess { data: &data }.encode(w)),
                Reply::Answer(Err(())) | Reply::Refuse => out.push(|w| RequestFailure.encode(w)),
            }
        }
    }
}

/// What the layer does with a global request by itself.
enum Own {
    /// Nothing: the application is asked.
    Ask,
    /// It is refused, if a reply is wanted.
    Refuse,
    /// `no-more-sessions@openssh.com`
    NoMoreSessions,
    /// `hostkeys-00@openssh.com`
    HostKeys,
    /// `hostkeys-prove-00@openssh.com`
    Prove,
}

impl Own {
    fn of(role: Role, name: &str) -> Own {
        match (role, name) {
            (Role::Server, "no-more-sessions@openssh.com") => Own::NoMoreSessions,
            // Any reply says that we are alive, and REQUEST_FAILURE is what OpenSSH itself answers.
            (_, "keepalive@openssh.com" | "keepalive@lag.net") => Own::Refuse,
            (Role::Client, HOST_KEYS) => Own::HostKeys,
            (Role::Server, HOST_KEYS_PROVE) => Own::Prove,
            // A server has host keys, a client wants proof of them, and never the other way.
            (Role::Server, HOST_KEYS) | (Role::Client, HOST_KEYS_PROVE) => Own::Refuse,
            (_, "hostkeys@openssh.com" | "hostkeys-prove@openssh.com") => Own::Refuse,
            // RFC 4254 §7.1 and OpenSSH's like: the client asks the server, never the other way.
            (
                Role::Client,
                "tcpip-forward"
                | "cancel-tcpip-forward"
                | "streamlocal-forward@openssh.com"
                | "cancel-streamlocal-forward@openssh.com"
                | "no-more-sessions@openssh.com",
            ) => Own::Refuse,
            _ => Own::Ask,
        }
    }
}

impl ConnectionLayer {
    /// Whether the peer answers a request that wants no reply. Of those requests that it knows it does not.
    fn is_answered_unasked(&self, name: &str) -> bool {
        let known = ["tcpip-forward", "cancel-tcpip-forward"];
        self.habits.answers_unasked && !known.contains(&name)
    }

    /// Sends a global request. With `want_reply` the answer comes as
    /// [`GlobalReply`](ConnectionEvent::GlobalReply) under the number returned.
    ///
    /// # Errors
    /// `Closed` when the connection is gone, `ApiMisuse` for a name that RFC 4251 §6 does not allow, `Limit` when
    /// the peer leaves too many requests without a reply.
    pub fn global_request(
        &mut self,
        name: &str,
        data: &[u8],
        want_reply: bool,
        out: &mut PayloadQueue,
    ) -> Result<Option<GlobalRequestId>, Error> {
        if self.lost {
            return Err(Error::Closed);
        }
        if valid_name(name.as_bytes()).is_none() {
            return Err(Error::ApiMisuse("not a request name"));
        }
        let mut id = None;
        if want_reply || self.is_answered_unasked(name) {
            self.global.own.check_room()?;
            let number = self.next_request_number();
            self.global.own.sent(number, self.latest);
            if want_reply {
                id = Some(GlobalRequestId(number));
            } else {
                self.global.own.abandon(number);
            }
        }
        out.push(|w| {
            GlobalRequest {
                name: name.as_bytes(),
                want_reply,
                data,
            }
            .encode(w)
        });
        Ok(id)
    }

    /// Nobody waits for the reply to this request any more: it is swallowed when it comes.
    pub fn abandon_global(&mut self, id: GlobalRequestId) {
        if !self.forwards.give_up(id) {
            self.global.own.abandon(id.0);
        }
    }

    /// Answers a [`GlobalQuestion`](ConnectionEvent::GlobalQuestion), whether or not a reply is wanted.
    ///
    /// # Errors
    /// `Closed` when the connection is gone, `ApiMisuse` when nothing was asked.
    pub fn answer_global(
        &mut self,
        id: GlobalRequestId,
        answer: Result<Vec<u8>, ()>,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        if self.lost {
            return Err(Error::Closed);
        }
        let never_asked = Error::ApiMisuse("the peer did not request this, or it was answered");
        let questions = &mut self.global.questions;
        let listening = match (questions.tag(id.0), &answer) {
            (Some(Some(request)), Ok(data)) => Some(settled(request, data)?),
            _ => None,
        };
        let (_, charge) = questions.answer(id.0, answer).ok_or(never_asked)?;
        match listening {
            Some(ForwardRequest::Listen(point)) => self.global.granted.push(point),
            Some(ForwardRequest::Cancel(point)) => {
                self.global.granted.retain(|granted| *granted != point);
            }
            None => {}
        }
        self.question_budget.give_back(charge);
        self.global.send_replies(&mut self.question_budget, out);
        Ok(())
    }

    pub(super) fn on_global_request(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
    ) -> Result<(), Error> {
        let message = GlobalRequest::decode(payload)?;
        let name = valid_name(message.name);
        let action = name.map_or(Own::Refuse, |name| Own::of(self.role, name));
        let asked = match (action, name) {
            (Own::Ask, Some(name)) => {
                self.ask_global(name, &message, payload.len(), context.events)?
            }
            (Own::NoMoreSessions, _) => {
                self.global.no_more_sessions = true;
                false
            }
            (Own::HostKeys, _) => self.host_keys_told(message.data, context.events)?,
            (Own::Prove, _) => self.proof_wanted(&message, payload.len(), context.events)?,
            _ => false,
        };
        if asked {
            return Ok(());
        }
        if message.want_reply {
            let budget = &mut self.question_budget;
            self.global.questions.refuse(budget)?;
            self.global.send_replies(budget, context.out);
        }
        Ok(())
    }

    /// Takes the server's list of host keys, once: one that is told over and over is no news. A reply, if one is wanted, is
    /// a refusal, for nothing is promised.
    fn host_keys_told(
        &mut self,
        data: &[u8],
        events: &mut VecDeque<ConnectionEvent>,
    ) -> Result<bool, Error> {
        if std::mem::replace(&mut self.global.host_keys_told, true) {
            return Ok(false);
        }
        if let Some(keys) = list_of_keys(data)? {
            events.push_back(ConnectionEvent::HostKeys { keys });
        }
        Ok(false)
    }

    /// Has the owner of the host keys prove that it has them; false when the request is refused.
    fn proof_wanted(
        &mut self,
        message: &GlobalRequest<'_>,
        length: usize,
        events: &mut VecDeque<ConnectionEvent>,
    ) -> Result<bool, Error> {
        // Without a reply there is nothing to do. Each signature costs: a client needs them once.
        let proofs = self.global.proofs.saturating_add(1);
        if !message.want_reply || proofs > MAX_PROOFS || !self.global.questions.has_room() {
            return Ok(false);
        }
        let Some(keys) = list_of_keys(message.data)? else {
            return Ok(false);
        };
        let Some(charge) = self.question_budget.take(length) else {
            return Ok(false);
        };
        self.global.proofs = proofs;
        let number = self.next_request_number();
        events.push_back(ConnectionEvent::ProveHostKeys {
            id: GlobalRequestId(number),
            keys,
        });
        self.global.questions.ask(number, true, charge, None);
        Ok(true)
    }

    /// Whether the application need not be asked about a request to forward: it is malformed, asks for what there
    /// is, for too much, or the end of what there is not.
    fn is_idle(&self, request: &ForwardRequest) -> bool {
        let granted = &self.global.granted;
        match request {
            ForwardRequest::Listen(point) => {
                // All that the application still considers may be granted.
                let considered = self.global.questions.open();
                let places = considered
                    .filter(|asked| matches!(asked, Some(ForwardRequest::Listen(_))))
                    .count()
                    .saturating_add(granted.len());
                granted.contains(point) || places >= self.limits.max_forwards
            }
            ForwardRequest::Cancel(point) => !granted.contains(point),
        }
    }

    /// Asks the application; false when it need not be asked, or there is no room for one more question.
    fn ask_global(
        &mut self,
        name: &str,
        message: &GlobalRequest<'_>,
        length: usize,
        events: &mut VecDeque<ConnectionEvent>,
    ) -> Result<bool, Error> {
        let forward = match ForwardRequest::decode(name, message.data) {
            Some(Ok(request)) => Some(request),
            Some(Err(fault @ (DecodeError::Truncated | DecodeError::TrailingBytes))) => {
                return Err(Error::invalid(MessageNumber::GLOBAL_REQUEST)(fault));
            }
            Some(Err(_)) => return Ok(false),
            None => None,
        };
        let idle = forward
            .as_ref()
            .is_some_and(|request| self.is_idle(request));
        if idle || !self.global.questions.has_room() {
            return Ok(false);
        }
        let Some(charge) = self.question_budget.take(length) else {
            return Ok(false);
        };
        let number = self.next_request_number();
        let want_reply = message.want_reply;
        let id = GlobalRequestId(number);
        events.push_back(match &forward {
            Some(request) => ConnectionEvent::ForwardQuestion {
                id,
                request: request.clone(),
                want_reply,
            },
            None => ConnectionEvent::GlobalQuestion {
                id,
                name: name.to_owned(),
                data: message.data.to_vec(),
                want_reply,
            },
        });
        self.global
            .questions
            .ask(number, want_reply, charge, forward);
        Ok(true)
    }

    pub(super) fn on_global_success(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
    ) -> Result<(), Error> {
        let message = RequestSuccess::decode(payload)?;
        self.on_global_reply(context, Ok(message.data))
    }

    pub(super) fn on_global_failure(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
    ) -> Result<(), Error> {
        RequestFailure::decode(payload)?;
        self.on_global_reply(context, Err(()))
    }

    fn on_global_reply(
        &mut self,
        context: Context<'_>,
        answer: Result<&[u8], ()>,
    ) -> Result<(), Error> {
        let matched = self.global.own.reply(context.now)?;
        if let Some(sample) = matched.round_trip {
            self.windows.observe_round_trip(sample);
        }
        let Some(id) = matched.id.map(GlobalRequestId) else {
            return Ok(());
        };
        let malformed = Error::invalid(MessageNumber::REQUEST_SUCCESS);
        match self.forwards.answered(id, answer).map_err(malformed)? {
            Answered::Tell => context.events.push_back(ConnectionEvent::GlobalReply {
                id,
                answer: answer.map(<[u8]>::to_vec),
            }),
            Answered::GivenUp(Some(point)) => {
                let cancel = ForwardRequest::Cancel(point);
                self.forward_request(&cancel, false, context.out)?;
            }
            Answered::GivenUp(None) => {}
        }
        Ok(())
    }
}

/// The keys of a list; `None` for an empty one, or one of more keys than anybody has.
fn list_of_keys(data: &[u8]) -> Result<Option<Vec<Vec<u8>>>, Error> {
    match host_keys::split(data) {
        Ok(keys) if keys.is_empty() => Ok(None),
        Ok(keys) => Ok(Some(keys.into_iter().map(<[u8]>::to_vec).collect())),
        Err(DecodeError::TooLong) => Ok(None),
        Err(fault) => Err(Error::invalid(MessageNumber::GLOBAL_REQUEST)(fault)),
    }
}

/// The request as it was granted: with the port that was chosen, where one was to be.
fn settled(request: &ForwardRequest, data: &[u8]) -> Result<ForwardRequest, Error> {
    let mut request = request.clone();
    if let ForwardRequest::Listen(ForwardPoint::Tcp { port, .. }) = &mut request {
        *port = decode_bound_port(*port, data)
            .map_err(|_| Error::ApiMisuse("the port that was chosen is to be told"))?;
    }
    Ok(request)
}
