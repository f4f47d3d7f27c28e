//! Edges summed by the Node at the other end: small enough to ask of every agent in a large cluster.

use crate::{
    api::{Excused, PeerRow, RttBaseline},
    sample::{Losses, Tally},
    state::{EdgeView, NodeView, PathRtt, SubjectId},
};
use netwhy_abi::{Failure, Role};
use std::{collections::BTreeSet, net::IpAddr};

/// Shared by the edges of a row: peer Node, class and, if it was asked for, address.
type Group<'a> = (Option<&'a str>, &'static str, Option<IpAddr>);

/// Rows of `/api/v1/edges?by=peer_node` of the subjects that `shows` accepts, ordered by (Node, class). Addresses in
/// `split` have rows of their own.
pub fn peers(view: &NodeView, split: &BTreeSet<IpAddr>, shows: impl Fn(&SubjectId) -> bool) -> Vec<PeerRow> {
    let rows = PeerRows::new(view, split, shows);
    rows.each().collect()
}

/// Source of these rows, for making them one by one.
pub struct PeerRows<'a> {
    view: &'a NodeView,
    split: &'a BTreeSet<IpAddr>,
    /// The rows' edges, one row after the other.
    edges: Vec<&'a EdgeView>,
}

impl<'a> PeerRows<'a> {
    /// As [`peers`].
    pub fn new(view: &'a NodeView, split: &'a BTreeSet<IpAddr>, shows: impl Fn(&SubjectId) -> bool) -> Self {
        let mut edges: Vec<&EdgeView> = view.edges.iter().filter(|edge| shows(&edge.subject)).collect();
        // Those of one row stay in the view's order.
        edges.sort_by(|a, b| group(a, split).cmp(&group(b, split)));
        Self { view, split, edges }
    }

    /// The rows.
    pub fn each(&self) -> impl Iterator<Item = PeerRow> {
        let (view, split) = (self.view, self.split);
        let rows = self.edges.chunk_by(move |a, b| group(a, split) == group(b, split));
        rows.map(move |edges| row(view, group(edges[0], split), edges))
    }
}

fn group<'a>(edge: &'a EdgeView, split: &BTreeSet<IpAddr>) -> Group<'a> {
    // A redirect leads elsewhere than to the address.
    let address = Some(edge.peer.to_canonical()).filter(|address| split.contains(address) && !edge.redirected);
    (edge.peer_node.as_deref(), edge.class.label(), address)
}

fn row(view: &NodeView, (peer, class, address): Group<'_>, edges: &[&EdgeView]) -> PeerRow {
    let (mut sum, mut losses) = (Tally::default(), Losses::default());
    for edge in edges {
        sum.add(&edge.window);
        losses.add(edge.losses());
    }
    let quantile = |q: f64| sum.rtt.quantile_us(q).map(|us| us / 1e6);
    PeerRow {
        node: view.node.clone(),
        zone: view.zone.as_deref().map(str::to_owned),
        peer_node: peer.map(str::to_owned),
        peer_zone: edges
            .iter()
            .find_map(|edge| edge.peer_zone.as_deref())
            .filter(|_| peer.is_some())
            .map(str::to_owned),
        peer: address.map(|address| address.to_string()),
        peer_pod: address.and_then(|_| edges.iter().find_map(|edge| edge.peer_pod.as_deref())).map(str::to_owned),
        answered: edges.iter().any(|edge| edge.answered),
        accepted: Some(edges.iter().any(|edge| accepts(edge))),
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
        rtt_rise: rtt_rise(edges),
        segments_sent: losses.segments,
        loss_episodes: losses.episodes,
        loss_baseline: loss_baseline(edges),
        excused: excused(edges),
        retransmitted_segments: sum.retransmitted(),
        connects: sum.connects.iter().sum(),
        connect_failures: sum.failed_attempts(),
    }
}

fn accepts(edge: &EdgeView) -> bool {
    edge.recent.connects(Role::Client) + edge.recent.failures(Failure::Refused) > 0
}

fn min_rtt_baseline(edges: &[&EdgeView]) -> Option<RttBaseline> {
    lowest(edges.iter().filter_map(|edge| edge.usual.path.as_ref()))
}

fn rtt_rise(edges: &[&EdgeView]) -> Option<RttBaseline> {
    let is_known = edges.iter().any(|edge| edge.usual.path.is_some());
    lowest(edges.iter().filter(|_| !is_known).filter_map(|edge| edge.usual.rise.as_ref()))
}

fn lowest<'a>(rtts: impl Iterator<Item = &'a PathRtt> + Clone) -> Option<RttBaseline> {
    let lowest = |of: fn(&PathRtt) -> f64| rtts.clone().map(of).min_by(f64::total_cmp);
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
mod tests;
