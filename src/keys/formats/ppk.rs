//! PuTTY's private keys, versions 2 and 3 of the format: lines with names, the two halves of the key in base64, and a MAC
//! over all of it. Version 3 derives its keys from the passphrase with Argon2, version 2 with SHA-1.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use ssh_cipher::Cipher;
use zeroize::{Zeroize, Zeroizing};

use super::need;
use crate::codec::{printable, DecodeError, Reader, Writer};
use crate::crypto::sign::ed25519;
use crate::error::{Error, KeyFault};
use crate::keys::{KeyKind, PrivateKey, PublicKey};

/// What the first line of such a file begins with.
const BEGIN: &[u8] = b"PuTTY-User-Key-File-";
/// Most memory that a file may make Argon2 use; puttygen writes 8 MiB.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// Most memory times passes, in KiB: some seconds of work. puttygen takes as many passes as fit into a tenth of one.
const MAX_WORK_KIB: u64 = 4 * 1024 * 1024;
const MAX_PARALLELISM: u32 = 16;
/// Longest salt that a file may bring; puttygen writes 16 bytes.
const MAX_SALT: usize = 64;
/// An RSA key of 16384 bits has fewer lines of 64 characters.
const MAX_LINES: usize = 1024;
/// Longest line of base64 that is looked at.
const MAX_BASE64_LINE: usize = 128;
const MAX_COMMENT: usize = 4096;

const KEY_LEN: usize = 32;
const IV_LEN: usize = 16;

const MALFORMED: KeyFault = KeyFault::Malformed("not a whole PuTTY private key");

/// Whether the file is one of PuTTY's.
pub(crate) fn is_ppk(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(BEGIN)
}

/// A file cut into its parts. Nothing vouches for any of them before the MAC was checked.
pub(crate) struct Ppk<'a> {
    pub(crate) version: u8,
    /// The type of the key.
    pub(crate) algorithm: &'a str,
    comment: &'a [u8],
    public: Zeroizing<Vec<u8>>,
    protection: Protection,
    private: Zeroizing<Vec<u8>>,
    mac: Vec<u8>,
}

/// How the private half is protected.
enum Protection {
    None,
    Sha1,
    Argon2(Argon2Cost),
}

struct Argon2Cost {
    algorithm: Algorithm,
    params: Params,
    salt: Vec<u8>,
}

/// What is made of the passphrase. All empty for a key that is not encrypted.
#[derive(Default)]
struct Keys {
    cipher: Zeroizing<Vec<u8>>,
    iv: Zeroizing<Vec<u8>>,
    mac: Zeroizing<Vec<u8>>,
}

/// Takes lines of the form `name: value` in their fixed order.
struct Lines<I>(I);

impl<'a, I: Iterator<Item = &'a [u8]>> Lines<I> {
    fn next(&mut self) -> Result<&'a [u8], KeyFault> {
        let line = self.0.next().ok_or(MALFORMED)?;
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn value(&mut self, name: &str) -> Result<&'a [u8], KeyFault> {
        let value = self.next()?.strip_prefix(name.as_bytes());
        value
            .and_then(|rest| rest.strip_prefix(b": "))
            .ok_or(MALFORMED)
    }

    fn word(&mut self, name: &str) -> Result<&'a str, KeyFault> {
        std::str::from_utf8(self.value(name)?).map_err(|_| MALFORMED)
    }

    fn number(&mut self, name: &str) -> Result<u32, KeyFault> {
        let word = self.word(name)?;
        // A sign would be taken for a part of the number.
        let digits = word.bytes().all(|byte| byte.is_ascii_digit());
        word.parse().ok().filter(|_| digits).ok_or(MALFORMED)
    }

    fn hex(&mut self, name: &str) -> Result<Vec<u8>, KeyFault> {
        base16(self.value(name)?).ok_or(MALFORMED)
    }

    /// A count of lines, and that many lines of base64.
    fn base64(&mut self, name: &str) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
        let count = usize::try_from(self.number(name)?).map_err(|_| MALFORMED)?;
        if count > MAX_LINES {
            return Err(KeyFault::Malformed("PuTTY key of too many lines"));
        }
        // Room for all of it at once: growing would leave copies of the secret behind.
        let mut joined = Zeroizing::new(Vec::with_capacity(count.saturating_mul(MAX_BASE64_LINE)));
        for _ in 0..count {
            let line = self.next()?;
            if line.len() > MAX_BASE64_LINE {
                return Err(MALFORMED);
            }
            joined.extend_from_slice(line);
        }
        let text = std::str::from_utf8(&joined).map_err(|_| MALFORMED)?;
        Base64::decode_vec(text)
            .map(Zeroizing::new)
            .map_err(|_| KeyFault::Malformed("bad base64 in the PuTTY key"))
    }
}

