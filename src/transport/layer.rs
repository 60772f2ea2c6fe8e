//! The states of the transport layer and what moves it from one to the next.

use std::sync::Arc;
use std::time::Instant;

use super::exchange::{Context, Exchange, ExpectKexInit, Io, Outcome, Step};
use super::extensions::ExtensionState;
use super::phases::{allowed, Phase, Verdict};
use super::proposal::Guess;
use super::session::{Idents, Session, SessionProof};
use super::{Handled, PeerExtensions, TransportAction, TransportConfig, TransportEvent};
use crate::crypto::random::Random;
use crate::crypto::residue;
use crate::error::{Error, KexFault, PeerMisbehaved};
use crate::kex::Negotiated;
use crate::keys::PublicKey;
use crate::messages::transport::{Debug, Disconnect, Ping, Unimplemented};
use crate::messages::{MessageNumber, Role};
use crate::packet::{Counters, Ident, PeerHabits, RekeyLimits};

/// Fewer bytes than this sent between two key exchanges count as nothing.
const IDLE_BYTES: u64 = 16 * 1024;

/// One side of the transport protocol.
///
/// Order of calls: [`start`](Self::start), then [`ident`](Self::ident) once the peer's identification line is
/// there, then [`handle`](Self::handle) for each packet. The actions of each call are applied before the next.
/// After an error every call that can fail fails with it again.
pub struct TransportLayer {
    config: Arc<TransportConfig>,
    state: State,
    failed: Option<Error>,
}

enum State {
    /// Waiting for the peer's identification line. The exchange has begun where the client guesses.
    ExpectIdent(Option<Box<ExpectKexInit>>),
    FirstKex(FirstKex),
    Keyed(Keyed),
    Rekeying(Rekeying),
    /// Stands in while a state is moved, and for good after an error in the first key exchange.
    Moving,
}

/// The first key exchange.
struct FirstKex {
    idents: Idents,
    exchange: Exchange,
    deadline: Option<Instant>,
}

/// Both directions are keyed.
struct Keyed {
    link: Box<Link>,
    /// When the keys came.
    since: Instant,
    /// When they are too old.
    rekey_at: Option<Instant>,
}

/// A later key exchange.
struct Rekeying {
    link: Box<Link>,
    /// Taken out only while it handles a message.
    exchange: Option<Exchange>,
    deadline: Option<Instant>,
}

/// A keyed connection.
struct Link {
    idents: Idents,
    session: Session,
    /// Limits for what we send and what we receive.
    limits: [RekeyLimits; 2],
    /// Whether the peer uses the connection protocol. That wants a login, without which nothing counts as traffic: what comes
    /// before is cheap, and a key exchange is not.
    connected: bool,
    /// Whether anything of the connection protocol has passed since the last key exchange.
    traffic: bool,
    /// Key exchanges in a row that the peer began without traffic in between.
    idle_rekeys: u32,
}

impl TransportLayer {
    /// A transport that has not started.
    pub fn new(config: Arc<TransportConfig>) -> Self {
        TransportLayer {
            config,
            state: State::ExpectIdent(None),
            failed: None,
        }
    }

    /// Sends our identification line, and with it what a client guesses.
    pub fn start(&mut self, random: &mut dyn Random, actions: &mut Vec<TransportAction>) {
        let mut line = self.local_ident();
        line.extend_from_slice(b"\r\n");
        actions.push(TransportAction::Raw(line));
        if self.config.guesses && self.config.role == Role::Client {
            let guess = || Exchange::guess(&self.config, &mut Io { random, actions });
            // What cannot be guessed is told when the server's line is there.
            let guess = residue::after_keys(guess);
            self.state = State::ExpectIdent(guess.ok().map(Box::new));
        }
    }

    /// Whether it is of use to [`ident`](Self::ident) to know what comes behind the line.
    pub fn looks_ahead(&self) -> bool {
        self.config.role == Role::Server
    }

