//! A session within a session: through one sshd, and through two.

use std::process::Command;

use crate::need;
use crate::peers::{account, client, Sshd};
use crate::process::{echo_through, run, Scratch, LIMIT};

const MIB: u64 = 1024 * 1024;

fn jump(hops: &[u16], target: u16, user: &str) -> Command {
    let mut command = client("jump", target, user, "user_ed25519");
    let hops: Vec<_> = hops
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    command.args(["-J", &hops.join(",")]);
    command
}

#[test]
fn through_two_sshds() {
    need!("SSHD", "ACCOUNT");
    let (user, _) = account();
    let scratches = [Scratch::new(), Scratch::new(), Scratch::new()];
    let [first, second, third] = scratches.each_ref().map(|scratch| Sshd::start(scratch, ""));
    let there = || jump(&[first.port, second.port], third.port, &user);
    let output = run(
        there().args(["127.0.0.1", "echo out; echo err >&2; exit 7"]),
        b"",
        LIMIT,
    )
    .expect_code(7);
    assert_eq!(output.text(), "out\n");
    assert_eq!(output.stderr, "err\n");
    // Both ways at once, with new keys on every hop meanwhile.
    echo_through(
        there().args(["--rekey-bytes", "1000000", "127.0.0.1", "cat"]),
        8 * MIB,
        LIMIT * 2,
    );
    assert!(
        third.log().contains("Accepted publickey"),
        "{}",
        third.log()
    );
    run(
        there().args(["127.0.0.1", "kill -TERM $$; sleep 5"]),
        b"",
        LIMIT,
    )
    .expect_code(128 + 15);
}

#[test]
fn a_hop_that_cannot_be_reached_or_is_not_the_expected_one_is_named() {
    need!("SSHD", "ACCOUNT");
    let (user, _) = account();
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let first = Sshd::start(&scratch, "");
    let closed = Sshd::start(&other, "AllowTcpForwarding no");
    // Nobody listens on port 1.
    let output = run(
        jump(&[first.port], 1, &user).args(["127.0.0.1", "true"]),
        b"",
        LIMIT,
    )
    .expect_code(255);
    assert!(output.stderr.contains("refused"), "{}", output.stderr);
    let output = run(
        jump(&[closed.port], first.port, &user).args(["127.0.0.1", "true"]),
        b"",
        LIMIT,
    )
    .expect_code(255);
    assert!(output.stderr.contains("reason 1"), "{}", output.stderr);
    // The key is checked at each hop: here only that of another machine would do.
    let mut stranger = Command::new(crate::peers::program("jump"));
    stranger.args([
        "--batch",
        "-J",
        &format!("127.0.0.1:{}", first.port),
        "-l",
        &user,
    ]);
    stranger.args([
        "--fingerprint",
        "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ]);
    let output = run(stranger.args(["127.0.0.1", "true"]), b"", LIMIT).expect_code(255);
    assert!(
        output.stderr.contains("not the expected one"),
        "{}",
        output.stderr
    );
}
