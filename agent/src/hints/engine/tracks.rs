//! From findings per window to hints with a beginning and an end.

use crate::hints::{
    engine::incidents::{self, Member},
    finding::Finding,
    rule::Rule,
    thresholds::Thresholds,
};
use crate::{
    api::{self, HintState},
    state::{SubjectId, SubjectKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long a resolved hint stays visible.
const KEEP_RESOLVED: Duration = Duration::from_secs(3600);
/// Resolved hints kept at most; the oldest go first.
const MAX_RESOLVED: usize = 1000;
/// Hints of one incident shown at once.
const MAX_PER_INCIDENT: usize = 3;
/// Windows among which positives are counted.
const MEMORY: u32 = 3;

/// One suspicion and its history.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) rule: &'static Rule,
    pub(crate) subject: SubjectId,
    /// Keys of the edges that it explained last.
    pub(crate) edges: Vec<u64>,
    hint: api::Hint,
    /// Last windows, newest in bit 0.
    recent: u8,
    clean: u32,
    open: bool,
    /// It was among the hints handed out since it began.
    shown: bool,
    resolved_at: Option<Duration>,
    /// When it last held while it was open.
    held_at: Option<Duration>,
}

/// Time of a tick in the forms that a hint needs.
pub(crate) struct Now {
    pub(crate) at: Duration,
    /// RFC 3339.
    pub(crate) stamp: String,
    pub(crate) window: Duration,
}

/// All suspicions, by id.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    tracks: BTreeMap<u64, Track>,
    totals: BTreeMap<String, u64>,
}

impl Tracks {
    /// Hints that began, by cause.
    pub(crate) fn totals(&self) -> &BTreeMap<String, u64> {
        &self.totals
    }

    /// Suspicions that hold now.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Track> {
        self.tracks.values().filter(|t| t.open)
    }

    /// Suspicions that explain edges: those that hold, and those that ended while what they explained is in the window still.
    pub(crate) fn explaining(&self, now: &Now) -> impl Iterator<Item = &Track> {
        self.tracks.values().filter(|t| t.open || t.is_echo(now))
    }

    /// Ends an open hint whose cause is now known; see [`Rule::caused_by`].
    pub(crate) fn fold(&mut self, subject: &SubjectId, effect: &str, cause: &str, now: &Now) {
        for track in self.tracks.values_mut().filter(|t| t.open && t.rule.id == effect && t.subject == *subject) {
            track.resolve(now, &format!("an effect of {cause}"));
            track.held_at = None;
        }
    }

    /// Takes one window's findings (with their subjects' ids), and moves every other suspicion towards its end.
    /// `ended` says why a suspicion about a subject no longer holds.
    pub(crate) fn update(
        &mut self,
        findings: &[(SubjectId, Finding)],
        edge_keys: &[u64],
        node: &str,
        thresholds: &Thresholds,
        now: &Now,
        ended: impl Fn(&Track) -> &'static str,
    ) {
        let mut positive = BTreeSet::new();
        for (subject, finding) in findings {
            let id = finding.id(subject);
            positive.insert(id);
            let edges = finding.edges.iter().map(|i| edge_keys[*i]).collect();
            let track = self.tracks.entry(id).or_insert_with(|| Track::new(finding, subject, id, node, now));
            track.positive(finding, edges, thresholds, now);
        }
        for (id, track) in &mut self.tracks {
            if !positive.contains(id) {
                let why = ended(track);
                track.negative(thresholds, now, why);
            }
        }
        self.tracks.retain(|_, t| t.is_worth_keeping(now));
        let resolved: BTreeSet<(Duration, u64)> =
            self.tracks.iter().filter_map(|(id, t)| t.resolved_at.map(|at| (at, *id))).collect();
        for (_, id) in resolved.iter().take(resolved.len().saturating_sub(MAX_RESOLVED)) {
            self.tracks.remove(id);
        }
    }

    /// Firing hints, at most three per incident, then resolved ones. Order: rule, falling confidence, id. Of an incident
    /// causes come before effects, and what was shown before stays.
    pub(crate) fn hints(&mut self) -> Vec<api::Hint> {
        let mut order: Vec<(bool, u16, f64, u64)> =
            self.tracks.iter().map(|(id, t)| (!t.open, t.rule.order, -t.hint.confidence, *id)).collect();
        order.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)).then(a.3.cmp(&b.3)));
        let shown = self.choose(order.iter().map(|(.., id)| *id));
        let mut out = Vec::new();
        for (_, _, _, id) in order {
            let Some(track) = self.tracks.get_mut(&id) else { continue };
            if track.open {
                let Some(beside) = shown.get(&id) else { continue };
                if !track.shown {
                    track.shown = true;
                    *self.totals.entry(track.rule.id.to_owned()).or_default() += 1;
                }
                out.push(beside.complete(track.hint.clone()));
            } else if track.resolved_at.is_some() {
                out.push(track.hint.clone());
            }
        }
        out
    }

    /// Which open hints to show, out of all in their order, and what the incident adds to each.
    fn choose(&self, order: impl Iterator<Item = u64>) -> BTreeMap<u64, Beside> {
        let open: Vec<(u64, &Track)> =
            order.filter_map(|id| Some((id, self.tracks.get(&id)?))).filter(|(_, track)| track.open).collect();
        let members: Vec<Member<'_>> = open
            .iter()
            .map(|(_, track)| Member { rule: track.rule, blame: &track.hint.blame, subject: &track.subject })
            .collect();
        let mut incidents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let places = incidents::places(&members);
        for (i, place) in places.iter().enumerate() {
            incidents.entry(place.incident).or_default().push(i);
        }
        let mut out = BTreeMap::new();
        for mut all in incidents.into_values() {
            let causes: BTreeSet<&str> = all.iter().map(|i| members[*i].rule.id).collect();
            let is_effect = |i: usize| {
                places[i].root.is_some() || members[i].rule.caused_by.iter().any(|cause| causes.contains(cause))
            };
            // Stable: within each kind the order stays.
            all.sort_by_key(|i| (is_effect(*i), !open[*i].1.shown));
            let subjects = all.iter().map(|i| members[*i].subject).collect::<BTreeSet<_>>().len();
            for i in all.iter().take(MAX_PER_INCIDENT) {
                out.insert(open[*i].0, Beside { root: places[*i].root, subjects });
            }
        }
        out
    }
}

