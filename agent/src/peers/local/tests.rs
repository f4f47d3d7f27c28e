use super::*;

#[test]
fn local_addresses_come_from_the_routing_trie() {
    let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.0.5\n        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n";
    let six = "fe800000000000000000000000000001 02 40 20 80 eth0\n";
    let found = local_addresses(trie, six);
    assert!(found.contains(&(std::net::Ipv4Addr::new(10, 0, 0, 5).to_ipv6_mapped(), 128)));
    assert!(!found.iter().any(|(a, _)| *a == std::net::Ipv4Addr::new(10, 0, 0, 255).to_ipv6_mapped()));
    assert!(found.contains(&("fe80::1".parse().unwrap(), 128)));
}
