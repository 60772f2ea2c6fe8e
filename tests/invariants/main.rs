//! What holds in every case of an attack (I1, I3), and cases that are about the process as a whole: no time is spent on peers
//! who say nothing, memory grows with what was received and no faster, and nothing stays behind.
//!
//! In a process of their own, one test after the other, for they count what is the process's.

mod heap;
// Another test uses the rest of it.
#[allow(dead_code)]
#[path = "../attack/peer.rs"]
mod peer;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use sshwire::auth::ClientMethod;
use sshwire::connection::{OpenKind, Stream};
use sshwire::crypto::random::SystemRandom;
use sshwire::driver::{Event, Read as Got, Request, RequestKind, Timeout, Transport};
use sshwire::keys::{KeyKind, PrivateKey};

use peer::Peer;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const TIME: Timeout = Timeout::After(Duration::from_secs(60));
const HANG: Duration = Duration::from_secs(60);
const KIB: i64 = 1024;

/// One test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    heap::stand_apart();
    LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn host_key() -> PrivateKey {
    PrivateKey::generate(KeyKind::Ed25519, 0, &mut SystemRandom).unwrap()
}

/// A server that lets everybody in and open channels, started, and the other end of its socket.
fn server() -> (Transport, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(HANG)).unwrap();
    theirs.set_write_timeout(Some(HANG)).unwrap();
    let server = Transport::from_socket(ours.into_raw_fd()).unwrap();
    server.add_server_key(host_key()).unwrap();
    server
        .configure(|options| options.server_auth.methods = vec!["none".to_owned()])
        .unwrap();
    for kind in [RequestKind::AuthNone, RequestKind::ChannelOpen] {
        let accept = |request: Request| {
            let _ = request.accept();
        };
        server.set_callback(kind, Some(Arc::new(accept)));
    }
    server.start_server(Some(&Event::new()), TIME).unwrap();
    (server, theirs)
}

/// A peer that is in: who has asked for the service, and logged in with no proof at all.
fn logged_in(stream: UnixStream) -> Peer {
    let mut peer = Peer::client(stream);
    peer.send(&message(5, &[b"ssh-userauth"])).unwrap();
    peer.send(&message(50, &[b"user", b"ssh-connection", b"none"]))
        .unwrap();
    peer
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

fn open_session() -> Vec<u8> {
    let mut open = message(90, &[b"session"]);
    for number in [7_u32, 1 << 20, 1 << 15] {
        open.extend_from_slice(&number.to_be_bytes());
    }
    open
}

/// What the process holds beside its heap.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    threads: usize,
    descriptors: usize,
}

fn held() -> Held {
    let count = |directory: &str| fs::read_dir(directory).unwrap().count();
    Held {
        threads: count("/proc/self/task"),
        descriptors: count("/proc/self/fd"),
    }
}

