//! Client and server of this library over a socket pair. Real peers are in `tests/interop`.

use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::auth::{AuthOutcome, AuthQuestionKind, ClientMethod, Prompt, Prompts};
use crate::connection::{ChannelRequest, ExitOutcome, OpenKind, Stream};
use crate::crypto::random::SystemRandom;
use crate::error::{Error, HostKeyFault};
use crate::keys::{KeyKind, PrivateKey};
use crate::packet::RekeyLimits;
use zeroize::Zeroizing;

mod answers;
mod attendance;
mod baton;
mod ending;
mod events;
mod gathering;
mod guessing;
mod helm;
mod idle;
mod low_water;
mod rotation;
mod signers;
mod streams;

const TIME: Timeout = Timeout::After(Duration::from_secs(20));

fn key() -> PrivateKey {
    PrivateKey::generate(KeyKind::Ed25519, 0, &mut SystemRandom).unwrap()
}

fn pair() -> (Transport, Transport) {
    let (a, b) = UnixStream::pair().unwrap();
    between(a, b)
}

fn between(a: impl IntoRawFd, b: impl IntoRawFd) -> (Transport, Transport) {
    let client = Transport::from_socket(a.into_raw_fd()).unwrap();
    let server = Transport::from_socket(b.into_raw_fd()).unwrap();
    server.add_server_key(key()).unwrap();
    client
        .configure(|options| options.insecure_accept_any_host_key = true)
        .unwrap();
    (client, server)
}

/// A server that lets "user" in with "secret" and accepts every channel and request.
fn serve_all(server: &Transport) {
    server
        .configure(|options| {
            options.server_auth.methods = ["password", "publickey", "keyboard-interactive"]
                .map(String::from)
                .to_vec();
        })
        .unwrap();
    server.set_callback(
        RequestKind::AuthPassword,
        Some(Arc::new(|request: Request| {
            if let Question::Auth {
                user,
                kind: AuthQuestionKind::Password(password),
                ..
            } = request.question()
            {
                if user == "user" && password.as_slice() == b"secret" {
                    request.accept().unwrap();
                }
            }
        })),
    );
    for kind in [
        RequestKind::AuthKeyAsked,
        RequestKind::AuthKeyProven,
        RequestKind::ChannelOpen,
        RequestKind::Pty,
        RequestKind::Shell,
        RequestKind::Exec,
        RequestKind::Subsystem,
        RequestKind::WindowChange,
    ] {
        server.set_callback(
            kind,
            Some(Arc::new(|request: Request| request.accept().unwrap())),
        );
    }
}

fn start(client: &Transport, server: &Transport) {
    let waiting = {
        let server = server.clone();
        std::thread::spawn(move || server.start_server(None, TIME))
    };
    client.start_client(None, TIME).unwrap();
    waiting.join().unwrap().unwrap();
}

fn password(text: &[u8]) -> ClientMethod {
    ClientMethod::Password {
        password: Zeroizing::new(text.to_vec()),
        fallback: true,
    }
}

/// A client that is logged in, and its server, which accepts everything.
pub(crate) fn connected() -> (Transport, Transport) {
    logged_in(pair())
}

fn logged_in((client, server): (Transport, Transport)) -> (Transport, Transport) {
    serve_all(&server);
    start(&client, &server);
    let outcome = client
        .authenticate("user", password(b"secret"), None, TIME)
        .unwrap();
    assert!(matches!(outcome, Some(AuthOutcome::Success)));
    (client, server)
}

pub(crate) fn open(client: &Transport, server: &Transport) -> (Channel, Channel) {
    let channel = client.open_channel(OpenKind::Session, TIME).unwrap();
    (channel, server.accept(TIME).unwrap())
}

fn read_to_end(channel: &Channel) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 50_000];
    loop {
        match channel.read(Stream::Data, &mut buffer, TIME).unwrap() {
            Read::Data(count) => all.extend_from_slice(&buffer[..count]),
            Read::Eof => return all,
        }
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|index| (index * 31 + index / 255) as u8)
        .collect()
}

