//! The newest libssh2 that a registry has, which is that of libssh2-sys; what it does is in ../libssh2.c.

use std::ffi::{c_char, c_int, CString};
use std::os::unix::ffi::OsStringExt;

// Named, so that it is linked.
use libssh2_sys as _;

extern "C" {
    fn adapter_main(count: c_int, words: *const *const c_char) -> c_int;
}

fn main() {
    let words: Vec<CString> = std::env::args_os()
        .map(|word| CString::new(word.into_vec()).expect("a word of a command has no zero byte"))
        .collect();
    let mut pointers: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let count = c_int::try_from(words.len()).expect("few words");
    // SAFETY: as many words as are counted, and a null pointer after them, all of which outlive the call.
    let status = unsafe { adapter_main(count, pointers.as_ptr()) };
    std::process::exit(status);
}
