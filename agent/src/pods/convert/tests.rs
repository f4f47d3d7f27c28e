use super::*;

fn pod(json: serde_json::Value) -> PodInfo {
    pod_info(&serde_json::from_value(json).unwrap()).unwrap()
}

#[test]
fn status_is_kept_with_what_the_phase_hides() {
    let info = pod(serde_json::json!({
        "metadata": {
            "uid": "u1", "name": "payment-7c9-abcde", "namespace": "shop", "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {"pod-template-hash": "7c9"},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Other", "name": "x", "uid": "o0"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "payment-7c9", "uid": "o1", "controller": true}
            ]
        },
        "spec": {
            "initContainers": [
                {"name": "migrate"}, {"name": "mesh", "restartPolicy": "Always"}
            ],
            "containers": [{
                "name": "app", "resources": {"limits": {"memory": "64Mi"}}, "readinessProbe": {"tcpSocket": {"port": 80}},
                "startupProbe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": 5, "failureThreshold": 30}
            }],
            "ephemeralContainers": [{"name": "debug"}]
        },
        "status": {
            "phase": "Running", "podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}],
            "conditions": [
                {"type": "Initialized", "status": "True"},
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "unready: [app]",
                 "lastTransitionTime": "2026-01-02T03:05:00Z"}
            ],
            "containerStatuses": [{
                "name": "app", "image": "i", "imageID": "", "ready": false, "restartCount": 7,
                "containerID": "containerd://3f0c", "started": false,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s\nrestarting"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-02T03:04:59Z"}}
            }]
        }
    }));
    assert_eq!(info.workload, "Deployment/payment");
    assert_eq!(info.addresses, ["10.0.0.7".parse::<std::net::IpAddr>().unwrap(), "fd00::7".parse().unwrap()]);
    assert_eq!(info.created_ms, 1_767_323_045_000);
    assert_eq!(info.unmet.iter().map(|c| c.kind.as_str()).collect::<Vec<_>>(), ["Ready"]);
    let kinds: Vec<_> = info.containers.iter().map(|c| (c.name.as_str(), c.kind)).collect();
    use ContainerKind::{Ephemeral, Init, Main, Sidecar};
    assert_eq!(kinds, [("migrate", Init), ("mesh", Sidecar), ("app", Main), ("debug", Ephemeral)]);
    let app = &info.containers[2];
    assert_eq!((app.restarts, app.id.as_deref(), app.memory_limit.as_deref()), (7, Some("3f0c"), Some("64Mi")));
    assert_eq!(app.probes, [ProbeKind::Readiness, ProbeKind::Startup]);
    assert_eq!((app.readiness_ms, app.startup_ms), (30_000, 305_000), "the API's defaults where nothing is said");
    let ContainerState::Waiting(why) = &app.state else { panic!("{:?}", app.state) };
    assert_eq!((why.reason.as_str(), why.message.as_str()), ("CrashLoopBackOff", "back-off 5m0s restarting"));
    assert!(app.last.as_ref().is_some_and(Ended::is_oom));
    assert!(info.is_troubled() && !info.is_over());
    assert_eq!(info.containers[0].state, ContainerState::Unknown);
}

#[test]
fn the_end_of_a_close_up_is_a_time_or_unreadable() {
    let asks = |annotation: Option<&str>| {
        let annotations = annotation.map(|text| serde_json::json!({(CLOSE_UP): text}));
        pod(serde_json::json!({"metadata": {"uid": "u1", "name": "x", "annotations": annotations}})).close_up
    };
    assert_eq!(asks(None), None);
    let until = |unix_ms| Some(CloseUpRequest::Until { unix_ms });
    assert_eq!(asks(Some("2026-01-02T03:04:05Z")), until(1_767_323_045_000));
    assert_eq!(asks(Some(" 2026-01-02T04:04:05.5+01:00 ")), until(1_767_323_045_500));
    for bad in ["", "10m", "tomorrow", "2026-01-02T03:04:05", "1767323045"] {
        assert_eq!(asks(Some(bad)), Some(CloseUpRequest::Unreadable), "{bad}");
    }
}

#[test]
fn a_pod_without_status_is_nobody_to_worry_about() {
    let info = pod(serde_json::json!({
        "metadata": {"uid": "u", "name": "n", "namespace": "d",
            "annotations": {"kubernetes.io/config.hash": "0123456789abcdef0123456789abcdef"}},
        "spec": {"hostNetwork": true, "containers": [{"name": "c"}]}
    }));
    assert_eq!(info.static_hash.as_deref(), Some("0123456789abcdef0123456789abcdef"));
    assert!(info.host_network && !info.is_troubled());
    assert_eq!(info.workload, "Pod/n");
    assert_eq!(pod_info(&Pod::default()), None, "no UID");
}

#[test]
fn long_messages_are_cut_between_characters() {
    let text = "é".repeat(400);
    let cut = why(None, Some(&text)).message;
    assert!(cut.len() <= MAX_MESSAGE + '…'.len_utf8() && cut.ends_with('…'), "{}", cut.len());
}