/// What the other hints of an incident add to one.
struct Beside {
    /// Cause at the blamed Pod.
    root: Option<&'static str>,
    /// Subjects of the incident.
    subjects: usize,
}

impl Beside {
    fn complete(&self, mut hint: api::Hint) -> api::Hint {
        if let Some(root) = self.root {
            hint.chain.insert(0, root.to_owned());
        }
        if self.subjects > 1 {
            hint.evidence.push(api::Evidence {
                signal: "affected".to_owned(),
                observed: self.subjects as f64,
                baseline: None,
                unit: "subjects".to_owned(),
                place: hint.subject.node.clone(),
                source: "netwhy".to_owned(),
            });
        }
        hint
    }
}

impl Track {
    fn new(finding: &Finding, subject: &SubjectId, id: u64, node: &str, now: &Now) -> Self {
        let hint = api::Hint {
            id: format!("{id:016x}"),
            state: HintState::Firing,
            subject: api_subject(subject, node),
            symptom: finding.rule.symptom.to_owned(),
            cause: finding.rule.id.to_owned(),
            blame: finding.blame.clone(),
            confidence: 0.0,
            summary: String::new(),
            evidence: Vec::new(),
            ruled_out: Vec::new(),
            chain: Vec::new(),
            action: finding.rule.action.to_owned(),
            first_seen: now.stamp.clone(),
            last_seen: now.stamp.clone(),
            window_seconds: 0.0,
        };
        Self {
            rule: finding.rule,
            subject: subject.clone(),
            edges: Vec::new(),
            hint,
            recent: 0,
            clean: 0,
            open: false,
            shown: false,
            resolved_at: None,
            held_at: None,
        }
    }

    fn positive(&mut self, finding: &Finding, edges: Vec<u64>, thresholds: &Thresholds, now: &Now) {
        let first = !self.open && self.recent_positives() == 0;
        self.recent = self.recent << 1 | 1;
        self.clean = 0;
        let enough = self.recent_positives() >= thresholds.enter_windows.clamp(1, MEMORY);
        let opens = !self.open && (enough || finding.overwhelming);
        self.open |= opens;
        if opens {
            self.shown = false;
            self.resolved_at = None;
        }
        // A resolved hint keeps its own numbers until it holds again.
        if self.open || self.resolved_at.is_none() {
            self.edges = edges;
            self.hint.blame = finding.blame.clone();
            self.hint.confidence = finding.confidence();
            self.hint.summary = finding.summary.clone();
            self.hint.evidence = finding.evidence.clone();
            self.hint.ruled_out = finding.ruled_out.clone();
            self.hint.chain = finding.chain();
            self.hint.last_seen = now.stamp.clone();
            self.hint.window_seconds = now.window.as_secs_f64();
        }
        if opens && self.hint.state == HintState::Resolved || first && self.resolved_at.is_none() {
            self.hint.first_seen = now.stamp.clone();
        }
        if self.open {
            self.hint.state = HintState::Firing;
            self.held_at = Some(now.at);
        }
    }

    fn negative(&mut self, thresholds: &Thresholds, now: &Now, why: &str) {
        self.recent <<= 1;
        self.clean = self.clean.saturating_add(1);
        if self.open && self.clean >= thresholds.leave_windows.max(1) {
            self.resolve(now, why);
        }
    }

    fn resolve(&mut self, now: &Now, why: &str) {
        self.open = false;
        self.recent = 0;
        self.hint.state = HintState::Resolved;
        self.hint.summary.push_str("; resolved: ");
        self.hint.summary.push_str(why);
        self.resolved_at = self.shown.then_some(now.at);
    }

    fn recent_positives(&self) -> u32 {
        (self.recent & ((1 << MEMORY) - 1)).count_ones()
    }

    /// It ended less than a window after it last held.
    fn is_echo(&self, now: &Now) -> bool {
        !self.open && self.held_at.is_some_and(|at| now.at.saturating_sub(at) <= now.window)
    }

    fn is_worth_keeping(&self, now: &Now) -> bool {
        self.open
            || self.recent_positives() > 0
            || self.is_echo(now)
            || self.resolved_at.is_some_and(|at| now.at.saturating_sub(at) <= KEEP_RESOLVED)
    }
}

fn api_subject(id: &SubjectId, node: &str) -> api::Subject {
    let kind = match id.kind {
        SubjectKind::Pod => "Pod",
        SubjectKind::Container => "Container",
        SubjectKind::Unit => "Unit",
    };
    api::Subject {
        kind: kind.to_owned(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        workload: id.workload.clone(),
        node: node.to_owned(),
    }
}
