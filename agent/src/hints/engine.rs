//! One tick: view in, hints out.

mod incidents;
mod tracks;

use crate::hints::{
    context::Context,
    context::excuse,
    engine::tracks::{Now, Track, Tracks},
    finding::{Finding, merge},
    key::edge_key,
    memory::dns::DnsMemory,
    memory::edges::Memory,
    memory::host::HostMemory,
    memory::path::{self, Path, Witness},
    rule::{Family, Rule},
    table,
    thresholds::Thresholds,
};
use crate::{
    api,
    state::{EdgeView, NodeView, PeerId, SubjectId, Usual},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A window shorter than this says too little (after the start, or after a gap).
const MIN_WINDOW: Duration = Duration::from_secs(3);
/// Numbers of a folded effect that its cause shows.
const EFFECT_EVIDENCE: usize = 2;

/// Baselines, open suspicions and resolved hints of one Node.
#[derive(Debug)]
pub struct Engine {
    node: String,
    memory: Memory,
    host: HostMemory,
    dns: DnsMemory,
    tracks: Tracks,
}

impl Engine {
    /// An engine that knows nothing yet; `node` is this Node's name as blame shows it.
    pub fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            memory: Memory::default(),
            host: HostMemory::default(),
            dns: DnsMemory::default(),
            tracks: Tracks::default(),
        }
    }

    /// Judges one window. Firing hints come first, then those resolved within the last hour (of `view.at`). The same
    /// sequence of views gives the same hints. Views of less than 3 s are only waited through.
    pub fn tick(&mut self, view: &NodeView, thresholds: &Thresholds) -> Vec<api::Hint> {
        if view.window < MIN_WINDOW {
            return self.tracks.hints();
        }
        let now = Now { at: view.at, stamp: rfc3339(view.unix_ms), window: view.window };
        let keys: Vec<u64> = view.edges.iter().map(edge_key).collect();
        self.memory.observe(view, &keys, thresholds);

        let mut held: BTreeMap<u64, Family> = BTreeMap::new();
        for track in self.tracks.explaining(&now) {
            for key in &track.edges {
                let family = held.entry(*key).or_insert(track.rule.family);
                *family = track.rule.family.min(*family);
            }
        }
        let mut context =
            Context::new(&self.node, view, thresholds, (&self.memory, &self.host, &self.dns), &keys, &held);
        let mut findings: Vec<(SubjectId, Finding)> = Vec::new();
        for family in Family::ALL {
            for finding in table::judge(family, &context) {
                for edge in &finding.edges {
                    context.claim(*edge, family);
                }
                findings.push((context.subjects[finding.subject].view.id.clone(), finding));
            }
        }
        let learnable: Vec<bool> = (0..view.edges.len()).map(|i| !context.is_claimed(i)).collect();

        // What was found, and what is still open, is not what is normal.
        let busy: BTreeSet<(Family, SubjectId)> = (findings.iter().map(|(s, f)| (f.rule.family, s.clone())))
            .chain(self.tracks.open().map(|t| (t.rule.family, t.subject.clone())))
            .collect();
        let findings = merge(self.fold(findings, &now));
        let traffic = Traffic::of(view, &keys);
        self.tracks.update(&findings, &keys, &self.node, thresholds, &now, |track| traffic.why_ended(track));
        self.memory.learn(view, &keys, thresholds, |i| learnable[i]);
        if !self.memory.tick.is_zero() {
            let keep = self.memory.keep();
            self.host.learn(view, keep, &busy);
            let share = self.memory.tick.as_secs_f64() / view.window.as_secs_f64();
            self.dns.learn(view, thresholds, (keep, share.min(1.0)), &busy);
        }
        self.tracks.hints()
    }

    /// Writes what is normal beside the Node's counters and the edges that were judged last.
    pub fn add_baselines(&self, view: &mut NodeView, thresholds: &Thresholds) {
        for (key, count) in view.host.iter_mut().flat_map(|host| &mut host.counters) {
            count.baseline = self.host.rate(key);
        }
        let paths: Vec<Option<Path>> =
            view.edges.iter().map(|edge| self.memory.path(edge_key(edge), edge, thresholds)).collect();
        let mut far: BTreeMap<PeerId, (Vec<Witness<'_>>, bool)> = BTreeMap::new();
        for (edge, path) in view.edges.iter().zip(&paths) {
            let (witnesses, as_ever) = far.entry(edge.peer_id()).or_default();
            match path {
                Some(Path::Rose(rise)) => {
                    witnesses.push(Witness { subject: &edge.subject, peer: edge.peer, rise: *rise });
                }
                Some(Path::Usual) => *as_ever = true,
                None => {}
            }
        }
        let proven = |edge: &EdgeView, path: &Option<Path>| {
            let together = far.get(&edge.peer_id()).is_some_and(|(all, as_ever)| !as_ever && path::is_proven(all));
            together || matches!(path, Some(Path::Rose(rise)) if rise.is_proven())
        };
        let usual: Vec<Usual> = (view.edges.iter().zip(&paths))
            .map(|(edge, path)| self.memory.usual(edge, *path, proven(edge, path)))
            .collect();
        for (edge, usual) in view.edges.iter_mut().zip(usual) {
            edge.usual = Usual { is_excused: excuse::is_excused(&edge.window, thresholds), ..usual };
        }
    }

    /// Hints that began since the start, by cause.
    pub fn totals(&self) -> &BTreeMap<String, u64> {
        self.tracks.totals()
    }

    /// Leaves out what a cause of the same subject explains, and makes it a link of the cause's chain.
    fn fold(&mut self, findings: Vec<(SubjectId, Finding)>, now: &Now) -> Vec<(SubjectId, Finding)> {
        let mut causes: BTreeSet<(SubjectId, &'static str)> =
            self.tracks.open().map(|t| (t.subject.clone(), t.rule.id)).collect();
        causes.extend(findings.iter().map(|(s, f)| (s.clone(), f.rule.id)));
        let rules = self.tracks.open().map(|t| t.rule).chain(findings.iter().map(|(_, f)| f.rule));
        // What the Node itself drops goes unanswered for all its Pods, also for those that alone show too little of it.
        let of_node: BTreeSet<&'static str> =
            rules.filter(|rule| rule.family == Family::Host).map(|rule| rule.id).collect();
        let cause_of = |subject: &SubjectId, effect: &Rule| {
            let unanswered = matches!(effect.family, Family::Connect | Family::Dns);
            let holds = |cause: &&'static str| {
                unanswered && of_node.contains(cause) || causes.contains(&(subject.clone(), *cause))
            };
            effect.caused_by.iter().copied().find(|cause| holds(&cause))
        };
        let (effects, mut roots): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|(s, f)| cause_of(s, f.rule).is_some());
        for (subject, effect) in effects {
            let Some(cause) = cause_of(&subject, effect.rule) else { continue };
            let is_root =
                |(s, f): &(SubjectId, Finding)| f.rule.id == cause && (*s == subject || of_node.contains(cause));
            let own = roots.iter().position(|root| root.0 == subject && is_root(root));
            let mine = own.or_else(|| roots.iter().position(is_root)).and_then(|at| roots.get_mut(at));
            if let Some((_, root)) = mine
                && !root.effects.contains(&effect.rule.id)
            {
                root.effects.push(effect.rule.id);
                root.evidence.extend(effect.evidence.into_iter().take(EFFECT_EVIDENCE));
            }
        }
        let folded: Vec<(SubjectId, &str, &str)> = self
            .tracks
            .open()
            .filter_map(|t| cause_of(&t.subject, t.rule).map(|c| (t.subject.clone(), t.rule.id, c)))
            .collect();
        for (subject, effect, cause) in folded {
            self.tracks.fold(&subject, effect, cause, now);
        }
        roots
    }
}

/// What is left of the subjects and edges that open hints are about.
struct Traffic<'a> {
    subjects: BTreeSet<&'a SubjectId>,
    edges: BTreeSet<u64>,
    /// Who looked names up.
    dns: BTreeSet<&'a SubjectId>,
}

impl<'a> Traffic<'a> {
    fn of(view: &'a NodeView, keys: &[u64]) -> Self {
        let live = view.subjects.iter().filter(|s| s.gone_since.is_none());
        let active = view.edges.iter().zip(keys).filter(|(e, _)| !e.window.is_zero());
        let dns = view.dns.iter().map(|row| &row.server.subject).collect();
        Self { subjects: live.map(|s| &s.id).collect(), edges: active.map(|(_, k)| *k).collect(), dns }
    }

    /// No data is not the same as healthy, and the reader is told which it was.
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
