//! What the Pod's tasks wait for without being limited: CPUs that others use, memory, IO.

use crate::hints::{
    context::{Context, Subject},
    finding::{Finding, blame, evidence},
    memory::host::Resource,
    rule::{Family, QueryTemplate, Rule},
    rules::queries,
    stats::{over, percent},
};
use crate::{
    api::{Blame, BlameKind, Evidence, RuledOut},
    sample::{Gauge, Signal},
    state::CpuUser,
};

const TEST: &str = "Both are the kernel's own clocks (PSI): no false alarm by chance. A Pod that always waits is compared \
                    with its own baseline (half-life 5 min), of which it must be twice.";
const MINIMUM: &str = "PSI, and a victim: at least 10 data segments sent, or one handshake, in the window.";

pub(crate) const NODE_CPU_CONTENTION: Rule = Rule {
    id: "node_cpu_contention",
    family: Family::Pressure,
    order: 410,
    symptom: "cpu_starvation",
    meaning: "The Node's CPUs are used up, and this Pod waits for them without being throttled: others take its time. The \
              one with the largest growth over its share is named.",
    signals: &[
        "netwhy_pressure_seconds_total{resource=\"cpu\"}",
        "netwhy_node_pressure_seconds_total{resource=\"cpu\"}",
        "netwhy_node_cpu_idle_seconds_total",
        "CPU time of all cgroups (cpu.stat) and their weights",
        "netwhy_runqueue_seconds",
    ],
    test: "Some task of the Pod waited for a CPU at least 20 % of the window, or 10 % and twice as long as it ran, and twice \
           as much as usual (50 % before a baseline is known), while some task of the Node did at least 50 % and the CPUs were busy at least 90 %. All are the \
           kernel's own clocks: no false alarm by chance.",
    minimum: MINIMUM,
    ruled_out_by: "Throttling by the Pod's own limit (such a Pod never blames a neighbour); idle CPUs; a Pod that itself \
                   uses more than half of what is used, or more than its share while nobody else does.",
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
    meaning: "The Pod's tasks wait for CPUs without being throttled. Alone, not under `node_cpu_contention`: they mostly wait \
              for each other.",
    signals: NODE_CPU_CONTENTION.signals,
    test: NODE_CPU_CONTENTION.test,
    minimum: MINIMUM,
    ruled_out_by: "Throttling (`pod_cpu_throttled`); idle CPUs: then the waiting is short bursts of wake-ups.",
    action: "Fewer threads, more replicas on other Nodes, or a larger CPU request.",
    caused_by: &["node_cpu_contention"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "share of time that tasks waited, by resource", promql: queries::PRESSURE }],
};

pub(crate) const NODE_MEMORY_PRESSURE: Rule = Rule {
    id: "node_memory_pressure",
    family: Family::Pressure,
    order: 430,
    symptom: "memory_stall",
    meaning: "The Node is short of memory: the Pod's tasks wait for reclaim although the Pod is within its own limits.",
    signals: &[
        "netwhy_pressure_seconds_total{resource=\"memory\"}",
        "netwhy_node_pressure_seconds_total{resource=\"memory\"}",
        "memory.events (high, max)",
    ],
    test: "Some task of the Pod waited for memory at least 10 % of the window, and some task of the Node too, while the Pod \
           did not reach a limit of its own.",
    minimum: MINIMUM,
    ruled_out_by: "The Pod's own limit was reached (`pod_memory_pressure`). Where that is not known, other Pods must wait \
                   for memory too.",
    action: "Find who uses the memory (`kubectl top pod`), set memory requests that are true, or drain the Node.",
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
    meaning: "The Pod is at its own memory limit: its tasks wait while the kernel takes pages away that they need again.",
    signals: NODE_MEMORY_PRESSURE.signals,
    test: "Some task of the Pod waited for memory at least 5 % of the window, and the kernel counted that its own limit \
           (memory.high or memory.max, also of one container) was reached. Both are counted: no false alarm by chance.",
    minimum: MINIMUM,
    ruled_out_by: "No limit of its own was reached.",
    action: "Raise the memory limit, or make the process use less; it is on its way to being killed.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "share of time that tasks waited, by resource", promql: queries::PRESSURE }],
};

