//! The policy under a clock that stands until it is moved.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::*;
use crate::crypto::random::{Random, SeededRandom};
use crate::keys::certificate::address::Network;

struct World {
    gate: Gate,
    random: SeededRandom,
    now: Instant,
}

impl World {
    fn new(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let mut gate = Gate::default();
        gate.limits = limits;
        World {
            gate,
            random: SeededRandom::new(1),
            now: Instant::now(),
        }
    }

    fn admit(&mut self, peer: &str) -> Result<Option<Source>, Refusal> {
        let peer = (!peer.is_empty()).then(|| peer.parse().unwrap());
        self.gate.admit(peer, &mut self.random, self.now)
    }

    /// A connection that comes and goes.
    fn fail(&mut self, peer: &str, fault: Fault) -> Result<(), Refusal> {
        let source = self.admit(peer)?;
        self.gate.left(source, Some(fault), self.now);
        Ok(())
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

#[test]
fn no_more_than_the_total_are_let_in_and_each_that_goes_makes_room() {
    let mut world = World::new(|limits| {
        limits.start = 10;
        limits.full = 10;
        limits.per_source = 0;
    });
    let sources: Vec<_> = (0..10)
        .map(|last| world.admit(&format!("192.0.2.{last}")).unwrap())
        .collect();
    assert_eq!(world.admit("198.51.100.1"), Err(Refusal::Total));
    // UNIX sockets count in all.
    assert_eq!(world.admit(""), Err(Refusal::Total));
    world.gate.authenticated(sources[0]);
    assert!(world.admit("").is_ok());
    assert_eq!(world.admit("198.51.100.1"), Err(Refusal::Total));
    world.gate.left(sources[1], None, world.now);
    assert!(world.admit("198.51.100.1").is_ok());
    let counts = world.gate.counts();
    assert_eq!((counts.accepted, counts.refused_total), (12, 3));
    assert_eq!((counts.unauthenticated, counts.penalized), (10, 0));
}

#[test]
fn between_start_and_full_chance_decides_ever_more_strictly() {
    let refused = |count: usize| {
        let mut world = World::new(|limits| {
            limits.start = 100;
            limits.full = 200;
            limits.rate_percent = 30;
            limits.per_source = 0;
        });
        // Without chance, to get there.
        let start = std::mem::replace(&mut world.gate.limits.start, 200);
        for _ in 0..count {
            world.admit("").unwrap();
        }
        world.gate.limits.start = start;
        let mut refused = 0;
        for _ in 0..1000 {
            match world.admit("") {
                Ok(source) => world.gate.left(source, None, world.now),
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::Total);
                    refused += 1;
                }
            }
        }
        refused
    };
    assert_eq!(refused(99), 0);
    assert!((230..370).contains(&refused(100)), "{}", refused(100));
    assert!((580..720).contains(&refused(150)), "{}", refused(150));
    assert_eq!(refused(200), 1000);
}

#[test]
fn a_rate_of_a_hundred_refuses_all_from_the_start_on() {
    let mut world = World::new(|limits| {
        limits.start = 1;
        limits.rate_percent = 100;
    });
    assert!(world.admit("").is_ok());
    for _ in 0..100 {
        assert_eq!(world.admit(""), Err(Refusal::Total));
    }
}

#[test]
fn one_source_has_its_share_and_others_theirs() {
    let mut world = World::new(|limits| limits.per_source = 3);
    let first = world.admit("192.0.2.1").unwrap();
    world.admit("192.0.2.1").unwrap();
    // The same address in its other form.
    world.admit("::ffff:192.0.2.1").unwrap();
    assert_eq!(world.admit("192.0.2.1"), Err(Refusal::PerSource));
    assert!(world.admit("192.0.2.2").is_ok());
    world.gate.authenticated(first);
    assert!(world.admit("192.0.2.1").is_ok());
    assert_eq!(world.gate.counts().refused_per_source, 1);
}

#[test]
fn an_ipv6_network_is_one_source() {
    let mut world = World::new(|limits| limits.per_source = 2);
    world.admit("2001:db8:0:1::1").unwrap();
    world.admit("2001:db8:0:1:ffff:ffff:ffff:ffff").unwrap();
    assert_eq!(world.admit("2001:db8:0:1::2"), Err(Refusal::PerSource));
    assert!(world.admit("2001:db8:0:2::1").is_ok());
    world.gate.limits.ipv6_bits = 0;
    world.gate.limits.ipv4_bits = 0;
    world.admit("192.0.2.1").unwrap();
    world.admit("198.51.100.1").unwrap();
    assert_eq!(world.admit("203.0.113.1"), Err(Refusal::PerSource));
    world.admit("2001:db8::1").unwrap();
    world.admit("fe80::1").unwrap();
    assert_eq!(world.admit("::1"), Err(Refusal::PerSource));
}

/// The counts by source are no more than the connections, whatever comes and goes, and end with them.
#[test]
fn nothing_stays_of_connections_that_have_gone() {
    let mut world = World::new(|limits| limits.penalties.sources = 0);
    for round in 0..3_u32 {
        let sources: Vec<_> = (0..200_u32)
            .map(|n| {
                let address = IpAddr::from((0x0a00_0000 + round * 1000 + n).to_be_bytes());
                world.admit(&address.to_string()).unwrap()
            })
            .collect();
        for source in sources {
            world.gate.left(source, Some(Fault::Protocol), world.now);
        }
    }
    let counts = world.gate.counts();
    assert_eq!((counts.unauthenticated, counts.penalized), (0, 0));
    // One more than was there does no harm.
    world.gate.authenticated(None);
    assert_eq!(world.gate.counts().unauthenticated, 0);
}

