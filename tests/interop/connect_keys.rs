//! `ssh_connect_config`: which keys it shows to a real sshd, in which order, and what a person is asked and told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::need;
use crate::peers::{account, key, peer, program, Agent, Sshd, PASSPHRASE};
use crate::process::{run, Output, Scratch, LIMIT};

/// An sshd, and keys of a user in a folder of their own.
struct Place {
    scratch: Scratch,
    sshd: Sshd,
    user: String,
}

/// What a key of its kind is asked about: SSH_REQUEST_PROMPTS and SSH_REQUEST_PASSPHRASE.
const PROMPTS: &str = "asked 2 ";
const ASKED: &str = "asked 4 ";

impl Place {
    /// `extra` goes into the configuration of sshd, which trusts an authority and takes no passwords.
    fn new(extra: &str) -> Self {
        let scratch = Scratch::new();
        keygen(
            &["-q", "-t", "ed25519", "-N", "", "-f"],
            &scratch.file("authority"),
        );
        let authority = scratch.file("authority.pub");
        let extra = format!(
            "{extra}\nTrustedUserCAKeys {}\nPasswordAuthentication no\n",
            authority.display()
        );
        Place {
            sshd: Sshd::start(&scratch, &extra),
            user: account().0,
            scratch,
        }
    }

