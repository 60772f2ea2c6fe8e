//! The `openssh-key-v1` format (OpenSSH, PROTOCOL.key): bcrypt_pbkdf and one of the SSH ciphers around the
//! numbers of the key.

use ssh_cipher::Cipher;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{need, pem};
use crate::codec::{DecodeError, Reader, Writer};
use crate::crypto::random::Random;
use crate::crypto::sign::{ecdsa, ed25519};
use crate::error::{Error, KeyFault};
use crate::keys::private::{Secret, ELSEWHERE};
use crate::keys::{curve_name, KeyKind, PrivateKey, PublicKey};

const LABEL: &str = "OPENSSH PRIVATE KEY";
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// Most bcrypt rounds that a file may ask for; ssh-keygen writes 16 to 24.
/// Fuzzers would spend their time in there.
const MAX_ROUNDS: u32 = if cfg!(fuzzing) { 1 } else { 2048 };
/// Rounds that we write.
const ROUNDS: u32 = 24;
/// Longest salt that a file may bring; ssh-keygen writes 16 bytes.
const MAX_SALT: usize = 64;
/// Bytes of salt that we write.
const SALT_LEN: usize = 16;
/// Room for the largest key, so that no half-written secret is left behind by a growing buffer.
const ROOM: usize = 16 * 1024;

/// How the secret part is protected.
struct Protection<'a> {
    cipher: Cipher,
    salt: &'a [u8],
    rounds: u32,
}

/// What bcrypt_pbkdf makes of a passphrase.
struct KeyAndIv {
    key: Zeroizing<Vec<u8>>,
    iv: Zeroizing<Vec<u8>>,
}

fn malformed(fault: DecodeError) -> Error {
    KeyFault::Malformed(match fault {
        DecodeError::Truncated => "OpenSSH private key is truncated",
        DecodeError::TrailingBytes => "trailing bytes after the OpenSSH private key",
        DecodeError::BadMpint => "bad number in the OpenSSH private key",
        _ => "OpenSSH private key",
    })
    .into()
}

/// A decoded file cut into its parts, with nothing decrypted.
pub(crate) struct Parts<'a> {
    protection: Option<Protection<'a>>,
    /// The blob of the public half, which nothing has vouched for.
    pub(crate) public: &'a [u8],
    sealed: &'a [u8],
    tag: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Cuts the file, checks what it would cost, and spends nothing on it.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let body = bytes
            .strip_prefix(MAGIC)
            .ok_or(KeyFault::Malformed("not an OpenSSH private key"))?;
        let mut reader = Reader::new(body);
        let cipher = reader.string().map_err(malformed)?;
        let kdf = reader.string().map_err(malformed)?;
        let options = reader.string().map_err(malformed)?;
        let protection = read_protection(cipher, kdf, options)?;
        if reader.u32().map_err(malformed)? != 1 {
            return Err(KeyFault::Malformed("file holds another number of keys than one").into());
        }
        let public = reader.string().map_err(malformed)?;
        let sealed = reader.string().map_err(malformed)?;
        // An authentication tag stands behind the string that it belongs to.
        let tag = match &protection {
            Some(protection) if protection.cipher.has_tag() => {
                reader.take(16).map_err(malformed)?
            }
            _ => &[],
        };
        reader.finish().map_err(malformed)?;
        let parts = Parts {
            protection,
            public,
            sealed,
            tag,
        };
        if sealed.is_empty() || sealed.len() % parts.block() != 0 {
            return Err(KeyFault::Malformed("secret part is not of whole blocks").into());
        }
        Ok(parts)
    }

    fn block(&self) -> usize {
        self.protection
            .as_ref()
            .map_or(8, |protection| protection.cipher.block_size())
    }

    /// The encryption in words, if there is any.
    pub(crate) fn encryption(&self) -> Option<String> {
        let protection = self.protection.as_ref()?;
        Some(format!(
            "{}, bcrypt with {} rounds",
            protection.cipher, protection.rounds
        ))
    }

    pub(crate) fn open(&self, passphrase: Option<&[u8]>) -> Result<PrivateKey, Error> {
        let mut secret = Zeroizing::new(self.sealed.to_vec());
        if let Some(protection) = &self.protection {
            protection.open(need(passphrase)?, &mut secret, self.tag)?;
        }
        let key = read_secret(&secret, self.block(), self.protection.is_some())?;
        if key.public().blob() != self.public {
            return Err(DIFFERENT.into());
        }
        Ok(key)
    }
}

