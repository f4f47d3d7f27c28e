//! Slow programs while the path is as fast as usual: by response times where they are measured, else by think time, as
//! acknowledgements wait for late replies.

pub(crate) mod external;
mod requests;
mod round_trips;

use crate::hints::{
    context::{Context, Edge, Subject, cpus},
    culprit::{answers::Late, suspects::Suspects},
    finding::Finding,
    rule::{Family, QueryTemplate, Rule},
    rules::queries,
};
use std::collections::BTreeSet;

pub(crate) const POD_APPLICATION_SLOW: Rule = Rule {
    id: "pod_application_slow",
    family: Family::Waiting,
    order: 500,
    symptom: "rtt_inflation",
    meaning: "The network is acquitted: the Pod itself takes the time. As a server it answers late, timed by its \
              kernel from the request's arrival to the answer's departure. Without response times: all peers of the Pod look \
              slow at once over paths that are as fast as usual, and its own tasks stall.",
    signals: &[
        "netwhy_tcp_response_seconds{role=\"server\"}",
        "netwhy_tcp_response_wait_seconds_total{role=\"server\"}",
        "netwhy_tcp_rtt_seconds",
        "netwhy_tcp_min_rtt_seconds",
        "netwhy_pressure_seconds_total",
    ],
    test: "Of the Pod as a server, of all clients together: the test of `peer_slow` for response times. `unread` grew: \
           the application did not get to read (throttling, CPU pressure, a full accept queue, busy workers). \
           `application` grew: it thinks. Where requests have several segments (a mean above 1,448 bytes) and packets \
           from these clients are late, or one is sent again per ten slow requests, the path stays a candidate. So \
           it does where as many are sent again as requests are slow. Without \
           response times: `peer_slow` holds for every peer that the Pod is a client of, at least 3. The Pod's tasks \
           stall for CPU, memory or IO at least 20 % of the window (PSI, some). Independent slow peers at the same time \
           are less likely than any single one.",
    minimum: "`signals.responses`, a baseline of 10 clean windows and 20 requests, and 4 slow requests. Of 8 to 19 known \
              requests, the strict test of `peer_slow`. Else 3 peers with 20 RTT samples each, and PSI.",
    ruled_out_by: "The Pod's own callees explain half of the time that its requests take longer: by late answers, or by \
                   attempts to connect that wait for an answer. Lost segments of requests explain half of the \
                   slow ones, if as many are lost as the Pod must send again to these clients (3 loss episodes, by \
                   chance once in 1,000 windows). Only the mix changed: new clients wait, or more of the \
                   requests are of clients whose requests always take as long, and each with a baseline is served as \
                   ever. Where some connections stand for the others: slow requests of fewer than four clients, none of \
                   which has a baseline. The slow ones come on top of the usual ones: another kind of requests. Or they are no more and \
                   no slower than they always were, and quick ones became fewer. Half as much load again as usual, in \
                   requests or bytes per second (twice as much where requests are few). Without response times: one \
                   peer that is as fast as usual. No pressure of the Pod's own: then the peers are blamed, and the hint says that they may share a \
                   dependency. `pod_cpu_throttled`.",
    action: "Profile the Pod: the network and the paths to its peers are fine. Start with the pressure in the \
             evidence.",
    caused_by: &[
        "node_cpu_contention",
        "pod_cpu_starved",
        "node_memory_pressure",
        "pod_memory_pressure",
        "node_io_pressure",
        "pod_io_pressure",
        "pod_cpu_throttled",
        "pod_accept_queue_full",
        "pod_not_reading",
        "peer_not_answering",
        "dns_slow",
        "dns_answer_lost",
    ],
    caused_by_at_peer: &[],
    queries: &[
        QueryTemplate { shows: "95th percentile of response times, by role", promql: queries::RESPONSE },
        QueryTemplate { shows: "time that requests spend in each stage, by role", promql: queries::RESPONSE_STAGES },
        QueryTemplate { shows: "share of time that tasks waited, by resource", promql: queries::PRESSURE },
    ],
};

