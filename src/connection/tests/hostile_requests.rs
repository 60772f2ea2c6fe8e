//! Requests and replies of a hostile peer: the cases C6, C7, C8, G of the project's list of attacks.

use super::hostile::{
    client_with_session, global, misbehaved, plain, request, server_with_session, session,
};
use super::Side;
use crate::codec::Writer;
use crate::connection::{ChannelRequest, ConnectionEvent, ConnectionLimits};
use crate::error::{Error, PeerMisbehaved};
use crate::messages::{MessageNumber, Role};
use crate::packet::PeerHabits;

const SUCCESS: [u8; 5] = [99, 0, 0, 0, 42];
const FAILURE: [u8; 5] = [100, 0, 0, 0, 42];

#[test]
fn c6_requests_to_a_client() {
    let (mut side, id) = client_with_session();
    for length in 0..4 {
        let cut = request(&mut side, id, b"exit-status", false, &[0; 4][..length]);
        assert!(matches!(cut, Err(Error::InvalidMessage { .. })), "{length}");
    }
    assert!(request(&mut side, id, b"exit-status", false, &[0; 5]).is_err());
    let text = Writer::collect(|w| {
        w.string("SEGV")
            .bool(true)
            .string(vec![b'x'; 200 * 1024])
            .string("en");
    });
    request(&mut side, id, b"exit-signal", false, &text).unwrap();
    assert_eq!(side.event(), ConnectionEvent::Exit(id));
    request(&mut side, id, b"exit-status", true, &[0, 0, 0, 9]).unwrap();
    assert_eq!(
        side.sent(),
        [FAILURE],
        "the outcome is not changed afterwards"
    );
    assert!(side.events.is_empty());
    request(&mut side, id, b"eow@openssh.com", false, b"").unwrap();
    assert_eq!(side.event(), ConnectionEvent::Writable(id));
    request(&mut side, id, b"keepalive@openssh.com", true, b"").unwrap();
    assert_eq!(side.sent(), [FAILURE], "alive");
    // What only a server may be asked is refused without asking anybody.
    for name in [&b"shell"[..], b"eow", &[b'n'; 200 * 1024], b"bad name", b""] {
        let known = name == b"eow";
        request(&mut side, id, name, false, b"").unwrap();
        request(&mut side, id, name, true, b"").unwrap();
        assert_eq!(side.events.len(), if known { 2 } else { 0 });
        while let Some(ConnectionEvent::RequestQuestion { request_id, .. }) =
            side.events.pop_front()
        {
            side.layer
                .answer_request(id, request_id, false, &mut side.out)
                .unwrap();
        }
        assert_eq!(
            side.sent(),
            [FAILURE],
            "FAILURE only for the one that wanted a reply"
        );
    }
}

#[test]
fn c7_requests_to_a_server() {
    let (mut side, id) = server_with_session();
    let pty = |term: &[u8], modes: &[u8]| {
        Writer::collect(|w| {
            w.string(term)
                .u32(0)
                .u32(u32::MAX)
                .u32(0)
                .u32(0)
                .string(modes);
        })
    };
    let many = [1, 0, 0, 0, 1].repeat(1000);
    let bad = [
        pty(b"xterm", &many),
        pty(b"xterm", &[1, 0]),
        pty(&[b'x'; 65_536], b""),
    ];
    for specific in &bad {
        request(&mut side, id, b"pty-req", true, specific).unwrap();
        assert!(side.events.is_empty());
        assert_eq!(side.sent(), [FAILURE]);
    }
    // Without end opcode and with odd sizes: fine. A second pty is refused, unless the first was.
    for ok in [false, true] {
        request(
            &mut side,
            id,
            b"pty-req",
            true,
            &pty(b"xterm", &[1, 0, 0, 0, 3]),
        )
        .unwrap();
        let ConnectionEvent::RequestQuestion { request_id, .. } = side.event() else {
            panic!()
        };
        side.layer
            .answer_request(id, request_id, ok, &mut side.out)
            .unwrap();
        assert_eq!(side.sent(), [if ok { SUCCESS } else { FAILURE }]);
    }
    request(&mut side, id, b"pty-req", true, &pty(b"xterm", b"")).unwrap();
    assert_eq!(side.sent(), [FAILURE]);

    let signal = Writer::collect(|w| {
        w.string("NOSUCH@example.org");
    });
    request(&mut side, id, b"signal", true, &signal).unwrap();
    let ConnectionEvent::RequestQuestion {
        request_id,
        request: asked,
        ..
    } = side.event()
    else {
        panic!()
    };
    assert_eq!(asked, ChannelRequest::Signal("NOSUCH@example.org".into()));
    side.layer
        .answer_request(id, request_id, false, &mut side.out)
        .unwrap();
    let long = Writer::collect(|w| {
        w.string([b'A'; 1000]);
    });
    request(&mut side, id, b"signal", true, &long).unwrap();
    request(&mut side, id, b"exit-status", true, &[0; 4]).unwrap();
    assert!(side.events.is_empty());
    assert_eq!(side.sent(), [FAILURE, FAILURE, FAILURE]);
}