/// Reads the decoded file.
pub(crate) fn read(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, Error> {
    Parts::parse(bytes)?.open(passphrase)
}

fn read_protection<'a>(
    cipher: &[u8],
    kdf: &[u8],
    options: &'a [u8],
) -> Result<Option<Protection<'a>>, Error> {
    let unsupported = |what: &str, name: &[u8]| {
        KeyFault::Unsupported(format!("{what} {}", crate::codec::printable(name, 64)))
    };
    let found = std::str::from_utf8(cipher)
        .ok()
        .and_then(|name| Cipher::new(name).ok())
        .ok_or_else(|| unsupported("private key cipher", cipher))?;
    match kdf {
        b"none" => {
            if !found.is_none() || !options.is_empty() {
                return Err(KeyFault::Malformed("cipher without key derivation").into());
            }
            Ok(None)
        }
        b"bcrypt" => {
            if found.is_none() {
                return Err(KeyFault::Malformed("key derivation without cipher").into());
            }
            let mut reader = Reader::new(options);
            let salt = reader.string().map_err(malformed)?;
            let rounds = reader.u32().map_err(malformed)?;
            reader.finish().map_err(malformed)?;
            if salt.is_empty() || salt.len() > MAX_SALT {
                return Err(KeyFault::Malformed("bad length of the bcrypt salt").into());
            }
            if !(1..=MAX_ROUNDS).contains(&rounds) {
                return Err(KeyFault::Malformed("bad number of bcrypt rounds").into());
            }
            Ok(Some(Protection {
                cipher: found,
                salt,
                rounds,
            }))
        }
        _ => Err(unsupported("key derivation", kdf).into()),
    }
}

impl Protection<'_> {
    /// OpenSSH derives 64 bytes and no IV for chacha20-poly1305, of which the first half encrypts under nonce
    /// 0 and the second, the key of packet lengths, has no use here.
    fn derive(&self, passphrase: &[u8]) -> Result<KeyAndIv, Error> {
        const FAULT: Error = Error::Bug("lengths of key and IV");
        let chacha = self.cipher == Cipher::ChaCha20Poly1305;
        let (key_len, iv_len) = if chacha {
            (64, 0)
        } else {
            self.cipher.key_and_iv_size().ok_or(FAULT)?
        };
        let mut material = Zeroizing::new(vec![0; key_len + iv_len]);
        bcrypt_pbkdf::bcrypt_pbkdf(passphrase, self.salt, self.rounds, &mut material)
            .map_err(|_| KeyFault::Malformed("bad parameters of bcrypt"))?;
        let (key, iv) = if chacha {
            (material.get(..32).ok_or(FAULT)?, [0; 8].as_slice())
        } else {
            material.split_at_checked(key_len).ok_or(FAULT)?
        };
        Ok(KeyAndIv {
            key: Zeroizing::new(key.to_vec()),
            iv: Zeroizing::new(iv.to_vec()),
        })
    }

    fn open(&self, passphrase: &[u8], secret: &mut [u8], tag: &[u8]) -> Result<(), Error> {
        let KeyAndIv { key, iv } = self.derive(passphrase)?;
        let tag = if self.cipher.has_tag() {
            Some(tag.try_into().map_err(|_| KeyFault::Malformed("bad tag"))?)
        } else {
            None
        };
        self.cipher
            .decrypt(&key, &iv, secret, tag)
            .map_err(|fault| match fault {
                ssh_cipher::Error::Crypto => KeyFault::PassphraseWrong.into(),
                ssh_cipher::Error::UnsupportedCipher(cipher) => {
                    KeyFault::Unsupported(format!("private key cipher {cipher}")).into()
                }
                _ => Error::Bug("lengths of key and IV"),
            })
    }
}

