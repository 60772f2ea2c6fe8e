//! Framing and sealing of outgoing packets (RFC 4253 §6).

use super::compression::{Deflater, Stream};
use super::sequence::Sequence;
use super::{Counters, MAX_PACKET_LENGTH};
use crate::crypto::algorithms::CompressionKind;
use crate::crypto::cipher::{plain_sealer, SealPacket};
use crate::crypto::residue::{self, Depth};
use crate::error::Error;

/// RFC 4253 §6: at least four bytes of padding.
const MIN_PADDING: usize = 4;
/// packet_length and padding_length.
const HEADER: usize = 5;
/// What zlib adds at most to a payload that does not compress, rounded up.
const DEFLATE_GROWTH: usize = 1024;
/// Padding comes from here: what it holds does not matter once it is encrypted, and before that there is
/// nothing to hide.
const ZEROS: [u8; 256] = [0; 256];

/// What protects outgoing packets from the next one on.
pub struct SealKeys {
    /// Cipher and MAC.
    pub packet: Box<dyn SealPacket>,
    /// Compression.
    pub compression: CompressionKind,
    /// Strict key exchange: the sequence number starts again at 0.
    pub reset_sequence: bool,
}

/// Makes packets of payloads, one direction of one connection.
pub struct Sealer {
    packet: Box<dyn SealPacket>,
    sequence: Sequence,
    compression: Stream<Deflater>,
    authenticated: bool,
}

impl Sealer {
    /// Without protection, as a connection starts.
    pub fn new() -> Self {
        Sealer {
            packet: plain_sealer(),
            sequence: Sequence::new(),
            compression: Stream::Off,
            authenticated: false,
        }
    }

    /// Appends one packet to `out`. The payload is the concatenation of `parts`, so that data need not be
    /// copied behind their header first.
    ///
    /// On an error `out` is as it was before, and the connection must end.
    pub fn seal(&mut self, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Error> {
        self.sequence.check()?;
        let start = out.len();
        let depth = match &self.compression {
            Stream::On(_) => Depth::Deep,
            Stream::Off | Stream::Delayed => self.packet.depth(),
        };
        let sealed = residue::after_packet(depth, || self.seal_one(parts, out));
        if sealed.is_err() {
            out.truncate(start);
        }
        sealed
    }

    fn seal_one(&mut self, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        match &mut self.compression {
            Stream::On(deflater) => {
                let payload = deflater.deflate(parts)?;
                frame(&*self.packet, &[payload], out)?;
            }
            Stream::Off | Stream::Delayed => frame(&*self.packet, parts, out)?,
        }
        let packet = out.get_mut(start..).unwrap_or_default();
        self.packet
            .seal(self.sequence.current(), packet)
            .map_err(|_| Error::Bug("a packet could not be sealed"))?;
        self.sequence.advance(packet.len())
    }

    /// Protects everything from the next packet on with new keys. To be called right after NEWKEYS was
    /// sealed under the old ones.
    pub fn install(&mut self, keys: SealKeys) {
        self.packet = keys.packet;
        self.compression = Stream::new(keys.compression, self.authenticated);
        self.sequence.rekeyed(keys.reset_sequence);
    }

    /// Authentication has succeeded: `zlib@openssh.com` begins with the next packet, now and after every
    /// later key exchange.
    pub fn start_compression(&mut self) {
        self.authenticated = true;
        self.compression.start_delayed();
    }

    /// Whether compression begins when authentication succeeds.
    pub fn delays_compression(&self) -> bool {
        self.compression.is_delayed()
    }

    /// Packets and bytes since the keys were installed.
    pub fn counters(&self) -> Counters {
        self.sequence.counters()
    }

    /// Packets and bytes of all that was carried so far.
    pub fn total(&self) -> Counters {
        self.sequence.total()
    }

    /// The sequence number of the next packet.
    pub fn sequence(&self) -> u32 {
        self.sequence.current()
    }

    /// The most bytes by which a packet is longer than its payload.
    pub fn max_overhead(&self) -> usize {
        let deflate = match self.compression {
            Stream::On(_) => DEFLATE_GROWTH,
            Stream::Off | Stream::Delayed => 0,
        };
        HEADER + MIN_PADDING + self.packet.block_len() + self.packet.tag_len() + deflate
    }

    #[cfg(test)]
    pub(super) fn preset(&mut self, next: u32, counters: Counters) {
        self.sequence.preset(next, counters);
    }
}

impl Default for Sealer {
    fn default() -> Self {
        Self::new()
    }
}

/// Appends the plain packet and room for the tag.
fn frame(packet: &dyn SealPacket, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Error> {
    let payload_len: usize = parts.iter().map(|part| part.len()).sum();
    let aligned = if packet.length_is_aligned() {
        HEADER
    } else {
        HEADER - 4
    };
    let block = packet.block_len().max(1);
    let excess = (aligned + payload_len + MIN_PADDING) % block;
    let padding_len = MIN_PADDING + if excess == 0 { 0 } else { block - excess };
    let packet_len = 1 + payload_len + padding_len;
    let (Ok(length), Ok(padding), true) = (
        u32::try_from(packet_len),
        u8::try_from(padding_len),
        packet_len <= MAX_PACKET_LENGTH && payload_len > 0,
    ) else {
        return Err(Error::Bug("a payload of forbidden length"));
    };
    let tag_len = packet.tag_len();
    out.reserve(4 + packet_len + tag_len);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(padding);
    for part in parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(ZEROS.get(..padding_len).unwrap_or(&ZEROS));
    out.resize(out.len() + tag_len, 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_packets_have_the_form_of_rfc_4253() {
        let mut sealer = Sealer::new();
        for length in 1..200 {
            let payload = vec![9; length];
            let mut out = b"before".to_vec();
            sealer
                .seal(&[&payload[..1], &payload[1..]], &mut out)
                .unwrap();
            let packet = &out[6..];
            let packet_length = u32::from_be_bytes(packet[..4].try_into().unwrap()) as usize;
            let padding = usize::from(packet[4]);
            assert_eq!(packet.len(), 4 + packet_length);
            assert_eq!(packet.len() % 8, 0);
            assert!(packet.len() >= 16);
            assert!((4..=255).contains(&padding));
            assert_eq!(packet_length, 1 + length + padding);
            assert_eq!(&packet[5..5 + length], &payload[..]);
            assert!(packet.len() <= length + sealer.max_overhead());
        }
        assert_eq!(sealer.sequence(), 199);
        assert_eq!(sealer.counters().packets, 199);
    }

    #[test]
    fn forbidden_lengths_leave_the_output_alone() {
        let mut sealer = Sealer::new();
        let mut out = vec![1, 2];
        assert!(sealer.seal(&[], &mut out).is_err());
        assert!(sealer
            .seal(&[&vec![0; MAX_PACKET_LENGTH]], &mut out)
            .is_err());
        assert_eq!(out, [1, 2]);
        assert_eq!(sealer.sequence(), 0);
    }
}
