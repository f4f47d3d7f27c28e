//! Peers outside the cluster that became slow or far, while those inside are as ever.

use crate::api::{BlameKind, RuledOut};
use crate::hints::{
    context::{Context, Edge},
    finding::{Finding, blame},
    memory::path::{Path, RISE_ALPHA, Rise},
    rule::{Family, QueryTemplate, Rule},
    rules::latency,
    rules::queries,
    stats::ms,
};
use netwhy_abi::PeerClass;

pub(crate) const EXTERNAL_SLOW: Rule = Rule {
    id: "external_slow",
    family: Family::Waiting,
    order: 505,
    symptom: "rtt_inflation",
    meaning: "Something outside the cluster is slow: its replies come late, or the way there became longer, while the Pod's \
              peers in the cluster are as fast as ever. Whether it is the other end or the way is not for this side to tell.",
    signals: &["netwhy_tcp_rtt_seconds{peer=\"external\"}", "netwhy_tcp_min_rtt_seconds", "reply_time"],
    test: "The test of `peer_slow` (replies) or of `path_latency` (all round trips of the last 3 s; chance below 1e-6 per window \
           and edge), for an address outside the cluster. Nothing has to tell path from think time: both are outside.",
    minimum: "As `peer_slow` and `path_latency`.",
    ruled_out_by: "The Pod's peers in the cluster being slow or far too; loss; senders held back by window or buffer; the Pod's \
                   own throttling; a Node that makes its own queue.",
    action: "Ask whoever runs that address, compare from another place, or fail over; the cluster's network needs no attention.",
    caused_by: &["path_latency", "node_cpu_contention", "pod_cpu_starved", "pod_cpu_throttled", "pod_application_slow"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "RTT beside the path's own", promql: queries::RTT }],
};

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    if latency::makes_its_own_queue(context) {
        return Vec::new();
    }
    let external = context.free(Family::Waiting).filter(|(_, _, edge)| edge.view.class == PeerClass::External);
    let found = external.filter_map(|(i, subject, edge)| {
        let rise = latency::rise(context, subject, edge)?;
        let (far, near) = inside(context, subject);
        (far == 0).then(|| describe(context, i, subject, (edge, rise), near))
    });
    found.collect()
}

/// The subject's peers inside the cluster: further away than ever, as near as ever.
fn inside(context: &Context<'_>, subject: usize) -> (usize, usize) {
    let edges = context.subjects[subject].edges.iter().map(|i| &context.edges[*i]);
    let edges = edges.filter(|edge| edge.is_remote() && edge.view.class != PeerClass::External);
    edges.fold((0, 0), |(far, near), edge| match edge.path {
        Some(Path::Rose(_)) => (far + 1, near),
        Some(Path::Usual) => (far, near + 1),
        None => (far, near),
    })
}

fn describe(
    context: &Context<'_>,
    index: usize,
    subject: usize,
    (edge, rise): (&Edge<'_>, Rise),
    near: usize,
) -> Finding {
    let who = &context.subjects[subject];
    let place = context.place(edge);
    let because = format!("{near} peers inside the cluster are as near as ever");
    Finding {
        rule: &EXTERNAL_SLOW,
        subject,
        blame: blame(BlameKind::External, edge.peer_node_name()),
        nats: (RISE_ALPHA.ln() - rise.ln_p).max(0.0),
        // Without anything inside to compare with it may be the Node's own way out.
        certainty: if near > 0 { 1.0 } else { 0.8 },
        overwhelming: false,
        summary: format!(
            "{} waits for {}, outside the cluster: round trips take at least {} (normally {}), while {because}",
            who.name(),
            edge.peer_name(),
            ms(rise.now_us),
            ms(rise.usual_us)
        ),
        evidence: latency::numbers(edge, &rise, &place),
        ruled_out: (near > 0)
            .then(|| RuledOut { cause: "path_latency".into(), because })
            .into_iter()
            .chain(context.no_loss(edge))
            .chain(context.not_limited(edge))
            .chain(who.not_throttled(context.thresholds))
            .collect(),
        effects: Vec::new(),
        edges: vec![index],
    }
}

#[cfg(test)]
mod tests;
