//! RSASSA-PKCS1-v1_5 (RFC 8017 §8.2) with SHA-256 and SHA-512, the signatures of `rsa-sha2-*` (RFC 8332), and
//! with SHA-1, that of `ssh-rsa`, for old gear.
//!
//! In the fast build a private key is used through aws-lc-rs, which works in constant time. The portable
//! provider serves there for sizes of public keys that aws-lc-rs leaves out, and for SHA-1 signatures, which aws-lc-rs does
//! not make.

use super::rsa_numbers;
use crate::crypto::random::Random;
use crate::crypto::CryptoError;
use ::rsa::traits::{PrivateKeyParts, PublicKeyParts};
use ::rsa::BoxedUint;
use std::convert::Infallible;
use zeroize::Zeroizing;

/// Smallest modulus in bits.
pub const MIN_BITS: u32 = 2048;
/// Largest modulus in bits, which bounds the work of a verification.
pub const MAX_BITS: u32 = 16384;
/// Largest modulus of a private key. aws-lc-rs takes no larger ones, and no other provider may hold a private
/// key in the fast build.
#[cfg(feature = "fast-crypto")]
pub const MAX_PRIVATE_BITS: u32 = 8192;
/// Largest modulus of a private key.
#[cfg(not(feature = "fast-crypto"))]
pub const MAX_PRIVATE_BITS: u32 = MAX_BITS;
/// Longest public exponent in bits; a longer one makes verification slow for nothing.
const MAX_EXPONENT_BITS: u32 = 32;

/// The hash inside the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// `ssh-rsa`
    Sha1,
    /// `rsa-sha2-256`
    Sha256,
    /// `rsa-sha2-512`
    Sha512,
}

/// The numbers of a private key, big endian.
#[derive(Clone)]
pub struct Components {
    /// Modulus
    pub n: Vec<u8>,
    /// Public exponent
    pub e: Vec<u8>,
    /// Private exponent
    pub d: Zeroizing<Vec<u8>>,
    /// First prime
    pub p: Zeroizing<Vec<u8>>,
    /// Second prime
    pub q: Zeroizing<Vec<u8>>,
    /// d mod (p - 1)
    pub dp: Zeroizing<Vec<u8>>,
    /// d mod (q - 1)
    pub dq: Zeroizing<Vec<u8>>,
    /// q^-1 mod p
    pub qinv: Zeroizing<Vec<u8>>,
}

/// Significant bits of a big-endian magnitude.
pub fn bit_len(magnitude: &[u8]) -> u32 {
    let digits = strip_zeros(magnitude);
    let Some(first) = digits.first() else {
        return 0;
    };
    u32::try_from(digits.len())
        .unwrap_or(u32::MAX)
        .saturating_mul(8)
        .saturating_sub(first.leading_zeros())
}

pub(super) fn strip_zeros(magnitude: &[u8]) -> &[u8] {
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
    magnitude.get(zeros..).unwrap_or_default()
}

fn is_odd(magnitude: &[u8]) -> bool {
    magnitude.last().is_some_and(|last| last & 1 == 1)
}

/// Refuses weak and absurd keys without doing arithmetic on them.
fn check_public(n: &[u8], e: &[u8]) -> Result<(), CryptoError> {
    let exponent_bits = bit_len(e);
    let good = (MIN_BITS..=MAX_BITS).contains(&bit_len(n))
        && is_odd(n)
        && (2..=MAX_EXPONENT_BITS).contains(&exponent_bits)
        && is_odd(e);
    if good {
        Ok(())
    } else {
        Err(CryptoError)
    }
}

/// RFC 8017 §8.2.2 wants exactly the length of the modulus; some peers strip leading zeros, so the
/// signature is padded on the left. A longer one is refused.
fn pad_signature(modulus_len: usize, signature: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let zeros = modulus_len
        .checked_sub(signature.len())
        .ok_or(CryptoError)?;
    if signature.is_empty() {
        return Err(CryptoError);
    }
    let mut padded = vec![0; zeros];
    padded.extend_from_slice(signature);
    Ok(padded)
}

fn boxed(magnitude: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(strip_zeros(magnitude))
}

