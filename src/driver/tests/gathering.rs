//! Writes that wait for more of their kind, and what brings them on their way.

use super::*;
use crate::driver::gathering::{GATHER_BYTES, PACKET_BYTES};
use crate::driver::inside;

/// A session whose client takes everything for part of a stream.
fn gathering() -> ((Transport, Transport), (Channel, Channel)) {
    let (client, server) = connected();
    let channels = open(&client, &server);
    client.shared.sending.lock().gathering.trust();
    ((client, server), channels)
}

pub(super) fn write(channel: &Channel, data: &[u8], timeout: Timeout) {
    assert_eq!(channel.write(Stream::Data, data, timeout), Ok(data.len()));
}

pub(super) fn expect(channel: &Channel, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    let mut filled = 0;
    while filled < got.len() {
        match channel.read(Stream::Data, &mut got[filled..], TIME) {
            Ok(Read::Data(count)) => filled += count,
            end => panic!("{end:?} after {filled} bytes"),
        }
    }
    assert!(got == expected);
}

#[test]
fn what_waits_comes_although_its_writer_stays_away() {
    let ((client, server), (ours, theirs)) = gathering();
    let piece = pattern(100_000);
    let mut written = 0;
    let mut waited = false;
    while !waited {
        assert!(written < 10, "nothing is ever left for later");
        write(&ours, &piece, TIME);
        written += 1;
        waited = client.shared.sending.lock().is_all_gathered();
    }
    let reading = std::thread::spawn(move || {
        for _ in 0..written {
            expect(&theirs, &piece);
        }
    });
    reading.join().unwrap();
    // And the memory for it is given back.
    let is_given_back = || {
        let sending = client.shared.sending.lock();
        sending.outbound.as_ref().unwrap().capacity() < 50_000
    };
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while !is_given_back() {
        assert!(std::time::Instant::now() < end, "it is kept");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(server);
}

/// So that the kernel makes no tiny packet of the rest, which is as dear as a full one.
#[test]
fn whole_packets_leave_and_the_rest_waits() {
    let ((client, _server), (ours, theirs)) = gathering();
    let piece = pattern(150_000);
    let look = || {
        let sending = client.shared.sending.lock();
        let sealed = sending.outbound.as_ref().unwrap().counters().bytes;
        (
            usize::try_from(sealed).unwrap(),
            sending.pending_bytes(),
            sending.is_all_gathered(),
        )
    };
    // What has waited for long leaves, whole or not, and a busy machine takes its time.
    let mut left_whole = 0;
    for _ in 0..100 {
        // Each rest that the I/O thread has to send makes gathering rarer.
        client.shared.sending.lock().gathering.trust();
        let (before, waited, _) = look();
        write(&ours, &piece, TIME);
        let (after, waits, is_gathered) = look();
        let left = waited + (after - before) - waits;
        if waited == 0 && is_gathered && left >= GATHER_BYTES {
            assert_eq!(left % PACKET_BYTES, 0);
            left_whole += 1;
        }
        expect(&theirs, &piece);
    }
    assert!(left_whole > 0);
}

#[test]
fn who_waits_for_an_answer_sends_first() {
    const ROUNDS: u32 = 9;
    let ((client, _server), (ours, theirs)) = gathering();
    let answering = std::thread::spawn(move || {
        for _ in 0..ROUNDS {
            expect(&theirs, &pattern(1000));
            write(&theirs, b"!", TIME);
        }
    });
    for _ in 0..ROUNDS {
        write(&ours, &pattern(1000), TIME);
        expect(&ours, b"!");
    }
    answering.join().unwrap();
    let late = client.shared.sending.lock().gathering.times_late();
    assert!(late < ROUNDS, "the I/O thread had to send each time");
}

/// An echo or a relay, which receives longer than a stream of writes may pause.
#[test]
fn who_has_received_meanwhile_writes_a_stream() {
    const PIECE: usize = 64 * 1024;
    // Too few for any to wait.
    for (relays, streamed) in [(true, 7 * PIECE), (false, PIECE)] {
        let (client, server) = connected();
        let (ours, _theirs) = open(&client, &server);
        for _ in 0..7 {
            let began = std::time::Instant::now();
            write(&ours, &pattern(PIECE), TIME);
            std::thread::sleep(Duration::from_millis(2));
            if relays {
                // Not over when it writes again, for that may be late.
                let ended = std::time::Instant::now() + Duration::from_secs(60);
                inside::has_received(client.shared.key, began, ended);
            }
        }
        let sending = client.shared.sending.lock();
        assert_eq!(sending.gathering.streamed(), streamed);
    }
}

#[test]
fn who_must_not_wait_leaves_nothing() {
    let ((client, _server), (ours, theirs)) = gathering();
    for _ in 0..100 {
        write(&ours, &pattern(1000), Timeout::NOW);
        assert!(!client.shared.sending.lock().is_all_gathered());
    }
    expect(&theirs, &pattern(1000).repeat(100));
}

/// Requests and the end of file go with what waits, and behind it.
#[test]
fn what_is_said_after_it_takes_it_along() {
    let ((_client, server), (ours, theirs)) = gathering();
    let reading = std::thread::spawn(move || read_to_end(&theirs));
    for _ in 0..100 {
        write(&ours, &pattern(1000), TIME);
        let ping = ChannelRequest::Other {
            name: "x@example.org".into(),
            data: Vec::new(),
        };
        let _ = ours.request(&ping, false, TIME);
    }
    write(&ours, &pattern(1000), TIME);
    ours.send_eof().unwrap();
    assert!(reading.join().unwrap() == pattern(1000).repeat(101));
    drop(server);
}

/// More than the socket holds, by several writers, with new keys in between.
#[test]
fn streams_of_several_writers_come_whole() {
    const WRITERS: usize = 4;
    let ((client, server), first) = gathering();
    let mut channels = vec![first];
    channels.extend((1..WRITERS).map(|_| open(&client, &server)));
    let rekeying = {
        let client = client.clone();
        std::thread::spawn(move || {
            for _ in 0..10 {
                client.renegotiate_keys(TIME).unwrap();
            }
        })
    };
    let sent = pattern(3_000_000);
    std::thread::scope(|scope| {
        for (ours, theirs) in &channels {
            scope.spawn(|| {
                for piece in sent.chunks(30_000) {
                    write(ours, piece, TIME);
                }
                ours.send_eof().unwrap();
            });
            scope.spawn(|| assert!(read_to_end(theirs) == sent));
        }
    });
    rekeying.join().unwrap();
}

#[test]
fn goodbye_takes_it_along() {
    for _ in 0..20 {
        let ((client, server), (ours, theirs)) = gathering();
        write(&ours, &pattern(1000), TIME);
        client.close();
        server.join(TIME).unwrap();
        expect(&theirs, &pattern(1000));
    }
}

/// A write that comes late and then fails ends the stream, and leaves what waits to the I/O thread.
#[test]
fn what_waits_behind_a_stream_that_has_ended_comes() {
    for _ in 0..20 {
        let ((client, _server), (ours, theirs)) = gathering();
        write(&ours, &pattern(1000), TIME);
        {
            let gathering = &mut client.shared.sending.lock().gathering;
            let later = std::time::Instant::now() + Duration::from_secs(10);
            gathering.begin(later, None, || false);
            gathering.end(later);
        }
        client.shared.look_after_writers().unwrap();
        expect(&theirs, &pattern(1000));
    }
}
