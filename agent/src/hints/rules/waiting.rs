//! Think time: acknowledgements that ride on late replies while the path is as fast as ever.

pub(crate) mod external;

use crate::api::{Blame, BlameKind, Evidence, RuledOut};
use crate::hints::{
    context::{Context, Edge, Subject},
    finding::{Finding, blame, evidence},
    memory::edge::{EdgeMemory, MIN_LEARN_SAMPLES, MIN_RTT_SAMPLES},
    memory::path::{Path, Rise},
    rule::{Family, QueryTemplate, Rule},
    rules::queries,
    rules::waiting::external::EXTERNAL_SLOW,
    stats::{ms, over, percent},
};
use netwhy_abi::PeerClass;

pub(crate) const POD_APPLICATION_SLOW: Rule = Rule {
    id: "pod_application_slow",
    family: Family::Waiting,
    order: 500,
    symptom: "rtt_inflation",
    meaning: "The network is exonerated: all peers of the Pod look slow at once, every path is as fast as ever, and the \
              Pod itself stalls. The time goes by inside the Pod.",
    signals: &["netwhy_tcp_rtt_seconds", "netwhy_tcp_min_rtt_seconds", "netwhy_pressure_seconds_total"],
    test: "`peer_slow` holds for every peer that the Pod is a client of, at least 3, and the Pod's tasks stalled for \
           CPU, memory or IO at least 20 % of the window (PSI, some). Peers that slow down independently of each other \
           make a false alarm less likely than any single one of them.",
    minimum: "3 peers with 20 RTT samples each, and PSI.",
    ruled_out_by: "One peer that is as fast as usual; no pressure of its own (then the peers are blamed, and say that \
                   they may share a dependency); `pod_cpu_throttled`.",
    action: "Profile the Pod: the network and its peers' paths are fine. The pressure in the evidence says where to \
             begin.",
    caused_by: &[
        "node_cpu_contention",
        "pod_cpu_starved",
        "node_memory_pressure",
        "pod_memory_pressure",
        "node_io_pressure",
        "pod_io_pressure",
        "pod_cpu_throttled",
        "dns_slow",
    ],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "share of time that tasks waited, by resource", promql: queries::PRESSURE }],
};

pub(crate) const PEER_SLOW: Rule = Rule {
    id: "peer_slow",
    family: Family::Waiting,
    order: 510,
    symptom: "rtt_inflation",
    meaning: "The network is exonerated: the path to the peer is as fast as ever, but the peer's replies (on which its \
              acknowledgements ride) come late. The peer thinks.",
    signals: &["netwhy_tcp_rtt_seconds", "netwhy_tcp_min_rtt_seconds", "reply_time"],
    test: "Median RTT at least `rtt_inflation` times its baseline and `think_time_ms` above the window's minimum, or the \
           same of the median reply time (a client's last data sent to the first data received), while RTT samples taken since then are still near the baseline's minimum (within 1.5 × or `rtt_floor_ms`). Or all \
           round trips of the last 3 s rose by as much (the test of `path_latency`), while another connection to the same \
           Node, or address where no Node is known, has two as fast as ever. A median of 20 samples that triples by chance: below 1e-6 when samples are independent and at most one in ten is that \
           slow in normal times.",
    minimum: "20 samples (of reply times 8, of which seven must be as late; 8 round trips in the last 3 s beside another connection) and a baseline of 10 clean windows. Reply times are taken of clients only (by their ports); RTTs \
              count when all handshakes on the edge were the Pod's own: a server's RTT also holds its clients' think \
              time, which is nobody's fault.",
    ruled_out_by: "Loss; senders held back by window or buffer; the Pod's own throttling; a minimum RTT that rose too \
                   while no other connection goes there (undecidable: path or constant think time).",
    action: "Look at the peer's application and what it waits for; the path needs no attention.",
    caused_by: &[
        "node_cpu_contention",
        "pod_cpu_starved",
        "node_memory_pressure",
        "pod_memory_pressure",
        "node_io_pressure",
        "pod_io_pressure",
        "pod_cpu_throttled",
        "path_latency",
        "pod_application_slow",
    ],
    caused_by_at_peer: &[
        "pod_cpu_throttled",
        "pod_cpu_starved",
        "node_cpu_contention",
        "pod_memory_pressure",
        "node_memory_pressure",
        "pod_io_pressure",
        "node_io_pressure",
        "pod_application_slow",
        "peer_slow",
        "external_slow",
    ],
    queries: &[QueryTemplate { shows: "RTT beside the path's own", promql: queries::RTT }],
};