pub(crate) const PEER_SLOW: Rule = Rule {
    id: "peer_slow",
    family: Family::Waiting,
    order: 510,
    symptom: "rtt_inflation",
    meaning: "The network is acquitted: the path to the peer is as fast as usual. But the peer answers late, always or \
              in a share of the requests. The peer takes the time.",
    signals: &[
        "netwhy_tcp_response_seconds{role=\"client\"}",
        "netwhy_tcp_response_wait_seconds_total{role=\"client\"}",
        "netwhy_tcp_rtt_seconds",
        "netwhy_tcp_min_rtt_seconds",
        "reply_time",
    ],
    test: "**With response times**: more requests than a quantile (0.5, 0.75, 0.9, 0.95 or 0.99) leaves above itself \
           are slow. Slow is above `rtt_inflation` times that quantile's usual value, or 0.1 s above it if that is \
           less. It is at least `think_time_ms` above it, and half as much again. So many are slow in normal times \
           with a chance below 1e-6 (binomial). For that, the usual share is at least 0.5 %, and the most that a normal \
           window showed. They are slow in the last 3 s and before; a single stall that has ended does not count. \
           Of fewer than 100 requests per window, up to four windows are judged together: each has slow ones, which \
           come and go at least three times. Of fewer than 200, up to four windows are also judged by all that was \
           seen before them: after an unchanged share, slow requests would fall into the newer part so often with a \
           chance below 0.03 / n² after n windows, 1e-6 at least (hypergeometric, over all numbers of windows and \
           limits together). These chances add up to 1.9 % for an edge until its baseline is old. Where only 8 to 19 \
           requests are known, all of the newest (4 at least) must be slower than all of these. Requests that are alike \
           come in such an order with a chance below 1e-6, over all Pods of this Node that call the same port together. \
           Spread over all requests, they lose at least `think_time_ms`. At least half of the growth is in the stage \
           `peer`. A longer path explains at most half of it: round trips, or the fastest tenth of the requests, tell \
           how much. Requests that were never answered count as the slowest; where half of the slow ones are such, \
           see `peer_not_answering`. Certainty is 0.8 where too few quick requests are missing to tell that the usual ones became slow. **Else**: the median RTT is at least \
           `rtt_inflation` times its baseline and \
           `think_time_ms` above the window's minimum. Or the same holds for the median reply time (a client's last \
           data sent to the first data received). Newer RTT samples are still near the baseline's minimum (within \
           1.5 × or `rtt_floor_ms`). Or all RTT samples of the last 3 s rose by as much (the test of `path_latency`). At the \
           same time another connection to the same Node (the same address where no Node is known) has two as fast as \
           usual. A median of 20 samples triples with a chance below 1e-6. This assumes independent samples, of which \
           at most one in ten is that slow in normal times. **Who** is at fault follows from the answers on all edges \
           of this Node's clients, the fast ones too. It is the peer, its Node (all servers there), this Pod (alone \
           among the peer's clients), or the path where round trips don't acquit it. Where answers are 0.15 s late or \
           more, losses on other edges to the same Node speak for the path.",
    minimum: "With response times: 8 requests, 4 of them slow, and a baseline of 10 clean windows and 20 requests (8 \
              for the strict test); of windows that are judged together, twice as many requests as are judged, or \
              slow ones enough to prove it beside fewer. \
              Else 20 samples, and a baseline of 10 clean windows. Of reply times 8 samples, of which seven are as late. \
              Beside another connection, 8 RTT samples in the last 3 s. Reply times come from clients only (by their \
              ports). RTTs count when the Pod started all handshakes on the edge: a server's RTT also contains its \
              clients' think time, which is nobody's fault.",
    ruled_out_by: "The peer's window or the local buffer holds the sender back. With response times: half as much \
                   load again as usual, in requests or bytes per second (twice as much where requests are few); slow \
                   ones that come on top of the usual ones, which are as many and as fast as ever; slow ones that are \
                   no more and no slower than they always were, while quick ones became fewer; retransmissions take \
                   the time. Else: loss; three quarters of the usual quick round trips are there, beside others; half \
                   as much payload again as usual; the Pod is throttled; nobody waits for an answer; the minimum RTT \
                   rose too while no other connection goes \
                   there (path or constant think time: undecidable). All peers are slow at once, two at least, and \
                   the Node's CPUs are used up. In `kubectl netwhy why` also the figures of the peer's own agent: \
                   where it answers these requests in time, the cause is `path_latency`.",
    action: "Check the peer's application and its dependencies. The path needs no attention.",
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
        "pod_accept_queue_full",
        // Requests that get no answer count as the slowest.
        "pod_not_reading",
        // A client sees neither a longer way of its answers nor their losses, nor a queue on it.
        "path_latency",
        "path_loss",
        "node_packet_loss",
        "pod_bandwidth_limited",
        "pod_application_slow",
        "peer_slow",
        "external_slow",
        // It waits for others itself.
        "peer_unreachable",
        "port_filtered",
        "peer_not_answering",
        "dns_answer_lost",
        "dns_slow",
    ],
    queries: &[
        QueryTemplate { shows: "95th percentile of response times, by role", promql: queries::RESPONSE },
        QueryTemplate { shows: "time that requests spend in each stage, by role", promql: queries::RESPONSE_STAGES },
        QueryTemplate { shows: "median RTT by peer class", promql: queries::RTT },
    ],
};

