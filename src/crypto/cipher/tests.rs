//! What holds for every cipher with every MAC, and between the providers.

use super::*;
use crate::crypto::algorithms::{self, CIPHERS, MACS};
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::legacy;
use crate::crypto::random::{Random, SeededRandom};
use crate::crypto::residue::tests::{depth_of, wiped};
use crate::crypto::test_util::hex;

type Suite = (&'static CipherAlgorithm, Option<&'static MacAlgorithm>);
type Pair = (Box<dyn SealPacket>, Box<dyn OpenPacket>);

fn suites() -> Vec<Suite> {
    let mut suites = Vec::new();
    for cipher in CIPHERS.iter().chain(legacy::CIPHERS) {
        if cipher.aead {
            suites.push((cipher, None));
        } else {
            let macs = MACS.iter().chain(legacy::MACS);
            suites.extend(macs.map(|mac| (cipher, Some(mac))));
        }
    }
    suites
}

fn keys((cipher, mac): Suite, seed: u64) -> DirectionKeys {
    let mut random = SeededRandom::new(seed);
    let mut bytes = |len| {
        let mut bytes = Zeroizing::new(vec![0; len]);
        random.fill(&mut bytes);
        bytes
    };
    DirectionKeys {
        iv: bytes(cipher.iv_len),
        key: bytes(cipher.key_len),
        mac_key: bytes(mac.map_or(0, |mac| mac.key_len)),
    }
}

/// Sealers and openers of one key: those that were chosen, and for the AEAD ciphers every pairing with
/// those of the portable provider.
fn pairs(suite: Suite, seed: u64) -> Vec<Pair> {
    let keys = keys(suite, seed);
    let (key, iv) = (&keys.key, &keys.iv);
    let chosen = || {
        let sealer = sealer(suite.0, suite.1, &keys).unwrap();
        (sealer, opener(suite.0, suite.1, &keys).unwrap())
    };
    let portable = || match suite.0.name {
        name::AES128_GCM | name::AES256_GCM => Some((
            aes_gcm::portable::sealer(key, iv).unwrap(),
            aes_gcm::portable::opener(key, iv).unwrap(),
        )),
        name::CHACHA20_POLY1305 => Some((
            chacha20_poly1305::portable::sealer(key).unwrap(),
            chacha20_poly1305::portable::opener(key).unwrap(),
        )),
        _ => None,
    };
    let mut pairs = vec![chosen()];
    #[cfg(feature = "fast-crypto")]
    if suite.0.name == name::CHACHA20_POLY1305 {
        pairs.push(chacha20_poly1305::fast::by_length(key));
    }
    #[cfg(all(feature = "fast-crypto", target_arch = "x86_64"))]
    if matches!(suite.0.name, name::AES128_GCM | name::AES256_GCM) {
        pairs.push(aes_gcm::vaes::pair(key, iv));
    }
    if let (Some(one), Some(other)) = (portable(), portable()) {
        let (sealer, opener) = chosen();
        pairs.push((one.0, opener));
        pairs.push((sealer, one.1));
        pairs.push(other);
    }
    pairs
}

/// A plain packet whose body fits the sealer's blocks, with room for the tag.
fn packet(sealer: &dyn SealPacket, blocks: usize, random: &mut SeededRandom) -> Vec<u8> {
    let mut body = blocks * sealer.block_len();
    if sealer.length_is_aligned() {
        body -= 4;
    }
    let mut packet = vec![0; 4 + body + sealer.tag_len()];
    random.fill(&mut packet);
    packet[..4].copy_from_slice(&u32::try_from(body).unwrap().to_be_bytes());
    packet
}

fn open(opener: &mut dyn OpenPacket, sequence: u32, packet: &mut [u8]) -> Result<u32, CryptoError> {
    let head_len = opener.head_len();
    let length = opener.open_length(sequence, &mut packet[..head_len])?;
    opener.open(sequence, packet)?;
    Ok(length)
}

