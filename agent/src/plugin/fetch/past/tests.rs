use super::*;
use crate::plugin::model::testing::healthy_row;

fn is(target: &str) -> bool {
    let row = PodRow { workload: "Deployment/payment".to_owned(), ..healthy_row() };
    is_target(&row, &target.parse().unwrap())
}

#[test]
fn a_row_is_the_targets_by_its_name_or_its_workload() {
    for target in ["pod/payment-1", "payment-1", "deploy/payment", "payment"] {
        assert!(is(target), "{target}");
    }
    for target in ["pod/payment", "sts/payment", "deploy/payment-1", "pay"] {
        assert!(!is(target), "{target}");
    }
}

#[test]
fn many_workloads_of_a_service_are_named_in_part() {
    let all = |count: usize| (0..count).map(|n| format!("Deployment/w{n}")).collect::<BTreeSet<_>>();
    assert_eq!(pods_then(&all(2)).figures, "those of the workloads that it selects now: Deployment/w0, Deployment/w1");
    assert!(pods_then(&all(10)).figures.ends_with("Deployment/w7, 2 more"), "{:?}", pods_then(&all(10)));
}
