//! What a channel is for, and the addresses in it (RFC 4254 §5.1, §6, §7; OpenSSH's PROTOCOL for UNIX sockets).

use super::connection::rest;
use crate::codec::{DecodeError, Reader, Writer};

/// Longest host name or address in an open request that is looked at: a DNS name has at most 255 bytes.
pub const MAX_HOST_BYTES: usize = 255;
/// Longest path of a UNIX socket: `sun_path` has room for 107 bytes and a NUL.
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// What a channel is for: the channel type with its own fields (RFC 4254 §5.1, §6, §7).
///
/// Ports are 32 bits wide on the wire and kept so; whoever opens a socket checks them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenKind {
    /// `session`: a shell, a command or a subsystem (RFC 4254 §6.1).
    Session,
    /// `direct-tcpip`: the server connects to a target (RFC 4254 §7.2).
    DirectTcpip {
        /// The target's name or address.
        host: String,
        /// The target's port.
        port: u32,
        /// The address of whoever made the connection on the client's side.
        originator: String,
        /// The port of the same.
        originator_port: u32,
    },
    /// `forwarded-tcpip`: a connection came in on a port that the client asked for (RFC 4254 §7.2).
    ForwardedTcpip {
        /// The address that was listened on, as the client asked for it.
        host: String,
        /// The port that was listened on.
        port: u32,
        /// The address of whoever connected.
        originator: String,
        /// The port of the same.
        originator_port: u32,
    },
    /// `x11`: an X client connects (RFC 4254 §6.3.2).
    X11 {
        /// The address of the X client.
        originator: String,
        /// The port of the same.
        originator_port: u32,
    },
    /// `direct-streamlocal@openssh.com`: the server connects to a UNIX socket (OpenSSH PROTOCOL §2.4).
    DirectStreamlocal {
        /// The path of the socket, on the server.
        path: String,
    },
    /// `forwarded-streamlocal@openssh.com`: a connection came in on a UNIX socket that the client asked for.
    ForwardedStreamlocal {
        /// The path of the socket, as the client asked for it.
        path: String,
    },
    /// `auth-agent@openssh.com`: a program on the server wants to speak to the client's agent.
    AuthAgent,
    /// Any other channel type.
    Other {
        /// The name of the type.
        kind: String,
        /// Its fields as they are.
        data: Vec<u8>,
    },
}

impl OpenKind {
    /// The name of the channel type on the wire.
    pub fn name(&self) -> &str {
        match self {
            OpenKind::Session => "session",
            OpenKind::DirectTcpip { .. } => "direct-tcpip",
            OpenKind::ForwardedTcpip { .. } => "forwarded-tcpip",
            OpenKind::X11 { .. } => "x11",
            OpenKind::DirectStreamlocal { .. } => "direct-streamlocal@openssh.com",
            OpenKind::ForwardedStreamlocal { .. } => "forwarded-streamlocal@openssh.com",
            OpenKind::AuthAgent => "auth-agent@openssh.com",
            OpenKind::Other { kind, .. } => kind,
        }
    }

    /// Reads the fields that the type `kind` defines.
    ///
    /// # Errors
    /// `Truncated` and `TrailingBytes` for fields that are not those of the type; `TooLong`, `NotUtf8` and
    /// `BadValue` for an address that no host can have.
    pub fn decode(kind: &str, specific: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(specific);
        let decoded = match kind {
            "session" => OpenKind::Session,
            "direct-tcpip" => {
                let (host, port, originator, originator_port) = endpoints(&mut r)?;
                OpenKind::DirectTcpip {
                    host,
                    port,
                    originator,
                    originator_port,
                }
            }
            "forwarded-tcpip" => {
                let (host, port, originator, originator_port) = endpoints(&mut r)?;
                OpenKind::ForwardedTcpip {
                    host,
                    port,
                    originator,
                    originator_port,
                }
            }
            "x11" => {
                let (originator, originator_port) = (r.string()?, port(&mut r)?);
                r.finish()?;
                let originator = address(originator)?;
                return Ok(OpenKind::X11 {
                    originator,
                    originator_port: originator_port?,
                });
            }
            "direct-streamlocal@openssh.com" => {
                // Two fields for later use follow the path (OpenSSH PROTOCOL §2.4).
                let (path, _, _) = (r.string()?, r.string()?, r.u32()?);
                r.finish()?;
                let path = socket_path(path)?;
                return Ok(OpenKind::DirectStreamlocal { path });
            }
            "forwarded-streamlocal@openssh.com" => {
                let (path, _) = (r.string()?, r.string()?);
                r.finish()?;
                let path = socket_path(path)?;
                return Ok(OpenKind::ForwardedStreamlocal { path });
            }
            "auth-agent@openssh.com" => OpenKind::AuthAgent,
            _ => OpenKind::Other {
                kind: kind.to_owned(),
                data: rest(&mut r)?.to_vec(),
            },
        };
        r.finish()?;
        Ok(decoded)
    }

