//! OpenSSH's agent.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{key, peer};
use crate::process::{run, Output, Running, Scratch, LIMIT};

/// An agent of a test's own.
pub struct Agent {
    pub socket: PathBuf,
    _running: Running,
}

impl Agent {
    /// Starts one without keys.
    pub fn start(scratch: &Scratch) -> Self {
        Self::start_with(scratch, |_| ())
    }

    /// Starts one without keys, with what `prepare` adds to its environment.
    pub fn start_with(scratch: &Scratch, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = peer("SSH_AGENT");
        prepare(&mut command);
        Self::start_program(scratch, command)
    }

    /// The newest one.
    pub fn start_newest(scratch: &Scratch) -> Self {
        Self::start_program(scratch, peer("NEWEST_SSH_AGENT"))
    }

    fn start_program(scratch: &Scratch, mut command: Command) -> Self {
        let socket = scratch.file("agent");
        command.arg("-D").arg("-a").arg(&socket);
        let running = Running::start(command, scratch.file("agent.log"));
        let end = Instant::now() + LIMIT;
        // The name is there before it listens.
        while UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < end, "no agent: {}", running.log());
            thread::sleep(Duration::from_millis(10));
        }
        Agent {
            socket,
            _running: running,
        }
    }

    /// `ssh-add` with these arguments.
    pub fn ssh_add(&self, arguments: &[&str]) -> Output {
        let mut command = peer("SSH_ADD");
        command.env("SSH_AUTH_SOCK", &self.socket).args(arguments);
        run(&mut command, b"", LIMIT)
    }

    /// Adds one of the keys of `build/peers/keys`.
    pub fn add(&self, name: &str) {
        self.add_file(&key(name));
    }

    /// Adds a key, and the certificate beside it if there is one.
    pub fn add_file(&self, path: &Path) {
        self.ssh_add(&["-q", path.to_str().expect("UTF-8")])
            .expect_code(0);
    }

    /// The lines of `ssh-add` with `-l` or `-L`.
    pub fn lines(&self, option: &str) -> Vec<String> {
        let output = self.ssh_add(&[option]);
        let text = output.text();
        match output.code() {
            Some(0) => text.lines().map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}
