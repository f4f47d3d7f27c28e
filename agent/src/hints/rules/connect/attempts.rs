//! Attempts to connect that stay without an answer.

use crate::{
    hints::{
        context::{Context, Edge},
        memory::edge::EdgeMemory,
        stats::{LOSS_ALPHA, binomial_tail_ln},
    },
    sample::Tally,
};
use netwhy_abi::{Failure, RACE_NS, Retransmit, Role};

/// Chance of so many coincidences below which attempts lost races.
const RACE_ALPHA: f64 = 1e-3;
/// Share of coincidences by chance from which races can't be told.
const BLIND: f64 = 0.9;
/// Multiple of the path's usual RTT from which an attempt waited long enough for an answer.
const PATIENT: f64 = 3.0;
/// Time for which an attempt waits per SYN that it resends, µs: a second until the first one, and longer each time.
const RESENT_US: f64 = 2e6;

/// Attempts of one edge over some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Attempts {
    pub(crate) resent_syns: u64,
    /// Attempts that ended without an answer, those below among them.
    pub(crate) failed: u64,
    /// Attempts that an ICMP error ended: something on the way, or the peer's host, keeps them out.
    pub(crate) unreachable: u64,
    /// Attempts that their owner gave up before the first SYN was resent.
    pub(crate) given_up: u64,
    /// Time for which each of these waited, ms.
    pub(crate) patience_ms: f64,
    /// Completed or refused: the peer's kernel answers either. A SYN may be resent all the same: a connection in
    /// `TIME_WAIT` whose listener is gone answers it with an ACK first, and then with a reset
    /// (`tcp_timewait_state_process`, `tcp_rcv_synsent_state_process`).
    pub(crate) answered: u64,
}

impl Attempts {
    pub(crate) fn new(context: &Context<'_>, edge: &Edge<'_>, tally: &Tally) -> Self {
        let reasons = [Failure::TimedOut, Failure::HostUnreachable, Failure::NetUnreachable];
        let (given_up, patience_ms) = given_up(context, edge, tally);
        Self {
            resent_syns: tally.retransmits[Retransmit::Syn as usize],
            failed: reasons.into_iter().map(|reason| tally.failures(reason)).sum::<u64>() + given_up,
            unreachable: tally.failures(Failure::HostUnreachable),
            given_up,
            patience_ms,
            answered: tally.connects(Role::Client) + tally.failures(Failure::Refused),
        }
    }

    /// SYNs that went without an answer for certain.
    pub(crate) fn unanswered(&self) -> u64 {
        (self.resent_syns + self.given_up).max(self.failed)
    }

    /// Time for which programs waited for connections, µs, as far as it is known. `most_us`: for how long each counts.
    pub(crate) fn waited_us(&self, most_us: f64) -> f64 {
        let given_up_us = (self.patience_ms * 1_000.0).min(most_us);
        self.resent_syns as f64 * RESENT_US.min(most_us) + self.given_up as f64 * given_up_us
    }

    /// Enough to matter.
    pub(crate) fn matter(&self, context: &Context<'_>) -> bool {
        let limits = context.thresholds;
        self.resent_syns >= limits.syn_retransmits.max(1) || self.failed >= limits.connect_failures.max(1)
    }

    /// Logarithm of the chance that `n` more attempts of the same kind stay unanswered. `None`: none of these was
    /// answered, so that nothing is normal.
    pub(crate) fn ln_chance(&self, n: u64) -> Option<f64> {
        ln_chance((self.answered as f64, self.unanswered() as f64), n)
    }

    /// Adds attempts of another edge.
    pub(crate) fn add(&mut self, other: &Self) {
        self.resent_syns += other.resent_syns;
        self.failed += other.failed;
        self.unreachable += other.unreachable;
        self.given_up += other.given_up;
        self.answered += other.answered;
    }

