//! The I/O thread while somebody else ends a transport: it has nothing to do then, and must not run in a circle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Barrier};
use std::time::Instant;

use super::*;

/// A transport whose turns are counted.
struct Counted {
    transport: Arc<dyn Task>,
    turns: AtomicUsize,
}

impl Task for Counted {
    fn key(&self) -> u64 {
        self.transport.key()
    }

    fn turn(self: Arc<Self>, ready: Ready, scratch: &mut Vec<u8>) -> Next {
        self.turns.fetch_add(1, Ordering::SeqCst);
        Arc::clone(&self.transport).turn(ready, scratch)
    }

    fn look_after(&self) -> bool {
        self.transport.look_after()
    }

    fn broken(self: Arc<Self>) {
        Arc::clone(&self.transport).broken();
    }
}

/// Something that has one turn.
struct Once {
    key: u64,
    tell: mpsc::SyncSender<()>,
}

impl Task for Once {
    fn key(&self) -> u64 {
        self.key
    }

    fn turn(self: Arc<Self>, _: Ready, _: &mut Vec<u8>) -> Next {
        let _ = self.tell.send(());
        Next::Gone
    }

    fn broken(self: Arc<Self>) {}
}

/// Takes the place of the transport at its I/O thread.
fn counted(transport: &Transport) -> Arc<Counted> {
    let shared = Arc::clone(&transport.shared);
    let counted = Arc::new(Counted {
        transport: shared,
        turns: AtomicUsize::new(0),
    });
    let worker = transport.shared.worker.get().unwrap();
    worker.register(counted.clone());
    counted
}

/// Has the I/O thread of a transport poll so many times, at least.
fn poll(transport: &Transport, rounds: usize) {
    let worker = transport.shared.worker.get().unwrap();
    for _ in 0..rounds {
        let (tell, told) = mpsc::sync_channel(1);
        let key = Engine::new_key();
        worker.register(Arc::new(Once { key, tell }));
        told.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}

/// How many of a hundred polls find something to do for a transport of whose end they have been told by the peer.
fn busy_polls(transport: &Transport, counted: &Counted) -> usize {
    // What there is to find out is found out.
    poll(transport, 5);
    let before = counted.turns.load(Ordering::SeqCst);
    poll(transport, 100);
    counted.turns.load(Ordering::SeqCst) - before
}

/// Until a thread has surely come to a lock.
const MOMENT: Duration = Duration::from_millis(30);
/// What may come by chance: looks after callers who have left, and timers.
const FEW: usize = 20;

#[test]
fn the_io_thread_leaves_the_end_to_who_is_at_it() {
    let (client, server) = connected();
    let counted = counted(&client);
    let (begun, goes_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let stops = (Arc::clone(&begun), Arc::clone(&goes_on));
    client.shared.set_request_event(Event::with_hook(move || {
        stops.0.wait();
        stops.1.wait();
    }));
    let ending = {
        let client = client.clone();
        std::thread::spawn(move || client.release())
    };
    begun.wait();
    server.abandon();
    server.join(TIME).unwrap();
    let busy = busy_polls(&client, &counted);
    goes_on.wait();
    ending.join().unwrap();
    client.join(TIME).unwrap();
    assert!(busy < FEW, "{busy} turns in 100 polls");
}

#[test]
fn the_io_thread_waits_for_a_caller_to_leave_the_socket() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let counted = counted(&client);
    let reading = std::thread::spawn(move || ours.read(Stream::Data, &mut [0; 4], TIME));
    let until = |done: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
    };
    until(&|| client.shared.is_polled_by_caller());
    // A turn for anything before this would wait for the lock as well.
    poll(&client, 5);
    let held = client.hold_receiving();
    theirs.write(Stream::Data, b"x", TIME).unwrap();
    // From here on it waits for the lock.
    until(&|| !client.shared.is_polled_by_caller());
    assert!(client.shared.has_visitor());
    std::thread::sleep(MOMENT);
    // Without a goodbye: the peer's answer to that may come before all threads know of the end, and the I/O thread would
    // want to read it.
    client.abandon();
    // By another thread, for this one must not sleep with the lock.
    let leaving = std::thread::spawn(move || {
        server.abandon();
        server.join(TIME).unwrap();
    });
    leaving.join().unwrap();
    let busy = busy_polls(&client, &counted);
    let stayed = client.shared.has_visitor();
    drop(held);
    let _ = reading.join().unwrap();
    client.join(TIME).unwrap();
    assert!(stayed, "the caller left too early for this test");
    assert!(busy < FEW, "{busy} turns in 100 polls");
}

#[test]
fn a_panic_halfway_does_not_leave_the_stream_open() {
    let (client, server) = connected();
    client
        .shared
        .set_request_event(Event::with_hook(|| panic!("meant")));
    let ends = std::panic::AssertUnwindSafe(|| client.shared.end(Error::Cancelled));
    assert!(std::panic::catch_unwind(ends).is_err());
    client.join(TIME).unwrap();
    server.join(TIME).unwrap();
}

#[test]
fn what_was_late_is_no_not_yet_once_the_session_has_ended_by_it() {
    let (client, server) = connected();
    client.shared.end(Error::Timeout("connect"));
    assert_eq!(client.cause(), Some(Error::Expired("connect")));
    server.release();
}
