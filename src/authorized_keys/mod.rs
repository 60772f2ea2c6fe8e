//! authorized_keys files: which keys let a user in, and with which restrictions.
//!
//! A line of which anything is not understood lets nobody in. Reading and judging work on bytes; `ffi` reads the files.

mod from;
mod options;
mod time;

use std::net::IpAddr;

use base64ct::{Base64, Encoding};

use crate::codec::printable;
use crate::error::{CertificateFault, Error, KeyFault};
use crate::keys::certificate::{CertificateCheck, CertificateKind};
use crate::keys::{Attendance, Permissions, PublicKey, ShownKey};

pub use options::KeyOptions;
pub use time::Expiry;

/// Longest file that is looked at.
pub const MAX_FILE: usize = 4 * 1024 * 1024;
/// Longest line; the rest of a longer one is never taken for a line of its own.
pub const MAX_LINE: usize = 16 * 1024;
/// Most lines that are complained about.
const MAX_WARNINGS: usize = 256;

/// A line that may let somebody in.
#[derive(Debug, Clone)]
pub struct AuthorizedKey {
    /// The number of the line, from 1.
    pub line: u64,
    /// What stands in front of the key.
    pub options: KeyOptions,
    /// The key of the user, or of the authority that signs users' certificates.
    pub key: PublicKey,
    /// What stands behind it, safe to show.
    pub comment: String,
}

/// The lines of a file.
#[derive(Debug, Clone, Default)]
pub struct AuthorizedKeys {
    keys: Vec<AuthorizedKey>,
    warnings: Vec<String>,
}

/// Who wants in.
pub struct Candidate<'a> {
    /// As whom.
    pub user: &'a str,
    /// With which key, alone or in a certificate.
    pub shown: &'a ShownKey,
    /// What a security key attests; `None` before the key is proven, too.
    pub attendance: Option<Attendance>,
    /// Whether the key is proven, so that what it attests counts.
    pub is_proven: bool,
    /// From where, where that is known.
    pub address: Option<IpAddr>,
    /// The name that belongs to the address, where somebody has looked it up.
    pub name: Option<&'a str>,
    /// Seconds since 1970.
    pub now: u64,
    /// The same for a time as it stands in a file; `None` for one that is none.
    pub unix_time: &'a dyn Fn(&Expiry) -> Option<u64>,
}

impl AuthorizedKeys {
    /// Reads the content of a file. Lines that are passed over are complained about in the warnings.
    ///
    /// # Errors
    /// [`Error::Key`] for a file that is too long.
    pub fn load(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_FILE {
            return Err(KeyFault::Malformed("an authorized_keys file of more than 4 MiB").into());
        }
        let mut file = AuthorizedKeys::default();
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            match read_line(line) {
                Ok(None) => {}
                Ok(Some((options, key, comment))) => file.keys.push(AuthorizedKey {
                    line: number,
                    options,
                    key,
                    comment,
                }),
                Err(fault) if file.warnings.len() < MAX_WARNINGS => {
                    file.warnings.push(format!("line {number}: {fault}"));
                }
                Err(_) => {}
            }
        }
        Ok(file)
    }

    /// The lines that are understood.
    pub fn keys(&self) -> &[AuthorizedKey] {
        &self.keys
    }

    /// What was passed over, and why.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The first line that lets somebody in, by its index, and what is permitted then.
    ///
    /// # Errors
    /// Why no line does: those that have the key, and what is in the way.
    pub fn judge(&self, candidate: &Candidate<'_>) -> Result<(usize, Permissions), String> {
        let mut reasons = match &candidate.shown.certificate {
            None => String::from("no line has the key"),
            Some(shown) => CertificateFault::Authority(shown.authority().fingerprint()).to_string(),
        };
        for (index, key) in self.keys.iter().enumerate() {
            if !key.is_about(candidate.shown) {
                continue;
            }
            match key.permits(candidate) {
                Ok(permissions) => return Ok((index, permissions)),
                Err(fault) => reasons = format!("line {}: {fault}", key.line),
            }
        }
        Err(reasons)
    }
}

impl AuthorizedKey {
    fn is_about(&self, shown: &ShownKey) -> bool {
        match &shown.certificate {
            Some(certificate) => self.options.is_authority && self.key == *certificate.authority(),
            None => !self.options.is_authority && self.key == shown.key,
        }
    }

