//! How many series, for how long, and what a new start of the agent does to them.

use crate::world::{World, wait_until};
use netwhy_agent::config::Config;
use rustix::process::{Signal, kill_process};
use std::{collections::BTreeSet, thread, time::Duration};

/// Series of one Pod at default settings.
const BUDGET: f64 = 60.0;
const OF_PODS: &str = "{__name__=~\"netwhy_.+\", __name__!=\"netwhy_hint\", job=\"netwhy\", pod!=\"\"}";

#[test]
fn pods_stay_within_their_budget_and_leave_nothing_when_they_go() {
    let Some(world) = World::open("pods_stay_within_their_budget_and_leave_nothing_when_they_go") else { return };
    let prometheus = &world.prometheus;
    let total = || prometheus.value(&format!("count({OF_PODS})")).unwrap_or(0.0);
    let of_pods = || prometheus.query(&format!("count by (namespace, pod) ({OF_PODS})")).unwrap();
    wait_until("every Pod of the shop has series", || of_pods().len() == world.shop.pods().len());
    thread::sleep(Duration::from_secs(5));
    for (labels, series) in of_pods() {
        println!("{} has {series} series", labels["pod"]);
        assert!(series >= 5.0 && series <= BUDGET, "{labels:?}: {series}");
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
        // Prometheus would show a series that is merely not exported any more for 5 minutes, unless it was marked as stale.
        wait_until("their series are gone", || names.is_disjoint(&seen()));
    }
    wait_until("as many series as before", || (total() - before).abs() <= before * 0.02);
    // With the default the same takes longer, but no longer than the contract allows.
    assert!(Config::default().limits.gone_seconds.as_secs() <= 110, "a scrape interval and a tick come on top");
}

#[test]
fn counters_go_on_over_a_new_start_and_blind_time_is_told() {
    let Some(mut world) = World::open("counters_go_on_over_a_new_start_and_blind_time_is_told") else { return };
    const SENT: &str = "netwhy_tcp_segments_sent_total{job=\"netwhy\", pod=\"bulk-a\"}";
    let blind = |world: &World| world.prometheus.value("netwhy_agent_blind_seconds_total{job=\"netwhy\"}");
    wait_until("the bulk sender is counted", || world.prometheus.value(SENT).is_some_and(|sent| sent > 1000.0));
    let awake = blind(&world).unwrap();
    // An agent that gets no CPU time for a while.
    kill_process(world.agent().pid(), Signal::STOP).unwrap();
    thread::sleep(Duration::from_secs(4));
    kill_process(world.agent().pid(), Signal::CONT).unwrap();
    wait_until("the blind time is told", || blind(&world).is_some_and(|now| now >= awake + 2.0));
    // What was sent meanwhile was counted by the kernel.
    let before = world.prometheus.value(SENT).unwrap();
    let start = world.prometheus.value("process_start_time_seconds{job=\"netwhy\"}").unwrap();
    world.restart_agent();
    wait_until("the new agent is scraped", || {
        world.prometheus.value("process_start_time_seconds{job=\"netwhy\"}").is_some_and(|now| now > start)
    });
    wait_until("it counts", || world.prometheus.value(SENT).is_some_and(|sent| sent > 1000.0));
    thread::sleep(Duration::from_secs(5));
    // A new start is a reset like any other: no rate is negative, and what was counted before is not counted again.
    assert_eq!(world.prometheus.value(&format!("resets({SENT}[2m])")), Some(1.0));
    let (increase, now) = (world.prometheus.value(&format!("increase({SENT}[2m])")), world.prometheus.value(SENT));
    let (increase, now) = (increase.unwrap(), now.unwrap());
    // Prometheus extrapolates to the ends of its window.
    assert!(increase > now && increase < 2.5 * (before + now), "{increase} after {before} and {now}");
    let rates = world.prometheus.query("rate({__name__=~\"netwhy_.+_total\", job=\"netwhy\"}[1m]) < 0").unwrap();
    assert!(rates.is_empty(), "{rates:?}");
}