/// Waits until the process holds no more than before: what ends goes on for a moment behind its last call.
fn settle(before: &Held, live: i64) {
    let end = Instant::now() + HANG;
    loop {
        let (now, more) = (held(), heap::live_in_all() - live);
        if now.threads <= before.threads
            && now.descriptors <= before.descriptors
            && more <= 256 * KIB
        {
            return;
        }
        assert!(
            Instant::now() < end,
            "{before:?} have become {now:?}, and {more} bytes more"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// The same, before anything: until nothing changes any more.
fn rest() -> (Held, i64) {
    // Threads of pools without work leave after ten seconds, and what waits lingers for a second.
    let end = Instant::now() + HANG;
    let mut before = held();
    loop {
        thread::sleep(Duration::from_millis(1500));
        let now = held();
        if now == before {
            return (now, heap::live_in_all());
        }
        assert!(Instant::now() < end, "no rest");
        before = now;
    }
}

/// What hostile peers send, without an answer to anything, and how far they have come before.
fn attacks() -> Vec<(&'static str, bool, Vec<Vec<u8>>)> {
    const HELLO: &[u8] = b"SSH-2.0-x\r\n";
    let raw = |bytes: &[u8]| vec![[HELLO, bytes].concat()];
    let mut lists = vec![20];
    lists.extend_from_slice(&[7; 16]);
    for _ in 0..10 {
        lists.extend_from_slice(&message(0, &[&[b'a'; 3000]])[1..]);
    }
    lists.extend_from_slice(&[0; 5]);
    let mut packet = u32::try_from(lists.len() + 9)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    packet.push(8);
    packet.extend_from_slice(&lists);
    packet.extend_from_slice(&[0; 8]);
    vec![
        (
            "B1 no end of the first line",
            false,
            vec![vec![b'x'; 1 << 16]],
        ),
        (
            "B2 another protocol",
            false,
            vec![b"GET / HTTP/1.1\r\n\r\n".to_vec()],
        ),
        (
            "P1 a length beyond all",
            false,
            raw(&[0x7f, 0xff, 0xff, 0xff, 9, 9]),
        ),
        ("P4 an end in the middle", false, raw(&[0, 0, 4, 0, 9, 20])),
        (
            "P8 a message cut short",
            false,
            raw(&[0, 0, 0, 12, 10, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ),
        ("K2 lists without end", false, raw(&packet)),
        ("A1 a channel before login", true, vec![open_session()]),
        (
            "A3 a service that is none",
            true,
            vec![message(5, &[&[b's'; 30_000]])],
        ),
        ("P5 unknown messages", true, vec![vec![199]; 200]),
        ("P6 noise", true, vec![message(2, &[&[0; 30_000]]); 20]),
        (
            "P7 a long goodbye",
            true,
            vec![[
                &[1, 0, 0, 0, 9][..],
                &message(0, &[&[b'x'; 30_000], b""])[1..],
            ]
            .concat()],
        ),
        (
            "G1 requests before login",
            true,
            vec![[&message(80, &[&[b'n'; 20_000]])[..], &[1]].concat()],
        ),
    ]
}

/// One session, to its end.
fn attack(keyed: bool, messages: &[Vec<u8>]) {
    let (server, mut stream) = server();
    if keyed {
        let mut peer = Peer::client(stream.try_clone().unwrap());
        for message in messages {
            if peer.send(message).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    } else {
        for bytes in messages {
            let _ = stream.write_all(bytes);
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    drop(stream);
    server.join(TIME).unwrap();
    assert!(server.cause().is_some() && !server.is_active());
}

#[test]
fn i3_memory_grows_with_what_was_received_and_no_faster() {
    let _alone = alone();
    for (name, keyed, messages) in attacks() {
        // A session of the same kind that says nothing is what a session costs by itself.
        for _ in 0..3 {
            attack(keyed, &messages);
        }
        let plain = (0..3).map(|_| heap::growth(|| attack(keyed, &[]))).max();
        let hostile = heap::growth(|| attack(keyed, &messages));
        let received: usize = messages.iter().map(Vec::len).sum();
        let most = plain.unwrap_or(0) + 2 * i64::try_from(received).unwrap() + 64 * KIB;
        assert!(
            hostile <= most,
            "{name}: {hostile} bytes for {received}, at most {most}"
        );
    }
}

#[test]
fn i3_a_thousand_hostile_sessions_leave_nothing_behind() {
    let _alone = alone();
    let round = || {
        for (_, keyed, messages) in attacks() {
            attack(keyed, &messages);
        }
    };
    for _ in 0..5 {
        round();
    }
    let (before, live) = rest();
    for _ in 0..84 {
        round();
    }
    settle(&before, live);
}

/// Case L3: each completes a key exchange, and then is gone.
#[test]
fn l3_a_thousand_key_exchanges_leave_nothing_behind() {
    let _alone = alone();
    let once = || {
        let (server, stream) = server();
        drop(Peer::client(stream));
        server.join(TIME).unwrap();
        assert!(!server.is_authenticated());
    };
    for _ in 0..50 {
        once();
    }
    let (before, live) = rest();
    for _ in 0..1000 {
        once();
    }
    settle(&before, live);
}

/// Processor time that the whole process has had.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = text
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    // utime and stime, in hundredths of a second.
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Sessions that wait for a peer, wherever it has stopped, cost no processor time.
#[test]
fn i1_sessions_that_wait_are_idle() {
    let _alone = alone();
    let mut sessions = Vec::new();
    for sent in [
        &b""[..],
        b"SSH-",
        b"SSH-2.0-x\r\n",
        b"SSH-2.0-x\r\n\0\0\x04\0\x09\x14",
    ] {
        let (server, mut stream) = server();
        stream.write_all(sent).unwrap();
        sessions.push((server, stream, None));
    }
    // Keyed, logged in, with a channel whose window is closed, with answers that nobody takes.
    let (keyed, stream) = server();
    let peer = Peer::client(stream.try_clone().unwrap());
    sessions.push((keyed, stream, Some(peer)));
    let (silent, stream) = server();
    let mut peer = logged_in(stream.try_clone().unwrap());
    peer.send(&open_session()).unwrap();
    sessions.push((silent, stream, Some(peer)));
    let (deaf, stream) = server();
    let mut peer = logged_in(stream.try_clone().unwrap());
    peer.set_write_timeout(Duration::from_millis(500));
    while peer
        .send(&[&message(80, &[b"unknown"])[..], &[1]].concat())
        .is_ok()
    {}
    sessions.push((deaf, stream, Some(peer)));
    thread::sleep(Duration::from_millis(500));
    let before = processor_time();
    thread::sleep(Duration::from_secs(2));
    let spent = processor_time() - before;
    assert!(
        spent <= Duration::from_millis(100),
        "{spent:?} in two seconds"
    );
    for (server, ..) in &sessions {
        server.abandon();
    }
}

fn client_of(server: &Transport, stream: UnixStream) -> Transport {
    let client = Transport::from_socket(stream.into_raw_fd()).unwrap();
    client
        .configure(|options| options.insecure_accept_any_host_key = true)
        .unwrap();
    client.start_client(None, TIME).unwrap();
    client
        .authenticate("user", ClientMethod::None, None, TIME)
        .unwrap();
    assert!(server.is_active());
    client
}

/// Case P6: noise without end on several sessions, more than there are I/O threads, does not keep another one from its work;
/// and it leaves nothing behind.
#[test]
fn p6_a_flood_of_noise_starves_no_other_session() {
    let _alone = alone();
    let (server_side, stream) = server();
    let client = client_of(&server_side, stream);
    let channel = client.open_channel(OpenKind::Session, TIME).unwrap();
    let far = server_side.accept(TIME).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..8)
        .map(|_| {
            let (server, stream) = server();
            let stop = Arc::clone(&stop);
            let flood = thread::spawn(move || {
                heap::stand_apart();
                let mut peer = Peer::client(stream);
                let (ignore, debug) = (message(2, &[&[9; 32_000]]), {
                    let mut debug = vec![4, 1];
                    debug.extend_from_slice(&message(0, &[&[27; 30_000], b"en"])[1..]);
                    debug
                });
                let mut sent = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    peer.send(&ignore).unwrap();
                    peer.send(&debug).unwrap();
                    sent += 2;
                }
                sent
            });
            (server, flood)
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    let live = heap::live_in_all();
    for round in 0_u32..200 {
        let said = round.to_be_bytes();
        channel.write(Stream::Data, &said, TIME).unwrap();
        let mut heard = [0; 4];
        let mut count = 0;
        while count < heard.len() {
            match far.read(Stream::Data, &mut heard[count..], TIME).unwrap() {
                Got::Data(more) => count += more,
                Got::Eof => panic!("an end"),
            }
        }
        assert_eq!(heard, said);
    }
    assert!(
        heap::live_in_all() <= live + 8 * 512 * KIB,
        "{} bytes more",
        heap::live_in_all() - live
    );
    assert!(floods.iter().all(|(server, _)| server.is_active()));
    stop.store(true, Ordering::Relaxed);
    for (server, flood) in floods {
        assert!(flood.join().unwrap() > 20, "it was no flood");
        server.abandon();
    }
}

/// Data on many channels that nobody reads are held once, and what they took is given back when they are read, but for the
/// blocks that are kept for the next ones.
#[test]
fn i3_data_that_nobody_reads_take_what_they_are() {
    const CHANNELS: usize = 64;
    const EACH: usize = 200 * 1024;
    const ALL: i64 = 12_800 * KIB;
    // Blocks of queues, and what is read into and sealed into.
    const SPARE: i64 = (4096 + 2048) * KIB;
    let _alone = alone();
    let (server_side, stream) = server();
    let client = client_of(&server_side, stream);
    let channels: Vec<_> = (0..CHANNELS)
        .map(|_| {
            let ours = client.open_channel(OpenKind::Session, TIME).unwrap();
            (ours, server_side.accept(TIME).unwrap())
        })
        .collect();
    let sent = vec![7; EACH];
    let mut got = vec![0; EACH];
    let live = heap::live_in_all();
    for round in 0..3 {
        for (ours, _) in &channels {
            assert_eq!(ours.write(Stream::Data, &sent, TIME), Ok(EACH));
        }
        let held = heap::live_in_all() - live;
        assert!(held >= ALL / 2, "{held} bytes: they are not there");
        assert!(held <= ALL + ALL / 2 + SPARE, "round {round}: {held} bytes");
        for (_, far) in &channels {
            got.fill(0);
            let mut count = 0;
            while count < EACH {
                match far.read(Stream::Data, &mut got[count..], TIME).unwrap() {
                    Got::Data(more) => count += more,
                    Got::Eof => panic!("an end"),
                }
            }
            assert!(got == sent);
        }
        let left = heap::live_in_all() - live;
        assert!(left <= SPARE, "round {round}: {left} bytes left");
    }
    server_side.abandon();
}
