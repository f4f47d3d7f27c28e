//! A short subset with floors: what a change must not lose unnoticed. The figures proper come from the full run.

use super::*;

const NODES: usize = 150;

fn short(scenario: Scenario) -> Answers {
    let mut sum = Answers::default();
    // Tuning seeds: nothing is reported from here.
    for seed in 0..6 {
        sum.merge(trial(scenario, NODES, 5, seed, &Parameters::default()));
    }
    sum
}

#[test]
fn faults_of_a_clean_fleet_are_named() {
    let Answers { ours, robust_z, voting } = short(Scenario::Clean);
    assert!(ours.precision() >= 0.97 && ours.recall() >= 0.9, "{} {}", ours.precision(), ours.recall());
    assert!(ours.wrong_node() <= 0.01, "{}", ours.wrong_node());
    // The rivals do worse at any of their limits.
    for rival in robust_z.iter().chain(&voting) {
        assert!(rival.f1() < 0.9, "{rival:?}");
    }
}

#[test]
fn doubtful_faults_of_a_degraded_fleet_are_not_blamed_on_others() {
    let Answers { ours, .. } = short(Scenario::Degraded);
    assert!(ours.precision() >= 0.95 && ours.recall() >= 0.65, "{} {}", ours.precision(), ours.recall());
}

#[test]
fn a_healthy_fleet_has_no_hints() {
    let calm = healthy(NODES, 40, 7, &Parameters::default());
    assert_eq!(calm.hints, 0);
    assert!((calm.node_days - 150.0 * 40.0 / 8640.0).abs() < 1e-9);
}

#[test]
fn without_its_guards_the_inference_blames_the_healthy() {
    let unguarded = Parameters {
        threshold: 0.0,
        pair_prior: 0.0,
        min_bad: 1,
        min_bad_share: 0.0,
        partial_prior: 0.0,
        min_growth: 0.0,
        common_deviation: 0.01,
        edge_cap: 1e6,
        min_dispersion: 1e-3,
        default_dispersion: 1e-3,
        ..Parameters::default()
    };
    assert!(healthy(NODES, 10, 7, &unguarded).hints > 5);
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let run = |seed| trial(Scenario::Degraded, 60, 2, seed, &Parameters::default()).ours.json();
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn results_come_in_the_order_of_their_seeds() {
    assert_eq!(parallel("test", 9, |i| i * i), [0, 1, 4, 9, 16, 25, 36, 49, 64]);
}

#[test]
fn upper_limits_of_rare_events_are_poissons() {
    // 3.00 at none, 6.30 at two, 16.96 at ten.
    for (events, limit) in [(0, 2.996), (2, 6.296), (10, 16.962)] {
        assert!((poisson_upper(events) - limit).abs() < 0.02, "{events}: {}", poisson_upper(events));
    }
}
