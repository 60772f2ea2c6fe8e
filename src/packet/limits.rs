//! When keys are replaced: after packets, bytes or time, and what each cipher bears at most.

use std::time::Duration;

use super::Counters;
use crate::crypto::algorithms::CipherAlgorithm;

/// What one set of keys may carry in one direction before it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RekeyLimits {
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Time since the keys were installed.
    pub time: Duration,
}

impl Default for RekeyLimits {
    /// RFC 4253 §9 recommends a gigabyte or an hour; RFC 4344 §3.1 allows 2^31 packets.
    fn default() -> Self {
        RekeyLimits {
            packets: 1 << 31,
            bytes: 1 << 30,
            time: Duration::from_secs(3600),
        }
    }
}

impl RekeyLimits {
    /// No higher than what `cipher` bears and never above what sequence numbers allow.
    ///
    /// RFC 4344 §3.2: a block cipher with blocks of L bits carries at most 2^(L/4) blocks under one key.
    /// For blocks of 8 bytes that would be new keys each 512 KiB, which the gear that needs such ciphers cannot
    /// keep up with; after 2^23 blocks (64 MiB) the chance that two are equal is 2^-19.
    /// chacha20-poly1305 is no block cipher: its limit is that of the sequence number.
    pub fn capped_for(self, cipher: &CipherAlgorithm) -> Self {
        let bytes = match cipher.block_len {
            16 => (1u64 << 32) * 16,
            _ if cipher.aead => u64::MAX,
            block_len => (1u64 << 23) * u64::try_from(block_len).unwrap_or(8),
        };
        RekeyLimits {
            packets: self.packets.min(1 << 31),
            bytes: self.bytes.min(bytes),
            time: self.time,
        }
    }

    /// Whether a direction has carried what it may.
    pub fn reached(&self, counters: Counters) -> bool {
        counters.packets >= self.packets || counters.bytes >= self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher(block_len: usize, aead: bool) -> CipherAlgorithm {
        CipherAlgorithm {
            name: "test",
            key_len: 16,
            iv_len: 16,
            block_len,
            aead,
        }
    }

    #[test]
    fn p12_limits_are_reached_before_numbers_repeat() {
        let asked = RekeyLimits {
            packets: u64::MAX,
            bytes: u64::MAX,
            time: Duration::MAX,
        };
        let limits = asked.capped_for(&cipher(16, true));
        assert_eq!((limits.packets, limits.bytes), (1 << 31, 1 << 36));
        let packets = (1 << 31) - 1;
        assert!(!limits.reached(Counters { packets, bytes: 0 }));
        assert!(limits.reached(Counters {
            packets: packets + 1,
            bytes: 0
        }));
        assert_eq!(asked.capped_for(&cipher(8, true)).bytes, u64::MAX);
        assert_eq!(asked.capped_for(&cipher(8, false)).bytes, 1 << 26);
    }

    #[test]
    fn defaults_rekey_by_the_gigabyte() {
        let limits = RekeyLimits::default().capped_for(&cipher(16, true));
        assert_eq!(limits, RekeyLimits::default());
        assert!(limits.reached(Counters {
            packets: 1,
            bytes: 1 << 30
        }));
    }
}
