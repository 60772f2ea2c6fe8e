//! Certificates and revocation lists: read, issued and judged as OpenSSH does, and shown to each other in both roles.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::need;
use crate::peers::{account, exec, key, peer, program, OurServer, Sshd};
use crate::process::{run, Output, Scratch, LIMIT};

const KINDS: [(&str, &str); 5] = [
    ("ed25519", "256"),
    ("ecdsa", "256"),
    ("ecdsa", "384"),
    ("ecdsa", "521"),
    ("rsa", "2048"),
];

pub fn keygen(arguments: &[&str]) -> Output {
    let mut command = peer("SSH_KEYGEN");
    command.env("TZ", "UTC0").args(arguments);
    run(&mut command, b"", LIMIT)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
}

/// A key pair without a passphrase.
pub fn make_key(scratch: &Scratch, name: &str, kind: (&str, &str)) -> PathBuf {
    let path = scratch.file(name);
    keygen(&[
        "-q",
        "-t",
        kind.0,
        "-b",
        kind.1,
        "-N",
        "",
        "-C",
        name,
        "-f",
        text(&path),
    ])
    .expect_code(0);
    path
}

/// The certificate that ssh-keygen puts beside a key.
pub fn certify(authority: &Path, key: &Path, options: &[&str]) -> PathBuf {
    let public = key.with_extension("pub");
    let mut arguments = vec!["-q", "-s", text(authority), "-I", "an id"];
    arguments.extend(options);
    arguments.push(text(&public));
    keygen(&arguments).expect_code(0);
    PathBuf::from(format!("{}-cert.pub", text(key)))
}

pub fn probe(arguments: &[&str], input: &[u8]) -> Output {
    run(
        Command::new(program("certificate")).args(arguments),
        input,
        LIMIT,
    )
}

/// What ssh-keygen -L says, as the probe says it, without the time.
fn as_listed(listing: &str) -> Vec<String> {
    let mut said = Vec::new();
    let mut list = "";
    for line in listing.lines().skip(1).map(str::trim) {
        let word = |from: &str, number: usize| {
            from.split_whitespace().nth(number).unwrap_or("").to_owned()
        };
        match line.split_once(':').unwrap_or((line, "")) {
            ("Type", rest) => {
                said.push(format!("type {}", word(rest, 0)));
                said.push(format!("kind {}", word(rest, 1)));
            }
            ("Public key", rest) => said.push(format!("key {}", word(rest, 1))),
            ("Signing CA", rest) => {
                said.push(format!("authority {}", word(rest, 1)));
                let algorithm = word(rest, 3);
                said.push(format!("algorithm {}", algorithm.trim_end_matches(')')));
            }
            ("Key ID", rest) => {
                let quoted = rest.trim().strip_prefix('"');
                let id = quoted.and_then(|id| id.strip_suffix('"'));
                said.push(format!("id {}", id.expect("quotes")));
            }
            ("Serial", rest) => said.push(format!("serial{rest}")),
            ("Valid", _) => {}
            ("Principals", _) => list = "principal",
            ("Critical Options", _) => list = "critical",
            ("Extensions", _) => list = "extension",
            _ if line == "(none)" => {}
            _ => said.push(format!("{list} {line}")),
        }
    }
    said
}

/// Both say the same about a certificate; returns it.
pub fn same_listing(certificate: &Path) -> Vec<String> {
    let theirs = as_listed(
        &keygen(&["-L", "-f", text(certificate)])
            .expect_code(0)
            .text(),
    );
    let ours: Vec<String> = probe(&["show", text(certificate)], b"")
        .expect_code(0)
        .text()
        .lines()
        .filter(|line| !line.starts_with("valid"))
        .map(|line| line.trim_end().to_owned())
        .collect();
    assert_eq!(ours, theirs);
    ours
}