/// Reads the decrypted part: check numbers, key, comment, padding.
fn read_secret(secret: &[u8], block: usize, encrypted: bool) -> Result<PrivateKey, Error> {
    let mut reader = Reader::new(secret);
    let first: [u8; 4] = reader.array().map_err(malformed)?;
    let second: [u8; 4] = reader.array().map_err(malformed)?;
    if first.ct_ne(&second).into() {
        return Err(if encrypted {
            KeyFault::PassphraseWrong.into()
        } else {
            KeyFault::Malformed("check numbers differ").into()
        });
    }
    let name = reader.string().map_err(malformed)?;
    let kind = std::str::from_utf8(name)
        .ok()
        .and_then(KeyKind::from_key_type)
        .ok_or_else(|| {
            KeyFault::Unsupported(format!("key type {}", crate::codec::printable(name, 64)))
        })?;
    let key = match kind.curve() {
        Some(curve) => read_ecdsa(curve, &mut reader)?,
        None if kind == KeyKind::Rsa => read_rsa(&mut reader)?,
        None => read_ed25519(&mut reader)?,
    };
    let comment = reader.string().map_err(malformed)?;
    let padding = reader.remaining();
    let counted = (1u8..).zip(padding).all(|(number, byte)| *byte == number);
    if padding.len() >= block || !counted {
        return Err(KeyFault::Malformed("bad padding").into());
    }
    Ok(key.with_comment(&String::from_utf8_lossy(comment)))
}

const DIFFERENT: KeyFault = KeyFault::Malformed("public and private part differ");

fn read_ed25519(reader: &mut Reader<'_>) -> Result<PrivateKey, Error> {
    let public = reader.string().map_err(malformed)?;
    let pair = reader.string().map_err(malformed)?;
    let (seed, copy) = pair
        .split_first_chunk::<{ ed25519::SEED_LEN }>()
        .ok_or(KeyFault::Malformed("Ed25519 key is not of 64 bytes"))?;
    let key = PrivateKey::from_ed25519(Zeroizing::new(*seed))?;
    if copy != public
        || PublicKey::ed25519(public.try_into().map_err(|_| DIFFERENT)?)? != *key.public()
    {
        return Err(DIFFERENT.into());
    }
    Ok(key)
}

fn read_ecdsa(curve: ecdsa::Curve, reader: &mut Reader<'_>) -> Result<PrivateKey, Error> {
    if reader.string().map_err(malformed)? != curve_name(curve).as_bytes() {
        return Err(KeyFault::Malformed("curve does not fit the key type").into());
    }
    let point = reader.string().map_err(malformed)?;
    let scalar = reader.mpint().map_err(malformed)?;
    let key = PrivateKey::from_ecdsa(curve, scalar.to_vec().into())?;
    if PublicKey::ecdsa(curve, point)? != *key.public() {
        return Err(DIFFERENT.into());
    }
    Ok(key)
}

fn read_rsa(reader: &mut Reader<'_>) -> Result<PrivateKey, Error> {
    let n = reader.mpint().map_err(malformed)?;
    let e = reader.mpint().map_err(malformed)?;
    let d = reader.mpint().map_err(malformed)?;
    // iqmp, which is computed anew.
    reader.mpint().map_err(malformed)?;
    let p = reader.mpint().map_err(malformed)?;
    let q = reader.mpint().map_err(malformed)?;
    PrivateKey::from_rsa_numbers(n, e, d, p, q)
}

/// Writes the file.
pub(crate) fn write(
    key: &PrivateKey,
    passphrase: Option<&[u8]>,
    random: &mut dyn Random,
) -> Result<Zeroizing<String>, Error> {
    let passphrase = passphrase.filter(|passphrase| !passphrase.is_empty());
    let mut salt = [0; SALT_LEN];
    let protection = passphrase.map(|passphrase| {
        random.fill(&mut salt);
        let protection = Protection {
            cipher: Cipher::Aes256Ctr,
            salt: &salt,
            rounds: ROUNDS,
        };
        (protection, passphrase)
    });
    let block = protection
        .as_ref()
        .map_or(8, |(protection, _)| protection.cipher.block_size());
    let mut secret = secret_part(key, block, random)?;
    let mut out = Zeroizing::new(Vec::with_capacity(secret.len() + ROOM));
    let mut writer = Writer::new(&mut out);
    writer.raw(MAGIC);
    match &protection {
        None => {
            writer.string("none").string("none").string("");
        }
        Some((protection, passphrase)) => {
            let KeyAndIv { key: derived, iv } = protection.derive(passphrase)?;
            protection
                .cipher
                .encrypt(&derived, &iv, &mut secret)
                .map_err(|_| Error::Bug("lengths of key and IV"))?;
            writer
                .string(protection.cipher.as_str())
                .string("bcrypt")
                .string_with(|w| {
                    w.string(protection.salt).u32(protection.rounds);
                });
        }
    }
    writer
        .u32(1)
        .string(key.public().blob())
        .string(secret.as_slice());
    pem::write(LABEL, &out)
}

