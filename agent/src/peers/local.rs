//! This machine's addresses, from procfs.

use std::net::Ipv6Addr;

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
mod tests;
