//! Every method, from the first request to the outcome.

use super::*;
use crate::messages::userauth::UserauthBanner;
use AuthDecision::{Accept, Refuse};

fn refused(outcome: &AuthOutcome) -> Vec<String> {
    match outcome {
        AuthOutcome::Failure { methods } => methods.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn none_lists_the_methods_and_may_let_in() {
    let mut pair = Pair::new([Refuse, Accept]);
    let outcome = pair.attempt("u", ClientMethod::None).unwrap();
    assert_eq!(
        refused(&outcome),
        ["publickey", "password", "keyboard-interactive"]
    );
    assert_eq!(
        pair.attempt("guest", ClientMethod::None),
        Ok(AuthOutcome::Success)
    );
    assert_eq!(pair.asked, ["u: none", "guest: none"]);
    assert_eq!(pair.let_in, ["guest by none"]);
    // One SERVICE_REQUEST for all attempts.
    assert_eq!(pair.wire, ["5", "<6", "50", "<51", "50", "<52"]);
    assert!(pair.client.is_authenticated() && pair.server.auth.is_authenticated());
    assert_eq!(pair.server.auth.poll_timeout(), None);
}

#[test]
fn password_wrong_then_right() {
    let mut pair = Pair::new([Refuse, Accept]);
    assert!(matches!(
        pair.attempt("u", password("no")),
        Ok(AuthOutcome::Failure { .. })
    ));
    assert_eq!(
        pair.attempt("u", password("y\u{e9}s")),
        Ok(AuthOutcome::Success)
    );
    assert_eq!(pair.asked, ["u: password no", "u: password y\u{e9}s"]);
}

#[test]
fn publickey_with_and_without_probe() {
    let print = key_a().public().fingerprint();
    let mut pair = Pair::new([Accept]);
    assert_eq!(
        pair.attempt("u", publickey(key_a(), false)),
        Ok(AuthOutcome::Success)
    );
    assert_eq!(pair.asked, [format!("u: proven ssh-ed25519 {print}")]);
    assert_eq!(pair.wire, ["5", "<6", "50", "<52"]);

    let mut pair = Pair::new([Accept, Accept]);
    assert_eq!(
        pair.attempt("u", publickey(key_a(), true)),
        Ok(AuthOutcome::Success)
    );
    let expected = ["asked", "proven"].map(|what| format!("u: {what} ssh-ed25519 {print}"));
    assert_eq!(pair.asked, expected);
    assert_eq!(pair.wire, ["5", "<6", "50", "<60", "50", "<52"]);
    assert_eq!(pair.let_in, ["u by publickey"]);
}

#[test]
fn a_probe_that_is_refused_costs_no_signature_and_no_failure() {
    let mut pair = Pair::with(ServerAuthConfig {
        max_failures: 1,
        ..config()
    });
    for _ in 0..3 {
        let outcome = pair.attempt("u", publickey(key_a(), true)).unwrap();
        assert!(matches!(outcome, AuthOutcome::Failure { .. }));
    }
    pair.decisions.push_back(Accept);
    assert_eq!(pair.attempt("u", password("p")), Ok(AuthOutcome::Success));
}

#[test]
fn every_kind_of_key() {
    for kind in [
        KeyKind::Ed25519,
        KeyKind::EcdsaP256,
        KeyKind::EcdsaP384,
        KeyKind::EcdsaP521,
    ] {
        let mut pair = Pair::new([Accept, Accept]);
        let outcome = pair.attempt("u", publickey(new_key(kind), true));
        assert_eq!(outcome, Ok(AuthOutcome::Success), "{kind:?}");
    }
}

#[test]
fn rsa_follows_server_sig_algs() {
    for (list, expected) in [
        (None, Some("rsa-sha2-512")),
        (
            Some(names(&["rsa-sha2-256", "rsa-sha2-512"])),
            Some("rsa-sha2-512"),
        ),
        (
            Some(names(&["ssh-ed25519", "rsa-sha2-256"])),
            Some("rsa-sha2-256"),
        ),
        (Some(names(&["ssh-ed25519", "ssh-rsa"])), None),
    ] {
        let mut pair = Pair::new([Accept]);
        pair.client.set_server_sig_algs(list);
        let outcome = pair.attempt("u", publickey(key_rsa(), false));
        let Some(expected) = expected else {
            assert!(matches!(outcome, Err(Error::NoCommonAlgorithm(_))));
            // The next attempt is not hindered, and start itself can now say no.
            let again = pair.start("u", publickey(key_rsa(), false));
            assert!(matches!(again, Err(Error::NoCommonAlgorithm(_))));
            pair.decisions = [Accept].into();
            assert_eq!(pair.attempt("u", password("p")), Ok(AuthOutcome::Success));
            continue;
        };
        assert_eq!(outcome, Ok(AuthOutcome::Success));
        assert!(pair.asked[0].contains(expected), "{:?}", pair.asked);
    }
}

#[test]
fn e3_no_list_makes_the_client_sign_with_sha1() {
    let long = (0..1500).map(|number| format!("name-{number}")).collect();
    for list in [vec![], names(&["ssh-rsa"]), names(&["x", "y@z"]), long] {
        let mut pair = Pair::new([Accept]);
        pair.client.set_server_sig_algs(Some(list));
        let outcome = pair.attempt("u", publickey(key_rsa(), false));
        assert!(matches!(outcome, Err(Error::NoCommonAlgorithm(_))));
        assert!(pair.asked.is_empty(), "nothing was signed");
        let next = pair.attempt("u", publickey(key_a(), false));
        assert_eq!(next, Ok(AuthOutcome::Success));
    }
}

#[test]
fn keys_with_one_algorithm_ignore_server_sig_algs_but_not_our_own_list() {
    let mut pair = Pair::new([Accept]);
    pair.client
        .set_server_sig_algs(Some(names(&["rsa-sha2-512"])));
    assert_eq!(
        pair.attempt("u", publickey(key_a(), false)),
        Ok(AuthOutcome::Success)
    );
    let mut pair = Pair::new([]);
    pair.client = ClientAuth::new(SESSION_ID, ["rsa-sha2-512"].into());
    let outcome = pair.attempt("u", publickey(key_a(), false));
    assert!(matches!(outcome, Err(Error::NoCommonAlgorithm(_))));
}

#[test]
fn a_signature_that_fails_is_the_outcome() {
    let mut pair = Pair::new([Accept]);
    pair.start("u", publickey(key_a(), false)).unwrap();
    pair.server.handle(&pair.client_out.pop().unwrap()).unwrap();
    let accept = pair.server.reply();
    pair.client
        .handle(&accept, &mut pair.client_out, &mut pair.client_events)
        .unwrap();
    let Some(ClientAuthEvent::Sign(job)) = pair.client_events.pop_front() else {
        panic!("no job");
    };
    let (out, events) = (&mut pair.client_out, &mut pair.client_events);
    let wrong = pair
        .client
        .provide_signature(job.id + 1, Ok(vec![1]), out, events);
    assert!(matches!(wrong, Err(Error::ApiMisuse(_))));
    pair.client
        .provide_signature(job.id, Err(Error::Cancelled), out, events)
        .unwrap();
    assert_eq!(pair.run().unwrap(), Some(Err(Error::Cancelled)));
    assert_eq!(pair.attempt("u", password("p")), Ok(AuthOutcome::Success));
}

#[test]
fn interactive_over_several_rounds() {
    let mut pair = Pair::new([
        AuthDecision::Prompts(prompts(&[("Password: ", false)])),
        AuthDecision::Prompts(prompts(&[("Code: ", true), ("Pin: ", false)])),
        AuthDecision::Prompts(prompts(&[])),
        Accept,
    ]);
    pair.answers = [vec!["secret"], vec!["123", "4"]].into();
    assert_eq!(pair.attempt("u", interactive()), Ok(AuthOutcome::Success));
    assert_eq!(
        pair.asked,
        [
            "u: interactive []",
            "u: answers [secret]",
            "u: answers [123,4]",
            "u: answers []"
        ]
    );
    assert_eq!(
        pair.shown.len(),
        2,
        "the round without prompts is answered at once"
    );
    assert_eq!(
        pair.shown[1],
        prompts(&[("Code: ", true), ("Pin: ", false)])
    );
    assert_eq!(pair.let_in, ["u by keyboard-interactive"]);
}

#[test]
fn interactive_refused_at_start_and_after_answers() {
    let ask = || AuthDecision::Prompts(prompts(&[("P", false)]));
    let mut pair = Pair::new([Refuse, ask(), Refuse]);
    pair.answers = [vec!["x"]].into();
    assert!(matches!(
        pair.attempt("u", interactive()),
        Ok(AuthOutcome::Failure { .. })
    ));
    assert!(matches!(
        pair.attempt("u", interactive()),
        Ok(AuthOutcome::Failure { .. })
    ));
}

#[test]
fn prompts_that_are_refused_end_the_attempt_and_the_next_one_works() {
    let mut pair = Pair::new([AuthDecision::Prompts(prompts(&[("P", false)])), Accept]);
    pair.start("u", interactive()).unwrap();
    assert_eq!(pair.run().unwrap(), None);
    assert!(matches!(
        pair.start("u", interactive()),
        Err(Error::ApiMisuse(_))
    ));
    let none = pair.client.answer_prompts(vec![], &mut pair.client_out);
    assert!(
        matches!(none, Err(Error::ApiMisuse(_))),
        "one answer for each prompt"
    );
    pair.client.refuse_prompts(&mut pair.client_events).unwrap();
    assert_eq!(
        pair.run().unwrap(),
        Some(Ok(AuthOutcome::Failure { methods: vec![] }))
    );
    assert!(pair.client.refuse_prompts(&mut pair.client_events).is_err());
    assert_eq!(pair.attempt("u", password("p")), Ok(AuthOutcome::Success));
}

#[test]
fn key_then_password_by_partial_success() {
    let mut pair = Pair::new([partial(&["password", "publickey"]), Accept]);
    let outcome = pair.attempt("u", publickey(key_a(), false)).unwrap();
    assert_eq!(
        outcome,
        AuthOutcome::Partial {
            methods: names(&["password", "publickey"])
        }
    );
    // The same key again proves nothing new; what is not listed is not asked about.
    assert!(matches!(
        pair.attempt("u", publickey(key_a(), false)),
        Ok(AuthOutcome::Failure { .. })
    ));
    assert!(matches!(
        pair.attempt("u", publickey(key_a(), true)),
        Ok(AuthOutcome::Failure { .. })
    ));
    let outcome = pair.attempt("u", interactive()).unwrap();
    assert_eq!(refused(&outcome), ["password", "publickey"]);
    assert_eq!(pair.asked.len(), 1);
    assert_eq!(pair.attempt("u", password("p")), Ok(AuthOutcome::Success));
    assert_eq!(pair.let_in, ["u by password"]);
}

#[test]
fn two_keys_by_partial_success() {
    let mut pair = Pair::new([partial(&["publickey"]), Accept, Accept]);
    assert!(matches!(
        pair.attempt("u", publickey(key_a(), false)),
        Ok(AuthOutcome::Partial { .. })
    ));
    assert_eq!(
        pair.attempt("u", publickey(key_b(), true)),
        Ok(AuthOutcome::Success)
    );
}

#[test]
fn partial_success_is_no_failure() {
    let mut pair = Pair::with(ServerAuthConfig {
        max_failures: 1,
        ..config()
    });
    pair.decisions = [partial(&["password"]), partial(&["publickey"]), Accept].into();
    assert!(pair.attempt("u", publickey(key_a(), false)).is_ok());
    assert!(pair.attempt("u", password("p")).is_ok());
    assert_eq!(
        pair.attempt("u", publickey(key_b(), false)),
        Ok(AuthOutcome::Success)
    );
}

#[test]
fn the_banner_follows_service_accept() {
    let banner = Some(("Welcome\n".to_owned(), "en".to_owned()));
    let mut pair = Pair::with(ServerAuthConfig { banner, ..config() });
    pair.decisions = [Accept].into();
    assert_eq!(pair.attempt("u", password("p")), Ok(AuthOutcome::Success));
    assert_eq!(pair.banners, ["Welcome\n"]);
    assert_eq!(pair.wire, ["5", "<6", "50", "<53", "<52"]);
}

fn fallback_pair(decisions: Vec<AuthDecision>) -> (Pair, ClientMethod) {
    let methods = names(&["keyboard-interactive", "publickey"]);
    let mut pair = Pair::with(ServerAuthConfig {
        methods,
        ..config()
    });
    pair.decisions = decisions.into();
    let method = ClientMethod::Password {
        password: secret("pw"),
        fallback: true,
    };
    (pair, method)
}

#[test]
fn password_falls_back_to_one_hidden_prompt() {
    let ask = AuthDecision::Prompts(prompts(&[("Password: ", false)]));
    let info = AuthDecision::Prompts(prompts(&[]));
    let (mut pair, method) = fallback_pair(vec![ask, info, Accept]);
    assert_eq!(pair.attempt("u", method), Ok(AuthOutcome::Success));
    assert_eq!(
        pair.asked,
        ["u: interactive []", "u: answers [pw]", "u: answers []"]
    );
    assert!(pair.shown.is_empty());
}

#[test]
fn fallback_gives_the_password_to_nothing_else() {
    let ask = |list: &[(&str, bool)]| AuthDecision::Prompts(prompts(list));
    for decisions in [
        vec![ask(&[("Name: ", true)])],
        vec![ask(&[("Password: ", false), ("Code: ", false)])],
        vec![ask(&[("Password: ", false)]), ask(&[("Again: ", false)])],
        vec![ask(&[]), ask(&[("Password: ", false)])],
        vec![Refuse],
    ] {
        let rounds = decisions.len();
        let (mut pair, method) = fallback_pair(decisions);
        let outcome = pair.attempt("u", method).unwrap();
        assert_eq!(refused(&outcome), ["keyboard-interactive", "publickey"]);
        let told = pair
            .asked
            .iter()
            .filter(|asked| asked.contains("pw"))
            .count();
        assert!(told < rounds.max(1), "{:?}", pair.asked);
        // The dialogue that was left open does not hinder the next attempt.
        pair.decisions = [Accept].into();
        assert_eq!(
            pair.attempt("u", publickey(key_a(), false)),
            Ok(AuthOutcome::Success)
        );
    }
}

#[test]
fn no_fallback_where_the_password_method_is_allowed_or_fallback_is_off() {
    let mut pair = Pair::new([Refuse]);
    let method = ClientMethod::Password {
        password: secret("pw"),
        fallback: true,
    };
    assert!(matches!(
        pair.attempt("u", method),
        Ok(AuthOutcome::Failure { .. })
    ));
    assert_eq!(pair.wire, ["5", "<6", "50", "<51"]);
    let (mut pair, _) = fallback_pair(vec![]);
    assert!(matches!(
        pair.attempt("u", password("pw")),
        Ok(AuthOutcome::Failure { .. })
    ));
    assert!(pair.asked.is_empty());
}

#[test]
fn one_attempt_at_a_time() {
    let mut pair = Pair::new([]);
    pair.start("u", password("a")).unwrap();
    assert!(matches!(
        pair.start("u", password("b")),
        Err(Error::ApiMisuse(_))
    ));
    assert!(matches!(
        pair.run(),
        Ok(Some(Ok(AuthOutcome::Failure { .. })))
    ));
    pair.decisions.push_back(Accept);
    assert_eq!(pair.attempt("u", password("c")), Ok(AuthOutcome::Success));
    assert!(matches!(
        pair.start("u", password("d")),
        Err(Error::ApiMisuse(_))
    ));
}

#[test]
fn a_late_reply_to_an_abandoned_attempt_is_swallowed() {
    let mut pair = Pair::new([Refuse, Accept]);
    pair.start("u", password("slow")).unwrap();
    pair.server.handle(&pair.client_out.pop().unwrap()).unwrap();
    let accept = pair.server.reply();
    pair.client
        .handle(&accept, &mut pair.client_out, &mut pair.client_events)
        .unwrap();
    pair.client.abandon();
    // The next attempt waits for the late FAILURE, so that it cannot be taken for its own.
    pair.start("u", password("next")).unwrap();
    assert_eq!(pair.run().unwrap(), Some(Ok(AuthOutcome::Success)));
    assert_eq!(pair.asked, ["u: password slow", "u: password next"]);
}

#[test]
fn abandoned_before_service_accept() {
    let mut pair = Pair::new([Accept]);
    pair.start("u", password("slow")).unwrap();
    pair.client.abandon();
    assert_eq!(pair.run().unwrap(), None);
    assert!(pair.asked.is_empty());
    assert_eq!(
        pair.attempt("u", password("next")),
        Ok(AuthOutcome::Success)
    );
}

#[test]
fn abandoned_while_prompts_wait() {
    let mut pair = Pair::new([AuthDecision::Prompts(prompts(&[("P", false)])), Accept]);
    pair.start("u", interactive()).unwrap();
    assert_eq!(pair.run().unwrap(), None);
    pair.client.abandon();
    assert_eq!(
        pair.attempt("u", password("next")),
        Ok(AuthOutcome::Success)
    );
}

#[test]
fn abandoned_before_the_signature() {
    let mut pair = Pair::new([Accept]);
    pair.start("u", publickey(key_a(), false)).unwrap();
    pair.server.handle(&pair.client_out.pop().unwrap()).unwrap();
    let accept = pair.server.reply();
    pair.client
        .handle(&accept, &mut pair.client_out, &mut pair.client_events)
        .unwrap();
    pair.client.abandon();
    let Some(ClientAuthEvent::Sign(job)) = pair.client_events.pop_front() else {
        panic!("no job");
    };
    let (out, events) = (&mut pair.client_out, &mut pair.client_events);
    assert!(pair
        .client
        .provide_signature(job.id, Ok(vec![0]), out, events)
        .is_err());
    assert!(pair.client_out.is_empty());
    assert_eq!(
        pair.attempt("u", password("next")),
        Ok(AuthOutcome::Success)
    );
}

#[test]
fn a_late_success_counts_unless_somebody_else_was_meant() {
    for (next, good) in [(None, true), (Some("u"), true), (Some("other"), false)] {
        let mut pair = Pair::new([Accept]);
        pair.start("u", password("slow")).unwrap();
        pair.server.handle(&pair.client_out.pop().unwrap()).unwrap();
        let accept = pair.server.reply();
        pair.client
            .handle(&accept, &mut pair.client_out, &mut pair.client_events)
            .unwrap();
        pair.client.abandon();
        if let Some(user) = next {
            pair.start(user, password("next")).unwrap();
        }
        let result = pair.run();
        if good {
            assert_eq!(result.unwrap(), Some(Ok(AuthOutcome::Success)));
        } else {
            assert!(matches!(result, Err(Error::Timeout(_))));
            assert!(!pair.client.is_authenticated());
        }
    }
}

#[test]
fn methods_may_depend_on_the_user() {
    let mut pair = Pair::with(ServerAuthConfig {
        ask_methods: true,
        ..config()
    });
    pair.decisions.extend([
        AuthDecision::Methods {
            methods: names(&["publickey"]),
        },
        Accept,
        Refuse,
        AuthDecision::Methods { methods: vec![] },
        Refuse,
    ]);
    let outcome = pair.attempt("keys", password("p")).unwrap();
    assert_eq!(refused(&outcome), ["publickey"]);
    let outcome = pair.attempt("keys", password("p")).unwrap();
    assert_eq!(refused(&outcome), ["publickey"]);
    // Yes to the question for methods lets nobody in, and leaves those of the server.
    let outcome = pair.attempt("all", ClientMethod::None).unwrap();
    let all = ["publickey", "password", "keyboard-interactive"];
    assert_eq!(refused(&outcome), all);
    let outcome = pair.attempt("nobody", password("p")).unwrap();
    assert!(refused(&outcome).is_empty());
    // So has one without a name, who may be the first, too.
    for (rounds, expected) in [(1, "methods"), (2, "methods")] {
        let mut server = Server::with(ServerAuthConfig {
            ask_methods: true,
            ..config()
        });
        for user in ["a", ""].iter().rev().take(rounds) {
            server.handle(&password_request(user, b"p")).unwrap();
            let (id, asked) = server.question();
            assert_eq!(asked, format!("{user}: {expected}"));
            let methods = vec![];
            server
                .answer(id, AuthDecision::Methods { methods })
                .unwrap();
            server.assert_refused();
        }
    }
    // As any other user, one who comes back has to be asked about anew.
    let outcome = pair.attempt("keys", ClientMethod::None).unwrap();
    assert_eq!(refused(&outcome), all);
    let asked = [
        "keys: methods",
        "all: methods",
        "all: none",
        "nobody: methods",
        "keys: methods",
        "keys: none",
    ];
    assert_eq!(
        pair.asked, asked,
        "what is not offered is not asked about, and each user once"
    );
    assert!(pair.let_in.is_empty());
}

#[test]
fn texts_for_one_user() {
    let mut server = Server::with(ServerAuthConfig {
        ask_methods: true,
        ..config()
    });
    server.handle(&password_request("u", b"p")).unwrap();
    let (id, asked) = server.question();
    assert_eq!(asked, "u: methods");
    for text in ["maintenance at noon\n", "and at one"] {
        server.auth.send_banner(id, text, &mut server.out).unwrap();
    }
    assert!(server.answer(id, partial(&["password"])).is_err());
    assert!(server
        .answer(id, AuthDecision::Prompts(prompts(&[])))
        .is_err());
    server.answer(id, Refuse).unwrap();
    assert!(server
        .auth
        .send_banner(id, "late", &mut server.out)
        .is_err());
    let (id, asked) = server.question();
    assert_eq!(asked, "u: password p");
    let methods = vec![];
    assert!(server
        .answer(id, AuthDecision::Methods { methods })
        .is_err());
    server
        .auth
        .send_banner(id, "welcome", &mut server.out)
        .unwrap();
    server.answer(id, Accept).unwrap();
    for text in ["maintenance at noon\n", "and at one", "welcome"] {
        let banner = UserauthBanner::decode(&server.reply())
            .unwrap()
            .message
            .to_vec();
        assert_eq!(banner, text.as_bytes());
    }
    assert_eq!(server.reply(), [52]);
    assert!(server.auth.is_authenticated());
}

#[test]
fn what_is_sent_ahead_of_the_answer_for_methods_keeps_its_order() {
    let mut server = Server::with(ServerAuthConfig {
        ask_methods: true,
        max_requests: 3,
        ..config()
    });
    server.handle(&password_request("a", b"1")).unwrap();
    server.handle(&password_request("a", b"2")).unwrap();
    server.handle(&password_request("b", b"3")).unwrap();
    for (expected, decision) in [
        ("a: methods", Accept),
        ("a: password 1", Refuse),
        ("a: password 2", Refuse),
        ("b: methods", Accept),
        ("b: password 3", Accept),
    ] {
        let (id, asked) = server.question();
        assert_eq!(asked, expected);
        assert!(server.events.is_empty());
        server.answer(id, decision).unwrap();
    }
    // Three requests, not five: what waits for the methods counts once.
    assert!(server.auth.is_authenticated());
}
