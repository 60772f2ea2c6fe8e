//! The other side: an honest key exchange, whose messages go out one by one, when the sequence wants it and as it wants.

use std::collections::VecDeque;
use std::sync::OnceLock;

use crate::crypto::algorithms::name;
use crate::crypto::cipher::sealer;
use crate::crypto::random::SeededRandom;
use crate::kex::methods::{ClientMethod, ClientStep, ServerMethod, ServerStep};
use crate::kex::{derive_keys, negotiate, strict_marker, Negotiated, SharedSecret, Transcript};
use crate::keys::{KeyKind, PrivateKey};
use crate::messages::kex::{KexInit, KexInitNames};
use crate::messages::Role;
use crate::packet::{SealKeys, Sealer};
use crate::transport::TransportConfig;

const IDENT: &[u8] = b"SSH-2.0-peer";

/// What differs between sequences before the first message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// The side that is judged.
    pub(super) victim: Role,
    /// Whether the peer knows strict key exchange.
    pub(super) strict: bool,
    /// Whether the peer knows EXT_INFO.
    pub(super) extensions: bool,
    /// Group exchange, whose messages are others.
    pub(super) group_exchange: bool,
}

impl Setting {
    fn method(&self) -> &'static str {
        match self.group_exchange {
            true => name::DH_GEX_SHA256,
            false => name::CURVE25519_SHA256,
        }
    }
}

fn host_key() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        PrivateKey::generate(KeyKind::Ed25519, 0, &mut SeededRandom::new(1)).unwrap()
    })
    .clone()
}

/// The transport layer of the side that is judged.
pub(super) fn victims_config(setting: &Setting) -> TransportConfig {
    let mut config = TransportConfig::new(setting.victim);
    config.preferences.kex = vec![setting.method()];
    config.preferences.host_key = vec![name::SSH_ED25519];
    config.preferences.cipher = vec![name::AES128_GCM];
    config.preferences.compression = vec![name::NONE];
    // No RFC bounds them, and sequences are short.
    config.max_idle_rekeys = 1000;
    if setting.victim == Role::Server {
        config.host_keys = vec![host_key()];
    }
    config
}

/// What goes out next.
enum Next {
    Payload(Vec<u8>),
    Keys(Box<SealKeys>),
}

enum Exchange {
    None,
    /// Our KEXINIT is made.
    Offered,
    Client(Box<(ClientMethod, Negotiated)>),
    Server(Box<(ServerMethod, Negotiated)>),
}

/// The peer of the side that is judged.
pub(super) struct Peer {
    setting: Setting,
    random: SeededRandom,
    sealer: Sealer,
    queue: VecDeque<Next>,
    exchange: Exchange,
    victims_ident: Vec<u8>,
    victims_kexinit: Vec<u8>,
    /// Our last one.
    pub(super) kexinit: Vec<u8>,
    session_id: Option<Vec<u8>>,
    strict: bool,
    pub(super) next_channel: u32,
}

impl Peer {
    pub(super) fn new(setting: Setting) -> Self {
        Peer {
            setting,
            random: SeededRandom::new(21),
            sealer: Sealer::new(),
            queue: VecDeque::new(),
            exchange: Exchange::None,
            victims_ident: Vec::new(),
            victims_kexinit: Vec::new(),
            kexinit: Vec::new(),
            session_id: None,
            strict: false,
            next_channel: 100,
        }
    }

    /// Hears the victim's identification line and says its own.
    pub(super) fn begin(&mut self, victims_line: &[u8]) -> Vec<u8> {
        self.victims_ident = victims_line.strip_suffix(b"\r\n").unwrap().to_vec();
        self.offer();
        [IDENT, b"\r\n"].concat()
    }

    fn role(&self) -> Role {
        self.setting.victim.peer()
    }

    /// Makes a KEXINIT.
    fn offer(&mut self) {
        let mut kex = vec![self.setting.method()];
        if self.session_id.is_none() {
            if self.setting.strict {
                kex.push(strict_marker(self.role()));
            }
            if self.setting.extensions {
                kex.push(match self.role() {
                    Role::Client => name::EXT_INFO_C,
                    Role::Server => name::EXT_INFO_S,
                });
            }
        }
        self.kexinit = KexInitNames {
            kex,
            host_key: vec![name::SSH_ED25519],
            cipher: &[name::AES128_GCM],
            mac: &[name::HMAC_SHA2_256],
            compression: &[name::NONE],
            guess_follows: false,
        }
        .encode(&[9; 16]);
        self.queue.push_back(Next::Payload(self.kexinit.clone()));
        self.exchange = Exchange::Offered;
    }

    /// Begins a key exchange, unless one is under way or none was finished.
    pub(super) fn rekey(&mut self) {
        if self.session_id.is_some() && matches!(self.exchange, Exchange::None) {
            self.offer();
        }
    }