/// Peers that must all be slow before the Pod itself is suspected.
const MIN_PEERS: usize = 3;

/// Peers that are all slow from which they may wait for what they share: one alone may be slow for itself.
const SEVERAL: usize = 2;

/// A judged edge of a subject.
struct Judged<'c, 'a> {
    edge: &'c Edge<'a>,
    /// `None`: it is as fast as usual.
    slow: Option<How>,
}

/// How a slow edge shows.
enum How {
    /// Its acknowledgements wait for replies.
    ByRtt,
    /// Its requests take longer.
    ByRequests(requests::Late),
}

/// Odds of a fault on the path of a connection whose own round trips are as fast as usual.
const PATH_FAST: f64 = 0.01;
/// Probability of a fault on the path below which the network is acquitted.
const ACQUITTED: f64 = 0.05;

/// How many of a subject's peers are slow, and who may be at fault.
#[derive(Clone, Copy)]
struct SlowPeers<'s, 'c, 'a> {
    slow: usize,
    judged: usize,
    suspects: &'s Suspects<'c, 'a>,
}

impl SlowPeers<'_, '_, '_> {
    /// All at once: they may share a dependency.
    fn are_all(self) -> bool {
        self.slow >= MIN_PEERS && self.slow == self.judged
    }
}

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut judged: Vec<Vec<Judged<'_, '_>>> = context.subjects().iter().map(|_| Vec::new()).collect();
    let few = requests::Few::new(context);
    for (subject, edge) in context.unclaimed(Family::Waiting) {
        judged[subject.ix.get()].extend(judge_edge(context, subject, edge, &few));
    }
    let late = late(&judged);
    let mut out = Vec::new();
    if !late.slow.is_empty() && !is_busy_machine(context, &late) {
        let suspects = late.suspects(context);
        let subjects = context.subjects().iter().zip(&judged);
        out.extend(subjects.flat_map(|(subject, edges)| of_subject(context, subject, (edges, &suspects))));
    }
    out.extend(requests::servers(context));
    out.extend(external::judge(context, requests::tell));
    out
}

/// All peers are slow at once for a Node whose CPUs are used up: its clients wait for the CPUs, which have rules of their
/// own, or nothing tells who takes the time.
fn is_busy_machine(context: &Context<'_>, late: &Late) -> bool {
    let peers: BTreeSet<_> = late.slow.keys().map(|edge| context.edge(*edge).view.peer).collect();
    late.well.is_empty() && peers.len() >= SEVERAL && cpus::may_be_contended(context)
}

