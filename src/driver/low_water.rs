//! How much must have come before a caller at the socket is woken.
//!
//! A peer that sends without pause, but more slowly than its data are taken, wakes their reader for each of its packets, and to
//! sleep and be woken costs more than to take them. So in a stream of data the reader is woken when there is much, or a moment
//! later: it takes more at a time, and a peer on the same machine has the processor meanwhile.
//!
//! Where less comes within the moment, less is waited for, and where even that does not come, the stream has ended or is slow:
//! then it takes twice as many bytes in a row before it is tried again, so that what a program loses that it does not suit is a
//! small part of its time.

use std::time::Duration;

/// How long much is waited for.
pub(super) const MOMENT: Duration = Duration::from_micros(400);
/// How much is waited for at first, and at least. As much as one receive takes.
const MUCH: usize = if cfg!(model) { 64 } else { 256 * 1024 };
const LITTLE: usize = MUCH / 4;
/// How many bytes in a row it takes at first. Models have few.
const FEW: usize = if cfg!(model) { 64 } else { 512 * 1024 };
/// How many it takes after many moments in vain; and after so many more in a row what was before is forgotten.
const MANY: usize = 64 * 1024 * 1024;

/// What was read last, by callers.
#[derive(Debug)]
pub(super) struct LowWater {
    /// Bytes in a row.
    streamed: usize,
    /// How many it takes.
    wanted: usize,
    /// How much is waited for.
    mark: usize,
    /// The last receive took as much as it could.
    is_behind: bool,
}

impl Default for LowWater {
    fn default() -> Self {
        LowWater {
            streamed: 0,
            wanted: FEW,
            mark: MUCH,
            is_behind: false,
        }
    }
}

impl LowWater {
    /// Everything is a stream.
    #[cfg(test)]
    pub(super) fn trust(&mut self) {
        self.wanted = 0;
    }

    /// Whether less than the mark has come in a moment since [`trust`](Self::trust).
    #[cfg(test)]
    pub(super) fn has_missed(&self) -> bool {
        self.mark < MUCH || self.wanted > 0
    }

    /// How many bytes are worth waiting for, in a stream.
    pub(super) fn mark(&self) -> Option<usize> {
        (self.streamed >= self.wanted).then_some(self.mark)
    }

    /// Whether there is probably more than one receive takes.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// So many bytes came at once; too few for a stream, if so.
    pub(super) fn came(&mut self, bytes: usize, few: bool) {
        self.is_behind = bytes >= MUCH;
        self.streamed = if few {
            0
        } else {
            self.streamed.saturating_add(bytes)
        };
        if self.streamed >= self.wanted.saturating_add(MANY) {
            *self = LowWater {
                streamed: FEW,
                ..LowWater::default()
            };
        }
    }

    /// The moment is over, and less than the mark is there.
    pub(super) fn missed(&mut self) {
        self.is_behind = false;
        self.mark /= 2;
        if self.mark < LITTLE {
            self.mark = MUCH;
            self.streamed = 0;
            self.wanted = self.wanted.saturating_mul(2).clamp(1, MANY);
        }
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    /// Reads so many pieces of a stream whose reader finds so much when the moment is over. Says how often it waited in vain.
    fn stream(low_water: &mut LowWater, pieces: usize, in_a_moment: usize) -> usize {
        let mut missed = 0;
        for _ in 0..pieces {
            if low_water.mark().is_some_and(|mark| in_a_moment < mark) {
                missed += 1;
                low_water.missed();
            }
            low_water.came(in_a_moment.min(MUCH), false);
        }
        missed
    }

    #[test]
    fn only_in_a_stream() {
        let mut low_water = LowWater::default();
        for _ in 0..100 {
            assert_eq!(low_water.mark(), None);
            low_water.came(MUCH, false);
            assert!(low_water.is_behind());
            low_water.came(100, true);
            assert!(!low_water.is_behind());
        }
        low_water.came(MUCH, false);
        low_water.came(MUCH, false);
        assert_eq!(low_water.mark(), Some(MUCH));
        low_water.came(100, true);
        assert_eq!(low_water.mark(), None);
    }

    #[test]
    fn as_much_as_comes_within_the_moment() {
        let mut low_water = LowWater::default();
        assert_eq!(stream(&mut low_water, 100, MUCH), 0);
        assert_eq!(low_water.mark(), Some(MUCH));
        assert_eq!(stream(&mut low_water, 50, MUCH - 1), 1);
        assert_eq!(low_water.mark(), Some(MUCH / 2));
        assert_eq!(stream(&mut low_water, 50, MUCH / 3), 1);
        assert_eq!(low_water.mark(), Some(LITTLE));
        // Much later more is tried again.
        stream(&mut low_water, 2 * MANY / MUCH, MUCH);
        assert_eq!(low_water.mark(), Some(MUCH));
    }

    #[test]
    fn seldom_where_it_is_in_vain() {
        let mut low_water = LowWater::default();
        let missed = stream(&mut low_water, 100_000, LITTLE - 1);
        // 6 GB, in which it is tried after each 64 MiB in the end, three times in a row.
        assert!((100..=330).contains(&missed), "{missed}");
        // What comes in time is trusted again.
        stream(&mut low_water, 3 * MANY / MUCH, MUCH);
        assert_eq!(low_water.mark(), Some(MUCH));
        assert_eq!(low_water.wanted, FEW);
    }
}
