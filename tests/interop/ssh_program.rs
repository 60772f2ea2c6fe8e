//! `examples-c/ssh` where other programs expect OpenSSH's: git, rsync, scp, sftp, and `ssh` itself.

use std::fs;
use std::path::Path;

use crate::exec::commands_work;
use crate::need;
use crate::peers::{account, path, peer, Rig};
use crate::process::{file_hash, noise_file, run, LIMIT};

#[test]
fn commands_with_sshd() {
    need!("SSHD", "ACCOUNT");
    let rig = Rig::sshd("");
    commands_work(&|| rig.ssh(&["rig"]), 255);
}

#[test]
fn commands_with_our_server() {
    let rig = Rig::ours(&[]);
    commands_work(&|| rig.ssh(&["rig"]), 255);
}

/// git as a user has it, but for their configuration.
fn git<S>(rig: &Rig<S>, arguments: &[&str]) {
    let mut command = peer("GIT");
    command
        .env("GIT_SSH_COMMAND", rig.line())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", rig.scratch.file(""))
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(["-c", "init.defaultBranch=main"])
        .args(arguments);
    run(&mut command, b"", LIMIT).expect_code(0);
}

fn git_clones_and_pushes<S>(rig: &Rig<S>) {
    let there = rig.directory();
    rig.run(&["rig", &format!("git init -q --bare {}/r.git", there.path)])
        .expect_code(0);
    let (work, copy) = (rig.scratch.file("work"), rig.scratch.file("copy"));
    let (work, copy) = (path(&work), path(&copy));
    git(rig, &["init", "-q", work]);
    noise_file(&Path::new(work).join("noise"), 8 << 20);
    git(rig, &["-C", work, "add", "noise"]);
    git(rig, &["-C", work, "commit", "-q", "-m", "noise"]);
    let url = there.remote("r.git");
    git(
        rig,
        &["-C", work, "push", "-q", &url, "HEAD:refs/heads/main"],
    );
    git(rig, &["clone", "-q", "-b", "main", &url, copy]);
    assert_eq!(
        file_hash(&Path::new(work).join("noise")),
        file_hash(&Path::new(copy).join("noise"))
    );
    git(rig, &["-C", copy, "fetch", "-q"]);
}

#[test]
fn git_with_sshd() {
    need!("SSHD", "ACCOUNT", "GIT");
    git_clones_and_pushes(&Rig::sshd(""));
}

#[test]
fn git_with_our_server() {
    need!("GIT");
    git_clones_and_pushes(&Rig::ours(&[]));
}

fn rsync_copies<S>(rig: &Rig<S>) {
    let there = rig.directory();
    let (from, back) = (rig.scratch.file("from"), rig.scratch.file("back"));
    fs::create_dir(&from).expect("directory");
    noise_file(&from.join("large"), 8 << 20);
    fs::write(from.join("small"), "small").expect("file");
    let copy = |from: &str, to: &str| {
        let mut command = peer("RSYNC");
        command.arg("-e").arg(rig.line()).args(["-r", from, to]);
        run(&mut command, b"", LIMIT).expect_code(0);
    };
    copy(&format!("{}/", path(&from)), &there.remote("x"));
    copy(&format!("{}/", there.remote("x")), path(&back));
    for name in ["large", "small"] {
        assert_eq!(file_hash(&from.join(name)), file_hash(&back.join(name)));
    }
}

#[test]
fn rsync_with_sshd() {
    need!("SSHD", "ACCOUNT", "RSYNC");
    rsync_copies(&Rig::sshd(""));
}

#[test]
fn rsync_with_our_server() {
    need!("RSYNC");
    rsync_copies(&Rig::ours(&[]));
}

#[test]
fn scp_and_sftp_with_sshd() {
    need!("SSHD", "ACCOUNT", "SCP", "SFTP");
    let rig = Rig::sshd("Subsystem sftp internal-sftp");
    let there = rig.directory();
    let (from, back) = (rig.scratch.file("from"), rig.scratch.file("back"));
    noise_file(&from, 4 << 20);
    // Over SFTP, and over the older protocol, which is a command.
    for old in [false, true] {
        let copy = |from: &str, to: &str| {
            let mut command = rig.with("SCP");
            command.args(old.then_some("-O")).args(["-q", from, to]);
            run(&mut command, b"", LIMIT).expect_code(0);
        };
        copy(path(&from), &there.remote("x"));
        copy(&there.remote("x"), path(&back));
        assert_eq!(file_hash(&from), file_hash(&back));
        fs::remove_file(&back).expect("the copy");
    }
    let batch = format!("get {}/x {}\n", there.path, path(&back));
    let mut command = rig.with("SFTP");
    command
        .arg("-b")
        .arg(rig.scratch.write("batch", &batch))
        .arg("rig");
    run(&mut command, b"", LIMIT).expect_code(0);
    assert_eq!(file_hash(&from), file_hash(&back));
}

