//! A synthetic Node: Pods that talk to Pods on other Nodes, each edge every second.

use netwhy_abi::{
    DnsCode, DnsStats, EdgeKey, EdgeStats, Failure, MIN_SLOTS, PeerClass, ResponseStats, Retransmit, Role,
    bucket_index, fine_bucket_index, min_slot_epoch, min_slot_pack,
};
use netwhy_agent::{
    api::PodInfo,
    peers::{Peer, PeerKind, PeerTable},
    pods::{Change, PodIndex},
    sample::{CgroupFacts, CpuStat, Device, Gauge, Group, HostSample, Pressure, Signal, Snapshot},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

/// Name of the Node.
pub(crate) const NAME: &str = "node-a";
/// Its Pods.
pub(crate) const PODS: u64 = 250;
/// Its edges.
pub(crate) const EDGES: u64 = PODS * PEERS;
/// Edges of each Pod: as many to servers as to clients.
const PEERS: u64 = 16;
/// Nodes that the peers are on, a /24 of Pods each.
const NODES: u64 = 100;
/// One edge in this many has the trouble.
const ONE_IN: u64 = 10;
/// Requests of an edge per second, and data segments of this end.
const REQUESTS: u32 = 10;
const SEGMENTS: u64 = 20;

/// The trouble of all edges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// Attempts to connect get no answer, to one port and to many of an address.
    Silent,
    /// Packets are lost.
    Lossy,
    /// Round trips and requests take much longer.
    Late,
}

impl Trouble {
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::Silent, Self::Lossy, Self::Late];

    /// For people, about the edges that have it.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Silent => "get no answer",
            Self::Lossy => "lose packets",
            Self::Late => "are late",
        }
    }
}

/// Cumulative counters of all edges.
pub(crate) struct Node {
    edges: Vec<(EdgeKey, EdgeStats)>,
    responses: Vec<(EdgeKey, ResponseStats)>,
    dns: Vec<(EdgeKey, DnsStats)>,
    groups: Vec<CgroupFacts>,
    host: HostSample,
}

impl Node {
    /// Nothing was counted yet.
    pub(crate) fn new() -> Self {
        let keys = || (0..PODS).flat_map(|pod| (0..PEERS).map(move |peer| key(pod, peer)));
        // Beside each one that may fall silent is one to the unknown ports of its address.
        let silent = keys().step_by(ONE_IN as usize).map(|key| EdgeKey { port: 0, role: CLIENT, ..key });
        let dns = (0..PODS).map(|pod| (EdgeKey { port: 53, role: CLIENT, ..key(pod, 0) }, DnsStats::ZERO));
        Self {
            edges: keys().chain(silent).map(|key| (key, EdgeStats::ZERO)).collect(),
            responses: keys().map(|key| (key, ResponseStats::ZERO)).collect(),
            dns: dns.collect(),
            groups: (0..PODS).flat_map(groups).collect(),
            host: host(),
        }
    }

    /// Everything that is counted up to this second.
    pub(crate) fn second(&mut self, at: u64, trouble: Trouble) -> Snapshot {
        let now = Duration::from_secs(1_000 + at);
        let (regular, silent) = self.edges.split_at_mut(EDGES as usize);
        for (number, ((key, edge), (_, times))) in regular.iter_mut().zip(&mut self.responses).enumerate() {
            let number = number as u64;
            let own = if number.is_multiple_of(ONE_IN) { trouble } else { Trouble::None };
            match own {
                // Every second one gives way to attempts at many other ports.
                Trouble::Silent if number.is_multiple_of(2 * ONE_IN) => attempt(edge),
                Trouble::Silent => {}
                Trouble::None | Trouble::Lossy | Trouble::Late => {
                    talk(edge, key.role(), now, own);
                    answer(times, key.role(), own);
                }
            }
        }
        if trouble == Trouble::Silent {
            silent.iter_mut().skip(1).step_by(2).for_each(|(_, edge)| attempt(edge));
        }
        self.dns.iter_mut().for_each(|(_, row)| look_up(row));
        self.groups.iter_mut().for_each(work);
        for (signal, _, value) in &mut self.host.counters {
            *value += if *signal == Signal::CpuIdle { 2_000_000 } else { 0 };
        }
        let mut snapshot = Snapshot {
            at: now,
            unix_ms: 1_767_225_600_000 + 1_000 * at,
            walked_at: Some(now),
            hz: Some(250),
            groups: self.groups.clone(),
            host: Some(self.host.clone()),
            ..Snapshot::default()
        };
        snapshot.tables.edges.rows.clone_from(&self.edges);
        snapshot.tables.responses.rows.clone_from(&self.responses);
        snapshot.tables.dns.rows.clone_from(&self.dns);
        snapshot
    }
}

const CLIENT: u8 = EdgeKey::role_number(Some(Role::Client));
const SERVER: u8 = EdgeKey::role_number(Some(Role::Server));

/// Two cgroups of each Pod: its own, and its container's.
fn cgroup(pod: u64, place: u64) -> u64 {
    10 + 2 * pod + place
}

fn key(pod: u64, peer: u64) -> EdgeKey {
    let node = (7 * pod + 13 * peer) % NODES;
    let addr = Ipv4Addr::new(10, 1, node as u8, 1 + peer as u8).to_ipv6_mapped().octets();
    let (port, role) = if peer.is_multiple_of(2) { (8_080 + peer as u16, CLIENT) } else { (80, SERVER) };
    EdgeKey { port, role, ..EdgeKey::new(cgroup(pod, 1), addr) }
}

fn uid(pod: u64) -> String {
    format!("5d1c0de4-0000-4000-8000-{pod:012}")
}

