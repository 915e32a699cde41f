//! Which network this is: the router it leads through, by what the kernel says
//! (`/proc`). Where that says nothing, as on other systems, there is no name.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is read of a table of the kernel; routers of the Internet have more.
const TABLE_BYTES: u64 = 64 << 10;
/// What they usually have at most, read at once.
const AT_ONCE: usize = 4 << 10;
/// A route that is in use and leads through a router (`RTF_UP`, `RTF_GATEWAY`).
const THROUGH_ROUTER: u32 = 3;
/// An entry whose hardware address is known (`ATF_COM`).
const COMPLETE: u32 = 2;

/// What tells a network from others. Never written down as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The network that leads to `host`: this machine's own, or the one behind
    /// the default router. A host nearer than that counts as behind it, too.
    pub fn of_host(host: Option<&str>) -> Option<Self> {
        if host.is_some_and(is_loopback) {
            return Some(Self("loopback".to_owned()));
        }
        let read = |table| read(table).unwrap_or_default();
        let (routes, neighbours) = (read("/proc/net/route"), read("/proc/net/arp"));
        Self::of_routes(&routes, &neighbours, || read("/proc/net/ipv6_route"))
    }

    /// By the kernel's tables. The address of a router alone says little,
    /// millions are 192.168.1.1: without its hardware address there is no name.
    fn of_routes(
        routes: &str,
        neighbours: &str,
        routes_6: impl FnOnce() -> String,
    ) -> Option<Self> {
        if let Some((device, router)) = default_route(routes) {
            let hardware = hardware_address(neighbours, device, router)?;
            return Some(Self(format!("{device} {router} {hardware}")));
        }
        // Its link-local address is made of it, or of dice.
        let text = routes_6();
        let (device, router) = default_route_6(&text)?;
        Some(Self(format!("{device} {router}")))
    }

    #[cfg(test)]
    pub(super) fn test(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As bytes, to be hashed.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let is_own = |address: IpAddr| address.is_loopback();
    host.eq_ignore_ascii_case("localhost") || literal.parse().is_ok_and(is_own)
}

fn read(table: &str) -> Option<String> {
    let mut text = String::with_capacity(AT_ONCE);
    let file = File::open(table).ok()?;
    file.take(TABLE_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Device and router of the default route of IPv4 that is preferred.
fn default_route(routes: &str) -> Option<(&str, Ipv4Addr)> {
    let route = |line| {
        let cells = cells::<8>(line)?;
        let [device, to, router, flags, _, _, metric, mask] = cells;
        let is_default = to == "00000000" && mask == "00000000";
        let is_routed = number(flags)? & THROUGH_ROUTER == THROUGH_ROUTER;
        // In the byte order of the network, printed as a number of this machine.
        let router = Ipv4Addr::from(number(router)?.to_ne_bytes());
        let metric: u32 = metric.parse().ok()?;
        (is_default && is_routed).then_some((metric, device, router))
    };
    let best = routes.lines().filter_map(route).min_by_key(|one| one.0)?;
    Some((best.1, best.2))
}

/// The same of IPv6.
fn default_route_6(routes: &str) -> Option<(&str, Ipv6Addr)> {
    let route = |line| {
        let cells = cells::<10>(line)?;
        let [
            to,
            length,
            _,
            from_length,
            router,
            metric,
            _,
            _,
            flags,
            device,
        ] = cells;
        let is_default = number(length)? == 0 && number(from_length)? == 0;
        let is_routed = number(flags)? & THROUGH_ROUTER == THROUGH_ROUTER;
        let router = u128::from_str_radix(router, 16).ok().map(Ipv6Addr::from)?;
        let is_there = to.len() == 32 && !router.is_unspecified();
        (is_default && is_routed && is_there).then_some((number(metric)?, device, router))
    };
    let best = routes.lines().filter_map(route).min_by_key(|one| one.0)?;
    Some((best.1, best.2))
}

fn hardware_address<'a>(neighbours: &'a str, device: &str, router: Ipv4Addr) -> Option<&'a str> {
    neighbours.lines().find_map(|line| {
        let [address, _, flags, hardware, _, on] = cells::<6>(line)?;
        let is_known = number(flags.strip_prefix("0x")?)? & COMPLETE != 0;
        let is_it = address.parse() == Ok(router) && on == device;
        (is_it && is_known && hardware != "00:00:00:00:00:00").then_some(hardware)
    })
}

/// The first words of a line, if there are so many.
fn cells<const COUNT: usize>(line: &str) -> Option<[&str; COUNT]> {
    let mut words = line.split_whitespace();
    let mut cells = [""; COUNT];
    for cell in &mut cells {
        *cell = words.next()?;
    }
    Some(cells)
}

fn number(hexadecimal: &str) -> Option<u32> {
    u32::from_str_radix(hexadecimal, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n";
    const WIRED: &str = "eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0\n";
    const WIRELESS: &str = "wlan0 00000000 FE01A8C0 0003 0 0 600 00000000 0 0 0\n";
    const TUNNEL: &str = "tun0 00000000 00000000 0001 0 0 50 00000000 0 0 0\n";
    const NEAR: &str = "eth0 0001A8C0 00000000 0001 0 0 100 00FFFFFF 0 0 0\n";
    const ARP: &str = "IP address HW type Flags HW address Mask Device\n\
        192.168.1.1 0x1 0x0 00:00:00:00:00:00 * wlan0\n\
        192.168.1.1 0x1 0x2 aa:bb:cc:dd:ee:ff * eth0\n\
        192.168.1.254 0x1 0x2 11:22:33:44:55:66 * wlan0\n";
    const SIX: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        fe800000000000000000000000000001 00000400 00000003 00000000 00000003 wlan0\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo\n";

    fn name(routes: &[&str], arp: &str, routes_6: &str) -> Option<String> {
        let routes = format!("{HEAD}{}", routes.concat());
        let name = Name::of_routes(&routes, arp, || routes_6.to_owned());
        name.map(|name| name.0)
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_network_is_its_router_and_the_way_to_it() {
        let eth = Some("eth0 192.168.1.1 aa:bb:cc:dd:ee:ff");
        let wlan = Some("wlan0 192.168.1.254 11:22:33:44:55:66");
        let cases: [(&[&str], &str, &str, Option<&str>); 9] = [
            (&[WIRED, NEAR], ARP, "", eth),
            (&[WIRELESS, WIRED, NEAR], ARP, SIX, eth),
            (&[WIRELESS], ARP, "", wlan),
            (&[TUNNEL, WIRED], ARP, "", eth),
            (&[WIRED], "", SIX, None),
            (&[NEAR], ARP, "", None),
            (&[NEAR], ARP, SIX, Some("wlan0 fe80::1")),
            (&["eth0 0000 x\n", "\0"], "garbage\n", "none\n", None),
            (&[], "", "", None),
        ];
        for (routes, arp, six, want) in cases {
            assert_eq!(name(routes, arp, six).as_deref(), want, "{routes:?} {six}");
        }
    }

    #[test]
    fn this_machine_is_a_network_of_its_own() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "[::1]"] {
            assert_eq!(
                Name::of_host(Some(host)),
                Some(Name("loopback".to_owned())),
                "{host}"
            );
        }
        for host in [Some("localhost.example"), Some("10.0.0.1"), Some(""), None] {
            assert_ne!(
                Name::of_host(host),
                Some(Name("loopback".to_owned())),
                "{host:?}"
            );
        }
    }
}
