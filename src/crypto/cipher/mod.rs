//! Protection of packets: one object per direction that knows cipher, MAC and their order.

mod aes_ctr;
mod aes_gcm;
mod cbc;
mod chacha20_poly1305;
mod hmac;
mod plain;
mod with_mac;

#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use super::algorithms::{self, name, CipherAlgorithm, MacAlgorithm};
use super::residue::{self, Depth};
use super::CryptoError;

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
    /// How deep [`seal`](Self::seal) goes.
    fn depth(&self) -> Depth {
        Depth::Deep
    }
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
    /// How deep [`open_length`](Self::open_length) and [`open`](Self::open) go.
    fn depth(&self) -> Depth {
        Depth::Deep
    }
    /// Bytes that must have arrived before [`open_length`](Self::open_length) can be called.
    fn head_len(&self) -> usize;
    /// Whether nobody may learn if the decrypted length was plausible (CBC with the MAC over the plain packet):
    /// a packet with a wrong one must end the stream exactly as one with a wrong MAC does.
    fn length_is_secret(&self) -> bool {
        false
    }
    /// Reads packet_length from the first [`head_len`](Self::head_len) bytes of a packet; called exactly once
    /// per packet. Where the length is encrypted with the packet, this decrypts these bytes in place.
    fn open_length(&mut self, sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError>;
    /// Checks and decrypts in place the whole packet including its tag, after `open_length` has seen its
    /// head. On success `packet[4..len - tag_len]` is `padding_length || payload || padding`.
    /// On failure the content is unspecified and must not be used.
    fn open(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError>;
}

/// The outgoing half for a negotiated cipher and MAC (`None` for AEAD ciphers).
///
/// Fails when a key is not exactly as long as its algorithm asks, or when a MAC is given to a cipher
/// that has none or is missing for one that needs it.
pub fn sealer(
    cipher: &CipherAlgorithm,
    mac: Option<&MacAlgorithm>,
    keys: &DirectionKeys,
) -> Result<Box<dyn SealPacket>, CryptoError> {
    check(cipher, mac, keys)?;
    residue::after_keys(|| keyed_sealer(cipher, mac, keys))
}

fn keyed_sealer(
    cipher: &CipherAlgorithm,
    mac: Option<&MacAlgorithm>,
    keys: &DirectionKeys,
) -> Result<Box<dyn SealPacket>, CryptoError> {
    if let Some(mac) = mac {
        return if algorithms::is_cbc(cipher) {
            with_mac::sealer(cbc::Encrypting::new(cipher, keys)?, mac, &keys.mac_key)
        } else {
            with_mac::sealer(aes_ctr::KeyStream::new(cipher, keys)?, mac, &keys.mac_key)
        };
    }
    match cipher.name {
        name::AES128_GCM | name::AES256_GCM => aes_gcm::chosen::sealer(&keys.key, &keys.iv),
        name::CHACHA20_POLY1305 => chacha20_poly1305::chosen::sealer(&keys.key),
        _ => Err(CryptoError),
    }
}

/// The incoming half for a negotiated cipher and MAC (`None` for AEAD ciphers).
///
/// Fails as [`sealer`] does.
pub fn opener(
    cipher: &CipherAlgorithm,
    mac: Option<&MacAlgorithm>,
    keys: &DirectionKeys,
) -> Result<Box<dyn OpenPacket>, CryptoError> {
    check(cipher, mac, keys)?;
    residue::after_keys(|| keyed_opener(cipher, mac, keys))
}

fn keyed_opener(
    cipher: &CipherAlgorithm,
    mac: Option<&MacAlgorithm>,
    keys: &DirectionKeys,
) -> Result<Box<dyn OpenPacket>, CryptoError> {
    if let Some(mac) = mac {
        return if algorithms::is_cbc(cipher) {
            with_mac::opener(cbc::Decrypting::new(cipher, keys)?, mac, &keys.mac_key)
        } else {
            with_mac::opener(aes_ctr::KeyStream::new(cipher, keys)?, mac, &keys.mac_key)
        };
    }
    match cipher.name {
        name::AES128_GCM | name::AES256_GCM => aes_gcm::chosen::opener(&keys.key, &keys.iv),
        name::CHACHA20_POLY1305 => chacha20_poly1305::chosen::opener(&keys.key),
        _ => Err(CryptoError),
    }
}

/// No protection: the state before the first NEWKEYS.
pub fn plain_sealer() -> Box<dyn SealPacket> {
    Box::new(plain::Plain)
}

/// No protection: the state before the first NEWKEYS.
pub fn plain_opener() -> Box<dyn OpenPacket> {
    Box::new(plain::Plain)
}

/// Refuses keys of other lengths than the cipher's, and a cipher and a MAC that do not belong together.
fn check(
    cipher: &CipherAlgorithm,
    mac: Option<&MacAlgorithm>,
    keys: &DirectionKeys,
) -> Result<(), CryptoError> {
    let lengths_fit = keys.key.len() == cipher.key_len && keys.iv.len() == cipher.iv_len;
    if !lengths_fit || cipher.aead == mac.is_some() {
        return Err(CryptoError);
    }
    Ok(())
}

/// Takes packet_length off the front of a packet.
fn split_length(packet: &mut [u8]) -> Result<(&mut [u8; 4], &mut [u8]), CryptoError> {
    packet.split_first_chunk_mut().ok_or(CryptoError)
}

/// Takes a tag of `tag_len` bytes off the end of a packet.
fn split_tag(packet: &mut [u8], tag_len: usize) -> Result<(&mut [u8], &mut [u8]), CryptoError> {
    let end = packet.len().checked_sub(tag_len).ok_or(CryptoError)?;
    packet.split_at_mut_checked(end).ok_or(CryptoError)
}

/// Reads packet_length in clear.
fn read_length(head: &[u8]) -> Result<u32, CryptoError> {
    let length = head.first_chunk().ok_or(CryptoError)?;
    Ok(u32::from_be_bytes(*length))
}
