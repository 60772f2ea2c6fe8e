//! Writers that wait for the baton, and what has them go on.

use super::gathering::{expect, write};
use super::*;
use crate::connection::ConnectionLimits;
use crate::driver::baton::{Taken, Turn, LEAST_BYTES};
use crate::driver::shared::Shared;
use crate::driver::wait::Deadline;
use crate::driver::writing::LOCK_BYTES;
use crate::error::Error;
use std::sync::mpsc;

/// A client that takes everything for a stream.
fn streaming() -> (Transport, Transport) {
    let (client, server) = connected();
    client.shared.sending.lock().gathering.trust();
    client.shared.sent.trust();
    (client, server)
}

/// What comes of a write in another thread.
struct Writing(mpsc::Receiver<Result<usize, Error>>);

impl Writing {
    fn begin(channel: &Channel, bytes: usize, timeout: Timeout) -> Self {
        let (tell, told) = mpsc::channel();
        let channel = channel.clone();
        std::thread::spawn(move || {
            tell.send(channel.write(Stream::Data, &pattern(bytes), timeout))
        });
        Writing(told)
    }

    fn end(self) -> Result<usize, Error> {
        let outcome = self.0.recv_timeout(Duration::from_secs(20));
        outcome.expect("it waits")
    }
}

/// While somebody has the baton, writes as much as waits for it.
fn held_up(client: &Transport, channel: &Channel) -> Writing {
    assert!(!client.shared.baton.is_waited_for());
    let writing = Writing::begin(channel, LEAST_BYTES, Timeout::Forever);
    while !client.shared.baton.is_waited_for() {
        assert!(writing.0.try_recv().is_err(), "it has not waited");
        std::thread::yield_now();
    }
    // It is in the queue, and asleep in a moment.
    std::thread::sleep(Duration::from_millis(5));
    writing
}

fn take(shared: &Shared) -> Turn<'_> {
    let now = std::time::Instant::now();
    match shared.baton.take(now, Deadline(None), || false, || {}) {
        Taken::Turn(turn) => turn,
        Taken::Without | Taken::Dismissed => panic!("somebody has it"),
    }
}

fn writes(channel: &Channel, bytes: usize, timeout: Timeout) -> Result<usize, Error> {
    Writing::begin(channel, bytes, timeout).end()
}

/// Streams until the baton stays with this thread, which it does not where it has been away for too long.
fn stream(channel: &Channel) -> usize {
    let piece = pattern(LEAST_BYTES);
    for number in 1..1000 {
        write(channel, &piece, TIME);
        if channel.shared().baton.is_mine() {
            return number;
        }
        // Who is alone does without: somebody else has been there meanwhile.
        std::thread::scope(|scope| scope.spawn(|| drop(take(channel.shared()))).join().unwrap());
    }
    panic!("a stream never keeps it");
}

#[test]
fn who_waits_writes_when_it_is_its_turn() {
    let (client, server) = streaming();
    let (ours, theirs) = open(&client, &server);
    let turn = take(&client.shared);
    let writing = held_up(&client, &ours);
    drop(turn);
    assert_eq!(writing.end(), Ok(LEAST_BYTES));
    expect(&theirs, &pattern(LEAST_BYTES));
}

#[test]
fn little_does_not_wait() {
    let (client, server) = streaming();
    let (ours, theirs) = open(&client, &server);
    let _turn = take(&client.shared);
    let bytes = LEAST_BYTES - 1;
    assert_eq!(writes(&ours, bytes, Timeout::Forever), Ok(bytes));
    expect(&theirs, &pattern(bytes));
}

#[test]
fn nor_does_who_has_no_time() {
    let (client, server) = streaming();
    let (ours, theirs) = open(&client, &server);
    let _turn = take(&client.shared);
    assert_eq!(writes(&ours, LEAST_BYTES, Timeout::NOW), Ok(LEAST_BYTES));
    expect(&theirs, &pattern(LEAST_BYTES));
}

