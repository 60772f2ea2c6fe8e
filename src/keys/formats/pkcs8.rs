//! `PRIVATE KEY` and `ENCRYPTED PRIVATE KEY`: PKCS#8 (RFC 5958) with PBES2 (RFC 8018).

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode};
use pkcs8::pkcs5::pbes2::{EncryptionScheme as Cipher, Kdf, Parameters};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::{need, pem, pkcs1, sec1};
use crate::crypto::random::Random;
use crate::crypto::sign::{ed25519, rsa};
use crate::error::{Error, KeyFault};
use crate::keys::private::{Secret, ELSEWHERE};
use crate::keys::PrivateKey;

pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Most iterations of PBKDF2 that a file may ask for, some seconds of work. Fuzzers would spend their time
/// in there.
const MAX_ITERATIONS: u32 = if cfg!(fuzzing) { 16 } else { 10_000_000 };
/// Iterations that we write.
const ITERATIONS: u32 = 600_000;
/// Most bytes of the table that a file may make scrypt use.
const MAX_SCRYPT_MEMORY: u64 = if cfg!(fuzzing) {
    64 * 1024
} else {
    64 * 1024 * 1024
};
/// Most work relative to one pass over that table.
const MAX_SCRYPT_PARALLELIZATION: u16 = 16;
/// Most bytes of what is mixed, a part for each of them.
const MAX_SCRYPT_MIXED: u64 = 4 * 1024 * 1024;

const DIFFERENT: KeyFault = KeyFault::Malformed("public and private part differ");

/// Reads the DER of a key in the clear.
pub(super) fn read(der: &[u8]) -> Result<PrivateKey, Error> {
    let info = PrivateKeyInfoRef::from_der(der)
        .map_err(|_| KeyFault::Malformed("not a PKCS#8 private key"))?;
    read_info(&info)
}

fn read_info(info: &PrivateKeyInfoRef<'_>) -> Result<PrivateKey, Error> {
    let secret = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA => pkcs1::read(secret),
        EC => {
            let curve = info
                .algorithm
                .parameters_oid()
                .map_err(|_| KeyFault::Malformed("key not on a named curve"))?;
            sec1::read(secret, Some(sec1::curve_of(curve)?))
        }
        ED25519 => {
            // RFC 8410 §7: an OCTET STRING inside the OCTET STRING.
            let seed = <&OctetStringRef>::from_der(secret)
                .ok()
                .and_then(|seed| seed.as_bytes().try_into().ok())
                .ok_or(KeyFault::Malformed("Ed25519 key is not of 32 bytes"))?;
            let key = PrivateKey::from_ed25519(Zeroizing::new(seed))?;
            if let Some(public) = &info.public_key {
                let point = public.as_bytes().unwrap_or_default();
                if !key.public().blob().ends_with(point) || point.len() != ed25519::PUBLIC_LEN {
                    return Err(DIFFERENT.into());
                }
            }
            Ok(key)
        }
        other => Err(KeyFault::Unsupported(format!("key algorithm {other}")).into()),
    }
}

/// The parameters and what they encrypt, once their cost was checked.
fn parse_encrypted(der: &[u8]) -> Result<(Parameters, &[u8]), KeyFault> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|_| explain(der))?;
    let EncryptionScheme::Pbes2(parameters) = info.encryption_algorithm else {
        return Err(KeyFault::Unsupported(
            "PKCS#8 encryption other than PBES2".into(),
        ));
    };
    check_cost(&parameters.kdf)?;
    Ok((parameters, info.encrypted_data.as_bytes()))
}

/// The encryption in words.
pub(crate) fn encryption(der: &[u8]) -> Result<String, KeyFault> {
    let (parameters, _) = parse_encrypted(der)?;
    let kdf = match &parameters.kdf {
        Kdf::Pbkdf2(kdf) => format!("PBKDF2 with {} iterations", kdf.iteration_count),
        Kdf::Scrypt(kdf) => format!(
            "scrypt with N = {}, r = {}, p = {}",
            kdf.cost_parameter, kdf.block_size, kdf.parallelization
        ),
        _ => "unknown".to_owned(),
    };
    let cipher = match &parameters.encryption {
        Cipher::Aes128Cbc { .. } => "aes128-cbc",
        Cipher::Aes192Cbc { .. } => "aes192-cbc",
        Cipher::Aes256Cbc { .. } => "aes256-cbc",
        Cipher::Aes128Gcm { .. } => "aes128-gcm",
        Cipher::Aes256Gcm { .. } => "aes256-gcm",
        Cipher::DesEde3Cbc { .. } => "3des-cbc",
        _ => "unknown",
    };
    Ok(format!("{cipher}, {kdf}"))
}

