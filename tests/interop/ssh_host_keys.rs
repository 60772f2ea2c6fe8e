//! What `examples-c/ssh` shows a person of host keys, and asks about them: UpdateHostKeys, VisualHostKey and FingerprintHash,
//! with `ssh` beside it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::need;
use crate::peers::{account, key, path, peer, program, Rig, Sshd};
use crate::process::{run, Scratch, LIMIT};
use crate::pty::drive;

const TYPES: [&str; 5] = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"];

/// `TYPE BASE64` of a public key.
fn words(name: &str) -> String {
    let line = fs::read_to_string(key(name).with_extension("pub")).expect("a public key");
    let words: Vec<_> = line.split_whitespace().take(2).collect();
    words.join(" ")
}

/// What `ssh-keygen -lv` prints of a public key: the fingerprint, and the lines of the drawing.
fn drawn(name: &str, hash: &str) -> (String, Vec<String>) {
    let mut command = peer("SSH_KEYGEN");
    command.args(["-lv", "-E", hash, "-f"]);
    command.arg(key(name).with_extension("pub"));
    let text = run(&mut command, b"", LIMIT).expect_code(0).text();
    let mut lines = text.lines().map(str::to_owned);
    let first = lines.next().expect("a line");
    let fingerprint = first.split(' ').nth(1).expect("fingerprint").to_owned();
    (fingerprint, lines.collect())
}

/// Has the server known by its first key, and by one that it does not have; returns what the file says.
fn know<S>(rig: &Rig<S>, port: u16) -> BTreeSet<String> {
    let host = format!("[127.0.0.1]:{port}");
    let text = format!(
        "{host} {}\n{host} {}\n",
        words("host_ed25519"),
        words("user_ecdsa256")
    );
    fs::write(rig.scratch.file("known"), text).expect("known hosts");
    known(rig)
}

fn known<S>(rig: &Rig<S>) -> BTreeSet<String> {
    let text = fs::read_to_string(rig.scratch.file("known")).expect("known hosts");
    text.lines().map(str::to_owned).collect()
}

/// What the file says once everything that the server tells is kept.
fn all_of(port: u16, next: &[&str]) -> BTreeSet<String> {
    let own = TYPES.iter().map(|kind| format!("host_{kind}"));
    let next = next.iter().map(|name| (*name).to_owned());
    own.chain(next)
        .map(|name| format!("[127.0.0.1]:{port} {}", words(&name)))
        .collect()
}

/// What a person answers, and whether that is a yes.
const ANSWERS: [(&str, bool); 3] = [
    ("send yes\n", true),
    ("send no\n", false),
    (
        "send what\nexpect Accept updated host ?keys\nsend YES\n",
        true,
    ),
];

/// What a person does with the shell that comes then.
const SHELL: &str = "expect [$#] \nsend echo sh''ell\nexpect shell\nsend exit 3\n";

/// Asks before the shell begins, which has the terminal for itself then.
fn asks<S>(rig: &Rig<S>, port: u16, next: &[&str]) {
    let (rsa, _) = drawn("host_rsa", "sha256");
    let (gone, _) = drawn("user_ecdsa256", "sha256");
    let ask = ["-o", "UpdateHostKeys=ask", "-o", "LogLevel=INFO", "rig"];
    for (answer, keeps) in ANSWERS {
        let before = know(rig, port);
        let talk = format!(
            "expect RSA {}\nexpect {}\nexpect Accept updated host ?keys\n{answer}{SHELL}",
            regex(&rsa),
            regex(&gone)
        );
        drive(&rig.scratch, &talk, &rig.ssh(&ask)).expect_code(3);
        let expected = if keeps { all_of(port, next) } else { before };
        assert_eq!(known(rig), expected, "{answer}");
    }
    // Nothing is new any more, so nobody is asked.
    let output = drive(&rig.scratch, SHELL, &rig.ssh(&ask)).expect_code(3);
    assert!(!output.text().contains("Accept"), "{}", output.text());
}

/// A text as a pattern of Python's.
fn regex(text: &str) -> String {
    text.replace('+', "\\+")
}

