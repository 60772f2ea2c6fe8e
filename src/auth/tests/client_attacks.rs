//! Hostile and broken servers against the client.

use super::*;

struct Client {
    auth: ClientAuth,
    out: PayloadQueue,
    events: VecDeque<ClientAuthEvent>,
}

impl Client {
    fn fresh() -> Self {
        Client {
            auth: ClientAuth::new(SESSION_ID, SIG_ALGS.into()),
            out: PayloadQueue::new(),
            events: VecDeque::new(),
        }
    }

    /// A client that has sent the request of `method`.
    fn trying(method: ClientMethod) -> Self {
        let mut client = Client::fresh();
        client.start(method).unwrap();
        client.handle(&service_accept()).unwrap();
        while client.out.pop().is_some() {}
        client
    }

    fn start(&mut self, method: ClientMethod) -> Result<(), Error> {
        self.auth
            .start("u", method, &mut self.out, &mut self.events)
    }

    fn handle(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.auth.handle(payload, &mut self.out, &mut self.events)
    }

    fn outcome(&mut self) -> Result<AuthOutcome, Error> {
        match self.events.pop_front() {
            Some(ClientAuthEvent::Outcome(outcome)) => outcome,
            _ => panic!("no outcome"),
        }
    }
}

fn info_request(instruction: &str, count: u32) -> Vec<u8> {
    Writer::collect(|w| {
        w.u8(60)
            .string("")
            .string(instruction)
            .string("")
            .u32(count);
        for _ in 0..count.min(300) {
            w.string("p").bool(true);
        }
    })
}

#[test]
fn a2_messages_of_the_client() {
    for payload in [
        password_request("u", b"p"),
        service_request("ssh-userauth"),
        b"\x3d\0\0\0\0".to_vec(),
        vec![66],
        vec![80],
    ] {
        for mut client in [Client::fresh(), Client::trying(password("p"))] {
            assert!(is_unexpected(&client.handle(&payload)), "{}", payload[0]);
            assert!(!client.auth.is_authenticated());
        }
    }
}

#[test]
fn the_first_request_goes_with_that_for_the_service() {
    let eager = || {
        let mut client = Client::fresh();
        client.auth.set_server_sig_algs(Some(Vec::new()));
        client.start(password("p")).unwrap();
        assert_eq!(client.out.pop().unwrap(), service_request("ssh-userauth"));
        assert_eq!(client.out.pop().unwrap(), password_request("u", b"p"));
        assert!(client.out.is_empty());
        client
    };
    let failure = Writer::collect(|w| {
        w.u8(51).string("password").bool(false);
    });
    for early in [&failure[..], &[52], &info_request("", 1)] {
        assert!(is_unexpected(&eager().handle(early)), "{early:?}");
    }
    let mut client = eager();
    client.handle(&service_accept()).unwrap();
    assert!(is_unexpected(&client.handle(&service_accept())), "twice");
    client.handle(&failure).unwrap();
    assert!(matches!(client.outcome(), Ok(AuthOutcome::Failure { .. })));

    let mut client = eager();
    client.auth.abandon();
    client.start(ClientMethod::None).unwrap();
    client.handle(&service_accept()).unwrap();
    assert!(client.out.is_empty(), "the reply to the first is awaited");
    client.handle(&failure).unwrap();
    assert!(client.out.pop().is_some());
}

#[test]
fn a2_method_messages_of_another_method() {
    for method in [ClientMethod::None, publickey(key_a(), false)] {
        let mut client = Client::trying(method);
        assert!(is_unexpected(&client.handle(&info_request("", 1))));
    }
    let mut client = Client::trying(password("p"));
    let result = client.handle(&info_request("", 1));
    assert!(
        matches!(result, Err(Error::InvalidMessage { .. })),
        "read as PASSWD_CHANGEREQ"
    );
    assert!(client.out.is_empty(), "nothing was answered");
}

/// Nobody is left to be told what is in it, but what cannot be read answers nothing: it must not let the next attempt begin.
#[test]
fn a2_a_late_method_message_that_cannot_be_read() {
    let pk_ok = Writer::collect(|w| {
        w.u8(60).string(ED25519).string(key_a().public().blob());
    });
    let cases = [
        (password("p"), info_request("", 1)),
        (publickey(key_a(), true), info_request("", 1)),
        (publickey(key_a(), true), vec![60]),
        (interactive(), pk_ok.clone()),
        (interactive(), info_request("", 257)),
    ];
    for (method, payload) in cases {
        for next in [false, true] {
            let mut client = Client::trying(match &method {
                ClientMethod::Password { .. } => password("p"),
                ClientMethod::PublicKey { .. } => publickey(key_a(), true),
                _ => interactive(),
            });
            client.auth.abandon();
            if next {
                client.start(ClientMethod::None).unwrap();
            }
            let result = client.handle(&payload);
            assert!(
                matches!(result, Err(Error::InvalidMessage { .. } | Error::Limit(_))),
                "{payload:?}: {result:?}"
            );
            assert!(client.out.is_empty(), "nothing was begun");
        }
    }
    // One that can be read is the answer that was waited for.
    let mut client = Client::trying(publickey(key_a(), true));
    client.auth.abandon();
    client.start(ClientMethod::None).unwrap();
    client.handle(&pk_ok).unwrap();
    assert!(client.out.pop().is_some());
}

