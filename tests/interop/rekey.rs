//! New keys each MiB while data runs both ways at once; asked for by either side.

use std::time::Duration;

use crate::need;
use crate::peers::{account, exec, ssh, OurServer, Sshd};
use crate::process::{echo_through, Scratch};

const MIB: u64 = 1024 * 1024;
const LIMIT: Duration = Duration::from_secs(300);

/// Fewer than one key exchange for two MiB in each direction would mean that the limit is not kept.
fn assert_rekeyed(log: &str, total: u64) {
    let exchanges = log.matches("SSH2_MSG_NEWKEYS received").count() as u64;
    assert!(
        exchanges > total / MIB / 2,
        "only {exchanges} key exchanges for {total} bytes each way"
    );
}

#[test]
fn our_client_asks_sshd() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "LogLevel DEBUG");
    let (user, _) = account();
    echo_through(
        exec(sshd.port, &user, "user_ed25519").args([
            "--rekey-bytes",
            "1048576",
            "127.0.0.1",
            "cat",
        ]),
        256 * MIB,
        LIMIT,
    );
    assert_rekeyed(&sshd.log(), 256 * MIB);
}

#[test]
fn sshd_asks_our_client() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "LogLevel DEBUG\nRekeyLimit 1M");
    let (user, _) = account();
    // OpenSSH counts a packet it is about to send in bytes where its limit is in blocks, so with a limit this low it
    // asks for new keys at nearly every packet.
    echo_through(
        exec(sshd.port, &user, "user_ed25519").args(["127.0.0.1", "cat"]),
        16 * MIB,
        LIMIT,
    );
    assert_rekeyed(&sshd.log(), 16 * MIB);
}

#[test]
fn ssh_asks_our_server() {
    need!("SSH");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    let log = echo_through(
        ssh(&server, &scratch, "user_ed25519").args([
            "-v",
            "-o",
            "RekeyLimit=1M",
            "-o",
            "KexAlgorithms=curve25519-sha256",
            "127.0.0.1",
            "cat",
        ]),
        256 * MIB,
        LIMIT,
    );
    assert_rekeyed(&log, 256 * MIB);
}

#[test]
fn our_server_asks_ssh() {
    need!("SSH");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--rekey-bytes", "1048576"]);
    let log = echo_through(
        ssh(&server, &scratch, "user_ed25519").args(["-v", "127.0.0.1", "cat"]),
        64 * MIB,
        LIMIT,
    );
    assert_rekeyed(&log, 64 * MIB);
}

/// Both sides of ours ask at their own times, with every kind of cipher.
#[test]
fn ours_with_ours() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--all-algorithms", "--rekey-bytes", "1000000"]);
    for cipher in [
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
        "aes128-ctr",
    ] {
        echo_through(
            exec(server.port, "tester", "user_ed25519").args([
                "--ciphers",
                cipher,
                "--rekey-bytes",
                "1048576",
                "127.0.0.1",
                "cat",
            ]),
            64 * MIB,
            LIMIT,
        );
    }
}
