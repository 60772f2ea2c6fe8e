//! Certificates (OpenSSH, PROTOCOL.certkeys): a key, what it may be used for and by whom, and the signature of an
//! authority over all of it.
//!
//! There is one link only: the authority's key is a plain key, never another certificate. Reading a certificate checks
//! its form; whether it counts is for [`Certificate::check`] to say, and whether the authority is trusted for whoever
//! asks.

pub mod address;
mod check;
mod issue;
mod options;

use std::fmt;
use std::sync::Arc;

use base64ct::{Base64, Encoding};

use super::{KeyKind, PublicKey};
use crate::codec::{printable, DecodeError, Reader, Writer};
use crate::error::{Error, KeyFault};

pub use check::{Authorities, CertificateCheck};
pub use issue::CertificateDraft;
pub use options::CertificateOption;

/// Longest blob looked at.
pub const MAX_CERTIFICATE_BLOB: usize = 64 * 1024;
/// Most principals, as for OpenSSH.
pub const MAX_PRINCIPALS: usize = 256;
/// Longest name of a principal.
const MAX_PRINCIPAL_BYTES: usize = 1024;
/// Longest key id.
const MAX_KEY_ID_BYTES: usize = 4096;

/// Whom a certificate speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateKind {
    /// A user, who logs in with the key.
    User,
    /// A host, which proves itself with the key.
    Host,
}

impl CertificateKind {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        match self {
            CertificateKind::User => 1,
            CertificateKind::Host => 2,
        }
    }

    /// The kind of a number on the wire.
    pub fn from_number(number: u32) -> Option<Self> {
        [CertificateKind::User, CertificateKind::Host]
            .into_iter()
            .find(|kind| kind.number() == number)
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            CertificateKind::User => "user",
            CertificateKind::Host => "host",
        }
    }
}

/// A certificate whose form is good. Cheap to clone.
#[derive(Clone)]
pub struct Certificate {
    inner: Arc<Inner>,
}

struct Inner {
    blob: Vec<u8>,
    /// How much of the blob the authority has signed.
    signed_len: usize,
    key: PublicKey,
    contents: Contents,
    authority: PublicKey,
    signature: Vec<u8>,
}

/// What the authority says about the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) serial: u64,
    pub(super) kind: CertificateKind,
    pub(super) key_id: String,
    pub(super) principals: Vec<String>,
    pub(super) valid_after: u64,
    pub(super) valid_before: u64,
    pub(super) critical: Vec<CertificateOption>,
    pub(super) extensions: Vec<CertificateOption>,
}

fn malformed(fault: DecodeError) -> KeyFault {
    KeyFault::Malformed(match fault {
        DecodeError::Truncated => "certificate is truncated",
        DecodeError::TrailingBytes => "trailing bytes after the certificate",
        DecodeError::NotUtf8 => "text in the certificate is not UTF-8",
        DecodeError::TooLong => "a field of the certificate is too long",
        _ => "certificate",
    })
}

impl Certificate {
    /// Whether a key type name is that of a certificate.
    pub fn is_type(name: &str) -> bool {
        KeyKind::every().any(|kind| kind.certificate_type() == name)
    }

    /// Reads a blob. Nothing in it is verified but its form.
    pub fn from_blob(blob: &[u8]) -> Result<Self, Error> {
        if blob.len() > MAX_CERTIFICATE_BLOB {
            return Err(KeyFault::Malformed("certificate is too long").into());
        }
        let mut reader = Reader::new(blob);
        let name = reader.text().map_err(malformed)?;
        let kind = KeyKind::every()
            .find(|kind| kind.certificate_type() == name)
            .ok_or_else(|| {
                KeyFault::Unsupported(format!(
                    "certificate type {}",
                    printable(name.as_bytes(), 64)
                ))
            })?;
        // Only there to make what is signed unpredictable.
        reader.string().map_err(malformed)?;
        let key = read_key(kind, &mut reader)?;
        let contents = Contents::read(&mut reader)?;
        // "reserved" has no meaning yet, and is ignored as the document asks.
        reader.string().map_err(malformed)?;
        let authority = reader.string().map_err(malformed)?;
        // Of plain keys only: a certificate here would begin a chain.
        let authority = PublicKey::from_blob(authority)?;
        let signed_len = blob.len().saturating_sub(reader.remaining().len());
        let signature = reader.string().map_err(malformed)?.to_vec();
        reader.finish().map_err(malformed)?;
        Ok(Certificate {
            inner: Arc::new(Inner {
                blob: blob.to_vec(),
                signed_len,
                key,
                contents,
                authority,
                signature,
            }),
        })
    }

