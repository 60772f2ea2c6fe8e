//! Every kex × host key × cipher × MAC that OpenSSH and we both have, in both roles.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::need;
use crate::peers::{account, exec, key, peer, program, ssh, OurServer, Sshd};
use crate::process::{run, Scratch, LIMIT};

/// Ours, as issue and design list them. What the peer has not falls out.
const KEX: [&str; 12] = [
    "mlkem768x25519-sha256",
    "sntrup761x25519-sha512",
    "sntrup761x25519-sha512@openssh.com",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group-exchange-sha256",
];
const HOST_KEYS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
];
const AEAD: [&str; 3] = [
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
];
const CTR: [&str; 3] = ["aes128-ctr", "aes192-ctr", "aes256-ctr"];
const MACS: [&str; 4] = [
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
];

/// What only old gear needs; OpenSSH has it when it is named.
const OLD_KEX: [&str; 3] = [
    "diffie-hellman-group14-sha1",
    "diffie-hellman-group-exchange-sha1",
    "diffie-hellman-group1-sha1",
];
const OLD_HOST_KEYS: [&str; 2] = ["ssh-rsa", "ssh-ed25519"];
const CBC: [&str; 4] = ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"];
const OLD_MACS: [&str; 2] = ["hmac-sha1", "hmac-sha1-etm@openssh.com"];

#[derive(Clone, Copy)]
struct Combination {
    kex: &'static str,
    host_key: &'static str,
    cipher: &'static str,
    /// AEAD ciphers leave the MAC out; it is then not restricted.
    mac: Option<&'static str>,
}

impl Combination {
    fn line(&self) -> String {
        format!(
            "{} {} {} {}",
            self.kex,
            self.host_key,
            self.cipher,
            self.mac.unwrap_or("-")
        )
    }
}

/// What this OpenSSH has, by `ssh -Q`.
fn supported(query: &str) -> BTreeSet<String> {
    let output = run(peer("SSH").args(["-Q", query]), b"", LIMIT).expect_code(0);
    output.text().lines().map(str::to_owned).collect()
}

fn combinations() -> Vec<Combination> {
    let kexes = supported("kex");
    let ciphers = supported("cipher");
    let macs = supported("mac");
    let suites: Vec<(&'static str, Option<&'static str>)> = AEAD
        .iter()
        .map(|cipher| (*cipher, None))
        .chain(
            CTR.iter()
                .flat_map(|cipher| MACS.iter().map(|mac| (*cipher, Some(*mac)))),
        )
        .filter(|(cipher, mac)| {
            ciphers.contains(*cipher) && mac.is_none_or(|mac| macs.contains(mac))
        })
        .collect();
    let mut all = Vec::new();
    for kex in KEX.into_iter().filter(|kex| kexes.contains(*kex)) {
        for host_key in HOST_KEYS {
            for (cipher, mac) in &suites {
                all.push(Combination {
                    kex,
                    host_key,
                    cipher,
                    mac: *mac,
                });
            }
        }
    }
    // OpenSSH 9.2 has ten kex methods of ours and all of the rest: fewer means that a query failed.
    assert!(all.len() >= 9 * 6 * 15, "only {} combinations", all.len());
    all
}

/// Each suite that has something old in it, and each old kex and signature in turn: they do not depend on each other.
fn old_combinations() -> Vec<Combination> {
    let mut suites = Vec::new();
    for cipher in CBC {
        suites.extend(MACS.iter().chain(&OLD_MACS).map(|mac| (cipher, *mac)));
    }
    for cipher in CTR {
        suites.extend(OLD_MACS.iter().map(|mac| (cipher, *mac)));
    }
    let (kexes, ciphers, macs) = (supported("kex"), supported("cipher"), supported("mac"));
    suites.retain(|(cipher, mac)| ciphers.contains(*cipher) && macs.contains(*mac));
    let kexes = OLD_KEX.into_iter().filter(|kex| kexes.contains(*kex));
    let keys: Vec<_> = kexes
        .flat_map(|kex| OLD_HOST_KEYS.map(|host_key| (kex, host_key)))
        .collect();
    assert!(keys.len() >= 4 && suites.len() >= 20, "{keys:?} {suites:?}");
    let keys = keys.into_iter().cycle();
    let all = suites.into_iter().zip(keys);
    all.map(|((cipher, mac), (kex, host_key))| Combination {
        kex,
        host_key,
        cipher,
        mac: Some(mac),
    })
    .collect()
}

