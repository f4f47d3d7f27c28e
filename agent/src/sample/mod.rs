//! One read of everything that is counted, and what becomes of many such reads.

mod histogram;
mod host;
mod ledger;
mod lookups;
mod recording;
mod tally;
mod window;

pub use histogram::Histogram;
pub use host::{Device, Gauge, Group, HostKey, HostSample, Signal, State};
pub use ledger::{FactsDelta, Frame, Ledger};
pub use lookups::Lookups;
pub use recording::{Header, Recorder, Recording, RecordingError};
pub use tally::{Connects, Tally};
pub use window::Window;

use netwhy_abi::{CgroupStats, Counter, DnsStats, DropKey, EdgeKey, EdgeStats, PeerClass, RunQueueStats};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where snapshots come from: the running kernel, or a recording.
pub trait SampleSource {
    /// The next snapshot; `None` when there will be no more (a recording's end).
    ///
    /// # Errors
    /// When the source is broken for good. A signal that can't be read is not an error: it is absent from the
    /// snapshot, and its verdict says why.
    fn sample(&mut self) -> anyhow::Result<Option<Snapshot>>;
}

/// Cumulative counters at one moment. Rows that did not change since the previous snapshot of the same source may be
/// left out; rows that the kernel dropped are named in `gone_*`.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// `CLOCK_MONOTONIC`.
    pub at: Duration,
    /// Wall clock, milliseconds since the Unix epoch; for display only.
    pub unix_ms: u64,
    /// Jiffies per second. `None` until two walks have measured it.
    pub hz: Option<u32>,
    /// Edges: (cgroup, remote address).
    pub edges: Vec<(EdgeKey, EdgeStats)>,
    /// What did not fit into the edge map: (cgroup, class).
    pub overflow: Vec<((u64, PeerClass), EdgeStats)>,
    /// Per-cgroup rows.
    pub cgroups: Vec<(u64, CgroupStats)>,
    /// Dropped packets by cgroup and kernel reason.
    pub drops: Vec<(DropKey, u64)>,
    /// DNS lookups by cgroup and server.
    pub dns: Vec<(EdgeKey, DnsStats)>,
    /// Waits for a CPU by cgroup.
    pub run_queue: Vec<(u64, RunQueueStats)>,
    /// The programs' own counters, by [`Counter`].
    pub counters: [u64; Counter::ALL.len()],
    /// Every cgroup that exists or that a row names: its path, and its control files.
    pub groups: Vec<CgroupFacts>,
    /// The Node's own signals. `None`: not read, as in recordings that are older than they.
    pub host: Option<HostSample>,
    /// Edges that were taken out of the kernel map with this snapshot; their last values are in it.
    pub gone_edges: Vec<EdgeKey>,
    /// The same of `overflow`.
    pub gone_overflow: Vec<(u64, PeerClass)>,
    /// The same of `cgroups`.
    pub gone_cgroups: Vec<u64>,
    /// The same of `drops`.
    pub gone_drops: Vec<DropKey>,
    /// The same of `dns`.
    pub gone_dns: Vec<EdgeKey>,
    /// The same of `run_queue`.
    pub gone_run_queue: Vec<u64>,
}

/// What the cgroup file system says about one cgroup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CgroupFacts {
    /// cgroup v2 id (inode number).
    pub id: u64,
    /// Path below the cgroup v2 mount, beginning with `/`. `None`: gone before it could be looked up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// False once the directory is gone.
    #[serde(default)]
    pub alive: bool,
    /// CPU bandwidth control. `None`: no limit controller here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu: Option<CpuStat>,
    /// CPU time used, descendants included, µs; cumulative. `None`: not accounted for here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usage_us: Option<u64>,
    /// Weight in the competition for CPUs (`cpu.weight`, 1 … 10,000, usually 100). `None`: no controller here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_weight: Option<u64>,
    /// Times that memory was reclaimed or refused because of the cgroup's own limits (`high` and `max` of
    /// `memory.events`, in v1 `memory.failcnt`); cumulative. `None`: no memory controller here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory_limit_hits: Option<u64>,
    /// Pressure stall information. `None`: not offered here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pressure: Option<Pressure>,
    /// Processes killed for memory. `None`: no memory controller here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oom_kills: Option<u64>,
    /// True when `oom_kills` leaves out descendants (cgroup v1).
    #[serde(default)]
    pub oom_own: bool,
}

/// CFS bandwidth control (`cpu.stat`). Cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuStat {
    /// Enforcement periods that elapsed.
    pub periods: u64,
    /// Of these, periods in which the cgroup was throttled.
    pub throttled_periods: u64,
    /// Time throttled, µs.
    pub throttled_us: u64,
    /// CPU time used, µs.
    pub usage_us: u64,
    /// Quota in cores (quota / period). `None`: unlimited.
    pub limit_millicores: Option<u64>,
}

/// PSI totals in µs (`*.pressure`). Cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressure {
    /// At least one task waited for a CPU.
    pub cpu_some_us: u64,
    /// All tasks waited for a CPU (5.13 and later; else 0).
    pub cpu_full_us: u64,
    /// At least one task waited for memory.
    pub memory_some_us: u64,
    /// All tasks waited for memory.
    pub memory_full_us: u64,
    /// At least one task waited for IO.
    pub io_some_us: u64,
    /// All tasks waited for IO.
    pub io_full_us: u64,
}
