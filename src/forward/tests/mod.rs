//! Forwardings between a client and a server of this library. Real peers are in `tests/interop`.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{bind, getsockname, socket, AddressFamily, SocketType};

use super::*;
use crate::auth::ClientMethod;
use crate::connection::{OpenKind, Stream};
use crate::crypto::random::SystemRandom;
use crate::driver::{Channel, Question, Read, RequestKind};
use crate::keys::{KeyKind, PrivateKey};

mod session;
mod visit;

const TIME: Timeout = Timeout::After(Duration::from_secs(30));
const HANG: Duration = Duration::from_secs(60);

/// A session whose server serves whatever is asked of it.
struct Session {
    client: Transport,
    server: Transport,
}

impl Session {
    fn new() -> Self {
        let session = Self::refusing();
        for kind in [RequestKind::Connect, RequestKind::Listen] {
            let serving = |request: Request| {
                let _ = serve(request);
            };
            session.server.set_callback(kind, Some(Arc::new(serving)));
        }
        session
    }

    /// One whose server has nobody to ask.
    fn refusing() -> Self {
        let (a, b) = UnixStream::pair().unwrap();
        Self::over(a, b)
    }

    /// The same, with a client that can be kept from saying anything.
    fn held() -> (Self, Arc<AtomicBool>) {
        let ((a, near), (far, b)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let holds = Arc::<AtomicBool>::default();
        let copy = |mut from: UnixStream, mut to: UnixStream, holds: Arc<AtomicBool>| {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    while holds.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(1));
                    }
                    if to.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Both);
            })
        };
        let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        copy(near, far, Arc::clone(&holds));
        copy(far_too, near_too, Arc::default());
        (Self::over(a, b), holds)
    }

    fn over(a: UnixStream, b: UnixStream) -> Self {
        let client = Transport::from_socket(a.into_raw_fd()).unwrap();
        let server = Transport::from_socket(b.into_raw_fd()).unwrap();
        let key = PrivateKey::generate(KeyKind::Ed25519, 0, &mut SystemRandom).unwrap();
        server.add_server_key(key).unwrap();
        client
            .configure(|options| options.insecure_accept_any_host_key = true)
            .unwrap();
        server
            .configure(|options| options.server_auth.methods = vec![String::from("none")])
            .unwrap();
        let accept = |request: Request| request.accept().unwrap();
        server.set_callback(RequestKind::AuthNone, Some(Arc::new(accept)));
        let started = {
            let server = server.clone();
            thread::spawn(move || server.start_server(None, TIME))
        };
        client.start_client(None, TIME).unwrap();
        started.join().unwrap().unwrap();
        client
            .authenticate("user", ClientMethod::None, None, TIME)
            .unwrap();
        Session { client, server }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.client.release();
        self.server.release();
    }
}

fn tcp(host: &str, port: u16) -> ForwardPoint {
    ForwardPoint::Tcp {
        host: host.to_owned(),
        port,
    }
}

fn local(port: u16) -> ForwardPoint {
    tcp("127.0.0.1", port)
}

fn port_of(point: &ForwardPoint) -> u16 {
    match point {
        ForwardPoint::Tcp { port, .. } => *port,
        ForwardPoint::Unix { .. } => panic!("no port"),
    }
}

fn connect(port: u16) -> TcpStream {
    connect_to("127.0.0.1", port)
}

fn connect_to(host: &str, port: u16) -> TcpStream {
    let stream = TcpStream::connect((host, port)).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.set_write_timeout(Some(HANG)).unwrap();
    stream
}

/// A port that refuses connections for as long as its socket is held. One that was only free a moment ago may be given to
/// the next listener, of this test or of another.
fn refusing() -> (u16, OwnedFd) {
    let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&held, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let bound = SocketAddr::try_from(getsockname(&held).unwrap()).unwrap();
    (bound.port(), held)
}

/// An address of loopback that no other test listens at, for tests that want to see their port free again.
fn apart(test: u8) -> String {
    format!("127.77.0.{test}")
}

fn is_refused(host: &str, port: u16) -> bool {
    TcpStream::connect((host, port)).is_err()
}

/// Sends back what it gets, and its end after that.
fn echo_server() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut buffer = vec![0; 30_000];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
    port
}

