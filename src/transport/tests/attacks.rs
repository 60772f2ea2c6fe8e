//! A scripted peer that breaks the rules of key exchange.

use super::script::{kexinit, Script};
use super::{client_config, host_key, keyed_pair, pump, server_config, Side};
use crate::codec::{Reader, Writer};
use crate::crypto::algorithms::{name, CIPHERS, MACS};
use crate::error::{Error, HostKeyFault, KexFault, PeerMisbehaved};
use crate::keys::KeyKind;
use crate::messages::kex::{KexMethodReply, PublicForm};
use crate::messages::{DisconnectReason, MessageNumber, Role};
use crate::transport::Handled;

const KEX: &str = name::CURVE25519_SHA256;
const KEY: &str = name::SSH_ED25519;
const STRICT: [&str; 2] = [KEX, name::KEX_STRICT_C];
const DEBUG: &[u8] = b"\x04\0\0\0\0\x01x\0\0\0\0";

fn server() -> Side {
    Side::new(server_config())
}

fn script() -> Script {
    Script::new(server(), Role::Client)
}

fn unexpected(number: u8) -> Error {
    PeerMisbehaved::UnexpectedMessage(MessageNumber(number)).into()
}

fn strict(number: u8) -> Error {
    PeerMisbehaved::StrictKex(MessageNumber(number)).into()
}

