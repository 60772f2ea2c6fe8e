//! authorized_keys files: the same lines let in, and permit the same, as for sshd.

use std::path::Path;
use std::process::Command;

use crate::need;
use crate::peers::{account, key, peer, OurServer, Sshd};
use crate::process::{run, Output, Scratch, LIMIT};

/// What stands in front of the key of a user. Where sshd and we part on purpose is in `docs/internals/certificates.md`.
const OPTIONS: [&str; 34] = [
    "",
    "restrict",
    "ReStrict,PTY",
    "no-pty",
    "NO-PTY,No-X11-Forwarding,no-agent-forwarding,no-user-rc",
    "restrict,port-forwarding",
    "no-port-forwarding",
    "command=\"echo forced\"",
    "command=\"echo \\\"a  b\\\" '\\\\' # x\"",
    "restrict,command=\"echo $SSH_ORIGINAL_COMMAND\"",
    "command=\"echo a\",command=\"echo b\"",
    "command=echo",
    "command=\"echo x",
    "command=\"echo x\\\"",
    "command=\"\"",
    "from=\"127.0.0.1\"",
    "from=\"127.0.0.0/8\"",
    "from=\"10.0.0.0/8\"",
    "from=\"127.0.0.*,10.*\"",
    "from=\"*,!127.0.0.1\"",
    "from=\"!10.*,*\"",
    "from=\"!10.*\"",
    "from=\"127.0.0.1/33\"",
    "from=\"127.0.0.1\",from=\"127.0.0.1\"",
    "expiry-time=\"20200101\"",
    "expiry-time=\"209901011200\"",
    "expiry-time=\"soon\"",
    "unknown",
    "unknown=\"x\"",
    "no-restrict",
    "pty pty",
    "environment=\"A=b\",tunnel=\"0\",no-touch-required",
    "principals=\"x\"",
    "cert-authority",
];

/// `ssh` to whatever listens on a port, which need not be known: who is let in is the question here.
fn ssh(port: u16, user: &str, arguments: &[&str]) -> Output {
    let mut command = ssh_with(port, user, &key("user_ed25519"));
    run(command.args(arguments), b"", LIMIT)
}

/// With the key of a file, and the certificate beside it.
fn ssh_with(port: u16, user: &str, identity: &Path) -> Command {
    let mut command = peer("SSH");
    command.args(["-F", "none", "-p", &port.to_string(), "-l", user, "-i"]);
    command.arg(identity);
    for option in [
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
    ] {
        command.args(["-o", option]);
    }
    command
}

/// The line of a key of ours, without its comment.
fn words(name: &str) -> String {
    let line = std::fs::read_to_string(key(name).with_extension("pub")).expect("a public key");
    let words: Vec<_> = line.split_whitespace().take(2).collect();
    words.join(" ")
}

/// Both servers over one file.
struct Both {
    sshd: Sshd,
    ours: OurServer,
    account: String,
}

impl Both {
    fn start(scratch: &Scratch, file: &Path) -> Self {
        let sshd = Sshd::start(scratch, &format!("AuthorizedKeysFile {}", file.display()));
        let path = file.to_str().expect("a path of ours");
        let mut command = Command::new(crate::peers::program("server"));
        command.args(["--listen", "127.0.0.1:0", "--shell", "/bin/sh", "--forward"]);
        command.arg("--host-key").arg(key("host_ed25519"));
        command.args(["-v", "-v", "--authorized-keys", path]);
        Both {
            sshd,
            ours: OurServer::start_command(scratch, command),
            account: account().0,
        }
    }

    /// What comes of the same with each: theirs, ours.
    fn compare(&self, arguments: &[&str]) -> [(Option<i32>, String); 2] {
        [
            ssh(self.sshd.port, &self.account, arguments),
            ssh(self.ours.port, "tester", arguments),
        ]
        .map(|output| (output.code(), output.text()))
    }
}

