//! Packets that wait at one Pod's own interface, while everything beside it is as fast as usual.

use super::{is_queue, numbers, rise};
use crate::{
    api::{Blame, BlameKind, RuledOut},
    hints::{
        context::{Context, Edge, EdgeIx, Subject, SubjectIx},
        culprit::{
            latency::{Risen, is_proven},
            suspects,
        },
        finding::{Finding, SURE, blame, evidence, shared_blame},
        memory::{
            edge::EdgeMemory,
            path::{MIN_PATH_SAMPLES, Path, RISE_ALPHA, Rise, shortest_us},
        },
        rule::{Family, QueryTemplate, Rule},
        rules::queries,
        stats::{LOSS_ALPHA, ms, poisson_tail_ln},
    },
    state::{PeerHost, PeerId, RECENT},
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const POD_BANDWIDTH_LIMITED: Rule = Rule {
    id: "pod_bandwidth_limited",
    family: Family::Latency,
    order: 245,
    symptom: "rtt_inflation",
    meaning: "Packets of one Pod wait in a queue at its own interface: more is sent than its bandwidth limit lets \
              through (`kubernetes.io/ingress-bandwidth`, `egress-bandwidth`, a shaper of the CNI). The path between the \
              Nodes is as fast as usual, and so are other Pods.",
    signals: &["netwhy_tcp_rtt_seconds", "netwhy_tcp_min_rtt_seconds", "netwhy_tcp_bytes_total"],
    test: "The test of `path_latency` holds for all edges to one address, with its proof, or with losses above the \
           baseline (Poisson, 1e-6). Or half of a server's round trips take longer than its answers and any delayed \
           acknowledgement explain. Another address of the same Node is as fast as usual; for an address of this Node \
           any other address is. Of several Pods that send there all wait; a single one is as fast as usual elsewhere. \
           Or the test holds for all edges of one Pod for 3 s, and other Pods are as fast as usual to these addresses \
           or their Nodes. The spread of the RTT grew too: a queue, not a constant delay. Each of both has a chance \
           below 1e-6 per window if samples are independent.",
    minimum: "That of `path_latency`, and another address or Pod to compare with. A Pod that sends to one address \
              alone, where no other Pod does, and that address are both candidates.",
    ruled_out_by: "Any edge to the same address, or of the same Pod, that is as fast as usual. Think time: keep-alive \
                   requests of a client alone prove nothing.",
    action: "Compare the Pod's traffic with its bandwidth annotations and the CNI's shaper (`tc -s qdisc` on its host \
             interface). Raise the limit, or spread the traffic over more replicas.",
    caused_by: &["node_cpu_contention"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "median RTT by peer class", promql: queries::RTT }],
};

/// Edges that are as fast as usual.
struct UsualEdges {
    /// Hosts that they lead to, and whose they are.
    hosts: BTreeMap<PeerHost, BTreeSet<Option<SubjectIx>>>,
    /// The same by Node; `None`: this one.
    nodes: BTreeMap<Option<PeerId>, BTreeSet<Option<SubjectIx>>>,
    subjects: BTreeMap<SubjectIx, Vec<EdgeIx>>,
    /// A peer of theirs is as fast as usual, also in the last seconds.
    has_fast_peer: bool,
}

impl UsualEdges {
    fn new(context: &Context<'_>) -> Self {
        let usual = || usual_edges(context);
        let mut nodes: BTreeMap<Option<PeerId>, BTreeSet<Option<SubjectIx>>> = BTreeMap::new();
        let mut hosts: BTreeMap<PeerHost, BTreeSet<Option<SubjectIx>>> = BTreeMap::new();
        usual().for_each(|edge| {
            hosts.entry(edge.view.host()).or_default().insert(edge.subject);
            if let Some(node) = node(edge) {
                nodes.entry(node).or_default().insert(edge.subject);
            }
        });
        let mut subjects: BTreeMap<SubjectIx, Vec<EdgeIx>> = BTreeMap::new();
        let of_subjects = usual().filter_map(|edge| Some((edge.subject?, edge.ix)));
        of_subjects.for_each(|(subject, edge)| subjects.entry(subject).or_default().push(edge));
        Self { hosts, nodes, subjects, has_fast_peer: usual().any(|edge| context.is_peer_fast(edge)) }
    }

    /// Those of a subject.
    fn of(&self, subject: SubjectIx) -> &[EdgeIx] {
        self.subjects.get(&subject).map_or(&[], Vec::as_slice)
    }

    /// Others than this subject have one to the host.
    fn are_of_others(&self, host: PeerHost, subject: SubjectIx) -> bool {
        self.hosts.get(&host).is_some_and(|subjects| subjects.iter().any(|of| *of != Some(subject)))
    }

