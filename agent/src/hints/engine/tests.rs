use super::*;
use crate::{
    api::{Hint, HintState},
    hints::{
        RULES,
        testing::{Case, Run, firing, lose, requests::Lcg, rtts},
    },
};
use netwhy_abi::{Failure, Retransmit};

const PEERS: [&str; 3] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"];

fn normal() -> Case {
    Case::mesh(&["cart"], &PEERS)
}

fn bad(episodes: u64) -> Case {
    let mut case = normal();
    lose(case.tally("cart", PEERS[0]), episodes);
    case
}

#[test]
fn one_positive_window_is_not_a_hint_and_two_of_three_are() {
    let mut run = Run::warm(&normal());
    // Five episodes are beyond 1e-6, but not beyond 1e-12.
    assert_eq!(run.tick(&bad(5)), vec![]);
    assert_eq!(run.tick(&normal()), vec![]);
    assert_eq!(run.tick(&bad(5)).len(), 1);
}

/// Windows that overlap hold the same losses.
#[test]
fn confidence_grows_with_windows_that_share_no_moment() {
    let mut run = Run::warm(&normal());
    let confidence = |hints: Vec<Hint>| firing(&hints)[0].confidence;
    let first = confidence(run.ticks(3, &bad(5)));
    let overlapping = confidence(run.ticks(7, &bad(5)));
    assert!((overlapping - first).abs() < 0.02, "{first} {overlapping}");
    let later = confidence(run.ticks(20, &bad(5)));
    assert!(later > first + 0.04, "{first} {later}");
    // After a break it may be another trouble.
    run.tick(&normal());
    let again = confidence(run.ticks(3, &bad(5)));
    assert!((again - first).abs() < 0.03, "{first} {again}");
}

#[test]
fn positives_further_apart_than_three_windows_are_not_a_hint() {
    let mut run = Run::warm(&normal());
    for _ in 0..5 {
        assert_eq!(run.tick(&bad(5)), vec![]);
        run.expect_silence(2, &normal());
    }
}

#[test]
fn overwhelming_evidence_needs_one_window() {
    assert_eq!(Run::warm(&normal()).tick(&bad(40)).len(), 1);
}

#[test]
fn a_hint_leaves_after_six_clean_windows_and_stays_visible_for_an_hour() {
    let mut run = Run::warm(&normal());
    let began = run.expect_one(&bad(20));
    assert_eq!(firing(&run.ticks(5, &normal())).len(), 1);
    let resolved = run.tick(&normal());
    assert_eq!((resolved.len(), resolved[0].state), (1, HintState::Resolved));
    assert!(resolved[0].summary.ends_with("resolved: clean again"), "{}", resolved[0].summary);
    assert_eq!(resolved[0].id, began.id);
    run.skip_seconds(3590);
    assert_eq!(run.tick(&normal()).len(), 1);
    run.skip_seconds(20);
    assert_eq!(run.tick(&normal()), vec![]);
}

#[test]
fn one_positive_window_restarts_the_six_clean_ones() {
    let mut run = Run::warm(&normal());
    run.expect_one(&bad(20));
    run.ticks(5, &normal());
    run.tick(&bad(20));
    assert_eq!(firing(&run.ticks(5, &normal())).len(), 1);
    assert!(firing(&run.tick(&normal())).is_empty());
}

#[test]
fn missing_data_is_not_healthy() {
    let mut run = Run::warm(&normal());
    run.expect_one(&bad(20));
    let mut idle = normal();
    idle.edges.clear();
    assert_eq!(firing(&run.ticks(5, &idle)).len(), 1);
    let hints = run.tick(&idle);
    assert!(hints[0].summary.ends_with("no more traffic to judge"), "{}", hints[0].summary);

    let mut run = Run::warm(&normal());
    run.expect_one(&bad(20));
    let hints = run.ticks(6, &Case::default());
    assert_eq!(hints[0].state, HintState::Resolved);
    assert!(hints[0].summary.ends_with("the subject is gone"), "{}", hints[0].summary);
}

#[test]
fn a_returning_hint_counts_again_and_keeps_its_id() {
    let mut run = Run::warm(&normal());
    let first = run.expect_one(&bad(20));
    assert_eq!(run.engine.totals().get("path_loss"), Some(&1));
    run.ticks(10, &normal());
    let second = run.expect_one(&bad(20));
    assert_eq!(run.engine.totals().get("path_loss"), Some(&2));
    assert_eq!(first.id, second.id);
    assert!(second.first_seen > first.last_seen);
    assert!(!second.summary.contains("resolved"), "{}", second.summary);
}

