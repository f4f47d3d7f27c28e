use super::*;

pub(crate) fn topology() -> Topology {
    let step = |depth, kind: &str, name: &str, health, summary: &str| Step {
        depth,
        kind: kind.into(),
        name: name.into(),
        health,
        summary: summary.into(),
        ..Step::default()
    };
    let mut pod = step(2, "Pod", "payment-1", StepHealth::Well, "Running, 1 of 1 containers ready, 0 restarts");
    pod.owners = vec!["ReplicaSet/payment-7c9".into(), "Deployment/payment".into()];
    let mut deleted = step(2, "Pod", "payment-2", StepHealth::Broken, "path_loss: payment-2 loses packets");
    deleted.finalizers = vec!["example.com/backup".into()];
    Topology {
        steps: vec![
            step(0, "Service", "payment", StepHealth::Degraded, "ClusterIP 10.96.0.7, port 80/TCP → 8080"),
            step(1, "EndpointSlice", "payment-x2x", StepHealth::Degraded, "1 of 2 endpoints ready, 1 terminating"),
            pod,
            step(3, "Node", "node-a", StepHealth::Well, "Ready"),
            deleted,
            step(3, "Node", "node-b", StepHealth::Broken, "NotReady: kubelet stopped posting node status"),
        ],
        unknown: vec!["agents: not asked".into()],
        not_answered: vec![],
    }
}

#[test]
fn the_health_of_a_group_comes_from_its_members() {
    assert_eq!(
        [share(0, 0), share(2, 2), share(1, 2), share(0, 2)],
        [StepHealth::Broken, StepHealth::Well, StepHealth::Degraded, StepHealth::Broken]
    );
}