#[test]
fn c7_one_program_for_each_channel() {
    let (mut side, id) = server_with_session();
    let exec = Writer::collect(|w| {
        w.string("true");
    });
    request(&mut side, id, b"exec", true, &exec).unwrap();
    request(&mut side, id, b"exec", true, &exec).unwrap();
    request(&mut side, id, b"shell", true, b"").unwrap();
    let ConnectionEvent::RequestQuestion { request_id, .. } = side.event() else {
        panic!()
    };
    assert!(
        side.events.is_empty() && side.out.is_empty(),
        "replies wait for the first"
    );
    side.layer
        .answer_request(id, request_id, false, &mut side.out)
        .unwrap();
    assert_eq!(side.sent(), [FAILURE, FAILURE, FAILURE]);
    request(&mut side, id, b"subsystem", true, &exec).unwrap();
    let ConnectionEvent::RequestQuestion { request_id, .. } = side.event() else {
        panic!()
    };
    side.layer
        .answer_request(id, request_id, true, &mut side.out)
        .unwrap();
    request(&mut side, id, b"shell", true, b"").unwrap();
    assert_eq!(side.sent(), [SUCCESS, FAILURE]);
    assert!(side.events.is_empty());
}

#[test]
fn c7_environment_is_bounded() {
    let (mut side, id) = server_with_session();
    let env = |value: usize| {
        Writer::collect(|w| {
            w.string("NAME").string(vec![b'v'; value]);
        })
    };
    let mut asked = 0;
    for _ in 0..10_000 {
        request(&mut side, id, b"env", true, &env(4)).unwrap();
        while let Some(ConnectionEvent::RequestQuestion { request_id, .. }) =
            side.events.pop_front()
        {
            asked += 1;
            side.layer
                .answer_request(id, request_id, true, &mut side.out)
                .unwrap();
        }
    }
    assert_eq!(asked, 256);
    assert_eq!(
        side.sent()
            .iter()
            .filter(|payload| ***payload == FAILURE)
            .count(),
        10_000 - 256
    );
    let other = session(&mut side);
    request(&mut side, other, b"env", true, &env(130 * 1024)).unwrap();
    assert_eq!(side.sent(), [FAILURE]);
}

#[test]
fn c7_unanswered_requests_are_bounded() {
    let (mut side, id) = server_with_session();
    let max = ConnectionLimits::default().max_pending_requests;
    for _ in 0..10_000 {
        request(&mut side, id, b"x@example.org", true, b"").unwrap();
    }
    assert_eq!(side.events.len(), max);
    assert!(side.out.is_empty(), "the refusals wait for their turn");
    let outcome = (0..150_000).try_for_each(|_| request(&mut side, id, b"y", true, b""));
    assert!(matches!(outcome, Err(Error::Limit(_))));
    // Without a reply wanted they just end there.
    for _ in 0..100 {
        request(&mut side, id, b"x@example.org", false, b"").unwrap();
    }
    assert_eq!(side.events.len(), max);
}

#[test]
fn c8_replies_without_request() {
    let unsolicited = misbehaved(PeerMisbehaved::UnsolicitedReply);
    let (mut side, id) = client_with_session();
    assert_eq!(
        plain(&mut side, MessageNumber::CHANNEL_SUCCESS, id),
        unsolicited
    );
    assert_eq!(
        plain(&mut side, MessageNumber::CHANNEL_FAILURE, id),
        unsolicited
    );
    let shell = ChannelRequest::Shell;
    let quiet = side
        .layer
        .request(id, &shell, false, &mut side.out)
        .unwrap();
    assert_eq!(
        plain(&mut side, MessageNumber::CHANNEL_SUCCESS, id),
        unsolicited
    );
    // A late reply to an abandoned request is not taken for the next one's.
    let late = side.layer.request(id, &shell, true, &mut side.out).unwrap();
    side.layer.abandon(late);
    side.layer.abandon(quiet);
    let next = side
        .layer
        .request(id, &ChannelRequest::Keepalive, true, &mut side.out)
        .unwrap();
    plain(&mut side, MessageNumber::CHANNEL_SUCCESS, id).unwrap();
    assert!(side.events.is_empty());
    plain(&mut side, MessageNumber::CHANNEL_FAILURE, id).unwrap();
    let reply = ConnectionEvent::RequestReply {
        id,
        request_id: next,
        ok: false,
    };
    assert_eq!(side.event(), reply);
    assert_eq!(
        plain(&mut side, MessageNumber::CHANNEL_FAILURE, id),
        unsolicited
    );
}

