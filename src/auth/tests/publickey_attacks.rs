//! Hostile and broken clients against the server's publickey method.

use super::*;
use AuthDecision::Accept;

/// Feeds a signed request that must fail, at the signature if not before.
fn must_fail(payload: &[u8], what: &str) {
    let mut server = Server::new();
    server
        .handle(payload)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    if !server.events.is_empty() {
        server.verify().unwrap();
    }
    server.assert_refused();
    // The connection stays.
    server.ask(&password_request("u", b"p"), Accept);
    assert!(server.auth.is_authenticated());
}

#[test]
fn a6_query_one_key_and_sign_with_another() {
    let mut server = Server::new();
    let (key_a, key_b) = (key_a(), key_b());
    let blob_a = key_a.public().blob();
    let reply = server.ask(&key_request("u", ED25519, blob_a, None), Accept);
    let expected = Writer::collect(|w| {
        w.u8(60).string(ED25519).string(blob_a);
    });
    assert_eq!(reply, expected, "PK_OK echoes and grants nothing");
    server.assert_quiet();
    server
        .handle(&signed_request("u", &key_b, ED25519))
        .unwrap();
    server.verify().unwrap();
    let (id, question) = server.question();
    assert_eq!(
        question,
        format!("u: proven {ED25519} {}", key_b.public().fingerprint())
    );
    server.answer(id, AuthDecision::Refuse).unwrap();
    server.assert_refused();
}

#[test]
fn a6_a_query_that_claims_partial_success_grants_nothing() {
    let mut server = Server::new();
    let query = key_request("u", ED25519, key_a().public().blob(), None);
    let reply = server.ask(&query, partial(&["password"]));
    assert_eq!(number(&reply), MessageNumber::USERAUTH_60);
    let reply = server.ask(&password_request("u", b"p"), AuthDecision::Refuse);
    assert_eq!(
        reply,
        failure(&["publickey", "password", "keyboard-interactive"], false)
    );
}

#[test]
fn a6_the_blob_of_one_key_with_the_signature_of_another() {
    let (key_a, key_b) = (key_a(), key_b());
    let blob = key_a.public().blob();
    let data = signed_data(SESSION_ID, "u", "ssh-connection", ED25519, blob);
    let signature = key_b.sign(ED25519, &data).unwrap();
    must_fail(
        &key_request("u", ED25519, blob, Some(&signature)),
        "signature of another key",
    );
}

#[test]
fn a6_signatures_over_something_else() {
    let key = key_a();
    let blob = key.public().blob();
    let good = signed_data(SESSION_ID, "u", "ssh-connection", ED25519, blob);
    let mut without_flag = good.clone();
    let flag = good.len() - (4 + ED25519.len() + 4 + blob.len()) - 1;
    assert_eq!(without_flag[flag], 1);
    without_flag[flag] = 0;
    for (what, data) in [
        (
            "user",
            signed_data(SESSION_ID, "root", "ssh-connection", ED25519, blob),
        ),
        (
            "service",
            signed_data(SESSION_ID, "u", "ssh-userauth", ED25519, blob),
        ),
        (
            "session",
            signed_data(b"another", "u", "ssh-connection", ED25519, blob),
        ),
        (
            "algorithm",
            signed_data(SESSION_ID, "u", "ssh-connection", "rsa-sha2-256", blob),
        ),
        (
            "blob",
            signed_data(
                SESSION_ID,
                "u",
                "ssh-connection",
                ED25519,
                key_b().public().blob(),
            ),
        ),
        ("flag", without_flag),
        ("nothing", Vec::new()),
    ] {
        let signature = key.sign(ED25519, &data).unwrap();
        must_fail(&key_request("u", ED25519, blob, Some(&signature)), what);
    }
    let signature = key.sign(ED25519, &good).unwrap();
    must_fail(
        &key_request("v", ED25519, blob, Some(&signature)),
        "good for another user",
    );
}

#[test]
fn a6_a_signature_behind_a_query_is_none() {
    let mut payload = signed_request("u", &key_a(), ED25519);
    let flag = 1 + 4 + 1 + 4 + "ssh-connection".len() + 4 + "publickey".len();
    assert_eq!(payload[flag], 1);
    payload[flag] = 0;
    must_fail(&payload, "has-signature false");
}

#[test]
fn a6_a_bad_verification_is_never_proven() {
    let mut server = Server::new();
    server
        .handle(&signed_request("u", &key_a(), ED25519))
        .unwrap();
    let Some(ServerAuthEvent::Verify(job)) = server.events.pop_front() else {
        panic!("no job");
    };
    let (out, events) = (&mut server.out, &mut server.events);
    let stale = server
        .auth
        .verified(job.id + 1, true, server.now, out, events);
    assert!(matches!(stale, Err(Error::ApiMisuse(_))));
    assert!(server
        .auth
        .answer(job.id, Accept, server.now, out, events)
        .is_err());
    server
        .auth
        .verified(job.id, false, server.now, out, events)
        .unwrap();
    server.assert_refused();
}

