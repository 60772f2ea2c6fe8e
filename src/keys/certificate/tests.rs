//! Certificates that are good, and all the ways in which they are not.

use super::*;
use crate::error::CertificateFault;
use crate::keys::test_support::TestRandom;
use crate::keys::{Permissions, PrivateKey};
use std::net::IpAddr;

fn generate(kind: KeyKind) -> PrivateKey {
    PrivateKey::generate(kind, 2048, &mut TestRandom).unwrap()
}

fn draft(kind: CertificateKind) -> CertificateDraft {
    let mut draft = CertificateDraft::new(kind, generate(KeyKind::Ed25519).public().clone());
    draft.set_key_id("id").unwrap();
    draft.add_principal("alice").unwrap();
    draft.set_validity(100, 200).unwrap();
    draft
}

fn sign(draft: &CertificateDraft) -> Certificate {
    let authority = generate(KeyKind::Ed25519);
    draft.sign(&authority, None, &mut TestRandom).unwrap()
}

const USER: CertificateCheck<'static> = CertificateCheck {
    kind: CertificateKind::User,
    principals: &["alice"],
    now: 150,
    address: None,
};

const HOST: CertificateCheck<'static> = CertificateCheck {
    kind: CertificateKind::Host,
    ..USER
};

fn from(address: &str) -> CertificateCheck<'static> {
    CertificateCheck {
        address: Some(address.parse::<IpAddr>().unwrap()),
        ..USER
    }
}

/// The fields of a certificate one by one, so that each can be wrong. Signed whatever they are.
struct Parts {
    name: Vec<u8>,
    key: Vec<u8>,
    kind: u32,
    key_id: Vec<u8>,
    principals: Vec<u8>,
    critical: Vec<u8>,
    extensions: Vec<u8>,
    authority: Option<Vec<u8>>,
    trailing: Vec<u8>,
}

fn strings(items: &[&[u8]]) -> Vec<u8> {
    Writer::collect(|w| {
        for item in items {
            w.string(item);
        }
    })
}

impl Parts {
    fn good() -> Self {
        let key = generate(KeyKind::Ed25519);
        let mut fields = Reader::new(key.public().blob());
        fields.string().unwrap();
        Parts {
            name: b"ssh-ed25519-cert-v01@openssh.com".to_vec(),
            key: fields.remaining().to_vec(),
            kind: 1,
            key_id: b"id".to_vec(),
            principals: strings(&[b"alice"]),
            critical: Vec::new(),
            extensions: Vec::new(),
            authority: None,
            trailing: Vec::new(),
        }
    }

    fn blob(&self) -> Vec<u8> {
        let authority = generate(KeyKind::Ed25519);
        let shown = self.authority.as_deref();
        let mut blob = Writer::collect(|w| {
            w.string(&self.name)
                .string([7; 32])
                .raw(&self.key)
                .u64(5)
                .u32(self.kind)
                .string(&self.key_id)
                .string(&self.principals)
                .u64(100)
                .u64(200)
                .string(&self.critical)
                .string(&self.extensions)
                .string("")
                .string(shown.unwrap_or(authority.public().blob()));
        });
        let signature = authority.sign("ssh-ed25519", &blob).unwrap();
        Writer::new(&mut blob)
            .string(&signature)
            .raw(&self.trailing);
        blob
    }

    fn read(change: impl FnOnce(&mut Parts)) -> Result<Certificate, Error> {
        let mut parts = Parts::good();
        change(&mut parts);
        Certificate::from_blob(&parts.blob())
    }
}

fn is_malformed(result: Result<Certificate, Error>) -> bool {
    matches!(result, Err(Error::Key(KeyFault::Malformed(_))))
}

#[test]
fn every_kind_of_key_and_of_authority() {
    for kind in KeyKind::ALL {
        let authority = generate(kind);
        let draft = CertificateDraft::new(CertificateKind::User, generate(kind).public().clone());
        for algorithm in authority.public().signature_algorithms() {
            let made = draft
                .sign(&authority, Some(algorithm), &mut TestRandom)
                .unwrap();
            assert!(made.is_signed());
            assert_eq!(made.signature_algorithm(), *algorithm);
            assert_eq!(made.type_name(), kind.certificate_type());
            let (read, comment) = Certificate::from_line(&made.to_line("a\nb")).unwrap();
            assert_eq!((read == made, comment.as_str()), (true, "a b"));
            assert_eq!(read.authority(), authority.public());
        }
    }
}

