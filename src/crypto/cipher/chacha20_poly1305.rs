//! `chacha20-poly1305@openssh.com`: ChaCha20 with a 64-bit nonce, which is the sequence number, under
//! two keys. The second key encrypts packet_length alone, the first one the rest; Poly1305, keyed for
//! each packet with the first block of the first key's stream, covers both.

use super::{split_length, OpenPacket, SealPacket};
use crate::crypto::CryptoError;

#[cfg(feature = "fast-crypto")]
pub(super) use fast as chosen;
#[cfg(not(feature = "fast-crypto"))]
pub(super) use portable as chosen;

/// Packets are padded to 8 bytes, as with every stream cipher (RFC 4253 §6).
const BLOCK_LEN: usize = 8;
const TAG_LEN: usize = 16;
const KEY_LEN: usize = 64;
/// packet_length, which is encrypted with a key of its own.
const LENGTH_LEN: usize = 4;

/// What a provider does with the keys of the outgoing direction.
trait Seal: Send + Sized + 'static {
    fn new(key: &[u8; KEY_LEN]) -> Self;
    /// Encrypts the packet, packet_length first, and writes its tag.
    fn seal(
        &self,
        sequence: u32,
        packet: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), CryptoError>;
}

/// What a provider does with the keys of the incoming direction.
trait Open: Send + Sized + 'static {
    fn new(key: &[u8; KEY_LEN]) -> Self;
    /// Decrypts packet_length, which nothing vouches for yet.
    fn length(&self, sequence: u32, encrypted: [u8; 4]) -> Result<[u8; 4], CryptoError>;
    /// Checks the tag, then decrypts all but packet_length.
    fn open(
        &self,
        sequence: u32,
        packet: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError>;
}

struct Sealer<S>(S);
struct Opener<O>(O);

impl<S: Seal> Sealer<S> {
    fn boxed(key: &[u8]) -> Result<Box<dyn SealPacket>, CryptoError> {
        let key = key.try_into().map_err(|_| CryptoError)?;
        Ok(Box::new(Sealer(S::new(key))))
    }
}

impl<O: Open> Opener<O> {
    fn boxed(key: &[u8]) -> Result<Box<dyn OpenPacket>, CryptoError> {
        let key = key.try_into().map_err(|_| CryptoError)?;
        Ok(Box::new(Opener(O::new(key))))
    }
}

impl<S: Seal> SealPacket for Sealer<S> {
    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn length_is_aligned(&self) -> bool {
        false
    }

    fn tag_len(&self) -> usize {
        TAG_LEN
    }

    fn seal(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (packet, tag) = split_packet(packet)?;
        self.0.seal(sequence, packet, tag)
    }
}

impl<O: Open> OpenPacket for Opener<O> {
    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn length_is_aligned(&self) -> bool {
        false
    }

    fn tag_len(&self) -> usize {
        TAG_LEN
    }

    fn head_len(&self) -> usize {
        4
    }

    /// Leaves the head as it is, for the tag covers the encrypted length.
    fn open_length(&mut self, sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        let encrypted = head.first_chunk().ok_or(CryptoError)?;
        Ok(u32::from_be_bytes(self.0.length(sequence, *encrypted)?))
    }

    fn open(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (packet, tag) = split_packet(packet)?;
        self.0.open(sequence, packet, tag)
    }
}

/// The packet, which begins with at least packet_length, and its tag.
fn split_packet(packet: &mut [u8]) -> Result<(&mut [u8], &mut [u8; TAG_LEN]), CryptoError> {
    let (packet, tag) = packet.split_last_chunk_mut().ok_or(CryptoError)?;
    split_length(packet)?;
    Ok((packet, tag))
}

/// The portable provider: `chacha20` and `poly1305`. Where the processor has AVX-512 it is the faster one, too.
#[cfg_attr(feature = "fast-crypto", allow(dead_code))]
pub(super) mod portable {
    use chacha20::cipher::{KeyIvInit, StreamCipher};
    use chacha20::ChaCha20Legacy;
    use poly1305::universal_hash::{KeyInit, UniversalHash};
    use poly1305::Poly1305;
    use subtle::ConstantTimeEq;
    use zeroize::Zeroizing;

    use super::{
        split_length, CryptoError, Open, OpenPacket, Opener, Seal, SealPacket, Sealer, KEY_LEN,
        LENGTH_LEN, TAG_LEN,
    };

    /// The outgoing half.
    pub(in super::super) fn sealer(key: &[u8]) -> Result<Box<dyn SealPacket>, CryptoError> {
        Sealer::<Keys>::boxed(key)
    }

    /// The incoming half.
    pub(in super::super) fn opener(key: &[u8]) -> Result<Box<dyn OpenPacket>, CryptoError> {
        Opener::<Keys>::boxed(key)
    }

    /// Bytes encrypted and authenticated at a time, so that the second finds in the cache what the first has written.
    const STRIDE: usize = 4096;
    const POLY1305_BLOCK: usize = 16;

