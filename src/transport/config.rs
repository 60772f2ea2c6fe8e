//! What an application decides about the transport layer before it starts.

use std::sync::Arc;
use std::time::Duration;

use super::proposal::host_key_algorithms;
use crate::crypto::algorithms::{self, Names, Preferences};
use crate::kex::Moduli;
use crate::keys::{PrivateKey, PublicKey, ShownKey};
use crate::messages::Role;
use crate::packet::RekeyLimits;

/// Settings of one side of a connection. May be shared by many connections.
#[derive(Clone)]
pub struct TransportConfig {
    /// Our side.
    pub role: Role,
    /// The software version of our identification line, such as `libsshwire_0.1.0`.
    pub software: String,
    /// The algorithms offered.
    pub preferences: Preferences,
    /// Server: the host keys, of each type the first is used.
    pub host_keys: Vec<PrivateKey>,
    /// Server: the groups for group exchange; without them those of RFC 3526 are used.
    pub moduli: Option<Arc<Moduli>>,
    /// When to rekey.
    pub rekey: RekeyLimits,
    /// Refuse a peer that does not do strict key exchange.
    pub require_strict_kex: bool,
    /// How long the first key exchange may take, from the peer's identification on.
    pub first_kex_timeout: Duration,
    /// How long a later key exchange may take once we have sent KEXINIT.
    pub kex_timeout: Duration,
    /// Client: the one host key that is accepted. Only algorithms that fit it are offered.
    pub expected_host_key: Option<PublicKey>,
    /// Client: the server is taken to prefer what we do, and to take the first message of that method right behind our
    /// KEXINIT (RFC 4253 §7), so that neither waits for it. Where it does not, that message is for nothing.
    pub guesses: bool,
    /// Server: the signature algorithms taken for user authentication, announced as `server-sig-algs`.
    pub signature_algorithms: Names,
    /// How many key exchanges in a row the peer may start without sending or getting anything in between.
    pub max_idle_rekeys: u32,
    /// Keys that have been there for so long do not count for that.
    pub idle_rekey_period: Duration,
}

impl TransportConfig {
    /// The defaults for a role.
    pub fn new(role: Role) -> Self {
        TransportConfig {
            role,
            software: concat!("libsshwire_", env!("CARGO_PKG_VERSION")).to_owned(),
            preferences: Preferences::compatible(role),
            host_keys: Vec::new(),
            moduli: None,
            rekey: RekeyLimits::default(),
            require_strict_kex: false,
            first_kex_timeout: Duration::from_secs(60),
            kex_timeout: Duration::from_secs(60),
            expected_host_key: None,
            guesses: false,
            signature_algorithms: algorithms::user_signatures(),
            max_idle_rekeys: 16,
            idle_rekey_period: Duration::from_secs(60),
        }
    }

    /// The key exchange method and the host key algorithm that we prefer.
    pub fn favourites(&self) -> Option<(&'static str, &'static str)> {
        let kex = self.preferences.kex.first()?;
        Some((kex, host_key_algorithms(self, None).first()?))
    }

    /// The host key for this algorithm, and how it is shown: one with a certificate may also be shown without.
    pub(super) fn host_key_for(&self, algorithm: &str) -> Option<(&PrivateKey, ShownKey)> {
        let entry = algorithms::signature(algorithm)?;
        self.host_keys.iter().find_map(|key| {
            let shown = if entry.is_certificate() {
                key.shown()
            } else {
                key.public().clone().into()
            };
            let own = key.public().signature_algorithms();
            let fits = shown.key_type() == entry.key_type && own.contains(&entry.signs_as);
            fits.then_some((key, shown))
        })
    }
}
