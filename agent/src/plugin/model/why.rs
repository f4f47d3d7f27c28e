//! The answer of `why`: one verdict, its evidence, and what is unknown.

mod answers;
mod culprits;
mod endpoints;
mod facts;
mod rivals;
mod without_cause;

pub use answers::is_about_answers;
pub use culprits::PodName;
pub use endpoints::{Endpoint, ServiceEnds};
pub use facts::{Facts, TargetPod};

use super::{
    SilentAgent,
    causal_path::{follow, pod_of},
    changed::{Changes, Inquiry},
    differs::Differs,
    health::{Fact, status_line},
    hints::{HintFilter, sort},
    promql::{self, Query},
    settle::settle,
    waterfall::Waterfall,
};
use crate::api::{Blame, BlameKind, Evidence, Hint, HintState, RuledOut};
use rivals::beside_rivals;
use serde::Serialize;
use std::time::Duration;
use without_cause::{next_step_without_cause, verdict_without_hint};

/// The report of `why`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// `Pod`, `Deployment` …
    pub kind: String,
    /// Its namespace; empty for Nodes.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The moment in the past that this is of, RFC 3339. `None`: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Owner of the Pod, such as `Deployment/payment`; empty for groups.
    pub workload: String,
    /// Nodes that it is on.
    pub nodes: Vec<String>,
    /// The answer.
    pub verdict: Verdict,
    /// Pods that it blames, for `logs`. Empty: it blames no Pod.
    #[serde(skip)]
    pub culprits: Vec<PodName>,
    /// Numbers behind it.
    pub evidence: Vec<Evidence>,
    /// Causes that the evidence excludes, with the reason.
    pub ruled_out: Vec<RuledOut>,
    /// From cause to symptom, across Pods and Nodes.
    pub chain: Vec<Link>,
    /// The next step for the reader.
    pub next_step: String,
    /// Where the time of requests goes.
    pub waterfall: Waterfall,
    /// Queries for the same data.
    pub promql: Vec<Query>,
    /// Other hints about the target, or that blame it.
    pub also: Vec<Hint>,
    /// Measured and normal.
    #[serde(rename = "well")]
    pub normal: Vec<Fact>,
    /// Measured and unusual, but not enough for a hint.
    #[serde(rename = "odd")]
    pub unusual: Vec<Fact>,
    /// No data in the window.
    pub no_data: Vec<Fact>,
    /// Unknown: an agent did not answer, or a signal is missing.
    pub unknown: Vec<Fact>,
    /// One line per Pod.
    pub pods: Vec<PodLine>,
    /// Related objects: Services, Nodes, peers.
    #[serde(rename = "around")]
    pub related: Vec<Fact>,
    /// How the blamed Node differs from those that are well. `None`: no Node is blamed, or it could not be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differs: Option<Differs>,
    /// What changed before the trouble began. `None`: there is no cause, or no API server to ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changes>,
    /// The objects and the onset for `changed`. `None`: there is no cause.
    #[serde(skip)]
    pub inquiry: Option<Inquiry>,
    /// Newest warnings of the API server.
    pub events: Vec<Fact>,
    /// Agents that did not answer.
    pub not_answered: Vec<SilentAgent>,
}

/// The answer in one sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Kind of answer.
    pub state: State,
    /// One sentence.
    pub sentence: String,
    /// Cause as in docs/hints.md.
    pub cause: Option<String>,
    /// Culprit.
    pub blame: Option<Blame>,
    /// 0 … 1: the lowest confidence on the causal path, less where other hints about its first Pod blame somebody else.
    /// `None`: no cause.
    pub confidence: Option<f64>,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Until when, RFC 3339. `None`: it lasts, or there is no cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Node whose agent reported it, and the number of others.
    #[serde(rename = "said_by")]
    pub reported_by: String,
}

/// Time for which an ended hint is the answer when nothing else is.
const JUST_NOW: Duration = Duration::from_secs(60);

/// Kinds of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A hint names the cause.
    CauseFound,
    /// A hint named a cause and is resolved.
    Resolved,
    /// Measured, without a hint.
    NothingFound,
    /// Nothing was measured.
    NoData,
}

