//! Each authentication method, both roles, OpenSSH.

use std::fs;

use crate::certificates::{certify, make_key};
use crate::need;
use crate::peers::{
    account, exec, key, password_file, path, peer, server_password_file, ssh, ssh_with_password,
    OurServer, Sshd, PASSPHRASE,
};
use crate::process::{run, Scratch, LIMIT};

const USER_KEYS: [&str; 5] = [
    "user_ed25519",
    "user_ecdsa256",
    "user_ecdsa384",
    "user_ecdsa521",
    "user_rsa",
];

#[test]
fn our_client_publickey() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    for identity in USER_KEYS {
        let output = run(
            exec(sshd.port, &user, identity).args(["127.0.0.1", "echo $USER"]),
            b"",
            LIMIT,
        )
        .expect_code(0);
        assert_eq!(output.text(), format!("{user}\n"), "{identity}");
    }
}

#[test]
fn our_client_key_with_passphrase() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    let right = scratch.write("right", PASSPHRASE);
    let wrong = scratch.write("wrong", "no such thing");
    let attempt = |passphrase: &std::path::Path| {
        run(
            exec(sshd.port, &user, "user_encrypted")
                .arg("--passphrase-file")
                .arg(passphrase)
                .args(["127.0.0.1", "echo in"]),
            b"",
            LIMIT,
        )
    };
    assert_eq!(attempt(&right).expect_code(0).text(), "in\n");
    let refused = attempt(&wrong).expect_code(255);
    assert!(
        refused.stderr.to_lowercase().contains("passphrase"),
        "{}",
        refused.stderr
    );
}

#[test]
fn our_client_unknown_key_is_refused_with_the_methods_left() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    let refused = run(
        exec(sshd.port, &user, "user_stranger").args(["127.0.0.1", "true"]),
        b"",
        LIMIT,
    )
    .expect_code(255);
    assert!(refused.stderr.contains("publickey"), "{}", refused.stderr);
    assert!(refused.stderr.contains("password"), "{}", refused.stderr);
}

