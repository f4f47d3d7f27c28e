//! Remote address → how far away it is, by longest prefix.

use netwhy_abi::PeerClass;
use std::{collections::HashMap, net::Ipv6Addr};

/// Prefixes and their classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerTable {
    /// By number of leading bits (longest first), the masked addresses of that length.
    lengths: Vec<(u8, HashMap<u128, PeerClass>)>,
}

impl PeerTable {
    /// From (address in IPv6 form, leading bits 0 … 128, class). Of two equal prefixes the later wins.
    pub fn new(prefixes: impl IntoIterator<Item = (Ipv6Addr, u8, PeerClass)>) -> Self {
        let mut this = Self::default();
        for (addr, bits, class) in prefixes {
            let bits = bits.min(128);
            let slot = match this.lengths.binary_search_by(|(b, _)| bits.cmp(b)) {
                Ok(i) => i,
                Err(i) => {
                    this.lengths.insert(i, (bits, HashMap::new()));
                    i
                }
            };
            this.lengths[slot].1.insert(masked(addr, bits), class);
        }
        this
    }

    /// Class of an address; [`PeerClass::External`] when no prefix covers it.
    pub fn class(&self, addr: Ipv6Addr) -> PeerClass {
        let hit = self.lengths.iter().find_map(|(bits, addrs)| addrs.get(&masked(addr, *bits)));
        hit.copied().unwrap_or(PeerClass::External)
    }

    /// All prefixes, longest first, ordered.
    pub fn prefixes(&self) -> Vec<(Ipv6Addr, u8, PeerClass)> {
        let mut all: Vec<_> = (self.lengths.iter())
            .flat_map(|(bits, addrs)| addrs.iter().map(|(addr, class)| (Ipv6Addr::from(*addr), *bits, *class)))
            .collect();
        all.sort_by_key(|(addr, bits, _)| (u8::MAX - bits, *addr));
        all
    }
}

fn masked(addr: Ipv6Addr, bits: u8) -> u128 {
    let shift = 128 - u32::from(bits);
    u128::from(addr).checked_shr(shift).map_or(0, |high| high.checked_shl(shift).unwrap_or(0))
}

/// Addresses of this machine, from the texts of `/proc/net/fib_trie` and `/proc/net/if_inet6`, with loopback.
pub fn local_addresses(fib_trie: &str, if_inet6: &str) -> Vec<(Ipv6Addr, u8)> {
    let mut found = vec![(Ipv6Addr::LOCALHOST, 128), (std::net::Ipv4Addr::new(127, 0, 0, 0).to_ipv6_mapped(), 104)];
    let mut last = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(addr) = line.strip_prefix("|-- ") {
            last = addr.parse::<std::net::Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL"
            && let Some(addr) = last
        {
            found.push((addr.to_ipv6_mapped(), 128));
        }
    }
    for line in if_inet6.lines() {
        let hex = line.split_whitespace().next().unwrap_or("");
        if let Ok(addr) = u128::from_str_radix(hex, 16)
            && hex.len() == 32
        {
            found.push((Ipv6Addr::from(addr), 128));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        let v4 = |a, b, c, d| std::net::Ipv4Addr::new(a, b, c, d).to_ipv6_mapped();
        let table = PeerTable::new([
            (v4(10, 0, 0, 0), 96 + 8, PeerClass::InCluster),
            (v4(10, 1, 0, 0), 96 + 16, PeerClass::SameZone),
            (v4(10, 1, 2, 3), 128, PeerClass::SameNode),
            ("fd00::".parse().unwrap(), 8, PeerClass::CrossZone),
        ]);
        assert_eq!(table.class(v4(10, 9, 9, 9)), PeerClass::InCluster);
        assert_eq!(table.class(v4(10, 1, 9, 9)), PeerClass::SameZone);
        assert_eq!(table.class(v4(10, 1, 2, 3)), PeerClass::SameNode);
        assert_eq!(table.class("fd12::1".parse().unwrap()), PeerClass::CrossZone);
        assert_eq!(table.class(v4(8, 8, 8, 8)), PeerClass::External);
        assert_eq!(PeerTable::new(table.prefixes()), table);
        assert_eq!(
            PeerTable::new([(Ipv6Addr::UNSPECIFIED, 0, PeerClass::InCluster)]).class(v4(1, 1, 1, 1)),
            PeerClass::InCluster
        );
    }

    #[test]
    fn local_addresses_come_from_the_routing_trie() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.0.5\n        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n";
        let six = "fe800000000000000000000000000001 02 40 20 80 eth0\n";
        let found = local_addresses(trie, six);
        assert!(found.contains(&(std::net::Ipv4Addr::new(10, 0, 0, 5).to_ipv6_mapped(), 128)));
        assert!(!found.iter().any(|(a, _)| *a == std::net::Ipv4Addr::new(10, 0, 0, 255).to_ipv6_mapped()));
        assert!(found.contains(&("fe80::1".parse().unwrap(), 128)));
    }
}
