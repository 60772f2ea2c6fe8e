//! Which parts of a file are asked for ahead of a reader. No I/O.

use std::collections::VecDeque;

/// Bytes asked for ahead of the second read in a row. It doubles from there, when so many have been read.
const FIRST_WINDOW: u64 = 256 * 1024;
/// Most bytes that are asked for together. Each request by itself is a packet for the client, for the server and for whoever is
/// behind it.
const TOGETHER: u64 = 512 * 1024;
/// What part of the window that is at most: so much of it is free at times, and a long line carries less.
const TOGETHER_PART: u64 = 16;

/// A part of the file that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Chunk {
    id: u32,
    offset: u64,
    length: u32,
}

/// The window of requests ahead of a sequential reader.
///
/// Chunks are contiguous from `position`. The one at the front is what the reader needs next; its data, once
/// there, stay in `ready` until they are read. The window opens when a read continues where the last one ended,
/// doubles when the reader has used it up and still has to wait, and goes when the reader jumps. So what is asked
/// for in vain, behind the end of the file, is in proportion to what was read.
#[derive(Debug)]
pub(super) struct ReadAhead {
    /// Where the reader is.
    position: u64,
    /// Data of the front chunk, from `used` on not read yet.
    ready: Vec<u8>,
    used: usize,
    chunks: VecDeque<Chunk>,
    /// Where the next chunk begins.
    next_offset: u64,
    window: u64,
    /// Where the reader was when the window got its size.
    sized_at: u64,
    max_window: u64,
    chunk_bytes: u32,
    /// What the file is known to have had: beyond it one request at a time is enough.
    expected_end: Option<u64>,
    /// The window is being filled; else nothing is asked for until there is room for some requests together.
    filling: bool,
}

impl ReadAhead {
    pub(super) fn new(chunk_bytes: u32, max_window: u64) -> Self {
        ReadAhead {
            position: 0,
            ready: Vec::new(),
            used: 0,
            chunks: VecDeque::new(),
            next_offset: 0,
            window: 0,
            sized_at: 0,
            max_window,
            chunk_bytes: chunk_bytes.max(1),
            expected_end: None,
            filling: true,
        }
    }

    /// The whole file will be read: the window is open from the start.
    pub(super) fn expect_all(&mut self, size: Option<u64>) {
        self.set_window(FIRST_WINDOW.saturating_mul(4));
        self.expected_end = size;
    }

    /// The reader wants to go on at `position`. What was asked for and is of no use is returned.
    pub(super) fn go_to(&mut self, position: u64) -> Vec<u32> {
        if position == self.position {
            return Vec::new();
        }
        self.window = 0;
        self.drop_all(position)
    }

    /// Forgets everything ahead; the requests under way are returned.
    pub(super) fn drop_all(&mut self, position: u64) -> Vec<u32> {
        self.position = position;
        self.next_offset = position;
        self.ready.clear();
        self.used = 0;
        self.chunks.drain(..).map(|chunk| chunk.id).collect()
    }

    /// Forgets everything that was not read, and stays where it is.
    pub(super) fn drop_rest(&mut self) -> Vec<u32> {
        self.drop_all(self.position)
    }

    /// Forgets everything behind the bytes that are there.
    pub(super) fn drop_behind_ready(&mut self) -> Vec<u32> {
        let ready = self.ready.len().saturating_sub(self.used);
        self.next_offset = self
            .position
            .saturating_add(u64::try_from(ready).unwrap_or(0));
        self.chunks.drain(..).map(|chunk| chunk.id).collect()
    }

