//! The cluster's Nodes as peers, from the few fields that matter. Pure.

use super::table::{Peer, PeerKind};
use netwhy_abi::PeerClass;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

/// The fields of a Node that netwhy keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Label `topology.kubernetes.io/zone`. `None`: the cluster has no zones.
    pub zone: Option<Arc<str>>,
    /// `spec.podCIDRs`: (address in IPv6 form, leading bits). Empty where the CNI assigns Pod addresses otherwise.
    pub pod_ranges: Vec<(Ipv6Addr, u8)>,
    /// The IP addresses among `status.addresses`.
    pub addresses: Vec<Ipv6Addr>,
}

/// A Pod behind a Service, from an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `nodeName`. `None`: not a Pod's.
    pub node: Option<Arc<str>>,
    /// `namespace/name` of the Pod. `None`: not a Pod's.
    pub pod: Option<Arc<str>>,
    /// `zone`, used when the Node is not known.
    pub zone: Option<Arc<str>>,
}

/// All Nodes by name.
pub type Nodes = BTreeMap<Arc<str>, NodeFacts>;

/// Class of a Node as seen from this one. A cluster without zones is one zone.
pub fn class_of(own: &str, own_zone: Option<&str>, node: &str, zone: Option<&str>) -> PeerClass {
    if node == own {
        PeerClass::SameNode
    } else if own_zone == zone {
        PeerClass::SameZone
    } else {
        match (own_zone, zone) {
            (Some(_), Some(_)) => PeerClass::CrossZone,
            // One of the two has no zone label, so its zone is unknown.
            _ => PeerClass::InCluster,
        }
    }
}

/// Prefixes of all Nodes and endpoints. Pod ranges come first, then addresses, which are more exact.
pub fn prefixes(
    own: &str,
    nodes: &Nodes,
    endpoints: &BTreeMap<Ipv6Addr, Endpoint>,
) -> impl Iterator<Item = (Ipv6Addr, u8, Peer)> {
    let own_zone = nodes.get(own).and_then(|facts| facts.zone.clone());
    let class = {
        let own_zone = own_zone.clone();
        move |name: &str, zone: Option<&str>| class_of(own, own_zone.as_deref(), name, zone)
    };
    let of_nodes = nodes.iter().flat_map({
        let class = class.clone();
        move |(name, facts)| {
            let class = class(name, facts.zone.as_deref());
            let peer = move |kind| Peer { class, kind, node: Some(name.clone()), pod: None, zone: facts.zone.clone() };
            let ranges = facts.pod_ranges.iter().map(move |(addr, bits)| (*addr, *bits, peer(PeerKind::Pod)));
            ranges.chain(facts.addresses.iter().map(move |addr| (*addr, 128, peer(PeerKind::Node))))
        }
    });
    let of_endpoints = endpoints.iter().filter_map(move |(addr, endpoint)| {
        let zone = |node: &Arc<str>| nodes.get(node).and_then(|facts| facts.zone.clone());
        let node = endpoint.node.as_ref()?;
        let zone = zone(node).or_else(|| endpoint.zone.clone());
        let class = class(node, zone.as_deref());
        let peer = Peer { class, kind: PeerKind::Pod, node: Some(node.clone()), pod: endpoint.pod.clone(), zone };
        // A Pod on the host network has its Node's address, which it shares.
        let of_node = nodes.get(endpoint.node.as_deref()?).is_some_and(|facts| facts.addresses.contains(addr));
        (!of_node).then_some((*addr, 128, peer))
    });
    of_nodes.chain(of_endpoints)
}

/// The address in the kernel side's form: IPv4 as IPv4-mapped IPv6.
pub fn mapped(addr: IpAddr) -> Ipv6Addr {
    match addr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// `10.1.2.0/24` → (`::ffff:10.1.2.0`, 120). `None`: not a range.
pub fn range(text: &str) -> Option<(Ipv6Addr, u8)> {
    let (addr, bits) = text.split_once('/')?;
    let (addr, bits): (IpAddr, u8) = (addr.parse().ok()?, bits.parse().ok()?);
    let (most, shift) = if addr.is_ipv4() { (32, 96) } else { (128, 0) };
    (bits <= most).then(|| (mapped(addr), bits + shift))
}

#[cfg(test)]
mod tests {
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
}
