//! A server with a configuration that knows it, and our `ssh` that reads that.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{account, key, peer, program, OurServer, Sshd};
use crate::process::{run, Output, Scratch, LIMIT};

/// A server, and a configuration that knows it as `rig`.
pub struct Rig<S> {
    pub server: S,
    pub scratch: Scratch,
    pub config: PathBuf,
}

impl Rig<Sshd> {
    /// An sshd; `extra` lines come first in its configuration.
    pub fn sshd(extra: &str) -> Self {
        let scratch = Scratch::new();
        let server = Sshd::start(&scratch, extra);
        Rig::new(server, scratch, |server| server.port, &account().0)
    }

    /// The newest sshd.
    pub fn newest_sshd(extra: &str) -> Self {
        let scratch = Scratch::new();
        let server = Sshd::start_newest(&scratch, extra);
        Rig::new(server, scratch, |server| server.port, &account().0)
    }
}

impl Rig<OurServer> {
    /// A server of ours.
    pub fn ours(options: &[&str]) -> Self {
        let scratch = Scratch::new();
        let server = OurServer::start(&scratch, options);
        Rig::new(server, scratch, |server| server.port, "tester")
    }
}

impl<S> Rig<S> {
    fn new(server: S, scratch: Scratch, port: impl Fn(&S) -> u16, user: &str) -> Self {
        let text = format!(
            "Host rig\n HostName 127.0.0.1\n Port {}\n User {user}\n\
             Host *\n IdentityFile {}\n IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {}\n\
             \x20GlobalKnownHostsFile none\n StrictHostKeyChecking accept-new\n LogLevel ERROR\n",
            port(&server),
            key("user_ed25519").display(),
            scratch.file("known").display(),
        );
        let config = scratch.write("config", &text);
        Rig {
            server,
            scratch,
            config,
        }
    }

    /// Our program, with options.
    pub fn ssh(&self, options: &[&str]) -> Command {
        let mut command = Command::new(program("ssh"));
        command.arg("-F").arg(&self.config).args(options);
        command
    }

    /// OpenSSH's program with the same configuration: `SSH` or `NEWEST_SSH`.
    pub fn real_ssh(&self, name: &str) -> Command {
        let mut command = peer(name);
        command.arg("-F").arg(&self.config);
        command
    }

    /// Our program as a shell writes it, for programs that are told so.
    pub fn line(&self) -> String {
        format!("{} -F {}", program("ssh").display(), self.config.display())
    }

    /// Runs it.
    pub fn run(&self, options: &[&str]) -> Output {
        run(&mut self.ssh(options), b"", LIMIT)
    }

    /// An empty directory of the user's over there, gone with the returned value.
    pub fn directory(&self) -> Directory<'_, S> {
        let path = self.run(&["rig", "mktemp -d"]).expect_code(0).text();
        Directory {
            rig: self,
            path: path.trim().to_owned(),
        }
    }

    /// A program that is told to use ours as its `ssh` by this option, with the file of the configuration.
    pub fn with(&self, name: &str) -> Command {
        let mut command = peer(name);
        command
            .arg("-S")
            .arg(program("ssh"))
            .arg("-F")
            .arg(&self.config);
        command
    }
}

/// See [`Rig::directory`].
pub struct Directory<'a, S> {
    rig: &'a Rig<S>,
    pub path: String,
}

impl<S> Directory<'_, S> {
    /// A file in it, as copying programs name it.
    pub fn remote(&self, name: &str) -> String {
        format!("rig:{}/{name}", self.path)
    }
}

impl<S> Drop for Directory<'_, S> {
    fn drop(&mut self) {
        let _ = self
            .rig
            .ssh(&["rig", &format!("rm -rf {}", self.path)])
            .status();
    }
}

/// A path as an argument.
pub fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
