//! The data types of RFC 4251 §5, read from and written to bytes.
//!
//! Nothing here allocates by a length that the peer sent: reading borrows from the message.

mod name_list;
mod pattern;
mod reader;
mod writer;

pub use name_list::NameList;
pub use pattern::{matches_pattern, matches_pattern_exactly};
pub use reader::{DecodeError, Reader};
pub use writer::Writer;

/// The names of a list that was chosen by us, joined as a name-list without spaces.
pub fn join_names<S: AsRef<str>>(names: &[S]) -> String {
    let mut joined = String::new();
    for name in names {
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(name.as_ref());
    }
    joined
}

/// Whether a character does something to a terminal beside being shown: controls, and the marks that change the order
/// in which others are shown.
pub fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Makes text of the peer safe for a terminal and a log: at most `cap` bytes, treacherous characters and
/// invalid UTF-8 escaped.
pub fn printable(bytes: &[u8], cap: usize) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().chars().map(Piece::Char);
        let invalid = chunk.invalid().iter().copied().map(Piece::Byte);
        for piece in valid.chain(invalid) {
            match piece {
                Piece::Char(c) if is_treacherous(c) => text.extend(c.escape_default()),
                Piece::Char(c) => text.push(c),
                Piece::Byte(byte) => text.push_str(&format!("\\x{byte:02x}")),
            }
            if text.len() >= cap {
                text.push('…');
                return text;
            }
        }
    }
    text
}

/// What a text of the peer is made of.
enum Piece {
    Char(char),
    /// One that is in no character.
    Byte(u8),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_escapes_and_caps() {
        assert_eq!(printable(b"a\x1b[31m\xffz", 100), "a\\u{1b}[31m\\xffz");
        assert_eq!(printable(&[b'a'; 50], 4), "aaaa…");
        assert_eq!(printable(&[0xff; 50], 8), "\\xff\\xff…");
        assert_eq!(printable(b"aaa\xffz", 4), "aaa\\xff…");
        let turned = "exe.\u{202e}gpj\u{9b}1m";
        assert_eq!(
            printable(turned.as_bytes(), 100),
            "exe.\\u{202e}gpj\\u{9b}1m"
        );
    }

    #[test]
    fn names_are_joined_with_commas() {
        assert_eq!(join_names(&["a", "b"]), "a,b");
        assert_eq!(join_names::<&str>(&[]), "");
    }
}
