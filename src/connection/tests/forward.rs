//! Forwards: which channels a client lets through, and which requests reach a server's application.

use super::{Pair, Side};
use crate::codec::Writer;
use crate::connection::{
    ConnectionEvent, ConnectionLimits, ForwardPoint, ForwardRequest, GlobalRequestId, OpenKind,
};
use crate::error::Error;
use crate::messages::connection::{ChannelOpen, ChannelOpenFailure};
use crate::messages::global_request::{GlobalRequest, RequestFailure, RequestSuccess};
use crate::messages::Role;

fn tcp(host: &str, port: u16) -> ForwardPoint {
    ForwardPoint::Tcp {
        host: host.to_owned(),
        port,
    }
}

fn forwarded(host: &str, port: u32) -> OpenKind {
    OpenKind::ForwardedTcpip {
        host: host.to_owned(),
        port,
        originator: String::from("192.0.2.1"),
        originator_port: 9,
    }
}

fn ask(side: &mut Side, point: ForwardPoint) -> Result<GlobalRequestId, Error> {
    let id = side.layer.request_forward(point, &mut side.out);
    side.sent();
    id
}

/// A forward that the server has granted with `data`.
fn granted(side: &mut Side, point: ForwardPoint, data: &[u8]) -> GlobalRequestId {
    let id = ask(side, point).unwrap();
    side.gets(|w| RequestSuccess { data }.encode(w)).unwrap();
    let reply = ConnectionEvent::GlobalReply {
        id,
        answer: Ok(data.to_vec()),
    };
    assert_eq!(side.event(), reply);
    id
}

fn cancel(side: &mut Side, point: &ForwardPoint) -> bool {
    let outcome = side.layer.cancel_forward(point, false, &mut side.out);
    side.sent();
    outcome.is_ok()
}

/// Whether the application is asked about an open; if it is not, the refusal must be "prohibited".
fn is_asked(side: &mut Side, kind: &OpenKind) -> bool {
    let specific = Writer::collect(|w| kind.encode(w));
    let message = ChannelOpen {
        kind: kind.name().as_bytes(),
        sender: 5,
        window_bytes: 1,
        max_packet_bytes: 1,
        specific: &specific,
    };
    side.gets(|w| message.encode(w)).unwrap();
    if let Some(event) = side.events.pop_front() {
        assert!(matches!(event, ConnectionEvent::OpenQuestion { .. }));
        assert!(side.sent().is_empty());
        return true;
    }
    assert_eq!(
        ChannelOpenFailure::decode(&side.sent()[0]).unwrap().reason,
        1
    );
    false
}

#[test]
fn f2_only_what_was_requested_and_is_live() {
    let mut side = Side::new(Role::Client);
    assert!(!is_asked(&mut side, &forwarded("localhost", 80)));
    let id = granted(&mut side, tcp("localhost", 80), b"");
    assert_eq!(side.layer.forward_point(id), Some(&tcp("localhost", 80)));
    assert!(is_asked(&mut side, &forwarded("localhost", 80)));
    assert!(!is_asked(&mut side, &forwarded("localhost", 81)));
    assert!(!is_asked(&mut side, &forwarded("192.0.2.7", 80)));
    let elsewhere = OpenKind::ForwardedStreamlocal {
        path: String::from("/run/s"),
    };
    assert!(!is_asked(&mut side, &elsewhere));
    assert!(cancel(&mut side, &tcp("localhost", 80)));
    assert!(!cancel(&mut side, &tcp("localhost", 80)));
    assert!(!is_asked(&mut side, &forwarded("localhost", 80)));
}

#[test]
fn f2_a_chosen_port_lets_nothing_through_before_it_is_known() {
    let mut side = Side::new(Role::Client);
    let id = ask(&mut side, tcp("", 0)).unwrap();
    assert!(!is_asked(&mut side, &forwarded("", 0)));
    assert!(!is_asked(&mut side, &forwarded("", 4000)));
    side.gets(|w| {
        RequestSuccess {
            data: &4000_u32.to_be_bytes(),
        }
        .encode(w)
    })
    .unwrap();
    side.event();
    assert_eq!(side.layer.forward_of(&forwarded("", 4000)), Some(id));
    assert!(is_asked(&mut side, &forwarded("", 4000)));
    assert!(!is_asked(&mut side, &forwarded("", 4001)));
    assert!(cancel(&mut side, &tcp("", 4000)));
}

#[test]
fn f2_servers_may_name_all_addresses_and_the_loopback_differently() {
    let mut side = Side::new(Role::Client);
    granted(&mut side, tcp("", 80), b"");
    granted(&mut side, tcp("localhost", 81), b"");
    assert!(is_asked(&mut side, &forwarded("0.0.0.0", 80)));
    assert!(is_asked(&mut side, &forwarded("127.0.0.1", 81)));
    assert!(!is_asked(&mut side, &forwarded("127.0.0.1", 80)));
    assert!(!is_asked(&mut side, &forwarded("0.0.0.0", 81)));
}

