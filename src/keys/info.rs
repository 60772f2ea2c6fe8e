//! What can be said about a key file without its passphrase.

use super::formats::{openssh, pem, pkcs1, pkcs8, ppk, public_line, public_pem, rfc4716, MAX_FILE};
use super::{formats, PublicKey};
use crate::codec::{printable, Reader};
use crate::error::{Error, KeyFault};

/// The forms that keys are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// `BEGIN OPENSSH PRIVATE KEY`
    OpenSsh,
    /// `BEGIN PRIVATE KEY`, `BEGIN ENCRYPTED PRIVATE KEY`, and `BEGIN PUBLIC KEY` for public keys
    Pkcs8,
    /// `BEGIN RSA PRIVATE KEY`, and `BEGIN RSA PUBLIC KEY` for public keys
    Pkcs1,
    /// `BEGIN EC PRIVATE KEY`
    Sec1,
    /// PuTTY's, version 2
    Ppk2,
    /// PuTTY's, version 3
    Ppk3,
    /// `type base64 comment`, a public key
    Line,
    /// `BEGIN SSH2 PUBLIC KEY`, a public key
    Rfc4716,
}

/// What a file holds. Nothing vouches for the public half of an encrypted key before it was decrypted.
#[derive(Debug, Clone)]
pub struct KeyInfo {
    /// The form.
    pub format: KeyFormat,
    /// Whether it is a private key.
    pub is_private: bool,
    /// In words, how it is encrypted; nothing when it is not.
    pub encryption: Option<String>,
    /// The type, such as `ssh-rsa`, also one that is not supported; unknown where encryption hides it.
    pub key_type: Option<String>,
    /// The public half, where it can be read and its type is supported.
    pub public: Option<PublicKey>,
    /// May be empty, or hidden by encryption.
    pub comment: String,
}

impl KeyInfo {
    /// Looks at the content of a file: of a private key in any format that can be loaded, or of a public key.
    pub fn of(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_FILE {
            return Err(KeyFault::Malformed("file is too long for a key").into());
        }
        if ppk::is_ppk(bytes) {
            return Self::of_ppk(bytes);
        }
        if let Some(document) = pem::Document::find_labelled(bytes, "PRIVATE KEY")? {
            return Self::of_private(bytes, &document);
        }
        if let Some((form, key)) = public_pem::find(bytes)? {
            let format = match form {
                public_pem::Form::Spki => KeyFormat::Pkcs8,
                public_pem::Form::Pkcs1 => KeyFormat::Pkcs1,
            };
            return Ok(Self::new(format, false).with_public(key));
        }
        let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        if lines.any(rfc4716::is_begin) {
            let (blob, comment) = rfc4716::find(bytes)?;
            let info = Self::new(KeyFormat::Rfc4716, false).with_blob(&blob)?;
            return Ok(info.with_comment(comment));
        }
        let line = public_line::find(bytes)?;
        let info = Self::new(KeyFormat::Line, false)
            .with_known(line.key(), || Some(printable(line.key_type.as_bytes(), 64)))?;
        Ok(info.with_comment(line.comment.to_owned()))
    }

    /// The public key, or why there is none.
    pub fn into_public(self) -> Result<(PublicKey, String), Error> {
        match self.public {
            Some(key) => Ok((key, self.comment)),
            None if self.encryption.is_some() && self.key_type.is_none() => {
                Err(KeyFault::PassphraseMissing.into())
            }
            None => {
                let name = self.key_type.unwrap_or_default();
                Err(KeyFault::Unsupported(format!("key type {name}")).into())
            }
        }
    }

    fn new(format: KeyFormat, is_private: bool) -> Self {
        KeyInfo {
            format,
            is_private,
            encryption: None,
            key_type: None,
            public: None,
            comment: String::new(),
        }
    }

    fn with_comment(mut self, comment: String) -> Self {
        self.comment = comment;
        self
    }

    fn with_public(mut self, key: PublicKey) -> Self {
        self.key_type = Some(key.key_type().to_owned());
        self.public = Some(key);
        self
    }

    /// A key, or else the name of the type where it is one that is not supported.
    fn with_known(
        mut self,
        key: Result<PublicKey, Error>,
        name: impl FnOnce() -> Option<String>,
    ) -> Result<Self, Error> {
        match key {
            Ok(key) => Ok(self.with_public(key)),
            Err(Error::Key(KeyFault::Unsupported(_))) => {
                self.key_type = name();
                Ok(self)
            }
            Err(other) => Err(other),
        }
    }