    /// Others than this subject have one to the same Node.
    fn end_on_its_node(&self, edge: &Edge<'_>, subject: SubjectIx) -> bool {
        let of_node = node(edge).and_then(|node| self.nodes.get(&node));
        of_node.is_some_and(|subjects| subjects.iter().any(|of| *of != Some(subject)))
    }
}

pub(super) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let risen = risen(context);
    if risen.is_empty() {
        return Vec::new();
    }
    let usual = UsualEdges::new(context);
    let mut hosts: BTreeMap<PeerHost, Vec<Risen>> = BTreeMap::new();
    let mut pods: BTreeMap<SubjectIx, Vec<Risen>> = BTreeMap::new();
    for one in &risen {
        hosts.entry(context.edge(one.edge).view.host()).or_default().push(*one);
        pods.entry(one.subject).or_default().push(*one);
    }
    let at_peer = hosts.into_values().filter(|risen| is_peers_own(context, &usual, risen));
    let mut out: Vec<Finding> = at_peer.flat_map(|risen| of_peer(context, &risen)).collect();
    let at_pod = pods.into_values();
    out.extend(at_pod.filter_map(|risen| Some(of_pod(context, &risen, pods_own(context, &usual, &risen)?))));
    out
}

/// Edges inside the cluster whose samples all rose.
fn risen(context: &Context<'_>) -> Vec<Risen> {
    let inside = |edge: &Edge<'_>| !edge.is_external() && edge.view.netns == 0;
    let edges = context.unclaimed(Family::Loss).filter(|(_, edge)| inside(edge));
    edges
        .filter_map(|(subject, edge)| {
            Some(Risen { edge: edge.ix, subject: subject.ix, rise: rise(context, subject, edge)? })
        })
        .collect()
}

fn waits_in_queue(context: &Context<'_>, risen: &[Risen]) -> bool {
    let is_long = || risen.iter().any(|one| outlasts_delays(context.edge(one.edge), &one.rise));
    (is_proven(context, risen) || loses(context, risen) || is_long())
        && risen.iter().any(|one| is_queue(context.edge(one.edge), &one.rise))
}

/// Half of a server's round trips are longer than its answers and delayed acknowledgements make them. In a queue the
/// fastest ones may not be.
fn outlasts_delays(edge: &Edge<'_>, rise: &Rise) -> bool {
    let shortest = shortest_us(edge.view.role, edge.view.responses.as_deref(), rise.median_us);
    shortest.is_some_and(|us| rise.is_shorter_than(us))
}

/// Packets are lost too, more than by chance: no program's think time does that.
fn loses(context: &Context<'_>, risen: &[Risen]) -> bool {
    let edges = || risen.iter().map(|one| context.edge(one.edge));
    let episodes: u64 = edges().map(|edge| edge.losses().episodes).sum();
    let expected: f64 = edges().map(|edge| edge.losses().segments as f64 * edge.loss_baseline).sum();
    poisson_tail_ln(episodes, expected) <= LOSS_ALPHA.ln()
}

/// Edges that are as fast as usual.
fn usual_edges<'c, 'a>(context: &'c Context<'a>) -> impl Iterator<Item = &'c Edge<'a>> {
    context.edges().iter().filter(|edge| edge.path == Some(Path::Usual))
}

/// `risen`: all risen edges to one address.
fn is_peers_own(context: &Context<'_>, usual: &UsualEdges, risen: &[Risen]) -> bool {
    let edge = context.edge(risen[0].edge);
    if usual.hosts.contains_key(&edge.view.host()) {
        return false;
    }
    let is_beside_fast = match edge.is_remote() {
        true => edge.view.peer_node.is_some() && context.is_peer_fast(edge),
        false => usual.has_fast_peer,
    };
    // One Pod that waits everywhere has a limit of its own, as far as this shows.
    let senders: BTreeSet<SubjectIx> = risen.iter().map(|one| one.subject).collect();
    let mut fast = senders.iter().flat_map(|subject| usual.of(*subject));
    is_beside_fast
        && waits_in_queue(context, risen)
        && (senders.len() > 1 || fast.any(|other| is_newer(context, context.edge(*other), risen)))
}

/// The round trips that show an edge to be as fast as usual are not older than the rise of others.
fn is_newer(context: &Context<'_>, usual: &Edge<'_>, risen: &[Risen]) -> bool {
    let since = risen.iter().filter_map(|one| context.edge(one.edge).memory.and_then(EdgeMemory::rose_since)).min();
    let is_over = since.is_some_and(|since| context.at.saturating_sub(since) >= context.window);
    is_over || usual.view.recent.rtt.count() >= MIN_PATH_SAMPLES
}

