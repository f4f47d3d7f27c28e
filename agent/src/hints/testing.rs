//! Synthetic views: healthy unless a test changes them.

pub(crate) mod requests;

use super::{Engine, Thresholds};
use crate::{
    api::{BlameKind, Hint, HintState},
    peers::PeerKind,
    sample::{CpuStat, Device, FineHistogram, Gauge, Group, Histogram, Lookups, Pressure, Signal, Tally},
    state::{CpuUser, DnsView, EdgeView, HostCount, HostView, NodeView, SubjectId, SubjectKind, SubjectView},
};
use netwhy_abi::{Failure, PeerClass, Retransmit, Role, bucket_index, fine_bucket_index};
use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

pub(crate) const NODE: &str = "node-a";
pub(crate) const HZ: u32 = 250;
/// 2024-01-01T00:00:00Z.
const EPOCH_MS: u64 = 1_704_067_200_000;

/// The content of every window until a test changes it.
#[derive(Clone, Default)]
pub(crate) struct Case {
    pub(crate) subjects: Vec<SubjectView>,
    pub(crate) edges: Vec<EdgeView>,
    pub(crate) host: Option<HostView>,
    pub(crate) cpu_users: Vec<CpuUser>,
    pub(crate) zone: Option<Arc<str>>,
    pub(crate) dns: Vec<DnsView>,
}

impl Case {
    /// Pods, each with one healthy client's edge to each peer.
    pub(crate) fn mesh(pods: &[&str], peers: &[&str]) -> Self {
        let mut case = Self::default();
        for pod in pods {
            case.subjects.push(SubjectView {
                id: id(pod),
                window_cpu: Some(CpuStat { periods: 100, limit_millicores: Some(500), ..CpuStat::default() }),
                window_pressure: Some(Pressure::default()),
                ..SubjectView::default()
            });
            case.edges.extend(peers.iter().map(|peer| healthy(pod, peer)));
        }
        case
    }

    pub(crate) fn subject(&mut self, pod: &str) -> &mut SubjectView {
        self.subjects.iter_mut().find(|s| s.id.name == pod).unwrap()
    }

    pub(crate) fn edge(&mut self, pod: &str, peer: &str) -> &mut EdgeView {
        let peer = addr(peer);
        self.edges.iter_mut().find(|e| e.subject.name == pod && e.peer == peer).unwrap()
    }

    pub(crate) fn tally(&mut self, pod: &str, peer: &str) -> &mut Tally {
        &mut self.edge(pod, peer).window
    }

    /// The same with one edge's window changed.
    pub(crate) fn with(&self, pod: &str, peer: &str, change: impl FnOnce(&mut Tally)) -> Self {
        let mut case = self.clone();
        change(case.tally(pod, peer));
        case
    }

    fn at(second: u64) -> Duration {
        Duration::from_secs(100 + second)
    }

    fn view(&self, second: u64, window_ms: u64) -> NodeView {
        let mut subjects = self.subjects.clone();
        for subject in &mut subjects {
            for edge in self.edges.iter().filter(|e| e.subject == subject.id) {
                subject.window.add(&edge.window);
                if let (Some(Role::Server), Some(requests)) = (edge.role, &edge.responses) {
                    subject.server.get_or_insert_default().add(requests);
                }
            }
        }
        let mut edges = self.edges.clone();
        // Unless a test sets them, the last seconds look like the whole window, with half of its refusals.
        for edge in edges.iter_mut().filter(|e| e.recent.is_zero()) {
            edge.recent = edge.window.clone();
            edge.recent.connect_failures[Failure::Refused as usize] /= 2;
            edge.answered = edge.window.has_answer();
        }
        NodeView {
            node: NODE.into(),
            zone: self.zone.clone(),
            at: Self::at(second),
            unix_ms: EPOCH_MS + second * 1000,
            window: Duration::from_millis(window_ms),
            window_complete: true,
            hz: Some(HZ),
            walked_at: Some(Self::at(second)),
            subjects,
            edges,
            host: self.host.clone(),
            cpu_users: self.cpu_users.clone(),
            dns: self.dns.clone(),
            ..NodeView::default()
        }
    }
}

