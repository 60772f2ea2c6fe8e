//! Host keys that change: clients learn what a server proves to have and forget what it has no longer, with OpenSSH and
//! asyncssh at the other end, in both roles.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::need;
use crate::peers::{account, fingerprint, key, peer, program, root, OurServer, Sshd};
use crate::process::{run, Running, Scratch, LIMIT};

const TYPES: [&str; 5] = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"];

/// `TYPE BASE64` of a public key.
fn words(name: &str) -> String {
    let line = fs::read_to_string(key(name).with_extension("pub")).expect("a public key");
    let words: Vec<_> = line.split_whitespace().take(2).collect();
    words.join(" ")
}

/// The lines of a file without comments, in no order.
fn lines(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// A session that lasts until its input ends.
struct Session {
    child: Child,
    log: PathBuf,
}

impl Session {
    fn start(scratch: &Scratch, mut command: Command) -> Self {
        let log = scratch.file("session.log");
        let file = fs::File::create(&log).expect("log");
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Session { child, log }
    }

    /// Waits until `done`, at most for `limit`, ends the session, and says whether it came to that.
    #[track_caller]
    fn until(self, limit: Duration, done: impl Fn() -> bool) -> bool {
        self.until_then(limit, done, || {})
    }

    /// The same, and has the session end by `finish`.
    #[track_caller]
    fn until_then(
        mut self,
        limit: Duration,
        done: impl Fn() -> bool,
        finish: impl FnOnce(),
    ) -> bool {
        let end = Instant::now() + limit;
        while !done() && Instant::now() < end && self.child.try_wait().expect("wait").is_none() {
            thread::sleep(Duration::from_millis(10));
        }
        let is_done = done();
        finish();
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("wait");
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        assert!(status.success(), "{status}: {log}");
        is_done
    }
}

/// Long enough for what is not to happen, and no assertion: more of it only finds more.
const A_WHILE: Duration = Duration::from_millis(700);

/// A client with the port, the user, the file of known hosts and further options.
type Client = fn(u16, &str, &Path, &[&str]) -> Command;

/// Our client, which keeps what it is told.
fn our_client(port: u16, user: &str, known: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(program("exec"));
    command.args(["--batch", "-p", &port.to_string(), "-l", user, "-i"]);
    command
        .arg(key("user_ed25519"))
        .arg("--known-hosts")
        .arg(known);
    command
        .arg("--update-host-keys")
        .args(options)
        .args(["127.0.0.1", "cat"]);
    command
}

/// ssh, which does the same.
fn real_client(port: u16, user: &str, known: &Path, options: &[&str]) -> Command {
    let mut command = peer("SSH");
    command.args(["-F", "none", "-p", &port.to_string(), "-l", user, "-i"]);
    command.arg(key("user_ed25519"));
    let known = format!("UserKnownHostsFile={}", known.display());
    for option in [
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=yes",
        "HashKnownHosts=no",
        &known,
    ] {
        command.args(["-o", option]);
    }
    command.args(options).args(["127.0.0.1", "cat"]);
    command
}

/// What a file says before, and whether ssh changes it. HOST is the server's name with its port, GOOD its key, STALE a
/// key that it does not have, OTHER another one that it has.
const FORMS: [(&str, bool); 14] = [
    ("HOST GOOD", true),
    ("HOST GOOD|HOST STALE", true),
    ("# text|HOST GOOD|another STALE2|HOST STALE", true),
    ("hashed|HOST GOOD|HOST STALE", true),
    ("HOST,10.1.2.3 GOOD|HOST,10.1.2.3 STALE", true),
    ("HOST,10.1.2.3,there GOOD", false),
    ("127.0.0.1 GOOD", false),
    ("[127.0.0.1]:* GOOD", false),
    ("HOST GOOD|* STALE", false),
    ("HOST GOOD|@cert-authority HOST STALE", false),
    ("HOST GOOD|@revoked HOST STALE", false),
    ("HOST GOOD|another OTHER", false),
    ("HOST GOOD|another GOOD", false),
    ("HOST GOOD|HOST STALE|another STALE", false),
];

fn write_form(scratch: &Scratch, name: &str, form: &str, host: &str) -> PathBuf {
    let (hashed, form) = match form.strip_prefix("hashed|") {
        Some(form) => (true, form),
        None => (false, form),
    };
    let text: String = form
        .split('|')
        .map(|line| {
            let line = line
                .replace("HOST", host)
                .replace("GOOD", &words("host_ed25519"))
                .replace("STALE2", &words("user_ecdsa384"))
                .replace("STALE", &words("user_ecdsa256"))
                .replace("OTHER", &words("host_rsa"));
            line + "\n"
        })
        .collect();
    let file = scratch.write(name, &text);
    if hashed {
        let mut command = peer("SSH_KEYGEN");
        run(command.arg("-H").arg("-f").arg(&file), b"", LIMIT).expect_code(0);
    }
    file
}

/// The file after a session with either client must be the same, whatever it was before.
fn same_changes(port: u16, user: &str, told: &[&str]) {
    let scratch = Scratch::new();
    let host = format!("[127.0.0.1]:{port}");
    for (form, changes) in FORMS {
        let mut outcomes = Vec::new();
        let hashed = write_form(&scratch, "known_once", form, &host);
        for client in [our_client as Client, real_client] {
            let known = scratch.file("known_hosts");
            fs::copy(&hashed, &known).expect("copy");
            let before = lines(&known);
            let session = Session::start(&scratch, client(port, user, &known, &[]));
            let limit = if changes { LIMIT } else { A_WHILE };
            let is_changed = session.until(limit, || lines(&known) != before);
            assert_eq!(is_changed, changes, "{form}");
            outcomes.push(lines(&known));
        }
        assert_eq!(outcomes[0], outcomes[1], "{form}");
        if changes {
            let text = outcomes[0].iter().cloned().collect::<String>();
            for name in told {
                assert!(text.contains(&words(name)), "{name}: {text}");
            }
            assert!(!text.contains(&words("user_ecdsa256")), "{text}");
        }
    }
}

#[test]
fn our_client_keeps_of_sshd_what_ssh_keeps() {
    need!("SSHD", "SSH", "SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let told: Vec<_> = TYPES.iter().map(|kind| format!("host_{kind}")).collect();
    let told: Vec<_> = told.iter().map(String::as_str).collect();
    same_changes(sshd.port, &account().0, &told);
}

#[test]
fn ssh_keeps_of_our_server_what_our_client_keeps() {
    need!("SSH", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let next = key("user_stranger").display().to_string();
    let server = OurServer::start(&scratch, &["--next-host-key", &next]);
    let told: Vec<_> = TYPES.iter().map(|kind| format!("host_{kind}")).collect();
    let mut told: Vec<_> = told.iter().map(String::as_str).collect();
    told.push("user_stranger");
    same_changes(server.port, "tester", &told);
}

/// RSA keys prove themselves with the hash of the key exchange, to both clients by both servers.
#[test]
fn whatever_the_key_exchange_was_signed_with() {
    need!("SSHD", "SSH", "ACCOUNT");
    let (scratch, theirs) = (Scratch::new(), Scratch::new());
    let ours = OurServer::start(&scratch, &[]);
    let sshd = Sshd::start(&theirs, "");
    for (algorithm, shown) in [
        ("ssh-ed25519", "host_ed25519"),
        ("rsa-sha2-256", "host_rsa"),
        ("rsa-sha2-512", "host_rsa"),
    ] {
        for (port, user) in [(ours.port, "tester"), (sshd.port, account().0.as_str())] {
            // What is allowed is what the key exchange may use, so all are, and this one is known.
            let all = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256";
            let first = format!("{algorithm},{all}");
            let line = format!("[127.0.0.1]:{port} {}\n", words(shown));
            for is_ours in [true, false] {
                let known = scratch.write("known_hosts", &line);
                let command = if is_ours {
                    our_client(port, user, &known, &["--host-key-algorithms", &first])
                } else {
                    let option = format!("HostKeyAlgorithms={first}");
                    real_client(port, user, &known, &["-o", &option])
                };
                let session = Session::start(&scratch, command);
                let learnt = session.until(LIMIT, || lines(&known).len() == TYPES.len());
                assert!(learnt, "{algorithm} on {port}, ours: {is_ours}");
            }
        }
    }
}

/// A server that has a key to come, then uses it: no client is ever asked.
#[test]
fn a_key_that_was_told_of_is_known_when_it_comes() {
    need!("SSH");
    let scratch = Scratch::new();
    let clients: [(Client, &[&str]); 2] = [
        (our_client, &["--host-key-alias", "rotating"]),
        (real_client, &["-o", "HostKeyAlias=rotating"]),
    ];
    for (client, alias) in clients {
        let start = |host: &str, next: Option<&str>| {
            let mut command = Command::new(program("server"));
            command.env("TMPDIR", scratch.file(""));
            command.args([
                "--listen",
                "127.0.0.1:0",
                "--shell",
                "/bin/sh",
                "--host-key",
            ]);
            command.arg(key(host));
            if let Some(next) = next {
                command.arg("--next-host-key").arg(key(next));
            }
            command.arg("--authorized-keys").arg(key("authorized_keys"));
            OurServer::start_command(&scratch, command)
        };
        // Servers on several ports with one name.
        let known = scratch.file("known_hosts");
        let visit = |server: &OurServer, expected: &[&str]| {
            let wanted: BTreeSet<_> = expected
                .iter()
                .map(|key| format!("rotating {}", words(key)))
                .collect();
            let session = Session::start(&scratch, client(server.port, "tester", &known, alias));
            assert!(
                session.until(LIMIT, || lines(&known) == wanted),
                "{:?}",
                lines(&known)
            );
        };
        fs::write(&known, format!("rotating {}\n", words("host_ed25519"))).expect("write");
        visit(
            &start("host_ed25519", Some("user_stranger")),
            &["host_ed25519", "user_stranger"],
        );
        visit(
            &start("user_stranger", Some("host_ed25519")),
            &["host_ed25519", "user_stranger"],
        );
        visit(&start("user_stranger", None), &["user_stranger"]);
    }
}

/// `ssh_connect_config` with UpdateHostKeys.
#[test]
fn a_configuration_says_what_is_kept() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let identity = {
        use std::os::unix::fs::PermissionsExt;
        let path = scratch.file("identity");
        fs::copy(key("user_ed25519"), &path).expect("a key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
        path
    };
    let host = format!("[127.0.0.1]:{}", sshd.port);
    let stale = words("user_ecdsa256");
    for (settings, answer, learns) in [
        ("UpdateHostKeys yes", "", true),
        ("UpdateHostKeys yes\nHashKnownHosts yes", "", true),
        ("UpdateHostKeys ask", "yes", true),
        ("UpdateHostKeys ask", "no", false),
        ("UpdateHostKeys ask\nBatchMode yes", "yes", false),
        ("UpdateHostKeys no", "yes", false),
        // By default files that the user has named are left alone.
        ("", "yes", false),
        // A file of the system's is.
        (
            "UpdateHostKeys yes\nGlobalKnownHostsFile KNOWN\nUserKnownHostsFile EMPTY",
            "yes",
            false,
        ),
    ] {
        let good = words("host_ed25519");
        let known = scratch.write("known_hosts", &format!("{host} {good}\n{host} {stale}\n"));
        let before = lines(&known);
        let go = scratch.file("go");
        let _ = fs::remove_file(&go);
        let empty = scratch.write("empty", "");
        let settings = settings
            .replace("KNOWN", &known.display().to_string())
            .replace("EMPTY", &empty.display().to_string());
        let config = scratch.write(
            "config",
            &format!(
                "{settings}\nHost *\n User {}\n HostName 127.0.0.1\n Port {}\n IdentityFile {}\n\
                 \x20UserKnownHostsFile {}\n GlobalKnownHostsFile none\n StrictHostKeyChecking yes\n",
                account().0,
                sshd.port,
                identity.display(),
                known.display(),
            ),
        );
        let mut command = Command::new(program("connect"));
        command.arg(config).arg("there");
        command.arg(format!(
            "while [ ! -e '{}' ]; do sleep 0.05; done",
            go.display()
        ));
        if !answer.is_empty() {
            command.arg(answer);
        }
        let session = Session::start(&scratch, command);
        let limit = if learns { LIMIT } else { A_WHILE };
        let learnt = session.until_then(
            limit,
            || lines(&known) != before,
            || {
                fs::File::create(&go)
                    .expect("go")
                    .write_all(b"go")
                    .expect("go");
            },
        );
        assert_eq!(learnt, learns, "{settings}, {answer}");
        let after = lines(&known);
        if learns {
            assert_eq!(after.len(), TYPES.len(), "{after:?}");
            assert!(!after.iter().any(|line| line.contains(&stale)));
            let hashed = after.iter().filter(|line| line.starts_with("|1|")).count();
            assert_eq!(hashed, if settings.contains("Hash") { 4 } else { 0 });
        }
        assert!(lines(&empty).is_empty());
    }
}

/// It signs with SHA-1 for an RSA key that the key exchange was not signed with, which proves nothing to us: then nothing
/// is learnt, of the other keys neither.
#[test]
fn our_client_learns_from_asyncssh() {
    need!("ASYNCSSH");
    let plain = ["host_ed25519", "user_stranger", "host_ecdsa256"];
    let all = ["host_ed25519", "user_stranger", "host_ecdsa256", "host_rsa"];
    for (keys, shown, learns) in [
        (&plain[..], "host_ed25519", true),
        (&all[..], "host_rsa", true),
        (&all[..], "host_ed25519", false),
    ] {
        let scratch = Scratch::new();
        let mut command = peer("ASYNCSSH");
        command.arg("-u");
        command.arg(root().join("tests/peers/asyncssh_host_keys.py"));
        command.arg("server").arg(key("authorized_keys"));
        command.args(keys.iter().map(|name| key(name)));
        let mut server = Running::start(command, scratch.file("asyncssh.log"));
        let line = server.wait_for_line("listening on", LIMIT);
        let port = line.rsplit(' ').next().and_then(|port| port.parse().ok());
        let port: u16 = port.expect("port");
        let host = format!("[127.0.0.1]:{port}");
        let text = format!(
            "{host} {}\n{host} {}\n",
            words(shown),
            words("user_ecdsa384")
        );
        let known = scratch.write("known_hosts", &text);
        let wanted: BTreeSet<_> = keys
            .iter()
            .map(|name| format!("{host} {}", words(name)))
            .collect();
        let session = Session::start(&scratch, our_client(port, "tester", &known, &[]));
        let limit = if learns { LIMIT } else { A_WHILE };
        let learnt = session.until(limit, || lines(&known) == wanted);
        assert_eq!(learnt, learns, "{:?} {}", lines(&known), server.log());
        assert!(learns || fs::read_to_string(&known).expect("known") == text);
    }
}

#[test]
fn asyncssh_learns_from_our_server() {
    need!("ASYNCSSH", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let next = key("user_stranger").display().to_string();
    let server = OurServer::start(&scratch, &["--next-host-key", &next]);
    let host = format!("[127.0.0.1]:{}", server.port);
    let text = format!(
        "{host} {}\n{host} {}\n",
        words("host_ed25519"),
        words("user_ecdsa384")
    );
    let known = scratch.write("known_hosts", &text);
    let mut command = peer("ASYNCSSH");
    command
        .arg(root().join("tests/peers/asyncssh_host_keys.py"))
        .args(["client", &server.port.to_string()])
        .arg(known)
        .arg("tester")
        .arg(key("user_ed25519"));
    let said = run(&mut command, b"", LIMIT).expect_code(0).text();
    let found: BTreeSet<_> = said.lines().map(str::to_owned).collect();
    let of = |what: &str, name: &str| {
        format!("{what} {}", fingerprint(&key(name).with_extension("pub")))
    };
    let mut wanted = BTreeSet::from([
        of("retained", "host_ed25519"),
        of("removed", "user_ecdsa384"),
        of("added", "user_stranger"),
    ]);
    wanted.extend(
        TYPES[1..]
            .iter()
            .map(|kind| of("added", &format!("host_{kind}"))),
    );
    assert_eq!(found, wanted);
}
