//! What an address is, after the disguises of IPv4 in IPv6 have been taken off.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Kinds of addresses, as far as the policy treats them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In the public Internet.
    Public,
    /// This machine.
    Loopback,
    /// Private networks: RFC 1918, carrier-grade NAT and unique local IPv6 addresses.
    Private,
    /// Metadata services, link-local, multicast, unspecified, reserved and transitional addresses. The word says which.
    Special(&'static str),
}

/// The address that is really meant: IPv4 that is mapped or translated into IPv6 is taken out of it.
pub(super) fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    let low = |six: Ipv6Addr| {
        let [.., a, b, c, d] = six.octets();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        // NAT64 (RFC 6052): the gateway connects to the last 32 bits.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => low(v6),
        // IPv4-compatible (deprecated); `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, high, low_half] if high != 0 || low_half > 1 => low(v6),
        // 6to4: the 32 bits behind the prefix are the IPv4 address of the site that is connected to.
        [0x2002, high, low_half, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low_half.to_be_bytes());
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => ip,
    }
}

/// Sorts an address that is [`canonical`].
pub(super) fn kind(ip: IpAddr) -> Kind {
    match ip {
        IpAddr::V4(ip) => kind_v4(ip),
        IpAddr::V6(ip) => kind_v6(ip),
    }
}

fn kind_v4(ip: Ipv4Addr) -> Kind {
    match ip.octets() {
        // Azure's wire server hands out credentials from a public address, Alibaba's from the range of carriers.
        [168, 63, 129, 16] | [100, 100, 100, 200] => Kind::Special("a metadata"),
        [169, 254, ..] => Kind::Special("a link-local or metadata"),
        [127, ..] => Kind::Loopback,
        [10, ..] | [192, 168, ..] => Kind::Private,
        [172, b, ..] if b & 0xf0 == 16 => Kind::Private,
        [100, b, ..] if b & 0xc0 == 64 => Kind::Private,
        [0, ..] => Kind::Special("an unspecified"),
        [a, ..] if a & 0xf0 == 224 => Kind::Special("a multicast"),
        [a, ..] if a & 0xf0 == 240 => Kind::Special("a reserved"),
        [192, 0, 0, _] | [192, 88, 99, _] => Kind::Special("a reserved"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Special("a reserved"),
        [198, 18 | 19, ..] => Kind::Special("a reserved"),
        _ => Kind::Public,
    }
}

fn kind_v6(ip: Ipv6Addr) -> Kind {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Special("an unspecified"),
        // Amazon's metadata service lies inside the unique local range.
        [0xfd00, 0xec2, ..] => Kind::Special("a metadata"),
        [a, ..] if a & 0xfe00 == 0xfc00 => Kind::Private,
        [a, ..] if a & 0xffc0 == 0xfe80 => Kind::Special("a link-local"),
        [a, ..] if a & 0xff00 == 0xff00 => Kind::Special("a multicast"),
        // Teredo, benchmarking, ORCHID and documentation.
        [0x2001, b, ..] if b < 0x200 || b == 0xdb8 => Kind::Special("a reserved"),
        [0x3fff, b, ..] if b < 0x1000 => Kind::Special("a reserved"),
        // Global unicast is 2000::/3; nothing else is assigned to the public Internet.
        [a, ..] if a & 0xe000 == 0x2000 => Kind::Public,
        _ => Kind::Special("a reserved"),
    }
}
