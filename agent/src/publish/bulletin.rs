//! What is to be said next, and what was said already. Pure: time is an argument.

use super::Publish;
use crate::{
    api::{BlameKind, Hint, HintState},
    state::{NodeView, SubjectKind},
};
use std::{collections::BTreeMap, time::Duration};

/// A hint that goes on, or comes back, is told again after this long: the API server forgets Events after an hour.
const EVENT_AGAIN: Duration = Duration::from_secs(600);
/// An unchanged condition is confirmed after this long, as kubelets do.
const HEARTBEAT: Duration = Duration::from_secs(300);
/// A condition does not change more often.
const CONDITION_APART: Duration = Duration::from_secs(10);
/// After a refusal (no right, no such Pod) the same is not tried for this long; after another failure for [`SOON`].
const REFUSED: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(30);
/// Hints remembered at most; of more, those told longest ago are forgotten.
const MAX_KNOWN: usize = 1000;

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    Event(PodEvent),
    Condition(NodeCondition),
}

/// A firing hint as news about its Pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PodEvent {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) uid: String,
    pub(super) node: String,
    /// The hint's.
    pub(super) id: String,
    pub(super) cause: String,
    pub(super) message: String,
    /// RFC 3339.
    pub(super) first_seen: String,
    pub(super) last_seen: String,
    /// Times told, this one included.
    pub(super) count: u32,
}

impl PodEvent {
    /// The object's name: one for each hint, so that saying it again changes it.
    pub(super) fn name(&self) -> String {
        // Names have 253 characters at most; Pods' may have as many.
        let pod: String = self.pod.chars().take(200).collect();
        format!("{}.netwhy-{}", pod.trim_end_matches(['.', '-']), self.id)
    }
}

/// Whether anything blames this Node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NodeCondition {
    pub(super) node: String,
    /// The cause and summary of the most confident hint that blames the Node. `None`: none does.
    pub(super) trouble: Option<(String, String)>,
    /// RFC 3339.
    pub(super) now: String,
    /// Since when it is so, RFC 3339.
    pub(super) since: String,
}

/// When something was told, and when it may be tried again.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    at: Option<Duration>,
    not_before: Duration,
    count: u32,
}

/// Remembers what was said.
#[derive(Debug)]
pub(super) struct Bulletin {
    what: Publish,
    events: BTreeMap<String, Told>,
    /// What was said of the Node last: the cause, since when.
    condition: Option<(Option<String>, String)>,
    told: Told,
}

impl Bulletin {
    pub(super) fn new(what: Publish) -> Self {
        Self { what, events: BTreeMap::new(), condition: None, told: Told::default() }
    }

    /// The next request that is due: first the condition, then the Event that waited longest.
    pub(super) fn next(&self, view: &NodeView, now: Duration) -> Option<Act> {
        if !view.window_complete {
            return None;
        }
        self.due_condition(view, now).map(Act::Condition).or_else(|| self.due_event(view, now).map(Act::Event))
    }

    fn due_condition(&self, view: &NodeView, now: Duration) -> Option<NodeCondition> {
        if !self.what.conditions || now < self.told.not_before {
            return None;
        }
        let blaming = firing(view).filter(|hint| hint.blame.kind == BlameKind::Node && hint.blame.name == view.node);
        let worst = blaming.max_by(|a, b| a.confidence.total_cmp(&b.confidence).then(b.id.cmp(&a.id)));
        let trouble = worst.map(|hint| (hint.cause.clone(), hint.summary.clone()));
        let cause = trouble.as_ref().map(|(cause, _)| cause.clone());
        let stamp = stamp(view.unix_ms);
        let since = match &self.condition {
            Some((said, since)) if said.is_some() == cause.is_some() => since.clone(),
            _ => stamp.clone(),
        };
        let changed = self.condition.as_ref().is_none_or(|(said, _)| *said != cause);
        let apart = if changed { CONDITION_APART } else { HEARTBEAT };
        let due = self.told.at.is_none_or(|at| now.saturating_sub(at) >= apart);
        due.then(|| NodeCondition { node: view.node.clone(), trouble, now: stamp, since })
    }

    fn due_event(&self, view: &NodeView, now: Duration) -> Option<PodEvent> {
        if !self.what.events {
            return None;
        }
        let due = firing(view).filter_map(|hint| {
            let told = self.events.get(&hint.id).copied().unwrap_or_default();
            let waits = told.at.is_some_and(|at| now.saturating_sub(at) < EVENT_AGAIN);
            (now >= told.not_before && !waits).then_some((told.at, hint))
        });
        // Those never told come first.
        let (_, hint) = due.filter(|(_, hint)| pod_uid(view, hint).is_some()).min_by(|a, b| a.0.cmp(&b.0))?;
        let count = self.events.get(&hint.id).map_or(0, |told| told.count) + 1;
        Some(PodEvent {
            namespace: hint.subject.namespace.clone(),
            pod: hint.subject.name.clone(),
            uid: pod_uid(view, hint)?.to_owned(),
            node: view.node.clone(),
            id: hint.id.clone(),
            cause: hint.cause.clone(),
            message: hint.summary.clone(),
            first_seen: hint.first_seen.clone(),
            last_seen: hint.last_seen.clone(),
            count,
        })
    }

    /// It was said.
    pub(super) fn done(&mut self, act: &Act, now: Duration) {
        match act {
            Act::Event(event) => {
                let told = Told { at: Some(now), not_before: now, count: event.count };
                self.events.insert(event.id.clone(), told);
                self.forget();
            }
            Act::Condition(condition) => {
                let cause = condition.trouble.as_ref().map(|(cause, _)| cause.clone());
                self.condition = Some((cause, condition.since.clone()));
                self.told = Told { at: Some(now), ..Told::default() };
            }
        }
    }

    /// It could not be said; `refused`: nor will it be soon.
    pub(super) fn failed(&mut self, act: &Act, refused: bool, now: Duration) {
        let not_before = now + if refused { REFUSED } else { SOON };
        match act {
            Act::Event(event) => {
                self.events.entry(event.id.clone()).or_default().not_before = not_before;
                self.forget();
            }
            Act::Condition(_) => self.told.not_before = not_before,
        }
    }

    fn forget(&mut self) {
        while self.events.len() > MAX_KNOWN {
            let oldest = self.events.iter().min_by_key(|(_, told)| told.not_before).map(|(id, _)| id.clone());
            let Some(id) = oldest else { return };
            self.events.remove(&id);
        }
    }
}

fn firing(view: &NodeView) -> impl Iterator<Item = &Hint> {
    view.hints.iter().filter(|hint| hint.state == HintState::Firing)
}

/// `metadata.uid` of the Pod that a hint is about. `None`: it is about no Pod that the API server has.
fn pod_uid<'a>(view: &'a NodeView, hint: &Hint) -> Option<&'a str> {
    let subject = view.subjects.iter().find(|subject| {
        subject.id.kind == SubjectKind::Pod
            && subject.id.namespace == hint.subject.namespace
            && subject.id.name == hint.subject.name
    })?;
    subject.pod.as_ref().map(|pod| pod.uid.as_str())
}

/// RFC 3339 in whole seconds, as `metav1.Time` has it.
fn stamp(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    format!("{:.0}", jiff::Timestamp::from_millisecond(ms - ms % 1000).unwrap_or(jiff::Timestamp::MAX))
}

#[cfg(test)]
mod tests;
