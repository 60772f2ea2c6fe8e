//! Sockets that listen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::connection::ForwardPoint;
use crate::error::Error;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// How often another port is chosen when one is not free everywhere.
const MOST_CHOICES: usize = 16;

/// Sockets that listen at one place. The file of a UNIX socket goes with them.
pub(crate) struct Bound {
    pub(crate) sockets: Vec<OwnedFd>,
    file: Option<File>,
}

/// The file of a socket that we have made.
struct File {
    path: PathBuf,
    /// Device and number: another's file of the same name stays.
    identity: (u64, u64),
}

impl Bound {
    /// A socket that somebody else has made.
    pub(crate) fn of(socket: OwnedFd) -> Self {
        Bound {
            sockets: vec![socket],
            file: None,
        }
    }

    /// Has so many connections wait to be accepted, where the system lets them.
    pub(crate) fn set_backlog(&self, backlog: i32) {
        for socket in &self.sockets {
            let _ = rustix::net::listen(socket, backlog);
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            if identity(&file.path) == Some(file.identity) {
                let _ = std::fs::remove_file(&file.path);
            }
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::lstat(path).ok()?;
    // The types differ between machines.
    #[allow(clippy::useless_conversion)]
    Some((u64::from(found.st_dev), u64::from(found.st_ino)))
}

fn failed(errno: Errno) -> Error {
    Error::Io {
        operation: "listen",
        errno: errno.raw_os_error(),
    }
}

/// Listens at `point`; returns it with the port that was chosen where it was 0.
///
/// Names are not looked up: the address is a number, `localhost`, or one of the ways to say "all" (empty, `*`).
pub(crate) fn listen(point: &ForwardPoint) -> Result<(Bound, ForwardPoint), Error> {
    match point {
        ForwardPoint::Unix { path } => {
            let (socket, file) = unix(path)?;
            let bound = Bound {
                sockets: vec![socket],
                file: Some(file),
            };
            Ok((bound, point.clone()))
        }
        ForwardPoint::Tcp { host, port } => {
            let (sockets, port) = tcp(&addresses(host)?, *port)?;
            let bound = Bound {
                sockets,
                file: None,
            };
            let host = host.clone();
            Ok((bound, ForwardPoint::Tcp { host, port }))
        }
    }
}

/// Refuses what cannot be listened on.
pub fn check(point: &ForwardPoint) -> Result<(), Error> {
    match point {
        ForwardPoint::Tcp { host, .. } => addresses(host).map(|_| ()),
        ForwardPoint::Unix { .. } => Ok(()),
    }
}

fn addresses(host: &str) -> Result<Vec<IpAddr>, Error> {
    Ok(match host {
        "" | "*" => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        "localhost" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        number => vec![number.parse().map_err(|_| {
            Error::ApiMisuse("the address to listen on is no number, localhost, * or empty")
        })?],
    })
}

/// A port that was chosen on one address may be taken on the other one.
fn tcp(addresses: &[IpAddr], port: u16) -> Result<(Vec<OwnedFd>, u16), Error> {
    let mut outcome = tcp_sockets(addresses, port);
    for _ in 0..MOST_CHOICES {
        if port != 0 || !matches!(outcome, Err(Errno::ADDRINUSE)) {
            break;
        }
        outcome = tcp_sockets(addresses, port);
    }
    outcome.map_err(failed)
}

/// All addresses, but for a family that the machine does not have.
fn tcp_sockets(addresses: &[IpAddr], port: u16) -> Result<(Vec<OwnedFd>, u16), Errno> {
    let mut port = port;
    let mut sockets = Vec::new();
    let mut failure = Errno::ADDRNOTAVAIL;
    for address in addresses {
        match tcp_socket(SocketAddr::new(*address, port)) {
            Ok((socket, chosen)) => {
                sockets.push(socket);
                port = chosen;
            }
            Err(errno @ (Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)) => failure = errno,
            Err(errno) => return Err(errno),
        }
    }
    if sockets.is_empty() {
        Err(failure)
    } else {
        Ok((sockets, port))
    }
}

fn tcp_socket(address: SocketAddr) -> Result<(OwnedFd, u16), Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, FLAGS, None)?;
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let name = rustix::net::getsockname(&socket)?;
    let port = SocketAddr::try_from(name).map_or(address.port(), |name| name.port());
    Ok((socket, port))
}

/// Its file can be used by its owner only, from the first moment.
fn unix(path: &str) -> Result<(OwnedFd, File), Error> {
    let make = || {
        let address = SocketAddrUnix::new(path)?;
        let family = AddressFamily::UNIX;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, FLAGS, None)?;
        // The mode of the socket becomes that of its file.
        rustix::fs::fchmod(socket.as_fd(), Mode::RUSR | Mode::WUSR)?;
        rustix::net::bind(&socket, &address)?;
        let path = PathBuf::from(path);
        let identity = identity(&path).ok_or(Errno::NOENT)?;
        let file = File { path, identity };
        if let Err(errno) = rustix::net::listen(&socket, BACKLOG) {
            let _ = std::fs::remove_file(&file.path);
            return Err(errno);
        }
        Ok((socket, file))
    };
    make().map_err(failed)
}

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_port_is_chosen_and_is_the_same_for_all_addresses() {
        let point = ForwardPoint::Tcp {
            host: String::from("localhost"),
            port: 0,
        };
        let (bound, ForwardPoint::Tcp { port, .. }) = listen(&point).unwrap() else {
            panic!("a port was asked for");
        };
        assert_ne!(port, 0);
        for socket in &bound.sockets {
            let name = rustix::net::getsockname(socket).unwrap();
            let name = SocketAddr::try_from(name).unwrap();
            assert!(name.ip().is_loopback());
            assert_eq!(name.port(), port);
        }
    }

    #[test]
    fn a_port_that_is_taken_on_one_address_is_not_listened_on_at_another() {
        let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let point = ForwardPoint::Tcp {
            host: String::from("localhost"),
            port,
        };
        let outcome = listen(&point).map(|_| ());
        let errno = Errno::ADDRINUSE.raw_os_error();
        assert!(matches!(outcome, Err(Error::Io { errno: found, .. }) if found == errno));
    }

    #[test]
    fn names_are_not_looked_up() {
        for host in ["example.org", "127.0.0.1 ", "999.0.0.1"] {
            assert!(addresses(host).is_err(), "{host}");
        }
        assert_eq!(addresses("").unwrap().len(), 2);
    }

    #[test]
    fn the_file_of_a_socket_is_private_and_goes_with_it() {
        let path = std::env::temp_dir().join(format!("sshwire-bind-{}", std::process::id()));
        let point = ForwardPoint::Unix {
            path: path.to_str().unwrap().to_owned(),
        };
        let (bound, same) = listen(&point).unwrap();
        assert_eq!(same, point);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(listen(&point).is_err(), "it is there");
        drop(bound);
        assert!(!path.exists());
        // Another's file of that name stays.
        let (bound, _) = listen(&point).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        drop(bound);
        assert!(path.exists());
        std::fs::remove_file(&path).unwrap();
    }
}
