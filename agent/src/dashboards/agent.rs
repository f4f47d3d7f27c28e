//! The agents themselves: is their view complete, and what do they cost.

use super::{Board, Error, Panel, Row, Scope, Unit, query::ratio, standard::legend};

const NODE: Scope = Scope(&["cluster", "node"]);

pub(super) fn board() -> Result<Board, Error> {
    Ok(Board {
        uid: "netwhy-agent",
        title: "netwhy / Agents",
        description: "Is the agents' view complete, and what do they cost",
        scope: NODE,
        rows: vec![
            Row::open("Agent health", health()?),
            Row::open("Cost", cost()?),
            Row::collapsed("Memory", memory()?),
            Row::collapsed("Coverage", coverage()?),
            Row::collapsed("Kernel programs and maps", kernel_programs()?),
            Row::collapsed("Sampling and duty cycles", sampling()?),
            Row::collapsed("Flight recorder", history()?),
            Row::collapsed("API server and configuration", api_server()?),
        ],
    })
}

fn health() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        versions()?,
        probe_status()?,
        NODE.panel("Broken probes", "netwhy_agent_probes_broken")?
            .thresholds(1.0, 1.0)
            .runbook("NetwhyAgentProbeBroken"),
        NODE.panel("Blind time", "netwhy_agent_blind_seconds_total")?
            .description("Share of time in which a snapshot was due and none was taken.")
            .thresholds(0.01, 0.05)
            .runbook("NetwhyAgentBlind"),
        NODE.panel("View age", "netwhy_agent_view_age_seconds")?.thresholds(5.0, 30.0).runbook("NetwhyAgentStale"),
        NODE.panel("Silence of the API server", "netwhy_agent_watch_age_seconds")?
            .description("Time since the last message of each watch.")
            .thresholds(300.0, 600.0)
            .runbook("NetwhyAgentWatchStale"),
        map_fill()?,
        NODE.panel("Pods without own series", "netwhy_agent_folded_subjects")?
            .description("These Pods share the series `~other`, because limits.series is reached.")
            .thresholds(1.0, 1.0)
            .runbook("NetwhyAgentSeriesFolded"),
        NODE.panel("Unattributed samples", "netwhy_unattributed_samples_total")?
            .description("Samples whose Pod is unknown, by reason."),
        NODE.panel("Kernel events", "netwhy_agent_kernel_events_total")?
            .description("Events that the kernel programs count about themselves, such as lost samples."),
    ])
}

fn cost() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        NODE.panel("CPU time", "process_cpu_seconds_total")?.description("Share of one core."),
        NODE.panel("Resident memory", "process_resident_memory_bytes")?,
        NODE.panel("Kernel program time", "netwhy_agent_bpf_run_seconds_total")?.description(
            "Share of one core while the kernel measures run times: for ten seconds after a start with \
                          SYS_ADMIN, and while kernel.bpf_stats_enabled is 1.",
        ),
        NODE.panel("Tick time by stage", "netwhy_agent_sample_seconds_total")?.description("Share of one core."),
        NODE.panel("Exported series", "netwhy_agent_series")?,
        NODE.panel("Scrape duration", "netwhy_agent_scrape_seconds")?,
    ])
}

fn memory() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        NODE.panel("Memory level", "netwhy_agent_memory_level")?
            .description("Below 75 % of the memory limit it is `ok`. From `near` on the agent sheds load."),
        NODE.panel("Memory in use", "netwhy_agent_memory_used_bytes")?,
        NODE.panel("Memory limit", "netwhy_agent_memory_limit_bytes")?,
        NODE.panel("Memory budget", "netwhy_agent_memory_budget_bytes")?
            .description("Memory that the present load needs at most, by part."),
        NODE.panel("Sockets without storage", "netwhy_agent_sockets_without_storage")?
            .description("Near the memory limit only. Their counts arrive when they close."),
        NODE.panel("Subjects folded early", "netwhy_agent_memory_folded_subjects_total")?
            .description("Removed subjects whose sums went to the series `~other` before their time."),
    ])
}

fn coverage() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        NODE.panel("Subjects", "netwhy_agent_subjects")?,
        NODE.panel("Active edges", "netwhy_agent_edges")?,
        NODE.panel("TCP sockets", "netwhy_agent_sockets")?,
        NODE.panel("Listening sockets", "netwhy_agent_listeners")?,
    ])
}

fn kernel_programs() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        time_per_run()?,
        NODE.panel("Missed runs", "netwhy_agent_bpf_missed_runs_total")?,
        NODE.panel("Kernel map memory", "netwhy_agent_map_memory_bytes")?,
        NODE.panel("Kernel timer frequency", "netwhy_agent_jiffies_hertz")?,
        NODE.panel("Kept rights", "netwhy_agent_kept_rights")?
            .description("0: the agent is neither root nor has it any capability."),
    ])
}

