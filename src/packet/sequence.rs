//! Sequence numbers (RFC 4253 §6.4) and what was carried under one set of keys.

use crate::error::{Error, PeerMisbehaved};

/// Packets and bytes of one direction since its keys were installed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire, tags included.
    pub bytes: u64,
}

impl Counters {
    fn plus(self, other: Counters) -> Counters {
        Counters {
            packets: self.packets.saturating_add(other.packets),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// The sequence number of the next packet of one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequence {
    next: u32,
    keyed: bool,
    counters: Counters,
    /// Under all keys before these.
    earlier: Counters,
}

impl Sequence {
    pub(super) fn new() -> Self {
        Sequence {
            next: 0,
            keyed: false,
            counters: Counters::default(),
            earlier: Counters::default(),
        }
    }

    /// The number of the next packet.
    pub(super) fn current(&self) -> u32 {
        self.next
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// Under all keys there were.
    pub(super) fn total(&self) -> Counters {
        self.counters.plus(self.earlier)
    }

    /// Whether one more packet may be carried under the present keys. chacha20-poly1305 and the MACs take
    /// the sequence number as their nonce, so 2^32 packets under one key is where numbers would repeat.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.counters.packets > u64::from(u32::MAX) {
            return Err(PeerMisbehaved::Rekey("no new keys within 2^32 packets").into());
        }
        Ok(())
    }

    /// Counts a packet of `bytes` bytes.
    pub(super) fn advance(&mut self, bytes: usize) -> Result<(), Error> {
        let (next, wrapped) = self.next.overflowing_add(1);
        // A wrap before the first keys lets an attacker choose the number that the first sealed packet
        // gets, which is what strict key exchange prevents (CVE-2023-48795).
        if wrapped && !self.keyed {
            return Err(PeerMisbehaved::SequenceWrapped.into());
        }
        self.next = next;
        self.counters.packets = self.counters.packets.saturating_add(1);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.counters.bytes = self.counters.bytes.saturating_add(bytes);
        Ok(())
    }

    /// New keys are in use from the next packet on. With strict key exchange the number starts again
    /// at 0 after every NEWKEYS.
    pub(super) fn rekeyed(&mut self, reset: bool) {
        self.keyed = true;
        self.earlier = self.total();
        self.counters = Counters::default();
        if reset {
            self.next = 0;
        }
    }

    #[cfg(test)]
    pub(super) fn preset(&mut self, next: u32, counters: Counters) {
        self.next = next;
        self.counters = counters;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_reset_after_new_keys_only_when_strict() {
        let mut sequence = Sequence::new();
        for _ in 0..3 {
            sequence.advance(16).unwrap();
        }
        assert_eq!(
            sequence.counters(),
            Counters {
                packets: 3,
                bytes: 48
            }
        );
        sequence.rekeyed(false);
        assert_eq!((sequence.current(), sequence.counters().packets), (3, 0));
        sequence.advance(10).unwrap();
        let (packets, bytes) = (4, 58);
        assert_eq!(sequence.total(), Counters { packets, bytes });
        for _ in 0..10 {
            sequence.advance(16).unwrap();
            sequence.rekeyed(true);
            assert_eq!(sequence.current(), 0);
        }
    }

    #[test]
    fn s6_wrap_before_first_keys_is_refused() {
        let mut sequence = Sequence::new();
        sequence.preset(u32::MAX, Counters::default());
        assert_eq!(
            sequence.advance(1),
            Err(PeerMisbehaved::SequenceWrapped.into())
        );
        sequence.rekeyed(false);
        sequence.preset(u32::MAX, Counters::default());
        sequence.advance(1).unwrap();
        assert_eq!(sequence.current(), 0);
    }

    #[test]
    fn p12_a_nonce_is_never_used_twice() {
        let mut sequence = Sequence::new();
        sequence.rekeyed(true);
        let packets = u64::from(u32::MAX);
        sequence.preset(u32::MAX, Counters { packets, bytes: 0 });
        sequence.check().unwrap();
        sequence.advance(1).unwrap();
        assert!(sequence.check().is_err());
    }
}