    /// Reads `type base64 [comment]`.
    pub fn from_line(line: &str) -> Result<(Self, String), Error> {
        const FORM: KeyFault = KeyFault::Malformed("not of the form: type base64 comment");
        let line = line.trim_matches([' ', '\t', '\r', '\n']);
        if line.contains(['\r', '\n', '\0']) {
            return Err(KeyFault::Malformed("line break inside a certificate line").into());
        }
        let (name, rest) = line.split_once([' ', '\t']).ok_or(FORM)?;
        let rest = rest.trim_start_matches([' ', '\t']);
        let (encoded, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        if encoded.len() > MAX_CERTIFICATE_BLOB * 4 / 3 + 4 {
            return Err(KeyFault::Malformed("certificate is too long").into());
        }
        let blob = Base64::decode_vec(encoded)
            .map_err(|_| KeyFault::Malformed("bad base64 in the certificate line"))?;
        let certificate = Self::from_blob(&blob)?;
        if certificate.type_name() != name {
            let fault = "type before the certificate is not the type inside it";
            return Err(KeyFault::Malformed(fault).into());
        }
        Ok((certificate, comment.trim_start().to_owned()))
    }

    /// Reads the content of a `-cert.pub` file: one such line, and around it empty lines and comments.
    pub fn load(bytes: &[u8]) -> Result<(Self, String), Error> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| KeyFault::Malformed("certificate file is not text"))?;
        let mut lines = text
            .lines()
            .map(|line| line.trim_matches([' ', '\t', '\r']))
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = lines
            .next()
            .ok_or(KeyFault::Malformed("no certificate in the file"))?;
        if lines.next().is_some() {
            return Err(KeyFault::Malformed("more than one line in a certificate file").into());
        }
        Self::from_line(line)
    }

    /// `type base64 comment`, without a newline. Line breaks and NUL in the comment become spaces.
    pub fn to_line(&self, comment: &str) -> String {
        let comment: String = comment
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let line = format!(
            "{} {} {comment}",
            self.type_name(),
            Base64::encode_string(self.blob())
        );
        line.trim_end().to_owned()
    }

    /// The blob as on the wire.
    pub fn blob(&self) -> &[u8] {
        &self.inner.blob
    }

    /// The type name inside the blob.
    pub fn type_name(&self) -> &'static str {
        self.inner.key.kind().certificate_type()
    }

    /// The key that it is about.
    pub fn key(&self) -> &PublicKey {
        &self.inner.key
    }

    /// The key of the authority that is said to have signed it.
    pub fn authority(&self) -> &PublicKey {
        &self.inner.authority
    }

    /// The number the authority gave it, 0 where it numbers none.
    pub fn serial(&self) -> u64 {
        self.contents().serial
    }

    /// Whom it speaks of.
    pub fn kind(&self) -> CertificateKind {
        self.contents().kind
    }

    /// What the authority calls it, for logs. May hold anything but NUL.
    pub fn key_id(&self) -> &str {
        &self.contents().key_id
    }

    /// The users or hosts it holds for.
    pub fn principals(&self) -> &[String] {
        &self.contents().principals
    }

    /// The first second at which it holds, since 1970.
    pub fn valid_after(&self) -> u64 {
        self.contents().valid_after
    }

    /// The first second at which it holds no more; `u64::MAX` for never.
    pub fn valid_before(&self) -> u64 {
        self.contents().valid_before
    }

    /// Options that must be understood, in the order of their names.
    pub fn critical_options(&self) -> &[CertificateOption] {
        &self.contents().critical
    }

    /// Options that may be passed over, in the order of their names.
    pub fn extensions(&self) -> &[CertificateOption] {
        &self.contents().extensions
    }

    /// The name of the algorithm that the authority has signed with; empty where it cannot be read.
    pub fn signature_algorithm(&self) -> &str {
        Reader::new(&self.inner.signature).text().unwrap_or("")
    }

    /// Whether the authority has signed it. Says nothing about who the authority is.
    pub fn is_signed(&self) -> bool {
        let Some(signed) = self.inner.blob.get(..self.inner.signed_len) else {
            return false;
        };
        self.inner
            .authority
            .verify(self.signature_algorithm(), signed, &self.inner.signature)
    }

    fn contents(&self) -> &Contents {
        &self.inner.contents
    }
}

