//! Peers that hold the right keys and break the rules.

use std::time::{Duration, Instant};

use super::{Pair, Plan};
use crate::codec::Writer;
use crate::crypto::algorithms::{name, CIPHERS, MACS};
use crate::error::{Error, PeerMisbehaved};
use crate::messages::{MessageNumber, Role};
use crate::packet::Sealer;

fn unexpected(number: u8) -> Error {
    PeerMisbehaved::UnexpectedMessage(MessageNumber(number)).into()
}

fn service_request(name: &str) -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(MessageNumber::SERVICE_REQUEST.0).string(name);
    })
}

fn none_request(user: &str) -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(MessageNumber::USERAUTH_REQUEST.0)
            .string(user)
            .string("ssh-connection")
            .string("none");
    })
}

/// The other side gets these payloads from this one. Returns by what error it ended, and that it said why.
#[track_caller]
fn sent_by(mut pair: Pair, hostile: Role, payloads: &[Vec<u8>], reason: u32) -> Error {
    for payload in payloads {
        pair.side(hostile).inject(payload);
    }
    pair.pump();
    pair.ended_by(hostile.peer(), reason)
}

#[test]
fn b1_b2_nothing_but_our_identification_is_sent_to_what_is_not_ssh() {
    for bytes in [vec![b'x'; 10 << 20], b"GET / HTTP/1.1\r\n".to_vec()] {
        let mut pair = Pair::new(&Plan::small());
        pair.start();
        pair.server.receive(&bytes, pair.now);
        assert!(matches!(pair.server.error, Some(Error::Identification(_))));
        let sent = pair.server.endpoint.poll_transmit();
        assert!(sent.starts_with(b"SSH-2.0-") && sent.ends_with(b"\r\n"));
        assert_eq!(sent.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}

#[test]
fn p5_unknown_messages_are_answered_once_each_by_number() {
    for (role, numbers) in [
        (
            Role::Client,
            &[0, 9, 19, 54, 79, 83, 89, 101, 127, 128, 199, 255][..],
        ),
        // PING is unknown to a side that did not announce it.
        (
            Role::Server,
            &[0, 9, 19, 54, 79, 83, 89, 101, 127, 128, 192, 255],
        ),
    ] {
        for number in numbers {
            let mut pair = Pair::open();
            let sequence = pair.side(role).endpoint.outbound.counters().packets;
            pair.side(role).inject(&[*number]);
            let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
            let log = std::sync::Arc::clone(&seen);
            pair.side(role.peer()).endpoint.outbound.tap = Some(Box::new(move |payload| {
                log.lock().unwrap().push(payload.to_vec());
                vec![payload.to_vec()]
            }));
            pair.pump();
            assert_eq!((&pair.client.error, &pair.server.error), (&None, &None));
            let answer = Writer::collect(|w| {
                w.u8(MessageNumber::UNIMPLEMENTED.0)
                    .u32(u32::try_from(sequence).unwrap());
            });
            assert_eq!(*seen.lock().unwrap(), [answer], "{number}");
        }
    }
}

#[test]
fn p6_ignore_and_debug_leave_nothing_behind() {
    let mut pair = Pair::open();
    let text = "\x1b[31m".repeat(6000);
    let ignore = Writer::collect(|w| {
        w.u8(MessageNumber::IGNORE.0).string(&text);
    });
    let debug = Writer::collect(|w| {
        w.u8(MessageNumber::DEBUG.0)
            .bool(true)
            .string(&text)
            .string("");
    });
    for _ in 0..1000 {
        pair.client.inject(&ignore);
        pair.client.inject(&debug);
        pair.pump();
    }
    assert_eq!((&pair.client.error, &pair.server.error), (&None, &None));
    assert_eq!(pair.server.debugs.len(), 1000);
    for shown in &pair.server.debugs {
        assert!(shown.len() < 2000 && !shown.contains('\x1b'));
    }
    assert!(pair.server.endpoint.unread.is_empty());
    let error = sent_by(Pair::open(), Role::Client, &[debug[..20].to_vec()], 2);
    assert!(matches!(error, Error::InvalidMessage { .. }));
}

#[test]
fn p7_disconnects_of_all_sorts_are_never_answered() {
    let long = "x".repeat(200_000);
    for (reason, text) in [
        (0, &b"bye"[..]),
        (255, b"\xff\xfe\x1b[2J"),
        (u32::MAX, long.as_bytes()),
        (2, b""),
    ] {
        let whole = Writer::collect(|w| {
            w.u8(MessageNumber::DISCONNECT.0)
                .u32(reason)
                .string(text)
                .string("");
        });
        for length in [whole.len(), whole.len() - 4, 5] {
            for role in [Role::Client, Role::Server] {
                let mut pair = Pair::open();
                pair.side(role).inject(&whole[..length]);
                pair.pump();
                let Some(Error::Disconnected {
                    reason: found,
                    description,
                }) = &pair.side(role.peer()).error
                else {
                    panic!("not over");
                };
                assert_eq!(found.0, reason);
                assert!(description.len() < 2000);
                assert!(!description.chars().any(char::is_control));
                assert_eq!(pair.side(role).error, None, "no answer");
            }
        }
    }
}

#[test]
fn p10_compression_must_be_agreed_on_and_wait_for_the_user() {
    let mut plan = Plan::small();
    plan.client.preferences.compression = vec![name::ZLIB];
    let pair = Pair::run(&plan);
    assert!(matches!(
        pair.server.error,
        Some(Error::NoCommonAlgorithm(_))
    ));
    // Compressed before the user is in: to the server that is a message of number 0x78.
    let mut pair = Pair::run(&{
        let mut plan = Plan::small().with_compression(name::ZLIB_OPENSSH);
        plan.channels = 0;
        plan
    });
    assert!(pair.server.authenticated, "with compression");
    pair = Pair::keyed_with(&Plan::small().with_compression(name::ZLIB_OPENSSH));
    let deflated = [&[0x78, 0x9c][..], &service_request("ssh-userauth")].concat();
    assert_eq!(
        sent_by(pair, Role::Client, &[deflated], 2),
        unexpected(0x78)
    );
}

#[test]
fn a1_connection_messages_before_authentication() {
    for number in 80..=127 {
        for payloads in [
            vec![vec![number, 0, 0, 0, 0]],
            vec![service_request("ssh-userauth"), vec![number, 0, 0, 0, 0]],
        ] {
            for hostile in [Role::Client, Role::Server] {
                if hostile == Role::Server && payloads.len() > 1 {
                    continue;
                }
                let mut pair = Pair::keyed();
                for payload in &payloads {
                    pair.side(hostile).inject(payload);
                }
                pair.pump();
                let victim = pair.side(hostile.peer());
                assert_eq!(victim.error, Some(unexpected(number)));
                assert_eq!(victim.endpoint.services.connection.channel_count(), 0);
            }
        }
    }
}

#[test]
fn a2_messages_of_the_other_role_change_nothing() {
    for (hostile, numbers) in [
        (Role::Client, &[6, 51, 52, 53, 60][..]),
        (Role::Server, &[5, 50, 61]),
    ] {
        for number in numbers {
            let mut pair = Pair::keyed();
            pair.side(hostile).inject(&[*number]);
            pair.pump();
            assert_eq!(pair.ended_by(hostile.peer(), 2), unexpected(*number));
            let victim = pair.side(hostile.peer());
            assert!(!victim.endpoint.services.is_authenticated());
            assert_eq!(victim.endpoint.services.user(), None);
        }
    }
}

#[test]
fn a3_services_that_are_not_there() {
    let error = sent_by(
        Pair::keyed(),
        Role::Client,
        &[service_request("ssh-nothing")],
        7,
    );
    assert!(matches!(error, Error::ServiceNotAvailable(_)));
    let mut pair = Pair::keyed();
    pair.client.inject(&service_request("ssh-connection"));
    pair.pump();
    assert!(pair.server.error.is_some(), "not before authentication");
    sent_by(Pair::keyed(), Role::Client, &[none_request("user")], 2);
    let after = sent_by(
        Pair::open(),
        Role::Client,
        &[service_request("ssh-userauth")],
        2,
    );
    assert_eq!(after, unexpected(5));
}

#[test]
fn a14_after_success() {
    let mut pair = Pair::open();
    pair.client.inject(&none_request("root"));
    pair.pump();
    assert_eq!((&pair.client.error, &pair.server.error), (&None, &None));
    assert_eq!(pair.server.endpoint.services.user(), Some("user"));
    let banner = Writer::collect(|w| {
        w.u8(MessageNumber::USERAUTH_BANNER.0)
            .string("late")
            .string("");
    });
    for payload in [vec![52], banner, vec![51, 0, 0, 0, 0, 0]] {
        let number = payload[0];
        let error = sent_by(Pair::open(), Role::Server, &[payload], 2);
        assert_eq!(error, unexpected(number));
    }
}

#[test]
fn e2_ext_info_after_authentication() {
    for hostile in [Role::Client, Role::Server] {
        let info = vec![7, 0, 0, 0, 0];
        let error = sent_by(Pair::open(), hostile, &[info], 2);
        assert_eq!(error, unexpected(7));
    }
}

#[test]
fn l1_login_grace_ends_a_dialogue_that_is_alive() {
    let mut pair = Pair::keyed();
    let start = pair.now;
    for second in 0..120 {
        let now = start + Duration::from_secs(second);
        pair.client.inject(&[2, 0, 0, 0, 0]);
        let bytes = pair.client.endpoint.poll_transmit();
        pair.server.receive(&bytes, now);
        pair.server.wait(now);
        assert_eq!(pair.server.error, None);
    }
    assert_eq!(
        pair.server.endpoint.poll_timeout(),
        Some(start + Duration::from_secs(120))
    );
    pair.server.wait(start + Duration::from_secs(120));
    pair.pump();
    let error = pair.ended_by(Role::Server, 14);
    assert!(matches!(error, Error::AuthLimit(_)));
}

/// A relay between both sides (CVE-2023-48795): it puts IGNORE in front of the server's NEWKEYS, and deletes
/// the first sealed packet, EXT_INFO.
fn relayed(plan: &Plan, insert: bool) -> Pair {
    let mut pair = Pair::new(plan);
    pair.start();
    let mut sealed = false;
    for _ in 0..20 {
        pair.client.drive(pair.now);
        pair.server.drive(pair.now);
        let up = pair.client.endpoint.poll_transmit();
        let mut down = pair.server.endpoint.poll_transmit();
        if !sealed {
            (down, sealed) = tampered(&down, insert);
        }
        pair.server.receive(&up, pair.now);
        pair.client.receive(&down, pair.now);
    }
    assert!(sealed, "NEWKEYS was not seen");
    pair
}

/// Packets in the clear as a relay sends them on, and whether NEWKEYS was among them.
fn tampered(bytes: &[u8], insert: bool) -> (Vec<u8>, bool) {
    let mut start = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) if bytes.starts_with(b"SSH-") => end + 1,
        _ => 0,
    };
    let mut out = bytes[..start].to_vec();
    while start < bytes.len() {
        let length = u32::from_be_bytes(bytes[start..start + 4].try_into().unwrap());
        let end = start + 4 + usize::try_from(length).unwrap();
        if bytes[start + 5] == MessageNumber::NEWKEYS.0 {
            if insert {
                Sealer::new().seal(&[&[2, 0, 0, 0, 0]], &mut out).unwrap();
            }
            out.extend(&bytes[start..end]);
            // What follows in this flight is EXT_INFO alone.
            assert!(end < bytes.len());
            return (out, true);
        }
        out.extend(&bytes[start..end]);
        start = end;
    }
    (out, false)
}

