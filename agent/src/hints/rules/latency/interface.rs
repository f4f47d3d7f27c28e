//! Packets that wait at one Pod's own interface, while everything beside it is as fast as usual.

mod limit;
mod longer;

use super::{makes_its_own_queue, numbers, rise};
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
           acknowledgement explain. Another address of the same Node is as fast as usual; for an address of this Node, \
           any other address is. If several Pods send there, all wait. If only one does, it is as fast as usual \
           elsewhere. Or the test holds for all edges of one Pod for 3 s, and other Pods are as fast as usual to these \
           addresses or their Nodes. Each of both has a chance below 1e-6 per window if samples are independent. Three \
           things tell a limit from a longer way. **The delay comes and goes**: its spread grew, by more than its \
           median moved since the samples before. A delay that only grows moves the median by more than that, however \
           it grows. **What gets through is level** for 3 s or more: the payload, or the number of round trips, of the \
           last seconds stays within a quarter. **More is asked for**: losses are above the baseline, or the payload \
           is 1.5 × the usual one. Or it is a fifth below the usual one, while the delay changes by a quarter or more, \
           and what gets through by less than the square root of that. Clients that wait for answers would ask for as \
           much less as the delay grows.",
    minimum: "That of `path_latency`, 3 s before, and another address or Pod to compare with. A Pod that sends to one \
              address alone, where no other Pod does, and that address are both candidates.",
    ruled_out_by: "Any edge to the same address, or of the same Pod, that is as fast as usual. As much gets through as \
                   usual, or it is not level: `path_latency` names a longer way at the Pod. Bulk that grew by 1 MB/s \
                   and waits alone: it fills a queue on any path. Think time: keep-alive requests of a client alone \
                   prove nothing.",
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
    let mut places: Vec<Place> = at_peer.map(|risen| Place::of_peer(context, risen)).collect();
    let own =
        |risen: Vec<Risen>| pods_own(context, &usual, &risen).map(|culprit| Place::of_pod(context, risen, culprit));
    places.extend(pods.into_values().filter_map(own));
    // A queue that this Node makes may be that of one interface.
    let is_excused = !places.is_empty() && makes_its_own_queue(context);
    places.iter().flat_map(|place| place.judge(context, is_excused)).collect()
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

/// No program's think time explains these round trips.
fn wait_for_no_program(context: &Context<'_>, risen: &[Risen]) -> bool {
    let is_long = || risen.iter().any(|one| outlasts_delays(context.edge(one.edge), &one.rise));
    is_proven(context, risen) || loses(context, risen) || is_long()
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
    is_beside_fast && (senders.len() > 1 || fast.any(|other| is_newer(context, context.edge(*other), risen)))
}

/// The round trips that show an edge to be as fast as usual are not older than the rise of others.
fn is_newer(context: &Context<'_>, usual: &Edge<'_>, risen: &[Risen]) -> bool {
    let since = risen.iter().filter_map(|one| context.edge(one.edge).memory.and_then(EdgeMemory::rose_since)).min();
    let is_over = since.is_some_and(|since| context.at.saturating_sub(since) >= context.window);
    is_over || usual.view.recent.rtt.count() >= MIN_PATH_SAMPLES
}

/// Who is at fault when all edges of one Pod rose. `risen`: these edges. `None`: something that others share may be.
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
    let is_own =
        usual.of(subject).is_empty() && risen.iter().all(|one| lasts(one) && (shares_host(one) || shares_node(one)));
    let name = context.subject(subject).name();
    let is_one_host = risen.iter().all(|one| host(one) == host(&risen[0]));
    is_own.then(|| match is_one_host && !shares_host(&risen[0]) {
        // Either end may be at fault.
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

/// Edges that rose at one address or Pod alone.
struct Place {
    risen: Vec<Risen>,
    culprit: Blame,
    /// Where packets are held up, for people.
    at: String,
    /// What is as fast as usual, for people.
    beside: String,
}

impl Place {
    /// `risen`: all risen edges to one address.
    fn of_peer(context: &Context<'_>, risen: Vec<Risen>) -> Self {
        let edge = context.edge(risen[0].edge);
        let (kind, name) = suspects::host(edge);
        let beside = match edge.is_remote() {
            true => format!("other addresses on {} are as near as ever", edge.peer_node_name()),
            false => "other addresses are as near as ever".to_owned(),
        };
        Self { at: format!("the interface of {}", edge.peer_name()), risen, culprit: blame(kind, name), beside }
    }

    /// `risen`: all edges of one Pod.
    fn of_pod(context: &Context<'_>, risen: Vec<Risen>, culprit: Blame) -> Self {
        let at = match culprit.kind {
            BlameKind::Pod => "its own interface".to_owned(),
            _ => format!("its own interface or that of {}", context.edge(risen[0].edge).peer_name()),
        };
        let beside = "other Pods reach the same addresses, or others on their Nodes, as fast as ever".to_owned();
        Self { risen, culprit, at, beside }
    }

    fn by_subject(risen: &[Risen]) -> BTreeMap<SubjectIx, Vec<Risen>> {
        let mut subjects: BTreeMap<SubjectIx, Vec<Risen>> = BTreeMap::new();
        risen.iter().for_each(|one| subjects.entry(one.subject).or_default().push(*one));
        subjects
    }

    /// One finding per Pod. `makes_its_own_queue`: a longer way is no explanation.
    fn judge(&self, context: &Context<'_>, makes_its_own_queue: bool) -> Vec<Finding> {
        match limit::excuse(context, &self.risen) {
            None if wait_for_no_program(context, &self.risen) => {
                Self::by_subject(&self.risen).values().map(|own| self.limited(context, own)).collect()
            }
            Some(because) if !makes_its_own_queue => longer::judge(context, self, because),
            _ => Vec::new(),
        }
    }

    /// `risen`: edges of one Pod.
    fn limited(&self, context: &Context<'_>, risen: &[Risen]) -> Finding {
        let worst = super::worst(risen);
        let (subject, edge): (&Subject<'_>, &Edge<'_>) = (context.subject(worst.subject), context.edge(worst.edge));
        let place = context.place(edge);
        let mut numbers = numbers(edge, &worst.rise, &place);
        let tallies = risen.iter().map(|one| context.edge(one.edge).tally());
        let bytes: u64 = tallies.map(|tally| tally.bytes_acked + tally.bytes_received).sum();
        let rate = bytes as f64 / context.window.as_secs_f64();
        let mut rate = evidence("netwhy_tcp_bytes_total", rate, "bytes per second", &place, "ebpf:tcp_sock");
        rate.baseline = limit::payload(context, risen).map(|payload| payload.usual);
        numbers.push(rate);
        let beside = &self.beside;
        Finding {
            nats: (RISE_ALPHA.ln() - worst.rise.ln_p).max(0.0),
            certainty: 0.95,
            summary: format!(
                "packets of {} wait in a queue at {}: the RTT is at least {} (normally {}), while {beside}",
                subject.name(),
                self.at,
                ms(worst.rise.now_us),
                ms(worst.rise.usual_us)
            ),
            evidence: numbers,
            ruled_out: vec![RuledOut { cause: "path_latency".into(), because: beside.clone() }],
            edges: risen.iter().map(|one| one.edge).collect(),
            ..Finding::new(&POD_BANDWIDTH_LIMITED, subject.ix, self.culprit.clone())
        }
    }
}

#[cfg(test)]
mod tests;