    /// The peer's identification line has come: key exchange begins. `ahead` is the payload of the packet behind it, where that
    /// is there already; it is handled as any other one later.
    pub fn ident(
        &mut self,
        peer: Ident,
        ahead: Option<&[u8]>,
        now: Instant,
        random: &mut dyn Random,
        actions: &mut Vec<TransportAction>,
    ) -> Result<(), Error> {
        self.check_failed()?;
        let State::ExpectIdent(guess) = &mut self.state else {
            return Err(Error::Bug("a second identification line"));
        };
        let guess = guess.take();
        let idents = Idents {
            local: self.local_ident(),
            peer,
        };
        let context = Context {
            config: &self.config,
            idents: &idents,
            session: None,
        };
        let begun = match guess {
            Some(begun) => Ok(*begun),
            None => Exchange::begin(
                &context,
                &Guess::of_client(ahead),
                &mut Io { random, actions },
            ),
        };
        let exchange = self.keep_failure(begun)?;
        self.state = State::FirstKex(FirstKex {
            idents,
            exchange: Exchange::ExpectKexInit(exchange),
            deadline: now.checked_add(self.config.first_kex_timeout),
        });
        Ok(())
    }

    /// Takes the payload of a packet.
    pub fn handle(
        &mut self,
        payload: &[u8],
        sequence: u32,
        now: Instant,
        random: &mut dyn Random,
        actions: &mut Vec<TransportAction>,
    ) -> Result<Handled, Error> {
        self.check_failed()?;
        let handled = self.dispatch(payload, sequence, now, &mut Io { random, actions });
        self.keep_failure(handled)
    }

    /// Server: hands in what a [`TransportAction::Sign`] has come to. A failure ends the connection.
    pub fn provide_signature(
        &mut self,
        signature: Result<Vec<u8>, Error>,
        now: Instant,
        random: &mut dyn Random,
        actions: &mut Vec<TransportAction>,
    ) -> Result<(), Error> {
        self.check_failed()?;
        let input = Input::Signature(signature);
        let outcome = residue::after_keys(|| self.advance(input, now, &mut Io { random, actions }));
        self.keep_failure(outcome)
    }

    /// Begins a rekey unless a key exchange is under way.
    pub fn rekey(
        &mut self,
        now: Instant,
        random: &mut dyn Random,
        actions: &mut Vec<TransportAction>,
    ) -> Result<(), Error> {
        self.check_failed()?;
        let begun = self.begin_rekey(now, &mut Io { random, actions });
        self.keep_failure(begun)
    }

    /// Begins a rekey when a direction has carried what its keys may carry.
    pub fn check_limits(
        &mut self,
        sealed: Counters,
        opened: Counters,
        now: Instant,
        random: &mut dyn Random,
        actions: &mut Vec<TransportAction>,
    ) -> Result<(), Error> {
        let State::Keyed(Keyed { link, .. }) = &mut self.state else {
            return self.check_failed();
        };
        let [sent, received] = &link.limits;
        link.traffic |= link.connected && sealed.bytes > IDLE_BYTES;
        if sent.reached(sealed) || received.reached(opened) {
            return self.rekey(now, random, actions);
        }
        self.check_failed()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.failed.is_some() {
            return None;
        }
        match &self.state {
            State::ExpectIdent(_) | State::Moving => None,
            State::FirstKex(state) => state.deadline,
            State::Keyed(state) => state.rekey_at,
            State::Rekeying(state) => state.deadline,
        }
    }

