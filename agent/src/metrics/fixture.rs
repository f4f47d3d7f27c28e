//! Views for tests: plain values, no kernel.

use super::*;
use crate::{
    api::{
        self, AgentStats, CloseUp, CloseUps, ConfigReloads, HandshakeDutyCycle, KernelErrors, LimitSource, MapFill,
        MemoryLevel, MemoryPart, MemoryStats, Privileges, ProbeState, ProbeStatus, ProcessStats, ProgramRun,
        ProtectionStats, RttDutyCycle, ScrapeStats, StageTime, TickStats, TlsReloads, WalkStats, WatchStatus,
    },
    calls::{Code, Method},
    sample::{
        Connects, CpuStat, Device, FineHistogram, Gauge, Group, Histogram, Lookups, Pressure, Responses, Signal, State,
        Tally,
    },
    state::{
        CallKey, CallSums, EdgeView, FiringKey, FiringTime, HostCount, HostView, SubjectId, SubjectKind, SubjectView,
    },
};
use netwhy_abi::{PeerClass, Role, bucket_index, fine_bucket_index};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A histogram of these samples, µs.
pub(crate) fn histogram(samples: &[u32]) -> Histogram {
    let mut out = Histogram::default();
    for us in samples {
        out.add(&Histogram::from_counts([(bucket_index(*us) as u8, 1)], u64::from(*us)));
    }
    out
}

/// A fine histogram of these samples, µs.
pub(crate) fn fine_histogram(samples: &[u32]) -> FineHistogram {
    let mut out = FineHistogram::default();
    for us in samples {
        out.add(&FineHistogram::from_counts([(fine_bucket_index(*us) as u8, 1)], u64::from(*us)));
    }
    out
}

/// A Pod without any traffic.
pub(crate) fn pod(namespace: &str, name: &str) -> SubjectView {
    SubjectView {
        id: SubjectId {
            kind: SubjectKind::Pod,
            namespace: namespace.into(),
            name: name.into(),
            workload: "Deployment/payment".into(),
        },
        cgroups: vec!["/kubepods.slice/pod1/cri-1".into()],
        ..SubjectView::default()
    }
}

/// Traffic without faults.
pub(crate) fn healthy_tally() -> Tally {
    Tally {
        rtt: histogram(&[60, 110, 110, 180, 900]),
        min_rtt_us: Some(60),
        data_segs_out: 1000,
        segs_out: 1500,
        bytes_acked: 1_000_000,
        bytes_received: 2_000_000,
        busy_jiffies: 300,
        rwnd_jiffies: 50,
        sndbuf_jiffies: 25,
        network_jiffies: 225,
        ..Tally::default()
    }
}

/// A server with one class of peers, a CPU limit and every controller, and no faults.
pub(crate) fn healthy_pod(namespace: &str, name: &str) -> SubjectView {
    let mut view = pod(namespace, name);
    let tally = Tally { connects: [0, 40], ..healthy_tally() };
    view.window = tally.clone();
    view.sums.totals[PeerClass::InCluster as usize] = Some(Box::new(tally));
    view.min_rtt_us[PeerClass::InCluster as usize] = Some(60);
    view.sums.connects =
        Connects { durations: [histogram(&[]), histogram(&[300, 400, 1_003_000])], ..Connects::default() };
    view.window_connects = view.sums.connects.clone();
    view.accept_fill = Some(500);
    view.cpu = Some(CpuStat {
        periods: 300,
        throttled_periods: 3,
        throttled_us: 1_500_000,
        usage_us: 9_000_000,
        limit_millicores: Some(500),
    });
    view.window_cpu = view.cpu;
    view.pressure = Some(Pressure { cpu_some_us: 2_000_000, io_some_us: 10_000, ..Pressure::default() });
    view.window_pressure = view.pressure;
    view.oom_kills = Some(0);
    view
}

/// Response times of one end: one request was never answered.
pub(crate) fn responses(role: Role) -> Responses {
    let durations = fine_histogram(&[800, 4_000, 4_100, 30_000, 12_000_000]);
    match role {
        Role::Client => {
            Responses { durations, network_us: 500, retransmission_us: 20_000, unanswered: 1, ..Responses::default() }
        }
        Role::Server => {
            let application_us = durations.sum_us - 12_000_900;
            Responses { durations, unread_us: 12_000_900, application_us, unanswered: 1, ..Responses::default() }
        }
    }
}

