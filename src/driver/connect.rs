//! From "host:port" to a connected socket, within one deadline.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::Duration;

use super::engine::Engine;
use super::wait::Timeout;
use crate::error::Error;

/// The port of SSH.
const DEFAULT_PORT: u16 = 22;
/// The least that one address is given when several are tried.
const LEAST_TIME: Duration = Duration::from_millis(250);

/// Connects to the first address of `address` that answers. Forms: `host`, `host:port`, `[v6]`,
/// `[v6]:port`, and a bare IPv6 address.
pub(crate) fn connect(address: &str, timeout: Timeout) -> Result<OwnedFd, Error> {
    let (host, port) = split_address(address)?;
    let deadline = timeout.deadline();
    let addresses = resolve(host, port, deadline.remaining())?;
    let mut left = addresses.len();
    let mut last = Error::Resolve {
        host: host.to_owned(),
        detail: String::from("no address"),
    };
    for address in addresses {
        let outcome = match deadline.remaining() {
            None => TcpStream::connect(address),
            Some(time) if time.is_zero() => return Err(Error::Timeout("connect")),
            Some(time) => {
                let share = time
                    .checked_div(u32::try_from(left).unwrap_or(1))
                    .unwrap_or(time);
                TcpStream::connect_timeout(&address, share.max(LEAST_TIME).min(time))
            }
        };
        match outcome {
            Ok(stream) => return Ok(stream.into()),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                last = Error::Timeout("connect");
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                last = Error::Io {
                    operation: "connect",
                    errno,
                };
            }
        }
        left -= 1;
    }
    Err(last)
}

fn split_address(address: &str) -> Result<(&str, u16), Error> {
    let bad = Error::ApiMisuse("the address is not of the form host:port");
    let parse = |port: &str| port.parse::<u16>().map_err(|_| bad.clone());
    if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(|| bad.clone())?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, parse(port)?)),
            None if rest.is_empty() => Ok((host, DEFAULT_PORT)),
            None => Err(bad),
        };
    }
    let (host, port) = match address.split_once(':') {
        None => (address, DEFAULT_PORT),
        // More than one colon and no brackets: an IPv6 address without a port.
        Some((_, rest)) if rest.contains(':') => (address, DEFAULT_PORT),
        Some((host, port)) => (host, parse(port)?),
    };
    if host.is_empty() || port == 0 {
        return Err(bad);
    }
    Ok((host, port))
}

/// The system's resolver knows no deadline, so it runs on the pool and is left behind when it is late.
fn resolve(host: &str, port: u16, time: Option<Duration>) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let (tell, told) = mpsc::channel();
    let name = host.to_owned();
    Engine::get()?.pool().spawn(Box::new(move || {
        let found = (name.as_str(), port)
            .to_socket_addrs()
            .map(Iterator::collect::<Vec<_>>);
        // The asker may have gone.
        let _ = tell.send(found);
    }));
    let found = match time {
        None => told
            .recv()
            .map_err(|_| Error::Bug("the resolver went away"))?,
        Some(time) => told
            .recv_timeout(time)
            .map_err(|_| Error::Timeout("name resolution"))?,
    };
    found.map_err(|error| Error::Resolve {
        host: host.to_owned(),
        detail: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_addresses() {
        assert_eq!(split_address("host").unwrap(), ("host", 22));
        assert_eq!(split_address("host:2222").unwrap(), ("host", 2222));
        assert_eq!(split_address("::1").unwrap(), ("::1", 22));
        assert_eq!(split_address("[::1]").unwrap(), ("::1", 22));
        assert_eq!(split_address("[::1]:2022").unwrap(), ("::1", 2022));
        for bad in [
            "",
            ":22",
            "host:",
            "host:x",
            "host:70000",
            "host:0",
            "[::1",
            "[::1]x",
        ] {
            assert!(split_address(bad).is_err(), "{bad}");
        }
    }
}
