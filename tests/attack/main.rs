//! Hostile peers against whole transports, over socket pairs: what the protocol in memory cannot show is how
//! long things take, whether reading stops, and how a connection ends.

mod peer;

use std::io::{ErrorKind, Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sshwire::auth::{AuthQuestionKind, ClientMethod};
use sshwire::connection::{OpenKind, Stream};
use sshwire::crypto::random::SystemRandom;
use sshwire::driver::{
    ByteStream, Channel, Event, Question, Read as Got, Request, RequestKind, StreamFault, Timeout,
    Transport,
};
use sshwire::keys::{KeyKind, PrivateKey};
use sshwire::Error;
use zeroize::Zeroizing;

use peer::Peer;

const TIME: Timeout = Timeout::After(Duration::from_secs(20));

fn host_key() -> PrivateKey {
    PrivateKey::generate(KeyKind::Ed25519, 0, &mut SystemRandom).unwrap()
}

/// A server that lets "user" in with "secret", and the other end of its socket.
fn server(login_grace: Duration) -> (Transport, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Transport::from_socket(ours.into_raw_fd()).unwrap();
    server.add_server_key(host_key()).unwrap();
    server
        .configure(|options| {
            options.login_grace = Some(login_grace);
            options.server_auth.methods = vec!["password".to_owned()];
        })
        .unwrap();
    server.set_callback(
        RequestKind::AuthPassword,
        Some(Arc::new(|request: Request| {
            if let Question::Auth {
                kind: AuthQuestionKind::Password(password),
                ..
            } = request.question()
            {
                if password.as_slice() == b"secret" {
                    request.accept().unwrap();
                }
            }
        })),
    );
    server.set_callback(
        RequestKind::ChannelOpen,
        Some(Arc::new(|request: Request| request.accept().unwrap())),
    );
    (server, theirs)
}

/// Starts a server without waiting for its first key exchange.
fn started(login_grace: Duration) -> (Transport, UnixStream) {
    let (server, stream) = server(login_grace);
    server.start_server(Some(&Event::new()), TIME).unwrap();
    (server, stream)
}

/// How long it takes until the stream ends.
fn time_to_end(mut stream: &UnixStream, since: Instant) -> Duration {
    let mut buffer = [0; 4096];
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return since.elapsed(),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return since.elapsed(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn l1_slow_peers_are_cut_off_by_login_grace() {
    let grace = Duration::from_millis(700);
    let sessions: [fn(UnixStream); 4] = [
        // Silent.
        |_| {},
        // Byte by byte in the identification.
        |mut stream| {
            thread::spawn(move || {
                while stream.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(50));
                }
            });
        },
        // Nothing behind the identification.
        |mut stream| stream.write_all(b"SSH-2.0-slow\r\n").unwrap(),
        // Alive, but never asking for anything.
        |stream| {
            thread::spawn(move || {
                let mut peer = Peer::client(stream);
                while peer.send(&[2, 0, 0, 0, 0]).is_ok() {
                    thread::sleep(Duration::from_millis(50));
                }
            });
        },
    ];
    thread::scope(|scope| {
        for session in sessions {
            scope.spawn(move || {
                let since = Instant::now();
                let (server, stream) = started(grace);
                session(stream.try_clone().unwrap());
                server.join(TIME).unwrap();
                // The last word may linger for a second while the peer goes on sending.
                let took = since.elapsed();
                let most = grace + Duration::from_millis(1400);
                assert!(took >= grace && took < most, "{took:?}");
                let cause = server.cause();
                assert!(
                    matches!(cause, Some(Error::Expired(_) | Error::AuthLimit(_))),
                    "{cause:?}"
                );
            });
        }
    });
}

#[test]
fn b1_b2_what_is_not_ssh_is_closed_at_once() {
    for bytes in [vec![b'x'; 10 << 20], b"GET / HTTP/1.1\r\n\r\n".to_vec()] {
        let (server, stream) = started(Duration::from_secs(20));
        let mut writing = stream.try_clone().unwrap();
        let since = Instant::now();
        // The server closes while we write.
        let writer = thread::spawn(move || writing.write_all(&bytes));
        assert!(time_to_end(&stream, since) < Duration::from_secs(1));
        let _ = writer.join().unwrap();
        server.join(TIME).unwrap();
        assert!(matches!(server.cause(), Some(Error::Identification(_))));
    }
}

#[test]
fn a1_breaking_the_rules_ends_with_a_reason_within_a_second() {
    let (server, stream) = started(Duration::from_secs(20));
    let mut peer = Peer::client(stream);
    let since = Instant::now();
    peer.send(b"\x5a\0\0\0\x07session\0\0\0\0\0\0\x80\0\0\0\x80\0")
        .unwrap();
    assert_eq!(peer.read_to_disconnect(), Some(2));
    assert!(since.elapsed() < Duration::from_secs(1));
    server.join(TIME).unwrap();
    assert!(matches!(server.cause(), Some(Error::PeerMisbehaved(_))));
    assert!(!server.is_authenticated());
}

/// A message of strings.
fn message(number: u8, fields: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![number];
    for field in fields {
        message.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        message.extend_from_slice(field);
    }
    message
}

/// A packet as it is before keys.
fn plain_packet(payload: &[u8]) -> Vec<u8> {
    let padding = 16 - (payload.len() + 5) % 8;
    let length = u32::try_from(payload.len() + 1 + padding).unwrap();
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap());
    packet.extend_from_slice(payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

/// The reason of the goodbye among plain packets, if there is one.
fn plain_reason(said: &[u8]) -> Option<u32> {
    let line = said.iter().position(|byte| *byte == b'\n').unwrap();
    let mut rest = &said[line + 1..];
    while rest.len() > 10 {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap());
        if rest[5] == 1 {
            return Some(u32::from_be_bytes(rest[6..10].try_into().unwrap()));
        }
        rest = &rest[usize::try_from(length).unwrap() + 4..];
    }
    None
}

/// What is sent before there are keys, and the reason that comes back.
#[test]
fn i4_faults_before_keys_are_told_with_their_reason() {
    let mut nothing_in_common = vec![20];
    nothing_in_common.extend_from_slice(&[7; 16]);
    for _ in 0..10 {
        nothing_in_common.extend_from_slice(&message(0, &[b"none-of-ours"])[1..]);
    }
    nothing_in_common.extend_from_slice(&[0; 5]);
    let hello = |packet: &[u8]| [b"SSH-2.0-x\r\n", packet].concat();
    for (sent, reason) in [
        (hello(&plain_packet(&nothing_in_common)), Some(3)),
        (hello(&plain_packet(&[20, 1])), Some(2)),
        (hello(&[0x7f, 0xff, 0xff, 0xff, 9]), Some(2)),
        (
            hello(&plain_packet(&message(5, &[b"ssh-userauth"]))),
            Some(2),
        ),
        (b"SSH-1.5-x\r\n".to_vec(), None),
        (b"EHLO x\r\n".to_vec(), None),
    ] {
        let (server, mut stream) = started(Duration::from_secs(20));
        stream.write_all(&sent).unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert_eq!(plain_reason(&said), reason, "{sent:?}");
        server.join(TIME).unwrap();
        assert!(server.cause().is_some());
    }
}

/// The same with keys, after which the goodbye is sealed too.
#[test]
fn i4_faults_with_keys_are_told_with_their_reason() {
    let service = message(5, &[b"ssh-userauth"]);
    let mut attempt = message(50, &[b"user", b"ssh-connection", b"password"]);
    attempt.push(0);
    attempt.extend_from_slice(&message(0, &[b"wrong"])[1..]);
    let cases: [(Vec<Vec<u8>>, u32); 5] = [
        (vec![message(90, &[b"session"])], 2),
        (vec![message(5, &[b"ssh-nothing"])], 7),
        (vec![vec![5, 0, 0]], 2),
        (vec![vec![52]], 2),
        ([vec![service], vec![attempt; 7]].concat(), 14),
    ];
    for (messages, reason) in cases {
        let (server, stream) = started(Duration::from_secs(20));
        let mut peer = Peer::client(stream);
        for message in &messages {
            // It may be gone before all are sent.
            if peer.send(message).is_err() {
                break;
            }
        }
        assert_eq!(peer.read_to_disconnect(), Some(reason), "{:?}", messages[0]);
        server.join(TIME).unwrap();
        assert!(server.cause().is_some() && !server.is_authenticated());
    }
}

/// Moves one byte at a time, and now and then none.
struct Drops {
    stream: UnixStream,
    calls: AtomicUsize,
}

impl Drops {
    fn now_and_then_none(&self) -> Result<(), StreamFault> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        // No pattern that fits a packet, and not often: whoever has nothing is left alone for a moment.
        if call.is_multiple_of(100_003) {
            return Err(StreamFault::NotYet);
        }
        Ok(())
    }
}

