//! Resets and drops: events that are normal where there are none, if somebody looked.

use super::{Fact, Health};
use crate::api::{PodWindow, ProbeState};
use std::collections::BTreeMap;

/// Reasons of drops that are named, the most frequent first.
const MAX_REASONS: usize = 3;

impl Health {
    /// Adds resets and drops of one or many windows.
    pub(super) fn of_events(&mut self, windows: &[&PodWindow]) {
        for (what, probe, (n, figures)) in [("resets", "resets", resets(windows)), ("drops", "drops", drops(windows))] {
            match verdict(windows, probe, n) {
                Ok(true) => self.normal.push(Fact::new(what, figures)),
                Ok(false) => self.unusual.push(Fact::new(what, figures)),
                Err(why) => self.no_data.push(Fact::new(what, why)),
            }
        }
    }
}

/// Whether so many events are normal, or why nobody knows.
fn verdict(windows: &[&PodWindow], probe: &str, n: u64) -> Result<bool, String> {
    if n > 0 {
        return Ok(false);
    }
    match worst(windows, probe) {
        None => Err("it is not known whether they are observed".to_owned()),
        Some(ProbeState::Degraded) => Err("none seen, but the degraded probe sees only a part of them".to_owned()),
        Some(state) if !state.is_attached() => Err(not_observed(state)),
        Some(_) if !windows.iter().any(|w| has_traffic(w)) => Err("no traffic in the window".to_owned()),
        Some(_) => Ok(true),
    }
}

/// The worst state of a probe in windows. `None`: not known of one, or no window.
pub(super) fn worst(windows: &[&PodWindow], probe: &str) -> Option<ProbeState> {
    let states: Option<Vec<ProbeState>> = windows.iter().map(|w| w.probes.get(probe).copied()).collect();
    states?.into_iter().max()
}

/// Why a probe that is not attached tells nothing.
pub(super) fn not_observed(state: ProbeState) -> String {
    format!("not observed: the probe is {}", state.label())
}

fn has_traffic(w: &PodWindow) -> bool {
    let attempts = w.counts.connects.values().chain(w.counts.connect_failures.values());
    w.counts.segments_sent + w.counts.bytes_received > 0 || w.dns.is_some() || attempts.sum::<u64>() > 0
}

fn resets(windows: &[&PodWindow]) -> (u64, String) {
    let of = |direction| windows.iter().filter_map(|w| w.counts.resets.get(direction)).sum::<u64>();
    let (received, sent) = (of("received"), of("sent"));
    let made: u64 = windows.iter().flat_map(|w| w.counts.connects.values()).sum();
    (received + sent, format!("{received} received, {sent} sent, {made} connections completed"))
}

fn drops(windows: &[&PodWindow]) -> (u64, String) {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, n) in windows.iter().filter_map(|w| w.packet_drops.as_ref()).flatten() {
        *sums.entry(reason).or_default() += n;
    }
    let all: u64 = sums.values().sum();
    let mut reasons: Vec<(&str, u64)> = sums.into_iter().filter(|(_, n)| *n > 0).collect();
    reasons.sort_by_key(|(reason, n)| (std::cmp::Reverse(*n), *reason));
    let others: u64 = reasons.iter().skip(MAX_REASONS).map(|(_, n)| n).sum();
    let mut parts: Vec<String> = reasons.iter().take(MAX_REASONS).map(|(reason, n)| format!("{n} {reason}")).collect();
    if others > 0 {
        parts.push(format!("{others} for other reasons"));
    }
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    (all, format!("{all} packets dropped on its sockets{parts}"))
}

#[cfg(test)]
mod tests;
