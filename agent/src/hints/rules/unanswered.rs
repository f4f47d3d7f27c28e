//! Requests that get no answer at all, while the kernel of the other end acknowledges them.

use crate::{
    api::{Blame, Evidence, RuledOut},
    hints::{
        context::{Context, Edge, EdgeIx, Subject},
        culprit::{
            answers::{unanswered, unread},
            suspects::Odds,
        },
        finding::{Finding, evidence},
        memory::{
            edge::EdgeMemory,
            requests::RequestMemory,
            stuck::{STUCK_ALPHA, Stuck},
        },
        rule::{Family, QueryTemplate, Rule},
        rules::queries,
        stats::ms,
    },
    state::RECENT,
};
use netwhy_abi::{Failure, Retransmit, Role};
use std::collections::BTreeSet;

pub(crate) const POD_NOT_READING: Rule = Rule {
    id: "pod_not_reading",
    family: Family::Unanswered,
    order: 330,
    symptom: "unanswered_requests",
    meaning: "The Pod's processes are stopped, deadlocked or stuck: requests have arrived, and it neither answers them \
              nor closes their connections. Its kernel goes on acknowledging, so that nothing else looks wrong.",
    signals: &["netwhy_tcp_unanswered_requests{role=\"server\"}", "netwhy_tcp_response_seconds{role=\"server\"}"],
    test: "Walks at least a second apart find requests that have waited for a second or more, and answers fell below \
           75 % of their usual rate in the last 3 s. Normal requests would wait as long with a chance below 1e-5, over \
           all clients together, if long times become rarer in proportion to their length at least. Two \
           such moments within a minute are enough.",
    minimum: "`signals.responses`. A baseline of 10 clean windows and 20 requests from each client that counts.",
    ruled_out_by: "Long times are normal here: 1 % of the requests take a second or more, or 1 % of the walks find \
                   some that wait (streams, long polls). Answers of a second or more go on: then it is slow. A large \
                   request is still arriving.",
    action: "Take a stack dump of its processes and look for a lock, a stopped process (state T) or an exhausted pool \
             of workers, then restart the Pod. The network is fine.",
    caused_by: &[
        "peer_unreachable",
        "peer_not_answering",
        "pod_cpu_throttled",
        "node_cpu_contention",
        "pod_cpu_starved",
        "node_memory_pressure",
        "pod_memory_pressure",
        "node_io_pressure",
        "pod_io_pressure",
        "dns_slow",
        "port_filtered",
        "dns_answer_lost",
    ],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "requests that wait for an answer, by role", promql: queries::UNANSWERED }],
};

pub(crate) const PEER_NOT_ANSWERING: Rule = Rule {
    id: "peer_not_answering",
    family: Family::Unanswered,
    order: 340,
    symptom: "unanswered_requests",
    meaning: "A peer takes requests and never answers: its process is stopped, deadlocked or stuck. Its kernel goes on \
              acknowledging, so the path and the peer's Node are fine.",
    signals: &["netwhy_tcp_unanswered_requests{role=\"client\"}", "netwhy_tcp_response_seconds{role=\"client\"}"],
    test: "Walks at least a second apart find requests that have waited for a second or more, and answers fell below \
           75 % of their usual rate in the last 3 s. Normal requests would wait as long with a chance below 1e-5, if \
           long times become rarer in proportion to their length at least. Requests that were given up in the last \
           3 s count too. Where clients give up sooner than a walk can see, 3 of these and no answer are enough. Two \
           such moments within a minute are enough. Or a share of the requests gets no answer: they are slow by the \
           test of `peer_slow`, and half of the slow ones, at least, ended without an answer.",
    minimum: "`signals.responses`. A baseline of 10 clean windows and 20 requests.",
    ruled_out_by: "A retransmission timeout in the last 3 s: then the peer's kernel is silent too. Long times are \
                   normal here: 1 % of the requests take a second or more, or 1 % of the walks find some that wait \
                   (streams, long polls). Answers of a second or more go on: then it is slow. A large request is \
                   still under way. The client goes on sending, more than ten segments for each request: it waits for \
                   no answer.",
    action: "Look at the peer's processes (stack dump, state T, locks, pools of workers), and restart it. The path \
             needs no attention.",
    caused_by: &[],
    caused_by_at_peer: &[
        "pod_oom_killed",
        "pod_restarting",
        "pod_not_running",
        "pod_not_reading",
        "pod_cpu_throttled",
        "pod_cpu_starved",
        "node_cpu_contention",
        "pod_memory_pressure",
        "node_memory_pressure",
        "pod_io_pressure",
        "node_io_pressure",
        "peer_unreachable",
        "port_filtered",
        "peer_not_answering",
        "dns_answer_lost",
        "dns_slow",
    ],
    queries: &[QueryTemplate { shows: "requests that wait for an answer, by role", promql: queries::UNANSWERED }],
};

