//! Lists that hold what they should, and such as are none.

use super::*;
use crate::codec::Writer;
use crate::keys::certificate::{CertificateDraft, CertificateKind};
use crate::keys::test_support::TestRandom;
use crate::keys::{KeyKind, PrivateKey};

fn generate() -> PrivateKey {
    PrivateKey::generate(KeyKind::Ed25519, 0, &mut TestRandom).unwrap()
}

fn header() -> Vec<u8> {
    Writer::collect(|w| {
        w.raw(b"SSHKRL\n\0").u32(1).u64(7).u64(0).u64(0);
        w.string("").string("comment");
    })
}

fn krl(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = header();
    for (section, data) in sections {
        Writer::new(&mut bytes).u8(*section).string(data);
    }
    bytes
}

/// A section about certificates with one section inside.
fn about(authority: &[u8], section: u8, data: &[u8]) -> Vec<u8> {
    krl(&[(
        1,
        Writer::collect(|w| {
            w.string(authority).string("").u8(section).string(data);
        }),
    )])
}

fn serials(numbers: &[u64]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

fn bits(offset: u64, magnitude: &[u8]) -> Vec<u8> {
    Writer::collect(|w| {
        w.u64(offset).mpint(magnitude);
    })
}

fn shown(authority: &PrivateKey, serial: u64, key_id: &str) -> ShownKey {
    let mut draft = CertificateDraft::new(CertificateKind::User, generate().public().clone());
    draft.set_serial(serial);
    draft.set_key_id(key_id).unwrap();
    let certificate = draft.sign(authority, None, &mut TestRandom).unwrap();
    ShownKey {
        key: certificate.key().clone(),
        certificate: Some(certificate),
    }
}

fn revokes(list: &[u8], shown: &ShownKey) -> bool {
    RevocationList::load(list).unwrap().check(shown).is_err()
}

#[test]
fn keys_and_hashes_of_keys() {
    let (revoked, good) = (generate().public().clone(), generate().public().clone());
    let blob = revoked.blob();
    let list = |section, data: &[u8]| {
        krl(&[(
            section,
            Writer::collect(|w| {
                w.string(data);
            }),
        )])
    };
    for bytes in [
        list(2, blob),
        list(3, &Sha1::digest(blob)),
        list(5, &Sha256::digest(blob)),
        format!("# comment\n\n {} \r\n", revoked.to_line("x")).into_bytes(),
        revoked.to_line("").into_bytes(),
    ] {
        assert!(revokes(&bytes, &revoked.clone().into()));
        assert!(!revokes(&bytes, &good.clone().into()));
        assert_eq!(
            RevocationList::load(&bytes)
                .unwrap()
                .check(&revoked.clone().into()),
            Err(CertificateFault::Revoked("the key"))
        );
    }
    let list = RevocationList::load(&krl(&[])).unwrap();
    assert_eq!((list.version(), list.comment()), (7, "comment"));
}

#[test]
fn a15_revoked_authorities_and_certificates() {
    let (ours, theirs) = (generate(), generate());
    let certificate = shown(&ours, 5, "id");
    let authority = ours.public().to_line("");
    assert_eq!(
        RevocationList::load(authority.as_bytes())
            .unwrap()
            .check(&certificate),
        Err(CertificateFault::Revoked("the key of the authority"))
    );
    let blob = ours.public().blob();
    for list in [
        about(blob, 0x20, &serials(&[9, 5])),
        about(blob, 0x21, &serials(&[4, 6])),
        about(blob, 0x21, &serials(&[5, u64::MAX])),
        about(blob, 0x22, &bits(1, &[0x10])),
        about(blob, 0x22, &bits(5, &[1])),
        about(
            blob,
            0x23,
            &Writer::collect(|w| {
                w.string("other").string("id");
            }),
        ),
    ] {
        assert!(revokes(&list, &certificate));
        assert!(!revokes(&list, &shown(&theirs, 5, "id")));
        assert!(!revokes(&list, &shown(&ours, 3, "another")));
        assert!(!revokes(&list, &shown(&ours, 0, "another")));
        assert!(!revokes(&list, &certificate.key.clone().into()));
    }
    // No authority means any.
    let any = about(b"", 0x20, &serials(&[5]));
    assert!(revokes(&any, &certificate) && revokes(&any, &shown(&theirs, 5, "")));
}

#[test]
fn ranges_and_bitmaps_to_the_bit() {
    let authority = generate();
    let blob = authority.public().blob();
    let range = about(blob, 0x21, &serials(&[10, 12]));
    let bitmap = about(blob, 0x22, &bits(10, &[0x01, 0x07]));
    let mixed = krl(&[(
        1,
        Writer::collect(|w| {
            w.string(blob).string("");
            w.u8(0x20).string(serials(&[12, 10]));
            w.u8(0x21).string(serials(&[11, 11]));
            w.u8(0x20).string(serials(&[18]));
        }),
    )]);
    for (serial, in_range, in_bitmap) in [
        (9, false, false),
        (10, true, true),
        (11, true, true),
        (12, true, true),
        (13, false, false),
        (17, false, false),
        (18, false, true),
        (19, false, false),
        (u64::MAX, false, false),
    ] {
        let certificate = shown(&authority, serial, "");
        assert_eq!(revokes(&range, &certificate), in_range, "{serial}");
        assert_eq!(revokes(&bitmap, &certificate), in_bitmap, "{serial}");
        assert_eq!(revokes(&mixed, &certificate), in_bitmap, "{serial}");
    }
    let top = about(blob, 0x22, &bits(u64::MAX - 7, &[0x80]));
    assert!(revokes(&top, &shown(&authority, u64::MAX, "")));
}

#[test]
fn what_is_not_understood_is_no_list() {
    let extension = |critical| {
        Writer::collect(|w| {
            w.string("x@example.org").bool(critical).string("data");
        })
    };
    assert!(RevocationList::load(&krl(&[(255, extension(false)), (4, vec![1, 2])])).is_ok());
    let hash = |length| {
        Writer::collect(|w| {
            w.string(vec![0; length]);
        })
    };
    let mut other_format = header();
    other_format[11] = 2;
    for bytes in [
        krl(&[(255, extension(true))]),
        krl(&[(6, Vec::new())]),
        krl(&[(1, Vec::new())]),
        krl(&[(2, vec![0, 0, 0, 1])]),
        krl(&[(3, hash(19))]),
        krl(&[(5, hash(20))]),
        about(b"", 0x20, &serials(&[0])),
        about(b"", 0x20, &[1]),
        about(b"", 0x21, &serials(&[0, 5])),
        about(b"", 0x21, &serials(&[6, 5])),
        about(b"", 0x21, &serials(&[1, 2, 3])),
        about(b"", 0x22, &bits(0, &[1])),
        about(b"", 0x22, &bits(5, &[])),
        about(b"", 0x22, &bits(u64::MAX - 7, &[1, 0])),
        about(b"", 0x22, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0x80]),
        about(b"", 0x23, &[0, 0, 0, 1, 0xff]),
        about(b"", 0x24, &[]),
        about(b"", 0x39, &extension(true)),
        other_format,
        b"ssh-ed25519".to_vec(),
        b"ssh-ed25519 !!!!\n".to_vec(),
        b"ssh-rsa AAAAC3NzaC1lZDI1NTE5\n".to_vec(),
        b"SHA256:abc\n".to_vec(),
        b"\xff\n".to_vec(),
    ] {
        let found = RevocationList::load(&bytes);
        assert!(matches!(found, Err(Error::Key(_))), "{bytes:?}");
    }
    let whole = about(generate().public().blob(), 0x20, &serials(&[1, 2]));
    for length in 8..whole.len() {
        // Cut between two sections it is a list, and a shorter one.
        let cut = RevocationList::load(&whole[..length]);
        assert!(cut.is_err() || length == header().len(), "{length}");
    }
}

#[test]
fn lengths_of_the_file_are_not_believed() {
    let mut bytes = header();
    Writer::new(&mut bytes).u8(1).u32(u32::MAX);
    assert!(RevocationList::load(&bytes).is_err());
    let many = about(b"", 0x20, &serials(&(1..100_000).collect::<Vec<_>>()));
    let list = RevocationList::load(&many).unwrap();
    assert_eq!(list.certificates[0].serials, [(1, 99_999)]);
}