/// Bytes from digits of either case.
fn base16(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<_>>().filter(|_| rest.is_empty())
}

impl<'a> Ppk<'a> {
    /// Cuts a file into its parts, checks what they would cost, and spends nothing on them.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, KeyFault> {
        let mut lines = Lines(bytes.trim_ascii_start().split(|byte| *byte == b'\n'));
        let first = std::str::from_utf8(lines.next()?.strip_prefix(BEGIN).ok_or(MALFORMED)?);
        let (version, algorithm) = first
            .ok()
            .and_then(|rest| rest.split_once(": "))
            .ok_or(MALFORMED)?;
        let version = match version {
            "2" => 2,
            "3" => 3,
            other => {
                return Err(KeyFault::Unsupported(format!(
                    "version {} of PuTTY's private key format",
                    printable(other.as_bytes(), 16)
                )))
            }
        };
        let encrypted = match lines.word("Encryption")? {
            "none" => false,
            "aes256-cbc" => true,
            other => {
                return Err(KeyFault::Unsupported(format!(
                    "private key cipher {}",
                    printable(other.as_bytes(), 64)
                )))
            }
        };
        let comment = lines.value("Comment")?;
        if comment.len() > MAX_COMMENT {
            return Err(KeyFault::Malformed("comment of the PuTTY key is too long"));
        }
        let public = lines.base64("Public-Lines")?;
        let protection = match (encrypted, version) {
            (false, _) => Protection::None,
            (true, 2) => Protection::Sha1,
            (true, _) => Protection::Argon2(Argon2Cost::parse(&mut lines)?),
        };
        let private = lines.base64("Private-Lines")?;
        let mac = lines.hex("Private-MAC")?;
        if lines.0.any(|line| !line.trim_ascii().is_empty()) {
            return Err(KeyFault::Malformed("something follows the PuTTY key"));
        }
        if encrypted && (private.is_empty() || private.len() % IV_LEN != 0) {
            return Err(KeyFault::Malformed("secret part is not of whole blocks"));
        }
        Ok(Ppk {
            version,
            algorithm,
            comment,
            public,
            protection,
            private,
            mac,
        })
    }

    /// The encryption in words, if there is any.
    pub(crate) fn encryption(&self) -> Option<String> {
        match &self.protection {
            Protection::None => None,
            Protection::Sha1 => Some("aes256-cbc, SHA-1".to_owned()),
            Protection::Argon2(cost) => Some(format!(
                "aes256-cbc, {} with {} KiB, passes: {}, parallelism: {}",
                cost.name(),
                cost.params.m_cost(),
                cost.params.t_cost(),
                cost.params.p_cost()
            )),
        }
    }

    /// The comment, which old versions of PuTTY wrote in any encoding.
    pub(crate) fn comment(&self) -> String {
        String::from_utf8_lossy(self.comment).into_owned()
    }

    /// The public half, which is never encrypted.
    pub(crate) fn public_key(&self) -> Result<PublicKey, Error> {
        let key = PublicKey::from_blob(&self.public)?;
        if key.key_type() != self.algorithm {
            return Err(KeyFault::Malformed("PuTTY key of two types").into());
        }
        Ok(key)
    }

    /// Decrypts the private half and checks the MAC.
    fn open(mut self, passphrase: Option<&[u8]>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let passphrase = match &self.protection {
            Protection::None => None,
            Protection::Sha1 | Protection::Argon2(_) => Some(need(passphrase)?),
        };
        let keys = match (&self.protection, passphrase) {
            (Protection::Sha1, Some(passphrase)) => Keys::of_version_2(passphrase),
            (Protection::Argon2(cost), Some(passphrase)) => cost.derive(passphrase)?,
            _ => Keys::default(),
        };
        if passphrase.is_some() {
            Cipher::Aes256Cbc
                .decrypt(&keys.cipher, &keys.iv, &mut self.private, None)
                .map_err(|_| Error::Bug("lengths of key and IV"))?;
        }
        if self.is_authentic(&keys, passphrase)? {
            return Ok(self.private);
        }
        Err(match passphrase {
            Some(_) => KeyFault::PassphraseWrong,
            None => KeyFault::Malformed("the PuTTY key was changed: its MAC is wrong"),
        }
        .into())
    }

    /// Whether the MAC, which is over what was decrypted, is right.
    fn is_authentic(&self, keys: &Keys, passphrase: Option<&[u8]>) -> Result<bool, Error> {
        const BUG: Error = Error::Bug("HMAC takes any key");
        let encryption = match passphrase {
            Some(_) => "aes256-cbc",
            None => "none",
        };
        let fields: [&[u8]; 5] = [
            self.algorithm.as_bytes(),
            encryption.as_bytes(),
            self.comment,
            &self.public,
            &self.private,
        ];
        let room = fields.iter().map(|field| field.len().saturating_add(4));
        let mut message = Zeroizing::new(Vec::with_capacity(room.sum()));
        let mut writer = Writer::new(&mut message);
        for field in fields {
            writer.string(field);
        }
        if self.version == 2 {
            let key = Sha1::new()
                .chain_update(b"putty-private-key-file-mac-key")
                .chain_update(passphrase.unwrap_or_default())
                .finalize();
            let mac = Hmac::<Sha1>::new_from_slice(&key).map_err(|_| BUG)?;
            return Ok(mac.chain_update(&*message).verify_slice(&self.mac).is_ok());
        }
        let mac = Hmac::<Sha256>::new_from_slice(&keys.mac).map_err(|_| BUG)?;
        Ok(mac.chain_update(&*message).verify_slice(&self.mac).is_ok())
    }
}