#[test]
fn g1_global_requests_without_end() {
    let mut side = Side::new(Role::Client);
    global(&mut side, b"unknown@example.org", false).unwrap();
    global(&mut side, &[b'n'; 200 * 1024], false).unwrap();
    assert!(side.out.is_empty());
    global(&mut side, &[b'n'; 200 * 1024], true).unwrap();
    assert!(side.out.is_empty(), "it waits for the answer before it");
    let ConnectionEvent::GlobalQuestion { id, name, .. } = side.event() else {
        panic!()
    };
    assert_eq!(name, "unknown@example.org");
    side.layer
        .answer_global(id, Err(()), &mut side.out)
        .unwrap();
    assert_eq!(side.sent(), [[82]]);
    // Answered at once, any number is fine; the caller bounds the output by not reading on.
    for _ in 0..100_000 {
        global(&mut side, b"unknown@example.org", true).unwrap();
        let ConnectionEvent::GlobalQuestion { id, .. } = side.event() else {
            panic!()
        };
        side.layer
            .answer_global(id, Err(()), &mut side.out)
            .unwrap();
        assert_eq!(side.sent(), [[82]]);
    }
    assert_eq!(side.layer.question_budget.used(), 0);
    // Not answered, the refusals of those that are not asked about any more wait behind the questions.
    for _ in 0..100_000 {
        global(&mut side, b"unknown@example.org", true).unwrap();
    }
    let asked = std::mem::take(&mut side.events);
    assert_eq!(
        asked.len(),
        ConnectionLimits::default().max_pending_requests
    );
    assert!(side.out.is_empty());
    for event in asked {
        let ConnectionEvent::GlobalQuestion { id, .. } = event else {
            panic!()
        };
        let granted = Ok(b"yes".to_vec());
        side.layer
            .answer_global(id, granted, &mut side.out)
            .unwrap();
    }
    let sent = side.sent();
    assert_eq!(sent.len(), 100_000);
    let grants = sent.iter().take_while(|reply| reply[0] == 81).count();
    assert_eq!(grants, ConnectionLimits::default().max_pending_requests);
    assert!(sent[grants..].iter().all(|reply| *reply == [82]));
    assert_eq!(side.layer.question_budget.used(), 0);
    // There is an end.
    let outcome = (0..200_000).try_for_each(|_| global(&mut side, b"unknown@example.org", true));
    assert!(matches!(outcome, Err(Error::Limit(_))));
    assert!(side.out.is_empty());
}

#[test]
fn g2_global_replies_without_request() {
    let unsolicited = misbehaved(PeerMisbehaved::UnsolicitedReply);
    let mut side = Side::new(Role::Client);
    assert_eq!(side.receive(&[81]), unsolicited);
    assert_eq!(side.receive(&[82]), unsolicited);
    side.layer
        .global_request("x", b"", false, &mut side.out)
        .unwrap();
    assert_eq!(side.receive(&[82]), unsolicited);
    let id = side
        .layer
        .global_request("x", b"", true, &mut side.out)
        .unwrap()
        .unwrap();
    side.receive(&[81, 1, 2]).unwrap();
    assert_eq!(
        side.event(),
        ConnectionEvent::GlobalReply {
            id,
            answer: Ok(vec![1, 2])
        }
    );
}

#[test]
fn a_peer_that_answers_what_wants_no_reply() {
    let mut side = Side::new(Role::Server);
    side.layer.set_habits(PeerHabits {
        answers_unasked: true,
        ..PeerHabits::default()
    });
    let asked = side
        .layer
        .global_request("hostkeys-00@openssh.com", b"", false, &mut side.out)
        .unwrap();
    assert_eq!(asked, None);
    let id = side
        .layer
        .global_request("x", b"", true, &mut side.out)
        .unwrap()
        .unwrap();
    // Nobody is told of the first answer, and it is none to the second request.
    side.receive(&[82]).unwrap();
    assert!(side.events.is_empty());
    side.receive(&[81, 5]).unwrap();
    assert_eq!(
        side.event(),
        ConnectionEvent::GlobalReply {
            id,
            answer: Ok(vec![5])
        }
    );
    // One answer for each, and no more; and none for what it knows.
    side.layer
        .global_request("cancel-tcpip-forward", b"", false, &mut side.out)
        .unwrap();
    let unsolicited = misbehaved(PeerMisbehaved::UnsolicitedReply);
    assert_eq!(side.receive(&[82]), unsolicited);
}

