//! Connections that the other end resets while something is under way.

use crate::{
    api::{Blame, BlameKind, Evidence, RuledOut},
    hints::{
        context::{Context, Edge, Subject},
        culprit::suspects::{host, is_service},
        finding::{Finding, blame, evidence, shared_blame},
        memory::cuts::{Behind, busy},
        rule::{Family, QueryTemplate, Rule},
        stats::{LOSS_ALPHA, OVERWHELMING_ALPHA, poisson_tail_ln},
    },
};
use netwhy_abi::{Cut, Role};

pub(crate) const CONNECTIONS_RESET: Rule = Rule {
    id: "connections_reset",
    family: Family::Connect,
    order: 125,
    symptom: "resets",
    meaning: "Established connections of the Pod are reset while its requests are under way: each is an error at the \
              client. The peer's program aborts connections, its kernel no longer knows them, or a device on the way \
              sends the resets.",
    signals: &["netwhy_tcp_connections_cut_total{state=\"busy\"}", "netwhy_tcp_resets_total{direction=\"received\"}"],
    test: "Of a client's connections more are reset while busy than usual. Busy means that data was not acknowledged, or \
           that the last data sent had no answer, and that the other end had not closed before. The usual \
           number per data segment is learned per edge (at least 2e-5), and makes so many with a chance below 1e-6 per window (Poisson). They go on: they came in at least \
           four moments of the last 30 s, which begin 2.5 s or more after each other, and some in the last 3 s. Of a \
           Service's address it takes eight moments of the last minute. Or they come and go: 3 s or more of answers are between moments of the last 2 minutes, whose resets and refusals are \
           as rare. Three such moments of a Pod's own address are enough. Of any other eight are, in whose seconds more \
           than one in eight requests fail, with a chance below 1e-3: a rollout ends one of as many replicas each \
           time. Where the client keeps its connections, dead ones of a pool must explain the moments with a chance below 1e-3.",
    minimum: "3 such resets in the window, and four moments with resets (eight of a Service). Of those that come and go, \
              three moments.",
    ruled_out_by: "Resets in few moments: a peer that restarts, or a rollout of the replicas behind one address, \
                   resets each kept connection once, when it is used next. Resets of idle connections, those that \
                   answer data for a connection which the other end had closed, and those that the Pod sends \
                   itself, such as health checks that end so. Resets that come and go, each after a pause of the client: \
                   servers close connections that idle. Resets that a server receives: its clients left.",
    action: "Compare with the peer's own count of resets sent. If it sent them, check its log for aborted connections and \
             full tables; else check load balancers, firewalls and connection tracking between the two.",
    caused_by: &["node_conntrack_full"],
    caused_by_at_peer: &["pod_oom_killed", "pod_restarting", "pod_not_running"],
    queries: &[QueryTemplate {
        shows: "connections reset per second, by what was under way",
        promql: "sum by (state) (rate(netwhy_tcp_connections_cut_total{S}R))",
    }],
};

/// Resets that a finding needs.
const MIN_CUTS: u64 = 3;
/// Probability that another Node's resets are its Pod's own: nothing here tells.
const SENT_BY_PEER: f64 = 0.65;

pub(crate) fn judge(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>) -> Option<Finding> {
    let (recent, busy) = (busy(&edge.view.recent), busy(edge.tally()));
    if edge.view.role != Some(Role::Client) || busy < MIN_CUTS {
        return None;
    }
    let cuts = edge.memory?.cuts();
    let usual = cuts.ratio();
    let ln_p = poisson_tail_ln(busy, usual * edge.tally().data_segs_out as f64);
    let behind = if is_service(edge) { Behind::Many } else { Behind::Few };
    if ln_p > LOSS_ALPHA.ln() || recent == 0 || !cuts.go_on(context.at, behind) {
        return None;
    }
    let (name, peer, place) = (subject.name(), edge.peer_name(), context.place(edge));
    let (all, unit) = whole(edge);
    let (sender, culprit) = sender(context, edge);
    Some(Finding {
        nats: LOSS_ALPHA.ln() - ln_p,
        overwhelming: ln_p <= OVERWHELMING_ALPHA.ln(),
        summary: format!(
            "connections of {name} to {peer} are reset while busy: {busy} resets in {all} {unit}, {} idle ones; {sender}",
            edge.tally().cuts[Cut::Idle as usize]
        ),
        evidence: numbers(edge, &place, usual),
        ruled_out: vec![RuledOut {
            cause: "peer_refusing".into(),
            because: format!("{busy} of the connections were established"),
        }],
        edges: vec![edge.ix],
        ..Finding::new(&CONNECTIONS_RESET, subject.ix, culprit)
    })
}

/// The whole that the resets are a part of.
fn whole(edge: &Edge<'_>) -> (u64, &'static str) {
    match edge.view.responses.as_ref().map_or(0, |times| times.window.durations.count()) {
        0 => (edge.tally().data_segs_out, "data segments"),
        requests => (requests, "requests"),
    }
}

/// Who sent the resets, for people and as a culprit.
pub(super) fn sender(context: &Context<'_>, edge: &Edge<'_>) -> (String, Blame) {
    let (kind, peer) = host(edge);
    if edge.is_remote() {
        let culprit = shared_blame((kind, &peer), SENT_BY_PEER, &[(BlameKind::NodePair, &context.pair(edge))]);
        return ("the peer or a device on the way sent them".to_owned(), culprit);
    }
    // The peer's own connections on this port may be measured here, over the same window.
    let peer_pod = edge.view.peer_pod.as_deref().filter(|_| busy(edge.tally()) > 0);
    match peer_pod.and_then(|pod| context.resets_sent(pod, edge.view.port)) {
        Some(0) => {
            let culprit = shared_blame((BlameKind::Node, context.node), 0.9, &[(kind, &peer)]);
            ("the peer's connections sent none: something on this Node did".to_owned(), culprit)
        }
        Some(sent) => (format!("the peer's connections sent {sent}"), blame(kind, peer)),
        None => {
            let culprit = shared_blame((kind, &peer), 0.8, &[(BlameKind::Node, context.node)]);
            ("the peer sent them, or something on this Node".to_owned(), culprit)
        }
    }
}

fn numbers(edge: &Edge<'_>, place: &str, usual: f64) -> Vec<Evidence> {
    const SOURCE: &str = "ebpf:tcp_receive_reset";
    let cut = |cut: Cut| {
        let signal = format!("netwhy_tcp_connections_cut_total{{state=\"{}\"}}", cut.label());
        evidence(&signal, edge.tally().cuts[cut as usize] as f64, "connections", place, SOURCE)
    };
    let segments = edge.tally().data_segs_out.max(1) as f64;
    let ratio = evidence("busy_resets", busy(edge.tally()) as f64 / segments, "per data segment", place, SOURCE);
    vec![cut(Cut::Busy), cut(Cut::Idle), Evidence { baseline: Some(usual), ..ratio }]
}

#[cfg(test)]
mod tests;
