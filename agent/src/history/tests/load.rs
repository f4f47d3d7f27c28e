//! A busy Node, made up: Pods with a dozen edges each, from quiet to busy, whose counters grow as real ones do.

use super::super::Names;
use crate::{
    api::{Blame, Evidence, Hint, HintState, PodInfo, Subject},
    peers::{Peer, PeerKind, PeerTable},
    pods::{Change, PodIndex},
    sample::{CgroupFacts, CpuStat, Gauge, Group, HostSample, Pressure, Signal, Snapshot, State},
};
use netwhy_abi::{CgroupStats, DnsStats, EdgeKey, EdgeStats, PeerClass, ResponseStats, min_slot_epoch, min_slot_pack};
use std::{net::Ipv6Addr, sync::Arc, time::Duration};

/// Edges of each Pod.
const EDGES: usize = 12;
/// Requests a second on one edge, by its place among the Pod's: few are busy, most are nearly idle.
const RATES: [f64; EDGES] = [40.0, 8.0, 3.0, 1.0, 0.5, 0.2, 0.2, 0.1, 0.1, 0.05, 0.02, 0.01];
/// Wall clock of the first tick, ms.
const START_MS: u64 = 1_700_000_000_000;

struct Edge {
    key: EdgeKey,
    rate: f64,
    row: EdgeStats,
    responses: ResponseStats,
}

struct Pod {
    info: Arc<PodInfo>,
    groups: [CgroupFacts; 3],
    edges: Vec<Edge>,
    dns: (EdgeKey, DnsStats),
    connects: CgroupStats,
}

/// The Node.
pub(in crate::history) struct Node {
    pods: Vec<Pod>,
    host: HostSample,
    at: Duration,
    ticks: u64,
    random: u64,
}

fn uid(pod: usize) -> String {
    format!("3f0c{pod:04x}-52d1-4b0e-9a70-1b5c0f6e{pod:04x}")
}

fn group(id: u64, path: String) -> CgroupFacts {
    let cpu = CpuStat { limit_millicores: Some(500), ..CpuStat::default() };
    CgroupFacts {
        id,
        path: Some(path),
        alive: true,
        cpu: Some(cpu),
        usage_us: Some(0),
        cpu_weight: Some(100),
        memory_limit_hits: Some(0),
        pressure: Some(Pressure::default()),
        oom_kills: Some(0),
        oom_own: false,
    }
}

