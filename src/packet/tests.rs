//! Sealer against opener in every mode, and the opener against hostile packets.

use zeroize::Zeroizing;

use super::{Counters, OpenKeys, Opener, PayloadPlace, SealKeys, Sealer, MAX_PACKET_LENGTH};
use crate::crypto::algorithms::{CipherAlgorithm, CompressionKind, MacAlgorithm, CIPHERS, MACS};
use crate::crypto::cipher::{opener, plain_sealer, sealer, DirectionKeys, SealPacket};
use crate::crypto::legacy;
use crate::error::{Error, PeerMisbehaved};

/// A cipher and MAC of this build by index; `None` is the state before the first keys.
type Mode = Option<(usize, Option<usize>)>;

fn cipher_at(index: usize) -> &'static CipherAlgorithm {
    CIPHERS.iter().chain(legacy::CIPHERS).nth(index).unwrap()
}

fn mac_at(index: usize) -> &'static MacAlgorithm {
    MACS.iter().chain(legacy::MACS).nth(index).unwrap()
}

/// Whether nothing but a wrong MAC may ever be reported, and late.
fn length_is_secret(mode: Mode) -> bool {
    mode.is_some_and(|(cipher, mac)| {
        cipher_at(cipher).name.ends_with("-cbc") && mac.is_some_and(|mac| !mac_at(mac).etm)
    })
}

fn modes() -> Vec<Mode> {
    let mut modes = vec![None];
    for (index, cipher) in CIPHERS.iter().chain(legacy::CIPHERS).enumerate() {
        if cipher.aead {
            modes.push(Some((index, None)));
        } else {
            modes.extend((0..MACS.len() + legacy::MACS.len()).map(|mac| Some((index, Some(mac)))));
        }
    }
    modes
}

fn name(mode: Mode) -> String {
    match mode {
        None => "plain".into(),
        Some((cipher, mac)) => format!(
            "{} {}",
            cipher_at(cipher).name,
            mac.map_or("", |mac| mac_at(mac).name)
        ),
    }
}

fn keys(mode: (usize, Option<usize>)) -> DirectionKeys {
    let cipher = cipher_at(mode.0);
    let mac_len = mode.1.map_or(0, |mac| mac_at(mac).key_len);
    DirectionKeys {
        iv: Zeroizing::new(vec![1; cipher.iv_len]),
        key: Zeroizing::new(vec![2; cipher.key_len]),
        mac_key: Zeroizing::new(vec![3; mac_len]),
    }
}

fn raw_sealer(mode: Mode) -> Box<dyn SealPacket> {
    match mode {
        None => plain_sealer(),
        Some((cipher, mac)) => {
            sealer(cipher_at(cipher), mac.map(mac_at), &keys((cipher, mac))).unwrap()
        }
    }
}

fn pair_with(mode: Mode, compression: CompressionKind, reset_sequence: bool) -> (Sealer, Opener) {
    let (mut seal, mut open) = (Sealer::new(), Opener::new());
    if let Some((cipher, mac)) = mode {
        seal.install(SealKeys {
            packet: raw_sealer(mode),
            compression,
            reset_sequence,
        });
        open.install(OpenKeys {
            packet: opener(cipher_at(cipher), mac.map(mac_at), &keys((cipher, mac))).unwrap(),
            compression,
            reset_sequence,
        });
    }
    (seal, open)
}

fn pair(mode: Mode) -> (Sealer, Opener) {
    pair_with(mode, CompressionKind::None, false)
}