#[test]
fn penalties_add_up_hold_and_pass() {
    let mut world = World::new(|_| {});
    // 5 seconds each: the third one makes 15.
    world.fail("192.0.2.1", Fault::AuthFailed).unwrap();
    world.fail("192.0.2.1", Fault::AuthFailed).unwrap();
    world.fail("192.0.2.1", Fault::AuthFailed).unwrap();
    assert_eq!(world.admit("192.0.2.1"), Err(Refusal::Penalty));
    assert!(world.admit("192.0.2.2").is_ok(), "another one");
    world.pass(14);
    assert_eq!(
        world.admit("192.0.2.1"),
        Err(Refusal::Penalty),
        "it holds to its end, though less than 15 seconds are left"
    );
    world.pass(1);
    assert!(world.fail("192.0.2.1", Fault::AuthFailed).is_ok());
    assert!(world.admit("192.0.2.1").is_ok(), "all begins anew");
    let counts = world.gate.counts();
    assert_eq!((counts.refused_penalty, counts.penalized), (2, 1));
}

#[test]
fn penalties_that_come_slowly_never_come_to_enough() {
    let mut world = World::new(|_| {});
    for _ in 0..100 {
        world.fail("192.0.2.1", Fault::AuthFailed).unwrap();
        world.pass(5);
    }
    assert!(world.admit("192.0.2.1").is_ok());
    assert_eq!(world.gate.counts().penalized, 0);
}

#[test]
fn a_penalty_is_never_longer_than_the_most() {
    let mut world = World::new(|_| {});
    let sources: Vec<_> = (0..64).map(|_| world.admit("192.0.2.1").unwrap()).collect();
    for source in sources {
        world
            .gate
            .left(source, Some(Fault::GraceExceeded), world.now);
        world.gate.limits.penalties.grace_exceeded = Duration::from_secs(1000);
    }
    world.pass(599);
    assert_eq!(world.admit("192.0.2.1"), Err(Refusal::Penalty));
    world.pass(1);
    assert!(world.admit("192.0.2.1").is_ok());
}

#[test]
fn times_without_end_do_no_harm() {
    let mut world = World::new(|limits| {
        limits.penalties.protocol = Duration::MAX;
        limits.penalties.most = Duration::MAX;
    });
    let _ = world.fail("192.0.2.1", Fault::Protocol);
    let _ = world.fail("192.0.2.1", Fault::Protocol);
}

#[test]
fn a_kind_that_costs_nothing_is_not_remembered() {
    let mut world = World::new(|limits| limits.penalties.no_auth = Duration::ZERO);
    for _ in 0..1000 {
        world.fail("192.0.2.1", Fault::NoAuth).unwrap();
    }
    assert_eq!(world.gate.counts().penalized, 0);
}

#[test]
fn who_is_exempt_or_has_no_address_is_held_to_the_total_alone() {
    let mut world = World::new(|limits| {
        limits.exempt = vec![Network::parse("192.0.2.0/24").unwrap()];
        limits.per_source = 1;
    });
    for _ in 0..100 {
        world.fail("192.0.2.1", Fault::Protocol).unwrap();
        world.fail("", Fault::Protocol).unwrap();
        world.admit("::ffff:192.0.2.1").unwrap();
        world.admit("").unwrap();
    }
    assert_eq!(world.gate.counts().unauthenticated, 200);
    assert_eq!(world.gate.counts().penalized, 0);
}

/// A flood from everywhere: the table does not grow, and the longest penalties stay.
#[test]
fn the_table_of_penalties_is_bounded() {
    let mut world = World::new(|limits| limits.penalties.sources = 100);
    for _ in 0..2 {
        world.fail("198.51.100.1", Fault::Protocol).unwrap();
    }
    assert_eq!(world.admit("198.51.100.1"), Err(Refusal::Penalty));
    for n in 0..10_000_u32 {
        let address = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        world.fail(&address.to_string(), Fault::NoAuth).unwrap();
        assert!(world.gate.counts().penalized <= 100);
    }
    assert_eq!(world.gate.counts().penalized, 100);
    assert_eq!(world.admit("198.51.100.1"), Err(Refusal::Penalty));
}

/// What is counted is what is there, whatever the order.
#[test]
fn random_comings_and_goings_keep_the_counts_right() {
    let mut world = World::new(|limits| {
        limits.start = 20;
        limits.full = 40;
        limits.per_source = 6;
        limits.penalties.sources = 5;
    });
    let mut here: Vec<Option<Source>> = Vec::new();
    let mut draw = SeededRandom::new(2);
    for _ in 0..20_000 {
        let mut bytes = [0; 4];
        draw.fill(&mut bytes);
        let [what, who, fault, time] = bytes;
        if what < 140 {
            if let Ok(source) = world.admit(&format!("192.0.2.{}", who % 12)) {
                here.push(source);
            }
        } else if !here.is_empty() {
            let source = here.swap_remove(usize::from(who) % here.len());
            match fault % 4 {
                0 => world.gate.authenticated(source),
                1 => world.gate.left(source, None, world.now),
                2 => world.gate.left(source, Some(Fault::NoAuth), world.now),
                _ => world.gate.left(source, Some(Fault::Protocol), world.now),
            }
        }
        world.now += Duration::from_millis(u64::from(time) * 4);
        let counts = world.gate.counts();
        assert_eq!(counts.unauthenticated, u64::try_from(here.len()).unwrap());
        assert!(here.len() <= 40 && counts.penalized <= 5);
        for source in &here {
            assert!(here.iter().filter(|other| *other == source).count() <= 6);
        }
    }
    let counts = world.gate.counts();
    assert!(counts.refused_total > 0 && counts.refused_per_source > 0);
    assert!(counts.refused_penalty > 0);
}