#[test]
fn exec_with_output_and_exit_status() {
    let (client, server) = connected();
    assert!(client.is_authenticated());
    assert_eq!(server.username().as_deref(), Some("user"));
    let (ours, theirs) = open(&client, &server);
    ours.request(&ChannelRequest::Exec(b"true".to_vec()), true, TIME)
        .unwrap();
    theirs.write(Stream::Stderr, b"oops", TIME).unwrap();
    theirs.write(Stream::Data, b"output", TIME).unwrap();
    theirs
        .request(&ChannelRequest::ExitStatus(7), false, TIME)
        .unwrap();
    theirs.send_eof().unwrap();
    theirs.close().unwrap();
    assert_eq!(read_to_end(&ours), b"output");
    let mut buffer = [0; 10];
    assert_eq!(
        ours.read(Stream::Stderr, &mut buffer, TIME).unwrap(),
        Read::Data(4)
    );
    assert_eq!(ours.wait_exit(TIME).unwrap(), Some(ExitOutcome::Status(7)));
    client.close();
    server.join(TIME).unwrap();
    assert!(matches!(server.cause(), Some(Error::Disconnected { .. })));
}

#[test]
fn full_duplex_with_a_rekey_every_256_kib() {
    let (client, server) = pair();
    let limits = RekeyLimits {
        bytes: 256 * 1024,
        ..RekeyLimits::default()
    };
    client.set_rekey_limits(limits).unwrap();
    server.set_rekey_limits(limits).unwrap();
    serve_all(&server);
    start(&client, &server);
    client
        .authenticate("user", password(b"secret"), None, TIME)
        .unwrap();
    let (ours, theirs) = open(&client, &server);
    let sent = pattern(8 * 1024 * 1024);
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
    assert!(client.key_exchanges() > 8, "{}", client.key_exchanges());
}

/// Large reads of what has waited take blocks of the queue as they are, and copy them without the lock.
#[test]
fn what_has_waited_comes_whole_and_in_order() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let sent = pattern(1_900_000);
    for part in [&sent[..1_000], &sent[1_000..400_000], &sent[400_000..]] {
        theirs.write(Stream::Data, part, TIME).unwrap();
    }
    theirs.send_eof().unwrap();
    let mut read = Vec::new();
    let mut buffer = vec![0; 300_000];
    for size in [10, 300_000, 65_536, 1, 100_000].into_iter().cycle() {
        match ours.read(Stream::Data, &mut buffer[..size], TIME).unwrap() {
            Read::Data(count) => read.extend_from_slice(&buffer[..count]),
            Read::Eof => break,
        }
    }
    assert!(read == sent);
}

#[test]
fn two_readers_of_a_channel_get_each_byte_once() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let sent = pattern(8 * 1024 * 1024);
    let readers: Vec<_> = [300_000, 70_000]
        .into_iter()
        .map(|size| {
            let ours = ours.clone();
            std::thread::spawn(move || {
                let mut buffer = vec![0; size];
                let mut counts = [0_usize; 256];
                while let Read::Data(count) = ours.read(Stream::Data, &mut buffer, TIME).unwrap() {
                    for byte in &buffer[..count] {
                        counts[usize::from(*byte)] += 1;
                    }
                }
                counts
            })
        })
        .collect();
    theirs.write(Stream::Data, &sent, TIME).unwrap();
    theirs.send_eof().unwrap();
    let mut counts = [0_usize; 256];
    for reader in readers {
        let more = reader.join().unwrap();
        counts
            .iter_mut()
            .zip(more)
            .for_each(|(sum, more)| *sum += more);
    }
    let mut wanted = [0_usize; 256];
    for byte in sent {
        wanted[usize::from(byte)] += 1;
    }
    assert_eq!(counts, wanted);
}

#[test]
fn renegotiation_returns_when_done() {
    let (client, server) = connected();
    client.renegotiate_keys(TIME).unwrap();
    server.renegotiate_keys(TIME).unwrap();
    // The second call may have joined the end of the first exchange.
    assert!(client.key_exchanges() >= 2 && server.key_exchanges() >= 2);
    let (ours, theirs) = open(&client, &server);
    ours.write(Stream::Data, b"still here", TIME).unwrap();
    ours.send_eof().unwrap();
    assert_eq!(read_to_end(&theirs), b"still here");
}

