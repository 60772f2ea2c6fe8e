//! A server that has the client's guess before it says what it prefers.

use super::plan::Plan;
use super::Pair;
use crate::crypto::algorithms::name;
use crate::crypto::random::SeededRandom;
use crate::keys::{KeyKind, PrivateKey};
use crate::transport::TransportConfig;

/// A session whose client guesses, and whose server would prefer something else.
fn plan() -> Plan {
    let mut plan = Plan::small();
    plan.client.guesses = true;
    plan.client.preferences.kex = vec![name::ECDH_SHA2_NISTP256, name::CURVE25519_SHA256];
    plan.server.preferences.kex = vec![name::CURVE25519_SHA256, name::ECDH_SHA2_NISTP256];
    plan.client.preferences.host_key = vec![name::ECDSA_SHA2_NISTP256, name::SSH_ED25519];
    plan.server.preferences.host_key = vec![name::SSH_ED25519, name::ECDSA_SHA2_NISTP256];
    let key = PrivateKey::generate(KeyKind::EcdsaP256, 0, &mut SeededRandom::new(2)).unwrap();
    plan.server.host_keys.push(key);
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
        let first = [config.preferences.kex[0], config.preferences.host_key[0]];
        let chosen = [negotiated.kex.name, negotiated.host_key.name];
        assert_eq!(chosen == first, config.guesses);
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
    let line = format!("SSH-2.0-{}\r\n", plan().client.software).len();
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

#[test]
fn a_marker_is_no_preference() {
    for marker in [name::EXT_INFO_S, name::KEX_STRICT_S] {
        let mut plan = plan();
        plan.client.preferences.kex.insert(0, marker);
        plan.client.guesses = false;
        let init = {
            let mut pair = Pair::new(&plan);
            pair.start();
            pair.client.endpoint.poll_transmit()
        };
        // What a client of ours cannot say: a guess, with a marker in front.
        let mut said = init;
        let ahead = crate::messages::kex::KexInitNames {
            kex: plan.client.preferences.kex.clone(),
            host_key: plan.client.preferences.host_key.clone(),
            cipher: &plan.client.preferences.cipher,
            mac: &plan.client.preferences.mac,
            compression: &plan.client.preferences.compression,
            guess_follows: true,
        };
        let payload = ahead.encode(&[7; 16]);
        let mut sealer = crate::packet::Sealer::new();
        sealer.seal(&[&payload], &mut said).unwrap();
        let mut pair = Pair::new(&plan);
        pair.start();
        pair.server.receive(&said, pair.now);
        let answer = pair.server.endpoint.poll_transmit();
        let line = answer.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let mut packet = answer[line..].to_vec();
        let opened = crate::packet::Opener::new()
            .open(&mut packet)
            .unwrap()
            .unwrap();
        let crate::packet::PayloadPlace::InPlace(range) = opened.payload else {
            panic!("nothing is compressed yet");
        };
        let init = crate::messages::kex::KexInit::decode(&packet[range]).unwrap();
        assert_eq!(init.kex.first(), Some(name::CURVE25519_SHA256), "{marker}");
        assert_eq!(init.host_key.first(), Some(name::ECDSA_SHA2_NISTP256));
    }
}
