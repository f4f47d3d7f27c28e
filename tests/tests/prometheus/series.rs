//! Number and lifetime of series, and the effect of a restart of the agent.

use crate::world::{World, wait_until};
use netwhy_agent::{
    config::{Config, KEYS},
    metrics::{Kind, METRICS},
};
use rustix::process::{Signal, kill_process};
use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

/// Series of one Pod at default settings.
const BUDGET: f64 = 60.0;
/// Further series under CPU pressure.
const WAITS: f64 = 7.0;
const OF_PODS: &str =
    "{__name__=~\"netwhy_.+\", __name__!~\"netwhy_hint|netwhy_runqueue_.+\", job=\"netwhy\", pod!=\"\"}";
const OF_WAITS: &str = "{__name__=~\"netwhy_runqueue_.+\", job=\"netwhy\", pod!=\"\"}";
/// A DNS server over UDP. Lookups are counted at the client.
const WITHOUT_TCP: &str = "dns-c";

#[test]
fn pods_stay_within_their_budget_and_leave_nothing_when_they_go() {
    let Some(world) = World::open("pods_stay_within_their_budget_and_leave_nothing_when_they_go") else { return };
    let prometheus = &world.prometheus;
    let total = || prometheus.value(&format!("count({OF_PODS})")).unwrap_or(0.0);
    let of_pods = || prometheus.query(&format!("count by (namespace, pod) ({OF_PODS})")).unwrap();
    let expected: BTreeSet<&str> =
        world.shop.pods().keys().map(String::as_str).filter(|pod| *pod != WITHOUT_TCP).collect();
    wait_until("every Pod of the shop that talks TCP or looks names up has series", || {
        let rows = of_pods();
        rows.iter().map(|(labels, _)| labels["pod"].as_str()).collect::<BTreeSet<_>>() == expected
    });
    thread::sleep(Duration::from_secs(5));
    for (labels, series) in of_pods() {
        println!("{} has {series} series", labels["pod"]);
        assert!((5.0..=BUDGET).contains(&series), "{labels:?}: {series}");
    }
    for (labels, series) in prometheus.query(&format!("count by (namespace, pod) ({OF_WAITS})")).unwrap() {
        assert!(series <= WAITS, "{labels:?}: {series} of waits");
    }
    // Pods come and go, three at a time.
    let before = total();
    let api = format!("{}:8080", world.shop.lab().node("c").unwrap().ipv4);
    for round in 0..3 {
        let mut pods = Vec::new();
        for number in 0..3 {
            let pod = world.shop.lab().pod("a", &format!("job-{round}-{number}")).unwrap();
            let program = world.shop.lab().start(&pod, &["client", "--to", &api, "--requests", "50"]).unwrap();
            pods.push((pod, program));
        }
        let names: BTreeSet<String> = pods.iter().map(|(pod, _)| pod.name.clone()).collect();
        let seen = || -> BTreeSet<String> {
            of_pods().into_iter().filter_map(|(mut labels, _)| labels.remove("pod")).collect()
        };
        wait_until("the new Pods have series", || names.is_subset(&seen()));
        for (pod, program) in pods {
            drop(program);
            pod.remove().unwrap();
        }
        // Prometheus shows a series for 5 minutes after its last sample, unless it is marked stale.
        wait_until("their series are gone", || names.is_disjoint(&seen()));
    }
    // Nine Pods' series would be a third more. The shop's own Pods may have got a few new ones.
    wait_until("as many series as before", || total() <= before * 1.1);
    // The default takes longer, but stays below the promised two minutes.
    let gone = KEYS.iter().find(|key| key.path == "limits.gone_seconds").map(|key| key.value(&Config::default()));
    let gone: f64 = gone.unwrap().parse().unwrap();
    assert!(gone <= 110.0, "a scrape interval and a tick come on top");
}

#[test]
fn counters_go_on_over_a_new_start_and_blind_time_is_told() {
    let Some(mut world) = World::open("counters_go_on_over_a_new_start_and_blind_time_is_told") else { return };
    const SENT: &str = "netwhy_tcp_bytes_total{job=\"netwhy\", pod=\"bulk-a\", direction=\"sent\"}";
    const SAMPLES: &str = "netwhy_agent_samples_total{job=\"netwhy\"}";
    const STARTED: &str = "process_start_time_seconds{job=\"netwhy\"}";
    let blind = |world: &World| world.prometheus.value("netwhy_agent_blind_seconds_total{job=\"netwhy\"}");
    wait_until("the bulk sender is counted", || world.prometheus.value(SENT).is_some_and(|sent| sent > 1e6));
    let (begin, first) = (Instant::now(), sent(&mut world));
    let awake = blind(&world).unwrap();
    // An agent that gets no CPU time for a while.
    kill_process(world.agent().pid(), Signal::STOP).unwrap();
    thread::sleep(Duration::from_secs(4));
    kill_process(world.agent().pid(), Signal::CONT).unwrap();
    wait_until("the blind time is told", || blind(&world).is_some_and(|now| now >= awake + 2.0));
    wait_until("it went on for a while", || world.prometheus.value(SAMPLES).is_some_and(|samples| samples > 25.0));
    let start = world.prometheus.value(STARTED).unwrap();
    world.restart_agent();
    wait_until("the new agent is scraped", || world.prometheus.value(STARTED).is_some_and(|now| now > start));
    assert_eq!(world.prometheus.value(&format!("resets({SAMPLES}[2m])")), Some(1.0), "a new start is seen as one");
    wait_until("it counts", || world.prometheus.value(SENT).is_some_and(|sent| sent > 1e6));
    thread::sleep(Duration::from_secs(5));
    // Bytes sent without a running agent are missing, and bytes counted before the restart are not counted twice.
    // Prometheus extrapolates to the ends of its range.
    let window = begin.elapsed().as_secs();
    let counted = world.prometheus.value(&format!("increase({SENT}[{window}s])")).unwrap();
    let truth = (sent(&mut world) - first) as f64;
    assert!(counted > 0.2 * truth && counted < 1.2 * truth, "{counted} of {truth} bytes in {window} s");
    let counters = METRICS.into_iter().flatten().filter(|metric| metric.kind == Kind::Counter);
    for counter in counters {
        let falls = world.prometheus.query(&format!("rate({}{{job=\"netwhy\"}}[1m]) < 0", counter.name)).unwrap();
        assert!(falls.is_empty(), "{falls:?}");
    }
}

/// Bytes that the bulk sender itself has counted.
fn sent(world: &mut World) -> u64 {
    world.shop.program("bulk-a").unwrap().latest().unwrap().total.bytes_sent
}