/// Reads the DER of an encrypted key.
pub(super) fn read_encrypted(der: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, Error> {
    let (parameters, sealed) = parse_encrypted(der)?;
    let passphrase = need(passphrase)?;
    let plain = parameters
        .decrypt(passphrase, sealed)
        .map(Zeroizing::new)
        .map_err(|fault| match fault {
            pkcs8::pkcs5::Error::DecryptFailed => KeyFault::PassphraseWrong,
            pkcs8::pkcs5::Error::UnsupportedAlgorithm { oid } => {
                KeyFault::Unsupported(format!("PKCS#8 encryption {oid}"))
            }
            _ => KeyFault::Malformed("bad parameters of the PKCS#8 encryption"),
        })?;
    // Under a wrong passphrase the padding is good by chance once in 256 times, but what it pads is no DER.
    let info = PrivateKeyInfoRef::from_der(&plain).map_err(|_| KeyFault::PassphraseWrong)?;
    read_info(&info)
}

/// What is wrong with an encrypted key that did not parse: where its outer shape is good, an algorithm in it
/// is not known.
fn explain(der: &[u8]) -> KeyFault {
    #[derive(der::Sequence)]
    struct Shape<'a> {
        algorithm: AlgorithmIdentifierRef<'a>,
        data: &'a OctetStringRef,
    }
    match Shape::from_der(der) {
        Ok(shape) if !shape.data.is_empty() => {
            KeyFault::Unsupported(format!("PKCS#8 encryption {}", shape.algorithm.oid))
        }
        _ => KeyFault::Malformed("not an encrypted PKCS#8 private key"),
    }
}

/// Refuses key derivation that would cost more than a person waits for.
fn check_cost(kdf: &Kdf) -> Result<(), KeyFault> {
    const FAULT: KeyFault = KeyFault::Malformed("key derivation asks for too much work");
    match kdf {
        Kdf::Pbkdf2(parameters) => {
            if !(1..=MAX_ITERATIONS).contains(&parameters.iteration_count) {
                return Err(FAULT);
            }
        }
        Kdf::Scrypt(parameters) => {
            // A table of so many blocks, and one block for each lane (RFC 7914 §6).
            let block = 128 * u64::from(parameters.block_size);
            let lanes = u64::from(parameters.parallelization);
            let fits = |blocks: u64, most| {
                let bytes = blocks.checked_mul(block);
                bytes.is_some_and(|bytes| (1..=most).contains(&bytes))
            };
            let parallelization = 1..=MAX_SCRYPT_PARALLELIZATION;
            if !fits(parameters.cost_parameter, MAX_SCRYPT_MEMORY)
                || !fits(lanes, MAX_SCRYPT_MIXED)
                || !parallelization.contains(&parameters.parallelization)
            {
                return Err(FAULT);
            }
        }
        _ => return Err(KeyFault::Unsupported("key derivation function".into())),
    }
    Ok(())
}

/// Writes PEM, encrypted with PBKDF2-HMAC-SHA256 and AES-256-CBC when a passphrase is given.
pub(crate) fn write(
    key: &PrivateKey,
    passphrase: Option<&[u8]>,
    random: &mut dyn Random,
) -> Result<Zeroizing<String>, Error> {
    if key.signs_elsewhere() {
        return Err(KeyFault::Unsupported(ELSEWHERE.to_owned()).into());
    }
    let der = encode(key).map_err(|_| Error::Bug("DER encoding failed"))?;
    let Some(passphrase) = passphrase.filter(|passphrase| !passphrase.is_empty()) else {
        return pem::write("PRIVATE KEY", &der);
    };
    let mut salt = [0; 16];
    let mut iv = [0; 16];
    random.fill(&mut salt);
    random.fill(&mut iv);
    encrypt(&der, passphrase, &salt, iv)
        .map_err(|_| Error::Bug("PKCS#8 encryption failed"))
        .and_then(|der| pem::write("ENCRYPTED PRIVATE KEY", &der))
}

fn encrypt(
    der: &[u8],
    passphrase: &[u8],
    salt: &[u8],
    iv: [u8; 16],
) -> Result<Vec<u8>, pkcs8::Error> {
    let parameters = Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, salt, iv)?;
    let encrypted = parameters.encrypt(passphrase, der)?;
    let info = EncryptedPrivateKeyInfoRef {
        encryption_algorithm: parameters.into(),
        encrypted_data: OctetStringRef::new(&encrypted)?,
    };
    Ok(info.to_der()?)
}

/// PrivateKeyInfo of version 1, which OpenSSL 1.1 and 3.0 read too.
fn encode(key: &PrivateKey) -> Result<Zeroizing<Vec<u8>>, der::Error> {
    let (oid, parameters, secret) = match key.secret() {
        Secret::Ed25519(seed) => {
            let seed = OctetStringRef::new(seed.as_slice())?;
            (ED25519, None, Zeroizing::new(seed.to_der()?))
        }
        Secret::Ecdsa(curve, scalar) => {
            let blob = key.public().blob();
            let start = blob.len().saturating_sub(curve.point_len());
            let point = blob.get(start..).unwrap_or_default();
            let secret =
                sec1::write(scalar, point).map_err(|_| der::Error::from(der::ErrorKind::Failed))?;
            (EC, Some(sec1::oid_of(*curve)), secret)
        }
        Secret::Rsa(numbers) => (RSA, None, encode_rsa(numbers)?),
        // Seen by `write`.
        Secret::Elsewhere => return Err(der::ErrorKind::Failed.into()),
    };
    let parameters = match &parameters {
        Some(curve) => Some(AnyRef::from(curve)),
        None if oid == RSA => Some(AnyRef::NULL),
        None => None,
    };
    let info = PrivateKeyInfoRef::new(
        AlgorithmIdentifierRef { oid, parameters },
        OctetStringRef::new(&secret)?,
    );
    Ok(Zeroizing::new(info.to_der()?))
}

