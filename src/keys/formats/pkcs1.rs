//! `RSA PRIVATE KEY`: RSAPrivateKey of RFC 8017 appendix A.1.2, and the encryption that OpenSSL puts around it
//! and around SEC 1 keys with the headers of RFC 1421.

use der::Decode;
use md5::Digest;
use ssh_cipher::Cipher;
use zeroize::Zeroizing;

use super::{need, pem};
use crate::error::{Error, KeyFault};
use crate::keys::PrivateKey;

/// Reads a PEM block, encrypted or not.
pub(super) fn read_pem(
    document: &pem::Document<'_>,
    passphrase: Option<&[u8]>,
) -> Result<PrivateKey, Error> {
    read_legacy(document, passphrase, read)
}

/// Reads the DER.
pub(super) fn read(der: &[u8]) -> Result<PrivateKey, Error> {
    let key = pkcs1::RsaPrivateKeyRef::from_der(der)
        .map_err(|_| KeyFault::Malformed("not a PKCS#1 private key"))?;
    if key.other_prime_infos.is_some() {
        return Err(KeyFault::Unsupported("RSA key of more than two primes".into()).into());
    }
    PrivateKey::from_rsa_numbers(
        key.modulus.as_bytes(),
        key.public_exponent.as_bytes(),
        key.private_exponent.as_bytes(),
        key.prime1.as_bytes(),
        key.prime2.as_bytes(),
    )
}

/// Undoes the encryption of the headers `Proc-Type` and `DEK-Info`, if there, and parses what was inside.
///
/// Nothing there tells a wrong passphrase from a broken file, but random bytes hardly ever are good DER of
/// the right shape: once encrypted, bytes that do not parse at all mean a wrong passphrase.
pub(super) fn read_legacy(
    document: &pem::Document<'_>,
    passphrase: Option<&[u8]>,
    parse: impl Fn(&[u8]) -> Result<PrivateKey, Error>,
) -> Result<PrivateKey, Error> {
    let mut bytes = document.decode()?;
    let Some((cipher, iv)) = legacy_cipher(document)? else {
        return parse(&bytes);
    };
    if bytes.len() % cipher.block_size() != 0 {
        return Err(KeyFault::Malformed("secret part is not of whole blocks").into());
    }
    let passphrase = need(passphrase)?;
    let (key_len, _) = cipher
        .key_and_iv_size()
        .ok_or(Error::Bug("cipher without a key"))?;
    let key = bytes_to_key(passphrase, &iv, key_len);
    cipher
        .decrypt(&key, &iv, &mut bytes, None)
        .map_err(|_| Error::Bug("lengths of key and IV"))?;
    let plain = unpad(&bytes, cipher.block_size()).ok_or(KeyFault::PassphraseWrong)?;
    if der::asn1::AnyRef::from_der(plain).is_err() {
        return Err(KeyFault::PassphraseWrong.into());
    }
    parse(plain)
}

/// The cipher that the headers name, and its IV; nothing where there is no encryption.
pub(crate) fn legacy_cipher(
    document: &pem::Document<'_>,
) -> Result<Option<(Cipher, Vec<u8>)>, KeyFault> {
    let encrypted = document
        .header("Proc-Type")
        .is_some_and(|value| value.split(',').any(|word| word.trim() == "ENCRYPTED"));
    if !encrypted {
        return Ok(None);
    }
    let info = document
        .header("DEK-Info")
        .ok_or(KeyFault::Malformed("encrypted key without DEK-Info"))?;
    read_dek_info(info).map(Some)
}