pub(crate) fn id(pod: &str) -> SubjectId {
    SubjectId {
        kind: SubjectKind::Pod,
        namespace: "shop".into(),
        name: pod.into(),
        workload: format!("Deployment/{pod}"),
    }
}

fn addr(peer: &str) -> std::net::Ipv6Addr {
    peer.parse::<Ipv4Addr>().unwrap().to_ipv6_mapped()
}

/// A client's edge: 1000 requests per window, 0.1 ms, two new connections, 1 in 5000 segments lost.
pub(crate) fn healthy(pod: &str, peer: &str) -> EdgeView {
    let window = Tally {
        rtt: rtts(&[(100, 60), (140, 40)]),
        min_rtt_us: Some(80),
        data_segs_out: 1000,
        segs_out: 1500,
        bytes_acked: 200_000,
        bytes_received: 1_000_000,
        connects: [2, 0],
        busy_jiffies: u64::from(HZ),
        ..Tally::default()
    };
    EdgeView {
        subject: id(pod),
        peer: addr(peer),
        port: 0,
        role: None,
        redirected: false,
        netns: 0,
        class: PeerClass::SameZone,
        kind: PeerKind::Range,
        peer_node: None,
        peer_pod: None,
        peer_dns_name: None,
        peer_zone: None,
        window,
        walked: None,
        loss_ticks: Default::default(),
        unfinished: 0,
        recent: Tally::default(),
        answered: false,
        usual: Default::default(),
        responses: None,
    }
}

/// Lookups of a Pod at a server: answered after (µs, how many), and without an answer.
pub(crate) fn lookups(pod: &str, server: &str, answered: &[(u32, u64)], unanswered: u64) -> DnsView {
    let durations = rtts(answered);
    let server = EdgeView { window: Tally::default(), ..healthy(pod, server) };
    DnsView { server, window: Lookups { answered: durations.count(), durations, unanswered, ..Lookups::default() } }
}

/// A histogram of (µs, samples).
pub(crate) fn rtts(samples: &[(u32, u64)]) -> Histogram {
    let mut all = Histogram::default();
    for (us, n) in samples {
        all.add(&Histogram::from_counts([(bucket_index(*us) as u8, *n)], u64::from(*us) * n));
    }
    all
}

/// A fine histogram of (µs, requests).
pub(crate) fn times_of(requests: &[(u32, u64)]) -> FineHistogram {
    let mut all = FineHistogram::default();
    for (us, n) in requests {
        all.add(&FineHistogram::from_counts([(fine_bucket_index(*us) as u8, *n)], u64::from(*us) * n));
    }
    all
}

/// Loss as a sender sees it: each episode a fast retransmission.
pub(crate) fn lose(tally: &mut Tally, episodes: u64) {
    tally.loss_episodes += episodes;
    tally.retransmits[Retransmit::Fast as usize] += episodes;
}

/// Adds loss to every edge towards the given peers.
pub(crate) fn lossy(case: &Case, pods: &[&str], peers: &[&str], episodes: u64) -> Case {
    let mut case = case.clone();
    for pod in pods {
        for peer in peers {
            lose(case.tally(pod, peer), episodes);
        }
    }
    case
}

/// An engine and its clock.
pub(crate) struct Run {
    pub(crate) engine: Engine,
    pub(crate) thresholds: Thresholds,
    pub(crate) window_ms: u64,
    /// When the newest walk began. `None`: at each tick.
    pub(crate) walked_at: Option<Duration>,
    /// False: no walk is possible.
    pub(crate) can_walk: bool,
    second: u64,
}

impl Run {
    pub(crate) fn new() -> Self {
        Self {
            engine: Engine::new(NODE),
            thresholds: Thresholds::default(),
            window_ms: 10_000,
            walked_at: None,
            can_walk: true,
            second: 0,
        }
    }

