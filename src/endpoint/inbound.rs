//! From the bytes of the stream to payloads for the services.

use std::sync::Arc;
use std::time::Instant;

use crate::crypto::random::Random;
use crate::error::Error;
use crate::packet::{Counters, IdentReader, OpenedPacket, Opener, PayloadPlace};
use crate::transport::{Handled, TransportAction, TransportConfig, TransportEvent, TransportLayer};

/// A KEXINIT that is longer than this is not looked at before it is its turn.
const MOST_PEEKED: usize = 8 * 1024;

/// What came of the bytes at the front of the stream.
#[derive(Debug)]
pub enum Step {
    /// They are not a whole packet yet.
    NeedMore,
    /// So many of them were (part of) the identification line.
    Ident(usize),
    /// They were a packet for the transport layer, which has dealt with it and may have pushed actions.
    Transport(OpenedPacket),
    /// They were a packet whose payload is for the services.
    Service(OpenedPacket),
}

/// The receiving part: opener and transport layer.
pub struct Inbound {
    /// Until the peer's identification line has come.
    ident: Option<IdentReader>,
    opener: Opener,
    transport: TransportLayer,
    random: Box<dyn Random>,
    /// The user is in: delayed compression, if agreed on, has begun in this direction.
    decompressing: bool,
}

impl Inbound {
    /// Nothing received yet.
    pub fn new(config: Arc<TransportConfig>, random: Box<dyn Random>) -> Self {
        Inbound {
            ident: Some(IdentReader::new(config.role)),
            opener: Opener::new(),
            transport: TransportLayer::new(config),
            random,
            decompressing: false,
        }
    }

    /// Says our identification line, and what a client guesses.
    pub fn start(&mut self, actions: &mut Vec<TransportAction>) {
        self.transport.start(self.random.as_mut(), actions);
    }

    /// Takes one step over the unread bytes. Apply the actions before the next step: they may change the
    /// keys with which the next packet is opened.
    pub fn next(
        &mut self,
        unread: &mut [u8],
        now: Instant,
        actions: &mut Vec<TransportAction>,
    ) -> Result<Step, Error> {
        if unread.is_empty() {
            return Ok(Step::NeedMore);
        }
        if self.ident.is_some() {
            return self.next_ident(unread, now, actions);
        }
        let Some(packet) = self.opener.open(unread)? else {
            return Ok(Step::NeedMore);
        };
        let payload = match &packet.payload {
            PayloadPlace::InPlace(range) => unread.get(range.clone()).unwrap_or_default(),
            PayloadPlace::Inflated => self.opener.inflated(),
        };
        let random = self.random.as_mut();
        let first_new = actions.len();
        match self
            .transport
            .handle(payload, packet.sequence, now, random, actions)?
        {
            Handled::Service => Ok(Step::Service(packet)),
            Handled::Consumed => {
                self.install_open_keys(first_new, actions);
                Ok(Step::Transport(packet))
            }
        }
    }

    fn next_ident(
        &mut self,
        unread: &[u8],
        now: Instant,
        actions: &mut Vec<TransportAction>,
    ) -> Result<Step, Error> {
        let Some(reader) = self.ident.as_mut() else {
            return Err(Error::Bug("identification line read twice"));
        };
        let progress = reader.feed(unread)?;
        for line in reader.take_banner_lines() {
            actions.push(TransportAction::Event(TransportEvent::BannerLine(line)));
        }
        if let Some(ident) = progress.line {
            self.ident = None;
            let behind = unread.get(progress.consumed..).unwrap_or_default();
            let looks = self.transport.looks_ahead();
            let ahead = looks.then(|| peek(behind)).flatten();
            self.transport
                .ident(ident, ahead.as_deref(), now, self.random.as_mut(), actions)?;
        }
        Ok(Step::Ident(progress.consumed))
    }

