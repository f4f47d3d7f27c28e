//! Edges summed by the Node at the other end: small enough to be asked of every agent of a large cluster at once.

use crate::{
    sample::Tally,
    state::{EdgeView, NodeView, SubjectId},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All edges of this Node to one Node, over the window. Edges to addresses that no Node is known for are one row per
/// peer class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerRow {
    /// This Node.
    pub node: String,
    /// The Node at the other end. `null`: not known, or outside.
    pub peer_node: Option<String>,
    /// Peer class, such as `same_zone`.
    pub class: String,
    /// (Subject, remote address) pairs in it.
    pub edges: u64,
    /// Of these, pairs that sent data.
    pub sending_edges: u64,
    /// Of these, pairs with a loss episode.
    pub lossy_edges: u64,
    /// Subjects at this end.
    pub subjects: u64,
    /// Length of the window.
    pub window_seconds: f64,
    /// RTT samples.
    pub rtt_samples: u64,
    /// Median RTT.
    pub rtt_p50_seconds: Option<f64>,
    /// 99th percentile.
    pub rtt_p99_seconds: Option<f64>,
    /// Lowest.
    pub min_rtt_seconds: Option<f64>,
    /// Data segments sent, retransmissions included.
    pub segments_sent: u64,
    /// Bursts of retransmission.
    pub loss_episodes: u64,
    /// Retransmitted segments of all types.
    pub retransmitted_segments: u64,
    /// Completed handshakes, both roles.
    pub connects: u64,
    /// Failed attempts, all reasons.
    pub connect_failures: u64,
}

/// Rows of `/api/v1/edges?by=peer_node` of the subjects that `shows` accepts, ordered by (Node, class).
pub fn peers(view: &NodeView, shows: impl Fn(&SubjectId) -> bool) -> Vec<PeerRow> {
    let mut groups: BTreeMap<(Option<&str>, &'static str), Vec<&EdgeView>> = BTreeMap::new();
    for edge in view.edges.iter().filter(|edge| shows(&edge.subject)) {
        groups.entry((edge.peer_node.as_deref(), edge.class.label())).or_default().push(edge);
    }
    groups.into_iter().map(|((peer, class), edges)| row(view, peer, class, &edges)).collect()
}

fn row(view: &NodeView, peer: Option<&str>, class: &str, edges: &[&EdgeView]) -> PeerRow {
    let mut sum = Tally::default();
    for edge in edges {
        sum.add(&edge.window);
    }
    let quantile = |q: f64| sum.rtt.quantile_us(q).map(|us| us / 1e6);
    PeerRow {
        node: view.node.clone(),
        peer_node: peer.map(str::to_owned),
        class: class.to_owned(),
        edges: edges.len() as u64,
        sending_edges: edges.iter().filter(|edge| edge.window.data_segs_out > 0).count() as u64,
        lossy_edges: edges.iter().filter(|edge| edge.window.loss_episodes > 0).count() as u64,
        subjects: edges.iter().map(|edge| &edge.subject).collect::<BTreeSet<_>>().len() as u64,
        window_seconds: view.window.as_secs_f64(),
        rtt_samples: sum.rtt.count(),
        rtt_p50_seconds: quantile(0.5),
        rtt_p99_seconds: quantile(0.99),
        min_rtt_seconds: sum.min_rtt_us.map(|us| f64::from(us) / 1e6),
        segments_sent: sum.data_segs_out,
        loss_episodes: sum.loss_episodes,
        retransmitted_segments: sum.retransmitted(),
        connects: sum.connects.iter().sum(),
        connect_failures: sum.connect_failures.iter().sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixture;

    #[test]
    fn edges_to_one_node_are_one_row_that_sums_them() {
        let mut view = fixture::view(vec![fixture::busy_pod("shop", "a-1"), fixture::busy_pod("shop", "a-2")]);
        let mut stranger = view.edges[0].clone();
        stranger.peer_node = None;
        view.edges.push(stranger);
        let rows = peers(&view, |_| true);
        let of = |peer: Option<&str>| rows.iter().find(|r| r.peer_node.as_deref() == peer).unwrap();
        assert_eq!(rows.len(), 2);
        let (b, unknown) = (of(Some("node-b")), of(None));
        assert_eq!((b.edges, b.subjects, unknown.edges), (2, 2, 1));
        assert_eq!((b.sending_edges, b.lossy_edges), (2, 2));
        assert_eq!(b.segments_sent, 2 * unknown.segments_sent);
        assert_eq!(b.loss_episodes, 2 * unknown.loss_episodes);
        assert_eq!(b.min_rtt_seconds, unknown.min_rtt_seconds, "the lowest is no sum");
        let of_one: u64 = peers(&view, |s| s.name == "a-2").iter().map(|r| r.edges).sum();
        assert_eq!(of_one, 1);
    }
}