/// The fields of a reply in curve25519-sha256.
pub(super) struct Reply {
    pub(super) host_key: Vec<u8>,
    pub(super) server_public: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

pub(super) fn change_reply(payload: &[u8], change: impl FnOnce(&mut Reply)) -> Vec<u8> {
    let (number, form) = (MessageNumber::KEX_31, PublicForm::Octets);
    let found = KexMethodReply::decode(payload, number, form).unwrap();
    let mut reply = Reply {
        host_key: found.host_key.to_vec(),
        server_public: found.server_public.to_vec(),
        signature: found.signature.to_vec(),
    };
    change(&mut reply);
    KexMethodReply {
        number,
        form,
        host_key: &reply.host_key,
        server_public: &reply.server_public,
        signature: &reply.signature,
    }
    .encode()
}

/// What our client says to a server whose reply was changed.
fn client_gets(kex: &'static str, key: KeyKind, change: impl Fn(&mut Reply) + 'static) -> Error {
    let (mut client, mut server) = (client_config(), server_config());
    client.preferences.kex = vec![kex];
    server.host_keys = vec![host_key(key)];
    let (mut client, mut server) = (Side::new(client), Side::new(server));
    server.mangle = Some(Box::new(move |payload| match payload.first() {
        Some(31) => vec![change_reply(&payload, &change)],
        _ => vec![payload],
    }));
    let error = pump(&mut client, &mut server).unwrap_err();
    assert!(client.host_keys.is_empty(), "the key was shown");
    assert!(!client.layer.is_keyed());
    error
}

#[test]
fn the_script_can_do_a_key_exchange() {
    for kex in [KEX, name::DH_GEX_SHA256, name::DH_GROUP14_SHA256] {
        let mut script = script();
        script
            .exchange(&kexinit(&[kex, name::KEX_STRICT_C], &[KEY], false), &[])
            .unwrap();
        assert!(script.side.layer.is_keyed());
        script.send(&[5]).unwrap();
        assert_eq!(script.side.delivered, [[5]]);
    }
}

#[test]
fn k4_second_kexinit() {
    for names in [&STRICT[..], &STRICT[..1]] {
        let mut script = script();
        let init = kexinit(names, &[KEY], false);
        script.send(&init).unwrap();
        let error = script.send(&init).unwrap_err();
        assert!([unexpected(20), strict(20)].contains(&error));
        for _ in 0..1000 {
            assert_eq!(script.send(&init), Err(error.clone()));
        }
    }
}

#[test]
fn k5_right_guess_is_used() {
    let mut script = script();
    // Our server prefers what a client with its own list would guess.
    let first = server_config().preferences.kex[0];
    script
        .send(&kexinit(&[first, name::KEX_STRICT_C], &[KEY], true))
        .unwrap();
    let algorithm = crate::crypto::algorithms::kex(first).unwrap();
    let (guess, _) = crate::kex::methods::ClientMethod::start(
        algorithm,
        &mut crate::crypto::random::SystemRandom,
    )
    .unwrap();
    script.expect(20);
    script.send(&guess).unwrap();
    script.expect(31);
    script.expect(21);
}

#[test]
fn k5_wrong_guess_skips_one_packet() {
    for guess in [30u8, 34] {
        for names in [&STRICT[..], &STRICT[..1]] {
            let mut script = script();
            let init = kexinit(names, &[KEY], true);
            script.exchange(&init, &[vec![guess, 1, 2, 3]]).unwrap();
            script.send(&[5]).unwrap();
            assert_eq!(script.side.delivered, [[5]]);
        }
    }
    let mut script = script();
    let init = kexinit(&STRICT, &[KEY], true);
    let error = script.exchange(&init, &[vec![30, 1], vec![30, 2]]);
    assert!(error.is_err(), "one packet only");
}

#[test]
fn k5_wrong_host_key_guess_skips_one_packet() {
    let mut script = script();
    let first = server_config().preferences.kex[0];
    let init = kexinit(
        &[first, name::KEX_STRICT_C],
        &[name::RSA_SHA2_512, KEY],
        true,
    );
    script.exchange(&init, &[vec![30, 9, 9]]).unwrap();
    assert!(script.side.layer.is_keyed());
}

#[test]
fn k6_k7_k8_k9_bad_public_values_end_in_key_exchange_failed() {
    for kex in [
        KEX,
        name::ECDH_SHA2_NISTP256,
        name::MLKEM768X25519_SHA256,
        name::SNTRUP761X25519_SHA512,
        name::DH_GROUP14_SHA256,
    ] {
        let mut config = server_config();
        config.preferences.kex = vec![kex];
        let mut script = Script::new(Side::new(config), Role::Client);
        script.send(&kexinit(&[kex], &[KEY], false)).unwrap();
        let init = Writer::collect(|w| {
            w.u8(30).string([1]);
        });
        let error = script.send(&init).unwrap_err();
        assert_eq!(error, KexFault::BadPublicValue.into());
        let reason = error.disconnect_reason();
        assert_eq!(reason, Some(DisconnectReason::KEY_EXCHANGE_FAILED));
    }
}

#[test]
fn k9_flipped_ciphertext_is_a_bad_signature_for_the_client() {
    for kex in [name::MLKEM768X25519_SHA256, name::SNTRUP761X25519_SHA512] {
        let error = client_gets(kex, KeyKind::Ed25519, |reply| reply.server_public[7] ^= 1);
        assert_eq!(error, HostKeyFault::BadSignature.into());
    }
}

#[test]
fn k11_obsolete_gex_request_is_refused() {
    let mut script = script();
    let gex = [name::DH_GEX_SHA256, name::KEX_STRICT_C];
    script.send(&kexinit(&gex, &[KEY], false)).unwrap();
    assert_eq!(script.send(&[30, 0, 0, 8, 0]), Err(unexpected(30)));
}

#[test]
fn k12_host_key_and_signature_must_be_of_the_negotiated_algorithm() {
    let wrong = Error::from(HostKeyFault::WrongAlgorithm);
    let bad = Error::from(HostKeyFault::BadSignature);
    let rsa = host_key(KeyKind::Rsa).public().blob().to_vec();
    let error = client_gets(KEX, KeyKind::Ed25519, move |reply| {
        reply.host_key = rsa.clone();
    });
    assert_eq!(error, wrong);
    for renamed in ["ssh-rsa", "rsa-sha2-256", ""] {
        let error = client_gets(KEX, KeyKind::Rsa, move |reply| {
            let mut reader = Reader::new(&reply.signature);
            assert_eq!(reader.string().unwrap(), b"rsa-sha2-512");
            let raw = reader.string().unwrap();
            reply.signature = Writer::collect(|w| {
                w.string(renamed).string(raw);
            });
        });
        assert_eq!(error, wrong);
    }
    let error = client_gets(KEX, KeyKind::Ed25519, |reply| {
        *reply.signature.last_mut().unwrap() ^= 1;
    });
    assert_eq!(error, bad);
    let error = client_gets(KEX, KeyKind::Ed25519, |reply| reply.signature.push(0));
    assert_eq!(error, bad);
    let error = client_gets(KEX, KeyKind::Ed25519, |reply| reply.host_key.push(0));
    assert_eq!(error, wrong);
    let error = client_gets(KEX, KeyKind::Ed25519, |reply| {
        let key = host_key(KeyKind::Ed25519);
        reply.signature = key.sign(KEY, b"another hash").unwrap();
    });
    assert_eq!(error, bad);
    assert_eq!(
        error.disconnect_reason(),
        Some(DisconnectReason::KEY_EXCHANGE_FAILED)
    );
}

#[test]
fn k14_order_of_messages() {
    // Without strict key exchange, so that every case gets as far as its own rule.
    let init = kexinit(&[KEX], &[KEY], false);
    for number in [21, 30, 31, 33, 34] {
        let mut script = script();
        assert_eq!(script.send(&[number]), Err(unexpected(number)));
    }
    for number in [5, 7, 21, 31, 33, 50, 80, 90] {
        let mut script = script();
        script.send(&init).unwrap();
        assert_eq!(script.send(&[number]), Err(unexpected(number)), "{number}");
        assert!(script.side.delivered.is_empty());
    }
    let mut first = script();
    first.exchange(&init, &[]).unwrap();
    assert_eq!(first.send(&[21]), Err(unexpected(21)), "NEWKEYS twice");
    let mut keyed = script();
    keyed.exchange(&init, &[]).unwrap();
    assert_eq!(keyed.send(&[30]), Err(unexpected(30)));
    let mut client = Side::new(client_config());
    client.receive(b"SSH-2.0-x\r\n").unwrap();
    assert_eq!(client.handle(&[30], 0), Err(unexpected(30)));
    let (mut client, mut server) = keyed_pair();
    server.rekey();
    pump(&mut client, &mut server).unwrap();
    assert_eq!(server.handle(&[21, 0], 9), Err(unexpected(21)));
}

#[test]
fn k14_newkeys_with_payload() {
    let (mut client, mut server) = (Side::new(client_config()), server());
    client.mangle = Some(Box::new(|payload| match payload.first() {
        Some(21) => vec![vec![21, 0]],
        _ => vec![payload],
    }));
    let error = pump(&mut client, &mut server).unwrap_err();
    assert!(matches!(error, Error::InvalidMessage { .. }));
}

#[test]
fn s1_noise_in_strict_key_exchange() {
    let noise: [&[u8]; 7] = [
        b"\x02\0\0\0\0",
        DEBUG,
        b"\x03\0\0\0\0",
        b"\x07\0\0\0\0",
        b"\xc0\0\0\0\0",
        &[200],
        &[0],
    ];
    for message in noise {
        let number = message[0];
        // As the first packet, noticed when KEXINIT shows the marker. EXT_INFO is never allowed there.
        let mut first = script();
        let result = first.send(message);
        if number == 7 {
            assert_eq!(result, Err(unexpected(7)));
        } else {
            result.unwrap();
            let error = first.send(&kexinit(&STRICT, &[KEY], false));
            assert_eq!(error, Err(strict(20)));
        }
        // Between KEXINIT and the method.
        let mut second = script();
        second.send(&kexinit(&STRICT, &[KEY], false)).unwrap();
        assert_eq!(second.send(message), Err(strict(number)));
        // Between the reply and NEWKEYS, to either side.
        for to_server in [true, false] {
            let (mut client, mut server) = (Side::new(client_config()), server());
            let sender = if to_server { &mut client } else { &mut server };
            let inserted = message.to_vec();
            sender.mangle = Some(Box::new(move |payload| match payload.first() {
                Some(21) => vec![inserted.clone(), payload],
                _ => vec![payload],
            }));
            assert_eq!(pump(&mut client, &mut server), Err(strict(number)));
        }
    }
}

#[test]
fn s1_disconnect_stays_legal() {
    let mut script = script();
    script.send(&kexinit(&STRICT, &[KEY], false)).unwrap();
    let error = script.send(b"\x01\0\0\0\x0b\0\0\0\x03bye\0\0\0\0");
    assert_eq!(
        error,
        Err(Error::Disconnected {
            reason: DisconnectReason::BY_APPLICATION,
            description: "bye".into()
        })
    );
}

#[test]
fn s3_markers_count_in_the_first_kexinit_only() {
    // Marker of the wrong role, or none: not strict, so noise is tolerated and numbers go on.
    for names in [&[KEX, name::KEX_STRICT_S][..], &[KEX]] {
        let mut script = script();
        script.send(b"\x02\0\0\0\0").unwrap();
        script
            .exchange(&kexinit(names, &[KEY], false), &[])
            .unwrap();
        assert_eq!(script.sealer.sequence(), 4);
        // A marker in a rekey changes nothing.
        script
            .exchange(&kexinit(&STRICT, &[KEY], false), &[])
            .unwrap();
        assert_eq!(script.sealer.sequence(), 7);
        script.send(&[5]).unwrap();
        assert_eq!(script.side.delivered, [[5]]);
    }
    // Strict from the start, no marker in the rekey: stays strict.
    let mut script = script();
    script
        .exchange(&kexinit(&STRICT, &[KEY], false), &[])
        .unwrap();
    assert_eq!(script.sealer.sequence(), 0);
    script
        .exchange(&kexinit(&[KEX], &[KEY], false), &[])
        .unwrap();
    assert_eq!(script.sealer.sequence(), 0);
    script.send(&[5]).unwrap();
    assert_eq!(script.side.delivered, [[5]]);
}

/// Without strict key exchange RFC 4253 §7.1 allows these between the messages of the first one.
#[test]
fn noise_in_a_first_key_exchange_that_is_not_strict() {
    let noise: [&[u8]; 6] = [
        b"\x02\0\0\0\0",
        DEBUG,
        b"\x03\0\0\0\0",
        &[9],
        &[199],
        b"\xc0\0\0\0\0",
    ];
    let mut script = script();
    for message in noise {
        script.send(message).unwrap();
    }
    let behind = noise.map(<[u8]>::to_vec);
    script
        .exchange(&kexinit(&[KEX], &[KEY], false), &behind)
        .unwrap();
    for unknown in [3, 4, 5, 10, 11, 12] {
        assert_eq!(script.expect(3), [3, 0, 0, 0, unknown]);
    }
    script.send(&[5]).unwrap();
    assert_eq!(script.side.delivered, [[5]]);
}

/// What a relay needs beside the insertion that S1 refuses: to delete the first sealed packet unnoticed.
#[test]
fn s4_deleting_ext_info_is_noticed_in_every_mode() {
    for cipher in CIPHERS {
        for mac in MACS {
            let mut configs = [client_config(), server_config()];
            for config in &mut configs {
                config.preferences.cipher = vec![cipher.name];
                config.preferences.mac = vec![mac.name];
            }
            let [mut client, mut server] = configs.map(Side::new);
            server.receive(&std::mem::take(&mut client.outbox)).unwrap();
            client.receive(&std::mem::take(&mut server.outbox)).unwrap();
            server.receive(&std::mem::take(&mut client.outbox)).unwrap();
            let flight = std::mem::take(&mut server.outbox);
            let ext_info = usize::try_from(server.sealer.counters().bytes).unwrap();
            assert!(ext_info > 0);
            client.receive(&flight[..flight.len() - ext_info]).unwrap();
            assert!(client.layer.is_keyed());
            server.send(&[6, 0, 0, 0, 0]);
            let mut bytes = std::mem::take(&mut server.outbox);
            // More bytes, so that a length that was read wrongly finds its end.
            bytes.resize(bytes.len() + 300_000, 0);
            let error = client.receive(&bytes).unwrap_err();
            let length = Error::from(PeerMisbehaved::PacketLength);
            assert!(error == Error::Mac || error == length, "{error}");
            assert!(client.delivered.is_empty());
        }
    }
}

#[test]
fn s5_require_strict_kex() {
    let mut config = server_config();
    config.require_strict_kex = true;
    let mut script = Script::new(Side::new(config), Role::Client);
    let error = script.send(&kexinit(&[KEX], &[KEY], false)).unwrap_err();
    assert!(matches!(error, Error::NoCommonAlgorithm(_)));
    script.expect(20);
    assert_eq!(script.recv(), None, "no message of a method was sent");
}

#[test]
fn e2_ext_info_in_the_wrong_place() {
    let info = b"\x07\0\0\0\0";
    let init = kexinit(&STRICT, &[KEY], false);
    let mut first = script();
    first.exchange(&init, &[]).unwrap();
    first.send(info).unwrap();
    assert_eq!(first.side.extensions, 1);
    assert_eq!(first.send(info), Err(unexpected(7)), "twice");
    let mut late = script();
    late.exchange(&init, &[]).unwrap();
    late.send(&[5]).unwrap();
    assert_eq!(late.send(info), Err(unexpected(7)), "as second packet");
    let mut bad = script();
    bad.exchange(&init, &[]).unwrap();
    let error = bad.send(b"\x07\xff\xff\xff\xff").unwrap_err();
    assert!(matches!(error, Error::InvalidMessage { .. }));
    let (mut client, _server) = keyed_pair();
    client.handle(&[52], 2).unwrap();
    assert_eq!(client.handle(info, 3), Err(unexpected(7)), "after success");
}

#[test]
fn e2_ext_info_is_the_servers_first_packet_only_where_asked_for() {
    for (names, expected) in [
        (&[KEX, name::KEX_STRICT_C][..], None),
        (&[KEX, name::EXT_INFO_C, name::KEX_STRICT_C], Some(7)),
    ] {
        let mut script = script();
        script
            .exchange(&kexinit(names, &[KEY], false), &[])
            .unwrap();
        let first = script.recv().map(|payload| payload[0]);
        assert_eq!(first, expected);
        script
            .exchange(&kexinit(names, &[KEY], false), &[])
            .unwrap();
        assert_eq!(script.recv(), None, "not after a rekey");
    }
}

#[test]
fn p5_unknown_messages_are_answered_by_number() {
    let mut script = script();
    script
        .exchange(&kexinit(&STRICT, &[KEY], false), &[])
        .unwrap();
    for (sequence, number) in [0, 8, 19, 29, 192, 255].into_iter().enumerate() {
        script.send(&[number]).unwrap();
        let sequence = u8::try_from(sequence).unwrap();
        assert_eq!(script.expect(3), [3, 0, 0, 0, sequence], "{number}");
    }
    script.send(b"\x03\0\0\0\x07").unwrap();
    assert_eq!(script.recv(), None, "UNIMPLEMENTED is never answered");
}

#[test]
fn p8_truncated_and_trailing_fields() {
    for message in [
        &b"\x04\0\0\0\0\xff"[..],
        b"\x03\0\0",
        b"\x03\0\0\0\0\0",
        b"\xc1\0\0\0\x05x",
        b"\x14\0",
    ] {
        let (mut client, _server) = keyed_pair();
        let error = client.handle(message, 1).unwrap_err();
        let reason = error.disconnect_reason();
        assert_eq!(
            reason,
            Some(DisconnectReason::PROTOCOL_ERROR),
            "{message:?}"
        );
    }
    let (mut client, _server) = keyed_pair();
    // IGNORE is not looked into: deployed peers send data that are no string.
    assert_eq!(client.handle(b"\x02abc", 1), Ok(Handled::Consumed));
    assert_eq!(client.handle(DEBUG, 2), Ok(Handled::Consumed));
}

/// Nor does anything that can be sent before it make them traffic: a service request, numbers that nobody knows, and what is said
/// of these.
#[test]
fn r5_rekeys_before_authentication_are_limited() {
    let service = b"\x05\0\0\0\x0cssh-userauth";
    for (message, count) in [(&b""[..], 0), (service, 1), (&[70], 1), (&[9], 1500)] {
        let mut script = script();
        let init = kexinit(&STRICT, &[KEY], false);
        let mut done = 0;
        let error = loop {
            match script.exchange(&init, &[]) {
                Ok(()) => done += 1,
                Err(error) => break error,
            }
            assert!(done < 100, "{message:?}");
            for _ in 0..count {
                script.send(message).unwrap();
            }
            while script.recv().is_some() {}
            script.side.check_limits();
        };
        assert_eq!(done, 17, "the first and sixteen more, with {message:?}");
        assert!(matches!(
            error,
            Error::PeerMisbehaved(PeerMisbehaved::Rekey(_))
        ));
    }
}

#[test]
fn r6_a_changed_host_key_is_refused() {
    let mut script = Script::new(Side::new(client_config()), Role::Server);
    let init = kexinit(&[KEX], &[KEY], false);
    script.exchange(&init, &[]).unwrap();
    assert!(script.side.layer.is_keyed());
    let id = script.side.layer.session_id().unwrap().to_vec();
    script.exchange(&init, &[]).unwrap();
    assert_eq!(script.side.layer.session_id().unwrap(), id);
    let mut random = crate::crypto::random::SystemRandom;
    script.host_key = crate::keys::PrivateKey::generate(KeyKind::Ed25519, 0, &mut random).unwrap();
    let error = script.exchange(&init, &[]).unwrap_err();
    assert_eq!(error, HostKeyFault::Changed.into());
    let reason = error.disconnect_reason();
    assert_eq!(reason, Some(DisconnectReason::HOST_KEY_NOT_VERIFIABLE));
    assert!(
        script.side.layer.host_key().is_some(),
        "facts outlive the error"
    );
}

#[test]
fn k10_handshakes_never_fail() {
    for _ in 0..200 {
        let mut script = script();
        script
            .exchange(&kexinit(&STRICT, &[KEY], false), &[])
            .unwrap();
    }
}

#[test]
fn r6_a_rekey_is_held_to_the_same_lists() {
    for (kex, key) in [("diffie-hellman-group1-sha1", KEY), (KEX, "ssh-dss")] {
        let mut script = script();
        script
            .exchange(&kexinit(&STRICT, &[KEY], false), &[])
            .unwrap();
        let error = script.send(&kexinit(&[kex], &[key], false)).unwrap_err();
        assert!(matches!(error, Error::NoCommonAlgorithm(_)));
    }
}