impl ByteStream for Drops {
    fn read(&self, buffer: &mut [u8], _: Duration) -> Result<usize, StreamFault> {
        self.now_and_then_none()?;
        (&self.stream)
            .read(&mut buffer[..1])
            .map_err(|_| StreamFault::Failed(-1))
    }

    fn write(&self, bytes: &[u8], _: Duration) -> Result<usize, StreamFault> {
        self.now_and_then_none()?;
        (&self.stream)
            .write(&bytes[..1])
            .map_err(|_| StreamFault::Failed(-1))
    }

    fn close(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// Both sides give and take single bytes.
#[test]
fn p11_a_stream_that_moves_single_bytes_carries_all_both_ways() {
    const BYTES: usize = 1 << 20;
    let (a, b) = UnixStream::pair().unwrap();
    let over = |stream| {
        let calls = AtomicUsize::new(1);
        Transport::from_stream(Arc::new(Drops { stream, calls }))
    };
    let (client, server) = (over(a), over(b));
    let time = Timeout::After(Duration::from_secs(120));
    client
        .configure(|options| options.insecure_accept_any_host_key = true)
        .unwrap();
    server.add_server_key(host_key()).unwrap();
    server
        .configure(|options| options.server_auth.methods = vec!["none".to_owned()])
        .unwrap();
    for kind in [RequestKind::AuthNone, RequestKind::ChannelOpen] {
        let accept = |request: Request| request.accept().unwrap();
        server.set_callback(kind, Some(Arc::new(accept)));
    }
    let started = Event::new();
    server.start_server(Some(&started), time).unwrap();
    client.start_client(None, time).unwrap();
    client
        .authenticate("user", ClientMethod::None, None, time)
        .unwrap();
    let near = client.open_channel(OpenKind::Session, time).unwrap();
    let far = server.accept(time).unwrap();
    let sent: Vec<u8> = (0..BYTES).map(|at| ((at * 31) ^ (at >> 8)) as u8).collect();
    thread::scope(|scope| {
        for channel in [&near, &far] {
            scope.spawn(|| {
                for piece in sent.chunks(30_000) {
                    let mut at = 0;
                    while at < piece.len() {
                        at += channel.write(Stream::Data, &piece[at..], time).unwrap();
                    }
                }
            });
            scope.spawn(|| {
                let mut received = Vec::new();
                let mut buffer = vec![0; 20_000];
                while received.len() < BYTES {
                    match channel.read(Stream::Data, &mut buffer, time).unwrap() {
                        Got::Data(count) => received.extend_from_slice(&buffer[..count]),
                        Got::Eof => break,
                    }
                }
                assert!(received == sent, "{} bytes", received.len());
            });
        }
    });
    client.close();
    server.close();
}

#[test]
fn p5_reading_pauses_when_the_peer_does_not_take_our_answers() {
    for payload in [vec![199], [&b"\xc0\0\0\x80\0"[..], &[7; 32 << 10]].concat()] {
        let (server, stream) = started(Duration::from_secs(20));
        let mut peer = Peer::client(stream);
        peer.set_write_timeout(Duration::from_millis(500));
        let mut sent = 0;
        let error = loop {
            match peer.send(&payload) {
                Ok(()) => sent += payload.len() + 36,
                Err(error) => break error,
            }
            assert!(sent < 32 << 20, "everything is taken");
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        assert!(server.is_active(), "a slow reader is no attacker");
        server.close();
    }
}

/// Copies at most so many bytes, then breaks the connection in both directions.
fn copy(mut from: UnixStream, mut to: UnixStream, mut most: usize) {
    let mut buffer = [0; 512];
    loop {
        let want = most.min(buffer.len());
        match from.read(&mut buffer[..want]) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
                most -= count;
            }
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// A session over a relay that breaks it off. Every call must come back with the cause.
fn broken_session(up: usize, down: usize) -> Option<Error> {
    let (server, server_end) = server(Duration::from_secs(20));
    let (ours, client_end) = UnixStream::pair().unwrap();
    let client = Transport::from_socket(ours.into_raw_fd()).unwrap();
    client
        .configure(|options| options.insecure_accept_any_host_key = true)
        .unwrap();
    let ends = (
        client_end.try_clone().unwrap(),
        server_end.try_clone().unwrap(),
    );
    thread::spawn(move || copy(ends.0, ends.1, up));
    thread::spawn(move || copy(server_end, client_end, down));
    let serving = server.clone();
    let served = thread::spawn(move || {
        serving.start_server(None, TIME)?;
        write_for_ever(&serving.accept(TIME)?)
    });
    let result = session(&client);
    assert_eq!(result, Err(Error::ConnectionLost), "{up} {down}");
    client.join(TIME).unwrap();
    // Only a transport that was started has an end to wait for, and this thread may be ahead of the server's.
    assert!(served.join().unwrap().is_err());
    server.join(TIME).unwrap();
    assert!(!client.is_active() && !server.is_active());
    assert!(server.cause().is_some());
    client.cause()
}

fn session(client: &Transport) -> Result<(), Error> {
    client.start_client(None, TIME)?;
    let method = ClientMethod::Password {
        password: Zeroizing::new(b"secret".to_vec()),
        fallback: false,
    };
    client.authenticate("user", method, None, TIME)?;
    write_for_ever(&client.open_channel(OpenKind::Session, TIME)?)
}

fn write_for_ever(channel: &Channel) -> Result<(), Error> {
    loop {
        channel.write(Stream::Data, &[b'd'; 200], TIME)?;
    }
}

#[test]
fn p4_connections_cut_anywhere_end_with_the_cause() {
    const NONE: usize = usize::MAX;
    thread::scope(|scope| {
        for direction in 0..2 {
            scope.spawn(move || {
                for offset in (0..5000).step_by(163) {
                    let cause = match direction {
                        0 => broken_session(offset, NONE),
                        _ => broken_session(NONE, offset),
                    };
                    assert!(
                        matches!(cause, Some(Error::ConnectionLost)),
                        "{direction} {offset} {cause:?}"
                    );
                }
            });
        }
    });
}