/// The key in front of the contents: the fields that stand behind the name in the key's own blob.
fn read_key(kind: KeyKind, reader: &mut Reader<'_>) -> Result<PublicKey, Error> {
    let mut blob = Vec::new();
    let mut writer = Writer::new(&mut blob);
    writer.string(kind.key_type());
    for _ in 0..kind.blob_fields() {
        writer.string(reader.string().map_err(malformed)?);
    }
    PublicKey::from_blob(&blob)
}

impl Contents {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let serial = reader.u64().map_err(malformed)?;
        let kind = CertificateKind::from_number(reader.u32().map_err(malformed)?).ok_or(
            KeyFault::Malformed("certificate of neither a user nor a host"),
        )?;
        let key_id = read_name(reader, MAX_KEY_ID_BYTES)?;
        let principals = read_principals(reader.string().map_err(malformed)?)?;
        Ok(Contents {
            serial,
            kind,
            key_id,
            principals,
            valid_after: reader.u64().map_err(malformed)?,
            valid_before: reader.u64().map_err(malformed)?,
            critical: options::read(reader.string().map_err(malformed)?)?,
            extensions: options::read(reader.string().map_err(malformed)?)?,
        })
    }

    /// Everything up to and without "reserved".
    fn write(&self, writer: &mut Writer<'_>) {
        writer
            .u64(self.serial)
            .u32(self.kind.number())
            .string(&self.key_id)
            .string_with(|w| {
                for principal in &self.principals {
                    w.string(principal);
                }
            })
            .u64(self.valid_after)
            .u64(self.valid_before)
            .string_with(|w| options::write(&self.critical, w))
            .string_with(|w| options::write(&self.extensions, w));
    }
}

/// Text that a program in C must not see the end of too early.
fn read_name(reader: &mut Reader<'_>, cap: usize) -> Result<String, KeyFault> {
    let bytes = reader.string_capped(cap).map_err(malformed)?;
    let text = std::str::from_utf8(bytes).map_err(|_| malformed(DecodeError::NotUtf8))?;
    if text.contains('\0') {
        return Err(KeyFault::Malformed("NUL in a name in the certificate"));
    }
    Ok(text.to_owned())
}

fn read_principals(list: &[u8]) -> Result<Vec<String>, KeyFault> {
    let mut reader = Reader::new(list);
    let mut principals = Vec::new();
    while !reader.is_empty() {
        if principals.len() >= MAX_PRINCIPALS {
            return Err(KeyFault::Malformed("certificate with too many principals"));
        }
        principals.push(read_name(&mut reader, MAX_PRINCIPAL_BYTES)?);
    }
    Ok(principals)
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.blob() == other.blob()
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(")?;
        fmt::Display::fmt(self, f)?;
        f.write_str(")")
    }
}

/// For logs: whose it is, and who says so.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} certificate \"{}\" (serial {}) for {} by {}",
            self.kind().word(),
            printable(self.key_id().as_bytes(), 256),
            self.serial(),
            self.key().fingerprint(),
            self.authority().fingerprint()
        )
    }
}

#[cfg(test)]
mod tests;
