//! The queue of received bytes that nobody has read yet.

use std::collections::VecDeque;

/// Size of the memory blocks of a queue that fills. Below the allocator's threshold for mapped memory.
const BLOCK_BYTES: usize = 64 * 1024;
/// Size of the first block: most channels carry little.
const FIRST_BLOCK_BYTES: usize = 2 * 1024;

/// Bytes in blocks. Blocks are filled before a new one is made, so a peer that sends single bytes costs no more
/// memory than one that sends large messages, and given back as soon as they were read.
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

    /// Appends bytes.
    pub(super) fn push(&mut self, data: &[u8]) {
        self.len += data.len();
        let mut rest = data;
        if let Some(tail) = self.blocks.back_mut() {
            let room = tail.capacity() - tail.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            tail.extend_from_slice(now);
            rest = later;
        }
        if !rest.is_empty() {
            let usual = if self.blocks.is_empty() {
                FIRST_BLOCK_BYTES
            } else {
                BLOCK_BYTES
            };
            let mut block = Vec::with_capacity(rest.len().max(usual));
            block.extend_from_slice(rest);
            self.blocks.push_back(block);
        }
    }

    /// Moves bytes from the front into `buf` and returns how many.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(block) = self.blocks.front() {
            let available = block.get(self.head..).unwrap_or_default();
            let space = buf.get_mut(filled..).unwrap_or_default();
            let count = available.len().min(space.len());
            if let (Some(to), Some(from)) = (space.get_mut(..count), available.get(..count)) {
                to.copy_from_slice(from);
            }
            filled += count;
            if count < available.len() {
                self.head += count;
                break;
            }
            self.blocks.pop_front();
            self.head = 0;
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

#[cfg(test)]
mod tests {
    use super::*;

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
                queue.push(&pattern(written, piece));
                written += piece;
            } else {
                let mut buf = vec![0; piece];
                let got = queue.read(&mut buf);
                assert_eq!(got, piece.min(written - read));
                assert_eq!(buf[..got], pattern(read, got));
                read += got;
            }
            assert_eq!(queue.len(), written - read);
        }
    }

    #[test]
    fn an_empty_queue_holds_no_memory() {
        let mut queue = ReceiveQueue::default();
        queue.push(&[1; 300_000]);
        let mut buf = vec![0; 300_000];
        assert_eq!(queue.read(&mut buf), 300_000);
        assert_eq!(queue.blocks.capacity(), 0);
        assert!(queue.is_empty());
        assert_eq!(queue.read(&mut buf), 0);
    }

    #[test]
    fn single_bytes_share_blocks() {
        let mut queue = ReceiveQueue::default();
        for _ in 0..100_000 {
            queue.push(&[7]);
        }
        assert!(queue.blocks.len() <= 3, "{} blocks", queue.blocks.len());
    }

    #[test]
    fn append_moves_what_is_unread() {
        let mut data = ReceiveQueue::default();
        let mut stderr = ReceiveQueue::default();
        data.push(b"out");
        stderr.push(b"xxerr");
        stderr.read(&mut [0; 2]);
        data.append(&mut stderr);
        assert!(stderr.is_empty());
        let mut buf = [0; 16];
        assert_eq!(data.read(&mut buf), 6);
        assert_eq!(&buf[..6], b"outerr");
        assert_eq!(data.clear(), 0);
    }
}
