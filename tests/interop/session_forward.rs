//! What a session lets its programs use on the client's side: a real agent, a real display.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::need;
use crate::peers::{account, exec, fingerprint, key, peer, ssh, Agent, OurServer, Sshd};
use crate::process::{run, Output, Running, Scratch, LIMIT};

fn agent_with_key(scratch: &Scratch) -> Agent {
    let agent = Agent::start(scratch);
    agent.add("user_ecdsa256");
    agent
}

fn expected() -> String {
    fingerprint(&key("user_ecdsa256").with_extension("pub"))
}

#[test]
fn a_real_agent_with_sshd() {
    need!("SSHD", "ACCOUNT", "SSH_AGENT", "SSH_ADD", "SSH_KEYGEN");
    let (scratch, agent_scratch) = (Scratch::new(), Scratch::new());
    let agent = agent_with_key(&agent_scratch);
    let (user, _) = account();
    let sshd = Sshd::start(&scratch, "");
    let list = |options: &[&str]| {
        let mut command = exec(sshd.port, &user, "user_ed25519");
        command.env("SSH_AUTH_SOCK", &agent.socket);
        command.args(options).args(["127.0.0.1", "ssh-add -l"]);
        run(&mut command, b"", LIMIT)
    };
    let output = list(&["-A"]).expect_code(0);
    assert!(output.text().contains(&expected()), "{}", output.text());
    let without = list(&[]);
    assert_ne!(without.code(), Some(0), "nobody asked for the agent");
    let strict = Scratch::new();
    let sshd = Sshd::start(&strict, "AllowAgentForwarding no");
    let mut command = exec(sshd.port, &user, "user_ed25519");
    command.env("SSH_AUTH_SOCK", &agent.socket);
    command.args(["-A", "127.0.0.1", "true"]);
    let output = run(&mut command, b"", LIMIT).expect_code(255);
    assert!(output.stderr.contains("denied"), "{}", output.stderr);
}

#[test]
fn a_real_agent_with_our_server() {
    need!("SSH", "SSH_AGENT", "SSH_ADD", "SSH_KEYGEN");
    let (scratch, agent_scratch) = (Scratch::new(), Scratch::new());
    let agent = agent_with_key(&agent_scratch);
    let server = OurServer::start(&scratch, &["--forward"]);
    // The same words, but for those that keep agents away.
    let mut theirs = peer("SSH");
    for word in ssh(&server, &scratch, "user_ed25519").get_args() {
        match word.to_str() {
            Some("IdentityAgent=none") => {
                theirs.arg(format!("IdentityAgent={}", agent.socket.display()))
            }
            _ => theirs.arg(word),
        };
    }
    theirs.arg("-A");
    let mut ours = exec(server.port, "tester", "user_ed25519");
    ours.env("SSH_AUTH_SOCK", &agent.socket).arg("-A");
    for mut command in [theirs, ours] {
        // Two at once, and one after them.
        command.args(["127.0.0.1", "ssh-add -l & ssh-add -l; wait; ssh-add -l"]);
        let output = run(&mut command, b"", LIMIT).expect_code(0);
        let count = output.text().matches(&expected()).count();
        assert_eq!(count, 3, "{}{}", output.text(), output.stderr);
    }
    let without = Scratch::new();
    let server = OurServer::start(&without, &[]);
    let mut command = exec(server.port, "tester", "user_ed25519");
    command.env("SSH_AUTH_SOCK", &agent.socket);
    command.args(["-A", "127.0.0.1", "true"]);
    let output = run(&mut command, b"", LIMIT).expect_code(255);
    assert!(output.stderr.contains("denied"), "{}", output.stderr);
}

/// A string of the protocol.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes(), bytes].concat()
}

/// Asks an agent over a socket; nothing where it hangs up.
fn asked(stream: &mut UnixStream, request: &[u8]) -> Option<Vec<u8>> {
    stream.write_all(&string(request)).ok()?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).ok()?;
    let length = usize::try_from(u32::from_be_bytes(head)).expect("short");
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).ok()?;
    Some(answer)
}