/// Peers that must all be slow before the Pod itself is suspected.
const MIN_PEERS: usize = 3;
/// Share of the window in which the Pod's tasks stalled.
const STALLED: f64 = 0.2;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut judged: Vec<Vec<(usize, bool)>> = vec![Vec::new(); context.subjects.len()];
    for (i, s, edge) in context.free(Family::Waiting).filter(|(_, _, e)| can_be_judged(context, e)) {
        judged[s].push((i, thinks(context, edge)));
    }
    let mut out = Vec::new();
    for (s, edges) in judged.iter().enumerate() {
        let subject = &context.subjects[s];
        let slow: Vec<usize> = edges.iter().filter(|(_, slow)| *slow).map(|(i, _)| *i).collect();
        if slow.is_empty() || subject.is_throttled(context.thresholds) {
            continue;
        }
        let all_slow = slow.len() >= MIN_PEERS && slow.len() == edges.len();
        match stalled(context, subject).filter(|_| all_slow) {
            Some(stall) => out.extend(application(context, s, &slow, stall)),
            None => {
                let outside = |i: usize| context.edges[i].view.class == PeerClass::External;
                let mut inside = edges.iter().filter(|(i, _)| !outside(*i)).peekable();
                // When all inside are slow too, what is outside is not why.
                let all_inside = inside.peek().is_some() && inside.all(|(_, slow)| *slow);
                let told = slow.iter().filter(|i| !(all_inside && outside(**i)));
                out.extend(told.filter_map(|i| peer(context, s, *i, (slow.len(), edges.len()), all_slow)));
            }
        }
    }
    out.extend(external::judge(context));
    out
}

/// The peer at the other end takes its time, over a path that is as fast as ever.
fn thinks(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    edge.memory.is_some_and(EdgeMemory::thinks) || risen(context, edge).is_some()
}

/// All round trips of the last seconds became longer on this edge, and on no other to the same place: the path is fine.
fn risen(context: &Context<'_>, edge: &Edge<'_>) -> Option<Rise> {
    let (Some(Path::Rose(rise)), Some(memory)) = (edge.path, edge.memory) else { return None };
    let usual = memory.p50_us()?;
    let t = context.thresholds;
    let matters = rise.median_us >= t.rtt_inflation * usual && rise.median_us - usual >= t.think_time_ms * 1000.0;
    // Handshakes that are as slow wait for no program.
    let thinks = matters && rise.handshakes == 0 && !rise.bulk;
    let own = thinks && edge.view.class != PeerClass::External && memory.is_client(edge.tally());
    (own && context.is_near(edge)).then_some(rise)
}

/// A client's edge that was free to send, without loss, and has enough samples for its median to mean something.
fn can_be_judged(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let t = edge.tally();
    let rtt = t.rtt.count() >= MIN_RTT_SAMPLES && edge.memory.is_some_and(EdgeMemory::client_only);
    let reply = t.reply_count() >= MIN_LEARN_SAMPLES && edge.memory.is_some_and(|m| m.reply_s().is_some());
    (rtt || reply || risen(context, edge).is_some())
        && edge.memory.is_some_and(|m| m.p50_us().is_some())
        && !edge.is_limited(context.thresholds)
        && (t.loss_episodes as f64) < context.thresholds.loss_ratio * t.data_segs_out.max(1) as f64
}

/// Median, its baseline, minimum, its baseline; µs.
fn rtts(edge: &Edge<'_>) -> Option<[f64; 4]> {
    let t = edge.tally();
    let memory = edge.memory?;
    Some([t.rtt.quantile_us(0.5)?, memory.p50_us()?, f64::from(t.min_rtt_us?), memory.min_us()?])
}

fn median(edge: &Edge<'_>, place: &str, p50: f64, usual: f64) -> Vec<Evidence> {
    let mut out = vec![Evidence {
        baseline: Some(usual / 1e6),
        ..evidence("netwhy_tcp_rtt_seconds{quantile=\"0.5\"}", p50 / 1e6, "seconds", place, "ebpf:tcp_probe")
    }];
    out.extend(edge.min_rtt(place));
    out
}

/// Why it is not the path.
fn path_is_fine(context: &Context<'_>, edge: &Edge<'_>) -> Option<RuledOut> {
    let [_, _, min, usual] = rtts(edge)?;
    let because = match risen(context, edge) {
        Some(_) => format!("other connections to {} are as fast as ever", place_of(edge)),
        None => format!("minimum RTT {} at its baseline {}", ms(min), ms(usual)),
    };
    Some(RuledOut { cause: "path_latency".into(), because })
}

/// Where all paths to the peer lead.
fn place_of(edge: &Edge<'_>) -> String {
    match edge.view.peer_node {
        Some(_) => edge.peer_node_name(),
        None => edge.peer_name(),
    }
}

