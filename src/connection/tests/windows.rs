//! Windows, and who may fill or empty them: data between two layers in memory.

use std::time::Duration;

use super::Pair;
use crate::connection::{
    ChannelId, ChannelRequest, ConnectionEvent, ConnectionLimits, DataSink, OpenKind, ReadOutcome,
    Stream,
};
use crate::error::Error;
use crate::messages::Role;

#[test]
fn w4_an_empty_window_opens_with_an_event() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    let window = ConnectionLimits::default().window_initial as usize;
    let data = vec![7; window + 1000];
    assert_eq!(
        pair.client.write(ours, Stream::Data, &data).unwrap(),
        window
    );
    assert_eq!(pair.client.write(ours, Stream::Data, &data).unwrap(), 0);
    pair.run();
    assert!(pair.client.events.is_empty());
    assert_eq!(pair.server.layer.buffered(theirs, Stream::Data), window);
    while pair.server.read(theirs, Stream::Data, 32_768).is_ok() {}
    pair.run();
    assert_eq!(pair.client.event(), ConnectionEvent::Writable(ours));
    assert_eq!(
        pair.client.layer.status(ours).unwrap().remote_window as usize,
        window
    );
}

#[test]
fn w5_an_unread_channel_does_not_hold_up_the_others() {
    let mut pair = Pair::new();
    let stuck = pair.session();
    let free = pair.session();
    let window = ConnectionLimits::default().window_initial as usize;
    assert_eq!(
        pair.client
            .write(stuck.0, Stream::Data, &vec![1; window * 2])
            .unwrap(),
        window
    );
    let mut through = 0;
    while through < 4 * window {
        through += pair
            .client
            .write(free.0, Stream::Data, &vec![1; window])
            .unwrap();
        pair.run();
        while pair.server.read(free.1, Stream::Data, 65_536).is_ok() {}
        pair.run();
    }
    assert_eq!(pair.server.layer.buffered(stuck.1, Stream::Data), window);
}

#[test]
fn w6_empty_and_huge_writes() {
    let mut pair = Pair::new();
    let (ours, _) = pair.session();
    let leave = pair.client.layer.reserve(ours, Stream::Data, 0).unwrap();
    assert_eq!(leave.bytes, 0);
    let leave = pair
        .client
        .layer
        .reserve(ours, Stream::Data, usize::MAX)
        .unwrap();
    assert_eq!(
        leave.bytes,
        ConnectionLimits::default().window_initial as usize
    );
    assert_eq!(leave.max_packet, 65_536);
}

/// Takes everything.
struct Reader(Vec<u8>);
impl DataSink for Reader {
    fn deliver(&mut self, _: ChannelId, _: Stream, data: &[u8]) -> usize {
        self.0.extend_from_slice(data);
        data.len()
    }
}

#[test]
fn delivered_bytes_are_credited_when_consumed() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    let window = ConnectionLimits::default().window_initial as usize;
    pair.client
        .write(ours, Stream::Data, &vec![5; window])
        .unwrap();
    let mut reader = Reader(Vec::new());
    for payload in pair.client.sent() {
        pair.server.receive_into(&payload, &mut reader).unwrap();
    }
    assert_eq!(reader.0.len(), window);
    assert!(pair.server.events.is_empty() && pair.server.out.is_empty());
    let server = &mut pair.server;
    server
        .layer
        .consumed(theirs, window - 1, server.now, &mut server.out);
    server
        .layer
        .consumed(theirs, 1 << 30, server.now, &mut server.out);
    pair.run();
    let look = pair.client.layer.status(ours).unwrap();
    assert_eq!(
        look.remote_window as usize,
        window - 1,
        "the last byte is below the threshold"
    );
}

