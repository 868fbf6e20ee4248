//! The IP addresses that may be called.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The addresses that may be called: public addresses, and those that the operator allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whether this machine may be called, for development.
    pub loopback: bool,
    /// The ranges that the operator allows.
    pub allow: Arc<[IpNet]>,
}

impl Reach {
    /// Public addresses only.
    pub fn public() -> Self {
        Self::default()
    }

    /// Whether `address` may be called.
    ///
    /// An address is refused if the IANA special-purpose registries do not mark its range as globally reachable. An IPv6 address
    /// that contains an IPv4 address is refused too: a translator on the way would connect to that IPv4 address.
    pub fn allows(&self, address: IpAddr) -> bool {
        // `::ffff:10.0.0.1` is the same host as `10.0.0.1`, so the same rules hold.
        let address = address.to_canonical();
        (self.loopback && address.is_loopback())
            || self.allow.iter().any(|range| range.contains(&address))
            || match address {
                IpAddr::V4(v4) => is_public_v4(v4),
                IpAddr::V6(v6) => is_public_v6(v6),
            }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || a >= 224 // multicast, reserved, broadcast
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT
        || (a == 169 && b == 254) // link-local, and the clouds' metadata
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2)) // protocol assignments, documentation
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && (b == 18 || b == 19)) // benchmarks
        || (a == 198 && b == 51 && c == 100) // documentation
        || (a == 203 && b == 0 && c == 113) // documentation
        || [a, b, c, d] == [168, 63, 129, 16]) // a public address, used by the host agent of Azure's machines
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, ..] = address.segments();
    // Only 2000::/3 is allocated as global unicast. That excludes ::/8 (loopback, IPv4-compatible, NAT64), fc00::/7,
    // fe80::/10, fec0::/10 and ff00::/8. The lines below are the exceptions inside 2000::/3.
    let global = first & 0xe000 == 0x2000;
    global
        && !(first == 0x2001 && second < 0x0200) // protocol assignments, Teredo and ORCHID among them
        && !(first == 0x2001 && second == 0x0db8) // documentation
        && first != 0x2002 // 6to4
        && !(first == 0x3fff && second < 0x1000) // documentation
        && !(first == 0x2620 && second == 0x004f && third == 0x8000) // AS112
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reach(loopback: bool, allow: &[&str]) -> Reach {
        Reach { loopback, allow: allow.iter().map(|range| range.parse().unwrap()).collect() }
    }

    #[test]
    fn public_addresses_are_allowed() {
        for address in [
            "1.1.1.1",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
        ] {
            assert!(Reach::public().allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn other_addresses_are_refused() {
        for (range, addresses) in [
            ("this network", &["0.0.0.0", "0.1.2.3"][..]),
            ("private", &["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"]),
            ("loopback", &["127.0.0.1", "127.255.255.254", "::1"]),
            ("link-local", &["169.254.0.1", "fe80::1", "febf::1"]),
            (
                "metadata",
                &["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"],
            ),
            ("carrier-grade NAT", &["100.64.0.1", "100.127.255.255"]),
            ("protocol assignments", &["192.0.0.8", "192.0.0.170", "2001:1::1"]),
            (
                "documentation",
                &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1"],
            ),
            ("benchmarks", &["198.18.0.1", "198.19.255.255", "2001:2::1"]),
            ("multicast", &["224.0.0.1", "239.255.255.255", "ff02::1"]),
            ("reserved", &["240.0.0.1", "255.255.255.255", "5f00::1", "4000::1"]),
            ("unspecified", &["::"]),
            ("IPv4-compatible", &["::127.0.0.1", "::10.0.0.1", "::1.1.1.1"]),
            ("IPv4-mapped", &["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:192.168.0.1"]),
            ("IPv4-translated", &["::ffff:0:127.0.0.1"]),
            ("NAT64", &["64:ff9b::7f00:1", "64:ff9b::1.1.1.1", "64:ff9b:1::1", "64:ff9b:1:ffff::7f00:1"]),
            ("Teredo", &["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"]),
            ("ORCHID", &["2001:10::1", "2001:20::1"]),
            ("6to4", &["2002::1", "2002:7f00:1::1", "192.88.99.1"]),
            ("discard", &["100::1"]),
            ("unique local", &["fc00::1", "fd12:3456::1"]),
            ("site-local", &["fec0::1", "feff::1"]),
            ("AS112", &["2620:4f:8000::1"]),
        ] {
            for address in addresses {
                assert!(!Reach::public().allows(address.parse().unwrap()), "{range}: {address}");
            }
        }
    }

    #[test]
    fn development_allows_this_machine_and_nothing_else() {
        for (address, allowed) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("::127.0.0.1", false),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("169.254.169.254", false),
        ] {
            assert_eq!(reach(true, &[]).allows(address.parse().unwrap()), allowed, "{address}");
        }
    }

    #[test]
    fn an_operator_allows_ranges_however_their_addresses_are_spelled() {
        let reach = reach(false, &["10.1.0.0/16", "fd00:1::/32"]);
        for (address, allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("fd00:1::5", true),
            ("fd00:2::5", false),
            ("127.0.0.1", false),
            ("64:ff9b::10.1.2.3", false),
            ("1.1.1.1", true),
        ] {
            assert_eq!(reach.allows(address.parse().unwrap()), allowed, "{address}");
        }
    }

    proptest! {
        /// An IPv6 address that contains a refused IPv4 address is refused, whatever the encoding.
        #[test]
        fn an_embedded_address_is_no_way_around_the_rules(v4 in any::<u32>(), rest in any::<u64>()) {
            let public = Reach::public().allows(Ipv4Addr::from_bits(v4).into());
            let (low, high) = (u128::from(v4), u128::from(v4) << 80);
            let embedded = [
                low,
                0xffff_u128 << 32 | low,
                0xffff_0000_u128 << 32 | low,
                0x0064_ff9b_u128 << 96 | low,
                0x0064_ff9b_0001_u128 << 80 | u128::from(rest) << 16 | low,
                0x2002_u128 << 112 | high | u128::from(rest),
                0x2001_u128 << 112 | u128::from(!v4),
            ];
            for address in embedded {
                let address = Ipv6Addr::from_bits(address);
                prop_assert!(public || !Reach::public().allows(address.into()), "{address}");
            }
        }
    }
}
