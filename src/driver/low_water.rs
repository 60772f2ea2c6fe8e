//! How much must have come before whoever waits at the socket is woken.
//!
//! A peer that sends without pause, but more slowly than its data are taken, wakes their reader for each of its packets, and to
//! sleep and be woken costs more than to take them. So in a stream of data the reader, a caller or the I/O thread, may be woken when
//! there is much, or a moment later: it takes more at a time, and a peer on the same machine has the processor meanwhile.
//!
//! Where the peer waits for the reader in turn (for window, or for the next request) this costs time that no miss would tell of. So it
//! is tried: some megabytes as ever, and where each waking brought little, as many with the mark. Where these came as soon it
//! is kept, and else it is left for a while, longer each time.

use std::time::{Duration, Instant};

use super::attending::READS_PER_TURN;
use super::receive::READ_BYTES;
use super::stream::Stream;

/// How long much is waited for, by a caller.
pub(super) const MOMENT: Duration = Duration::from_micros(400);
/// The same by an I/O thread, whose poller counts in milliseconds.
const LONG_MOMENT: Duration = Duration::from_millis(1);
/// How much is waited for at first, by a caller. Where threads sleep on processors of their own, the peer's system pays for each
/// waking about what it takes to send a hundred kilobytes.
const MUCH: usize = if cfg!(model) { 64 } else { 1024 * 1024 };
/// The same by an I/O thread, which keeps others waiting meanwhile.
const MUCH_FOR_OTHERS: usize = if cfg!(model) { 64 } else { 512 * 1024 };
/// How much is waited for at least.
const LITTLE: usize = if cfg!(model) { 16 } else { 64 * 1024 };
/// A caller that gets so much each time it is woken is woken seldom enough.
const ENOUGH: usize = if cfg!(model) { usize::MAX } else { MUCH };
/// The same for an I/O thread, which is in the way of those whom it serves each time it is woken: nearly as much as it takes then.
const ENOUGH_FOR_OTHERS: usize = if cfg!(model) {
    usize::MAX
} else {
    READ_BYTES * READS_PER_TURN / 8 * 7
};
/// Who has received so much at once has probably left something.
const ALL_IT_TAKES: usize = if cfg!(model) { 64 } else { READ_BYTES };
/// So many bytes in a row are a stream.
const STREAM: usize = if cfg!(model) { 16 } else { 512 * 1024 };
/// How many are measured at a time.
const TRIAL: usize = if cfg!(model) { 16 } else { 8 * 1024 * 1024 };
/// After so many bytes it is tried again, where it was not in vain.
const LATER: usize = 256 * 1024 * 1024;
/// Where it was, after so many the first time, then after twice as many each time.
const SOON: usize = LATER / 4;
/// But after no more than so many, which 32 bits can count.
const MUCH_LATER: usize = 15 * LATER;

/// How a caller, or the I/O thread, came to receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Without waiting.
    AtOnce,
    /// After it has waited for what it was to wait for.
    Woken,
    /// The moment was over before that.
    Missed,
}

/// What came of streams, and how long that took, pauses between them left out.
#[derive(Debug, Clone, Copy, Default)]
struct Measured {
    taken: Duration,
    bytes: usize,
    wakings: usize,
    /// When the last of them came, of a stream that goes on.
    last: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    /// Bytes come as ever, and how soon is measured.
    Without(Measured),
    /// The same with the mark, after what was measured without it.
    With(Measured, Measured),
    /// With the mark, for so many bytes.
    Kept(usize),
    /// Without it, for so many bytes.
    Left(usize),
    /// The system knows no such thing.
    Impossible,
}

/// What was read last, by callers or by the I/O thread.
#[derive(Debug)]
pub(super) struct LowWater {
    /// Who is given so much at a time needs no mark.
    enough: usize,
    /// Bytes in a row.
    streamed: usize,
    /// How much is waited for at first.
    most: usize,
    /// How much is waited for now.
    mark: usize,
    phase: Phase,
    /// For how many bytes it is left the next time.
    rest: usize,
    /// The last receive took as much as it could.
    is_behind: bool,
}

impl Default for LowWater {
    /// For callers.
    fn default() -> Self {
        LowWater {
            enough: ENOUGH,
            streamed: 0,
            most: MUCH,
            mark: MUCH,
            phase: Phase::Without(Measured::default()),
            rest: SOON,
            is_behind: false,
        }
    }
}

