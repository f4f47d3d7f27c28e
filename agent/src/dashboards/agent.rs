//! The agents themselves: do they see everything, and what do they cost.

use super::{Board, Error, Panel, Scope, Unit, query::ratio};

const NODE: Scope = Scope(&["cluster", "node"]);

pub(super) fn board() -> Result<Board, Error> {
    Ok(Board {
        uid: "netwhy-agent",
        title: "netwhy / Agents",
        about: "Do the agents see everything, and what do they cost",
        scope: NODE,
        rows: vec![
            ("What they are", vec![versions()?, probes()?]),
            (
                "Do they see everything",
                vec![
                    rate("Blind time", Unit::Share, "netwhy_agent_blind_seconds_total", &["node"])?
                        .limits(0.01, 0.05)
                        .runbook("NetwhyAgentBlind"),
                    value("Age of the served view", Unit::Seconds, "netwhy_agent_view_age_seconds", &["node"])?
                        .limits(5.0, 30.0)
                        .runbook("NetwhyAgentStale"),
                    rate(
                        "Samples without a subject",
                        Unit::PerSecond,
                        "netwhy_unattributed_samples_total",
                        &["node", "why"],
                    )?,
                    rate(
                        "What the kernel programs count about themselves",
                        Unit::PerSecond,
                        "netwhy_agent_kernel_events_total",
                        &["node", "event"],
                    )?,
                    value("Broken probes", Unit::Count, "netwhy_agent_probes_broken", &["node"])?
                        .limits(1.0, 1.0)
                        .runbook("NetwhyAgentProbeBroken"),
                    value("Pods folded into ~other", Unit::Count, "netwhy_agent_folded_subjects", &["node"])?
                        .limits(1.0, 1.0)
                        .runbook("NetwhyAgentSeriesFolded"),
                    value("Subjects", Unit::Count, "netwhy_agent_subjects", &["node", "state"])?,
                    value("Edges in the window", Unit::Count, "netwhy_agent_edges", &["node"])?,
                    value("Sockets that the walk looked at", Unit::Count, "netwhy_agent_sockets", &["node"])?,
                    value("Listeners among them", Unit::Count, "netwhy_agent_listeners", &["node"])?,
                    value("Length of the window", Unit::Seconds, "netwhy_agent_window_seconds", &["node"])?,
                    value("Jiffies per second", Unit::Count, "netwhy_agent_jiffies_hertz", &["node"])?,
                ],
            ),
            (
                "What they cost",
                vec![
                    rate("CPU time", Unit::Share, "process_cpu_seconds_total", &["node"])?
                        .about("Share of one core. Only targets that also serve netwhy's metrics."),
                    value("Memory", Unit::Bytes, "process_resident_memory_bytes", &["node"])?,
                    rate(
                        "Time in the kernel programs, where it is measured",
                        Unit::Share,
                        "netwhy_agent_bpf_run_seconds_total",
                        &["node", "program"],
                    )?,
                    time_per_run()?,
                    rate(
                        "Runs that the kernel left out",
                        Unit::PerSecond,
                        "netwhy_agent_bpf_missed_runs_total",
                        &["node", "program"],
                    )?,
                    rate(
                        "Time of snapshots by stage",
                        Unit::Share,
                        "netwhy_agent_sample_seconds_total",
                        &["node", "stage"],
                    )?,
                    value("Duration of the newest tick", Unit::Seconds, "netwhy_agent_last_sample_seconds", &["node"])?,
                    rate("Snapshots", Unit::PerSecond, "netwhy_agent_samples_total", &["node"])?,
                    value("Duration of the walk", Unit::Seconds, "netwhy_agent_walk_seconds", &["node"])?,
                    value("Time between walks", Unit::Seconds, "netwhy_agent_walk_interval_seconds", &["node"])?,
                    rate(
                        "Time in which received segments are looked at",
                        Unit::Share,
                        "netwhy_agent_rtt_watched_seconds_total",
                        &["node"],
                    )?,
                    rate(
                        "Windows in which they are looked at",
                        Unit::PerSecond,
                        "netwhy_agent_rtt_windows_total",
                        &["node"],
                    )?,
                    rate(
                        "Time in which handshakes are looked at",
                        Unit::Share,
                        "netwhy_agent_handshakes_watched_seconds_total",
                        &["node"],
                    )?,
                    map_fill()?,
                    value("Memory of the kernel maps", Unit::Bytes, "netwhy_agent_map_memory_bytes", &["node", "map"])?,
                    value("Series", Unit::Count, "netwhy_agent_series", &["node"])?,
                    value("Time of a scrape", Unit::Seconds, "netwhy_agent_scrape_seconds", &["node"])?,
                    rate("Scrapes", Unit::PerSecond, "netwhy_agent_scrapes_total", &["node"])?,
                ],
            ),
            (
                "API server and configuration",
                vec![
                    value(
                        "Watches with a complete list",
                        Unit::Count,
                        "netwhy_agent_watch_complete",
                        &["node", "watch"],
                    )?
                    .runbook("NetwhyAgentWatchStale"),
                    value(
                        "Time since the API server was heard from",
                        Unit::Seconds,
                        "netwhy_agent_watch_age_seconds",
                        &["node", "watch"],
                    )?
                    .limits(300.0, 600.0)
                    .runbook("NetwhyAgentWatchStale"),
                    value("Objects known", Unit::Count, "netwhy_agent_watch_objects", &["node", "watch"])?,
                    rate("Changes received", Unit::PerSecond, "netwhy_agent_watch_changes_total", &["node", "watch"])?,
                    rate("Lists received", Unit::PerSecond, "netwhy_agent_watch_lists_total", &["node", "watch"])?,
                    rate(
                        "Failures of lists and watches",
                        Unit::PerSecond,
                        "netwhy_agent_watch_errors_total",
                        &["node", "watch", "kind"],
                    )?
                    .runbook("NetwhyAgentWatchStale"),
                    value("Pod list received", Unit::Count, "netwhy_agent_pods_complete", &["node"])?,
                    rate(
                        "Readings of a changed configuration",
                        Unit::PerSecond,
                        "netwhy_agent_config_reloads_total",
                        &["node", "result"],
                    )?,
                ],
            ),
        ],
    })
}