#[test]
fn f2_sockets_are_compared_by_their_whole_path() {
    let mut side = Side::new(Role::Client);
    let socket = |path: &str| OpenKind::ForwardedStreamlocal {
        path: path.to_owned(),
    };
    let point = ForwardPoint::Unix {
        path: String::from("/run/s"),
    };
    granted(&mut side, point.clone(), b"");
    assert!(is_asked(&mut side, &socket("/run/s")));
    assert!(!is_asked(&mut side, &socket("/run/s2")));
    assert!(!is_asked(&mut side, &forwarded("/run/s", 1)));
    assert!(cancel(&mut side, &point));
    assert!(!is_asked(&mut side, &socket("/run/s")));
}

#[test]
fn f4_agent_and_x11_channels_need_leave_although_a_forward_is_live() {
    let mut side = Side::new(Role::Client);
    granted(&mut side, tcp("", 80), b"");
    assert!(!is_asked(&mut side, &OpenKind::AuthAgent));
    let x11 = OpenKind::X11 {
        originator: String::from("::1"),
        originator_port: 1,
    };
    assert!(!is_asked(&mut side, &x11));
}

#[test]
fn forwards_are_bounded_and_distinct() {
    let limits = ConnectionLimits {
        max_forwards: 2,
        ..ConnectionLimits::default()
    };
    let mut side = Side::with(Role::Client, limits);
    granted(&mut side, tcp("a", 1), b"");
    let again = ask(&mut side, tcp("a", 1));
    assert!(matches!(again, Err(Error::ApiMisuse(_))));
    ask(&mut side, tcp("a", 2)).unwrap();
    let beyond = ask(&mut side, tcp("a", 3));
    assert!(matches!(beyond, Err(Error::Limit(_))));
    // Refused ones leave their place, and so do cancelled ones.
    side.gets(|w| RequestFailure.encode(w)).unwrap();
    ask(&mut side, tcp("a", 3)).unwrap();
    assert!(cancel(&mut side, &tcp("a", 1)));
    ask(&mut side, tcp("a", 4)).unwrap();
}

#[test]
fn a_forward_that_nobody_waits_for_any_more_is_cancelled_when_it_comes() {
    let mut side = Side::new(Role::Client);
    let (first, second) = (
        ask(&mut side, tcp("", 0)).unwrap(),
        ask(&mut side, tcp("b", 2)).unwrap(),
    );
    side.layer.abandon_global(first);
    assert!(is_asked(&mut side, &forwarded("b", 2)));
    side.layer.abandon_global(second);
    assert!(!is_asked(&mut side, &forwarded("b", 2)));
    side.gets(|w| {
        RequestSuccess {
            data: &7_u32.to_be_bytes(),
        }
        .encode(w)
    })
    .unwrap();
    side.gets(|w| RequestFailure.encode(w)).unwrap();
    assert!(side.events.is_empty());
    let sent = side.sent();
    assert_eq!(sent.len(), 1);
    let request = GlobalRequest::decode(&sent[0]).unwrap();
    assert!(!request.want_reply);
    let name = std::str::from_utf8(request.name).unwrap();
    assert_eq!(
        ForwardRequest::decode(name, request.data),
        Some(Ok(ForwardRequest::Cancel(tcp("", 7))))
    );
    assert!(!is_asked(&mut side, &forwarded("", 7)));
    assert!(!is_asked(&mut side, &forwarded("b", 2)));
}

#[test]
fn a_server_that_does_not_tell_the_port_it_chose_breaks_the_protocol() {
    for data in [&b""[..], b"\0\0\0\0", b"\0\x01\0\0"] {
        let mut side = Side::new(Role::Client);
        ask(&mut side, tcp("", 0)).unwrap();
        assert!(side.gets(|w| RequestSuccess { data }.encode(w)).is_err());
    }
}

/// The client asks for something.
fn asks(pair: &mut Pair, request: &ForwardRequest) {
    let client = &mut pair.client;
    client
        .layer
        .forward_request(request, true, &mut client.out)
        .unwrap();
}

/// The server answers, and the client hears of it.
fn answers(pair: &mut Pair, id: GlobalRequestId, answer: Result<Vec<u8>, ()>) {
    let server = &mut pair.server;
    server
        .layer
        .answer_global(id, answer, &mut server.out)
        .unwrap();
    pair.run();
    pair.client.event();
}