fn secret_part(
    key: &PrivateKey,
    block: usize,
    random: &mut dyn Random,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut check = [0; 4];
    random.fill(&mut check);
    let mut out = Zeroizing::new(Vec::with_capacity(key.comment().len() + ROOM));
    let mut writer = Writer::new(&mut out);
    writer
        .raw(&check)
        .raw(&check)
        .string(key.public().key_type());
    write_private_fields(key, &mut writer)?;
    writer.string(key.comment());
    let mut number = 1;
    while out.len() % block != 0 {
        out.push(number);
        number += 1;
    }
    Ok(out)
}

/// Writes the fields of a key behind its type, as files and agents have them.
pub(crate) fn write_private_fields(key: &PrivateKey, w: &mut Writer<'_>) -> Result<(), Error> {
    match key.secret() {
        Secret::Ed25519(_) => {}
        Secret::Ecdsa(curve, _) => {
            let blob = key.public().blob();
            let start = blob.len().saturating_sub(curve.point_len());
            let point = blob.get(start..).unwrap_or_default();
            w.string(curve_name(*curve)).string(point);
        }
        Secret::Rsa(numbers) => {
            w.mpint(&numbers.n).mpint(&numbers.e);
        }
        Secret::Elsewhere => {}
    }
    write_private_numbers(key, w)
}

