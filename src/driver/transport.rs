//! A transport as the application sees it.

use std::os::fd::RawFd;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

use super::admission::Admission;
use super::channel::Channel;
use super::connect::{connect, connect_by};
use super::event::Event;
use super::guessing::{Guess, GUESSABLE};
use super::inside;
use super::log::{LogLevel, LogSink};
use super::lookup::Turns;
use super::options::TransportOptions;
use super::reach::Reach;
use super::request::RequestKind;
use super::serving::{BannerCallback, Phase, RequestCallback};
use super::shared::Shared;
use super::stream::{AddressStream, ByteStream, CallbackStream, ChannelStream, Socket, Stream};
use super::subsystem::SubsystemHandler;
use super::user_keys::Judge;
use super::wait::{Deadline, Timeout};
use crate::crypto::random::SystemRandom;
use crate::endpoint::{Inbound, Outbound, Services};
use crate::error::Error;
use crate::kex::Negotiated;
use crate::keys::{PrivateKey, PublicKey};
use crate::messages::Role;
use crate::packet::PeerHabits;
use crate::transport::SessionProof;

/// One SSH connection. Clones are the same transport; it lives until it is closed or lost, also when all
/// clones have gone while the I/O thread still says goodbye.
#[derive(Clone)]
pub struct Transport {
    pub(super) shared: Arc<Shared>,
}

impl Transport {
    // ---- making ---------------------------------------------------------------------------------------

    /// Over a connected stream socket, which belongs to the transport from now on. On failure it stays the
    /// caller's.
    pub fn from_socket(descriptor: RawFd) -> Result<Self, Error> {
        let socket = Socket::from_raw(descriptor)?;
        Ok(Self::over(Stream::Socket(socket)))
    }

    /// Over a new TCP connection: `host`, `host:port`, `[v6]:port`. All addresses are tried within the time.
    pub fn from_address(address: &str, timeout: Timeout) -> Result<Self, Error> {
        let descriptor = connect(address, timeout)?;
        let socket = Socket::new(descriptor).map_err(|(error, _)| error)?;
        Ok(Self::over(Stream::Socket(socket)))
    }

    /// Over a connection that a listener has let in.
    pub(crate) fn from_admitted(socket: Socket, admission: Admission) -> Self {
        let transport = Self::over(Stream::Socket(socket));
        transport.shared.serving.lock().admission = Some(admission);
        transport
    }

    /// The same to one port of a host, by a certain way.
    pub(crate) fn from_host(
        host: &str,
        port: u16,
        reach: &Reach,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let socket = Socket::new(connect_by(host, port, reach, deadline)?);
        Ok(Self::over(Stream::Socket(
            socket.map_err(|(error, _)| error)?,
        )))
    }

    /// The same without waiting: `event` is set when [`connected`](Self::connected) is known. It may be started
    /// before that.
    pub fn from_address_in_background(
        address: &str,
        timeout: Timeout,
        event: Event,
    ) -> Result<Self, Error> {
        let stream = AddressStream::new(address, timeout, event)?;
        Ok(Self::over(Stream::Address(stream)))
    }

    /// Over a stream of the application's.
    pub fn from_stream(stream: Arc<dyn ByteStream>) -> Self {
        Self::over(Stream::Callbacks(CallbackStream::new(stream)))
    }

    /// Over a channel of another transport, which nobody else may read or write from now on.
    pub fn from_channel(channel: Channel) -> Result<Self, Error> {
        Ok(Self::over(Stream::Channel(ChannelStream::new(channel)?)))
    }

    fn over(stream: Stream) -> Self {
        Self::of(Shared::new(stream, TransportOptions::default()))
    }

    /// How the making of the connection went; `None` while it is made.
    pub fn connected(&self) -> Option<Result<(), Error>> {
        self.shared.stream.connected()
    }