/// Calls of both roles, one without a row of its own.
fn calls() -> CallSums {
    let key = |role, method, route: &str, status| CallKey { role, method, route: Arc::from(route), status, code: None };
    let grpc = |role, code| CallKey { code: Some(code), ..key(role, Some(Method::Post), "/shop.Cart/Get", 0) };
    let mut calls = CallSums::default();
    calls.add_call(key(Role::Server, Some(Method::Get), "/cart", 200), 1_500, 20);
    calls.add_call(key(Role::Server, Some(Method::Get), "/wp-admin", 404), 300, 20);
    calls.add_call(key(Role::Client, Some(Method::Post), "/orders/:id", 503), 40_000, 3);
    calls.add_call(grpc(Role::Server, Code::Ok), 2_000, 8);
    calls.add_call(grpc(Role::Client, Code::Unavailable), 90_000, 2);
    calls.add_missed(Role::Client, Code::Ok, 3);
    calls
}

/// A Pod in which everything happened: two classes of peers, both roles, every kind of fault.
pub(crate) fn busy_pod(namespace: &str, name: &str) -> SubjectView {
    let mut view = healthy_pod(namespace, name);
    let tally = Tally {
        retransmits: [5, 4, 3, 2, 1, 1, 1],
        smoothed_rtts: 9,
        loss_episodes: 4,
        connects: [30, 10],
        connect_failures: [1, 2, 3, 4, 5, 6, 7, 8, 9],
        given_up_ms: 4_000,
        resets_sent: 2,
        resets_received: 3,
        cuts: [2, 1],
        zero_window: 1,
        ..healthy_tally()
    };
    view.window = tally.clone();
    view.window.add(&tally);
    for class in [PeerClass::SameNode, PeerClass::InCluster] {
        view.sums.totals[class as usize] = Some(Box::new(tally.clone()));
        view.min_rtt_us[class as usize] = Some(60);
    }
    view.sums.connects.durations[0] = histogram(&[250, 3_010_000]);
    view.sums.connects.accept_drops = 7;
    view.sums.connects.listen_drops = [4, 20, 3];
    view.sums.connects.untimed_handshakes = [1, 6];
    view.pressure = Some(Pressure {
        cpu_some_us: 6,
        cpu_full_us: 5,
        memory_some_us: 4,
        memory_full_us: 3,
        io_some_us: 2,
        io_full_us: 1,
    });
    view.sums.lookups = Lookups {
        durations: histogram(&[900, 4_000, 40_000, 2_510_000]),
        answered: 4,
        unanswered: 1,
        codes: [2, 0, 0, 1, 0],
        second_missing: 1,
        squares: 5,
    };
    view.unanswered = [2, 0];
    for class in [PeerClass::SameNode, PeerClass::InCluster] {
        for role in Role::ALL {
            view.sums.add_responses(role, class, &responses(role));
        }
    }
    for times in view.sums.responses.iter_mut().flatten().flatten() {
        (times.sampled, times.readable) = (5, 4);
    }
    view.sums.calls = Some(Box::new(calls()));
    view.sums.run_queue = histogram(&[20, 700, 6_000, 250_000]);
    view.oom_kills = Some(1);
    view.sums.drops = BTreeMap::from([(2, 3), (99, 1)]);
    view.window_drops = BTreeMap::from([(2, 2)]);
    view
}

