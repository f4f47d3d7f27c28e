//! Close-ups: which Pods of this Node are exempt from sampling, and for how long. Pods ask for one by an annotation,
//! which `kubectl netwhy watch-closer` writes. Pure: both clocks are arguments.
//!
//! The annotation has the end by the wall clock. What is left of it when the agent first reads it runs on the monotonic
//! clock: a step of the wall clock changes nothing.

use crate::{
    api::{CloseUp, CloseUpRequest, CloseUps, PodInfo},
    cgroup::{Owner, owner},
    pods::PodIndex,
    sample::CgroupFacts,
};
use netwhy_abi::memory::CLOSE_UPS;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Longest close-up. A later end counts as this.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// Follows the requests of this Node's Pods.
#[derive(Debug, Default)]
pub struct Requests {
    /// By UID of the Pod.
    known: BTreeMap<String, Request>,
    /// Pods under a close-up, by UID.
    granted: BTreeSet<String>,
    stats: CloseUps,
}

#[derive(Debug)]
struct Request {
    /// Its end as the annotation has it, ms since the Unix epoch.
    unix_ms: i64,
    /// When the agent first read it, monotonic. Those that waited longest come first.
    since: Duration,
    /// Its end, monotonic.
    end: Duration,
}

/// The moment of a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Monotonic time.
    pub at: Duration,
    /// Wall clock, ms since the Unix epoch.
    pub unix_ms: u64,
}

impl Requests {
    /// Takes in the Pods of now. `most`: Pods under a close-up at the same time.
    pub fn follow(&mut self, pods: &PodIndex, most: usize, now: Moment) {
        let mut known = std::mem::take(&mut self.known);
        let mut unreadable = 0;
        let mut active: Vec<(Duration, Arc<PodInfo>, Duration)> = Vec::new();
        for pod in pods.live().filter(|pod| !pod.is_over()) {
            let unix_ms = match pod.close_up {
                Some(CloseUpRequest::Until { unix_ms }) => unix_ms,
                Some(CloseUpRequest::Unreadable) => {
                    unreadable += 1;
                    continue;
                }
                None => continue,
            };
            let request = match known.remove(&pod.uid) {
                Some(known) if known.unix_ms == unix_ms => known,
                _ => Request { unix_ms, since: now.at, end: now.at + left(unix_ms, now.unix_ms) },
            };
            if request.end > now.at {
                active.push((request.since, Arc::clone(pod), request.end - now.at));
            }
            self.known.insert(pod.uid.clone(), request);
        }
        active.sort_by(|a, b| (a.0, &a.1.uid).cmp(&(b.0, &b.1.uid)));
        let waiting = active.len().saturating_sub(most) as u64;
        active.truncate(most);
        let row = |(_, pod, left): &(Duration, Arc<PodInfo>, Duration)| CloseUp {
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            seconds_left: left.as_secs(),
        };
        self.stats = CloseUps { pods: active.iter().map(row).collect(), waiting, unreadable };
        self.granted = active.into_iter().map(|(_, pod, _)| pod.uid.clone()).collect();
    }

    /// The close-ups of now.
    pub fn stats(&self) -> &CloseUps {
        &self.stats
    }

    /// cgroups of the Pods under a close-up, as many as the kernel side takes.
    pub fn cgroups(&self, pods: &PodIndex, groups: &[CgroupFacts]) -> BTreeSet<u64> {
        if self.granted.is_empty() {
            return BTreeSet::new();
        }
        let is_granted = |group: &&CgroupFacts| {
            let Some(Owner::Pod { uid, .. }) = group.path.as_deref().map(owner) else { return false };
            group.alive && pods.find(&uid).is_some_and(|pod| self.granted.contains(&pod.uid))
        };
        groups.iter().filter(is_granted).map(|group| group.id).take(CLOSE_UPS).collect()
    }
}

/// Time until an end by the wall clock.
fn left(end_ms: i64, now_ms: u64) -> Duration {
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    Duration::from_millis(u64::try_from(end_ms.saturating_sub(now_ms)).unwrap_or(0)).min(LONGEST)
}

#[cfg(test)]
mod tests;
