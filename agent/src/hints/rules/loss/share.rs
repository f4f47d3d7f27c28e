//! Losses of a part of the connections to one peer: one of several paths between two Nodes.
//!
//! Connections that lost a packet lately are compared with the others. If every segment has the same chance to be lost,
//! earlier losses of its connection say nothing about it. So the further losses of these connections should be as many as
//! their share of the segments, however few connections there are, and whichever lost first. That holds only for loss
//! that goes on.
//!
//! ```text
//! k further losses of n, on connections with the share s of the segments
//! all connections alike   k ~ binomial(n, s)
//! a part of them          k ~ binomial(n, r), any r from s to 1 as likely as any other
//! ```
//! The two are weighed (Bayes), so that few connections say what they can. Losses of one connection within a second may
//! have one reason: n is no more than the seconds for which connections were lossy, summed over these.

use super::MIN_EPISODES;
use crate::{
    api::{Blame, BlameKind},
    hints::{
        context::{Context, Edge, EdgeIx},
        culprit::suspects::{Odds, is_service},
        finding::{Finding, evidence},
        memory::edge::EdgeMemory,
        stats::{higher_chance_nats, percent, share_interval},
    },
    peers::PeerKind,
    sample::{LossTicks, Tally},
    state::RECENT,
};
use netwhy_abi::{Retransmit, Role};
use std::time::Duration;

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
/// How often a part of a peer's connections is affected when a path between two Nodes is at fault: mostly it is one of
/// several paths. And when a Node is: in one of ten cases ([`posterior`](crate::blame::posterior)).
const OF_PATHS: f64 = 0.9;
const OF_NODES: f64 = 0.1;
/// Probability from which a part is named, before anything is known of the culprit.
const NAMED: f64 = 0.9;
/// Most evidence that counts are, nats: one in some hundred times connections differ for a reason that no count shows.
const MOST_NATS: f64 = 6.0;
/// Time for which the kernel programs call a connection lossy after a loss.
const STAYS_LOSSY: Duration = Duration::from_secs(10);

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
    /// Seconds for which connections were lossy, summed over these.
    lossy_seconds: f64,
}

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
        let mut sum = Self::default();
        edges().for_each(|edge| sum.add(context, edge));
        // Somebody looks each second, and the best look of a window is the one that counts.
        let nats = (sum.nats() - context.window.as_secs_f64().max(1.0).ln()).min(MOST_NATS);
        sum.is_part(nats).then(|| (sum, odds(nats)))
    }

    fn add(&mut self, context: &Context<'_>, edge: &Edge<'_>) {
        // Segments of before the fault would make the others look clean.
        let since = edge.memory.and_then(EdgeMemory::loss_since);
        let is_old = since.is_some_and(|since| context.at.saturating_sub(since) >= context.window);
        let (window, recent) = (edge.tally(), &edge.view.recent);
        let (tally, time) = if is_old { (window, context.window) } else { (recent, RECENT) };
        if !is_old && window.loss_episodes < recent.loss_episodes + MIN_BEFORE {
            return;
        }
        let sockets = lossy_sockets(context, tally, time);
        let (again, first) = losses(tally, (sockets, time));
        self.again += again;
        self.first += first;
        self.lossy_segments += tally.segs_after_loss;
        self.segments += tally.data_segs_out;
        self.sockets += sockets;
        self.lossy_seconds += sockets * time.as_secs_f64();
    }

    /// Share of the segments on lossy connections, 0 … 1.
    fn share(&self) -> f64 {
        self.lossy_segments as f64 / self.segments.max(1) as f64
    }

    /// Evidence that a part of the connections loses, rather than all alike, nats.
    fn nats(&self) -> f64 {
        let (again, all) = (self.again as f64, (self.again + self.first) as f64);
        let independent = if all > 0.0 { (self.lossy_seconds / all).min(1.0) } else { 0.0 };
        higher_chance_nats(again * independent, all * independent, self.share())
    }

    fn is_part(&self, nats: f64) -> bool {
        self.sockets >= MIN_SOCKETS
            && self.again >= MIN_EPISODES
            && self.lossy_segments >= MIN_SEGMENTS
            && self.share() <= MOST
            && nats >= (NAMED / (1.0 - NAMED)).ln()
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
        // As many connections in all as the segments of the lossy ones let expect.
        let (least, most) = share_interval(self.sockets, self.sockets / share.max(f64::MIN_POSITIVE));
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
                 episodes again and again ({:.0} connections, so {} to {} of all)",
                finding.summary,
                percent(share),
                self.again,
                self.sockets,
                percent(least),
                percent(most)
            ),
            evidence: numbers,
            ..finding
        }
    }
}

/// Odds of the components of an edge with this evidence that a part of its connections is affected.
fn odds(nats: f64) -> Odds {
    let explained = |often: f64| often * nats.exp() + 1.0 - often;
    Odds { pair: explained(OF_PATHS) / explained(OF_NODES), ..Odds::EVEN }
}

/// Mean number of lossy connections, as the walks of that time found them.
fn lossy_sockets(context: &Context<'_>, tally: &Tally, time: Duration) -> f64 {
    let walks = context.memory.walks.after(context.at.saturating_sub(time));
    // Where their times are not known, there is one a second at most.
    let walks = if walks > 0 { walks as f64 } else { time.as_secs_f64() };
    tally.lossy_sockets as f64 / walks
}

/// Further losses of lossy connections, and losses of others. `sockets`: mean number of lossy ones in that time.
///
/// A connection that gets nothing through times out again and again, which is one loss and none of another connection. So
/// no more connections became lossy than those that still are: twice their mean where their number grows from nothing,
/// and new ones, which may have closed since. The timeouts that are left may resend what a probe or a timeout had
/// resent before: none of them is a further loss for certain.
fn losses(tally: &Tally, (sockets, time): (f64, Duration)) -> (u64, u64) {
    let others = tally.loss_episodes.saturating_sub(tally.repeated_episodes);
    let became_lossy = (2.0 * sockets).ceil() as u64 + tally.connects.iter().sum::<u64>();
    let first = if time <= STAYS_LOSSY { others.min(became_lossy) } else { others };
    let timeouts = tally.retransmits[Retransmit::Timeout as usize].saturating_sub(others - first);
    (tally.repeated_episodes.saturating_sub(tally.needless() + timeouts), first)
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
