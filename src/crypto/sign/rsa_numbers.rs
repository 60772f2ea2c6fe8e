//! The arithmetic that completes a private RSA key, on the stack alone: what is computed on the way is as secret as the
//! result, and numbers on the heap are freed by the crates without being wiped. [`residue`](crate::crypto::residue) wipes
//! the stack behind whoever reads a key.

use crypto_bigint::{Limb, Uint, U2048, U3072, U4096, U8192};
use zeroize::Zeroizing;

use super::rsa::{bit_len, strip_zeros, Components};
use crate::crypto::CryptoError;

/// The longest modulus.
pub(super) const MAX_BITS: u32 = U8192::BITS;

/// As [`Components::new`], which has checked the lengths, for a modulus of [`MAX_BITS`] at most.
pub(super) fn complete(
    n: &[u8],
    e: &[u8],
    d: &[u8],
    p: &[u8],
    q: &[u8],
) -> Result<Components, CryptoError> {
    let complete = match bit_len(n) {
        0..=2048 => complete_in::<{ U2048::LIMBS }>,
        2049..=3072 => complete_in::<{ U3072::LIMBS }>,
        3073..=4096 => complete_in::<{ U4096::LIMBS }>,
        4097..=MAX_BITS => complete_in::<{ U8192::LIMBS }>,
        _ => return Err(CryptoError),
    };
    complete(n, e, d, p, q)
}

fn complete_in<const LIMBS: usize>(
    n: &[u8],
    e: &[u8],
    d: &[u8],
    p: &[u8],
    q: &[u8],
) -> Result<Components, CryptoError> {
    let number = read::<LIMBS>;
    let (first, second, private) = (number(p)?, number(q)?, number(d)?);
    let product = first.checked_mul(&second).into_option();
    if product != Some(number(n)?) {
        return Err(CryptoError);
    }
    let dp = exponent(&private, &number(e)?, &first)?;
    let dq = exponent(&private, &number(e)?, &second)?;
    let odd = first.to_odd().into_option().ok_or(CryptoError)?;
    let qinv = second.rem(odd.as_nz_ref()).invert_odd_mod(&odd);
    let qinv = qinv.into_option().ok_or(CryptoError)?;
    Ok(Components {
        n: strip_zeros(n).to_vec(),
        e: strip_zeros(e).to_vec(),
        d: write(&private),
        p: write(&first),
        q: write(&second),
        dp: write(&dp),
        dq: write(&dq),
        qinv: write(&qinv),
    })
}

/// d mod (prime - 1), which must be the inverse of e there.
fn exponent<const LIMBS: usize>(
    private: &Uint<LIMBS>,
    public: &Uint<LIMBS>,
    prime: &Uint<LIMBS>,
) -> Result<Uint<LIMBS>, CryptoError> {
    let order = prime.wrapping_sub(&Uint::ONE).to_nz();
    let order = order.into_option().ok_or(CryptoError)?;
    let exponent = private.rem(&order);
    let product = exponent.checked_mul(public).into_option();
    if product.ok_or(CryptoError)?.rem(&order) != Uint::ONE {
        return Err(CryptoError);
    }
    Ok(exponent)
}

fn read<const LIMBS: usize>(magnitude: &[u8]) -> Result<Uint<LIMBS>, CryptoError> {
    let digits = strip_zeros(magnitude);
    let mut bytes = Zeroizing::new(vec![0; LIMBS * Limb::BYTES]);
    let start = bytes.len().checked_sub(digits.len()).ok_or(CryptoError)?;
    bytes
        .get_mut(start..)
        .ok_or(CryptoError)?
        .copy_from_slice(digits);
    Ok(Uint::from_be_slice(&bytes))
}

fn write<const LIMBS: usize>(number: &Uint<LIMBS>) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMBS * Limb::BYTES));
    for limb in number.as_limbs().iter().rev() {
        bytes.extend_from_slice(&limb.0.to_be_bytes());
    }
    Zeroizing::new(strip_zeros(&bytes).to_vec())
}
