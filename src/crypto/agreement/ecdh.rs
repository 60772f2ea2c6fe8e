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

    /// Boxed, for a move would leave a copy behind.
    pub(super) enum Secret {
        P256(Box<p256::SecretKey>),
        P384(Box<p384::SecretKey>),
        P521(Box<p521::SecretKey>),
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
                Curve::P256 => p256::SecretKey::from_slice(scalar)
                    .map(Box::new)
                    .map(Secret::P256),
                Curve::P384 => p384::SecretKey::from_slice(scalar)
                    .map(Box::new)
                    .map(Secret::P384),
                Curve::P521 => p521::SecretKey::from_slice(scalar)
                    .map(Box::new)
                    .map(Secret::P521),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRandom;
    use crate::crypto::test_util::{hex, FixedRandom};

    const CURVES: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

    struct Vector {
        curve: Curve,
        scalar: &'static str,
        peer: &'static str,
        public: &'static str,
        shared: &'static str,
    }

    /// P-256: NIST CAVS 14.1, ECC CDH primitive, COUNT = 0. The others: made with pyca/cryptography.
    const VECTORS: [Vector; 3] = [
        Vector {
            curve: Curve::P256,
            scalar: "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534",
            peer: "04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287db71e5\
                09e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
            public: "04ead218590119e8876b29146ff89ca61770c4edbbf97d38ce385ed281d8a6b23028af61\
                281fd35e2fa7002523acc85a429cb06ee6648325389f59edfce1405141",
            shared: "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b",
        },
        Vector {
            curve: Curve::P384,
            scalar: "0000eaeca36cf7bfe9bf0e82207b3a834c15aa0b51492067c4b92b84954767bb8e3f5091\
                0491f4adf4313dbc0dcd9272",
            peer: "04d4955723ae86441523eae4902df07e3a9e31ce68812237f4552c4f4be2d49c72d9df5a\
                72f343c3ce9aaa120fb379fe5bc36a58ae533051f2a831e16e97edba7569a0c84539f018\
                6aec6331455fc04b650ef03f5decf5ec81ccf5e98872795f79",
            public: "049439d9ca49421ca8405a9e0d2092368687177023b6df1f1e43591f855c62cd2ba950b8\
                0766ec9f390e3d163d79f4fc80da23e3544049f4bc9763ed62da99a73ac243c96e60c86b\
                539d8348ec861657def41f33a24659d490f101bd35afdb94d1",
            shared: "b3865d55b93325f0cb6cd8ac2535e99e185c45f64c780d175521da144bd2b30b999a5dc4\
                7f367d757cd06850f83aa0f3",
        },
        Vector {
            curve: Curve::P521,
            scalar: "0000eaeca36cf7bfe9bf0e82207b3a834c15aa0b51492067c4b92b84954767bb8e3f5091\
                0491f4adf4313dbc0dcd927259b6a712ed05d4295cb2e7857db83495b607",
            peer: "04003c44144643f6e972f8260d2a57aab13dc7fa4a32430aa21f225ee736e3456657e203\
                0778fd5e129eeb5abc9f2169fa53306458639bcaadc00ed33eb5468563475900634728ee\
                60ecf36952d9f78ce84d100379f067345808f0d16054731879e5bd14e4be510cdc7a2bb6\
                d6a72d44df45d96dbe7cca9f8ceb026eadea4dd882b0b65c0c",
            public: "04015d50a53c3ce66d973b4b2c21193e38e51e532c87716f1a4e8912c808ce4a44daee32\
                359856a5a84ebdddf40b514b0304271e850d17f3e70012bd168e25b04ae39801588bf655\
                c9b33216a7597c417757896d2f2a4d96d7fb1e0ed7ead1da7c6be626f94764f03ca04eb6\
                e17e5e6f79ad6f6b49748556a4990d976b1282e8d4ff1c0985",
            shared: "00a5a615f3b28da56bb880c08900d5626d86d985b3b04367cc7815222fef45532fbf917c\
                9c557456726ef132667eed92dec1ecaa4061c29e4dcbef380c785e01e9fe",
        },
    ];

    #[test]
    fn known_agreements() {
        for vector in &VECTORS {
            let (scalar, peer) = (hex(vector.scalar), hex(vector.peer));
            let mut random = FixedRandom(scalar.clone());
            let secret = EphemeralSecret::generate(vector.curve, &mut random).unwrap();
            assert_eq!(secret.public_key(), hex(vector.public));
            assert_eq!(secret.agree(&peer).unwrap().as_bytes(), hex(vector.shared));
            let secret = portable::Secret::new(vector.curve, &scalar).unwrap();
            assert_eq!(secret.public_key().unwrap(), hex(vector.public));
            assert_eq!(secret.agree(&peer).unwrap().as_bytes(), hex(vector.shared));
        }
    }

    #[test]
    fn both_sides_agree() {
        let mut random = SeededRandom::new(3);
        for curve in CURVES {
            for _ in 0..10 {
                let a = EphemeralSecret::generate(curve, &mut random).unwrap();
                let b = EphemeralSecret::generate(curve, &mut random).unwrap();
                let (a_public, b_public) = (a.public_key().to_vec(), b.public_key().to_vec());
                assert_eq!(a_public.len(), curve.point_len());
                let (a, b) = (a.agree(&b_public).unwrap(), b.agree(&a_public).unwrap());
                assert_eq!(a.as_bytes(), b.as_bytes());
                assert_eq!(a.as_bytes().len(), curve.field_len());
            }
        }
    }

    #[cfg(feature = "fast-crypto")]
    #[test]
    fn providers_agree() {
        let mut random = SeededRandom::new(4);
        for curve in CURVES {
            for _ in 0..10 {
                let mut scalar = vec![0; curve.field_len()];
                random.fill(&mut scalar[2..]);
                let fast = fast::Secret::new(curve, &scalar).unwrap();
                let portable = portable::Secret::new(curve, &scalar).unwrap();
                assert_eq!(fast.public_key().unwrap(), portable.public_key().unwrap());
                let peer = EphemeralSecret::generate(curve, &mut random).unwrap();
                let fast = fast.agree(peer.public_key()).unwrap();
                let portable = portable.agree(peer.public_key()).unwrap();
                assert_eq!(fast.as_bytes(), portable.as_bytes());
            }
        }
    }

    fn refused(curve: Curve, point: &[u8]) {
        let secret = EphemeralSecret::generate(curve, &mut SeededRandom::new(5)).unwrap();
        assert!(secret.agree(point).is_err(), "{curve:?} {point:02x?}");
    }

    #[test]
    fn bad_points() {
        let mut random = SeededRandom::new(6);
        for curve in CURVES {
            let good = EphemeralSecret::generate(curve, &mut random).unwrap();
            let good = good.public_key().to_vec();

            let mut off_curve = good.clone();
            *off_curve.last_mut().unwrap() ^= 1;
            refused(curve, &off_curve);
            for fill in [0, 0xff] {
                let mut absurd = good.clone();
                absurd[1..].fill(fill);
                refused(curve, &absurd);
            }

            // Infinity, the compressed form, the hybrid forms, and no form at all.
            refused(curve, &[0]);
            refused(curve, &[]);
            let mut compressed = good[..=curve.field_len()].to_vec();
            compressed[0] = 2 | (good.last().unwrap() & 1);
            refused(curve, &compressed);
            for form in [0, 2, 3, 5, 6, 7, 0xff] {
                let mut other = good.clone();
                other[0] = form;
                refused(curve, &other);
            }

            refused(curve, &good[..good.len() - 1]);
            refused(curve, &[&good[..], &[0]].concat());
            for other in CURVES.into_iter().filter(|other| *other != curve) {
                refused(other, &good);
                // The right length, but a point of another curve.
                let mut resized = good.clone();
                resized.resize(other.point_len(), 0);
                refused(other, &resized);
            }
        }
    }

    fn small_scalar(curve: Curve) -> Vec<u8> {
        let mut scalar = vec![0; curve.field_len()];
        scalar[curve.field_len() - 1] = 42;
        scalar
    }

    #[test]
    fn portable_provider_refuses_points_off_the_curve() {
        for curve in CURVES {
            let secret = || portable::Secret::new(curve, &small_scalar(curve)).unwrap();
            let mut point = secret().public_key().unwrap();
            assert!(secret().agree(&point).is_ok());
            *point.last_mut().unwrap() ^= 1;
            assert!(secret().agree(&point).is_err());
        }
    }

    /// Zero and numbers above the order are no scalars; the next draw is taken.
    #[test]
    fn bad_scalars_are_drawn_again() {
        for curve in CURVES {
            for bad in [0, 0xff] {
                let bad = vec![bad; curve.field_len()];
                assert!(portable::Secret::new(curve, &bad).is_err());
                assert!(chosen::Secret::new(curve, &bad).is_err());
                let draws = [bad, small_scalar(curve)].concat();
                assert!(EphemeralSecret::generate(curve, &mut FixedRandom(draws)).is_ok());
            }
            // A generator that gives zeros for ever does not hang.
            assert!(EphemeralSecret::generate(curve, &mut FixedRandom(Vec::new())).is_err());
        }
    }
}
