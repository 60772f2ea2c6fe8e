//! Channels: readers and writers that are blocked, and what must wake them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use super::check::Model;
use super::session::{connected, open, part, pattern, read_to_end, spawn, write, MODEL};
use crate::connection::{ChannelRequest, Stream};
use crate::driver::sys::model as system;
use crate::driver::{ChannelInterest, Condition, Deadline, Event, Read, Timeout};
use crate::error::Error;

/// More than the window holds, both ways at once, with the end of file behind it. Where a reader sleeps its buffer is lent.
#[test]
fn data_and_their_end_reach_a_reader_who_sleeps() {
    MODEL.check(|| {
        let (client, server) = connected();
        let (ours, theirs) = open(&client, &server);
        let sent = pattern(200);
        let threads = [(ours.clone(), theirs.clone()), (theirs, ours)].map(|(from, to)| {
            let data = sent.clone();
            let writing = spawn(move || {
                write(&from, &data);
                from.send_eof().unwrap();
            });
            (writing, spawn(move || read_to_end(&to)))
        });
        for (writing, reading) in threads {
            writing.join().unwrap();
            assert_eq!(reading.join().unwrap(), sent);
        }
        part(&client, &server);
    });
}

/// Of two who wait for the same transport, one goes to the socket and the other sleeps, with its buffer lent.
#[test]
fn who_is_at_the_socket_serves_the_other() {
    MODEL.check(|| {
        let (client, server) = connected();
        let (ours, theirs) = open(&client, &server);
        let reading = [Stream::Data, Stream::Stderr].map(|stream| {
            let ours = ours.clone();
            spawn(move || {
                let mut byte = [0];
                for round in 0..2 {
                    let read = ours.read(stream, &mut byte, Timeout::Forever);
                    assert_eq!((read, byte), (Ok(Read::Data(1)), [round]));
                }
            })
        });
        for round in 0..2 {
            for stream in [Stream::Stderr, Stream::Data] {
                let written = theirs.write(stream, &[round], Timeout::Forever);
                assert_eq!(written, Ok(1));
            }
        }
        for thread in reading {
            thread.join().unwrap();
        }
        part(&client, &server);
    });
}

/// Those who stream have their turns one after another, also where somebody stays away with the right to write and waits for the others
/// elsewhere.
#[test]
fn writers_take_turns_and_wait_for_nobody_who_is_gone() {
    MODEL.check(|| {
        let (client, server) = connected();
        let channels = [(); 3].map(|()| open(&client, &server));
        let sent = pattern(24);
        let reading = channels
            .clone()
            .map(|(_, theirs)| spawn(move || read_to_end(&theirs)));
        let [gone, others @ ..] = channels.map(|(ours, _)| ours);
        write(&gone, &sent);
        let writing = others.map(|ours| {
            let sent = sent.clone();
            spawn(move || {
                write(&ours, &sent);
                write(&ours, &sent);
                ours.send_eof().unwrap();
            })
        });
        for thread in writing {
            thread.join().unwrap();
        }
        gone.send_eof().unwrap();
        for (thread, times) in reading.into_iter().zip([1, 2, 2]) {
            assert_eq!(thread.join().unwrap(), sent.repeat(times));
        }
        part(&client, &server);
    });
}

/// Data through a socket that takes next to nothing, so that writers wait for room, and with new keys meanwhile.
#[test]
fn room_and_new_keys_let_a_writer_go_on() {
    let model = Model {
        schedules: MODEL.schedules / 2,
        ..MODEL
    };
    model.check(|| {
        let (client, server) = connected();
        let (ours, theirs) = open(&client, &server);
        system::set_capacity(100);
        let sent = pattern(200);
        let reading = spawn(move || read_to_end(&theirs));
        let rekeying = {
            let client = client.clone();
            spawn(move || client.renegotiate_keys(Timeout::Forever).unwrap())
        };
        write(&ours, &sent);
        ours.send_eof().unwrap();
        assert_eq!(reading.join().unwrap(), sent);
        rekeying.join().unwrap();
        part(&client, &server);
    });
}

