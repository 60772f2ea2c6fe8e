//! The identification line, the opener with each kind of protection, and decompression.

use arbitrary::Unstructured;
use zeroize::Zeroizing;

use super::{number, piece};
use crate::codec::Writer;
use crate::crypto::algorithms::{self, name, CompressionKind};
use crate::crypto::cipher::{self, DirectionKeys, OpenPacket, SealPacket};
use crate::error::Error;
use crate::messages::Role;
use crate::packet::{Ident, IdentReader, OpenKeys, Opener, PayloadPlace, MAX_PACKET_LENGTH};

/// Most packets of one run.
const MAX_STEPS: usize = 64;

/// The first byte is the role and the size of the pieces in which the rest arrives.
pub(super) fn ident(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let role = if first & 1 == 0 {
        Role::Client
    } else {
        Role::Server
    };
    let whole = read_ident(role, bytes, bytes.len());
    let pieces = read_ident(role, bytes, usize::from(first >> 1));
    assert_eq!(whole, pieces, "the same in one piece and in many");
    let (outcome, consumed, text) = whole;
    assert!(consumed <= bytes.len());
    assert!(text.len() <= 1024 && (text.is_empty() || role == Role::Client));
    if let Ok(Some(ident)) = outcome {
        assert!(ident.bytes.len() <= 254 && ident.bytes.starts_with(b"SSH-"));
        assert_eq!(Ident::parse(&ident.bytes, role), Ok(ident));
    }
}

type IdentOutcome = (Result<Option<Ident>, Error>, usize, Vec<String>);

fn read_ident(role: Role, bytes: &[u8], size: usize) -> IdentOutcome {
    let mut reader = IdentReader::new(role);
    let (mut consumed, mut text) = (0, Vec::new());
    for piece in bytes.chunks(size.max(1)) {
        let outcome = reader.feed(piece);
        text.append(&mut reader.take_banner_lines());
        match outcome {
            Ok(progress) => {
                assert!(progress.line.is_some() || progress.consumed == piece.len());
                consumed += progress.consumed;
                if progress.line.is_some() {
                    return (Ok(progress.line), consumed, text);
                }
            }
            Err(error) => return (Err(error), 0, text),
        }
    }
    (Ok(None), consumed, text)
}

pub(super) fn plain(data: &[u8]) {
    packets(data, cipher::plain_sealer(), cipher::plain_opener());
}

pub(super) fn ctr(data: &[u8]) {
    protected(data, name::AES128_CTR, Some(name::HMAC_SHA2_256));
}

pub(super) fn ctr_etm(data: &[u8]) {
    protected(data, name::AES256_CTR, Some(name::HMAC_SHA2_512_ETM));
}

/// The first byte says whether the MAC is over what is sealed.
pub(super) fn cbc(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let mac = if first & 1 == 0 {
        name::HMAC_SHA1
    } else {
        name::HMAC_SHA1_ETM
    };
    protected(data, name::AES128_CBC, Some(mac));
}

pub(super) fn gcm(data: &[u8]) {
    protected(data, name::AES128_GCM, None);
}

pub(super) fn chacha(data: &[u8]) {
    protected(data, name::CHACHA20_POLY1305, None);
}

fn protected(data: &[u8], cipher: &str, mac: Option<&str>) {
    let cipher = algorithms::cipher(cipher).unwrap();
    let mac = mac.and_then(algorithms::mac);
    let bytes = |length| Zeroizing::new(vec![7; length]);
    let keys = DirectionKeys {
        iv: bytes(cipher.iv_len),
        key: bytes(cipher.key_len),
        mac_key: bytes(mac.map_or(0, |mac| mac.key_len)),
    };
    let sealer = cipher::sealer(cipher, mac, &keys).unwrap();
    packets(data, sealer, cipher::opener(cipher, mac, &keys).unwrap());
}

/// What was put on the wire.
#[derive(Default)]
struct Wire {
    bytes: Vec<u8>,
    /// The payloads of honest packets in front of anything else.
    honest: Vec<Vec<u8>>,
    spoiled: bool,
}

/// Has the input make packets, good and bad but sealed with the right keys, and opens them.
fn packets(data: &[u8], mut sealer: Box<dyn SealPacket>, opener: Box<dyn OpenPacket>) {
    let mut input = Unstructured::new(data);
    let size = usize::from(number::<u16>(&mut input));
    let mut wire = Wire::default();
    for step in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let sequence = u32::try_from(step).unwrap();
        make(&mut input, sealer.as_mut(), sequence, &mut wire);
    }
    let mut opener_of_all = Opener::new();
    opener_of_all.install(OpenKeys {
        packet: opener,
        compression: CompressionKind::None,
        reset_sequence: false,
    });
    open(opener_of_all, &wire, size.max(1));
}