    /// Does what is due: a rekey when the keys are old, an error when a key exchange takes too long.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        random: &mut dyn Random,
        actions: &mut Vec<TransportAction>,
    ) -> Result<(), Error> {
        self.check_failed()?;
        if self.poll_timeout().is_none_or(|due| now < due) {
            return Ok(());
        }
        match self.state {
            State::Keyed(_) => self.rekey(now, random, actions),
            _ => self.keep_failure(Err(KexFault::Timeout.into())),
        }
    }

    /// Whether the first key exchange is through in both directions.
    pub fn is_keyed(&self) -> bool {
        self.link().is_some()
    }

    /// Whether a later key exchange is under way.
    pub fn is_rekeying(&self) -> bool {
        matches!(self.state, State::Rekeying(_))
    }

    /// The session identifier, once keyed.
    pub fn session_id(&self) -> Option<&[u8]> {
        self.link().map(|link| &*link.session.id)
    }

    /// What the last finished key exchange agreed on.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.link().map(|link| &link.session.negotiated)
    }

    /// Client: the server's host key, once keyed.
    pub fn host_key(&self) -> Option<&PublicKey> {
        self.session_key(Role::Client)
    }

    /// Server: our host key that is in use, once keyed.
    pub fn local_host_key(&self) -> Option<&PublicKey> {
        self.session_key(Role::Server)
    }

    /// The server's host key as it was shown in the first key exchange, once keyed.
    pub fn host_key_blob(&self) -> Option<&[u8]> {
        self.link().map(|link| link.session.host_key.blob())
    }

    /// The proof of the server's host key, once keyed.
    pub fn session_proof(&self) -> Option<SessionProof> {
        let session = self.link().map(|link| &link.session)?;
        Some(SessionProof {
            host_key: session.host_key.blob().to_vec(),
            session_id: session.id.to_vec(),
            signature: session.host_signature.clone(),
        })
    }

    /// The peer's identification.
    pub fn peer_ident(&self) -> Option<&Ident> {
        match &self.state {
            State::FirstKex(state) => Some(&state.idents.peer),
            _ => self.link().map(|link| &link.idents.peer),
        }
    }

    /// What the peer has announced in SSH_MSG_EXT_INFO.
    pub fn peer_extensions(&self) -> Option<&PeerExtensions> {
        self.link().and_then(|link| link.session.extensions.peer())
    }

    fn session_key(&self, role: Role) -> Option<&PublicKey> {
        let key = self.link().map(|link| &link.session.host_key.key);
        key.filter(|_| self.config.role == role)
    }

    fn link(&self) -> Option<&Link> {
        match &self.state {
            State::Keyed(state) => Some(&state.link),
            State::Rekeying(state) => Some(&state.link),
            State::ExpectIdent(_) | State::FirstKex(_) | State::Moving => None,
        }
    }

    fn local_ident(&self) -> Vec<u8> {
        format!("SSH-2.0-{}", self.config.software).into_bytes()
    }

    fn check_failed(&self) -> Result<(), Error> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn keep_failure<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// The phase as far as this layer knows it: it cannot tell authentication from connection.
    fn phase(&self) -> Phase {
        match &self.state {
            State::ExpectIdent(_) | State::Moving => Phase::FirstKex,
            State::FirstKex(state) if state.exchange.strict() => Phase::FirstKexStrict,
            State::FirstKex(_) => Phase::FirstKex,
            State::Rekeying(state) if state.peer_began() => Phase::Rekey,
            State::Rekeying(_) | State::Keyed(_) => Phase::Auth,
        }
    }

    fn dispatch(
        &mut self,
        payload: &[u8],
        sequence: u32,
        now: Instant,
        io: &mut Io<'_>,
    ) -> Result<Handled, Error> {
        let number = MessageNumber(
            payload
                .first()
                .copied()
                .ok_or(PeerMisbehaved::EmptyPayload)?,
        );
        let phase = self.phase();
        // Who has authenticated decides about the client protocols too (RFC 4251 §7).
        let is_service = matches!(number.0, 5 | 6 | 50..=191);
        let verdict = allowed(self.config.role, phase, number);
        if phase == Phase::Auth {
            self.note_message(number)?;
            if is_service {
                return Ok(Handled::Service);
            }
        }
        match verdict {
            Verdict::Unexpected if phase == Phase::FirstKexStrict => {
                Err(PeerMisbehaved::StrictKex(number).into())
            }
            Verdict::Unexpected => Err(PeerMisbehaved::UnexpectedMessage(number).into()),
            Verdict::Unimplemented => {
                unimplemented(sequence, io);
                Ok(Handled::Consumed)
            }
            Verdict::Allowed => {
                self.consume(number, payload, sequence, now, io)?;
                Ok(Handled::Consumed)
            }
        }
    }

    /// Keeps account of what the peer sends while it may send anything.
    fn note_message(&mut self, number: MessageNumber) -> Result<(), Error> {
        let link = match &mut self.state {
            State::Keyed(state) => &mut state.link,
            State::Rekeying(state) => &mut state.link,
            State::ExpectIdent(_) | State::FirstKex(_) | State::Moving => return Ok(()),
        };
        // Who is not logged in is sent away for these by what handles them.
        if matches!(number.0, 80..=127) {
            link.connected = true;
            link.traffic = true;
        }
        match number {
            MessageNumber::EXT_INFO => Ok(()),
            other => link.session.extensions.other_message(other),
        }
    }

    fn consume(
        &mut self,
        number: MessageNumber,
        payload: &[u8],
        sequence: u32,
        now: Instant,
        io: &mut Io<'_>,
    ) -> Result<(), Error> {
        match number {
            MessageNumber::DISCONNECT => {
                let message = Disconnect::decode(payload);
                Err(Error::Disconnected {
                    reason: message.reason,
                    description: message.description,
                })
            }
            MessageNumber::IGNORE => Ok(()),
            // RFC 4253 §11.4 tells of something that we sent; there is nothing to answer.
            MessageNumber::UNIMPLEMENTED => Unimplemented::decode(payload).map(|_| ()),
            MessageNumber::DEBUG => {
                let Debug {
                    always_display,
                    message,
                } = Debug::decode(payload)?;
                event(
                    io,
                    TransportEvent::Debug {
                        always_display,
                        message,
                    },
                );
                Ok(())
            }
            MessageNumber::EXT_INFO => self.ext_info(payload, io),
            MessageNumber::PING | MessageNumber::PONG => self.ping(number, payload, sequence, io),
            _ => residue::after_keys(|| self.exchange(payload, sequence, now, io)),
        }
    }

    fn ext_info(&mut self, payload: &[u8], io: &mut Io<'_>) -> Result<(), Error> {
        match &mut self.state {
            State::Keyed(state) => state.link.session.extensions.announce(payload)?,
            State::Rekeying(state) => state.link.session.extensions.announce(payload)?,
            State::ExpectIdent(_) | State::FirstKex(_) | State::Moving => {
                return Err(PeerMisbehaved::UnexpectedMessage(MessageNumber::EXT_INFO).into())
            }
        }
        event(io, TransportEvent::Extensions);
        Ok(())
    }

    fn ping(
        &mut self,
        number: MessageNumber,
        payload: &[u8],
        sequence: u32,
        io: &mut Io<'_>,
    ) -> Result<(), Error> {
        if number == MessageNumber::PONG {
            let pong = Ping::decode(payload, number)?;
            event(io, TransportEvent::Pong(pong.data.to_vec()));
            return Ok(());
        }
        let announced = self
            .link()
            .is_some_and(|link| link.session.extensions.ping_announced);
        if !announced {
            unimplemented(sequence, io);
            return Ok(());
        }
        let ping = Ping::decode(payload, number)?;
        let reply = ping.encode(MessageNumber::PONG);
        io.actions.push(TransportAction::Reply(reply));
        Ok(())
    }

    /// Takes a message of a key exchange.
    fn exchange(
        &mut self,
        payload: &[u8],
        sequence: u32,
        now: Instant,
        io: &mut Io<'_>,
    ) -> Result<(), Error> {
        if matches!(self.state, State::Keyed(_)) {
            self.count_idle_rekey(now)?;
            self.begin_rekey(now, io)?;
        }
        self.advance(Input::Message(payload, sequence), now, io)
    }

    /// Moves the key exchange that is under way.
    fn advance(&mut self, input: Input<'_>, now: Instant, io: &mut Io<'_>) -> Result<(), Error> {
        match std::mem::replace(&mut self.state, State::Moving) {
            State::FirstKex(state) => {
                self.state = state.advance(&self.config, input, now, io)?;
                Ok(())
            }
            State::Rekeying(mut state) => {
                let result = state.advance(&self.config, input, io);
                // The connection's facts outlive an error, for the application may ask for them.
                self.state = match &result {
                    Ok(Some(_)) => keyed(state.link, &self.config, now, false, io),
                    Ok(None) | Err(_) => State::Rekeying(state),
                };
                result.map(|_| ())
            }
            State::ExpectIdent(_) | State::Keyed(_) | State::Moving => {
                Err(Error::Bug("nothing of a key exchange is waited for"))
            }
        }
    }

    /// The peer begins a key exchange: each costs both sides far more than it costs to ask for, so a peer
    /// that asks again and again without having sent or got anything is cut off. New keys for those that have been there
    /// for long are no burden: some change them by the clock.
    fn count_idle_rekey(&mut self, now: Instant) -> Result<(), Error> {
        let most = self.config.max_idle_rekeys;
        if let State::Keyed(Keyed { link, since, .. }) = &mut self.state {
            if link.traffic {
                link.idle_rekeys = 0;
            } else if now.duration_since(*since) < self.config.idle_rekey_period {
                link.idle_rekeys = link.idle_rekeys.saturating_add(1);
            }
            if link.idle_rekeys > most {
                return Err(PeerMisbehaved::Rekey("too many key exchanges without traffic").into());
            }
        }
        Ok(())
    }

    fn begin_rekey(&mut self, now: Instant, io: &mut Io<'_>) -> Result<(), Error> {
        let State::Keyed(state) = &self.state else {
            return Ok(());
        };
        let exchange: ExpectKexInit = {
            let context = state.link.context(&self.config);
            Exchange::begin(&context, &Guess::Nobody, io)?
        };
        if let State::Keyed(state) = std::mem::replace(&mut self.state, State::Moving) {
            self.state = State::Rekeying(Rekeying {
                link: state.link,
                exchange: Some(Exchange::ExpectKexInit(exchange)),
                deadline: now.checked_add(self.config.kex_timeout),
            });
        }
        Ok(())
    }
}