/// One writer at a time is told of room, and one of them may have lost its patience just then.
#[test]
fn room_is_passed_on_among_writers() {
    let model = Model {
        schedules: MODEL.schedules / 2,
        ..MODEL
    };
    model.check(|| {
        let (client, server) = connected();
        let channels: Vec<_> = (0..3).map(|_| open(&client, &server)).collect();
        system::set_capacity(100);
        let rekeying = {
            let client = client.clone();
            spawn(move || client.renegotiate_keys(Timeout::Forever).unwrap())
        };
        let threads: Vec<_> = channels
            .into_iter()
            .zip([true, false, false])
            .map(|((ours, theirs), is_hasty)| {
                let writing = spawn(move || {
                    let sent = pattern(40);
                    let patience = match is_hasty {
                        true => Timeout::After(Duration::from_millis(1)),
                        false => Timeout::Forever,
                    };
                    let written = ours.write(Stream::Data, &sent, patience);
                    assert!(is_hasty || written == Ok(sent.len()), "{written:?}");
                    ours.send_eof().unwrap();
                });
                (writing, spawn(move || read_to_end(&theirs)), is_hasty)
            })
            .collect();
        for (writing, reading, is_hasty) in threads {
            writing.join().unwrap();
            let got = reading.join().unwrap();
            assert!(got == pattern(40) || (is_hasty && got.is_empty()));
        }
        rekeying.join().unwrap();
        part(&client, &server);
    });
}

/// Two writers to one channel, of whom the second that is told of room finds the window used up, and one to another channel,
/// who must hear of it all the same: the window opens only after his data have come.
#[test]
fn room_that_one_has_no_use_for_is_passed_on() {
    MODEL.check(|| {
        let (client, server) = connected();
        let (full, full_there) = open(&client, &server);
        let (other, other_there) = open(&client, &server);
        let rekeying = {
            let client = client.clone();
            spawn(move || client.renegotiate_keys(Timeout::Forever).unwrap())
        };
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let full = full.clone();
                spawn(move || write(&full, &[0; 64]))
            })
            .collect();
        let writing = spawn(move || {
            write(&other, &pattern(40));
            other.send_eof().unwrap();
        });
        assert_eq!(read_to_end(&other_there), pattern(40));
        let mut missing = 128;
        while missing > 0 {
            match full_there.read(Stream::Data, &mut [0; 64], Timeout::Forever) {
                Ok(Read::Data(count)) => missing -= count,
                end => panic!("{end:?}"),
            }
        }
        for thread in writers {
            thread.join().unwrap();
        }
        writing.join().unwrap();
        rekeying.join().unwrap();
        part(&client, &server);
    });
}

#[test]
fn closing_a_channel_wakes_readers_and_writers() {
    MODEL.check(|| end_while_blocked(false));
}

#[test]
fn the_end_of_the_transport_wakes_readers_and_writers() {
    MODEL.check(|| end_while_blocked(true));
}

fn end_while_blocked(lost: bool) {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let reading = {
        let ours = ours.clone();
        spawn(move || {
            let mut buffer = [0; 8];
            ours.read(Stream::Data, &mut buffer, Timeout::Forever)
        })
    };
    // Nobody reads this, so it is stuck at the end of the window.
    let writing = spawn(move || {
        ours.write_all(Stream::Data, &pattern(200), Timeout::Forever)
            .1
    });
    if lost {
        server.close();
    } else {
        theirs.close().unwrap();
    }
    let read = reading.join().unwrap();
    assert!(
        matches!(read, Ok(Read::Eof)) != lost,
        "a reader was told {read:?}"
    );
    assert!(writing.join().unwrap().is_err());
    part(&client, &server);
}

#[test]
fn cancelling_wakes_whoever_is_blocked() {
    MODEL.check(|| {
        let (client, server) = connected();
        let (ours, _theirs) = open(&client, &server);
        let reading = {
            let ours = ours.clone();
            spawn(move || {
                let mut buffer = [0; 8];
                ours.read(Stream::Data, &mut buffer, Timeout::Forever)
            })
        };
        let waiting = spawn(move || ours.wait_exit(Timeout::Forever));
        // Who comes after a cancel is not cancelled: so it is said until both have heard it.
        let cancelling = {
            let client = client.clone();
            let done = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&done);
            let thread = spawn(move || {
                while !told.load(Ordering::SeqCst) {
                    client.cancel();
                    shuttle::thread::yield_now();
                }
            });
            (thread, done)
        };
        assert_eq!(reading.join().unwrap(), Err(Error::Cancelled));
        assert_eq!(waiting.join().unwrap(), Err(Error::Cancelled));
        cancelling.1.store(true, Ordering::SeqCst);
        cancelling.0.join().unwrap();
        part(&client, &server);
    });
}

