//! `aes128-gcm@openssh.com` and `aes256-gcm@openssh.com`: AES in GCM as in RFC 5647 §7, chosen in the
//! cipher lists alone. packet_length stays in clear and is the associated data.

use super::{read_length, split_length, OpenPacket, SealPacket};
use crate::crypto::residue::Depth;
use crate::crypto::CryptoError;

#[cfg(feature = "fast-crypto")]
pub(super) mod fast;
#[cfg_attr(feature = "fast-crypto", allow(dead_code))]
pub(super) mod portable;
#[cfg(all(feature = "fast-crypto", target_arch = "x86_64"))]
pub(super) mod vaes;

#[cfg(feature = "fast-crypto")]
pub(super) use fast as chosen;
#[cfg(not(feature = "fast-crypto"))]
pub(super) use portable as chosen;

const BLOCK_LEN: usize = 16;
const TAG_LEN: usize = 16;
const NONCE_LEN: usize = 12;

/// RFC 5647 §7.1: 4 fixed bytes and a 64-bit invocation counter that is one more for each packet.
struct Nonces {
    fixed: [u8; 4],
    /// The counter of the next packet; `None` once all 2^64 have been used.
    counter: Option<u64>,
    /// The counter of the first packet, at which the sequence would begin anew.
    first: u64,
}

impl Nonces {
    fn new(iv: &[u8]) -> Result<Self, CryptoError> {
        let iv: &[u8; NONCE_LEN] = iv.try_into().map_err(|_| CryptoError)?;
        let (fixed, counter) = iv.split_first_chunk().ok_or(CryptoError)?;
        let counter = u64::from_be_bytes(counter.try_into().map_err(|_| CryptoError)?);
        Ok(Nonces {
            fixed: *fixed,
            counter: Some(counter),
            first: counter,
        })
    }

    /// The nonce of the next packet. It counts as used whatever becomes of the packet.
    fn next(&mut self) -> Result<[u8; NONCE_LEN], CryptoError> {
        let counter = self.counter.ok_or(CryptoError)?;
        // The counter starts anywhere and wraps; only coming back to the start would repeat a nonce.
        let next = counter.wrapping_add(1);
        self.counter = (next != self.first).then_some(next);
        let mut nonce = [0; NONCE_LEN];
        let parts = self.fixed.into_iter().chain(counter.to_be_bytes());
        for (to, from) in nonce.iter_mut().zip(parts) {
            *to = from;
        }
        Ok(nonce)
    }
}

/// What a provider does: one invocation of GCM in place.
trait Gcm: Send + Sized + 'static {
    /// How deep it goes.
    const DEPTH: Depth;
    fn new(key: &[u8]) -> Result<Self, CryptoError>;
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8; 4],
        body: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), CryptoError>;
    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8; 4],
        body: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError>;
}

/// One direction.
struct Direction<G> {
    gcm: G,
    nonces: Nonces,
}

impl<G: Gcm> Direction<G> {
    fn new(key: &[u8], iv: &[u8]) -> Result<Self, CryptoError> {
        Ok(Direction {
            gcm: G::new(key)?,
            nonces: Nonces::new(iv)?,
        })
    }
}

impl<G: Gcm> SealPacket for Direction<G> {
    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn length_is_aligned(&self) -> bool {
        false
    }

    fn tag_len(&self) -> usize {
        TAG_LEN
    }

    fn depth(&self) -> Depth {
        G::DEPTH
    }

    fn seal(&mut self, _sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let nonce = self.nonces.next()?;
        let (length, rest) = split_length(packet)?;
        let (body, tag) = rest.split_last_chunk_mut().ok_or(CryptoError)?;
        self.gcm.seal(&nonce, length, body, tag)
    }
}

impl<G: Gcm> OpenPacket for Direction<G> {
    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn length_is_aligned(&self) -> bool {
        false
    }

    fn tag_len(&self) -> usize {
        TAG_LEN
    }

    fn depth(&self) -> Depth {
        G::DEPTH
    }

    fn head_len(&self) -> usize {
        4
    }

    fn open_length(&mut self, _sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        read_length(head)
    }

