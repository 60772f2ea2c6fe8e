//! Destinations as people write them, `[user@]host[:port]` or `ssh://[user@]host[:port]`, and ProxyJump, which is a list
//! of them.

use std::fmt;

/// Most hops that one connection goes through.
pub const MAX_HOPS: usize = 16;

/// One host on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The user, where one is named.
    pub user: Option<String>,
    /// The host: a name, an address, or an alias of the configuration.
    pub host: String,
    /// The port, where one is named.
    pub port: Option<u16>,
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Reads the hops of ProxyJump, first one first; none for `none`.
///
/// # Errors
/// What is wrong, and what is wanted.
pub(super) fn parse_jumps(
    text: &str,
    port_of: &dyn Fn(&str) -> Option<u16>,
) -> Result<Vec<Hop>, String> {
    let text = text.split('#').next().unwrap_or_default().trim_end();
    if text.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    if text.split(',').count() > MAX_HOPS {
        return Err(format!("there are {MAX_HOPS} jump hosts at most"));
    }
    let hops = text.split(',').map(|hop| parse_hop(hop, port_of));
    hops.collect::<Option<_>>().ok_or_else(|| {
        "a jump host is written [user@]host[:port], several with commas between them".into()
    })
}

/// The text of hops; `None` where [`parse_jumps`] would not read just these again, since a name has a sign in it that
/// stands between hops or ends them.
pub(super) fn write_jumps(hops: &[Hop]) -> Option<String> {
    let texts: Vec<_> = hops.iter().map(Hop::to_string).collect();
    let text = texts.join(",");
    let again = parse_jumps(&text, &|port| port.parse().ok());
    (again.as_deref() == Ok(hops)).then_some(text)
}

/// Reads where to connect to, as it is given on a command line: the user stands before the last `@`, and a port is
/// only taken from the form with `ssh://`.
pub(super) fn parse_destination(text: &str, port_of: &dyn Fn(&str) -> Option<u16>) -> Option<Hop> {
    if let Some(address) = text.strip_prefix("ssh://") {
        return parse_uri(address, port_of);
    }
    let (user, host) = match text.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, text),
    };
    let sound = !host.is_empty() && user.is_none_or(|user| !user.is_empty());
    sound.then(|| Hop {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port: None,
    })
}

fn parse_hop(text: &str, port_of: &dyn Fn(&str) -> Option<u16>) -> Option<Hop> {
    match text.strip_prefix("ssh://") {
        Some(address) => parse_uri(address, port_of),
        None => {
            parse_address(text.rsplit_once('@'), text, port_of, &[':', '/']).filter(Hop::is_sound)
        }
    }
}

fn parse_uri(address: &str, port_of: &dyn Fn(&str) -> Option<u16>) -> Option<Hop> {
    let address = address.strip_suffix('/').unwrap_or(address);
    let mut hop = parse_address(address.split_once('@'), address, port_of, &[':'])?;
    if let Some(user) = &hop.user {
        // Parameters of the connection, which say nothing that is understood here.
        let user = user.split(';').next().unwrap_or_default();
        hop.user = Some(decode(user).filter(|user| !user.is_empty())?);
    }
    hop.is_sound().then_some(hop)
}

impl Hop {
    /// What could be taken for something else in an address, on a command line or by a shell is no host and no user.
    fn is_sound(&self) -> bool {
        !self.host.contains('/')
            && is_sound_host(&self.host)
            && self.user.as_deref().is_none_or(is_sound_user)
    }
}

/// Whether a name from outside may stand in commands (`Match exec`, ProxyCommand), where a shell reads it.
pub(super) fn is_sound_host(host: &str) -> bool {
    !host.starts_with('-')
        && !host.contains(|c: char| {
            c.is_whitespace() || c.is_control() || "'`\"$\\;&<>|(){}".contains(c)
        })
}

/// The same of a user, who may have a domain before the name, and blanks in it.
pub(super) fn is_sound_user(user: &str) -> bool {
    let is_option = user
        .split(char::is_whitespace)
        .any(|word| word.starts_with('-'));
    !is_option
        && !user.ends_with('\\')
        && !user.contains(|c: char| c.is_control() || "'`\";&<>|(){}".contains(c))
}