#[test]
fn a_cancel_and_the_end_of_the_session_call_all() {
    let (client, server) = streaming();
    let (ours, _theirs) = open(&client, &server);
    let _turn = take(&client.shared);
    let writing = held_up(&client, &ours);
    client.cancel();
    assert_eq!(writing.end(), Err(Error::Cancelled));
    let writing = held_up(&client, &ours);
    client.close();
    assert!(matches!(writing.end(), Err(error) if error != Error::Cancelled));
    // Nor does anybody wait who comes later.
    assert!(writes(&ours, LEAST_BYTES, Timeout::Forever).is_err());
}

/// With real time: the I/O thread looks.
#[test]
fn who_stays_away_keeps_nobody_waiting() {
    let (client, server) = streaming();
    let channels = [open(&client, &server), open(&client, &server)];
    let [(ours, theirs), (others, at_others)] = channels;
    let pieces = stream(&ours);
    assert_eq!(
        writes(&others, LEAST_BYTES, Timeout::Forever),
        Ok(LEAST_BYTES)
    );
    expect(&at_others, &pattern(LEAST_BYTES));
    expect(&theirs, &pattern(LEAST_BYTES).repeat(pieces));
}

/// In one go or in several, each with the baton.
#[test]
fn a_call_that_writes_much_has_it_all_the_time() {
    let (client, server) = streaming();
    let (ours, theirs) = open(&client, &server);
    let much = pattern(LOCK_BYTES + LEAST_BYTES);
    // On a machine that does much else a turn may be over meanwhile.
    for _ in 0..1000 {
        client.shared.sending.lock().gathering.trust();
        client.shared.sent.trust();
        std::thread::scope(|scope| scope.spawn(|| drop(take(&client.shared))).join().unwrap());
        write(&ours, &much, TIME);
        let kept = client.shared.baton.bytes_of_turn();
        expect(&theirs, &much);
        if kept == much.len() {
            return;
        }
    }
    panic!("it never keeps it");
}

#[test]
fn who_waits_for_data_passes_it_on() {
    let (client, server) = streaming();
    let (ours, _theirs) = open(&client, &server);
    stream(&ours);
    let nothing = ours.read(Stream::Data, &mut [0], Timeout::from_ms(100));
    assert!(matches!(nothing, Err(Error::Timeout(_))), "{nothing:?}");
    assert!(!client.shared.baton.is_mine());
}

#[test]
fn who_has_no_window_passes_it_on() {
    let (client, server) = streaming();
    let (ours, _theirs) = open(&client, &server);
    let window = usize::try_from(ConnectionLimits::default().window_initial).unwrap();
    let left = LOCK_BYTES + LEAST_BYTES;
    write(&ours, &pattern(window - left), TIME);
    std::thread::scope(|scope| scope.spawn(|| drop(take(&client.shared))).join().unwrap());
    // As much as the window has room for, which is no whole turn; the socket may take it in several.
    let much = pattern(2 * left);
    let mut written = 0;
    while written < left {
        let more = ours.write_some(Stream::Data, &much[written..], TIME);
        written += more.unwrap();
    }
    assert_eq!(written, left);
    assert!(client.shared.baton.is_free());
}

/// They are not late: who waits writes next, and what they wait for is its turn.
#[test]
fn bytes_that_wait_while_others_do_have_not_waited_in_vain() {
    let (client, server) = streaming();
    let channels = [open(&client, &server), open(&client, &server)];
    let [(ours, theirs), (others, at_others)] = channels;
    let turn = take(&client.shared);
    let writing = held_up(&client, &others);
    write(&ours, b"little", TIME);
    expect(&theirs, b"little");
    assert_eq!(client.shared.sending.lock().gathering.times_late(), 0);
    drop(turn);
    assert_eq!(writing.end(), Ok(LEAST_BYTES));
    expect(&at_others, &pattern(LEAST_BYTES));
}