/// One link of the causal chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Cause or symptom.
    pub what: String,
    /// Pod or Node.
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
    /// False: no measurements.
    pub measured: bool,
}

/// Builds the report.
pub fn explain(mut facts: Facts, wanted: &HintFilter) -> Explanation {
    settle(&mut facts.hints, &facts.peer_rows);
    endpoints::join(&mut facts);
    answers::weigh_servers(&mut facts);
    let mut hints: Vec<Hint> = facts.hints.iter().filter(|hint| wanted.is_current(hint)).cloned().collect();
    hints.dedup_by(|a, b| a.id == b.id && a.subject == b.subject);
    sort(&mut hints);
    let own: Vec<&Hint> = hints.iter().filter(|hint| facts.is_about(hint)).collect();
    let blaming: Vec<&Hint> = hints.iter().filter(|hint| !facts.is_about(hint) && facts.is_blamed(hint)).collect();
    let health = facts.health();
    let called: Vec<&Hint> = hints.iter().filter(|hint| facts.calls(hint)).collect();
    let passed: Vec<&Hint> = hints.iter().filter(|hint| facts.passes(hint)).collect();
    let lead = lead(&facts, [&own, &blaming, &called, &passed]);
    let ended = if lead.is_none() { just_ended(&facts, wanted) } else { Vec::new() };
    let past = ended.iter().find(|hint| facts.is_about(hint)).map(|hint| follow(hint, &ended));
    let path = lead.map(|hint| follow(hint, &hints)).or(past).unwrap_or_default();
    let root = path.last().copied();
    let verdict = found(&facts, &hints, &path).unwrap_or_else(|| verdict_without_hint(&facts, &health));
    let next_step = match root {
        Some(root) if verdict.state == State::CauseFound => root.action.clone(),
        _ => next_step_without_cause(&facts, verdict.state),
    };
    let others = own.iter().chain(&blaming).chain(&called).filter(|h| !is_explained(h, &path, &hints));
    let also = others.map(|h| (*h).clone()).collect();
    Explanation {
        workload: facts.workload(),
        nodes: facts.nodes(),
        waterfall: facts.waterfall(),
        culprits: root.map(culprits::culprits).unwrap_or_default(),
        promql: promql::queries(root.map(|r| r.cause.as_str()), &facts.selector(root)),
        evidence: path.iter().rev().flat_map(|hint| hint.evidence.iter().cloned()).collect(),
        ruled_out: path.iter().rev().flat_map(|hint| hint.ruled_out.iter().cloned()).collect(),
        chain: chain(&path),
        pods: facts.pods.iter().map(|pod| line(pod, &hints)).collect(),
        verdict,
        next_step,
        also,
        normal: health.normal,
        unusual: health.unusual,
        no_data: health.no_data,
        unknown: health.unknown,
        differs: None,
        changed: None,
        inquiry: Inquiry::of(&facts, &path),
        related: facts.related,
        events: facts.events,
        not_answered: facts.not_answered,
        at: facts.at,
        kind: facts.kind,
        namespace: facts.namespace,
        name: facts.name,
    }
}

/// It is a link of the answer's path, or another effect of the same root on the same Pod.
fn is_explained(hint: &Hint, path: &[&Hint], all: &[Hint]) -> bool {
    let is_effect = || path.len() > 1 && hint.subject == path[0].subject && follow(hint, all).last() == path.last();
    path.contains(&hint) || is_effect()
}

/// Hints that ended within the wanted time, but at least the last [`JUST_NOW`]: a fault that comes and goes is away when
/// somebody asks, as likely as not.
fn just_ended(facts: &Facts, wanted: &HintFilter) -> Vec<Hint> {
    let since = wanted.since.unwrap_or_default().max(JUST_NOW);
    let wanted = HintFilter { since: Some(since), ..wanted.clone() };
    let mut ended: Vec<Hint> = facts.hints.iter().filter(|hint| wanted.is_current(hint)).cloned().collect();
    ended.dedup_by(|a, b| a.id == b.id && a.subject == b.subject);
    // Timestamps of one form: the newest first.
    ended.sort_by(|a, b| b.last_seen.cmp(&a.last_seen));
    ended
}

