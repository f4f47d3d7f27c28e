//! Servers that answer late: their own response times, their callees, and their clients.

use super::{
    super::{PEER_SLOW, POD_APPLICATION_SLOW},
    MAIN, MIN_REQUESTS, Mix, RESENT_SHARE, is_load_higher, numbers, payload, resent, text,
};
use crate::{
    api::{Blame, BlameKind, Evidence, RuledOut, Suspect},
    hints::{
        context::{Context, Edge, Subject},
        culprit::{
            answers::{Late as LateAnswers, RESENT_US, loses},
            suspects::Suspects,
        },
        finding::{Finding, blame, evidence},
        memory::{
            path::Path,
            requests::RequestMemory,
            tail::{Slow, TAIL_ALPHA},
        },
        rules::{connect::attempts::Attempts, stages::Growth},
        stats::{binomial_tail_ln, ms},
    },
    state::ResponseView,
};
use netwhy_abi::Role;
use std::collections::BTreeSet;

/// Chance of as many slow requests of known clients from which these are as usual.
const ODD: f64 = 1e-3;
/// Most payload of a segment on Ethernet, bytes: some requests have several if their mean payload is above.
const SEGMENT: f64 = 1_448.0;
/// Standard deviations that a count may be too small by: by more in 1 of 40 windows.
const DEVIATIONS_95: f64 = 2.0;
/// Clients with slow requests that are enough where few connections are observed: each of them is one witness.
const MIN_WITNESSES: usize = 4;
/// Probability that the way here is at fault where requests have several segments, and packets are lost or late.
const ON_THE_WAY: f64 = 0.4;

/// Servers that answer late, and no callee explains it.
pub(in crate::hints::rules::waiting) fn servers(context: &Context<'_>) -> Vec<Finding> {
    let slow: Vec<_> = context.subjects().iter().filter_map(|subject| slow_server(context, subject)).collect();
    if slow.is_empty() {
        return Vec::new();
    }
    let mut late = LateAnswers::default();
    for SlowServer { subject, slow, .. } in &slow {
        let edges = serving(context, subject);
        late.slow.extend(edges.filter(|edge| is_slow(edge, slow)).map(|edge| (edge.ix, Some(slow.increase_us()))));
    }
    let suspects = late.servers(context);
    slow.iter().map(|server| describe_server(context, server, (&suspects, &late))).collect()
}

/// Edges of a server's clients.
fn serving<'c, 'a>(context: &'c Context<'a>, subject: &'c Subject<'a>) -> impl Iterator<Item = &'c Edge<'a>> {
    let edges = subject.edges.iter().map(|ix| context.edge(*ix));
    edges.filter(|edge| edge.view.role == Some(Role::Server) && edge.view.responses.is_some())
}

/// This client's share of the slow requests is no smaller than usual.
fn is_slow(edge: &Edge<'_>, slow: &Slow) -> bool {
    let above = edge.requests().and_then(|(now, known)| known.above(now, slow.increase_us()));
    above.is_none_or(|above| above.slow > 2.0 * above.normal * above.requests)
}

/// A server whose answers come late.
struct SlowServer<'c, 'a> {
    subject: &'c Subject<'a>,
    now: &'c ResponseView,
    known: &'c RequestMemory,
    slow: Slow,
    growth: Growth,
    mix: Mix,
    callees: Callees,
}

fn slow_server<'c, 'a>(context: &'c Context<'a>, subject: &'c Subject<'a>) -> Option<SlowServer<'c, 'a>> {
    let now = subject.view.server.as_deref()?;
    let known = context.memory.servers.of(&subject.view.id)?;
    let slow = known.slow(now, context.thresholds)?;
    let growth = Growth::new(now, Role::Server, known.times());
    let edges = || subject.edges.iter().map(|ix| context.edge(*ix));
    let serving = || serving(context, subject);
    let each = serving().filter_map(|edge| payload(context, edge));
    let payload = each.fold((0.0, 0.0), |sum, (now, usual)| (sum.0 + now, sum.1 + usual));
    let callees = Callees::new(context, edges(), slow.increase_us());
    // Where no read was seen nothing is known of the stages, and so of the time of all requests together.
    let extra_us = if growth.is_known() { growth.extra_us() } else { slow.per_window() * slow.increase_us() };
    let mix = Mix::of(context, now, known, &slow);
    let explained = callees.extra_us >= MAIN * extra_us
        || is_other_mix(serving(), &slow)
        || are_few_witnesses(serving(), now, &slow)
        || wait_for_lost_segments(serving(), (&slow, &growth))
        || mix.is_other_kind();
    if is_load_higher(context, now, known, payload) || explained {
        return None;
    }
    Some(SlowServer { subject, now, known, slow, growth, mix, callees })
}

