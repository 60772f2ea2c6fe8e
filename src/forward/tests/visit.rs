//! The server listens, and who connects there says in SOCKS where this side is to connect to.

use super::*;
use crate::config::Permitted;

fn permitted(text: &str) -> Permitted {
    Permitted::read(text, &|port| port.parse().ok()).unwrap()
}

fn begin(session: &Session, text: &str) -> Forward {
    Forward::remote_dynamic(&session.client, local(0), permitted(text), TIME).unwrap()
}

/// A visitor who has said which methods they know, and has heard which one is taken.
fn greeted(port: u16) -> TcpStream {
    let mut stream = connect(port);
    stream.write_all(&[5, 2, 2, 0]).unwrap();
    let mut reply = [0; 2];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply, [5, 0]);
    stream
}

/// What comes of a request in SOCKS 5.
fn ask(port: u16, request: &[u8]) -> (TcpStream, u8) {
    let mut stream = greeted(port);
    stream.write_all(request).unwrap();
    let mut reply = [0; 10];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply, [5, reply[1], 0, 1, 0, 0, 0, 0, 0, 0]);
    (stream, reply[1])
}

fn by_name(name: &str, port: u16) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    [&[5, 1, 0, 3, length], name.as_bytes(), &port.to_be_bytes()].concat()
}

fn by_number(port: u16) -> Vec<u8> {
    [&[5, 1, 0, 1, 127, 0, 0, 1][..], &port.to_be_bytes()].concat()
}

fn in_socks_4(port: u16, behind: &[u8]) -> Vec<u8> {
    [&[4, 1][..], &port.to_be_bytes(), behind].concat()
}

fn is_ended(mut stream: TcpStream) -> bool {
    !matches!(stream.read(&mut [0; 9]), Ok(1..))
}

#[test]
fn visitors_are_connected_to_where_they_say() {
    let session = Session::new();
    let target = echo_server();
    let forward = begin(&session, "any");
    let port = port_of(forward.bound());
    let asked: Vec<_> = (0..32)
        .map(|seed| {
            thread::spawn(move || {
                let request = if seed % 2 == 0 {
                    by_name("localhost", target)
                } else {
                    by_number(target)
                };
                let (stream, code) = ask(port, &request);
                assert_eq!(code, 0);
                echo(stream, seed, 200_000 + seed);
            })
        })
        .collect();
    for visitor in asked {
        visitor.join().unwrap();
    }
    // SOCKS 4 and 4a; what is sent with the request goes to the target.
    for behind in [&b"\x7f\0\0\x01me\0da"[..], b"\0\0\0\x01\0localhost\0da"] {
        let mut stream = connect(port);
        stream.write_all(&in_socks_4(target, behind)).unwrap();
        let mut reply = [0; 10];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply, [0, 90, 0, 0, 0, 0, 0, 0, b'd', b'a']);
        stream.write_all(b"ta").unwrap();
        stream.read_exact(&mut reply[..2]).unwrap();
        assert_eq!(&reply[..2], b"ta");
    }
    // All at once, the greeting too, and the end of what is said with it.
    let mut stream = connect(port);
    let all = [&[5, 1, 0][..], &by_number(target), b"data"].concat();
    stream.write_all(&all).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    assert_eq!(
        said,
        [&[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"data"].concat()
    );
    // And each byte by itself.
    let mut stream = connect(port);
    stream.set_nodelay(true).unwrap();
    for byte in &all {
        stream.write_all(&[*byte]).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let mut again = Vec::new();
    stream.read_to_end(&mut again).unwrap();
    assert_eq!(again, said);

    until("all are over", || forward.counts().active == 0);
    let bytes = (0..32).map(|seed| 200_000 + seed).sum::<u64>() + 2 * 4 + 2 * 4;
    let counts = Counts {
        connections: 36,
        active: 0,
        failed: 0,
        sent: bytes,
        received: bytes,
    };
    assert_eq!(forward.counts(), counts);
}

#[test]
fn refusals_say_why() {
    let session = Session::new();
    let (target, other) = (echo_server(), echo_server());
    let (nobody, _held) = refusing();
    let list = format!("localhost:{target} 127.0.0.1:{nobody} no..such:*");
    let forward = begin(&session, &list);
    let port = port_of(forward.bound());
    let (_stream, code) = ask(port, &by_name("LocalHost", target));
    assert_eq!(code, 0);
    let mut failed = 0;
    for (request, expected) in [
        (by_number(target), 2),
        (by_name("localhost", other), 2),
        (by_name("localhost.", target), 2),
        (by_number(nobody), 5),
        (by_name("no..such", 1), 4),
        (by_name("no..such", 0), 1),
        (vec![5, 2, 0, 1], 7),
        (vec![5, 3, 0, 1], 7),
        (vec![5, 1, 0, 9], 8),
    ] {
        let (stream, code) = ask(port, &request);
        assert_eq!(code, expected, "{request:?}");
        assert!(is_ended(stream), "{request:?}");
        failed += 1;
    }
    for behind in [&b"\x7f\0\0\x01\0"[..], b"\0\0\0\x01\0elsewhere\0"] {
        let mut stream = connect(port);
        stream.write_all(&in_socks_4(target, behind)).unwrap();
        let mut reply = [0; 8];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply[..2], [0, 91]);
        assert!(is_ended(stream));
        failed += 1;
    }
    // Who wants to log in cannot.
    let mut stream = connect(port);
    stream.write_all(&[5, 1, 2]).unwrap();
    let mut reply = [0; 2];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply, [5, 0xff]);
    assert!(is_ended(stream));
    until("all are counted", || forward.counts().failed == failed + 1);
    assert_eq!(forward.counts().connections, 1);

    let none = begin(&session, "none");
    let (stream, code) = ask(port_of(none.bound()), &by_number(target));
    assert_eq!(code, 2);
    assert!(is_ended(stream));
}

