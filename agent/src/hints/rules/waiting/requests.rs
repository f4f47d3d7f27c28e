//! Slow requests by their response times: which share of them, which stage of them grew, and who takes that stage.
//!
//! The kernel times requests, so that waits of the measured Pod's own tasks are not in a client's times, and nothing of
//! the network is in a server's.

use super::{EXTERNAL_SLOW, PEER_SLOW, POD_APPLICATION_SLOW, SlowPeers, place_of, stages::Growth};
use crate::{
    api::{BlameKind, Evidence, RuledOut},
    hints::{
        context::{Context, Edge, Subject},
        finding::{Finding, blame, evidence, shared_blame},
        memory::{
            edge::EdgeMemory,
            path::MIN_PATH_SAMPLES,
            requests::RequestMemory,
            tail::{Slow, TAIL_ALPHA},
        },
        stats::{ms, percent},
    },
    state::ResponseView,
};
use netwhy_abi::Role;

/// Requests of a window that a statement about one edge needs.
const MIN_REQUESTS: u64 = 8;
/// Time from which a slow answer may be one that was lost and sent again, µs: timers take 0.2 s at least.
const RESENT_US: f64 = 150_000.0;
/// Segments sent again per slow request from which that is likely. Where answers are lost, so are acknowledgements, and
/// this end sends its requests again.
const RESENT_SHARE: f64 = 0.1;
/// Multiple of the usual requests or bytes per second from which slow requests are no wonder.
const HIGHER_LOAD: f64 = 2.0;
/// Share of the growth that a stage must have to be the reason for it, and share of a slow request's time that the path
/// may not explain.
const MAIN: f64 = 0.5;

/// The slow requests of one client's edge, and the reason.
pub(super) struct Late {
    slow: Slow,
    growth: Growth,
    /// Most of a slow request's extra time that a longer path may take, µs. `None`: not known.
    path_us: Option<f64>,
}

/// Whether response times decide about an edge. They do where they are known, and where nobody waits for answers
/// although requests are timed: acknowledgements that come late harm nobody there.
pub(super) fn decide(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let known = edge.memory.and_then(EdgeMemory::requests).is_some_and(RequestMemory::is_known);
    // Connections that are too short to be timed on some kernels may carry requests.
    let one_way = context.times_requests && edge.tally().connects.iter().sum::<u64>() == 0;
    edge.view.role.is_some() && (known || (one_way && edge.view.responses.is_none()))
}

/// Whether the requests of a client's edge can be judged.
pub(super) fn can_be_judged(edge: &Edge<'_>) -> bool {
    let requests = edge.requests().map_or(0, |(now, _)| now.window.durations.count());
    edge.view.role == Some(Role::Client) && requests >= MIN_REQUESTS
}

/// The slow requests of a client's edge, if its peer is the reason.
pub(super) fn late(context: &Context<'_>, edge: &Edge<'_>) -> Option<Late> {
    let (now, known) = edge.requests()?;
    let slow = known.slow(now, context.thresholds)?;
    let growth = Growth::new(now, Role::Client, known.times());
    if is_load_higher(context, now, known, payload(context, edge).unwrap_or_default())
        || edge.is_limited(context.thresholds)
    {
        return None;
    }
    // Losses have rules of their own. Outside the cluster the path is the peer's.
    let theirs = growth.share("peer") + if edge.is_external() { growth.share("network") } else { 0.0 };
    let path_us = path_us(edge, now, known, &slow);
    let acquitted =
        edge.is_external() || path_us.is_some_and(|us| us <= MAIN * slow.increase_us()) || context.is_peer_fast(edge);
    (theirs >= MAIN && acquitted).then_some(Late { slow, growth, path_us })
}

/// Payload per second of an edge, now and usually. `None`: not known.
fn payload(context: &Context<'_>, edge: &Edge<'_>) -> Option<(f64, f64)> {
    let (_, known) = edge.requests()?;
    let tally = edge.tally();
    let now = (tally.bytes_acked + tally.bytes_received) as f64 / context.window.as_secs_f64();
    Some((now, known.bytes_each()? * known.times().per_second()?))
}

/// The load grew so much that slow requests are no wonder. `payload`: now and usually.
fn is_load_higher(context: &Context<'_>, now: &ResponseView, known: &RequestMemory, payload: (f64, f64)) -> bool {
    let per_second = now.window.durations.count() as f64 / context.window.as_secs_f64();
    let more = |now: f64, usual: f64| usual > 0.0 && now >= HIGHER_LOAD * usual;
    more(payload.0, payload.1) || known.times().per_second().is_some_and(|usual| more(per_second, usual))
}

