//! The packet layer by itself, from C: a whole session with sshd packet by packet, and the scanner.

use std::process::Command;
use std::time::Duration;

use crate::need;
use crate::peers::{account, key, program, OurServer, Sshd};
use crate::process::{run, Output, Scratch, LIMIT};

/// GCM, ChaCha20, CTR with the MAC before and after encryption, CBC with both.
const SUITES: [(&str, &str); 9] = [
    ("aes128-gcm@openssh.com", "-"),
    ("aes256-gcm@openssh.com", "-"),
    ("chacha20-poly1305@openssh.com", "-"),
    ("aes128-ctr", "hmac-sha2-256"),
    ("aes256-ctr", "hmac-sha2-512"),
    ("aes128-ctr", "hmac-sha2-256-etm@openssh.com"),
    ("aes256-ctr", "hmac-sha2-512-etm@openssh.com"),
    ("aes128-cbc", "hmac-sha1"),
    ("aes256-cbc", "hmac-sha2-256-etm@openssh.com"),
];

/// A key exchange of the program's own, with strict key exchange, a login, and new keys.
#[test]
fn a_session_packet_by_packet_with_sshd() {
    need!("SSHD", "SSH", "ACCOUNT", "GCRYPT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "Ciphers +aes128-cbc,aes256-cbc\nMACs +hmac-sha1");
    let (user, _) = account();
    let lines: String = SUITES
        .map(|(cipher, mac)| format!("{cipher} {mac}\n"))
        .concat();
    let output = run(
        Command::new(program("key_exchange"))
            .args([&sshd.port.to_string(), &user])
            .arg(key("user_ed25519")),
        lines.as_bytes(),
        Duration::from_secs(120),
    );
    let done = output.text();
    let wanted: String = lines.lines().map(|line| format!("ok {line}\n")).collect();
    assert_eq!(done, wanted, "{}\n{}", output.stderr, sshd.log());
    assert!(output.status.success());
}

fn scan(port: u16, options: &[&str]) -> Output {
    let mut command = Command::new(program("scan"));
    command.args(["-p", &port.to_string()]).args(options);
    run(command.arg("127.0.0.1"), b"", LIMIT)
}

/// What sshd was told to offer, in that order.
#[test]
fn the_scanner_shows_what_sshd_offers() {
    need!("SSHD");
    let scratch = Scratch::new();
    let sshd = Sshd::start(
        &scratch,
        "Ciphers aes256-ctr,aes128-ctr\nMACs hmac-sha2-512\nKexAlgorithms curve25519-sha256\n\
         HostKeyAlgorithms ssh-ed25519,rsa-sha2-512\nVersionAddendum \"for us\"",
    );
    let table = scan(sshd.port, &[]).expect_code(0).text();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(table.starts_with("identification "), "{table}");
    let at = |row: &[&str]| rows.iter().position(|found| found == row);
    let first = at(&["cipher_client_to_server", "aes256-ctr"]).expect("a row of ciphers");
    assert_eq!(rows.get(first + 1), Some(&vec!["aes128-ctr"]), "{table}");
    let first = at(&["host_key", "ssh-ed25519"]).expect("a row of host keys");
    assert_eq!(rows.get(first + 1), Some(&vec!["rsa-sha2-512"]), "{table}");
    assert!(at(&["mac_server_to_client", "hmac-sha2-512"]).is_some());

    let json = scan(sshd.port, &["--json"]).expect_code(0).text();
    for part in [
        "\"text\": []",
        "\"cipher_client_to_server\": [\"aes256-ctr\", \"aes128-ctr\"]",
        "\"host_key\": [\"ssh-ed25519\", \"rsa-sha2-512\"]",
        "\"language_client_to_server\": []",
        "\"first_kex_packet_follows\": false",
    ] {
        assert!(json.contains(part), "{part} is not in {json}");
    }
    assert!(json.contains("for us"), "{json}");
}

#[test]
fn the_scanner_shows_what_we_offer_and_what_goes_wrong() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    let table = scan(server.port, &[]).expect_code(0).text();
    assert!(table.contains("SSH-2.0-libsshwire_"), "{table}");
    assert!(table.contains("mlkem768x25519-sha256"), "{table}");

    // Nobody says anything: the one limit ends it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let output = scan(port, &["--timeout", "200"]);
    assert!(output.stderr.contains("timed out"), "{}", output.stderr);
    assert!(!output.status.success());
}
