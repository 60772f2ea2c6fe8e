//! Keys that are judged before anybody is asked: certificates, and keys in authenticators.

use std::sync::{Arc, Mutex};

use super::*;
use crate::auth::KeyJudge;
use crate::error::CertificateFault;
use crate::keys::certificate::{CertificateDraft, CertificateKind};
use crate::keys::test_support::TestRandom;
use crate::keys::Authenticator;
use crate::keys::ShownKey;

const NAME: &str = "ssh-ed25519-cert-v01@openssh.com";

/// Says of everything the same.
struct Same(
    Result<Option<Permissions>, CertificateFault>,
    Mutex<Vec<String>>,
);

impl KeyJudge for Same {
    fn judge(&self, user: &str, shown: &ShownKey) -> Result<Option<Permissions>, CertificateFault> {
        self.1
            .lock()
            .unwrap()
            .push(format!("{user}: {}", shown.key_type()));
        self.0.clone()
    }
}

fn judged_by(verdict: Result<Option<Permissions>, CertificateFault>) -> ServerAuthConfig {
    ServerAuthConfig {
        keys: Some(Arc::new(Same(verdict, Mutex::default()))),
        ..config()
    }
}

fn certified(key: &PrivateKey) -> PrivateKey {
    let draft = CertificateDraft::new(CertificateKind::User, key.public().clone());
    let certificate = draft.sign(&key_b(), None, &mut TestRandom).unwrap();
    key.with_certificate(certificate).unwrap()
}

/// The only reply is FAILURE, and the reason was told to nobody but the log.
fn refused_with(server: &mut Server, fault: &CertificateFault) {
    match server.events.pop_front() {
        Some(ServerAuthEvent::KeyRefused {
            user, fault: told, ..
        }) => assert_eq!((user.as_str(), &told), ("u", fault)),
        _ => panic!("not told"),
    }
    server.assert_refused();
}

#[test]
fn a_certificate_is_shown_asked_about_proven_and_limits() {
    let permissions = Permissions {
        forced_command: Some("true".to_owned()),
        ..Permissions::NONE
    };
    for probe in [false, true] {
        let mut pair = Pair::with(judged_by(Ok(Some(permissions.clone()))));
        pair.decisions
            .extend([AuthDecision::Accept, AuthDecision::Accept]);
        let key = certified(&key_a());
        let outcome = pair.attempt("u", publickey(key.clone(), probe)).unwrap();
        assert_eq!(outcome, AuthOutcome::Success);
        let proven = format!("u: proven ssh-ed25519 {}", key.public().fingerprint());
        assert_eq!(pair.asked.last(), Some(&proven));
        assert_eq!(pair.permissions, Some(permissions.clone()));
    }
}

#[test]
fn a15_without_somebody_who_judges_no_certificate_counts() {
    let key = certified(&key_a());
    let blob = key.certificate().unwrap().blob().to_vec();
    let fault = CertificateFault::Authority(key_b().public().fingerprint());
    let mut server = Server::new();
    server.handle(&key_request("u", NAME, &blob, None)).unwrap();
    refused_with(&mut server, &fault);
    let data = signed_data(SESSION_ID, "u", "ssh-connection", NAME, &blob);
    let signature = key.sign("ssh-ed25519", &data).unwrap();
    let request = key_request("u", NAME, &blob, Some(&signature));
    server.handle(&request).unwrap();
    refused_with(&mut server, &fault);
}

#[test]
fn a15_what_is_refused_is_refused_before_anybody_is_asked() {
    let fault = CertificateFault::Revoked("the key");
    for key in [certified(&key_a()), key_a()] {
        let mut pair = Pair::with(judged_by(Err(fault.clone())));
        pair.decisions.push_back(AuthDecision::Accept);
        let outcome = pair.attempt("u", publickey(key, false)).unwrap();
        assert!(matches!(outcome, AuthOutcome::Failure { .. }));
        assert!(pair.asked.is_empty());
    }
}

/// Where certificates that nobody has judged are put to the application, it lets them in by saying what they permit, and
/// by nothing else.
#[test]
fn a15_a_certificate_that_nobody_has_judged_is_no_key() {
    let permissions = Permissions::NONE;
    let restricted = AuthDecision::AcceptRestricted(Box::new(permissions.clone()));
    for (decision, is_in) in [
        (AuthDecision::Accept, false),
        (partial(&["password"]), false),
        (AuthDecision::Refuse, false),
        (restricted, true),
    ] {
        let mut pair = Pair::with(judged_by(Ok(None)));
        pair.decisions.push_back(decision);
        let outcome = pair
            .attempt("u", publickey(certified(&key_a()), false))
            .unwrap();
        assert_eq!(outcome == AuthOutcome::Success, is_in);
        assert_eq!(pair.permissions, is_in.then(|| permissions.clone()));
        if !is_in {
            assert!(matches!(outcome, AuthOutcome::Failure { .. }));
        }
    }
}

