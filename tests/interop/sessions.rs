//! Many sessions over one connection, and many connections.

use std::thread;
use std::time::{Duration, Instant};

use crate::need;
use crate::peers::{exec, peer, ssh, OurServer};
use crate::process::{echo_through, run, Scratch, LIMIT};

const MIB: u64 = 1024 * 1024;

#[test]
fn twenty_sessions_over_one_ssh_connection() {
    need!("SSH");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    let socket = scratch.file("control");
    let control = format!("ControlPath={}", socket.display());
    let mut master = ssh(&server, &scratch, "user_ed25519");
    master
        .args(["-o", &control, "-o", "ControlMaster=yes", "-N", "127.0.0.1"])
        .stdin(std::process::Stdio::null());
    let mut master = crate::process::Running::start(master, scratch.file("master.log"));
    let end = Instant::now() + LIMIT;
    while !socket.exists() {
        assert!(!master.has_ended(), "{}", master.log());
        assert!(Instant::now() < end, "no control socket");
        thread::sleep(Duration::from_millis(20));
    }
    thread::scope(|scope| {
        for number in 0..20 {
            let control = &control;
            scope.spawn(move || {
                let mut session = peer("SSH");
                session.args(["-F", "none", "-o", control, "-o", "ControlMaster=no"]);
                session.args(["127.0.0.1", "cat"]);
                // Different lengths, so that they end at different times.
                echo_through(&mut session, MIB + number * 10_007, LIMIT);
            });
        }
    });
    // One connection carried them all.
    let connections = server.log().matches("connection from").count();
    assert_eq!(connections, 1, "{}", server.log());
    run(
        peer("SSH").args(["-F", "none", "-o", &control, "-O", "exit", "127.0.0.1"]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    master.wait(LIMIT);
}

#[test]
fn twenty_connections_at_once() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                echo_through(
                    exec(server.port, "tester", "user_ed25519").args(["127.0.0.1", "cat"]),
                    MIB,
                    LIMIT,
                );
            });
        }
    });
}