    fn permits(&self, candidate: &Candidate<'_>) -> Result<Permissions, String> {
        let options = &self.options;
        if let Some(expiry) = &options.expiry {
            let end = (candidate.unix_time)(expiry).ok_or("an expiry-time that is no time")?;
            if candidate.now >= end {
                return Err("it has expired".to_owned());
            }
        }
        if let Some(list) = &options.from {
            if !from::matches(list, candidate.address, candidate.name) {
                return Err("the connection comes from elsewhere".to_owned());
            }
        }
        let permissions = match &candidate.shown.certificate {
            None => options.permissions.clone(),
            Some(certificate) => {
                let own = [candidate.user];
                let listed: Vec<&str>;
                let principals: &[&str] = match &options.principals {
                    Some(names) => {
                        listed = names.iter().map(String::as_str).collect();
                        &listed
                    }
                    None => &own,
                };
                let wanted = CertificateCheck {
                    kind: CertificateKind::User,
                    principals,
                    now: candidate.now,
                    address: candidate.address,
                };
                let more = certificate
                    .check(&wanted)
                    .map_err(|fault| fault.to_string())?;
                options
                    .permissions
                    .and(&more)
                    .ok_or("line and certificate force different commands")?
            }
        };
        self.check_attendance(&permissions, candidate)?;
        Ok(permissions)
    }

    /// A plain key attests nothing, which is not enough where somebody wants to know.
    fn check_attendance(
        &self,
        permissions: &Permissions,
        candidate: &Candidate<'_>,
    ) -> Result<(), String> {
        if !candidate.is_proven {
            return Ok(());
        }
        let seen = candidate.attendance;
        let is_security_key = candidate.shown.key.kind().is_security_key();
        if permissions.verify_required && !seen.is_some_and(Attendance::is_verified) {
            return Err("the security key must verify its user".to_owned());
        }
        let touch = is_security_key && permissions.touch_required;
        if touch && !seen.is_some_and(Attendance::is_present) {
            return Err("the security key must be touched".to_owned());
        }
        Ok(())
    }
}

/// What a line holds: `[options] type base64 [comment]`; `None` for an empty line or a comment.
fn read_line(line: &[u8]) -> Result<Option<(KeyOptions, PublicKey, String)>, String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > MAX_LINE {
        return Err("longer than 16 KiB".to_owned());
    }
    if line.iter().any(|byte| matches!(byte, 0 | b'\r')) {
        return Err("a NUL or carriage return inside".to_owned());
    }
    let line = skip_blanks(line);
    if matches!(line.first(), None | Some(b'#')) {
        return Ok(None);
    }
    // A key that begins the line has no options; everything else is one.
    if let Ok((key, comment)) = read_key(line) {
        return Ok(Some((KeyOptions::none(), key, comment)));
    }
    let end = end_of_options(line).ok_or("a quote that does not end")?;
    let (options, rest) = line.split_at_checked(end).ok_or("no key")?;
    let rest = skip_blanks(rest);
    if rest.is_empty() {
        return Err("no key".to_owned());
    }
    let options = std::str::from_utf8(options).map_err(|_| "options that are not UTF-8")?;
    // What is wrong with the key says more where the line has no options at all.
    let options = match KeyOptions::parse(options) {
        Err(_) if crate::keys::KeyKind::from_key_type(options).is_some() => {
            return Err(read_key(line).map_or_else(|fault| fault, |_| "no key".to_owned()));
        }
        parsed => parsed?,
    };
    let (key, comment) = read_key(rest)?;
    Ok(Some((options, key, comment)))
}

fn read_key(text: &[u8]) -> Result<(PublicKey, String), String> {
    let (name, rest) = split_word(text);
    let (encoded, comment) = split_word(rest);
    let encoded = std::str::from_utf8(encoded).map_err(|_| "bad base64")?;
    if encoded.is_empty() {
        return Err("no key".to_owned());
    }
    let blob = Base64::decode_vec(encoded).map_err(|_| "bad base64")?;
    let key = PublicKey::from_blob(&blob).map_err(|fault| fault.to_string())?;
    if key.key_type().as_bytes() != name {
        return Err("the type before the key is not the type inside it".to_owned());
    }
    Ok((key, printable(comment.trim_ascii_end(), MAX_LINE)))
}

/// Where the options end: at the first blank outside of quotes, in which `\"` is no end.
fn end_of_options(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in line.iter().enumerate() {
        match byte {
            b'"' if escaped => {}
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => return Some(at),
            _ => {}
        }
        // As for OpenSSH, a backslash escapes a quote and nothing else, itself included.
        escaped = *byte == b'\\';
    }
    (!quoted).then_some(line.len())
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| b" \t".contains(byte));
    let (word, rest) = text
        .split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, &[]));
    (word, skip_blanks(rest))
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| b" \t".contains(byte)).count();
    text.get(blanks..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