impl Measured {
    fn goes_on(&mut self, bytes: usize, look: Look, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            self.taken = self
                .taken
                .saturating_add(now.saturating_duration_since(last));
            self.bytes = self.bytes.saturating_add(bytes);
            self.wakings += usize::from(look != Look::AtOnce);
        }
    }

    /// What was waited for counts, too.
    fn ends(&mut self, now: Instant) {
        self.goes_on(0, Look::AtOnce, now);
        self.last = None;
    }

    fn is_done(&self) -> bool {
        self.bytes >= TRIAL
    }

    fn at_a_time(&self) -> usize {
        self.bytes / self.wakings.max(1)
    }

    /// Whether as many took no longer, but for a tenth, which is noise.
    fn is_as_soon_as(&self, other: &Self) -> bool {
        let product = |taken: Duration, bytes: usize, factor: u128| {
            let bytes = u128::try_from(bytes).unwrap_or(u128::MAX);
            taken
                .as_nanos()
                .saturating_mul(bytes)
                .saturating_mul(factor)
        };
        product(self.taken, other.bytes, 9) <= product(other.taken, self.bytes, 10)
    }
}

/// How much of a stream is waited for at a socket.
#[derive(Debug)]
pub(super) struct Marks {
    /// What callers find worth waiting for.
    pub(super) of_callers: LowWater,
    /// What the I/O thread does.
    pub(super) of_io_thread: LowWater,
    /// With how much the socket is readable, where that is more than the first byte.
    set: Option<usize>,
    /// When the I/O thread takes less.
    ends: Option<Instant>,
}

impl Default for Marks {
    fn default() -> Self {
        Marks {
            of_callers: LowWater::default(),
            of_io_thread: LowWater::of_io_thread(),
            set: None,
            ends: None,
        }
    }
}

impl Marks {
    /// Has the socket be readable with so much, if that can be, or with the first byte; says which.
    pub(super) fn set(&mut self, stream: &Stream, mark: Option<usize>) -> Option<usize> {
        self.ends = None;
        if self.set != mark {
            self.set = mark;
            if !stream.wake_at(mark.unwrap_or(1)) {
                self.of_callers.cannot_be();
                self.of_io_thread.cannot_be();
                self.set = None;
            }
        }
        self.set
    }

    /// The I/O thread has received so many bytes; too few for a stream, if so.
    pub(super) fn io_thread_received(&mut self, bytes: usize, few: bool, look: Look, now: Instant) {
        // It may have looked late, or for another reason.
        let was_enough = self.set.is_some_and(|mark| bytes >= mark);
        let look = if was_enough { Look::Woken } else { look };
        self.of_io_thread.came(bytes, few, look, now);
    }

    /// The I/O thread waits for much from now on, if it is worth it, and it `reads` at all.
    pub(super) fn wait_for_more(&mut self, stream: &Stream, reads: bool, now: Instant) {
        let mark = self.of_io_thread.mark().filter(|_| reads);
        self.ends = self.set(stream, mark).map(|_| now + LONG_MOMENT);
    }

    /// Until when the I/O thread waits for much.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.ends
    }

    /// Whether that is over: then it must look.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        self.ends.take_if(|ends| *ends <= now).is_some()
    }
}

impl LowWater {
    /// For the I/O thread.
    pub(super) fn of_io_thread() -> Self {
        LowWater {
            enough: ENOUGH_FOR_OTHERS,
            most: MUCH_FOR_OTHERS,
            mark: MUCH_FOR_OTHERS,
            ..LowWater::default()
        }
    }

    /// A stream has come, and the mark was of use.
    #[cfg(test)]
    pub(super) fn trust(&mut self) {
        self.streamed = STREAM;
        self.phase = Phase::Kept(usize::MAX);
    }

    /// Whether less than the mark has come in a moment since [`trust`](Self::trust).
    #[cfg(test)]
    pub(super) fn has_missed(&self) -> bool {
        self.mark < self.most || self.rest > SOON
    }

    /// How many bytes are worth waiting for.
    pub(super) fn mark(&self) -> Option<usize> {
        let is_set = matches!(self.phase, Phase::With(..) | Phase::Kept(_));
        (is_set && self.streams()).then_some(self.mark)
    }

    /// Whether what came last was part of a stream.
    pub(super) fn streams(&self) -> bool {
        self.streamed >= STREAM
    }

    /// Whether there is probably more than one receive takes.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// It cannot be waited for.
    pub(super) fn cannot_be(&mut self) {
        self.phase = Phase::Impossible;
    }

