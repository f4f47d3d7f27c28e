use super::{super::table::PeerTable, *};

fn node(zone: &str, range_: &str, addr: &str) -> NodeFacts {
    NodeFacts {
        zone: (!zone.is_empty()).then(|| zone.into()),
        pod_ranges: range(range_).into_iter().collect(),
        addresses: vec![mapped(addr.parse().unwrap())],
    }
}

fn find<'a>(table: &'a PeerTable, addr: &str) -> (PeerClass, PeerKind, Option<&'a str>, Option<&'a str>) {
    let peer = table.find(mapped(addr.parse().unwrap()));
    (peer.class, peer.kind, peer.node.as_deref(), peer.pod.as_deref())
}

#[test]
fn addresses_lead_to_nodes_zones_and_pods() {
    let nodes = Nodes::from([
        ("a".into(), node("z1", "10.1.0.0/24", "192.168.0.1")),
        ("b".into(), node("z1", "10.1.1.0/24", "192.168.0.2")),
        ("c".into(), node("z2", "fd00:1::/64", "fd00::c")),
        ("d".into(), node("", "10.1.3.0/24", "192.168.0.4")),
    ]);
    let endpoint = |node: Option<&str>, pod: Option<&str>| Endpoint {
        node: node.map(Into::into),
        pod: pod.map(Into::into),
        zone: None,
    };
    let endpoints = BTreeMap::from([
        (mapped("10.9.9.9".parse().unwrap()), endpoint(Some("b"), Some("shop/db-0"))),
        (mapped("192.168.0.2".parse().unwrap()), endpoint(Some("b"), Some("kube-system/proxy"))),
        (mapped("10.9.9.10".parse().unwrap()), endpoint(None, None)),
    ]);
    let table = PeerTable::new(prefixes("a", &nodes, &endpoints));
    use PeerClass::{CrossZone, External, InCluster, SameNode, SameZone};
    assert_eq!(find(&table, "10.1.0.7"), (SameNode, PeerKind::Pod, Some("a"), None));
    assert_eq!(find(&table, "10.1.1.7"), (SameZone, PeerKind::Pod, Some("b"), None));
    assert_eq!(find(&table, "fd00:1::7"), (CrossZone, PeerKind::Pod, Some("c"), None));
    assert_eq!(find(&table, "10.1.3.7"), (InCluster, PeerKind::Pod, Some("d"), None), "its zone is not known");
    assert_eq!(find(&table, "192.168.0.2"), (SameZone, PeerKind::Node, Some("b"), None), "or masqueraded");
    assert_eq!(find(&table, "10.9.9.9"), (SameZone, PeerKind::Pod, Some("b"), Some("shop/db-0")));
    assert_eq!(find(&table, "10.9.9.10"), (External, PeerKind::Range, None, None));
}

#[test]
fn a_cluster_without_zones_is_one_zone() {
    assert_eq!(class_of("a", None, "b", None), PeerClass::SameZone);
    assert_eq!(class_of("a", Some("z"), "b", None), PeerClass::InCluster);
    assert_eq!(class_of("a", None, "a", None), PeerClass::SameNode);
}

#[test]
fn ranges_are_read_in_both_families() {
    assert_eq!(range("10.1.2.0/24"), Some((mapped("10.1.2.0".parse().unwrap()), 120)));
    assert_eq!(range("fd00::/48"), Some(("fd00::".parse().unwrap(), 48)));
    for wrong in ["10.1.2.0", "10.1.2.0/33", "x/8", "10.0.0.0/-1"] {
        assert_eq!(range(wrong), None, "{wrong}");
    }
}
