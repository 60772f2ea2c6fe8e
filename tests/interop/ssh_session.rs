//! `examples-c/ssh` with a person at it: terminals, escape characters, forwardings, and what `-G` says.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::need;
use crate::peers::{path, peer, Agent, Rig};
use crate::process::{run, Running, Scratch, LIMIT};
use crate::pty::{drive, TALK};

#[test]
fn a_shell_with_sshd() {
    need!("SSHD", "ACCOUNT", "PYTHON");
    let rig = Rig::sshd("");
    drive(&rig.scratch, TALK, &rig.ssh(&["rig"])).expect_code(5);
}

#[test]
fn a_shell_with_our_server() {
    need!("PYTHON");
    let rig = Rig::ours(&[]);
    drive(&rig.scratch, TALK, &rig.ssh(&["rig"])).expect_code(5);
}

const ESCAPES: &str = "\
send PS1='ready> '; echo on''line
expect online
send ~?
expect terminate connection
send ~#
expect the session
send ~R
send echo a''fter
expect after
send ~~x
expect ~x
send ~v
expect LogLevel
send ~.
expect ~\\.
";

/// What is typed behind the escape character is for our program, and the terminal is as it was when that has ended.
#[test]
fn escape_characters() {
    need!("SSHD", "ACCOUNT", "PYTHON");
    let rig = Rig::sshd("");
    drive(&rig.scratch, ESCAPES, &rig.ssh(&["rig"])).expect_code(255);
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        &format!(
            "stty -a >{0}/before; {1} rig; stty -a >{0}/after; exit 9",
            path(&rig.scratch.file("")),
            rig.line()
        ),
    ]);
    drive(&rig.scratch, ESCAPES, &shell).expect_code(9);
    let read = |name: &str| fs::read_to_string(rig.scratch.file(name)).expect("stty");
    assert_eq!(read("before"), read("after"));
}

/// Without a terminal nothing is an escape.
#[test]
fn no_escape_without_a_terminal() {
    need!("SSHD", "ACCOUNT");
    let rig = Rig::sshd("");
    let text = b"~.\n~?\n~~\n";
    let output = run(rig.ssh(&["rig"]).arg("cat"), text, LIMIT).expect_code(0);
    assert_eq!(output.stdout, text);
    // Forced, it is there; and the end of the input is told.
    let output = run(
        rig.ssh(&["-tt", "rig"]).arg("tty >/dev/null && echo yes"),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), "yes\r\n");
    let output = rig.run(&["-t", "rig", "tty; true"]).expect_code(0);
    assert_eq!(output.text(), "not a tty\n");
}

/// Something that echoes on loopback.
pub fn echo_server() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
    let port = listener.local_addr().expect("address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten().take(16) {
            thread::spawn(move || {
                let mut from = stream.try_clone().expect("socket");
                let mut to = stream;
                let _ = std::io::copy(&mut from, &mut to);
            });
        }
    });
    port
}