/// Most that a longer path may add to a request, by its round trips and by the requests that are still fast.
fn path_us(edge: &Edge<'_>, now: &ResponseView, known: &RequestMemory, slow: &Slow) -> Option<f64> {
    let usual_min = edge.memory.and_then(EdgeMemory::min_us);
    let by_rtt = |tally: &crate::sample::Tally| {
        let enough = tally.rtt.count() >= MIN_PATH_SAMPLES;
        enough.then(|| Some(tally.rtt.quantile_us(0.1)? - usual_min?)).flatten()
    };
    let recent = &now.recent.durations;
    let fast = |us: f64| Some(us - known.times().durations()?.quantile_us(0.1)?);
    let by_requests = recent.quantile_us(0.1).filter(|_| recent.count() >= MIN_REQUESTS).and_then(fast);
    // Once all requests of the window are slow, all its round trips are as old as the slowdown.
    let all_slow = now.window.durations.quantile_us(0.1).is_some_and(|us| us >= f64::from(slow.limit_us));
    let older = by_rtt(edge.tally()).filter(|_| all_slow);
    let bounds = [by_rtt(&edge.view.recent).or(older), by_requests];
    bounds.into_iter().flatten().reduce(f64::min).map(|us| us.max(0.0))
}

/// p95 and p99 with their usual values, the share of slow requests, and the stages.
fn numbers(
    now: &ResponseView,
    known: &RequestMemory,
    (slow, growth): (&Slow, &Growth),
    role: Role,
    place: &str,
) -> Vec<Evidence> {
    let (label, source) = (role.label(), "ebpf:tcp_probe");
    let usual = known.times().durations();
    let quantile = |q: f64| {
        let signal = format!("netwhy_tcp_response_seconds{{role=\"{label}\",quantile=\"{q}\"}}");
        let value = evidence(&signal, now.window.durations.quantile_us(q)? / 1e6, "seconds", place, source);
        Some(Evidence { baseline: usual.and_then(|usual| usual.quantile_us(q)).map(|us| us / 1e6), ..value })
    };
    let share = evidence("slow_requests", slow.share(), "share of requests", place, source);
    let mut out = vec![Evidence { baseline: Some(slow.usual_share), ..share }];
    out.extend([0.95, 0.99].into_iter().filter_map(quantile));
    out.extend(growth.stages.iter().map(|stage| {
        let signal = format!("netwhy_tcp_response_wait_seconds_total{{role=\"{label}\",stage=\"{}\"}}", stage.name);
        let value = evidence(&signal, stage.now_us / 1e6, "seconds per request", place, source);
        Evidence { baseline: Some(stage.usual_us / 1e6), ..value }
    }));
    out
}

/// `20 % of 500 requests take more than 6.0 ms, typically 200 ms (usually 0.10 % do; median 1.1 ms)`.
fn text(slow: &Slow) -> String {
    format!(
        "{} of {} requests take more than {}, typically {} (usually {} do, and the median is {})",
        percent(slow.share()),
        slow.requests,
        ms(f64::from(slow.limit_us)),
        ms(slow.typical_us),
        percent(slow.usual_share),
        ms(slow.usual_us)
    )
}

/// Segments of this end that were sent again.
fn resent(edge: &Edge<'_>) -> u64 {
    edge.tally().retransmits.iter().sum()
}

/// The slow answers may be lost ones.
fn may_be_lost(edge: &Edge<'_>, slow: &Slow) -> bool {
    edge.is_remote() && slow.typical_us >= RESENT_US && resent(edge) as f64 >= RESENT_SHARE * slow.slow as f64
}

/// Rules out the network by the stages that it takes, and by the path.
fn network_ruled_out(context: &Context<'_>, edge: &Edge<'_>, late: &Late) -> Vec<RuledOut> {
    let path = match late.path_us {
        Some(us) => format!("a longer path explains at most {} of {}", ms(us), ms(late.slow.increase_us())),
        None => format!("other connections to {} are as fast as ever", place_of(edge)),
    };
    let path = (!edge.is_external()).then(|| RuledOut { cause: "path_latency".into(), because: path });
    let loss = late.growth.of("retransmission").map(|stage| RuledOut {
        cause: "path_loss".into(),
        because: format!(
            "retransmissions take {} per request (usually {}); {} segments sent again beside {} slow requests",
            ms(stage.now_us),
            ms(stage.usual_us),
            resent(edge),
            late.slow.slow
        ),
    });
    let loss = loss.filter(|_| !may_be_lost(edge, &late.slow));
    path.into_iter().chain(loss).chain(context.rule_out_limits(edge)).collect()
}

