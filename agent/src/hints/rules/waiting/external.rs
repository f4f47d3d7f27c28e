//! Peers outside the cluster that became slow, while those inside are as fast as usual.

use crate::{
    api::{BlameKind, RuledOut},
    hints::{
        context::{Context, Edge, Subject, cpus, inside},
        finding::{Finding, blame, shared_blame},
        memory::path::{Path, RISE_ALPHA, Rise, rise_limit},
        rule::{Family, QueryTemplate, Rule},
        rules::{latency, queries},
        stats::ms,
    },
};
use netwhy_abi::Role;
use std::cell::LazyCell;

pub(crate) const EXTERNAL_SLOW: Rule = Rule {
    id: "external_slow",
    family: Family::Waiting,
    order: 505,
    symptom: "rtt_inflation",
    meaning: "A peer outside the cluster is slow: its replies come late, or the path there became longer. The Pod's \
              peers in the cluster are as fast as usual. This side can't separate the peer from the path.",
    signals: &[
        "netwhy_tcp_response_seconds{role=\"client\",peer=\"external\"}",
        "netwhy_tcp_rtt_seconds{peer=\"external\"}",
        "netwhy_tcp_min_rtt_seconds",
        "reply_time",
    ],
    test: "The test of `peer_slow` (response times, or replies) or of `path_latency` (all RTT samples of the last 3 s; \
           chance below 1e-6 per window and edge), for an address outside the cluster. Path and think time \
           need not be separated: both are outside. But round trips count only where nothing tells better who waits: \
           without handshakes, full segments or delays that prove a longer path, they may include time of a program. \
           Then the rise is at least `think_time_ms`, three quarters of the window's round trips show it, and the Pod \
           is no server there.",
    minimum: "As `peer_slow` and `path_latency`.",
    ruled_out_by: "Of round trips without such a proof: response times, which decide from 8 requests on, and the Node's \
                   CPUs, if they are used up. The Pod's peers in the cluster are slow too, or paths from its Node to \
                   others are longer. Loss. The peer's \
                   window or the local buffer holds the sender back. The Pod is throttled. The Node makes its own \
                   queue.",
    action: "Ask the owner of that address, compare from another place, or fail over. The cluster's network needs no \
             attention.",
    caused_by: &["path_latency", "node_cpu_contention", "pod_cpu_starved", "pod_cpu_throttled", "pod_application_slow"],
    caused_by_at_peer: &[],
    queries: &[
        QueryTemplate { shows: "95th percentile of response times, by role", promql: queries::RESPONSE },
        QueryTemplate { shows: "median RTT by peer class", promql: queries::RTT },
    ],
};

/// Probability that the reason is outside, where nothing inside tells.
const BEYOND: f64 = 0.7;
/// Certainty where no other peer tells that this Node's way out is as fast as usual.
const ALONE: f64 = 0.8;
/// Certainty where nothing proves that the path is longer: another kind of requests has other round trips, too.
const UNPROVEN: f64 = 0.9;
/// Share of the window's round trips that are longer once a rise lasts. Half of them may be of a stall of seconds.
const LASTING: f64 = 0.75;

/// `has_times`: response times tell whether the client of an edge waits.
pub(super) fn judge(context: &Context<'_>, has_times: impl Fn(&Edge<'_>) -> bool) -> Vec<Finding> {
    if latency::makes_its_own_queue(context) {
        return Vec::new();
    }
    let external = context.unclaimed(Family::Waiting).filter(|(_, edge)| edge.is_external());
    let inside = LazyCell::new(|| Inside::new(context));
    let is_machine_slow = LazyCell::new(|| inside::are_longer(context));
    let found = external.filter_map(|(subject, edge)| {
        let rise = latency::rise(context, subject, edge)?;
        if !rise.is_proven() && (has_times(edge) || !may_wait(context, edge, rise) || !lasts(context, edge, rise)) {
            return None;
        }
        (inside.longer == 0 && !*is_machine_slow).then(|| describe(context, subject, (edge, rise), inside.usual))
    });
    found.collect()
}

/// Somebody may wait for these round trips. A client's may include its peer's think time, which matters from a limit
/// on. A server's include the time by which its client delays acknowledgements, and nobody waits for those.
fn may_wait(context: &Context<'_>, edge: &Edge<'_>, rise: Rise) -> bool {
    edge.view.role != Some(Role::Server) && rise.increase_us() >= context.thresholds.think_time_ms * 1_000.0
}

/// The rise is no stall of a few seconds, and no wait for this Node's own CPUs.
fn lasts(context: &Context<'_>, edge: &Edge<'_>, rise: Rise) -> bool {
    let rtt = &edge.tally().rtt;
    let fast = rtt.count_up_to(rise_limit(rise.usual_us, context.thresholds));
    fast as f64 <= (1.0 - LASTING) * rtt.count() as f64 && !cpus::may_be_contended(context)
}

/// This Node's edges to peers in the cluster, by the state of their paths: they share its way out with the subject.
#[derive(Clone, Copy, Default)]
struct Inside {
    longer: usize,
    usual: usize,
}

impl Inside {
    fn new(context: &Context<'_>) -> Self {
        let mut inside = Self::default();
        for edge in context.edges().iter().filter(|edge| edge.is_remote() && !edge.is_external()) {
            match edge.path {
                Some(Path::Longer(_)) => inside.longer += 1,
                Some(Path::Usual) => inside.usual += 1,
                None => {}
            }
        }
        inside
    }
}

/// `usual`: peers in the cluster that are as fast as usual.
fn describe(context: &Context<'_>, subject: &Subject<'_>, (edge, rise): (&Edge<'_>, Rise), usual: usize) -> Finding {
    let because = format!("{usual} peers inside the cluster are as fast as usual");
    let summary = format!(
        "{} waits for {}, outside the cluster: its RTT is at least {} (normally {}), while {because}",
        subject.name(),
        edge.peer_name(),
        ms(rise.now_us),
        ms(rise.usual_us)
    );
    let external = (BlameKind::External, &*edge.peer_node_name());
    // Without a peer inside to compare with, the Node's own way out may be the reason.
    let culprit = match usual {
        0 => shared_blame(external, BEYOND, &[(BlameKind::Node, context.node)]),
        _ => blame(external.0, external.1),
    };
    let path = (usual > 0).then(|| RuledOut { cause: "path_latency".into(), because });
    let compared = if usual > 0 { 1.0 } else { ALONE };
    let proven = if rise.is_proven() { 1.0 } else { UNPROVEN };
    Finding {
        nats: (RISE_ALPHA.ln() - rise.ln_p).max(0.0),
        certainty: compared * proven,
        summary,
        evidence: latency::numbers(edge, &rise, &context.place(edge)),
        ruled_out: path.into_iter().chain(context.rule_out_sender(subject, edge)).collect(),
        edges: vec![edge.ix],
        ..Finding::new(&EXTERNAL_SLOW, subject.ix, culprit)
    }
}

#[cfg(test)]
mod tests;
