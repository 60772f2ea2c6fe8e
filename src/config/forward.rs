//! LocalForward, RemoteForward and DynamicForward: what listens, and where it leads.

use std::fmt;

/// Longest specification, as for OpenSSH.
const MAX_SPECIFICATION: usize = 255;
/// Longest path of a Unix socket.
const MAX_PATH: usize = 107;

/// One end of a forwarding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A port, at a host or, for a listener without one, where GatewayPorts says. An empty host or `*` is every
    /// interface.
    Port {
        /// The host, without brackets.
        host: Option<String>,
        /// The port; 0 for a remote listener that is given one.
        port: u16,
    },
    /// A Unix socket.
    Path(String),
}

/// Connections that are to be forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Where connections are taken.
    pub listen: End,
    /// Where they lead; `None` where SOCKS tells.
    pub connect: Option<End>,
}

/// Which option it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardKind {
    /// LocalForward.
    Local,
    /// RemoteForward.
    Remote,
    /// DynamicForward.
    Dynamic,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Port { host: None, port } => write!(f, "{port}"),
            End::Port {
                host: Some(host),
                port,
            } => write!(f, "[{host}]:{port}"),
            End::Path(path) => {
                for c in path.chars() {
                    // So that the text says where the path ends, and that it is one.
                    if matches!(c, ' ' | '\\' | '[') {
                        f.write_str("\\")?;
                    }
                    write!(f, "{c}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.connect {
            Some(connect) => write!(f, "{} {connect}", self.listen),
            None => write!(f, "{}", self.listen),
        }
    }
}

/// Reads the arguments of one of the options; variables are in place already. `port_of` knows the ports of services.
///
/// # Errors
/// What is wrong, and what is wanted.
pub(super) fn parse(
    kind: ForwardKind,
    listen: &str,
    connect: Option<&str>,
    port_of: &dyn Fn(&str) -> Option<u16>,
) -> Result<Forward, String> {
    let wanted = match kind {
        ForwardKind::Local => {
            "[address:]port host:port, with a path instead of either for a Unix socket"
        }
        ForwardKind::Remote => "[address:]port and, unless it is for SOCKS, host:port",
        ForwardKind::Dynamic => "[address:]port",
    };
    let text = match connect {
        Some(connect) => format!("{listen}:{connect}"),
        None => listen.to_owned(),
    };
    let fields = fields(&text).filter(|_| text.len() <= MAX_SPECIFICATION);
    let forward = fields.and_then(|fields| {
        Fields {
            fields: &fields,
            port_of,
        }
        .read(kind, connect.is_none())
    });
    forward
        .filter(|forward| forward.is_sound(kind))
        .ok_or_else(|| format!("that is no forwarding; wanted is {wanted}"))
}

/// Reads what [`Display`](fmt::Display) has written.
pub(super) fn read_back(text: &str) -> Option<Forward> {
    let mut ends = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (end, behind) = end_of(rest)?;
        ends.push(end);
        rest = behind;
    }
    let mut ends = ends.into_iter();
    Some(Forward {
        listen: ends.next()?,
        connect: ends.next(),
    })
}

fn end_of(text: &str) -> Option<(End, &str)> {
    if text.starts_with(|c: char| c == '[' || c.is_ascii_digit()) {
        let (host, port) = match text.strip_prefix('[') {
            Some(inside) => inside
                .split_once("]:")
                .map(|(host, port)| (Some(host.to_owned()), port))?,
            None => (None, text),
        };
        let (port, rest) = port.split_once(' ').unwrap_or((port, ""));
        // A path may begin with digits.
        if let Ok(port) = port.parse() {
            return Some((End::Port { host, port }, rest));
        }
    }
    let mut path = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' => break,
            '\\' => path.push(rest.next()?),
            c => path.push(c),
        }
    }
    Some((End::Path(path), rest.as_str()))
}

impl Forward {
    fn is_sound(&self, kind: ForwardKind) -> bool {
        let fits = |end: &End| match end {
            End::Port { host, .. } => host.as_ref().is_none_or(|host| host.len() <= 1024),
            End::Path(path) => path.len() <= MAX_PATH,
        };
        // Only the other side can choose a port of its own.
        let chosen = |end: &End| !matches!(end, End::Port { port: 0, .. });
        fits(&self.listen)
            && self
                .connect
                .as_ref()
                .is_none_or(|end| fits(end) && chosen(end))
            && (kind == ForwardKind::Remote || chosen(&self.listen))
    }
}

struct Field {
    text: String,
    is_path: bool,
}

/// What stands between the colons: at most four fields, literal in square brackets, with a backslash before what is
/// meant as it is. What has a slash in it is a path.
fn fields(text: &str) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if fields.len() == 4 {
            return None;
        }
        let (field, behind) = match rest.strip_prefix('[') {
            Some(inside) => bracketed(inside)?,
            None => plain(rest)?,
        };
        fields.push(field);
        rest = behind;
    }
    Some(fields)
}

fn bracketed(inside: &str) -> Option<(Field, &str)> {
    let (text, behind) = inside.split_once(']')?;
    let behind = match behind.strip_prefix(':') {
        Some(behind) => behind,
        None if behind.is_empty() => behind,
        None => return None,
    };
    let field = Field {
        text: text.to_owned(),
        is_path: text.contains('/'),
    };
    Some((field, behind))
}

