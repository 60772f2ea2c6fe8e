//! What a session in memory does, and with which settings.

use std::sync::OnceLock;

use crate::crypto::algorithms::name;
use crate::crypto::random::SeededRandom;
use crate::keys::{KeyKind, PrivateKey};
use crate::messages::Role;
use crate::packet::RekeyLimits;
use crate::transport::TransportConfig;

fn host_key() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        PrivateKey::generate(KeyKind::Ed25519, 0, &mut SeededRandom::new(1)).unwrap()
    })
    .clone()
}

/// What a session does.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) channels: usize,
    /// Bytes that each side sends on each channel.
    pub(super) bytes: usize,
    /// Whether data are read as they come.
    pub(super) read: bool,
    /// Whether channels stay open and carry nothing but what a test writes.
    pub(super) idle: bool,
    /// Whether the client asks for new keys once its channels are open.
    pub(super) rekey: bool,
    /// What a side says again and again until the user is in.
    pub(super) meanwhile: Vec<Vec<u8>>,
    pub(super) client: TransportConfig,
    pub(super) server: TransportConfig,
}

impl Plan {
    /// One channel, a few bytes, and short lists of algorithms so that a session has few bytes.
    pub(super) fn small() -> Self {
        let config = |role| {
            let mut config = TransportConfig::new(role);
            config.preferences.kex = vec![name::CURVE25519_SHA256];
            config.preferences.host_key = vec![name::SSH_ED25519];
            config.preferences.cipher = vec![name::CHACHA20_POLY1305];
            config.preferences.compression = vec![name::NONE];
            config.preferences.mac = vec![name::HMAC_SHA2_256_ETM];
            config
        };
        let mut server = config(Role::Server);
        server.host_keys = vec![host_key()];
        Plan {
            channels: 1,
            bytes: 40,
            read: true,
            idle: false,
            rekey: false,
            meanwhile: Vec::new(),
            client: config(Role::Client),
            server,
        }
    }

    pub(super) fn with_cipher(mut self, cipher: &'static str, mac: &'static str) -> Self {
        for config in [&mut self.client, &mut self.server] {
            config.preferences.cipher = vec![cipher];
            config.preferences.mac = vec![mac];
        }
        self
    }

    pub(super) fn with_compression(mut self, compression: &'static str) -> Self {
        for config in [&mut self.client, &mut self.server] {
            config.preferences.compression = vec![compression];
        }
        self
    }

    /// New keys after so many packets.
    pub(super) fn rekey_each(mut self, client: Option<u64>, server: Option<u64>) -> Self {
        for (config, packets) in [(&mut self.client, client), (&mut self.server, server)] {
            if let Some(packets) = packets {
                config.rekey = RekeyLimits {
                    packets,
                    ..RekeyLimits::default()
                };
            }
        }
        self
    }
}
