//! All Pods of this Node, by the UID in their cgroups' names. A watch feeds it. Pure: time is an argument.

use crate::api::{PodEvent, PodInfo};
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

/// Time for which a deleted Pod can still be found: samples and cgroups outlive it by seconds.
const TOMBSTONE: Duration = Duration::from_secs(600);
/// Most deleted Pods that are kept. Beyond it, the oldest are dropped. A Node has a few hundred Pods.
const TOMBSTONES: usize = 4096;

/// One change of the watch.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A list starts.
    Init,
    /// One Pod of the list.
    Listed(PodInfo),
    /// The list is complete. Pods missing from it are deleted.
    InitDone,
    /// A Pod was added or changed.
    Applied(PodInfo),
    /// A Pod was deleted; its UID.
    Deleted(String),
}

/// The Pods of this Node.
#[derive(Clone, Debug, Default)]
pub struct PodIndex {
    pods: BTreeMap<String, Arc<PodInfo>>,
    /// Address → UID, of Pods that are not on the host network.
    addresses: HashMap<IpAddr, String>,
    /// Hash of a static Pod's manifest → UID of its mirror.
    hashes: HashMap<String, String>,
    gone: BTreeMap<String, (Duration, Arc<PodInfo>)>,
    /// The list in progress.
    listed: Option<BTreeMap<String, Arc<PodInfo>>>,
    complete: bool,
}

impl PodIndex {
    /// Applies a change that was received at `now`.
    pub fn apply(&mut self, change: Change, now: Duration) {
        match change {
            Change::Init => self.listed = Some(BTreeMap::new()),
            Change::Listed(pod) => {
                let pod = Arc::new(self.keep_events(pod));
                // During the first list, each Pod can be found at once.
                if !self.complete {
                    self.insert(pod.clone());
                }
                self.listed.get_or_insert_default().insert(pod.uid.clone(), pod);
            }
            Change::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let missing: Vec<String> = self.pods.keys().filter(|uid| !listed.contains_key(*uid)).cloned().collect();
                for uid in missing {
                    self.remove(&uid, now);
                }
                for pod in listed.into_values() {
                    self.insert(pod);
                }
                self.complete = true;
            }
            Change::Applied(pod) => {
                let pod = self.keep_events(pod);
                self.insert(Arc::new(pod));
            }
            Change::Deleted(uid) => self.remove(&uid, now),
        }
        self.drop_old_tombstones(now);
    }

    /// Replaces a Pod's warnings, newest first.
    pub fn set_events(&mut self, uid: &str, events: Vec<PodEvent>) {
        if let Some(pod) = self.pods.get_mut(uid) {
            let pod = Arc::make_mut(pod);
            pod.events = events;
            pod.events.truncate(PodInfo::MAX_EVENTS);
        }
    }

    /// True once a whole list was received.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// A Pod by the UID, or by the static manifest's hash, in its cgroup's name. Also finds Pods deleted within the
    /// last ten minutes.
    pub fn find(&self, uid: &str) -> Option<&Arc<PodInfo>> {
        let uid = self.hashes.get(uid).map_or(uid, String::as_str);
        self.pods.get(uid).or_else(|| self.gone.get(uid).map(|(_, pod)| pod))
    }

    /// The Pod of this Node with this address. Never a host-network Pod.
    pub fn by_address(&self, addr: IpAddr) -> Option<&Arc<PodInfo>> {
        self.pods.get(self.addresses.get(&addr)?)
    }

    /// Pods that exist, by UID.
    pub fn live(&self) -> impl Iterator<Item = &Arc<PodInfo>> {
        self.pods.values()
    }

    /// Number of Pods that exist.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// True when no Pod exists.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    fn keep_events(&self, mut pod: PodInfo) -> PodInfo {
        if let Some(old) = self.pods.get(&pod.uid)
            && pod.is_troubled()
        {
            pod.events.clone_from(&old.events);
        }
        pod
    }

    fn insert(&mut self, pod: Arc<PodInfo>) {
        if let Some(hash) = &pod.static_hash {
            self.hashes.insert(hash.clone(), pod.uid.clone());
        }
        self.gone.remove(&pod.uid);
        // A Pod that ended has released its addresses.
        if !pod.host_network && !pod.is_over() {
            self.addresses.extend(pod.addresses.iter().map(|addr| (*addr, pod.uid.clone())));
        }
        self.pods.insert(pod.uid.clone(), pod);
    }

    fn remove(&mut self, uid: &str, now: Duration) {
        if let Some(pod) = self.pods.remove(uid) {
            for addr in &pod.addresses {
                if self.addresses.get(addr).is_some_and(|owner| owner == uid) {
                    self.addresses.remove(addr);
                }
            }
            self.gone.insert(uid.to_owned(), (now, pod));
        }
    }

    fn drop_old_tombstones(&mut self, now: Duration) {
        self.gone.retain(|_, (since, _)| now.saturating_sub(*since) <= TOMBSTONE);
        while self.gone.len() > TOMBSTONES {
            let Some(oldest) = self.gone.iter().min_by_key(|(_, (since, _))| *since).map(|(uid, _)| uid.clone()) else {
                break;
            };
            self.gone.remove(&oldest);
        }
        if self.hashes.len() > self.pods.len() + self.gone.len() {
            self.hashes.retain(|_, uid| self.pods.contains_key(uid) || self.gone.contains_key(uid));
        }
    }
}

#[cfg(test)]
mod tests;