/// What moves a key exchange.
enum Input<'a> {
    /// A payload of the peer, and the sequence number of its packet.
    Message(&'a [u8], u32),
    /// A signature that was waited for.
    Signature(Result<Vec<u8>, Error>),
}

impl Input<'_> {
    fn give(
        self,
        exchange: Exchange,
        context: &Context<'_>,
        io: &mut Io<'_>,
    ) -> Result<Step, Error> {
        match self {
            Input::Message(payload, sequence) => exchange.handle(payload, sequence, context, io),
            Input::Signature(signature) => exchange.signed(signature, context, io),
        }
    }
}

impl FirstKex {
    fn advance(
        self,
        config: &TransportConfig,
        input: Input<'_>,
        now: Instant,
        io: &mut Io<'_>,
    ) -> Result<State, Error> {
        let context = Context {
            config,
            idents: &self.idents,
            session: None,
        };
        match input.give(self.exchange, &context, io)? {
            Step::Wait(exchange) => Ok(State::FirstKex(FirstKex {
                exchange,
                idents: self.idents,
                deadline: self.deadline,
            })),
            Step::Done(outcome) => {
                let link = Link::new(self.idents, outcome, config);
                Ok(keyed(Box::new(link), config, now, true, io))
            }
        }
    }
}

impl Rekeying {
    fn peer_began(&self) -> bool {
        self.exchange.as_ref().is_none_or(Exchange::peer_began)
    }

