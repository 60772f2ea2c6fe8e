//! Writes that were sent and not confirmed yet. No I/O.

use std::collections::VecDeque;

/// Bytes under way at first; doubles each time a writer had to wait.
const FIRST_WINDOW: u64 = 1024 * 1024;

#[derive(Debug, Clone, Copy)]
struct Sent {
    id: u32,
    offset: u64,
    length: u32,
}

/// Where writes have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// Where the first write that failed began: everything in front of it is in the file.
    pub(super) from: u64,
    /// Where that write would have ended. A part of it may be there; what lies behind it was written later.
    pub(super) until: u64,
    /// Where the last write would have ended, whatever came of it.
    pub(super) last_end: u64,
}

impl Failure {
    /// Whether something may have been written behind the gap.
    pub(super) fn may_leave_hole(&self) -> bool {
        self.last_end > self.until
    }
}

/// The window of writes under way, in the order sent.
#[derive(Debug)]
pub(super) struct WriteBehind {
    sent: VecDeque<Sent>,
    bytes: u64,
    window: u64,
    max_window: u64,
    /// Where the first write that failed began and would have ended.
    failed: Option<(u64, u64)>,
    /// The furthest end of a write since the last settling.
    last_end: u64,
}

impl WriteBehind {
    pub(super) fn new(max_window: u64) -> Self {
        WriteBehind {
            sent: VecDeque::new(),
            bytes: 0,
            window: FIRST_WINDOW.min(max_window),
            max_window,
            failed: None,
            last_end: 0,
        }
    }

    /// Whether another write may be sent before one is confirmed.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < self.window || self.sent.is_empty()
    }

    /// Whether no write is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether a write failed that has not been settled.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// A write was sent.
    pub(super) fn sent(&mut self, id: u32, offset: u64, length: u32) {
        self.sent.push_back(Sent { id, offset, length });
        self.bytes = self.bytes.saturating_add(u64::from(length));
    }

    /// The oldest write under way.
    pub(super) fn front(&self) -> Option<u32> {
        self.sent.front().map(|sent| sent.id)
    }

    /// The writer has to wait for the oldest write.
    pub(super) fn waited(&mut self) {
        self.window = self.window.saturating_mul(2).min(self.max_window);
    }

    /// The oldest write was confirmed, or failed.
    pub(super) fn confirmed(&mut self, ok: bool) {
        let Some(sent) = self.sent.pop_front() else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(u64::from(sent.length));
        let end = sent.offset.saturating_add(u64::from(sent.length));
        self.last_end = self.last_end.max(end);
        if !ok && self.failed.is_none_or(|(from, _)| sent.offset < from) {
            self.failed = Some((sent.offset, end));
        }
    }

    /// Where writes have failed since the last settling.
    pub(super) fn failure(&self) -> Option<Failure> {
        let (from, until) = self.failed?;
        Some(Failure {
            from,
            until,
            last_end: self.last_end,
        })
    }

    /// All writes are confirmed, and what a failure left has been seen to: starts afresh.
    pub(super) fn settled(&mut self) {
        self.failed = None;
        self.last_end = 0;
    }

    /// Forgets the writes under way, for a session that has ended.
    pub(super) fn drop_all(&mut self) -> Vec<u32> {
        self.bytes = 0;
        self.sent.drain(..).map(|sent| sent.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_bounds_and_grows() {
        let mut behind = WriteBehind::new(4 * 1024 * 1024);
        let mut id = 0;
        while behind.has_room() {
            behind.sent(id, u64::from(id) * 32_768, 32_768);
            id += 1;
        }
        assert_eq!(id, 32);
        behind.waited();
        assert!(behind.has_room());
        behind.waited();
        behind.waited();
        while behind.has_room() {
            behind.sent(id, u64::from(id) * 32_768, 32_768);
            id += 1;
        }
        assert_eq!(id, 128);
        behind.confirmed(true);
        assert!(behind.has_room());
    }

    #[test]
    fn a_failure_with_a_later_write_may_leave_a_hole() {
        let mut behind = WriteBehind::new(1 << 20);
        for id in 0..4 {
            behind.sent(id, u64::from(id) * 10, 10);
        }
        for ok in [true, false, true, false] {
            behind.confirmed(ok);
        }
        assert!(behind.has_failed());
        let failure = behind.failure().unwrap();
        assert_eq!(
            failure,
            Failure {
                from: 10,
                until: 20,
                last_end: 40
            }
        );
        assert!(failure.may_leave_hole());
        behind.settled();
        assert_eq!(behind.failure(), None);
    }

    #[test]
    fn a_failure_at_the_end_leaves_none() {
        let mut behind = WriteBehind::new(1 << 20);
        behind.sent(0, 0, 10);
        behind.sent(1, 10, 10);
        behind.confirmed(true);
        behind.confirmed(false);
        assert!(!behind.failure().unwrap().may_leave_hole());
    }
}
