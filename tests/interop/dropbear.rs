//! The smoke with dropbear, both roles: connect, each authentication method, 1 MiB both ways, new keys.

use std::io::Read;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::need;
use crate::peers::{
    account, convert_key, exec, key, password_file, peer, server_password_file, Dropbear, OurServer,
};
use crate::process::{echo_through, run, spawn_piped, wait_child, Scratch, LIMIT};

const MIB: u64 = 1024 * 1024;

#[test]
fn our_client_with_dropbear() {
    need!("DROPBEAR", "ACCOUNT");
    let scratch = Scratch::new();
    let (user, password) = account();
    for host_key in ["host_ed25519", "host_ecdsa256", "host_rsa"] {
        let server = Dropbear::start(&scratch, &[host_key], &[]);
        let identity = host_key.replace("host", "user");
        let connect = || exec(server.port, &user, &identity);
        echo_through(connect().args(["127.0.0.1", "cat"]), MIB, LIMIT);
        run(connect().args(["127.0.0.1", "exit 9"]), b"", LIMIT).expect_code(9);
    }
    let server = Dropbear::start(&scratch, &["host_ed25519"], &["-b", "/etc/hostname"]);
    let by_password = || {
        let mut command = exec(server.port, &user, "");
        command.arg("--password-file").arg(&password);
        command
    };
    let output = run(by_password().args(["127.0.0.1", "echo in"]), b"", LIMIT).expect_code(0);
    assert_eq!(output.text(), "in\n");
    // `none` is refused, with what would be good instead.
    let refused = run(
        exec(server.port, &user, "").args(["--auth", "none", "127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    )
    .expect_code(255);
    assert!(refused.stderr.contains("publickey"), "{}", refused.stderr);

    let rekeying = || {
        let mut command = exec(server.port, &user, "user_ed25519");
        command.args(["--rekey-bytes", "1048576", "127.0.0.1", "cat"]);
        command
    };
    echo_through(&mut rekeying(), 16 * MIB, LIMIT);

    let two = Dropbear::start(&scratch, &["host_ed25519"], &["-t"]);
    let output = run(
        exec(two.port, &user, "user_ed25519")
            .arg("--password-file")
            .arg(&password)
            .args(["127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), "in\n", "key, then password");
}

fn dbclient(server: &OurServer, options: &[&str]) -> Command {
    let mut command = peer("DBCLIENT");
    command
        .args(["-y", "-y", "-T", "-l", "tester", "-p"])
        .arg(server.port.to_string())
        .args(options)
        .arg("127.0.0.1");
    command
}

#[test]
fn dbclient_with_our_server() {
    need!("DBCLIENT", "DROPBEAR");
    let scratch = Scratch::new();
    let passwords = server_password_file(&scratch, "let me in");
    let server = OurServer::start(
        &scratch,
        &["--password-file", passwords.to_str().expect("path")],
    );
    for name in ["user_ed25519", "user_ecdsa256", "user_rsa"] {
        let identity = convert_key(&scratch, &key(name), name);
        let options = ["-i", identity.to_str().expect("path")];
        echo_through(dbclient(&server, &options).arg("cat"), MIB, LIMIT);
        run(dbclient(&server, &options).arg("exit 9"), b"", LIMIT).expect_code(9);
    }
    let output = run(
        dbclient(&server, &[])
            .arg("echo in")
            .env("DROPBEAR_PASSWORD", "let me in"),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), "in\n");

    let identity = convert_key(&scratch, &key("user_ed25519"), "rekeying");
    let options = ["-i", identity.to_str().expect("path")];
    let rekeying = OurServer::start(&scratch, &["--rekey-bytes", "1048576"]);
    echo_through(dbclient(&rekeying, &options).arg("cat"), 16 * MIB, LIMIT);

    // What it cannot write out at once is still there when it is told of the end, and it must end all the same.
    let mut slow = spawn_piped(dbclient(&server, &options).arg("head -c 80000 /dev/zero"));
    drop(slow.stdin.take());
    thread::sleep(Duration::from_millis(500));
    let mut stdout = slow.stdout.take().expect("stdout");
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        stdout.read_to_end(&mut all).expect("standard output");
        all
    });
    let status = wait_child(&mut slow, LIMIT);
    let _ = slow.kill();
    let _ = slow.wait();
    assert!(reader.join().expect("reader") == [0; 80_000]);
    assert_eq!(status.expect("dbclient does not end").code(), Some(0));

    // A password that nobody has: dbclient is refused in the end, and the server goes on.
    let wrong = password_file(&scratch, "wrong");
    let refused = run(
        dbclient(&server, &[]).arg("echo in").env(
            "DROPBEAR_PASSWORD",
            std::fs::read_to_string(wrong).expect("file").trim(),
        ),
        b"",
        LIMIT,
    );
    // The status says nothing: dbclient ends with 0 when it is disconnected.
    assert!(refused.stderr.contains("exited"), "{}", refused.stderr);
    assert_eq!(refused.text(), "");
}
