//! What must not be trusted any more: OpenSSH's key revocation lists (KRL), and plain files with one key a line.
//!
//! A list that cannot be read in full is no list: whoever passed over the part that is not understood would trust what was
//! revoked there.

mod krl;

use std::collections::HashSet;
use std::fmt;

use base64ct::{Base64, Encoding};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{Certificate, PublicKey, ShownKey};
use crate::codec::Reader;
use crate::error::{CertificateFault, Error, KeyFault};

/// Longest file that is read. A list in memory takes at most some times as much.
pub const MAX_REVOCATIONS: usize = 64 * 1024 * 1024;
/// Longest line of a plain file.
const MAX_LINE: usize = 16 * 1024;

/// A list of what is revoked.
#[derive(Default)]
pub struct RevocationList {
    /// The number that whoever made it gave it; 0 for plain files.
    version: u64,
    /// What it is called.
    comment: String,
    /// Blobs of keys.
    keys: HashSet<Vec<u8>>,
    /// Hashes of such blobs.
    sha1: HashSet<[u8; 20]>,
    sha256: HashSet<[u8; 32]>,
    certificates: Vec<Certificates>,
}

/// Certificates of one authority, or of any.
#[derive(Default)]
struct Certificates {
    /// The blob of the authority's key; `None` for all of them.
    authority: Option<Vec<u8>>,
    /// From and to, both included; in order, and none touches another.
    serials: Vec<(u64, u64)>,
    bitmaps: Vec<Bitmap>,
    key_ids: HashSet<String>,
}

/// Serial numbers from an offset on: bit n of the number stands for offset + n.
struct Bitmap {
    offset: u64,
    /// Big endian, without leading zeros.
    bits: Vec<u8>,
}

impl RevocationList {
    /// Reads a list; which sort it is shows at the first bytes.
    ///
    /// # Errors
    /// [`Error::Key`] for what is not understood in full.
    pub fn load(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_REVOCATIONS {
            return Err(KeyFault::Malformed("a revocation list of more than 64 MiB").into());
        }
        if krl::is_krl(bytes) {
            krl::read(bytes)
        } else {
            Self::read_plain(bytes)
        }
    }

    fn read_plain(bytes: &[u8]) -> Result<Self, Error> {
        let mut list = RevocationList::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            list.keys.insert(blob_of_line(line)?);
        }
        Ok(list)
    }

    /// The number of the list, 0 for plain files.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What whoever made it calls it.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Refuses a key that is revoked, and a certificate that is, or whose authority is.
    ///
    /// # Errors
    /// [`CertificateFault::Revoked`].
    pub fn check(&self, shown: &ShownKey) -> Result<(), CertificateFault> {
        if self.has_key(&shown.key) {
            return Err(CertificateFault::Revoked("the key"));
        }
        if let Some(certificate) = &shown.certificate {
            if self.has_key(certificate.authority()) {
                return Err(CertificateFault::Revoked("the key of the authority"));
            }
            let has = |set: &Certificates| set.has(certificate);
            if self.certificates.iter().any(has) {
                return Err(CertificateFault::Revoked("the certificate"));
            }
        }
        Ok(())
    }

    fn has_key(&self, key: &PublicKey) -> bool {
        let blob = key.blob();
        if self.keys.contains(blob) {
            return true;
        }
        // Of the hashes those only that somebody has put there.
        (!self.sha256.is_empty()
            && self
                .sha256
                .contains(&<[u8; 32]>::from(Sha256::digest(blob))))
            || (!self.sha1.is_empty() && self.sha1.contains(&<[u8; 20]>::from(Sha1::digest(blob))))
    }
}

impl Certificates {
    fn has(&self, certificate: &Certificate) -> bool {
        let authority = self.authority.as_deref();
        if authority.is_some_and(|blob| blob != certificate.authority().blob()) {
            return false;
        }
        if self.key_ids.contains(certificate.key_id()) {
            return true;
        }
        let serial = certificate.serial();
        // 0 is what authorities write that number nothing.
        serial != 0
            && (self.in_range(serial) || self.bitmaps.iter().any(|bitmap| bitmap.has(serial)))
    }

    fn in_range(&self, serial: u64) -> bool {
        let behind = self.serials.partition_point(|(from, _)| *from <= serial);
        behind
            .checked_sub(1)
            .and_then(|at| self.serials.get(at))
            .is_some_and(|(_, to)| serial <= *to)
    }

    /// Brings the ranges into the order that they are looked up by.
    fn sort(&mut self) {
        self.serials.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(self.serials.len());
        for (from, to) in self.serials.drain(..) {
            match merged.last_mut() {
                Some((_, end)) if from <= end.saturating_add(1) => *end = (*end).max(to),
                _ => merged.push((from, to)),
            }
        }
        self.serials = merged;
    }
}

impl Bitmap {
    fn has(&self, serial: u64) -> bool {
        let Some(bit) = serial.checked_sub(self.offset) else {
            return false;
        };
        usize::try_from(bit / 8)
            .ok()
            .and_then(|byte| self.bits.iter().rev().nth(byte))
            .is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }
}

/// The blob of the key in a line `type base64 [comment]`: of types that are unknown here, too, for it may as well be
/// revoked. A certificate stands for its key.
fn blob_of_line(line: &[u8]) -> Result<Vec<u8>, Error> {
    const BAD: KeyFault = KeyFault::Malformed("a line of the revocation list that is no key");
    if line.len() > MAX_LINE * 6 {
        return Err(BAD.into());
    }
    let text = std::str::from_utf8(line).map_err(|_| BAD)?;
    let mut words = text.split_ascii_whitespace();
    let (name, encoded) = (words.next().ok_or(BAD)?, words.next().ok_or(BAD)?);
    let blob = Base64::decode_vec(encoded).map_err(|_| BAD)?;
    if Reader::new(&blob).string().ok() != Some(name.as_bytes()) {
        return Err(BAD.into());
    }
    if Certificate::is_type(name) {
        return Ok(Certificate::from_blob(&blob)?.key().blob().to_vec());
    }
    Ok(blob)
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationList(version {})", self.version)
    }
}

#[cfg(test)]
mod tests;
