//! Number and lifetime of series, and the effect of a restart of the agent.

use crate::{
    scraper::{Sample, Scraper},
    world::World,
};
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
/// Bytes that a bulk sender has sent, and snapshots, both as the agent counts them.
const SENT: &str = "netwhy_tcp_bytes_total{job=\"netwhy\", pod=\"bulk-a\", direction=\"sent\"}";
const SAMPLES: &str = "netwhy_agent_samples_total{job=\"netwhy\"}";
/// A DNS server over UDP. Lookups are counted at the client.
const WITHOUT_TCP: &str = "dns-c";

#[test]
fn pods_stay_within_their_budget_and_leave_nothing_when_they_go() {
    let Some(world) = World::open("pods_stay_within_their_budget_and_leave_nothing_when_they_go") else { return };
    let expected: BTreeSet<&str> =
        world.shop.pods().keys().map(String::as_str).filter(|pod| *pod != WITHOUT_TCP).collect();
    world.wait_until("every Pod of the shop that talks TCP or looks names up has series", |scraper| {
        let rows = of_pods(scraper);
        rows.iter().map(|(labels, _)| labels["pod"].as_str()).collect::<BTreeSet<_>>() == expected
    });
    thread::sleep(Duration::from_secs(5));
    for scraper in &world.scrapers {
        assert_budget(scraper);
    }
    // Pods come and go, three at a time.
    let before: f64 = world.scrapers.iter().map(total).fold(0.0, f64::max);
    let api = format!("{}:8080", world.shop.lab().node("c").unwrap().ipv4);
    for round in 0..3 {
        let mut pods = Vec::new();
        for number in 0..3 {
            let pod = world.shop.lab().pod("a", &format!("job-{round}-{number}")).unwrap();
            let program = world.shop.lab().start(&pod, &["client", "--to", &api, "--requests", "50"]).unwrap();
            pods.push((pod, program));
        }
        let names: BTreeSet<String> = pods.iter().map(|(pod, _)| pod.name.clone()).collect();
        let seen = |scraper: &Scraper| -> BTreeSet<String> {
            of_pods(scraper).into_iter().filter_map(|(mut labels, _)| labels.remove("pod")).collect()
        };
        world.wait_until("the new Pods have series", |scraper| names.is_subset(&seen(scraper)));
        for (pod, program) in pods {
            drop(program);
            pod.remove().unwrap();
        }
        // Prometheus shows a series for 5 minutes after its last sample, unless it is marked stale.
        world.wait_until("their series are gone", |scraper| names.is_disjoint(&seen(scraper)));
    }
    // Nine Pods' series would be a third more. The shop's own Pods may have got a few new ones.
    world.wait_until("as many series as before", |scraper| total(scraper) <= before * 1.1);
    // The default takes longer, but stays below the promised two minutes.
    let gone = KEYS.iter().find(|key| key.path == "limits.gone_seconds").map(|key| key.value(&Config::default()));
    let gone: f64 = gone.unwrap().parse().unwrap();
    assert!(gone <= 110.0, "a scrape interval and a tick come on top");
}

/// Series of all Pods.
fn total(scraper: &Scraper) -> f64 {
    scraper.value(&format!("count({OF_PODS})")).unwrap_or(0.0)
}

/// Series of each Pod.
fn of_pods(scraper: &Scraper) -> Vec<Sample> {
    scraper.query(&format!("count by (namespace, pod) ({OF_PODS})")).unwrap()
}

fn assert_budget(scraper: &Scraper) {
    for (labels, series) in of_pods(scraper) {
        println!("{scraper}: {} has {series} series", labels["pod"]);
        assert!((5.0..=BUDGET).contains(&series), "{scraper}: {labels:?}: {series}");
    }
    for (labels, series) in scraper.query(&format!("count by (namespace, pod) ({OF_WAITS})")).unwrap() {
        assert!(series <= WAITS, "{scraper}: {labels:?}: {series} of waits");
    }
}

#[test]
fn counters_go_on_over_a_new_start_and_blind_time_is_told() {
    let Some(mut world) = World::open("counters_go_on_over_a_new_start_and_blind_time_is_told") else { return };
    const STARTED: &str = "process_start_time_seconds{job=\"netwhy\"}";
    let blind = |scraper: &Scraper| scraper.value("netwhy_agent_blind_seconds_total{job=\"netwhy\"}");
    let counts = |scraper: &Scraper| scraper.value(SENT).is_some_and(|sent| sent > 1e6);
    world.wait_until("the bulk sender is counted", counts);
    let (begin, first) = (Instant::now(), sent(&mut world));
    let awake: f64 = world.scrapers.iter().map(|scraper| blind(scraper).unwrap()).fold(0.0, f64::max);
    // An agent that gets no CPU time for a while.
    kill_process(world.agent().pid(), Signal::STOP).unwrap();
    thread::sleep(Duration::from_secs(4));
    kill_process(world.agent().pid(), Signal::CONT).unwrap();
    world.wait_until("the blind time is told", |scraper| blind(scraper).is_some_and(|now| now >= awake + 2.0));
    world.wait_until("it went on for a while", |scraper| scraper.value(SAMPLES).is_some_and(|samples| samples > 25.0));
    let start = world.scrapers.iter().map(|scraper| scraper.value(STARTED).unwrap()).fold(0.0, f64::max);
    world.restart_agent();
    world.wait_until("the new agent is scraped", |scraper| scraper.value(STARTED).is_some_and(|now| now > start));
    for scraper in &world.scrapers {
        let resets = scraper.value(&format!("resets({SAMPLES}[2m])"));
        assert_eq!(resets, Some(1.0), "{scraper}: a new start is seen as one");
    }
    world.wait_until("it counts", counts);
    thread::sleep(Duration::from_secs(5));
    let truth = (sent(&mut world) - first) as f64;
    for scraper in &world.scrapers {
        assert_counted(scraper, begin, truth);
    }
}

/// Bytes sent without a running agent are missing, and bytes counted before the restart are not counted twice.
fn assert_counted(scraper: &Scraper, begin: Instant, truth: f64) {
    // Prometheus extrapolates to the ends of its range.
    let window = begin.elapsed().as_secs();
    let counted = scraper.value(&format!("increase({SENT}[{window}s])")).unwrap();
    assert!(counted > 0.2 * truth && counted < 1.2 * truth, "{scraper}: {counted} of {truth} bytes in {window} s");
    let counters = METRICS.into_iter().flatten().filter(|metric| metric.kind == Kind::Counter);
    for counter in counters {
        let falls = scraper.query(&format!("rate({}{{job=\"netwhy\"}}[1m]) < 0", counter.name)).unwrap();
        assert!(falls.is_empty(), "{scraper}: {falls:?}");
    }
}

/// Bytes that the bulk sender itself has counted.
fn sent(world: &mut World) -> u64 {
    world.shop.program("bulk-a").unwrap().latest().unwrap().total.bytes_sent
}