/// One step: an honest packet, one with any length and padding, bytes as they are, or a packet that was tampered with.
fn make(input: &mut Unstructured<'_>, sealer: &mut dyn SealPacket, sequence: u32, wire: &mut Wire) {
    let kind: u8 = number(input);
    let start = wire.bytes.len();
    if kind % 4 == 2 {
        wire.spoiled = true;
        wire.bytes.extend_from_slice(piece(input));
        return;
    }
    let (length, padding) = match kind % 4 {
        0 => (None, None),
        _ => (Some(number::<u32>(input)), Some(number::<u8>(input))),
    };
    let payload = piece(input);
    let mut packet = plain_packet(sealer, payload, length, padding);
    packet.resize(packet.len() + sealer.tag_len(), 0);
    if sealer.seal(sequence, &mut packet).is_err() {
        // Not of whole blocks.
        wire.spoiled = true;
        return;
    }
    wire.bytes.append(&mut packet);
    if kind % 4 == 3 {
        let place = usize::from(number::<u16>(input));
        let rest = &mut wire.bytes[start..];
        let place = place % rest.len();
        rest[place] ^= number::<u8>(input);
    }
    if !kind.is_multiple_of(4) || payload.is_empty() {
        wire.spoiled = true;
    } else if !wire.spoiled {
        wire.honest.push(payload.to_vec());
    }
}

/// RFC 4253 §6, with a length and a padding length that may be lies.
fn plain_packet(
    sealer: &dyn SealPacket,
    payload: &[u8],
    length: Option<u32>,
    padding: Option<u8>,
) -> Vec<u8> {
    let block = sealer.block_len().max(8);
    let head = if sealer.length_is_aligned() { 5 } else { 1 };
    let mut fill = block - (head + payload.len()) % block;
    if fill < 4 {
        fill += block;
    }
    let honest = u32::try_from(1 + payload.len() + fill).unwrap();
    Writer::collect(|w| {
        w.u32(length.unwrap_or(honest));
        w.u8(padding.unwrap_or(fill as u8)).raw(payload);
        w.raw(&vec![0; fill]);
    })
}

/// Opens what arrives in pieces of `size` bytes until the end or an error.
fn open(mut opener: Opener, wire: &Wire, size: usize) {
    let (mut buffer, mut opened) = (Vec::new(), 0);
    for piece in wire.bytes.chunks(size) {
        buffer.extend_from_slice(piece);
        loop {
            let needed = opener.needed(buffer.len());
            assert!(needed <= MAX_PACKET_LENGTH + 4 + 64, "{needed}");
            match opener.open(&mut buffer) {
                Ok(Some(packet)) => {
                    assert!(packet.consumed <= buffer.len() && packet.consumed > 0);
                    assert_eq!(packet.sequence, u32::try_from(opened).unwrap());
                    let PayloadPlace::InPlace(range) = packet.payload else {
                        panic!("nothing is compressed");
                    };
                    assert!(range.end <= packet.consumed);
                    if let Some(honest) = wire.honest.get(opened) {
                        assert_eq!(&buffer[range], honest);
                    }
                    opened += 1;
                    buffer.drain(..packet.consumed);
                }
                Ok(None) => break,
                Err(_) => {
                    assert!(opened >= wire.honest.len(), "an honest packet is refused");
                    return;
                }
            }
        }
    }
    assert!(opened >= wire.honest.len(), "an honest packet is missing");
}

/// Packets of a compressed stream, each with its length in front. The first byte says when compression begins.
pub(super) fn inflate(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let delayed = number::<u8>(&mut input) & 1 == 1;
    let mut opener = Opener::new();
    opener.install(OpenKeys {
        packet: cipher::plain_opener(),
        compression: if delayed {
            CompressionKind::DelayedZlib
        } else {
            CompressionKind::Zlib
        },
        reset_sequence: false,
    });
    for step in 0..MAX_STEPS {
        if delayed && step == 1 {
            opener.start_decompression();
        }
        if input.is_empty() {
            return;
        }
        let mut packet = plain_packet(&*cipher::plain_sealer(), piece(&mut input), None, None);
        match opener.open(&mut packet) {
            Ok(Some(found)) => {
                let inflated = found.payload == PayloadPlace::Inflated;
                assert_eq!(inflated, !delayed || step > 0);
                if inflated {
                    assert!(!opener.inflated().is_empty());
                    assert!(opener.inflated().len() <= MAX_PACKET_LENGTH);
                }
            }
            Ok(None) => panic!("the packet is whole"),
            Err(_) => return,
        }
    }
}
