//! Short forms of keys for people to compare, and the record that DNS has of a host key.

use std::ffi::c_char;

use crate::error::{Error, KeyFault};
use crate::keys::{fingerprint, is_sshfp_of, randomart, sshfp, FingerprintHash, SshfpHash};

use super::guard::{self, Failure, Outcome};
use super::handle;
use super::key::ssh_key;
use super::memory;

/// Hash: SHA-256, which everybody shows today.
pub const SSH_HASH_SHA256: i32 = 1;

/// Hash: MD5, only to compare with what was written down long ago. Other keys with the same MD5 can be made.
pub const SSH_HASH_MD5: i32 = 2;

/// Hash: SHA-1, in SSHFP records only.
pub const SSH_HASH_SHA1: i32 = 3;

/// Hash: SHA-512, in signatures over messages only: ssh_sshsig_sign().
pub const SSH_HASH_SHA512: i32 = 4;

/// The fingerprint with the hash of your choice: "SHA256:" and base64, as ssh_key_fingerprint() has it, or "MD5:" and 16
/// bytes in hexadecimal with colons.
///
/// @param key   the key
/// @param hash  SSH_HASH_SHA256 or SSH_HASH_MD5
/// @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_fingerprint_with(key: *const ssh_key, hash: i32) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(key)?;
        memory::string_out(&fingerprint(object.public().blob(), hash_of(hash)?))
    })
}

/// A drawing of the fingerprint, easier to compare at a glance than letters: what `ssh-keygen -lv` shows.
///
/// @param key   the key
/// @param hash  SSH_HASH_SHA256 or SSH_HASH_MD5
/// @return eleven lines with newlines between them, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_randomart(key: *const ssh_key, hash: i32) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(key)?;
        memory::string_out(&randomart(object.public(), hash_of(hash)?))
    })
}

/// The data of the SSHFP record (RFC 4255) that DNS may have of a host key, as `ssh-keygen -r` prints them: the numbers of
/// algorithm and hash, and the hash in hexadecimal.
///
/// @param key   the host key
/// @param hash  SSH_HASH_SHA256 or SSH_HASH_SHA1
/// @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_sshfp(key: *const ssh_key, hash: i32) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(key)?;
        let hash = match hash {
            SSH_HASH_SHA256 => SshfpHash::Sha256,
            SSH_HASH_SHA1 => SshfpHash::Sha1,
            _ => return Err(Failure::invalid("SSHFP records have SHA-1 or SHA-256")),
        };
        let record = sshfp(object.public(), hash).ok_or_else(|| {
            Error::from(KeyFault::Unsupported(
                "an SSHFP record of a key in an authenticator".to_owned(),
            ))
        })?;
        memory::string_out(&record)
    })
}

/// Whether an SSHFP record is of this key. The record proves only as much as the way it came: the program looks it up, and
/// must see to it that the answer was secured with DNSSEC.
///
/// @param key     the host key
/// @param record  the data of the record as text, as ssh_key_sshfp() returns them; the hash may have blanks in it
/// @return false also when `key` is no key or the record has numbers that are not known. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_matches_sshfp(key: *const ssh_key, record: *const c_char) -> bool {
    guard::value(false, || {
        let object = handle::get(key)?;
        let record = memory::text(record, "the record")?;
        Ok(is_sshfp_of(record, object.public()))
    })
}

fn hash_of(hash: i32) -> Outcome<FingerprintHash> {
    match hash {
        SSH_HASH_SHA256 => Ok(FingerprintHash::Sha256),
        SSH_HASH_MD5 => Ok(FingerprintHash::Md5),
        _ => Err(Failure::invalid("fingerprints have SHA-256 or MD5")),
    }
}
