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
    /// A group of RFC 3526.
    pub fn known(id: DhGroupId) -> Result<&'static DhGroup, CryptoError> {
        static GROUP14: OnceLock<Option<DhGroup>> = OnceLock::new();
        static GROUP16: OnceLock<Option<DhGroup>> = OnceLock::new();
        static GROUP18: OnceLock<Option<DhGroup>> = OnceLock::new();
        let (cell, digits, bits) = match id {
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
