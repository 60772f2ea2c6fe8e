//! Hostile and broken clients against the server.

use super::*;
use AuthDecision::{Accept, Refuse};

fn info_response(answers: &[&str]) -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(61).u32(u32::try_from(answers.len()).unwrap());
        for answer in answers {
            w.string(answer);
        }
    })
}

fn one_prompt() -> AuthDecision {
    AuthDecision::Prompts(prompts(&[("Code: ", false)]))
}

#[test]
fn a1_connection_messages_before_authentication() {
    for message in 80..=127 {
        let payload = [message, 0, 0, 0, 0];
        for mut server in [Server::fresh(config()), Server::new()] {
            let result = server.handle(&payload);
            assert!(is_unexpected(&result), "{message}: {result:?}");
            server.assert_quiet();
        }
    }
}

#[test]
fn a2_messages_of_the_server() {
    for message in [6, 51, 52, 53, 60] {
        let mut server = Server::new();
        assert!(is_unexpected(&server.handle(&[message])), "{message}");
        server.assert_quiet();
    }
    assert!(matches!(
        Server::new().handle(&[]),
        Err(Error::PeerMisbehaved(PeerMisbehaved::EmptyPayload))
    ));
}

#[test]
fn a3_services() {
    for name in ["ssh-connection", "nonsense", ""] {
        for mut server in [Server::fresh(config()), Server::new()] {
            let result = server.handle(&service_request(name));
            assert!(
                matches!(result, Err(Error::ServiceNotAvailable(_))),
                "{result:?}"
            );
            server.assert_quiet();
        }
    }
    let mut server = Server::fresh(config());
    assert!(is_unexpected(&server.handle(&password_request("u", b"p"))));
    server.assert_quiet();
}

#[test]
fn a3_service_requests_before_every_attempt_work_within_a_bound() {
    let banner = Some(("once".to_owned(), String::new()));
    let mut server = Server::fresh(ServerAuthConfig {
        banner,
        max_requests: 3,
        ..config()
    });
    for round in 0..3 {
        server.handle(&service_request("ssh-userauth")).unwrap();
        assert_eq!(server.reply(), service_accept());
        if round == 0 {
            assert_eq!(number(&server.reply()), MessageNumber::USERAUTH_BANNER);
        }
        let reply = server.ask(&password_request("u", b"p"), Refuse);
        assert_eq!(number(&reply), MessageNumber::USERAUTH_FAILURE);
    }
    let result = server.handle(&service_request("ssh-userauth"));
    assert!(matches!(result, Err(Error::AuthLimit(_))));
}

#[test]
fn a4_failures_end_exactly_at_the_limit_over_all_users() {
    let mut server = Server::new();
    for attempt in 1..=6 {
        let user = format!("u{attempt}");
        server.handle(&password_request(&user, b"p")).unwrap();
        let (id, _) = server.question();
        let result = server.answer(id, Refuse);
        assert_eq!(number(&server.reply()), MessageNumber::USERAUTH_FAILURE);
        if attempt < 6 {
            result.unwrap();
        } else {
            assert!(matches!(result, Err(Error::AuthLimit(_))));
        }
        server.assert_quiet();
    }
}

#[test]
fn a4_the_first_none_is_free_and_no_other() {
    let mut server = Server::with(ServerAuthConfig {
        max_failures: 2,
        ..config()
    });
    server.ask(&none_request("a"), Refuse);
    server.ask(&none_request("b"), Refuse);
    server.handle(&none_request("c")).unwrap();
    let (id, _) = server.question();
    assert!(matches!(
        server.answer(id, Refuse),
        Err(Error::AuthLimit(_))
    ));
}

#[test]
fn a4_sixteen_key_queries() {
    let mut server = Server::new();
    let (key_a, key_b) = (key_a(), key_b());
    for query in 0..15 {
        let (key, user) = if query % 2 == 0 {
            (&key_a, "a")
        } else {
            (&key_b, "b")
        };
        let payload = key_request(user, "ssh-ed25519", key.public().blob(), None);
        let decision = if query % 3 == 0 { Accept } else { Refuse };
        server.ask(&payload, decision);
    }
    let payload = key_request("a", "ssh-ed25519", key_a.public().blob(), None);
    assert!(matches!(server.handle(&payload), Err(Error::AuthLimit(_))));
    server.assert_quiet();
}

