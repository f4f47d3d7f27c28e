//! Clients that used to ask and fell quiet. Their edges leave the window soon, and are evidence for longer.

use crate::state::{EdgeView, NodeView};
use netwhy_abi::Role;
use std::{collections::BTreeMap, time::Duration};

/// Time for which an edge that fell quiet is kept.
const KEEP: Duration = Duration::from_secs(60);
/// Most edges that are kept, about a kilobyte each.
const MOST: usize = 1_024;

/// An edge of a client that fell quiet.
#[derive(Clone, Debug)]
pub(crate) struct Quiet {
    /// When it was found quiet.
    since: Duration,
    /// As it was then.
    pub(crate) edge: EdgeView,
    /// How rare that is here, nats.
    pub(crate) nats: f64,
}

/// Edges of clients that fell quiet, by key.
#[derive(Debug, Default)]
pub(crate) struct Vanished {
    edges: BTreeMap<u64, Quiet>,
}

impl Vanished {
    /// Takes note of a tick. `rarity`: how rare it is that this edge is quiet, nats; `None`: it is not rare.
    pub(crate) fn observe(&mut self, view: &NodeView, keys: &[u64], rarity: impl Fn(&EdgeView, u64) -> Option<f64>) {
        for (edge, key) in view.edges.iter().zip(keys).filter(|(edge, _)| edge.role == Some(Role::Server)) {
            if edge.recent.has_answer() {
                self.edges.remove(key);
            } else if self.edges.len() < MOST
                && !self.edges.contains_key(key)
                && let Some(nats) = rarity(edge, *key)
            {
                self.edges.insert(*key, Quiet { since: view.at, edge: edge.clone(), nats });
            }
        }
        self.edges.retain(|_, quiet| view.at.saturating_sub(quiet.since) < KEEP);
    }

    /// The edges, with their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Quiet)> {
        self.edges.iter().map(|(key, quiet)| (*key, quiet))
    }
}
