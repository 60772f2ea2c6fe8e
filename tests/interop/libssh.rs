//! libssh and libsshwire in one process. Both export names that begin with `ssh_`, some of them the same.

use std::process::Command;

use crate::need;
use crate::peers::{account, key, program, Sshd};
use crate::process::{run, Scratch, LIMIT};

#[test]
fn both_libraries_in_one_process() {
    need!("SSHD", "LIBSSH_DEV", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    for order in ["libssh-first", "libsshwire-first"] {
        for binding in ["lazy", "now"] {
            let output = run(
                Command::new(program("two_libraries"))
                    .args([order, binding, "127.0.0.1", &sshd.port.to_string(), &user])
                    .arg(key("user_ed25519")),
                b"",
                LIMIT,
            )
            .expect_code(0);
            assert_eq!(
                output.text(),
                "libssh: hello from libssh\nlibsshwire: hello from libsshwire\n",
                "{order} {binding}"
            );
        }
    }
}

/// The same without dlopen: the dynamic linker loads both at start, in the order of the link line.
#[test]
fn both_libraries_linked() {
    need!("SSHD", "LIBSSH_DEV", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    for name in ["linked_libssh_first", "linked_libsshwire_first"] {
        let output = run(
            Command::new(program(name))
                .args(["127.0.0.1", &sshd.port.to_string(), &user])
                .arg(key("user_ed25519")),
            b"",
            LIMIT,
        )
        .expect_code(0);
        assert_eq!(
            output.text(),
            "libssh: hello from libssh\nlibsshwire: hello from libsshwire\n",
            "{name}"
        );
    }
}
