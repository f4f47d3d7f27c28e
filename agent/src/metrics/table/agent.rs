//! Metrics of the agent itself.

use crate::{
    api::ProbeState,
    metrics::{
        definition::{LabelDef, MetricDef, Rows::Node, label},
        emit,
    },
};
use netwhy_abi::Counter;

const PROGRAM: LabelDef = label("program", "the agent's kernel programs");
const MAP: LabelDef = label("map", "the agent's kernel maps");

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::gauge(
        "netwhy_agent_build_info",
        "Version of the agent and of the kernel; always 1.",
        Node(|s, out| out.gauge(&[("version", &s.agent.version), ("kernel", &s.agent.kernel)], 1)),
    )
    .labels(&[label("version", "one"), label("kernel", "one")]),
    MetricDef::gauge(
        "netwhy_agent_kept_rights",
        "Rights that the agent kept after its start; 0: neither root nor any capability.",
        Node(|s, out| out.maybe(s.agent.privileges.rights.as_ref().map(|rights| rights.len() as f64))),
    )
    .details("`privileges` of `/api/v1/info` names them with the reason."),
    MetricDef::counter(
        "netwhy_agent_kernel_events_total",
        "Events that the kernel programs count about themselves.",
        Node(|s, out| {
            let counters = Counter::ALL.iter().zip(s.view.counters);
            counters.into_iter().try_for_each(|(c, n)| out.counter(&[("event", c.label())], n))
        }),
    )
    .details("Some of them are lost samples.")
    .labels(&[label("event", "a fixed list of 26, such as edges_full and no_cgroup")]),
    MetricDef::counter(
        "netwhy_agent_bpf_run_seconds_total",
        "Run time of each kernel program while the kernel measures it.",
        Node(|s, out| {
            let programs = &s.agent.programs;
            programs.iter().try_for_each(|p| out.counter_f64(&[("program", &p.name)], p.run_ns as f64 / 1e9))
        }),
    )
    .details(
        "The kernel measures for ten seconds after a start with the capability SYS_ADMIN, and while the sysctl \
         `kernel.bpf_stats_enabled` is 1. The measurement itself is included.",
    )
    .seconds()
    .labels(&[PROGRAM]),
    MetricDef::counter(
        "netwhy_agent_bpf_runs_total",
        "Runs of each kernel program while the kernel measures them.",
        Node(|s, out| s.agent.programs.iter().try_for_each(|p| out.counter(&[("program", &p.name)], p.run_count))),
    )
    .labels(&[PROGRAM]),
    MetricDef::counter(
        "netwhy_agent_bpf_missed_runs_total",
        "Runs that the kernel skipped because the program already ran on that CPU.",
        Node(|s, out| {
            let missed = s.agent.programs.iter().filter_map(|p| Some((p, p.missed?)));
            missed.into_iter().try_for_each(|(p, n)| out.counter(&[("program", &p.name)], n))
        }),
    )
    .details("The program did not see the events of these runs. Absent before Linux 5.12.")
    .labels(&[PROGRAM]),
    MetricDef::gauge(
        "netwhy_agent_map_entries",
        "Entries in use of each kernel map.",
        Node(|s, out| s.agent.maps.iter().try_for_each(|m| out.gauge(&[("map", &m.name)], m.entries))),
    )
    .labels(&[MAP]),
    MetricDef::gauge(
        "netwhy_agent_map_max_entries",
        "Capacity of each kernel map, in entries.",
        Node(|s, out| s.agent.maps.iter().try_for_each(|m| out.gauge(&[("map", &m.name)], m.max_entries))),
    )
    .labels(&[MAP]),
    MetricDef::gauge(
        "netwhy_agent_map_memory_bytes",
        "Kernel memory of each kernel map.",
        Node(|s, out| {
            let known = s.agent.maps.iter().filter_map(|m| Some((m, m.bytes?)));
            known.into_iter().try_for_each(|(m, bytes)| out.gauge(&[("map", &m.name)], bytes))
        }),
    )
    .details("Absent where the kernel does not report it.")
    .bytes()
    .labels(&[MAP]),
    MetricDef::gauge(
        "netwhy_agent_probe_state",
        "Status of each probe: 1 for the present state.",
        Node(emit::probe_states),
    )
    .labels(&[label("probe", "the agent's probes"), label("state", "ok, degraded, unsupported, off, broken")]),
    MetricDef::gauge(
        "netwhy_agent_probes_broken",
        "Probes that should work on this kernel but do not.",
        Node(|s, out| {
            let broken = s.agent.probes.iter().filter(|p| p.state == ProbeState::Broken);
            out.gauge(&[], broken.count() as u64)
        }),
    ),
    MetricDef::counter(
        "netwhy_agent_samples_total",
        "Snapshots taken of the kernel's counters.",
        Node(|s, out| out.counter(&[], s.agent.ticks.samples)),
    ),
    MetricDef::counter(
        "netwhy_agent_sample_seconds_total",
        "Time spent on snapshots, by stage.",
        Node(|s, out| {
            let stages = &s.agent.ticks.stages;
            stages.iter().try_for_each(|t| out.counter_f64(&[("stage", &t.stage)], t.seconds))
        }),
    )
    .seconds()
    .labels(&[label("stage", "the stages of a tick, such as read, join, hints")]),
    MetricDef::gauge(
        "netwhy_agent_last_sample_seconds",
        "Duration of the newest tick.",
        Node(|s, out| out.maybe(s.agent.ticks.last_seconds)),
    )
    .seconds(),
    MetricDef::counter(
        "netwhy_agent_blind_seconds_total",
        "Time in which a snapshot was due and none was taken.",
        Node(|s, out| out.counter_f64(&[], s.agent.ticks.blind_seconds)),
    )
    .seconds(),
    MetricDef::gauge(
        "netwhy_agent_window_seconds",
        "Length of the window that windowed values cover.",
        Node(|s, out| out.gauge_f64(&[], s.view.window.as_secs_f64())),
    )
    .seconds(),
    MetricDef::gauge(
        "netwhy_agent_view_age_seconds",
        "Age of the values in this scrape.",
        Node(|s, out| out.maybe(s.agent.scrape.view_age_seconds)),
    )
    .seconds(),
    MetricDef::counter(
        "netwhy_agent_scrapes_total",
        "Scrapes answered before this one.",
        Node(|s, out| out.counter(&[], s.agent.scrape.count)),
    ),
    MetricDef::counter(
        "netwhy_agent_scrape_encodings_total",
        "Encodings before this one; scrapes of one format at the same moment share one.",
        Node(|s, out| out.counter(&[], s.agent.scrape.encodings)),
    ),
    MetricDef::gauge(
        "netwhy_agent_scrape_seconds",
        "Encoding time of the previous scrape.",
        Node(|s, out| out.maybe(s.agent.scrape.last_seconds)),
    )
    .seconds(),
    MetricDef::gauge(
        "netwhy_agent_series",
        "Series in this scrape.",
        Node(|s, out| out.gauge(&[], s.summary.series as u64)),
    ),
    MetricDef::gauge(
        "netwhy_agent_folded_subjects",
        "Subjects that share the series ~other because limits.series was reached.",
        Node(|s, out| out.gauge(&[], s.summary.folded as u64)),
    ),
    MetricDef::counter(
        "netwhy_agent_memory_folded_subjects_total",
        "Removed subjects that lost their series early, because there were too many.",
        Node(|s, out| out.counter(&[], s.view.folded.as_ref().map_or(0, |folded| folded.subjects))),
    )
    .details("`limits.gone_subjects` is the cap; near the memory limit a fraction of it. Their sums are in `~other`."),
    MetricDef::gauge(
        "netwhy_agent_memory_limit_bytes",
        "Memory limit of the agent: its cgroup's, else the machine's memory.",
        Node(|s, out| s.agent.memory.limit_bytes.map_or(Ok(()), |bytes| out.gauge(&[], bytes))),
    )
    .bytes(),
    MetricDef::gauge(
        "netwhy_agent_memory_used_bytes",
        "Memory that is charged to the agent, kernel memory included.",
        Node(|s, out| s.agent.memory.used_bytes.map_or(Ok(()), |bytes| out.gauge(&[], bytes))),
    )
    .details(
        "From 60 % of the limit on, it leaves out page cache that the kernel can take back, and with cgroup v2 also its \
         cache of names and inodes.",
    )
    .bytes(),
    MetricDef::gauge(
        "netwhy_agent_memory_budget_bytes",
        "Memory that the present load needs at most, by part.",
        Node(|s, out| s.agent.memory.budget.iter().try_for_each(|p| out.gauge(&[("part", &p.part)], p.bytes))),
    )
    .bytes()
    .labels(&[label("part", "the parts of the budget, such as process, edges and socket storage")]),
    MetricDef::gauge(
        "netwhy_agent_memory_level",
        "How near the agent is to its memory limit: 1 for the present level.",
        Node(|s, out| out.gauge(&[("level", s.agent.memory.level.label())], 1)),
    )
    .details("From `near` on the agent sheds load.")
    .labels(&[label("level", "ok, near, critical")]),
    MetricDef::gauge(
        "netwhy_agent_sockets_without_storage",
        "Sockets that the newest walk found without storage.",
        Node(|s, out| s.agent.walk.map_or(Ok(()), |w| out.gauge(&[], w.without_storage))),
    )
    .details("Above zero near the memory limit only. Their counts arrive when they close."),
    MetricDef::gauge("netwhy_agent_subjects", "Known subjects.", Node(emit::subjects))
        .labels(&[label("state", "alive, gone")]),
    MetricDef::gauge(
        "netwhy_agent_edges",
        "Edges active in the window.",
        Node(|s, out| out.gauge(&[], s.view.edges.len() as u64)),
    ),
    MetricDef::gauge(
        "netwhy_agent_jiffies_hertz",
        "Jiffies per second of this kernel.",
        Node(|s, out| s.view.hz.map_or(Ok(()), |hz| out.gauge(&[], u64::from(hz)))),
    )
    .details("Absent until measured."),
    MetricDef::gauge(
        "netwhy_agent_sockets",
        "TCP sockets visited by the newest walk.",
        Node(|s, out| s.agent.walk.map_or(Ok(()), |w| out.gauge(&[], w.sockets))),
    ),
    MetricDef::gauge(
        "netwhy_agent_listeners",
        "Listening sockets visited by the newest walk.",
        Node(|s, out| s.agent.walk.map_or(Ok(()), |w| out.gauge(&[], w.listeners))),
    ),
    MetricDef::gauge(
        "netwhy_agent_walk_seconds",
        "CPU time of the newest walk over the live sockets.",
        Node(|s, out| out.maybe(s.agent.walk.map(|w| w.seconds))),
    )
    .seconds(),
    MetricDef::gauge(
        "netwhy_agent_walk_interval_seconds",
        "Time between the starts of two walks.",
        Node(|s, out| out.maybe(s.agent.walk.map(|w| w.interval_seconds))),
    )
    .seconds(),
    MetricDef::gauge(
        "netwhy_agent_walk_age_seconds",
        "Age of what walks know: time since the newest complete walk began.",
        Node(|s, out| out.maybe(s.agent.walk.and_then(|w| w.age_seconds))),
    )
    .details("A walk of many sockets takes several ticks. It grows while walks fail.")
    .seconds(),
    MetricDef::counter(
        "netwhy_agent_kernel_errors_total",
        "Errors of the kernel while the agent runs, by operation.",
        Node(|s, out| {
            let errors = &s.agent.kernel_errors;
            errors.iter().try_for_each(|e| out.counter(&[("operation", &e.operation)], e.count))
        }),
    )
    .details("The tick goes on without the operation, and tries it again. `/api/v1/info` has the newest error.")
    .labels(&[label("operation", "a fixed list of 9, such as walk and read_rows")]),
    MetricDef::gauge(
        "netwhy_agent_cgroup_age_seconds",
        "Age of what is known of cgroups and their files.",
        Node(|s, out| out.maybe(s.agent.cgroup_age_seconds)),
    )
    .details("It grows while the cgroup file system hangs. Absent before the first answer.")
    .seconds(),
    MetricDef::counter(
        "netwhy_agent_rtt_watched_seconds_total",
        "Time in which the RTT probe was attached.",
        Node(|s, out| s.agent.rtt.map_or(Ok(()), |rtt| out.counter_f64(&[], rtt.attached_seconds))),
    )
    .details("It is attached all the time, or on a duty cycle above `sampling.rtt_windows_above`.")
    .seconds(),
    MetricDef::counter(
        "netwhy_agent_rtt_windows_total",
        "Duty periods of the RTT probe.",
        Node(|s, out| s.agent.rtt.map_or(Ok(()), |rtt| out.counter(&[], rtt.periods))),
    )
    .details("Zero while the probe is attached all the time."),
    MetricDef::counter(
        "netwhy_agent_handshakes_watched_seconds_total",
        "Time in which the handshake probe was attached.",
        Node(|s, out| s.agent.churn.map_or(Ok(()), |churn| out.counter_f64(&[], churn.attached_seconds))),
    )
    .details(
        "It is attached all the time, or on a 1/8 duty cycle above `sampling.churn_above`. On the duty \
         cycle each handshake has weight 8.",
    )
    .seconds(),
    MetricDef::counter("netwhy_agent_config_reloads_total", "Reloads of a changed configuration file.", {
        Node(|s, out| {
            let reloads = s.agent.config_reloads;
            out.counter(&[("result", "ok")], reloads.ok)?;
            out.counter(&[("result", "failed")], reloads.failed)
        })
    })
    .labels(&[label("result", "ok, failed")]),
    MetricDef::counter(
        "netwhy_agent_tls_reloads_total",
        "Reloads of changed certificate files.",
        Node(|s, out| {
            let Some(reloads) = s.agent.protection.as_ref().and_then(|p| p.tls_reloads) else { return Ok(()) };
            out.counter(&[("result", "ok")], reloads.ok)?;
            out.counter(&[("result", "failed")], reloads.failed)
        }),
    )
    .details("A failed one keeps the previous certificate. Absent without TLS.")
    .labels(&[label("result", "ok, failed")]),
    MetricDef::counter(
        "netwhy_agent_http_refusals_total",
        "Connections and requests that TLS or authorization refused.",
        Node(|s, out| {
            let mut refusals = s.agent.protection.iter().flat_map(|p| &p.refusals);
            refusals.try_for_each(|(reason, n)| out.counter(&[("reason", reason)], *n))
        }),
    )
    .details("Absent without TLS and authorization.")
    .labels(&[label("reason", "handshake, unauthenticated, forbidden, unavailable, throttled")]),
    MetricDef::gauge(
        "netwhy_agent_pods_complete",
        "1 once the complete Pod list was received.",
        Node(|s, out| s.agent.pods_complete.map_or(Ok(()), |c| out.gauge(&[], u64::from(c)))),
    )
    .details("Absent without Kubernetes."),
    MetricDef::gauge(
        "process_resident_memory_bytes",
        "Resident memory of the agent.",
        Node(|s, out| s.agent.process.resident_bytes.map_or(Ok(()), |b| out.gauge(&[], b))),
    )
    .bytes(),
    MetricDef::counter(
        "process_cpu_seconds_total",
        "User and system CPU time of the agent.",
        Node(|s, out| s.agent.process.cpu_seconds.map_or(Ok(()), |t| out.counter_f64(&[], t))),
    )
    .seconds(),
    MetricDef::gauge(
        "process_start_time_seconds",
        "Start time of the agent since the Unix epoch.",
        Node(|s, out| out.gauge_f64(&[], s.agent.started_unix_ms as f64 / 1e3)),
    )
    .seconds(),
];
