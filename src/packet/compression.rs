//! Compression of payloads (RFC 4253 §6.2): one zlib stream per direction and set of keys.

use flate2::{Compress, Compression as Level, Decompress, FlushCompress, FlushDecompress, Status};
use zeroize::Zeroize;

use super::MAX_PACKET_LENGTH;
use crate::crypto::algorithms::CompressionKind;
use crate::error::Error;

/// Output is grown by this much at a time, so that a small packet costs little.
const STEP: usize = 16 * 1024;

/// Where one direction stands with a compression algorithm.
pub(super) enum Stream<T> {
    /// Payloads pass as they are.
    Off,
    /// `zlib@openssh.com` before the end of authentication.
    Delayed,
    /// Every payload passes through the stream.
    On(Box<T>),
}

impl<T: Default> Stream<T> {
    /// The stream for new keys. RFC 4253 §6.2: the context is initialized after each key exchange.
    pub(super) fn new(kind: CompressionKind, authenticated: bool) -> Self {
        match kind {
            CompressionKind::None => Stream::Off,
            CompressionKind::DelayedZlib if !authenticated => Stream::Delayed,
            CompressionKind::DelayedZlib | CompressionKind::Zlib => Stream::On(Box::default()),
        }
    }

    /// Whether compression begins when authentication succeeds.
    pub(super) fn is_delayed(&self) -> bool {
        matches!(self, Stream::Delayed)
    }

    /// Authentication has succeeded.
    pub(super) fn start_delayed(&mut self) {
        if self.is_delayed() {
            *self = Stream::On(Box::default());
        }
    }
}

/// The compressing end of a direction.
pub(super) struct Deflater {
    stream: Compress,
    output: Vec<u8>,
}

impl Default for Deflater {
    fn default() -> Self {
        Deflater {
            stream: Compress::new(Level::default(), true),
            output: Vec::new(),
        }
    }
}

impl Deflater {
    /// Compresses the concatenation of `parts` up to a flush point.
    pub(super) fn deflate(&mut self, parts: &[&[u8]]) -> Result<&[u8], Error> {
        self.output.clear();
        let count = parts.len();
        for (index, part) in parts.iter().enumerate() {
            // RFC 4253 §6.2: a partial flush, so that the peer can read this packet before the next.
            let flush = if index + 1 == count {
                FlushCompress::Partial
            } else {
                FlushCompress::None
            };
            self.deflate_part(part, flush)?;
        }
        Ok(&self.output)
    }

    fn deflate_part(&mut self, part: &[u8], flush: FlushCompress) -> Result<(), Error> {
        let mut rest = part;
        loop {
            self.output.reserve(STEP);
            let before = self.stream.total_in();
            self.stream
                .compress_vec(rest, &mut self.output, flush)
                .map_err(|_| Error::Compression)?;
            let used = usize::try_from(self.stream.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(used..).unwrap_or_default();
            // Room that was left over means that nothing more is waiting inside the stream.
            if rest.is_empty() && self.output.len() < self.output.capacity() {
                return Ok(());
            }
        }
    }
}

/// The decompressing end of a direction.
pub(super) struct Inflater {
    stream: Decompress,
    output: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Self {
        Inflater {
            stream: Decompress::new(true),
            output: Vec::new(),
        }
    }
}

impl Inflater {
    /// What the last packet inflated to.
    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    /// Wipes it.
    pub(super) fn wipe_output(&mut self) {
        self.output.zeroize();
    }

