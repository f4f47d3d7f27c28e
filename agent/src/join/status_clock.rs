//! The clock by which the status of a Pod ages. Pure.

use crate::api::{ContainerState, PodInfo};
use std::{sync::Arc, time::Duration};

/// The wall clock of the moment in which the times of a Pod's status were first seen, and from then on the monotonic
/// clock. So a step of the wall clock ages no status.
#[derive(Debug)]
pub(super) struct StatusClock {
    pod: Arc<PodInfo>,
    /// Monotonic time of that moment.
    seen_at: Duration,
    /// Its wall clock, ms since the Unix epoch.
    seen_ms: i64,
    /// The clock at the newest snapshot, ms since the Unix epoch.
    pub(super) now_ms: i64,
}

impl StatusClock {
    /// The clock of this status at a snapshot. `known`: that of the snapshot before.
    pub(super) fn follow(known: Option<Self>, pod: &Arc<PodInfo>, at: Duration, unix_ms: u64) -> Self {
        let is_same = |known: &Self| Arc::ptr_eq(&known.pod, pod) || times(&known.pod).eq(times(pod));
        let (seen_at, seen_ms) = match known.filter(is_same) {
            Some(known) => (known.seen_at, known.seen_ms),
            None => (at, i64::try_from(unix_ms).unwrap_or(i64::MAX)),
        };
        let since = i64::try_from(at.saturating_sub(seen_at).as_millis()).unwrap_or(i64::MAX);
        Self { pod: Arc::clone(pod), seen_at, seen_ms, now_ms: seen_ms.saturating_add(since) }
    }
}

/// Times of a status, in their order.
fn times(pod: &PodInfo) -> impl Iterator<Item = Option<i64>> {
    let of_containers = pod.containers.iter().flat_map(|container| {
        let state = match &container.state {
            ContainerState::Running { since_ms } => *since_ms,
            ContainerState::Ended(ended) => ended.at_ms,
            ContainerState::Waiting(_) | ContainerState::Unknown => None,
        };
        [state, container.last.as_ref().and_then(|ended| ended.at_ms)]
    });
    [Some(pod.created_ms), pod.deleting_ms].into_iter().chain(pod.unmet.iter().map(|c| c.since_ms)).chain(of_containers)
}

#[cfg(test)]
mod tests;