    /// Takes bytes that are there.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let rest = self.ready.get(self.used..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.used += count;
        self.position = self
            .position
            .saturating_add(u64::try_from(count).unwrap_or(0));
        count
    }

    /// Takes all bytes of the front chunk that are there, without copying where none was read.
    pub(super) fn take_ready(&mut self) -> Vec<u8> {
        let mut data = std::mem::take(&mut self.ready);
        data.drain(..self.used.min(data.len()));
        self.used = 0;
        self.position = self
            .position
            .saturating_add(u64::try_from(data.len()).unwrap_or(0));
        data
    }

    /// The buffer of the chunk that was read to its end.
    pub(super) fn take_used(&mut self) -> Option<Vec<u8>> {
        let used = !self.is_ready() && self.ready.capacity() > 0;
        used.then(|| {
            self.used = 0;
            std::mem::take(&mut self.ready)
        })
    }

    /// Whether bytes are there.
    pub(super) fn is_ready(&self) -> bool {
        self.used < self.ready.len()
    }

    /// The next part to ask for, for a reader who wants `wanted` bytes now: offset and length. To be called
    /// until it says `None`, each time followed by [`sent`](Self::sent).
    pub(super) fn next_request(&mut self, wanted: usize) -> Option<(u64, u32)> {
        let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
        let ahead = self.next_offset.saturating_sub(self.position);
        let beyond = self.expected_end.is_some_and(|end| self.next_offset >= end);
        let goal = if beyond {
            // One byte more than is there: whether the file ends here.
            u64::from(self.chunks.is_empty())
        } else {
            wanted.min(self.max_window).max(self.window)
        };
        if ahead >= goal {
            self.filling = false;
            return None;
        }
        let together = TOGETHER.min(self.window / TOGETHER_PART);
        self.filling |= ahead < wanted || goal - ahead >= together;
        if !self.filling {
            return None;
        }
        let length = if self.window == 0 {
            // Nothing says yet that what follows will be wanted.
            u32::try_from(goal - ahead).unwrap_or(u32::MAX)
        } else {
            u32::MAX
        };
        Some((self.next_offset, length.min(self.chunk_bytes)))
    }

    /// The part that [`next_request`](Self::next_request) named was asked for.
    pub(super) fn sent(&mut self, id: u32, offset: u64, length: u32) {
        self.chunks.push_back(Chunk { id, offset, length });
        self.next_offset = offset.saturating_add(u64::from(length));
    }

    /// The request whose reply is needed next.
    pub(super) fn front(&self) -> Option<u32> {
        self.chunks.front().map(|chunk| chunk.id)
    }

    /// The reader has to wait for the front: a wider window might have spared it that.
    pub(super) fn waited(&mut self) {
        let used = self.position.saturating_sub(self.sized_at);
        if self.window > 0 && used >= self.window {
            self.set_window(self.window.saturating_mul(2));
        }
    }

    fn set_window(&mut self, bytes: u64) {
        self.window = bytes.min(self.max_window);
        self.sized_at = self.position;
    }

    /// A read has been served, so that another one may follow.
    pub(super) fn served(&mut self) {
        if self.window == 0 {
            self.set_window(FIRST_WINDOW);
        }
    }

    /// The front chunk's data. A server may send less than was asked for; what is missing is returned, to be
    /// asked for and given to [`refill`](Self::refill).
    pub(super) fn filled(&mut self, data: Vec<u8>) -> Option<(u64, u32)> {
        let chunk = self.chunks.pop_front()?;
        let got = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.ready = data;
        self.used = 0;
        let missing = chunk.length.saturating_sub(got);
        (missing > 0).then(|| (chunk.offset.saturating_add(u64::from(got)), missing))
    }

    /// The missing rest of the front chunk has been asked for.
    pub(super) fn refill(&mut self, id: u32, offset: u64, length: u32) {
        self.chunks.push_front(Chunk { id, offset, length });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send_all(ahead: &mut ReadAhead, wanted: usize, next_id: &mut u32) -> Vec<(u64, u32)> {
        let mut sent = Vec::new();
        while let Some((offset, length)) = ahead.next_request(wanted) {
            ahead.sent(*next_id, offset, length);
            *next_id += 1;
            sent.push((offset, length));
        }
        sent
    }

    #[test]
    fn the_first_read_asks_for_what_is_wanted_and_the_next_for_more() {
        let mut ahead = ReadAhead::new(32_768, 1 << 20);
        let mut id = 0;
        assert_eq!(send_all(&mut ahead, 100, &mut id), [(0, 100)]);
        assert_eq!(ahead.filled(vec![7; 100]), None);
        let mut buffer = [0; 100];
        assert_eq!(ahead.read(&mut buffer), 100);
        assert_eq!(buffer, [7; 100]);
        ahead.served();
        let sent = send_all(&mut ahead, 100, &mut id);
        assert_eq!(sent.len(), 8);
        assert_eq!(sent[0], (100, 32_768));
    }

    #[test]
    fn the_window_grows_with_what_was_read() {
        let mut ahead = ReadAhead::new(32_768, 1 << 20);
        let mut id = 0;
        let mut most = 0;
        ahead.served();
        for _ in 0..100 {
            send_all(&mut ahead, 100, &mut id);
            let under_way = ahead.next_offset - ahead.position;
            assert!(under_way <= (ahead.position * 2).max(FIRST_WINDOW));
            most = most.max(under_way);
            ahead.waited();
            ahead.waited();
            ahead.filled(vec![0; 32_768]);
            ahead.take_ready();
        }
        assert_eq!(most, 1 << 20);
    }

    #[test]
    fn a_large_read_is_cut_into_chunks_at_once() {
        let mut ahead = ReadAhead::new(100, 1 << 20);
        assert_eq!(
            send_all(&mut ahead, 250, &mut 0),
            [(0, 100), (100, 100), (200, 50)]
        );
    }

    #[test]
    fn a_short_reply_is_completed_before_the_next_chunk() {
        let mut ahead = ReadAhead::new(100, 1 << 20);
        let mut id = 0;
        send_all(&mut ahead, 200, &mut id);
        assert_eq!(ahead.filled(vec![1; 30]), Some((30, 70)));
        ahead.refill(9, 30, 70);
        assert_eq!(ahead.front(), Some(9));
        assert_eq!(ahead.take_ready().len(), 30);
        assert_eq!(ahead.filled(vec![2; 70]), None);
        assert_eq!(ahead.take_ready(), [2; 70]);
        assert_eq!(ahead.front(), Some(1));
        assert_eq!(ahead.position, 100);
    }

    #[test]
    fn a_gap_that_cannot_be_asked_for_takes_what_is_behind_it_along() {
        let mut ahead = ReadAhead::new(100, 1 << 20);
        send_all(&mut ahead, 300, &mut 0);
        assert_eq!(ahead.filled(vec![1; 30]), Some((30, 70)));
        assert_eq!(ahead.drop_behind_ready(), [1, 2]);
        let mut buffer = [0; 10];
        assert_eq!(ahead.read(&mut buffer), 10);
        assert_eq!(ahead.take_ready(), [1; 20]);
        assert_eq!(send_all(&mut ahead, 100, &mut 3), [(30, 100)]);
    }

    #[test]
    fn a_jump_drops_everything() {
        let mut ahead = ReadAhead::new(100, 1 << 20);
        send_all(&mut ahead, 300, &mut 0);
        assert!(ahead.go_to(0).is_empty());
        assert_eq!(ahead.go_to(50), [0, 1, 2]);
        assert!(!ahead.is_ready());
        assert_eq!(ahead.next_request(10), Some((50, 10)));
    }

    #[test]
    fn beyond_the_known_end_one_request_is_enough() {
        let mut ahead = ReadAhead::new(100, 1 << 20);
        ahead.expect_all(Some(150));
        let sent = send_all(&mut ahead, 1000, &mut 0);
        assert_eq!(sent, [(0, 100), (100, 100)]);
        ahead.filled(vec![0; 100]);
        ahead.take_ready();
        ahead.filled(vec![0; 50]);
        ahead.take_ready();
        assert_eq!(ahead.drop_all(150), [] as [u32; 0]);
        assert_eq!(send_all(&mut ahead, 1000, &mut 5), [(150, 100)]);
    }

    #[test]
    fn an_empty_file_is_asked_for_once() {
        let mut ahead = ReadAhead::new(100, 1 << 20);
        ahead.expect_all(Some(0));
        assert_eq!(send_all(&mut ahead, 1000, &mut 0), [(0, 100)]);
    }

    #[test]
    fn requests_leave_together() {
        let mut ahead = ReadAhead::new(32_768, 1 << 20);
        ahead.expect_all(None);
        let mut id = 0;
        let count = |sent: Vec<(u64, u32)>| sent.len();
        assert_eq!(count(send_all(&mut ahead, 1, &mut id)), 32, "all of it");
        // Nothing while there is room for one, and then two at a time, a sixteenth of the window.
        for expected in [0, 2, 0, 2] {
            assert_eq!(ahead.filled(vec![0; 32_768]), None);
            assert_eq!(ahead.take_ready().len(), 32_768);
            assert_eq!(count(send_all(&mut ahead, 1, &mut id)), expected);
        }
        // Who needs more than was asked for gets it at once.
        assert_eq!(ahead.filled(vec![0; 32_768]), None);
        ahead.take_ready();
        assert_eq!(count(send_all(&mut ahead, 1 << 20, &mut id)), 1);
    }
}
