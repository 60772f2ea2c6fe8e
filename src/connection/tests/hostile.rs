//! One layer against a peer that breaks the rules: the cases C, W and G of the project's list of attacks.

use super::{Pair, Side};
use crate::codec::Writer;
use crate::connection::{
    ChannelId, ChannelRequest, ConnectionEvent, ConnectionLimits, OpenKind, Stream,
};
use crate::error::{Error, PeerMisbehaved};
use crate::messages::channel_request::ChannelRequestMessage;
use crate::messages::connection::{ChannelOpen, ChannelOpenConfirmation, ChannelOpenFailure};
use crate::messages::{MessageNumber, Role};
use crate::packet::PeerHabits;

pub(super) type Outcome = Result<(), Error>;

pub(super) fn misbehaved(case: PeerMisbehaved) -> Outcome {
    Err(Error::PeerMisbehaved(case))
}

/// A server with one open session whose client is the test. The peer's number is 42.
pub(super) fn server_with_session() -> (Side, ChannelId) {
    let mut side = Side::new(Role::Server);
    let id = session(&mut side);
    (side, id)
}

pub(super) fn session(side: &mut Side) -> ChannelId {
    open(side, b"session", 42, 1 << 20, 32_768).unwrap();
    let ConnectionEvent::OpenQuestion { id, .. } = side.event() else {
        panic!()
    };
    side.layer.answer_open(id, Ok(()), &mut side.out).unwrap();
    side.sent();
    id
}

/// A client with one open session whose server is the test. The peer's number is 42.
pub(super) fn client_with_session() -> (Side, ChannelId) {
    let mut side = Side::new(Role::Client);
    let id = side.layer.open(OpenKind::Session, &mut side.out).unwrap();
    confirm(&mut side, id, 1 << 20, 32_768).unwrap();
    assert_eq!(side.event(), ConnectionEvent::Opened(id));
    side.sent();
    (side, id)
}

fn open(side: &mut Side, kind: &[u8], sender: u32, window: u32, packet: u32) -> Outcome {
    let message = ChannelOpen {
        kind,
        sender,
        window_bytes: window,
        max_packet_bytes: packet,
        specific: &[],
    };
    side.gets(|w| message.encode(w))
}

fn confirm(side: &mut Side, id: ChannelId, window: u32, packet: u32) -> Outcome {
    let message = ChannelOpenConfirmation {
        recipient: id.0,
        sender: 42,
        window_bytes: window,
        max_packet_bytes: packet,
        specific: &[],
    };
    side.gets(|w| message.encode(w))
}

fn data(side: &mut Side, id: ChannelId, data: &[u8]) -> Outcome {
    side.gets(|w| {
        w.u8(94).u32(id.0).string(data);
    })
}

fn extended(side: &mut Side, id: ChannelId, kind: u32, data: &[u8]) -> Outcome {
    side.gets(|w| {
        w.u8(95).u32(id.0).u32(kind).string(data);
    })
}

fn adjust(side: &mut Side, id: ChannelId, bytes: u32) -> Outcome {
    side.gets(|w| {
        w.u8(93).u32(id.0).u32(bytes);
    })
}

pub(super) fn plain(side: &mut Side, number: MessageNumber, id: ChannelId) -> Outcome {
    side.gets(|w| {
        w.u8(number.0).u32(id.0);
    })
}

pub(super) fn request(
    side: &mut Side,
    id: ChannelId,
    name: &[u8],
    reply: bool,
    specific: &[u8],
) -> Outcome {
    let message = ChannelRequestMessage {
        recipient: id.0,
        name,
        want_reply: reply,
        specific,
    };
    side.gets(|w| message.encode(w))
}

pub(super) fn global(side: &mut Side, name: &[u8], reply: bool) -> Outcome {
    side.gets(|w| {
        w.u8(80).string(name).bool(reply);
    })
}

