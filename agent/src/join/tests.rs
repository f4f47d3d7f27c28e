use super::*;
use crate::sample::{CgroupFacts, CpuStat, Pressure};
use netwhy_abi::{CgroupStats, DropKey, EdgeKey, EdgeStats};

fn name(path: &str) -> SubjectId {
    let leaf = path.trim_start_matches('/').split('/').next().unwrap_or("");
    SubjectId { kind: SubjectKind::Container, namespace: "/".into(), name: leaf.into(), workload: String::new() }
}

fn join() -> Join {
    Join::new("node-a", Duration::from_secs(10), JoinLimits { edges: 8, gone: Duration::from_secs(90) }, name)
}

fn edge(cgroup: u64, segs: u64) -> (EdgeKey, EdgeStats) {
    (EdgeKey { cgroup, addr: [9; 16] }, EdgeStats { data_segs_out: segs, ..EdgeStats::ZERO })
}

fn group(id: u64, path: &str, alive: bool) -> CgroupFacts {
    CgroupFacts { id, path: Some(path.into()), alive, ..CgroupFacts::default() }
}

fn snapshot(at: u64, edges: Vec<(EdgeKey, EdgeStats)>, groups: Vec<CgroupFacts>) -> Snapshot {
    Snapshot { at: Duration::from_secs(at), edges, groups, ..Snapshot::default() }
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
fn drops_without_a_socket_belong_to_the_node() {
    let mut join = join();
    let mut first = snapshot(1, vec![], vec![group(1, "/pod", true)]);
    first.drops = vec![(DropKey { cgroup: 0, reason: 3, pad: 0 }, 2), (DropKey { cgroup: 1, reason: 4, pad: 0 }, 5)];
    first.cgroups = vec![(1, CgroupStats { accept_drops: 2, ..CgroupStats::ZERO })];
    let view = join.take(&first);
    assert_eq!(view.node_drops.get(&3), Some(&2));
    assert_eq!(view.subjects[0].drops.get(&4), Some(&5));
    assert_eq!(view.subjects[0].window_connects.accept_drops, 2);
}
