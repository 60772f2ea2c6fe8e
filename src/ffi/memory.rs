//! Text and bytes across the boundary: reading the caller's, and handing out ours.
//!
//! The only place that turns pointers and lengths into slices. Everything handed out is made with
//! malloc and wiped by ssh_memory_free(), so that one function frees all of it.

use std::ffi::{c_char, c_void, CStr, CString};

use crate::error::Error;

use super::guard::{Failure, Outcome};
use super::handle;

/// Wipes and frees what a function of this library returned as `char *` or through a `void **`.
///
/// @param memory  the pointer as it was handed out; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_memory_free(memory: *mut c_void) {
    if memory.is_null() {
        return;
    }
    // SAFETY: the caller passes a pointer that `hand_out` got from malloc and that was not freed;
    // its usable size is ours to write.
    unsafe {
        let size = libc::malloc_usable_size(memory);
        zeroize::Zeroize::zeroize(std::slice::from_raw_parts_mut(memory.cast::<u8>(), size));
        libc::free(memory);
    }
}

/// How many handles this process has that are not freed, of all kinds together: for tests that look for leaks.
///
/// One that is freed while another thread is inside a call on it counts until that call ends. A child of fork() begins
/// at 0; what it has inherited does not count.
///
/// @return the number. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_handle_count() -> usize {
    handle::count()
}

/// Copies bytes into memory of the caller's, with a NUL behind them that does not count.
fn copy_out(bytes: &[u8]) -> Outcome<*mut c_void> {
    // calloc, so that the slice made of it in `ssh_memory_free` is initialised to its end.
    // SAFETY: calloc has no preconditions.
    let memory = unsafe { libc::calloc(bytes.len().saturating_add(1), 1) };
    if memory.is_null() {
        return Err(Error::Resource("memory").into());
    }
    // SAFETY: the block is new, holds one byte more than `bytes`, and is zeroed.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory.cast::<u8>(), bytes.len()) };
    Ok(memory)
}

/// A string for the caller to free. Text from elsewhere ends at its first NUL.
pub(crate) fn string_out(text: &str) -> Outcome<*mut c_char> {
    let text = text.split('\0').next().unwrap_or("");
    copy_out(text.as_bytes()).map(<*mut c_void>::cast)
}

/// Bytes for the caller to free, through a pointer and a length that may each be NULL.
pub(crate) fn bytes_out(bytes: &[u8], data: *mut *mut c_void, length: *mut usize) -> Outcome<()> {
    if !data.is_null() {
        write(data, copy_out(bytes)?);
    }
    write(length, bytes.len());
    Ok(())
}

/// Empties the outputs of [`bytes_out`] at the start of a call.
pub(crate) fn clear_bytes(data: *mut *mut c_void, length: *mut usize) {
    write(data, std::ptr::null_mut());
    write(length, 0);
}

/// Writes an output, unless the caller does not want it.
pub(crate) fn write<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: the caller says that a pointer that is not NULL leads to a T of its own, which may
        // be uninitialised: it is written whole and not dropped.
        unsafe { out.write(value) }
    }
}

/// The caller's bytes; NULL is fine when the length is 0.
pub(crate) fn bytes<'a>(data: *const c_void, length: usize) -> Outcome<&'a [u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Failure::invalid("NULL where bytes are expected"));
    }
    if isize::try_from(length).is_err() {
        return Err(Failure::invalid("a length beyond the address space"));
    }
    // SAFETY: the caller says that `length` bytes may be read here during the call; the lifetime ends
    // with the exported function that asked.
    Ok(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) })
}

/// The caller's buffer to write into.
pub(crate) fn bytes_mut<'a>(data: *mut c_void, length: usize) -> Outcome<&'a mut [u8]> {
    if length == 0 {
        return Ok(&mut []);
    }
    if data.is_null() {
        return Err(Failure::invalid("NULL where a buffer is expected"));
    }
    if isize::try_from(length).is_err() {
        return Err(Failure::invalid("a length beyond the address space"));
    }
    // SAFETY: the caller says that these `length` bytes are its own and that nothing else touches them
    // during the call. They may be uninitialised; nothing below reads them before writing.
    Ok(unsafe { std::slice::from_raw_parts_mut(data.cast::<u8>(), length) })
}

