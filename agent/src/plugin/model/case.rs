//! The answer to "why?": one verdict, what it rests on, and what is not known.

mod facts;

pub use facts::{Facts, OnePod};

use super::{
    Silent,
    health::{Fact, Health, status_line},
    hints::{Wanted, sort},
    promql::{self, Query},
    trail::{follow, pod_of},
};
use crate::api::{Blame, BlameKind, Evidence, Hint, HintState, RuledOut};
use serde::Serialize;

/// What `why` shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Case {
    /// `Pod`, `Deployment` …
    pub kind: String,
    /// Its namespace; empty for Nodes.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Owner of the Pod, such as `Deployment/payment`; empty for groups.
    pub workload: String,
    /// Nodes that it is on.
    pub nodes: Vec<String>,
    /// The answer.
    pub verdict: Verdict,
    /// Numbers behind it.
    pub evidence: Vec<Evidence>,
    /// Other causes and why they are not it.
    pub ruled_out: Vec<RuledOut>,
    /// From cause to symptom, across Pods and Nodes.
    pub chain: Vec<Link>,
    /// What to do.
    pub next_step: String,
    /// Queries that show the same.
    pub promql: Vec<Query>,
    /// Other hints that hold: about it, or that blame it.
    pub also: Vec<Hint>,
    /// Measured, and normal.
    pub well: Vec<Fact>,
    /// Measured, not quite normal, and no hint.
    pub odd: Vec<Fact>,
    /// No data in the window: neither well nor ill.
    pub no_data: Vec<Fact>,
    /// Not known, because somebody could not be asked or a signal is missing.
    pub unknown: Vec<Fact>,
    /// One line per Pod.
    pub pods: Vec<PodLine>,
    /// What it is part of.
    pub around: Vec<Fact>,
    /// Newest warnings of the API server.
    pub events: Vec<Fact>,
    /// Agents that did not answer.
    pub not_answered: Vec<Silent>,
}

/// The answer in one sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What kind of answer.
    pub state: State,
    /// One sentence.
    pub sentence: String,
    /// Cause as in docs/hints.md.
    pub cause: Option<String>,
    /// Whom it blames.
    pub blame: Option<Blame>,
    /// 0 … 1: the least sure link of the chain. `None`: nothing is claimed.
    pub confidence: Option<f64>,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Node whose agent says it; of a Node also how many others do.
    pub said_by: String,
}

/// Kinds of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A hint names the cause.
    CauseFound,
    /// It held a while ago, and ended.
    Resolved,
    /// Measured, and no rule holds.
    NothingFound,
    /// There is nothing to judge from.
    NoData,
}

/// One link of the causal chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Cause or symptom.
    pub what: String,
    /// Pod or Node that it is about.
    pub who: String,
}

/// One Pod on one line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PodLine {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its Node.
    pub node: String,
    /// Phase, containers, restarts; empty without Kubernetes.
    pub status: String,
    /// Its first firing hint's cause; empty when there is none.
    pub cause: String,
    /// Median RTT, s.
    pub rtt_p50_seconds: Option<f64>,
    /// Loss episodes per segment.
    pub loss: Option<f64>,
    /// Share of periods throttled.
    pub throttled: Option<f64>,
    /// False: nothing was measured of it.
    pub measured: bool,
}

/// Puts it in order.
pub fn case(facts: Facts, wanted: &Wanted) -> Case {
    let mut hints: Vec<Hint> = facts.hints.iter().filter(|hint| wanted.is_current(hint)).cloned().collect();
    hints.dedup_by(|a, b| a.id == b.id && a.subject == b.subject);
    sort(&mut hints);
    let own: Vec<&Hint> = hints.iter().filter(|hint| facts.is_about(hint)).collect();
    let blaming: Vec<&Hint> = hints.iter().filter(|hint| !facts.is_about(hint) && facts.is_blamed(hint)).collect();
    let health = facts.health();
    // Of a Node, what others suffer from it comes before what its Pods suffer from others.
    let order: Vec<&Hint> = if facts.kind == "Node" {
        let (mine, rest): (Vec<&Hint>, Vec<&Hint>) = own.iter().chain(&blaming).partition(|hint| facts.is_blamed(hint));
        mine.into_iter().chain(rest).collect()
    } else {
        own.iter().chain(&blaming).copied().collect()
    };
    let lead = order.into_iter().find(|hint| hint.state == HintState::Firing);
    let past = own.first().copied().filter(|_| lead.is_none());
    let trail = lead.or(past).map(|hint| follow(hint, &hints)).unwrap_or_default();
    let root = trail.last().copied();
    let verdict = match (root, trail.first()) {
        (Some(root), Some(first)) => Verdict { said_by: facts.said_by(root, &hints), ..told(root, first, &trail) },
        _ => untold(&facts, &health),
    };
    let next_step = match root {
        Some(root) if verdict.state == State::CauseFound => root.action.clone(),
        _ => what_now(&facts, verdict.state),
    };
    let also = own.iter().chain(&blaming).filter(|h| !trail.iter().any(|t| t == *h)).map(|h| (*h).clone()).collect();
    Case {
        workload: facts.workload(),
        nodes: facts.nodes(),
        promql: promql::queries(root.map(|r| r.cause.as_str()), &facts.selector(root)),
        evidence: trail.iter().rev().flat_map(|hint| hint.evidence.iter().cloned()).collect(),
        ruled_out: trail.iter().rev().flat_map(|hint| hint.ruled_out.iter().cloned()).collect(),
        chain: chain(&trail),
        pods: facts.pods.iter().map(|pod| line(pod, &hints)).collect(),
        verdict,
        next_step,
        also,
        well: health.well,
        odd: health.odd,
        no_data: health.no_data,
        unknown: health.unknown,
        around: facts.around,
        events: facts.events,
        not_answered: facts.not_answered,
        kind: facts.kind,
        namespace: facts.namespace,
        name: facts.name,
    }
}