#[test]
fn wrong_password_names_the_methods_and_leaves_the_transport_usable() {
    let (client, server) = pair();
    serve_all(&server);
    start(&client, &server);
    let outcome = client
        .authenticate("user", password(b"wrong"), None, TIME)
        .unwrap();
    let Some(AuthOutcome::Failure { methods }) = outcome else {
        panic!("not refused")
    };
    assert!(methods.contains(&String::from("publickey")));
    assert!(!client.is_authenticated());
    let outcome = client
        .authenticate(
            "user",
            ClientMethod::PublicKey {
                key: key().into(),
                probe: true,
            },
            None,
            TIME,
        )
        .unwrap();
    assert!(matches!(outcome, Some(AuthOutcome::Success)));
}

#[test]
fn prompts_go_through_callbacks_on_both_sides() {
    let (client, server) = pair();
    serve_all(&server);
    server.set_callback(
        RequestKind::AuthInteractive,
        Some(Arc::new(|request: Request| {
            let prompts = vec![Prompt {
                text: String::from("Code: "),
                echo: false,
            }];
            request
                .ask(Prompts {
                    name: String::new(),
                    instruction: String::new(),
                    prompts,
                })
                .unwrap();
        })),
    );
    server.set_callback(
        RequestKind::AuthInteractiveAnswers,
        Some(Arc::new(|request: Request| {
            let Question::Auth {
                kind: AuthQuestionKind::InteractiveAnswers { answers },
                ..
            } = request.question()
            else {
                return;
            };
            if answers[0].as_slice() == b"42" {
                request.accept().unwrap();
            }
        })),
    );
    client.set_callback(
        RequestKind::Prompts,
        Some(Arc::new(|request: Request| {
            request
                .answer_prompts(vec![Zeroizing::new(b"42".to_vec())])
                .unwrap();
        })),
    );
    start(&client, &server);
    let method = ClientMethod::KeyboardInteractive {
        submethods: String::new(),
    };
    let outcome = client.authenticate("user", method, None, TIME).unwrap();
    assert!(matches!(outcome, Some(AuthOutcome::Success)));
}

#[test]
fn no_authentication_before_the_host_key_is_accepted() {
    let (client, server) = pair();
    client
        .configure(|options| options.insecure_accept_any_host_key = false)
        .unwrap();
    serve_all(&server);
    start(&client, &server);
    let outcome = client.authenticate("user", password(b"secret"), None, TIME);
    assert!(matches!(
        outcome,
        Err(Error::HostKey(HostKeyFault::NotVerified))
    ));
    assert!(client.remote_host_key().is_some());
    client.accept_host_key().unwrap();
    client
        .authenticate("user", password(b"secret"), None, TIME)
        .unwrap();
    assert!(client.is_authenticated());
}

#[test]
fn k13_a_refusing_callback_ends_the_transport() {
    let (client, server) = pair();
    client
        .configure(|options| options.insecure_accept_any_host_key = false)
        .unwrap();
    client.set_callback(RequestKind::HostKey, Some(Arc::new(|_| {})));
    serve_all(&server);
    server.start_server(Some(&Event::new()), TIME).unwrap();
    let outcome = client.start_client(None, TIME);
    assert_eq!(outcome, Err(Error::HostKey(HostKeyFault::Refused)));
    server.join(TIME).unwrap();
    let Some(Error::Disconnected { reason, .. }) = server.cause() else {
        panic!("no disconnect")
    };
    assert_eq!(reason.0, 9);
}

/// A client with a server that knows passwords alone, and whose questions are pulled.
fn pulling() -> (Transport, Transport) {
    let (client, server) = pair();
    server.set_pull(true);
    server
        .configure(|options| options.server_auth.methods = vec![String::from("password")])
        .unwrap();
    start(&client, &server);
    (client, server)
}

/// Has the client ask to be let in; the event is set when it knows what came of it.
fn begin_login(client: &Transport) -> Event {
    let event = Event::new();
    client
        .authenticate("user", password(b"secret"), Some(&event), TIME)
        .unwrap();
    event
}

