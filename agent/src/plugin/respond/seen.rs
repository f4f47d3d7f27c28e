//! Alerts that were answered: Alertmanager repeats those that keep firing.

use super::webhook::Key;
use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

/// Most alerts to remember. The oldest go first, and may then be answered once more.
const MOST: usize = 10_000;

/// Answered alerts.
#[derive(Debug)]
pub(super) struct Seen {
    again_after: Duration,
    alerts: HashMap<Key, Answered>,
    /// By time. An entry whose alert has another time is stale.
    order: VecDeque<(Instant, Key)>,
}

#[derive(Clone, Copy, Debug)]
struct Answered {
    at: Instant,
    /// Identity of the firing.
    begin: Key,
}

impl Seen {
    /// `again_after`: an alert that keeps firing is answered again after this time.
    pub(super) fn new(again_after: Duration) -> Self {
        Self { again_after, alerts: HashMap::new(), order: VecDeque::new() }
    }

    /// True if this firing was answered within the time.
    pub(super) fn has(&self, key: &Key, begin: &Key, now: Instant) -> bool {
        self.alerts.get(key).is_some_and(|answered| {
            answered.begin == *begin && now.saturating_duration_since(answered.at) < self.again_after
        })
    }

    /// Remembers a firing.
    pub(super) fn add(&mut self, key: Key, begin: Key, now: Instant) {
        self.alerts.insert(key, Answered { at: now, begin });
        self.order.push_back((now, key));
        let stale = |this: &Self, (at, key): &(Instant, Key)| this.alerts.get(key).is_none_or(|known| known.at != *at);
        while let Some(first) = self.order.front().copied() {
            let is_stale = stale(self, &first);
            if !is_stale && self.alerts.len() <= MOST && self.order.len() <= 2 * MOST {
                return;
            }
            self.order.pop_front();
            if !is_stale {
                self.alerts.remove(&first.1);
            }
        }
    }

    /// Forgets an alert that is over, or that got no answer.
    pub(super) fn forget(&mut self, key: &Key) {
        self.alerts.remove(key);
    }
}

#[cfg(test)]
mod tests;
