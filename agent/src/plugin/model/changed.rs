//! What changed before a trouble began, the changes nearest to the culprit first.
//!
//! Kubernetes writes its times in whole seconds, and notices some changes late. Changes up to a minute after the onset
//! therefore count too, and are shown as such.

mod focus;

pub use focus::{Focus, Inquiry, PodName, Workload};

use super::{SilentAgent, health::Fact};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Length of the time before the onset, ms.
pub const BEFORE_MS: i64 = 15 * 60 * 1000;
/// A change may be noted so long after it happened, ms: a kubelet reports a condition that late.
const LATE_MS: i64 = 60 * 1000;
/// Most changes in a report.
const MAX_ITEMS: usize = 100;
/// Most reasons for missing changes.
const MAX_UNKNOWN: usize = 20;

/// The report of `changed`, and a section of `why`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Changes {
    /// `Pod`, `Deployment` …
    pub kind: String,
    /// Its namespace; empty for Nodes.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Begin of the time, RFC 3339.
    pub from: String,
    /// The onset of the trouble, or the end of the time, RFC 3339.
    pub until: String,
    /// The nearest to the culprit first, then the nearest in time.
    pub items: Vec<Change>,
    /// Changes beyond those in `items`.
    pub left_off: usize,
    /// Kinds of changes that could not be read, each once, with the reason.
    pub unknown: Vec<Fact>,
    /// Agents that did not answer.
    pub not_answered: Vec<SilentAgent>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// When, RFC 3339.
    pub at: String,
    /// Seconds before `until`. Negative: noted after it.
    pub seconds_before: i64,
    /// How near the object is to the culprit.
    pub near: Near,
    /// Kind of change.
    pub kind: ChangeKind,
    /// Namespace of the object; empty for Nodes.
    pub namespace: String,
    /// The object, such as `Deployment/payment`.
    pub object: String,
    /// One clause about the object, such as `rolled out revision 7: image app: pay:1.4 → pay:1.5`.
    pub what: String,
}

/// How near a changed object is to the culprit, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Near {
    /// The Pod at fault or its workload; while nobody is named, a candidate.
    Culprit,
    /// The Node at fault, or that of the Pod at fault.
    CulpritNode,
    /// The target or its workload.
    Target,
    /// A Node of the target.
    TargetNode,
    /// Anything else on the way.
    Nearby,
}

impl Near {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Culprit => "culprit",
            Self::CulpritNode => "culprit's Node",
            Self::Target => "target",
            Self::TargetNode => "target's Node",
            Self::Nearby => "nearby",
        }
    }
}

/// Kinds of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A new revision of a workload.
    Rollout,
    /// Another number of replicas.
    Scaling,
    /// Somebody wrote a workload, a ConfigMap or a Secret.
    Configuration,
    /// A certificate ended.
    Expiry,
    /// A container or a kubelet started again.
    Restart,
    /// A Node booted.
    Reboot,
    /// A Node joined.
    Joined,
    /// A condition of a Node or Pod.
    Condition,
    /// A taint, a cordon, an eviction.
    Drain,
    /// Pods started on a Node.
    Placement,
    /// An agent of netwhy started: it learns anew what is usual.
    Agent,
}

impl ChangeKind {
    /// One word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rollout => "rollout",
            Self::Scaling => "scaling",
            Self::Configuration => "configuration",
            Self::Expiry => "expiry",
            Self::Restart => "restart",
            Self::Reboot => "reboot",
            Self::Joined => "joined",
            Self::Condition => "condition",
            Self::Drain => "drain",
            Self::Placement => "placement",
            Self::Agent => "agent",
        }
    }
}

/// A change as a source has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When, ms since the Unix epoch.
    pub at_ms: i64,
    /// How near the object is to the culprit.
    pub near: Near,
    /// Kind of change.
    pub kind: ChangeKind,
    /// Namespace of the object; empty for Nodes.
    pub namespace: String,
    /// The object, such as `Deployment/payment`.
    pub object: String,
    /// One clause about it.
    pub what: String,
}

/// The time that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its begin, ms since the Unix epoch.
    pub from_ms: i64,
    /// The onset, ms since the Unix epoch.
    pub until_ms: i64,
}

impl Window {
    /// This long before the onset, ms.
    pub const fn before(until_ms: i64, length_ms: i64) -> Self {
        Self { from_ms: until_ms.saturating_sub(length_ms), until_ms }
    }

    /// Whether a change at this time counts.
    pub const fn has(&self, at_ms: i64) -> bool {
        self.from_ms <= at_ms && at_ms <= self.until_ms + LATE_MS
    }

    /// The first of these times that counts.
    pub fn first(&self, times: impl IntoIterator<Item = Option<i64>>) -> Option<i64> {
        times.into_iter().flatten().find(|at| self.has(*at))
    }
}

/// Everything that sources found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Changes, in any order, also out of the window.
    pub seen: Vec<Seen>,
    /// Sources that could not be read.
    pub unknown: Vec<Fact>,
    /// Agents that did not answer.
    pub silent: Vec<SilentAgent>,
}

impl Found {
    /// Adds what another source found.
    pub fn add(&mut self, other: Self) {
        self.seen.extend(other.seen);
        self.unknown.extend(other.unknown);
        self.silent.extend(other.silent);
    }
}

/// The report about a target.
pub fn changes(focus: &Focus, window: Window, found: Found) -> Changes {
    // The same change by several ways: the nearest one stays.
    let mut best: BTreeMap<(String, String, String, i64), Seen> = BTreeMap::new();
    for seen in found.seen.into_iter().filter(|seen| window.has(seen.at_ms)) {
        let key = (seen.namespace.clone(), seen.object.clone(), seen.what.clone(), seen.at_ms);
        let entry = best.entry(key).or_insert_with(|| seen.clone());
        if seen.near < entry.near {
            *entry = seen;
        }
    }
    let mut all: Vec<Seen> = best.into_values().collect();
    // Stable: of equals, those first by name.
    all.sort_by_key(|seen| (seen.near, (window.until_ms - seen.at_ms).abs(), seen.kind));
    let left_off = all.len().saturating_sub(MAX_ITEMS);
    all.truncate(MAX_ITEMS);
    let mut unknown: Vec<Fact> = Vec::new();
    for fact in found.unknown {
        if unknown.len() < MAX_UNKNOWN && !unknown.iter().any(|known| known.what == fact.what) {
            unknown.push(fact);
        }
    }
    let mut not_answered = found.silent;
    not_answered.sort();
    not_answered.dedup();
    Changes {
        kind: focus.kind.clone(),
        namespace: focus.namespace.clone(),
        name: focus.name.clone(),
        from: time(window.from_ms),
        until: time(window.until_ms),
        items: all.into_iter().map(|seen| change(seen, window)).collect(),
        left_off,
        unknown,
        not_answered,
    }
}

fn change(seen: Seen, window: Window) -> Change {
    let Seen { at_ms, near, kind, namespace, object, what } = seen;
    let seconds_before = (window.until_ms - at_ms).div_euclid(1000);
    Change { at: time(at_ms), seconds_before, near, kind, namespace, object, what }
}

/// RFC 3339, in whole seconds. Empty: no such time.
fn time(ms: i64) -> String {
    Timestamp::from_second(ms.div_euclid(1000)).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
