//! Client and server wired together in memory, and each against a scripted peer.

mod attacks;
mod guess;
mod pair;
mod rekey;
mod script;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::{Handled, TransportAction, TransportConfig, TransportEvent, TransportLayer};
use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::keys::{KeyKind, PrivateKey, PublicKey};
use crate::messages::Role;
use crate::packet::{IdentReader, Opener, PayloadPlace, Sealer};

/// One key of each kind, made once.
pub(super) fn host_key(kind: KeyKind) -> PrivateKey {
    static KEYS: OnceLock<Vec<(KeyKind, PrivateKey)>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        [
            KeyKind::Ed25519,
            KeyKind::EcdsaP256,
            KeyKind::EcdsaP384,
            KeyKind::EcdsaP521,
            KeyKind::Rsa,
        ]
        .map(|kind| {
            let key = PrivateKey::generate(kind, 2048, &mut SystemRandom).unwrap();
            (kind, key)
        })
        .to_vec()
    });
    keys.iter().find(|(of, _)| *of == kind).unwrap().1.clone()
}

pub(super) fn client_config() -> TransportConfig {
    TransportConfig::new(Role::Client)
}

pub(super) fn server_config() -> TransportConfig {
    let mut config = TransportConfig::new(Role::Server);
    config.host_keys = vec![host_key(KeyKind::Ed25519)];
    config
}

/// Replaces the payloads that a side sends by itself.
type Mangle = Box<dyn FnMut(Vec<u8>) -> Vec<Vec<u8>>>;

/// A transport layer with its packetizer, as an endpoint would hold them.
pub(super) struct Side {
    pub(super) layer: TransportLayer,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
    ident: Option<IdentReader>,
    inbox: Vec<u8>,
    pub(super) outbox: Vec<u8>,
    hold: bool,
    held: Vec<Vec<u8>>,
    /// Payloads for the services, in the order they came.
    pub(super) delivered: Vec<Vec<u8>>,
    pub(super) keyed: Vec<bool>,
    /// Whether the next connection may guess.
    pub(super) guessable: bool,
    pub(super) host_keys: Vec<PublicKey>,
    pub(super) extensions: usize,
    pub(super) now: Instant,
    pub(super) mangle: Option<Mangle>,
}

impl Side {
    pub(super) fn new(config: TransportConfig) -> Self {
        let ident = IdentReader::new(config.role);
        let mut side = Side {
            layer: TransportLayer::new(Arc::new(config)),
            sealer: Sealer::new(),
            opener: Opener::new(),
            ident: Some(ident),
            inbox: Vec::new(),
            outbox: Vec::new(),
            hold: false,
            held: Vec::new(),
            delivered: Vec::new(),
            keyed: Vec::new(),
            guessable: false,
            host_keys: Vec::new(),
            extensions: 0,
            now: Instant::now(),
            mangle: None,
        };
        let mut actions = Vec::new();
        let layer = &mut side.layer;
        layer.start(&mut SystemRandom, &mut actions);
        side.apply(actions);
        side
    }

    pub(super) fn apply(&mut self, actions: Vec<TransportAction>) {
        for action in actions {
            match action {
                TransportAction::Raw(bytes) => self.outbox.extend(bytes),
                TransportAction::Hold => self.hold = true,
                TransportAction::Send(payload) => {
                    let payloads = match &mut self.mangle {
                        Some(mangle) => mangle(payload),
                        None => vec![payload],
                    };
                    for payload in payloads {
                        self.inject(&payload);
                    }
                }
                TransportAction::Reply(payload) => self.held.push(payload),
                TransportAction::SealKeys(keys) => {
                    self.sealer.install(*keys);
                    self.hold = false;
                }
                TransportAction::OpenKeys(keys) => self.opener.install(*keys),
                TransportAction::Event(TransportEvent::Keyed { first, guessable }) => {
                    self.keyed.push(first);
                    self.guessable = guessable;
                }
                TransportAction::Event(TransportEvent::HostKey(shown)) => {
                    self.host_keys.push(shown.key)
                }
                TransportAction::Event(TransportEvent::Extensions) => self.extensions += 1,
                TransportAction::Event(_) => {}
                TransportAction::Sign(_) => panic!("no key of these tests is elsewhere"),
            }
        }
        self.flush();
    }

