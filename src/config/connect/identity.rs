//! Keys and certificates in the files that IdentityFile and CertificateFile name.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::unistd::Uid;
use zeroize::Zeroizing;

use super::sealed::{Asker, Sealed};
use crate::codec::printable;
use crate::config::Value;
use crate::error::{reason, Error, KeyFault};
use crate::keys::certificate::CertificateKind;
use crate::keys::{Certificate, KeyInfo, PrivateKey, PublicKey};

/// No key of any kind comes near this.
const MAX_KEY: u64 = 1 << 20;

/// A key that a file is named for.
pub(super) struct Identity {
    pub(super) path: String,
    /// The public half; unknown where only a passphrase tells.
    pub(super) public: Option<PublicKey>,
    pub(super) secret: Secret,
    /// The certificate beside it.
    pub(super) certificate: Option<Certificate>,
}

/// The private half of a key.
pub(super) enum Secret {
    Here(PrivateKey),
    Sealed(Arc<Sealed>),
    /// Not here, and why; an agent may have it. Nothing is to be said of the usual files, of which few are there.
    Absent(Option<String>),
    /// In a file that others may read, and what to do.
    Exposed(String),
}

impl Identity {
    /// What the file named by `value` holds, and those beside it. `asker` is asked for a passphrase once it is wanted.
    /// What is wrong with a certificate is noted.
    pub(super) fn of(
        value: &Value,
        with_certificate: bool,
        asker: Box<dyn Asker>,
        notes: &mut Vec<String>,
    ) -> Self {
        let path = value.text.as_str();
        let beside = || {
            let bytes = read(&format!("{path}.pub")).ok().flatten()?.bytes;
            PublicKey::load(&bytes).ok().map(|(key, _)| key)
        };
        let (public, secret) = match read(path) {
            Ok(Some(file)) => halves(path, file, beside, asker),
            Ok(None) => (beside(), Secret::Absent(missing(value))),
            Err(note) => (beside(), Secret::Absent(Some(note))),
        };
        let mut certificate = None;
        if with_certificate {
            let path = format!("{path}-cert.pub");
            match read_certificate(&path) {
                Ok(found) => certificate = found,
                Err(note) => notes.push(note),
            }
        }
        Identity {
            path: path.to_owned(),
            public,
            secret,
            certificate,
        }
    }
}

/// Why a file that is not there is missed.
fn missing(value: &Value) -> Option<String> {
    let place = value.place.as_ref()?;
    Some(format!(
        "{}, which {place} names, does not exist",
        shown(&value.text)
    ))
}

/// What a file of a key holds: a private one, or a public one alone. `beside` finds what is not said there.
fn halves(
    path: &str,
    file: File,
    beside: impl FnOnce() -> Option<PublicKey>,
    asker: Box<dyn Asker>,
) -> (Option<PublicKey>, Secret) {
    let absent = |why: String| Secret::Absent(Some(format!("{} is not used: {why}", shown(path))));
    let info = match KeyInfo::of(&file.bytes) {
        Ok(info) => info,
        Err(error) => return (beside(), absent(error.to_string())),
    };
    let public = info.public.or_else(beside);
    if !info.is_private {
        let why = "it holds a public key, and no agent has the private one; add that with ssh-add";
        return (public, absent(why.to_owned()));
    }
    // A key that others may have read is not one's own any more; ssh does not use it either.
    if file.is_open {
        let why = "may be read by others and is not used; run chmod 600 on it";
        let why = format!("{} {why}", shown(path));
        return (public, Secret::Exposed(why));
    }
    match PrivateKey::load(&file.bytes, None) {
        Ok(key) => (Some(key.public().clone()), Secret::Here(key)),
        Err(Error::Key(KeyFault::PassphraseMissing | KeyFault::PassphraseWrong)) => {
            let sealed = Sealed::new(path, file.bytes, public.clone(), asker);
            (public, Secret::Sealed(Arc::new(sealed)))
        }
        Err(error) => (public, absent(error.to_string())),
    }
}

/// A certificate of a user; `None` where there is no such file.
///
/// # Errors
/// Why it is not used.
pub(super) fn read_certificate(path: &str) -> Result<Option<Certificate>, String> {
    let Some(file) = read(path)? else {
        return Ok(None);
    };
    let because = |why: String| format!("{} is not used: {why}", shown(path));
    let (certificate, _) =
        Certificate::load(&file.bytes).map_err(|error| because(error.to_string()))?;
    match certificate.kind() {
        CertificateKind::User => Ok(Some(certificate)),
        CertificateKind::Host => Err(because("it is a certificate for a host".to_owned())),
    }
}

/// What is in a file.
struct File {
    bytes: Zeroizing<Vec<u8>>,
    /// Whether others may read it, though it belongs to the user.
    is_open: bool,
}

/// Reads a file of a key; `None` where there is none.
///
/// # Errors
/// Why it is not used, and what to do.
fn read(path: &str) -> Result<Option<File>, String> {
    let failed = |error: &io::Error| {
        let error = reason(error.raw_os_error().unwrap_or(libc::EIO));
        format!("{}: {error}", shown(path))
    };
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(Path::new(path));
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let about = file.metadata().map_err(|error| failed(&error))?;
    if !about.is_file() || about.len() > MAX_KEY {
        return Err(format!("{} is no key file", shown(path)));
    }
    // Room for all of it at once: growing would leave copies of the secret behind.
    let room = usize::try_from(about.len()).unwrap_or(0).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(about.len())
        .read_to_end(&mut bytes)
        .map_err(|error| failed(&error))?;
    Ok(Some(File {
        bytes,
        is_open: about.uid() == Uid::current().as_raw() && about.mode() & 0o077 != 0,
    }))
}

/// A path as it may be shown.
pub(super) fn shown(path: &str) -> String {
    printable(path.as_bytes(), 4096)
}
