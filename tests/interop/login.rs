//! Logging in with an agent and with signers: our client with sshd, OpenSSH's `ssh` and its agent with our server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::need;
use crate::peers::{account, key, peer, program, ssh, Agent, OurServer, Sshd, Token};
use crate::process::{run, Output, Scratch, LIMIT};

const KEYS: [&str; 5] = [
    "user_ed25519",
    "user_ecdsa256",
    "user_ecdsa384",
    "user_ecdsa521",
    "user_rsa",
];
const HOSTBOUND: &str = "publickey-hostbound-v00@openssh.com";

/// The probe; `words` are order, tries and keys.
fn login(port: u16, user: &str, agent: Option<&Path>, words: &[&str]) -> Output {
    let mut command = Command::new(program("login"));
    command
        .args([&port.to_string(), user])
        .arg(key("host_ed25519").with_extension("pub"))
        .args(words)
        .env_remove("SSH_AUTH_SOCK");
    if let Some(agent) = agent {
        command.env("SSH_AUTH_SOCK", agent);
    }
    run(&mut command, b"", LIMIT)
}

fn public(name: &str) -> String {
    let path = key(name).with_extension("pub");
    path.to_str().expect("UTF-8").to_owned()
}

fn private(name: &str) -> String {
    key(name).to_str().expect("UTF-8").to_owned()
}

/// An sshd that lets these keys in, and says which methods were used.
fn sshd(scratch: &Scratch, keys: &[&str], extra: &str) -> Sshd {
    let lines: String = keys
        .iter()
        .map(|name| fs::read_to_string(public(name)).expect("public key"))
        .collect();
    let authorized = scratch.write("only_these", &lines);
    let extra = format!(
        "LogLevel DEBUG1\nAuthorizedKeysFile {}\n{extra}",
        authorized.display()
    );
    Sshd::start(scratch, &extra)
}

#[test]
fn each_type_of_key_through_the_agent() {
    need!("SSHD", "ACCOUNT", "SSH_AGENT", "SSH_ADD");
    let (user, _) = account();
    for name in KEYS {
        let scratch = Scratch::new();
        let agent = Agent::start(&scratch);
        agent.add(name);
        let sshd = sshd(&scratch, &[name], "");
        let output = login(sshd.port, &user, Some(&agent.socket), &["agent", "0"]);
        assert_eq!(output.text(), "in\n", "{name}: {}", sshd.log());
        let log = sshd.log();
        assert!(log.contains(&format!("method {HOSTBOUND}")), "{log}");
    }
}

#[test]
fn order_and_number_of_tries() {
    need!("SSHD", "ACCOUNT", "SSH_AGENT", "SSH_ADD");
    let (user, _) = account();
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    for name in KEYS {
        agent.add(name);
    }
    let sshd = sshd(&scratch, &["user_rsa"], "");
    let port = sshd.port;
    let tried = |words: &[&str]| login(port, &user, Some(&agent.socket), words).text();
    let refused = |words: &[&str]| {
        let text = tried(words);
        assert!(text.starts_with("SSH_ERR_AUTH"), "{text}");
    };
    // The one that is let in is the last that the agent has.
    refused(&["agent", "1"]);
    refused(&["agent", "4"]);
    assert_eq!(tried(&["agent", "5"]), "in\n");
    // Named, it comes first; the agent signs, for all that is named is its public half.
    assert_eq!(tried(&["agent", "1", &public("user_rsa")]), "in\n");
    assert_eq!(tried(&["only", "1", &public("user_rsa")]), "in\n");
    refused(&["only", "0", &public("user_ed25519")]);
    refused(&[
        "agent",
        "1",
        &private("user_stranger"),
        &private("user_ed25519"),
    ]);
    // Files come before or behind what else the agent has.
    refused(&["named", "1", &private("user_stranger"), &public("user_rsa")]);
    assert_eq!(
        tried(&["named", "2", &private("user_stranger"), &public("user_rsa")]),
        "in\n"
    );
    assert_eq!(
        tried(&["agent", "1", &private("user_stranger"), &public("user_rsa")]),
        "in\n"
    );
}

#[test]
fn many_keys_leave_room_for_another_method() {
    need!("SSHD", "ACCOUNT", "SSH_AGENT", "SSH_ADD", "SSH_KEYGEN");
    let (user, _) = account();
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    for number in 0..8 {
        let path = scratch.file(&format!("stranger{number}"));
        let mut command = peer("SSH_KEYGEN");
        command
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&path);
        run(&mut command, b"", LIMIT).expect_code(0);
        agent.add_file(&path);
    }
    let sshd = sshd(&scratch, &["user_rsa"], "MaxAuthTries 6");
    let output = login(sshd.port, &user, Some(&agent.socket), &["agent", "0"]);
    let text = output.text();
    assert!(text.starts_with("SSH_ERR_AUTH"), "{text}");
    assert!(text.contains("password"), "{text}");
}

