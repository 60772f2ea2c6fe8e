//! Diffie-Hellman over the integers modulo a prime (RFC 4253 §8, RFC 4419, RFC 8268).

use std::sync::OnceLock;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use zeroize::Zeroizing;

use super::{modp_groups, SharedSecret};
use crate::crypto::algorithms::DhGroupId;
use crate::crypto::random::Random;
use crate::crypto::CryptoError;

/// The fewest bits of a private exponent, and enough for every cipher served: twice the 256 bits of
/// the longest key (RFC 4419 §6.2).
pub const MIN_SECRET_BITS: u32 = 512;

/// The widest modulus that is ever computed with, whatever the caller allows.
const MAX_MODULUS_BITS: u32 = 16_384;

/// A group: a prime modulus and a generator. Cheap to clone.
#[derive(Clone)]
pub struct DhGroup {
    /// Big endian, without leading zeros.
    p: Vec<u8>,
    g: Vec<u8>,
    params: BoxedMontyParams,
}

impl DhGroup {
    /// A group of RFC 3526 or RFC 2409.
    pub fn known(id: DhGroupId) -> Result<&'static DhGroup, CryptoError> {
        static GROUP1: OnceLock<Option<DhGroup>> = OnceLock::new();
        static GROUP14: OnceLock<Option<DhGroup>> = OnceLock::new();
        static GROUP16: OnceLock<Option<DhGroup>> = OnceLock::new();
        static GROUP18: OnceLock<Option<DhGroup>> = OnceLock::new();
        let (cell, digits, bits) = match id {
            DhGroupId::Group1 => (&GROUP1, modp_groups::GROUP1, 1024),
            DhGroupId::Group14 => (&GROUP14, modp_groups::GROUP14, 2048),
            DhGroupId::Group16 => (&GROUP16, modp_groups::GROUP16, 4096),
            DhGroupId::Group18 => (&GROUP18, modp_groups::GROUP18, 8192),
        };
        cell.get_or_init(|| {
            let p = Option::<BoxedUint>::from(BoxedUint::from_be_hex(digits, bits))?;
            DhGroup::from_wire(&p.to_be_bytes(), &[2], bits, bits).ok()
        })
        .as_ref()
        .ok_or(CryptoError)
    }

    /// A group from the peer or from a moduli file: big-endian numbers that are not negative.
    ///
    /// Fails unless p has `min_bits` to `max_bits` bits and is odd, and 1 < g < p - 1. Whether p is
    /// prime is not tested: the server that sends it could give the secret away in easier ways.
    pub fn from_wire(
        p: &[u8],
        g: &[u8],
        min_bits: u32,
        max_bits: u32,
    ) -> Result<Self, CryptoError> {
        let (p, g) = (trim(p), trim(g));
        let bits = bit_len(p)?;
        if bits < min_bits || bits > max_bits.min(MAX_MODULUS_BITS) {
            return Err(CryptoError);
        }
        let modulus = BoxedUint::from_be_slice(p, bits).map_err(|_| CryptoError)?;
        let modulus = Option::<Odd<BoxedUint>>::from(modulus.into_odd()).ok_or(CryptoError)?;
        if !is_inside(g, p) {
            return Err(CryptoError);
        }
        Ok(DhGroup {
            p: p.to_vec(),
            g: g.to_vec(),
            params: BoxedMontyParams::new_vartime(modulus),
        })
    }

    /// The modulus, big endian, without leading zeros.
    pub fn p(&self) -> &[u8] {
        &self.p
    }

    /// The generator, big endian, without leading zeros.
    pub fn g(&self) -> &[u8] {
        &self.g
    }

    /// Bits of the modulus.
    pub fn bits(&self) -> u32 {
        bit_len(&self.p).unwrap_or(0)
    }

    /// base^exponent mod p, in constant time for exponents of `exponent_bits` bits.
    fn power(
        &self,
        base: &[u8],
        exponent: &BoxedUint,
        exponent_bits: u32,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let precision = self.params.bits_precision();
        let base = BoxedUint::from_be_slice(base, precision).map_err(|_| CryptoError)?;
        let base = BoxedMontyForm::new(base, &self.params);
        let power = Zeroizing::new(base.pow_bounded_exp(exponent, exponent_bits));
        let power = Zeroizing::new(power.retrieve());
        Ok(Zeroizing::new(power.to_be_bytes().into_vec()))
    }
}

/// A private exponent for one agreement.
pub struct EphemeralSecret {
    group: DhGroup,
    exponent: Zeroizing<BoxedUint>,
    exponent_bits: u32,
    public: Vec<u8>,
}

