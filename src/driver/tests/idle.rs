//! What a transport keeps while nothing is said.

use super::gathering::{expect, write};
use super::*;

/// Waits until a transport keeps no more than that for sending, and for so many events.
#[track_caller]
fn keeps(transport: &Transport, bytes: usize, events: usize) {
    let kept = || {
        let sending = transport.shared.sending.lock();
        let bytes = sending.outbound.as_ref().unwrap().capacity();
        drop(sending);
        let serving = transport.shared.serving.lock();
        (bytes, serving.services.as_ref().unwrap().capacity())
    };
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while kept().0 > bytes || kept().1 > events {
        assert!(std::time::Instant::now() < end, "{:?} are kept", kept());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_a_login_took_is_given_back() {
    let (client, server) = connected();
    // Room for the telling of host keys, which is said last. KEXINIT alone took more.
    keeps(&client, 512, 0);
    keeps(&server, 512, 0);
}

#[test]
fn what_was_written_before_a_silence_is_given_back() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let piece = pattern(100_000);
    let reading = std::thread::spawn({
        let piece = piece.clone();
        move || {
            expect(&theirs, &piece);
            theirs
        }
    });
    write(&ours, &piece, TIME);
    let _theirs = reading.join().unwrap();
    client
        .set_keepalive(Duration::from_millis(20), 0, None)
        .unwrap();
    keeps(&client, 512, 16);
}
