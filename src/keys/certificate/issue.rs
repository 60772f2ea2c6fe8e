//! Making certificates.

use super::{
    options, Certificate, CertificateKind, CertificateOption, Contents, MAX_CERTIFICATE_BLOB,
    MAX_KEY_ID_BYTES, MAX_PRINCIPALS, MAX_PRINCIPAL_BYTES,
};
use crate::codec::{Reader, Writer};
use crate::crypto::random::Random;
use crate::error::{Error, KeyFault};
use crate::keys::{PrivateKey, PublicKey};

/// Bytes of the nonce, as many as OpenSSH takes.
const NONCE_LEN: usize = 32;

/// A certificate before it is signed. At first it holds for nobody, without limit of time, and permits nothing.
#[derive(Debug, Clone)]
pub struct CertificateDraft {
    key: PublicKey,
    contents: Contents,
}

impl CertificateDraft {
    /// For a key.
    pub fn new(kind: CertificateKind, key: PublicKey) -> Self {
        CertificateDraft {
            key,
            contents: Contents {
                serial: 0,
                kind,
                key_id: String::new(),
                principals: Vec::new(),
                valid_after: 0,
                valid_before: u64::MAX,
                critical: Vec::new(),
                extensions: Vec::new(),
            },
        }
    }

    /// Sets the number by which it can be revoked.
    pub fn set_serial(&mut self, serial: u64) {
        self.contents.serial = serial;
    }

    /// Sets what it is called in logs.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] when it is too long, or holds NUL.
    pub fn set_key_id(&mut self, key_id: &str) -> Result<(), Error> {
        if key_id.len() > MAX_KEY_ID_BYTES || key_id.contains('\0') {
            return Err(Error::ApiMisuse(
                "a key id of at most 4096 bytes without NUL",
            ));
        }
        self.contents.key_id = key_id.to_owned();
        Ok(())
    }

    /// Adds a user or host.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] when there are too many, or the name is one that nobody would take.
    pub fn add_principal(&mut self, name: &str) -> Result<(), Error> {
        let good = !name.is_empty()
            && name.len() <= MAX_PRINCIPAL_BYTES
            && !name.contains(',')
            && !name.contains(char::is_control);
        if !good {
            return Err(Error::ApiMisuse(
                "a principal is a name without commas and control characters",
            ));
        }
        if self.contents.principals.len() >= MAX_PRINCIPALS {
            return Err(Error::ApiMisuse("at most 256 principals"));
        }
        self.contents.principals.push(name.to_owned());
        Ok(())
    }

    /// Sets from when it holds, and from when no more, in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] when it would never hold.
    pub fn set_validity(&mut self, after: u64, before: u64) -> Result<(), Error> {
        if after >= before {
            return Err(Error::ApiMisuse(
                "the end of validity is not after its begin",
            ));
        }
        self.contents.valid_after = after;
        self.contents.valid_before = before;
        Ok(())
    }

    /// Sets an option that must be understood.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] for a name that cannot be one.
    pub fn set_critical_option(&mut self, name: &str, value: Option<&str>) -> Result<(), Error> {
        set(&mut self.contents.critical, name, value)
    }

    /// Sets an option that may be passed over.
    ///
    /// # Errors
    /// As [`set_critical_option`](Self::set_critical_option).
    pub fn set_extension(&mut self, name: &str, value: Option<&str>) -> Result<(), Error> {
        set(&mut self.contents.extensions, name, value)
    }

    /// Has an authority sign it, with an algorithm of its key's, or the strongest of them.
    ///
    /// # Errors
    /// What keeps the key from signing; [`Error::Key`] when the certificate would be too long.
    pub fn sign(
        &self,
        authority: &PrivateKey,
        algorithm: Option<&str>,
        random: &mut dyn Random,
    ) -> Result<Certificate, Error> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let kind = self.key.kind();
        let mut fields = Reader::new(self.key.blob());
        fields
            .string()
            .map_err(|_| Error::Bug("a key whose blob is none"))?;
        let mut blob = Writer::collect(|w| {
            w.string(kind.certificate_type())
                .string(nonce)
                .raw(fields.remaining());
            self.contents.write(w);
            w.string("").string(authority.public().blob());
        });
        let own = authority.public().signature_algorithms();
        let algorithm = algorithm.or(own.first().copied()).unwrap_or_default();
        let signature = authority.sign_and_verify(algorithm, &blob)?;
        Writer::new(&mut blob).string(&signature);
        if blob.len() > MAX_CERTIFICATE_BLOB {
            return Err(
                KeyFault::Unsupported("a certificate of more than 64 KiB".to_owned()).into(),
            );
        }
        Certificate::from_blob(&blob)
    }
}

/// Puts an option where its name belongs, in place of one of the same name.
fn set(list: &mut Vec<CertificateOption>, name: &str, value: Option<&str>) -> Result<(), Error> {
    if !options::is_name(name) || value.is_some_and(|value| value.contains('\0')) {
        return Err(Error::ApiMisuse(
            "an option has a name without control characters and a value without NUL",
        ));
    }
    let option = CertificateOption::new(name, value);
    match list.binary_search_by(|known| known.name.as_str().cmp(name)) {
        Ok(at) => {
            if let Some(known) = list.get_mut(at) {
                *known = option;
            }
        }
        Err(at) => list.insert(at, option),
    }
    Ok(())
}
