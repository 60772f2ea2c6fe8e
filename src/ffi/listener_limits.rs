//! The policy of an `ssh_listener`, and what has come of it.

use std::ffi::c_char;
use std::time::Duration;

use crate::keys::certificate::address::Network;

use super::guard::{self, Failure};
use super::handle;
use super::listener::ssh_listener;
use super::memory;
use super::status::{ssh_status, SSH_OK};

/// What a connection is penalized for: it has left without having tried to log in; 1,000 ms at first.
pub const SSH_PENALTY_NO_AUTH: i32 = 1;

/// What a connection is penalized for: it has ended after attempts to log in that failed; 5,000 ms at first.
pub const SSH_PENALTY_AUTH_FAILED: i32 = 2;

/// What a connection is penalized for: it was not logged in when its time was over; 10,000 ms at first.
pub const SSH_PENALTY_GRACE_EXCEEDED: i32 = 3;

/// What a connection is penalized for: it has broken the protocol; 10,000 ms at first.
pub const SSH_PENALTY_PROTOCOL: i32 = 4;

/// What is counted: connections that were let in.
pub const SSH_LISTENER_ACCEPTED: i32 = 1;

/// What is counted: connections that were refused because too many were not logged in yet.
pub const SSH_LISTENER_REFUSED_TOTAL: i32 = 2;

/// What is counted: connections that were refused because too many of their source were not logged in yet.
pub const SSH_LISTENER_REFUSED_PER_SOURCE: i32 = 3;

/// What is counted: connections that were refused for the penalties of their source.
pub const SSH_LISTENER_REFUSED_PENALTY: i32 = 4;

/// What is counted: how often nothing could be accepted because descriptors or memory were short.
pub const SSH_LISTENER_SHORTAGES: i32 = 5;

/// What is counted: connections now that are not logged in.
pub const SSH_LISTENER_UNAUTHENTICATED: i32 = 6;

/// What is counted: those among them that nobody has taken.
pub const SSH_LISTENER_WAITING: i32 = 7;

/// What is counted: sources now that have penalties, whether they are enough to be refused or not.
pub const SSH_LISTENER_PENALIZED: i32 = 8;

/// Bounds the connections that are not logged in. Up to `start` all are let in; from there on some are refused by chance,
/// so that a flood does not take every place: `rate_percent` of a hundred at first, evenly more up to all of them at `full`.
///
/// @param listener      the listener
/// @param start         256 at first
/// @param rate_percent  0 to 100; 30 at first
/// @param full          most of them, at least 1 and at least `start`; 512 at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread; holds for connections to come. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_set_max_unauthenticated(
    listener: *mut ssh_listener,
    start: u32,
    rate_percent: u32,
    full: u32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(listener)?;
        let rate = u8::try_from(rate_percent).unwrap_or(u8::MAX);
        if full == 0 || start > full || rate > 100 {
            return Err(Failure::invalid(
                "full is at least 1 and at least start, and a rate is 0 to 100 percent",
            ));
        }
        object.driver.set_limits(|limits| {
            limits.start = size(start);
            limits.rate_percent = rate;
            limits.full = size(full);
        });
        Ok(SSH_OK)
    })
}

/// Bounds the connections of one source that are not logged in, and says what a source is: addresses that have so many
/// leading bits in common.
///
/// @param listener   the listener
/// @param max        most of them; 64 at first, 0 for no bound but that in all
/// @param ipv4_bits  0 to 32; 32 at first
/// @param ipv6_bits  0 to 128; 64 at first
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread; holds for connections to come. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_set_max_per_source(
    listener: *mut ssh_listener,
    max: u32,
    ipv4_bits: u32,
    ipv6_bits: u32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(listener)?;
        let (ipv4, ipv6) = match (u8::try_from(ipv4_bits), u8::try_from(ipv6_bits)) {
            (Ok(ipv4 @ 0..=32), Ok(ipv6 @ 0..=128)) => (ipv4, ipv6),
            _ => return Err(Failure::invalid("at most 32 and 128 bits")),
        };
        object.driver.set_limits(|limits| {
            limits.per_source = size(max);
            limits.ipv4_bits = ipv4;
            limits.ipv6_bits = ipv6;
        });
        Ok(SSH_OK)
    })
}

