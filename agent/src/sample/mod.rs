//! Snapshots of everything that is counted, their growth, windows and recordings.

#[macro_use]
mod sums;
#[macro_use]
mod table;

mod histogram;
mod host;
mod ledger;
mod legacy;
mod losses;
mod recording;
mod stored;
mod stored_key;
mod tally;
mod window;

pub use histogram::Histogram;
pub use host::{Device, Gauge, Group, HostKey, HostSample, Signal, State};
pub use ledger::{FactsDelta, Frame, Ledger};
pub use losses::Losses;
pub use recording::{Header, Recorder, Recording, RecordingError};
pub use stored_key::StoredKey;
pub use sums::{Cumulative, Sum};
pub use table::{Counted, Families, Growth, Highest, Read, Rows, Shape, SumOf, Sums, Table};
pub use tally::*;
pub use window::Window;

pub(crate) use sums::summed;
#[cfg(feature = "ebpf")]
pub(crate) use table::{for_each_family, repeat_for_family};

use netwhy_abi::Counter;
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

/// Cumulative counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// `CLOCK_MONOTONIC`.
    pub at: Duration,
    /// Wall clock, milliseconds since the Unix epoch; for display only.
    pub unix_ms: u64,
    /// When the newest walk began, `CLOCK_MONOTONIC`. `None`: no walks, or a recording that is older than this field.
    pub walked_at: Option<Duration>,
    /// Jiffies per second. `None` until two walks have measured it.
    pub hz: Option<u32>,
    /// Rows of the kernel programs' maps.
    pub tables: Families<Read>,
    /// The programs' own counters, by [`Counter`].
    pub counters: [u64; Counter::ALL.len()],
    /// Every cgroup that exists or that a row names: its path, and its control files.
    pub groups: Vec<CgroupFacts>,
    /// The Node's own signals. `None`: not read, as in recordings that are older than they.
    pub host: Option<HostSample>,
}

/// One cgroup's path and control files.
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