    fn open(&mut self, _sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let nonce = self.nonces.next()?;
        let (length, rest) = split_length(packet)?;
        let (body, tag) = rest.split_last_chunk_mut().ok_or(CryptoError)?;
        self.gcm.open(&nonce, length, body, tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::test_util::hex;

    /// Keys, and the first two packets under IV cafebabefacedbaddecaf888, with 00 01 .. 1f as the body:
    /// made with pyca/cryptography.
    const VECTORS: [(&str, [&str; 2]); 2] = [
        (
            "feffe9928665731c6d6a8f9467308308",
            [
                "000000209bb32ee4ddf674c6e62222792728fc09751c9a6f2d23452d03945405bf803543\
                065cc74a268cfdb03e052de24613484d",
                "000000208511f6ac55f97c9039e2d46ad996a6d81c6c45aa886a14c904687fd0bcd2cfcc\
                5c44d2584724dc279b2e8a457f63d1f3",
            ],
        ),
        (
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            [
                "000000208b1df1d665d77de5592f346d897c6ae8f28c379cbec4210443cd889bb37945c7\
                2d5d4e2f0b2509ae023d34436210bcc1",
                "000000209f745e9dc3e72ec96f93b0fec9b1f024e494c4caac9dcd7674ced2deae4f2a61\
                9f709425ae30e24e52cefff335cc1da9",
            ],
        ),
    ];

    #[test]
    fn known_packets() {
        let iv = hex("cafebabefacedbaddecaf888");
        for (key, packets) in VECTORS {
            let key = hex(key);
            let mut sealers = vec![portable::sealer(&key, &iv).unwrap()];
            let mut openers = vec![portable::opener(&key, &iv).unwrap()];
            sealers.push(chosen::sealer(&key, &iv).unwrap());
            openers.push(chosen::opener(&key, &iv).unwrap());
            for expected in packets.map(hex) {
                let plain: Vec<u8> = [0, 0, 0, 32].into_iter().chain(0..32).collect();
                for sealer in &mut sealers {
                    let mut packet = plain.clone();
                    packet.resize(plain.len() + TAG_LEN, 0xaa);
                    sealer.seal(9, &mut packet).unwrap();
                    assert_eq!(packet, expected);
                }
                for opener in &mut openers {
                    let mut packet = expected.clone();
                    assert_eq!(opener.open_length(9, &mut packet[..4]).unwrap(), 32);
                    opener.open(9, &mut packet).unwrap();
                    assert_eq!(packet[..plain.len()], plain);
                }
            }
        }
    }

    #[cfg(feature = "fast-crypto")]
    type Halves = (Box<dyn SealPacket>, Box<dyn OpenPacket>);

    #[cfg(feature = "fast-crypto")]
    fn both<G: Gcm>(key: &[u8], iv: &[u8]) -> Halves {
        (
            Box::new(Direction::<G>::new(key, iv).unwrap()),
            Box::new(Direction::<G>::new(key, iv).unwrap()),
        )
    }

    /// All providers agree about packets of every length around their strides and blocks, whichever is chosen.
    #[test]
    #[cfg(feature = "fast-crypto")]
    fn providers_agree() {
        let iv = hex("cafebabefacedbaddecaf888");
        for key_len in [16, 32] {
            let key: Vec<u8> = (0..key_len).map(|byte| byte ^ 0x5a).collect();
            let mut halves = vec![
                (
                    portable::sealer(&key, &iv).unwrap(),
                    portable::opener(&key, &iv).unwrap(),
                ),
                both::<aws_lc_rs::aead::LessSafeKey>(&key, &iv),
            ];
            #[cfg(target_arch = "x86_64")]
            halves.push(both::<vaes::Wiped>(&key, &iv));
            for length in (4..300).chain(4080..4110).chain([32_788, 35_000]) {
                let plain: Vec<u8> = (0..length).map(|at: usize| at.to_le_bytes()[0]).collect();
                let mut sealed = Vec::new();
                for (sealer, _) in &mut halves {
                    let mut packet = plain.clone();
                    packet.resize(length + TAG_LEN, 0);
                    sealer.seal(0, &mut packet).unwrap();
                    sealed.push(packet);
                }
                assert!(sealed.windows(2).all(|pair| pair[0] == pair[1]), "{length}");
                for (_, opener) in &mut halves {
                    let mut packet = sealed[0].clone();
                    opener.open(0, &mut packet).unwrap();
                    assert_eq!(packet[..length], plain);
                }
            }
            // One bit is wrong: of the length, of the body, of the tag.
            for at in [0, 40, 100 + TAG_LEN - 1] {
                let mut packet = vec![7; 100 + TAG_LEN];
                halves[0].0.seal(0, &mut packet).unwrap();
                packet[at] ^= 0x10;
                for (_, opener) in &mut halves {
                    assert!(opener.open(0, &mut packet.clone()).is_err());
                }
                for (sealer, _) in halves.iter_mut().skip(1) {
                    sealer.seal(0, &mut [7; 100 + TAG_LEN]).unwrap();
                }
            }
        }
    }

    #[test]
    fn counter_wraps_but_never_repeats() {
        let mut nonces = Nonces::new(&hex("01020304fffffffffffffffe")).unwrap();
        assert_eq!(nonces.next().unwrap()[..], hex("01020304fffffffffffffffe"));
        assert_eq!(nonces.next().unwrap()[..], hex("01020304ffffffffffffffff"));
        assert_eq!(nonces.next().unwrap()[..], hex("010203040000000000000000"));
        nonces.counter = Some(nonces.first.wrapping_sub(1));
        assert_eq!(nonces.next().unwrap()[..], hex("01020304fffffffffffffffd"));
        assert!(nonces.next().is_err());
        assert!(nonces.next().is_err());
    }

    #[test]
    fn wrong_lengths() {
        for (key, iv) in [(16, 11), (16, 13), (16, 16), (0, 12), (24, 12), (33, 12)] {
            let (key, iv) = (vec![0; key], vec![0; iv]);
            assert!(portable::sealer(&key, &iv).is_err());
            assert!(portable::opener(&key, &iv).is_err());
            assert!(chosen::sealer(&key, &iv).is_err());
            assert!(chosen::opener(&key, &iv).is_err());
        }
    }
}
