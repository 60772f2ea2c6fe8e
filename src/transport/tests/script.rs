//! A peer that speaks the protocol by a script, so that it can break every rule with the right keys.

use super::{host_key, Side};
use crate::crypto::algorithms::name;
use crate::crypto::cipher::{opener, sealer};
use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::kex::methods::{ClientMethod, ClientStep, ServerMethod, ServerStep};
use crate::kex::{derive_keys, negotiate, Negotiated, SharedSecret, Transcript};
use crate::keys::{KeyKind, PrivateKey, PublicKey};
use crate::messages::kex::{KexInit, KexInitNames};
use crate::messages::Role;
use crate::packet::{OpenKeys, Opener, PayloadPlace, SealKeys, Sealer};

const IDENT: &str = "SSH-2.0-script with comments";

/// A KEXINIT with these key exchange names, first host key name, and guess flag.
pub(super) fn kexinit(kex: &[&str], host_key: &[&str], follows: bool) -> Vec<u8> {
    let mut payload = KexInitNames {
        kex: kex.to_vec(),
        host_key: host_key.to_vec(),
        cipher: &[name::AES256_CTR],
        mac: &[name::HMAC_SHA2_256],
        compression: &[name::NONE],
        guess_follows: false,
    }
    .encode(&[9; 16]);
    let flag = payload.len() - 5;
    payload[flag] = u8::from(follows);
    payload
}

/// The scripted peer and our side that it talks to.
pub(super) struct Script {
    pub(super) side: Side,
    role: Role,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
    inbox: Vec<u8>,
    our_ident: Option<Vec<u8>>,
    session_id: Option<Vec<u8>>,
    strict: bool,
    pub(super) host_key: PrivateKey,
}

impl Script {
    /// Sends the identification line.
    pub(super) fn new(mut side: Side, role: Role) -> Self {
        side.receive(format!("{IDENT}\r\n").as_bytes()).unwrap();
        Script {
            side,
            role,
            sealer: Sealer::new(),
            opener: Opener::new(),
            inbox: Vec::new(),
            our_ident: None,
            session_id: None,
            strict: false,
            host_key: host_key(KeyKind::Ed25519),
        }
    }

    /// Seals a payload and delivers it.
    pub(super) fn send(&mut self, payload: &[u8]) -> Result<(), Error> {
        let mut packet = Vec::new();
        self.sealer.seal(&[payload], &mut packet).unwrap();
        self.side.receive(&packet)
    }

    /// The next payload of our side.
    pub(super) fn recv(&mut self) -> Option<Vec<u8>> {
        self.inbox.append(&mut self.side.outbox);
        if self.our_ident.is_none() {
            let end = self.inbox.iter().position(|byte| *byte == b'\n').unwrap();
            let line: Vec<u8> = self.inbox.drain(..=end).collect();
            self.our_ident = Some(line[..end - 1].to_vec());
        }
        let packet = self.opener.open(&mut self.inbox).unwrap()?;
        let PayloadPlace::InPlace(range) = packet.payload else {
            panic!("compressed");
        };
        let payload = self.inbox[range].to_vec();
        self.inbox.drain(..packet.consumed);
        Some(payload)
    }

    pub(super) fn expect(&mut self, number: u8) -> Vec<u8> {
        let payload = self.recv().expect("a packet");
        assert_eq!(payload[0], number, "{payload:?}");
        payload
    }

    /// A whole key exchange with this KEXINIT, `guesses` being sent right behind it.
    pub(super) fn exchange(&mut self, kexinit: &[u8], guesses: &[Vec<u8>]) -> Result<(), Error> {
        self.send(kexinit)?;
        for guess in guesses {
            self.send(guess)?;
        }
        let theirs = self.expect(20);
        let negotiated = negotiate(
            self.role,
            &KexInit::decode(kexinit).unwrap(),
            &KexInit::decode(&theirs).unwrap(),
        )
        .unwrap();
        if self.session_id.is_none() {
            self.strict = negotiated.strict;
        }
        match self.role {
            Role::Client => self.as_client(&negotiated, kexinit, &theirs),
            Role::Server => self.as_server(&negotiated, kexinit, &theirs),
        }
    }

    fn as_client(
        &mut self,
        negotiated: &Negotiated,
        local: &[u8],
        peer: &[u8],
    ) -> Result<(), Error> {
        let (message, mut method) = ClientMethod::start(negotiated.kex, &mut SystemRandom).unwrap();
        self.send(&message)?;
        let agreed = loop {
            let reply = self.recv().expect("a reply");
            match method.handle(&reply, &mut SystemRandom).unwrap() {
                ClientStep::Send(message, next) => {
                    self.send(&message)?;
                    method = next;
                }
                ClientStep::Done(agreed) => break agreed,
            }
        };
        let hash = Transcript {
            client_ident: IDENT.as_bytes(),
            server_ident: self.our_ident.as_ref().unwrap(),
            client_kexinit: local,
            server_kexinit: peer,
        }
        .hash(
            negotiated.kex.hash,
            &agreed.host_key,
            &agreed.values,
            &agreed.secret,
        );
        let key = PublicKey::from_blob(&agreed.host_key).unwrap();
        assert!(key.verify(negotiated.host_key.name, &hash, &agreed.signature));
        self.switch(negotiated, &agreed.secret, &hash)
    }

    fn as_server(
        &mut self,
        negotiated: &Negotiated,
        local: &[u8],
        peer: &[u8],
    ) -> Result<(), Error> {
        let mut method = ServerMethod::start(negotiated.kex, None);
        let agreed = loop {
            let message = self.recv().expect("a message");
            match method.handle(&message, &mut SystemRandom).unwrap() {
                ServerStep::Send(message, next) => {
                    self.send(&message)?;
                    method = next;
                }
                ServerStep::Done(agreed) => break agreed,
            }
        };
        let blob = self.host_key.public().blob().to_vec();
        let hash = Transcript {
            client_ident: self.our_ident.as_ref().unwrap(),
            server_ident: IDENT.as_bytes(),
            client_kexinit: peer,
            server_kexinit: local,
        }
        .hash(negotiated.kex.hash, &blob, &agreed.values, &agreed.secret);
        let signature = self.host_key.sign(negotiated.host_key.name, &hash).unwrap();
        self.send(&agreed.reply(&blob, &signature))?;
        self.switch(negotiated, &agreed.secret, &hash)
    }

    fn switch(
        &mut self,
        negotiated: &Negotiated,
        secret: &SharedSecret,
        hash: &[u8],
    ) -> Result<(), Error> {
        let id = self.session_id.get_or_insert(hash.to_vec()).clone();
        let keys = |sender| {
            let algorithms = negotiated.sent_by(sender);
            derive_keys(negotiated.kex.hash, secret, hash, &id, sender, algorithms)
        };
        let sent = negotiated.sent_by(self.role);
        let received = negotiated.sent_by(self.role.peer());
        let seal = SealKeys {
            packet: sealer(sent.cipher, sent.mac, &keys(self.role)).unwrap(),
            compression: sent.compression.kind,
            reset_sequence: self.strict,
        };
        let open = OpenKeys {
            packet: opener(received.cipher, received.mac, &keys(self.role.peer())).unwrap(),
            compression: received.compression.kind,
            reset_sequence: self.strict,
        };
        self.send(&[21])?;
        self.sealer.install(seal);
        self.expect(21);
        self.opener.install(open);
        Ok(())
    }
}
