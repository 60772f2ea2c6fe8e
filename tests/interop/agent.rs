//! Our client of agents with OpenSSH's agent: it sees what `ssh-add` sees, and does what `ssh-add` does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::need;
use crate::peers::{key, peer, program, Agent};
use crate::process::{run, Output, Scratch, LIMIT};

/// Every type of key that the agent takes, with the algorithms it signs by, the strongest first.
const KEYS: [(&str, &[&str]); 5] = [
    ("user_ed25519", &["ssh-ed25519"]),
    ("user_ecdsa256", &["ecdsa-sha2-nistp256"]),
    ("user_ecdsa384", &["ecdsa-sha2-nistp384"]),
    ("user_ecdsa521", &["ecdsa-sha2-nistp521"]),
    ("user_rsa", &["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]),
];

fn probe(agent: &Agent, arguments: &[&str]) -> Output {
    let mut command = Command::new(program("agent"));
    command.arg(&agent.socket).args(arguments);
    run(&mut command, b"", LIMIT)
}

/// What the agent has, as our client sees it: type, fingerprint, comment, public line.
fn listed(agent: &Agent) -> Vec<(String, String, String, String)> {
    let output = probe(agent, &["list"]).expect_code(0);
    let text = output.text();
    let parse = |line: &str| {
        let (words, public) = line.split_once('|').expect("two parts");
        let mut words = words.splitn(3, ' ').map(str::to_owned);
        let mut next = || words.next().expect("three words");
        (next(), next(), next(), public.to_owned())
    };
    text.lines().map(parse).collect()
}

/// Both see the same keys in the same order.
fn assert_same(agent: &Agent) {
    let ours = listed(agent);
    let short: Vec<_> = ours
        .iter()
        .map(|(_, fingerprint, comment, _)| format!("{fingerprint} {comment}"))
        .collect();
    let theirs: Vec<_> = agent
        .lines("-l")
        .iter()
        .map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            words[1..words.len() - 1].join(" ")
        })
        .collect();
    let certificates = ours.iter().any(|(kind, ..)| kind.contains("-cert-"));
    if !certificates {
        // Of a certificate ssh-add shows the fingerprint of the key inside.
        assert_eq!(short, theirs);
    }
    for (line, (kind, _, comment, public)) in agent.lines("-L").iter().zip(&ours) {
        assert!(line.starts_with(&format!("{kind} ")), "{line}");
        assert!(line.ends_with(comment.as_str()), "{line}");
        assert!(public.is_empty() || public == line, "{line}");
    }
    assert_eq!(agent.lines("-L").len(), ours.len());
}

#[test]
fn keys_of_every_type_are_listed_and_sign() {
    need!("SSH_AGENT", "SSH_ADD");
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    assert_same(&agent);
    for (name, _) in KEYS {
        agent.add(name);
        assert_same(&agent);
    }
    for (index, (_, algorithms)) in KEYS.iter().enumerate() {
        let index = index.to_string();
        for algorithm in *algorithms {
            let output = probe(&agent, &["sign", &index, algorithm]).expect_code(0);
            assert_eq!(output.text(), format!("{algorithm} good\n"));
        }
        let output = probe(&agent, &["sign", &index, "-"]).expect_code(0);
        assert_eq!(output.text(), format!("{} good\n", algorithms[0]));
    }
    let output = probe(&agent, &["sign", "0", "rsa-sha2-256"]).expect_code(1);
    assert!(
        output.stderr.contains("SSH_ERR_KEY_UNSUPPORTED"),
        "{}",
        output.stderr
    );
}

#[test]
fn keys_of_every_type_are_added_and_removed() {
    need!("SSH_AGENT", "SSH_ADD");
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    for (name, _) in KEYS {
        let path = key(name);
        let path = path.to_str().expect("UTF-8");
        probe(&agent, &["add", path, "0", "0"]).expect_code(0);
        let public = fs::read_to_string(key(name).with_extension("pub")).expect("public key");
        let last = agent.lines("-L").pop().expect("one more");
        assert_eq!(last, public.trim_end());
    }
    assert_same(&agent);
    // They are whole: ssh-add has the agent sign with each and checks that.
    for (name, _) in KEYS {
        let public = key(name).with_extension("pub");
        agent
            .ssh_add(&["-T", public.to_str().expect("UTF-8")])
            .expect_code(0);
    }
    probe(&agent, &["remove", "1"]).expect_code(0);
    assert_eq!(listed(&agent).len(), KEYS.len() - 1);
    assert_same(&agent);
    probe(&agent, &["remove-all"]).expect_code(0);
    assert_eq!(listed(&agent), []);
    let output = probe(&agent, &["remove", "0"]).expect_code(1);
    assert!(
        output.stderr.contains("SSH_ERR_DENIED"),
        "{}",
        output.stderr
    );
}