#[test]
fn a7_labels_that_do_not_fit() {
    let (ed, rsa) = (key_a(), key_rsa());
    let p384 = new_key(KeyKind::EcdsaP384);
    let any = Writer::collect(|w| {
        w.string("rsa-sha2-256").string([7; 256]);
    });
    for (what, algorithm, blob) in [
        (
            "RSA label, Ed25519 blob",
            "rsa-sha2-256",
            ed.public().blob(),
        ),
        (
            "P-256 label, P-384 blob",
            "ecdsa-sha2-nistp256",
            p384.public().blob(),
        ),
        ("SHA-1 label", "ssh-rsa", rsa.public().blob()),
        (
            "certificate label",
            "ssh-ed25519-cert-v01@openssh.com",
            ed.public().blob(),
        ),
        ("unknown label", "nonsense", ed.public().blob()),
        ("empty label", "", ed.public().blob()),
        ("no blob", ED25519, b""),
    ] {
        must_fail(&key_request("u", algorithm, blob, Some(&any)), what);
        let mut server = Server::new();
        server
            .handle(&key_request("u", algorithm, blob, None))
            .unwrap();
        server.assert_refused();
    }
}

#[test]
fn a7_the_signature_names_another_algorithm() {
    let rsa = key_rsa();
    let blob = rsa.public().blob();
    for (label, made_with) in [
        ("rsa-sha2-256", "rsa-sha2-512"),
        ("rsa-sha2-512", "rsa-sha2-256"),
    ] {
        let data = signed_data(SESSION_ID, "u", "ssh-connection", label, blob);
        let signature = rsa.sign(made_with, &data).unwrap();
        must_fail(&key_request("u", label, blob, Some(&signature)), label);
        // The same bytes under the right name are still made with the other hash.
        let mut relabelled = signature.clone();
        relabelled[4..16].copy_from_slice(label.as_bytes());
        must_fail(
            &key_request("u", label, blob, Some(&relabelled)),
            "relabelled",
        );
        let mut sha1 = b"\0\0\0\x07ssh-rsa".to_vec();
        sha1.extend_from_slice(&signature[16..]);
        must_fail(
            &key_request("u", label, blob, Some(&sha1)),
            "SHA-1 signature",
        );
    }
}

#[test]
fn a7_trailing_bytes() {
    let key = key_a();
    let blob = key.public().blob();
    let data = signed_data(SESSION_ID, "u", "ssh-connection", ED25519, blob);
    let signature = key.sign(ED25519, &data).unwrap();
    let longer = [&signature[..], b"\0"].concat();
    must_fail(
        &key_request("u", ED25519, blob, Some(&longer)),
        "after the signature",
    );
    let long_blob = [blob, b"\0"].concat();
    let data = signed_data(SESSION_ID, "u", "ssh-connection", ED25519, &long_blob);
    let signed = key.sign(ED25519, &data).unwrap();
    must_fail(
        &key_request("u", ED25519, &long_blob, Some(&signed)),
        "after the key",
    );
    let message = [&signed_request("u", &key, ED25519)[..], b"\0"].concat();
    must_fail(&message, "after the message");
    for cut in 0..signature.len() {
        must_fail(
            &key_request("u", ED25519, blob, Some(&signature[..cut])),
            "cut signature",
        );
    }
}

#[test]
fn a7_algorithms_that_are_not_accepted() {
    let mut server = Server::with(ServerAuthConfig {
        sig_algs: ["rsa-sha2-512"].into(),
        ..config()
    });
    server
        .handle(&signed_request("u", &key_a(), ED25519))
        .unwrap();
    server.assert_refused();
    server
        .handle(&signed_request("u", &key_rsa(), "rsa-sha2-256"))
        .unwrap();
    server.assert_refused();
    server
        .handle(&signed_request("u", &key_rsa(), "rsa-sha2-512"))
        .unwrap();
    server.verify().unwrap();
    let (id, _) = server.question();
    server.answer(id, Accept).unwrap();
    assert_eq!(server.reply(), [52]);
}

#[test]
fn a_request_sent_ahead_waits_for_the_verification() {
    let mut server = Server::new();
    server
        .handle(&signed_request("u", &key_a(), ED25519))
        .unwrap();
    server.handle(&none_request("root")).unwrap();
    server.verify().unwrap();
    let (id, question) = server.question();
    assert!(question.starts_with("u: proven"), "{question}");
    server.answer(id, Accept).unwrap();
    assert!(matches!(
        server.events.pop_front(),
        Some(ServerAuthEvent::Authenticated { user, .. }) if user == "u"
    ));
    assert!(server.events.is_empty());
}