    /// Takes away some that are among these.
    #[must_use]
    pub(crate) fn without(&self, some: &Self) -> Self {
        Self {
            resent_syns: self.resent_syns.saturating_sub(some.resent_syns),
            failed: self.failed.saturating_sub(some.failed),
            unreachable: self.unreachable.saturating_sub(some.unreachable),
            given_up: self.given_up.saturating_sub(some.given_up),
            patience_ms: self.patience_ms,
            answered: self.answered.saturating_sub(some.answered),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let Self { resent_syns, failed, unreachable, given_up, patience_ms, .. } = *self;
        match (resent_syns, given_up) {
            (_, 0) if unreachable > 0 && unreachable == failed => format!("{failed} attempts ended by ICMP errors"),
            (0, 1..) if given_up == failed => format!("{given_up} attempts given up after {patience_ms:.0} ms"),
            (_, 0) => format!("{resent_syns} SYNs sent again, {failed} attempts failed"),
            _ => format!(
                "{resent_syns} SYNs sent again, {failed} attempts failed, {given_up} of them given up after \
                 {patience_ms:.0} ms"
            ),
        }
    }
}

/// Logarithm of the chance that `n` more attempts stay unanswered. The share of answers is estimated with one more of
/// each. `None`: none was answered.
fn ln_chance((answered, unanswered): (f64, f64), n: u64) -> Option<f64> {
    (answered >= 1.0).then(|| n as f64 * ((unanswered + 1.0) / (answered + unanswered + 2.0)).ln())
}

/// Attempts of an edge of which none was answered, in the window or suddenly in its last seconds. `None`: too few, or to
/// many ports that were silent from the start.
pub(crate) fn without_answer(context: &Context<'_>, edge: &Edge<'_>) -> Option<Attempts> {
    let window = Attempts::new(context, edge, edge.tally());
    if !window.matter(context) || (edge.is_of_many_ports() && !context.was_accepted(edge)) {
        return None;
    }
    if window.answered == 0 {
        return Some(window);
    }
    let recent = Attempts::new(context, edge, &edge.view.recent);
    let before = window.without(&recent);
    // Where all was well so far, the edge's past knows more attempts than the rest of the window.
    let past = edge.memory.map(EdgeMemory::attempts).filter(|_| before.unanswered() == 0);
    let past = past.and_then(|past| ln_chance(past, recent.unanswered()));
    let ln_p = before.ln_chance(recent.unanswered()).into_iter().chain(past).reduce(f64::min);
    let is_sudden = recent.answered == 0 && ln_p.is_some_and(|ln_p| ln_p <= LOSS_ALPHA.ln());
    Some(recent).filter(|recent| is_sudden && recent.matter(context))
}

/// Attempts that their owner gave up although the path usually answers much sooner, and the time that each waited, ms.
///
/// None where they lost races between addresses: then more of them ended just after another handshake than the rate of
/// handshakes explains.
fn given_up(context: &Context<'_>, edge: &Edge<'_>, tally: &Tally) -> (u64, f64) {
    let raced = tally.failures(Failure::Raced);
    let all = tally.failures(Failure::GivenUp) + raced;
    if all == 0 {
        return (0, 0.0);
    }
    let patience_ms = tally.given_up_ms as f64 / all as f64;
    let usual_us = edge.memory.and_then(EdgeMemory::p50_us).unwrap_or(0.0);
    if patience_ms * 1_000.0 < PATIENT * usual_us || is_race(context, edge, (raced, all)) {
        return (0, patience_ms);
    }
    (all, patience_ms)
}

/// Whether `raced` of `all` attempts that were given up ended just after another handshake because it won.
fn is_race(context: &Context<'_>, edge: &Edge<'_>, (raced, all): (u64, u64)) -> bool {
    let connects = edge.subject.map_or(0, |ix| context.subject(ix).view.window.connects(Role::Client));
    let per_second = connects as f64 / context.window.as_secs_f64();
    let by_chance = 1.0 - (-per_second * RACE_NS as f64 / 1e9).exp();
    by_chance > BLIND || binomial_tail_ln(raced as f64, all as f64, by_chance) <= RACE_ALPHA.ln()
}

#[cfg(test)]
mod tests;
