//! From snapshots, and what names them, to frames.

use super::{
    codec::put,
    facts::Counters,
    frame::{Head, HostChange, PodsChange, StoredPeer},
    table::{Scratch, TableWriter},
};
use crate::{
    api::{Blame, Hint, HintState, PodInfo},
    peers::{Peer, PeerTable, Translations},
    pods::PodIndex,
    sample::{
        Counted, Device, Families, Gauge, Group, HostKey, HostSample, Shape, Snapshot, State, StoredCall, Table as _,
        for_each_family, repeat_for_family,
    },
};
use netwhy_abi::PeerClass;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::Ipv6Addr,
    sync::Arc,
    time::Duration,
};

/// Figures of a firing hint are written again after this time. A change of its state or culprit is written at once.
const REFRESH: Duration = Duration::from_secs(60);

/// Names and thresholds that snapshots are read with.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// This Node's Pods. `None`: without Kubernetes.
    pub pods: Option<Arc<PodIndex>>,
    /// The peers.
    pub peers: Arc<PeerTable>,
    /// The Service addresses that the kernel translated.
    pub translations: Arc<Translations>,
}

/// Shape of the rows that were written.
#[derive(Clone, Copy, Debug, Default)]
struct Written;

impl Shape for Written {
    type Of<F: Counted> = TableWriter<F::Key>;
}

/// Makes frames.
#[derive(Default)]
pub(super) struct Encoder {
    scratch: Scratch,
    tables: Families<Written>,
    facts: TableWriter<u64>,
    counters: TableWriter<[u64; 0]>,
    /// Paths of all cgroups.
    paths: HashMap<u64, Arc<str>>,
    /// cgroups whose paths stand in the segment.
    named: HashSet<u64>,
    host: Host,
    pods: HashMap<String, Arc<PodInfo>>,
    index: Option<Arc<PodIndex>>,
    /// As they were written. Addresses outside the cluster are not.
    peers: HashMap<Ipv6Addr, Peer>,
    translations: Option<Arc<Translations>>,
    hints: HashMap<String, WrittenHint>,
    /// The next frame's, so far.
    head: Head,
}

/// The Node's own signals: of now, and as they were written.
#[derive(Default)]
struct Host {
    now: Option<HostSample>,
    counters: HashMap<HostKey, u64>,
    written: HashMap<HostKey, u64>,
    gauges: BTreeMap<(Gauge, Option<Arc<str>>), u64>,
    states: Option<BTreeMap<Group, State>>,
    devices: Option<Vec<Device>>,
}

/// A hint as it was written.
struct WrittenHint {
    state: HintState,
    blame: Blame,
    first_seen: String,
    at_ns: u64,
}

impl Encoder {
    /// Whether the next frame must be written before this snapshot is taken: a row that is gone in it begins anew.
    pub(super) fn must_write_before(&self, snapshot: &Snapshot) -> bool {
        let mut is_back = self.facts.is_back(snapshot.groups.iter().map(|group| &group.id));
        for_each_family!(F => {
            let rows = &F::of(&snapshot.tables).rows;
            is_back |= F::of(&self.tables).is_back(rows.iter().map(|(key, _)| key));
        });
        is_back
    }

    /// Adds a snapshot to the next frame.
    pub(super) fn take(&mut self, snapshot: &Snapshot) {
        let Self { scratch, head, .. } = self;
        for_each_family!(F => {
            let (table, read) = (F::of_mut(&mut self.tables), F::of(&snapshot.tables));
            read.rows.iter().for_each(|(key, row)| table.take(*key, row, scratch));
            read.gone.iter().for_each(|key| table.forget(key));
        });
        let groups: HashSet<u64> = snapshot.groups.iter().map(|group| group.id).collect();
        let left: Vec<u64> = self.facts.keys().filter(|id| !groups.contains(id)).copied().collect();
        left.iter().for_each(|id| self.facts.forget(id));
        for group in &snapshot.groups {
            self.facts.take(group.id, group, scratch);
            if let Some(path) = group.path.as_ref().filter(|_| !self.paths.contains_key(&group.id)) {
                self.paths.insert(group.id, path.as_str().into());
            }
        }
        self.counters.take([], &Counters(snapshot.counters), scratch);
        head.at_ns = snapshot.at.as_nanos() as u64;
        head.unix_ms = snapshot.unix_ms;
        head.walked_ns = snapshot.walked_at.map(|at| at.as_nanos() as u64);
        head.hz = snapshot.hz;
        head.calls.extend(snapshot.calls.iter().map(StoredCall::new));
        if let Some(sample) = &snapshot.host {
            self.host.take(sample);
        }
    }

    /// The next frame is the first of a segment.
    pub(super) fn restart(&mut self) {
        for_each_family!(F => { F::of_mut(&mut self.tables).restart() });
        self.facts.restart();
        self.counters.restart();
        self.named.clear();
        self.host.restart();
        self.pods.clear();
        self.index = None;
        self.peers.clear();
        self.translations = None;
        self.hints.clear();
    }

