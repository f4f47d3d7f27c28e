use super::*;
use crate::{
    peers::{Peer, PeerKind},
    pods::Change,
    sample::{CgroupFacts, CpuStat, LossTicks, Pressure},
};
use netwhy_abi::{CgroupStats, DnsStats, DropKey, EdgeKey, EdgeStats, PeerClass, Retransmit, RunQueueStats};
use std::net::{IpAddr, Ipv4Addr};

fn name(path: &str) -> SubjectId {
    let leaf = path.trim_start_matches('/').split('/').next().unwrap_or("");
    SubjectId { kind: SubjectKind::Container, namespace: "/".into(), name: leaf.into(), workload: String::new() }
}

fn join() -> Join {
    Join::new(
        "node-a",
        Duration::from_secs(10),
        JoinLimits { edges: 8, gone: Duration::from_secs(90), gone_subjects: 3, peer_nodes: 2 },
        name,
    )
}

fn edge(cgroup: u64, segs: u64) -> (EdgeKey, EdgeStats) {
    (EdgeKey::new(cgroup, [9; 16]), EdgeStats { data_segs_out: segs, ..EdgeStats::ZERO })
}

fn group(id: u64, path: &str, alive: bool) -> CgroupFacts {
    CgroupFacts { id, path: Some(path.into()), alive, ..CgroupFacts::default() }
}

fn snapshot(at: u64, edges: Vec<(EdgeKey, EdgeStats)>, groups: Vec<CgroupFacts>) -> Snapshot {
    let mut snapshot = Snapshot { at: Duration::from_secs(at), groups, ..Snapshot::default() };
    snapshot.tables.edges.rows = edges;
    snapshot
}

fn segments(view: &NodeView, subject: &str) -> Option<u64> {
    view.subjects.iter().find(|s| s.id.name == subject).map(|s| s.total().data_segs_out)
}

#[test]
fn restarted_container_does_not_lower_the_pods_total() {
    let mut join = join();
    let view = join.take(&snapshot(1, vec![edge(1, 100)], vec![group(1, "/pod/one", true)]));
    assert_eq!(segments(&view, "pod"), Some(100));
    let view = join.take(&snapshot(2, vec![edge(2, 5)], vec![group(1, "/pod/one", false), group(2, "/pod/two", true)]));
    assert_eq!(segments(&view, "pod"), Some(105));
    let view = join.take(&snapshot(3, vec![edge(2, 6)], vec![group(2, "/pod/two", true)]));
    assert_eq!(segments(&view, "pod"), Some(106));
}

#[test]
fn samples_wait_for_their_cgroups_name() {
    let mut join = join();
    let unknown = CgroupFacts { id: 7, ..CgroupFacts::default() };
    let view = join.take(&snapshot(1, vec![edge(7, 3)], vec![unknown]));
    assert_eq!(segments(&view, "late"), None);
    let view = join.take(&snapshot(2, vec![], vec![group(7, "/late", true)]));
    assert_eq!(segments(&view, "late"), Some(3));
    assert!(view.unattributed.is_empty());
}

#[test]
fn samples_that_never_get_a_name_are_counted() {
    let mut join = join();
    join.take(&snapshot(1, vec![edge(7, 3)], vec![]));
    let view = join.take(&snapshot(40, vec![], vec![]));
    assert_eq!(view.unattributed.get("cgroup_unknown"), Some(&3));
}

#[test]
fn a_subject_without_cgroups_leaves_after_its_time() {
    let mut join = join();
    join.take(&snapshot(1, vec![edge(1, 1)], vec![group(1, "/pod", true)]));
    let view = join.take(&snapshot(2, vec![], vec![]));
    assert_eq!(view.subjects[0].gone_since, Some(Duration::from_secs(2)));
    assert_eq!(join.take(&snapshot(92, vec![], vec![])).subjects.len(), 1);
    assert_eq!(join.take(&snapshot(93, vec![], vec![])).subjects.len(), 0);
}

#[test]
fn pressure_counts_once_although_parents_hold_their_childrens() {
    let mut join = join();
    let facts = |id, path: &str, us, limit| CgroupFacts {
        pressure: Some(Pressure { cpu_some_us: us, ..Pressure::default() }),
        cpu: Some(CpuStat { periods: us, limit_millicores: limit, ..CpuStat::default() }),
        ..group(id, path, true)
    };
    join.take(&snapshot(1, vec![edge(1, 1)], vec![facts(1, "/pod", 0, None), facts(2, "/pod/c", 0, Some(500))]));
    let view = join.take(&snapshot(2, vec![], vec![facts(1, "/pod", 50, None), facts(2, "/pod/c", 40, Some(500))]));
    let pod = &view.subjects[0];
    assert_eq!(pod.pressure.unwrap().cpu_some_us, 50);
    assert_eq!(pod.window_pressure.unwrap().cpu_some_us, 50);
    assert_eq!(pod.cpu.unwrap().limit_millicores, Some(500));
}

