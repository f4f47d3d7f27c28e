//! Hints of many agents as one list.

use super::{SilentAgent, unix_ms};
use crate::api::{Hint, HintState};
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
        Self { items, agents, not_answered }
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
mod tests {
    use super::super::testing::{NOW_MS, hint};
    use super::*;

    fn resolved(name: &str, seen: &str) -> Hint {
        let mut hint = hint("shop", name, "path_loss");
        hint.state = HintState::Resolved;
        hint.last_seen = seen.to_owned();
        hint
    }

    #[test]
    fn resolved_hints_are_shown_for_the_requested_time() {
        let all = [
            hint("shop", "a", "path_loss"),
            resolved("b", "2025-12-31T23:58:00Z"),
            resolved("c", "2025-12-31T23:00:00Z"),
        ];
        let names = |since: Option<u64>| -> Vec<String> {
            let wanted = HintFilter { since: since.map(Duration::from_secs), now_ms: NOW_MS, ..HintFilter::default() };
            Hints::new(all.clone(), &wanted, 1, vec![]).items.into_iter().map(|h| h.subject.name).collect()
        };
        assert_eq!(names(None), ["a"]);
        assert_eq!(names(Some(300)), ["a", "b"]);
        assert_eq!(names(Some(7200)), ["a", "b", "c"]);
    }

    #[test]
    fn a_namespace_hides_the_others() {
        let wanted = HintFilter { namespace: Some("shop".to_owned()), now_ms: NOW_MS, ..HintFilter::default() };
        let all = [hint("shop", "a", "path_loss"), hint("other", "b", "path_loss")];
        assert_eq!(Hints::new(all, &wanted, 1, vec![]).items.len(), 1);
    }

    #[test]
    fn a_watch_sees_new_and_resolved_hints() {
        let (a, b) = (hint("shop", "a", "path_loss"), hint("shop", "b", "path_loss"));
        let mut ended = a.clone();
        ended.state = HintState::Resolved;
        let now = [ended, b.clone()];
        let seen: Vec<&str> = changes(&[a, b], &now).iter().map(|h| h.subject.name.as_str()).collect();
        assert_eq!(seen, ["a"]);
        assert_eq!(changes(&[], &now).len(), 2);
    }
}
