//! The newest OpenSSH there is, both ways: what it does by itself, and what Debian's is too old for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::need;
use crate::peers::{
    account, client, exec, key, newest_ssh, path, peer, program, Agent, OurServer, Sshd,
};
use crate::process::{echo_through, file_hash, noise_file, run, Output, Scratch, LIMIT};

const MIB: u64 = 1024 * 1024;
/// What both sides choose when nobody says anything.
const KEX: &str = "mlkem768x25519-sha256";
const HOSTBOUND: &str = "publickey-hostbound-v00@openssh.com";
const KEYS: [&str; 5] = [
    "user_ed25519",
    "user_ecdsa256",
    "user_ecdsa384",
    "user_ecdsa521",
    "user_rsa",
];

fn public(name: &str) -> PathBuf {
    key(name).with_extension("pub")
}

/// A copy of a user's key in the scratch folder with a certificate beside it, both made by the newest ssh-keygen.
fn certified(scratch: &Scratch, user: &str) -> PathBuf {
    let mut keygen = peer("NEWEST_SSH_KEYGEN");
    let file = scratch.file("certified");
    keygen
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&file);
    run(&mut keygen, b"", LIMIT).expect_code(0);
    let mut keygen = peer("NEWEST_SSH_KEYGEN");
    keygen.args(["-q", "-I", "an id", "-n", user, "-s"]);
    keygen
        .arg(key("host_ecdsa256"))
        .arg(file.with_extension("pub"));
    run(&mut keygen, b"", LIMIT).expect_code(0);
    file
}

fn done(command: &mut Command) -> Output {
    let output = run(command, b"", LIMIT).expect_code(0);
    assert_eq!(output.text(), "in\n", "{}", output.stderr);
    output
}

#[test]
fn our_client_logs_in_with_each_type_of_key() {
    need!("NEWEST_SSHD", "NEWEST_SSH_KEYGEN", "ACCOUNT");
    let scratch = Scratch::new();
    let (user, _) = account();
    let authority = format!(
        "LogLevel DEBUG1\nTrustedUserCAKeys {}",
        public("host_ecdsa256").display()
    );
    let sshd = Sshd::start_newest(&scratch, &authority);
    for name in KEYS {
        let mut command = exec(sshd.port, &user, name);
        done(command.args(["127.0.0.1", "echo in"]));
    }
    let certified = certified(&scratch, &user);
    let mut command = exec(sshd.port, &user, "");
    command.arg("-i").arg(certified);
    done(command.args(["127.0.0.1", "echo in"]));
    let log = sshd.log();
    let agreed = format!("kex: algorithm: {KEX}");
    assert_eq!(log.matches(&agreed).count(), KEYS.len() + 1, "{log}");
    assert!(log.contains("ED25519-CERT"), "{log}");
}

/// The probe with an agent.
fn login(port: u16, user: &str, agent: &Agent) -> Output {
    let mut command = Command::new(program("login"));
    command
        .args([&port.to_string(), user])
        .arg(public("host_ed25519"))
        .args(["agent", "0"])
        .env("SSH_AUTH_SOCK", &agent.socket);
    run(&mut command, b"", LIMIT)
}

#[test]
fn our_client_with_its_agent() {
    need!("NEWEST_SSHD", "NEWEST_SSH_AGENT", "SSH_ADD", "ACCOUNT");
    let (user, _) = account();
    let scratch = Scratch::new();
    let sshd = Sshd::start_newest(&scratch, "LogLevel DEBUG1");
    for name in KEYS {
        let own = Scratch::new();
        let agent = Agent::start_newest(&own);
        agent.add(name);
        let output = login(sshd.port, &user, &agent);
        assert_eq!(output.text(), "in\n", "{name}: {}", sshd.log());
    }
    let log = sshd.log();
    assert!(log.contains(&format!("method {HOSTBOUND}")), "{log}");
    // The session is told to the agent, which holds a key to its destination.
    for (host, text) in [("host_ed25519", "in\n"), ("host_rsa", "SSH_ERR")] {
        let own = Scratch::new();
        let agent = Agent::start_newest(&own);
        let line = fs::read_to_string(public(host)).expect("host key");
        let known = own.write("known", &format!("destination {line}"));
        let added = agent.ssh_add(&[
            "-q",
            "-H",
            path(&known),
            "-h",
            "destination",
            path(&key("user_ed25519")),
        ]);
        added.expect_code(0);
        let output = login(sshd.port, &user, &agent);
        assert!(output.text().starts_with(text), "{host}: {}", output.text());
    }
}