#[test]
fn edges_of_two_containers_to_one_peer_are_one_edge() {
    let mut join = join();
    let groups = vec![group(1, "/pod/one", true), group(2, "/pod/two", true)];
    let view = join.take(&snapshot(1, vec![edge(1, 4), edge(2, 5)], groups));
    assert_eq!(view.edges.len(), 1);
    assert_eq!(view.edges[0].window.data_segs_out, 9);
}

#[test]
fn an_edge_has_the_ticks_in_which_any_of_its_containers_lost() {
    let mut join = join();
    let lossy = |cgroup, loss_episodes| (EdgeKey::new(cgroup, [9; 16]), EdgeStats { loss_episodes, ..edge(1, 4).1 });
    let mut take = |at, one, two| {
        let groups = vec![group(1, "/pod/one", true), group(2, "/pod/two", true)];
        join.take(&snapshot(at, vec![lossy(1, one), lossy(2, two)], groups))
    };
    take(1, 0, 0);
    take(2, 2, 0);
    take(3, 2, 3);
    let view = take(4, 2, 3);
    assert_eq!(view.edges[0].loss_ticks, LossTicks { lossy: 0b110, all: 3 });
}

#[test]
fn an_edge_has_the_seconds_in_which_its_synacks_were_sent_again() {
    let mut join = join();
    let mut take = |at, synacks| {
        let mut row = edge(1, 4);
        row.1.retransmits[Retransmit::SynAck as usize] = synacks;
        join.take(&snapshot(at, vec![row], vec![group(1, "/pod/one", true)]))
    };
    [(1, 5), (2, 6), (3, 6)].into_iter().for_each(|(at, synacks)| drop(take(at, synacks)));
    assert_eq!(take(4, 9).edges[0].unfinished, 0b101);
}

#[test]
fn lookups_and_waits_of_containers_are_their_pods_and_wait_for_a_name() {
    let lookups = |cgroup, server: u8, answered| {
        let mut row = DnsStats { answered, unanswered: 1, ..DnsStats::ZERO };
        row.durations.sum = answered * 100;
        row.durations.buckets[16] = answered as u32;
        (EdgeKey::new(cgroup, [server; 16]), row)
    };
    let waits = |cgroup, n| {
        let mut row = RunQueueStats { sum: u64::from(n) * 10_000, ..RunQueueStats::ZERO };
        row.buckets[0] = n;
        (cgroup, row)
    };
    let mut join = join();
    let mut late = snapshot(1, vec![], vec![]);
    late.tables.dns.rows = vec![lookups(1, 3, 4), lookups(2, 3, 5), lookups(2, 4, 20)];
    late.tables.run_queue.rows = vec![waits(1, 7), waits(2, 8)];
    assert!(join.take(&late).dns.is_empty());
    let view = join.take(&snapshot(2, vec![], vec![group(1, "/pod/one", true), group(2, "/pod/two", true)]));
    let pod = &view.subjects[0];
    assert_eq!(
        (pod.sums.lookups.answered, pod.sums.lookups.unanswered, pod.sums.lookups.durations.count()),
        (29, 3, 29)
    );
    assert_eq!((pod.sums.run_queue.count(), pod.window_run_queue.count(), pod.sums.run_queue.sum_us), (15, 15, 150));
    let servers: Vec<(u8, u64)> =
        view.dns.iter().map(|row| (row.server.peer.octets()[0], row.window.count())).collect();
    assert_eq!(servers, [(4, 21), (3, 11)], "one row per server, the most asked first");
    let view = join.take(&snapshot(20, vec![], vec![group(1, "/pod/one", true)]));
    assert!(view.dns.is_empty() && view.subjects[0].window_run_queue.is_empty(), "the window went on");
    assert_eq!(view.subjects[0].sums.lookups.answered, 29, "totals stay");
}