#[test]
fn certificates_of_ssh_keygen_are_read_alike() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let options: [&[&str]; 5] = [
        &["-n", "alice,bob", "-z", "18446744073709551615"],
        &["-h", "-n", "host.example.org,*.example.com"],
        &["-O", "clear", "-n", "a", "-O", "permit-pty"],
        &[
            "-n",
            "a",
            "-O",
            "force-command=ls -l \"x\"",
            "-O",
            "source-address=10.0.0.0/8,::1",
        ],
        &[
            "-n",
            "a",
            "-O",
            "verify-required",
            "-O",
            "no-touch-required",
            "-O",
            "no-port-forwarding",
        ],
    ];
    for (number, kind) in KINDS.into_iter().enumerate() {
        let authority = make_key(&scratch, &format!("ca{number}"), kind);
        for (other, options) in KINDS.into_iter().zip(options) {
            let user = make_key(&scratch, &format!("user{number}"), other);
            let dates = ["-V", "20010101000000:20380101000000"];
            let certificate = certify(&authority, &user, &[options, &dates].concat());
            assert!(same_listing(&certificate).len() > 7);
            let shown = probe(&["show", text(&certificate)], b"").text();
            assert!(shown.contains("valid 978307200 2145916800\n"), "{shown}");
            fs::remove_file(user).expect("user key");
        }
    }
}

#[test]
fn certificates_of_ours_are_read_by_ssh_keygen() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    for (number, kind) in KINDS.into_iter().enumerate() {
        let authority = make_key(&scratch, &format!("ca{number}"), kind);
        let user = make_key(&scratch, &format!("user{number}"), kind).with_extension("pub");
        for (what, options) in [
            (
                "user",
                &[
                    "permit-pty",
                    "critical:force-command=true",
                    "critical:source-address=::1",
                ][..],
            ),
            (
                "user",
                &[
                    "permit-pty",
                    "own@example.org=text",
                    "permit-X11-forwarding",
                ],
            ),
            ("host", &[]),
        ] {
            let mut arguments = vec!["issue", what, text(&user), text(&authority)];
            arguments.extend(["an id", "7", "978307200", "2145916800", "a,b"]);
            arguments.extend(options);
            let made = probe(&arguments, b"").expect_code(0);
            let file = scratch.write("made-cert.pub", &made.text());
            if !options.contains(&"own@example.org=text") {
                same_listing(&file);
            }
            let listed = keygen(&["-L", "-f", text(&file)]).expect_code(0).text();
            assert!(
                listed.contains("from 2001-01-01T00:00:00 to 2038-01-01T00:00:00"),
                "{listed}"
            );
        }
    }
}

/// How a certificate is made, and what of the answer when it is judged.
const JUDGED: [(&[&str], &str); 12] = [
    (&["-n", "tester"], "good"),
    (&["-n", "other,tester"], "good"),
    (
        &["-n", "tester", "-O", "source-address=127.0.0.0/8,::1"],
        "good",
    ),
    (&["-n", "tester", "-V", "-2h:-1h"], "has expired"),
    (&["-n", "tester", "-V", "+1h:+2h"], "is not valid before"),
    (&["-n", "other"], "is not for tester but for other"),
    (&[], "names no principals"),
    (
        &["-n", "tester", "-O", "source-address=192.0.2.0/24"],
        "good from",
    ),
    (
        &["-n", "tester", "-O", "critical:new@example.org=x"],
        "unknown critical option",
    ),
    (&["-h", "-n", "tester"], "is for a host"),
    (
        &["-n", "tester", "-O", "critical:new@example.org"],
        "unknown critical option",
    ),
    (&["-n", "TESTER"], "is not for tester"),
];

#[test]
fn a15_reasons_for_refusing_a_certificate() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let authority = make_key(&scratch, "ca", KINDS[0]);
    let stranger = make_key(&scratch, "stranger", KINDS[0]).with_extension("pub");
    let user = make_key(&scratch, "user", KINDS[1]);
    let judge = |certificate: &Path, authority: &Path| {
        let input = fs::read(certificate).expect("certificate");
        let authority = text(authority);
        probe(&["check", "user", "tester", authority, "127.0.0.1"], &input)
            .expect_code(0)
            .text()
    };
    let public = authority.with_extension("pub");
    for (options, expected) in JUDGED {
        let certificate = certify(&authority, &user, options);
        let said = judge(&certificate, &public);
        assert!(said.contains(expected), "{options:?}: {said}");
    }
    let good = certify(&authority, &user, &["-n", "tester"]);
    assert!(judge(&good, &stranger).contains("is not trusted"));
    let host = certify(&authority, &user, &["-h", "-n", "*.example.org"]);
    let input = fs::read(host).expect("certificate");
    for (name, expected) in [("a.example.org", "good"), ("example.org", "is not for")] {
        let said = probe(&["check", "host", name, text(&public)], &input).text();
        assert!(said.contains(expected), "{name}: {said}");
    }
}

