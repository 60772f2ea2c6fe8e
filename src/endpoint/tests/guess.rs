//! A server that has the client's guess before it says what it prefers.

use super::plan::Plan;
use super::Pair;
use crate::crypto::algorithms::name;
use crate::transport::TransportConfig;

/// A session whose client guesses, and whose server would prefer something else.
fn plan() -> Plan {
    let mut plan = Plan::small();
    plan.client.guesses = true;
    plan.client.preferences.kex = vec![name::ECDH_SHA2_NISTP256, name::CURVE25519_SHA256];
    plan.server.preferences.kex = vec![name::CURVE25519_SHA256, name::ECDH_SHA2_NISTP256];
    plan
}

/// Whether the guess was right, in a session that came to its end.
fn was_right(plan: &Plan, split: Option<usize>) -> bool {
    let mut pair = Pair::new(plan);
    pair.to_server.split = split;
    pair.start();
    pair.pump();
    assert!(pair.client.authenticated && pair.server.authenticated);
    let negotiated = |config: &TransportConfig, side: &super::Side| {
        let negotiated = *side.endpoint.inbound.transport().negotiated().unwrap();
        let first = config.preferences.kex[0];
        assert_eq!(negotiated.kex.name == first, config.guesses);
        negotiated.preferred_by_both
    };
    let right = negotiated(&plan.client, &pair.client);
    assert_eq!(negotiated(&plan.server, &pair.server), right);
    right
}

#[test]
fn a_server_prefers_what_is_guessed() {
    assert!(was_right(&plan(), None));
}

#[test]
fn not_where_it_has_not_heard_it_yet() {
    let line = "SSH-2.0-libsshwire_0.1.0\r\n".len();
    for at in [line, line + 1, line + 5, line + 100] {
        assert!(!was_right(&plan(), Some(at)), "{at}");
    }
}

#[test]
fn not_where_nothing_is_guessed() {
    let mut plan = plan();
    plan.client.guesses = false;
    let mut pair = Pair::new(&plan);
    pair.start();
    pair.pump();
    let negotiated = *pair
        .client
        .endpoint
        .inbound
        .transport()
        .negotiated()
        .unwrap();
    assert!(!negotiated.preferred_by_both);
}

#[test]
fn nor_what_it_does_not_have() {
    let mut plan = plan();
    plan.client.preferences.kex = vec![name::DH_GROUP14_SHA256, name::CURVE25519_SHA256];
    let mut pair = Pair::new(&plan);
    pair.start();
    pair.pump();
    assert!(pair.client.authenticated);
    let transport = pair.client.endpoint.inbound.transport();
    let negotiated = transport.negotiated().unwrap();
    assert_eq!(negotiated.kex.name, name::CURVE25519_SHA256);
    assert!(!negotiated.preferred_by_both);
}
