//! Response times of servers and edges.

use super::shared::{micros_f64, quantile, share};
use crate::{
    api::{ByLabel, Callee, HttpCalls, NormalResponseTimes, PodResponses, ProbeStatus, ResponseTimes},
    baseline::NormalResponses,
    state::{EdgeView, NodeView, ResponseView, SubjectView},
};
use netwhy_abi::Role;

/// Stage of a request before its connection is there.
const HANDSHAKE: &str = "handshake";

/// Response times of a subject and of its callees. `probe`: how they are observed; `None`: not known. `edges`: those of
/// the subject.
pub(super) fn of_subject(
    view: &NodeView,
    subject: &SubjectView,
    edges: &[&EdgeView],
    probe: Option<&ProbeStatus>,
) -> PodResponses {
    let mut callees: Vec<Callee> = edges.iter().filter_map(|edge| callee(view, edge)).collect();
    callees.sort_by(|a, b| {
        let weight = |callee: &Callee| (callee.times.unanswered.unwrap_or(0), callee.times.total_seconds());
        let ((waiting_a, total_a), (waiting_b, total_b)) = (weight(a), weight(b));
        waiting_b
            .cmp(&waiting_a)
            .then(total_b.total_cmp(&total_a))
            .then_with(|| (&a.peer, a.port).cmp(&(&b.peer, b.port)))
    });
    let more_callees = callees.len().saturating_sub(PodResponses::MAX_CALLEES) as u64;
    callees.truncate(PodResponses::MAX_CALLEES);
    PodResponses {
        state: probe.map(|probe| probe.state),
        why: probe.map(|probe| probe.why.clone()).unwrap_or_default(),
        server: subject.server.as_deref().map(|server| server_times(view, subject, server)),
        callees,
        more_callees,
    }
}

/// Response times of an edge. `None`: no request ended and none waits, or its role is not known.
pub(super) fn of_edge(view: &NodeView, edge: &EdgeView) -> Option<ResponseTimes> {
    Some(times(view, edge.role?, edge.responses.as_deref()?))
}

fn callee(view: &NodeView, edge: &EdgeView) -> Option<Callee> {
    let times = of_edge(view, edge).filter(|_| edge.role == Some(Role::Client))?;
    Some(Callee {
        peer: edge.peer.to_canonical().to_string(),
        port: (edge.port != 0).then_some(edge.port),
        redirected: edge.redirected,
        class: edge.class.label().to_owned(),
        peer_kind: edge.kind.label().to_owned(),
        peer_node: edge.peer_node.as_deref().map(str::to_owned),
        peer_pod: edge.peer_pod.as_deref().map(str::to_owned),
        peer_dns_name: edge.peer_dns_name.as_deref().map(str::to_owned),
        times,
    })
}

/// Handshakes are known of the whole server only.
fn server_times(view: &NodeView, subject: &SubjectView, server: &ResponseView) -> ResponseTimes {
    let mut times = times(view, Role::Server, server);
    let handshakes = &subject.window_connects.durations[Role::Server as usize];
    if times.requests > 0 && !handshakes.is_empty() {
        let seconds = handshakes.sum_us as f64 / 1e6 / times.requests as f64;
        times.stage_seconds.insert(HANDSHAKE.to_owned(), seconds);
    }
    times
}

fn times(view: &NodeView, role: Role, responses: &ResponseView) -> ResponseTimes {
    let ResponseView { window, recent: _, newest: _, calls, normal_errors, waiting, normal } = responses;
    let (durations, requests) = (&window.durations, window.durations.count());
    let mean = |us: u64| (requests > 0).then(|| us as f64 / 1e6 / requests as f64);
    ResponseTimes {
        requests,
        is_sampled: Some(window.independence() < 1.0),
        per_second: share(requests as f64, view.window.as_secs_f64()),
        p50_seconds: quantile(durations, 0.5),
        p95_seconds: quantile(durations, 0.95),
        p99_seconds: quantile(durations, 0.99),
        mean_seconds: mean(durations.sum_us),
        stage_seconds: window
            .stages(role)
            .into_iter()
            .filter_map(|(name, us)| Some((name.to_owned(), mean(us)?)))
            .collect(),
        ended_unanswered: window.unanswered,
        unanswered: view.walked_at.map(|_| waiting.map_or(0, |waiting| waiting.requests)),
        unanswered_for_seconds: waiting.map(|waiting| view.at.saturating_sub(waiting.since).as_secs_f64()),
        http: calls.error_share().map(|error_share| HttpCalls {
            sampled: calls.calls,
            grpc: calls.grpc,
            error_share,
            normal_error_share: *normal_errors,
        }),
        normally: normal.as_ref().map(normal_times),
    }
}

fn normal_times(normal: &NormalResponses) -> NormalResponseTimes {
    let stages: ByLabel<f64> =
        normal.stages_us.iter().map(|(name, us)| ((*name).to_owned(), micros_f64(*us))).collect();
    NormalResponseTimes {
        per_second: normal.per_second,
        p50_seconds: micros_f64(normal.p50_us),
        p95_seconds: normal.p95_us.map(micros_f64),
        p99_seconds: normal.p99_us.map(micros_f64),
        mean_seconds: micros_f64(normal.mean_us()),
        stage_seconds: stages,
    }
}

#[cfg(test)]
mod tests;
