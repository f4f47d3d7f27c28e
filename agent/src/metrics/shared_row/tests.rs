use super::*;
use crate::{
    api::AgentStats,
    metrics::{
        Format, MetricsOptions,
        check::{Samples, read},
        encode_next,
        fixture::{healthy_pod, view},
    },
};
use netwhy_abi::PeerClass;
use std::sync::Arc;

/// A Pod that sent this many segments.
fn pod(name: &str, segments: u64) -> SubjectView {
    let mut pod = healthy_pod("shop", name);
    let tally = pod.sums.totals[PeerClass::InCluster as usize].as_mut().unwrap();
    tally.segs_out = segments;
    tally.data_segs_out = segments;
    pod
}

fn scrape(shared: &mut SharedRow, subjects: Vec<SubjectView>, lost: Option<Folded>) -> Samples {
    let mut view = view(subjects);
    view.folded = lost.map(Arc::new);
    // Room for three Pods and the row of the others.
    let options = MetricsOptions { max_series: 37 * 4, ..MetricsOptions::default() };
    let agent = Arc::new(AgentStats::default());
    let bytes = encode_next(shared, &Arc::new(view), &agent, &options, Format::OpenMetrics);
    read(std::str::from_utf8(&bytes).unwrap(), Format::OpenMetrics)
}

fn segments(samples: &Samples, pod: &str) -> Option<f64> {
    let label = format!("pod=\"{pod}\"");
    samples
        .iter()
        .find(|(k, _)| k.starts_with("netwhy_tcp_segments_sent_total{") && k.contains(&label))
        .map(|(_, v)| *v)
}

/// Counters of the row `~other`.
fn counters(samples: &Samples) -> Vec<(&String, f64)> {
    let of_other = |name: &str| name.contains("pod=\"~other\"") && !name.starts_with("netwhy_tcp_min_rtt");
    let gauge = |name: &str| {
        ["netwhy_cpu_limit", "netwhy_tcp_accept_queue_fill"].into_iter().any(|metric| name.starts_with(metric))
    };
    samples.iter().filter(|(name, _)| of_other(name) && !gauge(name)).map(|(name, value)| (name, *value)).collect()
}

#[track_caller]
fn assert_nothing_fell(before: &Samples, now: &Samples) {
    for (name, value) in counters(before) {
        assert!(now.get(name).is_some_and(|now| *now >= value), "{name}: {value} → {:?}", now.get(name));
    }
}

/// Quiet Pods become busy, busy ones quiet, and all of them come and go.
#[test]
fn no_counter_of_the_shared_row_ever_falls() {
    let mut shared = SharedRow::default();
    let mut before: Option<Samples> = None;
    for round in 0..60u64 {
        // Nine Pods, one of which is replaced by another in each round.
        let pods = (round..round + 9).map(|i| pod(&format!("p-{i}"), (round + 1 - round.min(i)) * (1 + i * 7 % 11)));
        let now = scrape(&mut shared, pods.collect(), None);
        assert!(now.keys().filter(|name| name.contains("namespace=\"shop\"")).count() <= 37 * 4);
        if let Some(before) = &before {
            assert_nothing_fell(before, &now);
        }
        before = Some(now);
    }
    assert!(segments(&before.unwrap(), "~other").unwrap() > 0.0);
}

#[test]
fn a_member_stays_until_it_is_gone_and_leaves_its_counts() {
    let mut shared = SharedRow::default();
    let quiet = |n| (0..3u64).map(move |i| pod(&format!("quiet-{i}"), n + i)).collect::<Vec<_>>();
    let busy = |n| (0..3u64).map(move |i| pod(&format!("busy-{i}"), n)).collect::<Vec<_>>();
    let all = |q, b| quiet(q).into_iter().chain(busy(b)).collect::<Vec<_>>();
    let first = scrape(&mut shared, all(10, 100), None);
    assert_eq!(segments(&first, "~other"), Some(10.0 + 11.0 + 12.0));
    // The quiet ones are the busiest now.
    let second = scrape(&mut shared, all(1_000, 100), None);
    assert_eq!(segments(&second, "~other"), Some(1_000.0 + 1_001.0 + 1_002.0));
    assert_eq!(segments(&second, "busy-0"), Some(100.0));
    let third = scrape(&mut shared, busy(101), None);
    assert_eq!(segments(&third, "~other"), Some(3_003.0), "what is gone stays counted");
    assert_eq!(third["netwhy_agent_folded_subjects"], 0.0);
    // Another Pod of the same name.
    let fourth = scrape(&mut shared, quiet(1), None);
    assert_eq!((segments(&fourth, "~other"), segments(&fourth, "quiet-1")), (Some(3_003.0), Some(2.0)));
}

#[test]
fn a_member_that_begins_again_between_two_scrapes_lowers_nothing() {
    let mut shared = SharedRow::default();
    let pods = |first| (0..6).map(move |i| pod(&format!("p-{i}"), if i == 0 { first } else { 100 * i })).collect();
    let before = scrape(&mut shared, pods(50), None);
    let now = scrape(&mut shared, pods(3), None);
    assert_nothing_fell(&before, &now);
    assert_eq!(segments(&now, "~other").unwrap() - segments(&before, "~other").unwrap(), 3.0);
}

#[test]
fn subjects_that_lost_their_rows_early_count_once_in_the_shared_row() {
    let mut shared = SharedRow::default();
    let mut lost = Folded::default();
    lost.add(&pod("short", 5));
    let alone = scrape(&mut shared, vec![pod("p", 1)], Some(lost.clone()));
    assert_eq!((segments(&alone, "~other"), segments(&alone, "p")), (Some(5.0), Some(1.0)));
    let six = || (0..6).map(|i| pod(&format!("p-{i}"), 100 + i)).collect::<Vec<_>>();
    let before = scrape(&mut shared, six(), Some(lost.clone()));
    // A member goes before its time.
    lost.add(&six()[0]);
    let now = scrape(&mut shared, six().split_off(1), Some(lost));
    assert_eq!(segments(&now, "~other"), segments(&before, "~other"), "not twice");
}
