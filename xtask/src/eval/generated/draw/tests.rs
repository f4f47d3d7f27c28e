use super::{super::plan::Place, *};
use std::collections::BTreeSet;

#[test]
fn a_seed_gives_the_same_cases_and_another_gives_others() {
    for number in 0..40 {
        assert_eq!(draw(7, number), draw(7, number));
        assert_ne!(draw(7, number), draw(8, number));
    }
}

#[test]
fn every_other_case_is_a_fault_at_a_place_with_traffic() {
    for number in 0..400 {
        let plan = draw(3, number);
        let Event::Fault(fault) = &plan.event else {
            assert_eq!(number % 2, 1);
            continue;
        };
        assert_eq!(number % 2, 0);
        assert!(plan.traffic.flows.iter().any(|flow| plan.touches(flow, &fault.place)), "{}", plan.title());
        if let Place::Pod(pod) = &fault.place {
            assert!(plan.pod(pod).is_some());
        }
    }
}

#[test]
fn all_kinds_are_drawn() {
    let plans: Vec<Plan> = (0..1000).map(|number| draw(5, number)).collect();
    let names: BTreeSet<&str> = plans.iter().map(Plan::name).collect();
    assert_eq!(names.len(), 25 + 13, "{names:?}");
    let place = |plan: &Plan| match &plan.event {
        Event::Fault(fault) => Some(fault.place.kind()),
        Event::Control(_) => None,
    };
    assert_eq!(plans.iter().filter_map(place).collect::<BTreeSet<_>>().len(), 5);
    assert_eq!(plans.iter().flat_map(Plan::topologies).collect::<BTreeSet<_>>().len(), 6);
}

#[test]
fn magnitudes_are_short_numbers_within_their_range() {
    let mut random = Random::new(1, 1);
    for _ in 0..1000 {
        let value = random.log(0.1, 30.0);
        assert!((0.1..=30.0).contains(&value) && value.to_string().len() <= 4, "{value}");
    }
}

#[test]
fn programs_at_fault_are_those_of_the_place() {
    for number in (0..600).step_by(2) {
        let plan = draw(9, number);
        let Event::Fault(fault) = &plan.event else { continue };
        match (process(fault), &fault.place) {
            (Some(process), Place::Pod(pod)) => assert_eq!(process, pod),
            (Some(process), place) => assert_eq!((process, place), (EXTERNAL, &Place::Outside)),
            (None, _) => {}
        }
    }
}
