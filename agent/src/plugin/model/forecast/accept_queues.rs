//! Accept queues of listeners that overflowed.
//!
//! A queue may fill and drain between two walks. The line through what they found is one of the
//! [`FIGURES`](super::FIGURES); the connections that a full queue turned away are all counted.

use serde::Serialize;
use std::time::Duration;

/// Most Pods that are listed; those that turned the most connections away stay.
pub const MAX_OVERFLOWS: usize = 20;
/// A queue that overflowed within this time may do so now.
pub const RECENT: Duration = Duration::from_secs(3600);

/// Accept queues of all Pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AcceptQueues {
    /// Pods whose overflows are counted.
    pub known: u64,
    /// Of these, that had overflows in the range.
    pub overflowed: u64,
    /// Those with the most, at most [`MAX_OVERFLOWS`].
    pub pods: Vec<Overflow>,
}

/// A Pod whose accept queues overflowed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Overflow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its Node, or the scraped address.
    pub node: String,
    /// Connections that its queues turned away in the range. Not whole: growth is drawn on to the range's ends.
    pub turned_away: f64,
    /// The same in the last hour of it.
    pub last_hour: f64,
}

impl AcceptQueues {
    /// Sorts and cuts the Pods: those that turned the most connections away come first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.pods.sort_by(|a, b| {
            b.turned_away
                .total_cmp(&a.turned_away)
                .then_with(|| (&a.namespace, &a.pod, &a.node).cmp(&(&b.namespace, &b.pod, &b.node)))
        });
        self.pods.truncate(MAX_OVERFLOWS);
        self
    }
}

#[cfg(test)]
pub(crate) mod tests;
