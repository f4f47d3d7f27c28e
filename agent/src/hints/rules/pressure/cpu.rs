//! CPUs that others use.

use super::{MINIMUM, Stall, numbers, rule_out_throttling, stall};
use crate::{
    api::{BlameKind, Evidence},
    hints::{
        context::{Context, Subject, cpus},
        culprit::neighbour::{CpuUse, Neighbour, is_outweighed, neighbour},
        finding::{Finding, MEASURED, blame, evidence},
        memory::host::Resource,
        rule::{Family, QueryTemplate, Rule},
        rules::queries,
        stats::{over, percent},
    },
    sample::Signal,
};

pub(crate) const NODE_CPU_CONTENTION: Rule = Rule {
    id: "node_cpu_contention",
    family: Family::Pressure,
    order: 410,
    symptom: "cpu_starvation",
    meaning: "The Node's CPUs are used up, and this Pod waits for them without being throttled: others take its time. \
              The hint names the Pod with the largest growth over its share.",
    signals: &[
        "netwhy_pressure_seconds_total{resource=\"cpu\"}",
        "netwhy_node_pressure_seconds_total{resource=\"cpu\"}",
        "netwhy_node_cpu_idle_seconds_total",
        "CPU time of all cgroups (cpu.stat) and their weights",
        "netwhy_runqueue_seconds",
    ],
    test: "Some task of the Pod waits for a CPU at least 20 % of the window. 10 % are enough if it waits twice as long \
           as it runs, and `think_time_ms` for each segment that it sends or handshake that it makes. That is twice as much as usual (50 % before a baseline is known). Some task of the Node waits \
           at least 50 % of the window, and the CPUs are busy at least 90 %. The kernel measures all of it: no false \
           alarm by chance.",
    minimum: MINIMUM,
    ruled_out_by: "The Pod's own limit throttles it: such a Pod never blames a neighbour. Idle CPUs. The Pod itself \
                   uses more than half of the used CPU time, or more than its share while nobody else does. The neighbour \
                   has a tenth of the Pod's weight at most, and the Pod waits less than `think_time_ms` for each segment \
                   or handshake: a batch Pod takes what others leave.",
    action: "Move or limit the neighbour, give this Pod a larger CPU request (its weight), or reserve CPUs for it.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "share of time that the Node's tasks waited, by resource",
        promql: queries::NODE_PRESSURE,
    }],
};

pub(crate) const POD_CPU_STARVED: Rule = Rule {
    id: "pod_cpu_starved",
    family: Family::Pressure,
    order: 420,
    symptom: "cpu_starvation",
    meaning: "The Pod's tasks wait for CPUs without being throttled. Alone, not under `node_cpu_contention`: they \
              mostly wait for each other.",
    signals: NODE_CPU_CONTENTION.signals,
    test: NODE_CPU_CONTENTION.test,
    minimum: MINIMUM,
    ruled_out_by: "Throttling (`pod_cpu_throttled`). Idle CPUs: then the Pod waits in short bursts of wake-ups.",
    action: "Use fewer threads, more replicas on other Nodes, or a larger CPU request.",
    caused_by: &["node_cpu_contention"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "share of time that tasks waited, by resource", promql: queries::PRESSURE }],
};

/// Share of the window that the Pod's tasks wait.
const STALL: f64 = 0.2;
/// The same for a Pod that waits much longer than it runs …
const SMALL_STALL: f64 = 0.1;
/// … by this multiple.
const WAIT_PER_WORK: f64 = 2.0;
/// The same before a baseline is known.
const COLD_STALL: f64 = 0.5;
/// Share of the time waited up to which throttling is negligible.
const THROTTLED: f64 = 0.1;

/// A Pod that waits for CPUs, and the CPU use around it.
struct Starved {
    stall: Stall,
    limit: f64,
    cpu: CpuUse,
}

