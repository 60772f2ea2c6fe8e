//! PermitRemoteOpen: where the programs of the other side may have connections made to.

use std::fmt;

use crate::keys::Place;

/// The places that are permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    /// `None` for all.
    places: Option<Vec<Place>>,
}

/// A word that permits everything, and one that permits nothing.
const ANY: &str = "any";
const NONE: &str = "none";

impl Permitted {
    /// Reads a list with white space between its words: `host:port`, `[address]:port`, or one of `any` and `none` alone. `*`
    /// stands for any host, and for any port. `port_of` knows the ports of services.
    ///
    /// # Errors
    /// What is wrong, and what is wanted.
    pub fn read(text: &str, port_of: &dyn Fn(&str) -> Option<u16>) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        Self::of_words(&words, port_of)
    }

    /// The same of words that stand alone already.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub(super) fn of_words(
        words: &[&str],
        port_of: &dyn Fn(&str) -> Option<u16>,
    ) -> Result<Self, String> {
        let is = |word: &str, name: &str| word.eq_ignore_ascii_case(name);
        match words {
            [] => Err("no place is named; say host:port, any or none".into()),
            [one] if is(one, ANY) => Ok(Permitted { places: None }),
            [one] if is(one, NONE) => Ok(Permitted {
                places: Some(Vec::new()),
            }),
            words => {
                if let Some(word) = words.iter().find(|word| is(word, ANY) || is(word, NONE)) {
                    return Err(format!("{word} stands alone; remove it or the others"));
                }
                let places = words.iter().map(|word| {
                    place(word, port_of).ok_or_else(|| {
                        let word = crate::codec::printable(word.as_bytes(), 200);
                        format!("\"{word}\" is not host:port, [address]:port, any or none")
                    })
                });
                Ok(Permitted {
                    places: Some(places.collect::<Result<_, _>>()?),
                })
            }
        }
    }

    /// Whether connections may be made there. Names are compared as they are written, and never looked up for it.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        self.places.as_ref().is_none_or(|places| {
            places
                .iter()
                .any(|place| place.fits(host, u32::from(port)) || is_same_number(place, host, port))
        })
    }

    /// Its words, with numbers for the ports of services.
    pub(super) fn words(&self) -> Vec<String> {
        match self.places.as_deref() {
            None => vec![ANY.to_owned()],
            Some([]) => vec![NONE.to_owned()],
            Some(places) => places.iter().map(word).collect(),
        }
    }
}

impl fmt::Display for Permitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

/// An address has several forms (`::1`, `0:0::1`), which are one place.
fn is_same_number(place: &Place, host: &str, port: u16) -> bool {
    let number = |text: &str| text.parse::<std::net::IpAddr>().ok();
    let wanted = place.host.as_deref().and_then(number);
    wanted.is_some() && wanted == number(host) && place.port.is_none_or(|own| own == port)
}

fn place(text: &str, port_of: &dyn Fn(&str) -> Option<u16>) -> Option<Place> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':')?)
        }
        None => text.split_once(':')?,
    };
    if host.contains(['/', '[', ']']) {
        return None;
    }
    let port = match port {
        "*" => None,
        port => Some(port_of(port).filter(|port| *port != 0)?),
    };
    Some(Place {
        host: (host != "*").then(|| host.to_owned()),
        port,
    })
}

fn word(place: &Place) -> String {
    let host = place.host.as_deref().unwrap_or("*");
    let port = place
        .port
        .map_or_else(|| "*".to_owned(), |port| port.to_string());
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port_of(text: &str) -> Option<u16> {
        match text {
            "http" => Some(80),
            number => number.parse().ok(),
        }
    }

    fn read(text: &str) -> Result<Permitted, String> {
        Permitted::read(text, &port_of)
    }

    #[test]
    fn what_is_named_is_permitted_and_nothing_else() {
        let some = read("Inside:http  10.0.0.1:* [0:0::1]:22 *:443 [h]:1").unwrap();
        for (host, port) in [
            ("inside", 80),
            ("10.0.0.1", 1),
            ("10.0.0.1", 65535),
            ("::1", 22),
            ("0:0:0:0:0:0:0:1", 22),
            ("anything", 443),
            ("::", 443),
            ("h", 1),
        ] {
            assert!(some.allows(host, port), "{host}:{port}");
        }
        for (host, port) in [
            ("inside", 81),
            ("inside.", 80),
            ("xinside", 80),
            ("10.0.0.10", 1),
            ("10.1", 1),
            ("::1", 23),
            ("::2", 22),
            ("::ffff:10.0.0.1", 1),
            ("", 80),
            ("*", 80),
        ] {
            assert!(!some.allows(host, port), "{host}:{port}");
        }
        assert_eq!(
            some.to_string(),
            "Inside:80 10.0.0.1:* [0:0::1]:22 *:443 h:1"
        );
        assert_eq!(read(&some.to_string()).unwrap(), some);
        let (any, none) = (read("ANY").unwrap(), read(" none ").unwrap());
        assert!(any.allows("x", 1) && !none.allows("x", 1));
        assert_eq!(
            (any.to_string(), none.to_string()),
            ("any".into(), "none".into())
        );
        // A host that is missing is no host that anybody can ask for.
        assert!(!read(":80").unwrap().allows("x", 80));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            "", " ", "h", "h:", "h:0", "h:65536", "h:x", "h:*x", "h:1:2", "::1:22", "[::1",
            "[::1]", "[::1]22", "h/80", "any h:1", "h:1 none", "none any", "any any", "h:1 h",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
