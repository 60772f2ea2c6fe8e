//! Forwarded connections in either direction, with our client, with our server, and with other programs at the
//! other end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::need;
use crate::peers::{
    account, client, convert_key, key, peer, root, ssh, start_on_free_port, Dropbear, OurServer,
    Sshd,
};
use crate::process::{run, Noise, Running, Scratch, LIMIT};

const CONNECTIONS: u64 = 64;

/// A TCP or a UNIX connection.
trait Stream: Read + Write + Send + Sized + 'static {
    fn twin(&self) -> Self;
    fn end(&self);
}

impl Stream for TcpStream {
    fn twin(&self) -> Self {
        self.try_clone().expect("clone")
    }

    fn end(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Stream for UnixStream {
    fn twin(&self) -> Self {
        self.try_clone().expect("clone")
    }

    fn end(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

fn tcp(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    stream.set_read_timeout(Some(LIMIT)).expect("timeout");
    stream.set_write_timeout(Some(LIMIT)).expect("timeout");
    stream
}

fn unix(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    stream.set_read_timeout(Some(LIMIT)).expect("timeout");
    stream
}

/// Sends back what comes, then the hash of all of it once the other side has ended: data after a half-close.
fn answer(mut stream: impl Stream) {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        hash.update(&buffer[..count]);
        if stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    let _ = stream.write_all(&hash.finalize());
    stream.end();
}

/// The target of the forwarded connections, on a port.
fn target() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
    let port = listener.local_addr().expect("address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    port
}

/// The same at a path.
fn target_at(path: &Path) {
    let listener = UnixListener::bind(path).expect("bind");
    // Servers connect as the user who has logged in.
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .expect("mode");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
}

/// Sends `total` bytes of noise, both ways at once, and checks what comes back.
#[track_caller]
fn exchange(mut stream: impl Stream, seed: u64, total: usize) {
    let mut sent = vec![0; total];
    Noise::new(seed).fill(&mut sent);
    let writer = {
        let (mut stream, sent) = (stream.twin(), sent.clone());
        thread::spawn(move || {
            stream.write_all(&sent).expect("write");
            stream.end();
        })
    };
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("read");
    writer.join().expect("writer");
    let hash = Sha256::digest(&sent);
    assert_eq!(received.len(), total + hash.len(), "not all came back");
    assert_eq!(Sha256::digest(&received[..total]), hash);
    assert_eq!(&received[total..], &hash[..], "after the half-close");
}

/// Many connections at once.
#[track_caller]
fn exchange_many<S: Stream>(connect: impl Fn() -> S) {
    let running: Vec<_> = (0..CONNECTIONS)
        .map(|seed| {
            let stream = connect();
            let total = 100_000 + usize::try_from(seed).expect("small") * 1000;
            thread::spawn(move || exchange(stream, seed, total))
        })
        .collect();
    for one in running {
        one.join().expect("a connection");
    }
}

/// Asks a SOCKS 5 proxy for a connection.
fn socks(proxy: u16, port: u16) -> TcpStream {
    let mut stream = tcp(proxy);
    let mut request = vec![5, 1, 0, 5, 1, 0, 3, 9];
    request.extend_from_slice(b"localhost");
    request.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&request).expect("request");
    let mut reply = [0; 12];
    stream.read_exact(&mut reply).expect("reply");
    assert_eq!(reply[..5], [5, 0, 5, 0, 0], "{reply:?}");
    stream
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn is_refused(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_err()
}

/// Our client, forwarding.
struct Forward {
    running: Running,
}

impl Forward {
    fn start(scratch: &Scratch, port: u16, user: &str, places: &[&str]) -> Self {
        let mut command = client("forward", port, user, "user_ed25519");
        command.args(places).arg("127.0.0.1");
        Forward {
            running: Running::start(command, scratch.file("forward.log")),
        }
    }

    /// The port of the place whose line has `needle` in it.
    fn port(&mut self, needle: &str) -> u16 {
        let line = self.running.wait_for_line(needle, LIMIT);
        let listen = line.split(" -> ").next().expect("a place");
        let port = listen.rsplit(':').next().and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {line:?}"))
    }
}

fn directory(scratch: &Scratch, name: &str) -> PathBuf {
    let path = scratch.file(name);
    std::fs::create_dir(&path).expect("directory");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .expect("mode");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("path")
}

/// All that our client forwards, through a server that lets it.
fn our_client_through(scratch: &Scratch, port: u16, user: &str) {
    let target = target();
    let sockets = directory(scratch, "sockets");
    let (there, here, far) = (
        sockets.join("target"),
        sockets.join("here"),
        sockets.join("far"),
    );
    target_at(&there);
    let places = [
        format!("0:localhost:{target}"),
        format!("localhost:0:127.0.0.1:{target}"),
        String::from("127.0.0.1:0"),
        format!("{}:{}", text(&here), text(&there)),
        format!("{}:{}", text(&far), text(&there)),
    ];
    let [local, remote, dynamic, local_path, remote_path] = places.each_ref().map(String::as_str);
    let options = [
        "-L",
        local,
        "-R",
        remote,
        "-D",
        dynamic,
        "-L",
        local_path,
        "-R",
        remote_path,
    ];
    let mut forward = Forward::start(scratch, port, user, &options);
    let (near, away, proxy) = (
        forward.port("here localhost"),
        forward.port("there localhost"),
        forward.port("wherever SOCKS says"),
    );
    exchange_many(|| tcp(near));
    exchange_many(|| tcp(away));
    exchange_many(|| socks(proxy, target));
    forward.running.wait_for_line("there /", LIMIT);
    exchange(unix(&here), 1, 3_000_000);
    exchange(unix(&far), 2, 3_000_000);

    // One that stands still holds up no other: it writes until nothing is taken any more, and reads nothing.
    let mut still = tcp(near);
    still
        .set_write_timeout(Some(Duration::from_millis(500)))
        .expect("timeout");
    let block = vec![1; 256 * 1024];
    while still.write(&block).is_ok() {}
    exchange(tcp(near), 3, 1_000_000);
    exchange(tcp(away), 4, 1_000_000);
    drop(still);

    forward.running.terminate();
    let status = forward.running.wait(LIMIT);
    let log = forward.running.log();
    assert!(status.success(), "{status}: {log}");
    let counted = format!("{target}: 65 connections, 0 failed");
    assert!(log.contains(&counted), "{log}");
    for port in [near, away, proxy] {
        until("nobody listens", || is_refused(port));
    }
    assert!(!here.exists(), "the file of the socket is left");
}

#[test]
fn our_client_with_sshd() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (user, _) = account();
    let sshd = Sshd::start(&scratch, "MaxSessions 400\nStreamLocalBindMask 0111");
    our_client_through(&scratch, sshd.port, &user);
}

#[test]
fn our_client_with_our_server() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--forward"]);
    our_client_through(&scratch, server.port, "tester");
}

#[test]
fn our_client_with_dropbear() {
    need!("DROPBEAR", "ACCOUNT");
    let scratch = Scratch::new();
    let (user, _) = account();
    let server = Dropbear::start(&scratch, &["host_ed25519"], &[]);
    let target = target();
    let places = [
        format!("0:localhost:{target}"),
        format!("localhost:0:127.0.0.1:{target}"),
    ];
    let options = ["-L", &places[0], "-R", &places[1], "-D", "0"];
    let mut forward = Forward::start(&scratch, server.port, &user, &options);
    let (near, away, proxy) = (
        forward.port("here localhost"),
        forward.port("there localhost"),
        forward.port("wherever SOCKS says"),
    );
    for seed in 0..4 {
        exchange(tcp(near), seed, 500_000);
        exchange(tcp(away), seed, 500_000);
        exchange(socks(proxy, target), seed, 500_000);
    }
}

/// The calls beneath: the accept queue, callbacks, cancelling, the same port once more.
fn the_calls_with(scratch: &Scratch, port: u16, user: &str, with_socket: bool) {
    let mut command = client("forwards", port, user, "user_ed25519");
    let socket = directory(scratch, "asked").join("s");
    if with_socket {
        command.args(["-S", text(&socket)]);
    }
    command.arg("127.0.0.1");
    let mut running = Running::start(command, scratch.file("forwards.log"));
    let line = running.wait_for_line("asked localhost", LIMIT);
    let port: u16 = line
        .rsplit(':')
        .next()
        .expect("port")
        .parse()
        .expect("port");
    let say = |mut stream: TcpStream, words: &str| {
        stream.write_all(words.as_bytes()).expect("write");
        stream.end();
        let mut back = String::new();
        stream.read_to_string(&mut back).expect("read");
        assert_eq!(back, words);
    };
    say(tcp(port), "first");
    running.wait_for_line("queue forwarded-tcpip", LIMIT);
    // Asked for once more after it was cancelled.
    until("it is listened on again", || {
        assert!(!running.has_ended(), "{}", running.log());
        running.log().matches("asked localhost").count() == 2
    });
    say(tcp(port), "second");
    until("a port is asked for", || {
        assert!(!running.has_ended(), "{}", running.log());
        running.log().matches("asked localhost").count() == 3
    });
    let log = running.log();
    let line = log
        .lines()
        .rfind(|line| line.starts_with("asked localhost"));
    let third = line.and_then(|line| line.rsplit(':').next());
    say(tcp(third.expect("port").parse().expect("port")), "third");
    if with_socket {
        running.wait_for_line("asked /", LIMIT);
        let mut stream = unix(&socket);
        stream.write_all(b"fourth").expect("write");
        stream.end();
        let mut back = String::new();
        stream.read_to_string(&mut back).expect("read");
        assert_eq!(back, "fourth");
    }
    let status = running.wait(LIMIT);
    let log = running.log();
    assert!(status.success(), "{log}");
    let said = |by: &str, words: &str| {
        log.lines()
            .any(|line| line.starts_with(by) && line.ends_with(words))
    };
    let from = "from 127.0.0.1:1: ";
    assert!(
        said("queue forwarded-tcpip at ", &format!("{from}first")),
        "{log}"
    );
    assert!(
        said("queue forwarded-tcpip at ", &format!("{from}second")),
        "{log}"
    );
    assert!(
        said("callback forwarded-tcpip at ", &format!("{from}third")),
        "{log}"
    );
    if with_socket {
        let place = format!(
            "queue forwarded-streamlocal@openssh.com at {}:0 ",
            text(&socket)
        );
        assert!(said(&place, "from -:0: fourth"), "{log}");
    }
}

#[test]
fn the_calls_beneath_with_sshd() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (user, _) = account();
    // The path is used by whoever runs the test, the socket is made by the user who logs in.
    let sshd = Sshd::start(&scratch, "StreamLocalBindMask 0111");
    the_calls_with(&scratch, sshd.port, &user, true);
}

#[test]
fn the_calls_beneath_with_our_server() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--forward"]);
    the_calls_with(&scratch, server.port, "tester", true);
}

