//! The state of a transport behind its third lock: the services, who waits for what, and what the
//! application is to be told.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::event::Event;
use super::forward::Forwards;
use super::host_key::HostKeyState;
use super::keepalive::Keepalive;
use super::log::LogLevel;
use super::options::TransportOptions;
use super::pool::Job;
use super::request::{Question, Request, RequestKind};
use super::shared::Shared;
use super::stream::Waker;
use super::subsystem::Subsystems;
use super::sync::Condvar;
use super::sys::lent::LentSlot;
use crate::auth::{AuthOutcome, ClientAuthEvent, ServerAuthEvent, SignJob, VerifyJob};
use crate::connection::{ChannelId, ConnectionEvent, DataSink, GlobalRequestId, RequestId, Stream};
use crate::endpoint::{self, Services};
use crate::error::Error;
use crate::messages::Role;
use crate::transport::TransportEvent;

/// Most questions that wait to be pulled; further ones are refused.
const MAX_PULLED: usize = 1024;
/// Most callbacks that wait for their turn; notifications beyond are dropped, questions refused.
const MAX_JOBS: usize = 4096;
/// Most bytes of banners that are kept.
const MAX_BANNER_BYTES: usize = 64 * 1024;

/// Most bytes that wait to be sealed before the application's own requests are refused.
const MAX_COMMAND_BYTES: usize = 256 * 1024;

/// The application's callback for a kind of question.
pub type RequestCallback = Arc<dyn Fn(Request) + Send + Sync>;
/// The application's callback for a banner or pre-identification line.
pub type BannerCallback = Arc<dyn Fn(&str) + Send + Sync>;

/// How far the transport has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    New,
    Negotiating,
    Keyed,
}

/// An authentication attempt of ours.
#[derive(Default)]
pub(crate) struct Attempt {
    pub(crate) running: bool,
    pub(crate) event: Option<Event>,
    pub(crate) outcome: Option<Result<AuthOutcome, Error>>,
    /// Methods that may continue, as last said by the server.
    pub(crate) methods: Vec<String>,
    pub(crate) deadline: Option<Instant>,
}

/// Condition variables of one channel. They go with the serving lock.
#[derive(Default)]
pub(crate) struct ChannelWaits {
    pub(crate) readable: Condvar,
    pub(crate) writable: Condvar,
    /// Opened, replies, exit, closed.
    pub(crate) changed: Condvar,
    /// A transport runs over the channel; nobody else may touch its data.
    pub(crate) carries: AtomicBool,
}

impl ChannelWaits {
    pub(crate) fn notify_all(&self) {
        self.readable.notify_all();
        self.writable.notify_all();
        self.changed.notify_all();
    }
}

/// Which changes of a channel set an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChannelInterest {
    /// Data or end of file can be read.
    pub readable: bool,
    /// Data can be written.
    pub writable: bool,
    /// The peer will send no more data.
    pub eof: bool,
    /// The channel is closed, or its transport is.
    pub closed: bool,
    /// Waiting calls are cancelled: see [`Transport::cancel`](super::Transport::cancel).
    pub cancelled: bool,
}

impl ChannelInterest {
    const READABLE: Self = Self::of(true, false, false, false);
    const WRITABLE: Self = Self::of(false, true, false, false);
    /// End of file is something to be read.
    const EOF: Self = Self::of(true, false, true, false);
    const ALL: Self = Self::of(true, true, true, true);
    pub(crate) const CANCELLED: Self = Self {
        cancelled: true,
        ..Self::of(false, false, false, false)
    };

    const fn of(readable: bool, writable: bool, eof: bool, closed: bool) -> Self {
        ChannelInterest {
            readable,
            writable,
            eof,
            closed,
            cancelled: false,
        }
    }

    fn meets(self, change: Self) -> bool {
        (self.readable && change.readable)
            || (self.writable && change.writable)
            || (self.eof && change.eof)
            || (self.closed && change.closed)
            || (self.cancelled && change.cancelled)
    }
}

