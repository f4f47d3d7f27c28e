//! The peer behind an address.

use super::Join;
use crate::{
    peers::{Peer, PeerKind, mapped},
    state::SubjectId,
};
use netwhy_abi::{EdgeKey, PeerClass};
use std::net::Ipv6Addr;

impl Join {
    /// Addresses of a cgroup's Pod: the clients of its connections. Empty: none is known.
    pub(super) fn clients(&self, cgroup: u64) -> Vec<Ipv6Addr> {
        self.owners.get(&cgroup).map_or_else(Vec::new, |owner| self.addresses(&owner.subject))
    }

    /// The same of a subject.
    pub(super) fn addresses(&self, subject: &SubjectId) -> Vec<Ipv6Addr> {
        let pod = self.subjects.get(subject).and_then(|subject| subject.pod.as_ref());
        pod.into_iter().flat_map(|pod| &pod.addresses).map(|ip| mapped(*ip)).collect()
    }

    /// The peer behind an edge of these clients. A redirected one leads to this Node, whatever its address.
    pub(super) fn peer_behind(&self, clients: &[Ipv6Addr], key: &EdgeKey) -> Peer {
        if key.redirected != 0 {
            let (node, zone) = (Some(self.node.clone()), self.peers.own_zone.clone());
            return Peer { node, zone, ..Peer::range(PeerClass::SameNode) };
        }
        self.peer_of(clients, Ipv6Addr::from(key.addr))
    }

    /// The peer behind an address, for these clients: the backend that the kernel translates to, if there is one.
    fn peer_of(&self, clients: &[Ipv6Addr], addr: Ipv6Addr) -> Peer {
        let mut clients = clients.iter().copied();
        let Some(client) = clients.find(|client| self.translations.is_translated(*client, addr)) else {
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
                node: Some(self.node.clone()),
                pod: Some(format!("{}/{}", pod.namespace, pod.name).into()),
                zone: self.peers.own_zone.clone(),
            },
            None => self.peers.find(addr).clone(),
        }
    }
}
