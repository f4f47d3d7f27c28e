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
mod tests {
    use super::*;

    fn pod(uid: &str) -> PodInfo {
        PodInfo { uid: uid.into(), name: format!("pod-{uid}"), ..PodInfo::default() }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn uids(index: &PodIndex) -> Vec<&str> {
        index.live().map(|p| p.uid.as_str()).collect()
    }

    #[test]
    fn what_was_deleted_while_disconnected_disappears_with_the_next_list() {
        let mut index = PodIndex::default();
        for change in [Change::Init, Change::Listed(pod("a")), Change::Listed(pod("b"))] {
            index.apply(change, s(1));
        }
        assert!(!index.is_complete(), "half a list");
        assert_eq!(uids(&index), ["a", "b"], "but its Pods are known already");
        index.apply(Change::InitDone, s(1));
        index.apply(Change::Applied(pod("c")), s(2));
        for change in [Change::Init, Change::Listed(pod("b")), Change::Listed(pod("d"))] {
            index.apply(change, s(3));
        }
        assert_eq!(uids(&index), ["a", "b", "c"], "a list in progress changes nothing");
        assert!(index.is_complete());
        index.apply(Change::InitDone, s(4));
        assert_eq!(uids(&index), ["b", "d"]);
        assert!(index.find("a").is_some() && index.find("c").is_some(), "tombstones");
    }

    #[test]
    fn a_broken_off_list_is_forgotten() {
        let mut index = PodIndex::default();
        for change in [Change::Init, Change::Listed(pod("a")), Change::InitDone, Change::Init, Change::Listed(pod("x"))]
        {
            index.apply(change, s(1));
        }
        for change in [Change::Init, Change::Listed(pod("a")), Change::InitDone] {
            index.apply(change, s(2));
        }
        assert_eq!(uids(&index), ["a"]);
        assert!(index.find("x").is_none());
    }

    #[test]
    fn a_deleted_pod_can_be_found_for_ten_minutes() {
        let mut index = PodIndex::default();
        index.apply(Change::Applied(pod("a")), s(0));
        index.apply(Change::Deleted("a".into()), s(10));
        assert!(index.is_empty());
        index.apply(Change::Applied(pod("b")), s(609));
        assert!(index.find("a").is_some());
        index.apply(Change::Applied(pod("b")), s(611));
        assert!(index.find("a").is_none());
    }

    #[test]
    fn an_address_leads_to_the_pod_that_has_it_now() {
        let addr: IpAddr = "10.1.0.7".parse().unwrap();
        let with = |uid: &str| PodInfo { addresses: vec![addr], ..pod(uid) };
        let owner = |index: &PodIndex| index.by_address(addr).map(|p| p.uid.clone());
        let mut index = PodIndex::default();
        index.apply(Change::Applied(with("a")), s(0));
        index.apply(Change::Applied(PodInfo { phase: "Succeeded".into(), ..with("a") }), s(1));
        index.apply(Change::Applied(with("b")), s(2));
        assert_eq!(owner(&index).as_deref(), Some("b"), "taken over from one that is over");
        index.apply(Change::Deleted("a".into()), s(3));
        assert_eq!(owner(&index).as_deref(), Some("b"));
        index.apply(Change::Applied(PodInfo { host_network: true, ..with("h") }), s(4));
        assert_eq!(owner(&index).as_deref(), Some("b"), "the Node's address is nobody's own");
        index.apply(Change::Deleted("b".into()), s(5));
        assert_eq!(owner(&index), None);
    }

    #[test]
    fn tombstones_are_bounded() {
        let mut index = PodIndex::default();
        for i in 0..TOMBSTONES + 10 {
            let uid = format!("{i:06}");
            index.apply(Change::Applied(pod(&uid)), s(1));
            index.apply(Change::Deleted(uid), Duration::from_millis(i as u64));
        }
        assert_eq!(index.gone.len(), TOMBSTONES);
        assert!(index.find("000009").is_none() && index.find("000010").is_some(), "the oldest go");
    }

    #[test]
    fn static_pods_are_found_by_their_manifests_hash() {
        let mut index = PodIndex::default();
        index.apply(Change::Applied(PodInfo { static_hash: Some("h1".into()), ..pod("a") }), s(0));
        assert_eq!(index.find("h1").map(|p| p.uid.as_str()), Some("a"));
        index.apply(Change::Applied(PodInfo { static_hash: Some("h2".into()), ..pod("a2") }), s(1));
        index.apply(Change::Deleted("a".into()), s(1));
        assert_eq!(index.find("h1").map(|p| p.uid.as_str()), Some("a"), "the old one's cgroup may linger");
        index.apply(Change::Applied(pod("z")), s(700));
        index.apply(Change::Deleted("z".into()), s(700));
        assert_eq!(index.find("h2").map(|p| p.uid.as_str()), Some("a2"));
    }

    #[test]
    fn events_stay_while_the_pod_is_in_trouble() {
        let troubled = PodInfo { phase: "Failed".into(), ..pod("a") };
        let event = PodEvent { why: crate::api::Why::default(), count: 3, at_ms: None };
        let mut index = PodIndex::default();
        index.apply(Change::Applied(troubled.clone()), s(0));
        index.set_events("a", vec![event; 9]);
        index.apply(Change::Applied(troubled), s(1));
        assert_eq!(index.find("a").map(|p| p.events.len()), Some(PodInfo::MAX_EVENTS));
        index.apply(Change::Applied(pod("a")), s(2));
        assert_eq!(index.find("a").map(|p| p.events.len()), Some(0), "recovered");
    }
}
