//! What `examples-c/ssh` says when it does not get in: each message tells a person what to do.

use std::fs;
use std::process::Command;

use crate::need;
use crate::peers::{key, path, program, Agent, Rig, Sshd, PASSPHRASE};
use crate::process::{run, Output, LIMIT};

/// Runs `true` over there; whoever asks is given this answer, if there is one.
fn attempt(rig: &Rig<Sshd>, options: &[&str], answer: Option<&str>) -> Output {
    let mut command = rig.ssh(options);
    match answer {
        Some(answer) => {
            let script = format!("#!/bin/sh\necho '{answer}'\n");
            command.env("SSH_ASKPASS", rig.scratch.script("asker", &script));
            command.env("SSH_ASKPASS_REQUIRE", "force");
        }
        None => {
            command.args(["-o", "BatchMode=yes"]);
        }
    }
    run(command.args(["rig", "true"]), b"", LIMIT)
}

#[track_caller]
fn tells(output: Output, parts: &[&str]) {
    let said = output.expect_code(255).stderr;
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
}

/// Only the key with a passphrase.
fn encrypted(rig: &Rig<Sshd>) -> Vec<String> {
    let text = fs::read_to_string(&rig.config).expect("config");
    let text = text.replace(path(&key("user_ed25519")), path(&key("user_encrypted")));
    let file = rig.scratch.write("config-encrypted", &text);
    vec!["-F".into(), path(&file).into()]
}

#[test]
fn passphrases() {
    need!("SSHD", "ACCOUNT");
    let rig = Rig::sshd("PasswordAuthentication no");
    let options = encrypted(&rig);
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    attempt(&rig, &options, Some(PASSPHRASE)).expect_code(0);
    let name = key("user_encrypted").display().to_string();
    tells(
        attempt(&rig, &options, Some("wrong")),
        &[
            "not its passphrase, please try again",
            &format!("{name} is not used: no passphrase fits"),
            "Permission denied (publickey)",
        ],
    );
    tells(
        attempt(&rig, &options, None),
        &[&name, "nobody may be asked for its passphrase"],
    );
}

#[test]
fn keys_that_are_missing_or_shown_to_all() {
    need!("SSHD", "ACCOUNT");
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::sshd("PasswordAuthentication no");
    let output = attempt(&rig, &["-i", "/no/such/key"], None).expect_code(0);
    assert!(
        output
            .stderr
            .contains("Identity file /no/such/key not accessible"),
        "{}",
        output.stderr
    );
    let text = fs::read_to_string(&rig.config).expect("config");
    let missing = text.replace(path(&key("user_ed25519")), "/no/such/key");
    let missing = rig.scratch.write("config-missing", &missing);
    tells(
        attempt(&rig, &["-F", path(&missing)], None),
        &["/no/such/key, which", "does not exist", "Permission denied"],
    );
    let open = rig.scratch.file("open");
    fs::copy(key("user_ed25519"), &open).expect("a key");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("mode");
    let opened = text.replace(path(&key("user_ed25519")), path(&open));
    let opened = rig.scratch.write("config-open", &opened);
    tells(
        attempt(&rig, &["-F", path(&opened)], None),
        &["may be read by others and is not used; run chmod 600"],
    );
    // It is told even where another key is good.
    let place = format!("IdentityFile={}", path(&key("user_ed25519")));
    let both = ["-F", path(&opened), "-o", "LogLevel=INFO"];
    let output = attempt(&rig, &[&both[..], &["-o", &place]].concat(), None).expect_code(0);
    let said = "Warning: ".to_owned() + path(&open) + " may be read by others and is not used";
    assert_eq!(output.stderr.matches(&said).count(), 1, "{}", output.stderr);
}