/// What the driver keeps per channel, beside the connection layer's own state.
pub(crate) struct ChannelEntry {
    pub(crate) waits: Arc<ChannelWaits>,
    pub(crate) lent: [LentSlot; 2],
    pub(crate) opened: Option<Result<(), Error>>,
    /// Handles of the application.
    pub(crate) handles: usize,
    /// In the accept queue, or about to be.
    pub(crate) unclaimed: bool,
    pub(crate) watchers: Vec<(Event, ChannelInterest)>,
    /// Told of changes because a transport runs over the channel.
    pub(crate) above: Option<Arc<Waker>>,
    /// Set when the answer to our open is there.
    pub(crate) open_event: Option<Event>,
    /// Requests whose answers nobody waits for, with the events that are set when they are there.
    pub(crate) begun: Vec<(RequestId, Option<Event>)>,
}

impl ChannelEntry {
    pub(crate) fn new() -> Self {
        ChannelEntry {
            waits: Arc::default(),
            lent: [LentSlot::default(), LentSlot::default()],
            opened: None,
            handles: 0,
            unclaimed: false,
            watchers: Vec::new(),
            above: None,
            open_event: None,
            begun: Vec::new(),
        }
    }

    /// Of a channel whose data are not for the application.
    pub(crate) fn carrying(above: Arc<Waker>) -> Self {
        let entry = Self::new();
        entry.waits.carries.store(true, Ordering::Release);
        ChannelEntry {
            above: Some(above),
            ..entry
        }
    }

    pub(crate) fn slot(&mut self, stream: Stream) -> &mut LentSlot {
        let [data, stderr] = &mut self.lent;
        match stream {
            Stream::Data => data,
            Stream::Stderr => stderr,
        }
    }

    pub(crate) fn changed(&self, change: ChannelInterest) {
        for (event, interest) in &self.watchers {
            if interest.meets(change) {
                event.set();
            }
        }
        if let Some(above) = &self.above {
            if change.readable {
                above.readable();
            }
            if change.writable {
                above.writable();
            }
        }
    }

    /// The answer to a request of ours is there.
    fn replied(&mut self, number: RequestId) {
        for (begun, event) in &mut self.begun {
            if *begun == number {
                if let Some(event) = event.take() {
                    event.set();
                }
            }
        }
    }

    /// Everything about this channel has ended.
    pub(crate) fn ended(&mut self) {
        self.waits.notify_all();
        self.changed(ChannelInterest::ALL);
        let begun = self.begun.iter_mut().filter_map(|(_, event)| event.take());
        for event in begun.chain(self.open_event.take()) {
            event.set();
        }
    }
}

/// Work that must be done without the lock.
pub(crate) enum After {
    Sign(SignJob),
    Verify(VerifyJob),
}

/// Guarded by the serving lock, which is the last one in the order.
pub(crate) struct Serving {
    pub(crate) options: TransportOptions,
    pub(crate) role: Role,
    pub(crate) phase: Phase,
    pub(crate) services: Option<Services>,
    /// The cause that ended the transport.
    pub(crate) ended: Option<Error>,
    /// The seed's slot: newest error, handed out once.
    pub(crate) exception: Option<Error>,
    pub(crate) start_event: Option<Event>,
    /// First key exchange, then (server) login.
    pub(crate) setup_deadline: Option<(Instant, &'static str)>,
    pub(crate) host_key: HostKeyState,
    pub(crate) attempt: Attempt,
    /// Completed key exchanges.
    pub(crate) key_exchanges: u64,
    pub(crate) channels: HashMap<ChannelId, ChannelEntry>,
    pub(crate) accepted: VecDeque<ChannelId>,
    pub(crate) request_replies: HashMap<RequestId, Option<bool>>,
    pub(crate) global_replies: HashMap<GlobalRequestId, Option<Result<Vec<u8>, ()>>>,
    pub(crate) callbacks: HashMap<RequestKind, RequestCallback>,
    pub(crate) banner: Option<BannerCallback>,
    /// Banners of the server so far, up to a bound.
    pub(crate) banner_text: String,
    pub(crate) pull: bool,
    pub(crate) pulled: VecDeque<Request>,
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) jobs_running: bool,
    pub(crate) keepalive: Keepalive,
    pub(crate) subsystems: Subsystems,
    pub(crate) forwards: Forwards,
    /// Told of the end.
    pub(crate) end_wakers: Vec<Weak<Waker>>,
}

