//! One side's part of a key agreement.

use crate::crypto::algorithms::KexMethod;
use crate::crypto::random::Random;
use crate::error::{Error, KexFault};
use crate::kex::{Moduli, Modulus, SharedSecret};

/// The client's secret, until the server's value comes. It serves once.
pub(super) struct ClientShare {}

impl ClientShare {
    /// A new secret and the public value to send.
    pub(super) fn generate(
        method: KexMethod,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<u8>), Error> {
        let _ = (method, random);
        Err(KexFault::Crypto.into())
    }

    /// The same in a group that the server has chosen.
    pub(super) fn generate_in_group(
        group: &Modulus,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<u8>), Error> {
        let _ = (group, random);
        Err(KexFault::Crypto.into())
    }

    /// The shared secret.
    pub(super) fn agree(self, server_public: &[u8]) -> Result<SharedSecret, Error> {
        let _ = server_public;
        Err(KexFault::Crypto.into())
    }
}

/// The server's answer to the client's public value, and the shared secret.
pub(super) fn respond(
    method: KexMethod,
    client_public: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, SharedSecret), Error> {
    let _ = (method, client_public, random);
    Err(KexFault::Crypto.into())
}

/// The same in a group that we have chosen.
pub(super) fn respond_in_group(
    group: &Modulus,
    client_public: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, SharedSecret), Error> {
    let _ = (group, client_public, random);
    Err(KexFault::Crypto.into())
}

/// The groups for group exchange where no table was given.
pub(super) fn built_in_groups() -> Moduli {
    Moduli::default()
}