#[test]
fn a10_prompts_over_the_limits() {
    for payload in [
        info_request("", 257),
        info_request("", u32::MAX),
        info_request(&"x".repeat(1 << 20), 0),
    ] {
        let mut client = Client::trying(interactive());
        assert!(matches!(client.handle(&payload), Err(Error::Limit(_))));
        assert!(client.events.is_empty() && client.out.is_empty());
    }
    let mut client = Client::trying(interactive());
    client.handle(&info_request("", 256)).unwrap();
    assert!(matches!(
        client.events.pop_front(),
        Some(ClientAuthEvent::Prompts(_))
    ));
}

#[test]
fn a10_rounds_without_end() {
    let mut client = Client::trying(interactive());
    for _ in 0..16 {
        client.handle(&info_request("", 0)).unwrap();
        assert_eq!(client.out.pop().unwrap(), b"\x3d\0\0\0\0");
    }
    assert!(matches!(
        client.handle(&info_request("", 0)),
        Err(Error::Limit(_))
    ));
}

#[test]
fn a11_success_that_nobody_asked_for() {
    let mut client = Client::fresh();
    assert!(is_unexpected(&client.handle(&[52])));
    let mut client = Client::fresh();
    client.start(password("p")).unwrap();
    assert!(
        is_unexpected(&client.handle(&[52])),
        "before SERVICE_ACCEPT"
    );
    let mut client = Client::trying(password("p"));
    client.handle(&failure(&[], false)).unwrap();
    assert!(is_unexpected(&client.handle(&[52])), "between attempts");
    let mut client = Client::trying(publickey(key_a(), true));
    assert!(is_unexpected(&client.handle(&[52])), "to a query");
    let mut client = Client::trying(publickey(key_a(), false));
    assert!(is_unexpected(&client.handle(&[52])), "before the signature");
    let mut client = Client::trying(interactive());
    client.handle(&info_request("", 1)).unwrap();
    assert!(is_unexpected(&client.handle(&[52])), "before the answers");
    assert!(!client.auth.is_authenticated());
}

#[test]
fn a11_trivial_success_can_be_refused() {
    let mut client = Client::trying(ClientMethod::None);
    client.auth.set_refuse_trivial(true);
    assert!(matches!(
        client.handle(&[52]),
        Err(Error::AuthFailed { .. })
    ));
    let mut client = Client::trying(interactive());
    client.auth.set_refuse_trivial(true);
    client.handle(&info_request("", 0)).unwrap();
    assert!(matches!(
        client.handle(&[52]),
        Err(Error::AuthFailed { .. })
    ));
    assert!(!client.auth.is_authenticated());
    let mut client = Client::trying(password("p"));
    client.auth.set_refuse_trivial(true);
    client.handle(&[52]).unwrap();
    assert_eq!(client.outcome(), Ok(AuthOutcome::Success));
    let mut client = Client::trying(ClientMethod::None);
    client.handle(&[52]).unwrap();
    assert_eq!(client.outcome(), Ok(AuthOutcome::Success));
}

#[test]
fn a11_each_credential_is_tried_once() {
    let mut client = Client::trying(password("p"));
    client.handle(&failure(&["password"], false)).unwrap();
    assert_eq!(
        client.outcome(),
        Ok(AuthOutcome::Failure {
            methods: names(&["password"])
        })
    );
    assert!(client.out.is_empty());
    let again = client.handle(&failure(&["password"], false));
    assert!(matches!(
        again,
        Err(Error::PeerMisbehaved(PeerMisbehaved::UnsolicitedReply))
    ));
    // The fallback is one dialogue, however often keyboard-interactive is listed.
    let method = ClientMethod::Password {
        password: secret("p"),
        fallback: true,
    };
    let mut client = Client::trying(method);
    client
        .handle(&failure(&["keyboard-interactive"], false))
        .unwrap();
    assert!(client.out.pop().is_some());
    client
        .handle(&failure(&["keyboard-interactive"], false))
        .unwrap();
    assert!(client.out.is_empty());
    assert!(matches!(client.outcome(), Ok(AuthOutcome::Failure { .. })));
}