#[test]
fn drops_without_a_socket_belong_to_the_node() {
    let mut join = join();
    let mut first = snapshot(1, vec![], vec![group(1, "/pod", true)]);
    first.tables.drops.rows =
        vec![(DropKey { cgroup: 0, reason: 3, pad: 0 }, 2), (DropKey { cgroup: 1, reason: 4, pad: 0 }, 5)];
    first.tables.cgroups.rows = vec![(1, CgroupStats { accept_drops: 2, ..CgroupStats::ZERO })];
    let view = join.take(&first);
    assert_eq!(view.node_drops.get(&3), Some(&2));
    let pod = &view.subjects[0];
    assert_eq!((pod.sums.drops.get(&4), pod.window_drops.get(&4), pod.window_drops.len()), (Some(&5), Some(&5), 1));
    assert_eq!(pod.window_connects.accept_drops, 2);
    let later = join.take(&snapshot(20, vec![], vec![group(1, "/pod", true)]));
    let pod = &later.subjects[0];
    assert_eq!((pod.sums.drops.get(&4), pod.window_drops.len()), (Some(&5), 0), "the window went on, totals stay");
}

#[test]
fn the_fullest_accept_queue_that_the_newest_walk_found_is_the_pods() {
    let mut join = join();
    let mut fill = |at: u64, rows: &[(u64, u16)]| {
        let mut snapshot = snapshot(at, vec![], vec![group(1, "/pod/one", true), group(2, "/pod/two", true)]);
        snapshot.walked_at = (at > 1).then_some(Duration::from_secs(at));
        snapshot.tables.cgroups.rows = rows
            .iter()
            .map(|(cgroup, parts)| {
                let mut row = CgroupStats { accept_drops: 1, ..CgroupStats::ZERO };
                row.accept_fill.raise(at as u32, at * 1_000_000_000, *parts);
                (*cgroup, row)
            })
            .collect();
        join.take(&snapshot).subjects[0].accept_fill
    };
    assert_eq!(fill(1, &[(1, 40)]), None, "no walk yet");
    assert_eq!(fill(2, &[(1, 40), (2, 3_000)]), Some(3_000));
    assert_eq!(fill(4, &[(1, 50)]), Some(50), "the other row is of an earlier walk");
    assert_eq!(fill(6, &[]), Some(0), "empty");
}

fn pod_path(uid: &str) -> String {
    format!("/kubepods/burstable/pod{uid}/c")
}

fn known(uid: &str, name: &str) -> Change {
    Change::Applied(PodInfo {
        uid: uid.into(),
        namespace: "shop".into(),
        name: name.into(),
        workload: "Deployment/pay".into(),
        phase: "Running".into(),
        ..PodInfo::default()
    })
}

fn index(changes: &[Change]) -> Arc<PodIndex> {
    let mut index = PodIndex::default();
    for change in changes {
        index.apply(change.clone(), Duration::ZERO);
    }
    Arc::new(index)
}

const COMPLETE: [Change; 2] = [Change::Init, Change::InitDone];

#[test]
fn samples_that_come_before_their_pod_are_joined_late() {
    let mut join = join();
    join.set_pods(index(&COMPLETE), Duration::from_secs(1));
    let facts = |alive| vec![group(1, &pod_path("u1"), alive)];
    let view = join.take(&snapshot(1, vec![edge(1, 5)], facts(true)));
    assert!(view.subjects.is_empty(), "nobody is named by a guess");
    join.set_pods(index(&[COMPLETE.to_vec(), vec![known("u1", "pay-1")]].concat()), Duration::from_secs(2));
    let view = join.take(&snapshot(2, vec![edge(1, 7)], facts(true)));
    let pod = &view.subjects[0];
    assert_eq!(
        (pod.id.namespace.as_str(), pod.id.name.as_str(), pod.id.workload.as_str()),
        ("shop", "pay-1", "Deployment/pay")
    );
    assert_eq!(pod.total().data_segs_out, 7);
    assert!(view.unattributed.is_empty());
}

#[test]
fn a_stranger_is_counted_once_the_list_is_complete_and_not_before() {
    let mut join = join();
    join.set_pods(index(&[Change::Init]), Duration::ZERO);
    let facts = || vec![group(1, &pod_path("u9"), true)];
    join.take(&snapshot(1, vec![edge(1, 5)], facts()));
    let view = join.take(&snapshot(500, vec![], facts()));
    assert!(view.unattributed.is_empty(), "the API server is away: everything waits");
    join.set_pods(index(&COMPLETE), Duration::from_secs(501));
    assert!(join.take(&snapshot(530, vec![], facts())).unattributed.is_empty());
    let view = join.take(&snapshot(532, vec![], facts()));
    assert_eq!(view.unattributed.keys().copied().collect::<Vec<_>>(), ["pod_unknown"]);
    assert!(view.unattributed["pod_unknown"] >= 5);
}

