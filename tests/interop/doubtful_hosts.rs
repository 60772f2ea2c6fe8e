//! A host that shows another key than the known one and is let pass all the same (StrictHostKeyChecking=no): nothing is
//! forwarded to or for it, with `ssh` beside our programs.

use std::fs;
use std::process::Command;

use crate::need;
use crate::peers::{account, key, path, program, Agent, Rig, Sshd};
use crate::process::{run, Output, Scratch, LIMIT};
use crate::pty::drive;
use crate::ssh_session::{echo_server, free_port};

const LAX: [&str; 8] = [
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "HostKeyAlgorithms=ssh-ed25519",
    "-o",
    "UpdateHostKeys=no",
    "-o",
    "LogLevel=INFO",
];

/// Has the server known by a key, its own or another one.
fn know(rig: &Rig<Sshd>, name: &str) {
    let line = fs::read_to_string(key(name).with_extension("pub")).expect("a public key");
    let line = format!("[127.0.0.1]:{} {line}", rig.server.port);
    fs::write(rig.scratch.file("known"), line).expect("known hosts");
}

/// Our program, and `ssh`.
fn both(rig: &Rig<Sshd>) -> [Command; 2] {
    [rig.ssh(&[]), rig.real_ssh("SSH")]
}

#[track_caller]
fn go(mut command: Command, options: &[&str], input: &[u8]) -> Output {
    run(command.args(LAX).args(options), input, LIMIT)
}

/// Says over there, which is here, whether a port is listened on.
fn look(port: u16) -> String {
    format!("bash -c '(: </dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo open || echo shut'")
}

#[test]
fn ports_are_not_forwarded() {
    need!("SSHD", "SSH", "ACCOUNT");
    let rig = Rig::sshd("");
    let target = echo_server();
    for (known, is_doubtful) in [("host_ed25519", false), ("user_stranger", true)] {
        know(&rig, known);
        for switch in ["-L", "-R", "-D"] {
            for command in both(&rig) {
                let what = format!("{:?} {switch} {known}", command.get_program());
                let port = free_port();
                let place = match switch {
                    "-D" => port.to_string(),
                    _ => format!("{port}:127.0.0.1:{target}"),
                };
                let output = go(command, &[switch, &place, "rig", &look(port)], b"").expect_code(0);
                let seen = if is_doubtful { "shut\n" } else { "open\n" };
                assert_eq!(output.text(), seen, "{what}");
                let said = "Port forwarding is disabled to avoid man-in-the-middle attacks.";
                let count = output.stderr.matches(said).count();
                assert_eq!(count, usize::from(is_doubtful), "{what}: {}", output.stderr);
            }
        }
    }
}

#[test]
fn agents_and_displays_are_not_forwarded() {
    need!("SSHD", "SSH", "ACCOUNT", "SSH_AGENT", "SSH_ADD", "XAUTH");
    let rig = Rig::sshd("X11Forwarding yes");
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    let look = "echo x$SSH_AUTH_SOCK$DISPLAY";
    for (known, is_doubtful) in [("host_ed25519", false), ("user_stranger", true)] {
        know(&rig, known);
        for (switch, name) in [("-A", "Agent"), ("-Y", "X11")] {
            for mut command in both(&rig) {
                let what = format!("{:?} {switch} {known}", command.get_program());
                command.env("SSH_AUTH_SOCK", &agent.socket);
                command.env("DISPLAY", ":77");
                let options = ["-o", "IdentityAgent=SSH_AUTH_SOCK", switch, "rig", look];
                let output = go(command, &options, b"").expect_code(0);
                assert_eq!(
                    output.text() == "x\n",
                    is_doubtful,
                    "{what}: {}",
                    output.text()
                );
                let said =
                    format!("{name} forwarding is disabled to avoid man-in-the-middle attacks.");
                assert_eq!(
                    output.stderr.contains(&said),
                    is_doubtful,
                    "{what}: {}",
                    output.stderr
                );
            }
        }
    }
}

const INSIST: [&str; 2] = ["-o", "ExitOnForwardFailure=yes"];
const NO_PASSWORDS: [&str; 4] = [
    "-o",
    "PasswordAuthentication=no",
    "-o",
    "KbdInteractiveAuthentication=no",
];

/// With ExitOnForwardFailure nothing is run.
#[test]
fn whoever_insists_on_forwarding_does_not_get_in() {
    need!("SSHD", "SSH", "ACCOUNT");
    let rig = Rig::sshd("X11Forwarding yes");
    let place = format!("{}:127.0.0.1:1", free_port());
    know(&rig, "user_stranger");
    // The last: for `ssh` a password that is held back is a failure of that kind, too.
    for wanted in [&["-L", &place][..], &["-R", &place], &["-A"], &["-Y"], &[]] {
        for command in both(&rig) {
            let what = format!("{:?} {wanted:?}", command.get_program());
            let mut options = [&INSIST, wanted].concat();
            if !wanted.is_empty() {
                options.extend(NO_PASSWORDS);
            }
            options.extend(["rig", "echo in"]);
            let output = go(command, &options, b"").expect_code(255);
            assert_eq!(output.text(), "", "{what}");
            let said = "Error: forwarding disabled due to host key check failure";
            assert!(output.stderr.contains(said), "{what}: {}", output.stderr);
        }
    }
    for command in both(&rig) {
        let options = [&INSIST[..], &NO_PASSWORDS, &["rig", "echo in"]].concat();
        let output = go(command, &options, b"").expect_code(0);
        assert_eq!(output.text(), "in\n");
    }
}