/// What they leave on the stack lies where it is wiped. How deep that is depends on the compiler: also to be run with --release.
#[test]
fn none_goes_deeper_than_it_says() {
    for suite in suites() {
        for (mut sealer, mut opener) in pairs(suite, 20) {
            let mut random = SeededRandom::new(21);
            for (sequence, blocks) in [1, 2, 63, 65, 257, 2048, 4096].into_iter().enumerate() {
                let sequence = u32::try_from(sequence).unwrap();
                let mut packet = packet(&*sealer, blocks, &mut random);
                let (sealed, depth) = depth_of(|| sealer.seal(sequence, &mut packet));
                sealed.unwrap();
                assert!(depth <= wiped(sealer.depth()), "{suite:?}: {depth}");
                let head_len = opener.head_len();
                let (length, depth) =
                    depth_of(|| opener.open_length(sequence, &mut packet[..head_len]));
                length.unwrap();
                assert!(depth <= wiped(opener.depth()), "{suite:?}: {depth}");
                let (opened, depth) = depth_of(|| opener.open(sequence, &mut packet));
                opened.unwrap();
                assert!(depth <= wiped(opener.depth()), "{suite:?}: {depth}");
            }
        }
    }
}

#[test]
fn round_trips_between_all_providers() {
    let mut sizes = vec![1, 2, 1, 3, 7, 8, 9, 63, 64, 65, 2048, 1];
    let mut size_bytes = [0; 40];
    SeededRandom::new(19).fill(&mut size_bytes);
    sizes.extend(size_bytes.map(|size| usize::from(size) + 1));
    for suite in suites() {
        for (mut sealer, mut opener) in pairs(suite, 20) {
            let mut random = SeededRandom::new(21);
            assert_eq!(sealer.tag_len(), opener.tag_len());
            assert_eq!(sealer.block_len(), suite.0.block_len);
            assert_eq!(sealer.block_len(), opener.block_len());
            assert_eq!(sealer.length_is_aligned(), opener.length_is_aligned());
            let mut sequence = u32::MAX - 1;
            for blocks in &sizes {
                let plain = packet(&*sealer, *blocks, &mut random);
                let mut sealed = plain.clone();
                sealer.seal(sequence, &mut sealed).unwrap();
                let body = 4..plain.len() - sealer.tag_len();
                assert_ne!(sealed[body.clone()], plain[body.clone()]);
                let length = open(&mut *opener, sequence, &mut sealed).unwrap();
                assert_eq!(length.to_be_bytes(), plain[..4], "{suite:?}");
                assert_eq!(sealed[body.clone()], plain[body], "{suite:?}");
                sequence = sequence.wrapping_add(1);
            }
        }
    }
}

/// A flipped bit anywhere in a packet is refused, whatever the length says then.
#[test]
fn flipped_bits_are_refused() {
    for suite in suites() {
        let mut random = SeededRandom::new(22);
        let (mut sealer, _) = pairs(suite, 23).remove(0);
        let mut sealed = packet(&*sealer, 3, &mut random);
        sealer.seal(5, &mut sealed).unwrap();
        for position in 0..sealed.len() {
            for (_, mut opener) in pairs(suite, 23) {
                let mut broken = sealed.clone();
                broken[position] ^= 1 << (position % 8);
                let opened = open(&mut *opener, 5, &mut broken);
                assert!(opened.is_err(), "{suite:?} {position}");
            }
        }
        for (_, mut opener) in pairs(suite, 23) {
            assert!(open(&mut *opener, 5, &mut sealed.clone()).is_ok());
        }
    }
}

