//! Protection of packets: one object per direction that knows cipher, MAC and their order.

use super::CryptoError;
use crate::crypto::algorithms::{CipherAlgorithm, MacAlgorithm};
use zeroize::Zeroizing;

/// Keys of one direction, derived as in RFC 4253 §7.2, each exactly as long as the algorithm asks.
#[derive(Clone)]
pub struct DirectionKeys {
    /// Initial IV.
    pub iv: Zeroizing<Vec<u8>>,
    /// Encryption key.
    pub key: Zeroizing<Vec<u8>>,
    /// Integrity key; empty for AEAD ciphers.
    pub mac_key: Zeroizing<Vec<u8>>,
}

/// Protects outgoing packets.
pub trait SealPacket: Send {
    /// `packet_length || padding_length || payload || padding`, without the 4 length bytes where
    /// [`length_is_aligned`](Self::length_is_aligned) is false, must be a multiple of this.
    fn block_len(&self) -> usize;
    /// Whether the 4 bytes of packet_length count towards the alignment (false for AEAD and EtM).
    fn length_is_aligned(&self) -> bool;
    /// Bytes of tag or MAC after the packet.
    fn tag_len(&self) -> usize;
    /// Seals in place. `packet` is the plain packet, packet_length first, followed by
    /// [`tag_len`](Self::tag_len) bytes that are overwritten.
    fn seal(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError>;
}

/// Opens incoming packets.
pub trait OpenPacket: Send {
    /// Alignment as in [`SealPacket::block_len`].
    fn block_len(&self) -> usize;
    /// As in [`SealPacket::length_is_aligned`].
    fn length_is_aligned(&self) -> bool;
    /// Bytes of tag or MAC after the packet.
    fn tag_len(&self) -> usize;
    /// Bytes that must have arrived before [`open_length`](Self::open_length) can be called.
    fn head_len(&self) -> usize;
    /// Reads packet_length from the first [`head_len`](Self::head_len) bytes of a packet; called exactly once
    /// per packet. CTR without EtM decrypts these bytes in place.
    fn open_length(&mut self, sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError>;
    /// Checks and decrypts in place the whole packet including its tag, after `open_length` has seen its
    /// head. On success `packet[4..len - tag_len]` is `padding_length || payload || padding`.
    /// On failure the content is unspecified and must not be used.
    fn open(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError>;
}

/// The outgoing half for a negotiated cipher and MAC (`None` for AEAD ciphers).
pub fn sealer(
    cipher: &CipherAlgorithm,
    mac: Option<&MacAlgorithm>,
    keys: &DirectionKeys,
) -> Result<Box<dyn SealPacket>, CryptoError> {
    let _ = (cipher, mac, keys);
    todo!()
}

/// The incoming half for a negotiated cipher and MAC (`None` for AEAD ciphers).
pub fn opener(
    cipher: &CipherAlgorithm,
    mac: Option<&MacAlgorithm>,
    keys: &DirectionKeys,
) -> Result<Box<dyn OpenPacket>, CryptoError> {
    let _ = (cipher, mac, keys);
    todo!()
}

/// No protection: the state before the first NEWKEYS.
pub fn plain_sealer() -> Box<dyn SealPacket> {
    todo!()
}

/// No protection: the state before the first NEWKEYS.
pub fn plain_opener() -> Box<dyn OpenPacket> {
    todo!()
}