    /// The turns of names that the peer has given.
    pub(crate) fn lookups(&self) -> &Arc<Turns> {
        self.shared.lookups.get_or_init(Arc::default)
    }

    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Transport { shared }
    }

    /// One line for a person: name, peer, state, algorithms.
    pub fn describe(&self) -> String {
        let peer = self.shared.stream.describe_peer();
        let name = self.name();
        let negotiated = self.negotiated();
        let serving = self.shared.serving.lock();
        let state = match (&serving.ended, serving.phase) {
            (Some(cause), _) => format!("ended: {}", super::log::quoted(&cause.to_string())),
            (None, Phase::New) => String::from("not started"),
            (None, Phase::Negotiating) => String::from("negotiating"),
            (None, Phase::Keyed) => match serving.services.as_ref().and_then(Services::user) {
                Some(user) => format!("user {}", super::log::quoted(user)),
                None => String::from("not authenticated"),
            },
        };
        let algorithms = negotiated.map_or_else(String::new, |negotiated| {
            format!(
                ", {} {} {}",
                negotiated.kex.name,
                negotiated.host_key.name,
                negotiated.client_to_server.cipher.name
            )
        });
        format!(
            "<{name} to {peer}, {state}{algorithms}, {} channels>",
            serving.channels.len()
        )
    }

    // ---- before the start -------------------------------------------------------------------------------

    /// Changes options. Most have a meaning only before the start; later they are refused.
    pub fn configure(&self, change: impl FnOnce(&mut TransportOptions)) -> Result<(), Error> {
        self.shared.check_process()?;
        let mut serving = self.shared.serving.lock();
        if serving.phase != Phase::New {
            return Err(Error::ApiMisuse("the transport has been started"));
        }
        change(&mut serving.options);
        Ok(())
    }

    /// The options now.
    pub fn options(&self) -> TransportOptions {
        self.shared.serving.lock().options.clone()
    }

    /// Server: adds a host key; one of each type is kept, the last.
    pub fn add_server_key(&self, key: PrivateKey) -> Result<(), Error> {
        self.configure(|options| {
            options
                .host_keys
                .retain(|known| known.public().kind() != key.public().kind());
            options.host_keys.push(key);
        })
    }

    /// Sets or removes the callback for a kind of question.
    pub fn set_callback(&self, kind: RequestKind, callback: Option<RequestCallback>) {
        let before = {
            let mut serving = self.shared.serving.lock();
            match callback {
                Some(callback) => serving.callbacks.insert(kind, callback),
                None => serving.callbacks.remove(&kind),
            }
        };
        // The application's destroy hook may run here, without the lock.
        drop(before);
    }

    /// Sets or removes who serves the subsystem `name`. `replace` is whether one that is set already gives way.
    pub fn set_subsystem(&self, name: &str, handler: Option<SubsystemHandler>, replace: bool) {
        let mut serving = self.shared.serving.lock();
        let before = serving.subsystems.set(name, handler, replace);
        drop(serving);
        // The application's destroy hook may run here, without the lock.
        drop(before);
    }

    /// Removes all of them. Those that run go on.
    pub fn clear_subsystems(&self) {
        let before = self.shared.serving.lock().subsystems.clear();
        drop(before);
    }

    /// Sets or removes the callback for banners.
    pub fn set_banner_callback(&self, callback: Option<BannerCallback>) {
        let before = std::mem::replace(&mut self.shared.serving.lock().banner, callback);
        drop(before);
    }

    /// Questions without a callback wait to be pulled with [`next_request`](Self::next_request) instead of
    /// being refused.
    pub fn set_pull(&self, pull: bool) {
        self.shared.serving.lock().pull = pull;
    }

    /// An event that is set when a question waits to be pulled, and when the transport ends.
    pub fn request_event(&self) -> Event {
        if self.shared.request_event().is_none() {
            self.shared.set_request_event(Event::new());
        }
        let event = self.shared.request_event().cloned().unwrap_or_default();
        // What waited before there was an event counts too.
        let serving = self.shared.serving.lock();
        if !serving.pulled.is_empty() || serving.ended.is_some() {
            event.set();
        }
        event
    }

    // ---- start ------------------------------------------------------------------------------------------

    /// Negotiates as a client. Without an event it returns when the keys are exchanged and the host key
    /// callback, if there is one, has decided; with one it returns at once and the event is set then.
    pub fn start_client(&self, event: Option<&Event>, timeout: Timeout) -> Result<(), Error> {
        self.start(Role::Client, event, timeout)
    }

    /// Negotiates as a server.
    pub fn start_server(&self, event: Option<&Event>, timeout: Timeout) -> Result<(), Error> {
        self.start(Role::Server, event, timeout)
    }

    fn start(&self, role: Role, event: Option<&Event>, timeout: Timeout) -> Result<(), Error> {
        let shared = &self.shared;
        shared.check_process()?;
        if event.is_none() {
            inside::refuse(shared.key, "start inside a callback")?;
        }
        let deadline = timeout.deadline();
        if role == Role::Client {
            self.order_host_keys()?;
        }
        self.begin(role, event)?;
        if event.is_some() {
            return Ok(());
        }
        let mut serving = shared.serving.lock();
        shared.wait_for(
            &mut serving,
            &shared.progress,
            deadline,
            "negotiation",
            |serving| {
                let asked = serving.host_key.is_asked();
                (serving.phase == Phase::Keyed && !asked).then_some(Ok(()))
            },
        )
    }

    /// Has the judge of host keys say what is offered first. It reads files, so no lock is held meanwhile.
    fn order_host_keys(&self) -> Result<(), Error> {
        let options = self.options();
        let Some(judge) = &options.host_key_judge else {
            return Ok(());
        };
        let mut preferences = options.preferences_for(Role::Client);
        preferences.host_key = judge.order(&preferences.host_key)?;
        self.configure(|options| options.preferences = Some(preferences))
    }

    fn begin(&self, role: Role, event: Option<&Event>) -> Result<(), Error> {
        let shared = &self.shared;
        let now = Instant::now();
        let mut receiving = shared.receiving.lock();
        let guesses = {
            let mut sending = shared.sending.lock();
            let mut serving = shared.serving.lock();
            serving.alive()?;
            if serving.phase != Phase::New {
                return Err(Error::ApiMisuse("the transport has been started"));
            }
            shared.stream.check_usable()?;
            if role == Role::Server && serving.options.host_keys.is_empty() {
                return Err(Error::ApiMisuse("a server needs a host key"));
            }
            if serving.options.server_auth.methods.is_empty() {
                serving.options.server_auth.methods = serving.answerable_methods();
            }
            serving.options.server_auth.ask_methods = serving.is_asked_for_methods();
            if let Some(settings) = &serving.options.user_keys {
                let peer = shared.stream.peer().map(|(host, _)| host);
                let judge = Judge::new(Arc::clone(settings), peer);
                serving.options.server_auth.keys = Some(Arc::new(judge));
            }
            let mut config = serving.options.transport_config(role);
            if role == Role::Client {
                let guess = Guess::about(&shared.stream, &config);
                config.guesses = guess.is_some_and(|guess| GUESSABLE.contains(guess));
                serving.guess = guess.map(|guess| (guess, config.guesses));
            }
            let guesses = config.guesses;
            let services = Services::new(role, serving.options.service_config());
            serving.role = role;
            serving.phase = Phase::Negotiating;
            serving.services = Some(services);
            serving.start_event = event.cloned();
            let grace = (role == Role::Server)
                .then_some(serving.options.login_grace)
                .flatten();
            shared.set_started(now, grace);
            // Whichever comes first: login grace runs from the start, whatever the peer does.
            let handshake = now.checked_add(serving.options.handshake_timeout);
            serving.setup_deadline = [
                handshake.map(|at| (at, "handshake")),
                shared.login_deadline().map(|at| (at, "login grace time")),
            ]
            .into_iter()
            .flatten()
            .min();
            sending.rekey = serving.options.rekey;
            sending.outbound = Some(Outbound::new(role));
            receiving.inbound = Some(Inbound::new(Arc::new(config), Box::new(SystemRandom)));
            guesses
        };
        let begun = &mut *receiving;
        if let Some(inbound) = &mut begun.inbound {
            inbound.start(&mut begun.actions);
        }
        let outcome = shared
            .apply_unsent(begun, now)
            .and_then(|()| {
                drop(receiving);
                shared.say_hello(role, guesses)
            })
            .and_then(|()| shared.register(role == Role::Client && event.is_none()));
        if let Err(error) = &outcome {
            shared.end(error.clone());
        }
        outcome
    }

    /// Client: the application has compared the host key itself and accepts it.
    pub fn accept_host_key(&self) -> Result<(), Error> {
        self.shared.check_process()?;
        self.shared.serving.lock().accept_host_key()?;
        self.shared.progress.notify_all();
        Ok(())
    }

    /// Client: the host key the server has shown, and proven to own.
    pub fn remote_host_key(&self) -> Option<PublicKey> {
        self.shared.serving.lock().host_key.key().cloned()
    }

    /// Server: the host key that was negotiated.
    pub fn local_host_key(&self) -> Option<PublicKey> {
        let receiving = self.shared.receiving.lock();
        receiving
            .inbound
            .as_ref()?
            .transport()
            .local_host_key()
            .cloned()
    }

    /// Client or server; client before the start.
    pub fn role(&self) -> Role {
        self.shared.serving.lock().role
    }

    /// The algorithms agreed on.
    pub fn negotiated(&self) -> Option<Negotiated> {
        let receiving = self.shared.receiving.lock();
        receiving
            .inbound
            .as_ref()?
            .transport()
            .negotiated()
            .cloned()
    }

    /// The peer's identification line.
    pub fn peer_ident(&self) -> Option<Vec<u8>> {
        let receiving = self.shared.receiving.lock();
        receiving
            .inbound
            .as_ref()?
            .transport()
            .peer_ident()
            .map(|ident| ident.bytes.clone())
    }

    /// What is to be met of the peer's habits. None before its line has come.
    pub(crate) fn peer_habits(&self) -> PeerHabits {
        let receiving = self.shared.receiving.lock();
        let inbound = receiving.inbound.as_ref();
        let ident = inbound.and_then(|inbound| inbound.transport().peer_ident());
        ident.map(PeerHabits::of).unwrap_or_default()
    }

    /// The session identifier.
    pub fn session_id(&self) -> Option<Vec<u8>> {
        let receiving = self.shared.receiving.lock();
        receiving
            .inbound
            .as_ref()?
            .transport()
            .session_id()
            .map(<[u8]>::to_vec)
    }

    /// The proof of the server's host key, for an agent to check.
    pub fn session_proof(&self) -> Option<SessionProof> {
        let receiving = self.shared.receiving.lock();
        receiving.inbound.as_ref()?.transport().session_proof()
    }

    // ---- state --------------------------------------------------------------------------------------------

    /// From the start until the end.
    pub fn is_active(&self) -> bool {
        let serving = self.shared.serving.lock();
        serving.ended.is_none() && serving.phase != Phase::New
    }

    /// The cause that ended the transport. Kept for ever.
    pub fn cause(&self) -> Option<Error> {
        self.shared.serving.lock().ended.clone()
    }

    /// The newest error, handed out once.
    pub fn take_exception(&self) -> Option<Error> {
        self.shared.serving.lock().exception.take()
    }

    /// Address and port of the peer, for TCP.
    pub fn peer_address(&self) -> Option<(String, u16)> {
        self.shared
            .stream
            .peer()
            .map(|(host, port)| (host.to_owned(), port))
    }

    /// The texts that the server has sent to be shown before authentication, one after the other, as they came.
    pub fn banner(&self) -> Option<String> {
        let serving = self.shared.serving.lock();
        (!serving.banner_text.is_empty()).then(|| serving.banner_text.clone())
    }

    /// The name of the transport.
    pub fn name(&self) -> String {
        self.shared.names.lock().name.clone()
    }

    /// Sets the name.
    pub fn set_name(&self, name: &str) {
        name.clone_into(&mut self.shared.names.lock().name);
    }

    /// The name in log lines.
    pub fn log_channel(&self) -> String {
        self.shared.names.lock().log_channel.clone()
    }

    /// Sets the name in log lines.
    pub fn set_log_channel(&self, name: &str) {
        name.clone_into(&mut self.shared.names.lock().log_channel);
    }

    /// Sets or removes this transport's log sink; without one, lines go to the process's.
    pub fn set_log(&self, level: LogLevel, sink: Option<LogSink>) {
        self.shared.log.set(level, sink);
    }

    /// Queues a line for the log.
    pub(crate) fn log(&self, level: LogLevel, text: impl FnOnce() -> String) {
        self.shared.log(level, text);
    }

    /// Switches hex dumps of payloads in the log on or off.
    pub fn set_hexdump(&self, on: bool) {
        self.shared.hexdump.store(on, Ordering::Relaxed);
    }

    /// Whether payloads are dumped.
    pub fn hexdump(&self) -> bool {
        self.shared.hexdump.load(Ordering::Relaxed)
    }

    // ---- end ----------------------------------------------------------------------------------------------

    /// Wakes every call that is blocked on this transport; each returns [`Error::Cancelled`].
    pub fn cancel(&self) {
        if self.shared.check_process().is_ok() {
            self.shared.cancel();
        }
    }

    /// Says goodbye and ends. What was written before is sent first; waits for that for less than a second.
    pub fn close(&self) {
        if self.shared.check_process().is_err() {
            return;
        }
        self.end_now(Error::Closed);
        self.shared.wait_for_goodbye();
    }

    /// Ends without waiting for anything: the I/O thread says goodbye in the background.
    pub fn release(&self) {
        if self.shared.check_process().is_ok() {
            self.end_now(Error::Closed);
        }
    }

    /// Ends a handshake that takes longer than its caller waits, as [`Transport::release`] does.
    pub fn give_up(&self) {
        if self.shared.check_process().is_ok() {
            self.end_now(Error::Expired("negotiation"));
        }
    }

    fn end_now(&self, cause: Error) {
        self.shared.end(cause);
        // Who registers it at this moment finds it closed, and so does the I/O thread.
        if !self.shared.is_registered() {
            self.shared.close_stream();
        }
    }

    /// Whether an I/O thread still takes care of it.
    pub fn is_alive(&self) -> bool {
        self.shared.is_registered() && !self.shared.is_finished()
    }

    /// Waits until the descriptor is closed.
    pub fn join(&self, timeout: Timeout) -> Result<(), Error> {
        let shared = &self.shared;
        shared.check_process()?;
        let deadline = timeout.deadline();
        let mut serving = shared.serving.lock();
        while self.is_alive() {
            if !deadline.wait(shared.progress.sleepers(), &mut serving) {
                return Err(Error::Timeout("join"));
            }
        }
        Ok(())
    }

    /// Ends without a word to the peer: the descriptor is closed, as after [`forget_in_child`](Self::forget_in_child).
    pub fn abandon(&self) {
        if self.shared.check_process().is_ok() {
            // The one cause that no goodbye is said for.
            self.end_now(Error::Forked);
        }
    }

    /// In a forked child: closes the child's copy of the descriptor. Nothing is sent, no lock is taken, the
    /// parent's session goes on.
    pub fn forget_in_child(&self) {
        if self.shared.check_process().is_err() {
            self.shared.stream.forget_in_child();
        }
    }

    /// Keeps the I/O thread from receiving, as a busy peer would.
    #[cfg(test)]
    pub(crate) fn hold_receiving(&self) -> impl Sized + '_ {
        self.shared.receiving.lock()
    }

    /// Leaves behind what a poller without memory does.
    #[cfg(test)]
    pub(crate) fn deafen(&self, cause: Error) {
        self.shared.interest.lock().deaf = Some(cause);
        self.shared.attend_soon();
    }

    /// Leaves behind what a failed write does.
    #[cfg(test)]
    pub(crate) fn break_sending(&self) {
        self.shared.sent.set_broken();
        self.shared.attend_soon();
    }
}