/// The label says what is inside, and the signature names the key's own algorithm.
#[test]
fn a7_labels_of_certificates() {
    let key = certified(&key_a());
    let (plain, blob) = (key.public().blob(), key.certificate().unwrap().blob());
    let rsa = "rsa-sha2-512-cert-v01@openssh.com";
    for (name, blob, signed_as) in [
        (NAME, plain, "ssh-ed25519"),
        ("ssh-ed25519", blob, "ssh-ed25519"),
        (rsa, blob, "ssh-ed25519"),
        ("ssh-rsa-cert-v01@openssh.com", blob, "ssh-ed25519"),
        (NAME, blob, NAME),
    ] {
        let mut server = Server::with(judged_by(Ok(Some(Permissions::ALL))));
        let data = signed_data(SESSION_ID, "u", "ssh-connection", name, blob);
        let signature = key.sign("ssh-ed25519", &data).unwrap();
        let mut reader = crate::codec::Reader::new(&signature);
        reader.string().unwrap();
        let signature = Writer::collect(|w| {
            w.string(signed_as).raw(reader.remaining());
        });
        server
            .handle(&key_request("u", name, blob, Some(&signature)))
            .unwrap();
        server.assert_refused();
    }
}

#[test]
fn one_key_counts_once_in_whatever_it_is_shown() {
    let mut pair = Pair::with(judged_by(Ok(None)));
    pair.decisions.push_back(partial(&["publickey"]));
    let plain = pair.attempt("u", publickey(key_a(), false)).unwrap();
    assert!(matches!(plain, AuthOutcome::Partial { .. }));
    let again = pair
        .attempt("u", publickey(certified(&key_a()), false))
        .unwrap();
    assert!(matches!(again, AuthOutcome::Failure { .. }));
    assert_eq!(pair.asked.len(), 1);
}

#[test]
fn restrictions_of_the_application_come_on_top() {
    let forced = |command: &str| Permissions {
        forced_command: Some(command.to_owned()),
        ..Permissions::ALL
    };
    for (own, expected) in [
        (
            Permissions::NONE,
            Some(Permissions {
                forced_command: Some("a".into()),
                ..Permissions::NONE
            }),
        ),
        (forced("a"), Some(forced("a"))),
        // Nothing is left that both allow.
        (forced("b"), None),
    ] {
        let mut pair = Pair::with(judged_by(Ok(Some(forced("a")))));
        pair.decisions
            .push_back(AuthDecision::AcceptRestricted(Box::new(own)));
        let outcome = pair
            .attempt("u", publickey(certified(&key_a()), false))
            .unwrap();
        assert_eq!(outcome == AuthOutcome::Success, expected.is_some());
        assert_eq!(pair.permissions, expected);
    }
    let mut server = Server::new();
    server.handle(&password_request("u", b"p")).unwrap();
    let (id, _) = server.question();
    let restricted = AuthDecision::AcceptRestricted(Box::new(Permissions::NONE));
    assert!(matches!(
        server.answer(id, restricted),
        Err(Error::ApiMisuse(_))
    ));
}

/// A signed request with a key in an authenticator.
fn attested(authenticator: &Authenticator, flags: u8) -> Vec<u8> {
    let key = authenticator.public();
    let data = signed_data(
        SESSION_ID,
        "u",
        "ssh-connection",
        key.key_type(),
        key.blob(),
    );
    let signature = authenticator.sign(&data, flags, 7);
    key_request("u", key.key_type(), key.blob(), Some(&signature))
}

#[test]
fn a7_security_keys_without_anybody_there() {
    for kind in [KeyKind::Ed25519, KeyKind::EcdsaP256] {
        let authenticator = Authenticator::new(new_key(kind), "ssh:");
        let untouched = attested(&authenticator, 0);
        let mut server = Server::new();
        server.handle(&untouched).unwrap();
        server.assert_refused();
        server.handle(&attested(&authenticator, 1)).unwrap();
        server.verify().unwrap();
        match server.events.pop_front() {
            Some(ServerAuthEvent::Question(question)) => match question.kind {
                AuthQuestionKind::KeyProven { attendance, .. } => {
                    let seen = attendance.unwrap();
                    assert!(seen.is_present() && !seen.is_verified() && seen.counter == 7);
                }
                _ => panic!("not proven"),
            },
            _ => panic!("not asked"),
        }
        // Whoever wants to decide alone is asked.
        let mut server = Server::with(ServerAuthConfig {
            touch_required: false,
            ..config()
        });
        server.handle(&untouched).unwrap();
        server.verify().unwrap();
        assert!(server.question().1.contains("proven"));
        // What it attests is part of what it signs.
        let mut lied = untouched;
        let at = lied.len() - 5;
        lied[at] = 1;
        let mut server = Server::new();
        server.handle(&lied).unwrap();
        server.verify().unwrap();
        server.assert_refused();
    }
}

#[test]
fn who_must_be_verified_is() {
    let verified = Permissions {
        verify_required: true,
        ..Permissions::ALL
    };
    let untouched = Permissions {
        touch_required: false,
        ..Permissions::ALL
    };
    let authenticator = Authenticator::new(new_key(KeyKind::Ed25519), "ssh:");
    for (permissions, flags, good) in [
        (&verified, 1, false),
        (&verified, 5, true),
        (&untouched, 0, true),
        (&Permissions::ALL, 0, false),
    ] {
        let mut server = Server::with(judged_by(Ok(Some(permissions.clone()))));
        server.handle(&attested(&authenticator, flags)).unwrap();
        let asked = matches!(server.events.back(), Some(ServerAuthEvent::Verify(_)));
        assert_eq!(asked, good, "{flags}");
    }
    let mut server = Server::with(judged_by(Ok(Some(verified))));
    let request = signed_request("u", &key_a(), "ssh-ed25519");
    server.handle(&request).unwrap();
    refused_with(&mut server, &CertificateFault::NotVerified);
}
