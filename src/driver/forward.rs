//! Places where one side listens for the other: what the driver keeps of them, and the client's calls.
//!
//! A connection that comes in where the server listens for us reaches us as a `forwarded-*` channel. To have asked for
//! the place is to have agreed to its channels, so they are no question to the application: each goes to the handler of
//! its place, or without one to the accept queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::channel::Channel;
use super::entry::ChannelEntry;
use super::pool::Job;
use super::request::{Question, Request, RequestKind};
use super::serving::{RequestCallback, Serving};
use super::shared::Shared;
use super::stream::Waker;
use super::transport::Transport;
use super::wait::Timeout;
use crate::connection::{ChannelId, ForwardPoint, ForwardRequest, GlobalRequestId, OpenKind};
use crate::error::Error;
use crate::messages::Role;

/// Gets the channels of one place, as questions to open them that are to be answered with yes.
pub type ForwardHandler = RequestCallback;

/// What the driver keeps of forwards, beside the connection layer's own table.
#[derive(Default)]
pub(crate) struct Forwards {
    /// Client: by the request that asked for the place.
    handlers: HashMap<GlobalRequestId, ForwardHandler>,
    /// Client: by the type of channels that own requests have allowed the server to open. The newest one gets them.
    kinds: HashMap<&'static str, Vec<Expected>>,
    /// How many there were.
    expected: u64,
    /// Server: what ends the listening that this library does for the application.
    listening: HashMap<ForwardPoint, Job>,
    /// Server: the same for agents and displays, which end with their sessions.
    of_sessions: Vec<SessionListening>,
}

/// A request that allows the server to open channels of a type.
struct Expected {
    number: u64,
    handler: ForwardHandler,
}

struct SessionListening {
    channel: ChannelId,
    kind: RequestKind,
    stop: Job,
}

/// Most agents and displays that one client is served at once: each takes descriptors, and each display one of the machine's.
const MAX_SESSION_LISTENINGS: usize = 32;

impl Forwards {
    /// What ends the listening that the question wants ended, if this library does it.
    pub(super) fn take_listening(&mut self, question: &Question) -> Option<Job> {
        match question {
            Question::Forward {
                request: ForwardRequest::Cancel(point),
                ..
            } => self.listening.remove(point),
            _ => None,
        }
    }

    /// What ends the listening for a session that has ended.
    fn take_of_session(&mut self, channel: ChannelId) -> Vec<Job> {
        let listening = std::mem::take(&mut self.of_sessions);
        let (ended, left) = listening
            .into_iter()
            .partition(|listening| listening.channel == channel);
        self.of_sessions = left;
        let ended: Vec<SessionListening> = ended;
        ended.into_iter().map(|listening| listening.stop).collect()
    }
}

fn to_accept_queue() -> ForwardHandler {
    Arc::new(|request: Request| {
        // Fails only when the session is over.
        let _ = request.accept();
    })
}

impl Serving {
    /// The peer wants to open a channel.
    pub(super) fn ask_open(&mut self, shared: &Arc<Shared>, id: ChannelId, kind: OpenKind) {
        let services = self.services.as_ref();
        let forward = services.and_then(|services| services.connection.forward_of(&kind));
        let question = Question::ChannelOpen { id, kind };
        let handler = match forward {
            Some(forward) => self.forwards.handlers.get(&forward).cloned(),
            None if self.role == Role::Client => {
                let Question::ChannelOpen { kind, .. } = &question else {
                    return;
                };
                let expected = self.forwards.kinds.get(kind.name());
                match expected.and_then(|expected| expected.last()) {
                    Some(newest) => Some(Arc::clone(&newest.handler)),
                    None => return self.ask(shared, question),
                }
            }
            None => return self.ask(shared, question),
        };
        let handler = handler.unwrap_or_else(to_accept_queue);
        self.call(shared, handler, Request::new(Arc::clone(shared), question));
    }

    /// The session on a channel is over, by our word or the peer's: what is listened for because of it ends.
    pub(super) fn end_forwards_of(&mut self, shared: &Arc<Shared>, channel: ChannelId) {
        for stop in self.forwards.take_of_session(channel) {
            self.push_job(shared, stop);
        }
    }

    /// Whether the session on a channel goes on.
    fn has_session(&self, channel: ChannelId) -> bool {
        let services = self.services.as_ref();
        let status = services.and_then(|services| services.connection.status(channel));
        status.is_some_and(|status| !status.closed)
    }