/// A Node with every signal, and one group in each state.
pub(crate) fn host() -> HostView {
    let on = |group| matches!(group, Group::Devices | Group::Ethtool | Group::Qdiscs).then(|| "eth0".into());
    let counts = Signal::ALL.iter().zip(1..);
    let count = |n| HostCount { total: n * 10, window: n, baseline: Some(n as f64 / 10.0) };
    let mut states: BTreeMap<Group, State> = Group::ALL.map(|group| (group, State::Ok)).into();
    states.insert(Group::Ports, State::Unsupported("the Node's network namespace can't be entered".into()));
    states.insert(Group::Ethtool, State::Absent);
    states.insert(Group::Qdiscs, State::Broken("ask rtnetlink for queue disciplines: Operation not permitted".into()));
    let mut gauges: BTreeMap<(Gauge, Option<Arc<str>>), u64> =
        Gauge::ALL.iter().zip(7..).map(|(gauge, n)| ((*gauge, on(gauge.group())), n)).collect();
    gauges.insert((Gauge::TcpMemoryPage, None), 4096);
    HostView {
        states,
        counters: counts.map(|(signal, n)| ((*signal, on(signal.group())), count(n))).collect(),
        gauges,
        devices: vec![Device {
            name: "eth0".into(),
            index: 2,
            driver: Some("ixgbe".into()),
            version: Some("5.1.0".into()),
            firmware: None,
            qdisc: Some("fq_codel".into()),
        }],
        facts: Arc::default(),
    }
}

/// A firing hint about a Pod.
pub(crate) fn hint(namespace: &str, name: &str, cause: &str) -> api::Hint {
    api::Hint {
        id: format!("{namespace}/{name}/{cause}"),
        state: api::HintState::Firing,
        subject: api::Subject {
            kind: "Pod".into(),
            namespace: namespace.into(),
            name: name.into(),
            workload: "Deployment/payment".into(),
            node: "node-a".into(),
        },
        symptom: "packet_loss".into(),
        cause: cause.into(),
        blame: api::Blame::named(api::BlameKind::External, "192.0.2.7", 0.99),
        confidence: 0.93,
        summary: "payment loses packets".into(),
        evidence: vec![],
        ruled_out: vec![],
        chain: vec![],
        action: "look at node-b".into(),
        first_seen: "2026-01-01T00:00:00Z".into(),
        last_seen: "2026-01-01T00:00:10Z".into(),
        window_seconds: 10.0,
    }
}

fn firing() -> FiringKey {
    FiringKey {
        namespace: "shop".into(),
        pod: "payment-1".into(),
        cause: "path_loss".into(),
        blame_kind: "peer_node",
        blame: "node-b".into(),
    }
}

/// A view of these subjects with one edge each.
pub(crate) fn view(subjects: Vec<SubjectView>) -> NodeView {
    let edge = |s: &SubjectView| EdgeView {
        subject: s.id.clone(),
        peer: std::net::Ipv4Addr::new(10, 0, 0, 9).to_ipv6_mapped(),
        port: 0,
        role: None,
        redirected: false,
        netns: 0,
        class: PeerClass::InCluster,
        kind: crate::peers::PeerKind::Pod,
        peer_node: Some("node-b".into()),
        peer_pod: None,
        peer_dns_name: None,
        peer_zone: None,
        window: s.window.clone(),
        walked: None,
        loss_ticks: Default::default(),
        unfinished: 0,
        recent: crate::sample::Tally::default(),
        answered: false,
        usual: Default::default(),
        responses: None,
    };
    NodeView {
        dns: Vec::new(),
        node: "node-a".into(),
        zone: None,
        at: Duration::from_secs(1000),
        unix_ms: 1_767_225_600_000,
        window: Duration::from_secs(10),
        losses_cover: None,
        window_complete: true,
        walked_at: Some(Duration::from_secs(999)),
        hz: Some(250),
        edges: subjects.iter().filter(|s| !s.window.is_zero()).map(edge).collect(),
        peer_nodes: (subjects.first().into_iter())
            .map(|s| crate::state::PeerNodeView { node: Some("node-b".into()), totals: s.total() })
            .collect(),
        subjects,
        host: Some(host()),
        cpu_users: vec![],
        hints: vec![hint("shop", "payment-1", "path_loss")],
        hints_total: BTreeMap::from([("path_loss".to_owned(), 2)]),
        firing: vec![FiringTime {
            key: Arc::new(firing()),
            workload: "Deployment/payment".into(),
            fired: Duration::from_secs(12),
        }],
        folded: None,
        unattributed: BTreeMap::from([("cgroup_gone", 3)]),
        node_drops: BTreeMap::from([(2, 11), (200, 1)]),
        drop_reasons: Arc::new(vec!["".into(), "NOT_SPECIFIED".into(), "SKB_DROP_REASON_NO_SOCKET".into()]),
        counters: std::array::from_fn(|i| i as u64),
    }
}

