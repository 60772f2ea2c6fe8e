//! Public keys in files of every format, and passphrases that are asked for.

use std::ffi::{c_char, c_void};

use zeroize::{Zeroize, Zeroizing};

use crate::codec::printable;
use crate::keys::{PrivateKey, PublicKey};

use super::error::ssh_error;
use super::guard::{self, Outcome};
use super::handle;
use super::key::{self, ssh_key};
use super::key_file::{self, Access};
use super::key_info;
use super::memory;
use super::status::{ssh_status, SSH_OK};

/// Room for a passphrase that is asked for, its NUL included.
pub const SSH_PASSPHRASE_SIZE: usize = 1024;

/// Asks a person for the passphrase of a key.
///
/// It runs in the thread that called, with no lock held, and may call any function of the library. The texts live until
/// it returns; what was written into `passphrase` is wiped afterwards. It must not unwind or longjmp.
///
/// @param name        the file of the key, or the name given with it, safe to show
/// @param attempt     1 for the first time, 2 and 3 after wrong ones
/// @param passphrase  where to put it, with a NUL behind it
/// @param size        how much room there is, SSH_PASSPHRASE_SIZE
/// @param userdata    the pointer given with the callback
/// @return true when there is one; false, or an empty one, gives up
#[allow(non_camel_case_types)]
pub type ssh_passphrase_callback = Option<
    unsafe extern "C" fn(
        name: *const c_char,
        attempt: u32,
        passphrase: *mut c_char,
        size: usize,
        userdata: *mut c_void,
    ) -> bool,
>;

/// Reads a private key from memory as ssh_key_load() does, and asks for the passphrase when there is one, three times at
/// most.
///
/// @param data      the text of the key file
/// @param length    its length in bytes, at most 1 MiB
/// @param name      what the callback is told that the key is called, or NULL
/// @param ask       asks for the passphrase; NULL means that there is nobody to ask
/// @param userdata  handed to the callback
/// @param error     receives the detail, or NULL: as for ssh_key_load(). SSH_ERR_PASSPHRASE_MISSING when the callback
///                  gave up at once, SSH_ERR_PASSPHRASE_WRONG when none of its answers was right
/// @return a key, freed with ssh_key_free(), or NULL.
///
/// Any thread; it waits for the callback. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_load_asking(
    data: *const c_void,
    length: usize,
    name: *const c_char,
    ask: ssh_passphrase_callback,
    userdata: *mut c_void,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let data = key::bounded(memory::bytes(data, length)?)?;
        let name = printable(memory::optional_c_bytes(name).unwrap_or_default(), 4096);
        let mut asker = Asker::new(&name, ask, userdata);
        let loaded = PrivateKey::load_asking(data, &mut |attempt| asker.ask(attempt));
        key::new_private(loaded?)
    })
}

/// Reads a private key from a file, and asks for the passphrase when there is one, three times at most. As ssh does, it
/// refuses a file of the user's own that others may read or write.
///
/// @param path      the file, which must be a regular one of at most 1 MiB
/// @param ask       asks for the passphrase; NULL means that there is nobody to ask
/// @param userdata  handed to the callback
/// @param error     receives the detail, or NULL: as for ssh_key_load_asking(), SSH_ERR_IO, SSH_ERR_KEY_EXPOSED. The
///                  message names the file and says what to do
/// @return a key, freed with ssh_key_free(), or NULL.
///
/// Any thread; it waits for the callback. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_load_file_asking(
    path: *const c_char,
    ask: ssh_passphrase_callback,
    userdata: *mut c_void,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let path = key::path_of(path)?;
        let data = key_file::read(path, Access::OwnerOnly)?;
        let name = printable(path.as_os_str().as_encoded_bytes(), 4096);
        let mut asker = Asker::new(&name, ask, userdata);
        let loaded = PrivateKey::load_asking(&data, &mut |attempt| asker.ask(attempt));
        key::new_private(key_file::name_file(path, loaded)?)
    })
}

