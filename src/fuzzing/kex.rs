//! Key exchange: negotiation, and the messages of every method.

use std::sync::OnceLock;

use arbitrary::Unstructured;

use super::{number, piece};
use crate::codec::join_names;
use crate::crypto::algorithms::{apply, name, KexAlgorithm, KexMethod, Preferences, KEXES};
use crate::crypto::preferences;
use crate::crypto::random::SeededRandom;
use crate::kex::methods::{ClientMethod, ClientStep, ServerMethod, ServerStep};
use crate::kex::{negotiate, strict_marker, Moduli};
use crate::messages::kex::{DhGexRequest, KexInit, KexInitNames};
use crate::messages::Role;

/// Our KEXINIT.
fn local(role: Role) -> &'static [u8] {
    static LOCAL: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let both = LOCAL.get_or_init(|| {
        [Role::Client, Role::Server].map(|role| {
            let preferences = Preferences::legacy(role);
            let mut kex = preferences.kex.clone();
            kex.extend([strict_marker(role), name::EXT_INFO_C]);
            KexInitNames {
                kex,
                host_key: preferences.host_key.clone(),
                cipher: &preferences.cipher,
                mac: &preferences.mac,
                compression: &preferences.compression,
                guess_follows: false,
            }
            .encode(&[9; 16])
        })
    });
    match role {
        Role::Client => &both[0],
        Role::Server => &both[1],
    }
}

/// A KEXINIT of the peer's, for a client and for a server.
pub(super) fn kexinit(data: &[u8]) {
    let Ok(peer) = KexInit::decode(data) else {
        return;
    };
    for role in [Role::Client, Role::Server] {
        let own = KexInit::decode(local(role)).unwrap();
        let Ok(found) = negotiate(role, &own, &peer) else {
            continue;
        };
        assert!(own.kex.contains(found.kex.name) && peer.kex.contains(found.kex.name));
        assert!(own.host_key.contains(found.host_key.name));
        assert!(peer.host_key.contains(found.host_key.name));
        let directions = [
            (
                &found.client_to_server,
                &peer.cipher_client_to_server,
                &peer.mac_client_to_server,
            ),
            (
                &found.server_to_client,
                &peer.cipher_server_to_client,
                &peer.mac_server_to_client,
            ),
        ];
        for (direction, ciphers, macs) in directions {
            assert!(ciphers.contains(direction.cipher.name));
            assert_eq!(direction.cipher.aead, direction.mac.is_none());
            assert!(direction.mac.is_none_or(|mac| macs.contains(mac.name)));
        }
        assert_eq!(found.strict, peer.kex.contains(strict_marker(role.peer())));
    }
}

/// The method that a byte chooses: mostly one of those that take no time. The groups above 2048 bits share all their code
/// with the first, and are left out.
pub(super) fn method(choice: u8) -> &'static KexAlgorithm {
    const LEFT_OUT: [&str; 2] = [name::DH_GROUP16_SHA512, name::DH_GROUP18_SHA512];
    let is_slow = |kex: &KexAlgorithm| {
        matches!(
            kex.method,
            KexMethod::DhGroup(_) | KexMethod::DhGex | KexMethod::Sntrup761X25519
        )
    };
    let of_speed: Vec<_> = KEXES
        .iter()
        .filter(|kex| !LEFT_OUT.contains(&kex.name) && is_slow(kex) == (choice < 4))
        .collect();
    of_speed[usize::from(choice) % of_speed.len()]
}

/// A client, and what a server says to it. The first byte is the method; each message has its length in front.
pub(super) fn reply(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut random = SeededRandom::new(1);
    let algorithm = method(number(&mut input));
    let (first, mut state) = ClientMethod::start(algorithm, &mut random).unwrap();
    assert!(first.len() < 4096);
    for _ in 0..3 {
        match state.handle(piece(&mut input), &mut random) {
            Ok(ClientStep::Send(message, next)) => {
                assert!(message.len() < 4096);
                state = next;
            }
            Ok(ClientStep::Done(agreed)) => {
                assert!(!agreed.secret.encoded().is_empty());
                return;
            }
            Err(_) => return,
        }
    }
    panic!("no method has so many messages");
}

/// A server, and what a client says to it.
pub(super) fn init(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut random = SeededRandom::new(2);
    let mut state = ServerMethod::start(method(number(&mut input)), None);
    for _ in 0..3 {
        match state.handle(piece(&mut input), &mut random) {
            Ok(ServerStep::Send(message, next)) => {
                assert!(message.len() < 4096);
                state = next;
            }
            Ok(ServerStep::Done(agreed)) => {
                assert!(agreed.reply(b"key", b"signature").len() < 8192);
                return;
            }
            Err(_) => return,
        }
    }
    panic!("no method has so many messages");
}

/// A moduli file, with a request for a group in front.
pub(super) fn moduli(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let request = DhGexRequest {
        min: number(&mut input),
        preferred: number(&mut input),
        max: number(&mut input),
    };
    let table = Moduli::parse(&String::from_utf8_lossy(input.take_rest()));
    if let Some(group) = table.choose(request, &mut SeededRandom::new(3)) {
        let bits = group.bits();
        assert!((2048..=8192).contains(&bits) && (request.min..=request.max).contains(&bits));
        assert!(group.p.last().is_some_and(|last| last & 1 == 1));
    }
}

/// What a user writes for a list of algorithms.
pub(super) fn algorithms(data: &[u8]) {
    let spec = String::from_utf8_lossy(data);
    let defaults = Preferences::compatible(Role::Client);
    for (list, known) in [
        (&defaults.kex, preferences::known_kex()),
        (&defaults.host_key, preferences::known_host_key()),
        (&defaults.cipher, preferences::known_cipher()),
        (&defaults.mac, preferences::known_mac()),
        (&defaults.compression, preferences::known_compression()),
    ] {
        let Ok(found) = apply(list, &known, &spec) else {
            continue;
        };
        for (index, name) in found.iter().enumerate() {
            assert!(known.contains(name) && !found[..index].contains(name));
        }
        if !found.is_empty() {
            assert_eq!(apply(list, &known, &join_names(&found)), Ok(found));
        }
    }
}