/// The reason may be written after the client has gone.
#[track_caller]
fn expect_logged(log: impl Fn() -> String, expected: &str) {
    let end = Instant::now() + LIMIT;
    while !log().contains(expected) {
        assert!(Instant::now() < end, "no {expected:?} in {}", log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `ssh` with the key of a file, its certificate beside it, and nothing of the machine's configuration.
fn ssh(server: &OurServer, known: &Path, identity: &Path) -> Command {
    let mut command = peer("SSH");
    command.args(["-F", "none", "-p", &server.port.to_string(), "-l", "tester"]);
    for option in [
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        "LogLevel=ERROR",
        &format!("UserKnownHostsFile={}", known.display()),
    ] {
        command.args(["-o", option]);
    }
    command.arg("-i").arg(identity);
    command
}

#[test]
fn a15_our_server_and_certificates_of_real_ssh() {
    need!("SSH", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let authority = make_key(&scratch, "ca", KINDS[0]);
    let stranger = make_key(&scratch, "stranger", KINDS[0]);
    let public = authority.with_extension("pub");
    let server = OurServer::start(&scratch, &["-v", "-v", "--user-authority", text(&public)]);
    let known = scratch.write("known", &server.known_hosts_lines());
    let attempt = |user: &Path| {
        run(
            ssh(&server, &known, user).args(["127.0.0.1", "echo in"]),
            b"",
            LIMIT,
        )
    };
    for (number, kind) in KINDS.into_iter().enumerate() {
        let user = make_key(&scratch, &format!("user{number}"), kind);
        attempt(&user).expect_code(255);
        certify(&authority, &user, &["-n", "tester"]);
        assert_eq!(attempt(&user).expect_code(0).text(), "in\n", "{kind:?}");
    }
    let user = make_key(&scratch, "user", KINDS[0]);
    for (options, expected) in JUDGED {
        // What ssh does not show at all needs no refusing.
        if options.contains(&"-h") {
            continue;
        }
        certify(&authority, &user, options);
        if expected == "good" {
            assert_eq!(attempt(&user).expect_code(0).text(), "in\n", "{options:?}");
        } else {
            attempt(&user).expect_code(255);
            expect_logged(|| server.log(), expected);
        }
    }
    certify(&stranger, &user, &["-n", "tester"]);
    attempt(&user).expect_code(255);
    expect_logged(|| server.log(), "is not trusted");
}

#[test]
fn our_server_obeys_what_a_certificate_says() {
    need!("SSH", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let authority = make_key(&scratch, "ca", KINDS[0]);
    let user = make_key(&scratch, "user", KINDS[0]);
    let public = authority.with_extension("pub");
    let server = OurServer::start(&scratch, &["--forward", "--user-authority", text(&public)]);
    let known = scratch.write("known", &server.known_hosts_lines());
    let attempt = |arguments: &[&str]| {
        let mut command = ssh(&server, &known, &user);
        run(command.args(arguments), b"", LIMIT)
    };
    certify(
        &authority,
        &user,
        &["-n", "tester", "-O", "force-command=echo forced"],
    );
    for wanted in [
        &["127.0.0.1", "echo in"][..],
        &["127.0.0.1"],
        &["-s", "127.0.0.1", "sftp"],
    ] {
        assert_eq!(
            attempt(wanted).expect_code(0).text(),
            "forced\n",
            "{wanted:?}"
        );
    }
    let forward = [
        "-o",
        "ExitOnForwardFailure=yes",
        "-R",
        "0:127.0.0.1:1",
        "127.0.0.1",
        "echo in",
    ];
    certify(&authority, &user, &["-n", "tester"]);
    let terminal = attempt(&["-tt", "127.0.0.1", "tty"]).expect_code(0).text();
    assert!(terminal.contains("/dev/"), "{terminal}");
    attempt(&forward).expect_code(0);
    certify(&authority, &user, &["-n", "tester", "-O", "clear"]);
    let terminal = attempt(&["-tt", "127.0.0.1", "tty"]);
    assert!(!terminal.text().contains("/dev/"), "{}", terminal.text());
    attempt(&forward).expect_code(255);
    assert_eq!(
        attempt(&["127.0.0.1", "echo in"]).expect_code(0).text(),
        "in\n"
    );
}

#[test]
fn our_client_shows_certificates_to_sshd() {
    need!("SSHD", "SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let authority = make_key(&scratch, "ca", KINDS[0]);
    let (account, _) = account();
    let trusted = format!("TrustedUserCAKeys {}.pub", text(&authority));
    let sshd = Sshd::start(&scratch, &trusted);
    let attempt = |user: &Path| {
        let mut command = exec(sshd.port, &account, "");
        run(
            command.arg("-i").arg(user).args(["127.0.0.1", "echo in"]),
            b"",
            LIMIT,
        )
    };
    for (number, kind) in KINDS.into_iter().enumerate() {
        let user = make_key(&scratch, &format!("user{number}"), kind);
        attempt(&user).expect_code(255);
        certify(&authority, &user, &["-n", &account]);
        assert_eq!(attempt(&user).expect_code(0).text(), "in\n", "{kind:?}");
    }
    let user = make_key(&scratch, "user", KINDS[0]);
    certify(
        &authority,
        &user,
        &["-n", &account, "-O", "force-command=echo forced"],
    );
    assert_eq!(attempt(&user).expect_code(0).text(), "forced\n");
    certify(&authority, &user, &["-n", &account, "-V", "-2h:-1h"]);
    attempt(&user).expect_code(255);
    expect_logged(|| sshd.log(), "expired");
    certify(&authority, &user, &["-n", "somebody-else"]);
    attempt(&user).expect_code(255);
}

/// Our client, which goes by known_hosts alone.
fn client_knowing(port: u16, user: &str, known: &Path) -> Command {
    let mut command = Command::new(program("exec"));
    command.args([
        "--batch",
        "-p",
        &port.to_string(),
        "-l",
        user,
        "--known-hosts",
    ]);
    command.arg(known).arg("-i").arg(key("user_ed25519"));
    command.args(["127.0.0.1", "echo in"]);
    command
}

#[test]
fn our_client_and_the_host_certificate_of_sshd() {
    need!("SSHD", "SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let (account, _) = account();
    let authority = make_key(&scratch, "ca", KINDS[0]);
    let other = make_key(&scratch, "other", KINDS[0]);
    let words = |path: &Path| fs::read_to_string(path.with_extension("pub")).expect("a key");
    for kind in KINDS {
        let host = make_key(&scratch, &format!("host_{}{}", kind.0, kind.1), kind);
        let certificate = certify(&authority, &host, &["-h", "-n", "127.0.0.1"]);
        let config = format!(
            "HostKey {}\nHostCertificate {}",
            text(&host),
            text(&certificate)
        );
        let sshd = Sshd::start(&scratch, &config);
        let known = scratch.write("known", &format!("@cert-authority * {}", words(&authority)));
        let attempt = || run(&mut client_knowing(sshd.port, &account, &known), b"", LIMIT);
        assert_eq!(attempt().expect_code(0).text(), "in\n", "{kind:?}");
        // An authority that has not signed it covers the host: nothing is known then but the plain key, or nothing.
        scratch.write("known", &format!("@cert-authority * {}", words(&other)));
        let said = attempt().expect_code(255).stderr;
        assert!(said.contains("is not known"), "{said}");
        let line = format!("[127.0.0.1]:{} {}", sshd.port, words(&host));
        scratch.write(
            "known",
            &format!("@cert-authority * {}{line}", words(&other)),
        );
        assert_eq!(attempt().expect_code(0).text(), "in\n", "{kind:?}");
        let revoked = format!(
            "@cert-authority * {0}@revoked * {0}{line}",
            words(&authority)
        );
        scratch.write("known", &revoked);
        let said = attempt().expect_code(255).stderr;
        assert!(said.contains("revoked"), "{said}");
    }
}

/// Where the authority is known and the certificate is bad, the plain key helps nothing.
#[test]
fn a15_our_client_and_bad_host_certificates() {
    need!("SSHD", "SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let (account, _) = account();
    let authority = make_key(&scratch, "ca", KINDS[0]);
    let words = |path: &Path| fs::read_to_string(path.with_extension("pub")).expect("a key");
    let host = make_key(&scratch, "host", KINDS[0]);
    for (options, expected) in [
        (
            &["-h", "-n", "other.example.org"][..],
            "is not for 127.0.0.1",
        ),
        (&["-h"], "names no principals"),
        (&["-h", "-n", "127.0.0.1", "-V", "-2h:-1h"], "has expired"),
        (
            &["-h", "-n", "127.0.0.1", "-V", "+1h:+2h"],
            "is not valid before",
        ),
        (
            &["-h", "-n", "127.0.0.1", "-O", "critical:new@example.org=x"],
            "unknown critical option",
        ),
    ] {
        let certificate = certify(&authority, &host, options);
        let config = format!(
            "HostKey {}\nHostCertificate {}",
            text(&host),
            text(&certificate)
        );
        let sshd = Sshd::start(&scratch, &config);
        let line = format!("[127.0.0.1]:{} {}", sshd.port, words(&host));
        let known = format!("@cert-authority * {}{line}", words(&authority));
        let known = scratch.write("known", &known);
        let refused = run(&mut client_knowing(sshd.port, &account, &known), b"", LIMIT);
        let said = refused.expect_code(255).stderr;
        assert!(said.contains(expected), "{options:?}: {said}");
    }
}

#[test]
fn the_host_certificate_of_our_server_and_real_ssh() {
    need!("SSH", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let authority = make_key(&scratch, "ca", KINDS[0]);
    let public = fs::read_to_string(authority.with_extension("pub")).expect("a key");
    for kind in KINDS {
        let host = make_key(&scratch, &format!("host_{}{}", kind.0, kind.1), kind);
        for (names, code) in [("127.0.0.1", 0), ("other.example.org", 255)] {
            let certificate = certify(&authority, &host, &["-h", "-n", names]);
            let mut command = Command::new(program("server"));
            command.args(["--listen", "127.0.0.1:0", "--all-algorithms", "--host-key"]);
            command
                .arg(&host)
                .arg("--host-certificate")
                .arg(certificate);
            command.arg("--authorized-keys").arg(key("authorized_keys"));
            let server = OurServer::start_command(&scratch, command);
            let known = scratch.write("known", &format!("@cert-authority * {public}"));
            let mut command = ssh(&server, &known, &key("user_ed25519"));
            run(command.args(["127.0.0.1", "true"]), b"", LIMIT).expect_code(code);
            // And who knows the key alone gets it alone.
            let line = fs::read_to_string(host.with_extension("pub")).expect("a key");
            let known = scratch.write("known", &format!("[127.0.0.1]:{} {line}", server.port));
            let mut command = ssh(&server, &known, &key("user_ed25519"));
            run(command.args(["127.0.0.1", "true"]), b"", LIMIT).expect_code(0);
        }
    }
}

/// Lists as ssh-keygen makes them, with its own verdict on each of some keys and certificates.
#[test]
fn revocation_lists_as_ssh_keygen_reads_them() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let authority = make_key(&scratch, "ca", KINDS[0]);
    let other = make_key(&scratch, "other", KINDS[4]);
    let mut files = vec![authority.with_extension("pub"), other.with_extension("pub")];
    for (number, kind) in KINDS.into_iter().enumerate() {
        let user = make_key(&scratch, &format!("user{number}"), kind);
        files.push(user.with_extension("pub"));
        for (by, serial) in [(&authority, number * 3 + 1), (&other, 7), (&authority, 0)] {
            let id = format!("id {number}");
            let serial = serial.to_string();
            let made = certify(by, &user, &["-I", &id, "-z", &serial, "-n", "a"]);
            let kept = scratch.file(&format!("cert{number}_{serial}_{}", files.len()));
            fs::rename(made, &kept).expect("certificate");
            files.push(kept);
        }
    }
    let line = |at: usize| fs::read_to_string(&files[at]).expect("a key");
    let specifications = [
        String::new(),
        "serial: 1\nserial: 4\nserial: 10\n".to_owned(),
        "serial: 1-7\nserial: 13-18446744073709551615\n".to_owned(),
        (1..40)
            .step_by(3)
            .map(|serial| format!("serial: {serial}\n"))
            .collect(),
        "id: id 0\nid: id 3\n".to_owned(),
        format!("key: {}", line(2)),
        format!("sha1: {}", line(6)),
        format!("sha256: {}", line(6)),
        format!("sha256: {}serial: 4\nid: id 4\n", line(0)),
        line(2) + &line(10),
    ];
    let names: Vec<&str> = files.iter().map(|file| text(file)).collect();
    let mut seen = std::collections::BTreeSet::new();
    for (number, specification) in specifications.iter().enumerate() {
        let source = scratch.write("specification", specification);
        let list = scratch.file(&format!("krl{number}"));
        let public = authority.with_extension("pub");
        for by in [Some(&public), None] {
            // Serial numbers and ids without an authority are refused by ssh-keygen itself.
            let mut arguments = vec!["-k", "-q", "-z", "9", "-f", text(&list)];
            arguments.extend(by.iter().flat_map(|by| ["-s", text(by)]));
            arguments.push(text(&source));
            if keygen(&arguments).code() != Some(0) {
                continue;
            }
            let theirs: Vec<_> = keygen(&[&["-Q", "-f", text(&list)][..], &names].concat())
                .text()
                .lines()
                .map(|line| line.ends_with("REVOKED"))
                .collect();
            let ours: Vec<_> = probe(&[&["revoked", text(&list)][..], &names].concat(), b"")
                .expect_code(0)
                .text()
                .lines()
                .map(|line| line == "revoked")
                .collect();
            assert_eq!(ours.len(), files.len());
            assert_eq!(ours, theirs, "{specification}");
            seen.extend(ours);
        }
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn a15_our_server_refuses_what_is_revoked() {
    need!("SSH", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let authority = make_key(&scratch, "ca", KINDS[0]);
    let public = authority.with_extension("pub");
    let user = make_key(&scratch, "user", KINDS[0]);
    let good = make_key(&scratch, "good", KINDS[1]);
    certify(&authority, &user, &["-z", "5", "-n", "tester"]);
    certify(&authority, &good, &["-z", "6", "-n", "tester"]);
    let krl = |specification: &str, name: &str| {
        let source = scratch.write("specification", specification);
        let list = scratch.file(name);
        keygen(&[
            "-k",
            "-q",
            "-f",
            text(&list),
            "-s",
            text(&public),
            text(&source),
        ])
        .expect_code(0);
        list
    };
    let key_line = fs::read_to_string(user.with_extension("pub")).expect("a key");
    let plain = scratch.write("plain", &format!("# stolen\n{key_line}"));
    for (list, expected) in [
        (krl("serial: 5\n", "krl1"), "revoked: the certificate"),
        (
            krl(&format!("sha256: {key_line}"), "krl2"),
            "revoked: the key",
        ),
        (plain, "revoked: the key"),
    ] {
        let options = [
            "-v",
            "-v",
            "--user-authority",
            text(&public),
            "--revoked",
            text(&list),
        ];
        let server = OurServer::start(&scratch, &options);
        let known = scratch.write("known", &server.known_hosts_lines());
        let attempt = |identity: &Path| {
            run(
                ssh(&server, &known, identity).args(["127.0.0.1", "true"]),
                b"",
                LIMIT,
            )
        };
        attempt(&user).expect_code(255);
        expect_logged(|| server.log(), expected);
        attempt(&good).expect_code(0);
    }
    let options = [
        "-v",
        "-v",
        "--user-authority",
        text(&public),
        "--revoked",
        text(&public),
    ];
    let server = OurServer::start(&scratch, &options);
    let known = scratch.write("known", &server.known_hosts_lines());
    let mut command = ssh(&server, &known, &good);
    run(command.args(["127.0.0.1", "true"]), b"", LIMIT).expect_code(255);
    expect_logged(|| server.log(), "the key of the authority");
}
