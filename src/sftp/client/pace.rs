//! Whether more writes under way would make a transfer faster. No I/O.
//!
//! Where a confirmation takes as long as the shortest one did, the line is the reason, and more under way fill it. Where it takes
//! longer, what is under way waits at the server: more would wait there longer, in buffers that leave its caches. `sshd` writes
//! half as fast with 16 MiB under way as with 256 KiB (`profiles.md`, "SFTP with sshd").

use std::time::{Duration, Instant};

/// On a line as long as this nothing is waited for before the window grows once more.
const LONG: Duration = Duration::from_millis(2);
/// How long the shortest time stands. Then it is measured anew with nothing else under way, for the line may have changed.
const STANDS: Duration = Duration::from_secs(30);

/// How long confirmations take.
#[derive(Debug, Default)]
pub(super) struct Pace {
    shortest: Option<Duration>,
    last: Option<Duration>,
    /// Since when the shortest is looked for.
    since: Option<Instant>,
    /// The time of `since` is over.
    is_over: bool,
    /// Bytes confirmed since the window has grown.
    confirmed: u64,
}

impl Pace {
    /// A write has been confirmed that was sent at `sent`; nothing is left under way where it `was_last`.
    pub(super) fn confirmed(&mut self, bytes: u64, sent: Instant, now: Instant, was_last: bool) {
        let took = now.saturating_duration_since(sent);
        let since = *self.since.get_or_insert(now);
        self.is_over |= now.saturating_duration_since(since) >= STANDS;
        if self.is_over && was_last {
            *self = Pace::default();
            return;
        }
        self.confirmed = self.confirmed.saturating_add(bytes);
        self.last = Some(took);
        self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
    }

    /// Whether nothing is waited for on the line but the server.
    pub(super) fn is_short(&self) -> bool {
        self.shortest.is_some_and(|shortest| shortest < LONG)
    }

    /// How many bytes keep a server busy that writes a gigabyte in a second, a byte in each nanosecond, which `sshd` does not.
    pub(super) fn keeps_busy(&self) -> Option<u64> {
        let nanoseconds = self.shortest?.as_nanos();
        Some(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// Whether all that is under way is to be confirmed first.
    pub(super) fn begins_anew(&self) -> bool {
        self.is_over
    }

    /// Whether twice the window would be of use. If so, it grows now.
    pub(super) fn may_grow(&mut self, window: u64) -> bool {
        let (Some(shortest), Some(last)) = (self.shortest, self.last) else {
            return false;
        };
        let fills_the_line = last <= shortest.saturating_add(shortest / 4);
        let may = fills_the_line && (shortest >= LONG || self.confirmed >= window);
        if may {
            self.confirmed = 0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = 256 * 1024;

    /// Confirmations of a window each, which took so many microseconds.
    fn after(times: &[u64]) -> Pace {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for time in times {
            pace.confirmed(WINDOW, start, start + Duration::from_micros(*time), false);
        }
        pace
    }

    #[test]
    fn as_long_as_the_line_is_the_reason() {
        assert!(!after(&[]).may_grow(WINDOW), "nothing is known");
        assert!(after(&[200]).may_grow(WINDOW));
        assert!(after(&[200, 250]).may_grow(WINDOW));
        assert!(!after(&[200, 251]).may_grow(WINDOW), "it waits there");
        assert!(after(&[500, 200]).may_grow(WINDOW));
        assert!(after(&[100_000, 101_000]).may_grow(WINDOW));
    }

    #[test]
    fn once_for_each_window_on_a_short_line() {
        for (time, again) in [(200, false), (100_000, true)] {
            let mut pace = after(&[time]);
            assert!(!pace.may_grow(2 * WINDOW) || again);
            assert!(pace.may_grow(WINDOW));
            assert_eq!(pace.may_grow(WINDOW), again);
        }
    }

    #[test]
    fn measured_anew_after_a_while() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let short = Duration::from_millis(10);
        pace.confirmed(WINDOW, start, start + short, false);
        let later = start + short + STANDS;
        pace.confirmed(WINDOW, later - 10 * short, later, false);
        assert!(pace.begins_anew());
        assert!(!pace.may_grow(WINDOW));
        pace.confirmed(WINDOW, later, later + 10 * short, true);
        assert!(!pace.begins_anew());
        assert!(!pace.may_grow(WINDOW), "nothing is known");
        let anew = later + 10 * short;
        pace.confirmed(WINDOW, anew, anew + 10 * short, false);
        assert!(pace.may_grow(WINDOW), "the line has become longer");
    }
}