    fn with_blob(self, blob: &[u8]) -> Result<Self, Error> {
        self.with_known(PublicKey::from_blob(blob), || {
            let name = Reader::new(blob).string().ok()?;
            Some(printable(name, 64))
        })
    }

    fn of_ppk(bytes: &[u8]) -> Result<Self, Error> {
        let file = ppk::Ppk::parse(bytes)?;
        let format = match file.version {
            2 => KeyFormat::Ppk2,
            _ => KeyFormat::Ppk3,
        };
        let mut info = Self::new(format, true).with_known(file.public_key(), || {
            Some(printable(file.algorithm.as_bytes(), 64))
        })?;
        info.encryption = file.encryption();
        Ok(info.with_comment(file.comment()))
    }

    fn of_private(bytes: &[u8], document: &pem::Document<'_>) -> Result<Self, Error> {
        let format = match document.label {
            "OPENSSH PRIVATE KEY" => return Self::of_openssh(&document.decode()?),
            "RSA PRIVATE KEY" => KeyFormat::Pkcs1,
            "EC PRIVATE KEY" => KeyFormat::Sec1,
            "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => KeyFormat::Pkcs8,
            label => {
                return Err(KeyFault::Unsupported(format!("private key format {label}")).into())
            }
        };
        let mut info = Self::new(format, true);
        info.encryption = match document.label {
            "ENCRYPTED PRIVATE KEY" => Some(pkcs8::encryption(&document.decode()?)?),
            _ => pkcs1::legacy_cipher(document)?.map(|(cipher, _)| format!("{cipher}, MD5")),
        };
        if info.encryption.is_none() {
            let key = formats::load(bytes, None)?;
            return Ok(info.with_public(key.public().clone()));
        }
        if format == KeyFormat::Pkcs1 {
            info.key_type = Some("ssh-rsa".to_owned());
        }
        Ok(info)
    }