/// All judged edges, by how late their answers are.
fn late(judged: &[Vec<Judged<'_, '_>>]) -> Late {
    let mut late = Late::default();
    for Judged { edge, slow } in judged.iter().flatten() {
        match slow {
            Some(How::ByRequests(requests)) => {
                late.slow.insert(edge.ix, Some(requests.increase_us()));
            }
            Some(How::ByRtt) => {
                let increase = round_trips::of(edge).map(|rtts| rtts.median - rtts.usual_median);
                late.slow.insert(edge.ix, increase.filter(|us| *us > 0.0));
            }
            None => {
                late.well.insert(edge.ix);
            }
        }
    }
    late
}

/// `None`: it can't be judged.
fn judge_edge<'c, 'a>(
    context: &Context<'_>,
    subject: &Subject<'_>,
    edge: &'c Edge<'a>,
    few: &requests::Few,
) -> Option<Judged<'c, 'a>> {
    if requests::decide(context, edge) {
        let slow = || requests::late(context, edge, few).map(How::ByRequests);
        return requests::can_be_judged(context, edge, few).then(|| Judged { edge, slow: slow() });
    }
    let can_be_judged = round_trips::can_be_judged(context, edge) && !subject.is_throttled(context.thresholds);
    can_be_judged.then(|| Judged { edge, slow: round_trips::is_peer_late(context, edge).then_some(How::ByRtt) })
}

fn of_subject(
    context: &Context<'_>,
    subject: &Subject<'_>,
    (edges, suspects): (&[Judged<'_, '_>], &Suspects<'_, '_>),
) -> Vec<Finding> {
    let slow: Vec<(&Edge<'_>, &How)> = edges.iter().filter_map(|one| Some((one.edge, one.slow.as_ref()?))).collect();
    if slow.is_empty() {
        return Vec::new();
    }
    let peers = SlowPeers { slow: slow.len(), judged: edges.len(), suspects };
    // The kernel times requests: stalls of the Pod's own tasks are not in them.
    let by_rtt = || slow.iter().filter(|(_, how)| matches!(how, How::ByRtt)).map(|(edge, _)| *edge);
    if let Some(stall) =
        round_trips::stalled(context, subject).filter(|_| peers.are_all() && by_rtt().count() == slow.len())
    {
        let slow = by_rtt().collect::<Vec<_>>();
        return round_trips::application(context, subject, (&slow, suspects), stall).into_iter().collect();
    }
    let mut inside = edges.iter().filter(|judged| !judged.edge.is_external()).peekable();
    // When all inside are slow too, the external ones are not the reason.
    let all_inside = inside.peek().is_some() && inside.all(|judged| judged.slow.is_some());
    let blamed = slow.iter().filter(|(edge, _)| !(all_inside && edge.is_external()));
    let finding = |(edge, how): &(&Edge<'_>, &How)| match how {
        How::ByRtt => round_trips::peer(context, subject, edge, peers),
        How::ByRequests(late) => requests::peer(context, subject, edge, (late, peers)),
    };
    blamed.filter_map(finding).collect()
}

/// Reasons that the waits do not have. `path`: probability of a fault on the path. `delays_some`: some round trips are as
/// late.
fn spared(path: f64, delays_some: bool) -> &'static str {
    match (delays_some, path < ACQUITTED) {
        (true, _) => "or for packets that are late on the way",
        (_, true) => "not for the network",
        _ => "rather than for the network",
    }
}

/// The end of all paths to the peer.
fn place_of(edge: &Edge<'_>) -> String {
    match edge.view.peer_node {
        Some(_) => edge.peer_node_name(),
        None => edge.peer_name(),
    }
}

#[cfg(test)]
mod tests;