#[test]
fn what_a_peer_leaves_without_an_answer_is_bounded_although_nobody_waits() {
    let limits = ConnectionLimits {
        max_pending_requests: 2,
        ..ConnectionLimits::default()
    };
    let mut side = Side::with(Role::Server, limits);
    side.layer.set_habits(PeerHabits {
        answers_unasked: true,
        ..PeerHabits::default()
    });
    let mut ask = || {
        side.layer
            .global_request("x", b"", false, &mut side.out)
            .map(|_| ())
    };
    assert_eq!([ask(), ask()], [Ok(()), Ok(())]);
    assert!(matches!(ask(), Err(Error::Limit(_))));
}

#[test]
fn g4_and_others_that_the_layer_answers_itself() {
    let mut side = Side::new(Role::Client);
    for name in [
        &b"keepalive@openssh.com"[..],
        b"hostkeys-prove-00@openssh.com",
        b"tcpip-forward",
    ] {
        global(&mut side, name, false).unwrap();
        assert!(side.out.is_empty());
        global(&mut side, name, true).unwrap();
        assert_eq!(side.sent(), [[82]]);
    }
    assert!(side.events.is_empty());
    let (mut side, _) = server_with_session();
    for name in [&b"keepalive@openssh.com"[..], b"hostkeys-00@openssh.com"] {
        global(&mut side, name, true).unwrap();
        assert_eq!(side.sent(), [[82]]);
    }
    assert!(side.events.is_empty());
    // F1: without the fields that it has.
    assert!(matches!(
        global(&mut side, b"tcpip-forward", true),
        Err(Error::InvalidMessage { .. })
    ));
}

/// A request whose fields are strings.
fn with_strings(side: &mut Side, name: &str, strings: Vec<&[u8]>) -> Result<(), Error> {
    side.gets(|w| {
        w.u8(80).string(name).bool(true);
        for string in strings {
            w.string(string);
        }
    })
}

#[test]
fn g3_the_first_list_of_host_keys_counts_and_no_other() {
    const NAME: &str = "hostkeys-00@openssh.com";
    for (strings, told) in [
        (vec![], false),
        (vec![&b"key"[..]; 10_000], false),
        (vec![&b"one"[..], b"", b"one"], true),
    ] {
        let mut side = Side::new(Role::Client);
        with_strings(&mut side, NAME, strings.clone()).unwrap();
        assert_eq!(side.sent(), [[82]], "nothing is promised");
        if told {
            let keys = strings.into_iter().map(<[u8]>::to_vec).collect();
            assert_eq!(side.event(), ConnectionEvent::HostKeys { keys });
        }
        for _ in 0..1000 {
            with_strings(&mut side, NAME, vec![b"two"]).unwrap();
        }
        assert_eq!(side.sent().len(), 1000);
        assert!(side.events.is_empty());
        assert_eq!(side.layer.question_budget.used(), 0);
    }
    let mut side = Side::new(Role::Client);
    let broken = side.gets(|w| {
        w.u8(80).string(NAME).bool(false).u32(u32::MAX).u8(0);
    });
    assert!(matches!(broken, Err(Error::InvalidMessage { .. })));
}

#[test]
fn g3_proof_of_host_keys_is_given_a_few_times_and_in_order() {
    const NAME: &str = "hostkeys-prove-00@openssh.com";
    let (mut side, _) = server_with_session();
    // Nothing to prove, too much, and nobody to hear of it.
    with_strings(&mut side, NAME, vec![]).unwrap();
    with_strings(&mut side, NAME, vec![b"key"; 10_000]).unwrap();
    assert_eq!(side.sent(), [[82], [82]]);
    global(&mut side, NAME.as_bytes(), false).unwrap();
    assert!(side.out.is_empty() && side.events.is_empty());
    for _ in 0..1000 {
        with_strings(&mut side, NAME, vec![b"key"]).unwrap();
    }
    let asked = std::mem::take(&mut side.events);
    assert_eq!(asked.len(), 4);
    assert!(side.out.is_empty(), "refusals wait for the answers before");
    for event in asked {
        let ConnectionEvent::ProveHostKeys { id, keys } = event else {
            panic!()
        };
        assert_eq!(keys, [b"key"]);
        side.layer
            .answer_global(id, Ok(b"proof".to_vec()), &mut side.out)
            .unwrap();
    }
    let sent = side.sent();
    assert_eq!(sent.len(), 1000);
    assert!(sent[..4].iter().all(|reply| reply[..] == *b"Qproof"));
    assert!(sent[4..].iter().all(|reply| *reply == [82]));
    assert_eq!(side.layer.question_budget.used(), 0);
    let broken = side.gets(|w| {
        w.u8(80).string(NAME).bool(true).u32(5).u8(0);
    });
    // It is refused unread by now.
    assert_eq!(broken, Ok(()));
    let (mut side, _) = server_with_session();
    let broken = side.gets(|w| {
        w.u8(80).string(NAME).bool(true).u32(5).u8(0);
    });
    assert!(matches!(broken, Err(Error::InvalidMessage { .. })));
}
