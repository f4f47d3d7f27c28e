//! Memory: the Node's, or the Pod's own limit.

use super::{MINIMUM, Wait, node_stall, numbers, stall};
use crate::hints::{
    context::{Context, Subject},
    finding::{Finding, evidence},
    memory::host::Resource,
    rule::{Family, QueryTemplate, Rule},
    rules::queries,
};

pub(crate) const NODE_MEMORY_PRESSURE: Rule = Rule {
    id: "node_memory_pressure",
    family: Family::Pressure,
    order: 430,
    symptom: "memory_stall",
    meaning: "The Node is short of memory: the Pod's tasks wait for reclaim although the Pod is within its own \
              limits.",
    signals: &[
        "netwhy_pressure_seconds_total{resource=\"memory\"}",
        "netwhy_node_pressure_seconds_total{resource=\"memory\"}",
        "memory.events (high, max)",
    ],
    test: "Some task of the Pod waits for memory at least 10 % of the window, and some task of the Node does too. The \
           Pod did not reach a limit of its own.",
    minimum: MINIMUM,
    ruled_out_by: "The Pod reached its own limit (`pod_memory_pressure`). Where that is not known, other Pods must \
                   wait for memory too.",
    action: "Find the Pods that use the memory (`kubectl top pod`), set correct memory requests, or drain the Node.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "share of time that the Node's tasks waited, by resource",
        promql: queries::NODE_PRESSURE,
    }],
};

pub(crate) const POD_MEMORY_PRESSURE: Rule = Rule {
    id: "pod_memory_pressure",
    family: Family::Pressure,
    order: 440,
    symptom: "memory_stall",
    meaning: "The Pod is at its own memory limit: its tasks wait while the kernel reclaims pages that they need \
              again.",
    signals: NODE_MEMORY_PRESSURE.signals,
    test: "Some task of the Pod waits for memory at least 5 % of the window. The kernel counts that the Pod (or a \
           container of it) reached memory.high or memory.max. Both are counted: no false alarm by chance.",
    minimum: MINIMUM,
    ruled_out_by: "The Pod reached no limit of its own.",
    action: "Raise the memory limit, or make the process use less. Otherwise the kernel will soon kill it.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "share of time that tasks waited, by resource", promql: queries::PRESSURE }],
};

/// Share of the window that tasks wait.
pub(crate) const STALL: f64 = 0.1;
/// The same at the Pod's own limit.
const OWN_LIMIT_STALL: f64 = 0.05;

/// `stalled`: subjects that wait for memory.
pub(crate) fn judge(context: &Context<'_>, subject: &Subject<'_>, stalled: usize) -> Option<Finding> {
    let hits = subject.view.window_memory_limit_hits;
    // When the kernel counts hits of the Pod's own limit, they explain a shorter stall too.
    let limit = if hits.is_some_and(|n| n > 0) { OWN_LIMIT_STALL } else { STALL };
    let stall = stall(context, subject, Resource::Memory, limit)?;
    let node = node_stall(context, Resource::Memory).is_some_and(|share| share >= STALL);
    let others = stalled.saturating_sub(1);
    let (rule, certainty) = match hits {
        Some(n) if n > 0 => (&POD_MEMORY_PRESSURE, 1.0),
        Some(_) if node => (&NODE_MEMORY_PRESSURE, 1.0),
        None if node && others > 0 => (&NODE_MEMORY_PRESSURE, 0.8),
        None if others == 0 => (&POD_MEMORY_PRESSURE, 0.6),
        _ => return None,
    };
    let mut all = numbers(context, subject, Resource::Memory, stall);
    all.extend(hits.map(|n| evidence("memory_limit_hits", n as f64, "times", subject.name(), "memory.events")));
    all.push(evidence("pods_waiting", others as f64, "other Pods", context.node, "memory.pressure"));
    let reason = match hits {
        Some(0) => "it is within its own limits".to_owned(),
        Some(n) => format!("it reached its own limit {n} times"),
        None => "whether it reached a limit of its own is not known".to_owned(),
    };
    let wait = Wait { rule, certainty, resource: "memory", stall, limit, reason, evidence: all };
    Some(wait.finding(context, subject))
}
