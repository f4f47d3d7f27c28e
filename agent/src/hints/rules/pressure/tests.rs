use super::*;
use crate::{
    hints::testing::{Case, Run, firing, host, id, rtts, set, verdict},
    sample::{CpuStat, Pressure},
    state::CpuUser,
};

const PEERS: [&str; 2] = ["10.0.0.7", "10.0.0.8"];

/// Two Pods on an idle Node, and one that works a little.
fn normal() -> Case {
    let mut case = Case { host: Some(host()), ..Case::mesh(&["cart", "shop"], &PEERS) };
    for pod in ["cart", "shop"] {
        case.subject(pod).window_usage_us = Some(1_000_000);
        case.subject(pod).window_memory_limit_hits = Some(0);
    }
    case.cpu_users = vec![user("cart", 1_000_000), user("shop", 1_000_000), user("batch", 200_000)];
    case
}

fn user(name: &str, usage_us: u64) -> CpuUser {
    CpuUser { id: id(name), usage_us, weight: Some(100) }
}

fn waits(case: &mut Case, pod: &str, change: impl FnOnce(&mut Pressure)) {
    change(case.subject(pod).window_pressure.as_mut().unwrap());
}

/// The batch Pod takes nearly both CPUs, and the others wait.
fn hog() -> Case {
    let mut case = normal();
    case.cpu_users = vec![user("batch", 18_000_000), user("cart", 800_000), user("shop", 900_000)];
    let node = case.host.as_mut().unwrap();
    set(node, Signal::CpuIdle, 100_000);
    set(node, Signal::PressureCpuSome, 9_500_000);
    waits(&mut case, "cart", |p| p.cpu_some_us = 4_000_000);
    case
}

#[test]
fn a_noisy_neighbour_is_named_with_its_cpu_use() {
    let hint = Run::warm(&normal()).expect_one(&hog());
    assert_eq!(verdict(&hint), ("node_cpu_contention", BlameKind::Node, "node-a"));
    assert_eq!(hint.subject.name, "cart");
    assert_eq!(hint.chain, ["node_cpu_contention", "pod_cpu_starved", "cpu_starvation"]);
    assert!(hint.summary.contains("shop/batch uses 1.80 cores (normally 0.02)"), "{}", hint.summary);
    assert!(hint.ruled_out.iter().any(|r| r.cause == "pod_cpu_throttled" && r.because.starts_with("0 of 100")));
    let own =
        hint.evidence.iter().find(|e| e.signal == "netwhy_pressure_seconds_total{resource=\"cpu\",kind=\"some\"}");
    assert_eq!(own.map(|e| (e.observed, e.baseline)), Some((0.4, Some(0.0))));
}

/// 2 ms for each segment, as each wake-up waits for a slice of the batch.
#[test]
fn a_batch_of_least_weight_is_no_noisy_neighbour_until_answers_wait() {
    let mut case = hog();
    case.cpu_users[0].weight = Some(1);
    Run::warm(&normal()).expect_silence(10, &case);
    for peer in PEERS {
        case.tally("cart", peer).data_segs_out = 100;
    }
    assert_eq!(Run::warm(&normal()).expect_one(&case).cause, "node_cpu_contention");
}

#[test]
fn run_queue_waits_are_evidence_where_they_are_sampled() {
    let quantiles = |case: &Case| -> Vec<(String, f64)> {
        let hint = Run::warm(&normal()).expect_one(case);
        let waits = hint.evidence.into_iter().filter(|e| e.signal.starts_with("netwhy_runqueue_seconds"));
        waits.map(|e| (e.signal, e.observed)).collect()
    };
    assert_eq!(quantiles(&hog()), [], "no data is no number");
    let mut case = hog();
    case.subject("cart").window_run_queue = rtts(&[(4_000, 90), (60_000, 10)]);
    let [(median, p50), (high, p99)]: [_; 2] = quantiles(&case).try_into().unwrap();
    assert!(median.contains("0.5") && (p50 / 0.004 - 1.0).abs() < 0.1, "{median} {p50}");
    assert!(high.contains("0.99") && (p99 / 0.06 - 1.0).abs() < 0.1, "{high} {p99}");
}

