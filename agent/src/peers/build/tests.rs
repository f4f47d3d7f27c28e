use super::*;
use crate::config::Config;

#[test]
fn nodes_of_the_file_name_peers_without_an_api_server() {
    let text = "peers:\n  nodes: [a@z1=10.1.1.0/24, b@z1=10.1.2.0/24, c@z2=10.1.3.0/24]\n";
    let config = Config::parse(text, "test").unwrap();
    let of = |a: u8, b: u8| std::net::Ipv4Addr::new(10, 1, a, b).to_ipv6_mapped();
    let table = peer_table(&config.peers, &[(of(1, 1), 128)], "a", None);
    let found = |addr| (table.find(addr).class, table.find(addr).node.as_deref());
    assert_eq!(found(of(1, 1)), (PeerClass::SameNode, Some("a")));
    assert_eq!(found(of(1, 7)), (PeerClass::SameNode, Some("a")));
    assert_eq!(found(of(2, 7)), (PeerClass::SameZone, Some("b")));
    assert_eq!(found(of(3, 7)), (PeerClass::CrossZone, Some("c")));
    assert_eq!(found(of(4, 7)), (PeerClass::InCluster, None));
}

#[test]
fn each_configured_range_has_its_class_and_services_their_kind() {
    let text = "peers:\n  same_zone: [192.0.2.0/25]\n  cross_zone: [192.0.2.128/25]\n  in_cluster: [198.51.100.0/24]\n\
        \x20 services: [203.0.113.0/25]\n  external: [198.51.100.128/25]\n";
    let config = Config::parse(text, "test").unwrap();
    let table = peer_table(&config.peers, &[], "a", None);
    let found = |addr: &str| {
        let peer = table.find(super::super::mapped(addr.parse().unwrap()));
        (peer.class, peer.kind)
    };
    assert_eq!(found("192.0.2.1"), (PeerClass::SameZone, PeerKind::Range));
    assert_eq!(found("192.0.2.200"), (PeerClass::CrossZone, PeerKind::Range));
    assert_eq!(found("198.51.100.1"), (PeerClass::InCluster, PeerKind::Range));
    assert_eq!(found("198.51.100.200"), (PeerClass::External, PeerKind::Range));
    assert_eq!(found("203.0.113.7"), (PeerClass::InCluster, PeerKind::Service));
}