/// Requests that an agent must not grant, of the protocol of agents (draft-ietf-sshm-ssh-agent).
fn not_to_be_granted() -> Vec<(&'static str, Vec<u8>)> {
    let ed25519 = |length: usize, constraints: &[u8]| {
        let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
        let public = key.verifying_key().to_bytes();
        let private = [&[9; 32][..], &public].concat();
        let parts = [
            string(b"ssh-ed25519"),
            string(&public[..length]),
            string(&private[..length + 32]),
            string(b"a comment"),
            constraints.to_vec(),
        ];
        [&[25][..], &parts.concat()].concat()
    };
    let extension = |name: &[u8]| [&[255][..], &string(name), &string(b"x")].concat();
    let number = [&[0][..], &[0xff; 2500]].concat();
    let rsa = [
        string(b"ssh-rsa"),
        string(&number),
        string(&[1, 0, 1]),
        string(&number),
        string(&number),
        string(&number),
        string(&number),
        string(b"a comment"),
    ];
    vec![
        ("an unknown constraint", ed25519(32, &[77])),
        (
            "an unknown extension",
            ed25519(32, &extension(b"new@example.org")),
        ),
        (
            "a destination that is none",
            ed25519(32, &extension(b"restrict-destination-v00@openssh.com")),
        ),
        ("a lifetime cut short", ed25519(32, &[1, 0, 0])),
        ("a key of 31 bytes", ed25519(31, &[])),
        ("RSA of 20,000 bits", [&[17][..], &rsa.concat()].concat()),
        ("the wrong passphrase", [&[23][..], &string(b"no")].concat()),
        ("nothing that is known", vec![200]),
    ]
}

/// The library hands on what is asked of a forwarded agent, and its refusals; nothing that is asked harms the session.
#[test]
fn n2_a_forwarded_agent_refuses_and_the_session_goes_on() {
    need!("SSH", "SSH_AGENT", "SSH_ADD", "SSH_KEYGEN");
    let (scratch, agent_scratch) = (Scratch::new(), Scratch::new());
    let agent = agent_with_key(&agent_scratch);
    let server = OurServer::start(&scratch, &["--forward"]);
    let mut command = exec(server.port, "tester", "user_ed25519");
    command.env("SSH_AUTH_SOCK", &agent.socket);
    let words = "echo socket $SSH_AUTH_SOCK; while kill -0 $PPID; do sleep 1; done";
    command.args(["-A", "127.0.0.1", words]);
    let mut session = Running::start(command, scratch.file("session.log"));
    let line = session.wait_for_line("socket /", LIMIT);
    let socket = line.strip_prefix("socket ").expect("a path").to_owned();
    let connect = || {
        let stream = UnixStream::connect(&socket).expect("the forwarded agent");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream
    };
    for (what, request) in not_to_be_granted() {
        let answer = asked(&mut connect(), &request);
        assert!(
            answer
                .as_ref()
                .is_none_or(|answer| matches!(answer[..], [5] | [28])),
            "{what}: {answer:?}"
        );
        let listed = asked(&mut connect(), &[11]).expect("a list");
        assert_eq!(listed[..5], [12, 0, 0, 0, 1], "{what}");
    }
    // Longer than any message may be: the agent hangs up.
    let mut stream = connect();
    let _ = stream.write_all(&[0xff; 8]);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("an end");
    assert!(rest.is_empty(), "{rest:?}");
    let listed = asked(&mut connect(), &[11]).expect("a list");
    assert_eq!(listed[..5], [12, 0, 0, 0, 1]);
    assert_eq!(agent.lines("-l").len(), 1);
    assert!(!session.has_ended(), "{}", session.log());
}

/// An X server without a screen, that wants a cookie.
struct Display {
    name: String,
    authority: PathBuf,
    cookie: &'static str,
    _running: Running,
}

impl Display {
    fn start(scratch: &Scratch) -> Self {
        let cookie = "00112233445566778899aabbccddeeff";
        let authority = scratch.file("authority");
        let add = |name: &str| {
            let mut command = peer("XAUTH");
            command
                .arg("-f")
                .arg(&authority)
                .args(["add", name, ".", cookie]);
            run(&mut command, b"", LIMIT).expect_code(0);
        };
        add(":0");
        let mut command = peer("XVFB");
        command.args([
            "-displayfd",
            "1",
            "-noreset",
            "-nolisten",
            "tcp",
            "-screen",
            "0",
            "640x480x24",
        ]);
        command.arg("-auth").arg(&authority);
        let running = Running::start(command, scratch.file("xvfb.log"));
        let end = Instant::now() + LIMIT;
        let number = loop {
            let log = running.log();
            let whole = log.ends_with('\n');
            match log.lines().find_map(|line| line.trim().parse::<u32>().ok()) {
                Some(number) if whole => break number,
                _ => assert!(Instant::now() < end, "no display: {log}"),
            }
            thread::sleep(Duration::from_millis(10));
        };
        let name = format!(":{number}");
        add(&name);
        Display {
            name,
            authority,
            cookie,
            _running: running,
        }
    }

