//! Cases N2, Y3, A13, X13: what is secret is in the memory of the process only for as long as it is used, and in no line
//! of its log.
//!
//! Each test runs in a process of its own, which looks through all of its writable memory (`/proc/self/mem`). So that
//! the test leaves nothing there itself, it keeps secrets covered (see [`scan`]), and it uses the C functions of the
//! library, as programs do. Each shows first that the search finds what is still needed.

mod keys;
mod pair;
mod peer;
mod scan;

use std::env;
use std::ffi::CString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};
use std::thread;

use sshwire::ffi::agent::{
    ssh_agent_add, ssh_agent_free, ssh_agent_lock, ssh_agent_new, ssh_agent_unlock,
};
use sshwire::ffi::auth::{
    ssh_transport_auth_interactive, ssh_transport_auth_password, ssh_transport_auth_publickey,
};
use sshwire::ffi::connection::ssh_transport_renegotiate_keys;
use sshwire::ffi::status::{SSH_ERR_AUTH, SSH_OK};
use zeroize::{Zeroize, Zeroizing};

use keys::Key;
use pair::{known, Pair, Server};
use peer::Peer;
use scan::{assert_gone, assert_there, Secret};

const TIME_MS: i32 = 20_000;

/// Runs the test in a process that does nothing else.
fn alone(name: &str, test: fn()) {
    const MARK: &str = "SSHWIRE_MEMORY_TEST";
    if env::var_os(MARK).is_some() {
        // SAFETY: it only asks for a signal, which ends this process should it hang.
        unsafe { libc::alarm(300) };
        return test();
    }
    let output = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .expect("this program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}{err}", output.status);
    assert!(out.contains("1 passed"), "{out}");
}

/// What is searched in the log is found wherever it begins and ends, and nothing that is there by chance.
#[test]
fn secrets_are_found_in_dumps() {
    let secret = Secret::text("a secret", 40);
    for between in ["", " "] {
        let digits: Vec<_> = secret.bytes().iter().map(|b| format!("{b:02x}")).collect();
        let is_found = |part: &[String]| {
            let line = format!("OUT: 99 bytes: 5e{between}{}", part.join(between));
            let forms = secret.printed();
            forms.iter().any(|form| form.is_in(line.as_bytes()))
        };
        for start in 0..=32 {
            assert!(is_found(&digits[start..start + 8]), "from {start} on");
        }
        assert!(!is_found(&digits[..7]));
    }
}

#[test]
fn y3_passwords_and_answers_leave_nothing_behind() {
    alone("y3_passwords_and_answers_leave_nothing_behind", || {
        let secrets = known();
        pair::watch_the_log();
        for interactive in [false, true] {
            let pair = Pair::new(null());
            let client = pair.client;
            if interactive {
                // SAFETY: the transport is alive, and the strings live during the call.
                let status = unsafe {
                    ssh_transport_auth_interactive(
                        client,
                        c"alice".as_ptr(),
                        null(),
                        null_mut(),
                        TIME_MS,
                        null_mut(),
                    )
                };
                assert_eq!(status, SSH_OK);
            } else {
                for (secret, expected) in
                    [(&secrets.wrong, SSH_ERR_AUTH), (&secrets.password, SSH_OK)]
                {
                    let password = secret.bytes();
                    // SAFETY: as above.
                    let status = unsafe {
                        ssh_transport_auth_password(
                            client,
                            c"alice".as_ptr(),
                            password.as_ptr().cast(),
                            password.len(),
                            false,
                            null_mut(),
                            TIME_MS,
                            null_mut(),
                        )
                    };
                    assert_eq!(status, expected);
                }
            }
            assert_gone(&secrets.all(), "while the user is in");
            pair.free();
            assert_gone(&secrets.all(), "at the end");
        }
        assert_eq!(pair::seen(), 2, "the server has seen both");
        pair::assert_log_is_clean();
    });
}

#[test]
fn y3_private_keys_and_passphrases_leave_nothing_behind() {
    alone(
        "y3_private_keys_and_passphrases_leave_nothing_behind",
        || {
            let secrets = known();
            pair::watch_the_log();
            for kind in keys::KINDS.iter().copied() {
                let key = Key::generate(kind);
                let numbers = key.secrets();
                assert_there(&numbers[0], "with the key");
                let texts: Vec<_> = keys::FORMATS
                    .iter()
                    .map(|format| key.text(*format, Some(&secrets.passphrase)))
                    .collect();
                key.sign();
                drop(key);
                let all = [&numbers[..], &secrets.all()].concat();
                assert_gone(&all, &format!("kind {kind} made"));
                for text in texts {
                    let key = Key::load(&text, true);
                    assert_there(&numbers[0], "with the key read");
                    assert_eq!(key.secrets().len(), numbers.len());
                    key.sign();
                    drop(key);
                    assert_gone(&all, &format!("kind {kind} read"));
                }
            }
            pair::assert_log_is_clean();
        },
    );
}

/// Files of all formats, encrypted in all ways.
#[test]
fn y3_files_of_every_format_leave_nothing_behind() {
    alone("y3_files_of_every_format_leave_nothing_behind", || {
        let mut read = 0;
        for file in keys::fixtures() {
            let Some(key) = Key::load_file(&file) else {
                continue;
            };
            read += 1;
            let numbers = key.secrets();
            drop(key);
            assert_gone(&numbers, &format!("{}", file.display()));
        }
        assert!(read > 30, "{read} files");
    });
}

