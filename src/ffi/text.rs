//! Text of the peer's made safe to show, and lists of names in both directions.

use super::guard::{Failure, Outcome};

/// Escapes what could move the cursor, change colours or hide text; newlines and tabs stay where a text may
/// have several lines.
pub(crate) fn for_terminal(text: &str, lines: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' if lines => safe.push(c),
            // A carriage return before a newline is only how the wire ends lines (RFC 4252 §5.4).
            '\r' if lines => {}
            c if c.is_control() || is_bidi(c) => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

/// Characters that change the order in which others are shown.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
    fn lists() {
        assert_eq!(names("a,b").unwrap(), ["a", "b"]);
        for bad in ["", "a,,b", ",", "a b,c", "\u{e4}"] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }
}
