//! Full accept queues where no walk reads listeners: the Node's own counter, and the Pod whose clients fell quiet.

use super::POD_ACCEPT_QUEUE_FULL;
use crate::{
    api::BlameKind,
    hints::{
        context::{Context, SubjectIx},
        finding::{Finding, blame, evidence},
        stats::over,
    },
    sample::Signal,
};
use std::collections::BTreeMap;

/// Multiple of the usual growth of the counter that a finding needs.
const OVER_BASELINE: f64 = 3.0;
/// Certainty that these are the Pod's connections: another program of the Node may listen, too.
const CERTAINTY: f64 = 0.8;

/// The kernel counts overflows per network namespace. The clients of a full queue don't get through: a Pod loses
/// clients that usually ask. `None`: none does, several do, or walks know better.
pub(super) fn judge(context: &Context<'_>) -> Option<Finding> {
    if context.walked_at.is_some() {
        return None;
    }
    let counter = Signal::ListenOverflows;
    let (overflows, limit) = (context.host?.count(counter)?.window, context.thresholds.accept_drops.max(1));
    let usual = context.memory.host.rate(&(counter, None)).unwrap_or(0.0) * context.window.as_secs_f64();
    if overflows < limit || (overflows as f64) < OVER_BASELINE * usual {
        return None;
    }
    let mut quiet: BTreeMap<SubjectIx, u64> = BTreeMap::new();
    for (_, client) in context.memory.vanished.iter() {
        if let Some(server) = context.subjects().iter().find(|subject| subject.view.id == client.edge.subject) {
            *quiet.entry(server.ix).or_default() += 1;
        }
    }
    let [(subject, clients)] = quiet.into_iter().collect::<Vec<_>>()[..] else { return None };
    let name = context.subject(subject).name();
    Some(Finding {
        nats: over(overflows as f64, limit as f64),
        certainty: CERTAINTY,
        summary: format!(
            "{name} does not accept fast enough: full listen queues of {} turned {overflows} connections away, and of \
             its Pods {name} alone lost clients ({clients}) that usually ask",
            context.node
        ),
        evidence: vec![
            evidence(counter.label(), overflows as f64, "connections", context.node, counter.source()),
            evidence("clients_fell_quiet", clients as f64, "clients", name, "ebpf:tcp_probe"),
        ],
        ..Finding::new(&POD_ACCEPT_QUEUE_FULL, subject, blame(BlameKind::Pod, name))
    })
}

#[cfg(test)]
mod tests;