/// -W has ExitOnForwardFailure by itself, and so it is off, too, unless somebody says otherwise.
#[test]
fn input_and_output_are_carried_on_when_asked_for() {
    need!("SSHD", "SSH", "ACCOUNT");
    let rig = Rig::sshd("");
    know(&rig, "user_stranger");
    let place = format!("127.0.0.1:{}", echo_server());
    let indifferent = ["-o", "ExitOnForwardFailure=no"];
    for (options, code, text) in [
        (&[][..], 255, ""),
        (&indifferent, 0, "hello"),
        (&NO_PASSWORDS, 0, "hello"),
    ] {
        for command in both(&rig) {
            let what = format!("{:?} {options:?}", command.get_program());
            let options = [options, &["-W", &place, "rig"]].concat();
            let output = go(command, &options, b"hello").expect_code(code);
            assert_eq!(output.text(), text, "{what}");
        }
    }
}

/// The command line behind ~C makes no exception.
#[test]
fn nor_is_anything_forwarded_later() {
    need!("SSHD", "ACCOUNT", "PYTHON");
    let rig = Rig::sshd("");
    know(&rig, "user_stranger");
    let mut command = rig.ssh(&LAX);
    command.args(["-o", "EnableEscapeCommandline=yes", "rig"]);
    let mut talk = String::from("send PS1='ready> '; echo on''line\nexpect online\n");
    let port = free_port();
    for line in [
        format!("-L {port}:127.0.0.1:1"),
        format!("-R {port}:127.0.0.1:1"),
        format!("-D {port}"),
    ] {
        talk += &format!(
            "type ~C\nexpect ssh> \nsend {line}\nexpect man-in-the-middle attacks\n\
             expect Port forwarding failed\nsend\nexpect ready> \n"
        );
        talk += &format!("send {}\nexpect shut\n", look(port));
    }
    talk += "send exit 4\n";
    drive(&rig.scratch, &talk, &command).expect_code(4);
}

/// The library itself refuses, whatever program asks.
#[test]
fn other_programs_cannot_forward_either() {
    need!("SSHD", "ACCOUNT", "SSH_AGENT", "SSH_ADD");
    let rig = Rig::sshd("X11Forwarding yes");
    know(&rig, "user_stranger");
    let scratch = Scratch::new();
    let agent = Agent::start(&scratch);
    let place = format!("0:127.0.0.1:{}", echo_server());
    for (name, arguments) in [
        ("forward", &["-L", &place, "rig"][..]),
        ("forward", &["-R", &place, "rig"]),
        ("forward", &["-D", "0", "rig"]),
        ("forward", &["-R", "0", "rig"]),
        ("exec", &["-A", "rig", "echo in"]),
        ("exec", &["-X", "rig", "echo in"]),
    ] {
        let mut command = Command::new(program(name));
        command.args(["-F", path(&rig.config)]);
        command.args(LAX).args(arguments);
        command.env("SSH_AUTH_SOCK", &agent.socket);
        command.env("DISPLAY", ":77");
        let output = run(&mut command, b"", LIMIT).expect_code(255);
        assert_eq!(output.text(), "", "{name} {arguments:?}");
        let said = "host key refused: it is not the known one";
        assert!(output.stderr.contains(said), "{name}: {}", output.stderr);
    }
}

/// Nor is such a host gone through to another one.
#[test]
fn nobody_jumps_there() {
    need!("SSHD", "SSH", "ACCOUNT");
    let rig = Rig::sshd("");
    let rest = fs::read_to_string(&rig.config).expect("configuration");
    let text = format!(
        "Host rig\n StrictHostKeyChecking no\n HostKeyAlgorithms ssh-ed25519\n\
         Host behind\n HostName 127.0.0.1\n Port {}\n User {}\n ProxyJump rig\n UserKnownHostsFile {}\n{rest}",
        rig.server.port,
        account().0,
        rig.scratch.file("known-behind").display(),
    );
    fs::write(&rig.config, text).expect("configuration");
    for (known, status) in [("host_ed25519", 0), ("user_stranger", 255)] {
        for mut command in both(&rig) {
            know(&rig, known);
            let output = run(command.args(["behind", "echo in"]), b"", LIMIT).expect_code(status);
            assert_eq!(output.text() == "in\n", status == 0, "{}", output.text());
        }
    }
}
