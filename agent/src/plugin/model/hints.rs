//! Hints of many agents as one list.

use super::{SilentAgent, unix_ms};
use crate::api::{Gap, Hint, HintState};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// The report of `hints`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Hints {
    /// Firing first; then by confidence.
    pub items: Vec<Hint>,
    /// Agents that answered.
    pub agents: usize,
    /// Agents that did not answer: the list is partial.
    pub not_answered: Vec<SilentAgent>,
    /// The time that was asked for, RFC 3339. `None`: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between: Option<[String; 2]>,
    /// Times of which nothing is recorded: the list is partial.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingTime>,
}

/// A time of which an agent has no record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingTime {
    /// Node.
    pub node: String,
    /// The time and the reason.
    #[serde(flatten)]
    pub gap: Gap,
}

/// Which hints to show.
#[derive(Clone, Debug, Default)]
pub struct HintFilter {
    /// `None`: all namespaces, and Nodes.
    pub namespace: Option<String>,
    /// Also hints that were resolved within this time. `None`: only firing hints.
    pub since: Option<Duration>,
    /// The time of day, ms since the Unix epoch.
    pub now_ms: i64,
}

impl HintFilter {
    /// True if the hint is to be shown.
    pub fn shows(&self, hint: &Hint) -> bool {
        self.namespace.as_ref().is_none_or(|ns| *ns == hint.subject.namespace) && self.is_current(hint)
    }

    /// Firing, or resolved within the requested time.
    pub fn is_current(&self, hint: &Hint) -> bool {
        let recent = |since: Duration| {
            let age = unix_ms(&hint.last_seen).map(|seen| self.now_ms.saturating_sub(seen));
            age.is_some_and(|age| i128::from(age) <= i128::try_from(since.as_millis()).unwrap_or(i128::MAX))
        };
        hint.state == HintState::Firing || self.since.is_some_and(recent)
    }
}

impl Hints {
    /// From all answers.
    pub fn new(
        hints: impl IntoIterator<Item = Hint>,
        wanted: &HintFilter,
        agents: usize,
        not_answered: Vec<SilentAgent>,
    ) -> Self {
        let mut items: Vec<Hint> = hints.into_iter().filter(|hint| wanted.shows(hint)).collect();
        sort(&mut items);
        Self { items, agents, not_answered, ..Self::default() }
    }

    /// The hints of a time in the past: all that fired in it, in the order of their begin.
    pub fn of_time(
        mut items: Vec<Hint>,
        (from, to): (Timestamp, Timestamp),
        agents: usize,
        not_answered: Vec<SilentAgent>,
        mut missing: Vec<MissingTime>,
    ) -> Self {
        let key = |hint: &Hint| (hint.first_seen.clone(), hint.subject.namespace.clone(), hint.subject.name.clone());
        items.sort_by_cached_key(|hint| (key(hint), hint.cause.clone()));
        missing.sort_by(|a, b| (&a.node, &a.gap).cmp(&(&b.node, &b.gap)));
        Self { items, agents, not_answered, between: Some([from.to_string(), to.to_string()]), missing }
    }
}

/// Firing first, then by confidence, then by name.
pub fn sort(hints: &mut [Hint]) {
    let key =
        |hint: &Hint| (hint.state != HintState::Firing, hint.subject.namespace.clone(), hint.subject.name.clone());
    hints.sort_by(|a, b| {
        let (x, y) = (key(a), key(b));
        x.0.cmp(&y.0)
            .then(b.confidence.total_cmp(&a.confidence))
            .then_with(|| (x.1, x.2, &a.cause).cmp(&(y.1, y.2, &b.cause)))
    });
}

/// Hints that are new or changed their state.
pub fn changes<'a>(before: &[Hint], now: &'a [Hint]) -> Vec<&'a Hint> {
    let known = |hint: &Hint| before.iter().find(|old| old.id == hint.id && old.subject == hint.subject);
    now.iter().filter(|hint| known(hint).is_none_or(|old| old.state != hint.state)).collect()
}

#[cfg(test)]
mod tests;