#[test]
fn agents_that_lack_the_key() {
    need!("SSHD", "ACCOUNT", "SSH_AGENT", "SSH_ADD");
    let rig = Rig::sshd("PasswordAuthentication no");
    // What a person has who keeps the private key in an agent: the public one.
    let named = rig.scratch.file("named.pub");
    fs::copy(key("user_ed25519").with_extension("pub"), &named).expect("a key");
    let text = fs::read_to_string(&rig.config).expect("config");
    let text = text.replace(path(&key("user_ed25519")), path(&named));
    let config = rig.scratch.write("config-named", &text);
    let with_agent = |socket: &str| {
        let place = format!("IdentityAgent={socket}");
        attempt(&rig, &["-F", path(&config), "-o", &place], None)
    };
    let lacking = "named.pub is not used: it holds a public key, and no agent has the private one; add that with ssh-add";
    tells(with_agent("none"), &[lacking, "Permission denied"]);
    tells(
        with_agent("/no/such/agent"),
        &[
            "no agent at /no/such/agent",
            "start one with ssh-agent",
            lacking,
        ],
    );
    let agent = Agent::start(&rig.scratch);
    tells(
        with_agent(path(&agent.socket)),
        &["has no keys; add one with ssh-add", lacking],
    );
    agent.add("user_stranger");
    tells(with_agent(path(&agent.socket)), &[lacking]);
    agent.add("user_ed25519");
    with_agent(path(&agent.socket)).expect_code(0);
}

