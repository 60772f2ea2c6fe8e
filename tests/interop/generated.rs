//! What ssh-keygen and this library make of the same files, over files made by a generator with a seed: known hosts
//! (`-F`, `-R`, `-H`), certificates (`-L`) and revocation lists (`-Q`). ssh_config is in `config`, keys in `keys`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::certificates::{certify, keygen, make_key, probe as certificate, same_listing};
use crate::config::Dice;
use crate::known_hosts::{keygen as keygen_hosts, probe as known_hosts, words};
use crate::need;
use crate::peers::path;
use crate::process::Scratch;

const SEED: u64 = 0x5eed_0f05;
const HOST_FILES: usize = 25;
const CERTIFICATES: usize = 60;
const LISTS: usize = 40;

const HOSTS: [&str; 5] = ["one", "two", "a.example.org", "[one]:2222", "192.0.2.7"];
const NAMES: [&str; 18] = [
    "one",
    "ONE",
    "two",
    "a.example.org",
    "A.Example.ORG",
    "*.example.org",
    "!a.example.org",
    "!one",
    "?n?",
    "*",
    "o*e",
    "[one]:22",
    "[one]:2222",
    "[*]:2222",
    "![one]:2222",
    "192.0.2.7",
    "192.0.2.*",
    "three",
];

/// A line that both take for one.
fn host_line(dice: &mut Dice) -> String {
    if dice.is(15) {
        return dice
            .pick(&["# one ssh-ed25519 AAAA", "", "  ", "\t# x"])
            .to_owned();
    }
    let names: Vec<_> = (0..=dice.roll(3)).map(|_| dice.pick(&NAMES)).collect();
    let key = dice.pick(&["host_ed25519", "user_ed25519", "host_rsa", "host_ecdsa256"]);
    let marker = match dice.roll(10) {
        0 => "@cert-authority ",
        1 => "@revoked ",
        _ => "",
    };
    let before = if dice.is(10) { " " } else { "" };
    let between = dice.pick(&[" ", "  ", "\t"]);
    let comment = dice.pick(&["", " a comment", " two  words"]);
    format!(
        "{before}{marker}{}{between}{}{comment}",
        names.join(","),
        words(key)
    )
}

fn host_file(scratch: &Scratch, dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..dice.roll(12) {
        let _ = writeln!(text, "{}", host_line(dice));
    }
    if dice.is(50) {
        let file = scratch.write("to_hash", &text);
        keygen_hosts(&file, &["-H"]).expect_code(0);
        text = fs::read_to_string(file).expect("hashed");
        for _ in 0..dice.roll(6) {
            let _ = writeln!(text, "{}", host_line(dice));
        }
    }
    // The last line may lack its end.
    if dice.is(20) {
        text.truncate(text.trim_end().len());
    }
    text
}

/// The numbers of the lines that ssh-keygen finds for a host.
fn found(file: &Path, host: &str) -> String {
    let said = keygen_hosts(file, &["-F", host]).text();
    let numbers = said.lines().filter_map(|line| {
        line.strip_prefix("# Host ")?
            .split_whitespace()
            .nth(3)
            .map(str::to_owned)
    });
    let numbers: Vec<_> = numbers.collect();
    ["lines", &numbers.join(" ")]
        .join(" ")
        .trim_end()
        .to_owned()
}

#[test]
fn known_hosts_found_removed_and_hashed_alike() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let mut dice = Dice(SEED);
    let mut finds = 0;
    for number in 0..HOST_FILES {
        let text = host_file(&scratch, &mut dice);
        let (ours, theirs) = (scratch.file("ours"), scratch.file("theirs"));
        for host in HOSTS {
            let file = scratch.write("theirs", &text);
            let expected = found(&file, host);
            finds += usize::from(expected != "lines");
            let said = known_hosts(&file, &format!("find {host} 0\n"));
            assert_eq!(said[0].trim_end(), expected, "{number}: {host} in\n{text}");
            if text.is_empty() || expected == "lines" {
                continue;
            }
            scratch.write("ours", &text);
            known_hosts(&ours, &format!("remove {host} 0\n"));
            keygen_hosts(&theirs, &["-R", host]).expect_code(0);
            let left = [&ours, &theirs].map(|file| fs::read_to_string(file).expect("a file"));
            assert_eq!(
                left[0].trim_end(),
                left[1].trim_end(),
                "{number}: without {host}"
            );
        }
        if text.is_empty() {
            continue;
        }
        for file in [&ours, &theirs] {
            fs::write(file, &text).expect("written");
        }
        known_hosts(&ours, "hash\n");
        keygen_hosts(&theirs, &["-H"]).expect_code(0);
        for host in HOSTS {
            assert_eq!(
                found(&ours, host),
                found(&theirs, host),
                "{number}: {host} hashed"
            );
            let said = known_hosts(&theirs, &format!("find {host} 0\n"));
            assert_eq!(said[0].trim_end(), found(&theirs, host), "{number}: {host}");
        }
    }
    assert!(finds > HOST_FILES, "{finds}");
}

const KINDS: [(&str, &str); 4] = [
    ("ed25519", "256"),
    ("ecdsa", "256"),
    ("ecdsa", "521"),
    ("rsa", "2048"),
];

fn keys(scratch: &Scratch, name: &str) -> Vec<PathBuf> {
    let kinds = KINDS.iter().enumerate();
    kinds
        .map(|(number, kind)| make_key(scratch, &format!("{name}{number}"), *kind))
        .collect()
}