impl Serving {
    pub(crate) fn new(options: TransportOptions) -> Self {
        Serving {
            options,
            role: Role::Client,
            phase: Phase::New,
            services: None,
            ended: None,
            exception: None,
            start_event: None,
            setup_deadline: None,
            host_key: HostKeyState::Unknown,
            attempt: Attempt::default(),
            key_exchanges: 0,
            channels: HashMap::new(),
            accepted: VecDeque::new(),
            request_replies: HashMap::new(),
            global_replies: HashMap::new(),
            callbacks: HashMap::new(),
            banner: None,
            banner_text: String::new(),
            pull: false,
            pulled: VecDeque::new(),
            jobs: VecDeque::new(),
            jobs_running: false,
            keepalive: Keepalive::default(),
            subsystems: Subsystems::default(),
            forwards: Forwards::default(),
            end_wakers: Vec::new(),
        }
    }

    /// The services of a transport that has started.
    pub(crate) fn services(&mut self) -> Result<&mut Services, Error> {
        self.services
            .as_mut()
            .ok_or(Error::ApiMisuse("the transport has not been started"))
    }

    /// The cause of the end, if it has ended.
    pub(crate) fn alive(&self) -> Result<(), Error> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    /// The services of a transport with a user.
    pub(crate) fn open_services(&mut self) -> Result<&mut Services, Error> {
        self.alive()?;
        let services = self.services()?;
        if !services.is_authenticated() {
            return Err(Error::ApiMisuse("not authenticated"));
        }
        if services.out.len_bytes() > MAX_COMMAND_BYTES {
            // A key exchange holds them back. The bound on replies to the peer must not be reached by us.
            return Err(Error::Limit("requests waiting to be sent"));
        }
        Ok(services)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        [
            self.setup_deadline.map(|(at, _)| at),
            self.services.as_ref().and_then(Services::poll_timeout),
            self.attempt.deadline,
            self.keepalive.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Hands events of the layers to whom they concern. Runs under the lock, so that questions keep their
    /// order; what must not run under it is pushed to `after`.
    pub(crate) fn settle(&mut self, shared: &Arc<Shared>, after: &mut Vec<After>) {
        while let Some(event) = self.services.as_mut().and_then(Services::poll_event) {
            match event {
                endpoint::Event::Transport(event) => self.transport_event(shared, event),
                endpoint::Event::ClientAuth(event) => self.client_event(shared, event, after),
                endpoint::Event::ServerAuth(event) => self.server_event(shared, event, after),
                endpoint::Event::Connection(event) => self.connection_event(shared, event),
            }
        }
    }

    fn transport_event(&mut self, shared: &Arc<Shared>, event: TransportEvent) {
        match event {
            TransportEvent::BannerLine(line) => self.tell_banner(shared, line),
            TransportEvent::HostKey(key) => self.host_key_shown(shared, key),
            TransportEvent::Keyed { first } => {
                self.key_exchanges += 1;
                if first {
                    self.phase = Phase::Keyed;
                    self.setup_deadline = match (self.role, shared.login_deadline()) {
                        (Role::Server, Some(at)) => Some((at, "login grace time")),
                        _ => None,
                    };
                    if !self.host_key.is_asked() {
                        self.started();
                    }
                }
                shared.log(LogLevel::Info, || String::from("keys exchanged"));
                shared.progress.notify_all();
            }
            TransportEvent::Debug { message, .. } => {
                shared.log(LogLevel::Debug, || {
                    format!("peer says: {}", super::log::quoted(&message))
                });
            }
            _ => {}
        }
    }

    /// Negotiation is over, well or badly.
    pub(crate) fn started(&mut self) {
        if let Some(event) = self.start_event.take() {
            event.set();
        }
    }

    fn tell_banner(&mut self, shared: &Arc<Shared>, text: String) {
        if let Some(callback) = self.banner.clone() {
            self.push_job(shared, Box::new(move || callback(&text)));
        }
    }

    fn client_event(
        &mut self,
        shared: &Arc<Shared>,
        event: ClientAuthEvent,
        after: &mut Vec<After>,
    ) {
        match event {
            ClientAuthEvent::Banner { message, .. } => {
                if self.banner_text.len().saturating_add(message.len()) <= MAX_BANNER_BYTES {
                    self.banner_text.push_str(&message);
                }
                self.tell_banner(shared, message);
            }
            ClientAuthEvent::Prompts(prompts) => self.ask(shared, Question::Prompts(prompts)),
            ClientAuthEvent::Sign(job) => after.push(After::Sign(job)),
            ClientAuthEvent::Outcome(outcome) => {
                if !self.attempt.running {
                    return;
                }
                match &outcome {
                    Ok(AuthOutcome::Success) => {
                        self.attempt.methods.clear();
                        shared.log(LogLevel::Info, || String::from("authenticated"));
                    }
                    Ok(AuthOutcome::Partial { methods }) => {
                        self.attempt.methods.clone_from(methods)
                    }
                    Ok(AuthOutcome::Failure { methods }) => {
                        self.attempt.methods.clone_from(methods);
                        self.exception = Some(Error::AuthFailed {
                            methods: methods.clone(),
                        });
                    }
                    Err(error) => self.exception = Some(error.clone()),
                }
                self.finish_attempt(outcome);
                shared.progress.notify_all();
            }
        }
    }

    pub(crate) fn finish_attempt(&mut self, outcome: Result<AuthOutcome, Error>) {
        self.attempt.running = false;
        self.attempt.deadline = None;
        self.attempt.outcome = Some(outcome);
        if let Some(event) = self.attempt.event.take() {
            event.set();
        }
    }

    fn server_event(
        &mut self,
        shared: &Arc<Shared>,
        event: ServerAuthEvent,
        after: &mut Vec<After>,
    ) {
        match event {
            ServerAuthEvent::Question(question) => self.ask(
                shared,
                Question::Auth {
                    id: question.id,
                    user: question.user,
                    kind: question.kind,
                },
            ),
            ServerAuthEvent::Verify(job) => after.push(After::Verify(job)),
            ServerAuthEvent::Authenticated { user, method } => {
                self.setup_deadline = None;
                shared.authenticated();
                shared.log(LogLevel::Info, || {
                    format!(
                        "user {} in by {}",
                        super::log::quoted(&user),
                        super::log::quoted(&method)
                    )
                });
                shared.progress.notify_all();
            }
        }
    }

    /// The socket or the end of a key exchange lets channels write again, which the connection layer does not see.
    pub(crate) fn room_came(&self) {
        for entry in self.channels.values() {
            entry.changed(ChannelInterest::WRITABLE);
        }
    }

    fn connection_event(&mut self, shared: &Arc<Shared>, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Opened(id) => self.opened(id, Ok(())),
            ConnectionEvent::OpenFailed {
                id,
                reason,
                description,
            } => {
                self.opened(
                    id,
                    Err(Error::ChannelOpenRefused {
                        reason,
                        description,
                    }),
                );
            }
            ConnectionEvent::OpenQuestion { id, kind } => {
                self.channels.insert(id, ChannelEntry::new());
                self.ask_open(shared, id, kind);
            }
            ConnectionEvent::Readable(id) => self.with_channel(id, |entry| {
                entry.waits.readable.notify_all();
                entry.changed(ChannelInterest::READABLE);
            }),
            ConnectionEvent::Writable(id) => self.with_channel(id, |entry| {
                entry.waits.writable.notify_all();
                entry.changed(ChannelInterest::WRITABLE);
            }),
            ConnectionEvent::Eof(id) => self.with_channel(id, |entry| {
                entry.waits.notify_all();
                entry.changed(ChannelInterest::EOF);
            }),
            ConnectionEvent::Closed(id) => {
                self.with_channel(id, |entry| entry.ended());
                // Writers that wait for room to send want to know, too.
                shared.raise_room();
            }
            ConnectionEvent::Exit(id) => {
                self.with_channel(id, |entry| {
                    entry.waits.changed.notify_all();
                });
            }
            ConnectionEvent::RequestQuestion {
                id,
                request_id,
                request,
                want_reply,
            } => {
                self.ask(
                    shared,
                    Question::Channel {
                        id,
                        request_id,
                        request,
                        want_reply,
                    },
                );
            }
            ConnectionEvent::RequestReply { id, request_id, ok } => {
                if let Some(reply) = self.request_replies.get_mut(&request_id) {
                    *reply = Some(ok);
                }
                self.with_channel(id, |entry| {
                    entry.replied(request_id);
                    entry.waits.changed.notify_all();
                });
            }
            ConnectionEvent::GlobalQuestion {
                id,
                name,
                data,
                want_reply,
            } => {
                self.ask(
                    shared,
                    Question::Global {
                        id,
                        name,
                        data,
                        want_reply,
                    },
                );
            }
            ConnectionEvent::ForwardQuestion {
                id,
                request,
                want_reply,
            } => {
                self.ask(
                    shared,
                    Question::Forward {
                        id,
                        request,
                        want_reply,
                    },
                );
            }
            ConnectionEvent::GlobalReply { id, answer } => {
                if let Some(told) = self.keepalive.answered(id, Instant::now()) {
                    self.push_job(shared, told);
                } else if let Some(reply) = self.global_replies.get_mut(&id) {
                    *reply = Some(answer);
                }
                shared.progress.notify_all();
            }
        }
    }

    fn opened(&mut self, id: ChannelId, outcome: Result<(), Error>) {
        self.with_channel(id, |entry| {
            entry.opened = Some(outcome);
            if let Some(above) = &entry.above {
                above.readable();
            }
            if let Some(event) = entry.open_event.take() {
                event.set();
            }
            entry.waits.changed.notify_all();
        });
    }

    fn with_channel(&mut self, id: ChannelId, run: impl FnOnce(&mut ChannelEntry)) {
        if let Some(entry) = self.channels.get_mut(&id) {
            run(entry);
        }
    }

    /// Asks the application by its callback, or lets it pull; with neither the answer is no.
    pub(crate) fn ask(&mut self, shared: &Arc<Shared>, question: Question) {
        let kind = question.kind();
        let request = Request::new(Arc::clone(shared), question);
        if self.ended.is_some() {
            self.refuse(shared, request);
        } else if let Some(stop) = self.forwards.take_listening(request.question()) {
            self.push_job(
                shared,
                Box::new(move || {
                    stop();
                    // Fails only when the session is over.
                    let _ = request.accept();
                }),
            );
        } else if let Some(callback) = self.callbacks.get(&kind).cloned() {
            self.call(shared, callback, request);
        } else if self.subsystems.serve(request.question()) && self.jobs.len() < MAX_JOBS {
            // A failure is a refusal, and was sent.
            self.push_job(shared, Box::new(move || drop(request.accept())));
        } else if self.pull && self.pulled.len() < MAX_PULLED {
            self.pulled.push_back(request);
            shared.progress.notify_all();
            if let Some(event) = shared.request_event() {
                event.set();
            }
        } else {
            self.refuse(shared, request);
        }
    }

    /// Hands a question to a callback, unless too many wait for theirs.
    pub(crate) fn call(
        &mut self,
        shared: &Arc<Shared>,
        callback: RequestCallback,
        request: Request,
    ) {
        if self.jobs.len() < MAX_JOBS {
            self.push_job(shared, Box::new(move || callback(request)));
        } else {
            self.refuse(shared, request);
        }
    }

    /// Nobody answers: a job drops the question, for answering "no" takes the locks.
    fn refuse(&mut self, shared: &Arc<Shared>, request: Request) {
        self.push_job(shared, Box::new(move || drop(request)));
    }

    /// Queues a callback; callbacks of one transport run one at a time and in order.
    pub(crate) fn push_job(&mut self, shared: &Arc<Shared>, job: Job) {
        self.jobs.push_back(job);
        if !self.jobs_running {
            self.jobs_running = true;
            shared.run_jobs();
        }
    }

    /// The authentication methods that somebody is there to decide about.
    pub(crate) fn answerable_methods(&self) -> Vec<String> {
        let methods = [
            (RequestKind::AuthKeyProven, "publickey"),
            (RequestKind::AuthPassword, "password"),
            (RequestKind::AuthInteractive, "keyboard-interactive"),
        ];
        methods
            .into_iter()
            .filter(|(kind, _)| self.pull || self.callbacks.contains_key(kind))
            .map(|(_, method)| method.to_owned())
            .collect()
    }
}

/// Puts data straight into the buffers of blocked readers.
pub(crate) struct LentSink<'a> {
    pub(crate) channels: &'a mut HashMap<ChannelId, ChannelEntry>,
}

impl DataSink for LentSink<'_> {
    fn deliver(&mut self, id: ChannelId, stream: Stream, data: &[u8]) -> usize {
        let Some(entry) = self.channels.get_mut(&id) else {
            return 0;
        };
        let taken = entry.slot(stream).fill(data);
        if taken > 0 {
            entry.waits.readable.notify_all();
        }
        taken
    }
}
