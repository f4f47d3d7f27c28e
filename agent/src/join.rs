//! Joins what the kernel counted per cgroup with who the cgroups are. Pure: names come in as facts.

use self::calls::Credits;
use crate::{
    api::{MemoryLevel, PodInfo},
    calls::CallCounts,
    cgroup::{Owner as CgroupOwner, owner},
    peers::{PeerTable, Translations},
    pods::PodIndex,
    sample::{CgroupFacts, FactsDelta, HostKey, Ledger, Snapshot, Window, shrink},
    state::{Folded, NodeView, SubjectId, SubjectKind, SubjectSums, Waiting},
};
use names::Names;
use netwhy_abi::EdgeKey;
use peer_nodes::PeerNodes;
use status_clock::StatusClock;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

/// How long samples wait for their cgroup's name.
const PENDING: Duration = Duration::from_secs(30);
/// cgroups whose samples wait at most (≈ 2 kB each); beyond it those that waited longest are given up.
const MAX_PENDING: usize = 4096;

/// Limits of the joined view.
#[derive(Clone, Copy, Debug)]
pub struct JoinLimits {
    /// Edges in a view, busiest first.
    pub edges: usize,
    /// How long a subject without cgroups keeps its series.
    pub gone: Duration,
    /// Subjects without cgroups that keep their series at most.
    pub gone_subjects: usize,
    /// Nodes with sums of their own.
    pub peer_nodes: usize,
}

/// Sums per subject since the agent started, and samples that wait for a name.
pub struct Join {
    node: Arc<str>,
    limits: JoinLimits,
    peers: Arc<PeerTable>,
    translations: Arc<Translations>,
    drop_reasons: Arc<Vec<String>>,
    name: fn(&str) -> SubjectId,
    /// This Node's Pods. `None`: without Kubernetes, Pods are named by their cgroups.
    pods: Option<Arc<PodIndex>>,
    /// Since when the Pod list is complete.
    pods_complete: Option<Duration>,
    /// Subjects of Pods that exist and are not over.
    live_pods: BTreeSet<SubjectId>,
    ledger: Ledger,
    window: Window,
    owners: HashMap<u64, Owner>,
    /// cgroups without a parent of the same subject: hierarchical counters are theirs.
    tops: BTreeSet<u64>,
    /// cgroups of Pods that the API server told nothing about yet.
    strangers: BTreeSet<u64>,
    subjects: BTreeMap<SubjectId, Subject>,
    pending: BTreeMap<u64, Pending>,
    peer_nodes: PeerNodes,
    /// Edges with requests that wait for an answer.
    waiting: HashMap<EdgeKey, Waiting>,
    /// Sampled calls of the window.
    calls: HashMap<EdgeKey, CallCounts>,
    /// Exchanges that sampled calls are to stand for.
    credits: Credits,
    /// Names of peers that subjects looked up.
    names: Names,
    /// Subjects that lost their series early. `None`: there was none.
    folded: Option<Arc<Folded>>,
    unattributed: BTreeMap<&'static str, u64>,
    /// How near the agent is to its memory limit.
    level: MemoryLevel,
    node_drops: BTreeMap<u32, u64>,
    /// The Node's own counters since the agent started.
    host: BTreeMap<HostKey, u64>,
}

struct Owner {
    subject: SubjectId,
    path: String,
    alive: bool,
    cpu_weight: Option<u64>,
}

/// One subject: its sums, control files and Pod.
#[derive(Default)]
struct Subject {
    sums: SubjectSums,
    facts: FactsDelta,
    pod: Option<Arc<PodInfo>>,
    /// Of the Pod's status. `None`: no Pod.
    clock: Option<StatusClock>,
    gone_since: Option<Duration>,
}

/// Samples of a cgroup that has no name yet.
#[derive(Default)]
struct Pending {
    since: Duration,
    sums: SubjectSums,
}

impl Join {
    /// Nothing joined yet. `name`: subject of a cgroup path.
    pub fn new(node: &str, window: Duration, limits: JoinLimits, name: fn(&str) -> SubjectId) -> Self {
        Self {
            node: node.into(),
            limits,
            peers: Arc::default(),
            translations: Arc::default(),
            drop_reasons: Arc::default(),
            name,
            pods: None,
            pods_complete: None,
            live_pods: BTreeSet::new(),
            strangers: BTreeSet::new(),
            peer_nodes: PeerNodes::default(),
            waiting: HashMap::new(),
            calls: HashMap::new(),
            credits: Credits::default(),
            names: Names::default(),
            folded: None,
            ledger: Ledger::default(),
            window: Window::new(window),
            owners: HashMap::new(),
            tops: BTreeSet::new(),
            subjects: BTreeMap::new(),
            pending: BTreeMap::new(),
            unattributed: BTreeMap::new(),
            level: MemoryLevel::Ok,
            node_drops: BTreeMap::new(),
            host: BTreeMap::new(),
        }
    }