    /// Whether the exchange is through.
    fn advance(
        &mut self,
        config: &TransportConfig,
        input: Input<'_>,
        io: &mut Io<'_>,
    ) -> Result<Option<()>, Error> {
        let exchange = self
            .exchange
            .take()
            .ok_or(Error::Bug("a key exchange that has failed"))?;
        let context = self.link.context(config);
        match input.give(exchange, &context, io)? {
            Step::Wait(exchange) => {
                self.exchange = Some(exchange);
                Ok(None)
            }
            Step::Done(outcome) => {
                self.link.session.negotiated = outcome.negotiated;
                Ok(Some(()))
            }
        }
    }
}

impl Link {
    fn new(idents: Idents, outcome: Outcome, config: &TransportConfig) -> Self {
        Link {
            idents,
            session: Session {
                id: outcome.session_id,
                strict: outcome.strict,
                host_key: outcome.host_key,
                host_signature: outcome.host_signature,
                negotiated: outcome.negotiated,
                extensions: ExtensionState::new(config.role, outcome.ext_info_sent),
            },
            limits: [config.rekey; 2],
            connected: false,
            traffic: false,
            idle_rekeys: 0,
        }
    }

    /// Whether a client's guess would be right the next time.
    fn is_guessable(&self, config: &TransportConfig) -> bool {
        let habits = PeerHabits::of(&self.idents.peer);
        let negotiated = &self.session.negotiated;
        let chosen = (negotiated.kex.name, negotiated.host_key.name);
        // A guess that was made has been adopted, or has not.
        let adopted =
            || habits.adopts_guesses && !config.guesses && config.favourites() == Some(chosen);
        habits.takes_guesses && (negotiated.preferred_by_both || adopted())
    }

    fn context<'a>(&'a self, config: &'a TransportConfig) -> Context<'a> {
        Context {
            config,
            idents: &self.idents,
            session: Some(&self.session),
        }
    }
}

/// New keys are in use in both directions.
fn keyed(
    mut link: Box<Link>,
    config: &TransportConfig,
    now: Instant,
    first: bool,
    io: &mut Io<'_>,
) -> State {
    let negotiated = &link.session.negotiated;
    link.limits = [config.role, config.role.peer()]
        .map(|sender| config.rekey.capped_for(negotiated.sent_by(sender).cipher));
    link.traffic = false;
    let guessable = first && config.role == Role::Client && link.is_guessable(config);
    event(io, TransportEvent::Keyed { first, guessable });
    State::Keyed(Keyed {
        link,
        since: now,
        rekey_at: now.checked_add(config.rekey.time),
    })
}

fn event(io: &mut Io<'_>, event: TransportEvent) {
    io.actions.push(TransportAction::Event(event));
}

fn unimplemented(sequence: u32, io: &mut Io<'_>) {
    let reply = Unimplemented { sequence }.encode();
    io.actions.push(TransportAction::Reply(reply));
}
