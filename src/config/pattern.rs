//! Patterns of names: `*` stands for any characters, `?` for one.

/// As for OpenSSH, a list with a longer pattern matches nothing.
const MAX_PATTERN: usize = 1022;

/// Whether `text` fits the pattern. Goes back to the last `*` only, so that the time is the product of the lengths at
/// most, whatever the pattern.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut rest) = (pattern.as_bytes(), text.as_bytes());
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, rest) {
            ([b'*', after @ ..], _) => {
                retry = Some((after, rest));
                pattern = after;
                continue;
            }
            ([], []) => return true,
            ([wanted, after @ ..], [byte, more @ ..]) if *wanted == b'?' || wanted == byte => {
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

/// Whether `text` fits a list of patterns separated by commas. One with `!` in front that fits says no, whatever the
/// others say.
pub(super) fn matches_list(list: &str, text: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        let (pattern, negated) = pattern
            .strip_prefix('!')
            .map_or((pattern, false), |rest| (rest, true));
        if pattern.len() > MAX_PATTERN {
            return false;
        }
        if matches(pattern, text) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

/// The same for names of hosts, in which case means nothing.
pub(super) fn matches_host(list: &str, host: &str) -> bool {
    matches_list(&list.to_ascii_lowercase(), &host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("*", ""),
            ("a*c", "abbc"),
            ("a?c", "abc"),
            ("*.org", "a.b.org"),
            ("", ""),
            ("**a", "a"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "A"), ("a?", "a"), ("", "a"), ("*a", "ab"), ("?", "")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn lists() {
        assert!(matches_list("a,b*", "bc"));
        assert!(!matches_list("b*,!bc", "bc"));
        assert!(!matches_list("!a", "b"));
        assert!(!matches_list("", "b"));
        assert!(matches_host("*.Example.org", "a.EXAMPLE.ORG"));
        let long = "x".repeat(MAX_PATTERN);
        assert!(matches_list(&format!("{long},a"), "a"));
        assert!(!matches_list(&format!("{long}x,a"), "a"));
    }

    #[test]
    fn hostile_patterns_end() {
        let pattern = "*a".repeat(20_000) + "b";
        assert!(!matches(&pattern, &"a".repeat(1000)));
    }
}
