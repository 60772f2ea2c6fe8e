//! `ssh_key`: public and private keys.

use std::ffi::{c_char, c_void, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::error::KeyFault;
use crate::keys::{KeyKind, PrivateKey, PublicKey};

use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::key_file::{self, Access};
use super::memory;
use super::status::{ssh_status, SSH_ERR_SIGNATURE, SSH_OK};

/// A public key, or a private key with its public half. A key does not change, so any number of threads
/// may use it; whoever is given one copies what it needs, so it may be freed right after the call. Private
/// keys are wiped when the last user lets go.
#[allow(non_camel_case_types)]
pub struct ssh_key {
    _opaque: [u8; 0],
}

/// Kind of key: ssh-ed25519. The best choice for a new key.
pub const SSH_KEY_ED25519: i32 = 1;

/// Kind of key: ecdsa-sha2-nistp256.
pub const SSH_KEY_ECDSA_P256: i32 = 2;

/// Kind of key: ecdsa-sha2-nistp384.
pub const SSH_KEY_ECDSA_P384: i32 = 3;

/// Kind of key: ecdsa-sha2-nistp521.
pub const SSH_KEY_ECDSA_P521: i32 = 4;

/// Kind of key: RSA, signing with rsa-sha2-512 and rsa-sha2-256.
pub const SSH_KEY_RSA: i32 = 5;

/// Kind of key: sk-ssh-ed25519@openssh.com, in a FIDO authenticator; public keys only.
pub const SSH_KEY_SK_ED25519: i32 = 6;

/// Kind of key: sk-ecdsa-sha2-nistp256@openssh.com, in a FIDO authenticator; public keys only.
pub const SSH_KEY_SK_ECDSA_P256: i32 = 7;

/// File format: OpenSSH's own ("BEGIN OPENSSH PRIVATE KEY"), encrypted with aes256-ctr and bcrypt.
pub const SSH_KEY_FORMAT_OPENSSH: i32 = 1;

/// File format: PKCS#8 PEM ("BEGIN PRIVATE KEY", and "BEGIN PUBLIC KEY" for public keys), as other programs than SSH
/// read it.
pub const SSH_KEY_FORMAT_PKCS8: i32 = 2;

/// File format: PKCS#1 PEM ("BEGIN RSA PRIVATE KEY", and "BEGIN RSA PUBLIC KEY" for public keys). Private keys are only
/// read in it.
pub const SSH_KEY_FORMAT_PKCS1: i32 = 3;

/// File format: SEC1 PEM ("BEGIN EC PRIVATE KEY"). Only read.
pub const SSH_KEY_FORMAT_SEC1: i32 = 4;

/// File format: PuTTY's private key, version 2. Only read.
pub const SSH_KEY_FORMAT_PPK2: i32 = 5;

/// File format: PuTTY's private key, version 3. Only read.
pub const SSH_KEY_FORMAT_PPK3: i32 = 6;

/// File format of public keys: one line, `type base64 comment`, as in .pub files.
pub const SSH_KEY_FORMAT_LINE: i32 = 7;

/// File format of public keys: RFC 4716 ("BEGIN SSH2 PUBLIC KEY").
pub const SSH_KEY_FORMAT_RFC4716: i32 = 8;

/// Reads a private key from memory. The formats are told apart by their content: OpenSSH, PKCS#1, SEC1, PKCS#8, and
/// PuTTY's versions 2 and 3, each plain or encrypted. A file that asks for absurd work before the passphrase can be
/// checked is malformed.
///
/// @param data        the text of the key file
/// @param length      its length in bytes, at most 1 MiB
/// @param passphrase  the passphrase, or NULL; not looked at when the key is not encrypted
/// @param error       receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED,
///                    SSH_ERR_PASSPHRASE_MISSING, SSH_ERR_PASSPHRASE_WRONG
/// @return a key, freed with ssh_key_free(), or NULL.
///
/// Any thread; takes as long as the passphrase's rounds want, often 100 ms. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_load(
    data: *const c_void,
    length: usize,
    passphrase: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let data = bounded(memory::bytes(data, length)?)?;
        let passphrase = memory::optional_c_bytes(passphrase);
        new_private(PrivateKey::load(data, passphrase)?)
    })
}

