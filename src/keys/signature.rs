//! Signature blobs: `string algorithm || string signature` (RFC 4253 §6.6), and inside them what each
//! algorithm puts there.

use crate::codec::{DecodeError, Reader, Writer};
use crate::crypto::sign::ecdsa::{pad_scalar, Curve};

/// Longest blob looked at: an RSA signature of 16384 bits and its name fit.
pub const MAX_SIGNATURE_BLOB: usize = 4096;

/// A signature blob: the name of its algorithm and the signature as that algorithm encodes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureBlob<'a> {
    /// Name of the signature algorithm.
    pub algorithm: &'a str,
    /// What the algorithm made of it.
    pub signature: &'a [u8],
}

impl<'a> SignatureBlob<'a> {
    /// Reads a blob, refusing trailing bytes.
    pub fn decode(blob: &'a [u8]) -> Result<Self, DecodeError> {
        if blob.len() > MAX_SIGNATURE_BLOB {
            return Err(DecodeError::TooLong);
        }
        let mut reader = Reader::new(blob);
        let algorithm = reader.text()?;
        let signature = reader.string()?;
        reader.finish()?;
        Ok(SignatureBlob {
            algorithm,
            signature,
        })
    }

    /// Writes a blob.
    pub fn encode(&self) -> Vec<u8> {
        Writer::collect(|w| {
            w.string(self.algorithm).string(self.signature);
        })
    }
}

/// `r || s` of the fixed length of the curve from the two mpints of RFC 5656 §3.1.2.
pub(crate) fn ecdsa_from_wire(curve: Curve, signature: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(signature);
    let r = reader.mpint().ok()?;
    let s = reader.mpint().ok()?;
    reader.finish().ok()?;
    let mut fixed = pad_scalar(curve, r).ok()?.to_vec();
    fixed.extend_from_slice(&pad_scalar(curve, s).ok()?);
    Some(fixed)
}

/// The two mpints of RFC 5656 §3.1.2 from `r || s`.
pub(crate) fn ecdsa_to_wire(curve: Curve, fixed: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = fixed.split_at_checked(curve.scalar_len())?;
    Some(Writer::collect(|w| {
        w.mpint(r).mpint(s);
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_round_trip_and_refuse_trailing_bytes() {
        let blob = SignatureBlob {
            algorithm: "ssh-ed25519",
            signature: &[7; 64],
        };
        let mut bytes = blob.encode();
        assert_eq!(SignatureBlob::decode(&bytes), Ok(blob));
        bytes.push(0);
        assert_eq!(
            SignatureBlob::decode(&bytes),
            Err(DecodeError::TrailingBytes)
        );
        bytes.truncate(40);
        assert_eq!(SignatureBlob::decode(&bytes), Err(DecodeError::Truncated));
        assert_eq!(
            SignatureBlob::decode(&[0; MAX_SIGNATURE_BLOB + 1]),
            Err(DecodeError::TooLong)
        );
    }

    #[test]
    fn ecdsa_numbers_keep_their_value() {
        let mut fixed = vec![0; 64];
        fixed[31] = 5;
        fixed[32] = 0x80;
        let wire = ecdsa_to_wire(Curve::P256, &fixed).unwrap();
        assert_eq!(&wire[..6], &[0, 0, 0, 1, 5, 0]);
        assert_eq!(ecdsa_from_wire(Curve::P256, &wire), Some(fixed));
    }

    #[test]
    fn ecdsa_numbers_out_of_range_are_refused() {
        let long = Writer::collect(|w| {
            w.mpint(&[1; 33]).mpint(&[1]);
        });
        assert_eq!(ecdsa_from_wire(Curve::P256, &long), None);
        let negative = [0, 0, 0, 1, 0x80, 0, 0, 0, 1, 1];
        assert_eq!(ecdsa_from_wire(Curve::P256, &negative), None);
        let trailing = [0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0];
        assert_eq!(ecdsa_from_wire(Curve::P256, &trailing), None);
    }
}
