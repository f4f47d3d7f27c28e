//! Answers about an edge from all others. Each is found for all edges at once, when it is first asked for: in quiet
//! ticks nobody asks.

use super::{Context, Edge, EdgeIx, verdicts::PathVerdicts};
use crate::{
    hints::memory::{edge::EdgeMemory, path::Path},
    state::{Endpoint, PeerHost, PeerId},
};
use netwhy_abi::Role;
use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
};

/// All edges by what is asked about them.
#[derive(Default)]
pub(super) struct Beside {
    /// Endpoints that accepted a connection from this Node, as far as is remembered.
    accepted: OnceCell<BTreeSet<Endpoint>>,
    /// Addresses of other Nodes that acknowledge data or complete handshakes.
    answering: OnceCell<BTreeSet<Ipv6Addr>>,
    /// Peers that some connection reached as fast as usual in the last seconds.
    fast_peers: OnceCell<BTreeSet<PeerId>>,
    /// The first edge to each host.
    firsts: OnceCell<BTreeMap<PeerHost, EdgeIx>>,
    /// Resets that servers here sent in the window, by `namespace/name` and port.
    resets_sent: OnceCell<BTreeMap<String, BTreeMap<u16, u64>>>,
    /// Verdicts on what was sent again, by peer.
    verdicts: OnceCell<PathVerdicts>,
}

impl<'a> Context<'a> {
    /// A connection to the edge's address and port was accepted from this Node, as far as is remembered.
    pub(crate) fn was_accepted(&self, edge: &Edge<'_>) -> bool {
        let accepted = self.beside.accepted.get_or_init(|| {
            let accepted = self.edges().iter().filter(|edge| edge.memory.is_some_and(EdgeMemory::was_accepted));
            accepted.map(|edge| edge.view.endpoint()).collect()
        });
        accepted.contains(&edge.view.endpoint())
    }

    /// Peers other than `peer` that acknowledged data or completed a handshake with this Node.
    pub(crate) fn other_peers_answering(&self, peer: Ipv6Addr) -> usize {
        let answering = self.beside.answering.get_or_init(|| {
            let answering = self.edges().iter().filter(|edge| edge.is_remote() && edge.answers());
            answering.map(|edge| edge.view.peer).collect()
        });
        answering.len() - usize::from(answering.contains(&peer))
    }

    /// A connection to the same Node (the same address where no Node is known) is as fast as usual: so is the path.
    pub(crate) fn is_peer_fast(&self, edge: &Edge<'_>) -> bool {
        let fast = self.beside.fast_peers.get_or_init(|| {
            let usual = self.edges().iter().filter(|edge| edge.path == Some(Path::Usual));
            // Older samples, and a few among the newest, may date from before the path became longer.
            let is_fast = |edge: &&Edge<'_>| {
                self.memory.edges.known(edge.key, edge.view.class).is_fast(edge.view, self.thresholds)
            };
            usual.filter(is_fast).map(|edge| edge.view.peer_id()).collect()
        });
        fast.contains(&edge.view.peer_id())
    }

    /// The edge sent again no more than others to its peer did for nothing; see [`PathVerdicts::excuse`].
    pub(crate) fn is_excused_beside(&self, edge: &Edge<'_>) -> bool {
        let verdicts =
            || self.beside.verdicts.get_or_init(|| PathVerdicts::new(self.edges().iter().map(|edge| edge.view)));
        edge.fast_retransmits() > 0 && verdicts().excuse(edge.view, edge.memory, self.thresholds)
    }

    /// The first edge to a host. `None`: there is none.
    pub(crate) fn first_to(&self, host: PeerHost) -> Option<&Edge<'a>> {
        let firsts = self.beside.firsts.get_or_init(|| {
            let mut firsts = BTreeMap::new();
            self.edges().iter().for_each(|edge| {
                firsts.entry(edge.view.host()).or_insert(edge.ix);
            });
            firsts
        });
        firsts.get(&host).map(|ix| self.edge(*ix))
    }

    /// Resets that the servers of a Pod here, `namespace/name`, sent on a port in the window. `None`: there is no such
    /// server.
    pub(crate) fn resets_sent(&self, pod: &str, port: u16) -> Option<u64> {
        let sent = self.beside.resets_sent.get_or_init(|| {
            let mut sent: BTreeMap<String, BTreeMap<u16, u64>> = BTreeMap::new();
            for edge in self.edges().iter().filter(|edge| edge.view.role == Some(Role::Server)) {
                let of = &edge.view.subject;
                let ports = sent.entry(format!("{}/{}", of.namespace, of.name)).or_default();
                *ports.entry(edge.view.port).or_default() += edge.tally().resets_sent;
            }
            sent
        });
        sent.get(pod)?.get(&port).copied()
    }
}
