//! Text of the peer's made safe to show, and lists of names in both directions.

use std::ffi::{c_char, c_void};

use crate::codec::{is_treacherous, printable};
use crate::messages::connection::valid_name;

use super::guard::{self, Failure, Outcome};
use super::memory;

/// Makes bytes of a peer's safe to show on a terminal or to write to a log: control characters, marks that change the
/// order in which others are shown, and what is no UTF-8 are escaped, such as "\u{1b}" or "\xff".
///
/// What the library itself tells (errors, log lines, banners, prompts) has been through this. Names of files and the data
/// of channels have not.
///
/// @param bytes   the bytes; NUL is one of them
/// @param length  how many
/// @return a string in UTF-8, freed with ssh_memory_free(), or NULL for a NULL or when memory is short.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_text_printable(bytes: *const c_void, length: usize) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        if bytes.is_null() {
            return Err(Failure::invalid("the bytes are NULL"));
        }
        memory::string_out(&printable(memory::bytes(bytes, length)?, usize::MAX))
    })
}

/// Escapes what could move the cursor, change colours or hide text; newlines and tabs stay where a text may
/// have several lines.
pub(crate) fn for_terminal(text: &str, lines: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' if lines => safe.push(c),
            // A carriage return before a newline is only how the wire ends lines (RFC 4252 §5.4).
            '\r' if lines => {}
            c if is_treacherous(c) => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

/// The name of a request or channel, as RFC 4251 §6 allows it.
pub(crate) fn protocol_name<'a>(name: *const c_char, what: &'static str) -> Outcome<&'a str> {
    let name = memory::text(name, what)?;
    valid_name(name.as_bytes())
        .ok_or_else(|| Failure::invalid("a name is 1 to 64 printable characters without a comma"))
}

/// Names separated by commas: none empty, all printable ASCII.
pub(crate) fn names(list: &str) -> Outcome<Vec<String>> {
    list.split(',')
        .map(|name| {
            let name = name.trim();
            if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(Failure::invalid(
                    "a list of names separated by commas is wanted",
                ));
            }
            Ok(name.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(for_terminal("a\x1b[2Jb\n", false), "a\\u{1b}[2Jb\\n");
        assert_eq!(for_terminal("a\r\n\tb\u{202e}", true), "a\n\tb\\u{202e}");
    }

    #[test]
    fn bytes_for_a_terminal() {
        let bytes = b"a\x1b[2J\0\xc2\x9b\xff\xe2\x80\xae";
        // SAFETY: the array lives, and the string is given back once.
        unsafe {
            let text = ssh_text_printable(bytes.as_ptr().cast(), bytes.len());
            assert_eq!(
                memory::text(text, "the text").unwrap(),
                "a\\u{1b}[2J\\u{0}\\u{9b}\\xff\\u{202e}"
            );
            memory::ssh_memory_free(text.cast());
            assert!(ssh_text_printable(std::ptr::null(), 1).is_null());
        }
    }

    #[test]
    fn names_of_the_protocol() {
        assert!(protocol_name(c"x@example.org".as_ptr(), "the name").is_ok_and(|n| n.len() == 13));
        for bad in [c"", c"a b", c"a,b", c"\xc3\xa4"] {
            assert!(protocol_name(bad.as_ptr(), "the name").is_err(), "{bad:?}");
        }
        assert!(protocol_name(std::ptr::null(), "the name").is_err());
    }

    #[test]
    fn lists() {
        assert_eq!(names("a,b").unwrap(), ["a", "b"]);
        for bad in ["", "a,,b", ",", "a b,c", "\u{e4}"] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }
}