#[test]
fn the_same_lines_let_in_as_for_sshd() {
    need!("SSHD", "SSH", "ACCOUNT");
    let scratch = Scratch::new();
    // A line that is always there, so that the file is never without a key.
    let other = words("user_rsa");
    let file = scratch.write("authorized", &other);
    let both = Both::start(&scratch, &file);
    let good = words("user_ed25519");
    let mut seen = std::collections::BTreeSet::new();
    for options in OPTIONS {
        scratch.write("authorized", &format!("{other}\n{options} {good}\n"));
        let [theirs, ours] = both.compare(&["127.0.0.1", "echo in"]);
        assert_eq!(ours, theirs, "{options}: {}", both.ours.log());
        seen.insert(theirs.0);
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    for lines in [
        format!("unknown {good}\nno-pty {good}"),
        format!("from=\"10.*\" {good}\ncommand=\"echo second\" {good}"),
        format!("command=\"echo first\" {good}\n{good}"),
        format!(" \t# x\n\t {good}  a  comment "),
        format!("# {good}"),
        format!("{good}\r"),
        format!("command=\"echo x\" \t {good}"),
        format!("ssh-rsa {}", good.replacen("ssh-ed25519 ", "", 1)),
    ] {
        scratch.write("authorized", &format!("{other}\n{lines}\n"));
        let [theirs, ours] = both.compare(&["127.0.0.1", "echo in"]);
        assert_eq!(ours, theirs, "{lines}: {}", both.ours.log());
    }
}

#[test]
fn the_same_is_permitted_as_by_sshd() {
    need!("SSHD", "SSH", "ACCOUNT");
    let scratch = Scratch::new();
    let file = scratch.write("authorized", &words("user_rsa"));
    let both = Both::start(&scratch, &file);
    let good = words("user_ed25519");
    let port = both.sshd.port;
    let target = format!("127.0.0.1:{port}");
    let mut seen = std::collections::BTreeSet::new();
    for options in [
        "pty".to_owned(),
        "no-pty".to_owned(),
        "restrict".to_owned(),
        "restrict,port-forwarding".to_owned(),
        "no-port-forwarding".to_owned(),
        format!("permitopen=\"127.0.0.1:{port}\""),
        "permitopen=\"127.0.0.1:1\"".to_owned(),
        "permitopen=\"127.0.0.1:*\"".to_owned(),
        format!("permitopen=\"other:{port}\",permitopen=\"x:1\""),
        format!("restrict,permitopen=\"127.0.0.1:{port}\""),
        "permitlisten=\"localhost:1\"".to_owned(),
    ] {
        scratch.write("authorized", &format!("{options} {good}\n"));
        let whole = both.compare(&["-W", &target, "127.0.0.1"]);
        let [theirs, ours] = whole.map(|(_, text)| text.starts_with("SSH-2.0"));
        assert_eq!(ours, theirs, "{options}: opening");
        seen.insert(theirs);
        let listen = [
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            "0:127.0.0.1:1",
            "127.0.0.1",
            "true",
        ];
        let [theirs, ours] = both.compare(&listen).map(|(code, _)| code);
        assert_eq!(ours, theirs, "{options}: listening");
        let terminal = both.compare(&["-tt", "127.0.0.1", "tty"]);
        let [theirs, ours] = terminal.map(|(_, text)| text.contains("/dev/pts"));
        assert_eq!(ours, theirs, "{options}: terminal");
    }
    assert_eq!(seen.len(), 2);
}

/// A certificate for the key of the tests, beside a copy of it.
fn certify(scratch: &Scratch, authority: &str, options: &[&str]) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let identity = scratch.file("certified");
    for ending in ["", ".pub"] {
        let from = format!("{}{ending}", key("user_ed25519").display());
        let to = format!("{}{ending}", identity.display());
        std::fs::copy(from, &to).expect("a key");
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).expect("mode");
    }
    let mut command = peer("SSH_KEYGEN");
    command
        .args(["-q", "-I", "an id", "-s"])
        .arg(key(authority));
    command.args(options).arg(identity.with_extension("pub"));
    run(&mut command, b"", LIMIT).expect_code(0);
    identity
}

/// Lines with `cert-authority`, and certificates for them. USER is the name of the account.
const CERTIFIED: [(&str, &[&str]); 17] = [
    ("cert-authority CA", &["-n", "USER"]),
    ("cert-authority CA", &["-n", "somebody"]),
    ("cert-authority CA", &["-n", "USER", "-V", "-2h:-1h"]),
    ("cert-authority CA", &["-n", "USER", "-V", "+1h:+2h"]),
    (
        "cert-authority CA",
        &["-n", "USER", "-O", "source-address=192.0.2.0/24"],
    ),
    (
        "cert-authority CA",
        &["-n", "USER", "-O", "source-address=127.0.0.0/8"],
    ),
    (
        "cert-authority CA",
        &["-n", "USER", "-O", "force-command=echo forced"],
    ),
    (
        "cert-authority CA",
        &["-n", "USER", "-O", "critical:new@example.org"],
    ),
    ("cert-authority CA", &["-h", "-n", "USER"]),
    ("cert-authority OTHER", &["-n", "USER"]),
    ("CA", &["-n", "USER"]),
    (
        "cert-authority,principals=\"admin,root\" CA",
        &["-n", "admin"],
    ),
    (
        "cert-authority,principals=\"admin,root\" CA",
        &["-n", "USER"],
    ),
    ("cert-authority,from=\"10.0.0.0/8\" CA", &["-n", "USER"]),
    ("cert-authority,command=\"echo line\" CA", &["-n", "USER"]),
    (
        "cert-authority,command=\"echo one\" CA",
        &["-n", "USER", "-O", "force-command=echo two"],
    ),
    (
        "cert-authority,principals=\"x\" CA|cert-authority CA",
        &["-n", "USER"],
    ),
];

#[test]
fn a15_the_same_certificates_let_in_by_lines_as_by_sshd() {
    need!("SSHD", "SSH", "SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let file = scratch.write("authorized", &words("user_rsa"));
    let both = Both::start(&scratch, &file);
    let mut seen = std::collections::BTreeSet::new();
    for (lines, options) in CERTIFIED {
        let lines = lines
            .replace("CA", &words("user_ecdsa256"))
            .replace("OTHER", &words("user_ecdsa384"))
            .replace('|', "\n");
        scratch.write("authorized", &format!("{}\n{lines}\n", words("user_rsa")));
        let attempt = |port: u16, user: &str| {
            let named: Vec<_> = options
                .iter()
                .map(|word| word.replace("USER", user))
                .collect();
            let named: Vec<_> = named.iter().map(String::as_str).collect();
            let identity = certify(&scratch, "user_ecdsa256", &named);
            let mut command = ssh_with(port, user, &identity);
            let output = run(command.args(["127.0.0.1", "echo in"]), b"", LIMIT);
            (output.code(), output.text())
        };
        let theirs = attempt(both.sshd.port, &both.account);
        let ours = attempt(both.ours.port, "tester");
        assert_eq!(ours, theirs, "{lines} {options:?}: {}", both.ours.log());
        seen.insert(theirs);
    }
    assert!(seen.len() >= 4, "{seen:?}");
}
