//! One line of a configuration file, cut into its keyword and its arguments.

/// Longest line that is looked at.
pub const MAX_LINE: usize = 64 << 10;

/// A line that sets something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// As it is written.
    pub keyword: String,
    /// All behind the keyword and its `=`, for options that are commands.
    pub rest: &'a str,
    /// The same as words: quotes and escapes taken off, a comment left out.
    pub arguments: Vec<String>,
}

/// Reads a line; `None` for an empty one and for a comment.
///
/// # Errors
/// What is wrong with it, and what to do.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Line<'_>>, String> {
    if bytes.len() > MAX_LINE {
        return Err(format!("a line has {MAX_LINE} bytes at most"));
    }
    let start = bytes.iter().position(|byte| !is_space(*byte));
    let Some(bytes) = start.and_then(|start| bytes.get(start..)) else {
        return Ok(None);
    };
    // Comments may be in any encoding.
    if bytes.first() == Some(&b'#') {
        return Ok(None);
    }
    if bytes.contains(&0) {
        return Err("there is a NUL byte in the line; is this a text file?".into());
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| String::from("the line is not UTF-8; save the file in that encoding"))?;
    let text = text.trim_end_matches([' ', '\t', '\r', '\n', '\x0c']);
    // One `=` may stand before the keyword; there is no use for it, but ssh reads on.
    let text = text.strip_prefix('=').map_or(text, skip_space);
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (keyword, rest) = cut_keyword(text)?;
    if keyword.is_empty() {
        return Err("the line does not begin with a keyword".into());
    }
    if rest.is_empty() {
        return Err(format!(
            "{keyword} has no argument; give it one or remove the line"
        ));
    }
    let arguments = split(rest).ok_or_else(|| {
        format!("a quotation mark behind {keyword} has no partner; close it, or write \\\" for the mark itself")
    })?;
    Ok(Some(Line {
        keyword,
        rest,
        arguments,
    }))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\x0c')
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}

/// The keyword, which may be quoted, and what follows the space or the one `=` behind it.
fn cut_keyword(text: &str) -> Result<(String, &str), String> {
    let end = text
        .find([' ', '\t', '\r', '\n', '"', '='])
        .unwrap_or(text.len());
    let (keyword, rest) = text.split_at(end);
    if let Some(quoted) = rest.strip_prefix('"') {
        let (inside, rest) = quoted
            .split_once('"')
            .ok_or("the quotation mark in the keyword has no partner")?;
        return Ok((format!("{keyword}{inside}"), skip_space(rest)));
    }
    let rest = skip_space(rest);
    Ok((
        keyword.to_owned(),
        rest.strip_prefix('=').map_or(rest, skip_space),
    ))
}

/// Words, as a shell has them in its simplest cases; `None` when a quotation mark is left open.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match rest.peek() {
            None | Some('#') => return Some(words),
            Some(_) => words.push(word(&mut rest)?),
        }
    }
}

fn word(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut word = String::new();
    let mut quote = None;
    while let Some(c) = rest.next_if(|c| quote.is_some() || !matches!(c, ' ' | '\t')) {
        match (c, quote) {
            ('\\', _) => {
                let escaped =
                    |c: &char| matches!(c, '\'' | '"' | '\\') || (quote.is_none() && *c == ' ');
                // A backslash before anything else is one.
                word.push(rest.next_if(escaped).unwrap_or('\\'));
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => word.push(c),
        }
    }
    quote.is_none().then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<Vec<String>> {
        parse(text.as_bytes()).unwrap().map(|line| line.arguments)
    }

    fn keyword(text: &str) -> String {
        parse(text.as_bytes()).unwrap().unwrap().keyword
    }

    #[test]
    fn keywords_and_what_stands_behind_them() {
        for text in [
            "Port 22",
            "Port=22",
            "Port = 22",
            "Port =22",
            "Port\t22",
            "  Port  22  ",
            "Port 22\r\n",
            "Port 22\x0c",
            "Port \"22\"",
            "Port '22'",
            "Port 22 # usual",
            "\"Port\" 22",
            "Po\"rt\" 22",
            "=Port 22",
            "Port 22 #",
        ] {
            assert_eq!(words(text).unwrap(), ["22"], "{text:?}");
            assert_eq!(keyword(text), "Port", "{text:?}");
        }
        // One `=` only.
        assert_eq!(words("Port==22").unwrap(), ["=22"]);
        assert_eq!(words("\"Port\"=22").unwrap(), ["=22"]);
    }

    #[test]
    fn words_are_cut_as_ssh_cuts_them() {
        for (text, expected) in [
            ("K a b", vec!["a", "b"]),
            ("K \"a b\" c", vec!["a b", "c"]),
            ("K 'a \"b' c", vec!["a \"b", "c"]),
            ("K a\\ b", vec!["a b"]),
            ("K \"a\\ b\"", vec!["a\\ b"]),
            ("K \\\"a\\\"", vec!["\"a\""]),
            ("K a\\\\b", vec!["a\\b"]),
            ("K a\\nb", vec!["a\\nb"]),
            ("K a\"b c\"d", vec!["ab cd"]),
            ("K a#b", vec!["a#b"]),
            ("K a #b", vec!["a"]),
            ("K \"#a\"", vec!["#a"]),
            ("K \"\"", vec![""]),
            ("K # all of it", vec![]),
            ("K a\\", vec!["a\\"]),
        ] {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
        let line = parse(b"ProxyCommand = nc %h 'x' # y").unwrap().unwrap();
        assert_eq!(line.rest, "nc %h 'x' # y");
    }

    #[test]
    fn what_says_nothing_is_passed_over() {
        for text in ["", "\n", "   ", "# Port 22", "\t#", "=", "#\u{e4}"] {
            assert_eq!(parse(text.as_bytes()), Ok(None), "{text:?}");
        }
        assert_eq!(parse(b"  # \xff\0"), Ok(None));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for text in [
            "Port", "Port =", "K \"a", "K 'a", "\"K a", "==K a", "K a\0b",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(parse(b"K \xff").is_err());
        assert!(parse(&vec![b'a'; MAX_LINE + 1]).is_err());
        let long = format!("K {}", "a".repeat(MAX_LINE - 2));
        assert!(parse(long.as_bytes()).is_ok());
    }
}
