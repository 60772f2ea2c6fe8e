//! One key exchange (RFC 4253 §7), the first or a later one: a state for each message that is awaited.

use super::extensions::server_announcement;
use super::proposal::{kexinit, Guess};
use super::session::{Idents, Session};
use super::{HostKeyJob, TransportAction, TransportConfig, TransportEvent};
use crate::crypto::algorithms;
use crate::crypto::cipher::{opener, sealer};
use crate::crypto::hash::Digest;
use crate::crypto::random::Random;
use crate::error::{Error, HostKeyFault, KexFault, PeerMisbehaved};
use crate::kex::methods::{
    ClientAgreed, ClientMethod, ClientStep, ServerAgreed, ServerMethod, ServerStep,
};
use crate::kex::{derive_keys, negotiate, no_strict_kex, Negotiated, SharedSecret};
use crate::keys::ShownKey;
use crate::messages::kex::{KexInit, NewKeys};
use crate::messages::{MessageNumber, Role};
use crate::packet::{OpenKeys, SealKeys};

/// What an exchange needs to know of its connection.
pub(super) struct Context<'a> {
    pub(super) config: &'a TransportConfig,
    pub(super) idents: &'a Idents,
    /// There in a rekey.
    pub(super) session: Option<&'a Session>,
}

/// Where actions go and randomness comes from.
pub(super) struct Io<'a> {
    pub(super) random: &'a mut dyn Random,
    pub(super) actions: &'a mut Vec<TransportAction>,
}

impl Io<'_> {
    fn send(&mut self, payload: Vec<u8>) {
        self.actions.push(TransportAction::Send(payload));
    }
}

/// A key exchange under way. Our KEXINIT has been sent in every state.
#[expect(
    clippy::enum_variant_names,
    reason = "states are named for what they wait for"
)]
pub(super) enum Exchange {
    ExpectKexInit(ExpectKexInit),
    ExpectMethod(Box<ExpectMethod>),
    ExpectSignature(Box<ExpectSignature>),
    ExpectNewKeys(Box<ExpectNewKeys>),
}

/// What comes after a message.
pub(super) enum Step {
    Wait(Exchange),
    Done(Outcome),
}

/// What a finished exchange has brought.
pub(super) struct Outcome {
    pub(super) negotiated: Negotiated,
    pub(super) strict: bool,
    pub(super) session_id: Digest,
    pub(super) host_key: ShownKey,
    pub(super) host_signature: Vec<u8>,
    pub(super) ext_info_sent: bool,
}

impl Exchange {
    /// Sends our KEXINIT and waits for the peer's. `guess` is the client's, if there is one.
    pub(super) fn begin(
        context: &Context<'_>,
        guess: &Guess<'_>,
        io: &mut Io<'_>,
    ) -> Result<ExpectKexInit, Error> {
        let local = kexinit(context.config, context.session, guess, io.random)?;
        io.actions.push(TransportAction::Hold);
        io.send(local.clone());
        Ok(ExpectKexInit { local, guess: None })
    }

    /// Client: sends our KEXINIT, and behind it the first message of the method that we prefer, as if the server did so, too.
    pub(super) fn guess(config: &TransportConfig, io: &mut Io<'_>) -> Result<ExpectKexInit, Error> {
        let local = kexinit(config, None, &Guess::Ours, io.random)?;
        let favourite = config.preferences.kex.first().copied();
        let favourite = favourite
            .and_then(algorithms::kex)
            .ok_or(Error::Bug("a method that is preferred and not known"))?;
        let (message, method) = ClientMethod::start(favourite, io.random)?;
        io.actions.push(TransportAction::Hold);
        io.send(local.clone());
        io.send(message);
        let guess = Some(method);
        Ok(ExpectKexInit { local, guess })
    }

    /// Whether the peer's KEXINIT has come, from when on the peer may send nothing but key exchange.
    pub(super) fn peer_began(&self) -> bool {
        !matches!(self, Exchange::ExpectKexInit(_))
    }