/// Reads the public half of whatever key there is: a line as in .pub files, RFC 4716, PKCS#8 ("BEGIN PUBLIC KEY"), PKCS#1
/// ("BEGIN RSA PUBLIC KEY"), a private key in the clear, or an encrypted one whose format leaves the public half readable,
/// as OpenSSH's and PuTTY's do.
///
/// @param data    the content of the key file
/// @param length  its length in bytes, at most 1 MiB
/// @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED,
///                SSH_ERR_PASSPHRASE_MISSING where the encryption hides it
/// @return a public key, freed with ssh_key_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_load_public(
    data: *const c_void,
    length: usize,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let data = key::bounded(memory::bytes(data, length)?)?;
        let (public, comment) = PublicKey::load_any(data)?;
        key::new_public(public, comment)
    })
}

/// Reads the public half of the key in a file, as ssh_key_load_public() does in memory.
///
/// @param path   the file, which must be a regular one of at most 1 MiB
/// @param error  receives the detail, or NULL: as for ssh_key_load_public(), and SSH_ERR_IO
/// @return a public key, freed with ssh_key_free(), or NULL.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_load_public_file(
    path: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut ssh_key {
    guard::value_with(std::ptr::null_mut(), error, || {
        let path = key::path_of(path)?;
        let data = key_file::read(path, Access::Any)?;
        let (public, comment) = key_file::name_file(path, PublicKey::load_any(&data))?;
        key::new_public(public, comment)
    })
}

/// The public half as the text of a file, its last newline included.
///
/// @param key      the key
/// @param format   SSH_KEY_FORMAT_LINE as in .pub files, SSH_KEY_FORMAT_RFC4716, SSH_KEY_FORMAT_PKCS8 or, for RSA keys,
///                 SSH_KEY_FORMAT_PKCS1; the last two have no room for a comment
/// @param comment  the comment to put there, or NULL for the one stored with the key
/// @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_KEY_UNSUPPORTED
/// @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_public_text(
    key: *const ssh_key,
    format: i32,
    comment: *const c_char,
    error: *mut *mut ssh_error,
) -> *mut c_char {
    guard::value_with(std::ptr::null_mut(), error, || {
        memory::string_out(&public_text(key, format, comment)?)
    })
}

/// Writes the public half to a new file (mode 0644, less what the process's mask takes away). The file appears whole or
/// not at all, and an existing one is never overwritten: SSH_ERR_IO with errno EEXIST.
///
/// @param key      the key
/// @param path     the file to make
/// @param format   as for ssh_key_public_text()
/// @param comment  the comment to put there, or NULL for the one stored with the key
/// @param error    receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG, SSH_ERR_KEY_UNSUPPORTED
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_key_save_public_file(
    key: *const ssh_key,
    path: *const c_char,
    format: i32,
    comment: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let text = public_text(key, format, comment)?;
        key_file::write_new(key::path_of(path)?, key_file::PUBLIC, text.as_bytes())?;
        Ok(SSH_OK)
    })
}

fn public_text(key: *const ssh_key, format: i32, comment: *const c_char) -> Outcome<String> {
    let object = handle::get(key)?;
    let format = key_info::format_of(format)?;
    let comment = key::comment_of(&object, comment)?;
    Ok(object.public().to_text(format, comment)?)
}

/// Asks the program for passphrases.
struct Asker {
    name: std::ffi::CString,
    callback: ssh_passphrase_callback,
    userdata: *mut c_void,
}

impl Asker {
    fn new(name: &str, callback: ssh_passphrase_callback, userdata: *mut c_void) -> Self {
        Asker {
            name: memory::c_string(name),
            callback,
            userdata,
        }
    }

    fn ask(&mut self, attempt: u32) -> Option<Zeroizing<Vec<u8>>> {
        let callback = self.callback?;
        let mut room = Room([0; SSH_PASSPHRASE_SIZE]);
        // SAFETY: the program promised this function for this pointer; the name and the room, which is as large as it
        // is told, live until it returns.
        let given = unsafe {
            callback(
                self.name.as_ptr(),
                attempt,
                room.0.as_mut_ptr().cast(),
                room.0.len(),
                self.userdata,
            )
        };
        // One that fills all the room was cut off, or is none.
        let length = room.0.iter().position(|byte| *byte == 0)?;
        let passphrase = room.0.get(..length).filter(|_| given)?;
        Some(Zeroizing::new(passphrase.to_vec()))
    }
}

/// Where the program puts a passphrase; wiped at the end.
struct Room([u8; SSH_PASSPHRASE_SIZE]);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