fn unboxed(number: &BoxedUint) -> Zeroizing<Vec<u8>> {
    let bytes = Zeroizing::new(number.to_be_bytes());
    Zeroizing::new(strip_zeros(&bytes).to_vec())
}

impl Components {
    /// Checks the numbers against each other and computes the CRT values.
    ///
    /// The product of the primes must be the modulus and the exponents must be inverse; primality itself is
    /// not tested.
    pub fn new(n: &[u8], e: &[u8], d: &[u8], p: &[u8], q: &[u8]) -> Result<Self, CryptoError> {
        check_public(n, e)?;
        // Before any arithmetic: the factors of a modulus are no longer than the modulus.
        if [d, p, q].iter().any(|part| bit_len(part) > bit_len(n)) {
            return Err(CryptoError);
        }
        if bit_len(n) <= rsa_numbers::MAX_BITS {
            return rsa_numbers::complete(n, e, d, p, q);
        }
        let key = ::rsa::RsaPrivateKey::from_components(
            boxed(n),
            boxed(e),
            boxed(d),
            vec![boxed(p), boxed(q)],
        )
        .map_err(|_| CryptoError)?;
        Self::of(&key)
    }

    fn of(key: &::rsa::RsaPrivateKey) -> Result<Self, CryptoError> {
        let [p, q] = key.primes() else {
            return Err(CryptoError);
        };
        let qinv = Zeroizing::new(key.crt_coefficient().ok_or(CryptoError)?);
        Ok(Components {
            n: strip_zeros(&key.n_bytes()).to_vec(),
            e: strip_zeros(&key.e_bytes()).to_vec(),
            d: unboxed(key.d()),
            p: unboxed(p),
            q: unboxed(q),
            dp: unboxed(key.dp().ok_or(CryptoError)?),
            dq: unboxed(key.dq().ok_or(CryptoError)?),
            qinv: unboxed(&qinv),
        })
    }

    /// Makes a key of `bits` bits with the exponent 65537.
    pub fn generate(bits: u32, random: &mut dyn Random) -> Result<Self, CryptoError> {
        if !(MIN_BITS..=MAX_PRIVATE_BITS).contains(&bits) {
            return Err(CryptoError);
        }
        #[cfg(feature = "fast-crypto")]
        if let Some(size) = fast::key_size(bits) {
            return fast::generate(size);
        }
        let bits = usize::try_from(bits).map_err(|_| CryptoError)?;
        let key =
            ::rsa::RsaPrivateKey::new(&mut Adapter { random }, bits).map_err(|_| CryptoError)?;
        Self::of(&key)
    }
}

/// Our source of randomness in the clothes that the `rsa` crate expects.
struct Adapter<'a> {
    random: &'a mut dyn Random,
}

impl rand_core::TryRng for Adapter<'_> {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.random.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.random.fill(out);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Adapter<'_> {}

#[cfg(feature = "fast-crypto")]
pub use fast::{Private, Public};
#[cfg(not(feature = "fast-crypto"))]
pub use portable::{Private, Public};

/// Pure Rust.
pub mod portable {
    use super::{boxed, check_public, pad_signature, Components, CryptoError, Hash};
    use super::{MAX_BITS, MIN_BITS};
    use ::rsa::traits::PublicKeyParts;
    use ::rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
    use sha2::Digest;

    /// DigestInfo up to the hash itself, RFC 8017 §9.2 note 1.
    const SHA1_PREFIX: [u8; 15] = [
        0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14,
    ];
    /// DigestInfo up to the hash itself, RFC 8017 §9.2 note 1.
    const SHA256_PREFIX: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    /// DigestInfo up to the hash itself, RFC 8017 §9.2 note 1.
    const SHA512_PREFIX: [u8; 19] = [
        0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03,
        0x05, 0x00, 0x04, 0x40,
    ];

