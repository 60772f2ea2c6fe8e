//! A client that knows the keys of its session.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{mpsc, Arc, Mutex};
use std::thread;
use std::time::Instant;

use sshwire::crypto::algorithms::name;
use sshwire::crypto::hash::HashAlgorithm;
use sshwire::crypto::random::{Random, SystemRandom};
use sshwire::endpoint::{Inbound, Outbound, Step};
use sshwire::kex::{derive_keys, SharedSecret};
use sshwire::messages::Role;
use sshwire::transport::{TransportAction, TransportConfig};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::scan::{scrub, Secret};

/// Randomness of the system, of which a covered copy of everything as long as an X25519 key is kept.
struct Noted(Arc<Mutex<Vec<Secret>>>);

impl Random for Noted {
    fn fill(&mut self, out: &mut [u8]) {
        SystemRandom.fill(out);
        if out.len() == 32 {
            let secret = Secret::new("the ephemeral private key", out);
            self.0.lock().expect("not poisoned").push(secret);
        }
    }
}

/// The client.
pub struct Peer {
    stream: UnixStream,
    inbound: Inbound,
    outbound: Outbound,
    unread: Vec<u8>,
    noted: Arc<Mutex<Vec<Secret>>>,
    /// What came before the first keys.
    plain: Vec<u8>,
    /// Has the thread that began go on to its end.
    _starter: mpsc::Sender<()>,
}

/// Begins, in a thread that does nothing else until it is let go: its stack stays as that has left it.
fn started(
    config: TransportConfig,
    random: Noted,
) -> (Inbound, Vec<TransportAction>, mpsc::Sender<()>) {
    let (hand_over, taken) = mpsc::channel();
    let (let_go, wait) = mpsc::channel();
    thread::spawn(move || {
        let mut inbound = Inbound::new(Arc::new(config), Box::new(random));
        let mut actions = Vec::new();
        inbound.start(&mut actions);
        hand_over.send((inbound, actions)).expect("the peer");
        let _ = wait.recv();
    });
    let (inbound, actions) = taken.recv().expect("begun");
    (inbound, actions, let_go)
}

impl Peer {
    /// Does the first key exchange with Curve25519 and the given cipher and MAC, by a guess or without.
    pub fn new(stream: UnixStream, cipher: &'static str, mac: &'static str, guesses: bool) -> Self {
        let mut config = TransportConfig::new(Role::Client);
        config.guesses = guesses;
        config.preferences.kex = vec![name::CURVE25519_SHA256];
        config.preferences.cipher = vec![cipher];
        config.preferences.mac = vec![mac];
        let noted = Arc::default();
        let random = Noted(Arc::clone(&noted));
        let (inbound, actions, starter) = started(config, random);
        let mut peer = Peer {
            stream,
            inbound,
            _starter: starter,
            outbound: Outbound::new(Role::Client),
            unread: Vec::new(),
            noted,
            plain: Vec::new(),
        };
        peer.apply(actions);
        peer.keyed();
        peer
    }

    /// Until a key exchange is through.
    fn keyed(&mut self) {
        loop {
            self.flush();
            let transport = self.inbound.transport();
            if transport.is_keyed() && !transport.is_rekeying() {
                return;
            }
            self.read();
        }
    }

    /// Changes the keys.
    pub fn rekey(&mut self) {
        let mut actions = Vec::new();
        let begun = self.inbound.rekey(Instant::now(), &mut actions);
        begun.expect("a key exchange");
        self.apply(actions);
        self.keyed();
    }

    /// Has the server open and seal a long packet: it says back what it is told (OpenSSH PROTOCOL §1.9).
    pub fn ping(&mut self) {
        const LENGTH: u32 = 10_000;
        let mut payload = vec![192];
        payload.extend(LENGTH.to_be_bytes());
        payload.extend(vec![b'p'; LENGTH as usize]);
        self.outbound.seal_service(&payload).expect("sealed");
        let before = self.inbound.total().bytes;
        self.flush();
        while self.inbound.total().bytes < before + u64::from(LENGTH) {
            self.read();
        }
    }

    /// The keys of the first key exchange, and what they came from.
    pub fn secrets(&self) -> Vec<Secret> {
        let secrets = self.derived();
        scrub();
        secrets
    }

    #[inline(never)]
    fn derived(&self) -> Vec<Secret> {
        let ephemeral = self.noted.lock().expect("not poisoned")[0].clone();
        let server: [u8; 32] = self.server_public();
        let private: Zeroizing<[u8; 32]> =
            Zeroizing::new(ephemeral.bytes()[..].try_into().expect("32 bytes"));
        let shared = StaticSecret::from(*private).diffie_hellman(&PublicKey::from(server));
        let encoded = SharedSecret::from_mpint(shared.as_bytes());
        let transport = self.inbound.transport();
        let id = transport.session_id().expect("keyed");
        let negotiated = transport.negotiated().expect("keyed");
        let mut secrets = vec![ephemeral, Secret::new("K", shared.as_bytes())];
        for (role, from) in [(Role::Client, "client"), (Role::Server, "server")] {
            let keys = derive_keys(
                HashAlgorithm::Sha256,
                &encoded,
                id,
                id,
                role,
                negotiated.sent_by(role),
            );
            secrets.push(Secret::new(&format!("the key of the {from}"), &keys.key));
            if !keys.mac_key.is_empty() {
                let name = format!("the MAC key of the {from}");
                secrets.push(Secret::new(&name, &keys.mac_key));
            }
        }
        secrets
    }

    /// Q_S of SSH_MSG_KEX_ECDH_REPLY (RFC 5656 §4), which came in the clear.
    fn server_public(&self) -> [u8; 32] {
        let field = |at: usize| {
            let length = self.plain[at..at + 4].try_into().expect("a length");
            usize::try_from(u32::from_be_bytes(length)).expect("short")
        };
        let line = self.plain.iter().position(|byte| *byte == b'\n');
        let mut packet = line.expect("an identification") + 1;
        while self.plain[packet + 5] != 31 {
            packet += 4 + field(packet);
        }
        let host_key = packet + 6;
        let public = host_key + 4 + field(host_key);
        self.plain[public + 4..public + 36]
            .try_into()
            .expect("32 bytes")
    }

    fn apply(&mut self, actions: Vec<TransportAction>) {
        for action in actions {
            if let Some(TransportAction::OpenKeys(_)) = self.outbound.apply(action).expect("sealed")
            {
                unreachable!("the inbound half takes its own keys");
            }
        }
    }

    fn flush(&mut self) {
        let bytes = self.outbound.take_pending();
        self.stream.write_all(&bytes).expect("the server is there");
    }

    fn read(&mut self) {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer).expect("the server is there");
        assert!(count > 0, "the server has gone");
        if !self.inbound.transport().is_keyed() {
            self.plain.extend_from_slice(&buffer[..count]);
        }
        self.unread.extend_from_slice(&buffer[..count]);
        loop {
            let mut actions = Vec::new();
            let step = self
                .inbound
                .next(&mut self.unread, Instant::now(), &mut actions);
            let used = match step.expect("a good packet") {
                Step::NeedMore => return,
                Step::Ident(count) => count,
                Step::Transport(packet) | Step::Service(packet) => packet.consumed,
            };
            self.unread.drain(..used);
            self.apply(actions);
        }
    }
}