#[test]
fn questions_can_be_pulled_and_unanswered_ones_are_refused() {
    let (client, server) = pulling();
    let event = begin_login(&client);
    let methods = server.next_request(TIME).unwrap();
    assert_eq!(methods.kind(), RequestKind::AuthMethods);
    // Unanswered: those of the server.
    drop(methods);
    drop(server.next_request(TIME).unwrap());
    assert!(event.wait(TIME));
    assert!(matches!(
        client.auth_outcome(),
        Some(Ok(AuthOutcome::Failure { .. }))
    ));
    client
        .authenticate("user", password(b"y"), Some(&event), TIME)
        .unwrap();
    let request = server.next_request(TIME).unwrap();
    assert_eq!(request.kind(), RequestKind::AuthPassword);
    request.accept().unwrap();
    assert!(request.accept().is_err());
    assert!(event.wait(TIME));
}

#[test]
fn blocked_calls_end_when_the_peer_goes() {
    let (client, server) = connected();
    let (ours, _theirs) = open(&client, &server);
    let calls: Vec<std::thread::JoinHandle<Error>> = vec![
        {
            let ours = ours.clone();
            std::thread::spawn(move || {
                ours.read(Stream::Data, &mut [0; 10], Timeout::Forever)
                    .unwrap_err()
            })
        },
        {
            let ours = ours.clone();
            std::thread::spawn(move || {
                let data = vec![0; 1 << 20];
                loop {
                    if let Err(error) = ours.write(Stream::Data, &data, Timeout::Forever) {
                        return error;
                    }
                }
            })
        },
        {
            let client = client.clone();
            std::thread::spawn(move || client.accept(Timeout::Forever).err().unwrap())
        },
        {
            let ours = ours.clone();
            std::thread::spawn(move || ours.wait_exit(Timeout::Forever).unwrap_err())
        },
    ];
    std::thread::sleep(Duration::from_millis(100));
    server.close();
    for call in calls {
        let error = call.join().unwrap();
        assert!(
            matches!(error, Error::Disconnected { .. } | Error::ConnectionLost),
            "{error:?}"
        );
    }
}

#[test]
fn cancel_wakes_and_leaves_the_transport_usable() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let reader = {
        let ours = ours.clone();
        std::thread::spawn(move || ours.read(Stream::Data, &mut [0; 4], Timeout::Forever))
    };
    std::thread::sleep(Duration::from_millis(50));
    client.cancel();
    assert_eq!(reader.join().unwrap(), Err(Error::Cancelled));
    theirs.write(Stream::Data, b"abcd", TIME).unwrap();
    assert_eq!(
        ours.read(Stream::Data, &mut [0; 4], TIME),
        Ok(Read::Data(4))
    );
}

#[test]
fn compression_works_in_both_directions() {
    let (client, server) = pair();
    client
        .configure(|options| options.compress = Some(true))
        .unwrap();
    serve_all(&server);
    start(&client, &server);
    client
        .authenticate("user", password(b"secret"), None, TIME)
        .unwrap();
    assert_eq!(
        client
            .negotiated()
            .unwrap()
            .client_to_server
            .compression
            .name,
        "zlib@openssh.com"
    );
    for _ in 0..3 {
        let (ours, theirs) = open(&client, &server);
        let data = pattern(300_000);
        let reader = std::thread::spawn(move || read_to_end(&theirs));
        ours.write(Stream::Data, &data, TIME).unwrap();
        ours.send_eof().unwrap();
        assert!(reader.join().unwrap() == data);
        client.renegotiate_keys(TIME).unwrap();
    }
}

/// Nothing that a peer could yet say tells that it takes nothing more; the transport must end all the same. Where nobody
/// waits in a call it is up to the I/O thread, which is woken by what comes and else by nothing.
#[test]
fn a_peer_that_takes_nothing_more_ends_the_transport() {
    use std::io::Write;
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Says {
        Nothing,
        Before,
        Later,
    }
    let short = Duration::from_millis(100);
    for waits in [false, true] {
        for says in [Says::Nothing, Says::Before, Says::Later] {
            let (a, mut b) = UnixStream::pair().unwrap();
            let client = Transport::from_socket(a.into_raw_fd()).unwrap();
            b.shutdown(std::net::Shutdown::Read).unwrap();
            if says == Says::Before {
                b.write_all(b"SSH-2.0-deaf\r\n").unwrap();
            }
            let speaker = std::thread::spawn(move || {
                if says == Says::Later {
                    // For the call to wait already; where it does not, the other case is tried twice.
                    std::thread::sleep(short);
                    let _ = b.write_all(b"SSH-2.0-deaf\r\n");
                }
                b
            });
            if waits {
                let outcome = client.start_client(None, TIME);
                assert_eq!(outcome, Err(Error::ConnectionLost), "{says:?}");
            } else {
                let event = Event::new();
                client.start_client(Some(&event), TIME).unwrap();
                assert!(event.wait(TIME), "{says:?}, and nobody waits");
            }
            assert_eq!(client.cause(), Some(Error::ConnectionLost), "{says:?}");
            // Open until here: its end would have been noticed.
            drop(speaker.join().unwrap());
        }
    }
}

