//! The smoke with paramiko, both roles: connect, each authentication method, 1 MiB both ways, new keys.

use crate::need;
use crate::peers::{
    exec, key, password_file, peer, root, server_password_file, OurServer, ParamikoServer,
};
use crate::process::{echo_through, run, Scratch, LIMIT};

const MIB: u64 = 1024 * 1024;
const PASSWORD: &str = "let me in";

#[test]
fn our_client_with_paramiko() {
    need!("PYTHON", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let password = password_file(&scratch, PASSWORD);
    let server = ParamikoServer::start(&scratch, &password);
    let client = |user: &str, identity: &str, options: &[&str]| {
        let mut command = exec(server.port, user, identity);
        command.args(options).arg("127.0.0.1");
        command
    };
    for identity in ["user_ed25519", "user_ecdsa256", "user_ecdsa521", "user_rsa"] {
        echo_through(client("tester", identity, &[]).arg("cat"), MIB, LIMIT);
    }
    let file = password.to_str().expect("path");
    for (user, identity, options) in [
        ("open", "", &["--auth", "none"] as &[&str]),
        (
            "tester",
            "",
            &["--auth", "password", "--password-file", file],
        ),
        ("both", "user_ed25519", &["--password-file", file]),
    ] {
        run(client(user, identity, options).arg("exit 9"), b"", LIMIT).expect_code(9);
    }
    // Two rounds of questions; the second is not one for a password, so each answer is given by itself.
    let answers = scratch.write("answers", &format!("{PASSWORD}\n5\n"));
    run(
        client(
            "tester",
            "",
            &[
                "--auth",
                "keyboard-interactive",
                "--answers-file",
                answers.to_str().expect("path"),
            ],
        )
        .arg("exit 9"),
        b"",
        LIMIT,
    )
    .expect_code(9);

    let output = run(
        client("tester", "user_ed25519", &[]).arg("both"),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), "to stdout\n");
    assert_eq!(output.stderr, "to stderr\n");

    let output = run(
        client("tester", "user_ed25519", &[]).arg("rekey"),
        b"",
        LIMIT,
    )
    .expect_code(0);
    assert_eq!(output.text(), "rekeyed\n", "asked for by the server");
    echo_through(
        client("tester", "user_ed25519", &["--rekey-bytes", "1048576"]).arg("cat"),
        8 * MIB,
        LIMIT,
    );
}

#[test]
fn paramiko_with_our_server() {
    need!("PYTHON");
    let scratch = Scratch::new();
    let passwords = server_password_file(&scratch, PASSWORD);
    let server = OurServer::start(
        &scratch,
        &[
            "--password-file",
            passwords.to_str().expect("path"),
            "--compression",
            "zlib@openssh.com,none",
        ],
    );
    let output = run(
        peer("PYTHON")
            .arg(root().join("tests/peers/paramiko_client.py"))
            .arg(server.port.to_string())
            .arg(key("host_ed25519").with_extension("pub"))
            .arg(key("").as_os_str())
            .arg(password_file(&scratch, PASSWORD)),
        b"",
        LIMIT * 2,
    );
    assert_eq!(
        output.code(),
        Some(0),
        "{}{}\nserver: {}",
        output.text(),
        output.stderr,
        server.log()
    );
    assert_eq!(
        output.text().matches("ok ").count(),
        15,
        "{}",
        output.text()
    );
}