    /// Lets go of what belongs to the application, on a thread that holds no lock.
    pub(super) fn drop_forwards(&mut self, shared: &Arc<Shared>) {
        let forwards = std::mem::take(&mut self.forwards);
        let is_empty = forwards.handlers.is_empty()
            && forwards.kinds.is_empty()
            && forwards.listening.is_empty()
            && forwards.of_sessions.is_empty();
        if !is_empty {
            self.push_job(shared, Box::new(move || drop(forwards)));
        }
        for waker in std::mem::take(&mut self.end_wakers) {
            if let Some(waker) = waker.upgrade() {
                waker.readable();
            }
        }
    }
}

impl Transport {
    /// Asks the server to listen somewhere, and waits for its answer; returns the place with the port that it listens
    /// on. Its channels go to `handler`, or to the accept queue.
    pub fn request_forward(
        &self,
        point: ForwardPoint,
        handler: Option<ForwardHandler>,
        timeout: Timeout,
    ) -> Result<ForwardPoint, Error> {
        let shared = &self.shared;
        shared.check_process()?;
        self.require(Role::Client)?;
        self.require_certain_host_key()?;
        let deadline = timeout.deadline();
        let id = {
            let mut serving = shared.serving.lock();
            let services = serving.open_services()?;
            services.connection.advance(Instant::now());
            let id = services
                .connection
                .request_forward(point, &mut services.out)?;
            serving.global_replies.insert(id, None);
            if let Some(handler) = handler {
                serving.forwards.handlers.insert(id, handler);
            }
            id
        };
        shared.flush();
        let outcome = self.wait_global(id, deadline, "forward request");
        let mut serving = shared.serving.lock();
        let failure = match outcome {
            Ok(_) => {
                let services = serving.services()?;
                match services.connection.forward_point(id) {
                    Some(point) => return Ok(point.clone()),
                    None => Error::Closed,
                }
            }
            Err(error) => error,
        };
        let handler = serving.forwards.handlers.remove(&id);
        drop(serving);
        // The application's destroy hook may run here, without the lock.
        drop(handler);
        Err(failure)
    }

    /// Asks the server to listen there no longer. Connections that come in meanwhile are refused at once.
    pub fn cancel_forward(&self, point: &ForwardPoint, timeout: Timeout) -> Result<(), Error> {
        let deadline = timeout.deadline();
        match self.begin_cancel(point, true)? {
            Some(number) => self
                .wait_global(number, deadline, "forward request")
                .map(|_| ()),
            None => Ok(()),
        }
    }

    /// The same without waiting for an answer.
    pub fn cancel_forward_now(&self, point: &ForwardPoint) -> Result<(), Error> {
        self.begin_cancel(point, false).map(|_| ())
    }

    fn begin_cancel(
        &self,
        point: &ForwardPoint,
        want_reply: bool,
    ) -> Result<Option<GlobalRequestId>, Error> {
        let shared = &self.shared;
        shared.check_process()?;
        self.require(Role::Client)?;
        let (handler, number) = {
            let mut serving = shared.serving.lock();
            let services = serving.open_services()?;
            services.connection.advance(Instant::now());
            let (id, number) =
                services
                    .connection
                    .cancel_forward(point, want_reply, &mut services.out)?;
            if let Some(number) = number {
                serving.global_replies.insert(number, None);
            }
            (serving.forwards.handlers.remove(&id), number)
        };
        // The application's destroy hook may run here, without the lock.
        drop(handler);
        shared.flush();
        Ok(number)
    }

    /// Lets the server open channels of a type, from now on, and hands them to `handler` or to the accept queue. The
    /// number that is returned is this request's.
    pub(crate) fn expect_channels(
        &self,
        kind: &'static str,
        handler: Option<ForwardHandler>,
    ) -> Result<u64, Error> {
        self.require(Role::Client)?;
        self.require_certain_host_key()?;
        let mut serving = self.shared.serving.lock();
        serving.open_services()?.connection.allow_open(kind, true);
        let forwards = &mut serving.forwards;
        forwards.expected += 1;
        let number = forwards.expected;
        let handler = handler.unwrap_or_else(to_accept_queue);
        let expected = forwards.kinds.entry(kind).or_default();
        expected.push(Expected { number, handler });
        Ok(number)
    }

    /// The server has granted the request: it takes the place of those before it.
    pub(crate) fn channels_granted(&self, kind: &'static str, number: u64) {
        self.keep_expected(kind, |expected| expected.number >= number);
    }