/// The types of keys in a file of known hosts.
fn types(known: &Path) -> Vec<String> {
    let text = fs::read_to_string(known).unwrap_or_default();
    let mut types: Vec<_> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(1).map(str::to_owned))
        .collect();
    types.sort();
    types
}

const HOST_TYPES: [&str; 5] = [
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-ed25519",
    "ssh-rsa",
];

fn known_by_one_key(scratch: &Scratch, port: u16) -> PathBuf {
    let line = fs::read_to_string(public("host_ed25519")).expect("host key");
    scratch.write("known", &format!("[127.0.0.1]:{port} {line}"))
}

#[test]
fn our_client_moves_data_and_keys_and_learns_host_keys() {
    need!("NEWEST_SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (user, _) = account();
    let sshd = Sshd::start_newest(&scratch, "LogLevel DEBUG1\nRekeyLimit 4M");
    let to = || exec(sshd.port, &user, "user_ed25519");
    echo_through(to().args(["127.0.0.1", "cat"]), MIB, LIMIT);
    // Asked for by us and by it.
    let rekey = ["--rekey-bytes", "1048576", "127.0.0.1", "cat"];
    echo_through(to().args(rekey), 16 * MIB, LIMIT);
    echo_through(to().args(["127.0.0.1", "cat"]), 16 * MIB, LIMIT);
    let exchanges = sshd.log().matches("SSH2_MSG_NEWKEYS received").count();
    assert!(exchanges > 10, "{exchanges} key exchanges");

    let known = known_by_one_key(&scratch, sshd.port);
    let mut command = Command::new(program("exec"));
    command.args(["--batch", "-p", &sshd.port.to_string(), "-l", &user, "-i"]);
    command
        .arg(key("user_ed25519"))
        .arg("--known-hosts")
        .arg(&known);
    // It goes on until the keys are there.
    let wait = format!(
        "for i in $(seq 300); do [ $(wc -l <{}) = 5 ] && break; sleep 0.1; done; echo in",
        known.display()
    );
    done(command.args(["--update-host-keys", "127.0.0.1", &wait]));
    assert_eq!(types(&known), HOST_TYPES);
}

#[test]
fn our_client_moves_files() {
    need!("NEWEST_SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (user, _) = account();
    let sshd = Sshd::start_newest(&scratch, "");
    let (from, back) = (scratch.file("from"), scratch.file("back"));
    noise_file(&from, 8 * MIB);
    let directory = scratch.file("open");
    fs::create_dir(&directory).expect("directory");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("mode");
    let there = directory.join("there");
    for words in [
        ["put", path(&from), path(&there)],
        ["get", path(&there), path(&back)],
    ] {
        let mut command = client("sftp", sshd.port, &user, "user_ed25519");
        run(command.arg("127.0.0.1").args(words), b"", LIMIT).expect_code(0);
    }
    assert_eq!(file_hash(&from), file_hash(&back));
}

#[test]
fn ssh_logs_in_with_each_type_of_key() {
    need!(
        "NEWEST_SSH",
        "NEWEST_SSH_KEYGEN",
        "NEWEST_SSH_AGENT",
        "SSH_ADD"
    );
    let (scratch, own) = (Scratch::new(), Scratch::new());
    let authority = public("host_ecdsa256");
    let server = OurServer::start(&scratch, &["--user-authority", path(&authority)]);
    let agent = Agent::start_newest(&own);
    for name in KEYS {
        let mut command = newest_ssh(&server, &scratch, name);
        let output = done(command.args(["-v", "-o", "LogLevel=DEBUG", "127.0.0.1", "echo in"]));
        let agreed = format!("kex: algorithm: {KEX}");
        assert!(output.stderr.contains(&agreed), "{}", output.stderr);
        // Its agent has the key, and the key alone is named.
        agent.add(name);
        let mut command = peer("NEWEST_SSH");
        for word in newest_ssh(&server, &scratch, name).get_args() {
            match word.to_str() {
                Some("IdentityAgent=none") => {
                    command.arg(format!("IdentityAgent={}", agent.socket.display()))
                }
                Some("LogLevel=ERROR") => command.arg("LogLevel=DEBUG3"),
                _ => command.arg(word),
            };
        }
        let output = done(command.args(["127.0.0.1", "echo in"]));
        let used = format!("using {HOSTBOUND} with");
        assert!(output.stderr.contains(&used), "{}", output.stderr);
    }
    let mut command = newest_ssh(&server, &scratch, "user_stranger");
    command.arg("-i").arg(certified(&scratch, "tester"));
    done(command.args(["127.0.0.1", "echo in"]));
}

#[test]
fn ssh_moves_data_and_keys_and_learns_host_keys() {
    need!("NEWEST_SSH");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &["--rekey-bytes", "4194304"]);
    let from = || newest_ssh(&server, &scratch, "user_ed25519");
    echo_through(from().args(["127.0.0.1", "cat"]), MIB, LIMIT);
    for limit in ["RekeyLimit=1M", "RekeyLimit=default"] {
        let mut command = from();
        // The first value counts, so this one is at the front.
        command.args(["-v", "-o", limit, "127.0.0.1", "cat"]);
        let log = echo_through(&mut command, 16 * MIB, LIMIT * 2);
        let exchanges = log.matches("SSH2_MSG_NEWKEYS received").count();
        assert!(exchanges > 2, "{limit}: {exchanges} key exchanges");
    }
    let known = known_by_one_key(&scratch, server.port);
    let mut command = peer("NEWEST_SSH");
    command.args(["-F", "none", "-p", &server.port.to_string(), "-l", "tester"]);
    let file = format!("UserKnownHostsFile={}", known.display());
    for option in [
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=yes",
        "HashKnownHosts=no",
        &file,
    ] {
        command.args(["-o", option]);
    }
    let wait = format!(
        "for i in $(seq 300); do [ $(wc -l <{}) = 5 ] && break; sleep 0.1; done; echo in",
        known.display()
    );
    command.arg("-i").arg(key("user_ed25519"));
    done(command.args(["127.0.0.1", &wait]));
    assert_eq!(types(&known), HOST_TYPES);
}

#[test]
fn sftp_moves_files() {
    need!("NEWEST_SSH", "NEWEST_SFTP");
    let scratch = Scratch::new();
    let root = scratch.file("served");
    fs::create_dir(&root).expect("directory");
    let server = OurServer::start(&scratch, &["--sftp", path(&root)]);
    let (from, back) = (scratch.file("from"), scratch.file("back"));
    noise_file(&from, 8 * MIB);
    let batch = format!(
        "put {0} there\nget there {1}\nrename there elsewhere\nrm elsewhere\n",
        path(&from),
        path(&back)
    );
    let batch = scratch.write("batch", &batch);
    let mut command = peer("NEWEST_SFTP");
    let ssh = peer("NEWEST_SSH");
    command
        .arg("-S")
        .arg(ssh.get_program())
        .arg("-b")
        .arg(batch);
    command.args(["-P", &server.port.to_string()]);
    command.args(crate::peers::ssh_options(&server, &scratch));
    command
        .arg("-i")
        .arg(key("user_ed25519"))
        .arg("tester@127.0.0.1");
    run(&mut command, b"", Duration::from_secs(120)).expect_code(0);
    assert_eq!(file_hash(&from), file_hash(&back));
}
