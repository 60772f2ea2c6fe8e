//! The first key exchange between our own two sides.

use super::{client_config, host_key, keyed_pair, keyed_pair_of, pump, server_config, Side};
use crate::crypto::algorithms::{name, CIPHERS, COMPRESSIONS, KEXES, MACS, SIGNATURES};
use crate::crypto::legacy;
use crate::error::{Error, HostKeyFault};
use crate::keys::KeyKind;
use crate::messages::MessageNumber;
use crate::transport::TransportConfig;

const KINDS: [KeyKind; 5] = [
    KeyKind::Ed25519,
    KeyKind::EcdsaP256,
    KeyKind::EcdsaP384,
    KeyKind::EcdsaP521,
    KeyKind::Rsa,
];

fn both(change: impl Fn(&mut TransportConfig)) -> (Side, Side) {
    let (mut client, mut server) = (client_config(), server_config());
    server.host_keys = KINDS.map(host_key).to_vec();
    change(&mut client);
    change(&mut server);
    keyed_pair_of(client, server)
}

fn exchange_data(client: &mut Side, server: &mut Side) {
    for length in [1, 100, 32_768] {
        client.send(&vec![94; length]);
        server.send(&vec![95; length]);
        pump(client, server).unwrap();
        assert_eq!(server.delivered.pop().unwrap(), vec![94; length]);
        assert_eq!(client.delivered.pop().unwrap(), vec![95; length]);
    }
}

#[test]
fn every_kex_with_every_host_key() {
    for kex in KEXES.iter().chain(legacy::KEXES) {
        for signature in SIGNATURES.iter().chain(legacy::SIGNATURES) {
            let (mut client, mut server) = both(|config| {
                config.preferences.kex = vec![kex.name];
                config.preferences.host_key = vec![signature.name];
            });
            for side in [&client, &server] {
                let negotiated = side.layer.negotiated().unwrap();
                assert_eq!(negotiated.kex.name, kex.name);
                assert_eq!(negotiated.host_key.name, signature.name);
                assert_eq!(side.keyed, [true]);
            }
            assert_eq!(client.layer.session_id(), server.layer.session_id());
            let key = client.layer.host_key().unwrap();
            assert_eq!(key.blob(), server.layer.local_host_key().unwrap().blob());
            assert_eq!(client.host_keys.len(), 1);
            assert!(server.layer.host_key().is_none());
            exchange_data(&mut client, &mut server);
        }
    }
}

#[test]
fn every_cipher_mac_and_compression() {
    for cipher in CIPHERS {
        for mac in MACS {
            for compression in COMPRESSIONS {
                let (mut client, mut server) = both(|config| {
                    config.preferences.kex = vec![name::CURVE25519_SHA256];
                    config.preferences.cipher = vec![cipher.name];
                    config.preferences.mac = vec![mac.name];
                    config.preferences.compression = vec![compression.name];
                });
                exchange_data(&mut client, &mut server);
                client.sealer.start_compression();
                server.opener.start_decompression();
                server.sealer.start_compression();
                client.opener.start_decompression();
                exchange_data(&mut client, &mut server);
                client.rekey();
                pump(&mut client, &mut server).unwrap();
                exchange_data(&mut client, &mut server);
            }
        }
    }
}

#[test]
fn extensions_are_announced_by_the_server() {
    let (client, server) = keyed_pair();
    assert_eq!((client.extensions, server.extensions), (1, 0));
    let found = client.layer.peer_extensions().unwrap();
    let algorithms = found.server_sig_algs.as_ref().unwrap();
    assert!(algorithms.iter().any(|name| name == "rsa-sha2-512"));
    assert!(!algorithms.iter().any(|name| name == "ssh-rsa"));
    assert!(found.ping);
    assert!(server.layer.peer_extensions().is_none());
    let ident = client.layer.peer_ident().unwrap();
    assert!(ident.software.starts_with("libsshwire_"));
}

