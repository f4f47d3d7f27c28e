//! Edges summed by the Node at the other end: small enough to ask of every agent in a large cluster.

use crate::{
    api::{Excused, PeerRow, RttBaseline},
    sample::{Losses, Tally},
    state::{EdgeView, NodeView, PathRtt, SubjectId},
};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of `/api/v1/edges?by=peer_node` of the subjects that `shows` accepts, ordered by (Node, class).
pub fn peers(view: &NodeView, shows: impl Fn(&SubjectId) -> bool) -> Vec<PeerRow> {
    let mut groups: BTreeMap<(Option<&str>, &'static str), Vec<&EdgeView>> = BTreeMap::new();
    for edge in view.edges.iter().filter(|edge| shows(&edge.subject)) {
        groups.entry((edge.peer_node.as_deref(), edge.class.label())).or_default().push(edge);
    }
    groups.into_iter().map(|((peer, class), edges)| row(view, peer, class, &edges)).collect()
}

fn row(view: &NodeView, peer: Option<&str>, class: &str, edges: &[&EdgeView]) -> PeerRow {
    let (mut sum, mut losses) = (Tally::default(), Losses::default());
    for edge in edges {
        sum.add(&edge.window);
        losses.add(edge.losses());
    }
    let quantile = |q: f64| sum.rtt.quantile_us(q).map(|us| us / 1e6);
    PeerRow {
        node: view.node.clone(),
        peer_node: peer.map(str::to_owned),
        class: class.to_owned(),
        edges: edges.len() as u64,
        sending_edges: edges.iter().filter(|edge| edge.losses().segments > 0).count() as u64,
        lossy_edges: edges.iter().filter(|edge| edge.losses().episodes > 0).count() as u64,
        subjects: edges.iter().map(|edge| &edge.subject).collect::<BTreeSet<_>>().len() as u64,
        window_seconds: view.window.as_secs_f64(),
        rtt_samples: sum.rtt.count(),
        rtt_p50_seconds: quantile(0.5),
        rtt_p99_seconds: quantile(0.99),
        min_rtt_seconds: sum.min_rtt_us.map(|us| f64::from(us) / 1e6),
        min_rtt_baseline: min_rtt_baseline(edges),
        segments_sent: losses.segments,
        loss_episodes: losses.episodes,
        loss_baseline: loss_baseline(edges),
        excused: excused(edges),
        retransmitted_segments: sum.retransmitted(),
        connects: sum.connects.iter().sum(),
        connect_failures: sum.connect_failures.iter().sum(),
    }
}

fn min_rtt_baseline(edges: &[&EdgeView]) -> Option<RttBaseline> {
    let lowest =
        |of: fn(&PathRtt) -> f64| edges.iter().filter_map(|e| e.usual.path.as_ref()).map(of).min_by(f64::total_cmp);
    Some(RttBaseline { now_seconds: lowest(|p| p.now_us)? / 1e6, usual_seconds: lowest(|p| p.usual_us)? / 1e6 })
}

fn excused(edges: &[&EdgeView]) -> Excused {
    let mut sum = Excused::default();
    for edge in edges.iter().filter(|edge| edge.usual.is_excused) {
        sum.sending_edges += u64::from(edge.losses().segments > 0);
        sum.lossy_edges += u64::from(edge.losses().episodes > 0);
        sum.segments_sent += edge.losses().segments;
        sum.loss_episodes += edge.losses().episodes;
    }
    sum
}

/// Weighted by what each edge sent now.
fn loss_baseline(edges: &[&EdgeView]) -> Option<f64> {
    let mut sum = (0.0, 0.0);
    for edge in edges.iter().filter(|edge| edge.losses().segments > 0) {
        let segments = edge.losses().segments as f64;
        sum = (sum.0 + segments * edge.usual.loss_ratio?, sum.1 + segments);
    }
    (sum.1 > 0.0).then(|| sum.0 / sum.1)
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
        assert_eq!((b.loss_baseline, b.min_rtt_baseline), (None, None), "nothing was learnt");
        let of_one: u64 = peers(&view, |s| s.name == "a-2").iter().map(|r| r.edges).sum();
        assert_eq!(of_one, 1);
    }

    #[test]
    fn what_is_normal_is_weighted_by_traffic_and_the_lowest_of_paths() {
        let mut view = fixture::view(vec![fixture::busy_pod("shop", "a-1"), fixture::busy_pod("shop", "a-2")]);
        for (edge, (segments, ratio, usual_us)) in view.edges.iter_mut().zip([(100, 0.01, 300.0), (300, 0.05, 200.0)]) {
            edge.window.data_segs_out = segments;
            edge.usual.loss_ratio = Some(ratio);
            edge.usual.path = Some(PathRtt { now_us: 2_000.0 + usual_us, usual_us });
        }
        let row = peers(&view, |_| true).remove(0);
        assert!((row.loss_baseline.unwrap() - 0.04).abs() < 1e-12);
        assert_eq!(row.min_rtt_baseline, Some(RttBaseline { now_seconds: 2.2e-3, usual_seconds: 2e-4 }));
        assert_eq!(row.excused, Excused::default());
        view.edges[1].usual.is_excused = true;
        let excused = peers(&view, |_| true).remove(0).excused;
        let lossy_edges = u64::from(view.edges[1].window.loss_episodes > 0);
        assert_eq!((excused.sending_edges, excused.lossy_edges, excused.segments_sent), (1, lossy_edges, 300));
        assert_eq!(excused.loss_episodes, view.edges[1].window.loss_episodes);
        // One that sent without a baseline leaves the sum unknown; one that sent nothing does not.
        view.edges[0].usual.loss_ratio = None;
        assert_eq!(peers(&view, |_| true).remove(0).loss_baseline, None);
        view.edges[0].window.data_segs_out = 0;
        assert_eq!(peers(&view, |_| true).remove(0).loss_baseline, Some(0.05));
    }
}
