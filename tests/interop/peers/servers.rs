//! dropbear's server and a paramiko server.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{account, free_port, key, peer, root};
use crate::process::{run, Running, Scratch, LIMIT};

/// A dropbear on loopback, for the test account.
pub struct Dropbear {
    pub port: u16,
    _running: Running,
}

impl Dropbear {
    /// Starts one with the given host keys (names in `build/peers/keys`).
    pub fn start(scratch: &Scratch, host_keys: &[&str], options: &[&str]) -> Self {
        install_authorized_keys();
        let converted: Vec<_> = host_keys
            .iter()
            .map(|name| convert_key(scratch, &key(name), name))
            .collect();
        start_on_free_port(|port| {
            let mut command = peer("DROPBEAR");
            command
                .args(["-F", "-E", "-m", "-p"])
                .arg(format!("127.0.0.1:{port}"))
                .arg("-P")
                .arg(scratch.file("dropbear.pid"))
                .args(options);
            for file in &converted {
                command.arg("-r").arg(file);
            }
            Running::start(command, scratch.file("dropbear.log"))
        })
        .map(|(port, running)| Dropbear {
            port,
            _running: running,
        })
        .expect("dropbear does not start")
    }
}

/// dropbear reads keys in a format of its own.
pub fn convert_key(scratch: &Scratch, from: &Path, name: &str) -> std::path::PathBuf {
    let to = scratch.file(&format!("dropbear_{name}"));
    run(
        std::process::Command::new("dropbearconvert")
            .args(["openssh", "dropbear"])
            .arg(from)
            .arg(&to),
        b"",
        LIMIT,
    )
    .expect_code(0);
    to
}

/// dropbear looks for keys in the account's home only.
fn install_authorized_keys() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let (user, _) = account();
        let directory = format!("/home/{user}/.ssh");
        fs::create_dir_all(&directory).expect("home");
        fs::copy(
            key("authorized_keys"),
            format!("{directory}/authorized_keys"),
        )
        .expect("authorized_keys");
        let owned = run(
            std::process::Command::new("chown").args(["-R", &format!("{user}:"), &directory]),
            b"",
            LIMIT,
        );
        owned.expect_code(0);
    });
}

/// A server written with paramiko: `tests/peers/paramiko_server.py`.
pub struct ParamikoServer {
    pub port: u16,
    _running: Running,
}

impl ParamikoServer {
    pub fn start(scratch: &Scratch, password_file: &Path) -> Self {
        let mut command = peer("PYTHON");
        command
            .arg("-u")
            .arg(root().join("tests/peers/paramiko_server.py"))
            .arg(key("host_ed25519"))
            .arg(key("authorized_keys"))
            .arg(password_file);
        let mut running = Running::start(command, scratch.file("paramiko_server.log"));
        let line = running.wait_for_line("listening on", LIMIT);
        let port = line
            .rsplit(' ')
            .next()
            .and_then(|port| port.parse().ok())
            .expect("port");
        ParamikoServer {
            port,
            _running: running,
        }
    }
}

/// Starts a server that cannot pick a port by itself. `None` after several ports were taken away.
pub fn start_on_free_port(start: impl Fn(u16) -> Running) -> Option<(u16, Running)> {
    for _ in 0..5 {
        let port = free_port();
        let mut running = start(port);
        let end = Instant::now() + Duration::from_secs(10);
        while !running.has_ended() && Instant::now() < end {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some((port, running));
            }
            thread::sleep(Duration::from_millis(10));
        }
        eprintln!("no server on port {port}: {}", running.log());
    }
    None
}