/// Requests of known clients.
#[derive(Clone, Copy, Default)]
struct OfKnown {
    requests: f64,
    late: f64,
    /// Late ones in normal times, by what each client's own requests usually take.
    usual: f64,
}

impl OfKnown {
    /// Adds one client's requests. `usual`: their usual share of late ones; `weight`: of each request.
    fn add(&mut self, (requests, late): (u64, u64), usual: f64, weight: f64) {
        self.requests += weight * requests as f64;
        self.late += weight * late as f64;
        self.usual += weight * usual * requests as f64;
    }
}

/// Each client that was there before is served as ever, and only the mix changed: new clients wait, as another kind of
/// request takes another time, or more of the requests are of clients whose requests always take as long. On a busy
/// machine some connections stand for the others, so that the sample's mix changes by itself.
fn is_other_mix<'e>(serving: impl Iterator<Item = &'e Edge<'e>>, slow: &Slow) -> bool {
    let (mut counted, mut tested) = (OfKnown::default(), OfKnown::default());
    for (now, known) in serving.filter_map(Edge::requests) {
        let Some(usual) = known.usual_above(slow.limit_us) else { continue };
        let requests = now.window.durations.count();
        let late = requests - now.window.durations.count_up_to(slow.limit_us);
        counted.add((requests, late), usual, 1.0);
        tested.add((requests, late), usual, now.window.independence());
    }
    counted.requests >= MIN_REQUESTS as f64
        && counted.late <= counted.usual + MAIN * slow.per_window()
        && binomial_tail_ln(tested.late, tested.requests, tested.usual / tested.requests) > ODD.ln()
}

/// Where some connections stand for the others, requests of one connection are no independent witnesses, and after a
/// restart others are observed than before. Then the clients that were known before tell, or several clients together.
fn are_few_witnesses<'e>(serving: impl Iterator<Item = &'e Edge<'e>>, now: &ResponseView, slow: &Slow) -> bool {
    if now.window.independence() >= 1.0 {
        return false;
    }
    let (mut known, mut late) = (0.0, BTreeSet::new());
    for edge in serving {
        let Some(window) = edge.view.responses.as_deref().map(|now| &now.window) else { continue };
        let requests = window.durations.count();
        if requests > window.durations.count_up_to(slow.limit_us) {
            late.insert(edge.view.peer);
        }
        let is_known = edge.requests().is_some_and(|(_, known)| known.usual_above(slow.limit_us).is_some());
        known += if is_known { requests as f64 * window.independence() } else { 0.0 };
    }
    known < MIN_REQUESTS as f64 && late.len() < MIN_WITNESSES
}

fn describe_server(
    context: &Context<'_>,
    server: &SlowServer<'_, '_>,
    (suspects, late): (&Suspects<'_, '_>, &LateAnswers),
) -> Finding {
    let SlowServer { subject, now, known, slow, growth, mix, callees } = server;
    let name = subject.name();
    let of_slow: Vec<_> = serving(context, subject).filter(|edge| late.slow.contains_key(&edge.ix)).collect();
    let culprit = of_slow.first().map_or_else(|| blame(BlameKind::Pod, name), |edge| suspects.blame(edge.ix));
    let arrive_late = may_arrive_late(server, &of_slow);
    let culprit = if arrive_late { with_way(context, &culprit, &of_slow) } else { culprit };
    let mut numbers = numbers(now, known, (slow, growth), Role::Server, name);
    numbers.extend(pressure(context, subject));
    let network = "a server's response time begins when a request has arrived, and ends when its answer is sent";
    let network = (!arrive_late).then(|| RuledOut { cause: "path_latency".into(), because: network.into() });
    let spared = if arrive_late { "or its requests arrive late" } else { "not the network" };
    let peers = callees.judged.gt(&0).then(|| RuledOut {
        cause: PEER_SLOW.id.into(),
        because: format!(
            "its {} callees take {} more than usual per request",
            callees.judged,
            ms(callees.extra_us / slow.requests as f64)
        ),
    });
    let throttling = subject.rule_out_throttling(context.thresholds);
    Finding {
        nats: TAIL_ALPHA.ln() - slow.ln_p,
        covers: Some(context.window * slow.windows),
        certainty: mix.certainty() * if callees.unknown == 0 { 1.0 } else { 0.9 },
        summary: format!("{name} answers late, {spared}: {}; {}", text(slow, now), growth.text()),
        evidence: numbers,
        ruled_out: network.into_iter().chain(peers).chain(throttling).collect(),
        edges: serving(context, subject).map(|edge| edge.ix).collect(),
        ..Finding::new(&POD_APPLICATION_SLOW, subject.ix, culprit)
    }
}

