//! Losses as evidence, from the data of one Node.

use super::suspects::{Evidence, Suspects, Trouble};
use crate::{
    blame::{HEAVY_LOSS, loss_nats},
    hints::{
        context::{Context, Edge, EdgeIx, SubjectIx},
        memory::edge::EdgeMemory,
    },
    sample::{Losses, RECENT},
    state::PeerId,
};
use netwhy_abi::Role;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Edges that were tested for loss, with their subjects.
#[derive(Default)]
pub(crate) struct Tested {
    pub(crate) lossy: BTreeMap<EdgeIx, SubjectIx>,
    pub(crate) clean: BTreeMap<EdgeIx, SubjectIx>,
}

/// Peers of the tested edges.
pub(crate) struct TestedPeers {
    pub(crate) lossy: BTreeSet<PeerId>,
    /// Lossy and clean ones.
    pub(crate) all: BTreeSet<PeerId>,
}

impl Tested {
    pub(crate) fn peers(&self, context: &Context<'_>) -> TestedPeers {
        let peers = |edges: &BTreeMap<EdgeIx, SubjectIx>| -> BTreeSet<PeerId> {
            edges.keys().map(|ix| context.edge(*ix)).filter(|e| e.is_remote()).map(|e| e.view.peer_id()).collect()
        };
        let lossy = peers(&self.lossy);
        let all = lossy.union(&peers(&self.clean)).cloned().collect();
        TestedPeers { lossy, all }
    }

    /// All tested edges as evidence.
    pub(crate) fn suspects<'c, 'a>(&self, context: &'c Context<'a>) -> Suspects<'c, 'a> {
        let edges =
            |of: &BTreeMap<EdgeIx, SubjectIx>| -> Vec<&'c Edge<'a>> { of.keys().map(|ix| context.edge(*ix)).collect() };
        let (lossy, clean) = (edges(&self.lossy), edges(&self.clean));
        let is_new = lossy.iter().all(|edge| edge.is_new_loss(context.at));
        let all = |edge: &Edge<'_>| if is_new { edge.recent_losses() } else { edge.losses() };
        let row = |edge: &Edge<'_>, losses: Losses| {
            let mut nats = loss_nats(losses.segments, losses.episodes, edge.loss_baseline);
            let bursts = in_bursts(edge, &nats);
            nats.extend(bursts);
            Evidence::new(edge.ix, nats)
        };
        // A clean edge counts as far as it would show such loss: with what it sent since the loss began, with segments
        // of that size, and if its peer still answers. A tick without a walk is no reason to forget it.
        let full_size = lossy.iter().any(|edge| edge.has_full_size_timeouts());
        let sent = |edge: &Edge<'_>| {
            let would_show = edge.keeps_answering() && edge.would_show(full_size);
            if would_show { all(edge) } else { Losses { episodes: 0, segments: 0 } }
        };
        let rows = lossy.iter().map(|edge| row(edge, all(edge)));
        let rows = rows.chain(clean.iter().map(|edge| row(edge, sent(edge))));
        Suspects::new(context, Trouble::Path, rows.collect())
    }
}

/// The same evidence under a fault that stops all packets for moments, both ways, as heavy losses may come about. A
/// server sends when a request got through, so that it loses only what is on its way when such a moment begins: its
/// losses speak for the fault, and their absence does not speak against it.
fn in_bursts(edge: &Edge<'_>, steady: &[f64]) -> Vec<f64> {
    let mut most = 0.0_f64;
    let of_server = |nats: &f64| {
        most = most.max(*nats);
        most
    };
    let nats: Vec<f64> = match edge.view.role {
        Some(Role::Server) => steady.iter().map(of_server).collect(),
        _ => steady.to_vec(),
    };
    nats[HEAVY_LOSS.min(nats.len())..].to_vec()
}

impl Edge<'_> {
    /// All of its losses are of the last seconds, and none went before that the window has forgotten.
    fn is_new_loss(&self, now: Duration) -> bool {
        let since = self.memory.and_then(EdgeMemory::loss_since);
        let lasts = since.is_some_and(|since| now.saturating_sub(since) > RECENT);
        !lasts && self.view.recent.loss_episodes >= self.losses().episodes
    }

    fn recent_losses(&self) -> Losses {
        Losses { episodes: self.view.recent.loss_episodes, segments: self.view.recent.data_segs_out }
    }
}

#[cfg(test)]
mod tests;
