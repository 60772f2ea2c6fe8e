//! Payloads that wait to be sealed, in order, in one buffer.

use std::collections::VecDeque;

use zeroize::Zeroize;

use crate::codec::Writer;

/// What an entry costs beside its bytes. Replies may have one byte each: a bound that counted nothing else
/// would let a peer make us hold many times as much.
const ENTRY_BYTES: usize = std::mem::size_of::<Vec<u8>>();

/// A first-in-first-out queue of payloads. Its owner asks [`len_bytes`](Self::len_bytes) and stops reading
/// from the peer when the queue is long.
#[derive(Debug, Default)]
pub struct PayloadQueue {
    bytes: VecDeque<Vec<u8>>,
    len_bytes: usize,
}

impl PayloadQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the payload that `fill` writes: message number first.
    pub fn push(&mut self, fill: impl FnOnce(&mut Writer<'_>)) {
        self.push_vec(Writer::collect(fill));
    }

    /// Appends a payload.
    pub fn push_vec(&mut self, payload: Vec<u8>) {
        self.len_bytes += payload.len() + ENTRY_BYTES;
        self.bytes.push_back(payload);
    }

    /// Takes the oldest payload.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        let payload = self.bytes.pop_front()?;
        self.len_bytes -= payload.len() + ENTRY_BYTES;
        Some(payload)
    }

    /// Takes the oldest payload if `fits` says so.
    pub fn pop_if(&mut self, fits: impl FnOnce(&[u8]) -> bool) -> Option<Vec<u8>> {
        if fits(self.bytes.front()?) {
            self.pop()
        } else {
            None
        }
    }

    /// Puts payloads back that were taken and could not leave: before all that came since.
    pub fn put_back(&mut self, mut older: PayloadQueue) {
        older.bytes.append(&mut self.bytes);
        self.bytes = std::mem::take(&mut older.bytes);
        self.len_bytes += older.len_bytes;
    }

    /// Bytes waiting, with what it costs to keep them.
    pub fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// Whether all payloads are of a kind.
    pub fn all(&self, is_of_kind: impl Fn(&[u8]) -> bool) -> bool {
        self.bytes.iter().all(|payload| is_of_kind(payload))
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Drop for PayloadQueue {
    /// What never left may be a request with a password.
    fn drop(&mut self) {
        self.bytes.iter_mut().for_each(Zeroize::zeroize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_leave_in_order_and_are_counted() {
        let mut queue = PayloadQueue::new();
        queue.push(|w| {
            w.u8(1).u8(2);
        });
        queue.push_vec(vec![3]);
        assert_eq!(queue.len_bytes(), 3 + 2 * ENTRY_BYTES);
        assert_eq!(queue.pop(), Some(vec![1, 2]));
        assert_eq!(queue.pop(), Some(vec![3]));
        assert!(queue.is_empty());
        assert_eq!(queue.len_bytes(), 0);
    }
    #[test]
    fn what_does_not_fit_stays_in_front() {
        let mut queue = PayloadQueue::new();
        for number in 1..4 {
            queue.push_vec(vec![number]);
        }
        assert_eq!(queue.pop_if(|payload| payload == [1]), Some(vec![1]));
        assert_eq!(queue.pop_if(|payload| payload == [1]), None);
        let older = std::mem::take(&mut queue);
        queue.push_vec(vec![4]);
        queue.put_back(older);
        assert_eq!(queue.len_bytes(), 3 + 3 * ENTRY_BYTES);
        for number in 2..5 {
            assert_eq!(queue.pop(), Some(vec![number]));
        }
        assert_eq!(queue.pop_if(|_| true), None);
    }
}