/// Who has the limit when all edges of one Pod rose. `risen`: these edges. `None`: it has none that shows.
fn pods_own(context: &Context<'_>, usual: &UsualEdges, risen: &[Risen]) -> Option<Blame> {
    let subject = risen[0].subject;
    let host = |one: &Risen| context.edge(one.edge).view.host();
    let shares_host = |one: &Risen| usual.are_of_others(host(one), subject);
    let shares_node = |one: &Risen| usual.end_on_its_node(context.edge(one.edge), subject);
    // Until then the samples that others have may be older than the queue.
    let lasts = |one: &Risen| {
        let since = context.edge(one.edge).memory.and_then(EdgeMemory::rose_since);
        since.is_some_and(|since| context.at.saturating_sub(since) >= RECENT)
    };
    let is_own = usual.of(subject).is_empty()
        && risen.iter().all(|one| lasts(one) && (shares_host(one) || shares_node(one)))
        && waits_in_queue(context, risen);
    let name = context.subject(subject).name();
    let is_one_host = risen.iter().all(|one| host(one) == host(&risen[0]));
    is_own.then(|| match is_one_host && !shares_host(&risen[0]) {
        // Either end may have the limit.
        true => {
            let (kind, peer) = suspects::host(context.edge(risen[0].edge));
            shared_blame((BlameKind::Pod, name), SURE / 2.0, &[(kind, &peer)])
        }
        false => blame(BlameKind::Pod, name),
    })
}

/// The Node that an edge leads to; `Some(None)`: this one. `None`: it is not known.
fn node(edge: &Edge<'_>) -> Option<Option<PeerId>> {
    match edge.is_remote() {
        true => edge.view.peer_node.is_some().then(|| Some(edge.view.peer_id())),
        false => Some(None),
    }
}

/// One finding per Pod that sends to the address.
fn of_peer(context: &Context<'_>, risen: &[Risen]) -> Vec<Finding> {
    let edge = context.edge(risen[0].edge);
    let (kind, name) = suspects::host(edge);
    let culprit = blame(kind, name);
    let beside = match edge.is_remote() {
        true => format!("other addresses on {} are as near as ever", edge.peer_node_name()),
        false => "other addresses are as near as ever".to_owned(),
    };
    let mut subjects: BTreeMap<SubjectIx, Vec<Risen>> = BTreeMap::new();
    risen.iter().for_each(|one| subjects.entry(one.subject).or_default().push(*one));
    let where_ = format!("the interface of {}", edge.peer_name());
    subjects.values().map(|own| describe(context, culprit.clone(), own, (&where_, &beside))).collect()
}

fn of_pod(context: &Context<'_>, risen: &[Risen], culprit: Blame) -> Finding {
    let where_ = match culprit.kind {
        BlameKind::Pod => "its own interface".to_owned(),
        _ => format!("its own interface or that of {}", context.edge(risen[0].edge).peer_name()),
    };
    let beside = "other Pods reach the same addresses, or others on their Nodes, as fast as ever";
    describe(context, culprit, risen, (&where_, beside))
}

/// `risen`: edges of one Pod. `texts`: where packets wait, and what is fast.
fn describe(context: &Context<'_>, culprit: Blame, risen: &[Risen], (where_, beside): (&str, &str)) -> Finding {
    let worst = super::worst(risen);
    let (subject, edge): (&Subject<'_>, &Edge<'_>) = (context.subject(worst.subject), context.edge(worst.edge));
    let place = context.place(edge);
    let bytes: u64 =
        risen.iter().map(|one| context.edge(one.edge).tally()).map(|t| t.bytes_acked + t.bytes_received).sum();
    let mut numbers = numbers(edge, &worst.rise, &place);
    let rate = bytes as f64 / context.window.as_secs_f64();
    numbers.push(evidence("netwhy_tcp_bytes_total", rate, "bytes per second", &place, "ebpf:tcp_sock"));
    Finding {
        nats: (RISE_ALPHA.ln() - worst.rise.ln_p).max(0.0),
        certainty: 0.95,
        summary: format!(
            "packets of {} wait in a queue at {where_}: the RTT is at least {} (normally {}), while {beside}",
            subject.name(),
            ms(worst.rise.now_us),
            ms(worst.rise.usual_us)
        ),
        evidence: numbers,
        ruled_out: vec![RuledOut { cause: "path_latency".into(), because: beside.to_owned() }],
        edges: risen.iter().map(|one| one.edge).collect(),
        ..Finding::new(&POD_BANDWIDTH_LIMITED, subject.ix, culprit)
    }
}

#[cfg(test)]
mod tests;