pub(crate) const NODE_IO_PRESSURE: Rule = Rule {
    id: "node_io_pressure",
    family: Family::Pressure,
    order: 450,
    symptom: "io_stall",
    meaning: "Several Pods of the Node wait for IO at once: a disk that they share is slow or used up.",
    signals: &["netwhy_pressure_seconds_total{resource=\"io\"}", "netwhy_node_pressure_seconds_total{resource=\"io\"}"],
    test: TEST,
    minimum: "PSI, a baseline of 10 clean windows, at least two Pods that wait for IO 20 % of the window, and a victim as \
              above.",
    ruled_out_by: "Only one Pod waits (`pod_io_pressure`); lack of memory, which makes IO of its own.",
    action: "Look at the disk (latency, health, cloud limits) and at who reads and writes most.",
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
    meaning: "The Pod's tasks wait for IO, and no other Pod's do: its own volume, its own limit, or more IO than it used to \
              make.",
    signals: NODE_IO_PRESSURE.signals,
    test: TEST,
    minimum: "PSI, a baseline of 10 clean windows, and 20 % of the window; a victim as above.",
    ruled_out_by: "Other Pods wait too (`node_io_pressure`); lack of memory.",
    action: "Look at the Pod's volume and its IO limit, and at what the process reads and writes.",
    caused_by: &["node_memory_pressure", "pod_memory_pressure", "node_io_pressure"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "share of time that tasks waited, by resource", promql: queries::PRESSURE }],
};

/// Shares of the window in which tasks of a Pod wait.
const CPU_STALL: f64 = 0.2;
const SMALL_CPU_STALL: f64 = 0.1;
/// Time waited per CPU time used, for the smaller share.
const WAIT_PER_WORK: f64 = 2.0;
const COLD_CPU_STALL: f64 = 0.5;
const MEMORY_STALL: f64 = 0.1;
/// … at its own limit.
const OWN_LIMIT_STALL: f64 = 0.05;
const IO_STALL: f64 = 0.2;
/// Multiple of the Pod's own baseline.
const OVER_BASELINE: f64 = 2.0;
/// Share of the window in which tasks of the Node wait for a CPU, and share of the CPUs that are used.
const NODE_STALL: f64 = 0.5;
const BUSY: f64 = 0.9;
/// Throttled time that is no part of the story, of the time waited.
const THROTTLED: f64 = 0.1;
/// CPUs used that are worth naming, of all.
const NEIGHBOUR: f64 = 0.1;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    let waiting = [stalled(context, Resource::Memory, MEMORY_STALL), stalled(context, Resource::Io, IO_STALL)];
    for (i, subject) in context.subjects.iter().enumerate().filter(|(_, s)| s.has_callers()) {
        out.extend(cpu(context, i, subject));
        out.extend(memory(context, i, subject, waiting[0]));
        out.extend(io(context, i, subject, waiting[1]));
    }
    out
}

/// How long a subject's tasks waited.
#[derive(Clone, Copy)]
struct Stall {
    share: f64,
    usual: Option<f64>,
}

/// A stall of at least `limit` that is news for this subject. `None`: it isn't, or is not known.
fn stall(context: &Context<'_>, subject: &Subject<'_>, resource: Resource, limit: f64) -> Option<Stall> {
    let share = resource.some_us(&subject.view.window_pressure?) as f64 / 1e6 / context.window.as_secs_f64();
    let usual = context.host_memory.stall(&subject.view.id, resource);
    (share >= limit && usual.is_none_or(|usual| share >= OVER_BASELINE * usual)).then_some(Stall { share, usual })
}