    /// So many bytes came at once; too few for a stream, if so.
    pub(super) fn came(&mut self, bytes: usize, few: bool, look: Look, now: Instant) {
        self.is_behind = bytes >= ALL_IT_TAKES;
        if look == Look::Missed {
            self.missed();
        }
        if few {
            self.streamed = 0;
            if let Phase::Without(measured) | Phase::With(measured, _) = &mut self.phase {
                measured.ends(now);
            }
            return;
        }
        self.streamed = self.streamed.saturating_add(bytes);
        if self.streams() {
            self.goes_on(bytes, look, now);
        }
    }

    fn goes_on(&mut self, bytes: usize, look: Look, now: Instant) {
        match &mut self.phase {
            Phase::Without(measured) => {
                measured.goes_on(bytes, look, now);
                if measured.is_done() {
                    self.phase = if measured.at_a_time() >= self.enough {
                        Phase::Left(SOON)
                    } else {
                        Phase::With(Measured::default(), *measured)
                    };
                }
            }
            Phase::With(measured, before) => {
                measured.goes_on(bytes, look, now);
                if measured.is_done() && !measured.is_as_soon_as(before) {
                    self.leave();
                } else if measured.is_done() {
                    self.phase = Phase::Kept(LATER);
                    self.rest = SOON;
                }
            }
            Phase::Kept(left) | Phase::Left(left) => {
                *left = left.saturating_sub(bytes);
                if *left == 0 {
                    self.phase = Phase::Without(Measured::default());
                    self.mark = self.most;
                }
            }
            Phase::Impossible => {}
        }
    }

    /// The moment is over, and less than the mark is there: less is waited for from now on, or nothing.
    fn missed(&mut self) {
        self.mark /= 2;
        if self.mark < LITTLE {
            self.leave();
        } else if let Phase::With(measured, _) = &mut self.phase {
            // What the other one cost is not this one's.
            *measured = Measured::default();
        }
    }

