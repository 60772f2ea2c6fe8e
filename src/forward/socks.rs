//! The server's side of SOCKS 4, 4a and 5 (RFC 1928, without authentication; CONNECT only), as far as a forwarding
//! needs it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// More than any request can have: a SOCKS 4a request with the longest names.
const MAX_BYTES: usize = 1024;
/// Longest user name or host name of SOCKS 4a that is looked at.
const MAX_NAME_BYTES: usize = 255;

/// Which words a program speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Five,
}

/// Why there is no connection, for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Not allowed.
    Prohibited,
    /// It said no.
    Refused,
    /// There is no way to its network.
    Network,
    /// It has no address, or did not answer.
    Host,
    /// Anything else.
    General,
    /// What is asked for is not spoken here.
    Command,
    /// The form of the address is not known.
    Address,
}

impl Version {
    /// The answer to a request that is granted. Which address the server connects from, nobody knows.
    pub(super) fn granted(self) -> &'static [u8] {
        match self {
            Version::Four => &[0, 90, 0, 0, 0, 0, 0, 0],
            Version::Five => &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        }
    }

    /// The answer to one that is not.
    pub(super) fn refused(self, failure: Failure) -> Vec<u8> {
        let code = match failure {
            Failure::General => 1,
            Failure::Prohibited => 2,
            Failure::Network => 3,
            Failure::Host => 4,
            Failure::Refused => 5,
            Failure::Command => 7,
            Failure::Address => 8,
        };
        match self {
            Version::Four => vec![0, 91, 0, 0, 0, 0, 0, 0],
            Version::Five => vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0],
        }
    }
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for more bytes.
    More,
    /// Say this, and wait for more bytes.
    Reply(&'static [u8]),
    /// Connect there, and say how it went. What came after the request are data.
    Connect {
        version: Version,
        host: String,
        port: u16,
        data: Vec<u8>,
    },
    /// Say this, and end.
    Fail(Vec<u8>),
}

/// A dialogue that is under way.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    bytes: Vec<u8>,
    greeted: bool,
}

/// What a prefix of a message comes to; `None` when more is needed.
type Parsed<T> = Result<Option<T>, Vec<u8>>;

impl Dialogue {
    /// Takes what the program has said. To be called again with nothing after a [`Step::Reply`].
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Step {
        self.bytes.extend_from_slice(bytes);
        let parsed = match self.bytes.first() {
            None => return Step::More,
            Some(4) => four(&self.bytes),
            Some(5) if !self.greeted => match greeting(&self.bytes) {
                Ok(Some(used)) => {
                    self.bytes.drain(..used.min(self.bytes.len()));
                    self.greeted = true;
                    return Step::Reply(&[5, 0]);
                }
                Ok(None) => Ok(None),
                Err(reply) => Err(reply),
            },
            Some(5) => five(&self.bytes),
            // What it speaks is unknown, so there is nothing to say to it.
            Some(_) => Err(Vec::new()),
        };
        match parsed {
            Ok(Some((version, host, port, used))) => Step::Connect {
                version,
                host,
                port,
                data: self.bytes.split_off(used.min(self.bytes.len())),
            },
            Ok(None) if self.bytes.len() >= MAX_BYTES => Step::Fail(Vec::new()),
            Ok(None) => Step::More,
            Err(reply) => Step::Fail(reply),
        }
    }
}

/// The methods of authentication that the program offers; the bytes used.
fn greeting(bytes: &[u8]) -> Parsed<usize> {
    let Some(count) = bytes.get(1) else {
        return Ok(None);
    };
    let end = usize::from(*count).saturating_add(2);
    let Some(methods) = bytes.get(2..end) else {
        return Ok(None);
    };
    if methods.contains(&0) {
        Ok(Some(end))
    } else {
        Err(vec![5, 0xff])
    }
}

type Request = (Version, String, u16, usize);

fn five(bytes: &[u8]) -> Parsed<Request> {
    let refused = |failure| Err(Version::Five.refused(failure));
    let Some([_, command, _, form]) = bytes.get(..4) else {
        return Ok(None);
    };
    if *command != 1 {
        return refused(Failure::Command);
    }
    let (start, length) = match form {
        1 => (4, 4),
        4 => (4, 16),
        3 => match bytes.get(4) {
            None => return Ok(None),
            Some(length) => (5, usize::from(*length)),
        },
        _ => return refused(Failure::Address),
    };
    let end = start + length;
    let (Some(address), Some(port)) = (bytes.get(start..end), bytes.get(end..end + 2)) else {
        return Ok(None);
    };
    let host = match form {
        1 => <[u8; 4]>::try_from(address).map(|octets| Ipv4Addr::from(octets).to_string()),
        4 => <[u8; 16]>::try_from(address).map(|octets| Ipv6Addr::from(octets).to_string()),
        _ => match name(address) {
            Some(host) => Ok(host),
            None => return refused(Failure::Address),
        },
    };
    let (Ok(host), Ok(port)) = (host, <[u8; 2]>::try_from(port)) else {
        return refused(Failure::General);
    };
    Ok(Some((
        Version::Five,
        host,
        u16::from_be_bytes(port),
        end + 2,
    )))
}

