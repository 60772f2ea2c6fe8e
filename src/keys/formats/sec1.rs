//! `EC PRIVATE KEY`: ECPrivateKey of RFC 5915, which is SEC 1 appendix C.4.

use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use zeroize::Zeroizing;

use super::{pem, pkcs1};
use crate::crypto::sign::ecdsa::Curve;
use crate::error::{Error, KeyFault};
use crate::keys::{PrivateKey, PublicKey};

const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// The curve that an object identifier names.
pub(super) fn curve_of(oid: ObjectIdentifier) -> Result<Curve, KeyFault> {
    match oid {
        P256 => Ok(Curve::P256),
        P384 => Ok(Curve::P384),
        P521 => Ok(Curve::P521),
        other => Err(KeyFault::Unsupported(format!("elliptic curve {other}"))),
    }
}

/// The object identifier of a curve.
pub(super) fn oid_of(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::P256 => P256,
        Curve::P384 => P384,
        Curve::P521 => P521,
    }
}

/// Reads a PEM block, encrypted or not.
pub(super) fn read_pem(
    document: &pem::Document<'_>,
    passphrase: Option<&[u8]>,
) -> Result<PrivateKey, Error> {
    pkcs1::read_legacy(document, passphrase, |der| read(der, None))
}

/// Reads the DER. Inside PKCS#8 the curve is known from outside and may be missing inside.
pub(super) fn read(der: &[u8], outer: Option<Curve>) -> Result<PrivateKey, Error> {
    let key = sec1::EcPrivateKey::from_der(der)
        .map_err(|_| KeyFault::Malformed("not a SEC 1 private key on a named curve"))?;
    let inner = key
        .parameters
        .and_then(|parameters| parameters.named_curve())
        .map(curve_of)
        .transpose()?;
    let curve = match (outer, inner) {
        (Some(outer), Some(inner)) if outer != inner => {
            return Err(KeyFault::Malformed("two curves in one key").into())
        }
        (Some(curve), _) | (None, Some(curve)) => curve,
        (None, None) => return Err(KeyFault::Malformed("key without a curve").into()),
    };
    let private = PrivateKey::from_ecdsa(curve, key.private_key.to_vec().into())?;
    if let Some(point) = key.public_key {
        if PublicKey::ecdsa(curve, point)? != *private.public() {
            return Err(KeyFault::Malformed("public and private part differ").into());
        }
    }
    Ok(private)
}

/// Writes the DER as it stands inside PKCS#8: with the public point, without the curve.
pub(super) fn write(scalar: &[u8], point: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    sec1::EcPrivateKey {
        private_key: scalar,
        parameters: None,
        public_key: Some(point),
    }
    .to_der()
    .map(Zeroizing::new)
    .map_err(|_| Error::Bug("DER encoding failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::fixture;
    use sec1::{EcParameters, EcPrivateKey};

    fn taken(key: &EcPrivateKey<'_>, outer: Option<Curve>) -> bool {
        match read(&key.to_der().unwrap(), outer) {
            Ok(_) => true,
            Err(Error::Key(KeyFault::Malformed(_) | KeyFault::Unsupported(_))) => false,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn curve_and_point_must_fit() {
        let bytes = fixture("p256.sec1");
        let der = pem::Document::find(&bytes).unwrap().decode().unwrap();
        let key = EcPrivateKey::from_der(&der).unwrap();
        let of = |oid| Some(EcParameters::NamedCurve(oid));
        let with = |parameters, public_key| EcPrivateKey {
            parameters,
            public_key,
            ..key.clone()
        };
        assert!(taken(&key, None));
        assert!(taken(&with(None, None), Some(Curve::P256)));
        assert!(taken(&with(of(P256), None), Some(Curve::P256)));
        assert!(!taken(&with(None, key.public_key), None));
        assert!(!taken(&with(of(P384), key.public_key), None));
        assert!(!taken(&with(of(P384), key.public_key), Some(Curve::P256)));
        assert!(!taken(&with(of(P256), Some(&[4; 65])), None));
        assert!(!taken(&with(of(P256), Some(&[])), None));
        let other = PrivateKey::from_ecdsa(Curve::P256, vec![5; 32].into()).unwrap();
        let blob = other.public().blob();
        assert!(!taken(
            &with(of(P256), blob.last_chunk::<65>().map(|point| &point[..])),
            None
        ));
        let secret_zero = EcPrivateKey {
            private_key: &[0; 32],
            ..key.clone()
        };
        assert!(!taken(&secret_zero, None));
    }
}
