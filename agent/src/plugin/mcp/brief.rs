//! Reports as verdicts: what an assistant needs for its next step, without series.

use crate::{
    api::{AgentStats, Evidence, Hint, HintState, ProbeState},
    hints::Rule,
    plugin::{
        Failure,
        model::{
            SilentAgent,
            changed::{Change, Changes},
            differs::Differs,
            health::{Fact, percent, seconds},
            hints::{Hints, MissingTime},
            matrix::{Matrix, Pair},
            nodes::{Losses, Nodes},
            topology::{StepHealth, Topology},
            why::Explanation,
        },
        render::value,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Of `why`.
pub(in crate::plugin) fn why(case: &Explanation) -> Value {
    let verdict = &case.verdict;
    let name = if case.namespace.is_empty() { case.name.clone() } else { format!("{}/{}", case.namespace, case.name) };
    let suffering = case.pods.iter().filter(|pod| !pod.cause.is_empty());
    let mut out = json!({
        "target": format!("{} {name}", case.kind),
        "nodes": case.nodes,
        "state": verdict.state,
        "verdict": verdict.sentence,
        "cause": verdict.cause,
        "at_fault": verdict.blame.as_ref().map(crate::api::Blame::text),
        "confidence": verdict.confidence,
        "since": verdict.since,
        "until": verdict.until,
        "reported_by": verdict.reported_by,
        "evidence": case.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "ruled_out": case.ruled_out.iter().map(|r| format!("{}: {}", r.cause, r.because)).collect::<Vec<_>>(),
        "chain": case.chain.iter().map(|link| format!("{} ({})", link.what, link.who)).collect::<Vec<_>>(),
        "next_step": case.next_step,
        "other_hints": case.also.iter().map(crate::plugin::render::one_line).collect::<Vec<_>>(),
        "unusual": facts(&case.unusual),
        "no_data": facts(&case.no_data),
        "unknown": facts(&case.unknown),
        "pods_with_a_cause": suffering.map(|pod| format!("{}/{}: {}", pod.namespace, pod.name, pod.cause)).collect::<Vec<_>>(),
        "warnings": facts(&case.events),
        "not_answered": silent(&case.not_answered),
    });
    if let Some(report) = &case.changed {
        out["changed_before"] = json!(changed_lines(report));
        out["changes_unknown"] = json!(facts(&report.unknown));
    }
    if let Some(report) = &case.differs {
        out["blamed_node_differs"] = json!(differences(report));
    }
    without_nothing(out)
}

/// Of `hints`.
pub(super) fn hints(hints: &Hints) -> Value {
    let one = |hint: &Hint| {
        json!({
            "subject": format!("{}/{} on {}", hint.subject.namespace, hint.subject.name, hint.subject.node),
            "state": hint.state, "cause": hint.cause, "at_fault": hint.blame.text(), "confidence": hint.confidence,
            "since": hint.first_seen, "summary": hint.summary,
        })
    };
    json!({
        "agents": hints.agents,
        "count": hints.items.len(),
        "hints": hints.items.iter().map(one).collect::<Vec<_>>(),
        "not_answered": silent(&hints.not_answered),
    })
}

/// Of hints of a time in the past.
pub(super) fn history(hints: &Hints) -> Value {
    let one = |hint: &Hint| {
        json!({
            "subject": format!("{}/{} on {}", hint.subject.namespace, hint.subject.name, hint.subject.node),
            "cause": hint.cause, "at_fault": hint.blame.text(), "confidence": hint.confidence,
            "from": hint.first_seen, "until": (hint.state == HintState::Resolved).then_some(&hint.last_seen),
            "summary": hint.summary,
        })
    };
    let missing =
        |time: &MissingTime| format!("{} from {} to {}: {}", time.node, time.gap.from, time.gap.to, time.gap.why);
    json!({
        "between": hints.between,
        "agents": hints.agents,
        "count": hints.items.len(),
        "hints": hints.items.iter().map(one).collect::<Vec<_>>(),
        "not_recorded": hints.missing.iter().map(missing).collect::<Vec<_>>(),
        "not_answered": silent(&hints.not_answered),
    })
}

/// Of `changed`.
pub(super) fn changed(report: &Changes) -> Value {
    let name =
        if report.namespace.is_empty() { report.name.clone() } else { format!("{}/{}", report.namespace, report.name) };
    json!({
        "target": format!("{} {name}", report.kind),
        "from": report.from,
        "until": report.until,
        "count": report.items.len() + report.left_off,
        "changes": changed_lines(report),
        "unknown": facts(&report.unknown),
        "not_answered": silent(&report.not_answered),
    })
}

fn changed_lines(report: &Changes) -> Vec<String> {
    let line = |item: &Change| {
        format!("{} ({}), {}: {} {}", item.when(), item.near.label(), item.kind.label(), item.shown(), item.what)
    };
    report.items.iter().map(line).collect()
}

/// Of `nodes`.
pub(super) fn nodes(nodes: &Nodes) -> Value {
    let loss = |losses: &Losses| losses.ratio().map_or_else(|| "too little traffic".to_owned(), percent);
    let items: Vec<Value> = nodes
        .items
        .iter()
        .map(|node| {
            json!({
                "node": node.node, "blame": node.blame, "hints_that_blame_it": node.blamed_by,
                "peers_worse": format!("{} of {}", node.peers_worse, node.peers), "loss_in": loss(&node.into),
                "loss_out": if node.answered { loss(&node.out) } else { "its agent did not answer".to_owned() },
            })
        })
        .collect();
    let differing = |report: &Differs| {
        differences(report).into_iter().map(|line| format!("{}: {line}", report.node)).collect::<Vec<_>>()
    };
    json!({
        "agents": nodes.agents,
        "nodes": items,
        "blamed_nodes_differ": nodes.differs.iter().flat_map(differing).collect::<Vec<_>>(),
        "not_answered": silent(&nodes.not_answered),
    })
}

/// Of one pair of Nodes.
///
/// # Errors
/// When one of them is no known Node.
pub(super) fn edge(pairs: &Matrix, from: &str, to: &str) -> Result<Value, Failure> {
    if let Some(unknown) = [from, to].into_iter().find(|node| !pairs.nodes.iter().any(|known| known == node)) {
        let what = format!("no agent has traffic from or to a Node {unknown:?}");
        return Err(Failure::new(what, "`nodes` lists the Nodes"));
    }
    let one = |pair: Option<&Pair>| match pair {
        None => json!("no traffic in the window, or its sender's agent did not answer"),
        Some(pair) => json!({
            "lowest_rtt": pair.min_rtt_seconds.map(seconds),
            "median_rtt_with_reply_time": pair.rtt_p50_seconds.map(seconds),
            "segments": pair.segments, "loss_episodes": pair.episodes,
            "loss": pair.loss.map_or_else(|| "too few segments".to_owned(), percent),
        }),
    };
    Ok(json!({
        "forth": one(pairs.pair(from, to)),
        "back": one(pairs.pair(to, from)),
        "median_lowest_rtt_of_all_pairs": pairs.median_min_rtt().map(seconds),
        "agents": pairs.agents,
        "not_answered": silent(&pairs.not_answered),
    }))
}

/// Of `topology`: objects with trouble first, then by depth.
pub(super) fn topology(topology: &Topology) -> Value {
    let mut steps: Vec<_> = topology.steps.iter().collect();
    steps.sort_by_key(|step| (step.depth > 0, std::cmp::Reverse(step.health), step.depth));
    let line = |step: &&crate::plugin::model::topology::Step| {
        format!("{}/{} [{}] {}", step.kind, step.name, step.health.label(), step.summary)
    };
    let healthy = topology.steps.iter().filter(|step| step.health == StepHealth::Well).count();
    json!({
        "healthy": format!("{healthy} of {} objects", topology.steps.len()),
        "objects": steps.iter().map(line).collect::<Vec<_>>(),
        "unknown": topology.unknown,
        "not_answered": silent(&topology.not_answered),
    })
}

/// Of `diff`.
pub(super) fn differs(report: &Differs) -> Value {
    json!({
        "node": report.node,
        "other": report.other,
        "nodes_that_are_well": report.well,
        "differences": differences(report),
        "unknown": facts(&report.unknown),
        "not_answered": silent(&report.not_answered),
    })
}

/// Of a cause.
pub(super) fn cause(rule: &Rule) -> Value {
    json!({
        "cause": rule.id, "symptom": rule.symptom, "meaning": rule.meaning, "test": rule.test,
        "needs": rule.minimum, "ruled_out_by": rule.ruled_out_by, "what_to_do": rule.action,
        "explained_by": rule.caused_by, "explained_by_at_the_peer": rule.caused_by_at_peer, "signals": rule.signals,
    })
}

/// Of the agents themselves.
pub(super) fn health(agents: &[AgentStats], not_answered: &[SilentAgent]) -> Value {
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut missing: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut incomplete: Vec<&str> = Vec::new();
    for agent in agents {
        *versions.entry(&agent.version).or_default() += 1;
        for probe in agent.probes.iter().filter(|probe| probe.state != ProbeState::Ok) {
            let what = format!("{} {}: {}", probe.name, probe.state.label(), probe.why);
            missing.entry(what).or_default().push(&agent.node);
        }
        if agent.pods_complete == Some(false) {
            incomplete.push(&agent.node);
        }
    }
    let on = |(what, nodes): (String, Vec<&str>)| match nodes.as_slice() {
        [one] => format!("{what} (on {one})"),
        [first, ..] => format!("{what} (on {} Nodes, such as {first})", nodes.len()),
        [] => what,
    };
    json!({
        "agents": agents.len(),
        "versions": versions,
        "attached": agents.iter().filter(|agent| agent.attached).count(),
        "missing_signals": missing.into_iter().map(on).collect::<Vec<_>>(),
        "incomplete_pod_lists": incomplete,
        "not_answered": silent(not_answered),
    })
}

/// One number beside its usual value.
pub(in crate::plugin) fn evidence(e: &Evidence) -> String {
    let normal = e.baseline.map(|baseline| format!(", normally {}", value(e, baseline))).unwrap_or_default();
    format!("{} {}{normal}, {}", e.signal, value(e, e.observed), e.place)
}

fn facts(facts: &[Fact]) -> Vec<String> {
    facts.iter().map(|fact| format!("{}: {}", fact.what, fact.figures)).collect()
}

fn differences(report: &Differs) -> Vec<String> {
    let one = |item: &crate::plugin::model::differs::Difference| match &item.other {
        Some(other) => {
            format!("{}: {}, {} there", item.name(), item.shown(item.value.as_deref()), item.shown(Some(other)))
        }
        None => format!("{}: {}", item.name(), item.sentence()),
    };
    report.items.iter().map(one).collect()
}

fn silent(agents: &[SilentAgent]) -> Vec<String> {
    agents.iter().map(|one| format!("{}: {}", one.node, one.why)).collect()
}

/// Without keys that have no value, except who did not answer.
fn without_nothing(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|key, value| {
            let is_nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value == "";
            key == "not_answered" || !is_nothing
        });
    }
    value
}

#[cfg(test)]
mod tests;
