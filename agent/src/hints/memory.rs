//! Normal values, learned from windows without a finding.

pub(crate) mod mean;
pub(crate) mod minimum;
pub(crate) mod path;
pub(crate) mod rise;
pub(crate) mod lowest;
pub(crate) mod tail;
pub(crate) mod stuck;
pub(crate) mod failures;
pub(crate) mod history;
pub(crate) mod pending;
pub(crate) mod young;
pub(crate) mod requests;
pub(crate) mod silence;
pub(crate) mod edge;
pub(crate) mod pools;
pub(crate) mod readers;
pub(crate) mod resets;
pub(crate) mod cuts;
pub(crate) mod needless;
pub(crate) mod moments;
pub(crate) mod edges;
pub(crate) mod host;
pub(crate) mod dns;
pub(crate) mod servers;
pub(crate) mod shares;
pub(crate) mod vanished;
pub(crate) mod walks;

use super::{rule::Family, thresholds::Thresholds};
use crate::state::{EdgeView, NodeView, SubjectId};
use dns::DnsMemory;
use edges::EdgeMemories;
use host::HostMemory;
use mean::Step;
use servers::ServerMemory;
use std::collections::BTreeSet;
use vanished::Vanished;
use walks::Walks;

/// Families and subjects with a finding or an open hint.
pub(crate) type Troubled = BTreeSet<(Family, SubjectId)>;

/// Everything that one Node's agent remembers between ticks.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) edges: EdgeMemories,
    pub(crate) host: HostMemory,
    pub(crate) dns: DnsMemory,
    pub(crate) servers: ServerMemory,
    pub(crate) vanished: Vanished,
    pub(crate) walks: Walks,
}

/// The windows that are safe to learn from.
pub(crate) struct Clean<'a> {
    /// Whether each edge of the view has no finding and no open hint.
    pub(crate) edges: &'a [bool],
    pub(crate) troubled: &'a Troubled,
}

impl Memory {
    /// Records the facts that need no judgement. Call once per tick, before judging.
    pub(crate) fn observe(&mut self, view: &NodeView, keys: &[u64], thresholds: &Thresholds) {
        self.edges.observe(view, keys, thresholds);
        self.servers.observe(view, thresholds);
        self.walks.observe(view.walked_at);
        self.edges.observe_shares(view, keys, &self.walks);
        let edges = &self.edges;
        self.vanished.observe(view, keys, |edge, key| edges.known(key, edge.class).edge?.quiet());
    }

    /// Learns normal values from clean edges and subjects. Call once per tick, after judging.
    pub(crate) fn learn(&mut self, view: &NodeView, keys: &[u64], thresholds: &Thresholds, clean: &Clean<'_>) {
        let Some(step) = Step::new(view, self.edges.tick) else { return };
        let edges = view.edges.iter().zip(keys.iter().copied()).zip(clean.edges);
        // An edge on which a request only waits has no window to learn from.
        let edges = edges.filter(|((edge, _), clean)| **clean && !edge.window.is_zero());
        let edges: Vec<(&EdgeView, u64)> = edges.map(|(edge, _)| edge).collect();
        let troubled = keys.iter().zip(clean.edges).filter(|(_, clean)| !**clean);
        troubled.for_each(|(key, _)| self.edges.distrust(*key));
        self.edges.learn(&edges, view.at, thresholds, step);
        self.host.learn(view, step.keep, clean.troubled);
        self.dns.learn(view, thresholds, step, clean.troubled);
        self.servers.learn(view, step, thresholds, clean.troubled);
    }
}