fn pattern(seed: usize, length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at.wrapping_mul(31) ^ (at >> 8) ^ seed) as u8)
        .collect()
}

/// Sends a pattern through an echo both ways at once, ends its side, and reads to the end.
fn echo(mut stream: TcpStream, seed: usize, length: usize) {
    let sent = pattern(seed, length);
    let writer = {
        let (mut stream, sent) = (stream.try_clone().unwrap(), sent.clone());
        thread::spawn(move || {
            stream.write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        })
    };
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    writer.join().unwrap();
    assert!(received == sent, "{} of {length} bytes", received.len());
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + HANG;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sshwire-forward-{}-{name}", std::process::id()))
}

fn unix(path: &std::path::Path) -> ForwardPoint {
    ForwardPoint::Unix {
        path: path.to_str().unwrap().to_owned(),
    }
}

#[test]
fn many_connections_each_way() {
    let session = Session::new();
    let target = echo_server();
    let forwards = [
        Forward::local(&session.client, &local(0), local(target)).unwrap(),
        Forward::remote(&session.client, local(0), local(target), TIME).unwrap(),
    ];
    for forward in &forwards {
        let port = port_of(forward.bound());
        let clients: Vec<_> = (0..64)
            .map(|seed| {
                let stream = connect(port);
                thread::spawn(move || echo(stream, seed, 300_000 + seed))
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        until("all are over", || forward.counts().active == 0);
        let counts = forward.counts();
        let bytes = (0..64).map(|seed| 300_000 + seed).sum::<u64>();
        assert_eq!(
            counts,
            Counts {
                connections: 64,
                active: 0,
                failed: 0,
                sent: bytes,
                received: bytes
            }
        );
    }
}

#[test]
fn one_way_may_end_long_before_the_other() {
    let session = Session::new();
    // Reads all, and only then answers.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let target = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
        stream.write_all(&all).unwrap();
    });
    let forward = Forward::local(&session.client, &local(0), local(target)).unwrap();
    let mut stream = connect(port_of(forward.bound()));
    let sent = pattern(7, 5_000_000);
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert!(received == [&sent[..], &sent[..]].concat());
    server.join().unwrap();
    until("it is over", || forward.counts().active == 0);
}

#[test]
fn a_connection_that_stands_still_holds_up_no_other() {
    let session = Session::new();
    let target = echo_server();
    let forward = Forward::local(&session.client, &local(0), local(target)).unwrap();
    let port = port_of(forward.bound());
    // Writes until nothing is taken any more, and reads nothing.
    let mut still = connect(port);
    still
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let block = vec![1; 256 * 1024];
    while still.write(&block).is_ok() {}
    for seed in 0..8 {
        echo(connect(port), seed, 1_000_000);
    }
    until("only that one is left", || forward.counts().active == 1);
    drop(still);
    until("it is over", || forward.counts().active == 0);
}

#[test]
fn a_reset_is_passed_on_and_a_lost_session_is_no_end_of_file() {
    let session = Session::new();
    let here = apart(1);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let target = listener.local_addr().unwrap().port();
    let forward = Forward::local(&session.client, &tcp(&here, 0), local(target)).unwrap();
    let port = port_of(forward.bound());

    let near = connect_to(&here, port);
    let (mut far, _) = listener.accept().unwrap();
    far.write_all(b"x").unwrap();
    until("it is carried", || forward.counts().received == 1);
    // Closed with something unread in it, a socket resets its connection. What was counted may not be there yet.
    near.set_read_timeout(Some(HANG)).unwrap();
    assert_eq!(near.peek(&mut [0; 9]).unwrap(), 1);
    drop(near);
    far.set_read_timeout(Some(HANG)).unwrap();
    // End or reset, the other side is told.
    assert!(!matches!(far.read(&mut [0; 9]), Ok(1..)));
    until("it is over", || forward.counts().active == 0);

    let mut near = connect_to(&here, port);
    let (mut far, _) = listener.accept().unwrap();
    far.write_all(b"half of the").unwrap();
    let mut buffer = [0; 11];
    near.read_exact(&mut buffer).unwrap();
    session.server.abandon();
    let cause = near.read(&mut buffer).unwrap_err();
    assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionReset);
    until("nobody listens", || !forward.is_listening());
    until("the port is free", || is_refused(&here, port));
}

