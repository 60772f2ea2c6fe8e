//! Over loopback, with real sockets. The policy itself is tested with a clock of its own in [`crate::policy`].

use std::io::Read;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::keys::certificate::address::Network;

const TIME: Timeout = Timeout::After(Duration::from_secs(20));

fn loopback() -> ForwardPoint {
    ForwardPoint::Tcp {
        host: String::from("127.0.0.1"),
        port: 0,
    }
}

fn bound(listener: &Listener) -> u16 {
    match listener.bind(&loopback()).unwrap() {
        ForwardPoint::Tcp { port, .. } => port,
        ForwardPoint::Unix { .. } => panic!("an address was asked for"),
    }
}

fn bound_path(listener: &Listener, name: &str) -> PathBuf {
    let name = format!("sshwire-listener-{name}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let point = ForwardPoint::Unix {
        path: path.to_str().unwrap().to_owned(),
    };
    assert_eq!(listener.bind(&point).unwrap(), point);
    path
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Whether this side is closed by the other one, and not only silent.
fn is_refused(mut stream: TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

fn until(condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not come to it");
}

#[test]
fn connections_come_out_in_their_order_with_their_peers() {
    let listener = Listener::new();
    assert!(!listener.is_listening());
    let port = bound(&listener);
    assert!(listener.is_listening());
    let event = listener.accept_event();
    assert!(!event.is_set());
    let clients = [(); 3].map(|()| connect(port));
    assert!(event.wait(TIME));
    for client in &clients {
        let transport = listener.accept(TIME).unwrap();
        let peer = client.local_addr().unwrap();
        assert_eq!(
            transport.peer_address(),
            Some((peer.ip().to_string(), peer.port()))
        );
    }
    assert!(!event.is_set());
    assert!(matches!(
        listener.accept(Timeout::NOW),
        Err(Error::Timeout(_))
    ));
    // They were dropped without a start, which is nobody's fault.
    assert_eq!(listener.counts().unauthenticated, 0);
    assert_eq!(listener.counts().penalized, 0);
    assert_eq!(listener.counts().accepted, 3);
}

#[test]
fn who_is_too_much_is_closed_at_once() {
    let listener = Listener::new();
    listener.set_limits(|limits| limits.per_source = 2);
    let port = bound(&listener);
    let kept = [connect(port), connect(port)];
    let transports = [
        listener.accept(TIME).unwrap(),
        listener.accept(TIME).unwrap(),
    ];
    assert!(is_refused(connect(port)));
    assert_eq!(listener.counts().refused_per_source, 1);
    // The end of one makes room.
    let [one, _two] = transports;
    one.release();
    until(|| listener.counts().unauthenticated == 1);
    let _third = connect(port);
    listener.accept(TIME).unwrap();
    drop(kept);
}

#[test]
fn a_flood_of_a_source_leaves_others_their_places() {
    let listener = Listener::new();
    listener.set_limits(|limits| {
        limits.per_source = 4;
        // As if it were another source, for the sake of a test on loopback.
        limits.exempt = Vec::new();
    });
    let port = bound(&listener);
    let flood: Vec<_> = (0..200).map(|_| connect(port)).collect();
    until(|| {
        let counts = listener.counts();
        counts.accepted + counts.refused_per_source == 200
    });
    assert_eq!(listener.waiting(), 4);
    listener.set_limits(|limits| limits.exempt = vec![Network::parse("127.0.0.1").unwrap()]);
    let _honest = connect(port);
    until(|| listener.waiting() == 5);
    drop(flood);
}

#[test]
fn a_callback_gets_what_waits_and_what_comes() {
    let listener = Listener::new();
    let port = bound(&listener);
    let _before = connect(port);
    until(|| listener.waiting() == 1);
    let (sender, receiver) = mpsc::channel();
    listener.set_callback(Some(Arc::new(move |transport| {
        sender.send(transport).unwrap();
    })));
    let _after = connect(port);
    let time = Duration::from_secs(20);
    receiver.recv_timeout(time).unwrap();
    receiver.recv_timeout(time).unwrap();
    listener.set_callback(None);
    assert!(receiver.recv().is_err(), "it was let go");
    let _more = connect(port);
    listener.accept(TIME).unwrap();
}

#[test]
fn waiting_ends_with_a_cancel_and_with_the_listener() {
    let listener = Listener::new();
    bound(&listener);
    let wait = || {
        let listener = listener.clone();
        std::thread::spawn(move || listener.accept(TIME).map(|_| ()))
    };
    let waiting = wait();
    // It may not be there yet.
    while !waiting.is_finished() {
        listener.cancel();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(waiting.join().unwrap(), Err(Error::Cancelled));
    let waiting = wait();
    listener.stop();
    assert_eq!(waiting.join().unwrap(), Err(Error::Closed));
    assert!(listener.accept_event().is_set());
    assert!(!listener.is_listening());
    assert_eq!(listener.bind(&loopback()), Err(Error::Closed));
}

#[test]
fn nothing_listens_after_a_stop_and_what_was_let_in_may_be_taken() {
    let listener = Listener::new();
    // A port could go to another test at once.
    let path = bound_path(&listener, "stop");
    let _client = UnixStream::connect(&path).unwrap();
    until(|| listener.waiting() == 1);
    listener.stop();
    assert!(UnixStream::connect(&path).is_err());
    assert!(listener.accept(Timeout::NOW).is_ok());
    assert!(matches!(listener.accept(TIME), Err(Error::Closed)));
}

#[test]
fn dropping_the_listener_ends_all() {
    let listener = Listener::new();
    let port = bound(&listener);
    let path = bound_path(&listener, "drop");
    let client = connect(port);
    until(|| listener.waiting() == 1);
    drop(listener);
    assert!(is_refused(client));
    until(|| UnixStream::connect(&path).is_err());
}

#[test]
fn sockets_of_the_caller_and_unix_sockets_are_places_too() {
    let listener = Listener::new();
    let made = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = made.local_addr().unwrap().port();
    let number: RawFd = made.into_raw_fd();
    listener.add_descriptor(number).unwrap();
    let path = bound_path(&listener, "places");
    let _tcp = connect(port);
    assert!(listener.accept(TIME).unwrap().peer_address().is_some());
    let unix = UnixStream::connect(&path).unwrap();
    assert!(listener.accept(TIME).unwrap().peer_address().is_none());
    // No listening socket, so it stays the caller's.
    assert!(listener.add_descriptor(unix.as_raw_fd()).is_err());
    assert!(unix.peer_addr().is_ok());
    listener.close();
    assert!(!path.exists());
}