#[test]
fn what_was_put_in_comes_out() {
    let mut draft = draft(CertificateKind::User);
    draft.set_serial(u64::MAX);
    draft.add_principal("bob").unwrap();
    draft.set_extension("permit-pty", None).unwrap();
    draft.set_extension("a@example.org", Some("x")).unwrap();
    draft.set_extension("a@example.org", Some("y")).unwrap();
    draft
        .set_critical_option("force-command", Some("true"))
        .unwrap();
    let made = sign(&draft);
    assert_eq!((made.serial(), made.key_id()), (u64::MAX, "id"));
    assert_eq!(made.principals(), ["alice", "bob"]);
    assert_eq!((made.valid_after(), made.valid_before()), (100, 200));
    let names: Vec<_> = made
        .extensions()
        .iter()
        .map(|option| &option.name)
        .collect();
    assert_eq!(names, ["a@example.org", "permit-pty"]);
    assert_eq!(made.extensions()[0].value(), Some("y"));
    assert!(made.extensions()[1].is_flag());
    assert_eq!(made.critical_options()[0].value(), Some("true"));
    assert!(
        made.to_string().contains("user certificate \"id\""),
        "{made}"
    );
}

#[test]
fn drafts_refuse_what_nobody_would_take() {
    let mut draft = draft(CertificateKind::User);
    for name in ["", "a,b", "a\n", &"x".repeat(1025)] {
        assert!(draft.add_principal(name).is_err(), "{name}");
    }
    assert!(draft.set_key_id("a\0").is_err());
    assert!(draft.set_validity(5, 5).is_err());
    assert!(draft.set_extension("", None).is_err());
    assert!(draft.set_critical_option("a", Some("\0")).is_err());
    for number in 1..MAX_PRINCIPALS {
        draft.add_principal(&number.to_string()).unwrap();
    }
    assert!(draft.add_principal("one more").is_err());
}

#[test]
fn permissions_are_those_that_were_given() {
    let mut draft = draft(CertificateKind::User);
    assert_eq!(sign(&draft).check(&USER), Ok(Permissions::NONE));
    draft.set_extension("permit-pty", None).unwrap();
    draft.set_extension("permit-X11-forwarding", None).unwrap();
    draft
        .set_extension("unknown@example.org", Some("x"))
        .unwrap();
    draft
        .set_critical_option("force-command", Some("id"))
        .unwrap();
    draft.set_critical_option("verify-required", None).unwrap();
    let expected = Permissions {
        pty: true,
        x11_forwarding: true,
        verify_required: true,
        forced_command: Some("id".into()),
        ..Permissions::NONE
    };
    assert_eq!(sign(&draft).check(&USER), Ok(expected));
    for name in [
        "permit-pty",
        "permit-port-forwarding",
        "permit-agent-forwarding",
        "permit-X11-forwarding",
        "permit-user-rc",
    ] {
        draft.set_extension(name, None).unwrap();
    }
    let all = sign(&draft).check(&USER).unwrap();
    assert!(all.pty && all.port_forwarding && all.agent_forwarding);
    assert!(all.x11_forwarding && all.user_rc && all.touch_required);
    draft.set_extension("no-touch-required", None).unwrap();
    assert!(!sign(&draft).check(&USER).unwrap().touch_required);
}

#[test]
fn a15_time() {
    let certificate = sign(&draft(CertificateKind::User));
    let at = |now| certificate.check(&CertificateCheck { now, ..USER });
    assert!(matches!(at(0), Err(CertificateFault::NotYetValid(_))));
    assert!(matches!(at(99), Err(CertificateFault::NotYetValid(_))));
    assert!(at(100).is_ok() && at(199).is_ok());
    let expired = CertificateFault::Expired("1970-01-01T00:03:20Z".into());
    assert_eq!(at(200), Err(expired));
    assert!(matches!(at(u64::MAX), Err(CertificateFault::Expired(_))));
}

#[test]
fn a15_kind_and_principals() {
    let user = sign(&draft(CertificateKind::User));
    let host = sign(&draft(CertificateKind::Host));
    assert!(user.check(&USER).is_ok() && host.check(&HOST).is_ok());
    assert!(matches!(
        host.check(&USER),
        Err(CertificateFault::Kind { .. })
    ));
    assert!(matches!(
        user.check(&HOST),
        Err(CertificateFault::Kind { .. })
    ));
    for others in [
        &["bob"] as &[&str],
        &["Alice"],
        &["alic"],
        &["alice "],
        &[""],
        &[],
    ] {
        let wanted = CertificateCheck {
            principals: others,
            ..USER
        };
        let found = user.check(&wanted);
        assert!(
            matches!(found, Err(CertificateFault::Principal { .. })),
            "{others:?}"
        );
    }
    let either = CertificateCheck {
        principals: &["bob", "alice"],
        ..USER
    };
    assert!(user.check(&either).is_ok());

    let odd = |list: &[&[u8]]| Parts::read(|parts| parts.principals = strings(list)).unwrap();
    assert_eq!(odd(&[]).check(&USER), Err(CertificateFault::NoPrincipals));
    for list in [
        &[b"alice,bob" as &[u8]] as &[&[u8]],
        &[b"alice", b"a,b"],
        &[b"alice", b""],
        &[b"alice", b"a\nb"],
    ] {
        let found = odd(list).check(&USER);
        assert!(
            matches!(found, Err(CertificateFault::BadPrincipal(_))),
            "{found:?}"
        );
    }
}

