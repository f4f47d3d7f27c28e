//! From the frames of one segment to snapshots, and what names them.

use super::{
    codec::{Bytes, Damage},
    facts::Counters,
    frame::{Head, Header, HostChange, PodsChange, layouts},
    table::{Changes, Layout, Scratch, TableReader},
};
use crate::{
    api::{Hint, PodInfo},
    peers::{Peer, PeerTable, Translations},
    pods::{Change, PodIndex},
    sample::{
        CgroupFacts, Counted, Families, Gauge, Group, HostKey, HostSample, Read, Rows, Snapshot, State, StoredCall,
        Table as _, Words, for_each_family, repeat_for_family,
    },
};
use netwhy_abi::Family;
use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv6Addr,
    sync::Arc,
    time::Duration,
};

/// Most values in the JSON of a frame. Each may cost 64 bytes while it is read.
const MAX_VALUES: usize = 4 << 20;

/// One moment.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) snapshot: Snapshot,
    /// `None`: no change, or without Kubernetes.
    pub(super) pods: Option<Arc<PodIndex>>,
    /// `None`: no change.
    pub(super) peers: Option<Arc<PeerTable>>,
    /// `None`: no change.
    pub(super) translations: Option<Arc<Translations>>,
}

/// Reads the frames of one segment, in their order.
pub(super) struct Decoder {
    scratch: Scratch,
    tables: Vec<(String, TableReader)>,
    facts: BTreeMap<u64, CgroupFacts>,
    counters: Counters,
    host: Host,
    pods: PodIndex,
    live: BTreeMap<String, Arc<PodInfo>>,
    peers: BTreeMap<Ipv6Addr, Peer>,
    zone: Option<Arc<str>>,
    hints: Hints,
}

/// The hints as the agent published them.
#[derive(Default)]
pub(super) struct Hints(pub(super) BTreeMap<String, Hint>);

impl Hints {
    fn apply(&mut self, changed: Vec<Hint>, gone: &[String]) {
        self.0.extend(changed.into_iter().map(|hint| (hint.id.clone(), hint)));
        gone.iter().for_each(|id| drop(self.0.remove(id)));
    }
}

/// The Node's own signals.
#[derive(Default)]
struct Host {
    states: BTreeMap<Group, State>,
    counters: HashMap<HostKey, u64>,
    gauges: BTreeMap<(Gauge, Option<Arc<str>>), u64>,
    devices: Vec<crate::sample::Device>,
}

impl Decoder {
    /// Begins a segment.
    ///
    /// # Errors
    /// When another version wrote it, and this one can't read it.
    pub(super) fn new(header: &Header) -> Result<Self, Damage> {
        let own = layouts();
        let reader = |layout: &Layout| {
            let own = own.iter().find(|own| own.name == layout.name);
            Ok((layout.name.clone(), TableReader::new(layout, own)?))
        };
        Ok(Self {
            scratch: Scratch::default(),
            tables: header.tables.iter().map(reader).collect::<Result<_, Damage>>()?,
            facts: BTreeMap::new(),
            counters: Counters([0; _]),
            host: Host::default(),
            pods: PodIndex::default(),
            live: BTreeMap::new(),
            peers: BTreeMap::new(),
            zone: None,
            hints: Hints::default(),
        })
    }

    /// The next frame.
    ///
    /// # Errors
    /// When it is damaged. The frames behind it can't be read either.
    pub(super) fn frame(&mut self, raw: &[u8]) -> Result<Frame, Damage> {
        let (head, mut bytes) = head(raw)?;
        let mut changes = BTreeMap::new();
        for (name, table) in &mut self.tables {
            changes.insert(name.clone(), table.read(&mut bytes, &mut self.scratch)?);
        }
        let mut take = |name: &str| changes.remove(name).unwrap_or_default();
        let mut tables = Families::<Read>::default();
        for_each_family!(F => { *F::of_mut(&mut tables) = rows::<F>(take(F::NAME)) });
        self.take_facts(take("facts"), head.names);
        if let Some((_, row)) = take("counters").rows.pop() {
            self.counters = Counters::take(&mut row.into_iter());
        }
        let at = Duration::from_nanos(head.at_ns);
        self.hints.apply(head.hints, &head.hints_gone);
        let calls: Result<_, String> = head.calls.into_iter().map(StoredCall::restore).collect();
        Ok(Frame {
            snapshot: Snapshot {
                at,
                unix_ms: head.unix_ms,
                walked_at: head.walked_ns.map(Duration::from_nanos),
                hz: head.hz,
                tables,
                counters: self.counters.0,
                calls: calls.map_err(Damage)?,
                answers: Vec::new(),
                groups: self.facts.values().cloned().collect(),
                host: head.host.map(|change| self.host.take(change)),
            },
            pods: head.pods.map(|change| self.take_pods(change, at)),
            peers: self.take_peers(head.peers.into_iter().map(|(addr, peer)| (addr, peer.into())).collect(), head.zone),
            translations: head.translations.map(|all| Arc::new(all.into_iter().collect())),
        })
    }

