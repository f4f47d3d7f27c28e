use crate::{
    join::{Join, JoinLimits},
    sample::{CgroupFacts, Device, Gauge, Group, HostSample, Signal, Snapshot, State},
    state::{SubjectId, SubjectKind},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

fn name(path: &str) -> SubjectId {
    let name = if path.starts_with("/kubepods/") {
        path.split('/').nth(2).unwrap()
    } else {
        path.trim_start_matches('/').split('/').next().unwrap()
    };
    SubjectId { kind: SubjectKind::Pod, namespace: "/".into(), name: name.into(), workload: String::new() }
}

fn join() -> Join {
    let limits = JoinLimits { edges: 8, gone: Duration::from_secs(90), gone_subjects: 3, peer_nodes: 2 };
    Join::new("node-a", Duration::from_secs(10), limits, name)
}

fn sample(drops: u64, devices: &[&str]) -> HostSample {
    let device = |name: &&str| Device { name: (*name).into(), index: 2, ..Device::default() };
    HostSample {
        states: BTreeMap::from([(Group::Devices, State::Ok), (Group::Conntrack, State::Absent)]),
        counters: devices.iter().map(|name| (Signal::NicRxDropped, Some((*name).into()), drops)).collect(),
        gauges: vec![(Gauge::Cpus, None, 2)],
        devices: devices.iter().map(device).collect(),
        ..HostSample::default()
    }
}

fn snapshot(at: u64, host: Option<HostSample>, groups: Vec<CgroupFacts>) -> Snapshot {
    Snapshot { at: Duration::from_secs(at), host, groups, ..Snapshot::default() }
}

#[test]
fn totals_count_from_the_start_and_windows_forget() {
    let mut join = join();
    let eth0: Arc<str> = "eth0".into();
    let mut view = join.take(&snapshot(1, Some(sample(1000, &["eth0"])), vec![]));
    let count = |view: &crate::state::NodeView| {
        let count = view.host.as_ref().unwrap().count_on(Signal::NicRxDropped, &eth0).unwrap();
        (count.total, count.window)
    };
    assert_eq!(count(&view), (0, 0), "what was there before the agent is not its");
    for at in 2..=30 {
        let drops = if at < 6 { 1000 + at } else { 1006 };
        view = join.take(&snapshot(at, Some(sample(drops, &["eth0"])), vec![]));
        if at == 6 {
            assert_eq!(count(&view), (6, 6));
        }
    }
    assert_eq!(count(&view), (6, 0));
    let host = view.host.unwrap();
    assert_eq!((host.gauge(Gauge::Cpus), &host.states[&Group::Conntrack]), (Some(2), &State::Absent));
}

#[test]
fn a_device_that_went_takes_its_counters_along_and_no_reading_is_no_view() {
    let mut join = join();
    join.take(&snapshot(1, Some(sample(5, &["eth0", "eth1"])), vec![]));
    let view = join.take(&snapshot(2, Some(sample(6, &["eth1"])), vec![]));
    let host = view.host.unwrap();
    assert!(host.count_on(Signal::NicRxDropped, &"eth0".into()).is_none());
    assert_eq!(host.count_on(Signal::NicRxDropped, &"eth1".into()).unwrap().total, 1);
    assert!(join.take(&snapshot(3, None, vec![])).host.is_none());
}

#[test]
fn cpu_time_is_the_innermost_subjects() {
    let mut join = join();
    let group = |id, path: &str, us| CgroupFacts {
        id,
        path: Some(path.into()),
        alive: true,
        usage_us: Some(us),
        cpu_weight: Some(100 + id),
        ..CgroupFacts::default()
    };
    let groups = |n: u64| {
        vec![
            group(1, "/kubepods", 1000 * n),
            group(2, "/kubepods/hog", 700 * n),
            group(3, "/kubepods/hog/main", 690 * n),
            group(4, "/kubepods/shop", 300 * n),
            group(5, "/system", 50 * n),
        ]
    };
    join.take(&snapshot(1, None, groups(1)));
    let view = join.take(&snapshot(2, None, groups(2)));
    let users: Vec<_> = view.cpu_users.iter().map(|u| (u.id.name.as_str(), u.usage_us, u.weight)).collect();
    assert_eq!(users, [("hog", 700, Some(102)), ("shop", 300, Some(104)), ("system", 50, Some(105))]);
}
