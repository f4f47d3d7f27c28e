//! Slow requests by their response times: which share of them, which stage of them grew, and who takes that stage.
//!
//! The kernel times requests, so that waits of the measured Pod's own tasks are not in a client's times, and nothing of
//! the network is in a server's.

mod abandoned;
mod few;
mod mix;
mod server;

pub(super) use few::Few;
pub(super) use server::servers;

use super::{PATH_FAST, PEER_SLOW, SlowPeers, external::EXTERNAL_SLOW, place_of, spared};
use crate::{
    api::{Evidence, RuledOut},
    hints::{
        context::{Context, Edge, Subject},
        culprit::{answers::RESENT_US, suspects::Odds},
        finding::{Finding, evidence},
        memory::{
            edge::EdgeMemory,
            path::MIN_PATH_SAMPLES,
            requests::RequestMemory,
            tail::{Slow, TAIL_ALPHA},
        },
        rules::{stages::Growth, unanswered::PEER_NOT_ANSWERING},
        stats::{ms, percent},
    },
    sample::{FineHistogram, Tally},
    state::ResponseView,
};
use abandoned::{Abandoned, hides};
use mix::Mix;
use netwhy_abi::Role;

/// Requests of a window that a statement about one edge needs.
const MIN_REQUESTS: u64 = 8;
/// Segments sent again per slow request from which that is likely. Where answers are lost, so are acknowledgements, and
/// this end sends its requests again.
const RESENT_SHARE: f64 = 0.1;
/// Multiple of the usual requests or bytes per second that makes slow requests no wonder …
const HIGHER_LOAD: f64 = 2.0;
/// … and the one that a window shows for it at least: it may have half of its time before the step.
const LEAST_HIGHER: f64 = 1.5;
/// Standard deviations by which chance may raise a number of requests: by more in 1 of 740 windows.
const DEVIATIONS: f64 = 3.0;
/// Share of the growth that a stage must have to be the reason for it, and share of a slow request's time that the path
/// may not explain.
const MAIN: f64 = 0.5;
/// Longest that a kernel delays an acknowledgement to send it with an answer, with some slack, µs.
const DELAYED_ACK_US: f64 = 60_000.0;
/// Round trips that are as late as the requests from which they count.
const MIN_LATE: u64 = 2;
/// Odds of a loss on the path when this end sent requests again beside slow answers.
const LOST_ODDS: f64 = 0.3;

/// The slow requests of one client's edge, and the reason.
pub(super) struct Late {
    slow: Slow,
    growth: Growth,
    mix: Mix,
    /// Most of a slow request's extra time that a longer path may take, µs. `None`: not known.
    path_us: Option<f64>,
}

impl Late {
    /// Time by which a slow request is longer than usual, µs.
    pub(super) fn increase_us(&self) -> f64 {
        self.slow.increase_us()
    }
}

/// Whether response times decide about an edge. They do where they are known, and where nobody waits for answers
/// although requests are timed: acknowledgements that come late harm nobody there.
pub(super) fn decide(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let known = edge.memory.and_then(EdgeMemory::requests).is_some_and(RequestMemory::is_known);
    // Connections that are too short to be timed on some kernels may carry requests.
    let one_way = context.times_requests && edge.tally().connects.iter().sum::<u64>() == 0;
    edge.view.role.is_some() && (known || (one_way && edge.view.responses.is_none()))
}

/// Whether the window's requests tell if the client of an edge waits for answers. Observed ones count, not those that
/// they stand for.
pub(super) fn tell(edge: &Edge<'_>) -> bool {
    let observed = |now: &ResponseView| now.window.durations.count() as f64 * now.window.independence();
    let requests = edge.requests().map_or(0.0, |(now, _)| observed(now));
    edge.view.role == Some(Role::Client) && requests >= MIN_REQUESTS as f64
}

/// Whether the requests of a client's edge can be judged, alone or with those of others.
pub(super) fn can_be_judged(context: &Context<'_>, edge: &Edge<'_>, few: &Few) -> bool {
    let requests = edge.requests().map_or(0, |(now, _)| now.window.durations.count());
    edge.view.role == Some(Role::Client) && (requests >= MIN_REQUESTS || few.slow(context, edge).is_some())
}

