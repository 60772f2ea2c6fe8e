//! Making the connection to a target, without waiting for it.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::connection::ForwardPoint;
use crate::driver::{begin_connect, Timeout, Transport};
use crate::error::Error;

/// How long a target has to answer.
const TIME: Duration = Duration::from_secs(30);

/// Refuses what cannot be a target.
pub fn check(target: &ForwardPoint) -> Result<(), Error> {
    match target {
        ForwardPoint::Tcp { host, port } if host.is_empty() || *port == 0 => Err(Error::ApiMisuse(
            "a target has a host and a port other than 0",
        )),
        _ => Ok(()),
    }
}

/// Connects to the target, which the transport's peer has named; `done` is told how that went, on some thread, which it must not
/// hold up.
pub(super) fn reach(
    transport: &Transport,
    target: &ForwardPoint,
    done: impl FnOnce(Result<OwnedFd, Error>) + Send + 'static,
) {
    match target {
        ForwardPoint::Unix { path } => done(unix(path).map_err(|errno| Error::Io {
            operation: "connect",
            errno: errno.raw_os_error(),
        })),
        ForwardPoint::Tcp { host, port } => {
            let address = if host.contains(':') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            };
            let time = Timeout::After(TIME);
            // What cannot even be begun is told by dropping what waits for it.
            let _ = begin_connect(&address, time, Some(transport.lookups()), Box::new(done));
        }
    }
}

/// A UNIX socket connects at once or not at all.
fn unix(path: &str) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket)
}