#[test]
fn stamps_are_utc_and_follow_the_wall_clock() {
    let mut run = Run::warm(&normal());
    let hint = run.expect_one(&bad(20));
    assert_eq!(hint.first_seen, "2024-01-01T00:00:31.000Z");
    assert_eq!(hint.last_seen, "2024-01-01T00:00:33.000Z");
    assert_eq!(hint.window_seconds, 10.0);
}

#[test]
fn ids_are_the_same_in_every_build() {
    let hint = Run::warm(&normal()).expect_one(&bad(20));
    assert_eq!(hint.id, "1a492384edece71e");
}

#[test]
fn short_windows_are_not_judged() {
    let mut engine = Engine::new("node-a");
    let view = NodeView { window: Duration::from_secs(2), ..NodeView::default() };
    assert_eq!(engine.tick(&view, &Thresholds::default()), vec![]);
}

#[test]
fn a_later_family_skips_an_edge_with_an_open_hint() {
    let mut run = Run::warm(&normal());
    run.expect_one(&bad(20));
    // Loss pauses for less than six windows; slow replies there must not become a second hint.
    let slow = normal().with("cart", PEERS[0], |t| t.rtt = rtts(&[(100, 15), (20_000, 80)]));
    for _ in 0..4 {
        let hints = firing(&run.ticks(5, &slow));
        assert_eq!(hints.iter().map(|h| h.cause.as_str()).collect::<Vec<_>>(), ["path_loss"]);
        run.tick(&bad(20));
    }
}

#[test]
fn a_subject_shows_three_hints_at_most_in_the_order_of_the_rules() {
    let peers = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"];
    let healthy = Case::mesh(&["cart"], &peers);
    let mut many = healthy.clone();
    lose(many.tally("cart", peers[0]), 5);
    lose(many.tally("cart", peers[1]), 6);
    many.tally("cart", peers[2]).connect_failures[Failure::Refused as usize] = 9;
    many.subject("cart").window_connects.accept_drops = 10;
    let mut run = Run::warm(&healthy);
    let hints = firing(&run.ticks(3, &many));
    let causes: Vec<&str> = hints.iter().map(|h| h.cause.as_str()).collect();
    assert_eq!(causes, ["pod_accept_queue_full", "peer_refusing", "path_loss"]);
    assert_eq!(hints[2].blame.other_names()[..2], ["10.0.0.2", "node-a↔10.0.0.2"]);
    assert_eq!(run.engine.totals().values().sum::<u64>(), 3);
}

#[test]
fn an_incident_shows_three_hints_and_counts_the_affected() {
    let pods = ["cart", "payment", "search", "mail", "stock"];
    let healthy = Case::mesh(&pods, &PEERS);
    let mut bad = healthy.clone();
    bad.edges.iter_mut().for_each(|e| lose(&mut e.window, 20));
    let mut run = Run::warm(&healthy);
    let shown = |hints: &[Hint]| -> Vec<String> { firing(hints).into_iter().map(|h| h.subject.name).collect() };
    let first = run.ticks(3, &bad);
    assert_eq!(shown(&first).len(), 3);
    for hint in &first {
        assert_eq!((hint.cause.as_str(), hint.blame.name.as_str()), ("node_packet_loss", "node-a"));
        assert!(hint.evidence.iter().any(|e| e.signal == "affected" && e.observed == 5.0), "{:?}", hint.evidence);
    }
    // Others become worse: the shown hints stay.
    bad.edges.iter_mut().filter(|e| !shown(&first).contains(&e.subject.name)).for_each(|e| lose(&mut e.window, 200));
    assert_eq!(shown(&run.ticks(3, &bad)), shown(&first));
    assert_eq!(run.engine.totals().get("node_packet_loss"), Some(&3));
}

#[test]
fn callers_of_a_throttled_pod_show_it_in_their_chain() {
    let mut normal = Case::mesh(&["cart", "db"], &PEERS);
    let edge = normal.edge("cart", PEERS[0]);
    edge.peer_pod = Some("shop/db".into());
    let mut slow = normal.with("cart", PEERS[0], |t| t.rtt = rtts(&[(100, 15), (20_000, 80)]));
    slow.subject("db").window_cpu.as_mut().unwrap().throttled_periods = 60;
    let hints = firing(&Run::warm(&normal).ticks(12, &slow));
    let chains: Vec<Vec<String>> = hints.into_iter().map(|h| h.chain).collect();
    assert_eq!(
        chains,
        [vec!["pod_cpu_throttled", "cpu_throttling"], vec!["pod_cpu_throttled", "peer_slow", "rtt_inflation"]]
    );
}

