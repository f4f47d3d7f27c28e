//! Memory of the agent, in `/api/v1/info`.

use serde::{Deserialize, Serialize};

/// How near the agent is to its memory limit, and what it gave up for that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryStats {
    /// The lowest limit that holds, bytes. `None`: unknown.
    pub limit_bytes: Option<u64>,
    /// Where the limit comes from.
    pub limit_source: LimitSource,
    /// Memory in use, kernel memory included, bytes; from 60 % of the limit on, without the page cache and the names and
    /// inodes that the kernel can take back. `None`: unknown.
    pub used_bytes: Option<u64>,
    /// How near the use is to the limit.
    pub level: MemoryLevel,
    /// Memory that the present load needs at most, by part.
    pub budget: Vec<MemoryPart>,
    /// Sockets that fit beside the rest of the present load before the agent sheds load. `None`: no limit is known.
    pub fitting_sockets: Option<u64>,
    /// Sockets that the newest walk found without storage: their counts arrive when they close.
    pub sockets_without_storage: u64,
    /// Subjects that lost their own series before `limits.gone_seconds` were over. Counted since the start; the sums of
    /// those share the row `~other`.
    pub folded_subjects: u64,
}

/// Memory of one part, at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPart {
    /// Name of the part.
    pub part: String,
    /// Bytes.
    pub bytes: u64,
}

/// Where a memory limit comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
    /// `memory.max` or `memory.high` of the agent's cgroup or of an ancestor.
    CgroupV2,
    /// `memory.limit_in_bytes` of cgroup v1.
    CgroupV1,
    /// The machine's memory.
    #[default]
    Machine,
}

/// How near the use is to the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryLevel {
    /// Below 75 %.
    #[default]
    Ok,
    /// From 75 %: new sockets get storage only where counts would be wrong without it, and removed subjects lose their
    /// series sooner.
    Near,
    /// From 88 %: nothing new is kept.
    Critical,
}

impl LimitSource {
    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::CgroupV2 => "memory.max of its cgroup",
            Self::CgroupV1 => "memory.limit_in_bytes of its cgroup",
            Self::Machine => "the machine's memory",
        }
    }
}

impl MemoryLevel {
    /// All levels.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Near, Self::Critical];

    /// Name in labels and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Near => "near",
            Self::Critical => "critical",
        }
    }
}