#[test]
fn c1_unknown_channels() {
    let everything = |side: &mut Side, id: ChannelId| {
        vec![
            data(side, id, b"x"),
            extended(side, id, 1, b"x"),
            adjust(side, id, 1),
            plain(side, MessageNumber::CHANNEL_EOF, id),
            plain(side, MessageNumber::CHANNEL_CLOSE, id),
            request(side, id, b"shell", true, b""),
            plain(side, MessageNumber::CHANNEL_SUCCESS, id),
            plain(side, MessageNumber::CHANNEL_FAILURE, id),
        ]
    };
    let refused = |side: &mut Side, id: ChannelId| {
        for outcome in everything(side, id) {
            assert_eq!(outcome, misbehaved(PeerMisbehaved::UnknownChannel(id.0)));
        }
        assert!(side.events.is_empty() && side.out.is_empty());
    };
    let (mut side, id) = server_with_session();
    refused(&mut side, ChannelId(id.0 + 1));
    refused(&mut side, ChannelId(u32::MAX));
    // Asked for and not answered.
    open(&mut side, b"session", 7, 1, 1).unwrap();
    let ConnectionEvent::OpenQuestion { id: asked, .. } = side.event() else {
        panic!()
    };
    refused(&mut side, asked);
    // Not confirmed.
    let mut client = Side::new(Role::Client);
    let opening = client
        .layer
        .open(OpenKind::Session, &mut client.out)
        .unwrap();
    client.sent();
    refused(&mut client, opening);
}

/// What one thread of a peer says when another has just said CLOSE.
fn late(side: &mut Side, id: ChannelId) {
    data(side, id, b"x").unwrap();
    extended(side, id, 1, b"x").unwrap();
    adjust(side, id, u32::MAX).unwrap();
    plain(side, MessageNumber::CHANNEL_EOF, id).unwrap();
    request(side, id, b"shell", true, b"").unwrap();
    plain(side, MessageNumber::CHANNEL_SUCCESS, id).unwrap();
    plain(side, MessageNumber::CHANNEL_FAILURE, id).unwrap();
    assert!(side.events.is_empty() && side.out.is_empty());
}

#[test]
fn c1_closed_channels() {
    let (mut side, first) = server_with_session();
    // Closed by both, and not given back by the application.
    plain(&mut side, MessageNumber::CHANNEL_CLOSE, first).unwrap();
    side.sent();
    side.events.clear();
    late(&mut side, first);
    assert_eq!(
        plain(&mut side, MessageNumber::CHANNEL_CLOSE, first),
        misbehaved(PeerMisbehaved::AfterClose)
    );
    // Given back.
    side.layer.release(first, &mut side.out);
    assert_eq!(side.layer.channel_count(), 0);
    late(&mut side, first);
    let unknown = misbehaved(PeerMisbehaved::UnknownChannel(first.0));
    assert_eq!(
        plain(&mut side, MessageNumber::CHANNEL_CLOSE, first),
        unknown
    );
    assert_eq!(confirm(&mut side, first, 1, 1), unknown);
    // What is late is not for a new channel, whatever numbers come next.
    side.layer.table.set_next(first.0);
    let second = session(&mut side);
    assert_ne!(second, first);
    late(&mut side, first);
    assert!(data(&mut side, second, b"x").is_ok());
    side.events.clear();
    // Also where the numbers begin again.
    side.layer.table.set_next(u32::MAX);
    let last = session(&mut side);
    assert_eq!(last, ChannelId(u32::MAX));
    plain(&mut side, MessageNumber::CHANNEL_CLOSE, last).unwrap();
    side.layer.release(last, &mut side.out);
    side.events.clear();
    side.sent();
    let around = session(&mut side);
    assert!(![first, second, last].contains(&around));
    late(&mut side, first);
    late(&mut side, last);
    // Nobody is late for ever: numbers of long ago are unknown.
    for _ in 0..1000 {
        let id = session(&mut side);
        plain(&mut side, MessageNumber::CHANNEL_CLOSE, id).unwrap();
        side.layer.release(id, &mut side.out);
        side.events.clear();
        side.sent();
        late(&mut side, id);
    }
    assert_eq!(data(&mut side, first, b"x"), unknown);
}