/// What sshd must be told to offer it all.
fn old_sshd() -> String {
    format!(
        "KexAlgorithms +{}\nHostKeyAlgorithms +ssh-rsa\nPubkeyAcceptedAlgorithms +ssh-rsa\n\
         Ciphers +{}\nMACs +{}",
        OLD_KEX.join(","),
        CBC.join(","),
        OLD_MACS.join(",")
    )
}

#[test]
fn our_client_with_an_old_sshd() {
    need!("SSHD", "SSH", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, &old_sshd());
    let (user, _) = account();
    let all = old_combinations();
    walk_through(&all, &format!("127.0.0.1:{}", sshd.port), &user);
    println!("{} combinations", all.len());
}

#[test]
fn an_old_ssh_with_our_server() {
    need!("SSH");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--preset", "legacy"]);
    ssh_through(&old_combinations(), &server);
}

/// SHA-1 signatures of users: only where the server and the client were both told so.
#[test]
fn users_sign_with_sha1_when_it_was_asked_for() {
    need!("SSH");
    let scratch = Scratch::new();
    for (options, works) in [(&["--preset", "legacy"][..], true), (&[][..], false)] {
        let server = OurServer::start(&scratch, options);
        let output = run(
            ssh(&server, &scratch, "user_rsa")
                .args([
                    "-oPubkeyAcceptedAlgorithms=ssh-rsa",
                    "-oHostKeyAlgorithms=ssh-ed25519",
                ])
                .args(["127.0.0.1", "echo fine"]),
            b"",
            LIMIT,
        );
        assert_eq!(output.text() == "fine\n", works, "{}", output.stderr);
    }
}

/// A server of ours does not offer what is old by itself, and a client that has nothing else says what is missing.
#[test]
fn what_is_old_is_refused_by_default() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--all-algorithms"]);
    for (option, names, list) in [
        ("--kex", OLD_KEX.join(","), "key exchange"),
        ("--host-key-algorithms", "ssh-rsa".to_owned(), "host key"),
        ("--ciphers", CBC.join(","), "cipher"),
    ] {
        let output = run(
            exec(server.port, "tester", "user_ed25519").args([
                option,
                &names,
                "127.0.0.1",
                "echo fine",
            ]),
            b"",
            LIMIT,
        );
        assert_eq!(output.text(), "", "{option}");
        let missing = format!("no common {list}");
        assert!(output.stderr.contains(&missing), "{}", output.stderr);
    }
}

#[test]
fn our_client_with_sshd() {
    need!("SSHD", "SSH", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    let all = combinations();
    let address = format!("127.0.0.1:{}", sshd.port);
    // One half for each core: most of the time goes into sshd's processes.
    let (one, two) = all.split_at(all.len() / 2);
    thread::scope(|scope| {
        for half in [one, two] {
            scope.spawn(|| walk_through(half, &address, &user));
        }
    });
    println!("{} combinations", all.len());
}

fn walk_through(all: &[Combination], address: &str, user: &str) {
    let lines: String = all.iter().map(|c| c.line() + "\n").collect();
    let output = run(
        std::process::Command::new(program("algorithms"))
            .args([address, user])
            .arg(key("user_ed25519")),
        lines.as_bytes(),
        Duration::from_secs(600),
    );
    let text = output.text();
    let bad: Vec<&str> = text.lines().filter(|l| !l.starts_with("ok ")).collect();
    assert!(bad.is_empty(), "{} failed:\n{}", bad.len(), bad.join("\n"));
    let lines = text.lines().count();
    assert_eq!(lines, all.len(), "lines missing: {}", output.stderr);
    assert!(output.status.success());
}

#[test]
fn ssh_with_our_server() {
    need!("SSH");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--all-algorithms"]);
    ssh_through(&combinations(), &server);
}

/// Four at a time, `ssh` walks through the combinations with our server.
fn ssh_through(all: &[Combination], server: &OurServer) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let scratch = Scratch::new();
                while let Some(c) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut command = ssh(server, &scratch, "user_ed25519");
                    command
                        .arg(format!("-oKexAlgorithms={}", c.kex))
                        .arg(format!("-oHostKeyAlgorithms={}", c.host_key))
                        .arg(format!("-oCiphers={}", c.cipher));
                    if let Some(mac) = c.mac {
                        command.arg(format!("-oMACs={mac}"));
                    }
                    let output = run(command.args(["127.0.0.1", "echo fine"]), b"", LIMIT);
                    if output.text() != "fine\n" || output.code() != Some(0) {
                        let line = format!("{}: {}", c.line(), output.stderr.trim());
                        failures.lock().expect("failures").push(line);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("failures");
    assert!(
        failures.is_empty(),
        "{} of {} failed:\n{}\nserver: {}",
        failures.len(),
        all.len(),
        failures.join("\n"),
        server.log()
    );
    println!("{} combinations", all.len());
}

/// Every kex of ours, those that this OpenSSH does not have too: our client with our server.
#[test]
fn our_client_with_our_server() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--all-algorithms"]);
    for kex in KEX {
        for host_key in HOST_KEYS {
            let output = run(
                exec(server.port, "tester", "user_ed25519")
                    .args(["--kex", kex, "--host-key-algorithms", host_key])
                    .args(["127.0.0.1", "echo fine"]),
                b"",
                LIMIT,
            )
            .expect_code(0);
            assert_eq!(output.text(), "fine\n", "{kex} {host_key}");
        }
    }
}

