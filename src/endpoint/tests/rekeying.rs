//! Key exchanges in the middle of everything.

use std::time::Duration;

use super::{Pair, Plan};
use crate::codec::Writer;
use crate::connection::{ChannelRequest, OpenKind, Stream};
use crate::crypto::algorithms::name;
use crate::error::{Error, KexFault, PeerMisbehaved};
use crate::messages::{MessageNumber, Role};
use crate::packet::RekeyLimits;

fn ping(length: usize) -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(MessageNumber::PING.0).string(vec![b'p'; length]);
    })
}

fn data(recipient: u32, bytes: &[u8]) -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(MessageNumber::CHANNEL_DATA.0)
            .u32(recipient)
            .string(bytes);
    })
}

#[test]
fn r2_rekey_every_packet_by_either_side_and_by_both() {
    for (client, server) in [
        (Some(1), None),
        (None, Some(1)),
        (Some(1), Some(1)),
        (Some(2), Some(1)),
        (Some(3), Some(7)),
    ] {
        let mut plan = Plan::small().rekey_each(client, server);
        plan.channels = 8;
        plan.bytes = 24_000;
        let pair = Pair::run(&plan);
        pair.assert_done();
        // A side that has sent NEWKEYS goes on to send while it waits for the peer's.
        let least = 24_000 / 1500 / 2 / client.or(server).unwrap();
        let keyed = u64::try_from(pair.client.keyed).unwrap();
        assert!(keyed >= least, "{client:?} {server:?} {keyed}");
        assert_eq!(pair.client.keyed, pair.server.keyed);
    }
}

#[test]
fn r2_rekey_every_packet_in_every_kind_of_cipher() {
    for (cipher, mac, compression) in [
        (name::AES128_GCM, name::HMAC_SHA2_256, name::NONE),
        (name::AES256_CTR, name::HMAC_SHA2_512, name::ZLIB_OPENSSH),
        (name::AES128_CTR, name::HMAC_SHA2_256_ETM, name::ZLIB),
    ] {
        let mut plan = Plan::small()
            .with_cipher(cipher, mac)
            .with_compression(compression)
            .rekey_each(Some(2), Some(3));
        plan.channels = 3;
        plan.bytes = 20_000;
        let pair = Pair::run(&plan);
        pair.assert_done();
        assert!(pair.client.keyed > 10);
    }
}

#[test]
fn r2_rekey_by_bytes_under_load_both_ways_on_eight_channels() {
    let mut plan = Plan::small().with_cipher(name::AES128_GCM, name::HMAC_SHA2_256);
    plan.channels = 8;
    plan.bytes = 512 << 10;
    for config in [&mut plan.client, &mut plan.server] {
        config.rekey = RekeyLimits {
            bytes: 256 << 10,
            ..RekeyLimits::default()
        };
    }
    let pair = Pair::run(&plan);
    pair.assert_done();
    assert!(pair.client.keyed > 4, "at least one for each MiB");
}

#[test]
fn r1_data_behind_the_peers_kexinit_and_in_front_of_it() {
    let mut pair = Pair::open();
    pair.client.endpoint.rekey(pair.now).unwrap();
    pair.client.inject(&data(0, b"late"));
    pair.pump();
    let unexpected = PeerMisbehaved::UnexpectedMessage(MessageNumber::CHANNEL_DATA);
    assert_eq!(pair.ended_by(Role::Server, 2), unexpected.into());
    assert!(pair.server.only_channel().received.is_empty());

    let mut pair = Pair::open();
    pair.server.endpoint.rekey(pair.now).unwrap();
    let id = pair.client.only_id();
    let written = pair.client.endpoint.write(id, Stream::Data, b"early");
    assert_eq!(written, Ok(5));
    pair.pump();
    assert_eq!((&pair.client.error, &pair.server.error), (&None, &None));
    assert_eq!(pair.server.only_channel().received, b"early");
    assert_eq!((pair.client.keyed, pair.server.keyed), (2, 2));
}

#[test]
fn r3_writers_wait_while_the_peer_is_silent_after_its_kexinit() {
    let mut pair = Pair::open();
    pair.client.endpoint.rekey(pair.now).unwrap();
    let kexinit = pair.client.endpoint.poll_transmit();
    pair.server.receive(&kexinit, pair.now);
    let before = pair.server.sent();
    let id = pair.server.only_id();
    for _ in 0..1000 {
        let written = pair.server.endpoint.write(id, Stream::Data, &[0; 30_000]);
        assert_eq!(written, Ok(0));
    }
    assert_eq!(pair.server.sent(), before, "nothing piles up");
    let almost = pair.now + Duration::from_secs(59);
    pair.server.wait(almost);
    assert_eq!(pair.server.error, None);
    pair.server.wait(pair.now + Duration::from_secs(60));
    let after = pair.server.endpoint.write(id, Stream::Data, b"x");
    assert_eq!(after, Err(Error::Closed));
    pair.pump();
    assert_eq!(pair.ended_by(Role::Server, 3), KexFault::Timeout.into());
}

/// What the peer makes us say during a key exchange that it does not go on with must be held back, and is
/// bounded.
#[test]
fn r4_replies_held_during_a_key_exchange_are_bounded() {
    let global = Writer::collect(|w| {
        w.u8(MessageNumber::GLOBAL_REQUEST.0)
            .string("nobody@knows")
            .bool(true);
    });
    let request = Writer::collect(|w| {
        w.u8(MessageNumber::CHANNEL_REQUEST.0)
            .u32(0)
            .string("nobody@knows")
            .bool(true);
    });
    for flood in [ping(0), ping(1000), vec![199], global, request] {
        let mut pair = Pair::open();
        // Our KEXINIT is out; the peer acts as if it had not come.
        pair.server.endpoint.rekey(pair.now).unwrap();
        let mut sent = 0;
        while pair.server.error.is_none() && sent < 100_000 {
            for _ in 0..50 {
                pair.client.inject(&flood);
                sent += 1;
            }
            let bytes = pair.client.endpoint.poll_transmit();
            pair.server.receive(&bytes, pair.now);
            let waiting = pair.server.endpoint.services.out.len_bytes();
            assert!(waiting < (1 << 20) + 100_000, "{waiting}");
        }
        assert!(
            matches!(pair.server.error, Some(Error::Limit(_))),
            "{:?} after {sent} of {flood:?}",
            pair.server.error
        );
    }
}

/// RFC 4253 §7.1: commands given during a key exchange wait and are carried out in their order.
#[test]
fn commands_during_a_key_exchange_wait() {
    let mut pair = Pair::open();
    let now = pair.now;
    pair.client.endpoint.rekey(now).unwrap();
    let before = pair.client.sent();
    let id = pair.client.only_id();
    pair.client.command(now, |services| {
        let env = ChannelRequest::Env {
            name: b"A".to_vec(),
            value: b"b".to_vec(),
        };
        services
            .connection
            .request(id, &env, true, &mut services.out)?;
        services
            .connection
            .open(OpenKind::Session, &mut services.out)
    });
    assert_eq!(pair.client.sent(), before);
    pair.pump();
    assert_eq!((&pair.client.error, &pair.server.error), (&None, &None));
    assert_eq!(pair.server.opened, 2);
    assert_eq!(pair.client.keyed, 2);
}
