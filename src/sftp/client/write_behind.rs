//! Writes that were sent and not confirmed yet. No I/O.

use std::collections::VecDeque;
use std::time::Instant;

use super::pace::Pace;

/// Writes under way at first; twice as many each time a writer had to wait, if that is of use.
const FIRST_WRITES: u64 = 4;
/// Bytes under way at first, at least.
const FIRST_WINDOW: u64 = 256 * 1024;
/// Bytes that a server which has its files behind a pipe may always have: on a line of no length it is fastest with no more
/// (`profiles.md`, "What sshd is asked for").
const PIPED_WINDOW: u64 = 512 * 1024;

#[derive(Debug, Clone, Copy)]
struct Sent {
    id: u32,
    offset: u64,
    length: u32,
    at: Instant,
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
    pace: Pace,
    /// The server has its files behind a pipe.
    piped: bool,
    /// The window was full, and is not filled again before half of it is free.
    drains: bool,
    /// Where the first write that failed began and would have ended.
    failed: Option<(u64, u64)>,
    /// The furthest end of a write since the last settling.
    last_end: u64,
}

impl WriteBehind {
    /// For writes of so many bytes to a server that has its files behind a pipe, or has them at hand.
    pub(super) fn new(max_window: u64, write_bytes: u32, piped: bool) -> Self {
        let first = u64::from(write_bytes).saturating_mul(FIRST_WRITES);
        WriteBehind {
            sent: VecDeque::new(),
            bytes: 0,
            window: first.max(FIRST_WINDOW).min(max_window),
            max_window,
            pace: Pace::default(),
            piped,
            drains: false,
            failed: None,
            last_end: 0,
        }
    }

    /// Whether another write may be sent before one is confirmed.
    pub(super) fn has_room(&self) -> bool {
        let window = self.useful_window();
        let room = if self.drains { window / 2 } else { window };
        let fits = self.bytes < room && !self.pace.begins_anew();
        fits || self.sent.is_empty()
    }

