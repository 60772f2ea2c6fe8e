//! Global requests for forwarding (RFC 4254 §7.1; OpenSSH PROTOCOL §2.4) and the answer to one of them.

use crate::codec::{DecodeError, Reader, Writer};
use crate::messages::open_kind::{address, port, socket_path};

/// Where the peer is to listen, or to stop listening.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPoint {
    /// A TCP port.
    Tcp {
        /// The address to bind; empty for all of them.
        host: String,
        /// The port; 0 has the server choose one.
        port: u16,
    },
    /// A UNIX socket.
    Unix {
        /// Its path.
        path: String,
    },
}

/// `tcpip-forward` and its kin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardRequest {
    /// Listen there, and open a channel for each connection.
    Listen(ForwardPoint),
    /// Listen there no longer.
    Cancel(ForwardPoint),
}

const TCPIP_FORWARD: &str = "tcpip-forward";
const CANCEL_TCPIP_FORWARD: &str = "cancel-tcpip-forward";
const STREAMLOCAL_FORWARD: &str = "streamlocal-forward@openssh.com";
const CANCEL_STREAMLOCAL_FORWARD: &str = "cancel-streamlocal-forward@openssh.com";

impl ForwardRequest {
    /// The name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            ForwardRequest::Listen(ForwardPoint::Tcp { .. }) => TCPIP_FORWARD,
            ForwardRequest::Cancel(ForwardPoint::Tcp { .. }) => CANCEL_TCPIP_FORWARD,
            ForwardRequest::Listen(ForwardPoint::Unix { .. }) => STREAMLOCAL_FORWARD,
            ForwardRequest::Cancel(ForwardPoint::Unix { .. }) => CANCEL_STREAMLOCAL_FORWARD,
        }
    }

    /// Where.
    pub fn point(&self) -> &ForwardPoint {
        match self {
            ForwardRequest::Listen(point) | ForwardRequest::Cancel(point) => point,
        }
    }

    /// Whether the answer has to tell a port.
    pub fn wants_port(&self) -> bool {
        matches!(
            self,
            ForwardRequest::Listen(ForwardPoint::Tcp { port: 0, .. })
        )
    }

    /// Whether `bound` may be the port that is listened on for this request.
    pub fn fits_port(&self, bound: u16) -> bool {
        match self {
            ForwardRequest::Listen(ForwardPoint::Tcp { port, .. }) => {
                bound != 0 && (*port == 0 || *port == bound)
            }
            _ => false,
        }
    }

    /// The data of the answer that grants the request on the port `bound`.
    pub fn granted(&self, bound: u16) -> Vec<u8> {
        if self.wants_port() {
            encode_bound_port(0, bound)
        } else {
            Vec::new()
        }
    }

    /// Reads the fields of the request `name`; `None` for a request that is none of these.
    ///
    /// # Errors
    /// `Truncated` and `TrailingBytes` for fields that are not those of the request; `TooLong`, `NotUtf8` and
    /// `BadValue` for an address, port or path that cannot be.
    pub fn decode(name: &str, data: &[u8]) -> Option<Result<Self, DecodeError>> {
        Some(match name {
            TCPIP_FORWARD => tcp(data).map(ForwardRequest::Listen),
            CANCEL_TCPIP_FORWARD => tcp(data).map(ForwardRequest::Cancel),
            STREAMLOCAL_FORWARD => unix(data).map(ForwardRequest::Listen),
            CANCEL_STREAMLOCAL_FORWARD => unix(data).map(ForwardRequest::Cancel),
            _ => return None,
        })
    }

    /// Writes the fields of the request.
    pub fn encode(&self, w: &mut Writer<'_>) {
        match self.point() {
            ForwardPoint::Tcp { host, port } => {
                w.string(host).u32(u32::from(*port));
            }
            ForwardPoint::Unix { path } => {
                w.string(path);
            }
        }
    }
}