    /// Hears what the victim says of a key exchange. What does not fit is passed over: the victim is not judged here.
    pub(super) fn hear(&mut self, payload: &[u8]) {
        match (
            payload[0],
            std::mem::replace(&mut self.exchange, Exchange::None),
        ) {
            (20, before) => {
                if matches!(before, Exchange::None) {
                    self.offer();
                }
                self.victims_kexinit = payload.to_vec();
                self.begin_method();
            }
            (30..=49, Exchange::Client(state)) => {
                let (method, negotiated) = *state;
                match method.handle(payload, &mut self.random) {
                    Ok(ClientStep::Send(message, next)) => {
                        self.queue.push_back(Next::Payload(message));
                        self.exchange = Exchange::Client(Box::new((next, negotiated)));
                    }
                    Ok(ClientStep::Done(agreed)) => {
                        let hash = self.hash(
                            &negotiated,
                            &agreed.host_key,
                            &agreed.values,
                            &agreed.secret,
                        );
                        self.switch(&negotiated, &agreed.secret, &hash);
                    }
                    Err(_) => {}
                }
            }
            (30..=49, Exchange::Server(state)) => {
                let (method, negotiated) = *state;
                match method.handle(payload, &mut self.random) {
                    Ok(ServerStep::Send(message, next)) => {
                        self.queue.push_back(Next::Payload(message));
                        self.exchange = Exchange::Server(Box::new((next, negotiated)));
                    }
                    Ok(ServerStep::Done(agreed)) => {
                        let key = host_key();
                        let blob = key.public().blob();
                        let hash = self.hash(&negotiated, blob, &agreed.values, &agreed.secret);
                        let signature = key.sign(name::SSH_ED25519, &hash).unwrap();
                        self.queue
                            .push_back(Next::Payload(agreed.reply(blob, &signature)));
                        self.switch(&negotiated, &agreed.secret, &hash);
                    }
                    Err(_) => {}
                }
            }
            (_, before) => self.exchange = before,
        }
    }

    fn begin_method(&mut self) {
        let role = self.role();
        let ours = KexInit::decode(&self.kexinit).unwrap();
        let Ok(negotiated) = KexInit::decode(&self.victims_kexinit)
            .and_then(|theirs| negotiate(role, &ours, &theirs))
        else {
            return;
        };
        if self.session_id.is_none() {
            self.strict = negotiated.strict;
        }
        self.exchange = match role {
            Role::Client => {
                let (message, method) =
                    ClientMethod::start(negotiated.kex, &mut self.random).unwrap();
                self.queue.push_back(Next::Payload(message));
                Exchange::Client(Box::new((method, negotiated)))
            }
            Role::Server => Exchange::Server(Box::new((
                ServerMethod::start(negotiated.kex, None),
                negotiated,
            ))),
        };
    }

    fn hash(
        &self,
        negotiated: &Negotiated,
        host_key: &[u8],
        values: &[u8],
        secret: &SharedSecret,
    ) -> Vec<u8> {
        let ours = (IDENT, self.kexinit.as_slice());
        let victims = (
            self.victims_ident.as_slice(),
            self.victims_kexinit.as_slice(),
        );
        let (client, server) = match self.role() {
            Role::Client => (ours, victims),
            Role::Server => (victims, ours),
        };
        let transcript = Transcript {
            client_ident: client.0,
            server_ident: server.0,
            client_kexinit: client.1,
            server_kexinit: server.1,
        };
        transcript
            .hash(negotiated.kex.hash, host_key, values, secret)
            .to_vec()
    }

    fn switch(&mut self, negotiated: &Negotiated, secret: &SharedSecret, hash: &[u8]) {
        let id = self.session_id.get_or_insert(hash.to_vec()).clone();
        let role = self.role();
        let sent = negotiated.sent_by(role);
        let keys = derive_keys(negotiated.kex.hash, secret, hash, &id, role, sent);
        self.queue.push_back(Next::Payload(vec![21]));
        self.queue.push_back(Next::Keys(Box::new(SealKeys {
            packet: sealer(sent.cipher, sent.mac, &keys).unwrap(),
            compression: sent.compression.kind,
            reset_sequence: self.strict,
        })));
    }

    /// The next message of its own, if there is one.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        match self.queue.pop_front()? {
            Next::Payload(payload) => Some(payload),
            Next::Keys(_) => self.next(),
        }
    }

    /// Whether there is something that it wants to say.
    pub(super) fn has_next(&self) -> bool {
        !self.queue.is_empty()
    }

    /// NEWKEYS was sealed: what follows is under new keys.
    pub(super) fn install_keys(&mut self) {
        if let Some(Next::Keys(_)) = self.queue.front() {
            if let Some(Next::Keys(keys)) = self.queue.pop_front() {
                self.sealer.install(*keys);
            }
        }
    }

    /// One packet.
    pub(super) fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        self.sealer.seal(&[payload], &mut packet).unwrap();
        packet
    }
}
