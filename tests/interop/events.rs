//! One poll loop with many connections, and the watching of a single one.

use std::process::Command;
use std::time::Duration;

use crate::need;
use crate::peers::{account, client, OurServer, Sshd};
use crate::process::{run, Running, Scratch, LIMIT};

fn events(port: u16, user: &str, connections: u32) -> Command {
    let mut command = client("events", port, user, "user_ed25519");
    command.args(["--connections", &connections.to_string()]);
    command
}

#[test]
fn a_thousand_connections_with_our_server() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    let output = run(
        events(server.port, "tester", 1000).args(["127.0.0.1", "echo hello"]),
        b"",
        LIMIT * 5,
    )
    .expect_code(0);
    let text = output.text();
    assert!(
        text.contains("1000 connections open at once, 1000 of 1000 commands succeeded"),
        "{text}"
    );
    assert_eq!(text.matches(": status 0: hello\n").count(), 1000, "{text}");
}

#[test]
fn fifty_connections_with_sshd() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    let output = run(
        events(sshd.port, &user, 50).args(["--at-once", "10", "127.0.0.1", "echo hello; exit 0"]),
        b"",
        LIMIT * 2,
    )
    .expect_code(0);
    let text = output.text();
    assert!(text.contains("50 connections open at once"), "{text}");
    assert_eq!(text.matches(": status 0: hello\n").count(), 50, "{text}");
}

#[test]
fn what_goes_wrong_in_the_loop_is_told() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    let output = run(
        events(server.port, "tester", 3).args(["127.0.0.1", "echo oops >&2; exit 9"]),
        b"",
        LIMIT,
    )
    .expect_code(1);
    assert_eq!(output.text().matches(": status 9: oops\n").count(), 3);
    let port = server.port;
    drop(server);
    let output = run(
        events(port, "tester", 3).args(["127.0.0.1", "true"]),
        b"",
        LIMIT,
    )
    .expect_code(1);
    assert!(
        output.stderr.to_lowercase().contains("refused"),
        "{}",
        output.stderr
    );
}

#[test]
fn round_trips_are_shown_and_a_dead_server_is_noticed() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    // A busy machine may take its time; only a server that is stopped is dead.
    let keepalive = |interval_ms, missed| {
        let mut command = client("keepalive", server.port, "tester", "user_ed25519");
        command.args(["--interval", interval_ms, "--missed", missed]);
        command
    };
    let output = run(
        keepalive("50", "500").args(["--count", "3", "127.0.0.1"]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert!(
        output.text().matches("answer after").count() >= 3,
        "{}",
        output.text()
    );

    let mut command = keepalive("400", "5");
    command.arg("127.0.0.1");
    let mut watching = Running::start(command, scratch.file("keepalive.log"));
    watching.wait_for_line("answer after", LIMIT);
    server.stop();
    let status = watching.wait(Duration::from_secs(60));
    assert_eq!(status.code(), Some(1), "{}", watching.log());
    // The fifth ends the connection, and with it the program, which does not stay to print it.
    for told in [
        "no answer, 4 in a row",
        "keepalive: the peer does not answer",
    ] {
        assert!(watching.log().contains(told), "{}", watching.log());
    }
}