/// Writes those of the fields that stand in no certificate (OpenSSH, PROTOCOL.agent).
pub(crate) fn write_private_numbers(key: &PrivateKey, w: &mut Writer<'_>) -> Result<(), Error> {
    match key.secret() {
        Secret::Ed25519(seed) => {
            let blob = key.public().blob();
            let point = blob
                .last_chunk::<{ ed25519::PUBLIC_LEN }>()
                .ok_or(Error::Bug("short Ed25519 blob"))?;
            let mut pair = Zeroizing::new([0; 64]);
            for (to, from) in pair.iter_mut().zip(seed.iter().chain(point)) {
                *to = *from;
            }
            w.string(point).string(pair.as_slice());
        }
        Secret::Ecdsa(_, scalar) => {
            w.mpint(scalar);
        }
        Secret::Rsa(numbers) => {
            w.mpint(&numbers.d)
                .mpint(&numbers.qinv)
                .mpint(&numbers.p)
                .mpint(&numbers.q);
        }
        Secret::Elsewhere => return Err(KeyFault::Unsupported(ELSEWHERE.to_owned()).into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::{fixture, TestRandom, PASSPHRASE};

    /// The fields of a file, each of which a test may spoil.
    struct File {
        cipher: &'static str,
        kdf: &'static str,
        options: Vec<u8>,
        count: u32,
        public: Vec<u8>,
        secret: Vec<u8>,
        trailer: Vec<u8>,
    }

    impl File {
        fn new() -> (Self, PrivateKey) {
            let key = PrivateKey::from_ed25519(Zeroizing::new([9; 32])).unwrap();
            let file = File {
                cipher: "none",
                kdf: "none",
                options: Vec::new(),
                count: 1,
                public: key.public().blob().to_vec(),
                secret: secret_part(&key, 8, &mut TestRandom).unwrap().to_vec(),
                trailer: Vec::new(),
            };
            (file, key)
        }

        fn read(&self, passphrase: Option<&[u8]>) -> Result<PrivateKey, Error> {
            let bytes = Writer::collect(|w| {
                w.raw(MAGIC)
                    .string(self.cipher)
                    .string(self.kdf)
                    .string(&self.options)
                    .u32(self.count)
                    .string(&self.public)
                    .string(&self.secret)
                    .raw(&self.trailer);
            });
            read(&bytes, passphrase)
        }

        fn fault(&self, passphrase: Option<&[u8]>) -> KeyFault {
            match self.read(passphrase) {
                Err(Error::Key(fault)) => fault,
                Err(other) => panic!("{other}"),
                Ok(_) => panic!("the file was taken"),
            }
        }
    }

    fn spoiled(spoil: impl FnOnce(&mut File)) -> KeyFault {
        let (mut file, _) = File::new();
        spoil(&mut file);
        file.fault(Some(b"passphrase"))
    }

    fn bcrypt(salt: &[u8], rounds: u32) -> impl FnOnce(&mut File) {
        let options = Writer::collect(|w| {
            w.string(salt).u32(rounds);
        });
        move |file| {
            file.cipher = "aes256-ctr";
            file.kdf = "bcrypt";
            file.options = options;
        }
    }

    #[test]
    fn the_unspoiled_file_is_good() {
        let (file, key) = File::new();
        assert_eq!(file.read(None).unwrap().public(), key.public());
    }

    #[test]
    fn y1_hostile_files_are_malformed() {
        let salt = [1; 16];
        for fault in [
            spoiled(bcrypt(&salt, 0)),
            spoiled(bcrypt(&salt, 2049)),
            spoiled(bcrypt(&salt, u32::MAX)),
            spoiled(bcrypt(&[], 16)),
            spoiled(bcrypt(&[1; 65536], 16)),
            spoiled(|file| file.count = 0),
            spoiled(|file| file.count = 2),
            spoiled(|file| file.count = u32::MAX),
            spoiled(|file| file.secret[0] ^= 1),
            spoiled(|file| *file.secret.last_mut().unwrap() ^= 1),
            spoiled(|file| file.secret.extend([9, 10, 11, 12, 13, 14, 15, 16])),
            spoiled(|file| file.secret.push(1)),
            spoiled(|file| file.secret.clear()),
            spoiled(|file| *file.public.last_mut().unwrap() ^= 1),
            spoiled(|file| file.public.push(0)),
            spoiled(|file| file.trailer.push(0)),
            spoiled(|file| file.cipher = "aes256-ctr"),
            spoiled(|file| file.options = vec![0; 4]),
            spoiled(|file| {
                file.kdf = "bcrypt";
                file.options = vec![0, 0, 0, 1, 1, 0, 0, 0, 16];
            }),
        ] {
            assert!(matches!(fault, KeyFault::Malformed(_)), "{fault}");
        }
        for fault in [
            spoiled(|file| file.cipher = "rot13"),
            spoiled(|file| file.kdf = "argon2"),
        ] {
            assert!(matches!(fault, KeyFault::Unsupported(_)), "{fault}");
        }
    }

    #[test]
    fn y1_caps_are_checked_before_a_passphrase_is_asked_for() {
        let (mut file, _) = File::new();
        bcrypt(&[1; 16], 2049)(&mut file);
        assert!(matches!(file.fault(None), KeyFault::Malformed(_)));
        bcrypt(&[1; 16], 2048)(&mut file);
        file.secret.resize(160, 0);
        assert_eq!(file.fault(None), KeyFault::PassphraseMissing);
    }

    #[test]
    fn y1_public_and_private_part_must_agree() {
        let other = PrivateKey::from_ed25519(Zeroizing::new([8; 32])).unwrap();
        let fault = spoiled(|file| file.public = other.public().blob().to_vec());
        assert_eq!(fault, DIFFERENT);
        // The copies inside the secret part count as well: 4 + 4 + (4 + 11) + 4 bytes stand before the first,
        // 32 + 4 + 32 more before the second.
        assert_eq!(spoiled(|file| file.secret[27] ^= 1), DIFFERENT);
        assert_eq!(spoiled(|file| file.secret[27 + 68] ^= 1), DIFFERENT);
    }

    #[test]
    fn a_damaged_tag_or_ciphertext_is_a_wrong_passphrase() {
        for name in [
            "ed25519.openssh.aes256-gcm@openssh.com",
            "ed25519.openssh.chacha20-poly1305@openssh.com",
        ] {
            let bytes = fixture(name);
            let mut bytes = pem::Document::find(&bytes).unwrap().decode().unwrap();
            assert!(read(&bytes, Some(PASSPHRASE)).is_ok());
            *bytes.last_mut().unwrap() ^= 1;
            let error = read(&bytes, Some(PASSPHRASE)).err().unwrap();
            assert_eq!(error, KeyFault::PassphraseWrong.into());
            bytes.pop();
            assert!(matches!(
                read(&bytes, Some(PASSPHRASE)),
                Err(Error::Key(KeyFault::Malformed(_)))
            ));
        }
    }

    #[test]
    fn what_is_written_is_encrypted() {
        let key = PrivateKey::from_ed25519(Zeroizing::new([9; 32])).unwrap();
        let text = write(&key, Some(PASSPHRASE), &mut TestRandom).unwrap();
        let bytes = pem::Document::find(text.as_bytes())
            .unwrap()
            .decode()
            .unwrap();
        assert!(!bytes.windows(32).any(|window| window == [9; 32]));
        let again = write(&key, Some(PASSPHRASE), &mut TestRandom).unwrap();
        assert_ne!(*text, *again);
    }
}
