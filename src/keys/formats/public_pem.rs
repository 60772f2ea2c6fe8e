//! Public keys as other programs than SSH have them: `PUBLIC KEY`, the SubjectPublicKeyInfo of RFC 5280, and
//! `RSA PUBLIC KEY`, the RSAPublicKey of RFC 8017.

use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::{Decode, Encode};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use super::pem;
use super::pkcs8::{EC, ED25519, RSA};
use super::sec1;
use crate::codec::Reader;
use crate::error::{Error, KeyFault};
use crate::keys::{KeyKind, PublicKey};

const SPKI: &str = "PUBLIC KEY";
const PKCS1: &str = "RSA PUBLIC KEY";

/// Which of the two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `PUBLIC KEY`
    Spki,
    /// `RSA PUBLIC KEY`
    Pkcs1,
}

/// Finds the first such block of a file, if there is one.
pub(crate) fn find(bytes: &[u8]) -> Result<Option<(Form, PublicKey)>, Error> {
    let Some(document) = pem::Document::find_labelled(bytes, "PUBLIC KEY")? else {
        return Ok(None);
    };
    match document.label {
        SPKI => Ok(Some((Form::Spki, read_spki(&document.decode()?)?))),
        PKCS1 => Ok(Some((Form::Pkcs1, read_pkcs1(&document.decode()?)?))),
        label => Err(KeyFault::Unsupported(format!("public key format {label}")).into()),
    }
}

fn read_spki(der: &[u8]) -> Result<PublicKey, Error> {
    const FAULT: KeyFault = KeyFault::Malformed("not a SubjectPublicKeyInfo");
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| FAULT)?;
    let bits = info.subject_public_key.as_bytes().ok_or(FAULT)?;
    match info.algorithm.oid {
        RSA => read_pkcs1(bits),
        EC => {
            let curve = info
                .algorithm
                .parameters_oid()
                .map_err(|_| KeyFault::Malformed("key not on a named curve"))?;
            PublicKey::ecdsa(sec1::curve_of(curve)?, bits)
        }
        ED25519 => PublicKey::ed25519(
            bits.try_into()
                .map_err(|_| KeyFault::Malformed("Ed25519 key is not of 32 bytes"))?,
        ),
        other => Err(KeyFault::Unsupported(format!("key algorithm {other}")).into()),
    }
}

fn read_pkcs1(der: &[u8]) -> Result<PublicKey, Error> {
    let key = pkcs1::RsaPublicKeyRef::from_der(der)
        .map_err(|_| KeyFault::Malformed("not a PKCS#1 public key"))?;
    PublicKey::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())
}

/// Writes PEM. Only RSA keys have the form of PKCS#1.
pub(crate) fn write(key: &PublicKey, form: Form) -> Result<String, Error> {
    const BUG: Error = Error::Bug("DER encoding failed");
    let text = match form {
        Form::Spki => pem::write(SPKI, &spki(key).map_err(|_| BUG)?)?,
        Form::Pkcs1 if key.kind() == KeyKind::Rsa => {
            pem::write(PKCS1, &rsa(key).map_err(|_| BUG)?)?
        }
        Form::Pkcs1 => {
            return Err(KeyFault::Unsupported("PKCS#1 is a format of RSA keys only".into()).into())
        }
    };
    Ok(text.to_string())
}

fn spki(key: &PublicKey) -> Result<Zeroizing<Vec<u8>>, der::Error> {
    let curve = key.kind().curve();
    let oid = curve.map(sec1::oid_of);
    let numbers;
    let (algorithm, bits) = match (&oid, curve) {
        (Some(oid), Some(curve)) => {
            let parameters = Some(AnyRef::from(oid));
            let algorithm = AlgorithmIdentifierRef {
                oid: EC,
                parameters,
            };
            (algorithm, tail(key, curve.point_len()))
        }
        _ if key.kind() == KeyKind::Rsa => {
            numbers = rsa(key)?;
            let algorithm = AlgorithmIdentifierRef {
                oid: RSA,
                parameters: Some(AnyRef::NULL),
            };
            (algorithm, numbers.as_slice())
        }
        _ => {
            let algorithm = AlgorithmIdentifierRef {
                oid: ED25519,
                parameters: None,
            };
            (algorithm, tail(key, 32))
        }
    };
    let info = SubjectPublicKeyInfoRef {
        algorithm,
        subject_public_key: BitStringRef::from_bytes(bits)?,
    };
    info.to_der().map(Zeroizing::new)
}

/// The point, which ends the blobs of keys over curves.
fn tail(key: &PublicKey, length: usize) -> &[u8] {
    let start = key.blob().len().saturating_sub(length);
    key.blob().get(start..).unwrap_or_default()
}

fn rsa(key: &PublicKey) -> Result<Zeroizing<Vec<u8>>, der::Error> {
    const FAULT: der::ErrorKind = der::ErrorKind::Failed;
    let mut reader = Reader::new(key.blob());
    reader.string().map_err(|_| FAULT)?;
    let public_exponent = UintRef::new(reader.mpint().map_err(|_| FAULT)?)?;
    let modulus = UintRef::new(reader.mpint().map_err(|_| FAULT)?)?;
    let key = pkcs1::RsaPublicKeyRef {
        modulus,
        public_exponent,
    };
    key.to_der().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::fixture;

    fn key(kind: &str) -> PublicKey {
        PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
    }

    #[test]
    fn what_is_written_is_read() {
        for kind in ["ed25519", "p256", "p384", "p521", "rsa", "rsa9216"] {
            let text = write(&key(kind), Form::Spki).unwrap();
            let (form, again) = find(text.as_bytes()).unwrap().unwrap();
            assert_eq!(form, Form::Spki);
            assert!(again == key(kind), "{kind}");
            let text = write(&key(kind), Form::Pkcs1);
            assert_eq!(text.is_ok(), kind.starts_with("rsa"));
            if let Ok(text) = text {
                let found = find(text.as_bytes()).unwrap().unwrap();
                assert!(found == (Form::Pkcs1, key(kind)));
            }
        }
    }

    #[test]
    fn y2_damaged_keys_never_read_as_broken_ones() {
        for kind in ["ed25519", "p256", "rsa"] {
            let text = write(&key(kind), Form::Spki).unwrap();
            let document = pem::Document::find_labelled(text.as_bytes(), SPKI);
            let der = document.unwrap().unwrap().decode().unwrap();
            for at in 0..der.len() {
                let text = pem::write(SPKI, &der[..at]).unwrap();
                assert!(find(text.as_bytes()).is_err());
                let mut damaged = der.to_vec();
                damaged[at] ^= 0x20;
                let text = pem::write(SPKI, &damaged).unwrap();
                // Another key may come of it, but one that is in order.
                if let Ok(Some((_, key))) = find(text.as_bytes()) {
                    assert!(PublicKey::from_blob(key.blob()).is_ok());
                }
            }
        }
        let label = "-----BEGIN DSA PUBLIC KEY-----\nAQID\n-----END DSA PUBLIC KEY-----\n";
        assert!(matches!(
            find(label.as_bytes()),
            Err(Error::Key(KeyFault::Unsupported(_)))
        ));
        assert!(find(b"ssh-ed25519 AAAA").unwrap().is_none());
    }
}
