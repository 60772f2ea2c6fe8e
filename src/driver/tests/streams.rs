//! Transports over other streams: callbacks, channels of other transports, addresses in the background.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

/// A blocking stream as an application would write it, over one end of a socket pair.
struct Blocking {
    socket: UnixStream,
    closed: AtomicUsize,
    gone: mpsc::Sender<usize>,
}

impl ByteStream for Blocking {
    fn read(&self, buffer: &mut [u8], _: Duration) -> Result<usize, StreamFault> {
        (&self.socket)
            .read(buffer)
            .map_err(|_| StreamFault::Failed(-201))
    }

    fn write(&self, bytes: &[u8], _: Duration) -> Result<usize, StreamFault> {
        // Odd portions, so that nothing depends on whole ones.
        let part = bytes.len().min(10_007);
        (&self.socket)
            .write(&bytes[..part])
            .map_err(|_| StreamFault::Failed(-201))
    }

    fn close(&self) {
        self.closed.fetch_add(1, Ordering::SeqCst);
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        let _ = self.gone.send(*self.closed.get_mut());
    }
}

fn over_callbacks(socket: UnixStream) -> (Transport, mpsc::Receiver<usize>) {
    let (gone, went) = mpsc::channel();
    let closed = AtomicUsize::new(0);
    let stream = Blocking {
        socket,
        closed,
        gone,
    };
    (Transport::from_stream(Arc::new(stream)), went)
}

fn trusting(client: &Transport, server: &Transport) {
    server.add_server_key(key()).unwrap();
    client
        .configure(|options| options.insecure_accept_any_host_key = true)
        .unwrap();
    serve_all(server);
}

fn rekey_often(transport: &Transport) {
    let limits = RekeyLimits {
        bytes: 256 * 1024,
        ..RekeyLimits::default()
    };
    transport.set_rekey_limits(limits).unwrap();
}

fn log_in(client: &Transport, server: &Transport) {
    start(client, server);
    let outcome = client
        .authenticate("user", password(b"secret"), None, TIME)
        .unwrap();
    assert!(matches!(outcome, Some(AuthOutcome::Success)));
}

/// A client and a server that talk through the two ends of a channel.
fn hop(client: &Transport, server: &Transport) -> (Transport, Transport) {
    let (ours, theirs) = open(client, server);
    let above = Transport::from_channel(ours).unwrap();
    let below = Transport::from_channel(theirs).unwrap();
    trusting(&above, &below);
    rekey_often(&above);
    rekey_often(&below);
    log_in(&above, &below);
    (above, below)
}

fn both_ways(ours: Channel, theirs: Channel, bytes: usize) {
    let sent = pattern(bytes);
    let threads: Vec<_> = [(ours.clone(), theirs.clone()), (theirs, ours)]
        .into_iter()
        .map(|(from, to)| {
            let data = sent.clone();
            let writer = std::thread::spawn(move || {
                assert_eq!(from.write(Stream::Data, &data, TIME).unwrap(), data.len());
                from.send_eof().unwrap();
            });
            (writer, std::thread::spawn(move || read_to_end(&to)))
        })
        .collect();
    for (writer, reader) in threads {
        writer.join().unwrap();
        assert!(reader.join().unwrap() == sent);
    }
}

#[test]
fn callbacks_carry_a_session_and_are_closed_once() {
    let (a, b) = UnixStream::pair().unwrap();
    let (client, client_went) = over_callbacks(a);
    let (server, server_went) = over_callbacks(b);
    trusting(&client, &server);
    rekey_often(&client);
    log_in(&client, &server);
    let (ours, theirs) = open(&client, &server);
    both_ways(ours, theirs, 3_000_000);
    assert!(client.key_exchanges() > 1);
    client.close();
    client.join(TIME).unwrap();
    server.join(TIME).unwrap();
    assert!(matches!(server.cause(), Some(Error::Disconnected { .. })));
    drop((client, server));
    let limit = Duration::from_secs(20);
    assert_eq!(client_went.recv_timeout(limit), Ok(1));
    assert_eq!(server_went.recv_timeout(limit), Ok(1));
}

/// Never returns from reading until it is let go, whatever is closed.
struct Stuck {
    release: std::sync::Mutex<mpsc::Receiver<()>>,
    gone: mpsc::Sender<()>,
}