    /// Whether this exchange is strict, as far as is known yet.
    pub(super) fn strict(&self) -> bool {
        match self {
            Exchange::ExpectKexInit(_) => false,
            Exchange::ExpectMethod(state) => state.strict,
            Exchange::ExpectSignature(state) => state.agreement.strict,
            Exchange::ExpectNewKeys(state) => state.outcome.strict,
        }
    }

    /// Takes a message of 20 to 49.
    pub(super) fn handle(
        self,
        payload: &[u8],
        sequence: u32,
        context: &Context<'_>,
        io: &mut Io<'_>,
    ) -> Result<Step, Error> {
        match self {
            Exchange::ExpectKexInit(state) => state.handle(payload, sequence, context, io),
            Exchange::ExpectMethod(state) => state.handle(payload, context, io),
            // The client waits for our reply.
            Exchange::ExpectSignature(_) => {
                let number = MessageNumber(payload.first().copied().unwrap_or_default());
                Err(PeerMisbehaved::UnexpectedMessage(number).into())
            }
            Exchange::ExpectNewKeys(state) => state.handle(payload, io),
        }
    }
}

impl Exchange {
    /// Takes the signature that was waited for.
    pub(super) fn signed(
        self,
        signature: Result<Vec<u8>, Error>,
        context: &Context<'_>,
        io: &mut Io<'_>,
    ) -> Result<Step, Error> {
        match self {
            Exchange::ExpectSignature(state) => state.signed(signature, context, io),
            _ => Err(Error::Bug("a signature that was not asked for")),
        }
    }
}

/// Waits for the peer's KEXINIT.
pub(super) struct ExpectKexInit {
    local: Vec<u8>,
    /// Our guess, whose message has been sent.
    guess: Option<ClientMethod>,
}

impl ExpectKexInit {
    pub(super) fn handle(
        self,
        payload: &[u8],
        sequence: u32,
        context: &Context<'_>,
        io: &mut Io<'_>,
    ) -> Result<Step, Error> {
        let config = context.config;
        let peer = KexInit::decode(payload)?;
        let local = KexInit::decode(&self.local)?;
        let negotiated = negotiate(config.role, &local, &peer)?;
        let strict = match context.session {
            // Markers in later KEXINITs mean nothing.
            Some(session) => session.strict,
            None => negotiated.strict,
        };
        if config.require_strict_kex && !strict {
            return Err(no_strict_kex(config.role, &peer));
        }
        // OpenSSH PROTOCOL §1.10: the first packet of a strict connection is KEXINIT. Whatever came before
        // it has taken a sequence number.
        if context.session.is_none() && strict && sequence != 0 {
            return Err(PeerMisbehaved::StrictKex(MessageNumber::KEXINIT).into());
        }
        let side = match config.role {
            Role::Client => match self.guess.filter(|_| negotiated.preferred_by_both) {
                Some(method) => Side::Client(method),
                None => {
                    let (message, method) = ClientMethod::start(negotiated.kex, io.random)?;
                    io.send(message);
                    Side::Client(method)
                }
            },
            Role::Server => {
                Side::Server(ServerMethod::start(negotiated.kex, config.moduli.clone()))
            }
        };
        Ok(Step::Wait(Exchange::ExpectMethod(Box::new(ExpectMethod {
            local: self.local,
            peer: payload.to_vec(),
            skip_guess: negotiated.skip_guess,
            negotiated,
            strict,
            side,
        }))))
    }
}

enum Side {
    Client(ClientMethod),
    Server(ServerMethod),
}

/// Waits for the peer's next message of the method.
pub(super) struct ExpectMethod {
    local: Vec<u8>,
    peer: Vec<u8>,
    negotiated: Negotiated,
    strict: bool,
    skip_guess: bool,
    side: Side,
}

