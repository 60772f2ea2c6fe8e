//! The sources that have something to answer for.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::limits::PenaltyRules;
use super::source::Source;

/// A table with a bound. What is over by itself is forgotten.
#[derive(Debug, Default)]
pub(super) struct Penalties {
    by_source: HashMap<Source, Penalty>,
    by_end: BTreeSet<(Instant, Source)>,
}

#[derive(Debug, Clone, Copy)]
struct Penalty {
    ends: Instant,
    /// It has come to enough once, and holds until it ends.
    holds: bool,
}

impl Penalties {
    /// Adds to what a source has to answer for.
    pub(super) fn add(
        &mut self,
        source: Source,
        cost: Duration,
        rules: &PenaltyRules,
        now: Instant,
    ) {
        self.forget_past(now);
        if cost.is_zero() || rules.sources == 0 {
            return;
        }
        let before = self.by_source.remove(&source);
        if let Some(before) = before {
            self.by_end.remove(&(before.ends, source));
        }
        let so_far = before.map_or(now, |before| before.ends.max(now));
        // A time that cannot be written down is beyond what a process lives.
        let most = now.checked_add(rules.most);
        let ends = match (so_far.checked_add(cost), most) {
            (Some(ends), Some(most)) => ends.min(most),
            (Some(ends), None) => ends,
            (None, most) => most.unwrap_or(so_far),
        };
        while self.by_source.len() >= rules.sources {
            let Some((_, first)) = self.by_end.pop_first() else {
                break;
            };
            self.by_source.remove(&first);
        }
        let enough = ends.saturating_duration_since(now) >= rules.least;
        let holds = enough || before.is_some_and(|before| before.holds);
        self.by_source.insert(source, Penalty { ends, holds });
        self.by_end.insert((ends, source));
    }

    /// Whether a source is not let in.
    pub(super) fn holds(&mut self, source: Source, now: Instant) -> bool {
        self.forget_past(now);
        self.by_source
            .get(&source)
            .is_some_and(|penalty| penalty.holds)
    }

    /// How many sources are remembered.
    pub(super) fn len(&self) -> usize {
        self.by_source.len()
    }

    fn forget_past(&mut self, now: Instant) {
        while let Some((ends, source)) = self.by_end.first().copied() {
            if ends > now {
                break;
            }
            self.by_end.pop_first();
            self.by_source.remove(&source);
        }
    }
}