impl ByteStream for Stuck {
    fn read(&self, _: &mut [u8], _: Duration) -> Result<usize, StreamFault> {
        let _ = self.release.lock().unwrap().recv();
        Ok(0)
    }
    fn write(&self, bytes: &[u8], _: Duration) -> Result<usize, StreamFault> {
        Ok(bytes.len())
    }
    fn close(&self) {}
}

impl Drop for Stuck {
    fn drop(&mut self) {
        let _ = self.gone.send(());
    }
}

#[test]
fn a_read_that_never_returns_holds_up_neither_close_nor_join() {
    let (let_go, release) = mpsc::channel();
    let (gone, went) = mpsc::channel();
    let release = std::sync::Mutex::new(release);
    let client = Transport::from_stream(Arc::new(Stuck { release, gone }));
    client.start_client(Some(&Event::new()), TIME).unwrap();
    client.close();
    client.join(TIME).unwrap();
    assert!(!client.is_alive());
    drop(client);
    assert!(went.try_recv().is_err(), "destroyed under a running call");
    drop(let_go);
    went.recv_timeout(Duration::from_secs(20)).unwrap();
}

struct Failing(Result<usize, StreamFault>);

impl ByteStream for Failing {
    fn read(&self, _: &mut [u8], _: Duration) -> Result<usize, StreamFault> {
        self.0
    }
    fn write(&self, bytes: &[u8], _: Duration) -> Result<usize, StreamFault> {
        Ok(bytes.len())
    }
    fn close(&self) {}
}

#[test]
fn what_callbacks_return_becomes_the_cause() {
    let cases = [
        (Ok(0), Error::ConnectionLost),
        (Ok(usize::MAX), Error::StreamNonsense("read")),
        (
            Err(StreamFault::Failed(-305)),
            Error::Stream {
                operation: "read",
                status: -305,
            },
        ),
    ];
    for (returned, cause) in cases {
        let client = Transport::from_stream(Arc::new(Failing(returned)));
        assert_eq!(client.start_client(None, TIME).unwrap_err(), cause);
    }
    let client = Transport::from_stream(Arc::new(Failing(Err(StreamFault::NotYet))));
    let short = Timeout::After(Duration::from_millis(50));
    assert!(matches!(
        client.start_client(None, short),
        Err(Error::Timeout(_))
    ));
}

#[test]
fn three_hops_with_rekeys_in_full_duplex() {
    let (client, server) = connected();
    let (second, second_server) = hop(&client, &server);
    let (third, third_server) = hop(&second, &second_server);
    let (fourth, fourth_server) = hop(&third, &third_server);
    assert!(
        fourth.describe().contains("channel"),
        "{}",
        fourth.describe()
    );
    let (ours, theirs) = open(&fourth, &fourth_server);
    both_ways(ours, theirs, 2_000_000);
    assert!(fourth.key_exchanges() > 1 && second.key_exchanges() > 1);
    // Freed from the bottom up.
    drop((client, server));
    fourth.close();
    fourth_server.join(TIME).unwrap();
}

#[test]
fn a_channel_that_carries_belongs_to_the_transport_above() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let above = Transport::from_channel(ours.clone()).unwrap();
    let misuse = |outcome: Result<(), Error>| assert!(matches!(outcome, Err(Error::ApiMisuse(_))));
    misuse(ours.read(Stream::Data, &mut [0; 4], Timeout::NOW).map(drop));
    misuse(ours.write(Stream::Data, b"x", Timeout::NOW).map(drop));
    misuse(ours.send_eof());
    misuse(ours.shutdown_read());
    misuse(Transport::from_channel(ours.clone()).map(drop));
    // Not started: closing it closes the channel.
    above.release();
    assert_eq!(read_to_end(&theirs), b"");
    theirs.wait_closed(TIME).unwrap();
    assert!(matches!(
        Transport::from_channel(theirs),
        Err(Error::Closed)
    ));
    assert!(client.is_authenticated());
}

