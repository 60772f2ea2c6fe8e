//! Two well-behaved sides.

use super::{Pair, Side};
use crate::connection::{
    ChannelId, ChannelRequest, ConnectionEvent, ConnectionLimits, ExitOutcome, OpenKind,
    OpenRefusal, OpenRefusalReason, PtyModes, ReadOutcome, RequestId, Stream,
};
use crate::error::Error;
use crate::messages::Role;

#[test]
fn a_session_from_open_to_close() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    let exec = ChannelRequest::Exec(b"cat".to_vec());
    let sent = pair
        .client
        .layer
        .request(ours, &exec, true, &mut pair.client.out)
        .unwrap();
    pair.run();
    let asked = match pair.server.event() {
        ConnectionEvent::RequestQuestion {
            id,
            request_id,
            request,
            want_reply: true,
        } => {
            assert_eq!((id, request), (theirs, exec));
            request_id
        }
        other => panic!("{other:?}"),
    };
    pair.server
        .layer
        .answer_request(theirs, asked, true, &mut pair.server.out)
        .unwrap();
    pair.run();
    let reply = ConnectionEvent::RequestReply {
        id: ours,
        request_id: sent,
        ok: true,
    };
    assert_eq!(pair.client.event(), reply);

    assert_eq!(pair.client.write(ours, Stream::Data, b"hello").unwrap(), 5);
    pair.client.layer.eof(ours, &mut pair.client.out).unwrap();
    pair.client.layer.eof(ours, &mut pair.client.out).unwrap();
    assert_eq!(
        pair.client.write(ours, Stream::Data, b"x"),
        Err(Error::Closed)
    );
    pair.run();
    assert_eq!(pair.server.event(), ConnectionEvent::Readable(theirs));
    assert_eq!(pair.server.event(), ConnectionEvent::Eof(theirs));
    assert_eq!(
        pair.server.read(theirs, Stream::Data, 99).unwrap(),
        b"hello"
    );
    assert_eq!(
        pair.server.read(theirs, Stream::Data, 99),
        Err(ReadOutcome::Eof)
    );

    pair.server.write(theirs, Stream::Data, b"out").unwrap();
    pair.server.write(theirs, Stream::Stderr, b"err").unwrap();
    let status = ChannelRequest::ExitStatus(3);
    pair.server
        .layer
        .request(theirs, &status, false, &mut pair.server.out)
        .unwrap();
    pair.server
        .layer
        .close(theirs, &mut pair.server.out)
        .unwrap();
    pair.server
        .layer
        .close(theirs, &mut pair.server.out)
        .unwrap();
    pair.run();
    assert_eq!(pair.client.layer.buffered(ours, Stream::Stderr), 3);
    assert_eq!(pair.client.read(ours, Stream::Data, 2).unwrap(), b"ou");
    assert_eq!(pair.client.read(ours, Stream::Data, 2).unwrap(), b"t");
    assert_eq!(pair.client.read(ours, Stream::Stderr, 9).unwrap(), b"err");
    assert_eq!(
        pair.client.read(ours, Stream::Stderr, 9),
        Err(ReadOutcome::Eof)
    );
    let look = pair.client.layer.status(ours).unwrap();
    assert!(look.closed && look.eof_received && look.eof_sent && !look.open);
    assert_eq!(look.exit, Some(&ExitOutcome::Status(3)));
    let events: Vec<_> = pair.client.events.drain(..).collect();
    assert!(events.contains(&ConnectionEvent::Exit(ours)));
    assert_eq!(events.last(), Some(&ConnectionEvent::Closed(ours)));
    assert_eq!(pair.server.event(), ConnectionEvent::Closed(theirs));

    pair.client.layer.release(ours, &mut pair.client.out);
    pair.server.layer.release(theirs, &mut pair.server.out);
    pair.run();
    assert_eq!(
        pair.client.layer.channel_count() + pair.server.layer.channel_count(),
        0
    );
    assert!(pair.client.layer.status(ours).is_none());
    let gone = pair
        .client
        .layer
        .request(ours, &ChannelRequest::Shell, true, &mut pair.client.out);
    assert_eq!(gone, Err(Error::Closed));
}