    /// After 30 s of the given normal state.
    pub(crate) fn warm(case: &Case) -> Self {
        let mut run = Self::new();
        assert_eq!(run.ticks(30, case), vec![], "the normal state must be silent");
        run
    }

    pub(crate) fn tick(&mut self, case: &Case) -> Vec<Hint> {
        self.second += 1;
        self.engine.tick(&self.view(case), &self.thresholds)
    }

    /// Time of the next tick, monotonic.
    pub(crate) fn next_at(&self) -> Duration {
        Case::at(self.second + 1)
    }

    /// The view that the engine judges now.
    pub(crate) fn view(&self, case: &Case) -> NodeView {
        let view = case.view(self.second, self.window_ms);
        NodeView { walked_at: self.walked_at.or(view.walked_at).filter(|_| self.can_walk), ..view }
    }

    /// Hints after the last of `n` ticks.
    pub(crate) fn ticks(&mut self, n: u64, case: &Case) -> Vec<Hint> {
        (0..n).map(|_| self.tick(case)).last().unwrap_or_default()
    }

    /// Ticks `n` times and expects no firing hint in any.
    pub(crate) fn expect_silence(&mut self, n: u64, case: &Case) {
        for i in 0..n {
            let hints = firing(&self.tick(case));
            assert!(hints.is_empty(), "tick {i}: {:?}", hints.iter().map(|h| &h.summary).collect::<Vec<_>>());
        }
    }

    /// Ticks three times and expects exactly one firing hint.
    pub(crate) fn expect_one(&mut self, case: &Case) -> Hint {
        let mut hints = firing(&self.ticks(3, case));
        assert_eq!(hints.len(), 1, "{:?}", hints.iter().map(|h| &h.summary).collect::<Vec<_>>());
        hints.remove(0)
    }

    pub(crate) fn skip_seconds(&mut self, n: u64) {
        self.second += n;
    }
}

pub(crate) fn firing(hints: &[Hint]) -> Vec<Hint> {
    hints.iter().filter(|h| h.state == HintState::Firing).cloned().collect()
}

/// Names of all candidates, best first.
pub(crate) fn candidates(hint: &Hint) -> Vec<String> {
    hint.blame.candidates().map(|one| one.name).collect()
}

/// (cause, blame kind, blame name).
pub(crate) fn verdict(hint: &Hint) -> (&str, BlameKind, &str) {
    (&hint.cause, hint.blame.kind, &hint.blame.name)
}

/// A Node with one interface and two CPUs, half idle, that drops nothing and where nobody waits.
pub(crate) fn host() -> HostView {
    let eth0 = || Some(Arc::from("eth0"));
    let zero = |signal: &Signal| {
        let on = matches!(signal.group(), Group::Devices | Group::Qdiscs).then(eth0).flatten();
        ((*signal, on), HostCount::default())
    };
    let all = Signal::ALL.iter().filter(|signal| signal.group() != Group::Ethtool);
    let mut host = HostView {
        counters: all.map(zero).collect(),
        gauges: BTreeMap::from([
            ((Gauge::Cpus, None), 2),
            ((Gauge::ConntrackEntries, None), 100),
            ((Gauge::ConntrackLimit, None), 1000),
            ((Gauge::QdiscBacklogBytes, eth0()), 0),
        ]),
        devices: vec![Device {
            name: "eth0".into(),
            index: 2,
            driver: Some("ixgbe".into()),
            version: Some("5.1.0".into()),
            firmware: Some("0x800003e7".into()),
            qdisc: Some("pfifo_fast".into()),
        }],
        ..HostView::default()
    };
    set(&mut host, Signal::CpuIdle, 10_000_000);
    set(&mut host, Signal::NicRxPackets, 50_000);
    set(&mut host, Signal::NicTxPackets, 50_000);
    host
}

/// Sets the growth of a counter of [`host`] in the window.
pub(crate) fn set(host: &mut HostView, signal: Signal, window: u64) {
    let counter = host.counters.iter_mut().find(|((s, _), _)| *s == signal).unwrap();
    counter.1.window = window;
}
