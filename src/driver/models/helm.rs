//! Loops around one event, at the helm of the I/O threads: what they do there, and what others need done meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::check::Model;
use super::session::{connected, open, part, pattern, read_to_end, spawn, write, MODEL};
use crate::connection::Stream;
use crate::driver::helm::tests::call_all;
use crate::driver::{Channel, ChannelInterest, Event, Read, Timeout};
use crate::error::Error;

/// Visits at the helm in all schedules.
static VISITS: AtomicU64 = AtomicU64::new(0);

/// Reads all that comes until the end of file, as a loop does, and goes to the helm for each wait.
fn read_in_loop(channel: &Channel) -> Vec<u8> {
    let event = Event::new();
    let all = read_with(channel, &event);
    VISITS.fetch_add(event.visits(), Ordering::Relaxed);
    all
}

fn read_with(channel: &Channel, event: &Event) -> Vec<u8> {
    channel.set_event(event, ChannelInterest::READABLE).unwrap();
    let mut all = Vec::new();
    let mut buffer = [0; 48];
    loop {
        match channel.read(Stream::Data, &mut buffer, Timeout::NOW) {
            Ok(Read::Data(count)) => all.extend_from_slice(&buffer[..count]),
            Ok(Read::Eof) => return all,
            Err(Error::Timeout(_)) => {
                event.steer_next();
                assert!(event.wait_in_loop(Timeout::Forever));
                event.reset();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Two I/O threads, and two loops of which each may have the helm of either; whoever waits otherwise is served, too.
#[test]
fn loops_miss_nothing_and_keep_nobody_waiting() {
    let model = Model {
        io_threads: 2,
        ..MODEL
    };
    model.check(|| {
        let (client, server) = connected();
        let channels = [(); 3].map(|()| open(&client, &server));
        let sent = pattern(100);
        let threads = channels.map(|(ours, theirs)| {
            let data = sent.clone();
            spawn(move || {
                write(&ours, &data);
                ours.send_eof().unwrap();
            });
            theirs
        });
        let [one, other, third] = threads;
        let reading = [
            spawn(move || read_in_loop(&one)),
            spawn(move || read_in_loop(&other)),
            spawn(move || read_to_end(&third)),
        ];
        for thread in reading {
            assert_eq!(thread.join().unwrap(), sent);
        }
        part(&client, &server);
    });
    // One schedule alone, chosen by hand, may have none.
    assert!(VISITS.load(Ordering::Relaxed) > 0 || model.is_one());
}

/// Somebody sets the event while a loop is at the helm, or on its way there, or away; and what it leaves the thread does.
#[test]
fn a_loop_hears_of_what_others_set_and_leaves_the_rest_to_the_thread() {
    static VISITS: AtomicU64 = AtomicU64::new(0);
    MODEL.check(|| {
        let (client, server) = connected();
        let (ours, theirs) = open(&client, &server);
        let event = Event::new();
        for timeout in [Timeout::After(Duration::from_millis(1)), Timeout::Forever] {
            // The thread has something to do, and then lets the loop have its helm.
            call_all();
            event.steer_next();
            let setting = {
                let event = event.clone();
                spawn(move || event.set())
            };
            let is_set = event.wait_in_loop(timeout);
            assert!(is_set || timeout != Timeout::Forever);
            setting.join().unwrap();
            event.reset();
        }
        VISITS.fetch_add(event.visits(), Ordering::Relaxed);
        // Nobody comes to the helm any more. Of two readers one waits for the thread.
        let errors = {
            let theirs = theirs.clone();
            spawn(move || theirs.read(Stream::Stderr, &mut [0], Timeout::Forever))
        };
        let reading = spawn(move || read_to_end(&theirs));
        write(&ours, b"x");
        ours.send_eof().unwrap();
        assert_eq!(reading.join().unwrap(), b"x");
        assert_eq!(errors.join().unwrap(), Ok(Read::Eof));
        part(&client, &server);
    });
    assert!(VISITS.load(Ordering::Relaxed) > 0 || MODEL.is_one());
}
