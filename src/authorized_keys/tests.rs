//! Lines that let somebody in, and all the others.

use super::*;
use crate::keys::certificate::CertificateDraft;
use crate::keys::test_support::{fixture, text, TestRandom};
use crate::keys::{Certificate, KeyKind, PrivateKey};

fn key(kind: &str) -> PublicKey {
    PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
}

fn line(kind: &str) -> String {
    text(&format!("{kind}.pub")).trim_end().to_owned()
}

fn utc(expiry: &Expiry) -> Option<u64> {
    // Years are enough here.
    u64::from(expiry.fields[0])
        .checked_sub(1970)
        .map(|years| years * 31_556_952)
}

fn candidate<'a>(shown: &'a ShownKey) -> Candidate<'a> {
    Candidate {
        user: "alice",
        shown,
        attendance: None,
        is_proven: true,
        address: Some("127.0.0.1".parse().unwrap()),
        name: None,
        now: 1_700_000_000,
        unix_time: &utc,
    }
}

fn judged(file: &str, shown: &ShownKey) -> Result<(usize, Permissions), String> {
    AuthorizedKeys::load(file.as_bytes())
        .unwrap()
        .judge(&candidate(shown))
}

#[test]
fn lines_with_and_without_options() {
    let file = format!(
        "# comment\n\n{}\r\n \tcommand=\"a \\\" b\",no-pty {} x\n{}",
        line("rsa"),
        line("ed25519"),
        line("p256"),
    );
    let keys = AuthorizedKeys::load(file.as_bytes()).unwrap();
    assert!(keys.warnings().is_empty(), "{:?}", keys.warnings());
    let found: Vec<_> = keys
        .keys()
        .iter()
        .map(|key| (key.line, key.key.key_type(), key.comment.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (3, "ssh-rsa", "rsa test"),
            (4, "ssh-ed25519", "ed25519 test x"),
            (5, "ecdsa-sha2-nistp256", "p256 test"),
        ]
    );
    let (index, permissions) = judged(&file, &key("ed25519").into()).unwrap();
    assert_eq!(index, 1);
    assert_eq!(permissions.forced_command.as_deref(), Some("a \" b"));
    assert!(!permissions.pty && permissions.port_forwarding);
    assert!(judged(&file, &key("p384").into()).is_err());
}

#[test]
fn y4_lines_that_let_nobody_in() {
    let good = line("ed25519");
    let (name, blob) = good.split_once(' ').unwrap();
    let (blob, _) = blob.split_once(' ').unwrap();
    for bad in [
        // Too long, and its tail looks like a line.
        format!("{} {good}", "#".repeat(MAX_LINE)),
        format!("command=\"{}\" {good}", "x".repeat(MAX_LINE)),
        format!("command=\"x {good}"),
        format!("command=\"x\\\" {good}"),
        format!("unknown {good}"),
        format!("unknown=\"x\" {good}"),
        format!("pty, {good}"),
        format!("pty pty {good}"),
        format!("ssh-rsa {blob}"),
        format!("pty ssh-rsa {blob}"),
        format!("{good}\rx"),
        format!("a\r{good}"),
        format!("{name}\0 {blob}"),
        format!("{name} {blob}\0"),
        format!("{name}\u{a0}{blob}"),
        format!("\u{2003}{good}"),
        format!("pty\u{2003}{good}"),
        name.to_owned(),
        "pty".to_owned(),
        format!("{name} {}", &blob[..blob.len() - 4]),
        format!("{name} {blob}AAAA"),
        format!("{name}  "),
    ] {
        let keys = AuthorizedKeys::load(bad.as_bytes()).unwrap();
        if bad.starts_with('#') {
            // A comment, however long; nothing of it is a line.
            assert!(keys.keys().is_empty());
            continue;
        }
        assert!(keys.keys().is_empty(), "{bad:?}");
        assert_eq!(keys.warnings().len(), 1, "{bad:?}");
        // The lines around it count.
        let around = format!("{bad}\n{}\n", line("rsa"));
        assert!(judged(&around, &key("rsa").into()).is_ok(), "{bad:?}");
        assert!(judged(&around, &key("ed25519").into()).is_err(), "{bad:?}");
    }
    assert!(AuthorizedKeys::load(&vec![b'\n'; MAX_FILE + 1]).is_err());
    let many = AuthorizedKeys::load(&b"x\n".repeat(10_000)).unwrap();
    assert_eq!(many.warnings().len(), MAX_WARNINGS);
}

#[test]
fn a_comment_may_be_in_any_encoding() {
    let file = [line("ed25519").as_bytes(), b" caf\xe9"].concat();
    let keys = AuthorizedKeys::load(&file).unwrap();
    assert_eq!(keys.keys()[0].comment, "ed25519 test caf\\xe9");
}

#[test]
fn time_and_place() {
    let shown: ShownKey = key("ed25519").into();
    for (options, good) in [
        ("from=\"127.0.0.*\"", true),
        ("from=\"10.0.0.0/8\"", false),
        ("from=\"*,!127.0.0.1\"", false),
        ("expiry-time=\"20500101\"", true),
        ("expiry-time=\"20200101\"", false),
        ("principals=\"other\"", false),
        ("verify-required", false),
        ("cert-authority", false),
    ] {
        let file = format!("{options} {}", line("ed25519"));
        assert_eq!(judged(&file, &shown).is_ok(), good, "{options}");
        // A line that does not let in does not keep the next one from it.
        let file = format!("{file}\n{}", line("ed25519"));
        assert!(judged(&file, &shown).is_ok());
    }
}

fn certified(authority: &PrivateKey, principal: &str, command: Option<&str>) -> ShownKey {
    let user = PrivateKey::generate(KeyKind::Ed25519, 0, &mut TestRandom).unwrap();
    let mut draft = CertificateDraft::new(CertificateKind::User, user.public().clone());
    draft.add_principal(principal).unwrap();
    draft.set_extension("permit-pty", None).unwrap();
    if command.is_some() {
        draft.set_critical_option("force-command", command).unwrap();
    }
    let certificate: Certificate = draft.sign(authority, None, &mut TestRandom).unwrap();
    ShownKey {
        key: user.public().clone(),
        certificate: Some(certificate),
    }
}

#[test]
fn authorities_and_principals() {
    let authority = PrivateKey::generate(KeyKind::Ed25519, 0, &mut TestRandom).unwrap();
    let line = authority.public().to_line("");
    let alice = certified(&authority, "alice", None);
    let admin = certified(&authority, "admin", Some("id"));
    for (options, alice_in, admin_in) in [
        ("cert-authority", true, false),
        ("cert-authority,principals=\"admin,x\"", false, true),
        (
            "cert-authority,principals=\"alice,admin\",no-agent-forwarding",
            true,
            true,
        ),
        (
            "cert-authority,principals=\"admin\",command=\"other\"",
            false,
            false,
        ),
        (
            "cert-authority,principals=\"admin\",command=\"id\"",
            false,
            true,
        ),
        ("cert-authority,from=\"10.*\"", false, false),
        ("pty", false, false),
    ] {
        let file = format!("{options} {line}");
        assert_eq!(judged(&file, &alice).is_ok(), alice_in, "{options}");
        assert_eq!(judged(&file, &admin).is_ok(), admin_in, "{options}");
    }
    // What is permitted is what both permit.
    let file = format!("cert-authority,no-pty {line}");
    let (_, permissions) = judged(&file, &alice).unwrap();
    assert_eq!(permissions, Permissions::NONE);
}