    /// The next frame, with the hints of its moment.
    pub(super) fn frame(&mut self, names: &Names, hints: &[Hint]) -> Vec<u8> {
        let mut head = std::mem::take(&mut self.head);
        let new = self.paths.iter().filter(|(id, _)| !self.named.contains(*id));
        head.names = new.map(|(id, path)| (*id, path.clone())).collect();
        head.names.sort_unstable();
        self.named.extend(head.names.iter().map(|(id, _)| *id));
        let existing: HashSet<u64> = self.facts.keys().copied().collect();
        self.paths.retain(|id, _| existing.contains(id));
        self.named.retain(|id| existing.contains(id));
        head.host = self.host.change();
        head.pods = names.pods.as_ref().and_then(|pods| self.pods_change(pods));
        head.zone.clone_from(&names.peers.own_zone);
        head.peers = self.peers_change(names);
        if self.translations.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &names.translations)) {
            head.translations = Some(names.translations.all());
            self.translations = Some(names.translations.clone());
        }
        self.add_hints(&mut head, hints);
        let mut out = Vec::new();
        let json = serde_json::to_vec(&head).unwrap_or_default();
        put(&mut out, json.len() as u64);
        out.extend_from_slice(&json);
        for_each_family!(F => { F::of_mut(&mut self.tables).write(&mut out, &mut self.scratch) });
        self.facts.write(&mut out, &mut self.scratch);
        self.counters.write(&mut out, &mut self.scratch);
        out
    }

    /// `None`: no change.
    fn pods_change(&mut self, pods: &Arc<PodIndex>) -> Option<PodsChange> {
        if self.index.as_ref().is_some_and(|known| Arc::ptr_eq(known, pods)) {
            return None;
        }
        self.index = Some(pods.clone());
        let mut change = PodsChange { complete: pods.is_complete(), ..PodsChange::default() };
        let mut live = HashSet::new();
        for pod in pods.live() {
            live.insert(pod.uid.as_str());
            let is_known = |known: &Arc<PodInfo>| Arc::ptr_eq(known, pod) || known == pod;
            if !self.pods.get(&pod.uid).is_some_and(is_known) {
                self.pods.insert(pod.uid.clone(), pod.clone());
                change.changed.push(pod.clone());
            }
        }
        change.gone = self.pods.keys().filter(|uid| !live.contains(uid.as_str())).cloned().collect();
        change.gone.sort_unstable();
        change.gone.iter().for_each(|uid| drop(self.pods.remove(uid)));
        Some(change)
    }

    /// Peers of addresses that have rows, or stand behind a Service's address.
    fn peers_change(&mut self, names: &Names) -> Vec<(Ipv6Addr, StoredPeer)> {
        let Families { edges, dns, responses, .. } = &self.tables;
        let keys = edges.keys().chain(dns.keys()).chain(responses.keys());
        let mut addresses: BTreeSet<Ipv6Addr> = keys.map(|key| Ipv6Addr::from(key.addr)).collect();
        addresses.extend(names.translations.all().into_iter().filter_map(|(_, _, backend)| backend));
        let outside = Peer::range(PeerClass::External);
        let mut changed = Vec::new();
        for addr in addresses {
            let peer = names.peers.find(addr);
            if self.peers.get(&addr).unwrap_or(&outside) != peer {
                changed.push((addr, peer.into()));
                self.peers.insert(addr, peer.clone());
            }
        }
        changed
    }

    fn add_hints(&mut self, head: &mut Head, hints: &[Hint]) {
        let refresh = REFRESH.as_nanos() as u64;
        for hint in hints {
            let is_written = |known: &WrittenHint| {
                known.state == hint.state
                    && known.blame.kind == hint.blame.kind
                    && known.blame.name == hint.blame.name
                    && known.first_seen == hint.first_seen
                    && (hint.state == HintState::Resolved || head.at_ns.saturating_sub(known.at_ns) < refresh)
            };
            if !self.hints.get(&hint.id).is_some_and(is_written) {
                let (state, blame, first_seen) = (hint.state, hint.blame.clone(), hint.first_seen.clone());
                self.hints.insert(hint.id.clone(), WrittenHint { state, blame, first_seen, at_ns: head.at_ns });
                head.hints.push(hint.clone());
            }
        }
        let present: HashSet<&str> = hints.iter().map(|hint| hint.id.as_str()).collect();
        head.hints_gone = self.hints.keys().filter(|id| !present.contains(id.as_str())).cloned().collect();
        head.hints_gone.sort_unstable();
        head.hints_gone.iter().for_each(|id| drop(self.hints.remove(id)));
    }
}

impl Host {
    fn take(&mut self, sample: &HostSample) {
        // Unchanged counters may be missing.
        self.counters.extend(sample.counters.iter().map(|(signal, on, n)| ((*signal, on.clone()), *n)));
        self.now = Some(sample.clone());
    }

    fn restart(&mut self) {
        let Self { now, counters, .. } = std::mem::take(self);
        (self.now, self.counters) = (now, counters);
    }

    /// Change since the last frame. `None`: nothing was read yet.
    fn change(&mut self) -> Option<HostChange> {
        let HostSample { states, gauges, devices, .. } = self.now.as_ref()?;
        let mut change = HostChange::default();
        if self.states.as_ref() != Some(states) {
            change.states = Some(states.clone());
            self.states = Some(states.clone());
        }
        if self.devices.as_ref() != Some(devices) {
            change.devices = Some(devices.clone());
            self.devices = Some(devices.clone());
        }
        for (key, n) in &self.counters {
            let last = self.written.insert(key.clone(), *n);
            if last != Some(*n) {
                change.counters.push((key.0, key.1.clone(), n.wrapping_sub(last.unwrap_or(0)) as i64));
            }
        }
        change.counters.sort_unstable();
        let now: BTreeMap<_, u64> = gauges.iter().map(|(gauge, on, n)| ((*gauge, on.clone()), *n)).collect();
        let gone = self.gauges.keys().filter(|key| !now.contains_key(*key)).map(|key| (key.0, key.1.clone(), None));
        change.gauges.extend(gone);
        let is_new = |(key, n): &(&(Gauge, Option<Arc<str>>), &u64)| self.gauges.get(*key) != Some(*n);
        change.gauges.extend(now.iter().filter(is_new).map(|(key, n)| (key.0, key.1.clone(), Some(*n))));
        self.gauges = now;
        Some(change)
    }
}