#[test]
fn a4_one_hundred_and_twenty_nine_requests() {
    let mut server = Server::with(ServerAuthConfig {
        max_failures: 1000,
        max_key_queries: 1000,
        ..config()
    });
    let blob = key_a().public().blob().to_vec();
    for round in 0..128 {
        // A new user each time, so that each partial success is a first one.
        let user = format!("u{round}");
        match round % 3 {
            0 => server.ask(&none_request(&user), Refuse),
            1 => server.ask(&key_request(&user, "ssh-ed25519", &blob, None), Accept),
            _ => server.ask(&password_request(&user, b"p"), partial(&["publickey"])),
        };
    }
    assert!(matches!(
        server.handle(&none_request("u")),
        Err(Error::AuthLimit(_))
    ));
    server.assert_quiet();
}

#[test]
fn a5_another_user_starts_from_nothing() {
    let mut server = Server::new();
    let reply = server.ask(&password_request("a", b"p"), partial(&["publickey"]));
    assert_eq!(reply, failure(&["publickey"], true));
    // The list of the new user is the one from the start, and the password is asked about again.
    let reply = server.ask(&password_request("b", b"p"), Refuse);
    assert_eq!(
        reply,
        failure(&["publickey", "password", "keyboard-interactive"], false)
    );
    // Going back does not bring the progress back.
    let reply = server.ask(&password_request("a", b"p"), Refuse);
    assert_eq!(
        reply,
        failure(&["publickey", "password", "keyboard-interactive"], false)
    );
}

#[test]
fn a5_partial_successes_are_counted_for_one_user_in_a_row() {
    let mut server = Server::new();
    let counted = |server: &mut Server, payload: &[u8], decision| {
        server.handle(payload).unwrap();
        let Some(ServerAuthEvent::Question(question)) = server.events.pop_front() else {
            panic!("no question");
        };
        server.answer(question.id, decision).unwrap();
        server.reply();
        question.partial_successes
    };
    let more = || partial(&["publickey", "password", "keyboard-interactive"]);
    let key = key_a();
    let query = key_request("a", ED25519, key.public().blob(), None);
    assert_eq!(
        counted(&mut server, &password_request("a", b"p"), more()),
        0
    );
    assert_eq!(
        counted(&mut server, &password_request("a", b"p"), Refuse),
        1
    );
    // A key that would do has shown nothing.
    assert_eq!(counted(&mut server, &query, more()), 1);
    assert_eq!(counted(&mut server, &query, Accept), 1);
    assert_eq!(
        counted(&mut server, &interactive_request("a"), one_prompt()),
        1
    );
    server.handle(&info_response(&["x"])).unwrap();
    let (id, _) = server.question();
    server.answer(id, more()).unwrap();
    server.reply();
    assert_eq!(counted(&mut server, &query, Refuse), 2);
    // Another user, of whom the application hears nothing, and back.
    server
        .handle(&request("b", "ssh-connection", "x", &MethodFields::Other))
        .unwrap();
    server.assert_refused();
    assert_eq!(counted(&mut server, &query, Refuse), 0);
    assert_eq!(
        counted(&mut server, &password_request("a", b"p"), more()),
        0
    );
    assert_eq!(counted(&mut server, &none_request("b"), Refuse), 0);
    assert_eq!(
        counted(&mut server, &password_request("a", b"p"), Refuse),
        0
    );
}

#[test]
fn none_after_a_partial_success_only_lists_the_methods() {
    let mut server = Server::new();
    server.ask(&password_request("a", b"p"), partial(&["publickey"]));
    server.handle(&none_request("a")).unwrap();
    assert_eq!(server.reply(), failure(&["publickey"], false));
    server.assert_quiet();
}

