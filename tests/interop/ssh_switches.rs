//! The switches of `examples-c/ssh` and of `ssh`: the same words to both, the same output and status from both.

use std::fs;
use std::process::Command;

use crate::need;
use crate::peers::{path, peer, program, Rig};
use crate::process::{run, LIMIT};

/// Says whether there is a terminal, after it has taken its line: what a terminal echoes of the input shows only while
/// somebody has it open, so a command that asks for none of it may be gone before.
const TERMINAL: &str = "tty >/dev/null && read line && echo \"yes: $line\"";

/// What both do; those of which the outcome is not the same, and why, are in docs/internals/ssh-program.md.
const CASES: [&[&str]; 58] = [
    &["-4", "rig", "echo a"],
    &["-6", "rig", "echo a"],
    &["-46", "rig", "echo a"],
    &["-64", "rig", "echo a"],
    &["-A", "rig", "echo a"],
    &["-C", "rig", "echo a"],
    &["-D", "0", "rig", "echo a"],
    &["-D", "99999", "rig", "echo a"],
    &["-E", "/no/such/file", "rig", "echo a"],
    &["-K", "rig", "echo a"],
    &["-k", "rig", "echo a"],
    &["-L", "x", "rig", "echo a"],
    &["-L", "0:localhost", "rig", "echo a"],
    &["-M", "rig", "echo a"],
    &["-O", "check", "rig"],
    &["-Q", "protocol-version"],
    &["-Q", "nonsense"],
    &["-R", "x:", "rig", "echo a"],
    &["-S", "none", "rig", "echo a"],
    &["-T", "rig", "tty; true"],
    &["-tT", "rig", "tty; true"],
    &["-tt", "rig", TERMINAL],
    &["-ttT", "rig", "tty; true"],
    &["-Ttt", "rig", TERMINAL],
    &["-W", "localhost", "rig"],
    &["-W", "localhost:1", "rig"],
    &["-X", "rig", "echo x$DISPLAY"],
    &["-Y", "-x", "rig", "echo x$DISPLAY"],
    &["-a", "-A", "-a", "rig", "echo x$SSH_AUTH_SOCK"],
    &["-b", "127.0.0.1", "rig", "echo a"],
    &["-b", "192.0.2.1", "rig", "echo a"],
    &["-c", "aes128-ctr", "rig", "echo a"],
    &["-c", "bad", "-c", "aes256-ctr", "rig", "echo a"],
    &["-c", "bad", "rig", "echo a"],
    &["-e", "abc", "rig", "echo a"],
    &["-f", "rig"],
    &["-g", "rig", "echo a"],
    &["-i", "/no/such/key", "rig", "echo a"],
    &["-J", "rig", "-J", "rig", "rig", "echo a"],
    &["-J", "none", "rig", "echo a"],
    &[
        "-l",
        "nobody-here",
        "-l",
        "root",
        "-o",
        "BatchMode=yes",
        "rig",
        "echo a",
    ],
    &["-m", "hmac-sha2-256", "rig", "echo a"],
    &["-n", "rig", "cat; echo a"],
    &["-p", "1", "rig", "echo a"],
    &["-p", "x", "rig", "echo a"],
    &["-q", "rig", "echo a; echo b >&2; exit 3"],
    &["-s", "rig"],
    &["-s", "rig", "nothing"],
    &["-o", "Port=1", "rig", "echo a"],
    &["-o", "NoSuch=1", "rig", "echo a"],
    &["-o", "RemoteCommand=echo %n %p %%", "rig"],
    &["-o", "RemoteCommand=true", "rig", "true"],
    &["-o", "ProxyCommand=false", "rig", "echo a"],
    &["rig", "-p", "1", "echo", "a"],
    &["rig", "--", "echo", "-n", "a  b"],
    &["rig", "kill -9 $$"],
    &["rig", ""],
    &["no-such-host.invalid", "echo a"],
];

#[test]
fn the_same_output_and_status() {
    need!("SSHD", "SSH", "ACCOUNT");
    let rig = Rig::sshd("Subsystem sftp internal-sftp");
    rig.run(&["rig", "true"]).expect_code(0);
    let mut wrong = Vec::new();
    for case in CASES {
        let [ours, theirs] = [rig.ssh(case), {
            let mut command = rig.real_ssh("SSH");
            command.args(case);
            command
        }]
        .map(|mut command| {
            let output = run(command.env_remove("DISPLAY"), b"echo typed\n", LIMIT);
            (output.code(), output.text())
        });
        if ours != theirs {
            wrong.push((case, ours, theirs));
        }
    }
    assert!(wrong.is_empty(), "(words, ours, theirs): {wrong:#?}");
}

/// Who stands on the command line is meant as written, however it is given.
#[test]
fn the_user_of_the_command_line_is_not_expanded() {
    need!("SSH");
    for arguments in [
        &["-l", "%l", "host"][..],
        &["-l", "a%%b", "host"],
        &["a%%b@host"],
        &["ssh://%25l@host"],
    ] {
        let [ours, theirs] = [Command::new(program("ssh")), peer("SSH")].map(|mut command| {
            command.args(["-F", "none", "-G"]).args(arguments);
            let text = run(&mut command, b"", LIMIT).expect_code(0).text();
            let user = text.lines().find(|line| line.starts_with("user "));
            user.expect("the user").to_owned()
        });
        assert_eq!(ours, theirs, "{arguments:?}");
    }
}

/// -v and -q: the last one says how much is shown.
#[test]
fn the_last_of_the_switches_of_the_log_counts() {
    need!("SSHD", "SSH", "ACCOUNT");
    let rig = Rig::sshd("");
    rig.run(&["rig", "true"]).expect_code(0);
    for (switches, is_shown) in [("-v", true), ("-vq", false), ("-qv", true), ("-vvq", false)] {
        for mut command in [rig.ssh(&[]), rig.real_ssh("SSH")] {
            let said = run(command.args([switches, "rig", "true"]), b"", LIMIT);
            let said = said.expect_code(0).stderr;
            assert_eq!(said.contains("debug1"), is_shown, "{command:?}: {said}");
        }
    }
}

/// Each command of Match exec is run as often as by `ssh`: once for each place, on the way to the background too.
#[test]
fn commands_of_match_are_run_as_often() {
    need!("SSHD", "SSH", "ACCOUNT");
    let rig = Rig::sshd("");
    rig.run(&["rig", "true"]).expect_code(0);
    let runs = rig.scratch.file("runs");
    let text = fs::read_to_string(&rig.config).expect("config");
    let line = format!(
        "Match exec \"echo x >>'{}'\"\n ForwardX11 no\n",
        path(&runs)
    );
    let config = rig
        .scratch
        .write("matching", &format!("{text}{line}{line}"));
    for more in [&["-T"][..], &["-f"]] {
        let mut counts = Vec::new();
        for program in [
            Command::new(crate::peers::program("ssh")),
            crate::peers::peer("SSH"),
        ] {
            let mut command = program;
            fs::write(&runs, "").expect("file");
            command
                .arg("-F")
                .arg(&config)
                .args(more)
                .args(["rig", "true"]);
            run(&mut command, b"", LIMIT).expect_code(0);
            counts.push(fs::read_to_string(&runs).expect("runs").lines().count());
        }
        assert_eq!(counts, [2, 2], "{more:?}");
    }
}