/// The look that follows a failed write finds something to read. After that nothing wakes the I/O thread any more, for the
/// peer waits for an answer that does not come: it must look again by itself.
#[test]
fn what_comes_after_a_failed_write_does_not_hide_the_end() {
    use std::io::{Read as _, Write as _};
    let (a, mut b) = UnixStream::pair().unwrap();
    let client = Transport::from_socket(a.into_raw_fd()).unwrap();
    // Its deadline would wake the thread, too.
    client
        .configure(|options| options.handshake_timeout = Duration::from_secs(3600))
        .unwrap();
    let event = Event::new();
    client.start_client(Some(&event), TIME).unwrap();
    let mut line = [0; 8];
    b.read_exact(&mut line).unwrap();
    // For the thread to come to rest; and then, to come to the lock. Without these pauses it would look twice anyway.
    let pause = || std::thread::sleep(Duration::from_millis(100));
    pause();
    let held = client.hold_receiving();
    client.break_sending();
    pause();
    b.write_all(b"SSH-2.0-deaf\r\n").unwrap();
    drop(held);
    assert!(event.wait(TIME));
    assert_eq!(client.cause(), Some(Error::ConnectionLost));
}

/// Nothing would be heard of the peer any more, and no call would end.
#[test]
fn a_socket_that_cannot_be_watched_ends_the_transport() {
    let (client, server) = connected();
    let cause = Error::Resource("the poller has no memory");
    client.deafen(cause.clone());
    client.join(TIME).unwrap();
    assert_eq!(client.cause(), Some(cause));
    server.join(TIME).unwrap();
}

#[test]
fn a_dead_transport_fails_at_once_and_keeps_the_cause() {
    let (client, server) = connected();
    drop(server.clone());
    server.close();
    client.join(TIME).unwrap();
    assert!(!client.is_active());
    assert!(client.take_exception().is_some());
    assert!(client.take_exception().is_none());
    assert!(client.cause().is_some());
    assert!(client.open_channel(OpenKind::Session, TIME).is_err());
    assert!(client.renegotiate_keys(TIME).is_err());
}

#[test]
fn keepalive_measures_the_round_trip() {
    let (client, _server) = connected();
    let (tell, told) = std::sync::mpsc::channel();
    client
        .set_keepalive(
            Duration::from_millis(20),
            0,
            Some(Arc::new(move |round_trip, missed| {
                let _ = tell.send((round_trip, missed));
            })),
        )
        .unwrap();
    // A loaded machine may miss some; sooner or later one is answered, and that sets the count back.
    while let Ok((round_trip, missed)) = told.recv_timeout(Duration::from_secs(10)) {
        if round_trip.is_some() {
            assert_eq!(missed, 0);
            return;
        }
    }
    panic!("no reply to any keepalive");
}

#[test]
fn closing_a_channel_wakes_a_writer_that_waits_for_the_socket() {
    let (client, server) = connected();
    let (ours, _theirs) = open(&client, &server);
    // The server's I/O thread stands still while this test holds the lock it receives under, so the socket
    // fills up long before the window does.
    let hold = server.hold_receiving();
    let writer = {
        let ours = ours.clone();
        std::thread::spawn(move || {
            let data = vec![0; 1 << 20];
            loop {
                if let Err(error) = ours.write(Stream::Data, &data, Timeout::Forever) {
                    return error;
                }
            }
        })
    };
    std::thread::sleep(Duration::from_millis(200));
    ours.close().unwrap();
    assert_eq!(writer.join().unwrap(), Error::Closed);
    drop(hold);
}
