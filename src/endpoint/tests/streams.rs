//! The stream in all the pieces it can come in, and broken off at every place.

use super::{pattern, Pair, Plan};
use crate::connection::Stream;
use crate::crypto::algorithms::name;
use crate::error::Error;
use crate::messages::Role;

/// One plan for each way to find the end of a packet.
fn plans() -> Vec<Plan> {
    let mut plans = vec![
        Plan::small(),
        Plan::small().with_cipher(name::AES128_GCM, name::HMAC_SHA2_256),
        Plan::small()
            .with_cipher(name::AES256_CTR, name::HMAC_SHA2_256)
            .with_compression(name::ZLIB_OPENSSH),
        Plan::small().with_cipher(name::AES256_CTR, name::HMAC_SHA2_512_ETM),
    ];
    plans[0].rekey = true;
    plans
}

/// Every offset of a stream. Where a plan differs from the first one only in how packets are sealed, every
/// third does.
fn offsets(plan: usize, length: usize) -> impl Iterator<Item = usize> {
    (plan..length).step_by(if plan == 0 { 1 } else { 3 })
}

#[test]
fn p11_session_split_at_every_offset() {
    for (number, plan) in plans().iter().enumerate() {
        let whole = Pair::run(plan);
        whole.assert_done();
        for (direction, length) in [whole.to_server.carried, whole.to_client.carried]
            .into_iter()
            .enumerate()
        {
            for offset in offsets(number, length) {
                let mut pair = Pair::new(plan);
                match direction {
                    0 => pair.to_server.split = Some(offset),
                    _ => pair.to_client.split = Some(offset),
                }
                pair.start();
                pair.pump();
                pair.assert_done();
            }
        }
    }
}

#[test]
fn p11_session_one_byte_at_a_time() {
    for mut plan in plans() {
        plan.channels = 3;
        plan.bytes = 3000;
        for (up, down) in [(true, false), (false, true), (true, true)] {
            let mut pair = Pair::new(&plan);
            pair.to_server.bytewise = up;
            pair.to_client.bytewise = down;
            pair.start();
            pair.pump();
            pair.assert_done();
        }
    }
}

/// After the end of the stream: data that came whole can be read, the rest is an error that says why.
fn check_broken(pair: &mut Pair) {
    let now = pair.now;
    for side in [&mut pair.client, &mut pair.server] {
        assert_eq!(side.error, None, "a cut is no fault of the peer");
        side.endpoint.stream_ended();
        side.drive(now);
        let ids: Vec<_> = side.channels.keys().copied().collect();
        for id in ids {
            let buffered = side.endpoint.services.connection.buffered(id, Stream::Data);
            let before = side.channels[&id].received.len();
            side.read_all(id, now);
            let progress = &side.channels[&id];
            assert!(progress.eof, "a reader must not wait for ever");
            assert_eq!(progress.received.len(), before + buffered);
            let expected = pattern(side.role.peer(), progress.index, side.plan.bytes);
            assert!(expected.starts_with(&progress.received));
            let written = side.endpoint.write(id, Stream::Data, b"x");
            assert!(matches!(written, Err(Error::Closed)), "{written:?}");
        }
        let opened = side.endpoint.command(now, |services| {
            services
                .connection
                .open(crate::connection::OpenKind::Session, &mut services.out)
        });
        assert_eq!(opened, Err(Error::Closed));
    }
}

#[test]
fn p4_session_cut_at_every_offset() {
    for (number, mut plan) in plans().into_iter().enumerate() {
        // Data stay in the channel until the stream is broken.
        plan.read = false;
        let whole = Pair::run(&plan);
        assert_eq!(
            whole.client.endpoint.services.connection.channel_count(),
            1,
            "nobody has read the end"
        );
        for role in [Role::Client, Role::Server] {
            let length = match role {
                Role::Client => whole.to_server.carried,
                Role::Server => whole.to_client.carried,
            };
            for offset in offsets(number, length) {
                let mut pair = Pair::new(&plan);
                match role {
                    Role::Client => pair.to_server.cut = Some(offset),
                    Role::Server => pair.to_client.cut = Some(offset),
                }
                pair.start();
                pair.pump();
                check_broken(&mut pair);
            }
        }
    }
}
