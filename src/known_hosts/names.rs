//! The names of a line, and whether a host is among them.

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::codec::matches_pattern;
use crate::crypto::random::Random;

/// Bytes of a salt and of a hash: one SHA-1.
const HASH_LEN: usize = 20;
/// As for OpenSSH, a list with a longer pattern matches nothing.
const MAX_PATTERN: usize = 1023;

/// Whether `host`, in lower case, is one of the names; the fault where they are no names.
pub(super) fn matches(names: &[u8], host: &str) -> Result<bool, &'static str> {
    if names.first() == Some(&b'|') {
        return Hashed::parse(names).map(|hashed| hashed.is(host));
    }
    Ok(matches_list(names, host.as_bytes()))
}

/// Whether the names are in a form that can be looked at.
pub(super) fn check(names: &[u8]) -> Result<(), &'static str> {
    if names.first() == Some(&b'|') {
        Hashed::parse(names)?;
    }
    Ok(())
}

/// Whether the names are neither hashed nor patterns.
pub(super) fn are_literal(names: &[u8]) -> bool {
    names.first() != Some(&b'|') && !names.iter().any(|byte| b"*?!".contains(byte))
}

/// Whether the names are more than ssh writes by itself: a host, or a host and its address.
pub(super) fn are_elaborate(names: &[u8]) -> bool {
    let commas = names.iter().filter(|byte| **byte == b',').count();
    commas > 1 || names.iter().any(|byte| b"*?!".contains(byte))
}

/// A host name that only who knows it finds again: `|1|salt|HMAC-SHA1(salt, name)`.
struct Hashed {
    salt: [u8; HASH_LEN],
    hash: [u8; HASH_LEN],
}

impl Hashed {
    fn parse(names: &[u8]) -> Result<Self, &'static str> {
        const BAD: &str = "a hashed name that is none";
        let text = std::str::from_utf8(names).map_err(|_| BAD)?;
        let (salt, hash) = text
            .strip_prefix("|1|")
            .and_then(|rest| rest.split_once('|'))
            .ok_or(BAD)?;
        let decode = |text: &str| -> Result<[u8; HASH_LEN], &'static str> {
            let mut bytes = [0; HASH_LEN + 1];
            let found = Base64::decode(text, &mut bytes).map_err(|_| BAD)?;
            found.try_into().map_err(|_| BAD)
        };
        Ok(Hashed {
            salt: decode(salt)?,
            hash: decode(hash)?,
        })
    }

    fn is(&self, host: &str) -> bool {
        digest(&self.salt, host).ct_eq(&self.hash).into()
    }
}

fn digest(salt: &[u8; HASH_LEN], host: &str) -> [u8; HASH_LEN] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(salt) else {
        return [0; HASH_LEN];
    };
    mac.update(host.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The hashed form of a name.
pub(super) fn hash(host: &str, random: &mut dyn Random) -> String {
    let mut salt = [0; HASH_LEN];
    random.fill(&mut salt);
    let hash = digest(&salt, host);
    format!(
        "|1|{}|{}",
        Base64::encode_string(&salt),
        Base64::encode_string(&hash)
    )
}

/// Patterns separated by commas. One with `!` in front that fits says no, whatever the others say.
fn matches_list(list: &[u8], host: &[u8]) -> bool {
    let mut found = false;
    for pattern in list.split(|byte| *byte == b',') {
        let (pattern, negated) = match pattern {
            [b'!', rest @ ..] => (rest, true),
            _ => (pattern, false),
        };
        if pattern.len() >= MAX_PATTERN {
            return false;
        }
        if matches_pattern(pattern, host) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRandom;

    fn fits(names: &str, host: &str) -> bool {
        matches(names.as_bytes(), host).unwrap()
    }

    #[test]
    fn lists_patterns_and_negation() {
        for (names, host) in [
            ("host", "host"),
            ("HOST", "host"),
            ("a,b,host", "host"),
            ("h*", "host"),
            ("*", "host"),
            ("*", ""),
            ("?os?", "host"),
            ("*o*t", "host"),
            ("**", "host"),
            ("!other,*", "host"),
            ("*.example.com", "a.b.example.com"),
            ("[host]:2222", "[host]:2222"),
            ("[*]:22*", "[host]:2222"),
            ("::1", "::1"),
            ("*a*b", "aab"),
            ("a,", "a"),
        ] {
            assert!(fits(names, host), "{names} {host}");
        }
        for (names, host) in [
            ("host", "hos"),
            ("host", "hostt"),
            ("hos?", "hos"),
            ("*,!host", "host"),
            ("!host,*", "host"),
            ("!h*", "host"),
            ("!other", "host"),
            ("*.example.com", "example.com"),
            ("[host]:2222", "host"),
            ("host", "[host]:2222"),
            ("a,,b", "c"),
            ("?", ""),
            ("*a*b", "aba"),
        ] {
            assert!(!fits(names, host), "{names} {host}");
        }
        let long = "x".repeat(1022);
        assert!(fits(&format!("{long},host"), "host"));
        assert!(!fits(&format!("{long}x,host"), "host"));
    }

    #[test]
    fn hashed_names() {
        // Made by ssh-keygen -H.
        let names = "|1|Lsg3AOy9AwNa4PpGk/LHvVmbZ50=|5yJ+Fa1uB7cw4IFetcY/t4dybu4=";
        assert!(fits(names, "host.example.com"));
        assert!(!fits(names, "other"));
        let made = hash("host.example.com", &mut SeededRandom::new(1));
        assert!(fits(&made, "host.example.com"));
        assert!(!fits(&made, "host.example.org"));
        for bad in [
            "|",
            "|1|",
            "|1||",
            "|1|AKjV4wXbMIzvPiP0Sxyfl8xIHkA=",
            "|2|AKjV4wXbMIzvPiP0Sxyfl8xIHkA=|FhjN0BBlcNPoSnFJ4eG2iUdpB+U=",
            "|1|AKjV4wXbMIzvPiP0Sxyfl8xIHg==|FhjN0BBlcNPoSnFJ4eG2iUdpB+U=",
            "|1|AKjV4wXbMIzvPiP0Sxyfl8xIHkA=|FhjN0BBlcNPoSnFJ4eG2iUdpB+U=,host",
            "|1|!|FhjN0BBlcNPoSnFJ4eG2iUdpB+U=",
        ] {
            assert!(matches(bad.as_bytes(), "host").is_err(), "{bad}");
            assert!(check(bad.as_bytes()).is_err());
        }
        assert!(!are_literal(b"|1|a|b") && !are_literal(b"a,!b") && are_literal(b"a,[b]:2"));
    }

    #[test]
    fn h1_hostile_patterns_are_quick() {
        let host = "a".repeat(255);
        let pattern = |part: &str, length: usize| part.repeat(length / part.len());
        for names in [
            pattern("*?", 8192),
            pattern("*a", 1000) + "b",
            format!("*{}b", pattern("a", 127)),
            vec![format!("*{}b", pattern("a", 126)); 120].join(","),
            vec![pattern("*a", 500) + "b"; 32].join(","),
        ] {
            // That takes some ms. Where each star tried all that the others leave, it would not end.
            assert!(!fits(&names, &host));
        }
    }
}