#[test]
fn s4_relay_that_inserts_ignore_and_deletes_the_first_sealed_packet() {
    for cipher in CIPHERS {
        for mac in MACS {
            for insert in [true, false] {
                let plan = Plan::small().with_cipher(cipher.name, mac.name);
                let pair = relayed(&plan, insert);
                let error = pair.client.error.clone().unwrap();
                if insert {
                    let strict = PeerMisbehaved::StrictKex(MessageNumber::IGNORE);
                    assert_eq!(error, strict.into(), "{} {}", cipher.name, mac.name);
                } else {
                    assert!(
                        matches!(error, Error::Mac | Error::PeerMisbehaved(_)),
                        "{error:?}"
                    );
                }
                assert!(!pair.client.authenticated && !pair.server.authenticated);
            }
            if cipher.aead {
                break;
            }
        }
    }
}

/// The same bytes in the same order give the same end, whatever the time.
#[test]
fn bytes_behind_an_error_are_not_looked_at() {
    let mut pair = Pair::open();
    pair.client.inject(&[52]);
    pair.pump();
    let first = pair.ended_by(Role::Server, 2);
    let again = pair.server.endpoint.receive(b"more", Instant::now());
    assert_eq!(again, Err(first));
}

#[test]
fn what_many_events_took_is_given_back() {
    let mut pair = Pair::open();
    let question = Writer::collect(|w| {
        w.u8(MessageNumber::GLOBAL_REQUEST.0)
            .string("unknown@example.org")
            .bool(true);
    });
    for _ in 0..100 {
        pair.client.inject(&question);
    }
    let bytes = pair.client.endpoint.poll_transmit();
    pair.server.endpoint.receive(&bytes, pair.now).unwrap();
    let mut events = 0;
    while pair.server.endpoint.poll_event().is_some() {
        events += 1;
    }
    assert_eq!(events, 100);
    let services = pair.server.endpoint.services();
    assert!(services.capacity() >= 100, "{}", services.capacity());
    services.shrink();
    assert_eq!(services.capacity(), 0);
}