/// However a channel has ended: if the peer has closed it, what it says then is late, and otherwise it may say nothing.
#[test]
fn c1_all_ways_for_a_channel_to_end() {
    // Given back before the peer closes it, with a question that nobody has answered.
    let (mut side, id) = server_with_session();
    request(&mut side, id, b"shell", true, b"").unwrap();
    side.events.clear();
    side.layer.release(id, &mut side.out);
    side.sent();
    assert_eq!(data(&mut side, id, b"x"), Ok(()));
    plain(&mut side, MessageNumber::CHANNEL_CLOSE, id).unwrap();
    assert_eq!(side.layer.channel_count(), 0);
    late(&mut side, id);
    assert_eq!(side.layer.question_budget.used(), 0);
    // Given up before the peer agrees to it.
    let (mut client, _) = client_with_session();
    let given_up = client
        .layer
        .open(OpenKind::Session, &mut client.out)
        .unwrap();
    client.layer.release(given_up, &mut client.out);
    confirm(&mut client, given_up, 1, 1).unwrap();
    client.sent();
    assert_eq!(data(&mut client, given_up, b"x"), Ok(()));
    plain(&mut client, MessageNumber::CHANNEL_CLOSE, given_up).unwrap();
    assert_eq!(client.layer.channel_count(), 1);
    late(&mut client, given_up);
    // Never open: one that the peer has refused, and one that we have.
    let refused = client
        .layer
        .open(OpenKind::Session, &mut client.out)
        .unwrap();
    client
        .gets(|w| {
            w.u8(92).u32(refused.0).u32(1).string(b"").string(b"");
        })
        .unwrap();
    let unknown = misbehaved(PeerMisbehaved::UnknownChannel(refused.0));
    assert_eq!(data(&mut client, refused, b"x"), unknown);
    open(&mut side, b"session", 7, 1, 1).unwrap();
    let ConnectionEvent::OpenQuestion { id: asked, .. } = side.event() else {
        panic!()
    };
    side.layer.release(asked, &mut side.out);
    let unknown = misbehaved(PeerMisbehaved::UnknownChannel(asked.0));
    assert_eq!(data(&mut side, asked, b"x"), unknown);
}

#[test]
fn c2_after_eof_and_close() {
    let after = misbehaved(PeerMisbehaved::AfterClose);
    let (mut side, id) = server_with_session();
    plain(&mut side, MessageNumber::CHANNEL_EOF, id).unwrap();
    assert_eq!(side.event(), ConnectionEvent::Eof(id));
    assert_eq!(data(&mut side, id, b"x"), after);
    assert_eq!(extended(&mut side, id, 1, b"x"), after);
    plain(&mut side, MessageNumber::CHANNEL_EOF, id).unwrap();
    assert!(side.events.is_empty(), "the second one is no news");
    assert_eq!(data(&mut side, id, b"x"), after);
    plain(&mut side, MessageNumber::CHANNEL_CLOSE, id).unwrap();
    assert_eq!(
        side.sent(),
        [[97, 0, 0, 0, 42]],
        "CLOSE is answered by CLOSE"
    );
    assert_eq!(side.event(), ConnectionEvent::Closed(id));
    late(&mut side, id);
    assert_eq!(plain(&mut side, MessageNumber::CHANNEL_CLOSE, id), after);
}

#[test]
fn a_client_that_overlooks_its_end_is_woken() {
    let ignore = vec![2, 0, 0, 0, 0];
    for overlooks_its_end in [false, true] {
        let (mut side, id) = server_with_session();
        side.layer.set_habits(PeerHabits {
            overlooks_its_end,
            ..PeerHabits::default()
        });
        side.layer.close(id, &mut side.out).unwrap();
        assert_eq!(side.sent(), [[97, 0, 0, 0, 42]]);
        plain(&mut side, MessageNumber::CHANNEL_CLOSE, id).unwrap();
        let woken = side.sent();
        assert_eq!(woken, vec![ignore.clone(); usize::from(overlooks_its_end)]);
    }
    // Where it closed first, our CLOSE wakes it.
    let (mut side, id) = server_with_session();
    side.layer.set_habits(PeerHabits {
        overlooks_its_end: true,
        ..PeerHabits::default()
    });
    plain(&mut side, MessageNumber::CHANNEL_CLOSE, id).unwrap();
    assert_eq!(side.sent(), [[97, 0, 0, 0, 42]]);
    // A server has no end of this kind.
    let (mut side, id) = client_with_session();
    side.layer.set_habits(PeerHabits {
        overlooks_its_end: true,
        ..PeerHabits::default()
    });
    side.layer.close(id, &mut side.out).unwrap();
    side.sent();
    plain(&mut side, MessageNumber::CHANNEL_CLOSE, id).unwrap();
    assert!(side.sent().is_empty());
}

