//! The peers, ours and theirs: where they are and how one is started.

mod agent;
mod openssh;
mod ours;
mod rig;
mod servers;
mod token;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub use agent::Agent;
pub use openssh::{newest_ssh, openssh_sftp, options as ssh_options, ssh, ssh_with_password, Sshd};
pub use ours::{client, exec, password_file, program, server_password_file, OurServer};
pub use rig::{path, Rig};
pub use servers::{convert_key, start_on_free_port, Dropbear, ParamikoServer};
pub use token::Token;

pub const PASSPHRASE: &str = "correct horse";

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn environment() -> &'static HashMap<String, String> {
    static ENVIRONMENT: OnceLock<HashMap<String, String>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        fs::read_to_string(root().join("build/peers/env"))
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    })
}

/// The value that `tests/peers/setup.sh` found for `name`. Absent: said aloud, and a failure under `CI=true`.
pub fn find(name: &str) -> Option<String> {
    let found = environment().get(name).cloned();
    if found.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "{name} is missing: tests/peers/setup.sh provides it"
        );
        // Not eprintln!, which the test harness swallows when a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "LEFT OUT: {name} is missing ({})",
            std::thread::current().name().unwrap_or("a test")
        );
    }
    found
}

/// Ends the test early, aloud, unless all the named peers are there.
#[macro_export]
macro_rules! need {
    ($($name:literal),+) => {
        $( if $crate::peers::find($name).is_none() { return; } )+
    };
}

/// The program of a peer that `need!` has checked.
pub fn peer(name: &str) -> Command {
    Command::new(find(name).unwrap_or_else(|| panic!("{name} not checked with need!")))
}

/// A file of `build/peers/keys`.
pub fn key(name: &str) -> PathBuf {
    root().join("build/peers/keys").join(name)
}

/// The account that sshd and dropbear know, and the file with its password.
pub fn account() -> (String, PathBuf) {
    (
        find("ACCOUNT").expect("ACCOUNT not checked with need!"),
        PathBuf::from(find("ACCOUNT_PASSWORD").expect("ACCOUNT_PASSWORD")),
    )
}

/// The SHA256 fingerprint of a public key file, worked out by ssh-keygen.
pub fn fingerprint(public: &Path) -> String {
    let output = peer("SSH_KEYGEN")
        .arg("-lf")
        .arg(public)
        .output()
        .expect("ssh-keygen");
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .nth(1)
        .expect("fingerprint")
        .to_owned()
}

/// A port that was free a moment ago. Who gets it taken away starts again with another.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("loopback port")
        .port()
}