#[test]
fn what_sshd_does_not_allow_is_told() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (user, _) = account();
    let sshd = Sshd::start(&scratch, "AllowTcpForwarding no");
    let mut command = client("forward", sshd.port, &user, "user_ed25519");
    command.args(["-R", "0:localhost:1", "127.0.0.1"]);
    let output = run(&mut command, b"", LIMIT).expect_code(255);
    assert!(output.stderr.contains("denied"), "{}", output.stderr);
    // A port that somebody has.
    let taken = target();
    let mut command = client("forward", sshd.port, &user, "user_ed25519");
    let place = format!("127.0.0.1:{taken}:localhost:1");
    command.args(["-L", &place, "127.0.0.1"]);
    let output = run(&mut command, b"", LIMIT).expect_code(255);
    assert!(output.stderr.contains("in use"), "{}", output.stderr);
    // The connection is refused, and ends.
    let mut forward = Forward::start(&scratch, sshd.port, &user, &["-L", "0:localhost:1"]);
    let mut stream = tcp(forward.port("here localhost"));
    assert!(!matches!(stream.read(&mut [0; 9]), Ok(1..)));
    forward.running.terminate();
    forward.running.wait(LIMIT);
    let log = forward.running.log();
    assert!(log.contains("0 connections, 1 failed"), "{log}");
}