pub(crate) fn judge(context: &Context<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    let Some(found) = starved(context, subject) else { return Vec::new() };
    let neighbour = neighbour(context, subject, found.cpu);
    // Each wake-up may wait for a slice. Nobody notices, unless answers wait for many of them.
    if let Neighbour::User { user, .. } = &neighbour
        && is_outweighed(context, subject, user)
        && !delays_answers(context, subject, found.stall)
    {
        return Vec::new();
    }
    let CpuUse { cpus, busy, own } = found.cpu;
    let (name, waited) = (subject.name(), percent(found.stall.share));
    let mut all = evidence_of(context, subject, &found);
    let starved = Finding {
        nats: over(found.stall.share, found.limit),
        covers: MEASURED,
        summary: format!(
            "{name} waits for a CPU {waited} of the time, mostly for its own threads: it uses {own:.2} of {cpus} cores \
             itself"
        ),
        evidence: all.clone(),
        ruled_out: rule_out_throttling(context, subject),
        ..Finding::new(&POD_CPU_STARVED, subject.ix, blame(BlameKind::Pod, name))
    };
    let user = match &neighbour {
        Neighbour::Own => return vec![starved],
        Neighbour::Nobody => "no neighbour stands out among those that use them".to_owned(),
        Neighbour::User { user, cores, usual } => {
            let id = format!("{}/{}", user.id.namespace, user.id.name);
            all.push(Evidence { baseline: *usual, ..evidence("cpu_usage", *cores, "cores", &id, "cpu.stat") });
            let normally = usual.map_or(String::new(), |usual| format!(" (normally {usual:.2})"));
            format!("{id} uses {cores:.2} cores{normally}")
        }
    };
    let contention = Finding {
        rule: &NODE_CPU_CONTENTION,
        blame: blame(BlameKind::Node, context.node),
        certainty: if matches!(neighbour, Neighbour::User { .. }) { 1.0 } else { 0.8 },
        summary: format!(
            "{name} waits for a CPU of Node {} for {waited} of the time without being throttled: {} of {cpus} CPUs are \
             used, {user}",
            context.node,
            percent(busy)
        ),
        evidence: all,
        ..starved.clone()
    };
    vec![contention, starved]
}

fn starved(context: &Context<'_>, subject: &Subject<'_>) -> Option<Starved> {
    let stall = stall(context, subject, Resource::Cpu, SMALL_STALL)?;
    let seconds = context.window.as_secs_f64();
    let own = subject.view.window_usage_us.unwrap_or(0) as f64 / 1e6 / seconds;
    // A Pod that works little waits little, and may still take three times as long for all its work.
    let limit = match stall.usual {
        None => COLD_STALL,
        Some(_)
            if subject.view.window_usage_us.is_some()
                && stall.share >= WAIT_PER_WORK * own
                && delays_answers(context, subject, stall) =>
        {
            SMALL_STALL
        }
        Some(_) => STALL,
    };
    // PSI counts throttled tasks as waiting too.
    let throttled = subject.view.window_cpu.map_or(0, |cpu| cpu.throttled_us) as f64 / 1e6;
    let own_limit = subject.is_throttled(context.thresholds) || throttled > THROTTLED * stall.share * seconds;
    let (cpus, busy) = cpus::used(context)?;
    let holds = stall.share >= limit && !own_limit && cpus::are_contended(context);
    holds.then_some(Starved { stall, limit, cpu: CpuUse { cpus, busy, own } })
}

/// The Pod's tasks wait long enough for its callers to notice: a moment at each wake-up harms nobody.
fn delays_answers(context: &Context<'_>, subject: &Subject<'_>, stall: Stall) -> bool {
    let tally = &subject.view.window;
    let exchanges = (tally.data_segs_out + tally.connects.iter().sum::<u64>()).max(1) as f64;
    stall.share * context.window.as_secs_f64() * 1000.0 >= context.thresholds.think_time_ms * exchanges
}

fn evidence_of(context: &Context<'_>, subject: &Subject<'_>, found: &Starved) -> Vec<Evidence> {
    let CpuUse { cpus, busy, own } = found.cpu;
    let mut all = numbers(context, subject, Resource::Cpu, found.stall);
    all.push(evidence("cpu_used", busy, &format!("of {cpus} CPUs"), context.node, Signal::CpuIdle.source()));
    for (quantile, label) in [(0.5, "0.5"), (0.99, "0.99")] {
        if let Some(us) = subject.view.window_run_queue.quantile_us(quantile) {
            let signal = format!("netwhy_runqueue_seconds{{quantile=\"{label}\"}}");
            all.push(evidence(&signal, us / 1e6, "seconds", subject.name(), "ebpf:sched_switch"));
        }
    }
    all.push(Evidence {
        baseline: context.memory.host.cores(&subject.view.id),
        ..evidence("cpu_usage", own, "cores", subject.name(), "cpu.stat")
    });
    all
}