    /// The hints of the newest frame.
    pub(super) fn hints(&self) -> Vec<Hint> {
        self.hints.0.values().cloned().collect()
    }

    fn take_facts(&mut self, changes: Changes, names: Vec<(u64, Arc<str>)>) {
        for (key, row) in changes.rows {
            let id = u64::take(&mut key.iter().copied());
            let path = self.facts.get_mut(&id).and_then(|known| known.path.take());
            self.facts.insert(id, CgroupFacts { id, path, ..CgroupFacts::take(&mut row.into_iter()) });
        }
        for (id, path) in names {
            if let Some(facts) = self.facts.get_mut(&id) {
                facts.path = Some(path.to_string());
            }
        }
        for key in changes.gone {
            self.facts.remove(&u64::take(&mut key.iter().copied()));
        }
    }

    fn take_pods(&mut self, change: PodsChange, now: Duration) -> Arc<PodIndex> {
        let PodsChange { complete, changed, gone } = change;
        for pod in changed {
            self.live.insert(pod.uid.clone(), pod.clone());
            self.pods.apply(Change::Applied(PodInfo::clone(&pod)), now);
            self.pods.set_events(&pod.uid, pod.events.clone());
        }
        for uid in gone {
            self.live.remove(&uid);
            self.pods.apply(Change::Deleted(uid), now);
        }
        if complete && !self.pods.is_complete() {
            self.pods.apply(Change::Init, now);
            for pod in self.live.values() {
                self.pods.apply(Change::Listed(PodInfo::clone(pod)), now);
            }
            self.pods.apply(Change::InitDone, now);
        }
        Arc::new(self.pods.clone())
    }

    fn take_peers(&mut self, changed: Vec<(Ipv6Addr, Peer)>, zone: Option<Arc<str>>) -> Option<Arc<PeerTable>> {
        if changed.is_empty() && zone == self.zone {
            return None;
        }
        self.peers.extend(changed);
        self.zone = zone;
        let mut table = PeerTable::new(self.peers.iter().map(|(addr, peer)| (*addr, 128, peer.clone())));
        table.own_zone.clone_from(&self.zone);
        Some(Arc::new(table))
    }
}

impl Host {
    fn take(&mut self, change: HostChange) -> HostSample {
        let HostChange { states, counters, gauges, devices } = change;
        if let Some(states) = states {
            self.states = states;
        }
        if let Some(devices) = devices {
            self.devices = devices;
        }
        for (signal, on, growth) in counters {
            let n = self.counters.entry((signal, on)).or_default();
            *n = n.wrapping_add(growth as u64);
        }
        for (gauge, on, n) in gauges {
            match n {
                Some(n) => drop(self.gauges.insert((gauge, on), n)),
                None => drop(self.gauges.remove(&(gauge, on))),
            }
        }
        HostSample {
            // Not recorded.
            facts: std::sync::Arc::default(),
            states: self.states.clone(),
            counters: self.counters.iter().map(|((signal, on), n)| (*signal, on.clone(), *n)).collect(),
            gauges: self.gauges.iter().map(|((gauge, on), n)| (*gauge, on.clone(), *n)).collect(),
            devices: self.devices.clone(),
        }
    }
}

/// Head of a frame, and the bytes behind it.
fn head(raw: &[u8]) -> Result<(Head, Bytes<'_>), Damage> {
    let mut bytes = Bytes(raw);
    let length = bytes.count()?;
    let json = bytes.take(length)?;
    if crate::text::json_values(json) > MAX_VALUES {
        return Err(Damage::new(format!("it has more than {MAX_VALUES} values")));
    }
    let head = serde_json::from_slice(json).map_err(|error| Damage::new(format!("its head is no head: {error}")))?;
    Ok((head, bytes))
}

/// Applies a frame's hints alone. Returns its wall clock, ms.
pub(super) fn take_hints(raw: &[u8], hints: &mut Hints) -> Result<u64, Damage> {
    let (head, _) = head(raw)?;
    hints.apply(head.hints, &head.hints_gone);
    Ok(head.unix_ms)
}

fn rows<F: Counted>(changes: Changes) -> Rows<F> {
    let key = |key: &[u64]| <F as Family>::Key::take(&mut key.iter().copied());
    Rows {
        rows: changes
            .rows
            .iter()
            .map(|(k, row)| (key(k), <F as Family>::Row::take(&mut row.iter().copied())))
            .collect(),
        gone: changes.gone.iter().map(|k| key(k)).collect(),
    }
}
