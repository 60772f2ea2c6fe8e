//! A peer that does the key exchange as it should and then sends whatever a test wants, with the right keys.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sshwire::crypto::random::SystemRandom;
use sshwire::endpoint::{Inbound, Outbound, Step};
use sshwire::messages::Role;
use sshwire::transport::{TransportAction, TransportConfig};
use sshwire::Error;

/// The peer's end of a connection.
pub struct Peer {
    stream: UnixStream,
    inbound: Inbound,
    outbound: Outbound,
    unread: Vec<u8>,
}

impl Peer {
    /// A client that has done the first key exchange.
    pub fn client(stream: UnixStream) -> Self {
        let config = Arc::new(TransportConfig::new(Role::Client));
        let mut peer = Peer {
            stream,
            inbound: Inbound::new(config, Box::new(SystemRandom)),
            outbound: Outbound::new(Role::Client),
            unread: Vec::new(),
        };
        let mut actions = Vec::new();
        peer.inbound.start(&mut actions);
        peer.apply(actions);
        while !peer.inbound.transport().is_keyed() {
            peer.flush().unwrap();
            peer.read().unwrap();
            peer.open_all().unwrap();
        }
        peer.flush().unwrap();
        peer
    }

    pub fn set_write_timeout(&self, time: Duration) {
        self.stream.set_write_timeout(Some(time)).unwrap();
    }

    /// Sends a payload, sealed with the right keys.
    pub fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.apply(vec![TransportAction::Send(payload.to_vec())]);
        self.flush()
    }

    /// Reads until the other side says goodbye and closes, and returns the reason.
    pub fn read_to_disconnect(&mut self) -> Option<u32> {
        let mut reason = None;
        while self.read().unwrap() {
            if let Err(Error::Disconnected { reason: given, .. }) = self.open_all() {
                reason = Some(given.0);
            }
        }
        reason
    }

    fn apply(&mut self, actions: Vec<TransportAction>) {
        for action in actions {
            // Events and replies are of no interest.
            let _ = self.outbound.apply(action).unwrap();
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let bytes = self.outbound.take_pending();
        self.stream.write_all(&bytes)
    }

    /// Whether the stream goes on.
    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 16 << 10];
        let count = self.stream.read(&mut buffer)?;
        self.unread.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }

    fn open_all(&mut self) -> Result<(), Error> {
        loop {
            let mut actions = Vec::new();
            let step = self
                .inbound
                .next(&mut self.unread, Instant::now(), &mut actions)?;
            let used = match step {
                Step::NeedMore => return Ok(()),
                Step::Ident(count) => count,
                Step::Transport(packet) | Step::Service(packet) => packet.consumed,
            };
            self.unread.drain(..used);
            self.apply(actions);
        }
    }
}
