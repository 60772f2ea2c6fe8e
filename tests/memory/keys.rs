//! Private keys whose numbers the test knows.

use std::ffi::{c_char, c_void, CStr, CString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha512};
use sshwire::ffi::key::{
    ssh_key, ssh_key_free, ssh_key_generate, ssh_key_load_file, ssh_key_private_text, ssh_key_sign,
    SSH_KEY_FORMAT_OPENSSH, SSH_KEY_FORMAT_PKCS8,
};
use sshwire::ffi::key_public::ssh_key_load_asking;
use sshwire::ffi::memory::ssh_memory_free;
use sshwire::ffi::status::SSH_OK;
use zeroize::Zeroizing;

use crate::pair::known;
use crate::scan::{scrub, Secret};

/// Every kind that can be generated. The portable build leaves copies of the primes of RSA keys behind.
pub const KINDS: &[i32] = if cfg!(feature = "fast-crypto") {
    &[1, 2, 3, 4, 5]
} else {
    &[1, 2, 3, 4]
};
/// Formats that private keys are written in.
pub const FORMATS: [i32; 2] = [SSH_KEY_FORMAT_OPENSSH, SSH_KEY_FORMAT_PKCS8];
/// Of all files in the folder of fixtures.
const PASSPHRASE: &CStr = c"correct horse";

/// A private key.
pub struct Key {
    pub handle: *mut ssh_key,
}

impl Key {
    pub fn generate(kind: i32) -> Self {
        let bits = if kind == 5 { 2048 } else { 0 };
        // SAFETY: the comment lives during the call.
        let handle = unsafe { ssh_key_generate(kind, bits, c"comment".as_ptr(), null_mut()) };
        assert!(!handle.is_null());
        Key { handle }
    }

    /// Reads one, whose passphrase is known at the second try.
    pub fn load(text: &[u8], encrypted: bool) -> Self {
        let ask = encrypted.then_some(say as Ask);
        // SAFETY: the text lives during the call, and the callback needs no userdata.
        let handle = unsafe {
            ssh_key_load_asking(
                text.as_ptr().cast(),
                text.len(),
                null(),
                ask,
                null_mut(),
                null_mut(),
            )
        };
        assert!(!handle.is_null());
        Key { handle }
    }

    /// Reads a file of a type that is known.
    pub fn load_file(path: &Path) -> Option<Self> {
        let path = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: the strings live during the call.
        let handle = unsafe { ssh_key_load_file(path.as_ptr(), PASSPHRASE.as_ptr(), null_mut()) };
        (!handle.is_null()).then_some(Key { handle })
    }

    /// The key in a format. In the clear it is wiped when dropped.
    pub fn text(&self, format: i32, passphrase: Option<&Secret>) -> Zeroizing<Vec<u8>> {
        let passphrase = passphrase.map(Secret::c_string);
        let pointer = passphrase
            .as_ref()
            .map_or(null(), |passphrase| passphrase.as_ptr().cast());
        // SAFETY: the key is alive, and the text is freed once.
        unsafe {
            let text = ssh_key_private_text(self.handle, format, pointer, null_mut());
            assert!(!text.is_null());
            let bytes = CStr::from_ptr(text).to_bytes();
            let mut copy = Zeroizing::new(Vec::with_capacity(bytes.len()));
            copy.extend_from_slice(bytes);
            ssh_memory_free(text.cast());
            copy
        }
    }

    pub fn sign(&self) {
        let (mut signature, mut length) = (null_mut(), 0);
        // SAFETY: the key is alive, and the signature is freed once.
        unsafe {
            let status = ssh_key_sign(
                self.handle,
                null(),
                c"data".as_ptr().cast(),
                4,
                &mut signature,
                &mut length,
                null_mut(),
            );
            assert_eq!(status, SSH_OK);
            ssh_memory_free(signature);
        }
    }

    /// Its private numbers, and the text that has them in the clear.
    pub fn secrets(&self) -> Vec<Secret> {
        let text = self.text(SSH_KEY_FORMAT_OPENSSH, None);
        let secrets = numbers(&text);
        drop(text);
        scrub();
        secrets
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: it is freed once.
        unsafe { ssh_key_free(self.handle) };
    }
}

