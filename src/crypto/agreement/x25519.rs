//! X25519 (RFC 7748) as RFC 8731 uses it.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::SharedSecret;
use crate::crypto::random::Random;
use crate::crypto::CryptoError;

#[cfg(feature = "fast-crypto")]
use fast as chosen;
#[cfg(not(feature = "fast-crypto"))]
use portable as chosen;

/// Bytes of a public key and of the shared secret.
pub const KEY_LEN: usize = 32;

/// A private key for one agreement.
pub struct EphemeralSecret {
    secret: chosen::Secret,
    public: [u8; KEY_LEN],
}

impl EphemeralSecret {
    /// Makes a key pair.
    pub fn generate(random: &mut dyn Random) -> Result<Self, CryptoError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        random.fill(&mut *bytes);
        let secret = chosen::Secret::new(&bytes)?;
        let public = secret.public_key()?;
        Ok(EphemeralSecret { secret, public })
    }

    /// The public key for the peer.
    pub fn public_key(&self) -> [u8; KEY_LEN] {
        self.public
    }

    /// Agrees with the peer's public key. Fails when its length is wrong, and when the result is zero,
    /// as it is for points of small order (RFC 7748 §6.1, RFC 8731 §3).
    pub fn agree(self, peer: &[u8]) -> Result<SharedSecret, CryptoError> {
        let peer: &[u8; KEY_LEN] = peer.try_into().map_err(|_| CryptoError)?;
        let shared = self.secret.agree(peer)?;
        if bool::from(shared.as_bytes().ct_eq(&[0; KEY_LEN])) {
            return Err(CryptoError);
        }
        Ok(shared)
    }
}

/// The portable provider: `x25519-dalek`.
#[cfg_attr(feature = "fast-crypto", allow(dead_code))]
mod portable {
    use x25519_dalek::{PublicKey, StaticSecret};

    use super::{CryptoError, SharedSecret, KEY_LEN};

    pub(super) struct Secret(StaticSecret);

    impl Secret {
        pub(super) fn new(bytes: &[u8; KEY_LEN]) -> Result<Self, CryptoError> {
            Ok(Secret(StaticSecret::from(*bytes)))
        }

        pub(super) fn public_key(&self) -> Result<[u8; KEY_LEN], CryptoError> {
            Ok(PublicKey::from(&self.0).to_bytes())
        }

        pub(super) fn agree(self, peer: &[u8; KEY_LEN]) -> Result<SharedSecret, CryptoError> {
            let shared = self.0.diffie_hellman(&PublicKey::from(*peer));
            Ok(SharedSecret::copy_of(shared.as_bytes()))
        }
    }
}

/// The fast provider: aws-lc-rs.
#[cfg(feature = "fast-crypto")]
mod fast {
    use aws_lc_rs::agreement::{agree, PrivateKey, UnparsedPublicKey, X25519};

    use super::{CryptoError, SharedSecret, KEY_LEN};

    pub(super) struct Secret(PrivateKey);

    impl Secret {
        pub(super) fn new(bytes: &[u8; KEY_LEN]) -> Result<Self, CryptoError> {
            let key = PrivateKey::from_private_key(&X25519, bytes).map_err(|_| CryptoError)?;
            Ok(Secret(key))
        }

        pub(super) fn public_key(&self) -> Result<[u8; KEY_LEN], CryptoError> {
            let public = self.0.compute_public_key().map_err(|_| CryptoError)?;
            public.as_ref().try_into().map_err(|_| CryptoError)
        }

        pub(super) fn agree(self, peer: &[u8; KEY_LEN]) -> Result<SharedSecret, CryptoError> {
            let peer = UnparsedPublicKey::new(&X25519, peer);
            agree(&self.0, peer, CryptoError, |shared| {
                Ok(SharedSecret::copy_of(shared))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRandom;
    use crate::crypto::test_util::hex;

    /// RFC 7748 §6.1.
    #[test]
    fn rfc_7748_6_1() {
        let alice = hex("77076d0a7318a57d3c16c17251b26645df4c87ebc099 2b8a 13f13a9b9a0b5f0e");
        let _ = alice;
    }
}
