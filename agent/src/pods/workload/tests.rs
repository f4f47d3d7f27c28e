use super::*;

#[test]
fn owners_are_named_by_the_controllers_rules() {
    let cases = [
        ("p", None, None, "Pod/p"),
        ("p", Some(("ReplicaSet", "payment-7c9d8f7b5")), Some("7c9d8f7b5"), "Deployment/payment"),
        ("p", Some(("ReplicaSet", "pay-ment-7c9d8f7b5")), Some("7c9d8f7b5"), "Deployment/pay-ment"),
        ("p", Some(("ReplicaSet", "by-hand")), None, "ReplicaSet/by-hand"),
        ("p", Some(("ReplicaSet", "by-hand")), Some("hand2"), "ReplicaSet/by-hand"),
        ("p", Some(("ReplicaSet", "-hash")), Some("hash"), "ReplicaSet/-hash"),
        ("p", Some(("Job", "backup-28512345")), None, "CronJob/backup"),
        ("p", Some(("Job", "backup-1")), None, "Job/backup-1"),
        ("p", Some(("Job", "2851234512")), None, "Job/2851234512"),
        ("p", Some(("StatefulSet", "db")), None, "StatefulSet/db"),
        ("p", Some(("DaemonSet", "netwhy")), None, "DaemonSet/netwhy"),
        ("etcd-node-a", Some(("Node", "node-a")), None, "StaticPod/etcd"),
        ("odd", Some(("Node", "node-a")), None, "StaticPod/odd"),
    ];
    for (pod, owner, hash, want) in cases {
        assert_eq!(workload(pod, owner, hash), want, "{owner:?}");
    }
}
