//! Later key exchanges.

use std::time::Duration;

use super::{client_config, keyed_pair, keyed_pair_of, pump, server_config, Side};
use crate::error::{Error, KexFault, PeerMisbehaved};
use crate::messages::MessageNumber;
use crate::packet::RekeyLimits;
use crate::transport::Handled;

fn unexpected(number: u8) -> Error {
    PeerMisbehaved::UnexpectedMessage(MessageNumber(number)).into()
}

#[test]
fn rekey_by_either_side_and_by_both_at_once() {
    let (mut client, mut server) = keyed_pair();
    let id = client.layer.session_id().unwrap().to_vec();
    for who in [1, 2, 3] {
        if who & 1 != 0 {
            client.rekey();
        }
        if who & 2 != 0 {
            server.rekey();
        }
        // What is sent meanwhile waits.
        client.send(&[94, who]);
        server.send(&[94, who]);
        pump(&mut client, &mut server).unwrap();
        assert_eq!(client.delivered.pop().unwrap(), [94, who]);
        assert_eq!(server.delivered.pop().unwrap(), [94, who]);
        assert!(!client.layer.is_rekeying() && !server.layer.is_rekeying());
        assert!(client.layer.is_keyed());
        assert_eq!(client.keyed.len(), 1 + usize::from(who));
        assert_eq!(server.keyed.len(), 1 + usize::from(who));
        assert_eq!(client.layer.session_id().unwrap(), id);
        assert_eq!(server.layer.session_id().unwrap(), id);
    }
    assert_eq!(client.host_keys.len(), 1, "the key is shown once");
    assert_eq!(client.extensions, 1, "extensions are announced once");
}

#[test]
fn r2_rekey_by_bytes_under_load_both_ways() {
    let limits = RekeyLimits {
        bytes: 256 << 10,
        ..RekeyLimits::default()
    };
    let (mut client, mut server) = (client_config(), server_config());
    client.rekey = limits;
    server.rekey = limits;
    client.max_idle_rekeys = 0;
    server.max_idle_rekeys = 0;
    let (mut client, mut server) = keyed_pair_of(client, server);
    let mut sent = 0;
    for round in 0..400u32 {
        let mut payload = vec![94; 32 << 10];
        payload[1..5].copy_from_slice(&round.to_be_bytes());
        client.send(&payload);
        server.send(&payload);
        client.check_limits();
        server.check_limits();
        sent += 1;
        if round % 3 == 0 {
            pump(&mut client, &mut server).unwrap();
        }
    }
    pump(&mut client, &mut server).unwrap();
    for side in [&client, &server] {
        let rounds: Vec<u32> = side
            .delivered
            .iter()
            .map(|payload| u32::from_be_bytes(payload[1..5].try_into().unwrap()))
            .collect();
        assert_eq!(rounds, (0..sent).collect::<Vec<_>>());
        assert!(side.keyed.len() > 12, "{}", side.keyed.len());
    }
}

#[test]
fn rekey_after_every_packet() {
    let limits = RekeyLimits {
        packets: 1,
        ..RekeyLimits::default()
    };
    let (mut client, mut server) = (client_config(), server_config());
    client.rekey = limits;
    server.rekey = limits;
    let (mut client, mut server) = keyed_pair_of(client, server);
    for _ in 0..50 {
        client.send(&[94]);
        client.check_limits();
        server.check_limits();
        pump(&mut client, &mut server).unwrap();
    }
    assert_eq!(server.delivered.len(), 50);
    assert!(client.keyed.len() >= 50);
}

#[test]
fn r1_data_before_the_peers_kexinit_is_delivered_and_after_it_refused() {
    let (mut client, mut server) = keyed_pair();
    server.rekey();
    assert_eq!(server.handle(&[94, 1], 0), Ok(Handled::Service));
    client.receive(&std::mem::take(&mut server.outbox)).unwrap();
    client.inject(&[94, 2]);
    let error = server.receive(&std::mem::take(&mut client.outbox));
    assert_eq!(error, Err(unexpected(94)));
    assert_eq!(server.delivered, [[94, 1]]);
    assert_eq!(server.handle(&[94], 0), Err(unexpected(94)), "for good");
}

