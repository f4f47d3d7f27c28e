//! Answers that say that the server failed, more often than usual: HTTP statuses 500 to 599, and codes of gRPC.

use crate::{
    api::{BlameKind, Evidence, RuledOut},
    hints::{
        context::{Context, Edge, Subject},
        finding::{Finding, blame, evidence},
        memory::failures::{FAILURE_ALPHA, FLOOR, Failing},
        rule::{Family, QueryTemplate, Rule},
        rules::queries,
        stats::{binomial_tail_ln, percent},
    },
};
use netwhy_abi::Role;

/// Chance of as many errors of known clients from which these are answered as usual.
const ODD: f64 = 1e-3;
/// Errors that known clients would have by the share of all, from which they tell.
const ENOUGH: f64 = 5.0;
/// Share of these that they have at most.
const FEWER: f64 = 0.5;

/// The test of both rules.
const TEST: &str = "Five or more of the sampled requests and calls fail in the window. They are 1 % of the requests \
                    and calls whose outcome is known, and twice the usual share. The usual share makes as many with a \
                    chance below 1e-6 per window. A share below 0.1 % counts as 0.1 %. An HTTP request fails with a \
                    status of 500 to 599. A gRPC call fails with the code UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, \
                    INTERNAL, UNAVAILABLE or DATA_LOSS.";
const MINIMUM: &str =
    "`signals.http`, and clear-text HTTP or gRPC. A baseline of 100 sampled requests from clean windows.";

pub(crate) const POD_ERRORS: Rule = Rule {
    id: "pod_errors",
    family: Family::Errors,
    order: 520,
    symptom: "errors",
    meaning: "The Pod answers a larger share of its HTTP requests and gRPC calls with a server error than usual. The requests arrive and \
              are answered, so the network is fine.",
    signals: &[
        "netwhy_http_request_seconds{role=\"server\",status=~\"5..\"}",
        "netwhy_grpc_call_seconds{role=\"server\",code!=\"OK\"}",
    ],
    test: TEST,
    minimum: MINIMUM,
    ruled_out_by: "The share was as high before. Only new clients fail, such as a check of something that the Pod does not \
                   have: those with a baseline would have five errors by the share of all, and have at most half of \
                   these, as usual.",
    action: "Look at the Pod's own log and at its last deployment. With 502, 503 and 504 look at what it calls, too.",
    caused_by: &[
        "pod_oom_killed",
        "pod_restarting",
        "port_exhaustion",
        "peer_unreachable",
        "port_filtered",
        "peer_refusing",
        "peer_not_answering",
        "pod_cpu_throttled",
        "pod_memory_pressure",
        "dns_slow",
        "peer_slow",
        "external_slow",
        "peer_errors",
    ],
    caused_by_at_peer: &[],
    queries: &[
        QueryTemplate { shows: "share of HTTP requests that fail, by role and route", promql: queries::ERRORS },
        QueryTemplate { shows: "share of gRPC calls that fail, by role and method", promql: queries::GRPC_ERRORS },
    ],
};

pub(crate) const PEER_ERRORS: Rule = Rule {
    id: "peer_errors",
    family: Family::Errors,
    order: 530,
    symptom: "errors",
    meaning: "A peer answers a larger share of the Pod's HTTP requests and gRPC calls with a server error than usual. The answers \
              arrive, so the network is fine.",
    signals: &[
        "netwhy_http_request_seconds{role=\"client\",status=~\"5..\"}",
        "netwhy_grpc_call_seconds{role=\"client\",code!=\"OK\"}",
    ],
    test: TEST,
    minimum: MINIMUM,
    ruled_out_by: "The share was as high before.",
    action: "Look at the peer's log and at its last deployment. The Pod itself and the network need no attention.",
    caused_by: &[],
    caused_by_at_peer: &[
        "pod_oom_killed",
        "pod_restarting",
        "pod_cpu_throttled",
        "pod_memory_pressure",
        "peer_unreachable",
        "port_filtered",
        "peer_refusing",
        "peer_not_answering",
        "pod_errors",
        "peer_errors",
    ],
    queries: &[
        QueryTemplate { shows: "share of HTTP requests that fail, by role and route", promql: queries::ERRORS },
        QueryTemplate { shows: "share of gRPC calls that fail, by role and method", promql: queries::GRPC_ERRORS },
    ],
};

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let servers = context.subjects().iter().filter_map(|subject| server(context, subject));
    let clients = context.unclaimed(Family::Errors).filter(|(_, edge)| edge.view.role == Some(Role::Client));
    servers.chain(clients.filter_map(|(subject, edge)| client(context, subject, edge))).collect()
}

