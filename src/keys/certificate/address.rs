//! Lists of addresses and networks, as the option `source-address` has them.

use std::net::IpAddr;

/// Longest list that is looked at.
const MAX_LIST: usize = 16 * 1024;

/// A network: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `address` or `address/bits`. Bits behind the ones that count must be zero, for who wrote others meant
    /// something else.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().ok()?;
        let width: u8 = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits| *bits <= width)?
            }
            Some(_) => return None,
            None => width,
        };
        let network = Network { base, bits };
        (number(base) == network.masked(base)).then_some(network)
    }

    /// Whether the address is in it. IPv4 addresses in IPv6 form count as what they are.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && self.masked(address) == number(self.base)
    }

    /// How many bits of the address do not count.
    fn ignored(&self) -> u32 {
        let width = if self.base.is_ipv4() { 32 } else { 128 };
        width - u32::from(self.bits)
    }

    fn masked(&self, address: IpAddr) -> u128 {
        let mask = u128::MAX.checked_shl(self.ignored()).unwrap_or(0);
        number(address) & mask
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The networks of a list separated by commas; `None` where one of them is none.
pub fn parse_list(list: &str) -> Option<Vec<Network>> {
    if list.len() > MAX_LIST {
        return None;
    }
    list.split(',').map(Network::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(list: &str, address: &str) -> Option<bool> {
        let address = address.parse().unwrap();
        parse_list(list).map(|list| list.iter().any(|network| network.contains(address)))
    }

    #[test]
    fn addresses_and_networks() {
        for (list, address, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8,192.168.0.0/16", "192.168.7.7", true),
            ("10.0.0.0/8,192.168.0.0/16", "192.169.7.7", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "127.0.0.1", false),
            ("2001:db8::/32", "2001:db8:1::7", true),
            ("2001:db8::/32", "2001:db9::7", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
        ] {
            assert_eq!(within(list, address), Some(expected), "{list} {address}");
        }
    }

    #[test]
    fn what_is_no_list_of_networks() {
        for list in [
            "",
            ",",
            "127.0.0.1,",
            " 127.0.0.1",
            "127.0.0.1/33",
            "127.0.0.1/",
            "127.0.0.1/8",
            "127.0.0.1/-1",
            "127.0.0.1/+8",
            "127.0.0.*",
            "localhost",
            "::1/129",
            "!127.0.0.1",
        ] {
            assert_eq!(parse_list(list), None, "{list}");
        }
        assert_eq!(parse_list(&"127.0.0.1,".repeat(2000)), None);
    }
}