#[test]
fn a_target_that_cannot_be_reached_ends_the_connection() {
    let session = Session::new();
    let (nobody, _held) = refusing();
    let forwards = [
        Forward::local(&session.client, &local(0), local(nobody)).unwrap(),
        Forward::remote(&session.client, local(0), local(nobody), TIME).unwrap(),
    ];
    for forward in &forwards {
        let mut stream = connect(port_of(forward.bound()));
        assert!(!matches!(stream.read(&mut [0; 9]), Ok(1..)));
        until("it has failed", || forward.counts().failed == 1);
        until("it is over", || forward.counts().active == 0);
        assert_eq!(forward.counts().connections, 0);
    }
    // A server that nobody is asked for.
    let session = Session::refusing();
    let forward = Forward::local(&session.client, &local(0), local(nobody)).unwrap();
    let mut stream = connect(port_of(forward.bound()));
    assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0);
    let refused = Forward::remote(&session.client, local(0), local(nobody), TIME);
    assert!(matches!(refused.err(), Some(Error::RequestDenied)));
}

#[test]
fn sockets_with_paths() {
    let session = Session::new();
    let (target, near, far) = (scratch("target"), scratch("near"), scratch("far"));
    let listener = UnixListener::bind(&target).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.write_all(&all).unwrap();
        }
    });
    let local = Forward::local(&session.client, &unix(&near), unix(&target)).unwrap();
    let remote = Forward::remote(&session.client, unix(&far), unix(&target), TIME).unwrap();
    assert_eq!(remote.bound(), &unix(&far));
    for path in [&near, &far] {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        stream.write_all(b"through").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut received = String::new();
        stream.read_to_string(&mut received).unwrap();
        assert_eq!(received, "through");
    }
    drop((local, remote));
    until("the files are gone", || !near.exists() && !far.exists());
    std::fs::remove_file(&target).unwrap();
}

#[test]
fn socks_says_where_to_and_how_it_went() {
    let session = Session::new();
    let target = echo_server();
    let forward = Forward::dynamic(&session.client, &local(0)).unwrap();
    let port = port_of(forward.bound());
    let ask = |host: &str, port_there: u16| {
        let mut stream = connect(port);
        stream.write_all(&[5, 1, 0]).unwrap();
        let mut reply = [0; 2];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply, [5, 0]);
        let mut request = vec![5, 1, 0, 3, u8::try_from(host.len()).unwrap()];
        request.extend_from_slice(host.as_bytes());
        request.extend_from_slice(&port_there.to_be_bytes());
        stream.write_all(&request).unwrap();
        let mut reply = [0; 10];
        stream.read_exact(&mut reply).unwrap();
        (stream, reply[1])
    };
    let (stream, code) = ask("localhost", target);
    assert_eq!(code, 0);
    echo(stream, 3, 400_000);
    let (mut stream, code) = ask("127.0.0.1", 1);
    assert_eq!((code, stream.read(&mut [0; 9]).unwrap()), (5, 0));
    // No SOCKS, and no end of it.
    let mut stream = connect(port);
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert!(!matches!(stream.read(&mut [0; 9]), Ok(1..)));
    // What is sent with the request goes to the target.
    let mut stream = connect(port);
    let mut request = vec![4, 1];
    request.extend_from_slice(&target.to_be_bytes());
    request.extend_from_slice(&[127, 0, 0, 1, b'm', b'e', 0, b'd']);
    stream.write_all(&request).unwrap();
    let mut reply = [0; 9];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!((reply[1], reply[8]), (90, b'd'));
}

#[test]
fn connections_are_bounded_and_wait_for_their_turn() {
    let session = Session::new();
    let target = echo_server();
    let forward = Forward::local(&session.client, &local(0), local(target)).unwrap();
    forward.set_max_connections(2);
    let port = port_of(forward.bound());
    let (first, second) = (connect(port), connect(port));
    until("both are carried", || forward.counts().connections == 2);
    let waiting = thread::spawn(move || echo(connect(port), 1, 10));
    echo(first, 1, 10);
    waiting.join().unwrap();
    assert_eq!(forward.counts().connections, 3);
    echo(second, 2, 10);
}