#[test]
fn b5_everything_one_byte_at_a_time() {
    let (mut client, mut server) = (Side::new(client_config()), Side::new(server_config()));
    while !client.outbox.is_empty() || !server.outbox.is_empty() {
        for byte in std::mem::take(&mut client.outbox) {
            server.receive(&[byte]).unwrap();
        }
        for byte in std::mem::take(&mut server.outbox) {
            client.receive(&[byte]).unwrap();
        }
    }
    assert!(client.layer.is_keyed() && server.layer.is_keyed());
    exchange_data(&mut client, &mut server);
}

#[test]
fn s2_sequence_numbers_start_again_after_every_newkeys() {
    let (mut client, mut server) = keyed_pair();
    // EXT_INFO is the server's first packet.
    assert_eq!((client.sealer.sequence(), server.sealer.sequence()), (0, 1));
    for _ in 0..10 {
        client.send(&[94]);
        server.send(&[94]);
        pump(&mut client, &mut server).unwrap();
        server.rekey();
        pump(&mut client, &mut server).unwrap();
        assert_eq!((client.sealer.sequence(), server.sealer.sequence()), (0, 0));
    }
}

#[test]
fn expected_host_key_is_asked_for_and_checked() {
    let mut client = client_config();
    client.expected_host_key = Some(host_key(KeyKind::Rsa).public().clone());
    let mut server = server_config();
    server.host_keys = KINDS.map(host_key).to_vec();
    let (client, _) = keyed_pair_of(client, server);
    assert_eq!(client.layer.host_key().unwrap().key_type(), "ssh-rsa");

    let other = crate::keys::PrivateKey::generate(
        KeyKind::Ed25519,
        0,
        &mut crate::crypto::random::SystemRandom,
    )
    .unwrap();
    let mut config = client_config();
    config.expected_host_key = Some(other.public().clone());
    let (mut client, mut server) = (Side::new(config), Side::new(server_config()));
    let error = pump(&mut client, &mut server).unwrap_err();
    assert_eq!(
        error,
        Error::HostKey(HostKeyFault::Mismatch {
            expected: other.public().fingerprint(),
            found: host_key(KeyKind::Ed25519).public().fingerprint(),
        })
    );
    assert!(client.host_keys.is_empty());
}

#[test]
fn s5_strict_kex_can_be_required() {
    let (mut client, mut server) = (client_config(), server_config());
    client.require_strict_kex = true;
    server.require_strict_kex = true;
    keyed_pair_of(client, server);
}

#[test]
fn ping_is_answered_where_it_was_announced() {
    let (mut client, mut server) = keyed_pair();
    let ping = crate::messages::transport::Ping { data: b"now" };
    client.inject(&ping.encode(MessageNumber::PING));
    pump(&mut client, &mut server).unwrap();
    assert_eq!(
        (
            client.opener.counters().packets,
            server.opener.counters().packets
        ),
        (2, 1)
    );
    server.inject(&ping.encode(MessageNumber::PING));
    pump(&mut client, &mut server).unwrap();
    // The client has announced nothing and answers UNIMPLEMENTED, which is not answered.
    assert_eq!(
        (
            client.opener.counters().packets,
            server.opener.counters().packets
        ),
        (3, 2)
    );
}

#[test]
fn the_host_key_that_a_server_was_given_is_offered() {
    for kind in KINDS {
        let mut config = server_config();
        config.host_keys = vec![host_key(kind)];
        let (client, server) = keyed_pair_of(client_config(), config);
        let shown = client.layer.host_key().unwrap();
        assert_eq!(shown.blob(), server.layer.local_host_key().unwrap().blob());
        assert_eq!(shown.blob(), host_key(kind).public().blob());
    }
}

#[test]
fn a_server_without_host_keys_is_misuse() {
    let mut config = server_config();
    config.host_keys.clear();
    let (mut client, mut server) = (Side::new(client_config()), Side::new(config));
    assert!(matches!(
        pump(&mut client, &mut server),
        Err(Error::ApiMisuse(_))
    ));
}

#[test]
fn k1_no_common_kex_names_the_list() {
    let mut config = client_config();
    config.preferences.kex = vec![name::ECDH_SHA2_NISTP256];
    let (mut client, mut server) = (Side::new(config), Side::new(server_config()));
    match pump(&mut client, &mut server) {
        Err(Error::NoCommonAlgorithm(detail)) => assert_eq!(detail.list, "key exchange"),
        other => panic!("{other:?}"),
    }
}
