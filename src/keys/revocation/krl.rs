//! OpenSSH's key revocation lists (PROTOCOL.krl).

use super::{Bitmap, Certificates, RevocationList};
use crate::codec::{printable, DecodeError, Reader};
use crate::error::{Error, KeyFault};

const MAGIC: &[u8] = b"SSHKRL\n\0";
const FORMAT_VERSION: u32 = 1;

const SECTION_CERTIFICATES: u8 = 1;
const SECTION_EXPLICIT_KEY: u8 = 2;
const SECTION_FINGERPRINT_SHA1: u8 = 3;
const SECTION_SIGNATURE: u8 = 4;
const SECTION_FINGERPRINT_SHA256: u8 = 5;
const SECTION_EXTENSION: u8 = 255;

const CERT_SERIAL_LIST: u8 = 0x20;
const CERT_SERIAL_RANGE: u8 = 0x21;
const CERT_SERIAL_BITMAP: u8 = 0x22;
const CERT_KEY_ID: u8 = 0x23;
const CERT_EXTENSION: u8 = 0x39;

/// Whether the bytes claim to be one.
pub(super) fn is_krl(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

fn malformed(fault: DecodeError) -> KeyFault {
    KeyFault::Malformed(match fault {
        DecodeError::Truncated => "the revocation list is truncated",
        DecodeError::TrailingBytes => "trailing bytes in the revocation list",
        DecodeError::BadMpint => "bad number in the revocation list",
        _ => "revocation list",
    })
}

fn unsupported(what: &str) -> KeyFault {
    KeyFault::Unsupported(format!("revocation list with {what}"))
}

/// Reads all of it.
pub(super) fn read(bytes: &[u8]) -> Result<RevocationList, Error> {
    let mut reader = Reader::new(bytes);
    reader.take(MAGIC.len()).map_err(malformed)?;
    let format = reader.u32().map_err(malformed)?;
    if format != FORMAT_VERSION {
        return Err(unsupported(&format!("format version {format}")).into());
    }
    let version = reader.u64().map_err(malformed)?;
    // When it was made, flags that have no meaning yet, and what is reserved.
    reader.u64().map_err(malformed)?;
    reader.u64().map_err(malformed)?;
    reader.string().map_err(malformed)?;
    let comment = reader.string().map_err(malformed)?;
    let mut list = RevocationList {
        version,
        comment: printable(comment, 4096),
        ..RevocationList::default()
    };
    while !reader.is_empty() {
        let section = reader.u8().map_err(malformed)?;
        let data = reader.string().map_err(malformed)?;
        read_section(&mut list, section, data)?;
    }
    for certificates in &mut list.certificates {
        certificates.sort();
    }
    Ok(list)
}

fn read_section(list: &mut RevocationList, section: u8, data: &[u8]) -> Result<(), Error> {
    let mut reader = Reader::new(data);
    match section {
        SECTION_CERTIFICATES => list.certificates.push(read_certificates(reader)?),
        SECTION_EXPLICIT_KEY => {
            while !reader.is_empty() {
                let blob = reader.string().map_err(malformed)?;
                list.keys.insert(blob.to_vec());
            }
        }
        SECTION_FINGERPRINT_SHA1 => {
            while !reader.is_empty() {
                list.sha1.insert(read_hash(&mut reader)?);
            }
        }
        SECTION_FINGERPRINT_SHA256 => {
            while !reader.is_empty() {
                list.sha256.insert(read_hash(&mut reader)?);
            }
        }
        // Who may sign lists was never settled, and OpenSSH has given signatures up. The file is trusted, or not used.
        SECTION_SIGNATURE => {}
        SECTION_EXTENSION => read_extension(reader)?,
        other => return Err(unsupported(&format!("section {other}")).into()),
    }
    Ok(())
}

fn read_hash<const N: usize>(reader: &mut Reader<'_>) -> Result<[u8; N], KeyFault> {
    let hash = reader.string().map_err(malformed)?;
    hash.try_into()
        .map_err(|_| KeyFault::Malformed("a hash of the wrong length in the revocation list"))
}

/// One that is critical must be understood, and none is.
fn read_extension(mut reader: Reader<'_>) -> Result<(), Error> {
    let name = reader.string().map_err(malformed)?;
    let critical = reader.bool().map_err(malformed)?;
    reader.string().map_err(malformed)?;
    reader.finish().map_err(malformed)?;
    if critical {
        let what = format!("the critical extension {}", printable(name, 64));
        return Err(unsupported(&what).into());
    }
    Ok(())
}

fn read_certificates(mut reader: Reader<'_>) -> Result<Certificates, Error> {
    let authority = reader.string().map_err(malformed)?;
    reader.string().map_err(malformed)?;
    let mut certificates = Certificates {
        authority: (!authority.is_empty()).then(|| authority.to_vec()),
        ..Certificates::default()
    };
    while !reader.is_empty() {
        let section = reader.u8().map_err(malformed)?;
        let data = Reader::new(reader.string().map_err(malformed)?);
        read_certificate_section(&mut certificates, section, data)?;
    }
    Ok(certificates)
}

fn read_certificate_section(
    certificates: &mut Certificates,
    section: u8,
    mut data: Reader<'_>,
) -> Result<(), Error> {
    match section {
        CERT_SERIAL_LIST => {
            while !data.is_empty() {
                let serial = data.u64().map_err(malformed)?;
                certificates.serials.push(range(serial, serial)?);
            }
        }
        CERT_SERIAL_RANGE => {
            let (from, to) = (
                data.u64().map_err(malformed)?,
                data.u64().map_err(malformed)?,
            );
            certificates.serials.push(range(from, to)?);
            data.finish().map_err(malformed)?;
        }
        CERT_SERIAL_BITMAP => {
            let offset = data.u64().map_err(malformed)?;
            let bits = data.mpint().map_err(malformed)?;
            data.finish().map_err(malformed)?;
            certificates.bitmaps.push(bitmap(offset, bits)?);
        }
        CERT_KEY_ID => {
            while !data.is_empty() {
                let key_id = data.text().map_err(malformed)?;
                certificates.key_ids.insert(key_id.to_owned());
            }
        }
        CERT_EXTENSION => read_extension(data)?,
        other => return Err(unsupported(&format!("certificate section {other:#x}")).into()),
    }
    Ok(())
}

/// 0 is the serial number of certificates without one, of which none can be meant.
fn range(from: u64, to: u64) -> Result<(u64, u64), KeyFault> {
    if from == 0 || from > to {
        return Err(KeyFault::Malformed(
            "bad serial numbers in the revocation list",
        ));
    }
    Ok((from, to))
}

fn bitmap(offset: u64, bits: &[u8]) -> Result<Bitmap, KeyFault> {
    const BAD: KeyFault = KeyFault::Malformed("bad serial numbers in the revocation list");
    let count = u64::try_from(bits.len())
        .ok()
        .and_then(|bytes| bytes.checked_mul(8));
    let unused = bits
        .first()
        .map_or(0, |first| u64::from(first.leading_zeros()));
    let last = count
        .and_then(|count| count.checked_sub(unused + 1))
        .ok_or(BAD)?;
    let zero = offset == 0 && bits.last().is_some_and(|byte| byte & 1 == 1);
    if offset.checked_add(last).is_none() || zero {
        return Err(BAD);
    }
    Ok(Bitmap {
        offset,
        bits: bits.to_vec(),
    })
}
