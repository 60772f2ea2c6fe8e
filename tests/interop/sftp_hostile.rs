//! Our SFTP server against a client that breaks the protocol, or asks for more than it takes.

use std::fs;
use std::process::Command;

use crate::need;
use crate::peers::{key, peer, program, root, OurServer};
use crate::process::{run, Scratch, LIMIT};

const MIB: u64 = 1024 * 1024;
/// What the server may take up, while it is asked for 125 MiB that nobody reads.
const MOST_MEMORY: u64 = 64 * MIB;

/// `handles` says whether they are bounded on "each" channel or on "all" together.
#[track_caller]
fn attack(server: &OurServer, handles: &str) {
    let output = run(
        peer("PYTHON")
            .arg(root().join("tests/peers/paramiko_sftp_hostile.py"))
            .arg(server.port.to_string())
            .arg(key("user_ed25519"))
            .arg(handles),
        b"",
        LIMIT * 4,
    );
    let said = format!("{}{}", output.text(), output.stderr);
    assert_eq!(output.code(), Some(0), "{said}\n{}", server.log());
    assert_eq!(said.matches("ok ").count(), 6, "{said}");
    let memory = server.peak_memory();
    assert!(memory < MOST_MEMORY, "{memory} bytes");
}

#[test]
fn a_directory_is_served_to_a_hostile_client() {
    need!("PYTHON");
    let scratch = Scratch::new();
    let offered = scratch.file("offered");
    fs::create_dir(&offered).expect("directory");
    let server = OurServer::start(&scratch, &["--sftp", offered.to_str().expect("path")]);
    attack(&server, "all");
    let mut left: Vec<_> = fs::read_dir(&offered)
        .expect("directory")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["file", "large"]);
}

#[test]
fn made_up_files_are_served_to_a_hostile_client() {
    need!("PYTHON");
    let scratch = Scratch::new();
    let mut command = Command::new(program("sftp-server"));
    command
        .args(["--listen", "127.0.0.1:0", "--host-key"])
        .arg(key("host_ed25519"))
        .arg("--authorized-keys")
        .arg(key("authorized_keys"));
    attack(&OurServer::start_command(&scratch, command), "each");
}
