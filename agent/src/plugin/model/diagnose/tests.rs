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