#[test]
fn patterns_hold_for_hosts_alone() {
    let mut hosts = CertificateDraft::new(
        CertificateKind::Host,
        generate(KeyKind::Ed25519).public().clone(),
    );
    hosts.add_principal("*.example.org").unwrap();
    let certificate = sign(&hosts);
    let is_for = |host: &str| {
        let wanted = CertificateCheck {
            principals: &[host],
            ..HOST
        };
        certificate.check(&wanted).is_ok()
    };
    assert!(is_for("a.example.org") && !is_for("example.org"));
    let mut users = draft(CertificateKind::User);
    users.add_principal("*").unwrap();
    let wanted = CertificateCheck {
        principals: &["bob"],
        ..USER
    };
    assert!(sign(&users).check(&wanted).is_err());
}

#[test]
fn a15_critical_options() {
    for kind in [CertificateKind::User, CertificateKind::Host] {
        let mut draft = draft(kind);
        draft.set_critical_option("new@example.org", None).unwrap();
        let wanted = CertificateCheck { kind, ..USER };
        let expected = CertificateFault::UnknownOption("new@example.org".into());
        assert_eq!(sign(&draft).check(&wanted), Err(expected));
    }
    // Known for users means unknown for hosts.
    let mut host = draft(CertificateKind::Host);
    host.set_critical_option("force-command", Some("true"))
        .unwrap();
    let found = sign(&host).check(&HOST);
    assert!(matches!(found, Err(CertificateFault::UnknownOption(_))));

    for (name, value) in [
        ("force-command", None),
        ("verify-required", Some("yes")),
        ("source-address", None),
        ("source-address", Some("")),
        ("source-address", Some("localhost")),
        ("source-address", Some("127.0.0.1/8")),
    ] {
        let mut draft = draft(CertificateKind::User);
        draft.set_critical_option(name, value).unwrap();
        let found = sign(&draft).check(&from("127.0.0.1"));
        assert!(
            matches!(found, Err(CertificateFault::BadOption(_))),
            "{name} {value:?}"
        );
    }
    for name in ["permit-pty", "no-touch-required"] {
        let mut draft = draft(CertificateKind::User);
        draft.set_extension(name, Some("yes")).unwrap();
        let found = sign(&draft).check(&USER);
        assert!(
            matches!(found, Err(CertificateFault::BadOption(_))),
            "{name}"
        );
    }
}

#[test]
fn a15_source_address() {
    let mut draft = draft(CertificateKind::User);
    let list = "10.0.0.0/8,127.0.0.1,2001:db8::/32";
    draft
        .set_critical_option("source-address", Some(list))
        .unwrap();
    let certificate = sign(&draft);
    for address in ["10.1.2.3", "127.0.0.1", "::ffff:10.1.2.3", "2001:db8::7"] {
        assert!(certificate.check(&from(address)).is_ok(), "{address}");
    }
    for address in ["127.0.0.2", "::1"] {
        let found = certificate.check(&from(address));
        assert!(
            matches!(found, Err(CertificateFault::SourceAddress { .. })),
            "{address}"
        );
    }
    // Where nobody knows where the connection comes from, the answer is no.
    assert!(certificate.check(&USER).is_err());
}

#[test]
fn a15_the_authority_must_have_signed() {
    let good = sign(&draft(CertificateKind::User));
    for at in (0..good.blob().len()).step_by(3) {
        let mut bad = good.blob().to_vec();
        bad[at] ^= 0x01;
        let counts = Certificate::from_blob(&bad).is_ok_and(|found| found.check(&USER).is_ok());
        assert!(!counts, "{at}");
    }
    // SHA-1 can be forged.
    let authority = generate(KeyKind::Rsa);
    let weak = draft(CertificateKind::User)
        .sign(&authority, Some("ssh-rsa"), &mut TestRandom)
        .unwrap();
    assert_eq!(
        weak.check(&USER),
        Err(CertificateFault::Algorithm("ssh-rsa".into()))
    );
}

