//! Follows the agent's memory: reads limit and use once per tick, and returns freed memory to the kernel.

use crate::{
    api::{AgentStats, MemoryLevel, MemoryStats, ProcessStats},
    budget::{Budget, Load},
    kernel,
    memory::{Headroom, Limit, Pressure, TimelyLimit},
};
use std::time::Duration;

/// Freed memory that is worth returning to the kernel, bytes.
const WORTH: u64 = 4 << 20;
/// Shortest time between two returns: each visits all free blocks.
const RETURN_EVERY: Duration = Duration::from_secs(10);

/// The agent's memory.
pub(crate) struct MemoryWatch {
    limit: TimelyLimit,
    pressure: Pressure,
    budget: Budget,
    /// Most memory in use by the allocator since the last return, bytes.
    peak: u64,
    returned_at: Duration,
}

impl MemoryWatch {
    /// Nothing read yet.
    pub(crate) fn new(limit: Limit, pressure: Pressure, budget: Budget) -> Self {
        let limit = TimelyLimit::new(limit);
        Self { limit, pressure, budget, peak: 0, returned_at: Duration::ZERO }
    }

    /// Another function for the memory that is needed.
    pub(super) fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// The level and the room of now, which also go into the status.
    pub(super) fn follow(&mut self, stats: &mut AgentStats) -> Headroom {
        let resident = process().resident_bytes;
        let (reading, source) = self.limit.read(resident);
        let headroom = self.pressure.follow(reading);
        let memory = &mut stats.memory;
        if headroom.level != memory.level {
            log(memory.level, headroom.level, reading.used.zip(reading.limit));
        }
        memory.limit_bytes = reading.limit;
        memory.limit_source = source;
        memory.used_bytes = reading.used;
        memory.level = headroom.level;
        headroom
    }

    /// States the memory that the present load needs, in the status.
    pub(super) fn update(&self, load: &Load, memory: &mut MemoryStats) {
        memory.budget = self.budget.parts(load);
        memory.fitting_sockets = memory.limit_bytes.map(|limit| self.budget.fitting_sockets(load, limit));
    }

    /// Returns freed memory to the kernel when it is much, or when the limit is near. `now` is monotonic.
    pub(super) fn give_back(&mut self, now: Duration, level: MemoryLevel) {
        let Some(used) = kernel::memory::allocated() else { return };
        self.peak = self.peak.max(used);
        let freed = self.peak.saturating_sub(used);
        let is_worth = freed >= WORTH.max(used / 8) || level > MemoryLevel::Ok && freed > 0;
        if is_worth && now.saturating_sub(self.returned_at) >= RETURN_EVERY {
            kernel::memory::give_back();
            (self.peak, self.returned_at) = (used, now);
        }
    }
}

fn log(before: MemoryLevel, now: MemoryLevel, reading: Option<(u64, u64)>) {
    let (used, limit) = reading.unwrap_or_default();
    let (used_mib, limit_mib) = (used >> 20, limit >> 20);
    if now > before {
        tracing::warn!(
            level = now.label(),
            used_mib,
            limit_mib,
            "near the memory limit: the agent sheds load; raise the limit (see docs/performance.md), or lower limits.*"
        );
    } else {
        tracing::info!(level = now.label(), used_mib, limit_mib, "farther from the memory limit");
    }
}

/// This process's memory and CPU time.
pub(crate) fn process() -> ProcessStats {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    ProcessStats {
        resident_bytes: pages.map(|pages| pages * rustix::param::page_size() as u64),
        cpu_seconds: Some(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9),
    }
}
