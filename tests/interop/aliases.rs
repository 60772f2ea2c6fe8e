//! `exec`, `sftp` and `forward` go where the configuration of `ssh` leads, as `ssh` does.

use std::fs;
use std::process::Command;

use crate::need;
use crate::peers::{account, key, path, program, Rig, PASSPHRASE};
use crate::process::{run, Running, LIMIT};

fn client<S>(rig: &Rig<S>, name: &str, options: &[&str]) -> Command {
    let mut command = Command::new(program(name));
    command.arg("-F").arg(&rig.config).args(options);
    command
}

#[test]
fn an_alias_leads_there() {
    need!("SSHD", "ACCOUNT");
    let rig = Rig::sshd("Subsystem sftp internal-sftp");
    let user = account().0;
    let output = run(
        client(&rig, "exec", &[]).args(["rig", "whoami"]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), format!("{user}\n"));
    let port = rig.server.port.to_string();
    // What is given goes before what the files say, and names that are no alias need none.
    let options = ["-l", &user, "-p", &port, "-o", "ProxyJump=rig"];
    run(
        client(&rig, "exec", &options).args(["127.0.0.1", "true"]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    let there = rig.directory();
    let (from, back) = (rig.scratch.write("from", "text"), rig.scratch.file("back"));
    let remote = format!("{}/x", there.path);
    for arguments in [
        ["rig", "put", path(&from), &remote],
        ["rig", "get", &remote, path(&back)],
    ] {
        run(client(&rig, "sftp", &["-q"]).args(arguments), b"", LIMIT).expect_code(0);
    }
    assert_eq!(fs::read_to_string(back).expect("the copy"), "text");
    let mut command = client(&rig, "forward", &["-D", "0"]);
    command.arg("rig");
    let mut running = Running::start(command, rig.scratch.file("log"));
    running.wait_for_line("wherever SOCKS says", LIMIT);
    running.terminate();
    assert_eq!(running.wait(LIMIT).code(), Some(0), "{}", running.log());
}

/// Files answer, whoever SSH_ASKPASS names does, and nobody is asked in a batch.
#[test]
fn questions_are_answered() {
    need!("SSHD", "ACCOUNT", "ACCOUNT_PASSWORD");
    let rig = Rig::sshd("");
    let text = fs::read_to_string(&rig.config).expect("config");
    let text = text
        .replace(path(&key("user_ed25519")), path(&key("user_encrypted")))
        .replace("accept-new", "ask");
    fs::write(&rig.config, text).expect("config");
    let exec = |options: &[&str], answer: &str| {
        let script =
            format!("#!/bin/sh\ncase $1 in *yes/no*) echo yes;; *) echo '{answer}';; esac\n");
        let mut command = client(&rig, "exec", options);
        command.env("SSH_ASKPASS", rig.scratch.script("asker", &script));
        command.env("SSH_ASKPASS_REQUIRE", "force");
        run(command.args(["rig", "true"]), b"", LIMIT)
    };
    let output = exec(&["--batch"], "").expect_code(255);
    assert!(output.stderr.contains("is not known"), "{}", output.stderr);
    exec(&[], PASSPHRASE).expect_code(0);
    let output = exec(&["-o", "PasswordAuthentication=no"], "wrong").expect_code(255);
    assert!(
        output.stderr.contains("no passphrase fits"),
        "{}",
        output.stderr
    );
    let file = rig.scratch.write("passphrase", PASSPHRASE);
    exec(&["--batch", "--passphrase-file", path(&file)], "").expect_code(0);
    let password = account().1;
    let options = [
        "--batch",
        "--auth",
        "password",
        "--password-file",
        path(&password),
    ];
    exec(&options, "").expect_code(0);
    // Where the options say who the server is, no file is read.
    let output = exec(&["--known-hosts", "/dev/null"], "").expect_code(255);
    assert!(output.stderr.contains("not read"), "{}", output.stderr);
}
