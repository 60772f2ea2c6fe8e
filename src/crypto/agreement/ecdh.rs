//! ECDH over the NIST curves (RFC 5656 §4). Points are uncompressed (SEC 1 §2.3.3); other forms are
//! refused.

use zeroize::Zeroizing;

use super::SharedSecret;
use crate::crypto::algorithms::Curve;
use crate::crypto::random::Random;
use crate::crypto::CryptoError;

#[cfg(feature = "fast-crypto")]
use fast as chosen;
#[cfg(not(feature = "fast-crypto"))]
use portable as chosen;

/// The first byte of an uncompressed point (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

/// How often random bytes are drawn that are no scalar before giving up. One draw fails with
/// probability below 2^-31, so only a broken generator gets here.
const MAX_DRAWS: usize = 64;

impl Curve {
    /// Bytes of a coordinate, of a scalar, and of the shared secret.
    pub const fn field_len(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    /// Bytes of an uncompressed point.
    pub const fn point_len(self) -> usize {
        1 + 2 * self.field_len()
    }
}

/// A private key for one agreement.
pub struct EphemeralSecret {
    curve: Curve,
    secret: chosen::Secret,
    public: Vec<u8>,
}

impl EphemeralSecret {
    /// Makes a key pair.
    pub fn generate(curve: Curve, random: &mut dyn Random) -> Result<Self, CryptoError> {
        let mut bytes = Zeroizing::new(vec![0; curve.field_len()]);
        for _ in 0..MAX_DRAWS {
            random.fill(&mut bytes);
            if let (Curve::P521, Some(first)) = (curve, bytes.first_mut()) {
                // 521 bits are 65 bytes and one bit.
                *first &= 1;
            }
            if let Ok(secret) = chosen::Secret::new(curve, &bytes) {
                let public = secret.public_key()?;
                return Ok(EphemeralSecret {
                    curve,
                    secret,
                    public,
                });
            }
        }
        Err(CryptoError)
    }

    /// The public key for the peer: an uncompressed point.
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// Agrees with the peer's public key: the x coordinate, as RFC 5656 §4 wants it. Fails unless the
    /// key is an uncompressed point of this curve, other than infinity.
    pub fn agree(self, peer: &[u8]) -> Result<SharedSecret, CryptoError> {
        if peer.len() != self.curve.point_len() || peer.first() != Some(&UNCOMPRESSED) {
            return Err(CryptoError);
        }
        self.secret.agree(peer)
    }
}

/// The portable provider: `p256`, `p384` and `p521`.
#[cfg_attr(feature = "fast-crypto", allow(dead_code))]
mod portable {
    use p256::elliptic_curve::ecdh::diffie_hellman;
    use p256::elliptic_curve::sec1::ToSec1Point;

    use super::{CryptoError, Curve, SharedSecret};

    pub(super) enum Secret {
        P256(p256::SecretKey),
        P384(p384::SecretKey),
        P521(p521::SecretKey),
    }

    /// One expression for each curve, with its types.
    macro_rules! for_curve {
        ($secret:expr, $key:ident, $krate:ident => $result:expr) => {
            match $secret {
                Secret::P256($key) => {
                    use p256 as $krate;
                    $result
                }
                Secret::P384($key) => {
                    use p384 as $krate;
                    $result
                }
                Secret::P521($key) => {
                    use p521 as $krate;
                    $result
                }
            }
        };
    }

    impl Secret {
        pub(super) fn new(curve: Curve, scalar: &[u8]) -> Result<Self, CryptoError> {
            match curve {
                Curve::P256 => p256::SecretKey::from_slice(scalar).map(Secret::P256),
                Curve::P384 => p384::SecretKey::from_slice(scalar).map(Secret::P384),
                Curve::P521 => p521::SecretKey::from_slice(scalar).map(Secret::P521),
            }
            .map_err(|_| CryptoError)
        }

        pub(super) fn public_key(&self) -> Result<Vec<u8>, CryptoError> {
            Ok(for_curve!(self, key, krate => {
                let public: krate::PublicKey = key.public_key();
                public.to_sec1_point(false).as_bytes().to_vec()
            }))
        }

        pub(super) fn agree(self, peer: &[u8]) -> Result<SharedSecret, CryptoError> {
            for_curve!(self, key, krate => {
                let peer = krate::PublicKey::from_sec1_bytes(peer).map_err(|_| CryptoError)?;
                let shared = diffie_hellman(key.to_nonzero_scalar(), peer.as_affine());
                Ok(SharedSecret::copy_of(shared.raw_secret_bytes()))
            })
        }
    }
}

/// The fast provider: aws-lc-rs.
#[cfg(feature = "fast-crypto")]
mod fast {
    use aws_lc_rs::agreement::{
        agree, Algorithm, PrivateKey, UnparsedPublicKey, ECDH_P256, ECDH_P384, ECDH_P521,
    };

    use super::{CryptoError, Curve, SharedSecret};

    pub(super) struct Secret(PrivateKey);

    fn algorithm(curve: Curve) -> &'static Algorithm {
        match curve {
            Curve::P256 => &ECDH_P256,
            Curve::P384 => &ECDH_P384,
            Curve::P521 => &ECDH_P521,
        }
    }

    impl Secret {
        pub(super) fn new(curve: Curve, scalar: &[u8]) -> Result<Self, CryptoError> {
            PrivateKey::from_private_key(algorithm(curve), scalar)
                .map(Secret)
                .map_err(|_| CryptoError)
        }

        pub(super) fn public_key(&self) -> Result<Vec<u8>, CryptoError> {
            let public = self.0.compute_public_key().map_err(|_| CryptoError)?;
            Ok(public.as_ref().to_vec())
        }

        pub(super) fn agree(self, peer: &[u8]) -> Result<SharedSecret, CryptoError> {
            let peer = UnparsedPublicKey::new(self.0.algorithm(), peer);
            agree(&self.0, peer, CryptoError, |shared| {
                Ok(SharedSecret::copy_of(shared))
            })
        }
    }
}