/// A C string of the caller's, UTF-8, that must be there.
pub(crate) fn text<'a>(string: *const c_char, what: &'static str) -> Outcome<&'a str> {
    optional_text(string)?.ok_or_else(|| Failure::invalid(format!("{what} is NULL")))
}

/// A C string of the caller's, UTF-8, or NULL.
pub(crate) fn optional_text<'a>(string: *const c_char) -> Outcome<Option<&'a str>> {
    optional_c_bytes(string)
        .map(|bytes| std::str::from_utf8(bytes).map_err(|_| Failure::invalid("text is not UTF-8")))
        .transpose()
}

/// The bytes of a C string of the caller's in any encoding, or NULL.
pub(crate) fn optional_c_bytes<'a>(string: *const c_char) -> Option<&'a [u8]> {
    if string.is_null() {
        return None;
    }
    // SAFETY: the caller says that a string that is not NULL ends in a NUL byte and is not changed
    // during the call.
    Some(unsafe { CStr::from_ptr(string) }.to_bytes())
}

/// An array of `count` strings of the caller's.
pub(crate) fn strings<'a>(array: *const *const c_char, count: usize) -> Outcome<Vec<&'a str>> {
    array_of(array, count, 4096)?
        .iter()
        .map(|string| text(*string, "an element"))
        .collect()
}

/// An array of the caller's, at most `limit` long.
pub(crate) fn array_of<'a, T: Copy>(
    array: *const T,
    count: usize,
    limit: usize,
) -> Outcome<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if array.is_null() {
        return Err(Failure::invalid("NULL where an array is expected"));
    }
    if count > limit {
        return Err(Failure::invalid("too many elements"));
    }
    if !array.is_aligned() {
        return Err(Failure::invalid("an array that is not aligned"));
    }
    // SAFETY: the caller says that `count` elements may be read here during the call.
    Ok(unsafe { std::slice::from_raw_parts(array, count) })
}

/// The caller's room for `count` numbers.
pub(crate) fn values_mut<'a>(values: *mut u64, count: usize) -> Outcome<&'a mut [u64]> {
    if count == 0 {
        return Ok(&mut []);
    }
    if values.is_null() || !values.is_aligned() {
        return Err(Failure::invalid("NULL or no array where values go"));
    }
    // SAFETY: the caller says that there is room for `count` numbers that nothing else touches during the call.
    Ok(unsafe { std::slice::from_raw_parts_mut(values, count) })
}

/// A string kept in an object to be lent out; control over NUL bytes as in [`string_out`].
pub(crate) fn c_string(text: &str) -> CString {
    let text = text.split('\0').next().unwrap_or("");
    CString::new(text).unwrap_or_default()
}

/// Bytes kept in an object to be lent out, with a NUL behind them that does not count.
pub(crate) struct LentBytes(Vec<u8>);

impl LentBytes {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut kept = Vec::with_capacity(bytes.len().saturating_add(1));
        kept.extend_from_slice(bytes);
        kept.push(0);
        LentBytes(kept)
    }

    pub(crate) fn lend(&self, length: *mut usize) -> *const c_char {
        write(length, self.0.len().saturating_sub(1));
        self.0.as_ptr().cast()
    }
}

impl Drop for LentBytes {
    fn drop(&mut self) {
        // Passwords are lent out this way.
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_absurd_lengths_are_refused() {
        assert!(bytes(std::ptr::null(), 0).unwrap().is_empty());
        assert!(bytes(std::ptr::null(), 1).is_err());
        let one = 1_u8;
        assert!(bytes(std::ptr::from_ref(&one).cast(), usize::MAX).is_err());
        assert!(text(std::ptr::null(), "name").is_err());
        assert!(text(c"\xff".as_ptr(), "name").is_err());
        assert!(array_of::<u32>(std::ptr::null(), 1, 9).is_err());
    }

    #[test]
    fn round_trip() {
        let out = string_out("ab\0c").unwrap();
        assert_eq!(text(out, "out").unwrap(), "ab");
        let mut data = std::ptr::null_mut();
        let mut length = 0;
        bytes_out(b"x\0y", &mut data, &mut length).unwrap();
        assert_eq!(bytes(data, length).unwrap(), b"x\0y");
        // SAFETY: both came from this module and are freed once.
        unsafe {
            ssh_memory_free(out.cast());
            ssh_memory_free(data);
            ssh_memory_free(std::ptr::null_mut());
        }
    }
}