/// The next payload, or `None` when more bytes are needed. What was consumed is removed.
fn next(open: &mut Opener, stream: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Error> {
    let Some(packet) = open.open(stream)? else {
        return Ok(None);
    };
    let payload = match packet.payload {
        PayloadPlace::InPlace(range) => stream[range].to_vec(),
        PayloadPlace::Inflated => open.inflated().to_vec(),
    };
    stream.drain(..packet.consumed);
    Ok(Some(payload))
}

/// A packet of 64 bytes and a tag, sealed with right keys around whatever length and padding are claimed.
fn hostile(mode: Mode, length: u32, padding: u8, body_len: usize) -> Vec<u8> {
    let mut seal = raw_sealer(mode);
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(padding);
    packet.resize(4 + body_len + seal.tag_len(), 7);
    seal.seal(0, &mut packet).unwrap();
    packet
}

fn open_hostile(mode: Mode, mut packet: Vec<u8>) -> Result<Option<Vec<u8>>, Error> {
    let (_, mut open) = pair(mode);
    let result = next(&mut open, &mut packet);
    if result == Ok(None) && length_is_secret(mode) {
        packet.resize(2 * MAX_PACKET_LENGTH, 0);
        return next(&mut open, &mut packet);
    }
    result
}

#[test]
fn payloads_of_all_lengths_in_every_mode() {
    for mode in modes() {
        let (mut seal, mut open) = pair(mode);
        let mut stream = Vec::new();
        for length in (1..150).chain([1000, 32_768, 262_000]) {
            let payload: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            seal.seal(&[&payload[..1], &payload[1..]], &mut stream)
                .unwrap();
            assert!(
                stream.len() <= length + seal.max_overhead(),
                "{}",
                name(mode)
            );
            let opened = next(&mut open, &mut stream).unwrap().unwrap();
            assert!(opened == payload, "{} {length}", name(mode));
            assert!(stream.is_empty());
        }
        assert_eq!(seal.counters(), open.counters());
        assert_eq!(seal.sequence(), 152);
    }
}

#[test]
fn p11_one_byte_at_a_time_and_many_in_one_buffer() {
    for mode in modes() {
        let (mut seal, mut open) = pair(mode);
        let mut sealed = Vec::new();
        let payloads: Vec<Vec<u8>> = (1..40u8).map(|n| vec![n; usize::from(n)]).collect();
        for payload in &payloads {
            seal.seal(&[payload], &mut sealed).unwrap();
        }
        let (mut stream, mut opened) = (Vec::new(), Vec::new());
        for byte in &sealed {
            assert!(open.needed(stream.len()) > stream.len());
            stream.push(*byte);
            opened.extend(next(&mut open, &mut stream).unwrap());
        }
        assert_eq!(opened, payloads, "{}", name(mode));
        let (mut seal, mut open) = pair(mode);
        let mut stream = Vec::new();
        for payload in &payloads {
            seal.seal(&[payload], &mut stream).unwrap();
        }
        for payload in &payloads {
            assert_eq!(
                next(&mut open, &mut stream).unwrap().as_ref(),
                Some(payload)
            );
        }
    }
}

#[test]
fn p1_packet_lengths_out_of_bounds() {
    for mode in modes() {
        for length in [0, 1, 2, 3, 4, 5, 6, 7, 262_145, 0x7fff_ffff, 0xffff_ffff] {
            let body = if raw_sealer(mode).length_is_aligned() {
                60
            } else {
                64
            };
            let result = open_hostile(mode, hostile(mode, length, 4, body));
            let expected = Err(Error::from(PeerMisbehaved::PacketLength));
            assert!(
                result == expected || result == Err(Error::Mac),
                "{} {length} {result:?}",
                name(mode)
            );
        }
    }
}

#[test]
fn p1_bad_length_is_refused_before_the_body_arrives() {
    let mut open = Opener::new();
    let mut head = vec![0xff; 16];
    assert_eq!(
        open.open(&mut head),
        Err(PeerMisbehaved::PacketLength.into())
    );
    let mut good = Vec::new();
    Sealer::new().seal(&[b"x"], &mut good).unwrap();
    assert!(open.open(&mut good).is_err(), "an error is for good");
}

#[test]
fn p2_alignment_padding_and_empty_payload() {
    for mode in modes() {
        let seal = raw_sealer(mode);
        let aligned = if seal.length_is_aligned() { 60 } else { 64 };
        let outcome = |length: usize, padding| {
            open_hostile(mode, hostile(mode, length as u32, padding, aligned))
        };
        let bad_length = if length_is_secret(mode) {
            Error::Mac
        } else {
            PeerMisbehaved::PacketLength.into()
        };
        assert!(outcome(aligned, 10).unwrap().is_some(), "{}", name(mode));
        for length in [aligned + 1, aligned + 3, aligned + 7] {
            let error = outcome(length, 10).unwrap_err();
            assert_eq!(error, bad_length, "{}", name(mode));
        }
        for padding in [0, 1, 2, 3, aligned as u8, 255] {
            let error = outcome(aligned, padding).unwrap_err();
            assert_eq!(error, PeerMisbehaved::PaddingLength.into());
        }
        let error = outcome(aligned, aligned as u8 - 1).unwrap_err();
        assert_eq!(error, PeerMisbehaved::EmptyPayload.into());
    }
}

#[test]
fn p3_a_flipped_bit_at_every_offset() {
    for mode in modes().into_iter().filter(Option::is_some) {
        let mut sealed = Vec::new();
        pair(mode).0.seal(&[&[5; 30]], &mut sealed).unwrap();
        for offset in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[offset] ^= 0x10;
            // Bytes that follow, so that a length made larger finds its end.
            let more = if length_is_secret(mode) {
                2 * MAX_PACKET_LENGTH
            } else {
                4096
            };
            damaged.resize(more, 0);
            let (_, mut open) = pair(mode);
            match next(&mut open, &mut damaged) {
                Err(Error::Mac | Error::PeerMisbehaved(PeerMisbehaved::PacketLength)) => {}
                Ok(None) if offset < 4 => {}
                other => panic!("{} {offset} {other:?}", name(mode)),
            }
        }
    }
}