/// `12 of 60 sampled requests (20 %) fail (usually 0.10 % do)`.
fn text(failing: &Failing) -> String {
    let Failing { now, usual_share, .. } = failing;
    let share = percent(now.error_share().unwrap_or(0.0));
    format!("{} of {} sampled requests ({share}) fail (usually {} do)", now.errors, now.calls, percent(*usual_share))
}

fn numbers(failing: &Failing, role: Role, place: &str) -> Vec<Evidence> {
    let Failing { now, usual_share, .. } = failing;
    let role = role.label();
    // Where most are of gRPC, its metric shows them.
    let signal = if now.grpc * 2 > now.calls {
        format!("netwhy_grpc_call_seconds_count{{role=\"{role}\",code=~\"{}\"}}", queries::GRPC_FAILURES)
    } else {
        format!("netwhy_http_request_seconds_count{{role=\"{role}\",status=~\"5..\"}}")
    };
    let share = now.error_share().unwrap_or(0.0);
    let share = evidence(&signal, share, "share of requests", place, "ebpf:tcp_probe");
    let calls = evidence("sampled_requests", now.calls as f64, "requests", place, "ebpf:tcp_probe");
    vec![Evidence { baseline: Some(*usual_share), ..share }, calls]
}

/// An answer with a status came all the way.
fn network() -> RuledOut {
    RuledOut { cause: "path_loss".into(), because: "the failures are answers, and the answers arrive".into() }
}

fn server(context: &Context<'_>, subject: &Subject<'_>) -> Option<Finding> {
    let now = subject.view.server.as_deref()?;
    let failing = context.memory.servers.of(&subject.view.id)?.failing(now)?;
    let name = subject.name();
    let edges = || subject.edges.iter().map(|ix| context.edge(*ix));
    if only_new_clients_fail(edges(), &failing) {
        return None;
    }
    let failed = edges().filter(|edge| {
        edge.view.role == Some(Role::Server) && edge.view.responses.as_ref().is_some_and(|r| r.calls.errors > 0)
    });
    Some(Finding {
        nats: FAILURE_ALPHA.ln() - failing.ln_p,
        summary: format!("{name} answers with server errors: {}", text(&failing)),
        evidence: numbers(&failing, Role::Server, name),
        ruled_out: vec![network()],
        edges: failed.map(|edge| edge.ix).collect(),
        ..Finding::new(&POD_ERRORS, subject.ix, blame(BlameKind::Pod, name))
    })
}

/// Each client that was there before is answered as ever.
fn only_new_clients_fail<'e>(edges: impl Iterator<Item = &'e Edge<'e>>, failing: &Failing) -> bool {
    let (mut calls, mut errors, mut usual) = (0.0, 0.0, 0.0);
    for (now, known) in edges.filter(|edge| edge.view.role == Some(Role::Server)).filter_map(Edge::requests) {
        let Some(usual_share) = known.usual_errors() else { continue };
        calls += now.calls.calls as f64;
        errors += now.calls.errors as f64;
        usual += usual_share.max(FLOOR) * now.calls.calls as f64;
    }
    let by_all = failing.now.error_share().unwrap_or(0.0) * calls;
    by_all >= ENOUGH && errors <= FEWER * by_all && binomial_tail_ln(errors, calls, usual / calls) > ODD.ln()
}

fn client(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>) -> Option<Finding> {
    let (now, known) = edge.requests()?;
    let failing = known.failing(now)?;
    let (name, peer) = (subject.name(), edge.peer_name());
    let kind = edge.blame_kind(BlameKind::PeerPod);
    Some(Finding {
        nats: FAILURE_ALPHA.ln() - failing.ln_p,
        summary: format!("{peer} answers {name} with server errors: {}", text(&failing)),
        evidence: numbers(&failing, Role::Client, &context.place(edge)),
        ruled_out: vec![network()],
        edges: vec![edge.ix],
        ..Finding::new(&PEER_ERRORS, subject.ix, blame(kind, edge.peer_pod_name()))
    })
}

#[cfg(test)]
mod tests;