#[test]
fn a14_after_success() {
    let mut client = Client::trying(password("p"));
    client.handle(&[52]).unwrap();
    client.events.clear();
    client.handle(b"\x35\0\0\0\x02hi\0\0\0\0").unwrap();
    assert!(client.events.is_empty(), "a late banner is ignored");
    assert!(is_unexpected(&client.handle(&[52])));
    assert!(client.handle(&failure(&[], false)).is_err());
    assert!(client.auth.is_authenticated());
}

#[test]
fn pk_ok_must_echo_the_query() {
    let (key, other) = (key_a(), key_b());
    for (algorithm, blob) in [
        ("ssh-ed25519", other.public().blob()),
        ("rsa-sha2-512", key.public().blob()),
        ("", b""),
    ] {
        let mut client = Client::trying(publickey(key_a(), true));
        let payload = Writer::collect(|w| {
            w.u8(60).string(algorithm).string(blob);
        });
        client.handle(&payload).unwrap();
        assert!(matches!(client.outcome(), Ok(AuthOutcome::Failure { .. })));
        assert!(
            client.out.is_empty() && client.events.is_empty(),
            "nothing is signed"
        );
    }
}

#[test]
fn pk_ok_comes_once() {
    let key = key_a();
    let mut client = Client::trying(publickey(key.clone(), true));
    let payload = Writer::collect(|w| {
        w.u8(60).string("ssh-ed25519").string(key.public().blob());
    });
    client.handle(&payload).unwrap();
    assert!(matches!(
        client.events.pop_front(),
        Some(ClientAuthEvent::Sign(_))
    ));
    assert!(is_unexpected(&client.handle(&payload)));
}

#[test]
fn an_expired_password_is_a_failure_that_says_why() {
    let mut client = Client::trying(password("p"));
    client.handle(b"\x3c\0\0\0\x07expired\0\0\0\0").unwrap();
    assert!(matches!(
        client.events.pop_front(),
        Some(ClientAuthEvent::Banner { message, .. }) if message == "expired"
    ));
    assert!(matches!(client.outcome(), Ok(AuthOutcome::Failure { .. })));
    client.start(password("q")).unwrap();
}

#[test]
fn banners_are_cut_and_counted() {
    let mut client = Client::fresh();
    let long = "x".repeat(100_000);
    let banner = Writer::collect(|w| {
        w.u8(53).string(&long).string(&long);
    });
    assert!(
        is_unexpected(&client.handle(&banner)),
        "before the service was asked for"
    );
    let mut client = Client::trying(password("p"));
    for _ in 0..64 {
        client.handle(&banner).unwrap();
        assert!(matches!(
            client.events.pop_front(),
            Some(ClientAuthEvent::Banner { message, language })
                if message.len() == 16 * 1024 && language.len() == 64
        ));
    }
    assert!(matches!(client.handle(&banner), Err(Error::Limit(_))));
}

#[test]
fn services_that_were_not_asked_for() {
    let mut client = Client::fresh();
    assert!(is_unexpected(&client.handle(&service_accept())));
    let mut client = Client::trying(password("p"));
    assert!(is_unexpected(&client.handle(&service_accept())), "twice");
    let mut client = Client::fresh();
    client.start(password("p")).unwrap();
    client.out.pop();
    assert!(client.handle(b"\x06\0\0\0\x0essh-connection").is_err());
    assert!(client.out.is_empty(), "the password stays here");
}

#[test]
fn a_server_may_end_a_dialogue_by_itself() {
    let mut client = Client::trying(interactive());
    client.handle(&info_request("", 1)).unwrap();
    client.events.clear();
    client.handle(&failure(&["password"], false)).unwrap();
    assert!(matches!(client.outcome(), Ok(AuthOutcome::Failure { .. })));
    // And so may one whose prompts were refused.
    client.start(interactive()).unwrap();
    client.handle(&info_request("", 1)).unwrap();
    client.auth.refuse_prompts(&mut client.events).unwrap();
    client.events.clear();
    client.handle(&failure(&["password"], false)).unwrap();
    assert!(client.events.is_empty());
    assert!(client.handle(&failure(&["password"], false)).is_err());
}

#[test]
fn every_truncation_is_an_error() {
    let pk_ok = Writer::collect(|w| {
        w.u8(60)
            .string("ssh-ed25519")
            .string(key_a().public().blob());
    });
    type Case = (fn() -> ClientMethod, Vec<u8>);
    let cases: [Case; 4] = [
        (|| password("p"), failure(&["password"], false)),
        (|| password("p"), b"\x3c\0\0\0\x07expired\0\0\0\0".to_vec()),
        (|| publickey(key_a(), true), pk_ok),
        (interactive, info_request("i", 2)),
    ];
    for (method, payload) in cases {
        for cut in 0..payload.len() {
            let mut client = Client::trying(method());
            assert!(
                client.handle(&payload[..cut]).is_err(),
                "{} at {cut}",
                payload[0]
            );
            assert!(client.events.is_empty() && client.out.is_empty());
        }
    }
}