/// Reads a private key from a file, as ssh_key_load() does from memory. Who else may read the file is not looked at:
/// ssh_key_load_file_asking() refuses what others may read.
///
/// @param path        the file, which must be a regular one of at most 1 MiB
/// @param passphrase  the passphrase, or NULL
/// @param error       receives the detail, or NULL: as for ssh_key_load(), and SSH_ERR_IO
/// @return a key, freed with ssh_key_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_load_file(
    path: *const c_char,
    passphrase: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let path = path_of(path)?;
        let data = key_file::read(path, Access::Any)?;
        let passphrase = memory::optional_c_bytes(passphrase);
        let loaded = PrivateKey::load(&data, passphrase);
        new_private(key_file::name_file(path, loaded)?)
    })
}

/// Makes a new private key.
///
/// @param kind     SSH_KEY_ED25519, SSH_KEY_ECDSA_P256, ..., SSH_KEY_RSA
/// @param bits     for SSH_KEY_RSA the size, 2048 to 16384, 0 for the usual 3072; for others 0
/// @param comment  the comment to store with the key, often user@host, or NULL for none
/// @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG
/// @return a key, freed with ssh_key_free(), or NULL.
///
/// Any thread; large RSA keys take seconds. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_generate(
    kind: i32,
    bits: u32,
    comment: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let kind = kind_of(kind)?;
        if kind.is_security_key() {
            return Err(Failure::invalid("security keys are made by authenticators"));
        }
        check_bits(kind, bits)?;
        let comment = memory::optional_text(comment)?.unwrap_or("");
        if comment.contains(['\n', '\r']) {
            return Err(Failure::invalid("a comment is one line"));
        }
        let key = PrivateKey::generate(kind, bits, &mut SystemRandom)?;
        new_private(key.with_comment(comment))
    })
}

/// Reads a public key from its one-line form, `type base64 [comment]`, as in a .pub file.
///
/// @param line   the line, with or without a newline
/// @param error  receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
/// @return a key, freed with ssh_key_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_from_line(
    line: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let line = memory::text(line, "the line")?;
        let (key, comment) = PublicKey::from_line(line.trim_end_matches(['\r', '\n']))?;
        new_public(key, comment)
    })
}

/// Reads a public key from its blob, the form it has on the wire (RFC 4253 section 6.6).
///
/// @param blob    the bytes
/// @param length  how many
/// @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
/// @return a key, freed with ssh_key_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_from_blob(
    blob: *const c_void,
    length: usize,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let blob = bounded(memory::bytes(blob, length)?)?;
        new_public(PublicKey::from_blob(blob)?, String::new())
    })
}

/// Frees a key.
///
/// @param key  the key; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_free(key: *mut ssh_key) {
    guard::value((), || handle::take(key).map(drop));
}

/// The public half of a key, as a key of its own.
///
/// @return a key, freed with ssh_key_free(), or NULL when `key` is no key. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_public(key: *const ssh_key) -> *mut ssh_key {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(key)?;
        new_public(object.public().clone(), object.comment().to_owned())
    })
}

/// Whether the key can sign.
///
/// @return false also when `key` is no key. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_is_private(key: *const ssh_key) -> bool {
    guard::value(false, || Ok(handle::get(key)?.private().is_some()))
}

/// Whether two keys have the same public half.
///
/// @param key    a key
/// @param other  another one
/// @return false also when one of them is no key. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_equals(key: *const ssh_key, other: *const ssh_key) -> bool {
    guard::value(false, || {
        let (one, other) = (handle::get(key)?, handle::get(other)?);
        Ok(one.public().blob() == other.public().blob())
    })
}