#[test]
fn a_pod_without_a_cgroup_is_shown_and_goes_when_it_is_deleted() {
    let mut join = join();
    join.set_pods(index(&[COMPLETE.to_vec(), vec![known("u1", "stuck")]].concat()), Duration::ZERO);
    let view = join.take(&snapshot(1, vec![], vec![]));
    assert_eq!(view.subjects[0].pod.as_ref().map(|p| p.name.as_str()), Some("stuck"));
    assert_eq!(view.subjects[0].gone_since, None);
    join.set_pods(index(&COMPLETE), Duration::from_secs(2));
    assert!(join.take(&snapshot(3, vec![], vec![])).subjects[0].gone_since.is_some());
    assert!(join.take(&snapshot(100, vec![], vec![])).subjects.is_empty());
}

#[test]
fn a_directory_that_outlives_its_pod_keeps_no_series() {
    let mut join = join();
    let pod = known("u1", "web-1");
    join.set_pods(index(&[COMPLETE.to_vec(), vec![pod.clone()]].concat()), Duration::ZERO);
    let left = || vec![group(1, &pod_path("u1"), true)];
    join.take(&snapshot(1, vec![edge(1, 3)], left()));
    let gone = [COMPLETE.to_vec(), vec![pod, Change::Deleted("u1".into())]].concat();
    join.set_pods(index(&gone), Duration::from_secs(2));
    assert_eq!(join.take(&snapshot(3, vec![edge(1, 3)], left())).subjects.len(), 1);
    for at in [100, 101, 102] {
        assert!(join.take(&snapshot(at, vec![edge(1, 3)], left())).subjects.is_empty(), "{at} s");
    }
}

#[test]
fn a_services_address_leads_to_its_only_backend() {
    let mut join = join();
    let client: IpAddr = "10.244.0.5".parse().unwrap();
    let pod = PodInfo { uid: "u1".into(), name: "web-1".into(), addresses: vec![client], ..PodInfo::default() };
    join.set_pods(index(&[COMPLETE.to_vec(), vec![Change::Applied(pod)]].concat()), Duration::ZERO);
    let node = Peer { node: Some("node-b".into()), ..Peer::range(PeerClass::CrossZone) };
    let backend = Ipv4Addr::new(10, 244, 1, 9).to_ipv6_mapped();
    join.set_peers(Arc::new(PeerTable::new([(backend, 128, node)])));
    let line = |last| {
        format!(
            "ipv4 2 tcp 6 99 ESTABLISHED src=10.244.0.5 dst=10.96.0.10 sport=1 dport=80 src=10.244.1.{last} \
             dst=10.244.0.5 sport=80 dport=1 use=2\n"
        )
    };
    let mut seen = |text: &str, at, n| {
        join.set_translations(Arc::new(Translations::read(text.as_bytes()).unwrap()));
        let (mut key, row) = edge(1, n);
        key.addr = Ipv4Addr::new(10, 96, 0, 10).to_ipv6_mapped().octets();
        let view = join.take(&snapshot(at, vec![(key, row)], vec![group(1, &pod_path("u1"), true)]));
        let edge = &view.edges[0];
        (edge.kind, edge.class, edge.peer_node.as_deref().map(str::to_owned))
    };
    assert_eq!(seen("", 1, 3), (PeerKind::Range, PeerClass::External, None));
    assert_eq!(seen(&line(9), 2, 4), (PeerKind::Service, PeerClass::CrossZone, Some("node-b".into())));
    assert_eq!(seen(&(line(9) + &line(10)), 3, 5), (PeerKind::Service, PeerClass::InCluster, None), "two backends");
}

#[test]
fn a_pod_that_lived_one_second_is_reported() {
    let mut join = join();
    let gone = [COMPLETE.to_vec(), vec![known("u1", "job-1"), Change::Deleted("u1".into())]].concat();
    join.set_pods(index(&gone), Duration::ZERO);
    let view = join.take(&snapshot(1, vec![edge(1, 3)], vec![group(1, &pod_path("u1"), false)]));
    assert_eq!((view.subjects[0].id.name.as_str(), view.subjects[0].total().data_segs_out), ("job-1", 3));
}

#[test]
fn a_pod_of_the_same_name_goes_on_counting() {
    let mut join = join();
    join.set_pods(index(&[COMPLETE.to_vec(), vec![known("u1", "db-0")]].concat()), Duration::ZERO);
    join.take(&snapshot(1, vec![edge(1, 3)], vec![group(1, &pod_path("u1"), true)]));
    join.set_pods(index(&[COMPLETE.to_vec(), vec![known("u2", "db-0")]].concat()), Duration::ZERO);
    let both = vec![group(1, &pod_path("u1"), false), group(2, &pod_path("u2"), true)];
    let view = join.take(&snapshot(2, vec![edge(1, 3), edge(2, 4)], both));
    assert_eq!(view.subjects.len(), 1);
    assert_eq!(view.subjects[0].total().data_segs_out, 7);
}

