//! Losses of a part of the connections to one peer: one of several paths between two Nodes. What is counted, and weighed,
//! see [`shares`](crate::hints::memory::shares).

use super::MIN_EPISODES;
use crate::{
    api::{Blame, BlameKind},
    hints::{
        context::{Context, Edge, EdgeIx},
        culprit::suspects::{Odds, is_service},
        finding::{Finding, evidence},
        memory::{
            edge::EdgeMemory,
            shares::{LossShare, has_like_segments},
        },
        stats::{percent, share_interval},
    },
    peers::PeerKind,
    sample::LossTicks,
};
use netwhy_abi::Role;

/// Lossy connections that a finding needs: one may have a reason of its own.
pub(super) const MIN_SOCKETS: f64 = 2.0;
/// Data segments on lossy connections that their share needs.
pub(super) const MIN_SEGMENTS: u64 = 20;
/// Share of the segments on lossy connections above which no others are left to compare with, 0 … 1.
const MOST: f64 = 0.8;
/// How often a part of a peer's connections is affected when a path between two Nodes is at fault: mostly it is one of
/// several paths. And when a Node is: in one of ten cases ([`posterior`](crate::blame::posterior)).
const OF_PATHS: f64 = 0.9;
const OF_NODES: f64 = 0.1;
/// Most evidence that counts are about the culprit, nats: one in some hundred times connections differ for a reason that
/// no count shows.
pub(super) const MOST_NATS: f64 = 6.0;
/// Odds from which a part is named that nothing gets through to: a probability of 0.9.
pub(super) const PART_NAMED: f64 = 9.0;
/// Edges of a Node, windows of a day, and days in which all of them may lose before a part is named by chance. Evidence
/// that is weighed again and again reaches `ln n` by chance once in `n` windows at most.
const WINDOWS_PER_ALARM: f64 = 500.0 * 8_640.0 * 100.0;

/// Loss that a part of the connections has, over one time.
#[derive(Clone, Copy)]
pub(super) struct Share(LossShare);

impl Share {
    /// Of edges that share their most likely culprit, with the odds of their components. `None`: all connections may lose
    /// alike, or it isn't known.
    pub(super) fn of(context: &Context<'_>, edges: &[EdgeIx]) -> Option<(Self, Odds)> {
        if !goes_on(context, edges) {
            return None;
        }
        let edges = || edges.iter().map(|ix| context.edge(*ix));
        let peer = edges().next()?.view.peer_id();
        if !edges().all(|edge| edge.view.peer_id() == peer && is_comparable(edge)) {
            return None;
        }
        let (mut sum, mut earlier) = (LossShare::default(), 0.0);
        for edge in edges() {
            let since = edge.memory.and_then(EdgeMemory::loss_since);
            let newest = LossShare::new(edge.view, since, (context.at, context.window), &context.memory.walks);
            newest.into_iter().for_each(|share| sum.add(share));
            earlier += edge.memory.map_or(0.0, |memory| memory.shares.earlier(since));
        }
        // Somebody looks each second, and the best look of a window is the one that counts.
        let nats = earlier + sum.nats() - context.window.as_secs_f64().max(1.0).ln();
        is_part(&sum, nats).then(|| (Self(sum), odds(MOST_NATS)))
    }

    /// The path as a culprit is a part of the paths.
    pub(super) fn narrow(mut blame: Blame) -> Blame {
        let narrow = |kind: &mut BlameKind| {
            if *kind == BlameKind::NodePair {
                *kind = BlameKind::PathShare;
            }
        };
        narrow(&mut blame.kind);
        blame.alternatives.iter_mut().for_each(|one| narrow(&mut one.kind));
        blame
    }

    /// Adds the share to a finding.
    pub(super) fn describe(&self, finding: Finding, place: &str) -> Finding {
        let Self(counts) = self;
        let (share, all) = (counts.share(), counts.again + counts.first);
        // As many connections in all as the segments of the lossy ones let expect.
        let (least, most) = share_interval(counts.sockets, counts.sockets / share.max(f64::MIN_POSITIVE));
        let mut numbers = finding.evidence;
        numbers.extend([
            evidence("share_of_lossy_connections", share, "ratio", place, "ebpf:tcp_sock"),
            evidence(
                "repeated_loss_episodes",
                counts.again as f64,
                &format!("of {all} episodes"),
                place,
                "ebpf:tcp_retransmit_skb",
            ),
        ]);
        Finding {
            summary: format!(
                "{}; only a part of the connections is affected: those with {} of the segments have {} of {all} loss \
                 episodes again and again ({:.0} connections, so {} to {} of all)",
                finding.summary,
                percent(share),
                counts.again,
                counts.sockets,
                percent(least),
                percent(most)
            ),
            evidence: numbers,
            ..finding
        }
    }
}

/// Odds of the components of an edge with this evidence that a part of its connections is affected.
pub(super) fn odds(nats: f64) -> Odds {
    let explained = |often: f64| often * nats.exp() + 1.0 - often;
    Odds { pair: explained(OF_PATHS) / explained(OF_NODES), ..Odds::EVEN }
}

/// `nats`: evidence so far.
fn is_part(counts: &LossShare, nats: f64) -> bool {
    counts.sockets >= MIN_SOCKETS
        && counts.again >= MIN_EPISODES
        && counts.lossy_segments >= MIN_SEGMENTS
        && counts.share() <= MOST
        && nats >= WINDOWS_PER_ALARM.ln()
}

/// Loss that goes on. Most losses of a short burst are on connections that it has just made lossy, whatever their path,
/// while their segments are counted for longer than it lasts.
fn goes_on(context: &Context<'_>, edges: &[EdgeIx]) -> bool {
    let (mut ticks, mut recent, mut before) = (LossTicks::default(), 0, 0);
    for edge in edges.iter().map(|ix| context.edge(*ix)) {
        let newest = edge.view.recent.loss_episodes;
        ticks.add(edge.view.loss_ticks);
        recent += newest;
        before += edge.tally().loss_episodes.saturating_sub(newest);
    }
    ticks.are_most().unwrap_or(recent > 0 && before > 0)
}

/// All its connections lead to one place, with segments that are about as likely to be lost.
fn is_comparable(edge: &Edge<'_>) -> bool {
    leads_to_one_place(edge) && has_like_segments(edge.view)
}

/// All its connections lead to one host on another Node, and its counts are of one time.
pub(super) fn leads_to_one_place(edge: &Edge<'_>) -> bool {
    let view = edge.view;
    // Translation may hide several places behind an address.
    let hides = is_service(edge) || (view.kind == PeerKind::Node && view.role == Some(Role::Server));
    // Walks are frequent, so that the counts are of one time.
    edge.is_remote() && view.peer_node.is_some() && !hides && view.walked.is_none()
}

#[cfg(test)]
mod tests;