#[test]
fn ends_reach_both_ways_with_their_cause() {
    // From below: the transport that carries is lost.
    let (client, server) = connected();
    let (above, above_server) = hop(&client, &server);
    server.close();
    above.join(TIME).unwrap();
    above_server.join(TIME).unwrap();
    let cause = above.cause().unwrap();
    assert!(
        matches!(&cause, Error::Below(below) if matches!(**below, Error::Disconnected { .. })),
        "{cause}"
    );
    assert!(above.open_channel(OpenKind::Session, TIME).is_err());

    // From above: the session within ends, the one that carries goes on.
    let (client, server) = connected();
    let (above, above_server) = hop(&client, &server);
    above.close();
    above_server.join(TIME).unwrap();
    assert!(matches!(
        above_server.cause(),
        Some(Error::Disconnected { .. })
    ));
    above.join(TIME).unwrap();
    let (ours, theirs) = open(&client, &server);
    both_ways(ours, theirs, 10_000);

    // In between: the channel is closed under the transport.
    let (ours, theirs) = open(&client, &server);
    let above = Transport::from_channel(ours).unwrap();
    above.start_client(Some(&Event::new()), TIME).unwrap();
    theirs.close().unwrap();
    above.join(TIME).unwrap();
    assert_eq!(above.cause(), Some(Error::ConnectionLost));
}

#[test]
fn a_slow_reader_above_bounds_what_is_queued_below() {
    let (client, server) = connected();
    let (above, above_server) = hop(&client, &server);
    let (ours, theirs) = open(&above, &above_server);
    let data = pattern(300_000);
    let mut sent = 0;
    let short = Timeout::After(Duration::from_millis(300));
    // The windows fill, and then it stops.
    while let Ok(count) = theirs.write(Stream::Data, &data, short) {
        sent += count;
        assert!(sent < 64 * 1024 * 1024, "no bound");
        if count < data.len() {
            break;
        }
    }
    theirs.send_eof().unwrap();
    let received = read_to_end(&ours);
    assert_eq!(received.len(), sent);
    assert!(received
        .chunks(data.len())
        .all(|chunk| data.starts_with(chunk)));
}

/// A stream whose reading can be stopped, as a peer's that has gone silent.
struct Stallable {
    inner: Blocking,
    stalled: Arc<AtomicBool>,
}

impl ByteStream for Stallable {
    fn read(&self, buffer: &mut [u8], time: Duration) -> Result<usize, StreamFault> {
        if self.stalled.load(Ordering::SeqCst) {
            std::thread::sleep(time / 20);
            return Err(StreamFault::NotYet);
        }
        self.inner.read(buffer, time)
    }
    fn write(&self, bytes: &[u8], time: Duration) -> Result<usize, StreamFault> {
        self.inner.write(bytes, time)
    }
    fn close(&self) {
        self.inner.close();
    }
}

#[test]
fn close_is_bounded_when_the_transport_below_is_stuck() {
    let (a, b) = UnixStream::pair().unwrap();
    let client = Transport::from_socket(a.into_raw_fd()).unwrap();
    let stalled = Arc::new(AtomicBool::new(false));
    let inner = Blocking {
        socket: b,
        closed: AtomicUsize::new(0),
        gone: mpsc::channel().0,
    };
    let server = Transport::from_stream(Arc::new(Stallable {
        inner,
        stalled: Arc::clone(&stalled),
    }));
    trusting(&client, &server);
    log_in(&client, &server);
    let (above, _above_server) = hop(&client, &server);
    let (filler, _theirs) = open(&client, &server);
    stalled.store(true, Ordering::SeqCst);
    // Nothing more goes into the socket, the goodbye of the transport above neither.
    let data = pattern(1_500_000);
    let short = Timeout::After(Duration::from_millis(300));
    let (written, outcome) = filler.write_all(Stream::Data, &data, short);
    assert!(written < data.len() && outcome.is_err(), "not stuck");
    above.close();
    above.join(TIME).unwrap();
}

#[test]
fn an_address_is_connected_in_the_background() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connected = Event::new();
    let client = Transport::from_address_in_background(&address, TIME, connected.clone()).unwrap();
    // Started before anybody has looked whether it is connected.
    client
        .configure(|options| options.insecure_accept_any_host_key = true)
        .unwrap();
    let started = Event::new();
    client.start_client(Some(&started), TIME).unwrap();
    let (socket, _) = listener.accept().unwrap();
    let server = Transport::from_socket(socket.into_raw_fd()).unwrap();
    server.add_server_key(key()).unwrap();
    serve_all(&server);
    server.start_server(None, TIME).unwrap();
    assert!(started.wait(TIME) && connected.wait(TIME));
    assert_eq!(client.connected(), Some(Ok(())));
    assert!(client.peer_address().is_some());
    client
        .authenticate("user", password(b"secret"), None, TIME)
        .unwrap();
    let (ours, theirs) = open(&client, &server);
    both_ways(ours, theirs, 1_000_000);

    drop(listener);
    let refused = Event::new();
    let client = Transport::from_address_in_background(&address, TIME, refused.clone()).unwrap();
    let begun = client.start_client(Some(&started), TIME);
    assert!(refused.wait(TIME));
    let refusal = client.connected().unwrap().unwrap_err();
    assert!(
        matches!(
            refusal,
            Error::Io {
                errno: libc::ECONNREFUSED,
                ..
            }
        ),
        "{refusal}"
    );
    match begun {
        Ok(()) => {
            client.join(TIME).unwrap();
            assert_eq!(client.cause(), Some(refusal));
        }
        Err(error) => assert_eq!(error, refusal),
    }
}