    fn of_openssh(bytes: &[u8]) -> Result<Self, Error> {
        let parts = openssh::Parts::parse(bytes)?;
        let mut info = Self::new(KeyFormat::OpenSsh, true).with_blob(parts.public)?;
        info.encryption = parts.encryption();
        if info.encryption.is_some() || info.public.is_none() {
            return Ok(info);
        }
        match parts.open(None) {
            Ok(key) => Ok(info.with_comment(key.comment().to_owned())),
            // A private key that is too large for this build has a public half all the same.
            Err(Error::Key(KeyFault::Unsupported(_))) => Ok(info),
            Err(other) => Err(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::fixture;

    const KINDS: [&str; 5] = ["ed25519", "p256", "p384", "p521", "rsa"];

    fn info(name: &str) -> KeyInfo {
        KeyInfo::of(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn public(kind: &str) -> PublicKey {
        PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
    }

    #[test]
    fn what_needs_no_passphrase() {
        for kind in KINDS {
            for (form, format) in [
                ("pub", KeyFormat::Line),
                ("openssh", KeyFormat::OpenSsh),
                ("openssh.aes256-ctr", KeyFormat::OpenSsh),
                ("ppk2", KeyFormat::Ppk2),
                ("ppk2.sha1", KeyFormat::Ppk2),
                ("ppk3", KeyFormat::Ppk3),
                ("ppk3.argon2id", KeyFormat::Ppk3),
            ] {
                let found = info(&format!("{kind}.{form}"));
                assert_eq!(found.format, format);
                assert_eq!(found.is_private, form != "pub");
                assert_eq!(found.encryption.is_some(), form.contains('.'));
                assert_eq!(found.key_type.as_deref(), Some(public(kind).key_type()));
                assert_eq!(found.public, Some(public(kind)));
                let hidden = form == "openssh.aes256-ctr";
                let comment = if hidden { "" } else { &format!("{kind} test") };
                assert_eq!(found.comment, comment);
            }
        }
        for (name, format) in [
            ("rsa.pkcs1", KeyFormat::Pkcs1),
            ("p256.sec1", KeyFormat::Sec1),
            ("p521.pkcs8", KeyFormat::Pkcs8),
            ("rsa.pkcs8", KeyFormat::Pkcs8),
        ] {
            let found = info(name);
            let kind = name.split('.').next().unwrap();
            assert_eq!(found.format, format);
            assert!(found.is_private && found.encryption.is_none());
            assert_eq!(found.into_public().unwrap().0, public(kind));
        }
    }

    #[test]
    fn what_encryption_hides() {
        for (name, format, key_type) in [
            ("rsa.pkcs1.aes128", KeyFormat::Pkcs1, Some("ssh-rsa")),
            ("p256.sec1.aes256", KeyFormat::Sec1, None),
            ("rsa.pkcs8.pbkdf2", KeyFormat::Pkcs8, None),
            ("ed25519b.pkcs8.scrypt", KeyFormat::Pkcs8, None),
        ] {
            let found = info(name);
            assert_eq!(found.format, format);
            assert_eq!(found.key_type.as_deref(), key_type, "{name}");
            assert!(found.is_private && found.encryption.is_some() && found.public.is_none());
        }
        assert_eq!(
            info("p256.pkcs8.pbkdf2").into_public(),
            Err(KeyFault::PassphraseMissing.into())
        );
    }

    #[test]
    fn how_keys_are_encrypted() {
        for (name, words) in [
            ("rsa.pkcs1.des3", "3des-cbc, MD5"),
            ("p256.sec1.aes128", "aes128-cbc, MD5"),
            ("ed25519.ppk2.sha1", "aes256-cbc, SHA-1"),
            (
                "ed25519.ppk3.argon2d",
                "aes256-cbc, Argon2d with 4096 KiB, passes: 3, parallelism: 3",
            ),
            (
                "p256.pkcs8.aes256-600000",
                "aes256-cbc, PBKDF2 with 600000 iterations",
            ),
            (
                "p256.pkcs8.scrypt",
                "aes256-cbc, scrypt with N = 16384, r = 8, p = 1",
            ),
        ] {
            assert_eq!(info(name).encryption.as_deref(), Some(words));
        }
        let found = info("ed25519.openssh.aes256-gcm@openssh.com").encryption;
        let found = found.unwrap();
        assert!(found.starts_with("aes256-gcm@openssh.com, bcrypt with "));
    }

    #[test]
    fn types_that_are_not_supported_are_named() {
        for (name, key_type) in [
            ("bad-dsa.openssh", "ssh-dss"),
            ("bad-dsa.ppk3", "ssh-dss"),
            ("bad-ed448.ppk3", "ssh-ed448"),
        ] {
            let found = info(name);
            assert_eq!(found.key_type.as_deref(), Some(key_type));
            assert!(matches!(
                found.into_public(),
                Err(Error::Key(KeyFault::Unsupported(_)))
            ));
        }
        let line = "ssh-ed448 AAAACXNzaC1lZDQ0OAAAAAA= me\n";
        let found = KeyInfo::of(line.as_bytes()).unwrap();
        assert_eq!(found.key_type.as_deref(), Some("ssh-ed448"));
        assert_eq!((found.public, found.comment.as_str()), (None, "me"));
    }

    #[test]
    fn what_is_no_key_is_no_key() {
        for name in ["message", "bad-rsa1024.pkcs1", "bad-explicit.sec1"] {
            assert!(matches!(
                KeyInfo::of(&fixture(name)),
                Err(Error::Key(KeyFault::Malformed(_)))
            ));
        }
        assert!(KeyInfo::of(&vec![b'a'; MAX_FILE + 1]).is_err());
        assert!(KeyInfo::of(b"").is_err());
    }

    #[test]
    fn y2_damaged_files_are_looked_at_in_peace() {
        for name in [
            "ed25519.pub",
            "ed25519.openssh.aes256-ctr",
            "ed25519.ppk3.argon2id",
            "p256.sec1.aes128",
            "p256.pkcs8.scrypt",
            "p256.pkcs8",
        ] {
            let good = fixture(name);
            let (kind, _) = name.split_once('.').unwrap();
            for at in 0..good.len() {
                let mut damaged = good.clone();
                damaged[at] ^= 0x10;
                for bytes in [&good[..at], &damaged] {
                    // What is still in the clear may have become another key, which is one in order.
                    if let Ok(Some(key)) = KeyInfo::of(bytes).map(|info| info.public) {
                        assert!(PublicKey::from_blob(key.blob()).is_ok());
                        assert!(kind != "p256" || key == public(kind), "{name} at {at}");
                    }
                }
            }
        }
    }
}
