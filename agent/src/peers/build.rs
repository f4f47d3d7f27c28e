//! Builds the peer table from every source of addresses. Pure.

use super::{Nodes, Peer, PeerKind, PeerTable, Peers, prefixes};
use crate::config::{self, NodeRange};
use netwhy_abi::{PeerClass, PeerPrefix};
use std::{collections::BTreeMap, net::Ipv6Addr};

/// Builds the table from the configured ranges and Nodes, the cluster's Nodes, and this machine's addresses `own`. When
/// two sources name the same range, the later of this order wins. `node` is this Node's name. `cluster` is `None`
/// without Kubernetes.
pub fn peer_table(
    configured: &config::Peers,
    own: &[(Ipv6Addr, u8)],
    node: &str,
    cluster: Option<&Peers>,
) -> PeerTable {
    let (named, no_endpoints) = (configured_nodes(configured), BTreeMap::new());
    let known = prefixes(node, &named, &no_endpoints);
    let nodes = cluster.into_iter().flat_map(|peers| prefixes(node, &peers.nodes, &peers.endpoints));
    let has_name = cluster.is_some() || named.contains_key(node);
    let this = Peer { kind: PeerKind::Node, node: has_name.then(|| node.into()), ..Peer::range(PeerClass::SameNode) };
    let own = own.iter().map(|(addr, bits)| (*addr, *bits, this.clone()));
    let mut table = PeerTable::new(configured_ranges(configured).chain(known).chain(nodes).chain(own));
    let in_cluster = cluster.and_then(|peers| peers.nodes.get(node));
    table.own_zone = in_cluster.or_else(|| named.get(node)).and_then(|facts| facts.zone.clone());
    table
}

/// The ranges by class, then the Services' ranges.
fn configured_ranges(configured: &config::Peers) -> impl Iterator<Item = (Ipv6Addr, u8, Peer)> {
    let classes = [
        (PeerClass::InCluster, configured.in_cluster()),
        (PeerClass::SameZone, configured.same_zone()),
        (PeerClass::CrossZone, configured.cross_zone()),
        (PeerClass::External, configured.external()),
    ];
    let ranges = classes.into_iter().flat_map(|(class, ranges)| ranges.iter().map(move |r| (r, Peer::range(class))));
    let service = Peer { kind: PeerKind::Service, ..Peer::range(PeerClass::InCluster) };
    let services = configured.services().iter().map(move |range| (range, service.clone()));
    ranges.chain(services).map(|(range, peer)| {
        let (addr, bits) = address_and_bits(range.prefix());
        (addr, bits, peer)
    })
}

/// The Nodes that the file names, with their ranges.
fn configured_nodes(configured: &config::Peers) -> Nodes {
    let mut nodes = Nodes::new();
    for NodeRange { name, zone, range } in configured.nodes() {
        let facts = nodes.entry(name.as_str().into()).or_default();
        facts.zone = zone.as_deref().map(Into::into).or_else(|| facts.zone.take());
        facts.pod_ranges.push(address_and_bits(range.prefix()));
    }
    nodes
}

fn address_and_bits(prefix: PeerPrefix) -> (Ipv6Addr, u8) {
    (prefix.addr.into(), u8::try_from(prefix.prefix_len).unwrap_or(128))
}

#[cfg(test)]
mod tests;
