//! Known hosts: the same verdicts as `ssh`, the same lines as `ssh-keygen`, files that each reads of the other.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::need;
use crate::peers::{account, key, peer, program, Sshd};
use crate::process::{run, Output, Scratch, LIMIT};

/// `TYPE BASE64` of one of the host keys.
pub fn words(name: &str) -> String {
    let line = fs::read_to_string(key(name).with_extension("pub")).expect("a public key");
    let words: Vec<_> = line.split_whitespace().take(2).collect();
    words.join(" ")
}

/// Runs the probe over one file; a line of output for each of input.
pub fn probe(file: &Path, lines: &str) -> Vec<String> {
    let mut command = Command::new(program("known_hosts"));
    command.arg(file);
    let output = run(&mut command, lines.as_bytes(), LIMIT).expect_code(0);
    output.text().lines().map(str::to_owned).collect()
}

pub fn keygen(file: &Path, arguments: &[&str]) -> Output {
    let mut command = peer("SSH_KEYGEN");
    command.args(arguments).arg("-f").arg(file);
    run(&mut command, b"", LIMIT)
}

/// Forms of lines: names for the key of the server, another one of its type, or of another type.
const FORMS: [&str; 22] = [
    "one GOOD",
    "one OTHER",
    "one RSA",
    "one RSA|one GOOD",
    "one OTHER|one GOOD",
    "ONE,two GOOD",
    "*.example.org GOOD",
    "*,!one GOOD",
    "!one,* OTHER",
    "?n? GOOD",
    "[one]:22 GOOD",
    "[one]:2222,two OTHER",
    "|one| GOOD",
    "|two| OTHER",
    "@revoked one GOOD",
    "one GOOD|@revoked * GOOD",
    "@revoked one OTHER",
    "@cert-authority * GOOD",
    "@cert-authority one OTHER|one GOOD",
    "@revoked @cert-authority one GOOD",
    "@what one GOOD",
    "one ssh-ed25519 AAAA|one  GOOD a comment",
];
const HOSTS: [&str; 4] = ["one", "two", "a.example.org", "[one]:2222"];

/// The text of a form; `|name|` becomes the name hashed by ssh-keygen.
fn text_of(scratch: &Scratch, form: &str) -> String {
    let (hashed, form) = match form.strip_prefix('|').and_then(|rest| rest.split_once('|')) {
        Some((name, rest)) => (Some(name), format!("{name}{rest}")),
        None => (None, form.to_owned()),
    };
    let mut text = String::from("# a comment\n\n");
    for line in form.split('|') {
        let line = line
            .replace("GOOD", &words("host_ed25519"))
            .replace("OTHER", &words("user_ed25519"))
            .replace("RSA", &words("host_rsa"));
        let _ = writeln!(text, "{line}");
    }
    if hashed.is_some() {
        let file = scratch.write("to_hash", &text);
        keygen(&file, &["-H"]).expect_code(0);
        text = fs::read_to_string(file).expect("hashed");
    }
    text
}

/// What ssh makes of a host key when it must be known.
fn judged_by_ssh(port: u16, file: &Path, host: &str) -> &'static str {
    let mut command = peer("SSH");
    command.args(["-F", "none", "-p", &port.to_string()]);
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "HostKeyAlgorithms=ssh-ed25519",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        "PreferredAuthentications=none",
        "IdentityAgent=none",
        &format!("UserKnownHostsFile={}", file.display()),
    ] {
        command.args(["-o", option]);
    }
    if host != "127.0.0.1" {
        command.args(["-o", &format!("HostKeyAlias={host}")]);
    }
    let said = run(command.arg("tester@127.0.0.1"), b"", LIMIT).stderr;
    let has = |text: &str| said.contains(text);
    if has("REVOKED HOST KEY") {
        "revoked"
    } else if has("HOST IDENTIFICATION HAS CHANGED") {
        "changed"
    } else if has("host key is known for") {
        "not known"
    } else {
        assert!(has("Permission denied"), "{said}");
        "match"
    }
}

/// ssh makes no difference between another key and one of another type.
fn as_ssh_says(verdict: &str) -> &str {
    match verdict.split(' ').next().unwrap_or_default() {
        "unknown" => "not known",
        "other-type" => "changed",
        word => word,
    }
}

