//! The queue of received bytes that nobody has read yet.

use std::collections::VecDeque;

use crate::connection::types::{DataSink, BLOCK_BYTES};

/// Size of the first block: most channels carry little.
const FIRST_BLOCK_BYTES: usize = 2 * 1024;
/// So much data at once come into a whole block, though it be the first.
const LARGE_BYTES: usize = BLOCK_BYTES / 2;

/// Bytes in blocks. Blocks are filled before a new one is made, so a peer that sends single bytes costs no more
/// memory than one that sends large messages, and given back as soon as they were read and copied.
///
/// The queue has no bound of its own: the window is the bound, and it is checked before bytes get here.
#[derive(Debug, Default)]
pub(super) struct ReceiveQueue {
    blocks: VecDeque<Vec<u8>>,
    /// Bytes of the first block that were read already.
    head: usize,
    len: usize,
}

impl ReceiveQueue {
    /// Bytes queued.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is queued.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends bytes, in blocks from `sink` where they are many.
    pub(super) fn push(&mut self, data: &[u8], sink: &mut dyn DataSink) {
        self.len += data.len();
        let mut rest = data;
        if let Some(tail) = self.blocks.back_mut() {
            let room = tail.capacity() - tail.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            tail.extend_from_slice(now);
            rest = later;
        }
        while !rest.is_empty() {
            let mut block = if self.blocks.is_empty() && rest.len() < LARGE_BYTES {
                Vec::with_capacity(rest.len().max(FIRST_BLOCK_BYTES))
            } else {
                sink.block()
            };
            let (now, later) = rest.split_at(BLOCK_BYTES.min(rest.len()));
            block.extend_from_slice(now);
            self.blocks.push_back(block);
            rest = later;
        }
    }

    /// Moves bytes from the front into `buf` and returns how many. Blocks of full size that fit as they are go to `whole`, to
    /// be copied to `buf` later.
    pub(super) fn read(&mut self, buf: &mut [u8], whole: &mut WholeBlocks) -> usize {
        let mut filled = 0;
        while let Some(block) = self.blocks.front() {
            let available = block.get(self.head..).unwrap_or_default();
            let space = buf.get_mut(filled..).unwrap_or_default();
            if space.len() < available.len() {
                let (now, _) = available.split_at(space.len());
                space.copy_from_slice(now);
                self.head += now.len();
                filled += now.len();
                break;
            }
            let (to, count) = (filled, available.len());
            filled += count;
            let is_full_size = block.capacity() >= BLOCK_BYTES;
            if let (false, Some((now, _))) = (is_full_size, space.split_at_mut_checked(count)) {
                now.copy_from_slice(available);
            }
            let from = std::mem::take(&mut self.head);
            let block = self.blocks.pop_front().unwrap_or_default();
            if is_full_size {
                whole.blocks.push(WholeBlock { block, from, to });
            }
        }
        self.len -= filled;
        if self.len == 0 {
            // Gives the list of blocks back too: an idle channel holds no memory for data.
            self.blocks = VecDeque::new();
        }
        filled
    }

    /// Throws everything away and returns how much it was.
    pub(super) fn clear(&mut self) -> usize {
        let dropped = self.len;
        *self = Self::default();
        dropped
    }

    /// Moves all bytes of `other` behind ours.
    pub(super) fn append(&mut self, other: &mut ReceiveQueue) {
        let mut other = std::mem::take(other);
        if let Some(first) = other.blocks.front_mut() {
            first.drain(..other.head.min(first.len()));
        }
        self.len += other.len;
        self.blocks.append(&mut other.blocks);
    }
}

/// Blocks that have left a queue and are not copied yet: that is done when no lock is held.
#[derive(Debug, Default)]
#[must_use = "these bytes have left the queue"]
pub struct WholeBlocks {
    blocks: Vec<WholeBlock>,
}

