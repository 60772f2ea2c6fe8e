//! Patterns of names: `*` stands for any characters, `?` for one.

use crate::codec::matches_pattern_exactly;

/// As for OpenSSH, a list with a longer pattern matches nothing.
const MAX_PATTERN: usize = 1022;

/// Whether `text` fits the pattern; case counts.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    matches_pattern_exactly(pattern.as_bytes(), text.as_bytes())
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