#[test]
fn the_same_verdicts_as_ssh() {
    need!("SSHD", "SSH", "SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let good = words("host_ed25519");
    let mut seen = std::collections::BTreeSet::new();
    for (number, form) in FORMS.iter().enumerate() {
        let file = scratch.write(&format!("known_{number}"), &text_of(&scratch, form));
        for host in HOSTS {
            let ours = probe(&file, &format!("check {host} 0 {good}\n"));
            let theirs = judged_by_ssh(sshd.port, &file, host);
            assert_eq!(as_ssh_says(&ours[0]), theirs, "{form} for {host}: {ours:?}");
            seen.insert(theirs);
        }
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

/// With a port that is not the usual one, the name alone is good for a match and for nothing else.
#[test]
fn the_same_verdicts_with_a_port() {
    need!("SSHD", "SSH", "SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let port = sshd.port;
    let good = words("host_ed25519");
    for form in [
        "127.0.0.1 GOOD".to_owned(),
        "127.0.0.1 OTHER".to_owned(),
        format!("[127.0.0.1]:{port} GOOD"),
        format!("[127.0.0.1]:{port} OTHER|127.0.0.1 GOOD"),
        format!("[127.0.0.1]:{port} RSA|127.0.0.1 GOOD"),
        format!("[127.0.0.1]:{port} RSA|127.0.0.1 OTHER"),
        format!("[*]:{port} GOOD"),
        "[127.0.0.1]:1 GOOD".to_owned(),
        format!("[127.0.0.1]:{port} GOOD|@revoked [*]:* GOOD"),
    ] {
        let file = scratch.write("known", &text_of(&scratch, &form));
        let ours = probe(&file, &format!("check 127.0.0.1 {port} {good}\n"));
        let theirs = judged_by_ssh(port, &file, "127.0.0.1");
        assert_eq!(as_ssh_says(&ours[0]), theirs, "{form}: {ours:?}");
    }
}

/// A file of every form at once.
fn every_form(scratch: &Scratch) -> String {
    FORMS
        .iter()
        .filter(|form| {
            !form.contains("AAAA") && !form.contains("@what") && !form.contains("@revoked @")
        })
        .map(|form| text_of(scratch, form))
        .collect()
}

#[test]
fn the_same_lines_as_ssh_keygen_finds_and_removes() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let text = every_form(&scratch);
    for host in HOSTS {
        let file = scratch.write("known", &text);
        let said = keygen(&file, &["-F", host]).text();
        let theirs: Vec<_> = said
            .lines()
            .filter_map(|line| line.strip_prefix("# Host ")?.split_whitespace().nth(3))
            .collect();
        let ours = probe(&file, &format!("find {host} 0\n"));
        assert_eq!(
            ours[0].trim_end(),
            ["lines", &theirs.join(" ")].join(" ").trim_end()
        );

        let ours = scratch.write("ours", &text);
        probe(&ours, &format!("remove {host} 0\n"));
        let status = keygen(&file, &["-R", host]);
        assert_eq!(status.code(), Some(0), "{}", status.stderr);
        assert_eq!(
            fs::read_to_string(ours).expect("ours"),
            fs::read_to_string(file).expect("theirs"),
            "{host}"
        );
    }
}

/// What one has hashed or added, the other finds.
#[test]
fn each_reads_what_the_other_wrote() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let text = every_form(&scratch);
    let (ours, theirs) = (scratch.write("ours", &text), scratch.write("theirs", &text));
    probe(&ours, "hash\n");
    keygen(&theirs, &["-H"]).expect_code(0);
    // The salts differ, and nothing else does.
    let without_names = |file: &PathBuf| -> Vec<String> {
        let text = fs::read_to_string(file).expect("a file");
        text.lines()
            .map(|line| match line.split_once(' ') {
                Some((name, rest)) if name.starts_with("|1|") => rest.to_owned(),
                _ => line.to_owned(),
            })
            .collect()
    };
    assert_eq!(without_names(&ours), without_names(&theirs));
    let good = words("host_ed25519");
    for host in HOSTS {
        let said = [&ours, &theirs].map(|file| {
            let found = keygen(file, &["-F", host]).text();
            let lines = found.lines().filter(|line| line.starts_with("# Host"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        });
        let found = said[0].len();
        assert_eq!(said[0], said[1], "{host}");
        for file in [&ours, &theirs] {
            let lines = probe(file, &format!("find {host} 0\n"));
            assert_eq!(lines[0].split_whitespace().count(), found + 1, "{host}");
        }
    }
    for hashed in ["plain", "hashed"] {
        let new = scratch.write("new", "# no newline");
        let done = probe(
            &new,
            &format!("add new.example.org 2222 {hashed} {good}\nadd new.example.org 22 {hashed} {good}\n"),
        );
        assert_eq!(done, ["ok", "ok"]);
        for host in ["[new.example.org]:2222", "new.example.org"] {
            let found = keygen(&new, &["-F", host]).expect_code(0).text();
            assert!(found.contains(&good), "{found}");
        }
        keygen(&new, &["-l"]).expect_code(0);
    }
}

/// Our client by known hosts alone: the order of what it offers, what it accepts, and what it says otherwise.
#[test]
fn our_client_goes_by_known_hosts() {
    need!("SSHD", "SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    let file = scratch.file("known");
    let connect = |text: &str, alias: &str| {
        fs::write(&file, text).expect("written");
        let mut command = Command::new(program("exec"));
        command.args(["-v", "--batch", "-p", &sshd.port.to_string(), "-l", &user]);
        command.arg("-i").arg(key("user_ed25519"));
        command.arg("--known-hosts").arg(&file);
        if !alias.is_empty() {
            command.args(["--host-key-alias", alias]);
        }
        run(command.args(["127.0.0.1", "echo in"]), b"", LIMIT)
    };
    // Each type that is known is the one that is used, though ed25519 would be the first choice.
    for name in ["host_rsa", "host_ecdsa256", "host_ecdsa521", "host_ed25519"] {
        let key = words(name);
        let algorithm = match key.split(' ').next() {
            Some("ssh-rsa") => "rsa-sha2-512",
            other => other.expect("a type"),
        };
        let output = connect(&format!("[127.0.0.1]:{} {key}\n", sshd.port), "").expect_code(0);
        assert_eq!(output.text(), "in\n");
        assert!(
            output.stderr.contains(&format!(" {algorithm} ")),
            "{}",
            output.stderr
        );
    }
    let good = words("host_ed25519");
    let other = words("user_ed25519");
    connect(&format!("alias {good}\n"), "alias").expect_code(0);
    for (text, said) in [
        (String::new(), "is not known"),
        (format!("alias {other}\n"), "has changed"),
        (format!("alias {other}\n"), "known:1 has SHA256:"),
        (
            format!("alias {good}\n@revoked * {good}\n"),
            "is revoked in",
        ),
    ] {
        let output = connect(&text, "alias");
        assert!(output.stderr.contains(said), "{}", output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty());
        // Nothing is written without being asked for.
        assert_eq!(fs::read_to_string(&file).expect("known"), text);
    }
}

/// Who may not write the file is told so, and what is known stays known.
#[test]
fn h3_a_file_that_may_not_be_written_is_told_and_stays() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    need!("ACCOUNT");
    let scratch = Scratch::new();
    let text = format!("one {}", words("host_ed25519"));
    let file = scratch.write("known", &text);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).expect("mode");
    // Nothing is forbidden to root, so it is somebody else, who may not enter the folder that the checkout may be in.
    let (ours, library) = (program("known_hosts"), "libsshwire.so.0");
    let installed = ours.with_file_name("../prefix/lib").join(library);
    fs::copy(installed, scratch.file(library)).expect("the library");
    fs::copy(ours, scratch.file("program")).expect("the program");
    let mut command = Command::new(scratch.file("program"));
    command.env("LD_LIBRARY_PATH", scratch.file("")).arg(&file);
    let accounts = fs::read_to_string("/etc/passwd").expect("accounts");
    let uid = accounts.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        (fields.first() == Some(&account().0.as_str())).then(|| fields[2].parse().expect("uid"))
    });
    command.uid(uid.expect("the account"));
    let (good, other) = (words("host_ed25519"), words("user_ed25519"));
    let input = format!(
        "check one 0 {good}\nadd two 0 plain {good}\nreplace one 0 plain {other}\nremove one 0\nhash\ncheck one 0 {good}\n"
    );
    let output = run(&mut command, input.as_bytes(), LIMIT).expect_code(0);
    let said: Vec<_> = output.text().lines().map(str::to_owned).collect();
    assert!(
        said[0].starts_with("match ") && said[5].starts_with("match "),
        "{said:?}"
    );
    for refused in &said[1..5] {
        assert!(refused.contains("Permission denied"), "{said:?}");
    }
    assert_eq!(fs::read_to_string(&file).expect("the file"), text);
}
