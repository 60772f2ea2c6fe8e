//! What a client guesses of servers that are not ours, right and wrong (RFC 4253 §7).

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use crate::need;
use crate::peers::{account, key, program, Dropbear, OurServer, Sshd};
use crate::process::{run, Scratch, LIMIT};

const CURVE: &str = "curve25519-sha256";
const P256: &str = "ecdh-sha2-nistp256";

/// One address that leads to these ports, one connection after the other.
fn one_after_the_other(ports: &[u16]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listener");
    let port = listener.local_addr().expect("address").port();
    let ports = ports.to_vec();
    thread::spawn(move || {
        for port in ports {
            let (near, _) = listener.accept().expect("accept");
            let far = TcpStream::connect(("127.0.0.1", port)).expect("the server");
            carry(&near, &far);
            carry(&far, &near);
        }
    });
    port
}

fn carry(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (
        from.try_clone().expect("clone"),
        to.try_clone().expect("clone"),
    );
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// Connects to the servers in turn, and tells what became of the guess with each.
fn guesses(kex: &str, servers: &[u16]) -> Vec<String> {
    let port = one_after_the_other(servers);
    let input = format!("127.0.0.1:{port}\n").repeat(servers.len());
    let (user, _) = account();
    let output = run(
        Command::new(program("guesses"))
            .args([kex, "ssh-ed25519", &user])
            .arg(key("user_ed25519")),
        input.as_bytes(),
        LIMIT,
    )
    .expect_code(0);
    output.text().lines().map(str::to_owned).collect()
}

/// An sshd that prefers the first of these methods, and the first of its host keys: after `host_key`, if there is one, they
/// begin with Ed25519.
fn prefers(scratch: &Scratch, kex: &str, host_key: Option<&str>) -> Sshd {
    let host_key = host_key.map(|name| format!("HostKey {}", key(name).display()));
    let host_key = host_key.unwrap_or_default();
    Sshd::start(scratch, &format!("KexAlgorithms {kex}\n{host_key}"))
}

#[test]
fn of_openssh() {
    need!("SSHD", "ACCOUNT");
    let scratches = [Scratch::new(), Scratch::new(), Scratch::new()];
    let [one, two, three] = &scratches;
    let servers = [
        prefers(one, &format!("{CURVE},{P256}"), None),
        prefers(two, &format!("{P256},{CURVE}"), None),
        prefers(three, CURVE, Some("host_rsa")),
    ];
    let [curve, other, rsa] = servers.each_ref().map(|server| server.port);
    assert_eq!(
        guesses(CURVE, &[curve, curve, curve, other, curve, curve]),
        // What was wrong once is not guessed again.
        ["none", "right", "right", "wrong", "none", "none"]
    );
    assert_eq!(
        guesses(CURVE, &[curve, curve, rsa, rsa, curve]),
        ["none", "right", "wrong", "none", "none"]
    );
}

#[test]
fn of_dropbear() {
    need!("SSHD", "DROPBEAR", "ACCOUNT");
    let scratches = [Scratch::new(), Scratch::new()];
    let dropbear = Dropbear::start(&scratches[0], &["host_ed25519"], &[]);
    let sshd = prefers(&scratches[1], &format!("{P256},{CURVE}"), None);
    assert_eq!(
        guesses(CURVE, &[dropbear.port; 3]),
        ["none", "right", "right"]
    );
    assert_eq!(
        guesses(P256, &[sshd.port, sshd.port, dropbear.port, sshd.port]),
        ["none", "right", "wrong", "none"]
    );
}

#[test]
fn of_our_own() {
    need!("SSHD", "ACCOUNT");
    let scratches = [Scratch::new(), Scratch::new()];
    let ours = OurServer::start(&scratches[0], &[]);
    let sshd = prefers(&scratches[1], &format!("{CURVE},{P256}"), None);
    // It prefers another method until one is guessed.
    assert_eq!(
        guesses(CURVE, &[ours.port, ours.port, sshd.port, ours.port]),
        ["none", "right", "right", "right"]
    );
}