    fn leave(&mut self) {
        self.mark = self.most;
        self.phase = Phase::Left(self.rest);
        self.rest = self.rest.saturating_mul(2).min(MUCH_LATER);
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    /// A stream that comes in such pieces, one for each waking, each after so long: without the mark, and with it.
    struct Peer {
        piece: usize,
        without: Duration,
        with: Duration,
    }

    /// Reads so many bytes; says how many of them with the mark.
    fn read(low_water: &mut LowWater, now: &mut Instant, bytes: usize, peer: &Peer) -> usize {
        let (mut all, mut marked) = (0, 0);
        while all < bytes {
            let has_mark = low_water.mark().is_some();
            *now += if has_mark { peer.with } else { peer.without };
            low_water.came(peer.piece, false, Look::Woken, *now);
            all += peer.piece;
            marked += if has_mark { peer.piece } else { 0 };
        }
        marked
    }

    fn peer(piece: usize, without: u64, with: u64) -> Peer {
        Peer {
            piece,
            without: Duration::from_micros(without),
            with: Duration::from_micros(with),
        }
    }

    #[test]
    fn kept_where_as_much_comes_as_soon() {
        let (mut low_water, mut now) = (LowWater::default(), Instant::now());
        let slow = peer(32 * 1024, 30, 31);
        assert_eq!(read(&mut low_water, &mut now, TRIAL, &slow), 0);
        let marked = read(&mut low_water, &mut now, LATER, &slow);
        assert!(marked > LATER - TRIAL, "{marked}");
        // And tried again.
        let marked = read(&mut low_water, &mut now, 10 * LATER, &slow);
        assert!(marked < 10 * LATER - 9 * TRIAL, "{marked}");
        assert!(marked > 9 * LATER, "{marked}");
    }

    #[test]
    fn seldom_where_it_costs_time() {
        let (mut low_water, mut now) = (LowWater::default(), Instant::now());
        let waits_for_us = peer(32 * 1024, 30, 40);
        let marked = read(&mut low_water, &mut now, 10 * TRIAL, &waits_for_us);
        assert!((TRIAL..2 * TRIAL).contains(&marked), "{marked}");
        let marked = read(&mut low_water, &mut now, 100 * LATER, &waits_for_us);
        assert!(marked < 12 * TRIAL, "{marked}");
        // Once it does not, it is as if it had never been.
        let slow = peer(32 * 1024, 30, 30);
        let marked = read(&mut low_water, &mut now, 40 * LATER, &slow);
        assert!(marked > 20 * LATER, "{marked}");
        assert_eq!(low_water.rest, SOON);
    }

    #[test]
    fn not_where_much_comes_at_a_time() {
        let (mut low_water, mut now) = (LowWater::default(), Instant::now());
        let quick = peer(MUCH, 300, 300);
        assert_eq!(read(&mut low_water, &mut now, 10 * LATER, &quick), 0);
    }

    #[test]
    fn not_by_an_io_thread_that_takes_as_much_as_it_may() {
        let (mut low_water, mut now) = (LowWater::of_io_thread(), Instant::now());
        let quick = peer(READ_BYTES * READS_PER_TURN, 300, 300);
        assert_eq!(read(&mut low_water, &mut now, 10 * LATER, &quick), 0);
        let slower = peer(MUCH_FOR_OTHERS, 300, 300);
        assert!(read(&mut low_water, &mut now, 10 * LATER, &slower) > 9 * LATER);
    }

    /// What comes in pieces of 256 KiB, each of which is waited for by the peer.
    #[test]
    fn each_mark_is_tried_for_itself() {
        const WINDOW: usize = 256 * 1024;
        let (mut low_water, mut now) = (LowWater::default(), Instant::now());
        while low_water.mark().is_none_or(|mark| mark > WINDOW) {
            let is_too_much = low_water.mark().is_some();
            now += if is_too_much {
                MOMENT
            } else {
                Duration::from_micros(100)
            };
            let look = if is_too_much {
                Look::Missed
            } else {
                Look::Woken
            };
            low_water.came(WINDOW, false, look, now);
        }
        let same = peer(WINDOW, 100, 100);
        read(&mut low_water, &mut now, TRIAL + WINDOW, &same);
        assert!(matches!(low_water.phase, Phase::Kept(_)), "{low_water:?}");
        // The next time all is tried.
        read(&mut low_water, &mut now, LATER + TRIAL + WINDOW, &same);
        assert_eq!(low_water.mark(), Some(MUCH));
    }

    #[test]
    fn not_for_answers_that_are_small() {
        let (mut low_water, mut now) = (LowWater::default(), Instant::now());
        let slow = peer(32 * 1024, 30, 30);
        read(&mut low_water, &mut now, 4 * TRIAL, &slow);
        assert_eq!(low_water.mark(), Some(MUCH));
        low_water.came(100, true, Look::Woken, now);
        assert_eq!(low_water.mark(), None);
        assert_eq!(read(&mut low_water, &mut now, STREAM, &slow), 0);
        assert_eq!(low_water.mark(), Some(MUCH));
    }

    /// What lies between two streams is not measured, but the end of one is.
    #[test]
    fn measured_within_streams() {
        for waits_at_the_end in [false, true] {
            let (mut low_water, mut now) = (LowWater::default(), Instant::now());
            let slow = peer(32 * 1024, 30, 30);
            // Half of each is taken for one.
            for _ in 0..4 * TRIAL / STREAM {
                read(&mut low_water, &mut now, 2 * STREAM, &slow);
                let has_mark = low_water.mark().is_some();
                if has_mark && waits_at_the_end {
                    now += MOMENT;
                }
                low_water.came(100, true, Look::Woken, now);
                if has_mark {
                    now += Duration::from_secs(1);
                }
            }
            let is_kept = matches!(low_water.phase, Phase::Kept(_));
            assert_eq!(is_kept, !waits_at_the_end, "{low_water:?}");
        }
    }

    #[test]
    fn less_where_less_comes_in_a_moment_and_then_nothing() {
        let (mut low_water, now) = (LowWater::default(), Instant::now());
        low_water.trust();
        let mut mark = MUCH;
        while mark >= LITTLE {
            assert_eq!(low_water.mark(), Some(mark));
            low_water.came(20_000, false, Look::Missed, now);
            mark /= 2;
        }
        assert_eq!(low_water.mark(), None);
        assert_eq!(low_water.rest, 2 * SOON);
    }

    #[test]
    fn a_late_look_at_much_has_missed_nothing() {
        const MOST: usize = MUCH_FOR_OTHERS;
        for (bytes, mark) in [(MOST, MOST), (MOST - 1, MOST / 2)] {
            let mut marks = Marks::default();
            marks.of_io_thread.trust();
            marks.set = Some(MOST);
            marks.io_thread_received(bytes, false, Look::Missed, Instant::now());
            assert_eq!(marks.of_io_thread.mark(), Some(mark));
        }
    }

    #[test]
    fn never_where_it_cannot_be() {
        let (mut low_water, mut now) = (LowWater::default(), Instant::now());
        low_water.cannot_be();
        let slow = peer(32 * 1024, 30, 30);
        assert_eq!(read(&mut low_water, &mut now, 10 * LATER, &slow), 0);
    }
}
