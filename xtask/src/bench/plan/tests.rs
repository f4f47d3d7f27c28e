use super::*;
use crate::bench::verdict::LEAST_VALUES;

fn args() -> Args {
    Args {
        quick: false,
        json: None,
        only: Vec::new(),
        loads: Vec::new(),
        sets: Vec::new(),
        pairs: None,
        max_pairs: None,
        config: None,
        against: None,
    }
}

/// Least and most values of an effect, and of a cost.
fn bounds(args: &Args) -> [(usize, usize); 2] {
    let plan = Plan::of(args).unwrap();
    let bounds = |until: Until| (until.pace.windows, until.most);
    [bounds(plan.until(Kind::Keepalive)), bounds(plan.cost(None))]
}

#[test]
fn every_plan_measures_enough_for_a_verdict() {
    for plan in [Plan::FULL, Plan::QUICK] {
        let (effect, cost) = (plan.until(Kind::Churn), plan.cost(None));
        for until in [effect, cost, plan.cpu, plan.node_signals, plan.starts] {
            assert!(until.pace.windows >= LEAST_VALUES && until.most >= until.pace.windows, "{until:?}");
        }
        assert!(plan.lookups >= LEAST_VALUES && plan.scrapes >= LEAST_VALUES);
    }
}

#[test]
fn bounds_of_pairs_are_those_of_costs_too() {
    assert_eq!(bounds(&args()), [(25, 120), (10, 40)]);
    assert_eq!(bounds(&Args { pairs: Some(60), ..args() }), [(60, 120), (60, 60)]);
    assert_eq!(bounds(&Args { max_pairs: Some(25), ..args() }), [(25, 25), (10, 25)]);
    assert_eq!(bounds(&Args { pairs: Some(60), max_pairs: Some(30), ..args() }), [(60, 60), (60, 60)]);
}

#[test]
fn loads_and_sets_are_all_unless_some_are_named() {
    let plan = Plan::of(&args()).unwrap();
    assert_eq!((plan.loads.len(), plan.sets.len()), (3, 4));
    let some = Args { loads: vec![Kind::Churn], sets: vec![Set::Http], ..args() };
    let plan = Plan::of(&some).unwrap();
    assert_eq!((plan.loads, plan.sets), (vec![Kind::Churn], vec![Set::Http]));
}