/// The sentence of the root, with the way to it.
fn told(root: &Hint, first: &Hint, trail: &[&Hint]) -> Verdict {
    let state = if first.state == HintState::Firing { State::CauseFound } else { State::Resolved };
    let sentence = match trail {
        [_] => root.summary.clone(),
        _ => format!(
            "{}. That is what {} waits for: {}",
            root.summary.trim_end_matches('.'),
            first.subject.name,
            first.summary
        ),
    };
    Verdict {
        state,
        sentence,
        cause: Some(root.cause.clone()),
        blame: Some(root.blame.clone()),
        confidence: trail.iter().map(|hint| hint.confidence).min_by(f64::total_cmp),
        since: Some(first.first_seen.clone()),
        said_by: String::new(),
    }
}

/// No hint: what that means, and what not.
fn untold(facts: &Facts, health: &Health) -> Verdict {
    let name = facts.shown();
    let measured = facts.pods.iter().any(|pod| pod.row.as_ref().is_some_and(|row| row.window.rtt_samples > 0));
    let seconds =
        facts.pods.iter().filter_map(|pod| pod.row.as_ref()).map(|row| row.window.seconds).fold(0.0, f64::max);
    let (state, sentence) = if facts.pods.is_empty() {
        (State::NoData, format!("{name} has no Pods: there is nothing to judge"))
    } else if measured {
        let rest = if health.odd.is_empty() {
            ": what was measured is normal"
        } else {
            "; a few figures are odd, though none breaks a rule"
        };
        (State::NothingFound, format!("No cause found for {name} in the last {seconds:.0} s{rest}"))
    } else {
        (
            State::NoData,
            format!("{name} had no TCP traffic to judge in the last {seconds:.0} s: that says neither well nor ill"),
        )
    };
    let said_by = facts.agents.first().map(|agent| agent.node.clone()).unwrap_or_default();
    Verdict { state, sentence, cause: None, blame: None, confidence: None, since: None, said_by }
}

fn what_now(facts: &Facts, state: State) -> String {
    match state {
        State::CauseFound => String::new(),
        State::Resolved => {
            "It ended by itself; `--since 1h` shows when. If it comes back, ask again while it lasts.".into()
        }
        State::NothingFound => {
            "Ask again while it is slow (`-w` goes on asking), and ask about its callers: loss of what it \
                                receives is seen by who sends."
                .into()
        }
        State::NoData if facts.pods.is_empty() => "See whether its selector matches any Pod.".into(),
        State::NoData => "Ask again when it has traffic; `kubectl describe` tells what its status says.".into(),
    }
}

/// Root first, down to what the target feels.
fn chain(trail: &[&Hint]) -> Vec<Link> {
    let mut out: Vec<Link> = Vec::new();
    for hint in trail.iter().rev() {
        let who = if hint.blame.kind == BlameKind::Node { hint.blame.name.clone() } else { hint.subject.name.clone() };
        for (i, what) in hint.chain.iter().enumerate() {
            let who = if i == 0 { who.clone() } else { hint.subject.name.clone() };
            let link = Link { what: what.clone(), who };
            if out.last() != Some(&link) {
                out.push(link);
            }
        }
    }
    out
}

fn line(pod: &OnePod, hints: &[Hint]) -> PodLine {
    let name = format!("{}/{}", pod.namespace, pod.name);
    let hint = hints.iter().find(|hint| hint.state == HintState::Firing && pod_of(hint) == name);
    let window = pod.row.as_ref().map(|row| &row.window);
    PodLine {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        node: pod.node.clone(),
        status: pod.info.as_deref().map(status_line).unwrap_or_default(),
        cause: hint.map(|hint| hint.cause.clone()).unwrap_or_default(),
        rtt_p50_seconds: window.and_then(|w| w.rtt_p50_seconds),
        loss: window.and_then(|w| w.loss_episode_ratio),
        throttled: window.and_then(|w| w.cpu_throttled_share),
        measured: window.is_some(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
