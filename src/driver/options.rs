//! What a transport is told before it starts.

use std::sync::Arc;
use std::time::Duration;

use super::host_key::HostKeyJudge;
use super::user_keys::UserKeys;
use crate::auth::ServerAuthConfig;
use crate::connection::ConnectionLimits;
use crate::crypto::algorithms::{self, name::SSH_RSA, Names, Preferences};
use crate::crypto::sign::rsa;
use crate::endpoint::ServiceConfig;
use crate::error::HostKeyFault;
use crate::kex::Moduli;
use crate::keys::{
    fingerprint, FingerprintHash, KeyKind, PrivateKey, PublicKey, RevocationList, ShownKey,
};
use crate::messages::Role;
use crate::packet::RekeyLimits;
use crate::transport::TransportConfig;

/// Settings with their defaults. All times are limits on waiting.
#[derive(Clone)]
pub struct TransportOptions {
    /// Algorithms by preference; `None` means the default lists of the role.
    pub preferences: Option<Preferences>,
    /// Whether compression is offered first.
    pub compress: Option<bool>,
    /// Server: host keys, one per type.
    pub host_keys: Vec<PrivateKey>,
    /// Client: the only host key that is accepted.
    pub expected_host_key: Option<PublicKey>,
    /// Client: the application chose to trust any host key.
    pub insecure_accept_any_host_key: bool,
    /// Client: who decides about host keys before the application is asked.
    pub host_key_judge: Option<Arc<dyn HostKeyJudge>>,
    /// Client: host keys, authorities and certificates that are accepted by nothing and nobody.
    pub revoked_host_keys: Vec<Arc<RevocationList>>,
    /// Client: the bits that a host key of RSA has at least, alone or in a certificate.
    pub min_rsa_bits: u32,
    /// Client: how people are told of host keys that are not accepted.
    pub fingerprint_hash: FingerprintHash,
    /// Groups for `diffie-hellman-group-exchange-*` (server).
    pub moduli: Option<Arc<Moduli>>,
    /// When keys are changed.
    pub rekey: RekeyLimits,
    /// Refuse peers without strict key exchange.
    pub require_strict_kex: bool,
    /// `softwareversion` of our identification line.
    pub software: String,
    /// From the start to the end of the first key exchange (15 s).
    pub handshake_timeout: Duration,
    /// One authentication attempt of a client (30 s), unless the call says otherwise.
    pub auth_timeout: Duration,
    /// The peer's part of a later key exchange (60 s).
    pub kex_timeout: Duration,
    /// Server: from the start until a user is in (120 s), whatever the peer does.
    pub login_grace: Option<Duration>,
    /// Server: limits and texts of authentication. With an empty list of methods, those are offered whose
    /// callbacks are set.
    pub server_auth: ServerAuthConfig,
    /// Server: what is revoked, and who may sign users' certificates; without authorities none lets anybody in.
    pub user_keys: Option<Arc<UserKeys>>,
    /// Server: whether clients are told of all host keys once a user is in.
    pub tells_host_keys: bool,
    /// Server: keys that they are told of too, and that are used for nothing yet.
    pub next_host_keys: Vec<PrivateKey>,
    /// Limits of channels and windows.
    pub connection: ConnectionLimits,
}

impl Default for TransportOptions {
    fn default() -> Self {
        TransportOptions {
            preferences: None,
            compress: None,
            host_keys: Vec::new(),
            expected_host_key: None,
            insecure_accept_any_host_key: false,
            host_key_judge: None,
            revoked_host_keys: Vec::new(),
            min_rsa_bits: rsa::MIN_BITS,
            fingerprint_hash: FingerprintHash::Sha256,
            moduli: None,
            rekey: RekeyLimits::default(),
            require_strict_kex: false,
            software: concat!("libsshwire_", env!("CARGO_PKG_VERSION")).to_owned(),
            handshake_timeout: Duration::from_secs(15),
            auth_timeout: Duration::from_secs(30),
            kex_timeout: Duration::from_secs(60),
            login_grace: Some(Duration::from_secs(120)),
            server_auth: ServerAuthConfig {
                sig_algs: algorithms::user_signatures(),
                ..ServerAuthConfig::default()
            },
            user_keys: None,
            tells_host_keys: true,
            next_host_keys: Vec::new(),
            connection: ConnectionLimits::default(),
        }
    }
}

/// Whether it is a key of RSA with fewer bits.
pub(crate) fn is_short(key: &PublicKey, least: u32) -> bool {
    key.kind() == KeyKind::Rsa && key.bits() < least
}

