//! When Nodes booted and their agents started, from the agents.

use super::{
    super::{
        super::model::{
            changed::{ChangeKind, Found, Near, Seen},
            health::Fact,
        },
        agent::Agent,
        agent_client::INFO,
        fan_out::{Progress, fan_out},
    },
    Asked, Failure,
};
use crate::api::{AgentStats, FactRow};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The part of `/api/v1/node` that tells when the Node booted.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    facts: Vec<FactRow>,
}

/// Asks the agents of these Nodes.
pub(super) async fn read(asked: Asked<'_>, nodes: &BTreeMap<String, Near>) -> Found {
    let names: BTreeSet<String> = nodes.keys().cloned().collect();
    if names.is_empty() {
        return Found::default();
    }
    let found = match asked.session.agents(asked.client, Some(&names)).await {
        Ok(found) => found,
        Err(failure) => {
            let unknown = vec![Fact::new("starts of agents and Nodes", failure.to_string())];
            return Found { unknown, ..Found::default() };
        }
    };
    let ask = |agent: Agent| async move {
        let client = &agent.client;
        let (info, node) = tokio::join!(client.get::<AgentStats>(INFO), client.get::<Answer>("/api/v1/node"));
        Ok::<_, Failure>((info?, node?))
    };
    let answers = fan_out(found.agents, asked.session.global.concurrency, Progress::new(), ask).await;
    let mut out = Found { silent: found.silent, ..Found::default() };
    out.silent.extend(answers.silent);
    for (node, (info, answer)) in answers.got {
        let near = nodes.get(&node).copied().unwrap_or(Near::Nearby);
        let seen = |at_ms, near, kind, what: &str| Seen {
            at_ms,
            near,
            kind,
            namespace: String::new(),
            object: format!("Node/{node}"),
            what: what.to_owned(),
        };
        let started = i64::try_from(info.started_unix_ms).unwrap_or(i64::MAX);
        // It is no cause, but it explains missing baselines.
        let learns = "netwhy's agent started: it learns anew what is usual";
        out.seen.push(seen(started, Near::Nearby, ChangeKind::Agent, learns));
        out.seen.extend(booted(&answer.facts, asked.now_ms).map(|at| seen(at, near, ChangeKind::Reboot, "booted")));
    }
    out
}

/// When the Node booted, from its uptime; up to a minute late, because agents read facts once a minute. `None`: unknown.
fn booted(facts: &[FactRow], now_ms: i64) -> Option<i64> {
    let uptime = facts.iter().find(|fact| fact.fact == "uptime")?.value.as_ref()?;
    let seconds: f64 = uptime.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)?;
    Some(now_ms.saturating_sub((seconds * 1000.0) as i64))
}

#[cfg(test)]
mod tests;