    /// Replaces the peer classes; sums so far stay where they are.
    pub fn set_peers(&mut self, peers: Arc<PeerTable>) {
        self.peer_nodes.set_known(&peers);
        self.peers = peers;
    }

    /// Who is behind Services' addresses, from now on.
    pub fn set_translations(&mut self, translations: Arc<Translations>) {
        self.translations = translations;
    }

    /// Names Pods from now on as the API server does; `now` is monotonic. Rows that wait for a name get it with the
    /// next snapshot.
    pub fn set_pods(&mut self, pods: Arc<PodIndex>, now: Duration) {
        if pods.is_complete() {
            self.pods_complete.get_or_insert(now);
        }
        self.live_pods.clear();
        for pod in pods.live() {
            let id = pod_subject(pod);
            // A Pod that did its work keeps what it counted for as long as one that was deleted.
            if pod.phase != "Succeeded" {
                self.live_pods.insert(id.clone());
                self.subjects.entry(id).or_default().pod = Some(pod.clone());
            } else if let Some(sums) = self.subjects.get_mut(&id) {
                sums.pod = Some(pod.clone());
            }
        }
        self.pods = Some(pods);
    }

    /// Names of the kernel's drop reasons.
    pub fn set_drop_reasons(&mut self, names: Arc<Vec<String>>) {
        self.drop_reasons = names;
    }

    /// Length of the window, and limits of the view, from now on. Nodes that have sums of their own keep them.
    pub fn configure(&mut self, window: Duration, limits: JoinLimits) {
        self.window.set_length(window);
        self.limits = limits;
    }

    /// Whether no exchange is sampled for HTTP from now on.
    pub fn set_http_off(&mut self, is_off: bool) {
        self.credits.set_off(is_off);
    }

    /// Whether no name that a Pod looks up is kept from now on.
    pub fn set_names_off(&mut self, is_off: bool) {
        self.names.set_off(is_off);
    }

    /// How near the agent is to its memory limit, from now on.
    pub fn set_memory_level(&mut self, level: MemoryLevel) {
        self.level = level;
    }

    /// Takes a snapshot and returns the new view, without hints.
    pub fn take(&mut self, snapshot: &Snapshot) -> NodeView {
        let frame = self.ledger.take(snapshot);
        self.learn(&snapshot.groups, snapshot.at);
        self.add(&frame);
        self.add_calls(&frame, &snapshot.calls);
        self.settle(snapshot.at);
        // Some of those that counted something now are gone already: a view never has more than may be kept.
        self.let_go(snapshot.at);
        self.name_peers(snapshot);
        self.window.push(frame);
        self.calls = self.window.calls();
        self.find_waiting(snapshot.newest_walk());
        for subject in self.subjects.values_mut() {
            let known = subject.clock.take();
            let pod = subject.pod.as_ref();
            subject.clock = pod.map(|pod| StatusClock::follow(known, pod, snapshot.at, snapshot.unix_ms));
        }
        self.view(snapshot)
    }

    /// Takes in paths of cgroups and forgets those that are gone.
    fn learn(&mut self, groups: &[CgroupFacts], now: Duration) {
        let mut seen = BTreeSet::new();
        let mut has_changed = false;
        for group in groups {
            let Some(path) = &group.path else { continue };
            seen.insert(group.id);
            if !self.owners.contains_key(&group.id) {
                let Some(subject) = self.subject_of(path) else {
                    self.strangers.insert(group.id);
                    continue;
                };
                self.strangers.remove(&group.id);
                has_changed = true;
                self.owners.insert(group.id, Owner { subject, path: path.clone(), alive: true, cpu_weight: None });
            }
            if let Some(owner) = self.owners.get_mut(&group.id) {
                owner.alive = group.alive;
                owner.cpu_weight = group.cpu_weight;
            }
        }
        let known = self.owners.len();
        self.owners.retain(|id, _| seen.contains(id));
        shrink(&mut self.owners);
        if has_changed || self.owners.len() < known {
            self.tops = self.topmost();
        }
        self.strangers.retain(|id| seen.contains(id) || self.pending.contains_key(id));
        self.let_go(now);
    }

    /// Takes in the names that Pods looked up.
    fn name_peers(&mut self, snapshot: &Snapshot) {
        let (owners, subjects) = (&self.owners, &self.subjects);
        self.names.take(snapshot.at, &snapshot.answers, |cgroup| owners.get(&cgroup).map(|owner| &owner.subject));
        self.names.forget(snapshot.at, |subject| subjects.contains_key(subject));
    }