    /// Writes the fields that the type defines.
    pub fn encode(&self, w: &mut Writer<'_>) {
        match self {
            OpenKind::Session => {}
            OpenKind::DirectTcpip {
                host,
                port,
                originator,
                originator_port,
            }
            | OpenKind::ForwardedTcpip {
                host,
                port,
                originator,
                originator_port,
            } => {
                w.string(host)
                    .u32(*port)
                    .string(originator)
                    .u32(*originator_port);
            }
            OpenKind::X11 {
                originator,
                originator_port,
            } => {
                w.string(originator).u32(*originator_port);
            }
            OpenKind::DirectStreamlocal { path } => {
                w.string(path).string("").u32(0);
            }
            OpenKind::ForwardedStreamlocal { path } => {
                w.string(path).string("");
            }
            OpenKind::AuthAgent => {}
            OpenKind::Other { data, .. } => {
                w.raw(data);
            }
        }
    }
}

/// The four fields of RFC 4254 §7.2. The structure is checked before the values, so that a broken message
/// is told from an address that we refuse.
fn endpoints(r: &mut Reader<'_>) -> Result<(String, u32, String, u32), DecodeError> {
    let (host, host_port) = (r.string()?, port(r)?);
    let (originator, originator_port) = (r.string()?, port(r)?);
    if !r.is_empty() {
        return Err(DecodeError::TrailingBytes);
    }
    Ok((
        address(host)?,
        host_port?,
        address(originator)?,
        originator_port?,
    ))
}

/// A port; the outer result is the structure, the inner one the value.
pub(crate) fn port(r: &mut Reader<'_>) -> Result<Result<u32, DecodeError>, DecodeError> {
    let port = r.u32()?;
    Ok(if port <= u32::from(u16::MAX) {
        Ok(port)
    } else {
        Err(DecodeError::BadValue)
    })
}

/// A host name or an address: text without control characters.
pub(crate) fn address(bytes: &[u8]) -> Result<String, DecodeError> {
    if bytes.len() > MAX_HOST_BYTES {
        return Err(DecodeError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(DecodeError::BadValue);
    }
    Ok(text.to_owned())
}

/// The path of a UNIX socket: absolute, and text that fits into a `sockaddr_un`. A relative one would depend on where the
/// process happens to be, and could look like the address of a host to who decides about it.
pub(crate) fn socket_path(bytes: &[u8]) -> Result<String, DecodeError> {
    if bytes.len() > MAX_SOCKET_PATH_BYTES {
        return Err(DecodeError::TooLong);
    }
    if !bytes.starts_with(b"/") {
        return Err(DecodeError::BadValue);
    }
    address(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_kinds_round_trip_and_are_strict() {
        let kinds = [
            OpenKind::Session,
            OpenKind::DirectTcpip {
                host: "example.org".into(),
                port: 443,
                originator: "::1".into(),
                originator_port: 65535,
            },
            OpenKind::ForwardedTcpip {
                host: String::new(),
                port: 0,
                originator: "10.0.0.1".into(),
                originator_port: 1,
            },
            OpenKind::X11 {
                originator: "127.0.0.1".into(),
                originator_port: 6000,
            },
            OpenKind::DirectStreamlocal {
                path: "/run/x".into(),
            },
            OpenKind::ForwardedStreamlocal {
                path: "/run/x".into(),
            },
            OpenKind::AuthAgent,
        ];
        for kind in kinds {
            let specific = Writer::collect(|w| kind.encode(w));
            assert_eq!(OpenKind::decode(kind.name(), &specific).unwrap(), kind);
            for end in 0..specific.len() {
                assert_eq!(
                    OpenKind::decode(kind.name(), &specific[..end]),
                    Err(DecodeError::Truncated)
                );
            }
            let mut longer = specific.clone();
            longer.push(0);
            assert_eq!(
                OpenKind::decode(kind.name(), &longer),
                Err(DecodeError::TrailingBytes)
            );
        }
        let other = OpenKind::decode("x@example.org", b"any").unwrap();
        assert_eq!(Writer::collect(|w| other.encode(w)), b"any");
    }

    #[test]
    fn addresses_that_no_host_has_are_refused() {
        let fields = |host: &[u8], port: u32| {
            let specific = Writer::collect(|w| {
                w.string(host).u32(port).string("1.2.3.4").u32(5);
            });
            OpenKind::decode("direct-tcpip", &specific)
        };
        assert!(fields(b"ok", 65_535).is_ok());
        assert_eq!(fields(b"ok", 65_536), Err(DecodeError::BadValue));
        assert_eq!(fields(b"ok", u32::MAX), Err(DecodeError::BadValue));
        assert_eq!(fields(b"a\0b", 1), Err(DecodeError::BadValue));
        assert_eq!(fields(b"a\nb", 1), Err(DecodeError::BadValue));
        assert_eq!(fields(b"\xff", 1), Err(DecodeError::NotUtf8));
        assert_eq!(fields(&[b'a'; 65_536], 1), Err(DecodeError::TooLong));
    }
}
