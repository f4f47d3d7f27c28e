//! Longer paths as evidence.

use super::{
    answers::{at_all_shares, nats, shows},
    suspects::{Evidence, SHOWS, Suspects, Trouble},
};
use crate::{
    blame::latency_nats,
    hints::{
        context::{Context, Edge, EdgeIx, SubjectIx},
        memory::{
            edge::EdgeMemory,
            path::{self, LongerEdge, Path, Rise},
        },
    },
    state::PeerId,
};
use netwhy_abi::Role;
use std::collections::{BTreeMap, BTreeSet};

/// One edge whose path became longer.
#[derive(Clone, Copy)]
pub(crate) struct Risen {
    pub(crate) edge: EdgeIx,
    pub(crate) subject: SubjectIx,
    pub(crate) rise: Rise,
}

/// The peers of this Node by the state of their paths.
#[derive(Default)]
pub(crate) struct Peers {
    /// Peers without an edge that is as fast as usual.
    pub(crate) longer: BTreeMap<PeerId, Vec<Risen>>,
    /// Peers with an edge that is as fast as usual.
    pub(crate) usual: BTreeSet<PeerId>,
    /// Edges to the latter that are longer for certain: something at their ends is.
    pub(crate) beside: Vec<Risen>,
}

/// Whether these edges, which share a path, prove that the path is longer.
pub(crate) fn is_proven(context: &Context<'_>, risen: &[Risen]) -> bool {
    path::is_proven(&longer(context, risen))
}

/// Whether a client's edge and a server's among these prove it.
pub(crate) fn rose_both_ways(context: &Context<'_>, risen: &[Risen]) -> bool {
    path::rose_both_ways(&longer(context, risen))
}

/// Whether these edges, which share the most likely culprit, became longer together.
pub(crate) fn shift_together(context: &Context<'_>, risen: &[Risen]) -> bool {
    path::shift_together(&longer(context, risen))
}

fn longer<'c>(context: &'c Context<'_>, risen: &[Risen]) -> Vec<LongerEdge<'c>> {
    let longer = |one: &Risen| {
        let (subject, edge) = (&context.subject(one.subject).view.id, context.edge(one.edge));
        LongerEdge {
            subject,
            peer: edge.view.peer,
            role: edge.view.role,
            rise: one.rise,
            since: edge.memory.and_then(EdgeMemory::rise_began),
        }
    };
    risen.iter().map(longer).collect()
}

impl Peers {
    /// All edges whose path is known as evidence. Those that were not fast in the last seconds acquit nobody.
    pub(crate) fn suspects<'c, 'a>(&self, context: &'c Context<'a>) -> Suspects<'c, 'a> {
        self.suspects_beside(context, |edge| edge.path == Some(Path::Usual) && context.is_peer_fast(edge))
    }

    /// The edges whose path became longer as evidence, and those that are as fast as usual.
    pub(crate) fn suspects_beside<'c, 'a>(
        &self,
        context: &'c Context<'a>,
        is_usual: impl Fn(&Edge<'_>) -> bool,
    ) -> Suspects<'c, 'a> {
        let longer = self
            .longer
            .values()
            .flatten()
            .chain(&self.beside)
            .map(|one| Evidence::new(one.edge, latency_nats(one.rise.now_us, one.rise.usual_us)));
        let usual = context.edges().iter().filter(|edge| edge.is_remote() && is_usual(edge));
        let usual = usual.map(|edge| Evidence::new(edge.ix, latency_nats(0.0, 0.0)));
        Suspects::new(context, Trouble::Path, longer.chain(usual).collect())
    }
}

/// Who may make paths longer now and then: all clients' requests are evidence, late or not. `slow`: edges that show it.
/// `least_us`: the smallest delay.
pub(crate) fn now_and_then<'c, 'a>(
    context: &'c Context<'a>,
    slow: &BTreeSet<EdgeIx>,
    least_us: f64,
) -> Suspects<'c, 'a> {
    let row = |edge: &Edge<'_>| {
        let above = edge.requests().and_then(|(now, known)| known.above_in_window(now, least_us)).map(nats);
        let nats = match slow.contains(&edge.ix) {
            true => above.filter(|nats| shows(nats)).unwrap_or_else(|| at_all_shares(SHOWS)),
            false => above?,
        };
        Some(Evidence::new(edge.ix, nats))
    };
    let asking = context.edges().iter().filter(|edge| edge.is_remote() && edge.view.role == Some(Role::Client));
    Suspects::new(context, Trouble::Path, asking.filter_map(row).collect())
}
