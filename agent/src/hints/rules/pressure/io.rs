//! IO: a disk that Pods share, or the Pod's own volume.

use super::{Wait, node_stall, numbers, stall};
use crate::hints::{
    context::{Context, Subject},
    finding::{Finding, evidence},
    memory::host::Resource,
    rule::{Family, QueryTemplate, Rule},
    rules::queries,
};

const TEST: &str = "The kernel measures both (PSI): no false alarm by chance. The stall must be twice the Pod's own \
                    baseline (half-life 5 min), so a Pod that always waits is no finding.";

pub(crate) const NODE_IO_PRESSURE: Rule = Rule {
    id: "node_io_pressure",
    family: Family::Pressure,
    order: 450,
    symptom: "io_stall",
    meaning: "Several Pods of the Node wait for IO at once: a disk that they share is slow or overloaded.",
    signals: &["netwhy_pressure_seconds_total{resource=\"io\"}", "netwhy_node_pressure_seconds_total{resource=\"io\"}"],
    test: TEST,
    minimum: "PSI, a baseline of 10 clean windows, and at least two Pods that wait for IO 20 % of the window. A \
              victim: at least 10 data segments sent, or 3 handshakes.",
    ruled_out_by: "Only one Pod waits (`pod_io_pressure`). Lack of memory, which makes IO of its own.",
    action: "Check the disk (latency, health, cloud limits), and the Pods that read and write most.",
    caused_by: &["node_memory_pressure"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "share of time that the Node's tasks waited, by resource",
        promql: queries::NODE_PRESSURE,
    }],
};

pub(crate) const POD_IO_PRESSURE: Rule = Rule {
    id: "pod_io_pressure",
    family: Family::Pressure,
    order: 460,
    symptom: "io_stall",
    meaning: "The Pod's tasks wait for IO, and no other Pod's do: its own volume, its own limit, or more IO than \
              usual.",
    signals: NODE_IO_PRESSURE.signals,
    test: TEST,
    minimum: "PSI, a baseline of 10 clean windows, 20 % of the window, and a victim: at least 10 data segments sent, \
              or 3 handshakes.",
    ruled_out_by: "Other Pods wait too (`node_io_pressure`). Lack of memory.",
    action: "Check the Pod's volume and its IO limit, and the reads and writes of its process.",
    caused_by: &["node_memory_pressure", "pod_memory_pressure", "node_io_pressure"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "share of time that tasks waited, by resource", promql: queries::PRESSURE }],
};

/// Share of the window that tasks wait.
pub(crate) const STALL: f64 = 0.2;

/// `stalled`: subjects that wait for IO.
pub(crate) fn judge(context: &Context<'_>, subject: &Subject<'_>, stalled: usize) -> Option<Finding> {
    let stall = stall(context, subject, Resource::Io, STALL).filter(|found| found.usual.is_some())?;
    let others = stalled.saturating_sub(1);
    let node = node_stall(context, Resource::Io).is_some_and(|share| share >= STALL);
    let rule = if others > 0 && node { &NODE_IO_PRESSURE } else { &POD_IO_PRESSURE };
    let mut all = numbers(context, subject, Resource::Io, stall);
    all.push(evidence("pods_waiting", others as f64, "other Pods", context.node, "io.pressure"));
    let reason = match others {
        0 => "no other Pod does".to_owned(),
        n => format!("{n} other Pods do too"),
    };
    let wait = Wait { rule, certainty: 1.0, resource: "IO", stall, limit: STALL, reason, evidence: all };
    Some(wait.finding(context, subject))
}