/// What the server's application is asked; `None` when it is not and the client has the refusal.
fn question(pair: &mut Pair) -> Option<(GlobalRequestId, ForwardRequest)> {
    pair.run();
    match pair.server.events.pop_front() {
        Some(ConnectionEvent::ForwardQuestion { id, request, .. }) => Some((id, request)),
        None => {
            let reply = pair.client.event();
            assert!(matches!(
                reply,
                ConnectionEvent::GlobalReply {
                    answer: Err(()),
                    ..
                }
            ));
            None
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn f1_a_server_is_asked_once_for_each_place() {
    let mut pair = Pair::new();
    let listen = ForwardRequest::Listen(tcp("h", 0));
    asks(&mut pair, &listen);
    let (id, asked) = question(&mut pair).unwrap();
    assert_eq!(asked, listen);
    let server = &mut pair.server;
    // The port is to be told.
    for bad in [Vec::new(), vec![0; 4]] {
        let outcome = server.layer.answer_global(id, Ok(bad), &mut server.out);
        assert!(matches!(outcome, Err(Error::ApiMisuse(_))));
    }
    let port = 5000_u32.to_be_bytes().to_vec();
    server
        .layer
        .answer_global(id, Ok(port), &mut server.out)
        .unwrap();
    pair.run();
    pair.client.event();

    asks(&mut pair, &ForwardRequest::Listen(tcp("h", 5000)));
    assert!(question(&mut pair).is_none(), "it is listened on");
    asks(&mut pair, &ForwardRequest::Cancel(tcp("h", 5001)));
    assert!(question(&mut pair).is_none(), "it is not listened on");
    for known in [true, false] {
        let request = ForwardRequest::Cancel(tcp("h", 5000));
        asks(&mut pair, &request);
        let asked = question(&mut pair);
        assert_eq!(asked.is_some(), known, "cancelled twice");
        if let Some((id, asked)) = asked {
            assert_eq!(asked, request);
            answers(&mut pair, id, Ok(Vec::new()));
        }
    }
}

#[test]
fn f1_a_server_listens_in_so_many_places_and_no_more() {
    let mut pair = Pair::new();
    let max = ConnectionLimits::default().max_forwards;
    for port in 1..=max + 5 {
        let place = tcp("h", u16::try_from(port).unwrap());
        asks(&mut pair, &ForwardRequest::Listen(place));
        let asked = question(&mut pair);
        assert_eq!(asked.is_some(), port <= max);
        if let Some((id, _)) = asked {
            answers(&mut pair, id, Ok(Vec::new()));
        }
    }
}

#[test]
fn f1_places_that_are_asked_about_at_once_count_too() {
    let mut pair = Pair::new();
    let max = ConnectionLimits::default().max_forwards;
    let place = |number: usize| tcp(&format!("h{number}"), 80);
    let mut places = 0;
    for number in 1..max {
        asks(&mut pair, &ForwardRequest::Listen(place(number)));
        let (id, _) = question(&mut pair).unwrap();
        answers(&mut pair, id, Ok(Vec::new()));
        places += 1;
    }
    // As many as may wait for an answer, all before the first of them has one.
    for number in max..2 * max {
        asks(&mut pair, &ForwardRequest::Listen(place(number)));
    }
    pair.run();
    let asked: Vec<_> = pair.server.events.drain(..).collect();
    for event in asked {
        let ConnectionEvent::ForwardQuestion { id, .. } = event else {
            panic!("{event:?}");
        };
        answers(&mut pair, id, Ok(Vec::new()));
        places += 1;
    }
    assert_eq!(places, max);
    pair.client.events.clear();
    // What is refused takes no place.
    asks(&mut pair, &ForwardRequest::Cancel(place(1)));
    let (id, _) = question(&mut pair).unwrap();
    answers(&mut pair, id, Ok(Vec::new()));
    for answer in [Err(()), Ok(Vec::new())] {
        asks(&mut pair, &ForwardRequest::Listen(place(1)));
        let (id, _) = question(&mut pair).unwrap();
        answers(&mut pair, id, answer);
    }
}

#[test]
fn f1_malformed_requests_to_forward_are_refused_without_asking() {
    let mut server = Side::new(Role::Server);
    let mut gets = |host: &[u8], port: u32| {
        let data = Writer::collect(|w| {
            w.string(host).u32(port);
        });
        server
            .gets(|w| {
                GlobalRequest {
                    name: b"tcpip-forward",
                    want_reply: true,
                    data: &data,
                }
                .encode(w);
            })
            .unwrap();
        assert!(server.events.is_empty());
        RequestFailure::decode(&server.sent()[0]).unwrap();
    };
    gets(b"h", 65_536);
    gets(b"h", u32::MAX);
    gets(b"a\0b", 80);
    gets(&[b'h'; 65_536], 80);
}
