//! When the newest walks over all sockets were: counts of sightings are of so many moments.

use std::{collections::VecDeque, time::Duration};

/// Time for which a walk is remembered. Windows are no longer where walks are frequent.
const MEMORY: Duration = Duration::from_secs(60);

/// Beginnings of the newest walks, monotonic, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Walks(VecDeque<Duration>);

impl Walks {
    /// Takes note of the newest walk. Call once per tick. `None`: there was none yet.
    pub(crate) fn observe(&mut self, walked_at: Option<Duration>) {
        let Some(newest) = walked_at.filter(|at| self.0.back() != Some(at)) else { return };
        self.0.push_back(newest);
        while self.0.front().is_some_and(|first| newest.saturating_sub(*first) > MEMORY) {
            self.0.pop_front();
        }
    }

    /// Number of walks that began after this time.
    pub(crate) fn after(&self, begin: Duration) -> usize {
        self.0.iter().filter(|at| **at > begin).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_walk_counts_once_and_for_a_minute() {
        let mut walks = Walks::default();
        for second in (0..200_u32).step_by(2) {
            // One walk in two ticks.
            walks.observe(Some(second * SECOND));
            walks.observe(Some(second * SECOND));
        }
        let late = 190_u32 * SECOND;
        assert_eq!((walks.after(late), walks.after(Duration::ZERO)), (4, 31));
        walks.observe(None);
        assert_eq!(walks.after(late), 4);
    }
}