    /// True for a Pod that the API server has no more, whatever directories it left: a hybrid layout keeps some for
    /// ever.
    fn is_over(&self, id: &SubjectId) -> bool {
        id.kind == SubjectKind::Pod && self.pods_complete.is_some() && !self.live_pods.contains(id)
    }

    /// Whose a cgroup is. `None`: a Pod's that the API server told nothing about yet.
    fn subject_of(&self, path: &str) -> Option<SubjectId> {
        match (&self.pods, owner(path)) {
            (Some(pods), CgroupOwner::Pod { uid, .. }) => pods.find(&uid).map(|pod| pod_subject(pod)),
            _ => Some((self.name)(path)),
        }
    }

    /// The subject of a cgroup. `None`: it has no name yet.
    fn subject(&mut self, cgroup: u64) -> Option<&mut Subject> {
        let owner = self.owners.get(&cgroup)?;
        if !self.subjects.contains_key(&owner.subject) {
            self.subjects.insert(owner.subject.clone(), Subject::default());
        }
        self.subjects.get_mut(&owner.subject)
    }

    /// The sums that a cgroup's rows go to: its subject's, or until it has a name its own.
    fn sums(&mut self, cgroup: u64, at: Duration) -> &mut SubjectSums {
        if self.owners.contains_key(&cgroup) {
            let id = &self.owners[&cgroup].subject;
            if !self.subjects.contains_key(id) {
                self.subjects.insert(id.clone(), Subject::default());
            }
        }
        match self.owners.get(&cgroup).and_then(|owner| self.subjects.get_mut(&owner.subject)) {
            Some(subject) => &mut subject.sums,
            None => {
                let waiting = self.pending.entry(cgroup);
                &mut waiting.or_insert_with(|| Pending { since: at, ..Pending::default() }).sums
            }
        }
    }

    /// Gives waiting samples to those who have a name by now; counts those that waited too long. While the Pod list is
    /// not complete, nothing has waited too long.
    fn settle(&mut self, now: Duration) {
        let known: Vec<u64> = self.pending.keys().filter(|id| self.owners.contains_key(id)).copied().collect();
        for cgroup in known {
            let Some(pending) = self.pending.remove(&cgroup) else { continue };
            if let Some(subject) = self.subject(cgroup) {
                subject.sums.add(&pending.sums);
            }
        }
        let begin = match (&self.pods, self.pods_complete) {
            (None, _) => Some(Duration::ZERO),
            (Some(_), complete) => complete,
        };
        let late = |pending: &Pending| begin.is_some_and(|b| now.saturating_sub(pending.since.max(b)) > PENDING);
        let mut gone: Vec<u64> = self.pending.iter().filter(|(_, p)| late(p)).map(|(id, _)| *id).collect();
        if self.pending.len() - gone.len() > MAX_PENDING {
            let mut rest: Vec<(Duration, u64)> =
                self.pending.iter().filter(|(_, p)| !late(p)).map(|(id, p)| (p.since, *id)).collect();
            rest.sort_unstable();
            gone.extend(rest.iter().take(rest.len() - MAX_PENDING).map(|(_, id)| *id));
        }
        for cgroup in gone {
            if let Some(pending) = self.pending.remove(&cgroup) {
                let why = if self.strangers.contains(&cgroup) { "pod_unknown" } else { "cgroup_unknown" };
                *self.unattributed.entry(why).or_default() += pending.sums.samples();
            }
        }
    }
}

/// A subject's share of one cgroup's control files: pressure and kills already hold those of descendants, so only the
/// topmost cgroup counts (cgroup v1 counts kills for each cgroup alone); bandwidth control works per cgroup, where a
/// limit is set.
fn own(facts: &FactsDelta, top: bool) -> FactsDelta {
    FactsDelta {
        cpu: facts.cpu.filter(|cpu| top || cpu.limit_millicores.is_some()),
        pressure: facts.pressure.filter(|_| top),
        oom_kills: facts.oom_kills.filter(|_| top || facts.oom_own),
        oom_own: facts.oom_own,
        usage_us: facts.usage_us.filter(|_| top),
        memory_limit_hits: facts.memory_limit_hits.filter(|_| top || facts.oom_own),
    }
}

/// The subject of a Pod, named as the API server has it.
fn pod_subject(pod: &PodInfo) -> SubjectId {
    SubjectId {
        kind: SubjectKind::Pod,
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        workload: pod.workload.clone(),
    }
}

/// Pods and containers are always shown; a unit once it counted network traffic, because most units have none.
fn is_shown(id: &SubjectId, sums: &SubjectSums) -> bool {
    id.kind != SubjectKind::Unit || sums.has_traffic()
}

pub use names::NAMED_ADDRESSES;

mod behind;
mod calls;
mod edges;
mod grace;
mod host;
mod names;
mod peer_nodes;
mod responses;
mod rows;
mod status_clock;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
mod view;