/// Multiple of its usual payload per request from which a request is a transfer that takes its time …
const TRANSFER: f64 = 10.0;
/// … and payload in the last seconds that it has at least, bytes.
const TRANSFER_BYTES: f64 = 65_536.0;
/// Payload of a full segment, bytes, rounded down: requests of many segments are no sequence of messages.
const FULL_SEGMENT: f64 = 500.0;

/// Odds of a fault on a path whose far end acknowledges the requests.
const PATH_ACKNOWLEDGED: f64 = 0.01;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut servers: Vec<Vec<(EdgeIx, Stuck)>> = vec![Vec::new(); context.subjects().len()];
    let mut clients = Vec::new();
    for (subject, edge) in context.unclaimed(Family::Unanswered) {
        let Some(stuck) = stuck(context, edge) else { continue };
        match edge.view.role {
            Some(Role::Client) if stuck.ln_p <= STUCK_ALPHA.ln() => clients.push((subject, edge, stuck)),
            Some(Role::Server) => servers[subject.ix.get()].push((edge.ix, stuck)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    if !clients.is_empty() {
        let suspects = unanswered(context, &clients.iter().map(|(_, edge, _)| edge.ix).collect());
        let odds = Odds { path: PATH_ACKNOWLEDGED, ..Odds::EVEN };
        out.extend(
            clients.iter().map(|(subject, edge, stuck)| {
                peer(context, subject, (edge, stuck), suspects.blame_with(edge.ix, odds).0)
            }),
        );
    }
    let enough = |edges: &[(EdgeIx, Stuck)]| edges.iter().map(|(_, s)| s.ln_p).sum::<f64>() <= STUCK_ALPHA.ln();
    let servers: Vec<_> = context.subjects().iter().zip(&servers).filter(|(_, edges)| enough(edges)).collect();
    if !servers.is_empty() {
        let stuck = servers.iter().flat_map(|(_, edges)| edges.iter().map(|(edge, _)| *edge)).collect();
        let suspects = unread(context, &stuck);
        let found = servers.iter().filter_map(|(subject, edges)| {
            let (first, _) = edges.first()?;
            Some(server(context, subject, edges, suspects.blame(*first)))
        });
        out.extend(found);
    }
    out
}

/// The requests of an edge that get no answer although the peer's kernel is there.
fn stuck(context: &Context<'_>, edge: &Edge<'_>) -> Option<Stuck> {
    let (now, known) = edge.requests()?;
    let stuck = known.stuck(now, context.walked_at?)?;
    let timeouts = edge.view.recent.retransmits[Retransmit::Timeout as usize];
    // A process that restarts refuses connections for a moment, and leaves requests without an answer.
    let refused = edge.view.recent.failures(Failure::Refused);
    let alive = timeouts == 0 && refused == 0 && !edge.silent && !edge.going_silent;
    (alive && !is_transfer(edge, &stuck) && !goes_on_sending(edge, &stuck)).then_some(stuck)
}

/// The client sends far more than these requests: what it sends wants no answer, or not before the next message.
fn goes_on_sending(edge: &Edge<'_>, stuck: &Stuck) -> bool {
    let recent = &edge.view.recent;
    let sent = recent.data_segs_out.saturating_sub(recent.retransmitted_data()) as f64;
    let full_each = usual_bytes_each(edge) / FULL_SEGMENT;
    edge.view.role == Some(Role::Client) && sent > TRANSFER * (1.0 + full_each) * requests(stuck)
}

fn requests(stuck: &Stuck) -> f64 {
    (stuck.answered + stuck.waiting + stuck.given_up).max(1) as f64
}

/// Payload per request in normal times.
fn usual_bytes_each(edge: &Edge<'_>) -> f64 {
    edge.memory.and_then(EdgeMemory::requests).and_then(RequestMemory::bytes_each).unwrap_or(0.0)
}

/// Far more payload than usual belongs to each request: some request is still on its way.
fn is_transfer(edge: &Edge<'_>, stuck: &Stuck) -> bool {
    let recent = &edge.view.recent;
    let moved = (recent.bytes_acked + recent.bytes_received) as f64;
    moved > TRANSFER_BYTES && moved > TRANSFER * usual_bytes_each(edge) * requests(stuck)
}

/// Numbers of the requests of one end.
fn numbers(stuck: &Stuck, role: Role, place: &str) -> Vec<Evidence> {
    let metric = |name: &str| format!("netwhy_tcp_{name}{{role=\"{}\"}}", role.label());
    let (waiting, answers) = (metric("unanswered_requests"), metric("response_seconds_count"));
    let age = evidence("unanswered_age", stuck.age_us / 1e6, "seconds", place, "ebpf:iter/task_file");
    let answers = evidence(&answers, stuck.answered as f64, "answers in 3 s", place, "ebpf:tcp_probe");
    vec![
        evidence(&waiting, stuck.waiting as f64, "requests", place, "ebpf:iter/task_file"),
        evidence("requests_given_up", stuck.given_up as f64, "requests in 3 s", place, "ebpf:tcp_probe"),
        Evidence { baseline: Some(stuck.usual_us / 1e6), ..age },
        Evidence { baseline: Some(stuck.usually), ..answers },
    ]
}

/// `4 requests have waited for up to 3.2 s (usually 99 % take up to 2.0 ms), 0 answers in 3 s (usually 150)`.
fn text(stuck: &Stuck) -> String {
    let waited = match (stuck.waiting, stuck.given_up) {
        (0, given_up) => format!("{given_up} requests were given up without an answer"),
        (1, _) => format!("1 request has waited for up to {:.1} s", stuck.age_us / 1e6),
        (waiting, _) => format!("{waiting} requests have waited for up to {:.1} s", stuck.age_us / 1e6),
    };
    format!(
        "{waited} (usually 99 % take up to {}), {} answers in {} s (usually {:.0})",
        ms(stuck.usual_us),
        stuck.answered,
        RECENT.as_secs(),
        stuck.usually
    )
}

fn peer(context: &Context<'_>, subject: &Subject<'_>, (edge, stuck): (&Edge<'_>, &Stuck), blame: Blame) -> Finding {
    let (name, peer) = (subject.name(), edge.peer_name());
    let answering = context.other_peers_answering(edge.view.peer);
    let mut numbers = numbers(stuck, Role::Client, &context.place(edge));
    numbers.push(evidence("peers_answering", answering as f64, "peers", context.node, "netwhy"));
    let alive = RuledOut {
        cause: "peer_unreachable".into(),
        because: "no retransmission timeout: its kernel acknowledges the requests".into(),
    };
    let others = Context::others_text(answering);
    Finding {
        nats: STUCK_ALPHA.ln() - stuck.ln_p,
        covers: Some(stuck.age()),
        certainty: if answering > 0 { 1.0 } else { 0.9 },
        adds_up: true,
        summary: format!("{peer} does not answer {name}, although its kernel acknowledges: {}; {others}", text(stuck)),
        evidence: numbers,
        ruled_out: [alive].into_iter().chain(context.rule_out_loss(edge)).collect(),
        edges: vec![edge.ix],
        ..Finding::new(&PEER_NOT_ANSWERING, subject.ix, blame)
    }
}

/// `edges`: those with requests that get no answer.
fn server(context: &Context<'_>, subject: &Subject<'_>, edges: &[(EdgeIx, Stuck)], blame: Blame) -> Finding {
    let all = edges.iter().map(|(_, stuck)| *stuck).reduce(|a, b| Stuck {
        waiting: a.waiting + b.waiting,
        given_up: a.given_up + b.given_up,
        age_us: a.age_us.max(b.age_us),
        answered: a.answered + b.answered,
        usually: a.usually + b.usually,
        usual_us: a.usual_us.max(b.usual_us),
        ln_p: a.ln_p + b.ln_p,
    });
    let name = subject.name();
    let clients = edges.iter().map(|(ix, _)| context.edge(*ix).view.peer).collect::<BTreeSet<_>>().len();
    let who = if clients == 1 { "one client".to_owned() } else { format!("{clients} clients") };
    let (numbers, text) = all.map_or_else(Default::default, |all| (numbers(&all, Role::Server, name), text(&all)));
    let network = RuledOut { cause: "path_loss".into(), because: "the requests have arrived".into() };
    Finding {
        nats: all.map_or(0.0, |all| STUCK_ALPHA.ln() - all.ln_p),
        covers: all.map(|all| all.age()),
        adds_up: true,
        summary: format!("{name} does not answer the requests that it received from {who}: {text}"),
        evidence: numbers,
        ruled_out: [network].into_iter().chain(subject.rule_out_throttling(context.thresholds)).collect(),
        edges: edges.iter().map(|(ix, _)| *ix).collect(),
        ..Finding::new(&POD_NOT_READING, subject.ix, blame)
    }
}

#[cfg(test)]
mod tests;