    fn scheme(hash: Hash, message: &[u8]) -> (Pkcs1v15Sign, Vec<u8>) {
        let (prefix, hashed): (&[u8], Vec<u8>) = match hash {
            Hash::Sha1 => (&SHA1_PREFIX, sha1::Sha1::digest(message).to_vec()),
            Hash::Sha256 => (&SHA256_PREFIX, sha2::Sha256::digest(message).to_vec()),
            Hash::Sha512 => (&SHA512_PREFIX, sha2::Sha512::digest(message).to_vec()),
        };
        let scheme = Pkcs1v15Sign {
            hash_len: Some(hashed.len()),
            prefix: prefix.into(),
        };
        (scheme, hashed)
    }

    /// A public key of 2048 to 16384 bits with a small odd exponent.
    #[derive(Clone)]
    pub struct Public {
        key: RsaPublicKey,
    }

    impl Public {
        /// The key of a modulus and an exponent.
        pub fn new(n: &[u8], e: &[u8]) -> Result<Self, CryptoError> {
            check_public(n, e)?;
            let min = usize::try_from(MIN_BITS).map_err(|_| CryptoError)?;
            let max = usize::try_from(MAX_BITS).map_err(|_| CryptoError)?;
            let key = RsaPublicKey::new_with_size_limits(boxed(n), boxed(e), min..=max)
                .map_err(|_| CryptoError)?;
            Ok(Public { key })
        }

        /// Whether the signature is good. It may be shorter than the modulus, never longer.
        pub fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
            let Ok(signature) = pad_signature(self.key.size(), signature) else {
                return false;
            };
            let (scheme, hashed) = scheme(hash, message);
            self.key.verify(scheme, &hashed, &signature).is_ok()
        }
    }

    /// A private key. Wiped when dropped.
    pub struct Private {
        key: RsaPrivateKey,
    }

    impl Private {
        /// The key of checked numbers.
        pub fn new(components: &Components) -> Result<Self, CryptoError> {
            let key = RsaPrivateKey::from_components(
                boxed(&components.n),
                boxed(&components.e),
                boxed(&components.d),
                vec![boxed(&components.p), boxed(&components.q)],
            )
            .map_err(|_| CryptoError)?;
            Ok(Private { key })
        }

        /// Signs, with blinding from the system's generator. The result is as long as the modulus.
        pub fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            let (scheme, hashed) = scheme(hash, message);
            self.key.sign(scheme, &hashed).map_err(|_| CryptoError)
        }
    }
}

