//! HMAC over packets (RFC 4253 §6.4, RFC 6668). The same crates serve both providers: on long records
//! they are at least as fast as the alternative.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::crypto::algorithms::MacAlgorithm;
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::CryptoError;

/// A keyed HMAC, copied for each packet: the hash states after the padded key are computed once.
pub(super) enum PacketMac {
    /// HMAC-SHA-1, for old gear
    Sha1(Hmac<Sha1>),
    /// HMAC-SHA-256
    Sha256(Hmac<Sha256>),
    /// HMAC-SHA-512
    Sha512(Hmac<Sha512>),
}

impl PacketMac {
    pub(super) fn new(algorithm: &MacAlgorithm, key: &[u8]) -> Result<Self, CryptoError> {
        if key.len() != algorithm.key_len || algorithm.tag_len != algorithm.hash.output_len() {
            return Err(CryptoError);
        }
        match algorithm.hash {
            HashAlgorithm::Sha1 => Ok(PacketMac::Sha1(keyed(key)?)),
            HashAlgorithm::Sha256 => Ok(PacketMac::Sha256(keyed(key)?)),
            HashAlgorithm::Sha512 => Ok(PacketMac::Sha512(keyed(key)?)),
            HashAlgorithm::Sha384 => Err(CryptoError),
        }
    }

    pub(super) fn tag_len(&self) -> usize {
        match self {
            PacketMac::Sha1(_) => 20,
            PacketMac::Sha256(_) => 32,
            PacketMac::Sha512(_) => 64,
        }
    }

    /// Writes MAC(key, sequence_number || packet) to `tag`.
    pub(super) fn sign(
        &self,
        sequence: u32,
        packet: &[u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        let write = |mac: &[u8]| {
            if mac.len() != tag.len() {
                return Err(CryptoError);
            }
            tag.copy_from_slice(mac);
            Ok(())
        };
        self.with_mac(sequence, packet, write)
    }

    /// Compares, in constant time, MAC(key, sequence_number || packet) with `tag`.
    pub(super) fn verify(
        &self,
        sequence: u32,
        packet: &[u8],
        tag: &[u8],
    ) -> Result<(), CryptoError> {
        let compare = |mac: &[u8]| {
            if bool::from(mac.ct_eq(tag)) {
                Ok(())
            } else {
                Err(CryptoError)
            }
        };
        self.with_mac(sequence, packet, compare)
    }

    fn with_mac(
        &self,
        sequence: u32,
        packet: &[u8],
        use_mac: impl FnOnce(&[u8]) -> Result<(), CryptoError>,
    ) -> Result<(), CryptoError> {
        match self {
            PacketMac::Sha1(keyed) => use_mac(&finish(keyed, sequence, packet)),
            PacketMac::Sha256(keyed) => use_mac(&finish(keyed, sequence, packet)),
            PacketMac::Sha512(keyed) => use_mac(&finish(keyed, sequence, packet)),
        }
    }
}

fn keyed<M: KeyInit>(key: &[u8]) -> Result<M, CryptoError> {
    M::new_from_slice(key).map_err(|_| CryptoError)
}

fn finish<M: Mac + Clone>(keyed: &M, sequence: u32, packet: &[u8]) -> hmac::digest::Output<M> {
    let mut mac = keyed.clone();
    mac.update(&sequence.to_be_bytes());
    mac.update(packet);
    mac.finalize().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::algorithms;
    use crate::crypto::test_util::hex;

    /// RFC 4231 §4.3 and, for SHA-1, RFC 2202 §3 (case 2 of both): key "Jefe". The first four bytes of
    /// their data, "what", stand in the
    /// place of the sequence number. HMAC pads keys with zero bytes, so the short key can be extended.
    #[test]
    fn rfc_4231_case_2() {
        let sequence = u32::from_be_bytes(*b"what");
        let packet = b" do ya want for nothing?";
        for (name, expected) in [
            ("hmac-sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                "hmac-sha2-256",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                "hmac-sha2-512-etm@openssh.com",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                 9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let algorithm = algorithms::mac(name).unwrap();
            let mut key = b"Jefe".to_vec();
            key.resize(algorithm.key_len, 0);
            let mac = PacketMac::new(algorithm, &key).unwrap();
            let mut tag = vec![0; mac.tag_len()];
            mac.sign(sequence, packet, &mut tag).unwrap();
            assert_eq!(tag, hex(expected));
            mac.verify(sequence, packet, &tag).unwrap();
            assert!(mac.verify(sequence + 1, packet, &tag).is_err());
            assert!(mac.verify(sequence, packet, &tag[1..]).is_err());
            assert!(mac.verify(sequence, packet, &[]).is_err());
            assert!(PacketMac::new(algorithm, &key[1..]).is_err());
        }
    }
}
