//! Packets as they are before the first NEWKEYS (RFC 4253 §6: cipher and MAC "none").

use super::{read_length, OpenPacket, SealPacket};
use crate::crypto::residue::Depth;
use crate::crypto::CryptoError;

/// RFC 4253 §6: packets without a cipher are padded to 8 bytes.
const BLOCK_LEN: usize = 8;

/// Both directions, for there is no state.
pub(super) struct Plain;

impl SealPacket for Plain {
    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn length_is_aligned(&self) -> bool {
        true
    }

    fn tag_len(&self) -> usize {
        0
    }

    fn depth(&self) -> Depth {
        Depth::Nowhere
    }

    fn seal(&mut self, _sequence: u32, _packet: &mut [u8]) -> Result<(), CryptoError> {
        Ok(())
    }
}

impl OpenPacket for Plain {
    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn length_is_aligned(&self) -> bool {
        true
    }

    fn tag_len(&self) -> usize {
        0
    }

    fn depth(&self) -> Depth {
        Depth::Nowhere
    }

    fn head_len(&self) -> usize {
        4
    }

    fn open_length(&mut self, _sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        read_length(head)
    }

    fn open(&mut self, _sequence: u32, _packet: &mut [u8]) -> Result<(), CryptoError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_packets_alone() {
        let mut packet = [0, 0, 0, 12, 10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let before = packet;
        Plain.seal(0, &mut packet).unwrap();
        assert_eq!(Plain.open_length(0, &mut packet[..4]).unwrap(), 12);
        Plain.open(0, &mut packet).unwrap();
        assert_eq!(packet, before);
        assert!(Plain.open_length(0, &mut packet[..3]).is_err());
    }
}