/// The Pods as the API server has them.
pub(crate) fn pods() -> PodIndex {
    let mut index = PodIndex::default();
    index.apply(Change::Init, Duration::ZERO);
    for pod in 0..PODS {
        let info = PodInfo {
            uid: uid(pod),
            namespace: "shop".into(),
            name: format!("app-{}-{pod:05}", pod % 40),
            workload: format!("Deployment/app-{}", pod % 40),
            addresses: vec![IpAddr::from([10, 0, 0, 1 + pod as u8])],
            phase: "Running".into(),
            ..PodInfo::default()
        };
        index.apply(Change::Listed(info), Duration::ZERO);
    }
    index.apply(Change::InitDone, Duration::ZERO);
    index
}

/// All other Nodes and their Pods' addresses.
pub(crate) fn peers() -> PeerTable {
    let node = |number: u64| {
        let class = if number.is_multiple_of(3) { PeerClass::SameZone } else { PeerClass::CrossZone };
        let (node, zone) = (format!("ip-10-1-{number}-1.eu-west-1.compute.internal"), format!("zone-{}", number % 3));
        let peer = Peer { kind: PeerKind::Pod, node: Some(node.into()), zone: Some(zone.into()), ..Peer::range(class) };
        (Ipv4Addr::new(10, 1, number as u8, 0).to_ipv6_mapped(), 120, peer)
    };
    let cluster = (Ipv4Addr::new(10, 0, 0, 0).to_ipv6_mapped(), 104, Peer::range(PeerClass::InCluster));
    let mut table = PeerTable::new((0..NODES).map(node).chain([cluster]));
    table.own_zone = Some("zone-0".into());
    table
}

fn groups(pod: u64) -> [CgroupFacts; 2] {
    let path = format!("/kubepods/burstable/pod{}", uid(pod));
    let container = format!("{path}/{pod:064x}");
    [(path, 0), (container, 1)].map(|(path, place)| CgroupFacts {
        id: cgroup(pod, place),
        path: Some(path),
        alive: true,
        cpu: Some(CpuStat { limit_millicores: Some(500), ..CpuStat::default() }),
        usage_us: Some(0),
        cpu_weight: Some(100),
        memory_limit_hits: Some(0),
        pressure: Some(Pressure::default()),
        oom_kills: Some(0),
        oom_own: false,
    })
}

/// A second of work.
fn work(group: &mut CgroupFacts) {
    if let Some(cpu) = &mut group.cpu {
        cpu.periods += 10;
        cpu.usage_us += 20_000;
    }
    if let Some(us) = &mut group.usage_us {
        *us += 20_000;
    }
    if let Some(pressure) = &mut group.pressure {
        pressure.cpu_some_us += 500;
    }
}

fn host() -> HostSample {
    let eth0: Arc<str> = "eth0".into();
    let counter = |signal: &Signal| {
        let is_of_device = matches!(signal.group(), Group::Devices | Group::Qdiscs | Group::Ethtool);
        (*signal, is_of_device.then(|| eth0.clone()), 1_000)
    };
    HostSample {
        counters: Signal::ALL.iter().map(counter).collect(),
        gauges: vec![(Gauge::Cpus, None, 4)],
        devices: vec![Device { name: eth0.clone(), index: 2, ..Device::default() }],
        ..HostSample::default()
    }
}

/// A second of requests, as TCP sees them. The kernel counts the same on both ends.
fn talk(edge: &mut EdgeStats, role: Option<Role>, now: Duration, trouble: Trouble) {
    let late_us = if trouble == Trouble::Late { 30_000 } else { 0 };
    for (us, samples) in [(late_us + 200, 7), (late_us + 300, 2), (late_us + 900, 1)] {
        edge.rtt.buckets[bucket_index(us)] += samples;
        edge.rtt.sum += u64::from(us * samples);
    }
    let slot = min_slot_epoch(now.as_nanos() as u64);
    edge.min_rtt_us.0[slot as usize % MIN_SLOTS] = min_slot_pack(slot, late_us + 200);
    edge.data_segs_out += SEGMENTS;
    edge.segs_out += SEGMENTS + 5;
    edge.bytes_acked += 200 * SEGMENTS;
    edge.bytes_received += 2_000 * SEGMENTS;
    edge.busy_jiffies += 5;
    if let Some(role) = role {
        edge.connects[role as usize] += 1;
    }
    if trouble == Trouble::Lossy {
        edge.loss_episodes += 2;
        edge.retransmits[Retransmit::Fast as usize] += 2;
    }
}

/// A second of attempts to connect that get no answer.
fn attempt(edge: &mut EdgeStats) {
    edge.retransmits[Retransmit::Syn as usize] += 2;
    edge.connect_failures[Failure::TimedOut as usize] += 1;
}

/// The same requests' response times.
fn answer(times: &mut ResponseStats, role: Option<Role>, trouble: Trouble) {
    let late_us = if trouble == Trouble::Late { 300_000 } else { 0 };
    let mut sum_us = 0;
    for (us, requests) in [(late_us + 1_000, 6), (late_us + 1_400, 3), (late_us + 5_000, 1)] {
        times.durations.buckets[fine_bucket_index(us)] += requests;
        sum_us += u64::from(us * requests);
    }
    times.durations.sum += sum_us;
    times.squares += u64::from(REQUESTS);
    match role {
        Some(Role::Client) => times.network_us += u64::from(200 * REQUESTS),
        Some(Role::Server) => {
            times.unread_us += sum_us / 10;
            times.application_us += sum_us - sum_us / 10;
        }
        None => {}
    }
}

/// A second of lookups.
fn look_up(row: &mut DnsStats) {
    row.durations.buckets[bucket_index(700)] += 5;
    row.durations.sum += 5 * 700;
    row.answered += 5;
    row.squares += 5;
    row.codes[DnsCode::NoError as usize] += 5;
}
