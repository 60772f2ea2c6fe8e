//! The state of a transport behind its third lock: the services, who waits for what, and what the
//! application is to be told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::admission::Admission;
use super::begun::Begun;
use super::entry::{ChannelEntry, ChannelWaits};
use super::event::Event;
use super::forward::Forwards;
use super::guessing::Guess;
use super::host_key::HostKeyState;
use super::keepalive::Keepalive;
use super::options::TransportOptions;
use super::pool::Job;
use super::request::{Request, RequestKind};
use super::rotation::{HostKeyChange, ProofJob};
use super::stream::Waker;
use super::subsystem::Subsystems;
use super::sys::clock;
use crate::auth::{AuthOutcome, SignJob, VerifyJob};
use crate::connection::{ChannelId, GlobalRequestId, RequestId};
use crate::endpoint::Services;
use crate::error::Error;
use crate::keys::Permissions;
use crate::messages::Role;
use crate::transport::HostKeyJob;

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
    /// The call that made it waits for the outcome, which is for nobody else.
    pub(crate) waited: bool,
    pub(crate) outcome: Option<Result<AuthOutcome, Error>>,
    /// Methods that may continue, as last said by the server.
    pub(crate) methods: Vec<String>,
    pub(crate) deadline: Option<Instant>,
    /// The time that the server has, where whoever signs may have all the time they need: their own does not count.
    pub(crate) servers_time: Option<Duration>,
}

impl Attempt {
    /// Somebody signs, perhaps a person with a token or a passphrase.
    pub(crate) fn pause(&mut self) {
        if self.servers_time.is_some() {
            self.deadline = None;
        }
    }

    /// They have, and it is the server's turn.
    pub(crate) fn resume(&mut self) {
        if let Some(time) = self.servers_time {
            self.deadline = clock::now().checked_add(time);
        }
    }
}

/// Work that must be done without the lock.
pub(crate) enum After {
    Sign(SignJob),
    SignHash(HostKeyJob),
    Verify(VerifyJob),
    Prove(ProofJob),
    /// Tell who reads from a channel: they would only meet at the serving lock.
    Readable(Arc<ChannelWaits>),
    /// Start running callbacks, which would meet there too: their answers take it.
    Call,
    /// Give back memory that is kept for sending, unless somebody sends.
    Shrink,
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
    /// Client: what it guesses of the server, and whether it has done so, or may the next time only.
    pub(crate) guess: Option<(Guess, bool)>,
    pub(crate) host_key: HostKeyState,
    /// Client: the server was asked to prove host keys.
    pub(crate) proof: Option<(GlobalRequestId, HostKeyChange)>,
    /// Client: something is still to come of the host keys that the server has told of.
    pub(crate) is_rotating: bool,
    pub(crate) attempt: Attempt,
    /// Server: what the user's certificate permits; `None` where nothing limits them but the application.
    pub(crate) permissions: Option<Permissions>,
    /// Server: its place among the connections of its listener whose user is not in.
    pub(crate) admission: Option<Admission>,
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
    /// Events are handed out, after which callbacks are started.
    pub(crate) settling: bool,
    /// Some are to be started then.
    pub(crate) jobs_wait: bool,
    pub(crate) keepalive: Keepalive,
    pub(crate) subsystems: Subsystems,
    pub(crate) forwards: Forwards,
    pub(crate) begun: Begun,
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
            guess: None,
            host_key: HostKeyState::Unknown,
            proof: None,
            is_rotating: false,
            attempt: Attempt::default(),
            permissions: None,
            admission: None,
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
            settling: false,
            jobs_wait: false,
            keepalive: Keepalive::default(),
            subsystems: Subsystems::default(),
            forwards: Forwards::default(),
            begun: Begun::default(),
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_an_attempt_stands_while_somebody_signs() {
        let now = Instant::now();
        let mut attempt = Attempt {
            deadline: Some(now),
            servers_time: Some(Duration::from_secs(60)),
            ..Attempt::default()
        };
        attempt.pause();
        assert_eq!(attempt.deadline, None);
        attempt.resume();
        assert!(attempt.deadline > Some(now));
        // A limit of the caller's holds for all of it.
        let mut attempt = Attempt {
            deadline: Some(now),
            ..Attempt::default()
        };
        attempt.pause();
        attempt.resume();
        assert_eq!(attempt.deadline, Some(now));
    }
}
