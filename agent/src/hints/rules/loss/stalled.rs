//! A part of the connections to one peer on which nothing gets through any more, while the others go on: one of several
//! paths died, or something on the way forgot connections.
//!
//! Each connection that is hit loses one segment, and then whatever it sends again. The rule weighs that against the two
//! faults that hit all connections alike:
//!
//! ```text
//! k of n losses were of what had just been sent again, on connections with the share s of the segments
//! losses at random      k ~ binomial(n, s)
//! a part                k ~ binomial(n, r), any r from s to 1 as likely as any other
//! the path stops        m timeouts in a row take a stop of 0.2·(2^(m−1) − 1) s, as timers double. In that time
//!   for moments         all that others send is lost, too. Few first losses (Poisson) mean few connections that send
//!                       much, and these send new data as soon as the path is back (Poisson)
//! ```
//! Where all connections stall, none goes on to compare with: then the peer does not answer. Connections that were made
//! since the fault began are left out. A full accept queue stalls them: the kernel drops what they send until the listener
//! has room (`tcp_v4_syn_recv_sock`). And short ones send nothing new after a stop.

use super::{
    MIN_EPISODES,
    share::{MIN_SEGMENTS, MIN_SOCKETS, MOST_NATS, PART_NAMED, leads_to_one_place, odds},
};
use crate::{
    hints::{
        context::{Context, Edge, EdgeIx},
        culprit::suspects::Odds,
        finding::{Finding, evidence},
        memory::{edge::EdgeMemory, moments::REMEMBERED, shares::lossy_sockets},
        stats::{fewer_nats, higher_chance_nats, percent},
    },
    sample::RECENT,
};
use netwhy_abi::Retransmit;
use std::time::Duration;

/// Seconds with timeouts that a finding needs.
const MIN_SECONDS: u32 = 3;
/// The shortest silence that makes a timeout, s: the kernel's least timeout (`TCP_RTO_MIN`). It doubles each time.
const LEAST_SILENCE_S: f64 = 0.2;
/// Seconds with timeouts, and those before them, have answers: no stop can be as long as two of them.
const LONGEST_STOP_S: f64 = 2.0;
/// Evidence against equal chances that a finding needs, nats: they reach it in one of 1,000 windows at most.
const SURE_NATS: f64 = 6.9;
/// The shortest time that a fault is taken to be old.
const YOUNG: Duration = Duration::from_secs(1);

/// Connections that stall beside others, since the fault began.
#[derive(Clone, Copy, Default)]
pub(super) struct Stalled {
    /// Losses of what had just been sent again, at least, and other losses, at most.
    again: f64,
    first: f64,
    /// Data segments on connections that had lost before, and all.
    lossy_segments: f64,
    segments: f64,
    /// Of the former those that were sent for the first time.
    new_segments: f64,
    /// Data segments per second on the other connections.
    others_per_s: f64,
    /// Mean number of connections that had lost before.
    sockets: f64,
    /// Seconds for which these were lossy, summed over them.
    lossy_seconds: f64,
    /// Seconds with timeouts, one bit each.
    timed_out: u64,
    /// Of the connections that had lost before those that are older than the fault, at least.
    old_sockets: f64,
    /// Connections that were made in the window.
    made: u64,
}

