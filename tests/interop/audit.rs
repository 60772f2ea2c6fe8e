//! What `ssh-audit` says about our offers. It ends with 0: nothing to remark, 2: warnings, 3: failures.

use crate::need;
use crate::peers::{exec, peer, OurServer};
use crate::process::{run, Output, Running, Scratch, LIMIT};

fn audit_server(options: &[&str]) -> Output {
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, options);
    run(
        peer("SSH_AUDIT")
            .args(["-n", "--skip-rate-test", "-p", &server.port.to_string()])
            .arg("127.0.0.1"),
        b"",
        LIMIT,
    )
}

#[test]
fn server_with_default_options_has_no_failure() {
    need!("SSH_AUDIT");
    let output = audit_server(&[]);
    assert!(
        matches!(output.code(), Some(0 | 2)) && !output.text().contains("[fail]"),
        "{:?}\n{}{}",
        output.code(),
        output.text(),
        output.stderr
    );
}

#[test]
fn server_with_modern_preset_has_nothing_to_remark() {
    need!("SSH_AUDIT");
    let output = audit_server(&["--preset", "modern"]);
    assert!(
        output.code() == Some(0)
            && !output.text().contains("[fail]")
            && !output.text().contains("[warn]"),
        "{:?}\n{}{}",
        output.code(),
        output.text(),
        output.stderr
    );
}

/// ssh-audit as a server that our client comes to. The connection gets nowhere; the offer is what counts.
#[test]
fn client_with_modern_preset_has_nothing_to_remark() {
    need!("SSH_AUDIT", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("listener");
    let port = listener.local_addr().expect("address").port();
    drop(listener);
    let mut command = peer("SSH_AUDIT");
    command.args(["-n", "-c", "-p", &port.to_string(), "-t", "30"]);
    let mut audit = Running::start(command, scratch.file("audit.log"));
    // It says nothing when it is ready, so the client knocks until it is heard.
    for _ in 0..50 {
        let output = run(
            exec(port, "tester", "user_ed25519").args([
                "--preset",
                "modern",
                "--timeout",
                "5",
                "127.0.0.1",
                "true",
            ]),
            b"",
            LIMIT,
        );
        assert!(!output.status.success());
        if !output.stderr.to_lowercase().contains("refused") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let status = audit.wait(LIMIT);
    let text = audit.log();
    assert!(
        status.code() == Some(0) && !text.contains("[fail]") && !text.contains("[warn]"),
        "{status}\n{text}"
    );
}