impl ExpectMethod {
    fn handle(
        mut self: Box<Self>,
        payload: &[u8],
        context: &Context<'_>,
        io: &mut Io<'_>,
    ) -> Result<Step, Error> {
        let number = MessageNumber(payload.first().copied().unwrap_or_default());
        if !matches!(number.0, 30..=49) {
            return Err(PeerMisbehaved::UnexpectedMessage(number).into());
        }
        // RFC 4253 §7: one packet that was sent by a wrong guess is ignored, whatever is in it.
        if self.skip_guess {
            self.skip_guess = false;
            return Ok(Step::Wait(Exchange::ExpectMethod(self)));
        }
        let ExpectMethod {
            local,
            peer,
            negotiated,
            strict,
            side,
            ..
        } = *self;
        let agreement = Agreement {
            local,
            peer,
            negotiated,
            strict,
        };
        match side {
            Side::Client(method) => match method.handle(payload, io.random)? {
                ClientStep::Send(message, next) => {
                    io.send(message);
                    Ok(agreement.wait(Side::Client(next)))
                }
                ClientStep::Done(agreed) => agreement.finish_client(agreed, context, io),
            },
            Side::Server(method) => match method.handle(payload, io.random)? {
                ServerStep::Send(message, next) => {
                    io.send(message);
                    Ok(agreement.wait(Side::Server(next)))
                }
                ServerStep::Done(agreed) => agreement.finish_server(agreed, context, io),
            },
        }
    }
}

/// Both KEXINITs and what they agree on.
struct Agreement {
    local: Vec<u8>,
    peer: Vec<u8>,
    negotiated: Negotiated,
    strict: bool,
}

impl Agreement {
    fn wait(self, side: Side) -> Step {
        Step::Wait(Exchange::ExpectMethod(Box::new(ExpectMethod {
            local: self.local,
            peer: self.peer,
            negotiated: self.negotiated,
            strict: self.strict,
            skip_guess: false,
            side,
        })))
    }

    fn exchange_hash(
        &self,
        context: &Context<'_>,
        host_key: &[u8],
        values: &[u8],
        secret: &SharedSecret,
    ) -> Digest {
        let role = context.config.role;
        let transcript = context.idents.transcript(role, &self.local, &self.peer);
        transcript.hash(self.negotiated.kex.hash, host_key, values, secret)
    }

    fn finish_client(
        self,
        agreed: ClientAgreed,
        context: &Context<'_>,
        io: &mut Io<'_>,
    ) -> Result<Step, Error> {
        let hash = self.exchange_hash(context, &agreed.host_key, &agreed.values, &agreed.secret);
        let host_key = self.verify_host_key(&agreed, &hash, context)?;
        if context.session.is_none() {
            let event = TransportEvent::HostKey(host_key.clone());
            io.actions.push(TransportAction::Event(event));
        }
        let proof = (host_key, agreed.signature);
        self.switch(hash, &agreed.secret, proof, context, io)
    }

    /// The server's host key, if it is of the negotiated algorithm, has signed H, and is the one that it must
    /// be where that is known.
    fn verify_host_key(
        &self,
        agreed: &ClientAgreed,
        hash: &Digest,
        context: &Context<'_>,
    ) -> Result<ShownKey, Error> {
        let algorithm = self.negotiated.host_key;
        let shown =
            ShownKey::read(algorithm, &agreed.host_key).ok_or(HostKeyFault::WrongAlgorithm)?;
        let named = crate::codec::Reader::new(&agreed.signature).string();
        if named != Ok(algorithm.signs_as.as_bytes()) {
            return Err(HostKeyFault::WrongAlgorithm.into());
        }
        if !shown
            .key
            .verify(algorithm.signs_as, hash, &agreed.signature)
        {
            return Err(HostKeyFault::BadSignature.into());
        }
        match (context.session, &context.config.expected_host_key) {
            (Some(session), _) if session.host_key != shown => Err(HostKeyFault::Changed.into()),
            (None, Some(expected)) if *expected != shown.key => Err(HostKeyFault::Mismatch {
                expected: expected.fingerprint(),
                found: shown.key.fingerprint(),
            }
            .into()),
            _ => Ok(shown),
        }
    }

