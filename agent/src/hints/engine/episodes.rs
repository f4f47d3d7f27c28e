//! Troubles that come and go: the episodes of one add up.

use std::{collections::BTreeSet, time::Duration};

/// Time without the rule that ends an episode.
const END: Duration = Duration::from_secs(3);
/// Time between two episodes up to which they are one trouble.
const MEMORY: Duration = Duration::from_secs(60);
/// A trouble is over after this multiple of the time between its last two episodes.
const PATIENCE: u32 = 2;

/// The last two episodes of a rule at a subject.
#[derive(Debug, Default)]
pub(crate) struct Episodes {
    before: Option<Episode>,
    newest: Option<Episode>,
}

/// A time in which a rule held.
#[derive(Debug)]
struct Episode {
    /// First and last tick, monotonic.
    begin: Duration,
    end: Duration,
    /// Keys of the edges that it explained.
    edges: BTreeSet<u64>,
}

impl Episodes {
    /// The rule holds at this time, for these edges.
    pub(crate) fn hold(&mut self, at: Duration, edges: &[u64]) {
        if let Some(newest) = self.newest.as_mut().filter(|newest| at.saturating_sub(newest.end) <= END) {
            newest.end = at;
            newest.edges.extend(edges);
            return;
        }
        self.before = self.newest.take();
        self.newest = Some(Episode { begin: at, end: at, edges: edges.iter().copied().collect() });
    }

    /// Time between two episodes that share an edge. `None`: there was one only.
    fn gap(&self) -> Option<Duration> {
        let (before, newest) = self.before.as_ref().zip(self.newest.as_ref())?;
        let gap = newest.begin.saturating_sub(before.end);
        (gap <= MEMORY && !before.edges.is_disjoint(&newest.edges)).then_some(gap)
    }

    /// The trouble came again.
    pub(crate) fn are_several(&self) -> bool {
        self.gap().is_some()
    }

    /// No further episode is to be expected.
    pub(crate) fn are_over(&self, at: Duration) -> bool {
        let patience = self.gap().map_or(Duration::ZERO, |gap| (PATIENCE * gap).min(MEMORY));
        self.newest.as_ref().is_none_or(|newest| at.saturating_sub(newest.end) >= patience)
    }

    /// The next episode may still be one of the same trouble.
    pub(crate) fn may_go_on(&self, at: Duration) -> bool {
        self.newest.as_ref().is_some_and(|newest| at.saturating_sub(newest.end) <= MEMORY)
    }
}

#[cfg(test)]
mod tests;