#[test]
fn a5_another_user_ends_a_dialogue() {
    let mut server = Server::new();
    let reply = server.ask(&interactive_request("a"), one_prompt());
    assert_eq!(number(&reply), MessageNumber::USERAUTH_60);
    server.handle(&password_request("b", b"p")).unwrap();
    let (_, question) = server.question();
    assert_eq!(question, "b: password p");
    assert!(is_unexpected(&server.handle(&info_response(&["late"]))));
    server.assert_quiet();
}

#[test]
fn a5_another_service_is_refused() {
    for service in ["ssh-userauth", "sftp", ""] {
        let mut server = Server::new();
        server.ask(&password_request("a", b"p"), partial(&["publickey"]));
        let payload = request("a", service, "none", &MethodFields::None);
        assert!(matches!(
            server.handle(&payload),
            Err(Error::ServiceNotAvailable(_))
        ));
        server.assert_quiet();
    }
}

#[test]
fn a9_wrong_numbers_of_answers() {
    for payload in [
        info_response(&[]),
        info_response(&["a", "b"]),
        b"\x3d\xff\xff\xff\xff".to_vec(),
        info_response(&[&"x".repeat(5000)]),
    ] {
        let mut server = Server::new();
        server.ask(&interactive_request("u"), one_prompt());
        server.handle(&payload).unwrap();
        server.assert_refused();
    }
    let mut server = Server::new();
    server.ask(&interactive_request("u"), one_prompt());
    let result = server.handle(b"\x3d\0\0\0\x01");
    assert!(matches!(result, Err(Error::InvalidMessage { .. })));
}

#[test]
fn a9_answers_without_a_dialogue() {
    let mut server = Server::new();
    assert!(is_unexpected(&server.handle(&info_response(&[]))));
    // While the application thinks about the start, or about the answers before.
    let mut server = Server::new();
    server.handle(&interactive_request("u")).unwrap();
    assert!(is_unexpected(&server.handle(&info_response(&["early"]))));
    let mut server = Server::new();
    server.ask(&interactive_request("u"), one_prompt());
    server.handle(&info_response(&["one"])).unwrap();
    assert!(is_unexpected(&server.handle(&info_response(&["two"]))));
}

#[test]
fn a9_a_new_request_makes_the_old_question_void() {
    let mut server = Server::new();
    server.ask(&interactive_request("u"), one_prompt());
    server.handle(&info_response(&["good"])).unwrap();
    let (old, question) = server.question();
    assert_eq!(question, "u: answers [good]");
    server.handle(&interactive_request("u")).unwrap();
    let (new, _) = server.question();
    let result = server.answer(old, Accept);
    assert!(matches!(result, Err(Error::ApiMisuse(_))));
    server.assert_quiet();
    server.answer(new, Refuse).unwrap();
    server.assert_refused();
    assert!(server.answer(new, Accept).is_err(), "answered twice");
    server.assert_quiet();
}

#[test]
fn a9_dialogues_that_are_given_up_count() {
    let mut server = Server::with(ServerAuthConfig {
        max_failures: 3,
        ..config()
    });
    server.ask(&interactive_request("u"), one_prompt());
    server.ask(&interactive_request("u"), one_prompt());
    server.handle(&info_response(&["guess"])).unwrap();
    server.question();
    server.ask(&interactive_request("u"), one_prompt());
    let result = server.handle(&interactive_request("u"));
    assert!(matches!(result, Err(Error::AuthLimit(_))));
}

#[test]
fn a12_unknown_user_and_wrong_credentials_look_alike() {
    let run = |user: &str, password: &[u8], key: &PrivateKey| {
        let mut server = Server::new();
        let mut replies = vec![server.ask(&none_request(user), Refuse)];
        replies.push(server.ask(&password_request(user, password), Refuse));
        let query = key_request(user, "ssh-ed25519", key.public().blob(), None);
        replies.push(server.ask(&query, Refuse));
        server
            .handle(&signed_request(user, key, "ssh-ed25519"))
            .unwrap();
        server.verify().unwrap();
        let (id, _) = server.question();
        server.answer(id, Refuse).unwrap();
        replies.push(server.reply());
        replies
    };
    assert_eq!(
        run("nobody", b"x", &key_a()),
        run("somebody", b"wrong", &key_b())
    );
}

