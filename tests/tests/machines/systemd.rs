//! Pure cgroup v2 with the slices and scopes of systemd's driver: every owner is named by its path.

use crate::node::{
    Agent, CGROUPS, Server, cgroup, containerd_scope, enter, labels, leave, mounted, only_in, pod_labels, pod_slice,
    wait_until,
};
use std::{
    collections::BTreeMap,
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

const BURSTABLE: &str = "8b7ac1de-55aa-4c1f-9e2b-0123456789ab";
const GUARANTEED: &str = "1f0a3f6e-9c2b-4d5e-8a7b-0c1d2e3f4a5b";
const BEST_EFFORT: &str = "c0ffee00-1234-4abc-8def-fedcba987654";
const LIMITED: &str = "7e57ab1e-0000-4000-8000-000000000001";

/// A container's ID.
fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

#[test]
fn pods_units_and_containers_are_named_by_their_paths() {
    only_in!("systemd");
    assert_eq!((mounted("cgroup2"), mounted("cgroup")), (vec![CGROUPS.to_owned()], Vec::new()));
    let (burstable, guaranteed) = (pod_slice("burstable", BURSTABLE), pod_slice("guaranteed", GUARANTEED));
    let docker = id('d');
    let cgroups = [
        (containerd_scope(&burstable, &id('a')), pod_labels(BURSTABLE)),
        // Another container of the same Pod.
        (containerd_scope(&burstable, &id('b')), pod_labels(BURSTABLE)),
        (format!("{guaranteed}/crio-{}.scope", id('c')), pod_labels(GUARANTEED)),
        (containerd_scope(&pod_slice("besteffort", BEST_EFFORT), &id('f')), pod_labels(BEST_EFFORT)),
        ("system.slice/nginx.service".to_owned(), labels("system.slice", "nginx.service", "Unit/nginx.service")),
        (
            format!("system.slice/docker-{docker}.scope"),
            labels("system.slice", "docker-dddddddddddd", &format!("Container/{docker}")),
        ),
    ];
    let (before, after) = cgroups.split_at(3);
    let old: Vec<_> = before.iter().map(|(path, labels)| (cgroup(path), labels)).collect();
    let agent = Agent::start::<&str>(&[]);
    // Others appear while it runs.
    let new: Vec<_> = after.iter().map(|(path, labels)| (cgroup(path), labels)).collect();
    let server = Server::new();
    let mut expected: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for ((dir, labels), connections) in old.iter().chain(&new).zip(10..) {
        server.visits_from(dir, connections);
        *expected.entry((*labels).clone()).or_default() += connections;
    }
    assert_eq!(expected.len(), 5);
    agent.assert_counted(&expected);
}

/// Files of the controllers are read where systemd's driver has them.
#[test]
fn the_cpu_limit_of_a_container_is_found_below_its_slices() {
    only_in!("systemd");
    let path = containerd_scope(&pod_slice("burstable", LIMITED), &id('1'));
    let scope = cgroup(&path);
    // From the root down: a controller must be on above first.
    let mut above: Vec<&Path> = Path::new(&path).ancestors().skip(1).collect();
    above.reverse();
    for dir in above {
        fs::write(Path::new(CGROUPS).join(dir).join("cgroup.subtree_control"), "+cpu").unwrap();
    }
    fs::write(scope.join("cpu.max"), "20000 100000").unwrap();
    let throttled = || -> u64 {
        let text = fs::read_to_string(scope.join("cpu.stat")).unwrap();
        text.lines().find_map(|line| line.strip_prefix("nr_throttled ")).unwrap().parse().unwrap()
    };
    let agent = Agent::start::<&str>(&[]);
    Server::new().visits_from(&scope, 1);
    agent.assert_counted(&BTreeMap::from([(pod_labels(LIMITED), 1)]));
    let before = throttled();
    enter(&scope);
    let begun = Instant::now();
    while throttled() < before + 5 {
        assert!(begun.elapsed() < Duration::from_secs(60), "not throttled: {} periods", throttled() - before);
        for n in 0..1_000_000_u64 {
            let _ = black_box(n);
        }
    }
    leave();
    let labels = pod_labels(LIMITED);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let counted = || agent.metrics().sum("netwhy_cpu_throttled_periods_total", &labels) as u64;
    wait_until("throttled periods are counted", || counted() >= 5);
    assert!(counted() <= throttled(), "{} of {}", counted(), throttled());
}
