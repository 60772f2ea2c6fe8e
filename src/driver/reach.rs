//! By which of its addresses a host is reached, and from which of ours.

use std::net::{IpAddr, SocketAddr};

/// By which way a host is reached.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Whether only IPv6 addresses are tried, or only IPv4; `None` for both.
    pub is_v6: Option<bool>,
    /// The address of this machine that connections come from.
    pub from: Option<IpAddr>,
    /// Whether the system finds out by itself when the peer is gone.
    pub keepalive: bool,
}

impl Reach {
    pub(super) fn fits(&self, address: &SocketAddr) -> bool {
        let fits = |is_v6: bool| address.is_ipv6() == is_v6;
        self.is_v6.is_none_or(fits) && self.from.is_none_or(|from| fits(from.is_ipv6()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_kind() {
        let (v4, v6) = ("127.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap());
        let fits = |is_v6, from: Option<&str>| {
            let reach = Reach {
                is_v6,
                from: from.map(|from| from.parse().unwrap()),
                keepalive: false,
            };
            (reach.fits(&v4), reach.fits(&v6))
        };
        assert_eq!(fits(None, None), (true, true));
        assert_eq!(fits(Some(true), None), (false, true));
        assert_eq!(fits(Some(false), None), (true, false));
        assert_eq!(fits(None, Some("127.0.0.2")), (true, false));
        assert_eq!(fits(Some(true), Some("127.0.0.2")), (false, false));
    }
}