fn parse_address(
    cut: Option<(&str, &str)>,
    whole: &str,
    port_of: &dyn Fn(&str) -> Option<u16>,
    before_port: &[char],
) -> Option<Hop> {
    let (user, address) = match cut {
        Some(("", _)) => return None,
        Some((user, address)) => (Some(user.to_owned()), address),
        None => (None, whole),
    };
    let (host, port) = match address.strip_prefix('[') {
        Some(inside) => {
            let (host, behind) = inside.split_once(']')?;
            match behind.strip_prefix(before_port) {
                Some(port) => (host, Some(port)),
                None if behind.is_empty() => (host, None),
                None => return None,
            }
        }
        None => match address.split_once(before_port) {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(port_of(port).filter(|port| *port != 0)?),
    };
    (!host.is_empty()).then(|| Hop {
        user,
        host: host.to_owned(),
        port,
    })
}

/// `%41` is `A`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push(high << 4 | low);
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port_of(text: &str) -> Option<u16> {
        text.parse().ok()
    }

    fn jumps(text: &str) -> Option<String> {
        let hops = parse_jumps(text, &port_of).ok()?;
        Some(
            hops.iter()
                .map(Hop::to_string)
                .collect::<Vec<_>>()
                .join(","),
        )
    }

    #[test]
    fn lists_of_hops() {
        for (text, expected) in [
            ("a", "a"),
            ("me@a:22,b:2222,you@c", "me@a:22,b:2222,you@c"),
            ("[::1]:22", "[::1]:22"),
            ("[a]", "a"),
            ("me@x@a", "me@x@a"),
            ("a/22", "a:22"),
            ("a:", "a"),
            ("ssh://me@a:22", "me@a:22"),
            ("ssh://m%65;x=1@[::1]", "me@[::1]"),
            ("a # why", "a"),
            ("none", ""),
            ("NONE", ""),
        ] {
            assert_eq!(jumps(text).as_deref(), Some(expected), "{text}");
        }
        for bad in [
            "",
            "a,",
            ",a",
            "@a",
            "me@",
            "a:0",
            "a:x",
            "a:65536",
            "::1",
            "[::1",
            "[::1]x",
            "-a",
            "a b",
            "-x@a",
            "a;b",
            "ssh://",
            "ssh://@a",
            "ssh://a/path",
            "ssh://%zz@a",
            "ssh://%0@a",
            "ssh://%00@a",
            "$(x)",
        ] {
            assert_eq!(jumps(bad), None, "{bad}");
        }
        assert!(jumps(&["a"; MAX_HOPS].join(",")).is_some());
        assert!(jumps(&["a"; MAX_HOPS + 1].join(",")).is_none());
    }

    #[test]
    fn hops_that_read_otherwise_are_not_written() {
        let hop = |user: &str, host: &str| Hop {
            user: (!user.is_empty()).then(|| user.to_owned()),
            host: host.to_owned(),
            port: None,
        };
        let text = write_jumps(&[hop("a@b", "c"), hop("", "::1"), hop("x y", "none")]);
        assert_eq!(text.as_deref(), Some("a@b@c,[::1],x y@none"));
        for (user, host) in [
            ("a,b", "c"),
            ("a#", "c"),
            ("", "none"),
            ("", "a,b"),
            ("", "a#b"),
            ("", ""),
            ("", "a@b"),
            ("", "[a]"),
            ("", "a/1"),
            ("ssh://a", "b"),
            ("a;b", "c"),
            ("", "-c"),
        ] {
            assert_eq!(write_jumps(&[hop(user, host)]), None, "{user} {host}");
        }
        assert_eq!(write_jumps(&[hop("", "a"), hop("", "b,c")]), None);
    }

    #[test]
    fn destinations() {
        let read = |text| parse_destination(text, &port_of).map(|hop| hop.to_string());
        assert_eq!(read("me@host").as_deref(), Some("me@host"));
        assert_eq!(read("a@b@host").as_deref(), Some("a@b@host"));
        // A colon belongs to the name, which may be an IPv6 address.
        assert_eq!(parse_destination("::1", &port_of).unwrap().host, "::1");
        assert_eq!(read("ssh://me@host:22/").as_deref(), Some("me@host:22"));
        for bad in ["", "@a", "me@", "ssh://a/b"] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
