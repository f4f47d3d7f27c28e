//! Liveness and readiness, as pure functions of the published state and the time.

use crate::{api::AgentStats, state::NodeView};
use std::time::Duration;

/// Oldest snapshot with which the agent is still ready.
const READY_AGE: Duration = Duration::from_secs(10);
/// Oldest snapshot with which the agent is still alive. It is long because a restart loses the counters.
const ALIVE_AGE: Duration = Duration::from_secs(60);

/// Whether the agent is ready. `now` is `CLOCK_MONOTONIC`.
///
/// # Errors
/// The reasons why it is not, one per line.
pub fn ready(view: &NodeView, agent: &AgentStats, now: Duration) -> Result<(), String> {
    let mut missing = Vec::new();
    if !agent.attached {
        missing.push("the kernel programs are not attached yet".to_owned());
    }
    if agent.pods_complete == Some(false) {
        let error = agent.watches.iter().find(|watch| watch.name == "pods").and_then(|w| w.last_error.as_deref());
        let error = error.map(|text| format!(": {text}")).unwrap_or_default();
        missing.push(format!("the Pod list is not complete yet{error}"));
    }
    if agent.own_node_exists == Some(false) {
        missing.push(format!(
            "the cluster has no Node named {:?}: pass its name with --node-name, or NODE_NAME from spec.nodeName",
            agent.node
        ));
    }
    if !view.window_complete {
        missing.push("the first window is not computed yet".to_owned());
    }
    missing.extend(stale(view, now, READY_AGE));
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n")) }
}

/// Problems of a ready agent, one per line: failing watches with the age of their data, operations that the kernel
/// refuses, and cgroup files that don't respond.
pub(super) fn degraded(agent: &AgentStats) -> Vec<String> {
    let failing = agent.watches.iter().filter_map(|watch| watch.last_error.as_ref().map(|error| (watch, error)));
    let age = |seconds: Option<f64>| match seconds {
        Some(seconds) => format!("the data of {{}} are {seconds:.0} s old"),
        None => "there are no data of {}".to_owned(),
    };
    let watches = failing
        .map(|(watch, error)| format!("degraded: {}: {error}", age(watch.age_seconds).replace("{}", &watch.name)));
    let kernel = agent.kernel_errors.iter().filter_map(|errors| {
        Some(format!("degraded: the kernel refuses {}: {}", errors.operation, errors.last_error.as_ref()?))
    });
    let files = agent.cgroup_age_seconds.filter(|age| *age > READY_AGE.as_secs_f64());
    let files = files.map(|age| format!("degraded: the data of cgroup files are {age:.0} s old: reading them hangs"));
    watches.chain(kernel).chain(files).collect()
}

/// Whether the agent makes progress. The first snapshot has as much time as each later one, from `started` on.
/// `started` and `now` are `CLOCK_MONOTONIC`.
///
/// # Errors
/// The reason to restart it.
pub fn alive(view: &NodeView, started: Duration, now: Duration) -> Result<(), String> {
    let waited = now.saturating_sub(started);
    if age(view, now).is_none() && waited > ALIVE_AGE {
        let limit = ALIVE_AGE.as_secs();
        return Err(format!("there is no snapshot {} s after the start, more than {limit} s", waited.as_secs()));
    }
    stale(view, now, ALIVE_AGE).map_or(Ok(()), Err)
}

/// Age of the newest snapshot. `None`: none yet.
pub(super) fn age(view: &NodeView, now: Duration) -> Option<Duration> {
    (view.at > Duration::ZERO).then(|| now.saturating_sub(view.at))
}

fn stale(view: &NodeView, now: Duration, limit: Duration) -> Option<String> {
    let age = age(view, now).filter(|age| *age > limit)?;
    Some(format!("the newest snapshot is {} s old, more than {} s", age.as_secs(), limit.as_secs()))
}

#[cfg(test)]
mod tests;