#[test]
fn c3_any_number_of_opens() {
    let mut side = Side::new(Role::Server);
    let limit = ConnectionLimits::default().max_channels;
    for n in 0..10_000 {
        open(&mut side, b"session", n, 1, 1).unwrap();
    }
    assert_eq!(side.layer.channel_count(), limit);
    assert_eq!(side.events.len(), limit);
    let refusals = side.sent();
    assert_eq!(refusals.len(), 10_000 - limit);
    for payload in &refusals {
        assert_eq!(ChannelOpenFailure::decode(payload).unwrap().reason, 4);
    }
    // Opened and closed again: nothing stays.
    let mut side = Side::new(Role::Server);
    for _ in 0..10_000 {
        let id = session(&mut side);
        plain(&mut side, MessageNumber::CHANNEL_CLOSE, id).unwrap();
        side.layer.release(id, &mut side.out);
        side.events.clear();
        side.sent();
    }
    assert_eq!(side.layer.channel_count(), 0);
    assert_eq!(side.layer.question_budget.used(), 0);
}

#[test]
fn c3_unanswered_questions_are_bounded_in_bytes() {
    let mut side = Side::new(Role::Server);
    for n in 0..100 {
        let message = ChannelOpen {
            kind: b"x@example.org",
            sender: n,
            window_bytes: 1,
            max_packet_bytes: 1,
            specific: &[0; 200_000],
        };
        side.gets(|w| message.encode(w)).unwrap();
    }
    let max = ConnectionLimits::default().max_pending_bytes;
    assert!(side.events.len() * 200_000 <= max);
    assert_eq!(side.sent().len(), 100 - side.events.len());
}

#[test]
fn c4_open_replies_that_fit_no_open() {
    let unsolicited = misbehaved(PeerMisbehaved::UnsolicitedReply);
    let fail = |side: &mut Side, id: ChannelId| {
        let message = ChannelOpenFailure {
            recipient: id.0,
            reason: 1,
            description: b"",
            language: b"",
        };
        side.gets(|w| message.encode(w))
    };
    let (mut side, id) = client_with_session();
    assert_eq!(confirm(&mut side, id, 1, 1), unsolicited);
    assert_eq!(fail(&mut side, id), unsolicited);
    let unknown = misbehaved(PeerMisbehaved::UnknownChannel(77));
    assert_eq!(confirm(&mut side, ChannelId(77), 1, 1), unknown);
    assert_eq!(fail(&mut side, ChannelId(77)), unknown);
    // Of a channel that the peer itself has asked for.
    let mut server = Side::new(Role::Server);
    open(&mut server, b"session", 1, 1, 1).unwrap();
    assert_eq!(confirm(&mut server, ChannelId(0), 1, 1), unsolicited);
    assert_eq!(fail(&mut server, ChannelId(0)), unsolicited);
    // Trailing bytes, where the channel type has no fields.
    let opening = side.layer.open(OpenKind::Session, &mut side.out).unwrap();
    let message = ChannelOpenConfirmation {
        recipient: opening.0,
        sender: 1,
        window_bytes: 1,
        max_packet_bytes: 1,
        specific: b"x",
    };
    assert!(matches!(
        side.gets(|w| message.encode(w)),
        Err(Error::InvalidMessage { .. })
    ));
}

#[test]
fn c5_packet_sizes_and_windows() {
    // 0 is refused in either direction.
    let mut side = Side::new(Role::Server);
    open(&mut side, b"session", 3, 1, 0).unwrap();
    assert!(side.events.is_empty());
    assert_eq!(
        ChannelOpenFailure::decode(&side.sent()[0])
            .unwrap()
            .recipient,
        3
    );
    assert_eq!(side.layer.channel_count(), 0);
    let mut side = Side::new(Role::Client);
    let id = side.layer.open(OpenKind::Session, &mut side.out).unwrap();
    assert!(matches!(
        confirm(&mut side, id, 1, 0),
        Err(Error::PeerMisbehaved(_))
    ));
    // Tiny ones work, huge ones are clamped.
    for (packet, expected) in [(1, 1), (8, 8), (u32::MAX, 65_536)] {
        let mut side = Side::new(Role::Client);
        let id = side.layer.open(OpenKind::Session, &mut side.out).unwrap();
        confirm(&mut side, id, u32::MAX, packet).unwrap();
        side.sent();
        let leave = side.layer.reserve(id, Stream::Data, 100).unwrap();
        assert_eq!(
            (leave.bytes, leave.max_packet, leave.recipient),
            (100, expected, 42)
        );
        side.write(id, Stream::Data, &[0; 24]).unwrap();
        assert_eq!(side.sent().len(), 24usize.div_ceil(expected));
    }
    let mut side = Side::new(Role::Client);
    let id = side.layer.open(OpenKind::Session, &mut side.out).unwrap();
    confirm(&mut side, id, 0, 100).unwrap();
    assert_eq!(side.layer.reserve(id, Stream::Data, 5).unwrap().bytes, 0);
}