    /// A copy of a key of `build/peers/keys`, which its owner alone may read.
    fn copy(&self, name: &str) -> PathBuf {
        let path = self.scratch.file(name);
        fs::copy(key(name), &path).expect("a key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
        path
    }

    /// A new key that sshd does not know.
    fn stranger(&self, name: &str) -> PathBuf {
        let path = self.scratch.file(name);
        keygen(&["-q", "-t", "ed25519", "-C", name, "-N", "", "-f"], &path);
        path
    }

    /// Has the authority certify a key for the user.
    fn certify(&self, path: &Path) -> PathBuf {
        let authority = self.scratch.file("authority").display().to_string();
        let words = ["-q", "-I", "test", "-n", &self.user, "-s", &authority];
        keygen(&words, &path.with_extension("pub"));
        self.scratch.file(&format!(
            "{}-cert.pub",
            path.file_name()
                .and_then(|name| name.to_str())
                .expect("a name")
        ))
    }

    /// The configuration: `lines`, then what all have in common.
    fn config(&self, lines: &str) -> PathBuf {
        let text = format!(
            "{lines}\n\
             HostName 127.0.0.1\nPort {}\nUser {}\nUserKnownHostsFile {}\nGlobalKnownHostsFile none\n\
             StrictHostKeyChecking accept-new\nUpdateHostKeys no\nIdentityFile none\n",
            self.sshd.port,
            self.user,
            self.scratch.file("known").display(),
        );
        self.scratch.write("config", &text)
    }

    fn go_with(&self, agent: Option<&Agent>, lines: &str, answers: &[&str]) -> Output {
        let mut command = Command::new(program("connect"));
        command
            .arg(self.config(lines))
            .args(["there", "whoami; echo $SSH_AUTH_SOCK"])
            .args(answers);
        match agent {
            Some(agent) => command.env("SSH_AUTH_SOCK", &agent.socket),
            None => command.env_remove("SSH_AUTH_SOCK"),
        };
        run(&mut command, b"", LIMIT)
    }

    /// Gets in, and returns what was asked meanwhile and the agent's socket there.
    #[track_caller]
    fn is_in(&self, agent: Option<&Agent>, lines: &str, answers: &[&str]) -> (String, String) {
        let output = self.go_with(agent, lines, answers).expect_code(0);
        let text = output.text();
        let mut words = text.lines();
        assert_eq!(words.next(), Some(self.user.as_str()), "{text}");
        (output.stderr, words.next().unwrap_or_default().to_owned())
    }

    /// Is not let in; the reason and what was asked before.
    #[track_caller]
    fn is_out(&self, agent: Option<&Agent>, lines: &str, answers: &[&str]) -> String {
        self.go_with(agent, lines, answers).expect_code(255).stderr
    }

    /// The fingerprints of the keys that sshd was asked about since it had written `before` bytes, in their order. It
    /// writes one line for each that it refuses, and for the one that it takes.
    fn shown_since(&self, before: usize) -> Vec<String> {
        let log = self.sshd.log();
        let lines = log.get(before..).unwrap_or_default().lines();
        lines
            .filter(|line| {
                line.starts_with("Failed publickey") || line.starts_with("Accepted publickey")
            })
            .map(|line| line.rsplit(" ssh2: ").next().unwrap_or_default().to_owned())
            .collect()
    }
}

fn keygen(words: &[&str], path: &Path) {
    let mut command = peer("SSH_KEYGEN");
    command.args(words).arg(path);
    run(&mut command, b"", LIMIT).expect_code(0);
}

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[test]
fn keys_that_only_the_agent_has() {
    need!("SSHD", "SSH_AGENT", "SSH_ADD", "SSH_KEYGEN", "ACCOUNT");
    let place = Place::new("");
    let agent = Agent::start(&place.scratch);
    let told = place.is_out(Some(&agent), "", &[]);
    assert!(told.contains("has no keys; add one with ssh-add"), "{told}");
    agent.add("user_ed25519");
    place.is_in(Some(&agent), "", &[]);
    // Named by its public half.
    let public = key("user_ed25519").with_extension("pub");
    let named = format!("IdentitiesOnly yes\nIdentityFile {}\n", public.display());
    place.is_in(Some(&agent), &named, &[]);
    let by_variable = format!("IdentityAgent {}\n", agent.socket.display());
    place.is_in(None, &by_variable, &[]);
    let told = place.is_out(Some(&agent), "IdentitiesOnly yes\n", &[]);
    assert!(told.contains("there was nothing to log in with"), "{told}");
    let told = place.is_out(Some(&agent), "IdentityAgent none\n", &[]);
    assert!(told.contains("there was nothing to log in with"), "{told}");
    // Agents that are not there, and one without the key.
    let told = place.is_out(None, "", &[]);
    assert!(told.contains("SSH_AUTH_SOCK is not set"), "{told}");
    let told = place.is_out(None, "IdentityAgent /none/agent\n", &[]);
    assert!(
        told.contains("no agent at /none/agent: No such file"),
        "{told}"
    );
    let other = key("user_rsa").with_extension("pub");
    let told = place.is_out(
        Some(&agent),
        &format!("IdentitiesOnly yes\nIdentityFile {}\n", other.display()),
        &[],
    );
    assert!(told.contains("add that with ssh-add"), "{told}");
    // A file serves where the agent cannot.
    let file = place.copy("user_ed25519");
    place.is_in(
        None,
        &format!("IdentityAgent /none\nIdentityFile {}\n", file.display()),
        &[],
    );
}

#[test]
fn passphrases_are_asked_for_when_the_key_is_wanted() {
    need!("SSHD", "SSH_AGENT", "SSH_ADD", "SSH_KEYGEN", "ACCOUNT");
    let place = Place::new("");
    let encrypted = place.copy("user_encrypted");
    let lines = format!("IdentityFile {}\n", encrypted.display());
    let (asked, _) = place.is_in(None, &lines, &["wrong", PASSPHRASE]);
    assert_eq!(count(&asked, ASKED), 2, "{asked}");
    let told = place.is_out(None, &lines, &["a", "b", "c", PASSPHRASE]);
    assert_eq!(count(&told, ASKED), 3, "{told}");
    assert!(told.contains("no passphrase fits"), "{told}");
    // The next key has its turn.
    let next = format!(
        "{lines}IdentityFile {}\n",
        place.copy("user_ed25519").display()
    );
    let (asked, _) = place.is_in(None, &next, &[""]);
    assert_eq!(count(&asked, ASKED), 1, "{asked}");
    // Nobody types for a server that refuses the key.
    let stranger = place.stranger("stranger");
    keygen(&["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f"], &stranger);
    let refused = format!("IdentityFile {}\n", stranger.display());
    let told = place.is_out(None, &refused, &[PASSPHRASE]);
    assert_eq!(count(&told, ASKED), 0, "{told}");
    assert!(told.contains("refused publickey (1 key)"), "{told}");
    assert!(told.contains("ssh-copy-id"), "{told}");
    // An agent that has it is asked instead, and gets it where that is wanted.
    let agent = Agent::start(&place.scratch);
    for (adds, answers, asks, kept) in [
        ("no", &[PASSPHRASE][..], 0, 0),
        ("ask", &[PASSPHRASE, "no"], 1, 0),
        ("ask", &[PASSPHRASE, "yes"], 1, 1),
        ("confirm 1h", &[PASSPHRASE], 0, 1),
        ("yes", &[PASSPHRASE], 0, 1),
    ] {
        let (asked, _) = place.is_in(
            Some(&agent),
            &format!("AddKeysToAgent {adds}\n{lines}"),
            answers,
        );
        assert_eq!(
            (count(&asked, ASKED), count(&asked, PROMPTS)),
            (1, asks),
            "{asked}"
        );
        assert_eq!(agent.lines("-l").len(), kept, "{adds}");
        if adds == "yes" {
            let (asked, _) = place.is_in(Some(&agent), &lines, &[]);
            assert_eq!(count(&asked, ASKED), 0, "{asked}");
        }
        agent.ssh_add(&["-q", "-D"]).expect_code(0);
    }
}

#[test]
fn certificates_named_and_beside_keys() {
    need!("SSHD", "SSH_AGENT", "SSH_ADD", "SSH_KEYGEN", "ACCOUNT");
    let place = Place::new("");
    let stranger = place.stranger("stranger");
    let lines = format!("IdentityFile {}\n", stranger.display());
    place.is_out(None, &lines, &[]);
    let certificate = place.certify(&stranger);
    place.is_in(None, &lines, &[]);
    // Elsewhere, and the key in the agent alone.
    let named = place.scratch.file("named-cert.pub");
    fs::rename(&certificate, &named).expect("moved");
    let by_name = format!("CertificateFile {}\n", named.display());
    let told = place.is_out(None, &by_name, &[]);
    assert!(
        told.contains("neither the agent nor an IdentityFile has its key"),
        "{told}"
    );
    place.is_in(None, &format!("{by_name}{lines}"), &[]);
    let agent = Agent::start(&place.scratch);
    agent.add_file(&stranger);
    place.is_in(Some(&agent), &by_name, &[]);
    // An encrypted key is opened for its certificate.
    keygen(&["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f"], &stranger);
    let (asked, _) = place.is_in(None, &format!("{by_name}{lines}"), &[PASSPHRASE]);
    assert_eq!(count(&asked, ASKED), 1, "{asked}");
    let told = place.is_out(None, "CertificateFile /none\n", &[]);
    assert!(told.contains("/none does not exist"), "{told}");
}

#[test]
fn algorithms_that_are_accepted_limit_what_is_shown() {
    need!("SSHD", "SSH_KEYGEN", "ACCOUNT");
    let place = Place::new("LogLevel DEBUG2\n");
    let both = format!(
        "IdentityFile {}\nIdentityFile {}\n",
        place.copy("user_ed25519").display(),
        place.copy("user_rsa").display()
    );
    for (accepted, name) in [
        ("rsa-sha2-256", "rsa-sha2-256"),
        ("rsa-sha2-512,rsa-sha2-256", "rsa-sha2-512"),
        ("rsa-sha2-256,rsa-sha2-512", "rsa-sha2-256"),
        ("-ssh-ed25519", "rsa-sha2-512"),
        ("+ssh-rsa", "ssh-ed25519"),
        ("^rsa-sha2-256", "ssh-ed25519"),
    ] {
        let before = place.sshd.log().len();
        place.is_in(
            None,
            &format!("PubkeyAcceptedAlgorithms {accepted}\n{both}"),
            &[],
        );
        let log = place.sshd.log();
        let log = log.get(before..).unwrap_or_default();
        let asked = format!("public key {name} ");
        assert!(log.contains(&asked), "{accepted}: {log}");
    }
    let told = place.is_out(
        None,
        &format!("PubkeyAcceptedAlgorithms ecdsa-*\n{both}"),
        &[],
    );
    assert!(
        told.contains("PubkeyAcceptedAlgorithms leaves none"),
        "{told}"
    );
}

#[test]
fn a_server_that_has_enough_of_keys() {
    need!("SSHD", "SSH_AGENT", "SSH_ADD", "SSH_KEYGEN", "ACCOUNT");
    let place = Place::new("MaxAuthTries 3\n");
    let agent = Agent::start(&place.scratch);
    for name in ["1", "2", "3", "4"] {
        agent.add_file(&place.stranger(name));
    }
    agent.add("user_ed25519");
    let told = place.is_out(Some(&agent), "", &[]);
    assert!(told.contains("refused publickey (3 keys)"), "{told}");
    assert!(told.contains("Too many authentication failures"), "{told}");
    assert!(told.contains("set IdentitiesOnly yes"), "{told}");
    // Which is what helps.
    let public = key("user_ed25519").with_extension("pub");
    let named = format!("IdentitiesOnly yes\nIdentityFile {}\n", public.display());
    place.is_in(Some(&agent), &named, &[]);
}

#[test]
fn the_order_is_that_of_ssh() {
    need!(
        "SSHD",
        "SSH",
        "SSH_AGENT",
        "SSH_ADD",
        "SSH_KEYGEN",
        "ACCOUNT"
    );
    let place = Place::new("MaxAuthTries 100\n");
    let agent = Agent::start(&place.scratch);
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| place.stranger(name));
    let encrypted = place.stranger("encrypted");
    keygen(&["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f"], &encrypted);
    for file in [&a, &b, &c] {
        agent.add_file(file);
    }
    // What sshd takes must not end the list early.
    let authority = place.scratch.file("a").display().to_string();
    let lines = |files: &[&Path], more: &str| {
        let names = files
            .iter()
            .map(|file| format!("IdentityFile {}\n", file.display()));
        names.collect::<String>() + more
    };
    for (certified, lines) in [
        (vec![], lines(&[], "")),
        (vec![], lines(&[&c, &b, &d, &encrypted], "")),
        (
            vec![],
            lines(&[&c, &b, &d, &encrypted], "IdentitiesOnly yes\n"),
        ),
        (
            vec![],
            lines(&[&c.with_extension("pub")], "IdentitiesOnly yes\n"),
        ),
        (vec![&b, &d], lines(&[&c, &b, &d], "")),
        (vec![&b, &d], lines(&[&d, &b], "IdentitiesOnly yes\n")),
        (
            vec![],
            lines(
                &[&d],
                &format!(
                    "CertificateFile {}\n",
                    place.scratch.file("b-cert.pub").display()
                ),
            ),
        ),
    ] {
        for file in certified {
            let words = ["-q", "-I", "test", "-n", "nobody", "-s", &authority];
            keygen(&words, &file.with_extension("pub"));
        }
        let config = place.config(&lines);
        let before = place.sshd.log().len();
        let mut command = peer("SSH");
        command
            .arg("-F")
            .arg(config)
            .args(["-o", "BatchMode=yes", "there", "true"])
            .env("SSH_AUTH_SOCK", &agent.socket);
        run(&mut command, b"", LIMIT).expect_code(255);
        let theirs = place.shown_since(before);
        let before = place.sshd.log().len();
        place.is_out(Some(&agent), &lines, &[]);
        assert_eq!(place.shown_since(before), theirs, "{lines}");
        assert!(!theirs.is_empty());
    }
}

#[test]
fn the_agent_is_lent_as_the_configuration_says() {
    need!("SSHD", "SSH_AGENT", "SSH_ADD", "SSH_KEYGEN", "ACCOUNT");
    let place = Place::new("");
    let agent = Agent::start(&place.scratch);
    agent.add("user_ed25519");
    for (says, lent) in [
        ("", false),
        ("ForwardAgent no\n", false),
        ("ForwardAgent yes\n", true),
        ("ForwardAgent $SSH_AUTH_SOCK\n", true),
        ("ForwardAgent $NOT_SET_AT_ALL\n", false),
        ("ForwardAgent /none/agent\n", false),
    ] {
        let (_, socket) = place.is_in(Some(&agent), says, &[]);
        assert_eq!(!socket.is_empty(), lent, "{says}: {socket}");
    }
}