    struct Keys {
        body: Zeroizing<[u8; 32]>,
        length: Zeroizing<[u8; 32]>,
    }

    impl Keys {
        fn from_bytes(key: &[u8; KEY_LEN]) -> Self {
            let mut keys = Keys {
                body: Zeroizing::new([0; 32]),
                length: Zeroizing::new([0; 32]),
            };
            let halves = keys.body.iter_mut().chain(keys.length.iter_mut());
            for (to, from) in halves.zip(key) {
                *to = *from;
            }
            keys
        }

        fn apply_to_length(&self, sequence: u32, length: &mut [u8; 4]) -> Result<(), CryptoError> {
            stream(&self.length, sequence)
                .try_apply_keystream(length)
                .map_err(|_| CryptoError)
        }

        /// The packet's Poly1305, and the stream for its body, which begins at the second block.
        fn packet_keys(&self, sequence: u32) -> Result<(Poly1305, ChaCha20Legacy), CryptoError> {
            let mut stream = stream(&self.body, sequence);
            let mut block = Zeroizing::new([0; 64]);
            stream
                .try_apply_keystream(&mut *block)
                .map_err(|_| CryptoError)?;
            let key = block.first_chunk::<32>().ok_or(CryptoError)?;
            Ok((Poly1305::new(key.into()), stream))
        }
    }

    /// The tag of a packet whose last part, of any length, is `rest`; whole blocks go a faster way.
    fn finish(mut mac: Poly1305, rest: &[u8]) -> [u8; TAG_LEN] {
        let whole = rest.len() - rest.len() % POLY1305_BLOCK;
        let (blocks, tail) = rest.split_at(whole);
        mac.update_padded(blocks);
        mac.compute_unpadded(tail).into()
    }

    fn stream(key: &[u8; 32], sequence: u32) -> ChaCha20Legacy {
        ChaCha20Legacy::new(key.into(), &u64::from(sequence).to_be_bytes().into())
    }

    impl Seal for Keys {
        fn new(key: &[u8; KEY_LEN]) -> Self {
            Keys::from_bytes(key)
        }

        fn seal(
            &self,
            sequence: u32,
            packet: &mut [u8],
            tag: &mut [u8; TAG_LEN],
        ) -> Result<(), CryptoError> {
            let (mut mac, mut stream) = self.packet_keys(sequence)?;
            self.apply_to_length(sequence, split_length(packet)?.0)?;
            // Both go by whole blocks: encryption is ahead by the length, which has a key of its own.
            let (mut authenticated, mut encrypted) = (0, LENGTH_LEN);
            while encrypted < packet.len() {
                let end = packet.len().min(encrypted + STRIDE);
                let stride = packet.get_mut(encrypted..end).ok_or(CryptoError)?;
                stream
                    .try_apply_keystream(stride)
                    .map_err(|_| CryptoError)?;
                encrypted = end;
                if let Some(whole) = packet.get(authenticated..authenticated + STRIDE) {
                    if authenticated + STRIDE <= encrypted {
                        mac.update_padded(whole);
                        authenticated += STRIDE;
                    }
                }
            }
            *tag = finish(mac, packet.get(authenticated..).ok_or(CryptoError)?);
            Ok(())
        }
    }

    impl Open for Keys {
        fn new(key: &[u8; KEY_LEN]) -> Self {
            Keys::from_bytes(key)
        }

        fn length(&self, sequence: u32, encrypted: [u8; 4]) -> Result<[u8; 4], CryptoError> {
            let mut length = encrypted;
            self.apply_to_length(sequence, &mut length)?;
            Ok(length)
        }

        fn open(
            &self,
            sequence: u32,
            packet: &mut [u8],
            tag: &[u8; TAG_LEN],
        ) -> Result<(), CryptoError> {
            let (mac, mut stream) = self.packet_keys(sequence)?;
            let expected = finish(mac, packet);
            if !bool::from(expected.ct_eq(tag)) {
                return Err(CryptoError);
            }
            let (_, body) = split_length(packet)?;
            stream.try_apply_keystream(body).map_err(|_| CryptoError)
        }
    }
}

/// The fast provider: aws-lc-rs.
#[cfg(feature = "fast-crypto")]
pub(super) mod fast {
    use aws_lc_rs::aead::chacha20_poly1305_openssh::{OpeningKey, SealingKey};

    use super::{
        portable, CryptoError, Open, OpenPacket, Opener, Seal, SealPacket, Sealer, KEY_LEN, TAG_LEN,
    };

    /// The outgoing half.
    pub(in super::super) fn sealer(key: &[u8]) -> Result<Box<dyn SealPacket>, CryptoError> {
        if has_wide_vectors() {
            return portable::sealer(key);
        }
        Sealer::<SealingKey>::boxed(key)
    }

    /// The incoming half.
    pub(in super::super) fn opener(key: &[u8]) -> Result<Box<dyn OpenPacket>, CryptoError> {
        if has_wide_vectors() {
            return portable::opener(key);
        }
        Opener::<OpeningKey>::boxed(key)
    }