/// Whether slow requests may have been on their way for longer. A server's time begins with the first segment of a
/// request: the rest may come late where packets do, and so does that segment where it came damaged and was sent again.
/// `edges`: those of the slow requests.
fn may_arrive_late(server: &SlowServer<'_, '_>, edges: &[&Edge<'_>]) -> bool {
    let (mut bytes, mut requests, mut again, mut is_longer) = (0, 0, 0, false);
    for edge in edges.iter().filter(|edge| edge.is_remote()) {
        bytes += edge.tally().bytes_received;
        requests += edge.view.responses.as_ref().map_or(0, |times| times.window.durations.count());
        again += resent(edge);
        is_longer |= matches!(edge.path, Some(Path::Longer(_)));
    }
    let in_parts = requests > 0 && bytes as f64 > SEGMENT * requests as f64;
    // Where requests are lost, so are acknowledgements, and this end sends its answers again.
    let (again, slow) = (again as f64, server.slow.per_window());
    let is_troubled = is_longer || again >= RESENT_SHARE * slow;
    // The first segment waits for nothing but the program, unless as many packets are lost as requests are slow.
    (in_parts && is_troubled && server.growth.share("unread") < MAIN) || again >= slow
}

/// Whether losses explain the slow requests, which have rules of their own. Where a later segment of a request is lost, the
/// server waits for its client's timer, and the client alone sees that loss. But where packets get lost one way, so do
/// acknowledgements of the answers: this end sends these again as often.
fn wait_for_lost_segments<'e>(serving: impl Iterator<Item = &'e Edge<'e>>, (slow, growth): (&Slow, &Growth)) -> bool {
    if slow.typical_us < RESENT_US || growth.share("unread") >= MAIN {
        return false;
    }
    let lossy = serving.filter(|edge| edge.is_remote() && is_slow(edge, slow) && loses(edge));
    lossy.map(with_lost_segments).sum::<f64>() >= MAIN * slow.per_window()
}

/// Requests of an edge of which a later segment gets lost, if as many of these are as of this end's segments: at most, as
/// far as chance allows.
fn with_lost_segments(edge: &Edge<'_>) -> f64 {
    let tally = edge.tally();
    let requests = edge.view.responses.as_ref().map_or(0, |times| times.window.durations.count()) as f64;
    let later = (tally.bytes_received as f64 / requests.max(1.0) / SEGMENT).ceil() - 1.0;
    let again = tally.retransmitted_data() as f64;
    let lost = (again + DEVIATIONS_95 * again.sqrt()) / tally.data_segs_out.max(1) as f64;
    requests * later.max(0.0) * lost.min(1.0)
}

/// The same candidates beside the way of the requests: the path from one peer, or what several ones share.
fn with_way(context: &Context<'_>, culprit: &Blame, edges: &[&Edge<'_>]) -> Blame {
    let peers: BTreeSet<_> = edges.iter().map(|edge| edge.view.peer_id()).collect();
    let way = match edges {
        [edge, ..] if peers.len() == 1 => (BlameKind::NodePair, context.pair(edge)),
        _ => (BlameKind::Node, context.node.to_owned()),
    };
    let mut all: Vec<Suspect> = culprit.candidates().filter(|one| one.name != way.1).collect();
    all.iter_mut().for_each(|one| one.probability *= 1.0 - ON_THE_WAY);
    all.push(Suspect::new(way.0, way.1, ON_THE_WAY));
    Blame::among(all)
}

/// The peers that a server calls itself.
#[derive(Default)]
struct Callees {
    /// Those with known response times.
    judged: usize,
    /// Those without.
    unknown: usize,
    /// Time that all their answers of the window took longer than usual, and that connections to them were waited for,
    /// µs.
    extra_us: f64,
}

impl Callees {
    /// `increase_us`: by which a slow request is longer than usual. A wait makes one request late: one attempt in the
    /// background explains no more than that.
    fn new<'c>(context: &Context<'_>, edges: impl Iterator<Item = &'c Edge<'c>>, increase_us: f64) -> Self {
        let mut callees = Self::default();
        for edge in edges.filter(|edge| edge.view.role == Some(Role::Client)) {
            // A request to a callee is timed once it is connected.
            callees.extra_us += Attempts::new(context, edge, edge.tally()).waited_us(increase_us);
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