fn legend(by: &[&str]) -> String {
    by.iter().map(|label| format!("{{{{{label}}}}}")).collect::<Vec<_>>().join(" ")
}

fn rate(title: &str, unit: Unit, name: &str, by: &[&str]) -> Result<Panel, Error> {
    Ok(Panel::lines(title, unit).query(NODE.of(name, &[])?.rate(by)?, &legend(by)))
}

fn value(title: &str, unit: Unit, name: &str, by: &[&str]) -> Result<Panel, Error> {
    Ok(Panel::lines(title, unit).query(NODE.of(name, &[])?.value("max", by)?, &legend(by)))
}

fn versions() -> Result<Panel, Error> {
    let info = NODE.of("netwhy_agent_build_info", &[])?.value("count", &["node", "version", "kernel"])?;
    let start = NODE.of("process_start_time_seconds", &[])?.value("max", &["node"])?;
    Ok(Panel::table("Agents", Unit::Count)
        .query(info, "agents")
        .query(format!("1000 * {start}"), "started")
        .column("started", Unit::Date)
        .runbook("NetwhyAgentDown"))
}

fn probes() -> Result<Panel, Error> {
    let states = NODE.of("netwhy_agent_probe_state", &[])?.value("sum", &["probe", "state"])?;
    let panel = Panel::table("Probes: agents by state", Unit::Count).query(states, "agents");
    Ok(panel.runbook("NetwhyAgentProbeBroken"))
}

fn time_per_run() -> Result<Panel, Error> {
    let by = ["node", "program"];
    let seconds = NODE.of("netwhy_agent_bpf_run_seconds_total", &[])?.rate(&by)?;
    let runs = NODE.of("netwhy_agent_bpf_runs_total", &[])?.rate(&by)?;
    Ok(Panel::lines("Time of one run of each kernel program", Unit::Seconds)
        .query(ratio(&seconds, &runs, 0.0), &legend(&by)))
}

fn map_fill() -> Result<Panel, Error> {
    let by = ["node", "map"];
    let used = NODE.of("netwhy_agent_map_entries", &[])?.value("max", &by)?;
    let fit = NODE.of("netwhy_agent_map_max_entries", &[])?.value("max", &by)?;
    let panel = Panel::lines("Fill of the kernel maps", Unit::Share).query(ratio(&used, &fit, 0.0), &legend(&by));
    Ok(panel.limits(0.7, 0.9).runbook("NetwhyAgentMapFull"))
}
