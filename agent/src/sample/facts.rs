//! Control files of a cgroup: their values, and how those grow.

use serde::{Deserialize, Serialize};

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

impl CgroupFacts {
    /// Whether any counter is known.
    pub(super) fn is_read(&self) -> bool {
        let Self { cpu, usage_us, memory_limit_hits, pressure, oom_kills, .. } = self;
        let numbers = [usage_us, memory_limit_hits, oom_kills];
        cpu.is_some() || pressure.is_some() || numbers.iter().any(|number| number.is_some())
    }

    /// The same with the counters of `first` where it has none.
    #[must_use]
    pub(super) fn or(self, first: &Self) -> Self {
        Self {
            cpu: self.cpu.or(first.cpu),
            usage_us: self.usage_us.or(first.usage_us),
            memory_limit_hits: self.memory_limit_hits.or(first.memory_limit_hits),
            pressure: self.pressure.or(first.pressure),
            oom_kills: self.oom_kills.or(first.oom_kills),
            ..self
        }
    }
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

/// Growth of one cgroup's control-file counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactsDelta {
    /// `None`: no controller.
    pub cpu: Option<CpuStat>,
    /// `None`: not offered.
    pub pressure: Option<Pressure>,
    /// `None`: no controller.
    pub oom_kills: Option<u64>,
    /// True when `oom_kills` leaves out descendants.
    pub oom_own: bool,
    /// CPU time used, µs. `None`: not accounted for.
    pub usage_us: Option<u64>,
    /// Times at its own memory limits. `None`: no controller.
    pub memory_limit_hits: Option<u64>,
}

impl CpuStat {
    /// Adds another growth. Its limit counts, unless it has none.
    pub fn add(&mut self, other: &Self) {
        let Self { periods, throttled_periods, throttled_us, usage_us, limit_millicores } = other;
        self.periods += periods;
        self.throttled_periods += throttled_periods;
        self.throttled_us += throttled_us;
        self.usage_us += usage_us;
        self.limit_millicores = limit_millicores.or(self.limit_millicores);
    }

    /// Growth since `last`, with the limit of now.
    fn since(self, last: Self) -> Self {
        let Self { periods, throttled_periods, throttled_us, usage_us, limit_millicores } = self;
        Self {
            periods: periods.saturating_sub(last.periods),
            throttled_periods: throttled_periods.saturating_sub(last.throttled_periods),
            throttled_us: throttled_us.saturating_sub(last.throttled_us),
            usage_us: usage_us.saturating_sub(last.usage_us),
            limit_millicores,
        }
    }
}

impl Pressure {
    /// Adds another growth.
    pub fn add(&mut self, other: &Self) {
        let Self { cpu_some_us, cpu_full_us, memory_some_us, memory_full_us, io_some_us, io_full_us } = other;
        self.cpu_some_us += cpu_some_us;
        self.cpu_full_us += cpu_full_us;
        self.memory_some_us += memory_some_us;
        self.memory_full_us += memory_full_us;
        self.io_some_us += io_some_us;
        self.io_full_us += io_full_us;
    }

    /// Growth since `last`.
    fn since(self, last: Self) -> Self {
        let Self { cpu_some_us, cpu_full_us, memory_some_us, memory_full_us, io_some_us, io_full_us } = self;
        Self {
            cpu_some_us: cpu_some_us.saturating_sub(last.cpu_some_us),
            cpu_full_us: cpu_full_us.saturating_sub(last.cpu_full_us),
            memory_some_us: memory_some_us.saturating_sub(last.memory_some_us),
            memory_full_us: memory_full_us.saturating_sub(last.memory_full_us),
            io_some_us: io_some_us.saturating_sub(last.io_some_us),
            io_full_us: io_full_us.saturating_sub(last.io_full_us),
        }
    }
}

impl FactsDelta {
    /// Growth from `last` to `now`.
    pub(super) fn between(last: &CgroupFacts, now: &CgroupFacts) -> Self {
        let grown = |last: Option<u64>, now: Option<u64>| now.map(|now| now.saturating_sub(last.unwrap_or(0)));
        Self {
            cpu: now.cpu.map(|cpu| cpu.since(last.cpu.unwrap_or_default())),
            pressure: now.pressure.map(|pressure| pressure.since(last.pressure.unwrap_or_default())),
            oom_kills: grown(last.oom_kills, now.oom_kills),
            oom_own: now.oom_own,
            usage_us: grown(last.usage_us, now.usage_us),
            memory_limit_hits: grown(last.memory_limit_hits, now.memory_limit_hits),
        }
    }

    /// Adds another growth; a limit is the newer one's.
    pub fn add(&mut self, other: &Self) {
        let Self { cpu, pressure, oom_kills, oom_own, usage_us, memory_limit_hits } = other;
        if let Some(cpu) = cpu {
            self.cpu.get_or_insert_default().add(cpu);
        }
        if let Some(pressure) = pressure {
            self.pressure.get_or_insert_default().add(pressure);
        }
        if let Some(kills) = oom_kills {
            *self.oom_kills.get_or_insert_default() += kills;
            self.oom_own = *oom_own;
        }
        if let Some(us) = usage_us {
            *self.usage_us.get_or_insert_default() += us;
        }
        if let Some(hits) = memory_limit_hits {
            *self.memory_limit_hits.get_or_insert_default() += hits;
        }
    }
}