    fn finish_server(
        self,
        agreed: ServerAgreed,
        context: &Context<'_>,
        io: &mut Io<'_>,
    ) -> Result<Step, Error> {
        let algorithm = self.negotiated.host_key;
        let (key, host_key) = context
            .config
            .host_key_for(algorithm.name)
            .ok_or(Error::Bug("a host key was offered that is not there"))?;
        let hash = self.exchange_hash(context, host_key.blob(), &agreed.values, &agreed.secret);
        let state = Box::new(ExpectSignature {
            agreement: self,
            agreed,
            hash,
            host_key,
        });
        if key.signs_elsewhere() {
            io.actions.push(TransportAction::Sign(HostKeyJob {
                key: key.clone(),
                algorithm: algorithm.signs_as,
                hash: state.hash.clone(),
            }));
            return Ok(Step::Wait(Exchange::ExpectSignature(state)));
        }
        // A faulty computation must not leave the machine: `sign` checks its own result.
        let signature = key.sign(algorithm.signs_as, &state.hash);
        state.signed(signature, context, io)
    }

    /// Sends NEWKEYS, switches our direction and waits for the peer to switch its own.
    fn switch(
        self,
        hash: Digest,
        secret: &SharedSecret,
        (host_key, host_signature): (ShownKey, Vec<u8>),
        context: &Context<'_>,
        io: &mut Io<'_>,
    ) -> Result<Step, Error> {
        let role = context.config.role;
        let first = context.session.is_none();
        // RFC 4253 §7.2: the session identifier is the first H and stays it.
        let session_id = context
            .session
            .map_or_else(|| hash.clone(), |session| session.id.clone());
        let keys_of = |sender| {
            let algorithms = self.negotiated.sent_by(sender);
            let kex_hash = self.negotiated.kex.hash;
            derive_keys(kex_hash, secret, &hash, &session_id, sender, algorithms)
        };
        let sent = self.negotiated.sent_by(role);
        let seal = SealKeys {
            packet: sealer(sent.cipher, sent.mac, &keys_of(role)).map_err(|_| KexFault::Crypto)?,
            compression: sent.compression.kind,
            reset_sequence: self.strict,
        };
        let received = self.negotiated.sent_by(role.peer());
        let open = OpenKeys {
            packet: opener(received.cipher, received.mac, &keys_of(role.peer()))
                .map_err(|_| KexFault::Crypto)?,
            compression: received.compression.kind,
            reset_sequence: self.strict,
        };
        io.send(NewKeys.encode());
        io.actions.push(TransportAction::SealKeys(Box::new(seal)));
        // RFC 8308 §2.4: the first packet under the first keys.
        let ext_info = first && role == Role::Server && self.negotiated.peer_takes_ext_info;
        if ext_info {
            io.send(server_announcement(&context.config.signature_algorithms));
        }
        let state = ExpectNewKeys {
            keys: Box::new(open),
            outcome: Outcome {
                negotiated: self.negotiated,
                strict: self.strict,
                session_id,
                host_key,
                host_signature,
                ext_info_sent: ext_info,
            },
        };
        Ok(Step::Wait(Exchange::ExpectNewKeys(Box::new(state))))
    }
}

/// Server: waits for the signature of a host key that is elsewhere. The peer sends nothing meanwhile.
pub(super) struct ExpectSignature {
    agreement: Agreement,
    agreed: ServerAgreed,
    hash: Digest,
    host_key: ShownKey,
}

impl ExpectSignature {
    fn signed(
        self: Box<Self>,
        signature: Result<Vec<u8>, Error>,
        context: &Context<'_>,
        io: &mut Io<'_>,
    ) -> Result<Step, Error> {
        let ExpectSignature {
            agreement,
            agreed,
            hash,
            host_key,
        } = *self;
        let signature = signature.map_err(|_| KexFault::Signing)?;
        io.send(agreed.reply(host_key.blob(), &signature));
        agreement.switch(hash, &agreed.secret, (host_key, signature), context, io)
    }
}

/// Waits for the peer's NEWKEYS. Ours is sent.
pub(super) struct ExpectNewKeys {
    keys: Box<OpenKeys>,
    outcome: Outcome,
}

impl ExpectNewKeys {
    fn handle(self, payload: &[u8], io: &mut Io<'_>) -> Result<Step, Error> {
        NewKeys::decode(payload)?;
        io.actions.push(TransportAction::OpenKeys(self.keys));
        Ok(Step::Done(self.outcome))
    }
}
