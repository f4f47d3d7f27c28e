//! How long hints fired, by Pod, cause and culprit. An incident between two scrapes leaves its names here.

use crate::{
    api::{Hint, HintState},
    state::{FiringKey, FiringTime},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Keys with a place of their own.
const MAX_KEYS: usize = 256;
/// Time for which a key stays after its last hint ended.
const KEEP: Duration = Duration::from_secs(900);

/// Times of all keys, of a bounded number.
#[derive(Debug, Default)]
pub(crate) struct Firing {
    keys: BTreeMap<Arc<FiringKey>, Time>,
    /// Time of the newest update, monotonic.
    at: Option<Duration>,
}

#[derive(Debug)]
struct Time {
    workload: Arc<str>,
    fired: Duration,
    /// When it fired last, monotonic.
    last: Duration,
}

impl Firing {
    /// Takes in the hints of a tick. A hint that fires now has fired since the tick before.
    pub(crate) fn update(&mut self, hints: &[Hint], at: Duration) {
        let elapsed = self.at.map_or(Duration::ZERO, |before| at.saturating_sub(before));
        self.at = Some(at);
        let firing = hints.iter().filter(|hint| hint.state == HintState::Firing);
        // Two hints of one key fire at the same time, not twice as long.
        let firing: BTreeMap<FiringKey, &str> = firing.map(key).collect();
        self.keys.retain(|_, time| at.saturating_sub(time.last) <= KEEP);
        let (known, new): (Vec<_>, Vec<_>) = firing.into_iter().partition(|(key, _)| self.keys.contains_key(key));
        for (key, workload) in known {
            self.add(key, workload, elapsed, at);
        }
        let mut others = BTreeSet::new();
        for (key, workload) in new {
            if self.has_room(at) {
                self.add(key, workload, elapsed, at);
            } else {
                others.insert(FiringKey::other(&key.cause));
            }
        }
        for key in others {
            self.add(key, "", elapsed, at);
        }
    }

    /// Time of each key, sorted by key.
    pub(crate) fn times(&self) -> Vec<FiringTime> {
        let time = |(key, Time { workload, fired, .. }): (&Arc<FiringKey>, &Time)| FiringTime {
            key: Arc::clone(key),
            workload: Arc::clone(workload),
            fired: *fired,
        };
        self.keys.iter().map(time).collect()
    }

    fn add(&mut self, key: FiringKey, workload: &str, elapsed: Duration, at: Duration) {
        let new = || Time { workload: workload.into(), fired: Duration::ZERO, last: at };
        let time = self.keys.entry(Arc::new(key)).or_insert_with(new);
        if *time.workload != *workload {
            time.workload = workload.into();
        }
        time.fired += elapsed;
        time.last = at;
    }

    /// Whether one more key fits, if need be in the place of the one that ended first.
    fn has_room(&mut self, at: Duration) -> bool {
        let own = || self.keys.iter().filter(|(key, _)| !key.is_other());
        if own().count() < MAX_KEYS {
            return true;
        }
        let ended = own().filter(|(_, time)| time.last < at).min_by_key(|(_, time)| time.last);
        let ended = ended.map(|(key, _)| Arc::clone(key));
        ended.is_some_and(|key| self.keys.remove(&key).is_some())
    }
}

/// A hint's key and workload.
fn key(hint: &Hint) -> (FiringKey, &str) {
    let (subject, blame) = (&hint.subject, &hint.blame);
    let on_node = subject.kind == "Node";
    let of_pod = |text: &String| if on_node { String::new() } else { text.clone() };
    let key = FiringKey {
        namespace: of_pod(&subject.namespace),
        pod: of_pod(&subject.name),
        cause: hint.cause.clone(),
        blame_kind: blame.kind.label(),
        blame: blame.name_without_address().to_owned(),
    };
    (key, if on_node { "" } else { &subject.workload })
}

#[cfg(test)]
mod tests;