    /// Seals a payload whatever the layer thinks of it.
    pub(super) fn inject(&mut self, payload: &[u8]) {
        self.sealer.seal(&[payload], &mut self.outbox).unwrap();
    }

    /// Sends a payload of a service.
    pub(super) fn send(&mut self, payload: &[u8]) {
        self.held.push(payload.to_vec());
        self.flush();
    }

    fn flush(&mut self) {
        while !self.hold && !self.held.is_empty() {
            let payload = self.held.remove(0);
            self.inject(&payload);
        }
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.inbox.extend_from_slice(bytes);
        if let Some(reader) = &mut self.ident {
            let progress = reader.feed(&self.inbox)?;
            self.inbox.drain(..progress.consumed);
            let Some(line) = progress.line else {
                return Ok(());
            };
            self.ident = None;
            let mut actions = Vec::new();
            self.layer
                .ident(line, None, self.now, &mut SystemRandom, &mut actions)?;
            self.apply(actions);
        }
        while let Some(packet) = self.opener.open(&mut self.inbox)? {
            let payload = match packet.payload {
                PayloadPlace::InPlace(range) => self.inbox[range].to_vec(),
                PayloadPlace::Inflated => self.opener.inflated().to_vec(),
            };
            self.inbox.drain(..packet.consumed);
            self.handle(&payload, packet.sequence)?;
        }
        Ok(())
    }

    /// Gives a payload to the layer and applies what comes of it.
    pub(super) fn handle(&mut self, payload: &[u8], sequence: u32) -> Result<Handled, Error> {
        let mut actions = Vec::new();
        let handled =
            self.layer
                .handle(payload, sequence, self.now, &mut SystemRandom, &mut actions);
        self.apply(actions);
        if handled == Ok(Handled::Service) {
            self.delivered.push(payload.to_vec());
        }
        handled
    }

    pub(super) fn rekey(&mut self) {
        let mut actions = Vec::new();
        self.layer
            .rekey(self.now, &mut SystemRandom, &mut actions)
            .unwrap();
        self.apply(actions);
    }

    pub(super) fn check_limits(&mut self) {
        let mut actions = Vec::new();
        let (sealed, opened) = (self.sealer.counters(), self.opener.counters());
        self.layer
            .check_limits(sealed, opened, self.now, &mut SystemRandom, &mut actions)
            .unwrap();
        self.apply(actions);
    }

    pub(super) fn wait(&mut self, time: Duration) -> Result<(), Error> {
        self.now += time;
        let mut actions = Vec::new();
        let result = self
            .layer
            .handle_timeout(self.now, &mut SystemRandom, &mut actions);
        self.apply(actions);
        result
    }
}

/// Carries bytes between both sides until there are none.
pub(super) fn pump(client: &mut Side, server: &mut Side) -> Result<(), Error> {
    while !client.outbox.is_empty() || !server.outbox.is_empty() {
        server.receive(&std::mem::take(&mut client.outbox))?;
        client.receive(&std::mem::take(&mut server.outbox))?;
    }
    Ok(())
}

pub(super) fn keyed_pair_of(client: TransportConfig, server: TransportConfig) -> (Side, Side) {
    let (mut client, mut server) = (Side::new(client), Side::new(server));
    pump(&mut client, &mut server).unwrap();
    assert!(client.layer.is_keyed() && server.layer.is_keyed());
    (client, server)
}

pub(super) fn keyed_pair() -> (Side, Side) {
    keyed_pair_of(client_config(), server_config())
}
