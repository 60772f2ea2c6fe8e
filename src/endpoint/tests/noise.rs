//! Messages that mean nothing, between all that mean something.

use super::{Pair, Plan, Side};
use crate::codec::Writer;
use crate::crypto::algorithms::name;
use crate::messages::{MessageNumber, Role};

const UNKNOWN: MessageNumber = MessageNumber(9);

fn ignore() -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(MessageNumber::IGNORE.0).string("noise");
    })
}

fn debug() -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(MessageNumber::DEBUG.0)
            .bool(false)
            .string("noise")
            .string("");
    })
}

fn unimplemented() -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(MessageNumber::UNIMPLEMENTED.0).u32(3);
    })
}

fn ping() -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(MessageNumber::PING.0).string("noise");
    })
}

/// Puts noise in front of every payload but the first ones, which strict key exchange protects, and
/// EXT_INFO, whose place is fixed.
fn make_noisy(side: &mut Side) {
    let mut first = true;
    let mut exchanging = true;
    side.endpoint.outbound.tap = Some(Box::new(move |payload| {
        let number = MessageNumber(payload[0]);
        let mut payloads = Vec::new();
        let answers = matches!(number, MessageNumber::UNIMPLEMENTED | MessageNumber::PONG);
        // Noise in front of answers to noise would never end.
        if !first && !answers && number != MessageNumber::EXT_INFO {
            payloads.extend([ignore(), debug(), unimplemented(), vec![UNKNOWN.0]]);
            // RFC 4253 §7.1 allows these numbers in a key exchange, and no others.
            if !exchanging {
                payloads.extend([ping(), vec![199, 1, 2]]);
            }
        }
        match number {
            MessageNumber::KEXINIT => exchanging = true,
            MessageNumber::NEWKEYS => (first, exchanging) = (false, false),
            _ => {}
        }
        payloads.push(payload.to_vec());
        payloads
    }));
}

fn noisy_session(plan: &Plan) -> Pair {
    let mut pair = Pair::new(plan);
    make_noisy(&mut pair.client);
    make_noisy(&mut pair.server);
    pair.start();
    pair.pump();
    pair.assert_done();
    pair
}

#[test]
fn noise_between_all_messages() {
    let mut plan = Plan::small();
    plan.channels = 3;
    plan.bytes = 5000;
    let pair = noisy_session(&plan);
    assert!(pair.client.debugs.len() > 20 && pair.server.debugs.len() > 20);
    assert!(pair.client.debugs.iter().all(|text| text == "noise"));
    // Only the server announces that it answers.
    assert!(pair.client.pongs > 20);
    assert_eq!(pair.server.pongs, 0);
}

#[test]
fn noise_between_all_messages_and_rekeys_all_the_time() {
    for (client, server) in [(Some(20), None), (None, Some(20)), (Some(17), Some(23))] {
        let mut plan = Plan::small().rekey_each(client, server);
        plan.channels = 3;
        plan.bytes = 20_000;
        let pair = noisy_session(&plan);
        assert!(pair.client.keyed > 5, "{}", pair.client.keyed);
    }
}

#[test]
fn s1_noise_in_a_strict_first_key_exchange_ends_it() {
    for noise in [ignore(), debug(), unimplemented(), ping(), vec![UNKNOWN.0]] {
        for noisy in [Role::Client, Role::Server] {
            // In front of which of KEXINIT, the method's message and NEWKEYS.
            for place in 0..3 {
                let mut pair = Pair::new(&Plan::small());
                let side = match noisy {
                    Role::Client => &mut pair.client,
                    Role::Server => &mut pair.server,
                };
                let (noise, mut count) = (noise.clone(), 0);
                side.endpoint.outbound.tap = Some(Box::new(move |payload| {
                    count += 1;
                    if count - 1 == place {
                        vec![noise.clone(), payload.to_vec()]
                    } else {
                        vec![payload.to_vec()]
                    }
                }));
                pair.start();
                pair.pump();
                pair.ended_by(noisy.peer(), 2);
                assert!(!pair.client.authenticated && !pair.server.authenticated);
            }
        }
    }
}

/// The server may have let the user in, and inflate from there on, when it gets what the client said before it knew.
#[test]
fn what_is_said_while_the_server_decides_is_read_as_it_was_sent() {
    let mut plan = Plan::small().with_compression(name::ZLIB_OPENSSH);
    plan.meanwhile = vec![ignore(), ping(), debug()];
    let pair = Pair::run(&plan);
    pair.assert_done();
    assert!(pair.client.pongs > 1);
    assert!(pair.server.debugs.len() > 1);
}