/// The kind of the key: SSH_KEY_ED25519, ...
///
/// @return the kind, or 0 when `key` is no key. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_kind(key: *const ssh_key) -> i32 {
    guard::value(0, || Ok(number_of(handle::get(key)?.public().kind())))
}

/// The type name that stands in the key, such as "ssh-ed25519" or "ssh-rsa".
///
/// @return a constant string, or NULL when `key` is no key. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_type(key: *const ssh_key) -> *const c_char {
    guard::value(std::ptr::null(), || {
        let name = match handle::get(key)?.public().kind() {
            KeyKind::Ed25519 => c"ssh-ed25519",
            KeyKind::EcdsaP256 => c"ecdsa-sha2-nistp256",
            KeyKind::EcdsaP384 => c"ecdsa-sha2-nistp384",
            KeyKind::EcdsaP521 => c"ecdsa-sha2-nistp521",
            KeyKind::Rsa => c"ssh-rsa",
            KeyKind::SkEd25519 => c"sk-ssh-ed25519@openssh.com",
            KeyKind::SkEcdsaP256 => c"sk-ecdsa-sha2-nistp256@openssh.com",
        };
        Ok(name.as_ptr())
    })
}

/// The size in bits as ssh-keygen shows it.
///
/// @return bits, or 0 when `key` is no key. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_bits(key: *const ssh_key) -> u32 {
    guard::value(0, || Ok(handle::get(key)?.public().bits()))
}

/// The fingerprint: "SHA256:" and 43 characters, as ssh-keygen -l shows it.
///
/// @return a string, freed with ssh_memory_free(), or NULL when `key` is no key. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_fingerprint(key: *const ssh_key) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        memory::string_out(&handle::get(key)?.public().fingerprint())
    })
}

/// The comment stored with the key.
///
/// @return a string, possibly empty, freed with ssh_memory_free(), or NULL when `key` is no key.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_comment(key: *const ssh_key) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        memory::string_out(handle::get(key)?.comment())
    })
}

/// The public half as one line, `type base64 comment` without a newline, as in .pub and authorized_keys
/// files.
///
/// @param key      the key
/// @param comment  the comment to put there, or NULL for the one stored with the key
/// @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_public_line(
    key: *const ssh_key,
    comment: *const c_char,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(key)?;
        memory::string_out(&object.public().to_line(comment_of(&object, comment)?))
    })
}

/// The blob of the public half, the form it has on the wire.
///
/// @param key     the key
/// @param blob    receives the bytes, freed with ssh_memory_free()
/// @param length  receives how many
/// @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_blob(
    key: *const ssh_key,
    blob: *mut *mut c_void,
    length: *mut usize,
) -> ssh_status {
    guard::status(|| {
        memory::clear_bytes(blob, length);
        let object = handle::get(key)?;
        memory::bytes_out(object.public().blob(), blob, length)?;
        Ok(SSH_OK)
    })
}

/// The private key as the text of a key file.
///
/// @param key         a private key
/// @param format      SSH_KEY_FORMAT_OPENSSH or SSH_KEY_FORMAT_PKCS8
/// @param passphrase  encrypts the text, or NULL for plain text
/// @param error       receives the detail, or NULL: SSH_ERR_INVALID_ARG for a public key
/// @return a string, wiped and freed with ssh_memory_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_private_text(
    key: *const ssh_key,
    format: i32,
    passphrase: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut c_char {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(key)?;
        memory::string_out(&private_text(&object, format, passphrase)?)
    })
}