#[test]
fn stderr_can_be_combined_and_discarded() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    pair.server.write(theirs, Stream::Stderr, b"err").unwrap();
    pair.run();
    assert_eq!(pair.client.layer.set_combine_stderr(ours, true), Ok(false));
    assert_eq!(pair.client.read(ours, Stream::Data, 9).unwrap(), b"err");
    assert_eq!(pair.client.layer.set_combine_stderr(ours, false), Ok(true));
    let client = &mut pair.client;
    client
        .layer
        .discard_stderr(ours, client.now, &mut client.out)
        .unwrap();
    for _ in 0..100 {
        pair.server
            .write(theirs, Stream::Stderr, &[0; 1 << 20])
            .unwrap();
        pair.run();
    }
    assert!(pair.server.layer.status(theirs).unwrap().remote_window > 1 << 20);
    assert_eq!(pair.client.layer.buffered(ours, Stream::Stderr), 0);
}

#[test]
fn a_reader_that_stopped_does_not_stall_the_peer() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    pair.server.write(theirs, Stream::Data, b"unread").unwrap();
    pair.run();
    let client = &mut pair.client;
    client
        .layer
        .shutdown_read(ours, client.now, &mut client.out)
        .unwrap();
    assert_eq!(
        pair.client.read(ours, Stream::Data, 9),
        Err(ReadOutcome::Eof)
    );
    for _ in 0..10 {
        assert_eq!(
            pair.server
                .write(theirs, Stream::Data, &[0; 1 << 20])
                .unwrap(),
            1 << 20
        );
        pair.run();
    }
}

#[test]
fn eow_ends_writing() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.session();
    pair.client
        .layer
        .request(ours, &ChannelRequest::Eow, false, &mut pair.client.out)
        .unwrap();
    pair.client
        .layer
        .request(ours, &ChannelRequest::Eow, false, &mut pair.client.out)
        .unwrap();
    pair.run();
    assert_eq!(pair.server.event(), ConnectionEvent::Writable(theirs));
    assert!(pair.server.events.is_empty());
    assert_eq!(
        pair.server.write(theirs, Stream::Data, b"x"),
        Err(Error::Closed)
    );
    let status = ChannelRequest::ExitStatus(0);
    pair.server
        .layer
        .request(theirs, &status, false, &mut pair.server.out)
        .unwrap();
}

#[test]
fn a_window_fills_a_long_link_in_either_direction() {
    for upload in [true, false] {
        let mut pair = Pair::new();
        let ours = pair
            .client
            .layer
            .open(OpenKind::Session, &mut pair.client.out)
            .unwrap();
        let way = Duration::from_millis(50);
        pair.step(Role::Client);
        let ConnectionEvent::OpenQuestion { id: theirs, .. } = pair.server.event() else {
            panic!()
        };
        pair.server
            .layer
            .answer_open(theirs, Ok(()), &mut pair.server.out)
            .unwrap();
        pair.advance(way);
        pair.run();
        pair.advance(way);
        // A request of the client gives both sides a round trip to measure.
        pair.client.layer.advance(pair.client.now);
        let keepalive = ChannelRequest::Keepalive;
        pair.client
            .layer
            .request(ours, &keepalive, true, &mut pair.client.out)
            .unwrap();
        pair.step(Role::Client);
        pair.advance(way * 2);
        pair.step(Role::Server);
        let block = vec![0; 64 << 20];
        for _ in 0..20 {
            let (from, to, from_id, to_id, role) = if upload {
                (
                    &mut pair.client,
                    &mut pair.server,
                    ours,
                    theirs,
                    Role::Client,
                )
            } else {
                (
                    &mut pair.server,
                    &mut pair.client,
                    theirs,
                    ours,
                    Role::Server,
                )
            };
            from.write(from_id, Stream::Data, &block).unwrap();
            from.now += way * 2;
            to.now += way * 2;
            while pair.step(role) {
                let to = if upload {
                    &mut pair.server
                } else {
                    &mut pair.client
                };
                while to.read(to_id, Stream::Data, 65_536).is_ok() {}
            }
            pair.run();
        }
        let to = if upload { &pair.server } else { &pair.client };
        let to_id = if upload { theirs } else { ours };
        let window = to.layer.status(to_id).unwrap().local_window;
        assert_eq!(window, 64 << 20, "upload: {upload}");
    }
}
