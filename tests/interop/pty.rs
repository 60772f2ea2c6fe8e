//! Interactive shells: a terminal on our side of the wire, one on theirs, and sizes that change.

use std::process::Command;

use crate::need;
use crate::peers::{account, exec, key, peer, program, root, ssh, OurServer, Sshd};
use crate::process::{run, Output, Scratch, LIMIT};

/// The talk that a shell must be able to hold.
pub const TALK: &str = "\
send PS1='ready> '; echo on''line
expect online
send tty >/dev/null && echo has a''tty; echo $TERM
expect has atty
expect xterm-test
send stty size
expect 24 80
resize 40 132
send sleep 0.3; stty size
expect 40 132
send sh -c 'echo star\"\"ted; exec sleep 100'
expect started
send \\x03
send echo back''again
expect backagain
send exit 5
";

/// Runs a command on a terminal and talks to it.
pub fn drive(scratch: &Scratch, talk: &str, command: &Command) -> Output {
    let script = scratch.write("talk", talk);
    let mut driver = peer("PYTHON");
    driver
        .arg(root().join("tests/peers/pty_drive.py"))
        .args(["24", "80"])
        .arg(script)
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args())
        .env("TERM", "xterm-test");
    run(&mut driver, b"", LIMIT)
}

/// Our `shell` takes the options of our `exec`.
fn shell(port: u16, user: &str) -> Command {
    let mut command = Command::new(program("shell"));
    command.args(exec(port, user, "user_ed25519").get_args());
    command.arg("127.0.0.1");
    command
}

#[test]
fn our_shell_with_sshd() {
    need!("SSHD", "ACCOUNT", "PYTHON");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    drive(&scratch, TALK, &shell(sshd.port, &user)).expect_code(5);
}

#[test]
fn ssh_shell_with_our_server() {
    need!("SSH", "PYTHON");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    let mut command = ssh(&server, &scratch, "user_ed25519");
    command.args(["-t", "127.0.0.1"]);
    drive(&scratch, TALK, &command).expect_code(5);
}

#[test]
fn our_shell_with_our_server() {
    need!("PYTHON");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    drive(&scratch, TALK, &shell(server.port, "tester")).expect_code(5);
}

/// A command in a pty: output through the terminal, so with CR LF, and the status all the same.
#[test]
fn a_command_in_a_pty() {
    need!("SSHD", "SSH", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    let server = OurServer::start(&scratch, &[]);
    let mut theirs = exec(sshd.port, &user, "user_ed25519");
    theirs.args(["-t", "127.0.0.1"]);
    let mut ours = ssh(&server, &scratch, "user_ed25519");
    ours.args(["-tt", "127.0.0.1"]);
    for command in [&mut theirs, &mut ours] {
        let output = run(
            command.arg("tty >/dev/null && echo yes; exit 6"),
            b"",
            LIMIT,
        )
        .expect_code(6);
        assert_eq!(output.text(), "yes\r\n");
    }
}

/// The keys' directory is one that ssh accepts as private, or the tests above would all fail for another reason.
#[test]
fn user_keys_are_private() {
    use std::os::unix::fs::PermissionsExt;
    need!("SSH_KEYGEN");
    let mode = std::fs::metadata(key("user_ed25519"))
        .expect("key")
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0);
}
