//! What is let in, and for how long not any more. `docs/limits.md` lists the defaults.

use std::time::Duration;

use crate::keys::certificate::address::Network;

/// How connections whose user is not in are limited.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From so many on, some are refused, by chance.
    pub start: usize,
    /// How many of a hundred are refused then; it rises evenly to all of them.
    pub rate_percent: u8,
    /// Most of them at once.
    pub full: usize,
    /// Most of one source at once; 0 sets no bound of its own.
    pub per_source: usize,
    /// Leading bits of an IPv4 address that make a source.
    pub ipv4_bits: u8,
    /// Leading bits of an IPv6 address that make a source.
    pub ipv6_bits: u8,
    /// What connections that come to nothing cost.
    pub penalties: PenaltyRules,
    /// These count in all only: nothing is held against them.
    pub exempt: Vec<Network>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            start: 256,
            rate_percent: 30,
            full: 512,
            per_source: 64,
            ipv4_bits: 32,
            ipv6_bits: 64,
            penalties: PenaltyRules::default(),
            exempt: Vec::new(),
        }
    }
}

/// How a connection came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It left, and had not tried to log in.
    NoAuth,
    /// It left, or was sent away, after attempts that failed.
    AuthFailed,
    /// Its time was over.
    GraceExceeded,
    /// It broke the protocol.
    Protocol,
}

/// For how long a source is held responsible for its connections. Penalties add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PenaltyRules {
    /// For [`Fault::NoAuth`].
    pub no_auth: Duration,
    /// For [`Fault::AuthFailed`].
    pub auth_failed: Duration,
    /// For [`Fault::GraceExceeded`].
    pub grace_exceeded: Duration,
    /// For [`Fault::Protocol`].
    pub protocol: Duration,
    /// What adds up to less has no effect yet.
    pub least: Duration,
    /// More than this it never comes to.
    pub most: Duration,
    /// Most sources that are remembered. Of more, the ones are forgotten whose time is over first.
    pub sources: usize,
}

impl Default for PenaltyRules {
    fn default() -> Self {
        PenaltyRules {
            no_auth: Duration::from_secs(1),
            auth_failed: Duration::from_secs(5),
            grace_exceeded: Duration::from_secs(10),
            protocol: Duration::from_secs(10),
            least: Duration::from_secs(15),
            most: Duration::from_secs(600),
            sources: 65_536,
        }
    }
}

impl PenaltyRules {
    /// What a fault costs.
    pub fn cost(&self, fault: Fault) -> Duration {
        match fault {
            Fault::NoAuth => self.no_auth,
            Fault::AuthFailed => self.auth_failed,
            Fault::GraceExceeded => self.grace_exceeded,
            Fault::Protocol => self.protocol,
        }
    }
}