impl Keys {
    /// SHA-1 of a counter and the passphrase, as often as bytes are wanted; no IV.
    fn of_version_2(passphrase: &[u8]) -> Self {
        let mut cipher = Zeroizing::new(Vec::with_capacity(2 * 20));
        for counter in [0_u32, 1] {
            let hash = Sha1::new()
                .chain_update(counter.to_be_bytes())
                .chain_update(passphrase)
                .finalize();
            cipher.extend_from_slice(&hash);
        }
        cipher.truncate(KEY_LEN);
        Keys {
            cipher,
            iv: Zeroizing::new(vec![0; IV_LEN]),
            mac: Zeroizing::default(),
        }
    }
}

/// Memory for Argon2, wiped afterwards: what stood in it leads to the keys.
struct Blocks(Vec<Block>);

impl Blocks {
    /// Fails where the memory cannot be had, instead of ending the process.
    fn new(count: usize) -> Result<Self, Error> {
        let mut blocks = Vec::new();
        blocks
            .try_reserve_exact(count)
            .map_err(|_| Error::Resource("memory for Argon2"))?;
        blocks.resize(count, Block::new());
        Ok(Blocks(blocks))
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Argon2Cost {
    fn parse<'a>(lines: &mut Lines<impl Iterator<Item = &'a [u8]>>) -> Result<Self, KeyFault> {
        const BAD: KeyFault = KeyFault::Malformed("bad parameters of Argon2");
        let algorithm = match lines.word("Key-Derivation")? {
            "Argon2id" => Algorithm::Argon2id,
            "Argon2i" => Algorithm::Argon2i,
            "Argon2d" => Algorithm::Argon2d,
            other => {
                return Err(KeyFault::Unsupported(format!(
                    "key derivation {}",
                    printable(other.as_bytes(), 64)
                )))
            }
        };
        let memory_kib = lines.number("Argon2-Memory")?;
        let passes = lines.number("Argon2-Passes")?;
        let parallelism = lines.number("Argon2-Parallelism")?;
        let salt = lines.hex("Argon2-Salt")?;
        let work = u64::from(memory_kib).saturating_mul(u64::from(passes));
        if memory_kib > MAX_MEMORY_KIB || work > MAX_WORK_KIB || parallelism > MAX_PARALLELISM {
            return Err(KeyFault::Malformed("key derivation asks for too much work"));
        }
        if !(argon2::MIN_SALT_LEN..=MAX_SALT).contains(&salt.len()) {
            return Err(BAD);
        }
        Ok(Argon2Cost {
            algorithm,
            params: Params::new(memory_kib, passes, parallelism, None).map_err(|_| BAD)?,
            salt,
        })
    }

    fn name(&self) -> &'static str {
        match self.algorithm {
            Algorithm::Argon2d => "Argon2d",
            Algorithm::Argon2i => "Argon2i",
            Algorithm::Argon2id => "Argon2id",
        }
    }

