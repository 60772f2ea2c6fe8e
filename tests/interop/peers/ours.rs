//! The C programs under test.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::{key, root};
use crate::process::{Running, Scratch, LIMIT};

const HOST_KEYS: [&str; 5] = [
    "host_ed25519",
    "host_ecdsa256",
    "host_ecdsa384",
    "host_ecdsa521",
    "host_rsa",
];

/// Path of a program of `examples-c/` or a probe, built from the installed library on first use.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let made = Command::new("make")
            .args(["-s", "-C"])
            .arg(root().join("examples-c"))
            .args(["programs", "probes"])
            // The flags of an outer make, its job server above all, mean nothing here.
            .env_remove("MAKEFLAGS")
            .env_remove("MFLAGS")
            .status()
            .expect("make");
        assert!(made.success(), "make -C examples-c programs probes: {made}");
    });
    root().join("build/bin").join(name)
}

/// Our client towards `port`, with the user key `identity`, knowing the host keys in `build/peers/keys`.
pub fn exec(port: u16, user: &str, identity: &str) -> Command {
    client("exec", port, user, identity)
}

/// The same for another program that takes the options of a client.
pub fn client(name: &str, port: u16, user: &str, identity: &str) -> Command {
    let mut command = Command::new(program(name));
    command.args(["--batch", "-p", &port.to_string(), "-l", user]);
    for name in HOST_KEYS {
        command
            .arg("--host-key")
            .arg(key(name).with_extension("pub"));
    }
    if !identity.is_empty() {
        command.arg("-i").arg(key(identity));
    }
    command
}

/// Our server, as a process.
pub struct OurServer {
    pub port: u16,
    running: Running,
}

impl OurServer {
    /// All host keys, the authorized keys, no passwords; `options` come on top.
    pub fn start(scratch: &Scratch, options: &[&str]) -> Self {
        let mut command = Command::new(program("server"));
        command.env("TMPDIR", scratch.file(""));
        command.args(["--listen", "127.0.0.1:0"]);
        // The login shell of whoever runs the tests reads a profile that may do anything.
        command.args(["--shell", "/bin/sh"]);
        for name in HOST_KEYS {
            command.arg("--host-key").arg(key(name));
        }
        command.arg("--authorized-keys").arg(key("authorized_keys"));
        command.args(options);
        Self::start_command(scratch, command)
    }

    /// Starts the given command line, which must listen on a port of its own choice.
    pub fn start_command(scratch: &Scratch, command: Command) -> Self {
        let mut running = Running::start(command, scratch.file("server.log"));
        let line = running.wait_for_line("listening on", LIMIT);
        let port = line
            .rsplit(':')
            .next()
            .and_then(|port| port.trim().parse().ok())
            .unwrap_or_else(|| panic!("no port in {line:?}"));
        OurServer { port, running }
    }

    /// Stops it where it is: it answers no more.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// The most memory that it has had so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.running.peak_memory()
    }

    pub fn log(&self) -> String {
        self.running.log()
    }

    /// What a client's known_hosts must say about this server.
    pub fn known_hosts_lines(&self) -> String {
        HOST_KEYS
            .iter()
            .map(|name| {
                let public = fs::read_to_string(key(name).with_extension("pub")).expect("host key");
                format!("[127.0.0.1]:{} {public}", self.port)
            })
            .collect()
    }
}

/// A password file for the server: any user may come in with `password`.
pub fn server_password_file(scratch: &Scratch, password: &str) -> PathBuf {
    scratch.write("server_passwords", &format!("tester:{password}\n"))
}

/// A file with nothing but a password, as clients read it.
pub fn password_file(scratch: &Scratch, password: &str) -> PathBuf {
    scratch.write("password", &format!("{password}\n"))
}
