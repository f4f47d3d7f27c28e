//! One tick: view in, hints out.

mod baselines;
mod episodes;
mod fold;
mod hysteresis;
mod incidents;
mod selection;
mod tracks;
mod windows;

use super::{
    context::{Context, EdgeIx},
    finding::{Finding, merge},
    firing::Firing,
    key::edge_key,
    memory::{Clean, Memory, Troubled},
    rule::Family,
    table,
    thresholds::Thresholds,
};
use crate::{
    api,
    state::{EdgeView, FiringTime, NodeView, SubjectId},
};
use hysteresis::{Now, Track};
use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tracks::{Tick, Tracks};

/// A shorter window says too little (after the start, or after a gap).
const MIN_WINDOW: Duration = Duration::from_secs(3);

/// Baselines, open tracks and resolved hints of one Node.
#[derive(Debug)]
pub struct Engine {
    node: String,
    memory: Memory,
    tracks: Tracks,
    firing: Firing,
}

impl Engine {
    /// An engine that knows nothing yet. `node` is this Node's name in blame.
    pub fn new(node: &str) -> Self {
        Self { node: node.to_owned(), memory: Memory::default(), tracks: Tracks::default(), firing: Firing::default() }
    }

    /// Judges one window. Firing hints come first, then those resolved within the last hour (of `view.at`). The same
    /// sequence of views gives the same hints. Views of less than 3 s are not judged.
    pub fn tick(&mut self, view: &NodeView, thresholds: &Thresholds) -> Vec<api::Hint> {
        let hints = self.judge(view, thresholds);
        self.firing.update(&hints, view.at);
        hints
    }

    fn judge(&mut self, view: &NodeView, thresholds: &Thresholds) -> Vec<api::Hint> {
        if view.window < MIN_WINDOW {
            return self.tracks.hints();
        }
        let now = Now { at: view.at, stamp: rfc3339(view.unix_ms), window: view.window };
        let keys: Vec<u64> = view.edges.iter().map(edge_key).collect();
        self.memory.observe(view, &keys, thresholds);

        let mut context = Context::new(&self.node, view, thresholds, &self.memory, &keys);
        let held = self.tracks.claims(&now);
        for (at, family) in keys.iter().enumerate().filter_map(|(at, key)| Some((at, *held.get(key)?))) {
            context.claim(EdgeIx::new(at), family);
        }
        let findings = judge(&mut context);
        let clean: Vec<bool> = context.edges().iter().map(|edge| !context.is_claimed(edge.ix)).collect();
        // It borrows the memory, which learns below.
        drop(context);
        let troubled: Troubled = (findings.iter().map(|(s, f)| (f.rule.family, s.clone())))
            .chain(self.tracks.open().map(|t| (t.rule.family, t.subject.clone())))
            .collect();

        let findings = merge(fold::fold(findings, &mut self.tracks, &now));
        let traffic = LazyCell::new(|| Traffic::new(view, &keys));
        let tick = Tick { edge_keys: &keys, node: &self.node, thresholds, now: &now };
        self.tracks.update(&findings, &tick, |track| traffic.why_ended(track));
        self.memory.learn(view, &keys, thresholds, &Clean { edges: &clean, troubled: &troubled });
        self.tracks.hints()
    }

    /// Writes the normal values beside the Node's counters and the edges that were judged last.
    pub fn add_baselines(&self, view: &mut NodeView, thresholds: &Thresholds) {
        baselines::add(&self.memory, view, thresholds);
    }

    /// Hints that opened since the start, by cause.
    pub fn totals(&self) -> &BTreeMap<String, u64> {
        self.tracks.totals()
    }

    /// Time for which hints fired, by Pod, cause and culprit.
    pub fn firing(&self) -> Vec<FiringTime> {
        self.firing.times()
    }
}

/// Applies all families in order. Each claims the edges that it explains.
fn judge(context: &mut Context<'_>) -> Vec<(SubjectId, Finding)> {
    let mut findings = Vec::new();
    for family in Family::ALL {
        for finding in table::judge(family, context) {
            for edge in &finding.edges {
                context.claim(*edge, family);
            }
            findings.push((context.subject(finding.subject).view.id.clone(), finding));
        }
    }
    findings
}

/// Subjects and edges with data in this window.
struct Traffic<'a> {
    subjects: BTreeSet<&'a SubjectId>,
    edges: BTreeSet<u64>,
    /// Subjects with DNS lookups.
    dns: BTreeSet<&'a SubjectId>,
}

impl<'a> Traffic<'a> {
    fn new(view: &'a NodeView, keys: &[u64]) -> Self {
        let live = view.subjects.iter().filter(|s| s.gone_since.is_none());
        let waits = |e: &EdgeView| e.responses.as_ref().is_some_and(|of_edge| of_edge.waiting.is_some());
        let active = view.edges.iter().zip(keys).filter(|(e, _)| !e.window.is_zero() || waits(e));
        let dns = view.dns.iter().map(|row| &row.server.subject).collect();
        Self { subjects: live.map(|s| &s.id).collect(), edges: active.map(|(_, k)| *k).collect(), dns }
    }

    /// Why a hint ended. No data is not the same as healthy.
    fn why_ended(&self, track: &Track) -> &'static str {
        if !self.subjects.contains(&track.subject) {
            "the subject is gone"
        } else if track.rule.family == Family::Dns && !self.dns.contains(&track.subject) {
            "no more lookups to judge"
        } else if !track.edges.is_empty() && track.edges.iter().all(|k| !self.edges.contains(k)) {
            "no more traffic to judge"
        } else {
            "clean again"
        }
    }
}

/// UTC, RFC 3339 with milliseconds.
fn rfc3339(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    format!("{:.3}", jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX))
}

#[cfg(test)]
mod tests;
