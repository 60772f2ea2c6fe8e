//! Whether what is written may wait for more of its kind.
//!
//! A send costs the kernel hardly more for 128 KiB than for 32, most of all where it has to wake the peer each time, and packets that
//! are not full cost as much as those that are. So in a stream of writes, each soon after the one before, sealed bytes are left until
//! they fill some packets, which leave with one send; what is left over is the beginning of the next ones.
//! They never wait for a program that does something else: who wrote them and is about to sleep in the library sends them
//! first, everything else that is to be said takes them with it, and else the I/O thread finds them when it looks
//! (`threads.md`, "Sending"). Nor do they wait long for a program that writes on and on, but little.
//!
//! Where it had to, gathering has cost time: then it takes twice as many bytes in a row before it is tried again, so that what
//! a program loses that it does not suit is a small part of its time.

use std::time::{Duration, Instant};

/// The most that a packet carries over loopback, where the number of packets counts.
pub(crate) const PACKET_BYTES: usize = if cfg!(model) { 32 } else { 65_483 };
/// Sealed bytes that leave at once, as far as they fill packets (`profiles.md`, "What a send is for the kernel").
pub(crate) const GATHER_BYTES: usize = 2 * PACKET_BYTES;
/// Who writes again after so long writes one stream.
const SOON: Duration = Duration::from_micros(100);
/// Who receives a stream may wait so long for more of it (`low_water.rs`).
const RESTS: Duration = Duration::from_micros(500);
/// Bytes wait no longer than this for more, however many writes there are: not much longer than it takes to seal as many as leave
/// at once, be the cipher a slow one.
const OLD: Duration = Duration::from_micros(250);
/// Bytes whose writer has not been back for so long have waited in vain.
const LATE: Duration = Duration::from_micros(250);
/// How many bytes in a row it takes at first. Models have few.
const FEW: usize = if cfg!(model) { 0 } else { 512 * 1024 };
/// How many it takes after many times in vain; and after so many more in a row what was before is forgotten.
const MANY: usize = 64 * 1024 * 1024;

/// When a thread has received the stream that it may be sending on, with what it waited for in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    began: Instant,
    ended: Instant,
}

impl Received {
    /// Receives more of it, or begins anew where the time between was longer than streams are waited for.
    pub(crate) fn after(before: Option<Self>, began: Instant, ended: Instant) -> Self {
        let before = before.filter(|before| began.saturating_duration_since(before.ended) <= RESTS);
        Received {
            began: before.map_or(began, |before| before.began),
            ended,
        }
    }

    /// Until when a writer has been busy whose last write was over at `last`.
    fn goes_on_from(self, last: Instant) -> Instant {
        if self.began.saturating_duration_since(last) <= RESTS {
            self.ended.max(last)
        } else {
            last
        }
    }
}

/// What was written last, on all channels of a transport.
#[derive(Debug)]
pub(crate) struct Gathering {
    /// Bytes in a row.
    streamed: usize,
    /// When the write of the last of them was over.
    last: Option<Instant>,
    /// How many it takes.
    wanted: usize,
    /// Since when bytes wait.
    since: Option<Instant>,
}

impl Default for Gathering {
    fn default() -> Self {
        Gathering {
            streamed: 0,
            last: None,
            wanted: FEW,
            since: None,
        }
    }
}

impl Gathering {
    /// Everything is a stream.
    #[cfg(test)]
    pub(crate) fn trust(&mut self) {
        self.wanted = 1;
    }

    /// Bytes in a row.
    #[cfg(test)]
    pub(crate) fn streamed(&self) -> usize {
        self.streamed
    }

    /// How often what waited was late since [`trust`](Self::trust).
    #[cfg(test)]
    pub(crate) fn times_late(&self) -> u32 {
        self.wanted.ilog2()
    }