#[test]
fn a_pod_throttled_by_its_own_limit_never_blames_a_neighbour() {
    let mut case = hog();
    case.subject("cart").window_cpu = Some(CpuStat {
        periods: 100,
        throttled_periods: 60,
        throttled_us: 3_500_000,
        usage_us: 800_000,
        limit_millicores: Some(100),
    });
    assert_eq!(verdict(&Run::warm(&normal()).expect_one(&case)), ("pod_cpu_throttled", BlameKind::Pod, "cart"));
    // Below the limit of that rule, but half of the time waited.
    let cpu = case.subject("cart").window_cpu.as_mut().unwrap();
    (cpu.throttled_periods, cpu.throttled_us) = (9, 2_000_000);
    Run::warm(&normal()).expect_silence(5, &case);
}

#[test]
fn busy_cpus_without_a_waiting_pod_are_silent() {
    let mut case = hog();
    waits(&mut case, "cart", |p| p.cpu_some_us = 1_900_000);
    Run::warm(&normal()).expect_silence(10, &case);
    // A Pod that waits without callers harms nobody.
    let mut batch = hog();
    for peer in PEERS {
        *batch.tally("cart", peer) = crate::sample::Tally::default();
    }
    Run::warm(&normal()).expect_silence(10, &batch);
}

#[test]
fn a_pod_that_works_little_suffers_from_a_shorter_wait() {
    let mut case = hog();
    waits(&mut case, "cart", |p| p.cpu_some_us = 1_200_000);
    case.subject("cart").window_usage_us = Some(590_000);
    // 0.6 ms for each segment.
    Run::warm(&normal()).expect_silence(5, &case);
    for peer in PEERS {
        case.tally("cart", peer).data_segs_out = 100;
    }
    let hint = Run::warm(&normal()).expect_one(&case);
    assert_eq!(hint.cause, "node_cpu_contention");
    case.subject("cart").window_usage_us = Some(610_000);
    Run::warm(&normal()).expect_silence(5, &case);
    case.subject("cart").window_usage_us = None;
    Run::warm(&normal()).expect_silence(5, &case);
}

#[test]
fn waiting_on_idle_cpus_is_silent() {
    let mut case = hog();
    set(case.host.as_mut().unwrap(), Signal::CpuIdle, 4_000_000);
    Run::warm(&normal()).expect_silence(10, &case);
    let mut unknown = hog();
    unknown.host = None;
    Run::warm(&normal()).expect_silence(10, &unknown);
}

#[test]
fn a_pod_that_uses_most_of_the_cpus_itself_starves_itself() {
    let mut case = hog();
    case.cpu_users = vec![user("cart", 15_000_000), user("shop", 4_000_000)];
    case.subject("cart").window_usage_us = Some(15_000_000);
    let hint = Run::warm(&normal()).expect_one(&case);
    assert_eq!(verdict(&hint), ("pod_cpu_starved", BlameKind::Pod, "cart"));
}

#[test]
fn a_small_user_is_not_blamed_when_the_large_one_is_unknown() {
    // The CPU user is in no watched cgroup: a process of the host, or of another Node on it.
    let mut case = hog();
    case.cpu_users = vec![user("cart", 500_000), user("shop", 200_000)];
    case.subject("cart").window_usage_us = Some(500_000);
    let hint = Run::warm(&normal()).expect_one(&case);
    assert_eq!(verdict(&hint), ("node_cpu_contention", BlameKind::Node, "node-a"));
    assert!(hint.summary.contains("no neighbour stands out"), "{}", hint.summary);
}

#[test]
fn a_pod_that_always_waits_must_wait_twice_as_long() {
    let mut always = normal();
    waits(&mut always, "cart", |p| p.cpu_some_us = 2_500_000);
    let mut case = hog();
    waits(&mut case, "cart", |p| p.cpu_some_us = 4_900_000);
    Run::warm(&always).expect_silence(10, &case);
    waits(&mut case, "cart", |p| p.cpu_some_us = 5_100_000);
    assert_eq!(Run::warm(&always).expect_one(&case).cause, "node_cpu_contention");
}

