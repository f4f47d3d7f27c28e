//! Which rows of a map stopped changing, so that they can be taken out.

use crate::sample::{Counted, Shape, shrink};
use foldhash::fast::FixedState;
use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash},
    time::Duration,
};

/// Shape of the idle times of all families.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdleRows;

impl Shape for IdleRows {
    type Of<F: Counted> = Idle<F::Key>;
}

/// When each row last changed, by a hash of the row.
#[derive(Clone, Debug)]
pub(super) struct Idle<K> {
    seen: HashMap<K, (u64, Duration)>,
}

impl<K> Default for Idle<K> {
    fn default() -> Self {
        Self { seen: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash> Idle<K> {
    /// The rows that changed since the last call.
    pub(super) fn changed<V: Copy + Hash>(&mut self, now: Duration, rows: &[(K, V)]) -> Vec<(K, V)> {
        let hasher = FixedState::default();
        let mut changed = |(key, row): &(K, V)| {
            let hash = hasher.hash_one(row);
            let slot = self.seen.entry(*key).or_insert((!hash, now));
            let differs = slot.0 != hash;
            if differs {
                *slot = (hash, now);
            }
            differs
        };
        rows.iter().filter(|row| changed(row)).copied().collect()
    }

    /// Rows that did not change for longer than their limit; they are forgotten here.
    pub(super) fn take_older(&mut self, now: Duration, limit: impl Fn(&K) -> Duration) -> Vec<K> {
        let is_old = |(key, (_, since)): &(&K, &(u64, Duration))| now.saturating_sub(*since) > limit(key);
        let old: Vec<K> = self.seen.iter().filter(is_old).map(|(key, _)| *key).collect();
        for key in &old {
            self.seen.remove(key);
        }
        shrink(&mut self.seen);
        old
    }
}

#[cfg(test)]
mod tests;
