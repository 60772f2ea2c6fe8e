//! Every message of a session, cut short, made longer, and with lengths that lie.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::{Pair, Plan};
use crate::messages::{MessageNumber, Role};

/// The payloads that a side sends in the small session.
fn payloads(role: Role) -> Vec<Vec<u8>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut pair = Pair::new(&Plan::small());
    let log = Arc::clone(&seen);
    pair.side(role).endpoint.outbound.tap = Some(Box::new(move |payload| {
        log.lock().unwrap().push(payload.to_vec());
        vec![payload.to_vec()]
    }));
    pair.start();
    pair.pump();
    pair.assert_done();
    let payloads = seen.lock().unwrap().clone();
    payloads
}

/// A session in which one payload of a side is replaced.
fn with(role: Role, place: usize, payload: Vec<u8>) -> Pair {
    let mut pair = Pair::new(&Plan::small());
    let mut count = 0;
    pair.side(role).endpoint.outbound.tap = Some(Box::new(move |sent| {
        count += 1;
        if count - 1 == place {
            vec![payload.clone()]
        } else {
            vec![sent.to_vec()]
        }
    }));
    pair.start();
    pair.pump();
    pair
}

/// The messages of which a damaged form did not end the connection, by sender.
fn tolerated(damage: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> BTreeSet<(bool, u8)> {
    let mut tolerated = BTreeSet::new();
    for role in [Role::Client, Role::Server] {
        for (place, payload) in payloads(role).into_iter().enumerate() {
            for damaged in damage(&payload) {
                let mut pair = with(role, place, damaged);
                if pair.side(role.peer()).error.is_none() {
                    tolerated.insert((role == Role::Client, payload[0]));
                }
            }
        }
    }
    tolerated
}

/// RFC 4254 §6.5: what does not fit a request is refused with CHANNEL_FAILURE, and the connection goes on.
const REQUESTS: [(bool, u8); 2] = [
    (false, MessageNumber::CHANNEL_REQUEST.0),
    (true, MessageNumber::CHANNEL_REQUEST.0),
];

#[test]
fn p8_trailing_bytes_are_refused_in_every_message() {
    let kept = tolerated(|payload| {
        [1, 4, 100]
            .map(|count| [payload, &vec![0; count][..]].concat())
            .to_vec()
    });
    for message in kept {
        assert!(REQUESTS.contains(&message), "{message:?}");
    }
}

#[test]
fn p8_every_truncation_of_every_message_is_refused() {
    let kept = tolerated(|payload| {
        (1..payload.len())
            .map(|end| payload[..end].to_vec())
            .collect()
    });
    for message in kept {
        assert!(REQUESTS.contains(&message), "{message:?}");
    }
}

/// A length field may be anywhere: four bytes of ones at every offset. Much of it is legal in some message;
/// what counts is that nobody panics, waits, or takes memory for it.
#[test]
fn p8_lengths_that_lie_at_every_offset() {
    for role in [Role::Client, Role::Server] {
        for (place, payload) in payloads(role).into_iter().enumerate() {
            for offset in 1..payload.len().saturating_sub(3) {
                let mut damaged = payload.clone();
                damaged[offset..offset + 4].fill(0xff);
                let pair = with(role, place, damaged);
                assert!(pair.client.sent() + pair.server.sent() < 10_000);
            }
        }
    }
}
