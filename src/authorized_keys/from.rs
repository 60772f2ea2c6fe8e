//! The option `from`: patterns of names and addresses, and networks, separated by commas; `!` refuses.

use std::net::IpAddr;

use crate::codec::matches_pattern;
use crate::keys::certificate::address::Network;

/// What an entry of the list is.
enum Entry<'a> {
    Network(Network),
    Pattern(&'a str),
}

fn entries(list: &str) -> impl Iterator<Item = (bool, Result<Entry<'_>, &'static str>)> {
    list.split(',').map(|entry| {
        let (entry, refuses) = match entry.strip_prefix('!') {
            Some(rest) => (rest, true),
            None => (entry, false),
        };
        let read = match Network::parse(entry) {
            Some(network) => Ok(Entry::Network(network)),
            None if entry.contains('/') => Err("a from with a network that is none"),
            None => Ok(Entry::Pattern(entry)),
        };
        (refuses, read)
    })
}

/// Refuses a list with an entry that nobody understands.
pub(super) fn check(list: &str) -> Result<(), &'static str> {
    entries(list).try_for_each(|(_, entry)| entry.map(drop))
}

/// Whether the peer is in the list. An entry that refuses says no, whatever the others say.
pub(super) fn matches(list: &str, address: Option<IpAddr>, name: Option<&str>) -> bool {
    let shown = address.map(|address| address.to_canonical().to_string());
    let mut found = false;
    for (refuses, entry) in entries(list) {
        let fits = match entry {
            Ok(Entry::Network(network)) => address.is_some_and(|address| network.contains(address)),
            Ok(Entry::Pattern(pattern)) => [shown.as_deref(), name]
                .into_iter()
                .flatten()
                .any(|text| matches_pattern(pattern.as_bytes(), text.as_bytes())),
            Err(_) => return false,
        };
        // Where nobody knows where the peer is, it may be where it must not be.
        if refuses && (fits || address.is_none()) {
            return false;
        }
        found |= fits && !refuses;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (list, address, name, expected) in [
            ("127.0.0.1", "127.0.0.1", None, true),
            ("127.0.0.*", "127.0.0.9", None, true),
            ("127.0.0.0/8", "127.9.9.9", None, true),
            ("127.0.0.0/8", "::ffff:127.9.9.9", None, true),
            ("10.0.0.0/8,::1", "::1", None, true),
            ("*,!127.0.0.1", "127.0.0.1", None, false),
            ("!127.0.0.1,*", "127.0.0.1", None, false),
            ("!127.0.0.0/8,*", "127.1.1.1", None, false),
            ("!10.0.0.1", "127.0.0.1", None, false),
            ("*.example.org", "127.0.0.1", Some("a.example.org"), true),
            ("*.example.org", "127.0.0.1", None, false),
            (
                "*,!*.example.org",
                "127.0.0.1",
                Some("a.example.org"),
                false,
            ),
            ("", "127.0.0.1", None, false),
        ] {
            let address = Some(address.parse().unwrap());
            assert_eq!(matches(list, address, name), expected, "{list}");
        }
        assert!(!matches("*", None, None));
        assert!(!matches("*,!10.0.0.1", None, Some("a")));
    }

    #[test]
    fn networks_that_are_none() {
        assert!(check("10.0.0.0/8,*.org,!a").is_ok());
        for bad in ["10.0.0.0/33", "*,10.0.0.1/8", "a/8"] {
            assert!(check(bad).is_err(), "{bad}");
            assert!(!matches(bad, Some("10.0.0.1".parse().unwrap()), None));
        }
    }
}