fn plain(text: &str) -> Option<(Field, &str)> {
    let mut field = Field {
        text: String::new(),
        is_path: false,
    };
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            ':' => break,
            '\\' => field.text.push(rest.next()?),
            c => {
                field.is_path |= c == '/';
                field.text.push(c);
            }
        }
    }
    Some((field, rest.as_str()))
}

struct Fields<'a> {
    fields: &'a [Field],
    port_of: &'a dyn Fn(&str) -> Option<u16>,
}

impl Fields<'_> {
    fn read(&self, kind: ForwardKind, for_socks: bool) -> Option<Forward> {
        if kind == ForwardKind::Dynamic || (kind == ForwardKind::Remote && for_socks) {
            let listen = match self.fields {
                [one] if one.is_path => End::Path(one.text.clone()),
                [port] => self.port(None, port)?,
                [host, port] if !port.is_path => self.port(Some(host), port)?,
                _ => return None,
            };
            return Some(Forward {
                listen,
                connect: None,
            });
        }
        let path = |field: &Field| End::Path(field.text.clone());
        let (listen, connect) = match self.fields {
            [from, to] if from.is_path && to.is_path => (path(from), path(to)),
            [port, to] if to.is_path => (self.port(None, port)?, path(to)),
            [from, host, port] if from.is_path => (path(from), self.port(Some(host), port)?),
            [host, port, to] if to.is_path => (self.port(Some(host), port)?, path(to)),
            [from, host, port] => (self.port(None, from)?, self.port(Some(host), port)?),
            [address, from, host, port] => (
                self.port(Some(address), from)?,
                self.port(Some(host), port)?,
            ),
            _ => return None,
        };
        Some(Forward {
            listen,
            connect: Some(connect),
        })
    }

    fn port(&self, host: Option<&Field>, port: &Field) -> Option<End> {
        Some(End::Port {
            host: host.map(|host| host.text.clone()),
            port: (self.port_of)(&port.text)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port_of(text: &str) -> Option<u16> {
        if text == "http" {
            Some(80)
        } else {
            text.parse().ok()
        }
    }

    fn shown(kind: ForwardKind, listen: &str, connect: Option<&str>) -> Option<String> {
        parse(kind, listen, connect, &port_of)
            .ok()
            .map(|forward| forward.to_string())
    }

    #[test]
    fn local_forwards() {
        for (listen, connect, expected) in [
            ("8080", "localhost:80", "8080 [localhost]:80"),
            ("8080", "localhost:http", "8080 [localhost]:80"),
            ("127.0.0.1:8080", "h:80", "[127.0.0.1]:8080 [h]:80"),
            ("[::1]:8080", "[::2]:80", "[::1]:8080 [::2]:80"),
            ("*:8080", "h:80", "[*]:8080 [h]:80"),
            (":8080", "h:80", "[]:8080 [h]:80"),
            ("/run/a", "h:80", "/run/a [h]:80"),
            ("/run/a", "/run/b", "/run/a /run/b"),
            ("8080", "/run/b", "8080 /run/b"),
            ("l:8080", "/run/b", "[l]:8080 /run/b"),
            ("/run/a\\:1", "h:80", "/run/a:1 [h]:80"),
        ] {
            assert_eq!(
                shown(ForwardKind::Local, listen, Some(connect)).as_deref(),
                Some(expected),
                "{listen}"
            );
        }
        for (listen, connect) in [
            ("8080", "localhost"),
            ("x", "h:80"),
            ("0", "h:80"),
            ("8080", "h:0"),
            ("65536", "h:1"),
            ("a:b:c", "h:80"),
            ("", "h:80"),
            ("[::1", "h:80"),
            ("[::1]x:1", "h:80"),
            ("1", "h:80\\"),
            ("::1:8080", "h:80"),
        ] {
            assert_eq!(
                shown(ForwardKind::Local, listen, Some(connect)),
                None,
                "{listen} {connect}"
            );
        }
        assert_eq!(shown(ForwardKind::Local, "8080", None), None);
        let odd = parse(
            ForwardKind::Local,
            "/run/a b\\:1",
            Some("[1[\\/x]"),
            &port_of,
        )
        .unwrap();
        for forward in [
            odd,
            parse(ForwardKind::Local, "[::1]:1", Some("[h]:2"), &port_of).unwrap(),
        ] {
            assert_eq!(read_back(&forward.to_string()).as_ref(), Some(&forward));
        }
        let long = format!("/{}", "a".repeat(MAX_PATH));
        assert_eq!(shown(ForwardKind::Local, "8080", Some(&long)), None);
    }

    #[test]
    fn remote_and_dynamic_forwards() {
        for (kind, listen, expected) in [
            (ForwardKind::Dynamic, "1080", "1080"),
            (ForwardKind::Dynamic, "localhost:1080", "[localhost]:1080"),
            (ForwardKind::Dynamic, "[::1]:1080", "[::1]:1080"),
            (ForwardKind::Remote, "0", "0"),
            (ForwardKind::Remote, "a:0", "[a]:0"),
            (ForwardKind::Remote, "/run/x", "/run/x"),
        ] {
            assert_eq!(
                shown(kind, listen, None).as_deref(),
                Some(expected),
                "{listen}"
            );
        }
        assert_eq!(
            shown(ForwardKind::Remote, "0", Some("h:80")).as_deref(),
            Some("0 [h]:80")
        );
        for listen in ["0", "a:b:1", "", "x"] {
            assert_eq!(shown(ForwardKind::Dynamic, listen, None), None, "{listen}");
        }
    }
}
