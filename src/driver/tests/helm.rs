//! Loops around one event, which do the work of the I/O threads.

use std::time::Instant;

use super::*;
use crate::driver::helm::tests::call_all;

/// Waits for the event, at the helm if it can be had.
fn wait(event: &Event) {
    event.steer_next();
    assert!(event.wait_in_loop(TIME));
    event.reset();
}

/// Sends back what comes, until that ends.
fn echo(channel: &Channel, event: &Event) {
    channel.set_event(event, ChannelInterest::READABLE).unwrap();
    let mut bytes = [0; 100];
    loop {
        match channel.read(Stream::Data, &mut bytes, Timeout::NOW) {
            Ok(Read::Data(count)) => {
                let sent = channel.write(Stream::Data, &bytes[..count], TIME);
                assert_eq!(sent, Ok(count));
            }
            Ok(Read::Eof) => return channel.close().unwrap(),
            Err(Error::Timeout(_)) => wait(event),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Sends a byte and waits until it is back, asleep.
fn ask(channel: &Channel, byte: u8) {
    let mut back = [0];
    assert_eq!(channel.write(Stream::Data, &[byte], TIME), Ok(1));
    let read = channel.read(Stream::Data, &mut back, TIME);
    assert_eq!((read, back), (Ok(Read::Data(1)), [byte]));
}

#[test]
fn a_loop_at_the_helm_is_served_and_serves_others() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let event = Event::new();
    let looping = {
        let event = event.clone();
        std::thread::spawn(move || echo(&theirs, &event))
    };
    // Somebody else's session, both of whose readers wait at once: one of them needs the I/O thread.
    let (other_client, other_server) = connected();
    let pairs = [(); 2].map(|()| open(&other_client, &other_server));
    let until = Instant::now() + Duration::from_secs(20);
    let mut byte = 0;
    while event.visits() < 20 {
        assert!(Instant::now() < until, "nobody came to the helm");
        ask(&ours, byte);
        byte = byte.wrapping_add(1);
        let reading = pairs.clone().map(|(ours, _)| {
            std::thread::spawn(move || ours.read(Stream::Data, &mut [0], TIME).unwrap())
        });
        for (_, theirs) in &pairs {
            theirs.write(Stream::Data, b"x", TIME).unwrap();
        }
        for thread in reading {
            assert_eq!(thread.join().unwrap(), Read::Data(1));
        }
    }
    ours.send_eof().unwrap();
    assert!(read_to_end(&ours).is_empty());
    looping.join().unwrap();
}

#[test]
fn what_a_loop_leaves_behind_the_thread_does() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let event = Event::new();
    theirs.set_event(&event, ChannelInterest::READABLE).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while event.visits() < 20 {
        assert!(Instant::now() < until, "nobody came to the helm");
        for in_loop in [true, true, true, false] {
            ours.write(Stream::Data, b"x", TIME).unwrap();
            if in_loop {
                wait(&event);
            } else {
                // The loop has something else to do, and this is no wait of one.
                assert!(event.wait(TIME));
                event.reset();
            }
            let read = theirs.read(Stream::Data, &mut [0; 2], TIME);
            assert_eq!(read, Ok(Read::Data(1)));
        }
    }
}

#[test]
fn a_wait_at_the_helm_ends_in_time_and_when_somebody_sets_the_event() {
    let (_client, _server) = connected();
    let event = Event::new();
    let until = Instant::now() + Duration::from_secs(20);
    while event.visits() < 3 {
        assert!(Instant::now() < until, "nobody came to the helm");
        event.steer_next();
        call_all();
        assert!(!event.wait_in_loop(Timeout::After(Duration::from_millis(1))));
        let setting = {
            let event = event.clone();
            std::thread::spawn(move || event.set())
        };
        wait(&event);
        setting.join().unwrap();
        event.reset();
    }
}