    /// Somebody begins to write. After a pause that is another stream, unless the pause is that of a writer who `is_on_its_way`, or
    /// who has `received` a stream meanwhile, as who sends on what comes does.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        received: Option<Received>,
        is_on_its_way: impl FnOnce() -> bool,
    ) {
        let has_paused = self.last.is_none_or(|last| {
            let since = received.map_or(last, |received| received.goes_on_from(last));
            now.saturating_duration_since(since) > SOON
        });
        if has_paused && !is_on_its_way() {
            self.streamed = 0;
        }
    }

    /// So many bytes have been sealed.
    pub(crate) fn sealed(&mut self, bytes: usize) {
        self.streamed = self.streamed.saturating_add(bytes);
        if self.streamed >= self.wanted.saturating_add(MANY) {
            self.wanted = FEW;
        }
    }

    /// The write is over, and what left has left: the kernel takes longer for that than programs for their next write.
    pub(crate) fn end(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// Whether what was written may wait for more.
    pub(crate) fn is_stream(&self) -> bool {
        self.streamed >= self.wanted
    }

    /// Bytes wait, now or already.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// What waited has been sent, as far as it goes.
    pub(crate) fn go(&mut self) {
        self.since = None;
    }

    /// Whether bytes have waited long enough, be their writer back or not.
    pub(crate) fn is_old(&self, now: Instant) -> bool {
        self.since
            .is_some_and(|since| now.saturating_duration_since(since) >= OLD)
    }

    /// Whether what waits has waited in vain.
    pub(crate) fn is_late(&self, now: Instant) -> bool {
        self.last
            .is_none_or(|last| now.saturating_duration_since(last) > LATE)
    }

    /// The I/O thread had to send what waited.
    pub(crate) fn was_late(&mut self) {
        self.streamed = 0;
        self.wanted = self.wanted.saturating_mul(2).min(MANY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes so many pieces of 32 KiB, with this time after each; says how many of them might have waited.
    fn stream(
        gathering: &mut Gathering,
        now: &mut Instant,
        pieces: usize,
        pause: Duration,
    ) -> usize {
        let mut waited = 0;
        for _ in 0..pieces {
            gathering.begin(*now, None, || false);
            gathering.sealed(32 * 1024);
            waited += usize::from(gathering.is_stream());
            *now += Duration::from_millis(1);
            gathering.end(*now);
            *now += pause;
        }
        waited
    }

    #[test]
    fn only_in_a_stream() {
        let (mut gathering, mut now) = (Gathering::default(), Instant::now());
        assert_eq!(stream(&mut gathering, &mut now, 15, SOON), 0);
        assert_eq!(stream(&mut gathering, &mut now, 100, SOON), 100);
        now += Duration::from_micros(1);
        assert_eq!(stream(&mut gathering, &mut now, 15, SOON), 0, "a pause");
        let slow = SOON + Duration::from_micros(1);
        now += slow;
        assert_eq!(stream(&mut gathering, &mut now, 1000, slow), 0);
    }

    #[test]
    fn whose_turn_it_is_may_take_its_time() {
        for (is_on_its_way, waited) in [(true, 1), (false, 0)] {
            let (mut gathering, mut now) = (Gathering::default(), Instant::now());
            stream(&mut gathering, &mut now, 100, Duration::ZERO);
            now += 2 * SOON;
            gathering.begin(now, None, || is_on_its_way);
            assert_eq!(usize::from(gathering.is_stream()), waited);
        }
    }

    #[test]
    fn who_has_received_meanwhile_has_not_paused() {
        // After the write nothing for so long, a receive for a second, and so long until the next write.
        for (rest, pause, waited) in [
            (RESTS, SOON, true),
            (RESTS, 2 * SOON, false),
            (2 * RESTS, SOON, false),
        ] {
            let (mut gathering, mut now) = (Gathering::default(), Instant::now());
            stream(&mut gathering, &mut now, 100, Duration::ZERO);
            let began = now + rest;
            let ended = began + Duration::from_secs(1);
            let received = Received::after(None, began, ended);
            gathering.begin(ended + pause, Some(received), || false);
            assert_eq!(gathering.is_stream(), waited, "{rest:?} {pause:?}");
        }
    }

    #[test]
    fn what_was_received_before_the_last_write_does_not_count() {
        for (pause, waited) in [(SOON, true), (2 * SOON, false)] {
            let (mut gathering, mut now) = (Gathering::default(), Instant::now());
            let received = Received::after(None, now, now);
            stream(&mut gathering, &mut now, 100, Duration::ZERO);
            gathering.begin(now + pause, Some(received), || false);
            assert_eq!(gathering.is_stream(), waited, "{pause:?}");
        }
    }

    #[test]
    fn receives_soon_after_each_other_are_one() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let first = Received::after(None, start, start + second);
        let next = first.ended + RESTS;
        let both = Received::after(Some(first), next, next + second);
        assert_eq!((both.began, both.ended), (start, next + second));
        let late = both.ended + 2 * RESTS;
        let anew = Received::after(Some(both), late, late + second);
        assert_eq!(anew.began, late);
    }

    #[test]
    fn bytes_of_a_trickle_are_old_after_a_while() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        assert!(!gathering.is_old(now));
        gathering.wait(now);
        gathering.wait(now + OLD / 2);
        assert!(!gathering.is_old(now + OLD / 2));
        assert!(gathering.is_old(now + OLD));
        gathering.go();
        assert!(!gathering.is_old(now + OLD));
    }

    #[test]
    fn bytes_whose_writer_stays_away_are_late() {
        let (mut gathering, mut now) = (Gathering::default(), Instant::now());
        stream(&mut gathering, &mut now, 100, Duration::ZERO);
        assert!(gathering.is_stream());
        assert!(!gathering.is_late(now + LATE));
        assert!(gathering.is_late(now + LATE + Duration::from_micros(1)));
        gathering.was_late();
        assert!(!gathering.is_stream());
    }

    #[test]
    fn seldom_where_it_costs_time() {
        let (mut gathering, mut now) = (Gathering::default(), Instant::now());
        let mut late = 0;
        // Who waits for something after each piece, elsewhere, but not long if it comes at once.
        for _ in 0..100_000 {
            if stream(&mut gathering, &mut now, 1, SOON) > 0 {
                late += 1;
                gathering.was_late();
            }
        }
        assert!((30..=60).contains(&late), "{late}");
        // A long stream is trusted again.
        stream(&mut gathering, &mut now, 2 * MANY / (32 * 1024), SOON);
        now += LATE;
        assert_eq!(stream(&mut gathering, &mut now, 16, SOON), 1);
    }
}