/// The same for long packets, some of which go another way, at borders of blocks and in what is left behind them. Where the tag is
/// checked first, nothing has been written.
#[test]
fn flipped_bits_in_long_packets_are_refused() {
    for suite in suites() {
        let mut random = SeededRandom::new(24);
        let (mut sealer, _) = pairs(suite, 25).remove(0);
        let blocks = 8 * 1024 / sealer.block_len() + 1;
        let mut sealed = packet(&*sealer, blocks, &mut random);
        sealer.seal(6, &mut sealed).unwrap();
        let end = sealed.len();
        for position in [
            0,
            3,
            4,
            963,
            964,
            1987,
            1988,
            4096,
            end - 40,
            end - 17,
            end - 1,
        ] {
            for (_, mut opener) in pairs(suite, 25) {
                let mut broken = sealed.clone();
                broken[position] ^= 1 << (position % 8);
                let before = broken.clone();
                let opened = open(&mut *opener, 6, &mut broken);
                assert!(opened.is_err(), "{suite:?} {position}");
                if suite.0.name == name::CHACHA20_POLY1305 {
                    assert_eq!(broken, before, "{position}");
                }
            }
        }
        for (_, mut opener) in pairs(suite, 25) {
            assert!(open(&mut *opener, 6, &mut sealed.clone()).is_ok());
        }
    }
}

/// Packets left out, repeated and exchanged are refused, also where the opener counts for itself and
/// does not see sequence numbers (GCM).
#[test]
fn packets_out_of_order_are_refused() {
    for suite in suites() {
        let mut random = SeededRandom::new(24);
        let (mut sealer, _) = pairs(suite, 25).remove(0);
        let sealed = [0, 1, 2].map(|sequence| {
            let mut sealed = packet(&*sealer, 2, &mut random);
            sealer.seal(sequence, &mut sealed).unwrap();
            sealed
        });
        for order in [[0, 2], [0, 0], [1, 0]] {
            for (_, mut opener) in pairs(suite, 25) {
                let [first, second] = order.map(|at: usize| sealed[at].clone());
                let first_opened = open(&mut *opener, 0, &mut first.clone()).is_ok();
                assert_eq!(first_opened, order[0] == 0, "{suite:?} {order:?}");
                if first_opened {
                    assert!(open(&mut *opener, 1, &mut second.clone()).is_err());
                }
            }
        }
    }
}

#[test]
fn short_packets_are_refused() {
    for suite in suites() {
        for (mut sealer, mut opener) in pairs(suite, 26) {
            for len in 0..sealer.tag_len() + 4 {
                assert!(sealer.seal(0, &mut vec![0; len]).is_err(), "{suite:?}");
                assert!(opener.open(0, &mut vec![0; len]).is_err(), "{suite:?}");
            }
            for len in 0..opener.head_len() {
                assert!(opener.open_length(0, &mut vec![0; len]).is_err());
            }
        }
    }
}

#[test]
fn mismatched_suites_are_refused() {
    let gcm = algorithms::cipher(name::AES256_GCM).unwrap();
    let ctr = algorithms::cipher(name::AES128_CTR).unwrap();
    let mac = algorithms::mac(name::HMAC_SHA2_256).unwrap();
    let refused = |cipher, mac, keys: &DirectionKeys| {
        sealer(cipher, mac, keys).is_err() && opener(cipher, mac, keys).is_err()
    };
    assert!(refused(gcm, Some(mac), &keys((gcm, Some(mac)), 1)));
    assert!(refused(ctr, None, &keys((ctr, None), 1)));
    for suite in suites() {
        let good = keys(suite, 1);
        assert!(!refused(suite.0, suite.1, &good));
        for change in 0..6 {
            let mut bad = good.clone();
            let field = match change % 3 {
                0 => &mut bad.key,
                1 => &mut bad.iv,
                _ if suite.1.is_none() => continue,
                _ => &mut bad.mac_key,
            };
            if change < 3 {
                field.push(0);
            } else if field.pop().is_none() {
                continue;
            }
            assert!(refused(suite.0, suite.1, &bad), "{suite:?} {change}");
        }
    }
    // A shorter key must not make a weaker cipher of the same family.
    let short = keys((algorithms::cipher(name::AES128_GCM).unwrap(), None), 1);
    assert!(refused(gcm, None, &short));
}

