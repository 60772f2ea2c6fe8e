//! A client that guesses what the server prefers (RFC 4253 §7), against our server, which has been told nothing of it.

use super::{client_config, host_key, pump, server_config, Side};
use crate::crypto::algorithms::{name, KexMethod, KEXES};
use crate::crypto::legacy;
use crate::error::{Error, KexFault};
use crate::keys::KeyKind;
use crate::transport::TransportConfig;

fn guessing() -> TransportConfig {
    TransportConfig {
        guesses: true,
        ..client_config()
    }
}

/// One flight of each side: what the client says at once, and all that the server says to it.
fn one_flight(client: TransportConfig, server: TransportConfig) -> (Side, Side) {
    let (mut client, mut server) = (Side::new(client), Side::new(server));
    server.receive(&std::mem::take(&mut client.outbox)).unwrap();
    client.receive(&std::mem::take(&mut server.outbox)).unwrap();
    (client, server)
}

fn assert_both_work(client: &mut Side, server: &mut Side) {
    pump(client, server).unwrap();
    assert!(client.layer.is_keyed() && server.layer.is_keyed());
    assert_eq!(client.layer.session_id(), server.layer.session_id());
    client.send(&[94]);
    server.send(&[95]);
    pump(client, server).unwrap();
    assert_eq!(server.delivered, [[94]]);
    assert_eq!(client.delivered, [[95]]);
}

#[test]
fn a_right_guess_of_every_method_saves_a_round_trip() {
    for kex in KEXES.iter().chain(legacy::KEXES) {
        for guesses in [true, false] {
            let (mut client, mut server) = (guessing(), server_config());
            client.guesses = guesses;
            client.preferences.kex = vec![kex.name];
            server.preferences.kex = vec![kex.name];
            let (mut client, mut server) = one_flight(client, server);
            // Group exchange takes another round trip in any case.
            let at_once = guesses && kex.method != KexMethod::DhGex;
            assert_eq!(client.layer.is_keyed(), at_once, "{}", kex.name);
            assert_both_work(&mut client, &mut server);
            assert!(client.guessable);
        }
    }
}

#[test]
fn a_wrong_guess_costs_nothing_but_itself() {
    let prefers_another_method = |server: &mut TransportConfig| {
        server.preferences.kex.rotate_left(1);
    };
    let prefers_another_host_key = |server: &mut TransportConfig| {
        server.host_keys.push(host_key(KeyKind::Rsa));
        server.preferences.host_key = vec![name::RSA_SHA2_256, name::SSH_ED25519];
    };
    let has_not_the_method = |server: &mut TransportConfig| {
        server.preferences.kex = vec![name::DH_GROUP14_SHA256];
    };
    let changes: [&dyn Fn(&mut TransportConfig); 3] = [
        &prefers_another_method,
        &prefers_another_host_key,
        &has_not_the_method,
    ];
    for change in changes {
        let mut config = server_config();
        change(&mut config);
        let first = client_config().preferences.kex[0];
        let has_it = config.preferences.kex.contains(&first);
        let (mut client, mut server) = one_flight(guessing(), config);
        assert!(!client.layer.is_keyed());
        assert_both_work(&mut client, &mut server);
        let negotiated = client.layer.negotiated().unwrap();
        assert!(!client.guessable && !negotiated.preferred_by_both);
        // The client's order decides, whoever has guessed what.
        assert_eq!(negotiated.kex.name == first, has_it);
    }
}

#[test]
fn only_clients_guess() {
    let mut config = server_config();
    config.guesses = true;
    let mut server = Side::new(config);
    assert!(server.outbox.ends_with(b"\r\n"));
    let mut client = Side::new(client_config());
    assert!(client.outbox.ends_with(b"\r\n"));
    assert_both_work(&mut client, &mut server);
}

#[test]
fn what_cannot_be_guessed_is_told_as_ever() {
    let mut config = guessing();
    config.preferences.kex.clear();
    let mut client = Side::new(config);
    assert!(client.outbox.ends_with(b"\r\n"));
    let error = client.receive(b"SSH-2.0-x\r\n").unwrap_err();
    assert!(matches!(error, Error::ApiMisuse(_)), "{error}");
}

/// The reply to a guess that was wrong is none to the message that was sent instead.
#[test]
fn a_reply_to_a_wrong_guess_is_refused() {
    let mut right = Side::new(server_config());
    let mut config = server_config();
    config.preferences.kex.rotate_left(1);
    let mut wrong = Side::new(config);
    let mut client = Side::new(guessing());
    let said = std::mem::take(&mut client.outbox);
    // Both hear the same; the client gets the KEXINIT of the one and the reply of the other.
    right.receive(&said).unwrap();
    wrong.receive(&said).unwrap();
    client.receive(&std::mem::take(&mut wrong.outbox)).unwrap();
    let replies = &right.outbox;
    let line = replies.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let kexinit = u32::from_be_bytes(replies[line..line + 4].try_into().unwrap()) + 4;
    let rest = replies[line + usize::try_from(kexinit).unwrap()..].to_vec();
    let error = client.receive(&rest).unwrap_err();
    assert!(
        matches!(
            error,
            Error::KeyExchange(KexFault::BadPublicValue) | Error::HostKey(_)
        ),
        "{error}"
    );
    assert!(!client.layer.is_keyed());
    assert!(client.keyed.is_empty());
}

/// Other servers' software is not known to take a guess with the line.
#[test]
fn who_may_be_guessed_is_known_by_their_software() {
    for (software, may) in [
        ("OpenSSH_10.0", true),
        ("dropbear_2025.88", true),
        ("babeld-1", false),
    ] {
        let mut config = server_config();
        config.software = software.to_owned();
        let (mut client, mut server) = one_flight(client_config(), config);
        assert_both_work(&mut client, &mut server);
        assert_eq!(client.guessable, may, "{software}");
    }
    // Ours prefers what is guessed, so it need not prefer it before; others must.
    for (software, may) in [("libsshwire_9", true), ("OpenSSH_10.0", false)] {
        let mut config = server_config();
        config.software = software.to_owned();
        config.preferences.kex.rotate_left(1);
        let (mut client, mut server) = one_flight(client_config(), config);
        assert_both_work(&mut client, &mut server);
        assert_eq!(client.guessable, may, "{software}");
    }
}