#[test]
fn without_an_agent_files_are_left() {
    need!("SSHD", "ACCOUNT", "SSH_AGENT", "SSH_ADD");
    let (user, _) = account();
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    let sshd = sshd(&scratch, &["user_ed25519"], "");
    let (nobody, silent) = (scratch.file("nobody"), scratch.file("silent"));
    let _never_answers = UnixListener::bind(&silent).expect("a socket");
    let file = private("user_ed25519");
    for socket in [None, Some(&nobody), Some(&silent), Some(&agent.socket)] {
        let socket = socket.map(PathBuf::as_path);
        let output = login(sshd.port, &user, socket, &["agent", "0", &file]);
        assert_eq!(output.text(), "in\n");
    }
    let output = login(sshd.port, &user, Some(&agent.socket), &["agent", "0"]);
    let text = output.text();
    assert!(
        text.contains("SSH_ERR_AUTH") && text.contains("no key"),
        "{text}"
    );
    agent.add("user_ed25519");
    agent.ssh_add(&["-q", "-D"]).expect_code(0);
    agent.add("user_stranger");
    let output = login(
        sshd.port,
        &user,
        Some(&agent.socket),
        &["agent", "0", &file],
    );
    assert_eq!(output.text(), "in\n");
}

#[test]
fn signers_of_the_programs() {
    need!("SSHD", "ACCOUNT");
    let (user, _) = account();
    let scratch = Scratch::new();
    let sshd = sshd(&scratch, &KEYS, "");
    for name in KEYS {
        let slow = format!("slow:{}", private(name));
        let output = login(sshd.port, &user, None, &["only", "0", &slow]);
        assert_eq!(output.text(), "in\n", "{name}");
    }
}

#[test]
fn keys_that_are_held_to_their_destination() {
    need!("SSHD", "ACCOUNT", "SSH_AGENT", "SSH_ADD");
    let (user, _) = account();
    let scratch = Scratch::new();
    let sshd = sshd(&scratch, &["user_ed25519"], "");
    for (host, text) in [("host_ed25519", "in\n"), ("host_rsa", "SSH_ERR")] {
        let own = Scratch::new();
        let agent = Agent::start(&own);
        let line = fs::read_to_string(public(host)).expect("host key");
        let known = own.write("known", &format!("destination {line}"));
        let added = agent.ssh_add(&[
            "-q",
            "-H",
            known.to_str().expect("UTF-8"),
            "-h",
            "destination",
            &private("user_ed25519"),
        ]);
        added.expect_code(0);
        let output = login(sshd.port, &user, Some(&agent.socket), &["agent", "0"]);
        assert!(output.text().starts_with(text), "{host}: {}", output.text());
    }
}

#[test]
fn security_keys_through_an_agent() {
    need!("SSHD", "ACCOUNT");
    let (user, _) = account();
    for token in Token::all() {
        let scratch = Scratch::new();
        let agent = token.serve(&scratch.file("token"));
        let authorized = scratch.write("tokens", &token.line());
        let extra = format!("AuthorizedKeysFile {}", authorized.display());
        let sshd = Sshd::start(&scratch, &extra);
        let output = login(sshd.port, &user, Some(&agent), &["agent", "0"]);
        assert_eq!(output.text(), "in\n", "{}: {}", token.name(), sshd.log());
    }
}

#[test]
fn certificates_through_the_agent() {
    need!("SSHD", "ACCOUNT", "SSH_AGENT", "SSH_ADD", "SSH_KEYGEN");
    let (user, _) = account();
    for name in ["user_ed25519", "user_ecdsa256", "user_rsa"] {
        let scratch = Scratch::new();
        let path: PathBuf = scratch.file(name);
        for (from, to) in [
            (key(name), path.clone()),
            (key(name).with_extension("pub"), path.with_extension("pub")),
        ] {
            fs::copy(from, &to).expect("a copy");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("private");
        }
        let mut command = peer("SSH_KEYGEN");
        command
            .args(["-q", "-I", "test", "-n", &user, "-s"])
            .arg(key("host_ecdsa256"))
            .arg(path.with_extension("pub"));
        run(&mut command, b"", LIMIT).expect_code(0);
        let agent = Agent::start(&scratch);
        agent.add_file(&path);
        let authority = format!("TrustedUserCAKeys {}", public("host_ecdsa256"));
        let sshd = sshd(&scratch, &["user_stranger"], &authority);
        let output = login(sshd.port, &user, Some(&agent.socket), &["agent", "0"]);
        assert_eq!(output.text(), "in\n", "{name}: {}", sshd.log());
    }
}

#[test]
fn our_server_with_and_without_binding() {
    need!("SSH", "SSH_AGENT", "SSH_ADD");
    let (scratch, own) = (Scratch::new(), Scratch::new());
    let agent = Agent::start(&own);
    for name in KEYS {
        agent.add(name);
    }
    let server = OurServer::start(&scratch, &[]);
    for name in KEYS {
        let named = public(name);
        let output = login(
            server.port,
            "tester",
            Some(&agent.socket),
            &["only", "1", &named],
        );
        assert_eq!(output.text(), "in\n", "{name}: {}", server.log());
        for (option, method) in [("host-bound", HOSTBOUND), ("unbound", "publickey")] {
            let mut command = peer("SSH");
            for word in ssh(&server, &scratch, name).get_args() {
                match word.to_str() {
                    Some("IdentityAgent=none") => {
                        command.arg(format!("IdentityAgent={}", agent.socket.display()))
                    }
                    Some("LogLevel=ERROR") => command.arg("LogLevel=DEBUG3"),
                    _ => command.arg(word),
                };
            }
            command
                .arg("-o")
                .arg(format!("PubkeyAuthentication={option}"));
            command.args(["127.0.0.1", "echo in"]);
            let output = run(&mut command, b"", LIMIT).expect_code(0);
            assert_eq!(output.text(), "in\n");
            let used = format!("using {method} with");
            assert!(output.stderr.contains(&used), "{}", output.stderr);
        }
    }
}