#[test]
fn what_is_no_socks_ends_soon_and_holds_little() {
    let session = Session::new();
    let forward = begin(&session, "any");
    let port = port_of(forward.bound());
    // Another protocol; a name without end; an end in the middle.
    for (said, ends) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), false),
        (
            [&in_socks_4(1, b"\x7f\0\0\x01")[..], &[b'u'; 5000]].concat(),
            false,
        ),
        (vec![5, 255, 1], true),
        (Vec::new(), true),
    ] {
        let mut stream = connect(port);
        stream.write_all(&said).unwrap();
        if ends {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let mut heard = Vec::new();
        // SOCKS 4 is told of it.
        let _ = stream.read_to_end(&mut heard);
        assert!(heard.is_empty() || heard[..2] == [0, 91], "{heard:?}");
    }
    until("all have failed", || forward.counts().failed == 4);
    until("all are over", || forward.counts().active == 0);
}

#[test]
fn visitors_are_bounded_and_end_with_the_forwarding() {
    let session = Session::new();
    let forward = begin(&session, "any");
    forward.set_max_connections(2);
    let port = port_of(forward.bound());
    let (first, second) = (greeted(port), greeted(port));
    assert!(is_ended(connect(port)), "a third");
    drop(first);
    until("there is room", || forward.counts().active == 1);
    let third = greeted(port);
    forward.stop();
    assert_eq!(forward.counts().active, 2);
    drop(forward);
    assert!(is_ended(second) && is_ended(third));

    let forward = begin(&session, "any");
    let last = greeted(port_of(forward.bound()));
    session.server.abandon();
    assert!(is_ended(last));
    until("nobody is left", || forward.counts().active == 0);
}

/// An address that does not answer: its queue of connections is full.
fn silent() -> (u16, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queued.push(stream);
        assert!(queued.len() < 64, "the queue has no end");
    }
    (address.port(), listener, queued)
}

/// How many connections to the port are being made.
fn attempts(port: u16) -> usize {
    const SYN_SENT: &str = "02";
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let to = format!(":{port:04X}");
    let fields = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|fields| fields[2].ends_with(&to) && fields[3] == SYN_SENT)
        .count()
}

/// Whoever leaves keeps their place as long as the attempt lasts, or a server could have any number of them made.
#[test]
fn attempts_are_bounded_also_when_nobody_waits_for_them() {
    let session = Session::new();
    let (silent, listener, queued) = silent();
    let forward = begin(&session, "any");
    forward.set_max_connections(3);
    let port = port_of(forward.bound());
    for count in 1..=3 {
        let mut visitor = greeted(port);
        visitor.write_all(&by_number(silent)).unwrap();
        until("it is tried", || attempts(silent) == count);
        // A reset: an end of what is said would be no reason to give up.
        rustix::net::sockopt::set_socket_linger(&visitor, Some(Duration::ZERO)).unwrap();
    }
    until("they have left", || forward.counts().failed == 3);
    assert_eq!(forward.counts().active, 3);
    assert!(is_ended(connect(port)), "a fourth");
    // A waiting visitor ends with the forwarding.
    let other = begin(&session, "any");
    let mut visitor = greeted(port_of(other.bound()));
    visitor.write_all(&by_number(silent)).unwrap();
    until("it is there", || other.counts().active == 1);
    drop(other);
    assert!(is_ended(visitor));
    // With room in the queue the attempts end, and nobody gets what came of them.
    drop(queued);
    drop(listener);
    until("their places are free", || forward.counts().active == 0);
    assert_eq!(forward.counts().connections, 0);
}
