//! Patterns with `*` and `?`, as OpenSSH's files have them.

/// Whether `text` fits a pattern, in which `*` stands for any characters and `?` for one; letters fit in either case.
pub fn matches_pattern(pattern: &[u8], text: &[u8]) -> bool {
    fits(pattern, text, |wanted, byte| {
        wanted.eq_ignore_ascii_case(&byte)
    })
}

/// The same where case counts.
pub fn matches_pattern_exactly(pattern: &[u8], text: &[u8]) -> bool {
    fits(pattern, text, |wanted, byte| wanted == byte)
}

/// Goes back to the last `*` only, so that the time is the product of the lengths at most, whatever the pattern.
fn fits(pattern: &[u8], text: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    if pattern.iter().filter(|byte| **byte != b'*').count() > text.len() {
        return false;
    }
    let (mut pattern, mut rest) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, rest) {
            ([b'*', after @ ..], _) => {
                retry = Some((after, rest));
                pattern = after;
                continue;
            }
            ([], []) => return true,
            ([wanted, after @ ..], [byte, more @ ..])
                if *wanted == b'?' || same(*wanted, *byte) =>
            {
                (pattern, rest) = (after, more);
                continue;
            }
            _ => {}
        }
        let Some((after, [_, more @ ..])) = retry else {
            return false;
        };
        retry = Some((after, more));
        (pattern, rest) = (after, more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("?", "", false),
            ("*.Example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("*a*b", "aab", true),
            ("*a*b", "aba", false),
        ] {
            let found = matches_pattern(pattern.as_bytes(), text.as_bytes());
            assert_eq!(found, expected, "{pattern} {text}");
        }
        assert!(matches_pattern(b"*A", b"xa"));
        assert!(!matches_pattern_exactly(b"*A", b"xa"));
        assert!(matches_pattern_exactly(b"*?A", b"xxA"));
    }
}
