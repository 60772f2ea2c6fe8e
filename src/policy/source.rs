//! Where a connection comes from, as far as it is told apart from others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network that a connection is counted for. An attacker has one IPv4 address, but a whole network of IPv6 ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(IpAddr);

impl Source {
    /// The network of so many leading bits that `address` is in. IPv4 addresses in IPv6 form count as what they are.
    pub fn of(address: IpAddr, ipv4_bits: u8, ipv6_bits: u8) -> Self {
        Source(match address.to_canonical() {
            IpAddr::V4(address) => {
                let ignored = 32_u32.saturating_sub(u32::from(ipv4_bits));
                let mask = u32::MAX.checked_shl(ignored).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let ignored = 128_u32.saturating_sub(u32::from(ipv6_bits));
                let mask = u128::MAX.checked_shl(ignored).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        })
    }
}