    fn derive(&self, passphrase: &[u8]) -> Result<Keys, Error> {
        const BUG: Error = Error::Bug("parameters of Argon2 were checked");
        let argon2 = Argon2::new(self.algorithm, Version::V0x13, self.params.clone());
        let mut blocks = Blocks::new(self.params.block_count())?;
        let mut bytes = Zeroizing::new([0; KEY_LEN + IV_LEN + KEY_LEN]);
        argon2
            .hash_password_into_with_memory(
                passphrase,
                &self.salt,
                bytes.as_mut_slice(),
                &mut blocks.0,
            )
            .map_err(|_| BUG)?;
        let (cipher, rest) = bytes.split_at_checked(KEY_LEN).ok_or(BUG)?;
        let (iv, mac) = rest.split_at_checked(IV_LEN).ok_or(BUG)?;
        Ok(Keys {
            cipher: Zeroizing::new(cipher.to_vec()),
            iv: Zeroizing::new(iv.to_vec()),
            mac: Zeroizing::new(mac.to_vec()),
        })
    }
}

/// Reads a file.
pub(super) fn read(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, Error> {
    let file = Ppk::parse(bytes)?;
    let comment = file.comment();
    let public = file.public_key()?;
    let private = file.open(passphrase)?;
    let key = assemble(&public, &private)?;
    if *key.public() != public {
        return Err(KeyFault::Malformed("public and private part differ").into());
    }
    Ok(key.with_comment(&comment))
}

fn malformed(_: DecodeError) -> KeyFault {
    KeyFault::Malformed("private part of the PuTTY key")
}

/// The key of the two halves. Random bytes fill the private half up to whole blocks of the cipher; the MAC vouches for
/// them as well.
fn assemble(public: &PublicKey, private: &[u8]) -> Result<PrivateKey, Error> {
    let mut secret = Reader::new(private);
    match public.kind() {
        KeyKind::Rsa => {
            let mut shown = Reader::new(public.blob());
            shown.string().map_err(malformed)?;
            let e = shown.mpint().map_err(malformed)?;
            let n = shown.mpint().map_err(malformed)?;
            let d = secret.mpint().map_err(malformed)?;
            let p = secret.mpint().map_err(malformed)?;
            let q = secret.mpint().map_err(malformed)?;
            PrivateKey::from_rsa_numbers(n, e, d, p, q)
        }
        KeyKind::Ed25519 => {
            // The seed as a number, least significant byte first, without zeros at its end.
            let bytes = secret.string().map_err(malformed)?;
            let mut seed = Zeroizing::new([0; ed25519::SEED_LEN]);
            let room = seed
                .get_mut(..bytes.len())
                .ok_or(KeyFault::Malformed("Ed25519 key is not of 32 bytes"))?;
            room.copy_from_slice(bytes);
            PrivateKey::from_ed25519(seed)
        }
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => {
            let curve = public
                .kind()
                .curve()
                .ok_or(Error::Bug("ECDSA without a curve"))?;
            let scalar = secret.mpint().map_err(malformed)?;
            PrivateKey::from_ecdsa(curve, scalar.to_vec().into())
        }
        KeyKind::SkEd25519 | KeyKind::SkEcdsaP256 => {
            Err(KeyFault::Unsupported("a key in an authenticator".into()).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::{text, PASSPHRASE};

    fn fault(text: &str, passphrase: Option<&[u8]>) -> KeyFault {
        match read(text.as_bytes(), passphrase) {
            Err(Error::Key(fault)) => fault,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("the key was taken"),
        }
    }

    fn spoiled(name: &str, from: &str, to: &str) -> KeyFault {
        let good = text(name);
        let bad = good.replacen(from, to, 1);
        assert_ne!(good, bad, "{from}");
        fault(&bad, Some(PASSPHRASE))
    }

    #[test]
    fn comments_and_line_ends() {
        for name in ["ed25519.ppk2", "ed25519.ppk3"] {
            let good = text(name);
            for form in [
                good.clone(),
                good.replace('\n', "\r\n"),
                format!("\n{good}\n\n"),
                good.trim_end().to_owned(),
            ] {
                let key = read(form.as_bytes(), None).unwrap();
                assert_eq!(key.comment(), "ed25519 test");
            }
        }
    }

    #[test]
    fn whatever_is_changed_shows() {
        // Of each field one character, in the clear and encrypted.
        for (from, to) in [
            ("Comment: e", "Comment: f"),
            ("Comment: ed25519 test", "Comment: "),
            ("AAAAIHkIWHrU", "AAAAIHkIWHrV"),
            ("Private-MAC: a", "Private-MAC: b"),
            ("Private-MAC: a6", "Private-MAC: "),
        ] {
            let found = spoiled("ed25519.ppk3", from, to);
            assert!(matches!(found, KeyFault::Malformed(_)), "{from}: {found}");
        }
        for name in ["ed25519.ppk2.sha1", "ed25519.ppk3.argon2id"] {
            let found = spoiled(name, "Comment: e", "Comment: f");
            assert_eq!(found, KeyFault::PassphraseWrong);
        }
        // The MAC of an encrypted key is not that of the same key in the clear.
        let found = spoiled("ed25519.ppk3", "Encryption: none", "Encryption: aes256-cbc");
        assert_eq!(found, MALFORMED);
        let found = spoiled("ed25519.ppk2.sha1", "aes256-cbc", "none");
        assert!(matches!(found, KeyFault::Malformed(_)));
    }

    #[test]
    fn y1_hostile_files_are_malformed() {
        let name = "ed25519.ppk3.argon2id";
        for (from, to) in [
            ("Memory: 1024", "Memory: 262145"),
            ("Memory: 1024", "Memory: 4294967295"),
            ("Memory: 1024", "Memory: 4294967296"),
            ("Memory: 1024", "Memory: +1024"),
            ("Memory: 1024", "Memory: 7"),
            ("Memory: 1024", "Memory: 0"),
            ("Passes: 2", "Passes: 4294967295"),
            ("Passes: 2", "Passes: 4097"),
            ("Passes: 2", "Passes: 0"),
            ("Parallelism: 1", "Parallelism: 17"),
            ("Parallelism: 1", "Parallelism: 0"),
            ("Argon2-Salt: ", "Argon2-Salt: 0"),
            ("Argon2-Salt: ", "Argon2-Salt: +1"),
            ("Argon2-Salt: ", "Argon2-Salt: \nArgon2-Salt: "),
            ("Public-Lines: 2", "Public-Lines: 1"),
            ("Public-Lines: 2", "Public-Lines: 3"),
            ("Public-Lines: 2", "Public-Lines: 1025"),
            ("Public-Lines: 2", "Public-Lines: 4294967295"),
            ("Private-Lines: 1", "Private-Lines: 0"),
            ("Private-Lines: 1\n", "Private-Lines: 1\nAAAA"),
            ("Private-MAC", "Private-Hash"),
            ("-3: ssh-ed25519", "-3: ssh-rsa"),
            ("-3: ssh-ed25519", "-3 ssh-ed25519"),
            (
                "Comment: ",
                &format!("Comment: {}", "x".repeat(MAX_COMMENT)),
            ),
        ] {
            let found = spoiled(name, from, to);
            assert!(matches!(found, KeyFault::Malformed(_)), "{to}: {found}");
        }
        let salt = format!("Argon2-Salt: {}", "00".repeat(MAX_SALT));
        let found = spoiled(name, "Argon2-Salt: ", &salt);
        assert!(matches!(found, KeyFault::Malformed(_)), "{found}");
        for (from, to) in [
            ("-3: ", "-1: "),
            ("-3: ", "-33333333333333333333333333333333333333: "),
            ("aes256-cbc", "rot13"),
            ("Argon2id", "scrypt"),
        ] {
            let found = spoiled(name, from, to);
            assert!(matches!(found, KeyFault::Unsupported(_)), "{to}: {found}");
        }
        let good = text(name);
        for length in 0..good.len() - 1 {
            let found = fault(&good[..length], Some(PASSPHRASE));
            let expected = matches!(found, KeyFault::Malformed(_) | KeyFault::Unsupported(_));
            // Cut inside the MAC it is a shorter one, which is wrong.
            assert!(expected || found == KeyFault::PassphraseWrong, "{length}");
        }
        assert!(matches!(
            fault(&format!("{good}{good}"), None),
            KeyFault::Malformed(_)
        ));
    }

    #[test]
    fn y1_caps_are_checked_before_a_passphrase_is_asked_for() {
        let good = text("ed25519.ppk3.argon2id");
        let bad = good.replace("Memory: 1024", "Memory: 262145");
        assert!(matches!(fault(&bad, None), KeyFault::Malformed(_)));
        assert_eq!(fault(&good, None), KeyFault::PassphraseMissing);
    }

    #[test]
    fn seeds_lose_the_zeros_at_their_end() {
        let public = PrivateKey::from_ed25519(Zeroizing::new([0; 32])).unwrap();
        for length in [0, 1, 31, 32] {
            let private = Writer::collect(|w| {
                w.string(vec![0; length]);
            });
            let key = assemble(public.public(), &private).unwrap();
            assert_eq!(key.public(), public.public());
        }
        let private = Writer::collect(|w| {
            w.string([0; 33]);
        });
        assert!(assemble(public.public(), &private).is_err());
    }
}