fn walk() -> WalkStats {
    WalkStats {
        sockets: 900,
        listeners: 40,
        seconds: 0.0007,
        interval_seconds: 1.0,
        age_seconds: Some(0.75),
        without_storage: 0,
    }
}

fn ticks() -> TickStats {
    let stages = vec![StageTime { stage: "read".into(), seconds: 1.25 }];
    TickStats { samples: 600, last_seconds: Some(0.0025), stages, blind_seconds: 0.5 }
}

/// Memory below its limit.
fn memory() -> MemoryStats {
    MemoryStats {
        limit_bytes: Some(128 << 20),
        limit_source: LimitSource::CgroupV2,
        used_bytes: Some(40 << 20),
        level: MemoryLevel::Ok,
        budget: vec![MemoryPart { part: "process".into(), bytes: 18 << 20 }],
        fitting_sockets: Some(90_000),
        sockets_without_storage: 0,
        folded_subjects: 7,
    }
}

fn watch() -> WatchStatus {
    WatchStatus {
        name: "pods".into(),
        complete: true,
        objects: 3,
        changes: 17,
        lists: 2,
        errors: BTreeMap::from([("gone".to_owned(), 1)]),
        last_error: None,
        age_seconds: Some(2.5),
    }
}

/// The agent's own figures, all of them present.
pub(crate) fn agent() -> AgentStats {
    let probe = |name: &str, state, why: &str| ProbeStatus { name: name.into(), state, why: why.into(), refusal: None };
    AgentStats {
        version: "0.1.0".into(),
        kernel: "6.18.0".into(),
        node: "node-a".into(),
        started_unix_ms: 1_767_225_000_500,
        privileges: Privileges {
            given_up: vec!["PERFMON".to_owned(), "BPF".to_owned()],
            kept: None,
            user: Some(65_532),
            rights: Some(Vec::new()),
            landlock: vec!["tracing".to_owned(), "writing".to_owned()],
        },
        attached: true,
        pods_complete: Some(true),
        watches: vec![watch()],
        own_node_exists: Some(true),
        close_ups: Some(CloseUps { pods: vec![CloseUp::default()], waiting: 2, unreadable: 0 }),
        probes: vec![probe("tcp_probe", ProbeState::Ok, ""), probe("drops", ProbeState::Degraded, "no rx_sk")],
        programs: vec![ProgramRun { name: "tcp_probe".into(), run_ns: 1_500_000, run_count: 20_000, missed: Some(3) }],
        maps: vec![MapFill { name: "EDGES".into(), entries: 12, max_entries: 16_384, bytes: Some(1 << 20) }],
        ticks: ticks(),
        walk: Some(walk()),
        kernel_errors: vec![KernelErrors { operation: "walk".into(), count: 2, last_error: None }],
        cgroup_age_seconds: Some(0.25),
        rtt: Some(RttDutyCycle {
            segments_per_second: 31_250.0,
            is_reduced: true,
            divisor: 8,
            duty_cycle: Some(0.125),
            periods: 480,
            attached_seconds: 135.5,
            failures: 0,
        }),
        churn: Some(HandshakeDutyCycle {
            sockets_per_second: 24_500.0,
            is_churn_high: true,
            periods: 160,
            attached_seconds: 311.25,
            failures: 0,
        }),
        history: Some(crate::history::testing::stats()),
        config_reloads: ConfigReloads { ok: 1, failed: 0 },
        process: ProcessStats { resident_bytes: Some(20 << 20), cpu_seconds: Some(3.5) },
        memory: memory(),
        scrape: ScrapeStats { count: 9, encodings: 7, last_seconds: Some(0.004), view_age_seconds: Some(0.25) },
        protection: Some(ProtectionStats {
            refusals: BTreeMap::from([("handshake".to_owned(), 2), ("unauthenticated".to_owned(), 4)]),
            tls_reloads: Some(TlsReloads { ok: 3, failed: 1 }),
        }),
    }
}