/// Sets what a source is penalized with for each connection that comes to nothing. Penalties add up and run off with the
/// time; ssh_listener_set_penalty_bounds() says when they have an effect. Those that this side ends cost nothing.
///
/// @param listener    the listener
/// @param kind        SSH_PENALTY_NO_AUTH, ...
/// @param penalty_ms  milliseconds, 0 for none
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_set_penalty(
    listener: *mut ssh_listener,
    kind: i32,
    penalty_ms: u32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(listener)?;
        let mut known = true;
        object.driver.set_limits(|limits| {
            let rules = &mut limits.penalties;
            let cost = match kind {
                SSH_PENALTY_NO_AUTH => &mut rules.no_auth,
                SSH_PENALTY_AUTH_FAILED => &mut rules.auth_failed,
                SSH_PENALTY_GRACE_EXCEEDED => &mut rules.grace_exceeded,
                SSH_PENALTY_PROTOCOL => &mut rules.protocol,
                _ => {
                    known = false;
                    return;
                }
            };
            *cost = milliseconds(penalty_ms);
        });
        match known {
            true => Ok(SSH_OK),
            false => Err(Failure::invalid("an unknown kind of penalty")),
        }
    })
}

/// Says when penalties have an effect. Once those of a source add up to `least_ms`, its connections are refused until they
/// have run off.
///
/// @param listener  the listener
/// @param least_ms  milliseconds; 15,000 at first
/// @param most_ms   milliseconds that they never add up to more than; 600,000 at first
/// @param sources   most sources that are remembered; 65,536 at first. Of more, those are forgotten whose penalties run off
///                  first; 0 turns penalties off
/// @return SSH_OK, SSH_ERR_INVALID_ARG when the most is less than the least, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_set_penalty_bounds(
    listener: *mut ssh_listener,
    least_ms: u32,
    most_ms: u32,
    sources: u32,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(listener)?;
        if most_ms < least_ms {
            return Err(Failure::invalid("the most is less than the least"));
        }
        object.driver.set_limits(|limits| {
            limits.penalties.least = milliseconds(least_ms);
            limits.penalties.most = milliseconds(most_ms);
            limits.penalties.sources = size(sources);
        });
        Ok(SSH_OK)
    })
}

/// Has a network count in all only: no bound for each source, no penalties. For monitoring, and for proxies that bring many
/// people from one address.
///
/// @param listener  the listener
/// @param network   an address, or one with the number of leading bits that count, such as "192.0.2.0/24"; up to 256 of them
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread; holds for connections to come. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_add_exempt(
    listener: *mut ssh_listener,
    network: *const c_char,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(listener)?;
        let network = Network::parse(memory::text(network, "the network")?)
            .ok_or_else(|| Failure::invalid("no address or network"))?;
        let mut room = true;
        object.driver.set_limits(|limits| {
            room = limits.exempt.len() < MAX_EXEMPT;
            if room {
                limits.exempt.push(network);
            }
        });
        match room {
            true => Ok(SSH_OK),
            false => Err(Failure::invalid("at most 256 networks")),
        }
    })
}

/// Tells what has happened so far, or how things are now.
///
/// @param listener  the listener
/// @param kind      SSH_LISTENER_ACCEPTED, ...
/// @return the number; 0 also when `listener` is none or the kind is unknown. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_listener_counter(listener: *const ssh_listener, kind: i32) -> u64 {
    guard::value(0, || {
        let object = handle::get(listener)?;
        let counts = object.driver.counts();
        Ok(match kind {
            SSH_LISTENER_ACCEPTED => counts.accepted,
            SSH_LISTENER_REFUSED_TOTAL => counts.refused_total,
            SSH_LISTENER_REFUSED_PER_SOURCE => counts.refused_per_source,
            SSH_LISTENER_REFUSED_PENALTY => counts.refused_penalty,
            SSH_LISTENER_SHORTAGES => object.driver.shortages(),
            SSH_LISTENER_UNAUTHENTICATED => counts.unauthenticated,
            SSH_LISTENER_WAITING => u64::try_from(object.driver.waiting()).unwrap_or(u64::MAX),
            SSH_LISTENER_PENALIZED => counts.penalized,
            _ => return Err(Failure::invalid("an unknown kind of counter")),
        })
    })
}

// --- behind the functions -------------------------------------------------------------------------

const MAX_EXEMPT: usize = 256;

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(u64::from(number))
}
