//! Packets in a byte stream: a uint32 length and that many bytes.

use super::number::PacketType;
use crate::codec::Writer;

/// Longest packet that is read, without its length field: what OpenSSH takes.
pub const MAX_PACKET_BYTES: usize = 256 * 1024;
const LENGTH_BYTES: usize = 4;
/// A packet holds at least its type.
const MIN_PACKET_BYTES: usize = 1;

/// A length field that no packet may have. The stream cannot be read on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bad SFTP packet length {0}")]
pub struct FrameError(pub u32);

/// Cuts the bytes of a channel into packets.
///
/// Fill it with [`space`](Self::space) and [`filled`](Self::filled), or with [`push`](Self::push), and take
/// packets with [`next`](Self::next) until it has none. It holds at most one unfinished packet and what came
/// with the last filling; the buffer grows only as far as bytes have come, or are known to come within
/// the cap.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl FrameReader {
    /// An empty reader.
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for at least `wanted` more bytes, to be filled from its front.
    pub fn space(&mut self, wanted: usize) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.buffer.len().saturating_sub(self.end) < wanted {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let needed = self.end.saturating_add(wanted);
            if self.buffer.len() < needed {
                self.buffer.resize(needed, 0);
            }
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// The first `count` bytes of the room have been filled.
    pub fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let space = self.space(bytes.len());
        if let Some(front) = space.get_mut(..bytes.len()) {
            front.copy_from_slice(bytes);
        }
        self.filled(bytes.len());
    }

    /// The next whole packet: type and all. `None` when its end has not come.
    ///
    /// # Errors
    /// [`FrameError`] for a length of 0 or above [`MAX_PACKET_BYTES`], as soon as the length has come.
    // Not an iterator: the packet borrows from the reader.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((length, rest)) = unread.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let announced = u32::from_be_bytes(*length);
        let length = usize::try_from(announced).map_err(|_| FrameError(announced))?;
        if !(MIN_PACKET_BYTES..=MAX_PACKET_BYTES).contains(&length) {
            return Err(FrameError(announced));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let from = self.start + LENGTH_BYTES;
        self.start = from + length;
        Ok(self.buffer.get(from..self.start))
    }

    /// Bytes that have come and were not taken: not 0 at end of file means that a packet was cut.
    pub fn unread(&self) -> usize {
        self.end - self.start
    }

    /// Gives back the memory while nothing is unread, so that an idle session holds none.
    pub fn shrink(&mut self) {
        if self.start == self.end {
            *self = Self::default();
        }
    }
}

/// Writes packets with their length in front.
#[derive(Debug)]
pub struct FrameWriter;

impl FrameWriter {
    /// Appends a packet whose content, type included, is written by `fill`.
    pub fn write(out: &mut Vec<u8>, fill: impl FnOnce(&mut Writer<'_>)) {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        fill(&mut Writer::new(out));
        let length = out.len().saturating_sub(start + LENGTH_BYTES);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        if let Some(field) = out.get_mut(start..start + LENGTH_BYTES) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// Appends a DATA or WRITE packet's head for `data_bytes` that the caller appends itself: length, type,
    /// and the fields in front of the data with the data's own length.
    pub fn write_head(
        out: &mut Vec<u8>,
        kind: PacketType,
        fields: impl FnOnce(&mut Writer<'_>),
        data_bytes: u32,
    ) {
        let start = out.len();
        FrameWriter::write(out, |w| {
            w.u8(kind.0);
            fields(w);
            w.u32(data_bytes);
        });
        let head = out.len().saturating_sub(start + LENGTH_BYTES);
        let whole = u32::try_from(head)
            .unwrap_or(u32::MAX)
            .saturating_add(data_bytes);
        if let Some(field) = out.get_mut(start..start + LENGTH_BYTES) {
            field.copy_from_slice(&whole.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<u8> {
        let mut out = Vec::new();
        FrameWriter::write(&mut out, |w| {
            w.u8(1).u32(3);
        });
        FrameWriter::write(&mut out, |w| {
            w.u8(2);
        });
        out
    }

    #[test]
    fn packets_come_out_at_every_split() {
        let bytes = frames();
        for split in 0..=bytes.len() {
            let mut reader = FrameReader::new();
            let mut seen = Vec::new();
            for part in [&bytes[..split], &bytes[split..]] {
                reader.push(part);
                while let Some(packet) = reader.next().unwrap() {
                    seen.push(packet.to_vec());
                }
            }
            assert_eq!(seen, [vec![1, 0, 0, 0, 3], vec![2]], "split {split}");
            assert_eq!(reader.unread(), 0);
        }
    }

    #[test]
    fn bytes_one_at_a_time() {
        let mut reader = FrameReader::new();
        let mut count = 0;
        for byte in frames() {
            reader.push(&[byte]);
            while reader.next().unwrap().is_some() {
                count += 1;
            }
        }
        assert_eq!(count, 2);
        reader.shrink();
        assert_eq!(reader.buffer.capacity(), 0);
    }

    #[test]
    fn lengths_out_of_bounds_are_refused_at_once() {
        for length in [0, 262_145, u32::MAX] {
            let mut reader = FrameReader::new();
            reader.push(&length.to_be_bytes());
            assert_eq!(reader.next(), Err(FrameError(length)));
        }
        let mut reader = FrameReader::new();
        reader.push(&262_144_u32.to_be_bytes());
        assert_eq!(reader.next(), Ok(None));
        assert!(
            reader.buffer.len() < 1024,
            "nothing allocated by the length"
        );
    }

    #[test]
    fn a_head_counts_the_data_that_follow() {
        let mut out = Vec::new();
        FrameWriter::write_head(&mut out, PacketType::DATA, |w| _ = w.u32(7), 3);
        out.extend_from_slice(b"abc");
        let mut reader = FrameReader::new();
        reader.push(&out);
        assert_eq!(
            reader.next().unwrap().unwrap(),
            b"\x67\0\0\0\x07\0\0\0\x03abc"
        );
    }
}