/// The slow requests of a client's edge, if its peer is the reason.
pub(super) fn late(context: &Context<'_>, edge: &Edge<'_>, few: &Few) -> Option<Late> {
    let (now, known) = edge.requests()?;
    let slow = known.slow(now, context.thresholds).or_else(|| few.slow(context, edge))?;
    let growth = Growth::new(now, Role::Client, known.times());
    let mix = Mix::of(context, now, known, &slow);
    if is_load_higher(context, now, known, payload(context, edge).unwrap_or_default())
        || edge.is_limited(context.thresholds)
        || mix.is_other_kind()
    {
        return None;
    }
    // Losses have rules of their own. Outside the cluster the path is the peer's.
    let theirs = growth.share("peer") + if edge.is_external() { growth.share("network") } else { 0.0 };
    let path_us = path_us(edge, now, known, &slow);
    let acquitted =
        edge.is_external() || path_us.is_some_and(|us| us <= MAIN * slow.increase_us()) || context.is_peer_fast(edge);
    (theirs >= MAIN && acquitted).then_some(Late { slow, growth, mix, path_us })
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
    let seconds = context.window.as_secs_f64();
    let usually = known.times().per_second().unwrap_or(0.0);
    let multiple = higher_load(usually * seconds * now.window.independence());
    let more = |now: f64, usual: f64| usual > 0.0 && now >= multiple * usual;
    more(payload.0, payload.1) || more(now.window.durations.count() as f64 / seconds, usually)
}

/// Multiple of the usual load from which a window's load is higher. `requests`: those that are usual in a window, as tests
/// count them. A load that doubles shows as less than twice the usual one, by chance and while the window reaches back
/// before the step. Of few requests chance makes half as many again.
fn higher_load(requests: f64) -> f64 {
    (1.0 + DEVIATIONS / requests.max(f64::MIN_POSITIVE).sqrt()).clamp(LEAST_HIGHER, HIGHER_LOAD)
}

/// Most that a longer path may add to a request, by its round trips and by the requests that are still fast.
fn path_us(edge: &Edge<'_>, now: &ResponseView, known: &RequestMemory, slow: &Slow) -> Option<f64> {
    let usual_min = edge.memory.and_then(EdgeMemory::min_us);
    let by_rtt = |tally: &Tally| {
        let enough = tally.rtt.count() >= MIN_PATH_SAMPLES;
        enough.then(|| Some(tally.rtt.quantile_us(0.1)? - usual_min?)).flatten()
    };
    let recent = &now.recent.durations;
    let fast = |us: f64| Some(us - known.times().durations()?.quantile_us(0.1)?);
    // A slowdown of several windows lasts at least as long as the present one. Once all requests of the window are slow,
    // all its round trips are as old as the slowdown.
    let lasts = slow.windows > 1;
    let all_slow = now.window.durations.quantile_us(0.1).is_some_and(|us| us >= f64::from(slow.limit_us));
    let enough = |durations: &&FineHistogram| durations.count() >= MIN_REQUESTS;
    let of_requests = Some(recent).filter(enough).or(Some(&now.window.durations).filter(|_| lasts).filter(enough));
    let by_requests = of_requests.and_then(|durations| durations.quantile_us(0.1)).and_then(fast);
    let older = by_rtt(edge.tally()).filter(|_| all_slow || lasts);
    let bounds = [by_rtt(&edge.view.recent).or(older), by_requests];
    bounds.into_iter().flatten().reduce(f64::min).map(|us| us.max(0.0))
}

/// The share of slow requests, p95 and p99 with their usual values, those that ended without an answer, and the stages.
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
    out.extend([0.95, 0.99].into_iter().filter(|q| !hides(now, *q)).filter_map(quantile));
    let unanswered = Abandoned::of(now, slow).unanswered;
    out.extend((unanswered > 0).then(|| evidence("requests_given_up", unanswered as f64, "requests", place, source)));
    out.extend(growth.stages.iter().map(|stage| {
        let signal = format!("netwhy_tcp_response_wait_seconds_total{{role=\"{label}\",stage=\"{}\"}}", stage.name);
        let value = evidence(&signal, stage.now_us / 1e6, "seconds per request", place, source);
        Evidence { baseline: Some(stage.usual_us / 1e6), ..value }
    }));
    out
}

