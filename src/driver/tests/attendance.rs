//! Callers that wait at the socket themselves, and the I/O thread that looks after what they leave.

use std::time::Instant;

use super::*;
use crate::driver::seats::Seats;

/// Until a thread has surely gone to sleep. Nothing depends on it but what is tested.
const MOMENT: Duration = Duration::from_millis(30);
/// A thousand times what it takes, and less than until some timer would happen to bring it about.
const SOON: Timeout = Timeout::After(Duration::from_secs(8));

#[test]
fn what_comes_after_a_caller_has_left_is_seen_to() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    for round in 0..20_u8 {
        theirs.write(Stream::Data, &[round], TIME).unwrap();
        let mut byte = [0];
        assert_eq!(ours.read(Stream::Data, &mut byte, TIME), Ok(Read::Data(1)));
        assert_eq!(byte, [round]);
        // Nobody reads now: only the I/O thread can tell.
        let event = Event::new();
        let interest = ChannelInterest {
            readable: true,
            ..ChannelInterest::default()
        };
        ours.set_event(&event, interest).unwrap();
        theirs.write(Stream::Data, b"x", TIME).unwrap();
        assert!(event.wait(TIME));
        assert_eq!(
            ours.read(Stream::Data, &mut byte, Timeout::NOW),
            Ok(Read::Data(1))
        );
        ours.set_event(&event, ChannelInterest::default()).unwrap();
    }
}

/// One waits at the socket for its own data and gets the other's, too.
#[test]
fn two_callers_on_one_transport_both_get_what_is_theirs() {
    const ROUNDS: u32 = 2_000;
    let (client, server) = connected();
    let pairs: Vec<_> = (0..2).map(|_| open(&client, &server)).collect();
    std::thread::scope(|scope| {
        for (ours, theirs) in &pairs {
            for (channel, begins) in [(ours, true), (theirs, false)] {
                scope.spawn(move || {
                    let mut turn = [0; 4];
                    for round in 0..ROUNDS {
                        if begins {
                            channel
                                .write(Stream::Data, &round.to_be_bytes(), TIME)
                                .unwrap();
                        }
                        let mut filled = 0;
                        while filled < turn.len() {
                            match channel
                                .read(Stream::Data, &mut turn[filled..], TIME)
                                .unwrap()
                            {
                                Read::Data(count) => filled += count,
                                Read::Eof => panic!("the end"),
                            }
                        }
                        assert_eq!(u32::from_be_bytes(turn), round);
                        if !begins {
                            channel.write(Stream::Data, &turn, TIME).unwrap();
                        }
                    }
                });
            }
        }
    });
}

/// More than window and socket hold goes both ways at once, and each end has one thread for each way.
#[test]
fn full_in_both_directions() {
    const BYTES: usize = 20 << 20;
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let data = pattern(BYTES);
    std::thread::scope(|scope| {
        for channel in [&ours, &theirs] {
            let data = &data;
            scope.spawn(move || {
                channel.write(Stream::Data, data, TIME).unwrap();
                channel.send_eof().unwrap();
            });
            scope.spawn(move || assert!(read_to_end(channel) == *data));
        }
    });
}

/// Only one writer at a time is told of room. Some give up just then, and some have a window that is full.
#[test]
fn room_in_the_socket_goes_round_among_all_writers() {
    const WRITERS: usize = 12;
    const BYTES: usize = 3 << 20;
    let (client, server) = connected();
    let pairs: Vec<_> = (0..WRITERS).map(|_| open(&client, &server)).collect();
    let data = pattern(BYTES);
    std::thread::scope(|scope| {
        for (number, (ours, theirs)) in pairs.iter().enumerate() {
            let data = &data;
            scope.spawn(move || {
                let patience = match number % 3 {
                    0 => Timeout::After(Duration::from_micros(300)),
                    _ => TIME,
                };
                let mut written = 0;
                while written < data.len() {
                    match ours.write(Stream::Data, &data[written..], patience) {
                        Ok(count) => written += count,
                        Err(error) => {
                            assert!(matches!(error, Error::Timeout(_)), "{error}");
                            assert_eq!(number % 3, 0);
                        }
                    }
                }
                ours.send_eof().unwrap();
            });
            scope.spawn(move || assert!(read_to_end(theirs) == *data));
        }
    });
}

#[test]
fn a_caller_at_the_socket_is_sent_away() {
    type End = fn(&Transport, &Transport, &Channel) -> Error;
    let ends: [End; 4] = [
        |client, _, _| {
            client.cancel();
            Error::Cancelled
        },
        |client, _, _| {
            client.close();
            Error::Closed
        },
        |client, _, _| {
            client.release();
            Error::Closed
        },
        |_, server, _| {
            server.close();
            Error::Closed
        },
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let (client, server) = connected();
        let (ours, _theirs) = open(&client, &server);
        let reader = {
            let ours = ours.clone();
            std::thread::spawn(move || ours.read(Stream::Data, &mut [0; 4], Timeout::Forever))
        };
        std::thread::sleep(MOMENT);
        let expected = end(&client, &server, &ours);
        let outcome = reader.join().unwrap().unwrap_err();
        // The other side's goodbye has a text of its own.
        assert!(number == 3 || outcome == expected, "{number}: {outcome}");
        client.close();
        assert_eq!(client.join(TIME), Ok(()));
    }
}