/// A client waits for its peer.
pub(super) fn peer(
    context: &Context<'_>,
    subject: &Subject<'_>,
    edge: &Edge<'_>,
    (late, peers): (&Late, SlowPeers),
) -> Option<Finding> {
    let (now, known) = edge.requests()?;
    let Late { slow, growth, .. } = late;
    let (name, place) = (subject.name(), context.place(edge));
    let mut numbers = numbers(now, known, (slow, growth), Role::Client, &place);
    numbers.push(evidence("slow_peers", peers.slow as f64, &format!("of {} peers", peers.judged), name, "netwhy"));
    // All at once: they may share a dependency, or this Node takes the time.
    let (pair, mut others) = (context.pair(edge), Vec::new());
    if peers.are_all() {
        others.push((BlameKind::Node, context.node));
    }
    let may_be_lost = may_be_lost(edge, slow) && !edge.is_external();
    if may_be_lost {
        others.push((BlameKind::NodePair, pair.as_str()));
    }
    let (peer_name, share) = (edge.peer_pod_name(), if peers.are_all() { 0.7 } else { 0.8 });
    let culprit = shared_blame((edge.blame_kind(BlameKind::PeerPod), &peer_name), share, &others);
    let rule = if edge.is_external() { &EXTERNAL_SLOW } else { &PEER_SLOW };
    let spared = match (edge.is_external(), may_be_lost) {
        (true, _) => "outside the cluster",
        (_, true) => "or for answers that are lost on the way",
        _ => "not for the network",
    };
    Some(Finding {
        nats: TAIL_ALPHA.ln() - slow.ln_p,
        summary: format!("{name} waits for {}, {spared}: {}; {}", edge.peer_name(), text(slow), growth.text()),
        evidence: numbers,
        ruled_out: network_ruled_out(context, edge, late),
        edges: vec![edge.ix],
        ..Finding::new(rule, subject.ix, culprit)
    })
}

/// A server answers late, and no callee explains it.
pub(super) fn server(context: &Context<'_>, subject: &Subject<'_>) -> Option<Finding> {
    let now = subject.view.server.as_deref()?;
    let known = context.memory.servers.of(&subject.view.id)?;
    let slow = known.slow(now, context.thresholds)?;
    let growth = Growth::new(now, Role::Server, known.times());
    let edges = || subject.edges.iter().map(|ix| context.edge(*ix));
    let serving = || edges().filter(|edge| edge.view.role == Some(Role::Server) && edge.view.responses.is_some());
    let each = serving().filter_map(|edge| payload(context, edge));
    let payload = each.fold((0.0, 0.0), |sum, (now, usual)| (sum.0 + now, sum.1 + usual));
    let callees = Callees::new(edges());
    if is_load_higher(context, now, known, payload) || callees.extra_us >= MAIN * growth.extra_us() {
        return None;
    }
    let name = subject.name();
    let mut numbers = numbers(now, known, (&slow, &growth), Role::Server, name);
    numbers.extend(pressure(context, subject));
    let network = "a server's response time begins when a request has arrived, and ends when its answer is sent";
    let network = RuledOut { cause: "path_latency".into(), because: network.into() };
    let peers = callees.judged.gt(&0).then(|| RuledOut {
        cause: PEER_SLOW.id.into(),
        because: format!(
            "its {} callees take {} more than usual per request",
            callees.judged,
            ms(callees.extra_us / slow.requests as f64)
        ),
    });
    let throttling = subject.rule_out_throttling(context.thresholds);
    Some(Finding {
        nats: TAIL_ALPHA.ln() - slow.ln_p,
        certainty: if callees.unknown == 0 { 1.0 } else { 0.9 },
        summary: format!("{name} answers late, not the network: {}; {}", text(&slow), growth.text()),
        evidence: numbers,
        ruled_out: [network].into_iter().chain(peers).chain(throttling).collect(),
        edges: serving().map(|edge| edge.ix).collect(),
        ..Finding::new(&POD_APPLICATION_SLOW, subject.ix, blame(BlameKind::Pod, name))
    })
}

/// The peers that a server calls itself.
#[derive(Default)]
struct Callees {
    /// Those with known response times.
    judged: usize,
    /// Those without.
    unknown: usize,
    /// Time that all their answers of the window took longer than usual, µs.
    extra_us: f64,
}

impl Callees {
    fn new<'c>(edges: impl Iterator<Item = &'c Edge<'c>>) -> Self {
        let mut callees = Self::default();
        for edge in edges.filter(|edge| edge.view.role == Some(Role::Client)) {
            match edge.requests() {
                Some((now, known)) => {
                    callees.judged += 1;
                    callees.extra_us += Growth::new(now, Role::Client, known.times()).extra_us();
                }
                None => callees.unknown += 1,
            }
        }
        callees
    }
}

/// Waits of a server's own tasks.
fn pressure(context: &Context<'_>, subject: &Subject<'_>) -> Vec<Evidence> {
    let seconds = context.window.as_secs_f64();
    let some = subject.view.window_pressure.map(|psi| {
        let signal = "netwhy_pressure_seconds_total{resource=\"cpu\",kind=\"some\"}";
        evidence(signal, psi.cpu_some_us as f64 / 1e6 / seconds, "seconds per second", subject.name(), "cpu.pressure")
    });
    let drops = subject.view.window_connects.accept_drops;
    let queue = (drops > 0).then(|| {
        let signal = "netwhy_tcp_accept_queue_overflows_total";
        evidence(signal, drops as f64, "connections", subject.name(), "ebpf:tcp_listen")
    });
    some.into_iter().chain(queue).collect()
}

#[cfg(test)]
mod tests;