#[test]
fn compression_both_roles() {
    need!("SSHD", "SSH", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "Compression yes");
    let (user, _) = account();
    let text = "the same words again and again ".repeat(40_000);
    let output = run(
        exec(sshd.port, &user, "user_ed25519").args([
            "--compression",
            "zlib@openssh.com",
            "127.0.0.1",
            "cat",
        ]),
        text.as_bytes(),
        LIMIT,
    )
    .expect_code(0);
    assert!(output.stdout == text.as_bytes(), "changed on the way");

    let server = OurServer::start(&scratch, &["--compression", "zlib@openssh.com,zlib,none"]);
    let output = run(
        ssh(&server, &scratch, "user_ed25519").args(["-C", "127.0.0.1", "cat"]),
        text.as_bytes(),
        LIMIT,
    )
    .expect_code(0);
    assert!(output.stdout == text.as_bytes(), "changed on the way");

    // `zlib`, compressed from the first keys on, is ours alone: OpenSSH has dropped it.
    let output = run(
        exec(server.port, "tester", "user_ed25519").args([
            "--compression",
            "zlib",
            "127.0.0.1",
            "cat",
        ]),
        text.as_bytes(),
        LIMIT,
    )
    .expect_code(0);
    assert!(output.stdout == text.as_bytes(), "changed on the way");
}

/// The groups that the server gives are those of its file.
#[test]
fn group_exchange_with_groups_from_a_file() {
    need!("SSH");
    const FILE: &str = "/etc/ssh/moduli"; // of the package that brings sshd
    let scratch = Scratch::new();
    let all = std::fs::read_to_string(FILE).expect(FILE);
    // In the file, sizes are one less than the number of bits.
    let chosen: Vec<_> = all
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some("3071"))
        .collect();
    assert!(!chosen.is_empty(), "no group of 3072 bits in {FILE}");
    let file = scratch.write("moduli", &format!("{}\n", chosen.join("\n")));
    let server = OurServer::start(&scratch, &["--moduli", file.to_str().expect("path")]);
    let output = run(
        ssh(&server, &scratch, "user_ed25519").args([
            "-vvv",
            "-oKexAlgorithms=diffie-hellman-group-exchange-sha256",
            "127.0.0.1",
            "echo fine",
        ]),
        b"",
        LIMIT,
    );
    assert_eq!(output.text(), "fine\n", "{}", output.stderr);
    assert!(output.stderr.contains("/3072"), "{}", output.stderr);

    let mut bad = std::process::Command::new(crate::peers::program("server"));
    bad.args(["--listen", "127.0.0.1:0", "--allow-anyone"]);
    bad.args(["--moduli", "/dev/null"]);
    bad.arg("--host-key").arg(crate::peers::key("host_ed25519"));
    let output = run(&mut bad, b"", LIMIT).expect_code(255);
    assert!(output.stderr.contains("/dev/null"), "{}", output.stderr);
}