fn encode_rsa(numbers: &rsa::Components) -> Result<Zeroizing<Vec<u8>>, der::Error> {
    let key = ::pkcs1::RsaPrivateKeyRef {
        modulus: UintRef::new(&numbers.n)?,
        public_exponent: UintRef::new(&numbers.e)?,
        private_exponent: UintRef::new(&numbers.d)?,
        prime1: UintRef::new(&numbers.p)?,
        prime2: UintRef::new(&numbers.q)?,
        exponent1: UintRef::new(&numbers.dp)?,
        exponent2: UintRef::new(&numbers.dq)?,
        coefficient: UintRef::new(&numbers.qinv)?,
        other_prime_infos: None,
    };
    Ok(Zeroizing::new(key.to_der()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::fixture;

    fn pbkdf2(iterations: u32) -> Parameters {
        Parameters::generate_pbkdf2_sha256_aes256cbc(iterations, &[1; 16], [2; 16]).unwrap()
    }

    fn scrypt(cost: u64, block_size: u16, parallelization: u16) -> Parameters {
        let mut parameters =
            Parameters::generate_scrypt_aes256cbc(Default::default(), &[1; 16], [2; 16]).unwrap();
        if let Kdf::Scrypt(scrypt) = &mut parameters.kdf {
            scrypt.cost_parameter = cost;
            scrypt.block_size = block_size;
            scrypt.parallelization = parallelization;
        }
        parameters
    }

    fn fault(parameters: Parameters, passphrase: Option<&[u8]>) -> KeyFault {
        let der = EncryptedPrivateKeyInfoRef {
            encryption_algorithm: parameters.into(),
            encrypted_data: OctetStringRef::new(&[0; 64]).unwrap(),
        }
        .to_der()
        .unwrap();
        match read_encrypted(&der, passphrase) {
            Err(Error::Key(fault)) => fault,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("the key was taken"),
        }
    }

    #[test]
    fn cost_is_checked_before_it_is_paid() {
        for parameters in [
            pbkdf2(MAX_ITERATIONS + 1),
            scrypt(1 << 20, 8, 1),
            scrypt(1 << 63, 8, 1),
            scrypt(1 << 14, u16::MAX, 1),
            scrypt(1 << 14, 0, 1),
            scrypt(0, 8, 1),
            scrypt(2, u16::MAX, 16),
            scrypt(1 << 14, 8, 17),
            scrypt(1 << 14, 8, 0),
            scrypt(1000, 8, 1),
        ] {
            // Who pays first finds the passphrase wrong.
            let found = fault(parameters, Some(b"passphrase"));
            assert!(matches!(found, KeyFault::Malformed(_)), "{found}");
        }
    }

    #[test]
    fn legal_cost_asks_for_the_passphrase() {
        for parameters in [pbkdf2(1000), scrypt(1 << 14, 8, 1)] {
            assert_eq!(fault(parameters.clone(), None), KeyFault::PassphraseMissing);
            let found = fault(parameters, Some(b"wrong"));
            assert_eq!(found, KeyFault::PassphraseWrong);
        }
        // The largest table of the usual blocks.
        let largest = fault(scrypt(1 << 16, 8, 1), None);
        assert_eq!(largest, KeyFault::PassphraseMissing);
    }

    #[test]
    fn keys_are_written_as_openssl_writes_them() {
        for name in [
            "ed25519b.pkcs8",
            "p256.pkcs8",
            "p384.pkcs8",
            "p521.pkcs8",
            "rsa.pkcs8",
        ] {
            let bytes = fixture(name);
            let key = PrivateKey::load(&bytes, None).unwrap();
            let written = encode(&key).unwrap();
            let expected = pem::Document::find(&bytes).unwrap().decode().unwrap();
            assert!(*written == *expected, "{name}");
        }
    }

    #[test]
    fn version_2_with_a_public_key_is_checked() {
        let key = PrivateKey::from_ed25519(Zeroizing::new([3; 32])).unwrap();
        let der = encode(&key).unwrap();
        let mut info = PrivateKeyInfoRef::from_der(&der).unwrap();
        let blob = key.public().blob();
        let point = &blob[blob.len() - 32..];
        info.public_key = Some(der::asn1::BitStringRef::from_bytes(point).unwrap());
        assert_eq!(
            read(&info.to_der().unwrap()).unwrap().public(),
            key.public()
        );
        info.public_key = Some(der::asn1::BitStringRef::from_bytes(&[7; 32]).unwrap());
        assert!(
            matches!(read(&info.to_der().unwrap()), Err(Error::Key(fault)) if fault == DIFFERENT)
        );
    }
}