impl EphemeralSecret {
    /// Draws an exponent of `secret_bits` bits (at least [`MIN_SECRET_BITS`], and fewer than the group
    /// has) and computes the public value.
    ///
    /// Twice the bits of the cipher's strength are enough (RFC 4419 §6.2), and are many times faster
    /// than an exponent as long as the modulus.
    pub fn generate(
        group: &DhGroup,
        secret_bits: u32,
        random: &mut dyn Random,
    ) -> Result<Self, CryptoError> {
        // Below (p - 1) / 2, the order of the group that the generator makes.
        let most_bits = group.bits().checked_sub(2).ok_or(CryptoError)?;
        let exponent_bits = secret_bits.max(MIN_SECRET_BITS).min(most_bits);
        let len = usize::try_from(exponent_bits.div_ceil(8)).map_err(|_| CryptoError)?;
        let mut bytes = Zeroizing::new(vec![0; len]);
        random.fill(&mut bytes);
        if let Some(first) = bytes.first_mut() {
            // The highest bit is always set, so that the exponent is never a small number.
            let excess_bits = len
                .saturating_mul(8)
                .saturating_sub(usize::try_from(exponent_bits).map_err(|_| CryptoError)?);
            *first &= 0xff >> excess_bits;
            *first |= 0x80 >> excess_bits;
        }
        let exponent = BoxedUint::from_be_slice(&bytes, exponent_bits).map_err(|_| CryptoError)?;
        let exponent = Zeroizing::new(exponent);
        let public = group.power(&group.g, &exponent, exponent_bits)?;
        if !is_inside(trim(&public), &group.p) {
            return Err(CryptoError);
        }
        Ok(EphemeralSecret {
            public: trim(&public).to_vec(),
            group: group.clone(),
            exponent,
            exponent_bits,
        })
    }

    /// The public value e or f: big endian, without leading zeros.
    pub fn public_value(&self) -> &[u8] {
        &self.public
    }

    /// Agrees with the peer's public value, a big-endian number that is not negative. Fails, before
    /// anything is computed, unless 1 < value < p - 1 (RFC 4253 §8 allows the ends of this range,
    /// which make the secret known to everybody).
    pub fn agree(self, peer: &[u8]) -> Result<SharedSecret, CryptoError> {
        let peer = trim(peer);
        if !is_inside(peer, &self.group.p) {
            return Err(CryptoError);
        }
        let shared = self.group.power(peer, &self.exponent, self.exponent_bits)?;
        // Values of small order, which only bad groups have.
        if !is_inside(trim(&shared), &self.group.p) {
            return Err(CryptoError);
        }
        Ok(SharedSecret(shared))
    }
}