/// What is wrong with a packet shows neither in the error nor in the number of bytes after which it comes.
#[test]
fn p3_faults_in_cbc_all_look_alike() {
    for mode in modes().into_iter().filter(|mode| length_is_secret(*mode)) {
        let tag_len = raw_sealer(mode).tag_len();
        let flipped = |offset: usize| {
            let mut packet = hostile(mode, 60, 10, 60);
            packet[offset] ^= 1;
            packet
        };
        for (fault, packet) in [
            ("length 0", hostile(mode, 0, 10, 60)),
            ("length too large", hostile(mode, 0xffff_ffff, 10, 60)),
            ("length not aligned", hostile(mode, 61, 10, 60)),
            ("other length", hostile(mode, 44, 10, 60)),
            ("first block", flipped(0)),
            ("body", flipped(40)),
            ("tag", flipped(64)),
        ] {
            let (_, mut open) = pair(mode);
            let mut stream = packet;
            let end = MAX_PACKET_LENGTH + tag_len;
            for len in [stream.len(), stream.len() + 1, 4096, end - 1] {
                stream.resize(len, 0);
                let result = next(&mut open, &mut stream);
                assert_eq!(result, Ok(None), "{} {fault} {len}", name(mode));
            }
            assert_eq!(open.needed(stream.len()), end);
            stream.push(0);
            assert_eq!(next(&mut open, &mut stream), Err(Error::Mac), "{fault}");
        }
    }
}

#[test]
fn p3_dropped_repeated_and_swapped_packets() {
    for mode in modes().into_iter().filter(Option::is_some) {
        let (mut seal, _) = pair(mode);
        let packets: Vec<Vec<u8>> = (1..4u8)
            .map(|n| {
                let mut out = Vec::new();
                seal.seal(&[&[n; 40]], &mut out).unwrap();
                out
            })
            .collect();
        for (order, good) in [(&[1, 2][..], 0), (&[0, 0], 1), (&[0, 2, 1], 1)] {
            let (_, mut open) = pair(mode);
            let mut stream: Vec<u8> = order.iter().flat_map(|at| packets[*at].clone()).collect();
            stream.resize(stream.len() + 4096, 0);
            let mut opened = 0;
            while let Ok(Some(_)) = next(&mut open, &mut stream) {
                opened += 1;
            }
            assert_eq!(opened, good, "{} {order:?}", name(mode));
        }
    }
}

#[test]
fn p4_no_part_of_a_packet_is_delivered() {
    for mode in modes() {
        let mut sealed = Vec::new();
        pair(mode).0.seal(&[&[5; 30]], &mut sealed).unwrap();
        for end in 0..sealed.len() {
            let (_, mut open) = pair(mode);
            let mut part = sealed[..end].to_vec();
            assert_eq!(next(&mut open, &mut part), Ok(None), "{} {end}", name(mode));
        }
    }
}

#[test]
fn p9_compressed_packets_and_a_bomb() {
    let mode = Some((0, None));
    let (mut seal, mut open) = pair_with(mode, CompressionKind::Zlib, true);
    let mut stream = Vec::new();
    for payload in [&b"hello"[..], &[b'a'; 100_000], &[0; MAX_PACKET_LENGTH]] {
        seal.seal(&[payload], &mut stream).unwrap();
        assert!(stream.len() < payload.len() + seal.max_overhead());
        assert!(next(&mut open, &mut stream).unwrap().unwrap() == payload);
    }
    seal.seal(&[&vec![0; 200 << 20]], &mut stream).unwrap();
    assert_eq!(next(&mut open, &mut stream), Err(Error::Compression));
}

#[test]
fn delayed_compression_in_both_directions_of_time() {
    let (mut seal, mut open) = pair_with(Some((0, None)), CompressionKind::DelayedZlib, true);
    let payload = [b'z'; 1000];
    let mut stream = Vec::new();
    seal.seal(&[&payload], &mut stream).unwrap();
    assert!(stream.len() > 1000);
    assert_eq!(next(&mut open, &mut stream).unwrap().unwrap(), payload);
    seal.start_compression();
    open.start_decompression();
    seal.seal(&[&payload], &mut stream).unwrap();
    assert!(stream.len() < 200);
    assert_eq!(next(&mut open, &mut stream).unwrap().unwrap(), payload);
}

#[test]
fn p12_presets_near_the_end_of_the_sequence() {
    let (mut seal, mut open) = pair(Some((0, None)));
    let packets = u64::from(u32::MAX);
    let counters = Counters { packets, bytes: 0 };
    seal.preset(7, counters);
    open.preset(7, counters);
    let mut stream = Vec::new();
    seal.seal(&[b"last"], &mut stream).unwrap();
    assert!(next(&mut open, &mut stream).unwrap().is_some());
    let refused = Error::from(PeerMisbehaved::Rekey("no new keys within 2^32 packets"));
    assert_eq!(seal.seal(&[b"x"], &mut stream), Err(refused));
    assert!(stream.is_empty());
}