impl Stalled {
    /// Of edges that share their most likely culprit, with the odds of their components. `None`: no part stalls, or it
    /// isn't known.
    pub(super) fn of(context: &Context<'_>, edges: &[EdgeIx]) -> Option<(Self, Odds)> {
        let stuck = || edges.iter().map(|ix| context.edge(*ix)).filter(|edge| edge.timeouts() > 0);
        let peer = stuck().next()?.view.peer_id();
        // A filter may be on one of several ports.
        let is_of_one_port = |edge: &Edge<'_>| edge.view.role.is_some() && edge.view.port != 0;
        let is_alike = |edge: &Edge<'_>| {
            edge.view.peer_id() == peer
                && is_of_one_port(edge)
                && leads_to_one_place(edge)
                && is_no_matter_of_size(edge)
        };
        if !stuck().all(is_alike) {
            return None;
        }
        let mut sum = Self::default();
        for edge in stuck() {
            sum.add(context, edge, edge.memory?)?;
        }
        // Somebody looks each second, and the best look of a window is the one that counts.
        let against_chance = sum.against_chance() - context.window.as_secs_f64().max(1.0).ln();
        let nats = against_chance.min(sum.against_stops()).min(MOST_NATS);
        (against_chance >= SURE_NATS && sum.is_part(nats)).then(|| (sum, odds(nats)))
    }

    /// `None`: nothing goes on beside the timeouts, or it is not known when they began.
    fn add(&mut self, context: &Context<'_>, edge: &Edge<'_>, memory: &EdgeMemory) -> Option<()> {
        let (tally, moments) = (edge.tally(), memory.moments.get());
        let (age, in_window) = (context.at.saturating_sub(memory.loss_since()?), newest(context.window));
        let timed_out = moments.timed_out & in_window;
        let goes_on = moments.answered & (moments.answered >> 1);
        // How many connections were made before the window isn't known.
        if timed_out & !goes_on != 0 || moments.opened & newest(age) & !in_window != 0 {
            return None;
        }
        let age = age.clamp(YOUNG.min(context.window), context.window);
        let resent = |kind: Retransmit| tally.retransmits[kind as usize];
        // Each probe and fast retransmission begins at most one episode, the first for its data.
        let first = resent(Retransmit::TailLossProbe) + resent(Retransmit::Fast);
        let again = tally.loss_episodes.saturating_sub(first).min(resent(Retransmit::Timeout));
        let sockets = lossy_sockets(&edge.view.recent, (context.at, RECENT), &context.memory.walks);
        // Segments of before the fault would make the others look clean.
        let of_fault = age.as_secs_f64() / context.window.as_secs_f64();
        let lossy_segments = tally.segs_after_loss.max(again) as f64;
        let others = tally.data_segs_out.saturating_sub(tally.segs_after_loss.max(tally.retransmitted_data()));
        let others = others as f64 * of_fault;
        self.again += again as f64;
        self.first += (tally.loss_episodes - again) as f64;
        self.lossy_segments += lossy_segments;
        self.segments += lossy_segments + others;
        self.new_segments += tally.segs_after_loss.saturating_sub(tally.retransmitted_data()) as f64;
        self.others_per_s += others / age.as_secs_f64();
        self.sockets += sockets;
        self.lossy_seconds += sockets * age.as_secs_f64();
        self.timed_out |= timed_out;
        let made = tally.connects.iter().sum::<u64>();
        self.old_sockets += (sockets - made as f64).max(0.0);
        self.made += made;
        Some(())
    }

    fn all(&self) -> f64 {
        self.again + self.first
    }

    /// Share of the segments on connections that had lost before, 0 … 1.
    fn share(&self) -> f64 {
        self.lossy_segments / self.segments.max(1.0)
    }

    /// Evidence against losses at random, nats. Those of one connection within a second may have one reason.
    fn against_chance(&self) -> f64 {
        let independent = if self.all() > 0.0 { (self.lossy_seconds / self.all()).min(1.0) } else { 0.0 };
        higher_chance_nats(self.again * independent, self.all() * independent, self.share())
    }

    /// Evidence against a path that stops for moments and spares nobody, nats.
    fn against_stops(&self) -> f64 {
        // First losses may have left the window.
        let hit = self.first.max(self.sockets).max(1.0);
        let stop_s = LEAST_SILENCE_S * ((self.again / hit - 1.0).exp2() - 1.0).max(0.0);
        if stop_s >= LONGEST_STOP_S {
            return MOST_NATS;
        }
        // Connections that send less than once a second rarely send twice in one stop: each has a loss of its own. The
        // others send again within a second, for half of the time on average.
        let losers = self.others_per_s * (1.0 - (-stop_s).exp());
        let sent = self.lossy_seconds / 2.0;
        fewer_nats(hit, losers).min(fewer_nats(self.new_segments, sent))
    }

    fn is_part(&self, nats: f64) -> bool {
        self.old_sockets >= MIN_SOCKETS
            && self.again >= MIN_EPISODES as f64
            && self.timed_out.count_ones() >= MIN_SECONDS
            && self.segments - self.lossy_segments >= MIN_SEGMENTS as f64
            && nats >= PART_NAMED.ln()
    }

    /// Adds the part to a finding.
    pub(super) fn describe(&self, finding: Finding, place: &str) -> Finding {
        let mut numbers = finding.evidence;
        let all = format!("of {:.0} loss episodes", self.all());
        numbers.extend([
            evidence("stalled_connections", self.sockets, "connections", place, "ebpf:iter/task_file"),
            evidence("lost_again", self.again, &all, place, "ebpf:tcp_retransmit_skb"),
        ]);
        Finding {
            summary: format!(
                "{}; only a part of the connections is affected: nothing gets through on {:.0} of them any more ({:.0} \
                 losses were of what had just been sent again), while the others send {} of the segments, {} new \
                 connections among them: one of several paths, or something on the way that forgot these connections",
                finding.summary,
                self.sockets,
                self.again,
                percent(1.0 - self.share()),
                self.made
            ),
            evidence: numbers,
            ..finding
        }
    }
}

/// The newest seconds of so long a time, one bit each.
fn newest(time: Duration) -> u64 {
    let seconds = u32::try_from(time.as_secs()).unwrap_or(REMEMBERED).min(REMEMBERED);
    (1 << seconds) - 1
}

/// Segments that are too large for the path would stall the connections that send some.
fn is_no_matter_of_size(edge: &Edge<'_>) -> bool {
    !edge.has_full_size_timeouts() || edge.passes_full_size()
}

#[cfg(test)]
mod tests;
