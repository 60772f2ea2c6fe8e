//! Services (RFC 4253 §10), user authentication (RFC 4252) and keyboard-interactive (RFC 4256).

use std::collections::{BTreeSet, VecDeque};

use super::wire::{has_form, Fields};
use super::{accept, end, free, refuse, unimplemented, Ruling, Saying, Side, MALFORMED};

/// Requests that a server must be able to let wait. RFC 4252 §5 bounds nothing; a server may.
const AHEAD: usize = 8;
/// Rounds of one dialogue that a client must be able to stand. RFC 4256 §3.2 bounds nothing; a client may.
const ROUNDS: u32 = 8;

/// What a request that is not answered wants.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// `none`, a signature, or a method that nobody knows: SUCCESS or FAILURE.
    Plain,
    /// PASSWD_CHANGEREQ too (RFC 4252 §8).
    Password,
    /// FAILURE, or PK_OK with the same fields (RFC 4252 §7).
    Query(Vec<u8>),
    /// INFO_REQUEST too (RFC 4256 §3.1).
    Interactive,
    /// Nothing that a server could do: FAILURE at most.
    Broken,
}

impl Wanted {
    /// Whether a server may answer with this.
    fn takes(&self, number: u8, payload: &[u8]) -> bool {
        match (number, self) {
            (51, _) => true,
            (52, Wanted::Query(_) | Wanted::Broken) => false,
            (52, _) => true,
            (60, Wanted::Query(asked)) => asked == Fields::of(payload).rest(),
            (60, Wanted::Interactive) => true,
            _ => false,
        }
    }
}

/// A USERAUTH_REQUEST or INFO_RESPONSE that may have to be answered yet.
struct Request {
    wanted: Wanted,
    /// It must be answered; others may be.
    sure: bool,
}

/// What waits for answers, in order (RFC 4252 §5: each is processed completely before the next one). Of those that need not
/// be answered nobody sees whether they were, so there may be several numbers of requests that are through.
struct Waiting {
    requests: VecDeque<Request>,
    through: BTreeSet<usize>,
}

impl Default for Waiting {
    fn default() -> Self {
        Waiting {
            requests: VecDeque::new(),
            through: BTreeSet::from([0]),
        }
    }
}

/// What a message may answer.
#[derive(Default)]
struct Answered {
    /// A dialogue.
    dialogue: bool,
    /// One that was dropped, or something else.
    in_doubt: bool,
}

impl Waiting {
    fn push(&mut self, wanted: Wanted, sure: bool) {
        self.requests.push_back(Request { wanted, sure });
    }

    fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    fn front(&self) -> Option<&Wanted> {
        self.requests.front().map(|request| &request.wanted)
    }

    /// For who knows what was answered: all requests are sure.
    fn pop_front(&mut self) -> Option<Wanted> {
        self.requests.pop_front().map(|request| request.wanted)
    }

    fn clear(&mut self) {
        *self = Waiting::default();
    }

    /// Goes on behind whatever this may answer. Nothing, where it answers nothing; or whether it answers a dialogue that goes
    /// on, as far as that is known.
    fn answer(&mut self, number: u8, payload: &[u8]) -> Option<Answered> {
        let mut through = BTreeSet::new();
        let mut answered = Answered::default();
        for start in &self.through {
            for (at, request) in self.requests.iter().enumerate().skip(*start) {
                if request.wanted.takes(number, payload) {
                    through.insert(at + 1);
                    answered.dialogue |= request.wanted == Wanted::Interactive;
                    answered.in_doubt |= request.wanted != Wanted::Interactive || !request.sure;
                }
                if request.sure {
                    break;
                }
            }
        }
        let all = through.first().copied()?;
        self.requests.drain(..all);
        self.through = through.iter().map(|count| count - all).collect();
        Some(answered)
    }

