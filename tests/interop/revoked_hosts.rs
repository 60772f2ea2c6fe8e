//! RevokedHostKeys: lists of keys and those that ssh-keygen makes, with the verdict of `ssh` on each.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::need;
use crate::peers::{account, key, peer, program, Sshd};
use crate::process::{run, Scratch, LIMIT};

fn public(path: &Path) -> String {
    fs::read_to_string(path.with_extension("pub")).expect("a public key")
}

fn keygen(arguments: &[&str]) {
    run(peer("SSH_KEYGEN").args(arguments), b"", LIMIT).expect_code(0);
}

/// A list of what `specification` says, as ssh-keygen(1) describes it under "KEY REVOCATION LISTS".
fn krl(scratch: &Scratch, name: &str, authority: Option<&Path>, specification: &str) -> PathBuf {
    let file = scratch.file(name);
    let specified = scratch.write("specification", specification);
    let mut arguments = vec!["-k", "-q", "-f", text(&file)];
    let authority = authority.map(|path| path.with_extension("pub"));
    if let Some(authority) = &authority {
        arguments.extend(["-s", text(authority)]);
    }
    arguments.push(text(&specified));
    keygen(&arguments);
    file
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
}

/// A configuration that both clients go by.
fn configuration(scratch: &Scratch, port: u16, known: &str, revoked: &str) -> PathBuf {
    let identity = scratch.file("identity");
    fs::copy(key("user_ed25519"), &identity).expect("a key");
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o600)).expect("mode");
    let known = scratch.write("known", known);
    scratch.write(
        "config",
        &format!(
            "Host there\n HostName 127.0.0.1\n Port {port}\n User {}\n IdentityFile {}\n\
             \x20IdentitiesOnly yes\n BatchMode yes\n StrictHostKeyChecking yes\n UpdateHostKeys no\n\
             \x20UserKnownHostsFile {}\n GlobalKnownHostsFile none\n RevokedHostKeys {revoked}\n\
             \x20HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519\n",
            account().0,
            identity.display(),
            known.display(),
        ),
    )
}

/// Whether both clients get in, which must be the same; and what ours says.
#[track_caller]
fn verdicts(config: &Path, revoked: &str) -> (bool, String) {
    let mut theirs = peer("SSH");
    theirs.arg("-F").arg(config).args(["there", "true"]);
    let theirs = run(&mut theirs, b"", LIMIT);
    let mut ours = Command::new(program("connect"));
    let ours = run(ours.arg(config).args(["there", "true"]), b"", LIMIT);
    assert_eq!(
        ours.code(),
        theirs.code(),
        "{revoked}: {} and {}",
        ours.stderr,
        theirs.stderr
    );
    (ours.code() == Some(0), ours.stderr)
}

#[test]
fn a15_the_same_host_keys_are_revoked_as_for_ssh() {
    need!("SSHD", "SSH", "SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (host, other) = (key("host_ed25519"), key("user_stranger"));
    let known = format!("[127.0.0.1]:{} {}", sshd.port, public(&host));
    let plain = |name: &str, text: String| scratch.write(name, &text).display().to_string();
    let list = |name: &str, specification: String| {
        krl(&scratch, name, None, &specification)
            .display()
            .to_string()
    };
    let sha256 = {
        let mut command = peer("SSH_KEYGEN");
        command.arg("-lf").arg(host.with_extension("pub"));
        let said = run(&mut command, b"", LIMIT).expect_code(0).text();
        said.split_whitespace()
            .nth(1)
            .expect("a fingerprint")
            .to_owned()
    };
    for (revoked, is_in, says) in [
        ("none".to_owned(), true, ""),
        (plain("p1", public(&host)), false, "revoked: the key"),
        (
            plain(
                "p2",
                format!("# text\n\n{}{}", public(&other), public(&host)),
            ),
            false,
            "revoked",
        ),
        (plain("p3", public(&other)), true, ""),
        (plain("p4", String::new()), true, ""),
        (list("k1", public(&host)), false, "revoked: the key"),
        (list("k2", public(&other)), true, ""),
        (
            list("k3", format!("sha256: {}", public(&host))),
            false,
            "revoked",
        ),
        (list("k4", format!("hash: {sha256}")), false, "revoked"),
        (list("k5", String::new()), true, ""),
        // What cannot tell what is revoked.
        (
            plain("bad", "nonsense\n".into()),
            false,
            "no host key is trusted",
        ),
        (
            scratch.file("absent").display().to_string(),
            false,
            "no host key is trusted",
        ),
        (
            scratch.file("").display().to_string(),
            false,
            "no host key is trusted",
        ),
    ] {
        let config = configuration(&scratch, sshd.port, &known, &revoked);
        let (got_in, said) = verdicts(&config, &revoked);
        assert_eq!(got_in, is_in, "{revoked}: {said}");
        assert!(said.contains(says), "{revoked}: {said}");
    }
}

#[test]
fn a15_the_same_host_certificates_are_revoked_as_for_ssh() {
    need!("SSHD", "SSH", "SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let (authority, host) = (scratch.file("ca"), scratch.file("host"));
    for path in [&authority, &host] {
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", text(path)]);
    }
    let certified = host.with_extension("pub");
    keygen(&[
        "-q",
        "-h",
        "-s",
        text(&authority),
        "-I",
        "the id",
        "-z",
        "17",
        "-n",
        "127.0.0.1",
        text(&certified),
    ]);
    let config = format!("HostKey {0}\nHostCertificate {0}-cert.pub", text(&host));
    let sshd = Sshd::start(&scratch, &config);
    let known = format!("@cert-authority * {}", public(&authority));
    let by = Some(authority.as_path());
    for (name, signer, specification, is_in) in [
        ("serial", by, "serial: 17".to_owned(), false),
        ("range", by, "serial: 10-20".to_owned(), false),
        ("others", by, "serial: 1-16\nserial: 18-30".to_owned(), true),
        ("id", by, "id: the id".to_owned(), false),
        ("other_id", by, "id: an id".to_owned(), true),
        ("key", None, public(&host), false),
        ("authority", None, public(&authority), false),
    ] {
        let list = krl(&scratch, name, signer, &specification);
        let config = configuration(&scratch, sshd.port, &known, text(&list));
        let (got_in, said) = verdicts(&config, name);
        assert_eq!(got_in, is_in, "{name}: {said}");
        assert!(is_in || said.contains("revoked"), "{name}: {said}");
    }
}
