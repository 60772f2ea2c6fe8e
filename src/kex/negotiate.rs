//! The choice of algorithms from two KEXINITs (RFC 4253 §7.1).

use super::strict::is_strict;
use crate::codec::NameList;
use crate::crypto::algorithms::{
    self, name, CipherAlgorithm, CompressionAlgorithm, KexAlgorithm, MacAlgorithm,
    SignatureAlgorithm,
};
use crate::error::{Error, NoCommonAlgorithm};
use crate::messages::kex::KexInit;
use crate::messages::Role;

/// Names of the peer's list that an error carries at most.
const MAX_NAMES_REPORTED: usize = 64;

/// The algorithms of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectionAlgorithms {
    /// The cipher.
    pub cipher: &'static CipherAlgorithm,
    /// The MAC; `None` where the cipher authenticates by itself.
    pub mac: Option<&'static MacAlgorithm>,
    /// The compression.
    pub compression: &'static CompressionAlgorithm,
}

/// What two KEXINITs agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// The key exchange method.
    pub kex: &'static KexAlgorithm,
    /// The host key algorithm.
    pub host_key: &'static SignatureAlgorithm,
    /// What protects packets from client to server.
    pub client_to_server: DirectionAlgorithms,
    /// What protects packets from server to client.
    pub server_to_client: DirectionAlgorithms,
    /// Both sides have sent the marker of strict key exchange. Meant for the first exchange only.
    pub strict: bool,
    /// The peer takes SSH_MSG_EXT_INFO (RFC 8308 §2.1). Meant for the first exchange only.
    pub peer_takes_ext_info: bool,
    /// Both sides prefer the same method and host key algorithm, so that a guess of either is right (RFC 4253 §7).
    pub preferred_by_both: bool,
    /// The peer sends a first packet by a guess that was wrong: it must be skipped.
    pub skip_guess: bool,
}

impl Negotiated {
    /// What protects the packets that `role` sends.
    pub fn sent_by(&self, role: Role) -> &DirectionAlgorithms {
        match role {
            Role::Client => &self.client_to_server,
            Role::Server => &self.server_to_client,
        }
    }
}

/// Chooses the algorithms. `role` is ours, `local` what we have sent.
pub fn negotiate(role: Role, local: &KexInit<'_>, peer: &KexInit<'_>) -> Result<Negotiated, Error> {
    let pick = Pick { role };
    let kex = pick.choose("key exchange", &local.kex, &peer.kex, algorithms::kex)?;
    let host_key = pick.choose(
        "host key",
        &local.host_key,
        &peer.host_key,
        algorithms::signature,
    )?;
    let client_to_server = pick.direction(
        [
            "cipher client to server",
            "MAC client to server",
            "compression client to server",
        ],
        [
            &local.cipher_client_to_server,
            &peer.cipher_client_to_server,
        ],
        [&local.mac_client_to_server, &peer.mac_client_to_server],
        [
            &local.compression_client_to_server,
            &peer.compression_client_to_server,
        ],
    )?;
    let server_to_client = pick.direction(
        [
            "cipher server to client",
            "MAC server to client",
            "compression server to client",
        ],
        [
            &local.cipher_server_to_client,
            &peer.cipher_server_to_client,
        ],
        [&local.mac_server_to_client, &peer.mac_server_to_client],
        [
            &local.compression_server_to_client,
            &peer.compression_server_to_client,
        ],
    )?;
    let preferred_by_both =
        local.kex.first() == peer.kex.first() && local.host_key.first() == peer.host_key.first();
    let ext_info = match role.peer() {
        Role::Client => name::EXT_INFO_C,
        Role::Server => name::EXT_INFO_S,
    };
    Ok(Negotiated {
        kex,
        host_key,
        client_to_server,
        server_to_client,
        strict: is_strict(role, &local.kex, &peer.kex),
        peer_takes_ext_info: peer.kex.contains(ext_info),
        preferred_by_both,
        skip_guess: peer.first_kex_packet_follows && !preferred_by_both,
    })
}

