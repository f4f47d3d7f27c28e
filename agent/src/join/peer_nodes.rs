//! Sums by Node at the other end, of a bounded number of Nodes.

use crate::{peers::PeerTable, sample::Tally};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Sums by Node. `None`: all Nodes without sums of their own.
#[derive(Debug, Default)]
pub(super) struct PeerNodes {
    sums: BTreeMap<Option<Arc<str>>, Tally>,
    /// Nodes with sums of their own that the cluster has no more.
    gone: BTreeSet<Arc<str>>,
}

impl PeerNodes {
    /// Takes in which Nodes there are.
    pub(super) fn set_known(&mut self, peers: &PeerTable) {
        let known = peers.node_names();
        self.gone = self.sums.keys().flatten().filter(|node| !known.contains(&***node)).cloned().collect();
    }

    /// Adds traffic with a Node. When `most` Nodes have sums of their own, one that is gone gives its place to the next,
    /// and leaves its counts to the others' sum.
    pub(super) fn add(&mut self, node: Arc<str>, tally: &Tally, most: usize) {
        let node = Some(node);
        if !self.sums.contains_key(&node) && !self.has_place(most) {
            self.sums.entry(None).or_default().add(tally);
        } else {
            self.sums.entry(node).or_default().add(tally);
        }
    }

    fn has_place(&mut self, most: usize) -> bool {
        let own = self.sums.len() - usize::from(self.sums.contains_key(&None));
        if own < most {
            return true;
        }
        let left = self.gone.pop_first().and_then(|node| self.sums.remove(&Some(node)));
        let Some(left) = left else { return false };
        self.sums.entry(None).or_default().add(&left);
        true
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Option<Arc<str>>, &Tally)> {
        self.sums.iter()
    }
}

#[cfg(test)]
mod tests;