#[test]
fn a13_passwords() {
    for text in [&b""[..], b"a\0b", b"\xff\xfe", &[b'x'; 4096]] {
        let mut server = Server::new();
        server.handle(&password_request("u", text)).unwrap();
        match server.events.pop_front() {
            Some(ServerAuthEvent::Question(question)) => match question.kind {
                AuthQuestionKind::Password(password) => assert_eq!(password.as_slice(), text),
                _ => panic!("another question"),
            },
            _ => panic!("no question"),
        }
    }
    for length in [4097, 1 << 20] {
        let mut server = Server::new();
        server
            .handle(&password_request("u", &vec![b'x'; length]))
            .unwrap();
        server.assert_refused();
    }
    let mut server = Server::new();
    let fields = MethodFields::Password {
        password: b"old",
        new_password: Some(b"new"),
    };
    server
        .handle(&request("u", "ssh-connection", "password", &fields))
        .unwrap();
    server.assert_refused();
}

#[test]
fn a14_after_success() {
    let mut server = Server::new();
    server.ask(&password_request("u", b"p"), Accept);
    assert!(matches!(
        server.events.pop_front(),
        Some(ServerAuthEvent::Authenticated { .. })
    ));
    for payload in [
        password_request("u", b"p"),
        none_request("root"),
        interactive_request("u"),
    ] {
        server.handle(&payload).unwrap();
        assert!(server.out.is_empty() && server.events.is_empty());
    }
    assert!(is_unexpected(&server.handle(&info_response(&[]))));
    assert!(is_unexpected(
        &server.handle(&service_request("ssh-userauth"))
    ));
    server
        .auth
        .handle_timeout(after(server.now, 1_000_000))
        .unwrap();
}

#[test]
fn a14_requests_sent_ahead_of_success_are_ignored() {
    let mut server = Server::new();
    server.handle(&password_request("u", b"p")).unwrap();
    server.handle(&password_request("root", b"p")).unwrap();
    let (id, _) = server.question();
    server.answer(id, Accept).unwrap();
    assert_eq!(server.reply(), [52]);
    assert!(matches!(
        server.events.pop_front(),
        Some(ServerAuthEvent::Authenticated { user, .. }) if user == "u"
    ));
    assert!(server.out.is_empty() && server.events.is_empty());
}

#[test]
fn methods_nobody_knows_are_refused_and_counted() {
    let mut server = Server::with(ServerAuthConfig {
        max_failures: 2,
        ..config()
    });
    let payload = request("u", "ssh-connection", "hostbased", &MethodFields::Other);
    server.handle(&payload).unwrap();
    server.assert_refused();
    let payload = request(
        "u",
        "ssh-connection",
        "gssapi-with-mic",
        &MethodFields::Other,
    );
    assert!(matches!(server.handle(&payload), Err(Error::AuthLimit(_))));
}

