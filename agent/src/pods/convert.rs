//! From the API's Pod to [`PodInfo`].

use super::workload::workload;
use crate::api::{
    CloseUpRequest, Condition, ContainerInfo, ContainerKind, ContainerState, Ended, PodEvent, PodInfo, ProbeKind, Why,
};
use k8s_openapi::{
    api::core::v1::{self as core, Pod},
    apimachinery::pkg::apis::meta::v1::Time,
};

/// Longest message kept, bytes.
const MAX_MESSAGE: usize = 512;
/// Annotation with the hash in the name of a static Pod's cgroup.
const STATIC_HASH: &str = "kubernetes.io/config.hash";
/// Annotation with the end of a close-up, in RFC 3339.
pub(crate) const CLOSE_UP: &str = "netwhy.dev/sample";
const TEMPLATE_HASH: &str = "pod-template-hash";

/// The fields of a Pod that netwhy keeps. `None`: the Pod has no UID, so it can't be found.
pub(crate) fn pod_info(pod: &Pod) -> Option<PodInfo> {
    let meta = &pod.metadata;
    let name = meta.name.clone().unwrap_or_default();
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.controller == Some(true));
    let hash = meta.labels.as_ref().and_then(|labels| labels.get(TEMPLATE_HASH));
    let workload = workload(&name, owner.map(|o| (o.kind.as_str(), o.name.as_str())), hash.map(String::as_str));
    let spec = pod.spec.as_ref();
    let status = pod.status.as_ref();
    let addresses = status.and_then(|s| s.pod_ips.as_deref()).unwrap_or_default();
    let conditions = status.and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    Some(PodInfo {
        uid: meta.uid.clone()?,
        static_hash: meta.annotations.as_ref().and_then(|a| a.get(STATIC_HASH)).cloned(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        workload,
        name,
        host_network: spec.and_then(|s| s.host_network).unwrap_or(false),
        addresses: addresses.iter().filter_map(|ip| ip.ip.parse().ok()).collect(),
        phase: status.and_then(|s| s.phase.clone()).unwrap_or_default(),
        reason: status.and_then(|s| s.reason.as_ref().map(|reason| why(Some(reason), s.message.as_ref()))),
        created_ms: ms(meta.creation_timestamp.as_ref()).unwrap_or(0),
        close_up: meta.annotations.as_ref().and_then(|a| a.get(CLOSE_UP)).map(|text| close_up(text)),
        deleting_ms: ms(meta.deletion_timestamp.as_ref()),
        unmet: conditions.iter().filter(|c| c.status != "True").map(condition).collect(),
        containers: containers(spec, status),
        events: Vec::new(),
    })
}

/// A warning about a Pod.
pub(crate) fn pod_event(event: &core::Event) -> PodEvent {
    let series = event.series.as_ref();
    let last = event.last_timestamp.as_ref().and_then(|time| ms(Some(time)));
    let micro = series.and_then(|s| s.last_observed_time.as_ref()).or(event.event_time.as_ref());
    PodEvent {
        why: why(event.reason.as_ref(), event.message.as_ref()),
        count: series.and_then(|s| s.count).or(event.count).and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        at_ms: last.or_else(|| micro.map(|time| time.0.as_millisecond())),
    }
}

fn close_up(text: &str) -> CloseUpRequest {
    let time: Result<jiff::Timestamp, _> = text.trim().parse();
    time.map_or(CloseUpRequest::Unreadable, |time| CloseUpRequest::Until { unix_ms: time.as_millisecond() })
}

fn ms(time: Option<&Time>) -> Option<i64> {
    time.map(|time| time.0.as_millisecond())
}