#[test]
fn a15_authorities_that_are_trusted() {
    let (ours, theirs) = (generate(KeyKind::Ed25519), generate(KeyKind::EcdsaP256));
    let mut authorities = Authorities::default();
    assert!(authorities.is_empty());
    authorities.add(ours.public().clone());
    let draft = draft(CertificateKind::User);
    let check = |key: &PrivateKey| {
        let certificate = draft.sign(key, None, &mut TestRandom).unwrap();
        authorities.check(&certificate, &USER)
    };
    assert!(check(&ours).is_ok());
    assert_eq!(
        check(&theirs),
        Err(CertificateFault::Authority(theirs.public().fingerprint()))
    );
}

#[test]
fn a15_authority_that_is_itself_a_certificate() {
    let inner = sign(&draft(CertificateKind::User)).blob().to_vec();
    let found = Parts::read(|parts| parts.authority = Some(inner));
    assert!(
        matches!(found, Err(Error::Key(KeyFault::Unsupported(_)))),
        "{found:?}"
    );
    // Thousands inside each other, as deep as the blob may be long: nothing is looked into.
    let mut nested = generate(KeyKind::Ed25519).public().blob().to_vec();
    for _ in 0..10_000 {
        if nested.len() > 60_000 {
            break;
        }
        nested = Writer::collect(|w| {
            w.string("ssh-ed25519-cert-v01@openssh.com").string(&nested);
        });
    }
    assert!(Parts::read(|parts| parts.authority = Some(nested)).is_err());
    let long = vec![0; 10_000_000];
    assert!(is_malformed(Certificate::from_blob(&long)));
}

#[test]
fn malformed_fields() {
    assert!(Parts::read(|_| {}).is_ok());
    assert!(is_malformed(Parts::read(|parts| parts.trailing = vec![0])));
    assert!(is_malformed(Parts::read(|parts| parts.kind = 0)));
    assert!(is_malformed(Parts::read(|parts| parts.kind = 3)));
    for id in [b"\xff".to_vec(), b"a\0b".to_vec(), vec![b'x'; 4097]] {
        assert!(is_malformed(Parts::read(|parts| parts.key_id = id)));
    }
    for principals in [
        strings(&[b"\xff"]),
        strings(&[b"a\0"]),
        strings(&[&[b'x'; 1025]]),
        vec![0; 4 * 257],
        vec![0xff, 0xff, 0xff, 0xff],
        vec![0, 0, 0],
    ] {
        assert!(is_malformed(Parts::read(
            |parts| parts.principals = principals
        )));
    }
    assert!(Parts::read(|parts| parts.principals = vec![0; 4 * 256]).is_ok());
    let other = Parts::read(|parts| parts.name = b"ssh-rsa-cert-v01@openssh.com".to_vec());
    assert!(other.is_err());
    for name in ["ssh-ed25519", "ssh-dss-cert-v01@openssh.com", "\x1b", ""] {
        let found = Parts::read(|parts| parts.name = name.into());
        assert!(
            matches!(found, Err(Error::Key(KeyFault::Unsupported(_)))),
            "{name}"
        );
    }
    let good = Parts::good().blob();
    for length in 0..good.len() {
        assert!(Certificate::from_blob(&good[..length]).is_err());
    }
}

#[test]
fn options_out_of_order_or_twice() {
    let pair = |one: &[u8], other: &[u8]| strings(&[one, b"", other, b""]);
    let many: Vec<u8> = (0..257)
        .flat_map(|number| strings(&[format!("{number:04}").as_bytes(), b""]))
        .collect();
    for options in [
        pair(b"b", b"a"),
        pair(b"a", b"a"),
        pair(b"", b"a"),
        pair(b"\xff", b""),
        pair(b"a\n", b"b"),
        strings(&[b"a"]),
        strings(&[&[b'x'; 257], b""]),
        many,
        vec![0xff; 4],
    ] {
        let critical = options.clone();
        assert!(is_malformed(Parts::read(|parts| parts.critical = critical)));
        assert!(is_malformed(
            Parts::read(|parts| parts.extensions = options)
        ));
    }
    assert!(Parts::read(|parts| parts.extensions = pair(b"a", b"b")).is_ok());
}

#[test]
fn lines() {
    let line = sign(&draft(CertificateKind::User)).to_line("comment");
    assert!(Certificate::load(format!("# x\n\n{line}\n").as_bytes()).is_ok());
    let (name, rest) = line.split_once(' ').unwrap();
    for bad in [
        String::new(),
        name.to_owned(),
        format!("ssh-rsa-cert-v01@openssh.com {rest}"),
        format!("{line}\n{line}"),
        line.replacen("AAAA", "AAA!", 1),
        generate(KeyKind::Ed25519).public().to_line(""),
    ] {
        assert!(Certificate::load(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(Certificate::load(b"\xff").is_err());
    assert!(Certificate::is_type(name) && !Certificate::is_type("ssh-ed25519"));
}
