//! RTT and loss between Nodes.

use super::{SilentAgent, nodes::MIN_SEGMENTS};
use crate::api::PeerRow;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The report of `matrix`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Matrix {
    /// Rows and columns, those with most loss first.
    pub nodes: Vec<String>,
    /// Pairs with traffic.
    pub pairs: Vec<Pair>,
    /// Agents that answered.
    pub agents: usize,
    /// Agents that did not answer: their rows are missing.
    pub not_answered: Vec<SilentAgent>,
}

/// Traffic of one window from one Node to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// The sending Node, whose agent measured it.
    pub from: String,
    /// The receiving Node.
    pub to: String,
    /// Lowest RTT, s: the path. `null`: no samples.
    pub min_rtt_seconds: Option<f64>,
    /// Median RTT, s, including the peers' reply time.
    pub rtt_p50_seconds: Option<f64>,
    /// Data segments sent.
    pub segments: u64,
    /// Loss episodes.
    pub episodes: u64,
    /// Episodes per segment. `null`: too few segments.
    pub loss: Option<f64>,
}

/// From all agents' rows.
pub fn matrix(rows: &[PeerRow], agents: usize, not_answered: Vec<SilentAgent>) -> Matrix {
    let mut pairs: BTreeMap<(&str, &str), Pair> = BTreeMap::new();
    for row in rows {
        let Some(peer) = row.peer_node.as_deref().filter(|peer| *peer != row.node) else { continue };
        let pair = pairs.entry((&row.node, peer)).or_insert_with(|| Pair {
            from: row.node.clone(),
            to: peer.to_owned(),
            min_rtt_seconds: None,
            rtt_p50_seconds: row.rtt_p50_seconds,
            segments: 0,
            episodes: 0,
            loss: None,
        });
        pair.segments += row.segments_sent;
        pair.episodes += row.loss_episodes;
        pair.min_rtt_seconds = [pair.min_rtt_seconds, row.min_rtt_seconds].into_iter().flatten().min_by(f64::total_cmp);
        pair.loss = (pair.segments >= MIN_SEGMENTS).then(|| pair.episodes as f64 / pair.segments as f64);
    }
    let pairs: Vec<Pair> = pairs.into_values().collect();
    let mut nodes: Vec<String> =
        pairs.iter().flat_map(|p| [&p.from, &p.to]).collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let mut weights: BTreeMap<&str, u64> = BTreeMap::new();
    for pair in &pairs {
        *weights.entry(&pair.to).or_default() += 2 * pair.episodes;
        *weights.entry(&pair.from).or_default() += pair.episodes;
    }
    nodes.sort_by_key(|node| std::cmp::Reverse(weights.get(node.as_str()).copied().unwrap_or(0)));
    Matrix { nodes, pairs, agents, not_answered }
}

impl Matrix {
    /// The pair. `None`: no traffic.
    pub fn pair(&self, from: &str, to: &str) -> Option<&Pair> {
        let at = self.pairs.binary_search_by(|p| (p.from.as_str(), p.to.as_str()).cmp(&(from, to)));
        at.ok().map(|at| &self.pairs[at])
    }

    /// Median of the lowest RTTs over all pairs, s.
    pub fn median_min_rtt(&self) -> Option<f64> {
        let mut all: Vec<f64> = self.pairs.iter().filter_map(|p| p.min_rtt_seconds).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests;