#[test]
fn our_client_password() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, password) = account();
    let output = run(
        exec(sshd.port, &user, "")
            .arg("--password-file")
            .arg(&password)
            .args(["127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), "in\n");
    let wrong = password_file(&scratch, "wrong");
    run(
        exec(sshd.port, &user, "")
            .arg("--password-file")
            .arg(&wrong)
            .args(["127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    )
    .expect_code(255);
}

/// A server without `password` that asks for it by keyboard-interactive: the seed's fallback, and the method itself.
#[test]
fn our_client_keyboard_interactive() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(
        &scratch,
        "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication yes",
    );
    let (user, password) = account();
    for method in ["password", "keyboard-interactive"] {
        let output = run(
            exec(sshd.port, &user, "")
                .args(["--auth", method])
                .arg("--password-file")
                .arg(&password)
                .args(["127.0.0.1", "echo in"]),
            b"",
            LIMIT,
        );
        assert_eq!(output.text(), "in\n", "{method}: {}", output.stderr);
    }
}

#[test]
fn our_client_several_steps() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "AuthenticationMethods publickey,password");
    let (user, password) = account();
    let output = run(
        exec(sshd.port, &user, "user_ed25519")
            .arg("--password-file")
            .arg(&password)
            .args(["127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), "in\n");
    // The key alone is only half of it.
    run(
        exec(sshd.port, &user, "user_ed25519").args(["127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    )
    .expect_code(255);
}

#[test]
fn our_client_shows_the_banner() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let banner = scratch.write("banner", "Mind the gap.\n");
    let sshd = Sshd::start(&scratch, &format!("Banner {}", banner.display()));
    let (user, _) = account();
    let output = run(
        exec(sshd.port, &user, "user_ed25519").args(["127.0.0.1", "true"]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert!(output.stderr.contains("Mind the gap."), "{}", output.stderr);
}

#[test]
fn our_client_refuses_another_host_key() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    let mut command = std::process::Command::new(crate::peers::program("exec"));
    command
        .args([
            "--batch",
            "-p",
            &sshd.port.to_string(),
            "-l",
            &user,
            "--host-key",
        ])
        .arg(key("user_stranger").with_extension("pub"))
        .arg("-i")
        .arg(key("user_ed25519"))
        .args(["127.0.0.1", "echo in"]);
    let output = run(&mut command, b"", LIMIT).expect_code(255);
    assert_eq!(output.text(), "");
    assert!(
        output.stderr.to_lowercase().contains("host key"),
        "{}",
        output.stderr
    );
}

#[test]
fn our_server_publickey() {
    need!("SSH");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    for identity in USER_KEYS {
        let output = run(
            ssh(&server, &scratch, identity).args(["127.0.0.1", "echo in"]),
            b"",
            LIMIT,
        );
        assert_eq!(
            output.text(),
            "in\n",
            "{identity}: {}{}",
            output.stderr,
            server.log()
        );
    }
    for algorithm in ["rsa-sha2-256", "rsa-sha2-512"] {
        let output = run(
            ssh(&server, &scratch, "user_rsa")
                .arg(format!("-oPubkeyAcceptedAlgorithms={algorithm}"))
                .args(["127.0.0.1", "echo in"]),
            b"",
            LIMIT,
        );
        assert_eq!(output.text(), "in\n", "{algorithm}: {}", output.stderr);
    }
    let refused = run(
        ssh(&server, &scratch, "user_stranger").args(["127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    )
    .expect_code(255);
    assert!(
        refused.stderr.contains("Permission denied"),
        "{}",
        refused.stderr
    );
}

#[test]
fn our_server_password_and_keyboard_interactive() {
    need!("SSH");
    let scratch = Scratch::new();
    let passwords = server_password_file(&scratch, "let me in");
    let server = OurServer::start(
        &scratch,
        &["--password-file", passwords.to_str().expect("path")],
    );
    let right = password_file(&scratch, "let me in");
    for method in ["password", "keyboard-interactive"] {
        let output = run(
            ssh_with_password(&server, &scratch, method, &right).args(["127.0.0.1", "echo in"]),
            b"",
            LIMIT,
        );
        assert_eq!(
            output.text(),
            "in\n",
            "{method}: {}{}",
            output.stderr,
            server.log()
        );
    }
    let wrong = scratch.write("wrong", "let me out\n");
    for method in ["password", "keyboard-interactive"] {
        let output = run(
            ssh_with_password(&server, &scratch, method, &wrong).args(["127.0.0.1", "echo in"]),
            b"",
            LIMIT,
        )
        .expect_code(255);
        assert_eq!(output.text(), "", "{method}");
    }
}

#[test]
fn our_server_several_steps() {
    need!("SSH");
    let scratch = Scratch::new();
    let passwords = server_password_file(&scratch, "let me in");
    let server = OurServer::start(
        &scratch,
        &[
            "--password-file",
            passwords.to_str().expect("path"),
            "--require",
            "publickey,password",
        ],
    );
    let right = password_file(&scratch, "let me in");
    let output = run(
        ssh_with_password(&server, &scratch, "publickey,password", &right)
            .arg("-i")
            .arg(key("user_ed25519"))
            .args(["127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    );
    assert_eq!(output.text(), "in\n", "{}{}", output.stderr, server.log());
    for half in ["publickey", "password"] {
        let output = run(
            ssh_with_password(&server, &scratch, half, &right)
                .arg("-i")
                .arg(key("user_ed25519"))
                .args(["127.0.0.1", "echo in"]),
            b"",
            LIMIT,
        )
        .expect_code(255);
        assert_eq!(output.text(), "", "{half}");
    }
}

#[test]
fn our_server_none() {
    need!("SSH");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--allow-anyone"]);
    let nothing = password_file(&scratch, "");
    let output = run(
        ssh_with_password(&server, &scratch, "none", &nothing).args(["127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    );
    assert_eq!(output.text(), "in\n", "{}", output.stderr);
    // Our client asks with `none` first as well.
    let output = run(
        exec(server.port, "tester", "").args(["--auth", "none", "127.0.0.1", "echo in"]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), "in\n");
}

#[test]
fn our_server_banner() {
    need!("SSH");
    let scratch = Scratch::new();
    let banner = scratch.write("banner", "Mind the gap.\n");
    let server = OurServer::start(&scratch, &["--banner", banner.to_str().expect("path")]);
    let output = run(
        ssh(&server, &scratch, "user_ed25519").args(["-v", "127.0.0.1", "true"]),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert!(output.stderr.contains("Mind the gap."), "{}", output.stderr);
}

/// Keys that our keygen writes are keys to OpenSSH, and its keys are keys to ours.
#[test]
fn keys_are_read_by_the_other_side() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    for (kind, bits) in [
        ("ed25519", None),
        ("ecdsa", Some("256")),
        ("ecdsa", Some("384")),
        ("ecdsa", Some("521")),
        ("rsa", Some("3072")),
    ] {
        let file = scratch.file(&format!("{kind}{}", bits.unwrap_or("")));
        let passphrase = scratch.write("passphrase", PASSPHRASE);
        let mut command = std::process::Command::new(crate::peers::program("keygen"));
        command
            .args(["-t", kind, "-C", "made by us", "--passphrase-file"])
            .arg(&passphrase);
        if let Some(bits) = bits {
            command.args(["-b", bits]);
        }
        run(command.arg("-f").arg(&file), b"", LIMIT).expect_code(0);
        let public = run(
            peer("SSH_KEYGEN")
                .args(["-y", "-P", PASSPHRASE, "-f"])
                .arg(&file),
            b"",
            LIMIT,
        )
        .expect_code(0);
        let ours = fs::read_to_string(file.with_extension("pub"))
            .or_else(|_| fs::read_to_string(format!("{}.pub", file.display())))
            .expect("public half");
        assert_eq!(
            public.text().split_whitespace().nth(1),
            ours.split_whitespace().nth(1),
            "{kind}"
        );
        let printed = run(
            std::process::Command::new(crate::peers::program("keygen"))
                .args(["-l", "-f"])
                .arg(format!("{}.pub", file.display())),
            b"",
            LIMIT,
        )
        .expect_code(0);
        let theirs =
            crate::peers::fingerprint(std::path::Path::new(&format!("{}.pub", file.display())));
        assert!(printed.text().contains(&theirs), "{}", printed.text());
    }
}

/// What one user has shown counts for nothing for the next one on the same connection (case A5).
#[test]
fn steps_are_not_handed_on_to_another_user() {
    need!("PYTHON");
    const SCRIPT: &str = r#"
import sys, paramiko
port, key = int(sys.argv[1]), paramiko.Ed25519Key.from_private_key_file(sys.argv[2])
transport = paramiko.Transport(("127.0.0.1", port))
transport.start_client(timeout=20)
assert transport.auth_publickey("tester", key) == ["password"]
try:
    transport.auth_password("other", "other's", fallback=False)
    print("in as another user")
except (paramiko.AuthenticationException, paramiko.SSHException):
    print("refused")
transport.close()
transport = paramiko.Transport(("127.0.0.1", port))
transport.start_client(timeout=20)
assert transport.auth_publickey("tester", key) == ["password"]
assert transport.auth_password("tester", "tester's", fallback=False) == []
print("in")
transport.close()
"#;
    let scratch = Scratch::new();
    let passwords = scratch.write("passwords", "tester:tester's\nother:other's\n");
    let server = OurServer::start(
        &scratch,
        &[
            "--password-file",
            passwords.to_str().expect("path"),
            "--require",
            "publickey,password",
        ],
    );
    let output = run(
        peer("PYTHON")
            .args(["-c", SCRIPT, &server.port.to_string()])
            .arg(key("user_ed25519")),
        b"",
        LIMIT,
    );
    assert_eq!(output.text(), "refused\nin\n", "{}", output.stderr);
}

/// Nor does it count when the client comes back as the one who has shown it: one key is not two (case A5).
#[test]
fn a_key_counts_once_whoever_came_between() {
    need!("PYTHON");
    const SCRIPT: &str = r#"
import sys, paramiko
port, key = int(sys.argv[1]), paramiko.Ed25519Key.from_private_key_file(sys.argv[2])
other = paramiko.ECDSAKey.from_private_key_file(sys.argv[3])
transport = paramiko.Transport(("127.0.0.1", port))
transport.start_client(timeout=20)
assert transport.auth_publickey("tester", key) == ["publickey"]
try:
    transport.auth_none("other")
except paramiko.BadAuthenticationType:
    pass
print("one of two" if transport.auth_publickey("tester", key) else "in with one key")
try:
    transport.auth_publickey("tester", key)
    print("in with one key")
except paramiko.AuthenticationException:
    print("refused")
assert transport.auth_publickey("tester", other) == []
print("in with two")
transport.close()
"#;
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--require", "publickey,publickey"]);
    let output = run(
        peer("PYTHON")
            .args(["-c", SCRIPT, &server.port.to_string()])
            .arg(key("user_ed25519"))
            .arg(key("user_ecdsa256")),
        b"",
        LIMIT,
    );
    assert_eq!(
        output.text(),
        "one of two\nrefused\nin with two\n",
        "{}{}",
        output.stderr,
        server.log()
    );
}

/// What the certificate of an earlier step forbids stays forbidden, or the step is not behind the user (case A5).
#[test]
fn no_step_outlives_what_its_certificate_restricts() {
    need!("PYTHON", "SSH_KEYGEN");
    const SCRIPT: &str = r#"
import sys, paramiko
port, certified = int(sys.argv[1]), paramiko.Ed25519Key.from_private_key_file(sys.argv[2])
certified.load_certificate(sys.argv[2] + "-cert.pub")
transport = paramiko.Transport(("127.0.0.1", port))
transport.start_client(timeout=20)
assert transport.auth_publickey("tester", certified) == ["password"]
try:
    transport.auth_none("other")
except paramiko.BadAuthenticationType:
    pass
try:
    transport.auth_password("tester", "tester's", fallback=False)
    print("in by a password alone")
except paramiko.AuthenticationException:
    print("refused")
try:
    print("the key once more, then", *transport.auth_publickey("tester", certified))
except paramiko.BadAuthenticationType as refused:
    print("refused, then", *refused.allowed_types)
assert transport.auth_password("tester", "tester's", fallback=False) == []
channel = transport.open_session()
channel.exec_command("echo free")
print(channel.makefile().read().decode(), end="")
transport.close()
"#;
    let scratch = Scratch::new();
    let authority = make_key(&scratch, "ca", ("ed25519", "256"));
    let user = make_key(&scratch, "user", ("ed25519", "256"));
    certify(
        &authority,
        &user,
        &["-n", "tester", "-O", "force-command=echo forced"],
    );
    let passwords = scratch.write("passwords", "tester:tester's\n");
    let server = OurServer::start(
        &scratch,
        &[
            "--user-authority",
            path(&authority.with_extension("pub")),
            "--password-file",
            path(&passwords),
            "--require",
            "publickey,password",
        ],
    );
    let output = run(
        peer("PYTHON")
            .args(["-c", SCRIPT, &server.port.to_string()])
            .arg(&user),
        b"",
        LIMIT,
    );
    assert_eq!(
        output.text(),
        "refused\nthe key once more, then password\nforced\n",
        "{}{}",
        output.stderr,
        server.log()
    );
}