#[test]
fn c9_extended_data_of_no_meaning_are_credited() {
    let (mut side, id) = client_with_session();
    let window = ConnectionLimits::default().window_initial as usize;
    let mut total = 0;
    for kind in [0, 2, u32::MAX] {
        for _ in 0..window / 32_768 {
            extended(&mut side, id, kind, &[0; 32_768]).unwrap();
            total += 32_768;
        }
    }
    let credited: usize = side
        .sent()
        .iter()
        .map(|payload| u32::from_be_bytes(payload[5..9].try_into().unwrap()) as usize)
        .sum();
    assert_eq!(credited, total);
    assert!(side.events.is_empty());
    // To a server, even type 1 means nothing.
    let (mut side, id) = server_with_session();
    for _ in 0..window / 16_384 {
        extended(&mut side, id, 1, &[0; 32_768]).unwrap();
    }
    assert!(side.events.is_empty());
    assert_eq!(side.layer.buffered(id, Stream::Stderr), 0);
}

#[test]
fn c10_channel_types_of_the_wrong_side() {
    let to_client: [&[u8]; 6] = [
        b"session",
        b"direct-tcpip",
        b"x11",
        b"auth-agent@openssh.com",
        b"forwarded-tcpip",
        b"whatever@example.org",
    ];
    let to_server: [&[u8]; 3] = [b"x11", b"auth-agent@openssh.com", b"forwarded-tcpip"];
    for (role, kinds) in [
        (Role::Client, &to_client[..]),
        (Role::Server, &to_server[..]),
    ] {
        let mut side = Side::new(role);
        for kind in kinds {
            open(&mut side, kind, 5, 1, 1).unwrap();
            let sent = side.sent();
            assert_eq!(ChannelOpenFailure::decode(&sent[0]).unwrap().reason, 1);
            assert!(side.events.is_empty());
        }
        assert_eq!(side.layer.channel_count(), 0);
    }
    // After the client has asked for them, they come; until it forbids them again.
    let mut side = Side::new(Role::Client);
    side.layer.allow_open("auth-agent@openssh.com", true);
    open(&mut side, b"auth-agent@openssh.com", 5, 1, 1).unwrap();
    assert!(matches!(side.event(), ConnectionEvent::OpenQuestion { .. }));
    side.layer.allow_open("auth-agent@openssh.com", false);
    open(&mut side, b"auth-agent@openssh.com", 5, 1, 1).unwrap();
    assert!(side.events.is_empty());
}

#[test]
fn f1_bad_addresses_are_refused_without_a_question() {
    let mut side = Side::new(Role::Server);
    for (host, port) in [
        (&b"h"[..], 65_536),
        (b"h", u32::MAX),
        (&[b'h'; 65_536], 1),
        (b"a\0", 1),
    ] {
        let specific = Writer::collect(|w| {
            w.string(host).u32(port).string("o").u32(1);
        });
        let message = ChannelOpen {
            kind: b"direct-tcpip",
            sender: 1,
            window_bytes: 1,
            max_packet_bytes: 1,
            specific: &specific,
        };
        side.gets(|w| message.encode(w)).unwrap();
        assert_eq!(
            ChannelOpenFailure::decode(&side.sent()[0]).unwrap().reason,
            2
        );
    }
    assert!(side.events.is_empty());
    let broken = open(&mut side, b"direct-tcpip", 1, 1, 1);
    assert!(matches!(broken, Err(Error::InvalidMessage { .. })));
}

