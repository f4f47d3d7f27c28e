use super::*;

fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv6Addr {
    std::net::Ipv4Addr::new(a, b, c, d).to_ipv6_mapped()
}

#[test]
fn the_longest_prefix_decides() {
    let table = PeerTable::of_classes([
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
    assert_eq!(PeerTable::of_classes(table.prefixes()), table);
    assert_eq!(
        PeerTable::of_classes([(Ipv6Addr::UNSPECIFIED, 0, PeerClass::InCluster)]).class(v4(1, 1, 1, 1)),
        PeerClass::InCluster
    );
}

#[test]
fn the_kernel_gets_only_what_tells_classes_apart() {
    let table = PeerTable::of_classes([
        (v4(10, 0, 0, 0), 96 + 8, PeerClass::InCluster),
        (v4(10, 1, 0, 0), 96 + 24, PeerClass::SameZone),
        (v4(10, 1, 0, 9), 128, PeerClass::SameZone),
        (v4(10, 1, 0, 10), 128, PeerClass::SameNode),
        (v4(10, 2, 0, 0), 96 + 24, PeerClass::InCluster),
        (v4(8, 8, 8, 8), 128, PeerClass::External),
    ]);
    let (all, over) = table.class_prefixes(100);
    let expected = [
        (v4(10, 0, 0, 0), 104, PeerClass::InCluster),
        (v4(10, 1, 0, 0), 120, PeerClass::SameZone),
        (v4(10, 1, 0, 10), 128, PeerClass::SameNode),
    ];
    assert_eq!((all.as_slice(), over), (&expected[..], 0));
    assert_eq!(table.class_prefixes(2), (expected[..2].to_vec(), 1));
    let slim = PeerTable::of_classes(all);
    for addr in [v4(10, 1, 0, 9), v4(10, 1, 0, 10), v4(10, 2, 0, 1), v4(10, 7, 7, 7), v4(8, 8, 8, 8), v4(9, 9, 9, 9)] {
        assert_eq!(slim.class(addr), table.class(addr), "{addr}");
    }
}