#[test]
fn stopping_leaves_connections_and_closing_does_not() {
    let session = Session::new();
    let here = apart(2);
    let target = echo_server();
    for remote in [false, true] {
        let forward = if remote {
            Forward::remote(&session.client, tcp(&here, 0), local(target), TIME).unwrap()
        } else {
            Forward::local(&session.client, &tcp(&here, 0), local(target)).unwrap()
        };
        let port = port_of(forward.bound());
        let (one, mut two) = (connect_to(&here, port), connect_to(&here, port));
        until("both are carried", || forward.counts().connections == 2);
        forward.stop();
        assert!(!forward.is_listening());
        until("nobody listens", || is_refused(&here, port));
        echo(one, 1, 100_000);
        drop(forward);
        assert!(!matches!(two.read(&mut [0; 9]), Ok(1..)));
    }
}

fn read_all(channel: &Channel) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 1000];
    while let Read::Data(count) = channel.read(Stream::Data, &mut buffer, TIME).unwrap() {
        all.extend_from_slice(&buffer[..count]);
    }
    all
}

#[test]
fn channels_go_to_the_handler_of_their_place_or_to_the_accept_queue() {
    let session = Session::new();
    let here = apart(3);
    let (tell, told) = std::sync::mpsc::channel();
    let handler = move |request: Request| {
        let Question::ChannelOpen { kind, .. } = request.question() else {
            panic!("an open");
        };
        let kind = kind.clone();
        tell.send((request.accept_channel().unwrap(), kind))
            .unwrap();
    };
    let client = &session.client;
    let first = client
        .request_forward(tcp(&here, 0), Some(Arc::new(handler)), TIME)
        .unwrap();
    let second = client
        .request_forward(tcp("localhost", 0), None, TIME)
        .unwrap();
    let mut near = connect_to(&here, port_of(&first));
    near.write_all(b"first").unwrap();
    drop(near);
    let (channel, kind) = told.recv_timeout(HANG).unwrap();
    assert!(matches!(
        kind,
        OpenKind::ForwardedTcpip { host, port, .. }
            if host == here && port == u32::from(port_of(&first))
    ));
    assert_eq!(read_all(&channel), b"first");
    let mut near = connect(port_of(&second));
    near.write_all(b"second").unwrap();
    drop(near);
    assert_eq!(read_all(&client.accept(TIME).unwrap()), b"second");

    client.cancel_forward(&first, TIME).unwrap();
    let again = client.cancel_forward(&first, TIME);
    assert!(matches!(again, Err(Error::ApiMisuse(_))));
    until("nobody listens", || is_refused(&here, port_of(&first)));
    let mut near = connect(port_of(&second));
    near.write_all(b"third").unwrap();
    drop(near);
    assert_eq!(read_all(&client.accept(TIME).unwrap()), b"third");
    // A server has nobody to ask for that.
    let wrong = session.server.request_forward(local(0), None, TIME);
    assert!(matches!(wrong, Err(Error::ApiMisuse(_))));
}

#[test]
fn f2_the_server_cannot_open_what_nobody_asked_for() {
    let session = Session::new();
    let client = &session.client;
    let forwarded = |host: &str, port: u16| {
        let kind = OpenKind::ForwardedTcpip {
            host: host.to_owned(),
            port: u32::from(port),
            originator: String::from("192.0.2.1"),
            originator_port: 1,
        };
        session.server.open_channel(kind, TIME).map(|_| ())
    };
    let refused = |outcome| matches!(outcome, Err(Error::ChannelOpenRefused { reason: 1, .. }));
    assert!(refused(forwarded("127.0.0.1", 80)));
    let point = client.request_forward(local(0), None, TIME).unwrap();
    let port = port_of(&point);
    forwarded("127.0.0.1", port).unwrap();
    assert!(refused(forwarded("127.0.0.1", port ^ 1)));
    client.cancel_forward(&point, TIME).unwrap();
    assert!(refused(forwarded("127.0.0.1", port)));
}

#[test]
fn connections_end_with_a_session_whose_time_is_over() {
    let session = Session::new();
    let echo = echo_server();
    let forward = Forward::local(&session.client, &local(0), local(echo)).unwrap();
    let mut stream = connect(port_of(forward.bound()));
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    // As a peer that does not answer ends it.
    session.client.give_up();
    let end = stream.read(&mut [0]);
    assert!(
        matches!(end, Ok(0))
            || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    );
}