/// Answers that come at once keep a caller awake. What ends its wait reaches it then, too.
#[test]
fn who_stays_awake_is_reached() {
    let ends: [fn(&Transport, &Channel); 4] = [
        |client, _| client.cancel(),
        |client, _| client.close(),
        |_, ours| ours.close().unwrap(),
        |_, ours| ours.shutdown_read().unwrap(),
    ];
    for end in ends.into_iter().cycle().take(40) {
        let (client, server) = connected();
        let (ours, theirs) = open(&client, &server);
        let mut byte = [0];
        let echo = std::thread::spawn(move || {
            let mut byte = [0];
            while theirs.read(Stream::Data, &mut byte, TIME) == Ok(Read::Data(1)) {
                if theirs.write(Stream::Data, &byte, TIME).is_err() || byte == [0] {
                    break;
                }
            }
            theirs
        });
        for turn in (0..100_u8).rev() {
            ours.write(Stream::Data, &[turn], TIME).unwrap();
            assert_eq!(ours.read(Stream::Data, &mut byte, TIME), Ok(Read::Data(1)));
            assert_eq!(byte, [turn]);
        }
        let _theirs = echo.join().unwrap();
        let awake = ours.read(
            Stream::Data,
            &mut byte,
            Timeout::After(Duration::from_millis(1)),
        );
        assert!(matches!(awake, Err(Error::Timeout(_))));
        let (begins, begun) = std::sync::mpsc::channel();
        let reader = {
            let ours = ours.clone();
            std::thread::spawn(move || {
                begins.send(()).unwrap();
                ours.read(Stream::Data, &mut [0; 4], TIME)
            })
        };
        begun.recv().unwrap();
        // The call may only begin after it, and a cancel reaches those that have begun.
        let mut tries = 0;
        while !reader.is_finished() && tries < 1000 {
            end(&client, &ours);
            std::thread::sleep(Duration::from_millis(1));
            tries += 1;
        }
        let outcome = reader.join().unwrap();
        assert!(
            matches!(
                outcome,
                Ok(Read::Eof) | Err(Error::Cancelled | Error::Closed)
            ),
            "{outcome:?}"
        );
    }
}

/// The channel is closed by another thread of ours, which nothing on the socket tells.
#[test]
fn closing_a_channel_wakes_who_waits_for_it_at_the_socket() {
    let (client, server) = connected();
    let (ours, _theirs) = open(&client, &server);
    let reader = {
        let ours = ours.clone();
        std::thread::spawn(move || ours.read(Stream::Data, &mut [0; 4], Timeout::Forever))
    };
    std::thread::sleep(MOMENT);
    ours.close().unwrap();
    assert_eq!(reader.join().unwrap(), Ok(Read::Eof));
}

#[test]
fn time_runs_out_at_the_socket() {
    let (client, server) = connected();
    let (ours, _theirs) = open(&client, &server);
    let time = Duration::from_millis(40);
    let start = Instant::now();
    let outcome = ours.read(Stream::Data, &mut [0; 4], Timeout::After(time));
    assert!(matches!(outcome, Err(Error::Timeout(_))));
    assert!(start.elapsed() >= time);
}

/// Whoever has stayed awake until the time was up sleeps the next time.
#[test]
fn a_moment_awake_is_in_vain_without_an_answer_too() {
    let (client, server) = connected();
    let (ours, _theirs) = open(&client, &server);
    // With one processor nobody tries.
    let tries = std::thread::available_parallelism().unwrap().get() > 1;
    client.shared.wakefulness(|wakefulness| {
        while wakefulness.worth().is_none() {
            wakefulness.waited(Some(Duration::ZERO), true);
        }
    });
    // The first waits may be the I/O thread's, who does not stay awake, and clients of other tests may have the right to.
    let time = Timeout::After(Duration::from_millis(1));
    let most = if tries { 2_000 } else { 200 };
    let sleeps_again = (0..most).any(|_| {
        let outcome = ours.read(Stream::Data, &mut [0; 4], time);
        assert!(matches!(outcome, Err(Error::Timeout(_))));
        client
            .shared
            .wakefulness(|wakefulness| wakefulness.worth().is_none())
    });
    assert_eq!(sleeps_again, tries);
}

/// An answer that has time leaves all the same, when the caller stays away.
#[test]
fn a_patient_reply_leaves_in_the_end() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let waiting = {
        let ours = ours.clone();
        std::thread::spawn(move || ours.wait_closed(TIME))
    };
    std::thread::sleep(MOMENT);
    theirs.close().unwrap();
    waiting.join().unwrap().unwrap();
    assert_eq!(theirs.wait_closed(TIME), Ok(()));
}

/// Nor may it stay behind when the I/O thread takes over because another caller sleeps.
#[test]
fn a_patient_reply_leaves_when_two_callers_have_met() {
    for _ in 0..5 {
        let (client, server) = connected();
        let (idle, _idle_there) = open(&client, &server);
        let (ours, theirs) = open(&client, &server);
        let waiting = {
            let ours = ours.clone();
            std::thread::spawn(move || ours.wait_closed(TIME))
        };
        std::thread::sleep(MOMENT);
        let sleeping =
            std::thread::spawn(move || idle.read(Stream::Data, &mut [0; 4], Timeout::Forever));
        std::thread::sleep(MOMENT);
        theirs.close().unwrap();
        waiting.join().unwrap().unwrap();
        assert_eq!(theirs.wait_closed(SOON), Ok(()));
        client.cancel();
        assert_eq!(sleeping.join().unwrap(), Err(Error::Cancelled));
    }
}

#[test]
fn a_seat_without_a_descriptor_is_not_used_up() {
    let seats = Seats::with_at_most(1);
    for _ in 0..3 {
        assert!(seats.take_with(|_| false).is_none());
    }
    assert!(seats.take().is_some());
}

#[test]
fn seats_are_bounded_and_used_again() {
    let seats = Seats::with_at_most(2);
    let taken = (seats.take().unwrap(), seats.take().unwrap());
    assert!(seats.take().is_none());
    seats.give(taken.0);
    assert!(seats.take().is_some());
    assert!(seats.take().is_none());
}
