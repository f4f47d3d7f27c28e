//! Snapshots of everything that is counted, their growth, windows and recordings.

#[macro_use]
mod sums;
#[macro_use]
mod words;
#[macro_use]
mod table;

mod facts;
mod histogram;
mod host;
mod node_fact;
mod ledger;
mod legacy;
mod losses;
mod recording;
mod stored;
mod stored_call;
mod stored_key;
mod tally;
mod window;

pub use facts::{CgroupFacts, CpuStat, FactsDelta, Pressure};
pub use histogram::{FineHistogram, Histogram};
pub use host::{Device, Gauge, Group, HostKey, HostSample, Signal, State};
pub use ledger::{Frame, Ledger};
pub use losses::Losses;
pub use node_fact::NodeFact;
pub use recording::{Header, Recorder, Recording, RecordingError};
pub use stored_key::StoredKey;
pub use sums::{Cumulative, Sum};
pub use table::{Counted, Families, Growth, Highest, Read, Rows, Shape, SumOf, Sums, Table};
pub use tally::*;
pub use window::{LossTicks, RECENT, Window};
pub use words::Words;

pub(crate) use histogram::bucket_middle_us;
pub(crate) use stored_call::StoredCall;
pub(crate) use sums::summed;
pub(crate) use table::shrink;
pub(crate) use table::{for_each_family, repeat_for_family};

use crate::{calls::Call, names::Answer};
use netwhy_abi::Counter;
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
    /// When the newest walk began, `CLOCK_MONOTONIC`; [`NEVER`](Self::NEVER) where none is possible. `None`: none yet, or a
    /// recording that is older than this field.
    pub walked_at: Option<Duration>,
    /// Jiffies per second. `None` until two walks have measured it.
    pub hz: Option<u32>,
    /// Rows of the kernel programs' maps.
    pub tables: Families<Read>,
    /// The programs' own counters, by [`Counter`].
    pub counters: [u64; Counter::ALL.len()],
    /// HTTP calls that ended since the last snapshot, of a sample.
    pub calls: Vec<Call>,
    /// Answers of DNS servers since the last snapshot, where their names are read.
    pub answers: Vec<Answer>,
    /// Every cgroup that exists or that a row names: its path, and its control files.
    pub groups: Vec<CgroupFacts>,
    /// The Node's own signals. `None`: not read, as in recordings that are older than they.
    pub host: Option<HostSample>,
}

impl Snapshot {
    /// [`walked_at`](Self::walked_at) where no walk is possible: the kernel lacks it, or the signal is off.
    pub const NEVER: Duration = Duration::from_nanos(u64::MAX);

    /// When the newest walk began, `CLOCK_MONOTONIC`. `None`: there was none.
    pub fn newest_walk(&self) -> Option<Duration> {
        self.walked_at.filter(|at| *at != Self::NEVER)
    }
}