    /// Whether `chacha20` was built to use AVX-512 (`.cargo/config.toml`) and the processor has it: then it and
    /// `poly1305` do 2.1 GB/s where aws-lc-rs does 1.7.
    fn has_wide_vectors() -> bool {
        #[cfg(all(chacha20_avx512, target_arch = "x86_64"))]
        {
            std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512vl")
        }
        #[cfg(not(all(chacha20_avx512, target_arch = "x86_64")))]
        {
            false
        }
    }

    impl Seal for SealingKey {
        fn new(key: &[u8; KEY_LEN]) -> Self {
            SealingKey::new(key)
        }

        fn seal(
            &self,
            sequence: u32,
            packet: &mut [u8],
            tag: &mut [u8; TAG_LEN],
        ) -> Result<(), CryptoError> {
            self.seal_in_place(sequence, packet, tag);
            Ok(())
        }
    }

    impl Open for OpeningKey {
        fn new(key: &[u8; KEY_LEN]) -> Self {
            OpeningKey::new(key)
        }

        fn length(&self, sequence: u32, encrypted: [u8; 4]) -> Result<[u8; 4], CryptoError> {
            Ok(self.decrypt_packet_length(sequence, encrypted))
        }

        fn open(
            &self,
            sequence: u32,
            packet: &mut [u8],
            tag: &[u8; TAG_LEN],
        ) -> Result<(), CryptoError> {
            self.open_in_place(sequence, packet, tag)
                .map_err(|_| CryptoError)?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::test_util::hex;

    /// Key 00 01 .. 3f, sequence number 0x01020304, body 00 01 .. 27: made with the ChaCha20 and
    /// Poly1305 of pyca/cryptography.
    #[test]
    fn known_packet() {
        let expected = hex(
            "bc79805396c31eb1df1420aedc642ef7a44d547b113c06c427ac7bc9956b56b13d4731c7\
                40fc02620155df669a34bb7c5ee2a63c54418ad83aa59903",
        );
        let key: Vec<u8> = (0..64).collect();
        let plain: Vec<u8> = [0, 0, 0, 40].into_iter().chain(0..40).collect();
        let sealers = [portable::sealer(&key), chosen::sealer(&key)];
        for mut sealer in sealers.map(Result::unwrap) {
            let mut packet = plain.clone();
            packet.resize(plain.len() + TAG_LEN, 0xaa);
            sealer.seal(0x0102_0304, &mut packet).unwrap();
            assert_eq!(packet, expected);
        }
        let openers = [portable::opener(&key), chosen::opener(&key)];
        for mut opener in openers.map(Result::unwrap) {
            let mut packet = expected.clone();
            let length = opener.open_length(0x0102_0304, &mut packet[..4]);
            assert_eq!(length, Ok(40));
            opener.open(0x0102_0304, &mut packet).unwrap();
            assert_eq!(packet[4..plain.len()], plain[4..]);
            let mut packet = expected.clone();
            assert!(opener.open(0x0102_0305, &mut packet).is_err());
        }
    }

    /// Both providers agree about packets of every length around their strides and blocks.
    #[test]
    #[cfg(feature = "fast-crypto")]
    fn providers_agree() {
        use aws_lc_rs::aead::chacha20_poly1305_openssh::{OpeningKey, SealingKey};
        let key: Vec<u8> = (0..64).map(|byte| byte ^ 0x5a).collect();
        let mut portable = (
            portable::sealer(&key).unwrap(),
            portable::opener(&key).unwrap(),
        );
        let mut fast = (
            super::Sealer::<SealingKey>::boxed(&key).unwrap(),
            super::Opener::<OpeningKey>::boxed(&key).unwrap(),
        );
        let lengths = (4..200).chain(4080..4110).chain(8180..8210).chain([35_000]);
        for (sequence, length) in (7..).zip(lengths) {
            let plain: Vec<u8> = (0..length).map(|at: usize| at.to_le_bytes()[0]).collect();
            let mut packets = [plain.clone(), plain.clone()];
            for packet in &mut packets {
                packet.resize(length + TAG_LEN, 0);
            }
            let [ours, theirs] = &mut packets;
            portable.0.seal(sequence, ours).unwrap();
            fast.0.seal(sequence, theirs).unwrap();
            assert_eq!(ours, theirs, "{length}");
            portable.1.open(sequence, theirs).unwrap();
            fast.1.open(sequence, ours).unwrap();
            assert_eq!(ours[4..length], plain[4..]);
            assert_eq!(theirs[4..length], plain[4..]);
        }
    }

    #[test]
    fn wrong_lengths() {
        for len in [0, 32, 63, 65] {
            let key = vec![0; len];
            assert!(portable::sealer(&key).is_err());
            assert!(portable::opener(&key).is_err());
            assert!(chosen::sealer(&key).is_err());
            assert!(chosen::opener(&key).is_err());
        }
        let mut sealer = chosen::sealer(&[0; KEY_LEN]).unwrap();
        assert!(sealer.seal(0, &mut [0; TAG_LEN + 3]).is_err());
    }
}