    /// Decompresses one packet. The output never grows past the largest packet by more than a step, so a
    /// packet that would inflate to gigabytes costs no more than a fair one.
    pub(super) fn inflate(&mut self, packet: &[u8]) -> Result<(), Error> {
        self.output.clear();
        let mut rest = packet;
        loop {
            self.output.reserve(STEP);
            let before = self.stream.total_in();
            let length = self.output.len();
            let status = self
                .stream
                .decompress_vec(rest, &mut self.output, FlushDecompress::Sync)
                .map_err(|_| Error::Compression)?;
            let used = usize::try_from(self.stream.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(used..).unwrap_or_default();
            if self.output.len() > MAX_PACKET_LENGTH {
                return Err(Error::Compression);
            }
            // The stream lasts as long as the keys: an end inside a packet is a fault.
            if status == Status::StreamEnd {
                return Err(Error::Compression);
            }
            if rest.is_empty() && self.output.len() < self.output.capacity() {
                break;
            }
            if used == 0 && self.output.len() == length {
                return Err(Error::Compression);
            }
        }
        // Every payload has at least its message number; data cut off before the first byte have none.
        if self.output.is_empty() {
            return Err(Error::Compression);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_persist_across_packets() {
        let (mut deflater, mut inflater) = (Deflater::default(), Inflater::default());
        let text = b"the same words again and again, the same words";
        let mut sizes = Vec::new();
        for _ in 0..5 {
            let packet = deflater.deflate(&[&text[..10], &text[10..]]).unwrap();
            sizes.push(packet.len());
            inflater.inflate(packet).unwrap();
            assert_eq!(inflater.output(), text);
        }
        assert!(sizes[1] < sizes[0], "{sizes:?}");
    }

    #[test]
    fn large_and_incompressible_payloads() {
        let (mut deflater, mut inflater) = (Deflater::default(), Inflater::default());
        let mut state = 1u32;
        let noise: Vec<u8> = (0..200_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        for payload in [&noise[..], &vec![7; MAX_PACKET_LENGTH], &noise[..1]] {
            let packet = deflater.deflate(&[payload]).unwrap();
            inflater.inflate(packet).unwrap();
            assert!(inflater.output() == payload);
        }
    }

    #[test]
    fn p9_bomb_is_refused_at_the_cap() {
        let mut deflater = Deflater::default();
        let bomb = deflater.deflate(&[&vec![0; 200 << 20]]).unwrap().to_vec();
        assert!(bomb.len() < MAX_PACKET_LENGTH);
        let mut inflater = Inflater::default();
        assert_eq!(inflater.inflate(&bomb), Err(Error::Compression));
        assert!(inflater.output.capacity() <= MAX_PACKET_LENGTH * 2);
    }

    #[test]
    fn p9_corrupt_truncated_and_dictionary_streams() {
        let mut deflater = Deflater::default();
        let good = deflater.deflate(&[&[b'a'; 1000]]).unwrap().to_vec();
        assert_eq!(
            Inflater::default().inflate(&good[..2]),
            Err(Error::Compression)
        );
        assert_eq!(Inflater::default().inflate(&[]), Err(Error::Compression));
        let mut bad = good.clone();
        bad[0] ^= 0xff;
        assert_eq!(Inflater::default().inflate(&bad), Err(Error::Compression));
        // RFC 1950 §2.2: FDICT set, header check right.
        assert_eq!(
            Inflater::default().inflate(&[0x78, 0xbb, 1, 2, 3, 4]),
            Err(Error::Compression)
        );
        let mut ended = Vec::with_capacity(1000);
        let mut compress = Compress::new(Level::default(), true);
        compress
            .compress_vec(b"abc", &mut ended, FlushCompress::Finish)
            .unwrap();
        assert_eq!(Inflater::default().inflate(&ended), Err(Error::Compression));
    }

    #[test]
    fn p9_hundredfold_below_the_cap_is_delivered() {
        let mut deflater = Deflater::default();
        let payload = vec![b'x'; 100_000];
        let packet = deflater.deflate(&[&payload]).unwrap();
        assert!(packet.len() * 100 <= payload.len());
        let mut inflater = Inflater::default();
        inflater.inflate(packet).unwrap();
        assert_eq!(inflater.output(), payload);
    }

    #[test]
    fn delayed_compression_starts_at_authentication() {
        let mut stream = Stream::<Deflater>::new(CompressionKind::DelayedZlib, false);
        assert!(matches!(stream, Stream::Delayed));
        stream.start_delayed();
        assert!(matches!(stream, Stream::On(_)));
        let stream = Stream::<Deflater>::new(CompressionKind::DelayedZlib, true);
        assert!(matches!(stream, Stream::On(_)));
        let mut off = Stream::<Deflater>::new(CompressionKind::None, true);
        off.start_delayed();
        assert!(matches!(off, Stream::Off));
    }
}
