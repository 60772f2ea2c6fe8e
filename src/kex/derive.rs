//! The shared secret K and the keys made from it (RFC 4253 §7.2).

use zeroize::Zeroizing;

use super::DirectionAlgorithms;
use crate::codec::Writer;
use crate::crypto::cipher::DirectionKeys;
use crate::crypto::hash::HashAlgorithm;
use crate::messages::Role;

/// The shared secret, encoded as it stands in the exchange hash and in key derivation. Wiped when dropped.
pub struct SharedSecret {
    encoded: Zeroizing<Vec<u8>>,
}

impl SharedSecret {
    /// K as an mpint, given by its magnitude: Diffie-Hellman, ECDH and X25519 (RFC 8731 §3.1: the 32 bytes are
    /// read as a big-endian number).
    pub fn from_mpint(magnitude: &[u8]) -> Self {
        Self::write(magnitude.len(), |w| {
            w.mpint(magnitude);
        })
    }

    /// K as a string: the hybrid methods, whose K is a hash (draft-ietf-sshm-mlkem-hybrid-kex §2.4).
    pub fn from_string(bytes: &[u8]) -> Self {
        Self::write(bytes.len(), |w| {
            w.string(bytes);
        })
    }

    /// K as it is hashed.
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// The room is reserved first: a buffer that grows leaves unwiped copies behind.
    fn write(len: usize, fill: impl FnOnce(&mut Writer<'_>)) -> Self {
        let mut encoded = Zeroizing::new(Vec::with_capacity(len + 5));
        fill(&mut Writer::new(&mut encoded));
        SharedSecret { encoded }
    }
}

/// The keys for the packets that `sender` sends.
pub fn derive_keys(
    hash: HashAlgorithm,
    secret: &SharedSecret,
    exchange_hash: &[u8],
    session_id: &[u8],
    sender: Role,
    algorithms: &DirectionAlgorithms,
) -> DirectionKeys {
    let (iv, key, mac_key) = match sender {
        Role::Client => (b'A', b'C', b'E'),
        Role::Server => (b'B', b'D', b'F'),
    };
    let make = |letter, len| expand(hash, secret, exchange_hash, session_id, letter, len);
    DirectionKeys {
        iv: make(iv, algorithms.cipher.iv_len),
        key: make(key, algorithms.cipher.key_len),
        mac_key: make(mac_key, algorithms.mac.map_or(0, |mac| mac.key_len)),
    }
}

/// RFC 4253 §7.2: K1 = HASH(K || H || letter || session_id), Kn = HASH(K || H || K1 || ... || Kn-1).
fn expand(
    hash: HashAlgorithm,
    secret: &SharedSecret,
    exchange_hash: &[u8],
    session_id: &[u8],
    letter: u8,
    len: usize,
) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(len + hash.output_len()));
    while key.len() < len {
        let block = if key.is_empty() {
            hash.digest(&[secret.encoded(), exchange_hash, &[letter], session_id])
        } else {
            hash.digest(&[secret.encoded(), exchange_hash, &key])
        };
        key.extend_from_slice(&block);
    }
    key.truncate(len);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k10_secret_encodings() {
        let cases: [(&[u8], &[u8]); 4] = [
            (&[0x00, 0x12, 0x34], &[0, 0, 0, 2, 0x12, 0x34]),
            (&[0x80, 0x01], &[0, 0, 0, 3, 0, 0x80, 0x01]),
            (&[0x00, 0x80], &[0, 0, 0, 2, 0, 0x80]),
            (&[0x7f], &[0, 0, 0, 1, 0x7f]),
        ];
        for (magnitude, encoded) in cases {
            assert_eq!(SharedSecret::from_mpint(magnitude).encoded(), encoded);
        }
        let string = SharedSecret::from_string(&[0x00, 0x80]);
        assert_eq!(string.encoded(), [0, 0, 0, 2, 0x00, 0x80]);
    }

    #[test]
    fn keys_are_chained_and_cut() {
        let secret = SharedSecret::from_mpint(&[1]);
        let make = |len| expand(HashAlgorithm::Sha256, &secret, b"H", b"id", b'C', len);
        let first = HashAlgorithm::Sha256.digest(&[&[0, 0, 0, 1, 1], b"HCid"]);
        let second = HashAlgorithm::Sha256.digest(&[&[0, 0, 0, 1, 1], b"H", &first]);
        let third = HashAlgorithm::Sha256.digest(&[&[0, 0, 0, 1, 1], b"H", &first, &second]);
        let whole = [&first[..], &second, &third].concat();
        for len in [0, 1, 16, 32, 33, 64, 96] {
            assert_eq!(&make(len)[..], &whole[..len]);
        }
    }
}
