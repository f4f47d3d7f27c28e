//! A longer way to one address or Pod alone, while everything beside it is as fast as usual.

use super::{
    super::{PATH_LATENCY, Proof, is_queue, numbers, worst},
    Place,
    limit::{Payload, payload},
};
use crate::{
    api::RuledOut,
    hints::{
        context::{Context, cpus},
        culprit::latency::{Risen, is_proven},
        finding::{Finding, evidence},
        memory::{edge::EdgeMemory, path::RISE_ALPHA},
        rule::Family,
        stats::ms,
    },
    state::RECENT,
};

/// Certainty that nothing beside the place is slower: few edges may show it.
const PLACE_CERTAINTY: f64 = 0.95;

/// `because`: why it is no bandwidth limit.
pub(super) fn judge(context: &Context<'_>, place: &Place, because: &str) -> Vec<Finding> {
    let unclaimed = |one: &&Risen| context.is_unclaimed(one.edge, Family::Latency);
    let risen: Vec<Risen> = place.risen.iter().filter(unclaimed).copied().collect();
    // Bulk that fills a queue makes its own round trips longer, and proves no path.
    let proves = |one: &&Risen| !(one.rise.bulk && waits(context, one));
    let steady: Vec<Risen> = risen.iter().filter(proves).copied().collect();
    let Some(payload) = payload(context, &risen).filter(|payload| !payload.grew()) else { return Vec::new() };
    let is_excused = || is_inside(context, &risen) && cpus::may_be_contended(context);
    if !lasts(context, &risen) || !is_proven(context, &steady) || is_excused() {
        return Vec::new();
    }
    let proof = Proof::new(&steady);
    let subjects = Place::by_subject(&risen);
    subjects.values().map(|own| describe(context, place, own, (proof, payload, because))).collect()
}

/// Some of these ways never leave this Node. They have no length: packets wait for its CPUs before anything else.
fn is_inside(context: &Context<'_>, risen: &[Risen]) -> bool {
    risen.iter().any(|one| !context.edge(one.edge).is_remote())
}

fn waits(context: &Context<'_>, one: &Risen) -> bool {
    is_queue(context.edge(one.edge), &one.rise)
}

/// The rise is older than the samples of others that are as fast as usual. Where its spread grew too, a queue would have
/// shown itself by then.
fn lasts(context: &Context<'_>, risen: &[Risen]) -> bool {
    let span = if risen.iter().any(|one| waits(context, one)) { context.window } else { RECENT };
    let since = |one: &Risen| context.edge(one.edge).memory.and_then(EdgeMemory::rose_since);
    risen.iter().all(|one| since(one).is_some_and(|since| context.at.saturating_sub(since) >= span))
}

/// `risen`: edges of one subject.
fn describe(
    context: &Context<'_>,
    place: &Place,
    risen: &[Risen],
    (proof, payload, because): (Proof, Payload, &str),
) -> Finding {
    let worst = worst(risen);
    let (subject, edge, rise) = (context.subject(worst.subject), context.edge(worst.edge), worst.rise);
    let at = context.place(edge);
    let mut all = numbers(edge, &rise, &at);
    let handshakes = proof.handshakes as f64;
    all.push(evidence("slow_handshakes", handshakes, "handshakes", &at, "ebpf:inet_sock_set_state"));
    let mut bytes = evidence("netwhy_tcp_bytes_total", payload.now, "bytes per second", &at, "ebpf:tcp_sock");
    bytes.baseline = Some(payload.usual);
    all.push(bytes);
    let no_limit = RuledOut { cause: "pod_bandwidth_limited".into(), because: because.to_owned() };
    let path = RuledOut { cause: "peer_slow".into(), because: proof.text() };
    Finding {
        nats: (RISE_ALPHA.ln() - rise.ln_p).max(0.0),
        certainty: PLACE_CERTAINTY * proof.certainty(),
        summary: format!(
            "packets of {} take {} longer at {}: the RTT is at least {} (normally {}), while {}",
            subject.name(),
            ms(rise.increase_us()),
            place.at,
            ms(rise.now_us),
            ms(rise.usual_us),
            place.beside
        ),
        evidence: all,
        ruled_out: [path, no_limit].into_iter().chain(context.rule_out_sender(subject, edge)).collect(),
        edges: risen.iter().map(|one| one.edge).collect(),
        ..Finding::new(&PATH_LATENCY, subject.ix, place.culprit.clone())
    }
}