impl TransportOptions {
    /// Client: whether a server may show this key, whoever accepts it.
    pub(crate) fn check_host_key(&self, shown: &ShownKey) -> Result<(), HostKeyFault> {
        let found = || fingerprint(shown.key.blob(), self.fingerprint_hash);
        let (bits, least) = (shown.key.bits(), self.min_rsa_bits);
        if is_short(&shown.key, least) {
            let found = found();
            return Err(HostKeyFault::TooShort { found, bits, least });
        }
        let mut lists = self.revoked_host_keys.iter();
        let checked = lists.try_for_each(|list| list.check(shown));
        checked.map_err(|fault| HostKeyFault::Revoked {
            found: found(),
            fault: Box::new(fault),
        })
    }

    /// Server: the host keys that clients are told of.
    pub(crate) fn told_host_keys(&self) -> impl Iterator<Item = &PrivateKey> {
        self.host_keys.iter().chain(&self.next_host_keys)
    }

    /// The algorithm lists that hold for `role` with these options.
    pub fn preferences_for(&self, role: Role) -> Preferences {
        let mut preferences = self.preferences.clone().unwrap_or_else(|| match role {
            Role::Client => Preferences::default_client(),
            Role::Server => Preferences::default_server(),
        });
        match self.compress {
            Some(true) => preferences.compression = vec!["zlib@openssh.com", "zlib", "none"],
            Some(false) => preferences.compression = vec!["none"],
            None => {}
        }
        preferences
    }

    /// The signature algorithms for user authentication: those of every kind of key, whatever the host's own
    /// are, and SHA-1 where the application has named it for host keys.
    fn user_signatures(&self, role: Role) -> Names {
        let names = match role {
            Role::Client => algorithms::user_signatures(),
            Role::Server => Arc::clone(&self.server_auth.sig_algs),
        };
        let asked = self
            .preferences
            .as_ref()
            .is_some_and(|lists| lists.host_key.contains(&SSH_RSA));
        if asked && !names.contains(&SSH_RSA) {
            return names.iter().copied().chain([SSH_RSA]).collect();
        }
        names
    }

    pub(crate) fn transport_config(&self, role: Role) -> TransportConfig {
        TransportConfig {
            role,
            software: self.software.clone(),
            preferences: self.preferences_for(role),
            host_keys: self.host_keys.clone(),
            moduli: self.moduli.clone(),
            rekey: self.rekey,
            require_strict_kex: self.require_strict_kex,
            // The driver's own deadline comes before it, and names what took too long.
            first_kex_timeout: self
                .handshake_timeout
                .saturating_add(Duration::from_secs(1)),
            kex_timeout: self.kex_timeout,
            expected_host_key: self.expected_host_key.clone(),
            signature_algorithms: self.user_signatures(role),
            ..TransportConfig::new(role)
        }
    }

    pub(crate) fn service_config(&self) -> ServiceConfig {
        let mut server_auth = self.server_auth.clone();
        // The driver counts login grace from the start of the transport, this layer only from the first
        // key exchange.
        server_auth.login_grace = None;
        server_auth.sig_algs = self.user_signatures(Role::Server);
        ServiceConfig {
            server_auth,
            signature_algorithms: self.user_signatures(Role::Client),
            connection: self.connection.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::keys::certificate::{CertificateDraft, CertificateKind};

    #[test]
    fn rsa_keys_are_as_long_as_is_wanted() {
        let key = |kind| PrivateKey::generate(kind, 2048, &mut SystemRandom).unwrap();
        let (rsa, other) = (key(KeyKind::Rsa), key(KeyKind::Ed25519));
        let certified = |key: &PrivateKey, authority: &PrivateKey| {
            let mut draft = CertificateDraft::new(CertificateKind::Host, key.public().clone());
            draft.add_principal("host").unwrap();
            let certificate = draft.sign(authority, None, &mut SystemRandom).unwrap();
            key.with_certificate(certificate).unwrap().shown()
        };
        // (what is shown, whether it has to do with the length)
        let keys = [
            (rsa.shown(), true),
            (certified(&rsa, &other), true),
            (other.shown(), false),
            // As for ssh, it is the host's key that counts.
            (certified(&other, &rsa), false),
        ];
        for (shown, is_rsa) in keys {
            let check = |min_rsa_bits| {
                let options = TransportOptions {
                    min_rsa_bits,
                    ..TransportOptions::default()
                };
                options.check_host_key(&shown)
            };
            assert_eq!(check(2048), Ok(()));
            let fault = HostKeyFault::TooShort {
                found: rsa.public().fingerprint(),
                bits: 2048,
                least: 2049,
            };
            let expected = if is_rsa { Err(fault) } else { Ok(()) };
            assert_eq!(check(2049), expected);
        }
    }
}
