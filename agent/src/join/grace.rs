//! Subjects whose last cgroup is gone: how long they keep their series, and what remains of them afterwards.

use super::{Join, is_shown};
use crate::{api::MemoryLevel, state::SubjectId};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

impl Join {
    /// Lets subjects go whose grace is over, and folds those that are too many.
    pub(super) fn let_go(&mut self, now: Duration) {
        let is_alive = |owner: &&super::Owner| owner.alive && !self.is_over(&owner.subject);
        let mut alive: BTreeSet<&SubjectId> = self.owners.values().filter(is_alive).map(|o| &o.subject).collect();
        alive.extend(&self.live_pods);
        for (id, subject) in &mut self.subjects {
            if alive.contains(id) {
                subject.gone_since = None;
            } else {
                subject.gone_since.get_or_insert(now);
            }
        }
        let grace = self.limits.gone;
        self.subjects.retain(|id, subject| match subject.gone_since {
            None => true,
            // A unit without traffic has no series to keep.
            Some(since) => now.saturating_sub(since) <= grace && is_shown(id, &subject.sums),
        });
        self.fold_excess();
    }

    /// Folds subjects beyond the cap, which is lower near the memory limit: those gone for longest first.
    fn fold_excess(&mut self) {
        let most = match self.level {
            MemoryLevel::Ok => self.limits.gone_subjects,
            MemoryLevel::Near => self.limits.gone_subjects / 4,
            MemoryLevel::Critical => self.limits.gone_subjects / 16,
        };
        let gone = self.subjects.iter().filter_map(|(id, subject)| Some((subject.gone_since?, id)));
        let mut gone: Vec<(Duration, &SubjectId)> = gone.collect();
        let excess = gone.len().saturating_sub(most);
        if excess == 0 {
            return;
        }
        gone.sort_unstable();
        let ids: Vec<SubjectId> = gone.into_iter().take(excess).map(|(_, id)| id.clone()).collect();
        for id in ids {
            if let Some(subject) = self.subjects.remove(&id) {
                Arc::make_mut(self.folded.get_or_insert_default()).add(&subject.view(&id));
            }
        }
    }
}

#[cfg(test)]
mod tests;
