//! Who is at the other end of a connection.

use std::net::IpAddr;

/// One client: an address, or for IPv6 its network of 64 bits, all of which one client usually has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            address @ IpAddr::V4(_) => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn a_client_is_an_address_or_an_ipv6_network() {
        let v6 = |last| Client::from(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last)));
        assert_eq!(v6(1), v6(2));
        assert_ne!(v6(1), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1)).into());
        let mapped = Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped();
        assert_eq!(
            Client::from(IpAddr::V6(mapped)),
            Client::from(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)))
        );
    }
}