#[test]
fn channels_and_requests_are_begun_without_waiting() {
    let (client, server) = connected();
    let opened = Event::new();
    let channel = client
        .begin_channel(OpenKind::Session, Some(&opened))
        .unwrap();
    assert!(opened.wait(TIME));
    assert_eq!(channel.open_outcome(), Some(Ok(())));
    let _theirs = server.accept(TIME).unwrap();
    let (granted, denied) = (Event::new(), Event::new());
    let exec = ChannelRequest::Exec(b"x".to_vec());
    let first = channel.begin_request(&exec, Some(&granted)).unwrap();
    let other = ChannelRequest::Break { length_ms: 1 };
    let second = channel.begin_request(&other, Some(&denied)).unwrap();
    assert!(granted.wait(TIME) && denied.wait(TIME));
    assert_eq!(channel.request_outcome(first), Some(Ok(())));
    assert_eq!(
        channel.request_outcome(second),
        Some(Err(Error::RequestDenied))
    );

    server.set_callback(RequestKind::ChannelOpen, None);
    let refused = Event::new();
    let channel = client
        .begin_channel(OpenKind::Session, Some(&refused))
        .unwrap();
    assert!(refused.wait(TIME));
    let outcome = channel.open_outcome();
    assert!(
        matches!(outcome, Some(Err(Error::ChannelOpenRefused { .. }))),
        "{outcome:?}"
    );

    // An end sets what waits.
    server.set_pull(true);
    let never = Event::new();
    let channel = client
        .begin_channel(OpenKind::Session, Some(&never))
        .unwrap();
    server.close();
    assert!(never.wait(TIME));
    assert!(matches!(
        channel.open_outcome(),
        Some(Err(Error::Disconnected { .. }))
    ));
}

#[test]
fn subsystems_run_on_threads_of_their_own_and_are_bounded() {
    let (client, server) = connected();
    // The callback of `serve_all` would be asked first.
    server.set_callback(RequestKind::Subsystem, None);
    let handler: SubsystemHandler = Arc::new(|channel, name| {
        assert_eq!(name, "echo");
        let mut buffer = [0; 100];
        while let Ok(Read::Data(count)) = channel.read(Stream::Data, &mut buffer, TIME) {
            channel.write(Stream::Data, &buffer[..count], TIME).unwrap();
        }
        Some(7)
    });
    server.set_subsystem("echo", Some(handler), true);
    let subsystem = |name: &str| ChannelRequest::Subsystem(name.into());
    let mut channels = Vec::new();
    for _ in 0..64 {
        let channel = client.open_channel(OpenKind::Session, TIME).unwrap();
        channel.request(&subsystem("echo"), true, TIME).unwrap();
        channels.push(channel);
    }
    let one_more = client.open_channel(OpenKind::Session, TIME).unwrap();
    assert_eq!(
        one_more.request(&subsystem("echo"), true, TIME),
        Err(Error::RequestDenied)
    );
    assert_eq!(
        one_more.request(&subsystem("other"), true, TIME),
        Err(Error::RequestDenied)
    );
    for channel in &channels {
        channel.write(Stream::Data, b"hello", TIME).unwrap();
        channel.send_eof().unwrap();
        assert_eq!(read_to_end(channel), b"hello");
        assert_eq!(
            channel.wait_exit(TIME).unwrap(),
            Some(ExitOutcome::Status(7))
        );
        channel.wait_closed(TIME).unwrap();
    }
    // Only the one that no handler took can be accepted.
    assert_eq!(server.accept(TIME).unwrap().id(), {
        let accepted = server.accept(Timeout::NOW);
        assert!(accepted.is_err());
        64
    });
}