fn sampling() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        NODE.panel("Snapshots", "netwhy_agent_samples_total")?,
        NODE.panel("Tick duration", "netwhy_agent_last_sample_seconds")?,
        NODE.panel("Window length", "netwhy_agent_window_seconds")?,
        NODE.panel("Scrapes", "netwhy_agent_scrapes_total")?,
        NODE.panel("Scrape encodings", "netwhy_agent_scrape_encodings_total")?,
        NODE.panel("Walk duration", "netwhy_agent_walk_seconds")?,
        NODE.panel("Walk interval", "netwhy_agent_walk_interval_seconds")?,
        NODE.panel("Walk age", "netwhy_agent_walk_age_seconds")?,
        NODE.panel("Age of cgroup data", "netwhy_agent_cgroup_age_seconds")?,
        NODE.panel("Kernel errors by operation", "netwhy_agent_kernel_errors_total")?,
        NODE.panel("RTT probe duty cycle", "netwhy_agent_rtt_watched_seconds_total")?
            .description("Share of time in which the RTT probe is attached; 100 % is always."),
        NODE.panel("RTT probe duty periods", "netwhy_agent_rtt_windows_total")?,
        NODE.panel("Handshake probe duty cycle", "netwhy_agent_handshakes_watched_seconds_total")?
            .description("Share of time in which the handshake probe is attached; 100 % is always."),
    ])
}

fn history() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        NODE.panel("Recorded time", "netwhy_agent_history_age_seconds")?
            .description("Age of the oldest frame: so far back `kubectl netwhy why --at` can look."),
        NODE.panel("History size", "netwhy_agent_history_bytes")?,
        NODE.panel("Most history", "netwhy_agent_history_max_bytes")?,
        NODE.panel("Segments", "netwhy_agent_history_segments")?,
        NODE.panel("Written history", "netwhy_agent_history_written_bytes_total")?,
        NODE.panel("Frames by result", "netwhy_agent_history_frames_total")?
            .description("A frame is lost while the disk is full, slow or broken."),
        NODE.panel("Broken recorders", "netwhy_agent_history_broken")?
            .description("/api/v1/info has the reason.")
            .thresholds(1.0, 1.0),
        NODE.panel("Lost segments", "netwhy_agent_history_lost_segments_total")?,
        NODE.panel("Recording time", "netwhy_agent_history_write_seconds_total")?.description("Share of one core."),
    ])
}

fn api_server() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        NODE.panel("Complete watches", "netwhy_agent_watch_complete")?.runbook("NetwhyAgentWatchStale"),
        NODE.panel("Complete Pod lists", "netwhy_agent_pods_complete")?,
        NODE.panel("Known objects", "netwhy_agent_watch_objects")?,
        NODE.panel("Received changes", "netwhy_agent_watch_changes_total")?,
        NODE.panel("Received lists", "netwhy_agent_watch_lists_total")?,
        NODE.panel("Watch failures", "netwhy_agent_watch_errors_total")?.runbook("NetwhyAgentWatchStale"),
        NODE.panel("Close-ups", "netwhy_agent_close_ups")?
            .description("Pods whose annotation asks for an exemption from sampling."),
        NODE.panel("Configuration reloads", "netwhy_agent_config_reloads_total")?,
        NODE.panel("Certificate reloads", "netwhy_agent_tls_reloads_total")?,
        NODE.panel("Refused scrapes", "netwhy_agent_http_refusals_total")?
            .description("Connections and requests that TLS or authorization refused."),
    ])
}

fn versions() -> Result<Panel, Error> {
    let info = NODE.of("netwhy_agent_build_info", &[])?.value("count", &["node", "version", "kernel"])?;
    let start = NODE.of("process_start_time_seconds", &[])?.value("max", &["node"])?;
    Ok(Panel::table("Agents", Unit::Count)
        .query(info, "agents")
        .query(format!("1000 * {start}"), "started")
        .column_unit("started", Unit::Date)
        .runbook("NetwhyAgentDown"))
}

fn probe_status() -> Result<Panel, Error> {
    let states = NODE.of("netwhy_agent_probe_state", &[])?.value("sum", &["probe", "state"])?;
    Ok(Panel::table("Probe status", Unit::Count).query(states, "agents").runbook("NetwhyAgentProbeBroken"))
}

fn time_per_run() -> Result<Panel, Error> {
    let by = ["node", "program"];
    let seconds = NODE.of("netwhy_agent_bpf_run_seconds_total", &[])?.rate(&by)?;
    let runs = NODE.of("netwhy_agent_bpf_runs_total", &[])?.rate(&by)?;
    Ok(Panel::lines("Time per run", Unit::Seconds).query(ratio(&seconds, &runs, 0.0), &legend(&by)))
}

fn map_fill() -> Result<Panel, Error> {
    let by = ["node", "map"];
    let used = NODE.of("netwhy_agent_map_entries", &[])?.value("max", &by)?;
    let capacity = NODE.of("netwhy_agent_map_max_entries", &[])?.value("max", &by)?;
    let panel = Panel::lines("Kernel map fill", Unit::Share).query(ratio(&used, &capacity, 0.0), &legend(&by));
    Ok(panel.thresholds(0.7, 0.9).runbook("NetwhyAgentMapFull"))
}
