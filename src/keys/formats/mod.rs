//! The formats keys are stored in, one file each.
//!
//! Files come from people and from other people: every length and every cost parameter is checked before
//! memory or time is spent on it.

pub(crate) mod openssh;
pub(crate) mod pem;
pub(crate) mod pkcs1;
pub(crate) mod pkcs8;
pub(crate) mod ppk;
pub(crate) mod public_line;
pub(crate) mod public_pem;
pub(crate) mod rfc4716;
pub(crate) mod sec1;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::PrivateKey;
use crate::error::{Error, KeyFault};

/// Longest file that is looked at.
pub const MAX_FILE: usize = 1024 * 1024;

/// How often a passphrase is asked for.
pub const MAX_PASSPHRASES: u32 = 3;

/// Reads a private key of any format.
pub(crate) fn load(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, Error> {
    if bytes.len() > MAX_FILE {
        return Err(KeyFault::Malformed("file is too long for a key").into());
    }
    // What is encrypted is never encrypted with nothing: an empty passphrase is one that was not given.
    let passphrase = passphrase.filter(|passphrase| !passphrase.is_empty());
    if ppk::is_ppk(bytes) {
        return ppk::read(bytes, passphrase);
    }
    let document = pem::Document::find(bytes)?;
    match document.label {
        "OPENSSH PRIVATE KEY" => openssh::read(&document.decode()?, passphrase),
        "RSA PRIVATE KEY" => pkcs1::read_pem(&document, passphrase),
        "EC PRIVATE KEY" => sec1::read_pem(&document, passphrase),
        "PRIVATE KEY" => pkcs8::read(&document.decode()?),
        "ENCRYPTED PRIVATE KEY" => pkcs8::read_encrypted(&document.decode()?, passphrase),
        label => Err(KeyFault::Unsupported(format!("private key format {label}")).into()),
    }
}

/// Reads a private key of any format, asking for its passphrase when it has one: at most [`MAX_PASSPHRASES`] times, with
/// the number of the try. Nothing, or an empty passphrase, means that there is none to be had.
pub(crate) fn load_asking(
    bytes: &[u8],
    ask: &mut dyn FnMut(u32) -> Option<Zeroizing<Vec<u8>>>,
) -> Result<PrivateKey, Error> {
    let mut outcome = load(bytes, None);
    for attempt in 1..=MAX_PASSPHRASES {
        match outcome {
            Err(Error::Key(KeyFault::PassphraseMissing | KeyFault::PassphraseWrong)) => {}
            decided => return decided,
        }
        match ask(attempt).filter(|passphrase| !passphrase.is_empty()) {
            Some(passphrase) => outcome = load(bytes, Some(&passphrase)),
            None => break,
        }
    }
    outcome
}

/// The bytes of each format without its armour, for fuzzing: no fuzzer writes Base64.
#[cfg(any(test, fuzzing))]
mod bare {
    use super::{pkcs1, pkcs8, sec1, Error, PrivateKey};

    pub(crate) fn read_pkcs1(der: &[u8]) -> Result<PrivateKey, Error> {
        pkcs1::read(der)
    }

    pub(crate) fn read_sec1(der: &[u8]) -> Result<PrivateKey, Error> {
        sec1::read(der, None)
    }

    pub(crate) fn read_pkcs8(der: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, Error> {
        match passphrase {
            None => pkcs8::read(der),
            passphrase => pkcs8::read_encrypted(der, passphrase),
        }
    }
}
#[cfg(any(test, fuzzing))]
pub(crate) use bare::{read_pkcs1, read_pkcs8, read_sec1};

/// Base64 in lines of so many letters, each with its newline.
pub(in crate::keys) fn base64_lines(bytes: &[u8], letters: usize) -> String {
    let mut text = String::new();
    for (at, letter) in Base64::encode_string(bytes).char_indices() {
        if at > 0 && at % letters == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push('\n');
    text
}

/// The passphrase, or the error that asks for one.
fn need(passphrase: Option<&[u8]>) -> Result<&[u8], KeyFault> {
    passphrase.ok_or(KeyFault::PassphraseMissing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::{fixture, text, TestRandom, PASSPHRASE};
    use crate::keys::{KeyKind, PublicKey};

    const KINDS: [&str; 5] = ["ed25519", "p256", "p384", "p521", "rsa"];
    const PLAIN: [&str; 24] = [
        "ed25519.openssh",
        "p256.openssh",
        "p384.openssh",
        "p521.openssh",
        "rsa.openssh",
        "p256.sec1",
        "p256.sec1.parameters",
        "p384.sec1",
        "p521.sec1",
        "rsa.pkcs1",
        "p256.pkcs8",
        "p384.pkcs8",
        "p521.pkcs8",
        "rsa.pkcs8",
        "ed25519.ppk2",
        "ed25519.ppk3",
        "p256.ppk2",
        "p256.ppk3",
        "p384.ppk2",
        "p384.ppk3",
        "p521.ppk2",
        "p521.ppk3",
        "rsa.ppk2",
        "rsa.ppk3",
    ];
    const ENCRYPTED: [&str; 45] = [
        "ed25519.openssh.aes256-ctr",
        "p256.openssh.aes256-ctr",
        "p384.openssh.aes256-ctr",
        "p521.openssh.aes256-ctr",
        "rsa.openssh.aes256-ctr",
        "ed25519.openssh.aes128-cbc",
        "ed25519.openssh.aes192-cbc",
        "ed25519.openssh.aes256-cbc",
        "ed25519.openssh.aes128-ctr",
        "ed25519.openssh.aes192-ctr",
        "ed25519.openssh.aes128-gcm@openssh.com",
        "ed25519.openssh.aes256-gcm@openssh.com",
        "ed25519.openssh.chacha20-poly1305@openssh.com",
        "ed25519.openssh.3des-cbc",
        "p256.sec1.aes128",
        "p256.sec1.aes256",
        "p384.sec1.aes128",
        "p384.sec1.aes256",
        "p521.sec1.aes128",
        "p521.sec1.aes256",
        "rsa.pkcs1.aes128",
        "rsa.pkcs1.aes256",
        "rsa.pkcs1.des3",
        "p256.pkcs8.pbkdf2",
        "p256.pkcs8.scrypt",
        "p384.pkcs8.pbkdf2",
        "p384.pkcs8.scrypt",
        "p521.pkcs8.scrypt",
        "rsa.pkcs8.pbkdf2",
        "rsa.pkcs8.scrypt",
        "p256.pkcs8.aes128-sha512",
        "p256.pkcs8.des3-sha1",
        "p256.pkcs8.aes256-600000",
        "ed25519.ppk2.sha1",
        "p256.ppk2.sha1",
        "p384.ppk2.sha1",
        "p521.ppk2.sha1",
        "rsa.ppk2.sha1",
        "ed25519.ppk3.argon2id",
        "ed25519.ppk3.argon2i",
        "ed25519.ppk3.argon2d",
        "p256.ppk3.argon2id",
        "p384.ppk3.argon2id",
        "p521.ppk3.argon2id",
        "rsa.ppk3.argon2id",
    ];

    fn public_of(name: &str) -> PublicKey {
        let kind = name.split('.').next().unwrap();
        PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
    }

    fn fault(bytes: &[u8], passphrase: Option<&[u8]>) -> KeyFault {
        match load(bytes, passphrase) {
            Ok(_) => panic!("the key was taken"),
            Err(Error::Key(fault)) => fault,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn plain_keys_of_every_format() {
        for name in PLAIN {
            let bytes = fixture(name);
            for passphrase in [None, Some(&b"not needed"[..])] {
                let key =
                    load(&bytes, passphrase).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(*key.public(), public_of(name), "{name}");
                let algorithm = key.public().signature_algorithms()[0];
                assert!(key.sign(algorithm, b"message").is_ok());
            }
        }
        for kind in KINDS {
            let key = load(&fixture(&format!("{kind}.openssh")), None).unwrap();
            assert_eq!(key.comment(), format!("{kind} test"));
        }
    }

    #[test]
    fn encrypted_keys_of_every_format() {
        for name in ENCRYPTED {
            let bytes = fixture(name);
            let key =
                load(&bytes, Some(PASSPHRASE)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(*key.public(), public_of(name), "{name}");
            assert_eq!(fault(&bytes, None), KeyFault::PassphraseMissing, "{name}");
            assert_eq!(fault(&bytes, Some(b"")), KeyFault::PassphraseMissing);
            assert_eq!(
                fault(&bytes, Some(b"incorrect horse")),
                KeyFault::PassphraseWrong,
                "{name}"
            );
        }
    }

    #[test]
    fn ed25519_in_pkcs8() {
        let plain = load(&fixture("ed25519b.pkcs8"), None).unwrap();
        assert!(plain.public().blob().ends_with(&fixture("ed25519b.point")));
        for name in ["ed25519b.pkcs8.pbkdf2", "ed25519b.pkcs8.scrypt"] {
            let key = load(&fixture(name), Some(PASSPHRASE)).unwrap();
            assert_eq!(key.public(), plain.public());
            assert_eq!(fault(&fixture(name), None), KeyFault::PassphraseMissing);
        }
    }

    #[test]
    fn legacy_encryption_never_takes_a_wrong_passphrase() {
        // Of 600 wrong passphrases some leave good padding by chance.
        for name in ["rsa.pkcs1.aes128", "p256.sec1.aes256", "rsa.pkcs1.des3"] {
            let bytes = fixture(name);
            for i in 0..600 {
                let wrong = format!("wrong {i}");
                assert_eq!(
                    fault(&bytes, Some(wrong.as_bytes())),
                    KeyFault::PassphraseWrong
                );
            }
        }
    }

    #[test]
    fn line_ends_blanks_and_text_around_the_key() {
        for name in [
            "p256.openssh",
            "rsa.pkcs1",
            "rsa.pkcs1.aes128",
            "p256.sec1.aes256",
            "p384.pkcs8",
            "p256.pkcs8.des3-sha1",
        ] {
            let key = text(name);
            for form in [
                key.replace('\n', "\r\n"),
                format!("\n\n  {key}\n \n"),
                format!("Key of somebody\n{key}and more text\n"),
                key.trim_end().to_owned(),
                key.replace('\n', "  \n"),
            ] {
                let loaded = load(form.as_bytes(), Some(PASSPHRASE)).unwrap();
                assert_eq!(*loaded.public(), public_of(name), "{name}");
            }
        }
    }

    #[test]
    fn what_is_not_supported_is_said() {
        for name in [
            "bad-dsa.openssh",
            "bad-secp256k1.sec1",
            "bad-secp256k1.pkcs8",
            "bad-x25519.pkcs8",
            "bad-p256.pkcs8.pbes1",
            "bad-p256.pkcs8.camellia",
            "bad-dsa.ppk3",
            "bad-ed448.ppk3",
        ] {
            let found = fault(&fixture(name), Some(PASSPHRASE));
            assert!(matches!(found, KeyFault::Unsupported(_)), "{name}: {found}");
        }
        for name in [
            "bad-rsa1024.pkcs1",
            "bad-explicit.sec1",
            "ed25519.pub",
            "message",
        ] {
            let found = fault(&fixture(name), None);
            assert!(matches!(found, KeyFault::Malformed(_)), "{name}: {found}");
        }
        let label = "-----BEGIN DSA PRIVATE KEY-----\nAQID\n-----END DSA PRIVATE KEY-----\n";
        assert!(matches!(
            fault(label.as_bytes(), None),
            KeyFault::Unsupported(_)
        ));
    }

    #[cfg(feature = "fast-crypto")]
    #[test]
    fn private_rsa_keys_above_what_aws_lc_takes_are_unsupported() {
        assert!(matches!(
            fault(&fixture("rsa9216.pkcs1"), None),
            KeyFault::Unsupported(_)
        ));
    }

    #[cfg(not(feature = "fast-crypto"))]
    #[test]
    fn large_private_rsa_keys_are_portable() {
        let key = load(&fixture("rsa9216.pkcs1"), None).unwrap();
        assert_eq!(*key.public(), public_of("rsa9216"));
        assert!(key.sign("rsa-sha2-512", b"message").is_ok());
    }

    #[test]
    fn written_keys_are_read_again() {
        for kind in KeyKind::ALL {
            let key = PrivateKey::generate(kind, 2048, &mut TestRandom)
                .unwrap()
                .with_comment("someone@somewhere");
            for passphrase in [None, Some(&b""[..]), Some(PASSPHRASE)] {
                let openssh = key.to_openssh(passphrase, &mut TestRandom).unwrap();
                let again = load(openssh.as_bytes(), passphrase).unwrap();
                assert_eq!(again.public(), key.public());
                assert_eq!(again.comment(), "someone@somewhere");
                let pkcs8 = key.to_pkcs8(passphrase, &mut TestRandom).unwrap();
                let again = load(pkcs8.as_bytes(), passphrase).unwrap();
                assert_eq!(again.public(), key.public());
                if passphrase == Some(PASSPHRASE) {
                    assert_eq!(fault(openssh.as_bytes(), None), KeyFault::PassphraseMissing);
                    assert_eq!(fault(pkcs8.as_bytes(), None), KeyFault::PassphraseMissing);
                }
            }
        }
    }

    fn asked(name: &str, answers: &[Option<&[u8]>]) -> (Result<PrivateKey, Error>, Vec<u32>) {
        let mut attempts = Vec::new();
        let outcome = load_asking(&fixture(name), &mut |attempt| {
            attempts.push(attempt);
            let answer = answers.get(attempts.len() - 1).copied().flatten();
            answer.map(|passphrase| Zeroizing::new(passphrase.to_vec()))
        });
        (outcome, attempts)
    }

    #[test]
    fn y3_passphrases_are_asked_for_three_times() {
        const WRONG: Option<&[u8]> = Some(b"wrong");
        const RIGHT: Option<&[u8]> = Some(PASSPHRASE);
        for name in [
            "p256.openssh.aes256-ctr",
            "p256.ppk3.argon2id",
            "p256.sec1.aes128",
        ] {
            let missing: Error = KeyFault::PassphraseMissing.into();
            let wrong: Error = KeyFault::PassphraseWrong.into();
            for (answers, fault, count) in [
                (&[RIGHT][..], None, 1),
                (&[WRONG, WRONG, RIGHT], None, 3),
                (&[WRONG, WRONG, WRONG, RIGHT], Some(&wrong), 3),
                (&[None, RIGHT], Some(&missing), 1),
                (&[Some(&b""[..]), RIGHT], Some(&missing), 1),
                (&[WRONG, None, RIGHT], Some(&wrong), 2),
            ] {
                let (outcome, attempts) = asked(name, answers);
                assert_eq!(outcome.err().as_ref(), fault, "{name}");
                assert_eq!(attempts, (1..=count).collect::<Vec<_>>());
            }
        }
        for name in ["p256.openssh", "message", "bad-dsa.openssh"] {
            assert_eq!(asked(name, &[RIGHT]).1, [], "{name}");
        }
    }

    #[test]
    fn y2_files_that_are_too_long_are_not_looked_at() {
        let mut bytes = fixture("p256.pkcs8");
        bytes.resize(MAX_FILE + 1, b'\n');
        assert!(matches!(fault(&bytes, None), KeyFault::Malformed(_)));
        bytes.truncate(MAX_FILE);
        assert!(load(&bytes, None).is_ok());
    }

    #[test]
    fn damaged_keys_never_load_as_another_key() {
        for name in ["ed25519.openssh", "p256.sec1", "p256.pkcs8", "rsa.pkcs1"] {
            let document = fixture(name);
            let document = pem::Document::find(&document).unwrap();
            let bytes = document.decode().unwrap();
            let step = if name.starts_with("rsa") { 37 } else { 1 };
            for at in (0..bytes.len()).step_by(step) {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 0x20;
                let text = pem::write(document.label, &damaged).unwrap();
                if let Ok(key) = load(text.as_bytes(), None) {
                    assert_eq!(*key.public(), public_of(name), "{name} at {at}");
                }
            }
            for length in (1..bytes.len()).step_by(step) {
                let text = pem::write(document.label, &bytes[..length]).unwrap();
                assert!(load(text.as_bytes(), None).is_err());
            }
        }
    }

    #[test]
    fn y2_hostile_der_is_refused() {
        let nested: Vec<u8> = (0..10_000)
            .flat_map(|_| [0x30, 0x84, 0x00, 0xff, 0xff, 0xff])
            .collect();
        for label in [
            "PRIVATE KEY",
            "ENCRYPTED PRIVATE KEY",
            "RSA PRIVATE KEY",
            "EC PRIVATE KEY",
            "OPENSSH PRIVATE KEY",
        ] {
            for der in [
                &[0x30][..],
                &[0x30, 0x80, 0x02, 0x01, 0x00, 0x00, 0x00],
                &[0x30, 0x88, 0x80, 0, 0, 0, 0, 0, 0, 0],
                &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 0],
                // PKCS#1 with negative numbers
                &[
                    0x30, 0x0f, 2, 1, 0, 2, 1, 0x80, 2, 1, 0x80, 2, 1, 0x80, 2, 1, 0x80,
                ],
                &nested,
            ] {
                let text = pem::write(label, der).unwrap();
                let found = fault(text.as_bytes(), Some(b"x"));
                assert!(matches!(found, KeyFault::Malformed(_)), "{label}: {found}");
            }
        }
    }
}
