//! Schedules what to publish next, and keeps what is published. Pure: time is an argument.

use super::Publish;
use crate::{
    api::{BlameKind, Hint, HintState},
    state::{NodeView, SubjectKind},
};
use std::{collections::BTreeMap, time::Duration};

/// The Event of a firing hint is renewed after this long. The API server deletes Events after an hour.
const EVENT_RENEWAL: Duration = Duration::from_secs(600);
/// An unchanged condition gets a heartbeat after this long, as kubelets do.
const HEARTBEAT: Duration = Duration::from_secs(300);
/// Shortest time between two changes of the condition.
const CONDITION_MIN_INTERVAL: Duration = Duration::from_secs(10);
/// Pause of one action after a refusal, such as a missing permission or Pod.
const REFUSAL_PAUSE: Duration = Duration::from_secs(600);
/// Pause of one action after any other failure.
const RETRY_PAUSE: Duration = Duration::from_secs(30);
/// Most Events kept. Beyond it, those published longest ago are dropped.
const MAX_EVENTS: usize = 1000;

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Event(PodEvent),
    Condition(NodeCondition),
}

/// A firing hint as an Event on its Pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PodEvent {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) uid: String,
    pub(super) node: String,
    /// Identifier of the hint.
    pub(super) id: String,
    pub(super) cause: String,
    pub(super) message: String,
    /// RFC 3339.
    pub(super) first_seen: String,
    pub(super) last_seen: String,
    /// Times published, this one included.
    pub(super) count: u32,
}

impl PodEvent {
    /// The object's name. Each hint has one, so that a renewal changes the same object.
    pub(super) fn name(&self) -> String {
        // Object names have at most 253 characters, and a Pod's name may have all of them.
        let pod: String = self.pod.chars().take(200).collect();
        format!("{}.netwhy-{}", pod.trim_end_matches(['.', '-']), self.id)
    }
}

/// The condition: whether a hint blames this Node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NodeCondition {
    pub(super) node: String,
    /// Cause and summary of the most confident hint that blames the Node. `None`: no hint does.
    pub(super) problem: Option<(String, String)>,
    /// RFC 3339.
    pub(super) now: String,
    /// Time of its last change, RFC 3339.
    pub(super) since: String,
}

/// When something was published, and when it may be tried again.
#[derive(Clone, Copy, Debug, Default)]
struct Published {
    /// `None`: never.
    at: Option<Duration>,
    not_before: Duration,
    count: u32,
}

/// Objects that are due, and those that are published.
#[derive(Debug)]
pub(super) struct Schedule {
    what: Publish,
    events: BTreeMap<String, Published>,
    /// The published condition: its cause, and the time of its last change.
    condition: Option<(Option<String>, String)>,
    condition_published: Published,
}

impl Schedule {
    pub(super) fn new(what: Publish) -> Self {
        Self { what, events: BTreeMap::new(), condition: None, condition_published: Published::default() }
    }

    /// The next action that is due: first the condition, then the Event that was published longest ago.
    pub(super) fn next(&self, view: &NodeView, now: Duration) -> Option<Action> {
        if !view.window_complete {
            return None;
        }
        self.due_condition(view, now).map(Action::Condition).or_else(|| self.due_event(view, now).map(Action::Event))
    }

    fn due_condition(&self, view: &NodeView, now: Duration) -> Option<NodeCondition> {
        if !self.what.conditions || now < self.condition_published.not_before {
            return None;
        }
        let blaming = firing(view).filter(|hint| hint.blame.kind == BlameKind::Node && hint.blame.name == view.node);
        let worst = blaming.max_by(|a, b| a.confidence.total_cmp(&b.confidence).then(b.id.cmp(&a.id)));
        let problem = worst.map(|hint| (hint.cause.clone(), hint.summary.clone()));
        let cause = problem.as_ref().map(|(cause, _)| cause.clone());
        let stamp = stamp(view.unix_ms);
        let since = match &self.condition {
            Some((published, since)) if published.is_some() == cause.is_some() => since.clone(),
            _ => stamp.clone(),
        };
        let changed = self.condition.as_ref().is_none_or(|(published, _)| *published != cause);
        let interval = if changed { CONDITION_MIN_INTERVAL } else { HEARTBEAT };
        let due = self.condition_published.at.is_none_or(|at| now.saturating_sub(at) >= interval);
        due.then(|| NodeCondition { node: view.node.clone(), problem, now: stamp, since })
    }

    fn due_event(&self, view: &NodeView, now: Duration) -> Option<PodEvent> {
        if !self.what.events {
            return None;
        }
        let due = firing(view).filter_map(|hint| {
            let published = self.events.get(&hint.id).copied().unwrap_or_default();
            let is_fresh = published.at.is_some_and(|at| now.saturating_sub(at) < EVENT_RENEWAL);
            (now >= published.not_before && !is_fresh).then_some((published.at, hint))
        });
        // `None` sorts first: those never published.
        let (_, hint) = due.filter(|(_, hint)| pod_uid(view, hint).is_some()).min_by(|a, b| a.0.cmp(&b.0))?;
        let count = self.events.get(&hint.id).map_or(0, |published| published.count) + 1;
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

    /// The action succeeded.
    pub(super) fn succeeded(&mut self, action: &Action, now: Duration) {
        match action {
            Action::Event(event) => {
                let published = Published { at: Some(now), not_before: now, count: event.count };
                self.events.insert(event.id.clone(), published);
                self.drop_oldest();
            }
            Action::Condition(condition) => {
                let cause = condition.problem.as_ref().map(|(cause, _)| cause.clone());
                self.condition = Some((cause, condition.since.clone()));
                self.condition_published = Published { at: Some(now), ..Published::default() };
            }
        }
    }

    /// The action failed. A refusal pauses it for longer.
    pub(super) fn failed(&mut self, action: &Action, is_refusal: bool, now: Duration) {
        let not_before = now + if is_refusal { REFUSAL_PAUSE } else { RETRY_PAUSE };
        match action {
            Action::Event(event) => {
                self.events.entry(event.id.clone()).or_default().not_before = not_before;
                self.drop_oldest();
            }
            Action::Condition(_) => self.condition_published.not_before = not_before,
        }
    }

    fn drop_oldest(&mut self) {
        while self.events.len() > MAX_EVENTS {
            let oldest = self.events.iter().min_by_key(|(_, published)| published.not_before).map(|(id, _)| id.clone());
            let Some(id) = oldest else { return };
            self.events.remove(&id);
        }
    }
}

fn firing(view: &NodeView) -> impl Iterator<Item = &Hint> {
    view.hints.iter().filter(|hint| hint.state == HintState::Firing)
}

/// `metadata.uid` of a hint's Pod. `None`: the subject is no Pod, or the API server doesn't have it.
fn pod_uid<'a>(view: &'a NodeView, hint: &Hint) -> Option<&'a str> {
    let subject = view.subjects.iter().find(|subject| {
        subject.id.kind == SubjectKind::Pod
            && subject.id.namespace == hint.subject.namespace
            && subject.id.name == hint.subject.name
    })?;
    subject.pod.as_ref().map(|pod| pod.uid.as_str())
}

/// RFC 3339 in whole seconds, as `metav1.Time` wants it.
fn stamp(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    format!("{:.0}", jiff::Timestamp::from_millisecond(ms - ms % 1000).unwrap_or(jiff::Timestamp::MAX))
}

#[cfg(test)]
mod tests;
