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

/// What a failed write leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hole {
    /// Where the first write that failed began: everything in front of it is in the file.
    pub(super) from: u64,
    /// Where the last write behind it that succeeded ends; `None` when there was none, and so no hole.
    pub(super) until: Option<u64>,
}

/// The window of writes under way, in the order sent.
#[derive(Debug)]
pub(super) struct WriteBehind {
    sent: VecDeque<Sent>,
    bytes: u64,
    window: u64,
    max_window: u64,
    failed_at: Option<u64>,
    /// The furthest end of a write that succeeded since the last settling.
    done_end: u64,
}

impl WriteBehind {
    pub(super) fn new(max_window: u64) -> Self {
        WriteBehind {
            sent: VecDeque::new(),
            bytes: 0,
            window: FIRST_WINDOW.min(max_window),
            max_window,
            failed_at: None,
            done_end: 0,
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
        self.failed_at.is_some()
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
        if ok {
            let end = sent.offset.saturating_add(u64::from(sent.length));
            self.done_end = self.done_end.max(end);
        } else {
            let first = self.failed_at.unwrap_or(sent.offset).min(sent.offset);
            self.failed_at = Some(first);
        }
    }

    /// All writes are confirmed: what they left, if one failed. Starts afresh.
    pub(super) fn settle(&mut self) -> Option<Hole> {
        let done_end = std::mem::take(&mut self.done_end);
        let from = self.failed_at.take()?;
        Some(Hole {
            from,
            until: (done_end > from).then_some(done_end),
        })
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
    fn a_failure_with_a_later_success_is_a_hole() {
        let mut behind = WriteBehind::new(1 << 20);
        for id in 0..4 {
            behind.sent(id, u64::from(id) * 10, 10);
        }
        behind.confirmed(true);
        behind.confirmed(false);
        behind.confirmed(true);
        behind.confirmed(false);
        assert!(behind.has_failed());
        assert_eq!(
            behind.settle(),
            Some(Hole {
                from: 10,
                until: Some(30)
            })
        );
        assert_eq!(behind.settle(), None);
    }

    #[test]
    fn a_failure_at_the_end_is_none() {
        let mut behind = WriteBehind::new(1 << 20);
        behind.sent(0, 0, 10);
        behind.sent(1, 10, 10);
        behind.confirmed(true);
        behind.confirmed(false);
        assert_eq!(
            behind.settle(),
            Some(Hole {
                from: 10,
                until: None
            })
        );
    }
}
