//! Keepalive: a global request now and then, and the counting of missed replies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pool::Job;
use crate::connection::GlobalRequestId;

/// Told after each reply (round-trip time) and each missed one (how many in a row).
pub type KeepaliveCallback = Arc<dyn Fn(Option<Duration>, u32) + Send + Sync>;

/// The name OpenSSH uses; every server replies to it, if only with a failure.
pub(crate) const KEEPALIVE_REQUEST: &str = "keepalive@openssh.com";

/// State of the keepalive of one transport. Off by default.
#[derive(Default)]
pub(crate) struct Keepalive {
    interval: Option<Duration>,
    /// Missed replies in a row that end the transport; 0 never does.
    max_missed: u32,
    callback: Option<KeepaliveCallback>,
    next: Option<Instant>,
    /// Requests without a reply yet; as many as were missed, and one.
    waiting: Vec<(GlobalRequestId, Instant)>,
    missed: u32,
    round_trip: Option<Duration>,
}

/// What the clock asks for.
pub(crate) enum Due {
    Nothing,
    /// Send a request and hand its number to [`Keepalive::sent`]; tell the application of a miss first.
    Send(Option<Job>),
    /// The peer is dead.
    Dead(Option<Job>),
}

impl Keepalive {
    /// Sets all of it. Who was told before is handed back, to be dropped where no lock is held: it is the application's.
    #[must_use]
    pub(crate) fn set(
        &mut self,
        interval: Duration,
        max_missed: u32,
        callback: Option<KeepaliveCallback>,
        now: Instant,
    ) -> Option<KeepaliveCallback> {
        self.interval = (!interval.is_zero()).then_some(interval);
        self.max_missed = max_missed;
        self.missed = 0;
        self.waiting.clear();
        self.next = self.interval.and_then(|interval| now.checked_add(interval));
        std::mem::replace(&mut self.callback, callback)
    }

    /// How long the peer took to answer the last time it did.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.next
    }

    fn tell(&self, round_trip: Option<Duration>) -> Option<Job> {
        let callback = self.callback.clone()?;
        let missed = self.missed;
        Some(Box::new(move || callback(round_trip, missed)))
    }

    pub(crate) fn due(&mut self, now: Instant) -> Due {
        let (Some(interval), Some(next)) = (self.interval, self.next) else {
            return Due::Nothing;
        };
        if next > now {
            return Due::Nothing;
        }
        self.next = now.checked_add(interval);
        if self.waiting.is_empty() {
            return Due::Send(None);
        }
        self.missed = self.missed.saturating_add(1);
        let told = self.tell(None);
        if self.max_missed > 0 && self.missed >= self.max_missed {
            self.next = None;
            return Due::Dead(told);
        }
        Due::Send(told)
    }

    pub(crate) fn sent(&mut self, id: GlobalRequestId, now: Instant) {
        self.waiting.push((id, now));
    }

    /// A reply came. `None` where it was not to a keepalive of ours, otherwise what to tell, if anybody wants to hear it.
    /// Success and failure both say that the peer lives.
    pub(crate) fn answered(&mut self, id: GlobalRequestId, now: Instant) -> Option<Option<Job>> {
        let (_, sent) = self
            .waiting
            .iter()
            .find(|(waiting, _)| *waiting == id)
            .copied()?;
        self.waiting.clear();
        self.missed = 0;
        let round_trip = now.saturating_duration_since(sent);
        self.round_trip = Some(round_trip);
        Some(self.tell(Some(round_trip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g4_dead_after_count_times_interval() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut keepalive = Keepalive::default();
        let _ = keepalive.set(second, 2, None, start);
        assert!(matches!(keepalive.due(start), Due::Nothing));
        assert!(matches!(keepalive.due(start + second), Due::Send(None)));
        keepalive.sent(GlobalRequestId(1), start + second);
        assert!(matches!(keepalive.due(start + 2 * second), Due::Send(None)));
        assert!(matches!(keepalive.due(start + 3 * second), Due::Dead(None)));
        assert_eq!(keepalive.deadline(), None);
    }

    #[test]
    fn g4_a_reply_resets_the_count() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut keepalive = Keepalive::default();
        let _ = keepalive.set(second, 1, None, start);
        assert!(matches!(keepalive.due(start + second), Due::Send(None)));
        keepalive.sent(GlobalRequestId(7), start + second);
        assert!(keepalive.answered(GlobalRequestId(6), start).is_none());
        // Nobody wants to hear it.
        assert!(matches!(
            keepalive.answered(GlobalRequestId(7), start + second),
            Some(None)
        ));
        assert!(matches!(keepalive.due(start + 2 * second), Due::Send(None)));
    }

    #[test]
    fn who_was_told_before_is_handed_back() {
        let second = Duration::from_secs(1);
        let told: KeepaliveCallback = Arc::new(|_, _| ());
        let mut keepalive = Keepalive::default();
        let before = keepalive.set(second, 1, Some(Arc::clone(&told)), Instant::now());
        assert!(before.is_none());
        let before = keepalive.set(Duration::ZERO, 0, None, Instant::now());
        assert!(before.is_some_and(|before| Arc::ptr_eq(&before, &told)));
        assert_eq!(Arc::strong_count(&told), 1);
    }
}