fn why(reason: Option<&String>, message: Option<&String>) -> Why {
    let mut message = message.map(|text| text.trim().replace('\n', " ")).unwrap_or_default();
    if message.len() > MAX_MESSAGE {
        let mut end = MAX_MESSAGE;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    Why { reason: reason.cloned().unwrap_or_default(), message }
}

fn condition(condition: &core::PodCondition) -> Condition {
    Condition {
        kind: condition.type_.clone(),
        why: why(condition.reason.as_ref(), condition.message.as_ref()),
        since_ms: ms(condition.last_transition_time.as_ref()),
    }
}

fn containers(spec: Option<&core::PodSpec>, status: Option<&core::PodStatus>) -> Vec<ContainerInfo> {
    let Some(spec) = spec else { return Vec::new() };
    let find = |statuses: Option<&Vec<core::ContainerStatus>>, name: &str| {
        statuses.and_then(|all| all.iter().find(|s| s.name == name)).cloned()
    };
    let mut out = Vec::new();
    for c in spec.init_containers.as_deref().unwrap_or_default() {
        let sidecar = c.restart_policy.as_deref() == Some("Always");
        let kind = if sidecar { ContainerKind::Sidecar } else { ContainerKind::Init };
        out.push(container(c, kind, find(status.and_then(|s| s.init_container_statuses.as_ref()), &c.name)));
    }
    for c in &spec.containers {
        let found = find(status.and_then(|s| s.container_statuses.as_ref()), &c.name);
        out.push(container(c, ContainerKind::Main, found));
    }
    for c in spec.ephemeral_containers.as_deref().unwrap_or_default() {
        let found = find(status.and_then(|s| s.ephemeral_container_statuses.as_ref()), &c.name);
        let plain = core::Container { name: c.name.clone(), ..core::Container::default() };
        out.push(container(&plain, ContainerKind::Ephemeral, found));
    }
    out
}

fn container(spec: &core::Container, kind: ContainerKind, status: Option<core::ContainerStatus>) -> ContainerInfo {
    let status = status.unwrap_or_default();
    let limits = spec.resources.as_ref().and_then(|r| r.limits.as_ref());
    let probes = [
        (&spec.readiness_probe, ProbeKind::Readiness),
        (&spec.liveness_probe, ProbeKind::Liveness),
        (&spec.startup_probe, ProbeKind::Startup),
    ];
    ContainerInfo {
        name: spec.name.clone(),
        kind,
        // `containerd://3f0c…`
        id: status.container_id.as_deref().and_then(|id| Some(id.split_once("://")?.1.to_owned())),
        ready: status.ready,
        started: status.started,
        restarts: u32::try_from(status.restart_count).unwrap_or(0),
        state: status.state.as_ref().map_or(ContainerState::Unknown, state),
        last: status.last_state.as_ref().and_then(|s| s.terminated.as_ref()).map(ended),
        memory_limit: limits.and_then(|l| l.get("memory")).map(|q| q.0.clone()),
        probes: probes.into_iter().filter(|(probe, _)| probe.is_some()).map(|(_, kind)| kind).collect(),
        startup_ms: patience_ms(spec.startup_probe.as_ref()),
        readiness_ms: patience_ms(spec.readiness_probe.as_ref()),
    }
}

/// Time after which a probe that always fails has failed for good, ms. Missing fields have the API's defaults.
fn patience_ms(probe: Option<&core::Probe>) -> i64 {
    let Some(probe) = probe else { return 0 };
    let (period, failures) = (probe.period_seconds.unwrap_or(10), probe.failure_threshold.unwrap_or(3));
    1000 * (i64::from(probe.initial_delay_seconds.unwrap_or(0)) + i64::from(period) * i64::from(failures))
}

fn state(state: &core::ContainerState) -> ContainerState {
    if let Some(waiting) = &state.waiting {
        ContainerState::Waiting(why(waiting.reason.as_ref(), waiting.message.as_ref()))
    } else if let Some(running) = &state.running {
        ContainerState::Running { since_ms: ms(running.started_at.as_ref()) }
    } else if let Some(terminated) = &state.terminated {
        ContainerState::Ended(ended(terminated))
    } else {
        ContainerState::Unknown
    }
}

fn ended(ended: &core::ContainerStateTerminated) -> Ended {
    Ended {
        why: why(ended.reason.as_ref(), ended.message.as_ref()),
        exit_code: ended.exit_code,
        signal: ended.signal,
        at_ms: ms(ended.finished_at.as_ref()),
    }
}

#[cfg(test)]
mod tests;
