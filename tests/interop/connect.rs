//! `ssh_connect_config`: to real sshds by the ways that a configuration knows.

use std::fs;
use std::process::Command;

use crate::need;
use crate::peers::{account, find, key, program, Sshd};
use crate::process::{run, Output, Scratch, LIMIT};

/// Two sshds, and a configuration that knows both.
struct Ways {
    scratch: Scratch,
    /// Where the second one has its files.
    _inner: Scratch,
    first: Sshd,
    second: Sshd,
    user: String,
}

impl Ways {
    fn new() -> Self {
        let scratch = Scratch::new();
        let first = Sshd::start(&scratch, "");
        let inner = Scratch::new();
        let second = Sshd::start(&inner, "");
        Ways {
            first,
            second,
            user: account().0,
            scratch,
            _inner: inner,
        }
    }

    /// Goes to `destination` with `extra` lines before all others.
    fn go(&self, extra: &str, destination: &str) -> Output {
        let text = format!(
            "{extra}\n\
             Host first\n HostName 127.0.0.1\n Port {}\n\
             Host second\n HostName localhost\n Port {}\n\
             Host *\n User {}\n IdentityFile {}\n UserKnownHostsFile {}\n GlobalKnownHostsFile none\n\
             \x20StrictHostKeyChecking accept-new\n BatchMode yes\n",
            self.first.port,
            self.second.port,
            self.user,
            self.identity(),
            self.known().display(),
        );
        let file = self.scratch.write("config", &text);
        let mut command = Command::new(program("connect"));
        command
            .arg(file)
            .args([destination, "echo $SSH_CONNECTION; whoami"]);
        run(&mut command, b"", LIMIT)
    }

    /// A copy of the key that only its owner may read, as ssh wants it too.
    fn identity(&self) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = self.scratch.file("identity");
        fs::copy(key("user_ed25519"), &path).expect("a key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
        path.display().to_string()
    }

    fn known(&self) -> std::path::PathBuf {
        self.scratch.file("known")
    }

    /// Fails the test unless the command ran as the user, on the sshd with this port.
    #[track_caller]
    fn is_at(&self, output: Output, port: u16) {
        let output = output.expect_code(0);
        let text = output.text();
        let mut lines = text.lines();
        let connection = lines.next().unwrap_or_default();
        assert!(connection.ends_with(&format!(" {port}")), "{text}");
        assert_eq!(lines.next(), Some(self.user.as_str()));
    }
}

#[test]
fn directly_through_hosts_and_through_commands() {
    need!("SSHD", "SSH", "ACCOUNT");
    let ways = Ways::new();
    let (first, second) = (ways.first.port, ways.second.port);
    ways.is_at(ways.go("", "first"), first);
    ways.is_at(ways.go("Host second\n ProxyJump first\n", "second"), second);
    // Back and forth, each a session within the one before.
    let three = format!("Host last\n HostName 127.0.0.1\n Port {first}\n ProxyJump first,second\n");
    ways.is_at(ways.go(&three, "last"), first);
    // What a jump host says about itself counts for the first one.
    let chain = format!("Host last\n HostName 127.0.0.1\n Port {first}\n ProxyJump second\nHost second\n ProxyJump first\n");
    ways.is_at(ways.go(&chain, "last"), first);
    let ssh = find("SSH").expect("checked");
    let command = format!(
        "Host second\n ProxyCommand {ssh} -F {} -W %h:%p first\n",
        ways.scratch.file("config").display()
    );
    ways.is_at(ways.go(&command, "second"), second);
    // Both hosts are known now, by the ports that they listen on.
    let known = fs::read_to_string(ways.known()).expect("known hosts");
    assert!(
        known.contains(&format!("[127.0.0.1]:{first} "))
            && known.contains(&format!("[localhost]:{second} ")),
        "{known}"
    );
    ways.is_at(ways.go("StrictHostKeyChecking yes\n", "first"), first);
}

#[test]
fn what_goes_wrong_is_told() {
    need!("SSHD", "ACCOUNT");
    let ways = Ways::new();
    let told = |extra: &str, destination: &str| ways.go(extra, destination).expect_code(255).stderr;
    let error = told("Host second\n ProxyCommand exit 1\n", "second");
    assert!(error.contains("connection lost"), "{error}");
    let error = told(
        "Host first\n User nobody-of-that-name\n IdentityFile /none\n",
        "first",
    );
    assert!(error.contains("the server allows publickey"), "{error}");
    let error = told(
        "Host first\n KexAlgorithms diffie-hellman-group14-sha1\n",
        "first",
    );
    assert!(
        error.contains("no common key exchange algorithm"),
        "{error}"
    );
    let error = told(
        "Host second\n ProxyJump second2\nHost second2\n HostName 127.0.0.1\n Port 1\n",
        "second",
    );
    assert!(error.contains("refused"), "{error}");
    let error = told(
        "Host second\n ProxyJump first\n HostName 127.0.0.1\n Port 1\n",
        "second",
    );
    assert!(error.contains("channel open refused"), "{error}");
}
