//! OpenSSH, both roles.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::servers::start_on_free_port;
use super::{find, key, peer, OurServer};
use crate::process::{Running, Scratch};

/// An sshd on loopback with keys and configuration of its own.
pub struct Sshd {
    pub port: u16,
    running: Running,
}

impl Sshd {
    /// Starts one; `extra` lines come first in its configuration, where the first value of an option wins.
    pub fn start(scratch: &Scratch, extra: &str) -> Self {
        Self::start_program("SSHD", scratch, extra)
    }

    /// The newest one.
    pub fn start_newest(scratch: &Scratch, extra: &str) -> Self {
        let program = find("NEWEST_SSHD").expect("NEWEST_SSHD not checked with need!");
        let beside = |name: &str| Path::new(&program).with_file_name(name);
        let extra = format!(
            "{extra}\nSshdSessionPath {}\nSshdAuthPath {}\nSubsystem sftp internal-sftp",
            beside("sshd-session").display(),
            beside("sshd-auth").display()
        );
        Self::start_program("NEWEST_SSHD", scratch, &extra)
    }

    fn start_program(program: &str, scratch: &Scratch, extra: &str) -> Self {
        let authorized = scratch.file("authorized_keys");
        fs::copy(key("authorized_keys"), &authorized).expect("authorized_keys");
        start_on_free_port(|port| {
            // A port that it chooses for a client is free for the first family of "localhost"; with the other one somebody
            // else may have it, and sshd then goes without.
            let mut config = format!(
                "{extra}\n\
                 Port {port}\n\
                 AddressFamily inet\n\
                 ListenAddress 127.0.0.1\n\
                 PidFile none\n\
                 AuthorizedKeysFile {}\n\
                 StrictModes no\n\
                 UsePAM no\n\
                 PasswordAuthentication yes\n\
                 KbdInteractiveAuthentication no\n\
                 AcceptEnv SSHWIRE_*\n\
                 MaxStartups 400\n\
                 MaxSessions 100\n\
                 PrintMotd no\n\
                 PrintLastLog no\n\
                 UseDNS no\n\
                 LogLevel VERBOSE\n",
                authorized.display()
            );
            for name in ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"] {
                let line = format!("HostKey {}\n", key(&format!("host_{name}")).display());
                config.push_str(&line);
            }
            let file = scratch.write("sshd_config", &config);
            let mut command = peer(program);
            command.args(["-D", "-e", "-f"]).arg(file);
            Running::start(command, scratch.file("sshd.log"))
        })
        .map(|(port, running)| Sshd { port, running })
        .expect("sshd does not start")
    }

    pub fn log(&self) -> String {
        self.running.log()
    }
}

/// `ssh` towards a server of ours, with the key `identity` and nothing of the machine's configuration.
pub fn ssh(server: &OurServer, scratch: &Scratch, identity: &str) -> Command {
    ssh_program("SSH", server, scratch, identity)
}

/// The newest one.
pub fn newest_ssh(server: &OurServer, scratch: &Scratch, identity: &str) -> Command {
    ssh_program("NEWEST_SSH", server, scratch, identity)
}

fn ssh_program(program: &str, server: &OurServer, scratch: &Scratch, identity: &str) -> Command {
    let mut command = base(program, server, scratch);
    command
        .args([
            "-o",
            "BatchMode=yes",
            "-o",
            "PreferredAuthentications=publickey",
        ])
        .arg("-i")
        .arg(key(identity));
    command
}

/// `ssh` that answers each question with the line in `password_file`; `methods` is PreferredAuthentications.
pub fn ssh_with_password(
    server: &OurServer,
    scratch: &Scratch,
    methods: &str,
    password_file: &Path,
) -> Command {
    let asker = scratch.script(
        "askpass",
        &format!("#!/bin/sh\ncat '{}'\n", password_file.display()),
    );
    let mut command = base("SSH", server, scratch);
    command
        .arg("-o")
        .arg(format!("PreferredAuthentications={methods}"))
        .env("SSH_ASKPASS", asker)
        .env("SSH_ASKPASS_REQUIRE", "force");
    command
}

/// `sftp` towards a server of ours, doing what the lines of `batch` say until one fails.
pub fn openssh_sftp(server: &OurServer, scratch: &Scratch, batch: &str) -> Command {
    let file = scratch.write("batch", batch);
    let mut command = peer("SFTP");
    command.arg("-b").arg(file).arg("-P");
    command.arg(server.port.to_string());
    command.args(options(server, scratch));
    command
        .args(["-o", "PreferredAuthentications=publickey", "-i"])
        .arg(key("user_ed25519"))
        .arg("tester@127.0.0.1");
    command
}

fn base(program: &str, server: &OurServer, scratch: &Scratch) -> Command {
    let mut command = peer(program);
    command.arg("-p").arg(server.port.to_string());
    command.args(options(server, scratch));
    command.args(["-l", "tester"]);
    command
}

/// Options of `ssh` that know the server's host keys and nothing of the machine's configuration.
pub fn options(server: &OurServer, scratch: &Scratch) -> Vec<String> {
    let known = scratch.write("known_hosts", &server.known_hosts_lines());
    let known = format!("UserKnownHostsFile={}", known.display());
    let mut words = vec!["-F".to_owned(), "none".to_owned()];
    for option in [
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        "LogLevel=ERROR",
        &known,
    ] {
        words.extend(["-o".to_owned(), option.to_owned()]);
    }
    words
}