#[test]
fn keys_of_sshd_are_kept_when_a_person_agrees() {
    need!("SSHD", "SSH_KEYGEN", "ACCOUNT", "PYTHON");
    let rig = Rig::sshd("");
    asks(&rig, rig.server.port, &[]);
}

#[test]
fn keys_of_the_newest_sshd_are_kept_when_a_person_agrees() {
    need!("NEWEST_SSHD", "SSH_KEYGEN", "ACCOUNT", "PYTHON");
    let rig = Rig::newest_sshd("");
    asks(&rig, rig.server.port, &[]);
}

#[test]
fn keys_of_our_server_are_kept_when_a_person_agrees() {
    need!("SSH_KEYGEN", "PYTHON");
    let rig = Rig::ours(&["--next-host-key", path(&key("user_stranger"))]);
    asks(&rig, rig.server.port, &["user_stranger"]);
}

/// The same talk with `ssh`, and the same file afterwards.
#[test]
fn ssh_asks_the_same() {
    need!("SSHD", "SSH", "SSH_KEYGEN", "ACCOUNT", "PYTHON");
    let rig = Rig::sshd("");
    for (answer, _) in ANSWERS {
        let mut files = Vec::new();
        for ours in [true, false] {
            know(&rig, rig.server.port);
            let mut command = if ours {
                rig.ssh(&[])
            } else {
                rig.real_ssh("SSH")
            };
            command.args(["-o", "UpdateHostKeys=ask", "-o", "LogLevel=INFO", "rig"]);
            let talk = format!("expect Accept updated host ?keys\n{answer}{SHELL}");
            drive(&rig.scratch, &talk, &command).expect_code(3);
            files.push(known(&rig));
        }
        assert_eq!(files[0], files[1], "{answer}");
    }
}

/// Without anybody to ask nothing is kept, and nothing said.
#[test]
fn nobody_is_asked_about_new_keys() {
    need!("SSHD", "ACCOUNT", "PYTHON");
    let rig = Rig::sshd("");
    let before = know(&rig, rig.server.port);
    let ask = ["-o", "UpdateHostKeys=ask", "-o", "LogLevel=INFO"];
    let mut alone = Command::new("setsid");
    alone.arg("--wait").arg(program("ssh"));
    alone.args(rig.ssh(&ask).get_args()).arg("rig");
    alone.env_remove("SSH_ASKPASS").env_remove("DISPLAY");
    let output = run(&mut alone, b"echo shell\n", LIMIT).expect_code(0);
    assert_eq!(output.text(), "shell\n");
    assert!(!output.stderr.contains("Accept"), "{}", output.stderr);
    // `ssh` asks nobody either when a command is run, or in batch mode.
    for mut command in [rig.ssh(&ask), rig.real_ssh("SSH")] {
        command.args(ask).args(["rig", "sleep 0.2; echo re-''mote"]);
        let output = drive(&rig.scratch, "expect re-mote\n", &command).expect_code(0);
        assert!(!output.text().contains("Accept"), "{}", output.text());
    }
    for mut command in [rig.ssh(&ask), rig.real_ssh("SSH")] {
        command.args(ask).args(["-o", "BatchMode=yes", "rig"]);
        let output = drive(&rig.scratch, SHELL, &command).expect_code(3);
        assert!(!output.text().contains("Accept"), "{}", output.text());
    }
    assert_eq!(known(&rig), before);
    // Nor about a host that was not known: a key that was taken without asking anybody vouches for no others.
    for mut command in [rig.ssh(&ask), rig.real_ssh("SSH")] {
        fs::remove_file(rig.scratch.file("known")).expect("known hosts");
        command.args(ask).arg("rig");
        let output = drive(&rig.scratch, SHELL, &command).expect_code(3);
        assert!(!output.text().contains("Accept"), "{}", output.text());
        assert_eq!(known(&rig).len(), 1);
    }
}