/// Requests of several threads, whose answers come while others send: whoever finds the sender at work leaves it to him.
#[test]
fn nothing_that_is_to_be_said_stays_unsaid() {
    MODEL.check(|| {
        let (client, server) = connected();
        let (ours, _theirs) = open(&client, &server);
        let asking: Vec<_> = (0..3)
            .map(|_| {
                let ours = ours.clone();
                spawn(move || {
                    let request = ChannelRequest::Env {
                        name: b"A".to_vec(),
                        value: b"B".to_vec(),
                    };
                    ours.request(&request, true, Timeout::Forever)
                })
            })
            .collect();
        for thread in asking {
            // No callback is set for it.
            assert_eq!(thread.join().unwrap(), Err(Error::RequestDenied));
        }
        part(&client, &server);
    });
}

/// Somebody who waits by events, and does not block, is told of data that come after a blocked caller has left the socket.
#[test]
fn events_are_set_when_no_caller_is_at_the_socket() {
    MODEL.check(|| {
        let (client, server) = connected();
        let (ours, theirs) = open(&client, &server);
        let echoing = spawn(move || {
            let mut byte = [0];
            for _ in 0..3 {
                let read = theirs.read(Stream::Data, &mut byte, Timeout::Forever);
                assert_eq!(read, Ok(Read::Data(1)));
                write(&theirs, &byte);
            }
        });
        let event = Event::new();
        let interest = ChannelInterest {
            readable: true,
            ..ChannelInterest::default()
        };
        let mut byte = [0];
        for round in 0..3 {
            write(&ours, &[round]);
            let read = if round == 1 {
                ours.set_event(&event, interest).unwrap();
                assert!(event.wait(Timeout::Forever));
                let read = ours.read(Stream::Data, &mut byte, Timeout::NOW);
                ours.set_event(&event, ChannelInterest::default()).unwrap();
                read
            } else {
                ours.read(Stream::Data, &mut byte, Timeout::Forever)
            };
            assert_eq!(read, Ok(Read::Data(1)));
            assert_eq!(byte, [round]);
        }
        echoing.join().unwrap();
        part(&client, &server);
    });
}

/// What the channel says, and what another thread says, reaches somebody who waits for either by an event, at the socket or not.
#[test]
fn no_setting_of_an_event_is_missed_at_the_socket() {
    // A moment between two locks is seldom met.
    let model = Model {
        schedules: MODEL.schedules * 30,
        ..MODEL
    };
    model.check(|| {
        let (client, server) = connected();
        let (ours, theirs) = open(&client, &server);
        let at_socket = Arc::new(Condition::default());
        let told = Arc::clone(&at_socket);
        let event = Event::with_hook(move || told.notify_visitor());
        let interest = ChannelInterest {
            readable: true,
            ..ChannelInterest::default()
        };
        ours.set_event(&event, interest).unwrap();
        let called = Arc::new(AtomicBool::new(false));
        let calling = {
            let (event, called) = (event.clone(), Arc::clone(&called));
            spawn(move || {
                called.store(true, Ordering::SeqCst);
                event.set();
            })
        };
        let writing = spawn(move || {
            write(&theirs, b"x");
            theirs
        });
        let (mut came, mut byte) = (false, [0]);
        loop {
            event.reset();
            came |= ours.read(Stream::Data, &mut byte, Timeout::NOW) == Ok(Read::Data(1));
            if came && called.load(Ordering::SeqCst) {
                break;
            }
            ours.sleep_until(&event, &at_socket, Deadline(None));
        }
        calling.join().unwrap();
        drop(writing.join().unwrap());
        part(&client, &server);
    });
}

/// Goodbye may take as long as it is given, and no longer.
#[test]
fn an_end_that_the_peer_does_not_see_comes_to_an_end() {
    let model = Model {
        schedules: MODEL.schedules / 2,
        patience: Duration::from_secs(1),
        ..MODEL
    };
    model.check(|| {
        let (client, server) = connected();
        system::set_capacity(0);
        client.close();
        client.join(Timeout::Forever).unwrap();
        server.join(Timeout::Forever).unwrap();
    });
}