/// `DEK-Info: AES-128-CBC,0123...`: the cipher and its IV.
fn read_dek_info(info: &str) -> Result<(Cipher, Vec<u8>), KeyFault> {
    const FAULT: KeyFault = KeyFault::Malformed("bad DEK-Info");
    let (name, iv) = info.split_once(',').ok_or(FAULT)?;
    let cipher = match name.trim() {
        "AES-128-CBC" => Cipher::Aes128Cbc,
        "AES-192-CBC" => Cipher::Aes192Cbc,
        "AES-256-CBC" => Cipher::Aes256Cbc,
        "DES-EDE3-CBC" => Cipher::TdesCbc,
        other => {
            return Err(KeyFault::Unsupported(format!(
                "private key cipher {}",
                crate::codec::printable(other.as_bytes(), 64)
            )))
        }
    };
    let iv = iv.trim();
    let iv_len = cipher.key_and_iv_size().map_or(0, |(_, iv_len)| iv_len);
    if iv.len() != 2 * iv_len || !iv.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(FAULT);
    }
    let bytes: Option<Vec<u8>> = (0..iv_len)
        .map(|i| {
            let digits = iv.get(2 * i..2 * i + 2)?;
            u8::from_str_radix(digits, 16).ok()
        })
        .collect();
    Ok((cipher, bytes.ok_or(FAULT)?))
}

/// OpenSSL's EVP_BytesToKey with MD5 and one iteration; the salt is the front of the IV.
fn bytes_to_key(passphrase: &[u8], iv: &[u8], key_len: usize) -> Zeroizing<Vec<u8>> {
    let salt = iv.get(..8).unwrap_or(iv);
    let mut key = Zeroizing::new(Vec::with_capacity(key_len + 16));
    let mut block = Zeroizing::new(Vec::new());
    while key.len() < key_len {
        let mut md5 = md5::Md5::new();
        md5.update(block.as_slice());
        md5.update(passphrase);
        md5.update(salt);
        block = Zeroizing::new(md5.finalize().to_vec());
        key.extend_from_slice(&block);
    }
    key.truncate(key_len);
    key
}

/// Takes the padding of RFC 1423 §1.1 off.
fn unpad(bytes: &[u8], block: usize) -> Option<&[u8]> {
    let count = usize::from(*bytes.last()?);
    if count == 0 || count > block {
        return None;
    }
    let (plain, padding) = bytes.split_at_checked(bytes.len().checked_sub(count)?)?;
    padding
        .iter()
        .all(|byte| usize::from(*byte) == count)
        .then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::{text, PASSPHRASE};

    fn fault(text: &str) -> KeyFault {
        match PrivateKey::load(text.as_bytes(), Some(PASSPHRASE)) {
            Err(Error::Key(fault)) => fault,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("the key was taken"),
        }
    }

    #[test]
    fn broken_headers_are_malformed() {
        let good = text("rsa.pkcs1.aes128");
        let (_, iv) = good
            .lines()
            .find_map(|line| line.split_once("AES-128-CBC,"))
            .unwrap();
        for (from, to) in [
            ("DEK-Info", "DEK-Wrong"),
            ("AES-128-CBC,", "AES-128-CBC "),
            (iv, &iv[2..]),
            (iv, &iv.replace(&iv[..2], "+1")),
            (iv, &iv.replace(&iv[..2], "é")),
            (iv, ""),
        ] {
            let found = fault(&good.replace(from, to));
            assert!(matches!(found, KeyFault::Malformed(_)), "{to}: {found}");
        }
        let found = fault(&good.replace("AES-128-CBC", "DES-CBC"));
        assert!(matches!(found, KeyFault::Unsupported(_)), "{found}");
    }

    #[test]
    fn padding_must_be_whole() {
        let mut block = [7; 16];
        assert_eq!(unpad(&block, 16), Some(&[7; 9][..]));
        block[15] = 0;
        assert_eq!(unpad(&block, 16), None);
        block[15] = 17;
        assert_eq!(unpad(&block, 16), None);
        block[15] = 3;
        assert_eq!(unpad(&block, 16), None);
        assert_eq!(unpad(&[], 16), None);
        assert_eq!(unpad(&[16; 16], 16), Some(&[][..]));
    }
}
