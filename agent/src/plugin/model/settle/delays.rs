//! Delays that hints tell of: their size, and round trips without them where they come and go.

use super::{needs_others, silence::passes, weigh};
use crate::{
    api::{BlameKind, Evidence, Hint, PeerRow, Suspect},
    blame::posterior::score,
    plugin::model::{causal_path::pod_of, fleet::host},
};

/// Evidence of a path hint: round trips, now and usually.
pub(in crate::plugin::model) const ROUND_TRIPS: &str = "netwhy_tcp_rtt_seconds";
/// Evidence of a path that is longer now and then: the stages of requests, now and usually.
pub(in crate::plugin::model) const STAGES: &str = "netwhy_tcp_response_wait_seconds_total{role=\"client\"";
/// Evidence of hints about slow requests: their share.
const SLOW_REQUESTS: &str = "slow_requests";

/// Share of a delay from which a round trip has it …
const MAIN: f64 = 0.5;
/// … and below which it hasn't.
const LITTLE: f64 = MAIN / 2.0;
/// Share of the round trips that may be longer than the 99th percentile.
const ABOVE_P99: f64 = 0.01;
/// Most evidence that round trips are, nats: another agent's window may miss the moments of the delay.
const MOST: f64 = 6.0;

/// A delay of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::plugin::model) struct Delay {
    /// Share of the requests that have it, above 0, to 1.
    pub(in crate::plugin::model) share: f64,
    /// Time by which it makes the mean longer, s. Above 0.
    pub(in crate::plugin::model) mean_seconds: f64,
}

/// Share of the requests to which a path is longer, where it is so now and then. The lowest round trips, which rows have,
/// say nothing of that. `None`: it is longer all the time, or the hint is about something else.
pub(in crate::plugin::model) fn longer_share(hint: &Hint) -> Option<f64> {
    let share = hint.evidence.iter().find(|one| one.signal == SLOW_REQUESTS)?;
    (hint.cause == "path_latency").then_some(share.observed)
}

impl Delay {
    /// The delay that a hint about a longer path tells of. `None`: it has no such figures.
    pub(in crate::plugin::model) fn of(hint: &Hint) -> Option<Self> {
        let grew = |one: &Evidence| Some(one.observed - one.baseline?);
        let of = |signal: &'static str| hint.evidence.iter().filter(move |one| one.signal.starts_with(signal));
        let (share, mean_seconds): (f64, f64) = match longer_share(hint) {
            Some(share) => (share, of(STAGES).filter_map(grew).sum()),
            None => (1.0, of(ROUND_TRIPS).find_map(grew)?),
        };
        (share > 0.0 && mean_seconds > 0.0).then_some(Self { share, mean_seconds })
    }

    /// The delay of a hint about a path that is longer now and then, if the highest round trips of the hint's own agent
    /// show it at present. `rows`: of all agents, asked at one time.
    pub(in crate::plugin::model) fn shown(hint: &Hint, rows: &[PeerRow]) -> Option<Self> {
        longer_share(hint)?;
        let delay = Self::of(hint)?;
        let is_beyond = |one: &Suspect| !matches!(one.kind, BlameKind::Pod | BlameKind::Node);
        let has_it = |row: &PeerRow| {
            row.node == hint.subject.node
                && row.rtt_p99_seconds.is_some_and(|p99| p99 >= MAIN * delay.each_seconds())
                && hint.blame.candidates().any(|one| is_beyond(&one) && passes(row, &one))
        };
        rows.iter().any(has_it).then_some(delay)
    }

    /// Time by which it makes each of these requests longer, s.
    fn each_seconds(&self) -> f64 {
        self.mean_seconds / self.share
    }

    /// Evidence of a row against this delay on its way, nats: of the round trips that would be longer, too few are
    /// (Poisson). `None`: they may have it, for one reason or another.
    pub(in crate::plugin::model) fn missing(&self, row: &PeerRow) -> Option<f64> {
        let has_none = row.rtt_p99_seconds? < LITTLE * self.each_seconds() && self.share > ABOVE_P99;
        let found = ABOVE_P99 / self.share;
        let expected = self.share * row.rtt_samples as f64;
        let nats = expected * (1.0 - found + found * found.ln());
        (has_none && nats > 0.0).then(|| nats.min(MOST))
    }
}

/// Weighs the candidates of hints about paths that are longer now and then: where the highest round trips of other
/// agents are short, what they pass has no delay.
pub(super) fn acquit(hints: &mut [Hint], rows: &[PeerRow]) {
    for hint in hints.iter_mut().filter(|hint| needs_others(hint)) {
        let Some(delay) = Delay::shown(hint, rows) else { continue };
        let (own, asker) = (pod_of(hint), hint.subject.node.clone());
        let others = rows.iter().filter(|row| row.node != asker && row.peer_node.as_ref() != Some(&row.node));
        let short: Vec<(&PeerRow, [f64; 1])> = others.filter_map(|row| Some((row, [-delay.missing(row)?]))).collect();
        let has = |row: &PeerRow, one: &Suspect| match one.kind {
            BlameKind::Pod => host(row) == Some(own.as_str()),
            _ => passes(row, one),
        };
        let nats = |one: &Suspect| score(short.iter().filter(|row| has(row.0, one)).map(|row| row.1.as_slice()));
        if hint.blame.candidates().any(|one| nats(&one) != 0.0) {
            weigh(hint, 0.0, nats);
        }
    }
}

#[cfg(test)]
mod tests;
