use super::*;
use std::collections::BTreeSet;

/// Rounds whose figures may be reported.
const ROUNDS: std::ops::RangeInclusive<u64> = 2..=12;

#[test]
fn every_case_has_a_name_of_its_own_and_only_controls_expect_nothing() {
    let rounds = ROUNDS.map(|round| (Set::Report, round));
    for (set, round) in [(Set::Report, 1), (Set::Tune, 1)].into_iter().chain(rounds) {
        let plans = all(set, round);
        let names: BTreeSet<(&str, &str)> = plans.iter().map(|plan| (plan.name, plan.magnitude.as_str())).collect();
        assert_eq!(names.len(), plans.len(), "round {round}");
        for plan in &plans {
            let silent = plan.fault.expected().iter().all(|expected| expected.right.is_empty());
            assert_eq!(silent, matches!(plan.fault, Fault::Control(_)), "{}", plan.name);
        }
    }
}

#[test]
fn what_is_reported_was_not_tuned_on() {
    let (first, tune) = (all(Set::Report, 1), all(Set::Tune, 1));
    let is_control = |plan: &Plan| matches!(plan.fault, Fault::Control(_));
    assert!(!first.iter().any(|plan| !is_control(plan) && tune.iter().any(|other| other.fault == plan.fault)));
    // By name and magnitude, wherever it was.
    let mut known: BTreeSet<(&str, String)> = BTreeSet::new();
    known.extend(first.into_iter().chain(tune).map(|plan| (plan.name, plan.magnitude)));
    let is_fixed = |plan: &Plan| {
        let quick = QUICK.contains(&(plan.name, plan.magnitude.as_str()));
        plan.magnitude.is_empty() || plan.name.starts_with("node-loss-") || quick
    };
    for round in ROUNDS {
        let plans = all(Set::Report, round);
        let drawn: Vec<&Plan> = plans.iter().filter(|plan| !is_fixed(plan)).collect();
        assert_eq!(drawn.len(), 20);
        for plan in drawn {
            assert!(!known.contains(&(plan.name, plan.magnitude.clone())), "{} {}", plan.name, plan.magnitude);
        }
    }
}

#[test]
fn loss_of_nodes_is_tried_at_the_same_magnitudes_in_every_round() {
    for round in 1..=*ROUNDS.end() {
        for name in ["node-loss-in", "node-loss-out", "node-loss-both"] {
            let plans = all(Set::Report, round);
            let of = plans.iter().filter(|plan| plan.name == name).map(|plan| plan.magnitude.as_str());
            assert_eq!(of.collect::<Vec<_>>(), ["0.2 %", "0.5 %", "2 %"], "round {round}");
        }
    }
}

#[test]
fn the_quick_cases_exist_in_every_round() {
    for round in 1..=*ROUNDS.end() {
        let plans = all(Set::Report, round);
        for (name, magnitude) in QUICK {
            assert!(plans.iter().any(|plan| (plan.name, plan.magnitude.as_str()) == (name, magnitude)), "{name}");
        }
    }
}
