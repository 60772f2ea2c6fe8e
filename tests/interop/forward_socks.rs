//! RemoteForward without a target: the server listens, who connects there speaks SOCKS, and our side connects to where
//! they say. The visitor is curl, and its pages come from a small server here.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use crate::need;
use crate::peers::{account, client, key, path, peer, root, Dropbear, OurServer, Rig, Sshd};
use crate::process::{run, Noise, Output, Running, Scratch, LIMIT};

const PAGE_BYTES: usize = 3_000_000;
/// What curl says when a proxy refuses.
const PROXY_REFUSED: i32 = 97;

/// A page, and the port at which a server gives it to whoever asks.
struct Page {
    port: u16,
    text: Vec<u8>,
}

impl Page {
    fn serve() -> Self {
        let mut text = vec![0; PAGE_BYTES];
        Noise::new(7).fill(&mut text);
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
        let port = listener.local_addr().expect("address").port();
        let page = text.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let page = page.clone();
                thread::spawn(move || {
                    let mut asked = Vec::new();
                    let mut byte = [0];
                    while !asked.ends_with(b"\r\n\r\n")
                        && stream.read(&mut byte).is_ok_and(|n| n == 1)
                    {
                        asked.push(byte[0]);
                    }
                    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
                    let _ = stream.write_all(head.as_bytes());
                    let _ = stream.write_all(&page);
                });
            }
        });
        Page { port, text }
    }

    /// What curl gets of it, with this kind of proxy at the port, when it calls the host so.
    fn fetch(&self, kind: &str, proxy: u16, host: &str) -> Output {
        let mut curl = peer("CURL");
        curl.args([
            "-q",
            "-sS",
            "--max-time",
            "50",
            kind,
            &format!("127.0.0.1:{proxy}"),
        ]);
        curl.arg(format!("http://{host}:{}/", self.port));
        run(&mut curl, b"", LIMIT)
    }

    #[track_caller]
    fn comes(&self, kind: &str, proxy: u16, host: &str) {
        let output = self.fetch(kind, proxy, host).expect_code(0);
        assert!(output.stdout == self.text, "{kind}: not the page");
    }

    /// `code` is that of SOCKS.
    #[track_caller]
    fn is_refused(&self, kind: &str, proxy: u16, host: &str, code: &str) {
        let output = self.fetch(kind, proxy, host).expect_code(PROXY_REFUSED);
        let stderr = &output.stderr;
        assert!(stderr.contains(&format!("({code})")), "{kind}: {stderr}");
    }
}

/// The port that our program says the server listens at.
fn port(running: &mut Running) -> u16 {
    let line = running.wait_for_line("wherever SOCKS says", LIMIT);
    let listen = line
        .split(" -> ")
        .next()
        .and_then(|place| place.rsplit(':').next());
    listen
        .and_then(|port| port.parse().ok())
        .unwrap_or_else(|| panic!("no port in {line:?}"))
}

/// Our `forward` through a server that listens for it.
fn through(scratch: &Scratch, server: u16, user: &str) {
    let page = Page::serve();
    let forward = |options: &[&str]| {
        let mut command = client("forward", server, user, "user_ed25519");
        command
            .args(["-R", "localhost:0"])
            .args(options)
            .arg("127.0.0.1");
        Running::start(command, scratch.file("forward.log"))
    };
    let mut running = forward(&[]);
    let proxy = port(&mut running);
    thread::scope(|threads| {
        for kind in ["--socks5-hostname", "--socks4a", "--socks5", "--socks4"] {
            for _ in 0..4 {
                let page = &page;
                threads.spawn(move || page.comes(kind, proxy, "localhost"));
            }
        }
    });
    running.terminate();
    let status = running.wait(LIMIT);
    let log = running.log();
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains(": 16 connections, 0 failed"), "{log}");

    let permit = format!("localhost:{}", page.port);
    let mut running = forward(&["--permit", &permit, "--permit", "no..such:*"]);
    let proxy = port(&mut running);
    page.comes("--socks5-hostname", proxy, "localhost");
    page.is_refused("--socks5-hostname", proxy, "127.0.0.1", "2");
    page.is_refused("--socks4a", proxy, "elsewhere", "91");
    page.is_refused("--socks5-hostname", proxy, "no..such", "4");
    running.terminate();
    running.wait(LIMIT);
    let log = running.log();
    assert!(log.contains(": 1 connections, 3 failed"), "{log}");
}

