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
mod tests;