#[test]
fn every_request_arrives_where_it_belongs() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    let mut modes = PtyModes::new();
    modes.set(53, 1);
    let requests = [
        ChannelRequest::Pty {
            term: "vt100".into(),
            columns: 80,
            rows: 24,
            width_px: 0,
            height_px: 0,
            modes,
        },
        ChannelRequest::Env {
            name: b"A".to_vec(),
            value: b"B".to_vec(),
        },
        ChannelRequest::Subsystem("sftp".into()),
        ChannelRequest::WindowChange {
            columns: 1,
            rows: 2,
            width_px: 3,
            height_px: 4,
        },
        ChannelRequest::Signal("WINCH".into()),
        ChannelRequest::Break { length_ms: 100 },
        ChannelRequest::Other {
            name: "x@example.org".into(),
            data: vec![1],
        },
    ];
    for request in &requests {
        pair.client
            .layer
            .request(ours, request, false, &mut pair.client.out)
            .unwrap();
    }
    pair.run();
    for request in &requests {
        match pair.server.event() {
            ConnectionEvent::RequestQuestion {
                request_id,
                request: asked,
                ..
            } => {
                assert_eq!(&asked, request);
                let answer = pair.server.layer.answer_request(
                    theirs,
                    request_id,
                    true,
                    &mut pair.server.out,
                );
                answer.unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(pair.server.out.is_empty(), "no reply was wanted");
    let signal = ChannelRequest::ExitSignal {
        signal: "KILL".into(),
        core_dumped: false,
        message: "gone\x07".into(),
        language: "en".into(),
    };
    pair.server
        .layer
        .request(theirs, &signal, false, &mut pair.server.out)
        .unwrap();
    let xon = ChannelRequest::XonXoff(true);
    pair.server
        .layer
        .request(theirs, &xon, false, &mut pair.server.out)
        .unwrap();
    pair.run();
    assert_eq!(pair.client.event(), ConnectionEvent::Exit(ours));
    match pair.client.layer.status(ours).unwrap().exit.unwrap() {
        ExitOutcome::Signal { message, .. } => assert_eq!(message, "gone\\u{7}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        pair.client.event(),
        ConnectionEvent::RequestQuestion {
            request: ChannelRequest::XonXoff(true),
            ..
        }
    ));
}

#[test]
fn replies_leave_in_the_order_of_the_requests() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    let other = |n: u8| ChannelRequest::Other {
        name: "x".into(),
        data: vec![n],
    };
    let sent: Vec<RequestId> = (0..5)
        .map(|n| {
            pair.client
                .layer
                .request(ours, &other(n), true, &mut pair.client.out)
                .unwrap()
        })
        .collect();
    // This one is answered by the layer itself and must wait for its turn all the same.
    let last =
        pair.client
            .layer
            .request(ours, &ChannelRequest::Keepalive, true, &mut pair.client.out);
    pair.run();
    let asked: Vec<RequestId> = std::iter::from_fn(|| pair.server.events.pop_front())
        .map(|event| match event {
            ConnectionEvent::RequestQuestion { request_id, .. } => request_id,
            other => panic!("{other:?}"),
        })
        .collect();
    for (n, id) in asked.iter().enumerate().rev() {
        assert!(pair.server.out.is_empty());
        let layer = &mut pair.server.layer;
        layer
            .answer_request(theirs, *id, n % 2 == 0, &mut pair.server.out)
            .unwrap();
        let again = layer.answer_request(theirs, *id, true, &mut pair.server.out);
        assert!(matches!(again, Err(Error::ApiMisuse(_))));
    }
    pair.run();
    for (n, request_id) in sent.into_iter().enumerate() {
        let reply = ConnectionEvent::RequestReply {
            id: ours,
            request_id,
            ok: n % 2 == 0,
        };
        assert_eq!(pair.client.event(), reply);
    }
    let reply = ConnectionEvent::RequestReply {
        id: ours,
        request_id: last.unwrap(),
        ok: false,
    };
    assert_eq!(pair.client.event(), reply);
}

#[test]
fn global_requests_are_matched_in_order_for_any_number_of_callers() {
    let mut pair = Pair::new();
    let mut ids = Vec::new();
    for n in 0..100u8 {
        let client = &mut pair.client;
        let id = client
            .layer
            .global_request("x@example.org", &[n], true, &mut client.out)
            .unwrap();
        ids.push(id.unwrap());
    }
    let quiet = pair
        .client
        .layer
        .global_request("y@z", b"", false, &mut pair.client.out)
        .unwrap();
    assert_eq!(quiet, None);
    pair.client.layer.abandon_global(ids[50]);
    pair.run();
    let mut asked = Vec::new();
    while let Some(event) = pair.server.events.pop_front() {
        match event {
            ConnectionEvent::GlobalQuestion {
                id,
                data,
                want_reply,
                ..
            } => {
                asked.push((id, data, want_reply));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(asked.len(), 101);
    for (id, data, _) in asked.into_iter().rev() {
        let answer = if data.first() == Some(&7) {
            Err(())
        } else {
            Ok(data)
        };
        pair.server
            .layer
            .answer_global(id, answer, &mut pair.server.out)
            .unwrap();
    }
    pair.run();
    for (n, id) in ids.into_iter().enumerate().filter(|(n, _)| *n != 50) {
        let answer = if n == 7 { Err(()) } else { Ok(vec![n as u8]) };
        assert_eq!(
            pair.client.event(),
            ConnectionEvent::GlobalReply { id, answer }
        );
    }
    assert!(pair.client.events.is_empty());
}

#[test]
fn a_refused_open_leaves_nothing_behind() {
    let mut pair = Pair::new();
    let kind = OpenKind::DirectTcpip {
        host: "h".into(),
        port: 1,
        originator: "o".into(),
        originator_port: 2,
    };
    let ours = pair
        .client
        .layer
        .open(kind.clone(), &mut pair.client.out)
        .unwrap();
    pair.run();
    let ConnectionEvent::OpenQuestion { id, kind: asked } = pair.server.event() else {
        panic!("no question")
    };
    assert_eq!(asked, kind);
    let refusal = OpenRefusal::new(OpenRefusalReason::CONNECT_FAILED, "no\x1b");
    pair.server
        .layer
        .answer_open(id, Err(refusal), &mut pair.server.out)
        .unwrap();
    pair.run();
    let failed = ConnectionEvent::OpenFailed {
        id: ours,
        reason: 2,
        description: "no\\u{1b}".into(),
    };
    assert_eq!(pair.client.event(), failed);
    assert_eq!(
        pair.client.layer.channel_count() + pair.server.layer.channel_count(),
        0
    );
    assert_eq!(pair.server.layer.question_budget.used(), 0);
}

#[test]
fn an_open_that_nobody_waits_for_any_more_is_closed() {
    let mut pair = Pair::new();
    let ours = pair
        .client
        .layer
        .open(OpenKind::Session, &mut pair.client.out)
        .unwrap();
    pair.client.layer.release(ours, &mut pair.client.out);
    pair.run();
    let ConnectionEvent::OpenQuestion { id, .. } = pair.server.event() else {
        panic!()
    };
    pair.server
        .layer
        .answer_open(id, Ok(()), &mut pair.server.out)
        .unwrap();
    pair.run();
    assert!(pair.client.events.is_empty());
    assert_eq!(pair.client.layer.channel_count(), 0);
    assert_eq!(pair.server.event(), ConnectionEvent::Closed(id));
    // And one that the server gives up unanswered is refused.
    pair.client
        .layer
        .open(OpenKind::Session, &mut pair.client.out)
        .unwrap();
    pair.run();
    let ConnectionEvent::OpenQuestion { id, .. } = pair.server.event() else {
        panic!()
    };
    pair.server.layer.release(id, &mut pair.server.out);
    pair.run();
    assert!(matches!(
        pair.client.event(),
        ConnectionEvent::OpenFailed { reason: 1, .. }
    ));
}

#[test]
fn c2_data_racing_our_close_are_dropped() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    pair.client.layer.close(ours, &mut pair.client.out).unwrap();
    // Sent before the CLOSE arrives.
    pair.server
        .write(theirs, Stream::Data, &[1; 100_000])
        .unwrap();
    let request = ChannelRequest::ExitStatus(0);
    pair.server
        .layer
        .request(theirs, &request, false, &mut pair.server.out)
        .unwrap();
    pair.server.layer.eof(theirs, &mut pair.server.out).unwrap();
    pair.run();
    assert_eq!(pair.client.layer.buffered(ours, Stream::Data), 0);
    assert_eq!(pair.client.event(), ConnectionEvent::Closed(ours));
    assert_eq!(
        pair.client.read(ours, Stream::Data, 9),
        Err(ReadOutcome::Eof)
    );
    assert_eq!(
        pair.server.write(theirs, Stream::Data, b"x"),
        Err(Error::Closed)
    );
}

#[test]
fn questions_end_with_the_channel() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    pair.client
        .layer
        .request(ours, &ChannelRequest::Shell, true, &mut pair.client.out)
        .unwrap();
    pair.client.layer.close(ours, &mut pair.client.out).unwrap();
    pair.run();
    let ConnectionEvent::RequestQuestion { request_id, .. } = pair.server.event() else {
        panic!()
    };
    let late = pair
        .server
        .layer
        .answer_request(theirs, request_id, true, &mut pair.server.out);
    assert_eq!(late, Err(Error::Closed));
    assert!(pair.server.out.is_empty(), "nothing follows CLOSE");
    assert_eq!(pair.server.layer.question_budget.used(), 0);
}

#[test]
fn buffered_data_survive_the_end_of_the_connection() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    pair.server
        .write(theirs, Stream::Data, b"last words")
        .unwrap();
    pair.run();
    pair.client.layer.connection_lost();
    assert_eq!(
        pair.client.read(ours, Stream::Data, 99).unwrap(),
        b"last words"
    );
    assert_eq!(
        pair.client.read(ours, Stream::Data, 99),
        Err(ReadOutcome::Eof)
    );
    assert!(pair.client.out.is_empty());
    assert!(pair.client.layer.status(ours).unwrap().closed);
    assert_eq!(
        pair.client.write(ours, Stream::Data, b"x"),
        Err(Error::Closed)
    );
    let open = pair
        .client
        .layer
        .open(OpenKind::Session, &mut pair.client.out);
    assert_eq!(open, Err(Error::Closed));
    pair.client.layer.release(ours, &mut pair.client.out);
    assert_eq!(pair.client.layer.channel_count(), 0);
}

#[test]
fn numbers_skip_the_living() {
    let mut pair = Pair::new();
    pair.client.layer.table.set_next(u32::MAX);
    let (first, _) = pair.session();
    assert_eq!(first, ChannelId(u32::MAX));
    let (second, _) = pair.session();
    assert_eq!(second, ChannelId(0));
    pair.client.layer.table.set_next(u32::MAX);
    let (third, _) = pair.session();
    assert_eq!(third, ChannelId(1));
}

#[test]
fn our_own_bounds_are_errors_of_the_call() {
    let limits = ConnectionLimits {
        max_channels: 1,
        max_pending_requests: 1,
        ..Default::default()
    };
    let mut side = Side::with(Role::Client, limits);
    side.layer.open(OpenKind::Session, &mut side.out).unwrap();
    let second = side.layer.open(OpenKind::Session, &mut side.out);
    assert_eq!(second, Err(Error::Limit("channels")));
    side.layer
        .global_request("x", b"", true, &mut side.out)
        .unwrap();
    assert!(matches!(
        side.layer.global_request("x", b"", true, &mut side.out),
        Err(Error::Limit(_))
    ));
    let bad = OpenKind::Other {
        kind: "a,b".into(),
        data: Vec::new(),
    };
    let mut side = Side::new(Role::Client);
    assert!(matches!(
        side.layer.open(bad, &mut side.out),
        Err(Error::ApiMisuse(_))
    ));
    assert!(matches!(
        side.layer.global_request("", b"", true, &mut side.out),
        Err(Error::ApiMisuse(_))
    ));
    assert!(side.out.is_empty());
}