#[test]
fn nodes_beyond_the_limit_share_one_sum_that_never_falls() {
    let mut join = join();
    let peer = |i: u16| {
        (
            Ipv4Addr::new(10, 0, 0, i as u8).to_ipv6_mapped(),
            128,
            Peer { node: Some(format!("node-{i}").into()), ..Peer::range(PeerClass::SameZone) },
        )
    };
    join.set_peers(Arc::new(PeerTable::new((1..=4).map(peer))));
    let to = |i: u8, n: u64| {
        let (mut key, row) = edge(1, n);
        key.addr = Ipv4Addr::new(10, 0, 0, i).to_ipv6_mapped().octets();
        (key, row)
    };
    let facts = || vec![group(1, "/pod", true)];
    let view = join.take(&snapshot(1, (1..=4).map(|i| to(i, u64::from(i))).collect(), facts()));
    let sums = |view: &NodeView| -> Vec<(Option<String>, u64)> {
        view.peer_nodes.iter().map(|p| (p.node.as_deref().map(str::to_owned), p.totals.data_segs_out)).collect()
    };
    assert_eq!(sums(&view).len(), 3);
    assert_eq!(sums(&view)[0], (None, 3 + 4), "the third and the fourth");
    let view = join.take(&snapshot(2, vec![to(4, 100), to(1, 50)], facts()));
    assert_eq!(sums(&view)[0], (None, 3 + 100));
    assert_eq!(sums(&view)[1], (Some("node-1".into()), 50));
}

#[test]
fn edges_of_one_address_are_told_apart_by_port_role_and_redirection() {
    let mut join = join();
    let (plain, stats) = edge(1, 10);
    let client = EdgeKey { port: 80, role: 1, ..plain };
    let keys = [client, EdgeKey { port: 81, ..client }, EdgeKey { role: 2, ..client }];
    let redirected = EdgeKey { redirected: 1, netns: 7, ..client };
    let rows = keys.into_iter().chain([redirected, EdgeKey { cgroup: 2, ..client }]).map(|key| (key, stats)).collect();
    let view = join.take(&snapshot(1, rows, vec![group(1, "/pod/one", true), group(2, "/pod/two", true)]));
    assert_eq!(view.edges.len(), 4, "two containers of one subject share an edge");
    let sent = |key: EdgeKey| {
        let edge = view.edges.iter().find(|e| (e.port, e.role, e.netns) == (key.port, key.role(), key.netns)).unwrap();
        (edge.window.data_segs_out, edge.redirected, edge.class)
    };
    assert_eq!(sent(client), (20, false, PeerClass::External));
    assert_eq!(sent(keys[2]), (10, false, PeerClass::External));
    assert_eq!(sent(redirected), (10, true, PeerClass::SameNode));
}

#[test]
fn a_step_of_the_wall_clock_ages_nobody_and_lowers_no_sum() {
    const BEGIN_MS: u64 = 1_700_000_000_000;
    let run = |step_ms: i64| {
        let mut join = join();
        join.set_pods(index(&[COMPLETE.to_vec(), vec![known("u1", "web-1")]].concat()), Duration::ZERO);
        let mut seen = Vec::new();
        for at in 1..=120 {
            let wall = BEGIN_MS + at * 1_000;
            // The Pod's cgroup goes at 20 s, and its series stay for 90 s.
            let groups = vec![group(1, &pod_path("u1"), at < 20), group(2, "/unit", at < 20)];
            let rows = vec![edge(1, at.min(19)), edge(2, at.min(19))];
            let unix_ms = if at < 10 { wall } else { wall.saturating_add_signed(step_ms) };
            let view = join.take(&Snapshot { unix_ms, ..snapshot(at, rows, groups) });
            let of = |s: &crate::state::SubjectView| {
                (s.id.name.clone(), s.total().data_segs_out, s.gone_since, s.status_now_ms)
            };
            seen.push(view.subjects.iter().map(of).collect::<Vec<_>>());
        }
        seen
    };
    let steady = run(0);
    assert_eq!(steady[118][0].3, Some((BEGIN_MS + 119_000) as i64), "the Pod's status ages by the second");
    assert_eq!((steady[100].len(), steady[119].len()), (2, 1), "the unit is gone after its time");
    for step_ms in [-86_400_000, -1_500, 1_500, 86_400_000] {
        assert_eq!(run(step_ms), steady, "{step_ms} ms");
    }
}
