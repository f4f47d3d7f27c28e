use super::*;
use crate::{
    api::{Ended, Why},
    plugin::model::testing::{container, pod_info},
};

fn pod(state: ContainerState, id: &str) -> PodInfo {
    let mut one = container("app", state);
    one.id = (!id.is_empty()).then(|| id.to_owned());
    PodInfo { containers: vec![one], ..pod_info("shop", "cart-1") }
}

fn running() -> ContainerState {
    ContainerState::Running { since_ms: None }
}

fn ended(exit_code: i32) -> ContainerState {
    ContainerState::Ended(Ended { exit_code, ..Ended::default() })
}

fn waits() -> ContainerState {
    ContainerState::Waiting(Why::default())
}

/// The steps at these looks.
fn steps(looks: &[PodInfo]) -> Vec<Option<Run>> {
    let mut seen = Seen::default();
    looks.iter().map(|pod| seen.next(pod, "app")).collect()
}

#[test]
fn each_run_is_read_once_also_if_nobody_saw_it_run() {
    let looks = [pod(running(), "1"), pod(ended(1), "1"), pod(waits(), "1"), pod(waits(), "2"), pod(waits(), "2")];
    assert_eq!(steps(&looks), [Some(Run::Present), None, None, Some(Run::Present), None]);
    let again = [pod(running(), "1"), pod(running(), "1"), pod(ended(0), "2")];
    assert_eq!(steps(&again), [Some(Run::Present); 3], "the connection broke; then a run that ended well");
}

#[test]
fn the_first_run_is_waited_for_and_a_previous_one_is_not_read_again() {
    assert_eq!(steps(&[pod(waits(), ""), pod(running(), "1")]), [None, Some(Run::Present)]);
    assert_eq!(steps(&[pod(waits(), ""), pod(waits(), "1")]), [None, Some(Run::Present)]);
    assert_eq!(steps(&[pod(waits(), "1"), pod(waits(), "1")]), [None, None]);
    assert_eq!(steps(&[pod(ended(1), "1"), pod(ended(1), "1")]), [Some(Run::Present), None]);
}

#[test]
fn a_pod_that_is_over_gone_or_another_has_no_further_run() {
    let over = |id| PodInfo { phase: "Succeeded".into(), ..pod(ended(0), id) };
    assert_eq!(steps(&[over("1"), over("1")]), [Some(Run::Over), Some(Run::Gone)]);
    let other = PodInfo { uid: "other".into(), ..pod(running(), "2") };
    assert_eq!(steps(&[pod(running(), "1"), other]), [Some(Run::Present), Some(Run::Gone)]);
    let mut init = pod(ended(0), "1");
    init.containers[0].kind = ContainerKind::Init;
    assert_eq!(steps(&[init.clone(), init]), [Some(Run::Over), Some(Run::Gone)]);
    assert_eq!(steps(&[PodInfo { containers: vec![], ..pod(running(), "1") }]), [Some(Run::Gone)]);
}