    /// No answer is due to dialogues any more. Those that were decided already, where that may be, may be said yet.
    fn drop_dialogues(&mut self, may_be_said: bool) {
        let mut at = 0;
        while let Some(request) = self.requests.get_mut(at) {
            if request.wanted != Wanted::Interactive {
                at += 1;
            } else if may_be_said {
                request.sure = false;
                at += 1;
            } else {
                self.requests.remove(at);
                let without = |count: &usize| count - usize::from(*count > at);
                self.through = self.through.iter().map(without).collect();
            }
        }
    }

    /// How many must be answered, without any doubt.
    fn owed(&self) -> usize {
        let behind = |start: &usize| {
            let left = self.requests.iter().skip(*start);
            left.filter(|request| request.sure).count()
        };
        self.through.iter().map(behind).min().unwrap_or_default()
    }
}

/// What stands between the sides in authentication.
#[derive(Default)]
pub(in super::super) struct Login {
    /// SERVICE_REQUEST was said.
    pub(in super::super) requested: bool,
    /// SERVICE_ACCEPT was said.
    accepted: bool,
    /// SERVICE_ACCEPTs that a server has to say, and those that it may say.
    accepts_owed: u32,
    accepts_free: u32,
    /// USERAUTH_REQUESTs and INFO_RESPONSEs without an answer.
    waiting: Waiting,
    /// Requests that were heard since the last time that none was waiting.
    ahead: usize,
    /// We exchange keys, so that what a server has answered may not be said yet.
    pub(super) held: bool,
    /// INFO_REQUEST was said and not answered, with so many prompts.
    pub(in super::super) dialogue: Option<u32>,
    /// It may have been for a dialogue that was dropped.
    dialogue_in_doubt: bool,
    rounds: u32,
    /// The server has decided for the user and could not say so yet.
    pub(in super::super) decided: bool,
    /// SUCCESS was said.
    pub(in super::super) authenticated: bool,
}

impl Login {
    pub(super) fn may_use_channels(&self) -> bool {
        self.authenticated || self.decided
    }

