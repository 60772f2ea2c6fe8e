//! Sockets that listen and that somebody else has made.

use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::SocketType;

use crate::error::Error;

fn io(errno: Errno) -> Error {
    Error::Io {
        operation: "listen",
        errno: errno.raw_os_error(),
    }
}

/// Takes over the number of a listening stream socket that the caller owns and gives up on success. It is made
/// non-blocking.
pub fn take_over(descriptor: RawFd) -> Result<OwnedFd, Error> {
    if descriptor < 0 {
        return Err(io(Errno::BADF));
    }
    // SAFETY: whether the number is open is checked by the first system call on it; the caller's promise to own it is
    // the documented contract of `ssh_listener_add_fd`.
    let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
    match prepare(&owned) {
        Ok(()) => Ok(owned),
        Err(error) => {
            // The caller keeps it.
            let _ = owned.into_raw_fd();
            Err(error)
        }
    }
}

fn prepare(descriptor: &OwnedFd) -> Result<(), Error> {
    let kind = match rustix::net::sockopt::socket_type(descriptor) {
        Err(Errno::NOTSOCK) => return Err(Error::ApiMisuse("the descriptor is not a socket")),
        kind => kind.map_err(io)?,
    };
    if kind != SocketType::STREAM
        || !rustix::net::sockopt::socket_acceptconn(descriptor).map_err(io)?
    {
        return Err(Error::ApiMisuse(
            "the descriptor is no stream socket that listens",
        ));
    }
    rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC).map_err(io)?;
    let flags = rustix::fs::fcntl_getfl(descriptor).map_err(io)?;
    rustix::fs::fcntl_setfl(descriptor, flags | rustix::fs::OFlags::NONBLOCK).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn only_a_socket_that_listens_is_taken_over() {
        let listening = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let connected = std::net::TcpStream::connect(listening.local_addr().unwrap()).unwrap();
        for wrong in [-1, connected.as_raw_fd()] {
            assert!(take_over(wrong).is_err());
        }
        // It has stayed ours.
        assert!(connected.local_addr().is_ok());
        let number = OwnedFd::from(listening).into_raw_fd();
        assert_eq!(take_over(number).unwrap().as_raw_fd(), number);
    }
}
