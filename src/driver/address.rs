//! The forms of an address: `host`, `host:port`, `[v6]`, `[v6]:port`, and a bare IPv6 address.

use std::net::Ipv6Addr;

use crate::error::Error;

/// The port of SSH.
const DEFAULT_PORT: u16 = 22;

/// Host and port.
pub(crate) fn split(address: &str) -> Result<(&str, u16), Error> {
    let no_form = Error::ApiMisuse("the address is not of the form host:port");
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(|| no_form.clone())?;
        match rest.strip_prefix(':') {
            None if !rest.is_empty() => return Err(no_form),
            port => (host, port),
        }
    } else {
        match address.split_once(':') {
            // More than one colon and no brackets: an IPv6 address without a port.
            Some((_, rest)) if rest.contains(':') => {
                let ip = address.split_once('%').map_or(address, |(ip, _zone)| ip);
                if ip.parse::<Ipv6Addr>().is_err() {
                    let form = "an IPv6 address with a port is written [address]:port";
                    return Err(Error::ApiMisuse(form));
                }
                (address, None)
            }
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        }
    };
    if host.is_empty() {
        return Err(no_form);
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => {
                return Err(Error::ApiMisuse("a port is a number from 1 to 65535"));
            }
            Ok(port) => port,
        },
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_addresses() {
        assert_eq!(split("host").unwrap(), ("host", 22));
        assert_eq!(split("host:2222").unwrap(), ("host", 2222));
        assert_eq!(split("::1").unwrap(), ("::1", 22));
        assert_eq!(split("[::1]").unwrap(), ("::1", 22));
        assert_eq!(split("[::1]:2022").unwrap(), ("::1", 2022));
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
            assert!(split(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn faults_are_named() {
        for (bad, word) in [
            ("host:99999", "65535"),
            ("host:0", "65535"),
            ("[::1]:0", "65535"),
            ("::1:22x", "[address]:port"),
            ("host:22:33", "[address]:port"),
            ("[::1", "host:port"),
        ] {
            let error = split(bad).unwrap_err().to_string();
            assert!(error.contains(word), "{bad}: {error}");
        }
        assert_eq!(split("fe80::1%eth0").unwrap(), ("fe80::1%eth0", 22));
    }
}