/// Ours is the way of `ssh` to a host, `ssh` that of ours, and ours goes through jump hosts by itself.
#[test]
fn ways_to_a_host() {
    need!("SSHD", "ACCOUNT", "SSH");
    let rig = Rig::sshd("");
    let through = |inner: &str| format!("ProxyCommand={inner} -W %h:%p rig");
    let said = format!("{}\n", account().0);
    let real = format!(
        "{} -F {}",
        peer("SSH").get_program().to_string_lossy(),
        rig.config.display()
    );
    let mut theirs = peer("SSH");
    theirs.arg("-F").arg(&rig.config);
    theirs.args(["-o", &through(&rig.line()), "rig", "whoami"]);
    let output = run(&mut theirs, b"", LIMIT).expect_code(0);
    assert_eq!(output.text(), said);
    let output = rig
        .run(&["-o", &through(&real), "rig", "whoami"])
        .expect_code(0);
    assert_eq!(output.text(), said);
    let port = rig.server.port.to_string();
    let output = rig
        .run(&["-J", "rig", "-p", &port, "rig", "whoami"])
        .expect_code(0);
    assert_eq!(output.text(), said);
    // Both directions of -W have an end of their own.
    let place = format!("127.0.0.1:{port}");
    let output = rig.run(&["-W", &place, "rig"]).expect_code(0);
    assert!(
        output.text().starts_with("SSH-2.0-OpenSSH"),
        "{}",
        output.text()
    );
    let output = rig.run(&["-W", "127.0.0.1:1", "rig"]).expect_code(255);
    assert!(
        output.stderr.contains("stdio forwarding failed"),
        "{}",
        output.stderr
    );
}

/// Options on both sides of the host, and what comes of those that make no sense.
#[test]
fn the_command_line() {
    need!("SSHD", "ACCOUNT");
    let rig = Rig::sshd("");
    let output = rig
        .run(&["rig", "-T", "--", "echo", "-n", "a  b"])
        .expect_code(0);
    assert_eq!(output.text(), "a b");
    let variables = ["-o", "SetEnv SSHWIRE_A=1", "-o", "SendEnv=SSHWIRE_B*"];
    let mut command = rig.ssh(&variables);
    command.args(["rig", "echo $SSHWIRE_A$SSHWIRE_BEE"]);
    let output = run(command.env("SSHWIRE_BEE", "2"), b"", LIMIT).expect_code(0);
    assert_eq!(output.text(), "12\n");
    let output = rig
        .run(&["-o", "RemoteCommand=echo %n", "rig"])
        .expect_code(0);
    assert_eq!(output.text(), "rig\n");
    let log = rig.scratch.file("log");
    let output = rig
        .run(&["-v", "-E", path(&log), "rig", "echo said >&2"])
        .expect_code(0);
    assert_eq!(output.stderr, "said\n");
    let log = fs::read_to_string(log).expect("log");
    assert!(log.contains("Authenticated to 127.0.0.1"), "{log}");
    for (arguments, complaint) in [
        (&["-o", "Sense=no", "rig"][..], "Bad configuration option"),
        (&["-o", "Port=none", "rig"], "is not a port"),
        (&["-w", "0", "rig"], "tunnel devices are not supported"),
        (&["-o", "Tunnel=yes", "rig"], "tunnel devices"),
        (&["-O", "check", "rig"], "not shared"),
        (&["-s", "rig"], "specify a subsystem"),
        (&["-f", "rig"], "without a command"),
        (
            &["-o", "RemoteCommand=true", "rig", "true"],
            "Cannot execute command-line and remote command",
        ),
        (&["-s", "rig", "nothing"], "subsystem request failed"),
        (&["-p", "1", "rig", "true"], "Connection refused"),
        (&["-Z", "rig"], "usage:"),
        (&[], "usage:"),
    ] {
        let output = rig.run(arguments).expect_code(255);
        assert!(
            output.stderr.contains(complaint),
            "{arguments:?}: {}",
            output.stderr
        );
    }
    // Nobody hears of it with -q.
    let output = rig.run(&["-q", "-p", "1", "rig", "true"]).expect_code(255);
    assert_eq!(output.stderr, "");
}
