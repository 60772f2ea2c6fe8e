//! A cipher without authentication together with HMAC, over the plain packet (RFC 4253 §6.4) or over the
//! encrypted one (the `-etm@openssh.com` MACs).

use super::hmac::PacketMac;
use super::{read_length, split_length, split_tag, OpenPacket, SealPacket};
use crate::crypto::algorithms::MacAlgorithm;
use crate::crypto::CryptoError;

/// One direction of a cipher: it encrypts, or it decrypts, and its state runs on from packet to packet.
pub(super) trait Transform: Send + 'static {
    /// Bytes of a block.
    fn block_len(&self) -> usize;
    /// What [`OpenPacket::length_is_secret`] says where the MAC covers the plain packet.
    fn length_is_secret(&self) -> bool;
    /// Works in place on whole blocks.
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), CryptoError>;
}

/// The outgoing half of an encrypting transform with this MAC.
pub(super) fn sealer(
    transform: impl Transform,
    mac: &MacAlgorithm,
    mac_key: &[u8],
) -> Result<Box<dyn SealPacket>, CryptoError> {
    let packet_mac = PacketMac::new(mac, mac_key)?;
    Ok(if mac.etm {
        Box::new(EncryptThenMac {
            transform,
            packet_mac,
        })
    } else {
        Box::new(EncryptAndMac {
            transform,
            packet_mac,
        })
    })
}

/// The incoming half of a decrypting transform with this MAC.
pub(super) fn opener(
    transform: impl Transform,
    mac: &MacAlgorithm,
    mac_key: &[u8],
) -> Result<Box<dyn OpenPacket>, CryptoError> {
    let packet_mac = PacketMac::new(mac, mac_key)?;
    Ok(if mac.etm {
        Box::new(EncryptThenMac {
            transform,
            packet_mac,
        })
    } else {
        Box::new(EncryptAndMac {
            transform,
            packet_mac,
        })
    })
}

/// The length stays in clear; the MAC covers it and the encrypted rest, and is checked first.
struct EncryptThenMac<T> {
    transform: T,
    packet_mac: PacketMac,
}

impl<T: Transform> SealPacket for EncryptThenMac<T> {
    fn block_len(&self) -> usize {
        self.transform.block_len()
    }

    fn length_is_aligned(&self) -> bool {
        false
    }

    fn tag_len(&self) -> usize {
        self.packet_mac.tag_len()
    }

    fn seal(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (packet, tag) = split_tag(packet, self.packet_mac.tag_len())?;
        let (_, body) = split_length(packet)?;
        self.transform.apply(body)?;
        self.packet_mac.sign(sequence, packet, tag)
    }
}

impl<T: Transform> OpenPacket for EncryptThenMac<T> {
    fn block_len(&self) -> usize {
        self.transform.block_len()
    }

    fn length_is_aligned(&self) -> bool {
        false
    }

    fn tag_len(&self) -> usize {
        self.packet_mac.tag_len()
    }

    fn head_len(&self) -> usize {
        4
    }

    fn open_length(&mut self, _sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        read_length(head)
    }

    fn open(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (packet, tag) = split_tag(packet, self.packet_mac.tag_len())?;
        self.packet_mac.verify(sequence, packet, tag)?;
        let (_, body) = split_length(packet)?;
        self.transform.apply(body)
    }
}

/// Everything is encrypted, the length too; the MAC covers the plain packet.
struct EncryptAndMac<T> {
    transform: T,
    packet_mac: PacketMac,
}

impl<T: Transform> SealPacket for EncryptAndMac<T> {
    fn block_len(&self) -> usize {
        self.transform.block_len()
    }

    fn length_is_aligned(&self) -> bool {
        true
    }

    fn tag_len(&self) -> usize {
        self.packet_mac.tag_len()
    }

    fn seal(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (packet, tag) = split_tag(packet, self.packet_mac.tag_len())?;
        split_length(packet)?;
        self.packet_mac.sign(sequence, packet, tag)?;
        self.transform.apply(packet)
    }
}

impl<T: Transform> OpenPacket for EncryptAndMac<T> {
    fn block_len(&self) -> usize {
        self.transform.block_len()
    }

    fn length_is_aligned(&self) -> bool {
        true
    }

    fn tag_len(&self) -> usize {
        self.packet_mac.tag_len()
    }

    /// The first block: less cannot be decrypted by itself.
    fn head_len(&self) -> usize {
        self.transform.block_len()
    }

    fn length_is_secret(&self) -> bool {
        self.transform.length_is_secret()
    }

    fn open_length(&mut self, _sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        let block = head
            .get_mut(..self.transform.block_len())
            .ok_or(CryptoError)?;
        self.transform.apply(block)?;
        read_length(block)
    }

    fn open(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (packet, tag) = split_tag(packet, self.packet_mac.tag_len())?;
        let rest = packet
            .get_mut(self.transform.block_len()..)
            .ok_or(CryptoError)?;
        self.transform.apply(rest)?;
        self.packet_mac.verify(sequence, packet, tag)
    }
}
