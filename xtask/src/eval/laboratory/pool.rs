//! The merged answer of all agents: a ranked list from their hints and the blame over all their edges.

use super::who::{Names, Who};
use netwhy_agent::{
    api::PeerRow,
    api::{BlameKind, Hint},
    blame::{self, Culprit, Finding, Fleet, Parameters, Symptom},
    plugin::model::{
        causal_path::{follow, pod_of},
        fleet::fleet,
        hints::sort,
        nodes::pod_at_fault,
        settle::settle,
    },
};
use std::collections::BTreeMap;

/// Causes that say where packets get lost, which many agents know better than one; the fleet knows the culprit, a hint
/// may know more exactly what happens there.
const LOSS: [&str; 7] = [
    "path_loss",
    "node_packet_loss",
    "peer_unreachable",
    "path_mtu_blackhole",
    "node_nic_drops",
    "node_qdisc_drops",
    "node_softnet_drops",
];
const LATENCY: &str = "path_latency";

/// One hint, reduced to what is scored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) who: Who,
    pub(super) cause: String,
    /// 0 … 1.
    pub(super) confidence: f64,
    /// Culprits that the hint holds for almost as likely.
    pub(super) alternatives: Vec<Who>,
}

impl Told {
    /// The answer of one hint.
    pub(super) fn itself(hint: &Hint, names: &Names) -> Self {
        Self::of(hint, hint.confidence, names)
    }

    fn of(hint: &Hint, confidence: f64, names: &Names) -> Self {
        Self {
            who: names.who(&hint.blame),
            cause: hint.cause.clone(),
            confidence,
            alternatives: names.alternatives(&hint.blame),
        }
    }
}

/// A culprit that the edges of all agents together show.
#[derive(Clone, Debug, PartialEq)]
struct Blamed {
    who: Who,
    symptom: Symptom,
    confidence: f64,
}

/// One answer to "what is wrong, and whose fault is it?".
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) who: Who,
    pub(super) cause: String,
    /// Sum of the confidences of those who say so: what answers are ranked by.
    pub(super) weight: f64,
    /// Hints that say so. 0: only the edges of all agents together do.
    pub(super) hints: usize,
}

/// The merged answer of all agents at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    /// The first one first.
    pub(super) answers: Vec<Answer>,
    /// The edges of all agents name somebody.
    pub(super) blames: bool,
    /// The verdict of the edges, in words.
    pub(super) fleet: Vec<String>,
}

/// Merges the hints that fire and what the edges of all agents show.
pub(super) fn said(hints: &[Hint], rows: &[PeerRow], names: &Names) -> Said {
    let mut hints = hints.to_vec();
    settle(&mut hints, rows);
    let hints = &hints;
    let (blamed, fleet) = judge(rows);
    let blames = !blamed.is_empty();
    let blamed = refined(blamed, hints, names);
    Said { answers: answers(&told(hints, names), &blamed, names), blames, fleet }
}

/// Judges all agents' rows as `kubectl netwhy nodes` does. Returns the blamed, and every finding in
/// words, undecided ones included.
fn judge(rows: &[PeerRow]) -> (Vec<Blamed>, Vec<String>) {
    let fleet = fleet(rows);
    let verdicts = blame::judge(&fleet, &Parameters::default());
    let blamed = |finding: &Finding| match finding {
        Finding::Blamed(verdict) => {
            Some(Blamed { who: who(verdict.culprit, &fleet), symptom: verdict.symptom, confidence: verdict.confidence })
        }
        // Said, and said to be undecided: an abstention.
        Finding::Ambiguous(_) | Finding::Insufficient(..) => None,
    };
    let mut said: Vec<String> = verdicts.findings.iter().map(|finding| words(finding, &fleet)).collect();
    if said.is_empty() {
        let suspects = verdicts.nodes.iter().filter_map(|node| Some((node, node.loss?)));
        let first = suspects.max_by(|a, b| a.1.total_cmp(&b.1));
        said.extend(first.map(|(node, nats)| {
            let (name, of) = (fleet.name(node.node), node.observed);
            format!(
                "nothing; most for loss at node {name}: {nats:.1} nats, {of} episodes, {:.1} expected",
                node.expected
            )
        }));
    }
    (verdicts.findings.iter().filter_map(blamed).collect(), said)
}

/// A finding, for people.
fn words(finding: &Finding, fleet: &Fleet) -> String {
    let one = |verdict: &blame::Verdict| {
        let blame::Evidence { observed, expected, segments, bad, peers, .. } = verdict.evidence;
        let (culprit, score) = (who(verdict.culprit, fleet), verdict.score);
        format!(
            "{culprit} ({:?}): score {score:.1}, confidence {:.2}, {observed} episodes in {segments} segments, \
             {expected:.1} expected, {bad} of {peers} peers",
            verdict.culprit, verdict.confidence
        )
    };
    match finding {
        Finding::Blamed(verdict) => format!("blamed: {}", one(verdict)),
        Finding::Ambiguous(all) => format!("ambiguous: {}", all.iter().map(one).collect::<Vec<_>>().join("; or ")),
        Finding::Insufficient(verdict, missing) => format!("insufficient ({missing:?}): {}", one(verdict)),
    }
}