fn tcp(data: &[u8]) -> Result<ForwardPoint, DecodeError> {
    let mut r = Reader::new(data);
    let (host, number) = (r.string()?, port(&mut r)?);
    r.finish()?;
    let port = u16::try_from(number?).map_err(|_| DecodeError::BadValue)?;
    let host = address(host)?;
    Ok(ForwardPoint::Tcp { host, port })
}

fn unix(data: &[u8]) -> Result<ForwardPoint, DecodeError> {
    let mut r = Reader::new(data);
    let path = r.string()?;
    r.finish()?;
    let path = socket_path(path)?;
    Ok(ForwardPoint::Unix { path })
}

/// The data of the answer to `tcpip-forward`: the port, if and only if 0 was asked for (RFC 4254 §7.1).
pub fn encode_bound_port(asked: u16, bound: u16) -> Vec<u8> {
    if asked == 0 {
        u32::from(bound).to_be_bytes().to_vec()
    } else {
        Vec::new()
    }
}

/// The port that a server says it listens on. Where a port was asked for it is that one, whatever else the answer
/// holds: some servers repeat it.
///
/// # Errors
/// The server was to choose a port and did not tell a possible one.
pub fn decode_bound_port(asked: u16, data: &[u8]) -> Result<u16, DecodeError> {
    if asked != 0 {
        return Ok(asked);
    }
    let mut r = Reader::new(data);
    let number = r.u32()?;
    r.finish()?;
    match u16::try_from(number) {
        Ok(0) | Err(_) => Err(DecodeError::BadValue),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forward_requests_round_trip_and_are_strict() {
        let tcp = || ForwardPoint::Tcp {
            host: "localhost".into(),
            port: 8080,
        };
        let unix = || ForwardPoint::Unix {
            path: "/run/s".into(),
        };
        for request in [
            ForwardRequest::Listen(tcp()),
            ForwardRequest::Cancel(tcp()),
            ForwardRequest::Listen(unix()),
            ForwardRequest::Cancel(unix()),
        ] {
            let data = Writer::collect(|w| request.encode(w));
            let decode = |data: &[u8]| ForwardRequest::decode(request.name(), data).unwrap();
            assert_eq!(decode(&data), Ok(request.clone()));
            for end in 0..data.len() {
                assert_eq!(decode(&data[..end]), Err(DecodeError::Truncated));
            }
            let mut longer = data.clone();
            longer.push(0);
            assert_eq!(decode(&longer), Err(DecodeError::TrailingBytes));
        }
        assert!(ForwardRequest::decode("keepalive@openssh.com", b"").is_none());
    }

    #[test]
    fn f1_points_that_cannot_be() {
        let tcp = |host: &[u8], port: u32| {
            let data = Writer::collect(|w| {
                w.string(host).u32(port);
            });
            ForwardRequest::decode(TCPIP_FORWARD, &data).unwrap()
        };
        assert!(tcp(b"", 0).is_ok());
        for (host, port) in [
            (&b""[..], 65_536),
            (b"", u32::MAX),
            (b"a\0", 1),
            (b"a\x1b", 1),
            (b"\xff", 1),
            (&[b'h'; 65_536], 1),
        ] {
            assert!(tcp(host, port).is_err());
        }
        for path in [
            &b""[..],
            &[b'/'; 108],
            b"/a\0b",
            b"relative",
            b"::1]:/x",
            b"127.0.0.1",
        ] {
            let data = Writer::collect(|w| {
                w.string(path);
            });
            assert!(ForwardRequest::decode(STREAMLOCAL_FORWARD, &data)
                .unwrap()
                .is_err());
        }
    }

    #[test]
    fn the_port_is_told_only_when_it_was_chosen() {
        assert_eq!(encode_bound_port(22, 22), b"");
        assert_eq!(decode_bound_port(0, &encode_bound_port(0, 4000)), Ok(4000));
        assert_eq!(decode_bound_port(22, b"\0\0\0\x17"), Ok(22));
        for bad in [&b""[..], b"\0\0\0\0", b"\0\x01\0\0", b"\0\0\0\x01\0"] {
            assert!(decode_bound_port(0, bad).is_err());
        }
    }
}