/// `20 % of 500 requests take more than 6.0 ms, typically 200 ms (usually 0.10 % do; median 1.1 ms)`.
fn text(slow: &Slow, now: &ResponseView) -> String {
    let windows = if slow.windows > 1 { format!(" in {} windows", slow.windows) } else { String::new() };
    let abandoned = Abandoned::of(now, slow);
    let typical = match (abandoned.are_most(), slow.windows > 1) {
        (true, false) => format!("{} requests ended without an answer", abandoned.unanswered),
        (true, true) => format!("{} requests of the newest ended without an answer", abandoned.unanswered),
        _ => format!("typically {}", ms(slow.typical_us)),
    };
    format!(
        "{} of {} requests{windows} take more than {}, {typical} (usually {} do, and the median is {})",
        percent(slow.share()),
        slow.requests,
        ms(f64::from(slow.limit_us)),
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
    edge.is_remote() && slow.typical_us >= RESENT_US && resent(edge) as f64 >= RESENT_SHARE * slow.per_window()
}

/// Rules out the network by the stages that it takes, and by the path.
fn network_ruled_out(context: &Context<'_>, edge: &Edge<'_>, late: &Late) -> Vec<RuledOut> {
    let path = match late.path_us {
        Some(us) => format!("a longer path explains at most {} of {}", ms(us), ms(late.slow.increase_us())),
        None => format!("other connections to {} are as fast as ever", place_of(edge)),
    };
    let is_ruled_out = !edge.is_external() && !delays_some(edge, &late.slow);
    let path = is_ruled_out.then(|| RuledOut { cause: "path_latency".into(), because: path });
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
    (late, peers): (&Late, SlowPeers<'_, '_, '_>),
) -> Option<Finding> {
    let (now, known) = edge.requests()?;
    let Late { slow, growth, mix, .. } = late;
    let (name, place) = (subject.name(), context.place(edge));
    let mut numbers = numbers(now, known, (slow, growth), Role::Client, &place);
    numbers.push(evidence("slow_peers", peers.slow as f64, &format!("of {} peers", peers.judged), name, "netwhy"));
    let (culprit, path) = peers.suspects.blame_with(edge.ix, Odds { path: path_odds(edge, late), ..Odds::EVEN });
    let rule = match (Abandoned::of(now, slow).are_the_peers(edge, known), edge.is_external()) {
        (true, _) => &PEER_NOT_ANSWERING,
        (_, true) => &EXTERNAL_SLOW,
        _ => &PEER_SLOW,
    };
    let spared = match (edge.is_external(), may_be_lost(edge, slow)) {
        (true, _) => "outside the cluster",
        (_, true) => "or for answers that are lost on the way",
        _ => spared(path, delays_some(edge, slow)),
    };
    Some(Finding {
        nats: TAIL_ALPHA.ln() - slow.ln_p,
        covers: Some(context.window * slow.windows),
        certainty: mix.certainty(),
        summary: format!("{name} waits for {}, {spared}: {}; {}", edge.peer_name(), text(slow, now), growth.text()),
        evidence: numbers,
        ruled_out: network_ruled_out(context, edge, late),
        edges: vec![edge.ix],
        ..Finding::new(rule, subject.ix, culprit)
    })
}

/// How likely something on the path makes these requests late, relative to normal odds. It is hardly a path whose own
/// round trips, or fastest requests, are as fast as usual. But one that delays a share of the packets delays a share of
/// the round trips too, unless their acknowledgements ride on late answers.
fn path_odds(edge: &Edge<'_>, late: &Late) -> f64 {
    let bounded = edge.is_external() || late.path_us.is_some_and(|us| us <= MAIN * late.increase_us());
    match (may_be_lost(edge, &late.slow), bounded && !delays_some(edge, &late.slow)) {
        (true, _) => LOST_ODDS,
        (_, true) => PATH_FAST,
        _ => 1.0,
    }
}

/// A share of the round trips is as late as the slow requests, although acknowledgements wait for no program that long.
fn delays_some(edge: &Edge<'_>, slow: &Slow) -> bool {
    let limit = DELAYED_ACK_US.max(MAIN * slow.increase_us());
    let rtt = [&edge.view.recent.rtt, &edge.view.window.rtt].into_iter().find(|rtt| rtt.count() >= MIN_PATH_SAMPLES);
    rtt.is_some_and(|rtt| {
        let late = rtt.count() - rtt.count_up_to(limit.min(f64::from(u32::MAX)) as u32);
        late >= MIN_LATE && late as f64 >= MAIN * slow.share() * rtt.count() as f64
    })
}

#[cfg(test)]
mod tests;
