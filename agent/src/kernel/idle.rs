//! Which rows of a map stopped changing, so that they can be taken out.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash},
    time::Duration,
};

/// When each row last changed, by a hash of what moves in it.
pub(super) struct Idle<K> {
    seen: HashMap<K, (u64, Duration)>,
}

impl<K> Default for Idle<K> {
    fn default() -> Self {
        Self { seen: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash> Idle<K> {
    /// Whether each row changed since the last call; `moving` picks what of a row tells.
    pub(super) fn changed<V, H: Hash>(
        &mut self,
        now: Duration,
        rows: &[(K, V)],
        moving: impl Fn(&V) -> H,
    ) -> Vec<bool> {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let mut changed = |(key, row): &(K, V)| {
            let hash = hasher.hash_one(moving(row));
            let slot = self.seen.entry(*key).or_insert((!hash, now));
            let differs = slot.0 != hash;
            if differs {
                *slot = (hash, now);
            }
            differs
        };
        rows.iter().map(&mut changed).collect()
    }

    /// Rows that did not change for longer than `limit`; they are forgotten here.
    pub(super) fn take_older(&mut self, now: Duration, limit: Duration) -> Vec<K> {
        let old: Vec<K> =
            self.seen.iter().filter(|(_, (_, since))| now.saturating_sub(*since) > limit).map(|(k, _)| *k).collect();
        for key in &old {
            self.seen.remove(key);
        }
        old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_idle_from_its_last_change_on() {
        let mut idle = Idle::default();
        let at = Duration::from_secs;
        assert_eq!(idle.changed(at(0), &[(1, 5u64), (2, 5)], |v| *v), [true, true]);
        assert_eq!(idle.changed(at(9), &[(1, 5u64), (2, 6)], |v| *v), [false, true]);
        assert_eq!(idle.take_older(at(10), at(9)), [1]);
        assert_eq!(idle.take_older(at(10), at(9)), [] as [i32; 0], "reported once");
        assert_eq!(idle.changed(at(11), &[(1, 5u64)], |v| *v), [true], "a row that comes back is new");
    }
}
