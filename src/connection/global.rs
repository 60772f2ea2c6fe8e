//! Global requests (RFC 4254 §4), ours and the peer's.

use crate::connection::layer::{ConnectionLayer, Context};
use crate::connection::questions::{QuestionBudget, Questions, Reply};
use crate::connection::requests::OwnRequests;
use crate::connection::types::{ConnectionEvent, GlobalRequestId};
use crate::error::Error;
use crate::messages::connection::valid_name;
use crate::messages::global_request::{GlobalRequest, RequestFailure, RequestSuccess};
use crate::messages::Role;
use crate::packet::PayloadQueue;

/// The state of global requests.
#[derive(Debug)]
pub(super) struct Global {
    questions: Questions<(), Result<Vec<u8>, ()>>,
    own: OwnRequests,
    /// The client has said that it opens no more sessions.
    pub(super) no_more_sessions: bool,
}

impl Global {
    pub(super) fn new(max: usize) -> Self {
        Global {
            questions: Questions::new(max),
            own: OwnRequests::new(max),
            no_more_sessions: false,
        }
    }

    /// Nothing will be asked or answered any more.
    pub(super) fn clear(&mut self, budget: &mut QuestionBudget) {
        self.questions.clear(budget);
        self.own.clear();
    }

    /// Sends the replies whose turn has come.
    fn send_replies(&mut self, out: &mut PayloadQueue) {
        while let Some(reply) = self.questions.next_reply() {
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
}

impl Own {
    fn of(role: Role, name: &str) -> Own {
        match (role, name) {
            (Role::Server, "no-more-sessions@openssh.com") => Own::NoMoreSessions,
            // Any reply says that we are alive, and REQUEST_FAILURE is what OpenSSH itself answers.
            (_, "keepalive@openssh.com" | "keepalive@lag.net") => Own::Refuse,
            // A client learns host keys from the key exchange alone.
            (Role::Client, "hostkeys-00@openssh.com" | "hostkeys@openssh.com") => Own::Refuse,
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
        if want_reply {
            self.global.own.check_room()?;
            let number = self.next_request_number();
            self.global.own.sent(number, self.latest);
            id = Some(GlobalRequestId(number));
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
        self.global.own.abandon(id.0);
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
        let (_, charge) = self
            .global
            .questions
            .answer(id.0, answer)
            .ok_or(Error::ApiMisuse(
                "the peer did not request this, or it was answered",
            ))?;
        self.question_budget.give_back(charge);
        self.global.send_replies(out);
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
        match (action, name) {
            (Own::Ask, Some(name)) => {
                if self.ask_global(name, &message, payload.len(), context.events) {
                    return Ok(());
                }
            }
            (Own::NoMoreSessions, _) => self.global.no_more_sessions = true,
            _ => {}
        }
        if message.want_reply {
            self.global.questions.refuse()?;
            self.global.send_replies(context.out);
        }
        Ok(())
    }

    /// Asks the application; false when there is no room for one more question.
    fn ask_global(
        &mut self,
        name: &str,
        message: &GlobalRequest<'_>,
        length: usize,
        events: &mut std::collections::VecDeque<ConnectionEvent>,
    ) -> bool {
        if !self.global.questions.has_room() {
            return false;
        }
        let Some(charge) = self.question_budget.take(length) else {
            return false;
        };
        let number = self.next_request_number();
        self.global
            .questions
            .ask(number, message.want_reply, charge, ());
        events.push_back(ConnectionEvent::GlobalQuestion {
            id: GlobalRequestId(number),
            name: name.to_owned(),
            data: message.data.to_vec(),
            want_reply: message.want_reply,
        });
        true
    }

    pub(super) fn on_global_success(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
    ) -> Result<(), Error> {
        let message = RequestSuccess::decode(payload)?;
        self.on_global_reply(context, || Ok(message.data.to_vec()))
    }

    pub(super) fn on_global_failure(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
    ) -> Result<(), Error> {
        RequestFailure::decode(payload)?;
        self.on_global_reply(context, || Err(()))
    }

    fn on_global_reply(
        &mut self,
        context: Context<'_>,
        answer: impl FnOnce() -> Result<Vec<u8>, ()>,
    ) -> Result<(), Error> {
        let matched = self.global.own.reply(context.now)?;
        if let Some(sample) = matched.round_trip {
            self.windows.observe_round_trip(sample);
        }
        if let Some(number) = matched.id {
            context.events.push_back(ConnectionEvent::GlobalReply {
                id: GlobalRequestId(number),
                answer: answer(),
            });
        }
        Ok(())
    }
}
