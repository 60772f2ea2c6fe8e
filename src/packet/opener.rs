//! Opening and checking of incoming packets (RFC 4253 §6).

use std::ops::Range;

use super::compression::{Inflater, Stream};
use super::sequence::Sequence;
use super::{Counters, MAX_PACKET_LENGTH};
use crate::crypto::algorithms::CompressionKind;
use crate::crypto::cipher::{plain_opener, OpenPacket};
use crate::crypto::residue::{self, Depth};
use crate::error::{Error, PeerMisbehaved};

/// padding_length and the least that RFC 4253 §6 allows of padding. A payload of nothing is refused later,
/// once it is known to come from the peer.
const MIN_PACKET_LENGTH: usize = 5;
/// RFC 4253 §6: at least four bytes of padding.
const MIN_PADDING: usize = 4;

/// What opens incoming packets from the next one on.
pub struct OpenKeys {
    /// Cipher and MAC.
    pub packet: Box<dyn OpenPacket>,
    /// Compression.
    pub compression: CompressionKind,
    /// Strict key exchange: the sequence number starts again at 0.
    pub reset_sequence: bool,
}

/// Where the payload of an opened packet is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadPlace {
    /// In the buffer that was given to [`Opener::open`].
    InPlace(Range<usize>),
    /// In [`Opener::inflated`], until the next packet.
    Inflated,
}

/// A packet that passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPacket {
    /// Bytes of the buffer that the packet took, tag included.
    pub consumed: usize,
    /// Its sequence number.
    pub sequence: u32,
    /// Where its payload is: at least one byte.
    pub payload: PayloadPlace,
}

/// Takes packets from a stream, one direction of one connection.
pub struct Opener {
    packet: Box<dyn OpenPacket>,
    sequence: Sequence,
    compression: Stream<Inflater>,
    authenticated: bool,
    /// Bytes of the packet at the front with its tag, once its length was opened.
    front: Option<usize>,
    /// The packet at the front is broken, and nobody may learn how: the stream ends once the longest possible
    /// packet has come.
    doomed: bool,
    /// The fault that ended the stream: nothing behind it can be trusted.
    failed: Option<Error>,
}

impl Opener {
    /// Without protection, as a connection starts.
    pub fn new() -> Self {
        Opener {
            packet: plain_opener(),
            sequence: Sequence::new(),
            compression: Stream::Off,
            authenticated: false,
            front: None,
            doomed: false,
            failed: None,
        }
    }

    /// Opens the packet at the front of `buf`, in place. `None` means that more bytes are needed; the bytes that
    /// are there must be given again, unchanged, with more behind them, because part of them may already be
    /// decrypted.
    ///
    /// An error ends the stream: every later call returns it again.
    pub fn open(&mut self, buf: &mut [u8]) -> Result<Option<OpenedPacket>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let depth = match &self.compression {
            Stream::On(_) => Depth::Deep,
            Stream::Off | Stream::Delayed => self.packet.depth(),
        };
        let result = residue::after_packet(depth, || {
            let result = self.open_front(buf);
            if self.doomed && matches!(result, Ok(None)) {
                // The rest may have come already.
                return self.open_front(buf);
            }
            result
        });
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// What the last packet inflated to, where its place was [`PayloadPlace::Inflated`].
    pub fn inflated(&self) -> &[u8] {
        match &self.compression {
            Stream::On(inflater) => inflater.output(),
            Stream::Off | Stream::Delayed => &[],
        }
    }

    /// Wipes what the last packet inflated to. The decompressor's own window keeps it until other data take its place.
    pub fn wipe_inflated(&mut self) {
        if let Stream::On(inflater) = &mut self.compression {
            inflater.wipe_output();
        }
    }

    /// How many bytes [`open`](Self::open) needs to get further: those of the whole packet at the front once
    /// its length is known, before that those of its head. Never less than one more than `buf_len` holds.
    pub fn needed(&self, buf_len: usize) -> usize {
        let wanted = self.front.unwrap_or_else(|| self.packet.head_len());
        wanted.max(buf_len.saturating_add(1))
    }

    /// Opens everything from the next packet on with new keys. To be called right after NEWKEYS was opened.
    pub fn install(&mut self, keys: OpenKeys) {
        self.packet = keys.packet;
        self.compression = Stream::new(keys.compression, self.authenticated);
        self.sequence.rekeyed(keys.reset_sequence);
        self.front = None;
    }