pub fn echoes(port: u16) {
    let end = Instant::now() + LIMIT;
    loop {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let mut back = [0; 5];
            stream.write_all(b"hello").expect("write");
            if stream.read_exact(&mut back).is_ok() {
                assert_eq!(&back, b"hello");
                return;
            }
        }
        assert!(Instant::now() < end, "nothing echoes at port {port}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("loopback port")
        .port()
}

#[test]
fn forwardings() {
    need!("SSHD", "ACCOUNT");
    let rig = Rig::sshd("");
    let (target, local, remote) = (echo_server(), free_port(), free_port());
    let mut command = rig.ssh(&["-v", "-N"]);
    command.arg("-L").arg(format!("{local}:127.0.0.1:{target}"));
    command
        .arg("-R")
        .arg(format!("{remote}:127.0.0.1:{target}"));
    let mut running = Running::start(
        {
            command.arg("rig");
            command
        },
        rig.scratch.file("log"),
    );
    running.wait_for_line("forwarding there", LIMIT);
    echoes(local);
    echoes(remote);
    // Told to end, it ends well: that is what it waited for.
    running.terminate();
    assert_eq!(running.wait(LIMIT).code(), Some(0), "{}", running.log());

    // A place that is taken: a complaint, and with the option the end.
    let holder = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
    let taken = holder.local_addr().expect("address").port();
    let place = format!("{taken}:127.0.0.1:{target}");
    let output = rig.run(&["-L", &place, "rig", "echo on"]).expect_code(0);
    assert_eq!(output.text(), "on\n");
    assert!(
        output.stderr.contains("cannot be forwarded"),
        "{}",
        output.stderr
    );
    rig.run(&[
        "-o",
        "ExitOnForwardFailure=yes",
        "-L",
        &place,
        "rig",
        "true",
    ])
    .expect_code(255);
    drop(holder);
}

/// The agent that ForwardAgent names can be used over there, and none without it.
#[test]
fn the_agent_is_handed_on() {
    need!("SSHD", "ACCOUNT", "SSH_AGENT", "SSH_ADD");
    let rig = Rig::sshd("");
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    agent.add("user_ecdsa256");
    let lines = agent.lines("-l");
    let forward = format!("ForwardAgent={}", agent.socket.display());
    let output = rig
        .run(&["-o", &forward, "rig", "ssh-add -l"])
        .expect_code(0);
    assert_eq!(output.text().lines().collect::<Vec<_>>(), lines);
    let options = ["-o", "IdentityAgent=SSH_AUTH_SOCK", "-A"];
    let mut command = rig.ssh(&options);
    command.env("SSH_AUTH_SOCK", &agent.socket);
    run(command.args(["rig", "ssh-add -l"]), b"", LIMIT).expect_code(0);
    let output = rig.run(&["rig", "echo x$SSH_AUTH_SOCK"]).expect_code(0);
    assert_eq!(output.text(), "x\n");
}

/// Into the background with everything that was asked for, and only once it is there.
#[test]
fn into_the_background() {
    need!("SSHD", "ACCOUNT");
    let rig = Rig::sshd("");
    let (target, local) = (echo_server(), free_port());
    let place = format!("{local}:127.0.0.1:{target}");
    // It lives as long as the command, and holds no stream of ours open.
    let mut command = rig.ssh(&["-f", "-L", &place, "rig", "sleep 3"]);
    for stream in [Command::stdin, Command::stdout, Command::stderr] {
        stream(&mut command, Stdio::null());
    }
    assert!(command.status().expect("ssh").success());
    echoes(local);
    let output = rig
        .run(&["-f", "rig", "sleep 0.1; echo said"])
        .expect_code(0);
    assert_eq!(output.text(), "said\n");
    // Nobody waits for the end of what says nothing.
    let mut quiet = rig.ssh(&["-f", "-N", "rig"]);
    let (send, ended) = std::sync::mpsc::channel();
    thread::spawn(move || send.send(run(&mut quiet, b"", LIMIT)));
    let output = ended.recv_timeout(LIMIT).expect("the pipes are let go");
    output.expect_code(0);
    rig.run(&["-f", "-N", "-p", "1", "rig"]).expect_code(255);
    // Without a command it would stay for ever.
    assert!(end_those_with(&rig.config) > 0);
}

/// Ends the processes that have the path among their arguments; says how many there were.
fn end_those_with(path: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").expect("processes");
    let named = processes.filter_map(|entry| {
        let entry = entry.ok()?;
        let arguments = std::fs::read(entry.path().join("cmdline")).ok()?;
        let is_one = |argument: &[u8]| argument == path.as_os_str().as_encoded_bytes();
        let found = arguments.split(|byte| *byte == 0).any(is_one);
        found.then(|| entry.file_name())
    });
    let ended: Vec<_> = named.collect();
    for number in &ended {
        // It may have ended meanwhile.
        let mut kill = Command::new("kill");
        let _ = kill.arg(number).stderr(Stdio::null()).status();
    }
    ended.len()
}

/// The values that `ssh -G` prints under the keywords that both know.
#[test]
fn the_same_configuration_is_printed() {
    need!("SSH");
    let scratch = Scratch::new();
    let text = "Host alias\n HostName %h.example.org\n Port 2222\n User someone\n ProxyJump gate,me@other:22\n\
                \x20IdentityFile ~/.ssh/mine\n ForwardAgent yes\n LocalForward 8080 inside:80\n DynamicForward 1080\n\
                \x20SendEnv LANG LC_*\n SetEnv A=1 B=2\n RequestTTY yes\n ServerAliveInterval 15\n\
                \x20StrictHostKeyChecking accept-new\n\
                Host *\n Compression yes\n UserKnownHostsFile ~/a ~/b\n PubkeyAuthentication no\n";
    let file = scratch.write("config", text);
    let values = |mut command: Command, destination: &str| {
        command.args(["-G", "-F", path(&file), destination]);
        let mut values = BTreeMap::<String, Vec<String>>::new();
        for line in run(&mut command, b"", LIMIT).expect_code(0).text().lines() {
            let (keyword, value) = line.split_once(' ').expect("keyword and value");
            values
                .entry(keyword.to_owned())
                .or_default()
                .push(value.to_owned());
        }
        values
    };
    // Our own algorithms, and defaults in which builds of `ssh` differ too.
    let own = [
        "ciphers",
        "macs",
        "kexalgorithms",
        "hostkeyalgorithms",
        "forwardx11trusted",
        "xauthlocation",
        "identityfile",
        "updatehostkeys",
    ];
    for destination in ["alias", "other", "bob@alias", "ssh://carol@third:99"] {
        let ours = values(Command::new(crate::peers::program("ssh")), destination);
        let theirs = values(peer("SSH"), destination);
        for (keyword, value) in &ours {
            if own.contains(&keyword.as_str()) || !theirs.contains_key(keyword) {
                continue;
            }
            assert_eq!(value, &theirs[keyword], "{destination}: {keyword}");
        }
        for keyword in [
            "host",
            "hostname",
            "user",
            "port",
            "userknownhostsfile",
            "stricthostkeychecking",
        ] {
            assert!(ours.contains_key(keyword), "{keyword}");
        }
    }
}
