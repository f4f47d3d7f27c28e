use super::super::testing::{NOW_MS, container, pod_info, shared};
use super::*;
use crate::api::{Condition, ContainerState, Why};

#[test]
fn a_pod_without_a_node_is_judged_as_an_agent_would() {
    let mut stuck = pod_info("shop", "stuck");
    stuck.phase = "Pending".to_owned();
    stuck.containers = vec![container("app", ContainerState::Waiting(Why::default()))];
    let why = Why { reason: "Unschedulable".to_owned(), message: "0/3 nodes have enough memory".to_owned() };
    stuck.unmet = vec![Condition { kind: "PodScheduled".to_owned(), why, since_ms: Some(NOW_MS - 100_000) }];
    let pods = [(String::new(), shared(stuck)), ("node-a".to_owned(), shared(pod_info("shop", "fine")))];
    let hints = judge(&pods, NOW_MS);
    let causes: Vec<(&str, &str)> = hints.iter().map(|h| (h.subject.name.as_str(), h.cause.as_str())).collect();
    assert_eq!(causes, [("stuck", "pod_not_running")], "{hints:?}");
}