fn peer(
    context: &Context<'_>,
    subject: usize,
    index: usize,
    (slow, judged): (usize, usize),
    all_slow: bool,
) -> Option<Finding> {
    let edge = &context.edges[index];
    let [p50, usual, min, _] = rtts(edge)?;
    let risen = risen(context, edge);
    let p50 = risen.map_or(p50, |rise| rise.median_us);
    let who = &context.subjects[subject];
    let (name, peer, place) = (who.name(), edge.peer_name(), context.place(edge));
    let reply = edge.memory.and_then(|m| m.slow_reply(edge.tally(), context.hz, context.thresholds));
    // The reply time where it tells: acknowledgements do not wait for replies that come very late.
    let (what, value, normal) = match reply {
        Some((now, then)) => ("median reply time", now * 1e6, then * 1e6),
        None => ("median RTT", p50, usual),
    };
    let mut numbers = median(edge, &place, p50, usual);
    if let Some((now, then)) = reply {
        let number = evidence("reply_time{quantile=\"0.5\"}", now, "seconds", &place, "ebpf:tcp_probe");
        numbers.insert(0, Evidence { baseline: Some(then), ..number });
    }
    numbers.push(evidence("slow_peers", slow as f64, &format!("of {judged} peers"), name, "netwhy"));
    // All at once, and nothing wrong with the Pod itself: they may well share what they wait for.
    let alternatives = if all_slow { vec![name.to_owned()] } else { Vec::new() };
    Some(Finding {
        rule: if edge.view.class == PeerClass::External { &EXTERNAL_SLOW } else { &PEER_SLOW },
        subject,
        blame: Blame { alternatives, ..blame(edge.blame_kind(BlameKind::PeerPod), edge.peer_pod_name()) },
        nats: over(value / normal, context.thresholds.rtt_inflation),
        certainty: if all_slow { 0.7 } else { 1.0 },
        overwhelming: false,
        summary: format!(
            "{name} waits for {peer}, not for the network: {what} {} (normally {}) while {}",
            ms(value),
            ms(normal),
            match risen {
                Some(_) => format!("other connections to {} are as fast as ever", place_of(edge)),
                None => format!("the path still takes {}", ms(min)),
            }
        ),
        evidence: numbers,
        ruled_out: path_is_fine(context, edge)
            .into_iter()
            .chain(context.no_loss(edge))
            .chain(context.not_limited(edge))
            .chain(who.not_throttled(context.thresholds))
            .collect(),
        effects: Vec::new(),
        edges: vec![index],
    })
}

/// Resource and share of the window in which the subject's tasks stalled most, if enough.
fn stalled(context: &Context<'_>, subject: &Subject<'_>) -> Option<(&'static str, f64)> {
    let psi = subject.view.window_pressure?;
    let all = [("cpu", psi.cpu_some_us), ("memory", psi.memory_some_us), ("io", psi.io_some_us)];
    let (resource, us) = all.into_iter().max_by_key(|(_, us)| *us)?;
    let share = us as f64 / 1e6 / context.window.as_secs_f64();
    (share >= STALLED).then_some((resource, share))
}

fn application(
    context: &Context<'_>,
    subject: usize,
    slow: &[usize],
    (resource, share): (&'static str, f64),
) -> Option<Finding> {
    let worst = slow.iter().max_by(|a, b| inflation(context, **a).total_cmp(&inflation(context, **b)))?;
    let edge = &context.edges[*worst];
    let [p50, usual, ..] = rtts(edge)?;
    let who = &context.subjects[subject];
    let name = who.name();
    let mut numbers = median(edge, &context.place(edge), p50, usual);
    numbers.push(evidence("slow_peers", slow.len() as f64, &format!("of {} peers", slow.len()), name, "netwhy"));
    let signal = format!("netwhy_pressure_seconds_total{{resource=\"{resource}\",kind=\"some\"}}");
    numbers.push(evidence(&signal, share, "seconds per second", name, &format!("{resource}.pressure")));
    Some(Finding {
        rule: &POD_APPLICATION_SLOW,
        subject,
        blame: blame(BlameKind::Pod, name),
        nats: over(p50 / usual, context.thresholds.rtt_inflation) + over(share, STALLED),
        certainty: 0.9,
        overwhelming: false,
        summary: format!(
            "{name} is slow itself, not the network: all {} peers look slow at once over unchanged paths, and its tasks \
             stalled for {resource} {} of the time",
            slow.len(),
            percent(share)
        ),
        evidence: numbers,
        ruled_out: path_is_fine(context, edge)
            .into_iter()
            .chain(context.no_loss(edge))
            .chain(context.not_limited(edge))
            .chain(who.not_throttled(context.thresholds))
            .collect(),
        effects: vec!["peer_slow"],
        edges: slow.to_vec(),
    })
}

fn inflation(context: &Context<'_>, index: usize) -> f64 {
    rtts(&context.edges[index]).map_or(0.0, |[p50, usual, _, _]| p50 / usual)
}

#[cfg(test)]
mod tests;
