//! Late and missing answers as evidence, of all edges: those with answers as usual count as much.

use super::suspects::{CLEAN, Evidence, SHOWS, Scope, Suspects, Trouble};
use crate::{
    hints::{
        context::{Context, Edge, EdgeIx},
        memory::{path::Path, tail::Above},
        stats::poisson_tail_ln,
    },
    sample::Losses,
};
use netwhy_abi::Role;
use std::collections::{BTreeMap, BTreeSet};

/// Shares of the requests that a fault makes slow.
const SHARES: [f64; 5] = [0.015, 0.04, 0.12, 0.4, 0.9];
/// A fault makes at least this multiple of the usual share slow.
const LEAST_GROWTH: f64 = 2.0;
/// Highest share that a fault is expected to make slow: some requests always escape it.
const MOST: f64 = 0.95;
/// Steps of [`SHARES`] by which the share of late requests may be above that of lost packets: ten packets a request.
const SEVERAL: usize = 2;
/// Delay from which a packet may have been lost and sent again, µs: timers take 0.2 s at least.
pub(crate) const RESENT_US: f64 = 150_000.0;
/// Loss episodes of an edge that prove losses …
const MIN_EPISODES: u64 = 3;
/// … if chance has as many in 1 of 1,000 windows at most.
const ODD: f64 = 1e-3;
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
            Some(Role::Server) => path_row(edge, least_us),
            _ => self.row(edge, least_us).or_else(|| path_row(edge, least_us)),
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

/// Round trips as fast as usual acquit the path, whatever programs do. They say nothing of packets that are lost: where
/// answers are as late as timers make them, segments that had to be sent again speak too, and those that had not.
/// `least_us`: the smallest delay.
fn path_row(edge: &Edge<'_>, least_us: Option<f64>) -> Option<Evidence> {
    let is_usual = edge.is_remote() && edge.path == Some(Path::Usual) && edge.acknowledges();
    let may_be_lost = edge.is_remote() && least_us.is_some_and(|us| us >= RESENT_US);
    let nats = match sent_again(edge).filter(|_| may_be_lost) {
        Some(nats) if loses(edge) => late_by_losses(&nats),
        // Probes alone may be a habit of the receiver, which acknowledges late.
        Some(nats) if shows(&nats) => return None,
        Some(nats) if is_usual => nats.into_iter().map(|nats| nats.max(CLEAN)).collect(),
        None if is_usual => at_all_shares(CLEAN),
        _ => return None,
    };
    Some(Evidence { edge: edge.ix, nats, scope: Scope::Path })
}

/// Segments that were sent again, needed or not: where acknowledgements are lost, so are answers. `None`: none was.
fn sent_again(edge: &Edge<'_>) -> Option<Vec<f64>> {
    let again = edge.tally().retransmitted_data();
    let counts = (again as f64, edge.tally().data_segs_out.max(again) as f64);
    (again > 0).then(|| share_nats(counts, edge.loss_baseline))
}

/// The same evidence where packets get lost for certain, by the share of the requests that this makes late: several
/// times the share of the packets, where each request has several, or less, where others tell of the loss before a
/// timer does.
fn late_by_losses(nats: &[f64]) -> Vec<f64> {
    let (level, most) = nats
        .iter()
        .copied()
        .enumerate()
        .fold((0, f64::NEG_INFINITY), |best, one| if one.1 > best.1 { one } else { best });
    nats.iter().enumerate().map(|(at, nats)| if at <= level + SEVERAL { most } else { *nats }).collect()
}

/// Packets of this edge get lost: more than chance explains.
pub(crate) fn loses(edge: &Edge<'_>) -> bool {
    let Losses { episodes, segments } = edge.losses();
    episodes >= MIN_EPISODES && poisson_tail_ln(episodes, segments as f64 * edge.loss_baseline) <= ODD.ln()
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
