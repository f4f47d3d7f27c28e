use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, firing, verdict},
    sample::{CpuStat, Tally},
};

const PEERS: [&str; 2] = ["10.0.0.7", "10.0.0.8"];

fn throttled(case: &Case, bad: u64, all: u64) -> Case {
    let mut case = case.clone();
    case.subject("cart").window_cpu = Some(CpuStat {
        periods: all,
        throttled_periods: bad,
        throttled_us: bad * 50_000,
        usage_us: 1_000_000,
        limit_millicores: Some(100),
    });
    case
}

#[test]
fn throttled_pod_with_traffic_blames_the_pod_and_names_the_quota() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&throttled(&normal, 30, 100));
    assert_eq!(verdict(&hint), ("pod_cpu_throttled", BlameKind::Pod, "cart"));
    assert!(hint.summary.contains("0.10 cores") && hint.summary.contains("30 of 100 periods"), "{}", hint.summary);
}

#[test]
fn share_and_periods_below_their_limits_are_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    Run::warm(&normal).expect_silence(5, &throttled(&normal, 9, 100));
    Run::warm(&normal).expect_one(&throttled(&normal, 10, 100));
    Run::warm(&normal).expect_silence(5, &throttled(&normal, 19, 19));
    Run::warm(&normal).expect_one(&throttled(&normal, 20, 20));
}

#[test]
fn throttled_batch_pod_without_traffic_is_silent() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    for peer in PEERS {
        *normal.tally("cart", peer) = Tally { data_segs_out: 4, ..Tally::default() };
    }
    Run::warm(&normal).expect_silence(20, &throttled(&normal, 90, 100));
}

/// A limit of 1 % that one check in ten seconds uses up.
#[test]
fn throttled_pod_that_only_a_health_check_calls_is_silent() {
    let mut normal = Case::mesh(&["cart"], &PEERS[..1]);
    let check = |connects| Tally { data_segs_out: 2, connects: [0, connects], ..Tally::default() };
    *normal.tally("cart", PEERS[0]) = check(2);
    Run::warm(&normal).expect_silence(20, &throttled(&normal, 30, 100));
    *normal.tally("cart", PEERS[0]) = check(3);
    Run::warm(&normal).expect_one(&throttled(&normal, 30, 100));
}

#[test]
fn a_share_above_its_limit_gets_no_surer_by_lasting() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut run = Run::warm(&normal);
    let first = run.expect_one(&throttled(&normal, 30, 100)).confidence;
    assert_eq!(firing(&run.ticks(60, &throttled(&normal, 30, 100)))[0].confidence, first);
}

#[test]
fn half_of_the_periods_throttled_opens_at_once() {
    let normal = Case::mesh(&["cart"], &PEERS);
    assert_eq!(Run::warm(&normal).ticks(1, &throttled(&normal, 49, 100)), vec![]);
    assert_eq!(Run::warm(&normal).ticks(1, &throttled(&normal, 50, 100)).len(), 1);
}