/// Writes the private key to a new file that only its owner may read (mode 0600). The file appears whole
/// or not at all, and an existing one is never overwritten: SSH_ERR_IO with errno EEXIST.
///
/// @param key         a private key
/// @param path        the file to make
/// @param format      SSH_KEY_FORMAT_OPENSSH or SSH_KEY_FORMAT_PKCS8
/// @param passphrase  encrypts the file, or NULL for plain text
/// @param error       receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG for a public key
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_save_file(
    key: *const ssh_key,
    path: *const c_char,
    format: i32,
    passphrase: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(key)?;
        let path = path_of(path)?;
        let text = private_text(&object, format, passphrase)?;
        key_file::write_new(path, key_file::PRIVATE, text.as_bytes())?;
        Ok(SSH_OK)
    })
}

/// Signs data.
///
/// @param key        a private key
/// @param algorithm  a signature algorithm such as "rsa-sha2-512", or NULL for the key's strongest
/// @param data       what to sign
/// @param length     how many bytes
/// @param signature  receives the signature blob (RFC 4253 section 6.6), freed with ssh_memory_free()
/// @param signature_length  receives its length
/// @param error      receives the detail, or NULL: SSH_ERR_SIGNATURE, SSH_ERR_INVALID_ARG
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_sign(
    key: *const ssh_key,
    algorithm: *const c_char,
    data: *const c_void,
    length: usize,
    signature: *mut *mut c_void,
    signature_length: *mut usize,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::clear_bytes(signature, signature_length);
        let object = handle::get(key)?;
        let private = private_half(&object)?;
        let data = memory::bytes(data, length)?;
        let known = private.public().signature_algorithms();
        let algorithm = match memory::optional_text(algorithm)? {
            Some(name) => name,
            None => known.first().copied().unwrap_or_default(),
        };
        if !known.contains(&algorithm) {
            return Err(Failure::invalid(
                "the key does not sign with this algorithm",
            ));
        }
        let made = private.sign_and_verify(algorithm, data)?;
        memory::bytes_out(&made, signature, signature_length)?;
        Ok(SSH_OK)
    })
}

/// Checks a signature made by ssh_key_sign() or by a peer.
///
/// @param key               a public or private key
/// @param algorithm         the signature algorithm that must have been used
/// @param data              what was signed
/// @param length            how many bytes
/// @param signature         the signature blob
/// @param signature_length  its length
/// @return SSH_OK when it is good, SSH_ERR_SIGNATURE when it is not, or another failure.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_verify(
    key: *const ssh_key,
    algorithm: *const c_char,
    data: *const c_void,
    length: usize,
    signature: *const c_void,
    signature_length: usize,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(key)?;
        let algorithm = memory::text(algorithm, "the algorithm")?;
        let data = memory::bytes(data, length)?;
        let signature = memory::bytes(signature, signature_length)?;
        Ok(match object.public().verify(algorithm, data, signature) {
            true => SSH_OK,
            false => SSH_ERR_SIGNATURE,
        })
    })
}

// --- behind the handle ----------------------------------------------------------------------------

/// What a key handle leads to.
pub(crate) enum KeyObject {
    Private(PrivateKey),
    Public { key: PublicKey, comment: String },
}

impl Handle for ssh_key {
    type Object = KeyObject;
    const TAG: u8 = 3;
    const NOUN: &'static str = "ssh_key";
    const SURVIVES_FORK: bool = true;
}

impl KeyObject {
    pub(crate) fn public(&self) -> &PublicKey {
        match self {
            KeyObject::Private(key) => key.public(),
            KeyObject::Public { key, .. } => key,
        }
    }

    fn private(&self) -> Option<&PrivateKey> {
        match self {
            KeyObject::Private(key) => Some(key),
            KeyObject::Public { .. } => None,
        }
    }

    pub(crate) fn comment(&self) -> &str {
        match self {
            KeyObject::Private(key) => key.comment(),
            KeyObject::Public { comment, .. } => comment,
        }
    }
}

/// A handle of a private key.
pub(crate) fn new_private(key: PrivateKey) -> Outcome<*mut ssh_key> {
    handle::insert(Arc::new(KeyObject::Private(key)))
}