/// The number without leading zeros.
fn trim(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Bits of a number without leading zeros.
fn bit_len(number: &[u8]) -> Result<u32, CryptoError> {
    let len = u32::try_from(number.len()).map_err(|_| CryptoError)?;
    let bits = len.checked_mul(8).ok_or(CryptoError)?;
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    bits.checked_sub(unused).ok_or(CryptoError)
}

/// Whether 1 < number < p - 1, for numbers without leading zeros and an odd p. In variable time: the
/// numbers are public, or wrong.
fn is_inside(number: &[u8], p: &[u8]) -> bool {
    if number.is_empty() || number == [1] {
        return false;
    }
    if number.len() != p.len() {
        return number.len() < p.len();
    }
    // p is odd, so p - 1 differs from it in the last bit only.
    let (Some((last, head)), Some((p_last, p_head))) = (number.split_last(), p.split_last()) else {
        return false;
    };
    (head, *last) < (p_head, p_last & !1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::HashAlgorithm;
    use crate::crypto::random::SeededRandom;
    use crate::crypto::test_util::{hex, FixedRandom};

    const GROUPS: [(DhGroupId, u32); 4] = [
        (DhGroupId::Group1, 1024),
        (DhGroupId::Group14, 2048),
        (DhGroupId::Group16, 4096),
        (DhGroupId::Group18, 8192),
    ];

    /// The number plus `change`.
    fn changed(number: &[u8], change: i32) -> Vec<u8> {
        let mut digits = number.to_vec();
        let mut carry = change;
        for digit in digits.iter_mut().rev() {
            let sum = i32::from(*digit) + carry;
            *digit = u8::try_from(sum.rem_euclid(256)).unwrap();
            carry = sum.div_euclid(256);
        }
        assert_eq!(carry, 0);
        digits
    }

    /// SHA-256 of the primes, of 2^x and of 3^x, for x = 80 00 01 .. 3e: computed with Python from the
    /// formulas of RFC 3526 and RFC 2409.
    #[test]
    fn known_groups_and_powers() {
        let expected = [
            [
                "3f35a3f5f6c4376a744acad409bb22f8d897f949d2311d885adaa890981b67a0",
                "8e098eafdf9568ac4611166813e3ece537c490548126b31def7b6bb677b4d8bd",
                "ffe1313e13c2dce15342ec4b1ad2fffb77fa5f43ed4ec41b8922bc8d17ba2ce2",
            ],
            [
                "d66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e",
                "b0564c89e12d8fdcdcf82df94a0405d9938aa2159b4e4e4a1e57e26c378b0804",
                "708cacad71f693705501708381edf9a73ddaab1d35ee73fb132fd5bc8c780fa2",
            ],
            [
                "4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33",
                "b12cee4d92a66ff4264c65deb12981ac4ce7f9f6b6df2cd2d6c05e21af7fedde",
                "b830aac11dae9076972e832808adf5871cb4184257cefa35129f86a2de2ea3e6",
            ],
            [
                "39ab4feab950a3128fb71accb9fc3965d857012e081998a85996e3ea8b3c3bcf",
                "af5ef0babaa47eb41609b850b468e30752a30af26944d37432364800ed9d3dbf",
                "613817d78a1df3f05fe2047dbe3173984cd35c35dc92134265d189d07be23c9e",
            ],
        ];
        for ((id, bits), [p, public, shared]) in GROUPS.into_iter().zip(expected) {
            let group = DhGroup::known(id).unwrap();
            assert_eq!(group.bits(), bits);
            let sha256 = |bytes: &[u8]| HashAlgorithm::Sha256.digest(&[bytes]).to_vec();
            let width = group.p().len();
            let padded = |bytes: &[u8]| [&vec![0; width - bytes.len()][..], bytes].concat();
            assert_eq!(sha256(group.p()), hex(p));
            let mut exponent = vec![0x80];
            exponent.extend(0..63);
            let secret = EphemeralSecret::generate(group, 512, &mut FixedRandom(exponent)).unwrap();
            assert_eq!(sha256(&padded(secret.public_value())), hex(public));
            let agreed = secret.agree(&[0, 0, 3]).unwrap();
            assert_eq!(sha256(&padded(trim(agreed.as_bytes()))), hex(shared));
        }
    }

    #[test]
    fn both_sides_agree() {
        let mut random = SeededRandom::new(8);
        let group = DhGroup::known(DhGroupId::Group14).unwrap();
        for bits in [0, 512, 513, 640, 2046, u32::MAX] {
            let a = EphemeralSecret::generate(group, bits, &mut random).unwrap();
            let b = EphemeralSecret::generate(group, 512, &mut random).unwrap();
            let (a_public, b_public) = (a.public_value().to_vec(), b.public_value().to_vec());
            let (a, b) = (a.agree(&b_public).unwrap(), b.agree(&a_public).unwrap());
            assert_eq!(trim(a.as_bytes()), trim(b.as_bytes()));
        }
    }

    #[test]
    fn bad_public_values() {
        let group = DhGroup::known(DhGroupId::Group14).unwrap();
        let secret = || EphemeralSecret::generate(group, 512, &mut SeededRandom::new(9)).unwrap();
        let p = group.p();
        for bad in [
            vec![],
            vec![0],
            vec![1],
            vec![0, 0, 1],
            changed(p, -1),
            p.to_vec(),
            changed(p, 1),
            changed(p, 2),
            [&[0, 0][..], p].concat(),
            [&[1][..], p].concat(),
            vec![0xff; p.len()],
            vec![7; 1 << 20],
            vec![0; 1 << 20],
        ] {
            assert!(secret().agree(&bad).is_err(), "{} bytes", bad.len());
        }
        for good in [vec![2], vec![0, 2], changed(p, -2), changed(p, -3)] {
            assert!(secret().agree(&good).is_ok());
        }
    }

    #[test]
    fn bad_groups() {
        let known = DhGroup::known(DhGroupId::Group14).unwrap();
        let p = known.p();
        let group = |p: &[u8], g: &[u8]| DhGroup::from_wire(p, g, 2048, 8192);
        assert!(group(p, &[2]).is_ok());
        assert!(group(&[&[0][..], p].concat(), &[0, 5]).is_ok());
        assert!(group(p, &changed(p, -2)).is_ok());
        assert!(group(&[0xff; 1024], &[2]).is_ok());
        for bad_g in [
            vec![],
            vec![0],
            vec![1],
            changed(p, -1),
            p.to_vec(),
            changed(p, 1),
            vec![2; 300],
        ] {
            assert!(group(p, &bad_g).is_err());
        }
        let mut even = p.to_vec();
        *even.last_mut().unwrap() &= !1;
        assert!(group(&even, &[2]).is_err());
        for (len, first) in [
            (0, 0),
            (1, 0),
            (1, 1),
            (128, 0xff),
            (256, 0x7f),
            (1025, 1),
            (2048, 0xff),
        ] {
            let mut other = vec![0xff; len];
            if let Some(byte) = other.first_mut() {
                *byte = first;
            }
            assert!(group(&other, &[2]).is_err(), "{len}");
        }
        assert!(DhGroup::from_wire(&vec![0xff; 1 << 20], &[2], 0, u32::MAX).is_err());
    }

    /// Groups that only a caller without lower bound lets in: no panic, and no secret of 0, 1 or p - 1.
    #[test]
    fn tiny_groups() {
        for (p, g) in (0..=31u8).flat_map(|p| (0..=31u8).map(move |g| (p, g))) {
            let Ok(group) = DhGroup::from_wire(&[p], &[g], 0, 64) else {
                continue;
            };
            for peer in 0..=31u8 {
                let random = &mut SeededRandom::new(u64::from(peer));
                let Ok(secret) = EphemeralSecret::generate(&group, 512, random) else {
                    continue;
                };
                if let Ok(shared) = secret.agree(&[peer]) {
                    assert!(is_inside(trim(shared.as_bytes()), &[p]));
                }
            }
        }
    }
}
