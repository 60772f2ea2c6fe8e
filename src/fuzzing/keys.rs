//! Keys, certificates, signatures and revocations, in every form in which they come.

use std::sync::OnceLock;

use super::{number, piece};
use crate::crypto::algorithms;
use crate::crypto::random::SeededRandom;
use crate::error::Error;
use crate::keys::certificate::{CertificateCheck, CertificateKind};
use crate::keys::signature::SignatureBlob;
use crate::keys::{formats, Certificate, KeyKind, PrivateKey, PublicKey, RevocationList, ShownKey};
use arbitrary::Unstructured;

/// The passphrase of all seeds, which is that of `tests/fixtures/keys`.
pub(super) const PASSPHRASE: &[u8] = include_bytes!("../../tests/fixtures/keys/passphrase.txt");

macro_rules! public_of {
    ($name:literal) => {
        include_str!(concat!("../../tests/fixtures/keys/", $name, ".pub"))
    };
}

/// One key of each kind that can be made here.
pub(super) fn known() -> &'static [PublicKey] {
    static KEYS: OnceLock<Vec<PublicKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        [
            public_of!("ed25519"),
            public_of!("p256"),
            public_of!("p384"),
            public_of!("p521"),
            public_of!("rsa"),
        ]
        .iter()
        .map(|line| PublicKey::load(line.as_bytes()).unwrap().0)
        .collect()
    })
}

/// A blob, and the same bytes as a line.
pub(super) fn public_key(data: &[u8]) {
    if let Ok(key) = PublicKey::from_blob(data) {
        // One key goes by one blob.
        assert_eq!(key.blob(), data);
        line_reads_back(&key, "a comment");
        assert!(!key.verify(key.signature_algorithms()[0], b"message", b""));
    }
    if let Ok((key, comment)) = PublicKey::load(data) {
        line_reads_back(&key, &comment);
    }
}

fn line_reads_back(key: &PublicKey, comment: &str) {
    let (again, found) = PublicKey::from_line(&key.to_line(comment)).unwrap();
    assert_eq!(&again, key);
    let (third, last) = PublicKey::from_line(&key.to_line(&found)).unwrap();
    assert_eq!((third, last), (again, found));
}

/// A certificate as a blob or as a line, and what it comes to.
pub(super) fn certificate(data: &[u8]) {
    if let Ok(certificate) = Certificate::from_blob(data) {
        assert_eq!(certificate.blob(), data);
        let (again, comment) = Certificate::from_line(&certificate.to_line("comment")).unwrap();
        assert_eq!((again.blob(), comment.as_str()), (data, "comment"));
        judge(&certificate);
        let algorithm = algorithms::CERTIFICATES
            .iter()
            .chain(algorithms::SECURITY_KEYS)
            .find(|entry| entry.key_type == certificate.type_name());
        if let Some(shown) = algorithm.and_then(|entry| ShownKey::read(entry, data)) {
            assert_eq!(shown.blob(), data);
        }
    }
    if let Ok((certificate, _)) = Certificate::load(data) {
        judge(&certificate);
    }
}

fn judge(certificate: &Certificate) {
    for kind in [CertificateKind::User, CertificateKind::Host] {
        for address in [None, Some("192.0.2.7".parse().unwrap())] {
            let wanted = CertificateCheck {
                kind,
                principals: &["user", "host.example.org"],
                now: 1_700_000_000,
                address,
            };
            if certificate.check(&wanted).is_ok() {
                assert!(certificate.is_signed());
                assert_eq!(certificate.kind(), kind);
                assert!(certificate.valid_after() <= wanted.now);
                assert!(wanted.now < certificate.valid_before());
            }
        }
    }
}

/// A signature blob: read back as it was, and refused for what it was not made for.
pub(super) fn signature(data: &[u8]) {
    let Ok(signature) = SignatureBlob::decode(data) else {
        return;
    };
    assert_eq!(signature.encode(), data);
    for key in known() {
        for algorithm in key.signature_algorithms() {
            // Nobody has signed this.
            assert!(!key.verify(algorithm, b"what nobody has signed", data));
            key.verify(
                algorithm,
                include_bytes!("../../tests/fixtures/keys/message"),
                data,
            );
        }
    }
}

/// A file with a private key of any format.
pub(super) fn private_key(data: &[u8]) {
    check_private(PrivateKey::load(data, Some(PASSPHRASE.trim_ascii())));
    check_private(PrivateKey::load(data, None));
}

/// The bytes within the armour of `OPENSSH PRIVATE KEY`.
pub(super) fn openssh(data: &[u8]) {
    check_private(formats::openssh::read(data, Some(PASSPHRASE.trim_ascii())));
}

/// PKCS#1 DER.
pub(super) fn pkcs1(data: &[u8]) {
    check_private(formats::read_pkcs1(data));
}

/// SEC 1 DER.
pub(super) fn sec1(data: &[u8]) {
    check_private(formats::read_sec1(data));
}

/// PKCS#8 DER, encrypted or not.
pub(super) fn pkcs8(data: &[u8]) {
    check_private(formats::read_pkcs8(data, None));
    check_private(formats::read_pkcs8(data, Some(PASSPHRASE.trim_ascii())));
}

/// A key that is taken signs, and is the same after it was written in either form.
fn check_private(outcome: Result<PrivateKey, Error>) {
    let Ok(key) = outcome else { return };
    let mut random = SeededRandom::new(4);
    let public = key.public();
    if key.kind() != KeyKind::Rsa {
        let algorithm = public.signature_algorithms()[0];
        let signature = key.sign(algorithm, b"message").unwrap();
        assert!(public.verify(algorithm, b"message", &signature));
    }
    let written = key.to_openssh(None, &mut random).unwrap();
    let again = PrivateKey::load(written.as_bytes(), None).unwrap();
    assert_eq!(again.public(), public);
    assert_eq!(again.comment(), key.comment());
    let written = key.to_pkcs8(None, &mut random).unwrap();
    let again = PrivateKey::load(written.as_bytes(), None).unwrap();
    assert_eq!(again.public(), public);
}

/// A list of revocations, and what it says of the known keys and of a certificate behind it.
pub(super) fn krl(data: &[u8]) {
    if let Ok(list) = RevocationList::load(data) {
        for key in known() {
            let _ = list.check(&key.clone().into());
        }
    }
    let mut input = Unstructured::new(data);
    let blob = piece(&mut input);
    let _: u8 = number(&mut input);
    if let (Ok(certificate), Ok(list)) = (
        Certificate::from_blob(blob),
        RevocationList::load(input.take_rest()),
    ) {
        let shown = ShownKey {
            key: certificate.key().clone(),
            certificate: Some(certificate),
        };
        let _ = list.check(&shown);
    }
}
