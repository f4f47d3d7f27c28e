use super::super::{
    status,
    testing::{NOW_MS, container, pod_info, shared},
};
use super::*;
use crate::api::{ContainerState, Ended, Why};

/// A Pod that crashes, a Pod without an image, a healthy Pod.
pub(crate) fn pods() -> Vec<(String, Arc<PodInfo>)> {
    let why = |reason: &str, message: &str| Why { reason: reason.to_owned(), message: message.to_owned() };
    let mut looping = pod_info("shop", "cart-1");
    looping.containers = vec![container("app", ContainerState::Waiting(why("CrashLoopBackOff", "back-off 40s")))];
    looping.containers[0].restarts = 7;
    looping.containers[0].last =
        Some(Ended { why: why("Error", ""), exit_code: 127, signal: None, at_ms: Some(NOW_MS - 30_000) });
    let mut image = pod_info("shop", "web-1");
    image.phase = "Pending".to_owned();
    image.containers = vec![container("app", ContainerState::Waiting(why("ImagePullBackOff", "no such tag")))];
    let node = |name: &str| name.to_owned();
    vec![
        (node("node-b"), shared(image)),
        (node("node-a"), shared(looping)),
        (node("node-a"), shared(pod_info("shop", "payment-1"))),
    ]
}

#[test]
fn unhealthy_pods_are_listed_and_healthy_ones_counted() {
    let pods = pods();
    let found = diagnose(&pods, &status::judge(&pods, NOW_MS), vec![]);
    let names: Vec<(&str, &str)> = found.items.iter().map(|s| (s.pod.as_str(), s.cause.as_str())).collect();
    assert_eq!(names, [("cart-1", "pod_restarting"), ("web-1", "pod_not_running")]);
    assert_eq!(found.pods, 3);
    assert!(found.items[0].summary.contains("its command was not found"), "{:?}", found.items[0]);
    assert_eq!(found.items[1].node, "node-b");
}

#[test]
fn nodes_where_troubled_pods_of_several_workloads_gather_are_suspects() {
    let ill = |name: &str, workload: &str| {
        let why = Why { reason: "CrashLoopBackOff".to_owned(), message: String::new() };
        let mut pod = pod_info("shop", name);
        pod.workload = workload.to_owned();
        pod.containers = vec![container("app", ContainerState::Waiting(why))];
        pod.containers[0].restarts = 7;
        let why = Why { reason: "Error".to_owned(), message: String::new() };
        pod.containers[0].last = Some(Ended { why, exit_code: 1, signal: None, at_ms: Some(NOW_MS - 30_000) });
        shared(pod)
    };
    let suspected = |pods: &[(&str, Arc<PodInfo>)]| {
        let pods: Vec<_> = pods.iter().map(|(node, pod)| ((*node).to_owned(), Arc::clone(pod))).collect();
        suspects(&pods, &diagnose(&pods, &status::judge(&pods, NOW_MS), vec![]))
    };
    let well = |name: &str| shared(pod_info("shop", name));
    let gathered = [
        ("node-a", ill("a-1", "Deployment/a")),
        ("node-a", ill("b-1", "Deployment/b")),
        ("node-b", well("c-1")),
        ("node-b", well("c-2")),
    ];
    assert_eq!(suspected(&gathered), ["node-a"]);
    let one_workload =
        [("node-a", ill("a-1", "Deployment/a")), ("node-a", ill("a-2", "Deployment/a")), ("node-b", well("c"))];
    assert!(suspected(&one_workload).is_empty(), "the workload is at fault as well as the Node");
    let everywhere = [
        ("node-a", ill("a-1", "Deployment/a")),
        ("node-a", ill("b-1", "Deployment/b")),
        ("node-b", ill("a-2", "Deployment/a")),
        ("node-b", ill("b-2", "Deployment/b")),
    ];
    assert!(suspected(&everywhere).is_empty());
    assert!(suspected(&gathered[..2]).is_empty(), "no other Node has a Pod");
}
