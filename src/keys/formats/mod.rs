//! The formats keys are stored in, one file each.
//!
//! Files come from people and from other people: every length and every cost parameter is checked before
//! memory or time is spent on it.

pub(crate) mod openssh;
mod pem;
pub(crate) mod pkcs1;
pub(crate) mod pkcs8;
pub(crate) mod public_line;
pub(crate) mod sec1;

use super::PrivateKey;
use crate::error::{Error, KeyFault};

/// Longest file that is looked at.
pub const MAX_FILE: usize = 1024 * 1024;

/// Reads a private key of any format.
pub(crate) fn load(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, Error> {
    if bytes.len() > MAX_FILE {
        return Err(KeyFault::Malformed("file is too long for a key").into());
    }
    // What is encrypted is never encrypted with nothing: an empty passphrase is one that was not given.
    let passphrase = passphrase.filter(|passphrase| !passphrase.is_empty());
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

/// The passphrase, or the error that asks for one.
fn need(passphrase: Option<&[u8]>) -> Result<&[u8], KeyFault> {
    passphrase.ok_or(KeyFault::PassphraseMissing)
}
