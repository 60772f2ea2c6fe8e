//! Ends that meet with what a peer does meanwhile. The peer is no implementation of SSH, for one would play along.

use std::sync::Arc;
use std::time::Duration;

use super::check::Model;
use super::session::{spawn, MODEL};
use crate::driver::sys::model as system;
use crate::driver::sys::signal::Signal;
use crate::driver::sys::socket::{Progress, Socket};
use crate::driver::{Event, Timeout, Transport};
use crate::error::Error;

/// A client that has begun to negotiate, and the peer's end of its socket.
fn begun() -> (Transport, Socket) {
    let (client, peer) = system::socket_pair();
    let client = Transport::from_socket(client).unwrap();
    client
        .start_client(Some(&Event::new()), Timeout::Forever)
        .unwrap();
    (client, Socket::from_raw(peer).unwrap())
}

fn say(peer: &Socket, text: &[u8]) {
    assert!(matches!(peer.send(text), Ok(Progress::Moved(count)) if count == text.len()));
}

/// Reads until the client has said all that it ever will.
fn hear_out(peer: &Socket) {
    let never = Signal::new(false).unwrap();
    let mut buffer = [0; 4096];
    loop {
        match peer.receive(&mut buffer).unwrap() {
            Progress::Moved(0) => return,
            Progress::Moved(_) => {}
            Progress::WouldBlock => {
                peer.wait(std::os::fd::AsFd::as_fd(&never), (true, false), None);
            }
        }
    }
}

/// Its end of stream never comes: the time for goodbye must end it, also where the I/O thread had a turn just then.
#[test]
fn a_peer_that_never_ends_is_left() {
    let model = Model {
        schedules: MODEL.schedules * 5,
        patience: Duration::from_secs(1),
        ..MODEL
    };
    model.check(|| {
        let (client, peer) = begun();
        let speaking = spawn(move || {
            say(&peer, b"a banner\r\n");
            say(&peer, b"SSH-2.0-stays\r\n");
            peer
        });
        client.close();
        client.join(Timeout::Forever).unwrap();
        drop(speaking.join().unwrap());
    });
}

/// The I/O thread finds a fault of the peer's, or its end, while somebody else ends the transport. What there is to be said is
/// said, and the peer's end of stream is all that is waited for.
#[test]
fn two_find_the_end_at_once() {
    let model = Model {
        schedules: MODEL.schedules * 5,
        ..MODEL
    };
    model.check(|| {
        for fault in [&b"SSH-1.0-past\r\n"[..], b""] {
            let (client, peer) = begun();
            let speaking = spawn(move || {
                if fault.is_empty() {
                    peer.finish_writing();
                } else {
                    say(&peer, fault);
                }
                hear_out(&peer);
            });
            client.close();
            client.join(Timeout::Forever).unwrap();
            speaking.join().unwrap();
        }
    });
}

/// Whoever closes a transport, whatever it is doing just then: nobody uses the number of the descriptor afterwards, which by
/// then may be that of something else. The system of the models looks after that.
#[test]
fn a_start_meets_the_end() {
    let model = Model {
        schedules: MODEL.schedules * 5,
        ..MODEL
    };
    model.check(|| {
        let (client, peer) = system::socket_pair();
        let client = Arc::new(Transport::from_socket(client).unwrap());
        let peer = Socket::from_raw(peer).unwrap();
        let starting = {
            let client = Arc::clone(&client);
            spawn(move || {
                // Whether it comes too late is the checker's choice. Nothing is short.
                let begun = client.start_client(Some(&Event::new()), Timeout::Forever);
                assert!(!matches!(begun, Err(Error::Resource(_))), "{begun:?}");
            })
        };
        peer.finish_writing();
        client.close();
        starting.join().unwrap();
        client.join(Timeout::Forever).unwrap();
    });
}
