use super::{
    super::{
        draw::draw,
        plan::{Event, Pattern},
    },
    *,
};

fn fault(mechanism: Mechanism, place: Place) -> Fault {
    Fault { mechanism, place, way: Way::Both, pattern: Pattern::Steady }
}

fn of(mechanism: Mechanism, place: Place) -> Truth {
    truth(&draw(1, 0), &fault(mechanism, place))
}

#[test]
fn the_broken_place_is_right_and_its_neighbours_are_not() {
    let (a, pair) = (Culprit::Node("a".into()), Culprit::pair("a", "b"));
    let node = of(Mechanism::Drop { percent: 2.0 }, Place::Node("a".into()));
    assert!(node.is_right(&a, "path_loss") && !node.is_right(&a, "path_latency"));
    assert!(!node.blames(&pair) && !node.is_wrong_node(&pair) && !node.is_wrong_node(&a));
    let between = of(Mechanism::Delay { ms: 5.0 }, Place::Pair("a".into(), "b".into()));
    assert!(between.is_right(&pair, "path_latency") && between.is_wrong_node(&a));
}

#[test]
fn a_pods_node_is_a_wrong_node() {
    let pod = of(Mechanism::Think { ms: 50 }, Place::Pod("api-a".into()));
    assert!(pod.is_right(&Culprit::Pod("api-a".into()), "peer_slow"));
    assert!(pod.is_wrong_node(&Culprit::Node("a".into())));
}

#[test]
fn some_of_the_paths_may_be_called_the_pair() {
    let share = of(Mechanism::Share { groups: 2, percent: 5.0 }, Place::Pair("a".into(), "b".into()));
    assert!(share.blames(&Culprit::share("b", "a")) && share.blames(&Culprit::pair("a", "b")));
}

#[test]
fn effects_are_true_and_not_right() {
    let quota = of(Mechanism::Quota { percent: 5.0, need: 2.0 }, Place::Pod("api-a".into()));
    let pod = Culprit::Pod("api-a".into());
    assert!(quota.is_true(&pod, "peer_slow") && !quota.is_right(&pod, "peer_slow"));
    assert!(!quota.is_true(&Culprit::Node("a".into()), "pod_cpu_throttled"));
}

/// A fault that can't be named is never expected; every other one has an answer.
#[test]
fn every_drawn_fault_has_an_answer() {
    for number in (0..1000).step_by(2) {
        let plan = draw(11, number);
        let Event::Fault(fault) = &plan.event else { continue };
        let truth = truth(&plan, fault);
        assert!(!truth.culprits.is_empty());
        assert_eq!(truth.causes.is_empty(), matches!(fault.mechanism, Mechanism::Duplicate { .. }), "{}", plan.title());
        assert!(truth.effects.iter().all(|effect| !truth.causes.contains(effect)), "{}", plan.title());
    }
}