#[test]
fn requests_sent_ahead_wait_in_order_and_are_bounded() {
    let mut server = Server::with(ServerAuthConfig {
        max_failures: 100,
        ..config()
    });
    for text in [b"1", b"2", b"3"] {
        server.handle(&password_request("u", text)).unwrap();
    }
    for text in ["1", "2", "3"] {
        let (id, question) = server.question();
        assert_eq!(question, format!("u: password {text}"));
        assert!(server.out.is_empty() && server.events.is_empty());
        server.answer(id, Refuse).unwrap();
        assert_eq!(number(&server.reply()), MessageNumber::USERAUTH_FAILURE);
    }
    server.assert_quiet();
    server.handle(&password_request("u", b"p")).unwrap();
    let mut ahead = 0;
    let result = loop {
        match server.handle(&password_request("u", b"p")) {
            Ok(()) => ahead += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(result, Error::Limit(_)));
    assert_eq!(ahead, 8);
    let mut server = Server::new();
    server.handle(&password_request("u", b"p")).unwrap();
    let long = password_request("u", &vec![0; 65 * 1024]);
    assert!(matches!(server.handle(&long), Err(Error::Limit(_))));
}

#[test]
fn a_dialogue_behind_which_a_request_waits_is_over_at_once() {
    let mut server = Server::new();
    server.handle(&password_request("u", b"1")).unwrap();
    server.handle(&interactive_request("u")).unwrap();
    server.handle(&password_request("u", b"2")).unwrap();
    let (id, _) = server.question();
    server.answer(id, Refuse).unwrap();
    server.reply();
    let (stale, question) = server.question();
    assert_eq!(question, "u: interactive []");
    let (open, question) = server.question();
    assert_eq!(question, "u: password 2");
    assert!(server.answer(stale, Accept).is_err());
    server.answer(open, Refuse).unwrap();
    server.assert_refused();
}

#[test]
fn decisions_that_do_not_fit_leave_the_question_open() {
    let mut server = Server::new();
    server.handle(&password_request("u", b"p")).unwrap();
    let (id, _) = server.question();
    assert!(matches!(
        server.answer(id, one_prompt()),
        Err(Error::ApiMisuse(_))
    ));
    assert!(matches!(
        server.answer(id + 1, Accept),
        Err(Error::ApiMisuse(_))
    ));
    let result = server
        .auth
        .verified(id, true, server.now, &mut server.out, &mut server.events);
    assert!(matches!(result, Err(Error::ApiMisuse(_))));
    server.assert_quiet();
    server.answer(id, Refuse).unwrap();
    server.assert_refused();
    server.handle(&interactive_request("u")).unwrap();
    let (id, _) = server.question();
    let many = Prompts {
        prompts: vec![
            Prompt {
                text: "x".into(),
                echo: true
            };
            257
        ],
        ..Prompts::default()
    };
    assert!(matches!(
        server.answer(id, AuthDecision::Prompts(many)),
        Err(Error::ApiMisuse(_))
    ));
    server.answer(id, Refuse).unwrap();
    server.assert_refused();
}

#[test]
fn l1_login_grace_runs_whatever_happens() {
    let grace = Some(Duration::from_secs(2));
    let mut server = Server::with(ServerAuthConfig {
        login_grace: grace,
        ..config()
    });
    let start = server.now;
    assert_eq!(server.auth.poll_timeout(), Some(after(start, 2)));
    server.now = after(start, 1);
    server.auth.handle_timeout(server.now).unwrap();
    server.handle(&password_request("u", b"p")).unwrap();
    let (id, _) = server.question();
    assert_eq!(server.auth.poll_timeout(), Some(after(start, 2)));
    server.now = after(start, 2);
    assert!(matches!(
        server.auth.handle_timeout(server.now),
        Err(Error::AuthLimit(_))
    ));
    assert!(matches!(
        server.answer(id, Accept),
        Err(Error::AuthLimit(_))
    ));
    assert!(matches!(
        server.handle(&none_request("u")),
        Err(Error::AuthLimit(_))
    ));
    server.assert_quiet();
    let server = Server::with(ServerAuthConfig {
        login_grace: None,
        ..config()
    });
    assert_eq!(server.auth.poll_timeout(), None);
}

#[test]
fn user_names_with_nul_are_refused_without_a_question() {
    let mut server = Server::new();
    server.handle(&password_request("root\0x", b"p")).unwrap();
    server.assert_refused();
}

#[test]
fn every_truncation_of_a_request_is_an_error_or_a_failure() {
    for payload in [
        password_request("u", b"p"),
        interactive_request("u"),
        signed_request("u", &key_a(), "ssh-ed25519"),
    ] {
        for cut in 0..payload.len() {
            let mut server = Server::new();
            let result = server.handle(&payload[..cut]);
            assert!(result.is_err(), "cut at {cut}");
            server.assert_quiet();
        }
    }
}