/// A handle of a public key.
pub(crate) fn new_public(key: PublicKey, comment: String) -> Outcome<*mut ssh_key> {
    handle::insert(Arc::new(KeyObject::Public { key, comment }))
}

/// The private key behind a handle.
pub(crate) fn private_key(handle: *const ssh_key) -> Outcome<PrivateKey> {
    private_half(&*handle::get(handle)?).cloned()
}

fn private_half(object: &KeyObject) -> Outcome<&PrivateKey> {
    object
        .private()
        .ok_or_else(|| Failure::invalid("a private key is wanted, this is a public one"))
}

/// The comment that the caller wishes, or else the key's own.
pub(crate) fn comment_of(object: &KeyObject, wish: *const c_char) -> Outcome<&str> {
    let comment = memory::optional_text(wish)?.unwrap_or(object.comment());
    if comment.contains(['\n', '\r']) {
        return Err(Failure::invalid("a comment is one line"));
    }
    Ok(comment)
}

fn private_text(
    object: &KeyObject,
    format: i32,
    passphrase: *const c_char,
) -> Outcome<Zeroizing<String>> {
    let key = private_half(object)?;
    let passphrase = memory::optional_c_bytes(passphrase);
    if passphrase.is_some_and(<[u8]>::is_empty) {
        return Err(Failure::invalid("an empty passphrase; NULL means none"));
    }
    match format {
        SSH_KEY_FORMAT_OPENSSH => Ok(key.to_openssh(passphrase, &mut SystemRandom)?),
        SSH_KEY_FORMAT_PKCS8 => Ok(key.to_pkcs8(passphrase, &mut SystemRandom)?),
        _ => Err(Failure::invalid(
            "private keys are written in OpenSSH's form and as PKCS#8 only",
        )),
    }
}

const KINDS: [(i32, KeyKind); 7] = [
    (SSH_KEY_ED25519, KeyKind::Ed25519),
    (SSH_KEY_ECDSA_P256, KeyKind::EcdsaP256),
    (SSH_KEY_ECDSA_P384, KeyKind::EcdsaP384),
    (SSH_KEY_ECDSA_P521, KeyKind::EcdsaP521),
    (SSH_KEY_RSA, KeyKind::Rsa),
    (SSH_KEY_SK_ED25519, KeyKind::SkEd25519),
    (SSH_KEY_SK_ECDSA_P256, KeyKind::SkEcdsaP256),
];

fn kind_of(number: i32) -> Outcome<KeyKind> {
    KINDS
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, kind)| *kind)
        .ok_or_else(|| Failure::invalid("an unknown kind of key"))
}

fn number_of(kind: KeyKind) -> i32 {
    KINDS
        .iter()
        .find(|(_, known)| *known == kind)
        .map_or(0, |(number, _)| *number)
}

fn check_bits(kind: KeyKind, bits: u32) -> Outcome<()> {
    let fits = match kind {
        KeyKind::Rsa => bits == 0 || (2048..=16_384).contains(&bits),
        _ => bits == 0,
    };
    if fits {
        Ok(())
    } else {
        Err(Failure::invalid(
            "RSA keys have 2048 to 16384 bits, and for others bits is 0",
        ))
    }
}

/// Bytes that may be a key file.
pub(crate) fn bounded(bytes: &[u8]) -> Outcome<&[u8]> {
    if bytes.len() > key_file::MAX_BYTES {
        return Err(Error::Key(KeyFault::Malformed("larger than 1 MiB")).into());
    }
    Ok(bytes)
}

/// The path of a key file.
pub(crate) fn path_of<'a>(path: *const c_char) -> Outcome<&'a Path> {
    // Paths are bytes to the system, whatever their encoding.
    match memory::optional_c_bytes(path) {
        Some([]) | None => Err(Failure::invalid("no path")),
        Some(bytes) => Ok(Path::new(OsStr::from_bytes(bytes))),
    }
}