    /// Authentication has succeeded: `zlib@openssh.com` begins with the next packet, now and after every
    /// later key exchange.
    pub fn start_decompression(&mut self) {
        self.authenticated = true;
        self.compression.start_delayed();
    }

    /// Packets and bytes since the keys were installed.
    pub fn counters(&self) -> Counters {
        self.sequence.counters()
    }

    /// Packets and bytes of all that was carried so far.
    pub fn total(&self) -> Counters {
        self.sequence.total()
    }

    fn open_front(&mut self, buf: &mut [u8]) -> Result<Option<OpenedPacket>, Error> {
        let Some(total) = self.front_len(buf)? else {
            return Ok(None);
        };
        let Some(packet) = buf.get_mut(..total) else {
            return Ok(None);
        };
        self.sequence.check()?;
        let sequence = self.sequence.current();
        let opened = self.packet.open(sequence, packet);
        if self.doomed {
            return Err(Error::Mac);
        }
        if opened.is_err() {
            return self.refuse();
        }
        let payload = payload_range(packet, self.packet.tag_len())?;
        self.sequence.advance(total)?;
        self.front = None;
        let place = match &mut self.compression {
            Stream::On(inflater) => {
                inflater.inflate(packet.get(payload).unwrap_or_default())?;
                PayloadPlace::Inflated
            }
            Stream::Off | Stream::Delayed => PayloadPlace::InPlace(payload),
        };
        Ok(Some(OpenedPacket {
            consumed: total,
            sequence,
            payload: place,
        }))
    }

    /// A packet has failed its check. Where its length is secret the stream goes on until as many bytes have
    /// come as the longest packet has, and then as much is decrypted and checked, whatever was wrong: a wrong
    /// length, alignment or MAC cannot be told apart from outside.
    fn refuse<T>(&mut self) -> Result<Option<T>, Error> {
        if !self.packet.length_is_secret() {
            return Err(Error::Mac);
        }
        self.doomed = true;
        self.front = Some(MAX_PACKET_LENGTH + self.packet.tag_len());
        Ok(None)
    }

    /// The length of the packet at the front, checked before anything waits for its body.
    fn front_len(&mut self, buf: &mut [u8]) -> Result<Option<usize>, Error> {
        if self.front.is_some() {
            return Ok(self.front);
        }
        let Some(head) = buf.get_mut(..self.packet.head_len()) else {
            return Ok(None);
        };
        let length = self
            .packet
            .open_length(self.sequence.current(), head)
            .map_err(|_| Error::Mac)?;
        match self.plausible(length) {
            Some(length) => self.front = Some(4 + length + self.packet.tag_len()),
            None if self.packet.length_is_secret() => {
                self.refuse::<()>()?;
            }
            None => return Err(PeerMisbehaved::PacketLength.into()),
        }
        Ok(self.front)
    }

    /// The length if a packet can have it.
    fn plausible(&self, length: u32) -> Option<usize> {
        let length = usize::try_from(length).ok()?;
        let aligned = if self.packet.length_is_aligned() {
            length.checked_add(4)?
        } else {
            length
        };
        let fits = (MIN_PACKET_LENGTH..=MAX_PACKET_LENGTH).contains(&length)
            && aligned % self.packet.block_len().max(1) == 0;
        fits.then_some(length)
    }

    #[cfg(test)]
    pub(super) fn preset(&mut self, next: u32, counters: Counters) {
        self.sequence.preset(next, counters);
    }
}

impl Default for Opener {
    fn default() -> Self {
        Self::new()
    }
}

/// The payload inside an opened packet.
fn payload_range(packet: &[u8], tag_len: usize) -> Result<Range<usize>, Error> {
    let end = packet.len().saturating_sub(tag_len);
    let padding = packet.get(4).copied().map_or(0, usize::from);
    if padding < MIN_PADDING || padding + 5 > end {
        return Err(PeerMisbehaved::PaddingLength.into());
    }
    let payload = 5..end - padding;
    if payload.is_empty() {
        return Err(PeerMisbehaved::EmptyPayload.into());
    }
    Ok(payload)
}