fn who(culprit: Culprit, fleet: &Fleet) -> Who {
    match culprit {
        Culprit::Node(end) | Culprit::NodeIn(end) | Culprit::NodeOut(end) => Who::node(fleet.name(end)),
        Culprit::Pair(a, b) => Who::pair(fleet.name(a), fleet.name(b)),
        Culprit::ZonePair(a, b) => Who::zones(fleet.zone_name(a), fleet.zone_name(b)),
        Culprit::Pod(pod) => Who::pod(fleet.pod_name(pod)),
        Culprit::External(_) => Who::External,
    }
}

/// The final blame of each hint. Like `kubectl netwhy why`, it follows a hint to the blamed, and on to the hints of the
/// agent there: the delays of a throttled Pod's callers count as evidence of the throttling.
fn told(hints: &[Hint], names: &Names) -> Vec<Told> {
    // Without Kubernetes agents name peers by address; with it they know their Pods.
    let subjects: BTreeMap<&str, String> = hints.iter().map(|h| (h.subject.name.as_str(), pod_of(h))).collect();
    let named = |hint: &Hint| {
        let mut hint = hint.clone();
        let pod = match (hint.blame.kind, names.who(&hint.blame)) {
            (BlameKind::PeerPod, Who::Pod(pod)) => subjects.get(pod.as_str()).cloned(),
            _ => None,
        };
        hint.blame.name = pod.unwrap_or(hint.blame.name);
        hint
    };
    let mut all: Vec<Hint> = hints.iter().map(named).collect();
    sort(&mut all);
    all.iter().filter_map(|hint| follow(hint, &all).last().map(|root| Told::of(root, hint.confidence, names))).collect()
}

/// Those whom the edges blame; a Node's own agent may know that it is one of its Pods.
fn refined(blamed: Vec<Blamed>, hints: &[Hint], names: &Names) -> Vec<Blamed> {
    let one = |blamed: Blamed| match &blamed.who {
        Who::Node(node) if blamed.symptom == Symptom::Loss => match pod_at_fault(node, hints.iter()) {
            Some(hint) => Blamed { who: names.who(&hint.blame), ..blamed },
            None => blamed,
        },
        _ => blamed,
    };
    blamed.into_iter().map(one).collect()
}

/// Answers, the first one first. A hint about a path that the fleet's culprit lies on speaks for that culprit.
fn answers(told: &[Told], blamed: &[Blamed], names: &Names) -> Vec<Answer> {
    let mut pools: BTreeMap<(Who, String), (f64, usize)> = BTreeMap::new();
    let mut speaks: Vec<BTreeMap<&str, f64>> = vec![BTreeMap::new(); blamed.len()];
    for hint in told {
        let verdict = blamed.iter().position(|blamed| covers(blamed, hint, names));
        let who = verdict.map_or(&hint.who, |at| &blamed[at].who);
        if let Some(at) = verdict {
            *speaks[at].entry(hint.cause.as_str()).or_default() += hint.confidence;
        }
        let pool = pools.entry((who.clone(), hint.cause.clone())).or_default();
        *pool = (pool.0 + hint.confidence, pool.1 + 1);
    }
    for (blamed, causes) in blamed.iter().zip(speaks) {
        let usual = if blamed.symptom == Symptom::Latency { LATENCY } else { LOSS[0] };
        let cause = causes.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(usual, |(cause, _)| cause);
        pools.entry((blamed.who.clone(), cause.to_owned())).or_default().0 += blamed.confidence;
    }
    let mut all: Vec<Answer> =
        pools.into_iter().map(|((who, cause), (weight, hints))| Answer { who, cause, weight, hints }).collect();
    // Answers that name nobody come last.
    all.sort_by(|a, b| {
        (a.who == Who::Nobody)
            .cmp(&(b.who == Who::Nobody))
            .then(b.weight.total_cmp(&a.weight))
            .then_with(|| a.who.cmp(&b.who))
    });
    all
}

/// Whether a hint is about what a verdict explains.
fn covers(blamed: &Blamed, hint: &Told, names: &Names) -> bool {
    let loss = LOSS.contains(&hint.cause.as_str());
    if !(loss && blamed.symptom == Symptom::Loss || hint.cause == LATENCY && blamed.symptom == Symptom::Latency) {
        return false;
    }
    let zone = |node: &String| names.zone(node).unwrap_or_default().to_owned();
    match (&blamed.who, &hint.who) {
        (Who::Node(node), Who::Node(named)) => node == named,
        (Who::Node(node), Who::Pair(a, b)) => node == a || node == b,
        (Who::Pair(a, b), Who::Node(named)) => named == a || named == b,
        (Who::Zones(a, b), Who::Pair(c, d)) => Who::zones(&zone(c), &zone(d)) == Who::zones(a, b),
        (Who::Zones(a, b), Who::Node(named)) => [a, b].contains(&&zone(named)),
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests;
