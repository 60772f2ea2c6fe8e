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
    /// Checks the tag, then decrypts all but packet_length: where the tag is wrong the packet stays as it is.
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

/// The portable provider: `chacha20` and `poly1305`. Where the processor has AVX-512 it is the faster one for long packets, too.
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

    /// Bytes of a block of the stream.
    const BLOCK: usize = 64;
    /// So many blocks of the stream the crate makes at once with AVX-512. It makes a single one, or a part of one, at three times the cost
    /// of all of them.
    const GROUP: usize = 16 * BLOCK;
    /// With narrower vectors it makes so many at once.
    const FEW: usize = 4 * BLOCK;
    /// So much of the body goes with the first block, which keys the MAC.
    const FRONT: usize = GROUP - BLOCK;
    const POLY1305_KEY_LEN: usize = 32;

    /// The outgoing half.
    pub(in super::super) fn sealer(key: &[u8]) -> Result<Box<dyn SealPacket>, CryptoError> {
        Sealer::<Keys>::boxed(key)
    }

    /// The incoming half.
    pub(in super::super) fn opener(key: &[u8]) -> Result<Box<dyn OpenPacket>, CryptoError> {
        Opener::<Keys>::boxed(key)
    }

    const POLY1305_BLOCK: usize = 16;

    pub(super) struct Keys {
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

        fn apply_to_length(
            &self,
            sequence: u32,
            length: &mut [u8; LENGTH_LEN],
        ) -> Result<(), CryptoError> {
            let mut room = Zeroizing::new([0; FEW]);
            apply_apart(&mut *room, &mut stream(&self.length, sequence), length)
        }
    }

    /// The stream for the body of one packet.
    struct Body {
        stream: ChaCha20Legacy,
        group: Zeroizing<[u8; GROUP]>,
    }

    impl Body {
        /// Keys the packet's MAC, and applies the stream on the way to a copy of the front of its body, which nobody sees unless the
        /// tag is right.
        fn begin(
            key: &[u8; 32],
            sequence: u32,
            front: &[u8],
        ) -> Result<(Self, Poly1305), CryptoError> {
            let mut stream = stream(key, sequence);
            let mut group = Zeroizing::new([0; GROUP]);
            group
                .get_mut(BLOCK..BLOCK + front.len())
                .ok_or(CryptoError)?
                .copy_from_slice(front);
            let used = (BLOCK + front.len()).next_multiple_of(FEW);
            let used = group.get_mut(..used).ok_or(CryptoError)?;
            stream.try_apply_keystream(used).map_err(|_| CryptoError)?;
            let key = group.first_chunk::<POLY1305_KEY_LEN>();
            let mac = Poly1305::new(key.ok_or(CryptoError)?.into());
            Ok((Body { stream, group }, mac))
        }

        /// Puts the front in its place, and applies the stream to the rest.
        fn finish(mut self, front: &mut [u8], rest: &mut [u8]) -> Result<(), CryptoError> {
            let made = self.group.get(BLOCK..BLOCK + front.len());
            front.copy_from_slice(made.ok_or(CryptoError)?);
            let (groups, last) = rest.split_at_mut(rest.len() - rest.len() % GROUP);
            self.stream
                .try_apply_keystream(groups)
                .map_err(|_| CryptoError)?;
            if last.is_empty() {
                return Ok(());
            }
            apply_apart(&mut *self.group, &mut self.stream, last)
        }
    }

    /// Applies the stream to a part of a group, in `room` for as much of it as goes together.
    fn apply_apart(
        room: &mut [u8],
        stream: &mut ChaCha20Legacy,
        part: &mut [u8],
    ) -> Result<(), CryptoError> {
        let place = room.get_mut(..part.len()).ok_or(CryptoError)?;
        place.copy_from_slice(part);
        let used = room.get_mut(..part.len().next_multiple_of(FEW));
        stream
            .try_apply_keystream(used.ok_or(CryptoError)?)
            .map_err(|_| CryptoError)?;
        let made = room.get(..part.len()).ok_or(CryptoError)?;
        part.copy_from_slice(made);
        Ok(())
    }

    /// The front of a body and the rest of it.
    fn split_front(body: &mut [u8]) -> (&mut [u8], &mut [u8]) {
        body.split_at_mut(body.len().min(FRONT))
    }

    /// The tag of a packet; whole blocks go a faster way.
    fn tag_of(mut mac: Poly1305, packet: &[u8]) -> [u8; TAG_LEN] {
        let (blocks, tail) = packet.split_at(packet.len() - packet.len() % POLY1305_BLOCK);
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
            let (length, body) = split_length(packet)?;
            let (front, rest) = split_front(body);
            let (body, mac) = Body::begin(&self.body, sequence, front)?;
            body.finish(front, rest)?;
            self.apply_to_length(sequence, length)?;
            *tag = tag_of(mac, packet);
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
            let (_, body) = split_length(packet)?;
            let (front, _) = split_front(body);
            let (body, mac) = Body::begin(&self.body, sequence, front)?;
            if !bool::from(tag_of(mac, packet).ct_eq(tag)) {
                return Err(CryptoError);
            }
            let (front, rest) = split_front(split_length(packet)?.1);
            body.finish(front, rest)
        }
    }
}