#[test]
fn a_cause_that_appears_later_ends_its_effect() {
    let mut run = Run::warm(&normal());
    let mut full = normal();
    full.subject("cart").window_connects.accept_drops = 10;
    assert_eq!(run.expect_one(&full).cause, "pod_accept_queue_full");
    full.subject("cart").window_cpu.as_mut().unwrap().throttled_periods = 60;
    let hints = run.ticks(2, &full);
    assert_eq!(firing(&hints).len(), 1);
    assert_eq!(hints[0].cause, "pod_cpu_throttled");
    assert!(hints[1].summary.ends_with("resolved: an effect of pod_cpu_throttled"), "{}", hints[1].summary);
}

#[test]
fn every_hint_has_evidence_an_action_and_a_rule() {
    let mut run = Run::warm(&normal());
    let mut case = bad(20);
    case.subject("cart").window_connects.accept_drops = 10;
    for hint in run.ticks(3, &case) {
        assert!(!hint.evidence.is_empty() && !hint.summary.is_empty() && !hint.action.is_empty());
        assert!(hint.confidence > 0.0 && hint.confidence < 1.0);
        assert!(RULES.iter().any(|r| r.id == hint.cause && r.symptom == hint.symptom));
        assert_eq!(hint.chain.first(), Some(&hint.cause));
    }
}

/// Ten minutes of ordinary life: load steps, background loss, jitter, resets, single failures, some throttling.
fn healthy_life(seed: u64) -> Vec<Vec<Hint>> {
    let mut lcg = Lcg(seed);
    let mut run = Run::new();
    let base = Case::mesh(&["cart", "payment", "search"], &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
    let mut out = Vec::new();
    for tick in 0..600u64 {
        let mut case = base.clone();
        let load = if tick > 300 { 5 } else { 1 };
        for edge in &mut case.edges {
            let t = &mut edge.window;
            t.data_segs_out = load * (20 + lcg.below(2000));
            t.bytes_acked = t.data_segs_out * (100 + lcg.below(1300));
            // One window in four has an episode: 0.025 % on average, up to 5 % of a small one.
            t.loss_episodes = u64::from(lcg.below(4) == 0);
            t.retransmits[Retransmit::TailLossProbe as usize] = t.loss_episodes;
            let min = 60 + lcg.below(400) as u32;
            t.min_rtt_us = Some(min);
            t.rtt = rtts(&[(min + 10, 5 + lcg.below(50)), (min + lcg.below(900) as u32, lcg.below(80))]);
            t.connects = [lcg.below(3), lcg.below(2)];
            t.connect_failures[Failure::Refused as usize] = u64::from(lcg.below(30) == 0);
            t.retransmits[Retransmit::Syn as usize] = u64::from(lcg.below(50) == 0);
            t.resets_received = lcg.below(3);
            t.busy_jiffies = lcg.below(2000);
            t.rwnd_jiffies = t.busy_jiffies * lcg.below(40) / 100;
            t.sndbuf_jiffies = t.busy_jiffies * lcg.below(20) / 100;
        }
        for subject in &mut case.subjects {
            subject.window_cpu.as_mut().unwrap().throttled_periods = lcg.below(9);
            subject.window_pressure.as_mut().unwrap().cpu_some_us = lcg.below(3_000_000);
        }
        out.push(run.tick(&case));
    }
    out
}

#[test]
fn ten_minutes_of_healthy_random_life_give_no_hint() {
    for seed in 1..=5 {
        for (tick, hints) in healthy_life(seed).iter().enumerate() {
            let summaries: Vec<&String> = hints.iter().map(|h| &h.summary).collect();
            assert!(hints.is_empty(), "seed {seed}, tick {tick}: {summaries:?}");
        }
    }
}

#[test]
fn the_same_views_give_the_same_hints() {
    let story = || {
        let mut run = Run::warm(&normal());
        let mut out = run.ticks(3, &bad(20));
        out.extend(run.ticks(12, &normal()));
        out.extend(run.ticks(4, &bad(9)));
        out
    };
    assert_eq!(story(), story());
}