#[test]
fn r1_nothing_but_key_exchange_after_the_peers_kexinit() {
    for number in [5, 6, 7, 20, 50, 80, 94, 192, 200] {
        let (mut client, mut server) = keyed_pair();
        client.rekey();
        let kexinit = std::mem::take(&mut client.outbox);
        server.receive(&kexinit).unwrap();
        assert_eq!(server.handle(&[number], 1), Err(unexpected(number)));
    }
    let (mut client, mut server) = keyed_pair();
    client.rekey();
    let kexinit = std::mem::take(&mut client.outbox);
    server.receive(&kexinit).unwrap();
    assert_eq!(server.handle(&[2], 1), Ok(Handled::Consumed));
    assert!(server.layer.is_rekeying() && server.layer.is_keyed());
}

#[test]
fn r3_a_peer_that_does_not_answer() {
    let (mut client, _server) = keyed_pair();
    client.rekey();
    assert_eq!(client.wait(Duration::from_secs(59)), Ok(()));
    let error = Err(KexFault::Timeout.into());
    assert_eq!(client.wait(Duration::from_secs(1)), error);
    assert_eq!(client.layer.poll_timeout(), None);
}

#[test]
fn r3_a_peer_that_stops_after_its_kexinit() {
    let (mut client, mut server) = keyed_pair();
    client.rekey();
    server.receive(&std::mem::take(&mut client.outbox)).unwrap();
    server.outbox.clear();
    server.send(&[94]);
    assert!(server.outbox.is_empty(), "data is held");
    let error = Err(KexFault::Timeout.into());
    assert_eq!(server.wait(Duration::from_secs(60)), error);
}

#[test]
fn k5_no_packet_at_all_in_the_first_exchange_times_out() {
    let mut server = Side::new(server_config());
    server.receive(b"SSH-2.0-x\r\n").unwrap();
    assert!(server.layer.poll_timeout().is_some());
    let error = Err(KexFault::Timeout.into());
    assert_eq!(server.wait(Duration::from_secs(60)), error);
}

#[test]
fn the_first_exchange_has_a_time_of_its_own() {
    let mut config = server_config();
    config.first_kex_timeout = Duration::from_secs(300);
    config.kex_timeout = Duration::from_secs(1);
    let mut server = Side::new(config);
    server.receive(b"SSH-2.0-x\r\n").unwrap();
    assert_eq!(server.wait(Duration::from_secs(299)), Ok(()));
    let error = Err(KexFault::Timeout.into());
    assert_eq!(server.wait(Duration::from_secs(1)), error);
}

#[test]
fn rekey_by_time() {
    let (mut client, mut server) = keyed_pair();
    client.wait(Duration::from_secs(3599)).unwrap();
    assert!(client.outbox.is_empty());
    client.wait(Duration::from_secs(1)).unwrap();
    assert!(client.layer.is_rekeying());
    pump(&mut client, &mut server).unwrap();
    assert_eq!(client.keyed, [true, false]);
    let next = client.layer.poll_timeout().unwrap();
    assert_eq!(next, client.now + Duration::from_secs(3600));
}

#[test]
fn r5_key_exchanges_without_traffic_are_limited() {
    let (mut client, mut server) = keyed_pair();
    let mut done = 0;
    let error = loop {
        client.rekey();
        match pump(&mut client, &mut server) {
            Ok(()) => done += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(done, 16);
    assert!(matches!(
        error,
        Error::PeerMisbehaved(PeerMisbehaved::Rekey(_))
    ));
}

#[test]
fn key_exchanges_by_the_clock_are_not_limited() {
    let period = Duration::from_secs(60);
    let (mut client, mut server) = keyed_pair();
    for _ in 0..40 {
        client.wait(period).unwrap();
        server.wait(period).unwrap();
        client.rekey();
        pump(&mut client, &mut server).unwrap();
    }
    // Nor do they let a peer begin anew with those that are.
    for round in 0..=16 {
        let just_before = period - Duration::from_millis(1);
        client.wait(just_before).unwrap();
        server.wait(just_before).unwrap();
        client.rekey();
        assert_eq!(pump(&mut client, &mut server).is_ok(), round < 16);
    }
}