/// The firing hint to explain, of those about the target, those that blame it, those about Pods that it calls, and those
/// that name a way of its traffic.
fn lead<'h>(facts: &Facts, [own, blaming, called, passed]: [&[&'h Hint]; 4]) -> Option<&'h Hint> {
    // For a Node, hints that blame it come before hints about its Pods.
    let is_first = |hint: &&Hint| facts.kind != "Node" || facts.is_blamed(hint);
    let (first, rest): (Vec<&Hint>, Vec<&Hint>) = own.iter().chain(blaming).copied().partition(is_first);
    // Nothing shows yet that the target waits for those that it calls, or for a way: they come last.
    let groups = [first, rest, called.to_vec(), passed.to_vec()];
    groups.iter().find_map(|group| worst(group.iter().copied().filter(|hint| hint.state == HintState::Firing)))
}

/// Symptoms of work that fails, rather than taking longer.
const FAILURES: [&str; 5] = ["connect_failures", "unanswered_requests", "resets", "errors", "name_resolution_fails"];
/// Hints whose confidence is so much below the best one's are no rivals of it.
const RIVALS: f64 = 0.2;

/// Of hints that are about as sure, the first about failures, else the surest. They come by confidence.
fn worst<'h>(hints: impl Iterator<Item = &'h Hint>) -> Option<&'h Hint> {
    let all: Vec<&Hint> = hints.collect();
    let best = all.first()?;
    let fails =
        |hint: &&&Hint| FAILURES.contains(&hint.symptom.as_str()) && hint.confidence >= best.confidence - RIVALS;
    all.iter().find(fails).or(all.first()).copied()
}

/// The verdict from a causal path. `None`: it is empty.
fn found(facts: &Facts, hints: &[Hint], path: &[&Hint]) -> Option<Verdict> {
    let (first, root) = (path.first()?, path.last()?);
    let verdict = verdict_from_path(root, first, path);
    let confidence = verdict.confidence.map(|sure| beside_rivals(sure, path, hints));
    let verdict = Verdict { confidence, ..verdict };
    let verdict = match relation(facts, first) {
        Some(relation) => of_another(verdict, &facts.shown(), relation),
        None => verdict,
    };
    Some(Verdict { reported_by: facts.reported_by(root, hints), ..verdict })
}

/// The verdict from the root cause and the causal path to it.
fn verdict_from_path(root: &Hint, first: &Hint, path: &[&Hint]) -> Verdict {
    let state = if first.state == HintState::Firing { State::CauseFound } else { State::Resolved };
    let over = if state == State::Resolved { "Over now: " } else { "" };
    let sentence = match path {
        [_] => format!("{over}{}", root.summary),
        _ => format!(
            "{over}{}. This affects {}: {}",
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
        confidence: path.iter().map(|hint| hint.confidence).min_by(f64::total_cmp),
        since: Some(first.first_seen.clone()),
        until: (state == State::Resolved).then(|| first.last_seen.clone()),
        reported_by: String::new(),
    }
}

/// Chance that the trouble of a callee or a way is what slows a Pod, while the Pod shows nothing of its own.
const SLOWS_THE_TARGET: f64 = 0.8;

/// How the target depends on the culprit of a hint about others. `None`: the hint is about the target, or blames it.
fn relation(facts: &Facts, lead: &Hint) -> Option<&'static str> {
    match (facts.calls(lead), facts.passes(lead)) {
        (true, _) => Some("calls it"),
        (false, true) => Some("uses the same path"),
        (false, false) => None,
    }
}

/// The verdict of a hint about others.
fn of_another(verdict: Verdict, target: &str, relation: &str) -> Verdict {
    let sentence = verdict.sentence.trim_end_matches('.');
    Verdict {
        sentence: format!("{sentence}. {target} {relation}, and shows no harm of its own yet"),
        confidence: verdict.confidence.map(|confidence| (confidence * SLOWS_THE_TARGET * 100.0).round() / 100.0),
        ..verdict
    }
}

/// From the root cause to the symptom of the target.
fn chain(path: &[&Hint]) -> Vec<Link> {
    let mut out: Vec<Link> = Vec::new();
    for hint in path.iter().rev() {
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

fn line(pod: &TargetPod, hints: &[Hint]) -> PodLine {
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
