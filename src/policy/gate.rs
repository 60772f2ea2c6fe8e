//! The decision about each connection, and the count of those that are not through yet.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use super::limits::{Fault, Limits};
use super::penalties::Penalties;
use super::source::Source;
use crate::crypto::random::Random;

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too many in all are not through yet, or chance says so.
    Total,
    /// Too many of its source are not through yet.
    PerSource,
    /// Its source has to answer for others.
    Penalty,
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were let in.
    pub accepted: u64,
    /// Refused as [`Refusal::Total`].
    pub refused_total: u64,
    /// Refused as [`Refusal::PerSource`].
    pub refused_per_source: u64,
    /// Refused as [`Refusal::Penalty`].
    pub refused_penalty: u64,
    /// Connections now whose user is not in.
    pub unauthenticated: u64,
    /// Sources now that have something to answer for, whether it is enough or not.
    pub penalized: u64,
}

/// Lets connections in. For each that it does, [`authenticated`](Self::authenticated) or [`left`](Self::left) is called once.
#[derive(Debug, Default)]
pub struct Gate {
    /// May change at any time, for connections that come after.
    pub limits: Limits,
    unauthenticated: usize,
    by_source: HashMap<Source, usize>,
    penalties: Penalties,
    counts: Counts,
}

impl Gate {
    /// Decides about a connection from `peer`; without an address, as for UNIX sockets, it counts in all only. Returns what
    /// it counts for.
    pub fn admit(
        &mut self,
        peer: Option<IpAddr>,
        random: &mut dyn Random,
        now: Instant,
    ) -> Result<Option<Source>, Refusal> {
        let source = self.source(peer);
        if let Err(refusal) = self.check(source, random, now) {
            let count = match refusal {
                Refusal::Total => &mut self.counts.refused_total,
                Refusal::PerSource => &mut self.counts.refused_per_source,
                Refusal::Penalty => &mut self.counts.refused_penalty,
            };
            *count = count.saturating_add(1);
            return Err(refusal);
        }
        self.unauthenticated = self.unauthenticated.saturating_add(1);
        if let Some(source) = source {
            let count = self.by_source.entry(source).or_default();
            *count = count.saturating_add(1);
        }
        self.counts.accepted = self.counts.accepted.saturating_add(1);
        Ok(source)
    }

    /// A user is in: the connection counts no longer.
    pub fn authenticated(&mut self, source: Option<Source>) {
        self.unauthenticated = self.unauthenticated.saturating_sub(1);
        let Some(source) = source else { return };
        if let Some(count) = self.by_source.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
    }

    /// A connection has ended before that; without a fault it was we who ended it.
    pub fn left(&mut self, source: Option<Source>, fault: Option<Fault>, now: Instant) {
        self.authenticated(source);
        if let (Some(source), Some(fault)) = (source, fault) {
            let rules = &self.limits.penalties;
            self.penalties.add(source, rules.cost(fault), rules, now);
        }
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        // Sizes fit into 64 bits everywhere.
        let number = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        Counts {
            unauthenticated: number(self.unauthenticated),
            penalized: number(self.penalties.len()),
            ..self.counts
        }
    }

    fn source(&self, peer: Option<IpAddr>) -> Option<Source> {
        let limits = &self.limits;
        let peer = peer.filter(|peer| !limits.exempt.iter().any(|exempt| exempt.contains(*peer)));
        peer.map(|peer| Source::of(peer, limits.ipv4_bits, limits.ipv6_bits))
    }

    fn check(
        &mut self,
        source: Option<Source>,
        random: &mut dyn Random,
        now: Instant,
    ) -> Result<(), Refusal> {
        if let Some(source) = source {
            if self.penalties.holds(source, now) {
                return Err(Refusal::Penalty);
            }
            let most = self.limits.per_source;
            let count = self.by_source.get(&source).copied().unwrap_or(0);
            if most > 0 && count >= most {
                return Err(Refusal::PerSource);
            }
        }
        if self.is_unlucky(random) {
            return Err(Refusal::Total);
        }
        Ok(())
    }

    /// Chance keeps a flood that takes every place from shutting out all others: some of them come in between.
    fn is_unlucky(&self, random: &mut dyn Random) -> bool {
        let (start, full, count) = (self.limits.start, self.limits.full, self.unauthenticated);
        if count >= full {
            return true;
        }
        if count < start {
            return false;
        }
        let rate = u128::from(self.limits.rate_percent.min(100));
        let part = |size: usize| u128::try_from(size).unwrap_or(u128::MAX);
        let range = part(full.saturating_sub(start)).max(1);
        let above = part(count.saturating_sub(start));
        // In parts of 100 times the range, so that nothing is lost to rounding.
        let refused = rate
            .saturating_mul(range)
            .saturating_add((100 - rate).saturating_mul(above));
        let mut bytes = [0; 4];
        random.fill(&mut bytes);
        let drawn = u128::from(u32::from_le_bytes(bytes));
        drawn.saturating_mul(range.saturating_mul(100)) < refused << 32
    }
}