    /// Whether the peer waits for an answer of ours, or we for one of the peer's.
    pub(in super::super) fn is_asked(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether SERVICE_ACCEPT is to come.
    pub(in super::super) fn wants_accept(&self) -> bool {
        self.requested && !self.accepted
    }

    /// The fields of the query that comes next, if it is one.
    pub(in super::super) fn query(&self) -> Option<&[u8]> {
        match self.waiting.front() {
            Some(Wanted::Query(fields)) => Some(fields),
            _ => None,
        }
    }

    /// Whether the request that comes next is for a dialogue.
    pub(in super::super) fn wants_dialogue(&self) -> bool {
        self.waiting.front() == Some(&Wanted::Interactive)
    }

    pub(super) fn heard(&mut self, us: Side, number: u8, payload: &[u8]) -> Ruling {
        match (us, number) {
            (_, 54..=59 | 62..=79) => unimplemented("RFC 4253 §11.4: unrecognized messages"),
            (Side::Server, 5) => self.service_request(payload),
            (Side::Server, 50) => self.request(payload),
            (Side::Server, 61) => self.response(payload),
            (Side::Client, 6) => self.service_accept(payload),
            (Side::Client, 53) => self.banner(payload),
            (Side::Client, 51) => self.failure(payload),
            (Side::Client, 52) => self.success(payload),
            (Side::Client, 60) => self.method_message(payload),
            // No RFC says what becomes of them; attack case A2 does.
            _ => end("RFC 4252 §5, §6: a message of our own side"),
        }
    }

    fn service_request(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let Some(name) = fields.name().filter(|_| fields.end().is_some()) else {
            return MALFORMED;
        };
        if self.may_use_channels() {
            return refuse("RFC 4252 §5: the service that was asked for runs already");
        }
        if name != "ssh-userauth" {
            return end("RFC 4253 §10: a server that rejects the service MUST disconnect");
        }
        if std::mem::replace(&mut self.requested, true) {
            self.accepts_free += 1;
            return free("RFC 4253 §10: nothing is said about a second request");
        }
        self.accepts_owed += 1;
        accept("RFC 4253 §10: answered with SERVICE_ACCEPT")
    }

    fn request(&mut self, payload: &[u8]) -> Ruling {
        if self.authenticated {
            return accept("RFC 4252 §5.3: further requests are silently ignored");
        }
        if self.decided {
            return free("RFC 4252 §5.3: decided, but the client was not told");
        }
        if !self.requested {
            return end("RFC 4252 §1, RFC 4253 §10: the service was not requested");
        }
        if self.waiting.owed() == 0 {
            self.ahead = 0;
        }
        self.ahead += 1;
        let mut fields = Fields::of(payload);
        // RFC 4252 §5: the user name is UTF-8, the others are names.
        let user = fields
            .string()
            .and_then(|user| std::str::from_utf8(user).ok());
        let (service, method) = (fields.name(), fields.name());
        let (Some(_), Some(service), Some(method)) = (user, service, method) else {
            self.broken_request();
            return MALFORMED;
        };
        if service != "ssh-connection" {
            self.broken_request();
            return refuse("RFC 4252 §5: where there is no such service nobody is let in");
        }
        let Some(wanted) = wanted(method, fields) else {
            self.broken_request();
            return MALFORMED;
        };
        // RFC 4252 §5.1, RFC 4256 §3.1: a new request ends a dialogue, which gets no answer.
        self.drop_dialogue();
        self.waiting.push(wanted, true);
        match self.ahead > AHEAD {
            true => free("RFC 4252 §5: a server may bound what is sent ahead"),
            false => accept("RFC 4252 §5: answered by SUCCESS, FAILURE or a message of the method"),
        }
    }

    fn drop_dialogue(&mut self) {
        self.dialogue = None;
        self.dialogue_in_doubt = false;
        self.waiting.drop_dialogues(self.held);
    }

    /// FAILURE may come of it. No RFC says whether it ends a dialogue, as requests do that can be read.
    fn broken_request(&mut self) {
        self.dialogue_in_doubt |= self.dialogue.is_some();
        self.waiting.drop_dialogues(true);
        self.waiting.push(Wanted::Broken, false);
    }

    fn response(&mut self, payload: &[u8]) -> Ruling {
        if self.may_use_channels() || self.dialogue.is_none() {
            return refuse("RFC 4256 §3.4: it answers INFO_REQUEST, and there is none");
        }
        let mut fields = Fields::of(payload);
        let count = fields.uint32();
        let read = count.and_then(|count| (0..count).try_for_each(|_| fields.string().map(drop)));
        if read.and_then(|()| fields.end()).is_none() {
            return MALFORMED;
        }
        self.dialogue = None;
        let in_doubt = std::mem::take(&mut self.dialogue_in_doubt);
        self.waiting.push(Wanted::Interactive, !in_doubt);
        if in_doubt {
            return free("RFC 4256 §3.1: whether the dialogue was dropped");
        }
        accept("RFC 4256 §3.4: answered; with FAILURE where the number of answers is wrong")
    }

    fn service_accept(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let Some(name) = fields.name().filter(|_| fields.end().is_some()) else {
            return MALFORMED;
        };
        if !self.requested || self.accepted || name != "ssh-userauth" {
            return refuse("RFC 4253 §10: it accepts the service that was requested");
        }
        self.accepted = true;
        accept("RFC 4253 §10: the service was requested")
    }

    fn banner(&mut self, payload: &[u8]) -> Ruling {
        match has_form(Fields::of(payload), "ss") {
            false => MALFORMED,
            true if self.authenticated || !self.requested => refuse(
                "RFC 4252 §5.4: after the protocol starts and before authentication is successful",
            ),
            true if !self.accepted => free("RFC 4252 §5.4: whether the protocol has started"),
            true => accept("RFC 4252 §5.4: at any time before SUCCESS"),
        }
    }

    fn failure(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let methods = fields.names();
        let read = fields.boolean().and_then(|_| fields.end());
        if read.is_none() || methods.is_none() {
            return MALFORMED;
        }
        if !self.accepted || self.authenticated {
            return refuse("RFC 4252 §5.1: it answers a request");
        }
        if self.waiting.pop_front().is_some() {
            return accept("RFC 4252 §5.1: it answers the request");
        }
        match self.dialogue.take() {
            Some(_) => free("RFC 4256 §3.4: a server that waits no longer for the answers"),
            None => refuse("RFC 4252 §5.1: it answers a request, and there is none"),
        }
    }

    fn success(&mut self, payload: &[u8]) -> Ruling {
        if payload.len() != 1 {
            return MALFORMED;
        }
        if !self.accepted || self.authenticated {
            return refuse("RFC 4252 §5.1: it answers a request, once");
        }
        match self.waiting.front() {
            None => refuse("RFC 4252 §5.1: it answers a request, and there is none"),
            Some(Wanted::Query(_)) => {
                refuse("RFC 4252 §7: a query is answered by FAILURE or PK_OK")
            }
            Some(_) => {
                self.waiting.clear();
                self.dialogue = None;
                self.authenticated = true;
                accept("RFC 4252 §5.1: authentication is complete")
            }
        }
    }

    /// Number 60, which belongs to the method of the request (RFC 4252 §6).
    fn method_message(&mut self, payload: &[u8]) -> Ruling {
        if !self.accepted || self.authenticated {
            return refuse("RFC 4252 §6: it answers a request of a method");
        }
        let fields = Fields::of(payload);
        let Some(wanted) = self.waiting.front() else {
            return refuse("RFC 4252 §6: it answers a request, and there is none");
        };
        match wanted {
            Wanted::Plain | Wanted::Broken => {
                refuse("RFC 4252 §6: this method has no such message")
            }
            Wanted::Password if !has_form(fields, "ss") => MALFORMED,
            Wanted::Password => {
                self.waiting.pop_front();
                accept("RFC 4252 §8: PASSWD_CHANGEREQ")
            }
            Wanted::Query(_) if !has_form(fields, "ss") => MALFORMED,
            Wanted::Query(asked) => {
                let same = asked == fields.rest();
                self.waiting.pop_front();
                match same {
                    true => accept("RFC 4252 §7: PK_OK with algorithm and key of the query"),
                    false => free("RFC 4252 §7: PK_OK for another key"),
                }
            }
            Wanted::Interactive => self.info_request(fields),
        }
    }

    fn info_request(&mut self, mut fields: Fields<'_>) -> Ruling {
        let texts = fields.string().and(fields.string()).and(fields.string());
        let Some(count) = texts.and_then(|_| fields.uint32()) else {
            return MALFORMED;
        };
        let read = (0..count).try_for_each(|_| {
            fields.string()?;
            fields.boolean().map(drop)
        });
        if read.and_then(|()| fields.end()).is_none() {
            return MALFORMED;
        }
        self.waiting.pop_front();
        self.dialogue = Some(count);
        self.rounds += 1;
        match self.rounds > ROUNDS {
            true => free("RFC 4256 §3.2: a client may bound a dialogue"),
            false => accept("RFC 4256 §3.2: INFO_REQUEST"),
        }
    }

    pub(super) fn said(&mut self, us: Side, number: u8, payload: &[u8]) -> Saying {
        match (us, number) {
            (Side::Server, _) => self.said_by_server(number, payload),
            (Side::Client, 5) if self.requested => Err("RFC 4253 §10: the service was requested"),
            (Side::Client, 5) => {
                self.requested = true;
                Ok(())
            }
            (Side::Client, 50) => self.say_request(payload),
            (Side::Client, 61) => self.say_response(payload),
            _ => Err("RFC 4252 §6: a message of the other side"),
        }
    }

    fn say_request(&mut self, payload: &[u8]) -> Saying {
        if !self.requested || self.authenticated {
            return Err("RFC 4252 §5: requests come between SERVICE_REQUEST and SUCCESS");
        }
        let mut fields = Fields::of(payload);
        let (_, service, method) = (fields.name(), fields.name(), fields.name());
        if service != Some("ssh-connection") {
            return Err("RFC 4252 §5: the service");
        }
        let wanted = wanted(method.unwrap_or_default(), fields);
        self.dialogue = None;
        self.waiting.drop_dialogues(false);
        self.rounds = 0;
        let wanted = wanted.ok_or("RFC 4252 §5: fields of the method")?;
        self.waiting.push(wanted, true);
        Ok(())
    }

    fn say_response(&mut self, payload: &[u8]) -> Saying {
        let prompts = self.dialogue.take();
        let answers = Fields::of(payload).uint32();
        if prompts.is_none() || prompts != answers {
            return Err("RFC 4256 §3.4: as many answers as prompts, once");
        }
        self.waiting.push(Wanted::Interactive, true);
        Ok(())
    }

    fn said_by_server(&mut self, number: u8, payload: &[u8]) -> Saying {
        if self.authenticated {
            return Err("RFC 4252 §5.1: SUCCESS is the last message");
        }
        match number {
            6 if self.accepts_owed > 0 => self.accepts_owed -= 1,
            6 if self.accepts_free > 0 => self.accepts_free -= 1,
            51 => {
                let answered = self.waiting.answer(number, payload);
                answered.ok_or("RFC 4252 §5.1: FAILURE without a request")?;
            }
            52 => {
                let answered = self.waiting.answer(number, payload);
                answered.ok_or("RFC 4252 §5.1: SUCCESS without a request that it answers")?;
                self.waiting.clear();
                self.authenticated = true;
            }
            53 if self.requested => {}
            60 => {
                let answered = self.waiting.answer(number, payload);
                let answered =
                    answered.ok_or("RFC 4252 §6: a message of no method that was asked for")?;
                if answered.dialogue {
                    let mut fields = Fields::of(payload);
                    let texts = fields.string().and(fields.string()).and(fields.string());
                    self.dialogue = texts.and_then(|_| fields.uint32());
                    self.dialogue_in_doubt = answered.in_doubt;
                }
            }
            _ => return Err("RFC 4252 §6: a message of the other side, or unasked for"),
        }
        Ok(())
    }

    pub(super) fn owes(&self) -> Option<String> {
        if self.accepts_owed > 0 {
            return Some("SERVICE_ACCEPT".to_owned());
        }
        // A client owes no answer, it gets them.
        None
    }

    /// Requests that wait for an answer, without any doubt.
    pub(in super::super) fn unanswered(&self) -> usize {
        self.waiting.owed()
    }
}

/// What a request of this method wants; nothing where its fields cannot be read.
fn wanted(method: &str, mut fields: Fields<'_>) -> Option<Wanted> {
    match method {
        // RFC 4252 §5.2: it has no fields.
        "none" => fields.end().map(|()| Wanted::Plain),
        "password" => {
            let form = match fields.boolean()? {
                false => "s",
                true => "ss",
            };
            has_form(fields, form).then_some(Wanted::Password)
        }
        "publickey" | "publickey-hostbound-v00@openssh.com" => {
            let signed = fields.boolean()?;
            let asked = fields.rest().to_vec();
            fields.name()?;
            fields.string()?;
            if signed {
                fields.string()?;
            }
            if method != "publickey" {
                fields.string()?;
            }
            fields.end()?;
            Some(match signed {
                true => Wanted::Plain,
                false => Wanted::Query(asked),
            })
        }
        "keyboard-interactive" => has_form(fields, "ss").then_some(Wanted::Interactive),
        _ => Some(Wanted::Plain),
    }
}
