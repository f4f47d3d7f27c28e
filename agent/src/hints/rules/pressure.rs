//! Resources that the Pod's tasks wait for without a limit of their own: CPUs in use by others, memory, IO.

pub(crate) mod cpu;
pub(crate) mod io;
pub(crate) mod memory;

use crate::{
    api::{BlameKind, Evidence, RuledOut},
    hints::{
        context::{Context, Subject},
        finding::{Finding, MEASURED, evidence, shared_blame},
        memory::host::Resource,
        rule::Rule,
        stats::{over, percent},
    },
    sample::Signal,
};

/// A victim, for the rules of this family.
pub(crate) const MINIMUM: &str = "PSI, and a victim: at least 10 data segments sent, or 3 handshakes, in the window.";

/// Multiple of the Pod's own baseline that a stall needs.
const OVER_BASELINE: f64 = 2.0;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let memory_stalls = stalled(context, Resource::Memory, memory::STALL);
    let io_stalls = stalled(context, Resource::Io, io::STALL);
    let mut out = Vec::new();
    for subject in context.subjects().iter().filter(|s| s.has_callers()) {
        out.extend(cpu::judge(context, subject));
        out.extend(memory::judge(context, subject, memory_stalls));
        out.extend(io::judge(context, subject, io_stalls));
    }
    out
}

/// How long a subject's tasks waited.
#[derive(Clone, Copy)]
pub(crate) struct Stall {
    /// Share of the window.
    pub(crate) share: f64,
    /// The same in normal times. `None`: not known yet.
    pub(crate) usual: Option<f64>,
}

/// A stall of at least `limit` that is unusual for this subject. `None`: there is none, or it is not known.
pub(crate) fn stall(context: &Context<'_>, subject: &Subject<'_>, resource: Resource, limit: f64) -> Option<Stall> {
    let share = resource.some_us(&subject.view.window_pressure?) as f64 / 1e6 / context.window.as_secs_f64();
    let usual = context.memory.host.stall(&subject.view.id, resource);
    (share >= limit && usual.is_none_or(|usual| share >= OVER_BASELINE * usual)).then_some(Stall { share, usual })
}

/// Subjects with a stall of at least `limit`.
fn stalled(context: &Context<'_>, resource: Resource, limit: f64) -> usize {
    context.subjects().iter().filter(|s| stall(context, s, resource, limit).is_some()).count()
}

/// The pressure of the Pod and of the Node.
pub(crate) fn numbers(context: &Context<'_>, subject: &Subject<'_>, resource: Resource, stall: Stall) -> Vec<Evidence> {
    let label = resource.label();
    let name = |metric: &str| format!("{metric}{{resource=\"{label}\",kind=\"some\"}}");
    let file = format!("{label}.pressure");
    let pod = name("netwhy_pressure_seconds_total");
    let pod = evidence(&pod, stall.share, "seconds per second", subject.name(), &file);
    let mut out = vec![Evidence { baseline: stall.usual, ..pod }];
    if let Some(share) = node_stall(context, resource) {
        let (node, signal) = (name("netwhy_node_pressure_seconds_total"), signal_of(resource));
        out.push(Evidence {
            baseline: context.memory.host.rate(&(signal, None)).map(|us| us / 1e6),
            ..evidence(&node, share, "seconds per second", context.node, signal.source())
        });
    }
    out
}

const fn signal_of(resource: Resource) -> Signal {
    match resource {
        Resource::Cpu => Signal::PressureCpuSome,
        Resource::Memory => Signal::PressureMemorySome,
        Resource::Io => Signal::PressureIoSome,
    }
}

/// Share of the window in which some task of the Node waited. `None`: the kernel does not offer it.
pub(crate) fn node_stall(context: &Context<'_>, resource: Resource) -> Option<f64> {
    context.host?.share(signal_of(resource), context.window)
}

/// Rules out the Pod's own CPU limit when the data do.
pub(crate) fn rule_out_throttling(context: &Context<'_>, subject: &Subject<'_>) -> Vec<RuledOut> {
    let unlimited = subject
        .view
        .window_cpu
        .filter(|cpu| cpu.periods == 0)
        .map(|_| RuledOut { cause: "pod_cpu_throttled".into(), because: "no period was throttled".into() });
    subject.rule_out_throttling(context.thresholds).or(unlimited).into_iter().collect()
}

/// A stall for memory or IO.
pub(crate) struct Wait {
    pub(crate) rule: &'static Rule,
    /// Probability of the culprit that the rule names. 1: no other is possible.
    pub(crate) certainty: f64,
    /// Name of the resource, for people.
    pub(crate) resource: &'static str,
    pub(crate) stall: Stall,
    /// The limit that the stall exceeds.
    pub(crate) limit: f64,
    /// The reason for the rule, for people.
    pub(crate) reason: String,
    pub(crate) evidence: Vec<Evidence>,
}

impl Wait {
    pub(crate) fn finding(self, context: &Context<'_>, subject: &Subject<'_>) -> Finding {
        let name = subject.name();
        let (pod, node) = ((BlameKind::Pod, name), (BlameKind::Node, context.node));
        let (culprit, other) = if self.rule.id.starts_with("node_") { (node, pod) } else { (pod, node) };
        let others: &[(BlameKind, &str)] = if self.certainty < 1.0 { &[other] } else { &[] };
        let (waited, usual) = (percent(self.stall.share), self.stall.usual);
        let normally = usual.map_or(String::new(), |usual| format!(" (normally {})", percent(usual)));
        Finding {
            nats: over(self.stall.share, self.limit),
            covers: MEASURED,
            summary: format!("{name} waits for {} {waited} of the time{normally}: {}", self.resource, self.reason),
            evidence: self.evidence,
            ruled_out: rule_out_throttling(context, subject),
            ..Finding::new(self.rule, subject.ix, shared_blame(culprit, self.certainty, others))
        }
    }
}

#[cfg(test)]
mod tests;