/// Any number, the smallest and the largest among them.
fn serial(dice: &mut Dice) -> u64 {
    let digits = [dice.roll(1 << 20), dice.roll(1 << 20), dice.roll(1 << 20)];
    let wide = digits
        .iter()
        .fold(0_u64, |sum, part| (sum << 20).wrapping_add(*part as u64));
    match dice.roll(4) {
        0 => 0,
        1 => u64::MAX,
        2 => wide & 0xff,
        _ => wide,
    }
}

#[test]
fn certificates_are_listed_alike() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let mut dice = Dice(SEED);
    let (authorities, users) = (keys(&scratch, "ca"), keys(&scratch, "user"));
    for number in 0..CERTIFICATES {
        let serial = serial(&mut dice).to_string();
        let (from, length) = (dice.roll(1 << 30), dice.roll(1 << 30));
        let to = from + length + 1;
        let dates = format!("0x{from:x}:0x{to:x}");
        let id = dice.pick(&["an id", "x", "\"quoted\"", "ü", "two  words"]);
        let mut options = vec!["-I", id, "-z", &serial, "-V", &dates];
        let principals: Vec<_> = (0..dice.roll(5))
            .map(|_| dice.pick(&["alice", "bob", "*.example.org", "root", "a b", "é"]))
            .collect();
        let principals = principals.join(",");
        if !principals.is_empty() {
            options.extend(["-n", &principals]);
        }
        if dice.is(30) {
            options.push("-h");
        } else {
            for _ in 0..dice.roll(5) {
                options.push("-O");
                options.push(dice.pick(&[
                    "clear",
                    "no-pty",
                    "permit-pty",
                    "no-x11-forwarding",
                    "no-port-forwarding",
                    "permit-agent-forwarding",
                    "verify-required",
                    "no-touch-required",
                    "source-address=10.0.0.0/8,192.0.2.1",
                    "force-command=ls -l \"x\"",
                ]));
            }
        }
        // The same option with a value twice is refused by ssh-keygen itself.
        let twice = |word: &str| {
            let same = options.iter().filter(|option| option.starts_with(word));
            same.count() > 1
        };
        if twice("source-address") || twice("force-command") {
            continue;
        }
        let authority = &authorities[dice.roll(authorities.len())];
        let user = &users[dice.roll(users.len())];
        let made = certify(authority, user, &options);
        let listed = same_listing(&made);
        assert!(
            listed.contains(&format!("serial {serial}")),
            "{number}: {listed:?}"
        );
        let shown = certificate(&["show", path(&made)], b"").text();
        assert!(
            shown.contains(&format!("valid {from} {to}\n")),
            "{number}: {shown}"
        );
    }
}

#[test]
fn revocation_lists_revoke_alike() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let mut dice = Dice(SEED);
    let (authorities, users) = (keys(&scratch, "ca"), keys(&scratch, "user"));
    let mut files: Vec<_> = users.iter().map(|key| key.with_extension("pub")).collect();
    for number in 0..16 {
        let serial = dice.roll(12).to_string();
        let id = format!("id {}", dice.roll(4));
        let authority = &authorities[dice.roll(2)];
        let user = &users[dice.roll(users.len())];
        let made = certify(authority, user, &["-I", &id, "-z", &serial, "-n", "a"]);
        let kept = scratch.file(&format!("cert{number}"));
        fs::rename(made, &kept).expect("certificate");
        files.push(kept);
    }
    let line = |at: usize| fs::read_to_string(&files[at]).expect("a key");
    let names: Vec<&str> = files.iter().map(|file| path(file)).collect();
    let (mut revoked, mut judged) = (0, 0);
    for number in 0..LISTS {
        let mut specification = String::new();
        for _ in 0..=dice.roll(6) {
            let (one, other) = (dice.roll(12), dice.roll(12));
            let at = dice.roll(files.len());
            specification += &match dice.roll(6) {
                0 => format!("serial: {}\n", one + 1),
                1 => format!("serial: {}-{}\n", one.min(other) + 1, one.max(other) + 2),
                2 => format!("id: id {}\n", dice.roll(4)),
                3 => format!("key: {}", line(at)),
                4 => format!("sha256: {}", line(at)),
                _ => format!("sha1: {}", line(at)),
            };
        }
        let source = scratch.write("specification", &specification);
        let list = scratch.file(&format!("krl{number}"));
        let by = authorities[dice.roll(2)].with_extension("pub");
        let made = keygen(&[
            "-k",
            "-q",
            "-f",
            path(&list),
            "-s",
            path(&by),
            path(&source),
        ]);
        made.expect_code(0);
        let theirs: Vec<_> = keygen(&[&["-Q", "-f", path(&list)][..], &names].concat())
            .text()
            .lines()
            .map(|line| line.ends_with("REVOKED"))
            .collect();
        let ours: Vec<_> = certificate(&[&["revoked", path(&list)][..], &names].concat(), b"")
            .expect_code(0)
            .text()
            .lines()
            .map(|line| line == "revoked")
            .collect();
        assert_eq!(ours.len(), files.len());
        assert_eq!(ours, theirs, "{number}: {specification}");
        judged += ours.len();
        revoked += ours.iter().filter(|revoked| **revoked).count();
    }
    assert!(revoked > LISTS && revoked < judged, "{revoked} of {judged}");
}