#[test]
fn w1_w2_data_beyond_window_and_packet_size() {
    let limits = ConnectionLimits {
        window_initial: 100_000,
        ..Default::default()
    };
    let mut side = Side::with(Role::Server, limits);
    let id = session(&mut side);
    let size = misbehaved(PeerMisbehaved::PacketSizeExceeded);
    assert_eq!(data(&mut side, id, &[0; 65_537]), size);
    assert_eq!(extended(&mut side, id, 5, &[0; 65_537]), size);
    data(&mut side, id, &[0; 65_536]).unwrap();
    let window = misbehaved(PeerMisbehaved::WindowExceeded);
    assert_eq!(data(&mut side, id, &[0; 100_001 - 65_536]), window);
    data(&mut side, id, &[0; 100_000 - 65_536]).unwrap();
    assert_eq!(data(&mut side, id, &[0]), window);
    data(&mut side, id, &[]).unwrap();
    assert_eq!(side.layer.buffered(id, Stream::Data), 100_000);
    // The same holds while our CLOSE is under way: nothing is given out twice.
    side.layer.close(id, &mut side.out).unwrap();
    assert_eq!(data(&mut side, id, &[0]), window);
}

#[test]
fn w3_adjustments() {
    let (mut side, id) = client_with_session();
    for _ in 0..1_000_000 {
        adjust(&mut side, id, 0).unwrap();
    }
    assert!(side.events.is_empty());
    adjust(&mut side, id, u32::MAX - (1 << 20)).unwrap();
    let overflow = misbehaved(PeerMisbehaved::WindowOverflow);
    assert_eq!(adjust(&mut side, id, 1), overflow);
    side.layer.reserve(id, Stream::Data, 50).unwrap();
    plain(&mut side, MessageNumber::CHANNEL_EOF, id).unwrap();
    adjust(&mut side, id, 25).unwrap();
    plain(&mut side, MessageNumber::CHANNEL_CLOSE, id).unwrap();
    adjust(&mut side, id, 25).unwrap();
    side.events.clear();
    adjust(&mut side, id, 0).unwrap();
    assert!(side.events.is_empty());
}

#[test]
fn no_more_sessions_is_kept() {
    let (mut side, id) = server_with_session();
    global(&mut side, b"no-more-sessions@openssh.com", false).unwrap();
    open(&mut side, b"session", 9, 1, 1).unwrap();
    assert_eq!(
        ChannelOpenFailure::decode(&side.sent()[0]).unwrap().reason,
        1
    );
    assert!(side.events.is_empty());
    data(&mut side, id, b"the first goes on").unwrap();
}

#[test]
fn messages_of_other_layers_and_empty_ones() {
    let mut side = Side::new(Role::Server);
    assert_eq!(side.receive(&[]), misbehaved(PeerMisbehaved::EmptyPayload));
    for number in (0..80).chain(83..90).chain(101..=255) {
        let expected = PeerMisbehaved::UnexpectedMessage(MessageNumber(number));
        assert_eq!(side.receive(&[number]), misbehaved(expected));
    }
}

#[test]
fn every_cut_and_every_changed_byte_is_survived() {
    // A talk recorded from a pair, then replayed with damage: no panic, and errors only of the right kinds.
    let mut pair = Pair::new();
    let (ours, _) = pair.session();
    pair.client
        .layer
        .request(ours, &ChannelRequest::Shell, true, &mut pair.client.out)
        .unwrap();
    pair.client
        .layer
        .global_request("x", b"data", true, &mut pair.client.out)
        .unwrap();
    pair.client.write(ours, Stream::Data, b"data").unwrap();
    pair.client.layer.eof(ours, &mut pair.client.out).unwrap();
    pair.client.layer.close(ours, &mut pair.client.out).unwrap();
    let talk = pair.client.sent();
    for (at, payload) in talk.iter().enumerate() {
        for position in 0..payload.len() {
            let (mut side, _) = server_with_session();
            for before in &talk[..at] {
                side.receive(before).unwrap();
            }
            let cut = side.receive(&payload[..position]);
            assert!(
                cut.is_err() || payload[0] == 80 || payload[0] == 81,
                "{at} cut at {position}"
            );
            for bit in 0..8 {
                let (mut side, _) = server_with_session();
                let mut damaged = payload.clone();
                damaged[position] ^= 1 << bit;
                let _ = side.receive(&damaged);
            }
        }
    }
}