#[test]
fn socks_for_visitors_of_sshd() {
    need!("SSHD", "ACCOUNT", "CURL");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    through(&scratch, sshd.port, &account().0);
}

#[test]
fn socks_for_visitors_of_the_newest_sshd() {
    need!("NEWEST_SSHD", "ACCOUNT", "CURL");
    let scratch = Scratch::new();
    let sshd = Sshd::start_newest(&scratch, "");
    through(&scratch, sshd.port, &account().0);
}

#[test]
fn socks_for_visitors_of_dropbear() {
    need!("DROPBEAR", "ACCOUNT", "CURL");
    let scratch = Scratch::new();
    let server = Dropbear::start(&scratch, &["host_ed25519"], &[]);
    through(&scratch, server.port, &account().0);
}

#[test]
fn socks_for_visitors_of_asyncssh() {
    need!("ASYNCSSH", "CURL");
    let scratch = Scratch::new();
    let mut command = peer("ASYNCSSH");
    command
        .arg("-u")
        .arg(root().join("tests/peers/asyncssh_listener.py"));
    command.arg(key("authorized_keys")).arg(key("host_ed25519"));
    let mut server = Running::start(command, scratch.file("asyncssh.log"));
    let line = server.wait_for_line("listening on", LIMIT);
    let port = line.rsplit(' ').next().and_then(|port| port.parse().ok());
    through(&scratch, port.expect("port"), "anybody");
}

#[test]
fn socks_for_visitors_of_our_server() {
    need!("SSH_KEYGEN", "CURL");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--forward"]);
    through(&scratch, server.port, "tester");
}

/// A client that forwards, ours or theirs; it says at which port.
fn forwarding(
    rig: &Rig<Sshd>,
    mut command: Command,
    log: &str,
    settings: &[&str],
) -> (Running, u16) {
    for setting in settings {
        command.args(["-o", setting]);
    }
    command.args(["-N", "-o", "LogLevel=VERBOSE", "rig"]);
    let mut running = Running::start(command, rig.scratch.file(log));
    let line = running.wait_for_line("Allocated port ", LIMIT);
    let port = line
        .split("Allocated port ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let port = port.and_then(|port| port.parse().ok());
    (
        running,
        port.unwrap_or_else(|| panic!("no port in {line:?}")),
    )
}

/// `ssh` of OpenSSH and ours, with the same options and with what a file says, let the same through.
#[test]
fn our_ssh_does_as_openssh_does() {
    need!("SSH", "SSHD", "ACCOUNT", "CURL");
    let rig = Rig::sshd("");
    let page = Page::serve();
    let clients = |log: &str, settings: &[&str]| {
        let mut theirs = peer("SSH");
        theirs.arg("-F").arg(&rig.config);
        [
            forwarding(&rig, rig.ssh(&[]), &format!("ours-{log}"), settings),
            forwarding(&rig, theirs, &format!("theirs-{log}"), settings),
        ]
    };
    let permit = format!("PermitRemoteOpen=localhost:{} [::1]:*", page.port);
    for (_running, proxy) in clients("any", &["RemoteForward=0"]) {
        page.comes("--socks5-hostname", proxy, "127.0.0.1");
        page.comes("--socks4a", proxy, "localhost");
    }
    for (_running, proxy) in clients("some", &["RemoteForward=localhost:0", &permit]) {
        page.comes("--socks5-hostname", proxy, "localhost");
        assert_ne!(
            page.fetch("--socks5-hostname", proxy, "127.0.0.1").code(),
            Some(0)
        );
    }
    for (_running, proxy) in clients("none", &["RemoteForward=0", "PermitRemoteOpen=none"]) {
        assert_ne!(page.fetch("--socks4a", proxy, "localhost").code(), Some(0));
    }
    // What the alias says in the file, and -R on the command line.
    let text = std::fs::read_to_string(&rig.config).expect("config");
    let more = format!(
        "Host rig\n RemoteForward 0\n {}\n{text}",
        permit.replacen('=', " ", 1)
    );
    let config = rig.scratch.write("more", &more);
    let mut command = Command::new(crate::peers::program("ssh"));
    command.args(["-F", path(&config)]);
    let (_running, proxy) = forwarding(&rig, command, "alias", &[]);
    page.comes("--socks5-hostname", proxy, "localhost");
    page.is_refused("--socks5-hostname", proxy, "127.0.0.1", "2");
    let (_running, proxy) = forwarding(&rig, rig.ssh(&["-R", "127.0.0.1:0"]), "option", &[]);
    page.comes("--socks5-hostname", proxy, "localhost");
}
