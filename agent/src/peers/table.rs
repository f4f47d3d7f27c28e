//! From a remote address to its peer, by longest prefix.

use netwhy_abi::PeerClass;
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    net::Ipv6Addr,
    sync::Arc,
};

/// Prefixes and their peers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerTable {
    /// By number of leading bits (longest first), the masked addresses of that length.
    lengths: Vec<(u8, HashMap<u128, Peer>)>,
    /// This Node's zone. `None`: unknown, or the cluster has none.
    pub own_zone: Option<Arc<str>>,
}

/// The peer behind an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Peer class.
    pub class: PeerClass,
    /// Kind of address.
    pub kind: PeerKind,
    /// Its Node. `None`: unknown, or outside the cluster.
    pub node: Option<Arc<str>>,
    /// `namespace/name` of its Pod. `None`: unknown, or not a Pod.
    pub pod: Option<Arc<str>>,
    /// Zone of its Node. `None`: unknown, or the cluster has none.
    pub zone: Option<Arc<str>>,
}

/// Kind of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerKind {
    /// Only its range is known.
    #[default]
    Range,
    /// A Pod's, or in a Node's Pod range.
    Pod,
    /// A Node's: a host-network Pod, a daemon on the Node, or a peer behind masquerading (source NAT) there.
    Node,
    /// A Service's ClusterIP: the Pod behind it is unknown.
    Service,
}

impl PeerKind {
    /// Name in `/api/v1/edges`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::Pod => "pod",
            Self::Node => "node_or_masqueraded",
            Self::Service => "service",
        }
    }
}

impl Peer {
    /// A peer of which only the range's class is known.
    pub const fn range(class: PeerClass) -> Self {
        Self { class, kind: PeerKind::Range, node: None, pod: None, zone: None }
    }
}

/// The peer of addresses that no prefix covers.
static OUTSIDE: Peer = Peer::range(PeerClass::External);

impl PeerTable {
    /// From (address in IPv6 form, leading bits 0 … 128, peer). Of two equal prefixes the later wins.
    pub fn new(prefixes: impl IntoIterator<Item = (Ipv6Addr, u8, Peer)>) -> Self {
        let mut this = Self::default();
        for (addr, bits, peer) in prefixes {
            let bits = bits.min(128);
            let slot = match this.lengths.binary_search_by(|(b, _)| bits.cmp(b)) {
                Ok(i) => i,
                Err(i) => {
                    this.lengths.insert(i, (bits, HashMap::new()));
                    i
                }
            };
            this.lengths[slot].1.insert(masked(addr, bits), peer);
        }
        this
    }

    /// From ranges with their classes.
    pub fn of_classes(prefixes: impl IntoIterator<Item = (Ipv6Addr, u8, PeerClass)>) -> Self {
        Self::new(prefixes.into_iter().map(|(addr, bits, class)| (addr, bits, Peer::range(class))))
    }

    /// The peer behind an address. Its class is [`PeerClass::External`] when no prefix covers it.
    pub fn find(&self, addr: Ipv6Addr) -> &Peer {
        self.lengths.iter().find_map(|(bits, addrs)| addrs.get(&masked(addr, *bits))).unwrap_or(&OUTSIDE)
    }

    /// Class of an address.
    pub fn class(&self, addr: Ipv6Addr) -> PeerClass {
        self.find(addr).class
    }

    /// Number of prefixes.
    pub fn len(&self) -> usize {
        self.lengths.iter().map(|(_, addrs)| addrs.len()).sum()
    }

    /// True when there is no prefix.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// All prefixes with their classes, longest first, ordered.
    pub fn prefixes(&self) -> Vec<(Ipv6Addr, u8, PeerClass)> {
        let mut all: Vec<_> = (self.lengths.iter())
            .flat_map(|(bits, addrs)| addrs.iter().map(|(addr, peer)| (Ipv6Addr::from(*addr), *bits, peer.class)))
            .collect();
        all.sort_by_key(|(addr, bits, _)| (u8::MAX - bits, *addr));
        all
    }

    /// Names of all Nodes that a prefix leads to.
    pub fn node_names(&self) -> HashSet<&str> {
        self.lengths.iter().flat_map(|(_, addrs)| addrs.values()).filter_map(|peer| peer.node.as_deref()).collect()
    }

    /// The prefixes whose Node is known, with its name, in the order of [`Self::prefixes`].
    pub fn nodes(&self) -> Vec<(Ipv6Addr, u8, String)> {
        let mut all: Vec<_> = (self.lengths.iter())
            .flat_map(|(bits, addrs)| {
                let named = |(addr, peer): (&u128, &Peer)| {
                    Some((Ipv6Addr::from(*addr), *bits, peer.node.as_deref()?.to_owned()))
                };
                addrs.iter().filter_map(named).collect::<Vec<_>>()
            })
            .collect();
        all.sort_by_key(|(addr, bits, _)| (u8::MAX - bits, *addr));
        all
    }

    /// At most `most` prefixes with their classes, and the number of those left out. They are for the kernel's map,
    /// which needs only classes, and only for overflow rows. A prefix of the same class as the next wider one is
    /// redundant. Beyond `most`, the narrowest are left out.
    pub fn class_prefixes(&self, most: usize) -> (Vec<(Ipv6Addr, u8, PeerClass)>, usize) {
        let is_needed = |(addr, bits, class): &(Ipv6Addr, u8, PeerClass)| {
            let wider = self.lengths.iter().filter(|(b, _)| b < bits);
            let wider = wider.into_iter().find_map(|(b, addrs)| addrs.get(&masked(*addr, *b)));
            wider.map_or(PeerClass::External, |peer| peer.class) != *class
        };
        let mut all: Vec<_> = self.prefixes().into_iter().filter(is_needed).collect();
        all.sort_by_key(|(addr, bits, _)| (*bits, *addr));
        let over = all.len().saturating_sub(most);
        all.truncate(most);
        (all, over)
    }
}

fn masked(addr: Ipv6Addr, bits: u8) -> u128 {
    let shift = 128 - u32::from(bits);
    u128::from(addr).checked_shr(shift).map_or(0, |high| high.checked_shl(shift).unwrap_or(0))
}

#[cfg(test)]
mod tests;