fn four(bytes: &[u8]) -> Parsed<Request> {
    let refused = || Err(Version::Four.refused(Failure::General));
    let Some([_, command, high, low, a, b, c, d]) = bytes.get(..8) else {
        return Ok(None);
    };
    if *command != 1 {
        return refused();
    }
    let port = u16::from_be_bytes([*high, *low]);
    // The user's name, which nobody checks.
    let Some((_, user_end)) = string(bytes, 8)? else {
        return Ok(None);
    };
    let address = Ipv4Addr::from([*a, *b, *c, *d]);
    // SOCKS 4a: an address that cannot be says that a name follows.
    let named = [*a, *b, *c] == [0, 0, 0] && *d != 0;
    if !named {
        return Ok(Some((Version::Four, address.to_string(), port, user_end)));
    }
    match string(bytes, user_end)? {
        None => Ok(None),
        Some((host, end)) => match name(host) {
            Some(host) => Ok(Some((Version::Four, host, port, end))),
            None => refused(),
        },
    }
}

/// A string that ends in NUL, and where the next field begins.
fn string(bytes: &[u8], start: usize) -> Parsed<(&[u8], usize)> {
    let rest = bytes.get(start..).unwrap_or_default();
    match rest.iter().position(|byte| *byte == 0) {
        Some(length) if length > MAX_NAME_BYTES => Err(Version::Four.refused(Failure::General)),
        Some(length) => Ok(rest.get(..length).map(|text| (text, start + length + 1))),
        None if rest.len() > MAX_NAME_BYTES => Err(Version::Four.refused(Failure::General)),
        None => Ok(None),
    }
}

/// A host name that may go into a message: not empty, text, no control characters.
fn name(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let fits = !text.is_empty() && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(version: Version, host: &str, port: u16, data: &[u8]) -> Step {
        Step::Connect {
            version,
            host: host.to_owned(),
            port,
            data: data.to_vec(),
        }
    }

    /// Whatever the pieces, the outcome is the same.
    fn hear(bytes: &[u8]) -> Step {
        let mut whole = Dialogue::default();
        let outcome = loop {
            // Everything at first, then what is left over.
            match whole.hear(if whole.bytes.is_empty() && !whole.greeted {
                bytes
            } else {
                b""
            }) {
                Step::Reply(reply) => assert_eq!(reply, [5, 0]),
                other => break other,
            }
        };
        let mut pieces = Dialogue::default();
        for (index, byte) in bytes.iter().enumerate() {
            let mut step = pieces.hear(&[*byte]);
            if step == Step::Reply(&[5, 0]) {
                step = pieces.hear(b"");
            }
            match step {
                Step::More => {}
                Step::Connect {
                    version,
                    host,
                    port,
                    data,
                } => {
                    let rest = &bytes[index + 1..];
                    assert!(data.is_empty());
                    assert_eq!(outcome, connect(version, &host, port, rest));
                    return outcome;
                }
                step => {
                    assert_eq!(step, outcome);
                    return outcome;
                }
            }
        }
        assert_eq!(outcome, Step::More);
        outcome
    }

    #[test]
    fn socks_5() {
        let greeted = |request: &[u8]| hear(&[&[5, 2, 2, 0][..], request].concat());
        assert_eq!(
            greeted(b"\x05\x01\0\x01\x7f\0\0\x01\0\x50more"),
            connect(Version::Five, "127.0.0.1", 80, b"more")
        );
        assert_eq!(
            greeted(b"\x05\x01\0\x03\x07a.b.c.d\x1f\x90"),
            connect(Version::Five, "a.b.c.d", 8080, b"")
        );
        let mut v6 = vec![5, 1, 0, 4];
        v6.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
        v6.extend_from_slice(&[0, 22]);
        assert_eq!(greeted(&v6), connect(Version::Five, "::1", 22, b""));
        for (request, code) in [
            (&b"\x05\x02\0\x01"[..], 7),
            (b"\x05\x01\0\x09", 8),
            (b"\x05\x01\0\x03\0\0\x50", 8),
            (b"\x05\x01\0\x03\x02a\0\0\x50", 8),
        ] {
            assert!(matches!(greeted(request), Step::Fail(reply) if reply[..2] == [5, code]));
        }
        assert_eq!(hear(&[5, 1, 2]), Step::Fail(vec![5, 0xff]));
        assert_eq!(hear(&[5, 0]), Step::Fail(vec![5, 0xff]));
    }

    #[test]
    fn socks_4_and_4a() {
        assert_eq!(
            hear(b"\x04\x01\0\x50\x7f\0\0\x01me\0data"),
            connect(Version::Four, "127.0.0.1", 80, b"data")
        );
        assert_eq!(
            hear(b"\x04\x01\0\x50\0\0\0\x01\0host.example\0"),
            connect(Version::Four, "host.example", 80, b"")
        );
        let refused = Step::Fail(Version::Four.refused(Failure::General));
        assert_eq!(hear(b"\x04\x02\0\x50\x7f\0\0\x01\0"), refused);
        assert_eq!(hear(b"\x04\x01\0\x50\0\0\0\x01\0\0"), refused);
    }

    #[test]
    fn what_is_no_socks_ends() {
        assert_eq!(hear(b"GET / HTTP/1.1\r\n"), Step::Fail(Vec::new()));
        assert_eq!(hear(b""), Step::More);
        let mut endless = b"\x04\x01\0\x50\x7f\0\0\x01".to_vec();
        endless.extend_from_slice(&[b'u'; 2000]);
        assert!(matches!(Dialogue::default().hear(&endless), Step::Fail(_)));
    }
}
