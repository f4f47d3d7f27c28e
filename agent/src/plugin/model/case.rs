//! The answer to "why?": one verdict, what it rests on, and what is not known.

use super::{
    Silent,
    health::{Fact, Health, status_line},
    hints::{Wanted, sort},
    promql::{self, Query, Selector},
    trail::{follow, pod_of},
};
use crate::{
    api::{Blame, BlameKind, Evidence, Hint, HintState, RuledOut},
    http::json::{EdgeRow, PodRow},
    metrics::AgentStats,
    pods::PodInfo,
};
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc};

/// What was found out, before it is put in order.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `Pod`, `Deployment` …
    pub kind: String,
    /// Its namespace; empty for Nodes.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The Pods asked about.
    pub pods: Vec<OnePod>,
    /// Hints of all agents that were asked.
    pub hints: Vec<Hint>,
    /// Edges of the Pods asked about.
    pub edges: Vec<EdgeRow>,
    /// The agents that answered, about themselves.
    pub agents: Vec<AgentStats>,
    /// Steps around the target, such as `Service/payment`.
    pub around: Vec<Fact>,
    /// Newest warnings, newest first.
    pub events: Vec<Fact>,
    /// What could not be asked.
    pub unknown: Vec<Fact>,
    /// Agents that did not answer.
    pub not_answered: Vec<Silent>,
}

/// One Pod asked about.
#[derive(Clone, Debug, Default)]
pub struct OnePod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its Node; empty before it has one.
    pub node: String,
    /// What the API server says. `None`: not asked.
    pub info: Option<Arc<PodInfo>>,
    /// What its agent measured. `None`: the agent doesn't know it, or did not answer.
    pub row: Option<PodRow>,
}

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

impl Facts {
    fn is_about(&self, hint: &Hint) -> bool {
        if self.kind == "Node" {
            return hint.subject.node == self.name;
        }
        self.pods.iter().any(|pod| pod.namespace == hint.subject.namespace && pod.name == hint.subject.name)
    }

    fn is_blamed(&self, hint: &Hint) -> bool {
        let name = &hint.blame.name;
        match hint.blame.kind {
            BlameKind::Node | BlameKind::PeerNode if self.kind == "Node" => *name == self.name,
            BlameKind::PeerPod => self.pods.iter().any(|pod| format!("{}/{}", pod.namespace, pod.name) == *name),
            // The Node of the Pod at fault: its Pods suffer with it.
            BlameKind::Node => self.pods.iter().any(|pod| pod.node == *name),
            _ => false,
        }
    }

    /// Nodes whose agents say it. A Node that many blame hears from how many.
    fn said_by(&self, root: &Hint, hints: &[Hint]) -> String {
        let same =
            |hint: &&Hint| hint.state == root.state && hint.cause == root.cause && hint.blame.name == root.blame.name;
        let nodes: BTreeSet<&str> = hints.iter().filter(same).map(|hint| hint.subject.node.as_str()).collect();
        match (self.kind.as_str(), nodes.len()) {
            ("Node", 2..) => format!("{} and {} more", root.subject.node, nodes.len() - 1),
            _ => root.subject.node.clone(),
        }
    }

    fn workload(&self) -> String {
        let [only] = self.pods.as_slice() else { return String::new() };
        if self.kind != "Pod" {
            return String::new();
        }
        let told = only.info.as_ref().map(|info| &info.workload).or(only.row.as_ref().map(|row| &row.workload));
        told.filter(|workload| **workload != format!("Pod/{}", self.name)).cloned().unwrap_or_default()
    }

    fn nodes(&self) -> Vec<String> {
        let of_pods = self.pods.iter().map(|pod| pod.node.clone()).filter(|node| !node.is_empty());
        let all: BTreeSet<String> = if self.kind == "Node" { [self.name.clone()].into() } else { of_pods.collect() };
        all.into_iter().collect()
    }

    fn health(&self) -> Health {
        let mut health = Health::default();
        if let [only] = self.pods.as_slice() {
            if let Some(row) = &only.row {
                health.of_window(row);
            } else if self.kind != "Node" {
                health.no_data.push(Fact::new("traffic", "the agent doesn't know the Pod (yet)"));
            }
            health.of_status(only.info.as_deref());
        } else {
            let measured: Vec<&PodRow> = self.pods.iter().filter_map(|pod| pod.row.as_ref()).collect();
            let segments: u64 = measured.iter().map(|row| row.window.counts.segments_sent).sum();
            let episodes: u64 = measured.iter().map(|row| row.window.counts.loss_episodes).sum();
            let text = format!("{episodes} loss episodes in {segments} segments sent by {} Pods", measured.len());
            match (segments, episodes) {
                (0, _) => health.no_data.push(Fact::new("loss", "none of its Pods sent anything in the window")),
                (_, 0) => health.well.push(Fact::new("loss", text)),
                _ => health.odd.push(Fact::new("loss", text)),
            }
            let missing = self.pods.len() - measured.len();
            if missing > 0 {
                health
                    .unknown
                    .push(Fact::new("traffic", format!("{missing} of {} Pods were not measured", self.pods.len())));
            }
        }
        for agent in &self.agents {
            health.of_agent(agent);
        }
        for silent in &self.not_answered {
            health.unknown.push(Fact::new(format!("what the agent on {} sees", silent.node), silent.why.clone()));
        }
        health.unknown.extend(self.unknown.iter().cloned());
        health
    }

    fn selector(&self, root: Option<&Hint>) -> Selector {
        let pods: Vec<&str> = self.pods.iter().map(|pod| pod.name.as_str()).collect();
        match (root, self.kind.as_str(), pods.as_slice()) {
            (Some(root), ..) if root.subject.kind != "Node" => {
                Selector::pod(&root.subject.namespace, &root.subject.name, &root.subject.node)
            }
            (_, "Node", _) => Selector::node(&self.name),
            (_, _, [only]) => Selector::pod(&self.namespace, only, &self.pods[0].node),
            (_, "Deployment" | "StatefulSet" | "DaemonSet" | "Job", _) => {
                Selector::workload(&self.namespace, &format!("{}/{}", self.kind, self.name))
            }
            _ => Selector::pods(&self.namespace, &pods),
        }
    }

    fn shown(&self) -> String {
        if self.kind == "Pod" { self.name.clone() } else { format!("{} {}", self.kind, self.name) }
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