/// The numbers of the Pod and of the Node.
fn numbers(context: &Context<'_>, subject: &Subject<'_>, resource: Resource, stall: Stall) -> Vec<Evidence> {
    let label = resource.label();
    let name = |metric: &str| format!("{metric}{{resource=\"{label}\",kind=\"some\"}}");
    let pod = name("netwhy_pressure_seconds_total");
    let file = format!("{label}.pressure");
    let mut out = vec![Evidence {
        baseline: stall.usual,
        ..evidence(&pod, stall.share, "seconds per second", subject.name(), &file)
    }];
    if let Some(share) = node_stall(context, resource) {
        let node = name("netwhy_node_pressure_seconds_total");
        let signal = signal_of(resource);
        out.push(Evidence {
            baseline: context.host_memory.rate(&(signal, None)).map(|us| us / 1e6),
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

/// Share of the window in which some task of the Node waited. `None`: not offered.
fn node_stall(context: &Context<'_>, resource: Resource) -> Option<f64> {
    context.host?.share(signal_of(resource), context.window)
}

/// CPUs of the Node, and the share of them that was used. `None`: not known.
fn cpus_used(context: &Context<'_>) -> Option<(f64, f64)> {
    let host = context.host?;
    let cpus = host.gauge(Gauge::Cpus).filter(|n| *n > 0)? as f64;
    let idle = host.share(Signal::CpuIdle, context.window)?;
    Some((cpus, (1.0 - idle / cpus).clamp(0.0, 1.0)))
}

fn cpu(context: &Context<'_>, index: usize, subject: &Subject<'_>) -> Vec<Finding> {
    let Some(found) = stall(context, subject, Resource::Cpu, SMALL_CPU_STALL) else { return Vec::new() };
    let seconds = context.window.as_secs_f64();
    let own = subject.view.window_usage_us.unwrap_or(0) as f64 / 1e6 / seconds;
    // Who works little waits little, and may still take three times as long for all that it does.
    let limit = match found.usual {
        None => COLD_CPU_STALL,
        Some(_) if subject.view.window_usage_us.is_some() && found.share >= WAIT_PER_WORK * own => SMALL_CPU_STALL,
        Some(_) => CPU_STALL,
    };
    // Tasks that their own limit holds back count as waiting too.
    let throttled = subject.view.window_cpu.map_or(0, |cpu| cpu.throttled_us) as f64 / 1e6;
    let own_limit = subject.is_throttled(context.thresholds) || throttled > THROTTLED * found.share * seconds;
    let (Some((cpus, busy)), Some(node)) = (cpus_used(context), node_stall(context, Resource::Cpu)) else {
        return Vec::new();
    };
    if found.share < limit || own_limit || node < NODE_STALL || busy < BUSY {
        return Vec::new();
    }
    let neighbour = neighbour(context, subject, own, (cpus, busy));
    let name = subject.name();
    let mut all = numbers(context, subject, Resource::Cpu, found);
    let idle = Signal::CpuIdle.source();
    all.push(evidence("cpu_used", busy, &format!("of {cpus} CPUs"), context.node, idle));
    for (q, name_of) in [(0.5, "0.5"), (0.99, "0.99")] {
        if let Some(us) = subject.view.window_run_queue.quantile_us(q) {
            let signal = format!("netwhy_runqueue_seconds{{quantile=\"{name_of}\"}}");
            all.push(evidence(&signal, us / 1e6, "seconds", name, "ebpf:sched_switch"));
        }
    }
    all.push(Evidence {
        baseline: context.host_memory.cores(&subject.view.id),
        ..evidence("cpu_usage", own, "cores", name, "cpu.stat")
    });
    let starved = Finding {
        rule: &POD_CPU_STARVED,
        subject: index,
        blame: blame(BlameKind::Pod, name),
        nats: over(found.share, limit),
        certainty: 1.0,
        overwhelming: false,
        summary: format!(
            "{name} waits for a CPU {} of the time, mostly for its own threads: it uses {own:.2} of {cpus} cores itself",
            percent(found.share)
        ),
        evidence: all.clone(),
        ruled_out: not_limited(context, subject),
        effects: Vec::new(),
        edges: Vec::new(),
    };
    let who = match &neighbour {
        Neighbour::Own => return vec![starved],
        Neighbour::Nobody => "no neighbour stands out among those that use them".to_owned(),
        Neighbour::User { user, cores, usual } => {
            let id = &user.id;
            let hog = format!("{}/{}", id.namespace, id.name);
            all.push(Evidence { baseline: *usual, ..evidence("cpu_usage", *cores, "cores", &hog, "cpu.stat") });
            let normally = usual.map_or(String::new(), |usual| format!(" (normally {usual:.2})"));
            format!("{hog} uses {cores:.2} cores{normally}")
        }
    };
    let contention = Finding {
        rule: &NODE_CPU_CONTENTION,
        blame: blame(BlameKind::Node, context.node),
        certainty: if matches!(neighbour, Neighbour::User { .. }) { 1.0 } else { 0.8 },
        summary: format!(
            "{name} waits for a CPU of {} {} of the time without being throttled: {} of {cpus} CPUs are used, {who}",
            context.node,
            percent(found.share),
            percent(busy)
        ),
        evidence: all,
        ..starved.clone()
    };
    vec![contention, starved]
}

/// Why the Pod's own limit is not it.
fn not_limited(context: &Context<'_>, subject: &Subject<'_>) -> Vec<RuledOut> {
    let unlimited = subject
        .view
        .window_cpu
        .filter(|cpu| cpu.periods == 0)
        .map(|_| RuledOut { cause: "pod_cpu_throttled".into(), because: "no period was throttled".into() });
    subject.not_throttled(context.thresholds).or(unlimited).into_iter().collect()
}

/// Whose work a Pod waits for.
enum Neighbour<'a> {
    /// Its own.
    Own,
    /// Many little ones'.
    Nobody,
    /// One that is named.
    User { user: &'a CpuUser, cores: f64, usual: Option<f64> },
}

/// The user with the largest growth of its CPU use, as far as that is beyond its share by weight.
/// `(cpus, busy)`: CPUs of the Node, and the share of them that is used, by whomever.
fn neighbour<'a>(context: &Context<'a>, subject: &Subject<'_>, own: f64, (cpus, busy): (f64, f64)) -> Neighbour<'a> {
    let seconds = context.window.as_secs_f64();
    let cores = |user: &CpuUser| user.usage_us as f64 / 1e6 / seconds;
    let weight = |user: &CpuUser| user.weight.unwrap_or(100) as f64;
    let weights: f64 = context.cpu_users.iter().map(weight).sum();
    // Also by what is in none of the cgroups that are watched.
    let used = cpus * busy;
    let share = |user: &CpuUser| cpus * weight(user) / weights;
    let others = context.cpu_users.iter().filter(|user| user.id != subject.view.id);
    let beyond = |user: &&CpuUser| cores(user) > share(user).min(used / 2.0) && cores(user) >= NEIGHBOUR * cpus;
    let growth = |user: &CpuUser| cores(user) - context.host_memory.cores(&user.id).unwrap_or(0.0);
    let worst = others.filter(beyond).max_by(|a, b| growth(a).total_cmp(&growth(b)));
    let mine = context.cpu_users.iter().find(|user| user.id == subject.view.id);
    let own_fault = own > used / 2.0 || (worst.is_none() && mine.is_some_and(|user| own > share(user)));
    match worst {
        _ if own_fault => Neighbour::Own,
        Some(user) => Neighbour::User { user, cores: cores(user), usual: context.host_memory.cores(&user.id) },
        None => Neighbour::Nobody,
    }
}

/// Subjects whose tasks wait for a resource, `limit` of the window at least.
fn stalled(context: &Context<'_>, resource: Resource, limit: f64) -> usize {
    context.subjects.iter().filter(|s| stall(context, s, resource, limit).is_some()).count()
}

fn memory(context: &Context<'_>, index: usize, subject: &Subject<'_>, waiting: usize) -> Option<Finding> {
    let hits = subject.view.window_memory_limit_hits;
    // What the kernel counted at the Pod's own limit explains less of a stall too.
    let limit = if hits.is_some_and(|n| n > 0) { OWN_LIMIT_STALL } else { MEMORY_STALL };
    let found = stall(context, subject, Resource::Memory, limit)?;
    let node = node_stall(context, Resource::Memory).is_some_and(|share| share >= MEMORY_STALL);
    let others = waiting.saturating_sub(1);
    let (rule, certainty) = match hits {
        Some(n) if n > 0 => (&POD_MEMORY_PRESSURE, 1.0),
        Some(_) if node => (&NODE_MEMORY_PRESSURE, 1.0),
        None if node && others > 0 => (&NODE_MEMORY_PRESSURE, 0.8),
        None if others == 0 => (&POD_MEMORY_PRESSURE, 0.6),
        _ => return None,
    };
    let name = subject.name();
    let mut all = numbers(context, subject, Resource::Memory, found);
    all.extend(hits.map(|n| evidence("memory_limit_hits", n as f64, "times", name, "memory.events")));
    all.push(evidence("pods_waiting", others as f64, "other Pods", context.node, "memory.pressure"));
    let why = match hits {
        Some(0) => "it is within its own limits".to_owned(),
        Some(n) => format!("it reached its own limit {n} times"),
        None => "whether it reached a limit of its own is not known".to_owned(),
    };
    Some(of_memory_or_io(context, (index, subject), (rule, certainty), ("memory", found, limit), &why, all))
}

fn io(context: &Context<'_>, index: usize, subject: &Subject<'_>, waiting: usize) -> Option<Finding> {
    let found = stall(context, subject, Resource::Io, IO_STALL).filter(|found| found.usual.is_some())?;
    let others = waiting.saturating_sub(1);
    let node = node_stall(context, Resource::Io).is_some_and(|share| share >= IO_STALL);
    let rule = if others > 0 && node { &NODE_IO_PRESSURE } else { &POD_IO_PRESSURE };
    let mut all = numbers(context, subject, Resource::Io, found);
    all.push(evidence("pods_waiting", others as f64, "other Pods", context.node, "io.pressure"));
    let why = match others {
        0 => "no other Pod does".to_owned(),
        n => format!("{n} other Pods do too"),
    };
    Some(of_memory_or_io(context, (index, subject), (rule, 1.0), ("IO", found, IO_STALL), &why, all))
}

fn of_memory_or_io(
    context: &Context<'_>,
    (index, subject): (usize, &Subject<'_>),
    (rule, certainty): (&'static Rule, f64),
    (what, found, limit): (&str, Stall, f64),
    why: &str,
    evidence: Vec<Evidence>,
) -> Finding {
    let name = subject.name();
    let of_node = rule.id.starts_with("node_");
    let (kind, culprit, other) =
        if of_node { (BlameKind::Node, context.node, name) } else { (BlameKind::Pod, name, context.node) };
    let alternatives = if certainty < 1.0 { vec![other.to_owned()] } else { Vec::new() };
    let usually = found.usual.map_or(String::new(), |usual| format!(" (normally {})", percent(usual)));
    Finding {
        rule,
        subject: index,
        blame: Blame { alternatives, ..blame(kind, culprit) },
        nats: over(found.share, limit),
        certainty,
        overwhelming: false,
        summary: format!("{name} waits for {what} {} of the time{usually}: {why}", percent(found.share)),
        evidence,
        ruled_out: not_limited(context, subject),
        effects: Vec::new(),
        edges: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