    /// It has not. Those that it has granted before stay.
    pub(crate) fn channels_refused(&self, kind: &'static str, number: u64) {
        self.keep_expected(kind, |expected| expected.number != number);
    }

    fn keep_expected(&self, kind: &'static str, keep: impl Fn(&Expected) -> bool) {
        let dropped = {
            let mut serving = self.shared.serving.lock();
            let serving = &mut *serving;
            let Some(expected) = serving.forwards.kinds.get_mut(kind) else {
                return;
            };
            let (kept, dropped) = std::mem::take(expected).into_iter().partition(keep);
            *expected = kept;
            if expected.is_empty() {
                serving.forwards.kinds.remove(kind);
                if let Some(services) = &mut serving.services {
                    services.connection.allow_open(kind, false);
                }
            }
            let dropped: Vec<Expected> = dropped;
            dropped
        };
        // What the handlers hold may end here, without the lock.
        drop(dropped);
    }

    /// Refuses what the other role does.
    pub(crate) fn require(&self, role: Role) -> Result<(), Error> {
        let mut serving = self.shared.serving.lock();
        serving.alive()?;
        if serving.role == role || serving.services.is_none() {
            serving.open_services().map(|_| ())
        } else {
            Err(Error::ApiMisuse(match role {
                Role::Client => "only a client does this",
                Role::Server => "only a server does this",
            }))
        }
    }

    /// Server: `stop` ends the listening that this library does at `point`, when the client wants it ended.
    pub(crate) fn note_listening(&self, point: ForwardPoint, stop: Job) {
        let before = {
            let mut serving = self.shared.serving.lock();
            serving.forwards.listening.insert(point, stop)
        };
        drop(before);
    }

    /// Server: `stop` ends the listening that this library does for the session on a channel, when that ends.
    ///
    /// # Errors
    /// `Closed` where it has ended, for then nothing would stop the listening; `Limit` where the session, or the client in
    /// all, has enough of them.
    pub(crate) fn note_session_listening(
        &self,
        channel: ChannelId,
        kind: RequestKind,
        stop: Job,
    ) -> Result<(), Error> {
        let mut serving = self.shared.serving.lock();
        if !serving.has_session(channel) {
            return Err(Error::Closed);
        }
        let listening = &mut serving.forwards.of_sessions;
        let has_one = |known: &SessionListening| known.channel == channel && known.kind == kind;
        if listening.iter().any(has_one) {
            return Err(Error::Limit("forwardings of one kind for a session"));
        }
        if listening.len() >= MAX_SESSION_LISTENINGS {
            return Err(Error::Limit("agents and displays of one client"));
        }
        listening.push(SessionListening {
            channel,
            kind,
            stop,
        });
        Ok(())
    }

    /// Server: it does not listen for the session after all.
    pub(crate) fn forget_session_listening(&self, channel: ChannelId, kind: RequestKind) {
        let mut serving = self.shared.serving.lock();
        let listening = &mut serving.forwards.of_sessions;
        let noted = listening
            .iter()
            .position(|known| known.channel == channel && known.kind == kind);
        let noted = noted.map(|noted| listening.swap_remove(noted));
        drop(serving);
        drop(noted);
    }

    /// Has the waker told when the transport ends, and at once if it has.
    pub(crate) fn tell_end(&self, waker: &Arc<Waker>) {
        let mut serving = self.shared.serving.lock();
        if serving.ended.is_some() {
            waker.readable();
            return;
        }
        serving.end_wakers.retain(|known| known.strong_count() > 0);
        serving.end_wakers.push(Arc::downgrade(waker));
    }

    /// Begins to open a channel that is not for the application, whose waker is told of every change, beginning with
    /// the peer's answer.
    pub(crate) fn begin_carried(
        &self,
        kind: OpenKind,
        waker: &Arc<Waker>,
    ) -> Result<Channel, Error> {
        let shared = &self.shared;
        shared.check_process()?;
        let id = {
            let mut serving = shared.serving.lock();
            let services = serving.open_services()?;
            let now = Instant::now();
            services.connection.advance(now);
            let id = services.connection.open(kind, &mut services.out)?;
            services
                .connection
                .discard_stderr(id, now, &mut services.out)?;
            serving
                .channels
                .insert(id, ChannelEntry::carrying(Arc::clone(waker)));
            id
        };
        let channel = shared.channel(id)?;
        shared.flush();
        Ok(channel)
    }
}