#[test]
fn a_pod_at_its_memory_limit_differs_from_a_node_short_of_memory() {
    let mut own = normal();
    waits(&mut own, "cart", |p| p.memory_some_us = 3_000_000);
    set(own.host.as_mut().unwrap(), Signal::PressureMemorySome, 3_000_000);
    own.subject("cart").window_memory_limit_hits = Some(700);
    let hint = Run::warm(&normal()).expect_one(&own);
    assert_eq!(verdict(&hint), ("pod_memory_pressure", BlameKind::Pod, "cart"));
    assert!(hint.summary.contains("30 % of the time") && hint.summary.contains("700 times"), "{}", hint.summary);

    let mut node = own.clone();
    node.subject("cart").window_memory_limit_hits = Some(0);
    let hint = Run::warm(&normal()).expect_one(&node);
    assert_eq!(verdict(&hint), ("node_memory_pressure", BlameKind::Node, "node-a"));
}

#[test]
fn without_known_limits_the_other_pods_decide_with_less_certainty() {
    let mut case = normal();
    waits(&mut case, "cart", |p| p.memory_some_us = 3_000_000);
    set(case.host.as_mut().unwrap(), Signal::PressureMemorySome, 3_000_000);
    case.subject("cart").window_memory_limit_hits = None;
    let hint = Run::warm(&normal()).expect_one(&case);
    assert_eq!(verdict(&hint), ("pod_memory_pressure", BlameKind::Undecided, ""));
    assert_eq!(hint.blame.other_names(), ["cart", "node-a"]);
    case.subject("shop").window_memory_limit_hits = None;
    waits(&mut case, "shop", |p| p.memory_some_us = 2_000_000);
    let hints = firing(&Run::warm(&normal()).ticks(3, &case));
    assert!(hints.len() == 2 && hints.iter().all(|h| h.cause == "node_memory_pressure"), "{hints:?}");
}

#[test]
fn io_stalls_of_one_pod_blame_it_and_of_several_the_node() {
    let mut case = normal();
    waits(&mut case, "cart", |p| p.io_some_us = 5_000_000);
    set(case.host.as_mut().unwrap(), Signal::PressureIoSome, 5_000_000);
    let hint = Run::warm(&normal()).expect_one(&case);
    assert_eq!(verdict(&hint), ("pod_io_pressure", BlameKind::Pod, "cart"));
    waits(&mut case, "shop", |p| p.io_some_us = 4_000_000);
    let hints = firing(&Run::warm(&normal()).ticks(3, &case));
    assert!(hints.len() == 2 && hints.iter().all(|h| h.cause == "node_io_pressure"), "{hints:?}");
    assert!(hints.iter().all(|h| h.blame.kind == BlameKind::Node));
}

#[test]
fn usual_io_stalls_are_silent_and_memory_pressure_explains_io() {
    let mut database = normal();
    waits(&mut database, "cart", |p| p.io_some_us = 4_000_000);
    Run::new().expect_silence(60, &database);
    let mut thrash = normal();
    waits(&mut thrash, "cart", |p| (p.io_some_us, p.memory_some_us) = (5_000_000, 5_000_000));
    thrash.subject("cart").window_memory_limit_hits = Some(9);
    let hint = Run::warm(&normal()).expect_one(&thrash);
    assert_eq!(hint.chain, ["pod_memory_pressure", "pod_io_pressure", "memory_stall"]);
}

#[test]
fn the_neighbour_with_the_largest_growth_is_named_not_the_largest() {
    let mut steady = normal();
    steady.cpu_users = vec![user("steady", 8_000_000), user("cart", 1_000_000), user("batch", 200_000)];
    let mut case = hog();
    case.cpu_users = vec![user("steady", 9_000_000), user("batch", 8_500_000), user("cart", 800_000)];
    let hint = Run::warm(&steady).expect_one(&case);
    assert!(hint.summary.contains("shop/batch uses 0.85 cores"), "{}", hint.summary);
}