/// The fast provider: aws-lc-rs, and for long packets what is faster on the processor at hand.
#[cfg(feature = "fast-crypto")]
pub(super) mod fast {
    use aws_lc_rs::aead::chacha20_poly1305_openssh::{OpeningKey, SealingKey};

    use super::portable::Keys;
    use super::{
        CryptoError, Open, OpenPacket, Opener, Seal, SealPacket, Sealer, KEY_LEN, TAG_LEN,
    };

    /// The outgoing half.
    pub(in super::super) fn sealer(key: &[u8]) -> Result<Box<dyn SealPacket>, CryptoError> {
        if has_wide_vectors() {
            return Sealer::<ByLength<SealingKey>>::boxed(key);
        }
        Sealer::<SealingKey>::boxed(key)
    }

    /// The incoming half.
    pub(in super::super) fn opener(key: &[u8]) -> Result<Box<dyn OpenPacket>, CryptoError> {
        if has_wide_vectors() {
            return Opener::<ByLength<OpeningKey>>::boxed(key);
        }
        Opener::<OpeningKey>::boxed(key)
    }

    /// Whether `chacha20` was built to use AVX-512 (`.cargo/config.toml`) and the processor has it: then it and
    /// `poly1305` do 2.7 GB/s where aws-lc-rs does 1.9.
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

    /// Packets of so many bytes are long: `poly1305` takes as long to begin as aws-lc-rs does for a kilobyte.
    const LONG: usize = 6 * 1024;

    /// aws-lc-rs for short packets, and wide vectors for long ones.
    struct ByLength<K> {
        short: K,
        long: Keys,
    }

    impl Seal for ByLength<SealingKey> {
        fn new(key: &[u8; KEY_LEN]) -> Self {
            ByLength {
                short: SealingKey::new(key),
                long: <Keys as Seal>::new(key),
            }
        }

        fn seal(
            &self,
            sequence: u32,
            packet: &mut [u8],
            tag: &mut [u8; TAG_LEN],
        ) -> Result<(), CryptoError> {
            if packet.len() < LONG {
                return self.short.seal(sequence, packet, tag);
            }
            self.long.seal(sequence, packet, tag)
        }
    }

    /// Both halves by length, whatever the processor has.
    #[cfg(test)]
    pub(in super::super) fn by_length(key: &[u8]) -> (Box<dyn SealPacket>, Box<dyn OpenPacket>) {
        (
            Sealer::<ByLength<SealingKey>>::boxed(key).unwrap(),
            Opener::<ByLength<OpeningKey>>::boxed(key).unwrap(),
        )
    }

    impl Open for ByLength<OpeningKey> {
        fn new(key: &[u8; KEY_LEN]) -> Self {
            ByLength {
                short: <OpeningKey as Open>::new(key),
                long: <Keys as Open>::new(key),
            }
        }

        fn length(&self, sequence: u32, encrypted: [u8; 4]) -> Result<[u8; 4], CryptoError> {
            self.short.length(sequence, encrypted)
        }

        fn open(
            &self,
            sequence: u32,
            packet: &mut [u8],
            tag: &[u8; TAG_LEN],
        ) -> Result<(), CryptoError> {
            if packet.len() < LONG {
                return self.short.open(sequence, packet, tag);
            }
            self.long.open(sequence, packet, tag)
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
        // Around a block, the front of a body, and groups behind it.
        let around = [964, 1028, 1988, 6144, 8132].map(|length| length - 20..length + 20);
        let lengths = (4..200).chain(around.into_iter().flatten()).chain([35_000]);
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