#[test]
fn lifetimes_end() {
    need!("SSH_AGENT", "SSH_ADD");
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    let path = key("user_ed25519");
    probe(&agent, &["add", path.to_str().expect("UTF-8"), "1", "0"]).expect_code(0);
    let end = Instant::now() + LIMIT;
    while !listed(&agent).is_empty() {
        assert!(Instant::now() < end, "the key stays");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_person_who_is_asked_may_say_no() {
    need!("SSH_AGENT", "SSH_ADD");
    let path = key("user_ed25519");
    for (answer, code) in [("true", 0), ("false", 1)] {
        let scratch = Scratch::new();
        let person = scratch.write("person", &format!("#!/bin/sh\nexec {answer}\n"));
        fs::set_permissions(&person, fs::Permissions::from_mode(0o755)).expect("a program");
        let agent = Agent::start_with(&scratch, |command| {
            command
                .env("SSH_ASKPASS", &person)
                .env("SSH_ASKPASS_REQUIRE", "force")
                .env("DISPLAY", ":0");
        });
        probe(&agent, &["add", path.to_str().expect("UTF-8"), "0", "1"]).expect_code(0);
        let output = probe(&agent, &["sign", "0", "-"]).expect_code(code);
        assert_eq!(output.stderr.contains("SSH_ERR_DENIED"), code == 1);
    }
}

#[test]
fn locked_agents_keep_still() {
    need!("SSH_AGENT", "SSH_ADD");
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    agent.add("user_ed25519");
    probe(&agent, &["lock", "secret"]).expect_code(0);
    assert_eq!(listed(&agent), []);
    let again = probe(&agent, &["lock", "other"]).expect_code(1);
    assert!(again.stderr.contains("SSH_ERR_DENIED"), "{}", again.stderr);
    let wrong = probe(&agent, &["unlock", "secrets"]).expect_code(1);
    assert!(wrong.stderr.contains("SSH_ERR_DENIED"), "{}", wrong.stderr);
    probe(&agent, &["unlock", "secret"]).expect_code(0);
    assert_eq!(listed(&agent).len(), 1);
}

/// Copies a user key into the scratch folder and has ssh-keygen certify it.
fn certified(scratch: &Scratch, name: &str) -> PathBuf {
    let path = scratch.file(name);
    for (from, to) in [
        (key(name), path.clone()),
        (key(name).with_extension("pub"), path.with_extension("pub")),
    ] {
        fs::copy(from, &to).expect("a copy");
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("private");
    }
    let mut command = peer("SSH_KEYGEN");
    command
        .args(["-q", "-I", "test", "-n", "tester", "-s"])
        .arg(key("host_ed25519"))
        .arg(path.with_extension("pub"));
    run(&mut command, b"", LIMIT).expect_code(0);
    path
}

#[test]
fn certificates_are_listed_sign_and_are_added() {
    need!("SSH_AGENT", "SSH_ADD", "SSH_KEYGEN");
    for (name, algorithms) in KEYS {
        let (scratch, other) = (Scratch::new(), Scratch::new());
        let path = certified(&scratch, name);
        let agent = Agent::start(&scratch);
        agent.add_file(&path);
        assert_same(&agent);
        let kind = &listed(&agent)[1].0;
        assert!(kind.ends_with("-cert-v01@openssh.com"), "{kind}");
        for algorithm in algorithms {
            let output = probe(&agent, &["sign", "1", algorithm]).expect_code(0);
            assert_eq!(output.text(), format!("{algorithm}\n"));
            let certified = format!("{algorithm}-cert-v01@openssh.com");
            let output = probe(&agent, &["sign", "1", &certified]).expect_code(0);
            assert_eq!(output.text(), format!("{algorithm}\n"));
        }
        // The same, added by us.
        let second = Agent::start(&other);
        let file = scratch.file(&format!("{name}-cert.pub"));
        let (path, file) = (path.to_str().expect("UTF-8"), file.to_str().expect("UTF-8"));
        probe(&second, &["add", path, "0", "0"]).expect_code(0);
        probe(&second, &["add", path, "0", "0", file]).expect_code(0);
        assert_eq!(agent.lines("-L"), second.lines("-L"));
        let output = probe(&second, &["sign", "1", "-"]).expect_code(0);
        assert_eq!(output.text(), format!("{}\n", algorithms[0]));
    }
}

#[test]
fn the_agent_of_the_environment_and_none_at_all() {
    need!("SSH_AGENT", "SSH_ADD");
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    agent.add("user_ed25519");
    let mut command = Command::new(program("agent"));
    command
        .env("SSH_AUTH_SOCK", &agent.socket)
        .args(["", "list"]);
    let output = run(&mut command, b"", LIMIT).expect_code(0);
    assert_eq!(output.text().lines().count(), 1);
    let mut command = Command::new(program("agent"));
    command.env_remove("SSH_AUTH_SOCK").args(["", "list"]);
    let output = run(&mut command, b"", LIMIT).expect_code(1);
    assert!(output.stderr.contains("SSH_AUTH_SOCK"), "{}", output.stderr);
    let mut command = Command::new(program("agent"));
    command.arg(scratch.file("nobody")).arg("list");
    let output = run(&mut command, b"", LIMIT).expect_code(1);
    assert!(output.stderr.contains("SSH_ERR_AGENT"), "{}", output.stderr);
    assert!(output.stderr.contains("nobody"), "{}", output.stderr);
}