#[derive(Debug)]
struct WholeBlock {
    block: Vec<u8>,
    /// How many of its bytes were read before.
    from: usize,
    /// Their place in the reader's buffer.
    to: usize,
}

impl WholeBlocks {
    /// Copies them into the buffer for which they were taken. `keep` gets each block, with anything in it, and may have it
    /// for [`DataSink::block`].
    pub fn copy_to(self, buf: &mut [u8], mut keep: impl FnMut(Vec<u8>)) {
        for WholeBlock { block, from, to } in self.blocks {
            let bytes = block.get(from..).unwrap_or_default();
            let space = buf.get_mut(to..).unwrap_or_default();
            match space.split_at_mut_checked(bytes.len()) {
                Some((now, _)) => now.copy_from_slice(bytes),
                None => debug_assert!(false, "another buffer"),
            }
            keep(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::types::NoSink;

    fn take(queue: &mut ReceiveQueue, buf: &mut [u8]) -> usize {
        let mut whole = WholeBlocks::default();
        let count = queue.read(buf, &mut whole);
        whole.copy_to(buf, drop);
        count
    }

    fn pattern(from: usize, count: usize) -> Vec<u8> {
        (from..from + count).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn bytes_come_out_in_order_whatever_the_pieces() {
        let mut queue = ReceiveQueue::default();
        let (mut written, mut read) = (0, 0);
        let mut seed = 1usize;
        for _ in 0..5000 {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let piece = (seed >> 33) % 5000;
            if seed >> 63 == 0 {
                queue.push(&pattern(written, piece), &mut NoSink);
                written += piece;
            } else {
                let mut buf = vec![0; piece];
                let got = take(&mut queue, &mut buf);
                assert_eq!(got, piece.min(written - read));
                assert_eq!(buf[..got], pattern(read, got));
                read += got;
            }
            assert_eq!(queue.len(), written - read);
        }
    }

    #[test]
    fn blocks_are_read_whole_and_in_part() {
        let mut queue = ReceiveQueue::default();
        queue.push(&pattern(0, 1_000), &mut NoSink);
        queue.push(&pattern(1_000, 200_000), &mut NoSink);
        let mut start = [0; 10];
        assert_eq!(take(&mut queue, &mut start), 10);
        let mut read = start.to_vec();
        for size in [990, 70_000, 40_000, 65_536, 100_000] {
            let mut buf = vec![0; size];
            let count = take(&mut queue, &mut buf);
            read.extend_from_slice(&buf[..count]);
        }
        assert_eq!(read, pattern(0, 201_000));
        assert!(queue.is_empty());
    }

    #[test]
    fn an_empty_queue_holds_no_memory() {
        let mut queue = ReceiveQueue::default();
        queue.push(&[1; 300_000], &mut NoSink);
        let mut buf = vec![0; 300_000];
        assert_eq!(take(&mut queue, &mut buf), 300_000);
        assert_eq!(queue.blocks.capacity(), 0);
        assert!(queue.is_empty());
        assert_eq!(take(&mut queue, &mut buf), 0);
    }

    #[test]
    fn single_bytes_share_blocks() {
        let mut queue = ReceiveQueue::default();
        for _ in 0..100_000 {
            queue.push(&[7], &mut NoSink);
        }
        assert!(queue.blocks.len() <= 3, "{} blocks", queue.blocks.len());
    }

    #[test]
    fn append_moves_what_is_unread() {
        let mut data = ReceiveQueue::default();
        let mut stderr = ReceiveQueue::default();
        data.push(b"out", &mut NoSink);
        stderr.push(b"xxerr", &mut NoSink);
        take(&mut stderr, &mut [0; 2]);
        data.append(&mut stderr);
        assert!(stderr.is_empty());
        let mut buf = [0; 16];
        assert_eq!(take(&mut data, &mut buf), 6);
        assert_eq!(&buf[..6], b"outerr");
        assert_eq!(data.clear(), 0);
    }
}
