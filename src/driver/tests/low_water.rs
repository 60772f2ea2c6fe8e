//! Callers who wait for much of a stream, and what comes although it is little.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{channel, RecvTimeoutError};

use super::gathering::{expect, write};
use super::*;
use crate::driver::inside;
use crate::error::Error;

/// Both ends of a TCP connection, whose client takes everything for a stream.
fn streaming() -> ((Transport, Transport), (Channel, Channel)) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let (client, server) = logged_in(between(near, far));
    let channels = open(&client, &server);
    client.shared.marks(|marks| marks.of_callers.trust());
    ((client, server), channels)
}

#[test]
fn little_and_the_end_come_although_much_is_waited_for() {
    let ((client, server), (ours, theirs)) = streaming();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 100_000];
        // A deadline would bring it, too.
        while let Ok(Read::Data(count)) = ours.read(Stream::Data, &mut buffer, Timeout::Forever) {
            let _ = tell.send(count);
        }
    });
    for _ in 0..10 {
        for piece in [300_000, 100] {
            // Whoever has read the one waits for the other.
            write(&theirs, &pattern(piece), TIME);
            let mut left = piece;
            while left > 0 {
                left -= told.recv_timeout(Duration::from_secs(20)).unwrap();
            }
        }
    }
    assert!(client.shared.marks(|marks| marks.of_callers.has_missed()));
    server.close();
    let end = told.recv_timeout(Duration::from_secs(20));
    assert_eq!(end, Err(RecvTimeoutError::Disconnected));
}

#[test]
fn who_reads_a_stream_has_received_it() {
    let ((client, _server), (ours, theirs)) = streaming();
    let data = pattern(2_000_000);
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while inside::last_received(client.shared.key).is_none() {
        assert!(std::time::Instant::now() < end, "others receive it");
        std::thread::scope(|scope| {
            scope.spawn(|| write(&theirs, &data, TIME));
            expect(&ours, &data);
        });
    }
}

/// What a caller has waited for is not what the I/O thread waits for.
#[test]
fn the_first_byte_wakes_the_io_thread() {
    let ((_client, _server), (ours, theirs)) = streaming();
    let interest = ChannelInterest {
        readable: true,
        ..ChannelInterest::default()
    };
    for _ in 0..10 {
        write(&theirs, &pattern(100_000), TIME);
        expect(&ours, &pattern(100_000));
        let event = Event::new();
        ours.set_event(&event, interest).unwrap();
        write(&theirs, b"x", TIME);
        assert!(event.wait(TIME));
        ours.set_event(&event, ChannelInterest::default()).unwrap();
        expect(&ours, b"x");
    }
}

/// Nobody is at the socket but the I/O thread, which has no other reason to look.
#[test]
fn little_comes_although_the_io_thread_waits_for_much() {
    let ((client, server), (ours, theirs)) = streaming();
    let mut buffer = vec![0; 100_000];
    let mut read = || ours.read(Stream::Data, &mut buffer, Timeout::NOW);
    let end = std::time::Instant::now() + Duration::from_secs(20);
    for piece in [300_000, 100].repeat(10) {
        client.shared.marks(|marks| marks.of_io_thread.trust());
        write(&theirs, &pattern(piece), TIME);
        let mut left = piece;
        while left > 0 {
            match read() {
                Ok(Read::Data(count)) => left -= count,
                _ => std::thread::yield_now(),
            }
            assert!(std::time::Instant::now() < end, "{left} do not come");
        }
    }
    assert!(client.shared.marks(|marks| marks.of_io_thread.has_missed()));
    server.close();
    while !matches!(
        read(),
        Ok(Read::Eof) | Err(Error::ConnectionLost | Error::Disconnected { .. })
    ) {
        assert!(std::time::Instant::now() < end, "the end does not come");
        std::thread::yield_now();
    }
}
