//! Clients that used to ask and fell quiet. Their edges leave the window soon, and are evidence for longer.

use crate::state::{EdgeView, NodeView};
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
    /// Takes note of a tick. `quiet`: how rare it is that this edge is as quiet as now, nats; `None`: it is not, or
    /// nothing is known.
    pub(crate) fn observe(&mut self, view: &NodeView, keys: &[u64], quiet: impl Fn(u64, &EdgeView) -> Option<f64>) {
        for (edge, key) in view.edges.iter().zip(keys) {
            match quiet(*key, edge) {
                None => {
                    self.edges.remove(key);
                }
                Some(nats) if self.edges.len() < MOST => {
                    let new = || Quiet { since: view.at, edge: edge.clone(), nats };
                    self.edges.entry(*key).or_insert_with(new);
                }
                Some(_) => {}
            }
        }
        self.edges.retain(|_, quiet| view.at.saturating_sub(quiet.since) < KEEP);
    }

    /// The edges, with their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Quiet)> {
        self.edges.iter().map(|(key, quiet)| (*key, quiet))
    }
}