    /// The window, without what would only lie in the pipe.
    fn useful_window(&self) -> u64 {
        let busy = self.pace.keeps_busy().filter(|_| self.piped);
        busy.map_or(self.window, |bytes| {
            self.window.min(bytes.max(PIPED_WINDOW))
        })
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
    pub(super) fn sent(&mut self, id: u32, offset: u64, length: u32, at: Instant) {
        self.sent.push_back(Sent {
            id,
            offset,
            length,
            at,
        });
        self.drains = false;
        self.bytes = self.bytes.saturating_add(u64::from(length));
    }

    /// The oldest write under way.
    pub(super) fn front(&self) -> Option<u32> {
        self.sent.front().map(|sent| sent.id)
    }

    /// The writer has to wait for the oldest write.
    pub(super) fn waited(&mut self) {
        // Whoever is behind the pipe is woken for each write that comes alone, and the writer for each confirmation.
        self.drains = self.piped && self.pace.is_short();
        if self.window < self.max_window && self.pace.may_grow(self.window) {
            self.window = self.window.saturating_mul(2).min(self.max_window);
        }
    }

    /// The oldest write was confirmed, or failed.
    pub(super) fn confirmed(&mut self, ok: bool, now: Instant) {
        let Some(sent) = self.sent.pop_front() else {
            return;
        };
        let was_last = self.sent.is_empty();
        self.pace
            .confirmed(u64::from(sent.length), sent.at, now, was_last);
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
    use std::time::Duration;

    /// Sends writes as long as there is room; says how many.
    fn fill(behind: &mut WriteBehind, at: Instant) -> u32 {
        let mut count = 0;
        while behind.has_room() {
            behind.sent(count, 0, 32_768, at);
            count += 1;
        }
        count
    }

    #[test]
    fn the_window_bounds_and_grows() {
        let mut behind = WriteBehind::new(1024 * 1024, 32_768, false);
        let start = Instant::now();
        let trip = Duration::from_millis(100);
        assert_eq!(fill(&mut behind, start), 8);
        behind.waited();
        assert!(!behind.has_room(), "nothing is known of the line");
        behind.confirmed(true, start + trip);
        behind.waited();
        assert_eq!(fill(&mut behind, start + trip), 9);
        for _ in 0..3 {
            behind.waited();
        }
        assert_eq!(fill(&mut behind, start + trip), 16, "all that may be");
    }

    #[test]
    fn what_waits_at_the_server_does_not_become_more() {
        let mut behind = WriteBehind::new(1024 * 1024, 32_768, false);
        let start = Instant::now();
        fill(&mut behind, start);
        // One after another, each a while after the one before.
        for number in 1..100 {
            let now = start + number * Duration::from_micros(100);
            behind.confirmed(true, now);
            behind.waited();
            fill(&mut behind, now);
        }
        assert!(behind.bytes <= 2 * FIRST_WINDOW, "{}", behind.bytes);
    }

    /// Confirms one write after another, a while after the one before, and a trip after it was sent. Says how many bytes were
    /// under way at most, and how few were when more were sent, once the window has its size.
    fn under_way(behind: &mut WriteBehind, each: Duration, trip: Duration) -> (u64, u64) {
        let mut now = Instant::now();
        fill(behind, now);
        let (mut most, mut least) = (0, u64::MAX);
        for number in 0..200 {
            let sent = behind.sent.front().unwrap().at;
            now = (now + each).max(sent + trip);
            behind.waited();
            behind.confirmed(true, now);
            let before = behind.bytes;
            if fill(behind, now) > 0 && number >= 100 {
                least = least.min(before);
            }
            most = most.max(behind.bytes);
        }
        (most, least)
    }

    const EACH: Duration = Duration::from_micros(100);
    const NO_TIME: Duration = Duration::ZERO;

    #[test]
    fn half_of_the_window_at_a_time_for_who_pipes_files() {
        let mut behind = WriteBehind::new(16 << 20, 32_768, true);
        let (most, least) = under_way(&mut behind, EACH, NO_TIME);
        assert!(most <= 2 * FIRST_WINDOW, "{most}");
        assert!(least < most / 2, "{least} of {most}");
    }

    #[test]
    fn one_write_for_each_confirmation_for_others() {
        let mut behind = WriteBehind::new(16 << 20, 32_768, false);
        let (most, least) = under_way(&mut behind, EACH, NO_TIME);
        assert_eq!(least, most - 32_768);
    }

    #[test]
    fn a_long_line_is_kept_full() {
        let mut behind = WriteBehind::new(1 << 20, 32_768, true);
        let trip = Duration::from_millis(50);
        let (most, least) = under_way(&mut behind, NO_TIME, trip);
        assert_eq!((most, least), (1 << 20, (1 << 20) - 32_768));
    }

    #[test]
    fn what_would_only_lie_in_the_pipe_is_taken_back() {
        let mut behind = WriteBehind::new(16 << 20, 32_768, true);
        let now = Instant::now();
        // The first confirmations take as long as a server does that has just begun.
        for (trip, window) in [(5_000, 4 << 20), (900, 900_000), (200, PIPED_WINDOW)] {
            behind.window = 4 << 20;
            behind.sent(0, 0, 32_768, now);
            behind.confirmed(true, now + Duration::from_micros(trip));
            assert_eq!(behind.useful_window(), window);
        }
        let mut other = WriteBehind::new(16 << 20, 32_768, false);
        other.window = 4 << 20;
        other.sent(0, 0, 32_768, now);
        other.confirmed(true, now + Duration::from_micros(200));
        assert_eq!(other.useful_window(), 4 << 20);
    }

    #[test]
    fn four_writes_at_first() {
        let mut behind = WriteBehind::new(16 << 20, 255 * 1024, false);
        assert_eq!(fill(&mut behind, Instant::now()), 32);
        let mut behind = WriteBehind::new(100_000, 255 * 1024, false);
        assert_eq!(fill(&mut behind, Instant::now()), 4);
    }

    #[test]
    fn a_failure_with_a_later_write_may_leave_a_hole() {
        let mut behind = WriteBehind::new(1 << 20, 10, false);
        let now = Instant::now();
        for id in 0..4 {
            behind.sent(id, u64::from(id) * 10, 10, now);
        }
        for ok in [true, false, true, false] {
            behind.confirmed(ok, now);
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
        let mut behind = WriteBehind::new(1 << 20, 10, false);
        let now = Instant::now();
        behind.sent(0, 0, 10, now);
        behind.sent(1, 10, 10, now);
        behind.confirmed(true, now);
        behind.confirmed(false, now);
        assert!(!behind.failure().unwrap().may_leave_hole());
    }
}