fn pod(number: usize) -> Pod {
    let id = 10_000 + 3 * number as u64;
    let slice = format!(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice",
        uid(number).replace('-', "_")
    );
    let scope = |n: u64| {
        format!(
            "{slice}/cri-containerd-{:064x}.scope",
            u128::from(id + n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        )
    };
    let address = |a: usize, b: usize| [10, 200, (a % 250) as u8, (b % 250) as u8];
    let key = |n: usize| EdgeKey {
        port: 8080 + (n % 3) as u16,
        role: 1 + u8::from(n >= 8),
        ..EdgeKey::new(
            id + 2,
            std::net::Ipv4Addr::from(address(number * 7 + n, number + n * 13)).to_ipv6_mapped().octets(),
        )
    };
    let info = PodInfo {
        uid: uid(number),
        namespace: format!("team-{}", number % 12),
        name: format!("service-{}-7c9d5b6f4d-x{number:04}", number % 40),
        workload: format!("Deployment/service-{}", number % 40),
        addresses: vec![std::net::IpAddr::from([10, 200, 0, (number % 250) as u8])],
        phase: "Running".into(),
        created_ms: 1_699_000_000_000,
        ..PodInfo::default()
    };
    Pod {
        info: Arc::new(info),
        groups: [group(id, slice.clone()), group(id + 1, scope(1)), group(id + 2, scope(2))],
        edges: (0..EDGES)
            .map(|n| Edge { key: key(n), rate: RATES[n], row: EdgeStats::ZERO, responses: ResponseStats::ZERO })
            .collect(),
        dns: (EdgeKey { port: 53, role: 1, ..EdgeKey::new(id + 2, Ipv6Addr::from(1).octets()) }, DnsStats::ZERO),
        connects: CgroupStats::ZERO,
    }
}

impl Node {
    pub(in crate::history) fn new(pods: usize) -> Self {
        let devices = ["eth0", "eth1"].map(|device| Some(Arc::<str>::from(device)));
        let of = |signal: Signal| match signal.group() {
            Group::Devices | Group::Ethtool | Group::Qdiscs => devices.to_vec(),
            _ => vec![None],
        };
        let counters = Signal::ALL.iter().flat_map(|signal| of(*signal).into_iter().map(|on| (*signal, on, 1_000_000)));
        let host = HostSample {
            facts: std::sync::Arc::default(),
            states: Group::ALL.iter().map(|group| (*group, State::Ok)).collect(),
            counters: counters.collect(),
            gauges: Gauge::ALL.iter().map(|gauge| (*gauge, None, 1_000)).collect(),
            devices: Vec::new(),
        };
        Self { pods: (0..pods).map(pod).collect(), host, at: Duration::from_secs(1_000), ticks: 0, random: 42 }
    }

    pub(in crate::history) fn edges(&self) -> usize {
        self.pods.len() * EDGES
    }

    pub(in crate::history) fn names(&self) -> Names {
        let mut pods = PodIndex::default();
        pods.apply(Change::Init, Duration::ZERO);
        for pod in &self.pods {
            pods.apply(Change::Listed(PodInfo::clone(&pod.info)), Duration::ZERO);
        }
        pods.apply(Change::InitDone, Duration::ZERO);
        let peer = |n: u8| {
            let node = Some(Arc::from(format!("node-{n}")));
            let peer = Peer { kind: PeerKind::Pod, node, ..Peer::range(PeerClass::SameZone) };
            (std::net::Ipv4Addr::new(10, 200, n, 0).to_ipv6_mapped(), 96 + 24, peer)
        };
        Names { pods: Some(Arc::new(pods)), peers: Arc::new(PeerTable::new((0..250).map(peer))), ..Names::default() }
    }

    pub(in crate::history) fn remove_first_pod(&mut self) {
        self.pods.remove(0);
    }

    /// Time goes by without an agent.
    pub(in crate::history) fn pass(&mut self, time: Duration) {
        self.at += time;
    }

    /// Three firing hints.
    pub(in crate::history) fn hints(&self) -> Vec<Hint> {
        let hint = |pod: &Pod| Hint {
            id: format!("{}/path_loss", pod.info.uid),
            state: HintState::Firing,
            subject: Subject { kind: "Pod".into(), name: pod.info.name.clone(), ..Subject::default() },
            symptom: "packet_loss".into(),
            cause: "path_loss".into(),
            blame: Blame::named(crate::api::BlameKind::PeerNode, "node-b", 0.9),
            confidence: 0.9,
            summary: format!("{} loses packets to 10.200.1.7: 31 of 2,412 segments", pod.info.name),
            evidence: vec![
                Evidence {
                    signal: "netwhy_tcp_loss_episodes_total".into(),
                    observed: 0.0128,
                    baseline: Some(0.0002),
                    unit: "ratio".into(),
                    place: "node-a→node-b".into(),
                    source: "ebpf:tcp_retransmit_skb".into(),
                };
                4
            ],
            ruled_out: Vec::new(),
            chain: vec!["path_loss".into(), "rtt_inflation".into()],
            action: "check the path to node-b".into(),
            first_seen: "2023-11-14T22:13:20Z".into(),
            last_seen: "2023-11-14T22:13:20Z".into(),
            window_seconds: 10.0,
        };
        self.pods.iter().take(3).map(hint).collect()
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below.max(1)
    }

    /// A number of this mean.
    fn events(&mut self, mean: f64) -> u64 {
        let spread = mean.sqrt() * (self.random(2_001) as f64 / 1_000.0 - 1.0) * 1.7;
        let (low, part) = ((mean + spread).max(0.0).floor(), (mean + spread).max(0.0).fract());
        low as u64 + u64::from((self.random(1_000) as f64) < part * 1_000.0)
    }

    /// The next snapshot, a second later: rows that changed, and all cgroups.
    pub(in crate::history) fn tick(&mut self) -> Snapshot {
        self.at += Duration::from_secs(1);
        self.ticks += 1;
        let mut snapshot = Snapshot {
            at: self.at,
            unix_ms: START_MS + self.at.as_millis() as u64,
            walked_at: Some(self.at),
            hz: Some(250),
            ..Snapshot::default()
        };
        snapshot.counters[0] = self.ticks * 37;
        let mut pods = std::mem::take(&mut self.pods);
        for pod in &mut pods {
            let mut requests = 0;
            for edge in &mut pod.edges {
                let n = self.events(edge.rate);
                if n > 0 {
                    self.grow(edge, n);
                    requests += n;
                    snapshot.tables.edges.rows.push((edge.key, edge.row));
                    snapshot.tables.responses.rows.push((edge.key, edge.responses));
                }
            }
            self.grow_pod(pod, requests, &mut snapshot);
        }
        self.pods = pods;
        for place in 0..self.host.counters.len() {
            // A third of them moves.
            if place % 3 == 0 {
                let more = self.random(5_000);
                self.host.counters[place].2 += more;
            }
        }
        for place in 0..self.host.gauges.len() {
            if place % 2 == 0 {
                self.host.gauges[place].2 = 1_000 + self.random(500);
            }
        }
        snapshot.host = Some(self.host.clone());
        snapshot
    }

    fn grow(&mut self, edge: &mut Edge, n: u64) {
        let is_client = edge.key.role == 1;
        let (sent, received) = (300 + self.random(900), 800 + self.random(6_000));
        let at = self.at.as_nanos() as u64;
        let samples = self.events(n as f64 / 4.0);
        let (losses, new) = (self.events(n as f64 / 5_000.0), self.events(n as f64 / 30.0));
        let row = &mut edge.row;
        row.data_segs_out += n * (1 + sent / 1_400);
        row.segs_out += n * 2;
        row.bytes_acked += n * sent;
        row.bytes_received += n * received;
        row.busy_jiffies += n / 3;
        row.loss_episodes += losses;
        row.retransmits[0] += losses;
        row.connects[usize::from(!is_client)] += new;
        for _ in 0..samples {
            let us = 150 + self.random(400);
            row.rtt.buckets[4 + (us / 200) as usize] += 1;
            row.rtt.sum += us;
            let slot = min_slot_epoch(at);
            row.min_rtt_us.0[slot as usize % netwhy_abi::MIN_SLOTS] = min_slot_pack(slot, 140 + (us % 30) as u32);
        }
        row.replies[3 + (n % 4) as usize] += n as u32;
        let responses = &mut edge.responses;
        for _ in 0..n {
            let us = 500 + self.random(4_000);
            responses.durations.buckets[40 + (us / 300) as usize] += 1;
            responses.durations.sum += us;
            responses.squares += 1;
            if is_client {
                responses.network_us += 180;
            } else {
                responses.unread_us += us / 20;
                responses.application_us += us;
            }
        }
    }

    fn grow_pod(&mut self, pod: &mut Pod, requests: u64, snapshot: &mut Snapshot) {
        let lookups = self.events(requests as f64 / 20.0);
        if lookups > 0 {
            pod.dns.1.answered += lookups;
            pod.dns.1.squares += lookups;
            pod.dns.1.durations.buckets[6] += lookups as u32;
            pod.dns.1.durations.sum += lookups * (600 + self.random(300));
            snapshot.tables.dns.rows.push(pod.dns);
        }
        let new = self.events(requests as f64 / 30.0);
        if new > 0 {
            let durations = &mut pod.connects.durations[0];
            durations.buckets[5] += new as u32;
            durations.sum += new * (200 + self.random(100));
            snapshot.tables.cgroups.rows.push((pod.groups[2].id, pod.connects));
        }
        // Control files are read every other second; of a sandbox nothing moves.
        if self.ticks.is_multiple_of(2) {
            let (used, waited) = (requests * (300 + self.random(200)) + self.random(3_000), self.random(40) * requests);
            for group in [0, 2] {
                let facts = &mut pod.groups[group];
                facts.usage_us = facts.usage_us.map(|us| us + used);
                if let (Some(cpu), Some(pressure)) = (&mut facts.cpu, &mut facts.pressure) {
                    cpu.usage_us += used;
                    cpu.periods += 20;
                    pressure.cpu_some_us += waited;
                    pressure.cpu_full_us += waited / 2;
                }
            }
        }
        snapshot.groups.extend(pod.groups.iter().cloned());
    }
}
