//! Floods of connections against our server, while honest clients log in.
//!
//! The attackers come from 127.0.0.1 and the honest clients from 127.0.0.2, so that they are different sources.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use crate::need;
use crate::peers::{peer, ssh, OurServer};
use crate::process::{run, Running, Scratch, LIMIT};

/// Logins of an honest client, one after the other.
const LOGINS: usize = 6;

/// Nobody is exempt, or loopback would be.
fn strict_server(scratch: &Scratch, options: &[&str]) -> OurServer {
    let strict: Vec<_> = ["--exempt", "none", "-v"]
        .iter()
        .chain(options)
        .copied()
        .collect();
    OurServer::start(scratch, &strict)
}

#[track_caller]
fn log_in(server: &OurServer, scratch: &Scratch) {
    let mut command = ssh(server, scratch, "user_ed25519");
    let output = run(
        command.args(["-b", "127.0.0.2", "tester@127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    );
    assert_eq!(output.text(), "in\n", "{}\n{}", output.stderr, server.log());
}

#[track_caller]
fn log_in_during(attack: &[&str]) -> String {
    let scratch = Scratch::new();
    let server = strict_server(&scratch, &[]);
    log_in(&server, &scratch);
    let mut command = peer("SSH_AUDIT");
    command.args(["-n", "-p", &server.port.to_string()]);
    command.args(attack).arg("127.0.0.1");
    // Its end comes with the value's, and that of the processes which do its work.
    let attacker = Running::start_family(command, scratch.file("audit.log"));
    let came = || server.log().matches("connection from").count();
    for _ in 0..600 {
        if came() > 10 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(came() > 10, "there is no attack:\n{}", attacker.log());
    for _ in 0..LOGINS {
        log_in(&server, &scratch);
        std::thread::sleep(Duration::from_secs(1));
    }
    server.log()
}

/// CVE-2002-20001: key exchanges that cost the attacker nothing.
#[test]
fn honest_clients_log_in_while_key_exchanges_are_forced() {
    need!("SSH", "SSH_AUDIT");
    log_in_during(&["--dheat", "10"]);
}

#[test]
fn honest_clients_log_in_during_a_flood_of_connections_which_is_turned_away() {
    need!("SSH", "SSH_AUDIT");
    let log = log_in_during(&["--conn-rate-test", "16"]);
    let refused = log.lines().rfind(|line| line.contains("refused so far"));
    assert!(
        refused.is_some_and(|line| !line.contains(" 0 penalized")),
        "{refused:?}"
    );
}

/// Case L2, with real programs: 500 that say nothing.
#[test]
fn l2_honest_clients_log_in_beside_500_that_stay_silent() {
    need!("SSH");
    let scratch = Scratch::new();
    let server = strict_server(&scratch, &["--per-source", "100"]);
    log_in(&server, &scratch);
    let before = server.peak_memory();
    let silent: Vec<_> = (0..500)
        .map(|_| TcpStream::connect(("127.0.0.1", server.port)).expect("a connection"))
        .collect();
    log_in(&server, &scratch);
    let held = silent
        .iter()
        .filter(|stream| is_open(stream, &server))
        .count();
    assert_eq!(held, 100);
    assert!(server.peak_memory() - before < 100 * 128 * 1024);
    drop(silent);
    log_in(&server, &scratch);
}

/// Whether the server has said hello, and not closed it. Those that it refuses it closes at once.
fn is_open(mut stream: &TcpStream, server: &OurServer) -> bool {
    stream.set_read_timeout(Some(LIMIT)).expect("a socket");
    match stream.read(&mut [0; 4]) {
        Ok(count) => count == 4,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
        Err(error) => panic!("{error}\n{}", server.log()),
    }
}