#[test]
fn a_session_that_is_lost_is_no_end_of_file() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--forward"]);
    let target = target();
    let place = format!("0:localhost:{target}");
    let mut forward = Forward::start(&scratch, server.port, "tester", &["-L", &place]);
    let port = forward.port("here localhost");
    let mut stream = tcp(port);
    stream.write_all(b"half").expect("write");
    stream.read_exact(&mut [0; 4]).expect("read");
    drop(server);
    let cause = stream.read(&mut [0; 4]).expect_err("a reset");
    assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionReset);
    let status = forward.running.wait(LIMIT);
    assert_eq!(status.code(), Some(1), "{}", forward.running.log());
}

/// `ssh` that only forwards.
fn ssh_forwarding(server: &OurServer, scratch: &Scratch, options: &[&str]) -> Command {
    let mut command = ssh(server, scratch, "user_ed25519");
    command.args(["-N", "-v", "-o", "ExitOnForwardFailure=yes"]);
    command.args(options).arg("127.0.0.1");
    command
}

#[test]
fn openssh_with_our_server() {
    need!("SSH", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--forward"]);
    let target = target();
    let sockets = directory(&scratch, "sockets");
    let (there, here, far) = (
        sockets.join("target"),
        sockets.join("here"),
        sockets.join("far"),
    );
    target_at(&there);
    let places = [
        format!("0:127.0.0.1:{target}"),
        format!("{}:{}", text(&here), text(&there)),
        format!("{}:{}", text(&far), text(&there)),
    ];
    let (near, mut running) = start_on_free_port(|port| {
        let local = format!("127.0.0.1:{port}:localhost:{target}");
        let options = [
            "-L", &local, "-R", &places[0], "-L", &places[1], "-R", &places[2],
        ];
        let command = ssh_forwarding(&server, &scratch, &options);
        Running::start(command, scratch.file("ssh.log"))
    })
    .expect("ssh does not listen");
    let line = running.wait_for_line("Allocated port ", LIMIT);
    let away = line.split("Allocated port ").nth(1).expect("port");
    let away: u16 = away.split(' ').next().expect("port").parse().expect("port");
    exchange_many(|| tcp(near));
    exchange_many(|| tcp(away));
    exchange(unix(&here), 1, 3_000_000);
    exchange(unix(&far), 2, 3_000_000);
    drop(running);
    until("nobody listens there", || is_refused(away));
    until("the socket is gone", || !far.exists());

    let (proxy, _running) = start_on_free_port(|port| {
        let dynamic = format!("127.0.0.1:{port}");
        let command = ssh_forwarding(&server, &scratch, &["-D", &dynamic]);
        Running::start(command, scratch.file("ssh_d.log"))
    })
    .expect("ssh does not listen");
    exchange_many(|| socks(proxy, target));
    // -W: standard input and output are the connection.
    let mut command = ssh(&server, &scratch, "user_ed25519");
    command.args(["-W", &format!("localhost:{target}"), "127.0.0.1"]);
    let output = run(&mut command, b"through", LIMIT).expect_code(0);
    let expected = [&b"through"[..], &Sha256::digest(b"through")[..]].concat();
    assert_eq!(output.stdout, expected);
}

#[test]
fn openssh_jumps_through_our_server() {
    need!("SSH", "SSH_KEYGEN");
    let (scratch, inner) = (Scratch::new(), Scratch::new());
    let gate = OurServer::start(&scratch, &["--forward"]);
    let target = OurServer::start(&inner, &[]);
    // The way through the first goes as its proxy command does, which takes options of its own.
    let hop = {
        let command = ssh(&gate, &scratch, "user_ed25519");
        let mut words = vec![command.get_program().to_string_lossy().into_owned()];
        words.extend(
            command
                .get_args()
                .map(|word| word.to_string_lossy().into_owned()),
        );
        words.extend(["-W", "%h:%p", "127.0.0.1"].map(String::from));
        words.join(" ")
    };
    let mut command = ssh(&target, &inner, "user_ed25519");
    command.arg("-o").arg(format!("ProxyCommand={hop}"));
    command.args(["127.0.0.1", "echo out; exit 7"]);
    let output = run(&mut command, b"", LIMIT).expect_code(7);
    assert_eq!(output.text(), "out\n");
}

#[test]
fn our_server_forwards_what_it_is_told_to_and_nothing_else() {
    need!("SSH", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let (good, bad) = (target(), target());
    let permit = format!("localhost:{good}");
    let strict = OurServer::start(&scratch, &["--permit-connect", &permit]);
    let through = |server: &OurServer, port: u16| {
        let mut command = ssh(server, &scratch, "user_ed25519");
        command.args(["-v", "-W", &format!("localhost:{port}"), "127.0.0.1"]);
        run(&mut command, b"x", LIMIT)
    };
    through(&strict, good).expect_code(0);
    let refused = through(&strict, bad).expect_code(255);
    assert!(refused.stderr.contains("prohibited"), "{}", refused.stderr);
    let listening = |server: &OurServer| {
        let mut command = ssh_forwarding(server, &scratch, &["-R", "0:localhost:1"]);
        run(&mut command, b"", LIMIT).expect_code(255)
    };
    listening(&strict);
    let other = Scratch::new();
    let without = OurServer::start(&other, &[]);
    through(&without, good).expect_code(255);
    listening(&without);
    // Nobody listens on port 1.
    let open = OurServer::start(&Scratch::new(), &["--forward"]);
    let failed = through(&open, 1).expect_code(255);
    assert!(
        failed.stderr.contains("connect failed"),
        "{}",
        failed.stderr
    );
}

#[test]
fn dbclient_with_our_server() {
    need!("DBCLIENT", "DROPBEAR");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--forward"]);
    let identity = convert_key(&scratch, &key("user_ed25519"), "user_ed25519");
    let target = target();
    let (near, mut running) = start_on_free_port(|port| {
        let mut command = peer("DBCLIENT");
        command.args(["-y", "-y", "-N", "-l", "tester", "-p"]);
        command
            .arg(server.port.to_string())
            .arg("-i")
            .arg(&identity);
        command.args(["-L", &format!("127.0.0.1:{port}:localhost:{target}")]);
        command.args(["-R", &format!("localhost:0:127.0.0.1:{target}")]);
        command.arg("127.0.0.1");
        Running::start(command, scratch.file("dbclient.log"))
    })
    .expect("dbclient does not listen");
    let line = running.wait_for_line("Allocated port ", LIMIT);
    let away = line.split("Allocated port ").nth(1).expect("port");
    let away: u16 = away.split(' ').next().expect("port").parse().expect("port");
    for seed in 0..4 {
        exchange(tcp(near), seed, 500_000);
        exchange(tcp(away), seed, 500_000);
    }
}

#[test]
fn paramiko_with_our_server() {
    need!("PYTHON");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--forward"]);
    let mut command = peer("PYTHON");
    command
        .arg(root().join("tests/peers/paramiko_forward.py"))
        .arg(server.port.to_string())
        .arg(key("user_ed25519"))
        .arg(target().to_string());
    let output = run(&mut command, b"", LIMIT * 2);
    assert_eq!(
        output.code(),
        Some(0),
        "{}\n{}",
        output.stderr,
        server.log()
    );
    assert_eq!(output.text(), "ok direct\nok forwarded\nok cancelled\n");
}