/// SHA-256 of the first packet with key 00 01 .., IV 64 65 .. 73, MAC key 00 01 .., sequence number 7
/// and body 01 02 .. up to three blocks: made with pyca/cryptography.
#[test]
fn known_ctr_packets() {
    for (cipher, mac, expected) in [
        (
            "aes128-ctr",
            "hmac-sha2-256",
            "eff28f2843c46a6d9dcfa77b0a41228a030209daaf30786ab6556e8ecaca094c",
        ),
        (
            "aes128-ctr",
            "hmac-sha2-256-etm@openssh.com",
            "a68a80dab12cc6c7e4dac1dcfb99b1b28e01ff4486f8ed5ca82cc92d7f295ea9",
        ),
        (
            "aes128-ctr",
            "hmac-sha2-512",
            "bc36cf16d74ca228ef4a5499d7f2d9e09ec8555916d69d9403c2dc687821dedd",
        ),
        (
            "aes128-ctr",
            "hmac-sha2-512-etm@openssh.com",
            "273d6307c25f38967e6c1ad2104d25b432456d1cad308b0fb5c97d18713a03bd",
        ),
        (
            "aes192-ctr",
            "hmac-sha2-256",
            "e25c7fc6a705a1b210de6744a353717a96c7b9e407ea739d5746dc263ddbb0b9",
        ),
        (
            "aes192-ctr",
            "hmac-sha2-256-etm@openssh.com",
            "039d5d112cce8471cef86e782331b1a0977143b18a8fcd2cdea205f10347bd44",
        ),
        (
            "aes192-ctr",
            "hmac-sha2-512",
            "edfc2e3c675a9a4e37ec4bf12a5c1be9ae91cc4053d8ab131f143390aa9444a1",
        ),
        (
            "aes192-ctr",
            "hmac-sha2-512-etm@openssh.com",
            "9feb78289e23e52c8d9ecb8fa22b0d08af90612682e6f7b98f8018e7e614720d",
        ),
        (
            "aes256-ctr",
            "hmac-sha2-256",
            "1b048805e070bb9ef73033d9808b6c50904856ad6958dee55937fdee8f8fac5c",
        ),
        (
            "aes256-ctr",
            "hmac-sha2-256-etm@openssh.com",
            "0647db23141a0922388afd9eb62071309afced8258d3363a62a1638354fd32de",
        ),
        (
            "aes256-ctr",
            "hmac-sha2-512",
            "6bf156374f8c8f900411da3b6bcd5e2ed46705a94384036734012962c9d093b2",
        ),
        (
            "aes256-ctr",
            "hmac-sha2-512-etm@openssh.com",
            "3f0deb1074c90291fff5e4af621530611c2409d30d2c390e4dec741a53fcdc96",
        ),
    ] {
        let cipher = algorithms::cipher(cipher).unwrap();
        let mac = algorithms::mac(mac).unwrap();
        let count = |from: u8, len: usize| Zeroizing::new((from..).take(len).collect::<Vec<u8>>());
        let keys = DirectionKeys {
            iv: count(100, 16),
            key: count(0, cipher.key_len),
            mac_key: count(0, mac.key_len),
        };
        let body = if mac.etm { 48 } else { 44 };
        let plain: Vec<u8> = [0, 0, 0, body].into_iter().chain(1..=body).collect();
        let mut packet = plain.clone();
        packet.resize(plain.len() + mac.tag_len, 0);
        let mut sealer = sealer(cipher, Some(mac), &keys).unwrap();
        sealer.seal(7, &mut packet).unwrap();
        let digest = HashAlgorithm::Sha256.digest(&[&packet]);
        assert_eq!(digest[..], hex(expected), "{} {}", cipher.name, mac.name);
        let mut opener = opener(cipher, Some(mac), &keys).unwrap();
        assert_eq!(open(&mut *opener, 7, &mut packet), Ok(u32::from(body)));
        assert_eq!(packet[..plain.len()], plain);
    }
}