/// Runs `true` over there, with the key known or asked about; what is said, and what is asked.
fn shown(rig: &Rig<Sshd>, mut command: Command, options: &[&str], knows: bool) -> (String, String) {
    let line = format!(
        "[127.0.0.1]:{} {}\n",
        rig.server.port,
        words("host_ed25519")
    );
    fs::write(rig.scratch.file("known"), if knows { &line } else { "" }).expect("known hosts");
    let asked = rig.scratch.write("asked", "");
    let script = format!("#!/bin/sh\necho \"$1\" >>'{}'\necho yes\n", path(&asked));
    command.env("SSH_ASKPASS", rig.scratch.script("asker", &script));
    command.env("SSH_ASKPASS_REQUIRE", "force");
    command.args(["-o", "StrictHostKeyChecking=ask", "-o", "LogLevel=INFO"]);
    command.args(["-o", "HostKeyAlgorithms=ssh-ed25519"]);
    command.args(options).args(["rig", "true"]);
    let output = run(&mut command, b"", LIMIT).expect_code(0);
    let asked = fs::read_to_string(asked).expect("what was asked");
    (output.stderr, asked)
}

/// Fingerprint and drawing are those of ssh-keygen, and stand where `ssh` has them.
#[test]
fn keys_are_shown_as_ssh_shows_them() {
    need!("SSHD", "SSH", "SSH_KEYGEN", "ACCOUNT");
    let rig = Rig::sshd("");
    for hash in ["sha256", "md5"] {
        let (fingerprint, drawing) = drawn("host_ed25519", hash);
        for visual in ["yes", "no"] {
            let hash = format!("FingerprintHash={hash}");
            let visual_option = format!("VisualHostKey={visual}");
            let options = ["-o", &hash, "-o", &visual_option];
            let has = |text: &str| {
                let lines: Vec<_> = text.lines().map(str::trim_end).collect();
                let found = lines.windows(drawing.len()).any(|seen| seen == drawing);
                (text.contains(&fingerprint), found)
            };
            for command in [rig.ssh(&[]), rig.real_ssh("SSH")] {
                let what = format!("{:?} {options:?}", command.get_program());
                let (said, asked) = shown(&rig, command, &options, true);
                assert_eq!(
                    has(&said),
                    (visual == "yes", visual == "yes"),
                    "{what}: {said}"
                );
                assert_eq!(asked, "", "{what}");
            }
            for command in [rig.ssh(&[]), rig.real_ssh("SSH")] {
                let what = format!("{:?} {options:?}", command.get_program());
                let (said, asked) = shown(&rig, command, &options, false);
                assert_eq!(has(&asked), (true, visual == "yes"), "{what}: {asked}");
                assert!(said.contains("Permanently added"), "{what}: {said}");
            }
        }
    }
}

/// Whatever has a fingerprint has it by the hash that was asked for.
#[test]
fn every_fingerprint_is_by_the_hash_of_choice() {
    need!("SSHD", "SSH_KEYGEN", "ACCOUNT");
    let rig = Rig::sshd("");
    let (md5, _) = drawn("host_ed25519", "md5");
    let attempt = |options: &[&str]| {
        let mut command = rig.ssh(&["-o", "FingerprintHash=md5", "-o", "BatchMode=yes"]);
        command.args(["-o", "HostKeyAlgorithms=ssh-ed25519"]);
        let output = run(command.args(options).args(["rig", "true"]), b"", LIMIT);
        let said = output.expect_code(255).stderr;
        assert!(said.contains(&md5) && !said.contains("SHA256:"), "{said}");
    };
    attempt(&["-o", "StrictHostKeyChecking=yes"]);
    let (other, _) = drawn("user_stranger", "md5");
    let line = format!(
        "[127.0.0.1]:{} {}\n",
        rig.server.port,
        words("user_stranger")
    );
    fs::write(rig.scratch.file("known"), line).expect("known hosts");
    attempt(&["-o", "StrictHostKeyChecking=yes"]);
    let mut changed = rig.ssh(&["-o", "FingerprintHash=md5", "-o", "BatchMode=yes"]);
    changed.args(["-o", "HostKeyAlgorithms=ssh-ed25519", "rig", "true"]);
    let said = run(&mut changed, b"", LIMIT).expect_code(255).stderr;
    assert!(said.contains(&other), "{said}");
    let revoked = key("host_ed25519").with_extension("pub");
    let revoked = format!("RevokedHostKeys={}", revoked.display());
    attempt(&["-o", &revoked]);
    // And of those that are new, when the server tells of them.
    need!("PYTHON");
    know(&rig, rig.server.port);
    let (rsa, _) = drawn("host_rsa", "md5");
    let mut command = rig.ssh(&["-o", "FingerprintHash=md5", "-o", "UpdateHostKeys=ask"]);
    let talk = format!("expect RSA {rsa}\nexpect Accept updated\nsend no\n{SHELL}");
    drive(&rig.scratch, &talk, command.arg("rig")).expect_code(3);
}

