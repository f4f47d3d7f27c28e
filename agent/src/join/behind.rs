//! The peer behind an address.

use super::Join;
use crate::peers::{Peer, PeerKind, mapped};
use netwhy_abi::{EdgeKey, PeerClass};
use std::net::Ipv6Addr;

impl Join {
    /// The peer behind an edge. A redirected one leads to this Node, whatever its address.
    pub(super) fn peer_behind(&self, key: &EdgeKey) -> Peer {
        if key.redirected != 0 {
            let (node, zone) = (Some(self.node.as_str().into()), self.peers.own_zone.clone());
            return Peer { node, zone, ..Peer::range(PeerClass::SameNode) };
        }
        self.peer_of(key.cgroup, Ipv6Addr::from(key.addr))
    }

    /// The peer behind an address, for one cgroup: the backend that the kernel translates to, if there is one.
    fn peer_of(&self, cgroup: u64, addr: Ipv6Addr) -> Peer {
        let subject = self.owners.get(&cgroup).and_then(|owner| self.subjects.get(&owner.subject));
        let clients = subject.and_then(|sums| sums.pod.as_ref()).into_iter().flat_map(|pod| &pod.addresses);
        let Some(client) = clients.map(|ip| mapped(*ip)).find(|ip| self.translations.is_translated(*ip, addr)) else {
            return self.peer(addr);
        };
        match self.translations.backend(client, addr) {
            Some(backend) => Peer { kind: PeerKind::Service, ..self.peer(backend) },
            None => Peer { kind: PeerKind::Service, ..Peer::range(PeerClass::InCluster) },
        }
    }

    /// The peer behind an address: one of this Node's Pods, else an entry of the peer table.
    fn peer(&self, addr: Ipv6Addr) -> Peer {
        let pod = self.pods.as_ref().and_then(|pods| pods.by_address(addr.to_canonical()));
        match pod {
            Some(pod) => Peer {
                class: PeerClass::SameNode,
                kind: PeerKind::Pod,
                node: Some(self.node.as_str().into()),
                pod: Some(format!("{}/{}", pod.namespace, pod.name).into()),
                zone: self.peers.own_zone.clone(),
            },
            None => self.peers.find(addr).clone(),
        }
    }
}