    fn give(&self, command: &mut Command) {
        command
            .env("DISPLAY", &self.name)
            .env("XAUTHORITY", &self.authority);
    }
}

/// Shows that the display was reached, and which cookies the programs there have.
const LOOK: &str = "xdpyinfo | grep dimensions; xdpyinfo >/dev/null && echo again; xauth list";

fn assert_shown(output: &Output, display: &Display) {
    let text = format!("{}{}", output.text(), output.stderr);
    assert!(text.contains("640x480"), "{text}");
    assert!(text.contains("again"), "{text}");
    assert!(text.contains("MIT-MAGIC-COOKIE-1"), "{text}");
    assert!(
        !text.contains(display.cookie),
        "the cookie of the display was told: {text}"
    );
}

#[test]
fn a_real_display_with_sshd() {
    need!("SSHD", "ACCOUNT", "XVFB", "XAUTH", "XDPYINFO");
    let (scratch, own) = (Scratch::new(), Scratch::new());
    let display = Display::start(&own);
    let (user, _) = account();
    let sshd = Sshd::start(&scratch, "X11Forwarding yes");
    let mut command = exec(sshd.port, &user, "user_ed25519");
    display.give(&mut command);
    command.args(["-X", "127.0.0.1", LOOK]);
    let output = run(&mut command, b"", LIMIT).expect_code(0);
    assert_shown(&output, &display);
    // A cookie that is not the one that was made reaches nothing.
    let mut command = exec(sshd.port, &user, "user_ed25519");
    display.give(&mut command);
    let forged = "xauth add $DISPLAY . 0123456789abcdef0123456789abcdef; xdpyinfo && echo in";
    command.args(["-X", "127.0.0.1", forged]);
    let output = run(&mut command, b"", LIMIT);
    assert!(!output.text().contains("in\n"), "{}", output.text());
}

#[test]
fn a_real_display_with_our_server() {
    need!("SSH", "XVFB", "XAUTH", "XDPYINFO");
    let (scratch, own) = (Scratch::new(), Scratch::new());
    let display = Display::start(&own);
    let server = OurServer::start(&scratch, &["--forward"]);
    let mut theirs = ssh(&server, &scratch, "user_ed25519");
    theirs.arg("-Y");
    let mut ours = exec(server.port, "tester", "user_ed25519");
    ours.arg("-X");
    for mut command in [theirs, ours] {
        display.give(&mut command);
        command.args(["127.0.0.1", LOOK]);
        let output = run(&mut command, b"", LIMIT).expect_code(0);
        assert_shown(&output, &display);
    }
}

/// A cookie that is not in hexadecimal, as RFC 4254 §6.3.1 wants it, is refused, and the session goes on.
#[test]
fn a_cookie_that_is_none_is_refused() {
    need!("PYTHON");
    const SCRIPT: &str = r#"
import sys, paramiko
transport = paramiko.Transport(("127.0.0.1", int(sys.argv[1])))
transport.start_client(timeout=20)
transport.auth_publickey("tester", paramiko.Ed25519Key.from_private_key_file(sys.argv[2]))
for cookie in ["1" * 511, "1", "xy", "0x", "12 4", None, "", "AB" * 8, "ab" * 256]:
    channel = transport.open_session()
    try:
        channel.request_x11(auth_cookie=cookie)
        channel.exec_command("wc -c <$XAUTHORITY")
        print(channel.makefile().read().decode().strip())
    except paramiko.SSHException:
        print("refused")
    channel.close()
transport.close()
"#;
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--forward"]);
    let output = run(
        peer("PYTHON")
            .args(["-c", SCRIPT, &server.port.to_string()])
            .arg(key("user_ed25519")),
        b"",
        LIMIT,
    );
    let said = output.text();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..5], ["refused"; 5], "{said}{}", output.stderr);
    let lengths: Vec<usize> = lines[5..]
        .iter()
        .map(|line| {
            line.parse()
                .unwrap_or_else(|_| panic!("{said}{}", output.stderr))
        })
        .collect();
    // None for paramiko is a cookie of its own, of 16 bytes.
    let without = lengths[1];
    assert_eq!(
        lengths,
        [16, 0, 8, 256].map(|bytes| without + bytes),
        "{said}{}",
        server.log()
    );
}