/// The error for a peer that does not do strict key exchange where it is required.
pub(crate) fn no_strict_kex(role: Role, peer: &KexInit<'_>) -> Error {
    no_common(
        "strict key exchange",
        &[super::strict::strict_marker(role.peer())],
        &peer.kex,
    )
}

/// The error for a list without a common name.
fn no_common<S: AsRef<str>>(list: &'static str, local: &[S], peer: &NameList<'_>) -> Error {
    Error::NoCommonAlgorithm(Box::new(NoCommonAlgorithm {
        list,
        local: local.iter().map(|name| name.as_ref().to_owned()).collect(),
        peer: peer
            .iter()
            .take(MAX_NAMES_REPORTED)
            .map(str::to_owned)
            .collect(),
    }))
}

struct Pick {
    role: Role,
}

impl Pick {
    /// RFC 4253 §7.1: the first name of the client's list that is also on the server's. Only names that stand
    /// for an algorithm of ours count, so that markers are never chosen. One of the two lists is ours and
    /// short, so the work is linear in what the peer sent.
    fn choose<T>(
        &self,
        list: &'static str,
        local: &NameList<'_>,
        peer: &NameList<'_>,
        find: fn(&str) -> Option<&'static T>,
    ) -> Result<&'static T, Error> {
        let (client, server) = match self.role {
            Role::Client => (local, peer),
            Role::Server => (peer, local),
        };
        let mut common = client.iter().filter(|name| server.contains(name));
        common
            .find_map(find)
            .ok_or_else(|| no_common(list, &local.to_vec(), peer))
    }

    fn direction(
        &self,
        [cipher_list, mac_list, compression_list]: [&'static str; 3],
        [local_cipher, peer_cipher]: [&NameList<'_>; 2],
        [local_mac, peer_mac]: [&NameList<'_>; 2],
        [local_compression, peer_compression]: [&NameList<'_>; 2],
    ) -> Result<DirectionAlgorithms, Error> {
        let cipher = self.choose(cipher_list, local_cipher, peer_cipher, algorithms::cipher)?;
        // An AEAD cipher makes the MAC lists void (RFC 5647 §5.1, as OpenSSH does it): they may even be empty.
        let mac = if cipher.aead {
            None
        } else {
            Some(self.choose(mac_list, local_mac, peer_mac, algorithms::mac)?)
        };
        let compression = self.choose(
            compression_list,
            local_compression,
            peer_compression,
            algorithms::compression,
        )?;
        Ok(DirectionAlgorithms {
            cipher,
            mac,
            compression,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEX: &str = "curve25519-sha256";
    const GCM: &str = "aes128-gcm@openssh.com";
    const CTR: &str = "aes128-ctr";

    /// kex, host key, cipher, MAC, compression; each direction alike.
    fn init<'a>(lists: [&'a str; 5], follows: bool) -> KexInit<'a> {
        let [kex, host_key, cipher, mac, compression] =
            lists.map(|list| NameList::parse(list.as_bytes()).unwrap());
        KexInit {
            cookie: [0; 16],
            kex,
            host_key,
            cipher_client_to_server: cipher,
            cipher_server_to_client: cipher,
            mac_client_to_server: mac,
            mac_server_to_client: mac,
            compression_client_to_server: compression,
            compression_server_to_client: compression,
            first_kex_packet_follows: follows,
        }
    }

    const GOOD: [&str; 5] = [KEX, "ssh-ed25519", CTR, "hmac-sha2-256", "none"];

    #[test]
    fn the_clients_first_match_wins() {
        let client = init(
            [
                "x,ecdh-sha2-nistp256,curve25519-sha256",
                "rsa-sha2-512,ssh-ed25519",
                CTR,
                "hmac-sha2-512,hmac-sha2-256",
                "none",
            ],
            false,
        );
        let server = init(
            [
                "curve25519-sha256,ecdh-sha2-nistp256",
                "ssh-ed25519,rsa-sha2-512",
                CTR,
                "hmac-sha2-256,hmac-sha2-512",
                "none",
            ],
            false,
        );
        for (role, local, peer) in [
            (Role::Client, &client, &server),
            (Role::Server, &server, &client),
        ] {
            let found = negotiate(role, local, peer).unwrap();
            assert_eq!(found.kex.name, "ecdh-sha2-nistp256");
            assert_eq!(found.host_key.name, "rsa-sha2-512");
            assert_eq!(found.client_to_server.mac.unwrap().name, "hmac-sha2-512");
            assert!(!found.strict && !found.peer_takes_ext_info && !found.skip_guess);
        }
    }

    #[test]
    fn k1_no_common_algorithm_names_the_list() {
        let local = init(GOOD, false);
        let mut cases = Vec::new();
        for (index, list) in ["key exchange", "host key"].into_iter().enumerate() {
            let mut lists = GOOD;
            lists[index] = "other";
            cases.push((init(lists, false), list));
        }
        let other = NameList::parse(b"other").unwrap();
        macro_rules! case {
            ($field:ident, $list:expr) => {
                let mut peer = init(GOOD, false);
                peer.$field = other;
                cases.push((peer, $list));
            };
        }
        case!(cipher_client_to_server, "cipher client to server");
        case!(cipher_server_to_client, "cipher server to client");
        case!(mac_client_to_server, "MAC client to server");
        case!(mac_server_to_client, "MAC server to client");
        case!(compression_client_to_server, "compression client to server");
        case!(compression_server_to_client, "compression server to client");
        assert_eq!(cases.len(), 8);
        for (peer, list) in cases {
            for role in [Role::Client, Role::Server] {
                match negotiate(role, &local, &peer) {
                    Err(Error::NoCommonAlgorithm(detail)) => {
                        assert_eq!(detail.list, list);
                        assert_eq!(detail.peer, ["other"]);
                        assert_eq!(detail.local.len(), 1);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn k1_aead_needs_no_mac() {
        let local = init([KEX, "ssh-ed25519", GCM, "hmac-sha2-256", "none"], false);
        let peer = init([KEX, "ssh-ed25519", GCM, "", "none"], false);
        let found = negotiate(Role::Client, &local, &peer).unwrap();
        assert_eq!(found.client_to_server.mac, None);
    }

    #[test]
    fn k3_markers_are_never_chosen() {
        for marker in [
            "ext-info-c",
            "ext-info-s",
            "kex-strict-c-v00@openssh.com",
            "kex-strict-s-v00@openssh.com",
            "kexguess2@matt.ucc.asn.au",
        ] {
            let mut lists = GOOD;
            lists[0] = marker;
            let both = init(lists, false);
            assert!(matches!(
                negotiate(Role::Server, &both, &both),
                Err(Error::NoCommonAlgorithm(_))
            ));
        }
    }

    #[test]
    fn k5_right_and_wrong_guesses() {
        let local = init(GOOD, false);
        let right = negotiate(Role::Server, &local, &init(GOOD, true)).unwrap();
        assert!(!right.skip_guess);
        let mut lists = GOOD;
        lists[0] = "ecdh-sha2-nistp256,curve25519-sha256";
        assert!(
            negotiate(Role::Server, &local, &init(lists, true))
                .unwrap()
                .skip_guess
        );
        assert!(
            !negotiate(Role::Server, &local, &init(lists, false))
                .unwrap()
                .skip_guess
        );
        let mut lists = GOOD;
        lists[1] = "rsa-sha2-512,ssh-ed25519";
        assert!(
            negotiate(Role::Server, &local, &init(lists, true))
                .unwrap()
                .skip_guess
        );
    }

    #[test]
    fn k2_long_lists_are_linear() {
        let long = "x,".repeat(1023) + "curve25519-sha256";
        let mut lists = GOOD;
        lists[0] = &long;
        let local = init(GOOD, false);
        for role in [Role::Client, Role::Server] {
            assert!(negotiate(role, &local, &init(lists, false)).is_ok());
        }
    }

    #[test]
    fn ext_info_marker_of_the_peers_role() {
        let mut lists = GOOD;
        lists[0] = "curve25519-sha256,ext-info-c";
        let peer = init(lists, false);
        let local = init(GOOD, false);
        assert!(
            negotiate(Role::Server, &local, &peer)
                .unwrap()
                .peer_takes_ext_info
        );
        assert!(
            !negotiate(Role::Client, &local, &peer)
                .unwrap()
                .peer_takes_ext_info
        );
    }
}