    /// The opener is ours, so its keys are installed here and not by whoever applies the actions.
    fn install_open_keys(&mut self, first_new: usize, actions: &mut Vec<TransportAction>) {
        let mut index = first_new;
        while index < actions.len() {
            if matches!(actions.get(index), Some(TransportAction::OpenKeys(_))) {
                if let TransportAction::OpenKeys(keys) = actions.remove(index) {
                    self.opener.install(*keys);
                    if self.decompressing {
                        // zlib@openssh.com stays on after a rekey that happens when the user is in.
                        self.opener.start_decompression();
                    }
                }
            } else {
                index += 1;
            }
        }
    }

    /// The payload of a packet whose place is [`PayloadPlace::Inflated`].
    pub fn inflated(&self) -> &[u8] {
        self.opener.inflated()
    }

    /// Wipes it: it was secret.
    pub fn wipe_inflated(&mut self) {
        self.opener.wipe_inflated();
    }

    /// How many bytes the packet at the front needs in all, as far as that is known.
    pub fn needed(&self, unread: usize) -> usize {
        if self.ident.is_some() {
            unread.saturating_add(1)
        } else {
            self.opener.needed(unread)
        }
    }

    /// The user is in: delayed compression begins in this direction.
    pub fn start_decompression(&mut self) {
        if !self.decompressing {
            self.decompressing = true;
            self.opener.start_decompression();
        }
    }

    /// Starts a key exchange when either direction's keys are used up.
    ///
    /// Not before a user is in: with `zlib@openssh.com` the server takes what follows its USERAUTH_SUCCESS
    /// for compressed, and our KEXINIT might cross that message. Login limits and the bound of the sequence
    /// number hold until then.
    pub fn check_limits(
        &mut self,
        sealed: Counters,
        now: Instant,
        actions: &mut Vec<TransportAction>,
    ) -> Result<(), Error> {
        if !self.decompressing {
            return Ok(());
        }
        let opened = self.opener.counters();
        self.transport
            .check_limits(sealed, opened, now, self.random.as_mut(), actions)
    }

    /// Starts a key exchange, unless one is under way.
    pub fn rekey(&mut self, now: Instant, actions: &mut Vec<TransportAction>) -> Result<(), Error> {
        self.transport.rekey(now, self.random.as_mut(), actions)
    }

    /// Server: hands in what a [`TransportAction::Sign`] has come to.
    pub fn provide_signature(
        &mut self,
        signature: Result<Vec<u8>, Error>,
        now: Instant,
        actions: &mut Vec<TransportAction>,
    ) -> Result<(), Error> {
        let random = self.random.as_mut();
        self.transport
            .provide_signature(signature, now, random, actions)
    }

    /// When the transport layer wants to be woken.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.transport.poll_timeout()
    }

    /// Lets time pass for the transport layer.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        actions: &mut Vec<TransportAction>,
    ) -> Result<(), Error> {
        self.transport
            .handle_timeout(now, self.random.as_mut(), actions)
    }

    /// What has been opened since the last change of keys.
    pub fn counters(&self) -> Counters {
        self.opener.counters()
    }

    /// Packets and bytes of all that was received so far.
    pub fn total(&self) -> Counters {
        self.opener.total()
    }

    /// The transport layer, to ask it things.
    pub fn transport(&self) -> &TransportLayer {
        &self.transport
    }

    /// Random bytes for the layers above, from the same source.
    pub fn random(&mut self) -> &mut dyn Random {
        self.random.as_mut()
    }
}

/// The payload of the packet at the front, which has no keys, if all of it is there. The packet stays as it is.
fn peek(unread: &[u8]) -> Option<Vec<u8>> {
    let mut copy = unread.get(..unread.len().min(MOST_PEEKED))?.to_vec();
    match Opener::new().open(&mut copy).ok()??.payload {
        PayloadPlace::InPlace(range) => copy.get(range).map(<[u8]>::to_vec),
        PayloadPlace::Inflated => None,
    }
}
