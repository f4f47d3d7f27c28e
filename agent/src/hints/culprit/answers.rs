//! Late and missing answers as evidence, of all edges: those with answers as usual count as much.

use super::suspects::{CLEAN, Evidence, SHOWS, Scope, Suspects, Trouble};
use crate::hints::{
    context::{Context, Edge, EdgeIx},
    memory::{path::Path, tail::Above},
};
use netwhy_abi::Role;
use std::collections::{BTreeMap, BTreeSet};

/// Shares of the requests that a fault makes slow.
const SHARES: [f64; 5] = [0.015, 0.04, 0.12, 0.4, 0.9];
/// A fault makes at least this multiple of the usual share slow.
const LEAST_GROWTH: f64 = 2.0;
/// Highest share that a fault is expected to make slow: some requests always escape it.
const MOST: f64 = 0.95;
/// Answers in the last seconds that show a server to be alive.
const ALIVE: u64 = 3;

/// Answers of this Node's peers, or of its own servers.
#[derive(Default)]
pub(crate) struct Late {
    /// Edges that are slow, with the time that answers take longer, µs. `None`: not known.
    pub(crate) slow: BTreeMap<EdgeIx, Option<f64>>,
    /// Edges that were tested, and are as fast as usual.
    pub(crate) well: BTreeSet<EdgeIx>,
}

impl Late {
    /// Who may be at fault for answers that come late to this Node's clients.
    pub(crate) fn suspects<'c, 'a>(&self, context: &'c Context<'a>) -> Suspects<'c, 'a> {
        let least_us = self.least_us();
        let rows = context.edges().iter().filter_map(|edge| match edge.view.role {
            Some(Role::Server) => path_row(edge),
            _ => self.row(edge, least_us).or_else(|| path_row(edge)),
        });
        Suspects::new(context, Trouble::Answers, rows.collect())
    }

    /// Who may be at fault for answers of this Node's own servers, by the edges of their clients.
    pub(crate) fn servers<'c, 'a>(&self, context: &'c Context<'a>) -> Suspects<'c, 'a> {
        let least_us = self.least_us();
        let serving = context.edges().iter().filter(|edge| edge.view.role == Some(Role::Server));
        Suspects::new(context, Trouble::Serving, serving.filter_map(|edge| self.row(edge, least_us)).collect())
    }

    /// The smallest delay: what would not show it acquits nobody.
    fn least_us(&self) -> Option<f64> {
        self.slow.values().flatten().copied().reduce(f64::min)
    }

    /// `least_us`: the smallest delay.
    fn row(&self, edge: &Edge<'_>, least_us: Option<f64>) -> Option<Evidence> {
        let above = |delay_us: f64| edge.requests().and_then(|(now, known)| known.above(now, delay_us)).map(nats);
        let nats = match self.slow.get(&edge.ix) {
            Some(delay_us) => {
                delay_us.and_then(above).filter(|nats| shows(nats)).unwrap_or_else(|| at_all_shares(SHOWS))
            }
            None => match least_us.and_then(above) {
                Some(nats) => nats,
                None if self.well.contains(&edge.ix) && edge.requests().is_none() => at_all_shares(CLEAN),
                None => return None,
            },
        };
        Some(Evidence::new(edge.ix, nats))
    }
}

/// Round trips as fast as usual acquit the path, whatever programs do.
fn path_row(edge: &Edge<'_>) -> Option<Evidence> {
    let row = Evidence { edge: edge.ix, nats: at_all_shares(CLEAN), scope: Scope::Path };
    (edge.is_remote() && edge.path == Some(Path::Usual) && edge.acknowledges()).then_some(row)
}

/// The same evidence at each share.
pub(super) fn at_all_shares(nats: f64) -> Vec<f64> {
    vec![nats; SHARES.len()]
}

pub(super) fn shows(nats: &[f64]) -> bool {
    nats.iter().any(|nats| *nats > 0.0)
}

/// `ln(P(so many slow ones | a fault that makes this share slow) / P(so many | normal))`, per share.
pub(super) fn nats(above: Above) -> Vec<f64> {
    let Above { slow, requests, normal } = above;
    share_nats((slow, requests), normal)
}

/// The same of `bad` among `all` events, of which a share `normal` is usually bad.
pub(super) fn share_nats((bad, all): (f64, f64), normal: f64) -> Vec<f64> {
    let normal = normal.clamp(1e-6, 0.5);
    let nats = |share: &f64| {
        let share = share.max(LEAST_GROWTH * normal).min(MOST);
        bad * (share / normal).ln() + (all - bad).max(0.0) * ((1.0 - share) / (1.0 - normal)).ln()
    };
    SHARES.iter().map(nats).collect()
}

/// Who may be at fault for requests without any answer. `stuck`: their edges at this Node's clients.
pub(crate) fn unanswered<'c, 'a>(context: &'c Context<'a>, stuck: &BTreeSet<EdgeIx>) -> Suspects<'c, 'a> {
    let rows = context.edges().iter().filter_map(|edge| match edge.view.role {
        Some(Role::Client) => missing(edge, stuck.contains(&edge.ix)),
        _ => None,
    });
    Suspects::new(context, Trouble::Answers, rows.collect())
}

/// The same for requests that arrived at this Node's servers. `stuck`: the edges of the clients that wait.
pub(crate) fn unread<'c, 'a>(context: &'c Context<'a>, stuck: &BTreeSet<EdgeIx>) -> Suspects<'c, 'a> {
    let serving = context.edges().iter().filter(|edge| edge.view.role == Some(Role::Server));
    let rows = serving.filter_map(|edge| missing(edge, stuck.contains(&edge.ix)));
    Suspects::new(context, Trouble::Serving, rows.collect())
}

/// `None`: the edge shows neither answers nor their absence.
fn missing(edge: &Edge<'_>, is_stuck: bool) -> Option<Evidence> {
    let responses = edge.view.responses.as_deref()?;
    let answered = responses.recent.durations.count().saturating_sub(responses.recent.unanswered);
    match (is_stuck, responses.waiting) {
        (true, _) => Some(Evidence::new(edge.ix, vec![SHOWS])),
        (false, None) if answered >= ALIVE => Some(Evidence::new(edge.ix, vec![CLEAN])),
        (false, _) => None,
    }
}

#[cfg(test)]
mod tests;
