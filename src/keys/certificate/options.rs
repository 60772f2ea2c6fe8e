//! The options of a certificate: names in order, each once, with what belongs to it.

use super::malformed;
use crate::codec::{Reader, Writer};
use crate::error::KeyFault;

/// Most options of one sort.
const MAX_OPTIONS: usize = 256;
/// Longest name of one.
const MAX_NAME_BYTES: usize = 256;

/// An option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateOption {
    /// The name, e.g. `force-command`; UTF-8 without control characters.
    pub name: String,
    /// What belongs to it, as on the wire: for the options that are known here a string inside, or nothing.
    pub data: Vec<u8>,
}

impl CertificateOption {
    /// One with a text, or with nothing.
    pub fn new(name: &str, value: Option<&str>) -> Self {
        CertificateOption {
            name: name.to_owned(),
            data: value.map_or_else(Vec::new, |value| {
                Writer::collect(|w| {
                    w.string(value);
                })
            }),
        }
    }

    /// Whether nothing belongs to it.
    pub fn is_flag(&self) -> bool {
        self.data.is_empty()
    }

    /// The text that belongs to it, where it is one.
    pub fn value(&self) -> Option<&str> {
        let mut reader = Reader::new(&self.data);
        let value = reader.text().ok()?;
        reader.finish().ok()?;
        (!value.contains('\0')).then_some(value)
    }
}

/// Reads the tuples. Order and uniqueness are what the document asks for; a list that breaks them would mean different
/// things to different readers.
pub(super) fn read(list: &[u8]) -> Result<Vec<CertificateOption>, KeyFault> {
    let mut reader = Reader::new(list);
    let mut options: Vec<CertificateOption> = Vec::new();
    while !reader.is_empty() {
        if options.len() >= MAX_OPTIONS {
            return Err(KeyFault::Malformed("certificate with too many options"));
        }
        let name = reader.string_capped(MAX_NAME_BYTES).map_err(malformed)?;
        let data = reader.string().map_err(malformed)?.to_vec();
        let name = std::str::from_utf8(name)
            .ok()
            .filter(|name| is_name(name))
            .ok_or(KeyFault::Malformed(
                "bad name of an option in the certificate",
            ))?;
        if options
            .last()
            .is_some_and(|last| last.name.as_str() >= name)
        {
            return Err(KeyFault::Malformed(
                "options of the certificate are not in order, or one is there twice",
            ));
        }
        options.push(CertificateOption {
            name: name.to_owned(),
            data,
        });
    }
    Ok(options)
}

pub(super) fn write(options: &[CertificateOption], writer: &mut Writer<'_>) {
    for option in options {
        writer.string(&option.name).string(&option.data);
    }
}

/// Whether an option can have this name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(char::is_control)
}
