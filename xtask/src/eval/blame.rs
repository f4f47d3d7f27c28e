//! The cost of judging 5,000 Nodes with 512 peers each, on one thread.

use anyhow::{Context as _, Result};
use netwhy_agent::blame::{Edge, EndId, Finding, Fleet, Parameters, judge};
use serde_json::{Value, json};
use std::{fs, time::Instant};

const NODES: usize = 5000;
const PEERS: usize = 512;
/// Times it is judged; the median counts.
const RUNS: usize = 5;
/// Nodes that lose packets, so that there is something to find and to discard.
const FAULTY: [usize; 4] = [17, 1234, 2500, 4999];

/// Figures of one run.
pub(crate) struct Cost {
    /// Each run, fastest first.
    seconds: [f64; RUNS],
    /// CPU time of the run that took least: nearly what a machine without other work needs.
    cpu_seconds: f64,
    /// Highest resident memory of the process while judging, rows included.
    peak_bytes: u64,
    /// Of the rows alone, before judging.
    rows_bytes: u64,
    found: usize,
}

impl Cost {
    fn median(&self) -> f64 {
        self.seconds[RUNS / 2]
    }

    pub(crate) fn text(&self) -> String {
        format!(
            "blame over {NODES} Nodes × {PEERS} peers: {:.2} s (to reach: ≤ 1.5 s{}), {:.2} s of CPU, peak \
             memory {:.0} MB of which {:.0} MB \
             are the rows (to reach: ≤ 400 MB{}); {} of {} faults found",
            self.median(),
            short(self.median() <= 1.5),
            self.cpu_seconds,
            self.peak_bytes as f64 / 1e6,
            self.rows_bytes as f64 / 1e6,
            short(self.peak_bytes <= 400_000_000),
            self.found,
            FAULTY.len(),
        )
    }

    pub(crate) fn json(&self) -> Value {
        let Self { seconds, cpu_seconds, peak_bytes, rows_bytes, found } = self;
        json!({
            "seconds": self.median(), "fastest": seconds[0], "slowest": seconds[RUNS - 1], "runs": RUNS,
            "cpu_seconds": cpu_seconds,
            "peak_bytes": peak_bytes, "rows_bytes": rows_bytes, "nodes": NODES, "peers": PEERS,
            "faults": FAULTY.len(), "found": found,
        })
    }
}

fn short(ok: bool) -> &'static str {
    if ok { "" } else { ", short" }
}

/// Judges the fleet.
pub(crate) fn measure() -> Result<Cost> {
    let fleet = fleet();
    let parameters = Parameters::default();
    let rows_bytes = memory("VmRSS:")?;
    let mut seconds = [0.0; RUNS];
    let (mut cpu_seconds, mut found) = (f64::INFINITY, 0);
    for seconds in &mut seconds {
        let (began, cpu) = (Instant::now(), cpu_seconds_now());
        let verdicts = judge(&fleet, &parameters);
        *seconds = began.elapsed().as_secs_f64();
        cpu_seconds = cpu_seconds.min(cpu_seconds_now() - cpu);
        let faulty = |finding: &&Finding| {
            let culprit = finding.verdict().culprit.node();
            matches!(finding, Finding::Blamed(_)) && culprit.is_some_and(|node| FAULTY.contains(&node.index()))
        };
        found = verdicts.findings.iter().filter(faulty).count();
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Cost { seconds, cpu_seconds, peak_bytes: memory("VmHWM:")?, rows_bytes, found })
}

/// Rows that differ as real ones do: traffic over four orders of magnitude, some losses on most edges.
fn fleet() -> Fleet {
    let mut fleet = Fleet::new();
    let ends: Vec<EndId> =
        (0..NODES).map(|i| fleet.node(&format!("node-{i}"), Some(&format!("zone-{}", i % 3)))).collect();
    fleet.reserve(NODES * PEERS);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        // Marsaglia's xorshift64*.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f64 / (1_u64 << 24) as f64
    };
    for from in 0..NODES {
        fleet.set_heard(ends[from]);
        for k in 0..PEERS {
            let to = (from + 1 + (k * 9) % (NODES - 1)) % NODES;
            let segments = 100.0 * (1.0 / (1.0 - random())).min(1e4);
            let faulty = FAULTY.contains(&from) || FAULTY.contains(&to);
            let loss = 3e-4 + if faulty { 0.01 } else { 0.0 };
            let episodes = (segments * loss * 2.0 * random() + random()) as u32;
            let edge = Edge::new(ends[from], ends[to], segments as u64, episodes);
            fleet.push(Edge { flows: 8, lossy_flows: episodes.min(8), baseline: Some(3e-4), ..edge });
        }
    }
    fleet
}

/// CPU time of this thread, s.
fn cpu_seconds_now() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A line of /proc/self/status, bytes.
fn memory(key: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let kib = text.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("find {key} in /proc/self/status"))? * 1024)
}
