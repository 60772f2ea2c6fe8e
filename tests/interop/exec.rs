//! Commands: data both ways, status, signal, standard error apart.

use std::process::Command;
use std::time::Duration;

use crate::need;
use crate::peers::{account, exec, ssh, OurServer, Sshd};
use crate::process::{echo_through, run, Scratch, LIMIT};

const MIB: u64 = 1024 * 1024;

/// What must hold for a client that runs commands, whoever the two sides are. `client` makes its command line up to,
/// and with, the host; a signal ends ours with 128 + its number, as a shell says it, and OpenSSH's with 255.
pub fn commands_work(client: &dyn Fn() -> Command, signal_code: i32) {
    for size in [0, 1, 32_768, 32_769, MIB] {
        echo_through(client().arg("cat"), size, LIMIT);
    }
    for code in [0, 1, 7, 254] {
        run(client().arg(format!("exit {code}")), b"", LIMIT).expect_code(code);
    }
    run(client().arg("kill -TERM $$; sleep 5"), b"", LIMIT).expect_code(signal_code);

    let output = run(
        client().arg("echo to stdout; echo to stderr >&2; exit 3"),
        b"",
        LIMIT,
    )
    .expect_code(3);
    assert_eq!(output.text(), "to stdout\n");
    assert_eq!(output.stderr, "to stderr\n");

    // Much on both streams at once, none read before the other.
    let output = run(
        client().arg("head -c 3000000 /dev/zero >&2 & head -c 3000000 /dev/zero; wait"),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.stdout.len(), 3_000_000);
    assert_eq!(output.stderr.len(), 3_000_000);

    // A command that does not read its input, and one that ends before the input does.
    run(client().arg("exit 4"), &vec![0; 4_000_000], LIMIT).expect_code(4);
    // Output after the input's end.
    let output = run(client().arg("cat; echo end"), b"begin\n", LIMIT).expect_code(0);
    assert_eq!(output.text(), "begin\nend\n");
    // Words and quotes arrive as they were given.
    let output = run(client().arg("echo 'a  b' \"$HOME\" | wc -l"), b"", LIMIT).expect_code(0);
    assert_eq!(output.text().trim(), "1");
}

#[test]
fn our_client_with_sshd() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    let client = || {
        let mut command = exec(sshd.port, &user, "user_ed25519");
        command.arg("127.0.0.1");
        command
    };
    commands_work(&client, 128 + 15);
    let output = run(client().arg("kill -TERM $$; sleep 5"), b"", LIMIT);
    assert!(output.stderr.contains("TERM"), "{}", output.stderr);
}

#[test]
fn ssh_with_our_server() {
    need!("SSH");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    commands_work(
        &|| {
            let mut command = ssh(&server, &scratch, "user_ed25519");
            command.arg("127.0.0.1");
            command
        },
        255,
    );
}

#[test]
fn our_client_with_our_server() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    commands_work(
        &|| {
            let mut command = exec(server.port, "tester", "user_ed25519");
            command.arg("127.0.0.1");
            command
        },
        128 + 15,
    );
}

#[test]
fn environment_is_passed() {
    need!("SSHD", "SSH", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    let output = run(
        exec(sshd.port, &user, "user_ed25519").args([
            "--env",
            "SSHWIRE_WORD=hello",
            "127.0.0.1",
            "echo $SSHWIRE_WORD",
        ]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), "hello\n");
    let server = OurServer::start(&scratch, &[]);
    let output = run(
        ssh(&server, &scratch, "user_ed25519")
            .args(["-o", "SendEnv=LC_WORD"])
            .args(["127.0.0.1", "echo $LC_WORD"])
            .env("LC_WORD", "hello"),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), "hello\n");
}

/// A server that is not there, or is no SSH server, gives a clear error at once.
#[test]
fn nobody_there() {
    need!("SSH_KEYGEN");
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("listener");
    let port = listener.local_addr().expect("address").port();
    let speaker = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().expect("accept");
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let output = run(
        exec(port, "tester", "user_ed25519").args(["127.0.0.1", "true"]),
        b"",
        Duration::from_secs(30),
    )
    .expect_code(255);
    assert!(!output.stderr.is_empty());
    speaker.join().expect("speaker");
    // The port is closed by now.
    let output = run(
        exec(port, "tester", "user_ed25519").args(["127.0.0.1", "true"]),
        b"",
        Duration::from_secs(30),
    )
    .expect_code(255);
    assert!(
        output.stderr.to_lowercase().contains("refused"),
        "{}",
        output.stderr
    );
}
