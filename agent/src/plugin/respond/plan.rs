//! The look-ups that a request asks for. Alerts about one object share one.

use super::{
    counts::{Count, Counts},
    seen::Seen,
    target::{Candidate, Naming, candidates},
    webhook::{Alert, Delivery, Key, Labels},
};
use std::time::Instant;

/// Most look-ups for one request.
pub(super) const MOST_JOBS: usize = 64;
/// Most alerts of one look-up.
pub(super) const MOST_ALERTS: usize = 32;

/// One look-up.
#[derive(Debug)]
pub(super) struct Job {
    /// Objects to try, the likeliest first. Never empty.
    pub(super) candidates: Vec<Candidate>,
    /// The alerts that wait for it.
    pub(super) alerts: Vec<Asking>,
}

/// An alert that waits for an answer.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) key: Key,
    pub(super) begin: Key,
    /// Name and severity.
    pub(super) title: String,
    pub(super) labels: Labels,
}

/// What a request asks for.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) jobs: Vec<Job>,
    /// Alerts that are over.
    pub(super) over: Vec<Key>,
    /// Other alerts, by what they are.
    others: Vec<(Count, u64)>,
}

impl Plan {
    /// The plan of a request.
    pub(super) fn new(delivery: Delivery, seen: &Seen, naming: Naming, now: Instant) -> Self {
        let mut plan = Self::default();
        plan.other(Count::AlertLeftOut, delivery.truncated_alerts);
        for alert in delivery.alerts {
            let key = alert.key(&delivery.group_key);
            if !alert.fires() {
                plan.over.push(key);
            } else if seen.has(&key, &alert.begin(), now) {
                plan.other(Count::AlertRepeated, 1);
            } else {
                plan.add(key, alert, naming);
            }
        }
        plan
    }

    fn add(&mut self, key: Key, alert: Alert, naming: Naming) {
        if !alert.is_bounded() {
            return self.other(Count::AlertLeftOut, 1);
        }
        let candidates = candidates(&alert.labels, naming);
        if candidates.is_empty() {
            return self.other(Count::AlertWithoutTarget, 1);
        }
        let asking = Asking { key, begin: alert.begin(), title: alert.title(), labels: alert.labels };
        let same = self.jobs.iter_mut().find(|job| job.candidates.first() == candidates.first());
        if let Some(job) = same {
            if job.alerts.len() < MOST_ALERTS {
                job.alerts.push(asking);
            } else {
                self.other(Count::AlertLeftOut, 1);
            }
        } else if self.jobs.len() < MOST_JOBS {
            self.jobs.push(Job { candidates, alerts: vec![asking] });
        } else {
            self.other(Count::AlertLeftOut, 1);
        }
    }

    fn other(&mut self, count: Count, number: u64) {
        self.others.push((count, number));
    }

    /// Counts the alerts, once the look-ups wait.
    pub(super) fn count(&self, counts: &Counts) {
        counts.add_many(Count::AlertResolved, self.over.len() as u64);
        counts.add_many(Count::AlertQueued, self.jobs.iter().map(|job| job.alerts.len() as u64).sum());
        for (count, number) in &self.others {
            counts.add_many(*count, *number);
        }
    }

    /// Alerts that were left out.
    pub(super) fn left_out(&self) -> u64 {
        let left_out = self.others.iter().filter(|(count, _)| *count == Count::AlertLeftOut);
        // Whoever sends a request can name any number.
        left_out.map(|(_, number)| *number).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests;
