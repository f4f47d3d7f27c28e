//! Losses of a part of the connections to one peer: one of several paths between two Nodes.
//!
//! Connections that lost a packet lately are compared with the others. If every segment has the same chance to be lost,
//! earlier losses of its connection say nothing about it. So the further losses of these connections should be as many as
//! their share of the segments, however few connections there are, and whichever lost first. That holds only for loss
//! that goes on.

use crate::{
    api::{Blame, BlameKind},
    hints::{
        context::{Context, Edge, EdgeIx},
        culprit::suspects::{Odds, is_service},
        finding::{Finding, evidence},
        memory::edge::EdgeMemory,
        stats::{LOSS_ALPHA, binomial_tail_ln, percent},
    },
    peers::PeerKind,
    sample::{LossTicks, Tally},
    state::RECENT,
};
use netwhy_abi::Role;

/// Losses of the time before, which show that the fault is older than the counts that are judged.
const MIN_BEFORE: u64 = 3;
/// Lossy connections that a finding needs: one may have a reason of its own.
const MIN_SOCKETS: f64 = 2.0;
/// Data segments on lossy connections that their share needs.
const MIN_SEGMENTS: u64 = 20;
/// Share of the segments on lossy connections above which no others are left to compare with, 0 … 1.
const MOST: f64 = 0.8;
/// Payload per data segment from which an edge has bulk senders, bytes. Queues and policers drop their trains of segments
/// rather than single ones, so that they lose more on the same path.
const BULK_PAYLOAD: u64 = 700;
/// Odds of a path over its ends when a part of the connections is affected. Faults of a Node spare most of a peer's
/// connections in one of ten cases ([`posterior`](crate::blame::posterior)); faults between two Nodes alone mostly hit one
/// of several paths.
const PATH_ODDS: f64 = 9.0;

/// Loss that a part of the connections has, over one time.
#[derive(Clone, Copy, Default)]
pub(super) struct Share {
    /// Losses of connections that had lost before, and of others.
    again: u64,
    first: u64,
    /// Data segments on connections that had lost before, and all.
    lossy_segments: u64,
    segments: u64,
    /// Mean number of such connections.
    sockets: f64,
}

impl Share {
    /// Of edges that share their most likely culprit. `None`: all connections may lose alike, or it isn't known.
    pub(super) fn of(context: &Context<'_>, edges: &[EdgeIx]) -> Option<Self> {
        if !goes_on(context, edges) {
            return None;
        }
        let edges = || edges.iter().map(|ix| context.edge(*ix));
        let peer = edges().next()?.view.peer_id();
        if !edges().all(|edge| edge.view.peer_id() == peer && is_comparable(edge)) {
            return None;
        }
        let mut sum = Self::default();
        edges().for_each(|edge| sum.add(context, edge));
        sum.is_part().then_some(sum)
    }

    fn add(&mut self, context: &Context<'_>, edge: &Edge<'_>) {
        // Segments of before the fault would make the others look clean.
        let since = edge.memory.and_then(EdgeMemory::loss_since);
        let is_old = since.is_some_and(|since| context.at.saturating_sub(since) >= context.window);
        let (window, recent) = (edge.tally(), &edge.view.recent);
        let (tally, seconds) = if is_old { (window, context.window) } else { (recent, RECENT) };
        if !is_old && window.loss_episodes < recent.loss_episodes + MIN_BEFORE {
            return;
        }
        let Tally { repeated_episodes, loss_episodes, segs_after_loss, data_segs_out, lossy_sockets, .. } = tally;
        self.again += repeated_episodes.saturating_sub(tally.needless());
        self.first += loss_episodes.saturating_sub(*repeated_episodes);
        self.lossy_segments += segs_after_loss;
        self.segments += data_segs_out;
        // At most one walk a second.
        self.sockets += *lossy_sockets as f64 / seconds.as_secs_f64();
    }

    /// Share of the segments on lossy connections, 0 … 1.
    fn share(&self) -> f64 {
        self.lossy_segments as f64 / self.segments.max(1) as f64
    }

    fn ln_p(&self) -> f64 {
        binomial_tail_ln(self.again as f64, (self.again + self.first) as f64, self.share())
    }

    fn is_part(&self) -> bool {
        self.sockets >= MIN_SOCKETS
            && self.lossy_segments >= MIN_SEGMENTS
            && self.share() <= MOST
            && self.ln_p() <= LOSS_ALPHA.ln()
    }

    /// Odds of the components of such an edge.
    pub(super) const fn odds() -> Odds {
        Odds { pair: PATH_ODDS, ..Odds::EVEN }
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
        let (share, all) = (self.share(), self.again + self.first);
        let mut numbers = finding.evidence;
        numbers.extend([
            evidence("share_of_lossy_connections", share, "ratio", place, "ebpf:tcp_sock"),
            evidence(
                "repeated_loss_episodes",
                self.again as f64,
                &format!("of {all} episodes"),
                place,
                "ebpf:tcp_retransmit_skb",
            ),
        ]);
        Finding {
            summary: format!(
                "{}; only a part of the connections is affected: those with {} of the segments have {} of {all} loss \
                 episodes again and again",
                finding.summary,
                percent(share),
                self.again
            ),
            evidence: numbers,
            ..finding
        }
    }
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
    let (view, tally) = (edge.view, edge.tally());
    // Translation may hide several places behind an address.
    let hides = is_service(edge) || (view.kind == PeerKind::Node && view.role == Some(Role::Server));
    edge.is_remote()
        && view.peer_node.is_some()
        && !hides
        // Walks are frequent, so that the counts are of one time.
        && view.walked.is_none()
        && tally.full_size_timeouts == 0
        && tally.bytes_acked < BULK_PAYLOAD * tally.data_segs_out
}

#[cfg(test)]
mod tests;