#[test]
fn host_keys() {
    need!("SSHD", "ACCOUNT");
    let rig = Rig::sshd("");
    let ask = ["-o", "StrictHostKeyChecking=ask"];
    tells(
        attempt(&rig, &ask, None),
        &["no key of [127.0.0.1]", "Host key verification failed"],
    );
    tells(
        attempt(&rig, &ask, Some("no")),
        &["Host key verification failed"],
    );
    // Nothing is kept, by intention, and that is no failure.
    let forget = [
        "UserKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=no",
        "LogLevel=INFO",
    ];
    let forget = forget.map(|option| ["-o", option]).concat();
    let output = attempt(&rig, &forget, None).expect_code(0);
    assert!(
        output.stderr.contains("Permanently added"),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("Failed"), "{}", output.stderr);
    // A person compares, or has the fingerprint compared.
    let fingerprint = crate::peers::fingerprint(&key("host_ed25519").with_extension("pub"));
    let mut loud = ask.to_vec();
    loud.extend(["-o", "LogLevel=INFO"]);
    let output = attempt(&rig, &loud, Some(&fingerprint)).expect_code(0);
    assert!(
        output.stderr.contains("Permanently added '[127.0.0.1]:"),
        "{}",
        output.stderr
    );
    attempt(&rig, &["-o", "StrictHostKeyChecking=yes"], None).expect_code(0);
    // Another key than the known one.
    let known = rig.scratch.file("known");
    let line = fs::read_to_string(key("user_stranger").with_extension("pub")).expect("a key");
    let line = format!("[127.0.0.1]:{} {line}", rig.server.port);
    fs::write(&known, line).expect("known hosts");
    for strict in ["ask", "yes", "accept-new"] {
        tells(
            attempt(
                &rig,
                &["-o", &format!("StrictHostKeyChecking={strict}")],
                Some("yes"),
            ),
            &[
                "REMOTE HOST IDENTIFICATION HAS CHANGED",
                &format!("{}:1", known.display()),
                &fingerprint,
                &format!(
                    "remove the old one there: ssh-keygen -f \"{}\" -R \"[127.0.0.1]:{}\"",
                    known.display(),
                    rig.server.port
                ),
                "Host key verification failed",
            ],
        );
    }
    // Let pass all the same.
    let lax = ["-o", "StrictHostKeyChecking=no", "-o", "LogLevel=INFO"];
    let said = attempt(&rig, &lax, None).expect_code(0).stderr;
    for expected in [
        "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
        &fingerprint,
        &format!("{}:1 has ssh-ed25519 SHA256:", known.display()),
        &format!("-R \"[127.0.0.1]:{}\"", rig.server.port),
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

/// Names do nothing to the terminal that they are shown on, wherever they come from, and stay readable.
#[test]
fn names_that_are_no_plain_text() {
    let bad = "hä\x1b[2m\ny\u{9b}1m\u{202e}";
    let (key, option) = (format!("/no/{bad}"), format!("{bad}=yes"));
    let (key, option) = (key.as_str(), option.as_str());
    for (name, arguments, shown) in [
        ("exec", &["-p1", bad, "true"][..], true),
        ("ssh", &["-p1", bad], true),
        ("ssh", &["-i", key, "-p1", "127.0.0.1"], true),
        ("ssh", &["-o", option, "127.0.0.1"], false),
        ("ssh", &["-W", bad, "-p1", "127.0.0.1"], false),
        ("ssh", &["-E", key, "127.0.0.1"], false),
        ("ssh", &["-\x1b", "127.0.0.1"], false),
    ] {
        let mut command = Command::new(program(name));
        command.args(["-F", "none"]).args(arguments);
        let said = run(&mut command, b"", LIMIT).stderr;
        let what = format!("{name} {arguments:?}: {said:?}");
        assert!(said.ends_with('\n'), "{what}");
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{what}");
        assert!(!said.lines().any(|line| line.starts_with('y')), "{what}");
        assert!(
            !shown || said.contains(r"hä\u{1b}[2m\ny\u{9b}1m\u{202e}"),
            "{what}"
        );
    }
}

/// A key that is revoked is another matter than one that has changed, and for programs that read along, too.
#[test]
fn revoked_host_keys() {
    need!("SSHD", "SSH", "ACCOUNT");
    let rig = Rig::sshd("");
    let line = |name: &str| fs::read_to_string(key(name).with_extension("pub")).expect("a key");
    let host = format!("[127.0.0.1]:{}", rig.server.port);
    let (revoked, changed) = (
        "@       WARNING: REVOKED HOST KEY DETECTED!               @",
        "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
    );
    for (known, banner, other) in [
        (
            format!("@revoked {host} {}", line("host_ed25519")),
            revoked,
            changed,
        ),
        (
            format!("@revoked * {}", line("host_ed25519")),
            revoked,
            changed,
        ),
        (
            format!("{host} {}", line("user_stranger")),
            changed,
            revoked,
        ),
    ] {
        fs::write(rig.scratch.file("known"), &known).expect("known hosts");
        for mut command in [rig.ssh(&[]), rig.real_ssh("SSH")] {
            command.args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]);
            command.args(["-o", "HostKeyAlgorithms=ssh-ed25519", "rig", "true"]);
            let said = run(&mut command, b"", LIMIT).expect_code(255).stderr;
            let what = format!("{:?} {known}: {said}", command.get_program());
            assert!(said.lines().any(|line| line == banner), "{what}");
            assert!(!said.contains(other), "{what}");
            assert!(said.contains("Host key verification failed."), "{what}");
        }
    }
    // A list says the same as a line.
    let list = rig.scratch.file("revoked");
    fs::write(&list, line("host_ed25519")).expect("a list");
    let option = format!("RevokedHostKeys={}", list.display());
    tells(
        attempt(&rig, &["-o", &option], None),
        &[revoked, "revoked: the key", "Host key verification failed."],
    );
}

/// Of several hosts, the one that it is about.
#[test]
fn hosts_on_the_way() {
    need!("SSHD", "ACCOUNT");
    let rig = Rig::sshd("");
    let port = rig.server.port;
    let elsewhere = format!("127.0.0.1 port {port}");
    // Nobody but the system itself listens on the first port.
    let output = attempt(&rig, &["-J", "127.0.0.1:1"], None);
    assert!(!output.stderr.contains(&elsewhere), "{}", output.stderr);
    tells(
        output,
        &["connect to host 127.0.0.1 port 1: Connection refused\n"],
    );
    let output = attempt(&rig, &["-J", "rig", "-p", "1"], None);
    tells(
        output,
        &["connect to host 127.0.0.1 port 1: channel open refused"],
    );
    let output = attempt(&rig, &["-J", "nobody-here@rig"], None);
    tells(
        output,
        &[
            &format!("jump host nobody-here@127.0.0.1 port {port}: "),
            "\nnobody-here@127.0.0.1: Permission denied (",
        ],
    );
    let output = attempt(&rig, &["-J", "nowhere.invalid"], None);
    tells(output, &["Could not resolve hostname nowhere.invalid: "]);
}