type Ask = unsafe extern "C" fn(*const c_char, u32, *mut c_char, usize, *mut c_void) -> bool;

unsafe extern "C" fn say(
    _: *const c_char,
    attempt: u32,
    passphrase: *mut c_char,
    size: usize,
    _: *mut c_void,
) -> bool {
    let secret = match attempt {
        1 => known().wrong_passphrase.c_string(),
        _ => known().passphrase.c_string(),
    };
    assert!(secret.len() <= size);
    // SAFETY: there is so much room.
    unsafe { std::ptr::copy_nonoverlapping(secret.as_ptr().cast(), passphrase, secret.len()) };
    true
}

/// Fields of the private half in the order of OpenSSH's format (PROTOCOL.key).
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> usize {
        let (head, rest) = self.0.split_at(4);
        self.0 = rest;
        usize::try_from(u32::from_be_bytes(head.try_into().expect("4 bytes"))).expect("short")
    }

    fn string(&mut self) -> &'a [u8] {
        let length = self.number();
        let (string, rest) = self.0.split_at(length);
        self.0 = rest;
        string
    }
}

/// The secrets of a file in the clear: first a number that the loaded key must have. Not inlined: what it leaves on the
/// stack is scrubbed when it has returned.
#[inline(never)]
fn numbers(text: &[u8]) -> Vec<Secret> {
    let mut body = Zeroizing::new(Vec::with_capacity(text.len()));
    for line in text.split(|byte| *byte == b'\n') {
        if !line.starts_with(b"-----") {
            body.extend_from_slice(line);
        }
    }
    let mut blob = Zeroizing::new(vec![0; body.len()]);
    let length = Base64::decode(&body[..], &mut blob).expect("Base64").len();
    let mut file = Fields(&blob[..length]);
    let (_, rest) = file.0.split_at(b"openssh-key-v1\0".len());
    file.0 = rest;
    for _ in ["cipher", "KDF", "its options"] {
        file.string();
    }
    file.number();
    file.string();
    let mut half = Fields(file.string());
    half.0 = &half.0[8..];
    let kind = half.string();
    let mut secrets = Vec::new();
    if kind == b"ssh-ed25519" {
        half.string();
        let seed = &half.string()[..32];
        secrets.push(Secret::new("the seed", seed));
        // What signs is made of it (RFC 8032 §5.1.5).
        let mut expanded = Zeroizing::new([0_u8; 64]);
        expanded.copy_from_slice(&Sha512::digest(seed));
        expanded[0] &= 0xf8;
        expanded[31] = expanded[31] & 0x7f | 0x40;
        secrets.push(Secret::new("the scalar", &expanded[..32]));
        secrets.push(Secret::new("the prefix", &expanded[32..]));
    } else if kind.starts_with(b"ecdsa-") {
        half.string();
        half.string();
        let scalar = half.string();
        let zeros = scalar.iter().take_while(|byte| **byte == 0).count();
        secrets.push(Secret::new("the scalar", &scalar[zeros..]));
    } else {
        half.string();
        half.string();
        let mut named = ["d", "iqmp", "p", "q"].map(|name| Secret::new(name, half.string()));
        // The primes are what signs; d need not be kept.
        named.rotate_right(1);
        secrets.extend(named);
    }
    // The letters of the file that stand for the first of them.
    let first = secrets[0].bytes();
    let at = blob
        .windows(first.len())
        .position(|part| part == &first[..]);
    let at = at.expect("taken from there");
    let letters = at.div_ceil(3) * 4..(at + first.len()) / 3 * 4;
    secrets.push(Secret::new("the text", &body[letters]));
    secrets
}

/// Files of private keys.
pub fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keys");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            let formats = [".openssh", ".pkcs8", ".pkcs1", ".sec1", ".ppk"];
            let kind = cfg!(feature = "fast-crypto") || !name.starts_with("rsa");
            kind && !name.starts_with("bad") && formats.iter().any(|format| name.contains(format))
        })
        .collect();
    files.sort();
    files
}