#[test]
fn y3_keys_of_users_and_hosts_leave_nothing_behind() {
    alone("y3_keys_of_users_and_hosts_leave_nothing_behind", || {
        pair::watch_the_log();
        for kind in keys::KINDS.iter().copied() {
            // Servers have no NIST curves in their lists by themselves.
            let host_kind = if matches!(kind, 2..=4) { 1 } else { kind };
            let (host, user) = (Key::generate(host_kind), Key::generate(kind));
            let numbers = [host.secrets(), user.secrets()].concat();
            let pair = Pair::new(host.handle);
            // SAFETY: transport and key are alive.
            let status = unsafe {
                ssh_transport_auth_publickey(
                    pair.client,
                    c"alice".as_ptr(),
                    user.handle,
                    null_mut(),
                    TIME_MS,
                    null_mut(),
                )
            };
            assert_eq!(status, SSH_OK);
            // SAFETY: as above.
            let status =
                unsafe { ssh_transport_renegotiate_keys(pair.client, TIME_MS, null_mut()) };
            assert_eq!(status, SSH_OK);
            pair.free();
            drop((host, user));
            assert_gone(&numbers, &format!("kind {kind}"));
        }
        pair::assert_log_is_clean();
    });
}

/// Says yes to whatever it is asked.
fn agent(socket: &Path) {
    let listener = UnixListener::bind(socket).expect("a socket");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Zeroizing::new([0; 4096]);
            while stream.read(&mut *request).is_ok_and(|count| count > 0) {
                request.zeroize();
                if stream.write_all(&[0, 0, 0, 1, 6]).is_err() {
                    break;
                }
            }
        }
    });
}

#[test]
fn n2_what_an_agent_is_given_leaves_nothing_behind() {
    alone("n2_what_an_agent_is_given_leaves_nothing_behind", || {
        let secrets = known();
        let socket = env::temp_dir().join(format!("sshwire-memory-{}.sock", std::process::id()));
        agent(&socket);
        let path = CString::new(socket.as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: the path lives during the call.
        let agent = unsafe { ssh_agent_new(path.as_ptr(), TIME_MS, null_mut()) };
        assert!(!agent.is_null());
        let mut numbers = secrets.all();
        for kind in keys::KINDS.iter().copied() {
            let key = Key::generate(kind);
            numbers.extend(key.secrets());
            // SAFETY: agent and key are alive.
            let status = unsafe {
                ssh_agent_add(agent, key.handle, null(), 0, 0, false, TIME_MS, null_mut())
            };
            assert_eq!(status, SSH_OK);
        }
        for function in [ssh_agent_lock, ssh_agent_unlock] {
            let passphrase = secrets.passphrase.bytes();
            // SAFETY: the agent is alive, and the passphrase lives during the call.
            let status = unsafe {
                function(
                    agent,
                    passphrase.as_ptr().cast(),
                    passphrase.len(),
                    TIME_MS,
                    null_mut(),
                )
            };
            assert_eq!(status, SSH_OK);
        }
        assert_gone(&numbers, "while the agent is connected");
        // SAFETY: it is freed once.
        unsafe { ssh_agent_free(agent) };
        std::fs::remove_file(socket).expect("the socket");
        assert_gone(&numbers, "at the end");
    });
}

/// Ciphers and MACs of each way in which packets are protected.
const PROTECTION: [(&str, &str); 7] = [
    ("chacha20-poly1305@openssh.com", "hmac-sha2-256"),
    ("aes128-gcm@openssh.com", "hmac-sha2-256"),
    ("aes256-gcm@openssh.com", "hmac-sha2-256"),
    ("aes256-ctr", "hmac-sha2-256"),
    ("aes128-ctr", "hmac-sha2-512-etm@openssh.com"),
    ("aes192-ctr", "hmac-sha2-512"),
    ("aes256-ctr", "hmac-sha2-256-etm@openssh.com"),
];

#[test]
fn n2_old_session_keys_are_gone_after_a_rekey_and_at_the_end() {
    alone(
        "n2_old_session_keys_are_gone_after_a_rekey_and_at_the_end",
        || {
            pair::watch_the_log();
            let host = Key::generate(keys::KINDS[0]);
            for (cipher, mac) in PROTECTION {
                // A guess, and new keys later.
                for (guesses, rekey) in [(false, true), (true, true), (false, false)] {
                    let (server, stream) = Server::start(host.handle);
                    let mut peer = Peer::new(stream, cipher, mac, guesses);
                    peer.ping();
                    let secrets = peer.secrets();
                    let (made_from, keys) = secrets.split_at(2);
                    assert_gone(
                        made_from,
                        &format!("{cipher}: what the keys were made from"),
                    );
                    for key in keys.iter().filter(|key| key.name.starts_with("the key")) {
                        assert_there(key, cipher);
                    }
                    if rekey {
                        peer.rekey();
                        assert_gone(&secrets, &format!("{cipher} {mac} after a rekey"));
                    }
                    drop(peer);
                    server.free();
                    assert_gone(&secrets, &format!("{cipher} {mac} at the end"));
                    pair::assert_log_has_none_of(&secrets);
                }
            }
        },
    );
}