/// Through aws-lc-rs.
#[cfg(feature = "fast-crypto")]
pub mod fast {
    use super::{bit_len, check_public, pad_signature, portable, strip_zeros};
    use super::{Components, CryptoError, Hash};
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, KeySize};
    use aws_lc_rs::signature::{
        RsaPublicKeyComponents, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
    };
    use pkcs8::der::Decode;
    use zeroize::Zeroizing;

    /// The sizes that aws-lc-rs makes keys of.
    pub(super) fn key_size(bits: u32) -> Option<KeySize> {
        match bits {
            2048 => Some(KeySize::Rsa2048),
            3072 => Some(KeySize::Rsa3072),
            4096 => Some(KeySize::Rsa4096),
            8192 => Some(KeySize::Rsa8192),
            _ => None,
        }
    }

    /// Makes a key with aws-lc's own generator, which is many times faster than the portable one.
    pub(super) fn generate(size: KeySize) -> Result<Components, CryptoError> {
        let pair = KeyPair::generate(size).map_err(|_| CryptoError)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| CryptoError)?;
        let info = pkcs8::PrivateKeyInfoRef::from_der(der.as_ref()).map_err(|_| CryptoError)?;
        let key = pkcs1::RsaPrivateKeyRef::from_der(info.private_key.as_bytes())
            .map_err(|_| CryptoError)?;
        let secret = |number: pkcs1::UintRef<'_>| Zeroizing::new(number.as_bytes().to_vec());
        Ok(Components {
            n: key.modulus.as_bytes().to_vec(),
            e: key.public_exponent.as_bytes().to_vec(),
            d: secret(key.private_exponent),
            p: secret(key.prime1),
            q: secret(key.prime2),
            dp: secret(key.exponent1),
            dq: secret(key.exponent2),
            qinv: secret(key.coefficient),
        })
    }

    /// A public key of 2048 to 16384 bits with a small odd exponent.
    #[derive(Clone)]
    pub struct Public {
        key: PublicKey,
    }

    #[derive(Clone)]
    enum PublicKey {
        AwsLc { n: Vec<u8>, e: Vec<u8> },
        Portable(portable::Public),
    }

    impl Public {
        /// The key of a modulus and an exponent.
        pub fn new(n: &[u8], e: &[u8]) -> Result<Self, CryptoError> {
            check_public(n, e)?;
            let key = if bit_len(n) <= super::MAX_PRIVATE_BITS {
                PublicKey::AwsLc {
                    n: strip_zeros(n).to_vec(),
                    e: strip_zeros(e).to_vec(),
                }
            } else {
                PublicKey::Portable(portable::Public::new(n, e)?)
            };
            Ok(Public { key })
        }

        /// Whether the signature is good. It may be shorter than the modulus, never longer.
        pub fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
            match &self.key {
                PublicKey::AwsLc { n, e } => {
                    let Ok(signature) = pad_signature(n.len(), signature) else {
                        return false;
                    };
                    let parameters = match hash {
                        Hash::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                        Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
                        Hash::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
                    };
                    RsaPublicKeyComponents { n, e }
                        .verify(parameters, message, &signature)
                        .is_ok()
                }
                PublicKey::Portable(key) => key.verify(hash, message, signature),
            }
        }
    }

    /// A private key. aws-lc wipes what it frees.
    pub struct Private {
        key: KeyPair,
        components: Components,
    }

    impl Private {
        /// The key of checked numbers, which aws-lc checks once more.
        pub fn new(components: &Components) -> Result<Self, CryptoError> {
            let key = KeyPair::from_components(&KeyPairComponents {
                public_key: RsaPublicKeyComponents {
                    n: components.n.as_slice(),
                    e: components.e.as_slice(),
                },
                d: components.d.as_slice(),
                p: components.p.as_slice(),
                q: components.q.as_slice(),
                dP: components.dp.as_slice(),
                dQ: components.dq.as_slice(),
                qInv: components.qinv.as_slice(),
            })
            .map_err(|_| CryptoError)?;
            Ok(Private {
                key,
                components: components.clone(),
            })
        }

        /// Signs, in constant time but for SHA-1, which the portable provider does with blinding. The result is as long as the modulus.
        pub fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            let encoding = match hash {
                Hash::Sha1 => return portable::Private::new(&self.components)?.sign(hash, message),
                Hash::Sha256 => &RSA_PKCS1_SHA256,
                Hash::Sha512 => &RSA_PKCS1_SHA512,
            };
            let mut signature = vec![0; self.key.public_modulus_len()];
            self.key
                .sign(encoding, &SystemRandom::new(), message, &mut signature)
                .map_err(|_| CryptoError)?;
            Ok(signature)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::TestRandom;
    use crypto_bigint::ConcatenatingMul;

    #[test]
    fn generated_keys_sign_and_verify() {
        let components = Components::generate(2048, &mut TestRandom).unwrap();
        assert_eq!(bit_len(&components.n), 2048);
        let key = Private::new(&components).unwrap();
        let public = Public::new(&components.n, &components.e).unwrap();
        let slow = portable::Private::new(&components).unwrap();
        let slow_public = portable::Public::new(&components.n, &components.e).unwrap();
        for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
            let signature = key.sign(hash, b"message").unwrap();
            assert_eq!(signature, slow.sign(hash, b"message").unwrap());
            assert!(public.verify(hash, b"message", &signature));
            assert!(slow_public.verify(hash, b"message", &signature));
            assert!(!public.verify(hash, b"massage", &signature));
            assert!(!slow_public.verify(hash, b"massage", &signature));
            let mut long = signature.clone();
            long.insert(0, 0);
            assert!(!public.verify(hash, b"message", &long));
            assert!(!slow_public.verify(hash, b"message", &long));
        }
        let other = key.sign(Hash::Sha256, b"message").unwrap();
        assert!(!public.verify(Hash::Sha512, b"message", &other));
        assert!(!slow_public.verify(Hash::Sha512, b"message", &other));
    }

    #[test]
    fn stripped_zeros_are_tolerated() {
        let components = Components::generate(2048, &mut TestRandom).unwrap();
        let key = Private::new(&components).unwrap();
        let public = Public::new(&components.n, &components.e).unwrap();
        let slow = portable::Public::new(&components.n, &components.e).unwrap();
        let (message, signature) = (0..u32::MAX)
            .map(|i| (i, key.sign(Hash::Sha256, &i.to_be_bytes()).unwrap()))
            .find(|(_, signature)| signature[0] == 0)
            .unwrap();
        let message = message.to_be_bytes();
        assert!(public.verify(Hash::Sha256, &message, &signature[1..]));
        assert!(slow.verify(Hash::Sha256, &message, &signature[1..]));
        assert!(!public.verify(Hash::Sha256, &message, &[]));
        assert!(!slow.verify(Hash::Sha256, &message, &[]));
    }

    #[test]
    fn components_must_fit_together() {
        let good = Components::generate(2048, &mut TestRandom).unwrap();
        let again = Components::new(&good.n, &good.e, &good.d, &good.p, &good.q).unwrap();
        assert_eq!(*again.dp, *good.dp);
        assert_eq!(*again.qinv, *good.qinv);
        let mut d = good.d.to_vec();
        *d.last_mut().unwrap() ^= 2;
        assert!(Components::new(&good.n, &good.e, &d, &good.p, &good.q).is_err());
        assert!(Components::new(&good.n, &good.e, &good.d, &good.p, &good.p).is_err());
        // A square: the exponents fit, and there is no inverse of one prime modulo the other.
        let square = boxed(&good.p).concatenating_mul(&boxed(&good.p));
        assert!(Components::new(&unboxed(&square), &good.e, &good.d, &good.p, &good.p).is_err());
        assert!(Components::new(&good.n, &good.e, &[], &[], &[]).is_err());
        assert!(Components::new(&good.n, &good.e, &good.d, &[1], &good.n).is_err());
        assert!(Components::new(&good.n, &good.e, &vec![0xff; 4096], &good.p, &good.q).is_err());
    }

    #[test]
    fn sizes_outside_the_bounds_are_not_made() {
        for bits in [0, 1024, 2047, MAX_PRIVATE_BITS + 1, u32::MAX] {
            assert!(Components::generate(bits, &mut TestRandom).is_err());
        }
    }

    fn modulus(bits: usize) -> Vec<u8> {
        let mut n = vec![0xff; bits.div_ceil(8)];
        if !bits.is_multiple_of(8) {
            n[0] = 0xff >> (8 - bits % 8);
        }
        n
    }

    #[test]
    fn a8_weak_and_absurd_keys_are_refused() {
        let e = [1, 0, 1];
        let mut even = modulus(3072);
        *even.last_mut().unwrap() = 0xfe;
        let mut huge_exponent = vec![0xff; 513];
        huge_exponent[0] = 1;
        for (n, e) in [
            (modulus(1023), &e[..]),
            (modulus(2047), &e),
            (modulus(16385), &e),
            (modulus(1_000_000), &e),
            (even, &e),
            (modulus(3072), &[]),
            (modulus(3072), &[1]),
            (modulus(3072), &[2]),
            (modulus(3072), &[1, 0, 0, 0, 1]),
            (modulus(3072), &huge_exponent),
            (vec![], &e),
        ] {
            assert!(Public::new(&n, e).is_err());
            assert!(portable::Public::new(&n, e).is_err());
        }
    }

    #[test]
    fn large_public_keys_verify() {
        // No private key of this size is at hand in the fast build: what counts is that both sides answer.
        for bits in [2048, 8192, 8193, 16384] {
            let n = modulus(bits);
            let public = Public::new(&n, &[1, 0, 1]).unwrap();
            assert!(!public.verify(Hash::Sha256, b"m", &vec![1; n.len()]));
        }
    }

    #[test]
    fn bits_are_counted_without_leading_zeros() {
        assert_eq!(bit_len(&[]), 0);
        assert_eq!(bit_len(&[0, 0]), 0);
        assert_eq!(bit_len(&[0, 1, 0]), 9);
        assert_eq!(bit_len(&[0xff; 256]), 2048);
    }
}