/// From files, from the command line, and as `-G` prints them.
#[test]
fn the_options_are_printed_as_ssh_prints_them() {
    need!("SSH");
    let scratch = Scratch::new();
    let values = |mut command: Command, arguments: &[&str]| -> Vec<String> {
        command.args(["-G"]).args(arguments);
        let text = run(&mut command, b"", LIMIT).expect_code(0).text();
        let wanted = [
            "updatehostkeys",
            "visualhostkey",
            "fingerprinthash",
            "enableescapecommandline",
        ];
        let is_wanted = |line: &&str| {
            wanted
                .iter()
                .any(|word| line.starts_with(&format!("{word} ")))
        };
        let mut lines: Vec<_> = text.lines().filter(is_wanted).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for value in ["yes", "no", "ask"] {
        let flag = if value == "yes" { "yes" } else { "no" };
        let hash = if value == "yes" { "md5" } else { "sha256" };
        let settings = [
            format!("UpdateHostKeys {value}"),
            format!("VisualHostKey {flag}"),
            format!("FingerprintHash {hash}"),
            format!("EnableEscapeCommandline {flag}"),
        ];
        let file = scratch.write("config", &(settings.join("\n") + "\n"));
        let in_file = ["-F", path(&file), "host"];
        let mut given = vec!["-F", "none"];
        for setting in &settings {
            given.extend(["-o", setting]);
        }
        given.push("host");
        for arguments in [&in_file[..], &given] {
            let ours = values(Command::new(program("ssh")), arguments);
            assert_eq!(ours.len(), 4, "{ours:?}");
            assert_eq!(ours, values(peer("SSH"), arguments));
        }
    }
}

/// NoHostAuthenticationForLocalhost is for this machine, and not for what a host on the way or a command calls localhost,
/// nor for a host that goes by another name.
#[test]
fn localhost_is_another_machine_elsewhere() {
    need!("SSHD", "SSH", "ACCOUNT");
    let rig = Rig::sshd("");
    let rest = std::fs::read_to_string(&rig.config).expect("configuration");
    let port = rig.server.port;
    let text = format!(
        "Host plain alias jumped behind\n HostName 127.0.0.1\n Port {port}\n User {}\n UserKnownHostsFile {}\n\
         \x20StrictHostKeyChecking yes\n NoHostAuthenticationForLocalhost yes\n BatchMode yes\n\
         Host alias\n HostKeyAlias elsewhere\nHost jumped\n ProxyJump rig\n\
         Host behind\n ProxyCommand {} -W 127.0.0.1:{port} rig\n{rest}",
        account().0,
        rig.scratch.file("knows-nobody").display(),
        rig.line(),
    );
    std::fs::write(&rig.config, text).expect("configuration");
    rig.run(&["rig", "true"]).expect_code(0);
    for (host, status) in [
        ("plain", 0),
        ("alias", 255),
        ("jumped", 255),
        ("behind", 255),
    ] {
        for mut command in [rig.ssh(&[]), rig.real_ssh("SSH")] {
            command.args([host, "echo", "in"]);
            let output = run(&mut command, b"", LIMIT).expect_code(status);
            assert_eq!(
                output.text() == "in\n",
                status == 0,
                "{host}: {}",
                output.text()
            );
        }
    }
}
