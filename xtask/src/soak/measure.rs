//! One line of figures about the agent's process.

use super::charge::{self, Charge};
use crate::demo::agent::Agent;
use anyhow::{Context as _, Result};
use netwhy_tests::stop;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Figures over one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Since the agent was ready, s.
    pub(super) seconds: f64,
    /// Resident memory, bytes.
    pub(super) resident: f64,
    /// Memory of BPF maps, bytes.
    pub(super) kernel: f64,
    /// Memory charged to the agent's cgroup. `None`: no memory controller.
    pub(super) charge: Option<Charge>,
    /// Descriptors.
    pub(super) descriptors: f64,
    /// Lines of `/metrics` with a value.
    pub(super) series: f64,
    /// 99th percentile of the ticks in the interval, s.
    pub(super) tick_p99: f64,
}

/// Looks at the agent once a second for this long, and sums it up. `None`: a stop is requested.
pub(super) fn sample(
    agent: &Agent,
    cgroup: Option<&Path>,
    begun: Instant,
    interval: Duration,
) -> Result<Option<Sample>> {
    let end = Instant::now() + interval;
    let mut ticks = Vec::new();
    while Instant::now() < end {
        if stop::sleep(Duration::from_secs(1).min(end.saturating_duration_since(Instant::now()))) {
            return Ok(None);
        }
        agent.check()?;
        // Clients that fill the listener may shut this one out for a moment.
        let Ok(info) = agent.get_json("/api/v1/info") else { continue };
        ticks.extend(info["ticks"]["last_seconds"].as_f64());
    }
    let process = Path::new("/proc").join(agent.pid().to_string());
    let status = read(&process.join("status"))?;
    let is_series = |line: &&str| !line.is_empty() && !line.starts_with('#');
    // Not a number when it was refused: that says nothing about their number.
    let series = agent.get("/metrics").map_or(f64::NAN, |text| text.lines().filter(is_series).count() as f64);
    Ok(Some(Sample {
        seconds: begun.elapsed().as_secs_f64(),
        resident: field(&status, "VmRSS:").context("no VmRSS in the process's status")? * 1024.0,
        kernel: map_memory(&process)?,
        charge: cgroup.and_then(charge::read),
        descriptors: fs::read_dir(process.join("fd")).context("list the agent's descriptors")?.count() as f64,
        series,
        tick_p99: percentile(&mut ticks),
    }))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn field(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// Memory that the kernel states for each map of a process (`memlock` in proc_pid_fdinfo(5)).
fn map_memory(process: &Path) -> Result<f64> {
    let mut maps = BTreeMap::new();
    for entry in fs::read_dir(process.join("fdinfo")).context("list the agent's descriptors")?.flatten() {
        // It may have been closed meanwhile.
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        if let (Some(id), Some(bytes)) = (field(&text, "map_id:"), field(&text, "memlock:")) {
            maps.insert(id as u64, bytes);
        }
    }
    Ok(maps.values().sum())
}

/// The 99th percentile; the highest of fewer than a hundred.
fn percentile(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * 0.99).ceil() as usize;
    at.checked_sub(1).and_then(|at| values.get(at)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests;
